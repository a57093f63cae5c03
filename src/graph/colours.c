/* What is told of each term before any pair is compared: exact classes by structure, and colours that choose
 * between operands that may change places. */
#include "unify_parts.h"

#include <string.h>

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash ^= value + 0x9e3779b97f4a7c15ull + (hash << 6) + (hash >> 2);
    hash ^= hash >> 30;
    hash *= 0xbf58476d1ce4e5b9ull;
    hash ^= hash >> 27;
    hash *= 0x94d049bb133111ebull;
    return hash ^ (hash >> 31);
}

static uint64_t text_hash(const char *text) {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (; text != NULL && *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3ull;
    return hash;
}

/* ---- Classes ------------------------------------------------------------------------------ */

typedef struct ClassKey {
    uint64_t hash;
    TermKind kind;
    bool commutative;
    const char *label;
    const Term *bytes; /* known by its bytes, which then say all; or NULL */
    uint32_t *parts;
    size_t part_count;
} ClassKey;

typedef struct Classes {
    Arena *arena;
    ClassKey *items; /* class c is items[c - 1] */
    size_t count, capacity;
    uint32_t *slots;
    size_t slot_count;
} Classes;

bool same_content(const Term *a, const Term *b) {
    return a->content != NULL && b->content != NULL && strcmp(a->content, b->content) == 0 &&
           text_equal(a->dtype, b->dtype) && a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

static bool same_key(const ClassKey *a, const ClassKey *b) {
    if (a->hash != b->hash || (a->bytes == NULL) != (b->bytes == NULL))
        return false;
    if (a->bytes != NULL)
        return same_content(a->bytes, b->bytes);
    return a->kind == b->kind && a->commutative == b->commutative && a->label == b->label &&
           a->part_count == b->part_count &&
           (a->part_count == 0 || memcmp(a->parts, b->parts, a->part_count * sizeof *a->parts) == 0);
}

static size_t slot_of(const Classes *classes, const ClassKey *key) {
    size_t slot = key->hash & (classes->slot_count - 1);
    while (classes->slots[slot] != 0 && !same_key(&classes->items[classes->slots[slot] - 1], key))
        slot = (slot + 1) & (classes->slot_count - 1);
    return slot;
}

static uint32_t class_of_key(Classes *classes, const ClassKey *key) {
    if (classes->slot_count < 2 * (classes->count + 1)) {
        classes->slot_count = classes->slot_count == 0 ? 1024 : 2 * classes->slot_count;
        classes->slots = ARENA_ARRAY(classes->arena, uint32_t, classes->slot_count);
        for (size_t c = 0; c < classes->count; c++)
            if (classes->items[c].part_count != SIZE_MAX)
                classes->slots[slot_of(classes, &classes->items[c])] = (uint32_t)c + 1;
    }
    size_t slot = slot_of(classes, key);
    if (classes->slots[slot] == 0) {
        ClassKey *new = ARENA_PUSH(classes->arena, classes);
        *new = *key;
        new->parts = arena_copy(classes->arena, key->parts, key->part_count * sizeof *key->parts);
        classes->slots[slot] = (uint32_t)classes->count;
    }
    return classes->slots[slot];
}

/* A class that no other term has. */
static uint32_t class_alone(Classes *classes) {
    *(ClassKey *)ARENA_PUSH(classes->arena, classes) =
        (ClassKey){.kind = TERM_UNKNOWN, .part_count = SIZE_MAX};
    return (uint32_t)classes->count;
}

static uint32_t class_of(Classes *classes, const Term *term, const Term *bytes, const uint32_t *operands) {
    uint32_t few[8];
    uint32_t *parts = term->operand_count <= COUNT_OF(few)
                          ? few
                          : ARENA_ARRAY(classes->arena, uint32_t, term->operand_count);
    ClassKey key = {.kind = term->kind,
                    .commutative = term->commutative,
                    .label = term->label,
                    .bytes = bytes,
                    .parts = parts,
                    .part_count = bytes != NULL ? 0 : term->operand_count};
    for (size_t i = 0; i < key.part_count; i++)
        parts[i] = operands[term->operands[i].number];
    if (term->commutative && key.part_count >= 2 && parts[0] > parts[1]) {
        uint32_t part = parts[0];
        parts[0] = parts[1];
        parts[1] = part;
    }
    key.hash = bytes != NULL ? text_hash(bytes->content) : mix(text_hash(term->label), term->kind);
    for (size_t i = 0; i < key.part_count; i++)
        key.hash = mix(key.hash, parts[i]);
    return class_of_key(classes, &key);
}

/* The contents of what is known on either side: a buffer that holds the like may stand for it. */
static Table *known_contents(Arena *arena, const Side *original, const Side *candidate) {
    Table *contents = table_new(arena);
    for (size_t s = 0; s < 2; s++) {
        const Side *side = s == 0 ? original : candidate;
        for (size_t t = 0; t < side->graph->term_count; t++) {
            const Term *term = &side->graph->terms[t];
            if (side->live[t] && term->known && term->content != NULL)
                table_put(contents, term->content, TABLE_PRESENT);
        }
    }
    return contents;
}

static void classify(Arena *arena, Side *side, Classes *structural, Classes *known, const Table *contents) {
    const Graph *graph = side->graph;
    side->structural = ARENA_ARRAY(arena, uint32_t, graph->term_count + 1);
    side->known = ARENA_ARRAY(arena, uint32_t, graph->term_count + 1);
    for (size_t t = 0; t < graph->term_count; t++) {
        const Term *term = &graph->terms[t];
        bool by_bytes =
            term->content != NULL &&
            (term->known || ((term->kept || term->kind == TERM_STATE) && table_has(contents, term->content)));
        if (term->kind == TERM_UNKNOWN || term->kind == TERM_INITIAL)
            side->structural[t] = class_alone(structural);
        else
            side->structural[t] = class_of(structural, term, by_bytes ? term : NULL, side->structural);
        bool known_throughout = term->known;
        for (size_t i = 0; i < term->operand_count; i++)
            known_throughout = known_throughout && side->known[term->operands[i].number] != 0;
        if (known_throughout)
            side->known[t] = class_of(known, term, NULL, side->known);
    }
}

/* ---- Liveness ----------------------------------------------------------------------------- */

static void find_roots(Arena *arena, Side *side) {
    const Graph *graph = side->graph;
    side->roots = ARENA_ARRAY(
        arena, TermId, graph->output_count + graph->read_count + graph->input_count + graph->state_count + 1);
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i].is_tensor)
            side->roots[side->root_count++] = graph->outputs[i].term;
    for (size_t i = 0; i < graph->read_count; i++)
        side->roots[side->root_count++] = graph->reads[i].term;
    for (size_t i = 0; i < graph->input_count; i++)
        if (graph->inputs[i].final.number != graph->inputs[i].term.number)
            side->roots[side->root_count++] = graph->inputs[i].final;
    for (size_t i = 0; i < graph->state_count; i++)
        if (graph->states[i].final.number != graph->states[i].term.number)
            side->roots[side->root_count++] = graph->states[i].final;
    side->live = ARENA_ARRAY(arena, bool, graph->term_count + 1);
    for (size_t i = 0; i < side->root_count; i++)
        side->live[side->roots[i].number] = true;
    for (size_t t = graph->term_count; t-- > 0;)
        for (size_t i = 0; side->live[t] && i < graph->terms[t].operand_count; i++)
            side->live[graph->terms[t].operands[i].number] = true;
}

