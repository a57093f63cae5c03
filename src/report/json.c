/* verification_result.json: the keys of formats.md first, ours beside them. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void append(json_t *list, json_t *value) {
    json_array_append_new(list, value);
}

static const char *severity_name(Severity severity) {
    static const char *const names[] = {
        [SEVERITY_VIOLATION] = "violation", [SEVERITY_UNDECIDED] = "undecided", [SEVERITY_NOTE] = "note"};
    return names[severity];
}

static json_t *finding_json(const Finding *finding) {
    json_t *object = json_object();
    set(object, "id", json_string(finding->rule->id));
    set(object, "severity", json_string(severity_name(finding->severity)));
    if (finding->of != NULL)
        set(object, "of", json_string(finding->of));
    set(object, "file", text_or_null(finding->place.file));
    set(object, "line", finding->place.line > 0 ? json_integer(finding->place.line) : json_null());
    set(object, "column", finding->place.column > 0 ? json_integer(finding->place.column) : json_null());
    set(object, "where", text_or_null(finding->where));
    set(object, "message", json_string(finding->what));
    set(object, "instead", text_or_null(finding->instead));
    set(object, "rule", json_string(finding->rule->title));
    set(object, "source", json_string(finding->rule->source));
    set(object, "frame", text_or_null(finding->frame));
    return object;
}

json_t *findings_json(const Findings *findings) {
    json_t *list = json_array();
    for (size_t i = 0; i < findings->count; i++)
        append(list, finding_json(&findings->items[i]));
    return list;
}

static bool is_anticheat(const Finding *finding) {
    return finding->severity == SEVERITY_VIOLATION && !text_starts(finding->rule->id, "weights.") &&
           !text_starts(finding->rule->id, "numbers.");
}

/* "init.parameter" and its kin: what formats.md calls a parameter violation. */
static bool is_parameter_violation(const Finding *finding) {
    return strstr(finding->rule->id, "parameter") != NULL && finding->place.line == 0;
}

/* The marked line of a code frame, after its gutter ("31 | "), or "". */
static char *framed_line(Arena *arena, const Finding *finding) {
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%d | ", finding->place.line);
    const char *at = finding->frame == NULL ? NULL : strstr(finding->frame, wanted);
    if (at == NULL)
        return arena_strdup(arena, "");
    at += strlen(wanted);
    at += strspn(at, " \t");
    return arena_strndup(arena, at, strcspn(at, "\n"));
}

static json_t *anticheat_json(Arena *arena, const StepResult *result) {
    json_t *object = json_object(), *violations = json_array(), *source = json_array(),
           *parameters = json_array();
    for (size_t i = 0; result->anticheat != PART_SKIPPED && i < result->findings->count; i++) {
        const Finding *finding = &result->findings->items[i];
        if (!is_anticheat(finding))
            continue;
        Place place = finding->place;
        append(violations, json_string(place.file == NULL ? finding->what
                                                          : arena_printf(arena, "%s:%d: %s", place.file,
                                                                         place.line, finding->what)));
        json_t *item = json_object();
        if (is_parameter_violation(finding)) {
            set(item, "parameter", json_string(finding->where == NULL ? "" : finding->where));
            set(item, "reason", json_string(finding->what));
            append(parameters, item);
            continue;
        }
        set(item, "pattern", json_string(finding->rule->id));
        set(item, "line_number", json_integer(place.line));
        set(item, "line_text", json_string(framed_line(arena, finding)));
        set(item, "location", json_string(finding->where == NULL ? "" : finding->where));
        append(source, item);
    }
    set(object, "status", json_string(part_status_name(result->anticheat)));
    set(object, "violations", violations);
    set(object, "source_violations", source);
    set(object, "parameter_violations", parameters);
    return object;
}

static json_t *names_json(const char *const *names, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        append(list, json_string(names[i]));
    return list;
}

