/* The level folders: which files there are. */
#include "project_parts.h"

#include <string.h>

static void add_index(Arena *arena, Table *table, const char *key, size_t index) {
    Indices *indices = table_get(table, key);
    if (indices == NULL) {
        indices = ARENA_NEW(arena, Indices);
        table_put(table, key, indices);
    }
    *(size_t *)ARENA_PUSH(arena, indices) = index;
}

typedef struct Components {
    Component *items;
    size_t count, capacity;
} Components;

static void add_component(Reading *reading, Components *components, const FileEntry *entry, Level level) {
    Component *component = ARENA_PUSH(reading->arena, components);
    *component = (Component){.source = {.path = entry->path, .name = entry->name},
                             .stem = path_stem(reading->arena, entry->file),
                             .level = level,
                             .node = NO_INDEX,
                             .step = NO_INDEX};
    Error error;
    if (source_read(reading->arena, entry->path, entry->name, &component->source, &error) != STATUS_OK) {
        component->source =
            (Source){.path = entry->path, .name = entry->name, .bytes = {(const uint8_t *)"", 0}};
        component->broken =
            error.cause[0] == '\0' ? "it cannot be read" : arena_strdup(reading->arena, error.cause);
        project_finding(reading, &RULE_file_unreadable, SEVERITY_VIOLATION, entry->name, 0, "%s",
                        component->broken);
    }
}

void components_read(Reading *reading) {
    Components components = {0};
    for (size_t level = LEVEL_COUNT; level-- > 0;) {
        FileEntries entries = project_entries(reading, level_folder((Level)level), ".py");
        for (size_t i = 0; i < entries.count; i++)
            add_component(reading, &components, &entries.items[i], (Level)level);
    }
    Project *project = reading->project;
    project->components = components.items;
    project->component_count = components.count;
    reading->used = ARENA_ARRAY(reading->arena, bool, components.count + 1);
    reading->programs = ARENA_ARRAY(reading->arena, Program *, components.count + 1);
    for (size_t i = 0; i < components.count; i++) {
        const Component *component = &components.items[i];
        table_put(reading->by_name, component->source.name, (void *)(i + 1));
        if (!table_has(reading->by_real, component->source.path))
            table_put(reading->by_real, component->source.path, (void *)(i + 1));
        add_index(reading->arena, reading->by_stem, component->stem, i);
    }
}

/* Bytes as a key: a file with a NUL is no Python, and equals nothing. */
static const char *bytes_key(const Source *source) {
    return strlen((const char *)source->bytes.data) == source->bytes.size ? (const char *)source->bytes.data
                                                                          : NULL;
}

void content_index(Reading *reading) {
    const Project *project = reading->project;
    for (size_t i = 0; i < project->component_count; i++) {
        const Component *component = &project->components[i];
        const char *key = bytes_key(&component->source);
        if (key != NULL && component->source.bytes.size > 0)
            add_index(reading->arena, reading->by_bytes, key, i);
        if (component->tree.module != NULL)
            add_index(reading->arena, reading->by_tree, content_hash(reading->arena, &component->tree), i);
    }
}

Indices content_components(Reading *reading, const Content *content) {
    Indices equal = {0};
    const char *key = bytes_key(&content->source);
    const Indices *found = key == NULL ? NULL : table_get(reading->by_bytes, key);
    if (found != NULL)
        return *found;
    if (content->tree.module == NULL)
        return equal;
    found = table_get(reading->by_tree, content_hash(reading->arena, &content->tree));
    for (size_t i = 0; found != NULL && i < found->count; i++)
        if (trees_equal(&reading->project->components[found->items[i]].tree, &content->tree))
            *(size_t *)ARENA_PUSH(reading->arena, &equal) = found->items[i];
    return equal;
}

int first_line_apart(const Source *a, const Source *b) {
    size_t line = 0;
    while (line < a->line_count && line < b->line_count && strcmp(a->lines[line], b->lines[line]) == 0)
        line++;
    return (int)line + 1;
}
