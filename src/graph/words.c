/* Terms in words. */
#include "unify_parts.h"

#include <stdlib.h>
#include <string.h>

static bool holds_tensors(const Value *value) {
    if (value->kind == VALUE_TENSOR)
        return true;
    for (size_t i = 0; value_is_container(value) && i < value->list.count; i++)
        if (holds_tensors(&value->list.items[i]))
            return true;
    return false;
}

/* Lists of sizes are short and worth reading: [2, 3]. */
static void add_value(Text *text, const Value *value) {
    enum { MANY = 8 };
    bool flat = value->kind == VALUE_LIST || value->kind == VALUE_TUPLE || value->kind == VALUE_SIZE;
    for (size_t i = 0; flat && i < value->list.count; i++)
        flat = !value_is_container(&value->list.items[i]);
    if (!flat || value->list.count > MANY) {
        text_add(text, value_describe(text->arena, value));
        return;
    }
    text_add(text, "[");
    for (size_t i = 0; i < value->list.count; i++)
        text_printf(text, "%s%s", i > 0 ? ", " : "", value_describe(text->arena, &value->list.items[i]));
    text_add(text, "]");
}

/* ATen's names for what people write otherwise. */
static const char *const NAMES[][2] = {
    {"native_layer_norm", "layer_norm"},
    {"native_group_norm", "group_norm"},
    {"native_batch_norm", "batch_norm"},
    {"_native_batch_norm_legit", "batch_norm"},
    {"_native_batch_norm_legit_functional", "batch_norm"},
    {"_native_batch_norm_legit_no_training", "batch_norm"},
    {"native_dropout", "dropout"},
    {"_fused_rms_norm", "rms_norm"},
    {"_softmax", "softmax"},
    {"_log_softmax", "log_softmax"},
    {"convolution", "conv"},
    {"_to_copy", "to"},
    {"_unsafe_view", "view"},
    {"_reshape_alias", "view"},
    {"_scaled_dot_product_flash_attention_for_cpu", "scaled_dot_product_attention"},
    {"_scaled_dot_product_attention_math", "scaled_dot_product_attention"},
};

static bool is_linear(const Graph *graph, const Term *term, const char *name) {
    const Trace *trace = graph->trace;
    return (strcmp(name, "mm") == 0 || strcmp(name, "addmm") == 0) && trace != NULL &&
           term->call < trace->call_count &&
           strcmp(trace_operator(trace, &trace->calls[term->call]), "torch.nn.functional.linear") == 0;
}

/* "aten::add_.Tensor" -> "add_"; other namespaces than PyTorch's and ours stay. */
static const char *name_words(Arena *arena, const Graph *graph, const Term *term) {
    const char *name = term->operator;
    if (text_starts(name, "aten::") || text_starts(name, "plumbline::"))
        name = strstr(name, "::") + 2;
    name = arena_strndup(arena, name, strcspn(name, "."));
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (strcmp(name, NAMES[i][0]) == 0)
            return NAMES[i][1];
    return is_linear(graph, term, name) ? "linear" : name;
}

static bool is_number(const Value *value, int64_t number) {
    return (value->kind == VALUE_INT || value->kind == VALUE_BOOL) && value->integer == number;
}

static bool is_all(const Value *value, int64_t number) {
    for (size_t i = 0; value_is_container(value) && i < value->list.count; i++)
        if (!is_number(&value->list.items[i], number))
            return false;
    return value_is_container(value) || is_number(value, number);
}

/* What people leave out, though the schema has no default for it. */
static bool is_usual(const Term *term, const char *name, const Value *value) {
    static const struct {
        const char *operator, * name;
        int64_t number;
    } USUAL[] = {
        {"aten::_softmax", "half_to_float", 0},     {"aten::_log_softmax", "half_to_float", 0},
        {"aten::convolution", "stride", 1},         {"aten::convolution", "padding", 0},
        {"aten::convolution", "dilation", 1},       {"aten::convolution", "transposed", 0},
        {"aten::convolution", "output_padding", 0}, {"aten::convolution", "groups", 1},
    };
    for (size_t i = 0; i < COUNT_OF(USUAL); i++)
        if (strcmp(term->operator, USUAL[i].operator) == 0 && strcmp(name, USUAL[i].name) == 0)
            return is_all(value, USUAL[i].number);
    return false;
}

/* Does `like`, the same operator, say something else there? */
static bool is_contrast(const Term *term, const Term *like, size_t arg) {
    return like != NULL && like->args != NULL && like->arg_count == term->arg_count &&
           text_equal(like->operator, term->operator) && !value_equal(&like->args[arg], &term->args[arg]);
}

static bool is_said(const Term *term, const Term *like, size_t arg) {
    const Value *value = &term->args[arg];
    if (holds_tensors(value))
        return false;
    if (is_contrast(term, like, arg))
        return true;
    if (value->kind == VALUE_NONE || is_number(value, INT64_MAX) ||
        is_usual(term, term->arg_names[arg], value))
        return false;
    return value->kind == VALUE_STR || term->arg_defaults == NULL || !term->arg_defaults[arg];
}

