"""Mutations: each changes what a program computes, at one place. `mutate` draws one and makes sure with numbers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import torch

from models import INPLACE, Node, Program, Slot
from rewrites import Look, look
from structure import anonymous, may_be_inplace, uses_of_slots

DIFFERENCE = 1e-9
Found = Optional[List[int]]  # the nodes where the change lies
Mutation = Callable[[Program, random.Random], Found]

OPERATORS: Dict[str, Sequence[str]] = {
    "relu": ("silu", "tanh", "sigmoid"), "silu": ("relu", "sigmoid"), "tanh": ("sigmoid", "relu"), "sigmoid": ("tanh", "silu"),
    "add": ("sub", "mul"), "sub": ("add",), "mul": ("add",), "mean": ("sum", "amax"), "sum": ("mean", "amax"), "amax": ("mean", "sum"),
    "scale": ("shift", "divide"), "divide": ("scale",), "shift": ("scale",), "max_pool": ("avg_pool",), "avg_pool": ("max_pool",),
    "gelu": ("silu", "relu"), "cumsum": ("softmax",), "softmax": ("cumsum",),
}


def nodes(program: Program, *ops: str) -> List[int]:
    return [n for n, node in program.nodes.items() if node.op in ops]


def pick(program: Program, rng: random.Random, fits: Callable[[Node], Any]) -> Optional[int]:
    found = [n for n, node in program.nodes.items() if n not in program.inputs and fits(node)]
    return rng.choice(found) if found else None


def set_attr(name: str, values: Callable[[Node, random.Random], Sequence[Any]], *ops: str) -> Mutation:
    """Another value of one attribute."""
    def apply(program: Program, rng: random.Random) -> Found:
        number = pick(program, rng, lambda node: name in node.attrs and (not ops or node.op in ops))
        if number is None:
            return None
        node = program.nodes[number]
        others = [value for value in values(node, rng) if value != node.attrs[name]]
        if not others:
            return None
        node.attrs[name] = rng.choice(others)
        return [number]
    return apply


def flag(name: str, fits: Callable[[Node], Any]) -> Mutation:
    def apply(program: Program, rng: random.Random) -> Found:
        number = pick(program, rng, fits)
        if number is not None:
            program.nodes[number].attrs[name] = True
        return None if number is None else [number]
    return apply


def remove(program: Program, number: int, instead: int) -> None:
    for node in program.nodes.values():
        node.inputs = [instead if used == number else used for used in node.inputs]
    program.outputs = [instead if used == number else used for used in program.outputs]
    del program.nodes[number]


def insert(program: Program, after: int, node: Node) -> int:
    """A node whose first operand is `after`, for all users of that."""
    number = program.fresh_number()
    users = program.users(after)
    for user in users:
        program.nodes[user].inputs = [number if used == after else used for used in program.nodes[user].inputs]
    program.outputs = [number if used == after else used for used in program.outputs]
    program.nodes[number] = node
    program.sort(lambda ready: number if number in ready else ready[0])
    return number


# ---- operators, constants, axes ------------------------------------------------------------------------------------

def operator(program: Program, rng: random.Random) -> Found:
    number = pick(program, rng, lambda node: node.op in OPERATORS)
    if number is None:
        return None
    node = program.nodes[number]
    node.op = rng.choice(OPERATORS[node.op])
    node.inplace = node.inplace and node.op in INPLACE
    return [number]


def constant(program: Program, rng: random.Random) -> Found:
    number = pick(program, rng, lambda node: any(name in node.attrs for name in ("c", "low", "high")))
    if number is None:
        return None
    attrs = program.nodes[number].attrs
    name = rng.choice([name for name in ("c", "low", "high") if name in attrs])
    attrs[name] = rng.choice((attrs[name] * 1.5, attrs[name] + 0.125, attrs[name] * (1 + 1e-6)))
    return [number]


def negated(program: Program, rng: random.Random) -> Found:
    number = pick(program, rng, lambda node: node.attrs.get("c"))
    if number is not None:
        program.nodes[number].attrs["c"] *= -1
    return None if number is None else [number]


def other_dims(node: Node, rng: random.Random) -> Sequence[int]:
    return range(4)


def permuted(program: Program, rng: random.Random) -> Found:
    number = pick(program, rng, lambda node: node.op == "permute")
    if number is None:
        return None
    attrs = program.nodes[number].attrs
    order = list(attrs["dims"])
    i, j = rng.sample(range(len(order)), 2)
    order[i], order[j] = order[j], order[i]
    attrs["dims"] = tuple(order)
    return [number]


def transposed_scores(program: Program, rng: random.Random) -> Found:
    number = pick(program, rng, lambda node: node.op == "einsum")
    if number is None:
        return None
    attrs = program.nodes[number].attrs
    attrs["equation"] = {"bsd,btd->bst": "bsd,btd->bts", "bst,btd->bsd": "bts,btd->bsd"}.get(attrs["equation"], attrs["equation"])
    return [number]


def off_by_one(program: Program, rng: random.Random) -> Found:
    number = pick(program, rng, lambda node: node.op == "part")
    if number is None:
        return None
    attrs, step = program.nodes[number].attrs, rng.choice((-1, 1))
    attrs["start"], attrs["stop"] = attrs["start"] + step, attrs["stop"] + step
    return [number] if attrs["start"] >= 0 else None


# ---- dtypes --------------------------------------------------------------------------------------------------------

def dtype(program: Program, rng: random.Random) -> Found:
    """A detour by a narrower dtype, or a cast to another one, or no cast."""
    casts = [n for n in nodes(program, "cast") if program.nodes[n].attrs["dtype"] != "back"]
    if casts and rng.random() < 0.7:
        number = rng.choice(casts)
        attrs = program.nodes[number].attrs
        attrs["dtype"] = rng.choice([name for name in ("half", "bfloat16", "back") if name != attrs["dtype"]])
        if attrs["dtype"] != "back" and not (program.users(number) and all(program.nodes[u].op == "cast" for u in program.users(number))):
            attrs["dtype"] = "back"
        return [number]
    number = rng.choice([n for n in program.nodes if not (program.tokens and n in program.inputs)])
    if any(program.nodes[user].inplace for user in program.users(number)):
        return None
    narrow = insert(program, number, Node("cast", [number], {"dtype": rng.choice(("half", "bfloat16"))}))
    back = insert(program, narrow, Node("cast", [narrow], {"dtype": "back"}))
    return [number, narrow, back]


# ---- edges ---------------------------------------------------------------------------------------------------------

def rewire(*ops: str) -> Mutation:
    """An operand is taken from another node."""
    def apply(program: Program, rng: random.Random) -> Found:
        number = pick(program, rng, lambda node: not ops or node.op in ops)
        if number is None:
            return None
        node, place = program.nodes[number], 0
        place = rng.randrange(len(node.inputs))
        before = list(program.nodes)[:list(program.nodes).index(number)]
        sources = [n for n in before if n != node.inputs[place] and not any(program.nodes[u].inplace for u in program.users(n))]
        if not sources:
            return None
        node.inputs[place] = rng.choice(sources)
        return [number]
    return apply


def swap_operands(*ops: str) -> Mutation:
    def apply(program: Program, rng: random.Random) -> Found:
        number = pick(program, rng, lambda node: node.op in ops and len(node.inputs) > 1 and not node.inplace)
        if number is None:
            return None
        used = program.nodes[number].inputs
        used[0], used[1] = used[1], used[0]
        return [number]
    return apply


def swapped_parts(program: Program, rng: random.Random) -> Found:
    first = pick(program, rng, lambda node: node.op == "part")
    if first is None:
        return None
    a = program.nodes[first]
    others = [n for n in nodes(program, "part") if n != first and program.nodes[n].inputs == a.inputs and program.nodes[n].attrs != a.attrs]
    if not others:
        return None
    second = rng.choice(others)
    a.attrs, program.nodes[second].attrs = program.nodes[second].attrs, a.attrs
    return [first, second]


def order(program: Program, rng: random.Random) -> Found:
    """Two steps, one after the other, change places."""
    unary = ("relu", "gelu", "silu", "tanh", "sigmoid", "scale", "shift", "divide", "clamp", "softmax", "cumsum", "gain", "layer_norm", "rms_norm")
    number = pick(program, rng, lambda node: node.op in unary and program.nodes[node.inputs[0]].op in unary
                  and len(program.users(node.inputs[0])) == 1 and node.inputs[0] not in program.outputs)
    if number is None:
        return None
    first = program.nodes[number].inputs[0]
    a, b = program.nodes[first], program.nodes[number]
    a.inputs, b.inputs = b.inputs, a.inputs
    program.nodes[first], program.nodes[number] = b, a
    return [first, number]


def missing(*ops: str) -> Mutation:
    def apply(program: Program, rng: random.Random) -> Found:
        number = pick(program, rng, lambda node: node.op in ops)
        if number is None:
            return None
        remove(program, number, rng.choice(program.nodes[number].inputs))
        return [number]
    return apply


def doubled(program: Program, rng: random.Random) -> Found:
    number = pick(program, rng, lambda node: node.op == "add")
    if number is None:
        return None
    again = [used for used in program.nodes[number].inputs if not program.nodes[number].inplace or used != program.nodes[number].inputs[0]]
    used = rng.choice(again)
    if any(program.nodes[user].inplace and program.nodes[user].inputs[0] == used for user in program.users(used)):
        return None
    return [number, insert(program, number, Node("add", [number, used]))]


def overwritten(program: Program, rng: random.Random) -> Found:
    """An in-place spelling where the operand is read again later."""
    number = pick(program, rng, lambda node: node.op in INPLACE and not node.inplace)
    if number is None:
        return None
    node = program.nodes[number]
    users = program.users(node.inputs[0])
    names = list(program.nodes)
    if node.inputs[0] in program.outputs or any(names.index(user) > names.index(number) for user in users):
        node.inplace = True
        return [number] + [user for user in users if user != number]
    return None


def outputs_swapped(program: Program, rng: random.Random) -> Found:
    if len(program.outputs) < 2:
        return None
    program.outputs.reverse()
    return list(program.outputs)


# ---- parameters ----------------------------------------------------------------------------------------------------

def same_kind(program: Program, a: str) -> List[str]:
    slot = program.slots[a]
    return [name for name, other in program.slots.items() if name != a and other.shape == slot.shape and other.kind == slot.kind]


def binding(program: Program, rng: random.Random) -> Found:
    """Two parameters of one shape change places, or one takes the other's place."""
    uses = [(n, role) for n, node in program.nodes.items() for role in node.params]
    if not uses:
        return None
    number, role = rng.choice(uses)
    mine = program.nodes[number].params[role]
    others = same_kind(program, mine)
    if not others:
        return None
    theirs, both, found = rng.choice(others), rng.random() < 0.5, [number]
    for n, node in program.nodes.items():
        for name, slot in list(node.params.items()):
            if both and slot == theirs:
                node.params[name] = mine
                found.append(n)
            elif both and slot == mine:
                node.params[name] = theirs
                found.append(n)
    program.nodes[number].params[role] = theirs
    return sorted(set(found))


