/* The numbers of a step: the guide's trials, the perturbed ones, and whether they are evidence. */
#include "trials_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is run beyond the guide's seeds (soundness 13): what standard initial values and inputs would hide. */
static const struct {
    TrialKind kind;
    bool weights;
    InputKind inputs;
} PERTURBED[] = {
    {TRIAL_PERTURBED_INPUTS, false, INPUT_BOTH_SIGNS}, /* first: then the weights change for good */
    {TRIAL_PERTURBED_WEIGHTS, true, INPUT_SAME},
    {TRIAL_PERTURBED_BOTH, true, INPUT_BOTH_SIGNS},
    {TRIAL_SMALL_INPUTS, true, INPUT_SMALL},
    {TRIAL_LARGE_INPUTS, true, INPUT_LARGE},
    {TRIAL_EQUAL_INPUTS, true, INPUT_EQUAL}};

/* ---- What can't be judged ------------------------------------------------------------------ */

static Status candidate_died(const CellFailure *failure, Error *error) {
    char place[1024];
    snprintf(place, sizeof place, "%s", failure->place.file);
    return error_set(error, place, "", "the refactored model's run %s", failure->what);
}

static Status original_failed(const CellFailure *failure, Error *error) {
    char place[1024];
    if (failure->place.line > 0)
        snprintf(place, sizeof place, "%s:%d", failure->place.file, failure->place.line);
    else
        snprintf(place, sizeof place, "%s", failure->place.file);
    return error_set(error, place, failure->advice, "the original model does not run: %s", failure->what);
}

/* ---- One trial ----------------------------------------------------------------------------- */

/* Do the first calls agree where the second do not? */
static Status first_call_agrees(StepState *step, const PairRequest *request, bool *agrees, Error *error) {
    PairRequest once = *request;
    once.again = false;
    Pair pair;
    Status status = pair_run(step, &once, &pair, error);
    *agrees = status == STATUS_OK && !pair.original_failure.failed && !pair.candidate_failure.failed &&
              outputs_agree(&pair.original, &pair.candidate, step->result->tolerance, step->processors);
    pair_close(&pair);
    return status;
}

static bool has_evidence(const Trial *trial) {
    for (size_t i = 0; i < trial->output_count; i++) {
        const OutputComparison *output = &trial->outputs[i];
        if (output->of == LEAF_OF_OUTPUTS && output->compared && output->numbers.original_finite > 0 &&
            (!output->numbers.constant || output->numbers.element_count == 1))
            return true;
    }
    return false;
}

static void settle_tolerance(StepState *step, const RunOutputs *original) {
    StepResult *result = step->result;
    if (result->input_dtype != NULL)
        return;
    Dtype dtype = DTYPE_COUNT;
    const json_t *tensors = json_object_get(
        json_array_get(json_object_get(step->original_description.done, "trials"), 0), "tensors");
    for (size_t i = 0; dtype == DTYPE_COUNT && i < json_array_size(tensors); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(tensors, i), "dtype"));
        Dtype found;
        if (name != NULL && dtype_find(name, &found) && dtype_is_floating(found))
            dtype = found;
    }
    for (size_t i = 0; dtype == DTYPE_COUNT && i < original->tensor_count; i++)
        if (dtype_is_floating(original->tensors[i].dtype))
            dtype = original->tensors[i].dtype;
    if (dtype == DTYPE_COUNT && original->tensor_count > 0)
        dtype = original->tensors[0].dtype;
    if (dtype == DTYPE_COUNT)
        dtype = DTYPE_FLOAT32;
    result->input_dtype = dtype_info(dtype)->torch_name;
    Tolerance standard = dtype_info(dtype)->tolerance;
    if (step->composed != NULL) { /* decomposition 15 */
        standard.rtol = fmax(standard.rtol, 1e-4);
        standard.atol = fmax(standard.atol, 1e-5);
    }
    result->tolerance.rtol = isnan(step->options->rtol) ? standard.rtol : step->options->rtol;
    result->tolerance.atol = isnan(step->options->atol) ? standard.atol : step->options->atol;
}

