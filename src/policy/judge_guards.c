/* Guards, and comparisons that act as guards: what changes values that trials seldom meet (SOUNDNESS 16). */
#include "judge_parts.h"

/* Guards act on values that trials seldom meet: one too few or too many hardly shows in numbers. */
static const char *const GUARDS[] = {"clamp",  "clamp_min", "clamp_max", "nan_to_num",  "hardtanh",
                                     "nansum", "nanmean",   "nanmedian", "nanquantile", "fmax",
                                     "fmin",   "isnan",     "isfinite",  "isinf"};
/* Operators that a guard may be written as, or that have one inside. */
static const char *const GUARDING[] = {"clamp",
                                       "clamp_min",
                                       "clamp_max",
                                       "nan_to_num",
                                       "hardtanh",
                                       "relu",
                                       "relu6",
                                       "maximum",
                                       "minimum",
                                       "max",
                                       "min",
                                       "threshold",
                                       "where",
                                       "hardsigmoid",
                                       "hardswish",
                                       "normalize",
                                       "cosine_similarity",
                                       "softplus",
                                       "binary_cross_entropy",
                                       "masked_fill",
                                       "pairwise_distance",
                                       "amax",
                                       "amin",
                                       "leaky_relu",
                                       "huber_loss",
                                       "smooth_l1_loss",
                                       "hinge_embedding_loss",
                                       "elu",
                                       "celu",
                                       "prelu",
                                       "grid_sample",
                                       "cdist",
                                       "logit",
                                       "abs",
                                       "isnan",
                                       "isfinite",
                                       "isinf",
                                       "nansum",
                                       "nanmean",
                                       "nanmedian",
                                       "nanquantile",
                                       "fmax",
                                       "fmin"};
/* Others of GUARDS do not part from NaN so. */
static const char *const NAN_GUARDS[] = {"nan_to_num", "nansum", "nanmean", "nanmedian", "nanquantile",
                                         "fmax",       "fmin",   "isnan",   "isfinite",  "isinf"};
/* What a guard may be written by, and where is for other things most often. */
static const char *const MASKING[] = {"where", "masked_fill"};

/* Fewer of one guard than in the original, though others guard too, and nothing in its place. */
static bool lacks_guard(const Judge *judge, const char *name) {
    const Flow *there = &judge->original_flow, *here = &judge->flow;
    const size_t masks_there = COUNT_KIN(there, NULL, MASKING), masks_here = COUNT_KIN(here, NULL, MASKING);
    const size_t guards_there = COUNT_KIN(there, NULL, GUARDING) - masks_there;
    const size_t guards_here = COUNT_KIN(here, NULL, GUARDING) - masks_here;
    const size_t masks_more = masks_here > masks_there ? masks_here - masks_there : 0;
    return judge_count_kin(there, NULL, &name, 1) > judge_count_kin(here, NULL, &name, 1) &&
           (guards_there > guards_here + masks_more ||
            (text_among(name, NAN_GUARDS, COUNT_OF(NAN_GUARDS)) &&
             COUNT_KIN(there, NULL, NAN_GUARDS) > COUNT_KIN(here, NULL, NAN_GUARDS) + masks_more));
}

static void judge_named_guards(Judge *judge, const Table *original, const Table *children) {
    for (size_t i = 0; i < COUNT_OF(GUARDS); i++) {
        const char *name = GUARDS[i];
        size_t there = COUNT_KIN(&judge->original_flow, NULL, GUARDING);
        size_t here = COUNT_KIN(&judge->flow, NULL, GUARDING);
        if (table_has(original, name) && (here == 0 || lacks_guard(judge, name)))
            judge_report_missing(judge, name, there, here, "the trials meet no value that it changes");
        uintptr_t number = (uintptr_t)table_get(children, name);
        if (number == 0 || table_has(original, name) || here <= there)
            continue;
        const TraceCall *call = &judge->trace->calls[number - 1];
        judge_report(judge, &RULE_STEP_EXTRA_COMPUTE, SEVERITY_VIOLATION, call->file, call->line, call,
                     "%s is computed here, and the original has none", name);
    }
}

/* torch.full((), 1e30), torch.ones(4, 4).tril(): in a child too, whose values count as data. Not
 * torch.tensor(x). Nothing is written to it before the call `before` but the like. */
enum { DEEPEST_CONSTANT = 6, MOST_LOOKED_AT = 10000 };
static bool is_constant(const Flow *flow, size_t before, TensorId tensor, int depth);

static bool takes_constants(const Flow *flow, size_t index, StorageId itself, int depth) {
    const TraceCall *call = &flow->trace->calls[index];
    for (size_t u = 0; u < call->use_count; u++)
        if (!trace_use_is_metadata(flow->trace, call, u) &&
            flow->trace->tensors[call->uses[u].number].storage.number != itself.number &&
            !is_constant(flow, index, call->uses[u], depth))
            return false;
    return true;
}

