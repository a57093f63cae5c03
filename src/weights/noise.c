/* Numbers that look random and depend on nothing but a seed and a position: the output function of SplitMix64
 * (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014; constants of Vigna's
 * public-domain splitmix64.c), used as a hash, so that any element can be had without those before it. */
#include "inside.h"

#include <math.h>

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint64_t noise_bits(uint64_t seed, uint64_t stream, uint64_t position) {
    const uint64_t golden = 0x9e3779b97f4a7c15U;
    return mix(mix(mix(seed + golden) + stream * golden + golden) + position * golden + golden);
}

double noise_unit(uint64_t bits) {
    return (double)(bits >> 11) * 0x1p-53;
}

/* The sum of four 16-bit uniform numbers, scaled to mean 0 and variance 1. */
double noise_normal(uint64_t bits) {
    double sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (double)((bits >> (16 * i)) & 0xffff) / 65535;
    return (sum - 2) * sqrt(3);
}
