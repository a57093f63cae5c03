/* plumbline step: verify one step. */
#include "cmd.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char USAGE[] = "plumbline step --original PARENT.py --refactored REFACTORED.py [options]";

static const char HELP[] =
    "\nVerifies that REFACTORED.py computes what PARENT.py computes, by calling child components only.\n\n"
    "  --weight-map MAP.json   which original parameter goes where; default: weight_map.json beside "
    "REFACTORED.py\n"
    "  --output RESULT.json    write verification_result.json there\n"
    "  --rtol X, --atol X      override the tolerance of the dtype, each alone\n"
    "  --rigor fast|standard|paranoid  fast: a proof, numbers only without one; standard: a proof and the "
    "trials;\n"
    "                          paranoid: perturbed trials in any case, train mode, gradients (standard)\n"
    "  --num-trials N          trials, each with a seed of its own (3)\n"
    "  --seed N                seed of the first trial (42)\n"
    "  --perturb-seed N        repeat the perturbed trials of an earlier result (drawn at run time)\n"
    "  --train                 run in train mode\n"
    "  --device cpu|cuda       where both models run (cpu)\n"
    "  --skip-anticheat        judge weights and numbers only; the result says so\n"
    "  --allow-import NAME     let candidate files import NAME too; the result says so\n"
    "  --python PATH           interpreter; default: $PLUMBLINE_PYTHON, an active or ./.venv environment, "
    "python3\n"
    "  --timeout S             seconds for each run of user code (300)\n"
    "  --memory BYTES          memory of each run beyond torch itself, 8G or such (most of what is free)\n"
    "  --require-sandbox       refuse to run where a layer of the sandbox can't be had\n"
    "  --format text|json      what to print (text)\n"
    "  --quiet                 the verdict line alone\n"
    "  --no-color              no colour on a terminal either\n"
    "\nExit status: 0 PASS, 1 FAIL, 2 could not judge.\n";

enum { OPTION_FIRST = 256 };
enum Option {
    OPT_ORIGINAL = OPTION_FIRST,
    OPT_REFACTORED,
    OPT_WEIGHT_MAP,
    OPT_OUTPUT,
    OPT_RTOL,
    OPT_ATOL,
    OPT_TRIALS,
    OPT_RIGOR,
    OPT_SEED,
    OPT_PERTURB_SEED,
    OPT_SKIP,
    OPT_TRAIN,
    OPT_DEVICE,
    OPT_PYTHON,
    OPT_TIMEOUT,
    OPT_MEMORY,
    OPT_FORMAT,
    OPT_QUIET,
    OPT_NO_COLOR,
    OPT_ALLOW,
    OPT_REQUIRE,
    OPT_HELP
};

static const struct option OPTIONS[] = {{"original", required_argument, NULL, OPT_ORIGINAL},
                                        {"refactored", required_argument, NULL, OPT_REFACTORED},
                                        {"weight-map", required_argument, NULL, OPT_WEIGHT_MAP},
                                        {"output", required_argument, NULL, OPT_OUTPUT},
                                        {"rtol", required_argument, NULL, OPT_RTOL},
                                        {"atol", required_argument, NULL, OPT_ATOL},
                                        {"rigor", required_argument, NULL, OPT_RIGOR},
                                        {"num-trials", required_argument, NULL, OPT_TRIALS},
                                        {"seed", required_argument, NULL, OPT_SEED},
                                        {"perturb-seed", required_argument, NULL, OPT_PERTURB_SEED},
                                        {"skip-anticheat", no_argument, NULL, OPT_SKIP},
                                        {"train", no_argument, NULL, OPT_TRAIN},
                                        {"device", required_argument, NULL, OPT_DEVICE},
                                        {"python", required_argument, NULL, OPT_PYTHON},
                                        {"timeout", required_argument, NULL, OPT_TIMEOUT},
                                        {"memory", required_argument, NULL, OPT_MEMORY},
                                        {"format", required_argument, NULL, OPT_FORMAT},
                                        {"quiet", no_argument, NULL, OPT_QUIET},
                                        {"no-color", no_argument, NULL, OPT_NO_COLOR},
                                        {"allow-import", required_argument, NULL, OPT_ALLOW},
                                        {"require-sandbox", no_argument, NULL, OPT_REQUIRE},
                                        {"help", no_argument, NULL, OPT_HELP},
                                        {NULL, 0, NULL, 0}};

typedef struct StepArguments {
    StepOptions step;
    CommonOptions common;
    const char *output;
    bool help;
} StepArguments;

