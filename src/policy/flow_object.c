/* Attributes, classes of our own and their instances. */
#include "flow.h"

#include <string.h>

enum { DEEPEST_BASES = 20 };

static bool is_called(const Node *node) {
    const Node *parent = node->parent;
    return parent != NULL && parent->kind == NODE_Call && node_child(parent, FIELD_func) == node;
}

static bool has_decorator(const Node *function, const char *name) {
    const Field *decorators = node_field(function, FIELD_decorator_list);
    for (size_t i = 0; decorators != NULL && i < decorators->count; i++)
        if (text_equal(node_text(decorators->items[i], FIELD_id), name))
            return true;
    return false;
}

/* ---- Classes ------------------------------------------------------------------------------ */

static const Meaning *class_member(Flow *flow, const Sense *class, const char *name, bool own, int depth) {
    if (class->frame == NULL || depth > DEEPEST_BASES)
        return NULL;
    const Meaning *member = own ? table_get(class->frame->names, name) : NULL;
    const Meaning *bases = class->frame->bases;
    for (size_t i = 0; member == NULL && bases != NULL && i < bases->count; i++)
        if (bases->items[i].kind == SENSE_CLASS || bases->items[i].kind == SENSE_CHILD_CLASS)
            member = class_member(flow, &bases->items[i], name, true, depth + 1);
    return member;
}

const Meaning *flow_class_member(Flow *flow, const Sense *class, const char *name, bool own) {
    return class_member(flow, class, name, own, 0);
}

static bool class_is_module(const Sense *class, int depth) {
    const Meaning *bases = class->frame != NULL && depth < DEEPEST_BASES ? class->frame->bases : NULL;
    for (size_t i = 0; bases != NULL && i < bases->count; i++) {
        const Sense *base = &bases->items[i];
        if (base->kind == SENSE_TORCH ? flow_is_nn_class(base->text) : class_is_module(base, depth + 1))
            return true;
    }
    return false;
}

bool flow_class_is_module(Flow *flow, const Sense *class) {
    (void)flow;
    return class_is_module(class, 0);
}

/* ---- Construction ------------------------------------------------------------------------- */

static void judge_bases(Flow *flow, const Sense *class) {
    static const char *const ALLOWED[] = {"torch.nn.Module", "torch.nn.ModuleList", "torch.nn.ModuleDict",
                                          "torch.nn.Sequential"};
    const Meaning *bases = class->frame->bases;
    Place place = node_place(&class->file->tree, class->node);
    for (size_t i = 0; bases != NULL && i < bases->count; i++) {
        const Sense *base = &bases->items[i];
        const char *name = node_text(class->node, FIELD_name);
        bool allowed = base->kind != SENSE_TORCH || !flow_is_nn_class(base->text);
        for (size_t j = 0; j < COUNT_OF(ALLOWED); j++)
            allowed |= text_equal(base->text, ALLOWED[j]) ||
                       text_ends(base->text != NULL ? base->text : "", ".Module");
        if (!allowed)
            flow_report_at(flow, &RULE_INIT_MODULE, SEVERITY_VIOLATION, class->file, place, NULL,
                           arena_printf(flow->arena, "class %s is a %s of its own", name, base->text));
        if (base->kind == SENSE_CHILD_CLASS)
            flow_report_at(flow, &RULE_CHILD_CLASS, SEVERITY_VIOLATION, class->file, place, NULL,
                           arena_printf(flow->arena, "class %s derives from a child's class", name));
        if (base->kind == SENSE_CLASS)
            judge_bases(flow, base);
    }
}

/* A dataclass, a NamedTuple, or a class without __init__: arguments become fields. */
static void fill_fields(Flow *flow, const Sense *class, Object *object, const Arguments *arguments) {
    const Field *body = node_field(class->node, FIELD_body);
    size_t given = 0;
    for (size_t i = 0; body != NULL && i < body->count; i++) {
        const Node *target = node_child(body->items[i], FIELD_target);
        if (body->items[i]->kind != NODE_AnnAssign || node_text(target, FIELD_id) == NULL)
            continue;
        if (given < arguments->count)
            table_put(object->named, node_text(target, FIELD_id), (void *)arguments->items[given++]);
        else if (arguments->starred != NULL)
            table_put(object->named, node_text(target, FIELD_id), (void *)arguments->starred);
    }
    for (; given < arguments->count; given++)
        object->rest = meaning_join(flow, object->rest, arguments->items[given]);
    for (size_t i = 0; i < arguments->named; i++)
        table_put(object->named, arguments->names[i], (void *)arguments->values[i]);
}

