/* Following values through a trace: what is data, what is known. */
#include "judge_parts.h"

#include <math.h>
#include <string.h>

static bool is_any_of(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}
#define IS_ANY_OF(name, names) is_any_of((name), (names), COUNT_OF(names))

static OperatorFacts *operator_facts(Arena *arena, const Trace *trace) {
    OperatorFacts *facts = ARENA_ARRAY(arena, OperatorFacts, trace->operator_count);
    for (size_t i = 0; i < trace->operator_count; i++) {
        const char *name = trace->operators[i];
        facts[i] = (OperatorFacts){.class = operator_class(name),
                                   .canonical = operator_canonical(arena, name),
                                   .shown = text_printable(arena, name, strnlen(name, 120)),
                                   .bare = trace_bare_name(name)};
    }
    return facts;
}

Flow flow_new(Arena *arena, const Trace *trace, bool *by_child, bool *child_state) {
    Flow flow = {.arena = arena,
                 .trace = trace,
                 .operators = operator_facts(arena, trace),
                 .by_child = by_child,
                 .child_state = child_state,
                 .storage_marks = ARENA_ARRAY(arena, uint16_t, trace->storage_count),
                 .tensor_marks = ARENA_ARRAY(arena, uint16_t, trace->tensor_count),
                 .computed_by = ARENA_ARRAY(arena, size_t, trace->storage_count),
                 .call_marks = ARENA_ARRAY(arena, uint16_t, trace->call_count),
                 .classes = ARENA_ARRAY(arena, OperatorClass, trace->call_count),
                 .draws = ARENA_ARRAY(arena, bool, trace->call_count)};
    for (size_t i = 0; i < trace->tensor_count; i++) {
        const TraceTensor *tensor = &trace->tensors[i];
        uint16_t mark = tensor->origin == ORIGIN_INPUT                                   ? FROM_INPUT
                        : tensor->origin == ORIGIN_PARAMETER                             ? FROM_PARAMETER
                        : tensor->origin == ORIGIN_UNKNOWN                               ? FROM_UNKNOWN
                        : tensor->origin == ORIGIN_BUFFER && tensor->made_by == SIZE_MAX ? FROM_BUFFER
                                                                                         : 0;
        flow.storage_marks[tensor->storage.number] |= mark;
    }
    return flow;
}

static uint32_t storage_of(const Flow *flow, TensorId tensor) {
    return flow->trace->tensors[tensor.number].storage.number;
}

uint16_t flow_marks(const Flow *flow, TensorId tensor) {
    return flow->storage_marks[storage_of(flow, tensor)] | flow->tensor_marks[tensor.number];
}

const OperatorFacts *flow_operator(const Flow *flow, size_t call) {
    return &flow->operators[flow->trace->calls[call].operator_number];
}

bool flow_is_leaked(uint16_t marks) {
    return (marks & FROM_PARAMETER) != 0 && (marks & FROM_INPUT) == 0 &&
           ((marks & FROM_CHILD) == 0 || (marks & LEAKED) != 0);
}

bool flow_is_compute(OperatorClass class) {
    return class == OPERATOR_COMPUTE || class == OPERATOR_FORBIDDEN || class == OPERATOR_SELECTING ||
           class == OPERATOR_RANDOM;
}

bool flow_computes(const Flow *flow, size_t call) {
    return flow->trace->calls[call].in_forward && flow->trace->live_calls[call] &&
           flow_is_compute(flow->classes[call]) && (flow->call_marks[call] & DATA) != 0 &&
           (flow->classes[call] != OPERATOR_RANDOM || flow->draws[call]);
}

bool flow_uses_value(const Flow *flow, const TraceCall *call, size_t position) {
    return !trace_use_is_metadata(flow->trace, call, position);
}

/* Construction is over: which buffers are state (policy.md, "Buffers"), and what of construction is no
 * initial value, since it has been given its own. */
static void begin_forward(Flow *flow) {
    const Trace *trace = flow->trace;
    bool *written = ARENA_ARRAY(flow->arena, bool, trace->storage_count);
    for (size_t i = trace->forward_start; i < trace->call_count; i++)
        for (size_t w = 0; w < trace->calls[i].written_count; w++)
            written[storage_of(flow, trace->calls[i].written[w])] = true;
    for (size_t i = 0; i < trace->tensor_count; i++) {
        const TraceTensor *tensor = &trace->tensors[i];
        uint16_t *marks = &flow->storage_marks[tensor->storage.number];
        if (tensor->origin == ORIGIN_PARAMETER)
            *marks = FROM_PARAMETER;
        if (tensor->origin != ORIGIN_BUFFER)
            continue;
        bool uniform = (*marks & UNIFORM) != 0 && tensor->floating;
        bool state = tensor->made_by == SIZE_MAX || written[tensor->storage.number] || uniform ||
                     (*marks & DATA) != 0 || (flow->child_state != NULL && flow->child_state[i]);
        *marks = state ? FROM_BUFFER : (uint16_t)(*marks & ~(UNIFORM | UNWRITTEN));
    }
}

