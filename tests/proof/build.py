"""Draws random programs of 4 to 25 nodes, over sequences, images or tokens."""

from __future__ import annotations

import random
from typing import Any, Callable, List, Optional, Tuple

import torch

from models import HAS_SDPA, INPLACE, Node, Program, Slot, Step, random_inputs, run
from structure import may_be_inplace

ACTIVATIONS = ("gelu", "gelu", "relu", "silu", "tanh", "sigmoid")
WIDTHS = (4, 6, 8, 12)


class Builder:
    """Adds nodes, each of them run as it is added, so shapes are known."""

    def __init__(self, rng: random.Random, shapes: List[Tuple[int, ...]], tokens: int = 0) -> None:
        self.rng = rng
        self.program = Program({}, {}, [], [], input_shapes=shapes, tokens=tokens)
        self.values: List[torch.Tensor] = []
        for number, value in enumerate(random_inputs(self.program, torch.float32)):
            self.program.nodes[number] = Node("input", [])
            self.program.inputs.append(number)
            self.values.append(value)

    def shape(self, number: int) -> Tuple[int, ...]:
        return tuple(self.values[number].shape)

    def add(self, op: str, *inputs: int, params: Optional[dict] = None, **attrs: Any) -> int:
        number = len(self.values)
        node = Node(op, list(inputs), attrs, how=self.rng.randrange(12))
        node.negative, node.swap = self.rng.random() < 0.4, self.rng.random() < 0.4
        node.integer = self.rng.random() < 0.3
        node.buffer = op in ("mask_fill", "mask_where", "positions") and self.rng.random() < 0.5
        for role, slot in (params or {}).items():
            if isinstance(slot, str):
                name = slot
                self.program.slots[name].keys.append("n%d.%s" % (number, role))
            else:
                name = "n%d.%s" % (number, role)
                slot.keys = [name]
                self.program.slots[name] = slot
            node.params[role] = name
        self.program.nodes[number] = node
        self.values.append(self.execute(node))
        return number

    def execute(self, node: Node) -> torch.Tensor:
        step = Step(node, torch.float32, self.program.input_shapes[0][1])
        for role, name in node.params.items():
            slot = self.program.slots[name]
            step.__dict__["slot_" + role] = torch.full(slot.shape, slot.initial)
            step.held[role] = (step, "slot_" + role)
        with torch.no_grad():
            return step(*[self.values[i] for i in node.inputs])

    # ---- nodes with parameters -----------------------------------------------------------------------------------
    def linear(self, x: int, out: int, bias: Optional[bool] = None) -> int:
        params: dict = {"weight": Slot((out, self.shape(x)[-1]))}
        if self.rng.random() < 0.7 if bias is None else bias:
            params["bias"] = Slot((out,))
        return self.add("linear", x, params=params)

    def norm(self, x: int) -> int:
        width, eps = (self.shape(x)[-1],), self.rng.choice((1e-5, 1e-6, 1e-3))
        if self.rng.random() < 0.6:
            params: dict = {"weight": Slot(width, initial=1.0)}
            if self.rng.random() < 0.8:
                params["bias"] = Slot(width)
            return self.add("layer_norm", x, params=params if self.rng.random() < 0.9 else None, eps=eps)
        return self.add("rms_norm", x, params={"weight": Slot(width, initial=1.0)}, eps=eps)

    def activation(self, x: int) -> int:
        op = self.rng.choice(ACTIVATIONS)
        return self.add(op, x, approximate=self.rng.choice(("none", "tanh"))) if op == "gelu" else self.add(op, x)

    def constant(self) -> float:
        return self.rng.choice((2.0, 0.5, 3.0, -1.0, 0.125, 1.5))

    def same_shape(self, x: int) -> Optional[int]:
        others = [n for n in range(len(self.values)) if n != x and self.shape(n) == self.shape(x)
                  and self.values[n].dtype == self.values[x].dtype and self.program.nodes[n].op not in ("mask_fill", "mask_where")]
        return self.rng.choice(others) if others else None


Block = Callable[[Builder, int], Optional[int]]


# ---- blocks over (batch, sequence, width) --------------------------------------------------------------------------

