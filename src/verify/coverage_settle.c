/* Before two counts are held against each other: what is the same in other words is counted as the same. */
#include "coverage_parts.h"

#include <string.h>

#define ATTENTION  "scaled_dot_product_attention"
#define MULTI_HEAD "multi_head_attention"

static void note(Notes *notes, const char *operator, const char * text) {
    const char *before = table_get(notes->table, operator);
    if (before != NULL && strstr(before, text) != NULL)
        return;
    table_put(notes->table, operator, (void *)(
                                before == NULL ? text : arena_printf(notes->arena, "%s; %s", before, text)));
}

static Occurrence *add_like(Tally *tally, const Occurrence *like, const char *name) {
    Occurrence copy = *like; /* the array may move */
    Occurrence *added = ARENA_PUSH(tally->arena, tally);
    *added = copy;
    added->name = name;
    added->arithmetic = added->dropped = false;
    added->group = 0;
    added->weight = NULL;
    added->weight_rank = 0;
    return added;
}

/* ---- Attention ------------------------------------------------------------------------------------ */

/* One multi_head_attention is a linear for each of its weights, and attention. */
static void open_multi_head(Tally *tally, size_t index) {
    const Trace *trace = tally->items[index].trace;
    const TraceCall *call = &trace->calls[tally->items[index].call];
    for (size_t i = 0; i < call->use_count; i++) {
        const TraceTensor *tensor = &trace->tensors[call->uses[i].number];
        if (tensor->origin != ORIGIN_PARAMETER || tensor->rank != 2)
            continue;
        Occurrence *linear = add_like(tally, &tally->items[index], "linear");
        linear->weight = tensor->keys[0];
        linear->weight_shape = tensor->shape;
        linear->weight_rank = 2;
    }
    add_like(tally, &tally->items[index], ATTENTION);
    tally->items[index].dropped = true;
}

static void settle_multi_head(Tally *more, const Tally *fewer, Notes *notes) {
    size_t own = tally_count(more, MULTI_HEAD, OWNER_LEAF),
           other = tally_count(fewer, MULTI_HEAD, OWNER_LEAF);
    size_t count = more->count;
    for (size_t i = 0; i < count && own > other; i++) {
        const Occurrence *occurrence = &more->items[i];
        if (occurrence->dropped || occurrence->owner != OWNER_LEAF ||
            !text_equal(occurrence->name, MULTI_HEAD))
            continue;
        open_multi_head(more, i);
        own--;
        note(notes, "linear", "multi_head_attention counts as its linear layers and attention");
        note(notes, ATTENTION, "multi_head_attention counts as its linear layers and attention");
    }
}

/* May the group be folded: does all of it count? */
static bool group_is_whole(const Tally *tally, size_t group) {
    bool any = false;
    for (size_t i = 0; i < tally->count; i++) {
        const Occurrence *occurrence = &tally->items[i];
        if (occurrence->group != group)
            continue;
        any = true;
        if (occurrence->dropped || (!occurrence->arithmetic && occurrence->owner != OWNER_LEAF))
            return false;
    }
    return any;
}

static void fold_group(Tally *tally, size_t group) {
    size_t like = SIZE_MAX;
    for (size_t i = 0; i < tally->count; i++) {
        if (tally->items[i].group != group)
            continue;
        tally->items[i].dropped = true;
        if (!tally->items[i].arithmetic)
            like = i;
    }
    if (like != SIZE_MAX)
        add_like(tally, &tally->items[like], ATTENTION);
}

static void settle_attention(const Tally *whole, Tally *primitive, Notes *notes) {
    size_t wanted = tally_count(whole, ATTENTION, OWNER_LEAF),
           there = tally_count(primitive, ATTENTION, OWNER_LEAF);
    for (size_t group = 1; group <= primitive->group_count && there < wanted; group++) {
        if (!group_is_whole(primitive, group))
            continue;
        fold_group(primitive, group);
        there++;
        note(notes, ATTENTION, "matmul, softmax, matmul count as attention");
    }
}

/* ---- Split and fused weights ----------------------------------------------------------------------- */

static bool counts(const Occurrence *occurrence, const char *name) {
    return !occurrence->dropped && occurrence->owner == OWNER_LEAF && occurrence->weight != NULL &&
           (name == NULL || text_equal(occurrence->name, name));
}

typedef struct Bucket { /* occurrences that are parts of one weight, and how often that weight is used */
    size_t *items, count, capacity, calls;
    const char *operator;
} Bucket;

static Bucket *bucket_of(Arena *arena, Table *buckets, const char *weight) {
    Bucket *bucket = table_get(buckets, weight);
    if (bucket == NULL)
        table_put(buckets, weight, bucket = ARENA_NEW(arena, Bucket));
    return bucket;
}

/* Calls `visit` for each part in a value of the map: `stop` is what makes an item a part. */
static void each_part(const json_t *value, const char *key, void (*visit)(const char *, const char *, void *),
                      void *context) {
    for (size_t i = 0; i < json_array_size(value); i++)
        each_part(json_array_get(value, i), key, visit, context);
    const char *place = json_string_value(json_object_get(value, "key"));
    if (place != NULL && json_object_get(value, "stop") != NULL)
        visit(key, place, context);
}

static void put_inverse(const char *key, const char *place, void *context) {
    table_put(context, place, (void *)key);
}

typedef struct Filling {
    Arena *arena;
    Table *buckets;
    size_t occurrence;
} Filling;

static void put_in_bucket(const char *key, const char *place, void *context) {
    const Filling *filling = context;
    (void)key;
    *(size_t *)ARENA_PUSH(filling->arena, bucket_of(filling->arena, filling->buckets, place)) =
        filling->occurrence;
}

