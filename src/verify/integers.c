/* Trials of integers past the sample's (soundness 13), of inputs that index no table: a mask of ones,
 * lengths, labels. What asks them for `m > 0` in place of `m != 0` shows there alone. */
#include "trials_parts.h"

#include <math.h>

/* What an original may refuse comes first. */
static const InputKind STRENGTHS[] = {INPUT_INTEGERS_FAR, INPUT_INTEGERS_NEAR, INPUT_INTEGERS_ABOVE};

enum { MOST_ALONE = 4 };
static const double most_timeout = 30;

/* One strength of one or all of them. Where the original refuses it, that is a trial only if `last`. */
static Status run_strength(Trials *trials, const json_t *sample, TrialKind trial, InputKind kind, size_t only,
                           bool last, bool *accepted, Error *error) {
    StepState *step = trials->step;
    PairRequest request = {.seed = step->options->seed, .trial = sample, .weights = step->weights};
    if (sample_widen(step, sample, kind, only, step->result->perturb_seed + (uint64_t)kind, &request.inputs,
                     error) != STATUS_OK)
        return STATUS_ERROR;
    Pair pair;
    Status status = pair_run(step, &request, &pair, error);
    *accepted = status == STATUS_OK && !pair.original_failure.failed;
    if (status == STATUS_OK && (*accepted || last))
        status = trial_judge(trials, &request, trial, NULL, &pair, error);
    pair_close(&pair);
    memory_file_close(request.inputs);
    return status;
}

/* The strongest that the original accepts, and those below zero by themselves where it refuses them beside
 * those past the sample's. `*all`: it is the strongest that there is. */
static Status run_strongest(Trials *trials, const json_t *sample, size_t only, bool last, bool *all,
                            Error *error) {
    Status status = STATUS_OK;
    bool accepted = false, both = false;
    *all = false;
    for (size_t i = 0; i < COUNT_OF(STRENGTHS) && status == STATUS_OK && !accepted; i++) {
        status = run_strength(trials, sample, TRIAL_WIDER_INTEGERS, STRENGTHS[i], only,
                              last && i + 1 == COUNT_OF(STRENGTHS), &accepted, error);
        *all = accepted && i == 0;
        both = accepted && STRENGTHS[i] != INPUT_INTEGERS_ABOVE;
    }
    if (status == STATUS_OK && !both)
        status = run_strength(trials, sample, TRIAL_WIDER_INTEGERS, INPUT_INTEGERS_BELOW, only, false,
                              &accepted, error);
    return status;
}

Status trials_run_integers(Trials *trials, const json_t *sample, Error *error) {
    StepState *step = trials->step;
    size_t *loose, count;
    bool targets, all = true;
    if (sample_loose(step, sample, &loose, &count, &targets, error) != STATUS_OK)
        return STATUS_ERROR;
    const double timeout = step->settings.timeout;
    if (timeout == 0 || timeout > most_timeout)
        step->settings.timeout = most_timeout;
    Status status = STATUS_OK;
    if (targets)
        status = run_strength(trials, sample, TRIAL_LEFT_OUT_TARGETS, INPUT_LEFT_OUT_TARGETS, SIZE_MAX, false,
                              &all, error);
    if (status == STATUS_OK && count > 0)
        status = run_strongest(trials, sample, SIZE_MAX, count == 1, &all, error);
    const bool alone = status == STATUS_OK && !all && count > 1; /* the original refuses some of them */
    for (size_t i = 0; alone && i < count && i < MOST_ALONE && status == STATUS_OK; i++)
        status = run_strongest(trials, sample, loose[i], true, &all, error);
    step->settings.timeout = timeout;
    if (status == STATUS_OK && alone && count > MOST_ALONE)
        step_narrow(step, "soundness 13",
                    arena_printf(step->arena, "%zu inputs of integers are not tried past the sample's values",
                                 count - MOST_ALONE));
    return status;
}
