"""A model whose forward makes very many torch calls, through `plumbline trace`, `diff` and `step`: time, and the memory of each process.

    bench/million.py PLUMBLINE PYTHON [CALLS]        CALLS: 1,000,000 by default
    bench/million.py write FOLDER CALLS              writes the files and measures nothing

The original adds a parameter in a loop, the refactored calls a child that does so, which is also a call of a module each time."""

import os
import subprocess
import sys
import tempfile
import threading
import time

ORIGINAL = """import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, width=4, steps=CALLS):
        super().__init__()
        self.steps = steps
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        for _ in range(self.steps):
            x = x + self.scale
        return x


def get_inputs():
    return [torch.randn(2, 4)]


def get_init_inputs():
    return []
"""
CHILD = """import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x + self.scale


def get_inputs():
    return [torch.randn(2, 4)]


def get_init_inputs():
    return []
"""
REFACTORED = """import torch
import torch.nn as nn
from children.shift import Model as Shift


class RefactoredModel(nn.Module):
    def __init__(self, width=4, steps=CALLS):
        super().__init__()
        self.steps = steps
        self.shift = Shift(width)

    def forward(self, x):
        for _ in range(self.steps):
            x = self.shift(x)
        return x


def get_inputs():
    return [torch.randn(2, 4)]


def get_init_inputs():
    return []
"""


class Watch(threading.Thread):
    """The largest resident memory of a process, and of the largest below it, without what they map of files."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self.root, self.own, self.below = root, 0, 0
        self.start()

    def run(self):
        while True:
            parents = {}
            for name in os.listdir("/proc"):
                try:
                    with open("/proc/%s/stat" % name) as file:
                        parents[int(name)] = int(file.read().rsplit(")", 1)[1].split()[1])
                except (OSError, ValueError):
                    pass
            if self.root not in parents:
                return
            self.own = max(self.own, resident(self.root))
            for process in parents:
                if self.root in ancestors(process, parents):
                    self.below = max(self.below, resident(process))
            time.sleep(0.2)


def ancestors(process, parents):
    while process in parents:
        process = parents[process]
        yield process


def resident(process):
    try:
        with open("/proc/%d/status" % process) as file:
            return next((int(line.split()[1]) >> 10 for line in file if line.startswith("RssAnon:")), 0)
    except OSError:
        return 0


def measure(name, command, expected):
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    watch = Watch(process.pid)
    error = process.stderr.read().decode()
    status = process.wait()
    if status != expected:
        sys.exit("%s: status %d: %s" % (name, status, error))
    print("| %s | %.0f s | %d MiB | %d MiB |" % (name, time.monotonic() - started, watch.own, watch.below), flush=True)


def write(folder, calls):
    os.makedirs(os.path.join(folder, "children"))
    for name, text, count in (("original.py", ORIGINAL, calls), ("refactored.py", REFACTORED, calls), ("children/shift.py", CHILD, calls),
                              ("shorter.py", REFACTORED, calls - 1)):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text.replace("CALLS", str(count)))


def main():
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]))
        return
    plumbline, python, calls = sys.argv[1], sys.argv[2], int((sys.argv[3:] + ["1000000"])[0])
    with tempfile.TemporaryDirectory() as parent:
        folder = os.path.join(parent, "long")
        write(folder, calls)
        original, refactored, shorter = (os.path.join(folder, name + ".py") for name in ("original", "refactored", "shorter"))
        options = ["--python", python, "--timeout", "3600"]
        both = ["--original", original, "--refactored", refactored]
        print("| %d calls | time | plumbline | largest cell |\n|---|---|---|---|" % calls)
        measure("trace", [plumbline, "trace", original, *options], 0)
        measure("trace --format json", [plumbline, "trace", original, "--format", "json", *options], 0)
        measure("diff, equal", [plumbline, "diff", original, refactored, *options], 0)
        measure("diff, one call less", [plumbline, "diff", original, shorter, *options], 1)
        measure("step --rigor fast", [plumbline, "step", *both, "--rigor", "fast", *options], 0)
        measure("step", [plumbline, "step", *both, *options], 0)


if __name__ == "__main__":
    main()
