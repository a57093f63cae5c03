"""Tests of the probe through its protocol, without plumbline: `python3 tests/probe/drive.py [INTERPRETER..]`.

Prints one line a failure, and at the end "N passed, N failed, N skipped". An interpreter without torch is skipped.
"""

import os
import struct
import subprocess
import sys
import tempfile
import textwrap
import traceback

from driver import NO_SANDBOX, Probe, Program, memory_file, receive, send, tensor_bytes

HEAD = "import torch, torch.nn as nn, torch.nn.functional as F\n"
INPUT = "def get_inputs(): return [torch.randn(4, 8)]\n"


class Skipped(Exception):
    pass


def original(probe, source, name="model.py", folder="/nowhere"):
    file = {"path": folder + "/" + name, "name": name, "part": "original", "source": HEAD + textwrap.dedent(source)}
    return Program(probe, "original", [file], search=[folder])


def candidate(probe, *files):
    """Files as (name, part, source, {skip, binds, calls})."""
    rows = [dict({"path": "/nowhere/" + name, "name": name, "part": part, "source": textwrap.dedent(source)}, **more)
            for name, part, source, more in files]
    return Program(probe, "candidate", rows)


def done(result):
    answer, reaped, log = result
    assert answer is not None and "done" in answer, (answer, reaped, log)
    return answer["done"]


def failed(result):
    answer, reaped, log = result
    assert answer is not None and "failed" in answer, (answer, reaped, log)
    return answer["failed"]


def run_bytes(program, described, number=0, **options):
    result = done(program.run(described, **options))
    return tensor_bytes(program.outputs, result["tensors"][number])


def model(init, forward, more=INPUT):
    return "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n%s\n    def forward(self, x):\n%s\n%s" % (
        textwrap.indent(init, " " * 8), textwrap.indent(forward, " " * 8), more)


# ---- weights --------------------------------------------------------------------------------------------------------

def test_weights_are_placed_without_initialising(probe):
    program = original(probe, model("self.a = nn.Linear(8, 8); self.n = nn.LayerNorm(8)", "return self.n(self.a(x))"))
    described = done(program.describe([42]))
    assert described["random_construction"] is False
    assert run_bytes(program, described, initialise=False) == run_bytes(program, described, initialise=True, seed=7)


def test_trials_differ_and_repeat(probe):
    program = original(probe, model("self.a = nn.Linear(8, 8)", "return self.a(x)"))
    described = done(program.describe([42, 43, 42]))
    outputs = [run_bytes(program, described, trial=trial) for trial in range(3)]
    assert outputs[0] != outputs[1] and outputs[0] == outputs[2]


def test_ties_are_reported_and_kept(probe):
    program = original(probe, model("self.a = nn.Linear(8, 8); self.b = nn.Linear(8, 8); self.b.weight = self.a.weight",
                                    "self.a.weight.data.mul_(2.0); return self.b(x)"))
    described = done(program.describe([42]))
    rows = {row["key"]: row for row in described["state"]}
    assert rows["b.weight"]["tied_to"] == "a.weight" and rows["a.weight"]["tied_to"] is None
    assert rows["b.weight"]["tensor"] == rows["a.weight"]["tensor"]
    untied = original(probe, model("self.a = nn.Linear(8, 8); self.b = nn.Linear(8, 8)",
                                   "self.a.weight.data.mul_(2.0); return self.b(x)"))
    assert run_bytes(program, described) != run_bytes(untied, described, weights_of=program)


def test_views_kept_as_attributes_follow(probe):
    init = "self.a = nn.Linear(8, 8, bias=False); self.w = self.a.weight.t()"
    program = original(probe, model(init, "return x @ self.w"))
    described = done(program.describe([42], seed=1))
    assert run_bytes(program, described) == run_bytes(program, described, initialise=True)
    assert described["attributes"][0]["name"] == "w"
    other = original(probe, model(init, "return x @ self.a.weight.t()"))
    assert run_bytes(program, described, seed=5) == run_bytes(other, described, weights_of=program)


