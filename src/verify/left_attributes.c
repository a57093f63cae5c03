/* Which of what forward leaves in plain attributes of modules stands for which on the other side. */
#include "verify_internal.h"

#include <string.h>

static size_t count_of(const Value *attributes) {
    return attributes->kind == VALUE_DICT ? attributes->list.count / 2 : 0;
}

static const char *path_at(const Value *attributes, size_t i) {
    const Value *key = &attributes->list.items[2 * i];
    return key->kind == VALUE_STR ? key->text.data : "";
}

static const Value *value_at(const Value *attributes, size_t i) {
    return &attributes->list.items[2 * i + 1];
}

static const char *name_at(const Value *attributes, size_t i) {
    const char *path = path_at(attributes, i), *dot = strrchr(path, '.');
    return dot != NULL ? dot + 1 : path;
}

static void find_tensor(const char *path, const Value *value, void *context) {
    (void)path;
    (void)value;
    *(bool *)context = true;
}

static bool holds_tensors(Arena *arena, const Value *value) {
    bool found = false;
    value_walk_tensors(arena, value, "", find_tensor, &found);
    return found;
}

typedef struct Pairing {
    Arena *arena;
    const Value *original, *candidate;
    const Value **found; /* by the original's */
    bool *used;          /* of the candidate's */
} Pairing;

/* The first that is left of those by that name; `agree`: of those that are equal. */
static void pair_by_name(Pairing *pairing, size_t i, ValuesAgree agree, void *context) {
    const Value *value = value_at(pairing->original, i);
    for (size_t k = 0; k < count_of(pairing->candidate) && pairing->found[i] == NULL; k++) {
        const Value *other = value_at(pairing->candidate, k);
        if (pairing->used[k] || !text_equal(name_at(pairing->original, i), name_at(pairing->candidate, k)) ||
            !holds_tensors(pairing->arena, other) || (agree != NULL && !agree(value, other, context)))
            continue;
        pairing->found[i] = other;
        pairing->used[k] = true;
    }
}

static void pair_by_path(Pairing *pairing) {
    Table *paths = table_new(pairing->arena);
    for (size_t k = 0; k < count_of(pairing->candidate); k++)
        table_put(paths, path_at(pairing->candidate, k), (void *)(pairing->candidate->list.items + 2 * k));
    for (size_t i = 0; i < count_of(pairing->original); i++) {
        const Value *key = table_get(paths, path_at(pairing->original, i));
        if (key == NULL)
            continue;
        pairing->found[i] = key + 1;
        pairing->used[(size_t)(key - pairing->candidate->list.items) / 2] = true;
    }
}

static Pairing pair_attributes(Arena *arena, const Value *original, const Value *candidate, ValuesAgree agree,
                               void *context) {
    const size_t count = count_of(original);
    Pairing pairing = {.arena = arena,
                       .original = original,
                       .candidate = candidate,
                       .found = ARENA_ARRAY(arena, const Value *, count + 1),
                       .used = ARENA_ARRAY(arena, bool, count_of(candidate) + 1)};
    pair_by_path(&pairing);
    for (int equal = agree != NULL ? 1 : 0; equal >= 0; equal--)
        for (size_t i = 0; i < count; i++)
            if (pairing.found[i] == NULL && holds_tensors(arena, value_at(original, i)))
                pair_by_name(&pairing, i, equal ? agree : NULL, context);
    return pairing;
}

const Value **attribute_counterparts(Arena *arena, const Value *original, const Value *candidate,
                                     ValuesAgree agree, void *context) {
    return pair_attributes(arena, original, candidate, agree, context).found;
}

const char *attribute_unlike(Arena *arena, const RunOutputs *original, const RunOutputs *candidate,
                             bool of_original) {
    const Value *theirs = &original->attributes, *ours = &candidate->attributes;
    const Value *side = of_original ? theirs : ours;
    const Pairing pairing = pair_attributes(arena, theirs, ours, NULL, NULL);
    for (size_t i = 0; i < count_of(side); i++)
        if (!(of_original ? pairing.found[i] != NULL : pairing.used[i]) &&
            holds_tensors(arena, value_at(side, i)))
            return path_at(side, i);
    return NULL;
}
