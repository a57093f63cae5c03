/* Where each candidate key's bytes lie for a run: in the original's bytes, or in a region that we fill. */
#include "inside.h"

#include <math.h>
#include <string.h>

enum { ALIGNMENT = 64, LARGEST_WRITTEN_OUT = 1 << 16 };

typedef enum Way {
    WAY_ABSENT,    /* keeps its value from construction */
    WAY_VIEW,      /* a view of the original's bytes, in a storage that is as large as the original's */
    WAY_WINDOW,    /* a slice of the original, in a storage of its own: a window on the original's bytes */
    WAY_ASSEMBLED, /* in the region, contiguous */
    WAY_NAN,       /* in the region, contiguous */
    WAY_ONE_NAN    /* one element in the region, repeated by strides of 0 */
} Way;

typedef struct Plan { /* by candidate entry; first keys of tied ones only */
    Way *ways;
    size_t *at; /* in the region */
    size_t size;
} Plan;

static size_t item_size(const StateEntry *entry) {
    return dtype_info(entry->tensor.dtype)->size;
}

static size_t full_size(const StateEntry *entry) {
    return (size_t)entry->tensor.element_count * item_size(entry);
}

/* Buffers that several candidate tensors take from one original must not see each other's writes. */
static bool *shared_buffers(Arena *arena, const Assignment *assignment) {
    size_t *uses = ARENA_ARRAY(arena, size_t, assignment->original->count);
    bool *shared = ARENA_ARRAY(arena, bool, assignment->original->count);
    for (size_t i = 0; i < assignment->candidate->count; i++) {
        const Assigned *assigned = &assignment->items[i];
        if (assignment->candidate->items[i].tie != i || assigned->count == 0)
            continue;
        const StateEntry *original = &assignment->original->items[assigned->items[0].original];
        uses[original->tie]++;
        shared[original->tie] = original->kind == STATE_BUFFER && uses[original->tie] > 1;
    }
    return shared;
}

static Way way_of(const Assignment *assignment, const bool *shared, size_t index) {
    const Assigned *assigned = &assignment->items[index];
    const StateEntry *candidate = &assignment->candidate->items[index];
    if (assigned->by == ASSIGNED_KEPT || assigned->equals)
        return WAY_ABSENT;
    if (assigned->count == 0) {
        if (!dtype_is_floating(candidate->tensor.dtype) || candidate->tensor.element_count == 0)
            return WAY_ABSENT;
        bool small = full_size(candidate) <= LARGEST_WRITTEN_OUT &&
                     candidate->tensor.element_count <= LARGEST_WRITTEN_OUT;
        return small ? WAY_NAN : WAY_ONE_NAN;
    }
    const Piece *piece = &assigned->items[0];
    const StateEntry *original = &assignment->original->items[piece->original];
    if (piece->kind == PIECE_OF_CANDIDATE || shared[original->tie])
        return WAY_ASSEMBLED;
    if (piece->kind == PIECE_WHOLE)
        return WAY_VIEW;
    /* A window's storage begins at the slice's first element, so it must be aligned, and the slice without
     * gaps. */
    int64_t shape[TENSOR_RANK_MAX], stride[TENSOR_RANK_MAX];
    Piece plain = *piece;
    plain.transpose = false;
    TensorView slice = piece_view(&original->tensor, &plain, shape, stride);
    bool aligned = (size_t)slice.offset * item_size(original) % ALIGNMENT == 0;
    return aligned && tensor_is_contiguous(&slice) ? WAY_WINDOW : WAY_ASSEMBLED;
}

