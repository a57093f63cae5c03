"""Questions about programs: what may be overwritten, what is equal but for the names of parameters."""

from __future__ import annotations

from typing import Dict, List, Tuple

from models import FRESH, INPLACE, Node, Program

SYMMETRIC = {"add", "mul"}


def may_be_inplace(program: Program, number: int) -> bool:
    """The first operand's memory is its own and nobody else reads it."""
    node = program.nodes[number]
    if node.op not in INPLACE or not node.inputs:
        return False
    first = node.inputs[0]
    producer = program.nodes[first]
    return (producer.op in FRESH and first not in program.outputs and program.users(first) == [number]
            and not producer.after)


def shape_label(program: Program, node: Node) -> Tuple[object, ...]:
    return tuple((role, program.slots[slot].shape, program.slots[slot].kind) for role, slot in sorted(node.params.items()))


def anonymous(program: Program) -> Tuple[int, ...]:
    """What the outputs are, with every parameter known by its shape alone. Programs with different answers are different
    whatever parameter stands for which; equal answers say nothing. Only answers of one process compare."""
    found: Dict[int, int] = {}
    for number, node in program.nodes.items():
        used = [found[i] for i in node.inputs]
        attrs = dict(node.attrs)
        if attrs.pop("reversed", False):
            used.reverse()
        if node.op in SYMMETRIC:
            used.sort()
        place = program.inputs.index(number) if number in program.inputs else -1
        found[number] = hash((node.op, place, tuple(used), repr(sorted(attrs.items())), shape_label(program, node)))
    return tuple(found[output] for output in program.outputs)


def uses_of_slots(program: Program) -> List[int]:
    """How often each parameter is used: the same for programs that differ in names alone."""
    counts: Dict[str, int] = {}
    for number in program.upstream(program.outputs):
        for slot in program.nodes[number].params.values():
            counts[slot] = counts.get(slot, 0) + 1
    return sorted(counts.values())
