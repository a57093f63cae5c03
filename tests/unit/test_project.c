/* Decompositions: levels, names, trees compared, JSON that may be anything, and a parser that remembers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "parse.h"
#include "project.h"
#include "project_parts.h"

/* ---- Levels, dtypes, rules ---- */

static void levels_have_names_and_folders(void **state) {
    (void)state;
    Level level = LEVEL_COUNT;
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        assert_true(level_of_name(level_name((Level)i), &level));
        assert_int_equal(level, i);
    }
    assert_false(level_of_name("kernels", &level));
    assert_false(level_of_name(NULL, &level));
    assert_true(level_of_path("level_1_fusion/x.py", &level));
    assert_int_equal(level, LEVEL_FUSION);
    assert_true(level_of_path("/a/level_3_model/x.py", &level));
    assert_int_equal(level, LEVEL_MODEL);
    assert_false(level_of_path("level_1_fusion/inner/x.py", &level));
    assert_false(level_of_path("level_1_fusion", &level));
    assert_false(level_of_path("level_1_fusions/x.py", &level));
}

static void dtypes_have_codes(void **state) {
    (void)state;
    assert_string_equal(dtype_code("torch.float32"), "fp32");
    assert_string_equal(dtype_code("bfloat16"), "bf16");
    assert_string_equal(dtype_code("float8_e4m3fn"), "fp8e4m3");
    assert_null(dtype_code("qint8"));
    assert_null(dtype_code(NULL));
}

static void rules_are_found_and_documented(void **state) {
    (void)state;
    static const char *const needed[] = {"level.kernel",
                                         "level.fusion",
                                         "level.layer",
                                         "level.model",
                                         "level.repeats",
                                         "name.operation",
                                         "name.shape",
                                         "name.dtype",
                                         "dimensions.input",
                                         "dimensions.init",
                                         "flow.shape",
                                         "flow.dtype",
                                         "flow.edge",
                                         "flow.missing-edge",
                                         "coverage.missing",
                                         "coverage.extra",
                                         "coverage.partial",
                                         "coverage.summary",
                                         "component.self-test",
                                         "component.raised",
                                         "component.shape",
                                         "component.nan",
                                         "component.random",
                                         "component.inputs",
                                         "composition.test",
                                         "composition.cycle",
                                         "composition.test-blind",
                                         "composition.map",
                                         "composition.missing-step",
                                         "tree.counts"};
    Arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(needed); i++)
        assert_string_equal(project_rule(needed[i])->id, needed[i]);
    Table *ids = table_new(arena);
    for (size_t i = 0; PROJECT_RULES[i] != NULL; i++) {
        const Rule *rule = PROJECT_RULES[i];
        assert_false(table_has(ids, rule->id));
        table_put(ids, rule->id, TABLE_PRESENT);
    }
    arena_free(arena);
}

/* ---- Names ---- */

/* "operation; dims|dims; extras; tokens; dtypes", or "!" and a part of the problem */
static const char *described(Arena *arena, const char *stem) {
    KernelName name;
    const char *problem;
    if (!kernel_name_parse(arena, stem, &name, &problem))
        return arena_printf(arena, "!%s", problem);
    Text text = text_new(arena);
    text_printf(&text, "%s;", name.operation);
    for (size_t i = 0; i < name.group_count; i++)
        for (size_t j = 0; j < name.ranks[i]; j++)
            text_printf(&text, "%s%lld", j > 0 ? "x" : i > 0 ? "|" : " ", (long long)name.dims[i][j]);
    text_add(&text, ";");
    for (size_t i = 0; i < name.extra_count; i++)
        text_printf(&text, " %c%lld", name.extras[i].letter, (long long)name.extras[i].value);
    text_add(&text, ";");
    for (size_t i = 0; i < name.token_count; i++)
        text_printf(&text, " %s", name.tokens[i]);
    text_add(&text, ";");
    for (size_t i = 0; i < name.dtype_count; i++)
        text_printf(&text, " %s", name.dtypes[i]);
    return text.data;
}