def swapped_norms(program: Program, rng: random.Random) -> Found:
    norms = nodes(program, "layer_norm", "rms_norm", "batch_norm", "group_norm")
    if len(norms) < 2:
        return None
    first, second = rng.sample(norms, 2)
    a, b = program.nodes[first], program.nodes[second]
    if any(program.slots[p].shape != program.slots[q].shape for p, q in zip(a.params.values(), b.params.values())):
        return None
    a.op, b.op, a.params, b.params, a.attrs, b.attrs = b.op, a.op, b.params, a.params, b.attrs, a.attrs
    return [first, second]


def other_norm(program: Program, rng: random.Random) -> Found:
    number = pick(program, rng, lambda node: node.op in ("layer_norm", "rms_norm") and list(node.params) == ["weight"])
    if number is None:
        return None
    node = program.nodes[number]
    node.op = "rms_norm" if node.op == "layer_norm" else "layer_norm"
    return [number]


def dropped_bias(program: Program, rng: random.Random) -> Found:
    number = pick(program, rng, lambda node: node.op in ("linear", "conv2d", "layer_norm", "loop") and "bias" in node.params)
    if number is None:
        return None
    slot = program.nodes[number].params.pop("bias")
    if rng.random() < 0.5 and not any(slot in node.params.values() for node in program.nodes.values()):
        del program.slots[slot]
    return [number]


