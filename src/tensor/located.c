/* Tensors as docs/protocol.md locates them in a memory file. */
#include "tensor.h"

#include <string.h>

enum { STORAGE_ALIGNMENT = 64 };

static Status read_numbers(const json_t *json, const char *key, int64_t numbers[TENSOR_RANK_MAX],
                           size_t *count, const char *where, Error *error) {
    json_t *list;
    if (json_read_container(json, key, JSON_ARRAY, &list, where, error) != STATUS_OK)
        return STATUS_ERROR;
    *count = json_array_size(list);
    if (*count > TENSOR_RANK_MAX)
        return error_set(error, where, "", "\"%s\" has %zu numbers; at most %d are possible", key, *count,
                         TENSOR_RANK_MAX);
    for (size_t i = 0; i < *count; i++) {
        const json_t *number = json_array_get(list, i);
        if (!json_is_integer(number))
            return error_set(error, where, "", "\"%s\" must hold whole numbers only", key);
        numbers[i] = json_integer_value(number);
    }
    return STATUS_OK;
}

static Status read_storage(const json_t *json, Bytes file, size_t *at, size_t *size, const char *where,
                           Error *error) {
    json_t *storage;
    int64_t start, length;
    if (json_read_container(json, "storage", JSON_OBJECT, &storage, where, error) != STATUS_OK ||
        json_read_int(storage, "at", 0, INT64_MAX, &start, where, error) != STATUS_OK ||
        json_read_int(storage, "size", 0, INT64_MAX, &length, where, error) != STATUS_OK)
        return STATUS_ERROR;
    if (start % STORAGE_ALIGNMENT != 0)
        return error_set(error, where, "", "a storage starts at byte %lld, no multiple of %d",
                         (long long)start, STORAGE_ALIGNMENT);
    if ((uint64_t)start > file.size || (uint64_t)length > file.size - (uint64_t)start)
        return error_set(error, where, "", "a storage reaches outside its memory file");
    *at = (size_t)start;
    *size = (size_t)length;
    return STATUS_OK;
}

/* What a located tensor says of itself, before its memory is looked at. */
typedef struct Described {
    Dtype dtype;
    int64_t shape[TENSOR_RANK_MAX], stride[TENSOR_RANK_MAX], offset;
    size_t rank;
} Described;

static Status read_description(Arena *arena, const json_t *json, const char *where, Described *described,
                               Error *error) {
    if (!json_is_object(json))
        return error_set(error, where, "", "a tensor must be an object");
    const char *name;
    if (json_object_get(json, "unsupported") != NULL) {
        if (json_read_string(arena, json, "unsupported", &name, where, error) != STATUS_OK)
            return STATUS_ERROR;
        return error_set(error, where, "use dense tensors", "the tensor is %s, whose bytes can't be compared",
                         name);
    }
    size_t stride_count = 0;
    if (json_read_string(arena, json, "dtype", &name, where, error) != STATUS_OK)
        return STATUS_ERROR;
    if (!dtype_find(name, &described->dtype))
        return error_set(error, where, "", "the dtype \"%s\" is unknown", name);
    if (read_numbers(json, "shape", described->shape, &described->rank, where, error) != STATUS_OK ||
        read_numbers(json, "stride", described->stride, &stride_count, where, error) != STATUS_OK ||
        json_read_int(json, "offset", 0, INT64_MAX, &described->offset, where, error) != STATUS_OK)
        return STATUS_ERROR;
    if (stride_count != described->rank)
        return error_set(error, where, "", "%zu sizes and %zu strides", described->rank, stride_count);
    return STATUS_OK;
}

static Status make_view(Arena *arena, const Described *described, const void *data, size_t size,
                        const char *where, TensorView *view, Error *error) {
    if (tensor_view_make(arena, data, size, described->dtype, described->rank, described->shape,
                         described->stride, described->offset, view, error) == STATUS_OK)
        return STATUS_OK;
    Error cause = *error;
    return error_set(error, where, cause.advice, "%s", cause.cause);
}

Status tensor_located_decode(Arena *arena, const json_t *json, Bytes file, const char *where,
                             TensorView *view, Error *error) {
    Described described = {0};
    size_t at = 0, size = 0;
    if (read_description(arena, json, where, &described, error) != STATUS_OK ||
        read_storage(json, file, &at, &size, where, error) != STATUS_OK ||
        make_view(arena, &described, file.data == NULL ? NULL : file.data + at, size, where, view, error) !=
            STATUS_OK)
        return STATUS_ERROR;
    view->storage_at = at;
    return STATUS_OK;
}

Status tensor_unwritten_decode(Arena *arena, const json_t *json, const char *where, TensorView *view,
                               Error *error) {
    Described described = {0};
    if (read_description(arena, json, where, &described, error) != STATUS_OK ||
        make_view(arena, &described, NULL, SIZE_MAX / 2, where, view, error) != STATUS_OK)
        return STATUS_ERROR;
    view->storage_size = 0;
    return STATUS_OK;
}

static json_t *numbers_to_json(const int64_t *numbers, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(numbers[i]));
    return list;
}

json_t *tensor_located_to_json(const TensorView *view) {
    return json_pack("{s:s, s:o, s:o, s:I, s:{s:I, s:I}}", "dtype", dtype_info(view->dtype)->torch_name,
                     "shape", numbers_to_json(view->shape, view->rank), "stride",
                     numbers_to_json(view->stride, view->rank), "offset", (json_int_t)view->offset, "storage",
                     "at", (json_int_t)view->storage_at, "size", (json_int_t)view->storage_size);
}
