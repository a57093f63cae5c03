/* Arithmetic that adds up to more (policy.md, "Classes of operator"; SOUNDNESS 16): what refactored.py does
 * to data beyond what the original does. */
#include "judge_parts.h"

#include <string.h>

enum { HANDFUL = 5 };

/* Operators that one can be written as the other: they share a count. */
static const char *const ADDITIVE[] = {"add", "sub", "neg", "positive", "addcmul", "addcdiv", "lerp"};
static const char *const MULTIPLICATIVE[] = {"mul", "div", "square", "pow", "remainder", "floor_divide"};

/* Operators of the original that the guide lets refactored.py write as arithmetic, or that hold a scale, a
 * mask or a residual. */
static const char *const WRITTEN_AS_ARITHMETIC[] = {"where",
                                                    "masked_fill",
                                                    "scaled_dot_product_attention",
                                                    "multi_head_attention_forward",
                                                    "addmm",
                                                    "baddbmm",
                                                    "mse_loss",
                                                    "l1_loss",
                                                    "smooth_l1_loss",
                                                    "huber_loss",
                                                    "cross_entropy"};
enum { EACH_WRITTEN_AS = 3 };

/* Compute that plumbing could stand in for, by kin: one of the kin in a child will do. Where `counted`, as
 * many of them as the original has. */
typedef struct Kin {
    bool counted;
    const char *names[32];
} Kin;

static const Kin EMULATED[] = {
    {true,
     {"relu", "relu6", "leaky_relu", "prelu", "threshold", "hardtanh", "hardswish", "hardsigmoid", "clamp",
      "clamp_min", "clamp_max", "abs", "sign", "sgn", "heaviside", "maximum", "minimum", "max", "min"}},
    {true, {"floor", "ceil", "round", "trunc", "frac", "fmod"}},
    {true,
     {"sum",
      "mean",
      "cumsum",
      "avg_pool1d",
      "avg_pool2d",
      "avg_pool3d",
      "adaptive_avg_pool1d",
      "adaptive_avg_pool2d",
      "var",
      "std",
      "einsum",
      "layer_norm",
      "rms_norm",
      "batch_norm",
      "group_norm",
      "instance_norm",
      "norm",
      "normalize",
      "var_mean",
      "std_mean",
      "logsumexp",
      "softmax",
      "cross_entropy",
      "mse_loss",
      "log_softmax",
      "nll_loss",
      "l1_loss",
      "kl_div",
      "matmul"}},
    {false,
     {"matmul", "mm", "bmm", "linear", "addmm", "baddbmm", "einsum", "scaled_dot_product_attention",
      "multi_head_attention_forward", "mv", "dot", "bilinear", "outer", "inner", "tensordot", "vecdot"}},
    {true,
     {"rsqrt", "sqrt", "reciprocal", "pow", "norm", "layer_norm", "rms_norm", "batch_norm", "group_norm",
      "std", "normalize", "instance_norm"}},
    {true,
     {"sigmoid", "silu", "tanh", "gelu", "softmax", "exp", "glu", "logsigmoid", "softplus", "mish", "elu",
      "erf"}}};

/* Operators that do what several others do: children that have one may have fewer of those. */
static const char *const COMPOSITE[] = {
    "layer_norm", "rms_norm", "batch_norm",    "group_norm",
    "normalize",  "softmax",  "instance_norm", "log_softmax",
    "gelu",       "silu",     "hardswish",     "softplus",
    "logsumexp",  "var_mean", "std_mean",      "scaled_dot_product_attention",
    "mish",       "clamp",    "std",           "cross_entropy",
    "einsum",     "hardtanh", "norm",          "multi_head_attention_forward"};

/* Taking rows out of a table. */
static const char *const LOOKUPS[] = {"embedding",      "embedding_bag", "index_select", "gather",
                                      "take_along_dim", "take",          "__getitem__",  "one_hot"};

static const char *family(const char *canonical) {
    return text_among(canonical, ADDITIVE, COUNT_OF(ADDITIVE))               ? "add"
           : text_among(canonical, MULTIPLICATIVE, COUNT_OF(MULTIPLICATIVE)) ? "mul"
                                                                             : canonical;
}

static size_t *counter(Arena *arena, Table *table, const char *key) {
    size_t *count = table_get(table, key);
    if (count == NULL) {
        count = ARENA_NEW(arena, size_t);
        table_put(table, key, count);
    }
    return count;
}

static bool is_plumbing(OperatorClass class) {
    return class == OPERATOR_ARITHMETIC || class == OPERATOR_MASK || class == OPERATOR_ASSEMBLY;
}

static bool handles_data(const Flow *flow, size_t call, bool (*fits)(OperatorClass)) {
    return (flow->call_marks[call] & DATA) != 0 && fits(flow->classes[call]);
}

