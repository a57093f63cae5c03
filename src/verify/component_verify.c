/* One component by itself: its language, its own test, what it does and whether that is what its level
 * claims. */
#include "component_parts.h"
#include "recall.h"
#include "script.h"

#include <math.h>
#include <string.h>

Finding *component_violation(ComponentState *component, const char *rule, Place place, const char *what) {
    const Program *program = &component->side.program;
    if (place.file == NULL)
        place.file = program->count > 0 ? program->items[0]->source.name : component->options->file;
    Finding *finding =
        findings_add(component->result->findings, project_rule(rule), SEVERITY_VIOLATION, place, "%s", what);
    finding->frame = frame_at(component->arena, program, place);
    return finding;
}

/* ---- Reading --------------------------------------------------------------------------------------- */

static void take_files(ComponentState *component) {
    const Program *program = &component->side.program;
    ComponentResult *result = component->result;
    result->files = ARENA_ARRAY(component->arena, const char *, program->count + 1);
    result->file_count = program->count;
    for (size_t i = 0; i < program->count; i++)
        result->files[i] = program->items[i]->source.name;
}

static Status make_side(ComponentState *component, const Program *program, Error *error) {
    const ComponentOptions *options = component->options;
    StepState *step = component->step;
    Side *side = &component->side;
    if (side_make(component->arena, options->trusted ? "original" : "candidate", program, side, error) !=
        STATUS_OK)
        return STATUS_ERROR;
    side->expected = true;
    if (options->rigor == RIGOR_FAST) {
        component->own_recall = options->recall == NULL ? recall_new(component->arena) : NULL;
        side->recall = options->recall == NULL ? component->own_recall : options->recall;
    }
    take_files(component);
    if (probe_ready(step->probe, error) != STATUS_OK)
        return STATUS_ERROR;
    step->original.program = side->program; /* whose imports are preloaded */
    return options->trusted ? preload_imports(step, error) : STATUS_OK;
}

/* `*go_on`: it may be run. */
static Status load(ComponentState *component, bool *go_on, Error *error) {
    const ComponentOptions *options = component->options;
    ComponentResult *result = component->result;
    Parser own = probe_parser(component->step->probe);
    const Parser *parser = options->parser != NULL ? options->parser : &own;
    const FilePart part = options->trusted ? PART_ORIGINAL : PART_CHILD;
    Program program;
    Error problem;
    *go_on = false;
    if (program_load(component->arena, parser, options->file, part, options->allowed_imports,
                     options->allowed_import_count, &program, result->findings, &problem) != STATUS_OK) {
        if (!file_exists(options->file)) {
            *error = problem;
            return STATUS_ERROR;
        }
        Source source;
        Error ignored;
        const bool readable =
            source_read(component->arena, options->file, options->file, &source, &ignored) == STATUS_OK;
        result->fail_reason = error_line(component->arena, &problem);
        findings_add(result->findings, project_rule(readable ? "file.syntax" : "file.unreadable"),
                     SEVERITY_VIOLATION, (Place){.file = options->file}, "%s", problem.cause);
        return STATUS_OK;
    }
    if (make_side(component, &program, error) != STATUS_OK)
        return STATUS_ERROR;
    result->language = PART_SKIPPED;
    *go_on = true;
    if (options->trusted)
        return STATUS_OK;
    policy_judge_language(&component->side.program, options->allowed_imports, options->allowed_import_count,
                          result->findings);
    *go_on = findings_count(result->findings, SEVERITY_VIOLATION) == 0;
    result->language = *go_on ? PART_PASSED : PART_FAILED;
    return STATUS_OK;
}

/* What a name has to look like; whether it is true is judged by what the kernel does. */
static void check_name(ComponentState *component) {
    const ComponentResult *result = component->result;
    const char *rule, *problem;
    if (result->has_level && result->level == LEVEL_KERNEL &&
        kernel_name_wrong(component->arena, path_stem(component->arena, result->file), &rule, &problem))
        component_violation(component, rule, (Place){0}, problem);
}