def test_slices_of_one_buffer_stay_slices(probe):
    program = original(probe, model("big = torch.randn(2, 8); self.register_buffer('p', big[0]); self.register_buffer('q', big[1])",
                                    "return x * self.p + self.q"))
    described = done(program.describe([42]))
    assert run_bytes(program, described, seed=9, initialise=True) == run_bytes(program, described, initialise=True)
    p, q = [row["tensor"] for row in described["state"]]
    assert p["storage"] == q["storage"] and q["offset"] == p["offset"] + 8


def test_what_construction_leaves_to_chance_is_told(probe):
    for init, expected in [
            ("self.a = nn.Linear(8, 8)", False),
            ("self.a = nn.LSTM(8, 8)", False),
            ("self.a = nn.Embedding(8, 8, padding_idx=0)", False),
            ("self.a = nn.MultiheadAttention(8, 2)", False),
            ("self.a = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2)", False),
            ("self.a = nn.BatchNorm1d(8)", False),
            ("self.a = nn.Linear(8, 8); nn.init.trunc_normal_(self.a.weight, std=0.02)", False),
            ("self.a = nn.Linear(8, 8); nn.init.orthogonal_(self.a.weight)", False),
            ("self.a = nn.Linear(8, 8); nn.init.orthogonal_(self.a.weight); self.k = torch.rand(1)", True),
            ("self.k = torch.rand(1); self.a = nn.Linear(8, 8); nn.init.orthogonal_(self.a.weight)", True),
            ("self.a = nn.Linear(8, 8); self.a.weight.data.normal_(0, 0.02)", False),
            ("self.a = nn.Parameter(torch.zeros(8)); nn.init.normal_(self.a)", False),
            ("self.a = nn.Parameter(torch.randn(8))", True),
            ("self.register_buffer('m', torch.rand(8))", True),
            ("import random; self.k = random.random()", True),
            ("self.a = nn.Linear(8, 8); self.scale = self.a.weight.norm()", True),
            ("self.a = nn.Linear(8, 8); self.scale = float(self.a.weight.sum())", True),
            ("self.a = nn.Linear(8, 8); self.scale = self.a.weight.detach().clone()", True)]:
        for initialise in (True, False):
            described = done(original(probe, model(init, "return x")).describe([42], initialise=initialise))
            assert described["random_construction"] is expected, (init, initialise)


def test_initialise_false_fills_nothing(probe):
    program = original(probe, "from torch.nn.init import normal_\n" + model(
        "self.a = nn.Parameter(torch.zeros(8)); normal_(self.a)", "return self.a + x"))
    described = done(program.describe([42], initialise=False))
    assert tensor_bytes(program.files["weights"], described["state"][0]["tensor"]) == bytes(32)


def test_construction_repeats_in_every_trial(probe):
    program = original(probe, model("self.k = torch.rand(8)", "return x * 0 + self.k"))
    described = done(program.describe([42, 43]))
    first = run_bytes(program, described, seed=42, initialise=True)
    assert first == run_bytes(program, described, seed=43, trial=1, initialise=True)


def test_an_unknown_key_and_a_wrong_shape_are_errors(probe):
    program = original(probe, model("self.a = nn.Linear(8, 8)", "return self.a(x)"))
    described = done(program.describe([42]))
    failure = failed(program.run(described, keys={"a.bias": "b.bias"}))
    assert failure["stage"] == "weights" and "b.bias" in failure["message"]
    failure = failed(program.run(described, keys={"a.bias": "a.weight", "a.weight": "a.bias"}))
    assert failure["stage"] == "weights" and "shape" in failure["message"]


# ---- values ---------------------------------------------------------------------------------------------------------

def test_every_dtype_makes_the_round(probe):
    program = original(probe, """
        NAMES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
                 "complex128", "float8_e4m3fn", "float8_e5m2"]
        class Model(nn.Module):
            def forward(self, *x, **k):
                return x, k
        def get_inputs():
            dtypes = [getattr(torch, name) for name in NAMES if hasattr(torch, name)]
            made = [torch.arange(12).reshape(3, 4).to(dtype) for dtype in dtypes]
            return [*made, torch.empty(0, 3), torch.tensor(2.5), made[0].t(), made[0][:, 1], torch.ones(1).expand(4, 4),
                    torch.randn(3, dtype=torch.complex64).conj(), torch.randn(4).to_sparse()][:-1]
        """)
    described = done(program.describe([42]))
    result = done(program.run(described))
    count = len(described["trials"][0]["tensors"])
    assert result["outputs"] == {"t": [{"t": [{"T": number} for number in range(count)]}, {"d": []}]}
    assert result["inputs_modified"] == []
    given, got = described["trials"][0]["tensors"], result["tensors"]
    for before, after in zip(given, got):
        assert [before[key] for key in ("dtype", "shape")] == [after[key] for key in ("dtype", "shape")]
        span = [os.pread(fd, located["storage"]["size"], located["storage"]["at"])
                for fd, located in ((program.files["inputs"], before), (program.outputs, after))]
        assert span[0] == span[1], before
    assert given[0]["storage"] == given[-4]["storage"] == given[-3]["storage"]


