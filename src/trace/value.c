/* Values: decoding what a cell sent. */
#include "trace.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 200 };

typedef struct Decoder {
    Arena *arena;
    size_t tensor_count;
    const char *where;
    Error *error;
} Decoder;

static Status refuse(const Decoder *decoder, const char *cause) {
    return error_set(decoder->error, decoder->where, "the cell does not keep to the protocol", "%s", cause);
}

static Status decode_text(const Decoder *decoder, const json_t *json, ValueKind kind, Value *value) {
    if (!json_is_string(json))
        return refuse(decoder, "a value's text is not a string");
    value->kind = kind;
    value->text.length = json_string_length(json);
    value->text.data = arena_strndup(decoder->arena, json_string_value(json), value->text.length);
    return STATUS_OK;
}

static Status decode_real(const Decoder *decoder, const json_t *json, double *real) {
    const char *text = json_string_value(json);
    if (text != NULL && *text != '\0' && !isspace((unsigned char)*text)) {
        char *end = NULL;
        *real = strtod(text, &end);
        if (*end == '\0')
            return STATUS_OK;
    }
    return refuse(decoder, "a float is not one in hexadecimal");
}

static Status decode_bigint(const Decoder *decoder, const json_t *json, Value *value) {
    if (decode_text(decoder, json, VALUE_BIGINT, value) != STATUS_OK)
        return STATUS_ERROR;
    const char *digits = value->text.data + (value->text.data[0] == '-');
    const bool hex = text_starts(digits, "0x");
    digits += hex ? 2 : 0;
    if (*digits == '\0' || strspn(digits, hex ? "0123456789abcdef" : "0123456789") != strlen(digits))
        return refuse(decoder, "a large int is neither decimal nor hexadecimal");
    return STATUS_OK;
}

static int hex_digit(char c) {
    const char *digits = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

static Status decode_bytes(const Decoder *decoder, const json_t *json, Value *value) {
    size_t length = json_string_length(json);
    const char *hex = json_string_value(json);
    if (hex == NULL || length % 2 != 0)
        return refuse(decoder, "bytes are not hex digits");
    char *data = arena_alloc(decoder->arena, length / 2 + 1);
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);
        if (high < 0 || low < 0)
            return refuse(decoder, "bytes are not hex digits");
        data[i / 2] = (char)(high * 16 + low);
    }
    *value = (Value){.kind = VALUE_BYTES, .text = {data, length / 2}};
    return STATUS_OK;
}

static Status decode_tensor(const Decoder *decoder, const json_t *json, Value *value) {
    json_int_t number = json_integer_value(json);
    if (!json_is_integer(json) || number < 0 || (uint64_t)number >= decoder->tensor_count)
        return refuse(decoder, "a tensor's number is not in the table");
    *value = (Value){.kind = VALUE_TENSOR, .tensor = {(uint32_t)number}};
    return STATUS_OK;
}

static Status decode_any(const Decoder *decoder, const json_t *json, int depth, Value *value);

static Status decode_items(const Decoder *decoder, const json_t *json, ValueKind kind, int depth,
                           Value *value) {
    if (!json_is_array(json))
        return refuse(decoder, "a container's items are not an array");
    value->kind = kind;
    value->list.count = json_array_size(json);
    value->list.items = ARENA_ARRAY(decoder->arena, Value, value->list.count);
    for (size_t i = 0; i < value->list.count; i++)
        if (decode_any(decoder, json_array_get(json, i), depth + 1, &value->list.items[i]) != STATUS_OK)
            return STATUS_ERROR;
    return STATUS_OK;
}

static Status decode_dict(const Decoder *decoder, const json_t *object, const json_t *json, int depth,
                          Value *value) {
    size_t count = json_array_size(json);
    if (!json_is_array(json))
        return refuse(decoder, "a dict's items are not an array");
    value->kind = VALUE_DICT;
    value->list.count = 2 * count;
    value->list.items = ARENA_ARRAY(decoder->arena, Value, 2 * count);
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(json, i);
        if (json_array_size(pair) != 2)
            return refuse(decoder, "a dict's item is not a pair");
        for (size_t side = 0; side < 2; side++)
            if (decode_any(decoder, json_array_get(pair, side), depth + 1,
                           &value->list.items[2 * i + side]) != STATUS_OK)
                return STATUS_ERROR;
    }
    const char *name = json_string_value(json_object_get(object, "n"));
    if (name != NULL)
        value->name = arena_strdup(decoder->arena, name);
    return STATUS_OK;
}

