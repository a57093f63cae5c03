"""What a trace says: names, arguments, writes, storages, makers, places, module calls; and what must not disturb it.

`python3 tests/probe/test_tracer.py [test names]`
"""

import gc
import random
import sys
import time
import warnings
import weakref

import torch

from trace_replay import replay
from trace_support import Program, Skip, Traced, Tracer, check, run_all, same

from probe.tensors import Tensors  # noqa: E402  trace_support says where it is

warnings.simplefilter("ignore")
HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"


def trace(forward, init="pass", arguments=None, extra="", training=False, arity="x"):
    """A model of one file whose forward has the given lines. Line 1 of forward is line 11 of the file."""
    def indented(text):
        return "\n".join("        " + line for line in text.strip("\n").split("\n"))

    text = HEAD + "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n%s\n    def forward(self, %s):\n%s\n%s\n" % (
        indented(init), arity, indented(forward), extra)
    traced = Traced(Program({"main.py": ("own", text)}), arguments or [torch.arange(12.0).reshape(3, 4)], training=training)
    if traced.error is not None:
        raise traced.error
    check(traced.trace)
    return traced


def test_names_are_the_same_for_every_torch():
    expected = {
        "x + 1": "torch.Tensor.add", "1 + x": "torch.Tensor.add", "1 - x": "torch.Tensor.__rsub__", "x / 2": "torch.Tensor.div",
        "2 / x": "torch.Tensor.__rtruediv__", "x ** 2": "torch.Tensor.pow", "2 ** x": "torch.Tensor.__rpow__",
        "x // 2": "torch.Tensor.__floordiv__", "x % 2": "torch.Tensor.remainder", "-x": "torch.Tensor.neg",
        "abs(x)": "torch.Tensor.abs", "x @ x.t()": "torch.Tensor.matmul", "x == x": "torch.Tensor.eq", "x != x": "torch.Tensor.ne",
        "x < x": "torch.Tensor.lt", "x >= 0": "torch.Tensor.ge", "~(x > 0)": "torch.Tensor.__invert__",
        "x[0]": "torch.Tensor.__getitem__", "x[:, 1]": "torch.Tensor.__getitem__", "x[x > 0]": "torch.Tensor.__getitem__",
        "x[[0, 1]]": "torch.Tensor.__getitem__", "x[None]": "torch.Tensor.__getitem__", "x[...]": "torch.Tensor.__getitem__",
        "x.T": "torch.Tensor.T", "x.data": "torch.Tensor.data", "x.shape": "torch.Tensor.shape", "x.dtype": "torch.Tensor.dtype",
        "len(x)": "torch.Tensor.__len__", "float(x[0, 0])": "torch.Tensor.__float__", "int(x[0, 0])": "torch.Tensor.__int__",
        "x[0, 0].item()": "torch.Tensor.item", "x.tolist()": "torch.Tensor.tolist", "bool(x[0, 0])": "torch.Tensor.__bool__",
        "range(5)[x[0, 0].long()]": "torch.Tensor.__index__", "f'{x[0, 0]:.1f}'": "torch.Tensor.__format__",
        "repr(x)": "torch.Tensor.__repr__", "1.0 in x": "torch.Tensor.__contains__", "x.relu()": "torch.Tensor.relu",
        "F.relu(x)": "torch.nn.functional.relu", "F.gelu(x)": "torch.nn.functional.gelu", "torch.einsum('ij->i', x)": "torch.einsum",
        "torch.linalg.norm(x)": "torch.linalg.norm", "torch.fft.fft(x)": "torch.fft.fft", "torch.special.expit(x)": "torch.special.expit",
        "F.softmax(x, -1)": "torch.nn.functional.softmax", "torch.softmax(x, -1)": "torch.softmax", "F.linear(x, x)": "torch.nn.functional.linear",
        "F.pad(x, (1, 1))": "torch.nn.functional.pad", "F.logsigmoid(x)": "torch.nn.functional.logsigmoid",
        "F.max_pool1d(x, 2)": "torch.nn.functional.max_pool1d", "F.threshold(x, 1, 2)": "torch.nn.functional.threshold",
        "torch.stft(x[0], 4, return_complex=True)": "torch.stft", "x.softmax(-1)": "torch.Tensor.softmax",
        "F.conv1d(x[None], x[None])": "torch.nn.functional.conv1d", "torch.meshgrid(x[0], x[0])": "torch.meshgrid",
        "x.split(1)": "torch.Tensor.split", "torch.split(x, 1)": "torch.split", "nn.Parameter(x)": "torch.nn.Parameter",
        "torch.Tensor([1.0])": "torch.Tensor", "F.one_hot(x.long())": "torch.nn.functional.one_hot",
        "torch.unique(x)": "torch.unique", "torch.cdist(x, x)": "torch.cdist", "x.is_contiguous()": "torch.Tensor.is_contiguous"}
    wrong = {}
    for text, name in expected.items():
        names = trace("y = %s\nreturn x" % text).names
        if name not in names:
            wrong[text] = names
    assert not wrong, wrong


