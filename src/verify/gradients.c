/* Gradients: of a random projection of the outputs, with respect to inputs and parameters (soundness 9, 10).
 */
#include "pair.h"

#include <math.h>
#include <string.h>

static bool has_opaque_calls(const Trace *trace) {
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const char *operator= trace_operator(trace, &trace->calls[i]);
        if (strcmp(operator, "torch.autograd.Function.apply") == 0 ||
            text_starts(operator, "torch.jit.Script"))
            return true;
    }
    return false;
}

bool has_opaque_gradient(const StepState *step) {
    return step->has_traces &&
           (has_opaque_calls(&step->original_trace) || has_opaque_calls(&step->candidate_trace));
}

static size_t count_detached(const StepState *step, const Trace *trace) {
    size_t count = 0;
    for (size_t i = trace->forward_start; i < trace->call_count; i++)
        count +=
            trace->calls[i].give_count > 0 && trace->tensors[trace->calls[i].gives[0].number].floating &&
            trace->live_calls[i] &&
            strcmp(operator_canonical(step->arena, trace_operator(trace, &trace->calls[i])), "detach") == 0;
    return count;
}

void gradients_narrow(StepState *step) {
    if (step->options->rigor != RIGOR_PARANOID && step->has_traces && !step->result->proof.proved &&
        !has_opaque_gradient(step) &&
        count_detached(step, &step->original_trace) != count_detached(step, &step->candidate_trace))
        step_narrow(step, "soundness 9",
                    "forward only: one side detaches where the other does not; --rigor paranoid compares "
                    "gradients");
}

/* ---- Whose gradients a row's are ------------------------------------------------------------- */

static json_t *part_json(const StateDict *originals, const Piece *piece) {
    static const char *const kinds[] = {
        [PIECE_WHOLE] = "whole", [PIECE_OF_ORIGINAL] = "of original", [PIECE_OF_CANDIDATE] = "of candidate"};
    const StateEntry *original = &originals->items[originals->items[piece->original].tie];
    json_t *shape = json_array();
    for (size_t i = 0; i < original->tensor.rank; i++)
        json_array_append_new(shape, json_integer(original->tensor.shape[i]));
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:o}", "key", original->key, "kind", kinds[piece->kind],
                     "dim", (json_int_t)piece->dim, "start", (json_int_t)piece->start, "stop",
                     (json_int_t)piece->stop, "transpose", piece->transpose, "shape", shape);
}

/* The first key of each tie stands for all of it. */
static void tell_originals(json_t *rows, const StateDict *state, const StateDict *originals,
                           const Assigned *assigned) {
    for (size_t r = 0; r < json_array_size(rows); r++) {
        json_t *row = json_array_get(rows, r), *parts = json_array();
        const StateEntry *entry = table_get(state->by_key, json_string_value(json_object_get(row, "key")));
        const size_t i = entry == NULL ? 0 : (size_t)(entry - state->items);
        const Piece itself = {.kind = PIECE_WHOLE, .original = i};
        if (entry != NULL && entry->tie == i && assigned == NULL)
            json_array_append_new(parts, part_json(originals, &itself));
        else if (entry != NULL && entry->tie == i)
            for (size_t j = 0; j < assigned[i].count; j++)
                json_array_append_new(parts, part_json(originals, &assigned[i].items[j]));
        json_object_set_new(row, "originals", parts);
    }
}

/* ---- Judging ------------------------------------------------------------------------------- */

static const OutputComparison *worst_of(const Trial *trial) {
    const OutputComparison *worst = NULL;
    for (size_t i = 0; i < trial->output_count; i++) {
        const OutputComparison *one = &trial->outputs[i];
        if (one->matches)
            continue;
        if (!one->compared)
            return one; /* it gets there on one side only */
        if (worst == NULL || output_difference(one) > output_difference(worst))
            worst = one;
    }
    return worst;
}

static void report_gradient(StepState *step, const Trial *trial) {
    const OutputComparison *worst = worst_of(trial);
    if (worst == NULL)
        return;
    step_violation(
        step, RULE_NUMBERS_GRADIENT, (Place){0},
        arena_printf(step->arena,
                     "%s doesn't match the original's, though the outputs do (%s, --perturb-seed %llu): %s",
                     worst->path, trial_kind_name(trial->kind),
                     (unsigned long long)step->result->perturb_seed, worst->problem))
        ->where = worst->path;
}

