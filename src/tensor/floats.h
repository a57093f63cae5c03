/* The arithmetic of comparing floats, vectorised: float64 in its own, all others in that of float32. What an
 * element contributes depends on that element alone, never on its neighbours. */
#ifndef PLUMBLINE_FLOATS_H
#define PLUMBLINE_FLOATS_H

#include "tensor.h"

typedef struct FloatGaps { /* of a run of pairs: of those of which |a - b| is finite in that arithmetic */
    int64_t finite, mismatches;
    double sum, max_abs;
    double max_rel; /* Inf if |a - b| / |a| overflows somewhere; pairs whose a is 0 don't count */
    uint64_t max_ulp;
} FloatGaps;

typedef struct FloatRules {
    Dtype dtype; /* of KIND_FLOAT */
    Tolerance tolerance;
    float small_values[256]; /* of an 8-bit float: every pattern's value */
} FloatRules;

/* `careful` says, and learns, whether a NaN, an Inf, a zero or a pair of unlike signs is likely: with none of
 * them the work is less. It changes no result. */
void floats_compare(const FloatRules *rules, const void *a, const void *b, int64_t count, bool *careful,
                    FloatGaps *gaps);
/* As element_read, and faster. */
double floats_value(const FloatRules *rules, const void *at);
/* How many pairs are the same Inf, as far as that is counted fast: not of 8-bit floats. */
int64_t floats_same_infinite(const FloatRules *rules, const void *a, const void *b, int64_t count);
bool floats_all_finite(const FloatRules *rules, const void *a, int64_t count);

#endif
