/* Assigning what an explicit map says: whole keys, and parts of fused ones. */
#include "inside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Shapes ------------------------------------------------------------------------------- */
static void swap_last(int64_t *numbers, size_t rank) {
    int64_t last = numbers[rank - 1];
    numbers[rank - 1] = numbers[rank - 2];
    numbers[rank - 2] = last;
}

TensorView piece_view(const TensorView *original, const Piece *piece, int64_t shape[TENSOR_RANK_MAX],
                      int64_t stride[TENSOR_RANK_MAX]) {
    TensorView view = *original;
    for (size_t i = 0; i < view.rank; i++) {
        shape[i] = original->shape[i];
        stride[i] = original->stride[i];
    }
    if (piece->kind == PIECE_OF_ORIGINAL) {
        view.offset += piece->start * stride[piece->dim];
        view.element_count = view.element_count / shape[piece->dim] * (piece->stop - piece->start);
        shape[piece->dim] = piece->stop - piece->start;
    }
    if (piece->transpose) {
        swap_last(shape, view.rank);
        swap_last(stride, view.rank);
    }
    view.shape = shape;
    view.stride = stride;
    return view;
}

bool shapes_are_swapped(const TensorView *a, const TensorView *b) {
    if (a->rank < 2 || a->rank != b->rank || tensor_same_shape(a, b))
        return false;
    int64_t shape[TENSOR_RANK_MAX], stride[TENSOR_RANK_MAX];
    TensorView swapped = piece_view(a, &(Piece){.transpose = true}, shape, stride);
    return tensor_same_shape(&swapped, b);
}

/* Does `target` slice `fused` along its dimension into what `whole`, transposed or not, looks like? */
static bool slice_fits(const TensorView *fused, const TensorView *whole, const MapTarget *target,
                       bool whole_swapped, size_t *dim) {
    int64_t rank = (int64_t)fused->rank, shape[TENSOR_RANK_MAX], whole_shape[TENSOR_RANK_MAX];
    int64_t wanted = target->dim < 0 ? target->dim + rank : target->dim;
    if (wanted < 0 || wanted >= rank || fused->rank != whole->rank || target->stop > fused->shape[wanted] ||
        (target->transpose && rank < 2))
        return false;
    memcpy(shape, fused->shape, fused->rank * sizeof *shape);
    memcpy(whole_shape, whole->shape, whole->rank * sizeof *shape);
    shape[wanted] = target->stop - target->start;
    if (target->transpose)
        swap_last(whole_swapped ? whole_shape : shape, fused->rank);
    *dim = (size_t)wanted;
    return memcmp(shape, whole_shape, fused->rank * sizeof *shape) == 0;
}

static bool whole_fits(const TensorView *original, const TensorView *candidate, bool transpose) {
    if (!transpose)
        return tensor_same_shape(original, candidate);
    int64_t shape[TENSOR_RANK_MAX], stride[TENSOR_RANK_MAX];
    if (original->rank < 2)
        return false;
    TensorView swapped = piece_view(original, &(Piece){.transpose = true}, shape, stride);
    return tensor_same_shape(&swapped, candidate);
}

/* Decides by the shapes which side is the fused one. */
static bool fit(const StateEntry *original, const StateEntry *candidate, const MapTarget *target,
                Piece *piece) {
    const TensorView *a = &original->tensor, *b = &candidate->tensor;
    piece->transpose = target->transpose;
    if (!target->is_slice) {
        piece->kind = PIECE_WHOLE;
        return whole_fits(a, b, target->transpose);
    }
    piece->start = target->start;
    piece->stop = target->stop;
    if (slice_fits(a, b, target, false, &piece->dim)) {
        bool all = target->start == 0 && target->stop == a->shape[piece->dim];
        piece->kind = all ? PIECE_WHOLE : PIECE_OF_ORIGINAL;
        return true;
    }
    piece->kind = PIECE_OF_CANDIDATE;
    return slice_fits(b, a, target, true, &piece->dim);
}

/* ---- Keys --------------------------------------------------------------------------------- */
enum { MOST_SUGGESTED = 20 };

/* The most similar key, if it is similar; NULL otherwise. */
static const char *nearest_key(const StateDict *dict, const char *key) {
    const char *nearest = NULL;
    size_t best = strlen(key) / 3 + 1;
    if (strlen(key) > 200)
        return NULL;
    for (size_t i = 0; i < dict->count; i++) {
        if (strlen(dict->items[i].key) > 200)
            continue;
        size_t distance = text_distance(key, dict->items[i].key);
        if (distance < best) {
            best = distance;
            nearest = dict->items[i].key;
        }
    }
    return nearest;
}