static bool an_output_differs(const Trial *trial) {
    for (size_t i = 0; i < trial->output_count; i++)
        if (trial->outputs[i].of == LEAF_OF_OUTPUTS && !trial->outputs[i].matches)
            return true;
    return false;
}

static Status judge_trial(Trials *trials, const PairRequest *request, const Pair *pair, Trial *trial,
                          Error *error) {
    StepState *step = trials->step;
    double start = seconds_now();
    trial->pass =
        compare_outputs(step->arena, &pair->original, &pair->candidate, step->result->tolerance,
                        step->processors, &trial->outputs, &trial->output_count, step->result->findings);
    trial->max_diff = trial_largest_difference(trial);
    step->result->seconds.compare += seconds_now() - start;
    trial->counts = has_evidence(trial);
    if (!trial->counts)
        trial->why_not = "the original's outputs are constant, empty or not finite";
    if (trial_settle(step, request, pair, trial, error) != STATUS_OK)
        return STATUS_ERROR;
    bool kept = false;
    if (!trial->pass && request->again && first_call_agrees(step, request, &kept, error) != STATUS_OK)
        return STATUS_ERROR;
    bool rounding = false;
    if (!trial->pass && trial->kind == TRIAL_SEEDED && trial_only_numbers_differ(trial) &&
        !table_has(trials->reported, "different") &&
        trial_is_rounding(step, request, trial, &rounding, error) != STATUS_OK)
        return STATUS_ERROR;
    if (!trial->pass)
        trial_report_different(trials, trial, kept, rounding);
    if (!trial->pass && trial_only_numbers_differ(trial) && an_output_differs(trial))
        step_find_departure(step, request, trial);
    trial_compare_modified(trials, pair);
    trial_compare_state(trials, pair);
    return STATUS_OK;
}

/* What the original refuses, by an exception, is none of its inputs. A run that had no memory or no time says
 * nothing: past the sample that may be, and is said. */
static bool may_fail(const CellFailure *original, TrialKind kind) {
    return original->raised || trial_is_other_size(kind) || kind == TRIAL_WIDER_INTEGERS;
}

Status trial_judge(Trials *trials, const PairRequest *request, TrialKind kind, const char *sizes,
                   const Pair *pair, Error *error) {
    StepState *step = trials->step;
    Trial *trial = ARENA_PUSH(step->arena, &trials->list);
    *trial = (Trial){.number = (unsigned)trials->list.count,
                     .kind = kind,
                     .sizes = sizes,
                     .seed = request->seed,
                     .max_diff = NAN};
    const bool sized = trial_is_other_size(kind);
    if (pair->original_failure.failed && (kind == TRIAL_SEEDED || !may_fail(&pair->original_failure, kind)))
        return original_failed(&pair->original_failure, error);
    if (pair->original_failure.failed) {
        trial->pass = true;
        trial->why_not =
            arena_printf(step->arena, "the original does not run on these: %s", pair->original_failure.what);
        if (!pair->original_failure.raised)
            step_narrow(step, sized ? "soundness 11" : "soundness 13",
                        arena_printf(step->arena, "%s is not tried: the original's run %s", trial_name(trial),
                                     pair->original_failure.what));
        return STATUS_OK;
    }
    settle_tolerance(step, &pair->original);
    if (pair->candidate_failure.failed && (sized || kind == TRIAL_WIDER_INTEGERS)) {
        trial->pass = true;
        trial->why_not = pair->candidate_failure.what;
        step_narrow(step, sized ? "soundness 11" : "soundness 13",
                    arena_printf(step->arena, "these %s only: at %s the refactored fails: %s",
                                 sized ? "sizes" : "values", trial_name(trial),
                                 pair->candidate_failure.what));
        return STATUS_OK;
    }
    if (pair->candidate_failure.failed && !pair->candidate_failure.raised)
        return candidate_died(&pair->candidate_failure, error);
    if (pair->candidate_failure.failed) {
        trial->error = pair->candidate_failure.what;
        trial_report_raised(trials, &pair->candidate_failure);
        return STATUS_OK;
    }
    if (request->trace)
        step->has_traces = true;
    return judge_trial(trials, request, pair, trial, error);
}

