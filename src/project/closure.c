/* What a component imports, wherever it stands: a copy in children/ with the same bytes is another component
 * if its imports lead to other files. */
#include "project_parts.h"

#include <string.h>

typedef struct Closure {
    Reading *reading;
    const char *step; /* in which the copy stands */
    bool *compared;   /* by file of the copy's program */
} Closure;

/* The component's own program; NULL if it can't be had, which is found when the component is verified. */
const Program *component_program(Reading *reading, size_t component) {
    const Component *own = &reading->project->components[component];
    if (reading->programs[component] != NULL)
        return reading->programs[component];
    Error error;
    Program *program = ARENA_NEW(reading->arena, Program);
    if (program_load(reading->arena, &reading->parser, own->source.path, PART_CHILD,
                     reading->options->allowed_imports, reading->options->allowed_import_count, program,
                     findings_new(reading->arena), &error) != STATUS_OK)
        *program = (Program){.arena = reading->arena};
    reading->programs[component] = program;
    return program->count == 0 ? NULL : program;
}

static bool is_reached(const ProgramFile *file, const Binding *binding) {
    const uint32_t node = binding->node->id;
    return binding->file != NULL && !file->skipped[node] && !file->unreached[node] && !file->missing[node];
}

static const Binding *like(const Bindings *bindings, const Binding *binding) {
    for (size_t i = 0; i < bindings->count; i++)
        if (text_equal(bindings->items[i].name, binding->name) &&
            text_equal(bindings->items[i].attribute, binding->attribute))
            return &bindings->items[i];
    return NULL;
}

static const char *shown(const Closure *closure, const ProgramFile *file) {
    const char *folder = closure->reading->project->folder, *path = file->source.path;
    const size_t length = strlen(folder);
    return text_starts(path, folder) && path[length] == '/' ? path + length + 1 : path;
}

static void report(Closure *closure, const ProgramFile *importer, const Binding *binding, const char *what) {
    project_finding(closure->reading, &RULE_chain_child, SEVERITY_VIOLATION, shown(closure, importer),
                    binding->node->line, "in steps/%s it imports another %s than the component does: %s",
                    closure->step, binding->name == NULL ? "file" : binding->name, what);
}

/* `copy` is reached in the step, `own` by the component where it lies. False: a difference was reported. */
static bool same_imports(Closure *closure, const ProgramFile *copy, const ProgramFile *own) {
    if (closure->compared[copy->index])
        return true;
    closure->compared[copy->index] = true;
    for (size_t i = 0; i < copy->bindings.count; i++) {
        const Binding *binding = &copy->bindings.items[i];
        if (!is_reached(copy, binding))
            continue;
        const Binding *other = like(&own->bindings, binding);
        if (other == NULL || other->file == NULL) {
            report(closure, copy, binding, "there it is not found");
            return false;
        }
        if (!trees_equal(&binding->file->tree, &other->file->tree)) {
            report(closure, copy, binding,
                   arena_printf(closure->reading->arena, "%s and %s differ, first in line %d",
                                shown(closure, binding->file), shown(closure, other->file),
                                first_line_apart(&binding->file->source, &other->file->source)));
            return false;
        }
        if (!same_imports(closure, binding->file, other->file))
            return false;
    }
    for (size_t i = 0; i < own->bindings.count; i++) {
        const Binding *binding = &own->bindings.items[i];
        if (is_reached(own, binding) && like(&copy->bindings, binding) == NULL &&
            like(&copy->dropped, binding) == NULL) {
            report(closure, own, binding, "in the step it is not found");
            return false;
        }
    }
    return true;
}

/* Whether an import of the file leads to a file of the decomposition, or is allowed to lead nowhere. */
static bool imports_files(const ProgramFile *file) {
    for (size_t i = 0; i < file->tree.node_count; i++)
        if (file->missing[i])
            return true;
    return file->bindings.count > 0;
}

void closure_check(Reading *reading, const ProjectStep *step, const ProgramFile *copy, size_t component) {
    const bool asked = !reading->options->structure_only && imports_files(copy);
    const Program *own = asked ? component_program(reading, component) : NULL;
    if (own == NULL)
        return;
    Closure closure = {reading, step->name, ARENA_ARRAY(reading->arena, bool, step->program.count + 1)};
    same_imports(&closure, copy, own->items[0]);
}