def test_nested_outputs_are_encoded(probe):
    program = original(probe, """
        import collections, dataclasses
        Pair = collections.namedtuple("Pair", "p q")
        @dataclasses.dataclass
        class Out:
            logits: torch.Tensor
            size: object
        class Model(nn.Module):
            def forward(self, x, scale=2, *, flag=None):
                return {"out": Out(x, x.shape), "pair": Pair(1.5, x), "list": [x, None, True, "s", 1 << 70, 1j, x.dtype]}
        def get_inputs(): return [torch.randn(4, 8)]
        """)
    described = done(program.describe([42]))
    assert described["forward"]["arguments"] == [{"name": "x", "kind": "positional"},
                                                 {"name": "scale", "kind": "positional", "default": 2},
                                                 {"name": "flag", "kind": "keyword", "default": None}]
    outputs = done(program.run(described))["outputs"]
    assert outputs == {"d": [
        ["out", {"dc": "Out", "k": ["logits", "size"], "v": [{"T": 0}, {"s": [4, 8]}]}],
        ["pair", {"nt": "Pair", "k": ["p", "q"], "v": [{"f": "0x1.8000000000000p+0"}, {"T": 0}]}],
        ["list", {"l": [{"T": 0}, None, True, "s", {"i": str(1 << 70)},
                        {"c": ["0x0.0p+0", "0x1.0000000000000p+0"]}, {"y": "torch.float32"}]}]]}, outputs


def test_inputs_and_keyword_arguments(probe):
    program = original(probe, """
        class Model(nn.Module):
            def __init__(self, n, *, bias=True):
                super().__init__()
                self.a = nn.Linear(n, n, bias=bias)
            def forward(self, x, rest, *, scale):
                rest["k"][0].add_(1)
                return self.a(x) * scale + rest["k"][0]
        def get_init_inputs(): return {"n": 8, "bias": False}
        def get_inputs(): return (torch.randn(2, 8), {"k": [torch.zeros(8)]})
        def get_input_kwargs(): return {"scale": 2.0}
        """)
    described = done(program.describe([42]))
    assert described["input_names"] == ["x", "rest", "scale"] and len(described["state"]) == 1
    assert done(program.run(described))["inputs_modified"] == ['rest["k"][0]']


def test_train_mode_writes_statistics(probe):
    program = original(probe, model("self.a = nn.BatchNorm1d(8)", "return self.a(x)"))
    described = done(program.describe([42]))
    assert done(program.run(described))["state_modified"] == []
    assert done(program.run(described, mode="train"))["state_modified"] == [
        "a.running_mean", "a.running_var", "a.num_batches_tracked"]


def test_float64_widens_everything_and_keeps_ties(probe):
    program = original(probe, model(
        "self.a = nn.Linear(8, 8); self.b = nn.Linear(8, 8); self.b.weight = self.a.weight; self.t = torch.ones(8)",
        "assert self.a.weight is self.b.weight; return self.b(self.a(x)) + self.t + torch.zeros(8)"))
    described = done(program.describe([42]))
    result = done(program.run(described, float64=True))
    assert result["tensors"][0]["dtype"] == "torch.float64"


def test_the_fast_path_of_attention_is_off(probe):
    program = original(probe, model(
        "self.a = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)",
        "assert not self.training; return self.a(x)", "def get_inputs(): return [torch.randn(2, 4, 8)]\n"))
    described = done(program.describe([42]))
    assert run_bytes(program, described) == run_bytes(program, described, trace=True)


