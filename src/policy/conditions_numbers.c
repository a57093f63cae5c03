/* Numbers that are made of sizes: where they can act like a test, and where they meet data. */
#include "conditions.h"

enum { MOST_LOOKED_AT = 200 };

/* ---- What is a number ------------------------------------------------------------------------ */

static bool is_number(const Conditions *conditions, const Node *node, unsigned *left);

/* What the name stands for; of a parameter, sizes are handed to it. */
static bool all_numbers(const Conditions *conditions, const Node *name, unsigned *left) {
    const Variable *variable = condition_variable(conditions, name);
    bool all = variable != NULL && variable->count > 0;
    for (size_t i = 0; all && i < variable->count; i++) {
        const NameBinding *binding = &variable->items[i];
        const bool value = binding->kind == BINDING_VALUE || binding->kind == BINDING_ELEMENT;
        all = value ? is_number(conditions, binding->value, left)
                    : binding->kind == BINDING_PARAMETER && (variable->reads & READS_SIZE) != 0;
    }
    return all;
}

static bool gives_number(const Conditions *conditions, const Node *call) {
    const Node *func = node_child(call, FIELD_func);
    const Things called = func == NULL ? (Things){0} : names_of(conditions->names, conditions->file, func);
    bool all = called.count > 0;
    for (size_t i = 0; i < called.count; i++)
        all = all && (called.items[i].kind == THING_BUILTIN ||
                      (called.items[i].kind == THING_LIBRARY && text_starts(called.items[i].path, "math.")));
    return all;
}

/* A number, or several, as far as the source shows; sizes are some. `*left`: how many more nodes may be
 * looked at. */
static bool is_number(const Conditions *conditions, const Node *node, unsigned *left) {
    if (node == NULL || *left == 0)
        return false;
    --*left;
    switch (node->kind) {
    case NODE_Constant:
    case NODE_Tuple:
    case NODE_List:
    case NODE_Dict: return true;
    case NODE_UnaryOp: return is_number(conditions, node_child(node, FIELD_operand), left);
    case NODE_Subscript: return is_number(conditions, node_child(node, FIELD_value), left);
    case NODE_BinOp:
        return is_number(conditions, node_child(node, FIELD_left), left) &&
               is_number(conditions, node_child(node, FIELD_right), left);
    case NODE_Name: return all_numbers(conditions, node, left);
    case NODE_ListComp:
    case NODE_GeneratorExp: return is_number(conditions, node_child(node, FIELD_elt), left);
    case NODE_Attribute:
        return condition_of_self(conditions, node) || (condition_reads(conditions, node) & READS_SIZE) != 0;
    case NODE_Call:
        return gives_number(conditions, node) || (condition_reads(conditions, node) & READS_SIZE) != 0;
    default: return (condition_reads(conditions, node) & READS_SIZE) != 0;
    }
}

static bool is_number_of_sizes(const Conditions *conditions, const Node *node) {
    unsigned left = MOST_LOOKED_AT;
    return node != NULL && (condition_reads(conditions, node) & READS_SIZE) != 0 &&
           is_number(conditions, node, &left) && !condition_is_tensor(conditions, node);
}

static const Node *argument(const Node *call, size_t position) {
    const Field *args = node_list(call, FIELD_args);
    return args->count > position ? args->items[position] : NULL;
}

/* ---- What acts like a test ------------------------------------------------------------------- */

/* Of math: what changes with every size, and what rounds. */
static bool is_plain(const char *path) {
    static const char *const names[] = {"math.sqrt", "math.log",  "math.log2", "math.log10",
                                        "math.prod", "math.ceil", "math.floor"};
    return text_among(path, names, COUNT_OF(names));
}

static bool call_bends(const Conditions *conditions, const Node *call, const Things *called) {
    bool bends = false;
    for (size_t i = 0; i < called->count; i++) {
        const Thing *thing = &called->items[i];
        const bool builtin = thing->kind == THING_BUILTIN, library = thing->kind == THING_LIBRARY;
        if ((builtin && text_equal(thing->path, "pow")) || (library && text_equal(thing->path, "math.pow")))
            bends = bends || is_number_of_sizes(conditions, argument(call, 1));
        else if (builtin && text_equal(thing->path, "abs"))
            bends = bends || is_number_of_sizes(conditions, argument(call, 0));
        else if (library && text_starts(thing->path, "math.") && !is_plain(thing->path))
            bends = bends || (condition_reads_of_arguments(conditions, call) & READS_SIZE) != 0;
    }
    return bends;
}

