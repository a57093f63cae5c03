"""Random pairs of an original and a candidate, as recordings, one JSON object a line.

    generate.py --seed 1 --count 200 --family honest|mutated [--disguise] [--real] [--traces] [--only N] --out FILE

Sample N of a seed is the same whatever else is asked for. `--disguise`: honest rewrites of the mutated program."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import warnings
from typing import Any, Dict, List, Optional, Tuple

import torch

from build import draw_program
from models import Interpreted, Program, keys_of, random_inputs
from mutations import Mutated, mutate
from record import nodes_of_calls, record
from rewrites import GeneratorBug, compose, look, rewrite, same_form


def binding_map(original: Program, candidate: Program) -> Dict[str, str]:
    """First key -> first key, for what both programs have."""
    mine, theirs = keys_of(original), keys_of(candidate)
    return {key: theirs[slot] for slot, key in mine.items() if slot in theirs}


def recorded(program: Program, role: str, options: argparse.Namespace) -> Dict[str, Any]:
    recording, trace = record(lambda: Interpreted(program), random_inputs(program, torch.float32), not options.real)
    found = {role: recording, role + "_calls": nodes_of_calls(trace)}
    if options.traces:
        found[role + "_trace"] = trace
    return found


def sample(options: argparse.Namespace, number: int) -> Dict[str, Any]:
    name = "%s:%s:%d" % (options.seed, options.family, number)
    rng = random.Random(name)
    if options.family == "honest":
        original = draw_program(rng)
        candidate, kinds = rewrite(original, rng)
        recording = recorded(candidate, "candidate", options)
        row: Dict[str, Any] = {"id": name, "family": "honest", "kind": kinds, "nodes": [], "also": [], "needs_map": False}
    else:
        original, mutated, recording = draw_mutated(rng, options)
        candidate, kinds = mutated.program, []
        if options.disguise and mutated.name != "overwritten":  # reordering that would be another change
            candidate, kinds = disguised(candidate, rng)
            recording = recorded(candidate, "candidate", options)
        row = {"id": name, "family": "mutated", "kind": mutated.name, "disguise": kinds, "nodes": mutated.nodes,
               "also": mutated.also, "needs_map": mutated.needs_map}
    row["map"] = binding_map(original, candidate)
    row.update(recorded(original, "original", options))
    row.update(recording)
    return row


def draw_mutated(rng: random.Random, options: argparse.Namespace) -> Tuple[Program, Mutated, Dict[str, Any]]:
    """With what the mutated one records: kernels may accept other shapes than what computes on shapes alone."""
    while True:
        original = draw_program(rng)
        mutated: Optional[Mutated] = mutate(original, rng)
        if mutated is None:
            continue
        try:
            return original, mutated, recorded(mutated.program, "candidate", options)
        except RuntimeError:
            continue


def disguised(program: Program, rng: random.Random) -> Tuple[Program, List[str]]:
    before = look(program)
    for _ in range(20):
        candidate, kinds = compose(program, rng, 3)
        if kinds and same_form(before, look(candidate), kinds):
            return candidate, kinds
    return program, []


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(1 << 32)))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--family", choices=("honest", "mutated"), required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", type=int, help="the number of one sample")
    parser.add_argument("--disguise", action="store_true")
    parser.add_argument("--real", action="store_true", help="record real tensors, not shapes alone")
    parser.add_argument("--traces", action="store_true", help="the whole traces too")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    began = time.monotonic()
    failed = 0
    numbers = range(options.count) if options.only is None else [options.only]
    with open(options.out, "w", encoding="utf-8") as file:
        for number in numbers:
            try:
                row = sample(options, number)
            except GeneratorBug as bug:
                failed += 1
                print("%s: %s" % (number, bug), file=sys.stderr)
                continue
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
    print("seed %s: %d %s samples in %.2f s, torch %s" % (options.seed, len(numbers) - failed, options.family,
                                                         time.monotonic() - began, torch.__version__))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
