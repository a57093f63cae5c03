/* verification/composition_test.py: does it pass, and does it see a kernel that is wrong? */
#include "composing.h"
#include "script.h"

/* The kernel that the output depends on and that is called last. */
static const Component *kernel_to_double(const Composing *composing, const Trace *trace) {
    const CompositionResult *result = composing->result;
    const Component *last = NULL;
    size_t latest = 0;
    for (size_t i = 0; trace != NULL && i < result->placement_count; i++) {
        const Placement *placement = &result->placements[i];
        const Component *component = &composing->project->components[placement->component];
        if (placement->module_call == SIZE_MAX || component->level != LEVEL_KERNEL)
            continue;
        const TraceModuleCall *call = &trace->module_calls[placement->module_call];
        bool live = false;
        for (size_t j = call->first; j < call->end && j < trace->call_count; j++)
            live |= trace->live_calls[j];
        bool floating = false;
        for (size_t j = 0; j < placement->outputs.count; j++)
            floating |= text_starts(placement->outputs.items[j].dtype, "torch.float") ||
                        text_starts(placement->outputs.items[j].dtype, "torch.bfloat");
        if (live && floating && call->end >= latest) {
            latest = call->end;
            last = component;
        }
    }
    return last;
}

static Status run_again_doubled(Composing *composing, const RunSettings *settings,
                                const char *const *readable, size_t count, const Trace *trace, Error *error) {
    const Project *project = composing->project;
    CompositionResult *result = composing->result;
    const Component *kernel = kernel_to_double(composing, trace);
    ScriptResult doubled;
    if (kernel == NULL)
        return STATUS_OK; /* nothing was composed, which fails anyway */
    const ScriptRequest request = {.file = project->composition_test,
                                   .readable = readable,
                                   .readable_count = count,
                                   .double_kernel = kernel->source.path};
    if (script_run(composing->arena, settings, &request, &doubled, error) != STATUS_OK)
        return STATUS_ERROR;
    if (!doubled.passed && doubled.status >= 0)
        return STATUS_OK;
    result->test = PART_FAILED;
    composing_add(
        composing, "composition.test-blind", SEVERITY_VIOLATION, "verification/composition_test.py",
        !doubled.passed
            ? arena_printf(composing->arena, "it gives no answer when the result of %s is doubled: it %s",
                           kernel->source.name, doubled.why_not)
        : doubled.doubled
            ? arena_printf(composing->arena, "it passes even when the result of %s is doubled",
                           kernel->source.name)
            : arena_printf(composing->arena, "it passes without a call of %s", kernel->source.name));
    return STATUS_OK;
}

/* What it may read besides its own folder. */
static const char *const *readable_folders(Arena *arena, const Project *project, size_t *count) {
    const char **folders = ARENA_ARRAY(arena, const char *, 2);
    folders[0] = project->folder;
    folders[1] = path_directory(arena, project->model);
    *count = 2;
    return folders;
}

static Status run_plain(Arena *arena, const RunSettings *settings, const Project *project,
                        CompositionTest *test, Error *error) {
    *test = (CompositionTest){.status = PART_SKIPPED};
    if (project->composition_test == NULL)
        return STATUS_OK;
    size_t count;
    const char *const *readable = readable_folders(arena, project, &count);
    const ScriptRequest request = {
        .file = project->composition_test, .readable = readable, .readable_count = count};
    ScriptResult plain;
    if (script_run(arena, settings, &request, &plain, error) != STATUS_OK)
        return STATUS_ERROR;
    *test = (CompositionTest){plain.passed ? PART_PASSED : PART_FAILED, plain.said, plain.why_not};
    return STATUS_OK;
}

void composition_test_verify(Arena *arena, Probe *probe, const Project *project, const StepOptions *options,
                             CompositionTest *test) {
    StepResult unused;
    const Progress silent = {NULL, NULL};
    StepState *step = step_new(arena, probe, options, &silent, &unused);
    Error error;
    if (probe_ready(probe, &error) != STATUS_OK ||
        run_plain(arena, &step->settings, project, test, &error) != STATUS_OK)
        *test = (CompositionTest){PART_FAILED, "",
                                  arena_printf(arena, "could not be run: %s", error_line(arena, &error))};
    step_close(step);
}

Status composition_test_run(Composing *composing, const RunSettings *settings, const Trace *trace,
                            Error *error) {
    const Project *project = composing->project;
    const CompositionOptions *options = composing->options;
    CompositionResult *result = composing->result;
    CompositionTest plain = {.status = PART_SKIPPED};
    size_t count;
    if (!options->run_test)
        return STATUS_OK;
    if (options->test != NULL)
        plain = *options->test;
    else if (run_plain(composing->arena, settings, project, &plain, error) != STATUS_OK)
        return STATUS_ERROR;
    result->test_said = plain.said;
    result->test = plain.status;
    if (plain.status == PART_SKIPPED)
        return STATUS_OK;
    if (plain.status == PART_FAILED) {
        composing_add(composing, "composition.test-failed", SEVERITY_VIOLATION,
                      "verification/composition_test.py",
                      arena_printf(composing->arena, "it %s", plain.why_not));
        return STATUS_OK;
    }
    const char *const *readable = readable_folders(composing->arena, project, &count);
    return run_again_doubled(composing, settings, readable, count, trace, error);
}
