/* torch's modules and those of children: what __init__ builds, and what is asked of them. */
#include "flow.h"

#include <ctype.h>
#include <string.h>

static const char *const PLUMBING[] = {"Identity",  "Flatten",   "Unflatten",
                                       "ZeroPad1d", "ZeroPad2d", "ZeroPad3d"};
static const char *const CONTAINERS[] = {"ModuleList", "ModuleDict", "Sequential"};
static const char *const PARAMETERS[] = {"Parameter", "ParameterList",          "ParameterDict",
                                         "Buffer",    "UninitializedParameter", "UninitializedBuffer"};

static bool is_one_of(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (text_equal(name, names[i]))
            return true;
    return false;
}

static const char *last_name(const char *dotted) {
    const char *dot = strrchr(dotted, '.');
    return dot != NULL ? dot + 1 : dotted;
}

bool flow_is_nn_class(const char *torch_name) {
    return text_starts(torch_name, "torch.nn.") && !text_starts(torch_name, "torch.nn.functional.") &&
           isupper((unsigned char)last_name(torch_name)[0]);
}

/* ---- Building ----------------------------------------------------------------------------- */

static const Meaning *build_container(Flow *flow, const Node *at, const char *name,
                                      const Arguments *arguments) {
    Object *object = object_new(flow);
    object->exact = text_equal(name, "Sequential") && arguments->starred == NULL;
    for (size_t i = 0; i < arguments->count; i++) {
        const Meaning *item = arguments->items[i];
        const Sense *list = item->count == 1 ? meaning_first(item, SENSE_LIST) : NULL;
        if (text_equal(name, "Sequential") && list == NULL) {
            if (object->exact)
                *(const Meaning **)ARENA_PUSH(flow->arena, object) = item;
            else
                list_add(flow, object, item);
            continue;
        }
        for (size_t j = 0; list != NULL && j < list->object->named->count; j++)
            table_put(object->named, list->object->named->items[j].key, list->object->named->items[j].value);
        for (size_t j = 0; list != NULL && list->object->exact && j < list->object->count; j++)
            *(const Meaning **)ARENA_PUSH(flow->arena, object) = list->object->items[j];
        object->exact = list != NULL && list->object->exact;
        object->rest = meaning_join(flow, object->rest,
                                    list == NULL ? flow_elements(flow, at, item) : list->object->rest);
    }
    object->rest = meaning_join(flow, object->rest, arguments->starred);
    return meaning_of(flow, (Sense){.kind = SENSE_MODULES, .object = object, .text = name});
}

const Meaning *flow_build_module(Flow *flow, const Node *at, const char *torch_name,
                                 const Arguments *arguments) {
    const char *name = last_name(torch_name);
    if (is_one_of(name, CONTAINERS, COUNT_OF(CONTAINERS)))
        return build_container(flow, at, name, arguments);
    if (is_one_of(name, PLUMBING, COUNT_OF(PLUMBING)))
        return meaning_name(flow, SENSE_PLUMBING, name);
    if (text_equal(name, "Module"))
        return meaning_name(flow, SENSE_PLUMBING, name);
    if (is_one_of(name, PARAMETERS, COUNT_OF(PARAMETERS))) {
        flow_report(flow, &RULE_INIT_PARAMETER, SEVERITY_VIOLATION, at, NULL,
                    "%s makes a parameter outside any child", torch_name);
        return meaning_data(flow, ORIGIN_OF_CHILD, NUMBER_ANY);
    }
    flow_report(flow, &RULE_INIT_MODULE, SEVERITY_VIOLATION, at, NULL, "%s is built here", torch_name);
    return meaning_name(flow, SENSE_RAW, torch_name);
}

/* ---- Methods of every module -------------------------------------------------------------- */

static Object *object_of_module(const Sense *module) {
    return module->kind == SENSE_INSTANCE || module->kind == SENSE_MODULES ? module->object : NULL;
}