static json_t *weights_json(const StepResult *result) {
    const Assignment *assignment = result->assignment;
    json_t *object = json_object();
    set(object, "status", json_string(part_status_name(result->weights)));
    set(object, "mapped_count", json_integer(assignment == NULL ? 0 : (json_int_t)assignment->mapped_count));
    set(object, "unmapped_original",
        assignment == NULL ? json_array() : weights_unmapped_original(assignment));
    set(object, "unmapped_refactored",
        assignment == NULL ? json_array() : weights_unmapped_refactored(assignment));
    set(object, "weight_map", assignment == NULL ? json_object() : weights_map_to_json(assignment));
    return object;
}

static json_t *index_json(const int64_t *index, size_t rank) {
    json_t *list = json_array();
    for (size_t i = 0; i < rank; i++)
        append(list, json_integer(index[i]));
    return list;
}

static json_t *element_json(const ComparedElement *element, size_t rank) {
    json_t *object = json_object();
    set(object, "index", index_json(element->index, rank));
    set(object, "original", json_string(element->original_text));
    set(object, "refactored", json_string(element->candidate_text));
    return object;
}

static json_t *output_json(const OutputComparison *output, size_t number) {
    json_t *object = json_object();
    set(object, "output_idx", json_integer((json_int_t)number));
    set(object, "path", json_string(output->path));
    set(object, "shape_match", json_boolean(output->shape_match));
    set(object, "shape", json_string(output->shape));
    set(object, "dtype", json_string(output->dtype));
    set(object, "matches", json_boolean(output->matches));
    if (output->problem != NULL)
        set(object, "problem", json_string(output->problem));
    if (!output->compared)
        return object;
    const Comparison *numbers = &output->numbers;
    set(object, "max_diff", json_number(numbers->max_abs));
    set(object, "mean_diff", json_number(numbers->mean_abs));
    set(object, "max_relative", json_number(numbers->max_rel));
    set(object, "max_ulp", json_integer((json_int_t)numbers->max_ulp));
    set(object, "elements", json_integer((json_int_t)numbers->element_count));
    set(object, "mismatches", json_integer((json_int_t)numbers->mismatches));
    if (numbers->mismatches > 0) {
        set(object, "first", element_json(&numbers->first, numbers->rank));
        set(object, "worst", element_json(&numbers->worst, numbers->rank));
    }
    return object;
}

static json_t *trial_json(const Trial *trial) {
    json_t *object = json_object(), *outputs = json_array();
    set(object, "trial", json_integer(trial->number));
    if (trial->kind != TRIAL_SEEDED)
        set(object, "kind", json_string(trial_kind_name(trial->kind)));
    if (trial->sizes != NULL)
        set(object, "sizes", json_string(trial->sizes));
    set(object, "seed", json_integer((json_int_t)trial->seed));
    set(object, "max_diff", json_number(trial->max_diff));
    set(object, "pass", json_boolean(trial->pass));
    if (trial->error != NULL)
        set(object, "error", json_string(trial->error));
    if (!trial->counts)
        set(object, "not_evidence", text_or_null(trial->why_not));
    if (trial->rounding)
        set(object, "rounding", json_true());
    for (size_t i = 0; i < trial->output_count; i++)
        append(outputs, output_json(&trial->outputs[i], i));
    set(object, "output_details", outputs);
    return object;
}

static json_t *trials_json(const Trial *trials, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        append(list, trial_json(&trials[i]));
    return list;
}

static json_t *numbers_json(const StepResult *result) {
    json_t *object = json_object();
    set(object, "status", json_string(part_status_name(result->numbers)));
    set(object, "rtol", json_number(result->tolerance.rtol));
    set(object, "atol", json_number(result->tolerance.atol));
    set(object, "input_dtype", text_or_null(result->input_dtype));
    set(object, "num_trials", json_integer((json_int_t)result->seeded_count));
    set(object, "max_diff_across_trials", json_number(result->max_diff));
    set(object, "trials", trials_json(result->trials, result->seeded_count));
    return object;
}

static json_t *perturbed_json(const StepResult *result) {
    json_t *object = json_object();
    const Trial *first = result->trials == NULL ? NULL : result->trials + result->seeded_count;
    set(object, "seed", json_integer((json_int_t)result->perturb_seed));
    set(object, "trials", trials_json(first, first == NULL ? 0 : result->trial_count - result->seeded_count));
    return object;
}

