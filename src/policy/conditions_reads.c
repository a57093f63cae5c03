/* What expressions have of the sizes, dtypes and devices that a call of forward gives. */
#include "conditions.h"

#include <string.h>

enum { MOST_NODES = 500 };

/* ---- What an expression reads --------------------------------------------------------------- */

static const struct Question {
    const char *name;
    unsigned reads;
} QUESTIONS[] = {
    {"shape", READS_SIZE},
    {"ndim", READS_SIZE},
    {"nbytes", READS_SIZE},
    {"size", READS_SIZE},
    {"dim", READS_SIZE},
    {"ndimension", READS_SIZE},
    {"numel", READS_SIZE},
    {"nelement", READS_SIZE},
    {"stride", READS_SIZE},
    {"storage_offset", READS_SIZE},
    {"dtype", READS_TYPE},
    {"itemsize", READS_TYPE},
    {"element_size", READS_TYPE},
    {"is_floating_point", READS_TYPE},
    {"is_complex", READS_TYPE},
    {"device", READS_DEVICE},
    {"layout", READS_DEVICE},
    {"is_cuda", READS_DEVICE},
    {"is_cpu", READS_DEVICE},
    {"is_meta", READS_DEVICE},
    {"is_sparse", READS_DEVICE},
    {"get_device", READS_DEVICE},
    {"is_contiguous", READS_DEVICE},
};

unsigned condition_question(const char *name) {
    for (size_t i = 0; name != NULL && i < COUNT_OF(QUESTIONS); i++)
        if (strcmp(name, QUESTIONS[i].name) == 0)
            return QUESTIONS[i].reads;
    return 0;
}

/* Attributes of a tensor that are tensors: what is called self may be one. */
static bool is_of_tensor(const char *attribute) {
    static const char *const names[] = {"T", "mT", "H", "mH", "real", "imag", "data", "grad"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal(attribute, names[i]))
            return true;
    return attribute == NULL;
}

Variable *condition_variable(const Conditions *conditions, const Node *name) {
    const char *text = node_text(name, FIELD_id);
    return text == NULL ? NULL
                        : names_variable(names_scope_at(conditions->names, conditions->file, name), text);
}

static bool class_has(const Conditions *conditions, const Things *objects, const char *attribute) {
    bool all = attribute != NULL;
    for (size_t i = 0; i < objects->count; i++) {
        const Thing *object = &objects->items[i];
        const Scope *class = names_scope_made(conditions->names, object->file, object->node);
        all = all && class != NULL && names_class_has(conditions->names, class, attribute);
    }
    return all;
}

bool condition_of_self(const Conditions *conditions, const Node *expression) {
    const Node *first = NULL;
    while (expression != NULL && (expression->kind == NODE_Attribute || expression->kind == NODE_Subscript)) {
        first = expression->kind == NODE_Attribute ? expression : NULL;
        expression = node_child(expression, FIELD_value);
    }
    if (expression == NULL || expression->kind != NODE_Name || first == NULL)
        return false;
    const Things things = names_of(conditions->names, conditions->file, expression);
    const Variable *variable = condition_variable(conditions, expression);
    const char *attribute = node_text(first, FIELD_attr);
    return things_all(&things, THING_INSTANCE) && variable != NULL && !variable->handed &&
           (class_has(conditions, &things, attribute) ||
            (condition_question(attribute) == 0 && !is_of_tensor(attribute)));
}

static unsigned reads_of_all(const Conditions *conditions, const Node *node) {
    unsigned reads = 0;
    for (size_t f = 0; f < node->field_count; f++) {
        const Field *field = &node->fields[f];
        if (field->kind == FIELD_IS_NODE && field->node != NULL)
            reads |= condition_reads(conditions, field->node);
        for (size_t i = 0; field->kind == FIELD_IS_LIST && i < field->count; i++)
            if (field->items[i] != NULL)
                reads |= condition_reads(conditions, field->items[i]);
    }
    return reads;
}

static unsigned reads_of_arguments(const Conditions *conditions, const Node *call) {
    const Field *args = node_list(call, FIELD_args), *keywords = node_list(call, FIELD_keywords);
    unsigned reads = 0;
    for (size_t i = 0; i < args->count; i++)
        if (args->items[i] != NULL)
            reads |= condition_reads(conditions, args->items[i]);
    for (size_t i = 0; i < keywords->count; i++)
        if (keywords->items[i] != NULL && node_child(keywords->items[i], FIELD_value) != NULL)
            reads |= condition_reads(conditions, node_child(keywords->items[i], FIELD_value));
    return reads;
}

