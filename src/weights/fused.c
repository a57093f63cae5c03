/* Fused weights that no map divides: which leftover tensors of the other side their parts may be. */
#include "inside.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_LINES = 60 };
static const size_t most_compared = 1 << 22;

typedef struct Side {
    const StateDict *dict;
    const Members *left; /* over, each under its first key */
} Side;

static const char *last_word(const char *key) {
    const char *dot = strrchr(key, '.');
    return dot == NULL ? key : dot + 1;
}

static bool may_be_part(const StateEntry *whole, const StateEntry *part) {
    return part->tensor.dtype == whole->tensor.dtype && part->tensor.rank == whole->tensor.rank &&
           text_equal(last_word(part->key), last_word(whole->key));
}

/* Of those that may be, the ones whose keys share most words with the whole's. */
static Members parts_of(Arena *arena, const StateEntry *whole, const Side *side) {
    Members parts = {0};
    size_t most = 0;
    for (size_t i = 0; i < side->left->count; i++) {
        const StateEntry *part = &side->dict->items[side->left->items[i]];
        const size_t shared = may_be_part(whole, part) ? words_shared(whole->key, part->key) : 0;
        if (shared == 0 || shared < most)
            continue;
        if (shared > most)
            parts.count = 0;
        most = shared;
        *(size_t *)ARENA_PUSH(arena, &parts) = side->left->items[i];
    }
    return parts;
}

/* The dimension along which they are the whole, put one after the other; SIZE_MAX if there is none. */
static size_t dimension_of(const StateEntry *whole, const StateDict *dict, const Members *parts) {
    for (size_t dim = 0; parts->count > 1 && dim < whole->tensor.rank; dim++) {
        int64_t left = whole->tensor.shape[dim];
        bool fits = true;
        for (size_t i = 0; fits && i < parts->count; i++) {
            const TensorView *part = &dict->items[parts->items[i]].tensor;
            for (size_t d = 0; fits && d < part->rank; d++)
                fits = d == dim || part->shape[d] == whole->tensor.shape[d];
            fits = fits && part->shape[dim] > 0 && part->shape[dim] <= left;
            left -= fits ? part->shape[dim] : 0;
        }
        if (fits && left == 0)
            return dim;
    }
    return SIZE_MAX;
}

static const char *quoted(Arena *arena, const char *key) {
    json_t *text = json_string(key);
    char *dumped = json_dumps(text, JSON_ENCODE_ANY);
    const char *copy = arena_strdup(arena, dumped != NULL ? dumped : "\"?\"");
    free(dumped);
    json_decref(text);
    return copy;
}

static void add_line(Arena *arena, Text *text, const char *key, const char *target, size_t *lines) {
    if (++*lines <= MOST_LINES)
        text_printf(text, "%s\n  %s: %s", *lines > 1 ? "," : "", quoted(arena, key), target);
}

static void add_whole(Arena *arena, Text *text, const Side *wholes, size_t entry, const Side *side,
                      bool fused, size_t *lines) {
    const StateEntry *whole = &wholes->dict->items[entry];
    const Members parts = parts_of(arena, whole, side);
    const size_t dim = dimension_of(whole, side->dict, &parts);
    if (dim == SIZE_MAX)
        return;
    Text list = text_new(arena);
    int64_t start = 0;
    for (size_t i = 0; i < parts.count; i++) {
        const StateEntry *part = &side->dict->items[parts.items[i]];
        const int64_t stop = start + part->tensor.shape[dim];
        const char *target = arena_printf(
            arena, "{\"key\": %s, \"dim\": %zu, \"start\": %lld, \"stop\": %lld}",
            quoted(arena, fused ? whole->key : part->key), dim, (long long)start, (long long)stop);
        start = stop;
        if (fused)
            add_line(arena, text, part->key, target, lines);
        else
            text_printf(&list, "%s%s", i > 0 ? ", " : "[", target);
    }
    if (!fused)
        add_line(arena, text, whole->key, arena_printf(arena, "%s]", list.data), lines);
}

const char *map_of_fused(Arena *arena, const StateDict *original, const Members *originals,
                         const StateDict *candidate, const Members *candidates) {
    const Side theirs = {original, originals}, ours = {candidate, candidates};
    Text text = text_new(arena);
    size_t lines = 0;
    if (candidates->count > 0 && originals->count > most_compared / candidates->count)
        return NULL;
    text_add(&text, "{");
    for (size_t i = 0; i < originals->count; i++)
        add_whole(arena, &text, &theirs, originals->items[i], &ours, false, &lines);
    for (size_t i = 0; i < candidates->count; i++)
        add_whole(arena, &text, &ours, candidates->items[i], &theirs, true, &lines);
    return lines > 0 ? map_fragment_end(&text, lines, MOST_LINES) : NULL;
}
