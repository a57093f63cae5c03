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
    b[300000] = NAN;
    TensorView x = vector_of(arena, DTYPE_FLOAT32, a, COUNT), y = vector_of(arena, DTYPE_FLOAT32, b, COUNT);
    Comparison one, other;
    tensor_compare(&x, &y, (Tolerance){1e-6, 0}, 1, &one);
    assert_true(one.mismatches > 0 && one.nonfinite_mismatches == 1 && one.worst.index[0] == 300000);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_and_constant),
        cmocka_unit_test(test_difference_is_measured),
        cmocka_unit_test(test_ulp_across_zero),
        cmocka_unit_test(test_nan_and_inf_must_meet_their_like),
        cmocka_unit_test(test_tolerance_is_relative_to_the_original),
        cmocka_unit_test(test_huge_floats_do_not_overflow),
        cmocka_unit_test(test_integers_are_exact),
        cmocka_unit_test(test_complex_by_absolute_value),
        cmocka_unit_test(test_every_dtype),
        cmocka_unit_test(test_empty_and_scalar),
        cmocka_unit_test(test_strides_do_not_matter),
        cmocka_unit_test(test_any_number_of_threads_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
