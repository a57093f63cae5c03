/* Decoding a recording: every number in it is checked here, so that those who read it need not. */
#include "graph_parts.h"

#include <stdio.h>
#include <string.h>

enum { MOST_ARGUMENTS = 256, MOST_RESULTS = 1 << 20, MOST_KEYWORDS = 256 };

Status recording_refuse(const Recording *recording, const char *table, size_t index, const char *cause) {
    char place[64];
    snprintf(place, sizeof place, "recording, %s %zu", table, index);
    return error_set(recording->error, place, "the cell does not keep to the protocol", "%s", cause);
}

bool recording_number(const json_t *json, int64_t low, int64_t high, int64_t *number) {
    if (!json_is_integer(json))
        return false;
    *number = json_integer_value(json);
    return *number >= low && *number <= high;
}

const char *recording_text(const Recording *recording, const json_t *json) {
    const char *text = json_string_value(json);
    if (text == NULL || strlen(text) != json_string_length(json))
        return NULL;
    return arena_strndup(recording->arena, text, json_string_length(json));
}

bool recording_is_word(const char *text) {
    static const char WORD[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:";
    return text != NULL && *text != '\0' && strlen(text) < 256 && text[strspn(text, WORD)] == '\0';
}

static Status decode_schema_argument(const Recording *recording, const json_t *json, size_t index, size_t at,
                                     Schema *schema, const char **types) {
    schema->arg_names[at] = recording_text(recording, json_array_get(json, 0));
    types[at] = recording_text(recording, json_array_get(json, 1));
    size_t parts = json_array_size(json);
    if (parts < 2 || parts > 3 || !recording_is_word(schema->arg_names[at]) || types[at] == NULL)
        return recording_refuse(recording, "schema", index,
                                "an argument is not [name, type] or [name, type, default]");
    schema->has_default[at] = parts == 3;
    if (parts == 3)
        return value_decode(recording->arena, json_array_get(json, 2), 0, "recording, a default",
                            &schema->defaults[at], recording->error);
    return STATUS_OK;
}

static Status decode_marks(const Recording *recording, const json_t *json, size_t index, Schema *schema) {
    const json_t *writes = json_object_get(json, "writes"), *views = json_object_get(json, "views");
    if (!json_is_array(writes) || !json_is_array(views))
        return recording_refuse(recording, "schema", index, "its marks are missing");
    int64_t last_argument = (int64_t)schema->arg_count - 1, number;
    for (size_t i = 0; i < json_array_size(writes); i++) {
        if (!recording_number(json_array_get(writes, i), 0, last_argument, &number))
            return recording_refuse(recording, "schema", index, "it writes an argument that it hasn't");
        schema->written[number] = true;
        schema->writes_any = true;
    }
    schema->view_count = json_array_size(views);
    schema->views = arena_alloc(recording->arena, schema->view_count * sizeof *schema->views);
    for (size_t i = 0; i < schema->view_count; i++) {
        const json_t *pair = json_array_get(views, i);
        int64_t result;
        if (json_array_size(pair) != 2 ||
            !recording_number(json_array_get(pair, 0), 0, MOST_ARGUMENTS, &result) ||
            !recording_number(json_array_get(pair, 1), 0, last_argument, &number))
            return recording_refuse(recording, "schema", index, "a view is of an argument that it hasn't");
        schema->views[i][0] = (size_t)result;
        schema->views[i][1] = (size_t)number;
    }
    schema->list_views = json_is_true(json_object_get(json, "list_views"));
    schema->random = json_is_true(json_object_get(json, "random"));
    schema->reshapes = json_is_true(json_object_get(json, "reshapes"));
    if ((schema->list_views || schema->reshapes) && schema->arg_count == 0)
        return recording_refuse(recording, "schema", index, "it has no argument to view");
    return STATUS_OK;
}

static Status decode_schema(const Recording *recording, const json_t *json, size_t index, Schema *schema) {
    Arena *arena = recording->arena;
    const json_t *args = json_object_get(json, "args");
    schema->name = recording_text(recording, json_object_get(json, "name"));
    if (!recording_is_word(schema->name) || strstr(schema->name, "::") == NULL || !json_is_array(args) ||
        json_array_size(args) > MOST_ARGUMENTS)
        return recording_refuse(recording, "schema", index, "its name or arguments are missing");
    size_t count = schema->arg_count = json_array_size(args);
    const char **types = ARENA_ARRAY(arena, const char *, count);
    schema->arg_names = ARENA_ARRAY(arena, const char *, count);
    schema->is_number = ARENA_ARRAY(arena, bool, count);
    schema->defaults = ARENA_ARRAY(arena, Value, count);
    schema->has_default = ARENA_ARRAY(arena, bool, count);
    schema->written = ARENA_ARRAY(arena, bool, count);
    schema->read = ARENA_ARRAY(arena, bool, count);
    schema->spelled = ARENA_ARRAY(arena, uint8_t, count);
    for (size_t i = 0; i < count; i++)
        if (decode_schema_argument(recording, json_array_get(args, i), index, i, schema, types) != STATUS_OK)
            return STATUS_ERROR;
    if (decode_marks(recording, json, index, schema) != STATUS_OK)
        return STATUS_ERROR;
    schema_classify(arena, schema, types);
    return STATUS_OK;
}

/* The numbers of elements and of memory that a layout spans are checked here, once for all arithmetic. */
static Status decode_layout(const Recording *recording, const json_t *json, size_t index, Layout *layout) {
    const json_t *shape = json_array_get(json, 1), *stride = json_array_get(json, 2);
    layout->dtype = recording_text(recording, json_array_get(json, 0));
    layout->rank = json_array_size(shape);
    if (json_array_size(json) != 3 || !recording_is_word(layout->dtype) || !json_is_array(shape) ||
        !json_is_array(stride) || json_array_size(stride) != layout->rank || layout->rank > LARGEST_RANK)
        return recording_refuse(recording, "layout", index, "it is not [dtype, shape, strides]");
    layout->shape = ARENA_ARRAY(recording->arena, int64_t, layout->rank);
    layout->stride = ARENA_ARRAY(recording->arena, int64_t, layout->rank);
    int64_t count = 1, reach = 0;
    bool empty = false;
    for (size_t i = 0; i < layout->rank; i++) {
        if (!recording_number(json_array_get(shape, i), 0, LARGEST_EXTENT, &layout->shape[i]) ||
            !recording_number(json_array_get(stride, i), 0, INT64_MAX, &layout->stride[i]))
            return recording_refuse(recording, "layout", index, "a size or stride is out of range");
        if (layout->shape[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(count, layout->shape[i], &count) || count > LARGEST_EXTENT)
            return recording_refuse(recording, "layout", index, "it has too many elements");
        if (layout->shape[i] <= 1)
            layout->stride[i] = 0;
    }
    for (size_t i = 0; i < layout->rank; i++) {
        int64_t length;
        if (empty)
            layout->stride[i] = 0;
        if (__builtin_mul_overflow(layout->stride[i], layout->shape[i], &length) ||
            __builtin_add_overflow(reach, length, &reach) || reach > LARGEST_EXTENT)
            return recording_refuse(recording, "layout", index, "it spans too much memory");
    }
    layout->count = empty ? 0 : count;
    layout->floating = strstr(layout->dtype, "float") != NULL;
    return STATUS_OK;
}

static Status decode_tensor(const Recording *recording, const json_t *json, size_t index, Tensor *tensor) {
    int64_t layout;
    if (json_array_size(json) != 2 ||
        !recording_number(json_array_get(json, 0), 0, (int64_t)recording->layout_count - 1, &layout) ||
        !recording_number(json_array_get(json, 1), 0, LARGEST_EXTENT, &tensor->offset))
        return recording_refuse(recording, "tensor", index, "it is not [layout, offset]");
    tensor->layout = &recording->layouts[layout];
    tensor->storage = NO_STORAGE;
    return STATUS_OK;
}

static Status decode_tensors(Recording *recording, Rows *rows) {
    Status status = STATUS_OK;
    recording->tensor_count = rows->count;
    recording->tensors = ARENA_ARRAY(recording->scratch, Tensor, rows->count);
    for (size_t i = 0; i < rows->count && status == STATUS_OK; i++) {
        const json_t *row;
        status = rows_next(rows, &row, recording->error);
        if (status == STATUS_OK)
            status = decode_tensor(recording, row, i, &recording->tensors[i]);
    }
    rows_close(rows);
    return status;
}

static Status open_events(const json_t *json, Bytes pieces, Rows *events, Error *error) {
    return rows_open(events, json, "events", pieces, 'e', "recording", error);
}

Status recording_event_count(const json_t *json, Bytes pieces, size_t *count, Error *error) {
    Rows events;
    Status status = open_events(json, pieces, &events, error);
    *count = events.count;
    return status;
}

Status recording_decode(Arena *arena, Arena *scratch, const json_t *json, Bytes pieces, size_t call_limit,
                        Recording *recording, Error *error) {
    *recording = (Recording){.arena = arena, .scratch = scratch, .error = error, .call_limit = call_limit};
    json_t *schemas, *layouts;
    Rows tensors;
    const struct {
        const char *key;
        json_t **array;
        size_t *count;
    } tables[] = {{"schemas", &schemas, &recording->schema_count},
                  {"layouts", &layouts, &recording->layout_count}};
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        if (json_read_container(json, tables[i].key, JSON_ARRAY, tables[i].array, "recording", error) !=
            STATUS_OK)
            return STATUS_ERROR;
        *tables[i].count = json_array_size(*tables[i].array);
    }
    if (rows_open(&tensors, json, "tensors", pieces, 'n', "recording", error) != STATUS_OK ||
        open_events(json, pieces, &recording->events, error) != STATUS_OK)
        return STATUS_ERROR;
    recording->symbolic = json_is_true(json_object_get(json, "symbolic"));
    recording->schemas = ARENA_ARRAY(arena, Schema, recording->schema_count);
    recording->layouts = ARENA_ARRAY(arena, Layout, recording->layout_count);
    for (size_t i = 0; i < recording->schema_count; i++)
        if (decode_schema(recording, json_array_get(schemas, i), i, &recording->schemas[i]) != STATUS_OK)
            return STATUS_ERROR;
    for (size_t i = 0; i < recording->layout_count; i++)
        if (decode_layout(recording, json_array_get(layouts, i), i, &recording->layouts[i]) != STATUS_OK)
            return STATUS_ERROR;
    return decode_tensors(recording, &tensors);
}

static Status decode_arguments(const Recording *recording, const json_t *event, size_t number,
                               Operation *operation) {
    const Schema *schema = operation->schema;
    const json_t *args = json_array_get(event, 4), *pairs = json_array_get(event, 5);
    size_t given = json_array_size(args), pair_count = json_array_size(pairs);
    if (!json_is_array(args) || !json_is_array(pairs) || given > schema->arg_count ||
        pair_count > MOST_KEYWORDS)
        return recording_refuse(recording, "event", number, "its arguments don't fit its schema");
    operation->args = ARENA_ARRAY(recording->arena, Value, schema->arg_count);
    bool filled[MOST_ARGUMENTS] = {false};
    for (size_t i = 0; i < given + pair_count; i++) {
        const json_t *json = i < given ? json_array_get(args, i) : NULL;
        size_t at = i;
        if (i >= given) {
            const json_t *pair = json_array_get(pairs, i - given);
            const char *name = json_string_value(json_array_get(pair, 0));
            for (at = 0; name != NULL && at < schema->arg_count; at++)
                if (strcmp(schema->arg_names[at], name) == 0)
                    break;
            if (json_array_size(pair) != 2 || name == NULL || at == schema->arg_count || filled[at])
                return recording_refuse(recording, "event", number, "a keyword is none of its schema's");
            json = json_array_get(pair, 1);
        }
        filled[at] = true;
        if (value_decode(recording->arena, json, recording->tensor_count, "recording, an argument",
                         &operation->args[at], recording->error) != STATUS_OK)
            return STATUS_ERROR;
    }
    operation->arg_defaults = ARENA_ARRAY(recording->arena, bool, schema->arg_count);
    for (size_t i = 0; i < schema->arg_count; i++) {
        operation->arg_defaults[i] =
            schema->has_default[i] && (!filled[i] || value_equal(&operation->args[i], &schema->defaults[i]));
        if (filled[i])
            continue;
        if (schema->has_default[i])
            operation->args[i] = schema->defaults[i];
        else if (strcmp(schema->arg_names[i], "generator") == 0)
            operation->args[i] = (Value){.kind = VALUE_NONE}; /* no recording has it: see PLACED */
        else
            return recording_refuse(recording, "event", number, "an argument without default is missing");
    }
    return STATUS_OK;
}

static bool add_result(const Recording *recording, const json_t *json, size_t index, size_t item,
                       Operation *operation) {
    int64_t tensor;
    if (json_is_null(json))
        return true;
    if (!recording_number(json, 0, (int64_t)recording->tensor_count - 1, &tensor))
        return false;
    operation->results[operation->result_count++] = (Result){(uint32_t)tensor, index, item};
    return true;
}

Status recording_operation(const Recording *recording, const json_t *event, size_t number,
                           Operation *operation) {
    int64_t schema, call, grad, last_call = INT32_MAX;
    if (recording->call_limit < INT32_MAX)
        last_call = (int64_t)recording->call_limit - 1;
    const json_t *results = json_array_get(event, 6);
    *operation = (Operation){0};
    if (json_array_size(event) != 7 ||
        !recording_number(json_array_get(event, 1), 0, (int64_t)recording->schema_count - 1, &schema) ||
        !recording_number(json_array_get(event, 2), -1, last_call, &call) ||
        !recording_number(json_array_get(event, 3), 0, 1, &grad) || !json_is_array(results))
        return recording_refuse(recording, "event", number, "its schema, call or results are out of range");
    operation->schema = &recording->schemas[schema];
    operation->call = call < 0 ? NO_CALL : (size_t)call;
    operation->grad = grad == 1;
    if (decode_arguments(recording, event, number, operation) != STATUS_OK)
        return STATUS_ERROR;
    size_t most = 0, given = json_array_size(results);
    for (size_t i = 0; i < given; i++) {
        const json_t *json = json_array_get(results, i);
        most += json_is_array(json) ? json_array_size(json) : 1;
    }
    if (most > MOST_RESULTS)
        return recording_refuse(recording, "event", number, "it has too many results");
    operation->given_count = given;
    operation->results = ARENA_ARRAY(recording->scratch, Result, most);
    for (size_t i = 0; i < given; i++) {
        const json_t *json = json_array_get(results, i);
        bool list = json_is_array(json), fine = true;
        if (!list)
            fine = add_result(recording, json, i, SIZE_MAX, operation);
        for (size_t j = 0; list && fine && j < json_array_size(json); j++)
            fine = add_result(recording, json_array_get(json, j), i, j, operation);
        if (!fine)
            return recording_refuse(recording, "event", number, "a result is no tensor of the table");
    }
    return STATUS_OK;
}

const Digits *layout_digits(const Recording *recording, Layout *layout) {
    if (!layout->digits_made) {
        Digits digits;
        layout->digits_made = true;
        if (digits_of_geometry(layout->shape, layout->stride, layout->rank, &digits))
            layout->digits = arena_copy(recording->arena, &digits,
                                        offsetof(Digits, items) + digits.count * sizeof digits.items[0]);
    }
    return layout->digits;
}

bool layout_same_shape(const Layout *a, const Layout *b) {
    return a == b || (a->rank == b->rank &&
                      (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0));
}

bool layout_same(const Layout *a, const Layout *b) {
    return a == b || (layout_same_shape(a, b) &&
                      (a->rank == 0 || memcmp(a->stride, b->stride, a->rank * sizeof *a->stride) == 0));
}

bool layout_is_contiguous(const Layout *layout) {
    int64_t next = 1;
    for (size_t i = layout->rank; i-- > 0 && layout->count > 0;) {
        if (layout->shape[i] > 1 && layout->stride[i] != next)
            return false;
        next *= layout->shape[i];
    }
    return true;
}

bool layout_is_channels_last(const Layout *layout) {
    static const size_t ORDER[2][5] = {{1, 3, 2, 0, 0}, {1, 4, 3, 2, 0}};
    if (layout->rank != 4 && layout->rank != 5)
        return false;
    int64_t next = 1;
    for (size_t i = 0; i < layout->rank && layout->count > 0; i++) {
        size_t at = ORDER[layout->rank - 4][i];
        if (layout->shape[at] > 1 && layout->stride[at] != next)
            return false;
        next *= layout->shape[at];
    }
    return true;
}

Status recording_results(Recording *recording, const json_t *outputs, const json_t *kept) {
    Error *error = recording->error;
    if (outputs == NULL)
        return error_set(error, "recording", "the cell does not keep to the protocol",
                         "its outputs are missing");
    if (value_decode(recording->arena, outputs, recording->tensor_count, "recording, outputs",
                     &recording->outputs, error) != STATUS_OK)
        return STATUS_ERROR;
    recording->kept = (Value){.kind = VALUE_NONE};
    return kept == NULL ? STATUS_OK
                        : value_decode(recording->arena, kept, recording->tensor_count, "recording, kept",
                                       &recording->kept, error);
}