/* ---- Its own test ---------------------------------------------------------------------------------- */

static ScriptRequest self_test_request(ComponentState *component) {
    const Program *program = &component->side.program;
    const Side *side = &component->side;
    const size_t count = program->count + side->folder_count;
    const char **readable = ARENA_ARRAY(component->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++)
        readable[i] = i < program->count ? program->items[i]->source.path : side->folders[i - program->count];
    return (ScriptRequest){
        .file = program->items[0]->source.path, .readable = readable, .readable_count = count};
}

/* What is done in the cell of a component's own test, before it: every cell costs more than that. The
 * language holds for what makes inputs as for forward, so that either finds torch as it is; it does not hold
 * for the test. */
typedef struct Beside {
    Work inputs, record;
    bool records; /* what a step takes apart is recorded with it */
} Beside;

static Status prepare_beside(ComponentState *component, const RunSettings *settings, Beside *beside,
                             Error *error) {
    const uint64_t seed = component->step->options->seed;
    beside->records = component->own_recall != NULL;
    if (work_inputs_prepare(component->arena, settings, &component->side, seed, &beside->inputs, error) !=
        STATUS_OK)
        return STATUS_ERROR;
    if (!beside->records)
        return STATUS_OK;
    const RecordWork record = {
        .seed = seed, .describe = true, .inputs_file = work_file(&beside->inputs, "inputs")};
    return work_record_prepare(component->arena, settings, &component->side, &record, &beside->record, error);
}

static void close_beside(Beside *beside) {
    Work *const works[] = {&beside->inputs, &beside->record};
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        for (size_t j = works[i]->lent_count; j < works[i]->file_count; j++)
            if (works[i]->files[j] != works[i]->recording)
                memory_file_close(works[i]->files[j]);
        work_close(works[i]);
    }
}

static void keep_beside(ComponentState *component, Beside *beside, const ScriptResult *script) {
    Recall *recall = component->side.recall;
    if (script->inputs != NULL)
        recall_keep(recall, &beside->inputs, script->inputs);
    if (script->inputs == NULL || script->recorded == NULL)
        return;
    RecordInputs inputs =
        record_inputs(component->step, json_array_get(json_object_get(script->inputs, "trials"), 0),
                      work_file(&beside->inputs, "inputs"), false);
    json_object_set_new(beside->record.work, "trials", record_trials(component->step, &inputs));
    recall_keep(recall, &beside->record, script->recorded);
    record_inputs_close(&inputs);
}

/* A test that fails after other work is run by itself, as if nothing had been loaded before. */
static Status run_self_test(ComponentState *component, const RunSettings *settings, ScriptResult *script,
                            Error *error) {
    ScriptRequest request = self_test_request(component);
    Beside beside = {0};
    const bool on_the_way = component->side.recall != NULL && !component->options->trusted;
    Status status = STATUS_OK;
    if (on_the_way) {
        status = prepare_beside(component, settings, &beside, error);
        request.inputs = &beside.inputs;
        request.record = beside.records ? &beside.record : NULL;
    }
    if (status == STATUS_OK)
        status = script_run(component->arena, settings, &request, script, error);
    if (status == STATUS_OK && on_the_way) {
        keep_beside(component, &beside, script);
        json_decref(script->inputs);
        json_decref(script->recorded);
        script->inputs = script->recorded = NULL;
    }
    if (status == STATUS_OK && on_the_way && !script->passed && script->status >= 0) {
        request.inputs = request.record = NULL;
        status = script_run(component->arena, settings, &request, script, error);
    }
    close_beside(&beside);
    return status;
}

