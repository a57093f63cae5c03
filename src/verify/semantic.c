/* Semantic operators: the calls that people count, with kernels that are written in primitives folded. */
#include "decomposition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Names ------------------------------------------------------------------------------------- */

typedef struct Alias {
    const char *name, *plain;
} Alias;

/* Spellings of one operation, and patterns that differ in their formula alone. */
static const Alias CALL_NAMES[] = {
    {"mm", "matmul"},
    {"bmm", "matmul"},
    {"_scaled_dot_product_attention", "scaled_dot_product_attention"},
    {"multi_head_attention_forward", "multi_head_attention"},
    {"max_pool1d_with_indices", "max_pool1d"},
    {"max_pool2d_with_indices", "max_pool2d"},
    {"max_pool3d_with_indices", "max_pool3d"},
    {"adaptive_max_pool1d_with_indices", "adaptive_max_pool1d"},
    {"adaptive_max_pool2d_with_indices", "adaptive_max_pool2d"},
    {"adaptive_max_pool3d_with_indices", "adaptive_max_pool3d"},
    {"native_layer_norm", "layer_norm"},
    {"native_batch_norm", "batch_norm"},
    {"native_group_norm", "group_norm"},
    {"native_dropout", "dropout"},
    {"_softmax", "softmax"},
    {"_log_softmax", "log_softmax"},
};
static const Alias PATTERN_NAMES[] = {{"gelu_erf", "gelu"}, {"gelu_tanh", "gelu"}, {"l2_norm", "normalize"}};

static const char *plain_name(const Alias *aliases, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (text_equal(aliases[i].name, name))
            return aliases[i].plain;
    return name;
}

/* "gelu_erf" -> "gelu" */
static const char *pattern_name(const char *pattern) {
    return plain_name(PATTERN_NAMES, COUNT_OF(PATTERN_NAMES), pattern);
}

/* "torch.bmm" -> "matmul" */
static const char *call_name(Arena *arena, const char *operator) {
    const char *bare = trace_bare_name(operator_canonical(arena, operator));
    return plain_name(CALL_NAMES, COUNT_OF(CALL_NAMES), bare);
}

/* ---- Known values: made of constants and shapes alone ------------------------------------------- */

/* By storage: it holds something of an input, a parameter, a buffer of data, or a draw. */
static bool *data_storages(Arena *arena, const Trace *trace, const Graph *graph) {
    bool *data = ARENA_ARRAY(arena, bool, trace->storage_count + 1);
    Table *known = table_new(arena);
    for (size_t i = 0; graph != NULL && i < graph->state_count; i++)
        for (size_t k = 0; graph->states[i].known && k < graph->states[i].key_count; k++)
            table_put(known, graph->states[i].keys[k], TABLE_PRESENT);
    for (size_t i = 0; i < trace->tensor_count; i++) {
        const TraceTensor *tensor = &trace->tensors[i];
        bool known_buffer = tensor->origin == ORIGIN_BUFFER && table_has(known, tensor->keys[0]);
        if (tensor->origin != ORIGIN_CALL && !known_buffer)
            data[tensor->storage.number] = true;
    }
    return data;
}

static bool call_takes_data(const Trace *trace, const TraceCall *call, const bool *data) {
    for (size_t i = 0; i < call->use_count; i++)
        if (!trace_use_is_metadata(trace, call, i) &&
            data[trace->tensors[call->uses[i].number].storage.number])
            return true;
    return false;
}

static bool draws_nothing(const TraceCall *call, const char *name) {
    if (strstr(name, "dropout") == NULL)
        return false;
    const Value *p = trace_argument(call, 1, "p"), *training = trace_argument(call, 2, "training");
    if (training == NULL)
        training = trace_argument(call, 2, "train");
    bool train = training == NULL || training->kind != VALUE_BOOL || training->integer != 0;
    bool zero =
        p != NULL && ((p->kind == VALUE_FLOAT && p->real == 0) || (p->kind == VALUE_INT && p->integer == 0));
    return !train || zero;
}

/* By call: what it takes is known, so that it decides no output by itself. Completes `data`. */
static bool *known_calls(Arena *arena, const Trace *trace, bool *data) {
    bool *known = ARENA_ARRAY(arena, bool, trace->call_count + 1);
    for (size_t i = 0; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        const char *name = trace_operator(trace, call);
        bool draws = operator_class(name) == OPERATOR_RANDOM && !draws_nothing(call, name);
        known[i] = !draws && !call_takes_data(trace, call, data);
        for (size_t g = 0; !known[i] && g < call->give_count; g++)
            data[trace->tensors[call->gives[g].number].storage.number] = true;
        for (size_t w = 0; !known[i] && w < call->written_count; w++)
            data[trace->tensors[call->written[w].number].storage.number] = true;
    }
    return known;
}