const Meaning *flow_construct(Flow *flow, const Node *at, const Sense *class, const Arguments *arguments) {
    Object *object = object_new(flow);
    object->module = class_is_module(class, 0);
    object->fresh = flow->phase == PHASE_FORWARD;
    const Meaning *self = meaning_of(flow, (Sense){.kind = SENSE_INSTANCE,
                                                   .object = object,
                                                   .node = class->node,
                                                   .file = class->file,
                                                   .frame = class->frame});
    judge_bases(flow, class);
    const Meaning *init = flow_method(flow, self, class, "__init__");
    const Arguments none = {0};
    if (init == NULL) {
        fill_fields(flow, class, object, arguments);
        init = flow_method(flow, self, class, "__post_init__");
        arguments = &none;
    }
    Phase phase = flow->phase;
    if (phase == PHASE_LOAD)
        flow->phase = PHASE_INIT;
    if (init != NULL)
        flow_call(flow, at, init, arguments);
    flow->phase = phase;
    return self;
}

/* ---- Members ------------------------------------------------------------------------------ */

/* A function found in a class becomes a method of `self`. */
static const Meaning *bind_members(Flow *flow, const Node *at, const Meaning *self, const Sense *class,
                                   const Meaning *member) {
    const Meaning *all = NULL;
    for (size_t i = 0; i < member->count; i++) {
        Sense sense = member->items[i];
        bool function =
            sense.kind == SENSE_FUNCTION && sense.receiver == NULL && sense.node->kind != NODE_Lambda;
        if (function && !has_decorator(sense.node, "staticmethod"))
            sense.receiver = has_decorator(sense.node, "classmethod") ? meaning_of(flow, *class) : self;
        else if (sense.kind == SENSE_FUNCTION && sense.node->kind == NODE_Lambda)
            sense.receiver = self;
        const Meaning *one = meaning_of(flow, sense);
        if (function && at != NULL &&
            (has_decorator(sense.node, "property") || has_decorator(sense.node, "cached_property")))
            one = flow_call(flow, at, one, &(Arguments){0});
        all = meaning_join(flow, all, one);
    }
    return all;
}

const Meaning *flow_method(Flow *flow, const Meaning *self, const Sense *class, const char *name) {
    const Meaning *member = class_member(flow, class, name, true, 0);
    return member != NULL ? bind_members(flow, NULL, self, class, member) : NULL;
}

static const Meaning *named_with_prefix(Flow *flow, const Object *object, const char *pattern) {
    const char *prefix = arena_strndup(flow->arena, pattern, strlen(pattern) - 1);
    const Meaning *all = object->rest;
    for (size_t i = 0; i < object->named->count; i++)
        if (text_starts(object->named->items[i].key, prefix))
            all = meaning_join(flow, all, object->named->items[i].value);
    return all;
}

static const Meaning *instance_attribute(Flow *flow, const Node *at, const Sense *instance,
                                         const char *name) {
    const Meaning *self = meaning_of(flow, *instance);
    const Meaning *value = text_ends(name, "*") ? named_with_prefix(flow, instance->object, name)
                                                : table_get(instance->object->named, name);
    if (value == NULL) {
        Sense class = {
            .kind = SENSE_CLASS, .node = instance->node, .file = instance->file, .frame = instance->frame};
        const Meaning *member = class_member(flow, &class, name, true, 0);
        bool method = is_called(at) && instance->object->module && flow_is_module_method(name);
        value = member != NULL ? bind_members(flow, at, self, &class, member)
                : method       ? NULL
                               : instance->object->rest;
    }
    const Sense *data = value != NULL ? meaning_first(value, SENSE_DATA) : NULL;
    if (data != NULL && data->origin == ORIGIN_STALE && flow->phase == PHASE_FORWARD)
        flow_report(flow, &RULE_OP_CHILD_PARAMETER, SEVERITY_VIOLATION, at, NULL,
                    "%s was made from a parameter's initial value, before weights are loaded", name);
    if (value != NULL)
        return value;
    if (text_equal(name, "training"))
        return flow->plain;
    if (instance->object->module || text_starts(name, "__"))
        return meaning_of(flow, (Sense){.kind = SENSE_BOUND, .text = name, .receiver = self});
    return flow->unknown;
}

