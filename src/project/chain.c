/* The chain: which component a step refactors, and which components its children are. */
#include "project_parts.h"

#include <string.h>

static Component *component_at(Reading *reading, size_t index) {
    return &reading->project->components[index];
}

static const char *step_file_name(Reading *reading, const ProjectStep *step, const char *file) {
    return arena_printf(reading->arena, "steps/%s/%s", step->name, file);
}

/* ---- The parent ---- */

/* "transformer_block" of "step_3_transformer_block_to_fusions" */
static const char *core_of(Arena *arena, const char *name) {
    if (text_starts(name, "step_")) {
        const char *after = name + strlen("step_");
        size_t digits = strspn(after, "0123456789");
        if (digits > 0 && after[digits] == '_')
            name = after + digits + 1;
    }
    const char *end = NULL;
    for (const char *at = name; (at = strstr(at, "_to_")) != NULL; at++)
        end = at;
    return end == NULL ? arena_strdup(arena, name) : arena_strndup(arena, name, (size_t)(end - name));
}

/* The longest run of whole words in `core` that is a component's stem: NULL if there is none. */
static const Indices *longest_stem(Reading *reading, const char *core) {
    enum { MOST_WORDS = 64 };
    size_t starts[MOST_WORDS + 1], count = 0;
    starts[count++] = 0;
    for (size_t at = 0; core[at] != '\0' && count < MOST_WORDS; at++)
        if (core[at] == '_')
            starts[count++] = at + 1;
    starts[count] = strlen(core) + 1;
    for (size_t words = count; words > 0; words--)
        for (size_t first = 0; first + words <= count; first++) {
            const char *stem = arena_strndup(reading->arena, core + starts[first],
                                             starts[first + words] - starts[first] - 1);
            const Indices *found = table_get(reading->by_stem, stem);
            if (found != NULL)
                return found;
        }
    return NULL;
}

/* A stem may stand at several levels: the highest above kernels that no step has yet. */
static size_t choose_parent(Reading *reading, const Indices *candidates) {
    for (size_t i = 0; candidates != NULL && i < candidates->count; i++) {
        const Component *component = component_at(reading, candidates->items[i]);
        if (component->level != LEVEL_KERNEL && component->step == NO_INDEX)
            return candidates->items[i];
    }
    return candidates == NULL || candidates->count == 0 ? NO_INDEX : candidates->items[0];
}

static size_t parent_by_content(Reading *reading, const Content *content, const Indices *named) {
    Indices equal = content_components(reading, content), both = {0};
    for (size_t i = 0; named != NULL && i < equal.count && equal.count > 1; i++)
        for (size_t j = 0; j < named->count; j++)
            if (named->items[j] == equal.items[i])
                *(size_t *)ARENA_PUSH(reading->arena, &both) = equal.items[i];
    return choose_parent(reading, both.count > 0 ? &both : &equal);
}

static size_t find_parent(Reading *reading, ProjectStep *step) {
    const Indices *named = longest_stem(reading, core_of(reading->arena, step->name));
    if (step->original == NULL) {
        if (named == NULL)
            project_finding(reading, &RULE_chain_parent, SEVERITY_VIOLATION,
                            arena_printf(reading->arena, "steps/%s", step->name), 0,
                            "it has no original.py, and no component's name is in the step's name");
        step->original_is_parent = true;
        return choose_parent(reading, named);
    }
    const Content *original = table_get(reading->step_files, step->original);
    size_t parent = parent_by_content(reading, original, named);
    step->original_is_parent = parent != NO_INDEX;
    if (parent != NO_INDEX)
        return parent;
    const char *name = step_file_name(reading, step, "original.py");
    parent = choose_parent(reading, named);
    if (parent == NO_INDEX) {
        project_finding(
            reading, &RULE_chain_original, SEVERITY_VIOLATION, name, 0,
            "it is no component of the decomposition, and no component's name is in the step's name");
        return NO_INDEX;
    }
    const Component *component = component_at(reading, parent);
    int line = first_line_apart(&original->source, &component->source);
    project_finding(reading, &RULE_chain_original, SEVERITY_VIOLATION, name, line,
                    "it differs from %s, first in line %d", component->source.name, line);
    return parent;
}

