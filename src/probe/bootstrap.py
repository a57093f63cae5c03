"""Starts the probe out of the memory file on descriptor 4; see docs/protocol.md, "Start"."""

import json
import os
import sys
from importlib.machinery import ModuleSpec  # not importlib.abc: it takes 20 ms to import

PACKAGE = "plumbline_probe"


class Modules:
    """Finds `plumbline_probe` and its modules in memory, and nothing else."""

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, path=None, target=None):
        if name == PACKAGE:
            return ModuleSpec(name, self, is_package=True)
        if name.startswith(PACKAGE + ".") and name[len(PACKAGE) + 1:] + ".py" in self.sources:
            return ModuleSpec(name, self, origin="<%s>" % name)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__spec__.name
        exec(compile(self.get_source(name), "<%s>" % name, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, name):
        return "" if name == PACKAGE else self.sources[name[len(PACKAGE) + 1:] + ".py"]


def main():
    sys.path[:] = [entry for entry in sys.path if entry not in ("", ".", os.getcwd())]
    with os.fdopen(4, "rb") as file:
        sources = json.loads(file.read().decode("utf-8"))
    sys.meta_path.insert(0, Modules(sources))
    from plumbline_probe import zygote

    zygote.main(3, sys.argv[1] == "torch")


main()
