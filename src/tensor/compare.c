/* Comparing two tensors of one shape and dtype in one pass over both.
 *
 * Elements are taken in row-major order, in chunks that stay in the first-level cache and blocks of chunks. A
 * block is tallied by one thread, and the tallies are merged in the order of blocks: so sums round the same
 * for any number of threads. Within a chunk: equal bytes need no arithmetic; finite floats go through
 * vectorised loops, float64 in its own arithmetic and all others in that of float32; whatever is left goes
 * element by element, in that of float64.
 */
#include "tensor.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Multiply and add are not fused: the search for the first mismatch must find what the loop before it
 * counted. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("O3", "fp-contract=off")
#endif
#if defined(__x86_64__)
#define FOR_WIDE_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_WIDE_VECTORS
#endif
#define INLINED static inline __attribute__((always_inline))

enum { CHUNK = 1024, BLOCK = 64 * CHUNK, LARGEST_ITEM = 16, LANES = 8 };

typedef struct Tally {
    int64_t mismatches, nonfinite_mismatches, finite_pairs;
    int64_t first, worst; /* numbers of elements, or -1 */
    double worst_difference;
    double sum, max_abs, max_rel;
    uint64_t max_ulp;
    int64_t original_nan, candidate_nan, original_inf, candidate_inf, original_finite;
    bool all_equal, constant;
} Tally;

typedef struct Job {
    const TensorView *original, *candidate;
    bool original_contiguous, candidate_contiguous;
    Tolerance tolerance;
    float small_values[256]; /* the value of every pattern of an 8-bit float */
    Tally *tallies;          /* by block */
    int64_t block_count;
    atomic_int_fast64_t next_block;
} Job;

typedef struct Scratch { /* a thread's own */
    _Alignas(64) uint8_t original[CHUNK * LARGEST_ITEM];
    _Alignas(64) uint8_t candidate[CHUNK * LARGEST_ITEM];
    _Alignas(64) float x[CHUNK], y[CHUNK];
    _Alignas(64) double gaps[CHUNK + LANES]; /* or floats */
} Scratch;

/* ---- Small floats ------------------------------------------------------------------------- */
INLINED float half_to_float(uint16_t half) {
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    float scaled;
    memcpy(&scaled, &bits, 4);
    scaled *= 0x1p112F; /* moves the exponent's bias from 15 to 127, subnormals included */
    memcpy(&bits, &scaled, 4);
    bits |= (half & 0x7c00) == 0x7c00 ? 0x7f800000U : 0;
    bits |= (uint32_t)(half & 0x8000) << 16;
    memcpy(&scaled, &bits, 4);
    return scaled;
}

