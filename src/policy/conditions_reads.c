/* What expressions have of the sizes, dtypes and devices that a call of forward gives. */
#include "conditions.h"

#include <string.h>

enum { MOST_NODES = 500 };

static const struct Question {
    const char *name;
    unsigned reads;
} QUESTIONS[] = {
    {"shape", READS_SIZE},
    {"ndim", READS_SIZE},
    {"nbytes", READS_SIZE},
    {"size", READS_SIZE},
    {"dim", READS_SIZE},
    {"ndimension", READS_SIZE},
    {"numel", READS_SIZE},
    {"nelement", READS_SIZE},
    {"stride", READS_SIZE},
    {"dense_dim", READS_SIZE},
    {"sparse_dim", READS_SIZE},
    {"storage_offset", READS_SIZE},
    {"dtype", READS_TYPE},
    {"itemsize", READS_TYPE},
    {"element_size", READS_TYPE},
    {"is_floating_point", READS_TYPE},
    {"is_complex", READS_TYPE},
    {"device", READS_DEVICE},
    {"layout", READS_DEVICE},
    {"is_cuda", READS_DEVICE},
    {"is_cpu", READS_DEVICE},
    {"is_meta", READS_DEVICE},
    {"is_sparse", READS_DEVICE},
    {"get_device", READS_DEVICE},
    {"is_contiguous", READS_DEVICE},
    {"result_type", READS_TYPE},
    {"is_same_size", READS_SIZE},
    {"is_signed", READS_TYPE},
    {"is_conj", READS_TYPE},
    {"is_neg", READS_TYPE},
    {"is_quantized", READS_TYPE},
    {"is_nested", READS_TYPE},
    {"is_mkldnn", READS_DEVICE},
    {"is_mps", READS_DEVICE},
    {"is_xpu", READS_DEVICE},
    {"is_pinned", READS_DEVICE},
    {"is_leaf", READS_SURROUNDINGS},
    {"is_inference", READS_SURROUNDINGS},
    {"requires_grad", READS_SURROUNDINGS},
    {"retains_grad", READS_SURROUNDINGS},
};

unsigned condition_question(const char *name) {
    for (size_t i = 0; name != NULL && i < COUNT_OF(QUESTIONS); i++)
        if (strcmp(name, QUESTIONS[i].name) == 0)
            return QUESTIONS[i].reads;
    return 0;
}

/* Whatever torch answers that is no tensor of its arguments. */
unsigned condition_question_of_torch(const char *path) {
    static const char *const modes[] = {"torch.cuda.", "torch.jit.", "torch.compiler."};
    if (!text_starts(path, "torch."))
        return 0;
    const char *last = strrchr(path, '.') + 1;
    if (text_equal(last, "is_tensor"))
        return READS_NONE;
    if (condition_question(last) != 0 || text_equal(last, "is_nonzero"))
        return condition_question(last);
    if (text_equal(last, "get_default_dtype") || text_starts(last, "get_autocast_"))
        return READS_OWN_TYPE;
    bool mode = text_starts(last, "is_") || text_starts(last, "get_") || text_starts(last, "are_") ||
                text_ends(last, "_enabled") || text_ends(last, "_available");
    for (size_t i = 0; i < COUNT_OF(modes); i++)
        mode = mode || (text_starts(path, modes[i]) && !text_starts(last, "manual_seed") &&
                        strchr(path + strlen(modes[i]), '.') == NULL);
    return mode ? READS_SURROUNDINGS : 0;
}

/* Attributes of a tensor that are tensors: what is called self may be one. */
static bool is_of_tensor(const char *attribute) {
    static const char *const names[] = {"T", "mT", "H", "mH", "real", "imag", "data", "grad"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal(attribute, names[i]))
            return true;
    return attribute == NULL;
}

Variable *condition_variable(const Conditions *conditions, const Node *name) {
    const char *text = node_text(name, FIELD_id);
    return text == NULL ? NULL
                        : names_variable(names_scope_at(conditions->names, conditions->file, name), text);
}