/* ---- One call ------------------------------------------------------------------------------------ */

static bool takes_floating(const Trace *trace, const TraceCall *call) {
    for (size_t i = 0; i < call->use_count; i++)
        if (trace->tensors[call->uses[i].number].floating)
            return true;
    return false;
}

/* `where` and `masked_fill` alike: one of two branches is a known value, which only hides elements. */
static bool only_masks(const Trace *trace, const TraceCall *call, const bool *data) {
    static const char *const branches[] = {"input", "other"};
    if (!text_equal(trace_bare_name(trace_operator(trace, call)), "where"))
        return false;
    for (size_t i = 0; i < COUNT_OF(branches); i++) {
        const Value *branch = trace_argument(call, i + 1, branches[i]);
        if (branch != NULL &&
            (branch->kind != VALUE_TENSOR || !data[trace->tensors[branch->tensor.number].storage.number]))
            return true;
    }
    return false;
}

/* Does it compare what was computed? Masks come of inputs, and of what is known (policy.md, Classes of
 * operator). */
static bool compares_computed(const Trace *trace, const TraceCall *call, const bool *data,
                              const bool *input_storages) {
    for (size_t i = 0; i < call->use_count; i++) {
        const TraceTensor *tensor = &trace->tensors[call->uses[i].number];
        if (tensor->floating && tensor->origin == ORIGIN_CALL && data[tensor->storage.number] &&
            !input_storages[tensor->storage.number])
            return true;
    }
    return false;
}

static bool *input_storages_of(Arena *arena, const Trace *trace) {
    bool *storages = ARENA_ARRAY(arena, bool, trace->storage_count + 1);
    for (size_t i = 0; i < trace->tensor_count; i++)
        if (trace->tensors[i].origin == ORIGIN_INPUT || trace->tensors[i].origin == ORIGIN_BUFFER)
            storages[trace->tensors[i].storage.number] = true;
    return storages;
}

static bool is_whole_power(const TraceCall *call) {
    const Value *exponent = trace_argument(call, 1, "exponent");
    double value = exponent == NULL                ? NAN
                   : exponent->kind == VALUE_INT   ? (double)exponent->integer
                   : exponent->kind == VALUE_FLOAT ? exponent->real
                                                   : NAN;
    return value >= 0 && value <= 4 && value == floor(value);
}

typedef enum Role { ROLE_NONE, ROLE_COMPUTE, ROLE_ARITHMETIC } Role;

static Role role_of(const Trace *trace, const TraceCall *call, const bool *data, const bool *input_storages) {
    const char *name = trace_operator(trace, call);
    switch (operator_class(name)) {
    case OPERATOR_ARITHMETIC: return ROLE_ARITHMETIC;
    case OPERATOR_POWER: return is_whole_power(call) ? ROLE_ARITHMETIC : ROLE_COMPUTE;
    case OPERATOR_COMPARISON:
        return compares_computed(trace, call, data, input_storages) ? ROLE_COMPUTE : ROLE_NONE;
    case OPERATOR_COUNTING: return takes_floating(trace, call) ? ROLE_COMPUTE : ROLE_NONE;
    case OPERATOR_SELECTING: return only_masks(trace, call, data) ? ROLE_NONE : ROLE_COMPUTE;
    case OPERATOR_RANDOM: return draws_nothing(call, name) ? ROLE_NONE : ROLE_COMPUTE;
    case OPERATOR_COMPUTE:
    case OPERATOR_FORBIDDEN: return ROLE_COMPUTE;
    default: return ROLE_NONE;
    }
}

/* ---- Folding --------------------------------------------------------------------------------------- */

typedef struct Folding {
    Arena *arena;
    const Trace *trace;
    const Graph *graph;
    Role *roles;      /* by call */
    bool *taken;      /* by call: inside a folded one */
    bool *live_terms; /* by term */
    SemanticOperators found;
} Folding;

static int64_t parent_of(const Trace *trace, int64_t module_call) {
    return module_call < 0 ? NO_NUMBER : trace->module_calls[module_call].parent;
}