bool condition_bends(const Conditions *conditions, const Node *node) {
    const Node *op = node_child(node, FIELD_op), *func = node_child(node, FIELD_func);
    if (node->kind == NODE_Call && func != NULL) {
        const Things called = names_of(conditions->names, conditions->file, func);
        return call_bends(conditions, node, &called);
    }
    if (node->kind != NODE_BinOp || op == NULL)
        return false;
    const bool bits = op->kind == NODE_BitAnd || op->kind == NODE_BitOr || op->kind == NODE_BitXor;
    return op->kind == NODE_Pow ? is_number_of_sizes(conditions, node_child(node, FIELD_right))
                                : bits && is_number_of_sizes(conditions, node);
}

static unsigned surroundings_of(const Conditions *conditions, const Node *node) {
    return node == NULL ? 0 : condition_reads(conditions, node) & READS_SURROUNDINGS;
}

unsigned condition_meets_surroundings(const Conditions *conditions, const Node *node) {
    static const FieldName bounds[] = {FIELD_lower, FIELD_upper, FIELD_step};
    const Node *func = node_child(node, FIELD_func);
    unsigned reads = 0;
    if (node->kind == NODE_BinOp)
        return surroundings_of(conditions, node_child(node, FIELD_left)) |
               surroundings_of(conditions, node_child(node, FIELD_right));
    if (node->kind == NODE_For || node->kind == NODE_comprehension)
        return surroundings_of(conditions, node_child(node, FIELD_iter));
    for (size_t i = 0; node->kind == NODE_Slice && i < COUNT_OF(bounds); i++)
        reads |= surroundings_of(conditions, node_child(node, bounds[i]));
    if (node->kind != NODE_Call || func == NULL)
        return reads;
    const Field *args = node_list(node, FIELD_args);
    const char *name = node_text(func, func->kind == NODE_Attribute ? FIELD_attr : FIELD_id);
    const Things called = names_of(conditions->names, conditions->file, func);
    bool torch = func->kind == NODE_Attribute && called.count == 0;
    for (size_t i = 0; i < called.count; i++)
        torch = torch || things_have(&called, THING_UNKNOWN) ||
                (called.items[i].kind == THING_LIBRARY && text_starts(called.items[i].path, "torch."));
    for (size_t i = 0; torch && !text_equal(name, "to") && !text_equal(name, "device") && i < args->count;
         i++)
        reads |= args->items[i] == NULL || condition_is_parameter(conditions, args->items[i])
                     ? 0
                     : surroundings_of(conditions, args->items[i]);
    return reads;
}

/* ---- What meets data ------------------------------------------------------------------------- */

/* Sizes, products, quotients and roots of them, as in x / math.sqrt(x.size(-1)): they change with every size,
 * and act like no test. With numbers among them where `scaled`: 2 * n. */
static bool is_monomial(const Conditions *conditions, const Node *node, bool scaled, unsigned *left) {
    if (node == NULL || *left == 0)
        return false;
    --*left;
    const Node *op = node_child(node, FIELD_op), *first = node_child(node, FIELD_left),
               *second = node_child(node, FIELD_right), *func = node_child(node, FIELD_func),
               *value = node_child(node, FIELD_value);
    if (node->kind == NODE_Constant || condition_of_self(conditions, node))
        return scaled;
    if (node->kind == NODE_Attribute)
        return condition_question(node_text(node, FIELD_attr)) == READS_SIZE;
    if (node->kind == NODE_Subscript)
        return is_monomial(conditions, value, scaled, left);
    if (node->kind == NODE_UnaryOp)
        return is_monomial(conditions, node_child(node, FIELD_operand), scaled, left);
    if (node->kind == NODE_BinOp && op != NULL && second != NULL) {
        const bool root = op->kind == NODE_Pow && condition_reads(conditions, second) == 0;
        const bool parts = op->kind == NODE_FloorDiv && condition_of_self(conditions, second);
        if (root || parts)
            return is_monomial(conditions, first, scaled, left);
        return (op->kind == NODE_Mult || op->kind == NODE_Div) &&
               is_monomial(conditions, first, scaled, left) && is_monomial(conditions, second, scaled, left);
    }
    if (node->kind == NODE_Name) {
        const Variable *variable = condition_variable(conditions, node);
        bool all = variable != NULL && variable->count > 0 && !variable->filled;
        for (size_t i = 0; all && i < variable->count; i++)
            all = (variable->items[i].kind == BINDING_VALUE || variable->items[i].kind == BINDING_ELEMENT) &&
                  is_monomial(conditions, variable->items[i].value, scaled, left);
        return all;
    }
    if (node->kind != NODE_Call || func == NULL)
        return false;
    if (func->kind == NODE_Attribute && condition_question(node_text(func, FIELD_attr)) == READS_SIZE)
        return true;
    const Things called = names_of(conditions->names, conditions->file, func);
    const Field *args = node_list(node, FIELD_args);
    return called.count == 1 && args->count == 1 &&
           (things_find(&called, THING_LIBRARY, "math.sqrt") != NULL ||
            things_find(&called, THING_BUILTIN, "float") != NULL) &&
           is_monomial(conditions, args->items[0], scaled, left);
}

