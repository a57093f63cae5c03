/* recording: what a program does on shapes alone, and whether two recordings are the same computation. */
#ifndef PLUMBLINE_RECORDING_H
#define PLUMBLINE_RECORDING_H

#include "graph.h"
#include "size_plan.h"

/* One call of forward; all of a recording happen in one process, in this order. */
typedef enum SectionKind {
    SECTION_SAMPLE,
    SECTION_AGAIN,      /* the sample once more */
    SECTION_OTHER_MODE, /* train where the sample was eval, and the reverse */
    SECTION_SIZES,      /* the first of the plan's */
    SECTION_COUNT = SECTION_SIZES + MOST_SIZE_CALLS
} SectionKind;

typedef struct Section {
    bool present;         /* it was asked for */
    const char *raised;   /* the exception that ended it, or NULL */
    bool too_long;        /* ours: it was not recorded to its end */
    bool no_memory;       /* `raised` says so: of an original, which then has refused nothing */
    double bytes, events; /* what it made, views apart, and in how many operators */
    size_t call;          /* its place in Recording.calls */
    const char **changed; /* what it left otherwise in Python: "blocks.0.count" */
    size_t changed_count;
} Section;

typedef struct Recording {
    json_t *done;     /* owned */
    MemoryFile *file; /* owned: what `pieces` are in */
    Bytes pieces;
    Trace trace; /* of the sample's call */
    Section sections[SECTION_COUNT];
    GraphCall calls[SECTION_COUNT]; /* those that are there, in order */
    size_t call_count;
    CellFailure failure; /* .failed: the model could not be recorded */
    double seconds;
} Recording;

/* The inputs of recordings: NULL in places that are not asked for. */
typedef struct RecordInputs {
    json_t *trials[SECTION_COUNT];    /* owned; {"args", "kwargs", "tensors"} */
    const char *names[SECTION_COUNT]; /* "second call", "a length of 1031" */
    SizePlan plan;
    MemoryFile *file; /* sealed; borrowed */
} RecordInputs;
RecordInputs record_inputs(const StepState *step, const json_t *sample, MemoryFile *file, bool other_calls);
/* Those of `sections` alone, after the sample, whatever else the original accepts. */
RecordInputs record_inputs_of(const RecordInputs *inputs, const bool *sections);
void record_inputs_close(RecordInputs *inputs);
json_t *record_trials(const StepState *step, const RecordInputs *inputs);  /* as the protocol has them */
const SizeCall *record_size(const RecordInputs *inputs, SectionKind kind); /* NULL: not at another size */

/* The program's own inputs, on shapes alone where it can be. `description` gets trials, inputs and init
 * arguments. */
MUST_USE Status record_own_inputs(StepState *step, const Side *side, Description *description,
                                  CellFailure *failure, Error *error);

typedef struct RecordRequest {
    const RecordInputs *inputs;
    const InitInputs *init; /* NULL: the file's own */
    const json_t *weights;  /* NULL: shapes alone */
    MemoryFile *weights_file;
    bool describe;       /* the state dict too */
    bool compare_inputs; /* the program's own inputs too: they are the description's only trial */
} RecordRequest;
MUST_USE Status record_start(StepState *step, const Side *side, const RecordRequest *request, Work *work,
                             Error *error);
/* Waits and decodes. `description`, if not NULL, gets what was described. Several threads may do this at
 * once, each with an arena of its own. */
MUST_USE Status record_finish(Arena *arena, Work *work, const RecordInputs *inputs, Recording *recording,
                              Description *description, Error *error);
/* One graph for each of `calls`. */
MUST_USE Status recording_graphs(Arena *arena, GraphLabels *labels, const Recording *recording, Graph *graphs,
                                 Error *error);
void recording_close(Recording *recording);

#endif