static size_t depth_of(const Trace *trace, int64_t module_call) {
    size_t depth = 0;
    for (; module_call >= 0; module_call = parent_of(trace, module_call))
        depth++;
    return depth;
}

/* The innermost module call that holds both. */
static int64_t common_module_call(const Trace *trace, int64_t a, int64_t b) {
    if (a == b)
        return a;
    size_t deep = depth_of(trace, a), other = depth_of(trace, b);
    for (; deep > other; deep--)
        a = parent_of(trace, a);
    for (; other > deep; other--)
        b = parent_of(trace, b);
    while (a != b) {
        a = parent_of(trace, a);
        b = parent_of(trace, b);
    }
    return a;
}

static void add_operator(Folding *folding, SemanticOperator operator, size_t * calls, size_t count) {
    const Trace *trace = folding->trace;
    operator.calls = calls;
    operator.call_count = count;
    operator.call = calls[count - 1];
    operator.module_call = trace->calls[calls[0]].module_call;
    for (size_t i = 0; i < count; i++) {
        operator.module_call =
            common_module_call(trace, operator.module_call, trace->calls[calls[i]].module_call);
        operator.live = operator.live || trace->live_calls[calls[i]];
    }
    *(SemanticOperator *)ARENA_PUSH(folding->arena, &folding->found) = operator;
}

/* Terms that are no work of their own. */
static bool is_silent(const Term *term) {
    static const char *const casts[] = {"aten::_to_copy", "aten::clone", "aten::copy", "aten::copy_"};
    for (size_t i = 0; i < COUNT_OF(casts); i++)
        if (text_equal(term->operator, casts[i]))
            return true;
    return term->kind != TERM_OPERATOR || term->known;
}

/* Do the match's calls, from `first` to `last`, no other work than what is inside of it? */
static bool holds_all_work(const Folding *folding, const PatternMatch *match, size_t first, size_t last) {
    const Graph *graph = folding->graph;
    size_t next = 0;
    for (size_t t = 0; t < graph->term_count; t++) {
        while (next < match->inside_count && match->inside[next].number < t)
            next++;
        if (next < match->inside_count && match->inside[next].number == t)
            continue;
        const Term *term = &graph->terms[t];
        if (!folding->live_terms[t] || is_silent(term) || term->call < first || term->call > last)
            continue;
        for (size_t i = 0; i < match->inside_count; i++) {
            const Term *inside = &graph->terms[match->inside[i].number];
            if (inside->kind == TERM_OPERATOR && inside->call == term->call)
                return false;
        }
    }
    return true;
}

static int compare_sizes(const void *a, const void *b) {
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* A call of torch that runs the user's own operators: what they amount to is its name. */
static bool is_wrapper(const Trace *trace, size_t call) {
    static const char *const names[] = {"torch.jit.ScriptFunction", "torch.autograd.Function.apply"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal(trace_operator(trace, &trace->calls[call]), names[i]))
            return true;
    return false;
}

static void fold(Folding *folding, const PatternMatch *match) {
    const Trace *trace = folding->trace;
    size_t *calls = ARENA_ARRAY(folding->arena, size_t, match->inside_count + 1), count = 0;
    size_t compute = 0, arithmetic = 0;
    for (size_t i = 0; i < match->inside_count; i++) {
        size_t call = folding->graph->terms[match->inside[i].number].call;
        if (call < trace->forward_start || call >= trace->call_count)
            continue;
        calls[count++] = call;
    }
    qsort(calls, count, sizeof *calls, compare_sizes);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && calls[kept - 1] == calls[i])
            continue;
        if (folding->taken[calls[i]] && folding->roles[calls[i]] != ROLE_NONE)
            return;
        compute += folding->roles[calls[i]] == ROLE_COMPUTE;
        arithmetic += folding->roles[calls[i]] == ROLE_ARITHMETIC;
        calls[kept++] = calls[i];
    }
    bool named_already = compute == 1 && arithmetic == 0 && !is_wrapper(trace, calls[0]);
    if (compute + arithmetic == 0 || named_already ||
        !holds_all_work(folding, match, calls[0], calls[kept - 1]))
        return;
    for (size_t i = 0; i < kept; i++)
        folding->taken[calls[i]] = true;
    add_operator(
        folding,
        (SemanticOperator){
            .name = pattern_name(match->pattern), .kind = SEMANTIC_COMPUTE, .pattern = true, .kernel = true},
        calls, kept);
}

/* ---- What was computed twice --------------------------------------------------------------------- */

