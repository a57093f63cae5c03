/* The bytes that runs get: layouts, perturbed weights, perturbed inputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "weights.h"

enum { FILE_SIZE = 1 << 14 };

typedef struct World {
    Arena *arena;
    _Alignas(64) uint8_t file[FILE_SIZE]; /* the original's bytes, then the region */
    _Alignas(64) uint8_t candidate_file[FILE_SIZE];
    size_t used, candidate_used;
    json_t *original_state, *candidate_state;
    StateDict original, candidate;
    Assignment assignment;
    json_t *list;
} World;

static int setup(void **state) {
    World *world = aligned_alloc(_Alignof(World), sizeof *world);
    memset(world, 0, sizeof *world);
    world->arena = arena_new();
    world->original_state = json_array();
    world->candidate_state = json_array();
    *state = world;
    return 0;
}

static int teardown(void **state) {
    World *world = *state;
    json_decref(world->original_state);
    json_decref(world->candidate_state);
    json_decref(world->list);
    arena_free(world->arena);
    free(world);
    return 0;
}

static void add(json_t *state, const char *key, const char *kind, const char *dtype, const char *shape,
                size_t at) {
    json_t *sizes = json_loads(shape, JSON_DECODE_ANY, NULL), *strides = json_array();
    int64_t step = 1;
    for (size_t i = json_array_size(sizes); i-- > 0;) {
        json_array_insert_new(strides, 0, json_integer(step));
        step *= json_integer_value(json_array_get(sizes, i));
    }
    json_array_append_new(
        state, json_pack("{s:s, s:s, s:b, s:s, s:s, s:i, s:{s:s, s:o, s:o, s:i, s:{s:I, s:i}}}", "key", key,
                         "kind", kind, "persistent", 1, "module", "", "module_class", "torch.nn.modules.X",
                         "owner", -1, "tensor", "dtype", dtype, "shape", sizes, "stride", strides, "offset",
                         0, "storage", "at", (json_int_t)at, "size", 512));
}

/* An original parameter whose elements count up from `first`; its bytes. */
static float *original(World *world, const char *key, const char *shape, float first) {
    float *values = (float *)(void *)(world->file + world->used);
    add(world->original_state, key, "parameter", "torch.float32", shape, world->used);
    world->used += 512;
    for (int i = 0; i < 128; i++)
        values[i] = first + (float)i;
    return values;
}

static void candidate(World *world, const char *key, const char *shape) {
    add(world->candidate_state, key, "parameter", "torch.float32", shape, world->candidate_used);
    world->candidate_used += 512;
}

static void decode(World *world) {
    Error error;
    assert_int_equal(state_dict_decode(world->arena, world->original_state, (Bytes){world->file, world->used},
                                       false, "state", &world->original, &error),
                     STATUS_OK);
    assert_int_equal(state_dict_decode(world->arena, world->candidate_state,
                                       (Bytes){world->candidate_file, FILE_SIZE}, true, "state",
                                       &world->candidate, &error),
                     STATUS_OK);
}

static void lay_out(World *world, const char *map_text) {
    decode(world);
    WeightMap map;
    Error error;
    assert_int_equal(weight_map_parse(world->arena, (Bytes){(const uint8_t *)map_text, strlen(map_text)},
                                      "map", &map, &error),
                     STATUS_OK);
    weights_assign(world->arena, &world->original, &world->candidate, &map, &world->assignment,
                   findings_new(world->arena));
    size_t size = weights_layout_size(&world->assignment);
    assert_true(world->used + size <= FILE_SIZE);
    world->list = weights_layout_fill(world->arena, &world->assignment, world->file, world->used);
    world->used += size;
}

/* What the candidate finds under a key: the view, checked against the file as a cell's would be. */
static TensorView given(World *world, const char *key) {
    TensorView view = {0};
    size_t i;
    json_t *item;
    json_array_foreach(world->list, i, item) {
        Error error;
        if (text_equal(json_string_value(json_object_get(item, "key")), key))
            assert_int_equal(tensor_located_decode(world->arena, json_object_get(item, "tensor"),
                                                   (Bytes){world->file, world->used}, key, &view, &error),
                             STATUS_OK);
    }
    assert_non_null(view.data);
    return view;
}

static void expect_numbers(World *world, const char *key, const float *expected, size_t count) {
    TensorView view = given(world, key);
    float numbers[64];
    assert_int_equal(view.element_count, count);
    tensor_gather(&view, 0, view.element_count, numbers);
    assert_memory_equal(numbers, expected, count * sizeof *expected);
}

