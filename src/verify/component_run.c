/* One component run with numbers, twice: are its outputs finite, and do they hang on its inputs alone? */
#include "component_parts.h"

#include <math.h>
#include <string.h>

/* The outputs of two models of one construction, one after the other in one cell. */
typedef struct RealRuns {
    Work work;
    RunOutputs outputs[2];
    MemoryFile *files[2];
    CellFailure failure;
} RealRuns;

static Status run_both(ComponentState *component, const Description *description, RealRuns *runs,
                       Error *error) {
    Arena *arena = component->arena;
    json_t *weights = weights_layout_original(&description->state), *done = NULL;
    const json_t *trial = json_array_get(json_object_get(description->done, "trials"), 0);
    const RunRequest request = {.seed = component->step_options.seed,
                                .construct_seed = component->step_options.seed,
                                .weights = weights,
                                .trial = trial,
                                .weights_file = description->weights,
                                .inputs_file = description->inputs,
                                .initialise = true,
                                .then = {{.seed = component->step_options.seed + 1, .trial = trial}},
                                .then_count = 1};
    Status status =
        work_run(arena, &component->step->settings, &component->side, &request, &runs->work, error);
    if (status == STATUS_OK)
        status = work_wait(arena, &runs->work, &done, &runs->failure, error);
    for (size_t i = 0; i < COUNT_OF(runs->outputs) && status == STATUS_OK && done != NULL; i++)
        status = run_outputs_decode(arena, &runs->work, done, i, &runs->outputs[i], &runs->files[i],
                                    &runs->failure, error);
    json_decref(done);
    json_decref(weights);
    return status;
}

static void close_runs(RealRuns *runs) {
    if (runs->work.side != NULL)
        work_close(&runs->work);
    for (size_t i = 0; i < COUNT_OF(runs->files); i++)
        if (runs->files[i] != NULL)
            memory_file_close(runs->files[i]);
}

/* Has it an element that is NaN, infinite, or larger than `most`? */
static bool holds_beyond(const TensorView *tensor, double most) {
    static const int64_t strides[TENSOR_RANK_MAX];
    static const uint64_t zero[2];
    TensorView zeros = *tensor;
    zeros.data = zero;
    zeros.stride = strides;
    zeros.offset = 0;
    Comparison against_zero;
    if (tensor->element_count == 0 || !dtype_is_floating(tensor->dtype))
        return false;
    tensor_compare(tensor, &zeros, (Tolerance){0, 0}, 1, &against_zero);
    return against_zero.nonfinite_mismatches > 0 || against_zero.max_abs > most;
}

static bool holds_nonfinite(const TensorView *tensor) {
    return holds_beyond(tensor, INFINITY);
}

/* Parameters that are left as torch.empty gave them hold anything: what is computed of them tells nothing. */
static bool weights_are_garbage(const StateDict *state) {
    static const double largest = 1e15;
    for (size_t i = 0; i < state->count; i++)
        if (!state->items[i].unwritten && holds_beyond(&state->items[i].tensor, largest))
            return true;
    return false;
}

static Status inputs_hold_nonfinite(Arena *arena, const Description *description, bool *holds, Error *error) {
    const json_t *trial = json_array_get(json_object_get(description->done, "trials"), 0);
    const json_t *tensors = json_object_get(trial, "tensors");
    Bytes bytes;
    *holds = false;
    if (memory_file_map(description->inputs, &bytes, error) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < json_array_size(tensors) && !*holds; i++) {
        TensorView view;
        if (tensor_located_decode(arena, json_array_get(tensors, i), bytes, "get_inputs()", &view, error) !=
            STATUS_OK)
            return STATUS_ERROR;
        *holds = holds_nonfinite(&view);
    }
    return STATUS_OK;
}

typedef struct Look {
    Arena *arena;
    const RunOutputs *outputs;
    const char *path; /* of the first that isn't finite */
} Look;

static void look_for_nan(const char *path, const Value *value, void *context) {
    Look *look = context;
    if (look->path == NULL && value->kind == VALUE_TENSOR &&
        value->tensor.number < look->outputs->tensor_count &&
        holds_nonfinite(&look->outputs->tensors[value->tensor.number]))
        look->path = text_printable(look->arena, path, strlen(path));
}

static void judge_finite(ComponentState *component, const RunOutputs *outputs, const Description *description,
                         bool nan_given) {
    Look look = {.arena = component->arena, .outputs = outputs};
    value_walk(component->arena, &outputs->outputs, "out", look_for_nan, &look);
    component->result->finite = PART_PASSED;
    if (look.path == NULL || nan_given)
        return;
    const char *what =
        arena_printf(component->arena, "%s has NaN or infinite elements, and no input has", look.path);
    if (!weights_are_garbage(&description->state)) {
        component->result->finite = PART_FAILED;
        component_violation(component, "component.nan", (Place){0}, what);
        return;
    }
    component->result->finite = PART_SKIPPED;
    findings_add(component->result->findings, project_rule("component.nan"), SEVERITY_NOTE,
                 (Place){.file = component->result->file},
                 "%s; its parameters are not initialised, so that this tells nothing", what);
}

static bool same_numbers(const RunOutputs *a, const RunOutputs *b) {
    if (a->tensor_count != b->tensor_count || !value_equal(&a->outputs, &b->outputs))
        return false;
    for (size_t i = 0; i < a->tensor_count; i++) {
        Comparison comparison;
        if (a->tensors[i].dtype != b->tensors[i].dtype || !tensor_same_shape(&a->tensors[i], &b->tensors[i]))
            return false;
        tensor_compare(&a->tensors[i], &b->tensors[i], (Tolerance){0, 0}, 1, &comparison);
        if (comparison.mismatches > 0)
            return false;
    }
    return true;
}

typedef enum Runs { RUNS_EQUAL, RUNS_DIFFER, RUNS_FAILED } Runs;

/* `finite`: judge that too. */
static Status run_twice(ComponentState *component, const Description *description, bool finite, Runs *found,
                        Error *error) {
    RealRuns runs = {0};
    bool nan_given = false;
    *found = RUNS_FAILED;
    Status status = inputs_hold_nonfinite(component->arena, description, &nan_given, error);
    if (status == STATUS_OK)
        status = run_both(component, description, &runs, error);
    if (status == STATUS_OK && runs.failure.failed) {
        component_raised(component, &runs.failure);
    } else if (status == STATUS_OK) {
        *found = same_numbers(&runs.outputs[0], &runs.outputs[1]) ? RUNS_EQUAL : RUNS_DIFFER;
        if (finite)
            judge_finite(component, &runs.outputs[0], description, nan_given);
    }
    close_runs(&runs);
    return status;
}

Status component_run(ComponentState *component, const Description *description, Error *error) {
    Runs found;
    if (run_twice(component, description, true, &found, error) != STATUS_OK)
        return STATUS_ERROR;
    if (found == RUNS_DIFFER) { /* several threads may add in another order from run to run */
        component->step->settings.threads = 1;
        if (run_twice(component, description, false, &found, error) != STATUS_OK)
            return STATUS_ERROR;
    }
    if (found == RUNS_FAILED)
        return STATUS_OK;
    component->result->deterministic = found == RUNS_EQUAL ? PART_PASSED : PART_FAILED;
    if (found == RUNS_DIFFER)
        component_violation(component, "component.random", (Place){0},
                            "equal weights and inputs gave different outputs in eval mode, under another "
                            "random state");
    return STATUS_OK;
}
