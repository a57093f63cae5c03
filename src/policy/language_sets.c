/* The order of sets. Strings hash by a seed that each process draws, objects by their address; cells all have
 * one seed. What that order decided would be the same in every trial, and something else where the model is
 * used. So a set is asked for its members only, and what a set is kept in is followed. Views of a dict's keys
 * and items have the dict's order, but operators make sets of them. */
#include "language_sets.h"

#include <string.h>

static bool is_among(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; name != NULL && i < count; i++)
        if (text_equal(name, names[i]))
            return true;
    return false;
}

#define AMONG(name, names) is_among(name, names, COUNT_OF(names))

static void find_order(const Language *language, const Node *node, SetKind kind) {
    if (kind == KIND_SET)
        language_find(language, &RULE_PY_SET_ORDER, node,
                      "%s is a set, and may be asked for its order or handed to what asks for it",
                      language_text(language, node));
    else
        language_find(language, &RULE_PY_SET_ORDER, node,
                      "%s is a view of a dict, and may be handed to what makes a set of it",
                      language_text(language, node));
}

static bool is_set_operator(const Node *node) {
    const Node *op = node_child(node, FIELD_op);
    return op != NULL && (op->kind == NODE_BitAnd || op->kind == NODE_BitOr || op->kind == NODE_BitXor ||
                          op->kind == NODE_Sub);
}

static bool has_keyword(const Node *call, const char *name) {
    const Field *keywords = node_list(call, FIELD_keywords);
    for (size_t i = 0; i < keywords->count; i++) {
        const char *arg = keywords->items[i] == NULL ? NULL : node_text(keywords->items[i], FIELD_arg);
        if (arg == NULL || text_equal(arg, name))
            return true;
    }
    return false;
}

/* ---- What makes one ----------------------------------------------------------------------- */

static const char *const CLASSES[] = {"set", "frozenset"};
static const char *const VIEWS[] = {"keys", "items"};
static const char *const VIEW_CLASSES[] = {"collections.abc.KeysView", "collections.abc.ItemsView",
                                           "typing.KeysView", "typing.ItemsView"};

/* The builtin itself: another name of it is a finding where it is given. */
static bool names_set(const Language *language, const Node *node) {
    if (node == NULL || node->kind != NODE_Name || !AMONG(node_text(node, FIELD_id), CLASSES))
        return false;
    const Things things = language_things(language, node);
    return things_find(&things, THING_BUILTIN, node_text(node, FIELD_id)) != NULL;
}

/* {"a", "b"} or set(names): what is surely a set. */
static bool makes_set(const Language *language, const Node *node) {
    return node != NULL && (node->kind == NODE_Set || node->kind == NODE_SetComp ||
                            (node->kind == NODE_Call && names_set(language, node_child(node, FIELD_func))));
}

/* nn.ModuleDict, TypedDict */
static bool is_dict_class(const Language *language, const Scope *class, int depth) {
    bool dict = depth >= 16 || class->bases.overflow;
    for (size_t i = 0; !dict && i < class->bases.count; i++) {
        const Thing *base = &class->bases.items[i];
        dict = base->kind == THING_CLASS
                   ? is_dict_class(language, names_scope_made(language->names, base->file, base->node),
                                   depth + 1)
                   : base->path == NULL || text_ends(base->path, "Dict");
    }
    return dict;
}

/* An object or module of the candidate's own, and no dict: what it has by that name is its own too. */
static bool is_own(const Language *language, const Node *object) {
    const Things things = language_things(language, object);
    bool own = things.count > 0 && !things.overflow;
    for (size_t i = 0; own && i < things.count; i++) {
        const Thing *thing = &things.items[i];
        own = thing->kind == THING_COMPONENT ||
              (thing->kind == THING_INSTANCE &&
               !is_dict_class(language, names_scope_made(language->names, thing->file, thing->node), 0));
    }
    return own;
}

/* A class of Python's or torch's: its method is called with the object. */
static bool may_be_class(const Language *language, const Node *object) {
    const Node *root = object;
    while (root != NULL && (root->kind == NODE_Attribute || root->kind == NODE_Subscript))
        root = node_child(root, FIELD_value);
    const Things things = names_inside(language->names, language->file, object);
    return root == NULL || root->kind != NODE_Name || things.overflow ||
           things_have(&things, THING_BUILTIN) || things_have(&things, THING_LIBRARY);
}

