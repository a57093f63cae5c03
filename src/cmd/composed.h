/* composed: a decomposition's steps put together, for compose, flow and coverage. */
#ifndef PLUMBLINE_COMPOSED_H
#define PLUMBLINE_COMPOSED_H

#include "cmd.h"

typedef struct ComposedTasks {
    Task *items;
    size_t count, capacity;
} ComposedTasks;
/* As many at once as there are processors. */
void composed_run(Arena *arena, const ComposedTasks *tasks, const Progress *progress);

/* A result for each step, NULL where it can't be run. Their verdicts are their own: here they lend their
 * maps. `failed`: the first that does not pass, or NO_INDEX. */
const StepResult **composed_steps(Arena *arena, Probe *probe, const Project *project,
                                  const StepOptions *settings, const Progress *progress, size_t *failed);
/* Reads the folder and recomposes the model. The caller drops `result->weight_map`. */
MUST_USE Status composed_read(Arena *arena, Probe *probe, const ProjectOptions *options,
                              const StepOptions *settings, const Progress *progress, Project *project,
                              CompositionResult *result, Error *error);

#endif
