/* Comparing tensors: every dtype, strides, NaN and Inf, any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "tensor.h"

static TensorView vector_of(Arena *arena, Dtype dtype, const void *data, int64_t count) {
    TensorView view;
    Error error;
    const int64_t shape[] = {count}, stride[] = {1};
    assert_int_equal(tensor_view_make(arena, data, (size_t)count * dtype_info(dtype)->size, dtype, 1, shape,
                                      stride, 0, &view, &error),
                     STATUS_OK);
    return view;
}

static Comparison compare_floats(const float *a, const float *b, int64_t count) {
    Arena *arena = arena_new();
    TensorView x = vector_of(arena, DTYPE_FLOAT32, a, count), y = vector_of(arena, DTYPE_FLOAT32, b, count);
    Comparison comparison;
    tensor_compare(&x, &y, (Tolerance){1e-5, 1e-6}, 1, &comparison);
    arena_free(arena);
    return comparison;
}

static void test_equal_and_constant(void **state) {
    (void)state;
    const float a[] = {1, 1, 1}, b[] = {1, 2, 3};
    Comparison same = compare_floats(a, a, 3), other = compare_floats(b, b, 3);
    assert_true(same.all_equal && same.constant && other.all_equal && !other.constant);
    assert_int_equal(same.mismatches, 0);
    assert_false(same.first.exists || same.worst.exists);
    assert_int_equal(same.finite_pairs, 3);
    assert_int_equal(same.original_finite, 3);
}

static void test_difference_is_measured(void **state) {
    (void)state;
    const float a[] = {1, 2, 0, -4, 5, 6, 7}, b[] = {1, 2.5F, 0, -4, 5.000001F, 5, 7};
    Comparison c = compare_floats(a, b, 7);
    assert_int_equal(c.mismatches, 2);
    assert_int_equal(c.first.index[0], 1);
    assert_string_equal(c.first.original_text, "2");
    assert_string_equal(c.first.candidate_text, "2.5");
    assert_int_equal(c.worst.index[0], 5);
    assert_true(c.max_abs == 1.0 && c.max_rel == 0.25);
    assert_true(fabs(c.mean_abs - (1.5 + (double)5.000001F - 5) / 7) < 1e-15);
    assert_int_equal(c.max_ulp, 1 << 21);
    assert_false(c.all_equal);
}

static void test_ulp_across_zero(void **state) {
    (void)state;
    const float smallest = 0x1p-149F, a[] = {-0.0F, smallest}, b[] = {0.0F, -smallest};
    Comparison c = compare_floats(a, b, 2);
    assert_int_equal(c.max_ulp, 2);
    assert_int_equal(c.mismatches, 0);
    assert_false(c.all_equal);
}

static void test_nan_and_inf_must_meet_their_like(void **state) {
    (void)state;
    const float a[] = {NAN, INFINITY, -INFINITY, 1, NAN, INFINITY, 2};
    const float b[] = {NAN, INFINITY, -INFINITY, NAN, 1, -INFINITY, 2.5F};
    Comparison c = compare_floats(a, b, 7);
    assert_int_equal(c.mismatches, 4);
    assert_int_equal(c.nonfinite_mismatches, 3);
    assert_int_equal(c.first.index[0], 3);
    assert_int_equal(c.worst.index[0], 3);
    assert_string_equal(c.worst.candidate_text, "nan");
    assert_int_equal(c.original_nan, 2);
    assert_int_equal(c.candidate_nan, 2);
    assert_int_equal(c.original_inf, 3);
    assert_int_equal(c.candidate_inf, 3);
    assert_int_equal(c.original_finite, 2);
    assert_int_equal(c.finite_pairs, 1);
    assert_true(c.max_abs == 0.5);
    const float nans[] = {NAN, NAN};
    c = compare_floats(nans, nans, 2);
    assert_int_equal(c.original_finite, 0);
    assert_int_equal(c.mismatches, 0);
}

/* What is masked by -inf on both sides is counted apart, and the rest judged as ever. */
static void test_the_same_infinities_are_no_difference(void **state) {
    (void)state;
    const float a[] = {1, -INFINITY, 2, -INFINITY, INFINITY}, b[] = {1, -INFINITY, 2.5F, -INFINITY, INFINITY};
    Comparison c = compare_floats(a, b, 5);
    assert_int_equal(c.mismatches, 1);
    assert_int_equal(c.nonfinite_mismatches, 0);
    assert_int_equal(c.first.index[0], 2);
    assert_int_equal(c.worst.index[0], 2);
    assert_int_equal(c.original_inf, 3);
    assert_int_equal(c.candidate_inf, 3);
    assert_int_equal(c.original_finite, 2);
    assert_int_equal(c.finite_pairs, 2);
    assert_true(c.max_abs == 0.5);
    const float opposite[] = {1, -INFINITY, 2, INFINITY, INFINITY};
    c = compare_floats(a, opposite, 5);
    assert_int_equal(c.mismatches, 1);
    assert_int_equal(c.nonfinite_mismatches, 1);
    assert_int_equal(c.first.index[0], 3);
    c = compare_floats(a + 3, a + 3, 2);
    assert_int_equal(c.mismatches, 0);
    assert_int_equal(c.original_finite, 0);
}

