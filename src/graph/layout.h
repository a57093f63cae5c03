/* Index maps: which elements of one tensor another consists of. A map takes the row-major number of an
 * element to an integer: offset + the sum over modes of digit times stride, the digits being those of the
 * number in the mixed radix of the modes' sizes (the last mode is the fastest). In normal form no mode has
 * size 1 and no two neighbours could be one; then equal functions have equal maps. */
#ifndef PLUMBLINE_GRAPH_LAYOUT_H
#define PLUMBLINE_GRAPH_LAYOUT_H

#include "base.h"

enum { LARGEST_RANK = 64, MOST_MODES = 128 };
/* No tensor has more elements, and none lies further from the start of its storage: sums and products of two
 * such numbers that the code below makes stay in 64 bits. */
#define LARGEST_EXTENT (INT64_C(1) << 60)

typedef struct Mode {
    int64_t size, stride; /* neither is negative */
} Mode;

typedef struct IndexMap {
    int64_t offset;
    size_t count;
    Mode *modes;
} IndexMap;

/* A map with room for MOST_MODES modes, on the stack. */
#define MAP_ON_STACK(name)                                                                                   \
    Mode name##_modes[MOST_MODES];                                                                           \
    IndexMap name = {0, 0, name##_modes}

/* A function from positions: position = the sum of digit times weight -> offset + the sum of digit times
 * `out`. Weights fall, and weight[i] >= size[i + 1] * weight[i + 1]: positions between have no element. */
typedef struct Digit {
    int64_t size, weight, out;
} Digit;
typedef struct Digits {
    int64_t offset;
    size_t count;
    Digit items[MOST_MODES];
} Digits;

/* The memory offsets of a geometry, as a map. Normal form. */
void map_of_geometry(const int64_t *shape, const int64_t *stride, size_t rank, int64_t offset, IndexMap *map);
void map_identity(int64_t count, IndexMap *map);
void map_normalise(IndexMap *map);
bool map_equal(const IndexMap *a, const IndexMap *b);
int64_t map_count(const IndexMap *map); /* elements; 0 for the empty map */
int64_t map_highest(const IndexMap *map);
bool map_is_identity(const IndexMap *map, int64_t count);
/* Onto all of 0 .. count - 1, each once? */
bool map_is_permutation(const IndexMap *map, int64_t count);
/* No two elements go to one: never true where that is not so, and true for all maps of nested strides. */
bool map_is_injective(const IndexMap *map);
/* Certainly no element in common. */
bool map_disjoint(const IndexMap *a, const IndexMap *b);
/* Every integer from the lowest to the highest is met. */
bool map_covers(const IndexMap *map);

/* The digits of a map, so that another can be put before it. */
void digits_of_map(const IndexMap *map, Digits *digits);
/* From memory offsets, relative to the tensor's own, to the row-major numbers of its elements. False where
 * strides don't nest. */
bool digits_of_geometry(const int64_t *shape, const int64_t *stride, size_t rank, Digits *digits);
/* result(x) = inner(outer(x)), in normal form. False: no map says so, or `outer` leaves what `inner` has. */
bool map_compose(const IndexMap *outer, const Digits *inner, IndexMap *result);

#endif
