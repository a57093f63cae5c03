import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.LayerNorm(8)
        self.middle = nn.Linear(8, 8)
        self.second = nn.LayerNorm(8)

    def forward(self, x):
        return self.second(self.middle(self.first(x)))


def get_inputs():
    return [torch.randn(3, 8)]
