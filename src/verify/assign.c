/* The weights of a step: which go where, and the memory that both sides map. */
#include "step_state.h"

#include <string.h>

Status step_read_map(StepState *step, Error *error) {
    const StepOptions *options = step->options;
    const char *path = options->weight_map;
    if (path == NULL)
        path = path_join(step->arena, path_directory(step->arena, options->refactored), "weight_map.json");
    if (options->weight_map == NULL && !file_exists(path))
        return STATUS_OK; /* none is no error */
    Bytes bytes;
    step->has_map = true;
    if (file_read(step->arena, path, 64 << 20, &bytes, error) != STATUS_OK)
        return STATUS_ERROR;
    return weight_map_parse(step->arena, bytes, path, &step->map, error);
}

static void close_weights(StepState *step) {
    MemoryFile *described = step->original_description.weights;
    if (step->weights != NULL && step->weights != described)
        memory_file_close(step->weights);
    if (described != NULL)
        memory_file_close(described);
    step->weights = NULL;
}

/* Replaces the weights by a copy that is changed by `kind`, with what the layout adds for the candidate. */
static Status remake_weights(StepState *step, WeightKind kind, uint64_t seed, Error *error) {
    const MemoryFile *source = step->weights;
    const size_t own = step->original_description.weights->size,
                 region = weights_layout_size(step->assignment);
    const size_t at = (own + 63) / 64 * 64;
    MemoryFile *file;
    uint8_t *bytes;
    if (memory_file_new(step->arena, "weights", &file, error) != STATUS_OK)
        return STATUS_ERROR;
    if (memory_file_reserve(file, region == 0 ? own : at + region, &bytes, error) != STATUS_OK) {
        memory_file_close(file);
        return STATUS_ERROR;
    }
    weights_change(&step->original_description.state, (Bytes){source->data, own}, bytes, kind, seed);
    if (region > 0) {
        json_t *list = weights_layout_fill(step->arena, step->assignment, bytes, at);
        json_decref(step->candidate_weights);
        step->candidate_weights = list;
    }
    close_weights(step);
    step->weights = file;
    Bytes mapped;
    return memory_file_map(file, &mapped, error);
}

Status step_change_weights(StepState *step, WeightKind kind, uint64_t seed, Error *error) {
    return remake_weights(step, kind, seed, error);
}

/* Integers that construction draws, quantised weights and permutations, are no known buffers: which are, the
 * recording tells (policy.md, "Buffers"). */
static void mark_drawn(StateDict *state, const Graph *graph) {
    for (size_t s = 0; s < graph->state_count; s++) {
        const GraphState *drawn = &graph->states[s];
        for (size_t k = 0; drawn->buffer && !drawn->known && k < drawn->key_count; k++) {
            const StateEntry *entry = table_get(state->by_key, drawn->keys[k]);
            if (entry != NULL && !dtype_is_floating(entry->tensor.dtype))
                state_dict_mark_state(state, entry->key);
        }
    }
}

void step_mark_drawn(StepState *step, const Graph *original, const Graph *candidate) {
    mark_drawn(&step->original_description.state, original);
    mark_drawn(&step->candidate_description.state, candidate);
}

/* What is frozen on one side only computes the same and learns something else (soundness 9). */
static void tell_frozen(StepState *step) {
    const Assignment *assignment = step->assignment;
    for (size_t i = 0; i < assignment->candidate->count; i++) {
        const StateEntry *ours = &assignment->candidate->items[i];
        const Assigned *assigned = &assignment->items[i];
        if (assigned->count == 0)
            continue;
        const StateEntry *theirs = &assignment->original->items[assigned->items[0].original];
        if (theirs->gradient == ours->gradient)
            continue;
        step_narrow(
            step, "soundness 9",
            arena_printf(
                step->arena, "forward only: %s takes gradients in the %s, %s in the %s takes none",
                theirs->gradient ? theirs->key : ours->key, theirs->gradient ? "original" : "refactored",
                theirs->gradient ? ours->key : theirs->key, theirs->gradient ? "refactored" : "original"));
        return;
    }
}

Status step_assign_weights(StepState *step, bool *go_on, Error *error) {
    step_tell(step, "assigning weights");
    StepResult *result = step->result;
    *go_on = false;
    size_t before = findings_count(result->findings, SEVERITY_VIOLATION);
    step->assignment = ARENA_NEW(step->arena, Assignment);
    weights_assign(step->arena, &step->original_description.state, &step->candidate_description.state,
                   step->has_map ? &step->map : NULL, step->assignment, result->findings);
    result->assignment = step->assignment;
    for (size_t i = 0; i < step->assignment->assumption_count; i++)
        step_narrow(step, "policy, buffers", step->assignment->assumptions[i]);
    tell_frozen(step);
    result->weights =
        findings_count(result->findings, SEVERITY_VIOLATION) > before ? PART_FAILED : PART_PASSED;
    step->original_weights = weights_layout_original(&step->original_description.state);
    step->weights = step->original_description.weights;
    if (weights_layout_size(step->assignment) == 0)
        step->candidate_weights = weights_layout_fill(step->arena, step->assignment, NULL, 0);
    else if (remake_weights(step, WEIGHTS_SAME, 0, error) != STATUS_OK)
        return STATUS_ERROR;
    *go_on = true;
    return STATUS_OK;
}

static bool trace_reads_key(void *context, const char *key) {
    return trace_reads(context, key);
}

/* A buffer that the original makes and reads, of which the refactored has no like: a proof tells by itself
 * what is computed for it. */
static void narrow_by_kept_buffers(StepState *step) {
    const Assignment *assignment = step->assignment;
    for (size_t i = 0; step->has_traces && !step->result->proof.proved && i < assignment->original->count;
         i++) {
        const StateEntry *entry = &assignment->original->items[i];
        if (!entry->is_state && entry->persistent && entry->tie == i && !assignment->original_used[i] &&
            !assignment->original_equalled[i] && trace_reads(&step->original_trace, entry->key))
            step_narrow(step, "policy, buffers",
                        arena_printf(step->arena,
                                     "the original's %s keeps its value from construction; no buffer of the "
                                     "refactored stands for it",
                                     entry->key));
    }
}

void step_report_unmapped(StepState *step) {
    StepResult *result = step->result;
    if (step->assignment == NULL)
        return;
    narrow_by_kept_buffers(step);
    size_t before = findings_count(result->findings, SEVERITY_VIOLATION);
    WeightReader *reads = step->has_traces ? trace_reads_key : NULL;
    weights_report_unmapped(step->assignment, reads, &step->original_trace, reads, &step->candidate_trace,
                            result->findings);
    if (findings_count(result->findings, SEVERITY_VIOLATION) > before)
        result->weights = PART_FAILED;
}