static uint16_t union_of_marks(const Flow *flow, const TraceCall *call) {
    uint16_t marks = 0;
    for (size_t u = 0; u < call->use_count; u++)
        if (flow_uses_value(flow, call, u))
            marks |= flow_marks(flow, call->uses[u]);
    return marks;
}

/* x ** 2, x ** 2.0, x ** 0: a whole constant from 0 to 4. */
static bool is_small_power(const TraceCall *call, const OperatorFacts *operator) {
    const Value *base = trace_argument(call, 0, "input"), *exponent = trace_argument(call, 1, "exponent");
    if (strstr(operator->bare, "rpow") != NULL || base == NULL || base->kind != VALUE_TENSOR ||
        exponent == NULL)
        return false;
    if (exponent->kind == VALUE_INT)
        return exponent->integer >= 0 && exponent->integer <= 4;
    return exponent->kind == VALUE_FLOAT && exponent->real >= 0 && exponent->real <= 4 &&
           exponent->real == floor(exponent->real);
}

/* Comparisons stand on integers, booleans, and floating inputs of forward. */
static bool compares_plainly(const Flow *flow, const TraceCall *call) {
    for (size_t u = 0; u < call->use_count; u++)
        if (flow->trace->tensors[call->uses[u].number].floating &&
            (flow_marks(flow, call->uses[u]) & DATA & ~FROM_INPUT) != 0)
            return false;
    return true;
}

/* Counts are of integer and boolean inputs. */
static bool counts_plainly(const Flow *flow, const TraceCall *call, uint16_t marks) {
    for (size_t u = 0; u < call->use_count; u++)
        if (flow->trace->tensors[call->uses[u].number].floating)
            return false;
    return (marks & DATA & ~FROM_INPUT) == 0;
}

static bool is_text(const Value *value, const char *text) {
    return value != NULL && value->kind == VALUE_STR && strcmp(value->text.data, text) == 0;
}

static OperatorClass refined_class(const Flow *flow, const TraceCall *call, const OperatorFacts *operator,
                                   uint16_t marks) {
    const Value *second = call->arg_count > 1 ? &call->args[1] : NULL;
    switch (operator->class) {
    case OPERATOR_POWER: return is_small_power(call, operator) ? OPERATOR_ARITHMETIC : OPERATOR_COMPUTE;
    case OPERATOR_COMPARISON: return compares_plainly(flow, call) ? OPERATOR_MASK : OPERATOR_COMPUTE;
    case OPERATOR_COUNTING: return counts_plainly(flow, call, marks) ? OPERATOR_COUNTING : OPERATOR_COMPUTE;
    case OPERATOR_VIEW:
        if (strcmp(operator->canonical, "view") == 0 && ((second != NULL && second->kind == VALUE_DTYPE) ||
                                                         trace_argument(call, SIZE_MAX, "dtype") != NULL))
            return OPERATOR_COMPUTE;
        return OPERATOR_VIEW;
    case OPERATOR_ASSEMBLY: {
        const Value *mode = trace_argument(call, 2, "mode");
        if (strcmp(operator->canonical, "pad") == 0 && mode != NULL && mode->kind == VALUE_STR &&
            !is_text(mode, "constant"))
            return OPERATOR_COMPUTE;
        return OPERATOR_ASSEMBLY;
    }
    case OPERATOR_SELECTING: /* max(x), max(x, dim) reduce; max(x, y) selects; where(c) is nonzero */
        if (strcmp(operator->canonical, "where") == 0)
            return call->arg_count + call->kwarg_count >= 3 ? OPERATOR_SELECTING : OPERATOR_COMPUTE;
        return OPERATOR_SELECTING;
    default: return operator->class;
    }
}

/* dropout that is switched off draws nothing. */
static bool draws_numbers(const TraceCall *call, const char *bare, OperatorClass class) {
    if (class != OPERATOR_RANDOM)
        return false;
    size_t position = text_ends(bare, "rrelu") ? 3 : 2;
    const Value *training = trace_argument(call, position, "training");
    if (training == NULL)
        training = trace_argument(call, SIZE_MAX, "train");
    const Value *probability = trace_argument(call, 1, "p");
    return !(training != NULL && training->kind == VALUE_BOOL && training->integer == 0) &&
           !(probability != NULL && probability->kind == VALUE_FLOAT && probability->real == 0.0 &&
             training != NULL);
}

