/* The vectorised loops: GCC's vector extensions, which Clang has too. */
#include "floats.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Multiply and add are not fused, so that an element is judged alike on every machine. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("O3", "fp-contract=off")
#endif
#define INLINED static inline __attribute__((always_inline))
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
/* Of static functions: Clang 14 gives others a name of its own. Which one it is is resolved before
 * ThreadSanitizer is up. */
#define FOR_WIDE_VECTORS __attribute__((target_clones("avx2", "default")))
enum { VECTOR = 32 }; /* bytes; GCC keeps what is wider than a register in memory */
#else
#define FOR_WIDE_VECTORS
enum { VECTOR = 16 };
#endif

typedef double Doubles __attribute__((vector_size(VECTOR)));

/* Known when the loops below are compiled, as the dtype is. */
INLINED size_t item_size(Dtype dtype) {
    return dtype == DTYPE_FLOAT64 ? 8 : dtype == DTYPE_FLOAT32 ? 4 : dtype <= DTYPE_BFLOAT16 ? 2 : 1;
}

/* By how much an element's bits are moved up to the sign of a REAL; of what has no sign, to below it. */
INLINED int order_shift(Dtype dtype) {
    return dtype == DTYPE_FLOAT8_E8M0FNU ? 23 : item_size(dtype) == 1 ? 24 : item_size(dtype) == 2 ? 16 : 0;
}

#define REAL        double
#define WHOLE       int64_t
#define NATURAL     uint64_t
#define INFINITE    0x7ff0000000000000
#define NAMED(name) name##_of_doubles
#include "floats.inc"
#undef REAL
#undef WHOLE
#undef NATURAL
#undef INFINITE
#undef NAMED

#define REAL        float
#define WHOLE       int32_t
#define NATURAL     uint32_t
#define INFINITE    0x7f800000
#define NAMED(name) name##_of_floats
#include "floats.inc"

INLINED void load_of_doubles(const FloatRules *rules, Dtype dtype, const uint8_t *at,
                             Reals_of_doubles *values, Naturals_of_doubles *bits) {
    (void)rules, (void)dtype;
    memcpy(values, at, sizeof *values);
    memcpy(bits, at, sizeof *bits);
}

INLINED void load_of_floats(const FloatRules *rules, Dtype dtype, const uint8_t *at, Reals_of_floats *values,
                            Naturals_of_floats *bits) {
    typedef uint16_t Narrow __attribute__((vector_size(VECTOR / 2)));
    if (dtype == DTYPE_FLOAT32) {
        memcpy(bits, at, sizeof *bits);
        *values = (Reals_of_floats)*bits;
    } else if (item_size(dtype) == 2) {
        Narrow narrow;
        memcpy(&narrow, at, sizeof narrow);
        const Naturals_of_floats wide = __builtin_convertvector(narrow, Naturals_of_floats);
        *bits = wide << 16;
        *values = (Reals_of_floats)*bits;
        if (dtype == DTYPE_FLOAT16) {
            /* The factor moves the exponent's bias from 15 to 127, subnormals included. */
            Reals_of_floats scaled = (Reals_of_floats)((wide & 0x7fff) << 13) * 0x1p112F;
            const Naturals_of_floats infinite = (Naturals_of_floats)((wide & 0x7c00) == 0x7c00) & 0x7f800000;
            *values = (Reals_of_floats)((Naturals_of_floats)scaled | infinite | (wide & 0x8000) << 16);
        }
    } else {
        for (size_t k = 0; k < VECTOR / sizeof(float); k++) {
            (*values)[k] = rules->small_values[at[k]];
            (*bits)[k] = (uint32_t)at[k] << order_shift(dtype);
        }
    }
}

INLINED void add_of_doubles(const Naturals_of_doubles *gaps, Doubles *sums) {
    sums[0] += (Doubles)*gaps;
}

/* Floats become doubles without leaving their lanes: those at even places, then those at odd ones. A float's
 * bits, moved to the places of a double's, are that float times 2^-896. */
INLINED void add_of_floats(const Naturals_of_floats *gaps, Doubles *sums) {
    typedef uint64_t Pairs __attribute__((vector_size(VECTOR)));
    const Pairs pairs = (Pairs)*gaps;
    sums[0] += (Doubles)((pairs & UINT32_MAX) << 29);
    sums[1] += (Doubles)(pairs >> 32 << 29);
}

