"""Frames on a Unix stream socket: a 4-byte length and one JSON object, with file descriptors beside its first byte."""

from __future__ import annotations

import _socket as socket  # its door, socket.py, takes milliseconds to load and adds nothing for us
import array
import json
import struct

TYPE_CHECKING = False  # typing takes milliseconds to load
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple
    Frame = Dict[str, Any]

MOST_DESCRIPTORS = 32


def receive(connection: socket.socket) -> Optional[Tuple[Frame, List[int]]]:
    """The next frame and its descriptors, or None at the end of the stream."""
    descriptors = array.array("i")
    header = b""
    while len(header) < 4:
        data, ancillary, _, _ = connection.recvmsg(
            4 - len(header), socket.CMSG_SPACE(MOST_DESCRIPTORS * descriptors.itemsize), socket.MSG_CMSG_CLOEXEC)
        if not data:
            return None
        header += data
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(payload[:len(payload) - len(payload) % descriptors.itemsize])
    body = bytearray(struct.unpack("<I", header)[0])
    view, filled = memoryview(body), 0
    while filled < len(body):
        count = connection.recv_into(view[filled:])
        if count == 0:
            return None
        filled += count
    return json.loads(body.decode("utf-8")), list(descriptors)


def send(connection: socket.socket, frame: Frame) -> None:
    body = json.dumps(frame, separators=(",", ":"), allow_nan=False).encode("ascii")
    connection.sendall(struct.pack("<I", len(body)) + body)


def clean(text: str) -> str:
    """`text` as JSON readers take it: no lone surrogates, no NUL."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
