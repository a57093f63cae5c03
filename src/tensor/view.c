/* Strided views: what may be a view, and walking over one. */
#include "tensor.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static Status out_of_storage(const char *where, Error *error) {
    return error_set(error, where, "", "the tensor reaches outside its storage");
}

Status tensor_view_make(Arena *arena, const void *data, size_t storage_size, Dtype dtype, size_t rank,
                        const int64_t *shape, const int64_t *stride, int64_t offset, TensorView *view,
                        Error *error) {
    const size_t item = dtype_info(dtype)->size;
    if (rank > TENSOR_RANK_MAX)
        return error_set(error, "", "", "a tensor of %zu dimensions; at most %d are possible", rank,
                         TENSOR_RANK_MAX);
    if (offset < 0)
        return error_set(error, "", "", "a tensor with the negative offset %" PRId64, offset);
    bool empty = false;
    int64_t count = 1, last = offset, bytes;
    for (size_t i = 0; i < rank; i++) {
        if (shape[i] < 0 || stride[i] < 0)
            return error_set(error, "", "", "a tensor with a negative size or stride: %" PRId64 ", %" PRId64,
                             shape[i], stride[i]);
        empty |= shape[i] == 0;
        /* Of an empty one too, so that whoever multiplies sizes need not look. */
        if (shape[i] > 0 && __builtin_mul_overflow(count, shape[i], &count))
            return out_of_storage("", error);
    }
    for (size_t i = 0; i < rank && !empty; i++) {
        int64_t reach;
        if (__builtin_mul_overflow(shape[i] - 1, stride[i], &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return out_of_storage("", error);
    }
    if (empty)
        count = 0;
    if (__builtin_mul_overflow(count, (int64_t)item, &bytes))
        return error_set(error, "", "", "a tensor with more elements than memory could hold");
    if (!empty && (last < 0 || (uint64_t)last >= storage_size / item))
        return out_of_storage("", error);
    *view = (TensorView){.data = data,
                         .storage_size = storage_size,
                         .dtype = dtype,
                         .rank = rank,
                         .shape = arena_copy(arena, shape, rank * sizeof *shape),
                         .stride = arena_copy(arena, stride, rank * sizeof *stride),
                         .offset = offset,
                         .element_count = count};
    return STATUS_OK;
}

bool tensor_same_shape(const TensorView *a, const TensorView *b) {
    return a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

bool tensor_is_contiguous(const TensorView *view) {
    int64_t expected = 1;
    for (size_t i = view->rank; i-- > 0;) {
        if (view->shape[i] != 1 && view->stride[i] != expected)
            return view->element_count == 0;
        expected *= view->shape[i];
    }
    return true;
}

const void *tensor_at(const TensorView *view, const int64_t *index) {
    int64_t at = view->offset;
    for (size_t i = 0; i < view->rank; i++) {
        assert(index[i] >= 0 && index[i] < view->shape[i]);
        at += index[i] * view->stride[i];
    }
    return (const uint8_t *)view->data + (size_t)at * dtype_info(view->dtype)->size;
}

static void unravel(const TensorView *view, int64_t linear, int64_t *index) {
    for (size_t i = view->rank; i-- > 0;) {
        index[i] = linear % view->shape[i];
        linear /= view->shape[i];
    }
}

const void *tensor_at_linear(const TensorView *view, int64_t linear) {
    assert(linear >= 0 && linear < view->element_count);
    int64_t index[TENSOR_RANK_MAX];
    unravel(view, linear, index);
    return tensor_at(view, index);
}

typedef struct Wide { /* an element of 16 bytes */
    uint64_t half[2];
} Wide;

#define COPY_RUN(type)                                                                                       \
    for (int64_t i = 0; i < run; i++)                                                                        \
        memcpy(to + (size_t)i * sizeof(type), from + i * step * (int64_t)sizeof(type), sizeof(type));        \
    break

static void copy_run(uint8_t *to, const uint8_t *from, int64_t step, int64_t run, size_t item) {
    if (step == 1) {
        memcpy(to, from, (size_t)run * item);
        return;
    }
    switch (item) {
    case 1: COPY_RUN(uint8_t);
    case 2: COPY_RUN(uint16_t);
    case 4: COPY_RUN(uint32_t);
    case 8: COPY_RUN(uint64_t);
    default: COPY_RUN(Wide);
    }
}

void tensor_gather(const TensorView *view, int64_t first, int64_t count, void *target) {
    assert(first >= 0 && count >= 0 && count <= view->element_count - first);
    if (count == 0)
        return;
    const size_t item = dtype_info(view->dtype)->size;
    uint8_t *to = target;
    if (view->rank == 0 || tensor_is_contiguous(view)) {
        memcpy(to, (const uint8_t *)view->data + (size_t)(view->offset + first) * item, (size_t)count * item);
        return;
    }
    const size_t inner = view->rank - 1;
    int64_t index[TENSOR_RANK_MAX];
    unravel(view, first, index);
    const uint8_t *from = tensor_at(view, index);
    while (count > 0) {
        int64_t run = view->shape[inner] - index[inner];
        run = run < count ? run : count;
        copy_run(to, from, view->stride[inner], run, item);
        to += (size_t)run * item;
        count -= run;
        index[inner] += run;
        for (size_t i = inner; index[i] == view->shape[i] && i > 0; i--) {
            index[i] = 0;
            index[i - 1]++;
        }
        if (count > 0)
            from = tensor_at(view, index);
    }
}

const char *tensor_shape_as_text(Arena *arena, const TensorView *view) {
    Text text = text_new(arena);
    text_add(&text, "[");
    for (size_t i = 0; i < view->rank; i++)
        text_printf(&text, "%s%" PRId64, i == 0 ? "" : ", ", view->shape[i]);
    text_add(&text, "]");
    return text.data;
}

const char *tensor_as_text(Arena *arena, const TensorView *view) {
    return arena_printf(arena, "%s %s", tensor_shape_as_text(arena, view),
                        dtype_info(view->dtype)->torch_name + strlen("torch."));
}
