/* Components by themselves: one recorded, two held against each other. */
#include "recording.h"

#include <string.h>

/* ---- Two: plumbline diff, plumbline weights ------------------------------------------------- */

static Status prove_any_way(StepState *step, bool components, Error *error) {
    bool proved = false, go_on = true;
    if (step_load(step, components ? "original" : "candidate", error) != STATUS_OK)
        return STATUS_ERROR;
    if (!components && !step_judge_source(step))
        return STATUS_OK;
    if (!components && step_read_map(step, error) != STATUS_OK)
        return STATUS_ERROR;
    if (step_prove_alone(step, &proved, error) != STATUS_OK)
        return STATUS_ERROR;
    if (proved || step->result->proof.recorded || step->too_long)
        return STATUS_OK;
    if (step_describe(step, &go_on, error) != STATUS_OK ||
        step_assign_weights(step, &go_on, error) != STATUS_OK)
        return STATUS_ERROR;
    return step_prove(step, false, error);
}

static const char *first_violation(Arena *arena, const Findings *findings) {
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].severity == SEVERITY_VIOLATION)
            return finding_text(arena, &findings->items[i]);
    return "the refactored file breaks the rules of the language";
}

void proof_verify(Arena *arena, Probe *probe, const StepOptions *options, bool components,
                  const Progress *progress, StepResult *result) {
    double start = seconds_now();
    StepState *step = step_new(arena, probe, options, progress, result);
    Error error;
    if (prove_any_way(step, components, &error) != STATUS_OK) {
        step_result_error(arena, options, &error, result);
    } else if (result->proof.attempted && !result->proof.recorded) {
        result->verdict = VERDICT_ERROR;
        result->error = result->proof.why_not;
    } else if (result->proof.proved) {
        result->verdict = VERDICT_PASS;
    } else {
        result->verdict = VERDICT_FAIL;
        findings_sort(result->findings);
        result->fail_reason =
            result->proof.why_not != NULL ? result->proof.why_not : first_violation(arena, result->findings);
    }
    findings_sort(result->findings);
    result->sandbox = *probe_sandbox(probe);
    result->seconds.total = seconds_now() - start;
    step_close(step);
}

json_t *proof_map_json(const ProofResult *proof) {
    json_t *map = json_object();
    for (size_t i = 0; i < proof->binding_count; i++) {
        const char *key = proof->bindings[i].original;
        json_t *before = json_object_get(map, key), *value = json_string(proof->bindings[i].refactored);
        if (before == NULL) {
            json_object_set_new(map, key, value);
        } else if (json_is_array(before)) {
            json_array_append_new(before, value);
        } else { /* one original to several places */
            json_t *list = json_array();
            json_array_append(list, before);
            json_array_append_new(list, value);
            json_object_set_new(map, key, list);
        }
    }
    return map;
}

/* ---- One: plumbline trace ------------------------------------------------------------------- */

/* What is asked of its own file; `init`: what it is built with where that is not the file's own. */
static Status sample_of(StepState *step, const Side *side, bool symbolic, unsigned trials,
                        const InitInputs *init, Description *description, CellFailure *failure,
                        Error *error) {
    if (symbolic)
        return record_own_inputs(step, side, description, failure, error);
    const DescribeRequest wanted = {.seed = step->options->seed,
                                    .trial_seed = step->options->seed,
                                    .trial_count = trials,
                                    .init = init,
                                    .initialise = true};
    json_t *done;
    Work work;
    if (work_describe(step->arena, &step->settings, side, &wanted, &work, error) != STATUS_OK)
        return STATUS_ERROR;
    Status status = work_wait(step->arena, &work, &done, failure, error);
    if (status == STATUS_OK && done != NULL)
        status = description_decode(step->arena, &work, done, description, error);
    work_close(&work);
    return status;
}

typedef struct Samples {
    Description own, lent; /* the original lends what a refactored file leaves to it, as in a step */
    bool init_lent, inputs_lent;
} Samples;

static Status take_samples(StepState *step, const Side *side, bool symbolic, Samples *samples,
                           CellFailure *failure, Error *error) {
    const bool refactored = side == &step->candidate;
    *samples = (Samples){.init_lent = refactored && !program_defines(&side->program, "get_init_inputs"),
                         .inputs_lent = refactored && !program_defines(&side->program, "get_inputs")};
    if ((samples->init_lent || samples->inputs_lent) &&
        sample_of(step, &step->original, symbolic, 1, NULL, &samples->lent, failure, error) != STATUS_OK)
        return STATUS_ERROR;
    if (failure->failed || (symbolic && samples->inputs_lent))
        return STATUS_OK;
    return sample_of(step, side, symbolic, samples->inputs_lent ? 0 : 1,
                     samples->init_lent ? &samples->lent.init : NULL, &samples->own, failure, error);
}

