"""The recorder of operators, on small models: run with any Python that has torch."""

import collections
import math
import random
import sys

import torch

from trace_support import Program, run_all

from probe import infer, record, state  # noqa: E402
from probe.recorder import NeedsData  # noqa: E402
from probe.tracer import Tracer  # noqa: E402

META = torch.device("meta")


class Recorded:
    """One call of a program's Model."""

    def __init__(self, body, inputs, symbolic=True, init="pass", seed=0):
        text = ("import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\nclass Model(nn.Module):\n"
                "    def __init__(self):\n        super().__init__()\n" + indented(init) + "\n    def forward(self, *xs):\n"
                "        x = xs[0]\n" + indented(body))
        program = Program({"main.py": ("original", text)})
        self.tracer = Tracer(program.registry)
        self.recorder = record.make_recorder(self.tracer, symbolic)
        torch.manual_seed(seed)
        with self.tracer.phase(0):
            self.model = program.load().Model()
        self.model.eval()
        for entry in state.entries(self.model):
            if entry.tensor.is_leaf:
                entry.tensor.requires_grad_(False)
        given = [torch.empty(x.shape, dtype=x.dtype, device=META) if symbolic and x.is_floating_point() else x for x in inputs]
        record.name_ends(self.tracer, self.recorder, self.model, given, {})
        torch.manual_seed(seed)
        with self.tracer.phase(1):
            self.outputs = self.model(*given)
        self.section = self.recorder.section(self.outputs, ())
        self.report = self.recorder.report()
        self.events = self.report["events"][[event[0] for event in self.report["events"]].index("forward"):]

    def kind(self, kind):
        return [event for event in self.events if event[0] == kind]

    def operators(self):
        return [self.report["schemas"][event[1]]["name"] for event in self.kind("op")]


def indented(body):
    return "\n".join("        " + line for line in body.split("\n"))


def layout(tensor):
    return tensor.shape, tensor.stride(), tensor.dtype


def test_inferred_layouts_are_those_of_torch():
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    record.shapes.put_stand_ins()
    compared = collections.Counter()
    for _ in range(8000):
        name = rng.choice([name for name in infer.RULES if takes(name)])
        base, _, overload = name[len("aten::"):].partition(".")
        function = getattr(getattr(torch.ops.aten, base), overload or "default")
        args, kwargs = drawn_arguments(base, overload, rng)
        try:
            expected = function(*args, **kwargs)
        except Exception:
            continue  # torch itself takes no such arguments
        given = infer.RULES[name](args, kwargs)
        if given is None:
            continue
        compared[name] += 1
        pairs = zip(expected, given) if isinstance(expected, tuple) else [(expected, given)]
        for one, other in pairs:
            assert (one is args[0]) == (other is args[0]), name
            assert layout(one) == layout(other), "seed %d: %s %s: %s, %s" % (seed, name, args, layout(one), layout(other))
    unseen = [name for name, rule in infer.RULES.items() if rule is not infer.written and not compared[name] and takes(name)]
    assert sum(compared.values()) > 1000 and not unseen, (compared, unseen)


def takes(name):
    """Has this torch such an operator?"""
    return hasattr(torch.ops.aten, name[len("aten::"):].partition(".")[0])


def test_what_does_not_spread_is_not_written():
    x, mask = torch.empty(2, 4, 4, device=META), torch.ones(5, 5, device=META)
    for name in ("masked_fill_.Scalar", "copy_", "masked_scatter_"):
        try:
            infer.RULES["aten::" + name]((x, mask, 0.0), {})
        except RuntimeError:
            pass
        else:
            raise AssertionError(name)
        assert infer.RULES["aten::" + name]((x, mask[:1, :4], 0.0), {}) is None


