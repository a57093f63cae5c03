/* One step: the order of the parts, and the verdict. */
#include "decomposition.h"
#include "pair.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void step_tell(const StepState *step, const char *what) {
    if (step->progress->tell != NULL)
        step->progress->tell(step->progress->context, what);
}

const char *frame_at(Arena *arena, const Program *program, Place place) {
    for (size_t i = 0; place.line > 0 && i < program->count; i++)
        if (text_equal(program->items[i]->source.name, place.file))
            return source_frame(arena, &program->items[i]->source, place);
    return NULL;
}

void frames_fill(Arena *arena, const Program *program, Findings *findings) {
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].frame == NULL)
            findings->items[i].frame = frame_at(arena, program, findings->items[i].place);
}

Finding *step_violation(StepState *step, VerifyRule rule, Place place, const char *what) {
    Finding *finding =
        findings_add(step->result->findings, verify_rule(rule), SEVERITY_VIOLATION, place, "%s", what);
    finding->frame = frame_at(step->arena, &step->candidate.program, place);
    return finding;
}

void step_narrow(StepState *step, const char *rule, const char *what) {
    StepResult *result = step->result;
    for (size_t i = 0; i < result->assumption_count; i++)
        if (text_equal(result->assumptions[i], what) && text_equal(result->assumption_rules[i], rule))
            return; /* it is said once, whichever trial or call it is seen in */
    size_t rule_count = result->assumption_count, rule_capacity = result->assumption_capacity;
    *(const char **)arena_push(step->arena, (void *)&result->assumption_rules, &rule_count, &rule_capacity,
                               sizeof rule) = rule;
    *(const char **)arena_push(step->arena, (void *)&result->assumptions, &result->assumption_count,
                               &result->assumption_capacity, sizeof what) = what;
}

const char *rigor_name(Rigor rigor) {
    static const char *const names[] = {
        [RIGOR_STANDARD] = "standard", [RIGOR_FAST] = "fast", [RIGOR_PARANOID] = "paranoid"};
    return names[rigor];
}

