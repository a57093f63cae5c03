/* Proof: both sides recorded, made graphs, and unified. */
#include "recording.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

typedef struct Graphs { /* one for each recorded call of forward */
    Graph original[SECTION_COUNT], candidate[SECTION_COUNT];
} Graphs;

typedef struct Recordings {
    Recording original, candidate;
    Graphs *graphs; /* of those that could be recorded */
    const RecordInputs *inputs;
    const char *const *names;   /* of the calls */
    bool missed[SECTION_COUNT]; /* the original's was recorded; the candidate accepts more, and left it out */
    size_t missed_count;
} Recordings;

static void recordings_close(Recordings *recordings) {
    recording_close(&recordings->original);
    recording_close(&recordings->candidate);
}

void step_drop_proof(StepState *step, const char *why) {
    ProofResult *proof = &step->result->proof;
    proof->proved = false;
    proof->why_not = why;
}

/* ---- What was found, in words -------------------------------------------------------------- */

static Place place_of(const Program *program, const Trace *trace, size_t call) {
    return call_place(program, trace == NULL || call >= trace->call_count ? NULL : &trace->calls[call]);
}

static void tell_difference(StepState *step, const Graph *original, const Graph *candidate,
                            const Difference *difference) {
    ProofResult *proof = &step->result->proof;
    Arena *arena = step->arena;
    proof->cause = difference_kind_name(difference->kind);
    proof->original_place = place_of(&step->original.program, original->trace, difference->original_call);
    proof->place = place_of(&step->candidate.program, candidate->trace, difference->candidate_call);
    proof->original_frame = frame_at(arena, &step->original.program, proof->original_place);
    proof->frame = frame_at(arena, &step->candidate.program, proof->place);
    proof->why_not =
        arena_printf(arena, "%s%s%s", difference->what, place_in_words(arena, proof->original_place),
                     place_in_words(arena, proof->place));
}

static void tell_conditions(StepState *step, const Graph *original) {
    ProofResult *proof = &step->result->proof;
    Arena *arena = step->arena;
    proof->conditions = ARENA_ARRAY(arena, const char *, original->read_count + 1);
    for (size_t i = 0; i < original->read_count; i++) {
        const GraphRead *read = &original->reads[i];
        Place place = place_of(&step->original.program, original->trace, read->call);
        proof->conditions[proof->condition_count++] =
            arena_printf(arena, "%s is %s%s", term_describe(arena, original, read->term), read->value,
                         place_in_words(arena, place));
    }
    proof->shapes = ARENA_ARRAY(arena, const char *, original->input_count + 1);
    for (size_t i = 0; i < original->input_count; i++) {
        const Term *term = &original->terms[original->inputs[i].term.number];
        Text text = text_new(arena);
        text_printf(&text, "%s: %s [", original->inputs[i].path, term->dtype);
        for (size_t j = 0; j < term->rank; j++)
            text_printf(&text, "%s%lld", j > 0 ? ", " : "", (long long)term->shape[j]);
        text_add(&text, "]");
        proof->shapes[proof->shape_count++] = text.data;
    }
}

static void take_bindings(StepState *step, const Unification *found) {
    ProofResult *proof = &step->result->proof;
    proof->bindings = ARENA_ARRAY(step->arena, ProofBinding, found->binding_count + 1);
    proof->binding_count = found->binding_count;
    for (size_t i = 0; i < found->binding_count; i++)
        proof->bindings[i] = (ProofBinding){found->bindings[i].original, found->bindings[i].candidate,
                                            found->bindings[i].free};
    proof->narrowed = found->narrowed;
    proof->narrowed_by = found->narrowed_by;
    proof->narrowed_count = found->narrowed_count;
}

/* ---- One call of forward ------------------------------------------------------------------- */

/* A part of a parameter is no parameter of a graph: steps with such are tested. */
static const char *bound_against_map(StepState *step) {
    const ProofResult *proof = &step->result->proof;
    for (size_t i = 0; step->has_map && i < step->map.count; i++) {
        const MapEntry *entry = &step->map.items[i];
        bool parts = false;
        for (size_t j = 0; j < entry->target_count; j++)
            parts = parts || entry->targets[j].is_slice || entry->targets[j].transpose;
        for (size_t j = 0; parts && j < proof->binding_count; j++)
            if (text_equal(proof->bindings[j].original, entry->key))
                return arena_printf(
                    step->arena,
                    "the map gives %s in parts or transposed, and %s is computed with as a whole", entry->key,
                    proof->bindings[j].refactored);
    }
    return NULL;
}