def test_all_names_agree_with_torch():
    """Against torch's own table of names, but for the spellings that we make one."""
    import torch.overrides as overrides
    from probe.spelling import ONE_NAME, spell
    wrong = {}
    for functions in overrides.get_overridable_functions().values():
        for function in functions:
            theirs = (overrides.resolve_name(function) or "").replace(".__get__", "").replace(".__set__", "=")
            theirs = theirs.replace("torch.functional.", "torch.")
            ours = spell(function)
            if ours.operator and ours.name != ONE_NAME.get(theirs, theirs):
                wrong[theirs] = ours.name
    assert not wrong, wrong


def test_arguments_and_outputs():
    traced = trace("return torch.cat([x, x], dim=1), x.clamp(min=0.5), x.topk(2)")
    call = traced.only("torch.cat")
    assert call["a"] == [{"l": [{"T": 0}, {"T": 0}]}] and call["k"] == {"dim": 1}
    assert traced.origin(call["a"][0]["l"][0]) == ["input", "arg0"]
    assert traced.trace["tensors"][call["o"]["T"]][1:6] == ["torch.float32", [3, 8], [8, 1], 0, "cpu"]
    assert traced.only("torch.Tensor.clamp")["k"] == {"min": {"f": (0.5).hex()}}
    assert list(traced.only("torch.Tensor.topk")["o"])[0] in ("nt", "t")
    assert call["at"] == [0, 9] and traced.maker(call) == ["own", 0] and call["mc"] == 0
    assert call["x"] == {"grad": False, "autocast": False, "training": False}
    assert traced.trace["args"] == [{"T": 0}] or traced.trace["args"] == {"l": [{"T": 0}]}


def test_nothing_is_recorded_twice_or_outside():
    traced = trace("return F.layer_norm(self.norm(x), (4,)) + F.scaled(x) if False else F.softmax(self.norm(x), -1)",
                   "self.norm = nn.LayerNorm(4)")
    assert traced.names == ["torch.nn.functional.layer_norm", "torch.nn.functional.softmax"], traced.names
    before = len(traced.tracer.calls)
    torch.ones(3)[0] + 1
    traced.model(torch.ones(3, 4))
    assert len(traced.tracer.calls) == before
    assert "probe" not in torch.nn.Module.__call__.__module__ and "probe" not in torch.Tensor.__getitem__.__repr__()
    assert "call_module" not in repr(torch.nn.Module.__call__) and "make" not in repr(torch.nn.Parameter.__new__)
    assert "__new__" not in vars(torch.Tensor) or vars(torch.Tensor)["__new__"] is not None


def test_writes():
    cases = {"x.add_(1)": 0, "x += 1": 0, "x[0] = 2": 0, "x[:, 1:].mul_(2)": 1, "F.relu(x, inplace=True)": 0, "torch.add(x, 1, out=x)": 0,
             "F.relu_(x)": 0, "x.copy_(x)": 0, "x[x > 3] = 0.0": 1, "x.t_()": 0, "torch.sigmoid_(x)": 0, "x.fill_(1)": 0,
             "nn.init.ones_(x)": 0}
    for text, position in cases.items():
        traced = trace(text + "\nreturn x", arguments=[torch.arange(16.0).reshape(4, 4)])
        writers = [index for index, call in enumerate(traced.calls) if call["w"]]
        assert writers == [position], (text, traced.names, writers)
        written = traced.calls[position]["w"]
        assert traced.trace["tensors"][written[0]][0] == traced.trace["tensors"][0][0], text
    assert not any(call["w"] for call in trace("return F.relu(x), x.t(), x[0], x.reshape(2, 6), x.detach()").calls)


def test_every_indexed_assignment_is_seen():
    texts = ["x[x > 3] = z", "x[i] = y", "x[0] = y", "x[...] = z", "x[i, i] = z", "x[0, 1] = 1", "x[:, 0] = z", "x[None] = x",
             "x[[0, 1]] = y", "x[x > 3] = 1", "x[i] += y", "x[0] *= 2", "x[1:][0] = y"]
    traced = trace("y = torch.zeros(4)\nz = torch.tensor(2.0)\ni = torch.tensor([0, 1])\n%s\nreturn x" % "\n".join(texts))
    found = [call for call in traced.calls if call["f"] == "torch.Tensor.__setitem__"]
    assert len(found) == len(texts) and all(call["w"] for call in found), (len(found), len(texts))


def test_tensors_stay_no_sequences():
    """torch.tensor asks a sequence for its length, which a tensor without dimensions has not."""
    text = "n = i[1]\np = self.w[0, 0]\nreturn torch.tensor([n, 2]), torch.tensor([[p, n], [n, p]]), torch.as_tensor([n, n])"
    for _ in range(2):
        traced = trace("i = torch.arange(3)\n" + text, "self.w = nn.Parameter(torch.ones(2, 2))")
        assert [call["f"] for call in traced.calls].count("torch.Tensor.__getitem__") == 2, traced.names
        assert torch.tensor([torch.tensor(3), torch.nn.Parameter(torch.tensor(2.0))]).tolist() == [3, 2]
        assert torch.ones(3)[0] == 1


