/* pair: one run of both sides, and what float64 says of a difference. */
#ifndef PLUMBLINE_PAIR_H
#define PLUMBLINE_PAIR_H

#include "step_state.h"

/* Both sides' results of one trial. */
typedef struct Pair {
    RunOutputs original, candidate;
    MemoryFile *original_file, *candidate_file;
    KeptValues original_values, candidate_values;
    MemoryFile *original_values_file, *candidate_values_file; /* NULL: none were asked for */
    CellFailure original_failure, candidate_failure;
} Pair;

typedef struct PairRequest {
    uint64_t seed;
    const json_t *trial; /* {"args", "kwargs", "tensors"} */
    MemoryFile *weights, *inputs;
    bool trace, float64, again, other_mode;
    bool gradients;     /* both sides' outputs are then the gradients, by name */
    InputBounds bounds; /* that elements of the inputs are, as near as their dtype comes */
    uint64_t values;    /* bytes of values inside each side that are kept, with `trace`; 0: none */
} PairRequest;

/* `*pair` is to be closed, whatever comes back. */
MUST_USE Status pair_run(StepState *step, const PairRequest *request, Pair *pair, Error *error);
void pair_close(Pair *pair);
/* At most 1 + MOST_THEN at once: each side runs them in one cell, on a model of its own for each. All but
 * `seed` and `trial` is the first request's. A side that fails in the first is said in that pair, and the
 * others hold nothing then; one that raises in another is said there. */
MUST_USE Status pairs_run(StepState *step, const PairRequest *requests, size_t count, Pair *pairs,
                          Error *error);

double output_difference(const OutputComparison *output);
double trial_largest_difference(const Trial *trial); /* NaN where nothing could be compared */
bool trial_only_numbers_differ(const Trial *trial);  /* structure, shapes and dtypes agree */
/* Do float64 runs of both sides agree, so far that what `trial` found is rounding? */
MUST_USE Status trial_is_rounding(StepState *step, const PairRequest *request, const Trial *trial,
                                  bool *rounding, Error *error);
/* Within a factor of ten of the tolerance, on either side, a float64 run settles the trial. */
MUST_USE Status trial_settle(StepState *step, const PairRequest *request, const Pair *pair, Trial *trial,
                             Error *error);

/* The outputs' numbers differ in this trial: runs it again to say which value inside is the first that
 * departs. Changes no verdict; what goes wrong is left unsaid or said in the result. Does nothing the second
 * time. */
void step_find_departure(StepState *step, const PairRequest *request, const Trial *trial);

/* Where a side runs a custom autograd Function or another opaque call, its gradient is asked of it. */
bool has_opaque_gradient(const StepState *step);
/* Says so where only one side detaches, and gradients are not compared. */
void gradients_narrow(StepState *step);
/* Compares the gradients of both sides. What differs is found and said; `trial` is filled but for its number.
 */
MUST_USE Status gradients_run(StepState *step, const json_t *sample, Trial *trial, Error *error);

#endif
