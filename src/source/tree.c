/* Decoding a syntax tree from the probe's JSON, which may be anything. */
#include "source.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { DEEPEST = 1000, MOST_NODES = 8 << 20 };

static const char *const KIND_NAMES[NODE_KIND_COUNT] = {
    [NODE_UNKNOWN] = "?",
#define NODE(name) [NODE_##name] = #name,
#include "nodes.def"
#undef NODE
};

static const char *const FIELD_NAMES[FIELD_NAME_COUNT] = {
    [FIELD_UNKNOWN] = "?",
#define FIELD(name) [FIELD_##name] = #name,
#include "fields.def"
#undef FIELD
};

static const char *const CONSTANT_NAMES[] = {
    [CONSTANT_NONE] = "none",   [CONSTANT_BOOL] = "bool",         [CONSTANT_INT] = "int",
    [CONSTANT_FLOAT] = "float", [CONSTANT_COMPLEX] = "complex",   [CONSTANT_STR] = "str",
    [CONSTANT_BYTES] = "bytes", [CONSTANT_ELLIPSIS] = "ellipsis",
};

static const struct {
    NodeKind node;
    FieldName field;
    int kind;
} SHAPES[] = {
#define SHAPE(class, field, kind) {NODE_##class, FIELD_##field, FIELD_IS_##kind},
#include "shapes.def"
#undef SHAPE
};

/* Lists that go side by side. */
static const struct {
    NodeKind node;
    FieldName first, second;
} PAIRS[] = {
    {NODE_Compare, FIELD_ops, FIELD_comparators},
    {NODE_Dict, FIELD_keys, FIELD_values},
    {NODE_arguments, FIELD_kwonlyargs, FIELD_kw_defaults},
    {NODE_MatchClass, FIELD_kwd_attrs, FIELD_kwd_patterns},
};

typedef struct Decoder {
    Arena *arena;
    const Source *source;
    Table *kinds, *names; /* name -> its entry in KIND_NAMES, FIELD_NAMES */
    size_t node_count;
    Error *error;
} Decoder;

const char *node_kind_name(NodeKind kind) {
    return kind < NODE_KIND_COUNT ? KIND_NAMES[kind] : "?";
}

static Table *index_names(Arena *arena, const char *const *names, size_t count) {
    Table *table = table_new(arena);
    for (size_t i = 1; i < count; i++)
        table_put(table, names[i], (void *)&names[i]);
    return table;
}

static size_t find_name(const Table *table, const char *const *names, const char *name) {
    const char *const *found = table_get(table, name);
    return found == NULL ? 0 : (size_t)(found - names);
}

static Status malformed(Decoder *decoder, const char *what) {
    return error_set(decoder->error, decoder->source->name, "check the interpreter given by --python",
                     "the parser sent a syntax tree that is not one: %s", what);
}

static Status decode_position(Decoder *decoder, const json_t *json, Node *node) {
    const json_t *position = json_object_get(json, "p");
    if (position == NULL)
        return STATUS_OK;
    int *const fields[] = {&node->line, &node->column, &node->end_line, &node->end_column};
    const char *at = json_string_value(position);
    for (size_t i = 0; at != NULL && i < COUNT_OF(fields); i++) {
        long number = 0;
        size_t digits = 0;
        while (at[digits] >= '0' && at[digits] <= '9' && number <= INT_MAX)
            number = number * 10 + (at[digits++] - '0');
        const char after = i + 1 < COUNT_OF(fields) ? ' ' : '\0';
        if (digits == 0 || number > INT_MAX || at[digits] != after)
            return malformed(decoder, "a position is four numbers");
        *fields[i] = (int)number;
        at += digits + 1;
    }
    return at == NULL ? malformed(decoder, "a position is a text") : STATUS_OK;
}

static Status decode_constant(Decoder *decoder, const json_t *json, Node *node) {
    const json_t *value = json_object_get(json, "v");
    const char *kind = json_string_value(json_array_get(value, 0));
    const json_t *text = json_array_get(value, 1);
    if (kind == NULL || !json_is_string(text))
        return malformed(decoder, "a Constant has a kind and a text");
    size_t found = 0;
    while (found < COUNT_OF(CONSTANT_NAMES) && strcmp(CONSTANT_NAMES[found], kind) != 0)
        found++;
    if (found == COUNT_OF(CONSTANT_NAMES))
        return malformed(decoder, "a Constant of unknown kind");
    node->constant = (ConstantKind)found;
    if (node->constant == CONSTANT_NONE || node->constant == CONSTANT_ELLIPSIS)
        return STATUS_OK;
    node->text_length = json_string_length(text);
    char *copy = arena_alloc(decoder->arena, node->text_length + 1);
    memcpy(copy, json_string_value(text), node->text_length);
    node->text = copy;
    if (node->constant != CONSTANT_STR && node->constant != CONSTANT_BYTES &&
        strlen(copy) != node->text_length)
        return malformed(decoder, "a number with a NUL");
    return STATUS_OK;
}

static Status decode_node(Decoder *decoder, const json_t *json, Node *parent, size_t depth, Node **out);

