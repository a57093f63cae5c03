/* Names: builtins, names with two underscores, and what only the self-test defines. */
#include "language.h"

static bool is_main_guard(const Node *name) {
    const Node *compare = name->parent;
    const Node *statement = compare == NULL ? NULL : compare->parent;
    const Field *others = compare == NULL ? NULL : node_field(compare, FIELD_comparators);
    bool is_main = others != NULL && others->count == 1 && others->items[0] != NULL &&
                   (text_equal(node_string(others->items[0]), "__main__") ||
                    text_equal(node_string(node_child(compare, FIELD_left)), "__main__"));
    return is_main && compare->kind == NODE_Compare && statement != NULL && statement->kind == NODE_If &&
           statement->parent != NULL && statement->parent->kind == NODE_Module;
}

/* logging.getLogger(__name__) names a logger, which is for people */
static bool names_logger(const Language *language, const Node *name) {
    const Node *call = name->parent;
    if (call == NULL || call->kind != NODE_Call || language_argument(call, 0) != name)
        return false;
    Things called = language_things(language, node_child(call, FIELD_func));
    return things_find(&called, THING_LIBRARY, "logging.getLogger") != NULL;
}

static void judge_dunder_name(const Language *language, const Node *node, const char *name) {
    const Variable *variable = names_variable(names_scope_at(language->names, language->file, node), name);
    bool local =
        variable != NULL && variable->scope->kind != SCOPE_MODULE && variable->scope->kind != SCOPE_CLASS;
    bool at_class = variable != NULL && variable->scope->kind == SCOPE_CLASS;
    if (local || python_table_has("builtins.forbidden", name) || text_equal(name, "__file__"))
        return; /* src/source judges __file__ as path code */
    if (at_class && language_access(node) == ACCESS_STORE)
        return; /* check_classes */
    if (text_equal(name, "__name__") && language_access(node) == ACCESS_LOAD &&
        (is_main_guard(node) || language_is_message(language, node) || names_logger(language, node)))
        return;
    if (text_equal(name, "__class__") && node->parent->kind == NODE_Attribute &&
        text_equal(node_text(node->parent, FIELD_attr), "__name__"))
        return;
    if (python_table_has("module-dunders", name))
        return;
    language_find(language, &RULE_PY_NAME, node, "`%s` stands in code that a model uses", name);
}

static bool may_stand_uncalled(const Language *language, const Node *node, const char *name) {
    if (!text_equal(name, "type"))
        return false;
    const Node *parent = node->parent;
    if (language_is_annotation(node) || parent->kind == NODE_Subscript)
        return true;
    Things called =
        parent->kind == NODE_Call ? language_things(language, node_child(parent, FIELD_func)) : (Things){0};
    return things_find(&called, THING_BUILTIN, "isinstance") != NULL;
}

static void judge_builtin(const Language *language, const Node *node, const char *name, const char *builtin) {
    if (python_table_has("builtins.forbidden", builtin)) {
        if (text_equal(name, builtin))
            language_find(language, &RULE_PY_BUILTIN, node, "%s may not be used", builtin);
        else
            language_find(language, &RULE_PY_BUILTIN, node, "`%s` is %s, which may not be used", name,
                          builtin);
    } else if (python_table_has("builtins.called", builtin) && text_equal(name, builtin) &&
               !language_is_called(node) && !may_stand_uncalled(language, node, name)) {
        language_find(language, &RULE_PY_BUILTIN, node, "%s may be called, but not kept or passed on",
                      builtin);
    }
}

static bool has_star_import(const Scope *module) {
    return table_has(module->variables, "*");
}

/* A name that nobody binds may be a builtin of a later Python. */
static void judge_unbound(const Language *language, const Node *node, const char *name) {
    const Scope *module = names_scope_made(language->names, language->file, language->file->tree.module);
    if (text_starts(name, "__") || has_star_import(module) || python_table_has("builtins", name) ||
        python_table_has("builtins.called", name) || python_table_has("builtins.exceptions", name) ||
        python_table_has("builtins.forbidden", name))
        return;
    language_find(language, &RULE_PY_BUILTIN, node,
                  "`%s` is bound nowhere, and is no builtin that may be used", name);
}

static void judge_self_test(const Language *language, const Node *node, const Variable *variable) {
    for (size_t i = 0; i < variable->count; i++)
        if (variable->items[i].kind == BINDING_DEFINITION && !variable->items[i].judged)
            language_find(language, &RULE_PY_SELF_TEST, node,
                          language->file->skipped[variable->items[i].node->id]
                              ? "`%s` works out paths for imports, and is not run"
                              : "`%s` belongs to the self-test",
                          variable->name);
}

/* def __getattr__ and import x as __builtins__ at the top level */
static void judge_module_bindings(const Language *language, const Node *module) {
    const Scope *scope = names_scope_made(language->names, language->file, module);
    for (size_t i = 0; i < scope->variables->count; i++) {
        const Variable *variable = scope->variables->items[i].value;
        for (size_t j = 0; text_starts(variable->name, "__") && j < variable->count; j++)
            if (variable->items[j].judged && variable->items[j].node->kind != NODE_Name)
                language_find(language, &RULE_PY_NAME, variable->items[j].node, "`%s` is bound in a module",
                              variable->name);
    }
}

void check_names(const Language *language, const Node *node) {
    if (node->kind == NODE_Module)
        judge_module_bindings(language, node);
    const char *name = node->kind == NODE_Name ? node_text(node, FIELD_id) : NULL;
    if (name == NULL || node->parent == NULL || node->parent->kind == NODE_Global ||
        node->parent->kind == NODE_Nonlocal ||
        (node->parent->kind == NODE_MatchClass && node_child(node->parent, FIELD_cls) != node))
        return;
    if (text_starts(name, "__"))
        judge_dunder_name(language, node, name);
    if (language_access(node) == ACCESS_STORE)
        return;
    Things things = language_things(language, node);
    for (size_t i = 0; i < things.count; i++)
        if (things.items[i].kind == THING_BUILTIN)
            judge_builtin(language, node, name, things.items[i].path);
    const Variable *variable = names_variable(names_scope_at(language->names, language->file, node), name);
    if (variable == NULL)
        judge_unbound(language, node, name);
    else
        judge_self_test(language, node, variable);
}
