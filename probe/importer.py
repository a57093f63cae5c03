"""Loads a program: a candidate from the very bytes that were checked, an original as Python does it."""

from __future__ import annotations

import ast
import importlib.machinery
import sys
import types
from typing import Any, Dict, List, Optional

from .compose import Composition
from .registry import FileRegistry
from .rewrite import COMPONENT, PACKAGE, REWRITTEN, rewrite


def load(registry: FileRegistry, program: Dict[str, Any]) -> types.ModuleType:
    """Runs the main file and what it imports; its module."""
    registry.watch_class_statements()
    if registry.role == "original" and registry.files[registry.main]["part"] == "original":
        return load_original(registry, program.get("search", []))
    candidate = Candidate(registry)
    if "composed" in program:
        candidate.composition = Composition(program["composed"], program["class_names"], candidate.module)
    return candidate.module(registry.main)


def load_original(registry: FileRegistry, search: List[str]) -> types.ModuleType:
    file = registry.files[registry.main]
    sys.path[:0] = search
    sys.argv[:] = [file["path"]]
    stem = file["path"].rsplit("/", 1)[-1].rsplit(".", 1)[0]
    name = stem if stem not in sys.modules and stem != "__main__" else "original_" + stem
    module = new_module(name, file["path"])
    code = compile(registry.sources[registry.main], file["path"], "exec", 0, True)
    exec(code, module.__dict__)
    return module


def new_module(name: str, path: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__file__ = path
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, origin=path)
    sys.modules[name] = module  # where dataclasses and typing look for the names of a class's module
    return module


class Candidate:
    """The modules of a candidate: one a file, run when it is first asked for."""

    def __init__(self, registry: FileRegistry) -> None:
        self.registry = registry
        self.modules: Dict[int, types.ModuleType] = {}
        self.composition: Optional[Composition] = None  # of a recomposed program

    def module(self, index: int) -> types.ModuleType:
        """The module of a file; unfinished if it is being run, as in Python."""
        if index in self.modules:
            return self.modules[index]
        file = self.registry.files[index]
        stem = file["path"].rsplit("/", 1)[-1].rsplit(".", 1)[0]
        module = self.modules[index] = new_module("component_%d_%s" % (index, stem), file["path"])
        packages = Packages(self, file.get("binds", []))
        # The rewritten code's own names; no source can spell them.
        module.__dict__[COMPONENT] = self.component
        module.__dict__[PACKAGE] = packages.bind
        source: Any = self.registry.sources[index]
        if any(file.get(key) for key in REWRITTEN):
            source = rewrite(ast.parse(source, file["path"]), source, file)
        exec(compile(source, file["path"], "exec", 0, True), module.__dict__)
        return module

    def component(self, index: int, attribute: Optional[str] = None) -> Any:
        composed = self.composition if self.composition is not None and index in self.composition.rows else None
        if attribute is None:
            return self.module(index) if composed is None else composed.whole(index)
        try:
            return getattr(self.module(index), attribute) if composed is None else composed.attribute(index, attribute)
        except AttributeError:
            raise ImportError("%s defines no %r" % (self.registry.files[index]["name"], attribute)) from None


class Packages:
    """The package objects of one importing file: what `import children.linear` binds `children` to."""

    def __init__(self, candidate: Candidate, binds: List[List[Any]]) -> None:
        self.candidate = candidate
        self.files = {row[2]: row[3] for row in binds if row[3] is not None and row[4] is None}
        self.made: Dict[str, types.ModuleType] = {}

    def package(self, dotted: str) -> types.ModuleType:
        if dotted in self.files:
            return self.candidate.component(self.files[dotted])  # type: ignore[no-any-return]
        if dotted not in self.made:
            self.made[dotted] = types.ModuleType(dotted)
        return self.made[dotted]

    def bind(self, dotted: str, index: int) -> types.ModuleType:
        """Makes every package of `dotted`, with the file's module at its end; the first of them."""
        parts = dotted.split(".")
        self.files.setdefault(dotted, index)
        for count in range(1, len(parts)):
            setattr(self.package(".".join(parts[:count])), parts[count], self.package(".".join(parts[:count + 1])))
        return self.package(parts[0])