static BindingRules rules_of(StepState *step) {
    size_t count = 0;
    for (size_t i = 0; step->has_map && i < step->map.count; i++)
        count += step->map.items[i].target_count;
    const char **originals = ARENA_ARRAY(step->arena, const char *, count + 1);
    const char **candidates = ARENA_ARRAY(step->arena, const char *, count + 1);
    BindingRules rules = {originals, candidates, 0};
    for (size_t i = 0; step->has_map && i < step->map.count; i++) {
        const MapEntry *entry = &step->map.items[i];
        for (size_t j = 0; j < entry->target_count; j++) {
            if (entry->targets[j].is_slice || entry->targets[j].transpose)
                continue;
            originals[rules.count] = entry->key;
            candidates[rules.count++] = entry->targets[j].key;
        }
    }
    return rules;
}

/* The other mode narrows the claim; where it is part of the verdict, numbers must tell. */
static void tell_other_mode(StepState *step, const char *what) {
    if (step->options->rigor != RIGOR_PARANOID || step->options->train)
        step_narrow(step, "soundness 11", what);
    else
        step->other_mode_differs = what;
}

typedef struct Answers {
    const RecordInputs *inputs;
    const Recording *recording;
} Answers;

static bool was_accepted(const char *name, const void *context) {
    const Answers *answers = context;
    for (size_t i = 0; i < SECTION_COUNT; i++)
        if (text_equal(name, answers->inputs->names[i]))
            return answers->recording->sections[i].present && answers->recording->sections[i].raised == NULL;
    return false;
}

static const char *names_of(Arena *arena, const Section *section) {
    enum { MOST_NAMED = 3 };
    Text text = text_new(arena);
    for (size_t i = 0; i < section->changed_count && i < MOST_NAMED; i++)
        text_printf(&text, "%s%s", i > 0 ? ", " : "", section->changed[i]);
    if (section->changed_count > MOST_NAMED)
        text_printf(&text, " and %zu more", section->changed_count - MOST_NAMED);
    return text.data;
}

/* Calls of forward that change whether a tensor takes gradients; `*last`: one of them. */
static size_t count_gradient_switches(const Trace *trace, size_t *last) {
    static const char *const names[] = {"torch.Tensor.requires_grad_", "torch.Tensor.requires_grad="};
    size_t count = 0;
    for (size_t i = trace->forward_start; i < trace->call_count; i++)
        if (text_among(trace_operator(trace, &trace->calls[i]), names, COUNT_OF(names))) {
            *last = i;
            count++;
        }
    return count;
}

static void judge_gradient_switches(StepState *step, const Recordings *recordings) {
    const Trace *candidate = &recordings->candidate.trace;
    size_t last = SIZE_MAX, unused;
    if (count_gradient_switches(candidate, &last) >
        count_gradient_switches(&recordings->original.trace, &unused))
        step_violation(step, RULE_NUMBERS_STATE, place_of(&step->candidate.program, candidate, last),
                       "forward changes whether a tensor takes gradients, and the original's doesn't");
}

/* What forward leaves in Python is no value of the graph (soundness 3 and 21). */
static void judge_leftovers(StepState *step, const Recordings *recordings, SectionKind kind) {
    const Section *original = &recordings->original.sections[kind],
                  *candidate = &recordings->candidate.sections[kind];
    const char *when = kind == SECTION_SAMPLE  ? "forward"
                       : kind == SECTION_AGAIN ? "a second call on the same inputs"
                                               : "a call in the other mode";
    if (candidate->changed_count > 0 && original->changed_count == 0)
        step_violation(step, RULE_NUMBERS_STATE, (Place){0},
                       arena_printf(step->arena, "%s changes %s, and nothing of that kind in the original",
                                    when, names_of(step->arena, candidate)));
    else if (original->changed_count > 0)
        step_narrow(
            step, "soundness 21",
            arena_printf(step->arena, "these calls only: %s changes %s in the original, which is not %s",
                         when, names_of(step->arena, original),
                         candidate->changed_count > 0
                             ? arena_printf(step->arena, "compared with %s", names_of(step->arena, candidate))
                             : "kept here"));
}

/* Did this side leave the call out, since it accepted others? */
static bool was_needless(const Recordings *recordings, const Recording *side, SectionKind kind) {
    const SizeCall *size = record_size(recordings->inputs, kind);
    const Answers answers = {recordings->inputs, side};
    return !side->sections[kind].present && size != NULL &&
           size_call_is_needless(size, was_accepted, &answers);
}