typedef struct Budget { /* how often the original does what refactored.py does */
    Table *by_operator; /* for the notes */
    Table *by_family;   /* for the findings: with what may be written as arithmetic */
} Budget;

static size_t count_calls(const Flow *flow, const char *canonical) {
    size_t count = 0;
    for (size_t i = flow->trace->forward_start; i < flow->trace->call_count; i++)
        count += strcmp(flow_operator(flow, i)->canonical, canonical) == 0;
    return count;
}

static Budget budget_of(Arena *arena, const Flow *flow, const Flow *candidate) {
    Budget budget = {table_new(arena), table_new(arena)};
    for (size_t i = flow->trace->forward_start; i < flow->trace->call_count; i++) {
        const char *canonical = flow_operator(flow, i)->canonical;
        if (!handles_data(flow, i, is_plumbing))
            continue;
        ++*counter(arena, budget.by_operator, canonical);
        ++*counter(arena, budget.by_family, family(canonical));
    }
    for (size_t i = 0; i < COUNT_OF(WRITTEN_AS_ARITHMETIC); i++) {
        size_t there = count_calls(flow, WRITTEN_AS_ARITHMETIC[i]);
        size_t here = count_calls(candidate, WRITTEN_AS_ARITHMETIC[i]);
        size_t allowance = there > here ? EACH_WRITTEN_AS * (there - here) : 0;
        *counter(arena, budget.by_family, "add") += allowance;
        *counter(arena, budget.by_family, "mul") += allowance;
    }
    return budget;
}

static bool spend(Arena *arena, Table *table, const char *key) {
    size_t *left = counter(arena, table, key);
    if (*left == 0)
        return false;
    --*left;
    return true;
}

typedef struct Doing { /* of one operator on data, by refactored.py */
    size_t count;
    const TraceCall *first;
    Table *lines;
} Doing;

typedef struct Excess {
    Judge *judge;
    Table *doings; /* by operator: Doing */
    Budget budget;
    uint32_t *chains; /* by storage: how many excess operators have fed one another */
    Table *lines;     /* "file:line operator" -> count of excess calls */
    size_t total;     /* excess arithmetic */
} Excess;

static uint32_t longest_chain(const Excess *excess, const TraceCall *call) {
    const Trace *trace = excess->judge->trace;
    uint32_t longest = 0;
    for (size_t u = 0; u < call->use_count; u++) {
        uint32_t chain = excess->chains[trace->tensors[call->uses[u].number].storage.number];
        longest = chain > longest ? chain : longest;
    }
    return longest;
}

static void set_chain(const Excess *excess, const TraceCall *call, uint32_t chain) {
    const Trace *trace = excess->judge->trace;
    for (size_t g = 0; g < call->give_count; g++)
        excess->chains[trace->tensors[call->gives[g].number].storage.number] = chain;
    for (size_t w = 0; w < call->written_count; w++)
        excess->chains[trace->tensors[call->written[w].number].storage.number] = chain;
}

static void report_excess(Excess *excess, size_t index, uint32_t chain) {
    Judge *judge = excess->judge;
    const TraceCall *call = &judge->trace->calls[index];
    const char *shown = flow_operator(&judge->flow, index)->shown;
    char *key = arena_printf(judge->arena, "%d:%d %s", call->file, call->line, shown);
    size_t times = ++*counter(judge->arena, excess->lines, key);
    excess->total++;
    if (chain == HANDFUL + 1)
        judge_report(judge, &RULE_OP_ARITHMETIC, SEVERITY_VIOLATION, call->file, call->line, call,
                     "%s ends a chain of more than %d operators on data that the original has no like for",
                     shown, HANDFUL);
    else if (times == HANDFUL + 1)
        judge_report(judge, &RULE_OP_ARITHMETIC, SEVERITY_VIOLATION, call->file, call->line, call,
                     "%s is done to data again and again here, and the original has no like for it", shown);
}

static void note_doing(Excess *excess, const char *canonical, const TraceCall *call) {
    Arena *arena = excess->judge->arena;
    Doing *doing = table_get(excess->doings, canonical);
    if (doing == NULL) {
        doing = ARENA_NEW(arena, Doing);
        *doing = (Doing){.first = call, .lines = table_new(arena)};
        table_put(excess->doings, canonical, doing);
    }
    doing->count++;
    table_put(doing->lines, arena_printf(arena, "%d", call->line), TABLE_PRESENT);
}

