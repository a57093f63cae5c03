/* The rules on the Python that candidates are written in. */
#include "language_rules.h"

static const char PYTHON[] = "policy: The Python that a candidate is written in";

const Rule RULE_PY_SYNTAX = {"py.syntax", "a candidate is written in syntax that Plumbline knows",
                             "write it in the syntax of Python 3.14 or older", PYTHON};
const Rule RULE_PY_IMPORT = {
    "py.import",
    "a candidate imports torch, the listed parts of it and of the standard library, and components",
    "remove the import and what uses it; --allow-import NAME allows a module, and the result says so",
    PYTHON};
const Rule RULE_PY_MODULE = {"py.module", "a module is reached by its own import statement, and is no value",
                             "import it by a statement of its own, and use it as `module.name` only",
                             "soundness 24"};
const Rule RULE_PY_LIBRARY = {"py.library", "of the standard modules, the listed names may be used",
                              "do without it, or write what it does in the file itself", "soundness 24"};
const Rule RULE_PY_TORCH = {
    "py.torch", "of torch, operators, dtypes, nn modules and a few questions may be used",
    "do without it: nothing may load, compile, register, set modes or reach below tensors", PYTHON};
const Rule RULE_PY_BUILTIN = {"py.builtin", "some builtins may not be used, or only be called",
                              "do without it", PYTHON};
const Rule RULE_PY_NAME = {"py.name",
                           "__name__ stands in the main guard and in messages only; no other such name",
                           "remove it, or write the text out", "soundness 28"};
const Rule RULE_PY_GETATTR = {
    "py.getattr", "getattr and its kin take a constant name, or one of self's that starts with a constant",
    "write the attribute itself, or use a ModuleList, ModuleDict or dict", PYTHON};
const Rule RULE_PY_ATTRIBUTE = {
    "py.attribute", "no attribute starts with an underscore, but those that this file's classes define",
    "use a public attribute or method", PYTHON};
const Rule RULE_PY_FRAME = {"py.frame", "attributes of frames, code, generators and tracebacks are not used",
                            "remove it; an attribute of your own needs another name", "soundness 24"};
const Rule RULE_PY_BELOW = {"py.below", "nothing reaches below tensors", "use an operator of torch", PYTHON};
const Rule RULE_PY_HOOK = {"py.hook", "nothing registers a hook", "do in forward what the hook does", PYTHON};
const Rule RULE_PY_DATA = {"py.data", "`.data` is used in initialisation only", "use the tensor itself",
                           PYTHON};
const Rule RULE_PY_FORMAT = {"py.format",
                             "a format string is a constant whose fields have no dot and no bracket",
                             "write an f-string, or pass the attribute as an argument", "soundness 24"};
const Rule RULE_PY_CLASS_MADE = {"py.class-made",
                                 "classes are made by class statements, and namedtuples with constant names",
                                 "write a class statement", "soundness 24"};
const Rule RULE_PY_ASSIGN = {"py.assign", "nothing is assigned to anything of torch, a module or a function",
                             "keep the value in a name of your own", PYTHON};
const Rule RULE_PY_BASE = {
    "py.base", "classes derive from nn.Module, plain classes, Enum, ABC, NamedTuple, Generic or exceptions",
    "derive from nn.Module and hold the rest as attributes", PYTHON};
const Rule RULE_PY_METACLASS = {"py.metaclass", "no class has a metaclass of its own",
                                "remove the keyword from the class statement", PYTHON};
const Rule RULE_PY_SPECIAL_METHOD = {
    "py.special-method",
    "classes define __init__, __call__, __len__, __repr__, __iter__, __getitem__, "
    "__post_init__ and no other special name",
    "give it an ordinary name and call it by that", PYTHON};
const Rule RULE_PY_DECORATOR = {
    "py.decorator",
    "decorators come from allowed imports, from this file, or are staticmethod, classmethod, property",
    "call the function in the body instead", PYTHON};
const Rule RULE_PY_MODULE_NAME = {
    "py.module-name", "a module's class defines forward, extra_repr and names that nn.Module doesn't have",
    "give it another name", "soundness 26"};
const Rule RULE_PY_TRY = {"py.try", "nothing that forward reaches is in a try statement",
                          "test for the condition before, as the original does, or remove the handler",
                          "soundness 12"};
const Rule RULE_PY_ASYNC = {"py.async", "nothing is asynchronous", "write an ordinary function", PYTHON};
const Rule RULE_PY_GENERATOR = {
    "py.generator", "a generator is used up where it is made: functions yield only as context managers",
    "return a list", "soundness 21"};
const Rule RULE_PY_COPY = {"py.copy", "copies are made at construction only",
                           "make the copy in __init__, or clone the tensor", "soundness 24"};
const Rule RULE_PY_SELF_TEST = {"py.self-test",
                                "what only the self-test reaches is not judged, so nothing else uses it",
                                "move the code that is needed into a function of its own", PYTHON};
const Rule RULE_PY_FUNCTION_CLASS = {
    "py.function-class", "a custom autograd Function stands in a kernel, and is opaque: at most tested",
    "use torch's own operators, if the step is to be proved", PYTHON};

const Rule RULE_PY_SET_ORDER = {
    "py.set-order", "a set is asked for its members only: nothing hangs on its order",
    "keep a list, a tuple or a dict, or write sorted(...) where the set is made", PYTHON};

const Rule *const LANGUAGE_RULES[] = {
    &RULE_PY_SYNTAX,
    &RULE_PY_IMPORT,
    &RULE_PY_MODULE,
    &RULE_PY_LIBRARY,
    &RULE_PY_TORCH,
    &RULE_PY_BUILTIN,
    &RULE_PY_NAME,
    &RULE_PY_GETATTR,
    &RULE_PY_ATTRIBUTE,
    &RULE_PY_FRAME,
    &RULE_PY_BELOW,
    &RULE_PY_HOOK,
    &RULE_PY_DATA,
    &RULE_PY_FORMAT,
    &RULE_PY_CLASS_MADE,
    &RULE_PY_ASSIGN,
    &RULE_PY_BASE,
    &RULE_PY_METACLASS,
    &RULE_PY_SPECIAL_METHOD,
    &RULE_PY_DECORATOR,
    &RULE_PY_MODULE_NAME,
    &RULE_PY_TRY,
    &RULE_PY_ASYNC,
    &RULE_PY_GENERATOR,
    &RULE_PY_COPY,
    &RULE_PY_SELF_TEST,
    &RULE_PY_FUNCTION_CLASS,
    &RULE_PY_SET_ORDER,
    NULL,
};