static Status decode_record(const Decoder *decoder, const json_t *object, const json_t *name, ValueKind kind,
                            int depth, Value *value) {
    const json_t *fields = json_object_get(object, "k"), *items = json_object_get(object, "v");
    if (!json_is_string(name) || !json_is_array(fields) || json_array_size(fields) != json_array_size(items))
        return refuse(decoder, "a record's name, fields and values don't fit together");
    if (decode_items(decoder, items, kind, depth, value) != STATUS_OK)
        return STATUS_ERROR;
    value->name = arena_strdup(decoder->arena, json_string_value(name));
    value->fields = ARENA_ARRAY(decoder->arena, const char *, value->list.count);
    for (size_t i = 0; i < value->list.count; i++) {
        const char *field = json_string_value(json_array_get(fields, i));
        if (field == NULL)
            return refuse(decoder, "a record's field has no name");
        value->fields[i] = arena_strdup(decoder->arena, field);
    }
    return STATUS_OK;
}

static Status decode_triple(const Decoder *decoder, const json_t *json, ValueKind kind, int depth,
                            Value *value) {
    if (json_array_size(json) != 3)
        return refuse(decoder, "a slice or range has not three parts");
    return decode_items(decoder, json, kind, depth, value);
}

static Status decode_complex(const Decoder *decoder, const json_t *json, Value *value) {
    if (json_array_size(json) != 2)
        return refuse(decoder, "a complex number has not two parts");
    value->kind = VALUE_COMPLEX;
    if (decode_real(decoder, json_array_get(json, 0), &value->complex.real) != STATUS_OK)
        return STATUS_ERROR;
    return decode_real(decoder, json_array_get(json, 1), &value->complex.imaginary);
}

/* The keys by which an object says what it is. */
static const struct {
    const char *key;
    ValueKind kind;
} TAGS[] = {{"T", VALUE_TENSOR},        {"f", VALUE_FLOAT},      {"t", VALUE_TUPLE},
            {"l", VALUE_LIST},          {"S", VALUE_SLICE},      {"d", VALUE_DICT},
            {"s", VALUE_SIZE},          {"y", VALUE_DTYPE},      {"D", VALUE_DEVICE},
            {"m", VALUE_MEMORY_FORMAT}, {"e", VALUE_ELLIPSIS},   {"i", VALUE_BIGINT},
            {"c", VALUE_COMPLEX},       {"b", VALUE_BYTES},      {"set", VALUE_SET},
            {"nt", VALUE_NAMEDTUPLE},   {"dc", VALUE_DATACLASS}, {"r", VALUE_RANGE},
            {"M", VALUE_MODULE},        {"fn", VALUE_FUNCTION},  {"o", VALUE_OTHER}};

static Status decode_object(const Decoder *decoder, const json_t *object, int depth, Value *value) {
    for (size_t i = 0; i < COUNT_OF(TAGS); i++) {
        const json_t *json = json_object_get(object, TAGS[i].key);
        if (json == NULL)
            continue;
        ValueKind kind = TAGS[i].kind;
        switch (kind) {
        case VALUE_TENSOR: return decode_tensor(decoder, json, value);
        case VALUE_FLOAT: value->kind = kind; return decode_real(decoder, json, &value->real);
        case VALUE_COMPLEX: return decode_complex(decoder, json, value);
        case VALUE_BIGINT: return decode_bigint(decoder, json, value);
        case VALUE_BYTES: return decode_bytes(decoder, json, value);
        case VALUE_DICT: return decode_dict(decoder, object, json, depth, value);
        case VALUE_NAMEDTUPLE:
        case VALUE_DATACLASS: return decode_record(decoder, object, json, kind, depth, value);
        case VALUE_SLICE:
        case VALUE_RANGE: return decode_triple(decoder, json, kind, depth, value);
        case VALUE_LIST:
        case VALUE_TUPLE:
        case VALUE_SET:
        case VALUE_SIZE: return decode_items(decoder, json, kind, depth, value);
        case VALUE_ELLIPSIS: value->kind = kind; return STATUS_OK;
        default: return decode_text(decoder, json, kind, value);
        }
    }
    return refuse(decoder, "a value is of no known kind");
}

static Status decode_any(const Decoder *decoder, const json_t *json, int depth, Value *value) {
    if (depth > DEEPEST)
        return refuse(decoder, "a value is nested too deeply");
    *value = (Value){.kind = VALUE_NONE};
    switch (json == NULL ? JSON_REAL : json_typeof(json)) {
    case JSON_NULL: return STATUS_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        value->kind = VALUE_BOOL;
        value->integer = json_is_true(json);
        return STATUS_OK;
    case JSON_INTEGER:
        value->kind = VALUE_INT;
        value->integer = json_integer_value(json);
        return STATUS_OK;
    case JSON_STRING: return decode_text(decoder, json, VALUE_STR, value);
    case JSON_OBJECT: return decode_object(decoder, json, depth, value);
    default: return refuse(decoder, "a value is of no known kind");
    }
}

Status value_decode(Arena *arena, const json_t *json, size_t tensor_count, const char *where, Value *value,
                    Error *error) {
    if (tensor_count > UINT32_MAX)
        tensor_count = UINT32_MAX;
    Decoder decoder = {arena, tensor_count, where, error};
    return decode_any(&decoder, json, 0, value);
}

