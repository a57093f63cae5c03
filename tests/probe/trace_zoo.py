"""Traces every module of trace_models.py: tracing changes no bit, no tensor is of unknown origin, and the calls of the
trace, made again from what it says, give the same outputs."""

import copy
import sys
import warnings

import torch

from trace_replay import replay
from trace_support import Program, Skip, Tracer, check, name_all, run_all, same, unknown
import trace_models

warnings.simplefilter("ignore")
if hasattr(torch.backends, "mha"):
    torch.backends.mha.set_fastpath_enabled(False)


class SlowPath(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, function, kinds, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def trace_and_compare(make, arguments, keywords, training):
    given = copy.deepcopy((arguments, keywords))
    torch.manual_seed(1)
    plain = make()
    torch.manual_seed(1)
    tracer = Tracer(Program({"main.py": ("own", "")}).registry)
    with tracer.phase(0):
        traced = make()
    assert same(list(plain.state_dict().items()), list(traced.state_dict().items())), "construction differs"
    plain.train(training), traced.train(training)
    name_all(tracer, traced, arguments, keywords)
    with torch.no_grad():
        torch.manual_seed(2)
        with SlowPath():  # as torch 1.13 has no switch for the fast path of its transformer modules
            expected = plain(*arguments, **keywords)
        torch.manual_seed(2)
        with tracer.phase(1):
            outputs = traced(*arguments, **keywords)
    assert same(expected, outputs), "outputs differ"
    assert same(list(plain.state_dict().items()), list(traced.state_dict().items())), "state differs"
    trace = tracer.report(arguments, keywords, outputs)
    tracer.close()
    check(trace)
    assert not unknown(trace), unknown(trace)
    root = [row[0] for row in trace["modules"]].index("")
    assert any(call[:2] == [root, -1] for call in trace["module_calls"])
    with SlowPath():
        again = replay(trace, *given, seeds=(1, 2))
    assert same(in_order(outputs), in_order(again)), "the trace, run again, gives other outputs"
    return trace


def in_order(value):
    """The tensors of any nesting."""
    if isinstance(value, torch.Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for item in items for tensor in in_order(item)]


def add_tests():
    for name, (make, inputs) in list(trace_models.MODULES.items()) + list(trace_models.newer_modules()):
        for training in (False, True):
            def test(make=make, inputs=inputs, training=training):
                torch.manual_seed(0)
                trace_and_compare(make, inputs(), {}, training)

            globals()["test_%s_%s" % (name.replace(" ", "_"), "train" if training else "eval")] = test


def test_transformers():
    try:
        models = list(trace_models.library_models())
    except ImportError:
        raise Skip("transformers is not installed")
    for name, make, keywords in models:
        try:
            trace = trace_and_compare(make, [], keywords, False)
        except Exception as error:
            raise AssertionError("%s: %s" % (name, error)) from error
        print("%s: %d calls" % (name, len(trace["calls"])))


def test_torchvision():
    try:
        from torchvision.models import resnet18
    except ImportError:
        raise Skip("torchvision is not installed")
    trace = trace_and_compare(resnet18, [torch.randn(1, 3, 64, 64)], {}, False)
    names = [call["f"] for call in trace["calls"] if call["ph"] == 1]
    assert names.count("torch.nn.functional.conv2d") == 20 and names.count("torch.nn.functional.batch_norm") == 20


add_tests()
if __name__ == "__main__":
    sys.exit(run_all(globals()))
