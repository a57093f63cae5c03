"""Attention as kernels; splitting heads, scaling and masking are plumbing and stay here."""
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from linear_768x2304_fp32 import Model as QkvProjection
from linear_768x768_fp32 import Model as OutProjection
from matmul_2x12x32x32_2x12x32x64_fp32 import Model as Mix
from matmul_2x12x32x64_2x12x64x32_fp32 import Model as Scores
from softmax_fp32 import Model as Softmax


class RefactoredModel(nn.Module):
    def __init__(self, hidden=768, heads=12):
        super().__init__()
        self.heads = heads
        self.head_size = hidden // heads
        self.qkv = QkvProjection(hidden, 3 * hidden)
        self.scores = Scores()
        self.softmax = Softmax()
        self.mix = Mix()
        self.out = OutProjection(hidden, hidden)

    def split_heads(self, x):
        batch, length, _ = x.shape
        return x.view(batch, length, self.heads, self.head_size).transpose(1, 2)

    def forward(self, x):
        batch, length, hidden = x.shape
        q, k, v = self.qkv(x).split(hidden, dim=-1)
        q, k, v = self.split_heads(q), self.split_heads(k), self.split_heads(v)
        scores = self.scores(q, k.transpose(-2, -1)) / math.sqrt(self.head_size)
        future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        probabilities = self.softmax(scores.masked_fill(future, float("-inf")))
        mixed = self.mix(probabilities, v)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, hidden))


def get_inputs():
    return [torch.randn(2, 32, 768)]


def get_init_inputs():
    return [768, 12]
