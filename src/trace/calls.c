/* Calls: what they are called, take, give and write. */
#include "trace_parts.h"

#include <string.h>

static size_t count_tensors(const Value *value) {
    if (value->kind == VALUE_TENSOR)
        return 1;
    size_t count = 0;
    if (value_is_container(value))
        for (size_t i = 0; i < value->list.count; i++)
            count += count_tensors(&value->list.items[i]);
    return count;
}

static TensorId *list_tensors(const Value *value, TensorId *at) {
    if (value->kind == VALUE_TENSOR)
        *at++ = value->tensor;
    else if (value_is_container(value))
        for (size_t i = 0; i < value->list.count; i++)
            at = list_tensors(&value->list.items[i], at);
    return at;
}

TensorId *value_tensors(Arena *arena, const Value *values, size_t count, size_t *tensor_count) {
    *tensor_count = 0;
    for (size_t i = 0; i < count; i++)
        *tensor_count += count_tensors(&values[i]);
    TensorId *tensors = ARENA_ARRAY(arena, TensorId, *tensor_count), *at = tensors;
    for (size_t i = 0; i < count; i++)
        at = list_tensors(&values[i], at);
    return tensors;
}

const char *trace_operator(const Trace *trace, const TraceCall *call) {
    return trace->operators[call->operator_number];
}

const Value *trace_argument(const TraceCall *call, size_t position, const char *name) {
    for (size_t i = 0; i < call->kwarg_count; i++)
        if (strcmp(call->names[i], name) == 0)
            return &call->kwargs[i];
    return position < call->arg_count ? &call->args[position] : NULL;
}

bool trace_call_writes(const TraceCall *call, TensorId tensor) {
    for (size_t i = 0; i < call->written_count; i++)
        if (call->written[i].number == tensor.number)
            return true;
    return false;
}
