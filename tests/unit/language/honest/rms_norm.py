import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "children"))

import torch
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super(RMSNorm, self).__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def _norm(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

    def forward(self, x):
        output = self._norm(x.float()).type_as(x)
        return output * self.weight

    def extra_repr(self):
        return f"{tuple(self.weight.shape)}, eps={self.eps}"


Model = RMSNorm


def get_inputs():
    return [torch.rand(2, 8, 32, dtype=torch.bfloat16)]


def get_init_inputs():
    return [32]


def get_input_kwargs():
    return {}


def main():
    torch.set_default_dtype(torch.float32)
    model = Model(*get_init_inputs())
    print(type(model), model(*get_inputs()).shape)


if __name__ == "__main__":
    main()