/* ---- Layout ------------------------------------------------------------------------------- */
static void test_whole_keys_are_not_copied(void **state) {
    World *world = *state;
    const float *a = original(world, "a", "[2, 3]", 0);
    candidate(world, "b", "[2, 3]");
    candidate(world, "c", "[3, 2]");
    lay_out(world, "{\"a\": [\"b\", {\"key\": \"c\", \"transpose\": true}]}");
    assert_int_equal(weights_layout_size(&world->assignment), 0);
    expect_numbers(world, "b", a, 6);
    expect_numbers(world, "c", (float[]){0, 3, 1, 4, 2, 5}, 6);
}

static void test_slices_have_storages_of_their_own(void **state) {
    World *world = *state;
    const float *a = original(world, "a", "[4, 16]", 0);
    candidate(world, "q", "[2, 16]");
    candidate(world, "k", "[2, 16]");
    lay_out(world, "{\"a\": [{\"key\": \"q\", \"start\": 0, \"stop\": 2}, {\"key\": \"k\", \"start\": 2, "
                   "\"stop\": 4}]}");
    assert_int_equal(weights_layout_size(&world->assignment), 0);
    expect_numbers(world, "q", a, 32);
    expect_numbers(world, "k", a + 32, 32);
    assert_int_equal(given(world, "k").storage_size, 32 * sizeof *a);
}

static void test_slices_along_a_later_dimension_and_transposed(void **state) {
    World *world = *state;
    original(world, "a", "[2, 4]", 0);
    candidate(world, "q", "[2, 2]");
    candidate(world, "k", "[2, 2]");
    lay_out(world, "{\"a\": [{\"key\": \"q\", \"dim\": 1, \"start\": 0, \"stop\": 2},"
                   "{\"key\": \"k\", \"dim\": -1, \"start\": 2, \"stop\": 4, \"transpose\": true}]}");
    expect_numbers(world, "q", (float[]){0, 1, 4, 5}, 4);
    expect_numbers(world, "k", (float[]){2, 6, 3, 7}, 4);
    assert_true(given(world, "q").data != given(world, "k").data);
}

static void test_fused_keys_are_assembled(void **state) {
    World *world = *state;
    original(world, "q", "[2, 2]", 0);
    original(world, "k", "[1, 2]", 10);
    original(world, "v", "[2, 1]", 20);
    candidate(world, "rows", "[4, 2]");
    lay_out(
        world,
        "{\"q\": {\"key\": \"rows\", \"start\": 1, \"stop\": 3}, \"k\": {\"key\": \"rows\", \"start\": 0, "
        "\"stop\": 1}, \"v\": {\"key\": \"rows\", \"start\": 3, \"stop\": 4, \"transpose\": true}}");
    expect_numbers(world, "rows", (float[]){10, 11, 0, 1, 2, 3, 20, 21}, 8);
}

static void test_fused_along_columns(void **state) {
    World *world = *state;
    original(world, "q", "[2, 2]", 0);
    original(world, "k", "[2, 1]", 10);
    candidate(world, "columns", "[2, 3]");
    lay_out(world, "{\"q\": {\"key\": \"columns\", \"dim\": 1, \"start\": 1, \"stop\": 3},"
                   " \"k\": {\"key\": \"columns\", \"dim\": 1, \"start\": 0, \"stop\": 1}}");
    expect_numbers(world, "columns", (float[]){10, 0, 1, 11, 2, 3}, 6);
}

static void test_what_gets_nothing_is_nan(void **state) {
    World *world = *state;
    original(world, "a", "[2]", 1);
    candidate(world, "b", "[2]");
    candidate(world, "c", "[3]");
    lay_out(world, "{\"a\": []}");
    TensorView view = given(world, "c");
    for (int64_t i = 0; i < 3; i++)
        assert_true(isnan(((const float *)tensor_at_linear(&view, i))[0]));
}

static void test_buffers_in_several_places_are_copied(void **state) {
    World *world = *state;
    add(world->original_state, "mean", "buffer", "torch.float32", "[2]", 0);
    world->used = 512;
    ((float *)(void *)world->file)[1] = 7;
    for (int i = 0; i < 2; i++)
        add(world->candidate_state, i == 0 ? "x" : "y", "buffer", "torch.float32", "[2]", (size_t)i * 512);
    lay_out(world, "{\"mean\": [\"x\", \"y\"]}");
    expect_numbers(world, "x", (float[]){0, 7}, 2);
    expect_numbers(world, "y", (float[]){0, 7}, 2);
    assert_true(given(world, "x").data != given(world, "y").data);
}

