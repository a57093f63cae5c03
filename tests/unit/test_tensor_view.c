/* Dtypes, elements, views, and tensors located in memory files by a hostile sender. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>

#include "tensor.h"

static void test_table_of_dtypes(void **state) {
    (void)state;
    Dtype dtype;
    assert_true(dtype_find("torch.bfloat16", &dtype));
    assert_int_equal(dtype, DTYPE_BFLOAT16);
    assert_string_equal(dtype_info(dtype)->code, "bf16");
    assert_true(dtype_info(DTYPE_FLOAT32)->tolerance.rtol == 1e-5);
    assert_false(dtype_find("torch.qint8", &dtype));
    assert_true(dtype_is_floating(DTYPE_COMPLEX64) && !dtype_is_floating(DTYPE_BOOL));
}

static double round_trip(Dtype dtype, double value) {
    uint8_t bytes[16];
    element_write(dtype, bytes, (Element){.real = value});
    return element_read(dtype, bytes).real;
}

static void test_small_floats(void **state) {
    (void)state;
    assert_true(dtype_largest(DTYPE_FLOAT16) == 65504);
    assert_true(dtype_largest(DTYPE_FLOAT8_E4M3FN) == 448);
    assert_true(dtype_largest(DTYPE_FLOAT8_E5M2) == 57344);
    assert_true(dtype_largest(DTYPE_FLOAT8_E4M3FNUZ) == 240);
    assert_true(dtype_largest(DTYPE_FLOAT8_E5M2FNUZ) == 57344);
    assert_true(round_trip(DTYPE_FLOAT16, 1e9) == 65504);
    assert_true(round_trip(DTYPE_FLOAT16, 0x1p-24) == 0x1p-24);
    assert_true(round_trip(DTYPE_FLOAT16, 0x1p-25) == 0); /* halfway to even */
    assert_true(round_trip(DTYPE_BFLOAT16, 1 + 0x1p-8) == 1);
    assert_true(round_trip(DTYPE_BFLOAT16, 1 + 0x3p-8) == 1 + 0x1p-6);
    assert_true(isinf(round_trip(DTYPE_FLOAT16, -INFINITY)));
    assert_true(round_trip(DTYPE_FLOAT8_E4M3FN, -INFINITY) == -448);
    assert_false(signbit(round_trip(DTYPE_FLOAT8_E4M3FNUZ, -0.0)));
    assert_true(round_trip(DTYPE_FLOAT8_E8M0FNU, 5) == 4);
    assert_true(round_trip(DTYPE_FLOAT32, 1e300) == FLT_MAX);
}

/* Every pattern of every small float reads as a value that is written as the same pattern. */
static void test_every_pattern_is_kept(void **state) {
    (void)state;
    for (Dtype dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (dtype_info(dtype)->kind != KIND_FLOAT || dtype_info(dtype)->size > 2)
            continue;
        for (uint32_t pattern = 0; pattern < 1U << (8 * dtype_info(dtype)->size); pattern++) {
            uint16_t in = (uint16_t)pattern, out = 0;
            Element element = element_read(dtype, &in);
            element_write(dtype, &out, element);
            assert_true(in == out || (isnan(element.real) && isnan(element_read(dtype, &out).real)));
        }
    }
}

static void test_text_of_elements(void **state) {
    (void)state;
    Arena *arena = arena_new();
    assert_string_equal(element_as_text(arena, DTYPE_FLOAT32, (Element){.real = 0.1F}), "0.1");
    assert_string_equal(element_as_text(arena, DTYPE_FLOAT64, (Element){.real = 0.1F}),
                        "0.10000000149011612");
    assert_string_equal(element_as_text(arena, DTYPE_FLOAT32, (Element){.real = -INFINITY}), "-inf");
    assert_string_equal(element_as_text(arena, DTYPE_COMPLEX64, (Element){.real = 1, .imaginary = NAN}),
                        "1+nanj");
    assert_string_equal(element_as_text(arena, DTYPE_BOOL, (Element){.integer = 1}), "True");
    assert_string_equal(element_as_text(arena, DTYPE_UINT64, (Element){.natural = UINT64_MAX}),
                        "18446744073709551615");
    arena_free(arena);
}

static Status make(Arena *arena, size_t bytes, size_t rank, const int64_t *shape, const int64_t *stride,
                   int64_t offset) {
    static const float storage[64];
    TensorView view;
    Error error;
    return tensor_view_make(arena, storage, bytes, DTYPE_FLOAT32, rank, shape, stride, offset, &view, &error);
}

