/* Classes: what they derive from, what they define, and what decorates them and their methods. */
#include "language.h"

#include <string.h>

/* ---- Bases -------------------------------------------------------------------------------- */

static bool is_library_base(const char *path) {
    static const char *const BASES[] = {
        "abc.ABC",
        "typing.NamedTuple",
        "typing.Generic",
        "typing.Protocol",
        "typing.TypedDict",
        "typing_extensions.Protocol",
        "typing_extensions.TypedDict",
    };
    for (size_t i = 0; i < COUNT_OF(BASES); i++)
        if (text_equal(BASES[i], path))
            return true;
    return text_starts(path, "enum.") && path[5] >= 'A' && path[5] <= 'Z';
}

static bool is_torch_class(const char *path) {
    return text_starts(path, "torch.nn.") && strchr(path + 9, '.') == NULL && path[9] >= 'A' &&
           path[9] <= 'Z' && !python_table_has("torch.nn", path + 9);
}

static void judge_library_base(const Language *language, const Node *base, const char *path) {
    bool child = language->file->part == PART_CHILD;
    if (is_library_base(path) || text_equal(path, "torch.nn.Module") || (child && is_torch_class(path)))
        return;
    if (text_equal(path, "torch.autograd.Function") && child) {
        Place place = node_place(&language->file->tree, base);
        (void)findings_add(language->findings, &RULE_PY_FUNCTION_CLASS, SEVERITY_NOTE, place,
                           "a custom autograd Function is opaque: what it computes is at most tested");
        return;
    }
    language_find(language, &RULE_PY_BASE, base, "a class derives from %s%s", path,
                  !is_torch_class(path) ? ""
                  : language->file->part == PART_HELPER
                      ? ", which only a component may, and a file without a "
                        "class Model is none"
                      : ", which only a component may");
}

static void judge_base(const Language *language, const Node *base) {
    Things things = language_things(language, base);
    if (things.count == 0)
        language_find(language, &RULE_PY_BASE, base, "a class derives from %s, which is nothing known",
                      language_text(language, base));
    for (size_t i = 0; i < things.count; i++) {
        Thing thing = things.items[i];
        if (thing.kind == THING_LIBRARY) {
            judge_library_base(language, base, thing.path);
        } else if (thing.kind == THING_CLASS) {
            if (thing.file != language->file && thing.file->part == PART_CHILD)
                language_find(language, &RULE_CHILD_CLASS, base, "%s of %s is subclassed",
                              node_text(thing.node, FIELD_name), thing.file->source.name);
        } else if (thing.kind == THING_BUILTIN) {
            if (!text_equal(thing.path, "object") && !python_table_has("builtins.exceptions", thing.path))
                language_find(language, &RULE_PY_BASE, base, "a class derives from %s", thing.path);
        } else {
            language_find(language, &RULE_PY_BASE, base, "a class derives from %s, which may be anything",
                          language_text(language, base));
        }
    }
}

static void judge_class_keyword(const Language *language, const Node *keyword) {
    const char *name = node_text(keyword, FIELD_arg);
    const Node *value = node_child(keyword, FIELD_value);
    Things things = language_things(language, value);
    bool plain = text_equal(name, "total") || text_equal(name, "boundary");
    bool abstract = text_equal(name, "metaclass") && things.count == 1 &&
                    things.items[0].kind == THING_LIBRARY && text_equal(things.items[0].path, "abc.ABCMeta");
    if (!plain && !abstract)
        language_find(
            language, &RULE_PY_METACLASS, value == NULL ? keyword : value, "a class statement has %s",
            name == NULL ? "keywords that are worked out" : arena_printf(language->arena, "%s=", name));
}

/* ---- What a class body and its methods define --------------------------------------------- */