INLINED float brain_to_float(uint16_t brain) {
    uint32_t bits = (uint32_t)brain << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* The chunk as float32: itself, or widened into `room`. */
INLINED const float *as_floats(const Job *job, const void *raw, int64_t count, float *restrict room) {
    switch (job->original->dtype) {
    case DTYPE_FLOAT32: return raw;
    case DTYPE_FLOAT16:
        for (int64_t i = 0; i < count; i++)
            room[i] = half_to_float(((const uint16_t *)raw)[i]);
        return room;
    case DTYPE_BFLOAT16:
        for (int64_t i = 0; i < count; i++)
            room[i] = brain_to_float(((const uint16_t *)raw)[i]);
        return room;
    default:
        for (int64_t i = 0; i < count; i++)
            room[i] = job->small_values[((const uint8_t *)raw)[i]];
        return room;
    }
}

#define COUNT_NONFINITE(type, exponent)                                                                      \
    for (int64_t i = 0; i < count; i++)                                                                      \
        nonfinite += (((const type *)raw)[i] & (exponent)) == (exponent);                                    \
    break

INLINED bool all_finite(const Job *job, const void *raw, int64_t count) {
    uint32_t nonfinite = 0;
    switch (job->original->dtype) {
    case DTYPE_FLOAT64: COUNT_NONFINITE(uint64_t, 0x7ff0000000000000U);
    case DTYPE_FLOAT32: COUNT_NONFINITE(uint32_t, 0x7f800000U);
    case DTYPE_FLOAT16: COUNT_NONFINITE(uint16_t, 0x7c00);
    case DTYPE_BFLOAT16: COUNT_NONFINITE(uint16_t, 0x7f80);
    default:
        for (int64_t i = 0; i < count; i++)
            nonfinite += !isfinite(job->small_values[((const uint8_t *)raw)[i]]);
    }
    return nonfinite == 0;
}

/* ---- Distance in representable values ----------------------------------------------------- */
/* A float's bits become an integer such that neighbouring values are neighbouring integers, and -0 is 0. */
#define ULP_OF(name, type, unsigned_type, high)                                                              \
    INLINED unsigned_type name##_apart(type a, type b) {                                                     \
        type a_sign = (type)(a >> (8 * sizeof(type) - 1)), b_sign = (type)(b >> (8 * sizeof(type) - 1));     \
        type a_order = (type)((a ^ (a_sign & (high))) - a_sign);                                             \
        type b_order = (type)((b ^ (b_sign & (high))) - b_sign);                                             \
        return a_order > b_order ? (unsigned_type)((unsigned_type)a_order - (unsigned_type)b_order)          \
                                 : (unsigned_type)((unsigned_type)b_order - (unsigned_type)a_order);         \
    }                                                                                                        \
    INLINED uint64_t name##_max_apart(const type *a, const type *b, int64_t count) {                         \
        unsigned_type most = 0, signs = 0;                                                                   \
        for (int64_t i = 0; i < count; i++) { /* of one sign: the bits are in order already */               \
            type apart = (type)((unsigned_type)a[i] - (unsigned_type)b[i]);                                  \
            unsigned_type size = (unsigned_type)(apart < 0 ? -(unsigned_type)apart : (unsigned_type)apart);  \
            signs |= (unsigned_type)(a[i] ^ b[i]);                                                           \
            most = size > most ? size : most;                                                                \
        }                                                                                                    \
        if (signs >> (8 * sizeof(type) - 1) == 0)                                                            \
            return most;                                                                                     \
        most = 0;                                                                                            \
        for (int64_t i = 0; i < count; i++) {                                                                \
            unsigned_type apart = name##_apart(a[i], b[i]);                                                  \
            most = apart > most ? apart : most;                                                              \
        }                                                                                                    \
        return most;                                                                                         \
    }

ULP_OF(bits8, int8_t, uint8_t, INT8_MAX)
ULP_OF(bits16, int16_t, uint16_t, INT16_MAX)
ULP_OF(bits32, int32_t, uint32_t, INT32_MAX)
ULP_OF(bits64, int64_t, uint64_t, INT64_MAX)

INLINED uint64_t max_ulp(Dtype dtype, const void *a, const void *b, int64_t count) {
    if (dtype == DTYPE_FLOAT8_E8M0FNU) { /* has no sign: its bits are its order */
        int most = 0;
        for (int64_t i = 0; i < count; i++) {
            int apart = ((const uint8_t *)a)[i] - ((const uint8_t *)b)[i];
            apart = apart < 0 ? -apart : apart;
            most = apart > most ? apart : most;
        }
        return (uint64_t)most;
    }
    switch (dtype_info(dtype)->size) {
    case 1: return bits8_max_apart(a, b, count);
    case 2: return bits16_max_apart(a, b, count);
    case 4: return bits32_max_apart(a, b, count);
    default: return bits64_max_apart(a, b, count);
    }
}

/* ---- Finite floats: the vectorised loops --------------------------------------------------- */
typedef struct ChunkResult {
    int64_t mismatches, farther; /* farther: relatively so than all before */
    double sum, max_abs;
} ChunkResult;

/* Fills gaps with |x - y|, and returns false if there was a NaN or Inf on a side (or a gap that overflows),
 * in which case the result means nothing. Absolute floats are in the order of their bits, NaN and Inf above
 * the finite. */
