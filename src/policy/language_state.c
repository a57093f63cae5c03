/* State: nothing that forward reaches writes what lives on in a module, a class, a default or a closure. */
#include "language.h"

#include <string.h>

static const Thing *find_state(const Things *things) {
    for (size_t i = 0; i < things->count; i++)
        if (things->items[i].kind == THING_STATE)
            return &things->items[i];
    return NULL;
}

/* Something that is used up, kept where it outlives the call. */
static bool is_iterator(const Things *things) {
    for (size_t i = 0; i < things->count; i++) {
        Thing thing = things->items[i];
        if (thing.kind == THING_RESULT &&
            (python_table_has("iterators", thing.path) || text_starts(thing.path, "itertools.")))
            return true;
    }
    return false;
}

/* A local of an enclosing function that forward doesn't run: made once, it outlives calls. */
static const Variable *closure_variable(const Language *language, const Node *name) {
    const Scope *scope = names_scope_at(language->names, language->file, name);
    const Variable *variable = names_variable(scope, node_text(name, FIELD_id));
    if (variable == NULL || variable->scope->kind != SCOPE_FUNCTION)
        return NULL;
    while (scope->kind == SCOPE_COMPREHENSION && scope->parent != NULL)
        scope = scope->parent;
    const Scope *home = variable->scope;
    return home != scope && !language->reached[home->file->index][home->node->id] ? variable : NULL;
}

static const Node *root_of(const Node *node) {
    while (node != NULL && (node->kind == NODE_Attribute || node->kind == NODE_Subscript))
        node = node_child(node, FIELD_value);
    return node;
}

static const char *describe(const Thing *state) {
    return state->node->kind == NODE_arg ? "a default argument" : "an object of the module or class";
}

/* `at` changes the object that `target` is. */
static void judge_written(const Language *language, const Node *at, const Node *target) {
    Things things = language_things(language, target);
    const Thing *state = find_state(&things);
    if (state != NULL) {
        language_find(language, &RULE_STATE_WRITTEN, at, "`%s`, %s, is changed where forward reaches",
                      state->path, describe(state));
        return;
    }
    for (size_t i = 0; i < things.count; i++)
        if (things.items[i].kind == THING_CLASS || things.items[i].kind == THING_COMPONENT)
            language_find(language, &RULE_STATE_WRITTEN, at, "`%s` is changed where forward reaches",
                          language_text(language, target));
    const Node *root = root_of(target);
    const Variable *closure =
        root != NULL && root->kind == NODE_Name ? closure_variable(language, root) : NULL;
    if (closure != NULL && !things_all(&things, THING_INSTANCE))
        language_find(language, &RULE_STATE_WRITTEN, at,
                      "`%s`, kept by the function around this one, is changed where forward reaches",
                      closure->name);
}

/* A default argument that is an iterator is made once. */
static bool is_default(const Language *language, const Variable *variable) {
    for (size_t i = 0; i < variable->count; i++) {
        const Node *value = variable->items[i].kind == BINDING_PARAMETER ? variable->items[i].value : NULL;
        if (value == NULL)
            continue;
        Things things = names_of(language->names, variable->scope->file, value);
        if (is_iterator(&things))
            return true;
    }
    return false;
}

/* In a module, class, closure, default argument or on self. */
static bool is_kept(const Language *language, const Node *node) {
    const Node *root = root_of(node);
    if (root == NULL || root->kind != NODE_Name)
        return false;
    const Variable *variable =
        names_variable(names_scope_at(language->names, language->file, root), node_text(root, FIELD_id));
    Things base = language_things(language, root);
    if (node != root && (things_have(&base, THING_INSTANCE) || things_have(&base, THING_CLASS)))
        return true;
    return variable != NULL && (variable->scope->kind == SCOPE_MODULE ||
                                closure_variable(language, root) != NULL || is_default(language, variable));
}

