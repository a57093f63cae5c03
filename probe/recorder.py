"""Records the ATen operators of a run: docs/protocol.md, "A recording".

Symbolic: parameters, floating inputs and what is computed of them have a shape and no data (meta tensors). What is made
of shapes and constants stays real, so that code may look at it; so do integer and boolean inputs. A look at what has no
data raises NeedsData: then only a real run can record the model."""

from __future__ import annotations

import ctypes
import hashlib
import weakref
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from . import infer, values
from .memory import unsupported
from .pieces import EVENTS, FEWEST_KEPT, MOST_OPERATORS, RECORDED_TENSORS, ROWS_AT_ONCE, Pieces, TooLong

META = torch.device("meta")
CPU = torch.device("cpu")
LARGEST_REAL = 1 << 22    # elements: a larger tensor made of constants has no data in a symbolic run
LARGEST_HASHED = 1 << 22  # elements
LARGEST_INT = 1 << 62
MOST_TOLD = 64            # elements of what a kernel looked at; of more, their hash
NO_OPERATOR = "a tensor that no recorded operator made"


class NeedsData(RuntimeError):
    """The model looks at values that a symbolic run doesn't have."""


class Entry:
    """What is known of one tensor object. `data` is shared by the tensors of one storage: [hangs on weights, inputs or draws]."""
    __slots__ = ("alive", "number", "json", "data", "twin", "hashed")

    def __init__(self, tensor: torch.Tensor, number: int, data: List[bool]) -> None:
        self.alive = weakref.ref(tensor)
        self.number = number
        self.json = {"T": number}
        self.data = data
        self.twin: Optional[torch.Tensor] = None
        self.hashed = -1  # the version of which a hash was given


class Schema:
    """An operator as its ATen schema says it."""
    __slots__ = ("number", "row", "positions", "writes", "views", "list_view", "returned", "random", "reshapes",
                 "empty", "shares", "opaque", "indexes", "rule", "gives_tensors", "single", "sources", "fresh", "plain")

    def __init__(self, number: int, function: Any, writes_also: Tuple[int, ...] = ()) -> None:
        schema = function._schema
        tags = {str(tag).rsplit(".", 1)[-1].split(":")[0] for tag in getattr(function, "tags", ())}
        arguments = schema.arguments
        self.number = number
        self.positions = {argument.name: index for index, argument in enumerate(arguments)}
        marks = [argument.alias_info for argument in arguments]
        self.writes = [index for index, mark in enumerate(marks) if mark is not None and mark.is_write or index in writes_also]
        self.views: List[List[int]] = []
        self.returned: Dict[int, int] = {}  # result -> the written argument that it is
        self.list_view = False
        for index, result in enumerate(schema.returns):
            mark = result.alias_info
            if mark is None:
                continue
            names = mark.before_set
            source = next((i for i, other in enumerate(marks) if other is not None and other.before_set & names), None)
            if source is None and not names:  # a list of views: the mark stands at its elements
                source = next((i for i, other in enumerate(marks) if other is not None), None)
                self.list_view = source is not None
            if source is not None and mark.is_write:
                self.returned[index] = source
            elif source is not None:
                self.views.append([index, source])
        self.gives_tensors = any("Tensor" in str(result.type) for result in schema.returns)
        self.single = self.list_view or len(schema.returns) == 1
        self.sources = {index: source for index, source in self.views}
        name = schema.name + ("." + schema.overload_name if schema.overload_name else "")
        base = schema.name.rsplit("::", 1)[-1]
        self.rule = infer.find(name)
        self.random = "nondeterministic_seeded" in tags
        self.reshapes = "inplace_view" in tags
        # Factories whose elements say nothing: they need none. randint and randperm give integers, whatever the default dtype.
        self.empty = base.startswith(("empty", "new_empty")) or self.random and not base.startswith(("randint", "randperm"))
        self.indexes = base in ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index")
        self.shares = name == "aten::set_.source_Tensor"  # looks into the memory of another tensor afterwards
        self.opaque = base in ("set_", "resize_", "resize_as_") and not self.shares  # the memory itself is another
        self.fresh = not (self.views or self.writes or self.opaque)  # what it gives is its own
        self.plain = self.fresh and len(schema.returns) == 1
        self.row = {"name": name, "args": [argument_row(argument) for argument in arguments], "writes": self.writes,
                    "views": self.views, "list_views": self.list_view, "random": self.random, "reshapes": self.reshapes}


