"""Convolutions of 3x3 with ReLU, then a pooling by two: one stage of VGG."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, width=3, channels=64, depth=2):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(width if index == 0 else channels, channels, 3, padding=1) for index in range(depth)])
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2, 2)

    def forward(self, x):
        for conv in self.convs:
            x = self.relu(conv(x))
        return self.pool(x)


def get_inputs():
    return [torch.rand(10, 3, 224, 224)]


def get_init_inputs():
    return [3, 64, 2]
