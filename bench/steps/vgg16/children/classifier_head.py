"""The three Linear layers of VGG."""
import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.fc1 = nn.Linear(512 * 7 * 7, 4096)
        self.fc2 = nn.Linear(4096, 4096)
        self.fc3 = nn.Linear(4096, classes)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.fc3(self.relu(self.fc2(self.relu(self.fc1(x)))))


def get_inputs():
    return [torch.rand(10, 512 * 7 * 7)]


def get_init_inputs():
    return [1000]
