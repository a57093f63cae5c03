/* plumbline diff: two components, proved equal or where they first part. */
#include "cmd.h"

#include <math.h>

static const Synopsis SYNOPSIS = {
    .usage = "plumbline diff A.py B.py [options]",
    .about = "Records both components on shapes alone, with A's inputs, and unifies the two graphs.",
    .status = "0 proved, 1 different or not proved, 2 could not judge"};

static int compare(Arena *arena, const StepOptions *step, const CommonOptions *common) {
    const Progress silent = {0};
    StepResult result;
    Probe *probe;
    Error error;
    if (command_start(arena, common, true, &probe, &error) != STATUS_OK)
        return command_fail(&error);
    proof_verify(arena, probe, step, true, &silent, &result);
    const int status =
        result.verdict == VERDICT_ERROR && !command_json(common)
            ? command_fail_text(result.error)
            : command_write(common, report_diff(arena, &result, command_json(common), common->quiet),
                            (int)result.verdict);
    probe_stop(probe);
    return status;
}

int diff_main(int count, char **values) {
    Arena *arena = arena_new();
    CommonOptions common = {0};
    StepOptions step = {
        .rtol = NAN, .atol = NAN, .trial_count = 1, .seed = 42, .device = "cpu", .timeout = 300};
    const Option options[] = {ROW_FORMAT(&common, "text|json"),
                              ROW_OUTPUT(&common, "FILE", "write it there"),
                              ROW_QUIET(&common, "the verdict line alone"),
                              ROW_PYTHON(&common),
                              ROW_SEED(&step, "of construction and inputs (42)"),
                              ROW_TIMEOUT(&step, EACH_TIMEOUT),
                              ROW_MEMORY(&step, EACH_MEMORY)};
    Words files = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &files);
    if (status < 0 && files.count != 2)
        status = options_wrong(&SYNOPSIS, "two files are compared");
    if (status < 0) {
        step.original = files.items[0];
        step.refactored = files.items[1];
        status = compare(arena, &step, &common);
    }
    arena_free(arena);
    return status;
}
