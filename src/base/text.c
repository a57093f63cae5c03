/* Strings that are being written, and questions about strings. */
#include "base.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

Text text_new(Arena *arena) {
    return (Text){.arena = arena, .data = arena_alloc(arena, 64), .length = 0, .capacity = 64};
}

void text_add_bytes(Text *text, const char *data, size_t length) {
    if (text->capacity - text->length <= length) {
        size_t larger =
            text->capacity * 2 > text->length + length + 1 ? text->capacity * 2 : text->length + length + 1;
        char *grown = arena_alloc(text->arena, larger);
        memcpy(grown, text->data, text->length);
        text->data = grown;
        text->capacity = larger;
    }
    if (length > 0)
        memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_add(Text *text, const char *string) {
    text_add_bytes(text, string, strlen(string));
}

void text_printf(Text *text, const char *format, ...) {
    char few[256];
    va_list rest, again;
    va_start(rest, format);
    va_copy(again, rest);
    int length = vsnprintf(few, sizeof few, format, rest);
    if (length >= 0 && (size_t)length < sizeof few)
        text_add_bytes(text, few, (size_t)length);
    else
        text_add(text, arena_vprintf(text->arena, format, again));
    va_end(again);
    va_end(rest);
}

bool text_equal(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool text_among(const char *text, const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (text_equal(text, texts[i]))
            return true;
    return false;
}

bool text_starts(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix) {
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

/* The length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7), or 0. */
static size_t utf8_length(const unsigned char *at, size_t left) {
    if (at[0] < 0x80)
        return 1;
    size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || left < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

bool text_is_utf8(const char *text) {
    size_t left = strlen(text), step = 1;
    for (const unsigned char *at = (const unsigned char *)text; left > 0 && step > 0;
         left -= step, at += step)
        step = utf8_length(at, left);
    return left == 0;
}

/* C0 and C1 controls but tab and newline, the other ends of lines (U+2028, U+2029), and the bidirectional
 * overrides (U+202A..U+202E, U+2066..U+2069). */
static bool is_control(const unsigned char *at, size_t length) {
    if (length == 1)
        return (at[0] < 0x20 && at[0] != '\t' && at[0] != '\n') || at[0] == 0x7f;
    if (length == 2)
        return at[0] == 0xc2 && at[1] < 0xa0;
    return length == 3 && at[0] == 0xe2 &&
           ((at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae) ||
            (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
}

char *text_printable_lines(Arena *arena, const char *data, size_t length) {
    Text out = text_new(arena);
    const unsigned char *bytes = (const unsigned char *)data;
    for (size_t i = 0; i < length;) {
        size_t step = utf8_length(bytes + i, length - i);
        if (step > 0 && !is_control(bytes + i, step)) {
            text_add_bytes(&out, data + i, step);
            i += step;
            continue;
        }
        for (size_t end = i + (step > 0 ? step : 1); i < end; i++)
            text_printf(&out, "\\x%02x", bytes[i]);
    }
    return out.data;
}

char *text_printable(Arena *arena, const char *data, size_t length) {
    const char *lines = text_printable_lines(arena, data, length);
    Text out = text_new(arena);
    for (size_t part; *lines != '\0'; lines += part) {
        part = strcspn(lines, "\n");
        text_add_bytes(&out, lines, part);
        if (lines[part] == '\n') {
            text_add(&out, "\\n");
            part++;
        }
    }
    return out.data;
}

char *text_one_line(Arena *arena, const char *text) {
    Text out = text_new(arena);
    for (const char *at = text; *at != '\0'; at++)
        if (strchr("\t\n\v\f\r", *at) != NULL)
            text_printf(&out, "\\x%02x", (unsigned)*at);
        else
            text_add_bytes(&out, at, 1);
    return text_printable(arena, out.data, out.length);
}

size_t text_distance(const char *a, const char *b) {
    enum { LONGEST = 64 };
    size_t rows = strlen(a), columns = strlen(b);
    if (rows > LONGEST || columns > LONGEST)
        return rows > columns ? rows : columns;
    size_t line[LONGEST + 1];
    for (size_t j = 0; j <= columns; j++)
        line[j] = j;
    for (size_t i = 1; i <= rows; i++) {
        size_t diagonal = line[0];
        line[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = line[j];
            if (line[j] + 1 < best)
                best = line[j] + 1;
            if (line[j - 1] + 1 < best)
                best = line[j - 1] + 1;
            line[j] = best;
        }
    }
    return line[columns];
}

const char *timestamp_now(Arena *arena) {
    time_t now = time(NULL);
    struct tm utc;
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    return arena_strdup(arena, text);
}
