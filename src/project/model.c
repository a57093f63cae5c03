/* The root model: the one file that is trusted. */
#include "project_parts.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

typedef struct Search {
    Arena *arena;
    const char *name, *base;
    const char *found;
} Search;

/* All folders first for the whole path, then for the file's name alone. */
static void look_in(Search *search, const char *folder, const char *name) {
    const char *path = path_join(search->arena, folder, name);
    if (search->found == NULL && file_exists(path))
        search->found = path_absolute(search->arena, path);
}

static void look_everywhere(Search *search, const Project *project, const char *name) {
    char working[PATH_MAX];
    if (getcwd(working, sizeof working) != NULL)
        look_in(search, working, name);
    for (const char *folder = project->folder;; folder = path_directory(search->arena, folder)) {
        look_in(search, folder, name);
        if (strcmp(folder, "/") == 0)
            return;
    }
}

/* "C:\models\gpt2.py" was written on another machine: then its base name counts. */
static const char *find_source_file(Reading *reading, const char *text) {
    char *name = arena_strdup(reading->arena, text);
    for (char *at = name; *at != '\0'; at++)
        if (*at == '\\')
            *at = '/';
    Search search = {.arena = reading->arena};
    if (!text_ends(name, ".py"))
        return NULL;
    look_everywhere(&search, reading->project, name);
    look_everywhere(&search, reading->project, path_name(name));
    return search.found;
}

static Status choose(Reading *reading, Error *error) {
    Project *project = reading->project;
    const char *given = reading->options->model;
    const Component *root =
        project->root_component == NO_INDEX ? NULL : &project->components[project->root_component];
    if (given != NULL) {
        if (!file_exists(given))
            return error_set(error, given, "check the path given by --model", "there is no such file");
        project->model = path_absolute(reading->arena, given);
        return STATUS_OK;
    }
    const char *source = json_string_value(json_object_get(reading->metadata, "source_file"));
    if (source != NULL)
        project->model = find_source_file(reading, source);
    if (project->model == NULL && root != NULL)
        project->model = root->source.path;
    if (project->model == NULL)
        return error_set(error, project->name, "give the root model by --model FILE",
                         "there is no root model: no source_file that exists, and no file in level_3_model");
    const size_t length = strlen(project->folder);
    if (text_starts(project->model, project->folder) && project->model[length] == '/')
        project_finding(
            reading, &RULE_chain_root, SEVERITY_NOTE, project->model + length + 1, 0,
            "the root model is the decomposition's own file: that it is the model you mean is not checked");
    return STATUS_OK;
}

/* Equal text says nothing of what is imported from beside it. */
static bool is_one_file(Reading *reading) {
    if (reading->options->structure_only)
        return true; /* nothing is run */
    const Program *program = component_program(reading, reading->project->root_component);
    return program != NULL && program->count == 1;
}

Status model_find(Reading *reading, Error *error) {
    Project *project = reading->project;
    if (choose(reading, error) != STATUS_OK || source_read(reading->arena, project->model, project->model,
                                                           &project->model_source, error) != STATUS_OK)
        return STATUS_ERROR;
    if (reading->parser.parse(reading->parser.context, reading->arena, &project->model_source, 1,
                              &project->model_tree, error) != STATUS_OK)
        return STATUS_ERROR;
    if (project->root_component == NO_INDEX)
        return STATUS_OK;
    const Component *root = &project->components[project->root_component];
    project->model_equals_root = trees_equal(&project->model_tree, &root->tree) &&
                                 (text_equal(project->model, root->source.path) || is_one_file(reading));
    if (!project->model_equals_root) {
        int line = first_line_apart(&project->model_source, &root->source);
        const char *how =
            line > 0 ? arena_printf(reading->arena, "differs from the root model %s, first in line %d",
                                    project->model, line)
                     : arena_printf(reading->arena, "imports files of its own, as the root model %s does",
                                    project->model);
        project_finding(reading, &RULE_chain_root, SEVERITY_NOTE, root->source.name, line,
                        "it %s: whether they compute the same is for a proof", how);
    }
    return STATUS_OK;
}