static void test_views_stay_inside(void **state) {
    (void)state;
    Arena *arena = arena_new();
    assert_int_equal(make(arena, 24, 2, (int64_t[]){2, 3}, (int64_t[]){3, 1}, 0), STATUS_OK);
    assert_int_equal(make(arena, 23, 2, (int64_t[]){2, 3}, (int64_t[]){3, 1}, 0), STATUS_ERROR);
    assert_int_equal(make(arena, 24, 2, (int64_t[]){2, 3}, (int64_t[]){3, 1}, 1), STATUS_ERROR);
    assert_int_equal(make(arena, 24, 2, (int64_t[]){2, 3}, (int64_t[]){-3, 1}, 5), STATUS_ERROR);
    assert_int_equal(make(arena, 24, 2, (int64_t[]){-2, 3}, (int64_t[]){3, 1}, 0), STATUS_ERROR);
    assert_int_equal(make(arena, 24, 1, (int64_t[]){2}, (int64_t[]){1}, -1), STATUS_ERROR);
    assert_int_equal(make(arena, 4, 2, (int64_t[]){1000, 1000}, (int64_t[]){0, 0}, 0), STATUS_OK);
    assert_int_equal(make(arena, 0, 2, (int64_t[]){0, 5}, (int64_t[]){1, 1}, 9), STATUS_OK);
    assert_int_equal(make(arena, 0, 2, (int64_t[]){INT64_MAX, 0}, (int64_t[]){INT64_MAX, 9}, 0), STATUS_OK);
    assert_int_equal(make(arena, 0, 3, (int64_t[]){0, INT64_MAX / 2, 4}, (int64_t[]){1, 4, 1}, 0),
                     STATUS_ERROR);
    assert_int_equal(make(arena, 0, 0, NULL, NULL, 0), STATUS_ERROR);
    assert_int_equal(make(arena, 4, 0, NULL, NULL, 0), STATUS_OK);
    const int64_t huge[] = {INT64_MAX / 2, 4}, ones[] = {0, 0}, far[] = {INT64_MAX, INT64_MAX};
    assert_int_equal(make(arena, 4, 2, huge, ones, 0), STATUS_ERROR);
    assert_int_equal(make(arena, 4, 2, (int64_t[]){3, 3}, far, 0), STATUS_ERROR);
    assert_int_equal(make(arena, 4, 1, (int64_t[]){2}, (int64_t[]){1}, INT64_MAX), STATUS_ERROR);
    int64_t many[65];
    for (int i = 0; i < 65; i++)
        many[i] = 1;
    assert_int_equal(make(arena, 4, 64, many, many, 0), STATUS_OK);
    assert_int_equal(make(arena, 4, 65, many, many, 0), STATUS_ERROR);
    arena_free(arena);
}