static void test_tolerance_is_relative_to_the_original(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const double small = 100, large = 110;
    TensorView x = vector_of(arena, DTYPE_FLOAT64, &small, 1), y = vector_of(arena, DTYPE_FLOAT64, &large, 1);
    Comparison c;
    tensor_compare(&x, &y, (Tolerance){0.095, 0}, 1, &c);
    assert_int_equal(c.mismatches, 1);
    tensor_compare(&y, &x, (Tolerance){0.095, 0}, 1, &c);
    assert_int_equal(c.mismatches, 0);
    arena_free(arena);
}

static void test_huge_floats_do_not_overflow(void **state) {
    (void)state;
    const float a[] = {3e38F, 1}, b[] = {-3e38F, 1};
    Comparison c = compare_floats(a, b, 2);
    assert_true(isfinite(c.max_abs) && c.max_abs > 5.9e38);
    assert_int_equal(c.worst.index[0], 0);
}

static void test_integers_are_exact(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const int64_t a[] = {INT64_MAX, 5}, b[] = {INT64_MAX - 1, 5};
    TensorView x = vector_of(arena, DTYPE_INT64, a, 2), y = vector_of(arena, DTYPE_INT64, b, 2);
    Comparison c;
    tensor_compare(&x, &y, (Tolerance){1, 1}, 1, &c);
    assert_int_equal(c.mismatches, 1);
    assert_true(c.max_abs == 1);
    assert_string_equal(c.first.original_text, "9223372036854775807");
    assert_string_equal(c.first.candidate_text, "9223372036854775806");
    arena_free(arena);
}

static void test_complex_by_absolute_value(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const float a[] = {3, 4, 0, 1}, b[] = {3, 4, 3, 5}, c[] = {NAN, 0, 0, 1}, d[] = {0, NAN, 0, 1};
    TensorView x = vector_of(arena, DTYPE_COMPLEX64, a, 2), y = vector_of(arena, DTYPE_COMPLEX64, b, 2);
    Comparison result;
    tensor_compare(&x, &y, (Tolerance){0, 0}, 1, &result);
    assert_int_equal(result.mismatches, 1);
    assert_true(result.max_abs == 5 && result.max_rel == 5);
    assert_string_equal(result.worst.original_text, "0+1j");
    x = vector_of(arena, DTYPE_COMPLEX64, c, 2), y = vector_of(arena, DTYPE_COMPLEX64, d, 2);
    tensor_compare(&x, &y, (Tolerance){0, 0}, 1, &result);
    assert_int_equal(result.mismatches, 0);
    arena_free(arena);
}