/* What is done more often than in the original, with its lines. */
static void list_doings(Excess *excess) {
    enum { MOST_LINES = 12 };
    Judge *judge = excess->judge;
    for (size_t i = 0; i < excess->doings->count; i++) {
        const Doing *doing = excess->doings->items[i].value;
        size_t there = *counter(judge->arena, excess->budget.by_operator, excess->doings->items[i].key);
        if (doing->count <= there)
            continue;
        Text lines = text_new(judge->arena);
        for (size_t l = 0; l < doing->lines->count && l < MOST_LINES; l++)
            text_printf(&lines, l == 0 ? "%s" : ", %s", doing->lines->items[l].key);
        judge_report(judge, &RULE_STEP_TESTED_ARITHMETIC, SEVERITY_NOTE, doing->first->file,
                     doing->first->line, doing->first,
                     "refactored.py does %s to data %zu times (line %s), the original %zu times",
                     excess->doings->items[i].key, doing->count, lines.data, there);
    }
}

static void follow_call(Excess *excess, size_t index) {
    Judge *judge = excess->judge;
    const Flow *flow = &judge->flow;
    const TraceCall *call = &judge->trace->calls[index];
    if (flow->by_child[index]) {
        set_chain(excess, call, 0);
        return;
    }
    uint32_t chain = longest_chain(excess, call);
    OperatorClass class = flow->classes[index];
    if (handles_data(flow, index, is_plumbing)) {
        const char *canonical = flow_operator(flow, index)->canonical;
        bool counted = class == OPERATOR_ARITHMETIC || class == OPERATOR_MASK;
        if (counted)
            note_doing(excess, canonical, call);
        if (counted && !spend(judge->arena, excess->budget.by_family, family(canonical)))
            report_excess(excess, index, ++chain);
    }
    set_chain(excess, call, chain);
}

/* Names of what one side computes from data, each with the number of a call, from 1. */
static Table *computed_names(Arena *arena, const Flow *flow, const bool *only) {
    Table *names = table_new(arena);
    for (size_t i = flow->trace->forward_start; i < flow->trace->call_count; i++)
        if (flow_computes(flow, i) && (only == NULL || only[i]))
            table_put(names, flow_operator(flow, i)->canonical, (void *)(i + 1));
    return names;
}

/* Names of everything that it computes, from known values and at construction too. */
static Table *all_computed_names(Arena *arena, const Flow *flow) {
    Table *names = table_new(arena);
    for (size_t i = 0; i < flow->trace->call_count; i++)
        if (flow_is_compute(flow->classes[i]))
            table_put(names, flow_operator(flow, i)->canonical, TABLE_PRESENT);
    return names;
}

/* ---- What the original computes and no child does (SOUNDNESS 16) --------------------------- */

size_t judge_count_kin(const Flow *flow, const bool *only, const char *const *kin, size_t count) {
    size_t found = 0;
    for (size_t i = flow->trace->forward_start; i < flow->trace->call_count; i++)
        if (flow->trace->live_calls[i] && (flow->call_marks[i] & DATA) != 0 && (only == NULL || only[i]) &&
            text_among(flow_operator(flow, i)->canonical, kin, count))
            found++;
    return found;
}

bool flow_truncates(const Flow *flow, size_t index) {
    const TraceCall *call = &flow->trace->calls[index];
    return flow->classes[index] == OPERATOR_CAST && call->use_count > 0 && call->give_count > 0 &&
           flow->trace->tensors[call->uses[0].number].floating &&
           !flow->trace->tensors[call->gives[0].number].floating;
}

/* Assembly that sums. */
static bool adds_up(const Flow *flow, size_t index) {
    const char *canonical = flow_operator(flow, index)->canonical;
    const Value *accumulate = trace_argument(&flow->trace->calls[index], 3, "accumulate");
    return strcmp(canonical, "index_add") == 0 ||
           (strcmp(canonical, "scatter") == 0 &&
            trace_argument(&flow->trace->calls[index], 4, "reduce") != NULL) ||
           (strcmp(canonical, "__setitem__") == 0 && accumulate != NULL && accumulate->kind == VALUE_BOOL &&
            accumulate->integer != 0);
}

/* Under what it is counted whether plumbing may stand in for compute; NULL: it can't. */
static const char *kind_of_plumbing(const Flow *flow, size_t index) {
    OperatorClass class = flow->classes[index];
    return (flow->call_marks[index] & DATA) == 0 ? NULL
           : flow_truncates(flow, index)         ? "truncate"
           : adds_up(flow, index)                ? "add up"
           : class == OPERATOR_ARITHMETIC || class == OPERATOR_MASK
               ? family(flow_operator(flow, index)->canonical)
               : NULL;
}

static Table *plumbing_of(Arena *arena, const Flow *flow) {
    Table *table = table_new(arena);
    for (size_t i = flow->trace->forward_start; i < flow->trace->call_count; i++) {
        const char *kind = flow->trace->live_calls[i] ? kind_of_plumbing(flow, i) : NULL;
        if (kind != NULL)
            ++*counter(arena, table, kind);
    }
    return table;
}