/* Runs and judges one trial. `*pair` holds its results until the caller closes it. */
static Status run_trial(Trials *trials, const PairRequest *request, TrialKind kind, Pair *pair,
                        Error *error) {
    const Status status = pair_run(trials->step, request, pair, error);
    return status == STATUS_OK ? trial_judge(trials, request, kind, NULL, pair, error) : status;
}

/* ---- The perturbed trials ------------------------------------------------------------------ */

/* Does any output of the original differ between two of its runs, by so much that a trial could fail? */
static bool outputs_change(StepState *step, const RunOutputs *a, const RunOutputs *b) {
    const RunOutputs first = outputs_alone(a), second = outputs_alone(b);
    return !outputs_agree(&first, &second, step->result->tolerance, step->processors);
}

static bool has_floating_state(const StepState *step) {
    const StateDict *state = &step->original_description.state;
    for (size_t i = 0; i < state->count; i++)
        if (state->items[i].is_state && dtype_is_floating(state->items[i].tensor.dtype) &&
            trace_reads(&step->original_trace, state->items[i].key))
            return true;
    return false;
}

/* What is proved needs no other evidence. */
static void no_evidence(StepState *step, const char *what) {
    if (step->result->proof.proved)
        findings_add(step->result->findings, verify_rule(RULE_NUMBERS_NO_EVIDENCE), SEVERITY_NOTE, (Place){0},
                     "%s", what)
            ->instead = "";
    else
        step_violation(step, RULE_NUMBERS_NO_EVIDENCE, (Place){0}, what);
}

/* A last layer of zeros hides the inputs, until its weights are perturbed: then trials on those weights show
 * them, against that of the sample's inputs. A second call's outputs may differ by what is kept between
 * calls. */
static bool can_show_inputs(TrialKind kind) {
    return kind == TRIAL_SMALL_INPUTS || kind == TRIAL_LARGE_INPUTS || kind == TRIAL_EQUAL_INPUTS;
}

static bool perturbs_weights(const StepState *step, TrialKind kind) {
    return kind == TRIAL_PERTURBED_WEIGHTS && has_floating_state(step);
}

static void judge_inputs_seen(Trials *trials) {
    if (trials->inputs_unseen)
        no_evidence(
            trials->step,
            "the original's output stays the same when its inputs are perturbed: nothing can be learned "
            "from these numbers");
    pair_close(&trials->with_perturbed);
}

/* Evidence must be able to fail (soundness 15): what the perturbed runs of the original itself show. What is
 * kept for later trials is taken from `pair`. */
static void judge_evidence(Trials *trials, TrialKind kind, Pair *pair) {
    StepState *step = trials->step;
    if (pair->original_failure.failed)
        return;
    bool changed = outputs_change(step, &trials->first.original, &pair->original);
    if (perturbs_weights(step, kind) && !changed)
        no_evidence(
            step,
            "the original's output stays the same when its weights are perturbed: nothing can be learned "
            "from these numbers");
    const json_t *tensors = json_object_get(
        json_array_get(json_object_get(step->original_description.done, "trials"), 0), "tensors");
    if (kind == TRIAL_PERTURBED_INPUTS)
        trials->inputs_unseen = !changed && json_array_size(tensors) > 0;
    if (trials->inputs_unseen && perturbs_weights(step, kind)) {
        trials->with_perturbed = *pair;
        *pair = (Pair){0};
    } else if (trials->inputs_unseen && can_show_inputs(kind) &&
               trials->with_perturbed.original_file != NULL) {
        trials->inputs_unseen = !outputs_change(step, &trials->with_perturbed.original, &pair->original);
    }
}

static bool all_pass(const Trials *trials) {
    for (size_t i = 0; i < trials->list.count; i++)
        if (!trials->list.items[i].pass)
            return false;
    return true;
}

static Status run_gradient(Trials *trials, const json_t *sample, TrialKind kind, Error *error) {
    StepState *step = trials->step;
    Trial *trial = ARENA_PUSH(step->arena, &trials->list);
    *trial = (Trial){
        .number = (unsigned)trials->list.count, .kind = kind, .seed = step->options->seed, .max_diff = NAN};
    return gradients_run(step, sample, trial, error);
}

/* Not even at standard is an opaque call's gradient left out (soundness 10). What is proved has the
 * original's operators: where one of them shares a gradient out among equal elements, both sides do. */
