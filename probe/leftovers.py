"""What a call of forward leaves behind in Python: in the attributes of modules, and in the containers that it was given."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple

import torch

from .likeness import PLAIN, Likeness, namespaces
from .registry import FileRegistry
from .state import OWN

REGISTERED = ("_parameters", "_buffers", "_modules")
DEEPEST = 8


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


def attributes(model: torch.nn.Module, registry: FileRegistry) -> Dict[str, Any]:
    """What modules keep otherwise, but for the numbers in tensors."""
    leaves = {id(module): module for module in model.modules()}
    found = {name: likeness(value, registry, leaves) for name, value in named(model)}
    for path, module in model.named_modules():
        for name, tensor in list(module._parameters.items()) + list(module._buffers.items()):
            if tensor is not None and vars(tensor):
                found[(path + "." if path else "") + name] = likeness(tensor, registry, leaves)
    return found


def globals_of(model: torch.nn.Module, registry: FileRegistry) -> Dict[str, Any]:
    """What the global names of the program's own files stand for."""
    leaves = {id(module): module for module in model.modules()}
    return {"%s of %s" % (name, file): likeness(value, registry, leaves)
            for file, table in namespaces(model, registry).items() for name, value in table.items()}


def likeness(value: Any, registry: FileRegistry, leaves: Dict[int, Any]) -> Any:
    kind = type(value)
    if kind in PLAIN:
        return kind, repr(value) if kind in (float, complex) else value
    found = Likeness(value, registry, leaves)
    return found.rows if found.is_whole else object()  # which equals nothing: what wasn't looked at may have changed


def named(model: torch.nn.Module) -> Iterator[Tuple[str, Any]]:
    """Each attribute of each module, but for those that are torch's own."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name not in OWN:
                yield (path + "." if path else "") + name, value


def changed(before: Dict[str, Any], after: Dict[str, Any]) -> List[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def layout(value: Any, registry: FileRegistry, depth: int = 0) -> Any:
    """Of an argument of forward: which tensors it has where, and how these are laid out."""
    if isinstance(value, torch.Tensor):
        try:
            return id(value), value.shape, value.stride(), value.storage_offset()
        except RuntimeError:  # sparse: no strides
            return id(value), value.shape
    if depth < DEEPEST and isinstance(value, dict):
        return tuple((likeness(key, registry, {}), layout(item, registry, depth + 1)) for key, item in dict.items(value))
    if depth < DEEPEST and isinstance(value, (list, tuple)):
        return tuple(layout(item, registry, depth + 1) for item in value)
    return likeness(value, registry, {})


class Leftovers:
    """Of all calls of forward that are recorded in one process."""

    def __init__(self, model: torch.nn.Module, registry: FileRegistry) -> None:
        self.model, self.registry = model, registry
        self.attributes: Any = None  # after the last call, and global names

    def begin(self, arguments: List[Any], keywords: Dict[str, Any]) -> None:
        self.arguments = [("args[%d]" % index, value) for index, value in enumerate(arguments)] + list(keywords.items())
        self.layouts = [layout(value, self.registry) for _, value in self.arguments]
        self.switches = switches(self.model)

    def changed(self, again: bool) -> List[str]:
        """The names of what is left otherwise; `again`: at the sizes of the first, so that what hangs on sizes was kept."""
        found = changed(self.switches, switches(self.model))
        if again or self.attributes is None:
            now = dict(attributes(self.model, self.registry), **globals_of(self.model, self.registry))
            found += changed(self.attributes, now) if again and self.attributes is not None else []
            self.attributes = now
        return found

    def given(self) -> List[Tuple[str, Any]]:
        """The arguments that are not what they were, as they are now."""
        return [pair for pair, was in zip(self.arguments, self.layouts) if layout(pair[1], self.registry) != was]
