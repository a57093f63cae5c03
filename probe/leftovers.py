"""What a call of forward leaves behind in Python: in the attributes of modules, and in the containers that it was given."""

from __future__ import annotations

import collections
from typing import Any, Dict, Iterator, List, Tuple

import torch

from .state import OWN

REGISTERED = ("_parameters", "_buffers", "_modules")
DEEPEST, MOST_ITEMS = 8, 10_000
PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size)


def switches(model: torch.nn.Module) -> Dict[str, Any]:
    """What no forward has to change: the mode of modules, what is registered, what takes gradients."""
    found: Dict[str, Any] = {}
    for path, module in model.named_modules():
        prefix = path + "." if path else ""
        found[prefix + "training"] = module.training
        for table in REGISTERED:
            found[prefix + table] = tuple(vars(module).get(table) or ())
        for name, tensor in module._parameters.items():
            if tensor is not None:
                found[prefix + name] = tensor.requires_grad
    return found


def attributes(model: torch.nn.Module) -> Dict[str, Any]:
    """What modules keep otherwise, but for the numbers in tensors."""
    return {name: likeness(value, 0) for name, value in named(model)}


def named(model: torch.nn.Module) -> Iterator[Tuple[str, Any]]:
    """Each attribute of each module, but for those that are torch's own."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name not in OWN:
                yield (path + "." if path else "") + name, value


def changed(before: Dict[str, Any], after: Dict[str, Any]) -> List[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def likeness(value: Any, depth: int) -> Any:
    """Equal for what can't be told apart but by the numbers in its tensors. Runs no code of the value's own class."""
    kind = type(value)
    if kind in PLAIN:
        return kind, repr(value) if kind in (float, complex) else value
    if isinstance(value, (torch.Tensor, torch.nn.Module, type)) or callable(value):
        return kind, id(value) if not isinstance(value, torch.Tensor) else None
    if depth > DEEPEST:
        return kind
    if isinstance(value, torch.Generator):
        return kind, bytes(value.get_state().tolist())
    if issubclass(kind, dict):
        pairs = list(dict.items(value))
        return kind, len(pairs), tuple((likeness(key, depth + 1), likeness(item, depth + 1)) for key, item in pairs[:MOST_ITEMS])
    for base in (list, tuple, collections.deque):
        if issubclass(kind, base):
            items = list(base.__iter__(value))  # type: ignore[attr-defined]
            return kind, len(items), tuple(likeness(item, depth + 1) for item in items[:MOST_ITEMS])
    for base in (set, frozenset):
        if issubclass(kind, base):
            items = list(base.__iter__(value))  # type: ignore[attr-defined]
            return kind, len(items), tuple(sorted(repr(likeness(item, depth + 1)) for item in items[:MOST_ITEMS]))
    if kind.__module__ in ("builtins", "itertools", "_random", "random") and kind.__reduce_ex__ is object.__reduce_ex__:
        return kind, reduced(value, depth)
    return kind, likeness(vars(value), depth + 1) if hasattr(value, "__dict__") else id(value)


def reduced(value: Any, depth: int) -> Any:
    """How far an iterator is."""
    frame = getattr(value, "gi_frame", None)
    if frame is not None:
        return frame.f_lasti, likeness(dict(frame.f_locals), depth + 1)
    try:
        return likeness(value.__reduce__(), depth + 1)
    except TypeError:
        return id(value)


def layout(value: Any, depth: int = 0) -> Any:
    """Of an argument of forward: which tensors it has where, and how these are laid out."""
    if isinstance(value, torch.Tensor):
        try:
            return id(value), value.shape, value.stride(), value.storage_offset()
        except RuntimeError:  # sparse: no strides
            return id(value), value.shape
    if depth < DEEPEST and isinstance(value, dict):
        return tuple((likeness(key, depth), layout(item, depth + 1)) for key, item in dict.items(value))
    if depth < DEEPEST and isinstance(value, (list, tuple)):
        return tuple(layout(item, depth + 1) for item in value)
    return likeness(value, depth)


class Leftovers:
    """Of all calls of forward that are recorded in one process."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.attributes: Any = None  # after the last call

    def begin(self, arguments: List[Any], keywords: Dict[str, Any]) -> None:
        self.arguments = [("args[%d]" % index, value) for index, value in enumerate(arguments)] + list(keywords.items())
        self.layouts = [layout(value) for _, value in self.arguments]
        self.switches = switches(self.model)

    def changed(self, again: bool) -> List[str]:
        """The names of what is left otherwise; `again`: at the sizes of the first, so that what hangs on sizes was kept."""
        found = changed(self.switches, switches(self.model))
        if again or self.attributes is None:
            now = attributes(self.model)
            found += changed(self.attributes, now) if again and self.attributes is not None else []
            self.attributes = now
        return found

    def given(self) -> List[Tuple[str, Any]]:
        """The arguments that are not what they were, as they are now."""
        return [pair for pair, was in zip(self.arguments, self.layouts) if layout(pair[1]) != was]