static Status decode_list(Decoder *decoder, const json_t *json, Node *node, size_t depth, Field *field) {
    field->kind = FIELD_IS_LIST;
    field->count = json_array_size(json);
    field->items = ARENA_ARRAY(decoder->arena, Node *, field->count + 1);
    for (size_t i = 0; i < field->count; i++) {
        const json_t *item = json_array_get(json, i);
        if (json_is_null(item) && (field->name == FIELD_keys || field->name == FIELD_kw_defaults))
            continue;
        if (decode_node(decoder, item, node, depth + 1, &field->items[i]) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

static Status decode_field(Decoder *decoder, const char *key, const json_t *json, Node *node, size_t depth) {
    Field *field = &node->fields[node->field_count++];
    field->name = (FieldName)find_name(decoder->names, FIELD_NAMES, key);
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        field->kind = FIELD_IS_NODE;
        return decode_node(decoder, json, node, depth + 1, &field->node);
    case JSON_ARRAY: return decode_list(decoder, json, node, depth, field);
    case JSON_STRING:
        field->kind = FIELD_IS_TEXT;
        field->text = arena_strdup(decoder->arena, json_string_value(json));
        if (strlen(field->text) != json_string_length(json))
            return malformed(decoder, "a name with a NUL");
        return STATUS_OK;
    case JSON_INTEGER:
        field->kind = FIELD_IS_INT;
        field->number = json_integer_value(json);
        return STATUS_OK;
    default: return malformed(decoder, "a field is a node, a list, a name or a whole number");
    }
}

/* Rules rely on it that a node has the fields of its class. */
static Status check_shape(Decoder *decoder, const Node *node) {
    for (size_t i = 0; i < COUNT_OF(SHAPES); i++) {
        if (SHAPES[i].node != node->kind)
            continue;
        const Field *field = node_field(node, SHAPES[i].field);
        if (field == NULL || (int)field->kind != SHAPES[i].kind)
            return malformed(decoder, "a node lacks a field of its class");
    }
    for (size_t i = 0; i < COUNT_OF(PAIRS); i++)
        if (PAIRS[i].node == node->kind &&
            node_list(node, PAIRS[i].first)->count != node_list(node, PAIRS[i].second)->count)
            return malformed(decoder, "two lists that belong together differ in length");
    return STATUS_OK;
}

static Status decode_node(Decoder *decoder, const json_t *json, Node *parent, size_t depth, Node **out) {
    if (depth > DEEPEST)
        return error_set(decoder->error, decoder->source->name, "split the expression into several",
                         "nested too deeply");
    const char *class = json_string_value(json_object_get(json, "t"));
    if (class == NULL)
        return malformed(decoder, "a node has a class");
    if (decoder->node_count >= MOST_NODES)
        return error_set(decoder->error, decoder->source->name, "split the file", "too many syntax nodes");
    Node *node = ARENA_NEW(decoder->arena, Node);
    *out = node;
    node->kind = (NodeKind)find_name(decoder->kinds, KIND_NAMES, class);
    node->parent = parent;
    node->id = (uint32_t)decoder->node_count++;
    if (decode_position(decoder, json, node) != STATUS_OK)
        return STATUS_ERROR;
    if (node->kind == NODE_Constant)
        return decode_constant(decoder, json, node);
    node->fields = ARENA_ARRAY(decoder->arena, Field, json_object_size(json));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        if (strcmp(key, "t") != 0 && strcmp(key, "p") != 0 &&
            decode_field(decoder, key, value, node, depth) != STATUS_OK)
            return STATUS_ERROR;
    }
    return check_shape(decoder, node);
}

static Status syntax_error(Decoder *decoder, const json_t *cause) {
    json_int_t line = json_integer_value(json_object_get(cause, "line"));
    json_int_t column = json_integer_value(json_object_get(cause, "column"));
    const char *message = json_string_value(json_object_get(cause, "message"));
    char place[sizeof decoder->error->place];
    if (line <= 0)
        snprintf(place, sizeof place, "%s", decoder->source->name);
    else if (column <= 0)
        snprintf(place, sizeof place, "%s:%lld", decoder->source->name, (long long)line);
    else
        snprintf(place, sizeof place, "%s:%lld:%lld", decoder->source->name, (long long)line,
                 (long long)column);
    return error_set(decoder->error, place, "correct the file", "not valid Python: %s",
                     message == NULL ? "no message" : message);
}

Status tree_decode(Arena *arena, const Source *source, const json_t *json, Tree *tree, Error *error) {
    Decoder decoder = {.arena = arena,
                       .source = source,
                       .kinds = index_names(arena, KIND_NAMES, NODE_KIND_COUNT),
                       .names = index_names(arena, FIELD_NAMES, FIELD_NAME_COUNT),
                       .error = error};
    *tree = (Tree){.source = source};
    const json_t *cause = json_object_get(json, "error");
    if (json_is_object(cause))
        return syntax_error(&decoder, cause);
    if (decode_node(&decoder, json_object_get(json, "tree"), NULL, 0, &tree->module) != STATUS_OK)
        return STATUS_ERROR;
    if (tree->module->kind != NODE_Module)
        return malformed(&decoder, "the root is no Module");
    tree->node_count = decoder.node_count;
    return STATUS_OK;
}
