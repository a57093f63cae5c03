"""work: run. Constructs a model, gives it weights, and runs forward, and backward if its gradients are asked for."""

from __future__ import annotations

import collections
import contextlib
import gc
import time
import types
from typing import Any, ContextManager, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import torch
from torch.overrides import TorchFunctionMode

from . import gradients, leftovers, state, values
from .describe import Loaded, argument_names, forward_arguments
from .failure import LONGEST_MESSAGE, Progress
from .keeper import Keeper
from .memory import TensorReader, TensorWriter, read_all, unsupported
from .pieces import Pieces
from .registry import FileRegistry
from .tracer import Tracer
from .wire import clean

# Up to this size, a state tensor's bytes are compared before and after; above it, its version counter must do.
LARGEST_COMPARED = 1 << 20


class SlowPath(TorchFunctionMode):
    """Does nothing; but while a mode is active, torch 1.13's transformer modules don't take their fast path."""

    def __torch_function__(self, function: Any, kinds: Any, arguments: Any = (), keywords: Optional[Dict[str, Any]] = None) -> Any:
        return function(*arguments, **(keywords or {}))


def run(work: Dict[str, Any], files: Dict[str, int], progress: Progress) -> Dict[str, Any]:
    registry = FileRegistry(work["program"], read_all(files["bundle"]))
    tracer = Tracer(registry, Pieces(files["recording"])) if work["trace"] else None
    keeper = Keeper(files["values"], work["values"]) if work.get("values") else None
    with traced(tracer, 0):
        loaded = Loaded(work, files, registry, progress)
    gc.freeze()  # what loading made holds no view of a weight
    loaded.construct(traced(tracer, 0))
    model, device = loaded.model, work["device"]
    progress.stage = "weights"
    place_weights(model, work, files, tracer)
    progress.stage = "inputs"
    tensors = TensorReader(files.get("inputs"), device).tensors(work["tensors"])
    if work.get("float64"):
        widen(model)
        tensors = [widened(tensor, work.get("bounds", ())) for tensor in tensors]
        torch.set_default_dtype(torch.float64)
    ends = gradients.Inputs(tensors) if work.get("gradients") else None
    tensors = ends.given if ends is not None else tensors
    arguments, keywords = values.decode(work["args"], tensors), values.decode(work["kwargs"], tensors)
    model.train(work["mode"] == "train")
    if work.get("again"):
        others = [other(tensor) for tensor in tensors]
        progress.stage = "forward"
        loaded.seed(work["seed"])
        with torch.no_grad(), slow_path(model):
            model(*values.decode(work["args"], others), **values.decode(work["kwargs"], others))
    watch = ChangeWatch(loaded, arguments, keywords)
    if tracer is not None:
        name_ends(tracer, model, watch, {row["key"] for row in work["weights"]})
        tracer.keeper = keeper
    loaded.seed(work["seed"])
    progress.stage = "forward"
    started = time.monotonic()
    with torch.set_grad_enabled(ends is not None), slow_path(model), traced(tracer, 1):
        outputs = model(*arguments, **keywords)
    forward_seconds = seconds_since(started, device)
    progress.stage = "outputs"
    trace = tracer.report(arguments, keywords, outputs, watch.kept()) if tracer is not None else None
    if ends is not None:
        progress.stage = "forward"
        inputs = ends.named(work["input_names"], list(arguments) + list(keywords.values()))
        outputs = gradients.of_outputs(outputs, inputs, model, work["weights"], work["seed"])
    done = {**written(outputs, watch, files["outputs"], ends is None), "trace": trace,
            "values": keeper.finish() if keeper is not None else None,
            "construct_seconds": loaded.seconds, "forward_seconds": forward_seconds}
    if work.get("then"):
        done["then"] = [attempt(loaded, dict(work, **row), files, "then %d" % (i + 1)) for i, row in enumerate(work["then"])]
    return done


def attempt(loaded: Loaded, work: Dict[str, Any], files: Dict[str, int], name: str) -> Dict[str, Any]:
    try:
        return another(loaded, work, files, name)
    except Exception as cause:  # the others are run all the same
        return {"raised": clean("%s: %s" % (type(cause).__name__, cause))[:LONGEST_MESSAGE]}


