/* Which other sizes of inputs are planned, what they are called, and where they tell nothing. */
#include "size_plan.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct Input {
    const char *dtype;
    size_t rank;
    int64_t shape[5];
} Input;

static json_t *sample_of(const Input *inputs, size_t count) {
    json_t *tensors = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *shape = json_array(), *stride = json_array();
        for (size_t d = 0; d < inputs[i].rank; d++) {
            json_array_append_new(shape, json_integer(inputs[i].shape[d]));
            json_array_append_new(stride, json_integer(0));
        }
        json_array_append_new(tensors, json_pack("{s:s, s:o, s:o}", "dtype", inputs[i].dtype, "shape", shape,
                                                 "stride", stride));
    }
    return json_pack("{s:o}", "tensors", tensors);
}

typedef struct Planned {
    Arena *arena;
    SizePlan plan;
} Planned;

static Planned plan_of(const Input *inputs, size_t count) {
    Planned planned = {.arena = arena_new()};
    StepState *step = ARENA_NEW(planned.arena, StepState);
    *step = (StepState){.arena = planned.arena};
    json_t *sample = sample_of(inputs, count);
    planned.plan = size_plan(step, sample);
    json_decref(sample);
    return planned;
}
#define PLAN_OF(inputs) plan_of(inputs, COUNT_OF(inputs))

static void planned_close(Planned *planned) {
    size_plan_close(&planned->plan);
    arena_free(planned->arena);
}

static const SizeCall *find(const Planned *planned, const char *name) {
    for (size_t i = 0; i < planned->plan.count; i++)
        if (strcmp(planned->plan.items[i].name, name) == 0)
            return &planned->plan.items[i];
    return NULL;
}

/* "2x3,5": the shapes that a call is made with. */
static const char *shapes_of(const Planned *planned, const char *name) {
    const SizeCall *call = find(planned, name);
    assert_non_null(call);
    Text text = text_new(planned->arena);
    const json_t *tensors = json_object_get(call->sample, "tensors");
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        const json_t *shape = json_object_get(json_array_get(tensors, i), "shape");
        for (size_t d = 0; d < json_array_size(shape); d++)
            text_printf(&text, "%s%lld",
                        d > 0   ? "x"
                        : i > 0 ? ","
                                : "",
                        (long long)json_integer_value(json_array_get(shape, d)));
    }
    return text.data;
}

/* Names of a list, each followed by a bar. */
static bool is_listed(const char *name, const void *context) {
    const char *found = strstr(context, name);
    return found != NULL && found[strlen(name)] == '|';
}

static bool is_needless(const Planned *planned, const char *name, const char *accepted) {
    const SizeCall *call = find(planned, name);
    assert_non_null(call);
    return size_call_is_needless(call, is_listed, accepted);
}

static void test_every_size_of_a_dimension(void **state) {
    (void)state;
    const Input inputs[] = {{"torch.float32", 3, {2, 7, 16}}, {"torch.float32", 3, {2, 5, 16}}};
    Planned planned = PLAN_OF(inputs);
    assert_string_equal(shapes_of(&planned, "another batch size"), "1x7x16,1x5x16");
    assert_string_equal(shapes_of(&planned, "another length"), "2x6x16,2x5x16");
    assert_string_equal(shapes_of(&planned, "another length in place of 5"), "2x7x16,2x4x16");
    assert_string_equal(shapes_of(&planned, "a length of 1031 in place of 5"), "2x7x16,2x1031x16");
    assert_string_equal(shapes_of(&planned, "another dimension 2"), "2x7x15,2x5x15");
    assert_string_equal(shapes_of(&planned, "a dimension 2 of 32"), "2x7x32,2x5x32");
    assert_null(find(&planned, "another size for every 2"));
    planned_close(&planned);
}

