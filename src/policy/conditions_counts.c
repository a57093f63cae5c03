/* Numbers that are made of sizes and that Python counts by: in a run they are gone before torch sees any.
 * What a range, a list or a slice of one is beyond its end is empty, so that it acts like a test: range(n -
 * k). */
#include "conditions.h"

enum { MOST_NODES = 200 };

static bool has_sizes(const Conditions *conditions, const Node *node) {
    return node != NULL && (condition_reads(conditions, node) & READS_SIZE) != 0;
}

static Things called_by(const Conditions *conditions, const Node *node) {
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    return func == NULL ? (Things){0} : names_of(conditions->names, conditions->file, func);
}

static bool calls_builtin(const Conditions *conditions, const Node *node, const char *const *names,
                          size_t count) {
    const Things called = called_by(conditions, node);
    for (size_t i = 0; i < called.count; i++)
        if (called.items[i].kind == THING_BUILTIN && text_among(called.items[i].path, names, count))
            return true;
    return false;
}

static bool calls_library(const Conditions *conditions, const Node *node, const char *path) {
    const Things called = called_by(conditions, node);
    return things_find(&called, THING_LIBRARY, path) != NULL;
}

static const char *method_of(const Node *node) {
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    return func != NULL && func->kind == NODE_Attribute ? node_text(func, FIELD_attr) : NULL;
}

/* ---- What stands there, so that it is tried as a size ------------------------------------------ */

static bool is_literal(const Conditions *conditions, const Node *node) {
    if (node == NULL)
        return false;
    if (node->kind == NODE_Constant)
        return node->constant == CONSTANT_INT || node->constant == CONSTANT_NONE;
    if (node->kind == NODE_UnaryOp)
        return is_literal(conditions, node_child(node, FIELD_operand));
    const Variable *variable = node->kind == NODE_Name ? condition_variable(conditions, node) : NULL;
    bool all = variable != NULL && variable->count > 0;
    for (size_t i = 0; all && i < variable->count; i++)
        all = variable->items[i].kind == BINDING_VALUE && variable->items[i].value != NULL &&
              variable->items[i].value->kind == NODE_Constant;
    return all;
}

static bool is_size(const Conditions *conditions, const Node *node, unsigned *left);
static bool as_long_as_a_size(const Conditions *conditions, const Node *node);
static bool has_clear_length(const Conditions *conditions, const Node *node, unsigned *left);

/* What the name stands for is all such; of a parameter, sizes are handed to it. */
static bool all_sizes(const Conditions *conditions, const Node *name, unsigned *left) {
    const Variable *variable = condition_variable(conditions, name);
    bool all = variable != NULL && variable->count > 0 && !variable->filled;
    for (size_t i = 0; all && i < variable->count; i++) {
        const NameBinding *binding = &variable->items[i];
        all = binding->kind == BINDING_PARAMETER
                  ? (variable->reads & READS_SIZE) != 0
                  : (binding->kind == BINDING_VALUE || binding->kind == BINDING_ELEMENT) &&
                        is_size(conditions, binding->value, left);
    }
    return all;
}

/* x.shape[1], b * t, x.shape, len(x) */
static bool is_size(const Conditions *conditions, const Node *node, unsigned *left) {
    static const char *const same[] = {"len", "list", "tuple", "int"};
    if (node == NULL || *left == 0)
        return false;
    --*left;
    const Node *op = node_child(node, FIELD_op), *func = node_child(node, FIELD_func);
    const Field *args = node_list(node, FIELD_args);
    switch (node->kind) {
    case NODE_Name: return all_sizes(conditions, node, left);
    case NODE_Subscript: return is_size(conditions, node_child(node, FIELD_value), left);
    case NODE_Attribute:
        return condition_question(node_text(node, FIELD_attr)) == READS_SIZE &&
               !condition_of_self(conditions, node);
    case NODE_BinOp:
        return op != NULL && op->kind == NODE_Mult &&
               is_size(conditions, node_child(node, FIELD_left), left) &&
               is_size(conditions, node_child(node, FIELD_right), left);
    case NODE_Call:
        if (func != NULL && func->kind == NODE_Attribute)
            return is_size(conditions, func, left);
        return args->count == 1 && calls_builtin(conditions, node, same, COUNT_OF(same)) &&
               (is_size(conditions, args->items[0], left) ||
                condition_is_parameter(conditions, args->items[0]) ||
                (as_long_as_a_size(conditions, args->items[0]) &&
                 has_clear_length(conditions, args->items[0], left)));
    default: return false;
    }
}

