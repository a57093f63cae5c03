/* Calls that need a closer look: getattr and its kin, what takes names, what makes classes, copies. */
#include "language.h"

#include <string.h>

/* ---- Names that are worked out ------------------------------------------------------------ */

/* f"layer{i}", "layer" + x, "layer%d" % i, "l{}".format(i) */
const char *language_constant_start(const Language *language, const Node *node) {
    if (node->kind == NODE_JoinedStr) {
        const Field *values = node_field(node, FIELD_values);
        return values == NULL || values->count == 0 || values->items[0] == NULL
                   ? NULL
                   : node_string(values->items[0]);
    }
    if (node->kind == NODE_Call) {
        const Node *func = node_child(node, FIELD_func);
        node = func == NULL || !text_equal(node_text(func, FIELD_attr), "format")
                   ? NULL
                   : node_child(func, FIELD_value);
    } else if (node->kind == NODE_BinOp) {
        const Node *operator= node_child(node, FIELD_op);
        node = operator== NULL ||(operator->kind != NODE_Add && operator->kind != NODE_Mod)
                   ? NULL
                   : node_child(node, FIELD_left);
        if (node != NULL && (node->kind == NODE_BinOp || node->kind == NODE_JoinedStr))
            return language_constant_start(language, node);
    } else {
        return NULL;
    }
    const char *text = node == NULL ? NULL : node_string(node);
    return text == NULL ? NULL : arena_strndup(language->arena, text, strcspn(text, "%{"));
}

static bool is_no_longer(const char *name, void *context) {
    return !text_starts(name, context);
}

/* Could a name that starts so be one that rules forbid? Digits follow in honest code: none of those has one
 * there. */
static bool may_become_forbidden(const char *start, Access access) {
    static const char *const SECTIONS[] = {"attributes.forbidden", "attributes.frame"};
    char *context = (char *)(uintptr_t)start;
    for (size_t i = 0; i < COUNT_OF(SECTIONS); i++)
        if (!python_table_each(SECTIONS[i], is_no_longer, context))
            return true;
    if (text_starts("data", start) || text_starts("register_", start) || text_starts(start, "register_"))
        return true;
    return access == ACCESS_STORE && (text_starts("forward", start) || text_starts("extra_repr", start) ||
                                      !python_table_each("attributes.module", is_no_longer, context));
}

static bool is_range(const Language *language, const Node *iterable) {
    Things called = iterable == NULL || iterable->kind != NODE_Call
                        ? (Things){0}
                        : language_things(language, node_child(iterable, FIELD_func));
    return called.count == 1 && called.items[0].kind == THING_BUILTIN &&
           (text_equal(called.items[0].path, "range") || text_equal(called.items[0].path, "enumerate"));
}

/* The i of `for i in range(n)` or of `for i, x in enumerate(xs)`, and nothing else. */
static bool is_counter(const Language *language, const Node *node) {
    const char *name = node == NULL || node->kind != NODE_Name ? NULL : node_text(node, FIELD_id);
    const Variable *variable =
        name == NULL ? NULL : names_variable(names_scope_at(language->names, language->file, node), name);
    for (size_t i = 0; variable != NULL && i < variable->count; i++) {
        const Node *target = variable->items[i].node;
        const Node *holder = target->parent;
        if (holder != NULL && holder->kind == NODE_Tuple) {
            const Field *elements = node_field(holder, FIELD_elts);
            if (elements->items[0] != target)
                return false;
            holder = holder->parent;
        }
        if (holder == NULL || (holder->kind != NODE_For && holder->kind != NODE_comprehension) ||
            !is_range(language, node_child(holder, FIELD_iter)))
            return false;
    }
    return variable != NULL && variable->count > 0;
}

/* f"layer{i}", "layer%d" % x, "layer{}".format(i), "layer" + str(i): only digits come after the constant */
static bool digits_follow(const Language *language, const Node *name) {
    const Node *hole = NULL, *left = node_child(name, FIELD_left), *func = node_child(name, FIELD_func);
    if (name->kind == NODE_JoinedStr) {
        const Field *values = node_field(name, FIELD_values);
        hole = values != NULL && values->count > 1 ? values->items[1] : NULL;
        hole = hole != NULL && hole->kind == NODE_FormattedValue ? node_child(hole, FIELD_value) : NULL;
    } else if (name->kind == NODE_BinOp && left != NULL && node_string(left) != NULL) {
        const char *percent = strchr(node_string(left), '%');
        if (percent != NULL)
            return percent[1] == 'd';
        const Node *right = node_child(name, FIELD_right);
        func = right != NULL && right->kind == NODE_Call ? node_child(right, FIELD_func) : NULL;
        hole =
            func != NULL && text_equal(node_text(func, FIELD_id), "str") ? language_argument(right, 0) : NULL;
    } else if (name->kind == NODE_Call && func != NULL && text_equal(node_text(func, FIELD_attr), "format")) {
        hole = language_argument(name, 0);
    }
    return is_counter(language, hole);
}