def mlp(b: Builder, x: int) -> int:
    width = b.shape(x)[-1]
    h = b.norm(x) if b.rng.random() < 0.6 else x
    h = b.linear(b.activation(b.linear(h, b.rng.choice(WIDTHS))), width)
    return b.add("add", x, h) if b.rng.random() < 0.7 else h


def gated(b: Builder, x: int) -> int:
    width = b.shape(x)[-1]
    h = b.linear(x, 2 * width)
    one = b.add("part", h, dim=len(b.shape(h)) - 1, start=0, stop=width)
    two = b.add("part", h, dim=len(b.shape(h)) - 1, start=width, stop=2 * width)
    return b.linear(b.add("mul", b.activation(one), two), width)


def queries(b: Builder, x: int) -> Tuple[int, int, int]:
    width, source = b.shape(x)[-1], x
    if len(b.program.inputs) > 1 and b.rng.random() < 0.5 and b.shape(1) == b.shape(x):
        source = 1
    if b.rng.random() < 0.6 or source != x:
        bias = b.rng.random() < 0.5
        return b.linear(x, width, bias), b.linear(source, width, bias), b.linear(source, width, bias)
    whole = b.linear(x, 3 * width)
    q, k, v = [b.add("part", whole, dim=2, start=i * width, stop=(i + 1) * width) for i in range(3)]
    return q, k, v