static void no_gradients(StepState *step, Trial *trial, const char *why) {
    trial->pass = true;
    trial->why_not = why;
    step_narrow(step, "soundness 9", arena_printf(step->arena, "gradients are not compared: %s", why));
}

static Status judge_gradients(StepState *step, const PairRequest *request, const Pair *pair, Trial *trial,
                              Error *error) {
    trial->pass =
        compare_outputs(step->arena, &pair->original, &pair->candidate, step->result->tolerance,
                        step->processors, &trial->outputs, &trial->output_count, findings_new(step->arena));
    trial->max_diff = trial_largest_difference(trial);
    if (trial_settle(step, request, pair, trial, error) != STATUS_OK)
        return STATUS_ERROR;
    bool any = false;
    for (size_t i = 0; i < trial->output_count; i++)
        any |= !trial->outputs[i].compared || trial->outputs[i].numbers.original_finite > 0;
    if (!trial->pass)
        report_gradient(step, trial);
    else if (!any)
        no_gradients(step, trial, "none that is finite gets to inputs or parameters in the original");
    trial->counts = any;
    return STATUS_OK;
}

static Status judge_pair(StepState *step, const PairRequest *request, const Pair *pair, Trial *trial,
                         Error *error) {
    const CellFailure *ours = &pair->candidate_failure;
    if (pair->original_failure.failed) {
        no_gradients(step, trial,
                     arena_printf(step->arena, "the original can't be differentiated: %s",
                                  pair->original_failure.what));
        return STATUS_OK;
    }
    if (!ours->failed)
        return judge_gradients(step, request, pair, trial, error);
    trial->error = ours->what;
    step_violation(
        step, RULE_NUMBERS_GRADIENT, ours->place,
        arena_printf(step->arena,
                     "the refactored model fails when it is differentiated, the original does not: %s",
                     ours->what))
        ->where = ours->module;
    return STATUS_OK;
}

/* That no trial met equal elements inside says nothing of those that will. */
static void judge_equal(StepState *step) {
    const TraceCall *theirs, *ours;
    Arena *arena = step->arena;
    if (step->options->rigor != RIGOR_PARANOID || !step->has_traces ||
        !other_at_equal(arena, &step->original_trace, &step->candidate_trace, &theirs, &ours))
        return;
    const Place place = call_place(&step->candidate.program, ours);
    step_violation(
        step, RULE_NUMBERS_GRADIENT, place,
        arena_printf(arena,
                     "equal elements get other gradients: the original calls %s%s, the refactored %s%s; amax "
                     "and amin share a gradient out, max and min along a dimension give it to one",
                     operator_canonical(arena, trace_operator(&step->original_trace, theirs)),
                     place_in_words(arena, call_place(&step->original.program, theirs)),
                     operator_canonical(arena, trace_operator(&step->candidate_trace, ours)),
                     place_in_words(arena, place)));
}

Status gradients_run(StepState *step, const json_t *sample, Trial *trial, Error *error) {
    step_tell(step, "gradients");
    const Assignment *assignment = step->assignment;
    tell_originals(step->original_weights, assignment->original, assignment->original, NULL);
    tell_originals(step->candidate_weights, assignment->candidate, assignment->original, assignment->items);
    PairRequest request = {.seed = trial->seed, .trial = sample, .weights = step->weights, .gradients = true};
    const InputKind inputs = trial->kind == TRIAL_EQUAL_GRADIENTS ? INPUT_EQUAL : INPUT_BOTH_SIGNS;
    if (sample_perturb(step, sample, inputs, (InputBounds){0}, step->result->perturb_seed + trial->kind,
                       &request.inputs, error) != STATUS_OK)
        return STATUS_ERROR;
    Pair pair;
    Status status = pair_run(step, &request, &pair, error);
    if (status == STATUS_OK)
        status = judge_pair(step, &request, &pair, trial, error);
    if (status == STATUS_OK && trial->kind == TRIAL_EQUAL_GRADIENTS && trial->pass)
        judge_equal(step);
    pair_close(&pair);
    memory_file_close(request.inputs);
    return status;
}
