/* Reading JSON that may be wrong or hostile, with messages that say where. */
#include "base.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

Status json_parse(Bytes bytes, const char *where, json_t **value, Error *error) {
    json_error_t cause;
    *value =
        json_loadb((const char *)bytes.data, bytes.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &cause);
    if (*value != NULL)
        return STATUS_OK;
    char place[512];
    snprintf(place, sizeof place, "%s:%d:%d", where, cause.line, cause.column);
    return error_set(error, place, "correct the file", "not valid JSON: %s", cause.text);
}

static Status wrong(const json_t *value, const char *key, const char *expected, const char *where,
                    Error *error) {
    return error_set(error, where, "", "\"%s\" %s", key, value == NULL ? "is missing" : expected);
}

Status json_read_int(const json_t *object, const char *key, int64_t low, int64_t high, int64_t *value,
                     const char *where, Error *error) {
    const json_t *field = json_object_get(object, key);
    if (!json_is_integer(field))
        return wrong(field, key, "must be a whole number", where, error);
    *value = json_integer_value(field);
    if (*value < low || *value > high)
        return error_set(error, where, "", "\"%s\" is %lld; it must lie in %lld..%lld", key,
                         (long long)*value, (long long)low, (long long)high);
    return STATUS_OK;
}

Status json_read_bool(const json_t *object, const char *key, bool *value, const char *where, Error *error) {
    const json_t *field = json_object_get(object, key);
    if (!json_is_boolean(field))
        return wrong(field, key, "must be true or false", where, error);
    *value = json_is_true(field);
    return STATUS_OK;
}

Status json_read_string(Arena *arena, const json_t *object, const char *key, const char **value,
                        const char *where, Error *error) {
    const json_t *field = json_object_get(object, key);
    if (!json_is_string(field))
        return wrong(field, key, "must be a string", where, error);
    if (strlen(json_string_value(field)) != json_string_length(field))
        return wrong(field, key, "must not contain a NUL", where, error);
    *value = arena_strdup(arena, json_string_value(field));
    return STATUS_OK;
}

Status json_read_container(const json_t *object, const char *key, json_type type, json_t **value,
                           const char *where, Error *error) {
    json_t *field = json_object_get(object, key);
    if (field == NULL || json_typeof(field) != type)
        return wrong(field, key, type == JSON_ARRAY ? "must be a list" : "must be an object", where, error);
    *value = field;
    return STATUS_OK;
}

json_t *json_number(double value) {
    if (isnan(value))
        return json_string("NaN");
    if (isinf(value))
        return json_string(value > 0 ? "Infinity" : "-Infinity");
    return json_real(value);
}
