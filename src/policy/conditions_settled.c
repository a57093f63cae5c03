/* Whether the source tells what a value comes from. A test on one of which it doesn't may be a test on a
 * size: ways through Python are many, and C forgets what a number was. */
#include "conditions.h"

enum { MOST_NODES = 300 };

static bool is_settled(const Conditions *conditions, const Node *node, unsigned *left);

static bool all_settled(const Conditions *conditions, const Node *node, unsigned *left) {
    for (size_t f = 0; f < node->field_count; f++) {
        const Field *field = &node->fields[f];
        if (field->kind == FIELD_IS_NODE && field->node != NULL && !is_settled(conditions, field->node, left))
            return false;
        for (size_t i = 0; field->kind == FIELD_IS_LIST && i < field->count; i++)
            if (field->items[i] != NULL && !is_settled(conditions, field->items[i], left))
                return false;
    }
    return true;
}

/* What library, builtin or class the name or attribute stands for, it stands for in every call. */
static bool is_fixed(const Things *things) {
    bool fixed = things->count > 0 && !things->overflow;
    for (size_t i = 0; i < things->count; i++) {
        const ThingKind kind = things->items[i].kind;
        fixed = fixed && (kind == THING_MODULE || kind == THING_LIBRARY || kind == THING_BUILTIN ||
                          kind == THING_PACKAGE || kind == THING_COMPONENT || kind == THING_CLASS ||
                          kind == THING_FUNCTION || kind == THING_TEXT);
    }
    return fixed;
}

/* All of them modules, and there is one. */
static bool is_module_object(const Conditions *conditions, const Things *things) {
    for (size_t i = 0; i < things->count; i++) {
        const Scope *class =
            things->items[i].kind == THING_INSTANCE ? condition_made_by(conditions, things->items[i]) : NULL;
        if (class == NULL || !names_is_module_class(conditions->names, class))
            return false;
    }
    return things->count > 0;
}

/* What a file's own code binds, it binds before any call. */
static bool is_made_by_loading(const Conditions *conditions, const Variable *variable,
                               const NameBinding *binding) {
    const Scope *scope = variable->scope;
    return scope != NULL && scope->kind == SCOPE_MODULE && scope->file != NULL && binding->node != NULL &&
           names_scope_at(conditions->names, scope->file, binding->node) == scope;
}

static bool is_name_settled(const Conditions *conditions, const Node *name, unsigned *left) {
    Variable *variable = condition_variable(conditions, name);
    if (variable == NULL || variable->looked_at) /* a builtin; k = k + 1 */
        return true;
    const Things things = names_of(conditions->names, conditions->file, name);
    bool all = variable->count > 0 && !variable->filled && variable->reads == 0;
    if (all && is_module_object(conditions, &things)) /* self */
        return true;
    variable->looked_at = true;
    for (size_t i = 0; all && i < variable->count; i++) {
        const NameBinding *binding = &variable->items[i];
        all = is_made_by_loading(conditions, variable, binding) ||
              (binding->kind == BINDING_PARAMETER && !variable->unsettled &&
               (binding->value == NULL ? variable->passed : is_settled(conditions, binding->value, left))) ||
              binding->kind == BINDING_IMPORT || binding->kind == BINDING_DEFINITION ||
              ((binding->kind == BINDING_VALUE || binding->kind == BINDING_ELEMENT) &&
               binding->value != NULL && is_settled(conditions, binding->value, left));
    }
    variable->looked_at = false;
    return all;
}

typedef struct Returned {
    const Conditions *conditions;
    unsigned *left;
    bool settled;
} Returned;

static bool look_at_returned(const Node *node, void *context) {
    Returned *returned = context;
    const Node *value = node->kind == NODE_Return ? node_child(node, FIELD_value) : NULL;
    if (value != NULL)
        returned->settled = returned->settled && is_settled(returned->conditions, value, returned->left);
    return node->kind != NODE_FunctionDef && node->kind != NODE_Lambda && node->kind != NODE_ClassDef;
}

