"""Tensors in memory files: written once a storage, sealed, and mapped copy-on-write by who reads them."""

from __future__ import annotations

import ctypes
import fcntl
import math
import mmap
import os
from typing import Any, Dict, List, Optional, Tuple

import torch

ALIGNMENT = 64
GOLDEN_RATIO = 0.6180339887498949  # multiples of it, less their whole parts, are spread evenly
WIDEST = 16  # bytes of the widest dtype: views of one storage by other dtypes stay aligned
MOST_AT_ONCE = 64 << 20
MADV_DONTNEED = 4
LIBC = ctypes.CDLL(None)
GET_SEALS = 1034
ADD_SEALS, SEAL_SEAL, SEAL_SHRINK, SEAL_GROW, SEAL_WRITE = 1033, 1, 2, 4, 8
Located = Dict[str, Any]


def storage_of(tensor: torch.Tensor) -> Any:
    """The untyped storage, in torch 1.13 and 2.x."""
    if hasattr(tensor, "untyped_storage"):
        return tensor.untyped_storage()
    return tensor.storage().untyped()


def storage_key(tensor: torch.Tensor) -> Optional[Tuple[str, int]]:
    """Equal for tensors that share memory; None for those that have none of their own."""
    try:
        pointer = storage_of(tensor).data_ptr()
    except (RuntimeError, NotImplementedError, ValueError):  # the last of lazy parameters
        return None
    return (str(tensor.device), pointer) if pointer else None


def unsupported(tensor: torch.Tensor) -> Optional[str]:
    """Why this tensor has no plain bytes; None if it has."""
    if tensor.layout != torch.strided:
        return str(tensor.layout).split(".")[-1]
    if tensor.is_quantized:
        return "quantized"
    if tensor.device.type == "meta":
        return "meta"
    if tensor.is_nested:
        return "nested"
    return None


