/* Modules: which may be imported, which of their names may be used, and that they are no values. */
#include "language.h"

#include <ctype.h>
#include <string.h>

static const char *module_of(const Language *language, const char *path) {
    const char *dot = strrchr(path, '.');
    return dot == NULL ? NULL : arena_strndup(language->arena, path, (size_t)(dot - path));
}

static const char *first_part(const Language *language, const char *path) {
    return arena_strndup(language->arena, path, strcspn(path, "."));
}

/* src/source judges what is no module of ours at all, and path code. */
static bool is_judged_elsewhere(const Language *language, const char *module) {
    const char *first = first_part(language, module);
    return language_allows(language, module) || !python_table_has("modules", first) ||
           python_table_has("modules.path", first);
}

static bool is_listed(const char *module, const char *name) {
    static const char *const MORE[][2] = {
        {"torch", "torch.classes"},
        {"torch", "torch.dtypes"},
        {"torch", "torch.values"},
        {"torch.nn", "torch.nn.classes"},
    };
    if (python_table_has(module, name))
        return true;
    for (size_t i = 0; i < COUNT_OF(MORE); i++)
        if (text_equal(MORE[i][0], module) && python_table_has(MORE[i][1], name))
            return true;
    return false;
}

/* A module class that this version of the table doesn't have: "NewNorm2d", but not "F" or "T_co". */
static bool is_class_name(const char *name) {
    size_t small = 0;
    for (const char *c = name; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c))
            return false;
        small += islower((unsigned char)*c) != 0;
    }
    return isupper((unsigned char)name[0]) && small >= 2;
}

static const char *advice_for(const char *path) {
    static const char *const ADVICE[][2] = {
        {"functools.lru_cache", "compute it in __init__; a cache would outlive the call"},
        {"functools.cache", "compute it in __init__; a cache would outlive the call"},
        {"functools.cached_property", "compute it in __init__; a cache would outlive the call"},
        {"torch.load", "leave weights to plumbline: it gives both sides the same"},
        {"torch.compile", "leave the module as it is; compiling changes nothing that is verified"},
        {"torch.jit", "remove the decorator or call: eager code is what is verified"},
        {"torch.set_default_dtype", "give the dtype to each call that makes a tensor"},
        {"torch.set_grad_enabled", "remove it: forward runs under no_grad"},
        {"torch.enable_grad", "remove it: forward runs under no_grad"},
        {"typing.get_type_hints", "remove it: annotations are for people"},
        {"dataclasses.make_dataclass", "write a class statement"},
        {"torch.from_numpy", "make the tensor by torch.tensor"},
    };
    for (size_t i = 0; i < COUNT_OF(ADVICE); i++)
        if (text_equal(ADVICE[i][0], path))
            return ADVICE[i][1];
    return NULL;
}

static void find_member(const Language *language, const Rule *rule, const Node *at, const char *path,
                        const char *why) {
    const char *text = at->kind == NODE_alias ? path : language_text(language, at);
    size_t before = language->findings->count;
    if (strcmp(text, path) == 0)
        language_find(language, rule, at, "%s %s", path, why);
    else
        language_find(language, rule, at, "`%s` is %s, which %s", text, path, why);
    const char *advice = advice_for(path);
    if (advice != NULL && language->findings->count > before)
        language->findings->items[before].instead = advice;
}

void check_member(const Language *language, const Node *at, const char *module, const char *name,
                  bool called) {
    const char *path = arena_printf(language->arena, "%s.%s", module, name);
    bool of_torch = text_equal(first_part(language, module), "torch");
    const Rule *rule = of_torch ? &RULE_PY_TORCH : &RULE_PY_LIBRARY;
    if (name[0] == '_' && language_allows(language, module))
        find_member(language, &RULE_PY_ATTRIBUTE, at, path, "starts with an underscore");
    if (is_judged_elsewhere(language, module) || language_allows(language, path) ||
        !python_table_has("modules", module) || python_table_has("modules", path))
        return;
    if (name[0] == '_' && !text_equal(module, "__future__")) {
        find_member(language, &RULE_PY_ATTRIBUTE, at, path, "starts with an underscore");
        return;
    }
    if (python_table_has("modules.attributes", path)) {
        find_member(language, &RULE_PY_MODULE, at, path, "is a module that candidates may not reach");
        return;
    }
    if (is_listed(module, name))
        return;
    if (text_equal(module, "torch") && python_table_has("torch.forbidden", name)) {
        find_member(language, rule, at, path, "may not be used");
        return;
    }
    bool open = python_table_has("modules.open", module);
    if (open && called &&
        islower((unsigned char)name[0])) /* an operator of a later torch: ops/operators.txt */
        return;
    if (text_equal(module, "torch.nn") && is_class_name(name))
        return;
    find_member(language, rule, at, path,
                open && islower((unsigned char)name[0]) ? "is not known, and may only be called"
                                                        : "is not among the names that may be used");
}

