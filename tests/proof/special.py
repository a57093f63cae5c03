"""Mutations that ordinary inputs, weights as they are at the start and eval mode don't show: what standard's and paranoid's
special trials are for. Each draws a change of a program to which what can be changed is added first."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models import OPS, Interpreted, Node, Program, fill, random_inputs
from mutations import insert, remove

OPS.update({
    "leaky_relu": [lambda m, x: F.leaky_relu(x, m.node.attrs["c"])],
    "abs": [lambda m, x: x.abs()],
    "nan_to_num": [lambda m, x: torch.nan_to_num(x)],
    "detach": [lambda m, x: x.detach()],
    "dropout": [lambda m, x: F.dropout(x, m.node.attrs["c"], m.training)],
    "less_peak": [lambda m, x: x - (x.amax(1, True) if m.node.attrs["peak"] == "amax" else x.max(1, True)[0])],
    "gated": [lambda m, x: torch.where(x >= 0 if m.node.attrs["equal"] else x > 0, x, x - 1)],
    "halved": [lambda m, x, y: x + torch.div(y, 2, rounding_mode=m.node.attrs["rounding"]).unsqueeze(-1)],
})
DIFFERENCE = 1e-9
# What inputs are multiplied by to see a change, and whether they are whole numbers, of which some are equal.
LOOKS = ((1.0, False), (-1.0, False), (1e-4, False), (300.0, False), (1.0, True))


@dataclass
class Special:
    original: Program
    mutated: Program
    name: str
    positive: bool  # the sample's inputs are to have no negative number


Change = Callable[[Program, random.Random], Optional[Program]]  # extends the program; gives it mutated


def floats(program: Program) -> List[int]:
    return [] if program.tokens else list(program.inputs)


def overwrites(program: Program, number: int) -> bool:
    return any(program.nodes[user].inplace for user in program.users(number))


def values(program: Program) -> List[int]:
    """Floating values after which something can be put."""
    return [n for n, node in program.nodes.items() if n not in program.inputs and node.op != "cast" and not overwrites(program, n)
            and not any(program.nodes[i].op == "cast" for i in node.inputs)]


def put(program: Program, after: int, node: Node) -> int:
    node.inputs = [after] + node.inputs
    return insert(program, after, node)


def operator(program: Program, rng: random.Random, at: List[int], node: Node, others: Tuple[Optional[Node], ...]) -> Optional[Program]:
    """`node` is put after one of `at`; mutated it is another, or missing."""
    at = [n for n in at if not overwrites(program, n)]
    if not at:
        return None
    number = put(program, rng.choice(at), node)
    mutated, other = program.copy(), rng.choice(others)
    if other is None:
        remove(mutated, number, node.inputs[0])
    else:
        other.inputs = list(node.inputs)
        mutated.nodes[number] = other
    return mutated


def sign(program: Program, rng: random.Random) -> Optional[Program]:
    return operator(program, rng, floats(program), Node("relu", []),
                    (Node("leaky_relu", [], {"c": rng.choice((0.01, 0.2))}), Node("abs", []), None))


def magnitude(program: Program, rng: random.Random) -> Optional[Program]:
    return operator(program, rng, floats(program), Node("abs", []), (Node("relu", []), None))


def bounds(program: Program, rng: random.Random) -> Optional[Program]:
    wide = {"low": -100.0, "high": 100.0}
    return operator(program, rng, floats(program), Node("clamp", [], wide),
                    (Node("clamp", [], dict(wide, high=120.0)), Node("clamp", [], dict(wide, low=-90.0)), None))


def extra(at: Callable[[Program], List[int]], *nodes: Tuple[str, Dict[str, object]]) -> Change:
    """One that the original has not, after one of `at`."""
    def apply(program: Program, rng: random.Random) -> Optional[Program]:
        places, mutated = [n for n in at(program) if not overwrites(program, n)], program.copy()
        if not places:
            return None
        op, attrs = rng.choice(nodes)
        put(mutated, rng.choice(places), Node(op, [], dict(attrs)))
        return mutated
    return apply


def dropped(program: Program, rng: random.Random) -> Optional[Program]:
    return operator(program, rng, values(program), Node("dropout", [], {"c": 0.3}), (Node("dropout", [], {"c": 0.4}), None))


def ties(program: Program, rng: random.Random) -> Optional[Program]:
    """Of equal largest elements max gives one the gradient, amax each its share."""
    return operator(program, rng, floats(program), Node("less_peak", [], {"peak": "amax"}),
                    (Node("less_peak", [], {"peak": "max"}),))


def comparison(program: Program, rng: random.Random) -> Optional[Program]:
    one = rng.random() < 0.5
    return operator(program, rng, floats(program), Node("gated", [], {"equal": one}), (Node("gated", [], {"equal": not one}),))


def division(program: Program, rng: random.Random) -> Optional[Program]:
    at = [n for n, node in program.nodes.items() if node.op == "embedding" and not overwrites(program, n)]
    if not at:
        return None
    number = put(program, at[0], Node("halved", [program.inputs[0]], {"rounding": "floor"}))
    mutated = program.copy()
    mutated.nodes[number].attrs["rounding"] = None
    return mutated


def attribute(op: Tuple[str, ...], name: str, others: Callable[[object], Tuple[object, ...]]) -> Change:
    def apply(program: Program, rng: random.Random) -> Optional[Program]:
        at = [n for n, node in program.nodes.items() if node.op in op]
        if not at:
            return None
        mutated = program.copy()
        attrs = mutated.nodes[rng.choice(at)].attrs
        attrs[name] = rng.choice(others(attrs.get(name)))
        return mutated
    return apply


NORMS = ("layer_norm", "rms_norm", "batch_norm", "group_norm")
# name: the change, whether the sample's inputs are positive, whether the programs of models.py show it
CHANGES: Dict[str, Tuple[Change, bool, bool]] = {
    "sign": (sign, True, True),
    "magnitude": (magnitude, True, True),
    "bounds": (bounds, False, True),
    "extra": (extra(floats, ("clamp", {"low": -250.0, "high": 250.0}), ("abs", {}), ("relu", {}), ("leaky_relu", {"c": 0.9})), True, True),
    "guard": (extra(values, ("nan_to_num", {})), False, False),
    "dropout": (dropped, False, True),
    "added dropout": (extra(values, ("dropout", {"c": 0.2})), False, True),
    "detached": (extra(values, ("detach", {})), False, True),
    "max of equal ones": (ties, False, True),
    "comparison": (comparison, False, True),
    "integer division": (division, True, True),
    "tiny eps": (attribute(NORMS, "eps", lambda eps: (1e-12, float(eps) * 1.5)), False, True),
    "fill": (attribute(("mask_fill", "mask_where"), "fill", lambda fill: (-1e4, -100.0)), False, True),
    "momentum": (attribute(("batch_norm",), "momentum", lambda _: (0.2, 0.01)), False, False),
    "running statistics": (attribute(("batch_norm",), "training", lambda _: (False, True)), False, False),
}


def mutate(program: Program, rng: random.Random) -> Optional[Special]:
    for name in rng.sample(list(CHANGES), len(CHANGES)):
        change, positive, visible = CHANGES[name]
        original = program.copy()
        mutated = change(original, rng)
        if mutated is not None and (not visible or shows(original, mutated)):
            return Special(original, mutated, name, positive)
    return None


def shows(original: Program, mutated: Program) -> bool:
    """Do numbers of some kind tell the two apart: outputs or gradients, in either mode?"""
    for scale, whole in LOOKS:
        for train in (False, True):
            try:
                one, other = (numbers(program, scale, whole, train) for program in (original, mutated))
            except RuntimeError:  # what the gradient needs is overwritten
                continue
            gaps = [a - b for a, b in zip(one, other) if a.numel()]
            if any(not bool(torch.isnan(gap).any()) and float(gap.abs().max()) > DIFFERENCE for gap in gaps):
                return True
    return False


def differentiable(program: Program) -> bool:
    """Not where what a gradient needs is overwritten."""
    try:
        numbers(program, 1.0, False, False)
    except RuntimeError:
        return False
    return True


def numbers(program: Program, scale: float, whole: bool, train: bool) -> List[Tensor]:
    """The outputs, and the gradients of their sum of squares, with random weights."""
    model = Interpreted(program, torch.float64)
    with torch.no_grad():
        fill(model)
    model.train(train)
    inputs = random_inputs(program, torch.float64)
    if not program.tokens:
        inputs = [((value * 2).round() if whole else value * scale).requires_grad_() for value in inputs]
    torch.manual_seed(1)
    found = model(*[value.clone() for value in inputs])
    outputs = [found] if isinstance(found, Tensor) else list(found.values() if isinstance(found, dict) else found)
    leaves = [value for value in inputs if value.requires_grad] + [slot_value(model, name) for name in sorted(program.slots)]
    total = sum((output.double() ** 2).sum() for output in outputs)
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    gradients = torch.autograd.grad(total, wanted, allow_unused=True) if wanted and total.requires_grad else ()
    return [output.detach() for output in outputs] + [torch.zeros_like(leaf) if grad is None else grad
                                                      for leaf, grad in zip(wanted, gradients)]


def slot_value(model: Interpreted, name: str) -> Tensor:
    folder, _, attribute_name = model.program.slots[name].keys[0].rpartition(".")
    return getattr(model._folder(folder), attribute_name)
