/* The table of operator classes (policy.md) on data, on known values, and on what can't be followed. */
#include "flow.h"

#include <stdlib.h>
#include <string.h>

typedef struct Operation {
    Flow *flow;
    const Node *at;
    const char *name, *spelled, *canonical;
    OperatorClass class;
    const Arguments *arguments;
    Summary summary;
    bool in_place;
} Operation;

/* ---- Arguments that decide the class ------------------------------------------------------ */

static bool whole_exponent(const Meaning *exponent, bool *constant) {
    const Sense *sense = exponent != NULL && exponent->count == 1 ? &exponent->items[0] : NULL;
    *constant = sense != NULL && sense->kind == SENSE_PLAIN && sense->text != NULL && !sense->string;
    if (!*constant)
        return false;
    char *end;
    double value = strtod(sense->text, &end);
    return *end == '\0' && (value == 0 || value == 1 || value == 2 || value == 3 || value == 4);
}

static const Meaning *argument(const Operation *operation, size_t position, const char *name) {
    const Meaning *keyword = arguments_keyword(operation->arguments, name);
    return keyword != NULL || position >= operation->arguments->count ? keyword
                                                                      : operation->arguments->items[position];
}

static const Sense *dtype_argument(const Operation *operation) {
    const Meaning *keyword = arguments_keyword(operation->arguments, "dtype");
    if (keyword != NULL)
        return &keyword->items[0];
    for (size_t i = 0; i < operation->arguments->count; i++) {
        const Sense *sense = meaning_first(operation->arguments->items[i], SENSE_PLAIN);
        if (sense != NULL && sense->dtype)
            return sense;
    }
    return NULL;
}

static bool is_constant_pad(const Operation *operation) {
    const Meaning *mode = argument(operation, 2, "mode");
    return mode == NULL || text_equal(mode->items[0].text, "constant");
}

/* An exponent that no constant gives leaves power to the trace. */
static OperatorClass class_of_power(Operation *operation) {
    bool constant;
    if (whole_exponent(argument(operation, 1, "exponent"), &constant))
        return OPERATOR_ARITHMETIC;
    const Meaning *exponent = argument(operation, 1, "exponent");
    if (!constant && exponent != NULL && meaning_is(exponent, SENSE_PLAIN) &&
        operation->summary.data != NULL) {
        flow_report(operation->flow, &RULE_OP_COMPUTE, SEVERITY_UNDECIDED, operation->at, NULL,
                    "%s is arithmetic for a whole exponent from 0 to 4 only, and this one isn't a constant",
                    operation->spelled);
        return OPERATOR_ARITHMETIC;
    }
    return OPERATOR_COMPUTE;
}

static OperatorClass class_by_arguments(Operation *operation) {
    const char *canonical = operation->canonical;
    switch (operation->class) {
    case OPERATOR_POWER: return class_of_power(operation);
    case OPERATOR_VIEW:
        if (text_equal(canonical, "view") && dtype_argument(operation) != NULL)
            return OPERATOR_COMPUTE;
        break;
    case OPERATOR_ASSEMBLY:
        if (text_equal(canonical, "pad") && !is_constant_pad(operation))
            return OPERATOR_FORBIDDEN;
        if (text_equal(canonical, "scatter") && arguments_keyword(operation->arguments, "reduce") != NULL)
            return OPERATOR_COMPUTE;
        break;
    case OPERATOR_CAST:
        if (text_equal(canonical, "type") && operation->arguments->count + operation->arguments->named < 2)
            return OPERATOR_READ;
        break;
    case OPERATOR_CREATION:
        if (operation->summary.data != NULL &&
            (text_equal(canonical, "tensor") || text_equal(canonical, "new_tensor") ||
             text_starts(canonical, "full") || text_equal(canonical, "new_full") ||
             text_equal(canonical, "scalar_tensor")) &&
            !(text_starts(canonical, "new_") && argument(operation, 1, "data") == NULL))
            return OPERATOR_READ;
        break;
    default: break;
    }
    return operation->class;
}

