"""Grouped-query attention as kernels: repeating heads, scaling and masking stay here."""
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "children"))

import torch
import torch.nn as nn
from linear_1024x1024_bf16 import Model as WideProjection
from linear_1024x256_bf16 import Model as NarrowProjection
from matmul_1x16x64x64_1x16x64x64_bf16 import Model as MatMul
from rope_bf16 import Model as Rope
from softmax_fp32_bf16 import Model as Softmax


class RefactoredModel(nn.Module):
    def __init__(self, hidden=1024, heads=16, kv_heads=4):
        super().__init__()
        self.heads, self.kv_heads, self.head_size = heads, kv_heads, hidden // heads
        self.q = WideProjection(hidden, hidden)
        self.k = NarrowProjection(hidden, kv_heads * self.head_size)
        self.v = NarrowProjection(hidden, kv_heads * self.head_size)
        self.o = WideProjection(hidden, hidden)
        self.rope_q = Rope()
        self.rope_k = Rope()
        self.scores = MatMul()
        self.softmax = Softmax()
        self.mix = MatMul()

    def split_heads(self, x, heads):
        batch, length, _ = x.shape
        return x.view(batch, length, heads, self.head_size).transpose(1, 2)

    def forward(self, x):
        batch, length, hidden = x.shape
        q = self.rope_q(self.split_heads(self.q(x), self.heads))
        k = self.rope_k(self.split_heads(self.k(x), self.kv_heads))
        v = self.split_heads(self.v(x), self.kv_heads)
        groups = self.heads // self.kv_heads
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        scores = self.scores(q, k.transpose(-2, -1)) / math.sqrt(self.head_size)
        future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        probabilities = self.softmax(scores.masked_fill(future, float("-inf")))
        mixed = self.mix(probabilities, v)
        return self.o(mixed.transpose(1, 2).reshape(batch, length, hidden))


def get_inputs():
    return [torch.randn(1, 64, 1024, dtype=torch.bfloat16)]


def get_init_inputs():
    return [1024, 16, 4]