def untied(program: Program, rng: random.Random) -> Found:
    uses = [(n, role) for n, node in program.nodes.items() for role, slot in node.params.items()
            if len(program.slots[slot].keys) > 1 and slot != "n%d.%s" % (n, role)]
    if not uses:
        return None
    number, role = rng.choice(uses)
    slot = program.slots[program.nodes[number].params[role]]
    name = "n%d.%s" % (number, role)
    if name not in slot.keys:
        return None
    slot.keys.remove(name)
    program.slots[name] = Slot(slot.shape, slot.kind, slot.initial, [name])
    users = [n for n, node in program.nodes.items() if program.nodes[number].params[role] in node.params.values()]
    program.nodes[number].params[role] = name
    return users


MUTATIONS: Dict[str, Mutation] = {
    "operator": operator,
    "constant": constant,
    "negated constant": negated,
    "eps": set_attr("eps", lambda node, rng: (1e-5, 1e-6, 1e-3, 1e-2)),
    "axis": set_attr("dim", other_dims, "cumsum", "mean", "sum", "amax", "cat", "assemble", "flatten"),
    "softmax axis": set_attr("dim", other_dims, "softmax"),
    "permutation": permuted,
    "equation": transposed_scores,
    "slice": off_by_one,
    "dtype": dtype,
    "edge": rewire(),
    "residual from elsewhere": rewire("add"),
    "missing residual": missing("add"),
    "doubled residual": doubled,
    "missing scale": missing("scale", "divide"),
    "missing mask": missing("mask_fill", "mask_where"),
    "missing norm": missing("layer_norm", "rms_norm", "batch_norm", "group_norm"),
    "missing activation": missing("relu", "gelu", "silu", "tanh", "sigmoid", "softmax"),
    "matmul operands": swap_operands("matmul", "sub", "select", "einsum"),
    "query and key": swap_operands("sdpa", "matmul"),
    "causal": set_attr("causal", lambda node, rng: (True, False)),
    "diagonal": set_attr("diagonal", lambda node, rng: (-1, 1, 2)),
    "fill": set_attr("fill", lambda node, rng: (0.0, -1.0)),
    "approximation": set_attr("approximate", lambda node, rng: ("none", "tanh")),
    "parts": swapped_parts,
    "cat order": flag("reversed", lambda node: node.op in ("cat", "assemble")),
    "missing write": flag("half_written", lambda node: node.op == "assemble"),
    "head layout": flag("inner", lambda node: node.op == "heads"),
    "number of heads": set_attr("heads", lambda node, rng: (2, 4), "heads"),
    "groups": set_attr("groups", lambda node, rng: (1, 4)),
    "transposed weight": flag("transposed", lambda node: node.op == "linear"),
    "time": flag("backward", lambda node: node.op == "loop"),
    "order": order,
    "overwritten": overwritten,
    "outputs": outputs_swapped,
    "binding": binding,
    "swapped norms": swapped_norms,
    "other norm": other_norm,
    "dropped bias": dropped_bias,
    "untied": untied,
}


