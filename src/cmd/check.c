/* plumbline check: a whole decomposition. */
#include "cmd.h"
#include "interrupt.h"

static const Synopsis SYNOPSIS = {
    .usage = "plumbline check DIR [--model ORIGINAL.py] [options]",
    .about =
        "Verifies a decomposition: its files, every component, every step, the recomposed model, dimensions, "
        "shape flow and operator coverage; and goes through the guide's checklist (docs/decomposition.md). "
        "Ctrl-C lets what runs finish, and shows what there is; a second one ends at once.",
    .status = "0 PASS, 1 FAIL, 2 could not judge"};

typedef struct CheckArguments {
    CheckOptions check;
    CommonOptions common;
    const char *patterns;
    bool write;
} CheckArguments;

static int read_arguments(Arena *arena, int count, char **values, CheckArguments *arguments) {
    CheckOptions *check = &arguments->check;
    CommonOptions *common = &arguments->common;
    const Option options[] = {
        {"model", "ORIGINAL.py", OPTION_TEXT, &check->project.model, 0, 0,
         "the root model; otherwise what decomposition_tree.json names as source_file"},
        ROW_RIGOR(check, "as in 'plumbline step' (standard)"),
        {"jobs", "N", OPTION_COUNT, &check->jobs, 1, 1024,
         "pieces of work at once (as many as there are processors)"},
        {"write", NULL, OPTION_FLAG, &arguments->write, 0, 0, "put the result files in their places in DIR"},
        ROW_OUTPUT(common, "FILE.json", "write the result there"),
        ROW_DEVICE(check),
        ROW_SEED(check, "seed of the first trial (42)"),
        ROW_TIMEOUT(check,
                    "seconds for a component's own test (60), and for each other run of user code (300)"),
        ROW_MEMORY(check, "memory of all runs at once, 8G or such (what is free)"),
        ROW_ALLOW_IMPORT(common),
        {"patterns", "FILE", OPTION_TEXT, &arguments->patterns, 0, 0,
         "patterns of your own (docs/patterns.md)"},
        ROW_PYTHON(common),
        ROW_REQUIRE_SANDBOX(common),
        ROW_FORMAT(common, "text|json"),
        ROW_QUIET(common, "the verdict line alone"),
        ROW_NO_COLOR(common)};
    Words folders = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &folders);
    if (status >= 0)
        return status;
    if (folders.count != 1)
        return options_wrong(&SYNOPSIS, folders.count == 0 ? "DIR is missing"
                                                           : "one decomposition is checked; see batch");
    check->project.folder = folders.items[0];
    check->self_test_timeout = check->timeout; /* 60 s if it is not given */
    check->timeout = check->timeout > 0 ? check->timeout : 300;
    check->project.allowed_imports = common->allowed_imports.items;
    check->project.allowed_import_count = common->allowed_imports.count;
    return -1;
}

static void show(const View *view, const void *result) {
    report_check(view, result);
}

typedef struct Writing {
    Error error;
    Status status;
} Writing;

static void write_files(void *context, Arena *arena, const CheckResult *result) {
    Writing *writing = context;
    writing->status = report_check_files(arena, result, timestamp_now(arena), &writing->error);
}

static int judge(Arena *arena, CheckArguments *arguments) {
    CheckOptions *check = &arguments->check;
    const Progress progress = command_progress(&arguments->common);
    Patterns *patterns;
    Probe *probe;
    Error error;
    if (command_patterns(arena, arguments->patterns, &patterns, &error) != STATUS_OK ||
        command_start(arena, &arguments->common, true, &probe, &error) != STATUS_OK)
        return command_fail(&error);
    CheckResult *result = ARENA_NEW(arena, CheckResult);
    Writing writing = {.status = STATUS_OK};
    check->patterns = patterns;
    check->interrupted = interrupt_watch();
    check->write = arguments->write ? write_files : NULL;
    check->write_context = &writing;
    check_verify(arena, probe, check, &progress, result);
    int status =
        command_report(arena, &arguments->common, report_check_json(arena, result, timestamp_now(arena)),
                       show, result, (int)result->verdict);
    if (writing.status != STATUS_OK)
        status = command_fail(&writing.error);
    check_result_close(result);
    probe_stop(probe);
    return status;
}

int check_main(int count, char **values) {
    Arena *arena = arena_new();
    CheckArguments arguments = {.check = {.seed = 42, .device = "cpu"}};
    int status = read_arguments(arena, count, values, &arguments);
    if (status < 0)
        status = judge(arena, &arguments);
    arena_free(arena);
    return status;
}