static void join_parent(Reading *reading, size_t index) {
    ProjectStep *step = &reading->project->steps[index];
    step->parent = find_parent(reading, step);
    if (step->parent == NO_INDEX)
        return;
    Component *component = component_at(reading, step->parent);
    const char *folder = arena_printf(reading->arena, "steps/%s", step->name);
    if (component->level == LEVEL_KERNEL)
        project_finding(reading, &RULE_chain_kernel, SEVERITY_VIOLATION, folder, 0,
                        "it refactors %s, a kernel", component->source.name);
    if (component->step == NO_INDEX)
        component->step = index;
    else
        project_finding(reading, &RULE_chain_two_steps, SEVERITY_VIOLATION, folder, 0,
                        "it refactors %s, as steps/%s does", component->source.name,
                        reading->project->steps[component->step].name);
}

/* ---- The children ---- */

/* Of several with the same content: the one of the same name, then one below the parent. */
static size_t choose_child(const Reading *reading, const ProjectStep *step, const Indices *equal,
                           const char *stem) {
    size_t chosen = NO_INDEX;
    int best = -1;
    for (size_t i = 0; i < equal->count; i++) {
        const Component *component = &reading->project->components[equal->items[i]];
        bool below =
            step->parent == NO_INDEX || component->level < reading->project->components[step->parent].level;
        int worth = 2 * (strcmp(component->stem, stem) == 0) + below;
        if (worth > best) {
            best = worth;
            chosen = equal->items[i];
        }
    }
    return chosen;
}

/* The one of this name, for saying where they differ; below the parent if there is one. */
static size_t namesake(const Reading *reading, const ProjectStep *step, const char *stem) {
    const Indices *named = table_get(reading->by_stem, stem);
    return named == NULL ? NO_INDEX : choose_child(reading, step, named, stem);
}

static size_t match_child(Reading *reading, const ProjectStep *step, const Content *content, const char *name,
                          bool reached, size_t *other) {
    *other = NO_INDEX;
    size_t at_place = (size_t)table_get(reading->by_real, content->source.path);
    if (at_place > 0)
        return at_place - 1;
    const char *stem = path_stem(reading->arena, content->source.path);
    Indices equal = content_components(reading, content);
    size_t found = choose_child(reading, step, &equal, stem);
    if (found != NO_INDEX)
        return found;
    *other = namesake(reading, step, stem);
    if (*other == NO_INDEX) {
        project_finding(reading, &RULE_chain_child, reached ? SEVERITY_VIOLATION : SEVERITY_NOTE, name, 0,
                        "it is no component of the decomposition");
        return NO_INDEX;
    }
    const Component *component = component_at(reading, *other);
    int line = first_line_apart(&content->source, &component->source);
    project_finding(reading, &RULE_chain_child, SEVERITY_VIOLATION, name, line,
                    "it differs from %s, first in line %d", component->source.name, line);
    return NO_INDEX;
}

static const char *relative(const Reading *reading, const char *path) {
    const char *folder = reading->project->folder;
    size_t length = strlen(folder);
    return strncmp(folder, path, length) == 0 && path[length] == '/' ? path + length + 1 : path;
}

typedef struct Children {
    StepChild *items;
    size_t count, capacity;
} Children;

/* What differs from its component is a finding by itself, and is still meant to be it. */
static size_t meant(const StepChild *child) {
    return child->component != NO_INDEX ? child->component : child->namesake;
}

static void add_child(Reading *reading, const ProjectStep *step, Children *children, const ProgramFile *file,
                      const Content *content) {
    const char *name = relative(reading, content->source.path);
    StepChild child = {.file = file, .path = content->source.path, .name = name};
    child.component = match_child(reading, step, content, name, file != NULL, &child.namesake);
    *(StepChild *)ARENA_PUSH(reading->arena, children) = child;
    if (file != NULL && meant(&child) != NO_INDEX)
        reading->used[meant(&child)] = true;
    if (file != NULL && child.component != NO_INDEX)
        closure_check(reading, step, file, child.component);
    const Component *parent = step->parent == NO_INDEX ? NULL : component_at(reading, step->parent);
    if (file != NULL && parent != NULL && trees_equal(&content->tree, &parent->tree))
        project_finding(reading, &RULE_chain_same, SEVERITY_VIOLATION, name, 0,
                        "it is the same as its parent, %s", parent->source.name);
}