/* Does the candidate, children included, do more to data than the original, while refactored.py has a part in
 * it? Then its arithmetic may stand for something. */
static bool plumbing_may_stand_in(Judge *judge) {
    Arena *arena = judge->arena;
    const Flow *flow = &judge->flow;
    Table *here = plumbing_of(arena, flow), *there = plumbing_of(arena, &judge->original_flow);
    for (size_t i = flow->trace->forward_start; i < flow->trace->call_count; i++) {
        const char *kind = flow->by_child[i] ? NULL : kind_of_plumbing(flow, i);
        if (kind != NULL && *counter(arena, here, kind) > *counter(arena, there, kind))
            return true;
    }
    return false;
}

static bool has_more_composites(const Judge *judge) {
    for (size_t i = 0; i < COUNT_OF(COMPOSITE); i++)
        if (judge_count_kin(&judge->flow, NULL, &COMPOSITE[i], 1) >
            judge_count_kin(&judge->original_flow, NULL, &COMPOSITE[i], 1))
            return true;
    return false;
}

static const char *times(Arena *arena, size_t count) {
    return count == 1 ? "once" : arena_printf(arena, "%zu times", count);
}

void judge_report_missing(Judge *judge, const char *name, size_t there, size_t here, const char *in_place) {
    judge_report(judge, &RULE_STEP_MISSING_COMPUTE, SEVERITY_VIOLATION, 0, 0, NULL,
                 "the original computes %s or its like %s, %s; %s", name, times(judge->arena, there),
                 here == 0 ? "no child does"
                           : arena_printf(judge->arena, "children %s", times(judge->arena, here)),
                 in_place);
}

static void judge_missing(Judge *judge, const Table *original) {
    const bool composites = has_more_composites(judge);
    bool *done = ARENA_ARRAY(judge->arena, bool, COUNT_OF(EMULATED));
    for (size_t n = 0; n < original->count; n++) {
        const char *name = original->items[n].key;
        for (size_t k = 0; k < COUNT_OF(EMULATED); k++) {
            const Kin *kin = &EMULATED[k];
            size_t count = 0;
            while (count < COUNT_OF(kin->names) && kin->names[count] != NULL)
                count++;
            if (done[k] || !text_among(name, kin->names, count))
                continue;
            done[k] = true;
            size_t there = judge_count_kin(&judge->original_flow, NULL, kin->names, count);
            size_t here = judge_count_kin(&judge->flow, judge->flow.by_child, kin->names, count);
            if (here == 0 || (kin->counted && !composites && here < there))
                judge_report_missing(judge, name, there, here, "refactored.py has arithmetic in its place");
        }
    }
}

/* Rows taken out of what a child returns are that child's table. */
static void judge_lookups(Judge *judge, const Table *original) {
    if (!table_has(original, "embedding") || COUNT_KIN(&judge->flow, judge->flow.by_child, LOOKUPS) > 0)
        return;
    judge_report_missing(judge, "embedding", judge_count_kin(&judge->original_flow, NULL, &LOOKUPS[0], 1), 0,
                         "refactored.py looks it up");
}

/* ---- What children compute and the original doesn't ---------------------------------------- */

static void note_extra(Judge *judge, const Table *original, const Table *children) {
    Text names = text_new(judge->arena);
    for (size_t n = 0; n < children->count; n++)
        if (!table_has(original, children->items[n].key))
            text_printf(&names, names.length == 0 ? "%s" : ", %s", children->items[n].key);
    if (names.length > 0 && names.length < 400)
        judge_report(judge, &RULE_STEP_EXTRA_COMPUTE, SEVERITY_NOTE, 0, 0, NULL,
                     "children compute %s, which the original doesn't by these names", names.data);
}

void judge_excess(Judge *judge) {
    const Trace *trace = judge->trace;
    Excess excess = {.judge = judge,
                     .budget = budget_of(judge->arena, &judge->original_flow, &judge->flow),
                     .chains = ARENA_ARRAY(judge->arena, uint32_t, trace->storage_count),
                     .lines = table_new(judge->arena),
                     .doings = table_new(judge->arena)};
    for (size_t i = trace->forward_start; i < trace->call_count; i++)
        follow_call(&excess, i);
    list_doings(&excess);
    const Table *children = computed_names(judge->arena, &judge->flow, judge->flow.by_child);
    const Table *original = computed_names(judge->arena, &judge->original_flow, NULL);
    if (plumbing_may_stand_in(judge))
        judge_missing(judge, original);
    judge_lookups(judge, original);
    judge_guards(judge, original, children);
    note_extra(judge, all_computed_names(judge->arena, &judge->original_flow), children);
}