/* ---- Results ------------------------------------------------------------------------------ */

static NumberKind number_of_cast(const Operation *operation, NumberKind number) {
    static const char *const FLOATS[] = {"float", "half", "double", "bfloat16"};
    static const char *const INTS[] = {"long", "int", "short", "byte", "char"};
    for (size_t i = 0; i < COUNT_OF(FLOATS); i++)
        if (text_equal(operation->canonical, FLOATS[i]))
            return NUMBER_FLOAT;
    for (size_t i = 0; i < COUNT_OF(INTS); i++)
        if (text_equal(operation->canonical, INTS[i]))
            return NUMBER_INT;
    if (text_equal(operation->canonical, "bool"))
        return NUMBER_BOOL;
    const Sense *dtype = dtype_argument(operation);
    if (dtype != NULL)
        return dtype->number;
    return text_equal(operation->canonical, "type_as") ? NUMBER_ANY : number;
}

static bool is_operator(const Operation *operation, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (text_equal(operation->canonical, names[i]))
            return true;
    return false;
}

/* What adding and multiplying gives, for the operands' kinds. */
static NumberKind number_of_arithmetic(Flow *flow, const Operation *operation, NumberKind number) {
    if (text_equal(operation->canonical, "div"))
        return NUMBER_FLOAT;
    for (size_t i = 0; i < operation->arguments->count; i++) {
        const Meaning *item = operation->arguments->items[i];
        Summary summary = {0};
        summarise(flow, item, &summary);
        const Sense *plain = meaning_first(item, SENSE_PLAIN);
        if ((summary.data != NULL && summary.data_sense.number == NUMBER_FLOAT) ||
            (summary.known != NULL && summary.known_number == NUMBER_FLOAT) ||
            (plain != NULL && plain->number == NUMBER_FLOAT))
            return NUMBER_FLOAT;
        if (plain != NULL && plain->number == NUMBER_ANY)
            number = NUMBER_ANY;
    }
    return number == NUMBER_BOOL ? NUMBER_INT : number;
}

static NumberKind number_created(const Operation *operation) {
    const Sense *dtype = dtype_argument(operation);
    if (dtype != NULL)
        return dtype->number;
    static const char *const FLOATS[] = {"zeros", "ones", "empty", "eye", "linspace"};
    static const char *const INTS[] = {"tril_indices", "triu_indices"};
    if (is_operator(operation, FLOATS, COUNT_OF(FLOATS)))
        return NUMBER_FLOAT;
    if (is_operator(operation, INTS, COUNT_OF(INTS)))
        return NUMBER_INT;
    if (text_equal(operation->canonical, "arange")) {
        for (size_t i = 0; i < operation->arguments->count; i++)
            if (operation->arguments->items[i]->items[0].number == NUMBER_FLOAT)
                return NUMBER_FLOAT;
        return NUMBER_INT;
    }
    return operation->summary.known != NULL ? operation->summary.known_number : NUMBER_ANY;
}

static const Meaning *data_result(const Operation *operation, Origin at_least, NumberKind number) {
    Sense sense = operation->summary.data_sense;
    sense.kind = SENSE_DATA;
    sense.number = number;
    sense.argument = false;
    if (sense.origin < at_least)
        sense.origin = at_least;
    return meaning_of(operation->flow, sense);
}

static const Meaning *known_result(const Operation *operation, NumberKind number, const Taint *taint) {
    const Sense *known = operation->summary.known;
    bool same = known != NULL && (operation->class == OPERATOR_VIEW || operation->in_place);
    return meaning_of(operation->flow,
                      (Sense){.kind = SENSE_KNOWN,
                              .number = number,
                              .taint = number == NUMBER_INT || number == NUMBER_BOOL ? NULL : taint,
                              .object = same ? known->object : object_new(operation->flow)});
}

