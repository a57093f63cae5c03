/* Values in words: paths to their parts, short descriptions. */
#include "trace.h"

#include <string.h>

/* By kind: the Python type's name, NULL where the value carries it. */
static const char *const TYPE_NAMES[] = {
    [VALUE_NONE] = "NoneType",
    [VALUE_BOOL] = "bool",
    [VALUE_INT] = "int",
    [VALUE_BIGINT] = "int",
    [VALUE_FLOAT] = "float",
    [VALUE_COMPLEX] = "complex",
    [VALUE_STR] = "str",
    [VALUE_BYTES] = "bytes",
    [VALUE_TENSOR] = "Tensor",
    [VALUE_LIST] = "list",
    [VALUE_TUPLE] = "tuple",
    [VALUE_SET] = "set",
    [VALUE_DICT] = "dict",
    [VALUE_NAMEDTUPLE] = NULL,
    [VALUE_DATACLASS] = NULL,
    [VALUE_SIZE] = "torch.Size",
    [VALUE_DTYPE] = "torch.dtype",
    [VALUE_DEVICE] = "torch.device",
    [VALUE_MEMORY_FORMAT] = "torch.memory_format",
    [VALUE_SLICE] = "slice",
    [VALUE_RANGE] = "range",
    [VALUE_ELLIPSIS] = "ellipsis",
    [VALUE_MODULE] = "module",
    [VALUE_FUNCTION] = "function",
    [VALUE_OTHER] = NULL,
};

const char *value_type_name(const Value *value) {
    if (value->kind == VALUE_OTHER)
        return value->text.data;
    return value->name != NULL ? value->name : TYPE_NAMES[value->kind];
}

static const char *short_text(Arena *arena, const Value *value) {
    enum { LONGEST = 48 };
    bool cut = value->text.length > LONGEST;
    return arena_printf(arena, "'%s%s'",
                        text_printable(arena, value->text.data, cut ? LONGEST : value->text.length),
                        cut ? "..." : "");
}

/* Both ends: large ints often differ in the last digits alone. */
static const char *bigint_text(Arena *arena, const Value *value) {
    enum { LONGEST = 64, END = 24 };
    const size_t length = strlen(value->text.data);
    if (length <= LONGEST)
        return text_printable(arena, value->text.data, length);
    return arena_printf(arena, "%.*s...%s", END, value->text.data, value->text.data + length - END);
}

const char *value_describe(Arena *arena, const Value *value) {
    switch (value->kind) {
    case VALUE_NONE: return "None";
    case VALUE_BOOL: return value->integer ? "True" : "False";
    case VALUE_INT: return arena_printf(arena, "%lld", (long long)value->integer);
    case VALUE_FLOAT: return arena_printf(arena, "%.9g", value->real);
    case VALUE_COMPLEX:
        return arena_printf(arena, "%.9g%+.9gj", value->complex.real, value->complex.imaginary);
    case VALUE_STR: return short_text(arena, value);
    case VALUE_BYTES: return arena_printf(arena, "%zu bytes", value->text.length);
    case VALUE_TENSOR: return arena_printf(arena, "tensor %u", value->tensor.number);
    case VALUE_ELLIPSIS: return "...";
    case VALUE_BIGINT: return bigint_text(arena, value);
    case VALUE_DTYPE:
    case VALUE_DEVICE:
    case VALUE_MEMORY_FORMAT: return text_printable(arena, value->text.data, strnlen(value->text.data, 64));
    case VALUE_MODULE: return arena_printf(arena, "the module %s", short_text(arena, value));
    case VALUE_FUNCTION: return arena_printf(arena, "the function %s", short_text(arena, value));
    case VALUE_OTHER: return arena_printf(arena, "an object of type %s", short_text(arena, value));
    default: break;
    }
    size_t count = value->kind == VALUE_DICT ? value->list.count / 2 : value->list.count;
    return arena_printf(arena, "%s of %zu",
                        text_printable(arena, value_type_name(value), strnlen(value_type_name(value), 48)),
                        count);
}

void value_describe_both(Arena *arena, const Value *a, const Value *b, const char *texts[2]) {
    const Value *values[] = {a, b};
    for (size_t i = 0; i < 2; i++)
        texts[i] = value_describe(arena, values[i]);
    if (strcmp(texts[0], texts[1]) != 0)
        return;
    const bool of_one_type = strcmp(value_type_name(a), value_type_name(b)) == 0;
    for (size_t i = 0; i < 2; i++) {
        if (!of_one_type)
            texts[i] = arena_printf(arena, "%s (%s)", texts[i], value_type_name(values[i]));
        else if (a->kind == VALUE_FLOAT)
            texts[i] = arena_printf(arena, "%.17g", values[i]->real);
        else
            texts[i] = arena_printf(arena, i == 0 ? "%s" : "another %s", texts[i]);
    }
}

const Value *value_field(const Value *value, const char *name) {
    if (!value_is_container(value))
        return NULL;
    if (value->fields != NULL) {
        for (size_t i = 0; i < value->list.count; i++)
            if (strcmp(value->fields[i], name) == 0)
                return &value->list.items[i];
    } else if (value->kind == VALUE_DICT) {
        for (size_t i = 0; i + 1 < value->list.count; i += 2) {
            const Value *key = &value->list.items[i];
            if (key->kind == VALUE_STR && strcmp(key->text.data, name) == 0)
                return &value->list.items[i + 1];
        }
    }
    return NULL;
}

typedef struct Walk {
    Arena *arena;
    Text path;
    bool tensors_only;
    ValueVisitor *visit;
    void *context;
} Walk;

static void add_key(Walk *walk, const Value *key) {
    if (key->kind == VALUE_STR)
        text_printf(&walk->path, "[\"%s\"]",
                    text_printable_lines(walk->arena, key->text.data, key->text.length));
    else
        text_printf(&walk->path, "[%s]", value_describe(walk->arena, key));
}

static void walk_value(Walk *walk, const Value *value) {
    if (!value_is_container(value)) {
        if (!walk->tensors_only || value->kind == VALUE_TENSOR)
            walk->visit(walk->path.data, value, walk->context);
        return;
    }
    size_t length = walk->path.length;
    for (size_t i = 0; i < value->list.count; i++) {
        if (value->fields != NULL)
            text_printf(&walk->path, ".%s",
                        text_printable_lines(walk->arena, value->fields[i], strlen(value->fields[i])));
        else if (value->kind == VALUE_DICT)
            add_key(walk, &value->list.items[i++]);
        else
            text_printf(&walk->path, "[%zu]", i);
        walk_value(walk, &value->list.items[i]);
        walk->path.length = length;
        walk->path.data[length] = '\0';
    }
}

static void start_walk(Arena *arena, const Value *value, const char *prefix, bool tensors_only,
                       ValueVisitor *visit, void *context) {
    char few[256] = ""; /* of most paths: there may be millions of walks */
    const Text path = {.arena = arena, .data = few, .capacity = sizeof few};
    Walk walk = {arena, path, tensors_only, visit, context};
    text_add(&walk.path, prefix);
    walk_value(&walk, value);
}

void value_walk(Arena *arena, const Value *value, const char *prefix, ValueVisitor *visit, void *context) {
    start_walk(arena, value, prefix, false, visit, context);
}

void value_walk_tensors(Arena *arena, const Value *value, const char *prefix, ValueVisitor *visit,
                        void *context) {
    start_walk(arena, value, prefix, true, visit, context);
}