/* A size, or one and a number that stands there: n - 1. Names of such are followed. */
static bool is_written(const Conditions *conditions, const Node *node, unsigned *left) {
    static const char *const same[] = {"int"};
    if (node == NULL || *left == 0)
        return false;
    --*left;
    const Node *one = node_child(node, FIELD_left), *other = node_child(node, FIELD_right);
    if (is_literal(conditions, node) || is_size(conditions, node, left))
        return true;
    if (node->kind == NODE_UnaryOp)
        return is_written(conditions, node_child(node, FIELD_operand), left);
    if (node->kind == NODE_BinOp && one != NULL && other != NULL) {
        const bool is_one = is_size(conditions, one, left), is_other = is_size(conditions, other, left);
        return (is_one && (is_other || is_literal(conditions, other))) ||
               (is_other && is_literal(conditions, one)) ||
               (one->kind == NODE_Constant && other->kind == NODE_Constant);
    }
    if (node->kind == NODE_Name) {
        const Variable *variable = condition_variable(conditions, node);
        bool all = variable != NULL && variable->count > 0;
        for (size_t i = 0; all && i < variable->count; i++)
            all = variable->items[i].kind == BINDING_ELEMENT /* of what is looped over, which is judged */ ||
                  (variable->items[i].kind == BINDING_VALUE &&
                   is_written(conditions, variable->items[i].value, left));
        return all;
    }
    const Field *args = node_list(node, FIELD_args);
    return args->count == 1 &&
           (calls_builtin(conditions, node, same, COUNT_OF(same)) ||
            calls_library(conditions, node, "math.ceil") || calls_library(conditions, node, "math.floor")) &&
           is_written(conditions, args->items[0], left);
}

static bool is_hidden(const Conditions *conditions, const Node *number) {
    unsigned left = MOST_NODES;
    return number != NULL && !is_written(conditions, number, &left);
}

/* ---- What is as long as a size ----------------------------------------------------------------- */

static bool is_as_long(const Conditions *conditions, const Node *node, unsigned *left);

static bool any_as_long(const Conditions *conditions, const Field *items, unsigned *left) {
    for (size_t i = 0; i < items->count; i++)
        if (items->items[i] != NULL && is_as_long(conditions, items->items[i], left))
            return true;
    return false;
}

/* range(n), [0] * n, x.unbind(), list(x) */
static bool is_as_long(const Conditions *conditions, const Node *node, unsigned *left) {
    static const char *const of_numbers[] = {"range", "bytes", "bytearray"};
    static const char *const of_others[] = {"list", "tuple",  "iter",   "enumerate", "zip",
                                            "map",  "filter", "sorted", "reversed"};
    static const char *const rows[] = {"unbind", "split", "chunk", "tensor_split", "tolist"};
    if (*left == 0)
        return false;
    --*left;
    if (node->kind == NODE_Starred)
        return is_as_long(conditions, node_child(node, FIELD_value), left);
    if (node->kind == NODE_List || node->kind == NODE_Tuple)
        return any_as_long(conditions, node_list(node, FIELD_elts), left);
    if (node->kind == NODE_BinOp)
        return (condition_is_display(node_child(node, FIELD_left)) ||
                condition_is_display(node_child(node, FIELD_right))) &&
               has_sizes(conditions, node);
    if (node->kind == NODE_ListComp || node->kind == NODE_GeneratorExp) {
        const Field *generators = node_list(node, FIELD_generators);
        for (size_t i = 0; i < generators->count; i++) {
            const Node *over =
                generators->items[i] == NULL ? NULL : node_child(generators->items[i], FIELD_iter);
            if (over != NULL && (over->kind == NODE_Name || is_as_long(conditions, over, left)))
                return true;
        }
        return false;
    }
    const Variable *variable = node->kind == NODE_Name ? condition_variable(conditions, node) : NULL;
    for (size_t i = 0; variable != NULL && i < variable->count; i++)
        if (variable->items[i].kind == BINDING_VALUE && variable->items[i].value != NULL &&
            is_as_long(conditions, variable->items[i].value, left))
            return true;
    if (node->kind != NODE_Call)
        return false;
    const Field *args = node_list(node, FIELD_args);
    if (text_among(method_of(node), rows, COUNT_OF(rows)))
        return true;
    if (calls_builtin(conditions, node, of_numbers, COUNT_OF(of_numbers)))
        return (condition_reads_of_arguments(conditions, node) & READS_SIZE) != 0;
    if (!calls_builtin(conditions, node, of_others, COUNT_OF(of_others)))
        return false;
    for (size_t i = 0; i < args->count; i++)
        if (args->items[i] != NULL && args->items[i]->kind == NODE_Name)
            return true; /* a tensor's rows, perhaps */
    return any_as_long(conditions, args, left);
}

