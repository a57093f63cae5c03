/* plumbline batch: check every decomposition below a folder. */
#include "batch.h"

#include "cmd.h"
#include "interrupt.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Synopsis SYNOPSIS = {
    .usage = "plumbline batch ROOT [options]",
    .about = "Checks every decomposition below ROOT: each folder with decomposition_tree.json, steps/ or "
             "level_0_kernel/. Each result is kept in ROOT/.plumbline/batch.sqlite3 as soon as it is there. "
             "Ctrl-C lets "
             "what runs finish and begins nothing more; a second one ends at once. Go on with --resume.",
    .status = "0 all PASS, 1 some did not, 2 none could be judged, not all were, or results can't be kept"};

typedef struct BatchArguments {
    BatchOptions batch;
    CommonOptions common;
} BatchArguments;

typedef struct Screen { /* what is shown while it runs */
    View view;
    bool lively; /* a line on stderr that is overwritten */
    bool rows;   /* each as it comes */
} Screen;

static int read_arguments(Arena *arena, int count, char **values, BatchArguments *arguments) {
    BatchOptions *batch = &arguments->batch;
    CheckOptions *check = &batch->check;
    CommonOptions *common = &arguments->common;
    const Option options[] = {
        {"resume", NULL, OPTION_FLAG, &batch->resume, 0, 0,
         "keep what an earlier run judged, if files, rigor, options, interpreter, torch and plumbline are "
         "the same"},
        {"jobs", "N", OPTION_COUNT, &check->jobs, 1, 1024,
         "pieces of work at once (as many as there are processors)"},
        ROW_RIGOR(check, "as in 'plumbline check' (standard)"),
        ROW_OUTPUT(common, "FILE.json", "write all results there"),
        {"database", "FILE", OPTION_TEXT, &batch->database, 0, 0, "keep results there instead"},
        ROW_DEVICE(check),
        ROW_SEED(check, "seed of the first trial (42)"),
        ROW_TIMEOUT(check,
                    "seconds for a component's own test (60), and for each other run of user code (300)"),
        ROW_MEMORY(check, "memory of all runs at once, 8G or such (what is free)"),
        ROW_ALLOW_IMPORT(common),
        ROW_PYTHON(common),
        ROW_REQUIRE_SANDBOX(common),
        ROW_FORMAT(common, "text|json"),
        ROW_QUIET(common, "the last line alone"),
        ROW_NO_COLOR(common)};
    Words folders = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &folders);
    if (status >= 0)
        return status;
    if (folders.count != 1)
        return folders.count == 0 ? options_wrong(&SYNOPSIS, "the folder to look in is missing")
                                  : options_wrong(&SYNOPSIS, "'%s' is one folder too many", folders.items[1]);
    batch->root = folders.items[0];
    check->self_test_timeout = check->timeout; /* 60 s if it is not given */
    check->timeout = check->timeout > 0 ? check->timeout : 300;
    batch->require_sandbox = common->require_sandbox;
    check->project.allowed_imports = common->allowed_imports.items;
    check->project.allowed_import_count = common->allowed_imports.count;
    return -1;
}

/* ---- Showing -------------------------------------------------------------------------------------- */

static const char *printable(Arena *arena, const char *text) {
    return text_printable(arena, text, strlen(text));
}

static void wipe(const Screen *screen) {
    if (screen->lively)
        fputs("\r\x1b[K", stderr);
}

static void tell(void *context, const char *line) {
    const Screen *screen = context;
    if (!screen->lively)
        return;
    Arena *arena = arena_new();
    fprintf(stderr, "\r\x1b[K%.150s", printable(arena, line));
    fflush(stderr);
    arena_free(arena);
}

/* One row: verdict, folder, what there was; and below it the first thing to fix. */
static void show_row(void *context, const BatchRow *row) {
    const Screen *screen = context;
    if (!screen->rows)
        return;
    static const char *const colours[] = {"\x1b[32m", "\x1b[31m", "\x1b[33m"};
    bool colour = screen->view.colour;
    FILE *stream = screen->view.stream;
    Arena *arena = arena_new();
    wipe(screen);
    fprintf(stream, "%s%-5s%s  %-40s  %zu of %zu steps, %zu of %d lines of the checklist, %.1f s%s\n",
            colour ? colours[row->verdict] : "", verdict_name(row->verdict), colour ? "\x1b[0m" : "",
            printable(arena, row->folder), row->steps_passed, row->step_count, row->checklist_held,
            (int)CHECKLIST_COUNT, row->seconds, row->earlier ? " (earlier)" : "");
    if (row->reason[0] != '\0')
        fprintf(stream, "       %s\n", printable(arena, row->reason));
    fflush(stream);
    arena_free(arena);
}

