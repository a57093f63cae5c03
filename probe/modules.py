"""Which modules a run called, in which order, and where they stand in the model."""

from __future__ import annotations

import weakref
from typing import Any, Dict, List, Optional, Tuple

import torch

from .pieces import MODULE_CALLS, Pieces


class Running:
    """A module call that is going on."""
    __slots__ = ("number", "module", "child")

    def __init__(self, number: int, module: torch.nn.Module, child: int) -> None:
        self.number = number  # of the module call
        self.module = module
        self.child = child  # the file of its class if that is a child's, or -1


class Modules:
    def __init__(self, files: Any) -> None:
        self.files = files
        self.table: List[List[Any]] = []  # rows of the protocol: [path, class, file, library]
        self.known: Dict[int, Tuple[Any, int]] = {}  # id of the module -> weak reference, number
        self.paths: Dict[int, str] = {}  # id of a module of the finished model -> its path
        self.root: Optional[torch.nn.Module] = None
        self.classes: Dict[type, Tuple[int, int]] = {}  # its file, and that file if it is a child's
        self.calls: Dict[int, List[Any]] = {}  # number -> row of the protocol, but for those that were written
        self.call_count = 0
        self.running: List[Running] = []

    def set_root(self, root: torch.nn.Module) -> None:
        """Numbers every module of the model; those met before get their paths."""
        self.root = root
        for path, module in root.named_modules():
            self.paths[id(module)] = path
            self.table[self.number(module)][0] = path

    def number(self, module: torch.nn.Module) -> int:
        entry = self.known.get(id(module))
        if entry is not None and entry[0]() is module:
            return entry[1]
        number = len(self.table)
        kind = type(module)
        file, _ = self.file(kind)
        library = None if file >= 0 else kind.__module__ + "." + kind.__qualname__
        self.table.append(["?" + kind.__name__, kind.__name__, file, library])
        self.known[id(module)] = (weakref.ref(module), number)
        return number

    def file(self, kind: type) -> Tuple[int, int]:
        entry = self.classes.get(kind)
        if entry is None:
            file: int = self.files.owner_of(kind)
            child = file if file >= 0 and self.files.part(file) == "child" else -1
            entry = self.classes[kind] = (file, child)
        return entry

    def begin(self, module: torch.nn.Module, args: Any, kwargs: Any, place: List[int], first: int) -> Running:
        """`args` and `kwargs` are encoded; `first` is the number that the next torch call will have."""
        running = Running(self.call_count, module, self.file(type(module))[1])
        parent = self.running[-1].number if self.running else -1
        self.calls[self.call_count] = [self.number(module), parent, first, first, args, kwargs, None, place]
        self.call_count += 1
        self.running.append(running)
        return running

    def end(self, running: Running, depth: int, next_call: int) -> None:
        """However the call ended: what was begun inside it is over too."""
        row = self.calls.get(running.number)
        if row is not None:
            row[3] = next_call
        del self.running[depth:]

    def give(self, running: Running, output: Any) -> None:
        """What the call that has just ended gave, encoded."""
        row = self.calls.get(running.number)
        if row is not None:
            row[6] = output

    def write(self, pieces: Pieces) -> None:
        """Writes the calls that are over."""
        running = {each.number for each in self.running}
        over = [[number, row] for number, row in self.calls.items() if number not in running]
        if over:
            self.calls = {number: self.calls[number] for number in running}
            pieces.write(MODULE_CALLS, over)

    def late_paths(self) -> None:
        """Modules that forward has added to the model."""
        if self.root is not None:
            for path, module in self.root.named_modules():
                row = self.table[self.number(module)]
                if row[0].startswith("?"):
                    row[0] = path

