/* Which functions forward may run: by name, so rather too many than too few. What remains is construction. */
#include "language.h"

typedef struct Mention { /* a name that code reads: it may be that of a function */
    const char *name;
    const Scope *by; /* the function that reads it, or NULL: a module or class body */
    bool value;      /* it is kept or passed on, not called at once */
    bool asked;      /* only an attribute of it is used */
} Mention;

typedef struct Reach {
    Language *language;
    const ProgramFile *file;
    struct {
        Mention *items;
        size_t count, capacity;
    } mentions;
    struct {
        const Scope **items;
        size_t count, capacity;
    } functions;
    Table *by_forward; /* names that reached code reads */
    Table *made;       /* those of them that may be classes and called */
    Table *kept;       /* names that construction keeps as values */
} Reach;

static const Scope *function_around(const Scope *scope) {
    while (scope != NULL && scope->kind != SCOPE_FUNCTION)
        scope = scope->kind == SCOPE_CLASS ? NULL : scope->parent;
    return scope;
}

/* module.apply(initialise): calls it at once */
static bool is_apply_argument(const Node *node) {
    const Node *call = node->parent;
    const Node *func = call != NULL && call->kind == NODE_Call ? node_child(call, FIELD_func) : NULL;
    return func != NULL && func != node && func->kind == NODE_Attribute &&
           text_equal(node_text(func, FIELD_attr), "apply");
}

static bool is_decorator(const Node *node) {
    const Field *decorators = node->parent == NULL ? NULL : node_field(node->parent, FIELD_decorator_list);
    for (size_t i = 0; decorators != NULL && i < decorators->count; i++)
        if (decorators->items[i] == node)
            return true;
    return false;
}

static bool note(const Node *node, void *context) {
    Reach *reach = context;
    const Names *names = reach->language->names;
    if (!names_is_judged(names, reach->file, node))
        return false;
    const Node *parent = node->parent;
    if (parent != NULL &&
        (node_child(parent, FIELD_annotation) == node || node_child(parent, FIELD_returns) == node))
        return false;
    if (node->kind == NODE_FunctionDef || node->kind == NODE_AsyncFunctionDef || node->kind == NODE_Lambda)
        *(const Scope **)ARENA_PUSH(reach->language->arena, &reach->functions) =
            names_scope_made(names, reach->file, node);
    const char *name = node->kind == NODE_Name        ? node_text(node, FIELD_id)
                       : node->kind == NODE_Attribute ? node_text(node, FIELD_attr)
                                                      : node_string(node);
    if (name != NULL && language_access(node) == ACCESS_LOAD)
        *(Mention *)ARENA_PUSH(reach->language->arena, &reach->mentions) =
            (Mention){.name = name,
                      .by = function_around(names_scope_at(names, reach->file, node)),
                      .value = !language_is_called(node) && !is_apply_argument(node) && !is_decorator(node) &&
                               node->kind != NODE_Constant,
                      .asked = parent != NULL && parent->kind == NODE_Attribute};
    return true;
}

static bool *mark_of(const Reach *reach, const Scope *function) {
    return &reach->language->reached[function->file->index][function->node->id];
}

/* forward itself, and what Python calls by itself */
static bool is_root(const Scope *function) {
    const char *name = node_text(function->node, FIELD_name);
    if (name == NULL || function->parent == NULL || function->parent->kind != SCOPE_CLASS)
        return false;
    return text_equal(name, "forward") ||
           (text_starts(name, "__") && !text_equal(name, "__init__") && !text_equal(name, "__post_init__"));
}

static bool is_reached(const Reach *reach, const Scope *function) {
    const char *name = node_text(function->node, FIELD_name);
    if (name == NULL) { /* a lambda */
        const Scope *outer = function_around(function->parent);
        return (outer != NULL && *mark_of(reach, outer)) || !is_apply_argument(function->node);
    }
    const Scope *class =
        function->parent != NULL && function->parent->kind == SCOPE_CLASS ? function->parent : NULL;
    if (class != NULL && (text_equal(name, "__init__") || text_equal(name, "__post_init__"))) {
        const char *class_name = node_text(class->node, FIELD_name);
        return class_name != NULL && table_has(reach->made, class_name);
    }
    return is_root(function) || table_has(reach->by_forward, name) || table_has(reach->kept, name);
}

void language_find_reached(Language *language) {
    Arena *arena = language->arena;
    const Program *program = language->program;
    Reach reach = {.language = language,
                   .by_forward = table_new(arena),
                   .made = table_new(arena),
                   .kept = table_new(arena)};
    language->reached = ARENA_ARRAY(arena, bool *, program->count);
    for (size_t i = 0; i < program->count; i++) {
        reach.file = program->items[i];
        language->reached[i] = ARENA_ARRAY(arena, bool, reach.file->tree.node_count + 1);
        if (language->of_original || reach.file->part != PART_ORIGINAL)
            node_walk(reach.file->tree.module, note, &reach);
    }
    bool grew = true;
    while (grew) {
        grew = false;
        for (size_t i = 0; i < reach.mentions.count; i++) {
            Mention mention = reach.mentions.items[i];
            if (mention.by != NULL && *mark_of(&reach, mention.by)) {
                table_put(reach.by_forward, mention.name, TABLE_PRESENT);
                if (!mention.asked)
                    table_put(reach.made, mention.name, TABLE_PRESENT);
            } else if (mention.value)
                table_put(reach.kept, mention.name, TABLE_PRESENT);
        }
        for (size_t i = 0; i < reach.functions.count; i++) {
            bool *mark = mark_of(&reach, reach.functions.items[i]);
            if (!*mark && is_reached(&reach, reach.functions.items[i])) {
                *mark = true;
                grew = true;
            }
        }
    }
}
