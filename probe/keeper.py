"""Keeps what the calls of a run gave, as it was when they gave it: docs/protocol.md, "run"."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple

import torch

from .memory import ALIGNMENT, plain, seal, storage_key, unsupported, write_bytes


MOST_OF_A_CALL = 1024  # of what it gives, and of what it writes


class Keeper:
    """Copies go to the memory file at once, in row-major order without gaps: later writes in place change none of them,
    and no activation is kept alive. Once one has no room, no later one is kept."""

    def __init__(self, descriptor: int, budget: int) -> None:
        self.descriptor, self.budget = descriptor, budget
        self.rows: List[Tuple[int, int, int]] = []  # call, tensor, byte offset
        self.end = 0
        self.left_out = 0

    def take(self, call: int, number: int, tensor: torch.Tensor, used: List[torch.Tensor]) -> None:
        """`used`: what the call was made on and didn't write."""
        if not worth_keeping(tensor) or any(same_order(tensor, source) for source in used):
            return
        size = tensor.numel() * tensor.element_size()
        if self.left_out or self.end + size > self.budget:
            self.left_out += 1
            return
        copy = plain(tensor).contiguous()
        write_bytes(self.descriptor, copy.data_ptr(), size, self.end)
        self.rows.append((call, number, self.end))
        self.end = -(-(self.end + size) // ALIGNMENT) * ALIGNMENT

    def finish(self) -> Dict[str, Any]:
        seal(self.descriptor)
        return {"kept": self.rows, "left_out": self.left_out}


def worth_keeping(tensor: torch.Tensor) -> bool:
    """Numbers with a fraction, and not one number in many places (expand)."""
    return ((tensor.is_floating_point() or tensor.is_complex()) and unsupported(tensor) is None and tensor.numel() > 0
            and not any(stride == 0 and size > 1 for size, stride in zip(tensor.shape, tensor.stride())))


def same_order(tensor: torch.Tensor, source: torch.Tensor) -> bool:
    """The same memory in the same order: another shape at most."""
    return (tensor.numel() == source.numel() and tensor.dtype == source.dtype and storage_key(tensor) == storage_key(source)
            and tensor.is_contiguous() and source.is_contiguous())


def tensors_in(output: Any) -> Iterator[torch.Tensor]:
    """Those of a call's output, which is a tensor or a sequence of them."""
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, (tuple, list)):
        for item in output:
            yield from tensors_in(item)
