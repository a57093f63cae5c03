/* Trials at other sizes than the sample's (soundness 11 and 12), of a step that nothing proves. */
#include "size_plan.h"
#include "trials_parts.h"

#include <math.h>

/* What a run at a large size may take: bytes that calls give, and calls, where each may be one of a loop. By
 * what a run is made of, not by its time: what is tried must not hang on the machine. */
static const double most_bytes = 128 << 20, most_calls = 250000, most_timeout = 30;

typedef struct SizeTrials {
    Trials *trials;
    SizePlan plan;
    bool *too_large; /* of the plan's calls: it would take long, or much memory */
} SizeTrials;

/* ---- What a large size would take ------------------------------------------------------------ */

/* A tensor grows with the batch as that does; with the length at most by its square, where two of its
 * dimensions are multiples of it. */
static double bytes_at(const Trace *trace, size_t dimension, int64_t from, double growth) {
    double bytes = 0;
    for (size_t i = 0; i < trace->tensor_count; i++) {
        const TraceTensor *tensor = &trace->tensors[i];
        Dtype dtype;
        double size = dtype_find(tensor->dtype, &dtype) ? (double)dtype_info(dtype)->size : 16;
        unsigned grows = 0;
        for (size_t d = 0; d < tensor->rank; d++) {
            size *= (double)tensor->shape[d];
            grows += tensor->shape[d] > 0 && tensor->shape[d] % from == 0;
        }
        if (tensor->origin == ORIGIN_CALL)
            bytes += size * growth * (dimension > 0 && grows > 1 ? growth : 1);
    }
    return bytes;
}

/* By the sample's run. */
static CallCost cost_by_sample(const StepState *step, const SizeCall *call) {
    const Trace *const sides[] = {&step->original_trace, &step->candidate_trace};
    const double growth = (double)call->to / (double)call->from;
    CallCost cost = {step->has_traces ? 0 : INFINITY, 0};
    for (size_t i = 0; i < COUNT_OF(sides) && step->has_traces; i++) {
        cost.operators = fmax(cost.operators, (double)sides[i]->call_count * growth);
        cost.bytes = fmax(cost.bytes, bytes_at(sides[i], call->dimension, call->from, growth));
    }
    return cost;
}

/* By a recording at another size of the same dimension: no more than by its square for bytes, and as it grows
 * for calls. */
static CallCost cost_by_recording(const CallCost *known, const SizeCall *recorded, const SizeCall *call) {
    const double growth = fmax((double)call->to / (double)recorded->to, 1);
    return (CallCost){known->bytes * growth * (call->dimension > 0 ? growth : 1), known->operators * growth};
}

static const CallCost *recorded_cost(const StepState *step, const SizeCall *call) {
    return step->costs == NULL ? NULL : table_get(step->costs, call->name);
}

static bool is_affordable(const StepState *step, const SizePlan *plan, const SizeCall *call) {
    const CallCost *exact = recorded_cost(step, call);
    CallCost cost = exact != NULL ? *exact : cost_by_sample(step, call);
    for (size_t i = 0; i < plan->count && exact == NULL; i++) {
        const SizeCall *other = &plan->items[i];
        const CallCost *known = recorded_cost(step, other);
        if (known == NULL || other->dimension != call->dimension || other->from != call->from)
            continue;
        const CallCost bound = cost_by_recording(known, other, call);
        cost = (CallCost){fmin(cost.bytes, bound.bytes), fmin(cost.operators, bound.operators)};
    }
    return call->near || (cost.bytes <= most_bytes && cost.operators <= most_calls);
}

/* ---- A group of them ------------------------------------------------------------------------- */

static bool was_killed(const CellFailure *failure) {
    return failure->failed && !failure->raised;
}