static Status run_gradients(Trials *trials, const json_t *sample, Error *error) {
    StepState *step = trials->step;
    if (step->options->rigor != RIGOR_PARANOID && !has_opaque_gradient(step))
        return STATUS_OK;
    if (run_gradient(trials, sample, TRIAL_GRADIENTS, error) != STATUS_OK)
        return STATUS_ERROR;
    return step->result->proof.proved || !all_pass(trials)
               ? STATUS_OK
               : run_gradient(trials, sample, TRIAL_EQUAL_GRADIENTS, error);
}

static const char *other_in_train_mode(Arena *arena, const OutputComparison *outputs, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!outputs[i].matches)
            return outputs[i].of == LEAF_OF_OUTPUTS
                       ? "eval mode only: in train mode the refactored gives other outputs"
                       : arena_printf(arena,
                                      "eval mode only: in train mode %s is another than the original's",
                                      outputs[i].path);
    return "eval mode only: in train mode the refactored gives other outputs";
}

/* Train mode never fails a step that is judged in eval mode, but in rigor paranoid. */
static Status run_other_mode(Trials *trials, const json_t *sample, Error *error) {
    StepState *step = trials->step;
    if (step->options->train)
        return STATUS_OK;
    PairRequest request = {.seed = step->options->seed,
                           .trial = sample,
                           .weights = step->weights,
                           .inputs = step->original_description.inputs,
                           .other_mode = true};
    Pair pair;
    const bool paranoid = step->options->rigor == RIGOR_PARANOID;
    Status status = paranoid ? run_trial(trials, &request, TRIAL_OTHER_MODE, &pair, error)
                             : pair_run(step, &request, &pair, error);
    const CellFailure *theirs = &pair.original_failure;
    if (!paranoid && status == STATUS_OK && theirs->failed && !theirs->raised)
        step_narrow(
            step, "soundness 11",
            arena_printf(step->arena, "eval mode only: in train mode the original's run %s", theirs->what));
    if (!paranoid && status == STATUS_OK && !pair.original_failure.failed) {
        OutputComparison *outputs;
        size_t count;
        if (pair.candidate_failure.failed)
            step_narrow(step, "soundness 11",
                        arena_printf(step->arena, "eval mode only: in train mode the refactored fails: %s",
                                     pair.candidate_failure.what));
        else if (!compare_outputs(step->arena, &pair.original, &pair.candidate, step->result->tolerance,
                                  step->processors, &outputs, &count, findings_new(step->arena)))
            step_narrow(step, "soundness 11", other_in_train_mode(step->arena, outputs, count));
        else if (state_unlike(step->assignment, &pair.original, &pair.candidate, true, false) != NULL)
            step_narrow(
                step, "soundness 11",
                arena_printf(step->arena, "eval mode only: in train mode the refactored leaves %s as it is",
                             state_unlike(step->assignment, &pair.original, &pair.candidate, true, false)));
    }
    pair_close(&pair);
    if (paranoid && status == STATUS_OK && step->other_mode_differs != NULL && all_pass(trials) &&
        !trials->list.items[trials->list.count - 1].counts)
        no_evidence(step, arena_printf(step->arena, "%s; no numbers tell whether it matters",
                                       step->other_mode_differs));
    return status;
}

/* On inputs of one kind and the weights as they are by now; `nth` of the step's. */
static Status run_with_inputs(Trials *trials, const json_t *sample, TrialKind kind, InputKind inputs,
                              size_t nth, Error *error) {
    StepState *step = trials->step;
    PairRequest request = {.seed = step->options->seed,
                           .trial = sample,
                           .weights = step->weights,
                           .again = kind == TRIAL_PERTURBED_BOTH};
    if (inputs == INPUT_EQUAL)
        request.bounds = sample_bounds(step);
    if (sample_perturb(step, sample, inputs, request.bounds, step->result->perturb_seed + nth,
                       &request.inputs, error) != STATUS_OK)
        return STATUS_ERROR;
    Pair pair;
    Status status = run_trial(trials, &request, kind, &pair, error);
    if (status == STATUS_OK)
        judge_evidence(trials, kind, &pair);
    pair_close(&pair);
    memory_file_close(request.inputs);
    return status;
}

