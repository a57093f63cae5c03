/* Constructing both models: init arguments, state dicts, inputs, dimensions. */
#include "step_state.h"

#include <stdio.h>
#include <string.h>

bool program_defines(const Program *program, const char *name) {
    const Field *body = node_field(program->items[0]->tree.module, FIELD_body);
    for (size_t i = 0; body != NULL && i < body->count; i++)
        if (body->items[i] != NULL && body->items[i]->kind == NODE_FunctionDef &&
            text_equal(node_text(body->items[i], FIELD_name), name))
            return true;
    return false;
}

Status failure_error(const char *whose, const CellFailure *failure, Error *error) {
    char place[1024];
    if (failure->place.line > 0)
        snprintf(place, sizeof place, "%s:%d", failure->place.file, failure->place.line);
    else
        snprintf(place, sizeof place, "%s", failure->place.file);
    const char *stage = failure->stage;
    return error_set(error, place, failure->advice, "the %smodel does not %s: %s", whose,
                     text_equal(stage, "load") || text_equal(stage, "construct") ? stage
                     : text_equal(stage, "inputs")                               ? "give inputs"
                                                                                 : "run",
                     failure->what);
}

/* Waits for a `describe` and decodes it. With `failure`, a failed one is reported there instead of as an
 * error. */
static Status finish(StepState *step, Work *work, Description *description, CellFailure *failure,
                     Error *error) {
    json_t *done;
    Status status = work_wait(step->arena, work, &done, failure, error);
    step->peak = work->peak > step->peak ? work->peak : step->peak;
    if (status == STATUS_OK && done != NULL)
        status = description_decode(step->arena, work, done, description, error);
    work_close(work);
    return status;
}

static DescribeRequest candidate_request(const StepState *step, const InitInputs *init, bool with_inputs) {
    return (DescribeRequest){.seed = step->options->seed,
                             .trial_seed = step->options->seed,
                             .trial_count = with_inputs ? 1 : 0,
                             .initialise = step->candidate_initialise,
                             .init = init};
}

static Status describe_candidate(StepState *step, bool with_inputs, Error *error) {
    DescribeRequest request = candidate_request(step, step->candidate_init, with_inputs);
    CellFailure failure;
    Work work;
    if (work_describe(step->arena, &step->settings, &step->candidate, &request, &work, error) != STATUS_OK ||
        finish(step, &work, &step->candidate_description, &failure, error) != STATUS_OK)
        return STATUS_ERROR;
    if (failure.failed && with_inputs && strcmp(failure.stage, "inputs") == 0)
        return describe_candidate(step, false, error); /* its own inputs are compared, never used */
    if (failure.failed)
        return failure_error("refactored ", &failure, error);
    if (step->candidate_description.random_construction && !step->candidate_initialise) {
        description_close(&step->candidate_description);
        step->candidate_initialise = true;
        return describe_candidate(step, with_inputs, error);
    }
    return STATUS_OK;
}

typedef struct ShapeCheck {
    StepState *step;
    Table *theirs; /* path -> shape text */
    const json_t *tensors;
    bool record;
} ShapeCheck;

static const char *located_shape(Arena *arena, const json_t *located) {
    const json_t *shape = json_object_get(located, "shape");
    Text text = text_new(arena);
    text_add(&text, "[");
    for (size_t i = 0; i < json_array_size(shape); i++)
        text_printf(&text, "%s%lld", i > 0 ? ", " : "",
                    (long long)json_integer_value(json_array_get(shape, i)));
    text_add(&text, "]");
    return text.data;
}

static void check_shape(const char *path, const Value *value, void *context) {
    ShapeCheck *check = context;
    StepState *step = check->step;
    const char *shape = located_shape(step->arena, json_array_get(check->tensors, value->tensor.number));
    if (check->record) {
        table_put(check->theirs, path, (void *)shape);
        return;
    }
    const char *expected = table_get(check->theirs, path);
    if (expected == NULL || strcmp(expected, shape) == 0)
        return;
    Place place = {.file = step->candidate.program.items[0]->source.name};
    step_violation(step, RULE_NUMBERS_DIMENSIONS, place,
                   arena_printf(step->arena,
                                "dimensions don't match the original model: get_inputs() gives %s here and "
                                "%s in the original (%s)",
                                shape, expected, path));
}

