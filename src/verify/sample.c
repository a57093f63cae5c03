/* The sample that trials begin with, the original's inputs, changed: other numbers, other sizes. */
#include "step_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_COMPARED = 1 << 20 };

/* Every tensor of some values, in the order of their structure. */
typedef struct TensorOrder {
    Arena *arena;
    struct {
        TensorId *items;
        size_t count, capacity;
    } list;
} TensorOrder;

static void collect_tensor(const char *path, const Value *value, void *context) {
    TensorOrder *order = context;
    (void)path;
    *(TensorId *)ARENA_PUSH(order->arena, &order->list) = value->tensor;
}

static TensorOrder tensors_in_order(Arena *arena, const Value *args, const Value *kwargs) {
    TensorOrder order = {.arena = arena};
    value_walk_tensors(arena, args, "", collect_tensor, &order);
    value_walk_tensors(arena, kwargs, "", collect_tensor, &order);
    return order;
}

/* Bounds of the integer inputs: the whole table that they index (soundness 13), if they index one. The trace
 * has the same arguments in the same structure, under numbers of its own. */
static void find_bounds(StepState *step, const Value *args, const Value *kwargs, InputTensor *inputs) {
    const Trace *trace = &step->original_trace;
    TensorOrder sample = tensors_in_order(step->arena, args, kwargs);
    TensorOrder traced = tensors_in_order(step->arena, &trace->args, &trace->kwargs);
    for (size_t i = 0; i < sample.list.count && i < traced.list.count; i++) {
        const TraceTensor *tensor = &trace->tensors[traced.list.items[i].number];
        if (tensor->origin == ORIGIN_INPUT)
            inputs[sample.list.items[i].number].high = trace_integer_bound(trace, tensor->keys[0]) - 1;
    }
}

static Status decode_inputs(StepState *step, const json_t *trial, Bytes file, InputTensor **inputs,
                            size_t *count, Error *error) {
    Arena *arena = step->arena;
    const json_t *tensors = json_object_get(trial, "tensors");
    *count = json_array_size(tensors);
    *inputs = ARENA_ARRAY(arena, InputTensor, *count + 1);
    for (size_t i = 0; i < *count; i++) {
        (*inputs)[i].high = -1;
        if (tensor_located_decode(arena, json_array_get(tensors, i), file, "get_inputs()",
                                  &(*inputs)[i].tensor, error) != STATUS_OK)
            return STATUS_ERROR;
    }
    Value args, kwargs;
    if (value_decode(arena, json_object_get(trial, "args"), *count, "get_inputs()", &args, error) !=
            STATUS_OK ||
        value_decode(arena, json_object_get(trial, "kwargs"), *count, "get_input_kwargs()", &kwargs, error) !=
            STATUS_OK)
        return STATUS_ERROR;
    if (step->has_traces)
        find_bounds(step, &args, &kwargs, *inputs);
    return STATUS_OK;
}

Status sample_perturb(StepState *step, const json_t *trial, InputKind kind, uint64_t seed, MemoryFile **file,
                      Error *error) {
    const MemoryFile *source = step->original_description.inputs;
    Bytes bytes;
    if (memory_file_map(step->original_description.inputs, &bytes, error) != STATUS_OK)
        return STATUS_ERROR;
    InputTensor *inputs;
    size_t count, offset;
    if (decode_inputs(step, trial, bytes, &inputs, &count, error) != STATUS_OK)
        return STATUS_ERROR;
    uint8_t *target = calloc(1, source->size > 0 ? source->size : 1);
    if (target == NULL)
        return error_set(error, step->options->original, "free some memory", "no memory for the inputs");
    inputs_perturb(inputs, count, bytes, target, kind, seed);
    Status status = memory_file_new(step->arena, "inputs", file, error);
    if (status == STATUS_OK)
        status = memory_file_append(*file, (Bytes){target, source->size}, 64, &offset, error);
    if (status == STATUS_OK)
        status = memory_file_seal(*file, error);
    free(target);
    return status;
}

static json_int_t size_of(const json_t *tensor, size_t dimension) {
    return json_integer_value(json_array_get(json_object_get(tensor, "shape"), dimension));
}

/* The last dimension of numbers is no length, but of images. */
static bool may_vary(const json_t *tensor, size_t dimension) {
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    const size_t rank = json_array_size(json_object_get(tensor, "shape"));
    const bool numbers = dtype != NULL && strstr(dtype, "float") != NULL;
    return rank > dimension && (dimension == 0 || !numbers || rank > dimension + 1 || rank > 3) &&
           size_of(tensor, dimension) > 0;
}

/* The size of the first tensor that may vary along a dimension, or 0: all that have this size vary with it.
 */
static json_int_t common_size(const json_t *tensors, size_t dimension) {
    for (size_t i = 0; i < json_array_size(tensors); i++)
        if (may_vary(json_array_get(tensors, i), dimension))
            return size_of(json_array_get(tensors, i), dimension);
    return 0;
}

/* A larger tensor has no place between the strides of the sample's. */
static void lay_out_anew(json_t *tensor) {
    const json_t *shape = json_object_get(tensor, "shape");
    json_t *stride = json_object_get(tensor, "stride");
    json_int_t step = 1;
    for (size_t i = json_array_size(shape); i-- > 0;) {
        json_array_set_new(stride, i, json_integer(step));
        step *= json_integer_value(json_array_get(shape, i));
    }
}

