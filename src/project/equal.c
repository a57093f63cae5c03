/* Syntax trees compared without docstrings and places. */
#include "project_parts.h"

#include <string.h>

static bool has_docstring(const Node *node) {
    switch (node->kind) {
    case NODE_Module:
    case NODE_ClassDef:
    case NODE_FunctionDef:
    case NODE_AsyncFunctionDef: break;
    default: return false;
    }
    const Field *body = node_list(node, FIELD_body);
    const Node *first = body->count == 0 ? NULL : body->items[0];
    if (first == NULL || first->kind != NODE_Expr)
        return false;
    const Node *value = node_child(first, FIELD_value);
    return value != NULL && value->kind == NODE_Constant && value->constant == CONSTANT_STR;
}

static size_t first_item(const Node *node, const Field *field) {
    return field->name == FIELD_body && has_docstring(node) ? 1 : 0;
}

static bool nodes_equal(const Node *a, const Node *b);

static bool fields_equal(const Node *a, const Node *b, const Field *x, const Field *y) {
    if (x->name != y->name || x->kind != y->kind || x->name == FIELD_UNKNOWN)
        return false;
    switch (x->kind) {
    case FIELD_IS_NODE: return nodes_equal(x->node, y->node);
    case FIELD_IS_TEXT: return text_equal(x->text, y->text);
    case FIELD_IS_INT: return x->number == y->number;
    case FIELD_IS_LIST: break;
    }
    size_t i = first_item(a, x), j = first_item(b, y);
    if (x->count - i != y->count - j)
        return false;
    for (; i < x->count; i++, j++)
        if (!nodes_equal(x->items[i], y->items[j]))
            return false;
    return true;
}

/* Nodes of a class that the table doesn't have equal nothing: what they mean is not known. */
static bool nodes_equal(const Node *a, const Node *b) {
    if (a == NULL || b == NULL)
        return a == b;
    if (a->kind != b->kind || a->kind == NODE_UNKNOWN || a->field_count != b->field_count)
        return false;
    if (a->kind == NODE_Constant && (a->constant != b->constant || a->text_length != b->text_length ||
                                     (a->text_length > 0 && memcmp(a->text, b->text, a->text_length) != 0)))
        return false;
    for (size_t i = 0; i < a->field_count; i++)
        if (!fields_equal(a, b, &a->fields[i], &b->fields[i]))
            return false;
    return true;
}

bool trees_equal(const Tree *a, const Tree *b) {
    return a->module != NULL && b->module != NULL && nodes_equal(a->module, b->module);
}

typedef struct Hash { /* FNV-1a, 64 bits; what it joins is compared in full */
    uint64_t value;
} Hash;

static void mix(Hash *hash, const void *data, size_t size) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash->value = (hash->value ^ bytes[i]) * 0x100000001b3U;
}

static void hash_node(Hash *hash, const Node *node) {
    uint16_t kind = node == NULL ? UINT16_MAX : (uint16_t)node->kind;
    mix(hash, &kind, sizeof kind);
    if (node == NULL)
        return;
    if (node->text_length > 0)
        mix(hash, node->text, node->text_length);
    for (size_t i = 0; i < node->field_count; i++) {
        const Field *field = &node->fields[i];
        if (field->kind == FIELD_IS_NODE)
            hash_node(hash, field->node);
        else if (field->kind == FIELD_IS_TEXT)
            mix(hash, field->text, strlen(field->text));
        else if (field->kind == FIELD_IS_LIST)
            for (size_t j = first_item(node, field); j < field->count; j++)
                hash_node(hash, field->items[j]);
    }
}

const char *content_hash(Arena *arena, const Tree *tree) {
    Hash hash = {0xcbf29ce484222325U};
    hash_node(&hash, tree->module);
    return arena_printf(arena, "%016llx", (unsigned long long)hash.value);
}