static Status self_test(ComponentState *component, Error *error) {
    ComponentResult *result = component->result;
    RunSettings settings = component->step->settings;
    settings.timeout = component->options->self_test_timeout > 0 ? component->options->self_test_timeout : 60;
    ScriptResult script;
    step_tell(component->step, "its own test");
    if (run_self_test(component, &settings, &script, error) != STATUS_OK)
        return STATUS_ERROR;
    result->self_test = script.passed ? PART_PASSED : PART_FAILED;
    result->self_test_said =
        script.said == NULL ? "" : text_printable(component->arena, script.said, strlen(script.said));
    if (script.passed)
        return STATUS_OK;
    Finding *finding = component_violation(
        component, "component.self-test", (Place){0},
        arena_printf(component->arena, "its own test %s",
                     text_printable(component->arena, script.why_not, strlen(script.why_not))));
    if (script.status == 0 && result->self_test_said[0] == '\0')
        finding->instead = "end the file with an `if __name__ == \"__main__\":` that runs it and prints PASS";
    return STATUS_OK;
}

/* ---- Recording ------------------------------------------------------------------------------------- */

typedef struct Shown { /* what recording it gives */
    Description inputs, described;
    Recording recording;
    CellFailure failure; /* nothing could be recorded */
} Shown;

/* On shapes alone, or on the numbers of `real`. */
static Status record(ComponentState *component, const Description *sample, bool real, Shown *shown,
                     Error *error) {
    StepState *step = component->step;
    RecordInputs inputs = record_inputs(step, json_array_get(json_object_get(sample->done, "trials"), 0),
                                        sample->inputs, false);
    RecordRequest request = {.inputs = &inputs, .describe = !real};
    Work work;
    if (real) {
        request.weights = weights_layout_original(&sample->state);
        request.weights_file = sample->weights;
    }
    Status status = record_start(step, &component->side, &request, &work, error);
    if (status == STATUS_OK)
        status = record_finish(step->arena, &work, &inputs, &shown->recording,
                               real ? NULL : &shown->described, error);
    json_decref((json_t *)request.weights);
    record_inputs_close(&inputs);
    return status;
}

static Status describe(ComponentState *component, Description *description, CellFailure *failure,
                       Error *error) {
    StepState *step = component->step;
    const DescribeRequest wanted = {
        .seed = step->options->seed, .trial_seed = step->options->seed, .trial_count = 2, .initialise = true};
    Work work;
    json_t *done;
    if (work_describe(component->arena, &step->settings, &component->side, &wanted, &work, error) !=
        STATUS_OK)
        return STATUS_ERROR;
    Status status = work_wait(component->arena, &work, &done, failure, error);
    if (status == STATUS_OK && done != NULL)
        status = description_decode(component->arena, &work, done, description, error);
    work_close(&work);
    if (status == STATUS_OK && !failure->failed && description->trial_count != 2)
        return error_set(error, component->options->file, "", "the cell sent %zu sets of inputs instead of 2",
                         description->trial_count);
    return status;
}

void component_raised(ComponentState *component, const CellFailure *failure) {
    static const struct {
        const char *stage, *rule, *says;
    } stages[] = {{"load", "component.raised", "it can't be loaded"},
                  {"construct", "component.inputs", "it can't be built with its own init arguments"},
                  {"inputs", "component.inputs", "it gives no inputs"}};
    const char *rule = "component.raised", *says = "it fails with its own inputs";
    for (size_t i = 0; i < COUNT_OF(stages); i++)
        if (text_equal(failure->stage, stages[i].stage)) {
            rule = stages[i].rule;
            says = stages[i].says;
        }
    component->result->runs = PART_FAILED;
    Finding *finding = component_violation(
        component, rule, failure->place,
        arena_printf(component->arena, "%s: %s", says,
                     text_printable(component->arena, failure->what, strlen(failure->what))));
    if (failure->advice[0] != '\0')
        finding->instead = failure->advice;
}

/* ---- What was shown -------------------------------------------------------------------------------- */

typedef struct FactsOf {
    Arena *arena;
    const Trace *trace;
    TensorFacts *facts;
} FactsOf;

static void take_output(const char *path, const Value *value, void *context) {
    const FactsOf *of = context;
    const TraceTensor *tensor = &of->trace->tensors[value->tensor.number];
    *(TensorFact *)ARENA_PUSH(of->arena, of->facts) = (TensorFact){
        text_printable(of->arena, path, strlen(path)), tensor->dtype, tensor->shape, tensor->rank};
}

