/* Expressions: what they may mean. */
#include "flow.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_FLOATING_LITERALS = 16 };

static const Field *list_field(const Node *node, FieldName name) {
    static const Field EMPTY = {.kind = FIELD_IS_LIST};
    const Field *field = node_field(node, name);
    return field != NULL && field->kind == FIELD_IS_LIST ? field : &EMPTY;
}

/* ---- Containers --------------------------------------------------------------------------- */

static bool count_float(const Node *node, void *context) {
    *(size_t *)context += node->kind == NODE_Constant && node->constant == CONSTANT_FLOAT;
    return true;
}

static void judge_table(Flow *flow, const Node *node) {
    size_t count = 0;
    node_walk(node, count_float, &count);
    bool inner =
        node->parent != NULL && (node->parent->kind == NODE_List || node->parent->kind == NODE_Tuple);
    if (count > MOST_FLOATING_LITERALS && !inner)
        flow_report(flow, &RULE_INIT_TABLE, SEVERITY_VIOLATION, node, NULL,
                    "a table of %zu floating literals", count);
}

static const Meaning *evaluate_list(Flow *flow, const Node *node) {
    judge_table(flow, node);
    const Field *elements = list_field(node, FIELD_elts);
    Object *object = object_new(flow);
    object->exact = true;
    for (size_t i = 0; i < elements->count; i++) {
        const Node *element = elements->items[i];
        if (element != NULL && element->kind == NODE_Starred) {
            const Meaning *all =
                flow_elements(flow, element, flow_evaluate(flow, node_child(element, FIELD_value)));
            list_add(flow, object, all);
        } else if (object->exact) {
            const Meaning *item = flow_evaluate(flow, element);
            *(const Meaning **)ARENA_PUSH(flow->arena, object) = item;
        } else {
            list_add(flow, object, flow_evaluate(flow, element));
        }
    }
    return meaning_of(flow, (Sense){.kind = SENSE_LIST, .object = object});
}

static const Meaning *evaluate_dict(Flow *flow, const Node *node) {
    judge_table(flow, node);
    const Field *keys = list_field(node, FIELD_keys), *values = list_field(node, FIELD_values);
    Object *object = object_new(flow);
    for (size_t i = 0; i < values->count; i++) {
        const Meaning *value = flow_evaluate(flow, values->items[i]);
        const Node *key = i < keys->count ? keys->items[i] : NULL;
        if (node_string(key) != NULL)
            table_put(object->named, node_string(key), (void *)value);
        else
            object->rest =
                meaning_join(flow, object->rest, key == NULL ? flow_elements(flow, node, value) : value);
    }
    return meaning_of(flow, (Sense){.kind = SENSE_LIST, .object = object});
}

const Meaning *flow_elements(Flow *flow, const Node *at, const Meaning *meaning) {
    const Meaning *all = NULL;
    for (size_t i = 0; i < meaning->count; i++) {
        const Sense *sense = &meaning->items[i];
        const Meaning *one = meaning_of(flow, *sense);
        Arguments arguments = arguments_one(flow, one);
        switch (sense->kind) {
        case SENSE_INSTANCE: {
            const Meaning *method = flow_method(flow, one, sense, "__iter__");
            one = method != NULL ? flow_elements(flow, at, flow_call(flow, at, method, &(Arguments){0}))
                                 : object_everything(flow, sense->object);
            break;
        }
        case SENSE_LIST:
        case SENSE_MODULES: one = object_everything(flow, sense->object); break;
        case SENSE_PLAIN: one = flow->plain; break;
        case SENSE_PARAMETER: one = flow_operate(flow, at, "__getitem__", "iterating", &arguments); break;
        default: break;
        }
        all = meaning_join(flow, all, one);
    }
    return all != NULL ? all : flow->plain;
}