/* What hangs on something of a library: torch.Tensor.add, math.pi.real. */
static void judge_below_member(const Language *language, const Node *at, const char *path, const char *name) {
    const char *module = module_of(language, path);
    if (module == NULL || name[0] == '_' || is_judged_elsewhere(language, module) ||
        !python_table_has("modules.open", module))
        return;
    const char *last = path + strlen(module) + 1;
    bool plain = python_table_has("torch.classes", last) || python_table_has("torch.dtypes", last) ||
                 python_table_has("torch.values", last) || python_table_has("torch.nn.classes", last) ||
                 python_table_has("torch.nn", last);
    if (!plain)
        language_find(language, &RULE_PY_MODULE, at,
                      "`%s` is no module that may be used, so %s has no name %s", language_text(language, at),
                      path, name);
}

/* ---- Import statements -------------------------------------------------------------------- */

static void judge_import_name(const Language *language, const Node *alias, const char *module) {
    if (!is_judged_elsewhere(language, module) && !python_table_has("modules", module))
        language_find(language, &RULE_PY_IMPORT, alias, "%s may not be imported", module);
}

/* A component's name that is itself a module, or belongs to its self-test. */
static void check_component_member(const Language *language, const Node *at, const ProgramFile *component,
                                   const char *name) {
    const Scope *module = names_scope_made(language->names, component, component->tree.module);
    const Variable *variable = table_get(module->variables, name);
    if (variable == NULL)
        return;
    if (things_have(&variable->things, THING_MODULE))
        language_find(
            language, &RULE_PY_MODULE, at, "`%s` of %s is the module %s", name, component->source.name,
            variable->things.items[0].path == NULL ? "of a library" : variable->things.items[0].path);
    for (size_t i = 0; i < variable->count; i++)
        if (variable->items[i].kind == BINDING_DEFINITION && !variable->items[i].judged)
            language_find(language, &RULE_PY_SELF_TEST, at, "`%s` belongs to the self-test of %s", name,
                          component->source.name);
}

static void judge_import_from(const Language *language, const Node *node) {
    const char *module = node_text(node, FIELD_module);
    const Field *aliases = node_field(node, FIELD_names), *level = node_field(node, FIELD_level);
    bool reported = false;
    for (size_t i = 0; aliases != NULL && i < aliases->count; i++) {
        const Node *alias = aliases->items[i];
        const char *name = alias == NULL ? NULL : node_text(alias, FIELD_name);
        const char *as = alias == NULL ? NULL : node_text(alias, FIELD_asname);
        if (name == NULL || text_equal(name, "*"))
            continue;
        const Binding *bound = program_binding(language->file, node, as != NULL ? as : name);
        if (bound != NULL && bound->attribute != NULL)
            check_component_member(language, alias, bound->file, bound->attribute);
        if (bound != NULL || module == NULL || (level != NULL && level->number > 0))
            continue;
        if (!reported && !python_table_has("modules", module))
            judge_import_name(language, alias, module), reported = true;
        else if (python_table_has("modules", module))
            check_member(language, alias, module, name, false);
    }
}

void check_imports(const Language *language, const Node *node) {
    if (node->kind == NODE_ImportFrom)
        judge_import_from(language, node);
    const Field *aliases = node->kind == NODE_Import ? node_field(node, FIELD_names) : NULL;
    for (size_t i = 0; aliases != NULL && i < aliases->count; i++) {
        const char *name = aliases->items[i] == NULL ? NULL : node_text(aliases->items[i], FIELD_name);
        const char *as = aliases->items[i] == NULL ? NULL : node_text(aliases->items[i], FIELD_asname);
        if (name != NULL && program_binding(language->file, node, as != NULL ? as : name) == NULL)
            judge_import_name(language, aliases->items[i], name);
    }
}

/* ---- Modules as values -------------------------------------------------------------------- */

static const Thing *find_module(const Things *things) {
    for (size_t i = 0; i < things->count; i++)
        if (things->items[i].kind == THING_MODULE || things->items[i].kind == THING_COMPONENT ||
            things->items[i].kind == THING_PACKAGE)
            return &things->items[i];
    return NULL;
}

static const char *module_name(const Thing *thing) {
    return thing->kind == THING_COMPONENT ? thing->file->source.name : thing->path;
}

