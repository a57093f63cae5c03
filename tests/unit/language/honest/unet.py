#!/usr/bin/env python3
# -*- coding: utf-8 -*-
import math
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import torch
import torch.nn as nn
import torch.nn.functional as F

__version__ = "0.1"
EPS = 1e-5
BETAS = [0.1, 0.2]


def default(val, d):
    return val if val is not None else (d() if callable(d) else d)


class Sinusoidal(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, time):
        half = self.dim // 2
        emb = math.log(10000) / (half - 1)
        emb = torch.exp(torch.arange(half, device=time.device) * -emb)
        emb = time[:, None] * emb[None, :]
        return torch.cat([emb.sin(), emb.cos()], dim=-1)


class Block(nn.Module):
    def __init__(self, cin, cout, up=False, *, groups=4, act=lambda: nn.SiLU()):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, padding=1)
        self.norm = nn.GroupNorm(groups, cout, eps=EPS)
        self.resample = nn.Upsample(scale_factor=2) if up else nn.Identity()
        self.act = act()
        self.scale = nn.Parameter(torch.tensor(1.0), requires_grad=True)
        self.f_out = cout

    def forward(self, x, skip=None):
        if skip is not None:
            diff_y = skip.size()[2] - x.size()[2]
            x = F.pad(x, [0, 0, diff_y // 2, diff_y - diff_y // 2])
            x = torch.cat((x, skip), dim=1)
        return self.resample(self.act(self.norm(self.conv(x)))) * self.scale


class Model(nn.Module):
    def __init__(self, channels=(4, 8, 8), num_classes: int = 2, **kwargs):
        super().__init__()
        self.down = nn.ModuleList(Block(a, b) for a, b in zip(channels[:-1], channels[1:]))
        self.ups = nn.ModuleDict({"0": Block(16, 8), "last": Block(16, 4)})
        self.time = nn.Sequential(Sinusoidal(8), nn.Linear(8, 8), nn.GELU())
        self.final = nn.Conv2d(4, num_classes, 1)
        self.dropout_p = kwargs.pop("dropout", 0.0)
        self.names = [n for n, _ in self.named_children()]

    def forward(self, x: "torch.Tensor", t) -> "torch.Tensor":
        skips: list[torch.Tensor] = []
        emb = self.time(t)
        for i, block in enumerate(self.down):
            x = block(x)
            if x.shape[1] == emb.shape[1]:
                x = x + emb[..., None, None]
            skips.append(x)
        x = self.ups["0"](x, skips.pop())
        x = self.ups["last"](x, skips[-1]) if len(skips) else x
        x = F.dropout(x, p=self.dropout_p, training=self.training)
        assert x.dim() == 4, f"expected 4 dimensions, got {x.dim()} ({x.shape})"
        while x.size(1) > 4:
            x = x[:, :4]
        return self.final(x)


def get_inputs():
    """Batch of 2."""
    return [torch.randn(2, 4, 8, 8), torch.rand(2)]


def get_init_inputs():
    return [(4, 8, 8), 2]


def count_parameters(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def run_tests():
    torch.manual_seed(42)
    model = Model(*get_init_inputs())
    model.train()
    print("parameters: %d" % count_parameters(model))
    print("device:", torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu")
    y = model(*get_inputs())
    y.sum().backward()
    print(y.data.cpu().numpy().shape)
    return True


if __name__ == "__main__":
    ok = run_tests()
    print("PASS" if ok else "FAIL")