static bool is_made_of_sizes(const Conditions *conditions, const Node *node) {
    unsigned left = MOST_LOOKED_AT;
    return is_number_of_sizes(conditions, node) && !is_monomial(conditions, node, true, &left);
}

static bool may_be_data(const Conditions *conditions, const Node *node) {
    unsigned left = MOST_LOOKED_AT;
    return node != NULL && !is_number(conditions, node, &left);
}

/* torch's own that take a number for a value. */
static bool takes_value(const char *name) {
    static const char *const names[] = {
        "add",     "sub",       "subtract",    "rsub",         "mul",    "multiply", "div",
        "divide",  "pow",       "add_",        "sub_",         "mul_",   "div_",     "lerp",
        "where",   "addcmul",   "masked_fill", "masked_fill_", "fmod",   "clamp",    "fill_",
        "addcdiv", "threshold", "true_divide", "full",         "tensor", "new_full", "full_like"};
    return text_among(name, names, COUNT_OF(names));
}

static bool is_plain_divisor(const Conditions *conditions, const Node *node) {
    return node->kind == NODE_Constant || condition_of_self(conditions, node);
}

/* n // k, n % k, int(n / k) act like a test where k is one size: but for what is written out, which is tried,
 * and what construction has settled. Of 3 * n % k, no number that is written out is one of n. */
static bool rounds(const Conditions *conditions, const Node *node) {
    const Node *op = node_child(node, FIELD_op), *left = node_child(node, FIELD_left),
               *right = node_child(node, FIELD_right), *func = node_child(node, FIELD_func);
    unsigned most = MOST_LOOKED_AT;
    if (node->kind == NODE_BinOp)
        return op != NULL && left != NULL && right != NULL &&
               (op->kind == NODE_FloorDiv || op->kind == NODE_Mod) && is_number_of_sizes(conditions, node) &&
               !(is_plain_divisor(conditions, right) && is_monomial(conditions, left, false, &most));
    if (node->kind != NODE_Call || func == NULL ||
        (condition_reads_of_arguments(conditions, node) & READS_SIZE) == 0)
        return false;
    const Things called = names_of(conditions->names, conditions->file, func);
    const Field *args = node_list(node, FIELD_args);
    return (things_find(&called, THING_BUILTIN, "int") != NULL ||
            things_find(&called, THING_BUILTIN, "round") != NULL ||
            things_find(&called, THING_BUILTIN, "divmod") != NULL ||
            things_find(&called, THING_LIBRARY, "math.floor") != NULL ||
            things_find(&called, THING_LIBRARY, "math.ceil") != NULL) &&
           !(args->count == 1 && is_monomial(conditions, args->items[0], false, &most));
}

static const char *name_of_call(const Node *node) {
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    return func == NULL ? NULL : node_text(func, func->kind == NODE_Attribute ? FIELD_attr : FIELD_id);
}

/* A run has shown it, and the source doesn't tell that it is a number. */
static bool is_shown(const Conditions *conditions, const Node *node) {
    const Node *left = node_child(node, FIELD_left), *right = node_child(node, FIELD_right);
    if (condition_shown(conditions, node) != SHOWN_NUMBER)
        return false;
    const unsigned reads = node->kind == NODE_BinOp && left != NULL && right != NULL
                               ? condition_reads(conditions, left) | condition_reads(conditions, right)
                               : condition_reads_of_arguments(conditions, node);
    if ((reads & READS_SIZE) != 0 ||
        (node->kind != NODE_BinOp && node->kind != NODE_AugAssign && !takes_value(name_of_call(node))))
        return false;
    *conditions->matters = true;
    return true;
}

const Node *condition_number(const Conditions *conditions, const Node *node) {
    if (is_shown(conditions, node))
        return node;
    const Node *op = node_child(node, FIELD_op), *left = node_child(node, FIELD_left),
               *right = node_child(node, FIELD_right), *func = node_child(node, FIELD_func);
    if (rounds(conditions, node))
        return node;
    if (node->kind == NODE_BinOp && op != NULL && left != NULL && right != NULL &&
        op->kind != NODE_FloorDiv && op->kind != NODE_Mod)
        return is_made_of_sizes(conditions, left) && may_be_data(conditions, right)   ? left
               : is_made_of_sizes(conditions, right) && may_be_data(conditions, left) ? right
                                                                                      : NULL;
    const char *name = name_of_call(node);
    if (node->kind != NODE_Call || !takes_value(name) || condition_of_self(conditions, func))
        return NULL;
    const Field *args = node_list(node, FIELD_args);
    const bool sized = text_equal(name, "full") || text_equal(name, "new_full"); /* the first is a shape */
    for (size_t i = sized; i < args->count; i++)
        if (is_made_of_sizes(conditions, args->items[i]))
            return args->items[i];
    return NULL;
}
