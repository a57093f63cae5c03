"""What counts as changed in a Python object, and what doesn't.

`python3 tests/probe/test_likeness.py [test names]`
"""

import collections
import functools
import itertools
import sys

import torch

from trace_support import run_all

from probe import likeness  # noqa: E402  trace_support says where it is
from probe.registry import FileRegistry  # noqa: E402

REGISTRY = FileRegistry({"main": 0, "role": "candidate", "files": [{"path": __file__, "name": "main.py", "at": 0, "size": 0}]}, b"")


class Counter:
    def __init__(self):
        self.n = 0

    def __call__(self):
        self.n += 1

    step = __call__


class Slotted:
    __slots__ = ("n",)


def counted(calls=[]):  # noqa: B006
    calls.append(1)


def closed(calls):
    return lambda: calls.append(1)


def generated():
    for n in itertools.count():
        yield n


def rows(value):
    return likeness.Likeness(value, REGISTRY, {}).rows


def test_what_changes():
    counter, bound, slotted, tensor, calls = Counter(), Counter().step, Slotted(), torch.zeros(2), []
    slotted.n = 0
    tensor.n = 0
    deep = functools.reduce(lambda inner, _: [inner], range(50), [0])
    innermost = functools.reduce(lambda outer, _: outer[0], range(50), deep)
    iterator, generator, partial, closure, module = iter([1, 2, 3]), generated(), functools.partial(counted, []), closed([]), torch.nn.Linear(1, 1)
    ordered = collections.OrderedDict(a=1, b=2)
    random = torch.Generator()
    data = bytearray(2)

    def item(container, index, value):
        container[index] = value

    for value, change in (
            (counter, counter), (bound, bound), (slotted, lambda: setattr(slotted, "n", 1)), (tensor, lambda: setattr(tensor, "n", 1)),
            (deep, lambda: innermost.append(1)), ([0] * 100, None), (iterator, lambda: next(iterator)), (generator, lambda: next(generator)),
            (partial, lambda: partial.args[0].append(1)), (closure, closure), (counted, counted), (calls.append, lambda: calls.append(1)),
            ([module], lambda: setattr(module, "n", 1)), (ordered, lambda: ordered.move_to_end("a")),
            (random, lambda: torch.rand(1, generator=random)), (data, lambda: item(data, 0, 1)), ({"a": {1}}, None)):
        if change is None:
            change = (lambda v: lambda: item(v, -1, 1.0) if isinstance(v, list) else v["a"].add(2))(value)
        before = rows(value)
        assert rows(value) == before, value
        change()
        assert rows(value) != before, value


def test_what_does_not():
    assert rows([torch.zeros(2), {"a": [1, 2]}, {3, 4}]) == rows([torch.ones(2), {"a": [1, 2]}, {4, 3}])
    assert rows([1]) != rows([True]) and rows([0.0]) != rows([-0.0]) and rows([float("nan")]) == rows([float("nan")])
    shared = []
    assert rows([shared, shared]) != rows([[], []])
    ring = []
    ring.append(ring)
    assert rows(ring) == rows(ring)


def test_too_much_is_said():
    assert likeness.Likeness([[n] for n in range(10)], REGISTRY, {}).is_whole
    assert not likeness.Likeness([[[n]] for n in range(likeness.MOST_OBJECTS)], REGISTRY, {}).is_whole


if __name__ == "__main__":
    sys.exit(run_all(globals()))
