"""What a torch function is called in a trace: one spelling for every version of torch, without the hundred
milliseconds that torch.overrides.resolve_name takes to build its tables."""

from __future__ import annotations

from typing import Any, Callable, FrozenSet, Iterator, List, Tuple

import torch

FUNCTIONAL = "torch.nn.functional."
TENSOR = "torch.Tensor."

# Where a builtin of each of torch's own modules is published, and the prefix of its inner name.
PUBLISHED = {"torch._C._nn": (FUNCTIONAL, ""), "torch._C._linalg": ("torch.linalg.", "linalg_"),
             "torch._C._fft": ("torch.fft.", "fft_"), "torch._C._special": ("torch.special.", "special_"),
             "torch._C._sparse": ("torch.sparse.", "_sparse_"), "torch._C._nested": ("torch.nested.", "nested_"),
             "torch.nn.functional": (FUNCTIONAL, ""), "torch._tensor": (TENSOR, ""), "torch.functional": ("torch.", ""),
             "torch._lowrank": ("torch.", ""), "torch._lobpcg": ("torch.", "")}
ONE_NAME = {FUNCTIONAL + "log_sigmoid": FUNCTIONAL + "logsigmoid", FUNCTIONAL + "_threshold": FUNCTIONAL + "threshold",
            "torch.spmm": "torch.mm", "torch.dsmm": "torch.mm", "torch.hsmm": "torch.hspmm", "torch.saddmm": "torch.sspaddmm",
            "torch._sym_sqrt": "torch.sym_sqrt", FUNCTIONAL + "_sym_int": "torch.sym_int",
            TENSOR + "__rdiv__": TENSOR + "__rtruediv__", TENSOR + "__idiv__": TENSOR + "div_",
            TENSOR + "__itruediv__": TENSOR + "div_", TENSOR + "__div__": TENSOR + "div",
            TENSOR + "__truediv__": TENSOR + "div", TENSOR + "__ipow__": TENSOR + "pow_",
            TENSOR + "__pow__": TENSOR + "pow", TENSOR + "__matmul__": TENSOR + "matmul",
            TENSOR + "__mod__": TENSOR + "remainder", TENSOR + "__abs__": TENSOR + "abs",
            TENSOR + "__neg__": TENSOR + "neg", TENSOR + "__pos__": TENSOR + "positive",
            TENSOR + "__radd__": TENSOR + "add", TENSOR + "__rmul__": TENSOR + "mul"}
for _name in ("add", "sub", "mul", "eq", "ne", "lt", "le", "gt", "ge"):
    ONE_NAME[TENSOR + "__%s__" % _name] = TENSOR + _name
for _name in ("add", "sub", "mul"):
    ONE_NAME[TENSOR + "__i%s__" % _name] = TENSOR + _name + "_"

# What is asked about a tensor rather than done with it. Where torch's own code asks, it is no step of the run.
ASKED = frozenset(TENSOR + name for name in (
    "shape", "dtype", "device", "layout", "ndim", "dim", "ndimension", "size", "numel", "nelement", "element_size",
    "itemsize", "nbytes", "stride", "storage_offset", "is_contiguous", "is_floating_point", "is_complex", "is_signed",
    "is_cpu", "is_cuda", "is_meta", "is_mps", "is_mkldnn", "is_xpu", "is_xla", "is_ipu", "is_hpu", "is_mtia",
    "is_maia", "is_vulkan", "is_ort", "is_nested", "is_sparse", "is_sparse_csr", "is_quantized", "is_leaf",
    "is_inference", "is_conj", "is_neg", "is_shared", "is_pinned", "is_same_size", "is_set_to", "requires_grad",
    "requires_grad=", "retains_grad", "grad_fn", "grad_dtype", "output_nr", "_version", "_backward_hooks",
    "_backward_hooks=", "_post_accumulate_grad_hooks", "grad", "_grad", "_is_view", "name", "names", "has_names",
    "data_ptr", "storage", "untyped_storage", "_typed_storage", "_storage", "type", "get_device", "qscheme",
    "sparse_dim", "dense_dim", "__len__", "__hash__", "__dlpack_device__", "_cdata")) | frozenset((
        "torch.is_floating_point", "torch.is_complex", "torch.is_signed", "torch.is_same_size", "torch.numel",
        "torch.result_type", "torch.can_cast", "torch.promote_types", "torch.is_conj", "torch.is_inference",
        "torch.is_neg", "torch.sym_float", "torch.sym_max", "torch.sym_min", "torch.sym_not", "torch.sym_int",
        "torch.sym_ite", "torch.sym_sum", "torch.sym_sqrt"))
# Of those, what is a size, or made of them.
SIZES = frozenset(TENSOR + name for name in ("shape", "size", "numel", "nelement", "dim", "ndim", "ndimension", "nbytes", "stride",
                                             "storage_offset")) | frozenset(("torch.numel",))
# Switches and checks of torch's own that pass through a function mode: the flags of a call tell of them.
NOT_OPERATORS = frozenset(("_set_grad_enabled", "_parse_to", "_has_compatible_shallow_copy_type", "_enter_autocast",
                           "_exit_autocast", "_has_torch_function", "autocast", "_are_functorch_transforms_active"))