/* Each dtype: 3000 elements, of which number 2500 differs by a large amount and nothing else does. */
static void test_every_dtype(void **state) {
    (void)state;
    for (Dtype dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        Arena *arena = arena_new();
        const size_t item = dtype_info(dtype)->size;
        uint8_t *a = arena_alloc(arena, 3000 * item), *b = arena_alloc(arena, 3000 * item);
        for (size_t i = 0; i < 3000; i++) {
            int64_t value = dtype_info(dtype)->kind == KIND_BOOL ? (int64_t)i % 2 : (int64_t)(1U << (i % 5));
            Element element = {
                .real = (double)value, .imaginary = 1, .integer = value, .natural = (uint64_t)value};
            element_write(dtype, a + i * item, element);
            if (i == 2500)
                element = (Element){.real = 32, .imaginary = 1, .integer = !value, .natural = 32};
            element_write(dtype, b + i * item, element);
        }
        TensorView x = vector_of(arena, dtype, a, 3000), y = vector_of(arena, dtype, b, 3000);
        Comparison c;
        tensor_compare(&x, &y, dtype_info(dtype)->tolerance, 2, &c);
        assert_int_equal(c.mismatches, 1);
        assert_int_equal(c.first.index[0], 2500);
        assert_int_equal(c.worst.index[0], 2500);
        assert_int_equal(c.original_finite, 3000);
        assert_true(c.max_abs ==
                    (dtype_info(dtype)->kind == KIND_BOOL || dtype_info(dtype)->kind == KIND_INT ? 1 : 31));
        assert_true((c.max_ulp > 0) == (dtype_info(dtype)->kind == KIND_FLOAT));
        arena_free(arena);
    }
}

static void test_empty_and_scalar(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Comparison c;
    TensorView empty = vector_of(arena, DTYPE_FLOAT32, NULL, 0), scalar;
    tensor_compare(&empty, &empty, (Tolerance){0, 0}, 4, &c);
    assert_true(c.element_count == 0 && c.all_equal && c.constant && c.original_finite == 0);
    Error error;
    const float value = 3;
    assert_int_equal(tensor_view_make(arena, &value, 4, DTYPE_FLOAT32, 0, NULL, NULL, 0, &scalar, &error),
                     STATUS_OK);
    tensor_compare(&scalar, &scalar, (Tolerance){0, 0}, 4, &c);
    assert_true(c.element_count == 1 && c.rank == 0 && c.constant);
    arena_free(arena);
}

static void test_strides_do_not_matter(void **state) {
    (void)state;
    Arena *arena = arena_new();
    enum { ROWS = 70, COLUMNS = 50 };
    float a[ROWS][COLUMNS], b[COLUMNS][ROWS];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            a[i][j] = b[j][i] = (float)(i * 100 + j);
    b[49][69] += 1;
    Error error;
    TensorView x, y;
    const int64_t shape[] = {ROWS, COLUMNS}, rows[] = {COLUMNS, 1}, columns[] = {1, ROWS};
    assert_int_equal(tensor_view_make(arena, a, sizeof a, DTYPE_FLOAT32, 2, shape, rows, 0, &x, &error),
                     STATUS_OK);
    assert_int_equal(tensor_view_make(arena, b, sizeof b, DTYPE_FLOAT32, 2, shape, columns, 0, &y, &error),
                     STATUS_OK);
    Comparison c;
    tensor_compare(&x, &y, (Tolerance){0, 0}, 3, &c);
    assert_int_equal(c.mismatches, 1);
    assert_int_equal(c.first.index[0], 69);
    assert_int_equal(c.first.index[1], 49);
    arena_free(arena);
}

static void test_any_number_of_threads_gives_the_same(void **state) {
    (void)state;
    Arena *arena = arena_new();
    enum { COUNT = 700001 };
    float *a = ARENA_ARRAY(arena, float, COUNT), *b = ARENA_ARRAY(arena, float, COUNT);
    uint32_t random = 7;
    for (int i = 0; i < COUNT; i++) {
        random = random * 1664525 + 1013904223;
        a[i] = (float)(random >> 8) / 1e6F;
        b[i] = a[i] * (1 + (float)(random & 7) * 1e-6F);
    }
    b[300000] = b[600000] = NAN; /* equally bad: the first counts */
    TensorView x = vector_of(arena, DTYPE_FLOAT32, a, COUNT), y = vector_of(arena, DTYPE_FLOAT32, b, COUNT);
    Comparison one, other;
    tensor_compare(&x, &y, (Tolerance){1e-6, 0}, 1, &one);
    assert_true(one.mismatches > 0 && one.nonfinite_mismatches == 2 && one.worst.index[0] == 300000);
    for (unsigned threads = 2; threads < 9; threads += 3) {
        tensor_compare(&x, &y, (Tolerance){1e-6, 0}, threads, &other);
        assert_memory_equal(&one.mean_abs, &other.mean_abs, sizeof one.mean_abs);
        assert_memory_equal(&one.max_rel, &other.max_rel, sizeof one.max_rel);
        assert_true(one.mismatches == other.mismatches && one.max_ulp == other.max_ulp &&
                    one.max_abs == other.max_abs && one.first.index[0] == other.first.index[0] &&
                    one.worst.index[0] == other.worst.index[0] && one.original_finite == COUNT);
    }
    arena_free(arena);
}

