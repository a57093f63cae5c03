"""The baseline of `make bench`: one step verified as the guide's pseudocode says, in one Python process.

    python guide.py ORIGINAL.py REFACTORED.py

Constructs both models, copies the weights (weight_map.json beside the refactored file, then equal names, then the first
free one of equal shape), runs three seeds on both sides and compares with torch.allclose. No sandbox, no rules.
"""

import importlib.util
import json
import os
import sys

import torch

TOLERANCES = {torch.float16: (1e-3, 1e-3), torch.bfloat16: (1e-3, 1e-3), torch.float64: (1e-7, 1e-7)}


def load(path, name):
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def places(value):
    return [value] if isinstance(value, str) else list(value)


def transfer(original, refactored, path):
    given = {}
    if os.path.exists(path):
        with open(path) as file:
            given = json.load(file)
    theirs, ours = original.state_dict(), refactored.state_dict()
    free = [key for key in ours if not any(key in places(value) for value in given.values())]
    moved = {}
    for key, tensor in theirs.items():
        if key in given:
            for place in places(given[key]):
                moved[place] = tensor
            continue
        match = key if key in free else next((each for each in free if ours[each].shape == tensor.shape), None)
        if match is not None:
            moved[match] = tensor
            free.remove(match)
    refactored.load_state_dict(moved, strict=False)


def leaves(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    return [leaf for item in value for leaf in leaves(item)] if hasattr(value, "__iter__") else []


def main(original_path, refactored_path):
    source = load(original_path, "original")
    candidate = load(refactored_path, "refactored")
    arguments = source.get_init_inputs() if hasattr(source, "get_init_inputs") else []
    torch.manual_seed(42)
    original = source.Model(*arguments).eval()
    refactored = candidate.RefactoredModel(*arguments).eval()
    transfer(original, refactored, os.path.join(os.path.dirname(refactored_path), "weight_map.json"))
    worst, good = 0.0, True
    with torch.no_grad():
        for seed in (42, 43, 44):
            torch.manual_seed(seed)
            inputs = source.get_inputs()
            torch.manual_seed(seed)
            expected = leaves(original(*inputs))
            torch.manual_seed(seed)
            found = leaves(refactored(*inputs))
            good = good and len(expected) == len(found)
            for a, b in zip(expected, found):
                rtol, atol = TOLERANCES.get(a.dtype, (1e-5, 1e-6))
                good = good and torch.allclose(a, b, rtol=rtol, atol=atol)
                worst = max(worst, (a.float() - b.float()).abs().max().item())
    print("PASS" if good else "FAIL", "max diff", worst)
    return 0 if good else 1


sys.exit(main(*sys.argv[1:]))
