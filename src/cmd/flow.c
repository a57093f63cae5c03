/* plumbline flow: which shapes values have on their way. */
#include "composed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Synopsis SYNOPSIS = {.usage = "plumbline flow FILE|DIR [options]",
                                  .about = "Shows the shapes of values from the inputs to the outputs of a "
                                           "component, or of a whole decomposition; "
                                           "of one, what decomposition_tree.json declares of shapes, dtypes "
                                           "and data flow is held against the run.",
                                  .status =
                                      "0, 1 if the tree declares what is not so, 2 if it could not be run"};

typedef struct FlowArguments {
    StepOptions step;
    CommonOptions common;
    FlowOptions flow;
    const char *shown, *model; /* the file or folder; the root model */
    bool folder, real;
} FlowArguments;

static Status read_depth(const char *text, size_t *depth, Error *error) {
    char *end;
    *depth = strtoul(text, &end, 10);
    if (text_equal(text, "all"))
        *depth = 0;
    else if (text[0] < '0' || text[0] > '9' || *end != '\0' || *depth < 1 || *depth > 32)
        return error_set(error, "--depth", "give 1 to 32, or all", "there is no depth '%s'", text);
    return STATUS_OK;
}

static FlowFormat format_of(const char *text) {
    static const char *const names[] = {"text", "json", "dot", "svg"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal(text, names[i]))
            return (FlowFormat)i;
    return (FlowFormat)0;
}

static int read_arguments(Arena *arena, int count, char **values, FlowArguments *arguments) {
    StepOptions *step = &arguments->step;
    CommonOptions *common = &arguments->common;
    const char *depth = NULL, *level = NULL;
    const Option options[] = {
        {"depth", "N|all", OPTION_TEXT, &depth, 0, 0,
         "how many levels: 1 is the model's own, then each distinct component below it once (1 for a file, "
         "all for "
         "a decomposition)"},
        {"level", "kernel|fusion|layer|model", OPTION_CHOICE, &level, 0, 0,
         "open no component below that level"},
        ROW_FORMAT(common, "text|json|dot|svg"),
        ROW_OUTPUT(common, "FILE", "write it there"),
        {"model", "FILE", OPTION_TEXT, &arguments->model, 0, 0,
         "the root model of a decomposition, if it isn't found"},
        {"real", NULL, OPTION_FLAG, &arguments->real, 0, 0,
         "a file: on real tensors; otherwise on shapes alone, if the model can do without data"},
        ROW_ALLOW_IMPORT(common),
        ROW_PYTHON(common),
        ROW_SEED(step, "of construction and inputs (42)"),
        ROW_TIMEOUT(step, EACH_TIMEOUT),
        ROW_MEMORY(step, EACH_MEMORY)};
    Words words = {0};
    Error error;
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &words);
    if (status >= 0)
        return status;
    if (words.count != 1)
        return options_wrong(&SYNOPSIS, "one file or one folder is shown");
    arguments->shown = words.items[0];
    arguments->folder = directory_exists(arguments->shown);
    if (read_depth(depth != NULL       ? depth
                   : arguments->folder ? "all"
                                       : "1",
                   &arguments->flow.depth, &error) != STATUS_OK)
        return command_fail(&error);
    arguments->flow.format = format_of(common->format);
    arguments->flow.has_level = level_of_name(level == NULL ? "" : level, &arguments->flow.level);
    step->allowed_imports = common->allowed_imports.items;
    step->allowed_import_count = common->allowed_imports.count;
    return -1;
}

static int show(Arena *arena, const FlowArguments *arguments, const Flow *flow) {
    if (flow->stage_count == 0)
        return command_fail_text(
            arena_printf(arena, "%s: no call of forward was recorded", arguments->shown));
    return command_write(&arguments->common, report_flow(arena, flow, &arguments->flow), VERDICT_PASS);
}

/* The flow of one file, by its own modules. */
static int show_file(Arena *arena, Probe *probe, const FlowArguments *arguments, const char *file) {
    TraceResult result;
    StepOptions step = arguments->step;
    step.original = step.refactored = file;
    trace_component(arena, probe, &step, arguments->real, &result);
    if (result.verdict == VERDICT_ERROR)
        return command_fail_text(result.error);
    Flow flow = flow_of_trace(arena, path_stem(arena, file), &result.trace, result.files, result.file_count);
    return show(arena, arguments, &flow);
}

/* The flow of a decomposition, by its components; of the root model alone if they can't be put together. */
static int show_folder(Arena *arena, Probe *probe, FlowArguments *arguments) {
    const ProjectOptions project_options = {.folder = arguments->shown,
                                            .model = arguments->model,
                                            .allowed_imports = arguments->step.allowed_imports,
                                            .allowed_import_count = arguments->step.allowed_import_count};
    const Progress silent = {0};
    Project project;
    CompositionResult composition;
    Error error;
    arguments->step.rigor = RIGOR_FAST;
    if (composed_read(arena, probe, &project_options, &arguments->step, &silent, &project, &composition,
                      &error) != STATUS_OK)
        return command_fail(&error);
    json_decref(composition.weight_map);
    if (!composition.recorded) {
        fprintf(stderr,
                "plumbline: %s: the steps can't be put together (%s); this is the flow of the root model\n",
                arguments->shown,
                composition.why_not == NULL
                    ? "the recomposed model was not recorded"
                    : text_printable(arena, composition.why_not, strlen(composition.why_not)));
        return show_file(arena, probe, arguments, project.model);
    }
    Flow flow = flow_of_composition(arena, &project, &composition);
    int status = show(arena, arguments, &flow);
    Findings *findings = findings_new(arena);
    flow_check(arena, &project, NULL, &composition, findings);
    for (size_t i = 0; i < findings->count; i++) {
        findings->items[i].instead = NULL; /* short */
        fprintf(stderr, "plumbline: %s (%s)\n", finding_text(arena, &findings->items[i]),
                findings->items[i].rule->id);
    }
    return status == VERDICT_PASS && findings->count > 0 ? VERDICT_FAIL : status;
}

int flow_main(int count, char **values) {
    Arena *arena = arena_new();
    FlowArguments arguments = {
        .step = {.rtol = NAN, .atol = NAN, .trial_count = 1, .seed = 42, .device = "cpu", .timeout = 300}};
    Probe *probe = NULL;
    Error error;
    int status = read_arguments(arena, count, values, &arguments);
    if (status < 0 && command_start(arena, &arguments.common, true, &probe, &error) != STATUS_OK)
        status = command_fail(&error);
    if (status < 0)
        status = arguments.folder ? show_folder(arena, probe, &arguments)
                                  : show_file(arena, probe, &arguments, arguments.shown);
    if (probe != NULL)
        probe_stop(probe);
    arena_free(arena);
    return status;
}
