/* What the files of the weights room share with each other. */
#ifndef PLUMBLINE_WEIGHTS_INSIDE_H
#define PLUMBLINE_WEIGHTS_INSIDE_H

#include "weights.h"

/* Both of 0 and 1, or of 0 and -inf (or the lowest finite number), and nothing else. */
bool tensor_is_mask(const TensorView *view);

typedef struct Assigning { /* an assignment in the making */
    Arena *arena;
    Assignment *out;
    Findings *findings;
    bool *mapped;     /* by original key: the map names it */
    size_t suggested; /* how often a key was named that may have been meant */
    size_t assumption_capacity;
} Assigning;

/* Assigns what the map says, whole keys and parts, and reports what is wrong in it. */
void assign_by_map(Assigning *assigning);
/* Gives one more piece to the tensor of candidate `entry`, under all its keys. */
void assign_piece(Assigning *assigning, size_t entry, Piece piece, AssignedBy by);

/* Whether b's shape is a's with the last two dimensions swapped, and isn't a's. */
bool shapes_are_swapped(const TensorView *a, const TensorView *b);

/* ---- pairing.c ------------------------------------------------------------------------------ */
typedef struct Members { /* of a state dict: indices of tensors, each under its first key */
    size_t *items;
    size_t count, capacity;
} Members;

/* Pairs off those whose keys are each other's only most alike, until none is left. By candidate: the place of
 * its original in `originals`, or SIZE_MAX. Owned by the arena. */
const size_t *pair_alike(Arena *arena, const StateDict *original, const Members *originals,
                         const StateDict *candidate, const Members *candidates);
/* How many of their last dotted components two keys share. Components that are numbers count only where a
 * name before them, or the whole of a key, is shared too: "3.weight" says nothing about which layer. */
size_t shared_suffix(const char *a, const char *b);

/* ---- report.c, fused.c ------------------------------------------------------------------------ */
/* How many words and numbers of one key the other has too, wherever they stand. */
size_t words_shared(const char *one, const char *other);
/* Ends a piece of weight_map.json that begins with "{" and has `lines` lines, of which `most` were added. */
const char *map_fragment_end(Text *text, size_t lines, size_t most);
/* Lines of weight_map.json that divide each fused weight of one side among those of the other that fit it,
 * one after the other along one dimension, in the order of the state dict: a start for whoever writes the
 * map, no more. NULL if none fits. The members are what is left over, each tensor once. */
const char *map_of_fused(Arena *arena, const StateDict *original, const Members *originals,
                         const StateDict *candidate, const Members *candidates);

/* Bits that look random, from a seed, a stream (a storage's place) and a position in it: the output function
 * of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014; constants
 * of Vigna's public-domain splitmix64.c), used as a hash, so that any element can be had without those before
 * it. */
static inline uint64_t noise_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

#define NOISE_GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t noise_stream(uint64_t seed, uint64_t stream) {
    return noise_mix(noise_mix(seed + NOISE_GOLDEN) + stream * NOISE_GOLDEN + NOISE_GOLDEN);
}

static inline uint64_t noise_at(uint64_t stream, uint64_t position) {
    return noise_mix(stream + position * NOISE_GOLDEN + NOISE_GOLDEN);
}

static inline uint64_t noise_bits(uint64_t seed, uint64_t stream, uint64_t position) {
    return noise_at(noise_stream(seed, stream), position);
}

static inline double noise_unit(uint64_t bits) { /* 0 <= x < 1 */
    return (double)(bits >> 11) * 0x1p-53;
}

double noise_normal(uint64_t bits); /* near enough to normal: mean 0, variance 1, at most 3.5 */

#endif
