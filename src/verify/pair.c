/* Runs of both sides, each in a cell of its own. */
#include "pair.h"

#include <math.h>

void pair_close(Pair *pair) {
    MemoryFile *const files[] = {pair->original_file, pair->candidate_file, pair->original_values_file,
                                 pair->candidate_values_file};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (files[i] != NULL)
            memory_file_close(files[i]);
    *pair = (Pair){0};
}

/* Where what one side sends goes. */
typedef struct Taken {
    Trace *trace;
    RunOutputs *outputs[1 + MOST_THEN];
    MemoryFile **files[1 + MOST_THEN], **values_file;
    KeptValues *values;
    CellFailure *failures[1 + MOST_THEN];
    double seconds; /* what forward took */
} Taken;

static Status decode(StepState *step, Work *work, const PairRequest *request, size_t count,
                     const json_t *done, Taken *taken, Error *error) {
    Status status = STATUS_OK;
    Bytes pieces;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = run_outputs_decode(step->arena, work, done, i, taken->outputs[i], taken->files[i],
                                    taken->failures[i], error);
    if (status == STATUS_OK && request->trace)
        status = work_pieces(work, &pieces, error);
    if (status == STATUS_OK && request->trace)
        status = trace_decode(step->arena, json_object_get(done, "trace"), pieces, taken->trace, error);
    if (status == STATUS_OK && request->values > 0)
        status =
            run_values_decode(step->arena, work, done, taken->trace, request->values, taken->values, error);
    return status;
}

static Status take(StepState *step, Work *work, const PairRequest *request, size_t count, Taken *taken,
                   Error *error) {
    json_t *done;
    Status status = work_wait(step->arena, work, &done, taken->failures[0], error);
    step->peak = work->peak > step->peak ? work->peak : step->peak;
    *taken->values_file = work_file(work, "values");
    if (status == STATUS_OK && done != NULL) {
        taken->seconds = run_seconds(done);
        status = decode(step, work, request, count, done, taken, error);
        json_decref(done);
    }
    return status;
}

/* Up to this size two models run at once, on half of the processors each; larger ones run one after the
 * other, so that there is one model's activations at a time. */
static const uint64_t largest_at_once = UINT64_C(768) << 20;

Status pair_run(StepState *step, const PairRequest *request, Pair *pair, Error *error) {
    return pairs_run(step, request, 1, pair, error);
}

Status pairs_run(StepState *step, const PairRequest *requests, size_t count, Pair *pairs, Error *error) {
    const PairRequest *request = requests;
    Pair *pair = pairs;
    RunRequest run = {.seed = request->seed,
                      .construct_seed = step->options->seed,
                      .weights = step->original_weights,
                      .trial = request->trial,
                      .weights_file = request->weights,
                      .inputs_file = request->inputs,
                      .trace = request->trace,
                      .float64 = request->float64,
                      .bounds = request->bounds,
                      .again = request->again,
                      .values = request->values,
                      .gradients = request->gradients
                                       ? json_object_get(step->original_description.done, "input_names")
                                       : NULL,
                      .initialise = step->original_description.random_construction};
    Taken theirs_taken = {.trace = &step->original_trace,
                          .values_file = &pair->original_values_file,
                          .values = &pair->original_values};
    Taken ours_taken = {.trace = &step->candidate_trace,
                        .values_file = &pair->candidate_values_file,
                        .values = &pair->candidate_values};
    for (size_t i = 0; i < count; i++) {
        pairs[i] = (Pair){0};
        theirs_taken.outputs[i] = &pairs[i].original;
        theirs_taken.failures[i] = &pairs[i].original_failure;
        ours_taken.failures[i] = &pairs[i].candidate_failure;
        theirs_taken.files[i] = &pairs[i].original_file;
        ours_taken.outputs[i] = &pairs[i].candidate;
        ours_taken.files[i] = &pairs[i].candidate_file;
        if (i > 0) {
            run.then[run.then_count].seed = requests[i].seed;
            run.then[run.then_count++].trial = requests[i].trial;
        }
    }
    Work theirs = {0}, ours = {0};
    const uint64_t kept_for_backward = request->gradients ? 3 : 1;
    const bool at_once = step->peak <= largest_at_once / kept_for_backward;
    step->settings.threads = (int)(at_once && step->processors > 1 ? step->processors / 2 : step->processors);
    RunSettings settings = step->settings;
    settings.train = settings.train != request->other_mode;
    Status status = work_run(step->arena, &settings, &step->original, &run, &theirs, error);
    if (status == STATUS_OK && !at_once)
        status = take(step, &theirs, request, count, &theirs_taken, error);
    run.init = step->candidate_init;
    run.weights = step->candidate_weights;
    run.initialise = step->candidate_initialise;
    if (status == STATUS_OK)
        status = work_run(step->arena, &settings, &step->candidate, &run, &ours, error);
    if (status == STATUS_OK && at_once)
        status = take(step, &theirs, request, count, &theirs_taken, error);
    if (status == STATUS_OK)
        status = take(step, &ours, request, count, &ours_taken, error);
    for (size_t i = 0; i < count; i++)
        pairs[i].original.assignment = step->assignment;
    pair->original.gradients = pair->candidate.gradients = request->gradients;
    step->result->seconds.forward +=
        at_once ? fmax(theirs_taken.seconds, ours_taken.seconds) : theirs_taken.seconds + ours_taken.seconds;
    work_close(&theirs);
    work_close(&ours);
    return status;
}
