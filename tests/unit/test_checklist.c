/* The rules of all rooms: every one breaks a line of the checklist, and is documented. */
#include "check_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const Rule *const *const ROOMS[] = {POLICY_RULES, PROJECT_RULES, SOURCE_RULES, VERIFY_RULES};

static void has_a_line(const Rule *rule) {
    if (checklist_line_of(rule, false) >= CHECKLIST_COUNT)
        fail_msg("no line of the checklist speaks of %s", rule->id);
}

static void every_rule_has_a_line(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROOMS); i++)
        for (const Rule *const *rule = ROOMS[i]; *rule != NULL; rule++)
            has_a_line(*rule);
    for (size_t i = 0; i < WEIGHTS_RULE_COUNT; i++)
        has_a_line(&WEIGHTS_RULES[i]);
}

static const char *page(Arena *arena, const char *name) {
    Bytes text;
    Error error;
    const char *path = arena_printf(arena, "%s/docs/%s", getenv("PLUMBLINE_SOURCE_ROOT"), name);
    assert_int_equal(file_read(arena, path, 1 << 20, &text, &error), STATUS_OK);
    return (const char *)text.data;
}

static void every_rule_is_documented_once(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *rules = page(arena, "rules.md"), *weights = page(arena, "weights.md");
    size_t count = 0, rows = 0;
    for (size_t i = 0; i < COUNT_OF(ROOMS); i++)
        for (const Rule *const *each = ROOMS[i]; *each != NULL; each++, count++) {
            const Rule *rule = *each;
            const char *row = arena_printf(arena, "\n| `%s` | %s | %s | %s |\n", rule->id, rule->title,
                                           rule->instead, rule->source);
            if (strstr(rules, row) == NULL)
                fail_msg("docs/rules.md lacks: %s", row + 1);
        }
    for (const char *row = strstr(rules, "\n| `"); row != NULL; row = strstr(row + 1, "\n| `"))
        rows++;
    assert_int_equal(rows, count); /* none twice, and none that is no more */
    for (size_t i = 0; i < WEIGHTS_RULE_COUNT; i++)
        if (strstr(weights, arena_printf(arena, "`%s`", WEIGHTS_RULES[i].id)) == NULL)
            fail_msg("docs/weights.md lacks: %s", WEIGHTS_RULES[i].id);
    arena_free(arena);
}

static void line_is(const char *id, size_t line) {
    assert_int_equal(checklist_line_of(project_rule(id), false) + 1, line);
}

static void lines_are_the_guides(void **state) {
    (void)state;
    line_is("component.self-test", 4);
    line_is("composition.test", 5);
    line_is("coverage.summary", 6);
    line_is("coverage.missing", 8);
    line_is("flow.shape", 7);
    line_is("flow.dtype", 16);
    line_is("level.kernel", 9);
    line_is("level.misclassified", 10);
    line_is("level.leaf", 12);
    line_is("level.order", 13);
    line_is("tree.cycle", 13);
    line_is("tree.counts", 14);
    line_is("log.decision", 15);
    line_is("name.shape", 11);
    line_is("dimensions.input", 17);
    assert_int_equal(checklist_line_of(&WEIGHTS_RULES[0], false) + 1, 3);
    assert_int_equal(checklist_line_of(&WEIGHTS_RULES[0], true) + 1, 5);
    const Rule nowhere = {.id = "weather.rain"};
    assert_int_equal(checklist_line_of(&nowhere, true), CHECKLIST_COUNT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rule_has_a_line),
                                       cmocka_unit_test(every_rule_is_documented_once),
                                       cmocka_unit_test(lines_are_the_guides)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
