"""Frames on a Unix stream socket: a 4-byte length and one JSON object, with file descriptors beside its first byte."""

from __future__ import annotations

import _socket as socket  # its door, socket.py, takes milliseconds to load and adds nothing for us
import struct

TYPE_CHECKING = False  # typing takes milliseconds to load
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple
    Frame = Dict[str, Any]

MOST_DESCRIPTORS = 32
INT = struct.calcsize("i")


def refuse(value: Any) -> Any:
    raise TypeError("a %s can't be sent" % type(value).__name__)


class Reading:
    """What json.decoder tells its scanner."""
    strict, object_hook, object_pairs_hook, parse_float, parse_int, parse_constant = True, None, None, float, int, float


try:
    import _json  # its door, json, loads re, enum and collections: a fifth of what starting a parser takes

    scan = _json.make_scanner(Reading)
    encode = _json.make_encoder(None, refuse, _json.encode_basestring_ascii, None, ":", ",", False, False, False)
except (ImportError, AttributeError, TypeError):  # no part of what Python promises
    import json

    scan = json.JSONDecoder().raw_decode
    encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).iterencode


def receive(connection: socket.socket) -> Optional[Tuple[Frame, List[int]]]:
    """The next frame and its descriptors, or None at the end of the stream."""
    descriptors: List[int] = []
    header = b""
    while len(header) < 4:
        data, ancillary, _, _ = connection.recvmsg(
            4 - len(header), socket.CMSG_SPACE(MOST_DESCRIPTORS * INT), socket.MSG_CMSG_CLOEXEC)
        if not data:
            return None
        header += data
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.extend(struct.unpack("%di" % (len(payload) // INT), payload[:len(payload) // INT * INT]))
    body = bytearray(struct.unpack("<I", header)[0])
    view, filled = memoryview(body), 0
    while filled < len(body):
        count = connection.recv_into(view[filled:])
        if count == 0:
            return None
        filled += count
    return scan(body.decode("utf-8"), 0)[0], descriptors


def send(connection: socket.socket, frame: Frame) -> None:
    body = "".join(encode(frame, 0)).encode("ascii")
    connection.sendall(struct.pack("<I", len(body)) + body)


def clean(text: str) -> str:
    """`text` as JSON readers take it: no lone surrogates, no NUL."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