static const Meaning *super_attribute(Flow *flow, const Node *at, const Sense *super, const char *name) {
    Sense class = {.kind = SENSE_CLASS, .node = super->node, .file = super->file, .frame = super->frame};
    const Meaning *member = class_member(flow, &class, name, false, 0);
    if (member != NULL)
        return bind_members(flow, at, super->receiver, &class, member);
    return meaning_of(flow, (Sense){.kind = SENSE_BOUND, .text = name, .receiver = meaning_of(flow, *super)});
}

/* ---- Tensors ------------------------------------------------------------------------------ */

static bool is_property(const char *name) {
    static const char *const VIEWS[] = {"T", "mT", "H", "mH", "real", "imag"};
    static const char *const METHODS[] = {"size",          "dim",
                                          "numel",         "nelement",
                                          "ndimension",    "item",
                                          "tolist",        "numpy",
                                          "stride",        "data_ptr",
                                          "storage",       "allclose",
                                          "is_contiguous", "is_floating_point",
                                          "is_complex",    "element_size"};
    for (size_t i = 0; i < COUNT_OF(VIEWS); i++)
        if (text_equal(name, VIEWS[i]))
            return true;
    for (size_t i = 0; i < COUNT_OF(METHODS); i++)
        if (text_equal(name, METHODS[i]))
            return false;
    OperatorClass class = operator_class(name);
    return class == OPERATOR_METADATA || class == OPERATOR_READ || class == OPERATOR_IGNORED;
}

static const Meaning *tensor_attribute(Flow *flow, const Node *at, const Sense *tensor, const char *name) {
    const Meaning *self = meaning_of(flow, *tensor);
    const Meaning *method = meaning_of(flow, (Sense){.kind = SENSE_BOUND, .text = name, .receiver = self});
    if (is_called(at))
        return method;
    Arguments arguments = arguments_one(flow, self);
    if (is_property(name))
        return flow_operate(flow, at, arena_printf(flow->arena, "torch.Tensor.%s", name),
                            arena_printf(flow->arena, "Tensor.%s", name), &arguments);
    if (text_equal(name, "data"))
        return self;
    return tensor->kind == SENSE_DATA ? meaning_join(flow, self, method) : method;
}

/* ---- Any attribute ------------------------------------------------------------------------ */

static const Meaning *attribute_of_sense(Flow *flow, const Node *at, const Sense *sense, const char *name) {
    const Meaning *self = meaning_of(flow, *sense);
    const char *dotted = sense->text != NULL ? arena_printf(flow->arena, "%s.%s", sense->text, name) : NULL;
    switch (sense->kind) {
    case SENSE_DATA:
    case SENSE_KNOWN:
    case SENSE_PARAMETER: return tensor_attribute(flow, at, sense, name);
    case SENSE_PLAIN:
        return is_called(at) ? meaning_of(flow, (Sense){.kind = SENSE_BOUND, .text = name, .receiver = self})
                             : flow->plain;
    case SENSE_INSTANCE: return instance_attribute(flow, at, sense, name);
    case SENSE_SUPER: return super_attribute(flow, at, sense, name);
    case SENSE_CHILD:
    case SENSE_INNER: return flow_child_attribute(flow, at, sense, name);
    case SENSE_TORCH: return flow_torch_name(flow, dotted);
    case SENSE_PYTHON: return meaning_name(flow, SENSE_PYTHON, dotted);
    case SENSE_PACKAGE: return flow_package_member(flow, dotted);
    case SENSE_FILE: return flow_file_member(flow, sense->file, name);
    case SENSE_CLASS:
    case SENSE_CHILD_CLASS: {
        const Meaning *member = class_member(flow, sense, name, true, 0);
        return member != NULL ? member : flow->unknown;
    }
    case SENSE_LIST: /* a field of a namespace; or a dict's method, where it has a key of that name */
        if (table_has(sense->object->named, name)) {
            const Meaning *field = table_get(sense->object->named, name);
            const Meaning *method =
                meaning_of(flow, (Sense){.kind = SENSE_BOUND, .text = name, .receiver = self});
            return is_called(at) ? meaning_join(flow, field, method) : field;
        }
        break;
    case SENSE_BOUND:
        if (meaning_has(sense->receiver, SENSE_DATA))
            return flow_attribute(flow, at, sense->receiver, name);
        break;
    case SENSE_RAW:
        if (!is_called(at))
            return flow->plain;
        break;
    case SENSE_UNKNOWN:
        return is_called(at) ? meaning_of(flow, (Sense){.kind = SENSE_BOUND, .text = name, .receiver = self})
                             : self;
    default: break;
    }
    return meaning_of(flow, (Sense){.kind = SENSE_BOUND, .text = name, .receiver = self});
}

