/* weight_map.json: from text to entries, with the line of each. */
#include "weights.h"

#include <string.h>

/* Lines of the top object's keys, in order: jansson keeps the order of keys but not their places. The text is
 * known to be valid JSON. */
static int *key_lines(Arena *arena, Bytes bytes, size_t count) {
    int *lines = ARENA_ARRAY(arena, int, count + 1);
    int line = 1, depth = 0, string_line = 1;
    size_t found = 0;
    bool inside = false;
    for (size_t i = 0; i < bytes.size; i++) {
        char c = (char)bytes.data[i];
        line += c == '\n';
        if (inside) {
            i += c == '\\';
            inside = c != '"';
        } else if (c == '"') {
            inside = true;
            string_line = line;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ':' && depth == 1 && found < count) {
            lines[found++] = string_line;
        }
    }
    return lines;
}

static Status parse_part(Arena *arena, const json_t *json, const char *where, MapTarget *target,
                         Error *error) {
    const char *unknown;
    json_t *value;
    json_object_foreach((json_t *)json, unknown, value) {
        if (!text_equal(unknown, "key") && !text_equal(unknown, "dim") && !text_equal(unknown, "start") &&
            !text_equal(unknown, "stop") && !text_equal(unknown, "transpose"))
            return error_set(error, where, "a part has \"key\", \"dim\", \"start\", \"stop\", \"transpose\"",
                             "a part has no field \"%s\"", unknown);
    }
    if (json_read_string(arena, json, "key", &target->key, where, error) != STATUS_OK)
        return STATUS_ERROR;
    if (json_object_get(json, "transpose") != NULL &&
        json_read_bool(json, "transpose", &target->transpose, where, error) != STATUS_OK)
        return STATUS_ERROR;
    const bool start = json_object_get(json, "start") != NULL, stop = json_object_get(json, "stop") != NULL;
    target->is_slice = start || stop;
    if ((start && json_read_int(json, "start", 0, INT64_MAX, &target->start, where, error) != STATUS_OK) ||
        (stop && json_read_int(json, "stop", 0, INT64_MAX, &target->stop, where, error) != STATUS_OK))
        return STATUS_ERROR;
    if (start != stop)
        return error_set(error, where, "give both, in elements along \"dim\"",
                         "a part has one of \"start\" and \"stop\" only");
    if (json_object_get(json, "dim") != NULL &&
        json_read_int(json, "dim", -TENSOR_RANK_MAX, TENSOR_RANK_MAX - 1, &target->dim, where, error) !=
            STATUS_OK)
        return STATUS_ERROR;
    if (target->is_slice && target->start >= target->stop)
        return error_set(error, where, "", "a part starts at %lld and stops at %lld",
                         (long long)target->start, (long long)target->stop);
    return STATUS_OK;
}

static Status parse_target(Arena *arena, const json_t *json, const char *where, MapTarget *target,
                           Error *error) {
    if (json_is_object(json))
        return parse_part(arena, json, where, target, error);
    if (!json_is_string(json) || strlen(json_string_value(json)) != json_string_length(json))
        return error_set(error, where, "write \"refactored.key\", a part, or a list of these",
                         "a value of the map is no key");
    target->key = arena_strdup(arena, json_string_value(json));
    return STATUS_OK;
}

static Status parse_entry(Arena *arena, const char *key, const json_t *value, const char *name,
                          MapEntry *entry, Error *error) {
    const char *where = arena_printf(arena, "%s:%d", name, entry->line);
    const bool list = json_is_array(value);
    entry->key = arena_strdup(arena, key);
    entry->target_count = list ? json_array_size(value) : 1;
    entry->targets = ARENA_ARRAY(arena, MapTarget, entry->target_count);
    for (size_t i = 0; i < entry->target_count; i++) {
        const json_t *target = list ? json_array_get(value, i) : value;
        if (parse_target(arena, target, where, &entry->targets[i], error) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

Status weight_map_parse(Arena *arena, Bytes bytes, const char *name, WeightMap *map, Error *error) {
    json_t *json, *value;
    if (json_parse(bytes, name, &json, error) != STATUS_OK)
        return STATUS_ERROR;
    *map = (WeightMap){.name = arena_strdup(arena, name)};
    Status status = STATUS_OK;
    if (!json_is_object(json)) {
        status = error_set(error, name, "write {\"original.key\": \"refactored.key\"}",
                           "a weight map must be a JSON object");
    } else {
        const int *lines = key_lines(arena, bytes, json_object_size(json));
        const char *key;
        json_object_foreach(json, key, value) {
            MapEntry *entry = ARENA_PUSH(arena, map);
            entry->line = lines[map->count - 1];
            status = parse_entry(arena, key, value, map->name, entry, error);
            if (status != STATUS_OK)
                break;
        }
    }
    json_decref(json);
    return status;
}
