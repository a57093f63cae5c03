/* Builtins and the standard modules, as far as data or functions can go through them. */
#include "flow.h"

#include <string.h>

static const char *const BUILTINS[] = {
    "abs",
    "all",
    "any",
    "bin",
    "bool",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "complex",
    "delattr",
    "dict",
    "dir",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "format",
    "frozenset",
    "getattr",
    "hasattr",
    "hash",
    "hex",
    "id",
    "input",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "list",
    "map",
    "max",
    "min",
    "next",
    "object",
    "oct",
    "open",
    "ord",
    "pow",
    "print",
    "property",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "setattr",
    "slice",
    "sorted",
    "staticmethod",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "vars",
    "zip",
    "NotImplemented",
    "Ellipsis",
    "__name__",
    "__file__",
    "__debug__",
    "BaseException",
    "Exception",
    "ValueError",
    "TypeError",
    "RuntimeError",
    "NotImplementedError",
    "KeyError",
    "IndexError",
    "AttributeError",
    "AssertionError",
    "ImportError",
    "ModuleNotFoundError",
    "StopIteration",
    "Warning",
    "UserWarning",
    "DeprecationWarning",
    "ArithmeticError",
    "ZeroDivisionError",
    "OverflowError",
    "LookupError",
};

bool flow_is_builtin(const char *name) {
    for (size_t i = 0; i < COUNT_OF(BUILTINS); i++)
        if (text_equal(name, BUILTINS[i]))
            return true;
    return false;
}

typedef struct PythonCall {
    Flow *flow;
    const Node *at;
    const char *name; /* without its module */
    const Arguments *arguments;
    const Meaning *all; /* the arguments as one list */
} PythonCall;

typedef const Meaning *Handler(const PythonCall *call);

static const Meaning *argument(const PythonCall *call, size_t index) {
    return index < call->arguments->count ? call->arguments->items[index] : call->flow->plain;
}

static const Meaning *python_nothing(const PythonCall *call) {
    return call->flow->plain;
}

static const Meaning *python_read(const PythonCall *call) {
    return flow_read(call->flow, call->at, arena_printf(call->flow->arena, "%s()", call->name), call->all);
}

static const Meaning *python_int(const PythonCall *call) {
    Sense sense = python_read(call)->items[0];
    sense.taint = NULL;
    sense.number = NUMBER_INT;
    return meaning_of(call->flow, sense);
}

static const Meaning *python_bool(const PythonCall *call) {
    flow_test(call->flow, call->at, argument(call, 0));
    return call->flow->plain;
}

static const Meaning *python_len(const PythonCall *call) {
    Summary summary = {0};
    if (!meaning_has(argument(call, 0), SENSE_LIST))
        summarise(call->flow, argument(call, 0), &summary);
    if (summary.data != NULL)
        return flow_operate(call->flow, call->at, "__len__", "len()", call->arguments);
    return call->flow->plain;
}

/* Builtins that call a tensor's own operator. */
static const Meaning *python_operator(const PythonCall *call) {
    Summary summary = {0};
    summarise(call->flow, call->all, &summary);
    if (summary.data == NULL && summary.known == NULL && summary.parameter == NULL)
        return call->flow->plain;
    const char *name = arena_printf(call->flow->arena, "torch.%s", call->name);
    return flow_operate(call->flow, call->at, name, arena_printf(call->flow->arena, "%s()", call->name),
                        call->arguments);
}

static const Meaning *python_power(const PythonCall *call) {
    return flow_python_binary(call->flow, call->at, "__pow__", "**", argument(call, 0), argument(call, 1));
}

/* any, all: a test; max, min, sorted: of a list of tensors they compare them. */
static const Meaning *python_test(const PythonCall *call) {
    flow_test(call->flow, call->at, flow_elements(call->flow, call->at, argument(call, 0)));
    return call->flow->plain;
}

static const Meaning *python_compare(const PythonCall *call) {
    Summary summary = {0};
    summarise(call->flow, call->all, &summary);
    if (summary.data != NULL && !summary.data_sense.argument)
        flow_report(call->flow, &RULE_OP_COMPUTE, SEVERITY_VIOLATION, call->at, NULL,
                    "%s() of data is compute", call->name);
    return flow_elements(call->flow, call->at, flow_elements(call->flow, call->at, call->all));
}

