"""What a Python object is, all that it reaches included, as a value that equals that of another look at it as long as nothing
in it has changed. Runs no code of the objects' own classes."""

from __future__ import annotations

import collections
import functools
import types
from typing import Any, Dict, List, Tuple

import torch

from .marks import plain
from .registry import FileRegistry

MOST_OBJECTS = 200_000
PLAIN = frozenset((bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size, type(Ellipsis), range))
SHORT = 32  # longer rows of plain values are one text
IN_ORDER = (list, tuple, collections.deque)
WITHOUT_ORDER = (set, frozenset)
CONTAINERS = (*IN_ORDER, *WITHOUT_ORDER, dict)
OF_CLASSES = ("__dict__", "__weakref__", "__doc__", "__module__", "_abc_impl", "__abstractmethods__")  # no state of theirs
OF_FILES = ("__name__", "__doc__", "__package__", "__loader__", "__spec__", "__file__", "__path__", "__cached__", "__builtins__",
            "__annotations__", "__warningregistry__")
ITERATORS = ("builtins", "itertools", "_random", "random")  # modules whose objects tell by __reduce__ how far they are


class Likeness:
    """Of one object. Objects are numbered in the order in which they are reached, so that ids don't matter, but for those
    that are looked no further into: `leaves` (by id, with the object), the classes, functions and modules of libraries."""

    def __init__(self, value: Any, registry: FileRegistry, leaves: Dict[int, Any]) -> None:
        self.registry, self.leaves = registry, leaves
        self.reached: List[Any] = []  # alive, so that an id means one object
        self.numbers: Dict[int, int] = {}
        self.rows: List[Any] = [self.refer(value)]
        for each in self.reached:  # which grows
            if len(self.rows) > MOST_OBJECTS:
                break
            self.rows.append(self.row(each))

    @property
    def is_whole(self) -> bool:
        return len(self.rows) <= MOST_OBJECTS

    def refer(self, value: Any) -> Any:
        value = plain(value)
        kind = type(value)
        if kind in PLAIN:
            return kind, repr(value) if kind in (float, complex) else value
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = len(self.reached)
            self.reached.append(value)
        return number

    def several(self, values: Any) -> Any:
        if len(values) > SHORT and PLAIN.issuperset(map(type, values)):
            return repr(values)
        return tuple([self.refer(value) for value in values])

    def pairs(self, table: Dict[Any, Any]) -> Any:
        return self.several(list(dict.keys(table))), self.several(list(dict.values(table)))

    def row(self, value: Any) -> Any:
        kind = type(value)
        if id(value) in self.leaves or isinstance(value, types.ModuleType):
            return "leaf", id(value)
        if issubclass(kind, torch.Tensor):
            return kind, self.tensor(value)
        if issubclass(kind, type):
            return "class", id(value), self.pairs({name: item for name, item in vars(value).items() if name not in OF_CLASSES}
                                                  if self.registry.owner_of(value) >= 0 else {})
        if kind is types.FunctionType:
            return "function", id(value.__code__), self.function(value)
        if kind is types.BuiltinFunctionType or kind is types.MethodWrapperType:
            owner = value.__self__
            return "method of", value.__name__, self.refer(None if owner is None else owner)
        parts = self.parts(value, kind)
        if issubclass(kind, dict):
            parts += (self.pairs(value),)
        if issubclass(kind, collections.OrderedDict):  # whose order is none of dict's
            parts += (self.several(list(collections.OrderedDict.__iter__(value))),)
        for base in IN_ORDER:
            if issubclass(kind, base):
                parts += (len(value) if kind is base else 0, self.several(list(base.__iter__(value))))  # type: ignore[attr-defined]
        for base in WITHOUT_ORDER:
            if issubclass(kind, base):
                items = list(base.__iter__(value))  # type: ignore[attr-defined]
                parts += (sorted(map(repr, items)) if PLAIN.issuperset(map(type, items)) else self.several(items),)
        return self.refer(kind), parts

    def tensor(self, tensor: torch.Tensor) -> Any:
        """Not its numbers."""
        try:
            shape: Tuple[int, ...] = tuple(tensor.shape)
        except RuntimeError:  # nested
            shape = ()
        return shape, tensor.dtype, self.pairs(vars(tensor)) if vars(tensor) else None

    def function(self, function: Any) -> Any:
        if self.registry.index_of(function.__code__.co_filename) < 0:
            return id(function)
        cells = [cell.cell_contents for cell in function.__closure__ or () if is_filled(cell)]
        return self.several(function.__defaults__ or ()), self.pairs(function.__kwdefaults__ or {}), self.several(cells), \
            self.pairs(vars(function))

    def parts(self, value: Any, kind: type) -> Tuple[Any, ...]:
        """What it has beside the items of a container."""
        if kind is types.MethodType:
            return self.refer(value.__self__), self.refer(value.__func__)
        if kind is functools.partial:
            return self.refer(value.func), self.several(value.args), self.pairs(value.keywords), self.pairs(vars(value))
        if kind is bytearray:
            return (bytes(value),)
        if kind in (staticmethod, classmethod):
            return (self.refer(value.__func__),)
        if kind is property:
            return self.refer(value.fget), self.refer(value.fset)
        if kind is torch.Generator:
            return (bytes(value.get_state().tolist()),)
        if kind is types.GeneratorType:
            frame = value.gi_frame
            return (None,) if frame is None else (frame.f_lasti, self.pairs(dict(frame.f_locals)))
        if kind.__module__ in ITERATORS and kind.__reduce_ex__ is object.__reduce_ex__ and not issubclass(kind, CONTAINERS):
            return (self.reduced(value),)
        found: Tuple[Any, ...] = ()
        table = getattr_plain(value, "__dict__")
        if isinstance(table, dict):
            found += (self.pairs(table),)
        for base in kind.__mro__:
            if "__slots__" in vars(base):
                found += tuple([(name, self.slot(member, value)) for name, member in vars(base).items()
                                if type(member) is types.MemberDescriptorType])
        return found

    def slot(self, member: Any, value: Any) -> Any:
        try:
            return self.refer(member.__get__(value))
        except AttributeError:
            return "empty"

    def reduced(self, value: Any) -> Any:
        """How far an iterator is."""
        try:
            return self.refer(value.__reduce__())
        except TypeError:
            return id(value)