static const StateEntry *find_key(Assigning *assigning, const StateDict *dict, const StateDict *other,
                                  const char *side, const char *key, Place place) {
    const StateEntry *entry = table_get(dict->by_key, key);
    if (entry != NULL)
        return entry;
    Finding *finding = findings_add(assigning->findings, &WEIGHTS_RULES[WEIGHTS_UNKNOWN_KEY],
                                    SEVERITY_VIOLATION, place, "the %s has no key \"%s\"", side, key);
    finding->where = key;
    /* Where all keys are wrong, a few show how; to hold each against all would take long. */
    const char *nearest = assigning->suggested++ < MOST_SUGGESTED ? nearest_key(dict, key) : NULL;
    if (nearest != NULL)
        finding->instead = arena_printf(assigning->findings->arena, "did you mean \"%s\"?", nearest);
    else if (table_has(other->by_key, key))
        finding->instead =
            arena_printf(assigning->findings->arena,
                         "the other side has it: a map reads {\"original key\": \"refactored key\"}");
    return NULL;
}

/* ---- Conflicts ---------------------------------------------------------------------------- */
static const char *piece_as_text(Arena *arena, const Assignment *assignment, const Piece *piece) {
    const char *key = assignment->original->items[piece->original].key;
    if (piece->line > 0)
        return arena_printf(arena, "%s (line %d)", key, piece->line);
    return key;
}

static bool pieces_equal(const Assignment *assignment, const Piece *a, const Piece *b) {
    const StateEntry *originals = assignment->original->items;
    return originals[a->original].tie == originals[b->original].tie && a->kind == b->kind &&
           a->transpose == b->transpose &&
           (a->kind == PIECE_WHOLE || (a->dim == b->dim && a->start == b->start && a->stop == b->stop));
}

/* Can the candidate's tensor take this piece beside those that it has? Reports it if not. */
static bool piece_agrees(Assigning *assigning, const StateEntry *candidate, const Piece *piece, bool *known) {
    const Assignment *out = assigning->out;
    const Assigned *assigned = &out->items[candidate->tie];
    const Place place = {.file = out->map->name, .line = piece->line};
    *known = false;
    for (size_t i = 0; i < assigned->count; i++) {
        const Piece *other = &assigned->items[i];
        if (pieces_equal(out, other, piece)) {
            *known = true;
            return true;
        }
        const bool parts = other->kind == PIECE_OF_CANDIDATE && piece->kind == PIECE_OF_CANDIDATE;
        if (parts && other->dim == piece->dim && (other->stop <= piece->start || piece->stop <= other->start))
            continue;
        const char *first = piece_as_text(assigning->arena, out, other);
        const char *second = piece_as_text(assigning->arena, out, piece);
        findings_add(assigning->findings, &WEIGHTS_RULES[parts ? WEIGHTS_PARTS : WEIGHTS_TWICE],
                     SEVERITY_VIOLATION, place,
                     parts ? "in refactored \"%s\", the parts from original %s and %s overlap"
                           : "refactored \"%s\" is given twice: by original %s and by %s",
                     candidate->key, first, second)
            ->where = candidate->key;
        return false;
    }
    return true;
}

static void apply_target(Assigning *assigning, const MapEntry *entry, const StateEntry *original,
                         const MapTarget *target) {
    Assignment *out = assigning->out;
    const Place place = {.file = out->map->name, .line = entry->line};
    const StateEntry *candidate =
        find_key(assigning, out->candidate, out->original, "refactored model", target->key, place);
    if (candidate == NULL)
        return;
    Piece piece = {.original = (size_t)(original - out->original->items), .line = entry->line};
    bool known;
    WeightsRule rule = WEIGHTS_SHAPE;
    if (original->tensor.dtype == candidate->tensor.dtype && fit(original, candidate, target, &piece)) {
        if (piece_agrees(assigning, candidate, &piece, &known) && !known)
            assign_piece(assigning, (size_t)(candidate - out->candidate->items), piece, ASSIGNED_MAP);
        return;
    }
    if (original->tensor.dtype != candidate->tensor.dtype)
        rule = WEIGHTS_DTYPE;
    const char *part = "";
    if (target->is_slice)
        part = arena_printf(
            assigning->arena,
            "; %" PRId64 "..%" PRId64 " along dimension %" PRId64 "%s is a part of neither that is the other",
            target->start, target->stop, target->dim, target->transpose ? ", transposed," : "");
    Finding *finding =
        findings_add(assigning->findings, &WEIGHTS_RULES[rule], SEVERITY_VIOLATION, place,
                     "original \"%s\" is %s, refactored \"%s\" is %s%s", original->key,
                     tensor_as_text(assigning->arena, &original->tensor), candidate->key,
                     tensor_as_text(assigning->arena, &candidate->tensor), rule == WEIGHTS_DTYPE ? "" : part);
    finding->where = candidate->key;
    if (!target->transpose && !target->is_slice && shapes_are_swapped(&original->tensor, &candidate->tensor))
        finding->instead =
            "its dimensions are swapped: build it as Linear(in, out), or add \"transpose\": true if it "
            "is stored the other way round on purpose";
    out->items[candidate->tie].reported = true;
    out->original_reported[original->tie] = true;
}