static void kernel_names_are_read(void **state) {
    (void)state;
    static const struct {
        const char *stem, *expected;
    } cases[] = {
        {"linear_768x3072_fp32", "linear; 768x3072;;; fp32"},
        {"conv2d_3x64_k3p1_fp32", "conv2d; 3x64; k3 p1;; fp32"},
        {"conv2d_64x128_k3x5s2p1_fp32", "conv2d; 64x128; k3 k5 s2 p1;; fp32"},
        {"layer_norm_768_fp32", "layer_norm; 768;;; fp32"},
        {"embedding_50000x768_i64_fp32", "embedding; 50000x768;;; i64 fp32"},
        {"matmul_2x12x32x64_2x12x64x32_fp32", "matmul; 2x12x32x64|2x12x64x32;;; fp32"},
        {"gelu_fp32", "gelu;;;; fp32"},
        {"max_pool2d_k2s2_fp32", "max_pool2d;; k2 s2;; fp32"},
        {"rms_norm_1024_eps1e5_bf16", "rms_norm; 1024;; eps1e5; bf16"},
        {"softmax_fp32_bf16", "softmax;;;; fp32 bf16"},
        {"leaky_relu_slope02_fp32", "leaky_relu;;; slope02; fp32"},
        {"softmax_dim1_fp32", "softmax;;; dim1; fp32"},
        {"smooth_l1_loss_beta1_fp32", "smooth_l1_loss;;; beta1; fp32"},
        {"batch_norm2d_64_fp32", "batch_norm2d; 64;;; fp32"},
        {"log1p_fp32", "log1p;;;; fp32"},
        {"linear_8x4_head_fp32", "linear; 8x4;; head; fp32"},
        {"linear_768x3072", "!it does not end in its dtype"},
        {"linear_768x3072_fp32_2", "!it ends in a number"},
        {"Linear_768_fp32", "!its operation is not in small letters"},
        {"768_fp32", "!it does not begin with an operation"},
        {"fp32", "!it does not begin with an operation"},
        {"", "!it does not end in its dtype"},
        {"_fp32", "!its operation is not"},
        {"linear__fp32", "!its operation is not"},
        {"linear_768x_fp32", "linear;;; 768x; fp32"},
        {"linear_99999999999999999999_fp32", "linear;;; 99999999999999999999; fp32"},
        {"linear_1x1x1x1x1x1x1x1x1_fp32", "linear;;; 1x1x1x1x1x1x1x1x1; fp32"},
        {"a_fp32_fp32_fp32_fp32_fp32", "!it has too many dtypes"},
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *got = described(arena, cases[i].stem), *expected = cases[i].expected;
        if (expected[0] == '!' ? !text_starts(got, expected) : strcmp(got, expected) != 0)
            fail_msg("%s: %s, expected %s", cases[i].stem, got, expected);
    }
    arena_free(arena);
}

static void names_of_models_are_in_small_letters(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"GPT2Small", "gpt2_small"},
                                           {"gpt2_small", "gpt2_small"},
                                           {"MyHTTPNet", "my_http_net"},
                                           {"2net", "model_2net"},
                                           {"my net (1)", "my_net_1"},
                                           {"__x__", "x"},
                                           {"...", "model"},
                                           {"A", "a"}};
    Arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(snake_name(arena, cases[i][0]), cases[i][1]);
    arena_free(arena);
}

/* ---- Trees ---- */

