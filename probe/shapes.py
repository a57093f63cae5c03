"""Runs on shapes alone: what torch's meta kernels need, without what they import.

Since torch 2.1 most kernels for meta tensors are Python, and at first use import torch._dynamo and sympy, which takes
0.3 to 1 s. For plain integers they only ask `bool(condition)` of them. Names that are not known here load the real module."""

from __future__ import annotations

import importlib
import os
import sys
import types
from typing import Any, Dict

import torch

TORCH_FOLDER = os.path.dirname(os.path.abspath(torch.__file__))


class LazyModule(types.ModuleType):
    """Stands for a module until somebody asks it for more than it has."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        remove_stand_ins()
        return getattr(importlib.import_module(self.__name__), name)


STAND_INS: Dict[str, LazyModule] = {}


def same(value: Any, *rest: Any, **keywords: Any) -> Any:
    return value


CONTENTS: Dict[str, Dict[str, Any]] = {
    "torch.fx.experimental.symbolic_shapes": dict(
        {name: bool for name in ("expect_true", "guard_or_false", "guard_or_true", "guard_size_oblivious", "statically_known_true",
                                 "definitely_true", "definitely_false")},
        sym_eq=lambda a, b: a == b, sym_and=lambda *items: all(items), sym_or=lambda *items: any(items),
        is_nested_int=lambda value: False, guarding_hint_or_throw=same, has_guarding_hint=lambda value: True,
        optimization_hint=same, size_hint=same, guard_int=same, guard_bool=bool, guard_scalar=same,
        has_static_value=lambda value: True),
    "torch._dynamo": {"disable": lambda fn=None, *rest, **keywords: fn if fn is not None else same,
                      "__path__": [os.path.join(TORCH_FOLDER, "_dynamo")]},
    "sympy": {"Basic": type("Basic", (), {}), "Expr": type("Expr", (), {})}}


def put_stand_ins() -> None:
    """For the rest of this process. Modules that are loaded already are left alone."""
    if not hasattr(torch, "_check"):
        return  # torch 1.13: meta kernels are C++
    for name, content in CONTENTS.items():
        if name not in sys.modules:
            module = STAND_INS[name] = LazyModule(name)
            vars(module).update(content)
            sys.modules[name] = module
            if name == "torch._dynamo":
                torch._dynamo = module  # type: ignore[attr-defined]


def remove_stand_ins() -> None:
    for name, module in STAND_INS.items():
        if sys.modules.get(name) is module:
            del sys.modules[name]
    if STAND_INS.pop("torch._dynamo", None) is not None:
        vars(torch).pop("_dynamo", None)
    STAND_INS.clear()
