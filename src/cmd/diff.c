/* plumbline diff: are two components the same computation, and if not, where do they first part? */
#include "prover.h"

#include <stdio.h>
#include <string.h>

static const char USAGE[] = "plumbline diff A.py B.py [options]";
static const char HELP[] =
    "\nRecords both components on shapes alone, with A's inputs, and unifies the two graphs.\n\n"
    "  --format text|json   what to print (text)\n"
    "  --output FILE        write it there\n"
    "  --quiet              the verdict line alone\n"
    "  --python PATH        interpreter, as in 'plumbline step'\n"
    "  --seed N, --timeout S, --memory BYTES   as in 'plumbline step'\n"
    "\nExit status: 0 proved, 1 different or not proved, 2 could not judge.\n";
static const char *const ACCEPTED[] = {
    "format=", "output=", "quiet", "python=", "seed=", "timeout=", "memory=", NULL};

int diff_main(int count, char **values) {
    Arena *arena = arena_new();
    ProverArguments arguments;
    int status = prover_read(arena, count, values, USAGE, HELP, ACCEPTED, &arguments);
    if (status < 0 && arguments.file_count < 2)
        status = command_usage(USAGE, "two files are compared");
    if (status < 0 && arguments.format != NULL && !arguments.common.json &&
        strcmp(arguments.format, "text") != 0)
        status = command_usage(USAGE, "there is no format '%s'; use text or json", arguments.format);
    Probe *probe = NULL;
    Error error;
    if (status < 0) {
        arguments.step.original = arguments.files[0];
        arguments.step.refactored = arguments.files[1];
        if (prover_start(arena, &arguments, &probe, &error) != STATUS_OK)
            status = command_fail(&error);
    }
    if (status < 0) {
        const Progress silent = {0};
        StepResult result;
        proof_verify(arena, probe, &arguments.step, true, &silent, &result);
        status = (int)result.verdict;
        if (result.verdict == VERDICT_ERROR && !arguments.common.json)
            fprintf(stderr, "plumbline: %s\n", result.error);
        else
            status = prover_write(&arguments,
                                  report_diff(arena, &result, arguments.common.json, arguments.common.quiet),
                                  status);
    }
    if (probe != NULL)
        probe_stop(probe);
    arena_free(arena);
    return status;
}