def argument_row(argument: Any) -> List[Any]:
    row = [argument.name, str(argument.type)]
    if argument.has_default_value():
        row.append(values.encode(argument.default_value, lambda tensor: 0))
    return row


class Recorder(TorchDispatchMode):
    """`calls` tells the number of the trace's call that is going on, or -1. `pieces`: where events and tensors go while there
    are very many of them; report() gives the others."""

    def __init__(self, symbolic: bool, calls: Callable[[], int], pieces: Optional[Pieces] = None) -> None:
        super().__init__()
        self.pieces = pieces
        self.events_written = self.tensors_written = 0
        self.most_events = MOST_OPERATORS
        self.most_known = self.most_storages = FEWEST_KEPT
        self.symbolic = symbolic
        self.paused = self.constructed = False
        self.calls = calls
        self.schemas: Dict[Any, Schema] = {}
        self.schema_rows: List[Dict[str, Any]] = []
        self.layouts: Dict[Any, int] = {}
        self.layout_rows: List[List[Any]] = []
        self.layout_bytes: List[int] = []
        self.bytes = 0  # of all that operators have made, views apart
        self.tensors: List[List[int]] = []
        self.known: Dict[int, Entry] = {}
        self.storages: Dict[int, List[Entry]] = {}  # address -> the tensors on it, some of which may be gone
        self.storage_of = getattr(torch.Tensor, "untyped_storage", None) or torch.Tensor._storage  # type: ignore[attr-defined]
        self.events: List[List[Any]] = []
        self.seed = torch.initial_seed()
        self.given: Dict[Any, Any] = {}  # operator and layouts -> the layout of what it gives, without data

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """torch would wrap __torch_dispatch__ for torch.compile, which costs microseconds an operator and isn't used here."""
        return False

    # ---- tensors -------------------------------------------------------------------------------------------------

    def add(self, tensor: torch.Tensor, data: List[bool]) -> Entry:
        try:
            key = (tensor.dtype, tensor.shape, tensor.stride())
            offset = tensor.storage_offset()
        except (RuntimeError, NotImplementedError):
            raise TypeError("%s tensors are not supported" % (unsupported(tensor) or "such")) from None
        layout = self.layouts.get(key)
        if layout is None:
            if unsupported(tensor) not in (None, "meta"):
                raise TypeError("%s tensors are not supported" % unsupported(tensor))
            layout = self.layouts[key] = len(self.layout_rows)
            self.layout_rows.append([str(tensor.dtype), list(tensor.shape), list(tensor.stride())])
            self.layout_bytes.append(tensor.numel() * tensor.element_size())
        entry = self.known[id(tensor)] = Entry(tensor, self.tensors_written + len(self.tensors), data)
        self.tensors.append([layout, offset])
        try:
            there = self.storages.setdefault(self.storage_of(tensor)._cdata, [])
        except (RuntimeError, NotImplementedError):
            return entry
        if len(there) & (len(there) - 1) == 0:  # at 1, 2, 4, ..
            there[:] = living(there)
        there.append(entry)
        return entry

    def beside(self, tensor: torch.Tensor) -> Iterator[Entry]:
        """The known tensors on the same memory, the latest first: not those whose object has got other memory since."""
        address = self.storage_of(tensor)._cdata
        for entry in reversed(self.storages.get(address, ())):
            other = entry.alive()
            if other is not None and any(self.storage_of(each)._cdata == address for each in (other, entry.twin) if each is not None):
                yield entry

    def entry(self, tensor: torch.Tensor) -> Entry:
        """Of a tensor that is used: one that nothing has told of looks into known memory, or its origin is unknown."""
        found = self.known.get(id(tensor))
        if found is not None and found.alive() is tensor:
            return found
        other = next(self.beside(tensor), None)
        if other is not None:
            found = self.add(tensor, other.data)
            self.events.append(["alias", found.number, other.number])
            return found
        found = self.add(tensor, [True])
        self.events.append(["unknown", found.number, NO_OPERATOR])
        return found

    def constant(self, tensor: torch.Tensor) -> None:
        """What torch.tensor([1, 2]) makes of numbers: the first that is seen of it is that it is lifted."""
        if not isinstance(tensor, torch.Tensor) or tensor.device == META or id(tensor) in self.known and self.known[id(tensor)].alive() is tensor:
            return
        if next(self.beside(tensor), None) is None:
            self.events.append(["constant", self.add(tensor, [False]).number, self.digest(tensor)])

    def forget(self, tensor: torch.Tensor) -> None:
        """The object has got other memory (`x.data = y`)."""
        self.known.pop(id(tensor), None)

    def name_input(self, tensor: torch.Tensor, path: str) -> None:
        found = self.known.get(id(tensor))
        if found is not None and found.alive() is tensor:
            return
        if any(other.alive() is not tensor for other in self.beside(tensor)):
            self.entry(tensor)
            return
        entry = self.add(tensor, [tensor.is_floating_point() or tensor.is_complex()])
        self.events.append(["input", entry.number, path])

    def name_state(self, tensor: torch.Tensor, kind: str, keys: List[str], known: bool) -> None:
        """`known`: no checkpoint gives it other values, so that its elements may stand for it."""
        entry = self.entry(tensor)
        floating = tensor.is_floating_point() or tensor.is_complex()
        self.events.append(["state", entry.number, "known buffer" if known else kind, keys])
        if known and not entry.data[0]:
            self.hash(tensor, entry)
        entry.data[0] = entry.data[0] or floating and not known

    def begin_forward(self) -> None:
        self.constructed = True
        self.events.append(["forward"])
        self.seed = torch.initial_seed()

    def read(self, tensor: torch.Tensor, value: Any) -> None:
        """Python was told this of the tensor."""
        entry = self.entry(tensor)
        self.must_have(entry, tensor)
        self.events.append(["read", entry.number, self.encode(value), self.calls()])

    def read_elements(self, tensor: torch.Tensor) -> None:
        """A kernel looked at all of them."""
        self.must_have(self.entry(tensor), tensor)
        self.paused = True
        try:
            value = tensor.tolist() if tensor.numel() <= MOST_TOLD else self.digest(tensor)
        finally:
            self.paused = False
        self.read(tensor, value)

    def must_have(self, entry: Entry, tensor: torch.Tensor) -> None:
        if self.symbolic and (entry.data[0] or tensor.device == META):
            raise NeedsData("the model looks at the values of a tensor")

    def hash(self, tensor: torch.Tensor, entry: Entry) -> None:
        if tensor.device == META or tensor.numel() > LARGEST_HASHED or tensor.is_inference():
            return
        version = tensor._version
        if entry.hashed == version:
            return
        entry.hashed = version
        self.events.append(["hash", entry.number, self.digest(tensor)])

    @staticmethod
    def digest(tensor: torch.Tensor) -> str:
        plain = tensor.detach().resolve_conj().resolve_neg().contiguous().cpu()
        size = plain.numel() * plain.element_size()
        digest = hashlib.blake2b(("%s %s " % (tensor.dtype, list(tensor.shape))).encode(), digest_size=20)
        if size:
            digest.update((ctypes.c_char * size).from_address(plain.data_ptr()))
        return digest.hexdigest()

    # ---- operators -----------------------------------------------------------------------------------------------

    def schema(self, function: Any, args: Any) -> Schema:
        # Kernels that write running statistics in training, of which the schema doesn't tell.
        key = (function, function._schema.name == "aten::native_batch_norm" and len(args) > 5 and args[5] is True)
        found = self.schemas.get(key)
        if found is None:
            found = self.schemas[key] = Schema(len(self.schema_rows), function, (3, 4) if key[1] else ())
            self.schema_rows.append(found.row)
        return found

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Optional[Dict[str, Any]] = None) -> Any:
        kwargs = kwargs or {}
        if self.paused:
            return function(*args, **kwargs)
        schema = self.schemas.get((function, False)) or self.schema(function, args)
        if function is NATIVE_BATCH_NORM:
            schema = self.schema(function, args)
        if function in LIFTS:
            self.constant(args[0])
        elif schema.indexes:  # x[:, [0, 2]]: the list becomes a tensor where no mode sees it
            for index in args[1]:
                if index is not None and not index.is_floating_point():
                    self.constant(index)
            if len(args) > 2 and args[2].dim() == 0:  # x[i] = 0.0
                self.constant(args[2])
        if kwargs.get("generator") is not None:
            self.events.append(["opaque", "a generator of its own"])
        if schema.shares:
            return self.share(function, args[0], args[1])
        used: List[Tuple[torch.Tensor, Entry]] = []
        row_args = [self.argument(value, used) for value in args]
        row_kwargs = [[name, self.argument(value, used)] for name, value in kwargs.items() if name not in PLACED] if kwargs else []
        data = schema.random
        for _, entry in used:
            data = data or entry.data[0]
        if data:
            for tensor, entry in used:
                if not entry.data[0]:
                    self.hash(tensor, entry)
        if self.symbolic:
            results = self.run_symbolic(schema, function, args, kwargs, used, data)
        else:
            results = function(*args, **kwargs)
        for index in schema.writes:
            target = argument_at(schema, index, args, kwargs)
            for each in target if isinstance(target, (list, tuple)) else (target,):
                if data and isinstance(each, torch.Tensor):
                    self.entry(each).data[0] = True
        return self.finish(schema, function, args, kwargs, row_args, row_kwargs, used, data, results)

    def share(self, function: Any, tensor: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        """tensor.set_(source): the same object looks into other memory. Once forward runs, what the weights hold is followed by
        their memory, which must stay theirs."""
        other = self.entry(source)
        function(tensor, source)
        self.events.append(["opaque", str(function)] if self.constructed else
                           ["alias", self.add(tensor, other.data).number, other.number])
        return tensor

    def finish(self, schema: Schema, function: Any, args: Any, kwargs: Any, row_args: Any, row_kwargs: Any,
               used: List[Tuple[torch.Tensor, Entry]], data: bool, results: Any) -> Any:
        if len(self.events) >= ROWS_AT_ONCE:
            self.write()
        event = ["op", schema.number, self.calls(), int(torch.is_grad_enabled()), row_args, row_kwargs, None]
        self.events.append(event)
        if schema.plain and isinstance(results, torch.Tensor):  # most of what there is
            event[6] = [self.result(results, data, None)]
            return results
        views = schema.sources
        numbers: List[Any] = []
        single = not isinstance(results, (tuple, list)) or schema.single
        items = [results] if single else list(results)
        given: List[Any] = []
        for index, item in enumerate(items):
            source = schema.returned.get(index)
            if source is not None and isinstance(item, torch.Tensor):
                target = argument_at(schema, source, args, kwargs)
                if schema.reshapes:
                    shared = self.entry(target).data
                    numbers.append(self.add(target, shared).number)
                else:
                    numbers.append(self.entry(target).number)
                given.append(target)
                continue
            given.append(item)
            shared = None
            if index in views:
                viewed = argument_at(schema, views[index], args, kwargs)
                shared = self.entry(viewed).data if isinstance(viewed, torch.Tensor) else None
            numbers.append(self.result(item, data, shared))
        event[6] = numbers
        if schema.opaque:
            self.events.append(["opaque", str(function)])
        if used and all(number is None for number in numbers) and numbers:
            for tensor, entry in used:
                self.events.append(["read", entry.number, self.encode(results), event[2]])
        return given[0] if single else type(results)(given)

    def result(self, item: Any, data: bool, shared: Optional[List[bool]]) -> Any:
        if isinstance(item, torch.Tensor):
            found = self.known.get(id(item))
            if found is not None and found.alive() is item:
                return found.number  # an argument, given back as it is
            number = self.add(item, shared if shared is not None else [data]).number
            if shared is None:
                self.bytes += self.layout_bytes[self.tensors[-1][0]]
            return number
        if isinstance(item, (tuple, list)):
            return [self.result(each, data, shared) for each in item]
        return None

    def argument(self, value: Any, used: List[Tuple[torch.Tensor, Entry]]) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is int and -LARGEST_INT < value < LARGEST_INT:
            return value
        if isinstance(value, torch.Tensor):
            entry = self.known.get(id(value))
            if entry is None or entry.alive() is not value:
                entry = self.entry(value)
            used.append((value, entry))
            return entry.json
        if kind is float:
            return {"f": value.hex()}
        if kind is list or kind is tuple or kind is torch.Size:
            return {"l": [self.argument(item, used) for item in value]}
        return self.encode(value)

    def encode(self, value: Any) -> Any:
        return values.encode(value, lambda tensor: self.entry(tensor).number)

    # ---- shapes alone --------------------------------------------------------------------------------------------

    def run_symbolic(self, schema: Schema, function: Any, args: Any, kwargs: Dict[str, Any],
                     used: List[Tuple[torch.Tensor, Entry]], data: bool) -> Any:
        if not schema.gives_tensors and used:
            for tensor, entry in used:
                self.must_have(entry, tensor)
        if not used:
            return self.make(schema, function, args, kwargs)
        without = data or any(tensor.is_meta for tensor, _ in used)
        if not without:
            if "device" in kwargs and kwargs["device"] is not None:
                kwargs = dict(kwargs, device=CPU)
            return function(*args, **kwargs)
        if kwargs.get("device") is not None:
            kwargs = dict(kwargs, device=META)
        if not all(tensor.is_meta for tensor, _ in used):
            twins = {id(tensor): self.twin(tensor, entry) for tensor, entry in used if not tensor.is_meta}
            args = [swap(value, twins) for value in args]
            kwargs = {name: swap(value, twins) for name, value in kwargs.items()}
        return self.without_numbers(schema, function, args, kwargs)

    def without_numbers(self, schema: Schema, function: Any, args: Any, kwargs: Dict[str, Any]) -> Any:
        """What the operator gives for tensors without data. The same operator on the same layouts gives the same layouts, which
        is found faster than by torch's own kernels; layers are alike."""
        key = None
        if schema.fresh and not schema.random:
            key = (schema.number, *map(self.layout_or_value, args), *kwargs, *map(self.layout_or_value, kwargs.values()))
            given = self.given.get(key)
            if given is not None:
                return empty(given) if schema.plain else tuple(map(empty, given))
        results = schema.rule(args, kwargs) if schema.rule is not None else None
        if results is None:
            results = function(*args, **kwargs)
        if key is not None and (is_empty(results) if schema.plain else type(results) is tuple and all(map(is_empty, results))):
            self.given[key] = layout_of(results) if schema.plain else tuple(map(layout_of, results))
        return results

    def layout_or_value(self, value: Any) -> Any:
        """Hashable; equal only for what an operator can't tell apart but by data."""
        if isinstance(value, torch.Tensor):
            return value.dtype, value.shape, value.stride()
        if isinstance(value, (list, tuple)):
            return tuple(map(self.layout_or_value, value))
        return type(value), value

    def make(self, schema: Schema, function: Any, args: Any, kwargs: Dict[str, Any]) -> Any:
        """Factories. What has no values of its own, or very many, gets no data."""
        if "device" not in schema.positions:
            return function(*args, **kwargs)
        dtype = kwargs.get("dtype") or torch.get_default_dtype()
        floating = dtype.is_floating_point or dtype.is_complex
        if schema.empty and floating:
            return function(*args, **dict(kwargs, device=META, **PINNED))
        sizes = args[0] if args and isinstance(args[0], (list, tuple)) else ()
        count = 1
        for size in sizes:
            count *= size
        device = META if count > LARGEST_REAL else CPU
        return function(*args, **dict(kwargs, device=device))

    def refuse_autocast(self) -> None:
        raise NeedsData("autocast casts nothing that has no data")

    def twin(self, tensor: torch.Tensor, entry: Entry) -> torch.Tensor:
        """A tensor of the same layout without data."""
        if entry.twin is None:
            reach = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))
            base = torch.empty(tensor.storage_offset() + max(reach, 0), dtype=tensor.dtype, device=META)
            entry.twin = base.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
            self.storages[self.storage_of(entry.twin)._cdata] = [entry]
        return entry.twin

    def without_data(self, value: Any) -> Any:
        """For calls that want all their tensors on one device: those that have data, as what stands for them."""
        if isinstance(value, torch.Tensor):
            if not self.symbolic or value.device == META:
                return value
            entry = self.entry(value)
            self.paused = True  # else it were a tensor of its own
            try:
                twin = self.twin(value, entry)
            finally:
                self.paused = False
            found = self.known.get(id(twin))
            if found is None or found.alive() is not twin:
                self.known[id(twin)] = Entry(twin, entry.number, entry.data)
            return twin
        if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
            return type(value)(self.without_data(item) for item in value)
        return value

    def index_of(self, index: Any) -> Any:
        """`[0, 2]` in x[:, [0, 2]] as a tensor: torch would make one on x's device, where it has no data."""
        if isinstance(index, tuple):
            return tuple(self.index_of(item) for item in index)
        if not self.symbolic or type(index) is not list or not index or any(type(item) not in (int, bool) for item in index):
            return index
        tensor = torch.tensor(index)
        self.constant(tensor)
        return tensor

    # ---- the end -------------------------------------------------------------------------------------------------

    def section(self, outputs: Any, kept: Any) -> Dict[str, Any]:
        """What one call of forward gave. Counted from the first call: `end`, the events, and `bytes`, what they have made."""
        if torch.initial_seed() != self.seed:
            self.events.append(["opaque", "torch.manual_seed"])
        encoded, left = self.encode(outputs), self.encode(dict(kept))
        return {"end": self.event_count(), "bytes": self.bytes, "outputs": encoded, "kept": left}

    def event_count(self) -> int:
        return self.events_written + len(self.events)

    def write(self) -> None:
        """Writes the events so far and their tensors, which are final."""
        if self.event_count() > self.most_events:
            raise TooLong("more than %d operators; such a model is not recorded" % self.most_events)
        if self.pieces is None:
            return
        self.events_written += len(self.events)
        self.tensors_written += len(self.tensors)
        self.pieces.write(EVENTS, self.events)
        if self.tensors:
            self.pieces.write(RECORDED_TENSORS, self.tensors)
        if len(self.storages) > self.most_storages:
            self.storages = {address: each for address, each in self.storages.items() if living(each)}
            self.most_storages = max(FEWEST_KEPT, 2 * len(self.storages))
        if len(self.known) > self.most_known:
            self.known = {each: entry for each, entry in self.known.items() if entry.alive() is not None}
            self.most_known = max(FEWEST_KEPT, 2 * len(self.known))

    def report(self) -> Dict[str, Any]:
        return {"symbolic": self.symbolic, "schemas": self.schema_rows, "layouts": self.layout_rows, "tensors": self.tensors,
                "events": self.events}