/* d.keys(), dict.items(d). Not self.keys(x), a layer. */
static bool makes_view(const Language *language, const Node *node) {
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    if (func == NULL || func->kind != NODE_Attribute || !AMONG(node_text(func, FIELD_attr), VIEWS))
        return false;
    const Node *object = node_child(func, FIELD_value);
    return language_argument(node, 0) == NULL || language_has_star(node) ? !is_own(language, object)
                                                                         : may_be_class(language, object);
}

/* ---- Where it may stand ------------------------------------------------------------------- */

static bool is_number(const Node *node) {
    if (node != NULL && node->kind == NODE_UnaryOp)
        node = node_child(node, FIELD_operand);
    return node != NULL && node->kind == NODE_Constant &&
           (node->constant == CONSTANT_INT || node->constant == CONSTANT_BOOL);
}

/* for axis in {1, 2}: whole numbers are their own hashes */
static bool is_display_of_numbers(const Node *node) {
    bool all = node->kind == NODE_Set;
    const Field *elements = node_list(node, FIELD_elts);
    for (size_t i = 0; i < elements->count; i++)
        all = all && is_number(elements->items[i]);
    return all;
}

static bool builtin_takes(const Node *call, const char *name, SetKind kind) {
    static const char *const askers[] = {"len", "bool",  "any",       "all",
                                         "set", "print", "frozenset", "isinstance"};
    static const char *const takers[] = {"list", "tuple",    "dict", "enumerate", "zip", "map",   "filter",
                                         "iter", "reversed", "str",  "repr",      "sum", "sorted"};
    const bool extreme = text_equal(name, "min") || text_equal(name, "max");
    if (AMONG(name, askers))
        return true;
    if (extreme && language_argument(call, 1) != NULL)
        return false;
    if (kind == KIND_SET) /* with a key, equals keep the order in which they come */
        return (extreme || text_equal(name, "sorted")) && !has_keyword(call, "key");
    return extreme || AMONG(name, takers);
}

static bool library_takes(const char *path) {
    static const char *const takers[] = {"collections.OrderedDict", "collections.deque", "itertools.chain",
                                         "itertools.product"};
    return AMONG(path, takers) || (text_starts(path, "torch.nn.") && path[9] >= 'A' && path[9] <= 'Z');
}

static bool is_only_set(const Language *language, const Node *receiver) {
    const Variable *variable = receiver->kind != NODE_Name
                                   ? NULL
                                   : names_variable(names_scope_at(language->names, language->file, receiver),
                                                    node_text(receiver, FIELD_id));
    bool all = variable != NULL && variable->count > 0;
    for (size_t i = 0; all && i < variable->count; i++)
        all = variable->items[i].kind == BINDING_VALUE && makes_set(language, variable->items[i].value);
    return all;
}

/* known.update(names), ", ".join(d.keys()): methods of sets, lists, dicts and texts. */
static bool method_takes(const Language *language, const Node *func, SetKind kind) {
    static const char *const askers[] = {"issubset",
                                         "issuperset",
                                         "isdisjoint",
                                         "union",
                                         "intersection",
                                         "difference",
                                         "symmetric_difference",
                                         "intersection_update",
                                         "difference_update",
                                         "symmetric_difference_update"};
    static const char *const takers[] = {"update", "extend", "join", "fromkeys"};
    const char *name = node_text(func, FIELD_attr);
    if (set_uses_define(language->sets, name))
        return false;
    return AMONG(name, askers) || (kind == KIND_VIEW && AMONG(name, takers)) ||
           (text_equal(name, "update") && is_only_set(language, node_child(func, FIELD_value)));
}

static bool gives_set(const char *method) {
    static const char *const names[] = {"union", "intersection", "difference", "symmetric_difference",
                                        "copy"};
    return AMONG(method, names);
}

static void judge_argument(const Language *language, const Node *call, const Node *node, SetKind kind) {
    const Node *func = node_child(call, FIELD_func);
    const Things called = language_things(language, func);
    bool takes = called.count > 0 && !called.overflow && func != node;
    for (size_t i = 0; i < called.count; i++) {
        const Thing *thing = &called.items[i];
        takes = takes && thing->path != NULL &&
                ((thing->kind == THING_BUILTIN && builtin_takes(call, thing->path, kind)) ||
                 (thing->kind == THING_LIBRARY && kind == KIND_VIEW && library_takes(thing->path)));
    }
    const bool method = func != NULL && func->kind == NODE_Attribute;
    if (takes)
        return;
    if (!method || !method_takes(language, func, kind))
        find_order(language, node, kind);
    else if (gives_set(node_text(func, FIELD_attr)))
        set_follow(language, call, KIND_SET);
}

