"""Tables that may be very long: rows that don't change any more are written to a memory file by the thousand, and the rest
goes with the answer (docs/protocol.md, "Pieces")."""

from __future__ import annotations

import json
import os
import struct
from typing import Any, List

ROWS_AT_ONCE = 8192       # a table that has so many rows is written; most runs have fewer of each
MOST_OPERATORS = 2_000_000  # of one recording; calls of one trace
MOST_BYTES = 1 << 30      # of the file
MOST_PIECE = 64 << 20
FEWEST_KEPT = 1 << 14     # what is known of tensors that are gone may take so many entries of a table
CALLS, TENSORS, MODULE_CALLS, MAKERS, EVENTS, RECORDED_TENSORS = b"c", b"t", b"m", b"k", b"e", b"n"


class TooLong(RuntimeError):
    """More than a recording or a trace may hold."""


class Pieces:
    """A memory file that holds the first rows of several tables."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = 0

    def write(self, table: bytes, rows: List[Any]) -> None:
        """Takes the rows out of the list."""
        body = json.dumps(rows, separators=(",", ":"), allow_nan=False).encode("ascii")
        if len(body) > MOST_PIECE and len(rows) > 1:
            half = len(rows) // 2
            self.write(table, rows[:half])
            self.write(table, rows[half:])
            del rows[:]
            return
        if self.size + len(body) > MOST_BYTES:
            raise TooLong("more than %d MiB of operators and tensors; such a model is not recorded" % (MOST_BYTES >> 20))
        piece = memoryview(struct.pack("<4sII", table, len(rows), len(body)) + body)
        while piece:
            done = os.pwrite(self.descriptor, piece, self.size)
            self.size += done
            piece = piece[done:]
        del rows[:]
