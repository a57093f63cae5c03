"""work: describe. Constructs a model and says what it is; the original's inputs and weights are made here."""

from __future__ import annotations

import contextlib
import inspect
import time
from typing import Any, ContextManager, Dict, List, Tuple

import torch

from . import compose, construct, importer, state, values
from .failure import Progress, Unfit
from .memory import TensorReader, TensorWriter, read_all
from .registry import FileRegistry
from .wire import clean

KINDS = {inspect.Parameter.POSITIONAL_ONLY: "positional", inspect.Parameter.POSITIONAL_OR_KEYWORD: "positional",
         inspect.Parameter.KEYWORD_ONLY: "keyword", inspect.Parameter.VAR_POSITIONAL: "var_positional",
         inspect.Parameter.VAR_KEYWORD: "var_keyword"}


class Loaded:
    """A program whose files are loaded. `construct` makes its model."""

    def __init__(self, work: Dict[str, Any], files: Dict[str, int], registry: FileRegistry, progress: Progress) -> None:
        progress.stage, progress.registry = "load", registry
        self.work, self.registry, self.progress = work, registry, progress
        self.is_original = registry.role == "original"
        self.construct_seed = work.get("construct_seed", work["seed"])
        self.seed(self.construct_seed)
        self.module = importer.load(registry, work["program"])
        self.kind = construct.find_class(self.module, work["program"]["class_names"])
        progress.stage = "construct"
        self.seed(self.construct_seed)
        if work.get("init") is None:
            self.arguments, self.keywords = construct.own_init_inputs(self.module)
        else:
            tensors = TensorReader(files.get("init")).tensors(work.get("init_tensors", []))
            self.arguments, self.keywords = construct.split_arguments(values.decode(work["init"], tensors), "get_init_inputs")

    def seed(self, seed: int) -> None:
        construct.seed_everything(seed, self.is_original)

    def construct(self, phase: ContextManager[None]) -> None:
        """Sets `model`, `initial_values_matter`, `drawn_numbers` and `seconds`."""
        self.seed(self.construct_seed)
        started = time.monotonic()
        self.model, watch = construct.construct(self.kind, self.arguments, self.keywords, self.work["initialise"], phase)
        self.initial_values_matter, self.drawn_numbers = watch.initial_values_matter, watch.drawn_numbers
        self.seconds = time.monotonic() - started
        self.progress.model = self.model


def describe(work: Dict[str, Any], files: Dict[str, int], progress: Progress) -> Dict[str, Any]:
    loaded = Loaded(work, files, FileRegistry(work["program"], read_all(files["bundle"])), progress)
    init_tensors = TensorWriter(files["outputs"])
    init_inputs = values.encode(loaded.arguments, init_tensors.number)
    init_keywords = values.encode(loaded.keywords, init_tensors.number)
    loaded.construct(contextlib.nullcontext())
    model = loaded.model
    forward = forward_arguments(model)
    progress.stage = "inputs"
    trials, names = make_trials(loaded, work["trial_seeds"], forward, files)
    progress.stage = "weights"
    described = describe_state(model, loaded.registry, files["weights"],
                               work["initialise"] or loaded.is_original)
    return {"class": loaded.kind.__qualname__, "has_init_inputs": hasattr(loaded.module, "get_init_inputs"),
            "init_inputs": init_inputs, "init_kwargs": init_keywords, "tensors": init_tensors.finish(),
            "forward": {"arguments": forward}, "modules": state.describe_modules(model, loaded.registry),
            "random_construction": loaded.initial_values_matter, "drawn_numbers": loaded.drawn_numbers, "trials": trials, "input_names": names,
            "construct_seconds": loaded.seconds, **described, **constructions(loaded), **expected_shape(loaded)}


def expected_shape(loaded: Loaded) -> Dict[str, Any]:
    """What the file says of its outputs, if that is asked for; a tensor in it stands for its shape."""
    if not loaded.work.get("expected"):
        return {}
    function = getattr(loaded.module, "get_expected_output_shape", None)
    if function is None:
        return {"expected_output_shape": None, "expected_error": None}
    try:
        return {"expected_output_shape": values.encode(plain(function(), 0), no_tensor), "expected_error": None}
    except Exception as cause:
        return {"expected_output_shape": None, "expected_error": clean("%s: %s" % (type(cause).__name__, cause))[:500]}


