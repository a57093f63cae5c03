import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)

    def forward(self, x, *, mask=None, scale=1.0):
        x = self.a(x)
        if mask is not None:
            x = x.masked_fill(mask, 0.0)
        return self.b(x) * scale


def get_inputs():
    return [torch.randn(2, 4)]


def get_input_kwargs():
    return {"mask": torch.tensor([[True, False, True, False]]), "scale": 0.5}