/* ---- Colours ------------------------------------------------------------------------------ */

static uint64_t *colour_up(Arena *arena, const Side *side, const uint64_t *states) {
    const Graph *graph = side->graph;
    uint64_t *colours = ARENA_ARRAY(arena, uint64_t, graph->term_count + 1);
    for (size_t t = 0; t < graph->term_count; t++) {
        const Term *term = &graph->terms[t];
        colours[t] = mix(side->structural[t], states[t]);
        for (size_t i = 0; i < term->operand_count; i++) {
            uint64_t operand = mix(colours[term->operands[i].number], term->commutative && i < 2 ? 0 : i);
            colours[t] += operand * 0x9e3779b97f4a7c15ull;
        }
    }
    return colours;
}

/* What is made of each state: a colour handed down from the roots through every user. */
static uint64_t *colour_states_by_use(Arena *arena, const Side *side) {
    const Graph *graph = side->graph;
    uint64_t *uses = ARENA_ARRAY(arena, uint64_t, graph->term_count + 1);
    size_t root = 0;
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i].is_tensor)
            uses[side->roots[root++].number] += mix(1, i);
    for (size_t i = 0; i < graph->read_count; i++)
        uses[side->roots[root++].number] += mix(2, i);
    for (size_t i = 0; i < graph->input_count; i++)
        if (graph->inputs[i].final.number != graph->inputs[i].term.number)
            uses[side->roots[root++].number] += mix(3, text_hash(graph->inputs[i].path));
    for (size_t i = 0; i < graph->state_count; i++)
        if (graph->states[i].final.number != graph->states[i].term.number) {
            uses[graph->states[i].term.number] += mix(4, side->structural[side->roots[root].number]);
            uses[side->roots[root++].number] += 5;
        }
    for (size_t t = graph->term_count; t-- > 0;) {
        const Term *term = &graph->terms[t];
        if (!side->live[t])
            continue;
        for (size_t i = 0; i < term->operand_count; i++)
            uses[term->operands[i].number] +=
                mix(mix(uses[t], side->structural[t]), term->commutative && i < 2 ? 0 : i);
        if (term->kind != TERM_STATE)
            uses[t] = 0;
    }
    return uses;
}

