/* The recomposed model against the root model, and what stands where in it. */
#include "composing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

Finding *composing_add(Composing *composing, const char *rule, Severity severity, const char *file,
                       const char *what) {
    return findings_add(composing->result->findings, project_rule(rule), severity, (Place){.file = file},
                        "%s", what);
}

/* ---- What may be run ------------------------------------------------------------------------ */
/* Why a step's files can't be run: they break the rules of the language. NULL: they keep them. Loaded once
 * more for what its imports show. */
static const char *language_problem(Composing *composing, Probe *probe, const ProjectStep *step) {
    Arena *arena = composing->arena;
    const StepOptions *options = &composing->options->step;
    Findings *findings = findings_new(arena);
    Program again;
    Error error;
    const Parser parser = options->parser != NULL ? *options->parser : probe_parser(probe);
    if (program_load(arena, &parser, step->refactored, PART_OWN, options->allowed_imports,
                     options->allowed_import_count, &again, findings, &error) != STATUS_OK)
        return error_line(arena, &error);
    if (!program_equal(&again, &step->program))
        return "its files changed while they were read";
    policy_judge_language(&step->program, options->allowed_imports, options->allowed_import_count, findings);
    for (size_t i = 0; i < findings->count; i++) {
        const Finding *finding = &findings->items[i];
        if (finding->severity == SEVERITY_VIOLATION)
            return finding->place.line > 0 ? arena_printf(arena, "%s:%d: %s", finding->place.file,
                                                          finding->place.line, finding->what)
                                           : finding->what;
    }
    return NULL;
}

static bool may_be_run(Composing *composing, Probe *probe) {
    const Project *project = composing->project;
    for (size_t i = 0; i < project->step_count && !composing->options->step.skip_anticheat; i++) {
        const char *problem = composing->recomposition.step_used[i]
                                  ? language_problem(composing, probe, &project->steps[i])
                                  : NULL;
        if (problem == NULL)
            continue;
        const char *what = arena_printf(composing->arena, "%s is not run, nor what is made of it: %s",
                                        project->steps[i].name, problem);
        composing_add(composing, "composition.language", SEVERITY_VIOLATION, project->steps[i].name, what);
        composing->result->why_not = what;
        return false;
    }
    return true;
}

/* ---- The map -------------------------------------------------------------------------------- */
static int by_length(const void *left, const void *right) {
    const Instance *a = left, *b = right;
    size_t one = strlen(a->path), other = strlen(b->path);
    return one != other ? (one > other) - (one < other) : strcmp(a->path, b->path);
}

static const Assignment *assignment_of(const Composing *composing, size_t step) {
    return composing->steps == NULL || composing->steps[step] == NULL ? NULL
                                                                      : composing->steps[step]->assignment;
}

static const char *compose_map(Composing *composing, WeightMap *map) {
    const Project *project = composing->project;
    const Constructions built = read_constructions(composing);
    Instance *instances = ARENA_ARRAY(composing->arena, Instance, built.count + 1);
    const size_t root = project->components[project->root_component].step;
    size_t count = 0;
    instances[count++] = (Instance){"", assignment_of(composing, root)};
    if (instances[0].assignment == NULL)
        return arena_printf(composing->arena, "%s assigns no weights", project->steps[root].name);
    for (size_t i = 0; i < built.count; i++) {
        const ComposedFile *composed = built.items[i].composed;
        if (composed->step == NO_INDEX)
            continue;
        instances[count] = (Instance){built.items[i].module, assignment_of(composing, composed->step)};
        if (instances[count++].assignment == NULL)
            return arena_printf(composing->arena, "%s assigns no weights",
                                project->steps[composed->step].name);
    }
    qsort(instances, count, sizeof *instances, by_length);
    const char *problem;
    return compose_maps(composing->arena, instances, count, map, &problem) ? NULL : problem;
}

static Status settle_map(StepState *step, Error *error) {
    (void)error;
    Composing *composing = step->composed->context;
    json_decref(composing->constructions);
    composing->constructions =
        json_incref(json_object_get(step->candidate_description.done, "constructions"));
    WeightMap map;
    const char *problem = compose_map(composing, &map);
    if (problem != NULL) {
        composing_add(composing, "composition.map", SEVERITY_NOTE, NULL,
                      arena_printf(composing->arena, "the steps' weight maps are not composed: %s", problem));
        return STATUS_OK;
    }
    json_decref(composing->result->weight_map);
    composing->result->weight_map = weight_map_to_json(&map);
    step->map = map;
    step->has_map = true;
    return STATUS_OK;
}

/* ---- The whole ------------------------------------------------------------------------------ */
static const char **file_names(Arena *arena, const Program *program, size_t *count) {
    const char **names = ARENA_ARRAY(arena, const char *, program->count + 1);
    for (size_t i = 0; i < program->count; i++)
        names[i] = program->items[i]->source.name;
    *count = program->count;
    return names;
}

