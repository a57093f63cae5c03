import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(8192, 128256, bias=False, dtype=torch.bfloat16)

    def forward(self, x):
        return self.out(x)


def get_inputs():
    return [torch.randn(1, 512, 8192).to(torch.bfloat16)]
