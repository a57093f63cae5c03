/* Asking a syntax node about itself. */
#include "source.h"

#include <string.h>

const Field *node_field(const Node *node, FieldName name) {
    for (size_t i = 0; i < node->field_count; i++)
        if (node->fields[i].name == name)
            return &node->fields[i];
    return NULL;
}

const Field *node_list(const Node *node, FieldName name) {
    static const Field empty = {.kind = FIELD_IS_LIST};
    const Field *field = node_field(node, name);
    return field != NULL && field->kind == FIELD_IS_LIST ? field : &empty;
}

Node *node_child(const Node *node, FieldName name) {
    const Field *field = node_field(node, name);
    return field != NULL && field->kind == FIELD_IS_NODE ? field->node : NULL;
}

const char *node_text(const Node *node, FieldName name) {
    const Field *field = node_field(node, name);
    return field != NULL && field->kind == FIELD_IS_TEXT ? field->text : NULL;
}

/* Operators, arguments and the like have no position of their own: theirs is that of what holds them. */
Place node_place(const Tree *tree, const Node *node) {
    while (node->line == 0 && node->parent != NULL)
        node = node->parent;
    return (Place){.file = tree->source->name,
                   .line = node->line,
                   .column = node->column,
                   .end_column = node->end_line == node->line ? node->end_column : 0};
}

char *node_dotted(Arena *arena, const Node *node) {
    const char *parts[64];
    size_t count = 0;
    for (; node != NULL && node->kind == NODE_Attribute; node = node_child(node, FIELD_value)) {
        const char *name = node_text(node, FIELD_attr);
        if (name == NULL || count + 1 >= COUNT_OF(parts))
            return NULL;
        parts[count++] = name;
    }
    const char *name = node != NULL && node->kind == NODE_Name ? node_text(node, FIELD_id) : NULL;
    if (name == NULL)
        return NULL;
    Text dotted = text_new(arena);
    text_add(&dotted, name);
    while (count > 0) {
        text_add(&dotted, ".");
        text_add(&dotted, parts[--count]);
    }
    return dotted.data;
}

const char *node_string(const Node *node) {
    if (node == NULL || node->kind != NODE_Constant || node->constant != CONSTANT_STR)
        return NULL;
    return strlen(node->text) == node->text_length ? node->text : NULL;
}

void node_walk(const Node *node, NodeVisitor *visit, void *context) {
    if (!visit(node, context))
        return;
    for (size_t i = 0; i < node->field_count; i++) {
        const Field *field = &node->fields[i];
        if (field->kind == FIELD_IS_NODE)
            node_walk(field->node, visit, context);
        for (size_t j = 0; field->kind == FIELD_IS_LIST && j < field->count; j++)
            if (field->items[j] != NULL)
                node_walk(field->items[j], visit, context);
    }
}