static bool as_long_as_a_size(const Conditions *conditions, const Node *node) {
    unsigned left = MOST_NODES;
    return node != NULL && is_as_long(conditions, node, &left);
}

/* ---- What counts by them ----------------------------------------------------------------------- */

/* range(n - k), range(k, n); islice(rows, k, None), deque(rows, k); next(rows, None) */
static bool call_counts(const Conditions *conditions, const Node *call) {
    static const char *const range[] = {"range"}, *const next[] = {"next"}, *const both[] = {"zip", "map"};
    const Field *args = node_list(call, FIELD_args);
    const bool sizes = (condition_reads_of_arguments(conditions, call) & READS_SIZE) != 0;
    const bool rows = args->count > 0 && as_long_as_a_size(conditions, args->items[0]);
    const bool counts = (sizes && (calls_builtin(conditions, call, range, 1) ||
                                   calls_library(conditions, call, "itertools.repeat"))) ||
                        (rows && (calls_library(conditions, call, "itertools.islice") ||
                                  calls_library(conditions, call, "collections.deque")));
    const size_t first = calls_builtin(conditions, call, range, 1) ? 0 : 1;
    bool hidden = false, long_one = false;
    for (size_t i = 0; i < args->count; i++) {
        const Node *arg = args->items[i];
        long_one = long_one || as_long_as_a_size(conditions, arg);
        if (counts && i >= first)
            hidden = hidden || is_hidden(conditions, arg);
    }
    for (size_t i = 0; i < args->count && long_one && calls_builtin(conditions, call, both, 2); i++) {
        const Node *arg = args->items[i];
        const Field *bounds = arg == NULL ? NULL : node_list(arg, FIELD_args);
        for (size_t j = 0; arg != NULL && calls_builtin(conditions, arg, range, 1) && j < bounds->count; j++)
            hidden = hidden || is_hidden(conditions, bounds->items[j]);
    }
    return hidden || (rows && args->count == 2 && calls_builtin(conditions, call, next, 1));
}

/* Is it clear from the source how long it is at each size? Not what a table of construction's is that is cut
 * at a size, nor what others make of sizes. */