# ---- values ----------------------------------------------------------------------------------------------------------

KEPT_MODEL = model("self.a = nn.Linear(8, 8)", """h = self.a(x)
y = h.relu()
h.mul_(2.0)
h.view(-1), h[:1].expand(4, 8), h > 0
return y + h.t().t()""", "def get_inputs(): return [torch.randn(8, 8)]\n")


def kept_values(program, described, budget):
    """Of each call that has some: its name, and its values' numbers."""
    result = done(program.run(described, trace=True, values=budget))
    named = []
    for call, tensor, at in result["values"]["kept"]:
        row = result["trace"]["tensors"][tensor]
        count = row[2][0] * row[2][1]
        named.append((result["trace"]["calls"][call]["f"].split(".")[-1],
                      struct.unpack("%df" % count, os.pread(program.values, 4 * count, at))))
    return named, result["values"]["left_out"]


def test_values_are_kept_as_they_were(probe):
    program = original(probe, KEPT_MODEL)
    described = done(program.describe([42]))
    named, left_out = kept_values(program, described, 1 << 20)
    assert [name for name, _ in named] == ["linear", "relu", "mul_", "__getitem__", "t", "t", "add"], named
    values = [value for _, value in named]
    assert values[1] == tuple(max(number, 0.0) for number in values[0])
    assert values[2] == tuple(2 * number for number in values[0])  # in place, and the one before is what it was
    assert values[3] == values[2][:8] and values[5] == values[2]
    assert values[4] == tuple(values[2][8 * column + row] for row in range(8) for column in range(8))
    assert left_out == 0


def test_values_have_a_budget(probe):
    program = original(probe, KEPT_MODEL)
    described = done(program.describe([42]))
    named, left_out = kept_values(program, described, 600)  # two of 256 bytes
    assert [name for name, _ in named] == ["linear", "relu"] and left_out == 5, (named, left_out)


def test_keeping_values_changes_no_result(probe):
    program = original(probe, KEPT_MODEL)
    described = done(program.describe([42]))
    assert run_bytes(program, described) == run_bytes(program, described, trace=True, values=1 << 20)


# ---- failures -------------------------------------------------------------------------------------------------------

def test_failures_tell_stage_frames_and_module(probe):
    for source, stage, kind, words in [
            ("def broken(:\n", "load", "SyntaxError", ""),
            ("x = 1 / 0\n", "load", "ZeroDivisionError", "division"),
            ("x = 1\n", "load", "Unfit", "no class Model or RefactoredModel"),
            (model("self.a = nn.Linear('8', 8)", "return x"), "construct", "TypeError", ""),
            (model("self.a = nn.LazyLinear(8)", "return x"), "construct", "TypeError", "lazy modules are not supported"),
            (model("pass", "return x", ""), "inputs", "Unfit", "get_inputs"),
            (model("pass", "return x", "def get_inputs(): return 1 / 0"), "inputs", "ZeroDivisionError", "")]:
        failure = failed(original(probe, source).describe([42]))
        assert failure["stage"] == stage and failure["type"] == kind and words in failure["message"], failure
    program = original(probe, model("self.a = nn.Sequential(nn.Linear(8, 8), nn.Linear(4, 4))", "return self.a(x)"))
    failure = failed(program.run(done(program.describe([42]))))
    assert failure["stage"] == "forward" and failure["module"] == "a.1", failure
    first, last = failure["frames"][0], failure["frames"][-1]
    assert first[:3] == [0, "model.py", 7] and last[0] == -1 and last[1].startswith("torch/"), failure


def test_leaving_early_is_no_answer(probe):
    program = original(probe, model("pass", "import os; os._exit(0)"))
    answer, reaped, _ = program.run(done(program.describe([42])))
    assert answer is None and reaped["status"] == 0
    failure = failed(original(probe, "raise SystemExit(0)").describe([42]))
    assert failure["type"] == "SystemExit"


def test_prints_go_to_the_log(probe):
    program = original(probe, "print('{\"done\": {}}')\n" + model("pass", "return x"))
    answer, _, log = program.describe([42])
    assert "class" in answer["done"] and log == '{"done": {}}\n'


# ---- importing ------------------------------------------------------------------------------------------------------

