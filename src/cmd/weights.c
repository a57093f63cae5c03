/* plumbline weights: the weight map, by proof. */
#include "prover.h"

#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "plumbline weights --original PARENT.py --refactored REFACTORED.py [--output weight_map.json]";
static const char HELP[] =
    "\nProves the two equal and writes which original parameter is which refactored one.\n\n"
    "  --output FILE      write the map there (stdout)\n"
    "  --weight-map FILE  what is known already; the proof must agree\n"
    "  --python PATH      interpreter, as in 'plumbline step'\n"
    "  --seed N, --timeout S, --memory BYTES   as in 'plumbline step'\n"
    "\nExit status: 0 the proof gives the map, 1 not proved, 2 could not judge.\n";
static const char *const ACCEPTED[] = {
    "original=", "refactored=", "output=", "weight-map=", "python=", "seed=", "timeout=", "memory=", NULL};

/* What the proof leaves open is said, since somebody may have meant it otherwise. */
static void tell_free(const ProofResult *proof) {
    for (size_t i = 0; i < proof->binding_count; i++)
        if (proof->bindings[i].free)
            fprintf(stderr,
                    "plumbline: %s could stand for another of the same place, by symmetry; any assignment is "
                    "right\n",
                    proof->bindings[i].original);
}

int weights_main(int count, char **values) {
    Arena *arena = arena_new();
    ProverArguments arguments;
    int status = prover_read(arena, count, values, USAGE, HELP, ACCEPTED, &arguments);
    if (status < 0 && arguments.file_count > 0)
        status = command_usage(USAGE, "'%s' is not an option", arguments.files[0]);
    if (status < 0 && (arguments.step.original == NULL || arguments.step.refactored == NULL))
        status = command_usage(USAGE, "%s is missing",
                               arguments.step.original == NULL ? "--original" : "--refactored");
    Probe *probe = NULL;
    Error error;
    if (status < 0 && prover_start(arena, &arguments, &probe, &error) != STATUS_OK)
        status = command_fail(&error);
    if (status < 0) {
        const Progress silent = {0};
        StepResult result;
        proof_verify(arena, probe, &arguments.step, false, &silent, &result);
        status = (int)result.verdict;
        if (result.verdict == VERDICT_PASS) {
            json_t *map = proof_map_json(&result.proof);
            tell_free(&result.proof);
            status = prover_write(&arguments, report_json_text(arena, map), status);
            json_decref(map);
        } else {
            const char *why = result.verdict == VERDICT_ERROR ? result.error : result.fail_reason;
            const char *advice = "; write weight_map.json by hand, or mend what differs";
            fprintf(stderr, "plumbline: %s%s\n", why, result.verdict == VERDICT_ERROR ? "" : advice);
        }
    }
    if (probe != NULL)
        probe_stop(probe);
    arena_free(arena);
    return status;
}
