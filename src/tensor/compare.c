/* Comparing two tensors of one shape and dtype in one pass over both.
 *
 * Elements are taken in row-major order, in chunks that stay in the first-level cache and blocks of chunks. A
 * block is compared by one thread; its sum is kept, and the sums are added in the order of blocks: so they
 * round the same for any number of threads. Within a chunk: equal bytes need no arithmetic; floats go through
 * the vectorised loops of floats.c; complex numbers, NaN and Inf go element by element, in the arithmetic of
 * float64.
 */
#include "floats.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 1024, BLOCK = 64 * CHUNK, LARGEST_ITEM = 16, MOST_THREADS = 64 };

typedef struct Tally {
    int64_t mismatches, nonfinite_mismatches, finite_pairs;
    int64_t first, worst; /* numbers of elements, or -1 */
    double worst_difference;
    double sum; /* of the block at hand */
    double max_abs, max_rel;
    uint64_t max_ulp;
    int64_t original_nan, candidate_nan, original_inf, candidate_inf, original_finite;
    bool all_equal, constant;
} Tally;

typedef struct Job {
    const TensorView *original, *candidate;
    bool original_contiguous, candidate_contiguous;
    FloatRules rules;
    Tally tallies[MOST_THREADS];
    double *sums; /* by block */
    int64_t block_count;
    atomic_int_fast64_t next_block, next_tally;
} Job;

typedef struct Scratch { /* a thread's own */
    _Alignas(64) uint8_t original[CHUNK * LARGEST_ITEM];
    _Alignas(64) uint8_t candidate[CHUNK * LARGEST_ITEM];
} Scratch;

static double larger(double a, double b) {
    return a > b ? a : b;
}

static void tally_difference(Tally *tally, double difference, int64_t number) {
    if (difference > tally->worst_difference) {
        tally->worst = number;
        tally->worst_difference = difference;
    }
}

static void tally_mismatch(Tally *tally, int64_t number) {
    if (tally->first < 0 || number < tally->first)
        tally->first = number;
}

/* ---- Floats -------------------------------------------------------------------------------- */
/* The place of the first mismatch in the run or, if max_abs isn't negative, of the first pair so far apart.
 * Halves are compared again and again, which is asked for only where a chunk outdoes all before it. */
static int64_t locate(const FloatRules *rules, const uint8_t *a, const uint8_t *b, int64_t count,
                      double max_abs) {
    const size_t item = dtype_info(rules->dtype)->size;
    int64_t at = 0;
    while (count > 1) {
        FloatGaps gaps;
        floats_compare(rules, a + (size_t)at * item, b + (size_t)at * item, count / 2, &(bool){true}, &gaps);
        if (max_abs < 0 ? gaps.mismatches > 0 : gaps.max_abs == max_abs) {
            count /= 2;
        } else {
            at += count / 2;
            count -= count / 2;
        }
    }
    return at;
}

/* Where float32 has no room for |a - b| / |a|. */
static double max_rel_of_doubles(Dtype dtype, const uint8_t *a, const uint8_t *b, int64_t count) {
    const size_t item = dtype_info(dtype)->size;
    double max_rel = 0;
    for (int64_t i = 0; i < count; i++, a += item, b += item) {
        const double x = element_read(dtype, a).real, y = element_read(dtype, b).real;
        if (x != 0 && isfinite(x) && isfinite(y))
            max_rel = fmax(max_rel, fabs(x - y) / fabs(x));
    }
    return max_rel;
}

/* Returns how many pairs it took; the rest need tally_pairs. */
static int64_t tally_floats(const Job *job, const uint8_t *a, const uint8_t *b, int64_t first, int64_t count,
                            bool *careful, Tally *tally) {
    FloatGaps gaps;
    floats_compare(&job->rules, a, b, count, careful, &gaps);
    if (gaps.mismatches > 0 && tally->first < 0)
        tally_mismatch(tally, first + locate(&job->rules, a, b, count, -1));
    if (gaps.max_abs > tally->worst_difference)
        tally_difference(tally, gaps.max_abs, first + locate(&job->rules, a, b, count, gaps.max_abs));
    if (isinf(gaps.max_rel))
        gaps.max_rel = max_rel_of_doubles(job->rules.dtype, a, b, count);
    tally->mismatches += gaps.mismatches;
    tally->finite_pairs += gaps.finite;
    tally->original_finite += gaps.finite;
    tally->sum += gaps.sum;
    tally->max_abs = fmax(tally->max_abs, gaps.max_abs);
    tally->max_rel = fmax(tally->max_rel, gaps.max_rel);
    tally->max_ulp = gaps.max_ulp > tally->max_ulp ? gaps.max_ulp : tally->max_ulp;
    return gaps.finite;
}

