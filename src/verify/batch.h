/* batch: many decompositions, and what is remembered of each. docs/decomposition.md. */
#ifndef PLUMBLINE_BATCH_H
#define PLUMBLINE_BATCH_H

#include "decomposition.h"

/* ---- Folders (folders.c) ------------------------------------------------------------------------------- */
typedef struct Folders {
    const char **items; /* relative to the root, "." for itself; sorted */
    size_t count, capacity;
} Folders;

/* Every decomposition in or below `root`: a folder with decomposition_tree.json, steps/ or level_0_kernel/.
 * Not those within another, nor in hidden folders; links are not followed. */
MUST_USE Status folders_find(Arena *arena, const char *root, Folders *folders, Error *error);

/* A hash of the names and bytes of all that a folder holds, but for what is derived or ours (__pycache__,
 * .plumbline). Of a link, also what it leads to, if that is a file. */
MUST_USE Status folder_content(Arena *arena, const char *folder, const char **hash, Error *error);
/* Of a model that stands elsewhere: its file, and the Python files that stand beside it, which it may import;
 * and when the latest of them changed, in seconds since 1970. */
MUST_USE Status model_content(Arena *arena, const char *model, const char **hash, double *changed,
                              Error *error);

/* ---- One row (history.c) ------------------------------------------------------------------------------- */
typedef struct BatchRow {
    const char *folder;
    const char *content;  /* "": it changed while it was checked */
    const char *settings; /* rigor, seed, limits, interpreter, plumbline..: what else the verdict hangs on */
    const char *model, *model_content; /* of a root model outside the folder; "" */
    const char *rigor, *torch, *version;
    Verdict verdict;
    const char *reason; /* the first one; "" on PASS */
    size_t component_count, step_count, steps_passed, checklist_held, finding_count;
    double seconds;
    const char *finished; /* ISO 8601 */
    const char *result;   /* JSON */
    bool earlier;         /* it was kept from an earlier run */
    bool begun;           /* false: there is no verdict, since the user interrupted */
} BatchRow;

/* A database of rows by folder, each whole as soon as history_put has returned. One thread at a time. */
typedef struct History History;
/* Makes it if it isn't there. */
MUST_USE Status history_open(Arena *arena, const char *path, History **history, Error *error);
/* `*row` is NULL if there is none of that folder. */
MUST_USE Status history_get(Arena *arena, History *history, const char *folder, BatchRow **row, Error *error);
MUST_USE Status history_put(History *history, const BatchRow *row, Error *error);
void history_close(History *history); /* NULL does nothing */

/* ---- All (batch.c) ----------------------------------------------------------------------------------------
 */
typedef struct BatchOptions { /* check.jobs, check.memory: of all together */
    const char *root;
    const char *database; /* NULL: ROOT/.plumbline/batch.sqlite3 */
    bool resume;          /* keep what was judged already: same content, settings and model */
    bool require_sandbox; /* the probe does: keep only what was judged with every layer that must be on */
    CheckOptions check;   /* of each; the folder is filled in */
    char *(*render)(Arena *arena, const CheckResult *result); /* the JSON of one */
    void (*finished)(void *context, const BatchRow *row);     /* by any thread, one at a time; NULL */
    void (*tell)(void *context, const char *line);            /* likewise */
    void *context;
} BatchOptions;

typedef struct BatchResult {
    BatchRow *rows; /* by folder */
    size_t row_count;
    size_t passed, failed, unjudged, not_begun, earlier;
    double seconds;
} BatchResult;

/* An error: nothing was found, or what was found out could not be kept. Rows that were kept stay. */
MUST_USE Status batch_verify(Arena *arena, Probe *probe, const BatchOptions *options, BatchResult *result,
                             Error *error);

#endif
