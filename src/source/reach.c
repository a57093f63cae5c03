/* Reach: what only a component's self-test gets to (the main guard, run_tests, and what they alone call). */
#include "imports.h"

#include <string.h>

void marks_set(bool *marks, const Node *node) {
    marks[node->id] = true;
    for (size_t i = 0; i < node->field_count; i++) {
        const Field *field = &node->fields[i];
        if (field->kind == FIELD_IS_NODE)
            marks_set(marks, field->node);
        for (size_t j = 0; field->kind == FIELD_IS_LIST && j < field->count; j++)
            if (field->items[j] != NULL)
                marks_set(marks, field->items[j]);
    }
}

static bool is_name(const Node *node, const char *name) {
    return node != NULL && node->kind == NODE_Name && text_equal(node_text(node, FIELD_id), name);
}

/* `__name__ == "__main__"`, either way round. */
static bool is_main_guard(const Node *test) {
    if (test == NULL || test->kind != NODE_Compare)
        return false;
    const Field *ops = node_list(test, FIELD_ops), *right = node_list(test, FIELD_comparators);
    const Node *left = node_child(test, FIELD_left);
    if (ops->count != 1 || right->count != 1 || ops->items[0] == NULL || ops->items[0]->kind != NODE_Eq)
        return false;
    return (is_name(left, "__name__") && text_equal(node_string(right->items[0]), "__main__")) ||
           (is_name(right->items[0], "__name__") && text_equal(node_string(left), "__main__"));
}

typedef struct NameWalk {
    const ProgramFile *file;
    Table *reached, *unreached;
} NameWalk;

static bool is_stored(const Node *node) {
    return node_child(node, FIELD_ctx) != NULL;
}

static bool collect_name(const Node *node, void *context) {
    NameWalk *walk = context;
    if (walk->file->skipped[node->id])
        return false;
    const char *name = node->kind == NODE_Name && !is_stored(node) ? node_text(node, FIELD_id) : NULL;
    if (name != NULL)
        table_put(walk->file->unreached[node->id] ? walk->unreached : walk->reached, name, TABLE_PRESENT);
    return true;
}

void reach_names(const ProgramFile *file, Table *reached, Table *unreached) {
    NameWalk walk = {file, reached, unreached};
    node_walk(file->tree.module, collect_name, &walk);
}

static bool is_function(const Node *node) {
    return node->kind == NODE_FunctionDef || node->kind == NODE_AsyncFunctionDef;
}

static bool is_test_name(const char *name) {
    static const char *const prefixes[] = {"run_test", "test_", "_test", "_run_test"};
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        if (text_starts(name, prefixes[i]))
            return true;
    return strcmp(name, "main") == 0 || strcmp(name, "test") == 0;
}

/* Names that others ask a component for: never left to the self-test. */
static bool is_interface(const char *name) {
    return text_starts(name, "get_");
}

/* Who reads a name at the top level. */
typedef struct Readers {
    const Node *first; /* the first reached statement that does */
    bool more;         /* another reached one does, too */
    bool test;         /* the self-test does */
} Readers;

typedef struct ReaderWalk {
    Arena *arena;
    const ProgramFile *file;
    Table *readers;
    const Node *statement;
} ReaderWalk;

static bool collect_reader(const Node *node, void *context) {
    ReaderWalk *walk = context;
    const char *name = node->kind == NODE_Name && !is_stored(node) ? node_text(node, FIELD_id) : NULL;
    if (name == NULL)
        return true;
    Readers *readers = table_get(walk->readers, name);
    if (readers == NULL) {
        readers = ARENA_NEW(walk->arena, Readers);
        table_put(walk->readers, name, readers);
    }
    if (walk->file->unreached[node->id])
        readers->test = true;
    else if (readers->first == NULL)
        readers->first = walk->statement;
    else if (readers->first != walk->statement)
        readers->more = true;
    return true;
}

static Table *collect_readers(Arena *arena, const ProgramFile *file) {
    ReaderWalk walk = {.arena = arena, .file = file, .readers = table_new(arena)};
    const Field *body = node_list(file->tree.module, FIELD_body);
    for (size_t i = 0; i < body->count; i++)
        if ((walk.statement = body->items[i]) != NULL)
            node_walk(walk.statement, collect_reader, &walk);
    return walk.readers;
}

/* Whether the top-level function is reached by the self-test only. */
static bool is_test_function(const Table *readers, const Node *function, bool is_main) {
    const char *name = node_text(function, FIELD_name);
    if (name == NULL || is_interface(name) || (!is_main && !is_test_name(name)))
        return false;
    const Readers *found = table_get(readers, name);
    bool reached = found != NULL && (found->more || (found->first != NULL && found->first != function));
    return !reached && ((found != NULL && found->test) || strcmp(name, "run_tests") == 0);
}

/* Marks the functions that nothing but what is marked already reads; returns whether there was one. */
static bool mark_test_functions(Arena *arena, ProgramFile *file, bool is_main) {
    const Table *readers = collect_readers(arena, file);
    const Field *body = node_list(file->tree.module, FIELD_body);
    bool more = false;
    for (size_t i = 0; i < body->count; i++) {
        const Node *node = body->items[i];
        if (node == NULL || !is_function(node) || file->unreached[node->id] ||
            !is_test_function(readers, node, is_main))
            continue;
        marks_set(file->unreached, node);
        more = true;
    }
    return more;
}

void reach_mark(Arena *arena, ProgramFile *file, bool is_main) {
    enum { MOST_ROUNDS = 16 }; /* the depth to which test functions call each other */
    const Field *body = node_list(file->tree.module, FIELD_body);
    for (size_t i = 0; i < body->count; i++) {
        const Node *node = body->items[i];
        if (node == NULL || node->kind != NODE_If || !is_main_guard(node_child(node, FIELD_test)))
            continue;
        const Field *guarded = node_list(node, FIELD_body);
        for (size_t j = 0; j < guarded->count; j++)
            if (guarded->items[j] != NULL)
                marks_set(file->unreached, guarded->items[j]);
    }
    for (int i = 0; i < MOST_ROUNDS && mark_test_functions(arena, file, is_main); i++)
        continue;
}

typedef struct Binder {
    const char *name;
    bool binds;
} Binder;

static bool look_for_binding(const Node *node, void *context) {
    Binder *binder = context;
    const char *bound = NULL;
    switch (node->kind) {
    case NODE_ClassDef:
    case NODE_FunctionDef:
    case NODE_AsyncFunctionDef:
        binder->binds |= text_equal(node_text(node, FIELD_name), binder->name);
        return false;
    case NODE_Lambda: return false;
    case NODE_Name: bound = is_stored(node) ? node_text(node, FIELD_id) : NULL; break;
    case NODE_alias:
        bound = node_text(node, FIELD_asname);
        bound = bound != NULL ? bound : node_text(node, FIELD_name);
        break;
    default: break;
    }
    binder->binds |= text_equal(bound, binder->name) && bound != NULL;
    return true;
}

bool module_binds(const Tree *tree, const char *name) {
    Binder binder = {.name = name};
    node_walk(tree->module, look_for_binding, &binder);
    return binder.binds;
}
