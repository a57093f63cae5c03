import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from gelu_fp32 import Model as Gelu
from linear_16x8_fp32 import Model as Down
from linear_8x16_fp32 import Model as Up


class RefactoredModel(nn.Module):
    def __init__(self, width=8, inner=16):
        super().__init__()
        self.fc = Up(width, inner)
        self.act = Gelu()
        self.proj = Down(inner, width)

    def forward(self, x):
        return self.proj(self.act(self.fc(x)))


def get_inputs():
    return [torch.randn(2, 4, 8)]


def get_init_inputs():
    return [8, 16]
