"""What went wrong in user code, as data: stage, message, and the frames that lead to it."""

from __future__ import annotations

import sys

from .registry import FileRegistry
from .wire import clean

TYPE_CHECKING = False  # typing takes milliseconds to load
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any, Dict, Iterator, List, Optional, Tuple

LONGEST_MESSAGE = 4096
MOST_FRAMES = 40


class Unfit(Exception):
    """What a file lacks, or does that can't be done here, in whole words, with what to do instead."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class Progress:
    """Where a piece of work stands; read when it fails."""

    def __init__(self) -> None:
        self.stage = "internal"
        self.registry: Optional[FileRegistry] = None
        self.model: Any = None


def report(cause: BaseException, progress: Progress) -> Dict[str, Any]:
    """The content of a `failed` frame."""
    frames = list(walk(cause.__traceback__))
    cause = unfit(cause, [frame for frame, _ in frames], progress.registry) or cause
    shown = [describe(frame, line, progress.registry) for frame, line in frames]
    kept = [each for each in shown if each[0] >= 0]
    if shown and shown[-1][0] < 0 and not is_ours(frames[-1][0]):
        kept.append(shown[-1])
    if isinstance(cause, SyntaxError) and cause.filename and progress.registry:
        index = progress.registry.index_of(cause.filename)
        kept.append([index, cause.filename, cause.lineno or 0, "<module>"])
    if len(kept) > MOST_FRAMES:
        kept = kept[:MOST_FRAMES // 2] + kept[-MOST_FRAMES // 2:]
    return {"stage": progress.stage, "type": type(cause).__name__, "message": message(cause), "frames": kept,
            "module": module_path([frame for frame, _ in frames], progress.model),
            "advice": cause.advice if isinstance(cause, Unfit) else None}


def unfit(cause: BaseException, frames: List[FrameType], registry: Optional[FileRegistry]) -> Optional[Unfit]:
    """Where torch was asked to compile: it then fails in one of many ways, none of which says so."""
    if isinstance(cause, Unfit) or registry is None:
        return None
    users = [index for index, frame in enumerate(frames) if registry.index_of(frame.f_code.co_filename) >= 0]
    for frame in frames[users[-1] + 1:] if users else ():
        path, name = shortened(frame.f_code.co_filename), frame.f_code.co_name
        if path == "torch/__init__.py" and name == "compile":
            return Unfit("torch.compile is used, and cells compile nothing",
                         "leave torch.compile out: what it compiles is judged as it stands")
        if "HigherOrderOperator" in [kind.__name__ for kind in type(frame.f_locals.get("self")).__mro__]:
            name = str(getattr(frame.f_locals["self"], "_name", name))
        elif not path.startswith(("torch/_higher_order_ops/", "torch/nn/attention/flex_attention")):
            continue
        return Unfit("torch's %s takes functions as operands and compiles them, which can't be recorded" % name,
                     "write it in plain operators: if or torch.where for cond, a loop for while_loop, map and scan, "
                     "scaled_dot_product_attention for flex_attention")
    return None


def walk(trace: Optional[TracebackType]) -> Iterator[Tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def message(cause: BaseException) -> str:
    try:
        text = str(cause)
        if isinstance(cause, NotImplementedError):
            text = text.split(" This could be because", 1)[0]  # the rest is a page on torch's backends
        return clean(text)[:LONGEST_MESSAGE]
    except Exception:
        return "(its message can't be shown)"


def is_ours(frame: FrameType) -> bool:
    return frame.f_globals is globals() or frame.f_globals.get("__package__") == __package__


def describe(frame: FrameType, line: Optional[int], registry: Optional[FileRegistry]) -> List[Any]:
    name = frame.f_code.co_filename
    index = registry.index_of(name) if registry else -1
    path = registry.files[index]["name"] if registry and index >= 0 else shortened(name)
    return [index, clean(path), line or 0, clean(frame.f_code.co_name)]


def shortened(path: str) -> str:
    """A library's file as one writes it in an import: "torch/nn/functional.py"."""
    for folder in sys.path:
        if folder and path.startswith(folder + "/"):
            return path[len(folder) + 1:]
    return path


def module_path(frames: List[FrameType], model: Any) -> Optional[str]:
    """The innermost module of the model among the `self` of the frames."""
    if model is None:
        return None
    try:
        paths = {id(module): path for path, module in model.named_modules()}
    except Exception:
        return None
    for frame in reversed(frames):
        holder = frame.f_locals.get("self")
        if id(holder) in paths:
            return clean(paths[id(holder)])
    return None
