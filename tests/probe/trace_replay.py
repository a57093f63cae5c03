"""Runs a trace's calls again, from the trace alone: if the outputs are those of the run, the trace says all that it did."""

import collections
import importlib

import torch


def replay(trace, arguments, keywords, seeds):
    """The outputs of forward. `arguments` and `keywords` are as they were before the run; `seeds` are those set before
    construction and before forward."""
    tensors = {}

    def learn(encoded, value):
        """Gives the tensors of a value their numbers."""
        if isinstance(encoded, list):
            for item, part in zip(encoded, value):
                learn(item, part)
        elif isinstance(encoded, dict):
            if "T" in encoded:
                tensors[encoded["T"]] = value
            elif "d" in encoded:
                for (key, item), part in zip(encoded["d"], value.values()):
                    learn(item, part)
            else:
                learn(next(encoded[tag] for tag in ("l", "t", "v", "s") if tag in encoded), value) \
                    if any(tag in encoded for tag in ("l", "t", "v")) else None

    learn(trace["args"]["l"] if isinstance(trace["args"], dict) else trace["args"], arguments)
    learn(trace["kwargs"], keywords)
    phase = None
    for call in trace["calls"]:
        if call["ph"] != phase:
            phase = call["ph"]
            torch.manual_seed(seeds[phase])
        args = [decode(item, tensors) for item in call["a"]]
        kwargs = {name: decode(item, tensors) for name, item in call["k"].items()}
        with torch.set_grad_enabled(call["x"]["grad"]):
            output = perform(call["f"], args, kwargs)
        if call["f"].endswith("="):
            output = args[0]
        learn(call["o"], output)
    return decode(trace["outputs"], tensors)


def perform(name, args, kwargs):
    owner, last = name.rsplit(".", 1)
    if name.endswith("="):
        return setattr(args[0], last[:-1], args[1])
    if name == "torch.Tensor":
        return torch.Tensor(*args, **kwargs)
    function = getattr(torch.Tensor if owner == "torch.Tensor" else importlib.import_module(owner), last)
    return function(*args, **kwargs) if callable(function) else getattr(args[0], last)


def decode(value, tensors):
    if isinstance(value, list):
        return [decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    tag, content = next(iter(value.items()))
    if tag == "nt" or tag == "dc":
        kind = collections.namedtuple(value[tag], value["k"])
        return kind(*[decode(item, tensors) for item in value["v"]])
    return {
        "T": lambda: tensors[content],
        "l": lambda: decode(content, tensors),
        "t": lambda: tuple(decode(content, tensors)),
        "s": lambda: torch.Size(content),
        "f": lambda: float.fromhex(content),
        "i": lambda: int(content, 0),
        "c": lambda: complex(*map(float.fromhex, content)),
        "d": lambda: {decode(key, tensors): decode(item, tensors) for key, item in content},
        "y": lambda: getattr(torch, content.split(".")[-1]),
        "m": lambda: getattr(torch, content.split(".")[-1]),
        "D": lambda: torch.device(content),
        "S": lambda: slice(*decode(content, tensors)),
        "e": lambda: Ellipsis,
        "fn": lambda: {"bool": bool, "float": float, "int": int}[content],  # as a dtype
        "o": lambda: None,  # a cache of keys and values among the outputs
    }[tag]()
