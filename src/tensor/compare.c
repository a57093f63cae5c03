/* Comparing two tensors of one shape and dtype in one pass over both.
 *
 * Elements are taken in row-major order, in chunks that stay in the first-level cache and blocks of chunks. A
 * block is tallied by one thread, and the tallies are merged in the order of blocks: so sums round the same
 * for any number of threads. Within a chunk: equal bytes need no arithmetic; finite numbers go through a
 * vectorised loop on doubles (exact for every smaller float); whatever is left goes element by element. */
#include "tensor.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#if !defined(__clang__)
#pragma GCC optimize("O3")
#endif
#if defined(__x86_64__)
#define FOR_WIDE_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define FOR_WIDE_VECTORS
#endif
#define INLINED static inline __attribute__((always_inline))

enum { CHUNK = 1024, BLOCK = 64 * CHUNK, LARGEST_ITEM = 16, LANES = 4 };

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
    double small_values[256]; /* the value of every pattern of an 8-bit float */
    Tally *tallies;           /* by block */
    int64_t block_count;
    atomic_int_fast64_t next_block;
} Job;

typedef struct Scratch { /* a thread's own */
    _Alignas(64) uint8_t original[CHUNK * LARGEST_ITEM];
    _Alignas(64) uint8_t candidate[CHUNK * LARGEST_ITEM];
    _Alignas(64) double x[CHUNK + LANES], y[CHUNK + LANES];
} Scratch;

/* ---- Widening to double ------------------------------------------------------------------- */
INLINED double half_to_double(uint16_t half) {
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

INLINED double brain_to_double(uint16_t brain) {
    uint32_t bits = (uint32_t)brain << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

INLINED void widen(const Job *job, const void *raw, int64_t count, double *restrict to) {
    switch (job->original->dtype) {
    case DTYPE_FLOAT64: memcpy(to, raw, (size_t)count * sizeof *to); break;
    case DTYPE_FLOAT32:
        for (int64_t i = 0; i < count; i++)
            to[i] = ((const float *)raw)[i];
        break;
    case DTYPE_FLOAT16:
        for (int64_t i = 0; i < count; i++)
            to[i] = half_to_double(((const uint16_t *)raw)[i]);
        break;
    case DTYPE_BFLOAT16:
        for (int64_t i = 0; i < count; i++)
            to[i] = brain_to_double(((const uint16_t *)raw)[i]);
        break;
    default:
        for (int64_t i = 0; i < count; i++)
            to[i] = job->small_values[((const uint8_t *)raw)[i]];
    }
    for (int64_t i = count; i < count + LANES; i++)
        to[i] = 0;
}

INLINED bool all_finite(const double *values, int64_t count) {
    int64_t nonfinite = 0;
    const int64_t exponent = 0x7ff0000000000000;
    for (int64_t i = 0; i < count; i++) {
        int64_t bits;
        memcpy(&bits, &values[i], 8);
        nonfinite += (bits & exponent) == exponent;
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
        unsigned_type most = 0;                                                                              \
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

/* ---- Finite floats: the vectorised loop --------------------------------------------------- */
typedef double Doubles __attribute__((vector_size(LANES * 8)));
typedef int64_t Masks __attribute__((vector_size(LANES * 8)));

typedef struct ChunkResult {
    int64_t mismatches;
    double sum, max_abs, max_rel;
} ChunkResult;

INLINED void compare_finite(const double *x, const double *y, int64_t count, Tolerance tolerance,
                            ChunkResult *result) {
    const Masks magnitude = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    Doubles sum = {0}, most = {0}, most_rel = {0};
    Masks misses = {0};
    for (int64_t i = 0; i < count; i += LANES) { /* past `count` lie zeros */
        Doubles a, b;
        memcpy(&a, x + i, sizeof a);
        memcpy(&b, y + i, sizeof b);
        Doubles difference = (Doubles)((Masks)(a - b) & magnitude);
        Doubles size = (Doubles)((Masks)a & magnitude);
        misses += difference > tolerance.atol + tolerance.rtol * size;
        sum += difference;
        Masks more = difference > most;
        most = (Doubles)(((Masks)difference & more) | ((Masks)most & ~more));
        Doubles relative = (Doubles)((Masks)(difference / size) & (size > 0));
        more = relative > most_rel;
        most_rel = (Doubles)(((Masks)relative & more) | ((Masks)most_rel & ~more));
    }
    *result = (ChunkResult){.sum = (sum[0] + sum[1]) + (sum[2] + sum[3])};
    for (int lane = 0; lane < LANES; lane++) {
        result->mismatches -= misses[lane];
        result->max_abs = fmax(result->max_abs, most[lane]);
        result->max_rel = fmax(result->max_rel, most_rel[lane]);
    }
}

static void tally_finite(const Job *job, const Scratch *scratch, int64_t first, int64_t count,
                         const ChunkResult *result, Tally *tally) {
    const double *x = scratch->x, *y = scratch->y;
    if (result->mismatches > 0 && tally->first < 0) {
        for (int64_t i = 0; i < count && tally->first < 0; i++) {
            if (fabs(x[i] - y[i]) > job->tolerance.atol + job->tolerance.rtol * fabs(x[i]))
                tally->first = first + i;
        }
    }
    if (result->max_abs > tally->worst_difference) {
        int64_t i = 0;
        while (fabs(x[i] - y[i]) != result->max_abs)
            i++;
        tally->worst = first + i;
        tally->worst_difference = result->max_abs;
    }
    tally->mismatches += result->mismatches;
    tally->finite_pairs += count;
    tally->original_finite += count;
    tally->sum += result->sum;
    tally->max_abs = fmax(tally->max_abs, result->max_abs);
    tally->max_rel = fmax(tally->max_rel, result->max_rel);
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
    if (info->kind == KIND_FLOAT) {
        widen(job, a, count, scratch->x);
        if (all_finite(scratch->x, count)) {
            if (equal) {
                tally->finite_pairs += count;
                tally->original_finite += count;
                return;
            }
            widen(job, b, count, scratch->y);
            if (all_finite(scratch->y, count)) {
                ChunkResult result;
                compare_finite(scratch->x, scratch->y, count, job->tolerance, &result);
                uint64_t apart = max_ulp(job->original->dtype, a, b, count);
                tally->max_ulp = apart > tally->max_ulp ? apart : tally->max_ulp;
                tally_finite(job, scratch, first, count, &result, tally);
                return;
            }
        }
    } else if (equal && info->kind != KIND_COMPLEX) {
        tally->finite_pairs += count;
        tally->original_finite += count;
        return;
    }
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
        job->small_values[bits] = element_read(original->dtype, &(uint8_t){(uint8_t)bits}).real;
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
