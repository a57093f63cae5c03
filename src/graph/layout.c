/* Index maps: normal form, composition. As in the layout algebra of CuTe, but that nothing is taken on trust.
 */
#include "layout.h"

#include <stdlib.h>
#include <string.h>

static void make_empty(IndexMap *map) {
    map->offset = 0;
    map->count = 1;
    map->modes[0] = (Mode){0, 0};
}

void map_normalise(IndexMap *map) {
    size_t count = 0;
    for (size_t i = 0; i < map->count; i++) {
        Mode mode = map->modes[i];
        if (mode.size == 0) {
            make_empty(map);
            return;
        }
        if (mode.size == 1)
            continue;
        Mode *last = count > 0 ? &map->modes[count - 1] : NULL;
        if (last != NULL && last->stride == mode.size * mode.stride)
            *last = (Mode){last->size * mode.size, mode.stride};
        else
            map->modes[count++] = mode;
    }
    map->count = count;
}

void map_of_geometry(const int64_t *shape, const int64_t *stride, size_t rank, int64_t offset,
                     IndexMap *map) {
    map->offset = offset;
    map->count = rank;
    for (size_t i = 0; i < rank; i++)
        map->modes[i] = (Mode){shape[i], stride[i]};
    map_normalise(map);
}

void map_identity(int64_t count, IndexMap *map) {
    map->offset = 0;
    map->count = 1;
    map->modes[0] = (Mode){count, 1};
    map_normalise(map);
}

bool map_equal(const IndexMap *a, const IndexMap *b) {
    if (a->offset != b->offset || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->modes[i].size != b->modes[i].size || a->modes[i].stride != b->modes[i].stride)
            return false;
    return true;
}

int64_t map_count(const IndexMap *map) {
    int64_t count = 1;
    for (size_t i = 0; i < map->count; i++)
        count *= map->modes[i].size;
    return count;
}

int64_t map_highest(const IndexMap *map) {
    int64_t highest = map->offset;
    for (size_t i = 0; i < map->count; i++)
        if (map->modes[i].size > 1)
            highest += (map->modes[i].size - 1) * map->modes[i].stride;
    return highest;
}

bool map_is_identity(const IndexMap *map, int64_t count) {
    MAP_ON_STACK(identity);
    map_identity(count, &identity);
    return map_equal(map, &identity);
}

static int by_stride(const void *a, const void *b) {
    const Mode *left = a, *right = b;
    return (left->stride > right->stride) - (left->stride < right->stride);
}

/* The modes by rising stride. */
static void sort_modes(const IndexMap *map, Mode *sorted) {
    if (map->count == 0)
        return;
    memcpy(sorted, map->modes, map->count * sizeof *sorted);
    qsort(sorted, map->count, sizeof *sorted, by_stride);
}

bool map_is_permutation(const IndexMap *map, int64_t count) {
    if (map_count(map) != count)
        return false;
    if (count == 0)
        return true;
    Mode sorted[MOST_MODES];
    sort_modes(map, sorted);
    int64_t next = 1;
    for (size_t i = 0; i < map->count; i++) {
        if (sorted[i].stride != next)
            return false;
        next *= sorted[i].size;
    }
    return map->offset == 0;
}

bool map_is_injective(const IndexMap *map) {
    Mode sorted[MOST_MODES];
    sort_modes(map, sorted);
    int64_t reach = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (sorted[i].size == 0)
            return true;
        if (sorted[i].stride <= reach)
            return false;
        reach += (sorted[i].size - 1) * sorted[i].stride;
    }
    return true;
}

bool map_covers(const IndexMap *map) {
    Mode sorted[MOST_MODES];
    sort_modes(map, sorted);
    int64_t reach = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (sorted[i].size == 0)
            return false;
        if (sorted[i].stride > reach + 1)
            return false;
        reach += (sorted[i].size - 1) * sorted[i].stride;
    }
    return true;
}

/* All that the map meets, modulo `modulus`, lies in [low, high], without wrapping round. */
static bool residues(const IndexMap *map, int64_t modulus, int64_t *low, int64_t *high) {
    *low = *high = map->offset % modulus;
    for (size_t i = 0; i < map->count; i++)
        if (map->modes[i].stride % modulus != 0)
            *high += (map->modes[i].size - 1) * map->modes[i].stride;
    return *high < modulus;
}

static bool disjoint_modulo(const IndexMap *a, const IndexMap *b, int64_t modulus) {
    int64_t a_low, a_high, b_low, b_high;
    return residues(a, modulus, &a_low, &a_high) && residues(b, modulus, &b_low, &b_high) &&
           (a_high < b_low || b_high < a_low);
}