static unsigned reads_of_length(const Conditions *conditions, const Node *call) {
    const Field *args = node_list(call, FIELD_args);
    const Node *first = args->count == 1 ? args->items[0] : NULL;
    if (first == NULL || first->kind != NODE_Name)
        return 0;
    const Variable *variable = condition_variable(conditions, first);
    for (size_t i = 0; variable != NULL && i < variable->count; i++)
        if (variable->items[i].kind == BINDING_PARAMETER)
            return READS_SIZE;
    return 0;
}

static const Scope *made_by(const Conditions *conditions, Thing thing) {
    return thing.node == NULL || thing.file == NULL
               ? NULL
               : names_scope_made(conditions->names, thing.file, thing.node);
}

/* `called` is no library function of tensors: those of Python keep numbers. */
static bool keeps_numbers(const Thing *called) {
    return called->kind == THING_BUILTIN ||
           (called->kind == THING_LIBRARY &&
            (text_starts(called->path, "math.") || text_starts(called->path, "operator.")));
}

static unsigned reads_of_call(const Conditions *conditions, const Node *call) {
    const Node *func = node_child(call, FIELD_func);
    if (func == NULL)
        return 0;
    const char *last = node_text(func, func->kind == NODE_Attribute ? FIELD_attr : FIELD_id);
    const Things called = names_of(conditions->names, conditions->file, func);
    unsigned reads = 0;
    bool known = false, of_numbers = false;
    for (size_t i = 0; i < called.count; i++) {
        const Thing *thing = &called.items[i];
        of_numbers = of_numbers || keeps_numbers(thing);
        known = known || thing->kind == THING_LIBRARY || thing->kind == THING_INSTANCE;
        if (thing->kind == THING_LIBRARY && text_starts(thing->path, "torch."))
            reads |= condition_question(last);
        if (thing->kind == THING_BUILTIN && text_equal(thing->path, "len"))
            reads |= reads_of_length(conditions, call);
        if ((thing->kind == THING_FUNCTION || thing->kind == THING_METHOD) &&
            made_by(conditions, *thing) != NULL)
            reads |= made_by(conditions, *thing)->returned_reads;
    }
    if (of_numbers)
        reads |= reads_of_arguments(conditions, call);
    if (func->kind != NODE_Attribute || known)
        return reads;
    const Node *object = node_child(func, FIELD_value);
    if (object != NULL && object->kind == NODE_Constant) /* "{}".format(n) */
        return reads | reads_of_arguments(conditions, call);
    if (object == NULL || condition_of_self(conditions, object) || condition_of_self(conditions, func))
        return reads;
    return reads | condition_question(last) | condition_reads(conditions, object);
}

bool condition_is_display(const Node *node) {
    return node != NULL && (node->kind == NODE_List || node->kind == NODE_Tuple || node->kind == NODE_Dict);
}

unsigned condition_reads(const Conditions *conditions, const Node *node) {
    const Node *value = node_child(node, FIELD_value);
    const Variable *variable;
    switch (node->kind) {
    case NODE_Name:
        variable = condition_variable(conditions, node);
        return variable == NULL ? 0 : variable->reads;
    case NODE_Attribute:
        if (value == NULL || condition_of_self(conditions, node))
            return 0;
        return condition_question(node_text(node, FIELD_attr)) | condition_reads(conditions, value);
    case NODE_Subscript:
        return (value == NULL ? 0 : condition_reads(conditions, value)) |
               (condition_is_display(value) && node_child(node, FIELD_slice) != NULL
                    ? condition_reads(conditions, node_child(node, FIELD_slice))
                    : 0);
    case NODE_Call: return reads_of_call(conditions, node);
    case NODE_Lambda:
    case NODE_Constant: return 0;
    default: return reads_of_all(conditions, node);
    }
}

