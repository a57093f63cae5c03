"""SwiGLU and its norm; the residual add stays here."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from rms_norm_1024_bf16 import Model as RMSNorm
from swiglu import Model as SwiGLU


class RefactoredModel(nn.Module):
    def __init__(self, hidden=1024, inner=2816):
        super().__init__()
        self.norm = RMSNorm(hidden)
        self.feed_forward = SwiGLU(hidden, inner)

    def forward(self, x):
        return x + self.feed_forward(self.norm(x))


def get_inputs():
    return [torch.randn(1, 64, 1024, dtype=torch.bfloat16)]


def get_init_inputs():
    return [1024, 2816]
