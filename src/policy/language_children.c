/* Children: what refactored.py hands to them is values, and what they are stays as it is. */
#include "language.h"

#include <string.h>

static const char *describe_handed(const Language *language, Thing thing) {
    switch (thing.kind) {
    case THING_FUNCTION: return "a function";
    case THING_METHOD: return "a bound method";
    case THING_CLASS: return "a class";
    case THING_INSTANCE:
        return names_is_module_class(language->names,
                                     names_scope_made(language->names, thing.file, thing.node))
                   ? "a module"
                   : NULL;
    case THING_BUILTIN:
        return python_table_has("builtins", thing.path) && strchr("EFNT", thing.path[0]) == NULL
                   ? "a function"
                   : NULL;
    case THING_RESULT:
        return text_equal(thing.path, "functools.partial") ? "a function"
               : text_starts(thing.path, "torch.nn.") && strchr(thing.path + 9, '.') == NULL &&
                       thing.path[9] >= 'A' && thing.path[9] <= 'Z' &&
                       !python_table_has("torch.nn", thing.path + 9)
                   ? "a module"
                   : NULL;
    case THING_LIBRARY: {
        const char *last = strrchr(thing.path, '.') == NULL ? thing.path : strrchr(thing.path, '.') + 1;
        bool value = text_starts(thing.path, "torch.") &&
                     (python_table_has("torch.dtypes", last) || python_table_has("torch.values", last));
        bool number = text_starts(thing.path, "math.") && strlen(last) <= 3 &&
                      strstr(" pi e inf nan tau ", arena_printf(language->arena, " %s ", last)) != NULL;
        bool setting = text_starts(thing.path, "logging.") || text_starts(thing.path, "typing.");
        return value || number || setting ? NULL : "something of a library";
    }
    default: return NULL;
    }
}

static void judge_handed(const Language *language, const Node *value) {
    if (value == NULL)
        return;
    if (value->kind ==
        NODE_Call) { /* what is called gives a value: what it may be was found out by names_of */
        Things called = language_things(language, node_child(value, FIELD_func));
        if (things_have(&called, THING_INSTANCE) || things_have(&called, THING_FUNCTION) ||
            things_have(&called, THING_METHOD) || things_have(&called, THING_UNKNOWN) ||
            things_have(&called, THING_BUILTIN))
            return;
    }
    Things things = names_inside(language->names, language->file, value);
    for (size_t i = 0; i < things.count; i++) {
        const char *what = describe_handed(language, things.items[i]);
        if (what == NULL)
            continue;
        language_find(language, &RULE_CHILD_HANDED, value, "`%s`, %s, is handed to a child",
                      language_text(language, value), what);
        return;
    }
}

static bool is_child(const Language *language, Thing thing) {
    return (thing.kind == THING_CLASS || thing.kind == THING_INSTANCE) && thing.file != language->file &&
           thing.file->part == PART_CHILD;
}

static bool is_method_of_child(const Language *language, Thing thing) {
    return (thing.kind == THING_METHOD || thing.kind == THING_FUNCTION) && thing.file != language->file &&
           thing.file->part == PART_CHILD;
}

static void judge_call(const Language *language, const Node *call) {
    bool child = false;
    Things called = language_things(language, node_child(call, FIELD_func));
    for (size_t i = 0; i < called.count; i++)
        child |= is_child(language, called.items[i]) || is_method_of_child(language, called.items[i]);
    const Field *args = node_field(call, FIELD_args), *keywords = node_field(call, FIELD_keywords);
    for (size_t i = 0; child && args != NULL && i < args->count; i++)
        judge_handed(language, args->items[i]);
    for (size_t i = 0; child && keywords != NULL && i < keywords->count; i++)
        if (keywords->items[i] != NULL)
            judge_handed(language, node_child(keywords->items[i], FIELD_value));
}

static void judge_assigned(const Language *language, const Node *target) {
    const Node *statement = target->parent;
    Things base = language_things(language, node_child(target, FIELD_value));
    for (size_t i = 0; i < base.count; i++)
        if (base.items[i].kind == THING_INSTANCE && is_child(language, base.items[i]) &&
            statement->kind == NODE_Assign)
            judge_handed(language, node_child(statement, FIELD_value));
}

void check_children(const Language *language, const Node *node) {
    if (language->file->part == PART_CHILD && language->file->index != 0)
        return; /* a component's own components are judged where they are called from refactored.py */
    if (node->kind == NODE_Call)
        judge_call(language, node);
    if (node->kind == NODE_Attribute && language_access(node) == ACCESS_STORE)
        judge_assigned(language, node);
}
