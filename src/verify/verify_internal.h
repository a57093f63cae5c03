/* What the files of the verify room share. */
#ifndef PLUMBLINE_VERIFY_INTERNAL_H
#define PLUMBLINE_VERIFY_INTERNAL_H

#include "verify.h"

/* Rules of this room, by name. */
#define VERIFY_RULE_LIST(RULE)                                                                               \
    RULE(NUMBERS_DIFFERENT, "numbers.different", "Outputs agree within the tolerance of their dtype",        \
         "compare with the original's forward() step by step", "guide: Composed output doesn't match")       \
    RULE(NUMBERS_CONSTANT, "numbers.constant",                                                               \
         "Operators get the original's constants, in whatever order they run", "use the original's",         \
         "soundness 14")                                                                                     \
    RULE(NUMBERS_PRECISION, "numbers.precision", "Operators run in the original's dtype",                    \
         "cast where the original casts, and nowhere else", "soundness 14")                                  \
    RULE(NUMBERS_DEPENDENCE, "numbers.dependence",                                                           \
         "Outputs depend on the inputs that the original's depend on",                                       \
         "use every input as the original does", "soundness 6")                                              \
    RULE(NUMBERS_STRUCTURE, "numbers.structure", "Outputs have the original's structure",                    \
         "return what the original returns", "guide: Composed output doesn't match")                         \
    RULE(NUMBERS_SHAPE, "numbers.shape", "Outputs have the original's shapes",                               \
         "check reshapes and transposes, and that no dimension was reduced", "guide: Shape mismatch")        \
    RULE(NUMBERS_DTYPE, "numbers.dtype", "Outputs have the original's dtypes",                               \
         "keep the dtype of the input; cast weights to it, not the result", "guide: Dtype mismatch")         \
    RULE(NUMBERS_RAISED, "numbers.raised", "The refactored model runs wherever the original runs",           \
         "make it accept the original's inputs", "guide: Shape mismatch at component X")                     \
    RULE(NUMBERS_INPUT, "numbers.input-modified", "Forward leaves its inputs as the original's leaves them", \
         "clone the input before changing it, or change it as the original does", "policy: Numbers")         \
    RULE(NUMBERS_STATE, "numbers.state", "Forward leaves the state as the original's leaves it",             \
         "update the same buffers to the same values, or none", "soundness 3")                               \
    RULE(NUMBERS_GRADIENT, "numbers.gradient", "Gradients are the original's",                               \
         "let gradients through where the original does, and compute by the operators that it uses",         \
         "soundness 9")                                                                                      \
    RULE(NUMBERS_NO_EVIDENCE, "numbers.no-evidence", "Evidence must be able to fail",                        \
         "give the original inputs and weights that its output depends on", "soundness 15")                  \
    RULE(STEP_ORIGINAL, "step.original", "The candidate never sees the original",                            \
         "write the parent anew as calls to child components", "soundness: Who computed it")                 \
    RULE(NUMBERS_DIMENSIONS, "numbers.dimensions", "Dimensions are the original model's own",                \
         "use the exact values of the original's __init__(), get_inputs() and get_init_inputs()",            \
         "guide: Dimensions don't match original model")

typedef enum VerifyRule {
#define RULE(name, id, title, instead, source) RULE_##name,
    VERIFY_RULE_LIST(RULE)
#undef RULE
} VerifyRule;
const Rule *verify_rule(VerifyRule rule);

/* One side's results of one run, its cell dead. Tensors lie in `memory`, mapped read-only. */
typedef struct RunOutputs {
    Value outputs;
    TensorView *tensors;
    size_t tensor_count;
    const char **inputs_modified, **state_modified;
    size_t input_modified_count, state_modified_count;
    Value arguments;       /* a dict of what each is afterwards; none: they are not compared */
    Value attributes;      /* a dict of those of modules that forward changed; likewise */
    size_t *state_tensors; /* of state_modified, in its order; SIZE_MAX: not there, or without plain bytes */
    const Assignment *assignment; /* of which keys take which, where the state is compared; NULL */
    bool gradients;               /* `outputs` is a dict of gradients by name; None where none gets */
} RunOutputs;

/* Walks both outputs by structure, and then what forward left of its arguments and state; leaves in order.
 * Adds findings for structure, shape, dtype and notes once a rule and path; returns whether everything
 * matches. `comparisons` and `count` are the leaves. */
bool compare_outputs(Arena *arena, const RunOutputs *original, const RunOutputs *candidate,
                     Tolerance tolerance, unsigned threads, OutputComparison **comparisons, size_t *count,
                     Findings *findings);
/* The same where nobody asks how they differ: of very many outputs that takes much memory. */
bool outputs_agree(const RunOutputs *original, const RunOutputs *candidate, Tolerance tolerance,
                   unsigned threads);
