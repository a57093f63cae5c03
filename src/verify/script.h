/* script: a file of the user's run as `python FILE`, in a sandboxed cell: its own test, and no evidence. */
#ifndef PLUMBLINE_SCRIPT_H
#define PLUMBLINE_SCRIPT_H

#include "runs.h"

typedef struct ScriptResult {
    bool passed;         /* exit status 0, the word PASS, and no line that says FAIL */
    const char *said;    /* the last line that it printed; "" if none */
    const char *why_not; /* one sentence, without a subject: "exited with status 1"; NULL if it passed */
    int status;          /* its exit status; -1 where it was killed */
    bool doubled;        /* a result of `double_kernel` was doubled */
    double seconds;
    json_t *inputs, *recorded; /* owned by the caller: what was answered to the request's work; or NULL */
} ScriptResult;

typedef struct ScriptRequest {
    const char *file;            /* absolute */
    const char *const *readable; /* absolute files and folders; its own folder is readable anyway */
    size_t readable_count;
    const char
        *double_kernel; /* absolute, or NULL: the first module of that component gives twice its result */
    /* Made by work_inputs_prepare, and by work_record_prepare without inputs and trials; or NULL: what is
     * done before the script runs, in the same cell, which saves one. Where it can't be done there is no
     * answer. */
    const Work *inputs, *record;
} ScriptRequest;

/* Runs a file in its own folder, as __main__. It may write nothing; settings->timeout bounds it. An error is
 * the probe's own. */
MUST_USE Status script_run(Arena *arena, const RunSettings *settings, const ScriptRequest *request,
                           ScriptResult *result, Error *error);

#endif
