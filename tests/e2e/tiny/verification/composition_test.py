"""Composes the whole model out of the steps and compares it with the original: PASS, or a line that begins with FAIL.

    python verification/composition_test.py [MODEL.py]

Every step's RefactoredModel takes the place of the component that it refactors, from the kernels up; weights go down from the
original model through each step's weight_map.json, completed by names. Outputs must agree within rtol 1e-4, atol 1e-5 (1e-3
for half precision).
"""
import ast
import importlib.util
import json
import sys
from pathlib import Path

import torch

FOLDER = Path(__file__).resolve().parents[1]
LEVELS = ("level_3_model", "level_2_layer", "level_1_fusion", "level_0_kernel")
RTOL, ATOL = 1e-4, 1e-5
HALF = (torch.float16, torch.bfloat16)


class Failure(Exception):
    pass


# ---- Files ----------------------------------------------------------------------------------------------------------


def load(path):
    """The module of a file, and those of the decomposition that it imports; none of them stays in sys.modules."""
    before, paths = dict(sys.modules), list(sys.path)
    try:
        sys.path[:0] = [str(path.parent), str(FOLDER)]
        spec = importlib.util.spec_from_file_location("composed_" + path.stem, str(path))
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module, [new for name, new in sys.modules.items() if before.get(name) is not new and is_ours(new)]
    finally:
        sys.path[:] = paths
        for name in [name for name, module in sys.modules.items() if name not in before and is_ours(module)]:
            del sys.modules[name]


def is_ours(module):
    file = vars(module).get("__file__")  # no module is asked that would be imported by that
    return file is not None and FOLDER in Path(file).resolve().parents


def meaning(path):
    """The syntax tree of a file without docstrings."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node, False) is not None:
            del node.body[0]
    return ast.dump(tree)


def listed(folder, pattern):
    return [path for path in sorted(folder.glob(pattern)) if path.name != "__init__.py" and not path.name.startswith(".")]


def files_of(level):
    return [path for path in listed(FOLDER / level, "*.py") if path.is_file()]


def component_files():
    return [path for level in LEVELS for path in files_of(level)]


def find_original():
    """The user's model: the one given, the tree's source_file, or the file in level_3_model."""
    if len(sys.argv) > 1:
        return Path(sys.argv[1]).resolve()
    tree = FOLDER / "decomposition_tree.json"
    source = json.loads(tree.read_text()).get("metadata", {}).get("source_file", "") if tree.is_file() else ""
    source = source.replace("\\", "/")
    for name in (source, source.split("/")[-1]):
        for folder in (Path.cwd(), FOLDER, *FOLDER.parents):
            if name.endswith(".py") and (folder / name).is_file():
                return (folder / name).resolve()
    models = files_of(LEVELS[0])
    if not models:
        raise Failure("there is no file in level_3_model")
    return models[0]


# ---- Steps ----------------------------------------------------------------------------------------------------------


class Step:
    """One step: its folder, and the component that it refactors."""

    def __init__(self, folder, component):
        self.folder, self.component = folder, component
        self.refactored, _ = load(folder / "refactored.py")
        self.original, _ = load(component)
        map_file = folder / "weight_map.json"
        self.map = json.loads(map_file.read_text()) if map_file.is_file() else {}
        self.state = {key: value.shape for key, value in self.build(self.refactored).state_dict().items()}

    def init_inputs(self):
        for module in (self.refactored, self.original):
            if hasattr(module, "get_init_inputs"):
                return module.get_init_inputs()
        return []

    def build(self, module):
        given = self.init_inputs()
        return class_of(module)(**given) if isinstance(given, dict) else class_of(module)(*given)


def class_of(module):
    for name in ("RefactoredModel", "Model"):
        if hasattr(module, name):
            return getattr(module, name)
    raise Failure(f"{module.__file__} has no class Model")


def find_steps():
    """{component file: Step}"""
    by_bytes, by_meaning = {}, {}
    for path in component_files():
        by_bytes.setdefault(path.read_bytes(), path)
        by_meaning.setdefault(meaning(path), path)
    stems = sorted(component_files(), key=lambda path: -len(path.stem))
    steps = {}
    for folder in listed(FOLDER / "steps", "*"):
        if not (folder / "refactored.py").is_file():
            continue
        original = folder / "original.py"
        if original.is_file():
            component = by_bytes.get(original.read_bytes()) or by_meaning.get(meaning(original))
        else:
            component = next((path for path in stems if path.stem in folder.name), None)
        if component is None:
            raise Failure(f"{folder.name}: its original.py is no component of the decomposition")
        steps[component] = Step(folder, component)
    return steps


# ---- Composition ----------------------------------------------------------------------------------------------------


class Composer:
    def __init__(self, steps):
        self.steps, self.classes, self.open = steps, {}, []
        self.by_name = {path.stem: path for path in component_files()}

    def component_of(self, file):
        """The component of a step's child, which must be the same file."""
        path = Path(file).resolve()
        component = self.by_name.get(path.stem)
        if component is None or component == path:
            return path
        if component.read_bytes() != path.read_bytes() and meaning(component) != meaning(path):
            raise Failure(f"{path.relative_to(FOLDER)} differs from {component.relative_to(FOLDER)}")
        return component

    def class_for(self, component):
        """What stands for a component in the composed model: its step's class if it has one, or its own."""
        if component in self.open:
            raise Failure(f"{component.stem} is made of itself")
        if component not in self.classes:
            self.open.append(component)
            step = self.steps.get(component)
            self.classes[component] = class_of(load(component)[0]) if step is None else self.composed(step)
            self.open.pop()
        return self.classes[component]

    def composed(self, step):
        module, loaded = load(step.folder / "refactored.py")
        for child in loaded:
            if child is module or not hasattr(child, "Model"):
                continue
            plain, new = child.Model, self.class_for(self.component_of(child.__file__))
            child.Model = new
            for name, value in list(vars(module).items()):
                if value is plain:
                    setattr(module, name, new)

        class Composed(class_of(module)):
            def __init__(self, *_, **__):  # built as in its own step, whatever its parent gives
                given = step.init_inputs()
                super().__init__(**given) if isinstance(given, dict) else super().__init__(*given)

        Composed.step = step
        return Composed


