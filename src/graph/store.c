/* Terms, each once; views of views and of writes as one view where an index map can say so. */
#include "graph_parts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* How many writes a read looks through, and against how many a new one is held: a bound for time alone. */
enum { MOST_LOOKED_THROUGH = 64 };

struct GraphLabels {
    pthread_mutex_t mutex;
    Table *table; /* text -> itself, in memory of its own */
};

GraphLabels *graph_labels_new(Arena *arena) {
    GraphLabels *labels = ARENA_NEW(arena, GraphLabels);
    labels->table = table_new(arena_new_within(arena));
    pthread_mutex_init(&labels->mutex, NULL);
    return labels;
}

const char *label_intern(GraphLabels *labels, const char *text) {
    pthread_mutex_lock(&labels->mutex);
    const char *label = table_get(labels->table, text);
    if (label == NULL) {
        table_put(labels->table, text, TABLE_PRESENT);
        TableEntry *entry = &labels->table->items[labels->table->count - 1];
        label = entry->key;
        entry->value = (void *)(uintptr_t)label;
    }
    pthread_mutex_unlock(&labels->mutex);
    return label;
}

void store_open(Store *store, Arena *arena, Arena *scratch, GraphLabels *labels, size_t expected) {
    *store = (Store){
        .arena = arena, .scratch = scratch, .labels = labels, .slot_count = 1024, .text = text_new(scratch)};
    store->terms = ARENA_ARRAY(arena, Term, expected);
    store->infos = ARENA_ARRAY(scratch, TermInfo, expected);
    store->capacity = store->info_capacity = expected;
    store->slots = ARENA_ARRAY(scratch, uint32_t, store->slot_count);
    store->call = NO_CALL;
}

int64_t shape_count(const int64_t *shape, size_t rank) {
    int64_t count = 1;
    for (size_t i = 0; i < rank; i++)
        if (shape[i] == 0)
            return 0;
    for (size_t i = 0; i < rank; i++)
        count *= shape[i];
    return count;
}

static void add_number(Text *text, int64_t number) {
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (number < 0)
        digits[--at] = '-';
    text_add_bytes(text, digits + at, sizeof digits - at);
}

void text_add_shape(Text *text, const char *dtype, const int64_t *shape, size_t rank) {
    text_add(text, dtype);
    text_add(text, " [");
    for (size_t i = 0; i < rank; i++) {
        if (i > 0)
            text_add(text, ", ");
        add_number(text, shape[i]);
    }
    text_add(text, "]");
}

static void add_map(Text *text, const IndexMap *map) {
    add_number(text, map->offset);
    for (size_t i = 0; i < map->count; i++) {
        text_add(text, i == 0 ? "; " : ", ");
        add_number(text, map->modes[i].size);
        text_add(text, ":");
        add_number(text, map->modes[i].stride);
    }
}

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15U;
    return hash ^ (hash >> 29);
}

/* Operands that may change places are looked up in one order. */
static void ordered(const Term *term, uint32_t *first, uint32_t *second) {
    *first = term->operand_count > 0 ? term->operands[0].number : UINT32_MAX;
    *second = term->operand_count > 1 ? term->operands[1].number : UINT32_MAX;
    if (term->commutative && term->operand_count > 1 && *first > *second) {
        uint32_t other = *first;
        *first = *second;
        *second = other;
    }
}

static uint64_t hash_term(const Term *term) {
    uint32_t first, second;
    ordered(term, &first, &second);
    uint64_t hash = mix(mix((uint64_t)(uintptr_t)term->label, term->kind), term->state);
    hash = mix(mix(hash, first), second);
    for (uint32_t i = 2; i < term->operand_count; i++)
        hash = mix(hash, term->operands[i].number);
    return hash;
}