@dataclass
class Mutated:
    program: Program
    name: str
    nodes: List[int]
    needs_map: bool  # the two may be one computation if parameters may stand for others than the map says
    also: List[int]  # where else the change may be said to lie, if names alone or memory differ: nodes with parameters above it


def mutate(program: Program, rng: random.Random) -> Optional[Mutated]:
    """None if no mutation changes this program's numbers."""
    plain = {torch.float64: look(program)}
    for name in rng.sample(list(MUTATIONS), len(MUTATIONS)):
        for _ in range(3):
            mutated = program.copy()
            found = MUTATIONS[name](mutated, rng)
            if name != "overwritten":
                keep_to_one_change(mutated)
            if found is not None and differs(program, mutated, name, plain):
                return described(program, mutated, name, found)
    return None


def keep_to_one_change(program: Program) -> None:
    """Nothing overwrites what is read elsewhere since the mutation."""
    for number, node in program.nodes.items():
        node.inplace = node.inplace and may_be_inplace(program, number)


def described(program: Program, mutated: Program, name: str, found: List[int]) -> Mutated:
    alike = anonymous(program) == anonymous(mutated)
    needs_map = alike and name != "overwritten" and uses_of_slots(program) == uses_of_slots(mutated)
    above = program.upstream(found) | mutated.upstream(found)
    also = [n for n in sorted(above) if n in program.nodes and program.nodes[n].params and n not in found]
    return Mutated(mutated, name, sorted(set(found)), needs_map, also if alike else [])


def differs(program: Program, mutated: Program, name: str, plain: Dict[torch.dtype, Look]) -> bool:
    """Casts show in the dtype that is recorded only; all else in double precision too."""
    kind, least = (torch.float32, 0.0) if name == "dtype" else (torch.float64, DIFFERENCE)
    if kind not in plain:
        plain[kind] = look(program, kind)
    try:
        other = look(mutated, kind)
    except (RuntimeError, IndexError, TypeError, ValueError):  # shapes that don't fit
        return False
    pairs = list(zip(plain[kind][0] + plain[kind][1], other[0] + other[1]))
    if any(a.shape != b.shape or a.dtype != b.dtype or not bool(torch.isfinite(b).all()) for a, b in pairs):
        return False
    return any(a.numel() and float((a - b).abs().max()) > least for a, b in pairs) and (kind == torch.float32 or runs(mutated))


def runs(mutated: Program) -> bool:
    """Dtypes may meet that don't go together; in double precision they are one."""
    if any(node.op == "cast" for node in mutated.nodes.values()):
        try:
            look(mutated, torch.float32)
        except RuntimeError:
            return False
    return True
