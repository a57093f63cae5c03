/* Where sizes, dtypes and devices go: into variables, containers, objects, parameters and results. */
#include "conditions.h"

static void give_variable(Conditions *conditions, Variable *variable, unsigned reads) {
    if (variable == NULL || (variable->reads | reads) == variable->reads)
        return;
    variable->reads |= reads;
    conditions->grew = true;
}

static void give_scope(Conditions *conditions, Scope *scope, unsigned reads) {
    if (scope == NULL || (scope->reads | reads) == scope->reads)
        return;
    scope->reads |= reads;
    conditions->grew = true;
}

/* sizes["n"] = n, box.n = n, sizes.append(n): what it is put into has it. */
static void fill(Conditions *conditions, const Node *target, unsigned reads) {
    const Node *container = target;
    while (container != NULL && (container->kind == NODE_Attribute || container->kind == NODE_Subscript))
        container = node_child(container, FIELD_value);
    if (container == NULL || container->kind != NODE_Name || reads == 0)
        return;
    const unsigned settled = reads & (READS_SURROUNDINGS | READS_OWN_TYPE);
    if (settled != 0 && target->kind == NODE_Attribute && node_child(target, FIELD_value) == container)
        give_variable(conditions, condition_own_attribute(conditions, target), settled);
    reads &= ~settled;
    if (reads == 0)
        return;
    Variable *variable = condition_variable(conditions, container);
    const Things objects = names_of(conditions->names, conditions->file, container);
    for (size_t i = 0; i < objects.count; i++)
        if (objects.items[i].kind == THING_INSTANCE)
            give_scope(conditions, condition_made_by(conditions, objects.items[i]), reads);
    if (variable != NULL && !things_all(&objects, THING_INSTANCE)) {
        conditions->grew = conditions->grew || !variable->filled;
        variable->filled = true;
        give_variable(conditions, variable, reads);
    }
}

