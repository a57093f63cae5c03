"""Causal self-attention with a cached mask, as people write it."""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Optional, Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange


@dataclass
class AttentionConfig:
    dim: int = 64
    heads: int = 4
    dropout: float = 0.0
    block_size: int = 128
    scales: list = field(default_factory=list)

    def __post_init__(self):
        if self.dim % self.heads != 0:
            raise ValueError(f"{self.__class__.__name__}: dim {self.dim} is no multiple of {self.heads}")

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads


class Model(nn.Module):
    """Multi-head attention."""

    def __init__(self, config: Optional[AttentionConfig] = None):
        super().__init__()
        config = config or AttentionConfig()
        assert config.dim % config.heads == 0, "dim must divide"
        self.config = config
        self.qkv = nn.Linear(config.dim, 3 * config.dim, bias=False)
        self.proj = nn.Linear(config.dim, config.dim)
        self.dropout = nn.Dropout(config.dropout)
        self.flash = hasattr(F, "scaled_dot_product_attention")
        self.register_buffer("mask", torch.tril(torch.ones(config.block_size, config.block_size)).bool(), persistent=False)
        self.register_buffer("_scale", torch.tensor(1.0 / math.sqrt(config.head_dim)))
        self.apply(self._init_weights)
        for name, p in self.named_parameters():
            if name.endswith("proj.weight"):
                torch.nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * 12))

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            module.weight.data.mul_(0.5)
            if module.bias is not None:
                module.bias.data.zero_()

    def _split(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return tuple(rearrange(t, "b t (h d) -> b h t d", h=self.config.heads) for t in (q, k, v))

    def forward(self, x: torch.Tensor, mask: Optional[torch.Tensor] = None, use_cache: bool = False):
        B, T, C = x.size()
        q, k, v = self._split(x)
        att = (q @ k.transpose(-2, -1)) * self._scale
        allowed = self.mask[:T, :T] if mask is None else mask
        att = att.masked_fill(~allowed, float("-inf"))
        att = self.dropout(F.softmax(att, dim=-1, dtype=torch.float32).to(q.dtype))
        y = (att @ v).transpose(1, 2).contiguous().view(B, T, C)
        out = self.proj(y)
        return (out, (k, v)) if use_cache else out

    def extra_repr(self) -> str:
        return "dim={}, heads={:d}".format(self.config.dim, self.config.heads)


def get_inputs():
    torch.manual_seed(0)
    return [torch.randn(2, 16, 64)]


def get_init_inputs():
    return []


def get_expected_output_shape():
    return [(2, 16, 64)]


def run_tests():
    import time

    start = time.time()
    model = Model(*get_init_inputs())
    model.eval()
    with torch.no_grad():
        out = model(*get_inputs())
    assert tuple(out.shape) == get_expected_output_shape()[0]
    print(f"took {time.time() - start:.2f}")
    print("PASS")
    return True


if __name__ == "__main__":
    import sys

    sys.exit(0 if run_tests() else 1)