static const struct {
    const char *a, *b;
    bool equal;
} TREES[] = {
    {"x = 1\n", "x  =  1 # one\n", true},
    {"'''What.'''\nx = 1\n", "x = 1\n", true},
    {"def f():\n    'What.'\n    return 1\n", "def f(): return 1\n", true},
    {"class A:\n    'What.'\n    x: int = 0\n", "class A:\n    \"Else.\"\n    x: int = 0\n", true},
    {"x = 1_000; y = 0x10; z = 1e3\n", "x = 1000; y = 16; z = 1000.0\n", true},
    {"x = 0b11 + 0o17 + .5 + 2j\n", "x = 3 + 15 + 0.5 + 2.0j\n", true},
    {"if a:\n    b\nelif c:\n    d\n", "if a:\n    b\nelse:\n    if c:\n        d\n", true},
    {"x = r'a' 'b'\n", "x = \"ab\"\n", true},
    {"x = 1\n", "x = 2\n", false},
    {"x = 1\n", "x = 1.0\n", false},
    {"x = 'a'\n", "x = 'b'\n", false},
    {"x = 'a'\n", "x = b'a'\n", false},
    {"x = a.b\n", "x = a.c\n", false},
    {"x = 1\n'What.'\n", "x = 1\n", false},
    {"def f(a, b): return a - b\n", "def f(b, a): return a - b\n", false},
    {"x = not a in b\n", "x = not (a not in b)\n", false},
    {"from .a import b\n", "from a import b\n", false},
    {"x = [1, 2]\n", "x = [1]\n", false},
    {"x = f'{a}'\n", "x = f'{b}'\n", false},
};

static void trees_are_compared_without_docstrings(void **state) {
    (void)state;
    Arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(TREES); i++) {
        Tree a = test_parse_text(arena, "a.py", TREES[i].a), b = test_parse_text(arena, "b.py", TREES[i].b);
        if (trees_equal(&a, &b) != TREES[i].equal || trees_equal(&b, &a) != TREES[i].equal)
            fail_msg("%s is %sequal to %s", TREES[i].a, TREES[i].equal ? "un" : "", TREES[i].b);
        assert_true(trees_equal(&a, &a));
        if (!TREES[i].equal)
            continue;
        assert_string_equal(content_hash(arena, &a), content_hash(arena, &b));
        if (strcmp(content_likeness(arena, a.source), content_likeness(arena, b.source)) != 0)
            fail_msg("%s is not like %s", TREES[i].a, TREES[i].b);
    }
    Tree none = {0};
    assert_false(trees_equal(&none, &none));
    arena_free(arena);
}

static void likeness_reads_no_further_than_the_file(void **state) {
    (void)state;
    static const char *const ends[] = {"'", "\"\"\"", "'''a''", "'\\", "x = 1e", "x = 0b",
                                       ".", "0x",     "1__",    "ab'", "#"};
    Arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        char *exact = malloc(strlen(ends[i]) + 1);
        memcpy(exact, ends[i], strlen(ends[i]) + 1);
        Source source = {.bytes = {(const uint8_t *)exact, strlen(exact)}};
        assert_int_equal(strlen(content_likeness(arena, &source)), 16);
        free(exact);
    }
    arena_free(arena);
}

/* ---- Lines ---- */

static void lines_of_keys_are_found(void **state) {
    (void)state;
    static const char text[] =
        "{\n \"a\": [1, {\"deep\": {\"deeper\": [\n{}]}}],\n \"nodes\": {\n\n  \"x\": {\"path\":\n "
        "\"}{\\\"\",\n   \"id\": 3},\n  \"\\u0079\": {}\n },\n \"flow\": [\n  1,\n  {}]}\n";
    Arena *arena = arena_new();
    Table *lines = json_lines(arena, (Bytes){(const uint8_t *)text, strlen(text)});
    assert_int_equal(line_of(lines, arena, "a", NULL), 2);
    assert_int_equal(line_of(lines, arena, "nodes", NULL), 4);
    assert_int_equal(line_of(lines, arena, "nodes", "x", NULL), 6);
    assert_int_equal(line_of(lines, arena, "nodes", "x", "path", NULL), 6);
    assert_int_equal(line_of(lines, arena, "nodes", "x", "id", NULL), 8);
    assert_int_equal(line_of(lines, arena, "nodes", "x", "level", NULL), 6);
    assert_int_equal(line_of(lines, arena, "nodes", "y", NULL), 9);
    assert_int_equal(line_of(lines, arena, "flow", "1", NULL), 13);
    assert_int_equal(line_of(lines, arena, "nothing", NULL), 0);
    assert_int_equal(line_of(NULL, arena, "nodes", NULL), 0);
    arena_free(arena);
}

/* ---- Reading ---- */