static Status run_with_weights(Trials *trials, const json_t *sample, TrialKind kind, WeightKind weights,
                               InputKind inputs, size_t nth, Error *error) {
    StepState *step = trials->step;
    step_tell(step, trial_kind_name(kind));
    if (step_change_weights(step, weights, step->result->perturb_seed + nth, error) != STATUS_OK)
        return STATUS_ERROR;
    return run_with_inputs(trials, sample, kind, inputs, nth, error);
}

/* Of a small model few elements are equal where it matters, and what is made of them may be lost further on:
 * there they are handed on as they are too. */
static Status run_selecting(Trials *trials, const json_t *sample, size_t nth, Error *error) {
    enum { SMALL = 1 << 18, APART = 100 };
    static const WeightKind kinds[] = {WEIGHTS_SELECTING, WEIGHTS_STRAIGHT};
    const bool small = trials->step->original_description.weights->size <= SMALL;
    Status status = STATUS_OK;
    for (size_t i = 0; i < (small ? COUNT_OF(kinds) : 1) && status == STATUS_OK && all_pass(trials); i++)
        status = run_with_weights(trials, sample, TRIAL_SELECTING_WEIGHTS, kinds[i], INPUT_EQUAL,
                                  nth + i * APART, error);
    return status;
}

/* The last: nothing else should run on such weights. */
static Status run_odd_weights(Trials *trials, const json_t *sample, Error *error) {
    const size_t rounds = !has_floating_state(trials->step)                ? 0
                          : trials->step->options->rigor == RIGOR_PARANOID ? 2
                                                                           : 1;
    Status status = STATUS_OK;
    for (size_t i = 0; i < rounds && status == STATUS_OK && all_pass(trials); i++) {
        const size_t nth = COUNT_OF(PERTURBED) + i;
        status = run_with_weights(trials, sample, TRIAL_SCALED_WEIGHTS, WEIGHTS_SCALED, INPUT_BOTH_SIGNS, nth,
                                  error);
        if (status == STATUS_OK)
            status = run_selecting(trials, sample, nth, error);
    }
    return status;
}

static Status run_perturbed(Trials *trials, Error *error) {
    StepState *step = trials->step;
    const json_t *sample = json_array_get(json_object_get(step->original_description.done, "trials"), 0);
    bool perturbed = false;
    for (size_t i = 0; i < COUNT_OF(PERTURBED); i++) {
        step_tell(step, arena_printf(step->arena, "perturbed trial %zu of %zu", i + 1, COUNT_OF(PERTURBED)));
        if (PERTURBED[i].weights && !perturbed &&
            step_change_weights(step, WEIGHTS_PERTURBED, step->result->perturb_seed, error) != STATUS_OK)
            return STATUS_ERROR;
        perturbed |= PERTURBED[i].weights;
        if (run_with_inputs(trials, sample, PERTURBED[i].kind, PERTURBED[i].inputs, i, error) != STATUS_OK)
            return STATUS_ERROR;
    }
    judge_inputs_seen(trials);
    step_tell(step, "other integers, sizes and mode");
    if (all_pass(trials) && trials_run_integers(trials, sample, error) != STATUS_OK)
        return STATUS_ERROR;
    if (trials_run_sizes(trials, sample, error) != STATUS_OK)
        return STATUS_ERROR;
    if (all_pass(trials) && run_gradients(trials, sample, error) != STATUS_OK)
        return STATUS_ERROR;
    if (all_pass(trials) && run_other_mode(trials, sample, error) != STATUS_OK)
        return STATUS_ERROR;
    return run_odd_weights(trials, sample, error);
}

/* Can output `i` of this trial be compared, or need it not? */
static bool is_comparable(const Trial *trial, size_t i) {
    if (trial->outputs == NULL || i >= trial->output_count || trial_is_gradients(trial->kind))
        return false;
    const OutputComparison *output = &trial->outputs[i];
    return !output->compared || output->numbers.element_count == 0 || output->numbers.original_finite > 0;
}

