"""A model's parameters and buffers: what there is, what is tied, and giving them values without copying."""

from __future__ import annotations

import gc
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import torch

from .memory import Located, TensorReader, storage_key
from .registry import FileRegistry

DEEPEST_CONTAINER = 4
OWN = frozenset(vars(torch.nn.Module()))  # attributes of every module: hooks and the like, which are torch's


class Entry(NamedTuple):
    key: str
    kind: str  # "parameter" or "buffer"
    persistent: bool
    tensor: torch.Tensor
    path: str  # of the module that holds it
    module: torch.nn.Module


def entries(model: torch.nn.Module) -> List[Entry]:
    """In the order of state_dict(); a module that stands at two paths has its entries twice."""
    found: List[Entry] = []

    def walk(module: torch.nn.Module, path: str, above: Tuple[int, ...]) -> None:
        prefix = path + "." if path else ""
        for name, tensor in module._parameters.items():
            if tensor is not None:
                found.append(Entry(prefix + name, "parameter", True, tensor, path, module))
        for name, tensor in module._buffers.items():
            if tensor is not None:
                persistent = name not in module._non_persistent_buffers_set
                found.append(Entry(prefix + name, "buffer", persistent, tensor, path, module))
        for name, child in module._modules.items():
            if child is not None and id(child) not in above:
                walk(child, prefix + name, above + (id(child),))

    walk(model, "", (id(model),))
    return found


def identity(tensor: torch.Tensor) -> Any:
    """Equal for tensors that are the same elements of the same memory."""
    key = storage_key(tensor)
    if key is None or tensor.numel() == 0:
        return id(tensor)
    return key, tensor.storage_offset(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype


def ties(found: List[Entry]) -> Dict[str, str]:
    """For each key whose tensor an earlier key has too: that first key."""
    first: Dict[Any, str] = {}
    tied = {}
    for entry in found:
        key = first.setdefault(identity(entry.tensor), entry.key)
        if key != entry.key:
            tied[entry.key] = key
    return tied


class Attribute(NamedTuple):
    path: str
    name: str
    tensor: torch.Tensor


def attributes(model: torch.nn.Module) -> List[Attribute]:
    """Tensors that modules keep as plain attributes, in lists, tuples and dicts too, other than their own entries."""
    registered = {id(entry.tensor) for entry in entries(model)}
    return [Attribute(path, name, tensor) for path, module in model.named_modules()
            for name, tensor in kept_tensors(module) if id(tensor) not in registered]


def kept_tensors(module: torch.nn.Module) -> Iterator[Tuple[str, torch.Tensor]]:
    for name, value in vars(module).items():
        if name in OWN:
            continue
        if isinstance(value, torch.Tensor):
            yield name, value
        elif isinstance(value, (list, tuple, dict)) and len(value):
            for path, tensor in tensors_in(value, name, DEEPEST_CONTAINER):
                yield path, tensor


def tensors_in(value: Any, path: str, depth: int) -> Iterator[Tuple[str, torch.Tensor]]:
    """Each tensor in nested containers with its path: `mask[0]`, `cache["key"]`."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif depth > 0 and isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            for found in tensors_in(item, "%s[%d]" % (path, index), depth - 1):
                yield found
    elif depth > 0 and isinstance(value, dict):
        for key, item in dict.items(value):
            shown = '"%s"' % key if isinstance(key, str) else str(key) if isinstance(key, int) else "..."
            for found in tensors_in(item, "%s[%s]" % (path, shown), depth - 1):
                yield found


def describe_modules(model: torch.nn.Module, registry: FileRegistry) -> List[Dict[str, Any]]:
    return [{"path": path, "class": type(module).__qualname__, "file": registry.owner_of(type(module)),
             "library": library_name(type(module), registry)} for path, module in model.named_modules()]


def library_name(kind: type, registry: FileRegistry) -> Optional[str]:
    return None if registry.owner_of(kind) >= 0 else "%s.%s" % (kind.__module__, kind.__qualname__)


def place_weights(model: torch.nn.Module, given: Dict[str, Located], descriptor: Optional[int], device: str) -> None:
    """Gives each entry named in `given` that tensor as its memory. Where other tensors look into the same memory
    (views kept as attributes), the values are copied in instead, so that those follow. Two entries that are not tied share
    no memory, even if what they get lies in one storage."""
    found = entries(model)
    unknown = set(given) - {entry.key for entry in found}
    if unknown:
        raise KeyError("no parameter or buffer %s" % ", ".join(sorted(unknown)))
    groups: Dict[Any, List[Entry]] = {}
    for entry in found:
        groups.setdefault(storage_key(entry.tensor) or id(entry.tensor), []).append(entry)
    aliased = storages_seen_elsewhere(groups, {id(entry.tensor) for entry in found})
    readers: List[TensorReader] = []
    uses: Dict[int, int] = {}  # byte offset of a storage -> how many groups have it mapped
    with torch.no_grad():
        for storage, group in groups.items():
            rows = [(entry, given[entry.key]) for entry in group if entry.key in given]
            if not rows:
                continue
            use = max(uses.get(located["storage"]["at"], 0) for _, located in rows)
            if use == len(readers):
                readers.append(TensorReader(descriptor, device))
            for _, located in rows:
                uses[located["storage"]["at"]] = use + 1
            sources = [(entry, readers[use].tensor(located)) for entry, located in rows]
            whole = storage not in aliased and len({identity(entry.tensor) for entry in group}) == 1
            give(group, sources, whole)


def give(group: List[Entry], sources: List[Tuple[Entry, torch.Tensor]], whole: bool) -> None:
    """Gives the entries of one storage their values. `whole`: they are all the same tensor, and nobody else's."""
    first, source = sources[0]
    if whole and replaceable(first.tensor, source):
        for tensor in {id(entry.tensor): entry.tensor for entry in group}.values():
            tensor.data = source
        return
    for entry, source in sources:
        if entry.tensor.shape != source.shape:
            raise ValueError("%s has shape %s, and gets %s" % (entry.key, list(entry.tensor.shape), list(source.shape)))
        entry.tensor.data.copy_(source)


def replaceable(tensor: torch.Tensor, source: torch.Tensor) -> bool:
    return (tensor.dtype == source.dtype and tensor.shape == source.shape and tensor.device == source.device
            and tensor.layout == torch.strided and tensor.stride() == source.stride())


def storages_seen_elsewhere(groups: Dict[Any, List[Entry]], known: Any) -> Any:
    """The storages that a tensor other than the model's own entries looks into. The zygote's objects are frozen, so what
    the collector tracks is what this cell made."""
    seen = set()
    for candidate in gc.get_objects():
        if issubclass(type(candidate), torch.Tensor) and id(candidate) not in known:
            key = storage_key(candidate)
            if key in groups:
                seen.add(key)
    return seen
