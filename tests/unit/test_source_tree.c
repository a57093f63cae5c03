/* Syntax trees: decoding, helpers, code frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "parse.h"
#include "source.h"

static const Node *body_item(const Tree *tree, size_t index) {
    const Field *body = node_field(tree->module, FIELD_body);
    assert_non_null(body);
    assert_true(index < body->count);
    return body->items[index];
}

static void test_a_real_tree_has_names_and_places(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Tree tree = test_parse_text(arena, "a.py", "é = 'ü'; y = torch.nn.functional.relu(x)\n");
    assert_int_equal(tree.module->kind, NODE_Module);
    const Node *first = node_child(body_item(&tree, 0), FIELD_value);
    assert_string_equal(node_string(first), "ü");
    const Node *call = node_child(body_item(&tree, 1), FIELD_value);
    assert_int_equal(call->kind, NODE_Call);
    assert_string_equal(node_dotted(arena, node_child(call, FIELD_func)), "torch.nn.functional.relu");
    assert_null(node_dotted(arena, call));
    Place place = node_place(&tree, call);
    assert_string_equal(place.file, "a.py");
    assert_int_equal(place.line, 1);
    assert_int_equal(place.column, 14); /* characters, not bytes */
    assert_int_equal(place.end_column, 41);
    assert_string_equal(node_kind_name(call->kind), "Call");
    arena_free(arena);
}

