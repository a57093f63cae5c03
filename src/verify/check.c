/* check: the parts of a whole decomposition, in order; what they found, gathered with places in the folder.
 */
#include "check_parts.h"

#include "recall.h"

#include <math.h>
#include <string.h>

typedef struct Check {
    Arena *arena;
    Probe *probe;
    const CheckOptions *options;
    const Progress *progress;
    Parser parser;
    CheckResult *result;
    CompositionTest composition_test;
    Recall *root_recall; /* what the step of the root found out of it */
} Check;

static void tell(const Check *check, const char *what) {
    if (check->progress->tell != NULL)
        check->progress->tell(check->progress->context, what);
}

/* ---- Components and steps: tasks ------------------------------------------------------------- */

typedef struct CheckTask {
    Check *check;
    size_t index; /* of the component or step */
} CheckTask;

typedef struct Tasks {
    Task *items;
    size_t count, capacity;
} Tasks;

static unsigned threads_of(const Check *check) {
    const CheckOptions *options = check->options;
    return options->threads > 0 ? options->threads : options->jobs == 1 ? 0 : 1;
}

static ComponentOptions component_options(const Check *check, const char *file, bool trusted) {
    const CheckOptions *options = check->options;
    return (ComponentOptions){.file = file,
                              .trusted = trusted,
                              .rigor = options->rigor,
                              .parser = &check->parser,
                              .seed = options->seed,
                              .device = options->device,
                              .timeout = options->timeout,
                              .self_test_timeout = options->self_test_timeout,
                              .memory = options->memory,
                              .threads = (int)threads_of(check),
                              .allowed_imports = options->project.allowed_imports,
                              .allowed_import_count = options->project.allowed_import_count};
}

static StepOptions step_options(const Check *check) {
    const CheckOptions *options = check->options;
    return (StepOptions){.rigor = options->rigor,
                         .rtol = NAN,
                         .atol = NAN,
                         .trial_count = 3,
                         .seed = options->seed,
                         .device = options->device,
                         .timeout = options->timeout,
                         .memory = options->memory,
                         .parser = &check->parser,
                         .allowed_imports = options->project.allowed_imports,
                         .allowed_import_count = options->project.allowed_import_count};
}

static ComponentState *begin_component(Check *check, size_t index, Recall *recall, Arena *arena,
                                       const Progress *progress) {
    const Project *project = &check->result->project;
    const Component *component = &project->components[index];
    ComponentOptions *options = ARENA_NEW(arena, ComponentOptions);
    *options = component_options(check, component->source.path,
                                 index == project->root_component && project->model_equals_root);
    options->has_level = true;
    options->level = component->level;
    options->recall = recall;
    return component_begin(arena, check->probe, check->options->patterns, options, progress,
                           &check->result->components[index]);
}

static void run_component(void *context, Arena *arena, const Progress *progress) {
    const CheckTask *task = context;
    component_end(begin_component(task->check, task->index, NULL, arena, progress));
}

void step_choose_original(const Project *project, const ProjectStep *step, StepOptions *options) {
    options->original = step->original;
    if (step->parent == project->root_component && step->parent != NO_INDEX && project->model_equals_root) {
        options->original = project->model;
    } else if (step->parent != NO_INDEX && step->original_is_parent) {
        options->original = project->components[step->parent].source.path;
        options->original_is_component = true;
    }
}

static void judge_step(Check *check, size_t index, Recall *recall, Arena *arena, const Progress *progress) {
    const Project *project = &check->result->project;
    const ProjectStep *step = &project->steps[index];
    StepOptions *options = ARENA_NEW(arena, StepOptions); /* results name their files */
    StepResult *result = &check->result->steps[index];
    *options = step_options(check);
    options->recall = recall;
    options->threads = threads_of(check);
    step_choose_original(project, step, options);
    options->refactored = step->refactored;
    options->weight_map = step->weight_map;
    if (options->original != NULL && options->refactored != NULL) {
        step_verify(arena, check->probe, options, progress, result);
        if (step->original != NULL && step->original_is_parent) {
            result->original_file = step->original; /* which says the same */
            result->judged_against = options->original;
        }
        return;
    }
    Error error;
    options->original = options->original == NULL ? "original.py" : options->original;
    options->refactored = options->refactored == NULL ? "refactored.py" : options->refactored;
    if (error_set(&error, step->name, "give the step both files", "%s is missing",
                  step->refactored == NULL ? "refactored.py" : "what it refactors") != STATUS_OK)
        step_result_error(arena, options, &error, result);
}