/* What holds of the sample is looked at past it (soundness 11). `beyond`: a difference is definite there. */
static void unify_other_call(StepState *step, Recordings *recordings, SectionKind kind, bool beyond) {
    Arena *arena = step->arena;
    const Graphs *graphs = recordings->graphs;
    const Section *original = &recordings->original.sections[kind],
                  *candidate = &recordings->candidate.sections[kind];
    if (recordings->inputs->trials[kind] == NULL || was_needless(recordings, &recordings->original, kind))
        return;
    if (original->present && original->raised != NULL && !original->too_long && !original->no_memory)
        return; /* the original itself doesn't accept it */
    if (original->present && was_needless(recordings, &recordings->candidate, kind)) {
        recordings->missed[kind] = true;
        recordings->missed_count++;
        return;
    }
    if (!original->present || !candidate->present || original->too_long || original->no_memory ||
        candidate->too_long) {
        step_narrow(
            step, "soundness 11",
            arena_printf(arena,
                         "this call only: %s was not looked at, since the recording would be too long, "
                         "or take more memory than there is",
                         recordings->names[kind]));
        return;
    }
    const char *mode = step->options->train ? "train" : "eval",
               *other = step->options->train ? "eval" : "train";
    const char *what;
    if (candidate->raised != NULL) {
        what = candidate->raised;
        if (kind == SECTION_OTHER_MODE)
            tell_other_mode(step, arena_printf(arena, "%s mode only: in %s mode the refactored fails: %s",
                                               mode, other, what));
        else if (kind == SECTION_AGAIN)
            step_drop_proof(
                step, arena_printf(arena, "the refactored model fails when it is called again: %s", what));
        else
            step_narrow(step, "soundness 11",
                        arena_printf(arena, "these sizes only: at %s the refactored fails: %s",
                                     recordings->names[kind], what));
        return;
    }
    const BindingRules rules = rules_of(step);
    const Unification found =
        graph_unify(arena, &graphs->original[original->call], &graphs->candidate[candidate->call], &rules);
    if (found.proved)
        return;
    what = found.difference.what;
    if (kind == SECTION_OTHER_MODE) {
        tell_other_mode(
            step, arena_printf(arena, "%s mode only: in %s mode the two differ: %s", mode, other, what));
        if (step->other_mode_differs != NULL &&
            graphs->original[original->call].draw_count != graphs->candidate[candidate->call].draw_count)
            step_violation(step, RULE_NUMBERS_DIFFERENT, (Place){0}, step->other_mode_differs);
    } else
        step_drop_proof(step,
                        arena_printf(arena, "at %s%s the two are not the same computation: %s",
                                     kind == SECTION_AGAIN ? "the " : "", recordings->names[kind], what));
    /* Where constants were equal by their bytes alone, the two may make them differently at other sizes:
     * numbers are to tell. */
    bool definite = found.difference.kind != DIFFERENCE_UNKNOWN &&
                    found.difference.kind != DIFFERENCE_STRUCTURE && step->result->proof.narrowed_count == 0;
    if (beyond && definite)
        step_violation(step, RULE_NUMBERS_DIFFERENT, (Place){0}, step->result->proof.why_not);
}

/* ---- Both sides ---------------------------------------------------------------------------- */

/* One side's recording, from its cell's answer to its graphs. */
typedef struct Taking {
    Arena *arena;
    Work *work;
    const RecordInputs *inputs;
    Recording *recording;
    Description *description;
    GraphLabels *labels;
    Graph *graphs;
    Status status;
    Error error;
} Taking;

static void *take_recording(void *context) {
    Taking *taking = context;
    taking->status = record_finish(taking->arena, taking->work, taking->inputs, taking->recording,
                                   taking->description, &taking->error);
    if (taking->status == STATUS_OK && !taking->recording->failure.failed)
        taking->status = recording_graphs(taking->arena, taking->labels, taking->recording, taking->graphs,
                                          &taking->error);
    return NULL;
}