/* The item of an exact container at a constant index, or NULL. */
static const Meaning *exact_item(const Sense *container, const Meaning *index) {
    const Sense *key = index->count == 1 ? meaning_first(index, SENSE_PLAIN) : NULL;
    const Object *object = container->object;
    if (key == NULL || key->text == NULL)
        return NULL;
    if (key->string)
        return table_get(object->named, key->text);
    char *end;
    long position = strtol(key->text, &end, 10);
    if (!object->exact || *end != '\0')
        return NULL;
    if (position < 0)
        position += (long)object->count;
    return position >= 0 && (size_t)position < object->count ? object->items[position] : NULL;
}

static bool is_slice(const Node *at) {
    const Node *slice = node_child(at, FIELD_slice);
    return slice != NULL && slice->kind == NODE_Slice;
}

static const Meaning *item_of_sense(Flow *flow, const Node *at, const Sense *sense, const Meaning *index) {
    const Meaning *one = meaning_of(flow, *sense);
    switch (sense->kind) {
    case SENSE_LIST:
    case SENSE_MODULES: {
        const Meaning *item = exact_item(sense, index);
        if (item != NULL)
            return item;
        if (is_slice(at))
            return sense->kind == SENSE_MODULES ? one
                                                : list_of_any(flow, object_everything(flow, sense->object));
        item = object_everything(flow, sense->object);
        return item != NULL ? item : flow->plain;
    }
    case SENSE_PLAIN: return flow->plain;
    case SENSE_INSTANCE: {
        const Meaning *method = flow_method(flow, one, sense, "__getitem__");
        Arguments arguments = arguments_one(flow, index);
        return method != NULL ? flow_call(flow, at, method, &arguments) : flow_elements(flow, at, one);
    }
    case SENSE_BOUND:
        if (meaning_has(sense->receiver, SENSE_DATA))
            return sense->receiver; /* a field of a child's result */
        return flow->unknown;
    case SENSE_DATA: /* a key: a child's result, or an input, is a dict */
        if (index->items[0].kind == SENSE_PLAIN && index->items[0].string)
            return one;
        break;
    case SENSE_KNOWN:
    case SENSE_PARAMETER: break;
    case SENSE_PYTHON:
    case SENSE_TORCH:
    case SENSE_CLASS: return one; /* typing's List[int] */
    default: return flow->unknown;
    }
    Arguments arguments = arguments_one(flow, one);
    arguments_push(flow, &arguments, index);
    return flow_operate(flow, at, "__getitem__", "indexing", &arguments);
}

const Meaning *flow_item(Flow *flow, const Node *at, const Meaning *container, const Meaning *index) {
    const Meaning *all = NULL;
    for (size_t i = 0; i < container->count; i++)
        all = meaning_join(flow, all, item_of_sense(flow, at, &container->items[i], index));
    return all;
}

/* ---- Operators ---------------------------------------------------------------------------- */

typedef struct Sign {
    NodeKind kind;
    const char *dunder, *sign;
} Sign;

static const Sign SIGNS[] = {
    {NODE_Add, "__add__", "+"},
    {NODE_Sub, "__sub__", "-"},
    {NODE_Mult, "__mul__", "*"},
    {NODE_MatMult, "__matmul__", "@"},
    {NODE_Div, "__truediv__", "/"},
    {NODE_Mod, "__mod__", "%"},
    {NODE_Pow, "__pow__", "**"},
    {NODE_LShift, "__lshift__", "<<"},
    {NODE_RShift, "__rshift__", ">>"},
    {NODE_BitOr, "__or__", "|"},
    {NODE_BitXor, "__xor__", "^"},
    {NODE_BitAnd, "__and__", "&"},
    {NODE_FloorDiv, "__floordiv__", "//"},
    {NODE_Eq, "__eq__", "=="},
    {NODE_NotEq, "__ne__", "!="},
    {NODE_Lt, "__lt__", "<"},
    {NODE_LtE, "__le__", "<="},
    {NODE_Gt, "__gt__", ">"},
    {NODE_GtE, "__ge__", ">="},
    {NODE_UAdd, "__pos__", "+"},
    {NODE_USub, "__neg__", "-"},
    {NODE_Invert, "__invert__", "~"},
};