static bool is_written_with_data(const Flow *flow, size_t from, size_t before, StorageId storage, int depth) {
    if (before - from > MOST_LOOKED_AT)
        return true; /* it may be */
    for (size_t i = from; i < before; i++) {
        const TraceCall *call = &flow->trace->calls[i];
        for (size_t w = 0; w < call->written_count; w++)
            if (flow->trace->tensors[call->written[w].number].storage.number == storage.number &&
                (flow->classes[i] == OPERATOR_RANDOM || !takes_constants(flow, i, storage, depth)))
                return true;
    }
    return false;
}

static bool is_constant(const Flow *flow, size_t before, TensorId tensor, int depth) {
    const TraceTensor *made = &flow->trace->tensors[tensor.number];
    if (depth == 0 || made->origin != ORIGIN_CALL || made->made_by >= before)
        return false;
    const OperatorClass class = flow->classes[made->made_by];
    const bool may_be = class == OPERATOR_CREATION ||
                        (class != OPERATOR_RANDOM && flow->trace->calls[made->made_by].use_count > 0);
    return may_be && takes_constants(flow, made->made_by, (StorageId){UINT32_MAX}, depth - 1) &&
           !is_written_with_data(flow, made->made_by + 1, before, made->storage, depth - 1);
}

/* In an original too, where a buffer that construction makes counts as known; in a child it counts as data.
 */
static bool is_buffer(const Trace *trace, TensorId tensor) {
    const StorageId storage = trace->tensors[tensor.number].storage;
    for (size_t i = 0; i < trace->tensor_count; i++)
        if (trace->tensors[i].origin == ORIGIN_BUFFER && trace->tensors[i].storage.number == storage.number)
            return true;
    return false;
}

/* Floating data held against a constant or itself: x < 1e30, x != x, x.isnan(). */
static bool compares_with_constant(const Flow *flow, size_t index) {
    static const char *const names[] = {"gt",    "ge",    "lt",       "le",       "eq",      "ne",
                                        "isnan", "isinf", "isfinite", "isposinf", "isneginf"};
    const TraceCall *call = &flow->trace->calls[index];
    if (!flow->trace->live_calls[index] ||
        !text_among(flow_operator(flow, index)->canonical, names, COUNT_OF(names)))
        return false;
    size_t data = 0;
    bool floating = false, itself = false;
    for (size_t u = 0; u < call->use_count; u++) {
        data += ((flow_marks(flow, call->uses[u]) & DATA) != 0 &&
                 !is_constant(flow, index, call->uses[u], DEEPEST_CONSTANT)) ||
                is_buffer(flow->trace, call->uses[u]);
        floating = floating || flow->trace->tensors[call->uses[u].number].floating;
        itself = itself || (u > 0 && call->uses[u].number == call->uses[0].number);
    }
    return floating && (data == 1 || itself);
}

/* What children may write with a comparison: `where(x > 0, x, slope * x)`. */
static size_t count_bounded(const Flow *flow) {
    static const char *const others[] = {
        "hardshrink",          "softshrink",        "rrelu",        "sign",       "sgn",
        "heaviside",           "bucketize",         "searchsorted", "nonzero",    "xlogy",
        "count_nonzero",       "logical_not",       "logical_and",  "logical_or", "kl_div",
        "margin_ranking_loss", "gaussian_nll_loss", "any",          "all"};
    static const char *const masks[] = {"where", "masked_fill"};
    return COUNT_KIN(flow, NULL, GUARDING) + COUNT_KIN(flow, NULL, others) - COUNT_KIN(flow, NULL, masks);
}

/* A mask of it acts as a guard does. Children may write an operator of the original that has a bound so, and
 * a cast of data to integers or booleans. */
static void judge_comparisons(Judge *judge) {
    const Flow *there = &judge->original_flow, *here = &judge->flow;
    size_t first = SIZE_MAX, count = 0;
    for (size_t i = there->trace->forward_start; i < there->trace->call_count; i++)
        if (compares_with_constant(there, i) || flow_truncates(there, i))
            return;
    for (size_t i = here->trace->forward_start; i < here->trace->call_count; i++)
        if (here->by_child[i] && compares_with_constant(here, i)) {
            first = first == SIZE_MAX ? i : first;
            count++;
        }
    if (count == 0 || count_bounded(there) > count_bounded(here))
        return;
    const TraceCall *call = &here->trace->calls[first];
    judge_report(judge, &RULE_STEP_EXTRA_COMPUTE, SEVERITY_VIOLATION, call->file, call->line, call,
                 "data is held against a constant or itself here (%s), and the original does so nowhere",
                 flow_operator(here, first)->canonical);
}

void judge_guards(Judge *judge, const Table *original, const Table *children) {
    judge_named_guards(judge, original, children);
    judge_comparisons(judge);
}