static bool has_clear_length(const Conditions *conditions, const Node *node, unsigned *left) {
    static const char *const kept[] = {"enumerate", "reversed", "list", "tuple",  "zip",
                                       "map",       "sorted",   "iter", "filter", "set"};
    static const char *const range[] = {"range"};
    static const FieldName bounds[] = {FIELD_lower, FIELD_upper, FIELD_step};
    if (node == NULL || *left == 0)
        return node == NULL;
    --*left;
    const Node *slice = node->kind == NODE_Subscript ? node_child(node, FIELD_slice) : NULL;
    for (size_t i = 0; slice != NULL && slice->kind == NODE_Slice && i < COUNT_OF(bounds); i++)
        if (node_child(slice, bounds[i]) != NULL && has_sizes(conditions, node_child(slice, bounds[i])))
            return !condition_is_table(conditions, node_child(node, FIELD_value));
    if (slice != NULL && slice->kind == NODE_Slice)
        return has_clear_length(conditions, node_child(node, FIELD_value), left);
    if (!has_sizes(conditions, node) || condition_is_display(node) || is_size(conditions, node, left))
        return true;
    if (node->kind == NODE_ListComp || node->kind == NODE_GeneratorExp)
        return true; /* what it goes over is judged */
    if (node->kind == NODE_Name) {
        const Variable *variable = condition_variable(conditions, node);
        bool all = variable != NULL;
        for (size_t i = 0; all && i < variable->count; i++)
            all = variable->items[i].kind != BINDING_VALUE ||
                  has_clear_length(conditions, variable->items[i].value, left);
        return all;
    }
    if (node->kind != NODE_Call)
        return false;
    const Things called = called_by(conditions, node);
    const Field *args = node_list(node, FIELD_args);
    bool own = called.count > 0, all = true;
    for (size_t i = 0; i < called.count; i++)
        own = own && (called.items[i].kind == THING_FUNCTION || called.items[i].kind == THING_METHOD ||
                      called.items[i].kind == THING_INSTANCE);
    if (own || calls_builtin(conditions, node, range, 1)) /* both are judged by themselves */
        return true;
    for (size_t i = 0; i < args->count; i++)
        all = all && has_clear_length(conditions, args->items[i], left);
    return all && calls_builtin(conditions, node, kept, COUNT_OF(kept));
}

/* map(f, str(n)) */
static bool call_goes_over(const Conditions *conditions, const Node *call) {
    static const char *const loops[] = {"map", "filter", "zip", "next"};
    const Field *args = node_list(call, FIELD_args);
    unsigned left = MOST_NODES;
    bool clear = true;
    if (calls_builtin(conditions, call, loops, COUNT_OF(loops)) ||
        calls_library(conditions, call, "functools.reduce"))
        for (size_t i = 0; i < args->count; i++)
            clear = clear && has_clear_length(conditions, args->items[i], &left);
    return !clear;
}

/* [0] * (n - k) */
static bool product_counts(const Conditions *conditions, const Node *product) {
    const Node *op = node_child(product, FIELD_op), *left = node_child(product, FIELD_left),
               *right = node_child(product, FIELD_right);
    if (op == NULL || op->kind != NODE_Mult || left == NULL || right == NULL)
        return false;
    const Node *number = condition_is_display(left) || left->kind == NODE_ListComp     ? right
                         : condition_is_display(right) || right->kind == NODE_ListComp ? left
                                                                                       : NULL;
    return has_sizes(conditions, number) && is_hidden(conditions, number);
}

/* range(n)[k:], x.unbind()[k:] */
static bool slice_counts(const Conditions *conditions, const Node *subscript) {
    static const FieldName bounds[] = {FIELD_lower, FIELD_upper, FIELD_step};
    const Node *slice = node_child(subscript, FIELD_slice);
    bool hidden = false;
    for (size_t i = 0; slice != NULL && slice->kind == NODE_Slice && i < COUNT_OF(bounds); i++)
        hidden = hidden || (node_child(slice, bounds[i]) != NULL &&
                            is_hidden(conditions, node_child(slice, bounds[i])));
    return hidden && as_long_as_a_size(conditions, node_child(subscript, FIELD_value));
}

/* bytes(n), str(n), n.bit_length(): sizes as text and as bits, but in what is only told. */
static bool spells_size(const Conditions *conditions, const Node *node) {
    static const char *const texts[] = {"bytes", "bytearray", "str", "repr", "ascii",
                                        "hex",   "oct",       "bin", "chr",  "format"};
    static const char *const bits[] = {"bit_length", "bit_count",  "to_bytes",
                                       "hex",        "is_integer", "as_integer_ratio"};
    const bool text = node->kind == NODE_JoinedStr || calls_builtin(conditions, node, texts, COUNT_OF(texts)),
               method = text_among(method_of(node), bits, COUNT_OF(bits));
    return (text || method) && has_sizes(conditions, node) &&
           !language_is_message(conditions->language, node);
}

/* ---- What is counted, so that it hangs on a size as one does ------------------------------------ */

