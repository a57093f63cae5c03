/* What the JSON of several commands shares. */
#ifndef PLUMBLINE_REPORT_PARTS_H
#define PLUMBLINE_REPORT_PARTS_H

#include "report.h"

static inline json_t *text_or_null(const char *text) {
    return text == NULL ? json_null() : json_string(text);
}

static inline void set(json_t *object, const char *key, json_t *value) {
    json_object_set_new(object, key, value);
}

#endif