CHILD = HEAD + "class Model(nn.Linear):\n    pass\n"


def test_a_candidate_imports_what_it_is_told(probe):
    main = """\
        import sys, os
        sys.path.insert(0, os.path.dirname(__file__))
        import torch
        from children.linear import Model as One
        import pkg.linear
        import importlib, math
        if True:
            here = 1
            other = importlib.import_module("linear")
        import torch.nn as nn
        class RefactoredModel(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.c = One(8, 8), pkg.linear.Model(8, 8), other.Model(8, 8)
                self.d = math.pi
            def forward(self, x):
                return self.c(self.b(self.a(x)))
        """
    program = candidate(probe, ("refactored.py", "own", main, {
        "skip": [[1, 1], [2, 1]], "binds": [[4, 1, "One", 1, "Model"], [5, 1, "pkg.linear", 2, None]],
        "calls": [[9, 13, 3, None]]}),
        ("children/linear.py", "child", CHILD, {}), ("pkg/linear.py", "child", CHILD + "x = __name__\n", {}),
        ("linear.py", "child", CHILD + "assert __name__ != '__main__'\n", {}))
    described = done(program.describe(initialise=False))
    assert [(row["path"], row["file"]) for row in described["modules"]] == [("", 0), ("a", 1), ("b", 2), ("c", 3)]
    assert {row["owner"] for row in described["state"]} == {1, 2, 3}
    assert all(row["tensor"]["storage"] is None for row in described["state"])


def test_a_candidate_finds_nothing_by_itself(probe):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "beside.py"), "w") as file:
            file.write("x = 1\n")
        program = candidate(probe, ("refactored.py", "own", "import beside\n", {}))
        program.program["files"][0]["path"] = folder + "/refactored.py"
        program.program["search"] = [folder]
        failure = failed(program.describe())
        assert failure["type"] in ("ModuleNotFoundError", "ImportError") and failure["stage"] == "load", failure
    failure = failed(candidate(probe, ("refactored.py", "own", "from plumbline_probe import wire\n", {})).describe())
    assert failure["type"] == "ModuleNotFoundError", failure


def test_attributes_and_names_at_odd_places_are_bound(probe):
    main = HEAD + textwrap.dedent("""\
        ε = 1; from a import f as g, Model; import torch, a.b
        class RefactoredModel(nn.Module):
            def __init__(self):
                super().__init__()
                from a import f
                self.k = f(g(1)) + a.b.f(1); self.m = Model()
                try:
                    import sys
                except ImportError:
                    pass
            def forward(self, x):
                return x * self.k
        """)
    program = candidate(probe, ("refactored.py", "own", main, {
        "binds": [[2, 8, "g", 1, "f"], [2, 8, "Model", 1, "Model"], [2, 37, "a.b", 2, None], [6, 9, "f", 1, "f"]],
        "skip": [[9, 13]]}),
        ("a/__init__.py", "child", HEAD + "def f(x): return x + 1\nclass Model(nn.Module): pass\n", {}),
        ("a/b.py", "helper", "def f(x): return 10\n", {}))
    described = done(program.describe())
    assert [row["file"] for row in described["modules"]] == [0, 1]


def test_classes_of_every_sort_can_be_made(probe):
    main = "from __future__ import annotations\n" + HEAD + textwrap.dedent("""\
        import dataclasses, enum, typing, collections
        @dataclasses.dataclass
        class Config:
            width: int = 8
            rest: typing.ClassVar[int] = 3
        class Mode(enum.Enum):
            A = 1
        class Pair(typing.NamedTuple):
            left: torch.Tensor
            right: int = 0
        class RefactoredModel(nn.Module):
            def __init__(self):
                super().__init__()
                self.config, self.mode, self.pair = Config(), Mode.A, Pair(torch.ones(2))
        """)
    described = done(candidate(probe, ("refactored.py", "own", main, {})).describe())
    assert described["attributes"][0]["name"] == "pair[0]" and described["modules"][0]["file"] == 0


def test_a_cell_dies_with_its_zygote(probe):
    other = Probe(probe.hello["executable"])
    program = original(other, model("pass", "import os, signal; os.kill(os.getppid(), signal.SIGKILL)\nwhile True: pass"))
    described = done(program.describe([42]))
    try:
        program.run(described)
        raise AssertionError("the zygote answered")
    except (TypeError, ConnectionError, BrokenPipeError):
        os.waitpid(other.pid, 0)