void flow_read_call(Flow *flow, size_t index) {
    const TraceCall *call = &flow->trace->calls[index];
    if (index == flow->trace->forward_start)
        begin_forward(flow);
    const OperatorFacts *operator= flow_operator(flow, index);
    uint16_t marks = union_of_marks(flow, call);
    flow->call_marks[index] = marks;
    flow->classes[index] = refined_class(flow, call, operator, marks);
    flow->draws[index] = draws_numbers(call, operator->bare, flow->classes[index]);
}

static bool has_data_mask(const Flow *flow, const Value *index) {
    if (index->kind == VALUE_TENSOR) {
        const char *dtype = flow->trace->tensors[index->tensor.number].dtype;
        return (strcmp(dtype, "torch.bool") == 0 || strcmp(dtype, "torch.uint8") == 0) &&
               (flow_marks(flow, index->tensor) & DATA) != 0;
    }
    if (index->kind != VALUE_TUPLE && index->kind != VALUE_LIST)
        return false;
    for (size_t i = 0; i < index->list.count; i++)
        if (has_data_mask(flow, &index->list.items[i]))
            return true;
    return false;
}

/* Does the shape of the result depend on elements of data? */
static bool makes_data_shape(const Flow *flow, const TraceCall *call, const OperatorFacts *operator,
                             uint16_t marks) {
    static const char *const ALWAYS[] = {"masked_select",      "nonzero",    "argwhere", "unique",
                                         "unique_consecutive", "unique_dim", "bincount", "flatnonzero"};
    if ((marks & DATA) == 0)
        return false;
    if (IS_ANY_OF(operator->canonical, ALWAYS))
        return true;
    if (strcmp(operator->canonical, "where") == 0)
        return call->arg_count + call->kwarg_count == 1;
    if (strcmp(operator->canonical, "__getitem__") == 0)
        return call->arg_count > 1 && has_data_mask(flow, &call->args[1]);
    const Value *repeats = trace_argument(call, 1, "repeats");
    return strcmp(operator->canonical, "repeat_interleave") == 0 &&
           trace_argument(call, SIZE_MAX, "output_size") == NULL &&
           (repeats == NULL ||
            (repeats->kind == VALUE_TENSOR && (flow_marks(flow, repeats->tensor) & DATA) != 0));
}

/* Operators whose result has the shape of their first operand, whatever the others are. */
static bool keeps_first_shape(const OperatorFacts *operator) {
    static const char *const NAMES[] = {"scatter",     "scatter_add",    "scatter_reduce", "index_add",
                                        "index_copy",  "index_fill",     "index_reduce",   "index_put",
                                        "masked_fill", "masked_scatter", "__setitem__",    "copy"};
    return IS_ANY_OF(operator->canonical, NAMES);
}

static uint16_t tensor_marks_of_result(const Flow *flow, const TraceCall *call, size_t index,
                                       const OperatorFacts *operator, TensorId result) {
    uint16_t marks = flow->call_marks[index], inherited = 0;
    const TraceTensor *tensor = &flow->trace->tensors[result.number];
    size_t considered = keeps_first_shape(operator) && call->use_count > 1 ? 1 : call->use_count;
    for (size_t u = 0; u < considered; u++)
        inherited |= flow->tensor_marks[call->uses[u].number] & DATA_SHAPE;
    if (makes_data_shape(flow, call, operator, marks))
        inherited |= DATA_SHAPE;
    if (tensor->rank == 0)
        inherited = 0;
    bool own = flow->by_child == NULL || !flow->by_child[index];
    OperatorClass class = flow->classes[index];
    if (own && (marks & DATA) != 0 && class == OPERATOR_TEST)
        inherited |= ONLY_TESTED;
    if (own && (marks & ONLY_TESTED) != 0 && !tensor->floating &&
        (class == OPERATOR_MASK || class == OPERATOR_VIEW || class == OPERATOR_CAST))
        inherited |= ONLY_TESTED;
    return inherited;
}

/* Numbers of a list, nested or not, that are neither whole nor tensors. */
static size_t count_fractions(const Value *value) {
    if (value->kind == VALUE_FLOAT)
        return isfinite(value->real) && value->real != floor(value->real);
    size_t count = 0;
    if (value->kind == VALUE_LIST || value->kind == VALUE_TUPLE)
        for (size_t i = 0; i < value->list.count; i++)
            count += count_fractions(&value->list.items[i]);
    return count;
}

/* A table that Python worked out, number by number. */
static bool makes_table(const Flow *flow, const TraceCall *call, size_t index) {
    enum { MOST_NUMBERS = 16 };
    return strcmp(flow_operator(flow, index)->canonical, "tensor") == 0 && call->arg_count > 0 &&
           count_fractions(&call->args[0]) > MOST_NUMBERS;
}