static Status walk_inputs(ShapeCheck *check, const Description *description, Error *error) {
    const json_t *trial = json_array_get(json_object_get(description->done, "trials"), 0);
    check->tensors = json_object_get(trial, "tensors");
    Value args, kwargs;
    Arena *arena = check->step->arena;
    size_t count = json_array_size(check->tensors);
    if (value_decode(arena, json_object_get(trial, "args"), count, "get_inputs()", &args, error) !=
            STATUS_OK ||
        value_decode(arena, json_object_get(trial, "kwargs"), count, "get_input_kwargs()", &kwargs, error) !=
            STATUS_OK)
        return STATUS_ERROR;
    value_walk_tensors(arena, &args, "inputs", check_shape, check);
    value_walk_tensors(arena, &kwargs, "inputs", check_shape, check);
    return STATUS_OK;
}

Status step_compare_dimensions(StepState *step, const Description *original, const Description *candidate,
                               Error *error) {
    if (candidate->trial_count == 0)
        return STATUS_OK;
    ShapeCheck check = {.step = step, .theirs = table_new(step->arena), .record = true};
    if (walk_inputs(&check, original, error) != STATUS_OK)
        return STATUS_ERROR;
    check.record = false;
    return walk_inputs(&check, candidate, error);
}

/* Callers name arguments, and leave out those with a default (soundness 7). */
void step_compare_arguments(StepState *step) {
    const json_t *ours =
        json_object_get(json_object_get(step->candidate_description.done, "forward"), "arguments");
    const json_t *theirs =
        json_object_get(json_object_get(step->original_description.done, "forward"), "arguments");
    for (size_t i = 0; i < json_array_size(theirs); i++) {
        const json_t *one = json_array_get(theirs, i), *other = json_array_get(ours, i);
        const char *name = json_string_value(json_object_get(one, "name"));
        const char *found = json_string_value(json_object_get(other, "name"));
        if (name == NULL || (json_equal(one, other) && other != NULL))
            continue;
        name = text_printable(step->arena, name, strlen(name));
        const char *what = found == NULL ? "is missing"
                           : strcmp(found, json_string_value(json_object_get(one, "name"))) == 0
                               ? "has another kind or default"
                               : arena_printf(step->arena, "is called %s here",
                                              text_printable(step->arena, found, strlen(found)));
        step_narrow(
            step, "soundness 7",
            arena_printf(step->arena, "called as the sample is: forward's argument %s %s", name, what));
        return;
    }
}

Status step_describe(StepState *step, bool *go_on, Error *error) {
    step_tell(step, "constructing both models");
    double start = seconds_now();
    const StepOptions *options = step->options;
    DescribeRequest request = {.seed = options->seed,
                               .trial_seed = options->seed,
                               .trial_count = options->trial_count,
                               .initialise = true};
    CellFailure failure;
    Work work;
    if (work_describe(step->arena, &step->settings, &step->original, &request, &work, error) != STATUS_OK ||
        finish(step, &work, &step->original_description, &failure, error) != STATUS_OK)
        return STATUS_ERROR;
    if (failure.failed)
        return failure_error("original ", &failure, error);
    if (step->original_description.trial_count != options->trial_count)
        return error_set(error, options->original, "", "the cell sent %zu sets of inputs instead of %u",
                         step->original_description.trial_count, options->trial_count);
    if (preload_modules(step, error) != STATUS_OK)
        return STATUS_ERROR;
    if (!program_defines(&step->candidate.program, "get_init_inputs"))
        step->candidate_init = &step->original_description.init;
    if (describe_candidate(step, program_defines(&step->candidate.program, "get_inputs"), error) != STATUS_OK)
        return STATUS_ERROR;
    step->described = true;
    step->result->seconds.construct = seconds_now() - start;
    *go_on = true;
    step_compare_arguments(step);
    return step_compare_dimensions(step, &step->original_description, &step->candidate_description, error);
}