def test_an_original_has_its_siblings_and_library_classes(probe):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "values.py"), "w") as file:
            file.write("import torch.nn as nn\nclass Part(nn.Linear): pass\n")
        program = original(probe, "from values import Part\n" + model("self.a = Part(8, 8)", "return self.a(x)"), folder=folder)
        described = done(program.describe([42]))
        assert [(row["file"], row["library"]) for row in described["modules"]] == [(0, None), (-1, "values.Part")]
        assert not os.path.exists(os.path.join(folder, "__pycache__"))


def test_a_class_belongs_to_the_file_of_its_statement(probe):
    child = HEAD + "class Model(nn.Linear):\n    __module__ = 'torch.nn'\ndef make(base):\n    class Made(base): pass\n    return Made\n"
    main = HEAD + textwrap.dedent("""\
        from child import Model, make
        class RefactoredModel(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = Model(8, 8); self.b = make(nn.Linear)(8, 8); self.c = nn.Linear(8, 8)
        """)
    program = candidate(probe, ("refactored.py", "own", main, {"binds": [[2, 1, "Model", 1, "Model"], [2, 1, "make", 1, "make"]]}),
                        ("child.py", "child", child, {}))
    assert [row["file"] for row in done(program.describe())["modules"]] == [0, 1, 1, -1]


# ---- tracing --------------------------------------------------------------------------------------------------------

def test_a_trace_has_origins_and_makers(probe):
    child = HEAD + "class Model(nn.Module):\n    def forward(self, x): return torch.relu(x)\n"
    main = HEAD + textwrap.dedent("""\
        from child import Model
        class RefactoredModel(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = Model()
                self.register_buffer("m", torch.ones(8), persistent=False)
            def forward(self, x):
                return self.a(x) + self.m
        """)
    program = candidate(probe, ("refactored.py", "own", main, {"binds": [[2, 1, "Model", 1, "Model"]]}),
                        ("child.py", "child", child, {}))
    first = original(probe, model("self.register_buffer('m', torch.ones(8), persistent=False)", "return x.relu() + self.m"))
    described = done(first.describe([42]))
    trace = done(program.run(described, weights_of=first, trace=True))["trace"]
    calls = [(call["f"], trace["makers"][call["by"]][:2], call["at"]) for call in trace["calls"] if call["ph"] == 1]
    assert calls == [("torch.relu", ["child", 1], [1, 3]), ("torch.Tensor.add", ["own", 0], [0, 9])], calls
    assert sum(row[6] == ["input", "x"] for row in trace["tensors"]) == 1
    assert not any(row[6] == ["unknown"] for row in trace["tensors"])


# ---- sandbox --------------------------------------------------------------------------------------------------------

def test_a_cell_is_kept_in(probe):
    plain = probe.sandbox
    with tempfile.TemporaryDirectory() as folder:
        probe.sandbox = dict(NO_SANDBOX, landlock=probe.hello["prefixes"], namespaces=True, memory=1 << 30, cpu_seconds=60,
                             file_size=1 << 30)
        try:
            target = os.path.join(folder, "file")
            for act, kinds in [("open(%r, 'w')" % target, ("PermissionError",)), ("open('/etc/passwd')", ("PermissionError",)),
                               ("__import__('socket').create_connection(('127.0.0.1', 9), 1)", ("OSError", "PermissionError")),
                               ("torch.empty(1 << 31)", ("RuntimeError",)), ("bytearray(1 << 32)", ("MemoryError",))]:
                program = original(probe, model("pass", act + "; return x"))
                described = done(program.describe([42]))
                if not all(text.startswith("on") for text in probe.layers.values()):
                    raise Skipped("layers refused here: %s" % probe.layers)
                failure = failed(program.run(described))
                assert failure["stage"] == "forward" and failure["type"] in kinds, (act, failure)
            assert not os.path.exists(target)
        finally:
            probe.sandbox = plain


