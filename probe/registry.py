"""The user's files of one program, and which of them each code object and each class belongs to."""

from __future__ import annotations

import builtins
import os

TYPE_CHECKING = False  # typing takes milliseconds to load
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional


class FileRegistry:
    """Files are numbered as in the job's `program`. The file name in a code object is the file's absolute path."""

    def __init__(self, program: Dict[str, Any], bundle: bytes) -> None:
        self.main: int = program["main"]
        self.role: str = program["role"]
        self.files: List[Dict[str, Any]] = program["files"]
        self.sources: List[bytes] = [bundle[file["at"]:file["at"] + file["size"]] for file in self.files]
        self._index = {file["path"]: index for index, file in reversed(list(enumerate(self.files)))}
        self._owners: Dict[int, int] = {}
        self._classes: List[type] = []  # keeps ids from being used again

    def index_of(self, filename: str) -> int:
        """The file that code with this `co_filename` was compiled from, or -1."""
        index = self._index.get(filename)
        if index is None:
            index = self._index.get(os.path.realpath(filename), -1) if self.role == "original" else -1
            self._index[filename] = index
        return index

    def part(self, index: int) -> Optional[str]:
        return self.files[index]["part"] if index >= 0 else None

    def owner_of(self, kind: type) -> int:
        """The file whose class statement made this class, or -1."""
        return self._owners.get(id(kind), -1)

    def watch_class_statements(self) -> None:
        """From now on, remembers for each class which file's statement made it, whatever its `__module__` says."""
        build = builtins.__build_class__

        def build_class(body: Any, *arguments: Any, **keywords: Any) -> Any:
            made = build(body, *arguments, **keywords)
            index = self.index_of(body.__code__.co_filename)
            if index >= 0 and isinstance(made, type):
                self._owners[id(made)] = index
                self._classes.append(made)
            return made

        builtins.__build_class__ = build_class  # type: ignore[assignment]
