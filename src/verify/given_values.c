/* What forward is given besides tensors: numbers, truth values, strings, None, and containers of them. */
#include "check_parts.h"

#include <string.h>

static bool holds_tensor(const Value *value) {
    bool holds = value->kind == VALUE_TENSOR || value->kind == VALUE_MODULE;
    for (size_t i = 0; value_is_container(value) && i < value->list.count && !holds; i++)
        holds = holds_tensor(&value->list.items[i]);
    return holds;
}

static bool is_list(const Value *value) {
    return value->kind == VALUE_LIST || value->kind == VALUE_TUPLE;
}

static bool is_number(const Value *value) {
    return value->kind == VALUE_INT || value->kind == VALUE_FLOAT;
}

static double number_of(const Value *value) {
    return value->kind == VALUE_INT ? (double)value->integer : value->real;
}

/* The first part that differs; NULL: none. Where tensors are, they are compared elsewhere. */
static const Value *part_that_differs(const Value *own, const Value *there, const Value **other) {
    *other = there;
    if (is_number(own) && is_number(there) && number_of(own) == number_of(there))
        return NULL;
    const bool comparable = value_is_container(own) && value_is_container(there) &&
                            (own->kind == there->kind || (is_list(own) && is_list(there))) &&
                            own->list.count == there->list.count;
    if (!comparable)
        return holds_tensor(own) || holds_tensor(there) || value_equal(own, there) ? NULL : own;
    for (size_t i = 0; i < own->list.count; i++) {
        const Value *part = part_that_differs(&own->list.items[i], &there->list.items[i], other);
        if (part != NULL)
            return part;
    }
    return NULL;
}

/* forward's argument `name`, the positional one at `position`; NULL: its default is used. */
static const Value *argument_given(const Value *args, const Value *kwargs, size_t position,
                                   const char *name) {
    if (value_is_container(args) && position < args->list.count)
        return &args->list.items[position];
    for (size_t i = 0; kwargs->kind == VALUE_DICT && i + 1 < kwargs->list.count; i += 2)
        if (kwargs->list.items[i].kind == VALUE_STR && text_equal(kwargs->list.items[i].text.data, name))
            return &kwargs->list.items[i + 1];
    return NULL;
}

const char *given_difference(Arena *arena, const Tree *tree, const Trace *trace, const TraceModuleCall *there,
                             const Trace *own) {
    const char **names, *rest;
    const size_t count = forward_argument_names(arena, tree, &names, &rest);
    for (size_t i = 0; i < count; i++) {
        const Value *mine = argument_given(&own->args, &own->kwargs, i, names[i]), *other;
        const Value *given = argument_given(&there->args, &there->kwargs, i, names[i]);
        const Value *part = mine == NULL || given == NULL ? NULL : part_that_differs(mine, given, &other);
        const char *texts[2];
        if (part == NULL)
            continue;
        value_describe_both(arena, part, other, texts);
        return arena_printf(arena, "%s is given %s here, %s in the original (at %s)", names[i], texts[0],
                            texts[1], trace->modules[there->module].path);
    }
    return NULL;
}
