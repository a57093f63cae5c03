"""Attention and its norm; the residual add stays here."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from grouped_query_attention import Model as Attention
from rms_norm_1024_bf16 import Model as RMSNorm


class RefactoredModel(nn.Module):
    def __init__(self, hidden=1024, heads=16, kv_heads=4):
        super().__init__()
        self.norm = RMSNorm(hidden)
        self.attention = Attention(hidden, heads, kv_heads)

    def forward(self, x):
        residual = x
        x = self.attention(self.norm(x))
        return residual + x


def get_inputs():
    return [torch.randn(1, 64, 1024, dtype=torch.bfloat16)]


def get_init_inputs():
    return [1024, 16, 4]