bool map_disjoint(const IndexMap *a, const IndexMap *b) {
    if (map_count(a) == 0 || map_count(b) == 0)
        return true;
    if (map_highest(a) < b->offset || map_highest(b) < a->offset)
        return true;
    const IndexMap *maps[] = {a, b};
    for (size_t m = 0; m < COUNT_OF(maps); m++)
        for (size_t i = 0; i < maps[m]->count; i++) {
            int64_t modulus = maps[m]->modes[i].stride;
            if (modulus > 1 && disjoint_modulo(a, b, modulus))
                return true;
        }
    return false;
}

void digits_of_map(const IndexMap *map, Digits *digits) {
    digits->offset = map->offset;
    digits->count = map->count;
    int64_t weight = 1;
    for (size_t i = map->count; i-- > 0;) {
        digits->items[i] = (Digit){map->modes[i].size, weight, map->modes[i].stride};
        weight *= map->modes[i].size;
    }
}

static int by_falling_weight(const void *a, const void *b) {
    const Digit *left = a, *right = b;
    return (left->weight < right->weight) - (left->weight > right->weight);
}

/* Neighbours that are one digit become one: what crosses from one into the other then needs no carry. */
static void merge_digits(Digits *digits) {
    size_t count = 0;
    for (size_t i = 0; i < digits->count; i++) {
        Digit digit = digits->items[i], *last = count > 0 ? &digits->items[count - 1] : NULL;
        if (last != NULL && last->weight == digit.size * digit.weight && last->out == digit.size * digit.out)
            *last = (Digit){last->size * digit.size, digit.weight, digit.out};
        else
            digits->items[count++] = digit;
    }
    digits->count = count;
}

bool digits_of_geometry(const int64_t *shape, const int64_t *stride, size_t rank, Digits *digits) {
    *digits = (Digits){0};
    int64_t logical = 1;
    for (size_t i = rank; i-- > 0;) {
        if (shape[i] == 0)
            return false;
        /* The elements along a stride of 0 are one in memory: the first stands for all. */
        if (shape[i] > 1 && stride[i] > 0)
            digits->items[digits->count++] = (Digit){shape[i], stride[i], logical};
        logical *= shape[i];
    }
    if (digits->count > 0)
        qsort(digits->items, digits->count, sizeof digits->items[0], by_falling_weight);
    for (size_t i = 0; i + 1 < digits->count; i++)
        if (digits->items[i].weight < digits->items[i + 1].size * digits->items[i + 1].weight)
            return false;
    merge_digits(digits);
    return true;
}

/* Adds one mode of `outer` to the result: as one mode, or as several if it runs through several digits.
 * `used` is how high each digit can already be. */
static bool place_mode(Mode mode, const Digits *inner, int64_t *used, IndexMap *result) {
    Mode parts[MOST_MODES]; /* the fastest first */
    size_t count = 0;
    for (size_t i = 0; mode.size > 1;) {
        while (i < inner->count && inner->items[i].weight > mode.stride)
            i++;
        if (i == inner->count || mode.stride % inner->items[i].weight != 0)
            return false;
        const Digit *digit = &inner->items[i];
        int64_t step = mode.stride / digit->weight, room = (digit->size - 1 - used[i]) / step;
        if (mode.size - 1 <= room) {
            used[i] += (mode.size - 1) * step;
            parts[count++] = (Mode){mode.size, step * digit->out};
            break;
        }
        int64_t turns = digit->size / step; /* values of this digit, then on to the next */
        if (turns < 1 || digit->size % step != 0 || mode.size % turns != 0 || turns - 1 > room || i == 0 ||
            inner->items[i - 1].weight != digit->size * digit->weight || count == MOST_MODES - 1)
            return false;
        used[i] += (turns - 1) * step;
        if (turns > 1)
            parts[count++] = (Mode){turns, step * digit->out};
        mode = (Mode){mode.size / turns, digit->size * digit->weight};
        i = 0;
    }
    if (result->count + count > MOST_MODES)
        return false;
    while (count > 0)
        result->modes[result->count++] = parts[--count];
    return true;
}

bool map_compose(const IndexMap *outer, const Digits *inner, IndexMap *result) {
    if (map_count(outer) == 0) {
        make_empty(result);
        return true;
    }
    int64_t used[MOST_MODES], rest = outer->offset;
    if (rest < 0)
        return false;
    result->offset = inner->offset;
    result->count = 0;
    for (size_t i = 0; i < inner->count; i++) {
        used[i] = rest / inner->items[i].weight;
        if (used[i] >= inner->items[i].size)
            return false;
        rest %= inner->items[i].weight;
        result->offset += used[i] * inner->items[i].out;
    }
    if (rest != 0)
        return false;
    for (size_t i = 0; i < outer->count; i++) {
        if (outer->modes[i].stride != 0) {
            if (!place_mode(outer->modes[i], inner, used, result))
                return false;
        } else if (result->count == MOST_MODES) {
            return false;
        } else {
            result->modes[result->count++] = outer->modes[i];
        }
    }
    map_normalise(result);
    return true;
}