static void take_facts(ComponentState *component, const StateDict *state) {
    Arena *arena = component->arena;
    ComponentResult *result = component->result;
    const Trace *trace = &result->trace;
    for (size_t i = 0; i < trace->tensor_count; i++) {
        const TraceTensor *tensor = &trace->tensors[i];
        for (size_t k = 0; tensor->origin == ORIGIN_INPUT && k < tensor->key_count; k++)
            *(TensorFact *)ARENA_PUSH(arena, &result->inputs) =
                (TensorFact){tensor->keys[k], tensor->dtype, tensor->shape, tensor->rank};
    }
    FactsOf outputs = {arena, trace, &result->outputs};
    value_walk_tensors(arena, &trace->outputs, "out", take_output, &outputs);
    for (size_t i = 0; i < state->count; i++) {
        const TensorView *tensor = &state->items[i].tensor;
        *(TensorFact *)ARENA_PUSH(arena, &result->state) = (TensorFact){
            state->items[i].key, dtype_info(tensor->dtype)->torch_name, tensor->shape, tensor->rank};
    }
}

static Status take_init(ComponentState *component, const Description *inputs, Error *error) {
    Value given;
    if (value_decode(component->arena, inputs->init.value, json_array_size(inputs->init.tensors),
                     "get_init_inputs()", &given, error) != STATUS_OK)
        return STATUS_ERROR;
    component->result->init =
        component_bind_init(component->arena, &component->side.program.items[0]->tree, &given);
    return STATUS_OK;
}

static Status check_shape(ComponentState *component, const Description *inputs, Error *error) {
    ComponentResult *result = component->result;
    Arena *arena = component->arena;
    const json_t *json = json_object_get(inputs->done, "expected_output_shape");
    const char *raised_text = json_string_value(json_object_get(inputs->done, "expected_error"));
    const char *problem = NULL;
    result->shapes = PART_SKIPPED;
    if (raised_text != NULL) {
        problem = arena_printf(arena, "get_expected_output_shape() fails: %s",
                               text_printable(arena, raised_text, strlen(raised_text)));
    } else if (json != NULL && !json_is_null(json)) {
        Value expected;
        if (value_decode(arena, json, 0, "get_expected_output_shape()", &expected, error) != STATUS_OK)
            return STATUS_ERROR;
        problem = component_shape_problem(arena, &expected, &result->trace);
    } else {
        return STATUS_OK;
    }
    result->shapes = problem == NULL ? PART_PASSED : PART_FAILED;
    if (problem != NULL)
        component_violation(component, "component.shape", (Place){0}, problem);
    return STATUS_OK;
}

static Status take_recording(ComponentState *component, Shown *shown, const StateDict *state, bool real,
                             Error *error) {
    ComponentResult *result = component->result;
    Graph graphs[SECTION_COUNT];
    result->trace = shown->recording.trace;
    if (recording_graphs(component->arena, graph_labels_new(component->arena), &shown->recording, graphs,
                         error) != STATUS_OK)
        return STATUS_ERROR;
    result->graph = graphs[0];
    result->graph.trace = &result->trace;
    result->recorded = true;
    result->symbolic = !real;
    result->runs = PART_PASSED;
    result->operators =
        semantic_operators(component->arena, &result->trace, &result->graph, component->patterns);
    take_facts(component, state);
    return check_shape(component, &shown->inputs, error);
}

/* Two calls of get_inputs() give the same shapes and dtypes. */
static void check_own_inputs(ComponentState *component, const Description *description) {
    const json_t *trials = json_object_get(description->done, "trials");
    const json_t *first = json_object_get(json_array_get(trials, 0), "tensors"),
                 *second = json_object_get(json_array_get(trials, 1), "tensors");
    bool same = json_array_size(first) == json_array_size(second);
    for (size_t i = 0; same && i < json_array_size(first); i++) {
        const json_t *a = json_array_get(first, i), *b = json_array_get(second, i);
        same = json_equal(json_object_get(a, "shape"), json_object_get(b, "shape")) &&
               json_equal(json_object_get(a, "dtype"), json_object_get(b, "dtype"));
    }
    if (!same)
        component_violation(component, "component.inputs", (Place){0},
                            "get_inputs() gives other shapes or dtypes when it is called again");
}

