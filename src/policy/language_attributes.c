/* Attributes, by name, of whatever they are asked: underscores, frames, what reaches below tensors. */
#include "language.h"

#include <string.h>

static bool on_message_class(const Node *at) {
    return at->parent != NULL && at->parent->kind == NODE_Attribute &&
           text_equal(node_text(at->parent, FIELD_attr), "__name__");
}

static void judge_dunder(const Language *language, const Node *at, const Things *base, const char *name) {
    if (text_equal(name, "__name__") || (text_equal(name, "__class__") && on_message_class(at)))
        return;
    if (things_all(base, THING_SUPER) && python_table_has("special-methods", name) && language_is_called(at))
        return;
    Finding *finding =
        language_find(language, &RULE_PY_ATTRIBUTE, at, "`%s` starts with two underscores", name);
    if (text_equal(name, "__init__") && language_is_called(at))
        finding->instead = "write super().__init__()";
}

/* Are all of them objects of classes in the program that have the attribute? */
static bool all_define(const Language *language, const Things *base, const char *name) {
    for (size_t i = 0; i < base->count; i++) {
        Thing thing = base->items[i];
        if (thing.kind != THING_INSTANCE && thing.kind != THING_CLASS && thing.kind != THING_SUPER)
            return false;
        if (!names_class_has(language->names, names_scope_made(language->names, thing.file, thing.node),
                             name))
            return false;
    }
    return base->count > 0 && !base->overflow;
}

static bool on_library(const Things *base) {
    return things_have(base, THING_MODULE) || things_have(base, THING_LIBRARY) ||
           things_have(base, THING_BUILTIN) || things_have(base, THING_RESULT);
}

static void judge_underscore(const Language *language, const Node *at, const Things *base, const char *name) {
    if (python_table_has("attributes.namedtuple", name) || things_have(base, THING_MODULE))
        return; /* a module's: check_member */
    bool defined = names_file_defines(language->names, language->file, name) && !on_library(base);
    if (python_table_has("attributes.module", name))
        defined = false;
    if (python_table_has("attributes.tensor", name) || !defined)
        defined = !python_table_has("attributes.module", name) && all_define(language, base, name);
    if (!defined)
        language_find(language, &RULE_PY_ATTRIBUTE, at,
                      "`%s` starts with an underscore and is not this file's own", name);
}

typedef struct Prefix {
    const char *name;
    bool found;
} Prefix;

static bool is_not_prefix(const char *prefix, void *context) {
    Prefix *search = context;
    search->found = text_starts(search->name, prefix);
    return !search->found;
}

static bool any_file_defines(const Language *language, const char *name) {
    for (size_t i = 0; i < language->program->count; i++)
        if (names_file_defines(language->names, language->program->items[i], name))
            return true;
    return false;
}

static void judge_frame(const Language *language, const Node *at, const char *name) {
    Prefix search = {name, false};
    (void)python_table_each("attributes.frame-prefixes", is_not_prefix, &search);
    if (python_table_has("attributes.frame", name) || (search.found && !any_file_defines(language, name)))
        language_find(language, &RULE_PY_FRAME, at, "`%s` is an attribute of frames or code", name);
}

static bool is_hook(const char *name) {
    return text_starts(name, "register_") && strstr(name, "hook") != NULL;
}

/* ---- Assignment to attributes ------------------------------------------------------------- */

static bool is_module_name(const char *name) {
    return python_table_has("attributes.module", name) || text_equal(name, "forward") ||
           text_equal(name, "extra_repr");
}

static void judge_store(const Language *language, const Node *at, const Things *base, const char *name) {
    bool patched = false;
    for (size_t i = 0; i < base->count; i++) {
        Thing thing = base->items[i];
        const Scope *class = thing.kind == THING_INSTANCE || thing.kind == THING_CLASS
                                 ? names_scope_made(language->names, thing.file, thing.node)
                                 : NULL;
        switch (thing.kind) {
        case THING_MODULE:
        case THING_COMPONENT:
        case THING_PACKAGE:
        case THING_LIBRARY:
        case THING_BUILTIN:
            language_find(language, &RULE_PY_ASSIGN, at, "`%s` is assigned to %s", name,
                          thing.kind == THING_COMPONENT ? thing.file->source.name : thing.path);
            break;
        case THING_FUNCTION:
        case THING_METHOD:
            language_find(language, &RULE_PY_ASSIGN, at, "`%s` is assigned to a function", name);
            break;
        case THING_CLASS:
            language_find(language, thing.file == language->file ? &RULE_STATE_WRITTEN : &RULE_CHILD_CLASS,
                          at, "`%s` is assigned to the class %s", name, node_text(thing.node, FIELD_name));
            break;
        case THING_UNKNOWN:
            patched |= is_module_name(name) && !python_table_has("attributes.plain", name);
            break;
        case THING_RESULT: patched |= text_starts(thing.path, "torch.nn.") && is_module_name(name); break;
        case THING_INSTANCE:
            patched |= names_is_module_class(language->names, class) && is_module_name(name);
            break;
        default: break;
        }
    }
    if (patched)
        language_find(language, &RULE_PY_MODULE_NAME, at, "`%s` is a name of nn.Module, and is assigned here",
                      name);
}

/* ---- All of them -------------------------------------------------------------------------- */

static void judge_public(const Language *language, const Node *at, const Things *base, const char *name) {
    if (things_all(base, THING_MODULE))
        return; /* judge_member */
    bool own = all_define(language, base, name);
    if (is_hook(name) && !own)
        language_find(language, &RULE_PY_HOOK, at, "`%s` registers a hook", name);
    else if (python_table_has("attributes.forbidden", name) && !own &&
             !(text_equal(name, "numpy") && language_allows(language, "numpy")))
        language_find(language, &RULE_PY_BELOW, at, "`%s` may not be used", name);
    if (text_equal(name, "data") && !own && !things_have(base, THING_MODULE) &&
        language_reaches(language, at))
        language_find(language, &RULE_PY_DATA, at, "`.data` is used where forward reaches");
    if (text_equal(name, "format") || text_equal(name, "format_map"))
        check_format(language, at, base);
}

void check_attribute(const Language *language, const Node *at, const Things *base, const char *attribute,
                     Access access) {
    for (size_t i = 0; i < base->count; i++)
        check_library_attribute(language, at, &base->items[i], attribute);
    judge_frame(language, at, attribute);
    if (text_starts(attribute, "__"))
        judge_dunder(language, at, base, attribute);
    else if (attribute[0] == '_')
        judge_underscore(language, at, base, attribute);
    else
        judge_public(language, at, base, attribute);
    if (access == ACCESS_STORE)
        judge_store(language, at, base, attribute);
}

/* A pattern asks for attributes too: case Tensor(data=x) */
static void judge_pattern(const Language *language, const Node *node) {
    Things base = {0};
    const Field *names = node_field(node, FIELD_kwd_attrs);
    for (size_t i = 0; names != NULL && i < names->count; i++) {
        const char *name = names->items[i] == NULL ? NULL : node_text(names->items[i], FIELD_id);
        if (name != NULL)
            check_attribute(language, node, &base, name, ACCESS_LOAD);
    }
}

void check_attributes(const Language *language, const Node *node) {
    if (node->kind == NODE_MatchClass)
        judge_pattern(language, node);
    const char *name = node->kind == NODE_Attribute ? node_text(node, FIELD_attr) : NULL;
    const Node *value = node_child(node, FIELD_value);
    if (name == NULL || value == NULL)
        return;
    Things base = language_things(language, value);
    check_attribute(language, node, &base, name, language_access(node));
}