static bool starts_at_self(const Language *language, const Node *base) {
    while (base != NULL && (base->kind == NODE_Attribute || base->kind == NODE_Subscript))
        base = node_child(base, FIELD_value);
    Things things = language_things(language, base);
    return base != NULL && base->kind == NODE_Name && things_all(&things, THING_INSTANCE);
}

static void judge_getattr(const Language *language, const Node *call, const char *builtin) {
    const Node *base = language_argument(call, 0), *name = language_argument(call, 1);
    bool stores = text_equal(builtin, "setattr") || text_equal(builtin, "delattr");
    if (language_has_star(call) || base == NULL || name == NULL) {
        language_find(language, &RULE_PY_GETATTR, call,
                      "%s is called without saying on what and for which name", builtin);
        return;
    }
    const char *constant = node_string(name);
    if (constant != NULL) {
        Things things = language_things(language, base);
        check_attribute(language, call, &things, constant, stores ? ACCESS_STORE : ACCESS_LOAD);
        return;
    }
    const char *start = language_constant_start(language, name);
    bool letter =
        start != NULL && ((start[0] >= 'a' && start[0] <= 'z') || (start[0] >= 'A' && start[0] <= 'Z'));
    if (!starts_at_self(language, base) || !letter)
        language_find(language, &RULE_PY_GETATTR, call, "%s takes a name that is worked out", builtin);
    else if (!digits_follow(language, name) &&
             may_become_forbidden(start, stores ? ACCESS_STORE : ACCESS_LOAD))
        language_find(language, &RULE_PY_GETATTR, call,
                      "%s takes a name that starts with \"%s\" and may be any other", builtin, start);
}

/* operator.attrgetter("a.b") and methodcaller("a") count as getattr. */
static void judge_getter(const Language *language, const Node *call, const char *path) {
    size_t count = text_equal(path, "operator.methodcaller") ? 1 : SIZE_MAX;
    Things base = {0};
    if (language_has_star(call))
        language_find(language, &RULE_PY_GETATTR, call, "%s takes constant names", path);
    for (size_t i = 0; i < count && language_argument(call, i) != NULL; i++) {
        const char *text = node_string(language_argument(call, i));
        if (text == NULL) {
            language_find(language, &RULE_PY_GETATTR, call, "%s takes a name that is worked out", path);
            continue;
        }
        for (const char *part = text; part != NULL;
             part = strchr(part, '.') == NULL ? NULL : strchr(part, '.') + 1)
            check_attribute(language, call, &base, arena_strndup(language->arena, part, strcspn(part, ".")),
                            ACCESS_LOAD);
    }
}

/* ---- Classes that are made by calls ------------------------------------------------------- */

static bool is_constant_names(const Node *node) {
    if (node == NULL || node_string(node) != NULL)
        return node != NULL;
    const Field *elements =
        node->kind == NODE_List || node->kind == NODE_Tuple ? node_field(node, FIELD_elts) : NULL;
    for (size_t i = 0; elements != NULL && i < elements->count; i++) {
        const Node *element = elements->items[i];
        const Field *pair =
            element != NULL && element->kind == NODE_Tuple ? node_field(element, FIELD_elts) : NULL;
        if (pair != NULL && pair->count > 0)
            element = pair->items[0];
        if (element == NULL || node_string(element) == NULL)
            return false;
    }
    return elements != NULL;
}