/* An output that no trial gave a finite number is not compared at all. */
static void judge_finite(Trials *trials) {
    const Trial *first = trials->list.items;
    if (first == NULL || first->outputs == NULL)
        return;
    for (size_t i = 0; i < first->output_count && first->outputs[i].of == LEAF_OF_OUTPUTS; i++) {
        bool finite = false;
        for (size_t t = 0; t < trials->list.count; t++)
            finite = finite || is_comparable(&trials->list.items[t], i);
        if (!finite)
            no_evidence(trials->step,
                        arena_printf(trials->step->arena, "%s is not finite in the original in any trial",
                                     first->outputs[i].path));
    }
}

void step_judge_constants(StepState *step) {
    Diagnosis found;
    if (!step->has_traces)
        return;
    if (definite_difference(step->arena, &step->original.program, &step->original_trace,
                            &step->candidate.program, &step->candidate_trace, step->assignment, &found) ||
        (!step->result->proof.proved && recorded_difference(step, &found)))
        step_violation(step, found.rule, found.place, found.what);
}

static void judge_dependence(Trials *trials) {
    StepState *step = trials->step;
    if (!step->has_traces)
        return;
    const char *input = independent_input(step->arena, &step->original_trace, &step->candidate_trace);
    if (input != NULL)
        step_violation(step, RULE_NUMBERS_DEPENDENCE, (Place){0},
                       arena_printf(step->arena,
                                    "the original's outputs depend on its input %s, the refactored's do not",
                                    input));
    const char *output = independent_output(step->arena, &step->original_trace, &step->candidate_trace);
    if (output != NULL)
        step_violation(
            step, RULE_NUMBERS_DEPENDENCE, (Place){0},
            arena_printf(step->arena,
                         "%s is made of constants here; in the original it depends on inputs or weights",
                         output));
}

/* The real run must have done what was proved of shapes alone. */
static void judge_proof(StepState *step) {
    if (step->result->proof.proved && step->result->proof.symbolic && step->has_traces &&
        !same_computation(step->arena, &step->proof_trace, &step->candidate_trace))
        step_drop_proof(step,
                        "the refactored model's real run takes another way than its run on shapes alone");
}

Status step_run_trials(StepState *step, Error *error) {
    double start = seconds_now();
    StepResult *result = step->result;
    Trials trials = {.step = step, .reported = table_new(step->arena)};
    Status status = trials_run_seeded(&trials, error);
    result->seeded_count = trials.list.count;
    for (size_t i = 0; i < trials.list.count; i++)
        if (!(trials.list.items[i].max_diff <= result->max_diff))
            result->max_diff = trials.list.items[i].max_diff;
    judge_proof(step);
    const bool needs_more = !result->proof.proved || step->options->rigor == RIGOR_PARANOID;
    if (status == STATUS_OK && all_pass(&trials) && needs_more) {
        status = run_perturbed(&trials, error);
        bool evidence = false;
        for (size_t i = 0; i < trials.list.count; i++)
            evidence |= trials.list.items[i].counts && !trial_is_gradients(trials.list.items[i].kind);
        if (status == STATUS_OK && evidence)
            judge_finite(&trials);
        if (status == STATUS_OK && !evidence)
            no_evidence(step,
                        "no trial gave an output that could have differed: constant, empty or not finite");
    }
    if (!table_has(trials.reported, "different"))
        step_judge_constants(step);
    judge_dependence(&trials);
    pair_close(&trials.first);
    pair_close(&trials.with_perturbed);
    result->trials = trials.list.items;
    result->trial_count = trials.list.count;
    bool broken = !all_pass(&trials);
    for (size_t i = 0; i < result->findings->count; i++)
        broken |= result->findings->items[i].severity == SEVERITY_VIOLATION &&
                  text_starts(result->findings->items[i].rule->id, "numbers.");
    if (status == STATUS_OK)
        result->numbers = broken ? PART_FAILED : PART_PASSED;
    result->seconds.run = seconds_now() - start - result->seconds.compare;
    return status;
}

void step_close(StepState *step) {
    if (step->weights != NULL && step->weights != step->original_description.weights)
        memory_file_close(step->weights);
    json_decref(step->original_weights);
    json_decref(step->candidate_weights);
    description_close(&step->original_description);
    description_close(&step->candidate_description);
    side_close(&step->original);
    side_close(&step->candidate);
}
