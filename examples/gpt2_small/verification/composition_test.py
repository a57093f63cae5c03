"""Composes the steps bottom-up, down to the kernels, and compares the result with the model."""
import importlib.util
import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = {torch.float32: (1e-4, 1e-5), torch.bfloat16: (1e-2, 1e-2)}


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The component that each step refactors: its original.py is that component's file.
FILES = {path.read_bytes(): path.stem for path in ROOT.glob("level_*/*.py")}
STEPS = {FILES[path.read_bytes()]: path.parent for path in ROOT.glob("steps/*/original.py")}
COMPOSED = {}  # component -> class


def composed(component):
    """The step's RefactoredModel, whose children are composed too."""
    if component not in COMPOSED:
        module = load(STEPS[component] / "refactored.py", "refactored_" + component)
        for name, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__ in STEPS:
                setattr(module, name, composed(value.__module__))
        COMPOSED[component] = module.RefactoredModel
    return COMPOSED[component]


def same_place(key, model):
    """Where no map says it: the same name, or the one that has a child's own names between: fc.linear.weight for fc.weight."""
    before, _, last = key.rpartition(".")
    inside = [name for name in model.state_dict() if name.startswith(before + ".") and name.endswith("." + last)]
    return inside[0] if len(inside) == 1 else key


def moved(component, model, state):
    """The component's state dict under the names of the composed model: by its step's map, then by its children's."""
    path = STEPS[component] / "weight_map.json"
    names = json.loads(path.read_text()) if path.exists() else {}
    result = {}
    for key, value in state.items():
        targets = names.get(key, same_place(key, model))
        for target in [targets] if isinstance(targets, str) else targets:
            result[target] = value
    done = ()
    for path, module in model.named_modules():
        inner = [name for name, kind in COMPOSED.items() if type(module) is kind]
        if path and inner and not (path + ".").startswith(done):
            own = {key[len(path) + 1:]: result.pop(key) for key in list(result) if key.startswith(path + ".")}
            result.update({path + "." + key: value for key, value in moved(inner[0], module, own).items()})
            done += (path + ".",)
    return result


def main():
    (model_file,) = ROOT.glob("level_3_model/*.py")
    source = load(model_file, "the_model")
    torch.manual_seed(42)
    original = source.Model(*source.get_init_inputs()).eval()
    candidate = composed(model_file.stem)(*source.get_init_inputs()).eval()
    missing = candidate.load_state_dict(moved(model_file.stem, candidate, original.state_dict()), strict=False)[0]
    if missing:
        return "no weight for " + ", ".join(missing)
    inputs = source.get_inputs()
    with torch.no_grad():
        expected, output = original(*inputs), candidate(*inputs)
    rtol, atol = TOLERANCE[expected.dtype]
    if expected.shape != output.shape or not torch.allclose(output, expected, rtol=rtol, atol=atol):
        return "the composed model's output is not the model's"
    return None


if __name__ == "__main__":
    problem = main()
    print("PASS: composed of %d steps" % len(STEPS) if problem is None else "FAIL: " + problem)
    sys.exit(problem is not None)
