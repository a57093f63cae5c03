/* Cuts: bounds beyond the sample's sizes, x[:7000] of 5 rows, and tables that are cut to them,
 * ones(7000)[:5], which change nothing until there are more. What number stands behind one, a run tells and
 * no source need. */
#include "size_plan.h"

#include <stdlib.h>

typedef struct Cut {
    int64_t bound;
    const TraceCall *call;
} Cut;

typedef struct Cuts {
    Arena *arena;
    const Trace *trace;
    const bool *of_inputs; /* by tensor */
    Cut *items;
    size_t count, capacity;
} Cuts;

static const int64_t open_end = 1LL << 52; /* sys.maxsize and its like bound nothing */

/* `is_table`: the size is none of the inputs'. */
static void take_bound(Cuts *cuts, const TraceCall *call, const Value *bound, int64_t size, bool is_table) {
    if (bound->kind != VALUE_INT || bound->integer <= -open_end || bound->integer >= open_end)
        return;
    const int64_t most = llabs((long long)bound->integer);
    if (most > size || (is_table && most > 0 && most < size))
        *(Cut *)ARENA_PUSH(cuts->arena, cuts) = (Cut){most > size ? most : size, call};
}

/* Which tensors an input is part of, each but for its shape. */
static bool *tensors_of_inputs(Arena *arena, const Trace *trace) {
    bool *found = ARENA_ARRAY(arena, bool, trace->tensor_count);
    for (size_t i = 0; i < trace->tensor_count; i++)
        found[i] = trace->tensors[i].origin == ORIGIN_INPUT || trace->tensors[i].origin == ORIGIN_UNKNOWN;
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        bool any = false;
        for (size_t u = 0; u < call->use_count && !any; u++)
            any = found[call->uses[u].number] && !trace_use_is_metadata(trace, call, u);
        for (size_t g = 0; any && g < call->give_count; g++)
            found[call->gives[g].number] = true;
    }
    return found;
}

static bool has_no_dimension(const Value *index) {
    return index->kind == VALUE_NONE || index->kind == VALUE_ELLIPSIS || index->kind == VALUE_BOOL;
}

static size_t dimensions_of(const Cuts *cuts, const Value *index) {
    const TraceTensor *tensor =
        index->kind == VALUE_TENSOR ? &cuts->trace->tensors[index->tensor.number] : NULL;
    return has_no_dimension(index)                                     ? 0
           : tensor != NULL && text_equal(tensor->dtype, "torch.bool") ? tensor->rank
                                                                       : 1;
}

/* x[.., a:b, ..] */
static void take_index(Cuts *cuts, const TraceCall *call, const TraceTensor *tensor, const Value *index) {
    const Value *items = index->kind == VALUE_TUPLE ? index->list.items : index;
    const size_t count = index->kind == VALUE_TUPLE ? index->list.count : 1;
    size_t used = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        used += dimensions_of(cuts, &items[i]);
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind == VALUE_ELLIPSIS && used < tensor->rank)
            at += tensor->rank - used;
        if (items[i].kind == VALUE_SLICE && items[i].list.count == 3 && at < tensor->rank)
            for (size_t j = 0; j < 2; j++)
                take_bound(cuts, call, &items[i].list.items[j], tensor->shape[at],
                           !cuts->of_inputs[call->args[0].tensor.number]);
        at += dimensions_of(cuts, &items[i]);
    }
}

static int64_t largest_size(const TraceTensor *tensor) {
    int64_t largest = 0;
    for (size_t d = 0; d < tensor->rank; d++)
        largest = tensor->shape[d] > largest ? tensor->shape[d] : largest;
    return largest;
}

static Cuts cuts_of(Arena *arena, const Trace *trace) {
    static const char *const parts[] = {"split", "chunk", "tensor_split"};
    Cuts cuts = {.arena = arena, .trace = trace, .of_inputs = tensors_of_inputs(arena, trace)};
    for (size_t i = 0; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        if (!call->in_forward || call->arg_count == 0 || call->args[0].kind != VALUE_TENSOR)
            continue;
        const TraceTensor *tensor = &trace->tensors[call->args[0].tensor.number];
        const char *name = operator_canonical(arena, trace_operator(trace, call));
        if ((text_equal(name, "__getitem__") || text_equal(name, "__setitem__")) && call->arg_count > 1)
            take_index(&cuts, call, tensor, &call->args[1]);
        for (size_t j = 1; text_among(name, parts, COUNT_OF(parts)) && j < call->arg_count; j++)
            take_bound(&cuts, call, &call->args[j], largest_size(tensor), false);
        for (size_t j = 0; text_among(name, parts, COUNT_OF(parts)) && j < call->kwarg_count; j++)
            take_bound(&cuts, call, &call->kwargs[j], largest_size(tensor), false);
    }
    return cuts;
}

static bool has_cut(const Cuts *cuts, int64_t bound) {
    for (size_t i = 0; i < cuts->count; i++)
        if (cuts->items[i].bound == bound)
            return true;
    return false;
}

static bool is_planned(const SizePlan *plan, int64_t size) {
    for (size_t i = 0; i < plan->count; i++)
        if (plan->items[i].to == size)
            return true;
    return false;
}

void step_narrow_by_cuts(StepState *step, const SizePlan *plan, const Trace *original,
                         const Trace *candidate) {
    Arena *arena = step->arena;
    const Cuts theirs = cuts_of(arena, original), ours = cuts_of(arena, candidate);
    for (size_t i = 0; i < ours.count; i++) {
        const Cut *cut = &ours.items[i];
        if (has_cut(&theirs, cut->bound) || is_planned(plan, cut->bound))
            continue;
        const Place place = call_place(&step->candidate.program, cut->call);
        step_narrow(step, "soundness 12",
                    arena_printf(arena, "the sizes that were tried only: the refactored cuts at %lld%s",
                                 (long long)cut->bound, place_in_words(arena, place)));
        return;
    }
}
