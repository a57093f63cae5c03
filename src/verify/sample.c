/* The sample that trials begin with, the original's inputs, with other numbers in it. */
#include "step_state.h"

#include <math.h>
#include <stdlib.h>

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
            inputs[sample.list.items[i].number].high =
                trace_integer_bound(trace, tensor->keys[0], &inputs[sample.list.items[i].number].ignored) - 1;
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

static Status write_inputs(StepState *step, const InputTensor *inputs, size_t count, InputBounds bounds,
                           Bytes source, InputKind kind, uint64_t seed, MemoryFile **file, Error *error) {
    size_t offset;
    uint8_t *target = calloc(1, source.size > 0 ? source.size : 1);
    if (target == NULL)
        return error_set(error, step->options->original, "free some memory", "no memory for the inputs");
    inputs_perturb(inputs, count, bounds, source, target, kind, seed);
    Status status = memory_file_new(step->arena, "inputs", file, error);
    if (status == STATUS_OK)
        status = memory_file_append(*file, (Bytes){target, source.size}, 64, &offset, error);
    if (status == STATUS_OK)
        status = memory_file_seal(*file, error);
    free(target);
    return status;
}

static Status read_inputs(StepState *step, const json_t *trial, Bytes *bytes, InputTensor **inputs,
                          size_t *count, Error *error) {
    const Status status = memory_file_map(step->original_description.inputs, bytes, error);
    return status == STATUS_OK ? decode_inputs(step, trial, *bytes, inputs, count, error) : status;
}

Status sample_perturb(StepState *step, const json_t *trial, InputKind kind, InputBounds bounds, uint64_t seed,
                      MemoryFile **file, Error *error) {
    Bytes bytes;
    InputTensor *inputs;
    size_t count;
    if (read_inputs(step, trial, &bytes, &inputs, &count, error) != STATUS_OK)
        return STATUS_ERROR;
    return write_inputs(step, inputs, count, bounds, bytes, kind, seed, file, error);
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

enum { MOST_BOUNDS = 32 };
static const double SMALLEST_BOUND = 1e-6, LARGEST_BOUND = 1e4;

typedef struct Bounds {
    double *items;
    size_t count;
} Bounds;

static void add_bound(double number, Bounds *bounds) {
    bool wanted = fabs(number) >= SMALLEST_BOUND && fabs(number) <= LARGEST_BOUND;
    for (size_t i = 0; i < bounds->count; i++)
        wanted = wanted && bounds->items[i] != number;
    if (wanted && bounds->count < MOST_BOUNDS)
        bounds->items[bounds->count++] = number;
}

static void add_bounds(const Value *value, Bounds *bounds) {
    if (value->kind == VALUE_FLOAT || value->kind == VALUE_INT)
        add_bound(value->kind == VALUE_INT ? (double)value->integer : value->real, bounds);
    for (size_t i = 0; value_is_container(value) && i < value->list.count; i++)
        add_bounds(&value->list.items[i], bounds);
}

/* Of small buffers, as they are by now. */
static void take_state(const StepState *step, Bounds *bounds) {
    const StateDict *state = &step->original_description.state;
    for (size_t i = 0; i < state->count; i++) {
        TensorView view = state->items[i].tensor;
        view.data = step->weights->data + view.storage_at;
        const bool small = view.element_count <= MOST_BOUNDS / 2;
        for (int64_t e = 0; small && state->items[i].kind == STATE_BUFFER && dtype_is_floating(view.dtype) &&
                            e < view.element_count;
             e++)
            add_bound(element_read(view.dtype, tensor_at_linear(&view, e)).real, bounds);
    }
}

static bool has_bounds(const TraceCall *call, OperatorClass class) {
    if (!call->in_forward)
        return false;
    switch (class) {
    case OPERATOR_COMPUTE:
    case OPERATOR_MASK:
    case OPERATOR_COMPARISON:
    case OPERATOR_ARITHMETIC:
    case OPERATOR_SELECTING:
    case OPERATOR_FORBIDDEN: return true;
    case OPERATOR_CREATION: return call->arg_count > 0 && value_is_container(&call->args[0]);
    default: return false;
    }
}

static void take_bounds(const Trace *trace, Bounds *bounds) {
    for (size_t i = 0; i < trace->call_count && bounds->count < MOST_BOUNDS; i++) {
        const TraceCall *call = &trace->calls[i];
        const bool takes = has_bounds(call, operator_class(trace_operator(trace, call)));
        for (size_t j = 0; takes && j < call->arg_count; j++)
            add_bounds(&call->args[j], bounds);
        for (size_t j = 0; takes && j < call->kwarg_count; j++)
            add_bounds(&call->kwargs[j], bounds);
    }
}

InputBounds sample_bounds(const StepState *step) {
    Bounds bounds = {ARENA_ARRAY(step->arena, double, MOST_BOUNDS), 0};
    take_state(step, &bounds);
    if (step->has_traces) {
        take_bounds(&step->candidate_trace, &bounds);
        take_bounds(&step->original_trace, &bounds);
    }
    return (InputBounds){bounds.items, bounds.count};
}

/* ---- Integers that index no table ------------------------------------------------------------ */

/* Operators that read past their tables, where others would raise. */
static bool reads_unchecked(const Trace *trace) {
    for (size_t i = trace->forward_start; i < trace->call_count; i++)
        if (text_starts(trace_bare_name(trace_operator(trace, &trace->calls[i])), "ctc_loss"))
            return true;
    return false;
}

static bool is_loose(const InputTensor *input) {
    const DtypeKind kind = dtype_info(input->tensor.dtype)->kind;
    return (kind == KIND_INT || kind == KIND_UINT) && input->low > input->high &&
           input->tensor.element_count > 0;
}

Status sample_loose(StepState *step, const json_t *trial, size_t **loose, size_t *loose_count, bool *targets,
                    Error *error) {
    Bytes bytes;
    InputTensor *inputs;
    size_t count;
    *loose_count = 0;
    *targets = false;
    if (!step->has_traces || reads_unchecked(&step->original_trace))
        return STATUS_OK;
    if (read_inputs(step, trial, &bytes, &inputs, &count, error) != STATUS_OK)
        return STATUS_ERROR;
    *loose = ARENA_ARRAY(step->arena, size_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (is_loose(&inputs[i]))
            (*loose)[(*loose_count)++] = i;
        *targets = *targets || (inputs[i].ignored < 0 && inputs[i].tensor.element_count > 0);
    }
    return STATUS_OK;
}

Status sample_widen(StepState *step, const json_t *trial, InputKind kind, size_t only, uint64_t seed,
                    MemoryFile **file, Error *error) {
    Bytes bytes;
    InputTensor *inputs;
    size_t count;
    if (read_inputs(step, trial, &bytes, &inputs, &count, error) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < count; i++)
        inputs[i].kept = only != SIZE_MAX && only != i;
    return write_inputs(step, inputs, count, (InputBounds){0}, bytes, kind, seed, file, error);
}