def test_writes_in_inference_mode():
    text = HEAD + """
class Model(nn.Module):
    def forward(self, x):
        y = x + 1
        y += 1
        y[0] = 3
        F.relu(y, inplace=True)
        torch.add(y, 1, out=y)
        return F.relu(y)
"""
    with torch.inference_mode():
        traced = Traced(Program({"main.py": ("own", text)}), [torch.ones(2, 3)])
    assert traced.error is None
    assert [bool(call["w"]) for call in traced.calls] == [False, True, True, True, True, False], \
        [(call["f"], call["w"]) for call in traced.calls]


def test_running_statistics_are_written():
    kept = "nn.InstanceNorm1d(4, affine=True, track_running_stats=True)"
    for kind in ("nn.BatchNorm1d(4)", kept):
        for training in (False, True) if kind != kept else (True,):  # that one copies them in eval mode too
            traced = trace("return self.norm(x)", "self.norm = " + kind, [torch.randn(2, 4, 3)], training=training)
            call = traced.calls[-1]
            keys = [traced.trace["tensors"][number][6][1] for number in call["w"]]
            assert keys == (["norm.running_mean", "norm.running_var"] if training else []), (kind, training, keys)


def test_storages():
    traced = trace("y = x.view(4, 3)\nz = y + 1\nw = z[1:]\nc = w.clone()\ndel z, w\nreturn y, c, [x + i for i in range(3)]")
    numbers = {call["f"]: call["o"] for call in traced.calls}
    assert traced.storage(numbers["torch.Tensor.view"]) == traced.storage({"T": 0})
    w, c = traced.only("torch.Tensor.__getitem__")["o"], traced.only("torch.Tensor.clone")["o"]
    assert traced.storage(w) != traced.storage(c)
    adds = [call["o"] for call in traced.calls if call["f"] == "torch.Tensor.add"]
    assert traced.storage(w) == traced.storage(adds[0])
    assert len({traced.storage(value) for value in adds}) == len(adds)


def test_a_freed_address_is_another_storage():
    traced = trace("seen = set()\nfor i in range(200):\n    y = x * i\n    seen.add(y.data_ptr())\nself.reused = len(seen) < 200\nreturn y")
    assert traced.model.reused, "the allocator reused no address: the test tests nothing"
    made = [call["o"] for call in traced.calls if call["f"] == "torch.Tensor.mul"]
    assert len({traced.storage(value) for value in made}) == 200 and len({value["T"] for value in made}) == 200


def test_no_activation_is_kept_alive():
    live = []

    def count(*_):
        gc.collect()
        live.append(sum(1 for item in gc.get_objects() if isinstance(item, torch.Tensor)))

    torch.count_live = count
    try:
        traced = trace("for i in range(50):\n    x = x * 1.5\n    y = self.l(x)\n    if i in (5, 45):\n        torch.count_live()\nreturn x",
                       "self.l = nn.Linear(4, 4)")
    finally:
        del torch.count_live
    assert live[0] == live[1], live
    output = weakref.ref(traced.outputs)
    traced.outputs = None
    gc.collect()
    assert output() is None


def test_data_may_be_swapped():
    traced = trace("y = x.clone()\ny.data = torch.zeros(2, 2)\nreturn y + 1")
    swap, add = traced.only("torch.Tensor.data="), traced.only("torch.Tensor.add")
    assert add["a"][0] == swap["o"] and swap["w"] == [swap["a"][0]["T"]] and swap["o"]["T"] != swap["w"][0]
    assert traced.storage(swap["o"]) == traced.storage(swap["a"][1])
    traced = trace("return self.l(x)", "self.l = nn.Linear(4, 4).double().float()")
    linear = traced.only("torch.nn.functional.linear")
    assert traced.origin(linear["a"][1]) == ["parameter", "l.weight"]
    assert traced.trace["tensors"][linear["a"][1]["T"]][1] == "torch.float32"


def test_shape_changed_in_place():
    traced = trace("y = x.clone()\ny.unsqueeze_(0)\ny.resize_(2, 2)\nreturn y + 0")
    add = traced.only("torch.Tensor.add")
    assert traced.trace["tensors"][add["a"][0]["T"]][2] == [2, 2]
    assert traced.only("torch.Tensor.resize_")["o"] == add["a"][0]


