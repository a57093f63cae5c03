"""Numbers that remember that they are sizes (soundness 12): what a program gets when it asks a tensor for its sizes, and what it
makes of them. Where such a number is compared, or turned into something that can't remember, `listener` is told of the frame.

Of a number that isn't a size, or a product, quotient or power of some, what meets data with it is told too: it may act like a test.

They are ints and floats to all that takes numbers; torch and C code that reads them as such sees no difference, and tells
nothing: range(n), rows[:n] and 0.5 * n, where Python asks neither operand."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, Callable, Optional

import torch

TEST, LOST, NUMBER = "test", "lost", "number"  # what is told
listener: Optional[Callable[[FrameType, str], None]] = None


class MarkedInt(int):
    """A size, or an integer that is made of sizes."""
    __slots__ = ()  # an int takes no attributes either


class MarkedFloat(float):
    """What is made of sizes and other numbers."""
    __slots__ = ()


class BentInt(MarkedInt):
    """As 1 + n // 30."""
    __slots__ = ()


class BentFloat(MarkedFloat):
    __slots__ = ()


BENT = (BentInt, BentFloat)


def mark(value: Any, bent: bool = False) -> Any:
    """The same value, as numbers that remember."""
    kind = type(value)
    if kind is int:
        return BentInt(value) if bent else MarkedInt(value)
    if kind is float:
        return BentFloat(value) if bent else MarkedFloat(value)
    if kind is torch.Size:
        return torch.Size([MarkedInt(size) for size in value])
    if kind is tuple:
        return tuple([mark(item, bent) for item in value])
    return value


def plain(value: Any) -> Any:
    """Of a marked number, what it would be without marks."""
    return (int.__int__(value) if isinstance(value, MarkedInt)
            else float.__float__(value) if isinstance(value, MarkedFloat) else value)


def tell(what: str) -> None:
    if listener is not None:
        listener(sys._getframe(2), what)


def arithmetic(base: Any, name: str) -> Callable[..., Any]:
    bends = name.strip("_") not in MONOMIAL
    own = getattr(base, name)
    of_floats = getattr(float, name, None)

    def method(self: Any, *others: Any) -> Any:
        value = own(self, *others)
        if value is NotImplemented and others and of_floats is not None and isinstance(others[0], float):
            value = of_floats(float(plain(self)), *others)
        if value is NotImplemented and others and isinstance(others[0], (list, tuple, str, bytes)):
            tell(LOST)  # [0] * n: how long it is, nothing remembers
        return mark(value, bends or isinstance(self, BENT) or bool(others) and isinstance(others[0], BENT))

    return method


def telling(base: Any, name: str, what: str) -> Callable[..., Any]:
    own = getattr(base, name)

    def method(self: Any, *others: Any) -> Any:
        value = own(self, *others)
        if value is not NotImplemented:
            tell(what)
        return value

    return method


MONOMIAL = ("mul", "rmul", "truediv", "rtruediv", "pow", "neg", "pos")
KEPT = ("add", "radd", "sub", "rsub", "mul", "rmul", "floordiv", "rfloordiv", "truediv", "rtruediv", "mod", "rmod", "divmod", "rdivmod",
        "pow", "rpow", "neg", "pos", "abs", "and", "rand", "or", "ror", "xor", "rxor", "lshift", "rlshift", "rshift", "rrshift",
        "invert", "round", "trunc", "floor", "ceil")
TESTS = ("lt", "le", "gt", "ge", "eq", "ne", "bool", "hash")
CONVERSIONS = ("int", "float", "str", "repr", "format")
CONVERSIONS_BY_NAME = ("bit_length", "bit_count", "is_integer", "as_integer_ratio", "to_bytes", "hex", "conjugate")


def put(name: str, make: Callable[..., Any], *more: Any) -> None:
    for kind, base in ((MarkedInt, int), (MarkedFloat, float)):
        if hasattr(base, name):
            setattr(kind, name, make(base, name, *more))


MarkedInt.real = MarkedInt.numerator = MarkedFloat.real = property(lambda self: self)  # type: ignore
for _name in KEPT:
    put("__%s__" % _name, arithmetic)
for _name in TESTS:
    put("__%s__" % _name, telling, TEST)
for _name in CONVERSIONS:
    put("__%s__" % _name, telling, LOST)
for _name in CONVERSIONS_BY_NAME:
    put(_name, telling, LOST)