const Meaning *flow_attribute(Flow *flow, const Node *at, const Meaning *meaning, const char *name) {
    const Meaning *all = NULL;
    for (size_t i = 0; name != NULL && i < meaning->count; i++)
        all = meaning_join(flow, all, attribute_of_sense(flow, at, &meaning->items[i], name));
    return all != NULL ? all : flow->unknown;
}

/* ---- Assignment to attributes ------------------------------------------------------------- */

static void judge_kept(Flow *flow, const Node *at, const char *name, const Meaning *value) {
    Summary summary = {0};
    summarise(flow, value, &summary);
    if (summary.data != NULL && summary.data_sense.origin == ORIGIN_RANDOM)
        flow_report(flow, &RULE_INIT_RANDOM, SEVERITY_VIOLATION, at, NULL, "%s keeps random numbers", name);
}

/* Whether forward may keep a value is for the original to say: its like may stand there. */
static void judge_written(Flow *flow, const Node *at, const char *name, const Meaning *value) {
    bool known = meaning_is(value, SENSE_KNOWN);
    if (!known)
        flow_report(flow, &RULE_STATE_WRITTEN, SEVERITY_UNDECIDED, at, NULL,
                    "forward writes %s, which outlives the call: only where the original does the like",
                    name);
}

static void set_instance(Flow *flow, const Node *at, Object *object, const char *name, const Meaning *value) {
    if (flow->phase != PHASE_FORWARD && object->module)
        judge_kept(flow, at, name, value);
    else if (flow->phase == PHASE_FORWARD && !object->fresh)
        judge_written(flow, at, name, value);
    if (text_ends(name, "*"))
        object->rest = meaning_join(flow, object->rest, value);
    else
        table_put(object->named, name, (void *)meaning_join(flow, table_get(object->named, name), value));
}

static void set_on_child(Flow *flow, const Node *at, const char *name, const Meaning *value) {
    Summary summary = {0};
    summarise(flow, value, &summary);
    if (flow->phase == PHASE_FORWARD)
        flow_report(flow, &RULE_STATE_WRITTEN, SEVERITY_VIOLATION, at, "hand the value over in the call",
                    "forward writes %s of a child", name);
    else if (summary.function != NULL)
        flow_report(flow, &RULE_CHILD_CLASS, SEVERITY_VIOLATION, at, NULL, "a child is patched at %s", name);
}

void flow_set_attribute(Flow *flow, const Node *at, const Meaning *object, const char *name,
                        const Meaning *value) {
    for (size_t i = 0; name != NULL && i < object->count; i++) {
        const Sense *sense = &object->items[i];
        switch (sense->kind) {
        case SENSE_INSTANCE: set_instance(flow, at, sense->object, name, value); break;
        case SENSE_LIST:
        case SENSE_MODULES:
            table_put(sense->object->named, name,
                      (void *)meaning_join(flow, table_get(sense->object->named, name), value));
            break;
        case SENSE_CHILD:
        case SENSE_INNER:
        case SENSE_PARAMETER: set_on_child(flow, at, name, value); break;
        case SENSE_CHILD_CLASS:
            flow_report(flow, &RULE_CHILD_CLASS, SEVERITY_VIOLATION, at, NULL,
                        "a child's class is patched at %s", name);
            break;
        case SENSE_CLASS: table_put(sense->frame->names, name, (void *)value); break;
        default: break;
        }
    }
}