/* ---- Integers ------------------------------------------------------------------------------ */
#define TALLY_INTEGERS(type)                                                                                 \
    for (int64_t i = 0; i < count; i++, a += sizeof(type), b += sizeof(type)) {                              \
        type x, y;                                                                                           \
        memcpy(&x, a, sizeof x);                                                                             \
        memcpy(&y, b, sizeof y);                                                                             \
        if (boolean) /* every byte but 0 is true */                                                          \
            x = x != 0, y = y != 0;                                                                          \
        if (x == y)                                                                                          \
            continue;                                                                                        \
        const double difference = (double)(x > y ? (uint64_t)x - (uint64_t)y : (uint64_t)y - (uint64_t)x);   \
        tally->mismatches++;                                                                                 \
        tally_mismatch(tally, first + i);                                                                    \
        tally_difference(tally, difference, first + i);                                                      \
        tally->sum += difference;                                                                            \
        tally->max_abs = larger(tally->max_abs, difference);                                                 \
        if (x != 0)                                                                                          \
            tally->max_rel = larger(tally->max_rel, difference / fabs((double)x));                           \
    }                                                                                                        \
    break

static void tally_integers(const Job *job, const uint8_t *a, const uint8_t *b, int64_t first, int64_t count,
                           Tally *tally) {
    const bool boolean = job->rules.dtype == DTYPE_BOOL;
    tally->finite_pairs += count;
    tally->original_finite += count;
    switch (job->rules.dtype) {
    case DTYPE_INT64: TALLY_INTEGERS(int64_t);
    case DTYPE_INT32: TALLY_INTEGERS(int32_t);
    case DTYPE_INT16: TALLY_INTEGERS(int16_t);
    case DTYPE_INT8: TALLY_INTEGERS(int8_t);
    case DTYPE_UINT64: TALLY_INTEGERS(uint64_t);
    case DTYPE_UINT32: TALLY_INTEGERS(uint32_t);
    case DTYPE_UINT16: TALLY_INTEGERS(uint16_t);
    default: TALLY_INTEGERS(uint8_t);
    }
}

/* ---- Complex numbers, NaN and Inf: element by element ----------------------------------------------------
 */
typedef struct Pair { /* how two elements differ */
    bool finite, agree;
    double difference, size; /* |a - b|, |a|; of a finite pair */
} Pair;

static bool same_special(double a, double b) {
    return isnan(a) ? isnan(b) : a == b || (isfinite(a) && isfinite(b));
}