def test_state_has_all_its_keys():
    traced = trace("return self.a(self.b(x)) + self.mask", "self.a = nn.Linear(4, 4)\nself.b = nn.Linear(4, 4)\n"
                   "self.b.weight = self.a.weight\nself.register_buffer('mask', torch.tril(torch.ones(3, 4)))\n"
                   "self.unused = nn.Parameter(torch.zeros(2))")
    model, tracer = traced.model, traced.tracer
    tracer.name_state("b.weight", "parameter", model.b.weight)
    origins = [row[6] for row in tracer.tensors.table]
    assert ["parameter", "a.weight", "b.weight"] in origins and ["parameter", "unused"] in origins
    mask = traced.only("torch.Tensor.add")["a"][1]
    assert traced.origin(mask) == ["buffer", "mask"]
    made = [call for call in traced.made if call["o"] == mask]
    assert [call["f"] for call in made] == ["torch.tril"]


def test_a_tensor_that_moves_to_another_device_stays_the_same():
    tensors = Tensors()
    made, unknown = torch.ones(3), torch.ones(3)
    row = tensors.add(made, ["call", 0])[3]
    moved, other = made.clone(), unknown.clone()
    tensors.moved(made, moved)
    tensors.moved(unknown, other)
    assert tensors.find(moved) == tensors.find(made) == 0 and tensors.find(other) is None
    assert tensors.row(moved[1:], ["call", 1])[0] == row[0], "a view of what was moved is in another memory"
    tensors.close()


def test_a_placed_buffer_has_a_new_number():
    traced = trace("return x + self.mask", "self.register_buffer('mask', torch.ones(4))")
    old = traced.only("torch.Tensor.add")["a"][1]["T"]
    tracer = traced.tracer
    tracer.tensors.table[old][6] = ["call", 0]  # as before it was named
    tracer.name_state("mask", "buffer", traced.model.mask, placed=True)
    assert tracer.tensors.find(traced.model.mask) != old
    weight = torch.nn.Parameter(torch.ones(2))
    tracer.tensors.add(weight, ["call", 0])
    number = tracer.tensors.find(weight)
    weight.data = torch.zeros(3)
    tracer.name_state("weight", "parameter", weight, placed=True)
    assert tracer.tensors.find(weight) == number and tracer.tensors.table[number][2] == [3]


CHILD = HEAD + """
def helper_function(x):
    return torch.tanh(x)

def traced_table(n):
    return torch.sin(torch.arange(n))

class Model(nn.Module):
    def __init__(self, hook=None):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
        self.table = traced_table(4)
        self.hook = hook
        self.relu = nn.ReLU()
    def forward(self, x):
        if self.hook is not None:
            x = self.hook(x)
        return self.relu(helper_function(x) * self.weight)
    def logits(self, x):
        return [torch.exp(part) for part in (x,)][0] * self.weight
    @torch.no_grad()
    def wrapped(self, x):
        return torch.log(x)
    @staticmethod
    def static(x):
        return torch.cos(x)
    @property
    def shared(self):
        return torch.sqrt(self.weight)
    def _private(self, x):
        return torch.floor(x)
    def __getitem__(self, i):
        return torch.ceil(self.weight)
    lam = lambda self, x: torch.erf(x)
    def steps(self, x):
        for i in range(2):
            yield torch.round(x)

class Bare(nn.Softmax):
    pass
"""


def family(forward, init="self.child = child.Model()"):
    def indented(text):
        return "\n".join("        " + line for line in text.split("\n"))

    main = HEAD + "import child, tools\nclass Inner(nn.Module):\n    def forward(self, x):\n        return torch.sinh(x)\n" \
        "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n%s\n    def forward(self, x):\n%s\n" % (
            indented(init), indented(forward))
    tools = HEAD + "def scale(x):\n    return torch.digamma(x)\ndef through(f, x):\n    return f(x)\n"
    traced = Traced(Program({"child.py": ("child", CHILD), "tools.py": ("helper", tools), "main.py": ("own", main)}),
                    [torch.ones(3, 4)])
    if traced.error is not None:
        raise traced.error
    check(traced.trace)
    return traced


def maker_of(traced, name):
    return traced.maker(traced.only(name))


def test_maker_child():
    traced = family("return self.child(x)")
    for name in ("torch.tanh", "torch.Tensor.mul", "torch.nn.functional.relu"):
        maker = maker_of(traced, name)
        assert maker[:2] == ["child", 0], (name, maker)
        row = traced.trace["module_calls"][maker[2]]
        assert traced.trace["modules"][row[0]][:3] == ["child", "Model", 0]
    assert traced.only("torch.tanh")["at"][0] == 0 and traced.only("torch.nn.functional.relu")["at"] == [0, 21]
    sine = [call for call in traced.made if call["f"] == "torch.sin"][0]
    assert traced.maker(sine)[0] == "method" and traced.maker(sine)[4] == "__init__"


def test_maker_of_a_class_with_an_empty_body():
    traced = family("return self.child(x)", "self.child = child.Bare(-1)")
    call = traced.only("torch.nn.functional.softmax")
    assert traced.maker(call)[:2] == ["child", 0] and call["at"] == [2, 13]
    assert [row[:4] for row in traced.trace["modules"] if row[0] == "child"] == [["child", "Bare", 0, None]]