static void judge_defined(const Language *language, const Scope *class, const char *name, const Node *at,
                          bool is_function) {
    bool module = names_is_module_class(language->names, class);
    if (text_starts(name, "__") && text_ends(name, "__")) {
        bool allowed = is_function && python_table_has("special-methods", name) &&
                       !(module && text_equal(name, "__call__"));
        if (!allowed)
            language_find(language, &RULE_PY_SPECIAL_METHOD, at, "the class %s defines %s",
                          node_text(class->node, FIELD_name), name);
    } else if (module && (python_table_has("attributes.module", name) ||
                          (!is_function && text_equal(name, "forward")))) {
        language_find(language, &RULE_PY_MODULE_NAME, at, "the class %s defines %s, a name of nn.Module",
                      node_text(class->node, FIELD_name), name);
    } else if (python_table_has("attributes.frame", name)) {
        language_find(language, &RULE_PY_FRAME, at, "the class %s defines %s, a name of frames or code",
                      node_text(class->node, FIELD_name), name);
    }
}

static void judge_body(const Language *language, const Node *node) {
    const Scope *class = names_scope_made(language->names, language->file, node);
    for (size_t i = 0; i < class->variables->count; i++) {
        const Variable *variable = class->variables->items[i].value;
        for (size_t j = 0; j < variable->count; j++) {
            const NameBinding *binding = &variable->items[j];
            if (binding->judged)
                judge_defined(language, class, variable->name, binding->node,
                              binding->kind == BINDING_DEFINITION && binding->node->kind == NODE_FunctionDef);
        }
    }
}

/* ---- Decorators --------------------------------------------------------------------------- */

/* @size.setter, where size is a property of the class */
static bool is_property_part(const Language *language, const Node *decorator) {
    static const char *const PARTS[] = {"setter", "getter", "deleter"};
    const char *part = decorator->kind == NODE_Attribute ? node_text(decorator, FIELD_attr) : NULL;
    const Node *base = part == NULL ? NULL : node_child(decorator, FIELD_value);
    const Scope *scope = names_scope_at(language->names, language->file, decorator);
    if (base == NULL || base->kind != NODE_Name || scope->kind != SCOPE_CLASS)
        return false;
    for (size_t i = 0; i < COUNT_OF(PARTS); i++)
        if (text_equal(part, PARTS[i]))
            return table_has(scope->variables, node_text(base, FIELD_id));
    return false;
}

static bool is_decorator(const Language *language, Thing thing) {
    static const char *const BUILTINS[] = {"staticmethod", "classmethod", "property"};
    switch (thing.kind) {
    case THING_BUILTIN:
        for (size_t i = 0; i < COUNT_OF(BUILTINS); i++)
            if (text_equal(thing.path, BUILTINS[i]))
                return true;
        return false;
    case THING_LIBRARY: /* whether it may be used at all: check_member */ return true;
    case THING_FUNCTION:
    case THING_CLASS: return thing.file == language->file || thing.file->part == PART_HELPER;
    default: return false;
    }
}

static void judge_decorators(const Language *language, const Node *node) {
    const Field *decorators = node_field(node, FIELD_decorator_list);
    for (size_t i = 0; decorators != NULL && i < decorators->count; i++) {
        const Node *decorator = decorators->items[i];
        if (decorator == NULL || is_property_part(language, decorator))
            continue;
        const Node *function = decorator->kind == NODE_Call ? node_child(decorator, FIELD_func) : decorator;
        Things things = language_things(language, function);
        bool known = things.count > 0 && !things.overflow && decorator->kind != NODE_Lambda;
        for (size_t j = 0; j < things.count; j++)
            known &= is_decorator(language, things.items[j]);
        if (!known)
            language_find(language, &RULE_PY_DECORATOR, decorator, "`%s` decorates %s",
                          language_text(language, function), node_text(node, FIELD_name));
    }
}

void check_classes(const Language *language, const Node *node) {
    if (node->kind == NODE_FunctionDef || node->kind == NODE_AsyncFunctionDef || node->kind == NODE_ClassDef)
        judge_decorators(language, node);
    if (node->kind != NODE_ClassDef)
        return;
    const Field *bases = node_field(node, FIELD_bases), *keywords = node_field(node, FIELD_keywords);
    for (size_t i = 0; bases != NULL && i < bases->count; i++)
        if (bases->items[i] != NULL)
            judge_base(language, bases->items[i]);
    for (size_t i = 0; keywords != NULL && i < keywords->count; i++)
        if (keywords->items[i] != NULL)
            judge_class_keyword(language, keywords->items[i]);
    judge_body(language, node);
}
