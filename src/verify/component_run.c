/* One component run with numbers, twice: are its outputs finite, and do they hang on its inputs alone? */
#include "component_parts.h"

#include <math.h>
#include <string.h>

typedef struct RealRun {
    Work work;
    RunOutputs outputs;
    MemoryFile *file;
    CellFailure failure;
} RealRun;

static Status start_run(ComponentState *component, const Description *description, const json_t *weights,
                        uint64_t seed, RealRun *run, Error *error) {
    const RunRequest request = {.seed = seed,
                                .construct_seed = component->step_options.seed,
                                .weights = weights,
                                .trial = json_array_get(json_object_get(description->done, "trials"), 0),
                                .weights_file = description->weights,
                                .inputs_file = description->inputs,
                                .initialise = true};
    return work_run(component->arena, &component->step->settings, &component->side, &request, &run->work,
                    error);
}

static Status finish_run(ComponentState *component, RealRun *run, Error *error) {
    json_t *done;
    Status status = work_wait(component->arena, &run->work, &done, &run->failure, error);
    if (status == STATUS_OK && done != NULL)
        status = run_outputs_decode(component->arena, &run->work, done, &run->outputs, &run->file, error);
    json_decref(done);
    return status;
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

static void judge_finite(ComponentState *component, const RealRun *run, const Description *description,
                         bool nan_given) {
    Look look = {.arena = component->arena, .outputs = &run->outputs};
    value_walk(component->arena, &run->outputs.outputs, "out", look_for_nan, &look);
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
    RealRun runs[2] = {0};
    bool nan_given = false;
    json_t *weights = weights_layout_original(&description->state);
    Status status = inputs_hold_nonfinite(component->arena, description, &nan_given, error);
    for (size_t i = 0; i < COUNT_OF(runs) && status == STATUS_OK; i++)
        status =
            start_run(component, description, weights, component->step_options.seed + i, &runs[i], error);
    for (size_t i = 0; i < COUNT_OF(runs) && status == STATUS_OK; i++)
        status = finish_run(component, &runs[i], error);
    *found = RUNS_FAILED;
    for (size_t i = 0; i < COUNT_OF(runs) && status == STATUS_OK; i++)
        if (runs[i].failure.failed) {
            component_raised(component, &runs[i].failure);
            break;
        } else if (i + 1 == COUNT_OF(runs)) {
            *found = same_numbers(&runs[0].outputs, &runs[1].outputs) ? RUNS_EQUAL : RUNS_DIFFER;
        }
    if (status == STATUS_OK && *found != RUNS_FAILED && finite)
        judge_finite(component, &runs[0], description, nan_given);
    for (size_t i = 0; i < COUNT_OF(runs); i++) {
        if (runs[i].work.side != NULL)
            work_close(&runs[i].work);
        if (runs[i].file != NULL)
            memory_file_close(runs[i].file);
    }
    json_decref(weights);
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
