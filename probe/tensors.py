"""Numbers for tensors and for the memory behind them, without keeping any of either alive."""

from __future__ import annotations

import weakref
from typing import Any, Dict, List, Optional, Tuple

import torch

from .pieces import FEWEST_KEPT, TENSORS, Pieces

Entry = Tuple[Any, int, Dict[str, int], List[Any]]


class Tensors:
    """A tensor's number is the object's; its storage number says what it shares memory with.

    A weak reference to a storage keeps the few bytes of its header, not its memory, so that its address means
    no other storage as long as the trace lives."""

    def __init__(self) -> None:
        # Rows of the protocol: [storage, dtype, shape, stride, offset, device, origin], but for those that were written.
        self.table: List[List[Any]] = []
        self.written = 0
        # id of the object -> weak reference, number, the value that stands for it in JSON, its row
        self.known: Dict[int, Entry] = {}
        self.storages: Dict[int, int] = {}  # address of the storage's header -> its number
        self.storage_count = 0
        self.most_storages = self.most_known = FEWEST_KEPT
        self.words: Dict[Any, str] = {}  # dtypes and devices in words
        self.storage_of = (torch.Tensor.untyped_storage if hasattr(torch.Tensor, "untyped_storage")
                           else torch.Tensor._storage)  # type: ignore[attr-defined]
        storage = self.storage_of(torch.empty(0))
        self.free, self.expired = storage._free_weak_ref, storage._expired

    def close(self) -> None:
        """Lets go of the storages' headers. No tensor may be added afterwards."""
        for address in self.storages:
            self.free(address)
        self.storages.clear()

    def write(self, pieces: Pieces) -> None:
        """No row may be changed afterwards."""
        self.written += len(self.table)
        pieces.write(TENSORS, self.table)
        if len(self.storages) > self.most_storages:
            for address in [address for address in self.storages if self.expired(address)]:
                self.free(address)
                del self.storages[address]
            self.most_storages = max(FEWEST_KEPT, 2 * len(self.storages))
        if len(self.known) > self.most_known:
            for each in [each for each, entry in self.known.items() if entry[0]() is None]:
                del self.known[each]
            self.most_known = max(FEWEST_KEPT, 2 * len(self.known))

    def find(self, tensor: torch.Tensor) -> Optional[int]:
        entry = self.known.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else None

    def entry(self, tensor: torch.Tensor) -> Entry:
        """Of a tensor that is used: of unknown origin if nothing has told of it."""
        entry = self.known.get(id(tensor))
        return entry if entry is not None and entry[0]() is tensor else self.add(tensor, ["unknown"])

    def number(self, tensor: torch.Tensor) -> int:
        return self.entry(tensor)[1]

    def add(self, tensor: torch.Tensor, origin: List[Any]) -> Entry:
        number = self.written + len(self.table)
        row = self.row(tensor, origin)
        self.table.append(row)
        entry = self.known[id(tensor)] = (weakref.ref(tensor), number, {"T": number}, row)
        return entry

    def moved(self, old: torch.Tensor, new: torch.Tensor) -> None:
        """`new` is what `old` has become on another device: in the trace the same tensor in the same memory."""
        entry = self.known.get(id(old))
        if entry is None or entry[0]() is not old or new.layout is not torch.strided:
            return
        self.known[id(new)] = (weakref.ref(new), *entry[1:])
        storage = self.storage_of(new)
        if storage._cdata not in self.storages:
            self.storages[storage._weak_ref()] = entry[3][0]

    def refresh(self, tensor: torch.Tensor, origin: List[Any]) -> None:
        """The object may have got another shape or memory: then it counts as another tensor."""
        if self.entry(tensor)[3][:6] != self.row(tensor, origin)[:6]:
            self.add(tensor, origin)

    def row(self, tensor: torch.Tensor, origin: List[Any]) -> List[Any]:
        words = self.words
        dtype, device = tensor.dtype, tensor.device
        dtype_word, device_word = words.get(dtype), words.get(device)
        if dtype_word is None or device_word is None:
            dtype_word, device_word = words[dtype], words[device] = str(dtype), str(device)
        try:
            storage = self.storage_of(tensor)
            storage_number = self.storages.get(storage._cdata)
            if storage_number is None:
                storage_number = self.storages[storage._weak_ref()] = self.storage_count
                self.storage_count += 1
            return [storage_number, dtype_word, list(tensor.shape), list(tensor.stride()), tensor.storage_offset(),
                    device_word, origin]
        except (RuntimeError, NotImplementedError):  # sparse, nested and the like: no strides, no single storage
            shape = [] if tensor.is_nested else list(tensor.shape)
            self.storage_count += 1
            return [self.storage_count - 1, dtype_word, shape, [0] * len(shape), 0, device_word, origin]
