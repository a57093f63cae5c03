/* Trials at other sizes than the sample's (soundness 11 and 12), of a step that nothing proves. */
#include "trials_parts.h"

#include <math.h>

/* What a run at a large size may take: bytes that calls give, and calls, where each may be one of a loop. By
 * what the sample's run is made of, not by its time: what is tried must not hang on the machine. */
static const double most_bytes = 128 << 20, most_calls = 250000, most_timeout = 30;

typedef struct SizeTrial {
    TrialKind kind;
    const char *sizes;
    json_t *sample; /* owned */
} SizeTrial;

typedef struct SizeTrials {
    SizeTrial *items;
    size_t count, capacity;
} SizeTrials;

static void add(SizeTrials *list, Arena *arena, TrialKind kind, json_t *sample, const char *sizes) {
    if (sample != NULL)
        *(SizeTrial *)ARENA_PUSH(arena, list) = (SizeTrial){kind, sizes, sample};
}

/* ---- What a large size would take ------------------------------------------------------------ */

static json_int_t size_in(const json_t *sample, size_t dimension) {
    const json_t *tensors = json_object_get(sample, "tensors");
    json_int_t size = 0;
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        const json_t *shape = json_object_get(json_array_get(tensors, i), "shape");
        if (json_array_size(shape) > dimension && json_integer_value(json_array_get(shape, dimension)) > size)
            size = json_integer_value(json_array_get(shape, dimension));
    }
    return size;
}

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

static bool is_affordable(const StepState *step, size_t dimension, const json_t *sample,
                          const json_t *trial) {
    const Trace *const sides[] = {&step->original_trace, &step->candidate_trace};
    const int64_t from = size_in(sample, dimension);
    const double growth = from > 0 ? (double)size_in(trial, dimension) / (double)from : INFINITY;
    bool affordable = step->has_traces && from > 0;
    for (size_t i = 0; i < COUNT_OF(sides) && affordable; i++)
        affordable = (double)sides[i]->call_count * growth <= most_calls &&
                     bytes_at(sides[i], dimension, from, growth) <= most_bytes;
    return affordable;
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* `dimension`: the one that grows. */
static void add_larger(const Trials *trials, SizeTrials *list, const json_t *sample, size_t dimension,
                       json_t *trial, const char *sizes) {
    StepState *step = trials->step;
    if (trial == NULL || is_affordable(step, dimension, sample, trial)) {
        add(list, step->arena, TRIAL_OTHER_SIZES, trial, sizes);
        return;
    }
    json_decref(trial);
    if (!step->result->proof.proved) /* else the graphs were held against each other there */
        step_narrow(
            step, "soundness 12",
            arena_printf(step->arena, "%s is not tried: a run would take long, or much memory", sizes));
}

static void add_size(const Trials *trials, SizeTrials *list, const json_t *sample, size_t dimension,
                     int64_t size) {
    static const char *const names[] = {"batch", "length", "dimension 2", "dimension 3"};
    add_larger(trials, list, sample, dimension, sample_with_size(sample, dimension, size),
               arena_printf(trials->step->arena, "a %s of %lld", names[dimension], (long long)size));
}

/* Where x.shape[0] == 30, x.shape[0] * x.shape[1] == 30 and x[:, 30:] would show. */
static void add_number(const Trials *trials, SizeTrials *list, const json_t *sample, int64_t number) {
    for (size_t dimension = 0; dimension < 2; dimension++)
        for (int64_t size = number; size <= number + 1; size++)
            add_size(trials, list, sample, dimension, size);
    add_larger(trials, list, sample, 1, sample_with_product(sample, number),
               arena_printf(trials->step->arena, "a batch of 1 and a length of %lld", (long long)number));
}

/* One less; of one, two. */
static void add_other(SizeTrials *list, Arena *arena, TrialKind kind, const json_t *sample, size_t dimension,
                      const char *sizes) {
    json_t *less = sample_with_less(sample, dimension);
    add(list, arena, kind, less != NULL ? less : sample_with_size(sample, dimension, 2), sizes);
}

static SizeTrials sizes_of(const Trials *trials, const json_t *sample) {
    StepState *step = trials->step;
    SizeTrials list = {0};
    add_other(&list, step->arena, TRIAL_OTHER_BATCH, sample, 0, NULL);
    add_other(&list, step->arena, TRIAL_OTHER_LENGTH, sample, 1, NULL);
    add_other(&list, step->arena, TRIAL_OTHER_SIZES, sample, 2, "another dimension 2");
    add_other(&list, step->arena, TRIAL_OTHER_SIZES, sample, 3, "another dimension 3");
    add_size(trials, &list, sample, 0, LARGE_BATCH);
    add_size(trials, &list, sample, 1, LARGE_LENGTH);
    add_size(trials, &list, sample, 2, LARGE_LENGTH);
    add_size(trials, &list, sample, 3, LARGE_LENGTH);
    const SizeNumbers numbers = sizes_to_try(step->arena, &step->candidate.program, &step->original.program);
    for (size_t i = 0; i < numbers.count; i++)
        add_number(trials, &list, sample, numbers.items[i]);
    if (numbers.left_out > 0 && !step->result->proof.proved)
        step_narrow(step, "soundness 12",
                    arena_printf(step->arena, "%zu numbers of the refactored are not tried as sizes",
                                 numbers.left_out));
    return list;
}

static bool was_killed(const CellFailure *failure) {
    return failure->failed && !failure->raised;
}

/* Several at once, in one cell a side. `*judged`: how many of them; not all where the first fails. */
static Status run_group(Trials *trials, const SizeTrial *group, size_t count, size_t *judged, Error *error) {
    StepState *step = trials->step;
    PairRequest requests[1 + MOST_THEN];
    Pair pairs[1 + MOST_THEN] = {0};
    for (size_t i = 0; i < count; i++)
        requests[i] = (PairRequest){.seed = step->options->seed,
                                    .trial = group[i].sample,
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
        status = trial_judge(trials, &requests[i], group[i].kind, group[i].sizes, &pairs[i], error);
    *judged = count;
    for (size_t i = 0; i < 1 + MOST_THEN; i++)
        pair_close(&pairs[i]);
    return status;
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
    const SizeTrials list = sizes_of(trials, sample);
    const double timeout = step->settings.timeout;
    if (timeout == 0 || timeout > most_timeout)
        step->settings.timeout = most_timeout;
    Status status = STATUS_OK;
    bool pass = true;
    for (size_t i = 0, judged; i < list.count && status == STATUS_OK && pass; i += judged) {
        const size_t left = list.count - i;
        status =
            run_group(trials, list.items + i, left < 1 + MOST_THEN ? left : 1 + MOST_THEN, &judged, error);
        for (size_t t = 0; t < trials->list.count; t++)
            pass = pass && trials->list.items[t].pass;
    }
    step->settings.timeout = timeout;
    if (status == STATUS_OK && pass && !step->result->proof.proved)
        tell_sizes(trials);
    for (size_t i = 0; i < list.count; i++)
        json_decref(list.items[i].sample);
    return status;
}
