"""work: record. What a model does, operator by operator: on shapes alone, or on real tensors; and the inputs for it."""

from __future__ import annotations

import gc
from typing import Any, Dict, List, Optional, Set, Tuple

import torch

from . import shapes, state, values
from .describe import Loaded, argument_names, constructions, describe_state, expected_shape, forward_arguments, own_inputs
from .failure import Progress
from .memory import TensorReader, TensorWriter, dtype_of, read_all
from .leftovers import Leftovers
from .pieces import Pieces, TooLong
from .recorder import NeedsData, Recorder
from .registry import FileRegistry
from .run import place_weights, slow_path, traced
from .tracer import Tracer
from .wire import clean

# Of several calls of forward together, and of one but the first: the others are looked at where they don't take long.
MOST_TOGETHER = 250_000
MOST_IN_ANOTHER = 30_000


def inputs(work: Dict[str, Any], files: Dict[str, int], progress: Progress) -> Dict[str, Any]:
    """work: inputs. The program's own inputs; floating tensors that stand for shapes alone are not written."""
    loaded = Loaded(work, files, FileRegistry(work["program"], read_all(files["bundle"])), progress)
    progress.stage = "inputs"
    shapes.put_stand_ins()
    arguments, keywords = inputs_on_shapes(loaded)
    writer = TensorWriter(files["inputs"], shapes=True)
    written: List[bool] = []

    def number(tensor: torch.Tensor) -> int:
        found = writer.number(tensor)
        if found == len(written):
            written.append(not (tensor.is_floating_point() or tensor.is_complex()))
        return found

    init_tensors = TensorWriter(files["outputs"])
    init = {"init_inputs": values.encode(loaded.arguments, init_tensors.number),
            "init_kwargs": values.encode(loaded.keywords, init_tensors.number), "tensors": init_tensors.finish()}
    encoded = {"args": values.encode(arguments, number), "kwargs": values.encode(keywords, number)}
    return {"trials": [dict(encoded, seed=work["seed"], tensors=writer.finish(lambda index: written[index]))], **init,
            "has_init_inputs": hasattr(loaded.module, "get_init_inputs"), **expected_shape(loaded)}


def inputs_on_shapes(loaded: Loaded) -> Tuple[List[Any], Dict[str, Any]]:
    loaded.seed(loaded.work["seed"])
    try:
        with Recorder(True, no_call):
            return own_inputs(loaded)
    except Exception:  # they need numbers
        loaded.seed(loaded.work["seed"])
        return own_inputs(loaded)


def compared_trials(loaded: Loaded) -> List[Dict[str, Any]]:
    """The program's own inputs, of which shapes alone are looked at; none if they can't be made. They are made last: what a
    program does once its inputs were asked for is not what it does as a part of another."""
    tensors: List[torch.Tensor] = []

    def number(tensor: torch.Tensor) -> int:
        tensors.append(tensor)
        return len(tensors) - 1

    try:
        arguments, keywords = inputs_on_shapes(loaded)
        encoded = {"args": values.encode(arguments, number), "kwargs": values.encode(keywords, number)}
        return [dict(encoded, tensors=[{"shape": list(tensor.shape)} for tensor in tensors])]
    except Exception:
        return []


def record(work: Dict[str, Any], files: Dict[str, int], progress: Progress) -> Dict[str, Any]:
    if work["symbolic"]:
        gc.disable()  # no element is kept alive by what would be collected, and the cell ends with this
    registry = FileRegistry(work["program"], read_all(files["bundle"]))
    tracer = Tracer(registry, Pieces(files["recording"]))
    recorder = make_recorder(tracer, work["symbolic"], work["device"])
    with traced(tracer, 0):
        loaded = Loaded(work, files, registry, progress)
    init_tensors = TensorWriter(files["outputs"])
    init = {"init_inputs": values.encode(loaded.arguments, init_tensors.number),
            "init_kwargs": values.encode(loaded.keywords, init_tensors.number)}
    loaded.construct(traced(tracer, 0))
    model = loaded.model
    progress.stage = "weights"
    if not work["symbolic"]:
        place_weights(model, work, files, tracer)
    if work["symbolic"] and work["describe"]:
        for entry in state.entries(model):  # made of torch.empty, and filled
            if entry.kind == "buffer" and entry.tensor.device.type == "meta":
                raise NeedsData("the buffer %s has no values on shapes alone" % entry.key)
    described = {"state": [], "attributes": [], "tensors": init_tensors.finish()} if not work["describe"] else \
        dict(describe_state(model, registry, files["weights"], False, discard=False), tensors=init_tensors.finish())
    for entry in state.entries(model):  # no graph of gradients is built, and grad mode is what the model makes it
        if entry.tensor.requires_grad and entry.tensor.is_leaf:
            entry.tensor.requires_grad_(False)
    progress.stage = "forward"
    sections: List[Dict[str, Any]] = []
    trace: Optional[Dict[str, Any]] = None
    lengths = Lengths(work["trials"][0])
    leftovers = Leftovers(model, registry)
    forward = forward_arguments(model)
    for trial in work["trials"]:
        if is_needless(trial, sections):
            continue
        before = recorder.event_count()
        if sections and before * (len(sections) + 1) > MOST_TOGETHER * len(sections):
            break  # the others would take long: it is said that they are missing
        if sections:
            most = max(MOST_IN_ANOTHER, 2 * sections[0]["end"])
            if lengths.expected(trial, sections[0]["end"]) > most:
                continue  # a loop over time steps, for one
            recorder.most_events = min(MOST_TOGETHER, before + most)
        section, report = record_call(loaded, tracer, recorder, leftovers, work, trial, files.get("inputs"), forward, not sections)
        sections.append(section)
        if section["raised"] is None:
            lengths.note(trial, section["end"] - before)
        else:
            lengths.note_failure(trial)
        trace = trace or report
    return {"recording": recorder.report(), "sections": sections, "trace": trace, "class": loaded.kind.__qualname__,
            "has_init_inputs": hasattr(loaded.module, "get_init_inputs"), **init,
            "forward": {"arguments": forward}, "random_construction": loaded.initial_values_matter, "drawn_numbers": loaded.drawn_numbers,
            "construct_seconds": loaded.seconds, **described, **constructions(loaded),
            "trials": compared_trials(loaded) if work["compare_inputs"] else []}


