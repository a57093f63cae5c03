from __future__ import annotations
import typing as tp
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
import numbers
import torch
from torch import Tensor
from torch.nn import Module, Linear, LayerNorm, ModuleList, Parameter, Dropout
from torch.nn.functional import gelu, scaled_dot_product_attention

T = tp.TypeVar("T")


def to_pair(x: T | tuple[T, T]) -> tuple[T, T]:
    return x if isinstance(x, tuple) else (x, x)


@dataclass(frozen=True)
class Config:
    image: int = 16
    patch: int | tuple[int, int] = 4
    width: int = 32
    layers: int = 2
    heads: int = 4
    act: Callable[..., Tensor] | None = None
    extra: dict[str, tp.Any] | None = None


@dataclass
class Output:
    last: Tensor
    pooled: Tensor | None = None
    hidden: tuple[Tensor, ...] = ()


class DropPath(Module):
    def __init__(self, p: float = 0.0):
        super().__init__()
        self.p = p

    def forward(self, x):
        if self.p == 0.0 or not self.training:
            return x
        keep = 1 - self.p
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        mask = x.new_empty(shape).bernoulli_(keep)
        return x.div(keep) * mask


class Block(Module):
    def __init__(self, cfg: Config, p: float):
        super().__init__()
        self.n1, self.n2 = LayerNorm(cfg.width), LayerNorm(cfg.width)
        self.qkv = Linear(cfg.width, cfg.width * 3)
        self.out, self.fc1, self.fc2 = (Linear(a, b) for a, b in ((cfg.width, cfg.width), (cfg.width, 64), (64, cfg.width)))
        self.drop = DropPath(p)
        self.heads = cfg.heads
        self.act = cfg.act or gelu

    def attend(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        return self.out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def forward(self, x):
        x = x + self.drop(self.attend(self.n1(x)))
        x = x + self.drop(self.fc2(self.act(self.fc1(self.n2(x)))))
        return x


class Model(Module):
    def __init__(self, cfg: Config | None = None, **overrides):
        super().__init__()
        cfg = replace(cfg or Config(), **overrides)
        self.cfg = cfg
        self.summary = {k: v for k, v in asdict(cfg).items() if isinstance(v, numbers.Number)}
        ph, pw = to_pair(cfg.patch)
        self.patch = Linear(3 * ph * pw, cfg.width)
        self.cls = Parameter(torch.zeros(1, 1, cfg.width))
        self.pos = Parameter(torch.empty(1, 1 + (cfg.image // ph) * (cfg.image // pw), cfg.width).normal_(std=0.02))
        rates = [r.item() for r in torch.linspace(0, 0.1, cfg.layers)]
        self.blocks = ModuleList([Block(cfg, rates[i]) for i in range(cfg.layers)])
        self.norm = LayerNorm(cfg.width)
        self.dropout = Dropout(0.0)
        self.pos.requires_grad = False
        del ph, pw

    def patches(self, x: Tensor, sizes: Sequence[int] = (4, 4)) -> Tensor:
        h, w = sizes
        return x.unfold(2, h, h).unfold(3, w, w).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)

    def forward(self, images: Tensor, output_hidden_states=False) -> Output:
        x = self.patch(self.patches(images, to_pair(self.cfg.patch)))
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos
        hidden = ()
        for block in self.blocks:
            if output_hidden_states:
                hidden += (x,)
            x = block(x)
        x = self.norm(x)
        out = Output(last=x)
        out.pooled = x[:, 0]
        match output_hidden_states:
            case True:
                out.hidden = hidden
            case _:
                pass
        if torch.is_tensor(out.pooled) and out.pooled.dtype in (torch.float16, torch.bfloat16):
            limit = torch.finfo(x.dtype).max
            out.pooled = out.pooled.clamp(-limit, limit)
        return out


def get_inputs():
    return [torch.rand(1, 3, 16, 16)]


def get_input_kwargs():
    return dict(output_hidden_states=True)