/* Does the library function give a tensor? Of torch's own, all do but these. */
static bool gives_tensor(const Thing *called) {
    static const char *const others[] = {"device",      "dtype",         "finfo",    "iinfo",
                                         "result_type", "promote_types", "can_cast", "broadcast_shapes"};
    if (called->kind != THING_LIBRARY || !text_starts(called->path, "torch."))
        return false;
    const char *last = strrchr(called->path, '.') + 1;
    bool gives = !(*last >= 'A' && *last <= 'Z') && !text_starts(last, "is_") && !text_starts(last, "get_");
    for (size_t i = 0; i < COUNT_OF(others); i++)
        gives = gives && strcmp(last, others[i]) != 0;
    return gives;
}

/* `*left`: how many more nodes may be looked at; names stand for many. */
static bool is_tensor(const Conditions *conditions, const Node *node, unsigned *left) {
    if (node == NULL || *left == 0)
        return false;
    --*left;
    if (node->kind == NODE_Subscript || node->kind == NODE_UnaryOp)
        return is_tensor(conditions,
                         node_child(node, node->kind == NODE_Subscript ? FIELD_value : FIELD_operand), left);
    if (node->kind == NODE_BinOp)
        return is_tensor(conditions, node_child(node, FIELD_left), left) ||
               is_tensor(conditions, node_child(node, FIELD_right), left);
    if (node->kind == NODE_Name) {
        const Variable *variable = condition_variable(conditions, node);
        bool all = variable != NULL && variable->count > 0;
        for (size_t i = 0; all && i < variable->count; i++)
            all = variable->items[i].kind == BINDING_VALUE &&
                  is_tensor(conditions, variable->items[i].value, left);
        return all;
    }
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    if (func == NULL ||
        condition_question(node_text(func, func->kind == NODE_Attribute ? FIELD_attr : FIELD_id)) != 0)
        return false;
    const Things called = names_of(conditions->names, conditions->file, func);
    for (size_t i = 0; i < called.count; i++)
        if (!gives_tensor(&called.items[i]))
            return false;
    return called.count > 0;
}

bool condition_is_tensor(const Conditions *conditions, const Node *expression) {
    unsigned left = MOST_NODES;
    return is_tensor(conditions, expression, &left);
}

/* ---- What variables read --------------------------------------------------------------------- */

static void give(Conditions *conditions, const Node *target, unsigned reads) {
    if (target == NULL || reads == 0)
        return;
    if (target->kind == NODE_Name) {
        Variable *variable = condition_variable(conditions, target);
        if (variable != NULL && (variable->reads | reads) != variable->reads) {
            variable->reads |= reads;
            conditions->grew = true;
        }
        return;
    }
    if (target->kind == NODE_Starred)
        give(conditions, node_child(target, FIELD_value), reads);
    const Field *elements = node_list(target, FIELD_elts);
    for (size_t i = 0; (target->kind == NODE_Tuple || target->kind == NODE_List) && i < elements->count; i++)
        give(conditions, elements->items[i], reads);
}

/* a, b = f(x), x.shape[1]: each its own. */
static void assign(Conditions *conditions, const Node *target, const Node *value) {
    const Field *targets = target == NULL ? NULL : node_list(target, FIELD_elts),
                *values = value == NULL ? NULL : node_list(value, FIELD_elts);
    if (targets == NULL || values == NULL)
        return;
    if (target->kind == NODE_Tuple && value->kind == NODE_Tuple && targets->count == values->count) {
        for (size_t i = 0; i < targets->count; i++)
            assign(conditions, targets->items[i], values->items[i]);
        return;
    }
    give(conditions, target, condition_reads(conditions, value));
}

static void pass(Conditions *conditions, const Node *call, const Scope *function, size_t shift) {
    const Field *args = node_list(call, FIELD_args), *keywords = node_list(call, FIELD_keywords);
    for (size_t i = 0; i < args->count + keywords->count; i++) {
        const Node *argument = i < args->count ? args->items[i] : keywords->items[i - args->count];
        const char *name = i < args->count || argument == NULL ? NULL : node_text(argument, FIELD_arg);
        Variable *parameter = i < args->count ? names_parameter(function, i + shift)
                              : name != NULL  ? table_get(function->variables, name)
                                              : NULL;
        const Node *value =
            argument == NULL || i < args->count ? argument : node_child(argument, FIELD_value);
        const unsigned reads = value == NULL || parameter == NULL ? 0 : condition_reads(conditions, value);
        if (shift == 0 && value != NULL && parameter != NULL && !parameter->handed &&
            parameter == names_parameter(function, 0)) {
            const Things things = names_of(conditions->names, conditions->file, value);
            parameter->handed = !things_all(&things, THING_INSTANCE);
        }
        if (reads != 0 && (parameter->reads | reads) != parameter->reads) {
            parameter->reads |= reads;
            conditions->grew = true;
        }
    }
}

