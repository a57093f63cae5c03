/* runs: the pieces of work that cells do for a step: describing a side, and running it once. */
#ifndef PLUMBLINE_RUNS_H
#define PLUMBLINE_RUNS_H

#include "kept.h"
#include "verify_internal.h"

typedef struct Recall Recall; /* recall.h */

/* One of the two models. */
typedef struct Side {
    const char *role; /* "original" or "candidate" */
    Program program;
    json_t *program_json; /* the "program" of docs/protocol.md */
    MemoryFile *bundle;
    const char **folders; /* that the original may read and import from; none for a candidate */
    size_t folder_count;
    const char *class_names[2];
    bool expected;  /* get_expected_output_shape() is asked for with the inputs */
    Recall *recall; /* keeps its inputs and its recordings on shapes alone; NULL: nothing does */
} Side;

/* Init arguments that one side lends the other. */
typedef struct InitInputs {
    json_t *value, *tensors; /* borrowed */
    MemoryFile *file;        /* sealed; named "init" */
} InitInputs;

/* What `describe` found out. JSON parts are borrowed from `done`, which it holds a reference to. */
typedef struct Description {
    json_t *done;
    MemoryFile *weights, *inputs;
    StateDict state;
    bool has_init_inputs, random_construction, drawn_numbers; /* docs/protocol.md, "work: describe" */
    InitInputs init;
    size_t trial_count;
    double seconds;
} Description;

/* What both sides are run with. */
typedef struct RunSettings {
    Probe *probe;
    const char *device;
    bool train;
    double timeout;
    uint64_t memory; /* for each of two cells */
    int threads;     /* for each cell */
} RunSettings;

MUST_USE Status side_make(Arena *arena, const char *role, const Program *program, Side *side, Error *error);
void side_close(Side *side);

typedef struct DescribeRequest {
    uint64_t seed, trial_seed;
    unsigned trial_count; /* seeds trial_seed, trial_seed + 1, ... */
    bool initialise;
    const InitInputs *init; /* NULL: the file's own */
} DescribeRequest;

/* Why a piece of user code gave no result, in words; `failed` is false if it did. */
typedef struct CellFailure {
    bool failed;
    bool raised; /* user code raised an exception; otherwise it was killed, hung, left, had no memory... */
    const char *stage;
    bool too_long;      /* it makes more calls than a recording holds */
    const char *what;   /* one sentence */
    const char *advice; /* what to do about it; "" if that is not known */
    Place place;        /* the innermost line of the user's */
    const char *module;
} CellFailure;

#define MOST_THEN 7 /* runs that one cell may do after the first */

/* Starts a cell; work_wait gives what it found. Errors are the probe's own. */
typedef struct Work {
    const Side *side;
    json_t *work;
    MemoryFile *files[8 + MOST_THEN];
    size_t file_count;
    size_t lent_count;     /* the first of them: the cell is lent them, and writes the others */
    bool recalls;          /* side->recall is asked */
    json_t *recalled;      /* owned: the answer, where no cell had to be asked */
    MemoryFile *recording; /* pieces of the trace and the recording; closed by work_close, unless taken */
    Cell *cell;
    uint64_t peak; /* bytes of memory that it took, the interpreter's included; set by work_wait */
} Work;

MUST_USE Status work_describe(Arena *arena, const RunSettings *settings, const Side *side,
                              const DescribeRequest *request, Work *work, Error *error);
/* `weights`: the list of the protocol, in `weights_file`; `trial`: {"args", "kwargs", "tensors"} in
 * `inputs_file`. */
typedef struct RunRequest {
    uint64_t seed, construct_seed; /* of forward; of construction, as it was described */
    const InitInputs *init;        /* NULL: the file's own */
    const json_t *weights, *trial;
    MemoryFile *weights_file, *inputs_file;
    InputBounds bounds;
    bool trace, float64, initialise;
    uint64_t values; /* bytes of what its calls give that it may keep; 0: it keeps nothing */
    bool again;      /* what is compared is a second call's, after one on other inputs */
    struct {
        uint64_t seed;
        const json_t *trial;
    } then[MOST_THEN]; /* run afterwards in the same cell, on models of their own */
    size_t then_count;
    const json_t *gradients; /* what the arguments of forward are called; NULL: outputs are asked for */
} RunRequest;
MUST_USE Status work_run(Arena *arena, const RunSettings *settings, const Side *side,
                         const RunRequest *request, Work *work, Error *error);
/* Recordings (src/verify/recording.h). */
typedef struct RecordWork {
    uint64_t seed;
    const InitInputs *init; /* NULL: the file's own */
    const json_t *weights;  /* NULL: on shapes alone */
    MemoryFile *weights_file, *inputs_file;
    json_t *trials;
    bool describe;
    bool compare_inputs; /* those that the program makes itself are described too */
} RecordWork;
MUST_USE Status work_record(Arena *arena, const RunSettings *settings, const Side *side,
                            const RecordWork *request, Work *work, Error *error);
/* What follows is prepared only, for another cell to do it on its way. `trials` may be NULL then. */
MUST_USE Status work_record_prepare(Arena *arena, const RunSettings *settings, const Side *side,
                                    const RecordWork *request, Work *work, Error *error);
/* The program's own inputs and init arguments. */
MUST_USE Status work_inputs_prepare(Arena *arena, const RunSettings *settings, const Side *side,
                                    uint64_t seed, Work *work, Error *error);
MUST_USE Status work_inputs(Arena *arena, const RunSettings *settings, const Side *side, uint64_t seed,
                            Work *work, Error *error);
/* The init arguments and trials; takes `done`, and the memory files from `work`. */
MUST_USE Status inputs_decode(Work *work, json_t *done, Description *description, Error *error);
/* Waits; a cell that failed is no error but a CellFailure. `done` is a new reference, NULL if it failed. */
MUST_USE Status work_wait(Arena *arena, Work *work, json_t **done, CellFailure *failure, Error *error);
/* The pieces that the cell wrote (docs/protocol.md, "Pieces"); they live until the file is closed. */
MUST_USE Status work_pieces(const Work *work, Bytes *pieces, Error *error);
void work_close(Work *work); /* frees the cell; memory files stay with whoever took them */

/* Decodes what a `describe` sent; takes the memory files from `work`. */
MUST_USE Status description_decode(Arena *arena, Work *work, json_t *done, Description *description,
                                   Error *error);
void description_close(Description *description);

/* The memory file of that name that the work was given; NULL: none. */
MemoryFile *work_file(const Work *work, const char *name);
/* Decodes the values that a `run` kept; they lie in the work's file "values", and live as long as it is open.
 */
MUST_USE Status run_values_decode(Arena *arena, const Work *work, const json_t *done, const Trace *trace,
                                  uint64_t budget, KeptValues *values, Error *error);
/* Decodes what a `run` sent and maps its outputs, which live as long as `file` is open. `nth`: 0 for the run
 * itself, from 1 for those of `then`, which may have raised: a failure then. */
MUST_USE Status run_outputs_decode(Arena *arena, Work *work, const json_t *done, size_t nth,
                                   RunOutputs *outputs, MemoryFile **file, CellFailure *failure,
                                   Error *error);
double run_seconds(const json_t *done); /* what forward took in all of them */

#endif