/* Data that is written into a known tensor makes it data for all that share its storage. */
static void write_through(const Operation *operation) {
    const Meaning *target =
        operation->arguments->count > 0 && operation->in_place ? operation->arguments->items[0] : NULL;
    const Meaning *out = arguments_keyword(operation->arguments, "out");
    const Meaning *const written[] = {target, out};
    for (size_t i = 0; i < COUNT_OF(written); i++)
        for (size_t j = 0; written[i] != NULL && j < written[i]->count; j++)
            if (written[i]->items[j].kind == SENSE_KNOWN) {
                Object *storage = written[i]->items[j].object;
                storage->written = true;
                if (operation->summary.data_sense.origin > storage->origin)
                    storage->origin = operation->summary.data_sense.origin;
            }
}

/* ---- Findings ----------------------------------------------------------------------------- */

static void report_class(const Operation *operation, const Rule *rule, Severity severity,
                         const char *format) {
    const char *what = arena_printf(operation->flow->arena, format, operation->spelled); // NOLINT
    flow_report(operation->flow, rule, severity, operation->at,
                operator_advice(operation->canonical, operation->class), "%s", what);
}

static void report_compute(const Operation *operation, Severity severity) {
    const Rule *rule = operation->class == OPERATOR_RANDOM             ? &RULE_OP_RANDOM
                       : operation->class == OPERATOR_READ             ? &RULE_OP_READ
                       : operation->class == OPERATOR_FORBIDDEN        ? &RULE_OP_FORBIDDEN
                       : text_equal(operation->canonical, "where")     ? &RULE_OP_FORBIDDEN
                       : text_equal(operation->canonical, "embedding") ? &RULE_OP_EMBEDDING
                                                                       : &RULE_OP_COMPUTE;
    report_class(operation, rule, severity,
                 operation->class == OPERATOR_RANDOM         ? "%s draws random numbers"
                 : operation->class == OPERATOR_READ         ? "%s reads data into Python"
                 : text_equal(operation->canonical, "where") ? "%s on data is forbidden"
                 : severity == SEVERITY_UNDECIDED            ? "%s is compute, if this is data"
                                                             : "%s is compute");
}

void flow_meet(Flow *flow, const Node *at, const Meaning *meaning) {
    Summary summary = {0};
    summarise(flow, meaning, &summary);
    const Taint *taint = summary.taint;
    if (taint == NULL)
        return;
    Place place = node_place(&flow->frame->file->tree, at);
    const char *what =
        arena_printf(flow->arena, "%s makes floating values that meet data at line %d: that is compute",
                     taint->operator, place.line);
    flow_report_at(flow, &RULE_OP_KNOWN_FLOAT, taint->certain ? SEVERITY_VIOLATION : SEVERITY_UNDECIDED,
                   taint->file, taint->place, NULL, what);
}

static void judge_parameter(const Operation *operation) {
    static const char *const INDEXING[] = {"__getitem__", "index_select",   "gather",
                                           "take",        "take_along_dim", "embedding"};
    if (operation->flow->phase != PHASE_FORWARD)
        return;
    if (is_operator(operation, INDEXING, COUNT_OF(INDEXING)) &&
        (operation->summary.data != NULL || operation->class == OPERATOR_ASSEMBLY))
        flow_report(operation->flow, &RULE_OP_EMBEDDING, SEVERITY_VIOLATION, operation->at, NULL,
                    "%s takes rows out of a child's parameter", operation->spelled);
    else
        flow_report(operation->flow, &RULE_OP_CHILD_PARAMETER, SEVERITY_VIOLATION, operation->at, NULL,
                    "%s uses a child's parameter outside that child", operation->spelled);
}

/* ---- The columns of the table ------------------------------------------------------------- */

/* Integers, booleans and floating inputs of forward may be compared; what a child computed may not. Numbers
 * whose dtype lint can't see are left to the trace, but for orderings of a child's result. */