#define COMPARE_FINITE(name, real, whole, absolute, infinity)                                                \
    typedef real name##_lanes __attribute__((vector_size(LANES * sizeof(real))));                            \
    INLINED bool compare_##name(const real *restrict x, const real *restrict y, int64_t count,               \
                                Tolerance tolerance, double max_rel, real *restrict gaps,                    \
                                ChunkResult *result) {                                                       \
        const real rtol = (real)tolerance.rtol, atol = (real)tolerance.atol, least = (real)max_rel;          \
        whole most = 0, mismatches = 0, farther = 0;                                                         \
        for (int64_t i = 0; i < count; i++) {                                                                \
            real gap = absolute(x[i] - y[i]), size = absolute(x[i]);                                         \
            whole bits;                                                                                      \
            memcpy(&bits, &gap, sizeof bits);                                                                \
            most = bits > most ? bits : most;                                                                \
            mismatches += gap > atol + rtol * size;                                                          \
            farther += gap > least * size;                                                                   \
            gaps[i] = gap;                                                                                   \
        }                                                                                                    \
        if (most >= (infinity))                                                                              \
            return false;                                                                                    \
        memset(gaps + count, 0, LANES * sizeof *gaps);                                                       \
        Doubles sums = {0};                                                                                  \
        for (int64_t i = 0; i < count; i += LANES) {                                                         \
            name##_lanes lanes;                                                                              \
            memcpy(&lanes, gaps + i, sizeof lanes);                                                          \
            sums += __builtin_convertvector(lanes, Doubles);                                                 \
        }                                                                                                    \
        real max_abs;                                                                                        \
        memcpy(&max_abs, &most, sizeof max_abs);                                                             \
        *result = (ChunkResult){mismatches, farther, sum_of_lanes(&sums), max_abs};                          \
        return true;                                                                                         \
    }                                                                                                        \
    /* Where in the chunk, and how far relatively, is asked only where it is more than before. */            \
    static void tally_##name(const Job *job, const real *x, const real *gaps, int64_t first, int64_t count,  \
                             const ChunkResult *result, Tally *tally) {                                      \
        const real rtol = (real)job->tolerance.rtol, atol = (real)job->tolerance.atol;                       \
        int64_t at = 0;                                                                                      \
        if (result->mismatches > 0 && tally->first < 0) {                                                    \
            while (!(gaps[at] > atol + rtol * absolute(x[at])))                                              \
                at++;                                                                                        \
            tally->first = first + at;                                                                       \
        }                                                                                                    \
        if (result->max_abs > tally->worst_difference) {                                                     \
            for (at = 0; gaps[at] != (real)result->max_abs; at++) {                                          \
            }                                                                                                \
            tally->worst = first + at;                                                                       \
            tally->worst_difference = result->max_abs;                                                       \
        }                                                                                                    \
        for (int64_t i = 0; i < count && result->farther > 0; i++) {                                         \
            if (x[i] != 0)                                                                                   \
                tally->max_rel = fmax(tally->max_rel, (double)gaps[i] / (double)absolute(x[i]));             \
        }                                                                                                    \
        tally->mismatches += result->mismatches;                                                             \
        tally->finite_pairs += count;                                                                        \
        tally->original_finite += count;                                                                     \
        tally->sum += result->sum;                                                                           \
        tally->max_abs = fmax(tally->max_abs, result->max_abs);                                              \
    }

typedef double Doubles __attribute__((vector_size(LANES * sizeof(double))));

