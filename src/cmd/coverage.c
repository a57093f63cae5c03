/* plumbline coverage: are all operators of the original in kernels, as often as there? */
#include "composed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const Synopsis SYNOPSIS = {
    .usage = "plumbline coverage --model ORIGINAL.py --children FILE... [options]\n"
             "       plumbline coverage [--decomp-dir] DIR [--model ORIGINAL.py] [options]",
    .about = "Counts the operators of the original against those of the kernels.",
    .status = "0 full coverage, 1 not, 2 could not judge"};

typedef struct CoverageArguments {
    const char *model, *folder;
    Words children;
    CommonOptions common;
    StepOptions step;
} CoverageArguments;

/* -1 to go on; otherwise the exit status. */
static int read_arguments(Arena *arena, int count, char **values, CoverageArguments *arguments) {
    StepOptions *step = &arguments->step;
    CommonOptions *common = &arguments->common;
    const Option options[] = {
        {"decomp-dir", "DIR", OPTION_TEXT, &arguments->folder, 0, 0,
         "a whole decomposition: kernels are counted where the recomposed model calls them"},
        {"children", "FILE...", OPTION_ALL_THAT_FOLLOW, &arguments->children, 0, 0,
         "these files: as often as refactored.py beside their folder calls them, else once"},
        {"model", "ORIGINAL.py", OPTION_TEXT, &arguments->model, 0, 0,
         "the original; of a decomposition, if it isn't found"},
        ROW_OUTPUT(common, "RESULT.json", "write coverage_report.json there"),
        ROW_FORMAT(common, "text|json"),
        ROW_QUIET(common, "print the status alone"),
        ROW_ALLOW_IMPORT(common),
        ROW_PYTHON(common),
        ROW_SEED(step, "of construction and inputs (42)"),
        ROW_TIMEOUT(step, EACH_TIMEOUT),
        ROW_MEMORY(step, EACH_MEMORY)};
    Words words = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &words);
    if (status >= 0)
        return status;
    if (words.count == 1 && arguments->folder == NULL && arguments->children.count == 0 &&
        directory_exists(words.items[0]))
        arguments->folder = words.items[0]; /* as flow takes it */
    else if (words.count > 0)
        return options_wrong(&SYNOPSIS, "'%s' is no option; files follow --children", words.items[0]);
    if ((arguments->folder == NULL) == (arguments->children.count == 0))
        return options_wrong(&SYNOPSIS, "give either --decomp-dir or --children with one file at least");
    if (arguments->folder == NULL && arguments->model == NULL)
        return options_wrong(&SYNOPSIS, "--children needs --model, the original");
    step->allowed_imports = common->allowed_imports.items;
    step->allowed_import_count = common->allowed_imports.count;
    return -1;
}

/* ---- Children -------------------------------------------------------------------------------------- */

static bool record(Arena *arena, Probe *probe, const CoverageArguments *arguments, const char *file,
                   bool refactored, TraceResult *result) {
    StepOptions step = arguments->step;
    step.original = refactored ? arguments->model : file;
    step.refactored = file;
    if (refactored)
        trace_refactored(arena, probe, &step, result);
    else
        trace_component(arena, probe, &step, false, result);
    return result->verdict != VERDICT_ERROR;
}

/* refactored.py of the step in whose children/ all files lie; NULL if there is none. */
static const char *refactored_beside(Arena *arena, const CoverageArguments *arguments) {
    const char *folder = NULL;
    for (size_t i = 0; i < arguments->children.count; i++) {
        const char *own = path_directory(arena, path_absolute(arena, arguments->children.items[i]));
        if (folder != NULL && !text_equal(folder, own))
            return NULL;
        folder = own;
    }
    if (folder == NULL || !text_equal(path_name(folder), "children"))
        return NULL;
    const char *file = path_join(arena, path_directory(arena, folder), "refactored.py");
    return file_exists(file) ? file : NULL;
}

static int cover_children(Arena *arena, Probe *probe, const CoverageArguments *arguments,
                          const Patterns *patterns, CoverageResult *result) {
    TraceResult original, refactored;
    CoverageChildren children = {.files = arguments->children.items, .count = arguments->children.count};
    if (!record(arena, probe, arguments, arguments->model, false, &original))
        return command_fail_text(original.error);
    const char *beside = refactored_beside(arena, arguments);
    if (beside != NULL && record(arena, probe, arguments, beside, true, &refactored)) {
        children.refactored = &refactored;
    } else {
        if (beside != NULL)
            command_fail_text(refactored.error);
        TraceResult *traces = ARENA_ARRAY(arena, TraceResult, children.count);
        for (size_t i = 0; i < children.count; i++)
            if (!record(arena, probe, arguments, children.files[i], false, &traces[i]))
                return command_fail_text(traces[i].error);
        children.traces = traces;
    }
    coverage_of_children(arena, &original, &children, patterns, result);
    return -1;
}

/* ---- A decomposition ------------------------------------------------------------------------------- */

static int cover_folder(Arena *arena, Probe *probe, CoverageArguments *arguments, const Patterns *patterns,
                        CoverageResult *result) {
    const ProjectOptions options = {.folder = arguments->folder,
                                    .model = arguments->model,
                                    .allowed_imports = arguments->step.allowed_imports,
                                    .allowed_import_count = arguments->step.allowed_import_count};
    const Progress silent = {0};
    Project project;
    CompositionResult composition;
    Error error;
    arguments->step.rigor = RIGOR_FAST;
    if (composed_read(arena, probe, &options, &arguments->step, &silent, &project, &composition, &error) !=
        STATUS_OK)
        return command_fail(&error);
    coverage_of_composition(arena, &project, &composition, patterns, result);
    json_decref(composition.weight_map);
    if (arguments->model == NULL)
        arguments->model = project.model;
    return -1;
}

/* ---- The whole ---------------------------------------------------------------------------------------- */

static Verdict verdict_of(const CoverageResult *result) {
    return text_equal(result->status, "FULL_COVERAGE") ? VERDICT_PASS
           : text_equal(result->status, "ERROR")       ? VERDICT_ERROR
                                                       : VERDICT_FAIL;
}

static void show(const View *view, const void *shown) {
    const CoverageResult *result = shown;
    Arena *arena = arena_new();
    const char *line = arena_printf(arena, "%s\n", result->status);
    const Bytes text =
        view->quiet ? (Bytes){(const uint8_t *)line, strlen(line)} : report_coverage(arena, result);
    fwrite(text.data, 1, text.size, view->stream);
    arena_free(arena);
}

int coverage_main(int count, char **values) {
    Arena *arena = arena_new();
    CoverageArguments arguments = {
        .step = {.rtol = NAN, .atol = NAN, .trial_count = 1, .seed = 42, .device = "cpu", .timeout = 300}};
    CoverageResult result = {0};
    Patterns *patterns;
    Probe *probe = NULL;
    Error error;
    int status = read_arguments(arena, count, values, &arguments);
    if (status < 0 && (command_patterns(arena, NULL, &patterns, &error) != STATUS_OK ||
                       command_start(arena, &arguments.common, true, &probe, &error) != STATUS_OK))
        status = command_fail(&error);
    if (status < 0)
        status = arguments.folder != NULL ? cover_folder(arena, probe, &arguments, patterns, &result)
                                          : cover_children(arena, probe, &arguments, patterns, &result);
    if (status < 0)
        status = command_report(arena, &arguments.common,
                                report_coverage_json(&result, arguments.model, timestamp_now(arena)), show,
                                &result, (int)verdict_of(&result));
    if (probe != NULL)
        probe_stop(probe);
    arena_free(arena);
    return status;
}
