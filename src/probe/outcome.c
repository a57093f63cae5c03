/* How a cell ended, in terms that a person can act upon. Everything a cell says is cut and made printable. */
#include "zygote.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { MOST_MESSAGE = 8192, MOST_NAME = 256, MOST_FRAMES = 64, MOST_PROBLEM = 300 };

static const char *const stages[] = {"load",    "construct", "inputs",   "weights",
                                     "forward", "outputs",   "internal", NULL};

/* Of what torch and Python say when memory runs out. */
static const char *const memory_words[] = {"MemoryError",       "can't allocate memory",
                                           "not enough memory", "out of memory",
                                           "bad_alloc",         "Cannot allocate memory"};

typedef struct SignalName {
    int number;
    const char *message;
} SignalName;

static const SignalName signals[] = {
    {SIGSEGV, "crashed (segmentation fault)"},
    {SIGBUS, "crashed (bus error)"},
    {SIGFPE, "crashed (arithmetic exception)"},
    {SIGILL, "crashed (illegal instruction)"},
    {SIGABRT, "aborted"},
    {SIGKILL, "was killed by the system, most likely for want of memory"},
    {SIGSYS, "was stopped by the sandbox: it made a system call that no model needs"},
    {SIGXCPU, "used up its processor time and was killed"},
    {SIGXFSZ, "wrote more than its memory files may hold and was killed"},
};

static const char *bounded(Arena *arena, const json_t *text, size_t limit) {
    size_t length = json_string_length(text);
    if (length <= limit)
        return text_printable_lines(arena, json_string_value(text), length);
    return arena_printf(arena, "%s...", text_printable_lines(arena, json_string_value(text), limit));
}

/* [file index, "path", line, "function"] */
static bool read_frame(Arena *arena, const json_t *json, FailureFrame *frame) {
    const json_t *file = json_array_get(json, 0), *path = json_array_get(json, 1),
                 *line = json_array_get(json, 2), *function = json_array_get(json, 3);
    if (json_array_size(json) != 4 || !json_is_integer(file) || !json_is_string(path) ||
        !json_is_integer(line) || !json_is_string(function))
        return false;
    json_int_t index = json_integer_value(file), number = json_integer_value(line);
    if (index < -1 || index > INT32_MAX || number < 0 || number > INT32_MAX)
        return false;
    *frame = (FailureFrame){.file = (int)index,
                            .path = bounded(arena, path, MOST_NAME),
                            .line = (int)number,
                            .function = bounded(arena, function, MOST_NAME)};
    return true;
}

bool failure_read(Arena *arena, const json_t *object, Failure *failure) {
    const json_t *stage = json_object_get(object, "stage"), *type = json_object_get(object, "type"),
                 *message = json_object_get(object, "message"), *frames = json_object_get(object, "frames"),
                 *module = json_object_get(object, "module"), *advice = json_object_get(object, "advice");
    if (!json_is_string(stage) || !json_is_string(type) || !json_is_string(message) ||
        !json_is_array(frames) || (module != NULL && !json_is_string(module) && !json_is_null(module)))
        return false;
    if (advice != NULL && !json_is_string(advice) && !json_is_null(advice))
        return false;
    *failure = (Failure){.type = bounded(arena, type, MOST_NAME),
                         .message = bounded(arena, message, MOST_MESSAGE),
                         .module = json_is_string(module) ? bounded(arena, module, MOST_NAME) : NULL,
                         .advice = json_is_string(advice) ? bounded(arena, advice, MOST_MESSAGE) : NULL};
    for (size_t i = 0; stages[i] != NULL; i++)
        if (text_equal(stages[i], json_string_value(stage)))
            failure->stage = stages[i];
    size_t count = json_array_size(frames);
    size_t skip = count > MOST_FRAMES ? count - MOST_FRAMES : 0; /* the innermost tell most */
    failure->frames = ARENA_ARRAY(arena, FailureFrame, count - skip + 1);
    for (size_t i = skip; i < count; i++)
        if (!read_frame(arena, json_array_get(frames, i), &failure->frames[failure->frame_count++]))
            return false;
    return failure->stage != NULL;
}

void outcome_of_end(Cell *cell, int wait_status, bool was_alive) {
    Arena *arena = cell->arena;
    CellReport *report = &cell->report;
    if (was_alive) {
        outcome_of_protocol(cell, "it closed its channel and went on running");
    } else if (WIFEXITED(wait_status)) {
        report->outcome = CELL_EXITED;
        report->status = WEXITSTATUS(wait_status);
        report->message = arena_printf(
            arena, "ended the process itself (exit status %d) instead of giving a result", report->status);
    } else {
        report->outcome = CELL_KILLED;
        report->signal = WTERMSIG(wait_status);
        report->message = arena_printf(arena, "was ended by signal %d", report->signal);
        for (size_t i = 0; i < COUNT_OF(signals); i++)
            if (signals[i].number == report->signal)
                report->message = signals[i].message;
        report->out_of_memory = report->signal == SIGKILL;
        /* The soft and the hard limit are the same, so the kernel kills at once. */
        if (report->signal == SIGKILL && report->cpu_seconds >= (double)cell->cpu_limit) {
            report->out_of_memory = false;
            report->message =
                arena_printf(arena, "used up its %ld s of processor time and was killed", cell->cpu_limit);
        }
    }
}

void outcome_of_protocol(Cell *cell, const char *problem) {
    Arena *arena = cell->arena;
    cell->report.outcome = CELL_PROTOCOL;
    cell->report.message = arena_printf(arena, "interfered with its own result: %s",
                                        text_printable(arena, problem, strnlen(problem, MOST_PROBLEM)));
}

bool says_out_of_memory(const char *message) {
    for (size_t i = 0; i < COUNT_OF(memory_words); i++)
        if (strstr(message, memory_words[i]) != NULL)
            return true;
    return false;
}

void outcome_of_failure(Cell *cell) {
    Arena *arena = cell->arena;
    CellReport *report = &cell->report;
    const Failure *failure = &report->failure;
    report->outcome = CELL_FAILED;
    report->out_of_memory = says_out_of_memory(failure->message) || says_out_of_memory(failure->type);
    size_t first_line = strcspn(failure->message, "\n");
    report->message =
        arena_printf(arena, "raised %s%s%.*s%s", failure->type, first_line > 0 ? ": " : "", (int)first_line,
                     failure->message, failure->message[first_line] == '\0' ? "" : " ...");
}

void outcome_of_deadline(Cell *cell) {
    cell->report.outcome = CELL_TIMED_OUT;
    cell->report.message = arena_printf(cell->arena, "did not end within %g s and was killed", cell->timeout);
}
