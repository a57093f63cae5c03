/* The Python of candidates: every case of tests/unit/language/cases.txt is judged line by line, and honest
 * components give no finding. */
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

#include <dirent.h>

#include "language_rules.h"
#include "operator_rules.h"
#include "parse.h"
#include "policy.h"

/* ---- Cases -------------------------------------------------------------------------------- */

enum { MOST_FILES = 6, MOST_LINE = 400 };

typedef struct CaseFile {
    const char *name;
    Text text;
} CaseFile;

typedef struct Case {
    const char *title;
    const char *allow; /* --allow-import, or NULL */
    FilePart part;
    CaseFile files[MOST_FILES];
    size_t file_count;
    int line; /* in cases.txt */
} Case;

typedef struct Cases {
    Case *items;
    size_t count, capacity;
} Cases;

static const char *fixture_path(Arena *arena, const char *name) {
    return arena_printf(arena, "%s/tests/unit/language/%s", getenv("PLUMBLINE_SOURCE_ROOT"), name);
}

static void case_file(Arena *arena, Case *one, const char *name) {
    assert_true(one->file_count < MOST_FILES);
    one->files[one->file_count++] = (CaseFile){arena_strdup(arena, name), text_new(arena)};
}

static Cases read_cases(Arena *arena) {
    Cases cases = {0};
    FILE *file = fopen(fixture_path(arena, "cases.txt"), "r");
    assert_non_null(file);
    char line[MOST_LINE];
    Case *one = NULL;
    for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        char *end = line + strcspn(line, "\n");
        if (text_starts(line, "#: ")) {
            *end = '\0';
            if (text_starts(line, "#: file ")) {
                case_file(arena, one, line + 8);
            } else if (text_starts(line, "#: allow ")) {
                one->allow = arena_strdup(arena, line + 9);
            } else if (text_starts(line, "#: own")) {
                one->part = PART_OWN;
            } else {
                one = ARENA_PUSH(arena, &cases);
                one->title = arena_strdup(arena, line + 3);
                one->line = number;
                one->part = PART_CHILD;
                case_file(arena, one, "part.py");
            }
        } else if (one != NULL) {
            text_add(&one->files[one->file_count - 1].text, line);
        }
    }
    fclose(file);
    return cases;
}

/* ---- One parser run for all cases --------------------------------------------------------- */

typedef struct Parsed {
    Table *trees; /* by the source's bytes */
} Parsed;

static Status parse_again(void *context, Arena *arena, const Source *sources, size_t count, Tree *trees,
                          Error *error) {
    const Parsed *parsed = context;
    (void)arena;
    (void)error;
    for (size_t i = 0; i < count; i++) {
        const Tree *tree = table_get(parsed->trees, (const char *)sources[i].bytes.data);
        assert_non_null(tree);
        trees[i] = *tree;
        trees[i].source = &sources[i];
    }
    return STATUS_OK;
}

enum { MOST_AT_ONCE = 150 };

static Parsed parse_all(Arena *arena, const Cases *cases) {
    Parsed parsed = {table_new(arena)};
    Source *sources = ARENA_ARRAY(arena, Source, MOST_AT_ONCE);
    Tree *trees = ARENA_ARRAY(arena, Tree, MOST_AT_ONCE);
    size_t waiting = 0;
    for (size_t i = 0; i <= cases->count; i++) {
        if (waiting > 0 && (i == cases->count || waiting + MOST_FILES > MOST_AT_ONCE)) {
            Parser parser = test_parser();
            Error error;
            if (parser.parse(parser.context, arena, sources, waiting, trees, &error) != STATUS_OK)
                fail_msg("%s", error_line(arena, &error));
            for (size_t j = 0; j < waiting; j++)
                table_put(parsed.trees, (const char *)sources[j].bytes.data,
                          arena_copy(arena, &trees[j], sizeof(Tree)));
            waiting = 0;
        }
        for (size_t j = 0; i < cases->count && j < cases->items[i].file_count; j++) {
            const Text *text = &cases->items[i].files[j].text;
            sources[waiting++] = (Source){
                .path = "", .name = cases->items[i].title, .bytes = {(uint8_t *)text->data, text->length}};
        }
    }
    return parsed;
}

/* ---- Judging a folder of files ------------------------------------------------------------ */

