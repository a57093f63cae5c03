/* What went wrong in a trial, as findings: each is made once, not once a trial. */
#include "trials_parts.h"

#include <string.h>

bool trial_is_other_size(TrialKind kind) {
    return kind == TRIAL_OTHER_BATCH || kind == TRIAL_OTHER_LENGTH || kind == TRIAL_OTHER_SIZES;
}

const char *trial_name(const Trial *trial) {
    return trial->sizes != NULL ? trial->sizes : trial_kind_name(trial->kind);
}

bool trial_is_gradients(TrialKind kind) {
    return kind == TRIAL_GRADIENTS || kind == TRIAL_EQUAL_GRADIENTS;
}

static bool first_report(Trials *trials, const char *key) {
    if (table_has(trials->reported, key))
        return false;
    table_put(trials->reported, key, TABLE_PRESENT);
    return true;
}

/* The guide's cause for an exception of torch's, by the words that torch uses for it. */
static const char *cause_of(const char *message) {
    static const struct {
        const char *words, *cause;
    } causes[] = {
        {"allocate memory",
         "it runs out of memory where the original does not; --memory BYTES allows it more"},
        {"MemoryError", "it runs out of memory where the original does not; --memory BYTES allows it more"},
        {"shapes cannot be multiplied",
         "shape mismatch: check that Linear(in, out) is not swapped and that no dimension was reduced"},
        {"size mismatch", "shape mismatch: check weight dimensions and reshapes"},
        {"Expected size for", "shape mismatch: check the shapes that go into this component"},
        {"must match the size", "shape mismatch: check reshapes and transposes"},
        {"is invalid for input of size", "shape mismatch: a reshape has the wrong sizes"},
        {"to have", "shape mismatch: check the shapes that go into this component"},
        {"normalized_shape", "shape mismatch: the normalised dimension is not the original's"},
        {"dtype", "dtype mismatch: weights and input must have the same dtype"},
        {"scalar type", "dtype mismatch: weights and input must have the same dtype"},
        {"positional argument", "its forward() does not take the original's inputs"},
        {"keyword argument", "its forward() does not take the original's inputs"},
    };
    for (size_t i = 0; i < COUNT_OF(causes); i++)
        if (strstr(message, causes[i].words) != NULL)
            return causes[i].cause;
    return NULL;
}

void trial_report_raised(Trials *trials, const CellFailure *failure) {
    StepState *step = trials->step;
    if (!first_report(trials, "raised"))
        return;
    const char *cause = cause_of(failure->what);
    Finding *finding = step_violation(
        step, RULE_NUMBERS_RAISED, failure->place,
        arena_printf(step->arena, "the refactored model fails on inputs that the original accepts%s%s: %s",
                     failure->module == NULL || failure->module[0] == '\0' ? "" : " at component ",
                     failure->module == NULL ? "" : failure->module, failure->what));
    finding->where = failure->module;
    if (cause != NULL)
        finding->instead = cause;
}

void trial_compare_modified(Trials *trials, const Pair *pair) {
    StepState *step = trials->step;
    const RunOutputs *a = &pair->original, *b = &pair->candidate;
    for (size_t i = 0; i < a->input_modified_count; i++) {
        bool both = text_among(a->inputs_modified[i], b->inputs_modified, b->input_modified_count);
        if (both)
            findings_add(step->result->findings, verify_rule(RULE_NUMBERS_INPUT), SEVERITY_NOTE, (Place){0},
                         "both models modify their input %s in place", a->inputs_modified[i])
                ->instead = "";
    }
}

void trial_compare_state(Trials *trials, const Pair *pair) {
    StepState *step = trials->step;
    for (int side = 0; step->assignment != NULL && side < 2; side++) {
        const char *words = side == 0 ? "the original's forward changes %s, the refactored's does not"
                                      : "the refactored's forward changes %s, the original's does not";
        const char *key = state_unlike(step->assignment, &pair->original, &pair->candidate, side == 0, false);
        if (key != NULL && first_report(trials, "state"))
            step_violation(step, RULE_NUMBERS_STATE, (Place){0}, arena_printf(step->arena, words, key));
        key = state_unlike(step->assignment, &pair->original, &pair->candidate, side == 0, true);
        if (key != NULL)
            step_narrow(step, "soundness 3", arena_printf(step->arena, words, key));
    }
    for (int side = 0; side < 2; side++) {
        const char *words = side == 0 ? "the original's forward leaves tensors in the attribute %s, the "
                                        "refactored's does not"
                                      : "the refactored's forward leaves tensors in the attribute %s, the "
                                        "original's does not";
        const char *path = attribute_unlike(step->arena, &pair->original, &pair->candidate, side == 0);
        if (path != NULL)
            step_narrow(step, "soundness 3", arena_printf(step->arena, words, path));
    }
}

