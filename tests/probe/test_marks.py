"""Sizes that remember what they are: the same numbers as without, and every test of one told, with its place.

`python3 tests/probe/test_marks.py [test names]`
"""

import json
import math
import operator
import random
import sys

import torch

from test_tracer import trace
from trace_support import run_all

from probe import marks  # noqa: E402  trace_support says where it is

COUNT = 4000
BINARY = [operator.add, operator.sub, operator.mul, operator.floordiv, operator.truediv, operator.mod, divmod, operator.and_, operator.or_,
          operator.xor, lambda a, b: pow(a, b % 5) if type(b) is int or isinstance(b, marks.MarkedInt) else a, max, min]
UNARY = [operator.neg, operator.pos, abs, operator.invert, round, math.floor, math.ceil, math.trunc, int, float, bool, hash, str, repr,
         "{}".format, "%s".__mod__, math.sqrt, lambda n: [0] * n if isinstance(n, int) else n]
TESTED = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


def outcome(function, *values):
    try:
        return function(*values)
    except Exception as cause:
        return type(cause)


def is_marked(value):
    return isinstance(value, (marks.MarkedInt, marks.MarkedFloat))


def test_the_same_numbers():
    draw = random.Random(0)
    for _ in range(COUNT):
        one = draw.choice([draw.randint(-9, 99), draw.uniform(-9, 99), 0, 1])
        other = draw.choice([draw.randint(-9, 99), draw.uniform(-9, 99), 0, 1, True])
        function = draw.choice(UNARY)
        assert repr(outcome(function, marks.mark(one))) == repr(outcome(function, one)), (function, one)
        for function in (draw.choice(BINARY), draw.choice(TESTED)):
            expected = repr(outcome(function, one, other))
            for a, b in ((marks.mark(one), other), (one, marks.mark(other)), (marks.mark(one), marks.mark(other))):
                assert repr(outcome(function, a, b)) == expected, (function, one, other)


def test_what_is_made_of_sizes_is_marked():
    n = marks.mark(6)
    made = [n + 1, 1 + n, n - 1, 1 - n, n * 2, 2 * n, n * 0.5, n + 0.5, n // 4, 7 // n, n / 4, 4 / n, n % 4, n ** 2, 2 ** n, n ** 0.5, -n, abs(n),
            n << 1, n & 3, ~n, round(n), math.floor(n / 4), math.ceil(n / 4), sum([n, n]), max(n, 2), *divmod(n, 4)]
    assert all(map(is_marked, made)), [index for index, value in enumerate(made) if not is_marked(value)]
    sizes = marks.mark(torch.zeros(2, 3).shape)
    assert type(sizes) is torch.Size and all(map(is_marked, (*sizes, *sizes[1:], sizes[-1], math.prod(sizes))))
    assert type(marks.mark(True)) is bool and marks.mark(None) is None and marks.mark("2") == "2"
    assert type(marks.plain(n)) is int and type(marks.plain(n / 4)) is float and marks.plain(3) == 3


def test_torch_and_json_take_them():
    sizes = marks.mark(torch.zeros(2, 6).shape)
    x = torch.arange(12.0).view(sizes[0], sizes[1])
    for y in (x.view(*sizes), x.reshape(sizes), torch.zeros(sizes), x.new_ones(sizes[0], 6), x[:, :sizes[1] // 2].expand(sizes[0], 3),
              torch.arange(sizes[1]), x.split(sizes[1] // 2, 1)[0], x.transpose(sizes[0] - 2, -1), x / sizes[0], x * math.sqrt(sizes[1]),
              torch.nn.functional.pad(x, (sizes[0], 0)), torch.nn.functional.interpolate(x[None], size=sizes[1] * 2),
              torch.tensor(sizes), torch.full(sizes, sizes[0] / 2), x.repeat(sizes[0], 1), x.unflatten(1, (sizes[0], 3))):
        assert not any(map(is_marked, y.shape))
    assert json.dumps(sizes) == "[2, 6]"


def test_tests_are_told():
    traced = trace("n = x.shape[0]\nif n > 2:\n    x = x + 1\nm = int(n)\nk = n if n else 1\nrows = [0] * n\nassert n in (1, 3)\n"
                   "if self.l.weight.shape[0] == 4:\n    x = x + 1\nfor row in range(n):\n    pass\nx = x * n + x / (2 * n)\nx = x * (n - 1)\nreturn x", "self.l = nn.Linear(4, 4)")
    spans = [(row[1], row[5]) for row in traced.trace["size_tests"]]
    first = spans[0][0]
    assert [(line - first, what) for line, what in spans] == [(0, "test"), (2, "lost"), (3, "test"), (4, "lost"), (5, "test"), (11, "number")], spans
    if hasattr((lambda: 0).__code__, "co_positions"):
        assert all(0 < row[2] < row[4] and row[1] == row[3] for row in traced.trace["size_tests"]), traced.trace["size_tests"]


def test_nothing_is_told_outside():
    traced = trace("self.n = x.shape[0]\nreturn x")
    assert traced.model.n > 2 and not traced.trace["size_tests"] and marks.listener is None


if __name__ == "__main__":
    sys.exit(run_all(globals()))
