"""What a function mode doesn't see of its own accord, made visible while a trace runs, and put back afterwards."""

from __future__ import annotations

import ctypes
import functools
import sys
import threading
from typing import Any, Callable, List, Optional, Tuple

import torch
from torch.overrides import TorchFunctionMode

ABSENT = object()


if hasattr(torch._C, "DisableTorchFunctionSubclass"):
    modes_off, modes_on = torch._C.DisableTorchFunction, torch._C._EnableTorchFunction
else:  # torch 1.13 has one mode for C++, which runs the topmost of those that Python has entered
    from torch.overrides import _TorchFunctionStackMode

    class modes_on:  # type: ignore[no-redef]
        def __enter__(self) -> None:
            self.set(torch._C._len_torch_function_stack() > 0)

        def __exit__(self, *cause: Any) -> None:
            self.set(False)

        @staticmethod
        def set(on: bool) -> None:
            torch._C._set_torch_function_mode(_TorchFunctionStackMode() if on else None)

    class modes_off(modes_on):  # type: ignore[no-redef]
        __enter__, __exit__ = (lambda self: self.set(False)), (lambda self, *cause: modes_on.__enter__(self))


class Patches:
    """Attributes of classes, replaced for a while."""

    def __init__(self) -> None:
        self.undone: List[Tuple[Any, str, Any]] = []

    def put(self, owner: Any, name: str, value: Any) -> None:
        self.undone.append((owner, name, vars(owner).get(name, ABSENT)))
        setattr(owner, name, value)

    def undo(self) -> None:
        while self.undone:
            owner, name, value = self.undone.pop()
            delattr(owner, name) if value is ABSENT else setattr(owner, name, value)
        if not SEES_PLAIN_INDEX:
            stay_no_sequences(torch.Tensor)


def forget_lookups() -> None:
    """Whatever is put on a class, Python goes through all those below it of which it has remembered an attribute, and a cell
    would copy the page of each: hundreds for nn.Module. What has been forgotten before the fork is not gone through."""
    for kind in (torch.nn.Module, torch.Tensor, torch.autograd.Function):
        kind.__plumbline__ = None  # type: ignore[union-attr]
        del kind.__plumbline__  # type: ignore[union-attr]


def patch_all(patches: Patches, tracer: Any) -> None:
    patch_module_calls(patches, tracer)
    patch_parameters(patches, tracer)
    patch_constructor(patches, tracer)
    patch_functions(patches, tracer)
    patch_scripted(patches, tracer)
    if not SEES_PLAIN_INDEX:
        patch_index(patches, tracer)


def patch_module_calls(patches: Patches, tracer: Any) -> None:
    name = "_call_impl" if "_wrapped_call_impl" in vars(torch.nn.Module) else "__call__"
    original = getattr(torch.nn.Module, name)
    modules = tracer.modules
    thread = threading.get_ident()

    def call_module(*args: Any, **kwargs: Any) -> Any:
        if tracer.quiet or tracer.passing or threading.get_ident() != thread:
            return original(*args, **kwargs)
        depth = len(modules.running)
        running = tracer.begin_module(args, kwargs, sys._getframe(1))
        try:
            output = original(*args, **kwargs)
        finally:
            modules.end(running, depth, tracer.call_number())
        tracer.end_module(running, output)
        return output

    tracer.frames.module_call = call_module.__code__
    # Not __call__ where torch has it call another: to replace that one, Python goes through every class of modules there is.
    patches.put(torch.nn.Module, name, call_module)


def patch_parameters(patches: Patches, tracer: Any) -> None:
    """nn.Parameter(data): another object on the same memory."""
    for kind in (torch.nn.Parameter, getattr(torch.nn, "Buffer", None)):
        if kind is not None:
            patches.put(kind, "__new__", staticmethod(recorded_new(tracer, kind)))


def recorded_new(tracer: Any, kind: Any) -> Callable[..., Any]:
    original, name = kind.__new__, "torch.nn." + kind.__name__

    def make(cls: Any, *args: Any, **kwargs: Any) -> Any:
        return tracer.record_other(name, args, kwargs, sys._getframe(1), functools.partial(original, cls))

    return make