/* The component that a step takes apart is the step's original too: its inputs are made once, and it is
 * recorded once. */
static bool is_judged_with_step(const Project *project, size_t component) {
    return project->components[component].broken == NULL && project->components[component].step != NO_INDEX;
}

static void run_step(void *context, Arena *arena, const Progress *progress) {
    const CheckTask *task = context;
    Check *check = task->check;
    const Project *project = &check->result->project;
    const size_t parent = project->steps[task->index].parent;
    const bool own = parent != NO_INDEX && project->components[parent].step == task->index;
    /* With numbers, a component is described by more than a step's original. */
    Recall *recall = check->options->rigor == RIGOR_FAST ? recall_new(arena) : NULL;
    ComponentState *component = own && is_judged_with_step(project, parent)
                                    ? begin_component(check, parent, recall, arena, progress)
                                    : NULL;
    judge_step(check, task->index, recall, arena, progress);
    if (component != NULL)
        component_end(component);
    if (own && parent == project->root_component)
        check->root_recall = recall;
    else
        recall_close(recall);
}

static void run_model(void *context, Arena *arena, const Progress *progress) {
    const CheckTask *task = context;
    Check *check = task->check;
    CheckResult *result = check->result;
    const Project *project = &result->project;
    const ComponentOptions options = component_options(check, project->model, true);
    component_verify(arena, check->probe, check->options->patterns, &options, progress, &result->model);
    StepOptions *proof = ARENA_NEW(arena, StepOptions);
    *proof = step_options(check);
    proof->original = project->model;
    proof->refactored = project->components[project->root_component].source.path;
    proof_verify(arena, check->probe, proof, true, progress, &result->model_proof);
}

static void run_composition_test(void *context, Arena *arena, const Progress *progress) {
    const CheckTask *task = context;
    Check *check = task->check;
    const StepOptions options = step_options(check);
    (void)progress;
    composition_test_verify(arena, check->probe, &check->result->project, &options, &check->composition_test);
}

static void run_composition(void *context, Arena *arena, const Progress *progress) {
    const CheckTask *task = context;
    Check *check = task->check;
    CheckResult *result = check->result;
    const Project *project = &result->project;
    const StepResult **steps = ARENA_ARRAY(arena, const StepResult *, project->step_count + 1);
    for (size_t i = 0; i < project->step_count; i++)
        steps[i] = &result->steps[i];
    CompositionOptions *options = ARENA_NEW(arena, CompositionOptions);
    *options =
        (CompositionOptions){.step = step_options(check), .run_test = true, .test = &check->composition_test};
    options->step.recall = check->root_recall;
    composition_verify(arena, check->probe, project, steps, options, progress, &result->composition);
}

static void add_task(Check *check, Tasks *tasks, const Task *given, size_t index) {
    CheckTask *context = ARENA_NEW(check->arena, CheckTask);
    *context = (CheckTask){check, index};
    Task *task = ARENA_PUSH(check->arena, tasks);
    *task = *given;
    task->context = context;
}

/* What is interrupted before it begins has said nothing, which is no PASS. */
static void begin_unjudged(Check *check) {
    CheckResult *result = check->result;
    static const char why[] = "interrupted before it was judged";
    for (size_t i = 0; i < result->project.component_count; i++) {
        const char *broken = result->project.components[i].broken; /* then it never is */
        result->components[i] = (ComponentResult){.verdict = VERDICT_ERROR,
                                                  .error = broken != NULL ? broken : why,
                                                  .findings = findings_new(check->arena)};
    }
    for (size_t i = 0; i < result->project.step_count; i++)
        result->steps[i] =
            (StepResult){.verdict = VERDICT_ERROR, .error = why, .findings = findings_new(check->arena)};
    result->composition = (CompositionResult){
        .verdict = VERDICT_ERROR,
        .fail_reason = why,
        .step = {.verdict = VERDICT_ERROR, .error = why, .findings = findings_new(check->arena)},
        .findings = findings_new(check->arena)};
}

