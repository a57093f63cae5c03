import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from block import Model as Block
from linear_8x4_fp32 import Model as Head


class RefactoredModel(nn.Module):
    def __init__(self, width=8, inner=16, classes=4, depth=2):
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, inner) for _ in range(depth))
        self.head = Head(width, classes)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def get_inputs():
    return [torch.randn(2, 4, 8)]


def get_init_inputs():
    return [8, 16, 4, 2]
