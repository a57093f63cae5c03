/* Is a difference rounding or meaning (soundness 18)? */
#include "pair.h"

#include <math.h>
#include <string.h>

double output_difference(const OutputComparison *output) {
    return output->numbers.nonfinite_mismatches > 0 ? INFINITY : output->numbers.max_abs / output->scale;
}

double trial_largest_difference(const Trial *trial) {
    double largest = NAN;
    for (size_t i = 0; i < trial->output_count; i++) {
        const OutputComparison *output = &trial->outputs[i];
        if (output->compared && !(output_difference(output) <= largest))
            largest = output_difference(output);
    }
    return largest;
}

bool trial_only_numbers_differ(const Trial *trial) {
    for (size_t i = 0; i < trial->output_count; i++)
        if (!trial->outputs[i].matches && !trial->outputs[i].compared)
            return false;
    return true;
}

/* Rounding is not meaning (soundness 18): in float64 a difference of rounding shrinks with the unit roundoff,
 * one of meaning stays. It must shrink a thousandfold; from float32 to float64 rounding shrinks by 2^29. And
 * the outputs must then agree: memory that nobody wrote holds other numbers in every run. */
typedef enum Wide { WIDE_UNKNOWN, WIDE_ROUNDING, WIDE_MEANING, WIDE_OTHER } Wide;

/* Has it the sample's own sizes, of which the step's recordings are? */
static bool has_sample_sizes(const StepState *step, const PairRequest *request) {
    const json_t *samples = json_object_get(step->original_description.done, "trials");
    bool found = false;
    for (size_t i = 0; i < json_array_size(samples); i++)
        found = found || json_array_get(samples, i) == request->trial;
    return found && !request->other_mode;
}

/* Does the candidate compute something else in float64 alone, where the original doesn't? `wide` are both
 * sides' recordings of `request` in float64; they are held against the step's, or, at other sizes, in which
 * loops make other calls, against what is recorded there. Leaves the step's as they are. */
static Status is_other_in_float64(StepState *step, const PairRequest *request, const Trace wide[2],
                                  bool *other, Error *error) {
    const Trace original_trace = step->original_trace, candidate_trace = step->candidate_trace;
    PairRequest narrow = *request;
    narrow.trace = true;
    Pair pair = {0};
    Status status = STATUS_OK;
    if (!has_sample_sizes(step, request))
        status = pair_run(step, &narrow, &pair, error);
    *other = status == STATUS_OK && !pair.original_failure.failed && !pair.candidate_failure.failed &&
             same_computation(step->arena, &step->original_trace, &wide[0]) &&
             !same_computation(step->arena, &step->candidate_trace, &wide[1]);
    step->original_trace = original_trace;
    step->candidate_trace = candidate_trace;
    pair_close(&pair);
    return status;
}

static Status run_wide(StepState *step, const PairRequest *request, double difference, Wide *wide_says,
                       Error *error) {
    enum { SHRINKS = 1000, STAYS = 2 };
    PairRequest wide = *request;
    const Trace original_trace = step->original_trace, candidate_trace = step->candidate_trace;
    wide.float64 = true;
    wide.trace = step->has_traces;
    *wide_says = WIDE_UNKNOWN;
    Pair pair;
    if (pair_run(step, &wide, &pair, error) != STATUS_OK)
        return STATUS_ERROR;
    const Trace wide_traces[] = {step->original_trace, step->candidate_trace};
    step->original_trace = original_trace;
    step->candidate_trace = candidate_trace;
    const bool both = !pair.original_failure.failed && !pair.candidate_failure.failed;
    bool other = false;
    Status status = STATUS_OK;
    if (both && wide.trace)
        status = is_other_in_float64(step, request, wide_traces, &other, error);
    if (other) { /* then float64 says nothing of what it computes in its own dtype */
        *wide_says = WIDE_OTHER;
    } else if (both && status == STATUS_OK) {
        Trial trial = {0};
        compare_outputs(step->arena, &pair.original, &pair.candidate, (Tolerance){0, 0}, step->processors,
                        &trial.outputs, &trial.output_count, findings_new(step->arena));
        double shrunk = trial_largest_difference(&trial);
        const bool agrees =
            compare_outputs(step->arena, &pair.original, &pair.candidate, step->result->tolerance,
                            step->processors, &trial.outputs, &trial.output_count, findings_new(step->arena));
        if (trial_only_numbers_differ(&trial) && isfinite(shrunk) && isfinite(difference))
            *wide_says = shrunk * SHRINKS <= difference && agrees ? WIDE_ROUNDING
                         : shrunk * STAYS >= difference           ? WIDE_MEANING
                                                                  : WIDE_UNKNOWN;
    }
    pair_close(&pair);
    return status;
}

