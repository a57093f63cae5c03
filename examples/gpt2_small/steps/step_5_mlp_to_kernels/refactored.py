"""The MLP as kernels."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from gelu_fp32 import Model as Gelu
from linear_3072x768_fp32 import Model as DownProjection
from linear_768x3072_fp32 import Model as UpProjection


class RefactoredModel(nn.Module):
    def __init__(self, hidden=768, inner=3072):
        super().__init__()
        self.fc = UpProjection(hidden, inner)
        self.gelu = Gelu()
        self.proj = DownProjection(inner, hidden)

    def forward(self, x):
        return self.proj(self.gelu(self.fc(x)))


def get_inputs():
    return [torch.randn(2, 32, 768)]


def get_init_inputs():
    return [768, 3072]
