/* `plumbline check` as JSON, and the result files that lie in a decomposition (formats.md). */
#include "parts.h"

#include <math.h>
#include <string.h>

static void append(json_t *list, json_t *value) {
    json_array_append_new(list, value);
}

/* As seen from the folder, where it stands in it: so that a result holds wherever the folder is. */
static const char *model_shown(const CheckResult *result) {
    const Project *project = &result->project;
    size_t length = project->model == NULL ? 0 : strlen(project->folder);
    bool inside =
        length > 0 && strncmp(project->model, project->folder, length) == 0 && project->model[length] == '/';
    return inside ? project->model + length + 1 : project->model;
}

static json_t *checklist_json(const CheckResult *result) {
    json_t *list = json_array();
    for (size_t i = 0; i < CHECKLIST_COUNT; i++) {
        const ChecklistLine *line = &result->checklist[i];
        json_t *item = json_object();
        set(item, "line", json_string(line->text));
        set(item, "holds", json_boolean(line->holds));
        set(item, "judged", json_boolean(line->judged));
        set(item, "evidence", text_or_null(line->evidence));
        append(list, item);
    }
    return list;
}

static json_t *components_json(const CheckResult *result) {
    json_t *list = json_array();
    for (size_t i = 0; i < result->project.component_count; i++) {
        const ComponentResult *component = &result->components[i];
        json_t *item = json_object();
        set(item, "file", text_or_null(result->project.components[i].source.name));
        set(item, "level", json_string(level_name(result->project.components[i].level)));
        set(item, "status", json_string(verdict_name(component->verdict)));
        set(item, "self_test", json_string(part_status_name(component->self_test)));
        set(item, "runs", json_string(part_status_name(component->runs)));
        set(item, "deterministic", json_string(part_status_name(component->deterministic)));
        set(item, "finite", json_string(part_status_name(component->finite)));
        if (component->fail_reason != NULL)
            set(item, "fail_reason", json_string(component->fail_reason));
        if (component->error != NULL)
            set(item, "error", json_string(component->error));
        append(list, item);
    }
    return list;
}

static json_t *steps_json(const CheckResult *result, const char *timestamp) {
    json_t *list = json_array();
    for (size_t i = 0; i < result->project.step_count; i++) {
        json_t *item = json_object();
        set(item, "step_name", text_or_null(result->project.steps[i].name));
        set(item, "result", report_step_json(&result->steps[i], timestamp));
        append(list, item);
    }
    return list;
}

/* Where nothing could be judged, there are no steps' results to ask. */
static const char *method_of(const CheckResult *result) {
    bool proved = result->composition.step.proof.proved;
    if (result->verdict != VERDICT_PASS)
        return NULL;
    for (size_t i = 0; i < result->project.step_count; i++)
        proved &= result->steps[i].proof.proved;
    return proved ? "proved" : "tested";
}

json_t *report_check_json(Arena *arena, const CheckResult *result, const char *timestamp) {
    json_t *object = json_object();
    set(object, "timestamp", json_string(timestamp));
    set(object, "decomp_dir", text_or_null(result->project.name));
    set(object, "model_file", text_or_null(result->project.model));
    set(object, "status", json_string(verdict_name(result->verdict)));
    if (result->error != NULL)
        set(object, "error", json_string(result->error));
    if (result->first != NULL)
        set(object, "fail_reason", json_string(result->first->what));
    set(object, "method", text_or_null(method_of(result)));
    set(object, "rigor", json_string(rigor_name(result->rigor)));
    if (!result->interrupted && result->verdict == VERDICT_ERROR)
        return object;
    set(object, "checklist", checklist_json(result));
    set(object, "findings", findings_json(result->findings));
    set(object, "components", components_json(result));
    set(object, "steps", steps_json(result, timestamp));
    if (result->composition.composed)
        set(object, "composition",
            report_composition_json(arena, &result->project, &result->composition, timestamp));
    if (result->coverage.status != NULL)
        set(object, "coverage", report_coverage_json(&result->coverage, model_shown(result), timestamp));
    set(object, "flow", report_flow_json(&result->flow));
    set(object, "sandbox", sandbox_to_json(&result->sandbox));
    set(object, "versions",
        json_pack("{s: s, s: o, s: o, s: o}", "plumbline", PLUMBLINE_VERSION, "python",
                  text_or_null(result->python_version), "torch", text_or_null(result->torch_version),
                  "interpreter", text_or_null(result->interpreter)));
    set(object, "timings", json_pack("{s: f}", "total", round(result->seconds * 1000) / 1000));
    return object;
}

json_t *report_check_brief_json(const CheckResult *result) {
    json_t *object = json_object(), *steps = json_array();
    set(object, "status", json_string(verdict_name(result->verdict)));
    set(object, "error", text_or_null(result->error));
    set(object, "method", text_or_null(method_of(result)));
    if (result->checklist[0].text != NULL)
        set(object, "checklist", checklist_json(result));
    set(object, "findings", findings_json(result->findings));
    for (size_t i = 0; result->steps != NULL && i < result->project.step_count; i++) {
        json_t *item = json_object();
        set(item, "step_name", text_or_null(result->project.steps[i].name));
        set(item, "status", json_string(verdict_name(result->steps[i].verdict)));
        set(item, "method", text_or_null(report_method(&result->steps[i])));
        append(steps, item);
    }
    set(object, "steps", steps);
    return object;
}

/* ---- Result files ---------------------------------------------------------------------------- */