typedef struct Fixture {
    Arena *arena;
    const char *folder;
    Project project;
    Error error;
} Fixture;

static Fixture fixture_new(void) {
    Fixture fixture = {.arena = arena_new()};
    char *folder = arena_strdup(fixture.arena, "/tmp/plumbline-project-XXXXXX");
    assert_non_null(mkdtemp(folder));
    fixture.folder = folder;
    return fixture;
}

static void put(Fixture *fixture, const char *name, const char *text) {
    const char *path = path_join(fixture->arena, fixture->folder, name);
    mkdir(path_directory(fixture->arena, path), 0777);
    assert_int_equal(file_write(path, (Bytes){(const uint8_t *)text, strlen(text)}, &fixture->error),
                     STATUS_OK);
}

static Status read_all(Fixture *fixture) {
    Parser parser = test_parser();
    ProjectOptions options = {.folder = fixture->folder};
    return project_read(fixture->arena, &parser, &options, &fixture->project, &fixture->error);
}

static void drop(Fixture *fixture) {
    char command[256];
    snprintf(command, sizeof command, "rm -r '%s'", fixture->folder);
    assert_int_equal(system(command), 0);
    arena_free(fixture->arena);
}

static size_t count_rule(const Fixture *fixture, const char *id, const char *file) {
    size_t count = 0;
    const Findings *findings = fixture->project.findings;
    for (size_t i = 0; i < findings->count; i++)
        count +=
            strcmp(findings->items[i].rule->id, id) == 0 && text_equal(findings->items[i].place.file, file);
    return count;
}

#define MODEL_TEXT "class Model:\n    pass\n"

static void a_folder_without_components_is_an_error(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    assert_int_equal(read_all(&fixture), STATUS_ERROR);
    put(&fixture, "level_0_kernel/relu_fp32.py", MODEL_TEXT);
    assert_int_equal(read_all(&fixture), STATUS_ERROR); /* no root */
    assert_non_null(strstr(fixture.error.cause, "no root model"));
    put(&fixture, "level_3_model/net.py", MODEL_TEXT "x = 1\n");
    assert_int_equal(read_all(&fixture), STATUS_OK);
    assert_int_equal(fixture.project.component_count, 2);
    assert_int_equal(fixture.project.components[0].level, LEVEL_MODEL);
    assert_true(fixture.project.model_equals_root);
    assert_int_equal(count_rule(&fixture, "tree.missing", "decomposition_tree.json"), 1);
    drop(&fixture);
}

/* Without Parser.check, files that can't be parsed are found by halves. */
static void broken_files_are_told_apart(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "level_3_model/net.py", MODEL_TEXT);
    for (int i = 0; i < 20; i++)
        put(&fixture, arena_printf(fixture.arena, "level_0_kernel/add_%d_fp32.py", i),
            i == 3 || i == 17 ? "x = (\n" : arena_printf(fixture.arena, MODEL_TEXT "x = %d\n", i));
    assert_int_equal(read_all(&fixture), STATUS_OK);
    assert_int_equal(count_rule(&fixture, "file.syntax", "level_0_kernel/add_3_fp32.py"), 1);
    assert_int_equal(count_rule(&fixture, "file.syntax", "level_0_kernel/add_17_fp32.py"), 1);
    size_t broken = 0;
    for (size_t i = 0; i < fixture.project.component_count; i++) {
        const Component *component = &fixture.project.components[i];
        assert_true((component->broken != NULL) == (component->tree.module == NULL));
        broken += component->broken != NULL;
    }
    assert_int_equal(broken, 2);
    drop(&fixture);
}