Scope *condition_made_by(const Conditions *conditions, Thing thing) {
    return thing.node == NULL || thing.file == NULL
               ? NULL
               : names_scope_made(conditions->names, thing.file, thing.node);
}

Variable *condition_own_attribute(const Conditions *conditions, const Node *attribute) {
    const Node *object = node_child(attribute, FIELD_value);
    const Things objects = attribute->kind != NODE_Attribute || object == NULL
                               ? (Things){0}
                               : names_of(conditions->names, conditions->file, object);
    for (size_t i = 0; i < objects.count; i++) {
        const Scope *class =
            objects.items[i].kind == THING_INSTANCE ? condition_made_by(conditions, objects.items[i]) : NULL;
        if (class != NULL && class->instance != NULL)
            return table_get(class->instance, node_text(attribute, FIELD_attr));
    }
    return NULL;
}

/* self.cfg, of def __init__(self, cfg): what the constructor was given. */
static bool is_configuration(const Conditions *conditions, const Node *object) {
    const Variable *variable =
        object->kind == NODE_Attribute ? condition_own_attribute(conditions, object) : NULL;
    bool all = variable != NULL && variable->things.count > 0;
    for (size_t i = 0; all && i < variable->things.count; i++)
        all = variable->things.items[i].kind == THING_UNKNOWN ||
              variable->things.items[i].kind == THING_INSTANCE;
    return all;
}

/* self.l.weight.dtype: a model may be cast and moved after its construction. */
static unsigned reads_of_own(const Conditions *conditions, const Node *attribute) {
    const Node *object = node_child(attribute, FIELD_value);
    const Variable *variable = condition_own_attribute(conditions, attribute);
    const unsigned kept = variable == NULL ? 0 : variable->reads,
                   asked = condition_question(node_text(attribute, FIELD_attr));
    if (object == NULL || object->kind != NODE_Attribute || is_configuration(conditions, object))
        return kept;
    return kept | (asked & READS_SURROUNDINGS) |
           ((asked & (READS_TYPE | READS_DEVICE)) != 0 ? READS_OWN_TYPE : 0);
}

static bool class_has(const Conditions *conditions, const Things *objects, const char *attribute) {
    bool all = attribute != NULL;
    for (size_t i = 0; i < objects->count; i++) {
        const Thing *object = &objects->items[i];
        const Scope *class = names_scope_made(conditions->names, object->file, object->node);
        all = all && class != NULL && names_class_has(conditions->names, class, attribute);
    }
    return all;
}

/* What objects of these classes keep of the sizes that they were made with. */
static unsigned reads_of_objects(const Conditions *conditions, const Things *objects) {
    unsigned reads = 0;
    for (size_t i = 0; i < objects->count; i++)
        if (objects->items[i].kind == THING_INSTANCE &&
            condition_made_by(conditions, objects->items[i]) != NULL)
            reads |= condition_made_by(conditions, objects->items[i])->reads;
    return reads;
}

bool condition_of_self(const Conditions *conditions, const Node *expression) {
    const Node *first = NULL;
    while (expression != NULL && (expression->kind == NODE_Attribute || expression->kind == NODE_Subscript)) {
        first = expression->kind == NODE_Attribute ? expression : NULL;
        expression = node_child(expression, FIELD_value);
    }
    if (expression == NULL || expression->kind != NODE_Name || first == NULL)
        return false;
    const Things things = names_of(conditions->names, conditions->file, expression);
    const Variable *variable = condition_variable(conditions, expression);
    const char *attribute = node_text(first, FIELD_attr);
    return things_all(&things, THING_INSTANCE) && variable != NULL && !variable->handed &&
           variable->reads == 0 && reads_of_objects(conditions, &things) == 0 &&
           (class_has(conditions, &things, attribute) ||
            (condition_question(attribute) == 0 && !is_of_tensor(attribute)));
}

