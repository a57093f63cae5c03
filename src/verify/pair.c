/* Runs of both sides, each in a cell of its own. */
#include "pair.h"

#include <math.h>

void pair_close(Pair *pair) {
    if (pair->original_file != NULL)
        memory_file_close(pair->original_file);
    if (pair->candidate_file != NULL)
        memory_file_close(pair->candidate_file);
    *pair = (Pair){0};
}

/* `*seconds`: what forward took. */
static Status take(StepState *step, Work *work, bool trace, Trace *into, RunOutputs *outputs,
                   MemoryFile **file, CellFailure *failure, double *seconds, Error *error) {
    json_t *done;
    *seconds = 0;
    Status status = work_wait(step->arena, work, &done, failure, error);
    step->peak = work->peak > step->peak ? work->peak : step->peak;
    if (status == STATUS_OK && done != NULL) {
        *seconds = json_number_value(json_object_get(done, "forward_seconds"));
        status = run_outputs_decode(step->arena, work, done, outputs, file, error);
        if (status == STATUS_OK && trace)
            status = trace_decode(step->arena, json_object_get(done, "trace"), into, error);
        json_decref(done);
    }
    return status;
}

/* Up to this size two models run at once, on half of the processors each; larger ones run one after the
 * other, so that there is one model's activations at a time. */
static const uint64_t largest_at_once = UINT64_C(768) << 20;

Status pair_run(StepState *step, const PairRequest *request, Pair *pair, Error *error) {
    *pair = (Pair){0};
    RunRequest run = {.seed = request->seed,
                      .construct_seed = step->options->seed,
                      .weights = step->original_weights,
                      .trial = request->trial,
                      .weights_file = request->weights,
                      .inputs_file = request->inputs,
                      .trace = request->trace,
                      .float64 = request->float64,
                      .again = request->again,
                      .gradients = request->gradients
                                       ? json_object_get(step->original_description.done, "input_names")
                                       : NULL,
                      .initialise = step->original_description.random_construction};
    Work theirs = {0}, ours = {0};
    const uint64_t kept_for_backward = request->gradients ? 3 : 1;
    const bool at_once = step->peak <= largest_at_once / kept_for_backward;
    step->settings.threads = (int)(at_once && step->processors > 1 ? step->processors / 2 : step->processors);
    double original_seconds = 0, candidate_seconds = 0;
    RunSettings settings = step->settings;
    settings.train = settings.train != request->other_mode;
    Status status = work_run(step->arena, &settings, &step->original, &run, &theirs, error);
    if (status == STATUS_OK && !at_once)
        status = take(step, &theirs, request->trace, &step->original_trace, &pair->original,
                      &pair->original_file, &pair->original_failure, &original_seconds, error);
    run.init = step->candidate_init;
    run.weights = step->candidate_weights;
    run.initialise = step->candidate_initialise;
    if (status == STATUS_OK)
        status = work_run(step->arena, &settings, &step->candidate, &run, &ours, error);
    if (status == STATUS_OK && at_once)
        status = take(step, &theirs, request->trace, &step->original_trace, &pair->original,
                      &pair->original_file, &pair->original_failure, &original_seconds, error);
    if (status == STATUS_OK)
        status = take(step, &ours, request->trace, &step->candidate_trace, &pair->candidate,
                      &pair->candidate_file, &pair->candidate_failure, &candidate_seconds, error);
    pair->original.gradients = pair->candidate.gradients = request->gradients;
    step->result->seconds.forward +=
        at_once ? fmax(original_seconds, candidate_seconds) : original_seconds + candidate_seconds;
    work_close(&theirs);
    work_close(&ours);
    return status;
}
