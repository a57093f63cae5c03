/* component_parts: what the files that judge one component share. */
#ifndef PLUMBLINE_COMPONENT_PARTS_H
#define PLUMBLINE_COMPONENT_PARTS_H

#include "decomposition.h"
#include "recording.h"

struct ComponentState {
    Arena *arena;
    StepState *step; /* its settings, and its ways to record */
    const ComponentOptions *options;
    const Patterns *patterns;
    ComponentResult *result;
    Side side;
    Recall *own_recall; /* where no other was given */
    StepResult step_result;
    StepOptions step_options;
    bool go_on; /* it may be run */
    Status status;
    Error error; /* if that is none */
};

/* A finding that fails the component, with a code frame. `place.file` NULL: the component's file. */
Finding *component_violation(ComponentState *component, const char *rule, Place place, const char *what);

/* Init arguments, a list or a dict, bound to the names of __init__; NONE where that isn't clear from the
 * source. */
Value component_bind_init(Arena *arena, const Tree *tree, const Value *given);

/* Outputs against what get_expected_output_shape() gave. NULL: they agree; otherwise what is wrong. */
const char *component_shape_problem(Arena *arena, const Value *expected, const Trace *trace);

/* The component failed with its own inputs: `runs` fails, with a finding. */
void component_raised(ComponentState *component, const CellFailure *failure);

/* Runs it twice with numbers: equal construction, other random states. Adds findings, sets `finite` and
 * `deterministic`. */
MUST_USE Status component_run(ComponentState *component, const Description *description, Error *error);

/* What a kernel's name says of the constants that its one call is given (kernel_tokens.c). NULL: it is true,
 * or can't be told. */
const char *kernel_token_problem(Arena *arena, const KernelName *name, const Trace *trace,
                                 const TraceCall *call);

/* A kernel's file name against what it is (kernel_names.c). */
void kernel_name_check(Arena *arena, const ComponentResult *component, Findings *findings);

#endif
