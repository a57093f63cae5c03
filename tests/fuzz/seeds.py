"""Writes tests/fuzz/seeds: what real cells send, and files as users write them. Usage: seeds.py, by a Python with torch."""

import json
import os
import struct
import sys

import torch
import torch.nn as nn

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", "proof"), ROOT]

from record import REGISTRY, record  # noqa: E402

from probe import state, syntax  # noqa: E402
from probe.keeper import Keeper  # noqa: E402
from probe.tracer import Tracer  # noqa: E402


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.register_buffer("mask", torch.ones(4, 4).tril())

    def forward(self, x):
        h = self.fc(x)
        h[:, 0] = 0
        return {"out": torch.softmax(h.masked_fill(self.mask == 0, -1e9), -1), "list": [x.view(-1), 3, None]}


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


def run_with_values(make, x):
    tracer = Tracer(REGISTRY)
    with tracer.phase(0):
        model = make()
    tracer.set_root(model)
    for entry in state.entries(model):
        tracer.name_state(entry.key, entry.kind, entry.tensor)
    tracer.name_input("x", x)
    tracer.keeper = Keeper(os.memfd_create("values", os.MFD_ALLOW_SEALING), 1 << 20)
    with torch.no_grad(), tracer.phase(1):
        outputs = model(x)
    return {"trace": tracer.report([x], {}, outputs), "values": tracer.keeper.finish()}


def write(name, letter, text):
    with open(os.path.join(HERE, "seeds", name), "w", encoding="utf-8") as file:
        file.write(letter + text)


def write_pieces(recording, trace):
    """Both with the first rows of their long tables in pieces."""
    data = b""
    for letter, part, key in ((b"t", trace, "tensors"), (b"m", trace, "module_calls"), (b"k", trace, "makers"), (b"c", trace, "calls"),
                              (b"n", recording, "tensors"), (b"e", recording, "events")):
        rows, part[key] = part[key][:3], part[key][3:]
        body = compact([[i, row] for i, row in enumerate(rows)] if letter == b"m" else rows).encode()
        data += struct.pack("<4sII", letter, len(rows), len(body)) + body
    with open(os.path.join(HERE, "seeds", "pieces"), "wb") as file:
        file.write(b"P" + compact({"trace": trace, "recording": recording}).encode() + b"\0" + data)


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def main():
    for kind in (Small, Norm):
        recording, trace = record(kind, [torch.randn(4, 4)])
        write("recording_" + kind.__name__.lower(), "r", compact(recording))
        write("trace_" + kind.__name__.lower(), "t", compact(trace))
    write("values", "w", compact(run_with_values(Small, torch.randn(4, 4))))
    write_pieces(recording, trace)
    source = "import torch\n\n\nclass Model:\n    def forward(self, x: int = 3, *a, **k):\n        return [f'{x}' for x in a if x @ 2]\n"
    write("tree", "s", compact(syntax.parse(source.encode(), "main.py")))
    write("value", "v", compact({"d": [["a", {"l": [1, {"f": "0x1.8p+1"}, {"T": 2}, None, True]}], ["b", {"t": [{"s": [1, 2]}]}]]}))
    write("value_kinds", "v", compact({"t": [{"nt": "N", "k": ["x"], "v": [1]}, {"dc": "D", "k": ["y"], "v": ["s"]}, {"S": [0, 1, None]},
                                             {"r": [0, 3, 1]}, {"y": "torch.float32"}, {"c": ["0x0p+0", "nan"]}, {"i": "9" * 30}]}))
    tensor = {"dtype": "torch.float32", "shape": [4], "stride": [1], "offset": 0, "storage": {"at": 0, "size": 16}}
    row = {"key": "a", "kind": "parameter", "persistent": True, "tensor": tensor, "module": "", "module_class": "torch.nn.Linear", "owner": -1, "tied_to": None}
    write("state", "d", compact([row, dict(row, key="b", kind="buffer", tied_to="a")]))
    write("weight_map", "m", json.dumps({"a.weight": "b.weight", "c": ["d", {"key": "e", "dim": 0, "start": 0, "stop": 2, "transpose": True}], "f": []}, indent=1))
    with open(os.path.join(ROOT, "ops", "patterns.txt"), encoding="utf-8") as file:
        write("patterns", "p", file.read()[:1500])
    write("lines", "l", json.dumps({"a\"b": [1, {"c": "\n"}], "nodes": {"x": {"path": "y", "deep": [[{}]]}}}, indent=1))
    write("kernel_name", "k", "conv2d_3x64_k7s2p3_i64_fp32")


main()
