/* Operators: each call of refactored.py's own code, by class, on data or on known values. */
#include "judge_parts.h"

#include <string.h>

static const char *file_name(const Judge *judge, int file) {
    return file >= 0 && (size_t)file < judge->program->count ? judge->program->items[file]->source.name : "?";
}

static Finding *report_call(Judge *judge, const Rule *rule, size_t index, const char *what) {
    const TraceCall *call = &judge->trace->calls[index];
    return judge_report(judge, rule, SEVERITY_VIOLATION, call->file, call->line, call, "%s", what);
}

/* Compute on data, in refactored.py or in a function that it took from a child's file. */
static void report_compute(Judge *judge, size_t index) {
    const TraceCall *call = &judge->trace->calls[index];
    const OperatorFacts *operator= flow_operator(&judge->flow, index);
    OperatorClass class = judge->flow.classes[index];
    bool in_child_file =
        call->file >= 0 && (size_t)call->file < judge->program->count && judge->file_is_child[call->file];
    if (in_child_file) {
        report_call(
            judge, &RULE_CHILD_FUNCTION, index,
            arena_printf(judge->arena,
                         "%s is compute, and no module of %s is being called: it is refactored.py's own",
                         operator->shown, file_name(judge, call->file)));
        return;
    }
    const Rule *rule = class == OPERATOR_RANDOM ? &RULE_OP_RANDOM
                       : class == OPERATOR_FORBIDDEN || strcmp(operator->canonical, "where") == 0
                           ? &RULE_OP_FORBIDDEN
                           : &RULE_OP_COMPUTE;
    Finding *finding = report_call(
        judge, rule, index,
        arena_printf(judge->arena,
                     class == OPERATOR_RANDOM ? "%s is random" : "%s is compute", operator->shown));
    finding->instead = operator_advice(operator->canonical, class);
}

/* Uses of a child's parameter or buffer by value. True if there is one: the rest needs no saying then. */
static bool judge_child_state(Judge *judge, size_t index) {
    const Trace *trace = judge->trace;
    const TraceCall *call = &trace->calls[index];
    const OperatorFacts *operator= flow_operator(&judge->flow, index);
    static const char *const LOOKUPS[] = {"__getitem__", "gather", "index_select", "take_along_dim", "take"};
    if (call->give_count == 0 && judge->flow.classes[index] == OPERATOR_METADATA)
        return false;
    for (size_t u = 0; u < call->use_count; u++) {
        const TraceTensor *tensor = &trace->tensors[call->uses[u].number];
        bool parameter = (flow_marks(&judge->flow, call->uses[u]) & FROM_PARAMETER) != 0;
        if (!flow_uses_value(&judge->flow, call, u) ||
            (tensor->origin != ORIGIN_PARAMETER && tensor->origin != ORIGIN_BUFFER))
            continue;
        bool lookup = false;
        for (size_t i = 0; i < COUNT_OF(LOOKUPS); i++)
            lookup =
                lookup || (u == 0 && call->use_count > 1 && strcmp(operator->canonical, LOOKUPS[i]) == 0);
        const char *key = text_printable(judge->arena, tensor->keys[0], strlen(tensor->keys[0]));
        if (parameter && lookup)
            report_call(
                judge, &RULE_OP_EMBEDDING, index,
                arena_printf(judge->arena, "%s takes rows out of the parameter %s", operator->shown, key));
        else if (judge->flow.child_state[call->uses[u].number])
            report_call(judge, &RULE_OP_CHILD_PARAMETER, index,
                        arena_printf(judge->arena, "%s uses %s outside the child", operator->shown, key));
        else
            continue;
        return true;
    }
    return false;
}

/* Products with a parameter that a child gives out belong into that child. */
static void judge_leak(Judge *judge, size_t index) {
    const TraceCall *call = &judge->trace->calls[index];
    bool leaked = false, computed = false;
    for (size_t u = 0; u < call->use_count; u++) {
        uint16_t marks = flow_marks(&judge->flow, call->uses[u]);
        leaked = leaked || flow_is_leaked(marks);
        computed = computed || ((marks & FROM_CHILD) != 0 && !flow_is_leaked(marks));
    }
    if (leaked && computed)
        report_call(judge, &RULE_OP_CHILD_PARAMETER, index,
                    arena_printf(judge->arena, "%s multiplies by a parameter that its child only gives out",
                                 flow_operator(&judge->flow, index)->shown));
}