static void test_the_original_gets_its_own(void **state) {
    World *world = *state;
    original(world, "a", "[2]", 1);
    decode(world);
    world->list = weights_layout_original(&world->original);
    expect_numbers(world, "a", (float[]){1, 2}, 2);
}

/* ---- Perturbed weights -------------------------------------------------------------------- */
static const float *perturbed(World *world, uint64_t seed) {
    decode(world);
    weights_change(&world->original, (Bytes){world->file, world->used}, world->candidate_file,
                   WEIGHTS_PERTURBED, seed);
    return (const float *)(const void *)world->candidate_file;
}

static void test_vectors_move_enough(void **state) {
    World *world = *state;
    float *values = original(world, "layer_scale", "[1, 128, 1]", 0);
    for (int i = 0; i < 128; i++)
        values[i] = i % 2 == 0 ? 0 : -1e-6F;
    const float *moved = perturbed(world, 1);
    bool up = false, down = false;
    for (int i = 0; i < 128; i++) {
        double by = fabs((double)moved[i] - values[i]);
        assert_true(by >= 0.0999 && by <= 0.2501);
        up |= moved[i] > 0;
        down |= moved[i] < 0;
    }
    assert_true(up && down);
}

static void test_variances_stay_positive(void **state) {
    World *world = *state;
    float *values = original(world, "running_var", "[128]", 0);
    for (int i = 0; i < 128; i++)
        values[i] = i % 3 == 0 ? 0 : 0.01F;
    const float *moved = perturbed(world, 5);
    for (int i = 0; i < 128; i++)
        assert_true(moved[i] >= 0.04 && moved[i] != values[i]);
}

static void test_matrices_move_by_their_size(void **state) {
    World *world = *state;
    float *values = original(world, "w", "[8, 16]", 0), *zeros = original(world, "z", "[8, 16]", 0);
    for (int i = 0; i < 128; i++) {
        values[i] = i % 2 == 0 ? 100 : -100;
        zeros[i] = 0;
    }
    const float *moved = perturbed(world, 5);
    double largest = 0;
    for (int i = 0; i < 128; i++) {
        assert_true(fabs((double)moved[i] - values[i]) <= 50 && moved[i] != values[i]);
        assert_true(fabs((double)moved[128 + i]) <= 0.25 && moved[128 + i] != 0);
        largest = fmax(largest, fabs((double)moved[128 + i]));
    }
    assert_true(largest > 0.15);
}

static void test_perturbation_depends_on_the_seed_alone(void **state) {
    World *world = *state;
    original(world, "a", "[8, 16]", 0);
    float first[128], again[128];
    memcpy(first, perturbed(world, 7), sizeof first);
    memcpy(again, perturbed(world, 7), sizeof again);
    assert_memory_equal(first, again, sizeof first);
    assert_true(memcmp(first, perturbed(world, 8), sizeof first) != 0);
}

static void test_masks_and_integers_stay_and_every_float_moves(void **state) {
    World *world = *state;
    for (Dtype dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        add(world->original_state, dtype_info(dtype)->code, "parameter", dtype_info(dtype)->torch_name,
            "[4, 8]", world->used);
        for (size_t i = 0; i < 32; i++) /* 1, 2, 4 or 8, which every dtype has */
            element_write(dtype, world->file + world->used + i * dtype_info(dtype)->size,
                          (Element){.real = (double)(1 << i % 4), .integer = 3, .natural = 3});
        world->used += 512;
    }
    perturbed(world, 3);
    for (size_t i = 0; i < DTYPE_COUNT; i++) {
        const TensorView *view = &world->original.items[i].tensor;
        size_t size = 32 * dtype_info(view->dtype)->size;
        bool moved = memcmp(view->data, world->candidate_file + view->storage_at, size) != 0;
        assert_int_equal(moved, dtype_is_floating(view->dtype));
        assert_memory_equal((const uint8_t *)view->data + size,
                            world->candidate_file + view->storage_at + size, 512 - size);
        for (size_t j = 0; moved && j < 32; j++)
            assert_true(isfinite(element_read(view->dtype, world->candidate_file + view->storage_at +
                                                               j * dtype_info(view->dtype)->size)
                                     .real));
    }
}