static const char TREE_TEXT[] = "{\"metadata\": {\"source_file\": \"net.py\", \"source_level\": \"model\", "
                                "\"total_components\": 2, \"by_level\": "
                                "{\"model\": 1, \"kernel\": 1}}, \"nodes\": {\"net\": {\"id\": \"net\", "
                                "\"name\": \"net\", \"level\": \"model\", "
                                "\"path\": \"level_3_model/net.py\", \"children\": [\"relu\"], "
                                "\"input_shapes\": {\"x\": [2, 8]}, \"input_dtypes\": "
                                "{\"x\": \"torch.float32\"}, \"output_shapes\": {}, \"output_dtypes\": {}, "
                                "\"instance_count\": 2}, \"relu\": {\"id\": "
                                "\"relu\", \"level\": \"kernel\", \"path\": \"level_0_kernel/relu_fp32.py\", "
                                "\"children\": []}}, \"data_flow\": "
                                "[{\"from\": \"input\", \"to\": \"relu\", \"tensor_name\": \"x\", \"shape\": "
                                "[2, -1, \"n\"], \"dtype\": \"int64\"}]}";

static void what_a_tree_declares_is_read(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "level_3_model/net.py", MODEL_TEXT);
    put(&fixture, "level_0_kernel/relu_fp32.py", MODEL_TEXT "x = 1\n");
    put(&fixture, "decomposition_tree.json", TREE_TEXT);
    assert_int_equal(read_all(&fixture), STATUS_OK);
    const Project *project = &fixture.project;
    assert_int_equal(project->node_count, 2);
    const TreeNode *net = &project->nodes[0];
    assert_int_equal(project->root_node, 0);
    assert_int_equal(net->component, 0);
    assert_int_equal(project->components[0].node, 0);
    assert_int_equal(net->children[0], 1);
    assert_int_equal(net->instance_count, 2);
    assert_int_equal(net->input_count, 1);
    assert_string_equal(net->inputs[0].dtype, "float32");
    assert_int_equal(net->inputs[0].shape[1], 8);
    assert_int_equal(project->edge_count, 1);
    assert_int_equal(project->edges[0].from_node, NO_INDEX);
    assert_int_equal(project->edges[0].to_node, 1);
    assert_int_equal(project->edges[0].tensor.shape[1], -1);
    assert_int_equal(project->edges[0].tensor.shape[2], -1);
    drop(&fixture);
}

/* Whatever stands in the tree, it is read or refused. */
static void any_tree_is_survived(void **state) {
    (void)state;
    static const char *const pieces[] = {"{}",   "[]",          "null",    "-1",     "1e400",
                                         "\"\"", "\"\\u0000\"", "\"net\"", "[[[]]]", "true"};
    Fixture fixture = fixture_new();
    put(&fixture, "level_3_model/net.py", MODEL_TEXT);
    put(&fixture, "level_0_kernel/relu_fp32.py", MODEL_TEXT "x = 1\n");
    Parser parser = test_parser();
    parser = parser_remembering(fixture.arena, &parser);
    uint32_t random = 1;
    for (size_t i = 0; i < strlen(TREE_TEXT); i += 3) {
        random = random * 1664525 + 1013904223;
        size_t length = (random >> 8) % 12;
        const char *after = TREE_TEXT + i + (i + length < strlen(TREE_TEXT) ? length : 0);
        put(&fixture, "decomposition_tree.json",
            arena_printf(fixture.arena, "%.*s%s%s", (int)i, TREE_TEXT,
                         pieces[(random >> 20) % COUNT_OF(pieces)], after));
        put(&fixture, "decomposition_log.json", i % 2 == 0 ? "{\"entries\": [3, {}, []]}" : TREE_TEXT);
        ProjectOptions options = {.folder = fixture.folder};
        assert_int_equal(project_read(fixture.arena, &parser, &options, &fixture.project, &fixture.error),
                         STATUS_OK);
        assert_true(findings_count(fixture.project.findings, SEVERITY_VIOLATION) > 0);
    }
    /* A value of the wrong kind in each place. */
    for (size_t i = 0; i < strlen(TREE_TEXT); i++) {
        if (TREE_TEXT[i] != ':' && TREE_TEXT[i] != '[')
            continue;
        json_error_t cause;
        for (size_t end = i + 1; end <= strlen(TREE_TEXT); end++) {
            const char *text = arena_printf(fixture.arena, "%.*s [7, {\"x\": 7}] %s", (int)i + 1, TREE_TEXT,
                                            TREE_TEXT + end);
            json_t *value = json_loads(text, 0, &cause);
            if (value == NULL)
                continue;
            json_decref(value);
            put(&fixture, "decomposition_tree.json", text);
            ProjectOptions options = {.folder = fixture.folder};
            assert_int_equal(project_read(fixture.arena, &parser, &options, &fixture.project, &fixture.error),
                             STATUS_OK);
            break;
        }
    }
    drop(&fixture);
}