def is_needless(trial: Dict[str, Any], sections: List[Dict[str, Any]]) -> bool:
    accepted = {section["name"] for section in sections if section["raised"] is None}
    needed = trial.get("only_if")
    return needed is not None and needed not in accepted or any(accepted.issuperset(names) for names in trial.get("unless", []))


class Lengths:
    """How many events a call of forward has at other sizes: foretold by what one at nearly the sample's had."""

    def __init__(self, sample: Dict[str, Any]) -> None:
        self.sample = sample
        self.known: Dict[Any, Tuple[int, int]] = {}  # mode and what varies -> one of its sizes, events
        self.failed: Set[Any] = set()  # the same, where forward has raised

    def changes(self, trial: Dict[str, Any]) -> List[Tuple[int, int]]:
        """Which dimensions of which tensors have another size than in the sample."""
        return [(index, dimension) for index, (one, other) in enumerate(zip(self.sample["tensors"], trial["tensors"]))
                for dimension, (size, another) in enumerate(zip(one["shape"], other["shape"])) if size != another]

    def note(self, trial: Dict[str, Any], events: int) -> None:
        changes = self.changes(trial)
        self.known[trial["mode"], tuple(changes)] = (size_at(trial, changes[0]) if changes else 0, events)

    def note_failure(self, trial: Dict[str, Any]) -> None:
        self.failed.add((trial["mode"], tuple(self.changes(trial))))

    def expected(self, trial: Dict[str, Any], most: int) -> float:
        """`most`: how many the sample's has at most. A line through two sizes; where one alone is known, every event may be in
        a loop over the dimension that grows most, but for the batch's. What another size was refused for may end this too:
        it is tried, and cut off where it grows too long."""
        changes = self.changes(trial)
        same, near = self.known.get((trial["mode"], ())), self.known.get((trial["mode"], tuple(changes)))
        if changes and same is not None and near is not None:
            size = size_at(self.sample, changes[0])
            each = (same[1] - near[1]) / (size - near[0])
            return same[1] + each * (size_at(trial, changes[0]) - size)
        if (trial["mode"], tuple(changes)) in self.failed:
            return 0.0
        return most * max([size_at(trial, at) / max(size_at(self.sample, at), 1) for at in changes if at[1] > 0] + [1.0])


def size_at(trial: Dict[str, Any], at: Tuple[int, int]) -> int:
    return int(trial["tensors"][at[0]]["shape"][at[1]])


def make_recorder(tracer: Tracer, symbolic: bool, device: str = "cpu") -> Recorder:
    answers: Dict[Any, Any] = {}
    if symbolic:
        shapes.put_stand_ins()
        place = torch.device("cpu") if device == "cpu" else torch.device(device, 0)
        answers = {torch.Tensor.device.__get__: place, torch.Tensor.is_meta.__get__: False,  # type: ignore[attr-defined]
                   torch.Tensor.is_cpu.__get__: device == "cpu", torch.Tensor.is_cuda.__get__: device == "cuda",  # type: ignore[attr-defined]
                   torch.Tensor.get_device: -1 if device == "cpu" else 0}
        tracer.elsewhere = device != "cpu"
    recorder = Recorder(symbolic, tracer.current_call, tracer.pieces)
    tracer.record_operators(recorder, answers)
    return recorder


