"""Programs of several files, traced, and questions to ask of the traces. Works under every torch from 1.13."""

import os
import sys
import tempfile
import textwrap
import types

import torch

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from probe.registry import FileRegistry  # noqa: E402
from probe.tracer import Tracer  # noqa: E402


class Skip(Exception):
    pass


class Program:
    """Files given as {"main.py": ("own", text), "child.py": ("child", text)}, in order of import; `main.py` is last."""

    def __init__(self, files):
        folder = tempfile.mkdtemp(prefix="plumbline-trace-")
        self.names = list(files)
        self.texts = [textwrap.dedent(text) for _, text in files.values()]
        rows, at = [], 0
        for name, text in zip(self.names, self.texts):
            rows.append({"path": os.path.join(folder, name), "name": name, "part": files[name][0], "at": at,
                         "size": len(text.encode())})
            at += len(text.encode())
        os.rmdir(folder)
        self.registry = FileRegistry({"main": len(rows) - 1, "role": "candidate", "files": rows},
                                     "".join(self.texts).encode())
        self.modules = []

    def load(self):
        self.registry.watch_class_statements()
        for row, name, text in zip(self.registry.files, self.names, self.texts):
            module = types.ModuleType(name[:-3])
            module.__file__ = row["path"]
            sys.modules[name[:-3]] = module
            exec(compile(text, row["path"], "exec"), module.__dict__)
            self.modules.append(module)
        return self.modules[-1]


class Traced:
    """A run of a program's Model on arguments, and the trace that it left."""

    def __init__(self, program, arguments=(), keywords=None, training=False, seed=0):
        build = __builtins__["__build_class__"] if isinstance(__builtins__, dict) else __builtins__.__build_class__
        self.program = program
        keywords = keywords or {}
        tracer = self.tracer = Tracer(program.registry)
        try:
            with tracer.phase(0):
                torch.manual_seed(seed)
                self.model = program.load().Model()
        finally:
            import builtins
            builtins.__build_class__ = build
        self.model.train(training)
        self.run(arguments, keywords, seed)

    def run(self, arguments, keywords, seed):
        tracer = self.tracer
        name_all(tracer, self.model, arguments, keywords)
        torch.manual_seed(seed)
        self.error = None
        self.outputs = None
        with torch.no_grad():
            try:
                with tracer.phase(1):
                    self.outputs = self.model(*arguments, **keywords)
            except Exception as error:
                self.error = error
        self.trace = tracer.report(arguments, keywords, self.outputs)
        self.calls = [call for call in self.trace["calls"] if call["ph"] == 1]
        self.made = [call for call in self.trace["calls"] if call["ph"] == 0]
        self.names = [call["f"] for call in self.calls]

    def only(self, name):
        found = [call for call in self.calls if call["f"] == name]
        assert len(found) == 1, "%s in %s" % (name, self.names)
        return found[0]

    def maker(self, call):
        return self.trace["makers"][call["by"]]

    def origin(self, value):
        return self.trace["tensors"][value["T"]][6]

    def storage(self, value):
        return self.trace["tensors"][value["T"]][0]

    def unknown(self):
        return unknown(self.trace)


def name_all(tracer, model, arguments, keywords):
    tracer.set_root(model)
    for key, tensor in model.named_parameters():
        tracer.name_state(key, "parameter", tensor)
    for key, tensor in model.named_buffers():
        tracer.name_state(key, "buffer", tensor)

    def name(path, value):
        if isinstance(value, torch.Tensor):
            tracer.name_input(path, value)
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                name("%s[%d]" % (path, index), item)

    for index, value in enumerate(arguments):
        name("arg%d" % index, value)
    for key, value in keywords.items():
        name(key, value)


def tensors_in(value):
    """The numbers of the tensors in an encoded value."""
    if isinstance(value, dict):
        if "T" in value:
            yield value["T"]
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from tensors_in(item)


def unknown(trace):
    """Calls of forward and outputs that use a tensor of unknown origin."""
    rows = trace["tensors"]
    found = [(call["f"], number) for call in trace["calls"] if call["ph"] == 1
             for number in tensors_in([call["a"], call["k"]]) if rows[number][6][0] == "unknown"]
    return found + [("outputs", number) for number in tensors_in(trace["outputs"]) if rows[number][6][0] == "unknown"]


def check(trace):
    """The invariants that every trace keeps."""
    import json
    json.dumps(trace)
    tensors, calls, modules = trace["tensors"], trace["calls"], trace["modules"]
    for number in tensors_in([trace["args"], trace["kwargs"], trace["outputs"]]):
        assert 0 <= number < len(tensors)
    for row in tensors:
        assert len(row) == 7 and len(row[2]) == len(row[3]), row
        assert row[6][0] in ("input", "parameter", "buffer", "call", "unknown"), row
        assert row[6][0] != "call" or 0 <= row[6][1] < len(calls), row
    for position, call in enumerate(calls):
        assert sorted(call) == ["a", "at", "by", "f", "k", "mc", "o", "ph", "w", "x"]
        assert "." in call["f"] and "<" not in call["f"], call["f"]
        assert 0 <= call["by"] < len(trace["makers"]) and -1 <= call["mc"] < len(trace["module_calls"])
        for number in tensors_in([call["a"], call["k"], call["o"]]) :
            assert 0 <= number < len(tensors)
            origin = tensors[number][6]
            assert origin[0] != "call" or origin[1] <= position, (call, origin)
        if call["mc"] >= 0:
            assert trace["module_calls"][call["mc"]][2] <= position < trace["module_calls"][call["mc"]][3]
    for number, (module, parent, first, end, _, _, _, place) in enumerate(trace["module_calls"]):
        assert 0 <= module < len(modules) and -1 <= parent < number and first <= end <= len(calls) and len(place) == 2
    for row in modules:
        assert len(row) == 4 and isinstance(row[0], str)


def raw(tensor):
    """The elements' bytes, so that a NaN equals itself."""
    tensor = tensor.detach()
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).contiguous().reshape(-1).view(torch.uint8)


def same(a, b):
    """The same structure with the same bytes."""
    if isinstance(a, torch.Tensor):
        if not isinstance(b, torch.Tensor) or a.dtype != b.dtype or a.shape != b.shape or a.stride() != b.stride():
            return False
        if a.layout != torch.strided or a.is_nested:
            return True
        return not a.numel() or torch.equal(raw(a), raw(b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b)


def run_all(namespace):
    """Runs every test_* of a test file; prints what failed and the sum; gives the exit status."""
    import traceback
    passed = failed = skipped = 0
    chosen = sys.argv[1:]
    for name, function in list(namespace.items()):
        if not name.startswith("test_") or chosen and name not in chosen:
            continue
        try:
            function()
            passed += 1
        except Skip as reason:
            skipped += 1
            print("%s: skipped: %s" % (name, reason))
        except Exception:
            failed += 1
            print("%s: FAILED\n%s" % (name, traceback.format_exc()))
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed or not passed else 0
