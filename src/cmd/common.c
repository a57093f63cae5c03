/* What the subcommands share: messages, the view, the probe, writing. */
#include "cmd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int command_fail_text(const char *what) {
    Arena *arena = arena_new();
    fprintf(stderr, "plumbline: %s\n", text_printable(arena, what, strlen(what)));
    arena_free(arena);
    return VERDICT_ERROR;
}

int command_fail(const Error *error) {
    Arena *arena = arena_new();
    const int status = command_fail_text(error_line(arena, error));
    arena_free(arena);
    return status;
}

bool command_json(const CommonOptions *options) {
    return text_equal(options->format, "json");
}

View command_view(const CommonOptions *options) {
    const char *no_color = getenv("NO_COLOR");
    bool wanted = !options->no_color && (no_color == NULL || no_color[0] == '\0');
    return (View){.stream = stdout, .colour = wanted && isatty(STDOUT_FILENO), .quiet = options->quiet};
}

Status command_start(Arena *arena, const CommonOptions *options, bool torch, Probe **probe, Error *error) {
    Interpreter interpreter = {0};
    if (interpreter_find(arena, options->python, torch, &interpreter, error) != STATUS_OK)
        return STATUS_ERROR;
    const ProbeOptions given = {.interpreter = interpreter.path,
                                .needs_torch = torch,
                                .parse_ahead = torch,
                                .require_sandbox = options->require_sandbox};
    return probe_start(arena, &given, probe, error);
}

Status command_patterns(Arena *arena, const char *file, Patterns **patterns, Error *error) {
    enum { MOST_BYTES = 1 << 20 };
    Bytes text = {NULL, 0};
    if (file != NULL && file_read(arena, file, MOST_BYTES, &text, error) != STATUS_OK)
        return STATUS_ERROR;
    return patterns_parse(arena, file, text, patterns, error);
}

/* Whoever reads stdout has read enough: `plumbline trace FILE | head -1`. */
static bool reader_is_gone(void) {
    struct pollfd end = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&end, 1, 0) == 1 && (end.revents & POLLERR) != 0;
}

int command_print(Bytes text, int status) {
    errno = 0;
    if (fwrite(text.data, 1, text.size, stdout) == text.size && fflush(stdout) == 0 && !ferror(stdout))
        return status;
    const int cause = errno;
    if (cause == EPIPE || reader_is_gone())
        return VERDICT_ERROR;
    Arena *arena = arena_new();
    status =
        command_fail_text(cause == 0       ? "stdout: cannot write the result; write elsewhere"
                          : cause == EBADF ? "stdout: cannot write the result: it is closed; open it"
                                           : arena_printf(arena, "stdout: cannot write the result: %s; %s",
                                                          strerror(cause), write_advice(cause)));
    arena_free(arena);
    return status;
}

int command_printed(int status) {
    return command_print((Bytes){(const uint8_t *)"", 0}, status);
}

/* To --output, if there is one. */
static Status save(const CommonOptions *options, Bytes text, Error *error) {
    return options->output == NULL ? STATUS_OK : file_write_named(options->output, text, error);
}

int command_write(const CommonOptions *options, Bytes text, int status) {
    Error error;
    const Status saved = save(options, text, &error);
    if (options->output == NULL || saved != STATUS_OK)
        status = command_print(text, status);
    return saved == STATUS_OK ? status : command_fail(&error);
}

int command_report(Arena *arena, const CommonOptions *options, json_t *json, ShowResult *show,
                   const void *result, int status) {
    const Bytes text = report_json_text(arena, json);
    Error error;
    json_decref(json);
    const Status saved = save(options, text, &error);
    if (command_json(options)) {
        status = command_print(text, status);
    } else {
        const View view = command_view(options);
        show(&view, result);
        status = command_printed(status);
    }
    return saved == STATUS_OK ? status : command_fail(&error);
}

static void overwrite_line(void *context, const char *what) {
    (void)context;
    fprintf(stderr, "\r\x1b[K%.150s", what);
    fflush(stderr);
}

Progress command_progress(const CommonOptions *options) {
    const bool lively = isatty(STDERR_FILENO) && !options->quiet;
    return (Progress){lively ? overwrite_line : NULL, NULL};
}