# ---- Weights --------------------------------------------------------------------------------------------------------


def place_part(value, item):
    """Where one item of a weight map puts a weight, and what of it."""
    if isinstance(item, str):
        return item, value
    part = value.narrow(item["dim"], item["start"], item["stop"] - item["start"]) if "start" in item else value
    return item["key"], part.t() if item.get("transpose") else part


def common_suffix(a, b):
    count = 0
    for x, y in zip(reversed(a.split(".")), reversed(b.split("."))):
        if x != y:
            break
        count += 1
    return count


def refactored_state(step, state):
    """{key of the step's RefactoredModel: weight}, of {key of the component: weight}: by map, name, then suffix and shape."""
    placed, left = {}, {}
    for key, value in state.items():
        items = step.map.get(key)
        if items is None:
            left[key] = value
            continue
        for item in items if isinstance(items, list) else [items]:
            name, part = place_part(value, item)
            if name not in step.state:
                raise Failure(f"{step.folder.name}: weight_map.json names {name}, which refactored.py lacks")
            placed[name] = part
    for key in [key for key in left if key in step.state and key not in placed]:
        placed[key] = left.pop(key)
    for key, value in left.items():
        fitting = [name for name, shape in step.state.items() if name not in placed and shape == value.shape]
        if fitting:
            placed[max(fitting, key=lambda name: common_suffix(name, key))] = value
    return placed


def give_weights(module, state):
    """Gives a composed module the weights of the component that it stands for, step by step down to the kernels."""
    step = getattr(type(module), "step", None)
    if step is None:
        module.load_state_dict(state, strict=False)
        missing = [name for name, _ in module.named_parameters() if name not in state]
        if missing:
            raise Failure(f"{type(module).__module__} gets no weight for {', '.join(missing)}")
        return
    placed = refactored_state(step, state)
    for path, child in outermost_children(module):
        give_weights(child, {key[len(path) + 1:]: value for key, value in placed.items() if key.startswith(path + ".")})


def outermost_children(module, prefix=""):
    """(path, module) of what refactored.py calls, through lists and dicts of them."""
    for name, child in module.named_children():
        if isinstance(child, (torch.nn.ModuleList, torch.nn.ModuleDict, torch.nn.Sequential)):
            yield from outermost_children(child, prefix + name + ".")
        else:
            yield prefix + name, child


# ---- Comparison -----------------------------------------------------------------------------------------------------


def leaves(value):
    if isinstance(value, dict):
        value = [value[key] for key in value]
    elif hasattr(value, "__dataclass_fields__"):
        value = [getattr(value, name) for name in value.__dataclass_fields__]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def compare(expected, got):
    expected, got = leaves(expected), leaves(got)
    if len(expected) != len(got):
        raise Failure(f"{len(got)} outputs; the original has {len(expected)}")
    worst = 0.0
    for index, (a, b) in enumerate(zip(expected, got)):
        if not isinstance(a, torch.Tensor):
            if a != b:
                raise Failure(f"output {index} is {b!r}; the original's is {a!r}")
            continue
        if not isinstance(b, torch.Tensor) or a.shape != b.shape or a.dtype != b.dtype:
            raise Failure(f"output {index} differs in kind, shape or dtype")
        half = a.dtype in HALF
        if not torch.allclose(a, b, rtol=1e-3 if half else RTOL, atol=1e-3 if half else ATOL):
            raise Failure(f"output {index} differs from the original's by up to {(a - b).abs().max().item():.3g}")
        if a.numel() and a.dtype.is_floating_point:
            worst = max(worst, (a - b).abs().max().item())
    return worst


def build(module):
    given = module.get_init_inputs() if hasattr(module, "get_init_inputs") else []
    return module.Model(**given) if isinstance(given, dict) else module.Model(*given)


def main():
    original, _ = load(find_original())
    root = next((path for path in component_files() if path.parent.name == LEVELS[0]), None)
    steps = find_steps()
    if root not in steps:
        raise Failure("no step refactors the root model yet")
    composer = Composer(steps)
    torch.manual_seed(42)
    model = build(original).eval()
    composed = composer.class_for(root)().eval()
    with torch.no_grad():
        give_weights(composed, dict(model.state_dict()))
        torch.manual_seed(43)
        inputs = original.get_inputs()
        keywords = original.get_input_kwargs() if hasattr(original, "get_input_kwargs") else {}
        copies = [value.clone() if isinstance(value, torch.Tensor) else value for value in inputs]
        torch.manual_seed(44)
        expected = model(*inputs, **keywords)
        torch.manual_seed(44)
        worst = compare(expected, composed(*copies, **keywords))
    print(f"PASS: {len(steps)} steps composed, largest difference {worst:.3g}")


if __name__ == "__main__":
    try:
        main()
    except Failure as cause:
        print(f"FAIL: {cause}")
        sys.exit(1)
