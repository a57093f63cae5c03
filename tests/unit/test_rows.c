/* Rows in pieces: what is hostile; and recordings so long that what is quadratic, deep or greedy would show.
 */
#include "graph.h"
#include "pieces.h"
#include "trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LONG = 60000, AT_ONCE = 8192 };

static void rows_are_read_in_order(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Text pieces = text_new(arena);
    piece_add(&pieces, 'x', 2, "[0,1]");
    piece_add(&pieces, 'y', 1, "[9]");
    piece_add(&pieces, 'x', 1, "[2]");
    json_t *object = json_pack("{s:[i,i], s:[]}", "some", 3, 4, "other");
    Rows rows;
    Error error;
    const json_t *row;
    assert_int_equal(rows_open(&rows, object, "some", pieces_bytes(&pieces), 'x', "rows", &error), STATUS_OK);
    assert_int_equal(rows.count, 5);
    for (json_int_t i = 0; i < 5; i++) {
        assert_int_equal(rows_next(&rows, &row, &error), STATUS_OK);
        assert_int_equal(json_integer_value(row), i);
    }
    rows_close(&rows);
    rows_close(&rows);
    assert_int_equal(rows_open(&rows, object, "other", pieces_bytes(&pieces), 'z', "rows", &error),
                     STATUS_OK);
    assert_int_equal(rows.count, 0);
    assert_int_equal(rows_open(&rows, object, "none", pieces_bytes(&pieces), 'x', "rows", &error),
                     STATUS_ERROR);
    json_decref(object);
    arena_free(arena);
}

/* A piece of the table that says of itself what `rows` and `size` do. */
static Status read_piece(Arena *arena, size_t rows, const char *body, size_t size, size_t cut) {
    Text pieces = text_new(arena);
    piece_add(&pieces, 'x', rows, body);
    pieces.data[8] = (char)(size & 0xff);
    pieces.data[11] = (char)(size >> 24 & 0xff);
    const Bytes bytes = {(const uint8_t *)pieces.data, pieces.length - cut};
    json_t *object = json_pack("{s:[]}", "some");
    Rows table;
    Error error = {0};
    const json_t *row;
    Status status = rows_open(&table, object, "some", bytes, 'x', "rows", &error);
    for (size_t i = 0; status == STATUS_OK && i < table.count; i++)
        status = rows_next(&table, &row, &error);
    if (status != STATUS_OK)
        assert_non_null(strstr(error_line(arena, &error), "rows"));
    rows_close(&table);
    json_decref(object);
    return status;
}

static void hostile_pieces_are_refused(void **state) {
    (void)state;
    Arena *arena = arena_new();
    assert_int_equal(read_piece(arena, 2, "[1,2]", 5, 0), STATUS_OK);
    assert_int_equal(read_piece(arena, 1, "[1,2]", 5, 0), STATUS_ERROR);
    assert_int_equal(read_piece(arena, 3, "[1,2]", 5, 0), STATUS_ERROR);
    assert_int_equal(read_piece(arena, 0, "[]", 2, 0), STATUS_ERROR);
    assert_int_equal(read_piece(arena, UINT32_MAX, "[1,2]", 5, 0), STATUS_ERROR); /* more rows than bytes */
    assert_int_equal(read_piece(arena, 2, "[1,2]", 6, 0), STATUS_ERROR);
    assert_int_equal(read_piece(arena, 2, "[1,2]", 4, 0), STATUS_ERROR);
    assert_int_equal(read_piece(arena, 2, "[1,2]", 0xff000005, 0), STATUS_ERROR);
    assert_int_equal(read_piece(arena, 2, "[1,2]", 5, 1), STATUS_ERROR);
    assert_int_equal(read_piece(arena, 2, "[1,2]", 5, 10), STATUS_ERROR);
    assert_int_equal(read_piece(arena, 1, "{\"a\":1}", 7, 0), STATUS_ERROR);
    assert_int_equal(read_piece(arena, 1, "[1;2]", 5, 0), STATUS_ERROR);
    arena_free(arena);
}

/* ---- Long ones ---------------------------------------------------------------------------- */

typedef void RowWriter(Text *text, size_t row, size_t other);

static void write_rows(Text *pieces, char letter, size_t count, size_t other, RowWriter *write) {
    Arena *arena = arena_new();
    Text body = text_new(arena);
    for (size_t at = 0; at < count;) {
        size_t end = at + AT_ONCE < count ? at + AT_ONCE : count, begin = at;
        body.length = 0;
        for (; at < end; at++) {
            text_add(&body, at == begin ? "[" : ",");
            write(&body, at, other);
        }
        text_add(&body, "]");
        piece_add(pieces, letter, end - begin, body.data);
    }
    arena_free(arena);
}

/* x = x + weight; the `other`th call takes twice the weight. */
static void write_event(Text *text, size_t row, size_t other) {
    text_printf(text, "[\"op\",0,-1,0,[{\"T\":%zu},{\"T\":0}%s],[],[%zu]]", row + 1, row == other ? ",2" : "",
                row + 2);
}

static void write_tensor(Text *text, size_t row, size_t other) {
    (void)row, (void)other;
    text_add(text, "[0,0]");
}