/* By the weight of the whole: the occurrences whose weights are parts of it. */
static Table *find_parts(Arena *arena, const Tally *parts, const json_t *map, bool whole_is_original) {
    Table *buckets = table_new(arena), *inverse = table_new(arena);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value) each_part(value, key, put_inverse, inverse);
    for (size_t i = 0; i < parts->count; i++) {
        const Occurrence *part = &parts->items[i];
        if (part->dropped || part->owner != OWNER_LEAF || part->weight == NULL)
            continue;
        Filling filling = {arena, buckets, i};
        const char *whole = whole_is_original ? table_get(inverse, part->weight) : NULL;
        if (whole != NULL)
            put_in_bucket(NULL, whole, &filling);
        else if (!whole_is_original)
            each_part(json_object_get(map, part->weight), part->weight, put_in_bucket, &filling);
    }
    return buckets;
}

/* Of the occurrences in `found`, all but `keep` are parts of one. */
static void fold_parts(Tally *tally, const size_t *found, size_t count, size_t keep, Notes *notes) {
    for (size_t i = keep; i < count; i++)
        tally->items[found[i]].dropped = true;
    note(notes, tally->items[found[0]].name,
         arena_printf(notes->arena, "%zu parts of a split weight count as %zu call%s", count, keep,
                      keep == 1 ? "" : "s"));
}

/* By the map: parts of one weight of `whole` are weights of `parts`. `whole_is_original` says which side the
 * map's keys are of. */
static void settle_mapped(const Tally *whole, Tally *parts, const json_t *map, bool whole_is_original,
                          Notes *notes) {
    Table *buckets = find_parts(notes->arena, parts, map, whole_is_original);
    for (size_t i = 0; i < whole->count; i++) {
        const Occurrence *one = &whole->items[i];
        Bucket *bucket = counts(one, NULL) ? table_get(buckets, one->weight) : NULL;
        if (bucket == NULL)
            continue;
        bucket->calls++;
        bucket->operator= one->name;
    }
    for (size_t b = 0; b < buckets->count; b++) {
        const Bucket *bucket = buckets->items[b].value;
        bool same = bucket->calls > 0 && bucket->count > bucket->calls && bucket->count % bucket->calls == 0;
        for (size_t i = 0; i < bucket->count; i++)
            same = same && text_equal(parts->items[bucket->items[i]].name, bucket->operator);
        if (same)
            fold_parts(parts, bucket->items, bucket->count, bucket->calls, notes);
    }
}

static bool same_but_first(const Occurrence *a, const Occurrence *b) {
    if (a->weight_rank != b->weight_rank)
        return false;
    for (size_t d = 1; d < a->weight_rank; d++)
        if (a->weight_shape[d] != b->weight_shape[d])
            return false;
    return true;
}

/* By shapes: what no weight of equal shape stands for on the other side, and whose rows are together those
 * of one weight there. */
static void settle_by_shape(const Tally *whole, Tally *parts, Notes *notes) {
    bool *paired = ARENA_ARRAY(notes->arena, bool, parts->count + 1);
    bool *has_pair = ARENA_ARRAY(notes->arena, bool, whole->count + 1);
    size_t *found = ARENA_ARRAY(notes->arena, size_t, parts->count + 1);
    for (size_t i = 0; i < whole->count; i++)
        for (size_t k = 0; k < parts->count && !has_pair[i] && counts(&whole->items[i], NULL); k++) {
            const Occurrence *one = &whole->items[i], *other = &parts->items[k];
            if (!paired[k] && counts(other, one->name) && same_but_first(one, other) &&
                one->weight_shape[0] == other->weight_shape[0])
                paired[k] = has_pair[i] = true;
        }
    for (size_t i = 0; i < whole->count; i++) {
        const Occurrence *one = &whole->items[i];
        if (has_pair[i] || !counts(one, NULL))
            continue;
        size_t count = 0;
        int64_t rows = 0;
        for (size_t k = 0; k < parts->count && rows < one->weight_shape[0]; k++) {
            const Occurrence *part = &parts->items[k];
            if (paired[k] || !counts(part, one->name) || !same_but_first(one, part) ||
                part->weight_shape[0] > one->weight_shape[0] - rows)
                continue;
            rows += part->weight_shape[0];
            found[count++] = k;
        }
        if (count < 2 || rows != one->weight_shape[0])
            continue;
        for (size_t k = 0; k < count; k++)
            paired[found[k]] = true;
        fold_parts(parts, found, count, 1, notes);
    }
}

/* ---- Results that nothing uses ----------------------------------------------------------------------- */

static void settle_dead(Tally *original, const Tally *decomposed, Notes *notes) {
    for (size_t i = 0; i < original->count; i++) {
        Occurrence *occurrence = &original->items[i];
        if (occurrence->dropped || occurrence->live || occurrence->arithmetic ||
            tally_count(original, occurrence->name, OWNER_LEAF) <=
                tally_count(decomposed, occurrence->name, OWNER_LEAF))
            continue;
        occurrence->dropped = true;
        note(notes, occurrence->name, "the original's calls whose results nothing uses are left out");
    }
}

void coverage_settle(Tally *original, Tally *decomposed, const json_t *weight_map, Notes *notes) {
    settle_multi_head(original, decomposed, notes);
    settle_multi_head(decomposed, original, notes);
    settle_attention(original, decomposed, notes);
    settle_attention(decomposed, original, notes);
    if (weight_map != NULL) {
        settle_mapped(original, decomposed, weight_map, true, notes);
        settle_mapped(decomposed, original, weight_map, false, notes);
    } else {
        settle_by_shape(original, decomposed, notes);
        settle_by_shape(decomposed, original, notes);
    }
    settle_dead(original, decomposed, notes);
}
