/* What a term shows of which other: views and casts looked through, and views undone. */
#include "elements.h"

#include <stdlib.h>
#include <string.h>

ElementsOf elements_open(Arena *arena, const Graph *graph) {
    return (ElementsOf){arena, graph, ARENA_ARRAY(arena, const Elements *, graph->term_count + 1)};
}

/* The map that a label spells after `before`: "view(%, 8; 12:16, 8:1) -> ..". */
static bool read_map(const char *label, const char *before, IndexMap *map) {
    if (!text_starts(label, before))
        return false;
    char *at;
    map->offset = strtoll(label + strlen(before), &at, 10);
    for (map->count = 0; *at == (map->count == 0 ? ';' : ','); map->count++) {
        if (map->count == MOST_MODES)
            return false;
        Mode *mode = &map->modes[map->count];
        mode->size = strtoll(at + 1, &at, 10);
        if (*at != ':')
            return false;
        mode->stride = strtoll(at + 1, &at, 10);
    }
    return text_starts(at, ") -> ");
}

bool term_is_transparent(const Term *term) {
    if (term->operand_count != 1)
        return false;
    if (term->kind == TERM_VIEW)
        return true;
    return text_equal(term->operator, "aten::_to_copy") &&
           (text_starts(term->dtype, "torch.float") || text_equal(term->dtype, "torch.bfloat16"));
}

static int64_t count_of(const int64_t *shape, size_t rank) {
    int64_t count = 1;
    for (size_t i = 0; i < rank; i++)
        count *= shape[i];
    return count;
}

bool term_writes_every_other(const Term *term, int64_t offset) {
    MAP_ON_STACK(map);
    if (term->kind != TERM_WRITE || term->rank == 0 || term->shape[term->rank - 1] % 2 != 0 ||
        !read_map(term->label, "write(%, %, ", &map))
        return false;
    return map.offset == offset && map.count == 1 && map.modes[0].stride == 2 &&
           map.modes[0].size * 2 == count_of(term->shape, term->rank);
}

static const Elements *keep(ElementsOf *all, uint32_t base, const IndexMap *map, const int64_t *shape,
                            size_t rank) {
    const Term *term = &all->graph->terms[base];
    MAP_ON_STACK(once);
    once.offset = map->offset;
    for (size_t i = 0; i < map->count; i++)
        if (map->modes[i].stride != 0)
            once.modes[once.count++] = map->modes[i];
    map_normalise(&once);
    Elements *elements = ARENA_NEW(all->arena, Elements);
    *elements = (Elements){.base = base,
                           .map = *map,
                           .whole = map_is_identity(&once, count_of(term->shape, term->rank)),
                           .shape = shape,
                           .rank = rank};
    elements->map.modes = arena_copy(all->arena, map->modes, map->count * sizeof *map->modes);
    return elements;
}

static const Elements *itself(ElementsOf *all, uint32_t number) {
    const Term *term = &all->graph->terms[number];
    MAP_ON_STACK(map);
    map_identity(count_of(term->shape, term->rank), &map);
    return keep(all, number, &map, term->shape, term->rank);
}

/* Those of a transparent term whose operand's are known. */
static const Elements *through(ElementsOf *all, uint32_t number) {
    const Term *term = &all->graph->terms[number];
    const Elements *under = all->of[term->operands[0].number];
    if (term->kind != TERM_VIEW)
        return keep(all, under->base, &under->map, term->shape, term->rank);
    MAP_ON_STACK(map);
    MAP_ON_STACK(result);
    Digits digits;
    if (!read_map(term->label, "view(%, ", &map))
        return itself(all, number);
    digits_of_map(&under->map, &digits);
    if (!map_compose(&map, &digits, &result))
        return itself(all, number);
    return keep(all, under->base, &result, term->shape, term->rank);
}

const Elements *elements_of(ElementsOf *all, uint32_t number) {
    const Term *terms = all->graph->terms;
    while (all->of[number] == NULL) {
        uint32_t at = number; /* the lowest that isn't known */
        while (term_is_transparent(&terms[at]) && all->of[terms[at].operands[0].number] == NULL)
            at = terms[at].operands[0].number;
        all->of[at] = term_is_transparent(&terms[at]) ? through(all, at) : itself(all, at);
    }
    return all->of[number];
}

bool elements_equal(const Elements *a, const Elements *b) {
    return a == b || (a->base == b->base && map_equal(&a->map, &b->map));
}

/* Takes a last dimension off a map: its stride; the rest stays in the map. */
static bool take_last(IndexMap *map, int64_t size, int64_t *stride) {
    *stride = 0;
    if (size == 1)
        return true;
    if (map->count == 0)
        return false;
    Mode *mode = &map->modes[map->count - 1];
    if (size <= 0 || mode->size % size != 0)
        return false;
    *stride = mode->stride;
    mode->stride *= size;
    mode->size /= size;
    map->count -= mode->size == 1;
    return true;
}

const Elements *elements_before(ElementsOf *all, const Elements *selected, Selection selection) {
    size_t rank = selected->rank;
    MAP_ON_STACK(map);
    if (rank == 0 || selected->map.count + 2 > MOST_MODES)
        return NULL;
    map.offset = selected->map.offset;
    map.count = selected->map.count;
    memcpy(map.modes, selected->map.modes, map.count * sizeof *map.modes);
    int64_t *shape = arena_copy(all->arena, selected->shape, rank * sizeof *shape), stride;
    int64_t size = shape[rank - 1];
    if (!take_last(&map, size, &stride))
        return NULL;
    if (selection == SELECT_TRANSPOSED) {
        int64_t other;
        if (rank < 2 || !take_last(&map, shape[rank - 2], &other))
            return NULL;
        shape[rank - 1] = shape[rank - 2];
        shape[rank - 2] = size;
        map.modes[map.count++] = (Mode){size, stride};
        map.modes[map.count++] = (Mode){shape[rank - 1], other};
    } else {
        bool strided = selection == SELECT_EVEN || selection == SELECT_ODD;
        if (size < 2 || stride == 0 || (strided && stride % 2 != 0))
            return NULL;
        stride = strided ? stride / 2 : stride;
        map.offset -= selection == SELECT_SECOND_HALF ? size * stride : selection == SELECT_ODD ? stride : 0;
        shape[rank - 1] = 2 * size;
        map.modes[map.count++] = (Mode){2 * size, stride};
    }
    map_normalise(&map);
    const Term *term = &all->graph->terms[selected->base];
    if (map.offset < 0 || map_highest(&map) >= count_of(term->shape, term->rank))
        return NULL;
    return keep(all, selected->base, &map, shape, rank);
}
