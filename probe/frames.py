"""Where a torch call was written, and who made it (docs/protocol.md, "Maker"), read from the interpreter's frames."""

from __future__ import annotations

import itertools
import os
from types import CodeType, FrameType
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch

from .pieces import MAKERS, Pieces
from .syntax import Columns

# Files that are no file of the program.
LIBRARY, TORCH, PASSING, TRACER = -1, -2, -3, -4
TORCH_FOLDER = os.path.dirname(os.path.abspath(torch.__file__)) + os.sep
# Files of torch through which a call only passes on its way to a mode.
PASSED = tuple(TORCH_FOLDER + name.replace("/", os.sep)
               for name in ("overrides.py", "utils/_device.py", "_tensor.py", "_jit_internal.py"))
# The probe's own files: "<plumbline_probe.NAME>", or a folder's when it is tried out from disk.
PROBE_FILES = (lambda: 0).__code__.co_filename.rsplit("frames", 1)[0]
OWN_PARTS = ("own", "original")
Maker = Tuple[Any, ...]


class Frames:
    """`files` is the registry of the program's files (registry.py): index_of, part, owner_of."""

    def __init__(self, files: Any, module_number: Callable[[torch.nn.Module], int]) -> None:
        self.files = files
        self.module_number = module_number
        self.module_call: Optional[CodeType] = None  # the code of the wrapper around Module.__call__
        self.kinds: Dict[str, int] = {}
        self.makers: Dict[Maker, int] = {}  # but for those that can't come again
        self.maker_count = 0
        self.maker_rows: List[Maker] = []  # but for those that were written
        self.places: Dict[Tuple[int, int], List[int]] = {(-1, 0): [-1, 0]}
        self.spans: Dict[Tuple[int, int], Tuple[List[int], CodeType]] = {}
        self.columns: Dict[int, Columns] = {}  # by file
        self.method_frame: Optional[FrameType] = None  # of the method call whose serial was given last
        self.method_serial = -1

    def kind(self, filename: str) -> int:
        index: int = self.files.index_of(filename)
        if index < 0:
            index = (PASSING if filename in PASSED else TORCH if filename.startswith(TORCH_FOLDER)
                     else TRACER if filename.startswith(PROBE_FILES) else LIBRARY)
        self.kinds[filename] = index
        return index

    def asked_by_torch(self, frame: Optional[FrameType]) -> bool:
        """Does the nearest code that is not merely passed through belong to torch?"""
        while frame is not None:
            filename = frame.f_code.co_filename
            kind = self.kinds.get(filename)
            if kind is None:
                kind = self.kind(filename)
            if kind > PASSING:
                return kind == TORCH
            if kind == PASSING and frame.f_code.co_name in ("__iter__", "__format__", "__deepcopy__", "__repr__"):
                return True
            frame = frame.f_back
        return False

    def asked_by_program(self, frame: Optional[FrameType]) -> bool:
        """Does the nearest code that is not merely passed through stand in a file of the program?"""
        while frame is not None and self.kind_of(frame) == PASSING:
            frame = frame.f_back
        return frame is not None and self.kind_of(frame) >= 0

    def own_span(self, frame: Optional[FrameType]) -> Optional[List[int]]:
        """[file, line, column, last line, end column] of what runs in the frame where it is the program's, or in its caller where
        dataclasses has written it or torch only passes on; None where it isn't. Columns, in characters from 1, are 0 where the interpreter has none."""
        while frame is not None and (frame.f_code.co_filename == "<string>" or self.kind_of(frame) == PASSING):
            frame = frame.f_back
        kind = -1 if frame is None else self.kind_of(frame)
        if frame is None or kind < 0:
            return None
        key = id(frame.f_code), frame.f_lasti
        if key not in self.spans:  # with the code, so that its id means no other
            self.spans[key] = [kind, *self.span(kind, frame)], frame.f_code
        return self.spans[key][0]

    def span(self, file: int, frame: FrameType) -> List[int]:
        nowhere = [frame.f_lineno or 0, 0, 0, 0]
        if not hasattr(frame.f_code, "co_positions"):  # before Python 3.11
            return nowhere
        line, last, column, end = next(itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), (None,) * 4)
        if line is None or last is None or column is None or end is None:
            return nowhere
        if file not in self.columns:
            self.columns[file] = Columns(self.files.sources[file])
        return [line, self.columns[file].column(line, column), last, self.columns[file].column(last, end)]

    def kind_of(self, frame: FrameType) -> int:
        filename = frame.f_code.co_filename
        kind = self.kinds.get(filename)
        return self.kind(filename) if kind is None else kind

    def place(self, frame: Optional[FrameType]) -> List[int]:
        """[file, line] of the nearest frame of the program; [-1, 0] if there is none."""
        kinds = self.kinds
        while frame is not None:
            filename = frame.f_code.co_filename
            kind = kinds.get(filename)
            if kind is None:
                kind = self.kind(filename)
            if kind >= 0:
                return self.shared_place(kind, frame.f_lineno or 0)
            frame = frame.f_back
        return self.places[-1, 0]

    def shared_place(self, file: int, line: int) -> List[int]:
        place = self.places.get((file, line))
        if place is None:
            place = self.places[file, line] = [file, line]
        return place

    def place_and_maker(self, frame: Optional[FrameType], running: List[Any]) -> Tuple[List[int], int]:
        """`running` are the module calls that are going on (modules.Running), outermost first: they stand on the stack
        in the order of the wrapper's frames."""
        kinds, module_call = self.kinds, self.module_call
        level = len(running)
        place: Optional[List[int]] = None
        maker: Optional[Maker] = None
        outermost: Optional[FrameType] = None  # the outermost frame of a child or helper so far
        inner = -1  # the file of the innermost
        while frame is not None:
            code = frame.f_code
            kind = kinds.get(code.co_filename)
            if kind is None:
                kind = self.kind(code.co_filename)
            if kind >= 0:
                if place is None:
                    place = self.shared_place(kind, frame.f_lineno or 0)
                if maker is not None:
                    break
                if self.files.part(kind) in OWN_PARTS:
                    maker = (self.method(outermost) if outermost is not None else None) or ("own", kind if inner < 0 else inner)
                    break
                outermost = frame
                if inner < 0:
                    inner = kind
            elif kind == TRACER and code is module_call:
                level -= 1
                if maker is None and level >= 0 and running[level].child >= 0:
                    maker = ("child", running[level].child, running[level].number)
                    if place is not None:
                        break
            frame = frame.f_back
        if maker is None:
            maker = ("own", inner) if inner >= 0 else ("library",)
        number = self.makers.get(maker, -1)
        if number < 0:
            number = self.makers[maker] = self.maker_count
            self.maker_count += 1
            self.maker_rows.append(maker)
        return place or self.places[-1, 0], number

    def write(self, pieces: Pieces, running: List[Any]) -> None:
        if not self.maker_rows:
            return
        pieces.write(MAKERS, self.maker_rows)
        numbers = {each.number for each in running}
        self.makers = {maker: number for maker, number in self.makers.items()
                       if maker[0] in ("own", "library") or maker[0] == "child" and maker[2] in numbers
                       or maker[0] == "method" and maker[3] == self.method_serial}

    def method(self, frame: FrameType) -> Optional[Maker]:
        """("method", ..) if the frame is of a method of a child's module, called by own code."""
        code = frame.f_code
        if code.co_argcount == 0 or code.co_name.startswith("_") and code.co_name not in ("__init__", "__call__"):
            return None
        module = frame.f_locals.get(code.co_varnames[0])
        if not isinstance(module, torch.nn.Module):
            return None
        file = self.files.owner_of(type(module))
        if file < 0 or self.files.part(file) != "child" or not defines(type(module), code):
            return None
        if frame is not self.method_frame:
            self.method_frame = frame
            self.method_serial += 1
        return ("method", file, self.module_number(module), self.method_serial, code.co_name)

    def forget(self) -> None:
        self.method_frame = None


def defines(kind: type, code: CodeType) -> bool:
    """Is that code a plain method of the class, under its own name? A property, static method or lambda is not."""
    for parent in kind.__mro__:
        function = parent.__dict__.get(code.co_name)
        while function is not None:
            if getattr(function, "__code__", None) is code:
                return True
            function = getattr(function, "__wrapped__", None)
    return False
