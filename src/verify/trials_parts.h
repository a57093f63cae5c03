/* trials_parts: what the files of the trials share. */
#ifndef PLUMBLINE_TRIALS_PARTS_H
#define PLUMBLINE_TRIALS_PARTS_H

#include "pair.h"

typedef struct Trials {
    StepState *step;
    Pair first;          /* kept: what the perturbed trials are held against */
    bool inputs_unseen;  /* no trial has shown that the original's outputs depend on its inputs */
    Pair with_perturbed; /* kept where they are: the sample's inputs on the perturbed weights */
    struct {
        Trial *items;
        size_t count, capacity;
    } list;
    Table *reported; /* "raised", "state", "different": what has its finding */
} Trials;

bool trial_is_other_size(TrialKind kind);
bool trial_is_gradients(TrialKind kind);
const char *trial_name(const Trial *trial); /* "perturbed weights", "a length of 1031" */

/* ---- trials.c ------------------------------------------------------------------------------ */
/* Judges a pair that has been run, as a trial of its own. `sizes`: of TRIAL_OTHER_SIZES; else NULL. */
MUST_USE Status trial_judge(Trials *trials, const PairRequest *request, TrialKind kind, const char *sizes,
                            const Pair *pair, Error *error);

/* ---- sizes.c ------------------------------------------------------------------------------- */
/* Runs and judges those at other sizes, until one fails. */
MUST_USE Status trials_run_sizes(Trials *trials, const json_t *sample, Error *error);

/* ---- integers.c ---------------------------------------------------------------------------- */
/* Runs and judges those of integers past the sample's. */
MUST_USE Status trials_run_integers(Trials *trials, const json_t *sample, Error *error);

/* ---- seeded.c ------------------------------------------------------------------------------ */
/* Runs and judges the guide's trials; trials->first is then to be closed, whatever comes back. */
MUST_USE Status trials_run_seeded(Trials *trials, Error *error);

/* ---- trial_findings.c ---------------------------------------------------------------------- */
/* The candidate raised where the original did not. */
void trial_report_raised(Trials *trials, const CellFailure *failure);
/* Outputs' numbers differ. `second_call`: those of the first calls agree. `rounding`: float64 runs of both
 * sides agree, though the difference is far outside the tolerance. */
void trial_report_different(Trials *trials, const Trial *trial, bool second_call, bool rounding);
/* An input that both sides change is a note. */
void trial_compare_modified(Trials *trials, const Pair *pair);
/* What lives on after forward is output too (soundness 3). */
void trial_compare_state(Trials *trials, const Pair *pair);
#endif