static void test_constants_keep_kind_and_content(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Tree tree = test_parse_text(arena, "a.py", "None\nTrue\n0x10\n1e3\n2j\n'a\\0b'\nb'\\xff'\n...\n");
    static const struct {
        ConstantKind kind;
        const char *text;
        size_t length;
    } expected[] = {
        {CONSTANT_NONE, NULL, 0},        {CONSTANT_BOOL, "True", 4},   {CONSTANT_INT, "16", 2},
        {CONSTANT_FLOAT, "1000.0", 6},   {CONSTANT_COMPLEX, "2j", 2},  {CONSTANT_STR, "a\0b", 3},
        {CONSTANT_BYTES, "\xc3\xbf", 2}, {CONSTANT_ELLIPSIS, NULL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        const Node *constant = node_child(body_item(&tree, i), FIELD_value);
        assert_int_equal(constant->kind, NODE_Constant);
        assert_int_equal(constant->constant, expected[i].kind);
        assert_int_equal(constant->text_length, expected[i].length);
        if (expected[i].text == NULL)
            assert_null(constant->text);
        else
            assert_memory_equal(constant->text, expected[i].text, expected[i].length + 1);
    }
    assert_null(node_string(node_child(body_item(&tree, 5), FIELD_value))); /* it has a NUL */
    arena_free(arena);
}

static bool count_names(const Node *node, void *context) {
    if (node->kind == NODE_Name)
        ++*(int *)context;
    return node->kind != NODE_Lambda;
}

static void test_walk_visits_all_but_what_is_refused(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Tree tree = test_parse_text(arena, "a.py", "{**a, b: c}\nf = lambda: d\ndef g(*, k, m=e): global h\n");
    int names = 0;
    node_walk(tree.module, count_names, &names);
    assert_int_equal(names, 6); /* a b c f e h; not d */
    arena_free(arena);
}

static Status decode_text(Arena *arena, const char *text, Tree *tree, Error *error) {
    static const Source source = {.path = "/a.py", .name = "a.py"};
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    assert_non_null(json);
    Status status = tree_decode(arena, &source, json, tree, error);
    json_decref(json);
    return status;
}

static void test_hostile_trees_are_refused(void **state) {
    (void)state;
    static const char *const hostile[] = {
        "{}",
        "[]",
        "{\"tree\": null}",
        "{\"tree\": []}",
        "{\"tree\": {\"t\": 1}}",
        "{\"tree\": {\"t\": \"Name\", \"id\": \"x\"}}",
        "{\"tree\": {\"t\": \"Module\"}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": \"x\"}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": [null]}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": [{\"t\": \"Call\", \"args\": [], \"keywords\": []}]}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": [{\"t\": \"Name\", \"id\": []}]}}",
        "{\"tree\": {\"t\": \"Module\", \"p\": \"1\"}}",
        "{\"tree\": {\"t\": \"Module\", \"p\": \"1 -1 0 0\"}}",
        "{\"tree\": {\"t\": \"Module\", \"p\": \"1 99999999999 0 0\"}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": [1]}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": 1.5}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": true}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": [{\"t\": \"Constant\"}]}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": [{\"t\": \"Constant\", \"v\": [\"what\", \"\"]}]}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": [{\"t\": \"Constant\", \"v\": [\"int\", 1]}]}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": [{\"t\": \"Constant\", \"v\": [\"int\", \"1\\u0000\"]}]}}",
        "{\"tree\": {\"t\": \"Module\", \"body\": [{\"t\": \"Name\", \"id\": \"a\\u0000b\"}]}}",
    };
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        Arena *arena = arena_new();
        Tree tree;
        Error error;
        if (decode_text(arena, hostile[i], &tree, &error) != STATUS_ERROR)
            fail_msg("taken: %s", hostile[i]);
        assert_true(text_starts(error_line(arena, &error), "a.py: "));
        arena_free(arena);
    }
}

static void test_depth_is_bounded(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Text text = text_new(arena);
    text_add(&text, "{\"tree\": {\"t\": \"Module\", \"body\": [");
    for (int i = 0; i < 1500; i++)
        text_add(&text, "{\"t\": \"Expr\", \"value\": ");
    text_add(&text, "1");
    for (int i = 0; i < 1500; i++)
        text_add(&text, "}");
    text_add(&text, "]}}");
    Tree tree;
    Error error;
    assert_int_equal(decode_text(arena, text.data, &tree, &error), STATUS_ERROR);
    assert_string_equal(error_line(arena, &error),
                        "a.py: nested too deeply; split the expression into several");
    arena_free(arena);
}

static void test_unknown_classes_and_fields_are_kept_as_unknown(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Tree tree;
    Error error;
    assert_int_equal(decode_text(arena,
                                 "{\"tree\": {\"t\": \"Module\", \"body\": [{\"t\": \"Quantum\", \"spin\": "
                                 "{\"t\": \"Name\", \"id\": \"x\"}}]}}",
                                 &tree, &error),
                     STATUS_OK);
    const Node *item = body_item(&tree, 0);
    assert_int_equal(item->kind, NODE_UNKNOWN);
    assert_int_equal(item->fields[0].name, FIELD_UNKNOWN);
    int names = 0;
    node_walk(tree.module, count_names, &names);
    assert_int_equal(names, 1);
    arena_free(arena);
}

static void test_syntax_errors_have_a_place(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Tree tree;
    Error error;
    assert_int_equal(decode_text(arena,
                                 "{\"error\": {\"line\": 3, \"column\": 7, \"message\": \"invalid syntax\"}}",
                                 &tree, &error),
                     STATUS_ERROR);
    assert_string_equal(error_line(arena, &error),
                        "a.py:3:7: not valid Python: invalid syntax; correct the file");
    arena_free(arena);
}

static Source read_text(Arena *arena, const char *text) {
    char path[] = "/tmp/plumbline-text-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    Source source;
    Error error;
    assert_int_equal(source_read(arena, path, "a.py", &source, &error), STATUS_OK);
    unlink(path);
    return source;
}

static void test_frames_point_at_the_place(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Source source = read_text(arena, "\xef\xbb\xbf"
                                     "a = 1\r\nb = torch.mm(x)\rc\n");
    assert_int_equal(source.line_count, 3);
    assert_string_equal(source_frame(arena, &source, (Place){"a.py", 2, 5, 16}), "1 | a = 1\n"
                                                                                 "2 | b = torch.mm(x)\n"
                                                                                 "  |     ^^^^^^^^^^^\n"
                                                                                 "3 | c\n");
    assert_string_equal(source_frame(arena, &source, (Place){"a.py", 1, 0, 0}), "1 | a = 1\n"
                                                                                "2 | b = torch.mm(x)\n");
    assert_null(source_frame(arena, &source, (Place){"a.py", 4, 1, 0}));
    assert_null(source_frame(arena, &source, (Place){"a.py", 0, 1, 0}));
    arena_free(arena);
}

static void test_frames_show_control_characters_and_stay_aligned(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Source source = read_text(arena, "\t\x1b[2J界x = y");
    assert_string_equal(source_frame(arena, &source, (Place){"a.py", 1, 7, 8}), "1 |     \\x1b[2J界x = y\n"
                                                                                "  |              ^\n");
    arena_free(arena);
}

static void test_long_lines_are_clipped_around_the_place(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Text line = text_new(arena);
    for (int i = 0; i < 300; i++)
        text_add(&line, "x");
    text_add(&line, "HERE");
    for (int i = 0; i < 300; i++)
        text_add(&line, "y");
    Source source = read_text(arena, line.data);
    char *frame = source_frame(arena, &source, (Place){"a.py", 1, 301, 305});
    char *caret = strstr(frame, "^^^^\n"), *second = strchr(frame, '\n') + 1;
    assert_non_null(caret);
    assert_true(second - frame < 120);
    assert_memory_equal(frame + (caret - second), "HERE", 4);
    assert_non_null(strstr(frame, "...x"));
    assert_non_null(strstr(frame, "y...\n"));
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_real_tree_has_names_and_places),
        cmocka_unit_test(test_constants_keep_kind_and_content),
        cmocka_unit_test(test_walk_visits_all_but_what_is_refused),
        cmocka_unit_test(test_hostile_trees_are_refused),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_unknown_classes_and_fields_are_kept_as_unknown),
        cmocka_unit_test(test_syntax_errors_have_a_place),
        cmocka_unit_test(test_frames_point_at_the_place),
        cmocka_unit_test(test_frames_show_control_characters_and_stay_aligned),
        cmocka_unit_test(test_long_lines_are_clipped_around_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
