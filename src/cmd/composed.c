/* Steps verified and put together, for the commands that look at the recomposed model. */
#include "composed.h"

void composed_run(Arena *arena, const ComposedTasks *tasks, const Progress *progress) {
    const TaskSettings settings = {.tell = progress->tell, .tell_context = progress->context};
    tasks_run(arena, tasks->items, tasks->count, &settings);
}

typedef struct OneStep {
    Probe *probe;
    StepOptions options;
    StepResult *result;
} OneStep;

static void verify_one(void *context, Arena *arena, const Progress *progress) {
    const OneStep *one = context;
    step_verify(arena, one->probe, &one->options, progress, one->result);
}

const StepResult **composed_steps(Arena *arena, Probe *probe, const Project *project,
                                  const StepOptions *settings, const Progress *progress, size_t *failed) {
    const StepResult **results = ARENA_ARRAY(arena, const StepResult *, project->step_count + 1);
    ComposedTasks tasks = {0};
    for (size_t i = 0; i < project->step_count; i++) {
        const ProjectStep *step = &project->steps[i];
        if (step->refactored == NULL || step->broken != NULL ||
            (step->original == NULL && step->parent == NO_INDEX))
            continue;
        OneStep *one = ARENA_NEW(arena, OneStep); /* results name their files */
        *one = (OneStep){.probe = probe, .options = *settings, .result = ARENA_NEW(arena, StepResult)};
        step_choose_original(project, step, &one->options);
        one->options.refactored = step->refactored;
        one->options.weight_map = step->weight_map;
        one->options.threads = 1; /* several steps at once */
        results[i] = one->result;
        *(Task *)ARENA_PUSH(arena, &tasks) = (Task){.name = step->name,
                                                    .run = verify_one,
                                                    .context = one,
                                                    .memory = declared_memory(project, step->parent)};
    }
    composed_run(arena, &tasks, progress);
    *failed = NO_INDEX;
    for (size_t i = project->step_count; i-- > 0;)
        if (results[i] != NULL && results[i]->verdict != VERDICT_PASS)
            *failed = i;
    return results;
}

Status composed_read(Arena *arena, Probe *probe, const ProjectOptions *options, const StepOptions *settings,
                     const Progress *progress, Project *project, CompositionResult *result, Error *error) {
    const Parser own = probe_parser(probe);
    Parser *parser = ARENA_NEW(arena, Parser); /* steps keep it */
    *parser = parser_remembering(arena, &own);
    if (project_read(arena, parser, options, project, error) != STATUS_OK)
        return STATUS_ERROR;
    CompositionOptions composition = {.step = *settings, .run_test = false};
    composition.step.parser = parser;
    size_t failed;
    const StepResult **steps = composed_steps(arena, probe, project, &composition.step, progress, &failed);
    composition_verify(arena, probe, project, steps, &composition, progress, result);
    return STATUS_OK;
}
