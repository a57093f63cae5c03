/* steps/: which steps there are, what they consist of, and the programs that their refactored.py are. */
#include "project_parts.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The number of "step_3_mlp_to_kernels"; names without one come last. */
static long number_of(const char *name) {
    char *end;
    if (!text_starts(name, "step_"))
        return LONG_MAX;
    long number = strtol(name + strlen("step_"), &end, 10);
    return end == name + strlen("step_") ? LONG_MAX : number;
}

static int compare_steps(const void *left, const void *right) {
    const ProjectStep *a = left, *b = right;
    long x = number_of(a->name), y = number_of(b->name);
    return x != y ? (x < y ? -1 : 1) : strcmp(a->name, b->name);
}

/* Remembers a step's file, to be parsed with all others; NULL if it isn't there or can't be read. */
static const char *step_file(Reading *reading, const char *name) {
    const char *path = project_file(reading, name);
    Error error;
    if (path == NULL || table_has(reading->step_files, path))
        return path;
    Content *content = ARENA_NEW(reading->arena, Content);
    if (source_read(reading->arena, path, name, &content->source, &error) != STATUS_OK) {
        project_finding(reading, &RULE_file_unreadable, SEVERITY_VIOLATION, name, 0, "%s", error.cause);
        return NULL;
    }
    table_put(reading->step_files, path, content);
    return path;
}

void steps_find(Reading *reading) {
    Project *project = reading->project;
    FileEntries folders = project_entries(reading, "steps", NULL);
    project->steps = ARENA_ARRAY(reading->arena, ProjectStep, folders.count + 1);
    for (size_t i = 0; i < folders.count; i++) {
        const char *name = folders.items[i].name;
        ProjectStep step = {
            .name = folders.items[i].file, .folder = folders.items[i].path, .parent = NO_INDEX};
        step.original = step_file(reading, arena_printf(reading->arena, "%s/original.py", name));
        step.refactored = step_file(reading, arena_printf(reading->arena, "%s/refactored.py", name));
        if (step.original == NULL && step.refactored == NULL)
            continue;
        step.weight_map = project_file(reading, arena_printf(reading->arena, "%s/weight_map.json", name));
        FileEntries children =
            project_entries(reading, arena_printf(reading->arena, "%s/children", name), ".py");
        for (size_t j = 0; j < children.count; j++)
            (void)step_file(reading, children.items[j].name);
        project->steps[project->step_count++] = step;
    }
    if (project->step_count > 1)
        qsort(project->steps, project->step_count, sizeof *project->steps, compare_steps);
}

static void load(Reading *reading, ProjectStep *step) {
    const char *name = arena_printf(reading->arena, "steps/%s/refactored.py", step->name);
    Error error;
    if (step->refactored == NULL) {
        project_finding(reading, &RULE_chain_refactored, SEVERITY_VIOLATION,
                        arena_printf(reading->arena, "steps/%s", step->name), 0, "there is no refactored.py");
        return;
    }
    /* What is wrong with its imports is found again when the step is verified. */
    if (program_load(reading->arena, &reading->parser, step->refactored, PART_OWN,
                     reading->options->allowed_imports, reading->options->allowed_import_count,
                     &step->program, findings_new(reading->arena), &error) == STATUS_OK)
        return;
    step->program = (Program){.arena = reading->arena};
    step->broken = error_line(reading->arena, &error);
    project_finding(reading, &RULE_chain_load, SEVERITY_VIOLATION, name, 0, "it cannot be loaded: %s",
                    step->broken)
        ->instead = ""; /* the error says what to do */
}

void steps_load(Reading *reading) {
    for (size_t i = 0; i < reading->project->step_count; i++)
        load(reading, &reading->project->steps[i]);
}