static uint64_t random_seed(void) {
    uint64_t seed = 0;
    while (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        ;
    return seed >> 33 | 1; /* 31 bits: short to type, and never 0 */
}

static void settle_settings(StepState *step) {
    const StepOptions *options = step->options;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = options->threads > 0 ? options->threads : online > 0 ? (unsigned)online : 1;
    step->settings = (RunSettings){.probe = step->probe,
                                   .device = options->device,
                                   .train = options->train,
                                   .timeout = options->timeout,
                                   .memory = options->memory != 0 ? options->memory : memory_available() / 2,
                                   .threads = (int)threads};
    step->processors = threads;
    step->result->perturb_seed = options->perturb_seed != 0 ? options->perturb_seed : random_seed();
}

/* A candidate that loads the original computes nothing of its own. */
static void refuse_original(StepState *step) {
    const char *original = step->original.program.items[0]->source.path;
    for (size_t i = 0; i < step->candidate.program.count; i++)
        if (text_equal(step->candidate.program.items[i]->source.path, original))
            step_violation(step, RULE_STEP_ORIGINAL,
                           (Place){.file = step->candidate.program.items[i]->source.name},
                           "the refactored model loads the original's own file");
}

static void take_facts(StepState *step) {
    const ProbeFacts *facts = probe_facts(step->probe);
    step->result->python_version = facts->python;
    step->result->torch_version = facts->torch;
    step->result->interpreter = facts->executable;
    step->result->seconds.start_interpreter = facts->start_seconds;
}

/* ---- The parts ----------------------------------------------------------------------------- */

Status step_load(StepState *step, const char *second_role, Error *error) {
    const StepOptions *options = step->options;
    Arena *arena = step->arena;
    const Parser parser = options->parser != NULL ? *options->parser : probe_parser(step->probe);
    Program original, candidate;
    Findings *import_findings = options->skip_anticheat ? findings_new(arena) : step->result->findings;
    const FilePart part = strcmp(second_role, "original") == 0 ? PART_ORIGINAL : PART_OWN;
    const bool component = options->original_is_component;
    step_tell(step, "reading the files");
    if (program_load(arena, &parser, options->original, component ? PART_CHILD : PART_ORIGINAL,
                     component ? options->allowed_imports : NULL,
                     component ? options->allowed_import_count : 0, &original, findings_new(arena),
                     error) != STATUS_OK)
        return STATUS_ERROR;
    if (step->composed != NULL)
        candidate = *step->composed->program;
    else if (program_load(arena, &parser, options->refactored, part, options->allowed_imports,
                          options->allowed_import_count, &candidate, import_findings, error) != STATUS_OK)
        return STATUS_ERROR;
    if (side_make(arena, "original", &original, &step->original, error) != STATUS_OK ||
        side_make(arena, second_role, &candidate, &step->candidate, error) != STATUS_OK)
        return STATUS_ERROR;
    step->original.recall = options->recall;
    step->original.expected = options->recall != NULL; /* who judges it as a component asks for it */
    refuse_original(step);
    step_tell(step, "waiting for torch");
    if (probe_ready(step->probe, error) != STATUS_OK)
        return STATUS_ERROR;
    take_facts(step);
    if (!component && preload_imports(step, error) != STATUS_OK)
        return STATUS_ERROR;
    if (step->composed != NULL)
        json_object_set(step->candidate.program_json, "composed", step->composed->rows);
    return STATUS_OK;
}

/* What the candidate asks and the original perhaps doesn't, and is no violation: the claim says it. */
static void narrow_by_conditions(StepState *step) {
    static const struct {
        const char *rule, *claim;
    } claims[] = {
        {"step.condition", "these sizes, dtypes and this device only: %s:%d asks for them"},
        {"step.argument", "called with the arguments that the sample gives only: %s:%d asks for them"},
        {"step.size", "the sizes that were tried only: %s:%d computes with a number that is made of them"}};
    for (size_t i = 0; i < step->result->findings->count; i++) {
        const Finding *finding = &step->result->findings->items[i];
        for (size_t rule = 0; rule < COUNT_OF(claims); rule++)
            if (finding->severity == SEVERITY_NOTE && strcmp(finding->rule->id, claims[rule].rule) == 0)
                step_narrow(
                    step, "soundness 12",
                    arena_printf(step->arena, claims[rule].claim, finding->place.file, finding->place.line));
    }
}

static void narrow_by(StepState *step, const Texts *claims) {
    for (size_t i = 0; i < claims->count; i++)
        step_narrow(step, "soundness 12", claims->items[i]);
}

/* Is the source such that it may be run? The operators of a line are left to the trace; the language is not.
 */
bool step_judge_source(StepState *step) {
    double start = seconds_now();
    StepResult *result = step->result;
    if (step->options->skip_anticheat || step->composed != NULL) {
        result->anticheat = PART_SKIPPED;
        return true;
    }
    step_tell(step, "anti-cheat rules");
    const StepOptions *options = step->options;
    policy_judge_language(&step->candidate.program, options->allowed_imports, options->allowed_import_count,
                          result->findings);
    bool may_run = findings_count(result->findings, SEVERITY_VIOLATION) == 0;
    policy_judge_source(&step->candidate.program, result->findings);
    Texts left_out = {0};
    policy_judge_conditions(step->arena, &step->candidate.program, &step->original.program, result->findings,
                            &left_out);
    narrow_by(step, &left_out);
    narrow_by_conditions(step);
    result->seconds.policy = seconds_now() - start;
    if (!may_run)
        result->anticheat = PART_FAILED;
    return may_run;
}

static void has_tensor(const char *path, const Value *value, void *context) {
    (void)path, (void)value;
    *(bool *)context = true;
}

static bool holds_containers(const Value *value) {
    bool found = false;
    for (size_t i = 0; value_is_container(value) && i < value->list.count; i++)
        found |= value_is_container(&value->list.items[i]);
    return found;
}

static void narrow_by_value(StepState *step, const ForwardArgument *argument, const Value *value,
                            Texts *values) {
    const char *name = text_printable(step->arena, argument->name, strlen(argument->name));
    bool tensor = false;
    if (value != NULL)
        value_walk_tensors(step->arena, value, "", has_tensor, &tensor);
    if (!tensor)
        *(const char **)ARENA_PUSH(step->arena, values) = argument->name;
    const bool counts = tensor && value_is_container(value) && (argument->whole || holds_containers(value));
    if ((!tensor || counts) && argument->read)
        step_narrow(step, "soundness 7",
                    value == NULL ? arena_printf(step->arena, "called without %s only", name)
                                  : arena_printf(step->arena, "called with %s = %s only", name,
                                                 value_describe(step->arena, value)));
}

/* What the sample's call has for the argument at `position`; NULL: nothing. */
static const Value *given_for(const StepState *step, const ForwardArgument *argument, size_t position) {
    const Value *args = &step->original_trace.args, *kwargs = &step->original_trace.kwargs;
    if ((args->kind == VALUE_LIST || args->kind == VALUE_TUPLE) && argument->positional &&
        position < args->list.count)
        return &args->list.items[position];
    for (size_t i = 0; kwargs->kind == VALUE_DICT && i + 1 < kwargs->list.count; i += 2)
        if (kwargs->list.items[i].kind == VALUE_STR &&
            text_equal(argument->name, kwargs->list.items[i].text.data))
            return &kwargs->list.items[i + 1];
    return NULL;
}

static bool is_named(const ForwardArguments *arguments, const char *name) {
    for (size_t i = 0; i < arguments->count; i++)
        if (arguments->items[i].rest == REST_NONE && text_equal(arguments->items[i].name, name))
            return true;
    return false;
}

/* How much of *args and **kwargs the sample's call gives: the original may do something else with another
 * number of them. */
static void narrow_by_rest(StepState *step, const ForwardArguments *arguments,
                           const ForwardArgument *argument) {
    const Value *args = &step->original_trace.args, *kwargs = &step->original_trace.kwargs;
    const bool keywords = argument->rest == REST_KEYWORD;
    size_t named = 0, count = 0;
    for (size_t i = 0; i < arguments->count; i++)
        named += arguments->items[i].positional;
    if (!keywords && value_is_container(args) && args->list.count > named)
        count = args->list.count - named;
    for (size_t i = 0; keywords && kwargs->kind == VALUE_DICT && i + 1 < kwargs->list.count; i += 2)
        count +=
            kwargs->list.items[i].kind == VALUE_STR && !is_named(arguments, kwargs->list.items[i].text.data);
    const char *name = text_printable(step->arena, argument->name, strlen(argument->name)),
               *stars = keywords ? "**" : "*";
    step_narrow(step, "soundness 7",
                count == 0 ? arena_printf(step->arena, "called without %s%s only", stars, name)
                           : arena_printf(step->arena, "called with %zu of %s%s only", count, stars, name));
}

/* What get_inputs gives that is no tensor, or leaves to its default (soundness 7). Gives the arguments'
 * names. */
static Texts narrow_by_values(StepState *step) {
    Texts values = {0};
    if (!step->has_traces)
        return values;
    const ForwardArguments arguments = policy_arguments_of_original(step->arena, &step->original.program);
    for (size_t i = 0; i < arguments.count; i++)
        if (arguments.items[i].rest == REST_NONE)
            narrow_by_value(step, &arguments.items[i], given_for(step, &arguments.items[i], i), &values);
        else if (arguments.items[i].read)
            narrow_by_rest(step, &arguments, &arguments.items[i]);
    return values;
}

static void judge_size_tests(StepState *step) {
    Texts left_out = {0};
    policy_judge_size_tests(step->arena, &step->candidate.program, &step->original.program,
                            &step->candidate_trace, &step->original_trace, step->result->findings, &left_out);
    narrow_by(step, &left_out);
    narrow_by_conditions(step);
}

static void judge_run(StepState *step) {
    if (step->options->skip_anticheat || step->composed != NULL)
        return;
    StepResult *result = step->result;
    double start = seconds_now();
    if (step->has_traces) {
        policy_judge_trace(&step->candidate.program, &step->candidate_trace, &step->original_trace,
                           result->findings);
        judge_size_tests(step);
    }
    bool dependence = false; /* then that is said */
    for (size_t i = 0; i < result->findings->count; i++)
        dependence |= strcmp(result->findings->items[i].rule->id, "numbers.dependence") == 0;
    if (!dependence)
        policy_judge_arguments(&step->candidate.program, &step->original.program, result->findings);
    const Texts values = narrow_by_values(step);
    policy_judge_values(&step->candidate.program, &step->original.program, &values, result->findings);
    bool broken = false;
    for (size_t i = 0; i < result->findings->count; i++) {
        const Finding *finding = &result->findings->items[i];
        broken |= finding->severity == SEVERITY_VIOLATION && !text_starts(finding->rule->id, "weights.") &&
                  !text_starts(finding->rule->id, "numbers.");
    }
    result->anticheat = broken ? PART_FAILED : PART_PASSED;
    result->seconds.policy += seconds_now() - start;
}

/* ---- The verdict --------------------------------------------------------------------------- */

/* Which finding a person should look at first: what stops the run, then cheats, weights, numbers. */
static int urgency(const Finding *finding) {
    static const char *const order[] = {
        "py.",           "numbers.raised", "numbers.dimensions", "weights.", "numbers.dependence",
        "numbers.shape", "numbers.dtype",  "numbers.structure",  "op.",      "init.",
        "child.",        "step."};
    for (int i = 0; i < (int)COUNT_OF(order); i++)
        if (text_starts(finding->rule->id, order[i]))
            return i;
    return (int)COUNT_OF(order);
}

static const Finding *first_to_look_at(const Findings *findings) {
    const Finding *first = NULL;
    for (size_t i = 0; i < findings->count; i++) {
        const Finding *finding = &findings->items[i];
        if (finding->severity == SEVERITY_VIOLATION && (first == NULL || urgency(finding) < urgency(first)))
            first = finding;
    }
    return first;
}

/* A proof alone. On shapes nothing has a device: what only raises on CUDA is seen when it is run there. */
static bool settles_by_proof(const StepState *step) {
    return step->options->rigor == RIGOR_FAST && strcmp(step->options->device, "cpu") == 0;
}

/* A number that construction draws is no value of the graph: one candidate may have it written out. */
static void narrow_by_construction(StepState *step) {
    if (step->original_description.drawn_numbers)
        step_narrow(
            step, "soundness 4",
            arena_printf(step->arena,
                         "constructed as here only (seed %llu): the original's construction draws numbers "
                         "in Python, or reads those that torch has drawn",
                         (unsigned long long)step->options->seed));
}

static bool gives_something(const Value *value) {
    bool any = !value_is_container(value) && value->kind != VALUE_NONE;
    for (size_t i = 0; value_is_container(value) && i < value->list.count && !any; i++)
        any = gives_something(&value->list.items[i]);
    return any;
}

/* Does forward write an input, a parameter or a buffer? */
static bool writes_what_was_there(Arena *arena, const Trace *trace) {
    bool *there = ARENA_ARRAY(arena, bool, trace->storage_count + 1), writes = false;
    for (size_t i = 0; i < trace->tensor_count; i++)
        if (trace->tensors[i].origin != ORIGIN_CALL)
            there[trace->tensors[i].storage.number] = true;
    for (size_t i = trace->forward_start; i < trace->call_count; i++)
        for (size_t w = 0; w < trace->calls[i].written_count; w++)
            writes |= there[trace->tensors[trace->calls[i].written[w].number].storage.number];
    return writes;
}

/* Of a forward that forgets its return. */
static void judge_nothing(StepState *step) {
    const Trace *trace = &step->original_trace;
    if (step->has_traces && !gives_something(&trace->outputs) && !gives_something(&trace->kept) &&
        !writes_what_was_there(step->arena, trace))
        step_violation(
            step, RULE_NUMBERS_NO_EVIDENCE, (Place){0},
            "the original's forward returns nothing (has it a return?), and writes no input, parameter or "
            "buffer");
}

static void conclude(StepState *step) {
    StepResult *result = step->result;
    judge_nothing(step);
    narrow_by_construction(step);
    findings_sort(result->findings);
    result->first = first_to_look_at(result->findings);
    bool by_proof = settles_by_proof(step) && result->proof.proved;
    bool failed = result->first != NULL || result->anticheat == PART_FAILED ||
                  result->weights != PART_PASSED || (result->numbers != PART_PASSED && !by_proof);
    if (!failed) {
        gradients_narrow(step);
        result->verdict = VERDICT_PASS;
        return;
    }
    result->verdict = VERDICT_FAIL;
    result->fail_reason = result->first != NULL ? finding_text(step->arena, result->first)
                                                : "not every part of the verification passed";
}

void step_result_error(Arena *arena, const StepOptions *options, const Error *error, StepResult *result) {
    result->verdict = VERDICT_ERROR;
    result->error = error_line(arena, error);
    result->original_file = options->original;
    result->refactored_file = options->refactored;
    result->device = options->device;
    if (result->findings == NULL)
        result->findings = findings_new(arena);
    result->max_diff = NAN;
    if (result->input_dtype == NULL)
        result->tolerance = (Tolerance){options->rtol, options->atol};
}

static Status verify(StepState *step, Error *error) {
    if (step_load(step, "candidate", error) != STATUS_OK)
        return STATUS_ERROR;
    if (strcmp(step->options->device, "cuda") == 0 && !probe_facts(step->probe)->cuda_available)
        return error_set(error, "--device cuda", "use --device cpu, or a torch and a driver with CUDA",
                         "this torch finds no CUDA device");
    if (!step_judge_source(step))
        return STATUS_OK;
    bool go_on = true, proved = false;
    if (step->composed == NULL && step_read_map(step, error) != STATUS_OK)
        return STATUS_ERROR;
    if (settles_by_proof(step) && step_prove_alone(step, &proved, error) != STATUS_OK)
        return STATUS_ERROR;
    if (proved) {
        judge_run(step);
        step_judge_constants(step);
        step_report_unmapped(step);
        return STATUS_OK;
    }
    if (step_describe(step, &go_on, error) != STATUS_OK)
        return STATUS_ERROR;
    if (go_on && step->composed != NULL && step->composed->settle_map(step, error) != STATUS_OK)
        return STATUS_ERROR;
    if (go_on && !step->result->proof.attempted && step_prove(step, true, error) != STATUS_OK)
        return STATUS_ERROR;
    if (go_on && step_assign_weights(step, &go_on, error) != STATUS_OK)
        return STATUS_ERROR;
    if (go_on && !step->result->proof.recorded && !step->too_long &&
        step_prove(step, false, error) != STATUS_OK)
        return STATUS_ERROR;
    if (go_on && step_run_trials(step, error) != STATUS_OK)
        return STATUS_ERROR;
    judge_run(step);
    step_report_unmapped(step);
    return STATUS_OK;
}

StepState *step_new(Arena *arena, Probe *probe, const StepOptions *options, const Progress *progress,
                    StepResult *result) {
    *result = (StepResult){.original_file = options->original,
                           .refactored_file = options->refactored,
                           .findings = findings_new(arena),
                           .device = options->device,
                           .rigor = options->rigor,
                           .allowed_imports = options->allowed_imports,
                           .allowed_import_count = options->allowed_import_count,
                           .tolerance = {options->rtol, options->atol},
                           .max_diff = NAN};
    StepState *step = ARENA_NEW(arena, StepState); /* the result refers to its state dicts */
    *step = (StepState){
        .arena = arena, .probe = probe, .options = options, .progress = progress, .result = result};
    settle_settings(step);
    return step;
}

void step_state_verify(StepState *step) {
    double start = seconds_now();
    StepResult *result = step->result;
    Error error;
    if (verify(step, &error) == STATUS_OK)
        conclude(step);
    else
        step_result_error(step->arena, step->options, &error, result);
    frames_fill(step->arena, &step->candidate.program, result->findings);
    frames_fill(step->arena, &step->original.program, result->findings);
    result->sandbox = *probe_sandbox(step->probe);
    result->seconds.total = seconds_now() - start;
}

void step_verify(Arena *arena, Probe *probe, const StepOptions *options, const Progress *progress,
                 StepResult *result) {
    StepState *step = step_new(arena, probe, options, progress, result);
    step_state_verify(step);
    step_close(step);
}