static void judge_comparison(const Operation *operation) {
    static const char *const EQUALITIES[] = {"eq", "ne"};
    const Sense *data = &operation->summary.data_sense;
    if (data->number == NUMBER_INT || data->number == NUMBER_BOOL || data->origin == ORIGIN_OF_INPUT)
        return;
    bool certain =
        data->number == NUMBER_FLOAT ||
        (data->origin >= ORIGIN_OF_CHILD && !is_operator(operation, EQUALITIES, COUNT_OF(EQUALITIES)));
    report_compute(operation, certain ? SEVERITY_VIOLATION : SEVERITY_UNDECIDED);
}

static void judge_counting(const Operation *operation) {
    const Sense *data = &operation->summary.data_sense;
    if (data->origin >= ORIGIN_OF_CHILD || data->number == NUMBER_FLOAT)
        report_compute(operation, SEVERITY_VIOLATION);
    else if (data->number == NUMBER_ANY)
        flow_report(operation->flow, &RULE_OP_COMPUTE, SEVERITY_UNDECIDED, operation->at, NULL,
                    "%s counts integers or booleans, and is compute on floating data", operation->spelled);
}

static bool makes_ragged(const Operation *operation) {
    if (text_equal(operation->canonical, "masked_select"))
        return true;
    if (!text_equal(operation->canonical, "__getitem__") &&
        !text_equal(operation->canonical, "repeat_interleave"))
        return false;
    const Meaning *index = argument(operation, 1, "repeats");
    Summary summary = {0};
    summarise(operation->flow, index, &summary);
    return summary.data != NULL && (summary.data_sense.number == NUMBER_BOOL ||
                                    text_equal(operation->canonical, "repeat_interleave"));
}

static const Meaning *ragged_result(const Operation *operation) {
    const Meaning *made = data_result(operation, ORIGIN_OF_INPUT, operation->summary.data_sense.number);
    if (!makes_ragged(operation))
        return made;
    Sense sense = made->items[0];
    sense.ragged = true;
    return meaning_of(operation->flow, sense);
}

static bool asks_for_size(const Operation *operation) {
    static const char *const SIZES[] = {"shape", "size", "numel", "__len__"};
    return is_operator(operation, SIZES, COUNT_OF(SIZES));
}

static const Meaning *ask_metadata(const Operation *operation) {
    if (operation->summary.data != NULL && operation->summary.data_sense.ragged && asks_for_size(operation))
        flow_report(operation->flow, &RULE_OP_READ, SEVERITY_VIOLATION, operation->at, NULL,
                    "%s of a tensor whose shape depends on data reads data", operation->spelled);
    if (!text_equal(operation->canonical, "dtype"))
        return meaning_constant(operation->flow, asks_for_size(operation) ? NUMBER_INT : NUMBER_ANY, NULL);
    const Summary *summary = &operation->summary;
    NumberKind number = summary->data != NULL ? summary->data_sense.number : summary->known_number;
    return meaning_of(operation->flow, (Sense){.kind = SENSE_PLAIN, .dtype = true, .number = number});
}

static const Meaning *test_of_data(const Operation *operation) {
    const Node *at = operation->at;
    bool asked = flow_in_test(at) || (at->parent != NULL && at->parent->kind == NODE_Assign) ||
                 text_equal(operation->canonical, "equal");
    report_class(operation, &RULE_OP_TEST, asked ? SEVERITY_UNDECIDED : SEVERITY_VIOLATION,
                 asked ? "%s tests data: only where the original makes the same test"
                       : "%s of data outside a test is compute");
    return operation->flow->plain;
}