static void judge_class_maker(const Language *language, const Node *call, const char *path) {
    static const char *const NAMED[] = {"collections.namedtuple", "typing.NamedTuple", "typing.TypedDict",
                                        "typing_extensions.TypedDict"};
    static const char *const NEVER[] = {"abc.ABCMeta"};
    for (size_t i = 0; i < COUNT_OF(NAMED); i++)
        if (text_equal(path, NAMED[i]) && (language_has_star(call) || language_argument(call, 0) == NULL ||
                                           node_string(language_argument(call, 0)) == NULL ||
                                           !is_constant_names(language_argument(call, 1))))
            language_find(language, &RULE_PY_CLASS_MADE, call, "%s is called with names that are worked out",
                          path);
    bool makes =
        text_starts(path, "enum.") && python_table_has("enum", path + 5) && path[5] >= 'A' && path[5] <= 'Z';
    for (size_t i = 0; i < COUNT_OF(NEVER); i++)
        makes |= text_equal(path, NEVER[i]);
    if (makes)
        language_find(language, &RULE_PY_CLASS_MADE, call, "calling %s makes a class", path);
}

/* ---- type(x) ------------------------------------------------------------------------------ */

static bool may_be_class(const Things *things) {
    for (size_t i = 0; i < things->count; i++)
        if (things->items[i].kind == THING_CLASS ||
            (things->items[i].kind == THING_RESULT && text_equal(things->items[i].path, "type")) ||
            (things->items[i].kind == THING_BUILTIN && text_equal(things->items[i].path, "type")))
            return true;
    return false;
}

static void judge_type(const Language *language, const Node *call) {
    const Node *first = language_argument(call, 0);
    Things things = language_things(language, first);
    if (language_has_star(call) || language_argument(call, 1) != NULL) {
        language_find(language, &RULE_PY_CLASS_MADE, call, "type with three arguments makes a class");
    } else if (may_be_class(&things)) {
        language_find(language, &RULE_PY_CLASS_MADE, call, "type of a class is what makes classes");
    } else if (call->parent->kind != NODE_Compare && call->parent->kind != NODE_Attribute &&
               !language_is_called(call) && !language_is_message(language, call)) {
        language_find(language, &RULE_PY_CLASS_MADE, call,
                      "type(...) is compared, called or asked, never kept or passed on");
    }
}

/* type(x)(...): of an object it makes another; of a class, a class */
static void judge_type_called(const Language *language, const Node *call, const Node *func) {
    Things things = language_things(language, func);
    if (things_find(&things, THING_RESULT, "type") != NULL &&
        (language_has_star(call) || language_argument(call, 2) != NULL))
        language_find(language, &RULE_PY_CLASS_MADE, call,
                      "type(...) called with three arguments may make a class");
}

/* ---- All calls ---------------------------------------------------------------------------- */

static bool is_getattr(const char *builtin) {
    return python_table_has("builtins.called", builtin) && text_ends(builtin, "attr");
}

static void judge_library_call(const Language *language, const Node *call, const char *path) {
    if (text_equal(path, "operator.attrgetter") || text_equal(path, "operator.methodcaller"))
        judge_getter(language, call, path);
    if ((text_equal(path, "copy.copy") || text_equal(path, "copy.deepcopy")) &&
        language_reaches(language, call))
        language_find(language, &RULE_PY_COPY, call, "%s is called where forward reaches", path);
    judge_class_maker(language, call, path);
}

/* Functions that need constant arguments may only be called. */
static void judge_passed(const Language *language, const Node *node) {
    static const char *const CALLED[] = {"operator.attrgetter", "operator.methodcaller",
                                         "collections.namedtuple"};
    Things things = language_things(language, node);
    for (size_t i = 0; i < COUNT_OF(CALLED); i++)
        if (things_find(&things, THING_LIBRARY, CALLED[i]) != NULL && !language_is_called(node) &&
            node->parent->kind != NODE_Attribute)
            language_find(language, &RULE_PY_GETATTR, node, "%s may be called, but not kept or passed on",
                          CALLED[i]);
}

void check_calls(const Language *language, const Node *node) {
    if ((node->kind == NODE_Name || node->kind == NODE_Attribute) && language_access(node) == ACCESS_LOAD)
        judge_passed(language, node);
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    if (func == NULL)
        return;
    Things called = language_things(language, func);
    for (size_t i = 0; i < called.count; i++) {
        Thing thing = called.items[i];
        if (thing.kind == THING_BUILTIN && is_getattr(thing.path))
            judge_getattr(language, node, thing.path);
        if (thing.kind == THING_BUILTIN && text_equal(thing.path, "type"))
            judge_type(language, node);
        if (thing.kind == THING_LIBRARY)
            judge_library_call(language, node, thing.path);
    }
    judge_type_called(language, node, func);
}