static const Sign *find_sign(const Node *operator) {
    for (size_t i = 0; operator!= NULL && i<COUNT_OF(SIGNS); i++)
        if (SIGNS[i].kind == operator->kind)
            return &SIGNS[i];
    return NULL;
}

static bool constant_value(const Meaning *meaning, double *value) {
    const Sense *sense = meaning->count == 1 ? &meaning->items[0] : NULL;
    if (sense == NULL || sense->kind != SENSE_PLAIN || sense->text == NULL || sense->string)
        return false;
    char *end;
    *value = strtod(sense->text, &end);
    return *end == '\0' && end != sense->text;
}

/* The kind of number that Python's arithmetic gives; the constant itself where it is one. */
static const Meaning *plain_arithmetic(Flow *flow, const char *sign, const Meaning *left,
                                       const Meaning *right) {
    const Sense *first = &left->items[0], *second = &right->items[0];
    if (text_equal(sign, "+") && first->string && second->string && first->text != NULL &&
        second->text != NULL)
        return meaning_of(flow,
                          (Sense){.kind = SENSE_PLAIN,
                                  .string = true,
                                  .text = arena_printf(flow->arena, "%s%s", first->text, second->text)});
    double a, b;
    NumberKind number = left->items[0].number == right->items[0].number ? left->items[0].number : NUMBER_ANY;
    if (left->items[0].number == NUMBER_FLOAT || right->items[0].number == NUMBER_FLOAT ||
        text_equal(sign, "/"))
        number = NUMBER_FLOAT;
    Sense sense = {.kind = SENSE_PLAIN, .number = number, .taint = left->items[0].taint};
    if (sense.taint == NULL)
        sense.taint = right->items[0].taint;
    if (constant_value(left, &a) && constant_value(right, &b)) {
        const char operation = sign[0];
        bool division = operation == '/' && b != 0;
        if (operation == '+' || operation == '-' || text_equal(sign, "*") || (division && sign[1] == '\0'))
            sense.text = arena_printf(flow->arena, "%.17g",
                                      operation == '+'   ? a + b
                                      : operation == '-' ? a - b
                                      : operation == '*' ? a * b
                                                         : a / b);
    }
    return meaning_of(flow, sense);
}

static bool is_tensor_like(const Meaning *meaning) {
    static const SenseKind KINDS[] = {SENSE_DATA, SENSE_KNOWN, SENSE_PARAMETER, SENSE_UNKNOWN, SENSE_BOUND};
    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        if (meaning_has(meaning, KINDS[i]))
            return true;
    return false;
}

static const Meaning *own_operator(Flow *flow, const Node *at, const char *dunder, const Meaning *left,
                                   const Meaning *right) {
    const Sense *instance = meaning_first(left, SENSE_INSTANCE);
    const Meaning *method = instance != NULL ? flow_method(flow, left, instance, dunder) : NULL;
    Arguments arguments = arguments_one(flow, right);
    return method != NULL ? flow_call(flow, at, method, &arguments) : NULL;
}

const Meaning *flow_python_binary(Flow *flow, const Node *at, const char *dunder, const char *sign,
                                  const Meaning *left, const Meaning *right) {
    const Meaning *own = own_operator(flow, at, dunder, left, right);
    if (own != NULL)
        return own;
    if (text_equal(sign, "%") && left->items[0].kind == SENSE_PLAIN && left->items[0].string)
        return flow_read(flow, at, "formatting", right);
    bool lists = meaning_has(left, SENSE_LIST) || meaning_has(right, SENSE_LIST);
    if (lists && !is_tensor_like(left) && !is_tensor_like(right))
        return list_of_any(flow,
                           meaning_join(flow, flow_elements(flow, at, left), flow_elements(flow, at, right)));
    if (!is_tensor_like(left) && !is_tensor_like(right))
        return plain_arithmetic(flow, sign, left, right);
    if (text_equal(dunder, "__pow__") && !is_tensor_like(left))
        dunder = "__rpow__";
    return flow_binary(flow, at, dunder, sign, left, right);
}

