/* The trace room: values, decoding, what depends on what. */
#include "pieces.h"
#include "trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* JSON written with single quotes. */
static json_t *parse(const char *text) {
    char *copy = strdup(text);
    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    json_t *json = json_loads(copy, JSON_DECODE_ANY, NULL);
    free(copy);
    assert_non_null(json);
    return json;
}

static Status decode(Arena *arena, const char *text, Value *value, Error *error) {
    json_t *json = parse(text);
    Status status = value_decode(arena, json, 8, "a value", value, error);
    json_decref(json);
    return status;
}

static const char EVERY_KIND[] =
    "{'l': [null, true, 12, 'text', {'i': '123456789012345678901'}, {'f': '0x1.8p+1'}, {'f': 'nan'},"
    " {'f': '-inf'}, {'c': ['0x1p+0', '-0x0p+0']}, {'b': '00ff'}, {'T': 5}, {'t': [1]}, {'set': [1, 2]},"
    " {'d': [['a', {'T': 1}], [3, {'T': 2}]], 'n': 'Kept'}, {'nt': 'Pair', 'k': ['x', 'y'], 'v': [{'T': 0}, "
    "2]},"
    " {'dc': 'Out', 'k': ['logits'], 'v': [{'T': 3}]}, {'s': [2, 3]}, {'y': 'torch.float32'}, {'D': 'cpu'},"
    " {'m': 'torch.channels_last'}, {'S': [null, 2, null]}, {'r': [0, 3, 1]}, {'e': 1}, {'M': 'blocks.0'},"
    " {'fn': 'relu'}, {'o': 'Odd'}]}";

static void values_keep_what_they_are(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Error error;
    Value value, again;
    json_t *json = parse(EVERY_KIND);
    assert_int_equal(value_decode(arena, json, 8, "a value", &value, &error), STATUS_OK);
    assert_int_equal(value.list.count, 26);
    json_t *back = value_to_json(&value);
    assert_true(json_equal(json, back));
    assert_int_equal(value_decode(arena, back, 8, "a value", &again, &error), STATUS_OK);
    assert_true(value_equal(&value, &again));
    again.list.items[2].integer++;
    assert_false(value_equal(&value, &again));
    assert_string_equal(value_describe(arena, &value), "list of 26");
    assert_string_equal(value_describe(arena, &value.list.items[3]), "'text'");
    assert_string_equal(value_type_name(&value.list.items[14]), "Pair");
    json_decref(json);
    json_decref(back);
    arena_free(arena);
}

static void collect_path(const char *path, const Value *value, void *context) {
    (void)value;
    text_printf(context, "%s ", path);
}

static void tensors_are_named_by_path(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Error error;
    Value value;
    Text paths = text_new(arena);
    assert_int_equal(decode(arena, EVERY_KIND, &value, &error), STATUS_OK);
    value_walk_tensors(arena, &value, "out", collect_path, &paths);
    assert_string_equal(paths.data, "out[10] out[13][\"a\"] out[13][3] out[14].x out[15].logits ");
    assert_int_equal(value_field(&value.list.items[15], "logits")->tensor.number, 3);
    assert_int_equal(value_field(&value.list.items[13], "a")->tensor.number, 1);
    assert_null(value_field(&value.list.items[13], "b"));
    arena_free(arena);
}

static void wrong_values_are_refused(void **state) {
    (void)state;
    static const char *const WRONG[] = {"{'T': 8}",
                                        "{'T': -1}",
                                        "{'T': 'x'}",
                                        "{'f': ''}",
                                        "{'f': '1.0x'}",
                                        "{'c': ['0x1p0']}",
                                        "{'b': 'abc'}",
                                        "{'b': 'zz'}",
                                        "{'i': '-'}",
                                        "{'d': [[1]]}",
                                        "{'S': [1, 2]}",
                                        "{'nt': 'A', 'k': ['x'], 'v': []}",
                                        "{'nt': 'A', 'k': [1], 'v': [1]}",
                                        "{'q': 1}",
                                        "{}",
                                        "[1]",
                                        "1.5",
                                        "{'l': {'a': 1}}",
                                        "{'y': 3}"};
    Arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(WRONG); i++) {
        Error error = {0};
        Value value;
        if (decode(arena, WRONG[i], &value, &error) == STATUS_OK)
            fail_msg("accepted %s", WRONG[i]);
        assert_non_null(strstr(error_line(arena, &error), "a value"));
    }
    Text deep = text_new(arena);
    for (int i = 0; i < 400; i++)
        text_add(&deep, "{'l': [");
    for (int i = 0; i < 400; i++)
        text_add(&deep, "]}");
    Value value;
    Error error;
    assert_int_equal(decode(arena, deep.data, &value, &error), STATUS_ERROR);
    arena_free(arena);
}