/* The same run without what it left of its arguments and state. */
RunOutputs outputs_alone(const RunOutputs *outputs);

/* ---- final_state.c ------------------------------------------------------------------------- */
bool state_is_modified(const RunOutputs *side, const char *key);
/* What forward left there, if it changed it; NULL: it did not, or that has no plain bytes. */
const TensorView *final_state(const RunOutputs *side, const char *key);
/* The original's entry that stands for a candidate's to which no weights are assigned: that of its name, or,
 * of those that forward changes and that have none, the one of its shape and dtype in the same order. */
const StateEntry *state_counterpart(const Assignment *assignment, const RunOutputs *original,
                                    const RunOutputs *candidate, size_t index);
/* The first key that one side's forward changes and the other's leaves as it is, or does not have;
 * `of_original`: the original's does. NULL: none. `counters`: of those that may be left out, the calls that
 * BatchNorm counts and what the map sends nowhere; else of all others. */
const char *state_unlike(const Assignment *assignment, const RunOutputs *original,
                         const RunOutputs *candidate, bool of_original, bool counters);

/* ---- left_attributes.c --------------------------------------------------------------------- */
/* What stands for it on the other side: what has its path; else, since modules may be nested otherwise, what
 * has its name and stands for nothing else, an equal one first. NULL: nothing does. */
typedef bool (*ValuesAgree)(const Value *original, const Value *candidate, void *context);
const Value **attribute_counterparts(Arena *arena, const Value *original, const Value *candidate,
                                     ValuesAgree agree, void *context);
/* The first attribute that holds tensors for which nothing stands on the other side; NULL: none. */
const char *attribute_unlike(Arena *arena, const RunOutputs *original, const RunOutputs *candidate,
                             bool of_original);

/* Where a call was written, of the program that made it; nowhere for NULL. */
Place call_place(const Program *program, const TraceCall *call);
/* " (children/fc.py:12)", or "". */
const char *place_in_words(Arena *arena, Place place);
/* The lines around a place in one of the program's files; NULL if it is in none. */
const char *frame_at(Arena *arena, const Program *program, Place place);
/* Gives one to each finding in the program's files that has none. */
void frames_fill(Arena *arena, const Program *program, Findings *findings);

/* What two traces show of why the numbers differ. */
typedef struct Diagnosis {
    const char *what, *instead;
    Place place;
    VerifyRule rule; /* of a definite difference */
    bool unclear;    /* the two traces do not show which */
} Diagnosis;
/* A constant whose value can be spelled in one way only: no dimension, which may count from either end. */
bool is_definite(const Value *value);
/* Whether both sides do the same with every constant, to the same values, in whatever order. False where it
 * is not clear. */
bool same_terms(const Trace *original, const Trace *candidate, const Assignment *assignment);
/* The same operators, but one of them with another constant or in another dtype: a difference whatever the
 * numbers say (soundness 14). */
bool definite_difference(Arena *arena, const Program *original_program, const Trace *original,
                         const Program *candidate_program, const Trace *candidate,
                         const Assignment *assignment, Diagnosis *diagnosis);
/* Does the candidate ask as often as the original whether something is above (or below) some number, but of
 * the number itself otherwise: `>=` for `>`? Then these are two such calls. */
bool other_bound(Arena *arena, const Trace *original, const Trace *candidate, const TraceCall **theirs,
                 const TraceCall **ours);
/* Does the candidate take as often as the original the largest (or smallest) along a dimension, but give the
 * gradient of equal ones to one where the original shares it out, or the reverse? Then these are two such
 * calls. */
bool other_at_equal(Arena *arena, const Trace *original, const Trace *candidate, const TraceCall **theirs,
                    const TraceCall **ours);
/* Do two runs of one model go by the same operators in the same order? */
bool same_computation(Arena *arena, const Trace *a, const Trace *b);
typedef struct OutputTensors { /* the tensors in outputs, with their paths: out["logits"][0] */
    Arena *arena;
    const char **paths;
    TensorId *tensors;
    size_t count;
} OutputTensors;
OutputTensors output_tensors(Arena *arena, const Value *outputs);
/* The path of an input that an output of the original depends on and none of the candidate; NULL: none. */
const char *independent_input(Arena *arena, const Trace *original, const Trace *candidate);
/* The path of an output that the candidate makes of known values only, and the original doesn't; NULL: none.
 */
const char *independent_output(Arena *arena, const Trace *original, const Trace *candidate);
Diagnosis diagnose(Arena *arena, const Program *original_program, const Trace *original,
                   const Program *candidate_program, const Trace *candidate, const Assignment *assignment);

#endif