static const Meaning *evaluate_binary(Flow *flow, const Node *node) {
    const Meaning *left = flow_evaluate(flow, node_child(node, FIELD_left));
    const Meaning *right = flow_evaluate(flow, node_child(node, FIELD_right));
    const Sign *sign = find_sign(node_child(node, FIELD_op));
    return sign != NULL ? flow_python_binary(flow, node, sign->dunder, sign->sign, left, right)
                        : flow->unknown;
}

static const Meaning *evaluate_unary(Flow *flow, const Node *node) {
    const Node *operator= node_child(node, FIELD_op);
    const Meaning *operand = flow_evaluate(flow, node_child(node, FIELD_operand));
    const Sign *sign = find_sign(operator);
    if (sign == NULL) { /* not */
        flow_test(flow, node, operand);
        return flow->plain;
    }
    double value;
    if (text_equal(sign->sign, "-") && constant_value(operand, &value))
        return meaning_constant(flow, operand->items[0].number, arena_printf(flow->arena, "%.17g", -value));
    if (!is_tensor_like(operand))
        return operand;
    Arguments arguments = arguments_one(flow, operand);
    return flow_operate(flow, node, sign->dunder, arena_printf(flow->arena, "the operator %s", sign->sign),
                        &arguments);
}

/* `is` compares objects, which tells nothing of what is in them; `in` compares elements. */
static const Meaning *evaluate_comparison(Flow *flow, const Node *node) {
    const Meaning *left = flow_evaluate(flow, node_child(node, FIELD_left)), *result = NULL;
    const Field *operators = list_field(node, FIELD_ops), *comparators = list_field(node, FIELD_comparators);
    for (size_t i = 0; i < operators->count && i < comparators->count; i++) {
        const Meaning *right = flow_evaluate(flow, comparators->items[i]);
        const Sign *sign = find_sign(operators->items[i]);
        const Meaning *one = flow->plain;
        if (sign != NULL && (is_tensor_like(left) || is_tensor_like(right)))
            one = flow_binary(flow, node, sign->dunder, sign->sign, left, right);
        else if (sign == NULL && operators->items[i]->kind != NODE_Is &&
                 operators->items[i]->kind != NODE_IsNot)
            flow_test(flow, node, left);
        result = meaning_join(flow, result, one);
        left = right;
    }
    return result != NULL ? result : flow->plain;
}

static const Meaning *evaluate_bool(Flow *flow, const Node *node) {
    const Field *values = list_field(node, FIELD_values);
    const Meaning *result = NULL;
    for (size_t i = 0; i < values->count; i++) {
        const Meaning *value = flow_evaluate(flow, values->items[i]);
        if (i + 1 < values->count)
            flow_test(flow, values->items[i], value);
        result = meaning_join(flow, result, value);
    }
    return result != NULL ? result : flow->plain;
}

/* ---- Comprehensions ----------------------------------------------------------------------- */

static void bind_generators(Flow *flow, const Node *node) {
    const Field *generators = list_field(node, FIELD_generators);
    for (size_t i = 0; i < generators->count; i++) {
        const Node *iterated = node_child(generators->items[i], FIELD_iter);
        flow_bind(flow, node_child(generators->items[i], FIELD_target),
                  flow_elements(flow, iterated, flow_evaluate(flow, iterated)));
        const Field *ifs = list_field(generators->items[i], FIELD_ifs);
        for (size_t j = 0; j < ifs->count; j++)
            flow_test(flow, ifs->items[j], flow_evaluate(flow, ifs->items[j]));
    }
}