/* forward(x, ids): h = weight[ids]; y = h + x; a[0] = y (in place, on a zeros); unused = dead * 2; returns a.
 * The mask m was made by call 0 at construction. */
static const char SMALL[] =
    "{'tensors': [[0, 'torch.float32', [2, 4], [4, 1], 0, 'cpu', ['input', 'x']],"
    " [1, 'torch.int64', [2], [1], 0, 'cpu', ['input', 'ids']],"
    " [2, 'torch.float32', [7, 4], [4, 1], 0, 'cpu', ['parameter', 'emb.weight', 'head.weight']],"
    " [3, 'torch.float32', [3], [1], 0, 'cpu', ['parameter', 'dead']],"
    " [4, 'torch.float32', [4], [1], 0, 'cpu', ['buffer', 'm']],"
    " [5, 'torch.float32', [2, 4], [4, 1], 0, 'cpu', ['call', 2]],"
    " [6, 'torch.float32', [2, 4], [4, 1], 0, 'cpu', ['call', 3]],"
    " [7, 'torch.float32', [1, 2, 4], [8, 4, 1], 0, 'cpu', ['call', 4]],"
    " [8, 'torch.float32', [3], [1], 0, 'cpu', ['call', 6]],"
    " [9, 'torch.float32', [3], [1], 0, 'cpu', ['unknown']],"
    " [1, 'torch.int64', [2], [1], 0, 'cpu', ['call', 1]]],"
    "'modules': [['', 'Model', 0, null], ['emb', 'Model', 1, null]],"
    "'module_calls': [[0, -1, 1, 8, {'t': [{'T': 0}]}, {'d': []}, {'T': 7}, [-1, 0]],"
    "                 [1, 0, 2, 3, {'t': [{'T': 1}]}, {'d': []}, {'T': 5}, [0, 9]]],"
    "'makers': [['own', 0], ['child', 1, 1], ['library']],"
    "'calls': ["
    "{'f': 'torch.ones', 'ph': 0, 'a': [4], 'k': {}, 'o': {'T': 4}, 'w': [], 'mc': -1, 'by': 0, 'at': [0, "
    "3], 'x': {}},"
    "{'f': 'torch.Tensor.long', 'ph': 1, 'a': [{'T': 1}], 'k': {}, 'o': {'T': 10}, 'w': [], 'mc': 0, 'by': 0,"
    " 'at': [0, 8], 'x': {'training': true}},"
    "{'f': 'torch.nn.functional.embedding', 'ph': 1, 'a': [{'T': 10}, {'T': 2}], 'k': {'sparse': false},"
    " 'o': {'T': 5}, 'w': [], 'mc': 1, 'by': 1, 'at': [1, 5], 'x': {}},"
    "{'f': 'torch.Tensor.add', 'ph': 1, 'a': [{'T': 5}, {'T': 0}], 'k': {}, 'o': {'T': 6}, 'w': [], 'mc': 0,"
    " 'by': 0, 'at': [0, 10], 'x': {}},"
    "{'f': 'torch.zeros', 'ph': 1, 'a': [1, 2, 4], 'k': {}, 'o': {'T': 7}, 'w': [], 'mc': 0, 'by': 0,"
    " 'at': [0, 11], 'x': {}},"
    "{'f': 'torch.Tensor.__setitem__', 'ph': 1, 'a': [{'T': 7}, 0, {'T': 6}], 'k': {}, 'o': null, 'w': [7],"
    " 'mc': 0, 'by': 0, 'at': [0, 12], 'x': {}},"
    "{'f': 'torch.Tensor.mul', 'ph': 1, 'a': [{'T': 3}, {'T': 9}], 'k': {}, 'o': {'T': 8}, 'w': [], 'mc': 0,"
    " 'by': 0, 'at': [0, 13], 'x': {}},"
    "{'f': 'torch.Tensor.shape', 'ph': 1, 'a': [{'T': 8}], 'k': {}, 'o': {'s': [3]}, 'w': [], 'mc': 0, 'by': "
    "0,"
    " 'at': null, 'x': {}}],"
    "'size_tests': [[0, 9, 4, 9, 9, 'test'], [1, 5, 0, 0, 0, 'lost']],"
    "'args': {'l': [{'T': 0}, {'T': 1}]}, 'kwargs': {'d': []}, 'outputs': {'T': 7}}";

