"""Honest rewrites: each gives a program that computes the same. `rewrite` composes a few, and holds the result against the
original with numbers."""

from __future__ import annotations

import random
from typing import Any, Callable, Dict, List, Tuple

import torch

from models import COMMUTATIVE, INPLACE, KNOWN, Node, Program, run
from structure import may_be_inplace

Rewrite = Callable[[Program, random.Random], bool]
DEAD = 1000  # numbers of nodes that reach no output begin here
TOLERANCE = 1e-12


class GeneratorBug(AssertionError):
    pass


def some(program: Program, rng: random.Random, fits: Callable[[int, Node], bool], least: int = 1) -> List[int]:
    """A random part of the nodes that fit, not empty if any does."""
    found = [n for n, node in program.nodes.items() if n not in program.inputs and fits(n, node)]
    if not found:
        return []
    return [n for n in found if rng.random() < 0.5] or [rng.choice(found)]


def change(program: Program, rng: random.Random, fits: Callable[[int, Node], bool], what: Callable[[Node], None]) -> bool:
    numbers = some(program, rng, fits)
    for number in numbers:
        what(program.nodes[number])
    return bool(numbers)


# ---- names and places ----------------------------------------------------------------------------------------------

def rename(program: Program, rng: random.Random) -> bool:
    """Other names at the same places. A name that another parameter of the original had is never used."""
    prefix = rng.choice(("w_", "the_", "p"))
    changed = False
    for slot in program.slots.values():
        if rng.random() < 0.7 and not any(in_library(program, key) for key in slot.keys):
            slot.keys = [folder + prefix + name for folder, name in map(split_key, slot.keys)]
            changed = True
    return changed


def split_key(key: str) -> Tuple[str, str]:
    folder, dot, name = key.rpartition(".")
    return folder + dot, name


def in_library(program: Program, key: str) -> bool:
    folder = key.rpartition(".")[0]
    return folder.endswith(".inner") and folder[:-len(".inner")] in program.library


def store(program: Program, rng: random.Random) -> bool:
    """Parameters kept in one place under names that say nothing, in another order."""
    names = [name for name, slot in program.slots.items() if not any(in_library(program, key) for key in slot.keys)]
    folder = "store" + str(rng.randrange(100))
    numbers = list(range(len(names)))
    rng.shuffle(numbers)
    for name, number in zip(names, numbers):
        program.slots[name].keys = ["%s.p%d" % (folder, number)]
    order = list(program.slots.items())
    rng.shuffle(order)
    program.slots = dict(order)
    return bool(names)


def nest(program: Program, rng: random.Random) -> bool:
    """Modules moved into deeper ones, with the parameters that they hold."""
    names = ["stage%d" % i for i in range(rng.randint(1, 3))]
    for number in some(program, rng, lambda n, node: True):
        before = program.path(number)
        folder = program.folders.get(number, "")
        program.folders[number] = rng.choice(names) + ("." + folder if folder else "")
        after = program.path(number)
        for slot in program.slots.values():
            slot.keys = [after + key[len(before):] if key.startswith(before + ".") else key for key in slot.keys]
        if before in program.library:
            program.library[after] = program.library.pop(before)
    return True


def reorder(program: Program, rng: random.Random) -> bool:
    before = list(program.nodes)
    program.sort(rng.choice)
    return list(program.nodes) != before


LIBRARY: Dict[str, Tuple[str, Callable[[Program, Node], Dict[str, Any]]]] = {
    "linear": ("Linear", lambda p, n: {"in_features": shape(p, n)[1], "out_features": shape(p, n)[0], "bias": "bias" in n.params}),
    "embedding": ("Embedding", lambda p, n: {"num_embeddings": shape(p, n)[0], "embedding_dim": shape(p, n)[1]}),
    "conv2d": ("Conv2d", lambda p, n: {"in_channels": shape(p, n)[1], "out_channels": shape(p, n)[0], "kernel_size": shape(p, n)[2],
                                       "stride": n.attrs["stride"], "padding": n.attrs["padding"], "bias": "bias" in n.params}),
    "group_norm": ("GroupNorm", lambda p, n: {"num_groups": n.attrs["groups"], "num_channels": shape(p, n)[0], "eps": n.attrs["eps"]}),
    "layer_norm": ("LayerNorm", lambda p, n: {"normalized_shape": shape(p, n)[0], "eps": n.attrs["eps"]}),
}


