/* One component by itself: init arguments bound to names, expected shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "component_parts.h"
#include "parse.h"

/* ---- Init arguments ---------------------------------------------------------------------------------- */

/* `given` is a value as cells send it. The bound dict as JSON text, or "null". */
static char *bind(const char *class, const char *given) {
    Arena *arena = arena_new();
    Error error;
    Value value;
    Tree tree = test_parse_text(arena, "linear.py", class);
    json_t *json = json_loads(given, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    assert_int_equal(value_decode(arena, json, 0, "given", &value, &error), STATUS_OK);
    const Value bound = component_bind_init(arena, &tree, &value);
    json_t *result = value_to_json(&bound);
    char *text = json_dumps(result, JSON_ENCODE_ANY | JSON_COMPACT);
    json_decref(json);
    json_decref(result);
    arena_free(arena);
    return text;
}

static void check_bound(const char *class, const char *given, const char *expected) {
    char *text = bind(class, given);
    assert_string_equal(text, expected);
    free(text);
}

#define CLASS(arguments)                                                                                     \
    "class Model(nn.Module):\n    def __init__(self" arguments "):\n        super().__init__()\n"

static void arguments_get_the_names_of_init(void **state) {
    (void)state;
    check_bound(CLASS(", n_in, n_out"), "{\"l\": [3, 4]}", "{\"d\":[[\"n_in\",3],[\"n_out\",4]]}");
    check_bound(CLASS(", n_in, n_out"), "{\"d\": [[\"n_out\", 4], [\"n_in\", 3]]}",
                "{\"d\":[[\"n_out\",4],[\"n_in\",3]]}");
}

static void defaults_are_filled_in(void **state) {
    (void)state;
    check_bound(CLASS(", n=3, bias=False, *, scale=-2, kind=None"), "{\"l\": [7]}",
                "{\"d\":[[\"n\",7],[\"bias\",false],[\"scale\",-2],[\"kind\",null]]}");
    check_bound(CLASS(", n=(1, 2), dtype=torch.float32"), "{\"l\": []}",
                "{\"d\":[[\"n\",{\"t\":[1,2]}],[\"dtype\",{\"y\":\"torch.float32\"}]]}");
}

static void what_is_not_clear_is_unknown(void **state) {
    (void)state;
    check_bound(CLASS(", n=WIDTH"), "{\"l\": []}", "null");
    check_bound(CLASS(", n=2 * 3"), "{\"l\": []}", "null");
    check_bound(CLASS(", n=torch.nothing"), "{\"l\": []}", "null");
    check_bound(CLASS(", n"), "{\"l\": []}", "null");
    check_bound(CLASS(", *sizes"), "{\"l\": [1, 2]}", "null");
    check_bound("class Other:\n    pass\n", "{\"l\": []}", "null");
    check_bound("class Model(Base):\n    pass\n", "{\"l\": [1]}", "null");
}

static void no_init_takes_nothing(void **state) {
    (void)state;
    check_bound("class Model(nn.Module):\n    pass\n", "{\"l\": []}", "{\"d\":[]}");
}

static void the_refactored_class_comes_first(void **state) {
    (void)state;
    check_bound(CLASS(", n") "class RefactoredModel(nn.Module):\n    def __init__(self, m):\n        pass\n",
                "{\"l\": [1]}", "{\"d\":[[\"m\",1]]}");
}

/* ---- Expected shapes ------------------------------------------------------------------------------------
 */

/* The problem with `expected` for outputs of [2, 3] and [4]; `outputs` as cells send them. */
static bool shape_is_right(const char *expected, const char *outputs) {
    Arena *arena = arena_new();
    Error error;
    Value value;
    int64_t first[] = {2, 3}, second[] = {4};
    TraceTensor tensors[] = {{.dtype = "torch.float32", .shape = first, .rank = 2},
                             {.dtype = "torch.float32", .shape = second, .rank = 1}};
    Trace trace = {.tensors = tensors, .tensor_count = COUNT_OF(tensors)};
    json_t *json = json_loads(expected, JSON_DECODE_ANY, NULL),
           *given = json_loads(outputs, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    assert_non_null(given);
    assert_int_equal(value_decode(arena, json, 0, "expected", &value, &error), STATUS_OK);
    assert_int_equal(value_decode(arena, given, COUNT_OF(tensors), "outputs", &trace.outputs, &error),
                     STATUS_OK);
    bool right = component_shape_problem(arena, &value, &trace) == NULL;
    json_decref(json);
    json_decref(given);
    arena_free(arena);
    return right;
}

#define ONE "{\"T\": 0}"
#define TWO "{\"t\": [{\"T\": 0}, {\"T\": 1}]}"

static void expected_shapes_in_every_form(void **state) {
    (void)state;
    assert_true(shape_is_right("{\"t\": [2, 3]}", ONE));
    assert_false(shape_is_right("{\"t\": [2, 4]}", ONE));
    assert_false(shape_is_right("{\"t\": [2]}", ONE));
    assert_true(shape_is_right("{\"t\": [{\"t\": [2, 3]}]}", ONE));
    assert_true(shape_is_right("{\"t\": [{\"t\": [2, 3]}, {\"t\": [4]}]}", TWO));
    assert_false(shape_is_right("{\"t\": [{\"t\": [4]}, {\"t\": [2, 3]}]}", TWO));
    assert_false(shape_is_right("{\"t\": [{\"t\": [2, 3]}]}", TWO));
    assert_true(shape_is_right("{\"t\": [2, 3]}", TWO)); /* of the first */
    assert_true(shape_is_right("{\"d\": [[\"a\", {\"t\": [2, 3]}]]}", "{\"d\": [[\"a\", {\"T\": 0}]]}"));
    assert_false(shape_is_right("{\"d\": [[\"b\", {\"t\": [4]}]]}",
                                "{\"d\": [[\"a\", {\"T\": 0}], [\"c\", {\"T\": 1}]]}"));
}

static void what_is_no_shape_is_wrong(void **state) {
    (void)state;
    assert_false(shape_is_right("\"[2, 3]\"", ONE));
    assert_false(shape_is_right("{\"t\": [{\"f\": \"0x1p+1\"}, {\"f\": \"0x1.8p+1\"}]}", ONE));
    assert_false(shape_is_right("7", ONE));
    assert_false(shape_is_right("{\"t\": [2, 3]}", "5"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_get_the_names_of_init),  cmocka_unit_test(defaults_are_filled_in),
        cmocka_unit_test(what_is_not_clear_is_unknown),     cmocka_unit_test(no_init_takes_nothing),
        cmocka_unit_test(the_refactored_class_comes_first), cmocka_unit_test(expected_shapes_in_every_form),
        cmocka_unit_test(what_is_no_shape_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
