"""Numbers for tensors and for the memory behind them, without keeping any of either alive."""

from __future__ import annotations

import weakref
from typing import Any, Dict, List, Optional, Tuple

import torch

UNKNOWN = ["unknown"]


class Tensors:
    """A tensor's number is the object's; its storage number says what it shares memory with.

    A weak reference to a storage keeps the few bytes of its header, not its memory, so that its address means
    no other storage as long as the trace lives."""

    def __init__(self) -> None:
        self.table: List[List[Any]] = []  # rows of the protocol: [storage, dtype, shape, stride, offset, device, origin]
        self.known: Dict[int, Tuple[Any, int]] = {}  # id of the object -> weak reference, number
        self.storages: Dict[int, int] = {}  # address of the storage's header -> its number
        self.storage_count = 0
        self.words: Dict[Any, str] = {}  # dtypes and devices in words
        self.storage_of = (torch.Tensor.untyped_storage if hasattr(torch.Tensor, "untyped_storage")
                           else torch.Tensor._storage)  # type: ignore[attr-defined]

    def close(self) -> None:
        for address in self.storages:
            torch._C.StorageBase._free_weak_ref(address) if hasattr(torch._C.StorageBase, "_free_weak_ref") else None
        self.storages.clear()

    def find(self, tensor: torch.Tensor) -> Optional[int]:
        entry = self.known.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else None

    def number(self, tensor: torch.Tensor) -> int:
        """The number of a tensor that is used: of unknown origin if nothing has told of it."""
        entry = self.known.get(id(tensor))
        if entry is not None and entry[0]() is tensor:
            return entry[1]
        return self.add(tensor, UNKNOWN)

    def add(self, tensor: torch.Tensor, origin: List[Any]) -> int:
        number = len(self.table)
        self.table.append(self.row(tensor, origin))
        self.known[id(tensor)] = (weakref.ref(tensor), number)
        return number

    def refresh(self, tensor: torch.Tensor, origin: List[Any]) -> int:
        """The object may have got another shape or memory: then it counts as another tensor."""
        number = self.number(tensor)
        return number if self.table[number][:6] == self.row(tensor, origin)[:6] else self.add(tensor, origin)

    def row(self, tensor: torch.Tensor, origin: List[Any]) -> List[Any]:
        words = self.words
        dtype, device = tensor.dtype, tensor.device
        if dtype not in words:
            words[dtype] = str(dtype)
        if device not in words:
            words[device] = str(device)
        try:
            return [self.storage(tensor), words[dtype], list(tensor.shape), list(tensor.stride()),
                    tensor.storage_offset(), words[device], origin]
        except (RuntimeError, NotImplementedError):  # sparse, nested and the like: no strides, no single storage
            shape = [] if tensor.is_nested else list(tensor.shape)
            self.storage_count += 1
            return [self.storage_count - 1, words[dtype], shape, [0] * len(shape), 0, words[device], origin]

    def storage(self, tensor: torch.Tensor) -> int:
        storage = self.storage_of(tensor)
        number = self.storages.get(storage._cdata)
        if number is None:
            number = self.storage_count
            self.storages[storage._weak_ref()] = number
            self.storage_count += 1
        return number