static char *folder_new(Arena *arena) {
    char *folder = arena_strdup(arena, "/tmp/plumbline-language-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static Findings *judge(Arena *arena, const Parser *parser, const char *path, FilePart part, const char *allow,
                       Program *program) {
    Error error;
    Findings *findings = findings_new(arena);
    const char *const allowed[] = {allow};
    if (program_load(arena, parser, path, part, allowed, allow != NULL, program, findings, &error) !=
        STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    policy_judge_language(program, allowed, allow != NULL, findings);
    findings_sort(findings);
    return findings;
}

static Findings *judge_case(Arena *arena, Parsed *parsed, const Case *one) {
    Error error;
    char *folder = folder_new(arena);
    for (size_t i = 0; i < one->file_count; i++) {
        const char *path = path_join(arena, folder, one->files[i].name);
        mkdir(path_directory(arena, path), 0777);
        assert_int_equal(
            file_write(path, (Bytes){(uint8_t *)one->files[i].text.data, one->files[i].text.length}, &error),
            STATUS_OK);
    }
    Parser parser = {.parse = parse_again, .context = parsed};
    Program program = {.arena = arena};
    Findings *findings =
        judge(arena, &parser, path_join(arena, folder, one->files[0].name), one->part, one->allow, &program);
    for (size_t i = 0; i < one->file_count; i++) {
        const char *path = path_join(arena, folder, one->files[i].name);
        unlink(path);
        rmdir(path_directory(arena, path));
    }
    rmdir(folder);
    return findings;
}

/* "file:line rule" for each expected finding: a line says `# ! py.torch py.module` at its end. */
static Table *expected_of(Arena *arena, const Case *one) {
    Table *expected = table_new(arena);
    for (size_t i = 0; i < one->file_count; i++) {
        int number = 1;
        char *text = arena_strdup(arena, one->files[i].text.data);
        for (char *line = text, *end; *line != '\0'; line = end, number++) {
            end = line + strcspn(line, "\n");
            if (*end != '\0')
                *end++ = '\0';
            char *mark = strstr(line, "# ! "), *rest = NULL;
            for (char *rule = mark == NULL ? NULL : strtok_r(mark + 4, " ", &rest); rule != NULL;
                 rule = strtok_r(NULL, " ", &rest))
                table_put(expected, arena_printf(arena, "%s:%d %s", one->files[i].name, number, rule),
                          TABLE_PRESENT);
        }
    }
    return expected;
}

static const char *base_name(const char *path) {
    return strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
}

/* Which rules some case expects: each rule of the language needs one. */
static void check_case(Arena *arena, Parsed *parsed, const Case *one, Table *seen, size_t *failures) {
    const Findings *findings = judge_case(arena, parsed, one);
    Table *expected = expected_of(arena, one), *found = table_new(arena);
    for (size_t i = 0; i < findings->count; i++) {
        const Finding *finding = &findings->items[i];
        const char *key = arena_printf(arena, "%s:%d %s", base_name(finding->place.file), finding->place.line,
                                       finding->rule->id);
        table_put(found, key, TABLE_PRESENT);
        table_put(seen, finding->rule->id, TABLE_PRESENT);
        bool is_expected = false;
        for (size_t j = 0; j < expected->count; j++)
            is_expected |= strcmp(base_name(expected->items[j].key), key) == 0;
        if (!is_expected) {
            print_error("cases.txt:%d: %s: unexpected %s: %s\n", one->line, one->title, key, finding->what);
            (*failures)++;
        }
    }
    for (size_t j = 0; j < expected->count; j++)
        if (!table_has(found, base_name(expected->items[j].key))) {
            print_error("cases.txt:%d: %s: no finding %s\n", one->line, one->title, expected->items[j].key);
            (*failures)++;
        }
}

static void test_each_case_gives_its_findings_and_no_other(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Cases cases = read_cases(arena);
    Parsed parsed = parse_all(arena, &cases);
    Table *seen = table_new(arena);
    size_t failures = 0;
    for (size_t i = 0; i < cases.count; i++)
        check_case(arena, &parsed, &cases.items[i], seen, &failures);
    for (size_t i = 0; LANGUAGE_RULES[i] != NULL; i++)
        if (!table_has(seen, LANGUAGE_RULES[i]->id) && LANGUAGE_RULES[i] != &RULE_PY_SYNTAX) {
            print_error("no case breaks %s\n", LANGUAGE_RULES[i]->id);
            failures++;
        }
    assert_int_equal(failures, 0);
    arena_free(arena);
}

/* ---- Honest components -------------------------------------------------------------------- */

static void test_honest_components_give_no_finding(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *folder = fixture_path(arena, "honest");
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    size_t count = 0, failures = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (!text_ends(entry->d_name, ".py"))
            continue;
        Parser parser = test_parser();
        Program program = {.arena = arena};
        FilePart part = text_starts(entry->d_name, "refactored") ? PART_OWN : PART_CHILD;
        const Findings *findings =
            judge(arena, &parser, path_join(arena, folder, entry->d_name), part, NULL, &program);
        for (size_t i = 0; i < findings->count; i++, failures++)
            print_error("%s:%d: %s: %s\n", findings->items[i].place.file, findings->items[i].place.line,
                        findings->items[i].rule->id, findings->items[i].what);
        count++;
    }
    closedir(directory);
    assert_true(count >= 10);
    assert_int_equal(failures, 0);
    arena_free(arena);
}

static bool visit_unknown(const Node *node, void *context) {
    ((Node *)(uintptr_t)node)->kind = node->kind == NODE_Pass ? NODE_UNKNOWN : node->kind;
    (void)context;
    return true;
}

static void test_unknown_syntax_is_a_finding(void **state) {
    (void)state;
    Arena *arena = arena_new();
    ProgramFile file = {.part = PART_CHILD};
    file.tree = test_parse_text(arena, "part.py", "if True:\n    pass\n");
    file.source = *file.tree.source;
    node_walk(file.tree.module, visit_unknown, NULL);
    Program program = {.arena = arena};
    *(ProgramFile **)ARENA_PUSH(arena, &program) = &file;
    Findings *findings = findings_new(arena);
    policy_judge_language(&program, NULL, 0, findings);
    assert_int_equal(findings->count, 1);
    assert_ptr_equal(findings->items[0].rule, &RULE_PY_SYNTAX);
    assert_int_equal(findings->items[0].place.line, 2);
    arena_free(arena);
}

static const Findings *judge_text(Arena *arena, const char *text) {
    ProgramFile *file = ARENA_NEW(arena, ProgramFile);
    file->part = PART_CHILD;
    file->tree = test_parse_text(arena, "part.py", text);
    file->source = *file->tree.source;
    Program program = {.arena = arena};
    *(ProgramFile **)ARENA_PUSH(arena, &program) = file;
    Findings *findings = findings_new(arena);
    policy_judge_language(&program, NULL, 0, findings);
    assert_int_equal(findings->count, 1);
    return findings;
}

static void test_messages_name_what_a_name_means(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Finding *finding = judge_text(arena, "import torch as g\ny = g.load('x')\n")->items;
    assert_string_equal(finding->what, "`g.load` is torch.load, which may not be used");
    assert_int_equal(finding->place.column, 5);
    arena_free(arena);
}

static void test_what_to_do_is_what_python_programmers_write(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Findings *findings =
        judge_text(arena, "from torch import nn\n\n\nclass Model(nn.Module):\n"
                          "    def __init__(self):\n        nn.Module.__init__(self)\n");
    assert_string_equal(findings->items[0].instead, "write super().__init__()");
    arena_free(arena);
}

static bool lists_rule(const Rule *const *rules, const Rule *rule) {
    for (size_t i = 0; rules[i] != NULL; i++)
        if (rules[i] == rule)
            return true;
    return false;
}

static void test_the_list_of_rules_is_whole(void **state) {
    (void)state;
    for (size_t i = 0; LANGUAGE_RULES[i] != NULL; i++)
        assert_true(lists_rule(POLICY_RULES, LANGUAGE_RULES[i]));
    for (size_t i = 0; OPERATOR_RULES[i] != NULL; i++)
        assert_true(lists_rule(POLICY_RULES, OPERATOR_RULES[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_case_gives_its_findings_and_no_other),
        cmocka_unit_test(test_honest_components_give_no_finding),
        cmocka_unit_test(test_unknown_syntax_is_a_finding),
        cmocka_unit_test(test_messages_name_what_a_name_means),
        cmocka_unit_test(test_what_to_do_is_what_python_programmers_write),
        cmocka_unit_test(test_the_list_of_rules_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
