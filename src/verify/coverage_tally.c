/* The operators of one side, each with who owns it and which weight it uses. */
#include "coverage_parts.h"

#include <string.h>

static bool computes(const Trace *trace, size_t call) {
    switch (operator_class(trace_operator(trace, &trace->calls[call]))) {
    case OPERATOR_COMPUTE:
    case OPERATOR_FORBIDDEN:
    case OPERATOR_POWER:
    case OPERATOR_COUNTING:
    case OPERATOR_SELECTING:
    case OPERATOR_RANDOM: return true;
    default: return false;
    }
}

/* Of a whole kernel in primitives: what computes decides; where nothing does, the arithmetic. An operator is
 * a leaf's if all of that is. */
static void set_owner(Occurrence *occurrence, const SemanticOperator *operator, const Trace * trace,
                      const Owners *owners) {
    bool any = false;
    for (size_t i = 0; i < operator->call_count; i++)
        any |= computes(trace, operator->calls[i]);
    occurrence->owner = OWNER_LEAF;
    for (size_t i = 0; i < operator->call_count; i++) {
        const TraceCall *call = &trace->calls[operator->calls[i]];
        bool arithmetic = operator_class(trace_operator(trace, call)) == OPERATOR_ARITHMETIC;
        if (any ? !computes(trace, operator->calls[i]) : !arithmetic)
            continue;
        Owner owner = call->module_call == NO_NUMBER ? OWNER_CODE : owners->kinds[call->module_call];
        if (call->module_call != NO_NUMBER && (occurrence->component == NULL || owner != OWNER_LEAF))
            occurrence->component = owners->names[call->module_call];
        if (owner != OWNER_LEAF)
            occurrence->owner = owner;
    }
}

static void set_weight(Occurrence *occurrence, const Trace *trace, const TraceCall *call) {
    int64_t most = 0;
    for (size_t i = 0; i < call->use_count; i++) {
        const TraceTensor *tensor = &trace->tensors[call->uses[i].number];
        int64_t size = 1;
        if (tensor->origin != ORIGIN_PARAMETER || tensor->rank < 2)
            continue;
        for (size_t d = 0; d < tensor->rank && size <= INT32_MAX; d++)
            size *= tensor->shape[d] <= INT32_MAX ? tensor->shape[d] : INT32_MAX;
        if (size <= most)
            continue;
        most = size;
        occurrence->weight = tensor->keys[0];
        occurrence->weight_shape = tensor->shape;
        occurrence->weight_rank = tensor->rank;
    }
}

/* Attention in primitives: two products and a softmax that one match of the pattern holds. */
static void mark_attention(Tally *tally, size_t first, const Trace *trace, const Graph *graph,
                           const Patterns *patterns) {
    size_t *at = ARENA_ARRAY(tally->arena, size_t, trace->call_count + 1); /* occurrence by call, + 1 */
    for (size_t i = first; i < tally->count; i++)
        at[tally->items[i].call] = i + 1;
    PatternMatch *matches;
    size_t count = patterns_match(tally->arena, patterns, graph, &matches);
    for (size_t m = 0; m < count; m++) {
        size_t products = 0, softmaxes = 0, others = 0, last = SIZE_MAX;
        if (!text_equal(matches[m].pattern, "attention"))
            continue;
        for (int pass = 0; pass < 2; pass++) {
            if (pass == 1 && (products != 2 || softmaxes != 1 || others > 0))
                break;
            if (pass == 1)
                tally->group_count++;
            for (size_t i = 0; i < matches[m].inside_count; i++) {
                size_t call = graph->terms[matches[m].inside[i].number].call;
                if (call >= trace->call_count || at[call] == 0 || (pass == 0 && call == last))
                    continue;
                Occurrence *occurrence = &tally->items[at[call] - 1];
                if (pass == 1) {
                    occurrence->group = tally->group_count;
                    continue;
                }
                last = call;
                products += text_equal(occurrence->name, "matmul");
                softmaxes += text_equal(occurrence->name, "softmax");
                others += !occurrence->arithmetic && !text_equal(occurrence->name, "matmul") &&
                          !text_equal(occurrence->name, "softmax");
            }
        }
    }
}

void tally_add(Tally *tally, const Trace *trace, const Graph *graph, const Patterns *patterns,
               const char *const *files, size_t file_count, const Owners *owners) {
    SemanticOperators operators = semantic_operators(tally->arena, trace, graph, patterns);
    size_t first = tally->count;
    for (size_t i = 0; i < operators.count; i++) {
        const SemanticOperator *operator= & operators.items[i];
        const TraceCall *call = &trace->calls[operator->call];
        Occurrence *occurrence = ARENA_PUSH(tally->arena, tally);
        *occurrence = (Occurrence){.name = operator->name,
                                   .arithmetic = operator->kind == SEMANTIC_ARITHMETIC,
                                   .live = operator->live,
                                   .owner = OWNER_LEAF,
                                   .trace = trace,
                                   .call = operator->call };
        if (owners != NULL)
            set_owner(occurrence, operator, trace, owners);
        set_weight(occurrence, trace, call);
        if (call->file != NO_NUMBER && (size_t)call->file < file_count)
            occurrence->place = (Place){.file = files[call->file], .line = call->line};
    }
    if (graph != NULL && patterns != NULL)
        mark_attention(tally, first, trace, graph, patterns);
}

size_t tally_count(const Tally *tally, const char *name, Owner owner) {
    size_t count = 0;
    for (size_t i = 0; i < tally->count; i++) {
        const Occurrence *occurrence = &tally->items[i];
        count += !occurrence->dropped && occurrence->owner == owner && text_equal(occurrence->name, name);
    }
    return count;
}
