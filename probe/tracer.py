"""Records what one run did: docs/protocol.md, "A trace".

    tracer = Tracer(files)                      # files: registry.FileRegistry
    with tracer.phase(0):                       # loading the user's files and constructing the model
        model = ...
    tracer.set_root(model)                      # places of modules in the model
    tracer.name_state(key, "parameter", tensor, placed=True)    # every entry of the state, after weights are placed
    tracer.name_input("mask[0]", tensor)
    with tracer.phase(1):
        outputs = model(*args, **kwargs)
    trace = tracer.report(args, kwargs, outputs)

A call is recorded if user code, or torch's own modules on its behalf, made it: what the torch function then calls is
not seen. Outside of the phases nothing is recorded, and torch is as it was.
"""

from __future__ import annotations

import contextlib
import sys
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import torch
from torch.overrides import TorchFunctionMode

from . import marks, values
from .frames import Frames
from .keeper import MOST_OF_A_CALL, Keeper, tensors_in
from .modules import Modules, Running
from .pieces import CALLS, MOST_OPERATORS, ROWS_AT_ONCE, Pieces, TooLong
from .patches import Patches, modes_off, modes_on, patch_all
from .spelling import Spelling, spell
from .tensors import Tensors

Used = List[Tuple[torch.Tensor, int, int]]  # tensor, number, version before the call (-1: it has none)
FORWARD = 1
LARGEST_INT = 1 << 62
MOST_SIZE_TESTS = 10_000
NO_KEYWORDS: Dict[str, Any] = {}  # shared by the records of most calls
NOTHING_WRITTEN: List[int] = []
META = torch.device("meta")
grad_enabled = torch.is_grad_enabled