/* A function of the program's own gives what it returns. */
static bool is_returned_settled(const Conditions *conditions, const Thing *function, unsigned *left) {
    Conditions there = *conditions;
    there.file = function->file;
    Returned returned = {&there, left, true};
    const Field *body = node_list(function->node, FIELD_body);
    for (size_t i = 0; i < body->count; i++)
        if (body->items[i] != NULL)
            node_walk(body->items[i], look_at_returned, &returned);
    return returned.settled && node_list(function->node, FIELD_decorator_list)->count == 0;
}

static bool is_call_settled(const Conditions *conditions, const Node *call, unsigned *left) {
    static const char *const kinds[] = {"isinstance", "hasattr", "callable", "issubclass"};
    const Node *func = node_child(call, FIELD_func);
    const Things called = func == NULL ? (Things){0} : names_of(conditions->names, conditions->file, func);
    bool known = called.count > 0 && !called.overflow, all_own = true;
    for (size_t i = 0; i < called.count && known; i++) {
        const Thing *thing = &called.items[i];
        if (thing->kind == THING_BUILTIN && text_among(thing->path, kinds, COUNT_OF(kinds)))
            return true;
        const bool own = thing->kind == THING_FUNCTION || thing->kind == THING_METHOD;
        all_own = all_own && own;
        known = own ? thing->node->kind == NODE_FunctionDef && is_returned_settled(conditions, thing, left)
                    : thing->kind == THING_BUILTIN || thing->kind == THING_LIBRARY;
    }
    /* cfg.get("n"), parts.items(), weight.numel(): of what is settled */
    if (!known && func != NULL && func->kind == NODE_Attribute && !things_have(&called, THING_FUNCTION) &&
        !things_have(&called, THING_METHOD)) {
        known = is_settled(conditions, node_child(func, FIELD_value), left);
        all_own = false;
    }
    const Field *args = node_list(call, FIELD_args), *keywords = node_list(call, FIELD_keywords);
    for (size_t i = 0; known && !all_own && i < args->count; i++)
        known = args->items[i] != NULL && is_settled(conditions, args->items[i], left);
    for (size_t i = 0; known && !all_own && i < keywords->count; i++)
        known = keywords->items[i] != NULL && is_settled(conditions, keywords->items[i], left);
    return known;
}

/* self.n of a module, which construction has settled; what other objects keep, forward may have given them.
 */
static bool is_of_module(const Conditions *conditions, const Node *node) {
    const Node *object = node;
    while (object != NULL && (object->kind == NODE_Attribute || object->kind == NODE_Subscript))
        object = node_child(object, FIELD_value);
    if (object == NULL || !condition_of_self(conditions, node))
        return false;
    const Things things = names_of(conditions->names, conditions->file, object);
    return is_module_object(conditions, &things);
}

/* layer.p, CFG.act, Kind.GELU: of what is settled, but for what forward itself has made classes and functions
 * of. */
static bool is_attribute_settled(const Conditions *conditions, const Node *attribute, unsigned *left) {
    const Node *value = node_child(attribute, FIELD_value);
    const Things things = names_of(conditions->names, conditions->file, attribute);
    if (is_fixed(&things))
        return true;
    if (value == NULL || !is_settled(conditions, value, left))
        return false;
    const Things objects = names_of(conditions->names, conditions->file, value);
    for (size_t i = 0; i < objects.count; i++) {
        const ThingKind kind = objects.items[i].kind;
        const Scope *made = kind == THING_CLASS || kind == THING_FUNCTION || kind == THING_METHOD
                                ? condition_made_by(conditions, objects.items[i])
                                : NULL;
        if (made != NULL &&
            (kind != THING_CLASS || made->parent == NULL || made->parent->kind != SCOPE_MODULE))
            return false;
    }
    return true;
}

static bool is_settled(const Conditions *conditions, const Node *node, unsigned *left) {
    if (*left == 0)
        return false;
    --*left;
    if (is_of_module(conditions, node))
        return true;
    switch (node->kind) {
    case NODE_Constant:
    case NODE_Lambda: return true;
    case NODE_Name: return is_name_settled(conditions, node, left);
    case NODE_Attribute: return is_attribute_settled(conditions, node, left);
    case NODE_Call: return is_call_settled(conditions, node, left);
    default: return all_settled(conditions, node, left);
    }
}

bool condition_is_settled(const Conditions *conditions, const Node *node) {
    unsigned left = MOST_NODES;
    return is_settled(conditions, node, &left);
}
