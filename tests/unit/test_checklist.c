/* The checklist: every rule breaks one of its lines. */
#include "check_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void has_a_line(const Rule *rule) {
    if (checklist_line_of(rule, false) >= CHECKLIST_COUNT)
        fail_msg("no line of the checklist speaks of %s", rule->id);
}

static void every_rule_has_a_line(void **state) {
    (void)state;
    const Rule *const *const rooms[] = {POLICY_RULES, PROJECT_RULES, SOURCE_RULES, VERIFY_RULES};
    for (size_t i = 0; i < COUNT_OF(rooms); i++)
        for (const Rule *const *rule = rooms[i]; *rule != NULL; rule++)
            has_a_line(*rule);
    for (size_t i = 0; i < WEIGHTS_RULE_COUNT; i++)
        has_a_line(&WEIGHTS_RULES[i]);
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
                                       cmocka_unit_test(lines_are_the_guides)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
