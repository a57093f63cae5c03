/* plumbline compose: the steps put together again, against the root model. */
#include "composed.h"

#include <math.h>

static const Synopsis SYNOPSIS = {
    .usage = "plumbline compose DIR [options]",
    .about =
        "Puts a decomposition's steps together to one model, verifies that against the root model, and runs "
        "verification/composition_test.py. The steps are verified first: their weight maps compose to one.",
    .status = "0 PASS, 1 FAIL, 2 could not judge"};

typedef struct ComposeArguments {
    ProjectOptions project;
    CompositionOptions composition;
    CommonOptions common;
} ComposeArguments;

/* A recomposed model that is right does not make a step right that is not. */
static void take_failed_step(Arena *arena, const Project *project, const StepResult *const *steps,
                             size_t failed, CompositionResult *result) {
    if (failed == NO_INDEX || result->verdict != VERDICT_PASS)
        return;
    const char *why =
        steps[failed]->verdict == VERDICT_ERROR ? steps[failed]->error : steps[failed]->fail_reason;
    result->verdict = VERDICT_FAIL;
    result->fail_reason =
        arena_printf(arena, "%s does not pass by itself: %s", project->steps[failed].name, why);
}

typedef struct Own { /* what one component says of its own dimensions */
    Probe *probe;
    const Patterns *patterns;
    ComponentOptions options;
    ComponentResult *result;
} Own;

static void ask_one(void *context, Arena *arena, const Progress *progress) {
    const Own *own = context;
    component_verify(arena, own->probe, own->patterns, &own->options, progress, own->result);
}

static Status judge_dimensions(Arena *arena, Probe *probe, const Project *project, const StepOptions *step,
                               const Progress *progress, CompositionResult *result, Error *error) {
    const ComponentResult **components =
        ARENA_ARRAY(arena, const ComponentResult *, project->component_count + 1);
    ComposedTasks tasks = {0};
    Patterns *patterns;
    if (command_patterns(arena, NULL, &patterns, error) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; result->placement_count > 0 && i < project->component_count; i++) {
        const Component *component = &project->components[i];
        if (component->broken != NULL || i == project->root_component)
            continue;
        Own *own = ARENA_NEW(arena, Own);
        *own = (Own){.probe = probe,
                     .patterns = patterns,
                     .options = {.file = component->source.path,
                                 .has_level = true,
                                 .level = component->level,
                                 .rigor = RIGOR_FAST,
                                 .seed = step->seed,
                                 .device = step->device,
                                 .timeout = step->timeout,
                                 .without_test = true,
                                 .threads = 1,
                                 .allowed_imports = step->allowed_imports,
                                 .allowed_import_count = step->allowed_import_count},
                     .result = ARENA_NEW(arena, ComponentResult)};
        components[i] = own->result;
        *(Task *)ARENA_PUSH(arena, &tasks) = (Task){
            .name = component->stem, .run = ask_one, .context = own, .memory = declared_memory(project, i)};
    }
    composed_run(arena, &tasks, progress);
    dimensions_check(arena, project, components, result, result->findings);
    return STATUS_OK;
}

static Bytes shown(Arena *arena, const CommonOptions *common, const Project *project,
                   const CompositionResult *result) {
    if (!command_json(common))
        return report_composition(arena, project, result, common->quiet);
    json_t *json = report_composition_json(arena, project, result, timestamp_now(arena));
    const Bytes text = report_json_text(arena, json);
    json_decref(json);
    return text;
}

static int judge(Arena *arena, Probe *probe, const ComposeArguments *arguments) {
    const Progress progress = command_progress(&arguments->common);
    Project project;
    Error error;
    const Parser own = probe_parser(probe), parser = parser_remembering(arena, &own);
    if (project_read(arena, &parser, &arguments->project, &project, &error) != STATUS_OK)
        return command_fail(&error);
    CompositionOptions options = arguments->composition;
    options.step.parser = &parser;
    CompositionResult result;
    size_t failed;
    const StepResult **steps = composed_steps(arena, probe, &project, &options.step, &progress, &failed);
    composition_verify(arena, probe, &project, steps, &options, &progress, &result);
    const Status status = judge_dimensions(arena, probe, &project, &options.step, &progress, &result, &error);
    if (progress.tell != NULL)
        progress.tell(progress.context, "");
    if (status != STATUS_OK)
        return command_fail(&error);
    composition_conclude(arena, &result);
    take_failed_step(arena, &project, steps, failed, &result);
    const Bytes text = shown(arena, &arguments->common, &project, &result);
    json_decref(result.weight_map);
    return command_write(&arguments->common, text, (int)result.verdict);
}

static int read_arguments(Arena *arena, int count, char **values, ComposeArguments *arguments) {
    StepOptions *step = &arguments->composition.step;
    CommonOptions *common = &arguments->common;
    const Option options[] = {{"model", "ORIGINAL.py", OPTION_TEXT, &arguments->project.model, 0, 0,
                               "the root model; otherwise what decomposition_tree.json names as source_file"},
                              ROW_RIGOR(step, "as in 'plumbline step' (standard)"),
                              ROW_OUTPUT(common, "FILE", "write it there"),
                              ROW_DEVICE(step),
                              ROW_SEED(step, "seed of the first trial (42)"),
                              ROW_TIMEOUT(step, EACH_TIMEOUT),
                              ROW_MEMORY(step, EACH_MEMORY),
                              ROW_ALLOW_IMPORT(common),
                              ROW_PYTHON(common),
                              ROW_REQUIRE_SANDBOX(common),
                              ROW_FORMAT(common, "text|json"),
                              ROW_QUIET(common, "the verdict alone")};
    Words folders = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &folders);
    if (status >= 0)
        return status;
    if (folders.count != 1)
        return options_wrong(&SYNOPSIS, "give one folder");
    arguments->project.folder = folders.items[0];
    arguments->project.allowed_imports = step->allowed_imports = common->allowed_imports.items;
    arguments->project.allowed_import_count = step->allowed_import_count = common->allowed_imports.count;
    return -1;
}

int compose_main(int count, char **values) {
    Arena *arena = arena_new();
    ComposeArguments arguments = {
        .composition = {
            .step = {.rtol = NAN, .atol = NAN, .trial_count = 3, .seed = 42, .device = "cpu", .timeout = 300},
            .run_test = true}};
    Probe *probe = NULL;
    Error error;
    int status = read_arguments(arena, count, values, &arguments);
    if (status < 0 && command_start(arena, &arguments.common, true, &probe, &error) != STATUS_OK)
        status = command_fail(&error);
    if (status < 0)
        status = judge(arena, probe, &arguments);
    if (probe != NULL)
        probe_stop(probe);
    arena_free(arena);
    return status;
}
