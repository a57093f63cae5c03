/* Where names and attributes are read: what a set is kept in is followed there, by name alone. */
#include "language_sets.h"

#include <string.h>

typedef struct Use {
    const ProgramFile *file;
    const Node *node;
} Use;

typedef struct Uses {
    Use *items;
    size_t count, capacity;
} Uses;

struct SetUses {
    Language language;
    Table *names, *attributes, *aliases; /* text -> Uses */
    Table *functions;                    /* that the candidate defines */
    Table *followed;                     /* what has been */
    Uses getattrs;                       /* whose name is worked out */
    Uses odd_classes;                    /* decorated, or no modules and no plain classes */
    bool handles, ready;
};

SetUses *set_uses_new(const Language *language) {
    SetUses *uses = ARENA_NEW(language->arena, SetUses);
    uses->language = *language;
    uses->names = table_new(language->arena);
    uses->attributes = table_new(language->arena);
    uses->aliases = table_new(language->arena);
    uses->functions = table_new(language->arena);
    uses->followed = table_new(language->arena);
    return uses;
}

/* ---- The index ---------------------------------------------------------------------------- */

static void add_use(SetUses *uses, Table *table, const char *text, const Node *node) {
    if (text == NULL)
        return;
    Uses *found = table_get(table, text);
    if (found == NULL)
        table_put(table, text, found = ARENA_NEW(uses->language.arena, Uses));
    *(Use *)ARENA_PUSH(uses->language.arena, found) = (Use){uses->language.file, node};
}

/* Objects of a class that no decorator and no base gives a way to show its attributes. */
static bool is_plain_class(const Language *language, const Scope *class, int depth) {
    bool plain = depth < 16 && node_list(class->node, FIELD_decorator_list)->count == 0;
    for (size_t i = 0; plain && i < class->bases.count; i++) {
        const Thing *base = &class->bases.items[i];
        plain =
            (base->kind == THING_LIBRARY && text_starts(base->path, "torch.nn.")) ||
            (base->kind == THING_BUILTIN && text_equal(base->path, "object")) ||
            (base->kind == THING_CLASS &&
             is_plain_class(language, names_scope_made(language->names, base->file, base->node), depth + 1));
    }
    return plain;
}

static void add_call(SetUses *uses, const Node *call) {
    Arena *arena = uses->language.arena;
    const Things called = language_things(&uses->language, node_child(call, FIELD_func));
    if (things_find(&called, THING_BUILTIN, "getattr") != NULL) {
        const Node *name = language_argument(call, 1);
        if (name != NULL && node_string(name) != NULL)
            add_use(uses, uses->attributes, node_string(name), call);
        else
            *(Use *)ARENA_PUSH(arena, &uses->getattrs) = (Use){uses->language.file, call};
    }
    for (size_t i = 0; things_find(&called, THING_LIBRARY, "operator.attrgetter") != NULL &&
                       language_argument(call, i) != NULL;
         i++) {
        const Node *name = language_argument(call, i);
        for (const char *part = node_string(name); part != NULL;
             part = strchr(part, '.') == NULL ? NULL : strchr(part, '.') + 1)
            add_use(uses, uses->attributes, arena_strndup(arena, part, strcspn(part, ".")), name);
    }
}

static bool add_node(const Node *node, void *context) {
    SetUses *uses = context;
    const Language *language = &uses->language;
    if (!names_is_judged(language->names, language->file, node))
        return false;
    const bool read = language_access(node) == ACCESS_LOAD ||
                      (node->parent != NULL && node->parent->kind == NODE_AugAssign);
    const Field *names = node_list(node, FIELD_names);
    switch (node->kind) {
    case NODE_Name:
        if (read)
            add_use(uses, uses->names, node_text(node, FIELD_id), node);
        break;
    case NODE_Attribute:
        if (read)
            add_use(uses, uses->attributes, node_text(node, FIELD_attr), node);
        break;
    case NODE_ImportFrom:
        for (size_t i = 0; i < names->count; i++)
            if (names->items[i] != NULL)
                add_use(uses, uses->aliases, node_text(names->items[i], FIELD_name), names->items[i]);
        break;
    case NODE_FunctionDef: add_use(uses, uses->functions, node_text(node, FIELD_name), node); break;
    case NODE_ExceptHandler: uses->handles = uses->handles || node_text(node, FIELD_name) != NULL; break;
    case NODE_Call: add_call(uses, node); break;
    case NODE_ClassDef:
        if (!is_plain_class(language, names_scope_made(language->names, language->file, node), 0))
            *(Use *)ARENA_PUSH(language->arena, &uses->odd_classes) = (Use){language->file, node};
        break;
    default: break;
    }
    return true;
}

static SetUses *fill(SetUses *uses) {
    const Program *program = uses->language.program;
    for (size_t i = 0; !uses->ready && i < program->count; i++) {
        uses->language.file = program->items[i];
        if (uses->language.file->part != PART_ORIGINAL)
            node_walk(uses->language.file->tree.module, add_node, uses);
    }
    uses->ready = true;
    return uses;
}

bool set_uses_define(SetUses *uses, const char *name) {
    return table_has(fill(uses)->functions, name);
}

bool set_uses_handle(SetUses *uses) {
    return fill(uses)->handles;
}

/* ---- Following ---------------------------------------------------------------------------- */

/* The first to follow it? */
static bool begins(const Language *language, const char *what, SetKind kind) {
    const char *key = arena_printf(language->arena, "%d %s", (int)kind, what);
    const bool first = !table_has(language->sets->followed, key);
    if (first)
        table_put(language->sets->followed, key, language->sets);
    return first;
}