def test_memory_files_are_sealed(probe):
    program = original(probe, model("self.a = nn.Linear(8, 8)", "return self.a(x)"))
    done(program.describe([42]))
    for name in ("weights", "inputs", "outputs"):
        try:
            os.pwrite(program.files[name], b"x", 0)
            raise AssertionError(name + " can be written")
        except PermissionError:
            pass


def test_nothing_in_the_current_folder_is_run(probe):
    with tempfile.TemporaryDirectory() as folder:
        for name in ("json", "os", "importlib", "nt", "socket", "ctypes", "typing", "torch", "zygote", "numpy", "syntax"):
            with open(os.path.join(folder, name + ".py"), "w") as file:
                file.write("raise SystemExit('mine')\n")
        other = Probe(probe.hello["executable"], with_torch=False, folder=folder)
        assert other.hello["torch"] is None and folder not in other.hello["site_paths"]
        other.close()


def test_syntax_is_parsed(probe):
    sources = [b"x = 1\n", b"x = (\n"]
    answer, _, _ = probe.cell({"kind": "syntax", "files": [{"name": "a.py", "at": 0, "size": 6}, {"name": "b.py", "at": 6, "size": 6}]},
                              {"bundle": memory_file(b"".join(sources))})
    trees = answer["done"]["trees"]
    assert trees[0]["tree"]["t"] == "Module" and trees[1]["error"]["line"] >= 1


# ---- real models ----------------------------------------------------------------------------------------------------

def test_transformers_gpt2(probe):
    if not any(os.path.isdir(os.path.join(path, "transformers")) for path in probe.hello["site_paths"]):
        raise Skipped("transformers is not installed")
    program = original(probe, """
        from transformers import GPT2Config, GPT2LMHeadModel
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.m = GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=100, n_positions=64))
            def forward(self, ids):
                return self.m(ids)
        def get_inputs(): return [torch.randint(0, 100, (2, 16))]
        """)
    described = done(program.describe([42]))
    rows = {row["key"]: row for row in described["state"]}
    assert rows["m.lm_head.weight"]["tied_to"] == "m.transformer.wte.weight"
    result = done(program.run(described))
    assert result["outputs"]["dc"].endswith("CausalLMOutputWithCrossAttentions") and result["outputs"]["k"][0] == "logits"
    first = run_bytes(program, described)
    assert first == run_bytes(program, described, initialise=True) == run_bytes(program, described, trace=True)


def test_torchvision_resnet(probe):
    if not any(os.path.isdir(os.path.join(path, "torchvision")) for path in probe.hello["site_paths"]):
        raise Skipped("torchvision is not installed")
    program = original(probe, """
        from torchvision.models import resnet18
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.m = resnet18(weights=None)
            def forward(self, x):
                return self.m(x)
        def get_inputs(): return [torch.randn(1, 3, 64, 64)]
        """)
    described = done(program.describe([42]))
    assert described["random_construction"] is False
    first = run_bytes(program, described)
    assert first == run_bytes(program, described, initialise=True) == run_bytes(program, described, trace=True)


def test_preloaded_modules_are_there(probe):
    send(probe.connection, {"preload": ["import colorsys", "import no_such_module"]})
    rows = receive(probe.connection)["preloaded"]
    assert rows[0]["error"] is None and "no_such_module" in rows[1]["error"]
    program = original(probe, "import sys; assert 'colorsys' in sys.modules\n" + model("pass", "return x"))
    done(program.describe([42]))


def tests_of(python):
    probe = Probe(python)
    passed, failures, skipped = 0, 0, 0
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            try:
                test(probe)
                passed += 1
            except Skipped as cause:
                print("skipped %s: %s" % (name, cause))
                skipped += 1
            except Exception:
                print("%s: %s (torch %s)" % (name, traceback.format_exc(), probe.hello["torch"]))
                failures += 1
    probe.close()
    return passed, failures, skipped


def main(interpreters):
    totals = [0, 0, 0]
    for python in interpreters:
        if subprocess.call([python, "-c", "import importlib.util, sys; sys.exit(not importlib.util.find_spec('torch'))"]):
            print("%s has no torch" % python)
            totals[2] += 1
            continue
        totals = [total + count for total, count in zip(totals, tests_of(python))]
    print("%d passed, %d failed, %d skipped" % tuple(totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [sys.executable]))
