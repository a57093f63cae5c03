/* One Python file: its bytes, read once, and its lines for people. */
#include "source.h"

#include <stdio.h>
#include <string.h>

enum { LARGEST_SOURCE = 16 << 20 };

/* Python ends lines at \n, \r\n and \r. */
static void split_lines(Arena *arena, Source *source) {
    const char *at = (const char *)source->bytes.data, *end = at + source->bytes.size;
    struct {
        const char **items;
        size_t count, capacity;
    } lines = {0};
    if (end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    while (at < end) {
        const char *stop = at;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        *(const char **)ARENA_PUSH(arena, &lines) = arena_strndup(arena, at, (size_t)(stop - at));
        if (stop < end)
            stop += end - stop >= 2 && stop[0] == '\r' && stop[1] == '\n' ? 2 : 1;
        at = stop;
    }
    source->lines = lines.items;
    source->line_count = lines.count;
}

Status source_read(Arena *arena, const char *path, const char *name, Source *source, Error *error) {
    *source = (Source){.path = path_absolute(arena, path), .name = arena_strdup(arena, name)};
    if (!text_is_utf8(source->path)) /* it could not be sent to the interpreter */
        return error_set(error, source->name, "rename the file or its folder", "its path is not UTF-8");
    if (file_read(arena, source->path, LARGEST_SOURCE, &source->bytes, error) != STATUS_OK) {
        snprintf(error->place, sizeof error->place, "%s", source->name);
        return STATUS_ERROR;
    }
    split_lines(arena, source);
    return STATUS_OK;
}