class Tracer(TorchFunctionMode):
    """Tensors and modules of the run are known by weak references: a trace keeps no activation alive."""

    def __init__(self, files: Any, pieces: Optional[Pieces] = None) -> None:
        """`pieces`: where rows go while there are very many of them; report() gives the others."""
        super().__init__()
        self.pieces = pieces
        self.tensors = Tensors()
        self.modules = Modules(files)
        self.frames = Frames(files, self.modules.number)
        self.calls: List[Dict[str, Any]] = []  # but for those that were written
        self.calls_written = 0
        self.quiet = False  # while a recorded call runs, and while the tracer itself looks at tensors
        self.recorder: Optional[Any] = None  # recorder.Recorder: sees the operators under the calls
        self.keeper: Optional[Keeper] = None  # keeps what calls of forward give
        self.answers: Dict[Any, Any] = {}  # attributes of tensors without data -> what a real run says
        self.elsewhere = False  # a real run is not on the CPU: tensors with data say where, too
        self.passing = False  # calls are not traced any more; the recorder still sees what is under them
        self._phase = 0
        self._inputs: Dict[int, int] = {}  # id of an input -> the number that it had before forward
        self._spellings: Dict[Any, Spelling] = {}
        self._flags = [{"grad": bool(bits & 1), "autocast": bool(bits & 2), "training": bool(bits & 4)} for bits in range(8)]
        self._bent = False  # a number that is made of sizes is among the arguments
        self._size_tests: Dict[Any, None] = {}  # spans in the program's files, and what was done
        self._autocast = getattr(torch._C, "_is_any_autocast_enabled", None) or autocast_of_old

    # ---- the run -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def phase(self, number: int) -> Iterator[None]:
        """0: loading and construction. 1: forward."""
        self._phase = number
        patches = Patches()
        try:
            patch_all(patches, self)
            if number == FORWARD and not self.passing:
                marks.listener = self._note_size_test
            with self.recorder or contextlib.nullcontext(), self:
                yield
        finally:
            marks.listener = None
            patches.undo()
            del self.modules.running[:]
            self.frames.forget()

    def set_root(self, model: torch.nn.Module) -> None:
        self.modules.set_root(model)

    def record_operators(self, recorder: Any, answers: Dict[Any, Any]) -> None:
        self.recorder, self.answers = recorder, answers

    def current_call(self) -> int:
        """The number that the call which is going on will have, or -1."""
        return self.calls_written + len(self.calls) if self.quiet else -1

    def close(self) -> None:
        """Lets go of what the trace holds in torch. Only report() may follow."""
        self.tensors.close()

    def name_input(self, path: str, tensor: torch.Tensor) -> None:
        """An argument of forward. One object given twice keeps its first name."""
        if self.tensors.find(tensor) is None:
            self.tensors.add(tensor, ["input", path])
        self._inputs.setdefault(id(tensor), self.tensors.number(tensor))

    def name_state(self, key: str, kind: str, tensor: torch.Tensor, placed: bool = False) -> None:
        """A parameter or buffer of the finished model, once for each key. `placed`: its value came from outside."""
        table = self.tensors.table
        number = self.tensors.find(tensor)
        if number is not None and table[number][6][0] in ("parameter", "buffer"):
            table[number][6].append(key)
        elif number is None or kind == "buffer" and placed:
            self.tensors.add(tensor, [kind, key])
        else:
            table[number][:] = self.tensors.row(tensor, [kind, key])

    def report(self, args: Any, kwargs: Any, outputs: Any, kept: Any = ()) -> Dict[str, Any]:
        """The trace as JSON. `args` and `kwargs` are the very objects that were named, which are alive still; `kept` are
        pairs of a path and a tensor that forward has left there."""
        self.modules.late_paths()

        def number_before(tensor: torch.Tensor) -> int:
            number = self._inputs.get(id(tensor))
            return self.tensors.number(tensor) if number is None else number

        paths = self.modules.paths
        return {"args": values.encode(list(args), number_before, paths), "kwargs": values.encode(dict(kwargs), number_before, paths),
                "outputs": self._encode(outputs), "kept": self._encode(dict(kept)), "tensors": self.tensors.table, "modules": self.modules.table,
                "module_calls": [row for _, row in sorted(self.modules.calls.items())],
                "makers": [list(maker) for maker in self.frames.maker_rows], "calls": self.calls,
                "size_tests": [list(row) for row in self._size_tests]}

    def call_number(self) -> int:
        """Of the next call."""
        return self.calls_written + len(self.calls)

    def write(self) -> None:
        """Writes the rows that are final. Those of tensors are from forward on."""
        if self.pieces is None:
            return
        self.calls_written += len(self.calls)
        if self.calls_written > MOST_OPERATORS:
            raise TooLong("more than %d torch calls; such a model is not traced" % MOST_OPERATORS)
        self.pieces.write(CALLS, self.calls)
        self.modules.write(self.pieces)
        self.frames.write(self.pieces, self.modules.running)
        if self._phase == FORWARD:
            self.tensors.write(self.pieces)

    # ---- torch calls ---------------------------------------------------------------------------------------------

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Optional[Dict[str, Any]] = None) -> Any:
        if kwargs is None:
            kwargs = {}
        if func in self.answers and (self.elsewhere or args[0].device.type == "meta"):
            return self.answers[func]
        if self.quiet:
            return func(*args, **kwargs)
        spelling = self._spellings.get(func)
        if spelling is None:
            spelling = self._spellings[func] = spell(func)
        if self.passing:
            return self._pass(spelling, func, args, kwargs)
        if not spelling.operator or spelling.asked and self.frames.asked_by_torch(sys._getframe(1)):
            return func(*args, **kwargs)
        if self._phase == FORWARD:
            return self._record(spelling, func, args, kwargs, sys._getframe(1))
        return self._record_alone(spelling, func, args, kwargs, sys._getframe(1))

    def _pass(self, spelling: Spelling, func: Any, args: Any, kwargs: Dict[str, Any]) -> Any:
        self.quiet = True
        try:
            output = func(*self._prepared(spelling, args), **kwargs)
            self._tell(spelling, args, kwargs, output)
            return output
        finally:
            self.quiet = False

    def _prepared(self, spelling: Spelling, args: Any) -> Any:
        """The arguments, as a run on shapes alone needs them."""
        if self.recorder is not None and self.recorder.symbolic and self._autocast():
            self.recorder.refuse_autocast()
        if spelling.one_device and self.recorder is not None:
            return self.recorder.without_data(args)
        if spelling.indexes and self.recorder is not None and len(args) > 1:
            return (args[0], self.recorder.index_of(args[1]), *args[2:])
        return args

    def _tell(self, spelling: Spelling, args: Any, kwargs: Dict[str, Any], output: Any) -> None:
        """Tells the recorder what no operator shows."""
        if self.recorder is not None and spelling.looks_at is not None:
            was_quiet, self.quiet = self.quiet, True
            for tensor in spelling.looks_at(args, kwargs):
                if isinstance(tensor, torch.Tensor):
                    self.recorder.read_elements(tensor)
            self.quiet = was_quiet
        if self.recorder is not None and spelling.opaque:
            self.recorder.events.append(["opaque", spelling.name])
        if self.recorder is not None and self.recorder.symbolic and asks_for_meta(args, kwargs):
            self.recorder.events.append(["opaque", "%s with the device meta" % spelling.name])
        if self.recorder is not None and (spelling.reads or spelling.name == "torch.Tensor.data="):
            self.recorder.forget(args[0]) if output is None else self.recorder.read(args[0], output)

    def record_other(self, name: str, args: Any, kwargs: Dict[str, Any], frame: FrameType, call: Callable[..., Any],
                     subject: Any = None) -> Any:
        """A call that no mode sees (patches.py). `subject` is recorded as its first argument."""
        if self.quiet:
            return call(*args, **kwargs)
        spelling = self._spellings.get(name)
        if spelling is None:
            spelling = self._spellings[name] = Spelling(name, operator=True)
        self.quiet = True
        try:
            if self.passing:
                output = call(*args, **kwargs)
                self._tell(spelling, args, kwargs, output)
                return output
            return self._record_alone(spelling, call, args, kwargs, frame, subject)
        finally:
            self.quiet = False

    def _record_alone(self, spelling: Spelling, func: Any, args: Any, kwargs: Dict[str, Any], frame: FrameType,
                      subject: Any = None) -> Any:
        """Where other modes may be active (the watch over construction): they see the call, but not what the tracer asks."""
        def with_modes(*args: Any, **kwargs: Any) -> Any:
            with modes_on():
                return func(*args, **kwargs)

        with modes_off():
            return self._record(spelling, with_modes, args, kwargs, frame, subject)

    def _record(self, spelling: Spelling, func: Any, args: Any, kwargs: Dict[str, Any], frame: FrameType,
                subject: Any = None) -> Any:
        known, used = self.tensors.known, []  # type: Any, Used
        a = []
        for value in args:
            kind = type(value)
            if kind is torch.Tensor:  # most of what there is
                entry = known.get(id(value))
                if entry is None or entry[0]() is not value:
                    entry = self.tensors.add(value, ["unknown"])
                used.append((value, entry[1], version_of(value)))
                a.append(entry[2])
            elif kind is int and -LARGEST_INT < value < LARGEST_INT:
                a.append(value)
            else:
                a.append(self._argument(value, used))
        k = {name: self._argument(value, used) for name, value in kwargs.items()} if kwargs else NO_KEYWORDS
        if subject is not None:
            a.insert(0, {"fn": subject_name(subject)})
        if self._bent:
            self._bent = False
            self._note_size_test(frame, marks.NUMBER)
        running = self.modules.running
        flags = self._flags[grad_enabled() + 2 * self._autocast() + (4 if running and running[-1].module.training else 0)]
        was_quiet, self.quiet = self.quiet, True
        args = self._prepared(spelling, args)
        try:
            output = func(*args, **kwargs) if kwargs else func(*args)
        finally:
            self.quiet = was_quiet
        written = NOTHING_WRITTEN
        for tensor, number, version in used:
            if version_of(tensor) != version or version < 0 or spelling.special:
                written = self._written(spelling, args, kwargs, used)
                break
        origin = ["call", self.calls_written + len(self.calls)]
        if written and (spelling.reshapes or "out" in k):
            for tensor, number, _ in used:
                if number in written:
                    self.tensors.refresh(tensor, origin)
        self._tell(spelling, args, kwargs, output)
        if output is None and spelling.reshapes:  # x.data = y: x is another tensor now
            o = self.tensors.entry(args[0])[2]
        else:
            o = self._output(output, origin)
        place, maker = self.frames.place_and_maker(frame, running)
        self.calls.append({"f": spelling.name, "ph": self._phase, "a": a, "k": k, "o": o, "w": written,
                           "mc": running[-1].number if running else -1, "by": maker, "at": place, "x": flags})
        if self.keeper is not None:
            self._keep(self.keeper, output, written, used)
        if len(self.calls) >= ROWS_AT_ONCE:
            self.write()
        return marks.mark(output) if spelling.sizes and self._gives_sizes(args, frame) else output

    def _gives_sizes(self, args: Any, frame: FrameType) -> bool:
        """To the program itself, and of a tensor that isn't the model's own: its sizes, construction has settled."""
        if self._phase != FORWARD or not args or not isinstance(args[0], torch.Tensor):
            return False
        return self.tensors.entry(args[0])[3][6][0] not in ("parameter", "buffer") and self.frames.asked_by_program(frame)

    def _note_size_test(self, frame: FrameType, what: str) -> None:
        span = self.frames.own_span(frame)
        if span is not None:
            self._size_tests[(*span, what)] = None
            if len(self._size_tests) > MOST_SIZE_TESTS:
                raise TooLong("sizes are compared at more than %d places; such a model is not traced" % MOST_SIZE_TESTS)

    def _keep(self, keeper: Keeper, output: Any, written: List[int], used: Used) -> None:
        """What the last call gave and wrote."""
        was_quiet, self.quiet = self.quiet, True
        try:
            changed = [tensor for tensor, number, _ in used if number in written]
            unchanged = [tensor for tensor, number, _ in used if number not in written]
            given = list(tensors_in(output))[:MOST_OF_A_CALL] + changed[:MOST_OF_A_CALL]
            for tensor in {id(tensor): tensor for tensor in given}.values():
                keeper.take(self.calls_written + len(self.calls) - 1, self.tensors.number(tensor), tensor, unchanged)
        finally:
            self.quiet = was_quiet

    def _written(self, spelling: Spelling, args: Any, kwargs: Dict[str, Any], used: Used) -> List[int]:
        """The numbers of the tensors that the call wrote: what versions tell, and what they don't."""
        found = {number: None for tensor, number, version in used if version_of(tensor) != version}
        if spelling.reshapes:
            found[used[0][1]] = None
        if spelling.statistics is not None:
            position, flag, default, first = spelling.statistics
            if kwargs.get(flag, args[position] if len(args) > position else default):
                for tensor in (*args[first:first + 2], kwargs.get("running_mean"), kwargs.get("running_var")):
                    if isinstance(tensor, torch.Tensor):
                        found[self.tensors.number(tensor)] = None
        if any(version < 0 for _, _, version in used):
            out = kwargs.get("out")
            for tensor in out if isinstance(out, (tuple, list)) else (out,):
                if isinstance(tensor, torch.Tensor):
                    found[self.tensors.number(tensor)] = None
            if spelling.writes_first or writes_in_place(spelling.name, args, kwargs):
                found[used[0][1]] = None
        return list(found)

    def _argument(self, value: Any, used: Used) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is int and -LARGEST_INT < value < LARGEST_INT:
            return value
        if isinstance(value, torch.Tensor):
            entry = self.tensors.entry(value)
            used.append((value, entry[1], version_of(value)))
            return entry[2]
        if kind is tuple:
            return {"t": [self._argument(item, used) for item in value]}
        if kind is list:
            return {"l": [self._argument(item, used) for item in value]}
        if kind is float:
            return {"f": value.hex()}
        if kind is slice:
            return {"S": [self._argument(item, used) for item in (value.start, value.stop, value.step)]}
        if kind is torch.Size:
            return {"s": list(value)}
        if isinstance(value, (marks.MarkedInt, marks.MarkedFloat)):
            if isinstance(value, marks.BENT):
                self._bent = True
            return self._argument(marks.plain(value), used)

        def number_used(tensor: torch.Tensor) -> int:
            return int(self._argument(tensor, used)["T"])

        return values.encode(value, number_used, self.modules.paths)

    def _output(self, value: Any, origin: List[Any]) -> Any:
        kind = type(value)
        if isinstance(value, torch.Tensor):
            entry = self.tensors.known.get(id(value))
            return entry[2] if entry is not None and entry[0]() is value else self.tensors.add(value, origin)[2]
        if value is None or kind is bool:
            return value
        if kind is tuple:
            return {"t": [self._output(item, origin) for item in value]}
        if kind is list:
            return {"l": [self._output(item, origin) for item in value]}
        if kind is torch.Size:
            return {"s": list(value)}

        def number_given(tensor: torch.Tensor) -> int:
            return int(self._output(tensor, origin)["T"])

        return values.encode(value, number_given, self.modules.paths)

    # ---- module calls --------------------------------------------------------------------------------------------

    def begin_module(self, args: Any, kwargs: Dict[str, Any], frame: Optional[FrameType]) -> Running:
        """`args` begins with the module."""
        self.quiet = True
        try:
            return self.modules.begin(args[0], {"l": [self._encode(item) for item in args[1:]]},
                                      self._encode(kwargs) if kwargs else {"d": []}, self.frames.place(frame), self.call_number())
        finally:
            self.quiet = False

    def end_module(self, running: Running, output: Any) -> None:
        self.quiet = True
        try:
            self.modules.give(running, self._encode(output))
        finally:
            self.quiet = False

    def _encode(self, value: Any) -> Any:
        """A value that no call is made of: its tensors are used, not given."""
        if value is None or type(value) is bool:
            return value
        if type(value) is torch.Tensor:
            return self.tensors.entry(value)[2]
        return values.encode(value, self.tensors.number, self.modules.paths)


def version_of(tensor: torch.Tensor) -> int:
    try:
        return tensor._version
    except RuntimeError:  # made in inference mode
        return -1


def asks_for_meta(args: Any, kwargs: Dict[str, Any]) -> bool:
    """x.to("meta"): what a run on shapes alone doesn't tell from what has data."""
    return any(value == META or type(value) is str and value.startswith("meta") for value in (*args, *kwargs.values())
               if type(value) in (str, torch.device))


def writes_in_place(name: str, args: Any, kwargs: Dict[str, Any]) -> bool:
    """relu(x, inplace=True)"""
    if "inplace" in kwargs:
        return bool(kwargs["inplace"])
    function = getattr(torch.nn.functional, name.rsplit(".", 1)[-1], None)
    arguments = function.__code__.co_varnames if hasattr(function, "__code__") else ()
    return "inplace" in arguments and len(args) > arguments.index("inplace") and args[arguments.index("inplace")] is True


def autocast_of_old() -> bool:
    return torch.is_autocast_enabled() or torch.is_autocast_cpu_enabled()


def subject_name(subject: Any) -> str:
    return subject.__qualname__ if isinstance(subject, type) else str(getattr(subject, "name", type(subject).__name__))