static Pair compare_pair(DtypeKind kind, Element a, Element b, Tolerance tolerance) {
    Pair pair = {.finite = true};
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

/* Whether tally_floats has taken the pair. */
static bool finite_gap(Dtype dtype, double a, double b) {
    return dtype == DTYPE_FLOAT64 ? isfinite(a - b) : isfinite((float)a - (float)b);
}

/* Distance in representable values: -0 is 0, and zero lies between values of unlike signs. */
static uint64_t ulps_apart(size_t item, const uint8_t *a, const uint8_t *b) {
    const uint64_t sign = (uint64_t)1 << (8 * item - 1);
    uint64_t x = 0, y = 0;
    memcpy(&x, a, item);
    memcpy(&y, b, item);
    if (((x ^ y) & sign) != 0)
        return (x & ~sign) + (y & ~sign);
    return x > y ? x - y : y - x;
}

static void tally_pairs(const Job *job, const uint8_t *a, const uint8_t *b, int64_t first, int64_t count,
                        Tally *tally) {
    const Dtype dtype = job->original->dtype;
    const DtypeInfo *info = dtype_info(dtype);
    for (int64_t i = 0; i < count; i++, a += info->size, b += info->size) {
        Element x, y;
        if (info->kind == KIND_FLOAT) {
            x = (Element){.real = floats_value(&job->rules, a)};
            y = (Element){.real = floats_value(&job->rules, b)};
            if (finite_gap(dtype, x.real, y.real))
                continue;
        } else {
            x = element_read(dtype, a);
            y = element_read(dtype, b);
        }
        int64_t nonfinite_before = tally->original_nan + tally->original_inf;
        count_specials(x, &tally->original_nan, &tally->original_inf);
        count_specials(y, &tally->candidate_nan, &tally->candidate_inf);
        tally->original_finite += tally->original_nan + tally->original_inf == nonfinite_before;
        Pair pair = compare_pair(info->kind, x, y, job->rules.tolerance);
        if (!pair.agree) {
            tally->mismatches++;
            tally->nonfinite_mismatches += !pair.finite;
            tally_mismatch(tally, first + i);
        }
        tally_difference(tally, pair.finite ? pair.difference : pair.agree ? 0 : INFINITY, first + i);
        if (!pair.finite)
            continue;
        tally->finite_pairs++;
        tally->sum += pair.difference;
        tally->max_abs = fmax(tally->max_abs, pair.difference);
        if (pair.size > 0)
            tally->max_rel = fmax(tally->max_rel, pair.difference / pair.size);
        if (info->kind == KIND_FLOAT) {
            uint64_t apart = ulps_apart(info->size, a, b);
            tally->max_ulp = apart > tally->max_ulp ? apart : tally->max_ulp;
        }
    }
}

/* ---- Chunks, blocks, threads -------------------------------------------------------------- */
static void compare_chunk(const Job *job, const uint8_t *a, const uint8_t *b, int64_t first, int64_t count,
                          bool *careful, Tally *tally) {
    const DtypeInfo *info = dtype_info(job->original->dtype);
    const bool equal = memcmp(a, b, (size_t)count * info->size) == 0;
    tally->all_equal &= equal;
    if (equal && info->kind != KIND_COMPLEX &&
        (info->kind != KIND_FLOAT || floats_all_finite(&job->rules, a, count))) {
        tally->finite_pairs += count;
        tally->original_finite += count;
        return;
    }
    if (info->kind != KIND_FLOAT && info->kind != KIND_COMPLEX) {
        tally_integers(job, a, b, first, count, tally);
        return;
    }
    const int64_t finite =
        info->kind == KIND_COMPLEX ? 0 : tally_floats(job, a, b, first, count, careful, tally);
    if (finite == count)
        return;
    const int64_t infinite = info->kind == KIND_COMPLEX ? 0 : floats_same_infinite(&job->rules, a, b, count);
    if (finite + infinite < count) {
        tally_pairs(job, a, b, first, count, tally);
        return;
    }
    tally->original_inf += infinite; /* as of what is masked by -inf on both sides */
    tally->candidate_inf += infinite;
}

static const uint8_t *chunk_bytes(const TensorView *view, bool contiguous, int64_t first, int64_t count,
                                  uint8_t *scratch) {
    if (contiguous)
        return (const uint8_t *)view->data + (size_t)(view->offset + first) * dtype_info(view->dtype)->size;
    tensor_gather(view, first, count, scratch);
    return scratch;
}

static void compare_block(const Job *job, Scratch *scratch, int64_t block, Tally *tally) {
    const size_t item = dtype_info(job->original->dtype)->size;
    const void *first_element = tensor_at_linear(job->original, 0);
    const int64_t start = block * BLOCK, rest = job->original->element_count - start;
    const int64_t end = start + (rest < BLOCK ? rest : BLOCK);
    bool careful = false;
    for (int64_t first = start; first < end; first += CHUNK) {
        int64_t count = end - first < CHUNK ? end - first : CHUNK;
        const uint8_t *a =
            chunk_bytes(job->original, job->original_contiguous, first, count, scratch->original);
        const uint8_t *b =
            chunk_bytes(job->candidate, job->candidate_contiguous, first, count, scratch->candidate);
        if (tally->constant)
            tally->constant =
                memcmp(a, first_element, item) == 0 && memcmp(a, a + item, (size_t)(count - 1) * item) == 0;
        compare_chunk(job, a, b, first, count, &careful, tally);
    }
}

static void *compare_blocks(void *context) {
    Job *job = context;
    Tally *result = &job->tallies[atomic_fetch_add(&job->next_tally, 1)];
    Tally tally = *result; /* apart from those of other threads */
    Scratch scratch;
    for (;;) {
        int64_t block = atomic_fetch_add(&job->next_block, 1);
        if (block >= job->block_count)
            break;
        tally.sum = 0;
        compare_block(job, &scratch, block, &tally);
        job->sums[block] = tally.sum;
    }
    *result = tally;
    return NULL;
}

static void merge(Tally *total, const Tally *tally) {
    total->mismatches += tally->mismatches;
    total->nonfinite_mismatches += tally->nonfinite_mismatches;
    total->finite_pairs += tally->finite_pairs;
    if (tally->first >= 0)
        tally_mismatch(total, tally->first);
    if (tally->worst_difference == total->worst_difference && tally->worst < total->worst)
        total->worst = tally->worst;
    tally_difference(total, tally->worst_difference, tally->worst);
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
    const Tally none = {.first = -1, .worst = -1, .all_equal = true, .constant = true};
    for (int i = 0; i < MOST_THREADS; i++)
        job->tallies[i] = none;
    pthread_t others[MOST_THREADS - 1];
    unsigned started = 0;
    while (started + 1 < threads && started < COUNT_OF(others) && started + 1 < job->block_count &&
           pthread_create(&others[started], NULL, compare_blocks, job) == 0)
        started++;
    compare_blocks(job);
    for (unsigned i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    Tally total = none;
    for (unsigned i = 0; i <= started; i++)
        merge(&total, &job->tallies[i]);
    for (int64_t i = 0; i < job->block_count; i++)
        total.sum += job->sums[i];
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
    job->rules.dtype = original->dtype;
    job->rules.tolerance = tolerance;
    job->block_count = original->element_count / BLOCK + (original->element_count % BLOCK != 0);
    job->sums = ARENA_ARRAY(arena, double, (size_t)job->block_count);
    const DtypeInfo *info = dtype_info(original->dtype);
    for (unsigned bits = 0; bits < 256 && info->kind == KIND_FLOAT && info->size == 1; bits++)
        job->rules.small_values[bits] = (float)element_read(original->dtype, &(uint8_t){(uint8_t)bits}).real;
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
