"""Python values as JSON and back (docs/protocol.md, "Values"). Tensors are numbers of an accompanying table."""

from __future__ import annotations

import collections
import dataclasses
import json
import types
from typing import Any, Callable, Dict, List, Optional

import torch

from .wire import clean

DEEPEST = 100
Encoder = Callable[[torch.Tensor], int]


class Unusable(TypeError):
    """A value that can't be sent to another process."""


def encode(value: Any, number: Encoder, modules: Optional[Dict[int, str]] = None, depth: int = 0) -> Any:
    """`number` gives a tensor's number; `modules` maps the id of a module to its path."""
    def inner(item: Any) -> Any:
        return encode(item, number, modules, depth + 1)

    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return clean(value)
    if kind is int:
        return value if -(1 << 62) < value < 1 << 62 else {"i": str(value) if value.bit_length() < 10000 else hex(value)}
    if kind is float:
        return {"f": value.hex()}
    if issubclass(kind, torch.Tensor):
        return {"T": number(value)}
    if depth > DEEPEST:
        return {"o": "nested too deeply"}
    if issubclass(kind, torch.Size):
        return {"s": list(value)}
    if dataclasses.is_dataclass(kind) and not isinstance(value, type):
        return encode_dataclass(value, inner)
    if issubclass(kind, (tuple, list)) and kind not in (tuple, list) and getattr(value, "__dict__", None):
        return {"o": "%s with attributes of its own" % kind.__name__}
    if issubclass(kind, tuple):
        if kind is not tuple and hasattr(kind, "_fields"):
            return {"nt": kind.__name__, "k": list(kind._fields), "v": [inner(item) for item in value]}
        return {"t": [inner(item) for item in value]}
    if issubclass(kind, list):
        return {"l": [inner(item) for item in value]}
    if issubclass(kind, dict):
        pairs = {"d": [[inner(key), inner(item)] for key, item in dict.items(value)]}
        return pairs if kind is dict else dict(pairs, n=kind.__name__)
    if issubclass(kind, (set, frozenset)):
        return {"set": sorted((inner(item) for item in value), key=json.dumps)}
    return encode_scalar(value, kind, inner, modules or {})


def encode_scalar(value: Any, kind: type, inner: Callable[[Any], Any], modules: Dict[int, str]) -> Any:
    if issubclass(kind, torch.nn.Module) and id(value) in modules:
        return {"M": modules[id(value)]}
    if kind is complex:
        return {"c": [value.real.hex(), value.imag.hex()]}
    if issubclass(kind, (bytes, bytearray)):
        return {"b": value.hex()}
    if kind is torch.dtype:
        return {"y": str(value)}
    if kind is torch.device:
        return {"D": str(value)}
    if kind in (torch.memory_format, torch.layout):
        return {"m": str(value)}
    if kind is slice:
        return {"S": [inner(value.start), inner(value.stop), inner(value.step)]}
    if kind is range:
        return {"r": [inner(value.start), inner(value.stop), inner(value.step)]}
    if value is Ellipsis:
        return {"e": 1}
    if issubclass(kind, (int, float, str)):  # numpy's floats, enumerations of numbers
        return inner(int.__int__(value) if issubclass(kind, int) else float.__float__(value) if issubclass(kind, float)
                     else str.__str__(value))
    if isinstance(value, type) or callable(value) and hasattr(kind, "__get__") and hasattr(value, "__name__"):
        return {"fn": clean(str(getattr(value, "__qualname__", None) or value.__name__))}
    if issubclass(kind, types.BuiltinFunctionType):
        return {"fn": clean(value.__name__)}
    return {"o": clean(kind.__module__ + "." + kind.__qualname__)}


def encode_dataclass(value: Any, inner: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):  # ModelOutput: what is None is not in the dict
        keys, items = list(dict.keys(value)), list(dict.values(value))
    else:
        keys = [field.name for field in dataclasses.fields(value) if hasattr(value, field.name)]
        items = [getattr(value, key) for key in keys]
    return {"dc": type(value).__name__, "k": [clean(str(key)) for key in keys], "v": [inner(item) for item in items]}


def decode(value: Any, tensors: List[torch.Tensor]) -> Any:
    """The Python value. A dataclass becomes a plain namespace with its fields; what can't be sent raises Unusable."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value
    (tag, content) = next(iter(value.items()))
    if tag == "nt" or tag == "dc":
        items = [decode(item, tensors) for item in value["v"]]
        if "nt" in value:
            return collections.namedtuple(value["nt"], value["k"])(*items)  # type: ignore[misc]
        return types.SimpleNamespace(**dict(zip(value["k"], items)))
    if "d" in value:
        pairs = [(decode(key, tensors), decode(item, tensors)) for key, item in value["d"]]
        return collections.OrderedDict(pairs) if value.get("n") == "OrderedDict" else dict(pairs)
    if tag not in DECODERS:
        raise Unusable("a value of type %s can't be handed to another process; use tensors, numbers, strings, None, "
                       "lists, tuples and dicts" % (content if tag in ("o", "fn") else tag))
    return DECODERS[tag](content, tensors)


def decode_items(items: List[Any], tensors: List[torch.Tensor]) -> List[Any]:
    return [decode(item, tensors) for item in items]


DECODERS: Dict[str, Callable[[Any, List[torch.Tensor]], Any]] = {
    "i": lambda text, _: int(text, 0),
    "f": lambda text, _: float.fromhex(text),
    "c": lambda parts, _: complex(float.fromhex(parts[0]), float.fromhex(parts[1])),
    "b": lambda text, _: bytes.fromhex(text),
    "T": lambda number, tensors: tensors[number],
    "l": decode_items,
    "t": lambda items, tensors: tuple(decode_items(items, tensors)),
    "s": lambda sizes, _: torch.Size(sizes),
    "y": lambda name, _: getattr(torch, name.split(".")[-1]),
    "D": lambda name, _: torch.device(name),
    "m": lambda name, _: getattr(torch, name.split(".")[-1]),
    "S": lambda parts, tensors: slice(*decode_items(parts, tensors)),
    "r": lambda parts, tensors: range(*decode_items(parts, tensors)),
    "e": lambda _, __: Ellipsis,
}