def seconds_since(started: float, device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize()
    return time.monotonic() - started


def written(outputs: Any, watch: "ChangeWatch", descriptor: int, with_left: bool) -> Dict[str, Any]:
    """What forward gave and, `with_left`, the final contents of what it changed."""
    writer = TensorWriter(descriptor)
    encoded = values.encode(outputs, writer.number)
    return {"outputs": encoded, **watch.left(writer.number if with_left else None), "tensors": writer.finish()}


def another(loaded: Loaded, work: Dict[str, Any], files: Dict[str, int], name: str) -> Dict[str, Any]:
    """The same with another model of the same construction and the same weights; its outputs go to the file `name`."""
    loaded.progress.stage = "construct"
    loaded.construct(contextlib.nullcontext())
    model = loaded.model
    loaded.progress.stage = "weights"
    place_weights(model, work, files)
    loaded.progress.stage = "inputs"
    tensors = TensorReader(files.get("inputs"), work["device"]).tensors(work["tensors"])
    arguments, keywords = values.decode(work["args"], tensors), values.decode(work["kwargs"], tensors)
    model.train(work["mode"] == "train")
    watch = ChangeWatch(loaded, arguments, keywords)
    loaded.seed(work["seed"])
    loaded.progress.stage = "forward"
    started = time.monotonic()
    with torch.no_grad(), slow_path(model):
        outputs = model(*arguments, **keywords)
    seconds = seconds_since(started, work["device"])
    loaded.progress.stage = "outputs"
    return {**written(outputs, watch, files[name], True), "forward_seconds": seconds}


def place_weights(model: torch.nn.Module, work: Dict[str, Any], files: Dict[str, int], tracer: Optional[Tracer] = None) -> None:
    if work["device"] != "cpu":
        before = state.entries(model)
        model.to(work["device"])
        if tracer is not None:
            for old, new in zip(before, state.entries(model)):
                if new.tensor is not old.tensor:  # buffers become other objects
                    tracer.tensors.moved(old.tensor, new.tensor)
    state.place_weights(model, {row["key"]: row["tensor"] for row in work["weights"]}, files.get("weights"), work["device"])


def traced(tracer: Optional[Tracer], phase: int) -> ContextManager[None]:
    return tracer.phase(phase) if tracer is not None else contextlib.nullcontext()


def name_ends(tracer: Tracer, model: torch.nn.Module, watch: "ChangeWatch", placed: Set[str]) -> None:
    """Tells the tracer where the tensors that forward begins with come from."""
    tracer.set_root(model)
    for entry in state.entries(model):
        tracer.name_state(entry.key, entry.kind, entry.tensor, entry.key in placed)
    for snapshot in watch.inputs:
        tracer.name_input(snapshot.name, snapshot.tensor)


@contextlib.contextmanager
def slow_path(model: torch.nn.Module) -> Iterator[None]:
    fast = (torch.nn.MultiheadAttention, torch.nn.TransformerEncoderLayer, torch.nn.TransformerEncoder)
    if hasattr(torch.backends, "mha") or not any(isinstance(module, fast) for module in model.modules()):
        yield
    else:
        with SlowPath():
            yield


def other(tensor: torch.Tensor) -> torch.Tensor:
    """Other numbers of the same kind: none that the tensor hasn't, but for halves."""
    turned = tensor.flip(0) if tensor.dim() > 0 else tensor.clone()
    return turned * 0.5 if tensor.is_floating_point() else turned


def widened(tensor: torch.Tensor, bounds: Sequence[float] = ()) -> torch.Tensor:
    """Of the elements that are a bound, as near as their dtype comes, every other one is that itself: a number that stands in
    the source is met by it, and a weight by the others."""
    if not tensor.is_floating_point():
        return tensor.to(torch.complex128) if tensor.is_complex() else tensor
    wide = tensor.to(torch.float64)
    for bound in bounds:
        near = torch.tensor(bound, dtype=torch.float64).to(tensor.dtype).to(wide)
        places = (wide == near).nonzero()[::2]
        if len(places) > 0:
            wide[tuple(places.t())] = bound
    return wide


def widen(model: torch.nn.Module) -> None:
    """Every floating parameter, buffer and plain attribute in double width. Ties stay."""
    made: Dict[Any, torch.Tensor] = {}
    with torch.no_grad():
        tensors = [entry.tensor for entry in state.entries(model)] + [kept.tensor for kept in state.attributes(model)]
        for tensor in {id(tensor): tensor for tensor in tensors}.values():
            key = state.identity(tensor)
            if key not in made:
                made[key] = widened(tensor.data)
            tensor.data = made[key]


class ChangeWatch:
    """Remembers inputs and state before forward, and tells which of them it wrote."""

    def __init__(self, loaded: Loaded, arguments: List[Any], keywords: Dict[str, Any]) -> None:
        model = loaded.model
        names = argument_names(arguments, keywords, forward_arguments(model))
        given = list(arguments) + list(keywords.values())
        self.inputs = [Snapshot(path, tensor, True) for name, value in zip(names, given)
                       for path, tensor in state.tensors_in(value, name, 8)]
        self.state = [Snapshot(entry.key, entry.tensor, entry.tensor.numel() * entry.tensor.element_size() <= LARGEST_COMPARED)
                      for entry in state.entries(model)]
        self.names, self.given = names, given
        self.model, self.registry = model, loaded.registry
        self.attributes = [snapshot_of(kept) for kept in state.attributes(model)]  # alive, so that their ids stay theirs
        self.likeness = leftovers.attributes(model, loaded.registry)

    def kept(self) -> List[Tuple[str, torch.Tensor]]:
        """Tensors in plain attributes that were not there before."""
        before = {id(snapshot.tensor) for snapshot in self.attributes}
        return [((kept.path + "." if kept.path else "") + kept.name, kept.tensor) for kept in state.attributes(self.model)
                if id(kept.tensor) not in before]

    def left(self, number: Optional[values.Encoder]) -> Dict[str, Any]:
        """What is changed, and with `number`, what it is now."""
        changed = [snapshot.name for snapshot in self.inputs if snapshot.changed()]
        current = {entry.key: entry.tensor for entry in state.entries(self.model)}
        written = [snapshot.name for snapshot in self.state
                   if current.get(snapshot.name) is not snapshot.tensor or snapshot.changed()]
        known = {snapshot.name for snapshot in self.state}
        written += [key for key in current if key not in known]
        return {"inputs_modified": changed, "arguments": self.arguments(set(changed), number) if number is not None else None,
                "state_modified": written, "state_tensors": [final_number(current.get(key), number) for key in written],
                "attributes": self.left_in_attributes(number) if number is not None else None}

    def left_in_attributes(self, number: values.Encoder) -> List[Any]:
        """The attributes that are not what they were, or whose tensors are not, as they are now."""
        now = leftovers.attributes(self.model, self.registry)
        names = {name for name in now if self.likeness.get(name) != now[name]}
        same = {id(snapshot.tensor) for snapshot in self.attributes if not snapshot.changed()}
        names.update(holder(kept) for kept in state.attributes(self.model) if id(kept.tensor) not in same)

        def encode(tensor: torch.Tensor) -> Any:
            return number(tensor) if unsupported(tensor) is None else "without plain bytes"

        return [[clean(name), named_if_given(values.encode(spread(value, 0), encode))]
                for name, value in leftovers.named(self.model) if name in names]

    def arguments(self, changed: Set[str], number: values.Encoder) -> List[Any]:
        """The arguments as they are now. A tensor that was given and is unchanged is named, not sent."""
        same = {id(snapshot.tensor): snapshot.name for snapshot in reversed(self.inputs) if snapshot.name not in changed}

        def encode(tensor: torch.Tensor) -> Any:
            return number(tensor) if id(tensor) not in same else "given " + clean(same[id(tensor)])

        return [[name, named_if_given(values.encode(spread(value, 0), encode))] for name, value in zip(self.names, self.given)]


def snapshot_of(kept: state.Attribute) -> "Snapshot":
    return Snapshot(holder(kept), kept.tensor, kept.tensor.numel() * kept.tensor.element_size() <= LARGEST_COMPARED)


def holder(kept: state.Attribute) -> str:
    """The attribute that has it, or the container that it is in."""
    return (kept.path + "." if kept.path else "") + kept.name.split("[")[0]


def final_number(tensor: Optional[torch.Tensor], number: Optional[values.Encoder]) -> Optional[int]:
    return None if tensor is None or number is None or unsupported(tensor) is not None else number(tensor)


def named_if_given(encoded: Any) -> Any:
    """A type's name has a dot: nothing else is encoded as an object of type `given x`."""
    if isinstance(encoded, list):
        return [named_if_given(item) for item in encoded]
    if isinstance(encoded, dict):
        if isinstance(encoded.get("T"), str):
            return {"o": encoded["T"]}
        return {key: named_if_given(item) for key, item in encoded.items()}
    return encoded


def spread(value: Any, depth: int) -> Any:
    """Arguments with dicts for the namespaces that stand for dataclasses."""
    if depth > values.DEEPEST:
        return value
    if isinstance(value, types.SimpleNamespace):
        value = vars(value)
    if type(value) in (list, tuple):
        return type(value)(spread(item, depth + 1) for item in value)
    if type(value) in (dict, collections.OrderedDict):
        return type(value)((key, spread(item, depth + 1)) for key, item in value.items())
    return value


class Snapshot:
    def __init__(self, name: str, tensor: torch.Tensor, with_bytes: bool) -> None:
        self.name, self.tensor = name, tensor
        self.version = -1 if tensor.is_inference() else tensor._version
        self.copy = tensor.detach().clone() if with_bytes and unsupported(tensor) is None else None

    def changed(self) -> bool:
        if self.copy is None:
            return self.version >= 0 and self.tensor._version != self.version
        if self.tensor.shape != self.copy.shape or self.tensor.dtype != self.copy.dtype:
            return True
        return not torch.equal(raw(self.tensor), raw(self.copy))


def raw(tensor: torch.Tensor) -> torch.Tensor:
    """The elements' bytes, so that a NaN equals itself."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)
