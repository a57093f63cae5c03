/* Scripts: what one says of itself when it is run. */
#include "script.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_OUTPUT = 1 << 20, /* bytes; a script that prints more is told that its output is full */
    MOST_LENT = 8
};

/* ---- What it says ---------------------------------------------------------------------------------- */

static bool is_word_character(char c) {
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* The next `word` from `text`, or NULL; `start`: of the text that it stands in. */
static const char *find_word(const char *start, const char *text, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        if ((at == start || !is_word_character(at[-1])) && !is_word_character(at[length]))
            return at;
    return NULL;
}

/* The whole number that ends at `end` but for spaces, which is then where it starts; -1: there is none.
 * "1e-3", "v1.0" and "[2, 3]" end in none. */
static long number_before(const char *start, const char **end) {
    const char *at = *end;
    while (at > start && at[-1] == ' ')
        at--;
    const char *after = at;
    while (at > start && isdigit((unsigned char)at[-1]))
        at--;
    if (at == after || (at > start && strchr(" ([/,", at[-1]) == NULL))
        return -1;
    *end = at;
    return strtol(at, NULL, 10);
}

/* "2 of 3", "2/3", "2 of 3 tests" before `end`: are these fewer than all? */
static bool is_part_of(const char *start, const char *end, bool *tells) {
    const char *at = end;
    long all = number_before(start, &at);
    if (all < 0) { /* a word between */
        while (at > start && at[-1] == ' ')
            at--;
        while (at > start && isalpha((unsigned char)at[-1]))
            at--;
        all = number_before(start, &at);
    }
    while (at > start && at[-1] == ' ')
        at--;
    if (at - start >= 2 && strncmp(at - 2, "of", 2) == 0)
        at -= 2;
    else if (at > start && at[-1] == '/')
        at--;
    else
        return false;
    const long some = number_before(start, &at);
    *tells = all >= 0 && some >= 0;
    return *tells && some < all;
}

/* "1 FAIL", "FAIL: 1", "output 2: FAIL"; not "0 FAIL", "PASS or FAIL". */
static bool says_fail(const char *line, const char *word, size_t length) {
    const char *before = word, *after = word + length;
    const long counted = number_before(line, &before);
    if (counted >= 0)
        return counted > 0;
    while (before > line && before[-1] == ' ')
        before--;
    const bool other =
        before > line && (before[-1] == '/' || (before - line > 2 && strncmp(before - 3, " or", 3) == 0) ||
                          (before - line > 2 && strncmp(before - 3, " no", 3) == 0));
    const bool last =
        after[strcspn(after, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] == '\0';
    after += strspn(after, ":= ");
    return (last && !other) || (after > word + length && strtol(after, NULL, 10) > 0);
}

static bool line_fails(const char *line) {
    static const char *const words[] = {"FAIL", "FAILED"};
    bool fails = text_starts(line, "FAIL");
    for (size_t i = 0; i < COUNT_OF(words); i++)
        for (const char *at = find_word(line, line, words[i]); at != NULL;
             at = find_word(line, at + 1, words[i]))
            fails = fails || says_fail(line, at, strlen(words[i]));
    return fails;
}

static const char *line_at(Arena *arena, const char *start) {
    enum { LONGEST_SHOWN = 300 };
    size_t length = strcspn(start, "\n");
    return length <= LONGEST_SHOWN ? arena_strndup(arena, start, length)
                                   : arena_printf(arena, "%.*s...", LONGEST_SHOWN, start);
}

/* The first line that says FAIL; else the last that tells how many of all pass, if not all do: what counts up
 * ends at all. NULL: there is none. */
static const char *failed_line(Arena *arena, const char *log) {
    const char *part = NULL, *next = log;
    while (next != NULL) {
        const char *line = next + strspn(next, " \t\r\n");
        const char *text = arena_strndup(arena, line, strcspn(line, "\r\n"));
        if (line_fails(text))
            return text;
        for (const char *at = find_word(text, text, "PASS"); at != NULL;
             at = find_word(text, at + 1, "PASS")) {
            bool tells = false, fewer = is_part_of(text, at, &tells);
            if (tells)
                part = fewer ? text : NULL;
        }
        next = strchr(line, '\n');
    }
    return part;
}

static const char *last_line_said(Arena *arena, const char *log) {
    size_t end = strlen(log);
    while (end > 0 && isspace((unsigned char)log[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && log[start - 1] != '\n')
        start--;
    return line_at(arena, arena_strndup(arena, log + start, end - start));
}

static void judge(Arena *arena, const CellReport *report, ScriptResult *result) {
    const json_t *status = json_object_get(report->done, "status");
    const char *failed = failed_line(arena, report->log);
    result->said = last_line_said(arena, report->log);
    result->seconds = report->wall_seconds;
    result->status = -1;
    if (report->outcome == CELL_DONE && json_is_integer(status) && json_integer_value(status) >= 0 &&
        json_integer_value(status) <= 255) {
        result->status = (int)json_integer_value(status);
        result->doubled = json_is_true(json_object_get(report->done, "doubled"));
    } else if (report->outcome == CELL_EXITED) {
        result->status = report->status;
    }
    if (strlen(report->log) >= MOST_OUTPUT)
        result->why_not = "printed more than 1 MiB";
    else if (result->status < 0)
        result->why_not =
            arena_strdup(arena, report->message != NULL ? report->message : "gave no exit status");
    else if (result->status > 0)
        result->why_not = arena_printf(arena, "exited with status %d%s%s", result->status,
                                       result->said[0] == '\0' ? " and said nothing" : ": ", result->said);
    else if (failed != NULL)
        result->why_not = arena_printf(arena, "said: %s", line_at(arena, failed));
    else if (find_word(report->log, report->log, "PASS") == NULL)
        result->why_not = result->said[0] == '\0'
                              ? "printed nothing, and should print PASS"
                              : arena_printf(arena, "did not print PASS; its last line: %s", result->said);
    result->passed = result->why_not == NULL;
}

static const char **readable_paths(Arena *arena, const ScriptRequest *request, size_t *count) {
    const char **paths = ARENA_ARRAY(arena, const char *, request->readable_count + 3);
    *count = 0;
    paths[(*count)++] = path_directory(arena, request->file);
    for (size_t i = 0; i < request->readable_count; i++)
        paths[(*count)++] = request->readable[i];
    if (request->double_kernel != NULL)
        paths[(*count)++] = request->double_kernel;
    return paths;
}

/* ---- Work on the way ------------------------------------------------------------------------------- */

typedef struct OnTheWay {
    MemoryFile *files[2 * MOST_LENT]; /* those of both, once each */
    size_t count;
    MemoryFile *own[MOST_LENT], *answers; /* to be closed */
    size_t own_count;
} OnTheWay;

/* The files that the recording writes are called "record outputs": the inputs' work has such ones too. */
static Status lend_for_recording(Arena *arena, const Work *record, OnTheWay *way, Error *error) {
    for (size_t i = record->lent_count; i < record->file_count; i++) {
        MemoryFile **file = &way->own[way->own_count];
        if (memory_file_share(arena, record->files[i], file, error) != STATUS_OK)
            return STATUS_ERROR;
        (*file)->name = arena_printf(arena, "record %s", record->files[i]->name);
        way->files[way->count++] = way->own[way->own_count++];
    }
    return STATUS_OK;
}

static Status lend(Arena *arena, const ScriptRequest *request, OnTheWay *way, Error *error) {
    if (request->inputs == NULL)
        return STATUS_OK;
    for (size_t i = 0; i < request->inputs->file_count; i++)
        way->files[way->count++] = request->inputs->files[i];
    if (memory_file_new(arena, "answers", &way->answers, error) != STATUS_OK)
        return STATUS_ERROR;
    way->files[way->count++] = way->answers;
    return request->record == NULL ? STATUS_OK : lend_for_recording(arena, request->record, way, error);
}

static void close_files(OnTheWay *way) {
    for (size_t i = 0; i < way->own_count; i++)
        memory_file_close(way->own[i]);
    if (way->answers != NULL)
        memory_file_close(way->answers);
}

/* What can't be read was not answered. */
static void take_answers(const OnTheWay *way, ScriptResult *result) {
    Bytes bytes;
    Error ignored;
    json_t *answers;
    if (way->answers == NULL || memory_file_map(way->answers, &bytes, &ignored) != STATUS_OK ||
        bytes.size == 0 || json_parse(bytes, "the answers", &answers, &ignored) != STATUS_OK)
        return;
    json_t *inputs = json_object_get(answers, "inputs"), *recorded = json_object_get(answers, "record");
    result->inputs = json_is_object(inputs) ? json_incref(inputs) : NULL;
    result->recorded = json_is_object(recorded) ? json_incref(recorded) : NULL;
    json_decref(answers);
}

/* ---- A run ----------------------------------------------------------------------------------------- */

static json_t *work_of(const ScriptRequest *request) {
    const Work *inputs = request->inputs, *record = request->record;
    json_t *work = json_pack("{s:s, s:s, s:s*, s:O*, s:O*}", "kind", "script", "file", request->file,
                             "double", request->double_kernel, "inputs", inputs == NULL ? NULL : inputs->work,
                             "record", record == NULL ? NULL : record->work);
    if (work != NULL && record != NULL)
        json_object_set_new(work, "call", json_pack("{s:s, s:s}", "name", "sample", "mode", "eval"));
    return work;
}

Status script_run(Arena *arena, const RunSettings *settings, const ScriptRequest *request,
                  ScriptResult *result, Error *error) {
    *result = (ScriptResult){.said = "", .status = -1};
    OnTheWay way = {0};
    json_t *work = work_of(request);
    if (work == NULL)
        return error_set(error, request->file, "rename it", "its path is not valid UTF-8");
    Status status = lend(arena, request, &way, error);
    CellJob job = {.work = work,
                   .files = way.files,
                   .file_count = way.count,
                   .device = settings->device,
                   .timeout = settings->timeout,
                   .memory = settings->memory,
                   .file_size = MOST_OUTPUT,
                   .log_limit = MOST_OUTPUT,
                   .threads = settings->threads};
    job.readable = readable_paths(arena, request, &job.readable_count);
    Cell *cell = NULL;
    const CellReport *report;
    if (status == STATUS_OK)
        status = cell_start(settings->probe, &job, &cell, error);
    if (cell != NULL) {
        status = cell_wait(cell, &report, error);
        if (status == STATUS_OK)
            judge(arena, report, result);
        cell_free(cell);
        if (status == STATUS_OK)
            take_answers(&way, result);
    }
    close_files(&way);
    json_decref(work);
    return status;
}
