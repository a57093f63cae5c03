/* Outputs depend on what the original's depend on (soundness 6 and 7), whatever the numbers of the trials. */
#include "verify_internal.h"

#include <string.h>

static void count_output(const char *path, const Value *value, void *context) {
    (void)path, (void)value;
    ++*(size_t *)context;
}

static void take_output(const char *path, const Value *value, void *context) {
    OutputTensors *outputs = context;
    outputs->paths[outputs->count] = arena_strdup(outputs->arena, path);
    outputs->tensors[outputs->count++] = value->tensor;
}

OutputTensors output_tensors(Arena *arena, const Value *value) {
    size_t count = 0;
    value_walk_tensors(arena, value, "out", count_output, &count);
    OutputTensors outputs = {.arena = arena,
                             .paths = ARENA_ARRAY(arena, const char *, count + 1),
                             .tensors = ARENA_ARRAY(arena, TensorId, count + 1)};
    value_walk_tensors(arena, value, "out", take_output, &outputs);
    return outputs;
}

const char *independent_input(Arena *arena, const Trace *original, const Trace *candidate) {
    for (size_t t = 0; t < original->tensor_count; t++) {
        const TraceTensor *input = &original->tensors[t];
        if (input->origin != ORIGIN_INPUT || !original->live_tensors[t])
            continue;
        bool known = false, used = false;
        for (size_t c = 0; c < candidate->tensor_count; c++)
            if (candidate->tensors[c].origin == ORIGIN_INPUT &&
                strcmp(candidate->tensors[c].keys[0], input->keys[0]) == 0) {
                known = true;
                used = used || candidate->live_tensors[c];
            }
        if (known && !used)
            return text_printable(arena, input->keys[0], strlen(input->keys[0]));
    }
    return NULL;
}

/* At that path, wherever it stands: dicts may have their keys in another order. */
static const TensorId *output_at(const OutputTensors *outputs, const char *path, size_t position) {
    for (size_t i = 0; i < outputs->count && !text_equal(outputs->paths[position], path); i++)
        if (text_equal(outputs->paths[i], path))
            return &outputs->tensors[i];
    return &outputs->tensors[position];
}

const char *independent_output(Arena *arena, const Trace *original, const Trace *candidate) {
    OutputTensors theirs = output_tensors(arena, &original->outputs),
                  ours = output_tensors(arena, &candidate->outputs);
    const bool *there = trace_dependent(arena, original), *here = trace_dependent(arena, candidate);
    for (size_t i = 0; i < theirs.count && theirs.count == ours.count; i++)
        if (there[theirs.tensors[i].number] && !here[output_at(&ours, theirs.paths[i], i)->number])
            return theirs.paths[i];
    return NULL;
}