static void judge_receiver(const Language *language, const Node *attribute, const Node *node, SetKind kind) {
    static const char *const changes[] = {"add",
                                          "discard",
                                          "remove",
                                          "clear",
                                          "update",
                                          "intersection_update",
                                          "difference_update",
                                          "symmetric_difference_update",
                                          "isdisjoint",
                                          "issubset",
                                          "issuperset"};
    const char *name = node_text(attribute, FIELD_attr);
    const bool called = language_is_called(attribute);
    if (called && gives_set(name))
        set_follow(language, attribute->parent, KIND_SET);
    else if (!called || !AMONG(name, changes))
        find_order(language, node, kind);
}

static void judge_given(const Language *language, const Node *target, const Node *node, SetKind kind) {
    if (target != NULL && target->kind == NODE_Name)
        set_follow_name(language, target, kind);
    else if (target != NULL && target->kind == NODE_Attribute)
        set_follow_attribute(language, target, kind);
    else if (target == NULL || target->kind == NODE_Subscript || kind == KIND_SET)
        find_order(language, node, kind); /* a tuple takes it apart */
}

static void judge_assigned(const Language *language, const Node *parent, const Node *node, SetKind kind) {
    const Field *targets = node_list(parent, FIELD_targets);
    if (parent->kind != NODE_Assign)
        judge_given(language, node_child(parent, FIELD_target), node, kind);
    for (size_t i = 0; i < targets->count; i++)
        judge_given(language, targets->items[i], node, kind);
}

/* An exception's text, where no handler reads it. */
static bool is_raised(const Language *language, const Node *node) {
    for (; node->parent != NULL; node = node->parent)
        if (node->parent->kind == NODE_Raise)
            return !set_uses_handle(language->sets);
    return false;
}

void set_follow(const Language *language, const Node *node, SetKind kind) {
    const Node *parent = node->parent;
    bool harmless = false;
    switch (parent->kind) {
    case NODE_Expr:
    case NODE_Compare:
    case NODE_If:
    case NODE_While: return;
    case NODE_Assert: harmless = node_child(parent, FIELD_test) == node; break;
    case NODE_For:
    case NODE_comprehension:
        harmless = node_child(parent, FIELD_iter) != node || kind == KIND_VIEW || is_display_of_numbers(node);
        break;
    case NODE_UnaryOp: harmless = node_child(parent, FIELD_op)->kind == NODE_Not; break;
    case NODE_Starred:
        harmless = kind == KIND_VIEW || (parent->parent != NULL && parent->parent->kind == NODE_Set);
        break;
    case NODE_FormattedValue: harmless = kind == KIND_VIEW || is_raised(language, node); break;
    case NODE_IfExp:
        if (node_child(parent, FIELD_test) == node)
            return;
        set_follow(language, parent, kind);
        return;
    case NODE_BoolOp: set_follow(language, parent, kind); return;
    case NODE_BinOp:
        if (!is_set_operator(parent))
            break;
        set_follow(language, parent, KIND_SET);
        return;
    case NODE_AugAssign:
        if (!is_set_operator(parent))
            break;
        judge_assigned(language, parent, node, KIND_SET);
        return;
    case NODE_NamedExpr:
        judge_assigned(language, parent, node, kind);
        set_follow(language, parent, kind);
        return;
    case NODE_Assign:
    case NODE_AnnAssign: judge_assigned(language, parent, node, kind); return;
    case NODE_Attribute: judge_receiver(language, parent, node, kind); return;
    case NODE_Call: judge_argument(language, parent, node, kind); return;
    default: break;
    }
    if (!harmless)
        find_order(language, node, kind);
}

/* ---- What could make one unseen ----------------------------------------------------------- */

