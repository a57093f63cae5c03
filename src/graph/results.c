/* What forward returned and left, side by side: sequences by position, dicts by key, whatever their order. */
#include "unify_parts.h"

typedef struct Pairing {
    Arena *arena;
    const Value **items; /* the candidate's leaves in the original's order */
    size_t count, capacity;
} Pairing;

/* As value_walk has them in one path: a list for a tuple does. */
static ValueKind container_of(const Value *value) {
    return value->kind == VALUE_LIST ? VALUE_TUPLE : value->kind;
}

static const char *unlike(const Pairing *pairing, const char *path, const Value *a, const Value *b) {
    return arena_printf(pairing->arena, "%s is a %s in the original and a %s in the refactored", path,
                        value_describe(pairing->arena, a), value_describe(pairing->arena, b));
}

static const char *pair(Pairing *pairing, const char *path, const Value *a, const Value *b);

static const Value *with_key(const Value *dict, const Value *key, size_t position) {
    if (value_equal(&dict->list.items[position], key))
        return &dict->list.items[position + 1];
    for (size_t i = 0; i + 1 < dict->list.count; i += 2)
        if (value_equal(&dict->list.items[i], key))
            return &dict->list.items[i + 1];
    return NULL;
}

static const char *pair_dicts(Pairing *pairing, const char *path, const Value *a, const Value *b) {
    const char *what = NULL;
    for (size_t i = 0; i + 1 < a->list.count && what == NULL; i += 2) {
        const Value *other = with_key(b, &a->list.items[i], i);
        what = other == NULL ? arena_printf(pairing->arena, "only the original gives %s[%s]", path,
                                            value_describe(pairing->arena, &a->list.items[i]))
                             : pair(pairing, path, &a->list.items[i + 1], other);
    }
    return what;
}

static const char *pair(Pairing *pairing, const char *path, const Value *a, const Value *b) {
    if (!value_is_container(a) && !value_is_container(b)) {
        *(const Value **)ARENA_PUSH(pairing->arena, pairing) = b;
        return NULL;
    }
    if (container_of(a) != container_of(b) || a->list.count != b->list.count)
        return unlike(pairing, path, a, b);
    if (a->kind == VALUE_DICT)
        return pair_dicts(pairing, path, a, b);
    const char *what = NULL;
    for (size_t i = 0; i < a->list.count && what == NULL; i++)
        what = a->fields != NULL && !text_equal(a->fields[i], b->fields[i])
                   ? unlike(pairing, path, a, b)
                   : pair(pairing, path, &a->list.items[i], &b->list.items[i]);
    return what;
}

/* Outputs are leaves in the candidate's own order, mostly the same. */
static const GraphOutput *output_of(const Graph *graph, const Value *leaf, size_t position) {
    if (graph->outputs[position].value == leaf)
        return &graph->outputs[position];
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i].value == leaf)
            return &graph->outputs[i];
    return NULL;
}

const char *results_pair(Arena *arena, const Graph *original, const Graph *candidate, const Graph **ordered) {
    *ordered = candidate;
    Pairing pairing = {.arena = arena};
    if (original->returned == NULL || candidate->returned == NULL)
        return NULL; /* a graph of no call */
    const char *what = pair(&pairing, "out", original->returned, candidate->returned);
    if (what == NULL && original->kept->kind == VALUE_DICT && candidate->kept->kind == VALUE_DICT)
        what = pair(&pairing, "kept", original->kept, candidate->kept);
    if (what != NULL || pairing.count != candidate->output_count)
        return what;
    bool moved = false;
    Graph *copy = ARENA_NEW(arena, Graph);
    *copy = *candidate;
    copy->outputs = ARENA_ARRAY(arena, GraphOutput, candidate->output_count + 1);
    for (size_t i = 0; i < pairing.count; i++) {
        const GraphOutput *output = output_of(candidate, pairing.items[i], i);
        if (output == NULL)
            return NULL;
        copy->outputs[i] = *output;
        moved = moved || output != &candidate->outputs[i];
    }
    if (moved)
        *ordered = copy;
    return NULL;
}
