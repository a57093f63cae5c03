"""The block as calls to its two layers."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from attention_layer import Model as AttentionLayer
from feed_forward_layer import Model as FeedForwardLayer


class RefactoredModel(nn.Module):
    def __init__(self, hidden=1024, heads=16, kv_heads=4, inner=2816):
        super().__init__()
        self.attention_layer = AttentionLayer(hidden, heads, kv_heads)
        self.feed_forward_layer = FeedForwardLayer(hidden, inner)

    def forward(self, x):
        return self.feed_forward_layer(self.attention_layer(x))


def get_inputs():
    return [torch.randn(1, 64, 1024, dtype=torch.bfloat16)]


def get_init_inputs():
    return [1024, 16, 4, 2816]