LIFTS = (torch.ops.aten.lift_fresh.default, torch.ops.aten.lift.default)
PLACED = frozenset(("device", "pin_memory", "layout", "non_blocking", "generator"))  # of no value
PINNED: Dict[str, Any] = {"pin_memory": None}
NATIVE_BATCH_NORM = torch.ops.aten.native_batch_norm.default


def living(entries: Iterable[Entry]) -> List[Entry]:
    return [entry for entry in entries if entry.alive() is not None]


def argument_at(schema: Schema, index: int, args: Any, kwargs: Dict[str, Any]) -> Any:
    if index < len(args):
        return args[index]
    return next((value for name, value in kwargs.items() if schema.positions[name] == index), None)


def is_empty(value: Any) -> bool:
    """Memory of its own, without data."""
    return type(value) is torch.Tensor and value.device == META and value.storage_offset() == 0


def layout_of(tensor: torch.Tensor) -> Any:
    return tensor.shape, tensor.stride(), tensor.dtype


def empty(layout: Any) -> torch.Tensor:
    return torch.empty_strided(layout[0], layout[1], dtype=layout[2], device=META)


def swap(value: Any, twins: Dict[int, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        return twins.get(id(value), value)
    if isinstance(value, (list, tuple)):
        return type(value)(swap(item, twins) for item in value) if type(value) in (list, tuple) else value
    return value