def shape(program: Program, node: Node) -> Tuple[int, ...]:
    return program.slots[node.params["weight"]].shape


def library(program: Program, rng: random.Random) -> bool:
    """A module of torch.nn in place of a function with parameters."""
    holders: Dict[str, int] = {}
    for node in program.nodes.values():
        for slot in node.params.values():
            holders[slot] = holders.get(slot, 0) + 1

    def fits(number: int, node: Node) -> bool:
        return (node.op in LIBRARY and "weight" in node.params and not node.attrs.get("transposed")
                and (node.op != "layer_norm" or "bias" in node.params) and program.path(number) not in program.library
                and all(holders[slot] == 1 for slot in node.params.values()))

    numbers = some(program, rng, fits)
    for number in numbers:
        node, path = program.nodes[number], program.path(number)
        name, arguments = LIBRARY[node.op]
        program.library[path] = name, arguments(program, node)
        for role, slot in node.params.items():
            program.slots[slot].keys = ["%s.inner.%s" % (path, role)]
    return bool(numbers)


# ---- spelling ------------------------------------------------------------------------------------------------------

def alias(program: Program, rng: random.Random) -> bool:
    def other(node: Node) -> None:
        node.how = (node.how + rng.randrange(1, 12)) % 12
    return change(program, rng, lambda n, node: True, other)


def swap(program: Program, rng: random.Random) -> bool:
    def other(node: Node) -> None:
        node.swap = not node.swap
    return change(program, rng, lambda n, node: node.op in COMMUTATIVE and not node.inplace
                  and not decides_a_kernel(program, n), other)


def negative_dims(program: Program, rng: random.Random) -> bool:
    def other(node: Node) -> None:
        node.negative = not node.negative
    return change(program, rng, lambda n, node: "dim" in node.attrs or "dims" in node.attrs, other)


def scalars(program: Program, rng: random.Random) -> bool:
    def other(node: Node) -> None:
        node.integer = not node.integer
    return change(program, rng, lambda n, node: any(float(node.attrs.get(k, 0.5)).is_integer() for k in ("c", "low", "high")), other)


def known_buffers(program: Program, rng: random.Random) -> bool:
    """Masks and tables of construction computed in forward, or the other way."""
    def other(node: Node) -> None:
        node.buffer = not node.buffer
    return change(program, rng, lambda n, node: node.op in KNOWN, other)


def inplace(program: Program, rng: random.Random) -> bool:
    changed = False
    for number, node in program.nodes.items():
        if rng.random() < 0.6 and (node.inplace or node.op in INPLACE and may_be_inplace(program, number)) \
                and not decides_a_kernel(program, number):  # the layout is the first operand's in place
            node.inplace = not node.inplace
            changed = True
    return changed


STRIDED = frozenset(("select", "heads", "part", "permute", "expand", "unsqueeze", "merge", "reshape", "flatten"))
FRESH = frozenset(("linear", "layer_norm", "embedding", "matmul", "sdpa", "conv2d", "max_pool", "avg_pool", "group_norm"))
BY_LAYOUT = frozenset(("linear", "matmul", "einsum", "sdpa"))


def decides_a_kernel(program: Program, number: int) -> bool:
    """May the layout of this result decide how torch multiplies matrices after it? Then a copy is another computation to the bit:
    linear of a contiguous input is addmm, of a transposed one matmul and add."""
    def strided(at: int) -> bool:
        node = program.nodes[at]
        return node.op in STRIDED or node.op not in FRESH and any(strided(used) for used in node.inputs)

    def reaches(at: int) -> bool:
        return any(program.nodes[user].op in BY_LAYOUT or reaches(user) for user in set(program.users(at)))

    return strided(number) and reaches(number)