/* dataclasses.fields(C)[0].type is what the annotation says. */
static bool is_plain_annotation(const Node *node) {
    for (; node->parent != NULL; node = node->parent) {
        const Node *statement = node->parent;
        if (statement->kind == NODE_AnnAssign && node_child(statement, FIELD_annotation) == node)
            return statement->parent->kind != NODE_ClassDef ||
                   node_list(statement->parent, FIELD_decorator_list)->count == 0;
    }
    return true;
}

static bool is_asked_about(const Language *language, const Node *node) {
    const Node *call = node->parent->kind == NODE_Tuple ? node->parent->parent : node->parent;
    if (call == NULL || call->kind != NODE_Call)
        return false;
    const Things called = language_things(language, node_child(call, FIELD_func));
    return called.count == 1 && (things_find(&called, THING_BUILTIN, "isinstance") != NULL ||
                                 things_find(&called, THING_BUILTIN, "issubclass") != NULL);
}

static void judge_class(const Language *language, const Node *node) {
    if (language_is_annotation(node) ? !is_plain_annotation(node)
                                     : !language_is_called(node) && !is_asked_about(language, node))
        language_find(language, &RULE_PY_SET_ORDER, node, "%s is kept or passed on",
                      node_text(node, FIELD_id));
}

static bool is_view_class(const Language *language, const Node *node) {
    if ((node->kind != NODE_Name && node->kind != NODE_Attribute) || language_is_annotation(node))
        return false;
    const Things things = language_things(language, node);
    for (size_t i = 0; i < COUNT_OF(VIEW_CLASSES); i++)
        if (things_find(&things, THING_LIBRARY, VIEW_CLASSES[i]) != NULL)
            return true;
    return false;
}

/* d.keys, not called here */
static bool is_method_of_view(const Language *language, const Node *node) {
    return node->kind == NODE_Attribute && language_access(node) == ACCESS_LOAD &&
           AMONG(node_text(node, FIELD_attr), VIEWS) && !language_is_called(node) &&
           node->parent->kind != NODE_Attribute && node->parent->kind != NODE_Subscript &&
           !is_own(language, node_child(node, FIELD_value));
}

/* "keys", or `start` of it and something worked out */
static bool may_name_view(const char *name, const char *start) {
    bool may = AMONG(name, VIEWS);
    for (size_t i = 0; name == NULL && start != NULL && i < COUNT_OF(VIEWS); i++)
        may = may || text_starts(VIEWS[i], start);
    return may;
}

static bool getter_names_view(const Node *call) {
    bool found = false;
    for (size_t i = 0; language_argument(call, i) != NULL; i++)
        for (const char *part = node_string(language_argument(call, i)); part != NULL;
             part = strchr(part, '.') == NULL ? NULL : strchr(part, '.') + 1)
            for (size_t v = 0; v < COUNT_OF(VIEWS); v++)
                found = found || (text_starts(part, VIEWS[v]) && strcspn(part, ".") == strlen(VIEWS[v]));
    return found;
}

/* getattr(d, "keys"), operator.methodcaller("keys"), and what has a method for equals that differ */
static bool is_hidden(const Language *language, const Node *call) {
    const Things called = language_things(language, node_child(call, FIELD_func));
    const Node *name = language_argument(call, 1);
    if (things_find(&called, THING_BUILTIN, "getattr") != NULL)
        return name != NULL && may_name_view(node_string(name), language_constant_start(language, name)) &&
               !is_own(language, language_argument(call, 0));
    if (things_find(&called, THING_LIBRARY, "operator.methodcaller") != NULL ||
        things_find(&called, THING_LIBRARY, "operator.attrgetter") != NULL)
        return getter_names_view(call);
    return things_find(&called, THING_LIBRARY, "dataclasses.dataclass") != NULL && has_keyword(call, "order");
}

void check_sets(const Language *language, const Node *node) {
    if (node->parent == NULL)
        return;
    if (makes_set(language, node))
        set_follow(language, node, KIND_SET);
    else if (makes_view(language, node))
        set_follow(language, node, KIND_VIEW);
    else if (node->kind == NODE_Name && language_access(node) == ACCESS_LOAD && names_set(language, node))
        judge_class(language, node);
    else if (is_view_class(language, node) || is_method_of_view(language, node) ||
             (node->kind == NODE_Call && is_hidden(language, node)))
        language_find(language, &RULE_PY_SET_ORDER, node,
                      "%s may give a view of a dict, or objects of equal order",
                      language_text(language, node));
}