static bool same_term(const Term *a, const Term *b) {
    if (a->kind != b->kind || a->label != b->label || a->operand_count != b->operand_count ||
        a->state != b->state || a->commutative != b->commutative)
        return false;
    uint32_t a_first, a_second, b_first, b_second;
    ordered(a, &a_first, &a_second);
    ordered(b, &b_first, &b_second);
    if (a_first != b_first || a_second != b_second)
        return false;
    for (uint32_t i = 2; i < a->operand_count; i++)
        if (a->operands[i].number != b->operands[i].number)
            return false;
    return true;
}

static void widen(Store *store) {
    store->slot_count *= 2;
    store->slots = ARENA_ARRAY(store->scratch, uint32_t, store->slot_count);
    for (size_t i = 0; i < store->count; i++) {
        size_t at = (size_t)store->infos[i].hash & (store->slot_count - 1);
        while (store->slots[at] != 0)
            at = (at + 1) & (store->slot_count - 1);
        store->slots[at] = (uint32_t)i + 1;
    }
}

static void *copy_or_null(Arena *arena, const void *data, size_t size) {
    return size == 0 ? NULL : arena_copy(arena, data, size);
}

static TermId add_term(Store *store, const Term *draft, uint64_t hash) {
    Term *term = arena_push(store->arena, &store->terms, &store->count, &store->capacity, sizeof *term);
    TermInfo *info =
        arena_push(store->scratch, &store->infos, &store->info_count, &store->info_capacity, sizeof *info);
    *term = *draft;
    *info = (TermInfo){.hash = hash};
    term->operands = copy_or_null(store->arena, draft->operands, draft->operand_count * sizeof(TermId));
    term->shape = copy_or_null(store->arena, draft->shape, draft->rank * sizeof(int64_t));
    if (term->operator== NULL)
        term->operator= "";
    if (term->kind == TERM_VIEW) {
        term->via = term->operands[0];
        term->item = SIZE_MAX;
    }
    term->call = store->call;
    term->grad = store->grad;
    return (TermId){(uint32_t)(store->count - 1)};
}

TermId store_term(Store *store, const Term *draft, const IndexMap *map, bool raw) {
    Term term = *draft;
    term.label = label_intern(store->labels, draft->label);
    uint64_t hash = hash_term(&term);
    size_t at = (size_t)hash & (store->slot_count - 1);
    for (; store->slots[at] != 0; at = (at + 1) & (store->slot_count - 1)) {
        uint32_t number = store->slots[at] - 1;
        if (store->infos[number].hash == hash && same_term(&store->terms[number], &term))
            return (TermId){number};
    }
    TermId id = add_term(store, &term, hash);
    store->slots[at] = id.number + 1;
    if (store->count * 2 > store->slot_count)
        widen(store);
    TermInfo *info = &store->infos[id.number];
    info->raw = raw;
    if (map != NULL) {
        info->map = *map;
        info->map.modes = copy_or_null(store->scratch, map->modes, map->count * sizeof(Mode));
    }
    return id;
}

TermId store_unknown(Store *store, const char *dtype, const int64_t *shape, size_t rank) {
    Text *text = &store->text;
    text->length = 0;
    text_add(text, "unknown ");
    add_number(text, (int64_t)store->count);
    text_add(text, " -> ");
    text_add_shape(text, dtype, shape, rank);
    Term draft = {.kind = TERM_UNKNOWN,
                  .label = text->data,
                  .dtype = dtype,
                  .shape = shape,
                  .rank = rank,
                  .state = SIZE_MAX};
    return store_term(store, &draft, NULL, false);
}

static bool same_shape(const Term *term, const int64_t *shape, size_t rank) {
    return term->rank == rank && (rank == 0 || memcmp(term->shape, shape, rank * sizeof *shape) == 0);
}