static const Meaning *parameters_of(Flow *flow, const char *name) {
    const Meaning *parameter = meaning_of(flow, (Sense){.kind = SENSE_PARAMETER});
    const Meaning *const pair[] = {flow->plain, parameter};
    return list_of_any(flow, text_starts(name, "named_") ? list_of(flow, pair, 2) : parameter);
}

static const Meaning *modules_of(Flow *flow, const Sense *module, const char *name) {
    const Object *object = object_of_module(module);
    const Meaning *all = object != NULL ? object_everything(flow, object) : NULL;
    const Meaning *modules = NULL;
    for (size_t i = 0; all != NULL && i < all->count; i++) {
        SenseKind kind = all->items[i].kind;
        const Meaning *one = meaning_of(flow, all->items[i]);
        if (kind == SENSE_CHILD || kind == SENSE_INSTANCE || kind == SENSE_PLUMBING || kind == SENSE_RAW)
            modules = meaning_join(flow, modules, one);
        else if (kind == SENSE_MODULES)
            modules = meaning_join(flow, modules, object_everything(flow, all->items[i].object));
    }
    if (object == NULL || text_ends(name, "modules"))
        modules = meaning_join(flow, modules, meaning_of(flow, (Sense){.kind = SENSE_INNER}));
    if (modules == NULL)
        return list_of_any(flow, NULL);
    const Meaning *const pair[] = {flow->plain, modules};
    return list_of_any(flow, text_starts(name, "named_") ? list_of(flow, pair, 2) : modules);
}

static void register_member(Flow *flow, const Node *at, const Sense *module, const Arguments *arguments) {
    const Meaning *name = arguments->count > 0 ? arguments->items[0] : arguments_keyword(arguments, "name");
    const Meaning *value =
        arguments->count > 1 ? arguments->items[1] : arguments_keyword(arguments, "tensor");
    if (value == NULL)
        value = arguments_keyword(arguments, "module");
    const char *text = name != NULL ? name->items[0].text : NULL;
    if (value != NULL)
        flow_set_attribute(flow, at, meaning_of(flow, *module), text != NULL ? text : "*", value);
}

static const Meaning *apply_function(Flow *flow, const Node *at, const Sense *module,
                                     const Arguments *arguments) {
    Arguments one = arguments_one(flow, flow_elements(flow, at, modules_of(flow, module, "modules")));
    if (arguments->count > 0)
        flow_call(flow, at, arguments->items[0], &one);
    return meaning_of(flow, *module);
}

static const char *const SAME[] = {"to",       "eval",   "train",   "float", "half",           "double",
                                   "bfloat16", "cuda",   "cpu",     "type",  "requires_grad_", "extend",
                                   "append",   "insert", "to_empty"};
static const char *const PARAMETER_LISTS[] = {"parameters", "named_parameters", "buffers", "named_buffers"};
static const char *const MODULE_LISTS[] = {"modules", "named_modules", "children", "named_children"};
static const char *const REGISTERS[] = {"register_buffer", "add_module", "register_module"};
static const char *const NOTHING[] = {"__init__",        "zero_grad",       "load_state_dict",
                                      "state_dict",      "extra_repr",      "__init_subclass__",
                                      "get_extra_state", "set_extra_state", "pop"};

static const char *const OTHERS[] = {"register_parameter", "apply", "get_submodule", "get_parameter",
                                     "get_buffer"};

bool flow_is_module_method(const char *name) {
    return is_one_of(name, SAME, COUNT_OF(SAME)) ||
           is_one_of(name, PARAMETER_LISTS, COUNT_OF(PARAMETER_LISTS)) ||
           is_one_of(name, MODULE_LISTS, COUNT_OF(MODULE_LISTS)) ||
           is_one_of(name, REGISTERS, COUNT_OF(REGISTERS)) || is_one_of(name, NOTHING, COUNT_OF(NOTHING)) ||
           is_one_of(name, OTHERS, COUNT_OF(OTHERS));
}

