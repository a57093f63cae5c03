/* plumbline weights: the weight map, by proof. */
#include "cmd.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const Synopsis SYNOPSIS = {
    .usage = "plumbline weights --original PARENT.py --refactored REFACTORED.py [--output weight_map.json]",
    .about = "Proves the two equal and writes which original parameter is which refactored one.",
    .status = "0 the proof gives the map, 1 not proved, 2 could not judge"};

/* What the proof leaves open is said, since somebody may have meant it otherwise. */
static void tell_free(const ProofResult *proof) {
    for (size_t i = 0; i < proof->binding_count; i++)
        if (proof->bindings[i].free)
            fprintf(stderr,
                    "plumbline: %s could stand for another of the same place, by symmetry; any assignment is "
                    "right\n",
                    proof->bindings[i].original);
}

static int find_map(Arena *arena, const StepOptions *step, const CommonOptions *common) {
    const Progress silent = {0};
    StepResult result;
    Probe *probe;
    Error error;
    if (command_start(arena, common, true, &probe, &error) != STATUS_OK)
        return command_fail(&error);
    proof_verify(arena, probe, step, false, &silent, &result);
    probe_stop(probe);
    if (result.verdict == VERDICT_ERROR)
        return command_fail_text(result.error);
    if (result.verdict != VERDICT_PASS) {
        fprintf(stderr, "plumbline: %s%s\n",
                text_printable(arena, result.fail_reason, strlen(result.fail_reason)),
                result.proof.why_not == NULL ? "" : "; write weight_map.json by hand, or mend what differs");
        return VERDICT_FAIL;
    }
    tell_free(&result.proof);
    json_t *map = proof_map_json(&result.proof);
    const Bytes text = report_json_text(arena, map);
    json_decref(map);
    return command_write(common, text, VERDICT_PASS);
}

int weights_main(int count, char **values) {
    Arena *arena = arena_new();
    CommonOptions common = {0};
    StepOptions step = {
        .rtol = NAN, .atol = NAN, .trial_count = 1, .seed = 42, .device = "cpu", .timeout = 300};
    const Option options[] = {
        {"original", "PARENT.py", OPTION_TEXT, &step.original, 0, 0, "the component that is refactored"},
        {"refactored", "REFACTORED.py", OPTION_TEXT, &step.refactored, 0, 0,
         "the same, of calls to children"},
        {"weight-map", "MAP.json", OPTION_TEXT, &step.weight_map, 0, 0,
         "what is known already; the proof must agree"},
        ROW_OUTPUT(&common, "FILE", "write the map there"),
        ROW_PYTHON(&common),
        ROW_SEED(&step, "of construction and inputs (42)"),
        ROW_TIMEOUT(&step, EACH_TIMEOUT),
        ROW_MEMORY(&step, EACH_MEMORY)};
    Words words = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &words);
    if (status < 0 && words.count > 0)
        status = options_wrong(&SYNOPSIS, "'%s' is not an option", words.items[0]);
    if (status < 0 && (step.original == NULL || step.refactored == NULL))
        status =
            options_wrong(&SYNOPSIS, "%s is missing", step.original == NULL ? "--original" : "--refactored");
    if (status < 0)
        status = find_map(arena, &step, &common);
    arena_free(arena);
    return status;
}