/* sum() over a list adds tensors; over a tensor it adds up slices, which is a reduction. */
static const Meaning *python_sum(const PythonCall *call) {
    Flow *flow = call->flow;
    const Meaning *items = argument(call, 0), *start = call->arguments->count > 1 ? argument(call, 1) : NULL;
    const Sense *data = meaning_first(items, SENSE_DATA);
    if (data != NULL)
        flow_report(flow, &RULE_OP_COMPUTE, SEVERITY_UNDECIDED, call->at, NULL,
                    "sum() over a tensor is compute; over a list of tensors it adds");
    const Meaning *elements = flow_elements(flow, call->at, items);
    const Meaning *total = flow_python_binary(flow, call->at, "__add__", "+", elements, elements);
    return meaning_join(flow, total, start);
}

static const Meaning *python_getattr(const PythonCall *call) {
    const char *name = argument(call, 1)->items[0].text;
    if (name == NULL || call->arguments->count < 2)
        return call->flow->unknown;
    const Meaning *value = flow_attribute(call->flow, call->at, argument(call, 0), name);
    return call->arguments->count > 2 ? meaning_join(call->flow, value, argument(call, 2)) : value;
}

static const Meaning *python_setattr(const PythonCall *call) {
    const char *name = argument(call, 1)->items[0].text;
    flow_set_attribute(call->flow, call->at, argument(call, 0), name != NULL ? name : "*", argument(call, 2));
    return call->flow->plain;
}

static const Meaning *python_type(const PythonCall *call) {
    const Meaning *all = NULL;
    for (size_t i = 0; i < argument(call, 0)->count; i++) {
        Sense sense = argument(call, 0)->items[i];
        if (sense.kind == SENSE_INSTANCE || sense.kind == SENSE_CHILD)
            all = meaning_join(
                call->flow, all,
                meaning_of(call->flow,
                           (Sense){.kind = sense.kind == SENSE_CHILD ? SENSE_CHILD_CLASS : SENSE_CLASS,
                                   .node = sense.node,
                                   .file = sense.file,
                                   .frame = sense.frame}));
        else if (sense.kind == SENSE_RAW)
            all = meaning_join(call->flow, all, meaning_name(call->flow, SENSE_TORCH, sense.text));
    }
    return all != NULL ? all : call->flow->plain;
}

/* The class frame of `class`, among `frame`'s class and its bases. */
static Frame *frame_of_class(Frame *frame, const Node *class, int depth) {
    if (frame == NULL || frame->class == class || depth > 20)
        return frame != NULL && frame->class == class ? frame : NULL;
    Frame *found = NULL;
    for (size_t i = 0; frame->bases != NULL && i < frame->bases->count && found == NULL; i++)
        if (frame->bases->items[i].kind == SENSE_CLASS || frame->bases->items[i].kind == SENSE_CHILD_CLASS)
            found = frame_of_class(frame->bases->items[i].frame, class, depth + 1);
    return found;
}

static const Meaning *python_super(const PythonCall *call) {
    Flow *flow = call->flow;
    const Frame *frame = flow->frame;
    while (frame != NULL && frame->self == NULL)
        frame = frame->parent;
    if (frame == NULL || frame->function == NULL || frame->function->parent == NULL)
        return flow->unknown;
    const Sense *self = &frame->self->items[0];
    Frame *class = frame_of_class(self->frame, frame->function->parent, 0);
    return meaning_of(flow, (Sense){.kind = SENSE_SUPER,
                                    .node = class != NULL ? class->class : NULL,
                                    .file = frame->file,
                                    .frame = class,
                                    .receiver = frame->self});
}

/* ---- Containers and iteration ------------------------------------------------------------- */

static const Meaning *elements_of_arguments(const PythonCall *call) {
    return flow_elements(call->flow, call->at, flow_elements(call->flow, call->at, call->all));
}

static const Meaning *python_list(const PythonCall *call) {
    const Meaning *given = argument(call, 0);
    if (call->arguments->count == 1 && meaning_is(given, SENSE_LIST) && given->count == 1 &&
        call->arguments->named == 0) {
        Object *copy = object_new(call->flow);
        const Object *object = given->items[0].object;
        *copy = *object;
        copy->items = NULL;
        copy->count = copy->capacity = 0;
        for (size_t i = 0; i < object->count; i++)
            *(const Meaning **)ARENA_PUSH(call->flow->arena, copy) = object->items[i];
        copy->named = names_copy(call->flow, object->named);
        return meaning_of(call->flow, (Sense){.kind = SENSE_LIST, .object = copy});
    }
    Object *object = object_new(call->flow);
    for (size_t i = 0; i < call->arguments->count; i++)
        object->rest =
            meaning_join(call->flow, object->rest, flow_elements(call->flow, call->at, argument(call, i)));
    for (size_t i = 0; i < call->arguments->named; i++)
        table_put(object->named, call->arguments->names[i], (void *)call->arguments->values[i]);
    return meaning_of(call->flow, (Sense){.kind = SENSE_LIST, .object = object});
}