/* Both sides at once. */
static Status record_both(StepState *step, const RecordRequest *original, const RecordRequest *candidate,
                          Recordings *recordings, Error *error) {
    Work first = {0}, second = {0};
    *recordings = (Recordings){.graphs = ARENA_NEW(step->arena, Graphs),
                               .inputs = original->inputs,
                               .names = original->inputs->names};
    if (record_start(step, &step->original, original, &first, error) != STATUS_OK)
        return STATUS_ERROR;
    Status status = record_start(step, &step->candidate, candidate, &second, error);
    if (status != STATUS_OK) {
        work_close(&first);
        return status;
    }
    GraphLabels *labels = graph_labels_new(step->arena);
    Taking theirs = {.arena = arena_new_within(step->arena),
                     .work = &first,
                     .inputs = original->inputs,
                     .recording = &recordings->original,
                     .description = original->describe ? &step->original_description : NULL,
                     .labels = labels,
                     .graphs = recordings->graphs->original};
    Taking ours = {.arena = step->arena,
                   .work = &second,
                   .inputs = candidate->inputs,
                   .recording = &recordings->candidate,
                   .description = candidate->describe ? &step->candidate_description : NULL,
                   .labels = labels,
                   .graphs = recordings->graphs->candidate};
    pthread_t thread;
    const bool at_once = pthread_create(&thread, NULL, take_recording, &theirs) == 0;
    if (!at_once)
        take_recording(&theirs);
    take_recording(&ours);
    if (at_once)
        pthread_join(thread, NULL);
    if (theirs.status == STATUS_OK && ours.status == STATUS_OK)
        return STATUS_OK;
    *error = theirs.status == STATUS_OK ? ours.error : theirs.error;
    return STATUS_ERROR;
}

static bool could_be_recorded(StepState *step, const Recordings *recordings) {
    ProofResult *proof = &step->result->proof;
    const CellFailure *failure =
        recordings->original.failure.failed ? &recordings->original.failure : &recordings->candidate.failure;
    proof->recorded = !failure->failed;
    if (proof->recorded)
        return true;
    step->too_long = failure->too_long;
    proof->why_not = arena_printf(step->arena, "the %s could not be recorded %s%s: %s%s%s",
                                  recordings->original.failure.failed ? "original" : "refactored model",
                                  proof->symbolic ? "on shapes alone" : "on real tensors",
                                  place_in_words(step->arena, failure->place), failure->what,
                                  failure->advice[0] == '\0' ? "" : "; ", failure->advice);
    return false;
}

/* For whoever asks what the sample's call did. */
static void keep_sample(StepState *step, const Recordings *recordings) {
    const Graphs *graphs = recordings->graphs;
    step->recorded = true;
    step->original_recorded = recordings->original.trace;
    step->candidate_recorded = recordings->candidate.trace;
    step->original_graph = graphs->original[0];
    step->candidate_graph = graphs->candidate[0];
    step->original_graph.trace = &step->original_recorded;
    step->candidate_graph.trace = &step->candidate_recorded;
}

static void unify_other_calls(StepState *step, Recordings *recordings, const SizePlan *plan) {
    for (int kind = SECTION_AGAIN; kind < SECTION_COUNT && step->result->proof.proved; kind++) {
        const size_t place = (size_t)kind - SECTION_SIZES;
        unify_other_call(step, recordings, (SectionKind)kind,
                         kind >= SECTION_SIZES && place < plan->count && plan->items[place].beyond);
    }
}

/* What numbers don't show of the recorded call: how results lie in memory, and what the original does only
 * where data is otherwise. */
static void tell_unproved(StepState *step, const Graph *original, const Graph *candidate,
                          const BindingRules *rules) {
    Arena *arena = step->arena;
    const char *memory = graph_unlike_memory(arena, original, candidate, rules);
    if (memory != NULL)
        step_narrow(step, "soundness 3", arena_printf(arena, "values only: %s", memory));
    const char *state = graph_unlike_state_memory(arena, original, candidate, rules);
    if (state != NULL)
        step_narrow(step, "soundness 5", arena_printf(arena, "weights as they are loaded only: %s", state));
    if (original->read_count <= candidate->read_count)
        return;
    const GraphRead *read = &original->reads[candidate->read_count];
    step_narrow(
        step, "soundness 12",
        arena_printf(arena,
                     "where the original goes the way of the sample: it reads data in Python %zu times, "
                     "the refactored %zu times; %s is %s%s",
                     original->read_count, candidate->read_count, term_describe(arena, original, read->term),
                     read->value,
                     place_in_words(arena, place_of(&step->original.program, original->trace, read->call))));
}

