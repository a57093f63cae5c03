"""Records a model of models.py as the cell does: the recording, and the trace of the same run."""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Dict, List, Tuple

import torch

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from probe import record as cell  # noqa: E402
from probe import state  # noqa: E402
from probe.registry import FileRegistry  # noqa: E402
from probe.run import slow_path  # noqa: E402
from probe.tracer import Tracer  # noqa: E402

REGISTRY = FileRegistry({"main": 0, "role": "original", "files": [{"path": os.devnull, "name": "main.py", "part": "own", "at": 0, "size": 0}]},
                        b"")


def record(make: Callable[[], torch.nn.Module], inputs: List[torch.Tensor], symbolic: bool = True) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """`make` constructs the model, which is seen too."""
    tracer = Tracer(REGISTRY)
    recorder = cell.make_recorder(tracer, symbolic)
    with tracer.phase(0):
        model = make()
    for entry in state.entries(model):
        if entry.tensor.requires_grad and entry.tensor.is_leaf:
            entry.tensor.requires_grad_(False)
    if symbolic:
        inputs = [torch.empty_like(value, device="meta") if value.is_floating_point() else value for value in inputs]
    cell.name_ends(tracer, recorder, model, list(inputs), {})
    with slow_path(model), tracer.phase(1):
        outputs = model(*inputs)
    section = dict(recorder.section(outputs, []), name="eval", raised=None)
    trace = tracer.report(list(inputs), {}, outputs, [])
    recording = dict(recorder.report(), outputs=section["outputs"], kept=section["kept"])
    tracer.close()
    return recording, trace


def nodes_of_calls(trace: Dict[str, Any]) -> List[int]:
    """For each call of the trace the number of the node that made it, or -1."""
    paths = [row[0] for row in trace["modules"]]
    nodes = [node_of_path(paths[call[0]]) for call in trace["module_calls"]]
    return [nodes[call["mc"]] if call["mc"] >= 0 else -1 for call in trace["calls"]]


def node_of_path(path: str) -> int:
    for name in reversed(path.split(".")):
        if name[:1] == "n" and name[1:].isdigit():
            return int(name[1:])
    return -1
