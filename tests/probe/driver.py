"""Stands in for the C side of docs/protocol.md: starts a zygote, runs cells, maps what they wrote."""

import array
import json
import os
import socket
import struct

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROBE = os.path.join(ROOT, "probe")
BOOTSTRAP = os.path.join(ROOT, "src", "probe", "bootstrap.py")
NO_SANDBOX = {"seccomp": False, "landlock": None, "namespaces": False, "memory": 0, "cpu_seconds": 0, "file_size": 0}
SIZES = {"torch.float32": 4, "torch.float64": 8, "torch.int64": 8, "torch.bfloat16": 2, "torch.bool": 1}


def memory_file(content=b""):
    descriptor = os.memfd_create("plumbline", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    return descriptor


def send(connection, frame, descriptors=()):
    body = json.dumps(frame).encode()
    data = struct.pack("<I", len(body)) + body
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    sent = connection.sendmsg([data], rights)
    connection.sendall(data[sent:])


def receive(connection):
    def exactly(count):
        data = b""
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                return None
            data += more
        return data

    header = exactly(4)
    return None if header is None else json.loads(exactly(struct.unpack("<I", header)[0]).decode())


class Probe:
    """A zygote. `sandbox` holds for every cell that it is asked for."""

    def __init__(self, python, with_torch=True, sandbox=None, folder="/"):
        self.sandbox = dict(NO_SANDBOX, **(sandbox or {}))
        ours, theirs = socket.socketpair()
        sources = {name: open(os.path.join(PROBE, name)).read() for name in os.listdir(PROBE) if name.endswith(".py")}
        blob = memory_file("\0".join(text for source in sources.items() for text in source).encode())
        os.lseek(blob, 0, os.SEEK_SET)
        self.pid = os.fork()
        if self.pid == 0:
            high = [os.dup(theirs.fileno()), os.dup(blob)]
            high = [os.dup2(fd, number) for fd, number in zip(high, (50, 51))]
            os.dup2(50, 3)
            os.dup2(51, 4)
            os.closerange(5, 60)
            os.chdir(folder)
            os.execv(python, [python, "-c", open(BOOTSTRAP).read(), "torch" if with_torch else "no-torch"])
        theirs.close()
        os.close(blob)
        self.connection = ours
        self.hello = receive(ours)["hello"]

    def cell(self, work, files):
        """Runs one cell: (answer or None, reaped, log)."""
        ours, theirs = socket.socketpair()
        log = memory_file()
        send(self.connection, {"cell": 1}, [theirs.fileno(), log])
        theirs.close()
        pid = receive(self.connection)["pid"]
        job = {"fds": list(files), "sandbox": self.sandbox, "threads": 2, "work": work}
        send(ours, job, list(files.values()))
        ready = receive(ours)
        self.layers = ready["ready"]["layers"] if ready else None
        answer = receive(ours) if ready else None
        ours.close()
        send(self.connection, {"reap": pid})
        reaped = receive(self.connection)
        text = os.pread(log, 1 << 20, 0).decode("utf-8", "replace")
        os.close(log)
        return answer, reaped, text

    def close(self):
        self.connection.close()
        os.waitpid(self.pid, 0)


class Program:
    """Files of one side and the memory files that its cells share."""

    def __init__(self, probe, role, files, search=()):
        bundle, rows = b"", []
        for row in files:
            source = row.pop("source").encode()
            rows.append(dict(row, at=len(bundle), size=len(source)))
            bundle += source
        self.probe, self.bundle = probe, memory_file(bundle)
        self.program = {"role": role, "main": 0, "class_names": ["RefactoredModel", "Model"], "files": rows,
                        "search": list(search)}

    def describe(self, seeds=(), initialise=True, seed=42):
        self.files = {"bundle": self.bundle, "weights": memory_file(), "inputs": memory_file(), "outputs": memory_file()}
        return self.probe.cell({"kind": "describe", "program": self.program, "seed": seed, "device": "cpu", "init": None,
                                "trial_seeds": list(seeds), "initialise": initialise}, self.files)

    def run(self, described, weights_of=None, trial=0, seed=42, mode="eval", initialise=False, float64=False, trace=False,
            keys=None, values=0):
        """Runs with the weights and inputs that `describe` of `weights_of` (or of itself) wrote."""
        owner = weights_of or self
        rows = [{"key": (keys or {}).get(row["key"], row["key"]), "tensor": row["tensor"]} for row in described["state"]]
        trial = described["trials"][trial]
        self.outputs = memory_file()
        files = {"bundle": self.bundle, "weights": owner.files["weights"], "inputs": owner.files["inputs"],
                 "outputs": self.outputs, "recording": memory_file()}
        if values:
            self.values = files["values"] = memory_file()
        return self.probe.cell({"kind": "run", "program": self.program, "seed": seed, "construct_seed": 42, "init": None,
                                "device": "cpu", "mode": mode, "initialise": initialise, "weights": rows, "args": trial["args"],
                                "kwargs": trial["kwargs"], "tensors": trial["tensors"], "trace": trace,
                                "float64": float64, "values": values}, files)


def tensor_bytes(descriptor, located):
    """The bytes of a contiguous located tensor."""
    count = 1
    for size in located["shape"]:
        count *= size
    size = count * SIZES[located["dtype"]]
    at = located["storage"]["at"] + located["offset"] * SIZES[located["dtype"]]
    return os.pread(descriptor, size, at)
