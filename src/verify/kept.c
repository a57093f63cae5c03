/* Decoding the values that a run kept: what a cell sends is checked here, so that those who read it need not.
 */
#include "kept.h"

#include <stdint.h>

enum { VALUE_ALIGNMENT = 64 };

static bool is_among(const TensorId *tensors, size_t count, uint32_t number) {
    for (size_t i = 0; i < count && i < KEPT_MOST_OF_A_CALL; i++)
        if (tensors[i].number == number)
            return true;
    return false;
}

/* Elements of a tensor of the trace; -1 if there are none, or too many. */
static int64_t element_count(const TraceTensor *tensor) {
    int64_t count = 1;
    for (size_t i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] == 0 || __builtin_mul_overflow(count, tensor->shape[i], &count))
            return -1;
    return count;
}

/* [call, tensor, at]; `*end` is where the one before it ends. */
static bool decode_value(Arena *arena, const json_t *json, Bytes file, const Trace *trace, size_t *end,
                         KeptValue *value) {
    json_int_t numbers[3];
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const json_t *number = json_array_get(json, i);
        if (!json_is_integer(number) || (numbers[i] = json_integer_value(number)) < 0)
            return false;
    }
    const size_t at = (size_t)numbers[2];
    if (json_array_size(json) != COUNT_OF(numbers) || (size_t)numbers[0] < trace->forward_start ||
        (size_t)numbers[0] >= trace->call_count || (size_t)numbers[1] >= trace->tensor_count ||
        at % VALUE_ALIGNMENT != 0 || at < *end || at > file.size)
        return false;
    *value = (KeptValue){.call = (size_t)numbers[0], .tensor = {(uint32_t)numbers[1]}};
    const TraceCall *call = &trace->calls[value->call];
    const TraceTensor *tensor = &trace->tensors[value->tensor.number];
    Dtype dtype;
    if (!(is_among(call->gives, call->give_count, value->tensor.number) ||
          is_among(call->written, call->written_count, value->tensor.number)) ||
        !dtype_find(tensor->dtype, &dtype) || !dtype_is_floating(dtype))
        return false;
    const int64_t count = element_count(tensor), step = 1;
    Error unfit;
    if (count < 0 || tensor_view_make(arena, file.data + at, file.size - at, dtype, 1, &count, &step, 0,
                                      &value->view, &unfit) != STATUS_OK)
        return false;
    value->view.storage_at = at;
    *end = at + (size_t)count * dtype_info(dtype)->size;
    return true;
}

Status kept_values_decode(Arena *arena, const json_t *json, Bytes file, const Trace *trace, const char *where,
                          KeptValues *values, Error *error) {
    json_t *rows;
    int64_t left_out;
    if (json_read_container(json, "kept", JSON_ARRAY, &rows, where, error) != STATUS_OK ||
        json_read_int(json, "left_out", 0, INT64_MAX, &left_out, where, error) != STATUS_OK)
        return STATUS_ERROR;
    *values = (KeptValues){.count = json_array_size(rows), .left_out = (size_t)left_out};
    values->items = ARENA_ARRAY(arena, KeptValue, values->count + 1);
    size_t end = 0;
    for (size_t i = 0; i < values->count; i++)
        if (!decode_value(arena, json_array_get(rows, i), file, trace, &end, &values->items[i]) ||
            (i > 0 && values->items[i].call < values->items[i - 1].call))
            return error_set(error, where, "the cell does not keep to the protocol",
                             "value %zu is none that a call of forward gave, or lies outside its file", i);
    return STATUS_OK;
}