static void test_ties_stay_tied(void **state) {
    World *world = *state;
    original(world, "a", "[8, 16]", 0);
    add(world->original_state, "b", "parameter", "torch.float32", "[8, 16]", 0);
    float once[128];
    memcpy(once, perturbed(world, 9), sizeof once);
    json_array_remove(world->original_state, 1);
    assert_memory_equal(once, perturbed(world, 9), sizeof once);
}

static void test_each_row_gets_a_scale_of_its_own(void **state) {
    World *world = *state;
    const float *single = original(world, "single", "[64, 2]", 1);
    add(world->original_state, "half", "parameter", "torch.float16", "[64]", world->used);
    for (size_t i = 0; i < 64; i++)
        element_write(DTYPE_FLOAT16, world->file + world->used + 2 * i, (Element){.real = 1});
    world->used += 512;
    decode(world);
    weights_change(&world->original, (Bytes){world->file, world->used}, world->candidate_file, WEIGHTS_SCALED,
                   1);
    const float *scaled = (const float *)(const void *)world->candidate_file;
    double least = 1, most = 1, most_half = 1;
    for (size_t i = 0; i < 64; i++) {
        const double scale = scaled[2 * i] / single[2 * i],
                     half = element_read(DTYPE_FLOAT16, world->candidate_file + 512 + 2 * i).real;
        assert_true(scaled[2 * i + 1] == scale * single[2 * i + 1] && exp2(round(log2(scale))) == scale);
        least = fmin(least, scale);
        most = fmax(most, scale);
        most_half = fmax(most_half, half);
    }
    assert_true(least == 0.25 && most == 16 && most_half == 2);
}

static void test_rows_that_select(void **state) {
    World *world = *state;
    original(world, "matrix", "[32, 4]", 1);
    const size_t vector_at = world->used;
    original(world, "vector", "[64]", 1);
    const size_t buffer_at = world->used;
    const float *buffer = (const float *)(const void *)(world->file + buffer_at);
    add(world->original_state, "mean", "buffer", "torch.float32", "[8]", buffer_at);
    memset(world->file + buffer_at, 1, 512);
    world->used += 512;
    decode(world);
    weights_change(&world->original, (Bytes){world->file, world->used}, world->candidate_file,
                   WEIGHTS_SELECTING, 1);
    const float *matrix = (const float *)(const void *)world->candidate_file,
                *vector = (const float *)(const void *)(world->candidate_file + vector_at);
    size_t empty = 0, ones = 0;
    for (size_t i = 0; i < 32; i++) {
        size_t chosen = 0;
        for (size_t j = 0; j < 4; j++) {
            assert_true(matrix[4 * i + j] == 0 || fabsf(matrix[4 * i + j]) == 1);
            chosen += matrix[4 * i + j] != 0;
        }
        assert_true(chosen <= 1 && (vector[i] == 0 || vector[i] == 1));
        empty += chosen == 0;
        ones += vector[i] == 1;
    }
    assert_true(empty > 0 && empty < 16 && ones > 8 && ones < 24);
    assert_memory_equal(world->candidate_file + buffer_at, buffer, 8 * sizeof *buffer);
}

static void test_rows_that_hand_on_what_they_get(void **state) {
    World *world = *state;
    original(world, "matrix", "[6, 4]", 1);
    const size_t kernel_at = world->used;
    original(world, "kernel", "[2, 2, 3]", 1);
    const size_t bias_at = world->used;
    original(world, "bias", "[3]", 1);
    decode(world);
    weights_change(&world->original, (Bytes){world->file, world->used}, world->candidate_file,
                   WEIGHTS_STRAIGHT, 1);
    const float *matrix = (const float *)(const void *)world->candidate_file,
                *kernel = (const float *)(const void *)(world->candidate_file + kernel_at),
                *bias = (const float *)(const void *)(world->candidate_file + bias_at);
    for (size_t i = 0; i < 24; i++)
        assert_true(matrix[i] == (float)(i % 4 == i / 4 % 4));
    for (size_t i = 0; i < 12; i++)
        assert_true(kernel[i] == (float)(i == 1 || i == 10));
    for (size_t i = 0; i < 3; i++)
        assert_true(bias[i] == 0);
}