def plain(value: Any, depth: int) -> Any:
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, dict) and depth < 8:
        return {key: plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and depth < 8:
        return tuple(plain(item, depth + 1) for item in value)
    return value


def no_tensor(tensor: torch.Tensor) -> int:
    raise TypeError("get_expected_output_shape() gives shapes")


def constructions(loaded: Loaded) -> Dict[str, Any]:
    """Of a recomposed program only."""
    return {"constructions": compose.constructions(loaded.model)} if "composed" in loaded.work["program"] else {}


def forward_arguments(model: torch.nn.Module) -> List[Dict[str, Any]]:
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return []
    rows = []
    for parameter in parameters:
        row: Dict[str, Any] = {"name": parameter.name, "kind": KINDS[parameter.kind]}
        if parameter.default is not inspect.Parameter.empty:
            row["default"] = values.encode(parameter.default, lambda tensor: 0) \
                if not isinstance(parameter.default, torch.Tensor) else {"o": "torch.Tensor"}
        rows.append(row)
    return rows


def make_trials(loaded: Loaded, seeds: List[int], forward: List[Dict[str, Any]],
                files: Dict[str, int]) -> Tuple[List[Dict[str, Any]], List[str]]:
    """One set of inputs a seed, all in one memory file."""
    if not seeds:
        return [], []
    writer = TensorWriter(files["inputs"])
    trials, numbers, names = [], [], []  # type: ignore[var-annotated]
    for seed in seeds:
        loaded.seed(seed)
        arguments, keywords = own_inputs(loaded)
        used: List[int] = []

        def number(tensor: torch.Tensor) -> int:
            overall = writer.number(tensor)
            if overall not in used:
                used.append(overall)
            return used.index(overall)

        trials.append({"seed": seed, "args": values.encode(arguments, number), "kwargs": values.encode(keywords, number)})
        numbers.append(used)
        names = argument_names(arguments, keywords, forward)
    table = writer.finish()
    for trial, used in zip(trials, numbers):
        trial["tensors"] = [table[overall] for overall in used]
    return trials, names


def own_inputs(loaded: Loaded) -> Tuple[List[Any], Dict[str, Any]]:
    if not hasattr(loaded.module, "get_inputs") and not hasattr(loaded.module, "get_input_kwargs"):
        raise Unfit("it has no get_inputs()", "add get_inputs(), which returns the list of what forward is to be called with")
    arguments: List[Any] = []
    keywords: Dict[str, Any] = {}
    with torch.no_grad():
        if hasattr(loaded.module, "get_inputs"):
            arguments, keywords = construct.split_arguments(loaded.module.get_inputs(), "get_inputs")
        if hasattr(loaded.module, "get_input_kwargs"):
            keywords.update(loaded.module.get_input_kwargs() or {})
    return arguments, keywords


def argument_names(arguments: List[Any], keywords: Dict[str, Any], forward: List[Dict[str, Any]]) -> List[str]:
    """What each argument is called in forward's signature; `args[2]` for those of a `*args`."""
    positional = [row["name"] for row in forward if row["kind"] == "positional"]
    rest = next((row["name"] for row in forward if row["kind"] == "var_positional"), "args")
    named = [positional[index] if index < len(positional) else "%s[%d]" % (rest, index - len(positional))
             for index in range(len(arguments))]
    return named + [str(name) for name in keywords]


def describe_state(model: torch.nn.Module, registry: FileRegistry, weights: int, with_parameters: bool,
                   discard: bool = True) -> Dict[str, Any]:
    writer = TensorWriter(weights, shapes=not discard)
    found = state.entries(model)
    tied = state.ties(found)
    unwritten = set()
    for entry in found:
        number = writer.number(entry.tensor)
        if entry.kind == "parameter" and not with_parameters:
            unwritten.add(number)
    kept = state.attributes(model)
    attribute_numbers = [writer.number(attribute.tensor) for attribute in kept]
    table = writer.finish(lambda number: number not in unwritten, discard)
    return {"state": [{"key": entry.key, "kind": entry.kind, "persistent": entry.persistent, "gradient": entry.tensor.requires_grad,
                       "tensor": table[writer.number(entry.tensor)], "module": entry.path,
                       "module_class": state.library_name(type(entry.module), registry) or type(entry.module).__qualname__,
                       "owner": registry.owner_of(type(entry.module)), "tied_to": tied.get(entry.key)}
                      for entry in found],
            "attributes": [{"module": attribute.path, "name": attribute.name, "tensor": table[number]}
                           for attribute, number in zip(kept, attribute_numbers)]}
