"""What the commonest operators give for tensors without data. Torch's own kernels for them are Python that takes up to a
millisecond a call; these take microseconds, and leave to torch whatever isn't plain: other dtypes, strides, arguments."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Sequence, Tuple

import torch

Rule = Callable[[Any, Dict[str, Any]], Any]  # of args and kwargs; None: torch is to say
META = torch.device("meta")
SAME = """gelu relu silu tanh sigmoid rsqrt sqrt exp log neg abs sin cos erf mish hardswish hardsigmoid softplus leaky_relu elu
    _softmax _log_softmax""".split()
SAME_WITH_NUMBER = "pow.Tensor_Scalar add.Tensor sub.Tensor mul.Tensor div.Tensor mul.Scalar add.Scalar div.Scalar sub.Scalar rsub.Scalar clamp".split()
SAME_IN_PLACE = """relu_ sigmoid_ tanh_ silu_ gelu_ exp_ add_.Tensor sub_.Tensor mul_.Tensor div_.Tensor
    add_.Scalar sub_.Scalar mul_.Scalar div_.Scalar""".split()
WRITTEN = "masked_fill_.Scalar masked_fill_.Tensor masked_scatter_ copy_".split()


def made(shape: Sequence[int], like: torch.Tensor) -> torch.Tensor:
    return torch.empty(shape, dtype=like.dtype, device=META)


def is_plain(tensor: Any) -> bool:
    return (isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and tensor.is_contiguous()
            and (1 not in tensor.shape or tensor.stride() == usual_strides(tensor.shape)))


def usual_strides(shape: Sequence[int]) -> Tuple[int, ...]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def same(args: Any, kwargs: Dict[str, Any]) -> Any:
    """The shape, dtype and layout of the first argument."""
    if not is_plain(args[0]) or True in args[1:]:  # half_to_float
        return None
    return made(args[0].shape, args[0])


def with_number(args: Any, kwargs: Dict[str, Any]) -> Any:
    """A tensor and real numbers, or two tensors of one dtype."""
    x = args[0]
    if not is_plain(x):
        return None
    rest = [value for value in (*args[1:], *kwargs.values()) if type(value) not in (int, float, bool, type(None))]
    if not rest:
        return made(x.shape, x)
    y = rest[0]
    if len(rest) > 1 or not is_plain(y) or y.dtype != x.dtype or not 0 < min(x.dim(), y.dim()):
        return None
    if x.shape == y.shape or is_broadcast(y.shape, x.shape):
        return made(x.shape, x)
    return made(y.shape, y) if is_broadcast(x.shape, y.shape) else None


def in_place(args: Any, kwargs: Dict[str, Any]) -> Any:
    """The first argument: of one dtype with what it is given, and no element of it is written twice."""
    x = args[0]
    if not x.is_floating_point() or any(stride == 0 and size > 1 for size, stride in zip(x.shape, x.stride())):
        return None
    for value in (*args[1:], *kwargs.values()):
        if isinstance(value, torch.Tensor):
            if value.dtype != x.dtype or not is_broadcast(value.shape, x.shape):
                return None
        elif type(value) not in (int, float, bool, str):
            return None
    return x


def is_broadcast(small: Sequence[int], large: Sequence[int]) -> bool:
    """Are the small shape's sizes, from the right, the large one's or 1?"""
    if len(small) > len(large):
        return False
    tail = large[len(large) - len(small):]
    return all(a == b or a == 1 for a, b in zip(small, tail))


def fits(a: torch.Tensor, b: torch.Tensor, rank: int) -> bool:
    return (a.dim() == b.dim() == rank and a.dtype == b.dtype and a.is_floating_point() and a.shape[-1] == b.shape[-2]
            and (rank == 2 or a.shape[0] == b.shape[0]))


def mm(args: Any, kwargs: Dict[str, Any]) -> Any:
    a, b = args[:2]
    return made((a.shape[0], b.shape[1]), a) if fits(a, b, 2) and not kwargs else None


def bmm(args: Any, kwargs: Dict[str, Any]) -> Any:
    a, b = args[:2]
    return made((a.shape[0], a.shape[1], b.shape[2]), a) if fits(a, b, 3) and not kwargs else None


def addmm(args: Any, kwargs: Dict[str, Any]) -> Any:
    bias, a, b = args[:3]
    plain = fits(a, b, 2) and bias.dtype == a.dtype and bias.dim() == 1 and bias.shape[0] == b.shape[1]
    return made((a.shape[0], b.shape[1]), a) if plain and len(args) == 3 and not kwargs else None


def layer_norm(args: Any, kwargs: Dict[str, Any]) -> Any:
    x, shape, weight, bias = args[:4]
    count = len(shape)
    plain = is_plain(x) and x.dtype in (torch.float32, torch.float64) and list(x.shape[x.dim() - count:]) == list(shape)
    if not plain or any(p is not None and (list(p.shape) != list(shape) or p.dtype != x.dtype) for p in (weight, bias)):
        return None
    statistics = list(x.shape[:x.dim() - count]) + [1] * count
    return made(x.shape, x), made(statistics, x), made(statistics, x)


def written(args: Any, kwargs: Dict[str, Any]) -> Any:
    """What says where to write, or what, must spread over the first argument: without data torch 1.13 doesn't ask."""
    x, other = args[:2]
    if not is_broadcast(other.shape, x.shape):
        raise RuntimeError("a tensor of shape %s does not spread over one of shape %s" % (list(other.shape), list(x.shape)))
    return None


RULES: Dict[str, Rule] = {"aten::mm": mm, "aten::bmm": bmm, "aten::addmm": addmm, "aten::native_layer_norm": layer_norm}
RULES.update({"aten::" + name: same for name in SAME})
RULES.update({"aten::" + name: with_number for name in SAME_WITH_NUMBER})
RULES.update({"aten::" + name: in_place for name in SAME_IN_PLACE})
RULES.update({"aten::" + name: written for name in WRITTEN})


def find(name: str) -> Optional[Rule]:
    """`name` as in a recording: "aten::add.Tensor"."""
    return RULES.get(name)