def test_maker_own():
    traced = family("y = child.helper_function(x)\ny = child.Model.static(y) + self.child.shared\ny = y + self.child[0]\n"
                    "y = self.child.lam(y) + self.child._private(y)\nreturn tools.scale(self.inner(y))",
                    "self.child = child.Model()\nself.inner = Inner()")
    for name, file in {"torch.tanh": 0, "torch.cos": 0, "torch.sqrt": 0, "torch.ceil": 0, "torch.erf": 0, "torch.floor": 0,
                       "torch.digamma": 1, "torch.sinh": 2}.items():
        assert maker_of(traced, name) == ["own", file], (name, maker_of(traced, name))


def test_maker_method():
    traced = family("a = self.child.logits(x)\nb = self.child.logits(x)\nfor s in self.child.steps(x): pass\n"
                    "return a + b + self.child.wrapped(x) + self.child.forward(x)")
    exps = [traced.maker(call) for call in traced.calls if call["f"] == "torch.exp"]
    assert all(maker[:2] == ["method", 0] and maker[4] == "logits" for maker in exps)
    assert exps[0][3] != exps[1][3] and traced.trace["modules"][exps[0][2]][0] == "child"
    muls = [traced.maker(call) for call in traced.calls if call["f"] == "torch.Tensor.mul"]
    assert muls[:2] == exps
    assert maker_of(traced, "torch.log")[4] == "wrapped" and maker_of(traced, "torch.tanh")[4] == "forward"
    assert {traced.maker(call)[4] for call in traced.calls if call["f"] == "torch.round"} == {"steps"}


def test_maker_of_a_lambda_is_where_it_is_written():
    traced = family("return self.child(x)", "self.child = child.Model(hook=lambda x: torch.erf(x) + child.helper_function(x))")
    assert maker_of(traced, "torch.erf") == ["own", 2]
    tanhs = [traced.maker(call) for call in traced.calls if call["f"] == "torch.tanh"]
    assert [maker[0] for maker in tanhs] == ["own", "child"]


def test_maker_behind_library_modules():
    traced = family("return tools.through(self.seq, x)", "self.seq = nn.Sequential(nn.Linear(4, 4), child.Model())")
    assert maker_of(traced, "torch.nn.functional.linear")[0] == "own"
    assert maker_of(traced, "torch.tanh")[:2] == ["child", 0]
    paths = [traced.trace["modules"][row[0]][0] for row in traced.trace["module_calls"]]
    assert paths == ["", "seq", "seq.0", "seq.1", "seq.1.relu"], paths


def test_helper_within_a_child_is_the_childs():
    traced = family("return self.child(x)", "self.child = child.Model(hook=tools.scale)")
    assert maker_of(traced, "torch.digamma")[0] == "child"


def test_places():
    traced = trace("y = x + 1\nz = [self.l(i)\n     for i in (x,)]\nreturn z[0] * y", "self.l = nn.Linear(4, 4)")
    assert [call["at"] for call in traced.calls] == [[0, 9], [0, 10], [0, 12]], [call["at"] for call in traced.calls]
    assert [row[7] for row in traced.trace["module_calls"]][1] == [0, 10]


def test_what_torch_asks_for_itself_is_dropped():
    traced = trace("h, _ = self.lstm(x)\ny = self.attention(x, x, x)[0]\nfor row in x: pass\na, b, c = x\nreturn h + y",
                   "self.lstm = nn.LSTM(4, 4)\nself.attention = nn.MultiheadAttention(4, 2)")
    asked = [name for name in traced.names if name.split(".")[-1] in ("shape", "dtype", "dim", "size", "is_nested", "grad_fn", "device")]
    assert not asked, asked
    traced = trace("with torch.device('cpu'):\n    s = x.shape\nwith torch.no_grad():\n    n = x.dim()\nreturn x.view(s)") \
        if hasattr(torch.utils, "_device") else trace("s = x.shape\nn = x.dim()\nreturn x.view(s)")
    assert traced.names == ["torch.Tensor.shape", "torch.Tensor.dim", "torch.Tensor.view"], traced.names


def test_flags():
    traced = trace("with torch.enable_grad():\n    a = x + 1\nwith torch.autocast('cpu', dtype=torch.bfloat16):\n    b = x @ x.t()\n"
                   "self.eval()\nc = x - 1\nreturn x", training=True)
    flags = {call["f"]: call["x"] for call in traced.calls}
    assert flags["torch.Tensor.add"] == {"grad": True, "autocast": False, "training": True}
    assert flags["torch.Tensor.matmul"] == {"grad": False, "autocast": True, "training": True}
    assert flags["torch.Tensor.sub"] == {"grad": False, "autocast": False, "training": False}