/* A view term as it stands. */
static TermId make_view(Store *store, TermId operand, const IndexMap *map, const int64_t *shape,
                        size_t rank) {
    const Term *term = store_at(store, operand);
    if (map_is_identity(map, shape_count(term->shape, term->rank)) && same_shape(term, shape, rank))
        return operand;
    Text *text = &store->text;
    text->length = 0;
    text_add(text, "view(%, ");
    add_map(text, map);
    text_add(text, ") -> ");
    text_add_shape(text, term->dtype, shape, rank);
    Term draft = {.kind = TERM_VIEW,
                  .label = text->data,
                  .operands = &operand,
                  .operand_count = 1,
                  .known = term->known,
                  .kept = term->kept,
                  .dtype = term->dtype,
                  .shape = shape,
                  .rank = rank,
                  .state = SIZE_MAX};
    return store_term(store, &draft, map, false);
}

/* Elements that all lie in what a write has put: which of the written value's they are. */
static bool find_in_write(const IndexMap *at, const IndexMap *written, IndexMap *result) {
    int64_t shape[MOST_MODES], stride[MOST_MODES];
    Digits digits;
    for (size_t i = 0; i < written->count; i++) {
        shape[i] = written->modes[i].size;
        stride[i] = written->modes[i].stride;
    }
    const IndexMap relative = {at->offset - written->offset, at->count, at->modes};
    return map_count(at) > 0 && digits_of_geometry(shape, stride, written->count, &digits) &&
           map_compose(&relative, &digits, result);
}

TermId store_view(Store *store, TermId operand, const IndexMap *map, const int64_t *shape, size_t rank) {
    Mode rooms[2][MOST_MODES];
    IndexMap at = {map->offset, map->count, rooms[0]};
    if (map->count > 0)
        memcpy(rooms[0], map->modes, map->count * sizeof(Mode));
    int room = 0;
    for (size_t steps = 0; steps < MOST_LOOKED_THROUGH; steps++) {
        const Term *term = store_at(store, operand);
        const TermInfo *info = &store->infos[operand.number];
        IndexMap composed = {0, 0, rooms[!room]};
        if (info->raw)
            break;
        if (term->kind == TERM_VIEW) {
            Digits digits;
            digits_of_map(&info->map, &digits);
            if (!map_compose(&at, &digits, &composed))
                break;
            at = composed;
            room = !room;
            operand = term->operands[0];
        } else if (term->kind == TERM_WRITE && map_equal(&at, &info->map)) {
            operand = term->operands[1];
            map_identity(map_count(&at), &at);
        } else if (term->kind == TERM_WRITE && map_disjoint(&at, &info->map)) {
            operand = term->operands[0];
        } else if (term->kind == TERM_WRITE && find_in_write(&at, &info->map, &composed)) {
            at = composed;
            room = !room;
            operand = term->operands[1];
        } else {
            break;
        }
    }
    return make_view(store, operand, &at, shape, rank);
}

TermId store_reshape(Store *store, TermId operand, const int64_t *shape, size_t rank) {
    const Term *term = store_at(store, operand);
    if (same_shape(term, shape, rank))
        return operand;
    MAP_ON_STACK(identity);
    map_identity(shape_count(shape, rank), &identity);
    return store_view(store, operand, &identity, shape, rank);
}

static TermId make_write(Store *store, TermId old, TermId value, const IndexMap *map) {
    const Term *term = store_at(store, old), *put = store_at(store, value);
    Text *text = &store->text;
    text->length = 0;
    text_add(text, "write(%, %, ");
    add_map(text, map);
    text_add(text, ") -> ");
    text_add_shape(text, term->dtype, term->shape, term->rank);
    Term draft = {.kind = TERM_WRITE,
                  .label = text->data,
                  .operands = (TermId[]){old, value},
                  .operand_count = 2,
                  .known = term->known && put->known,
                  .kept = (term->known || term->kept) && (put->known || put->kept) &&
                          !(term->known && put->known),
                  .dtype = term->dtype,
                  .shape = term->shape,
                  .rank = term->rank,
                  .state = SIZE_MAX};
    return store_term(store, &draft, map, false);
}