static Status record_with(StepState *step, const Side *side, bool symbolic, const Samples *samples,
                          Recording *recording, Error *error) {
    const Description *given = samples->inputs_lent ? &samples->lent : &samples->own;
    RecordInputs inputs =
        record_inputs(step, json_array_get(json_object_get(given->done, "trials"), 0), given->inputs, false);
    RecordRequest request = {.inputs = &inputs, .init = samples->init_lent ? &samples->lent.init : NULL};
    Work work;
    if (!symbolic) {
        request.weights = weights_layout_original(&samples->own.state);
        request.weights_file = samples->own.weights;
    }
    Status status = record_start(step, side, &request, &work, error);
    if (status == STATUS_OK)
        status = record_finish(step->arena, &work, &inputs, recording, NULL, error);
    json_decref((json_t *)request.weights);
    record_inputs_close(&inputs);
    return status;
}

static Status record_one(StepState *step, const Side *side, bool symbolic, Recording *recording,
                         Error *error) {
    Samples samples;
    CellFailure failure = {0};
    *recording = (Recording){0};
    Status status = take_samples(step, side, symbolic, &samples, &failure, error);
    if (status == STATUS_OK && failure.failed)
        recording->failure = failure;
    else if (status == STATUS_OK)
        status = record_with(step, side, symbolic, &samples, recording, error);
    description_close(&samples.own);
    description_close(&samples.lent);
    return status;
}

static Status trace_one(StepState *step, const Side *side, bool real, TraceResult *result, Error *error) {
    Recording recording;
    result->symbolic = !real;
    if (step_load(step, side == &step->original ? "original" : "candidate", error) != STATUS_OK ||
        record_one(step, side, !real, &recording, error) != STATUS_OK)
        return STATUS_ERROR;
    if (recording.failure.failed && !recording.failure.too_long && !real) {
        result->not_symbolic = recording.failure.what;
        result->symbolic = false;
        recording_close(&recording);
        if (record_one(step, side, false, &recording, error) != STATUS_OK)
            return STATUS_ERROR;
    }
    if (recording.failure.failed) {
        recording_close(&recording);
        return failure_error("", &recording.failure, error);
    }
    result->trace = recording.trace;
    result->seconds = recording.seconds;
    Graph graphs[SECTION_COUNT];
    Status status = recording_graphs(step->arena, graph_labels_new(step->arena), &recording, graphs, error);
    if (status == STATUS_OK) {
        result->graph = graphs[0];
        result->graph.trace = &result->trace;
    }
    recording_close(&recording);
    return status;
}

static void trace_side(Arena *arena, Probe *probe, const StepOptions *options, bool original, bool real,
                       TraceResult *result) {
    StepResult unused;
    const Progress silent = {0};
    *result = (TraceResult){0};
    StepState *step = step_new(arena, probe, options, &silent, &unused);
    const Side *side = original ? &step->original : &step->candidate;
    Error error;
    if (trace_one(step, side, real, result, &error) != STATUS_OK) {
        result->verdict = VERDICT_ERROR;
        result->error = error_line(arena, &error);
    } else {
        const Program *program = &side->program;
        result->files = ARENA_ARRAY(arena, const char *, program->count + 1);
        result->paths = ARENA_ARRAY(arena, const char *, program->count + 1);
        result->file_count = program->count;
        for (size_t i = 0; i < program->count; i++) {
            result->files[i] = program->items[i]->source.name;
            result->paths[i] = program->items[i]->source.path;
        }
        size_t unknown = graph_unknown_origin(&result->graph);
        if (unknown != SIZE_MAX) {
            result->verdict = VERDICT_FAIL;
            result->unknown = term_describe(arena, &result->graph, (TermId){(uint32_t)unknown});
        }
    }
    step_close(step);
}

void trace_component(Arena *arena, Probe *probe, const StepOptions *options, bool real, TraceResult *result) {
    trace_side(arena, probe, options, true, real, result);
}

void trace_refactored(Arena *arena, Probe *probe, const StepOptions *options, TraceResult *result) {
    trace_side(arena, probe, options, false, false, result);
}