static void unify_all(StepState *step, Recordings *recordings) {
    ProofResult *proof = &step->result->proof;
    const Graph *original = &recordings->graphs->original[0], *candidate = &recordings->graphs->candidate[0];
    keep_sample(step, recordings);
    step_mark_drawn(step, original, candidate);
    judge_leftovers(step, recordings, SECTION_SAMPLE);
    judge_leftovers(step, recordings, SECTION_AGAIN);
    judge_leftovers(step, recordings, SECTION_OTHER_MODE);
    judge_gradient_switches(step, recordings);
    const BindingRules rules = rules_of(step);
    const Unification found = graph_unify(step->arena, original, candidate, &rules);
    proof->operators = original->event_count;
    tell_conditions(step, original);
    if (!found.proved) {
        tell_difference(step, original, candidate, &found.difference);
        tell_unproved(step, original, candidate, &rules);
        return;
    }
    proof->proved = true;
    take_bindings(step, &found);
    const char *against = bound_against_map(step);
    if (against != NULL)
        step_drop_proof(step, against);
    const SizePlan *plan = &recordings->inputs->plan;
    unify_other_calls(step, recordings, plan);
    if (proof->proved)
        step_narrow_by_cuts(step, plan, &recordings->original.trace, &recordings->candidate.trace);
    size_plan_tell_left_out(step, plan);
}

static bool is_whole(const Section *section) {
    return section->present && section->raised == NULL;
}

static void note_cost(StepState *step, const Recordings *recordings, size_t kind) {
    const Section *original = &recordings->original.sections[kind],
                  *candidate = &recordings->candidate.sections[kind];
    if (!is_whole(original) || !is_whole(candidate))
        return;
    CallCost *cost = ARENA_NEW(step->arena, CallCost);
    *cost = (CallCost){fmax(original->bytes, candidate->bytes), fmax(original->events, candidate->events)};
    table_put(step->costs, recordings->names[kind], cost);
}

/* What runs need not try again, and what they would take. What needs data, or is cut off by us, is not
 * refused. */
static void note_refused(StepState *step, const Recordings *recordings) {
    const Recording *original = &recordings->original;
    if (original->failure.failed)
        return;
    step->refused = table_new(step->arena);
    step->costs = table_new(step->arena);
    for (size_t i = SECTION_SIZES; i < SECTION_COUNT; i++) {
        const Section *section = &original->sections[i];
        note_cost(step, recordings, i);
        if (section->present && section->raised != NULL && !section->too_long && !section->no_memory &&
            !text_starts(section->raised, "NeedsData"))
            table_put(step->refused, recordings->names[i], TABLE_PRESENT);
    }
}

/* The candidate left out what the original made: once more, those alone. */
static Status look_at_missed(StepState *step, const RecordRequest *original, const RecordRequest *candidate,
                             const Recordings *before, Error *error) {
    if (!step->result->proof.proved || before->missed_count == 0)
        return STATUS_OK;
    RecordInputs inputs = record_inputs_of(before->inputs, before->missed);
    RecordRequest theirs = *original, ours = *candidate;
    theirs.inputs = ours.inputs = &inputs;
    theirs.describe = ours.describe = theirs.compare_inputs = ours.compare_inputs = false;
    Recordings recordings;
    Status status = record_both(step, &theirs, &ours, &recordings, error);
    if (status == STATUS_OK && (recordings.original.failure.failed || recordings.candidate.failure.failed))
        step_drop_proof(step, "the two could not be recorded a second time");
    else if (status == STATUS_OK)
        unify_other_calls(step, &recordings, &before->inputs->plan);
    record_inputs_close(&inputs);
    recordings_close(&recordings);
    return status;
}

static bool map_speaks_of(const WeightMap *map, size_t count, const ProofBinding *binding) {
    for (size_t i = 0; i < count; i++) {
        const MapEntry *entry = &map->items[i];
        if (text_equal(entry->key, binding->original))
            return true;
        for (size_t j = 0; j < entry->target_count; j++)
            if (text_equal(entry->targets[j].key, binding->refactored))
                return true;
    }
    return false;
}

/* The proof completes the map that was given, if one was: names settle the rest. */
static void map_from_proof(StepState *step) {
    const ProofResult *proof = &step->result->proof;
    if ((step->composed != NULL && step->has_map) || !proof->proved)
        return;
    WeightMap *map = &step->map;
    if (!step->has_map)
        *map = (WeightMap){.name = "the proof"};
    const size_t given = map->count;
    for (size_t i = 0; i < proof->binding_count; i++) {
        const ProofBinding *binding = &proof->bindings[i];
        if (text_equal(binding->original, binding->refactored) || map_speaks_of(map, given, binding))
            continue;
        MapEntry *entry = ARENA_PUSH(step->arena, map);
        MapTarget *target = ARENA_NEW(step->arena, MapTarget);
        *target = (MapTarget){.key = binding->refactored};
        *entry = (MapEntry){.key = binding->original, .targets = target, .target_count = 1};
    }
    step->has_map = map->count > 0;
}