static unsigned reads_of_all(const Conditions *conditions, const Node *node) {
    unsigned reads = 0;
    for (size_t f = 0; f < node->field_count; f++) {
        const Field *field = &node->fields[f];
        if (field->kind == FIELD_IS_NODE && field->node != NULL)
            reads |= condition_reads(conditions, field->node);
        for (size_t i = 0; field->kind == FIELD_IS_LIST && i < field->count; i++)
            if (field->items[i] != NULL)
                reads |= condition_reads(conditions, field->items[i]);
    }
    return reads;
}

unsigned condition_reads_of_arguments(const Conditions *conditions, const Node *call) {
    const Field *args = node_list(call, FIELD_args), *keywords = node_list(call, FIELD_keywords);
    unsigned reads = 0;
    for (size_t i = 0; i < args->count; i++)
        if (args->items[i] != NULL)
            reads |= condition_reads(conditions, args->items[i]);
    for (size_t i = 0; i < keywords->count; i++)
        if (keywords->items[i] != NULL && node_child(keywords->items[i], FIELD_value) != NULL)
            reads |= condition_reads(conditions, node_child(keywords->items[i], FIELD_value));
    return reads;
}

bool condition_is_parameter(const Conditions *conditions, const Node *expression) {
    const Variable *variable = expression != NULL && expression->kind == NODE_Name
                                   ? condition_variable(conditions, expression)
                                   : NULL;
    for (size_t i = 0; variable != NULL && i < variable->count; i++)
        if (variable->items[i].kind == BINDING_PARAMETER)
            return true;
    return false;
}

/* isinstance(x, nn.Parameter) and type(x), of something that a call gives. */
static unsigned reads_of_kind(const Conditions *conditions, const Node *call, const char *builtin) {
    static const char *const own[] = {"torch.nn.Parameter", "torch.nn.Buffer",
                                      "torch.nn.UninitializedParameter"};
    const Field *args = node_list(call, FIELD_args);
    const Node *object = args->count > 0 ? args->items[0] : NULL;
    const bool type = text_equal(builtin, "type"), isinstance = text_equal(builtin, "isinstance");
    if (object == NULL || (!type && !isinstance) || condition_of_self(conditions, object))
        return 0;
    const Things things = names_of(conditions->names, conditions->file, object);
    const bool parameter = condition_is_parameter(conditions, object) && !things_all(&things, THING_INSTANCE);
    if (type)
        return parameter ? READS_SURROUNDINGS : 0;
    const Things classes = args->count < 2 || args->items[1] == NULL
                               ? (Things){0}
                               : names_inside(conditions->names, conditions->file, args->items[1]);
    unsigned reads = parameter ? READS_NONE : 0;
    for (size_t i = 0; i < classes.count; i++) {
        const char *path = classes.items[i].kind == THING_LIBRARY ? classes.items[i].path : NULL;
        if (path != NULL && text_among(path, own, COUNT_OF(own)))
            reads = READS_SURROUNDINGS;
        else if (parameter && path != NULL && text_starts(path, "torch.") && text_ends(path, "Tensor") &&
                 !text_equal(path, "torch.Tensor"))
            reads = READS_TYPE;
    }
    return reads;
}

static unsigned reads_of_length(const Conditions *conditions, const Node *call) {
    const Field *args = node_list(call, FIELD_args);
    return args->count == 1 && condition_is_parameter(conditions, args->items[0]) ? READS_SIZE : 0;
}

/* len(rows), of an object of the program's own class that forward has made: its __len__ may tell a size. */
static unsigned reads_of_own_length(const Conditions *conditions, const Node *call) {
    const Field *args = node_list(call, FIELD_args);
    if (args->count != 1 || args->items[0] == NULL || condition_of_self(conditions, args->items[0]))
        return 0;
    const Things objects = names_of(conditions->names, conditions->file, args->items[0]);
    for (size_t i = 0; i < objects.count; i++)
        if (objects.items[i].kind == THING_INSTANCE &&
            condition_made_by(conditions, objects.items[i]) != NULL &&
            names_class_has(conditions->names, condition_made_by(conditions, objects.items[i]), "__len__"))
            return READS_COUNT;
    return 0;
}

