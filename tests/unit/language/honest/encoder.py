"""An encoder from an older code base."""
import copy
import itertools
from abc import ABC, abstractmethod
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
import operator
from functools import reduce

import torch as t
from torch import nn, Tensor
from torch.nn import functional as f
from torch.utils.checkpoint import checkpoint

__all__ = ["Model", "clones"]


def clones(module, n):
    "Produce n identical layers."
    return nn.ModuleList([copy.deepcopy(module) for _ in range(n)])


def swish(x: Tensor) -> Tensor:
    return x * t.sigmoid(x)


class Layer(nn.Module, ABC):
    @abstractmethod
    def mix(self, x):
        raise NotImplementedError(f"{type(self).__name__} mixes nothing")

    def forward(self, x):
        return x + self.mix(x)


class MeanLayer(Layer):
    def __init__(self, d):
        super().__init__()
        self.norm = nn.LayerNorm(d)
        self.fc = nn.Linear(d, d)
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / self.fc.weight.size(1) ** 0.5
        self.fc.weight.data.uniform_(-bound, bound)
        with t.no_grad():
            self.fc.bias.fill_(0)

    def mix(self, x):
        def scaled(y, factor=2.0):
            return y * factor

        pooled = scaled(self.norm(x)).mean(1, keepdim=True)
        return swish(self.fc(pooled)).expand_as(x)


@contextmanager
def quiet():
    yield


class Model(nn.Module):
    _keys_to_ignore = ["lm_head"]

    def __init__(self, d=16, n=3):
        super().__init__()
        self.cfg = SimpleNamespace(d=d, n=n)
        self.layers = clones(MeanLayer(d), n)
        self.gradient_checkpointing = False
        self._built = True
        w = t.empty(d, d)
        nn.init.orthogonal_(w)
        self.proj = nn.Parameter(w)
        self.bias = None
        total = reduce(operator.add, [p.numel() for p in self.parameters()], 0)
        self.total = total

    @property
    def size(self):
        return self.cfg.d

    @size.setter
    def size(self, value):
        self.cfg.d = value

    @staticmethod
    def flatten_pairs(pairs):
        return list(itertools.chain.from_iterable(pairs))

    @classmethod
    def small(cls):
        return cls(d=8, n=1)

    def __len__(self):
        return len(self.layers)

    def forward(self, x, *args, return_all: bool = False, **kwargs):
        states = []
        context = t.no_grad() if not self.training else nullcontext()
        with context, quiet():
            for i, layer in enumerate(self.layers):
                if self.gradient_checkpointing and self.training:
                    x = checkpoint(layer, x)
                else:
                    x = layer(x)
                states.append(x)
        dtype = next(self.parameters()).dtype
        device = next(iter(self.layers[0].parameters())).device
        x = f.linear(x.to(device=device, dtype=dtype), self.proj, self.bias)
        if (n := len(states)) > 1 and return_all:
            last, *others = reversed(states)
            return x, {"n": n, "states": others + [last]}
        mid = sorted(range(n), key=lambda i: -i)[0]
        return x, max(states, key=lambda s: s.shape[0]) if t.jit.is_scripting() else states[mid]


def get_inputs():
    return [t.randn(2, 5, 16)]