/* How many elements the write and those below it replaced, if no two replaced the same one. */
static void count_covered(Store *store, TermId id, TermId old, const IndexMap *map) {
    TermInfo *info = &store->infos[id.number];
    const TermInfo *below = &store->infos[old.number];
    info->depth = 1;
    info->covered = map_count(map);
    info->highest = map_highest(map);
    if (store_at(store, old)->kind != TERM_WRITE || below->raw)
        return;
    info->depth = below->depth + 1;
    info->covered = below->covered < 0 ? -1 : below->covered + info->covered;
    if (info->covered < 0)
        return;
    if (map->offset > below->highest)
        return;
    info->highest = info->highest > below->highest ? info->highest : below->highest;
    TermId at = old;
    for (size_t steps = 0; store_at(store, at)->kind == TERM_WRITE; steps++) {
        if (steps == MOST_LOOKED_THROUGH || !map_disjoint(map, &store->infos[at.number].map)) {
            info->covered = -1;
            return;
        }
        at = store_at(store, at)->operands[0];
    }
}

typedef struct Piece {
    const IndexMap *map;
    TermId value;
} Piece;

static int by_offset(const void *a, const void *b) {
    int64_t left = ((const Piece *)a)->map->offset, right = ((const Piece *)b)->map->offset;
    return (left > right) - (left < right);
}

/* Memory of which no element is ever read before it is written. */
TermId store_nothing(Store *store, const char *dtype, const int64_t *shape, size_t rank) {
    Text *text = &store->text;
    text->length = 0;
    text_add(text, "plumbline::nothing() -> ");
    text_add_shape(text, dtype, shape, rank);
    Term draft = {.kind = TERM_OPERATOR,
                  .label = text->data,
                  .known = true,
                  .operator= "plumbline::nothing",
                  .dtype = dtype,
                  .shape = (int64_t *)shape,
                  .rank = rank,
                  .state = SIZE_MAX};
    return store_term(store, &draft, NULL, false);
}

/* The writes have replaced every element once: what was there before, and in which order they came, is
 * nothing to the value. So they are written again by rising offset, on nothing. */
static TermId cover(Store *store, TermId top) {
    const Term *whole = store_at(store, top);
    size_t count = store->infos[top.number].depth;
    Piece *pieces = ARENA_ARRAY(store->scratch, Piece, count);
    TermId at = top;
    IndexMap *maps = ARENA_ARRAY(store->scratch, IndexMap, count);
    for (size_t i = 0; i < count; i++) {
        maps[i] = store->infos[at.number].map;
        pieces[i] = (Piece){&maps[i], store_at(store, at)->operands[1]};
        at = store_at(store, at)->operands[0];
    }
    qsort(pieces, count, sizeof *pieces, by_offset);
    TermId result = store_nothing(store, whole->dtype, whole->shape, whole->rank);
    for (size_t i = 0; i < count; i++) {
        result = make_write(store, result, pieces[i].value, pieces[i].map);
        store->infos[result.number].covered = -1; /* done: writes on top of it are not counted again */
        store->infos[result.number].depth = 1;
    }
    return result;
}

TermId store_write(Store *store, TermId old, TermId value, const IndexMap *map) {
    if (map_count(map) == 0)
        return old;
    if (store_at(store, old)->kind == TERM_WRITE && !store->infos[old.number].raw &&
        map_equal(map, &store->infos[old.number].map))
        return store_write(store, store_at(store, old)->operands[0], value, map);
    const Term *term = store_at(store, value);
    if (store_view(store, old, map, term->shape, term->rank).number == value.number)
        return old;
    /* The value's elements in order are what is written: its shape is not part of that. */
    if (term->kind == TERM_VIEW && !store->infos[value.number].raw) {
        TermId inner = term->operands[0];
        const Term *under = store_at(store, inner);
        if (map_is_identity(&store->infos[value.number].map, shape_count(under->shape, under->rank)))
            value = inner;
    }
    size_t before = store->count;
    TermId id = make_write(store, old, value, map);
    if (store->count > before)
        count_covered(store, id, old, map);
    term = store_at(store, id);
    if (store->infos[id.number].covered == shape_count(term->shape, term->rank))
        return cover(store, id);
    return id;
}
