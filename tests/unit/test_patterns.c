/* Pattern files and what they find in small graphs. Kernels as people write them: tests/e2e/patterns. */
#include "graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static Patterns *read_patterns(Arena *arena, const char *text) {
    Patterns *patterns;
    Error error;
    Bytes bytes = {(const uint8_t *)text, strlen(text)};
    if (patterns_parse(arena, "own.txt", bytes, &patterns, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    return patterns;
}

/* ---- The parser --------------------------------------------------------------------------- */

static void malformed_files_are_refused(void **state) {
    (void)state;
    static const char *const CASES[][2] = {
        {"kernel f(x = relu(x)\n", "own.txt:1: ',' is expected, not '='"},
        {"kernel f(x) = relu(x\n", "own.txt:2: ')' is expected, not the end of the file"},
        {"# a\n\nkernel f(x) relu(x)\n", "own.txt:3: '=' is expected, not 'relu'"},
        {"silu(x) = relu(x)\n", "own.txt:1: a line begins with kernel, fusion or part"},
        {"kernel f(x) = relu(x) relu\n", "own.txt:1: 'relu' is one too many"},
        {"kernel f(x) = relu(x) |\nkernel g(x) = relu(x)\n", "own.txt:2: a name is expected, not 'kernel'"},
        {"kernel f(x) = x | relu(x)\n", "an alternative of f is no operator"},
        {"kernel f(x) = first_half(x)\n", "an alternative of f is no operator"},
        {"kernel f(x, x) = relu(x)\n", "x names two operands of f"},
        {"kernel f(x) = silu(x, x) + 1\n",
         "silu takes 1 operands; if the operator is meant, write aten::silu"},
        {"kernel f(x) = exp(x:wide)\n", "'wide' is no kind of variable"},
        {"kernel f(x) = sum(x, dim=x)\n", "'x' is no value of an argument"},
        {"kernel f(x) = sum(dim=1, x)\n", "operands come before named arguments"},
        {"kernel f(x) = x * $a * $b\n", "a product has one number variable at most"},
        {"kernel f(x) = x / 0\n", "this divides by zero"},
        {"kernel f(x) = exp(x) / 1e999\n", "is no number"},
        {"kernel f(x) = even(x, x) * x\n", "even takes one operand"},
        {"kernel f(x) = gelu(x, approximate='tan\n", "is no value of an argument"},
        {"kernel f(x) = x ^ 2\n", "'^' is one too many"},
        {"kernel f(x) = x*x*x*x*x*x*x*x*x\n", "a product has 8 factors at most"},
        {"kernel f(x) = silu.1(x) + 1\n", "silu.1: silu is no operator"},
        {"kernel f(x) = max.1 + x\n", "'(' is expected after max.1"},
        {"kernel f(x) = 2 * 3\n", "an alternative of f is no operator"},
        {"\x01", "a line begins with kernel"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        Arena *arena = arena_new();
        Patterns *patterns;
        Error error;
        Bytes bytes = {(const uint8_t *)CASES[i][0], strlen(CASES[i][0])};
        if (patterns_parse(arena, "own.txt", bytes, &patterns, &error) == STATUS_OK)
            fail_msg("taken: %s", CASES[i][0]);
        if (strstr(error_line(arena, &error), CASES[i][1]) == NULL)
            fail_msg("%s: %s", CASES[i][0], error_line(arena, &error));
        arena_free(arena);
    }
}

static void large_files_are_refused(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Patterns *patterns;
    Error error;
    Text text = text_new(arena);
    text_add(&text, "kernel f(x) = ");
    for (int i = 0; i < 100000; i++)
        text_add(&text, "(");
    assert_int_equal(
        patterns_parse(arena, "own.txt", (Bytes){(uint8_t *)text.data, text.length}, &patterns, &error),
        STATUS_ERROR);
    assert_non_null(strstr(error.cause, "nested"));
    text = text_new(arena);
    text_add(&text, "kernel f(x) = ");
    for (int i = 0; i < 100000; i++)
        text_add(&text, "-");
    assert_int_equal(
        patterns_parse(arena, "own.txt", (Bytes){(uint8_t *)text.data, text.length}, &patterns, &error),
        STATUS_ERROR);
    text = text_new(arena);
    text_add(&text, "part p0(x) = exp(x) + exp(x)\n");
    for (int i = 1; i < 40; i++)
        text_printf(&text, "part p%d(x) = p%d(x) + p%d(x)\n", i, i - 1, i - 1);
    assert_int_equal(
        patterns_parse(arena, "own.txt", (Bytes){(uint8_t *)text.data, text.length}, &patterns, &error),
        STATUS_ERROR);
    assert_non_null(strstr(error.cause, "too large"));
    arena_free(arena);
}

/* ---- The matcher -------------------------------------------------------------------------- */

#define UNARY(name) "{'name': 'aten::" name "', 'args': [['self', 'Tensor']], 'writes': [], 'views': []},"
static const char SCHEMAS[] =
    "{'name': 'aten::add.Tensor', 'args': [['self', 'Tensor'], ['other', 'Tensor'], ['alpha', 'number', 1]],"
    " 'writes': [], 'views': []},"
    "{'name': 'aten::mul.Tensor', 'args': [['self', 'Tensor'], ['other', 'Tensor']], 'writes': [], 'views': "
    "[]},"
    "{'name': 'aten::div.Tensor', 'args': [['self', 'Tensor'], ['other', 'Tensor']], 'writes': [], 'views': "
    "[]}," UNARY("sigmoid") UNARY("exp") UNARY("neg") UNARY("sin") UNARY(
        "cos") "{'name': 'aten::view', 'args': [['self', 'Tensor'], ['size', 'int[]']], 'writes': [], "
               "'views': [[0, 0]]},"
               "{'name': 'aten::rsub.Scalar', 'args': [['self', 'Tensor'], ['other', 'number'], ['alpha', "
               "'number', 1]], 'writes': [], 'views': []}";
enum { ADD, MUL, DIV, SIGMOID, EXP, NEG, SIN, COS, VIEW, RSUB };

typedef struct Drawn { /* a graph that is being written: tensors 0 and 1 are its inputs, of layout 0 */
    Arena *arena;
    Text tensors, events;
    int count;
} Drawn;

static Drawn drawn(void) {
    Arena *arena = arena_new();
    Drawn graph = {.arena = arena, .tensors = text_new(arena), .events = text_new(arena), .count = 2};
    text_add(&graph.tensors, "[0, 0], [0, 0]");
    text_add(&graph.events, "['forward'], ['input', 0, 'x'], ['input', 1, 'y']");
    return graph;
}

/* The number of the result, in a layout: 0 [2, 3], 1 [6], 2 the first column of 0, 3 the other two. */
static int operate_into(Drawn *graph, int layout, int schema, const char *arguments) {
    text_printf(&graph->tensors, ", [%d, %d]", layout, layout == 3);
    text_printf(&graph->events, ", ['op', %d, -1, 0, [%s], [], [%d]]", schema, arguments, graph->count);
    return graph->count++;
}
static int one(Drawn *graph, int schema, int a) {
    return operate_into(graph, 0, schema, arena_printf(graph->arena, "{'T': %d}", a));
}
static int two(Drawn *graph, int schema, int a, int b) {
    const char *alpha = schema == ADD ? ", 1" : "";
    return operate_into(graph, 0, schema, arena_printf(graph->arena, "{'T': %d}, {'T': %d}%s", a, b, alpha));
}
static int with(Drawn *graph, int schema, int a, const char *number) {
    const char *alpha = schema == ADD || schema == RSUB ? ", 1" : "";
    if (strchr(number, '.') != NULL)
        number = arena_printf(graph->arena, "{'f': '%a'}", strtod(number, NULL));
    return operate_into(graph, 0, schema, arena_printf(graph->arena, "{'T': %d}, %s%s", a, number, alpha));
}

/* What is named in the graph whose output is `output`, between spaces; kernels plain, fusions in brackets.
 * The graph is gone then. */
static const char *names(Drawn *drawing, int output, const char *patterns) {
    static char result[512];
    Arena *arena = drawing->arena;
    Text text = text_new(arena);
    text_printf(&text,
                "{'symbolic': true, 'schemas': [%s], 'layouts': [['torch.float32', [2, 3], [3, 1]], "
                "['torch.float32', [6], [1]], ['torch.float32', [2, 1], [3, 1]], ['torch.float32', [2, 2], "
                "[3, 1]]], 'tensors': [%s], "
                "'events': [%s], 'outputs': {'t': [{'T': %d}]}, 'kept': {'d': []}}",
                SCHEMAS, drawing->tensors.data, drawing->events.data, output);
    for (char *at = text.data; *at != '\0'; at++)
        *at = *at == '\'' ? '"' : *at;
    json_t *json = json_loads(text.data, 0, NULL);
    Graph graph;
    Error error;
    assert_non_null(json);
    if (graph_build(arena, graph_labels_new(arena), json, (Bytes){0}, NULL, &graph, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    json_decref(json);
    PatternMatch *matches;
    size_t count = patterns_match(arena, read_patterns(arena, patterns), &graph, &matches);
    bool *inside = ARENA_ARRAY(arena, bool, graph.term_count);
    result[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(result);
        snprintf(result + length, sizeof result - length, matches[i].kernel ? "%s%s" : "%s[%s]",
                 i > 0 ? " " : "", matches[i].pattern);
        assert_true(i == 0 || matches[i - 1].root.number < matches[i].root.number);
        assert_int_equal(matches[i].inside[matches[i].inside_count - 1].number, matches[i].root.number);
        for (size_t j = 0; j < matches[i].inside_count; j++) {
            assert_false(inside[matches[i].inside[j].number]);
            inside[matches[i].inside[j].number] = true;
        }
    }
    arena_free(arena);
    return result;
}

static void products_match_in_any_grouping(void **state) {
    (void)state;
    static const char PATTERN[] = "kernel f(x, y) = 3 * sin(x) * cos(y) / exp(x)\n";
    Drawn graph = drawn();
    int sine = one(&graph, SIN, 0), cosine = one(&graph, COS, 1), scale = one(&graph, EXP, 0);
    int half = with(&graph, MUL, two(&graph, DIV, cosine, scale), "6");
    assert_string_equal(names(&graph, two(&graph, MUL, half, with(&graph, DIV, sine, "2.0")), PATTERN), "f");
    graph = drawn();
    sine = one(&graph, SIN, 0), cosine = one(&graph, COS, 1), scale = one(&graph, EXP, 0);
    half = two(&graph, MUL, with(&graph, MUL, sine, "3"), cosine);
    assert_string_equal(names(&graph, two(&graph, DIV, half, scale), PATTERN), "f");
    graph = drawn();
    sine = one(&graph, SIN, 0), cosine = one(&graph, COS, 1), scale = one(&graph, EXP, 0);
    half = two(&graph, MUL, with(&graph, MUL, sine, "3.001"), cosine);
    assert_string_equal(names(&graph, two(&graph, DIV, half, scale), PATTERN), "");
    graph = drawn();
    sine = one(&graph, SIN, 0), cosine = one(&graph, COS, 1), scale = one(&graph, EXP, 1);
    half = two(&graph, MUL, with(&graph, MUL, sine, "3"), cosine);
    assert_string_equal(names(&graph, two(&graph, DIV, half, scale), PATTERN), ""); /* x is not y */
}

static void numbers_match_as_the_pattern_says(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *number, *expected;
    } CASES[] = {
        {"kernel f(x) = sin(x + 0.3)\n", "0.3", "f"},      {"kernel f(x) = sin(x + 0.3)\n", "0.30001", ""},
        {"kernel f(x) = sin(x + ~0.3)\n", "0.30001", "f"}, {"kernel f(x) = sin(x + ~0.3)\n", "0.301", ""},
        {"kernel f(x) = sin(x + $n)\n", "7", "f"},         {"kernel f(x) = sin(x + -0.3)\n", "0.3", ""},
        {"kernel f(x) = sin(x + y)\n", "0.3", ""}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        Drawn graph = drawn();
        assert_string_equal(
            names(&graph, one(&graph, SIN, with(&graph, ADD, 0, CASES[i].number)), CASES[i].pattern),
            CASES[i].expected);
    }
    Drawn graph = drawn();
    int same = with(&graph, ADD, one(&graph, SIN, with(&graph, ADD, 0, "5")), "5");
    assert_string_equal(names(&graph, same, "kernel f(x) = sin(x + $n) + $n\n"), "f");
    graph = drawn();
    same = with(&graph, ADD, one(&graph, SIN, with(&graph, ADD, 0, "5")), "6");
    assert_string_equal(names(&graph, same, "kernel f(x) = sin(x + $n) + $n\n"), "");
    graph = drawn();
    same = with(&graph, RSUB, one(&graph, SIN, 0), "1");
    assert_string_equal(names(&graph, same, "kernel f(x) = 1 - sin(x)\n"), "f");
    graph = drawn(); /* alpha scales */
    same = operate_into(&graph, 0, ADD, "{'T': 0}, {'T': 1}, 2");
    assert_string_equal(names(&graph, same, "kernel f(x, y) = x + y\n"), "");
}

static void the_largest_is_taken_and_nothing_twice(void **state) {
    (void)state;
    Drawn graph = drawn();
    int silu = two(&graph, MUL, 0, one(&graph, SIGMOID, 0));
    assert_string_equal(names(&graph, two(&graph, MUL, silu, 1), ""), "[swiglu]");
    graph = drawn();
    silu = two(&graph, MUL, one(&graph, SIGMOID, 0), 0);
    assert_string_equal(names(&graph, one(&graph, SIN, silu), ""), "silu");
    graph = drawn();
    silu = two(&graph, MUL, 0, one(&graph, SIGMOID, 0));
    assert_string_equal(names(&graph, one(&graph, SIN, silu), "kernel own(x) = sin(silu(x))\n"), "own");
    graph = drawn(); /* a sigmoid that two share is inside the later one */
    int gate = one(&graph, SIGMOID, 0), first = two(&graph, MUL, 0, gate), again = one(&graph, SIN, first);
    assert_string_equal(
        names(&graph, two(&graph, ADD, again, one(&graph, COS, first)), "kernel s(x) = sin(x)\n"), "silu s");
    graph = drawn(); /* the user's word is the last, where both are as large */
    silu = two(&graph, MUL, 0, one(&graph, SIGMOID, 0));
    assert_string_equal(names(&graph, one(&graph, SIN, silu), "fusion own(x) = x * aten::sigmoid(x)\n"),
                        "[own]");
}

static void views_are_looked_through_but_selections_are_not(void **state) {
    (void)state;
    Drawn graph = drawn();
    int flat = operate_into(&graph, 1, VIEW,
                            arena_printf(graph.arena, "{'T': %d}, {'l': [6]}", one(&graph, SIN, 0)));
    int exp = operate_into(&graph, 1, EXP, arena_printf(graph.arena, "{'T': %d}", flat));
    assert_string_equal(names(&graph, exp, "kernel f(x) = exp(sin(x))\n"), "f");
    graph = drawn();
    int part =
        operate_into(&graph, 3, VIEW, arena_printf(graph.arena, "{'T': %d}, {'l': []}", one(&graph, SIN, 0)));
    exp = operate_into(&graph, 3, EXP, arena_printf(graph.arena, "{'T': %d}", part));
    assert_string_equal(names(&graph, exp, "kernel f(x) = exp(sin(x))\n"), "");
    graph = drawn();
    part = operate_into(&graph, 3, VIEW, "{'T': 0}, {'l': []}");
    exp = operate_into(&graph, 3, EXP, arena_printf(graph.arena, "{'T': %d}", part));
    int both = operate_into(&graph, 3, MUL, arena_printf(graph.arena, "{'T': %d}, {'T': %d}", exp, part));
    assert_string_equal(names(&graph, both, "kernel f(x) = x * exp(x)\n"), "f"); /* the same part */
}

/* A chain of products, deeper than any stack allows for, and a pattern with many ways to match. */
static void deep_graphs_take_no_stack_and_little_time(void **state) {
    (void)state;
    Drawn graph = drawn();
    int at = 0;
    for (int i = 0; i < 20000; i++)
        at = two(&graph, i % 3 == 0 ? ADD : MUL, at, 1);
    assert_string_equal(names(&graph, one(&graph, COS, at),
                              "kernel f(a, b, c, d, e) = a * b * c * d * e * sin(a)\n"
                              "kernel g(a, b) = cos(sin(a)) + b + a + b + a\n"),
                        "");
    graph = drawn();
    at = 0;
    for (int i = 0; i < 20000; i++)
        at = one(&graph, NEG, at);
    assert_string_equal(names(&graph, one(&graph, COS, at), "kernel f(a) = cos(-sin(a))\n"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_files_are_refused),
        cmocka_unit_test(large_files_are_refused),
        cmocka_unit_test(products_match_in_any_grouping),
        cmocka_unit_test(numbers_match_as_the_pattern_says),
        cmocka_unit_test(the_largest_is_taken_and_nothing_twice),
        cmocka_unit_test(views_are_looked_through_but_selections_are_not),
        cmocka_unit_test(deep_graphs_take_no_stack_and_little_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