/* A table computed from known values may select and index, not flow into data. */
static void judge_known_float(Judge *judge, size_t index) {
    const Flow *flow = &judge->flow;
    const TraceCall *call = &judge->trace->calls[index];
    for (size_t u = 0; u < call->use_count; u++) {
        if ((flow_marks(flow, call->uses[u]) & KNOWN_COMPUTED) == 0 || !flow_uses_value(flow, call, u))
            continue;
        uint32_t storage = judge->trace->tensors[call->uses[u].number].storage.number;
        size_t maker = flow->computed_by[storage];
        report_call(judge, &RULE_OP_KNOWN_FLOAT, maker,
                    arena_printf(judge->arena, "%s computes a floating table that meets data",
                                 flow_operator(flow, maker)->shown));
    }
}

static void judge_reading(Judge *judge, size_t index) {
    const OperatorFacts *operator= flow_operator(&judge->flow, index);
    report_call(judge, &RULE_OP_READ, index, arena_printf(judge->arena, "%s reads data", operator->shown));
}

static bool has_data_shape(const Flow *flow, const TraceCall *call) {
    for (size_t u = 0; u < call->use_count; u++)
        if ((flow->tensor_marks[call->uses[u].number] & DATA_SHAPE) != 0)
            return true;
    return false;
}

/* dim, ndim, dtype and device are known even then. */
static void judge_metadata(Judge *judge, size_t index) {
    static const char *const SIZES[] = {"shape", "size", "numel", "__len__", "unbind"};
    const OperatorFacts *operator= flow_operator(&judge->flow, index);
    for (size_t i = 0; i < COUNT_OF(SIZES); i++)
        if (strcmp(operator->canonical, SIZES[i]) == 0 &&
            has_data_shape(&judge->flow, &judge->trace->calls[index]))
            report_call(
                judge, &RULE_OP_DATA_SHAPE, index,
                arena_printf(judge->arena, "%s asks for a shape that depends on data", operator->shown));
}

/* The answer of any or all of data goes on as a value. */
static void judge_tested_value(Judge *judge, size_t index) {
    OperatorClass class = judge->flow.classes[index];
    const TraceCall *call = &judge->trace->calls[index];
    if ((judge->flow.call_marks[index] & ONLY_TESTED) == 0 || class == OPERATOR_TEST)
        return;
    bool stays = class == OPERATOR_MASK || class == OPERATOR_VIEW || class == OPERATOR_CAST;
    for (size_t g = 0; g < call->give_count; g++)
        stays = stays && !judge->trace->tensors[call->gives[g].number].floating;
    if (!stays && call->give_count > 0)
        report_call(judge, &RULE_OP_COMPUTE, index,
                    arena_printf(judge->arena, "any or all of data goes into %s as a value: it is compute",
                                 flow_operator(&judge->flow, index)->shown));
}