/* Pairs are flattened: what is in any of them may be anything in it. */
static const Meaning *python_mapping(const PythonCall *call) {
    const Meaning *list = python_list(call);
    Object *object = list->items[0].object;
    const Meaning *rest =
        object->count > 0 || object->rest != NULL ? flow_elements(call->flow, call->at, list) : NULL;
    for (size_t i = 0; rest != NULL && i < rest->count; i++)
        if (rest->items[i].kind == SENSE_LIST) {
            list_forget_order(call->flow, object);
            const Meaning *content = object_everything(call->flow, rest->items[i].object);
            object->rest = meaning_join(call->flow, object->rest, content);
        }
    return list;
}

static const Meaning *python_enumerate(const PythonCall *call) {
    const Meaning *const pair[] = {call->flow->plain, flow_elements(call->flow, call->at, argument(call, 0))};
    return list_of_any(call->flow, list_of(call->flow, pair, 2));
}

static const Meaning *python_zip(const PythonCall *call) {
    Object *tuple = object_new(call->flow);
    tuple->exact = call->arguments->starred == NULL;
    for (size_t i = 0; i < call->arguments->count; i++)
        *(const Meaning **)ARENA_PUSH(call->flow->arena, tuple) =
            flow_elements(call->flow, call->at, argument(call, i));
    tuple->rest = call->arguments->starred;
    return list_of_any(call->flow, meaning_of(call->flow, (Sense){.kind = SENSE_LIST, .object = tuple}));
}

static const Meaning *python_iterate(const PythonCall *call) {
    return list_of_any(call->flow, elements_of_arguments(call));
}

static const Meaning *python_next(const PythonCall *call) {
    return elements_of_arguments(call);
}

static const Meaning *python_map(const PythonCall *call) {
    Arguments given = {0};
    for (size_t i = 1; i < call->arguments->count; i++)
        arguments_push(call->flow, &given, flow_elements(call->flow, call->at, argument(call, i)));
    const Meaning *result = flow_call(call->flow, call->at, argument(call, 0), &given);
    return list_of_any(call->flow, text_equal(call->name, "filter") || text_equal(call->name, "filterfalse")
                                       ? flow_elements(call->flow, call->at, argument(call, 1))
                                       : result);
}

static const Meaning *python_reduce(const PythonCall *call) {
    const Meaning *value = flow_elements(call->flow, call->at, argument(call, 1));
    const Meaning *total =
        call->arguments->count > 2 ? meaning_join(call->flow, value, argument(call, 2)) : value;
    for (int pass = 0; pass < 2; pass++) {
        Arguments pair = arguments_one(call->flow, total);
        arguments_push(call->flow, &pair, value);
        total = meaning_join(call->flow, total, flow_call(call->flow, call->at, argument(call, 0), &pair));
    }
    return total;
}

static const Meaning *python_partial(const PythonCall *call) {
    Object *object = object_new(call->flow);
    for (size_t i = 0; i < call->arguments->count; i++)
        *(const Meaning **)ARENA_PUSH(call->flow->arena, object) = argument(call, i);
    for (size_t i = 0; i < call->arguments->named; i++)
        table_put(object->named, call->arguments->names[i], (void *)call->arguments->values[i]);
    return object->count > 0 ? meaning_of(call->flow, (Sense){.kind = SENSE_PARTIAL, .object = object})
                             : call->flow->unknown;
}

static const Meaning *python_same(const PythonCall *call) {
    return argument(call, 0);
}

static const Meaning *python_cast(const PythonCall *call) {
    return argument(call, 1);
}

static const Meaning *python_record(const PythonCall *call) { /* SimpleNamespace, replace */
    const Meaning *made =
        meaning_is(argument(call, 0), SENSE_INSTANCE) ? argument(call, 0) : list_of_any(call->flow, NULL);
    for (size_t i = 0; i < call->arguments->named; i++)
        flow_set_attribute(call->flow, call->at, made, call->arguments->names[i], call->arguments->values[i]);
    return made;
}

