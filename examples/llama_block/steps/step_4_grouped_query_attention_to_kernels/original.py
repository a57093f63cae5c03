"""Grouped-query attention: 16 query heads, 4 key and value heads, RoPE."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def rotary(x, base=10000.0):
    """Rotary position embedding, halves layout: x [batch, heads, length, head]."""
    length, size = x.shape[-2], x.shape[-1]
    inverse = 1.0 / (base ** (torch.arange(0, size, 2, device=x.device).float() / size))
    angles = torch.outer(torch.arange(length, device=x.device).float(), inverse)
    angles = torch.cat((angles, angles), dim=-1)
    half = size // 2
    rotated = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * angles.cos().to(x.dtype) + rotated * angles.sin().to(x.dtype)


class Model(nn.Module):
    def __init__(self, hidden=1024, heads=16, kv_heads=4):
        super().__init__()
        self.heads, self.kv_heads, self.head_size = heads, kv_heads, hidden // heads
        self.q = nn.Linear(hidden, hidden, bias=False, dtype=torch.bfloat16)
        self.k = nn.Linear(hidden, kv_heads * self.head_size, bias=False, dtype=torch.bfloat16)
        self.v = nn.Linear(hidden, kv_heads * self.head_size, bias=False, dtype=torch.bfloat16)
        self.o = nn.Linear(hidden, hidden, bias=False, dtype=torch.bfloat16)

    def forward(self, x):
        batch, length, hidden = x.shape
        q = rotary(self.q(x).view(batch, length, self.heads, self.head_size).transpose(1, 2))
        k = rotary(self.k(x).view(batch, length, self.kv_heads, self.head_size).transpose(1, 2))
        v = self.v(x).view(batch, length, self.kv_heads, self.head_size).transpose(1, 2)
        groups = self.heads // self.kv_heads
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(self.head_size)
        future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        scores = scores.masked_fill(future, float("-inf"))
        probabilities = F.softmax(scores, dim=-1, dtype=torch.float32).to(x.dtype)
        mixed = torch.matmul(probabilities, v)
        return self.o(mixed.transpose(1, 2).reshape(batch, length, hidden))


def get_inputs():
    return [torch.randn(1, 64, 1024, dtype=torch.bfloat16)]


def get_init_inputs():
    return [1024, 16, 4]


def get_expected_output_shape():
    return (1, 64, 1024)


def run_tests():
    model = Model(*get_init_inputs()).eval()
    with torch.no_grad():
        output = model(*get_inputs())
    assert tuple(output.shape) == get_expected_output_shape(), output.shape
    assert torch.isfinite(output).all()
    return True


if __name__ == "__main__":
    print("PASS" if run_tests() else "FAIL")