# In-place calls after which the same object has another shape, stride, type or storage.
RESHAPES_ITSELF = frozenset(TENSOR + name for name in (
    "data=", "unsqueeze_", "squeeze_", "t_", "transpose_", "swapaxes_", "swapdims_", "moveaxis_", "movedim_",
    "resize_", "resize_as_", "resize", "resize_as", "set_", "as_strided_", "rename_", "__setstate__", "real=", "imag=",
    "sparse_resize_", "sparse_resize_and_clear_"))
# Kernels that refuse tensors of different devices before any operator is seen.
ONE_DEVICE = frozenset(("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"))
# What hands memory out of torch, or changes it where no operator is seen.
OPAQUE = frozenset(TENSOR + name for name in ("apply_", "map_", "map2_", "numpy", "__array__", "__dlpack__", "const_data_ptr",
                                              "__cuda_array_interface__"))
# What tells Python values of a tensor without an operator.
READS = frozenset(TENSOR + name for name in ("tolist", "numpy", "__array__", "data_ptr", "__dlpack__"))
# What looks at values where no operator is seen: of tensors within a list; of those that follow the first argument; of the
# batch sizes of a packed sequence, which stand second (in recurrent layers, where the fourth argument is the list of weights).
READS_ELEMENTS = frozenset(("torch.tensor", "torch.as_tensor", "torch.asarray", "torch.Tensor", TENSOR + "new_tensor", TENSOR + "new"))
READS_REST = frozenset(("torch.tensor_split", TENSOR + "tensor_split"))
READS_BATCH_SIZES = frozenset(("torch.lstm", "torch.gru", "torch.rnn_tanh", "torch.rnn_relu"))
# Kernels that write running statistics, of which neither schema nor version tells: where the flag is that makes them,
# its name and default, and where the statistics begin.
RUNNING_STATISTICS = {FUNCTIONAL + "batch_norm": (5, "training", False, 1), "torch.batch_norm": (5, "training", False, 3),
                      FUNCTIONAL + "instance_norm": (5, "use_input_stats", True, 1),
                      "torch.instance_norm": (5, "use_input_stats", True, 3)}


class Spelling:
    """How one function appears in a trace."""
    __slots__ = ("name", "operator", "asked", "sizes", "reshapes", "writes_first", "statistics", "special", "reads", "looks_at", "one_device",
                 "indexes", "opaque")

    def __init__(self, name: str, operator: bool) -> None:
        self.name = name
        self.operator = operator
        self.asked = name in ASKED
        self.sizes = name in SIZES
        self.reshapes = name in RESHAPES_ITSELF
        self.reads = name in READS
        self.looks_at = next((look for names, look in LOOKS if name in names), None)
        self.opaque = name in OPAQUE
        self.indexes = name in (TENSOR + "__getitem__", TENSOR + "__setitem__")
        self.one_device = name.rsplit(".", 1)[-1] in ONE_DEVICE
        self.statistics = RUNNING_STATISTICS.get(name)
        self.special = self.reshapes or self.statistics is not None  # no version tells what it writes
        last = name.rsplit(".", 1)[-1]
        # Whether by its name it writes its first argument: needed only of tensors without a version.
        self.writes_first = (last.endswith("_") and not last.endswith("__") or last.endswith("=")
                             or last == "__setitem__" or last.startswith("__i") and last.endswith("__")
                             and last not in ("__int__", "__index__", "__invert__", "__iter__"))


def elements(args: Any, kwargs: Any) -> Iterator[Any]:
    for value in (*args, *kwargs.values()):
        if isinstance(value, (list, tuple)):
            for item in value:
                if isinstance(item, (list, tuple)):
                    yield from elements((item,), {})
                else:
                    yield item


def rest(args: Any, kwargs: Any) -> Iterator[Any]:
    yield from args[1:]
    yield from kwargs.values()


def batch_sizes(args: Any, kwargs: Any) -> Iterator[Any]:
    if len(args) > 3 and isinstance(args[3], (list, tuple)):
        yield args[1]


def second(args: Any, kwargs: Any) -> Iterator[Any]:
    yield from args[1:2]


LOOKS: List[Tuple[FrozenSet[str], Callable[[Any, Any], Iterator[Any]]]] = [
    (READS_ELEMENTS, elements), (READS_REST, rest), (READS_BATCH_SIZES, batch_sizes),
    (frozenset(("torch._pad_packed_sequence",)), second)]


def spell(function: Callable[..., Any]) -> Spelling:
    own = getattr(function, "__name__", None) or type(function).__name__
    if own in NOT_OPERATORS:
        return Spelling("torch." + own, operator=False)
    name = name_of(function, own)
    return Spelling(ONE_NAME.get(name, name), operator=True)


def name_of(function: Callable[..., Any], own: str) -> str:
    if own in ("__get__", "__set__", "__delete__"):
        attribute = getattr(function, "__self__", None)
        getter = getattr(attribute, "fget", None)
        ending = {"__get__": "", "__set__": "=", "__delete__": "del"}[own]
        return TENSOR + str(getattr(getter or attribute, "__name__", "?")) + ending
    if hasattr(function, "__objclass__"):
        return TENSOR + own
    module = getattr(function, "__module__", None)
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type(torch)):  # a builtin of a module of torch._C
        module = owner.__name__
    if module in (None, "torch", "torch._C") or isinstance(owner, type):
        return (FUNCTIONAL if getattr(torch.nn.functional, own, None) is function else "torch.") + own
    if module in PUBLISHED:
        place, prefix = PUBLISHED[module]
        return place + (own[len(prefix):] if own.startswith(prefix) else own)
    return str(module) + "." + str(getattr(function, "__qualname__", own))

