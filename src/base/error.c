/* Errors: place, cause and advice, printed as one line. */
#include "base.h"

#include <stdio.h>
#include <string.h>

static void copy_bounded(char *target, size_t size, const char *text) {
    snprintf(target, size, "%s", text == NULL ? "" : text);
}

Status error_set(Error *error, const char *place, const char *advice, const char *format, ...) {
    copy_bounded(error->place, sizeof error->place, place);
    copy_bounded(error->advice, sizeof error->advice, advice);
    va_list rest;
    va_start(rest, format);
    vsnprintf(error->cause, sizeof error->cause, format, rest);
    va_end(rest);
    return STATUS_ERROR;
}

char *error_line(Arena *arena, const Error *error) {
    char *line = arena_printf(arena, "%s%s%s%s%s", error->place, error->place[0] ? ": " : "", error->cause,
                              error->advice[0] ? "; " : "", error->advice);
    return text_printable(arena, line, strlen(line));
}