/* The class that namedtuple makes: called, it makes a tuple. */
static const Meaning *python_namedtuple(const PythonCall *call) {
    return meaning_name(call->flow, SENSE_PYTHON, "collections.namedtuple()");
}

static const Meaning *python_tuple(const PythonCall *call) {
    return call->all;
}

/* ---- operator ----------------------------------------------------------------------------- */

/* attrgetter and methodcaller wait for the object; what they will ask stands after a colon. */
static const Meaning *python_caller(const PythonCall *call) {
    const char *name = argument(call, 0)->items[0].text;
    if (name == NULL)
        return call->flow->unknown;
    Object *object = object_new(call->flow);
    const char *waiting = arena_printf(call->flow->arena, "operator.%s():%s", call->name, name);
    *(const Meaning **)ARENA_PUSH(call->flow->arena, object) =
        meaning_name(call->flow, SENSE_PYTHON, waiting);
    for (size_t i = 1; i < call->arguments->count; i++)
        *(const Meaning **)ARENA_PUSH(call->flow->arena, object) = argument(call, i);
    return meaning_of(call->flow, (Sense){.kind = SENSE_PARTIAL, .object = object});
}

static const Meaning *call_waiting(Flow *flow, const Node *at, const char *name, const Arguments *arguments) {
    const char *attribute = strchr(name, ':') + 1;
    if (arguments->count == 0)
        return flow->unknown;
    const Meaning *object = arguments->items[arguments->count - 1];
    if (text_starts(name, "operator.itemgetter"))
        return flow_elements(flow, at, object);
    if (text_starts(name, "operator.attrgetter"))
        return flow_attribute(flow, at, object, attribute);
    Arguments rest = *arguments;
    rest.count--;
    Sense bound = {.kind = SENSE_BOUND, .text = attribute, .receiver = object};
    return flow_call_bound(flow, at, &bound, &rest);
}

static const Meaning *python_sign(const PythonCall *call) {
    char name[64];
    size_t length = strlen(call->name);
    while (length > 0 && call->name[length - 1] == '_')
        length--;
    const char *bare = call->name;
    while (*bare == '_') {
        bare++;
        length--;
    }
    if (length >= sizeof name)
        return call->flow->unknown;
    memcpy(name, bare, length);
    name[length] = '\0';
    Arena *arena = call->flow->arena;
    const char *dunder = arena_printf(arena, "__%s__", name),
               *spelled = arena_printf(arena, "operator.%s", name);
    if (text_equal(name, "getitem") && call->arguments->count == 2)
        return flow_item(call->flow, call->at, argument(call, 0), argument(call, 1));
    if (text_equal(name, "is") || text_equal(name, "is_not"))
        return call->flow->plain;
    if (call->arguments->count == 2)
        return flow_python_binary(call->flow, call->at, dunder, spelled, argument(call, 0),
                                  argument(call, 1));
    return flow_operate(call->flow, call->at, dunder, spelled, call->arguments);
}

/* ---- einops ------------------------------------------------------------------------------- */

static const Meaning *call_einops(const PythonCall *call) {
    static const struct {
        const char *name, *operator;
    } LIKE[] = {{"rearrange", "reshape"},
                {"repeat", "repeat"},
                {"pack", "cat"},
                {"unpack", "split"},
                {"einsum", "einsum"}};
    if (text_equal(call->name, "parse_shape"))
        return call->flow->plain;
    if (text_equal(call->name, "layers.torch.Rearrange"))
        return meaning_name(call->flow, SENSE_PLUMBING, "Rearrange");
    if (text_starts(call->name, "layers.")) {
        flow_report(call->flow, &RULE_INIT_MODULE, SEVERITY_VIOLATION, call->at, NULL,
                    "einops.%s is built here", call->name);
        return meaning_name(call->flow, SENSE_RAW, call->name);
    }
    const char *spelled = arena_printf(call->flow->arena, "einops.%s", call->name);
    for (size_t i = 0; i < COUNT_OF(LIKE); i++)
        if (text_equal(call->name, LIKE[i].name))
            return flow_operate(call->flow, call->at, LIKE[i].operator, spelled, call->arguments);
    return flow_operate(call->flow, call->at, spelled, spelled, call->arguments);
}

/* ---- The table ---------------------------------------------------------------------------- */

typedef struct PythonRow {
    const char *name; /* with a last dot: every name of the module */
    Handler *handler;
} PythonRow;