static Status write_json(Arena *arena, const CheckResult *result, const char *name, json_t *value,
                         Error *error) {
    const Bytes text = report_json_text(arena, value);
    json_decref(value);
    return file_write(path_join(arena, result->project.folder, name), text, error);
}

static size_t steps_with(const CheckResult *result, Verdict verdict) {
    size_t count = 0;
    for (size_t i = 0; i < result->project.step_count; i++)
        count += result->steps[i].verdict == verdict;
    return count;
}

static json_t *step_summary(const CheckResult *result, const CoverageResult *coverage,
                            const char *timestamp) {
    json_t *object = json_object(), *list = json_array();
    size_t passed = steps_with(result, VERDICT_PASS);
    set(object, "timestamp", json_string(timestamp));
    set(object, "decomp_dir", text_or_null(result->project.name));
    set(object, "status",
        json_string(verdict_name(passed == result->project.step_count ? VERDICT_PASS : VERDICT_FAIL)));
    set(object, "total_steps", json_integer((json_int_t)result->project.step_count));
    set(object, "passed", json_integer((json_int_t)passed));
    set(object, "failed", json_integer((json_int_t)(result->project.step_count - passed)));
    set(object, "skipped", json_integer(0));
    for (size_t i = 0; i < result->project.step_count; i++) {
        const StepResult *step = &result->steps[i];
        json_t *item = json_object();
        set(item, "step_name", text_or_null(result->project.steps[i].name));
        set(item, "verification_status", json_string(verdict_name(step->verdict)));
        set(item, "coverage_pct", json_number(coverage[i].percent));
        set(item, "max_diff", json_number(step->max_diff));
        set(item, "anticheat_status", json_string(part_status_name(step->anticheat)));
        append(list, item);
    }
    set(object, "steps", list);
    return object;
}

static json_t *test_results(const CheckResult *result, const char *timestamp) {
    json_t *object = json_object(), *list = json_array();
    size_t passed = 0;
    for (size_t i = 0; i < result->project.component_count; i++) {
        json_t *item = json_object();
        set(item, "file", text_or_null(result->project.components[i].source.name));
        set(item, "status", json_string(verdict_name(result->components[i].verdict)));
        append(list, item);
        passed += result->components[i].verdict == VERDICT_PASS;
    }
    set(object, "timestamp", json_string(timestamp));
    set(object, "total_components", json_integer((json_int_t)result->project.component_count));
    set(object, "passed", json_integer((json_int_t)passed));
    set(object, "failed", json_integer((json_int_t)(result->project.component_count - passed)));
    set(object, "composition_test", json_string(part_status_name(result->composition.test)));
    set(object, "max_difference", json_number(result->composition.step.max_diff));
    set(object, "component_results", list);
    return object;
}

static Status write_step(Arena *arena, const CheckResult *result, size_t index, CoverageResult *coverage,
                         const char *timestamp, Error *error) {
    const ProjectStep *step = &result->project.steps[index];
    *coverage = (CoverageResult){0};
    if (write_json(arena, result, arena_printf(arena, "steps/%s/verification_result.json", step->name),
                   report_step_json(&result->steps[index], timestamp), error) != STATUS_OK)
        return STATUS_ERROR;
    if (step->parent == NO_INDEX)
        return STATUS_OK;
    if (step->parent == result->project.root_component)
        *coverage = result->coverage; /* its leaves are all there are */
    else
        coverage_of_step(arena, &result->composition, &result->project, index,
                         &result->components[step->parent], result->patterns, coverage);
    const char *model = result->project.components[step->parent].source.name;
    return write_json(arena, result, arena_printf(arena, "steps/%s/coverage_report.json", step->name),
                      report_coverage_json(coverage, model, timestamp), error);
}

static Status stays_inside(Arena *arena, const CheckResult *result, const char *name, Error *error) {
    const char *path = path_join(arena, result->project.folder, name);
    if (path_is_inside(result->project.folder, path_absolute(arena, path)))
        return STATUS_OK;
    return error_set(error, path, "make it a folder of the decomposition",
                     "it is a link that leaves the decomposition; nothing is written");
}

static Status all_stay_inside(Arena *arena, const CheckResult *result, Error *error) {
    for (size_t i = 0; i < result->project.step_count; i++)
        if (stays_inside(arena, result, arena_printf(arena, "steps/%s", result->project.steps[i].name),
                         error) != STATUS_OK)
            return STATUS_ERROR;
    return stays_inside(arena, result, "verification", error);
}

Status report_check_files(Arena *arena, const CheckResult *result, const char *timestamp, Error *error) {
    CoverageResult *coverage = ARENA_ARRAY(arena, CoverageResult, result->project.step_count + 1);
    if (all_stay_inside(arena, result, error) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < result->project.step_count; i++)
        if (write_step(arena, result, i, &coverage[i], timestamp, error) != STATUS_OK)
            return STATUS_ERROR;
    if (directory_make(path_join(arena, result->project.folder, "verification"), error) != STATUS_OK ||
        write_json(arena, result, "verification/step_verification_summary.json",
                   step_summary(result, coverage, timestamp), error) != STATUS_OK ||
        write_json(arena, result, "verification/test_results.json", test_results(result, timestamp), error) !=
            STATUS_OK)
        return STATUS_ERROR;
    if (result->coverage.status == NULL)
        return STATUS_OK;
    return write_json(arena, result, "verification/coverage_summary.json",
                      report_coverage_json(&result->coverage, model_shown(result), timestamp), error);
}