static const Meaning *on_data(const Operation *operation) {
    Flow *flow = operation->flow;
    NumberKind number = operation->summary.data_sense.number;
    switch (operation->class) {
    case OPERATOR_VIEW: return ragged_result(operation);
    case OPERATOR_ASSEMBLY: return ragged_result(operation);
    case OPERATOR_CAST: return data_result(operation, ORIGIN_OF_INPUT, number_of_cast(operation, number));
    case OPERATOR_MASK:
        if (text_starts(operation->canonical, "bitwise_") && (number == NUMBER_INT || number == NUMBER_FLOAT))
            report_compute(operation, SEVERITY_VIOLATION);
        return data_result(operation, ORIGIN_OF_INPUT,
                           text_starts(operation->canonical, "logical_") ? NUMBER_BOOL : number);
    case OPERATOR_COMPARISON:
        judge_comparison(operation);
        return data_result(operation, ORIGIN_OF_INPUT, NUMBER_BOOL);
    case OPERATOR_ARITHMETIC:
        number = number_of_arithmetic(flow, operation, number);
        return data_result(operation,
                           number == NUMBER_INT || number == NUMBER_BOOL ? ORIGIN_OF_INPUT : ORIGIN_DERIVED,
                           number);
    case OPERATOR_CREATION:
        if (text_equal(operation->canonical, "tensor"))
            return data_result(operation, ORIGIN_OF_INPUT, number);
        return meaning_known(flow, dtype_argument(operation) != NULL ? number_created(operation) : number);
    case OPERATOR_COUNTING:
        judge_counting(operation);
        return data_result(operation, ORIGIN_OF_INPUT, number == NUMBER_BOOL ? NUMBER_INT : number);
    case OPERATOR_METADATA: return ask_metadata(operation);
    case OPERATOR_TEST: return test_of_data(operation);
    case OPERATOR_IGNORED: return flow->plain;
    case OPERATOR_READ: report_compute(operation, SEVERITY_VIOLATION); return flow->plain;
    default:
        report_compute(operation, SEVERITY_VIOLATION);
        return data_result(operation, ORIGIN_OF_CHILD, NUMBER_ANY);
    }
}

/* ---- Known values ------------------------------------------------------------------------- */

static const Taint *new_taint(const Operation *operation, bool certain) {
    Taint *taint = ARENA_NEW(operation->flow->arena, Taint);
    const ProgramFile *file = operation->flow->frame->file;
    *taint = (Taint){.place = node_place(&file->tree, operation->at),
                     .operator= operation->spelled,
                     .file = file,
                     .certain = certain};
    return taint;
}

static const Meaning *compute_on_known(const Operation *operation, NumberKind number) {
    static const char *const FLOATS[] = {
        "sin",   "cos",        "tan",     "exp",  "exp2",    "log",   "log2", "log10", "log1p", "sqrt",
        "rsqrt", "reciprocal", "sigmoid", "tanh", "softmax", "mean",  "var",  "std",   "erf",   "logspace",
        "atan",  "acos",       "asin",    "sinh", "cosh",    "expm1", "norm", "polar"};
    static const char *const INTS[] = {"argmax",   "argmin",    "argsort",      "nonzero",
                                       "argwhere", "bucketize", "searchsorted", "count_nonzero"};
    static const char *const BOOLS[] = {"isin", "isnan", "isfinite", "isinf", "isclose"};
    bool floating = is_operator(operation, FLOATS, COUNT_OF(FLOATS));
    if (is_operator(operation, BOOLS, COUNT_OF(BOOLS)))
        number = NUMBER_BOOL;
    else if (is_operator(operation, INTS, COUNT_OF(INTS)))
        number = NUMBER_INT;
    else if (floating || operation->summary.known == NULL)
        number = floating ? NUMBER_FLOAT : NUMBER_ANY;
    return known_result(operation, number, new_taint(operation, number == NUMBER_FLOAT));
}

