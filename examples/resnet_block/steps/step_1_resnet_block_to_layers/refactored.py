"""The stage as calls to its two blocks."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from basic_block_128 import Model as PlainBlock
from basic_block_64x128_s2 import Model as DownBlock


class RefactoredModel(nn.Module):
    def __init__(self, inputs=64, outputs=128):
        super().__init__()
        self.layer0 = DownBlock(inputs, outputs, 2)
        self.layer1 = PlainBlock(outputs, outputs, 1)

    def forward(self, x):
        return self.layer1(self.layer0(x))


def get_inputs():
    return [torch.randn(8, 64, 56, 56)]


def get_init_inputs():
    return [64, 128]