INLINED double sum_of_lanes(const Doubles *lanes) {
    const Doubles v = *lanes;
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

COMPARE_FINITE(singles, float, int32_t, fabsf, 0x7f800000)
COMPARE_FINITE(doubles, double, int64_t, fabs, 0x7ff0000000000000)

/* False if there is a NaN or Inf in the chunk. */
INLINED bool compare_floats(const Job *job, Scratch *scratch, const uint8_t *a, const uint8_t *b,
                            int64_t first, int64_t count, Tally *tally) {
    ChunkResult result;
    if (job->original->dtype == DTYPE_FLOAT64) {
        const double *x = (const void *)a, *y = (const void *)b;
        if (!compare_doubles(x, y, count, job->tolerance, tally->max_rel, scratch->gaps, &result))
            return false;
        tally_doubles(job, x, scratch->gaps, first, count, &result, tally);
    } else {
        const float *x = as_floats(job, a, count, scratch->x), *y = as_floats(job, b, count, scratch->y);
        float *gaps = (float *)scratch->gaps;
        if (!compare_singles(x, y, count, job->tolerance, tally->max_rel, gaps, &result))
            return false;
        tally_singles(job, x, gaps, first, count, &result, tally);
    }
    uint64_t apart = max_ulp(job->original->dtype, a, b, count);
    tally->max_ulp = apart > tally->max_ulp ? apart : tally->max_ulp;
    return true;
}

/* ---- Whatever else: element by element ---------------------------------------------------- */
typedef struct Pair { /* how two elements differ */
    bool finite, agree;
    double difference, size; /* |a - b|, |a|; of a finite pair */
} Pair;

static bool same_special(double a, double b) {
    return isnan(a) ? isnan(b) : a == b || (isfinite(a) && isfinite(b));
}

static Pair compare_pair(DtypeKind kind, Element a, Element b, Tolerance tolerance) {
    Pair pair = {.finite = true};
    switch (kind) {
    case KIND_INT:
    case KIND_BOOL:
        pair.agree = a.integer == b.integer;
        pair.difference = a.integer > b.integer ? (double)((uint64_t)a.integer - (uint64_t)b.integer)
                                                : (double)((uint64_t)b.integer - (uint64_t)a.integer);
        pair.size = fabs(a.real);
        return pair;
    case KIND_UINT:
        pair.agree = a.natural == b.natural;
        pair.difference = (double)(a.natural > b.natural ? a.natural - b.natural : b.natural - a.natural);
        pair.size = a.real;
        return pair;
    default: break;
    }
    pair.finite = isfinite(a.real) && isfinite(a.imaginary) && isfinite(b.real) && isfinite(b.imaginary);
    if (!pair.finite) {
        bool nan = isnan(a.real) || isnan(a.imaginary);
        pair.agree = kind == KIND_COMPLEX && nan
                         ? isnan(b.real) || isnan(b.imaginary)
                         : same_special(a.real, b.real) && same_special(a.imaginary, b.imaginary);
        return pair;
    }
    pair.difference =
        kind == KIND_FLOAT ? fabs(a.real - b.real) : hypot(a.real - b.real, a.imaginary - b.imaginary);
    pair.size = kind == KIND_FLOAT ? fabs(a.real) : hypot(a.real, a.imaginary);
    pair.agree = pair.difference <= tolerance.atol + tolerance.rtol * pair.size;
    return pair;
}

static void count_specials(Element element, int64_t *nan, int64_t *inf) {
    if (isnan(element.real) || isnan(element.imaginary))
        ++*nan;
    else if (isinf(element.real) || isinf(element.imaginary))
        ++*inf;
}

static void tally_pairs(const Job *job, const uint8_t *a, const uint8_t *b, int64_t first, int64_t count,
                        Tally *tally) {
    const Dtype dtype = job->original->dtype;
    const DtypeInfo *info = dtype_info(dtype);
    for (int64_t i = 0; i < count; i++, a += info->size, b += info->size) {
        Element x = element_read(dtype, a), y = element_read(dtype, b);
        int64_t nonfinite_before = tally->original_nan + tally->original_inf;
        count_specials(x, &tally->original_nan, &tally->original_inf);
        count_specials(y, &tally->candidate_nan, &tally->candidate_inf);
        tally->original_finite += tally->original_nan + tally->original_inf == nonfinite_before;
        Pair pair = compare_pair(info->kind, x, y, job->tolerance);
        if (!pair.agree) {
            tally->mismatches++;
            tally->nonfinite_mismatches += !pair.finite;
            if (tally->first < 0)
                tally->first = first + i;
        }
        double difference = pair.finite ? pair.difference : pair.agree ? 0 : INFINITY;
        if (difference > tally->worst_difference) {
            tally->worst = first + i;
            tally->worst_difference = difference;
        }
        if (!pair.finite)
            continue;
        tally->finite_pairs++;
        tally->sum += pair.difference;
        tally->max_abs = fmax(tally->max_abs, pair.difference);
        if (pair.size > 0)
            tally->max_rel = fmax(tally->max_rel, pair.difference / pair.size);
        if (info->kind == KIND_FLOAT) {
            uint64_t apart = max_ulp(dtype, a, b, 1);
            tally->max_ulp = apart > tally->max_ulp ? apart : tally->max_ulp;
        }
    }
}

/* ---- Chunks, blocks, threads -------------------------------------------------------------- */
INLINED void compare_chunk(const Job *job, Scratch *scratch, const uint8_t *a, const uint8_t *b,
                           int64_t first, int64_t count, Tally *tally) {
    const DtypeInfo *info = dtype_info(job->original->dtype);
    const bool equal = memcmp(a, b, (size_t)count * info->size) == 0;
    tally->all_equal &= equal;
    if (equal && info->kind != KIND_COMPLEX && (info->kind != KIND_FLOAT || all_finite(job, a, count))) {
        tally->finite_pairs += count;
        tally->original_finite += count;
        return;
    }
    if (!equal && info->kind == KIND_FLOAT && compare_floats(job, scratch, a, b, first, count, tally))
        return;
    tally_pairs(job, a, b, first, count, tally);
}

static const uint8_t *chunk_bytes(const TensorView *view, bool contiguous, int64_t first, int64_t count,
                                  uint8_t *scratch) {
    if (contiguous)
        return (const uint8_t *)view->data + (size_t)(view->offset + first) * dtype_info(view->dtype)->size;
    tensor_gather(view, first, count, scratch);
    return scratch;
}

FOR_WIDE_VECTORS static void compare_block(const Job *job, Scratch *scratch, int64_t block, Tally *tally) {
    const size_t item = dtype_info(job->original->dtype)->size;
    const void *first_element = tensor_at_linear(job->original, 0);
    const int64_t start = block * BLOCK, rest = job->original->element_count - start;
    const int64_t end = start + (rest < BLOCK ? rest : BLOCK);
    *tally = (Tally){.first = -1, .worst = -1, .all_equal = true, .constant = true};
    for (int64_t first = start; first < end; first += CHUNK) {
        int64_t count = end - first < CHUNK ? end - first : CHUNK;
        const uint8_t *a =
            chunk_bytes(job->original, job->original_contiguous, first, count, scratch->original);
        const uint8_t *b =
            chunk_bytes(job->candidate, job->candidate_contiguous, first, count, scratch->candidate);
        if (tally->constant)
            tally->constant =
                memcmp(a, first_element, item) == 0 && memcmp(a, a + item, (size_t)(count - 1) * item) == 0;
        compare_chunk(job, scratch, a, b, first, count, tally);
    }
}

static void *compare_blocks(void *context) {
    Job *job = context;
    Scratch scratch;
    for (;;) {
        int64_t block = atomic_fetch_add(&job->next_block, 1);
        if (block >= job->block_count)
            return NULL;
        compare_block(job, &scratch, block, &job->tallies[block]);
    }
}

static void merge(Tally *total, const Tally *tally) {
    total->mismatches += tally->mismatches;
    total->nonfinite_mismatches += tally->nonfinite_mismatches;
    total->finite_pairs += tally->finite_pairs;
    if (total->first < 0)
        total->first = tally->first;
    if (tally->worst_difference > total->worst_difference) {
        total->worst = tally->worst;
        total->worst_difference = tally->worst_difference;
    }
    total->sum += tally->sum;
    total->max_abs = fmax(total->max_abs, tally->max_abs);
    total->max_rel = fmax(total->max_rel, tally->max_rel);
    total->max_ulp = tally->max_ulp > total->max_ulp ? tally->max_ulp : total->max_ulp;
    total->original_nan += tally->original_nan;
    total->candidate_nan += tally->candidate_nan;
    total->original_inf += tally->original_inf;
    total->candidate_inf += tally->candidate_inf;
    total->original_finite += tally->original_finite;
    total->all_equal &= tally->all_equal;
    total->constant &= tally->constant;
}

static double magnitude(Dtype dtype, Element element) {
    return dtype_info(dtype)->kind == KIND_COMPLEX ? hypot(element.real, element.imaginary) : element.real;
}

static ComparedElement compared_element(const TensorView *original, const TensorView *candidate,
                                        int64_t number) {
    ComparedElement compared = {.exists = number >= 0};
    if (number < 0)
        return compared;
    Element a = element_read(original->dtype, tensor_at_linear(original, number));
    Element b = element_read(candidate->dtype, tensor_at_linear(candidate, number));
    compared.original = magnitude(original->dtype, a);
    compared.candidate = magnitude(original->dtype, b);
    for (size_t i = original->rank; i-- > 0;) {
        compared.index[i] = number % original->shape[i];
        number /= original->shape[i];
    }
    Arena *arena = arena_new();
    snprintf(compared.original_text, sizeof compared.original_text, "%s",
             element_as_text(arena, original->dtype, a));
    snprintf(compared.candidate_text, sizeof compared.candidate_text, "%s",
             element_as_text(arena, original->dtype, b));
    arena_free(arena);
    return compared;
}

static Tally compare_threaded(Job *job, unsigned threads) {
    enum { MOST_THREADS = 64 };
    pthread_t others[MOST_THREADS];
    unsigned started = 0;
    while (started + 1 < threads && started < MOST_THREADS && started + 1 < job->block_count &&
           pthread_create(&others[started], NULL, compare_blocks, job) == 0)
        started++;
    compare_blocks(job);
    for (unsigned i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    Tally total = {.first = -1, .worst = -1, .all_equal = true, .constant = true};
    for (int64_t i = 0; i < job->block_count; i++)
        merge(&total, &job->tallies[i]);
    return total;
}

void tensor_compare(const TensorView *original, const TensorView *candidate, Tolerance tolerance,
                    unsigned threads, Comparison *out) {
    assert(tensor_same_shape(original, candidate) && original->dtype == candidate->dtype && threads > 0);
    Arena *arena = arena_new();
    Job *job = ARENA_NEW(arena, Job);
    job->original = original;
    job->candidate = candidate;
    job->original_contiguous = tensor_is_contiguous(original);
    job->candidate_contiguous = tensor_is_contiguous(candidate);
    job->tolerance = tolerance;
    job->block_count = original->element_count / BLOCK + (original->element_count % BLOCK != 0);
    job->tallies = ARENA_ARRAY(arena, Tally, (size_t)job->block_count);
    const DtypeInfo *info = dtype_info(original->dtype);
    for (unsigned bits = 0; bits < 256 && info->kind == KIND_FLOAT && info->size == 1; bits++)
        job->small_values[bits] = (float)element_read(original->dtype, &(uint8_t){(uint8_t)bits}).real;
    Tally total = compare_threaded(job, threads);
    *out = (Comparison){.rank = original->rank,
                        .element_count = original->element_count,
                        .mismatches = total.mismatches,
                        .nonfinite_mismatches = total.nonfinite_mismatches,
                        .finite_pairs = total.finite_pairs,
                        .first = compared_element(original, candidate, total.first),
                        .worst = compared_element(original, candidate, total.worst),
                        .max_abs = total.max_abs,
                        .mean_abs = total.finite_pairs > 0 ? total.sum / (double)total.finite_pairs : 0,
                        .max_rel = total.max_rel,
                        .max_ulp = total.max_ulp,
                        .original_nan = total.original_nan,
                        .candidate_nan = total.candidate_nan,
                        .original_inf = total.original_inf,
                        .candidate_inf = total.candidate_inf,
                        .original_finite = total.original_finite,
                        .all_equal = total.all_equal,
                        .constant = total.constant};
    arena_free(arena);
}