/* Of the outputs, if any of them differs: what is left may follow from it. */
static const OutputComparison *worst_of(const Trial *trial) {
    const OutputComparison *worst = NULL;
    for (size_t i = 0; i < trial->output_count; i++) {
        const OutputComparison *output = &trial->outputs[i];
        if (!output->matches && output->compared &&
            (worst == NULL || output->of < worst->of ||
             (output->of == worst->of && output->numbers.max_abs > worst->numbers.max_abs)))
            worst = output;
    }
    return worst;
}

/* Then what differs says no more than that. */
static bool computes_with_nothing(const StepState *step, const OutputComparison *worst) {
    bool nothing = false;
    for (size_t i = 0; step->has_traces && step->assignment != NULL && i < step->assignment->candidate->count;
         i++)
        nothing = nothing || (step->assignment->items[i].by == ASSIGNED_NOTHING &&
                              step->assignment->candidate->items[i].is_state &&
                              trace_reads(&step->candidate_trace, step->assignment->candidate->items[i].key));
    return nothing && worst->numbers.nonfinite_mismatches > 0;
}

static Diagnosis without_weights(const StepState *step) {
    static const char nothing[] = "weights that get nothing from the original are NaN here";
    const ProofResult *proof = &step->result->proof;
    if (proof->cause == NULL)
        return (Diagnosis){.what = nothing, .instead = "give every weight its place"};
    return (Diagnosis){.what = arena_printf(step->arena, "%s; a proof would place them, but %s: %s", nothing,
                                            proof->cause, proof->why_not),
                       .instead = "do what the original does there, or map the weights"};
}

void trial_report_different(Trials *trials, const Trial *trial, bool second_call, bool rounding) {
    static const VerifyRule rules[] = {[LEAF_OF_OUTPUTS] = RULE_NUMBERS_DIFFERENT,
                                       [LEAF_OF_ARGUMENTS] = RULE_NUMBERS_INPUT,
                                       [LEAF_OF_STATE] = RULE_NUMBERS_STATE};
    StepState *step = trials->step;
    const OutputComparison *worst = worst_of(trial);
    if (worst == NULL || !first_report(trials, "different"))
        return;
    Diagnosis diagnosis = {.what = "", .instead = NULL};
    if (second_call)
        diagnosis = (Diagnosis){.what = "the second call of forward differs: something is kept between calls",
                                .instead = "keep nothing of one call for the next"};
    else if (trial_is_other_size(trial->kind))
        diagnosis = (Diagnosis){
            .what = "the refactored computes something else at other sizes and numbers than the sample's",
            .instead = "take sizes and numbers from the inputs, as the original does"};
    else if (trial->kind == TRIAL_WIDER_INTEGERS)
        diagnosis = (Diagnosis){.what = "the two agree on the sample's integers alone",
                                .instead = "ask of integers what the original asks of them"};
    else if (trial->kind == TRIAL_OTHER_MODE)
        diagnosis = (Diagnosis){.what = "in eval mode the outputs agree: dropout or batch statistics differ",
                                .instead = "do in train mode what the original does, in the same order"};
    else if (step->has_traces && worst->of == LEAF_OF_OUTPUTS)
        diagnosis = diagnose(step->arena, &step->original.program, &step->original_trace,
                             &step->candidate.program, &step->candidate_trace, step->assignment);
    const ProofResult *proof = &step->result->proof;
    if (computes_with_nothing(step, worst))
        diagnosis = without_weights(step);
    else if (diagnosis.unclear && proof->cause != NULL) /* the graphs do */
        diagnosis = (Diagnosis){.what = arena_printf(step->arena, "%s: %s", proof->cause, proof->why_not),
                                .instead = text_equal(proof->cause, "weights crossed")
                                               ? diagnosis.instead
                                               : "do what the original does there",
                                .place = proof->place};
    const char *when = trial->kind == TRIAL_SEEDED
                           ? arena_printf(step->arena, "seed %llu", (unsigned long long)trial->seed)
                           : arena_printf(step->arena, "%s, --perturb-seed %llu", trial_name(trial),
                                          (unsigned long long)step->result->perturb_seed);
    Finding *finding =
        step_violation(step, rules[worst->of], diagnosis.place,
                       arena_printf(step->arena, "%s doesn't match the original (%s): %s%s%s%s", worst->path,
                                    when, worst->problem,
                                    rounding ? "; in float64 both agree, so this is rounding, but more than "
                                               "ten times the tolerance"
                                             : "",
                                    diagnosis.what[0] ? "; " : "", diagnosis.what));
    finding->where = worst->path;
    if (rounding)
        finding->instead = "compute by the operators that the original uses, or give --rtol and --atol";
    else if (diagnosis.instead != NULL)
        finding->instead = diagnosis.instead;
}
