/* script: a file of the user's run as `python FILE`, in a sandboxed cell: its own test, and no evidence. */
#ifndef PLUMBLINE_SCRIPT_H
#define PLUMBLINE_SCRIPT_H

#include "runs.h"

typedef struct ScriptResult {
    bool passed;         /* exit status 0, the word PASS, and no line that starts with FAIL */
    const char *said;    /* the last line that it printed; "" if none */
    const char *why_not; /* one sentence, without a subject: "exited with status 1"; NULL if it passed */
    int status;          /* its exit status; -1 where it was killed */
    bool doubled;        /* a result of `double_kernel` was doubled */
    double seconds;
} ScriptResult;

/* Runs `file` (absolute) in its own folder, as __main__. It may read what is in `readable` (absolute files
 * and folders) and its own folder, and write nothing; settings->timeout bounds it. `double_kernel` (absolute
 * path, or NULL): the first module of that component gives twice its result. An error is the probe's own. */
MUST_USE Status script_run(Arena *arena, const RunSettings *settings, const char *file,
                           const char *const *readable, size_t readable_count, const char *double_kernel,
                           ScriptResult *result, Error *error);

#endif