/* ---- The parser that remembers ---- */

typedef struct Counter {
    size_t calls, files;
} Counter;

static Status count_and_parse(void *context, Arena *arena, const Source *sources, size_t count, Tree *trees,
                              Error *error) {
    Counter *counter = context;
    Parser parser = test_parser();
    counter->calls++;
    counter->files += count;
    return parser.parse(parser.context, arena, sources, count, trees, error);
}

static Source source_of(const char *text) {
    return (Source){.path = text, .name = "x.py", .bytes = {(const uint8_t *)text, strlen(text)}};
}

static void what_was_parsed_is_not_parsed_again(void **state) {
    (void)state;
    Arena *arena = arena_new(), *other = arena_new();
    Counter counter = {0};
    Parser plain = {.parse = count_and_parse, .context = &counter};
    Parser parser = parser_remembering(arena, &plain);
    Source sources[] = {source_of("x = 1\n"), source_of("y = 1\n"), source_of("x = 1\n")};
    Tree trees[3];
    Error error;
    assert_int_equal(parser.parse(parser.context, other, sources, 3, trees, &error), STATUS_OK);
    assert_int_equal(counter.files, 2);
    arena_free(other); /* what is remembered doesn't live in it */
    assert_ptr_equal(trees[0].module, trees[2].module);
    assert_ptr_equal(trees[2].source, &sources[2]);
    other = arena_new();
    assert_int_equal(parser.parse(parser.context, other, sources + 1, 2, trees, &error), STATUS_OK);
    assert_int_equal(counter.calls, 1);
    assert_int_equal(trees[0].module->kind, NODE_Module);
    Source wrong = source_of("x = (\n"),
           nul = {.path = "", .name = "nul.py", .bytes = {(const uint8_t *)"x\0y", 3}};
    assert_int_equal(parser.parse(parser.context, other, &wrong, 1, trees, &error), STATUS_ERROR);
    assert_int_equal(parser.parse(parser.context, other, &nul, 1, trees, &error), STATUS_ERROR);
    assert_int_equal(parser.parse(parser.context, other, &wrong, 1, trees, &error), STATUS_ERROR);
    arena_free(other);
    arena_free(arena);
}

static void *parse_often(void *context) {
    Parser *parser = context;
    Arena *arena = arena_new();
    Error error;
    size_t wrong = 0;
    for (int i = 0; i < 200; i++) {
        Source source = source_of(arena_printf(arena, "x = %d\n", i % 5));
        Tree tree;
        wrong += parser->parse(parser->context, arena, &source, 1, &tree, &error) != STATUS_OK ||
                 tree.source != &source;
    }
    arena_free(arena);
    return (void *)wrong;
}

static void threads_may_share_it(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Counter counter = {0};
    Parser plain = {.parse = count_and_parse, .context = &counter},
           parser = parser_remembering(arena, &plain);
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, parse_often, &parser), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(counter.files, 5);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_have_names_and_folders),
        cmocka_unit_test(dtypes_have_codes),
        cmocka_unit_test(rules_are_found_and_documented),
        cmocka_unit_test(kernel_names_are_read),
        cmocka_unit_test(names_of_models_are_in_small_letters),
        cmocka_unit_test(trees_are_compared_without_docstrings),
        cmocka_unit_test(likeness_reads_no_further_than_the_file),
        cmocka_unit_test(lines_of_keys_are_found),
        cmocka_unit_test(a_folder_without_components_is_an_error),
        cmocka_unit_test(broken_files_are_told_apart),
        cmocka_unit_test(what_a_tree_declares_is_read),
        cmocka_unit_test(any_tree_is_survived),
        cmocka_unit_test(what_was_parsed_is_not_parsed_again),
        cmocka_unit_test(threads_may_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
