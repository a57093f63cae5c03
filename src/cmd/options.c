/* Command lines, by tables. */
#include "cmd.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 26, LINE_WIDTH = 110 };

typedef struct Reading {
    Arena *arena;
    const Synopsis *synopsis;
    const Option *options;
    size_t option_count;
    int count, next;
    char **arguments;
    Words *words;
} Reading;

int options_wrong(const Synopsis *synopsis, const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    fputs("plumbline: ", stderr);
    vfprintf(stderr, format, rest);
    va_end(rest);
    fprintf(stderr, "\nusage: %s\n", synopsis->usage);
    return VERDICT_ERROR;
}

/* ---- Help --------------------------------------------------------------------------------------- */

/* Words from `column` on, each line indented by `indent`. */
static void print_wrapped(const char *text, size_t column, size_t indent) {
    for (size_t length; *text != '\0'; text += length + (text[length] == ' ')) {
        length = strcspn(text, " ");
        if (column > indent && column + 1 + length > LINE_WIDTH) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        }
        column += (size_t)printf("%s%.*s", column > indent ? " " : "", (int)length, text);
    }
    putchar('\n');
}

static void print_option(const Option *option) {
    const char *value = option->value == NULL ? "" : option->value;
    size_t column = (size_t)printf("  --%s%s%s", option->name, *value == '\0' ? "" : " ", value);
    const size_t gap = column + 2 > HELP_COLUMN ? 2 : HELP_COLUMN - column;
    printf("%*s", (int)gap, "");
    /* A long option pushes its first line to the right; the next ones stand in the column. */
    print_wrapped(option->help, column + gap > HELP_COLUMN ? column + gap - 1 : HELP_COLUMN, HELP_COLUMN);
}

static int print_help(const Reading *reading) {
    printf("usage: %s\n\n", reading->synopsis->usage);
    if (reading->synopsis->about != NULL) {
        print_wrapped(reading->synopsis->about, 0, 0);
        putchar('\n');
    }
    for (size_t i = 0; i < reading->option_count; i++)
        print_option(&reading->options[i]);
    printf("\nExit status: %s.\n", reading->synopsis->status);
    return command_printed(VERDICT_PASS);
}

/* ---- Values ------------------------------------------------------------------------------------- */

static Status read_number(const Option *option, const char *text, double *value, Error *error) {
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(*value) || *value < option->low || *value > option->high)
        return error_set(error, option->name, "", "'%s' is not a number from %g to %g", text, option->low,
                         option->high);
    return STATUS_OK;
}

static Status read_integer(const Option *option, const char *text, uint64_t *value, Error *error) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || strchr(text, '-') != NULL ||
        *value < (uint64_t)option->low || *value > (uint64_t)option->high)
        return error_set(error, option->name, "", "'%s' is not a whole number from %.0f to %.0f", text,
                         option->low, option->high);
    return STATUS_OK;
}

static Status read_bytes(const Option *option, const char *text, uint64_t *value, Error *error) {
    static const char suffixes[] = "KMGT"; /* powers of 1024 */
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    const char *suffix = *end == '\0' ? NULL : strchr(suffixes, *end);
    unsigned shift = suffix == NULL ? 0 : 10 * (unsigned)(suffix - suffixes + 1);
    bool whole = end != text && errno == 0 && strchr(text, '-') == NULL &&
                 (*end == '\0' || (suffix != NULL && end[1] == '\0'));
    if (!whole || *value == 0 || *value > (UINT64_MAX >> 1) >> shift)
        return error_set(error, option->name, "", "'%s' is not a number of bytes such as 500000000 or 8G",
                         text);
    *value <<= shift;
    return STATUS_OK;
}

/* "there is no format 'pdf'; use text, json or svg" */
static Status no_choice(Arena *arena, const Option *option, const char *text, Error *error) {
    Text advice = text_new(arena);
    text_add(&advice, "use ");
    for (const char *choice = option->value; *choice != '\0';) {
        const size_t length = strcspn(choice, "|");
        const bool last = choice[length] == '\0';
        if (choice != option->value)
            text_add(&advice, last ? " or " : ", ");
        text_printf(&advice, "%.*s", (int)length, choice);
        choice += length + !last;
    }
    return error_set(error, option->name, advice.data, "there is no %s '%s'", option->name, text);
}

static Status read_choice(Arena *arena, const Option *option, const char *text, Error *error) {
    const size_t size = strlen(text);
    for (const char *choice = option->value; *choice != '\0';) {
        const size_t length = strcspn(choice, "|");
        if (length == size && strncmp(choice, text, size) == 0) {
            *(const char **)option->place = text;
            return STATUS_OK;
        }
        choice += length + (choice[length] == '|');
    }
    return no_choice(arena, option, text, error);
}

static Status read_rigor(Arena *arena, const Option *option, const char *text, Error *error) {
    static const Rigor all[] = {RIGOR_FAST, RIGOR_STANDARD, RIGOR_PARANOID};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (strcmp(text, rigor_name(all[i])) == 0) {
            *(Rigor *)option->place = all[i];
            return STATUS_OK;
        }
    return no_choice(arena, option, text, error);
}

