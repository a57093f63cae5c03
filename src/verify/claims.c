/* claims: what the folder's own result files say, against what was found. */
#include "check_parts.h"

#include <math.h>
#include <string.h>

enum { MOST_BYTES = 64 << 20 };

static Finding *add(CheckResult *result, const char *rule, Severity severity, const char *file,
                    const char *what) {
    return findings_add(result->findings, project_rule(rule), severity, (Place){.file = file}, "%s", what);
}

/* NULL if the file is not there, or is no JSON object: `problem` then says which. New reference. */
static json_t *read_object(Arena *arena, const CheckResult *result, const char *name, const char **problem) {
    Error error;
    Bytes bytes;
    json_t *object = NULL;
    const char *path = path_join(arena, result->project.folder, name);
    const char *resolved = path_absolute(arena, path), *folder = result->project.folder;
    *problem = NULL;
    if (!file_exists(path))
        *problem = "it is missing";
    else if (!text_starts(resolved, folder) || (resolved[strlen(folder)] != '/' && strcmp(folder, "/") != 0))
        *problem = "it is a link that leaves the decomposition, and is not read";
    else if (file_read(arena, path, MOST_BYTES, &bytes, &error) != STATUS_OK ||
             json_parse(bytes, name, &object, &error) != STATUS_OK)
        *problem = arena_strdup(arena, error.cause);
    else if (!json_is_object(object))
        *problem = "it is no JSON object";
    if (*problem != NULL) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* ---- coverage_summary.json ------------------------------------------------------------------- */

static const CoverageRow *row_named(const CoverageResult *coverage, const char *name) {
    for (size_t i = 0; name != NULL && i < coverage->row_count; i++)
        if (text_equal(coverage->rows[i].operator, name))
            return &coverage->rows[i];
    return NULL;
}

static const char *count_that_differs(Arena *arena, const json_t *counts, const char *of,
                                      const char *const keys[2], const size_t ours[2]) {
    static const char *const words[] = {"original", "decomposed"}, *const places[] = {"original", "kernels"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *said = json_object_get(counts, keys[i]);
        if (!json_is_integer(said) || json_integer_value(said) < 0)
            return arena_printf(arena, "it has no %s", keys[i]);
        if ((size_t)json_integer_value(said) != ours[i])
            return of[0] == '\0'
                       ? arena_printf(arena, "it counts %lld %s operators, and there are %zu",
                                      (long long)json_integer_value(said), words[i], ours[i])
                       : arena_printf(arena, "it counts %s %lld times in the %s, and it is there %zu times",
                                      of, (long long)json_integer_value(said), places[i], ours[i]);
    }
    return NULL;
}

/* What is said besides of a row, or of the whole, in words and percents; it may be left out. */
static const char *saying_that_differs(Arena *arena, const json_t *coverage, const CoverageResult *ours) {
    static const char *const lists[] = {"missing_op_types", "extra_op_types"};
    static const CoverageStatus meant[] = {COVERAGE_MISSING, COVERAGE_EXTRA};
    const json_t *percent = json_object_get(coverage, "coverage_pct");
    if (json_is_number(percent) && fabs(json_number_value(percent) - ours->percent) > 0.1)
        return arena_printf(arena, "it says %.1f %%, and %.1f %% are covered", json_number_value(percent),
                            ours->percent);
    for (size_t l = 0; l < COUNT_OF(lists); l++) {
        size_t count = 0;
        const json_t *list = json_object_get(coverage, lists[l]);
        for (size_t i = 0; i < ours->row_count; i++)
            count += ours->rows[i].status == meant[l];
        if (json_is_array(list) && json_array_size(list) != count)
            return arena_printf(arena, "it has %zu %s, and there are %zu", json_array_size(list), lists[l],
                                count);
    }
    return NULL;
}

/* What stands beside "coverage"; it may be left out. */
static const char *head_that_differs(Arena *arena, const json_t *summary, const CoverageResult *ours) {
    const json_t *count = json_object_get(summary, "decomposed_ops_count"),
                 *errors = json_object_get(summary, "extraction_errors");
    if (json_is_number(count) && json_number_value(count) != (double)ours->decomposed_total)
        return arena_printf(arena, "it says decomposed_ops_count: %.0f, and there are %zu",
                            json_number_value(count), ours->decomposed_total);
    return json_array_size(errors) > 0 ? "it has extraction_errors, and there were none" : NULL;
}

static const char *summary_problem(Arena *arena, const CheckResult *result, const json_t *summary) {
    static const char *const totals[] = {"total_original_ops", "total_decomposed_ops"};
    static const char *const counts[] = {"original_count", "decomposed_count"};
    const CoverageResult *ours = &result->coverage;
    const json_t *coverage = json_object_get(summary, "coverage");
    const char *status = json_string_value(json_object_get(summary, "status"));
    if (!json_is_object(coverage))
        return "it has no \"coverage\"";
    const char *problem = count_that_differs(arena, coverage, "", totals,
                                             (const size_t[]){ours->original_total, ours->decomposed_total});
    if (problem != NULL)
        return problem;
    if (!text_equal(status, ours->status))
        return arena_printf(arena, "it says %s, and what was counted is %s",
                            status == NULL ? "nothing" : status, ours->status);
    const json_t *details = json_object_get(coverage, "op_details"), *detail;
    size_t index;
    Table *listed = table_new(arena);
    json_array_foreach(details, index, detail) {
        const char *name = json_string_value(json_object_get(detail, "op_type"));
        if (name != NULL && table_has(listed, name))
            return arena_printf(arena, "it lists %s twice", text_printable(arena, name, strlen(name)));
        const CoverageRow *row = row_named(ours, name);
        const size_t numbers[] = {row == NULL ? 0 : row->original, row == NULL ? 0 : row->decomposed};
        const char *of = name == NULL ? "" : text_printable(arena, name, strlen(name));
        problem = count_that_differs(arena, detail, of, counts, numbers);
        const char *said = json_string_value(json_object_get(detail, "status"));
        if (problem == NULL && row != NULL && !row->arithmetic && said != NULL &&
            !text_equal(said, coverage_status_name(row->status)))
            problem =
                arena_printf(arena, "it says that %s is %s, and it is %s", of,
                             text_printable(arena, said, strlen(said)), coverage_status_name(row->status));
        if (problem != NULL)
            return problem;
        if (name != NULL)
            table_put(listed, name, TABLE_PRESENT);
    }
    for (size_t i = 0; i < ours->row_count; i++)
        if (!table_has(listed, ours->rows[i].operator))
            return arena_printf(arena, "it doesn't list %s", ours->rows[i].operator);
    problem = saying_that_differs(arena, coverage, ours);
    return problem != NULL ? problem : head_that_differs(arena, summary, ours);
}

static void check_summary(Arena *arena, CheckResult *result) {
    static const char name[] = "verification/coverage_summary.json";
    const char *problem;
    json_t *summary = read_object(arena, result, name, &problem);
    if (summary != NULL)
        problem = result->coverage.status == NULL || !result->composition.recorded
                      ? "there are no counts of ours to hold it against"
                      : summary_problem(arena, result, summary);
    if (problem != NULL)
        add(result, "coverage.summary", SEVERITY_VIOLATION, name, problem);
    json_decref(summary);
}

/* ---- The others: notes ------------------------------------------------------------------------- */

static void check_step_result(Arena *arena, CheckResult *result, size_t step) {
    const char *problem,
        *name = arena_printf(arena, "steps/%s/verification_result.json", result->project.steps[step].name);
    json_t *object = read_object(arena, result, name, &problem);
    const char *said = json_string_value(json_object_get(object, "status")),
               *ours = verdict_name(result->steps[step].verdict);
    if (object != NULL && said != NULL && !text_equal(said, ours))
        add(result, "tree.claim", SEVERITY_NOTE, name,
            arena_printf(arena, "it says %s, and the step is %s", text_printable(arena, said, strlen(said)),
                         ours));
    json_decref(object);
}

static void check_numbers(Arena *arena, CheckResult *result, const char *name, const char *const *keys,
                          const size_t *ours, size_t count) {
    const char *problem;
    json_t *object = read_object(arena, result, name, &problem);
    for (size_t i = 0; object != NULL && i < count; i++) {
        const json_t *said = json_object_get(object, keys[i]);
        if (json_is_integer(said) && json_integer_value(said) != (json_int_t)ours[i])
            add(result, "tree.claim", SEVERITY_NOTE, name,
                arena_printf(arena, "it says %s: %lld, and there are %zu", keys[i],
                             (long long)json_integer_value(said), ours[i]));
    }
    json_decref(object);
}

void claims_check(Arena *arena, CheckResult *result) {
    static const char *const steps_keys[] = {"total_steps", "passed"}, *const components_keys[] = {
                                                                           "total_components", "passed"};
    const Project *project = &result->project;
    size_t steps[] = {project->step_count, 0}, components[] = {project->component_count, 0};
    check_summary(arena, result);
    if (project->composition_test == NULL)
        add(result, "composition.test", SEVERITY_VIOLATION, "verification/composition_test.py",
            "it is missing");
    for (size_t i = 0; i < project->step_count; i++) {
        check_step_result(arena, result, i);
        steps[1] += result->steps[i].verdict == VERDICT_PASS;
    }
    for (size_t i = 0; i < project->component_count; i++)
        components[1] += result->components[i].verdict == VERDICT_PASS;
    check_numbers(arena, result, "verification/step_verification_summary.json", steps_keys, steps, 2);
    check_numbers(arena, result, "verification/test_results.json", components_keys, components, 2);
}