/* Python's own functions keep numbers, and so do objects that are made of them. Torch's make tensors, and
 * those that make one of a number are no other than it. */
static bool keeps_numbers(const Thing *called) {
    static const char *const names[] = {"torch.tensor",      "torch.as_tensor",     "torch.scalar_tensor",
                                        "torch.finfo",       "torch.iinfo",         "torch.can_cast",
                                        "torch.result_type", "torch.promote_types", "torch.device"};
    bool keeps = called->kind == THING_BUILTIN || called->kind == THING_CLASS ||
                 called->kind == THING_RESULT ||
                 (called->kind == THING_LIBRARY && !text_starts(called->path, "torch."));
    for (size_t i = 0; called->kind == THING_LIBRARY && i < COUNT_OF(names); i++)
        keeps = keeps || text_equal(called->path, names[i]);
    return keeps;
}

/* x.type() is text, as torch.Tensor.type(x) is; x.type(dtype) is a tensor. */
static unsigned reads_of_type_name(const Node *call) {
    const Node *func = node_child(call, FIELD_func), *object = node_child(func, FIELD_value);
    if (func->kind != NODE_Attribute || !text_equal(node_text(func, FIELD_attr), "type") || object == NULL)
        return 0;
    const size_t own =
        object->kind == NODE_Attribute && text_equal(node_text(object, FIELD_attr), "Tensor") ? 1 : 0;
    return node_list(call, FIELD_args)->count == own && node_list(call, FIELD_keywords)->count == 0
               ? READS_TYPE | READS_DEVICE
               : 0;
}

static unsigned reads_of_call(const Conditions *conditions, const Node *call) {
    const Node *func = node_child(call, FIELD_func);
    if (func == NULL)
        return 0;
    const char *last = node_text(func, func->kind == NODE_Attribute ? FIELD_attr : FIELD_id);
    const Things called = names_of(conditions->names, conditions->file, func);
    unsigned reads = reads_of_type_name(call);
    bool known = false;
    /* x.view(n) gives a tensor, Pair(n) whatever Pair is */
    bool of_numbers =
        func->kind != NODE_Attribute && (called.count == 0 || things_have(&called, THING_UNKNOWN));
    for (size_t i = 0; i < called.count; i++) {
        const Thing *thing = &called.items[i];
        of_numbers = of_numbers || keeps_numbers(thing);
        known = known || thing->kind == THING_LIBRARY || thing->kind == THING_INSTANCE;
        if (thing->kind == THING_LIBRARY && text_starts(thing->path, "torch."))
            reads |= condition_question_of_torch(thing->path);
        if (thing->kind == THING_BUILTIN && text_equal(thing->path, "len"))
            reads |= reads_of_length(conditions, call) | reads_of_own_length(conditions, call);
        if (thing->kind == THING_BUILTIN)
            reads |= reads_of_kind(conditions, call, thing->path);
        if ((thing->kind == THING_FUNCTION || thing->kind == THING_METHOD) &&
            condition_made_by(conditions, *thing) != NULL)
            reads |= condition_made_by(conditions, *thing)->reads;
    }
    if (of_numbers)
        reads |= condition_reads_of_arguments(conditions, call);
    if (func->kind != NODE_Attribute || known)
        return reads;
    const Node *object = node_child(func, FIELD_value);
    if (object != NULL && object->kind == NODE_Constant) /* "{}".format(n) */
        return reads | condition_reads_of_arguments(conditions, call);
    if (object == NULL)
        return reads;
    if (condition_of_self(conditions, object) || condition_of_self(conditions, func))
        return reads | reads_of_own(conditions, func);
    return reads | condition_question(last) | condition_reads(conditions, object);
}

static unsigned reads_of_class_name(const Node *attribute) {
    return text_equal(node_text(attribute, FIELD_attr), "__class__") ? READS_SURROUNDINGS : 0;
}