enum { FARTHEST_TWIN = 256 };

static bool alike(const Value *a, const Value *b, const uint32_t *same) {
    if (a->kind != b->kind)
        return false;
    if (a->kind == VALUE_TENSOR)
        return same[a->tensor.number] == same[b->tensor.number];
    if (!value_is_container(a))
        return value_equal(a, b);
    if (a->list.count != b->list.count)
        return false;
    for (size_t i = 0; i < a->list.count; i++)
        if (!alike(&a->list.items[i], &b->list.items[i], same))
            return false;
    return true;
}

static bool calls_alike(const TraceCall *a, const TraceCall *b, const uint32_t *same) {
    if (a->operator_number != b->operator_number || a->arg_count != b->arg_count ||
        a->kwarg_count != b->kwarg_count || a->give_count != b->give_count ||
        a->written_count + b->written_count > 0)
        return false;
    for (size_t i = 0; i < a->arg_count; i++)
        if (!alike(&a->args[i], &b->args[i], same))
            return false;
    for (size_t i = 0; i < a->kwarg_count; i++)
        if (!text_equal(a->names[i], b->names[i]) || !alike(&a->kwargs[i], &b->kwargs[i], same))
            return false;
    return true;
}

/* Equal terms of a graph are one, made by the first call (x - x.mean() written twice): the second belongs to
 * the operator that took the first in. */
static void fold_twins(Folding *folding) {
    const Trace *trace = folding->trace;
    bool *has_term = ARENA_ARRAY(folding->arena, bool, trace->call_count + 1);
    uint32_t *same = ARENA_ARRAY(folding->arena, uint32_t, trace->tensor_count + 1);
    for (size_t i = 0; i < trace->tensor_count; i++)
        same[i] = (uint32_t)i;
    for (size_t i = 0; i < folding->graph->term_count; i++)
        if (folding->graph->terms[i].call < trace->call_count)
            has_term[folding->graph->terms[i].call] = true;
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        if (has_term[i] || call->give_count == 0)
            continue;
        for (size_t back = i; back-- > trace->forward_start && i - back <= FARTHEST_TWIN;) {
            if (!calls_alike(call, &trace->calls[back], same))
                continue;
            for (size_t g = 0; g < call->give_count; g++)
                same[call->gives[g].number] = same[trace->calls[back].gives[g].number];
            folding->taken[i] = folding->taken[back];
            break;
        }
    }
}

static int compare_operators(const void *a, const void *b) {
    return compare_sizes(&((const SemanticOperator *)a)->call, &((const SemanticOperator *)b)->call);
}

static void fold_patterns(Folding *folding, const Patterns *patterns) {
    PatternMatch *matches;
    folding->live_terms = graph_live_terms(folding->arena, folding->graph);
    size_t count = patterns_match_kernels(folding->arena, patterns, folding->graph, &matches);
    for (size_t i = 0; i < count; i++)
        fold(folding, &matches[i]);
    fold_twins(folding);
}

SemanticOperators semantic_operators(Arena *arena, const Trace *trace, const Graph *graph,
                                     const Patterns *patterns) {
    Folding folding = {.arena = arena,
                       .trace = trace,
                       .graph = graph,
                       .roles = ARENA_ARRAY(arena, Role, trace->call_count + 1),
                       .taken = ARENA_ARRAY(arena, bool, trace->call_count + 1)};
    bool *data = data_storages(arena, trace, graph);
    const bool *known = known_calls(arena, trace, data);
    const bool *input_storages = input_storages_of(arena, trace);
    for (size_t i = trace->forward_start; i < trace->call_count; i++)
        folding.roles[i] = known[i] ? ROLE_NONE : role_of(trace, &trace->calls[i], data, input_storages);
    if (graph != NULL && patterns != NULL)
        fold_patterns(&folding, patterns);
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        if (folding.roles[i] == ROLE_NONE || folding.taken[i])
            continue;
        size_t *call = ARENA_NEW(arena, size_t);
        *call = i;
        add_operator(&folding,
                     (SemanticOperator){.name = call_name(arena, trace_operator(trace, &trace->calls[i])),
                                        .kind = folding.roles[i] == ROLE_COMPUTE ? SEMANTIC_COMPUTE
                                                                                 : SEMANTIC_ARITHMETIC},
                     call, 1);
    }
    if (folding.found.count > 0)
        qsort(folding.found.items, folding.found.count, sizeof *folding.found.items, compare_operators);
    return folding.found;
}