FOR_WIDE_VECTORS static bool compare(const FloatRules *rules, const void *a, const void *b, int64_t count,
                                     bool careful, FloatGaps *gaps) {
#define CASE(dtype, kind)                                                                                    \
    case dtype:                                                                                              \
        return careful ? compare_of_##kind(rules, dtype, a, b, count, true, gaps)                            \
                       : compare_of_##kind(rules, dtype, a, b, count, false, gaps)
    switch (rules->dtype) {
        CASE(DTYPE_FLOAT64, doubles);
        CASE(DTYPE_FLOAT32, floats);
        CASE(DTYPE_FLOAT16, floats);
        CASE(DTYPE_BFLOAT16, floats);
        CASE(DTYPE_FLOAT8_E8M0FNU, floats);
    default: return compare_of_floats(rules, DTYPE_FLOAT8_E4M3FN, a, b, count, true, gaps);
    }
#undef CASE
}

void floats_compare(const FloatRules *rules, const void *a, const void *b, int64_t count, bool *careful,
                    FloatGaps *gaps) {
    if (*careful || !compare(rules, a, b, count, false, gaps)) {
        *careful = true;
        compare(rules, a, b, count, true, gaps);
    }
    if (rules->dtype != DTYPE_FLOAT64)
        gaps->sum *= 0x1p896;
}

double floats_value(const FloatRules *rules, const void *at) {
    uint32_t bits = 0;
    double wide;
    float narrow;
    switch (rules->dtype) {
    case DTYPE_FLOAT64: memcpy(&wide, at, sizeof wide); return wide;
    case DTYPE_FLOAT32: memcpy(&narrow, at, sizeof narrow); return narrow;
    case DTYPE_FLOAT16:
        memcpy(&bits, at, 2);
        if ((bits & 0x7c00) != 0x7c00)
            return element_read(DTYPE_FLOAT16, at).real;
        return (bits & 0x3ff) != 0 ? NAN : (bits & 0x8000) != 0 ? -INFINITY : INFINITY;
    case DTYPE_BFLOAT16:
        memcpy(&bits, at, 2);
        bits <<= 16;
        memcpy(&narrow, &bits, sizeof narrow);
        return narrow;
    default: return rules->small_values[*(const uint8_t *)at];
    }
}

#define COUNT_INFINITE(type, exponent)                                                                       \
    for (int64_t i = 0; i < count; i++)                                                                      \
        infinite += (((const type *)a)[i] & (exponent)) == (exponent);                                       \
    return infinite == 0

FOR_WIDE_VECTORS static bool all_finite(const FloatRules *rules, const void *a, int64_t count) {
    uint32_t infinite = 0;
    switch (rules->dtype) {
    case DTYPE_FLOAT64: COUNT_INFINITE(uint64_t, 0x7ff0000000000000);
    case DTYPE_FLOAT32: COUNT_INFINITE(uint32_t, 0x7f800000);
    case DTYPE_FLOAT16: COUNT_INFINITE(uint16_t, 0x7c00);
    case DTYPE_BFLOAT16: COUNT_INFINITE(uint16_t, 0x7f80);
    default:
        for (int64_t i = 0; i < count; i++)
            infinite += !isfinite(rules->small_values[((const uint8_t *)a)[i]]);
        return infinite == 0;
    }
}

bool floats_all_finite(const FloatRules *rules, const void *a, int64_t count) {
    return all_finite(rules, a, count);
}

#define COUNT_SAME(type, magnitude, infinite)                                                                \
    for (int64_t i = 0; i < count; i++)                                                                      \
        same += (((const type *)a)[i] == ((const type *)b)[i]) &                                             \
                ((((const type *)a)[i] & (magnitude)) == (infinite));                                        \
    return same

FOR_WIDE_VECTORS static int64_t same_infinite(Dtype dtype, const void *a, const void *b, int64_t count) {
    int64_t same = 0;
    switch (dtype) {
    case DTYPE_FLOAT64: COUNT_SAME(uint64_t, INT64_MAX, 0x7ff0000000000000);
    case DTYPE_FLOAT32: COUNT_SAME(uint32_t, INT32_MAX, 0x7f800000);
    case DTYPE_FLOAT16: COUNT_SAME(uint16_t, INT16_MAX, 0x7c00);
    case DTYPE_BFLOAT16: COUNT_SAME(uint16_t, INT16_MAX, 0x7f80);
    default: return 0;
    }
}

int64_t floats_same_infinite(const FloatRules *rules, const void *a, const void *b, int64_t count) {
    return same_infinite(rules->dtype, a, b, count);
}