static json_t *tagged(const char *tag, json_t *json) {
    json_t *object = json_object();
    json_object_set_new(object, tag, json);
    return object;
}

static json_t *real_to_json(double real) {
    char text[64];
    if (isnan(real))
        return json_string("nan");
    if (isinf(real))
        return json_string(real > 0 ? "inf" : "-inf");
    snprintf(text, sizeof text, "%a", real);
    return json_string(text);
}

static json_t *items_to_json(const Value *value) {
    json_t *array = json_array();
    for (size_t i = 0; i < value->list.count; i++)
        json_array_append_new(array, value_to_json(&value->list.items[i]));
    return array;
}

static json_t *dict_to_json(const Value *value) {
    json_t *array = json_array();
    for (size_t i = 0; i + 1 < value->list.count; i += 2) {
        json_t *pair = json_array();
        json_array_append_new(pair, value_to_json(&value->list.items[i]));
        json_array_append_new(pair, value_to_json(&value->list.items[i + 1]));
        json_array_append_new(array, pair);
    }
    json_t *object = tagged("d", array);
    if (value->name != NULL)
        json_object_set_new(object, "n", json_string(value->name));
    return object;
}

static json_t *record_to_json(const char *tag, const Value *value) {
    json_t *object = tagged(tag, json_string(value->name));
    json_t *fields = json_array();
    for (size_t i = 0; i < value->list.count; i++)
        json_array_append_new(fields, json_string(value->fields[i]));
    json_object_set_new(object, "k", fields);
    json_object_set_new(object, "v", items_to_json(value));
    return object;
}

static json_t *bytes_to_json(Value value) {
    json_t *json;
    char *hex = malloc(2 * value.text.length + 1);
    if (hex == NULL)
        abort();
    for (size_t i = 0; i < value.text.length; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)(uint8_t)value.text.data[i]);
    json = json_stringn(hex, 2 * value.text.length);
    free(hex);
    return json;
}

json_t *value_to_json(const Value *value) {
    switch (value->kind) {
    case VALUE_NONE: return json_null();
    case VALUE_BOOL: return json_boolean(value->integer);
    case VALUE_INT: return json_integer(value->integer);
    case VALUE_STR: return json_stringn(value->text.data, value->text.length);
    case VALUE_FLOAT: return tagged("f", real_to_json(value->real));
    case VALUE_COMPLEX: {
        json_t *parts = json_array();
        json_array_append_new(parts, real_to_json(value->complex.real));
        json_array_append_new(parts, real_to_json(value->complex.imaginary));
        return tagged("c", parts);
    }
    case VALUE_BYTES: return tagged("b", bytes_to_json(*value));
    case VALUE_TENSOR: return tagged("T", json_integer(value->tensor.number));
    case VALUE_DICT: return dict_to_json(value);
    case VALUE_NAMEDTUPLE: return record_to_json("nt", value);
    case VALUE_DATACLASS: return record_to_json("dc", value);
    case VALUE_ELLIPSIS: return tagged("e", json_integer(1));
    default: break;
    }
    for (size_t i = 0; i < COUNT_OF(TAGS); i++)
        if (TAGS[i].kind == value->kind)
            return tagged(TAGS[i].key, value_is_container(value)
                                           ? items_to_json(value)
                                           : json_stringn(value->text.data, value->text.length));
    return json_null();
}

bool value_is_container(const Value *value) {
    switch (value->kind) {
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_SET:
    case VALUE_DICT:
    case VALUE_NAMEDTUPLE:
    case VALUE_DATACLASS:
    case VALUE_SIZE:
    case VALUE_SLICE:
    case VALUE_RANGE: return true;
    default: return false;
    }
}

static bool real_equal(double a, double b) {
    return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

bool value_equal(const Value *a, const Value *b) {
    if (a->kind != b->kind || !text_equal(a->name, b->name))
        return false;
    if (value_is_container(a)) {
        if (a->list.count != b->list.count)
            return false;
        for (size_t i = 0; i < a->list.count; i++)
            if (!value_equal(&a->list.items[i], &b->list.items[i]) ||
                (a->fields != NULL && !text_equal(a->fields[i], b->fields[i])))
                return false;
        return true;
    }
    switch (a->kind) {
    case VALUE_NONE:
    case VALUE_ELLIPSIS: return true;
    case VALUE_BOOL:
    case VALUE_INT: return a->integer == b->integer;
    case VALUE_FLOAT: return real_equal(a->real, b->real);
    case VALUE_COMPLEX:
        return real_equal(a->complex.real, b->complex.real) &&
               real_equal(a->complex.imaginary, b->complex.imaginary);
    case VALUE_TENSOR: return a->tensor.number == b->tensor.number;
    default:
        return a->text.length == b->text.length && memcmp(a->text.data, b->text.data, a->text.length) == 0;
    }
}
