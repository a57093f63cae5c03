/* plumbline step: verify one step. */
#include "cmd.h"

#include <math.h>
#include <time.h>

static const Synopsis SYNOPSIS = {
    .usage = "plumbline step --original PARENT.py --refactored REFACTORED.py [options]",
    .about =
        "Verifies that REFACTORED.py computes what PARENT.py computes, by calling child components only.",
    .status = "0 PASS, 1 FAIL, 2 could not judge"};

typedef struct StepArguments {
    StepOptions step;
    CommonOptions common;
} StepArguments;

static int read_arguments(Arena *arena, int count, char **values, StepArguments *arguments) {
    StepOptions *step = &arguments->step;
    CommonOptions *common = &arguments->common;
    const Option options[] = {
        {"original", "PARENT.py", OPTION_TEXT, &step->original, 0, 0, "the component that is refactored"},
        {"refactored", "REFACTORED.py", OPTION_TEXT, &step->refactored, 0, 0,
         "the same, of calls to children"},
        {"weight-map", "MAP.json", OPTION_TEXT, &step->weight_map, 0, 0,
         "which original parameter goes where; default: weight_map.json beside REFACTORED.py"},
        ROW_OUTPUT(common, "RESULT.json", "write verification_result.json there"),
        {"rtol", "X", OPTION_NUMBER, &step->rtol, 0, 1e9, "instead of the relative tolerance of the dtype"},
        {"atol", "X", OPTION_NUMBER, &step->atol, 0, 1e9, "instead of the absolute tolerance of the dtype"},
        ROW_RIGOR(step,
                  "fast: a proof, numbers only without one; standard: a proof and the trials; paranoid: "
                  "perturbed trials in any case, train mode, gradients (standard)"),
        {"num-trials", "N", OPTION_COUNT, &step->trial_count, 1, 1000,
         "trials, each with a seed of its own (3)"},
        ROW_SEED(step, "seed of the first trial (42)"),
        {"perturb-seed", "N", OPTION_INTEGER, &step->perturb_seed, 1, 0x1p62,
         "repeat the perturbed trials of an earlier result (drawn at run time)"},
        {"train", NULL, OPTION_FLAG, &step->train, 0, 0, "run in train mode"},
        ROW_DEVICE(step),
        {"skip-anticheat", NULL, OPTION_FLAG, &step->skip_anticheat, 0, 0,
         "judge weights and numbers only; the result says so"},
        ROW_ALLOW_IMPORT(common),
        ROW_PYTHON(common),
        ROW_TIMEOUT(step, EACH_TIMEOUT),
        ROW_MEMORY(step, EACH_MEMORY),
        ROW_REQUIRE_SANDBOX(common),
        ROW_FORMAT(common, "text|json"),
        ROW_QUIET(common, "the verdict line alone"),
        ROW_NO_COLOR(common)};
    Words words = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &words);
    if (status >= 0)
        return status;
    if (words.count > 0)
        return options_wrong(&SYNOPSIS, "'%s' is not an option", words.items[0]);
    if (step->original == NULL || step->refactored == NULL)
        return options_wrong(&SYNOPSIS, "%s is missing",
                             step->original == NULL ? "--original" : "--refactored");
    step->allowed_imports = common->allowed_imports.items;
    step->allowed_import_count = common->allowed_imports.count;
    return -1;
}

static void run_step(Arena *arena, const StepArguments *arguments, StepResult *result) {
    const StepOptions *step = &arguments->step;
    const Progress progress = command_progress(&arguments->common);
    Probe *probe = NULL;
    Error error;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (progress.tell != NULL)
        progress.tell(progress.context, "starting Python and torch");
    if (command_start(arena, &arguments->common, true, &probe, &error) != STATUS_OK) {
        step_result_error(arena, step, &error, result);
    } else {
        step_verify(arena, probe, step, &progress, result);
        probe_stop(probe);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    result->seconds.total =
        (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    if (progress.tell != NULL)
        progress.tell(progress.context, "");
}

static void show(const View *view, const void *result) {
    report_step(view, result);
}

int step_main(int count, char **values) {
    Arena *arena = arena_new();
    StepArguments arguments = {
        .step = {.rtol = NAN, .atol = NAN, .trial_count = 3, .seed = 42, .device = "cpu", .timeout = 300}};
    int status = read_arguments(arena, count, values, &arguments);
    if (status < 0) {
        StepResult result = {0};
        run_step(arena, &arguments, &result);
        status = command_report(arena, &arguments.common, report_step_json(&result, timestamp_now(arena)),
                                show, &result, (int)result.verdict);
    }
    arena_free(arena);
    return status;
}