const Meaning *flow_module_method(Flow *flow, const Node *at, const Sense *module, const char *name,
                                  const Arguments *arguments) {
    Object *object = object_of_module(module);
    if (is_one_of(name, SAME, COUNT_OF(SAME))) {
        for (size_t i = 0; object != NULL && module->kind == SENSE_MODULES && i < arguments->count; i++) {
            const Meaning *item = arguments->items[i];
            if (text_equal(name, "append") || text_equal(name, "insert"))
                list_add(flow, object, item);
            else if (text_equal(name, "extend"))
                list_add(flow, object, flow_elements(flow, at, item));
        }
        return meaning_of(flow, *module);
    }
    if (is_one_of(name, PARAMETER_LISTS, COUNT_OF(PARAMETER_LISTS)))
        return parameters_of(flow, name);
    if (is_one_of(name, MODULE_LISTS, COUNT_OF(MODULE_LISTS)))
        return modules_of(flow, module, name);
    if (is_one_of(name, REGISTERS, COUNT_OF(REGISTERS))) {
        register_member(flow, at, module, arguments);
        return flow->plain;
    }
    if (text_equal(name, "register_parameter")) {
        const Meaning *value =
            arguments->count > 1 ? arguments->items[1] : arguments_keyword(arguments, "param");
        if (value == NULL || !meaning_is(value, SENSE_PLAIN))
            flow_report(flow, &RULE_INIT_PARAMETER, SEVERITY_VIOLATION, at, NULL,
                        "register_parameter makes a parameter outside any child");
        return flow->plain;
    }
    if (text_equal(name, "apply"))
        return apply_function(flow, at, module, arguments);
    if (text_equal(name, "get_submodule") || text_equal(name, "get_parameter") ||
        text_equal(name, "get_buffer"))
        return meaning_of(flow, (Sense){.kind = name[4] == 's' ? SENSE_UNKNOWN : SENSE_PARAMETER});
    return is_one_of(name, NOTHING, COUNT_OF(NOTHING)) ? flow->plain : NULL;
}

/* ---- What stands in a child --------------------------------------------------------------- */

typedef struct MemberSearch {
    const char *name;
    const Node *value; /* the right side of `self.name = value`, or the call that registers it */
} MemberSearch;

static bool find_member(const Node *node, void *context) {
    MemberSearch *search = context;
    const Field *targets = node_field(node, FIELD_targets), *args = node_field(node, FIELD_args);
    const Node *value = node_child(node, FIELD_value), *single = node_child(node, FIELD_target);
    size_t count = targets != NULL ? targets->count : single != NULL;
    for (size_t i = 0; value != NULL && i < count; i++) {
        const Node *target = targets != NULL ? targets->items[i] : single;
        if (target->kind == NODE_Attribute && text_equal(node_text(target, FIELD_attr), search->name) &&
            text_equal(node_text(node_child(target, FIELD_value), FIELD_id), "self") && search->value == NULL)
            search->value = value;
    }
    if (node->kind == NODE_Call && args != NULL && args->kind == FIELD_IS_LIST && args->count > 0 &&
        text_equal(node_string(args->items[0]), search->name) && search->value == NULL)
        search->value = node;
    return search->value == NULL;
}

/* A tensor or module is made by a call, but for Python's own conversions. */
static bool makes_plain(const Node *value) {
    static const char *const PLAIN[] = {"int", "float", "bool", "str",   "len",
                                        "max", "min",   "sqrt", "tuple", "list"};
    const Node *root = value;
    while (root->kind == NODE_Attribute || root->kind == NODE_Subscript)
        root = node_child(root, FIELD_value);
    if (value->kind != NODE_Call)
        return root == value || !text_equal(node_text(root, FIELD_id), "self");
    const Node *function = node_child(value, FIELD_func);
    const char *name = node_text(function, function->kind == NODE_Attribute ? FIELD_attr : FIELD_id);
    return name != NULL && is_one_of(name, PLAIN, COUNT_OF(PLAIN));
}

