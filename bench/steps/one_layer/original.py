"""A step as small as they come: what remains is the cost of starting."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 64)
        self.norm = nn.LayerNorm(64)

    def forward(self, x):
        return x + self.linear(self.norm(x))


def get_inputs():
    return [torch.randn(8, 64)]