static bool deterministic_by_graph(const ComponentResult *result) {
    return result->recorded && result->symbolic && result->graph.draw_count == 0 &&
           result->graph.opaque_count == 0 && graph_unknown_origin(&result->graph) == SIZE_MAX;
}

static bool has_numbers(const Shown *shown) {
    return shown->inputs.trial_count > 1;
}

/* Its inputs, and at standard what it is built with: numbers will be needed anyway. */
static Status look(ComponentState *component, bool numbers, Shown *shown, Error *error) {
    description_close(&shown->inputs);
    const Status status = numbers ? describe(component, &shown->inputs, &shown->failure, error)
                                  : record_own_inputs(component->step, &component->side, &shown->inputs,
                                                      &shown->failure, error);
    if (status == STATUS_OK && shown->failure.failed)
        component_raised(component, &shown->failure);
    return status;
}

/* With numbers: what the graph can't tell. */
static Status with_numbers(ComponentState *component, Shown *shown, Error *error) {
    ComponentResult *result = component->result;
    step_tell(component->step, "running it with numbers");
    if (!has_numbers(shown) && look(component, true, shown, error) != STATUS_OK)
        return STATUS_ERROR;
    if (shown->failure.failed)
        return STATUS_OK;
    check_own_inputs(component, &shown->inputs);
    if (!result->recorded) {
        recording_close(&shown->recording);
        if (record(component, &shown->inputs, true, shown, error) != STATUS_OK)
            return STATUS_ERROR;
        if (shown->recording.failure.failed)
            component_raised(component, &shown->recording.failure);
        else if (take_recording(component, shown, &shown->inputs.state, true, error) != STATUS_OK)
            return STATUS_ERROR;
    }
    return result->runs == PART_FAILED ? STATUS_OK : component_run(component, &shown->inputs, error);
}

static Status show(ComponentState *component, Shown *shown, Error *error) {
    ComponentResult *result = component->result;
    step_tell(component->step, "recording it");
    if (look(component, component->options->rigor != RIGOR_FAST, shown, error) != STATUS_OK)
        return STATUS_ERROR;
    if (shown->failure.failed)
        return STATUS_OK;
    if (take_init(component, &shown->inputs, error) != STATUS_OK ||
        record(component, &shown->inputs, false, shown, error) != STATUS_OK)
        return STATUS_ERROR;
    if (shown->recording.failure.failed &&
        (!shown->recording.failure.raised || shown->recording.failure.too_long)) {
        /* It hung or was killed, or makes too many calls: it would again. */
        component_raised(component, &shown->recording.failure);
        return STATUS_OK;
    }
    if (!shown->recording.failure.failed &&
        take_recording(component, shown, &shown->described.state, false, error) != STATUS_OK)
        return STATUS_ERROR;
    if (component->options->rigor != RIGOR_FAST || !deterministic_by_graph(result))
        return with_numbers(component, shown, error);
    result->finite = PART_SKIPPED; /* nothing was computed */
    result->deterministic = PART_PASSED;
    return STATUS_OK;
}

/* ---- The verdict ------------------------------------------------------------------------------------ */

static void judge_level(ComponentState *component) {
    ComponentResult *result = component->result;
    result->one_operation = PART_SKIPPED;
    if (!result->has_level || !result->recorded)
        return;
    level_check(component->arena, result, component->patterns, result->findings);
    if (result->level != LEVEL_KERNEL)
        return;
    result->one_operation = PART_PASSED;
    for (size_t i = 0; i < result->findings->count; i++)
        if (text_equal(result->findings->items[i].rule->id, "level.kernel") &&
            result->findings->items[i].severity == SEVERITY_VIOLATION)
            result->one_operation = PART_FAILED;
}

