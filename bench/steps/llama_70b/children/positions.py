import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, tokens):
        length, size = tokens.shape[1], 128
        steps = 1.0 / (500000.0 ** (torch.arange(0, size, 2).float() / size))
        angles = torch.outer(torch.arange(length).float(), steps)
        angles = torch.cat((angles, angles), dim=-1)
        mask = torch.full((length, length), float("-inf"), dtype=torch.bfloat16).triu(1)
        return angles.cos().to(torch.bfloat16), angles.sin().to(torch.bfloat16), mask


def get_inputs():
    return [torch.randint(0, 128256, (1, 512))]