bool condition_is_display(const Node *node) {
    return node != NULL && (node->kind == NODE_List || node->kind == NODE_Tuple || node->kind == NODE_Dict);
}

static unsigned reads_by_source(const Conditions *conditions, const Node *node);

unsigned condition_reads(const Conditions *conditions, const Node *node) {
    const unsigned reads = reads_by_source(conditions, node) | condition_counts(conditions, node);
    if (condition_shown(conditions, node) <= SHOWN_NUMBER || (reads & READS_SIZE) != 0)
        return reads;
    *conditions->matters = true;
    return reads | READS_SIZE;
}

static unsigned reads_by_source(const Conditions *conditions, const Node *node) {
    const Node *value = node_child(node, FIELD_value);
    const Variable *variable;
    Things objects;
    switch (node->kind) {
    case NODE_Name:
        variable = condition_variable(conditions, node);
        return variable == NULL ? 0 : variable->reads;
    case NODE_Attribute:
        if (value == NULL)
            return 0;
        if (condition_of_self(conditions, node))
            return reads_of_own(conditions, node);
        objects = names_of(conditions->names, conditions->file, value);
        return condition_question(node_text(node, FIELD_attr)) | condition_reads(conditions, value) |
               reads_of_objects(conditions, &objects) | reads_of_class_name(node);
    case NODE_Subscript:
        return (value == NULL ? 0 : condition_reads(conditions, value)) |
               (condition_is_display(value) && node_child(node, FIELD_slice) != NULL
                    ? condition_reads(conditions, node_child(node, FIELD_slice))
                    : 0);
    case NODE_Call: return reads_of_call(conditions, node);
    case NODE_Lambda:
    case NODE_Constant: return 0;
    default: return reads_of_all(conditions, node);
    }
}

/* Does the library function give a tensor? Of torch's own, all do but these. */
static bool gives_tensor(const Thing *called) {
    static const char *const others[] = {"device",      "dtype",         "finfo",    "iinfo",
                                         "result_type", "promote_types", "can_cast", "broadcast_shapes"};
    if (called->kind != THING_LIBRARY || !text_starts(called->path, "torch."))
        return false;
    const char *last = strrchr(called->path, '.') + 1;
    bool gives = !(*last >= 'A' && *last <= 'Z') && condition_question_of_torch(called->path) == 0;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        gives = gives && strcmp(last, others[i]) != 0;
    return gives;
}

/* `*left`: how many more nodes may be looked at; names stand for many. */
static bool is_tensor(const Conditions *conditions, const Node *node, unsigned *left) {
    if (node == NULL || *left == 0)
        return false;
    --*left;
    if (node->kind == NODE_Subscript || node->kind == NODE_UnaryOp)
        return is_tensor(conditions,
                         node_child(node, node->kind == NODE_Subscript ? FIELD_value : FIELD_operand), left);
    if (node->kind == NODE_BinOp)
        return is_tensor(conditions, node_child(node, FIELD_left), left) ||
               is_tensor(conditions, node_child(node, FIELD_right), left);
    if (node->kind == NODE_Name) {
        const Variable *variable = condition_variable(conditions, node);
        bool all = variable != NULL && variable->count > 0;
        for (size_t i = 0; all && i < variable->count; i++)
            all = variable->items[i].kind == BINDING_VALUE &&
                  is_tensor(conditions, variable->items[i].value, left);
        return all;
    }
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    if (func == NULL || reads_of_type_name(node) != 0 ||
        condition_question(node_text(func, func->kind == NODE_Attribute ? FIELD_attr : FIELD_id)) != 0)
        return false;
    const Things called = names_of(conditions->names, conditions->file, func);
    for (size_t i = 0; i < called.count; i++)
        if (!gives_tensor(&called.items[i]) || keeps_numbers(&called.items[i]))
            return false;
    return called.count > 0;
}

bool condition_is_tensor(const Conditions *conditions, const Node *expression) {
    unsigned left = MOST_NODES;
    return is_tensor(conditions, expression, &left);
}
