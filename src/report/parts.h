/* What the JSON of several commands shares. */
#ifndef PLUMBLINE_REPORT_PARTS_H
#define PLUMBLINE_REPORT_PARTS_H

#include "report.h"

#include <string.h>

/* What is no UTF-8 (a file's name may be any bytes) has it as \xNN: a key is there in any case. */
static inline json_t *text_or_null(const char *text) {
    if (text == NULL)
        return json_null();
    json_t *json = json_string(text);
    if (json != NULL)
        return json;
    Arena *arena = arena_new();
    json = json_string(text_printable_lines(arena, text, strlen(text)));
    arena_free(arena);
    return json;
}

static inline void set(json_t *object, const char *key, json_t *value) {
    json_object_set_new(object, key, value);
}

/* New reference: a list of findings as results have them. */
json_t *findings_json(const Findings *findings);
/* A text that may come from anywhere, such as a file's name: what is no UTF-8 becomes \xNN. */
static inline json_t *json_printable(Arena *arena, const char *text) {
    return text == NULL ? json_null() : json_string(text_printable_lines(arena, text, strlen(text)));
}

#endif
