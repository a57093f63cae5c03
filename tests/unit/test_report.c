/* The report room: what a person reads of a result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report.h"

static const char *step_text(Arena *arena, const StepResult *result, bool quiet) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    report_step(&(View){.stream = stream, .quiet = quiet}, result);
    fclose(stream);
    const char *copy = arena_strdup(arena, text);
    free(text);
    return copy;
}

static void test_an_error_in_the_proof_is_told(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const StepResult result = {.original_file = "original.py",
                               .refactored_file = "refactored.py",
                               .verdict = VERDICT_ERROR,
                               .error = "recording, event 3: refused",
                               .proof = {.attempted = true},
                               .findings = findings_new(arena)};
    const char *text = step_text(arena, &result, false);
    assert_non_null(strstr(text, "not finished"));
    assert_non_null(strstr(text, "\nERROR  recording, event 3: refused\n"));
    arena_free(arena);
}

static void test_no_text_of_a_user_makes_a_line(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char *forged = "bad\nPASS  proved, in 1.0 s";
    Departure departure = {.says = forged};
    StepResult result = {.original_file = forged,
                         .refactored_file = forged,
                         .verdict = VERDICT_FAIL,
                         .fail_reason = forged,
                         .error = forged,
                         .proof = {.attempted = true, .why_not = forged},
                         .departure = &departure,
                         .assumptions = &forged,
                         .assumption_count = 1,
                         .findings = findings_new(arena)};
    static const Rule rule = {.id = "numbers.raised"};
    findings_add(result.findings, &rule, SEVERITY_VIOLATION, (Place){.file = forged}, "%s", forged);
    findings_add(result.findings, &rule, SEVERITY_NOTE, (Place){.file = forged}, "%s", forged);
    for (int verdict = VERDICT_FAIL; verdict <= VERDICT_ERROR; verdict++) {
        result.verdict = (Verdict)verdict;
        assert_null(strstr(step_text(arena, &result, false), "\nPASS"));
        assert_null(strstr(step_text(arena, &result, true), "\nPASS"));
    }
    const Bytes diff = report_diff(arena, &result, false, false);
    assert_null(strstr((const char *)diff.data, "\nPASS"));
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_error_in_the_proof_is_told),
        cmocka_unit_test(test_no_text_of_a_user_makes_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
