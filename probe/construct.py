"""Finds a program's model class and constructs it, with or without computing initial values of parameters."""

from __future__ import annotations

import functools
import random
import sys
import types
from typing import Any, ContextManager, Dict, List, Optional, Tuple

import torch
from torch.overrides import TorchFunctionMode

from .failure import Unfit
from .memory import storage_key

# In-place methods that give a parameter new values. Overwritten later, they need not run.
FILLS = frozenset("""normal_ uniform_ random_ bernoulli_ exponential_ cauchy_ geometric_ log_normal_ zero_ fill_ erfinv_ mul_
    add_ sub_ div_ clamp_ clamp_min_ clamp_max_ copy_ trunc_normal_ constant_ ones_ zeros_ xavier_uniform_ xavier_normal_
    kaiming_uniform_ kaiming_normal_ orthogonal_ sparse_ eye_ dirac_ __setitem__""".split())
# Initialisers that make tensors of their own on the way.
SEVERAL_STEPS = ("trunc_normal_", "orthogonal_", "sparse_", "dirac_", "eye_")
# What may be asked of a parameter without reading its values.
BLIND = ("empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "randint_like", "new", "new_empty",
         "new_zeros", "new_ones", "new_full", "new_tensor")
READS = ("item", "tolist", "numpy", "__bool__", "__float__", "__int__", "__index__", "__contains__", "__format__", "__repr__",
         "equal", "allclose", "__array__")


def seed_everything(seed: int, with_numpy: bool) -> None:
    if torch.version.cuda is None:
        torch.default_generator.manual_seed(seed)  # torch.manual_seed goes through every kind of device there could be
    else:
        torch.manual_seed(seed)
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if with_numpy and numpy is not None:
        numpy.random.seed(seed % (1 << 32))


def find_class(module: types.ModuleType, names: List[str]) -> type:
    for name in names:
        found = getattr(module, name, None)
        if isinstance(found, type) and issubclass(found, torch.nn.Module):
            return found
    raise Unfit("it has no class %s that derives from torch.nn.Module" % " or ".join(sorted(names)),
                "name the model's class Model, or RefactoredModel if it is the refactored one")


def own_init_inputs(module: types.ModuleType) -> Tuple[List[Any], Dict[str, Any]]:
    """What the file's get_init_inputs() asks for: a list or tuple of arguments, or a dict of keyword arguments."""
    function = getattr(module, "get_init_inputs", None)
    if function is None:
        return [], {}
    return split_arguments(function(), "get_init_inputs")


def split_arguments(given: Any, function: str) -> Tuple[List[Any], Dict[str, Any]]:
    if given is None:
        return [], {}
    if isinstance(given, dict):
        return [], dict(given)
    if isinstance(given, (list, tuple)):
        return list(given), {}
    if isinstance(given, torch.Tensor) or function == "get_init_inputs":
        return [given], {}
    raise TypeError("%s() returned a %s; it returns a list of arguments" % (function, type(given).__name__))


