/* policy: what a refactored file may do. Operator classes and rules are data; findings come out. */
#ifndef PLUMBLINE_POLICY_H
#define PLUMBLINE_POLICY_H

#include "base.h"
#include "source.h"
#include "trace.h"

/* ---- Operators ----------------------------------------------------------------------------
 * policy.md, "Classes of operator". The table is ops/operators.txt, embedded at build time. */
typedef enum OperatorClass {
    OPERATOR_COMPUTE, /* everything that the table doesn't name */
    OPERATOR_VIEW,
    OPERATOR_ASSEMBLY,
    OPERATOR_CAST,
    OPERATOR_MASK,
    OPERATOR_COMPARISON, /* mask on integers, booleans and floating inputs of forward; compute on what a child
                            computed */
    OPERATOR_ARITHMETIC,
    OPERATOR_POWER, /* arithmetic with a constant whole exponent from 0 to 4, else compute */
    OPERATOR_CREATION,
    OPERATOR_COUNTING,  /* of integer or boolean inputs of forward, else compute */
    OPERATOR_SELECTING, /* compute on data; on known values it only selects (where, clamp, min, max,
                           fill_diagonal) */
    OPERATOR_FORBIDDEN, /* forbidden by name: nn.functional, losses, matmul; on known values too where
                           policy.md says so */
    OPERATOR_METADATA,  /* shape, size, dim, ndim, numel, dtype, device, len: asks, computes nothing */
    OPERATOR_TEST,      /* any, all, equal, a tensor's own truth: as a test only */
    OPERATOR_READ,      /* item, tolist, float(), int(), numpy: data comes back to Python */
    OPERATOR_RANDOM,    /* compute, and named as random in messages */
    OPERATOR_IGNORED /* no operator: _set_grad_enabled, profiler marks, is_nested and the like inside torch's
                        own code */
} OperatorClass;

/* `name` as in a trace ("torch.Tensor.add_", "torch.nn.functional.relu") or bare ("add", "__radd__");
 * in-place underscores, operator dunders, and aliases (swapaxes, moveaxis...) are folded. */
OperatorClass operator_class(const char *name);
const char *operator_class_name(OperatorClass class);
/* One spelling of an operator for messages and for comparing two traces: "torch.Tensor.add_" -> "add". */
const char *operator_canonical(Arena *arena, const char *name);

/* ---- Rules -------------------------------------------------------------------------------- */
extern const Rule
    *const POLICY_RULES[]; /* every rule of this room, NULL-terminated, for documents and tests */

/* ---- Judging the source: lint, needs no torch --------------------------------------------
 * The subset of Python (all files but originals). */
void policy_judge_language(const Program *program, const char *const *allowed_imports, size_t allowed_count,
                           Findings *findings);
/* Tests on sizes, dtype and device (soundness 12), in all that forward reaches of the candidate. Notes where
 * the original's own code lies in a library. `left_out`: claims about the original's tests that the candidate
 * has not, on `results`. */
typedef struct Texts {
    const char **items;
    size_t count, capacity;
} Texts;
void policy_judge_conditions(Arena *results, const Program *candidate, const Program *original,
                             Findings *findings, Texts *left_out);
/* An argument of forward. */
typedef enum ArgumentRest {
    REST_NONE,
    REST_POSITIONAL /* *args */,
    REST_KEYWORD /* **kwargs */
} ArgumentRest;
typedef struct ForwardArgument {
    const char *name;
    const Node *node;
    bool positional, read; /* read: for more than to raise an error, in the original */
    bool whole; /* used otherwise than by the elements that constants name: how many there are may matter */
    ArgumentRest rest; /* such stand last */
} ForwardArgument;
typedef struct ForwardArguments {
    ForwardArgument *items;
    size_t count, capacity;
} ForwardArguments;
/* None where forward doesn't stand in the file itself. */
ForwardArguments policy_arguments_of_original(Arena *arena, const Program *original);
/* Arguments that the original's forward reads and the candidate's doesn't (soundness 7). */
void policy_judge_arguments(const Program *candidate, const Program *original, Findings *findings);
/* Tests on the values of forward's arguments (soundness 12) that the original has no like for. `values`: the
 * arguments that are no tensors in the sample's call, by the original's names. */
void policy_judge_values(const Program *candidate, const Program *original, const Texts *values,
                         Findings *findings);
/* Tests on sizes that the runs have shown and the source alone doesn't (soundness 12), as in
 * policy_judge_conditions. */
void policy_judge_size_tests(Arena *results, const Program *candidate, const Program *original,
                             const Trace *candidate_trace, const Trace *original_trace, Findings *findings,
                             Texts *left_out);
/* Operators, reading data, and __init__ (refactored.py and helpers). What can't be followed is
 * SEVERITY_UNDECIDED. */
void policy_judge_source(const Program *program, Findings *findings);

/* ---- Judging the run ---------------------------------------------------------------------- */
/* The candidate's trace, call by call, against the same rules; `original` settles what depends on what the
 * original does (tests on data, random calls, arithmetic that it has no like for). Where a line ran, the
 * trace settles it: lint's undecided findings (and its violations that rest on taking a known value for data)
 * at places that ran are removed from `findings`. */
void policy_judge_trace(const Program *program, const Trace *candidate, const Trace *original,
                        Findings *findings);

#endif