json_t *sample_with_size(const json_t *sample, size_t dimension, int64_t size) {
    const json_int_t common = common_size(json_object_get(sample, "tensors"), dimension);
    json_t *other = common == 0 || common == size ? NULL : json_deep_copy(sample);
    const json_t *tensors = json_object_get(other, "tensors");
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        json_t *shape = json_object_get(json_array_get(tensors, i), "shape");
        if (json_array_size(shape) <= dimension || size_of(json_array_get(tensors, i), dimension) != common)
            continue;
        json_array_set_new(shape, dimension, json_integer(size));
        if (size > common)
            lay_out_anew(json_array_get(tensors, i));
    }
    return other;
}

json_t *sample_with_product(const json_t *sample, int64_t product) {
    json_t *row = sample_with_size(sample, 0, 1), *trial = sample_with_size(row, 1, product);
    json_decref(row);
    return trial; /* NULL at a batch of 1: the length alone is the same */
}

json_t *sample_with_less(const json_t *sample, size_t dimension) {
    const json_int_t common = common_size(json_object_get(sample, "tensors"), dimension);
    return common == 1 ? NULL : sample_with_size(sample, dimension, common - 1);
}

/* ---- Numbers that a program compares with ---------------------------------------------------- */

typedef struct Numbers {
    Arena *arena;
    int64_t *items;
    size_t count, capacity;
} Numbers;

static bool has_number(const Numbers *numbers, int64_t value) {
    for (size_t i = 0; i < numbers->count; i++)
        if (numbers->items[i] == value)
            return true;
    return false;
}

/* 30, 3e1, 5 * 6, 2 ** 5 - 2; NaN: no number, or one of what is not written there. */
static double constant_number(const Node *node) {
    const Node *op = node_child(node, FIELD_op), *left = node_child(node, FIELD_left),
               *right = node_child(node, FIELD_right);
    char *end = "";
    if (node->kind == NODE_Constant && node->text != NULL &&
        (node->constant == CONSTANT_INT || node->constant == CONSTANT_FLOAT)) {
        const double value = strtod(node->text, &end);
        return *end == '\0' ? value : NAN;
    }
    if (node->kind != NODE_BinOp || op == NULL || left == NULL || right == NULL)
        return NAN;
    const double a = constant_number(left), b = constant_number(right);
    switch (op->kind) {
    case NODE_Add: return a + b;
    case NODE_Sub: return a - b;
    case NODE_Mult: return a * b;
    case NODE_Pow: return pow(a, b);
    case NODE_Div: return a / b;
    case NODE_FloorDiv: return floor(a / b);
    default: return NAN;
    }
}

static bool take_number(const Node *node, void *context) {
    Numbers *numbers = context;
    const double value = constant_number(node);
    if (value >= 2 && value <= LARGEST_COMPARED && value == floor(value) &&
        !has_number(numbers, (int64_t)value))
        *(int64_t *)ARENA_PUSH(numbers->arena, numbers) = (int64_t)value;
    return isnan(value);
}

/* Functions to which no size of an input goes. */
static bool is_aside(const Node *node) {
    static const char *const aside[] = {"__init__", "get_inputs", "get_init_inputs", "get_input_kwargs",
                                        "run_tests"};
    return node->kind == NODE_FunctionDef && text_among(node_text(node, FIELD_name), aside, COUNT_OF(aside));
}

/* What takes a number for a bound, torch's and Python's own. */
static bool calls_with_bound(const Node *node) {
    static const char *const names[] = {"min",   "max",          "range",  "islice", "split",
                                        "chunk", "tensor_split", "narrow", "tril",   "triu",
                                        "roll",  "unfold",       "select", "topk",   "index_select",
                                        "pad",   "diagonal",     "hsplit", "vsplit", "dsplit"};
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    const char *name =
        func == NULL ? NULL : node_text(func, func->kind == NODE_Attribute ? FIELD_attr : FIELD_id);
    return name != NULL && text_among(name, names, COUNT_OF(names));
}

/* Comparisons, bounds and arithmetic, and numbers behind names: anything that may take another way for it. */
static bool take_comparison(const Node *node, void *context) {
    const Node *value = node_child(node, FIELD_value);
    const bool named = (node->kind == NODE_Assign || node->kind == NODE_AnnAssign) && value != NULL &&
                       value->kind == NODE_Constant;
    const bool compares = node->kind == NODE_Compare || node->kind == NODE_Slice ||
                          node->kind == NODE_BinOp || named || calls_with_bound(node);
    if (is_aside(node))
        return false;
    if (compares)
        node_walk(node, take_number, context);
    return !compares;
}

static Numbers numbers_of(Arena *arena, const Program *program) {
    Numbers numbers = {.arena = arena};
    for (size_t i = 0; i < program->count; i++)
        node_walk(program->items[i]->tree.module, take_comparison, &numbers);
    return numbers;
}

SizeNumbers sizes_to_try(Arena *arena, const Program *candidate, const Program *original) {
    const Numbers theirs = numbers_of(arena, original), ours = numbers_of(arena, candidate);
    SizeNumbers numbers = {0};
    for (size_t i = 0; i < ours.count; i++) {
        if (has_number(&theirs, ours.items[i]))
            continue;
        if (numbers.count < COUNT_OF(numbers.items))
            numbers.items[numbers.count++] = ours.items[i];
        else
            numbers.left_out++;
    }
    return numbers;
}
