/* The numbers in the tree's metadata. */
#include "project_parts.h"

#include <string.h>

static void check_count(Reading *reading, const json_t *object, const char *key, size_t actual,
                        const char *of, int line) {
    const json_t *value = json_object_get(object, key);
    if (value == NULL)
        return;
    if (!json_is_integer(value))
        project_finding(reading, &RULE_tree_counts, SEVERITY_VIOLATION, TREE_FILE, line,
                        "\"%s\" is no whole number", key);
    else if (json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) != actual)
        project_finding(reading, &RULE_tree_counts, SEVERITY_VIOLATION, TREE_FILE, line,
                        "\"%s\" is %lld; there are %zu %s", key, (long long)json_integer_value(value), actual,
                        of);
}

static int metadata_line(Reading *reading, const char *key) {
    return line_of(reading->lines, reading->arena, "metadata", key, NULL);
}

static void check_levels(Reading *reading, const json_t *by_level) {
    const Project *project = reading->project;
    size_t counts[LEVEL_COUNT] = {0};
    for (size_t i = 0; i < project->node_count; i++)
        if (project->nodes[i].has_level)
            counts[project->nodes[i].level]++;
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        const char *name = level_name((Level)i);
        int line = line_of(reading->lines, reading->arena, "metadata", "by_level", name, NULL);
        if (json_object_get(by_level, name) == NULL && counts[i] > 0)
            project_finding(reading, &RULE_tree_counts, SEVERITY_VIOLATION, TREE_FILE, line,
                            "by_level lacks \"%s\"; there are %zu nodes of it", name, counts[i]);
        check_count(reading, by_level, name, counts[i], "nodes of that level", line);
    }
}

void counts_check(Reading *reading) {
    const Project *project = reading->project;
    const json_t *metadata = reading->metadata;
    size_t kernels = 0;
    if (metadata == NULL || !reading->tree_read)
        return;
    for (size_t i = 0; i < project->component_count; i++)
        kernels += project->components[i].level == LEVEL_KERNEL;
    check_count(reading, metadata, "total_components", project->node_count, "nodes",
                metadata_line(reading, "total_components"));
    check_count(reading, metadata, "unique_kernels", kernels, "files in level_0_kernel",
                metadata_line(reading, "unique_kernels"));
    check_levels(reading, json_object_get(metadata, "by_level"));
    const char *level = json_string_value(json_object_get(metadata, "source_level"));
    if (level != NULL && strcmp(level, level_name(LEVEL_MODEL)) != 0)
        project_finding(reading, &RULE_tree_form, SEVERITY_VIOLATION, TREE_FILE,
                        metadata_line(reading, "source_level"),
                        "\"source_level\" is '%s'; the root is a model", level);
}