/* Steps first, then the recomposed model, which stands on their weight maps; components meanwhile. */
static void run_tasks(Check *check) {
    CheckResult *result = check->result;
    const Project *project = &result->project;
    const uint64_t whole =
        project->root_component == NO_INDEX ? 0 : declared_memory(project, project->root_component);
    Tasks tasks = {0};
    result->has_model = !project->model_equals_root && project->root_component != NO_INDEX;
    if (result->has_model)
        add_task(check, &tasks, &(Task){.name = "the root model", .run = run_model, .memory = whole}, 0);
    add_task(check, &tasks,
             &(Task){.name = "composition_test.py", .run = run_composition_test, .memory = whole}, 0);
    for (size_t i = 0; i < project->step_count; i++)
        add_task(check, &tasks,
                 &(Task){.name = project->steps[i].name,
                         .run = run_step,
                         .memory = declared_memory(project, project->steps[i].parent)},
                 i);
    add_task(
        check, &tasks,
        &(Task){.name = "the recomposed model", .run = run_composition, .memory = whole, .follows = true}, 0);
    for (size_t i = 0; i < project->component_count; i++)
        if (project->components[i].broken == NULL && /* otherwise a finding says why it can't be read */
            !is_judged_with_step(project, i))
            add_task(check, &tasks,
                     &(Task){.name = project->components[i].stem,
                             .run = run_component,
                             .memory = declared_memory(project, i),
                             .follows = true},
                     i);
    const TaskSettings settings = {.jobs = check->options->jobs,
                                   .memory = check->options->memory,
                                   .interrupted = check->options->interrupted,
                                   .tell = check->progress->tell,
                                   .tell_context = check->progress->context};
    tasks_run(check->arena, tasks.items, tasks.count, &settings);
    recall_close(check->root_recall);
    for (size_t i = 0; i < tasks.count; i++)
        result->interrupted |= !tasks.items[i].done;
}

/* ---- Findings, with places in the folder -------------------------------------------------------- */

/* Without the folder's own path, wherever it stands. */
static const char *in_folder(Arena *arena, const Project *project, const char *text) {
    const char *prefix = arena_printf(arena, "%s/", project->folder), *found;
    const size_t length = strlen(prefix);
    if (text == NULL || (found = strstr(text, prefix)) == NULL)
        return text;
    Text shorter = text_new(arena);
    for (; found != NULL; text = found + length, found = strstr(text, prefix))
        text_printf(&shorter, "%.*s", (int)(found - text), text);
    text_add(&shorter, text);
    return shorter.data;
}

/* `of`: what was judged; its files are relative to `folder`, or to the decomposition if that is NULL. */
static void gather(Check *check, const Findings *from, const char *of, const char *folder) {
    CheckResult *result = check->result;
    for (size_t i = 0; from != NULL && i < from->count; i++) {
        Finding *finding = ARENA_PUSH(check->arena, result->findings);
        *finding = from->items[i];
        finding->of = of;
        finding->what = in_folder(check->arena, &result->project, finding->what);
        finding->instead = in_folder(check->arena, &result->project, finding->instead);
        const char *file = in_folder(check->arena, &result->project, finding->place.file);
        if (folder != NULL && file != NULL && file == finding->place.file && file[0] != '/') {
            file = path_join(check->arena, folder, file);
            finding->of = NULL; /* its file says it */
        }
        finding->place.file = file;
    }
}

static Finding *add(Check *check, const char *rule, Severity severity, Place place, const char *what) {
    Finding *finding = findings_add(check->result->findings, project_rule(rule), severity, place, "%s", what);
    return finding;
}

static void gather_all(Check *check) {
    CheckResult *result = check->result;
    const Project *project = &result->project;
    gather(check, project->findings, NULL, NULL);
    for (size_t i = 0; i < project->component_count; i++)
        gather(check, result->components[i].findings, NULL, NULL);
    for (size_t i = 0; i < project->step_count; i++)
        gather(check, result->steps[i].findings, project->steps[i].name,
               arena_printf(check->arena, "steps/%s", project->steps[i].name));
    gather(check, result->composition.findings, NULL, NULL);
    gather(check, result->composition.step.findings, RECOMPOSED, NULL);
    gather(check, result->coverage.findings, NULL, NULL);
}

/* ---- What only the whole shows ------------------------------------------------------------------ */

static bool same_facts(const TensorFacts *a, const TensorFacts *b) {
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        const TensorFact *one = &a->items[i], *other = &b->items[i];
        same = text_equal(one->dtype, other->dtype) && one->rank == other->rank &&
               (one->rank == 0 || memcmp(one->shape, other->shape, one->rank * sizeof *one->shape) == 0);
    }
    return same;
}