/* ---- Coverage ----------------------------------------------------------------------------- */
typedef struct Range {
    int64_t start, stop;
    size_t dim;
} Range;

static int compare_ranges(const void *left, const void *right) {
    const Range *a = left, *b = right;
    if (a->dim != b->dim)
        return a->dim < b->dim ? -1 : 1;
    return (a->start > b->start) - (a->start < b->start);
}

/* Reports the first gap or overlap of the ranges in a tensor that they are to cover once. */
static bool covered_once(Assigning *assigning, const StateEntry *entry, const char *side, Range *ranges,
                         size_t count, int line) {
    const Place place = {.file = assigning->out->map->name, .line = line};
    qsort(ranges, count, sizeof *ranges, compare_ranges);
    const size_t dim = ranges[0].dim;
    const int64_t size = entry->tensor.shape[dim];
    int64_t reached = 0;
    const char *problem = NULL;
    for (size_t i = 0; i <= count && problem == NULL; i++) {
        Range end = {.start = size, .stop = size, .dim = dim}, range = i < count ? ranges[i] : end;
        if (range.dim != dim)
            problem = arena_printf(assigning->arena, "are cut along dimensions %zu and %zu", dim, range.dim);
        else if (range.start != reached)
            problem = arena_printf(assigning->arena, "%s %" PRId64 "..%" PRId64 " along dimension %zu",
                                   range.start > reached ? "leave out" : "give twice",
                                   range.start > reached ? reached : range.start,
                                   range.start > reached ? range.start : reached, dim);
        reached = range.stop;
    }
    if (problem != NULL)
        findings_add(assigning->findings, &WEIGHTS_RULES[WEIGHTS_PARTS], SEVERITY_VIOLATION, place,
                     "the parts of %s \"%s\" %s %s", side, entry->key,
                     tensor_as_text(assigning->arena, &entry->tensor), problem)
            ->where = entry->key;
    return problem == NULL;
}

/* What isn't covered gets nothing at all: what it was given would only hide that. */
static void check_candidate_parts(Assigning *assigning) {
    Assignment *out = assigning->out;
    for (size_t i = 0; i < out->candidate->count; i++) {
        Assigned *assigned = &out->items[i];
        if (out->candidate->items[i].tie != i || assigned->count == 0 ||
            assigned->items[0].kind != PIECE_OF_CANDIDATE)
            continue;
        Range *ranges = ARENA_ARRAY(assigning->arena, Range, assigned->count);
        for (size_t j = 0; j < assigned->count; j++)
            ranges[j] = (Range){assigned->items[j].start, assigned->items[j].stop, assigned->items[j].dim};
        if (!covered_once(assigning, &out->candidate->items[i], "refactored", ranges, assigned->count,
                          assigned->items[0].line))
            *assigned = (Assigned){.reported = true};
    }
}

typedef struct Cut { /* the parts that one original is cut into */
    Range *items;
    size_t count, capacity;
    bool whole_too;
    int line;
} Cut;

static void check_original_parts(Assigning *assigning) {
    Assignment *out = assigning->out;
    Cut *cuts = ARENA_ARRAY(assigning->arena, Cut, out->original->count);
    for (size_t i = 0; i < out->candidate->count; i++) {
        for (size_t j = 0; out->candidate->items[i].tie == i && j < out->items[i].count; j++) {
            const Piece *piece = &out->items[i].items[j];
            Cut *cut = &cuts[out->original->items[piece->original].tie];
            if (piece->kind != PIECE_OF_ORIGINAL) {
                cut->whole_too = true;
                continue;
            }
            *(Range *)ARENA_PUSH(assigning->arena, cut) = (Range){piece->start, piece->stop, piece->dim};
            cut->line = piece->line;
        }
    }
    for (size_t i = 0; i < out->original->count; i++) {
        if (cuts[i].count > 0 && !cuts[i].whole_too)
            covered_once(assigning, &out->original->items[i], "original", cuts[i].items, cuts[i].count,
                         cuts[i].line);
    }
}

void assign_by_map(Assigning *assigning) {
    Assignment *out = assigning->out;
    for (size_t i = 0; i < out->map->count; i++) {
        const MapEntry *entry = &out->map->items[i];
        const Place place = {.file = out->map->name, .line = entry->line};
        const StateEntry *original =
            find_key(assigning, out->original, out->candidate, "original", entry->key, place);
        if (original == NULL)
            continue;
        assigning->mapped[original - out->original->items] = true;
        if (entry->target_count == 0)
            out->original_nowhere[original->tie] = true;
        for (size_t j = 0; j < entry->target_count; j++)
            apply_target(assigning, entry, original, &entry->targets[j]);
    }
    check_candidate_parts(assigning);
    check_original_parts(assigning);
}
