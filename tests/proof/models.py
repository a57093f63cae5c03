"""Random models as data: a graph of small nodes, and a module that runs it with real torch calls. Works under every torch
from 1.13.

Each node is a module of its own whose path ends in `n<number>`, so a trace tells which node made a call. A node says what
it computes (`op`, `inputs`, `attrs`, `params`) and, apart from that, how it is spelled."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HAS_SDPA = hasattr(F, "scaled_dot_product_attention")


@dataclass
class Node:
    op: str
    inputs: List[int]
    attrs: Dict[str, Any] = field(default_factory=dict)
    params: Dict[str, str] = field(default_factory=dict)  # role -> slot
    # how it is spelled
    how: int = 0  # which of the spellings of the operator
    inplace: bool = False
    swap: bool = False  # operands that commute
    negative: bool = False  # dims counted from the end
    integer: bool = False  # 2 for 2.0
    buffer: bool = False  # what is known at construction is kept in a buffer
    after: Tuple[str, ...] = ()  # contiguous, clone, dropout on the result

    def copy(self) -> "Node":
        return Node(self.op, list(self.inputs), dict(self.attrs), dict(self.params), self.how, self.inplace, self.swap,
                    self.negative, self.integer, self.buffer, self.after)


@dataclass
class Slot:
    """A parameter or buffer; its name is its key in the original."""
    shape: Tuple[int, ...]
    kind: str = "parameter"
    initial: float = 0.0
    keys: List[str] = field(default_factory=list)  # all, ties too

    def copy(self) -> "Slot":
        return Slot(self.shape, self.kind, self.initial, list(self.keys))


@dataclass
class Program:
    nodes: Dict[int, Node]  # in the order of execution
    slots: Dict[str, Slot]
    inputs: List[int]
    outputs: List[int]
    form: str = "tensor"  # tensor, tuple, dict
    input_shapes: List[Tuple[int, ...]] = field(default_factory=list)
    tokens: int = 0  # size of the vocabulary; 0: inputs are floats
    folders: Dict[int, str] = field(default_factory=dict)  # node -> path of what its module is nested in
    library: Dict[str, Tuple[str, Dict[str, Any]]] = field(default_factory=dict)  # path -> class of torch.nn, arguments

    def copy(self) -> "Program":
        return Program({number: node.copy() for number, node in self.nodes.items()},
                       {name: slot.copy() for name, slot in self.slots.items()}, list(self.inputs), list(self.outputs),
                       self.form, self.input_shapes, self.tokens, dict(self.folders), dict(self.library))

    def path(self, number: int) -> str:
        folder = self.folders.get(number, "")
        return "%s.n%d" % (folder, number) if folder else "n%d" % number

    def users(self, number: int) -> List[int]:
        """Once for each use."""
        return [user for user, node in self.nodes.items() for used in node.inputs if used == number]

    def upstream(self, numbers: Sequence[int]) -> Set[int]:
        found: Set[int] = set()
        waiting = list(numbers)
        while waiting:
            number = waiting.pop()
            if number in found or number not in self.nodes:
                continue
            found.add(number)
            waiting.extend(self.nodes[number].inputs)
        return found

    def prune(self) -> None:
        """Drops what reaches no output."""
        needed = self.upstream(self.outputs) | set(self.inputs)
        self.nodes = {number: node for number, node in self.nodes.items() if number in needed}
        used = {slot for node in self.nodes.values() for slot in node.params.values()}
        self.slots = {name: slot for name, slot in self.slots.items() if name in used}
        for slot in self.slots.values():
            slot.keys = [key for key in slot.keys if int(key.split(".")[0][1:]) in needed]

    def fresh_number(self) -> int:
        return max(self.nodes) + 1

    def sort(self, choose: Callable[[List[int]], int] = min) -> None:
        """Another topological order; `choose` picks among the nodes that are ready."""
        done: Dict[int, Node] = {}
        waiting = dict(self.nodes)
        while waiting:
            ready = [n for n, node in waiting.items() if all(i in done for i in node.inputs)]
            if not ready:
                raise ValueError("a cycle")
            number = choose(ready)
            done[number] = waiting.pop(number)
        self.nodes = done


# ---- The operators: lists of spellings that are the same computation ----------------------------------------------

Spelling = Callable[..., Any]


def d(m: "Step", x: Tensor, dim: int) -> int:
    return dim - x.dim() if m.node.negative else dim


def c(m: "Step", name: str = "c") -> Any:
    value = m.node.attrs[name]
    return int(value) if m.node.integer and float(value).is_integer() else value


def dims(m: "Step", x: Tensor) -> Tuple[int, ...]:
    return tuple(d(m, x, dim) for dim in m.node.attrs["dims"])


def weight(m: "Step") -> Tensor:
    w = m.get("weight")
    return w.t() if m.node.attrs.get("transposed") else w


def rms(m: "Step", x: Tensor, square: Tensor) -> Tensor:
    normed = x * torch.rsqrt(square.mean(-1, keepdim=True) + m.node.attrs["eps"])
    return m.get("weight") * normed if m.node.swap else normed * m.get("weight")


def heads_shape(m: "Step", x: Tensor) -> Tuple[int, ...]:
    count = m.node.attrs["heads"]
    return (x.shape[0], x.shape[1], count, x.shape[2] // count)


def view(x: Tensor, shape: Sequence[int]) -> Tensor:
    return x.view(*shape) if x.is_contiguous() else x.reshape(*shape)


def heads(m: "Step", x: Tensor, turn: Spelling) -> Tensor:
    shape = heads_shape(m, x)
    if m.node.attrs.get("inner"):  # the mutation that mixes up the two
        return turn(x.reshape(shape[0], shape[1], shape[3], shape[2]).transpose(2, 3))
    return turn(view(x, shape) if m.node.how % 2 else x.reshape(shape))


def part(m: "Step") -> Tuple[int, int, int]:
    return m.node.attrs["dim"], m.node.attrs["start"], m.node.attrs["stop"]


def index(dim: int, start: int, stop: int, whole: int, negative: bool) -> Tuple[Any, ...]:
    if negative and stop < whole:
        stop -= whole
    one = slice(start or None, None if stop == whole else stop)
    return (slice(None),) * dim + (one,)


def sliced(m: "Step", x: Tensor) -> Tensor:
    dim, start, stop = part(m)
    return x[index(dim, start, stop, x.shape[dim], m.node.negative)]


def narrowed(m: "Step", x: Tensor) -> Tensor:
    dim, start, stop = part(m)
    return x.narrow(d(m, x, dim), start, stop - start)


def chunked(m: "Step", x: Tensor) -> Tensor:
    dim, start, stop = part(m)
    size = stop - start
    if x.shape[dim] % size or start % size:
        return narrowed(m, x)
    return x.chunk(x.shape[dim] // size, d(m, x, dim))[start // size]


def split(m: "Step", x: Tensor) -> Tensor:
    dim, start, stop = part(m)
    sizes = [start, stop - start, x.shape[dim] - stop]
    return torch.split(x, sizes, dim=d(m, x, dim))[1]


def cat_order(m: "Step", x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor]:
    return (y, x) if m.node.attrs.get("reversed") else (x, y)


def assemble(m: "Step", x: Tensor, y: Tensor) -> Tensor:
    """Both written into a tensor of zeros."""
    dim, x, y = m.node.attrs["dim"], *cat_order(m, x, y)
    first, whole = x.shape[dim], x.shape[dim] + y.shape[dim]
    out = torch.zeros(x.shape[:dim] + (whole,) + x.shape[dim + 1:], dtype=x.dtype)
    if m.node.how % 2:
        out.narrow(dim, 0, first).copy_(x)
    else:
        out[index(dim, 0, first, whole, m.node.negative)] = x
    if not m.node.attrs.get("half_written"):
        out[index(dim, first, whole, whole, False)] = y
    return out


def known_mask(m: "Step", size: int) -> Tensor:
    """True where a score is taken out."""
    diagonal, how = m.node.attrs["diagonal"], m.node.how % 3
    if how == 0:
        return ~torch.tril(torch.ones(size, size, dtype=torch.bool), diagonal)
    if how == 1:
        return torch.ones(size, size).triu(diagonal + 1).bool()
    return torch.ones(size, size).tril(diagonal=diagonal) == 0


def blocked(m: "Step", size: int) -> Tensor:
    return m.get("known") if m.node.buffer else known_mask(m, size)


def mask_fill(m: "Step", x: Tensor) -> Tensor:
    return x.masked_fill(blocked(m, x.shape[-1]), m.node.attrs["fill"])


def mask_where(m: "Step", x: Tensor) -> Tensor:
    return torch.where(blocked(m, x.shape[-1]), torch.full_like(x, m.node.attrs["fill"]), x)


def known_positions(m: "Step", size: int) -> Tensor:
    steps = torch.arange(size, dtype=m.dtype)
    return torch.sin(steps[:, None] * m.node.attrs["c"]) if m.node.how % 2 else torch.sin(steps.unsqueeze(1) * m.node.attrs["c"])


def positions(m: "Step", x: Tensor) -> Tensor:
    table = m.get("known") if m.node.buffer else known_positions(m, x.shape[1])
    return table + x if m.node.swap else x + table


def loop(m: "Step", x: Tensor) -> Tensor:
    steps = range(x.shape[1])
    state = torch.zeros(x.shape[0], x.shape[2], dtype=x.dtype)
    found = []
    for t in (reversed(steps) if m.node.attrs.get("backward") else steps):
        now = x[:, t] if m.node.how % 2 == 0 else x.select(1, t)
        state = torch.tanh(F.linear(now, m.get("weight"), m.get("bias")) + F.linear(state, m.get("recurrent")))
        found.append(state)
    return torch.stack(found, dim=1)


def two(swapped: bool, function: Spelling) -> Spelling:
    return lambda m, x, y: function(m, y, x) if m.node.swap and swapped else function(m, x, y)


def reductions(name: str) -> List[Spelling]:
    return [lambda m, x: getattr(x, name)(d(m, x, m.node.attrs["dim"]), m.node.attrs["keep"]),
            lambda m, x: getattr(torch, name)(x, dim=d(m, x, m.node.attrs["dim"]), keepdim=m.node.attrs["keep"])]


def linear_mm(m: "Step", a: Tensor, b: Tensor) -> Tuple[Tensor, Tensor]:
    if not m.node.attrs.get("transpose"):
        return a, b
    turned = (b.transpose(-2, -1), b.swapaxes(-1, -2), b.permute(*range(b.dim() - 2), b.dim() - 1, b.dim() - 2), b.mT)
    return a, turned[m.node.how % 4]


def pool(x: Tensor, m: "Step") -> int:
    return int(m.node.attrs["size"])


def attention(m: "Step", q: Tensor, k: Tensor, v: Tensor, **more: Any) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=m.node.attrs["causal"], **more)


def gn(m: "Step") -> Tuple[Any, ...]:
    return m.node.attrs["groups"], m.get("weight"), m.get("bias"), m.node.attrs["eps"]


def shape_of(m: "Step") -> Tuple[int, ...]:
    return tuple(m.node.attrs["shape"])


OPS: Dict[str, List[Spelling]] = {
    "identity": [lambda m, x: x],
    "linear": [lambda m, x: F.linear(x, weight(m), m.get("bias")),
               lambda m, x: F.linear(x, weight=weight(m), bias=m.get("bias")),
               lambda m, x: torch._C._nn.linear(x, weight(m), m.get("bias"))],
    "embedding": [lambda m, x: F.embedding(x, m.get("weight")), lambda m, x: torch.embedding(m.get("weight"), x)],
    "layer_norm": [lambda m, x: F.layer_norm(x, (x.shape[-1],), m.get("weight"), m.get("bias"), m.node.attrs["eps"]),
                   lambda m, x: torch.layer_norm(x, x.shape[-1:], m.get("weight"), m.get("bias"), m.node.attrs["eps"]),
                   lambda m, x: F.layer_norm(x, [x.size(-1)], weight=m.get("weight"), bias=m.get("bias"), eps=m.node.attrs["eps"])],
    "rms_norm": [lambda m, x: rms(m, x, x.pow(2)), lambda m, x: rms(m, x, x ** 2), lambda m, x: rms(m, x, torch.pow(x, 2.0))],
    "gelu": [lambda m, x: F.gelu(x, approximate=m.node.attrs["approximate"]),
             lambda m, x: torch._C._nn.gelu(x, approximate=m.node.attrs["approximate"]), lambda m, x: m.helper(x)],
    "relu": [lambda m, x: F.relu(x), lambda m, x: torch.relu(x), lambda m, x: x.relu(), lambda m, x: m.helper(x)],
    "silu": [lambda m, x: F.silu(x), lambda m, x: torch._C._nn.silu(x), lambda m, x: m.helper(x)],
    "tanh": [lambda m, x: torch.tanh(x), lambda m, x: x.tanh(), lambda m, x: m.helper(x)],
    "sigmoid": [lambda m, x: torch.sigmoid(x), lambda m, x: x.sigmoid(), lambda m, x: m.helper(x)],
    "softmax": [lambda m, x: F.softmax(x, dim=d(m, x, m.node.attrs["dim"])), lambda m, x: x.softmax(d(m, x, m.node.attrs["dim"])),
                lambda m, x: torch.softmax(x, d(m, x, m.node.attrs["dim"])), lambda m, x: m.helper(x)],
    "add": [two(True, lambda m, x, y: x + y), two(True, lambda m, x, y: torch.add(x, y)), two(True, lambda m, x, y: x.add(y)),
            two(True, lambda m, x, y: torch.add(input=x, other=y))],
    "mul": [two(True, lambda m, x, y: x * y), two(True, lambda m, x, y: torch.mul(x, y)), two(True, lambda m, x, y: x.mul(y))],
    "sub": [lambda m, x, y: x - y, lambda m, x, y: torch.sub(x, y), lambda m, x, y: x.sub(y)],
    "scale": [lambda m, x: x * c(m), lambda m, x: c(m) * x, lambda m, x: torch.mul(x, c(m)), lambda m, x: x.mul(c(m))],
    "divide": [lambda m, x: x / c(m), lambda m, x: torch.div(x, c(m)), lambda m, x: x.div(c(m))],
    "shift": [lambda m, x: x + c(m), lambda m, x: torch.add(x, c(m)), lambda m, x: c(m) + x],
    "clamp": [lambda m, x: x.clamp(c(m, "low"), c(m, "high")), lambda m, x: torch.clamp(x, min=c(m, "low"), max=c(m, "high")),
              lambda m, x: x.clamp(max=c(m, "high"), min=c(m, "low"))],
    "gain": [two(True, lambda m, x, _: x * m.get("weight"))],
    "select": [lambda m, x, y: torch.where(x > c(m), x, y), lambda m, x, y: torch.where(x.gt(c(m)), x, y),
               lambda m, x, y: x.where(x > c(m), y)],
    "heads": [lambda m, x: heads(m, x, lambda t: t.transpose(1, 2)), lambda m, x: heads(m, x, lambda t: t.permute(0, 2, 1, 3)),
              lambda m, x: heads(m, x, lambda t: torch.swapaxes(t, 1, 2)), lambda m, x: heads(m, x, lambda t: torch.transpose(t, -3, -2))],
    "merge": [lambda m, x: x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1),
              lambda m, x: x.transpose(1, 2).contiguous().view(x.shape[0], x.shape[2], -1),
              lambda m, x: x.permute(0, 2, 1, 3).flatten(2), lambda m, x: torch.flatten(x.transpose(1, 2), start_dim=-2)],
    "matmul": [lambda m, a, b: torch.matmul(*linear_mm(m, a, b)), lambda m, a, b: (lambda p: p[0] @ p[1])(linear_mm(m, a, b)),
               lambda m, a, b: (lambda p: p[0].matmul(p[1]))(linear_mm(m, a, b))] * 4,
    "mask_fill": [mask_fill] * 3,
    "mask_where": [mask_where] * 3,
    "positions": [positions] * 2,
    "table": [lambda m, x: m.get("weight") + x if m.node.swap else x + m.get("weight")],
    "sdpa": [lambda m, q, k, v: attention(m, q, k, v), lambda m, q, k, v: attention(m, q, k, v, dropout_p=0.0, attn_mask=None)],
    "conv2d": [lambda m, x: F.conv2d(x, m.get("weight"), m.get("bias"), m.node.attrs["stride"], m.node.attrs["padding"]),
               lambda m, x: F.conv2d(x, m.get("weight"), bias=m.get("bias"), stride=(m.node.attrs["stride"],) * 2,
                                     padding=(m.node.attrs["padding"],) * 2),
               lambda m, x: torch.conv2d(x, m.get("weight"), m.get("bias"), stride=m.node.attrs["stride"], padding=m.node.attrs["padding"])],
    "batch_norm": [lambda m, x: F.batch_norm(x, m.get("mean"), m.get("var"), m.get("weight"), m.get("bias"), False, 0.1, m.node.attrs["eps"]),
                   lambda m, x: F.batch_norm(x, running_mean=m.get("mean"), running_var=m.get("var"), weight=m.get("weight"),
                                             bias=m.get("bias"), training=False, eps=m.node.attrs["eps"])],
    "group_norm": [lambda m, x: F.group_norm(x, *gn(m)), lambda m, x: torch.group_norm(x, *gn(m))],
    "max_pool": [lambda m, x: F.max_pool2d(x, pool(x, m)), lambda m, x: torch.max_pool2d(x, (pool(x, m),) * 2), lambda m, x: m.helper(x)],
    "avg_pool": [lambda m, x: F.avg_pool2d(x, pool(x, m)), lambda m, x: torch._C._nn.avg_pool2d(x, (pool(x, m),) * 2),
                 lambda m, x: m.helper(x)],
    "part": [sliced, narrowed, chunked, split],
    "cat": [lambda m, x, y: torch.cat(cat_order(m, x, y), d(m, x, m.node.attrs["dim"])),
            lambda m, x, y: torch.cat(list(cat_order(m, x, y)), dim=d(m, x, m.node.attrs["dim"])),
            lambda m, x, y: torch.concat(cat_order(m, x, y), dim=d(m, x, m.node.attrs["dim"]))],
    "assemble": [assemble] * 2,
    "permute": [lambda m, x: x.permute(*dims(m, x)), lambda m, x: x.permute(dims(m, x)), lambda m, x: torch.permute(x, dims(m, x))],
    "reshape": [lambda m, x: x.reshape(shape_of(m)), lambda m, x: x.reshape(*shape_of(m)), lambda m, x: view(x, shape_of(m)),
                lambda m, x: torch.reshape(x, (shape_of(m)[:-1] + (-1,)))],
    "flatten": [lambda m, x: x.flatten(m.node.attrs["dim"]), lambda m, x: torch.flatten(x, start_dim=d(m, x, m.node.attrs["dim"])),
                lambda m, x: x.reshape(*x.shape[:m.node.attrs["dim"]], -1), lambda m, x: view(x, x.shape[:m.node.attrs["dim"]] + (-1,))],
    "unsqueeze": [lambda m, x: x.unsqueeze(1), lambda m, x: x[:, None], lambda m, x: torch.unsqueeze(x, dim=1)],
    "expand": [lambda m, x, y: x.expand_as(y), lambda m, x, y: x.expand(*y.shape), lambda m, x, y: torch.broadcast_to(x, y.shape),
               lambda m, x, y: x.expand(y.shape)],
    "cast": [lambda m, x: x.to(m.cast()), lambda m, x: x.to(dtype=m.cast()), lambda m, x: x.type(m.cast())],
    "cumsum": [lambda m, x: x.cumsum(d(m, x, m.node.attrs["dim"])), lambda m, x: torch.cumsum(x, dim=d(m, x, m.node.attrs["dim"]))],
    "mean": reductions("mean"),
    "sum": reductions("sum"),
    "amax": reductions("amax"),
    "einsum": [lambda m, x, y: torch.einsum(m.node.attrs["equation"], x, y),
               lambda m, x, y: torch.einsum(m.node.attrs["equation"].replace("->", " -> "), x, y)],
    "loop": [loop] * 2,
}
OPS["gain"] = [lambda m, x: m.get("weight") * x if m.node.swap else x * m.get("weight"),
               lambda m, x: torch.mul(m.get("weight"), x) if m.node.swap else torch.mul(x, m.get("weight"))]


def added(x: Tensor, y: Any) -> Tensor:
    x += y
    return x


def multiplied(x: Tensor, y: Any) -> Tensor:
    x *= y
    return x


INPLACE: Dict[str, List[Spelling]] = {
    "relu": [lambda m, x: x.relu_(), lambda m, x: F.relu(x, inplace=True), lambda m, x: torch.relu_(x)],
    "silu": [lambda m, x: F.silu(x, inplace=True)],
    "tanh": [lambda m, x: x.tanh_()],
    "sigmoid": [lambda m, x: x.sigmoid_(), lambda m, x: torch.sigmoid_(x)],
    "add": [lambda m, x, y: x.add_(y), lambda m, x, y: added(x, y)],
    "mul": [lambda m, x, y: x.mul_(y), lambda m, x, y: multiplied(x, y)],
    "sub": [lambda m, x, y: x.sub_(y)],
    "scale": [lambda m, x: x.mul_(c(m)), lambda m, x: multiplied(x, c(m))],
    "shift": [lambda m, x: x.add_(c(m)), lambda m, x: added(x, c(m))],
    "divide": [lambda m, x: x.div_(c(m))],
    "clamp": [lambda m, x: x.clamp_(c(m, "low"), c(m, "high"))],
    "mask_fill": [lambda m, x: x.masked_fill_(blocked(m, x.shape[-1]), m.node.attrs["fill"])] * 3,
}
# What gives memory of its own, whatever the spelling.
FRESH = {"linear", "layer_norm", "rms_norm", "gelu", "relu", "silu", "tanh", "sigmoid", "softmax", "add", "mul", "sub", "scale", "divide",
         "shift", "gain", "matmul", "mask_fill", "conv2d", "batch_norm", "group_norm", "cat", "assemble", "cumsum", "positions", "table"}
HELPERS: Dict[str, Callable[[Dict[str, Any]], nn.Module]] = {
    "relu": lambda a: nn.ReLU(), "gelu": lambda a: nn.GELU(approximate=a["approximate"]), "silu": lambda a: nn.SiLU(),
    "tanh": lambda a: nn.Tanh(), "sigmoid": lambda a: nn.Sigmoid(), "softmax": lambda a: nn.Softmax(dim=a["dim"]),
    "max_pool": lambda a: nn.MaxPool2d(a["size"]), "avg_pool": lambda a: nn.AvgPool2d(a["size"]),
}
COMMUTATIVE = {"add", "mul", "gain", "positions", "table", "rms_norm"}
KNOWN = {"mask_fill", "mask_where", "positions"}


class Step(nn.Module):
    """One node. Its parameters are held wherever their keys say, so it looks them up there."""

    def __init__(self, node: Node, dtype: torch.dtype, size: int) -> None:
        super().__init__()
        spellings = (INPLACE if node.inplace else OPS)[node.op]
        plain = self.__dict__
        plain["node"], plain["dtype"] = node, dtype
        plain["call"] = spellings[node.how % len(spellings)]
        plain["held"] = {}
        if not node.inplace and node.op in HELPERS and node.how % len(spellings) == len(spellings) - 1:
            self.helper = HELPERS[node.op](node.attrs)
        if node.buffer:
            known = known_positions(self, size) if node.op == "positions" else known_mask(self, size)
            # A persistent floating table is state: what a candidate fills it with is overwritten.
            self.register_buffer("known", known, persistent=node.how % 2 == 0 and not known.is_floating_point())
            plain["held"]["known"] = (self, "known")
        if "dropout" in node.after:
            self.drop = nn.Dropout(0.3)

    def get(self, role: str) -> Optional[Tensor]:
        held = self.held.get(role)
        return None if held is None else getattr(*held)

    def cast(self) -> torch.dtype:
        name = self.node.attrs["dtype"]
        return self.dtype if name == "back" else getattr(torch, name)

    def forward(self, *inputs: Tensor) -> Tensor:
        value = self.call(self, *inputs)
        for name in self.node.after:
            value = value.contiguous() if name == "contiguous" else value.clone() if name == "clone" else self.drop(value)
        return value


class Library(Step):
    """A node that is a module of torch.nn with the node's parameters in it."""

    def __init__(self, node: Node, dtype: torch.dtype, inner: nn.Module) -> None:
        plain = Node("identity", node.inputs, after=node.after)
        super().__init__(plain, dtype, 0)
        self.inner = inner

    def forward(self, *inputs: Tensor) -> Tensor:
        return super().forward(self.inner(*inputs))