static json_t *departure_side_json(const DepartureSide *side) {
    if (side->operator== NULL)
        return json_null();
    json_t *object = json_object();
    set(object, "operator", json_string(side->operator));
    set(object, "module", text_or_null(side->module));
    set(object, "file", text_or_null(side->place.file));
    set(object, "line", side->place.line > 0 ? json_integer(side->place.line) : json_null());
    set(object, "shape", json_string(side->shape));
    set(object, "dtype", json_string(side->dtype));
    return object;
}

static json_t *departure_json(const Departure *departure) {
    json_t *object = json_object();
    const bool compared = departure->compared;
    set(object, "says", json_string(departure->says));
    set(object, "kind", json_string(trial_kind_name(departure->kind)));
    set(object, "seed", json_integer((json_int_t)departure->seed));
    set(object, "original", departure_side_json(&departure->original));
    set(object, "refactored", departure_side_json(&departure->refactored));
    set(object, "refactored_source", departure_side_json(&departure->source));
    set(object, "max_diff", compared ? json_number(departure->max_diff) : json_null());
    set(object, "mean_diff", compared ? json_number(departure->mean_diff) : json_null());
    set(object, "size", compared ? json_number(departure->size) : json_null());
    set(object, "agreed_before", json_integer((json_int_t)departure->agreed));
    set(object, "original_values", json_integer((json_int_t)departure->original_values));
    set(object, "refactored_values", json_integer((json_int_t)departure->refactored_values));
    set(object, "limited", text_or_null(departure->limited));
    return object;
}

static json_t *versions_json(const StepResult *result) {
    json_t *object = json_object();
    set(object, "plumbline", json_string(PLUMBLINE_VERSION));
    set(object, "python", text_or_null(result->python_version));
    set(object, "torch", text_or_null(result->torch_version));
    set(object, "interpreter", text_or_null(result->interpreter));
    return object;
}

/* Seconds, to the millisecond. */
static void set_seconds(json_t *object, const char *key, double seconds) {
    set(object, key, json_real(round(seconds * 1000) / 1000));
}

static json_t *timings_json(const StepResult *result) {
    json_t *object = json_object();
    set_seconds(object, "total", result->seconds.total);
    set_seconds(object, "start_interpreter", result->seconds.start_interpreter);
    set_seconds(object, "policy", result->seconds.policy);
    set_seconds(object, "construct", result->seconds.construct);
    set_seconds(object, "run", result->seconds.run);
    set_seconds(object, "forward", result->seconds.forward);
    set_seconds(object, "compare", result->seconds.compare);
    return object;
}

static json_t *place_json(Place place) {
    if (place.file == NULL)
        return json_null();
    json_t *object = json_object();
    set(object, "file", json_string(place.file));
    set(object, "line", place.line > 0 ? json_integer(place.line) : json_null());
    return object;
}

static void add_narrowed(json_t *list, const char *const *claims, const char *const *rules, size_t count) {
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_object();
        set(item, "rule", json_string(rules[i]));
        set(item, "claim", json_string(claims[i]));
        append(list, item);
    }
}

/* Everything by which the verdict holds less widely than it could. */
static json_t *narrowed_json(const StepResult *result) {
    json_t *list = json_array();
    add_narrowed(list, result->assumptions, result->assumption_rules, result->assumption_count);
    if (result->proof.proved)
        add_narrowed(list, result->proof.narrowed, result->proof.narrowed_by, result->proof.narrowed_count);
    for (size_t i = 0; result->proof.proved && i < result->proof.condition_count; i++)
        add_narrowed(list, &result->proof.conditions[i], (const char *const[]){"soundness 12"}, 1);
    return list;
}

