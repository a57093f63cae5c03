/* check_parts: what the files of `check` share. */
#ifndef PLUMBLINE_CHECK_PARTS_H
#define PLUMBLINE_CHECK_PARTS_H

#include "step_state.h"

#include "decomposition.h"

#define RECOMPOSED "the recomposed model" /* Finding.of */
/* Result files in the folder are never evidence, but coverage_summary.json must be there and agree with our
 * counts; others that contradict ours are notes. */
void claims_check(Arena *arena, CheckResult *result);

/* The line of the checklist that a rule breaks, from 0; CHECKLIST_COUNT: none, which is a mistake of ours.
 * What a step may not do by itself is the composition's line where the recomposed model does it. */
size_t checklist_line_of(const Rule *rule, bool recomposed);

/* A kernel is one operation at each of its places, and one file (instances.c): findings level.kernel,
 * name.copy; and at one of them it does what it does alone: dimensions.work. */
void instances_check(Arena *arena, const Project *project, const ComponentResult *const *components,
                     const CompositionResult *composition, const Patterns *patterns, Findings *findings);

/* A kernel's work at a place against that with its own inputs (own_work.c). Are these the same calls, each
 * needed by an output or not at both? */
bool own_calls(const Trace *trace, const TraceModuleCall *within, const Trace *own);
/* With the same constants, on tensors of the same shapes too? How not, in words; NULL: it is all the same. */
const char *own_work_difference(Arena *arena, const Trace *trace, const TraceModuleCall *within,
                                const Trace *own);

/* What a component's forward is given besides tensors at a place, against what its own inputs are
 * (given_values.c): the first difference in words, or NULL. An argument whose default is used is left out. */
const char *given_difference(Arena *arena, const Tree *tree, const Trace *trace, const TraceModuleCall *there,
                             const Trace *own);

/* The children that the tree lists are those that a step builds (children.c): findings tree.children. */
void children_check(Arena *arena, const Project *project, const CompositionResult *composition,
                    Findings *findings);

/* Every step that could not be judged has a finding (unjudged.c): chain.unjudged. */
void unjudged_check(Arena *arena, CheckResult *result);

/* Goes through the guide's checklist and gives the verdict. */
void check_conclude(Arena *arena, CheckResult *result);

#endif