static void join_children(Reading *reading, ProjectStep *step) {
    Children children = {0};
    Table *reached = table_new(reading->arena);
    for (size_t i = 1; i < step->program.count; i++) {
        const ProgramFile *file = step->program.items[i];
        table_put(reached, file->source.path, TABLE_PRESENT);
        if (file->part == PART_CHILD && strcmp(path_name(file->source.path), "__init__.py") != 0)
            add_child(reading, step, &children, file, &(Content){file->source, file->tree});
    }
    FileEntries inside =
        project_entries(reading, arena_printf(reading->arena, "steps/%s/children", step->name), ".py");
    for (size_t i = 0; i < inside.count; i++) {
        const Content *content = table_get(reading->step_files, inside.items[i].path);
        if (content == NULL || table_has(reached, inside.items[i].path))
            continue;
        add_child(reading, step, &children, NULL, content);
        if (step->program.count > 0)
            project_finding(reading, &RULE_chain_unused_child, SEVERITY_NOTE, inside.items[i].name, 0,
                            "refactored.py does not use it");
    }
    step->children = children.items;
    step->child_count = children.count;
}

typedef struct Direct {
    Reading *reading;
    const ProjectStep *step;
    size_t *child_of; /* by file of the program: index in step->children + 1 */
    bool *seen;       /* by file */
    Indices found;
} Direct;

/* What a helper or a package binds is bound by whoever imports it. */
static void find_direct(Direct *direct, const ProgramFile *file) {
    for (size_t i = 0; i < file->bindings.count; i++) {
        const ProgramFile *bound = file->bindings.items[i].file;
        const uint32_t node = file->bindings.items[i].node->id;
        if (file->skipped[node] || file->unreached[node] || file->missing[node])
            continue; /* of the self-test alone */
        if (bound == NULL || direct->seen[bound->index])
            continue;
        direct->seen[bound->index] = true;
        size_t child = direct->child_of[bound->index];
        if (bound->part == PART_HELPER || strcmp(path_name(bound->source.path), "__init__.py") == 0)
            find_direct(direct, bound);
        else if (child > 0 && meant(&direct->step->children[child - 1]) != NO_INDEX)
            *(size_t *)ARENA_PUSH(direct->reading->arena, &direct->found) =
                meant(&direct->step->children[child - 1]);
    }
}

Indices step_children(Reading *reading, const ProjectStep *step) {
    Direct direct = {.reading = reading,
                     .step = step,
                     .child_of = ARENA_ARRAY(reading->arena, size_t, step->program.count + 1),
                     .seen = ARENA_ARRAY(reading->arena, bool, step->program.count + 1)};
    for (size_t i = 0; i < step->child_count; i++)
        if (step->children[i].file != NULL)
            direct.child_of[step->children[i].file->index] = i + 1;
    if (step->program.count == 0)
        return direct.found;
    direct.seen[0] = true;
    find_direct(&direct, step->program.items[0]);
    return direct.found;
}

void chain_check(Reading *reading) {
    Project *project = reading->project;
    for (size_t i = 0; i < project->step_count; i++)
        join_parent(reading, i);
    for (size_t i = 0; i < project->step_count; i++)
        join_children(reading, &project->steps[i]);
    for (size_t i = 0; i < project->component_count; i++) {
        const Component *component = &project->components[i];
        if (component->level != LEVEL_KERNEL && component->step == NO_INDEX && component->broken == NULL)
            project_finding(reading, &RULE_chain_no_step, SEVERITY_VIOLATION, component->source.name, 0,
                            "it is not yet decomposed: no step refactors it");
    }
}
