"""work: script. Runs a file as `python FILE` would; what it prints is its log, and how it exits is its status."""

from __future__ import annotations

import builtins
import gc
import os
import random
import sys
import traceback
import types
from typing import Any, Callable, Dict, List, Optional

import torch

from . import record, shapes, wire
from .failure import Progress
from .memory import seal

RECORD = "record "  # what the files of a `work: record` are called beside those of others


def script(work: Dict[str, Any], files: Dict[str, int], progress: Progress) -> Dict[str, Any]:
    if "inputs" in work:
        prepare(work, files)
    path: str = work["file"]
    folder = os.path.dirname(path)
    sys.path.insert(0, folder)
    sys.argv[:] = [path]
    try:
        os.chdir(folder)
    except OSError:
        pass
    doubling = Doubling(work["double"]) if work.get("double") else None
    status = run_main(path)
    return {"status": status, "doubled": doubling is not None and doubling.done}


def prepare(work: Dict[str, Any], files: Dict[str, int]) -> None:
    """Answers to other work on the same file, in a memory file that the script can't write to any more."""
    inputs = attempt(lambda: record.inputs(work["inputs"], files, Progress()))
    recorded = attempt(lambda: recorded_before(work, inputs, files)) if inputs is not None and "record" in work else None
    answers = memoryview("".join(wire.encode({"inputs": inputs, "record": recorded}, 0)).encode("ascii"))
    at = 0
    while at < len(answers):
        at += os.pwrite(files["answers"], answers[at:], at)
    for descriptor in {files[name] for name in files if name == "answers" or name.startswith(RECORD)}:
        seal(descriptor)


def recorded_before(work: Dict[str, Any], inputs: Any, files: Dict[str, int]) -> Dict[str, Any]:
    """What `work: record` gives for the inputs that were made."""
    own = {name[len(RECORD):]: descriptor for name, descriptor in files.items() if name.startswith(RECORD)}
    trials = [dict(inputs["trials"][0], **work["call"])]
    return record.record(dict(work["record"], trials=trials), dict(files, **own), Progress())


def attempt(make: Callable[[], Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """None if it can't be made: a cell of its own says why. The script finds no trace of it but what the file's own statements
    leave in libraries."""
    drawn, build = (torch.get_rng_state(), random.getstate()), builtins.__build_class__
    try:
        return make()
    except BaseException:
        return None
    finally:
        torch.set_rng_state(drawn[0])
        random.setstate(drawn[1])
        builtins.__build_class__ = build
        shapes.remove_stand_ins()
        gc.enable()
        forget_output()


def forget_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.lseek(1, 0, os.SEEK_SET)  # the log, which both write at one place
    os.ftruncate(1, 0)


def run_main(path: str) -> int:
    """The status with which the interpreter would exit."""
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=path, __builtins__=builtins, __cached__=None)
    sys.modules["__main__"] = module
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", 0, True)
        exec(code, module.__dict__)
        status = 0
    except SystemExit as leaving:
        status = exit_status(leaving.code)
    except BaseException as cause:
        trace = cause.__traceback__
        traceback.print_exception(type(cause), cause, trace.tb_next if trace is not None else None)
        status = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            status = status or 120  # as the interpreter does
    return status


def exit_status(code: Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xff
    print(code, file=sys.stderr)
    return 1


class Doubling:
    """Makes the first module whose class stands in a file of these bytes give twice its floating result: a copy of a
    component in a children folder is that component too."""

    def __init__(self, component: str) -> None:
        with open(component, "rb") as file:
            self.content = file.read()
        self.files: Dict[str, bool] = {}
        self.chosen: Optional[torch.nn.Module] = None
        self.done = False
        build = builtins.__build_class__

        def build_class(body: Any, *arguments: Any, **keywords: Any) -> Any:
            made = build(body, *arguments, **keywords)
            if isinstance(made, type) and issubclass(made, torch.nn.Module) and "forward" in vars(made) and \
                    self.concerns(body.__code__.co_filename):
                self.wrap(made)
            return made

        builtins.__build_class__ = build_class  # type: ignore[assignment]

    def concerns(self, path: str) -> bool:
        if path not in self.files:
            try:
                with open(path, "rb") as file:
                    self.files[path] = file.read() == self.content
            except (OSError, ValueError):
                self.files[path] = False
        return self.files[path]

    def wrap(self, kind: Any) -> None:
        forward = kind.forward

        def doubled(module: torch.nn.Module, *arguments: Any, **keywords: Any) -> Any:
            result = forward(module, *arguments, **keywords)
            if self.chosen is None:
                self.chosen = module
            return self.twice(result) if self.chosen is module else result

        doubled.__wrapped__ = forward  # type: ignore[attr-defined]
        kind.forward = doubled

    def twice(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            if not (value.is_floating_point() or value.is_complex()):
                return value
            self.done = True
            return value * 2
        if type(value) in (list, tuple):
            items: List[Any] = [self.twice(item) for item in value]
            return type(value)(items)
        if type(value) is dict:
            return {key: self.twice(item) for key, item in value.items()}
        return value
