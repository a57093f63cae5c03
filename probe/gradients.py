"""The gradients of a run: of a random projection of the outputs, with respect to inputs and parameters."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Optional, Tuple

import torch

from . import state, values


def differentiable(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


class Inputs:
    """Inputs that gradients reach. What forward gets are copies, which it may write to."""

    def __init__(self, tensors: List[torch.Tensor]) -> None:
        self.leaves = [tensor.detach().requires_grad_() if differentiable(tensor) else tensor for tensor in tensors]
        with torch.enable_grad():
            self.given = [leaf.clone() if leaf.requires_grad else leaf for leaf in self.leaves]

    def named(self, names: List[str], given: List[Any]) -> Dict[str, torch.Tensor]:
        paths: Dict[int, str] = {}
        for name, value in zip(names, given):
            for path, tensor in state.tensors_in(value, name, 8):
                paths.setdefault(id(tensor), path)
        return {"the input " + paths.get(id(copy), "tensor %d" % number): leaf
                for number, (copy, leaf) in enumerate(zip(self.given, self.leaves)) if leaf.requires_grad}


def of_outputs(outputs: Any, inputs: Dict[str, torch.Tensor], model: torch.nn.Module, rows: List[Dict[str, Any]],
               seed: int) -> Dict[str, Optional[torch.Tensor]]:
    """`rows`: the "weights" of the work, whose "originals" say of which parameters' gradients theirs are parts. None: no
    gradient gets there."""
    found = state.entries(model)
    tensors: Dict[Any, Dict[int, torch.Tensor]] = {}  # those of a tie may be several that share their memory
    for entry in found:
        if differentiable(entry.tensor):
            tensors.setdefault(state.identity(entry.tensor), {})[id(entry.tensor)] = entry.tensor
    ends = [tensor for group in tensors.values() for tensor in group.values() if tensor.requires_grad] + list(inputs.values())
    reached = dict(zip(map(id, ends), gradients(outputs, ends, seed)))
    result = {"the gradient of " + name: reached[id(tensor)] for name, tensor in inputs.items()}
    parts = {row["key"]: row.get("originals", []) for row in rows}
    for entry in found:
        gradient: Optional[torch.Tensor] = None
        for number in tensors.get(state.identity(entry.tensor), {}):
            gradient = added(gradient, reached.get(number))
        for part in parts.get(entry.key, []) if differentiable(entry.tensor) else []:
            name = "the gradient of the parameter " + part["key"]
            result[name] = added(result.get(name), placed(part, gradient))
    return result


def added(total: Optional[torch.Tensor], more: Optional[torch.Tensor]) -> Optional[torch.Tensor]:
    return more if total is None else total if more is None else total + more


def placed(part: Dict[str, Any], gradient: Optional[torch.Tensor]) -> Optional[torch.Tensor]:
    """A gradient of the refactored model as one of the original's."""
    if gradient is None or part["kind"] == "whole" and not part["transpose"]:
        return gradient
    if part["kind"] == "of candidate":
        gradient = gradient.narrow(part["dim"], part["start"], part["stop"] - part["start"])
    if part["transpose"]:
        gradient = gradient.transpose(-1, -2)
    if part["kind"] != "of original":
        return gradient
    whole = gradient.new_zeros(part["shape"])
    whole.narrow(part["dim"], part["start"], part["stop"] - part["start"]).copy_(gradient)
    return whole


def gradients(outputs: Any, ends: List[torch.Tensor], seed: int) -> List[Optional[torch.Tensor]]:
    leaves: List[torch.Tensor] = []

    def number(tensor: torch.Tensor) -> int:
        leaves.append(tensor)
        return len(leaves) - 1

    encoded = values.encode(outputs, number)
    generator = torch.Generator()
    generator.manual_seed(seed)
    projected, weights = [], []
    for _, which in sorted(paths_of(encoded, "")):
        output = leaves[which]
        if not differentiable(output):
            continue
        weight = torch.randn(output.shape, generator=generator, dtype=torch.complex128 if output.is_complex() else torch.float64)
        if output.requires_grad:
            projected.append(output)
            weights.append(weight.to(device=output.device, dtype=output.dtype))
    if not projected or not ends:
        return [None] * len(ends)
    found = torch.autograd.grad(projected, ends, grad_outputs=weights, allow_unused=True)
    return [None if gradient is None else gradient.detach().to_dense() if gradient.layout != torch.strided else gradient.detach()
            for gradient in found]


def paths_of(encoded: Any, path: str) -> Iterator[Tuple[str, int]]:
    """Each tensor of an encoded value, by a path that does not depend on the order of a dict's items."""
    if not isinstance(encoded, dict):
        return
    if "T" in encoded:
        yield path, encoded["T"]
    elif "d" in encoded or "dc" in encoded:
        pairs = encoded["d"] if "d" in encoded else zip(encoded["k"], encoded["v"])
        for key, item in pairs:
            yield from paths_of(item, "%s[%s]" % (path, json.dumps(key)))
    else:
        items = next((encoded[kind] for kind in ("l", "t", "set", "v") if kind in encoded), [])
        for index, item in enumerate(items):
            yield from paths_of(item, "%s[%08d]" % (path, index))
