/* Recomposing: copies of the steps' files, whose imports of components lead into the steps below. */
#include "recompose.h"
#include "step_state.h"

#include <string.h>

enum { DEEPEST = 500 }; /* files and steps on the way to one */

typedef struct StepCopy {
    bool begun, done;
    ProgramFile **files; /* by the step's own numbers; NULL: not copied yet */
} StepCopy;

typedef struct Composer {
    Arena *arena;
    const Project *project;
    Recomposition *result;
    Findings *findings;
    StepCopy *steps;
    Table *paths; /* of files in the program */
    bool *is_missing;
    size_t *way; /* the steps that are being copied, from the root's down */
    size_t way_length;
} Composer;

static ProgramFile *copy_file(Composer *composer, size_t step, const ProgramFile *file);

/* ---- Which component ------------------------------------------------------------------------ */
static bool bytes_equal(Bytes a, Bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static size_t component_of(const Project *project, const ProjectStep *step, const ProgramFile *file) {
    if (file->index == 0)
        return NO_INDEX;
    for (size_t i = 0; i < step->child_count; i++)
        if (step->children[i].file == file)
            return step->children[i].component;
    for (size_t i = 0; i < project->component_count; i++)
        if (bytes_equal(project->components[i].source.bytes, file->source.bytes))
            return i;
    return NO_INDEX;
}

/* ---- Copies --------------------------------------------------------------------------------- */
static const char *shown_name(const Composer *composer, size_t component, const Source *source) {
    const Project *project = composer->project;
    if (component != NO_INDEX && bytes_equal(project->components[component].source.bytes, source->bytes))
        return project->components[component].source.name;
    size_t length = strlen(project->folder);
    if (text_starts(source->path, project->folder) && source->path[length] == '/')
        return source->path + length + 1;
    return source->name;
}

/* The paths of a program are what its frames are known by: no two files have the same. */
static const char *own_path(Composer *composer, const char *path) {
    if (table_has(composer->paths, path))
        path = arena_printf(composer->arena, "%s#%zu", path, composer->result->program.count);
    table_put(composer->paths, path, TABLE_PRESENT);
    return path;
}

static ProgramFile *same_leaf(const Composer *composer, const ProgramFile *file) {
    const Program *program = &composer->result->program;
    for (size_t i = 1; file->bindings.count == 0 && i < program->count; i++) {
        ProgramFile *other = program->items[i];
        if (other->bindings.count == 0 && other->part == file->part &&
            recomposition_file(composer->result, i) != NULL &&
            recomposition_file(composer->result, i)->file == i &&
            bytes_equal(other->source.bytes, file->source.bytes))
            return other;
    }
    return NULL;
}

static ProgramFile *new_file(Composer *composer, const ProgramFile *file, size_t component) {
    Program *program = &composer->result->program;
    ProgramFile *copy = ARENA_NEW(composer->arena, ProgramFile);
    *copy = *file;
    copy->index = program->count;
    copy->source.name = shown_name(composer, component, &file->source);
    copy->source.path = own_path(composer, file->source.path);
    copy->tree.source = &copy->source;
    if (copy->index > 0 && copy->part == PART_OWN)
        copy->part = PART_CHILD;
    *(ProgramFile **)ARENA_PUSH(composer->arena, program) = copy;
    return copy;
}

static const char *way_in_words(const Composer *composer, size_t to) {
    Text text = text_new(composer->arena);
    size_t first = 0;
    while (composer->way[first] != to)
        first++;
    for (size_t i = first; i < composer->way_length; i++)
        text_printf(&text, "%s → ", composer->project->steps[composer->way[i]].name);
    text_add(&text, composer->project->steps[to].name);
    return text.data;
}

static bool defines(const ProgramFile *file, const char *function) {
    const Program alone = {.items = (ProgramFile **)&file, .count = 1};
    return program_defines(&alone, function);
}

static void give_up(Composer *composer, const char *rule, const char *file, const char *what) {
    if (composer->result->why_not != NULL)
        return;
    composer->result->why_not = what;
    findings_add(composer->findings, project_rule(rule), SEVERITY_VIOLATION, (Place){.file = file}, "%s",
                 what);
}

/* The copy of a step's refactored.py; NULL if it can't be had. */
static ProgramFile *copy_step(Composer *composer, size_t index) {
    const ProjectStep *step = &composer->project->steps[index];
    StepCopy *copy = &composer->steps[index];
    if (copy->begun && !copy->done) {
        give_up(composer, "composition.cycle", step->name,
                arena_printf(composer->arena, "the steps lead back to where they began: %s",
                             way_in_words(composer, index)));
        return NULL;
    }
    if (copy->done)
        return copy->files[0];
    if (composer->way_length >= DEEPEST) {
        give_up(composer, "composition.cycle", step->name, "steps are nested too deeply");
        return NULL;
    }
    copy->begun = true;
    copy->files = ARENA_ARRAY(composer->arena, ProgramFile *, step->program.count + 1);
    composer->way[composer->way_length++] = index;
    composer->result->step_used[index] = true;
    ProgramFile *file = copy_file(composer, index, step->program.items[0]);
    composer->way_length--;
    copy->done = true;
    return file;
}

static bool can_be_read(const ProjectStep *step) {
    return step->broken == NULL && step->program.count > 0;
}

/* A component above kernel level without a step stays as it is. */
static void miss(Composer *composer, size_t index) {
    const Project *project = composer->project;
    const Component *component = &project->components[index];
    if (composer->is_missing[index])
        return;
    composer->is_missing[index] = true;
    *(size_t *)ARENA_PUSH(composer->arena, &composer->result->missing) = index;
    const Place place = {.file = component->source.name};
    if (component->step == NO_INDEX)
        findings_add(composer->findings, project_rule("composition.missing-step"), SEVERITY_VIOLATION, place,
                     "no step refactors this %s", level_name(component->level));
    else
        findings_add(composer->findings, project_rule("composition.broken-step"), SEVERITY_VIOLATION, place,
                     "%s, which refactors it, cannot be read: %s", project->steps[component->step].name,
                     project->steps[component->step].broken == NULL ? "it has no refactored.py"
                                                                    : project->steps[component->step].broken);
}

static void add_composed(Composer *composer, const ProgramFile *file, size_t index) {
    const Project *project = composer->project;
    const Component *component = &project->components[index];
    size_t row = composer->result->composed.count;
    *(ComposedFile *)ARENA_PUSH(composer->arena, &composer->result->composed) =
        (ComposedFile){file->index, index, NO_INDEX, NO_INDEX, NO_INDEX};
    const bool has_step = component->step != NO_INDEX && can_be_read(&project->steps[component->step]);
    if (!has_step) {
        if (component->level > LEVEL_KERNEL)
            miss(composer, index);
        return;
    }
    const ProgramFile *refactored = copy_step(composer, component->step);
    if (refactored == NULL)
        return;
    ComposedFile *composed = &composer->result->composed.items[row];
    composed->step = component->step;
    composed->refactored = refactored->index;
    composed->init = defines(refactored, "get_init_inputs") ? refactored->index : file->index;
}

static ProgramFile *copy_file(Composer *composer, size_t step, const ProgramFile *file) {
    StepCopy *copies = &composer->steps[step];
    if (copies->files[file->index] != NULL)
        return copies->files[file->index];
    const size_t component = component_of(composer->project, &composer->project->steps[step], file);
    ProgramFile *copy = component == NO_INDEX ? NULL : same_leaf(composer, file);
    if (copy != NULL) {
        const size_t below = composer->project->components[component].step;
        if (below != NO_INDEX && composer->steps[below].begun)
            copy_step(composer, below); /* which says so if it is being copied */
        return copies->files[file->index] = copy;
    }
    copy = copies->files[file->index] = new_file(composer, file, component);
    copy->bindings = (Bindings){0};
    for (size_t i = 0; i < file->bindings.count && composer->result->why_not == NULL; i++) {
        Binding *binding = ARENA_PUSH(composer->arena, &copy->bindings);
        *binding = file->bindings.items[i];
        if (binding->file != NULL) {
            /* the list may move while the files behind are copied */
            size_t at = copy->bindings.count - 1;
            const ProgramFile *target = copy_file(composer, step, binding->file);
            copy->bindings.items[at].file = target;
        }
    }
    if (component != NO_INDEX && composer->result->why_not == NULL)
        add_composed(composer, copy, component);
    return copy;
}

/* ---- The whole ------------------------------------------------------------------------------ */
const ComposedFile *recomposition_file(const Recomposition *recomposition, size_t file) {
    for (size_t i = 0; i < recomposition->composed.count; i++)
        if (recomposition->composed.items[i].file == file ||
            recomposition->composed.items[i].refactored == file)
            return &recomposition->composed.items[i];
    return NULL;
}

void recompose(Arena *arena, const Project *project, Recomposition *result, Findings *findings) {
    *result = (Recomposition){.program = {.arena = arena}};
    Composer composer = {.arena = arena,
                         .project = project,
                         .result = result,
                         .findings = findings,
                         .steps = ARENA_ARRAY(arena, StepCopy, project->step_count + 1),
                         .paths = table_new(arena),
                         .is_missing = ARENA_ARRAY(arena, bool, project->component_count + 1),
                         .way = ARENA_ARRAY(arena, size_t, project->step_count + DEEPEST + 1)};
    result->step_used = ARENA_ARRAY(arena, bool, project->step_count + 1);
    const size_t root = project->root_component;
    if (root == NO_INDEX) {
        result->why_not = "there is no component of level model";
        return;
    }
    const Component *component = &project->components[root];
    if (component->step == NO_INDEX || !can_be_read(&project->steps[component->step])) {
        miss(&composer, root);
        result->why_not = "no step refactors the model";
        return;
    }
    copy_step(&composer, component->step);
}

json_t *recomposition_to_json(const Recomposition *recomposition) {
    json_t *rows = json_array();
    for (size_t i = 0; i < recomposition->composed.count; i++) {
        const ComposedFile *row = &recomposition->composed.items[i];
        json_t *json = json_pack("{s:I, s:n, s:n}", "file", (json_int_t)row->file, "refactored", "init");
        if (row->refactored != NO_INDEX) {
            json_object_set_new(json, "refactored", json_integer((json_int_t)row->refactored));
            json_object_set_new(json, "init", json_integer((json_int_t)row->init));
        }
        json_array_append_new(rows, json);
    }
    return rows;
}