def record_call(loaded: Loaded, tracer: Tracer, recorder: Recorder, leftovers: Leftovers, work: Dict[str, Any],
                trial: Dict[str, Any], descriptor: Optional[int], forward: List[Dict[str, Any]],
                first: bool) -> Tuple[Dict[str, Any], Optional[Dict[str, Any]]]:
    """One call of forward. The first must not fail, and is traced; the others go by what the first has left."""
    model = loaded.model
    tensors = input_tensors(trial["tensors"], descriptor, work["symbolic"], work["device"])
    arguments, keywords = values.decode(trial["args"], tensors), values.decode(trial["kwargs"], tensors)
    loaded.seed(work["seed"])
    model.train(trial["mode"] == "train")
    kept = Kept(model)
    name_ends(tracer if first else None, recorder, model, arguments, keywords, forward)
    if not first:
        recorder.calls = no_call
        tracer.passing = True
    section: Dict[str, Any] = {"name": trial["name"], "raised": None}
    outputs = None
    leftovers.begin(arguments, keywords)
    try:
        with slow_path(model), traced(tracer, 1):
            outputs = model(*arguments, **keywords)
    except Exception as cause:
        if first:
            raise
        section["raised"] = clean("%s: %s" % (type(cause).__name__, cause))[:500]
        section["too_long"] = isinstance(cause, TooLong)
    left, given = (kept.left(), leftovers.given()) if section["raised"] is None else ([], [])
    section.update(recorder.section(outputs, left + given))
    if section["raised"] is None:
        section["changed"] = leftovers.changed(not first and trial["tensors"] == work["trials"][0]["tensors"])
    report = tracer.report(arguments, keywords, outputs, left) if first else None
    return section, report


def no_call() -> int:
    return -1


class Kept:
    """Tells what forward has left in plain attributes."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.before = [kept.tensor for kept in state.attributes(model)]

    def left(self) -> List[Tuple[str, torch.Tensor]]:
        known = {id(tensor) for tensor in self.before}
        return [((kept.path + "." if kept.path else "") + kept.name, kept.tensor) for kept in state.attributes(self.model)
                if id(kept.tensor) not in known]


def input_tensors(table: List[Dict[str, Any]], descriptor: Optional[int], symbolic: bool, device: str) -> List[torch.Tensor]:
    """On shapes alone, floating ones have no data; integers and booleans keep theirs, so that code may look at them."""
    reader = TensorReader(descriptor, "cpu" if symbolic else device)
    return [shape_only(located) if symbolic and (located["storage"] is None or is_floating(located))
            else reader.sized(located) for located in table]


def is_floating(located: Dict[str, Any]) -> bool:
    return dtype_of(located).is_floating_point or dtype_of(located).is_complex


def shape_only(located: Dict[str, Any]) -> torch.Tensor:
    return torch.empty_strided(located["shape"], located["stride"], dtype=dtype_of(located), device="meta")


def name_ends(trace: Optional[Tracer], recorder: Recorder, model: torch.nn.Module, arguments: List[Any],
              keywords: Dict[str, Any], forward: Optional[List[Dict[str, Any]]] = None) -> None:
    """Tells where the tensors that forward begins with come from. `forward`: its arguments, where they are known."""
    recorder.begin_forward()
    if trace is not None:
        trace.set_root(model)
    keys: Dict[Any, Tuple[torch.Tensor, str, List[str]]] = {}
    states = set()
    for entry in state.entries(model):
        identity = state_identity(entry.tensor)
        keys.setdefault(identity, (entry.tensor, entry.kind, []))[2].append(entry.key)
        known = is_known(entry, recorder.entry(entry.tensor).data[0])
        if trace is not None:
            trace.name_state(entry.key, entry.kind, entry.tensor, not known)
        if not known:
            states.add(identity)
    for identity, (tensor, kind, names) in keys.items():
        recorder.name_state(tensor, kind, names, identity not in states)
    names = argument_names(arguments, keywords, forward_arguments(model) if forward is None else forward)
    for name, value in zip(names, list(arguments) + list(keywords.values())):
        for path, tensor in state.tensors_in(value, name, 8):
            if trace is not None:
                trace.name_input(path, tensor)
            recorder.name_input(tensor, path)


def is_known(entry: state.Entry, drawn: bool) -> bool:
    """A buffer that is filled from known values at construction, and no checkpoint fills otherwise (policy.md, "Buffers").
    `drawn`: it is filled from random numbers or initial values, as quantised weights and permutations are."""
    tensor = entry.tensor
    if type(entry.module).__module__.startswith("torch.") or entry.kind == "parameter":
        return False
    if not (entry.persistent and (tensor.is_floating_point() or drawn)):
        return True
    if tensor.device.type == "meta" or not tensor.is_floating_point():
        return False
    low, high = (float(tensor.min()), float(tensor.max())) if tensor.numel() else (0.0, 0.0)
    mask = (low, high) == (0.0, 1.0) or (low, high) == (-float("inf"), 0.0)
    return mask and bool(((tensor == low) | (tensor == high)).all())


def state_identity(tensor: torch.Tensor) -> Any:
    """As state.identity, for tensors without data too."""
    if tensor.device.type != "meta":
        return state.identity(tensor)
    storage = tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor.storage()
    return storage._cdata, tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), tensor.dtype