static void test_the_length_is_no_last_dimension_of_numbers(void **state) {
    (void)state;
    const Input inputs[] = {{"torch.float32", 2, {4, 16}}, {"torch.int64", 2, {4, 9}}};
    Planned planned = PLAN_OF(inputs);
    assert_string_equal(shapes_of(&planned, "another length"), "4x16,4x8");
    assert_string_equal(shapes_of(&planned, "another length in place of 16"), "4x15,4x9");
    planned_close(&planned);
}

static void test_a_size_along_several_dimensions(void **state) {
    (void)state;
    const Input inputs[] = {{"torch.float32", 3, {2, 7, 8}}, {"torch.float32", 2, {7, 7}}};
    Planned planned = PLAN_OF(inputs);
    assert_string_equal(shapes_of(&planned, "a size of 1031 for every 7"), "2x1031x8,1031x1031");
    assert_false(is_needless(&planned, "another size for every 7", ""));
    assert_false(is_needless(&planned, "another size for every 7", "another length|"));
    assert_true(is_needless(&planned, "another size for every 7",
                            "another length|another batch size in place of 7|"));
    planned_close(&planned);
}

static void test_what_large_sizes_make_needless(void **state) {
    (void)state;
    const Input inputs[] = {{"torch.int64", 2, {4, 9}}};
    Planned planned = PLAN_OF(inputs);
    assert_false(is_needless(&planned, "another length", "a length of 1031|"));
    assert_true(is_needless(&planned, "a length of 10", "another length|a length of 1031|"));
    assert_false(is_needless(&planned, "a length of 10", "another length|"));
    assert_true(is_needless(&planned, "a length of 10", "")); /* what refuses less takes no more */
    assert_false(is_needless(&planned, "a length of 18", "another length|"));
    assert_true(is_needless(&planned, "a length of 18", "another length|a length of 10|"));
    planned_close(&planned);
}

static void test_one_and_very_many(void **state) {
    (void)state;
    const Input inputs[] = {{"torch.int64", 3, {1, 1, 2000}}};
    Planned planned = PLAN_OF(inputs);
    assert_string_equal(shapes_of(&planned, "another batch size"), "2x1x2000");
    assert_true(is_needless(&planned, "another batch size", "a batch of 4099|"));
    assert_int_equal(find(&planned, "another batch size")->wave, 0); /* runs are asked for it in any case */
    assert_string_equal(shapes_of(&planned, "another length"), "1x2x2000");
    assert_string_equal(shapes_of(&planned, "a dimension 2 of 3031"), "1x1x3031");
    planned_close(&planned);
}

static void test_too_many(void **state) {
    (void)state;
    Input inputs[MOST_SIZE_CHANGES + 3];
    for (size_t i = 0; i < COUNT_OF(inputs); i++)
        inputs[i] = (Input){"torch.float32", 1, {(int64_t)i + 1}};
    Planned planned = PLAN_OF(inputs);
    assert_int_equal(planned.plan.sizes_left_out, 3);
    assert_true(planned.plan.count <= MOST_SIZE_CALLS);
    planned_close(&planned);
}

static void test_very_large(void **state) {
    (void)state;
    const Input inputs[] = {{"torch.bool", 4, {8, 16, 512, 512}}};
    Planned planned = PLAN_OF(inputs);
    assert_non_null(find(&planned, "a dimension 2 of 1024"));
    assert_null(find(&planned, "a batch of 4099"));
    assert_null(find(&planned, "a size of 1031 for every 512"));
    assert_false(is_needless(&planned, "a batch of 9", "another batch size|"));
    assert_true(planned.plan.sizes_left_out > 0);
    planned_close(&planned);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_of_a_dimension),
        cmocka_unit_test(test_the_length_is_no_last_dimension_of_numbers),
        cmocka_unit_test(test_a_size_along_several_dimensions),
        cmocka_unit_test(test_what_large_sizes_make_needless),
        cmocka_unit_test(test_one_and_very_many),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_very_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