static void give(Conditions *conditions, const Node *target, unsigned reads) {
    if (target == NULL || reads == 0)
        return;
    if (target->kind == NODE_Name)
        give_variable(conditions, condition_variable(conditions, target), reads);
    if (target->kind == NODE_Subscript || target->kind == NODE_Attribute)
        fill(conditions, target, reads);
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

/* The parameter is given what `value` is; NULL: what isn't seen. */
static void settle(Conditions *conditions, Variable *parameter, const Node *value) {
    if (parameter == NULL)
        return;
    parameter->passed = true;
    if (parameter->unsettled || !conditions->passes_known ||
        (value != NULL && condition_is_settled(conditions, value)))
        return;
    parameter->unsettled = conditions->grew = true;
}

static void give_named(Conditions *conditions, const Scope *function, const Node *parameter, unsigned reads,
                       const Node *value) {
    const char *name = parameter == NULL ? NULL : node_text(parameter, FIELD_arg);
    if (name == NULL)
        return;
    give_variable(conditions, table_get(function->variables, name), reads);
    settle(conditions, table_get(function->variables, name), value);
}

/* All parameters of a function from the given one on. `value`: what they are given is in it; NULL: it isn't
 * seen. */
static void give_all(Conditions *conditions, const Scope *function, size_t from, unsigned reads,
                     const Node *value) {
    static const FieldName lists[] = {FIELD_posonlyargs, FIELD_args, FIELD_kwonlyargs};
    const Node *arguments = function == NULL ? NULL : node_child(function->node, FIELD_args);
    size_t position = 0;
    for (size_t l = 0; arguments != NULL && l < COUNT_OF(lists); l++) {
        const Field *list = node_list(arguments, lists[l]);
        for (size_t i = 0; i < list->count; i++, position++)
            if (position >= from)
                give_named(conditions, function, list->items[i], reads, value);
    }
    if (arguments != NULL) {
        give_named(conditions, function, node_child(arguments, FIELD_vararg), reads, value);
        give_named(conditions, function, node_child(arguments, FIELD_kwarg), reads, value);
    }
}

/* def f(x, n=x.shape[0]) */
static void give_defaults(Conditions *conditions, const Node *definition) {
    static const FieldName lists[] = {FIELD_defaults, FIELD_kw_defaults};
    const Node *arguments = node_child(definition, FIELD_args);
    unsigned reads = 0;
    for (size_t l = 0; arguments != NULL && l < COUNT_OF(lists); l++) {
        const Field *list = node_list(arguments, lists[l]);
        for (size_t i = 0; i < list->count; i++)
            if (list->items[i] != NULL)
                reads |= condition_reads(conditions, list->items[i]);
    }
    if (reads != 0)
        give_all(conditions, names_scope_made(conditions->names, conditions->file, definition), 0, reads,
                 NULL);
}

/* The argument `value` for `parameter`, which is the first of a function that stands in a class if `first`.
 */
static void pass_one(Conditions *conditions, const Node *value, Variable *parameter, bool first) {
    give_variable(conditions, parameter, condition_reads(conditions, value));
    settle(conditions, parameter, value);
    if (first && !parameter->handed) {
        const Things things = names_of(conditions->names, conditions->file, value);
        parameter->handed = !things_all(&things, THING_INSTANCE);
        conditions->grew = conditions->grew || parameter->handed;
    }
    if (parameter->filled) /* the function puts something into what it is handed */
        fill(conditions, value, parameter->reads);
}

static void pass(Conditions *conditions, const Node *call, const Scope *function, size_t shift) {
    const Field *args = node_list(call, FIELD_args), *keywords = node_list(call, FIELD_keywords);
    for (size_t i = 0; i < args->count + keywords->count; i++) {
        const bool keyword = i >= args->count;
        const Node *argument = keyword ? keywords->items[i - args->count] : args->items[i];
        const Node *value = keyword && argument != NULL ? node_child(argument, FIELD_value) : argument;
        const char *name = keyword && argument != NULL ? node_text(argument, FIELD_arg) : NULL;
        if (value == NULL)
            continue;
        Variable *parameter = !keyword       ? names_parameter(function, i + shift)
                              : name == NULL ? NULL
                                             : table_get(function->variables, name);
        if (value->kind == NODE_Starred || parameter == NULL) /* f(*sizes), f(**sizes), or into **others */
            give_all(conditions, function, shift, condition_reads(conditions, value), value);
        else
            pass_one(conditions, value, parameter, shift == 0 && parameter == names_parameter(function, 0));
    }
}

/* An object of the class, made with these arguments. */
static void pass_to_class(Conditions *conditions, const Node *call, Thing class) {
    const Thing object = {.kind = THING_INSTANCE, .file = class.file, .node = class.node};
    const Things inits = names_attribute(conditions->names, object, "__init__");
    give_scope(conditions, condition_made_by(conditions, class),
               condition_reads_of_arguments(conditions, call));
    for (size_t i = 0; i < inits.count; i++)
        if (inits.items[i].kind == THING_METHOD && condition_made_by(conditions, inits.items[i]) != NULL)
            pass(conditions, call, condition_made_by(conditions, inits.items[i]), 1);
}

static void pass_to(Conditions *conditions, const Node *call) {
    const Node *func = node_child(call, FIELD_func);
    const Things called = func == NULL ? (Things){0} : names_of(conditions->names, conditions->file, func);
    for (size_t i = 0; i < called.count; i++) {
        Things methods = {0};
        if (called.items[i].kind == THING_INSTANCE)
            methods = names_attribute(conditions->names, called.items[i], "forward");
        for (size_t j = 0; j < methods.count; j++)
            if (methods.items[j].kind == THING_METHOD &&
                condition_made_by(conditions, methods.items[j]) != NULL)
                pass(conditions, call, condition_made_by(conditions, methods.items[j]), 1);
        const bool method = called.items[i].kind == THING_METHOD;
        if ((method || called.items[i].kind == THING_FUNCTION) &&
            condition_made_by(conditions, called.items[i]) != NULL)
            pass(conditions, call, condition_made_by(conditions, called.items[i]), method);
        if (called.items[i].kind == THING_CLASS)
            pass_to_class(conditions, call, called.items[i]);
    }
    if (func != NULL && func->kind == NODE_Attribute &&
        python_table_has("mutators", node_text(func, FIELD_attr)))
        fill(conditions, node_child(func, FIELD_value),
             condition_reads_of_arguments(conditions, call) |
                 (condition_in_loop(conditions, call) ? READS_COUNT : 0));
}

static bool is_argument(const Node *node) {
    const Node *parent = node->parent;
    return parent != NULL &&
           (parent->kind == NODE_keyword || (parent->kind == NODE_Call && !language_is_called(node)));
}

/* A function that is handed to another: map, sorted and their like call it with what they have. */
static void pass_on(Conditions *conditions, const Node *value) {
    const Things things = names_of(conditions->names, conditions->file, value);
    for (size_t i = 0; i < things.count; i++)
        if (things.items[i].kind == THING_FUNCTION || things.items[i].kind == THING_METHOD)
            give_all(conditions, condition_made_by(conditions, things.items[i]),
                     things.items[i].kind == THING_METHOD, READS_SIZE, NULL);
}

/* A function that is kept, returned or handed on: whoever calls it then isn't seen. */
static void let_go(Conditions *conditions, const Node *value) {
    const Things things = language_is_called(value) || condition_variable(conditions, value) == NULL
                              ? (Things){0}
                              : names_of(conditions->names, conditions->file, value);
    for (size_t i = 0; i < things.count; i++)
        if (things.items[i].kind == THING_FUNCTION || things.items[i].kind == THING_METHOD)
            give_all(conditions, condition_made_by(conditions, things.items[i]), 0, 0, NULL);
}

/* What stands in the function's place may give it anything. */
static void let_go_decorated(Conditions *conditions, const Node *definition) {
    const Field *decorators = node_list(definition, FIELD_decorator_list);
    for (size_t i = 0; i < decorators->count; i++) {
        const Node *decorator = decorators->items[i];
        const Things things =
            decorator == NULL ? (Things){0} : names_of(conditions->names, conditions->file, decorator);
        if (!things_all(&things, THING_BUILTIN) && !things_all(&things, THING_LIBRARY) &&
            !things_all(&things, THING_RESULT))
            give_all(conditions, names_scope_made(conditions->names, conditions->file, definition), 0, 0,
                     NULL);
    }
}

static void give_back(Conditions *conditions, const Node *statement) {
    const Node *value = node_child(statement, FIELD_value);
    Scope *scope = names_scope_at(conditions->names, conditions->file, statement);
    while (scope != NULL && scope->kind != SCOPE_FUNCTION)
        scope = scope->parent;
    if (value != NULL)
        give_scope(conditions, scope, condition_reads(conditions, value));
}

static bool find_name(const Node *node, void *context) {
    const char **name = context;
    if (node->kind == NODE_Name && text_equal(node_text(node, FIELD_id), *name))
        *name = NULL;
    return *name != NULL;
}

/* for row in x: count = count + 1 */
static void count_rows(Conditions *conditions, const Node *target, const Node *value) {
    const char *name = target != NULL && target->kind == NODE_Name ? node_text(target, FIELD_id) : NULL;
    if (name == NULL || !condition_in_loop(conditions, target))
        return;
    if (value != NULL)
        node_walk(value, find_name, &name);
    if (name == NULL)
        give_variable(conditions, condition_variable(conditions, target), READS_COUNT);
}

/* for i, row in enumerate(x): */
static void number_rows(Conditions *conditions, const Node *target, const Node *iterated) {
    if (target == NULL || !condition_numbers_rows(conditions, iterated))
        return;
    const Field *elements = node_list(target, FIELD_elts);
    if (target->kind == NODE_Tuple && elements->count > 0)
        give(conditions, elements->items[0], READS_COUNT);
    else
        give(conditions, target, READS_COUNT);
}

static bool follow(const Node *node, void *context) {
    Conditions *conditions = context;
    const Node *value = node_child(node, FIELD_value), *iterated = node_child(node, FIELD_iter);
    const Field *targets = node_list(node, FIELD_targets);
    switch (node->kind) {
    case NODE_Assign:
        for (size_t i = 0; i < targets->count; i++)
            assign(conditions, targets->items[i], value);
        if (targets->count == 1)
            count_rows(conditions, targets->items[0], value);
        break;
    case NODE_AugAssign:
        count_rows(conditions, node_child(node, FIELD_target), node_child(node, FIELD_target));
        assign(conditions, node_child(node, FIELD_target), value);
        break;
    case NODE_AnnAssign:
    case NODE_NamedExpr: assign(conditions, node_child(node, FIELD_target), value); break;
    case NODE_For:
    case NODE_comprehension:
        if (iterated != NULL)
            give(conditions, node_child(node, FIELD_target), condition_reads(conditions, iterated));
        if (iterated != NULL)
            number_rows(conditions, node_child(node, FIELD_target), iterated);
        break;
    case NODE_Return: give_back(conditions, node); break;
    case NODE_Call: pass_to(conditions, node); break;
    case NODE_FunctionDef:
        give_defaults(conditions, node);
        let_go_decorated(conditions, node);
        break;
    case NODE_Lambda:
        give_all(conditions, names_scope_made(conditions->names, conditions->file, node), 0, READS_SIZE,
                 NULL);
        break;
    case NODE_Name:
    case NODE_Attribute:
        if (is_argument(node))
            pass_on(conditions, node);
        let_go(conditions, node);
        break;
    default: break;
    }
    return true;
}

void conditions_follow(Conditions *conditions, const Program *program) {
    conditions->passes_known = false;
    conditions->grew = true;
    while (conditions->grew) {
        conditions->grew = false;
        for (size_t i = 0; i < program->count; i++) {
            conditions->file = program->items[i];
            node_walk(conditions->file->tree.module, follow, conditions);
        }
        conditions->grew = conditions->grew || !conditions->passes_known;
        conditions->passes_known = true;
    }
}
