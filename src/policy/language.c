/* Judging the Python of a candidate: every node of every file, but path code and the self-test. */
#include "language.h"

#include <stdio.h>
#include <string.h>

typedef void Check(const Language *language, const Node *node);

static Check *const CHECKS[] = {
    check_imports, check_modules, check_names,   check_attributes, check_calls,
    check_classes, check_state,   check_control, check_children,   check_sets,
};

static const char *enclosing_name(const Node *node) {
    for (node = node->parent; node != NULL; node = node->parent)
        if (node->kind == NODE_FunctionDef || node->kind == NODE_AsyncFunctionDef)
            return node_text(node, FIELD_name);
    return NULL;
}

Finding *language_find(const Language *language, const Rule *rule, const Node *at, const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    const char *what = arena_vprintf(language->arena, format, rest);
    va_end(rest);
    Place place = node_place(&language->file->tree, at);
    Finding *finding = findings_add(language->findings, rule, SEVERITY_VIOLATION, place, "%s", what);
    const char *where = enclosing_name(at);
    if (finding->where == NULL && where != NULL)
        finding->where = arena_strdup(language->findings->arena, where);
    return finding;
}

Things language_things(const Language *language, const Node *node) {
    return node == NULL ? (Things){0} : names_of(language->names, language->file, node);
}

bool language_allows(const Language *language, const char *module) {
    for (size_t i = 0; i < language->allowed_count; i++) {
        size_t length = strlen(language->allowed_imports[i]);
        if (strncmp(module, language->allowed_imports[i], length) == 0 &&
            (module[length] == '\0' || module[length] == '.'))
            return true;
    }
    return false;
}

bool language_reaches(const Language *language, const Node *node) {
    const Scope *scope = names_scope_at(language->names, language->file, node);
    while (scope != NULL && scope->kind == SCOPE_COMPREHENSION)
        scope = scope->parent;
    return scope != NULL && scope->kind == SCOPE_FUNCTION &&
           language->reached[language->file->index][scope->node->id];
}

const char *language_text(const Language *language, const Node *node) {
    const char *dotted = node_dotted(language->arena, node);
    if (dotted != NULL)
        return text_printable(language->arena, dotted, strlen(dotted));
    if (node->kind == NODE_Call) {
        const Node *func = node_child(node, FIELD_func);
        dotted = func == NULL ? NULL : node_dotted(language->arena, func);
        return dotted == NULL ? "a call" : arena_printf(language->arena, "%s(...)", dotted);
    }
    if (node->kind == NODE_Attribute)
        return arena_printf(language->arena, "(...).%s", node_text(node, FIELD_attr));
    return node->kind == NODE_Constant ? "a constant" : "an expression";
}

bool language_is_called(const Node *node) {
    return node->parent != NULL && node->parent->kind == NODE_Call &&
           node_child(node->parent, FIELD_func) == node;
}

bool language_is_annotation(const Node *node) {
    for (; node->parent != NULL; node = node->parent)
        if (node_child(node->parent, FIELD_annotation) == node ||
            node_child(node->parent, FIELD_returns) == node)
            return true;
    return false;
}

static bool is_message_call(const Language *language, const Node *call) {
    static const char *const BUILTINS[] = {"print", "str", "repr"};
    Things called = language_things(language, node_child(call, FIELD_func));
    for (size_t i = 0; i < called.count; i++) {
        Thing thing = called.items[i];
        for (size_t j = 0; thing.kind == THING_BUILTIN && j < COUNT_OF(BUILTINS); j++)
            if (text_equal(thing.path, BUILTINS[j]))
                return true;
        if (thing.path != NULL &&
            (text_starts(thing.path, "logging.") || text_starts(thing.path, "warnings.")))
            return true;
    }
    return false;
}

bool language_is_message(const Language *language, const Node *node) {
    for (const Node *child = node; child->parent != NULL; child = child->parent) {
        const Node *parent = child->parent;
        if (parent->kind == NODE_FormattedValue || parent->kind == NODE_Raise ||
            (parent->kind == NODE_Assert && node_child(parent, FIELD_msg) == child) ||
            (parent->kind == NODE_Call && node_child(parent, FIELD_func) != child &&
             is_message_call(language, parent)))
            return true;
        if (parent->kind == NODE_FunctionDef || parent->kind == NODE_Lambda)
            return false;
    }
    return false;
}

const Node *language_argument(const Node *call, size_t position) {
    const Field *args = node_field(call, FIELD_args);
    return args != NULL && position < args->count ? args->items[position] : NULL;
}

bool language_has_star(const Node *call) {
    const Field *args = node_field(call, FIELD_args), *keywords = node_field(call, FIELD_keywords);
    for (size_t i = 0; args != NULL && i < args->count; i++)
        if (args->items[i] != NULL && args->items[i]->kind == NODE_Starred)
            return true;
    for (size_t i = 0; keywords != NULL && i < keywords->count; i++)
        if (keywords->items[i] != NULL && node_text(keywords->items[i], FIELD_arg) == NULL)
            return true;
    return false;
}

Access language_access(const Node *node) {
    const Node *context = node_child(node, FIELD_ctx);
    return context != NULL && context->kind != NODE_Load ? ACCESS_STORE : ACCESS_LOAD;
}

/* A call that loads a component becomes the component: neither its function nor its arguments are run. */
static bool is_load(const ProgramFile *file, const Node *node) {
    for (size_t i = 0; node->kind == NODE_Call && i < file->bindings.count; i++)
        if (file->bindings.items[i].node == node)
            return true;
    return false;
}

static bool judge_node(const Node *node, void *context) {
    const Language *language = context;
    if (!names_is_judged(language->names, language->file, node) || is_load(language->file, node))
        return false;
    if (node->kind == NODE_UNKNOWN || node_field(node, FIELD_UNKNOWN) != NULL)
        language_find(language, &RULE_PY_SYNTAX, node, "this is syntax that Plumbline doesn't know");
    for (size_t i = 0; i < COUNT_OF(CHECKS); i++)
        CHECKS[i](language, node);
    return true;
}

void policy_judge_language(const Program *program, const char *const *allowed_imports, size_t allowed_count,
                           Findings *findings) {
    Arena *arena = arena_new();
    Language language = {.arena = arena,
                         .program = program,
                         .names = names_new(arena, program),
                         .findings = findings,
                         .allowed_imports = allowed_imports,
                         .allowed_count = allowed_count};
    language_find_reached(&language);
    language.sets = set_uses_new(&language);
    for (size_t i = 0; i < program->count; i++) {
        language.file = program->items[i];
        if (language.file->part != PART_ORIGINAL)
            node_walk(language.file->tree.module, judge_node, &language);
    }
    arena_free(arena);
}