static void judge_on_data(Judge *judge, size_t index) {
    const TraceCall *call = &judge->trace->calls[index];
    OperatorClass class = judge->flow.classes[index];
    switch (class) {
    case OPERATOR_METADATA:
    case OPERATOR_VIEW: judge_metadata(judge, index); break;
    case OPERATOR_READ: judge_reading(judge, index); break;
    case OPERATOR_COMPUTE:
        if (call->give_count == 0 && call->written_count == 0)
            judge_reading(judge, index);
        else
            report_compute(judge, index);
        break;
    case OPERATOR_FORBIDDEN:
    case OPERATOR_SELECTING:
    case OPERATOR_RANDOM: report_compute(judge, index); break;
    case OPERATOR_CREATION: /* union_of_marks left out what gives only its shape */
        if (strcmp(flow_operator(&judge->flow, index)->canonical, "tensor") != 0 || call->use_count == 0 ||
            call->args[0].kind != VALUE_TENSOR)
            judge_reading(judge, index);
        break;
    case OPERATOR_ASSEMBLY:
    case OPERATOR_CAST:
    case OPERATOR_MASK:
    case OPERATOR_COMPARISON:
    case OPERATOR_ARITHMETIC:
    case OPERATOR_POWER:
    case OPERATOR_COUNTING:
    case OPERATOR_TEST:
    case OPERATOR_IGNORED: break;
    }
    bool passes_on = call->give_count > 0 || call->written_count > 0;
    if (passes_on && (judge->flow.call_marks[index] & KNOWN_COMPUTED) != 0)
        judge_known_float(judge, index);
    judge_tested_value(judge, index);
    if (class == OPERATOR_ARITHMETIC && (text_equal(flow_operator(&judge->flow, index)->canonical, "mul") ||
                                         text_equal(flow_operator(&judge->flow, index)->canonical, "div")))
        judge_leak(judge, index);
}

static void judge_on_known(Judge *judge, size_t index) {
    const TraceCall *call = &judge->trace->calls[index];
    OperatorClass class = judge->flow.classes[index];
    if (class == OPERATOR_RANDOM || class == OPERATOR_FORBIDDEN) {
        report_compute(judge, index);
        return;
    }
    bool to_python = class == OPERATOR_READ && call->give_count == 0 && call->use_count > 0;
    if (!to_python || (judge->flow.call_marks[index] & KNOWN_COMPUTED) == 0)
        return;
    const TraceTensor *tensor = &judge->trace->tensors[call->uses[0].number];
    int64_t count = 1;
    for (size_t i = 0; i < tensor->rank && count <= 16; i++)
        count *= tensor->shape[i];
    if (count > 16 && value_is_container(&call->output))
        judge_known_float(judge, index); /* a table by way of Python's floats */
}

/* Forward writes into what outlives the call, and the original doesn't. */
static bool writes_what_stays(const Trace *trace, const TraceCall *call) {
    for (size_t w = 0; w < call->written_count; w++) {
        const TraceTensor *tensor = &trace->tensors[call->written[w].number];
        bool at_construction = tensor->made_by != SIZE_MAX && tensor->made_by < trace->forward_start;
        if (tensor->origin == ORIGIN_PARAMETER || tensor->origin == ORIGIN_BUFFER || at_construction)
            return true;
    }
    return false;
}

static void judge_writing(Judge *judge, size_t index) {
    report_call(judge, &RULE_STATE_WRITTEN, index,
                arena_printf(judge->arena,
                             "%s writes into a tensor that outlives the call, which the original doesn't",
                             flow_operator(&judge->flow, index)->shown));
}

typedef struct Keeping {
    Judge *judge;
    const Flow *flow; /* of the side that is looked at */
    size_t count;     /* of tensors of data that its forward made and left in attributes */
} Keeping;

static void judge_kept_tensor(const char *path, const Value *value, void *context) {
    Keeping *keeping = context;
    Judge *judge = keeping->judge;
    const Trace *trace = keeping->flow->trace;
    const TraceTensor *tensor = &trace->tensors[value->tensor.number];
    const uint16_t marks = keeping->flow->storage_marks[tensor->storage.number];
    if ((marks & DATA & ~STALE) == 0 || tensor->made_by == SIZE_MAX || tensor->made_by < trace->forward_start)
        return;
    keeping->count++;
    if (keeping->flow != &judge->flow)
        return;
    const char *name = arena_strndup(judge->arena, path + 2, strlen(path) - 4); /* of ["name"] */
    report_call(
        judge, &RULE_STATE_WRITTEN, tensor->made_by,
        arena_printf(judge->arena, "forward keeps data in the attribute %s, which outlives the call", name));
}

/* What an instance keeps across calls is known values only (SOUNDNESS 21), unless the original keeps data
 * too. */