static const Meaning *child_member(Flow *flow, const Sense *child, const char *name) {
    static const char *const USUAL[] = {"weight", "bias", "running_mean", "running_var",
                                        "num_batches_tracked"};
    MemberSearch search = {.name = name};
    if (child->node != NULL)
        node_walk(child->node, find_member, &search);
    if (search.value != NULL && makes_plain(search.value))
        return flow->plain;
    Frame *before = flow->frame;
    const Meaning *callee = NULL;
    if (search.value != NULL && search.value->kind == NODE_Call) {
        flow->frame = child->frame != NULL ? child->frame : flow->frame;
        flow->quiet++;
        callee = flow_evaluate(flow, node_child(search.value, FIELD_func));
        flow->quiet--;
        flow->frame = before;
    }
    const Sense *torch = callee != NULL ? meaning_first(callee, SENSE_TORCH) : NULL;
    const Sense *class = callee != NULL ? meaning_first(callee, SENSE_CHILD_CLASS) : NULL;
    if (class != NULL)
        return meaning_of(
            flow,
            (Sense){.kind = SENSE_CHILD, .node = class->node, .file = class->file, .frame = class->frame});
    if (torch != NULL && flow_is_nn_class(torch->text) &&
        !is_one_of(last_name(torch->text), PARAMETERS, COUNT_OF(PARAMETERS)))
        return meaning_of(flow, (Sense){.kind = SENSE_INNER});
    if (torch != NULL || is_one_of(name, USUAL, COUNT_OF(USUAL)) || search.value != NULL)
        return meaning_of(flow, (Sense){.kind = SENSE_PARAMETER});
    return NULL;
}

static bool is_static(const Node *function) {
    static const char *const KINDS[] = {"staticmethod", "property", "classmethod"};
    const Field *decorators = node_field(function, FIELD_decorator_list);
    for (size_t i = 0; decorators != NULL && i < decorators->count; i++) {
        const char *name = node_text(decorators->items[i], FIELD_id);
        if (name != NULL && is_one_of(name, KINDS, COUNT_OF(KINDS)))
            return true;
    }
    return false;
}

/* A method of a child may be called; a property, static or class method that gives data is our own code. */
static const Meaning *member_function(Flow *flow, const Node *at, const Sense *child, const Sense *function) {
    if (!is_static(function->node))
        return meaning_of(flow, (Sense){.kind = SENSE_BOUND,
                                        .text = node_text(function->node, FIELD_name),
                                        .receiver = meaning_of(flow, *child)});
    Sense bound = *function;
    const Field *decorators = node_field(function->node, FIELD_decorator_list);
    const char *kind = node_text(decorators->items[0], FIELD_id);
    if (!text_equal(kind, "staticmethod"))
        bound.receiver = meaning_of(flow, *child);
    if (!text_equal(kind, "property"))
        return meaning_of(flow, bound);
    return flow_call_function(flow, at, &bound, &(Arguments){0});
}

const Meaning *flow_child_attribute(Flow *flow, const Node *at, const Sense *child, const char *name) {
    const Meaning *self = meaning_of(flow, *child);
    if (text_equal(name, "training"))
        return flow->plain;
    if (child->kind == SENSE_CHILD && child->frame != NULL) {
        const Meaning *member = flow_class_member(flow, child, name, true);
        const Sense *function = member != NULL ? meaning_first(member, SENSE_FUNCTION) : NULL;
        if (function != NULL)
            return member_function(flow, at, child, function);
        if (member != NULL)
            return member;
    }
    const Meaning *member = child_member(flow, child, name);
    if (member != NULL)
        return member;
    return meaning_of(flow, (Sense){.kind = SENSE_BOUND, .text = name, .receiver = self});
}