static void test_gather_follows_strides(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const uint16_t data[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    TensorView view;
    Error error;
    const int64_t shape[] = {3, 2, 2}, stride[] = {1, 6, 3};
    assert_int_equal(
        tensor_view_make(arena, data, sizeof data, DTYPE_INT16, 3, shape, stride, 0, &view, &error),
        STATUS_OK);
    uint16_t all[12], some[5];
    tensor_gather(&view, 0, 12, all);
    const uint16_t expected[] = {0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11};
    assert_memory_equal(all, expected, sizeof expected);
    tensor_gather(&view, 3, 5, some);
    assert_memory_equal(some, expected + 3, sizeof some);
    assert_int_equal(*(const uint16_t *)tensor_at_linear(&view, 7), 10);
    assert_string_equal(tensor_as_text(arena, &view), "[3, 2, 2] int16");
    arena_free(arena);
}

static Status decode(const char *text, TensorView *view) {
    static uint8_t file[256];
    Arena *arena = arena_new();
    Error error;
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    Status status = tensor_located_decode(arena, json, (Bytes){file, sizeof file}, "x", view, &error);
    if (status == STATUS_OK) {
        json_t *back = tensor_located_to_json(view);
        assert_true(json_equal(json, back));
        json_decref(back);
    }
    json_decref(json);
    arena_free(arena);
    return status;
}

#define LOCATED(dtype, shape, stride, offset, at, size)                                                      \
    "{\"dtype\": \"" dtype "\", \"shape\": " shape ", \"stride\": " stride ", \"offset\": " offset           \
    ", \"storage\": {\"at\": " at ", \"size\": " size "}}"

static void test_located_tensors(void **state) {
    (void)state;
    TensorView view;
    assert_int_equal(decode(LOCATED("torch.float32", "[2, 3]", "[3, 1]", "2", "64", "32"), &view), STATUS_OK);
    assert_int_equal(view.storage_at, 64);
    static const char *const hostile[] = {
        LOCATED("torch.float32", "[2, 3]", "[3, 1]", "3", "64", "32"),
        LOCATED("torch.float32", "[2, 3]", "[3]", "0", "64", "32"),
        LOCATED("torch.float32", "[2.0]", "[1]", "0", "64", "32"),
        LOCATED("torch.float32", "{}", "[1]", "0", "64", "32"),
        LOCATED("torch.float32", "[2]", "[1]", "0", "63", "32"),
        LOCATED("torch.float32", "[2]", "[1]", "0", "192", "65"),
        LOCATED("torch.float32", "[2]", "[1]", "0", "320", "0"),
        LOCATED("torch.float32", "[2]", "[1]", "0", "64", "9223372036854775807"),
        LOCATED("torch.float32", "[2]", "[1]", "0", "-64", "32"),
        LOCATED("torch.float32", "[2]", "[1]", "-1", "64", "32"),
        LOCATED("torch.quint8", "[2]", "[1]", "0", "64", "32"),
        "{\"dtype\": \"torch.float32\"}",
        "{\"unsupported\": \"sparse_coo\"}",
        "{\"unsupported\": 3}",
        "[1]",
        "null",
    };
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        json_t *json = json_loads(hostile[i], JSON_DECODE_ANY, NULL);
        assert_non_null(json);
        Arena *arena = arena_new();
        Error error;
        static uint8_t file[256];
        assert_int_equal(tensor_located_decode(arena, json, (Bytes){file, 256}, "x", &view, &error),
                         STATUS_ERROR);
        json_decref(json);
        arena_free(arena);
    }
}

static size_t pick(uint32_t *random, size_t limit) {
    *random = *random * 1664525 + 1013904223;
    return (*random >> 16) % limit;
}

/* Whatever is accepted must be walkable: a memory checker sees a read outside. */
static void test_random_located_tensors(void **state) {
    (void)state;
    static const int64_t numbers[] = {0,  1,   2,   3,  7,         16,        63,
                                      64, 128, 250, -1, INT64_MAX, INT64_MIN, 1LL << 62};
    uint8_t *file = malloc(256), gathered[16 * 64];
    memset(file, 0, 256);
    uint32_t random = 12345;
    size_t accepted = 0;
    for (int round = 0; round < 30000; round++) {
        Arena *arena = arena_new();
        json_t *shape = json_array(), *stride = json_array();
        for (size_t rank = pick(&random, 4); rank > 0; rank--) {
            json_array_append_new(
                shape, json_integer(numbers[pick(&random, pick(&random, 3) == 0 ? COUNT_OF(numbers) : 4)]));
            json_array_append_new(
                stride, json_integer(numbers[pick(&random, pick(&random, 3) == 0 ? COUNT_OF(numbers) : 5)]));
        }
        json_t *json = json_pack("{s:s, s:o, s:o, s:I, s:{s:I, s:I}}", "dtype",
                                 dtype_info((Dtype)(pick(&random, DTYPE_COUNT)))->torch_name, "shape", shape,
                                 "stride", stride, "offset", (json_int_t)numbers[pick(&random, 6)], "storage",
                                 "at", (json_int_t)(64 * numbers[pick(&random, 4)]), "size",
                                 (json_int_t)numbers[pick(&random, COUNT_OF(numbers))]);
        TensorView view;
        Error error;
        if (tensor_located_decode(arena, json, (Bytes){file, 256}, "x", &view, &error) == STATUS_OK) {
            accepted++;
            if (view.element_count > 0) {
                tensor_at_linear(&view, view.element_count - 1);
                int64_t count = view.element_count < 64 ? view.element_count : 64;
                tensor_gather(&view, view.element_count - count, count, gathered);
            }
        }
        json_decref(json);
        arena_free(arena);
    }
    assert_true(accepted > 100);
    free(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_of_dtypes),       cmocka_unit_test(test_small_floats),
        cmocka_unit_test(test_every_pattern_is_kept), cmocka_unit_test(test_text_of_elements),
        cmocka_unit_test(test_views_stay_inside),     cmocka_unit_test(test_gather_follows_strides),
        cmocka_unit_test(test_located_tensors),       cmocka_unit_test(test_random_located_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
