"""SwiGLU as kernels; the gate is a product and stays here."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from linear_1024x2816_bf16 import Model as WideProjection
from linear_2816x1024_bf16 import Model as DownProjection
from silu_bf16 import Model as Silu


class RefactoredModel(nn.Module):
    def __init__(self, hidden=1024, inner=2816):
        super().__init__()
        self.gate = WideProjection(hidden, inner)
        self.up = WideProjection(hidden, inner)
        self.silu = Silu()
        self.down = DownProjection(inner, hidden)

    def forward(self, x):
        return self.down(self.silu(self.gate(x)) * self.up(x))


def get_inputs():
    return [torch.randn(1, 64, 1024, dtype=torch.bfloat16)]


def get_init_inputs():
    return [1024, 2816]