def test_module_calls():
    traced = trace("y = self.a(x, flag=True)\nz = self.again(x)\nreturn nn.ReLU()(y) + z + self.b['k'](z)",
                   "self.a = A()\nself.again = self.a\nself.b = nn.ModuleDict({'k': nn.Tanh()})",
                   extra="class A(nn.Module):\n    def forward(self, x, flag=False):\n        return x * 2\n")
    trace_ = traced.trace
    rows = [(trace_["modules"][row[0]][0], row[1]) for row in trace_["module_calls"]]
    assert rows == [("", -1), ("a", 0), ("a", 0), ("?ReLU", 0), ("b.k", 0)], rows
    first = trace_["module_calls"][1]
    assert first[4] == {"l": [{"T": 0}]} and first[5] == {"d": [["flag", True]]} and first[6] == traced.calls[0]["o"]
    assert trace_["modules"][0][2] == 0 and trace_["modules"][0][3] is None
    assert [row[3] for row in trace_["modules"] if row[0] == "b.k"] == ["torch.nn.modules.activation.Tanh"]


def test_a_module_added_by_forward_gets_its_path():
    traced = trace("self.late = nn.Linear(4, 4)\nreturn self.late(x)")
    assert "late" in [row[0] for row in traced.trace["modules"]]


def test_raising_leaves_the_module_stack_whole():
    traced = trace("for i in range(3):\n    try:\n        self.outer(x)\n    except ValueError:\n        pass\nreturn self.fine(x)",
                   "self.outer = nn.Sequential(nn.Identity(), A())\nself.fine = nn.Tanh()",
                   extra="class A(nn.Module):\n    def forward(self, x):\n        x = x + 1\n        raise ValueError(1)\n")
    assert not traced.tracer.modules.running
    rows = traced.trace["module_calls"]
    assert [row[1] for row in rows if traced.trace["modules"][row[0]][0] in ("outer", "fine")] == [0] * 4
    tanh = traced.only("torch.tanh")
    assert traced.trace["modules"][rows[tanh["mc"]][0]][0] == "fine"


def test_endless_recursion_is_survived():
    traced = trace("try:\n    self.a(x)\nexcept RecursionError:\n    pass\nreturn self.fine(x)", "self.a = A()\nself.fine = nn.Tanh()",
                   extra="class A(nn.Module):\n    def forward(self, x):\n        return self(x + 1)\n")
    assert not traced.tracer.modules.running and not traced.tracer.quiet
    tanh = traced.only("torch.tanh")
    assert traced.trace["module_calls"][tanh["mc"]][1] == 0


def test_a_failing_run_still_reports():
    program = Program({"main.py": ("own", HEAD + "class Model(nn.Module):\n    def forward(self, x):\n        y = x + 1\n        return y @ y\n")})
    traced = Traced(program, [torch.ones(2, 3)])
    assert isinstance(traced.error, RuntimeError) and traced.names == ["torch.Tensor.add"]
    check(traced.trace)
    assert not traced.tracer.quiet


def test_generators():
    traced = trace("gen = self.parts(x)\na = next(gen)\nb = self.l(x)\nc = next(gen)\nreturn a + b + c",
                   "self.l = nn.Linear(4, 4)\nself.p = P()\nself.parts = self.p",
                   extra="class P(nn.Module):\n    def forward(self, x):\n        yield torch.sin(x)\n        yield torch.cos(x)\n")
    assert traced.only("torch.sin")["mc"] == 0 and traced.only("torch.cos")["mc"] == 0
    assert traced.only("torch.nn.functional.linear")["mc"] == 2 and not traced.unknown()


def test_custom_functions_are_opaque():
    extra = """class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, n):
        return x.sin() * n
    @staticmethod
    def backward(ctx, g):
        return g, None
double = Double.apply
"""
    sine = torch.arange(12.0).reshape(3, 4).sin()
    traced = trace("return double(x, 2) + Double.apply(x, 3)", extra=extra)
    assert traced.names == ["torch.autograd.Function.apply"] * 2 + ["torch.Tensor.add"], traced.names
    assert traced.calls[0]["a"] == [{"fn": "Double"}, {"T": 0}, 2] and not traced.unknown()
    assert torch.equal(traced.outputs, sine * 2 + sine * 3)


def test_checkpoint_is_looked_into():
    for reentrant in (True, False):
        traced = trace("from torch.utils.checkpoint import checkpoint\nreturn checkpoint(self.l, x, use_reentrant=%s)" % reentrant,
                       "self.l = nn.Linear(4, 4)")
        assert "torch.nn.functional.linear" in traced.names and not traced.unknown()


def test_scripted_functions_are_opaque():
    text = HEAD + "class Model(nn.Module):\n    def forward(self, x):\n        return torch.scripted_for_test(x) + 1\n"

    def plus(x):
        return x.sin() + 1

    try:
        torch.scripted_for_test = torch.jit.script(plus)
    except Exception as error:
        raise Skip("torch.jit.script fails: %s" % error)
    try:
        traced = Traced(Program({"main.py": ("own", text)}), [torch.ones(2, 3)])
    finally:
        del torch.scripted_for_test
    assert traced.error is None, traced.error
    assert traced.names == ["torch.jit.ScriptFunction", "torch.Tensor.add"], traced.names
    assert traced.calls[0]["a"] == [{"fn": "plus"}, {"T": 0}] and not traced.unknown(), traced.calls[0]