static const Meaning *evaluate_comprehension(Flow *flow, const Node *node) {
    Frame *outer = flow->frame, *inner = ARENA_NEW(flow->arena, Frame);
    *inner = *outer;
    inner->names = table_new(flow->arena);
    inner->parent = outer;
    inner->outer = NULL;
    inner->class = NULL;
    flow->frame = inner;
    bind_generators(flow, node);
    const Node *value = node_child(node, node->kind == NODE_DictComp ? FIELD_value : FIELD_elt);
    const Meaning *element = flow_evaluate(flow, value);
    if (node->kind == NODE_DictComp)
        flow_evaluate(flow, node_child(node, FIELD_key));
    flow->frame = outer;
    return list_of_any(flow, element);
}

/* ---- Calls -------------------------------------------------------------------------------- */

static Arguments evaluate_arguments(Flow *flow, const Node *node) {
    Arguments arguments = {0};
    const Field *items = list_field(node, FIELD_args), *keywords = list_field(node, FIELD_keywords);
    for (size_t i = 0; i < items->count; i++) {
        if (items->items[i] != NULL && items->items[i]->kind == NODE_Starred) {
            const Node *starred = node_child(items->items[i], FIELD_value);
            arguments.starred = meaning_join(flow, arguments.starred,
                                             flow_elements(flow, starred, flow_evaluate(flow, starred)));
        } else {
            arguments_push(flow, &arguments, flow_evaluate(flow, items->items[i]));
        }
    }
    arguments.names = ARENA_ARRAY(flow->arena, const char *, keywords->count + 1);
    arguments.values = ARENA_ARRAY(flow->arena, const Meaning *, keywords->count + 1);
    for (size_t i = 0; i < keywords->count; i++) {
        const char *name = node_text(keywords->items[i], FIELD_arg);
        const Meaning *value = flow_evaluate(flow, node_child(keywords->items[i], FIELD_value));
        if (name == NULL) {
            arguments.starred = meaning_join(flow, arguments.starred, flow_elements(flow, node, value));
            continue;
        }
        arguments.names[arguments.named] = name;
        arguments.values[arguments.named++] = value;
    }
    return arguments;
}

static const Meaning *evaluate_call(Flow *flow, const Node *node) {
    const Meaning *loaded = flow_loaded_file(flow, node);
    if (loaded != NULL)
        return loaded;
    const Meaning *callee = flow_evaluate(flow, node_child(node, FIELD_func));
    Arguments arguments = evaluate_arguments(flow, node);
    return flow_call(flow, node, callee, &arguments);
}

/* ---- One expression ----------------------------------------------------------------------- */

static const Meaning *evaluate_constant(Flow *flow, const Node *node) {
    Sense sense = {.kind = SENSE_PLAIN, .text = node->text};
    switch (node->constant) {
    case CONSTANT_INT: sense.number = NUMBER_INT; break;
    case CONSTANT_FLOAT: sense.number = NUMBER_FLOAT; break;
    case CONSTANT_BOOL: sense.number = NUMBER_BOOL; break;
    case CONSTANT_STR: sense.string = true; break;
    default: break;
    }
    return meaning_of(flow, sense);
}

static const Meaning *evaluate_text(Flow *flow, const Node *node) {
    const Field *values = list_field(node, FIELD_values);
    const char *prefix = "";
    for (size_t i = 0; i < values->count; i++) {
        const Node *value = node_child(values->items[i], FIELD_value);
        if (values->items[i]->kind == NODE_Constant || value == NULL) {
            if (i == 0 && node_string(values->items[i]) != NULL)
                prefix = node_string(values->items[i]);
            continue;
        }
        flow_read(flow, value, "an f-string", flow_evaluate(flow, value));
    }
    /* getattr(self, f"layer{i}") goes by the constant letters that the name starts with */
    return meaning_of(flow, (Sense){.kind = SENSE_PLAIN, .text = arena_printf(flow->arena, "%s*", prefix)});
}

