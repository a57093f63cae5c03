/* step_state: what one step knows while it is being verified, and its parts. */
#ifndef PLUMBLINE_STEP_STATE_H
#define PLUMBLINE_STEP_STATE_H

#include "graph.h"
#include "runs.h"

typedef struct StepState StepState;

/* A recomposed program, in place of a refactored.py that is loaded: its files were judged in their steps. */
typedef struct ComposedProgram {
    const Program *program;
    json_t *rows;                                        /* "composed" of docs/protocol.md; borrowed */
    Status (*settle_map)(StepState *step, Error *error); /* called once the candidate is described */
    void *context;
} ComposedProgram;

/* What a call of forward takes, by its recording: of the side that takes more. */
typedef struct CallCost {
    double bytes, operators;
} CallCost;

struct StepState {
    Arena *arena;
    Probe *probe;
    const StepOptions *options;
    const Progress *progress;
    StepResult *result;
    RunSettings settings;
    unsigned processors;
    uint64_t peak; /* bytes that the largest cell of a model has taken so far */
    Side original, candidate;
    Description original_description, candidate_description;
    const InitInputs *candidate_init; /* NULL: its own file's */
    Assignment *assignment;
    json_t *original_weights, *candidate_weights; /* the lists of the protocol, for the same weights file */
    MemoryFile *weights;                          /* sealed: the original's bytes, and what the layout adds;
                                                     original_description.weights, or in its place */
    WeightMap map;                                /* that was given, or what the proof found */
    const char *other_mode_differs; /* why what is proved of one mode does not do; NULL: it does */
    Trace original_trace, candidate_trace;
    Trace proof_trace; /* the candidate's on shapes alone, if it is proved by that */
    bool described;    /* both descriptions hold */
    bool candidate_initialise;
    bool has_map;
    bool has_traces;
    bool looked_for_departure;       /* once a step is enough */
    bool too_long;                   /* a side makes more calls than a recording holds */
    const ComposedProgram *composed; /* NULL: options->refactored is the candidate */
    Table *refused; /* names of calls at other sizes that raise in the original on shapes alone; NULL: not
                       known */
    Table *costs;   /* CallCost by such a name, where both sides' recordings tell; or NULL */
    bool recorded;  /* what follows holds: of the sample's call, the last that was recorded */
    Trace original_recorded, candidate_recorded;
    Graph original_graph, candidate_graph;
};

/* ---- constants.c --------------------------------------------------------------------------- */
/* The two recordings have another constant in operators of one name, another number that keeps something from
 * zero, or casts to integers that the original nowhere has (soundness 14). */
bool recorded_difference(const StepState *step, Diagnosis *diagnosis);

double seconds_now(void);
bool program_defines(const Program *program, const char *name); /* a function, at the top of its first file */
void step_tell(const StepState *step, const char *what);
/* A finding that fails the step, with a code frame where the place lies in the candidate. */
Finding *step_violation(StepState *step, VerifyRule rule, Place place, const char *what);

/* What the original's import statements name, and what its modules come from, once it is described. What does
 * not load is left to the cells. */
MUST_USE Status preload_imports(StepState *step, Error *error);
MUST_USE Status preload_modules(StepState *step, Error *error);
/* Constructs both models and makes the inputs. `*go_on` is false if the step has failed and nothing more can
 * be learned; an error means that it can't be judged. */
MUST_USE Status step_describe(StepState *step, bool *go_on, Error *error);
/* That a model can't be judged for it; `whose`: "original ", "refactored " or "". */
MUST_USE Status failure_error(const char *whose, const CellFailure *failure, Error *error);
/* Reads the map that was named, or weight_map.json beside the refactored file. */
MUST_USE Status step_read_map(StepState *step, Error *error);
/* Tries to prove the step, on shapes alone, or, once weights are assigned, on real tensors. The result says
 * whether it is proved; with a proof and without a map, the map is the proof's. */
MUST_USE Status step_prove(StepState *step, bool symbolic, Error *error);
/* Rigor fast: inputs, state dicts and traces by recordings alone. `*proved`: nothing needs to be run. */
MUST_USE Status step_prove_alone(StepState *step, bool *proved, Error *error);
/* The real run went another way than the one on shapes alone: what was proved is not what runs. */
void step_drop_proof(StepState *step, const char *why);
/* Says that the claim holds less widely than it could, and by which rule ("soundness 11"). */
MUST_USE Status step_load(StepState *step, const char *second_role, Error *error);
/* Everything of a step that doesn't hang on its options alone; `step` lives as long as the result. */
StepState *step_new(Arena *arena, Probe *probe, const StepOptions *options, const Progress *progress,
                    StepResult *result);
bool step_judge_source(StepState *step);
void step_narrow(StepState *step, const char *rule, const char *what);
/* The guide: no dimension may be reduced. The candidate's own get_inputs() must have the original's shapes.
 */
MUST_USE Status step_compare_dimensions(StepState *step, const Description *original,
                                        const Description *candidate, Error *error);
void step_compare_arguments(StepState *step);
/* Buffers of integers that construction has drawn are state, before weights are assigned. */
void step_mark_drawn(StepState *step, const Graph *original, const Graph *candidate);
MUST_USE Status step_assign_weights(StepState *step, bool *go_on, Error *error);
/* Changes the weights that both sides get from now on. There is one copy of them before and after. */
MUST_USE Status step_change_weights(StepState *step, WeightKind kind, uint64_t seed, Error *error);
/* A sealed copy of the sample's inputs with other numbers. The traces, if there are, say how large integers
 * may be. */
MUST_USE Status sample_perturb(StepState *step, const json_t *sample, InputKind kind, InputBounds bounds,
                               uint64_t seed, MemoryFile **file, Error *error);
/* x > 0.1, bucketize(x, self.edges): the first numbers that calls of either side take, as the traces tell,
 * and those of small buffers of the weights as they are; none that is drawn would be one of them. */
InputBounds sample_bounds(const StepState *step);
/* Which of the sample's tensors are integers that index no table, as far as the trace tells; `*targets`: some
 * are a loss's targets, of which it leaves out a class. */
MUST_USE Status sample_loose(StepState *step, const json_t *sample, size_t **loose, size_t *count,
                             bool *targets, Error *error);
/* As sample_perturb, of the kinds of integers: in all of these, or `only` in one of the sample's tensors. */
MUST_USE Status sample_widen(StepState *step, const json_t *sample, InputKind kind, size_t only,
                             uint64_t seed, MemoryFile **file, Error *error);
/* Constants and casts that are not the original's, by calls, which have those of what eval mode leaves out
 * too; of what is not proved by recordings as well (soundness 14). */
void step_judge_constants(StepState *step);
/* The guide's trials and the perturbed ones; fills result->trials and says whether they are evidence. */
MUST_USE Status step_run_trials(StepState *step, Error *error);
/* Parameters mapped nowhere, once the traces say which of them matter. */
void step_report_unmapped(StepState *step);
/* All of it, and the verdict. */
void step_state_verify(StepState *step);
void step_close(StepState *step);

#endif