def test_scripted_modules_are_opaque():
    text = HEAD + "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.s = torch.jit.script(nn.Linear(3, 3))\n" \
        "    def forward(self, x):\n        return self.s(x) + 1\n"
    traced = Traced(Program({"main.py": ("own", text)}), [torch.ones(2, 3)])
    if traced.error is not None:
        raise traced.error
    assert not traced.unknown(), traced.names


def test_a_tensor_from_nowhere_is_unknown():
    traced = trace("return x + torch.FloatTensor([1.0, 2.0, 3.0, 4.0])")
    assert traced.unknown() and traced.unknown()[0][0] == "torch.Tensor.add"
    import threading
    torch.thread_for_test = threading.Thread
    try:
        traced = trace("box = []\nt = torch.thread_for_test(target=lambda: box.append(self.l(x)))\nt.start()\nt.join()\nreturn box[0] + 1",
                       "self.l = nn.Linear(4, 4)")
    finally:
        del torch.thread_for_test
    assert traced.unknown() and not traced.tracer.modules.running


def test_copies_of_modules_and_tensors():
    traced = trace("import copy\ny = copy.deepcopy(x)\nreturn self.b(y)",
                   "import copy\nself.a = nn.Linear(4, 4)\nself.b = copy.deepcopy(self.a)")
    assert not traced.unknown()
    weight = traced.only("torch.nn.functional.linear")["a"][1]
    assert traced.origin(weight) == ["parameter", "b.weight"]
    assert traced.storage(weight) not in [row[0] for row in traced.trace["tensors"] if row[6][:2] == ["parameter", "a.weight"]]


def test_parameters_share_with_what_they_are_made_of():
    traced = trace("return x + self.p", "t = torch.zeros(4)\nself.p = nn.Parameter(t)\nself.q = nn.Parameter(torch.Tensor(2, 2))\n"
                   "nn.init.zeros_(self.q)")
    made = [call for call in traced.made if call["f"] == "torch.nn.Parameter"][0]
    assert traced.storage(made["a"][0]) == traced.storage(made["o"]) and made["a"][0] != made["o"]
    assert traced.origin(made["o"]) == ["parameter", "p"]


def test_reads_of_data():
    traced = trace("if x.sum() > 1 and x.max().item() > 2:\n    x = x + 1\nreturn x, x.tolist()")
    assert traced.only("torch.Tensor.__bool__")["o"] is True
    assert traced.only("torch.Tensor.item")["o"] == {"f": (11.0).hex()}


def test_random_indexing_is_bit_equal():
    random.seed(5)
    base = torch.arange(60.0).reshape(3, 4, 5)
    pieces = ["0", "-1", "1:", "::2", "None", "...", "[0, 2]", "torch.tensor([0, 1])", "slice(0, 2)", "True", "(0, 1)", "[[0, 1]]",
              "torch.tensor(1)"]
    texts = []
    while len(texts) < 120:
        chosen = [random.choice(pieces) for _ in range(random.randint(1, 3))]
        text = chosen[0] if len(chosen) == 1 else ", ".join(chosen)
        if len(chosen) == 1 and random.random() < 0.3:
            text = "[%s]" % text if ":" not in text else text
        try:
            eval("base[%s]" % text)
        except (IndexError, TypeError, RuntimeError, SyntaxError, ValueError):
            continue
        texts.append(text)
    traced = trace("return [%s]" % ", ".join("x[%s]" % text for text in texts), arguments=[base])
    for text, output in zip(texts, traced.outputs):
        assert torch.equal(eval("base[%s]" % text), output), text
    assert traced.names.count("torch.Tensor.__getitem__") == len(texts) and not traced.unknown()


STATEMENTS = ["{a} = {b} + {c}", "{a} = {b} * 0.5 - {c}", "{a} += {b}", "{a} = {a}.clone()", "{a}.mul_(0.9)", "{a}[{i}] = {b}[{j}]",
              "{a} = {b}.t().contiguous()", "{a} = {b}.t()", "{a} = torch.where({b} > 0, {b}, {c})", "{a} = {b} @ {c} * 0.1",
              "{a} = torch.stack(list({b}.unbind(0)))", "{a} = torch.cat([{b}[:{i}], {c}[{i}:]])", "{a} = F.relu({b}, inplace=True)",
              "{a} = self.m{i}({b})", "{a}[{b} > 0.5] = {i}", "{a} = {b}[[3, 1, 0, 2]]", "{a}, _ = {b}.sort(dim={k})",
              "{a} = F.dropout({b}, 0.5, True)", "{a} = {b} + torch.randn(4, 4)", "{a} = self.seq({b})", "{a} = {b}.detach()",
              "{a}.t_()", "torch.add({b}, {c}, out={a})", "{a} = {b}.view(2, 8).reshape(4, 4) if {b}.is_contiguous() else {b}",
              "{a} = {b}.softmax({k}).cumsum({k})", "{a} = {b} * float({c}.mean().item())", "{a} = self.scale * {b} - self.mask",
              "{a} = torch.einsum('ij,kj->ik', {b}, {c}) * 0.1", "{a}.data = {b}.clone()", "{a} = {b}.double().float()"]
