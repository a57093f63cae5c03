/* What the subcommands share: messages, the view, numbers from text. */
#include "cmd.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int command_fail(const Error *error) {
    Arena *arena = arena_new();
    fprintf(stderr, "plumbline: %s\n", error_line(arena, error));
    arena_free(arena);
    return VERDICT_ERROR;
}

int command_usage(const char *usage, const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    fputs("plumbline: ", stderr);
    vfprintf(stderr, format, rest);
    va_end(rest);
    fprintf(stderr, "\nusage: %s\n", usage);
    return VERDICT_ERROR;
}

View command_view(const CommonOptions *options) {
    const char *no_color = getenv("NO_COLOR");
    bool wanted = !options->no_color && (no_color == NULL || no_color[0] == '\0');
    return (View){.stream = stdout, .colour = wanted && isatty(STDOUT_FILENO), .quiet = options->quiet};
}

Status option_number(const char *option, const char *text, double low, double high, double *value,
                     Error *error) {
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(*value) || *value < low || *value > high)
        return error_set(error, option, "", "'%s' is not a number from %g to %g", text, low, high);
    return STATUS_OK;
}

Status option_integer(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *value,
                      Error *error) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || text[0] == '-' || *value < low || *value > high)
        return error_set(error, option, "", "'%s' is not a whole number from %llu to %llu", text,
                         (unsigned long long)low, (unsigned long long)high);
    return STATUS_OK;
}

Status option_bytes(const char *option, const char *text, uint64_t *value, Error *error) {
    static const char suffixes[] = "KMGT";
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    const char *suffix = *end == '\0' ? NULL : strchr(suffixes, *end);
    unsigned shift = suffix == NULL ? 0 : 10 * (unsigned)(suffix - suffixes + 1);
    bool whole =
        end != text && errno == 0 && text[0] != '-' && (*end == '\0' || (suffix != NULL && end[1] == '\0'));
    if (!whole || *value == 0 || *value > (UINT64_MAX >> 1) >> shift)
        return error_set(error, option, "", "'%s' is not a number of bytes such as 500000000 or 8G", text);
    *value <<= shift;
    return STATUS_OK;
}