/* ---- Perturbed inputs --------------------------------------------------------------------- */
static TensorView input_of(World *world, Dtype dtype, size_t rank, const int64_t *shape) {
    TensorView view;
    Error error;
    int64_t stride[4], step = 1;
    for (size_t i = rank; i-- > 0;) {
        stride[i] = step;
        step *= shape[i];
    }
    assert_int_equal(
        tensor_view_make(world->arena, world->file, FILE_SIZE, dtype, rank, shape, stride, 0, &view, &error),
        STATUS_OK);
    return view;
}

static void perturb_input(World *world, TensorView view, int64_t low, int64_t high, InputKind kind) {
    const InputTensor input = {.tensor = view, .low = low, .high = high};
    inputs_perturb(&input, 1, (InputBounds){0}, (Bytes){world->file, FILE_SIZE}, world->candidate_file, kind,
                   11);
}

static void test_integers_cover_their_table(void **state) {
    World *world = *state;
    TensorView view = input_of(world, DTYPE_INT64, 2, (int64_t[]){20, 20});
    int64_t *sample = (int64_t *)(void *)world->file, *other = (int64_t *)(void *)world->candidate_file;
    sample[7] = 3;
    bool seen[10] = {false};
    perturb_input(world, view, 0, 9, INPUT_BOTH_SIGNS);
    for (int i = 0; i < 400; i++) {
        assert_true(other[i] >= 0 && other[i] <= 9);
        seen[other[i]] = true;
    }
    for (int i = 0; i < 10; i++)
        assert_true(seen[i]);
    assert_int_equal(other[400], 0);
    perturb_input(world, view, 1, 0, INPUT_SMALL); /* bounds unknown: the sample's */
    int64_t largest = 0;
    for (int i = 0; i < 400; i++) {
        assert_true(other[i] >= 0 && other[i] <= 3);
        largest = other[i] > largest ? other[i] : largest;
    }
    assert_int_equal(largest, 3);
    perturb_input(world, view, INT64_MIN, INT64_MAX, INPUT_LARGE);
    perturb_input(world, view, 0, 9, INPUT_SAME);
    assert_memory_equal(world->file, world->candidate_file, FILE_SIZE);
    TensorView bytes = input_of(world, DTYPE_UINT8, 1, (int64_t[]){100});
    perturb_input(world, bytes, -5, 5000, INPUT_LARGE);
    assert_int_equal(world->candidate_file[100], 0);
}

static void test_integers_of_no_table_go_past_the_samples(void **state) {
    World *world = *state;
    TensorView view = input_of(world, DTYPE_INT64, 2, (int64_t[]){20, 20});
    int64_t *sample = (int64_t *)(void *)world->file, *other = (int64_t *)(void *)world->candidate_file;
    for (int i = 0; i < 400; i++)
        sample[i] = i % 2;
    int negative = 0, zero = 0, more = 0, far = 0;
    perturb_input(world, view, 0, -1, INPUT_INTEGERS_FAR);
    for (int i = 0; i < 400; i++) {
        negative += other[i] < 0;
        zero += other[i] == 0;
        more += other[i] > 1;
        far += other[i] > 4 || other[i] < -4;
    }
    assert_true(negative > 40 && zero > 40 && more > 40 && far > 10);
    perturb_input(world, view, 0, -1, INPUT_INTEGERS_NEAR);
    for (int i = 0; i < 400; i++)
        assert_true(other[i] >= -3 && other[i] <= 4);
    perturb_input(world, view, 0, -1, INPUT_INTEGERS_ABOVE);
    for (int i = 0; i < 400; i++)
        assert_true(other[i] >= 0 && other[i] <= 4);
    perturb_input(world, view, 0, -1, INPUT_INTEGERS_BELOW);
    for (int i = 0; i < 400; i++)
        assert_true(other[i] >= -1 && other[i] <= 1 && (i > 0 || other[i] == -1));
    perturb_input(world, view, 0, 9, INPUT_INTEGERS_FAR); /* a table's: as they are */
    assert_memory_equal(world->file, world->candidate_file, FILE_SIZE);
    TensorView bytes = input_of(world, DTYPE_UINT8, 1, (int64_t[]){2});
    perturb_input(world, bytes, 0, -1, INPUT_INTEGERS_NEAR);
    assert_int_equal(world->candidate_file[0], 0);
    assert_true(world->candidate_file[1] > world->file[0] || world->candidate_file[1] > world->file[1]);
}

static void test_booleans_have_both_values(void **state) {
    World *world = *state;
    TensorView view = input_of(world, DTYPE_BOOL, 1, (int64_t[]){2});
    perturb_input(world, view, 0, 0, INPUT_BOTH_SIGNS);
    assert_int_equal(world->candidate_file[0] + world->candidate_file[1], 1);
}