class TensorWriter:
    """Collects tensors, then writes each storage that they use once, as far as they reach into it."""

    def __init__(self, descriptor: int, shapes: bool = False) -> None:
        """`shapes`: a tensor without data (meta) is one whose bytes are not written."""
        self.descriptor = descriptor
        self.shapes = shapes
        self._numbers: Dict[int, int] = {}
        self._kept: List[torch.Tensor] = []  # keeps ids and pointers from being used again
        self._plain: List[Any] = []

    def number(self, tensor: torch.Tensor) -> int:
        """The tensor's number in the table; the same object has the same number."""
        if id(tensor) not in self._numbers:
            self._numbers[id(tensor)] = len(self._kept)
            self._kept.append(tensor)
            self._plain.append("shape" if self.shapes and tensor.device.type == "meta" else unsupported(tensor) or plain(tensor))
        return self._numbers[id(tensor)]

    def finish(self, written: Any = lambda number: True, discard: bool = False) -> List[Located]:
        """Writes the tensors, seals the file, and gives the table. A tensor of which `written(number)` is false has no
        bytes in the file: its `storage` is null. With `discard`, tensors lose their values as they are written, so that
        there is never a second copy of them all."""
        spans: Dict[Any, List[int]] = {}
        for number, tensor in enumerate(self._plain):
            if not isinstance(tensor, str) and written(number):
                low, high = reach(tensor)
                low -= (low - storage_of(tensor).data_ptr()) % WIDEST if high > low else 0
                span = spans.setdefault(span_key(tensor), [low, high])
                span[0], span[1] = min(span[0], low), max(span[1], high)
        places: Dict[Any, int] = {}
        end = 0
        for key, (low, high) in spans.items():
            places[key] = end if high > low else 0  # the file may end before the next place
            write_bytes(self.descriptor, low, high - low, end, discard)
            end = -(-(end + high - low) // ALIGNMENT) * ALIGNMENT
        seal(self.descriptor)
        return [located_shape(self._kept[number]) if isinstance(tensor, str) and tensor == "shape" else {"unsupported": tensor}
                if isinstance(tensor, str) else locate(tensor, spans, places, written(number))
                for number, tensor in enumerate(self._plain)]


def write_bytes(descriptor: int, address: int, size: int, at: int, discard: bool = False) -> None:
    done = 0
    while done < size:
        view = (ctypes.c_char * min(size - done, MOST_AT_ONCE)).from_address(address + done)
        count = os.pwrite(descriptor, memoryview(view), at + done)
        if discard:
            give_back(address + done, count)
        done += count


def give_back(address: int, size: int) -> None:
    """Frees the whole pages in this range of private memory; they read as zeros afterwards."""
    low = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE
    high = (address + size) // mmap.PAGESIZE * mmap.PAGESIZE
    if high > low:
        LIBC.madvise(ctypes.c_void_p(low), ctypes.c_size_t(high - low), MADV_DONTNEED)


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor on the CPU, without lazy conjugation or negation."""
    tensor = tensor.detach()
    if tensor.device.type != "cpu":
        tensor = tensor.cpu()
    return tensor.resolve_conj().resolve_neg()


def reach(tensor: torch.Tensor) -> Tuple[int, int]:
    """Address of the first byte of its elements, and one past the last."""
    low = tensor.data_ptr()
    if tensor.numel() == 0:
        return low, low
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))
    return low, low + (last + 1) * tensor.element_size()


def span_key(tensor: torch.Tensor) -> Any:
    # Empty tensors have no memory: each is on its own.
    return id(tensor) if tensor.numel() == 0 else storage_of(tensor).data_ptr()


def located_shape(tensor: torch.Tensor) -> Located:
    return {"dtype": str(tensor.dtype), "shape": list(tensor.shape), "stride": list(tensor.stride()), "offset": 0,
            "storage": None}


def locate(tensor: torch.Tensor, spans: Any, places: Any, is_written: bool) -> Located:
    located = {"dtype": str(tensor.dtype), "shape": list(tensor.shape), "stride": list(tensor.stride()), "offset": 0,
               "storage": None}
    if is_written:
        key = span_key(tensor)
        low, high = spans[key]
        located["offset"] = (tensor.data_ptr() - low) // tensor.element_size()
        located["storage"] = {"at": places[key], "size": high - low}
    return located


def seal(descriptor: int) -> None:
    """For good. One that is sealed already stays so."""
    if not fcntl.fcntl(descriptor, GET_SEALS) & SEAL_SEAL:
        fcntl.fcntl(descriptor, ADD_SEALS, SEAL_SEAL | SEAL_SHRINK | SEAL_GROW | SEAL_WRITE)


def read_all(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


class TensorReader:
    """Tensors over a private mapping of a memory file: writing to them changes no one else's. Those of one storage share it."""

    def __init__(self, descriptor: Optional[int], device: str = "cpu") -> None:
        self.device = device
        size = os.fstat(descriptor).st_size if descriptor is not None else 0
        self._mapping = mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY) if size else None
        self._storages: Dict[Tuple[int, int], torch.Tensor] = {}

    def tensor(self, located: Located) -> torch.Tensor:
        if "unsupported" in located:
            raise TypeError("a %s tensor can't be handed to another process" % located["unsupported"])
        dtype = dtype_of(located)
        at, size = located["storage"]["at"], located["storage"]["size"]
        if size == 0:
            return torch.empty_strided(located["shape"], located["stride"], dtype=dtype, device=self.device)
        return self._bytes(at, size).view(dtype).as_strided(located["shape"], located["stride"], located["offset"])

    def tensors(self, table: List[Located]) -> List[torch.Tensor]:
        return [self.sized(located) for located in table]

    def sized(self, located: Located) -> torch.Tensor:
        """An input at a size that was tried, which may reach past what the sample wrote: its elements then come again, in another
        order, and numbers at another scale, so that no part is equal to another."""
        if "unsupported" in located:
            return self.tensor(located)
        dtype = dtype_of(located)
        there = located["storage"]["size"] // torch.empty(0, dtype=dtype).element_size() - located["offset"]
        last = sum((size - 1) * stride for size, stride in zip(located["shape"], located["stride"]))
        if last < there or 0 in located["shape"]:
            return self.tensor(located)
        if there <= 0:
            return torch.zeros(located["shape"], dtype=dtype, device=self.device)
        flat = self.tensor(dict(located, shape=[there], stride=[1]))
        index = torch.arange(math.prod(located["shape"]), device=self.device)
        again = flat[(index + index // there) % there]
        if dtype.is_floating_point or dtype.is_complex:
            scale = torch.where(index < there, 1.0, 0.5 + index.double() * GOLDEN_RATIO % 1.0)
            again = (again.to(torch.complex128 if dtype.is_complex else torch.float64) * scale).to(dtype)
        return again.reshape(located["shape"])

    def _bytes(self, at: int, size: int) -> torch.Tensor:
        if (at, size) not in self._storages:
            assert self._mapping is not None
            mapped = torch.frombuffer(self._mapping, dtype=torch.uint8, count=size, offset=at)
            self._storages[at, size] = mapped.to(self.device)
        return self._storages[at, size]


def dtype_of(located: Located) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, located["dtype"].split(".")[-1])
    return dtype