void judge_kept(Judge *judge) {
    Keeping theirs = {judge, &judge->original_flow, 0}, ours = {judge, &judge->flow, 0};
    value_walk_tensors(judge->arena, &judge->original->kept, "", judge_kept_tensor, &theirs);
    if (theirs.count == 0)
        value_walk_tensors(judge->arena, &judge->trace->kept, "", judge_kept_tensor, &ours);
}

/* What construction made of initial values or random numbers reaches an output. */
static void judge_stale(Judge *judge, size_t index) {
    const Trace *trace = judge->trace;
    const TraceCall *call = &trace->calls[index];
    if (!trace->live_calls[index])
        return;
    for (size_t u = 0; u < call->use_count; u++) {
        const TraceTensor *tensor = &trace->tensors[call->uses[u].number];
        if (tensor->made_by >= trace->forward_start || !flow_uses_value(&judge->flow, call, u) ||
            tensor->origin == ORIGIN_PARAMETER || tensor->origin == ORIGIN_BUFFER ||
            (flow_marks(&judge->flow, call->uses[u]) & STALE) == 0)
            continue;
        const TraceCall *maker = &trace->calls[tensor->made_by];
        judge_report(
            judge, &RULE_TRACE_STALE, SEVERITY_VIOLATION, maker->file, maker->line, maker,
            "%s keeps an initial value or random numbers of construction, and an output depends on it",
            flow_operator(&judge->flow, tensor->made_by)->shown);
    }
}

/* Memory that nothing has written has no origin (SOUNDNESS 2). */
static void judge_unwritten(Judge *judge, size_t index) {
    const Trace *trace = judge->trace;
    const TraceCall *call = &trace->calls[index];
    OperatorClass class = judge->flow.classes[index];
    if (!trace->live_calls[index] || class == OPERATOR_VIEW || class == OPERATOR_METADATA ||
        class == OPERATOR_CREATION)
        return;
    for (size_t u = 0; u < call->use_count; u++) {
        bool written = false;
        for (size_t w = 0; w < call->written_count; w++)
            written = written || trace->tensors[call->written[w].number].storage.number ==
                                     trace->tensors[call->uses[u].number].storage.number;
        if (!written && flow_uses_value(&judge->flow, call, u) &&
            (flow_marks(&judge->flow, call->uses[u]) & UNWRITTEN) != 0)
            judge_report(judge, &RULE_TRACE_UNKNOWN, SEVERITY_VIOLATION, call->file, call->line, call,
                         "%s reads memory that nothing has written",
                         flow_operator(&judge->flow, index)->shown);
    }
}

static bool forward_writes_what_stays(const Trace *trace) {
    for (size_t i = trace->forward_start; i < trace->call_count; i++)
        if (writes_what_stays(trace, &trace->calls[i]))
            return true;
    return false;
}

static void judge_own_call(Judge *judge, size_t index) {
    bool on_data = (judge->flow.call_marks[index] & DATA) != 0;
    if (!judge->trace->calls[index].in_forward) {
        if (!on_data && judge->flow.classes[index] == OPERATOR_FORBIDDEN)
            report_compute(judge, index);
        return; /* whatever else __init__ keeps is judged where it is used */
    }
    if (judge_child_state(judge, index))
        return;
    if (on_data)
        judge_on_data(judge, index);
    else
        judge_on_known(judge, index);
}

void judge_operators(Judge *judge) {
    const Trace *trace = judge->trace;
    bool original_writes = forward_writes_what_stays(judge->original);
    for (size_t i = 0; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        flow_read_call(&judge->flow, i);
        if (call->in_forward) {
            if (!original_writes && writes_what_stays(trace, call))
                judge_writing(judge, i);
            if ((judge->flow.call_marks[i] & STALE) != 0)
                judge_stale(judge, i);
            if ((judge->flow.call_marks[i] & UNWRITTEN) != 0)
                judge_unwritten(judge, i);
        }
        if (judge_is_own_call(judge, i) && judge->flow.classes[i] != OPERATOR_IGNORED)
            judge_own_call(judge, i);
        flow_write(&judge->flow, i);
    }
}