Status step_prove(StepState *step, bool symbolic, Error *error) {
    step_tell(step, symbolic ? "proving, on shapes alone" : "proving, on real tensors");
    ProofResult *proof = &step->result->proof;
    double start = seconds_now();
    const json_t *sample = json_array_get(json_object_get(step->original_description.done, "trials"), 0);
    RecordInputs inputs = record_inputs(step, sample, step->original_description.inputs, symbolic);
    if (!symbolic) /* what is kept from call to call shows in no first */
        inputs.trials[SECTION_AGAIN] = json_incref((json_t *)sample);
    RecordRequest original = {.inputs = &inputs},
                  candidate = {.inputs = &inputs, .init = step->candidate_init};
    if (!symbolic) {
        original.weights = step->original_weights;
        candidate.weights = step->candidate_weights;
        original.weights_file = candidate.weights_file = step->weights;
    }
    Recordings recordings;
    proof->attempted = true;
    proof->symbolic = symbolic;
    Status status = record_both(step, &original, &candidate, &recordings, error);
    if (status == STATUS_OK)
        note_refused(step, &recordings);
    if (status == STATUS_OK && could_be_recorded(step, &recordings)) {
        unify_all(step, &recordings);
        status = look_at_missed(step, &original, &candidate, &recordings, error);
    }
    step->proof_trace = recordings.candidate.trace;
    map_from_proof(step);
    if (proof->proved && step->other_mode_differs != NULL)
        step_drop_proof(step, step->other_mode_differs); /* its map stands */
    record_inputs_close(&inputs);
    recordings_close(&recordings);
    proof->seconds += seconds_now() - start;
    return status;
}

/* ---- Rigor fast ---------------------------------------------------------------------------- */

static Status assign_by_proof(StepState *step, bool *proved, Error *error) {
    step->described = true;
    map_from_proof(step);
    bool go_on;
    if (step_assign_weights(step, &go_on, error) != STATUS_OK)
        return STATUS_ERROR;
    *proved = true;
    step->has_traces = true;
    return STATUS_OK;
}

Status step_prove_alone(StepState *step, bool *proved, Error *error) {
    step_tell(step, "proving, on shapes alone");
    ProofResult *proof = &step->result->proof;
    double start = seconds_now();
    Description sample;
    CellFailure failure;
    *proved = false;
    if (record_own_inputs(step, &step->original, &sample, &failure, error) != STATUS_OK)
        return STATUS_ERROR;
    if (failure.failed)
        return STATUS_OK; /* the run by numbers says it better */
    RecordInputs inputs =
        record_inputs(step, json_array_get(json_object_get(sample.done, "trials"), 0), sample.inputs, true);
    RecordRequest original = {.inputs = &inputs, .describe = true}, candidate = original;
    /* Its own inputs are compared, never used; that they can't be made is no failure. */
    candidate.compare_inputs = program_defines(&step->candidate.program, "get_inputs");
    if (!program_defines(&step->candidate.program, "get_init_inputs"))
        candidate.init = &sample.init;
    Recordings recordings;
    proof->attempted = proof->symbolic = true;
    Status status = record_both(step, &original, &candidate, &recordings, error);
    if (status == STATUS_OK)
        note_refused(step, &recordings);
    bool recorded = status == STATUS_OK && could_be_recorded(step, &recordings);
    if (recorded && step->composed != NULL)
        status = step->composed->settle_map(step, error);
    if (recorded && status == STATUS_OK) {
        unify_all(step, &recordings);
        status = look_at_missed(step, &original, &candidate, &recordings, error);
    }
    proof->seconds = seconds_now() - start;
    if (status == STATUS_OK && proof->proved) {
        step->original_trace = recordings.original.trace;
        step->candidate_trace = step->proof_trace = recordings.candidate.trace;
        step_compare_arguments(step);
        status = step_compare_dimensions(step, &sample, &step->candidate_description, error);
        if (status == STATUS_OK)
            status = assign_by_proof(step, proved, error);
    }
    if (!*proved) {
        description_close(&step->original_description);
        description_close(&step->candidate_description);
    }
    record_inputs_close(&inputs);
    recordings_close(&recordings);
    description_close(&sample);
    return status;
}