static const char *operator_words(Arena *arena, const Graph *graph, const Term *term, const Term *like) {
    Text text = text_new(arena);
    text_printf(&text, "%s(", name_words(arena, graph, term));
    if (strcmp(term->operator, "aten::_to_copy") == 0) { /* most were made as casts, and have no arguments */
        text_printf(&text, "%s)", text_starts(term->dtype, "torch.") ? term->dtype + 6 : term->dtype);
        return text.data;
    }
    bool first = true;
    for (size_t i = 0; term->args != NULL && i < term->arg_count; i++) {
        if (!is_said(term, like, i))
            continue;
        text_printf(&text, "%s%s=", first ? "" : ", ", term->arg_names[i]);
        add_value(&text, &term->args[i]);
        first = false;
    }
    text_add(&text, ")");
    if (term->kind == TERM_VIEW && term->item != SIZE_MAX)
        text_printf(&text, "[%zu]", term->item);
    return text.data;
}

static const char *shape_words(Arena *arena, const Term *term) {
    Text text = text_new(arena);
    text_add(&text, "[");
    for (size_t i = 0; i < term->rank; i++)
        text_printf(&text, "%s%lld", i > 0 ? ", " : "", (long long)term->shape[i]);
    text_add(&text, "]");
    return text.data;
}

const char *term_form_words(Arena *arena, const Term *term) {
    const char *dtype = term->dtype == NULL ? "?" : term->dtype;
    if (text_starts(dtype, "torch."))
        dtype += strlen("torch.");
    return arena_printf(arena, "%s %s", dtype, shape_words(arena, term));
}

static int compare_sizes(const void *a, const void *b) {
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

static bool same_sizes(Arena *arena, const Term *a, const Term *b) {
    if (a->rank != b->rank)
        return false;
    if (a->rank == 0)
        return true;
    int64_t *one = arena_copy(arena, a->shape, a->rank * sizeof *one);
    int64_t *other = arena_copy(arena, b->shape, b->rank * sizeof *other);
    qsort(one, a->rank, sizeof *one, compare_sizes);
    qsort(other, a->rank, sizeof *other, compare_sizes);
    return memcmp(one, other, a->rank * sizeof *one) == 0;
}

static double elements(const Term *term) {
    double count = 1;
    for (size_t i = 0; i < term->rank; i++)
        count *= (double)term->shape[i];
    return count;
}

static const char *view_words(Arena *arena, const Graph *graph, const Term *term) {
    if (term->operand_count == 0)
        return "a view";
    const Term *base = term_at(graph, term->operands[0]);
    const char *from = shape_words(arena, base), *to = shape_words(arena, term);
    if (elements(term) < elements(base))
        return arena_printf(arena, "a selection of %s from %s", to, from);
    if (elements(term) > elements(base))
        return arena_printf(arena, "an expansion of %s to %s", from, to);
    if (same_sizes(arena, term, base))
        return arena_printf(arena, "a permutation of %s to %s", from, to);
    return arena_printf(arena, "a change of shape from %s to %s", from, to);
}

const char *term_describe_beside(Arena *arena, const Graph *graph, TermId id, const Term *like) {
    if (id.number >= graph->term_count)
        return "nothing";
    const Term *term = term_at(graph, id);
    const char *key = term->key == NULL ? "" : text_printable(arena, term->key, strlen(term->key));
    switch (term->kind) {
    case TERM_INPUT: return arena_printf(arena, "the input %s", key);
    case TERM_STATE: return term->key == NULL ? "a parameter" : key;
    case TERM_CONSTANT: return arena_printf(arena, "a constant %s", term_form_words(arena, term));
    case TERM_OPERATOR: return operator_words(arena, graph, term, like);
    case TERM_VIEW:
        return term->args != NULL ? operator_words(arena, graph, term, like) : view_words(arena, graph, term);
    case TERM_WRITE: return arena_printf(arena, "a write into part of %s", shape_words(arena, term));
    case TERM_INITIAL:
        return "memory before it is written, or a parameter as it is before weights are loaded";
    case TERM_UNKNOWN: return "a value of no known origin";
    }
    return "";
}

const char *term_describe(Arena *arena, const Graph *graph, TermId id) {
    return term_describe_beside(arena, graph, id, NULL);
}

const char *term_module(const Graph *graph, TermId id) {
    const Trace *trace = graph->trace;
    const Term *term = term_at(graph, id);
    if (trace == NULL || term->call >= trace->call_count)
        return NULL;
    int64_t call = trace->calls[term->call].module_call;
    if (call < 0 || (size_t)call >= trace->module_call_count)
        return NULL;
    const char *path = trace->modules[trace->module_calls[call].module].path;
    return *path == '\0' ? NULL : path;
}

const char *term_module_words(Arena *arena, const Graph *graph, TermId id) {
    const char *module = id.number == NO_TERM ? NULL : term_module(graph, id);
    return module == NULL ? "" : arena_printf(arena, " in %s", module);
}