/* ---- Against a plain reference: any dtype, strides, sizes, NaN and Inf ---------------------- */
static uint32_t pick(uint32_t *random, uint32_t limit) {
    *random = *random * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)*random * limit) >> 32);
}

/* How far an element is from 0, in representable values. */
static __int128 steps_from_zero(Dtype dtype, const void *at) {
    const size_t bits = 8 * dtype_info(dtype)->size - (dtype != DTYPE_FLOAT8_E8M0FNU);
    uint64_t raw = 0;
    memcpy(&raw, at, dtype_info(dtype)->size);
    const uint64_t magnitude = raw & (((uint64_t)1 << bits) - 1);
    return raw == magnitude ? (__int128)magnitude : -(__int128)magnitude;
}

/* float64 in its own arithmetic, other floats in that of float32 unless it overflows. */
static void reference_gap(Dtype dtype, Element a, Element b, Tolerance tolerance, double *gap, double *rel,
                          bool *agree) {
    const float x = (float)a.real, y = (float)b.real, apart = fabsf(x - y), ratio = apart / fabsf(x);
    const DtypeKind kind = dtype_info(dtype)->kind;
    if (kind == KIND_FLOAT && dtype != DTYPE_FLOAT64 && isfinite(apart)) {
        const volatile float slack = (float)tolerance.rtol * fabsf(x);
        *gap = apart;
        *rel = isfinite(ratio) ? ratio : *gap / fabs(a.real);
        *agree = apart <= slack + (float)tolerance.atol;
    } else if (dtype_is_floating(dtype)) {
        const double size = kind == KIND_COMPLEX ? hypot(a.real, a.imaginary) : fabs(a.real);
        const volatile double slack = tolerance.rtol * size;
        *gap =
            kind == KIND_COMPLEX ? hypot(a.real - b.real, a.imaginary - b.imaginary) : fabs(a.real - b.real);
        *rel = *gap / size;
        *agree = *gap <= slack + tolerance.atol;
    } else {
        const bool natural = kind == KIND_UINT;
        const __int128 m = natural ? (__int128)a.natural : a.integer,
                       n = natural ? (__int128)b.natural : b.integer;
        *gap = (double)(m > n ? m - n : n - m);
        *rel = *gap / (double)(m < 0 ? -m : m);
        *agree = m == n;
    }
}

static bool alike(double a, double b) {
    return isnan(a) ? isnan(b) : a == b || (isfinite(a) && isfinite(b));
}

static int64_t number_of(const TensorView *view, const ComparedElement *element) {
    int64_t number = 0;
    for (size_t i = 0; i < view->rank; i++)
        number = number * view->shape[i] + element->index[i];
    return element->exists ? number : -1;
}

static void assert_close(double a, double b) {
    assert_true(a == b || fabs(a - b) <= 1e-12 * fabs(b));
}

