"""Random pairs of an original and a candidate as whole steps: cases for tests/e2e/run_cases, which verifies each as
`plumbline step --rigor paranoid` does.

    steps.py --seed 1 --honest 50 --mutated 150 --out FILE.cases...

The cases are dealt out to the files in turn. Case N of a seed and family is the same whatever else is asked for."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import warnings
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Tuple

import torch

import special
import spellings
from build import draw_program
from models import Interpreted, Program, Slot, random_inputs
from mutations import Mutated, mutate
from rewrites import REWRITES, GeneratorBug, rewrite

# Parameters in a store of their own, work that reaches no output and a dropout that the original has not are no honest step.
HONEST = {name: what for name, what in REWRITES.items() if name not in ("store", "dead", "dropout")}
# What refactored.py may do itself.
PLAIN = {"heads", "merge", "part", "cat", "permute", "reshape", "flatten", "expand", "add", "sub", "mul", "scale", "shift", "divide"}
# What is no compute, wherever it stands; or none in eval mode.
LIGHT = PLAIN | {"assemble", "cast", "detach", "dropout", "gain", "halved", "identity", "mask_fill", "mask_where", "positions", "table"}
HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
MOST_IN_A_CHILD = 4


@dataclass
class Unit:
    """Nodes that run one after another in one module; or one that refactored.py computes itself."""
    numbers: List[int]
    inline: bool = False


@dataclass
class Held:
    """A module of one side: where it is, what it takes and gives, and the text of its class."""
    path: str
    takes: List[int]
    gives: List[int]
    text: str = ""
    places: List[Tuple[str, str]] = field(default_factory=list)  # slot, name of the attribute


def shapes_of(program: Program) -> Dict[int, Tuple[int, ...]]:
    model = Interpreted(program)
    values = dict(zip(program.inputs, random_inputs(program, torch.float32)))
    with torch.no_grad():
        for number, step, used in model.steps:
            values[number] = step(*[values[i] for i in used])
    return {number: tuple(value.shape) for number, value in values.items()}


def parameter(slot: Slot) -> str:
    """As people initialise: matrices at random, scales one, biases zero."""
    if slot.kind == "buffer":
        return "torch.%s(%s)" % ("ones" if slot.initial else "zeros", list(slot.shape))
    value = "torch.randn(%s) * 0.3" if len(slot.shape) > 1 else "torch.ones(%s)" if slot.initial else "torch.zeros(%s)"
    return "nn.Parameter(%s)" % (value % list(slot.shape))


class Side:
    """One program as text."""

    def __init__(self, program: Program, units: List[Unit], tied: Sequence[str], checkpoint: bool) -> None:
        """`tied`: slots of which all uses are one parameter. `checkpoint`: some masks are in the state dict, so that the
        original's stand for the candidate's of the same name, whatever that makes them."""
        self.program, self.units, self.tied, self.checkpoint = program, units, tied, checkpoint
        self.shapes = shapes_of(program)
        self.held = {id(unit): self.hold(unit) for unit in units if not unit.inline}

    # ---- a module of its own -------------------------------------------------------------------------------------
    def hold(self, unit: Unit) -> Held:
        program, inside = self.program, set(unit.numbers)
        path = program.path(unit.numbers[0]) if len(unit.numbers) == 1 else "g%d" % unit.numbers[0]
        takes = list(dict.fromkeys(used for n in unit.numbers for used in program.nodes[n].inputs if used not in inside))
        gives = [n for n in unit.numbers if n in program.outputs or any(user not in inside for user in program.users(n))]
        found = Held(path, takes, gives)
        names = {number: "abcdefgh"[i] for i, number in enumerate(takes)}
        setup: List[str] = []
        body: List[str] = []
        for number in unit.numbers:
            prefix = "" if len(unit.numbers) == 1 else "n%d_" % number
            names.setdefault(number, "h%d" % unit.numbers.index(number))
            body += self.node(number, names, self.attributes(number, prefix, found, setup))
        body.append("return " + ", ".join(names[n] for n in gives))
        found.text = class_text(setup, body, [names[n] for n in takes])
        return found

    def attributes(self, number: int, prefix: str, found: Held, setup: List[str]) -> Dict[str, str]:
        """Makes what a node keeps; gives the text of each by its role."""
        node, path = self.program.nodes[number], self.program.path(number)
        library = self.program.library.get(path)
        if library is not None:
            setup.append("self.%sinner = nn.%s(%s)" % (prefix, library[0], ", ".join("%s=%r" % item for item in library[1].items())))
            found.places += [(slot, "%sinner.%s" % (prefix, role)) for role, slot in node.params.items()]
            return {"library": "self.%sinner" % prefix}
        roles = {}
        for role, slot in node.params.items():
            name = prefix + self.name_of(path, role, slot)
            value = parameter(self.program.slots[slot])
            setup.append("self.%s = %s" % (name, value) if value.startswith("nn.") else "self.register_buffer(%r, %s)" % (name, value))
            found.places.append((slot, name))
            roles[role] = "self." + name
        if node.buffer:
            rows = spellings.rows_of(node, self.shapes[node.inputs[0]])[0]
            persistent = self.checkpoint and node.how % 2 == 0 and node.op != "positions"
            setup.append("self.register_buffer('%sknown', %s, persistent=%s)" % (prefix, spellings.known(node, rows), persistent))
            roles["known"] = "self.%sknown" % prefix
        if spellings.uses_helper(node):
            setup.append("self.%shelper = %s" % (prefix, spellings.helper(node)))
            roles["helper"] = prefix + "helper"
        return roles

    def name_of(self, path: str, role: str, slot: str) -> str:
        """The name that the program gives to a parameter where this node keeps it."""
        keys = [key.rpartition(".") for key in self.program.slots[slot].keys]
        return next((name for folder, _, name in keys if folder == path and name.endswith(role)), role)

    def node(self, number: int, names: Dict[int, str], roles: Dict[str, str]) -> List[str]:
        node = self.program.nodes[number]
        operands = [names[used] for used in node.inputs]
        if "library" in roles:
            lines = ["%s = %s(%s)" % (names[number], roles["library"], operands[0])]
            return lines + ["%s = %s.%s()" % (names[number], names[number], name) for name in node.after]
        return spellings.statements(node, names[number], operands, [self.shapes[used] for used in node.inputs], roles)

    # ---- the whole -----------------------------------------------------------------------------------------------
    def forward(self) -> List[str]:
        program = self.program
        names = {number: "x%d" % number if number in program.inputs else "v%d" % number for number in program.nodes}
        body: List[str] = []
        for unit in self.units:
            if unit.inline:
                body += self.node(unit.numbers[0], names, {})
                continue
            held = self.held[id(unit)]
            body.append("%s = self.%s(%s)" % (", ".join(names[n] for n in held.gives), reached(held.path),
                                              ", ".join(names[n] for n in held.takes)))
        outputs = [names[n] for n in program.outputs]
        if program.form == "dict":
            return body + ["return {%s}" % ", ".join("'out%d': %s" % pair for pair in enumerate(outputs))]
        return body + ["return %s%s" % (", ".join(outputs), "," if program.form == "tuple" and len(outputs) == 1 else "")]

    def construction(self, class_names: Dict[str, str]) -> List[str]:
        lines, folders = [], {}
        for unit in self.units:
            if unit.inline:
                continue
            held = self.held[id(unit)]
            made = class_names[held.text] + "()"
            folder, _, name = held.path.rpartition(".")
            if folder not in folders and folder:
                lines += containers(folder, folders)
            lines.append("self.%s = %s" % (name, made) if not folder else "self.%s[%r] = %s" % (reached(folder), name, made))
        return lines + self.ties()

    def places(self) -> Dict[str, List[str]]:
        """Slot -> keys."""
        found: Dict[str, List[str]] = {}
        for unit in self.units:
            held = self.held.get(id(unit))
            for slot, name in held.places if held is not None else ():
                found.setdefault(slot, []).append("%s.%s" % (held.path, name))
        return found

    def ties(self) -> List[str]:
        lines = []
        for slot, keys in self.places().items():
            if slot in self.tied:
                lines += ["self.%s = self.%s" % (reached_key(key), reached_key(keys[0])) for key in keys[1:]]
        return lines


def reached(path: str) -> str:
    """stage.n5 -> stage['n5']"""
    first, *more = path.split(".")
    return first + "".join("[%r]" % name for name in more)


def reached_key(key: str) -> str:
    names = key.split(".")
    own = 2 if names[-2] == "inner" else 1
    return reached(".".join(names[:-own])) + "." + ".".join(names[-own:])


def containers(folder: str, made: Dict[str, bool]) -> List[str]:
    lines, names = [], folder.split(".")
    for i in range(1, len(names) + 1):
        path = ".".join(names[:i])
        if path not in made:
            made[path] = True
            lines.append("self.%s = nn.ModuleDict()" % reached(path))
    return lines


def indented(lines: Sequence[str]) -> str:
    return "".join("        %s\n" % line for line in lines)


def class_text(setup: Sequence[str], body: Sequence[str], takes: Sequence[str], name: str = "Model") -> str:
    start = "    def __init__(self):\n        super().__init__()\n" + indented(setup) + "\n" if setup else ""
    return "class %s(nn.Module):\n%s    def forward(self, %s):\n%s" % (name, start, ", ".join(takes), indented(body))


def arguments_of(program: Program) -> List[str]:
    return ["x%d" % number for number in program.inputs]


def inputs_text(program: Program, positive: bool) -> str:
    def one(shape: Tuple[int, ...]) -> str:
        if program.tokens:
            return "torch.randint(0, %d, %s)" % (program.tokens, shape) if not positive else "torch.randint(0, %d, %s) * 2" % (
                (program.tokens + 1) // 2, shape)
        return "torch.%s(%s)" % ("rand" if positive else "randn", ", ".join(map(str, shape)))
    return "def get_inputs():\n    return [%s]\n" % ", ".join(map(one, program.input_shapes))


def original_text(side: Side, positive: bool) -> str:
    """One file, its classes in it."""
    texts = list(dict.fromkeys(held.text for held in side.held.values()))
    names = {text: "Part%d" % i for i, text in enumerate(texts)}
    classes = [text.replace("class Model(", "class %s(" % names[text], 1) for text in texts]
    whole = class_text(side.construction(names), side.forward(), arguments_of(side.program))
    return "\n\n".join([HEAD, *classes, whole, inputs_text(side.program, positive)])


def candidate_texts(side: Side) -> Dict[str, str]:
    """refactored.py and a file for each class."""
    files, names, imports = {}, {}, []
    for unit in side.units:
        text = "" if unit.inline else side.held[id(unit)].text
        if text == "" or text in names:
            continue
        module = "_".join(dict.fromkeys(side.program.nodes[n].op for n in unit.numbers)) + "_%d" % len(names)
        names[text] = "Child%d" % len(names)
        files["children/%s.py" % module] = HEAD + "\n\n" + text
        imports.append("from %s import Model as %s\n" % (module, names[text]))
    whole = class_text(side.construction(names), side.forward(), arguments_of(side.program), "RefactoredModel")
    files["refactored.py"] = HEAD + "".join(imports) + "\n\n" + whole
    return files


# ---- which nodes stand together ------------------------------------------------------------------------------------

def one_by_one(program: Program) -> List[Unit]:
    return [Unit([n]) for n in program.nodes if n not in program.inputs]


def grouped(program: Program, rng: random.Random, most: int) -> List[Unit]:
    """Up to `most` nodes in a child, and some in refactored.py itself."""
    units: List[Unit] = []
    waiting: List[int] = []
    for number in program.nodes:
        if number in program.inputs:
            continue
        node = program.nodes[number]
        if node.op in PLAIN and not node.inplace and rng.random() < 0.5:
            units += [Unit(waiting)] if waiting else []
            units.append(Unit([number], inline=True))
            waiting = []
            continue
        waiting.append(number)
        if len(waiting) >= rng.randint(1, most):
            units.append(Unit(waiting))
            waiting = []
    return units + ([Unit(waiting)] if waiting else [])


def decomposes(program: Program, units: Sequence[Unit]) -> bool:
    """More than one child computes."""
    return sum(any(program.nodes[n].op not in LIGHT for n in unit.numbers) for unit in units if not unit.inline) > 1


# ---- weight maps ---------------------------------------------------------------------------------------------------

def weight_map(original: Side, candidate: Side) -> Dict[str, List[str]]:
    """Of all weights, as the candidate means them: those of a slot to all places that use it."""
    theirs, found = candidate.places(), {}
    for slot, keys in original.places().items():
        places = theirs.get(slot, [])
        for i, key in enumerate(keys):
            found[key] = places if len(keys) == 1 else places[i:i + 1] if len(places) == len(keys) else places if i == 0 else []
    return found


def by_name_alone(original: Side, candidate: Side) -> bool:
    """Would every weight find its place without a map?"""
    mine, theirs = original.places(), candidate.places()
    return all(sorted(theirs.get(slot, [])) == sorted(keys) for slot, keys in mine.items())


# ---- cases ---------------------------------------------------------------------------------------------------------

@dataclass
class Pair:
    original: Program
    candidate: Program
    kind: str
    positive: bool = False
    no_map: bool = False  # names alone say which weight is which


def draw(rng: random.Random) -> Program:
    """Torch 1.13 gives memory that nobody wrote as the gradient of gelu where what comes back to it is not contiguous; its other
    formula is sound."""
    program = draw_program(rng)
    for node in program.nodes.values():
        if node.op == "gelu" and torch.__version__.startswith("1."):
            node.attrs["approximate"] = "tanh"
    return program


def honest_pair(rng: random.Random) -> Pair:
    """Some with the operators that the special mutations change."""
    original, positive = draw(rng), False
    extended = special.mutate(original, rng) if rng.random() < 0.3 else None
    if extended is not None:
        original, positive = extended.original, extended.positive
    while True:
        candidate, kinds = rewrite(original, rng, kinds=HONEST)
        if special.differentiable(candidate) or not special.differentiable(original):
            return Pair(original, candidate, " ".join(kinds), positive)


def within_tolerance(original: Program, mutated: Program) -> bool:
    """Is it a table of which the numbers are off by less than the guide's tolerance? A test can't part it from one that is
    computed in another way."""
    for number, node in original.nodes.items():
        other = mutated.nodes.get(number)
        if node.op == "positions" and other is not None and other.op == node.op and other.attrs["c"] != node.attrs["c"]:
            return abs(other.attrs["c"] - node.attrs["c"]) <= 1e-5 * abs(node.attrs["c"])
    return False


def mutated_pair(rng: random.Random) -> Pair:
    """Half of them rewritten besides."""
    while True:
        original = draw(rng)
        if rng.random() < 0.4:
            changed = special.mutate(original, rng)
            if changed is None:
                continue
            pair = Pair(changed.original, changed.mutated, changed.name, changed.positive)
        else:
            mutated: Optional[Mutated] = mutate(original, rng)
            if mutated is None or within_tolerance(original, mutated.program):
                continue
            pair = Pair(original, mutated.program, mutated.name, no_map=mutated.name == "untied")
        pair.candidate.prune()
        if rng.random() < 0.5 and pair.kind not in ("untied", "overwritten"):
            pair.candidate, kinds = rewrite(pair.candidate, rng, 3, HONEST)
            pair.kind += " and " + " ".join(kinds)
        return pair


def case(family: str, number: int, seed: str) -> Tuple[str, str]:
    """Its name and its text."""
    rng = random.Random("%s:%s:%d" % (seed, family, number))
    while True:
        pair = (honest_pair if family == "honest" else mutated_pair)(rng)
        most = 1 if pair.no_map else rng.choice((1, 1, 2, MOST_IN_A_CHILD))
        tied = [name for name, slot in pair.original.slots.items() if len(slot.keys) > 1]
        original = Side(pair.original, one_by_one(pair.original), tied, family == "honest")
        units = one_by_one(pair.candidate) if rng.random() < 0.2 or pair.no_map else grouped(pair.candidate, rng, most)
        if not decomposes(pair.candidate, units):
            continue
        candidate = Side(pair.candidate, units, [] if pair.kind == "untied" else tied, family == "honest")
        files = {"original.py": original_text(original, pair.positive), **candidate_texts(candidate)}
        named = by_name_alone(original, candidate)
        if not pair.no_map and (rng.random() < 0.5 if family == "honest" or named else True):
            files["weight_map.json"] = json.dumps(weight_map(original, candidate), indent=1) + "\n"
        break
    name = "%s %s %d %s" % (family, seed, number, pair.kind)
    lines = ["case " + name, "expect " + ("PASS" if family == "honest" else "FAIL"), "option rigor paranoid"]
    for path, text in files.items():
        lines.append("file " + path)
        lines += ["    " + line if line else "" for line in text.split("\n")]
    return name, "\n".join(lines) + "\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(1 << 32)))
    parser.add_argument("--honest", type=int, default=50)
    parser.add_argument("--mutated", type=int, default=150)
    parser.add_argument("--only", type=int, help="the number of one case of each family that is asked for")
    parser.add_argument("--out", required=True, nargs="+")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    began, made, failed = time.monotonic(), 0, 0
    files = [open(path, "w", encoding="utf-8") for path in options.out]
    for family, count in (("honest", options.honest), ("mutated", options.mutated)):
        for number in range(count) if options.only is None else [options.only] * (count > 0):
            try:
                text = case(family, number, options.seed)[1]
            except GeneratorBug as bug:
                failed += 1
                print("FAILED  %s %d: %s" % (family, number, bug), file=sys.stderr)
                continue
            files[made % len(files)].write(text + "\n")
            made += 1
    for file in files:
        file.close()
    print("seed %s: %d steps written in %.2f s, torch %s" % (options.seed, made, time.monotonic() - began, torch.__version__))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