def attention(b: Builder, x: int) -> int:
    h = b.norm(x) if b.rng.random() < 0.5 else x
    width, many = b.shape(x)[-1], b.rng.choice((1, 2, 2))
    parts = queries(b, h)
    if many > 1:
        q, k, v = [b.add("heads", p, heads=many) for p in parts]
    else:
        q, k, v = parts
    if HAS_SDPA and b.rng.random() < 0.25:
        o = b.add("sdpa", q, k, v, causal=b.rng.random() < 0.5)
    else:
        s = b.add("matmul", q, k, transpose=True)
        if b.rng.random() < 0.8:
            size = float(width // many)
            s = b.add("scale", s, c=size ** -0.5) if b.rng.random() < 0.5 else b.add("divide", s, c=size ** 0.5)
        if b.rng.random() < 0.6:
            s = b.add(b.rng.choice(("mask_fill", "mask_where")), s, diagonal=0, fill=b.rng.choice((float("-inf"), -1e9)))
        o = b.add("matmul", b.add("softmax", s, dim=len(b.shape(s)) - 1), v, transpose=False)
    if many > 1:
        o = b.add("merge", o)
    o = b.linear(o, width)
    return b.add("add", x, o) if b.rng.random() < 0.8 else o


def elementwise(b: Builder, x: int) -> int:
    kind, axis = b.rng.randrange(7), b.rng.randrange(1, len(b.shape(x)))
    if kind == 0:
        return b.activation(x)
    if kind == 1:
        return b.add(b.rng.choice(("scale", "divide")), x, c=b.constant())
    if kind == 2:
        return b.add("shift", x, c=b.constant())
    if kind == 3:
        return b.add("clamp", x, low=b.rng.choice((-1.0, -0.5, 0.0)), high=b.rng.choice((1.0, 0.75)))
    if kind == 4:
        return b.add("cumsum", x, dim=axis)
    if kind == 5:
        return b.add("softmax", x, dim=axis)
    return gain(b, x)


def gain(b: Builder, x: int) -> int:
    return b.add("gain", x, params={"weight": Slot((b.shape(x)[-1],), initial=1.0)})


def binary(b: Builder, x: int) -> Optional[int]:
    other = b.same_shape(x)
    if other is None:
        return None
    op = b.rng.choice(("add", "add", "mul", "sub", "select"))
    if op == "select":
        return b.add("select", x, other, c=b.rng.choice((0.0, 0.25, 1.0)))
    return b.add(op, x, other)


def reduced(b: Builder, x: int) -> int:
    op, axis = b.rng.choice(("mean", "sum", "amax")), b.rng.randrange(1, len(b.shape(x)))
    m = b.add(op, x, dim=axis, keep=True)
    if b.rng.random() < 0.6:
        m = b.add("expand", m, x)
    return b.add(b.rng.choice(("add", "sub")), x, m)


def joined(b: Builder, x: int) -> Optional[int]:
    other = b.same_shape(x)
    if other is None:
        return None
    return b.linear(b.add(b.rng.choice(("cat", "assemble")), x, other, dim=len(b.shape(x)) - 1), b.shape(x)[-1])


def shifted(b: Builder, x: int) -> int:
    """Each step sees the one before."""
    last = b.shape(x)[1]
    first = b.add("part", x, dim=1, start=0, stop=1)
    rest = b.add("part", x, dim=1, start=0, stop=last - 1)
    return b.add("add", x, b.add(b.rng.choice(("cat", "assemble")), first, rest, dim=1))


def mixer(b: Builder, x: int) -> int:
    back = (0, 2, 1)
    h = b.linear(b.add("permute", x, dims=back), b.shape(x)[1])
    return b.add("permute", b.activation(h), dims=back)


def flattened(b: Builder, x: int) -> int:
    shape = b.shape(x)
    h = b.linear(b.add("flatten", x, dim=1), shape[1] * shape[2])
    return b.add("reshape", h, shape=shape)


def summed(b: Builder, x: int) -> Optional[int]:
    other = b.same_shape(x)
    if other is None:
        return None
    s = b.add("einsum", x, other, equation="bsd,btd->bst")
    return b.add("einsum", b.add("softmax", s, dim=2), x, equation="bst,btd->bsd")


def looped(b: Builder, x: int) -> int:
    width = b.shape(x)[-1]
    return b.add("loop", x, params={"weight": Slot((width, width)), "bias": Slot((width,)), "recurrent": Slot((width, width))})


def placed(b: Builder, x: int) -> int:
    if b.rng.random() < 0.5:
        return b.add("positions", x, c=b.rng.choice((0.5, 1.0, 2.0)))
    return b.add("table", x, params={"weight": Slot(b.shape(x)[1:], b.rng.choice(("buffer", "parameter")))})


def cast(b: Builder, x: int) -> int:
    if b.rng.random() < 0.6:
        return b.add("cast", elementwise_in(b, b.add("cast", x, dtype="float64")), dtype="back")
    return b.add("cast", b.add("cast", x, dtype="half"), dtype="back")


def elementwise_in(b: Builder, x: int) -> int:
    return b.add(b.rng.choice(("tanh", "sigmoid", "silu")), b.add("scale", x, c=b.constant()))


def tied(b: Builder, x: int) -> int:
    """One weight used twice."""
    width = b.shape(x)[-1]
    h = b.linear(x, width)
    again = {"weight": b.program.nodes[h].params["weight"]}
    return b.add("linear", b.activation(h), params=again)


SEQUENCE: List[Block] = [mlp, mlp, gated, attention, attention, attention, elementwise, elementwise, binary, reduced, joined, shifted, mixer,
                         flattened, summed, looped, placed, cast, tied, lambda b, x: b.norm(x)]


# ---- blocks over images --------------------------------------------------------------------------------------------

def conv(b: Builder, x: int, out: Optional[int] = None) -> int:
    channels, size = b.shape(x)[1], b.rng.choice((1, 3))
    out = out or channels
    params: dict = {"weight": Slot((out, channels, size, size))}
    if b.rng.random() < 0.6:
        params["bias"] = Slot((out,))
    return b.add("conv2d", x, params=params, stride=1, padding=size // 2)


def image_norm(b: Builder, x: int) -> int:
    channels = (b.shape(x)[1],)
    params: dict = {"weight": Slot(channels, initial=1.0), "bias": Slot(channels)}
    if b.rng.random() < 0.6:
        params.update(mean=Slot(channels, "buffer"), var=Slot(channels, "buffer", 1.0))
        return b.add("batch_norm", x, params=params, eps=b.rng.choice((1e-5, 1e-3)))
    return b.add("group_norm", x, params=params, groups=2, eps=b.rng.choice((1e-5, 1e-3)))


def conv_block(b: Builder, x: int) -> int:
    h = b.activation(image_norm(b, conv(b, x)))
    if b.rng.random() < 0.6:
        h = conv(b, h)
    return b.add("add", x, h) if b.rng.random() < 0.7 else h


def pooled(b: Builder, x: int) -> Optional[int]:
    if b.shape(x)[-1] % 2 or b.shape(x)[-1] < 4:
        return None
    return b.add(b.rng.choice(("max_pool", "avg_pool")), x, size=2)


def squeeze(b: Builder, x: int) -> int:
    m = b.add("mean", b.add("mean", x, dim=3, keep=True), dim=2, keep=True)
    return b.add("mul", x, b.add("expand", b.add("sigmoid", conv(b, m)), x))


def halves(b: Builder, x: int) -> int:
    whole = b.shape(x)[1]
    one = b.add("part", x, dim=1, start=0, stop=whole // 2)
    two = b.add("part", x, dim=1, start=whole // 2, stop=whole)
    return b.add("cat", conv(b, one), b.activation(two), dim=1)


def image_elementwise(b: Builder, x: int) -> int:
    return b.rng.choice((b.activation, lambda n: b.add("scale", n, c=b.constant()), lambda n: b.add("shift", n, c=b.constant()),
                         lambda n: b.add("softmax", n, dim=b.rng.randrange(1, 4)), lambda n: b.add("permute", n, dims=(0, 1, 3, 2))))(x)


IMAGE: List[Block] = [conv_block, conv_block, conv_block, pooled, squeeze, halves, binary, image_elementwise, image_elementwise, cast]


# ---- whole programs ------------------------------------------------------------------------------------------------

def start(rng: random.Random) -> Tuple[Builder, List[Block], int]:
    kind = rng.random()
    batch, length, width = 2, rng.randint(3, 5), rng.choice(WIDTHS)
    if kind < 0.2:
        size = rng.choice((4, 6))
        return Builder(rng, [(batch, 4, size, size)]), IMAGE, 0
    if kind < 0.35:
        b = Builder(rng, [(batch, length)], tokens=7)
        return b, SEQUENCE, b.add("embedding", 0, params={"weight": Slot((7, width))})
    many = 2 if rng.random() < 0.25 else 1
    return Builder(rng, [(batch, length, width)] * many), SEQUENCE, 0


def finish(b: Builder, x: int) -> int:
    if b.program.tokens and b.rng.random() < 0.6:
        slot = b.program.nodes[1].params["weight"]
        if b.shape(x)[-1] == b.program.slots[slot].shape[1]:
            return b.add("linear", x, params={"weight": slot})
    if len(b.shape(x)) == 4 and b.rng.random() < 0.5:
        return b.linear(b.add("flatten", b.add("mean", x, dim=3, keep=False), dim=1), 4)
    return b.linear(b.norm(x), b.rng.choice(WIDTHS)) if b.rng.random() < 0.3 else x


def draw(rng: random.Random) -> Program:
    b, blocks, x = start(rng)
    goal = rng.randint(4, 20)
    seen: List[int] = []
    while len(b.values) < goal:
        block = rng.choice(blocks)
        found = block(b, x)
        if found is not None:
            x = found
            seen.append(x)
    x = finish(b, x)
    program = b.program
    program.outputs = [x]
    if rng.random() < 0.25:
        program.form = rng.choice(("tuple", "dict"))
        program.outputs.append(rng.choice(seen))
        if program.outputs[0] == program.outputs[1]:
            program.outputs, program.form = [x], "tensor"
    program.prune()
    choose_inplace(program, rng)
    return program


def choose_inplace(program: Program, rng: random.Random) -> None:
    for number, node in program.nodes.items():
        if node.op in INPLACE and rng.random() < 0.3 and may_be_inplace(program, number):
            node.inplace = True


def fits(program: Program) -> bool:
    count = len(program.nodes) - len(program.inputs)
    if not 4 <= count <= 25:
        return False
    outputs, _ = run(program)
    return all(bool(torch.isfinite(output).all()) and float(output.abs().max()) < 1e4 for output in outputs)


def draw_program(rng: random.Random) -> Program:
    while True:
        program = draw(rng)
        if fits(program):
            return program
