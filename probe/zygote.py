"""The process that has imported torch and nothing of the user's, and that forks a cell for each piece of work."""

from __future__ import annotations

import _signal as signal  # the doors to these two take milliseconds to load and add nothing for us
import _socket as socket
import gc
import os
import sys
import time
import warnings

from . import cell, sandbox, surroundings, wire

TYPE_CHECKING = False  # typing takes milliseconds to load
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple


def main(descriptor: int, with_torch: bool) -> None:
    gc.disable()  # importing makes no garbage worth the search
    sandbox.die_with_parent(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    connection = socket.socket(fileno=descriptor)
    os.set_inheritable(descriptor, False)
    sys.dont_write_bytecode = True
    sys.path[:] = [path for path in sys.path if path not in ("", os.getcwd())]
    sys.argv[:] = [""]
    warnings.simplefilter("ignore")
    namespaces = sandbox.Namespaces()  # before torch: this forks
    started = time.monotonic()
    torch_error = import_torch() if with_torch else None
    seconds = time.monotonic() - started
    cell.prepare(with_torch and torch_error is None)
    forget_probe()
    wire.send(connection, {"hello": dict(surroundings.describe(), torch_error=torch_error, import_seconds=seconds)})
    gc.freeze()
    gc.enable()
    born = serve(connection)
    if born is not None:
        connection.close()
        cell.live(*born, namespaces)


def forget_probe() -> None:
    """Takes the probe out of what an import statement can reach."""
    package = __name__.rsplit(".", 1)[0]
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "__main__"]
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]
    main_module = vars(sys.modules["__main__"])
    for name in [name for name in main_module if not name.startswith("__")]:
        del main_module[name]


def import_torch() -> Optional[str]:
    """Imports torch and makes it fit to be forked; the text of the error if it doesn't load."""
    try:
        import torch
    except BaseException as cause:
        return wire.clean("%s: %s" % (type(cause).__name__, cause))[:4096]
    torch.set_num_threads(1)  # a pool of threads would not outlive a fork
    # A library may load torch._dynamo in a cell, which makes this folder then; one that is there need not be made.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.sep
    if hasattr(torch.backends, "mha"):
        torch.backends.mha.set_fastpath_enabled(False)
    load_generators()
    return None


def load_generators() -> None:
    """numpy loads its generators at first use: here, and not in each cell that seeds them."""
    if "numpy" in sys.modules:
        try:
            import numpy.random
        except ImportError:
            pass


def serve(connection: socket.socket) -> Optional[Tuple[socket.socket, int]]:
    """Answers requests until the socket closes. In a forked cell: its own socket and log."""
    while True:
        received = wire.receive(connection)
        if received is None:
            return None
        request, descriptors = received
        if "cell" in request:
            zygote = os.getpid()
            pid = os.fork()
            if pid == 0:
                sandbox.die_with_parent(zygote)
                return socket.socket(fileno=descriptors[0]), descriptors[1]
            wire.send(connection, {"cell": request["cell"], "pid": pid})
        elif "reap" in request:
            wire.send(connection, reap(request["reap"]))
        elif "preload" in request:
            wire.send(connection, {"preloaded": [preload(statement) for statement in request["preload"]]})
            gc.freeze()
        for each in descriptors:
            os.close(each)


def reap(pid: int) -> Dict[str, Any]:
    _, status, usage = os.wait4(pid, 0)
    return {"reaped": pid, "status": status, "max_rss": usage.ru_maxrss * 1024,
            "cpu_seconds": usage.ru_utime + usage.ru_stime}


def preload(statement: str) -> Dict[str, Optional[str]]:
    try:
        exec(statement, {"__name__": "preload"})
    except BaseException as cause:
        return {"statement": statement, "error": wire.clean("%s: %s" % (type(cause).__name__, cause))[:4096]}
    return {"statement": statement, "error": None}
