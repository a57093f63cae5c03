/* The guide's trials: its seeds, on the original's inputs. */
#include "trials_parts.h"

static uint64_t output_bytes(Arena *arena, const Trace *trace) {
    uint64_t bytes = 0;
    const OutputTensors outputs = output_tensors(arena, &trace->outputs);
    for (size_t i = 0; i < outputs.count; i++) {
        const TraceTensor *tensor = &trace->tensors[outputs.tensors[i].number];
        Dtype dtype;
        uint64_t size = dtype_find(tensor->dtype, &dtype) ? dtype_info(dtype)->size : 16;
        for (size_t d = 0; d < tensor->rank; d++)
            size *= (uint64_t)tensor->shape[d];
        bytes += size;
    }
    return bytes;
}

/* Small models are run on all seeds in one cell a side, where processes would cost more than forwards: each
 * on a model of its own, and only of what is proved, which keeps nothing from one to the next. */
static bool runs_together(const StepState *step) {
    const uint64_t most_bytes = 32 << 20;
    const ProofResult *proof = &step->result->proof;
    const unsigned count = step->options->trial_count;
    return proof->proved && proof->symbolic && !step->options->train && count > 1 && count <= 1 + MOST_THEN &&
           step->weights->size + step->original_description.inputs->size +
                   count * output_bytes(step->arena, &step->proof_trace) <=
               most_bytes;
}

Status trials_run_seeded(Trials *trials, Error *error) {
    StepState *step = trials->step;
    const json_t *samples = json_object_get(step->original_description.done, "trials");
    const unsigned count = step->options->trial_count;
    PairRequest *requests = ARENA_ARRAY(step->arena, PairRequest, count + 1);
    Pair *pairs = ARENA_ARRAY(step->arena, Pair, count + 1);
    for (unsigned i = 0; i < count; i++)
        requests[i] = (PairRequest){.seed = step->options->seed + i,
                                    .trial = json_array_get(samples, i),
                                    .weights = step->weights,
                                    .inputs = step->original_description.inputs,
                                    .trace = i == 0};
    Status status = STATUS_OK;
    bool together = runs_together(step), raised = false;
    if (together) {
        step_tell(step, arena_printf(step->arena, "trials 1 to %u", count));
        status = pairs_run(step, requests, count, pairs, error);
        for (unsigned i = 0; i < count; i++) /* alone, it says where */
            together = together && !pairs[i].original_failure.failed && !pairs[i].candidate_failure.failed;
    }
    for (unsigned i = 0; i < count && status == STATUS_OK && !raised; i++) { /* once raised, it would again */
        if (!together) {
            step_tell(step, arena_printf(step->arena, "trial %u of %u", i + 1, count));
            pair_close(&pairs[i]);
            status = pair_run(step, &requests[i], &pairs[i], error);
        }
        if (status == STATUS_OK)
            status = trial_judge(trials, &requests[i], TRIAL_SEEDED, NULL, &pairs[i], error);
        raised = pairs[i].candidate_failure.failed;
        if (i > 0)
            pair_close(&pairs[i]);
    }
    for (unsigned i = 1; i < count; i++)
        pair_close(&pairs[i]);
    if (count > 0)
        trials->first = pairs[0];
    return status;
}