def patch_constructor(patches: Patches, tracer: Any) -> None:
    """torch.Tensor(2, 3), torch.Tensor([1.0])."""
    original = torch.Tensor.__new__

    def make(*args: Any, **kwargs: Any) -> Any:  # the signature of the original, which torch._dynamo asks for
        if not args or args[0] is not torch.Tensor:
            return original(*args, **kwargs)
        return tracer.record_other("torch.Tensor", args[1:], kwargs, sys._getframe(1), functools.partial(original, args[0]))

    patches.put(torch.Tensor, "__new__", staticmethod(make))


def patch_functions(patches: Patches, tracer: Any) -> None:
    """Custom autograd Functions: one opaque call each. Those of torch itself (checkpoint) are looked into."""
    kind = torch.autograd.Function
    own = vars(kind).get("apply")

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        call = functools.partial(own.__func__, cls) if own is not None else super(kind, cls).apply
        if cls.__module__.startswith("torch.") and tracer.frames.files.owner_of(cls) < 0:
            return call(*args, **kwargs)
        return tracer.record_other("torch.autograd.Function.apply", args, kwargs, sys._getframe(1), call, cls)

    patches.put(kind, "apply", classmethod(apply))


def patch_scripted(patches: Patches, tracer: Any) -> None:
    """Compiled functions and methods run without the interpreter: one opaque call each."""
    for kind, name in ((torch._C.ScriptFunction, "torch.jit.ScriptFunction"), (torch._C.ScriptMethod, "torch.jit.ScriptMethod")):
        patches.put(kind, "__call__", recorded_call(tracer, kind.__call__, name))


def recorded_call(tracer: Any, original: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return tracer.record_other(name, args[1:], kwargs, sys._getframe(1), functools.partial(original, args[0]), args[0])

    return call


class _Sees(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_function__(self, function: Callable[..., Any], kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen = True
        return function(*args, **(kwargs or {}))


def sees_plain_index() -> bool:
    """torch 1.13 shows a[0, 1] to a mode, but neither a[0] nor a[mask,], nor a[0] = b."""
    row = torch.zeros(1)
    with _Sees() as mode:
        row[0]
    return mode.seen


SEES_PLAIN_INDEX = sees_plain_index()  # asked before any other mode is active, which would see the question


def knows_slots() -> bool:
    """Whether types are laid out as we think: lists are sequences, and tensors are none as long as nothing is patched."""
    if SEES_PLAIN_INDEX:
        return False
    of_list, of_tensor = item_slot(list), item_slot(torch.Tensor)
    return of_list is not None and of_list.value is not None and (of_tensor is None or of_tensor.value is None)


def patch_index(patches: Patches, tracer: Any) -> None:
    for name in ("__getitem__", "__setitem__"):
        patches.put(torch.Tensor, name, recorded_method(tracer, getattr(torch.Tensor, name), "torch.Tensor." + name))
    stay_no_sequences(torch.Tensor)


WORD = ctypes.sizeof(ctypes.c_void_p)
AS_SEQUENCE, ITEM = 13 * WORD, 3 * WORD  # of tp_as_sequence in a type, and of sq_item in that (Python 3.7 to 3.14)


def item_slot(kind: type) -> Optional[Any]:
    sequence = ctypes.c_void_p.from_address(id(kind) + AS_SEQUENCE).value
    return ctypes.c_void_p.from_address(sequence + ITEM) if sequence else None


def stay_no_sequences(kind: type) -> None:
    """With a __getitem__ written in Python, and ever after, a class is a sequence to C: torch.tensor([n, 2]) then asks a tensor n
    of no dimensions for its length. Indexing goes by another slot."""
    if not KNOWS_SLOTS or kind.__getitem__ is not torch.Tensor.__getitem__:  # type: ignore[attr-defined]
        return
    slot = item_slot(kind)
    if slot is not None:
        slot.value = None
    for each in kind.__subclasses__():
        stay_no_sequences(each)


def recorded_method(tracer: Any, original: Callable[..., Any], name: str) -> Callable[..., Any]:
    def method(*args: Any) -> Any:
        return tracer.record_other(name, args, {}, sys._getframe(1), original)

    # torch looks the method up by its name to tell other modes what was called: it is to read as the one that it is.
    method.__module__, method.__name__, method.__qualname__ = "torch._tensor", original.__name__, "Tensor." + original.__name__
    return method


KNOWS_SLOTS = knows_slots()
