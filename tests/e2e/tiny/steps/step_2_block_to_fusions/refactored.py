import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from layer_norm_8_fp32 import Model as Norm
from mlp import Model as MLP


class RefactoredModel(nn.Module):
    def __init__(self, width=8, inner=16):
        super().__init__()
        self.norm = Norm(width)
        self.mlp = MLP(width, inner)

    def forward(self, x):
        return x + self.mlp(self.norm(x))


def get_inputs():
    return [torch.randn(2, 4, 8)]


def get_init_inputs():
    return [8, 16]