static void test_floats_by_kind(void **state) {
    World *world = *state;
    TensorView view = input_of(world, DTYPE_FLOAT32, 2, (int64_t[]){4, 64});
    float *sample = (float *)(void *)world->file, *other = (float *)(void *)world->candidate_file;
    for (int i = 0; i < 256; i++)
        sample[i] = 2;
    perturb_input(world, view, 0, 0, INPUT_SMALL);
    assert_true(fabsf(other[9] - 2e-4F) < 1e-9F);
    perturb_input(world, view, 0, 0, INPUT_LARGE);
    assert_true(other[9] == 2000);
    perturb_input(world, view, 0, 0, INPUT_BOTH_SIGNS);
    double rms[4];
    int negative = 0;
    for (int row = 0; row < 4; row++) {
        rms[row] = 0;
        for (int i = 0; i < 64; i++) {
            rms[row] += (double)other[64 * row + i] * other[64 * row + i];
            negative += other[64 * row + i] < 0;
        }
        rms[row] = sqrt(rms[row] / 64);
        assert_true(rms[row] > 0.1 && rms[row] < 30);
    }
    assert_true(negative > 80 && negative < 176);
    assert_true(fabs(rms[0] / rms[1] - 1) > 0.2 || fabs(rms[1] / rms[2] - 1) > 0.2);
}

static void test_equal_inputs_are_five_numbers(void **state) {
    World *world = *state;
    TensorView view = input_of(world, DTYPE_FLOAT32, 2, (int64_t[]){4, 64});
    float *sample = (float *)(void *)world->file, *other = (float *)(void *)world->candidate_file;
    for (int i = 0; i < 256; i++)
        sample[i] = 3;
    perturb_input(world, view, 0, 0, INPUT_EQUAL);
    int seen[5] = {0};
    for (int i = 0; i < 256; i++) {
        assert_true(other[i] == -4 || other[i] == -2 || other[i] == 0 || other[i] == 2 || other[i] == 4);
        seen[(int)(other[i] / 2) + 2]++;
    }
    for (int i = 0; i < 5; i++)
        assert_true(seen[i] > 20);
}

static void test_masks_and_what_is_not_finite_stay(void **state) {
    World *world = *state;
    TensorView view = input_of(world, DTYPE_FLOAT32, 1, (int64_t[]){4});
    float *sample = (float *)(void *)world->file, *other = (float *)(void *)world->candidate_file;
    sample[1] = -INFINITY;
    perturb_input(world, view, 0, 0, INPUT_BOTH_SIGNS);
    assert_memory_equal(sample, other, 16);
    sample[2] = 5;
    perturb_input(world, view, 0, 0, INPUT_BOTH_SIGNS);
    assert_true(other[1] == -INFINITY && other[2] != 5);
    TensorView half = input_of(world, DTYPE_FLOAT16, 1, (int64_t[]){1});
    element_write(DTYPE_FLOAT16, world->file, (Element){.real = 60000});
    perturb_input(world, half, 0, 0, INPUT_LARGE);
    assert_true(element_read(DTYPE_FLOAT16, world->candidate_file).real == 4094);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_whole_keys_are_not_copied),
        TEST(test_slices_have_storages_of_their_own),
        TEST(test_slices_along_a_later_dimension_and_transposed),
        TEST(test_fused_keys_are_assembled),
        TEST(test_fused_along_columns),
        TEST(test_what_gets_nothing_is_nan),
        TEST(test_buffers_in_several_places_are_copied),
        TEST(test_the_original_gets_its_own),
        TEST(test_vectors_move_enough),
        TEST(test_variances_stay_positive),
        TEST(test_matrices_move_by_their_size),
        TEST(test_perturbation_depends_on_the_seed_alone),
        TEST(test_masks_and_integers_stay_and_every_float_moves),
        TEST(test_ties_stay_tied),
        TEST(test_each_row_gets_a_scale_of_its_own),
        TEST(test_rows_that_select),
        TEST(test_rows_that_hand_on_what_they_get),
        TEST(test_integers_cover_their_table),
        TEST(test_integers_of_no_table_go_past_the_samples),
        TEST(test_booleans_have_both_values),
        TEST(test_floats_by_kind),
        TEST(test_equal_inputs_are_five_numbers),
        TEST(test_masks_and_what_is_not_finite_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
