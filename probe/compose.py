"""A recomposed program: where a component is asked for, the class of the step that refactors it is given, which builds
itself as in its own step; and every component remembers what its parent built it with."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import types

import torch

from . import construct, values

TYPE_CHECKING = False  # typing takes milliseconds to load
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

# Where an instance keeps what it was built with; a copy of the instance has it too. No identifier is spelled so.
CONSTRUCTION = "\0construction"
LONGEST_ARGUMENT = 1 << 14  # characters of JSON
DEEPEST_CONFIGURATION = 8
HAVE_ITEMS = (torch.Tensor, dict, list, tuple, set, frozenset, str, bytes, int, float)  # what they hold is no attribute
MOST_CONSTRUCTIONS = 100000


class Composition:
    """The components of a program, by the numbers of their own files."""

    def __init__(self, rows: List[Dict[str, Any]], class_names: List[str], module: Callable[[int], types.ModuleType]) -> None:
        self.rows = {row["file"]: row for row in rows}
        self.class_names = class_names
        self.module = module
        self.made: Dict[int, Tuple[types.ModuleType, Dict[str, Any]]] = {}

    def given(self, index: int) -> Tuple[types.ModuleType, Dict[str, Any]]:
        """A component's module, and what is given instead of its own attributes."""
        if index not in self.made:
            own = self.module(index)
            if not any(name in vars(own) for name in self.class_names):  # it is being run
                return own, {}
            self.made[index] = own, {}
            self.made[index] = own, self.stand_ins(self.rows[index], own)
        return self.made[index]

    def stand_ins(self, row: Dict[str, Any], own: types.ModuleType) -> Dict[str, Any]:
        kind = construct.find_class(own, self.class_names)
        signature = inspect.signature(kind.__init__)
        told = {"file": row["file"], "own_init": own_construction(signature, own)}
        if row["refactored"] is None:
            remember(kind, signature, told, None)
            return {}
        refactored = construct.find_class(self.module(row["refactored"]), self.class_names)
        builder = self.module(row["init"])
        remember(refactored, signature, told, builder)
        return {name: refactored for name in self.class_names if name in vars(own)}

    def attribute(self, index: int, name: str) -> Any:
        own, instead = self.given(index)
        return instead[name] if name in instead else getattr(own, name)

    def whole(self, index: int) -> types.ModuleType:
        """The component's module, as its importers see it."""
        own, instead = self.given(index)
        if not instead:
            return own
        seen = types.ModuleType(own.__name__)
        seen.__dict__.update(own.__dict__)
        seen.__dict__.update(instead)
        return seen


def own_construction(signature: inspect.Signature, own: types.ModuleType) -> Any:
    """As `encode`, of what the component's own get_init_inputs() gives; None if that can't be had."""
    try:
        arguments, keywords = construct.own_init_inputs(own)
        return encode(signature, None, arguments, keywords)
    except Exception:
        return None


def remember(kind: Any, signature: inspect.Signature, told: Dict[str, Any], builder: Optional[types.ModuleType]) -> None:
    """Has instances of `kind` keep what they are built with, beside what is told of the component. With `builder`, they are built with its get_init_inputs()."""
    initialise = kind.__init__

    def __init__(self: Any, *arguments: Any, **keywords: Any) -> None:
        if type(self) is kind and CONSTRUCTION not in self.__dict__:
            self.__dict__[CONSTRUCTION] = json.dumps(dict(told, init=encode(signature, self, arguments, keywords)))
            if builder is not None:
                given, named = construct.own_init_inputs(builder)
                arguments, keywords = tuple(given), named
        initialise(self, *arguments, **keywords)

    kind.__init__ = __init__


def encode(signature: inspect.Signature, instance: Any, arguments: Any, keywords: Any) -> Any:
    """A dict value: the arguments by the names that the component's own __init__ gives them, defaults too."""
    bound = signature.bind(instance, *arguments, **keywords)
    bound.apply_defaults()
    pairs: List[Any] = []
    for name, value in list(bound.arguments.items())[1:]:
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            pairs += [[str(key), encode_one(item)] for key, item in value.items()]
        else:
            pairs.append([name, encode_one(value)])
    return {"d": pairs}


def encode_one(value: Any) -> Any:
    """What is too long to be sent is told by its hash: two that differ must not look alike."""
    try:
        encoded = values.encode(opened(value), lambda tensor: 0)
        text = json.dumps(encoded)
        if len(text) <= LONGEST_ARGUMENT:
            return encoded
        return {"o": "%s with the hash %s" % (type(value).__name__, hashlib.sha256(text.encode()).hexdigest()[:32])}
    except (TypeError, ValueError):
        pass
    return {"o": type(value).__name__}


def opened(value: Any, depth: int = 0) -> Any:
    """A configuration that is an object of the user's own, as a dict of its attributes: they are what it says."""
    def inner(item: Any) -> Any:
        return opened(item, depth + 1)

    kind = type(value)
    if depth > DEEPEST_CONFIGURATION:
        return value
    if kind in (list, tuple):
        return kind(inner(item) for item in value)
    if kind is dict:
        return {key: inner(item) for key, item in value.items()}
    if callable(value) or dataclasses.is_dataclass(value) or isinstance(value, HAVE_ITEMS) or not hasattr(value, "__dict__"):
        return value
    return {kind.__name__: {key: inner(item) for key, item in sorted(vars(value).items())}}


def constructions(model: torch.nn.Module) -> List[Dict[str, Any]]:
    """Every place of the model at which a component stands; one that is met again says where it was first."""
    found: List[Dict[str, Any]] = []
    first: Dict[int, str] = {}
    for path, module in places(model, "", (id(model),)):
        kept = vars(module).get(CONSTRUCTION)
        if kept is not None and len(found) < MOST_CONSTRUCTIONS:
            found.append(dict(json.loads(kept), module=path, same_as=first.get(id(module))))
            first.setdefault(id(module), path)
    return found


def places(module: torch.nn.Module, path: str, above: Tuple[int, ...]) -> Iterator[Tuple[str, torch.nn.Module]]:
    yield path, module
    for name, child in module._modules.items():
        if child is not None and id(child) not in above:
            yield from places(child, path + "." + name if path else name, above + (id(child),))
