"""Starts the probe out of the memory file on descriptor 4; see docs/protocol.md, "Start"."""

import sys

# Before any other import: an os.py in the current folder is not ours.
sys.path[:] = [entry for entry in sys.path if entry not in ("", ".")]

import os

PACKAGE = "plumbline_probe"
ModuleSpec = type(sys.__spec__)  # importlib.machinery, its door, takes time to load


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
        name = module.__name__
        if name != PACKAGE:
            source = self.sources[name[len(PACKAGE) + 1:] + ".py"]
            exec(compile(source, "<%s>" % name, "exec", dont_inherit=True), module.__dict__)


def main():
    sys.path[:] = [entry for entry in sys.path if entry != os.getcwd()]
    with os.fdopen(4, "rb") as file:
        texts = file.read().decode("utf-8").split("\0")
    sys.meta_path.insert(0, Modules(dict(zip(texts[0::2], texts[1::2]))))
    from plumbline_probe import zygote

    zygote.main(3, sys.argv[1] == "torch")


main()
