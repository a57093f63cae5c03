"""A cell: a fork of the zygote that sandboxes itself, does one piece of work, answers and dies."""

from __future__ import annotations

import _socket as socket  # its door, socket.py, takes milliseconds to load and adds nothing for us
import gc
import os
import sys

from . import failure, sandbox, syntax, wire

TYPE_CHECKING = False  # typing takes milliseconds to load
if TYPE_CHECKING:
    from typing import Any, Callable, Dict
    Work = Callable[[Dict[str, Any], Dict[str, int], failure.Progress], Dict[str, Any]]


def parse_files(work: Dict[str, Any], files: Dict[str, int], progress: failure.Progress) -> Dict[str, Any]:
    """work: syntax."""
    gc.disable()  # a tree has no cycles, and the cell ends with it
    sources = [(os.pread(files["bundle"], file["size"], file["at"]), file["name"]) for file in work["files"]]
    if not work.get("check"):
        return {"trees": [syntax.parse(source, name) for source, name in sources]}
    with syntax.warnings.catch_warnings():
        syntax.warnings.simplefilter("ignore")
        checked = [syntax.check(source, name) for source, name in sources]
    return {"problems": [[index] + problem for index, problem in enumerate(checked) if problem is not None]}


WORK: Dict[str, Work] = {"syntax": parse_files}


def prepare(with_torch: bool) -> None:
    """Loads what a cell needs, in the zygote."""
    if with_torch:
        from . import describe, patches, record, run, script

        WORK.update(describe=describe.describe, run=run.run, record=record.record, inputs=record.inputs, script=script.script)
        patches.forget_lookups()


def live(connection: socket.socket, log: int, namespaces: sandbox.Namespaces) -> None:
    """The whole life of a cell. Does not return."""
    progress = failure.Progress()
    try:
        os.setpgid(0, 0)
        sandbox.use_small_pages()
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        answer = work(connection, namespaces, progress)
    except BaseException as cause:
        answer = {"failed": failure.report(cause, progress)}
    try:
        wire.send(connection, answer)
    finally:
        for stream in (sys.__stdout__, sys.__stderr__):
            try:
                stream.flush()
            except BaseException:
                pass
        os._exit(0)


def work(connection: socket.socket, namespaces: sandbox.Namespaces, progress: failure.Progress) -> Dict[str, Any]:
    received = wire.receive(connection)
    if received is None:
        os._exit(0)
    job, descriptors = received
    files = dict(zip(job["fds"], descriptors))
    task = job["work"]
    layers = sandbox.apply(job["sandbox"], files.get("seccomp"), namespaces)
    if "torch" in sys.modules:  # after the sandbox: a process with threads can't enter namespaces
        sys.modules["torch"].set_num_threads(job["threads"])
    wire.send(connection, {"ready": {"layers": layers}})
    return {"done": WORK[task["kind"]](task, files, progress)}
