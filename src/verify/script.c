/* Scripts: what one says of itself when it is run. */
#include "script.h"

#include "recall.h"

#include <ctype.h>
#include <string.h>

enum { MOST_OUTPUT = 1 << 20 }; /* bytes; a script that prints more is told that its output is full */

static bool is_word_character(char c) {
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool has_word(const char *text, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        if ((at == text || !is_word_character(at[-1])) && !is_word_character(at[length]))
            return true;
    return false;
}

static const char *line_at(Arena *arena, const char *start) {
    enum { LONGEST_SHOWN = 300 };
    size_t length = strcspn(start, "\n");
    return length <= LONGEST_SHOWN ? arena_strndup(arena, start, length)
                                   : arena_printf(arena, "%.*s...", LONGEST_SHOWN, start);
}

/* The first line that starts with FAIL, or NULL. */
static const char *failed_line(const char *log) {
    for (const char *line = log; line != NULL; line = strchr(line, '\n')) {
        line += strspn(line, " \t\r\n");
        if (text_starts(line, "FAIL"))
            return line;
    }
    return NULL;
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
    const char *failed = failed_line(report->log);
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
        result->why_not = report->message != NULL ? report->message : "gave no exit status";
    else if (result->status > 0)
        result->why_not = arena_printf(arena, "exited with status %d%s%s", result->status,
                                       result->said[0] == '\0' ? " and said nothing" : ": ", result->said);
    else if (failed != NULL)
        result->why_not = arena_printf(arena, "said: %s", line_at(arena, failed));
    else if (!has_word(report->log, "PASS"))
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

static void keep_inputs(const Work *inputs, const CellReport *report) {
    json_t *made = report->outcome == CELL_DONE ? json_object_get(report->done, "inputs") : NULL;
    if (json_is_object(made))
        recall_keep(inputs->side->recall, inputs, made);
}

Status script_run(Arena *arena, const RunSettings *settings, const ScriptRequest *request,
                  ScriptResult *result, Error *error) {
    *result = (ScriptResult){.said = "", .status = -1};
    const Work *inputs = request->inputs;
    json_t *work = json_pack("{s:s, s:s, s:s*, s:O*}", "kind", "script", "file", request->file, "double",
                             request->double_kernel, "inputs", inputs == NULL ? NULL : inputs->work);
    CellJob job = {.work = work,
                   .files = inputs == NULL ? NULL : inputs->files,
                   .file_count = inputs == NULL ? 0 : inputs->file_count,
                   .device = settings->device,
                   .timeout = settings->timeout,
                   .memory = settings->memory,
                   .file_size = MOST_OUTPUT,
                   .log_limit = MOST_OUTPUT,
                   .threads = settings->threads};
    job.readable = readable_paths(arena, request, &job.readable_count);
    Cell *cell;
    const CellReport *report;
    if (work == NULL)
        return error_set(error, request->file, "rename it", "its path is not valid UTF-8");
    Status status = cell_start(settings->probe, &job, &cell, error);
    if (status == STATUS_OK) {
        status = cell_wait(cell, &report, error);
        if (status == STATUS_OK)
            judge(arena, report, result);
        if (status == STATUS_OK && inputs != NULL)
            keep_inputs(inputs, report);
        cell_free(cell);
    }
    json_decref(work);
    return status;
}