static void take_recording(const StepState *step, CompositionResult *result) {
    result->recorded = step->recorded;
    if (!step->recorded) {
        result->original_trace = step->original_trace;
        result->trace = step->candidate_trace;
        return;
    }
    result->original_trace = step->original_recorded;
    result->trace = step->candidate_recorded;
    result->original_graph = step->original_graph;
    result->graph = step->candidate_graph;
    result->original_graph.trace = &result->original_trace;
    result->graph.trace = &result->trace;
}

/* A recomposed model that can't be built is no riddle but a finding, if the root model can be. */
static void explain_error(Composing *composing, const StepState *step) {
    StepResult *result = &composing->result->step;
    if (result->verdict != VERDICT_ERROR || step->original_description.done == NULL)
        return;
    result->verdict = VERDICT_FAIL;
    result->fail_reason = result->error;
    composing_add(composing, "composition.not-built", SEVERITY_VIOLATION, NULL,
                  arena_printf(composing->arena, "the recomposed model cannot be judged: %s", result->error));
}

void composition_conclude(Arena *arena, CompositionResult *result) {
    result->fail_reason = NULL;
    findings_sort(result->findings);
    const Finding *first = NULL;
    for (size_t i = 0; i < result->findings->count && first == NULL; i++)
        if (result->findings->items[i].severity == SEVERITY_VIOLATION)
            first = &result->findings->items[i];
    result->verdict = VERDICT_FAIL;
    if (result->composed && result->step.verdict == VERDICT_ERROR)
        result->verdict = VERDICT_ERROR;
    if (result->composed && result->step.verdict == VERDICT_PASS && first == NULL)
        result->verdict = VERDICT_PASS;
    if (result->verdict == VERDICT_PASS)
        return;
    result->fail_reason = !result->composed                       ? result->why_not
                          : result->step.verdict == VERDICT_ERROR ? result->step.error
                          : result->step.verdict == VERDICT_FAIL  ? result->step.fail_reason
                                                                  : finding_text(arena, first);
}

static void verify_recomposed(Composing *composing, StepState *step) {
    CompositionResult *result = composing->result;
    ComposedProgram composed = {.program = &composing->recomposition.program,
                                .rows = recomposition_to_json(&composing->recomposition),
                                .settle_map = settle_map,
                                .context = composing};
    step->composed = &composed;
    step_state_verify(step);
    explain_error(composing, step);
    take_recording(step, result);
    const bool traced = step->recorded || step->has_traces;
    place_components(composing, traced ? &result->trace : NULL);
    result->files = file_names(composing->arena, &composing->recomposition.program, &result->file_count);
    result->original_files =
        file_names(composing->arena, &step->original.program, &result->original_file_count);
    json_decref(composed.rows);
    step->composed = NULL;
}

static void nothing_composed(const Composing *composing, const StepOptions *options) {
    CompositionResult *result = composing->result;
    result->why_not = result->why_not != NULL ? result->why_not : composing->recomposition.why_not;
    result->step.verdict = VERDICT_FAIL;
    result->step.fail_reason = result->why_not;
    result->step.original_file = options->original;
    result->step.refactored_file = options->refactored;
}

void composition_verify(Arena *arena, Probe *probe, const Project *project, const StepResult *const *steps,
                        const CompositionOptions *options, const Progress *progress,
                        CompositionResult *result) {
    *result = (CompositionResult){.findings = findings_new(arena), .test = PART_SKIPPED};
    Composing composing = {
        .arena = arena, .project = project, .steps = steps, .options = options, .result = result};
    recompose(arena, project, &composing.recomposition, result->findings);
    result->missing = composing.recomposition.missing.items;
    result->missing_count = composing.recomposition.missing.count;
    StepOptions *own = ARENA_NEW(arena, StepOptions);
    *own = options->step;
    own->original = project->model;
    own->weight_map = NULL;
    own->refactored = composing.recomposition.program.count > 0
                          ? composing.recomposition.program.items[0]->source.name
                          : project->model;
    StepState *step = step_new(arena, probe, own, progress, &result->step);
    result->composed = composing.recomposition.why_not == NULL && may_be_run(&composing, probe);
    if (result->composed)
        verify_recomposed(&composing, step);
    else
        nothing_composed(&composing, own);
    Error error;
    const bool traced = result->composed && (step->recorded || step->has_traces);
    if (probe_ready(probe, &error) != STATUS_OK ||
        composition_test_run(&composing, &step->settings, traced ? &result->trace : NULL, &error) !=
            STATUS_OK) {
        result->test = PART_FAILED;
        composing_add(&composing, "composition.test-failed", SEVERITY_VIOLATION,
                      "verification/composition_test.py", error_line(arena, &error));
    }
    composition_conclude(arena, result);
    json_decref(composing.constructions);
    step_close(step);
}
