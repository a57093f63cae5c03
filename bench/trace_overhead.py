"""What tracing costs a forward: each model runs plain and under the probe's tracer, in turns, in one process; the least of each
is compared, since what else runs on a machine only slows.

    PYTHON bench/trace_overhead.py ROUNDS [WORD]      only the models whose names have the word

On models that take over a second tracing is to cost at most 5 % of the processor's time; the last model, of many small calls, is
there for contrast. Exits 1 if it is more."""

import contextlib
import os
import sys
import time

import torch

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from probe.registry import FileRegistry  # noqa: E402
from probe.run import ChangeWatch, name_ends, slow_path  # noqa: E402
from probe.tracer import Tracer  # noqa: E402

GPT2 = os.path.join("examples", "gpt2_small", "level_3_model", "gpt2_small.py")
VGG = os.path.join("bench", "steps", "vgg16", "original.py")
SMALL_CALLS = """import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(64))

    def forward(self, x):
        for i in range(2000):
            x = x + torch.tanh(self.layers[i % 64](x))
        return x


def get_inputs():
    return [torch.randn(4, 8)]
"""
GPT2_SIZES = """

def get_init_inputs():
    return [50000, 1024, 768, 12, 12]


def get_inputs():
    return [torch.randint(0, 50000, %r)]
"""
MOST, LONG = 5.0, 1.0
# As in a cell (src/probe/process.c). Without it, what malloc gives back and asks for again is most of the difference.
CELL = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "17179869184"}


def text(path, more=""):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read() + more


def models():
    return {"VGG-16, fp32, batch 10": text(VGG),
            "GPT-2 small, 12 layers, [4, 256]": text(GPT2, GPT2_SIZES % ((4, 256),)),
            "GPT-2 small, 12 layers, [2, 32]": text(GPT2, GPT2_SIZES % ((2, 32),)),
            "6,000 small calls": SMALL_CALLS}


class Model:
    """A file's model with its inputs, as work "run" of docs/protocol.md has them."""

    def __init__(self, source):
        names = {"__name__": "model"}
        exec(compile(source, "model.py", "exec"), names)
        make = names.get("get_init_inputs", list)
        self.model, self.inputs = names["Model"](*make()).eval(), names["get_inputs"]()
        row = {"path": os.devnull, "name": "model.py", "part": "own", "at": 0, "size": 0}
        self.registry = FileRegistry({"main": 0, "role": "original", "files": [row]}, b"")

    def forward(self, traced):
        """Seconds of the processors, and of the clock."""
        tracer = Tracer(self.registry) if traced else None
        if tracer is not None:
            name_ends(tracer, self.model, ChangeWatch(self.model, self.inputs, {}), set())
        processors, clock = time.process_time(), time.monotonic()
        with torch.no_grad(), slow_path(self.model), tracer.phase(1) if tracer is not None else contextlib.nullcontext():
            self.model(*self.inputs)
        seconds = time.process_time() - processors, time.monotonic() - clock
        if tracer is not None:
            tracer.close()
        return seconds


def measure(source, rounds):
    """The least seconds: of the processors and of the clock, plain and traced."""
    model = Model(source)
    model.forward(False)
    runs = [(model.forward(False), model.forward(True)) for _ in range(rounds)]
    return [min(run[traced][which] for run in runs) for which in (0, 1) for traced in (0, 1)]


def main():
    if any(name not in os.environ for name in CELL):
        os.execve(sys.executable, [sys.executable, *sys.argv], dict(os.environ, **CELL))
    good, rounds, word = True, int(sys.argv[1]), "".join(sys.argv[2:])
    print("torch %s\n\n| model | processors, plain | traced | overhead | clock, plain | traced |\n|---|---|---|---|---|---|"
          % torch.__version__)
    for name in filter(lambda name: word in name, models()):
        plain, traced, clock, traced_clock = measure(models()[name], rounds)
        overhead = 100 * (traced / plain - 1)
        good = good and (clock < LONG or overhead <= MOST)
        print("| %s | %.2f s | %.2f s | %.1f %% | %.2f s | %.2f s |" % (name, plain, traced, overhead, clock, traced_clock),
              flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