json_t *report_proof_json(const ProofResult *proof) {
    json_t *object = json_object(), *narrowed = json_array(), *bindings = json_array();
    set(object, "status",
        json_string(proof->proved      ? "proved"
                    : proof->attempted ? "not proved"
                                       : "not attempted"));
    set(object, "recorded",
        proof->attempted ? json_string(proof->symbolic ? "shapes" : "real tensors") : json_null());
    set(object, "why_not", text_or_null(proof->why_not));
    set(object, "cause", text_or_null(proof->cause));
    set(object, "original_place", place_json(proof->original_place));
    set(object, "refactored_place", place_json(proof->place));
    set(object, "original_frame", text_or_null(proof->original_frame));
    set(object, "refactored_frame", text_or_null(proof->frame));
    set(object, "shapes", names_json(proof->shapes, proof->shape_count));
    set(object, "conditions", names_json(proof->conditions, proof->condition_count));
    add_narrowed(narrowed, proof->narrowed, proof->narrowed_by, proof->narrowed_count);
    set(object, "narrowed", narrowed);
    for (size_t i = 0; i < proof->binding_count; i++)
        if (proof->bindings[i].free)
            append(bindings, json_string(proof->bindings[i].original));
    set(object, "free_by_symmetry", bindings);
    set(object, "operators", json_integer((json_int_t)proof->operators));
    return object;
}

const char *report_method(const StepResult *result) {
    return result->verdict != VERDICT_PASS ? NULL : result->proof.proved ? "proved" : "tested";
}

json_t *report_step_json(const StepResult *result, const char *timestamp) {
    Arena *arena = arena_new();
    json_t *object = json_object();
    set(object, "timestamp", json_string(timestamp));
    set(object, "original_file", text_or_null(result->original_file));
    set(object, "refactored_file", text_or_null(result->refactored_file));
    if (result->judged_against != NULL)
        set(object, "judged_against", text_or_null(result->judged_against));
    set(object, "status", json_string(verdict_name(result->verdict)));
    if (result->fail_reason != NULL)
        set(object, "fail_reason", json_string(result->fail_reason));
    if (result->error != NULL)
        set(object, "error", json_string(result->error));
    set(object, "anticheat", anticheat_json(arena, result));
    set(object, "weight_transfer", weights_json(result));
    set(object, "numerical_comparison", numbers_json(result));
    if (result->departure != NULL)
        set(object, "first_departure", departure_json(result->departure));
    set(object, "method", text_or_null(report_method(result)));
    set(object, "proof", report_proof_json(&result->proof));
    set(object, "perturbed", perturbed_json(result));
    set(object, "findings", findings_json(result->findings));
    set(object, "assumptions", names_json(result->assumptions, result->assumption_count));
    set(object, "narrowed", narrowed_json(result));
    set(object, "allowed_imports", names_json(result->allowed_imports, result->allowed_import_count));
    set(object, "rigor", json_string(rigor_name(result->rigor)));
    set(object, "device", text_or_null(result->device));
    set(object, "sandbox", sandbox_to_json(&result->sandbox));
    set(object, "versions", versions_json(result));
    set(object, "timings", timings_json(result));
    arena_free(arena);
    return object;
}

json_t *report_lint_json(const char *const *files, const LintResult *results, size_t count) {
    json_t *object = json_object(), *list = json_array();
    Verdict worst = VERDICT_PASS;
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_object();
        set(item, "file", text_or_null(files[i]));
        set(item, "status", json_string(verdict_name(results[i].verdict)));
        if (results[i].error != NULL)
            set(item, "error", json_string(results[i].error));
        set(item, "findings", findings_json(results[i].findings));
        append(list, item);
        if (results[i].verdict > worst)
            worst = results[i].verdict;
    }
    set(object, "status", json_string(verdict_name(worst)));
    set(object, "files", list);
    return object;
}

static int add_to_text(const char *data, size_t size, void *text) {
    text_add_bytes(text, data, size);
    return 0;
}

Bytes report_json_text(Arena *arena, const json_t *value) {
    Text text = text_new(arena);
    if (json_dump_callback(value, add_to_text, &text,
                           JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15)) != 0) {
        text.length = 0;
        text_add(&text, "null");
    }
    text_add(&text, "\n");
    return (Bytes){(const uint8_t *)text.data, text.length};
}