static bool is_row_by_row(const Conditions *conditions, const Node *node) {
    while (node != NULL && node->kind == NODE_Subscript)
        node = node_child(node, FIELD_value);
    return node != NULL && (condition_is_parameter(conditions, node) ? !condition_of_self(conditions, node)
                                                                     : as_long_as_a_size(conditions, node));
}

bool condition_in_loop(const Conditions *conditions, const Node *node) {
    for (const Node *around = node; around != NULL; around = around->parent) {
        if (around->kind == NODE_FunctionDef || around->kind == NODE_Lambda)
            return false;
        if (around->kind == NODE_For && is_row_by_row(conditions, node_child(around, FIELD_iter)))
            return true;
    }
    return false;
}

bool condition_numbers_rows(const Conditions *conditions, const Node *node) {
    static const char *const names[] = {"enumerate"};
    const Field *args = node_list(node, FIELD_args);
    return args->count > 0 && args->items[0] != NULL &&
           calls_builtin(conditions, node, names, COUNT_OF(names)) &&
           is_row_by_row(conditions, args->items[0]);
}

/* A list by itself or behind a name, no tensor. */
static bool is_list(const Conditions *conditions, const Node *node, unsigned *left) {
    static const char *const makers[] = {"list", "tuple", "range", "sorted", "bytes", "str"};
    if (node == NULL || *left == 0)
        return false;
    --*left;
    if (condition_is_display(node) || node->kind == NODE_ListComp ||
        calls_builtin(conditions, node, makers, COUNT_OF(makers)) ||
        (node->kind == NODE_Constant && node->constant == CONSTANT_STR))
        return true;
    if (node->kind == NODE_BinOp)
        return is_list(conditions, node_child(node, FIELD_left), left) ||
               is_list(conditions, node_child(node, FIELD_right), left);
    const Variable *variable = node->kind == NODE_Name ? condition_variable(conditions, node) : NULL;
    bool all = variable != NULL && variable->count > 0;
    for (size_t i = 0; all && i < variable->count; i++)
        all = variable->items[i].kind == BINDING_VALUE && is_list(conditions, variable->items[i].value, left);
    return all;
}

unsigned condition_counts(const Conditions *conditions, const Node *node) {
    static const char *const counters[] = {"len", "sum"};
    static const FieldName bounds[] = {FIELD_lower, FIELD_upper, FIELD_step};
    const Field *args = node_list(node, FIELD_args);
    if (node->kind == NODE_Call && calls_builtin(conditions, node, counters, COUNT_OF(counters)))
        return args->count > 0 && is_row_by_row(conditions, args->items[0]) ? READS_COUNT : 0;
    if (node->kind == NODE_Call && text_equal(method_of(node), "indices"))
        return condition_reads_of_arguments(conditions, node) == 0 ? 0 : READS_COUNT;
    const Node *slice = node->kind == NODE_Subscript ? node_child(node, FIELD_slice) : NULL;
    unsigned left = MOST_NODES;
    for (size_t i = 0; slice != NULL && slice->kind == NODE_Slice && i < COUNT_OF(bounds); i++)
        if (node_child(slice, bounds[i]) != NULL &&
            (condition_reads(conditions, node_child(slice, bounds[i])) & (READS_SIZE | READS_COUNT)) != 0 &&
            is_list(conditions, node_child(node, FIELD_value), &left))
            return READS_COUNT;
    return 0;
}

const Node *condition_count(const Conditions *conditions, const Node *node) {
    const Node *iterated = node_child(node, FIELD_iter);
    unsigned left = MOST_NODES;
    bool counts = false;
    switch (node->kind) {
    case NODE_Call:
        counts = call_counts(conditions, node) || call_goes_over(conditions, node) ||
                 spells_size(conditions, node);
        break;
    case NODE_BinOp: counts = product_counts(conditions, node); break;
    case NODE_Subscript: counts = slice_counts(conditions, node); break;
    case NODE_JoinedStr: counts = spells_size(conditions, node); break;
    case NODE_For:
    case NODE_comprehension: return has_clear_length(conditions, iterated, &left) ? NULL : iterated;
    default: break;
    }
    return counts ? node : NULL;
}