static void pass_to(Conditions *conditions, const Node *call) {
    const Node *func = node_child(call, FIELD_func);
    const Things called = func == NULL ? (Things){0} : names_of(conditions->names, conditions->file, func);
    for (size_t i = 0; i < called.count; i++) {
        Things methods = {0};
        if (called.items[i].kind == THING_INSTANCE)
            methods = names_attribute(conditions->names, called.items[i], "forward");
        for (size_t j = 0; j < methods.count; j++)
            if (methods.items[j].kind == THING_METHOD && made_by(conditions, methods.items[j]) != NULL)
                pass(conditions, call, made_by(conditions, methods.items[j]), 1);
        const bool method = called.items[i].kind == THING_METHOD;
        if ((method || called.items[i].kind == THING_FUNCTION) &&
            made_by(conditions, called.items[i]) != NULL)
            pass(conditions, call, made_by(conditions, called.items[i]), method);
    }
}

/* A lambda, or a function that is handed to another: map, sorted and their like call it with what they have.
 */
static void pass_anything(Conditions *conditions, const Scope *function, size_t shift) {
    enum { MOST_PARAMETERS = 32 };
    for (size_t i = shift; function != NULL && i < MOST_PARAMETERS; i++) {
        Variable *parameter = names_parameter(function, i);
        if (parameter == NULL || (parameter->reads & READS_SIZE) != 0)
            continue;
        parameter->reads |= READS_SIZE;
        conditions->grew = true;
    }
}

static bool is_argument(const Node *node) {
    const Node *parent = node->parent;
    return parent != NULL &&
           (parent->kind == NODE_keyword || (parent->kind == NODE_Call && !language_is_called(node)));
}

static void pass_on(Conditions *conditions, const Node *value) {
    const Things things = names_of(conditions->names, conditions->file, value);
    for (size_t i = 0; i < things.count; i++)
        if (things.items[i].kind == THING_FUNCTION || things.items[i].kind == THING_METHOD)
            pass_anything(conditions, made_by(conditions, things.items[i]),
                          things.items[i].kind == THING_METHOD);
}

static void give_back(Conditions *conditions, const Node *statement) {
    const Node *value = node_child(statement, FIELD_value);
    Scope *scope = names_scope_at(conditions->names, conditions->file, statement);
    while (scope != NULL && scope->kind != SCOPE_FUNCTION)
        scope = scope->parent;
    const unsigned reads = value == NULL || scope == NULL ? 0 : condition_reads(conditions, value);
    if (reads != 0 && (scope->returned_reads | reads) != scope->returned_reads) {
        scope->returned_reads |= reads;
        conditions->grew = true;
    }
}

static bool follow(const Node *node, void *context) {
    Conditions *conditions = context;
    const Node *value = node_child(node, FIELD_value), *iterated = node_child(node, FIELD_iter);
    const Field *targets = node_list(node, FIELD_targets);
    switch (node->kind) {
    case NODE_Assign:
        for (size_t i = 0; i < targets->count; i++)
            assign(conditions, targets->items[i], value);
        break;
    case NODE_AugAssign:
    case NODE_AnnAssign:
    case NODE_NamedExpr: assign(conditions, node_child(node, FIELD_target), value); break;
    case NODE_For:
    case NODE_comprehension:
        if (iterated != NULL)
            give(conditions, node_child(node, FIELD_target), condition_reads(conditions, iterated));
        break;
    case NODE_Return: give_back(conditions, node); break;
    case NODE_Call: pass_to(conditions, node); break;
    case NODE_Lambda:
        pass_anything(conditions, names_scope_made(conditions->names, conditions->file, node), 0);
        break;
    case NODE_Name:
    case NODE_Attribute:
        if (is_argument(node))
            pass_on(conditions, node);
        break;
    default: break;
    }
    return true;
}

void conditions_follow(Conditions *conditions, const Program *program) {
    conditions->grew = true;
    while (conditions->grew) {
        conditions->grew = false;
        for (size_t i = 0; i < program->count; i++) {
            conditions->file = program->items[i];
            node_walk(conditions->file->tree.module, follow, conditions);
        }
    }
}