static const char *facts_text(Arena *arena, const TensorFacts *facts) {
    Text text = text_new(arena);
    for (size_t i = 0; i < facts->count; i++)
        text_printf(&text, "%s%s: %s", i > 0 ? ", " : "", facts->items[i].name,
                    tensor_fact_describe(arena, &facts->items[i]));
    return facts->count == 0 ? "nothing" : text.data;
}

/* "width=8, depth=2" */
static const char *bound_text(Arena *arena, const Value *bound) {
    Text text = text_new(arena);
    if (bound->kind != VALUE_DICT)
        return "unknown";
    for (size_t i = 0; i + 1 < bound->list.count; i += 2) {
        const Value *name = &bound->list.items[i];
        text_printf(&text, "%s%s=%s", i > 0 ? ", " : "", name->kind == VALUE_STR ? name->text.data : "?",
                    value_describe(arena, &bound->list.items[i + 1]));
    }
    return bound->list.count == 0 ? "nothing" : text_printable(arena, text.data, text.length);
}

/* level_3_model is the root: the same syntax tree, or proof plus equal inputs and init arguments. */
static void judge_root(Check *check) {
    CheckResult *result = check->result;
    if (!result->has_model)
        return;
    const ComponentResult *root = &result->components[result->project.root_component];
    const Place place = {.file = result->project.components[result->project.root_component].source.name};
    const char *rule = "tree.root", *why = NULL;
    if (result->model.verdict == VERDICT_ERROR) {
        why = arena_printf(check->arena, "the root model can't be judged: %s", result->model.error);
    } else if (!value_equal(&result->model.init, &root->init)) {
        rule = "dimensions.init";
        why = arena_printf(check->arena, "its get_init_inputs() is %s here, %s in the root model (%s)",
                           bound_text(check->arena, &root->init),
                           bound_text(check->arena, &result->model.init), result->project.model);
    } else if (!same_facts(&result->model.inputs, &root->inputs)) {
        rule = "dimensions.input";
        why = arena_printf(check->arena, "its get_inputs() is %s here, %s in the root model (%s)",
                           facts_text(check->arena, &root->inputs),
                           facts_text(check->arena, &result->model.inputs), result->project.model);
    } else if (result->model_proof.verdict != VERDICT_PASS) {
        why = arena_printf(check->arena, "it is not proved to be the root model (%s): %s",
                           result->project.model,
                           result->model_proof.verdict == VERDICT_ERROR ? result->model_proof.error
                                                                        : result->model_proof.fail_reason);
    }
    if (why == NULL)
        return;
    Finding *finding = add(check, rule, SEVERITY_VIOLATION, place, why);
    if (text_equal(rule, "tree.root"))
        finding->instead = "let it be the root model, word for word";
}