static void a_trace_is_decoded(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Error error = {0};
    Trace trace;
    json_t *json = parse(SMALL);
    if (trace_decode(arena, json, (Bytes){0}, &trace, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    json_decref(json);
    assert_int_equal(trace.forward_start, 1);
    assert_string_equal(trace_operator(&trace, &trace.calls[2]), "torch.nn.functional.embedding");
    assert_int_equal(trace.calls[2].use_count, 2);
    assert_int_equal(trace.size_test_count, 2);
    assert_int_equal(trace.size_tests[0].kind, SIZE_TESTED);
    assert_int_equal(trace.size_tests[0].end_column, 9);
    assert_int_equal(trace.size_tests[1].line, 5);
    assert_int_equal(trace.tensors[4].made_by, 0);
    assert_int_equal(trace_argument(&trace.calls[2], 9, "sparse")->kind, VALUE_BOOL);
    assert_null(trace_argument(&trace.calls[2], 9, "dense"));
    assert_true(trace_call_writes(&trace.calls[5], (TensorId){7}));
    assert_true(trace_reads(&trace, "emb.weight"));
    assert_true(trace_reads(&trace, "head.weight"));
    assert_false(trace_reads(&trace, "dead"));
    assert_false(trace_reads(&trace, "m"));
    assert_false(trace_reads(&trace, "no such key"));
    assert_true(trace.live_calls[5]);
    assert_false(trace.live_calls[6]);
    int64_t ignored;
    assert_int_equal(trace_integer_bound(&trace, "ids", &ignored), 7);
    assert_int_equal(trace_integer_bound(&trace, "x", &ignored), 0);
    assert_true(trace_dependent(arena, &trace)[7]);
    trace.calls[5].written_count = 0; /* the zeros stay zeros */
    assert_false(trace_dependent(arena, &trace)[7]);
    assert_true(trace_dependent(arena, &trace)[6]);
    UnknownOrigin *unknown;
    assert_int_equal(trace_unknown_origins(arena, &trace, &unknown), 1);
    assert_int_equal(unknown[0].tensor.number, 9);
    assert_int_equal(unknown[0].call, 6);
    Text text = text_new(arena);
    const char *const files[] = {"refactored.py", "children/emb.py"};
    trace_print(&trace, files, 2, &text);
    assert_non_null(strstr(text.data,
                           "     2 emb torch.nn.functional.embedding(t10, t2, sparse=False) -> t5 [2, 4] "
                           "float32  children/emb.py:5\n"));
    arena_free(arena);
}

static const struct {
    const char *key;
    char letter;
} TABLES[] = {{"tensors", 't'}, {"calls", 'c'}, {"module_calls", 'm'}, {"makers", 'k'}};

/* The text of a trace whose tables are in pieces of `at_once` rows but for the last `left`. */
static const char *print_pieces(Arena *arena, size_t at_once, size_t left) {
    json_t *json = parse(SMALL);
    Text pieces = text_new(arena), text = text_new(arena);
    for (size_t i = 0; i < COUNT_OF(TABLES); i++)
        pieces_take(&pieces, json, TABLES[i].key, TABLES[i].letter, at_once, left);
    Trace trace;
    Error error = {0};
    if (trace_decode(arena, json, pieces_bytes(&pieces), &trace, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    json_decref(json);
    trace_print(&trace, NULL, 0, &text);
    for (size_t i = 0; i < trace.module_call_count; i++)
        text_printf(&text, "%zu in %d: %zu to %zu\n", trace.module_calls[i].module,
                    (int)trace.module_calls[i].parent, trace.module_calls[i].first,
                    trace.module_calls[i].end);
    return text.data;
}

static void a_trace_in_pieces_is_the_same(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *whole = print_pieces(arena, 1, 1000);
    for (size_t at_once = 1; at_once < 4; at_once++)
        for (size_t left = 0; left < 3; left++)
            assert_string_equal(print_pieces(arena, at_once, left), whole);
    arena_free(arena);
}

/* Module calls whose numbers are none, another's, or given twice; a piece that is cut off. */
static void wrong_pieces_are_refused(void **state) {
    (void)state;
    static const char *const BODIES[] = {
        "[[2, [0, -1, 0, 0, null, null, null, [0, 1]]]]",
        "[[-1, [0, -1, 0, 0, null, null, null, [0, 1]]]]",
        "[[0]]",
        "[[0, 5]]",
        "[[0, [0,-1,1,8,null,null,null,[0,1]]], [0, [0,-1,1,8,null,null,null,[0,1]]]]",
        "{}",
        "[",
        "[]"};
    Arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(BODIES); i++)
        for (size_t rows = 1; rows < 3; rows++) {
            json_t *json = parse(SMALL);
            Text pieces = text_new(arena);
            piece_add(&pieces, 'm', rows, BODIES[i]);
            Trace trace;
            Error error = {0};
            if (trace_decode(arena, json, pieces_bytes(&pieces), &trace, &error) == STATUS_OK)
                fail_msg("accepted %s", BODIES[i]);
            json_decref(json);
        }
    arena_free(arena);
}

/* One thing in SMALL replaced by another must be refused. */
static void wrong_traces_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
    } WRONG[] = {
        {"'by': 1", "'by': 3"},
        {"'mc': 1", "'mc': 2"},
        {"'ph': 0", "'ph': 2"},
        {"['call', 6]", "['call', 8]"},
        {"{'T': 5}, {'T': 0}], 'k'", "{'T': 8}, {'T': 0}], 'k'"}, /* used before it was made */
        {"[1, 0, 2, 3,", "[1, 1, 2, 3,"},
        {"[1, 0, 2, 3,", "[1, 0, 2, 9,"},
        {"[1, 0, 2, 3,", "[1, 0, 3, 4,"}, /* call 2 is not inside it */
        {"[1, 0, 2, 3,", "[2, 0, 2, 3,"},
        {"['child', 1, 1]", "['child', 1, 2]"},
        {"['child', 1, 1]", "['nobody', 1, 2]"},
        {"[2, 4], [4, 1], 0, 'cpu', ['input', 'x']", "[2, 4], [4], 0, 'cpu', ['input', 'x']"},
        {"[2, 4], [4, 1], 0, 'cpu', ['input', 'x']", "[-2, 4], [4, 1], 0, 'cpu', ['input', 'x']"},
        {"[2, 4], [4, 1], 0, 'cpu', ['input', 'x']",
         "[0, 4611686018427387903, 3], [4, 1, 1], 0, 'cpu', ['input', 'x']"},
        {"['input', 'x']", "['input']"},
        {"['buffer', 'm']", "['something', 'm']"},
        {"'w': [7]", "'w': [11]"},
        {"'outputs': {'T': 7}", "'outputs': {'T': 11}"},
        {"'f': 'torch.zeros'", "'f': 3"},
        {"[0, 9, 4, 9, 9, 'test']", "[0, 9, 4, 9, 'test']"},
        {"[0, 9, 4, 9, 9, 'test']", "[0, 9, -4, 9, 9, 'test']"},
        {"[0, 9, 4, 9, 9, 'test']", "[0, 9, 4, 9, 9, 'other']"},
        {"[0, 9, 4, 9, 9, 'test']", "7"},
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(WRONG); i++) {
        const char *at = strstr(SMALL, WRONG[i].from);
        assert_non_null(at);
        char *text = arena_printf(arena, "%.*s%s%s", (int)(at - SMALL), SMALL, WRONG[i].to,
                                  at + strlen(WRONG[i].from));
        json_t *json = parse(text);
        Trace trace;
        Error error = {0};
        if (trace_decode(arena, json, (Bytes){0}, &trace, &error) == STATUS_OK)
            fail_msg("accepted %s", WRONG[i].to);
        json_decref(json);
    }
    arena_free(arena);
}

static void an_origin_that_no_call_shows_is_unknown(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *at = strstr(SMALL, "['call', 3]");
    json_t *json =
        parse(arena_printf(arena, "%.*s['call', 2]%s", (int)(at - SMALL), SMALL, at + strlen("['call', 3]")));
    Trace trace;
    Error error = {0};
    assert_int_equal(trace_decode(arena, json, (Bytes){0}, &trace, &error), STATUS_OK);
    assert_int_equal(trace.tensors[6].origin, ORIGIN_UNKNOWN);
    json_decref(json);
    arena_free(arena);
}

/* Replaces one part of the JSON, chosen by `random`, by another value. */
static void mutate(json_t *json, uint64_t *random) {
    static const char *const PARTS[] = {
        "null", "-1",       "4000000000", "9223372036854775807", "[]", "{}", "''",
        "[[]]", "{'T': 3}", "true",       "{'l': [{'T': 1}]}"};
    for (int depth = 0; depth < 12; depth++) {
        *random = *random * 6364136223846793005U + 1442695040888963407U;
        size_t pick = (size_t)(*random >> 33);
        size_t size = json_is_array(json) ? json_array_size(json) : json_object_size(json);
        if (size == 0)
            return;
        json_t *inner;
        void *at = NULL;
        if (json_is_array(json)) {
            inner = json_array_get(json, pick % size);
        } else {
            at = json_object_iter(json);
            for (size_t i = 0; i < pick % size; i++)
                at = json_object_iter_next(json, at);
            inner = json_object_iter_value(at);
        }
        bool is_leaf = !json_is_array(inner) && !json_is_object(inner);
        if (is_leaf || (pick >> 16) % 8 == 0) {
            json_t *part = parse(PARTS[(pick >> 8) % COUNT_OF(PARTS)]);
            if (json_is_array(json))
                json_array_set_new(json, pick % size, part);
            else
                json_object_iter_set_new(json, at, part);
            return;
        }
        json = inner;
    }
}

static void mutated_traces_never_crash(void **state) {
    (void)state;
    uint64_t random = 42;
    for (int round = 0; round < 3000; round++) {
        Arena *arena = arena_new();
        json_t *json = parse(SMALL);
        for (int i = 0; i < 1 + round % 3; i++)
            mutate(json, &random);
        Trace trace;
        Error error = {0};
        if (trace_decode(arena, json, (Bytes){0}, &trace, &error) == STATUS_OK) {
            Text text = text_new(arena);
            trace_print(&trace, NULL, 0, &text);
            UnknownOrigin *unknown;
            trace_unknown_origins(arena, &trace, &unknown);
            trace_integer_bound(&trace, "ids", &(int64_t){0});
            trace_dependent(arena, &trace);
        } else {
            assert_true(error.cause[0] != '\0');
        }
        json_decref(json);
        arena_free(arena);
    }
}

static void test_two_values_that_differ_are_told_apart(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *texts[2];
    const Value three = {.kind = VALUE_INT, .integer = 3}, real = {.kind = VALUE_FLOAT, .real = 3},
                more = {.kind = VALUE_FLOAT, .real = 3.0000000001}, four = {.kind = VALUE_INT, .integer = 4};
    value_describe_both(arena, &three, &four, texts);
    assert_string_equal(texts[1], "4");
    value_describe_both(arena, &three, &real, texts);
    assert_string_equal(texts[0], "3 (int)");
    assert_string_equal(texts[1], "3 (float)");
    value_describe_both(arena, &real, &more, texts);
    assert_string_equal(texts[0], "3");
    assert_string_equal(texts[1], "3.0000000001");
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_values_that_differ_are_told_apart),
        cmocka_unit_test(values_keep_what_they_are),
        cmocka_unit_test(tensors_are_named_by_path),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(a_trace_is_decoded),
        cmocka_unit_test(a_trace_in_pieces_is_the_same),
        cmocka_unit_test(wrong_pieces_are_refused),
        cmocka_unit_test(wrong_traces_are_refused),
        cmocka_unit_test(an_origin_that_no_call_shows_is_unknown),
        cmocka_unit_test(mutated_traces_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