/* Does a child copy its parameters by plumbing alone? */
static bool leaks_parameters(const Flow *flow, const TraceCall *call, size_t index) {
    OperatorClass class = flow->classes[index];
    bool parameter = false;
    for (size_t u = 0; u < call->use_count; u++) {
        uint16_t marks = flow_marks(flow, call->uses[u]);
        if ((marks & DATA) != 0 && !flow_is_leaked(marks))
            return false;
        parameter = parameter || flow_is_leaked(marks);
    }
    return parameter && (class == OPERATOR_VIEW || class == OPERATOR_CAST || class == OPERATOR_ASSEMBLY ||
                         class == OPERATOR_ARITHMETIC);
}

/* What a call puts into fresh memory. */
static uint16_t marks_of_result(const Flow *flow, const TraceCall *call, size_t index, bool floating,
                                bool large) {
    static const char *const UNIFORM_MAKERS[] = {"zeros",      "ones",      "full",       "empty",
                                                 "zeros_like", "ones_like", "full_like",  "new_zeros",
                                                 "new_ones",   "new_full",  "empty_like", "new_empty"};
    OperatorClass class = flow->classes[index];
    uint16_t marks = flow->call_marks[index] & (DATA | KNOWN_COMPUTED);
    if (flow->draws[index])
        marks |= FROM_RANDOM;
    if (!call->in_forward && (marks & DATA) != 0)
        return STALE;
    if (call->in_forward && flow->by_child != NULL && flow->by_child[index])
        return (uint16_t)((marks & DATA) | FROM_CHILD | (leaks_parameters(flow, call, index) ? LEAKED : 0));
    if ((marks & DATA) != 0)
        return marks & DATA;
    if (!floating)
        return 0;
    bool computes = class == OPERATOR_COMPUTE || class == OPERATOR_FORBIDDEN;
    if ((computes && large) || makes_table(flow, call, index))
        return KNOWN_COMPUTED;
    if (IS_ANY_OF(flow_operator(flow, index)->canonical, UNIFORM_MAKERS))
        return marks | UNIFORM;
    if (class == OPERATOR_VIEW || class == OPERATOR_CAST || class == OPERATOR_ASSEMBLY)
        marks |= flow->call_marks[index] & UNIFORM;
    return marks;
}

static bool leaves_unwritten(const OperatorFacts *operator) {
    static const char *const NAMES[] = {"empty", "empty_like", "new_empty", "empty_strided",
                                        "new_empty_strided"};
    return IS_ANY_OF(operator->canonical, NAMES);
}

static bool is_used(const Flow *flow, const TraceCall *call, uint32_t storage) {
    for (size_t u = 0; u < call->use_count; u++)
        if (storage_of(flow, call->uses[u]) == storage)
            return true;
    return false;
}

static size_t first_computation(const Flow *flow, const TraceCall *call, size_t index) {
    for (size_t u = 0; u < call->use_count; u++)
        if ((flow_marks(flow, call->uses[u]) & KNOWN_COMPUTED) != 0)
            return flow->computed_by[storage_of(flow, call->uses[u])];
    return index;
}

static int64_t elements(const TraceTensor *tensor) {
    int64_t count = 1;
    for (size_t i = 0; i < tensor->rank && count <= 1; i++)
        count *= tensor->shape[i];
    return count;
}

static void mark_storage(Flow *flow, const TraceCall *call, size_t index, TensorId target) {
    const TraceTensor *tensor = &flow->trace->tensors[target.number];
    uint32_t storage = tensor->storage.number;
    uint16_t marks = marks_of_result(flow, call, index, tensor->floating, elements(tensor) > 1);
    size_t computed_by = first_computation(flow, call, index);
    if (is_used(flow, call, storage))
        flow->storage_marks[storage] &= (uint16_t)~UNIFORM;
    flow->storage_marks[storage] &= (uint16_t)~UNWRITTEN;
    flow->storage_marks[storage] |= leaves_unwritten(flow_operator(flow, index)) ? marks | UNWRITTEN : marks;
    if ((marks & KNOWN_COMPUTED) != 0)
        flow->computed_by[storage] = computed_by;
}

void flow_write(Flow *flow, size_t index) {
    const TraceCall *call = &flow->trace->calls[index];
    const OperatorFacts *operator= flow_operator(flow, index);
    for (size_t w = 0; w < call->written_count; w++)
        mark_storage(flow, call, index, call->written[w]);
    for (size_t g = 0; g < call->give_count; g++) {
        TensorId result = call->gives[g];
        if (!is_used(flow, call, storage_of(flow, result)))
            mark_storage(flow, call, index, result);
        flow->tensor_marks[result.number] |= tensor_marks_of_result(flow, call, index, operator, result);
    }
}