static void show_summary(const View *view, const void *shown) {
    const BatchResult *result = shown;
    fprintf(view->stream, "%zu decomposition%s: %zu PASS, %zu FAIL", result->row_count,
            result->row_count == 1 ? "" : "s", result->passed, result->failed);
    if (result->unjudged > 0)
        fprintf(view->stream, ", %zu could not be judged", result->unjudged);
    if (result->not_begun > 0)
        fprintf(view->stream, ", %zu not judged yet: go on with --resume", result->not_begun);
    if (result->earlier > 0)
        fprintf(view->stream, "; %zu from an earlier run", result->earlier);
    fprintf(view->stream, "; %.1f s\n", result->seconds);
}

/* ---- JSON ----------------------------------------------------------------------------------------- */

/* What is no UTF-8 has no JSON string. */
static json_t *text_json(const char *text) {
    json_t *json = text == NULL ? NULL : json_string(text);
    return json == NULL ? json_null() : json;
}

/* What is kept of one: enough to see what to fix; `plumbline check` says all. */
static char *render(Arena *arena, const CheckResult *result) {
    json_t *brief = report_check_brief_json(result);
    char *dumped = json_dumps(brief, JSON_COMPACT),
         *text = arena_strdup(arena, dumped == NULL ? "{}" : dumped);
    free(dumped);
    json_decref(brief);
    return text;
}

static json_t *row_json(const BatchRow *row) {
    json_t *json = json_object(), *result = json_loads(row->result, 0, NULL);
    const struct {
        const char *key;
        json_t *value;
    } parts[] = {{"folder", text_json(row->folder)},
                 {"status", json_string(row->begun ? verdict_name(row->verdict) : "NOT_RUN")},
                 {"reason", text_json(row->reason)},
                 {"components", json_integer((json_int_t)row->component_count)},
                 {"steps", json_integer((json_int_t)row->step_count)},
                 {"steps_passed", json_integer((json_int_t)row->steps_passed)},
                 {"checklist_held", json_integer((json_int_t)row->checklist_held)},
                 {"findings", json_integer((json_int_t)row->finding_count)},
                 {"seconds", json_number(row->seconds)},
                 {"finished", text_json(row->finished)},
                 {"earlier", json_boolean(row->earlier)},
                 {"content", text_json(row->content)},
                 {"result", result == NULL ? json_null() : result}};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        json_object_set_new(json, parts[i].key, parts[i].value);
    return json;
}

static json_t *all_json(const BatchArguments *arguments, const BatchResult *result) {
    json_t *rows = json_array();
    for (size_t i = 0; i < result->row_count; i++)
        json_array_append_new(rows, row_json(&result->rows[i]));
    return json_pack("{s:s, s:s, s:s, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:o, s:o}", "plumbline_version",
                     PLUMBLINE_VERSION, "torch_version", result->row_count == 0 ? "" : result->rows[0].torch,
                     "rigor", rigor_name(arguments->batch.check.rigor), "summary", "total",
                     (json_int_t)result->row_count, "pass", (json_int_t)result->passed, "fail",
                     (json_int_t)result->failed, "error", (json_int_t)result->unjudged, "not_run",
                     (json_int_t)result->not_begun, "earlier", (json_int_t)result->earlier, "seconds",
                     json_number(result->seconds), "decompositions", rows);
}

/* ---- The whole ------------------------------------------------------------------------------------ */

static int exit_status(const BatchResult *result) {
    if (result->failed > 0)
        return VERDICT_FAIL;
    if (result->passed == 0 || result->not_begun > 0)
        return VERDICT_ERROR;
    return result->unjudged > 0 ? VERDICT_FAIL : VERDICT_PASS;
}

static int run(Arena *arena, const BatchArguments *arguments) {
    Probe *probe = NULL;
    Patterns *patterns = NULL;
    BatchResult result = {0};
    Error error;
    Screen screen = {.view = command_view(&arguments->common),
                     .lively = command_progress(&arguments->common).tell != NULL,
                     .rows = !arguments->common.quiet && !command_json(&arguments->common)};
    BatchOptions batch = arguments->batch;
    batch.render = render;
    batch.finished = show_row;
    batch.tell = tell;
    batch.context = &screen;
    signal(SIGXFSZ, SIG_IGN); /* a limit on files' sizes is an error of writing, as a full disk is */
    batch.check.interrupted = interrupt_watch();
    Status status = command_patterns(arena, NULL, &patterns, &error);
    batch.check.patterns = patterns;
    if (status == STATUS_OK)
        status = command_start(arena, &arguments->common, true, &probe, &error);
    if (status == STATUS_OK)
        status = batch_verify(arena, probe, &batch, &result, &error);
    probe_stop(probe);
    int verdict = VERDICT_ERROR;
    wipe(&screen);
    if (result.row_count > 0)
        verdict = command_report(arena, &arguments->common, all_json(arguments, &result), show_summary,
                                 &result, exit_status(&result));
    return status == STATUS_OK ? verdict : command_fail(&error);
}

int batch_main(int count, char **values) {
    Arena *arena = arena_new();
    BatchArguments arguments = {.batch.check = {.seed = 42, .device = "cpu"}};
    int status = read_arguments(arena, count, values, &arguments);
    if (status < 0)
        status = run(arena, &arguments);
    arena_free(arena);
    return status;
}