static bool is_plain_alias(const Node *node) {
    const Node *parent = node->parent;
    if (parent->kind == NODE_NamedExpr || parent->kind == NODE_AnnAssign) {
        const Node *target = node_child(parent, FIELD_target);
        return node_child(parent, FIELD_value) == node && target != NULL && target->kind == NODE_Name;
    }
    const Field *targets = parent->kind == NODE_Assign ? node_field(parent, FIELD_targets) : NULL;
    for (size_t i = 0; targets != NULL && i < targets->count; i++)
        if (targets->items[i] == NULL || targets->items[i]->kind != NODE_Name)
            return false;
    return targets != NULL && targets->count > 0;
}

static bool is_base_of_attribute(const Language *language, const Node *node) {
    const Node *parent = node->parent;
    if (parent->kind == NODE_Attribute)
        return true;
    if (parent->kind != NODE_Call || language_argument(parent, 0) != node)
        return false;
    Things called = language_things(language, node_child(parent, FIELD_func));
    for (size_t i = 0; i < called.count; i++)
        if (called.items[i].kind == THING_BUILTIN && text_ends(called.items[i].path, "attr"))
            return true;
    return false;
}

static bool is_all(const Things *things, const Thing *module) {
    for (size_t i = 0; i < things->count; i++)
        if (things->items[i].kind != module->kind && things->items[i].kind != THING_PACKAGE)
            return false;
    return true;
}

/* An attribute that is a module: fine if it hangs on the module that holds it. */
static void judge_attribute_module(const Language *language, const Node *node, const Thing *module) {
    Things base = language_things(language, node->kind == NODE_Call ? language_argument(node, 0)
                                                                    : node_child(node, FIELD_value));
    const Thing *holder = find_module(&base);
    if (holder == NULL || (holder->kind == THING_COMPONENT && module->kind == THING_MODULE) ||
        !is_all(&base, holder))
        language_find(language, &RULE_PY_MODULE, node,
                      "`%s` is the module %s, which its own import statement must name",
                      language_text(language, node), module_name(module));
}

static void find_overflow(const Node *at, const char *name, void *context) {
    language_find(context, &RULE_PY_MODULE, at, "`%s` may be so many things that none can be ruled out",
                  name == NULL ? "this" : name);
}

static bool is_display(const Node *node) {
    return node->kind == NODE_List || node->kind == NODE_Tuple || node->kind == NODE_Set ||
           node->kind == NODE_Dict;
}

static void judge_overflow(const Language *language, const Node *node) {
    if (node->kind == NODE_Module) {
        names_each_overflow(language->names, language->file, find_overflow, (Language *)(uintptr_t)language);
    }
    if (is_display(node) && names_inside(language->names, language->file, node).overflow)
        find_overflow(node, NULL, (Language *)(uintptr_t)language);
}

void check_modules(const Language *language, const Node *node) {
    judge_overflow(language, node);
    if ((node->kind != NODE_Name && node->kind != NODE_Attribute && node->kind != NODE_NamedExpr &&
         node->kind != NODE_Call) ||
        language_access(node) == ACCESS_STORE || node->parent == NULL)
        return;
    Things things = language_things(language, node);
    const Thing *module = find_module(&things);
    if (module == NULL)
        return;
    Things called = language_things(language, node_child(node, FIELD_func));
    bool by_getattr = node->kind == NODE_Call && things_find(&called, THING_BUILTIN, "getattr") != NULL;
    if (node->kind == NODE_Attribute || by_getattr)
        judge_attribute_module(language, node, module);
    if (node->kind == NODE_Call && !by_getattr && program_binding(language->file, node, NULL) == NULL)
        language_find(language, &RULE_PY_MODULE, node, "`%s` gives the module %s",
                      language_text(language, node), module_name(module));
    else if (!is_plain_alias(node) && !is_base_of_attribute(language, node) &&
             node->parent->kind != NODE_Expr)
        language_find(language, &RULE_PY_MODULE, node, "`%s` is the module %s, used as a value",
                      language_text(language, node), module_name(module));
}

void check_library_attribute(const Language *language, const Node *at, const Thing *base, const char *name) {
    if (base->kind == THING_MODULE)
        check_member(language, at, base->path, name, language_is_called(at));
    if (base->kind == THING_LIBRARY)
        judge_below_member(language, at, base->path, name);
    if (base->kind == THING_COMPONENT)
        check_component_member(language, at, base->file, name);
    if (base->kind == THING_RESULT && text_equal(base->path, "logging.getLogger") &&
        !python_table_has("logging.Logger", name))
        language_find(language, &RULE_PY_LIBRARY, at, "`%s`: of a logger, only its messages are used",
                      language_text(language, at));
}
