/* plumbline tree: a decomposition's structure, without running anything. */
#include "cmd.h"

static const Synopsis SYNOPSIS = {
    .usage = "plumbline tree DIR [options]",
    .about = "Shows a decomposition: its components level by level, its steps, and what is wrong with its "
             "structure. Runs no user code and needs no torch.",
    .status = "0 no violation, 1 violations, 2 could not judge"};

static int show(Arena *arena, const ProjectOptions *options, const CommonOptions *common) {
    Probe *probe;
    Project project;
    Error error;
    if (!directory_exists(options->folder))
        return command_fail_text(arena_printf(
            arena, "%s: there is no such folder; give the folder that holds level_3_model and steps",
            options->folder));
    if (command_start(arena, common, false, &probe, &error) != STATUS_OK)
        return command_fail(&error);
    const Parser parser = probe_parser(probe);
    const Status status = project_read(arena, &parser, options, &project, &error);
    probe_stop(probe);
    if (status != STATUS_OK)
        return command_fail(&error);
    const Bytes text = command_json(common)                ? report_tree_json(arena, &project)
                       : text_equal(common->format, "svg") ? report_tree_svg(arena, &project)
                                                           : report_tree_text(arena, &project, common->quiet);
    return command_write(common, text, (int)project_verdict(&project));
}

int tree_main(int count, char **values) {
    Arena *arena = arena_new();
    CommonOptions common = {0};
    ProjectOptions project = {.structure_only = true};
    const Option options[] = {{"model", "FILE", OPTION_TEXT, &project.model, 0, 0,
                               "the root model; otherwise what decomposition_tree.json names as source_file"},
                              ROW_FORMAT(&common, "text|json|svg"),
                              ROW_OUTPUT(&common, "FILE", "write it there"),
                              ROW_ALLOW_IMPORT(&common),
                              ROW_PYTHON(&common),
                              ROW_QUIET(&common, "the verdict alone")};
    Words folders = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &folders);
    if (status < 0 && folders.count != 1)
        status = options_wrong(&SYNOPSIS, "give one folder");
    if (status < 0) {
        project.folder = folders.items[0];
        project.allowed_imports = common.allowed_imports.items;
        project.allowed_import_count = common.allowed_imports.count;
        status = show(arena, &project, &common);
    }
    arena_free(arena);
    return status;
}