static const Meaning *on_known(Operation *operation) {
    Flow *flow = operation->flow;
    const Summary *summary = &operation->summary;
    NumberKind number = summary->any_known_number ? summary->known_number : NUMBER_ANY;
    switch (operation->class) {
    case OPERATOR_METADATA: return ask_metadata(operation);
    case OPERATOR_IGNORED: return flow->plain;
    case OPERATOR_TEST: return flow->plain;
    case OPERATOR_READ:
        return meaning_of(flow, (Sense){.kind = SENSE_PLAIN,
                                        .number = number,
                                        .taint = number == NUMBER_INT ? NULL : summary->taint});
    case OPERATOR_CAST: return known_result(operation, number_of_cast(operation, number), summary->taint);
    case OPERATOR_COMPARISON: return known_result(operation, NUMBER_BOOL, NULL);
    case OPERATOR_ARITHMETIC:
        return known_result(operation, number_of_arithmetic(flow, operation, number), summary->taint);
    case OPERATOR_CREATION: return known_result(operation, number_created(operation), summary->taint);
    case OPERATOR_COUNTING:
        if (number == NUMBER_INT || number == NUMBER_BOOL)
            return known_result(operation, NUMBER_INT, NULL);
        return known_result(operation, number, new_taint(operation, number == NUMBER_FLOAT));
    case OPERATOR_SELECTING:
        return known_result(operation, text_equal(operation->canonical, "one_hot") ? NUMBER_INT : number,
                            summary->taint);
    case OPERATOR_FORBIDDEN:
        report_compute(operation, SEVERITY_VIOLATION);
        return known_result(operation, NUMBER_ANY, NULL);
    case OPERATOR_COMPUTE: return compute_on_known(operation, number);
    default: return known_result(operation, number, summary->taint);
    }
}

/* ---- What can't be followed --------------------------------------------------------------- */

static const Meaning *on_unknown(const Operation *operation) {
    bool method = text_starts(operation->name, "torch.Tensor.");
    switch (operation->class) {
    case OPERATOR_FORBIDDEN:
        report_compute(operation, method ? SEVERITY_UNDECIDED : SEVERITY_VIOLATION);
        break;
    case OPERATOR_COMPUTE:
    case OPERATOR_SELECTING:
    case OPERATOR_READ: report_compute(operation, SEVERITY_UNDECIDED); break;
    default: break;
    }
    return operation->flow->unknown;
}

static const Meaning *draw_random(Operation *operation) {
    if (operation->flow->phase == PHASE_FORWARD)
        report_compute(operation, SEVERITY_VIOLATION);
    Origin origin = operation->summary.parameter != NULL ? ORIGIN_STALE : ORIGIN_RANDOM;
    operation->summary.data_sense.origin = origin;
    write_through(operation);
    return meaning_data(operation->flow, origin, NUMBER_ANY);
}

static bool is_in_place(const char *name, const Arguments *arguments) {
    size_t length = strlen(name);
    bool underscore = length > 1 && name[length - 1] == '_' && name[length - 2] != '_';
    bool dunder = text_starts(name, "__i") && !text_equal(name, "__invert__") &&
                  !text_equal(name, "__int__") && !text_equal(name, "__index__") &&
                  !text_equal(name, "__iter__");
    return underscore || dunder || text_equal(name, "__setitem__") ||
           arguments_keyword(arguments, "out") != NULL;
}

/* Classes that only ask a tensor something don't bring known values and data together. */
static bool mixes(OperatorClass class) {
    return class != OPERATOR_METADATA && class != OPERATOR_IGNORED && class != OPERATOR_CREATION &&
           class != OPERATOR_CAST;
}

static void summarise_operands(Operation *operation) {
    const Arguments *arguments = operation->arguments;
    for (size_t i = 0; i < arguments->count; i++)
        summarise(operation->flow, arguments->items[i], &operation->summary);
    for (size_t i = 0; i < arguments->named; i++)
        summarise(operation->flow, arguments->values[i], &operation->summary);
    summarise(operation->flow, arguments->starred, &operation->summary);
}