class ConstructionWatch(TorchFunctionMode):
    """Sees every torch call of a construction. Knows parameters by their storage.

    With `initialise` false, filling a parameter does nothing. `initial_values_matter` tells whether anything but the
    parameters themselves hangs on random draws or on initial values: then they can't be left out. `drawn_numbers`: numbers of
    Python's may hang on them, which nothing follows."""
    current: Optional["ConstructionWatch"] = None

    def __init__(self, initialise: bool) -> None:
        super().__init__()
        self.initialise = initialise
        self.initial_values_matter = False
        self._numbers_read = False
        self._parameters: Dict[Any, torch.Tensor] = {}
        self._expected = torch.get_rng_state()
        self._python_random, self._numpy_random = random.getstate(), numpy_state()
        self.drawn_numbers = False
        self._within = False  # while an initialiser of several steps runs
        self._unchecked: List[Tuple[torch.Tensor, torch.Tensor]] = []

    def __enter__(self) -> "ConstructionWatch":
        ConstructionWatch.current = self
        return super().__enter__()

    def __exit__(self, *cause: Any) -> None:
        ConstructionWatch.current = None
        super().__exit__(*cause)

    def initialiser(self, function: Any, tensor: torch.Tensor, arguments: Any, keywords: Dict[str, Any]) -> Any:
        """A call of one of SEVERAL_STEPS. No torch function is called here: a tracer would see it."""
        if self._within or not isinstance(tensor, torch.nn.Parameter):
            return function(tensor, *arguments, **keywords)
        if not self.initialise:
            return tensor
        before = torch.get_rng_state()
        self._within = True
        try:
            return function(tensor, *arguments, **keywords)
        finally:
            self._within = False
            self._unchecked.append((before, torch.get_rng_state()))

    def __torch_function__(self, function: Any, kinds: Any, arguments: Any = (), keywords: Optional[Dict[str, Any]] = None) -> Any:
        keywords = keywords or {}
        if self._within:
            return function(*arguments, **keywords)
        name = getattr(function, "__name__", "")
        target = arguments[0] if arguments else keywords.get("tensor")
        concerns = isinstance(target, torch.Tensor) and self._is_parameter(target)
        if name in FILLS and concerns:
            if not self.initialise:
                return target
            self._check_draws()
            result = function(*arguments, **keywords)
            self._expected = torch.get_rng_state()
            return result
        result = function(*arguments, **keywords)
        self._numbers_read = self._numbers_read or name in READS
        if name not in BLIND and not (name == "clone" and is_copying_parameter(sys._getframe(1))) and (concerns or any(isinstance(item, torch.nn.Parameter) for item in arguments)):
            self._judge_read(name, result)
        return result

    def _is_parameter(self, tensor: torch.Tensor) -> bool:
        key = storage_key(tensor)
        if isinstance(tensor, torch.nn.Parameter):
            if key is not None and key not in self._parameters:
                self._parameters[key] = tensor
            return True
        return key in self._parameters

    def _judge_read(self, name: str, result: Any) -> None:
        if name in READS:
            self.initial_values_matter = True
        for item in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(item, torch.Tensor) and not self._is_parameter(item) and item.device.type != "meta":
                self.initial_values_matter = True

    def _check_draws(self) -> None:
        for before, after in self._unchecked:
            if not torch.equal(self._expected, before):
                self.initial_values_matter = True
            self._expected = after
        del self._unchecked[:]
        if not torch.equal(self._expected, torch.get_rng_state()):
            self.initial_values_matter = True

    def finish(self) -> None:
        self._check_draws()
        drawn = random.getstate() != self._python_random or numpy_state() != self._numpy_random
        self.initial_values_matter = self.initial_values_matter or drawn
        self.drawn_numbers = drawn or self.initial_values_matter and self._numbers_read


def numpy_state() -> Any:
    """Of numpy's global generator, if it is loaded."""
    numpy = sys.modules.get("numpy.random")
    if numpy is None:
        return None
    name, keys, *rest = numpy.get_state()
    return name, keys.tobytes(), rest


def watched(function: Any) -> Any:
    @functools.wraps(function)
    def initialise(tensor: torch.Tensor, *arguments: Any, **keywords: Any) -> Any:
        watch = ConstructionWatch.current
        if watch is None:
            return function(tensor, *arguments, **keywords)
        return watch.initialiser(function, tensor, arguments, keywords)

    return initialise


for _name in SEVERAL_STEPS:  # before any user code can take them from torch.nn.init
    setattr(torch.nn.init, _name, watched(getattr(torch.nn.init, _name)))


def is_copying_parameter(frame: Optional[types.FrameType]) -> bool:
    """Is this call made by copy.deepcopy of a parameter? The copy is a parameter too."""
    for _ in range(6):
        if frame is None:
            return False
        if frame.f_code is torch.nn.Parameter.__deepcopy__.__code__:
            return True
        frame = frame.f_back
    return False


def construct(kind: type, arguments: List[Any], keywords: Dict[str, Any], initialise: bool,
              phase: ContextManager[None]) -> Tuple[torch.nn.Module, ConstructionWatch]:
    """The model, and what was seen of its construction. `phase` is entered around the construction, inside
    the watch, whose own torch calls a trace is not to see."""
    watch = ConstructionWatch(initialise)
    with watch, phase:
        model = kind(*arguments, **keywords)
    watch.finish()
    for name, tensor in list(model.named_parameters()) + list(model.named_buffers()):
        if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
            raise TypeError("lazy modules are not supported: give sizes (%s has no shape yet)" % name)
    return model, watch