static void conclude(ComponentState *component) {
    ComponentResult *result = component->result;
    const PartStatus parts[] = {result->language, result->self_test,     result->runs,         result->shapes,
                                result->finite,   result->deterministic, result->one_operation};
    bool failed = findings_count(result->findings, SEVERITY_VIOLATION) > 0 || result->runs != PART_PASSED ||
                  result->self_test != PART_PASSED;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        failed = failed || parts[i] == PART_FAILED;
    findings_sort(result->findings);
    result->verdict = failed ? VERDICT_FAIL : VERDICT_PASS;
    for (size_t i = 0; i < result->findings->count && failed && result->fail_reason == NULL; i++)
        if (result->findings->items[i].severity == SEVERITY_VIOLATION)
            result->fail_reason = finding_text(component->arena, &result->findings->items[i]);
    if (failed && result->fail_reason == NULL)
        result->fail_reason = "not every part of the verification passed";
}

/* Its source and its own test. */
static Status begin(ComponentState *component, Error *error) {
    if (load(component, &component->go_on, error) != STATUS_OK)
        return STATUS_ERROR;
    if (!component->go_on)
        return STATUS_OK;
    if (component->options->check_name)
        check_name(component);
    return component->options->without_test ? STATUS_OK : self_test(component, error);
}

/* What it does. */
static Status end(ComponentState *component, Error *error) {
    Shown shown = {0};
    if (!component->go_on)
        return STATUS_OK;
    const Status status = show(component, &shown, error);
    if (status == STATUS_OK)
        judge_level(component);
    recording_close(&shown.recording);
    description_close(&shown.described);
    description_close(&shown.inputs);
    return status;
}

ComponentState *component_begin(Arena *arena, Probe *probe, const Patterns *patterns,
                                const ComponentOptions *options, const Progress *progress,
                                ComponentResult *result) {
    const double start = seconds_now();
    *result = (ComponentResult){.file = options->file,
                                .has_level = options->has_level,
                                .level = options->level,
                                .init = {.kind = VALUE_NONE},
                                .findings = findings_new(arena)};
    if (!result->has_level)
        result->has_level = level_of_path(path_absolute(arena, options->file), &result->level);
    ComponentState *component = ARENA_NEW(arena, ComponentState);
    *component = (ComponentState){.arena = arena, .options = options, .patterns = patterns, .result = result};
    component->step_options = (StepOptions){.rigor = options->rigor,
                                            .original = options->file,
                                            .refactored = options->file,
                                            .rtol = NAN,
                                            .atol = NAN,
                                            .trial_count = 1,
                                            .seed = options->seed,
                                            .device = options->device == NULL ? "cpu" : options->device,
                                            .timeout = options->timeout > 0 ? options->timeout : 300,
                                            .memory = options->memory,
                                            .allowed_imports = options->allowed_imports,
                                            .allowed_import_count = options->allowed_import_count};
    component->step = step_new(arena, probe, &component->step_options, progress, &component->step_result);
    if (options->threads > 0)
        component->step->settings.threads = options->threads;
    component->status = begin(component, &component->error);
    result->seconds = seconds_now() - start;
    return component;
}

void component_end(ComponentState *component) {
    const double start = seconds_now();
    ComponentResult *result = component->result;
    if (component->status == STATUS_OK)
        component->status = end(component, &component->error);
    if (component->status == STATUS_OK) {
        conclude(component);
    } else {
        result->verdict = VERDICT_ERROR;
        result->error = error_line(component->arena, &component->error);
    }
    frames_fill(component->arena, &component->side.program, result->findings);
    side_close(&component->side);
    recall_close(component->own_recall);
    component->step->original = (Side){0};
    step_close(component->step);
    result->seconds += seconds_now() - start;
}

void component_verify(Arena *arena, Probe *probe, const Patterns *patterns, const ComponentOptions *options,
                      const Progress *progress, ComponentResult *result) {
    component_end(component_begin(arena, probe, patterns, options, progress, result));
}
