/* Numbers from random bits. */
#include "inside.h"

#include <math.h>

/* The sum of four 16-bit uniform numbers, scaled to mean 0 and variance 1. */
double noise_normal(uint64_t bits) {
    double sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (double)((bits >> (16 * i)) & 0xffff) / 65535;
    return (sum - 2) * sqrt(3);
}
