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
COMPARED = "gt lt ge le eq ne".split()
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


def group_norm(args: Any, kwargs: Dict[str, Any]) -> Any:
    x, batch, groups = args[0], args[3], args[6]
    if kwargs or not is_plain(x) or x.dtype not in (torch.float32, torch.float64) or 0 in x.shape or not alike(x, args[1:3]):
        return None
    return made(x.shape, x), made((batch, groups), x), made((batch, groups), x)


def batch_norm(args: Any, kwargs: Dict[str, Any]) -> Any:
    """In eval mode."""
    x, training = args[0], args[5]
    if kwargs or training or not is_plain(x) or x.dim() < 2 or x.dtype not in (torch.float32, torch.float64) or not alike(x, args[1:5]):
        return None
    if any(p is not None and tuple(p.shape) != (x.shape[1],) for p in args[1:5]) or args[3] is None or args[4] is None:
        return None
    return made(x.shape, x), made((x.shape[1],), x), made((x.shape[1],), x)


def alike(x: torch.Tensor, others: Sequence[Any]) -> bool:
    """Are they tensors of x's dtype, or None?"""
    return all(other is None or isinstance(other, torch.Tensor) and other.dtype == x.dtype for other in others)


def safe_softmax(args: Any, kwargs: Dict[str, Any]) -> Any:
    x = args[0]
    return made(x.shape, x) if is_plain(x) and x.dim() > 0 and len(args) == 2 and not kwargs else None


def reduced(args: Any, kwargs: Dict[str, Any]) -> Any:
    x, dims = args[:2]
    if not is_plain(x) or kwargs or not isinstance(dims, (list, tuple)) or not dims or x.dim() == 0 or 0 in x.shape:
        return None
    gone = {dim % x.dim() for dim in dims}
    if len(gone) < len(dims) or any(not -x.dim() <= dim < x.dim() for dim in dims):
        return None
    kept = len(args) > 2 and args[2]
    return made([1 if i in gone else size for i, size in enumerate(x.shape) if kept or i not in gone], x)


def cat(args: Any, kwargs: Dict[str, Any]) -> Any:
    tensors, dim = args[0], args[1] if len(args) > 1 else 0
    first = tensors[0]
    if kwargs or not all(map(is_plain, tensors)) or not -first.dim() <= dim < first.dim() or 0 in first.shape:
        return None
    dim %= first.dim()
    if any(one.dtype != first.dtype or one.dim() != first.dim() or one.shape[:dim] != first.shape[:dim]
           or one.shape[dim + 1:] != first.shape[dim + 1:] for one in tensors):
        return None
    return made((*first.shape[:dim], sum(one.shape[dim] for one in tensors), *first.shape[dim + 1:]), first)


def compared(args: Any, kwargs: Dict[str, Any]) -> Any:
    found = with_number(args, kwargs)
    return None if found is None else torch.empty(found.shape, dtype=torch.bool, device=META)


def where(args: Any, kwargs: Dict[str, Any]) -> Any:
    condition, x, y = args
    if not is_plain(x) or not is_plain(y) or x.dtype != y.dtype or condition.dtype != torch.bool:
        return None
    if condition.stride() != usual_strides(condition.shape):
        return None
    large = x if is_broadcast(y.shape, x.shape) else y
    if not all(0 < one.dim() and is_broadcast(one.shape, large.shape) for one in args):
        return None
    return made(large.shape, large)


def embedding(args: Any, kwargs: Dict[str, Any]) -> Any:
    table, index = args[:2]
    if not is_plain(table) or table.dim() != 2 or index.dtype != torch.int64 or index.dim() == 0:
        return None
    return made((*index.shape, table.shape[1]), table)


def convolution(args: Any, kwargs: Dict[str, Any]) -> Any:
    x, weight, bias, stride, padding, dilation, transposed, _, groups = args
    count = x.dim() - 2
    if kwargs or transposed or count not in (1, 2, 3) or weight.dim() != x.dim() or not alike(x, (weight, bias)):
        return None
    if not one_format(x) or not is_plain(weight) or 0 in x.shape or 0 in weight.shape or x.shape[1] != weight.shape[1] * groups:
        return None
    if weight.shape[0] % groups or bias is not None and tuple(bias.shape) != (weight.shape[0],):
        return None
    shape = windows(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    return made((x.shape[0], weight.shape[0], *shape), x) if shape is not None else None


def max_pool2d(args: Any, kwargs: Dict[str, Any]) -> Any:
    x, kernel = args[:2]
    stride, padding, dilation, ceil = (list(args[2:]) + [[], [0, 0], [1, 1], False][len(args) - 2:])
    if kwargs or ceil or x.dim() != 4 or not one_format(x) or 0 in x.shape or len(kernel) != 2:
        return None
    if len(padding) != 2 or any(2 * pad > size for pad, size in zip(padding, kernel)):
        return None
    shape = windows(x.shape[2:], kernel, stride or kernel, padding, dilation)
    if shape is None:
        return None
    given = made((*x.shape[:2], *shape), x)
    return given, torch.empty(given.shape, dtype=torch.int64, device=META)


def one_format(x: torch.Tensor) -> bool:
    """Contiguous, and not channels_last as well, which a tensor of one channel is."""
    if not is_plain(x) or x.dim() < 4:
        return is_plain(x)
    return not x.is_contiguous(memory_format=torch.channels_last if x.dim() == 4 else torch.channels_last_3d)


def windows(sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int],
            dilation: Sequence[int]) -> Optional[Tuple[int, ...]]:
    """How many places a window has along each dimension; None if there is none, or something isn't said of each dimension."""
    if not len(sizes) == len(kernel) == len(stride) == len(padding) == len(dilation) or min(stride) < 1 or min(dilation) < 1:
        return None
    if min(padding) < 0:
        return None
    rows = zip(sizes, kernel, stride, padding, dilation)
    shape = tuple((size + 2 * pad - spread * (width - 1) - 1) // step + 1 for size, width, step, pad, spread in rows)
    return shape if min(shape) > 0 else None


def written(args: Any, kwargs: Dict[str, Any]) -> Any:
    """What says where to write, or what, must spread over the first argument: without data torch 1.13 doesn't ask."""
    x, other = args[:2]
    if not is_broadcast(other.shape, x.shape):
        raise RuntimeError("a tensor of shape %s does not spread over one of shape %s" % (list(other.shape), list(x.shape)))
    return None


RULES: Dict[str, Rule] = {"aten::mm": mm, "aten::bmm": bmm, "aten::addmm": addmm, "aten::native_layer_norm": layer_norm,
                          "aten::native_group_norm": group_norm, "aten::native_batch_norm": batch_norm, "aten::cat": cat,
                          "aten::_safe_softmax": safe_softmax, "aten::mean.dim": reduced, "aten::sum.dim_IntList": reduced,
                          "aten::where.self": where, "aten::embedding": embedding, "aten::convolution": convolution,
                          "aten::max_pool2d_with_indices": max_pool2d}
RULES.update({"aten::%s.%s" % (name, kind): compared for name in COMPARED for kind in ("Scalar", "Tensor")})
RULES.update({"aten::" + name: same for name in SAME})
RULES.update({"aten::" + name: with_number for name in SAME_WITH_NUMBER})
RULES.update({"aten::" + name: in_place for name in SAME_IN_PLACE})
RULES.update({"aten::" + name: written for name in WRITTEN})


def find(name: str) -> Optional[Rule]:
    """`name` as in a recording: "aten::add.Tensor"."""
    return RULES.get(name)