static const PythonRow ROWS[] = {
    {"builtins.len", python_len},
    {"builtins.int", python_int},
    {"builtins.bool", python_bool},
    {"builtins.float", python_read},
    {"builtins.complex", python_read},
    {"builtins.str", python_read},
    {"builtins.repr", python_read},
    {"builtins.format", python_read},
    {"builtins.print", python_read},
    {"builtins.hash", python_read},
    {"builtins.ord", python_read},
    {"builtins.bytes", python_read},
    {"builtins.range", python_int},
    {"builtins.hex", python_read},
    {"builtins.bin", python_read},
    {"builtins.oct", python_read},
    {"builtins.slice", python_int},
    {"builtins.abs", python_operator},
    {"builtins.round", python_operator},
    {"builtins.divmod", python_operator},
    {"builtins.pow", python_power},
    {"builtins.any", python_test},
    {"builtins.all", python_test},
    {"builtins.max", python_compare},
    {"builtins.min", python_compare},
    {"builtins.sorted", python_compare},
    {"builtins.sum", python_sum},
    {"builtins.getattr", python_getattr},
    {"builtins.setattr", python_setattr},
    {"builtins.type", python_type},
    {"builtins.super", python_super},
    {"builtins.list", python_list},
    {"builtins.tuple", python_list},
    {"builtins.set", python_list},
    {"builtins.frozenset", python_list},
    {"builtins.dict", python_mapping},
    {"builtins.iter", python_list},
    {"builtins.reversed", python_list},
    {"builtins.enumerate", python_enumerate},
    {"builtins.zip", python_zip},
    {"builtins.map", python_map},
    {"builtins.filter", python_map},
    {"builtins.next", python_next},
    {"builtins.staticmethod", python_same},
    {"builtins.classmethod", python_same},
    {"builtins.", python_nothing},
    {"math.", python_read},
    {"cmath.", python_read},
    {"functools.partial", python_partial},
    {"functools.reduce", python_reduce},
    {"functools.", python_same},
    {"itertools.starmap", python_map},
    {"itertools.accumulate", python_sum},
    {"itertools.zip_longest", python_zip},
    {"itertools.filterfalse", python_map},
    {"itertools.", python_iterate},
    {"collections.namedtuple()", python_tuple},
    {"collections.namedtuple", python_namedtuple},
    {"collections.", python_mapping},
    {"copy.", python_same},
    {"types.SimpleNamespace", python_record},
    {"dataclasses.replace", python_record},
    {"operator.methodcaller", python_caller},
    {"operator.attrgetter", python_caller},
    {"operator.itemgetter", python_caller},
    {"operator.", python_sign},
    {"einops.", call_einops},
    {"logging.", python_read},
    {"warnings.", python_read},
    {"typing.cast", python_cast},
    {"typing.", python_nothing},
    {"contextlib.", python_nothing},
    {"dataclasses.", python_nothing},
    {"enum.", python_nothing},
    {"abc.", python_nothing},
    {"types.", python_nothing},
    {"numbers.", python_nothing},
    {"sys.", python_nothing},
    {"os.", python_nothing},
    {"pathlib.", python_nothing},
    {"importlib.", python_nothing},
};

static const Meaning *call_unknown_library(const PythonCall *call) {
    Summary summary = {0};
    summarise(call->flow, call->all, &summary);
    if (summary.data != NULL && call->flow->phase == PHASE_FORWARD)
        flow_report(call->flow, &RULE_OP_COMPUTE, SEVERITY_VIOLATION, call->at, NULL, "%s is compute",
                    call->name);
    else
        flow_report(call->flow, &RULE_FLOW_UNKNOWN, SEVERITY_UNDECIDED, call->at, NULL,
                    "what %s gives can't be followed", call->name);
    return call->flow->unknown;
}

const Meaning *flow_call_python(Flow *flow, const Node *at, const char *name, const Arguments *arguments) {
    if (strchr(name, ':') != NULL)
        return call_waiting(flow, at, name, arguments);
    PythonCall call = {flow, at, name, arguments, arguments_all(flow, arguments)};
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        bool whole = text_ends(ROWS[i].name, ".");
        if (whole ? !text_starts(name, ROWS[i].name) : !text_equal(name, ROWS[i].name))
            continue;
        const char *dot = strchr(name, '.');
        call.name = dot != NULL ? dot + 1 : name;
        return ROWS[i].handler(&call);
    }
    return call_unknown_library(&call);
}