/* instance_count is optional; where it is given, it is true. */
static void judge_instances(Check *check) {
    const CheckResult *result = check->result;
    const Project *project = &result->project;
    size_t *counts = ARENA_ARRAY(check->arena, size_t, project->component_count + 1);
    if (!result->composition.recorded || result->composition.missing_count > 0)
        return;
    for (size_t i = 0; i < result->composition.placement_count; i++)
        counts[result->composition.placements[i].component]++;
    if (project->root_component != NO_INDEX)
        counts[project->root_component] = 1;
    for (size_t i = 0; i < project->node_count; i++) {
        const TreeNode *node = &project->nodes[i];
        if (node->instance_count < 0 || node->component == NO_INDEX ||
            (size_t)node->instance_count == counts[node->component])
            continue;
        add(check, "tree.counts", SEVERITY_VIOLATION,
            (Place){.file = "decomposition_tree.json", .line = node->line},
            arena_printf(check->arena, "instance_count of '%s' is %lld, and the recomposed model has %zu",
                         node->key, (long long)node->instance_count, counts[node->component]));
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **sorted_names(Arena *arena, const SemanticOperators *operators) {
    const char **names = ARENA_ARRAY(arena, const char *, operators->count + 1);
    for (size_t i = 0; i < operators->count; i++)
        names[i] = operators->items[i].name;
    qsort(names, operators->count, sizeof *names, by_name);
    return names;
}

/* A child that does all that its parent does is the parent again. One operation alone is another matter: the
 * parent is then misclassified. */
static void judge_repeats(Check *check) {
    CheckResult *result = check->result;
    const Project *project = &result->project;
    for (size_t i = 0; i < project->step_count; i++) {
        const ProjectStep *step = &project->steps[i];
        if (step->parent == NO_INDEX || !result->components[step->parent].recorded)
            continue;
        const SemanticOperators *parent = &result->components[step->parent].operators;
        const char **parent_names = sorted_names(check->arena, parent);
        for (size_t j = 0; j < step->child_count; j++) {
            size_t child = step->children[j].component;
            if (child == NO_INDEX || parent->count < 2 ||
                result->components[child].operators.count != parent->count)
                continue;
            const char **names = sorted_names(check->arena, &result->components[child].operators);
            bool same = true;
            for (size_t k = 0; same && k < parent->count; k++)
                same = text_equal(names[k], parent_names[k]);
            if (same)
                add(check, "level.repeats", SEVERITY_VIOLATION,
                    (Place){.file = project->components[child].source.name},
                    arena_printf(check->arena, "it does all %zu operations of its parent %s", parent->count,
                                 project->components[step->parent].source.name));
        }
    }
}

static void judge_placements(Check *check) {
    CheckResult *result = check->result;
    const Project *project = &result->project;
    const ComponentResult **components =
        ARENA_ARRAY(check->arena, const ComponentResult *, project->component_count + 1);
    for (size_t i = 0; i < project->component_count; i++)
        components[i] = &result->components[i];
    dimensions_check(check->arena, project, components, &result->composition, result->findings);
    flow_check(check->arena, project, components, &result->composition, result->findings);
    instances_check(check->arena, project, components, &result->composition, check->options->patterns,
                    result->findings);
}

/* ---- The whole ----------------------------------------------------------------------------------- */

static Status begin(Check *check, Error *error) {
    CheckResult *result = check->result;
    tell(check, "reading the folder");
    const Parser parser = probe_parser(check->probe);
    check->parser = parser_remembering(check->arena, &parser);
    if (project_read(check->arena, &check->parser, &check->options->project, &result->project, error) !=
        STATUS_OK)
        return STATUS_ERROR;
    const Project *project = &result->project;
    result->components = ARENA_ARRAY(check->arena, ComponentResult, project->component_count + 1);
    result->steps = ARENA_ARRAY(check->arena, StepResult, project->step_count + 1);
    tell(check, "waiting for torch");
    return probe_ready(check->probe, error);
}

static void take_facts(Check *check) {
    const ProbeFacts *facts = probe_facts(check->probe);
    check->result->python_version = facts->python;
    check->result->torch_version = facts->torch;
    check->result->interpreter = facts->executable;
    check->result->sandbox = *probe_sandbox(check->probe);
}

void check_verify(Arena *arena, Probe *probe, const CheckOptions *options, const Progress *progress,
                  CheckResult *result) {
    double start = seconds_now();
    *result = (CheckResult){
        .rigor = options->rigor, .patterns = options->patterns, .findings = findings_new(arena)};
    Check check = {
        .arena = arena, .probe = probe, .options = options, .progress = progress, .result = result};
    Error error;
    if (begin(&check, &error) != STATUS_OK) {
        result->verdict = VERDICT_ERROR;
        result->error = error_line(arena, &error);
        result->seconds = seconds_now() - start;
        return;
    }
    begin_unjudged(&check);
    run_tasks(&check);
    if (!result->interrupted) {
        tell(&check, "coverage and shape flow");
        coverage_of_composition(arena, &result->project, &result->composition, options->patterns,
                                &result->coverage);
        result->flow = flow_of_composition(arena, &result->project, &result->composition);
    }
    gather_all(&check);
    if (!result->interrupted) {
        unjudged_check(arena, result);
        judge_root(&check);
        judge_repeats(&check);
        judge_instances(&check);
        children_check(arena, &result->project, &result->composition, result->findings);
        judge_placements(&check);
    }
    take_facts(&check);
    if (options->write != NULL && !result->interrupted)
        options->write(options->write_context, arena, result);
    check_conclude(arena, result);
    tell(&check, "");
    result->seconds = seconds_now() - start;
}

void check_result_close(CheckResult *result) {
    json_decref(result->composition.weight_map);
    result->composition.weight_map = NULL;
}