/* `names -= others` makes a set of a view. */
static void follow_use(const Language *language, const Use *use, SetKind kind) {
    Language at = *language;
    at.file = use->file;
    const bool target = language_access(use->node) == ACCESS_STORE;
    if (use->node->kind == NODE_Constant)
        language_find(&at, &RULE_PY_SET_ORDER, use->node, "this gives a set, or a view of a dict");
    else if (!target)
        set_follow(&at, use->node, kind);
    else if (kind == KIND_VIEW && use->node->kind == NODE_Name)
        set_follow_name(&at, use->node, KIND_SET);
    else if (kind == KIND_VIEW)
        set_follow_attribute(&at, use->node, KIND_SET);
}

/* helpers.KINDS, of a file of the program */
static bool is_of_module(const Language *language, const Use *use) {
    const Node *module =
        use->node->kind == NODE_Call ? language_argument(use->node, 0) : node_child(use->node, FIELD_value);
    const Things things = module == NULL ? (Things){0} : names_of(language->names, use->file, module);
    return things_have(&things, THING_COMPONENT);
}

static void follow_in_modules(const Language *language, const char *name, SetKind kind) {
    const Uses *uses = table_get(fill(language->sets)->attributes, name);
    for (size_t i = 0; uses != NULL && i < uses->count; i++)
        if (is_of_module(language, &uses->items[i]))
            follow_use(language, &uses->items[i], kind);
}

static void follow_attribute_name(const Language *language, const char *name, SetKind kind) {
    if (!begins(language, arena_printf(language->arena, ".%s", name), kind))
        return;
    const Uses *uses = table_get(fill(language->sets)->attributes, name);
    for (size_t i = 0; uses != NULL && i < uses->count; i++)
        follow_use(language, &uses->items[i], kind);
    const Uses *getattrs = &language->sets->getattrs;
    for (size_t i = 0; i < getattrs->count; i++) {
        const char *start = language_constant_start(language, language_argument(getattrs->items[i].node, 1));
        if (start == NULL || text_starts(name, start))
            follow_use(language, &getattrs->items[i], kind);
    }
}

static const Variable *variable_at(const Language *language, const ProgramFile *file, const Node *node,
                                   const char *name) {
    return names_variable(names_scope_at(language->names, file, node), name);
}

static void follow_variable(const Language *language, const Variable *variable, SetKind kind);

/* Another file's `from helpers import KINDS`. */
static void follow_imports(const Language *language, const Variable *variable, SetKind kind) {
    const Uses *aliases = table_get(language->sets->aliases, variable->name);
    for (size_t i = 0; aliases != NULL && i < aliases->count; i++) {
        const Use *use = &aliases->items[i];
        const char *as = node_text(use->node, FIELD_asname);
        const Variable *bound =
            variable_at(language, use->file, use->node->parent, as != NULL ? as : variable->name);
        if (bound != NULL)
            follow_variable(language, bound, kind);
    }
}

/* A name that has no value yet in a class, or is asked for in the first iterable of a comprehension, is
 * looked for further out. */
static bool may_mean(const Language *language, const Use *use, const Variable *variable) {
    const Variable *meant = variable_at(language, use->file, use->node, variable->name);
    while (meant != NULL && meant != variable &&
           (meant->scope->kind == SCOPE_CLASS || meant->scope->kind == SCOPE_COMPREHENSION))
        meant = names_variable(meant->scope->parent, variable->name);
    return meant == variable;
}

static void follow_variable(const Language *language, const Variable *variable, SetKind kind) {
    if (!begins(language, arena_printf(language->arena, "%p", (const void *)variable), kind))
        return;
    const Uses *uses = table_get(fill(language->sets)->names, variable->name);
    for (size_t i = 0; uses != NULL && i < uses->count; i++)
        if (may_mean(language, &uses->items[i], variable))
            follow_use(language, &uses->items[i], kind);
    if (variable->scope->kind == SCOPE_MODULE) {
        follow_imports(language, variable, kind);
        follow_in_modules(language, variable->name, kind);
    }
    if (variable->scope->kind == SCOPE_CLASS)
        follow_attribute_name(language, variable->name, kind);
}

void set_follow_name(const Language *language, const Node *target, SetKind kind) {
    const Variable *variable = variable_at(language, language->file, target, node_text(target, FIELD_id));
    if (variable == NULL ||
        (variable->scope->kind == SCOPE_CLASS && !is_plain_class(language, variable->scope, 0)))
        language_find(language, &RULE_PY_SET_ORDER, target,
                      "a class whose objects show what they hold keeps %s",
                      kind == KIND_SET ? "a set" : "a view of a dict");
    else
        follow_variable(language, variable, kind);
}

void set_follow_attribute(const Language *language, const Node *target, SetKind kind) {
    const char *name = node_text(target, FIELD_attr);
    const Things objects = language_things(language, node_child(target, FIELD_value));
    bool plain = objects.count > 0 && !objects.overflow;
    for (size_t i = 0; plain && i < objects.count; i++)
        plain =
            (objects.items[i].kind == THING_INSTANCE || objects.items[i].kind == THING_CLASS) &&
            is_plain_class(
                language, names_scope_made(language->names, objects.items[i].file, objects.items[i].node), 0);
    const Uses *odd = &fill(language->sets)->odd_classes;
    for (size_t i = 0; plain && i < odd->count; i++)
        plain = !table_has(
            names_scope_made(language->names, odd->items[i].file, odd->items[i].node)->variables, name);
    if (plain)
        follow_attribute_name(language, name, kind);
    else
        language_find(language, &RULE_PY_SET_ORDER, target, "an object that may show what it holds keeps %s",
                      kind == KIND_SET ? "a set" : "a view of a dict");
}