static Plan plan_layout(Arena *arena, const Assignment *assignment) {
    const size_t count = assignment->candidate->count;
    const bool *shared = shared_buffers(arena, assignment);
    Plan plan = {.ways = ARENA_ARRAY(arena, Way, count), .at = ARENA_ARRAY(arena, size_t, count)};
    for (size_t i = 0; i < count; i++) {
        const StateEntry *candidate = &assignment->candidate->items[i];
        if (candidate->tie != i)
            continue;
        plan.ways[i] = way_of(assignment, shared, i);
        plan.at[i] = plan.size;
        size_t size = 0;
        if (plan.ways[i] == WAY_ASSEMBLED || plan.ways[i] == WAY_NAN)
            size = full_size(candidate);
        else if (plan.ways[i] == WAY_ONE_NAN)
            size = item_size(candidate);
        plan.size += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    return plan;
}

size_t weights_layout_size(const Assignment *assignment) {
    Arena *arena = arena_new();
    size_t size = plan_layout(arena, assignment).size;
    arena_free(arena);
    return size;
}

/* ---- Filling ------------------------------------------------------------------------------ */
static TensorView in_file(const StateEntry *entry, const uint8_t *file) {
    TensorView view = entry->tensor;
    view.data = file + view.storage_at;
    return view;
}

/* Writes one original into its part of a contiguous candidate tensor, or into all of it. */
static void write_piece(const StateEntry *candidate, const TensorView *source, const Piece *piece,
                        uint8_t *to) {
    if (piece->kind != PIECE_OF_CANDIDATE) {
        tensor_gather(source, 0, source->element_count, to);
        return;
    }
    int64_t outer = 1, inner = 1;
    for (size_t i = 0; i < candidate->tensor.rank; i++)
        *(i < piece->dim ? &outer : &inner) *= i == piece->dim ? 1 : candidate->tensor.shape[i];
    const int64_t rows = candidate->tensor.shape[piece->dim], run = (piece->stop - piece->start) * inner;
    for (int64_t i = 0; i < outer; i++)
        tensor_gather(source, i * run, run,
                      to + (size_t)((i * rows + piece->start) * inner) * item_size(candidate));
}

static TensorView contiguous_view(Arena *arena, const StateEntry *entry, size_t at, size_t size) {
    TensorView view = entry->tensor;
    int64_t *stride = ARENA_ARRAY(arena, int64_t, view.rank + 1), step = 1;
    for (size_t i = view.rank; i-- > 0;) {
        stride[i] = step;
        step *= view.shape[i] > 1 ? view.shape[i] : 1;
    }
    view.stride = stride;
    view.offset = 0;
    view.storage_at = at;
    view.storage_size = size;
    return view;
}

static TensorView fill_entry(Arena *arena, const Assignment *assignment, const Plan *plan, size_t index,
                             uint8_t *file, size_t region_at) {
    const StateEntry *candidate = &assignment->candidate->items[index];
    const Assigned *assigned = &assignment->items[index];
    const size_t at = region_at + plan->at[index], item = item_size(candidate);
    const Element nan = {.real = NAN, .imaginary = NAN};
    TensorView view;
    switch (plan->ways[index]) {
    case WAY_ASSEMBLED:
        for (size_t i = 0; i < assigned->count; i++) {
            const Piece *piece = &assigned->items[i];
            int64_t shape[TENSOR_RANK_MAX], stride[TENSOR_RANK_MAX];
            TensorView original = in_file(&assignment->original->items[piece->original], file);
            TensorView source = piece_view(&original, piece, shape, stride);
            write_piece(candidate, &source, piece, file + at);
        }
        return contiguous_view(arena, candidate, at, full_size(candidate));
    case WAY_NAN:
        for (size_t i = 0; i < full_size(candidate); i += item)
            element_write(candidate->tensor.dtype, file + at + i, nan);
        return contiguous_view(arena, candidate, at, full_size(candidate));
    case WAY_ONE_NAN:
        element_write(candidate->tensor.dtype, file + at, nan);
        view = contiguous_view(arena, candidate, at, item);
        view.stride = ARENA_ARRAY(arena, int64_t, view.rank + 1);
        return view;
    default: {
        const Piece *piece = &assigned->items[0];
        int64_t *shape = ARENA_ARRAY(arena, int64_t, TENSOR_RANK_MAX);
        int64_t *stride = ARENA_ARRAY(arena, int64_t, TENSOR_RANK_MAX);
        view = piece_view(&assignment->original->items[piece->original].tensor, piece, shape, stride);
        if (plan->ways[index] == WAY_WINDOW) {
            view.storage_at += (size_t)view.offset * item;
            view.storage_size = (size_t)view.element_count * item;
            view.offset = 0;
        }
        return view;
    }
    }
}

static void append_located(json_t *list, const char *key, const TensorView *view) {
    json_array_append_new(list, json_pack("{s:s, s:o}", "key", key, "tensor", tensor_located_to_json(view)));
}

json_t *weights_layout_fill(Arena *arena, const Assignment *assignment, uint8_t *file, size_t region_at) {
    const Plan plan = plan_layout(arena, assignment);
    const size_t count = assignment->candidate->count;
    TensorView *views = ARENA_ARRAY(arena, TensorView, count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const StateEntry *candidate = &assignment->candidate->items[i];
        if (plan.ways[candidate->tie] == WAY_ABSENT)
            continue;
        if (candidate->tie == i)
            views[i] = fill_entry(arena, assignment, &plan, i, file, region_at);
        append_located(list, candidate->key, &views[candidate->tie]);
    }
    return list;
}

json_t *weights_layout_original(const StateDict *original) {
    json_t *list = json_array();
    for (size_t i = 0; i < original->count; i++)
        append_located(list, original->items[i].key, &original->items[i].tensor);
    return list;
}
