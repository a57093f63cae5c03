/* Judging small refactored.py files by their source, for unit tests. */
#include "flow_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "parse.h"

static const char CHILD[] = "import torch\n"
                            "import torch.nn as nn\n"
                            "def sharpen(x):\n"
                            "    return torch.relu(x)\n"
                            "class Model(nn.Module):\n"
                            "    def __init__(self, width=8, eps=1e-5):\n"
                            "        super().__init__()\n"
                            "        self.width = width\n"
                            "        self.inner = nn.Linear(width, width)\n"
                            "        self.weight = nn.Parameter(torch.ones(width))\n"
                            "    def forward(self, x, *rest):\n"
                            "        return self.inner(x)\n"
                            "    def logits(self, x):\n"
                            "        return x @ self.weight\n"
                            "    @staticmethod\n"
                            "    def act(x):\n"
                            "        return torch.relu(x)\n";

static const char HELPER[] = "import torch\n"
                             "def halves(x):\n"
                             "    return x.chunk(2, dim=-1)\n"
                             "def cheat(x):\n"
                             "    return torch.sigmoid(x)\n";

static const char HEAD[] = "import torch\n"
                           "import torch.nn as nn\n"
                           "import torch.nn.functional as F\n"
                           "from children.linear import Model as Linear\n"
                           "from children.norm import Model as Norm\n";

static const char CLASS[] = "class RefactoredModel(nn.Module):\n"
                            "    def __init__(self, width=8, heads=2):\n"
                            "        super().__init__()\n"
                            "        self.fc = Linear(width)\n"
                            "        self.norm = Norm(width)\n";

enum { BATCH = 100 };

/* All sources that were parsed, by content. */
typedef struct Parsed {
    Source *sources;
    Tree *trees;
    size_t count;
} Parsed;

static Status parse_again(void *context, Arena *arena, const Source *sources, size_t count, Tree *trees,
                          Error *error) {
    const Parsed *parsed = context;
    (void)arena;
    for (size_t i = 0; i < count; i++) {
        size_t found = parsed->count;
        for (size_t j = 0; j < parsed->count; j++)
            if (parsed->sources[j].bytes.size == sources[i].bytes.size &&
                memcmp(parsed->sources[j].bytes.data, sources[i].bytes.data, sources[i].bytes.size) == 0)
                found = j;
        if (found == parsed->count)
            return error_set(error, sources[i].name, "", "the source was not parsed before");
        trees[i] = parsed->trees[found];
        trees[i].source = &sources[i];
    }
    return STATUS_OK;
}

static void write_text(Arena *arena, const char *folder, const char *name, const char *text) {
    Error error;
    Bytes bytes = {(const uint8_t *)text, strlen(text)};
    if (file_write(arena_printf(arena, "%s/%s", folder, name), bytes, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
}

static void add_lines(Text *text, const char *indent, const char *lines) {
    while (lines != NULL && *lines != '\0') {
        const char *end = strchr(lines, '\n');
        size_t length = end != NULL ? (size_t)(end - lines) : strlen(lines);
        text_printf(text, "%s%.*s\n", indent, (int)length, lines);
        lines += length + (end != NULL);
    }
}

static const char *case_text(Arena *arena, const FlowCase *item, bool whole) {
    Text text = text_new(arena);
    if (!whole) {
        text_add(&text, HEAD);
        add_lines(&text, "", item->top);
        text_add(&text, CLASS);
        add_lines(&text, "        ", item->init);
        text_add(&text, "    def forward(self, x, mask=None, ids=None, scale=1.0):\n");
    }
    add_lines(&text, whole ? "" : "        ", item->forward);
    return text.data;
}

static void parse_all(Arena *arena, Parsed *parsed) {
    Error error;
    parsed->trees = ARENA_ARRAY(arena, Tree, parsed->count);
    Parser parser = test_parser();
    for (size_t first = 0; first < parsed->count; first += BATCH) {
        size_t count = parsed->count - first < BATCH ? parsed->count - first : BATCH;
        if (parser.parse(parser.context, arena, parsed->sources + first, count, parsed->trees + first,
                         &error) != STATUS_OK)
            fail_msg("%s", error_line(arena, &error));
    }
}

static bool as_expected(const Findings *findings, const char *rule) {
    bool undecided = rule[0] == '?', found = rule[0] == '\0' && findings->count == 0;
    for (size_t i = 0; i < findings->count; i++) {
        const Finding *finding = &findings->items[i];
        bool same = text_equal(finding->rule->id, undecided ? rule + 1 : rule);
        if (finding->severity == SEVERITY_VIOLATION && (undecided || !same))
            return false;
        found |= same && finding->severity == (undecided ? SEVERITY_UNDECIDED : SEVERITY_VIOLATION);
    }
    return found;
}

static size_t judge_case(Arena *arena, const char *folder, const char *file, const FlowCase *item,
                         Parsed *parsed) {
    Error error;
    Program program = {0};
    Findings *imports = findings_new(arena), *findings = findings_new(arena);
    Parser parser = {.parse = parse_again, .context = parsed};
    const char *path = arena_printf(arena, "%s/%s", folder, file);
    if (program_load(arena, &parser, path, PART_OWN, NULL, 0, &program, imports, &error) != STATUS_OK)
        fail_msg("%s: %s", item->name, error_line(arena, &error));
    policy_judge_source(&program, findings);
    if (as_expected(findings, item->rule))
        return 0;
    print_message("%s: expected \"%s\"\n", item->name, item->rule);
    for (size_t i = 0; i < findings->count; i++)
        print_message("  %s%s, %d: %s; %s\n", findings->items[i].severity == SEVERITY_VIOLATION ? "" : "?",
                      findings->items[i].rule->id, findings->items[i].place.line, findings->items[i].what,
                      findings->items[i].instead);
    return 1;
}

static void check(const FlowCase *cases, size_t count, bool whole) {
    Arena *arena = arena_new();
    char folder[] = "/tmp/plumbline-flow-XXXXXX";
    assert_non_null(mkdtemp(folder));
    const char *const texts[] = {CHILD, HELPER};
    Parsed parsed = {.count = count + COUNT_OF(texts)};
    parsed.sources = ARENA_ARRAY(arena, Source, parsed.count);
    for (size_t i = 0; i < parsed.count; i++) {
        const char *text = i < count ? case_text(arena, &cases[i], whole) : texts[i - count];
        const char *name = i < count ? arena_printf(arena, "case_%zu.py", i) : "helper.py";
        write_text(arena, folder, name, text);
        Error error;
        assert_int_equal(source_read(arena, arena_printf(arena, "%s/%s", folder, name), cases[i % count].name,
                                     &parsed.sources[i], &error),
                         STATUS_OK);
    }
    parse_all(arena, &parsed);
    const char *children = arena_printf(arena, "%s/children", folder);
    static const char *const CHILDREN[] = {"linear.py", "norm.py"};
    char command[256];
    snprintf(command, sizeof command, "mkdir '%s'", children);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < COUNT_OF(CHILDREN); i++)
        write_text(arena, children, CHILDREN[i], CHILD);
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += judge_case(arena, folder, arena_printf(arena, "case_%zu.py", i), &cases[i], &parsed);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
    arena_free(arena);
    if (wrong > 0)
        fail_msg("%zu of %zu cases went wrong", wrong, count);
}

void check_flow_cases(const FlowCase *cases, size_t count) {
    check(cases, count, false);
}

void check_flow_files(const FlowCase *cases, size_t count) {
    check(cases, count, true);
}