static void check_against_reference(const TensorView *x, const TensorView *y, Tolerance tolerance,
                                    const Comparison *c) {
    const Dtype dtype = x->dtype;
    const bool complex = dtype_info(dtype)->kind == KIND_COMPLEX;
    int64_t mismatches = 0, nonfinite_mismatches = 0, pairs = 0, first = -1, worst = -1, finite = 0;
    int64_t nans[2] = {0}, infs[2] = {0};
    double worst_gap = 0, max_abs = 0, max_rel = 0, sum = 0;
    __int128 max_ulp = 0;
    bool all_equal = true, constant = true;
    for (int64_t i = 0; i < x->element_count; i++) {
        const void *at[2] = {tensor_at_linear(x, i), tensor_at_linear(y, i)};
        const Element e[2] = {element_read(dtype, at[0]), element_read(dtype, at[1])};
        bool nan[2], whole[2], agree;
        for (int side = 0; side < 2; side++) {
            nan[side] = isnan(e[side].real) || isnan(e[side].imaginary);
            whole[side] = isfinite(e[side].real) && isfinite(e[side].imaginary);
            nans[side] += nan[side];
            infs[side] += !nan[side] && !whole[side];
        }
        double gap = 0, rel = 0;
        if (whole[0] && whole[1]) {
            reference_gap(dtype, e[0], e[1], tolerance, &gap, &rel, &agree);
            if (dtype_info(dtype)->kind == KIND_FLOAT) {
                const __int128 steps = steps_from_zero(dtype, at[0]) - steps_from_zero(dtype, at[1]);
                max_ulp = steps > max_ulp ? steps : -steps > max_ulp ? -steps : max_ulp;
            }
            pairs++;
            sum += gap;
            max_abs = fmax(max_abs, gap);
            if (e[0].real != 0 || e[0].imaginary != 0)
                max_rel = fmax(max_rel, rel);
        } else {
            agree = alike(e[0].real, e[1].real) && alike(e[0].imaginary, e[1].imaginary);
            if (complex && nan[0])
                agree = nan[1];
            gap = agree ? 0 : INFINITY;
            nonfinite_mismatches += !agree;
        }
        if (!agree && mismatches++ == 0)
            first = i;
        if (gap > worst_gap) {
            worst_gap = gap;
            worst = i;
        }
        finite += whole[0];
        all_equal &= memcmp(at[0], at[1], dtype_info(dtype)->size) == 0;
        constant &= memcmp(at[0], tensor_at_linear(x, 0), dtype_info(dtype)->size) == 0;
    }
    assert_int_equal(c->mismatches, mismatches);
    assert_int_equal(c->nonfinite_mismatches, nonfinite_mismatches);
    assert_int_equal(c->finite_pairs, pairs);
    assert_int_equal(number_of(x, &c->first), first);
    assert_int_equal(number_of(x, &c->worst), worst);
    assert_int_equal(c->original_finite, finite);
    assert_true(c->original_nan == nans[0] && c->candidate_nan == nans[1]);
    assert_true(c->original_inf == infs[0] && c->candidate_inf == infs[1]);
    assert_true(c->max_ulp == (uint64_t)max_ulp);
    assert_true(c->max_abs == max_abs && c->max_rel == max_rel);
    assert_close(c->mean_abs, pairs > 0 ? sum / (double)pairs : 0);
    assert_true(c->all_equal == all_equal && c->constant == constant);
}

/* Elements at the edges of the dtype, among zeros, or like a network's outputs. */
static void fill_randomly(Dtype dtype, uint32_t style, uint8_t *bytes, size_t size, uint32_t *random) {
    const size_t item = dtype_info(dtype)->size;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(dtype == DTYPE_BOOL ? pick(random, 2) : pick(random, 256));
    for (size_t i = 0; i < size / item && style > 0; i++) {
        const double value = (double)pick(random, 2000) / 1000 - (style == 1 ? 1 : -0.1);
        Element element = {
            .real = value, .imaginary = 1 - value, .integer = pick(random, 5), .natural = pick(random, 5)};
        if (dtype_info(dtype)->kind == KIND_BOOL)
            element.integer &= 1;
        if (style == 3 && pick(random, 4) == 0)
            element.real = element.imaginary = 0;
        if (style == 4 && pick(random, 100) == 0)
            element.real = (const double[]){NAN, INFINITY, -INFINITY, 1e300, -1e300}[pick(random, 5)];
        element_write(dtype, bytes + i * item, element);
    }
}

