/* size_plan: at which other sizes of its inputs, and with which other numbers, than the sample's forward is
 * called (soundness 11 and 12). */
#ifndef PLUMBLINE_SIZE_PLAN_H
#define PLUMBLINE_SIZE_PLAN_H

#include "step_state.h"

/* Large enough for thresholds that people write; a mask of length by length still has few enough elements to
 * be compared. */
enum { LARGE_BATCH = 4099, LARGE_LENGTH = 1031 };

/* Numbers of the candidate's comparisons, bounds and arithmetic that the original has in none of its own:
 * what the candidate may take another way for. Once there are traces, also larger ones that its calls get,
 * the original's don't, and no tensor has for a size. */
enum { MOST_SIZE_NUMBERS = 6 };
typedef struct SizeNumbers {
    int64_t items[MOST_SIZE_NUMBERS];
    size_t count, left_out; /* there are more than can be tried */
    bool one;               /* a side takes another way for any size of one: squeeze() */
} SizeNumbers;
SizeNumbers sizes_to_try(const StepState *step);

typedef struct SizeCall {
    const char *name;    /* "another length", "a length of 1031 in place of 5" */
    const char *nearest; /* the call that differs least, if this is another; else NULL */
    TrialKind kind;
    size_t dimension;
    int64_t from, to; /* what has this size there gets that one */
    json_t *sample;   /* owned */
    json_t *unless; /* owned; lists of names: nothing is learned from it where the original accepts all of one
                       list. NULL: something is */
    const char *only_if; /* the original accepts this one; NULL: in any case */
    unsigned wave;       /* of runs: none of the first is needless */
    bool beyond;         /* what differs there is a finding: runs would not always show it */
    bool near;           /* no run of it is much larger than the sample's */
    bool numbers;        /* runs are asked for it too, not recordings alone */
} SizeCall;

enum {
    MOST_SIZE_CHANGES = 24,
    MOST_GIVEN_NUMBERS = 8, /* numbers that forward is given, each of which is varied */
    MOST_SIZE_CALLS =
        (4 + 3 * MOST_SIZE_NUMBERS) * MOST_SIZE_CHANGES + MOST_SIZE_NUMBERS + MOST_GIVEN_NUMBERS,
    SIZE_WAVES = 4
};

typedef struct SizePlan {
    SizeCall *items; /* each after those in its `unless`; names differ */
    size_t count, capacity;
    size_t numbers_left_out, sizes_left_out, given_left_out;
} SizePlan;

/* Each size that the inputs have along a dimension is varied, in all that have it there; what has one size
 * along several dimensions, in all of them at once too. Then each number that forward is given. */
SizePlan size_plan(const StepState *step, const json_t *sample);
/* size_given.c: adds these last. */
void size_plan_given(Arena *arena, const json_t *sample, SizePlan *plan);
/* Narrows the claim by what is not in the plan. */
void size_plan_tell_left_out(StepState *step, const SizePlan *plan);
void size_plan_close(SizePlan *plan);

/* Of what is proved: says where the candidate cuts a tensor at a bound beyond the sample's sizes that is not
 * among the planned ones, and that the original doesn't name. */
void step_narrow_by_cuts(StepState *step, const SizePlan *plan, const Trace *original,
                         const Trace *candidate);

typedef bool (*SizeAccepted)(const char *name, const void *context);
bool size_call_is_needless(const SizeCall *call, SizeAccepted accepted, const void *context);

#endif