static void judge_iterator(const Language *language, const Node *node) {
    if (node->kind != NODE_Attribute && node->kind != NODE_Name)
        return;
    Things things = language_things(language, node);
    if (language_access(node) == ACCESS_LOAD && is_iterator(&things) && is_kept(language, node))
        language_find(language, &RULE_STATE_WRITTEN, node,
                      "`%s` may be an iterator that is kept between calls", language_text(language, node));
}

static void judge_method(const Language *language, const Node *call, const Node *func) {
    const char *name = node_text(func, FIELD_attr);
    const Node *object = node_child(func, FIELD_value);
    if (name == NULL || object == NULL)
        return;
    size_t length = strlen(name);
    bool in_place = length > 1 && name[length - 1] == '_' && name[length - 2] != '_';
    Things things = language_things(language, object);
    bool library = things_have(&things, THING_MODULE) || things_have(&things, THING_LIBRARY);
    if (python_table_has("mutators", name) || (in_place && !library))
        judge_written(language, call, object);
}

/* torch.add(a, b, out=BUFFER), torch.relu_(BUFFER), nn.init.zeros_(BUFFER), list.append(CACHE, x) */
static void judge_arguments(const Language *language, const Node *call, const Node *func) {
    const Field *keywords = node_field(call, FIELD_keywords);
    for (size_t i = 0; keywords != NULL && i < keywords->count; i++)
        if (keywords->items[i] != NULL && text_equal(node_text(keywords->items[i], FIELD_arg), "out"))
            judge_written(language, call, node_child(keywords->items[i], FIELD_value));
    Things called = language_things(language, func);
    const Node *first = language_argument(call, 0);
    for (size_t i = 0; first != NULL && i < called.count; i++) {
        const char *path = called.items[i].path;
        if (called.items[i].kind != THING_LIBRARY && called.items[i].kind != THING_BUILTIN)
            continue;
        const char *last = strrchr(path, '.') == NULL ? path : strrchr(path, '.') + 1;
        if (text_ends(last, "_") || python_table_has("mutators", last) || text_equal(last, "next") ||
            text_equal(last, "setattr") || text_equal(last, "delattr"))
            judge_written(language, call, first);
    }
}

/* CACHE += [x] changes the object if it is a list. */
static void judge_augmented(const Language *language, const Node *node) {
    const Node *target = node_child(node, FIELD_target);
    Things things = target == NULL ? (Things){0} : language_things(language, target);
    if (target != NULL && target->kind == NODE_Name && find_state(&things) != NULL)
        judge_written(language, target, target);
}

/* Subscripts and attributes as targets of loops, with, unpacking: every Store that is not a plain name. */
static void judge_store(const Language *language, const Node *node) {
    if ((node->kind == NODE_Subscript || node->kind == NODE_Attribute) &&
        language_access(node) == ACCESS_STORE)
        judge_written(language, node, node_child(node, FIELD_value));
}

static void judge_declaration(const Language *language, const Node *node) {
    const Field *names = node_field(node, FIELD_names);
    for (size_t i = 0; names != NULL && i < names->count; i++) {
        const char *name = names->items[i] == NULL ? NULL : node_text(names->items[i], FIELD_id);
        const Scope *scope = names_scope_at(language->names, language->file, node);
        const Scope *home = name == NULL ? NULL : table_get(scope->declared, name);
        if (home == NULL || (node->kind == NODE_Nonlocal && home->kind == SCOPE_FUNCTION &&
                             language->reached[home->file->index][home->node->id]))
            continue;
        language_find(language, &RULE_STATE_WRITTEN, node, "`%s` is declared %s where forward reaches", name,
                      node->kind == NODE_Global ? "global" : "nonlocal");
    }
}

void check_state(const Language *language, const Node *node) {
    if (!language_reaches(language, node))
        return;
    judge_iterator(language, node);
    judge_store(language, node);
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    if (func != NULL && func->kind == NODE_Attribute)
        judge_method(language, node, func);
    if (func != NULL)
        judge_arguments(language, node, func);
    if (node->kind == NODE_AugAssign)
        judge_augmented(language, node);
    if (node->kind == NODE_Global || node->kind == NODE_Nonlocal)
        judge_declaration(language, node);
}