/* Several at once, in one cell a side. `*judged`: how many of them; not all where the first fails. */
static Status run_group(Trials *trials, const SizeCall *const *group, size_t count, size_t *judged,
                        Error *error) {
    StepState *step = trials->step;
    PairRequest requests[1 + MOST_THEN];
    Pair pairs[1 + MOST_THEN] = {0};
    for (size_t i = 0; i < count; i++)
        requests[i] = (PairRequest){.seed = step->options->seed,
                                    .trial = group[i]->sample,
                                    .weights = step->weights,
                                    .inputs = step->original_description.inputs};
    Status status = pairs_run(step, requests, count, pairs, error);
    if (status == STATUS_OK && count > 1 &&
        (was_killed(&pairs->original_failure) || was_killed(&pairs->candidate_failure))) {
        pair_close(pairs); /* by which of them? */
        status = pair_run(step, requests, pairs, error);
        count = 1;
    } else if (pairs->original_failure.failed || pairs->candidate_failure.failed) {
        count = 1;
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = trial_judge(trials, &requests[i], group[i]->kind,
                             group[i]->kind == TRIAL_OTHER_SIZES ? group[i]->name : NULL, &pairs[i], error);
    *judged = count;
    for (size_t i = 0; i < 1 + MOST_THEN; i++)
        pair_close(&pairs[i]);
    return status;
}

static bool all_pass(const Trials *trials) {
    for (size_t i = 0; i < trials->list.count; i++)
        if (!trials->list.items[i].pass)
            return false;
    return true;
}

static Status run_groups(Trials *trials, const SizeCall *const *calls, size_t count, Error *error) {
    Status status = STATUS_OK;
    for (size_t i = 0, judged; i < count && status == STATUS_OK && all_pass(trials); i += judged)
        status = run_group(trials, calls + i, count - i < 1 + MOST_THEN ? count - i : 1 + MOST_THEN, &judged,
                           error);
    return status;
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* The original ran on it, and the refactored was held against it. */
static bool was_accepted(const char *name, const void *context) {
    const Trials *trials = context;
    for (size_t i = 0; i < trials->list.count; i++)
        if (text_equal(name, trial_name(&trials->list.items[i])))
            return trials->list.items[i].why_not == NULL;
    return false;
}

static Status run_wave(SizeTrials *sizes, unsigned wave, Error *error) {
    const StepState *step = sizes->trials->step;
    const SizePlan *plan = &sizes->plan;
    const SizeCall **calls = ARENA_ARRAY(step->arena, const SizeCall *, plan->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const SizeCall *call = &plan->items[i];
        const bool refused = step->refused != NULL && table_has(step->refused, call->name);
        if (call->wave != wave || !call->numbers || refused ||
            size_call_is_needless(call, was_accepted, sizes->trials))
            continue;
        sizes->too_large[i] = !is_affordable(step, plan, call);
        if (!sizes->too_large[i])
            calls[count++] = call;
    }
    return run_groups(sizes->trials, calls, count, error);
}

/* Of what is proved, the graphs were held against each other there. Where no recording tells what the
 * original refuses, what it refuses near the sample's size is not missed far from it. */
static void tell_left_out(const SizeTrials *sizes) {
    StepState *step = sizes->trials->step;
    for (size_t i = 0; i < sizes->plan.count; i++) {
        const SizeCall *call = &sizes->plan.items[i];
        const bool missed =
            step->refused != NULL || call->nearest == NULL || was_accepted(call->nearest, sizes->trials);
        if (sizes->too_large[i] && missed)
            step_narrow(step, "soundness 12",
                        arena_printf(step->arena, "%s is not tried: a run would take long, or much memory",
                                     call->name));
    }
    size_plan_tell_left_out(step, &sizes->plan);
}

/* What is only tested holds for the sizes at which both sides ran and agreed. */
static void tell_sizes(const Trials *trials) {
    StepState *step = trials->step;
    Text text = text_new(step->arena);
    text_add(&text, "these sizes only: the sample's");
    for (size_t i = 0; i < trials->list.count; i++) {
        const Trial *trial = &trials->list.items[i];
        if (trial_is_other_size(trial->kind) && trial->why_not == NULL)
            text_printf(&text, ", %s", trial_name(trial));
    }
    step_narrow(step, "soundness 12", text.data);
}

Status trials_run_sizes(Trials *trials, const json_t *sample, Error *error) {
    StepState *step = trials->step;
    SizeTrials sizes = {.trials = trials, .plan = size_plan(step, sample)};
    sizes.too_large = ARENA_ARRAY(step->arena, bool, sizes.plan.count + 1);
    const double timeout = step->settings.timeout;
    if (timeout == 0 || timeout > most_timeout)
        step->settings.timeout = most_timeout;
    Status status = STATUS_OK;
    for (unsigned wave = 0; wave < SIZE_WAVES && status == STATUS_OK && all_pass(trials); wave++)
        status = run_wave(&sizes, wave, error);
    step->settings.timeout = timeout;
    if (status == STATUS_OK && all_pass(trials) && !step->result->proof.proved) {
        tell_left_out(&sizes);
        tell_sizes(trials);
    }
    size_plan_close(&sizes.plan);
    return status;
}