def drawn_arguments(base, overload, rng):
    dtype = rng.choice([torch.float32, torch.float64, torch.bfloat16, torch.int64])
    sizes = [rng.choice([1, 2, 3, 4]) for _ in range(rng.randint(0, 4))]

    def tensor(shape, turned=False):
        made = torch.empty(shape, dtype=dtype, device=META)
        return made.transpose(0, -1) if turned and len(shape) > 1 else made

    x, kwargs = tensor(sizes, rng.random() < 0.2), {}
    if base in ("mm", "addmm"):
        args = [tensor([3, 4], rng.random() < 0.2), tensor([4, 5])]
        args = args if base == "mm" else [tensor([rng.choice([1, 5])])] + args
    elif base == "bmm":
        args = [tensor([2, 3, 4]), tensor([2, 4, 5])]
    elif base == "native_layer_norm":
        args = [x, list(x.shape[-1:]), tensor(list(x.shape[-1:])), None, 1e-5]
    elif base in ("_softmax", "_log_softmax"):
        args = [x, -1, rng.random() < 0.3]
    elif base == "native_group_norm":
        x = tensor([rng.choice([1, 2]), 4] + sizes[:2], rng.random() < 0.2)
        weight = rng.choice([None, tensor([4])])
        args = [x, weight, weight, x.shape[0], 4, math.prod(x.shape[2:]), rng.choice([1, 2, 4]), 1e-5]
    elif base == "native_batch_norm":
        x = tensor([rng.choice([1, 2]), 4] + sizes[:2], rng.random() < 0.2)
        args = [x, tensor([4]), tensor([4]), tensor([4]), tensor([4]), rng.random() < 0.2, 0.1, 1e-5]
    elif base == "_safe_softmax":
        args = [x, rng.choice([-1, 0])]
    elif base in ("mean", "sum"):
        args = [x, rng.sample([-2, -1, 0, 1], rng.randint(1, 2))] + rng.choice([[], [True], [False]])
    elif base == "cat":
        dim = rng.randint(-2, 2)
        other = [rng.choice([1, 3, size]) if i == (dim % len(sizes) if sizes else 0) else size for i, size in enumerate(sizes)]
        args = [[x, tensor(other, rng.random() < 0.2), x][:rng.randint(1, 3)], dim]
    elif base == "where":
        y, z = (tensor([rng.choice([1, size]) for size in sizes][rng.randint(0, len(sizes)):], rng.random() < 0.2) for _ in range(2))
        args = [rng.choice([x, y]).bool(), *rng.sample([x, y, z], 2)]
    elif base == "embedding":
        args = [tensor([5, rng.choice([1, 3])], rng.random() < 0.2), torch.empty(sizes, dtype=rng.choice([torch.int64, torch.int32]), device=META)]
    elif base == "convolution":
        count, groups, dims = rng.choice([1, 2, 2, 3]), rng.choice([1, 1, 2]), lambda low, high: [rng.randint(low, high) for _ in range(count)]
        channels = groups * rng.choice([1, 2])
        x = tensor([rng.choice([1, 2]), channels] + dims(1, 6))
        if count == 2 and rng.random() < 0.2:
            x = x.contiguous(memory_format=torch.channels_last)
        weight = tensor([groups * rng.choice([1, 2]), channels // groups] + dims(1, 3), False)
        args = [x, weight, rng.choice([None, tensor([weight.shape[0]])]), dims(1, 2), dims(0, 2), dims(1, 2), rng.random() < 0.1,
                [0] * count, groups]
    elif base == "max_pool2d_with_indices":
        x = tensor([rng.choice([1, 2]), rng.choice([1, 3]), rng.randint(1, 6), rng.randint(1, 6)])
        x = x.contiguous(memory_format=torch.channels_last) if rng.random() < 0.2 else x
        pair = lambda low, high: [rng.randint(low, high), rng.randint(low, high)]  # noqa: E731
        args = [x, pair(1, 3), rng.choice([[], pair(1, 2)]), pair(0, 1), pair(1, 2), rng.random() < 0.2][:rng.randint(2, 6)]
    elif "Scalar" in overload:
        args = [x, rng.choice([2, 0.5])]
    elif base == "clamp":
        args = [x, 0.0, 1.0]
    elif overload == "Tensor":
        y = tensor([rng.choice([1, size]) for size in sizes][rng.randint(0, len(sizes)):])
        args = [x, rng.choice([y, 2, 0.5])]
        if rng.random() < 0.5 and isinstance(args[1], torch.Tensor):
            args = args[::-1]
        if base in ("add", "sub") and rng.random() < 0.3:
            kwargs = {"alpha": 2}
    else:
        args = [x]
    return args, kwargs


def test_kernels_that_look_at_values_are_reads():
    ints, lengths = torch.tensor([2, 3]), torch.tensor([3, 2, 1])
    packed = "p = torch.nn.utils.rnn.pack_padded_sequence(x, xs[1])\n"
    for body, more, init, told in (
            ("return torch.tensor_split(x, xs[1])", ints, "pass", [2, 3]),
            ("return x.tensor_split(xs[1])", ints, "pass", [2, 3]),
            ("return x * torch.tensor([[xs[1][0] * 2, 1]])", ints, "pass", 4),
            ("return x * torch.Tensor([xs[1][0] * 2, 1])", ints, "pass", 4),
            (packed + "return self.r(p)[0].data", lengths, "self.r = nn.GRU(2, 2)", [3, 2, 1]),
            (packed + "return torch.nn.utils.rnn.pad_packed_sequence(p)[0]", lengths, "pass", [3, 2, 1])):
        if torch.__version__.startswith("1.") and "ensor([" in body:
            continue  # it asks such a tensor for its length
        recorded = Recorded(body, [torch.randn(3, 3, 2), more], symbolic=False, init=init)
        plain = [event[2].get("l", event[2]) if isinstance(event[2], dict) else event[2] for event in recorded.kind("read")]
        assert told in plain, (body, plain)
    for body in ("return torch.tensor_split(x, (1, 2))", "return x * torch.tensor([2.0, 1.0])", "return torch.as_tensor(xs[1]) + x.sum()"):
        assert not Recorded(body, [torch.randn(3, 3, 2), ints], symbolic=False).kind("read"), body


BLOCK = ("h = self.n(F.relu(self.l(x)))\nm = torch.tril(torch.ones(x.shape[1], x.shape[1]))\n"
         "a = (h @ h.transpose(-1, -2)).masked_fill(m == 0, float('-inf')).softmax(-1)\ny = torch.zeros_like(h)\ny[:, 1:] = h[:, :-1]\n"
         "return a @ h + y, self.r(h)[0]")
BLOCK_INIT = "self.l = nn.Linear(8, 8)\nself.n = nn.LayerNorm(8)\nself.r = nn.GRU(8, 4, batch_first=True)"


def test_recording_changes_no_result():
    x = torch.randn(2, 5, 8)
    recorded = Recorded(BLOCK, [x], symbolic=False, init=BLOCK_INIT)
    with torch.no_grad():
        plain = recorded.model(x)
    assert all(torch.equal(a, b) for a, b in zip(plain, recorded.outputs))


def test_shapes_alone_give_the_operators_of_a_real_run():
    x = torch.randn(2, 5, 8)
    init, body = BLOCK_INIT.rsplit("\n", 1)[0], BLOCK.rsplit(",", 1)[0]
    assert Recorded(body, [x], True, init).operators() == Recorded(body, [x], False, init).operators()


def test_no_value_is_of_unknown_origin():
    for symbolic in (True, False):
        recorded = Recorded(BLOCK, [torch.randn(2, 5, 8)], symbolic, BLOCK_INIT)
        states = {event[1] for event in recorded.kind("state")}
        assert {event[1] for event in recorded.kind("unknown")} <= states


def test_integers_may_be_looked_at_and_that_is_recorded():
    recorded = Recorded("if x.max() > 2:\n    return x + 1\nreturn x", [torch.tensor([1, 5])])
    assert [event[2] for event in recorded.kind("read")] == [True]


def test_floats_may_not_be_looked_at():
    for body in ("return x if x.sum() > 0 else -x", "return x * x.mean().item()", "return x[x > 0]", "return torch.tensor(x.tolist())"):
        try:
            Recorded(body, [torch.ones(3)])
        except (NeedsData, NotImplementedError, RuntimeError):
            continue
        raise AssertionError(body)
    recorded = Recorded("return x * x.mean().item()", [torch.ones(3)], symbolic=False)
    assert len(recorded.kind("read")) == 1


def test_known_tensors_that_meet_data_are_hashed():
    one, other, third = (Recorded("return x + torch.arange(%s)" % text, [torch.ones(3)]).kind("hash")
                         for text in ("3", "0, 3, 1", "1, 4"))
    assert one[0][2] == other[0][2] != third[0][2]


def test_a_known_tensor_that_data_is_written_into_is_data():
    body = "y = torch.zeros(3)\ny[0] = x[0]\nreturn y if y.sum() > 0 else x"
    try:
        Recorded(body, [torch.ones(3)])
    except NeedsData:
        return
    raise AssertionError("its values were read")


def test_constants_of_the_source_are_constants():
    recorded = Recorded("return x[:, [0, 2]] * torch.tensor([1.0, 2.0])", [torch.ones(2, 3)])
    assert len(recorded.kind("constant")) == 2 and not recorded.kind("unknown")


def test_the_device_is_that_of_a_real_run():
    recorded = Recorded("assert x.device.type == 'cpu' and not x.is_meta\nreturn x + torch.arange(3, device=x.device).to(x.device)",
                        [torch.ones(3)])
    assert recorded.operators()[0] == "aten::arange"


def test_memory_that_is_exchanged_is_opaque():
    assert Recorded("y = torch.zeros(3)\ny.set_(x.clone())\nreturn y", [torch.ones(3)], symbolic=False).kind("opaque")
    assert Recorded("torch.manual_seed(3)\nreturn x", [torch.ones(3)], symbolic=False).kind("opaque")


def test_ties_have_one_state():
    recorded = Recorded("return self.b(self.a(x))", [torch.ones(2, 4)],
                        init="self.a = nn.Linear(4, 4, bias=False)\nself.b = nn.Linear(4, 4, bias=False)\nself.b.weight = self.a.weight")
    assert [event[3] for event in recorded.kind("state")] == [["a.weight", "b.weight"]]


# Overridable functions that no ATen schema is named after, and what they come to.
COME_TO_OPERATORS = set("""H T bfloat16 bool byte cdouble cfloat char double float half int long short __setitem__ __invert__ __rand__ __ror__
    __rxor__ __ifloordiv__ __imod__ logsigmoid""".split())
COME_TO_READS = set("__bool__ __complex__ __float__ __index__ __int__ __long__ __nonzero__".split())
OTHER_DEVICES = set("ipu xpu mtia".split())
ABOUT_THE_OBJECT = set("_base _grad_fn volatile".split())


def test_memory_is_known_by_every_tensor_that_lives():
    recorded = Recorded("return x @ self.a @ self.b", [torch.ones(2, 3)],
                        init="self.a = nn.Parameter(torch.ones(3, 3) + 1)\nself.b = nn.Parameter(self.a.t())")
    states = {event[3][0]: event[1] for event in recorded.kind("state")}
    aliases = {event[1]: event[2] for event in recorded.report["events"] if event[0] == "alias"}
    assert states["b"] in aliases


def test_every_overridable_function_is_known_or_safe():
    """An operator with an ATen schema is recorded as itself, equal to itself alone; the others are listed above."""
    import types
    import warnings

    from probe.spelling import ASKED, OPAQUE, READS, spell

    warnings.simplefilter("ignore")
    aten = {schema.name.split("::")[1] for schema in torch._C._jit_get_all_schemas() if schema.name.startswith("aten::")}
    listed = COME_TO_OPERATORS | COME_TO_READS | OTHER_DEVICES | ABOUT_THE_OBJECT
    neither = set()
    for functions in torch.overrides.get_overridable_functions().values():
        for function in functions:
            spelling = spell(function)
            name = spelling.name
            if not spelling.operator or name in ASKED | READS | OPAQUE or isinstance(function, types.FunctionType):
                continue  # a question, listed, or Python that is made of others
            bare, space = name.rsplit(".", 1)[-1], name.split(".")[1]
            if not aten & {bare, bare + "_", "_" + bare, space + "_" + bare} and bare not in listed:
                neither.add(name)
    assert not neither, "in neither table: %s" % sorted(neither)


def test_every_schema_is_understood():
    from probe.recorder import Schema

    count = 0
    for schema in torch._C._jit_get_all_schemas():
        if not schema.name.startswith("aten::"):
            continue
        overload = getattr(getattr(torch.ops.aten, schema.name[len("aten::"):]), schema.overload_name or "default", None)
        if overload is None or not hasattr(overload, "_schema"):
            continue
        known, base = Schema(count, overload), schema.name[len("aten::"):]
        count += 1
        in_place = base.endswith("_") and not base.endswith("__") and base != "_no_grad_embedding_renorm_"
        assert known.writes or not in_place, schema.name
    assert count > 2000, count


def test_memory_that_leaves_torch_is_opaque():
    for body in ("x.clone().apply_(lambda v: v + 1)\nreturn x", "y = x.clone()\ny.numpy()\nreturn y"):
        assert Recorded(body, [torch.ones(3)], symbolic=False).kind("opaque"), body


if __name__ == "__main__":
    sys.exit(run_all(globals()))