Status trial_is_rounding(StepState *step, const PairRequest *request, const Trial *trial, bool *rounding,
                         Error *error) {
    Wide wide;
    if (run_wide(step, request, trial->max_diff, &wide, error) != STATUS_OK)
        return STATUS_ERROR;
    *rounding = wide == WIDE_ROUNDING;
    return STATUS_OK;
}

static Tolerance scaled(Tolerance tolerance, double factor) {
    return (Tolerance){tolerance.rtol * factor, tolerance.atol * factor};
}

/* Casts to a fixed dtype keep their rounding in a float64 run: there, nothing follows from a difference that
 * stays. */
static bool casts_to_fixed_dtype(const Trace *trace) {
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        const char *name = trace_bare_name(trace_operator(trace, call));
        bool fixed = strcmp(name, "float") == 0 || strcmp(name, "half") == 0 || strcmp(name, "bfloat16") == 0;
        for (size_t a = 0; a < call->arg_count; a++)
            fixed = fixed || call->args[a].kind == VALUE_DTYPE;
        for (size_t k = 0; k < call->kwarg_count; k++)
            fixed = fixed || call->kwargs[k].kind == VALUE_DTYPE;
        if (fixed && call->give_count > 0 && trace->tensors[call->gives[0].number].floating)
            return true;
    }
    return false;
}

static bool stays_narrow(const StepState *step) {
    return !step->has_traces || casts_to_fixed_dtype(&step->original_trace) ||
           casts_to_fixed_dtype(&step->candidate_trace);
}

/* Within a factor of ten of the tolerance, on either side, a float64 run settles the trial. Scaled weights
 * saturate, and what saturates enlarges rounding, that of casts to a fixed dtype in float64 too: up to a
 * thousand times the tolerance, what float64 doesn't settle tells nothing there. */
Status trial_settle(StepState *step, const PairRequest *request, const Pair *pair, Trial *trial,
                    Error *error) {
    enum { ENLARGED = 1000 };
    Tolerance near = scaled(step->result->tolerance, trial->pass ? 0.1 : 10);
    if (!trial->pass && !trial_only_numbers_differ(trial))
        return STATUS_OK;
    bool agrees = outputs_agree(&pair->original, &pair->candidate, near, step->processors);
    bool borderline = trial->pass ? !agrees : agrees || trial->kind != TRIAL_SEEDED;
    Wide wide;
    if (!borderline || trial->max_diff == 0)
        return STATUS_OK;
    if (run_wide(step, request, trial->max_diff, &wide, error) != STATUS_OK)
        return STATUS_ERROR;
    trial->rounding = wide == WIDE_ROUNDING;
    if (trial->rounding)
        trial->pass = true;
    if (!trial->pass && trial->kind == TRIAL_SCALED_WEIGHTS && wide != WIDE_OTHER &&
        (wide != WIDE_MEANING || stays_narrow(step)) &&
        outputs_agree(&pair->original, &pair->candidate, scaled(step->result->tolerance, ENLARGED),
                      step->processors)) {
        trial->pass = true;
        trial->counts = false;
        trial->why_not = "a difference of which float64 does not tell whether it is rounding";
    }
    if (!trial->pass || (wide == WIDE_MEANING ? stays_narrow(step) : wide != WIDE_OTHER))
        return STATUS_OK;
    trial->pass = false;
    for (size_t i = 0; i < trial->output_count; i++)
        if (trial->outputs[i].compared && output_difference(&trial->outputs[i]) == trial->max_diff) {
            trial->outputs[i].matches = false;
            trial->outputs[i].problem =
                arena_printf(step->arena,
                             wide == WIDE_OTHER
                                 ? "a difference of %.3g, and the refactored runs other operators in float64"
                                 : "a difference of %.3g is within the tolerance, but stays in float64",
                             trial->max_diff);
        }
    return STATUS_OK;
}