INIT = """self.m0 = nn.Linear(4, 4)
self.m1 = nn.LayerNorm(4)
self.m2 = nn.Sequential(self.m0, nn.GELU())
self.m3 = nn.Embedding(4, 4)
self.m3 = nn.Dropout(0.2)
self.seq = nn.Sequential(nn.Sequential(self.m1), nn.Tanh())
self.scale = nn.Parameter(torch.rand(4, 4))
self.register_buffer('mask', torch.tril(torch.ones(4, 4)))
"""


def test_random_programs():
    """Views, writes, random draws and shared modules in any order: bit-equal to the untraced run, and to a replay."""
    random.seed(11)
    for seed in range(25):
        lines = ["y, z = x.clone(), x * 2"]
        for _ in range(40):
            names = {key: random.choice("xyz") for key in "abc"}
            lines.append(random.choice(STATEMENTS).format(i=random.randrange(4), j=random.randrange(4), k=random.randrange(2), **names))
        start = torch.randn(4, 4)
        given, plain = start.clone(), start.clone()
        try:
            traced = trace("\n".join(lines + ["return x, y, z"]), INIT, [start], training=True)
        except RuntimeError as error:  # out= on memory that an operand shares
            assert "refer to the same memory" in str(error) or "unsupported operation" in str(error), error
            continue
        with torch.no_grad():
            torch.manual_seed(0)
            module = traced.program.load()
            torch.manual_seed(0)
            model = module.Model().train()
            torch.manual_seed(0)
            assert same(model(plain), traced.outputs), "tracing changes the outputs of\n" + "\n".join(lines)
        assert same(replay(traced.trace, [given], {}, (0, 0)), traced.outputs), "\n".join(lines)
        assert not traced.unknown()


def test_another_mode_sees_the_same_calls():
    class Watch(torch.overrides.TorchFunctionMode):
        def __init__(self):
            super().__init__()
            self.seen = []

        def __torch_function__(self, function, kinds, args=(), kwargs=None):
            self.seen.append(getattr(function, "__name__", "?"))
            return function(*args, **(kwargs or {}))

    def make():
        layer = torch.nn.LSTM(4, 4)
        layer.weight_hh_l0.data = layer.weight_hh_l0.data[:, 0:].clone()
        layer.weight_hh_l0.data[:, 0] = 1.0
        torch.nn.Parameter(torch.Tensor(2, 2)).t().contiguous()
        return torch.nn.Sequential(layer, torch.nn.Linear(2, 2))

    alone, below = Watch(), Watch()
    with alone:
        make()
    traced = Tracer(Program({"main.py": ("own", "")}).registry)
    with below, traced.phase(0):
        make()
    assert below.seen == alone.seen and traced.calls, (len(below.seen), len(alone.seen))
    with alone:
        del alone.seen[:]
        torch.ones(1).shape
    assert len(alone.seen) == 2


def test_a_call_costs_little():
    def seconds(run):
        started = time.process_time()
        run()
        return time.process_time() - started

    lines = "for i in range(500):\n    x = self.l(x + 1).view(3, 4)\nreturn x"
    traced = trace(lines, "self.l = nn.Linear(4, 4)")
    x = torch.ones(3, 4)
    tracer, model = traced.tracer, traced.model
    gc.collect()
    gc.disable()
    try:
        with torch.no_grad():
            plain = min(seconds(lambda: model(x)) for _ in range(5))
            with tracer.phase(1):
                recorded = min(seconds(lambda: model(x)) for _ in range(5))
    finally:
        gc.enable()
    cost = (recorded - plain) / 1500
    print("a recorded call costs %.1f microseconds" % (cost * 1e6))
    assert cost < 100e-6


def test_subclasses_of_tensor_and_odd_values():
    traced = trace("y = torch.zeros(2, dtype=torch.complex64) + 2j\nz = torch.sparse_coo_tensor([[0], [1]], [1.0], (2, 2))\n"
                   "w = z.to_dense() + z.to_dense().to(torch.float64)\nv = x.to('cpu', memory_format=torch.contiguous_format)\n"
                   "return {'y': y, 'w': (w, None, 'text', 1 << 70, float('nan'))}")
    assert not traced.unknown()
    assert traced.only("torch.sparse_coo_tensor")["o"]["T"] >= 0


if __name__ == "__main__":
    sys.exit(run_all(globals()))