/* The keys that name an original state and, by an explicit map, what stands for it. */
static const char *name_of_state(const Side *side, const Term *term, const Table *renamed) {
    const GraphState *state = &side->graph->states[term->state];
    for (size_t k = 0; renamed != NULL && k < state->key_count; k++)
        if (table_has(renamed, state->keys[k]))
            return table_get(renamed, state->keys[k]);
    return term->key;
}

static const char *ending_of(const char *key) {
    size_t dots = 0;
    const char *ending = key + strlen(key);
    while (ending > key && !(ending[-1] == '.' && ++dots == 2))
        ending--;
    return ending;
}

static void colour(Arena *arena, Side *side, const Table *renamed) {
    size_t count = side->graph->term_count;
    uint64_t *names = ARENA_ARRAY(arena, uint64_t, count + 1);
    uint64_t *endings = ARENA_ARRAY(arena, uint64_t, count + 1);
    for (size_t t = 0; t < count; t++) {
        const Term *term = &side->graph->terms[t];
        if (term->kind != TERM_STATE || term->state >= side->graph->state_count)
            continue;
        const char *name = name_of_state(side, term, renamed);
        names[t] = text_hash(name);
        endings[t] = name == NULL ? 0 : text_hash(ending_of(name));
    }
    side->refined = colour_up(arena, side, colour_states_by_use(arena, side));
    side->named = colour_up(arena, side, names);
    side->endings = colour_up(arena, side, endings);
}

size_t colour_sides(Arena *arena, Side *original, Side *candidate, const BindingRules *rules) {
    find_roots(arena, original);
    find_roots(arena, candidate);
    Table *contents = known_contents(arena, original, candidate);
    Classes structural = {.arena = arena}, known = {.arena = arena};
    classify(arena, original, &structural, &known, contents);
    classify(arena, candidate, &structural, &known, contents);
    Table *renamed = table_new(arena);
    for (size_t i = 0; rules != NULL && i < rules->count; i++)
        table_put(renamed, rules->candidate_keys[i], (void *)(uintptr_t)rules->original_keys[i]);
    colour(arena, original, NULL);
    colour(arena, candidate, renamed);
    return structural.count + 1;
}