class Interpreted(nn.Module):
    def __init__(self, program: Program, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.__dict__["program"] = program
        steps: List[Tuple[int, Step, List[int]]] = []
        for number, node in program.nodes.items():
            if number in program.inputs:
                continue
            steps.append((number, self._step(program, number, node, dtype), node.inputs))
        self.__dict__["steps"] = steps
        self._register(program, dtype)
        self.eval()

    def _step(self, program: Program, number: int, node: Node, dtype: torch.dtype) -> Step:
        path = program.path(number)
        library = program.library.get(path)
        step: Step
        if library is not None:
            step = Library(node, dtype, getattr(nn, library[0])(**library[1], dtype=dtype))
        else:
            step = Step(node, dtype, program.input_shapes[0][1])
        folder, _, name = path.rpartition(".")
        self._folder(folder).add_module(name, step)
        return step

    def _folder(self, path: str) -> nn.Module:
        module: nn.Module = self
        for name in filter(None, path.split(".")):
            child = module._modules.get(name)
            if child is None:
                child = nn.Module()
                module.add_module(name, child)
            module = child
        return module

    def _register(self, program: Program, dtype: torch.dtype) -> None:
        owners: Dict[str, Tuple[nn.Module, str]] = {}
        for slot_name, slot in program.slots.items():
            value = initial_value(slot_name, slot, dtype)
            held: Any = nn.Parameter(value) if slot.kind == "parameter" else value
            for key in slot.keys:
                folder, _, name = key.rpartition(".")
                owner = self._folder(folder)
                if slot.kind == "parameter":
                    owner.register_parameter(name, held)
                elif name in owner._buffers:
                    owner._buffers[name] = held
                else:
                    owner.register_buffer(name, held)
                owners.setdefault(slot_name, (owner, name))
        for number, step, _ in self.steps:
            for role, slot_name in program.nodes[number].params.items():
                step.held[role] = owners[slot_name]

    def forward(self, *inputs: Tensor) -> Any:
        values: Dict[int, Tensor] = dict(zip(self.program.inputs, inputs))
        for number, step, used in self.steps:
            values[number] = step(*[values[i] for i in used])
        outputs = [values[number] for number in self.program.outputs]
        if self.program.form == "tensor":
            return outputs[0]
        return tuple(outputs) if self.program.form == "tuple" else {"out%d" % i: value for i, value in enumerate(outputs)}


def initial_value(name: str, slot: Slot, dtype: torch.dtype) -> Tensor:
    """Buffers differ from each other: the recording tells what they hold."""
    if slot.kind == "buffer":
        count = 1
        for size in slot.shape:
            count *= size
        first = 0.1 + zlib.crc32(name.encode()) % 9973 / 9973
        return (torch.arange(count, dtype=dtype) * 0.01 + first).reshape(slot.shape)
    return torch.full(slot.shape, slot.initial, dtype=dtype) if slot.initial else torch.zeros(slot.shape, dtype=dtype)


# ---- Numbers to try a program with ---------------------------------------------------------------------------------

def random_inputs(program: Program, dtype: torch.dtype, seed: int = 7) -> List[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    if program.tokens:
        return [torch.randint(0, program.tokens, shape, generator=generator) for shape in program.input_shapes]
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in program.input_shapes]


def fill(model: Interpreted) -> None:
    """Values for all state that are no initial values, the same for equal slots of any program."""
    state = dict(model.named_parameters(remove_duplicate=False)) if HAS_SDPA else parameters_of(model)
    state.update(model.named_buffers())
    for name, slot in model.program.slots.items():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        value = torch.randn(slot.shape, generator=generator, dtype=torch.float64) * 0.5 + slot.initial
        state[slot.keys[0]].data.copy_(value.abs() + 0.1 if name.endswith("var") else value)


def parameters_of(model: nn.Module) -> Dict[str, Tensor]:
    return {(path + "." if path else "") + name: value for path, module in model.named_modules()
            for name, value in module._parameters.items() if value is not None}


def run(program: Program, dtype: torch.dtype = torch.float64) -> Tuple[List[Tensor], List[Tensor]]:
    """The outputs with random weights, and the inputs as forward left them."""
    model = Interpreted(program, dtype)
    with torch.no_grad():
        fill(model)
        inputs = random_inputs(program, dtype)
        outputs = model(*inputs)
    found = [outputs] if isinstance(outputs, Tensor) else list(outputs.values() if isinstance(outputs, dict) else outputs)
    return found, inputs


def keys_of(program: Program) -> Dict[str, str]:
    """Slot -> first key, in the order in which a model names its state."""
    return {name: slot.keys[0] for name, slot in program.slots.items()}
