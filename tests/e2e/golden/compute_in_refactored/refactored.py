import sys
from pathlib import Path

import torch
import torch.nn as nn

sys.path.insert(0, str(Path(__file__).parent / "children"))
from layer_norm_64_fp32 import Model as LayerNorm
from linear_64x64_fp32 import Model as Linear


class RefactoredModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = Linear()
        self.norm = LayerNorm()

    def forward(self, x):
        h = self.linear(self.norm(x))
        return x + torch.softmax(h, -1) * 0 + h