def getattr_plain(value: Any, name: str) -> Any:
    try:
        return object.__getattribute__(value, name)
    except AttributeError:
        return None


def is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents
    except ValueError:
        return False
    return True


def namespaces(model: torch.nn.Module, registry: FileRegistry) -> Dict[str, Dict[str, Any]]:
    """The global names of the program's own files, as far as the classes of its modules reach them: file -> name -> value.
    What no import statement could have made (`<component>`) is the probe's."""
    found: Dict[str, Dict[str, Any]] = {}
    seen: Dict[int, Any] = {}
    todo: List[Any] = [type(module) for module in model.modules()]
    while todo:
        thing = todo.pop()
        if id(thing) in seen:
            continue
        seen[id(thing)] = thing
        table, path = None, ""
        if isinstance(thing, type):
            for base in thing.__mro__ if registry.owner_of(thing) >= 0 else ():
                todo.append(base)
            if registry.owner_of(thing) >= 0:
                todo.extend(getattr(item, "__func__", getattr(item, "fget", item)) for item in vars(thing).values())
        elif isinstance(thing, types.FunctionType):
            table, path = thing.__globals__, thing.__code__.co_filename
        elif isinstance(thing, types.ModuleType):
            table, path = vars(thing), str(vars(thing).get("__file__", ""))
        index = registry.index_of(path)
        if index >= 0 and registry.files[index]["name"] not in found:
            found[registry.files[index]["name"]] = {name: item for name, item in table.items()
                                                    if name.isidentifier() and name not in OF_FILES}
            todo.extend(found[registry.files[index]["name"]].values())
    return found
