/* On which line a key of a JSON file stands: one pass over text that is known to be valid. */
#include "project_parts.h"

#include <string.h>

enum { DEEPEST = 3, MOST_LINES = 4 << 20 };
#define SEPARATOR "\x1f"

typedef struct Scan {
    Arena *arena;
    const char *at, *end;
    int line;
    Table *lines;
} Scan;

static void skip_space(Scan *scan) {
    for (; scan->at < scan->end && strchr(" \t\r\n", *scan->at) != NULL && *scan->at != '\0'; scan->at++)
        scan->line += *scan->at == '\n';
}

/* Stands on a quote; leaves behind the closing one. Decodes escapes only where there are any. */
static const char *read_string(Scan *scan, bool wanted) {
    const char *start = scan->at++;
    bool escaped = false;
    while (scan->at < scan->end && *scan->at != '"') {
        escaped |= *scan->at == '\\';
        scan->at += *scan->at == '\\' ? 2 : 1;
    }
    if (scan->at < scan->end)
        scan->at++;
    if (!wanted)
        return NULL;
    size_t length = (size_t)(scan->at - start);
    if (!escaped)
        return arena_strndup(scan->arena, start + 1, length < 2 ? 0 : length - 2);
    json_t *text = json_loadb(start, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    const char *copy = arena_strdup(scan->arena, json_is_string(text) ? json_string_value(text) : "");
    json_decref(text);
    return copy;
}

static void note(Scan *scan, const char *path, int line) {
    if (scan->lines->count < MOST_LINES)
        table_put(scan->lines, path, (void *)(intptr_t)line);
}

/* Whatever is deeper than anyone asks for. */
static void skip_value(Scan *scan) {
    size_t depth = 0;
    do {
        skip_space(scan);
        if (scan->at >= scan->end)
            return;
        char c = *scan->at;
        if (c == '"') {
            read_string(scan, false);
        } else {
            depth += c == '{' || c == '[';
            if (c == '}' || c == ']')
                depth--;
            scan->at++;
            if (depth == 0 && strchr("{}[],:", c) == NULL)
                while (scan->at < scan->end && strchr(",]} \t\r\n", *scan->at) == NULL)
                    scan->at++;
        }
    } while (depth > 0);
}

static void scan_value(Scan *scan, const char *path, int depth) {
    skip_space(scan);
    if (scan->at >= scan->end || depth >= DEEPEST || (*scan->at != '{' && *scan->at != '[')) {
        skip_value(scan);
        return;
    }
    const bool object = *scan->at++ == '{';
    for (size_t index = 0;; index++) {
        skip_space(scan);
        while (scan->at < scan->end && *scan->at == ',') {
            scan->at++;
            skip_space(scan);
        }
        if (scan->at >= scan->end || *scan->at == '}' || *scan->at == ']')
            break;
        int line = scan->line;
        const char *key = NULL;
        if (object) {
            key = read_string(scan, true);
            skip_space(scan);
            scan->at += scan->at < scan->end;
        } else {
            key = arena_printf(scan->arena, "%zu", index);
        }
        const char *inner = depth == 0 ? key : arena_printf(scan->arena, "%s" SEPARATOR "%s", path, key);
        note(scan, inner, line);
        scan_value(scan, inner, depth + 1);
    }
    scan->at += scan->at < scan->end;
}

Table *json_lines(Arena *arena, Bytes text) {
    Scan scan = {.arena = arena,
                 .at = (const char *)text.data,
                 .end = (const char *)text.data + text.size,
                 .line = 1,
                 .lines = table_new(arena)};
    scan_value(&scan, "", 0);
    return scan.lines;
}

int line_of(const Table *lines, Arena *arena, const char *first, ...) {
    int line = 0;
    va_list rest;
    va_start(rest, first);
    const char *path = first;
    for (const char *key = first; key != NULL && lines != NULL;) {
        intptr_t found = (intptr_t)table_get(lines, path);
        if (found == 0)
            break;
        line = (int)found;
        key = va_arg(rest, const char *);
        if (key != NULL)
            path = arena_printf(arena, "%s" SEPARATOR "%s", path, key);
    }
    va_end(rest);
    return line;
}
