/* Outputs against what get_expected_output_shape() says. */
#include "component_parts.h"

#include <string.h>

typedef struct Leaves {
    Arena *arena;
    const Trace *trace;
    struct {
        TensorFact *items;
        size_t count, capacity;
    } list;
} Leaves;

static void take_output(const char *path, const Value *value, void *context) {
    Leaves *leaves = context;
    const TraceTensor *tensor = &leaves->trace->tensors[value->tensor.number];
    *(TensorFact *)ARENA_PUSH(leaves->arena, &leaves->list) =
        (TensorFact){arena_strdup(leaves->arena, path), tensor->dtype, tensor->shape, tensor->rank};
}

static bool is_sequence(const Value *value) {
    return value->kind == VALUE_TUPLE || value->kind == VALUE_LIST || value->kind == VALUE_SIZE;
}

static bool is_shape(const Value *value) {
    if (!is_sequence(value))
        return false;
    for (size_t i = 0; i < value->list.count; i++)
        if (value->list.items[i].kind != VALUE_INT)
            return false;
    return true;
}

static const char *shape_text(Arena *arena, const Value *shape) {
    Text text = text_new(arena);
    for (size_t i = 0; i < shape->list.count; i++)
        text_printf(&text, "%s%lld", i > 0 ? ", " : "", (long long)shape->list.items[i].integer);
    return arena_printf(arena, "[%s]", text.data);
}

static const char *one_problem(Arena *arena, const Value *shape, const TensorFact *given) {
    bool equal = shape->list.count == given->rank;
    for (size_t i = 0; equal && i < given->rank; i++)
        equal = shape->list.items[i].integer == given->shape[i];
    return equal ? NULL
                 : arena_printf(arena, "%s is %s, and get_expected_output_shape() says %s", given->name,
                                tensor_fact_describe(arena, given), shape_text(arena, shape));
}

const char *tensor_fact_describe(Arena *arena, const TensorFact *fact) {
    Text text = text_new(arena);
    text_printf(&text, "%s [", fact->dtype);
    for (size_t i = 0; i < fact->rank; i++)
        text_printf(&text, "%s%lld", i > 0 ? ", " : "", (long long)fact->shape[i]);
    text_add(&text, "]");
    return text.data;
}

static const char *named_problem(const Leaves *leaves, const Value *expected) {
    Arena *arena = leaves->arena;
    for (size_t i = 0; i + 1 < expected->list.count; i += 2) {
        const Value *key = &expected->list.items[i], *shape = &expected->list.items[i + 1];
        if (key->kind != VALUE_STR || !is_shape(shape))
            return "get_expected_output_shape() gives a dict whose values are no shapes";
        const char *path = arena_printf(arena, "out[\"%s\"]", key->text.data),
                   *field = arena_printf(arena, "out.%s", key->text.data);
        const TensorFact *found = NULL;
        for (size_t j = 0; j < leaves->list.count; j++)
            if (text_equal(leaves->list.items[j].name, path) || text_equal(leaves->list.items[j].name, field))
                found = &leaves->list.items[j];
        if (found == NULL && expected->list.count == 2 && leaves->list.count == 1)
            found = &leaves->list.items[0];
        if (found == NULL)
            return arena_printf(arena,
                                "get_expected_output_shape() names an output \"%s\", which it does not give",
                                key->text.data);
        const char *problem = one_problem(arena, shape, found);
        if (problem != NULL)
            return problem;
    }
    return NULL;
}

/* Shapes in the order of the outputs, however both are nested; None stands for what is no tensor. */
static bool flatten(const Value *expected, int depth, const Value **shapes, size_t *count, size_t most) {
    if (expected->kind == VALUE_NONE)
        return true;
    if (is_shape(expected) && (expected->list.count > 0 || depth > 0)) {
        if (*count == most)
            return false;
        shapes[(*count)++] = expected;
        return true;
    }
    if (!is_sequence(expected) || depth > 8)
        return false;
    for (size_t i = 0; i < expected->list.count; i++)
        if (!flatten(&expected->list.items[i], depth + 1, shapes, count, most))
            return false;
    return true;
}

const char *component_shape_problem(Arena *arena, const Value *expected, const Trace *trace) {
    enum { MOST_SHAPES = 1000 };
    Leaves leaves = {.arena = arena, .trace = trace};
    value_walk_tensors(arena, &trace->outputs, "out", take_output, &leaves);
    if (leaves.list.count == 0)
        return "it gives no tensor";
    if (expected->kind == VALUE_DICT)
        return named_problem(&leaves, expected);
    if (is_shape(expected)) /* of the only output, or of the first, which is what people mean */
        return one_problem(arena, expected, &leaves.list.items[0]);
    const Value **shapes = ARENA_ARRAY(arena, const Value *, MOST_SHAPES);
    size_t count = 0;
    if (!flatten(expected, 0, shapes, &count, MOST_SHAPES))
        return arena_printf(arena,
                            "get_expected_output_shape() gives %s, which is no shape and no list of shapes",
                            value_describe(arena, expected));
    if (count != leaves.list.count)
        return arena_printf(arena, "it gives %zu tensors, and get_expected_output_shape() says %zu",
                            leaves.list.count, count);
    for (size_t i = 0; i < count; i++) {
        const char *problem = one_problem(arena, shapes[i], &leaves.list.items[i]);
        if (problem != NULL)
            return problem;
    }
    return NULL;
}