static const Meaning *evaluate_lambda(Flow *flow, const Node *node) {
    return meaning_of(
        flow, (Sense){.kind = SENSE_FUNCTION, .node = node, .file = flow->frame->file, .frame = flow->frame});
}

static const Meaning *evaluate_yield(Flow *flow, const Node *node) {
    const Node *value = node_child(node, FIELD_value);
    const Meaning *meaning = value != NULL ? flow_evaluate(flow, value) : flow->plain;
    if (node->kind == NODE_YieldFrom)
        meaning = flow_elements(flow, node, meaning);
    flow->frame->yielded = meaning_join(flow, flow->frame->yielded, meaning);
    return flow->plain;
}

static const Meaning *evaluate_slice(Flow *flow, const Node *node) {
    static const FieldName PARTS[] = {FIELD_lower, FIELD_upper, FIELD_step};
    for (size_t i = 0; i < COUNT_OF(PARTS); i++) {
        const Node *part = node_child(node, PARTS[i]);
        const Meaning *meaning = part != NULL ? flow_evaluate(flow, part) : NULL;
        if (meaning != NULL && (meaning_has(meaning, SENSE_DATA) || meaning_has(meaning, SENSE_PARAMETER)))
            flow_read(flow, part, "a slice bound", meaning);
    }
    return flow->plain;
}

const Meaning *flow_evaluate(Flow *flow, const Node *node) {
    if (node == NULL || !flow_step(flow, node))
        return flow->unknown;
    switch (node->kind) {
    case NODE_Constant: return evaluate_constant(flow, node);
    case NODE_Name:
        return flow_name(flow, node_text(node, FIELD_id) != NULL ? node_text(node, FIELD_id) : "");
    case NODE_Attribute:
        return flow_attribute(flow, node, flow_evaluate(flow, node_child(node, FIELD_value)),
                              node_text(node, FIELD_attr));
    case NODE_Call: return evaluate_call(flow, node);
    case NODE_BinOp: return evaluate_binary(flow, node);
    case NODE_UnaryOp: return evaluate_unary(flow, node);
    case NODE_Compare: return evaluate_comparison(flow, node);
    case NODE_BoolOp: return evaluate_bool(flow, node);
    case NODE_Subscript: {
        const Meaning *container = flow_evaluate(flow, node_child(node, FIELD_value));
        return flow_item(flow, node, container, flow_evaluate(flow, node_child(node, FIELD_slice)));
    }
    case NODE_List:
    case NODE_Tuple:
    case NODE_Set: return evaluate_list(flow, node);
    case NODE_Dict: return evaluate_dict(flow, node);
    case NODE_ListComp:
    case NODE_SetComp:
    case NODE_GeneratorExp:
    case NODE_DictComp: return evaluate_comprehension(flow, node);
    case NODE_Lambda: return evaluate_lambda(flow, node);
    case NODE_IfExp: {
        const Node *test = node_child(node, FIELD_test);
        flow_test(flow, test, flow_evaluate(flow, test));
        const Meaning *chosen = flow_evaluate(flow, node_child(node, FIELD_body));
        return meaning_join(flow, chosen, flow_evaluate(flow, node_child(node, FIELD_orelse)));
    }
    case NODE_NamedExpr: {
        const Meaning *value = flow_evaluate(flow, node_child(node, FIELD_value));
        flow_bind(flow, node_child(node, FIELD_target), value);
        return value;
    }
    case NODE_JoinedStr:
    case NODE_TemplateStr: return evaluate_text(flow, node);
    case NODE_Slice: return evaluate_slice(flow, node);
    case NODE_Starred:
    case NODE_Await: return flow_evaluate(flow, node_child(node, FIELD_value));
    case NODE_Yield:
    case NODE_YieldFrom: return evaluate_yield(flow, node);
    default: return flow->unknown;
    }
}