static void build_long(Arena *arena, GraphLabels *labels, size_t other, Graph *graph) {
    Text pieces = text_new(arena);
    piece_add(&pieces, 'e', 3, "[[\"forward\"],[\"state\",0,\"parameter\",[\"w\"]],[\"input\",1,\"x\"]]");
    write_rows(&pieces, 'e', LONG, other, write_event);
    write_rows(&pieces, 'n', LONG + 2, other, write_tensor);
    json_error_t problem;
    json_t *json = json_pack_ex(
        &problem, 0,
        "{s:b, s:[{s:s, s:[[s,s],[s,s],[s,s,i]], s:[], s:[]}], s:[[s,[i],[i]]], s:[], s:[], s:{s:i}}",
        "symbolic", 1, "schemas", "name", "aten::add.Tensor", "args", "self", "Tensor", "other", "Tensor",
        "alpha", "number", 1, "writes", "views", "layouts", "torch.float32", 4, 1, "tensors", "events",
        "outputs", "T", LONG + 1);
    assert_non_null(json);
    Error error = {0};
    if (graph_build(arena, labels, json, pieces_bytes(&pieces), NULL, graph, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    json_decref(json);
}

static void long_recordings_are_unified(void **state) {
    (void)state;
    Arena *arena = arena_new();
    GraphLabels *labels = graph_labels_new(arena);
    const BindingRules rules = {0};
    Graph original, same, other;
    build_long(arena, labels, SIZE_MAX, &original);
    build_long(arena, labels, SIZE_MAX, &same);
    build_long(arena, labels, LONG / 2, &other);
    assert_int_equal(original.event_count, LONG);
    assert_true(graph_unify(arena, &original, &same, &rules).proved);
    Unification found = graph_unify(arena, &original, &other, &rules);
    assert_false(found.proved);
    assert_int_equal(found.difference.kind, DIFFERENCE_CONSTANT);
    assert_non_null(strstr(found.difference.what, "alpha=2"));
    assert_int_equal(graph_unknown_origin(&original), SIZE_MAX);
    arena_free(arena);
}

static void write_call(Text *text, size_t row, size_t other) {
    (void)other;
    text_printf(text,
                "{\"f\":\"torch.add\",\"ph\":1,\"a\":[{\"T\":%zu},{\"T\":0}],\"k\":{},\"o\":{\"T\":%zu},"
                "\"w\":[],\"mc\":%zu,"
                "\"by\":%zu,\"at\":[0,7],\"x\":{\"grad\":false}}",
                row + 1, row + 2, row + 1, row);
}

static void write_traced(Text *text, size_t row, size_t other) {
    (void)other;
    static const char FORM[] = "[%zu,\"torch.float32\",[4],[1],0,\"cpu\",";
    text_printf(text, FORM, row);
    if (row < 2)
        text_add(text, row == 0 ? "[\"parameter\",\"w\"]]" : "[\"input\",\"x\"]]");
    else
        text_printf(text, "[\"call\",%zu]]", row - 2);
}

/* A child that is called by every call of the root. */
static void write_module_call(Text *text, size_t row, size_t other) {
    (void)other;
    text_printf(text, "[%zu,[1,0,%zu,%zu,{\"l\":[{\"T\":%zu}]},{\"d\":[]},{\"T\":%zu},[0,7]]]", row + 1, row,
                row + 1, row + 1, row + 2);
}

static void write_maker(Text *text, size_t row, size_t other) {
    (void)other;
    text_printf(text, "[\"child\",1,%zu]", row + 1);
}

static void long_traces_are_decoded(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Text pieces = text_new(arena), text = text_new(arena);
    write_rows(&pieces, 'c', LONG, 0, write_call);
    write_rows(&pieces, 't', LONG + 2, 0, write_traced);
    write_rows(&pieces, 'm', LONG, 0, write_module_call);
    write_rows(&pieces, 'k', LONG, 0, write_maker);
    json_t *json = json_pack(
        "{s:[], s:[], s:[[i,i,i,i,{s:[]},{s:[]},n,[i,i]]], s:[], s:[[s,s,i,n],[s,s,i,n]], s:{s:[]}, "
        "s:{s:[]}, s:{s:i}}",
        "calls", "tensors", "module_calls", 0, -1, 0, LONG, "l", "d", 0, 1, "makers", "modules", "", "Model",
        0, "step", "Step", 1, "args", "l", "kwargs", "d", "outputs", "T", LONG + 1);
    assert_non_null(json);
    Trace trace;
    Error error = {0};
    if (trace_decode(arena, json, pieces_bytes(&pieces), &trace, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    json_decref(json);
    assert_int_equal(trace.call_count, LONG);
    assert_int_equal(trace.module_calls[LONG].first, LONG - 1);
    assert_true(trace_reads(&trace, "w"));
    trace_print(&trace, NULL, 0, &text);
    assert_non_null(strstr(text.data, "59999 step torch.add(t60000, t0) -> t60001 [4] float32\n"));
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_in_order),
        cmocka_unit_test(hostile_pieces_are_refused),
        cmocka_unit_test(long_recordings_are_unified),
        cmocka_unit_test(long_traces_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
