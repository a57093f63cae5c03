/* What two files with the same syntax tree have in common, found without parsing: their names, keywords and
 * numbers in order. Strings are left out, since docstrings don't count, and so is all punctuation. Files that
 * differ in nothing else are alike without being equal; equal ones that are not alike would spell an
 * identifier in two ways that Unicode holds for one. */
#include "project_parts.h"

#include <stdlib.h>
#include <string.h>

typedef struct Scan {
    const char *at, *end;
    uint64_t hash; /* FNV-1a */
} Scan;

static void mix(Scan *scan, const void *data, size_t size) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        scan->hash = (scan->hash ^ bytes[i]) * 0x100000001b3U;
    scan->hash = (scan->hash ^ 0xff) * 0x100000001b3U;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (uint8_t)c >= 0x80;
}

static void skip_string(Scan *scan) {
    const char quote = *scan->at;
    size_t length = scan->end - scan->at >= 3 && scan->at[1] == quote && scan->at[2] == quote ? 3 : 1;
    for (scan->at += length; scan->at < scan->end; scan->at++) {
        if (*scan->at == '\\')
            scan->at++;
        else if (length == 1 ? *scan->at == quote || *scan->at == '\n'
                             : *scan->at == quote && scan->at[1] == quote && scan->at[2] == quote)
            break;
    }
    scan->at = scan->end - scan->at > (ptrdiff_t)length ? scan->at + length : scan->end;
}

static void read_name(Scan *scan) {
    const char *start = scan->at;
    while (scan->at < scan->end && (is_letter(*scan->at) || is_digit(*scan->at)))
        scan->at++;
    size_t length = (size_t)(scan->at - start);
    if (length <= 2 && scan->at < scan->end && (*scan->at == '"' || *scan->at == '\''))
        return; /* the prefix of a string */
    if (length == 4 && strncmp(start, "elif", 4) == 0) {
        mix(scan, "else", 4);
        mix(scan, "if", 2);
    } else {
        mix(scan, start, length);
    }
}

/* By value: 1_000 is 1000, 1e3 is 1000.0. */
static void read_value(Scan *scan) {
    enum { LONGEST = 100 };
    char plain[LONGEST + 1];
    size_t length = 0;
    for (const char *at = scan->at; at < scan->end && length < LONGEST && strchr(" \t\r\n", *at) == NULL;
         at++)
        if (*at != '_')
            plain[length++] = *at;
    plain[length] = '\0';
    const bool binary = plain[0] == '0' && (plain[1] == 'b' || plain[1] == 'B'),
               octal = plain[0] == '0' && (plain[1] == 'o' || plain[1] == 'O');
    char *end;
    double value = binary || octal ? (double)strtoull(plain + 2, &end, binary ? 2 : 8) : strtod(plain, &end);
    mix(scan, &value, sizeof value);
    for (size_t left = end > plain ? (size_t)(end - plain) : 1; left > 0 && scan->at < scan->end; scan->at++)
        left -= *scan->at != '_';
}

const char *content_likeness(Arena *arena, const Source *source) {
    Scan scan = {(const char *)source->bytes.data, (const char *)source->bytes.data + source->bytes.size,
                 0xcbf29ce484222325U};
    while (scan.at < scan.end) {
        const char c = *scan.at;
        if (c == '#')
            while (scan.at < scan.end && *scan.at != '\n')
                scan.at++;
        else if (c == '"' || c == '\'')
            skip_string(&scan);
        else if (is_letter(c))
            read_name(&scan);
        else if (is_digit(c) || (c == '.' && is_digit(scan.at[1])))
            read_value(&scan);
        else
            scan.at++;
    }
    return arena_printf(arena, "%016llx", (unsigned long long)scan.hash);
}
