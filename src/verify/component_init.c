/* What a component's file says of its arguments: init arguments by the names of __init__. */
#include "component_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const Node *class_named(const Tree *tree, const char *name) {
    const Field *body = node_list(tree->module, FIELD_body);
    for (size_t i = body->count; i-- > 0;)
        if (body->items[i] != NULL && body->items[i]->kind == NODE_ClassDef &&
            text_equal(node_text(body->items[i], FIELD_name), name))
            return body->items[i];
    return NULL;
}

static const Node *init_of(const Node *class) {
    const Field *body = node_list(class, FIELD_body);
    for (size_t i = body->count; i-- > 0;)
        if (body->items[i] != NULL && body->items[i]->kind == NODE_FunctionDef &&
            text_equal(node_text(body->items[i], FIELD_name), "__init__"))
            return body->items[i];
    return NULL;
}

static Value text_value(Arena *arena, ValueKind kind, const char *text) {
    Value value = {.kind = kind};
    value.text.data = arena_strdup(arena, text);
    value.text.length = strlen(text);
    return value;
}

static bool number_value(const Node *node, bool negative, Value *value) {
    char *end;
    errno = 0;
    if (node->constant == CONSTANT_INT) {
        long long number = strtoll(node->text, &end, 10);
        *value = (Value){.kind = VALUE_INT};
        value->integer = negative ? -number : number;
        return errno == 0 && *end == '\0';
    }
    if (node->constant != CONSTANT_FLOAT)
        return false;
    double number = strtod(node->text, &end);
    *value = (Value){.kind = VALUE_FLOAT};
    value->real = negative ? -number : number;
    return *end == '\0';
}

static bool default_value(Arena *arena, const Node *node, Value *value);

static bool sequence_value(Arena *arena, const Node *node, Value *value) {
    const Field *items = node_list(node, FIELD_elts);
    *value = (Value){.kind = node->kind == NODE_List ? VALUE_LIST : VALUE_TUPLE};
    value->list.items = ARENA_ARRAY(arena, Value, items->count + 1);
    value->list.count = items->count;
    for (size_t i = 0; i < items->count; i++)
        if (items->items[i] == NULL || !default_value(arena, items->items[i], &value->list.items[i]))
            return false;
    return true;
}

/* A constant as written: no name is looked up but a dtype's. */
static bool default_value(Arena *arena, const Node *node, Value *value) {
    *value = (Value){.kind = VALUE_NONE};
    if (node->kind == NODE_UnaryOp) {
        const Node *sign = node_child(node, FIELD_op), *operand = node_child(node, FIELD_operand);
        return sign != NULL && sign->kind == NODE_USub && operand != NULL && operand->kind == NODE_Constant &&
               number_value(operand, true, value);
    }
    if (node->kind == NODE_Tuple || node->kind == NODE_List)
        return sequence_value(arena, node, value);
    if (node->kind == NODE_Attribute) {
        const char *name = node_dotted(arena, node);
        Dtype dtype;
        if (name == NULL || !dtype_find(name, &dtype))
            return false;
        *value = text_value(arena, VALUE_DTYPE, name);
        return true;
    }
    if (node->kind != NODE_Constant)
        return false;
    if (node->constant == CONSTANT_NONE)
        return true;
    if (node->constant == CONSTANT_BOOL) {
        *value = (Value){.kind = VALUE_BOOL};
        value->integer = text_equal(node->text, "True");
        return true;
    }
    if (node->constant == CONSTANT_STR && node_string(node) != NULL) {
        *value = text_value(arena, VALUE_STR, node_string(node));
        return true;
    }
    return number_value(node, false, value);
}

typedef struct Bound {
    Arena *arena;
    Value *items; /* key, value, key, value */
    size_t count; /* of pairs */
} Bound;

static const Value *bound_value(const Bound *bound, const char *name) {
    for (size_t i = 0; i < bound->count; i++)
        if (text_equal(bound->items[2 * i].text.data, name))
            return &bound->items[2 * i + 1];
    return NULL;
}

static void bind(Bound *bound, const char *name, const Value *value) {
    bound->items[2 * bound->count] = text_value(bound->arena, VALUE_STR, name);
    bound->items[2 * bound->count++ + 1] = *value;
}

static bool bind_given(Bound *bound, const Field *names, const Value *given) {
    if (given->kind == VALUE_DICT) {
        for (size_t i = 0; i + 1 < given->list.count; i += 2) {
            if (given->list.items[i].kind != VALUE_STR)
                return false;
            bind(bound, given->list.items[i].text.data, &given->list.items[i + 1]);
        }
        return true;
    }
    if ((given->kind != VALUE_LIST && given->kind != VALUE_TUPLE) || given->list.count + 1 > names->count)
        return false;
    for (size_t i = 0; i < given->list.count; i++)
        bind(bound, node_text(names->items[i + 1], FIELD_arg), &given->list.items[i]);
    return true;
}

/* `at` counts from the first name; the defaults are those of the last. */
static bool bind_default(Bound *bound, const Node *name, const Node *value) {
    const char *text = node_text(name, FIELD_arg);
    Value found;
    if (text == NULL || bound_value(bound, text) != NULL)
        return text != NULL;
    if (value == NULL || !default_value(bound->arena, value, &found))
        return false;
    bind(bound, text, &found);
    return true;
}

Value component_bind_init(Arena *arena, const Tree *tree, const Value *given) {
    static const char *const classes[] = {"RefactoredModel", "Model"};
    const Value unknown = {.kind = VALUE_NONE};
    const Node *class = NULL;
    for (size_t i = 0; class == NULL && i < COUNT_OF(classes); i++)
        class = class_named(tree, classes[i]);
    const Node *init = class == NULL ? NULL : init_of(class);
    const Node *arguments = init == NULL ? NULL : node_child(init, FIELD_args);
    const bool nothing_given = value_is_container(given) && given->list.count == 0;
    Value result = {.kind = VALUE_DICT};
    if (arguments == NULL) /* nn.Module's own __init__ takes nothing */
        return class != NULL && nothing_given ? result : unknown;
    const Field *names = node_list(arguments, FIELD_args), *defaults = node_list(arguments, FIELD_defaults);
    const Field *keywords = node_list(arguments, FIELD_kwonlyargs),
                *keyword_defaults = node_list(arguments, FIELD_kw_defaults);
    if (names->count == 0 || defaults->count > names->count ||
        node_list(arguments, FIELD_posonlyargs)->count > 0)
        return unknown;
    Bound bound = {arena, NULL, 0};
    const size_t most = names->count + keywords->count + (value_is_container(given) ? given->list.count : 0);
    bound.items = ARENA_ARRAY(arena, Value, 2 * most + 2);
    if (!bind_given(&bound, names, given))
        return unknown;
    for (size_t i = 1; i < names->count; i++) {
        size_t from_end = names->count - i;
        const Node *value = from_end <= defaults->count ? defaults->items[defaults->count - from_end] : NULL;
        if (!bind_default(&bound, names->items[i], value))
            return unknown;
    }
    for (size_t i = 0; i < keywords->count; i++)
        if (!bind_default(&bound, keywords->items[i],
                          i < keyword_defaults->count ? keyword_defaults->items[i] : NULL))
            return unknown;
    result.list.items = bound.items;
    result.list.count = 2 * bound.count;
    return result;
}
