/* The weights of a step: which go where, and the memory that both sides map. */
#include "step_state.h"

#include <stdlib.h>
#include <string.h>

/* The map that was named, or weight_map.json beside the refactored file; none is no error. */
static Status read_map(StepState *step, WeightMap *map, bool *found, Error *error) {
    const StepOptions *options = step->options;
    const char *path = options->weight_map;
    if (path == NULL) {
        path = path_join(step->arena, path_directory(step->arena, options->refactored), "weight_map.json");
        *found = file_exists(path);
    } else {
        *found = true;
    }
    Bytes bytes;
    if (!*found)
        return STATUS_OK;
    if (file_read(step->arena, path, 64 << 20, &bytes, error) != STATUS_OK)
        return STATUS_ERROR;
    return weight_map_parse(step->arena, bytes, path, map, error);
}

Status weights_file_make(StepState *step, bool perturbed, MemoryFile **file, Error *error) {
    const MemoryFile *source = step->original_description.weights;
    size_t region = weights_layout_size(step->assignment), at = (source->size + 63) / 64 * 64;
    size_t size = region == 0 ? source->size : at + region;
    uint8_t *bytes = calloc(1, size > 0 ? size : 1);
    if (bytes == NULL)
        return error_set(error, step->options->original, "free some memory",
                         "no memory for %zu bytes of weights", size);
    Bytes original = {source->data, source->size};
    if (perturbed)
        weights_perturb(&step->original_description.state, original, bytes, step->result->perturb_seed);
    else if (source->size > 0)
        memcpy(bytes, source->data, source->size);
    if (region > 0) {
        json_t *list = weights_layout_fill(step->arena, step->assignment, bytes, at);
        json_decref(step->candidate_weights);
        step->candidate_weights = list;
    }
    size_t offset;
    Status status = memory_file_new(step->arena, "weights", file, error);
    if (status == STATUS_OK)
        status = memory_file_append(*file, (Bytes){bytes, size}, 64, &offset, error);
    if (status == STATUS_OK)
        status = memory_file_seal(*file, error);
    free(bytes);
    return status;
}

Status step_assign_weights(StepState *step, bool *go_on, Error *error) {
    step_tell(step, "assigning weights");
    StepResult *result = step->result;
    WeightMap map = {0};
    bool has_map = false;
    *go_on = false;
    if (read_map(step, &map, &has_map, error) != STATUS_OK)
        return STATUS_ERROR;
    size_t before = findings_count(result->findings, SEVERITY_VIOLATION);
    step->assignment = ARENA_NEW(step->arena, Assignment);
    weights_assign(step->arena, &step->original_description.state, &step->candidate_description.state,
                   has_map ? &map : NULL, step->assignment, result->findings);
    result->assignment = step->assignment;
    result->assumptions = step->assignment->assumptions;
    result->assumption_count = step->assignment->assumption_count;
    result->weights =
        findings_count(result->findings, SEVERITY_VIOLATION) > before ? PART_FAILED : PART_PASSED;
    step->original_weights = weights_layout_original(&step->original_description.state);
    if (weights_layout_size(step->assignment) == 0) {
        step->candidate_weights = weights_layout_fill(step->arena, step->assignment, NULL, 0);
        step->weights = step->original_description.weights;
    } else if (weights_file_make(step, false, &step->weights, error) != STATUS_OK) {
        return STATUS_ERROR;
    }
    *go_on = true;
    return STATUS_OK;
}

static bool trace_reads_key(void *context, const char *key) {
    return trace_reads(context, key);
}

void step_report_unmapped(StepState *step) {
    StepResult *result = step->result;
    if (step->assignment == NULL)
        return;
    size_t before = findings_count(result->findings, SEVERITY_VIOLATION);
    WeightReader *reads = step->has_traces ? trace_reads_key : NULL;
    weights_report_unmapped(step->assignment, reads, &step->original_trace, reads, &step->candidate_trace,
                            result->findings);
    if (findings_count(result->findings, SEVERITY_VIOLATION) > before)
        result->weights = PART_FAILED;
}