const Meaning *flow_operate(Flow *flow, const Node *at, const char *name, const char *spelled,
                            const Arguments *arguments) {
    Operation operation = {.flow = flow,
                           .at = at,
                           .name = name,
                           .spelled = spelled,
                           .canonical = operator_canonical(flow->arena, name),
                           .class = operator_class(name),
                           .arguments = arguments,
                           .in_place = is_in_place(name, arguments)};
    summarise_operands(&operation);
    Summary *summary = &operation.summary;
    operation.class = class_by_arguments(&operation);
    if (operation.class == OPERATOR_RANDOM)
        return draw_random(&operation);
    if (summary->parameter != NULL && operation.class != OPERATOR_METADATA) {
        judge_parameter(&operation);
        if (flow->phase != PHASE_FORWARD)
            return meaning_data(flow, ORIGIN_STALE, NUMBER_ANY);
        if (summary->data == NULL) {
            summary->data = summary->parameter;
            summary->data_sense = (Sense){.kind = SENSE_DATA, .origin = ORIGIN_OF_CHILD};
        }
    }
    if (summary->data != NULL && flow->phase != PHASE_FORWARD && operation.class != OPERATOR_METADATA)
        return data_result(&operation, ORIGIN_STALE, NUMBER_ANY);
    if (summary->data != NULL) {
        for (size_t i = 0; mixes(operation.class) && summary->taint != NULL && i < arguments->count; i++)
            flow_meet(flow, at, arguments->items[i]);
        if (operation.in_place)
            write_through(&operation);
        return on_data(&operation);
    }
    return summary->unknown != NULL ? on_unknown(&operation) : on_known(&operation);
}

/* ---- Python's own ways to ask ------------------------------------------------------------- */

bool flow_in_test(const Node *node) {
    const Node *inner = node, *outer = node->parent;
    for (; outer != NULL; inner = outer, outer = outer->parent) {
        switch (outer->kind) {
        case NODE_If:
        case NODE_While:
        case NODE_IfExp:
        case NODE_Assert: return node_child(outer, FIELD_test) == inner;
        case NODE_BoolOp:
        case NODE_UnaryOp:
        case NODE_Attribute:
        case NODE_Compare:
        case NODE_Call: break;
        default: return false;
        }
    }
    return false;
}

void flow_test(Flow *flow, const Node *at, const Meaning *meaning) {
    Summary summary = {0};
    summarise(flow, meaning_is(meaning, SENSE_LIST) ? NULL : meaning, &summary);
    if (summary.data != NULL && flow->phase == PHASE_FORWARD && !summary.data_sense.argument &&
        summary.plain == NULL)
        flow_report(flow, &RULE_OP_TEST, SEVERITY_UNDECIDED, at, NULL,
                    "a test on data: only where the original makes the same test");
}

const Meaning *flow_read(Flow *flow, const Node *at, const char *spelled, const Meaning *meaning) {
    Summary summary = {0};
    summarise(flow, meaning, &summary);
    if (summary.parameter != NULL && flow->phase == PHASE_FORWARD)
        flow_report(flow, &RULE_OP_CHILD_PARAMETER, SEVERITY_VIOLATION, at, NULL,
                    "%s reads a child's parameter outside that child", spelled);
    if (summary.data != NULL && flow->phase == PHASE_FORWARD)
        flow_report(flow, &RULE_OP_READ,
                    summary.data_sense.argument ? SEVERITY_UNDECIDED : SEVERITY_VIOLATION, at, NULL,
                    "%s reads data into Python", spelled);
    else if (summary.unknown != NULL)
        flow_report(flow, &RULE_OP_READ, SEVERITY_UNDECIDED, at, NULL, "%s reads data, if this is data",
                    spelled);
    return meaning_of(flow, (Sense){.kind = SENSE_PLAIN, .taint = summary.taint});
}

const Meaning *flow_binary(Flow *flow, const Node *at, const char *dunder, const char *sign,
                           const Meaning *left, const Meaning *right) {
    Arguments arguments = {0};
    arguments_push(flow, &arguments, left);
    arguments_push(flow, &arguments, right);
    const char *spelled =
        strchr(sign, '.') != NULL ? sign : arena_printf(flow->arena, "the operator %s", sign);
    return flow_operate(flow, at, dunder, spelled, &arguments);
}
