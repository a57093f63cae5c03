/* Reading a whole decomposition, part by part. */
#include "project_parts.h"

#include <string.h>

static Reading reading_new(Arena *arena, const Parser *parser, const ProjectOptions *options,
                           Project *project) {
    return (Reading){.arena = arena,
                     .parser = parser_remembering(arena, parser),
                     .options = options,
                     .project = project,
                     .by_name = table_new(arena),
                     .by_real = table_new(arena),
                     .by_bytes = table_new(arena),
                     .by_tree = table_new(arena),
                     .by_stem = table_new(arena),
                     .step_files = table_new(arena)};
}

Status project_read(Arena *arena, const Parser *parser, const ProjectOptions *options, Project *project,
                    Error *error) {
    *project = (Project){.arena = arena,
                         .folder = path_absolute(arena, options->folder),
                         .name = options->folder,
                         .root_node = NO_INDEX,
                         .root_component = NO_INDEX,
                         .findings = findings_new(arena)};
    if (!directory_exists(options->folder))
        return error_set(error, options->folder, "give the folder that holds level_3_model and steps",
                         "there is no such folder");
    Reading reading = reading_new(arena, parser, options, project);
    components_read(&reading);
    steps_find(&reading);
    if (project->component_count == 0)
        return error_set(error, options->folder,
                         "give the folder that holds level_3_model, or make one by plumbline init",
                         "there is no component in it");
    if (project->component_count + reading.step_files->count > MOST_PROJECT_FILES)
        return error_set(error, options->folder, "divide it", "it has %zu files; at most %d are read",
                         project->component_count + reading.step_files->count, MOST_PROJECT_FILES);
    contents_parse(&reading);
    content_index(&reading);
    tree_read(&reading);
    log_read(&reading);
    steps_load(&reading);
    chain_check(&reading);
    structure_check(&reading);
    counts_check(&reading);
    names_check(&reading);
    project->composition_test = project_file(&reading, "verification/composition_test.py");
    Status status = model_find(&reading, error);
    json_decref(reading.metadata);
    findings_sort(project->findings);
    return status;
}