static Status read_count(const Option *option, const char *text, unsigned *value, Error *error) {
    uint64_t number;
    if (read_integer(option, text, &number, error) != STATUS_OK)
        return STATUS_ERROR;
    *value = (unsigned)number;
    return STATUS_OK;
}

static Status take_value(Reading *reading, const Option *option, const char *text, Error *error) {
    switch (option->kind) {
    case OPTION_FLAG: *(bool *)option->place = true; return STATUS_OK;
    case OPTION_TEXT: *(const char **)option->place = text; return STATUS_OK;
    case OPTION_WORDS:
    case OPTION_ALL_THAT_FOLLOW:
        *(const char **)ARENA_PUSH(reading->arena, (Words *)option->place) = text;
        return STATUS_OK;
    case OPTION_MAYBE_TEXT: *(MaybeText *)option->place = (MaybeText){true, text}; return STATUS_OK;
    case OPTION_CHOICE: return read_choice(reading->arena, option, text, error);
    case OPTION_RIGOR: return read_rigor(reading->arena, option, text, error);
    case OPTION_NUMBER: return read_number(option, text, option->place, error);
    case OPTION_INTEGER: return read_integer(option, text, option->place, error);
    case OPTION_COUNT: return read_count(option, text, option->place, error);
    case OPTION_BYTES: return read_bytes(option, text, option->place, error);
    }
    return STATUS_OK;
}

/* ---- Reading ------------------------------------------------------------------------------------ */

/* The option of that name, or the only one that starts so. */
static const Option *find_option(const Reading *reading, const char *name, size_t length) {
    const Option *found = NULL;
    size_t fitting = 0;
    for (size_t i = 0; i < reading->option_count; i++) {
        const Option *option = &reading->options[i];
        if (strncmp(option->name, name, length) != 0)
            continue;
        if (option->name[length] == '\0')
            return option;
        found = option;
        fitting++;
    }
    return fitting == 1 && length > 0 ? found : NULL;
}

static int no_option(const Reading *reading, const char *word, size_t length) {
    const char *name = arena_strndup(reading->arena, word, length);
    const Option *nearest = &reading->options[0];
    for (size_t i = 1; i < reading->option_count; i++)
        if (text_distance(reading->options[i].name, name) < text_distance(nearest->name, name))
            nearest = &reading->options[i];
    if (2 * text_distance(nearest->name, name) > length)
        return options_wrong(reading->synopsis, "there is no option --%s", name);
    return options_wrong(reading->synopsis, "there is no option --%s; did you mean --%s?", name,
                         nearest->name);
}

static bool is_option(const char *word) {
    return word[0] == '-' && word[1] != '\0';
}

static bool word_follows(const Reading *reading) {
    return reading->next < reading->count && !is_option(reading->arguments[reading->next]);
}

static bool needs_value(OptionKind kind) {
    return kind != OPTION_FLAG && kind != OPTION_MAYBE_TEXT && kind != OPTION_ALL_THAT_FOLLOW;
}

static int read_option(Reading *reading, const char *word) {
    const size_t length = strcspn(word, "=");
    const Option *option = find_option(reading, word, length);
    const char *value = word[length] == '=' ? word + length + 1 : NULL;
    if (option == NULL)
        return no_option(reading, word, length);
    if (option->kind == OPTION_FLAG && value != NULL)
        return options_wrong(reading->synopsis, "--%s takes no value", option->name);
    const bool follows =
        option->kind == OPTION_MAYBE_TEXT && reading->words->count > 0 && word_follows(reading);
    if (value == NULL && needs_value(option->kind) && reading->next == reading->count)
        return options_wrong(reading->synopsis, "--%s needs a value", option->name);
    if (value == NULL && (follows || needs_value(option->kind)))
        value = reading->arguments[reading->next++];
    Error error;
    Status status = STATUS_OK;
    if (option->kind != OPTION_ALL_THAT_FOLLOW || value != NULL)
        status = take_value(reading, option, value, &error);
    while (status == STATUS_OK && option->kind == OPTION_ALL_THAT_FOLLOW && word_follows(reading))
        status = take_value(reading, option, reading->arguments[reading->next++], &error);
    if (status == STATUS_OK)
        return -1;
    fprintf(stderr, "plumbline: --%s\n", error_line(reading->arena, &error));
    return VERDICT_ERROR;
}

int options_read(Arena *arena, const Synopsis *synopsis, const Option *options, size_t option_count,
                 int count, char **arguments, Words *words) {
    Reading reading = {.arena = arena,
                       .synopsis = synopsis,
                       .options = options,
                       .option_count = option_count,
                       .count = count,
                       .next = 1,
                       .arguments = arguments,
                       .words = words};
    int status = -1;
    bool only_words = false;
    while (status < 0 && reading.next < count) {
        const char *word = arguments[reading.next++];
        if (!only_words && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0))
            status = print_help(&reading);
        else if (!only_words && strcmp(word, "--") == 0)
            only_words = true;
        else if (!only_words && strncmp(word, "--", 2) == 0)
            status = read_option(&reading, word + 2);
        else if (!only_words && is_option(word))
            status = options_wrong(synopsis, "there is no option %s", word);
        else
            *(const char **)ARENA_PUSH(arena, words) = word;
    }
    return status;
}