/* A view of the shape on `bytes`, its dimensions in any order, with gaps, some of them broadcast. */
static TensorView random_view(Arena *arena, Dtype dtype, const uint8_t *bytes, size_t size, size_t rank,
                              const int64_t *shape, uint32_t *random) {
    int64_t stride[4], step = 1;
    bool placed[4] = {false};
    const bool plain = pick(random, 2) == 0;
    for (size_t i = 0; i < rank; i++) {
        size_t at = rank - 1 - i;
        if (!plain)
            for (at = pick(random, (uint32_t)rank); placed[at];)
                at = (at + 1) % rank;
        placed[at] = true;
        stride[at] = !plain && pick(random, 6) == 0 ? 0 : step;
        step *= shape[at] + (plain ? 0 : pick(random, 2));
    }
    TensorView view;
    Error error;
    assert_int_equal(
        tensor_view_make(arena, bytes, size, dtype, rank, shape, stride, pick(random, 5), &view, &error),
        STATUS_OK);
    return view;
}

static void test_random_tensors_as_the_reference(void **state) {
    (void)state;
    enum { CASES = 3000, ROOM = 200000 };
    uint8_t *a = calloc(ROOM, 16), *b = calloc(ROOM, 16);
    uint32_t random = 11;
    for (int i = 0; i < CASES; i++) {
        Arena *arena = arena_new();
        const Dtype dtype = (Dtype)pick(&random, DTYPE_COUNT);
        const size_t item = dtype_info(dtype)->size, rank = pick(&random, 4);
        const bool large = i % 300 == 0; /* of several blocks */
        int64_t shape[] = {1, 1, 1, 1}, room = 5;
        for (size_t k = 0; k < rank; k++)
            shape[k] = pick(&random, (const uint32_t[]){3000, 60, 14}[rank - 1]);
        if (large && rank > 0)
            shape[0] = 150000 / ((shape[1] + 1) * (shape[2] + 1));
        for (size_t k = 0, r = 1; k < rank; k++)
            room = (int64_t)(r *= (size_t)shape[k] + 1) + 5;
        const size_t size = (size_t)room * item;
        const uint32_t style = pick(&random, 5), changes = pick(&random, 3);
        assert_true(room <= ROOM);
        fill_randomly(dtype, style, a, size, &random);
        fill_randomly(dtype, style, b, size, &random);
        for (size_t k = 0; k < (size_t)room; k++) {
            if (changes == 0 || (changes == 1 && pick(&random, 1000) > 0)) /* in no or a few places */
                memcpy(b + k * item, a + k * item, item);
            else if (pick(&random, 2) == 0 && dtype != DTYPE_BOOL) { /* by a few representable values */
                memcpy(b + k * item, a + k * item, item);
                b[k * item] ^= (uint8_t)pick(&random, 4);
            }
        }
        const uint32_t view_seed = random;
        TensorView x = random_view(arena, dtype, a, size, rank, shape, &random);
        if (pick(&random, 2) == 0)
            random = view_seed; /* for the same strides */
        TensorView y = random_view(arena, dtype, b, size, rank, shape, &random);
        const Tolerance tolerance = pick(&random, 4) == 0 ? (Tolerance){0, 0} : dtype_info(dtype)->tolerance;
        Comparison comparison;
        tensor_compare(&x, &y, tolerance, 1 + pick(&random, 4), &comparison);
        check_against_reference(&x, &y, tolerance, &comparison);
        arena_free(arena);
    }
    free(a);
    free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_and_constant),
        cmocka_unit_test(test_difference_is_measured),
        cmocka_unit_test(test_ulp_across_zero),
        cmocka_unit_test(test_nan_and_inf_must_meet_their_like),
        cmocka_unit_test(test_the_same_infinities_are_no_difference),
        cmocka_unit_test(test_tolerance_is_relative_to_the_original),
        cmocka_unit_test(test_huge_floats_do_not_overflow),
        cmocka_unit_test(test_integers_are_exact),
        cmocka_unit_test(test_complex_by_absolute_value),
        cmocka_unit_test(test_every_dtype),
        cmocka_unit_test(test_empty_and_scalar),
        cmocka_unit_test(test_strides_do_not_matter),
        cmocka_unit_test(test_any_number_of_threads_gives_the_same),
        cmocka_unit_test(test_random_tensors_as_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