def after(name: str) -> Rewrite:
    """Something that changes nothing, on the result of a node that is no output and that nobody overwrites."""
    def apply(program: Program, rng: random.Random) -> bool:
        def overwritten(number: int) -> bool:
            return any(program.nodes[user].inplace for user in program.users(number))

        def add(node: Node) -> None:
            node.after += (name,)
        return change(program, rng, lambda n, node: n not in program.outputs and not overwritten(n) and len(node.after) < 2
                      and not (name != "dropout" and decides_a_kernel(program, n)), add)
    return apply


def dead(program: Program, rng: random.Random) -> bool:
    """Computations that reach no output."""
    for _ in range(rng.randint(1, 3)):
        alive = [n for n, node in program.nodes.items() if not (program.tokens and n in program.inputs) and node.op != "cast"
                 and not any(program.nodes[user].inplace for user in program.users(n))]
        if not alive:
            return False
        number = max(DEAD, program.fresh_number())
        op = rng.choice(("tanh", "sigmoid", "scale", "cumsum", "add"))
        used = [rng.choice(alive)] * (2 if op == "add" else 1)
        program.nodes[number] = Node(op, used, {"c": 2.0} if op == "scale" else {"dim": 1} if op == "cumsum" else {})
    return True


REWRITES: Dict[str, Rewrite] = {
    "rename": rename, "store": store, "nest": nest, "reorder": reorder, "library": library, "alias": alias, "swap": swap,
    "negative_dims": negative_dims, "scalars": scalars, "known_buffers": known_buffers, "inplace": inplace,
    "contiguous": after("contiguous"), "clone": after("clone"), "dropout": after("dropout"), "dead": dead,
}


# ---- composition ---------------------------------------------------------------------------------------------------

def rewrite(program: Program, rng: random.Random, most: int = 5, kinds: Dict[str, Rewrite] = REWRITES) -> Tuple[Program, List[str]]:
    """One to five rewrites of a copy. What only turns out to give other strides or to share memory is drawn again."""
    original = look(program)
    for _ in range(50):
        candidate, names = compose(program, rng, most, kinds)
        if names and same_form(original, look(candidate), names):
            return candidate, names
    raise GeneratorBug("no rewrite keeps the form of the outputs")


def compose(program: Program, rng: random.Random, most: int, kinds: Dict[str, Rewrite] = REWRITES) -> Tuple[Program, List[str]]:
    candidate, names = program.copy(), []
    for name in rng.sample(list(kinds), rng.randint(1, most)):
        if kinds[name](candidate, rng):
            names.append(name)
    return candidate, names


Look = Tuple[List[torch.Tensor], List[torch.Tensor], List[int]]


def look(program: Program, dtype: torch.dtype = torch.float64) -> Look:
    outputs, inputs = run(program, dtype)
    return outputs, inputs, sharing(outputs + inputs)


def sharing(tensors: List[torch.Tensor]) -> List[int]:
    """For each tensor the first that shares its memory."""
    memory = [storage(tensor) for tensor in tensors]
    return [memory.index(one) for one in memory]


def storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr() if hasattr(tensor, "untyped_storage") else tensor.storage().data_ptr()


def same_form(original: Look, candidate: Look, names: List[str]) -> bool:
    """Raises if the numbers differ."""
    for a, b in zip(original[0] + original[1], candidate[0] + candidate[1]):
        if a.shape != b.shape or a.dtype != b.dtype or distance(a, b) > TOLERANCE * max(1.0, float(a.abs().max())):
            raise GeneratorBug("an honest rewrite changed an output: %s" % names)
    return original[2] == candidate[2] and all(a.stride() == b.stride() for a, b in zip(original[0], candidate[0]))


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    gap = (a - b).abs().max()
    return float("inf") if bool(torch.isnan(gap)) else float(gap)