static Status read_option(Arena *arena, int option, const char *value, StepArguments *arguments,
                          Error *error) {
    StepOptions *step = &arguments->step;
    CommonOptions *common = &arguments->common;
    uint64_t number;
    switch (option) {
    case OPT_ORIGINAL: step->original = value; return STATUS_OK;
    case OPT_REFACTORED: step->refactored = value; return STATUS_OK;
    case OPT_WEIGHT_MAP: step->weight_map = value; return STATUS_OK;
    case OPT_OUTPUT: arguments->output = value; return STATUS_OK;
    case OPT_RTOL: return option_number("--rtol", value, 0, 1e9, &step->rtol, error);
    case OPT_ATOL: return option_number("--atol", value, 0, 1e9, &step->atol, error);
    case OPT_RIGOR:
        for (step->rigor = RIGOR_STANDARD; step->rigor <= RIGOR_PARANOID; step->rigor++)
            if (strcmp(value, rigor_name(step->rigor)) == 0)
                return STATUS_OK;
        return error_set(error, "--rigor", "use fast, standard or paranoid", "there is no rigor '%s'", value);
    case OPT_TRIALS:
        if (option_integer("--num-trials", value, 1, 1000, &number, error) != STATUS_OK)
            return STATUS_ERROR;
        step->trial_count = (unsigned)number;
        return STATUS_OK;
    case OPT_SEED: return option_integer("--seed", value, 0, INT64_MAX / 2, &step->seed, error);
    case OPT_PERTURB_SEED:
        return option_integer("--perturb-seed", value, 1, INT64_MAX, &step->perturb_seed, error);
    case OPT_SKIP: step->skip_anticheat = true; return STATUS_OK;
    case OPT_TRAIN: step->train = true; return STATUS_OK;
    case OPT_DEVICE:
        step->device = value;
        if (strcmp(value, "cpu") != 0 && strcmp(value, "cuda") != 0)
            return error_set(error, "--device", "use cpu or cuda", "there is no device '%s'", value);
        return STATUS_OK;
    case OPT_PYTHON: common->python = value; return STATUS_OK;
    case OPT_TIMEOUT: return option_number("--timeout", value, 0.1, 1e6, &step->timeout, error);
    case OPT_MEMORY: return option_bytes("--memory", value, &step->memory, error);
    case OPT_FORMAT:
        common->json = strcmp(value, "json") == 0;
        if (!common->json && strcmp(value, "text") != 0)
            return error_set(error, "--format", "use text or json", "there is no format '%s'", value);
        return STATUS_OK;
    case OPT_QUIET: common->quiet = true; return STATUS_OK;
    case OPT_NO_COLOR: common->no_color = true; return STATUS_OK;
    case OPT_ALLOW: {
        struct {
            const char **items;
            size_t count, capacity;
        } list = {common->allowed_imports, common->allowed_count, common->allowed_capacity};
        *(const char **)ARENA_PUSH(arena, &list) = value;
        common->allowed_imports = list.items;
        common->allowed_count = list.count;
        common->allowed_capacity = list.capacity;
        return STATUS_OK;
    }
    case OPT_REQUIRE: step->require_sandbox = true; return STATUS_OK;
    default: arguments->help = true; return STATUS_OK;
    }
}

static const char *timestamp_now(Arena *arena) {
    time_t now = time(NULL);
    struct tm utc;
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    return arena_strdup(arena, text);
}

/* One line on a terminal's stderr that is overwritten, and wiped before the result. */
static void tell_progress(void *context, const char *what) {
    (void)context;
    fprintf(stderr, "\r\x1b[K%s", what);
    fflush(stderr);
}

static void run_step(Arena *arena, StepArguments *arguments, StepResult *result) {
    StepOptions *step = &arguments->step;
    bool lively = isatty(STDERR_FILENO) && !arguments->common.quiet;
    Progress progress = {lively ? tell_progress : NULL, NULL};
    Interpreter interpreter = {0};
    Probe *probe = NULL;
    Error error;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (lively)
        tell_progress(NULL, "starting Python and torch");
    ProbeOptions options = {
        .needs_torch = true, .parse_ahead = true, .require_sandbox = step->require_sandbox};
    Status started = interpreter_find(arena, arguments->common.python, true, &interpreter, &error);
    options.interpreter = interpreter.path;
    if (started == STATUS_OK)
        started = probe_start(arena, &options, &probe, &error);
    if (started != STATUS_OK) {
        step_result_error(arena, step, &error, result);
    } else {
        step_verify(arena, probe, step, &progress, result);
        probe_stop(probe);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    result->seconds.total =
        (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    if (lively)
        tell_progress(NULL, "");
}

static int report(Arena *arena, const StepArguments *arguments, const StepResult *result) {
    json_t *json = report_step_json(result, timestamp_now(arena));
    Bytes text = report_json_text(arena, json);
    json_decref(json);
    Error error;
    if (arguments->output != NULL && file_write(arguments->output, text, &error) != STATUS_OK)
        return command_fail(&error);
    if (arguments->common.json) {
        fwrite(text.data, 1, text.size, stdout);
    } else {
        View view = command_view(&arguments->common);
        report_step(&view, result);
    }
    if (fflush(stdout) == 0)
        return (int)result->verdict;
    fputs("plumbline: stdout: cannot write the result; free some space\n", stderr);
    return VERDICT_ERROR;
}

int step_main(int count, char **values) {
    Arena *arena = arena_new();
    StepArguments arguments = {
        .step = {.rtol = NAN, .atol = NAN, .trial_count = 3, .seed = 42, .device = "cpu", .timeout = 300}};
    Error error;
    int option, status = -1;
    opterr = 0;
    while (status < 0 && (option = getopt_long(count, values, ":", OPTIONS, NULL)) != -1) {
        if (option == ':')
            status = command_usage(USAGE, "%s needs a value", values[optind - 1]);
        else if (option == '?')
            status = command_usage(USAGE, "there is no option %s; 'plumbline step --help' lists them",
                                   values[optind - 1]);
        else if (read_option(arena, option, optarg, &arguments, &error) != STATUS_OK)
            status = command_fail(&error);
    }
    if (status < 0 && arguments.help) {
        printf("usage: %s\n%s", USAGE, HELP);
        status = 0;
    } else if (status < 0 && optind < count) {
        status = command_usage(USAGE, "'%s' is not an option", values[optind]);
    } else if (status < 0 && (arguments.step.original == NULL || arguments.step.refactored == NULL)) {
        status = command_usage(USAGE, "%s is missing",
                               arguments.step.original == NULL ? "--original" : "--refactored");
    }
    if (status < 0) {
        arguments.step.allowed_imports = arguments.common.allowed_imports;
        arguments.step.allowed_import_count = arguments.common.allowed_count;
        StepResult result = {0};
        run_step(arena, &arguments, &result);
        status = report(arena, &arguments, &result);
    }
    arena_free(arena);
    return status;
}
