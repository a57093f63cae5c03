/* Runs a failed trial once more with the values inside, and says in words which of them departs first. */
#include "departure.h"
#include "pair.h"

#include <math.h>
#include <string.h>

static const uint64_t LARGEST_BUDGET = UINT64_C(512) << 20; /* of each side's values, in bytes */

static uint64_t budget_of(const StepState *step) {
    const uint64_t part = step->settings.memory / 4; /* beside two models that may take the rest */
    return part < LARGEST_BUDGET ? part : LARGEST_BUDGET;
}

/* ---- Which outputs depart, and by how much ------------------------------------------------ */

typedef struct Departing {
    TensorId *original, *candidate; /* in the traces */
    size_t count;
    double difference; /* the largest, of its output's size */
} Departing;

/* Path -> TensorId; of two of one path, the first's. */
static Table *outputs_by_path(Arena *arena, const Value *outputs) {
    Table *table = table_new(arena);
    const OutputTensors tensors = output_tensors(arena, outputs);
    for (size_t i = 0; i < tensors.count; i++)
        if (!table_has(table, tensors.paths[i]))
            table_put(table, tensors.paths[i], &tensors.tensors[i]);
    return table;
}

static double relative_difference(const RunOutputs *original, const Table *outputs,
                                  const OutputComparison *output) {
    const TensorId *found = table_get(outputs, output->path);
    if (found == NULL || output->numbers.nonfinite_mismatches > 0)
        return INFINITY;
    return output->numbers.max_abs / tensor_sketch(&original->tensors[found->number]).size;
}

/* Those that don't match, or, where a float64 run decided, those that differ at all. */
static Departing departing_outputs(StepState *step, const Pair *pair) {
    Arena *arena = step->arena;
    OutputComparison *outputs;
    size_t count;
    const bool all_match = compare_outputs(arena, &pair->original, &pair->candidate, step->result->tolerance,
                                           step->processors, &outputs, &count, findings_new(arena));
    const Table *theirs = outputs_by_path(arena, &step->original_trace.outputs),
                *ours = outputs_by_path(arena, &step->candidate_trace.outputs),
                *numbers = outputs_by_path(arena, &pair->original.outputs);
    Departing departing = {.original = ARENA_ARRAY(arena, TensorId, count + 1),
                           .candidate = ARENA_ARRAY(arena, TensorId, count + 1)};
    for (size_t i = 0; i < count; i++) {
        const OutputComparison *output = &outputs[i];
        const TensorId *there = table_get(theirs, output->path), *here = table_get(ours, output->path);
        if (!output->compared || there == NULL || here == NULL ||
            (all_match ? output->numbers.max_abs == 0 : output->matches))
            continue;
        departing.original[departing.count] = *there;
        departing.candidate[departing.count++] = *here;
        departing.difference =
            fmax(departing.difference, relative_difference(&pair->original, numbers, output));
    }
    return departing;
}

/* ---- In words ----------------------------------------------------------------------------- */

static DepartureSide describe_side(Arena *arena, const Program *program, const Trace *trace,
                                   const DepartedValue *value) {
    if (value->call == NULL)
        return (DepartureSide){0};
    const TraceTensor *tensor = &trace->tensors[value->tensor.number];
    Text shape = text_new(arena);
    text_add(&shape, "[");
    for (size_t i = 0; i < tensor->rank; i++)
        text_printf(&shape, "%s%lld", i == 0 ? "" : ", ", (long long)tensor->shape[i]);
    text_add(&shape, "]");
    const int64_t module = value->call->module_call;
    return (DepartureSide){
        .operator= text_one_line(arena, trace_operator(trace, value->call)),
        .place = call_place(program, value->call),
        .module = module == NO_NUMBER
                      ? NULL
                      : text_one_line(arena, trace->modules[trace->module_calls[module].module].path),
        .shape = shape.data,
        .dtype = text_one_line(arena, tensor->dtype)};
}

static void add_side(Text *text, const char *name, const DepartureSide *side) {
    if (side->operator== NULL) {
        text_printf(text, "%s nothing in its place", name);
        return;
    }
    text_printf(text, "%s %s", name, side->operator);
    if (side->module != NULL && side->module[0] != '\0')
        text_printf(text, " in %s", side->module);
    text_add(text, place_in_words(text->arena, side->place));
}

static void add_numbers(Text *text, const Departure *departure) {
    const DepartureSide *a = &departure->original, *b = &departure->refactored;
    if (b->operator== NULL)
        return;
    if (!text_equal(a->shape, b->shape))
        text_printf(text, "; of shapes %s and %s", a->shape, b->shape);
    if (!text_equal(a->dtype, b->dtype))
        text_printf(text, "; in %s and %s", a->dtype, b->dtype);
    if (departure->compared)
        text_printf(text, "; max abs %.2g, mean %.2g, of values of size %.2g", departure->max_diff,
                    departure->mean_diff, departure->size);
}

static void add_agreeing(Text *text, size_t count, const char *which) {
    if (count == 0)
        text_printf(text, "there is no value%s", which);
    else
        text_printf(text, count == 1 ? "the %zu value%s agrees" : "the %zu values%s agree", count, which);
}

static const char *in_words(Arena *arena, const Departure *departure) {
    Text text = text_new(arena);
    if (departure->original.operator== NULL) {
        text_add(&text, "no value inside departs: ");
        add_agreeing(&text, departure->agreed, departure->limited == NULL ? "" : " that were kept");
        text_add(&text, departure->limited == NULL ? "; what is returned of them differs" : "");
    } else {
        text_add(&text, "first value that departs: ");
        add_side(&text, "original", &departure->original);
        text_add(&text, ", ");
        add_side(&text, "refactored", &departure->refactored);
        if (departure->source.operator!= NULL) {
            add_side(&text, " of", &departure->source);
            text_add(&text, ", which the original has not");
        }
        add_numbers(&text, departure);
        text_add(&text, "; ");
        add_agreeing(&text, departure->agreed, " before it");
    }
    if (departure->limited != NULL)
        text_printf(&text, "; %s", departure->limited);
    return text.data;
}

/* ---- The run ------------------------------------------------------------------------------ */

/* Values of other operators and other shapes are no counterparts whose numbers say something. */
static bool are_comparable(Arena *arena, const Departure *departure, const FirstDeparture *found) {
    const TensorView *a = found->original.view, *b = found->candidate.view;
    if (a == NULL || b == NULL || a->element_count != b->element_count)
        return false;
    return text_equal(departure->original.shape, departure->refactored.shape) ||
           text_equal(operator_canonical(arena, departure->original.operator),
                      operator_canonical(arena, departure->refactored.operator));
}

static void compare_values(Arena *arena, const FirstDeparture *found, Departure *departure) {
    const TensorView *a = found->original.view, *b = found->candidate.view;
    if (!are_comparable(arena, departure, found))
        return;
    const Gap gap = tensor_gap(a, b);
    departure->compared = true;
    departure->max_diff = gap.unlike > 0 ? INFINITY : gap.max_abs;
    departure->mean_diff = gap.mean_abs;
    departure->size = found->original.size;
}

static const char *limit_in_words(StepState *step, const Pair *pair, uint64_t budget) {
    const size_t theirs = pair->original_values.left_out, ours = pair->candidate_values.left_out;
    if (theirs + ours == 0)
        return NULL;
    return arena_printf(step->arena,
                        "%zu later values of the original and %zu of the refactored had no room in %llu MiB",
                        theirs, ours, (unsigned long long)(budget >> 20));
}

static void find(StepState *step, const Pair *pair, const Trial *trial, uint64_t budget) {
    const Departing outputs = departing_outputs(step, pair);
    if (outputs.count == 0)
        return; /* they agree this time */
    const RunValues original = {&step->original_trace, pair->original_values, outputs.original,
                                outputs.count},
                    candidate = {&step->candidate_trace, pair->candidate_values, outputs.candidate,
                                 outputs.count};
    const DepartureRules rules = {step->result->tolerance.rtol, outputs.difference, step->processors};
    FirstDeparture found = departure_find(step->arena, &original, &candidate, &rules);
    if (pair->candidate_values.left_out > 0 && found.candidate.call == NULL)
        found.original = (DepartedValue){0}; /* what agrees with it may be among those that were not kept */
    Departure *departure = ARENA_NEW(step->arena, Departure);
    *departure = (Departure){
        .original =
            describe_side(step->arena, &step->original.program, &step->original_trace, &found.original),
        .refactored =
            describe_side(step->arena, &step->candidate.program, &step->candidate_trace, &found.candidate),
        .source = describe_side(step->arena, &step->candidate.program, &step->candidate_trace, &found.source),
        .agreed = found.agreed,
        .original_values = pair->original_values.count,
        .refactored_values = pair->candidate_values.count,
        .limited = limit_in_words(step, pair, budget),
        .kind = trial->kind,
        .seed = trial->seed};
    compare_values(step->arena, &found, departure);
    departure->says = in_words(step->arena, departure);
    step->result->departure = departure;
}

static void not_found(StepState *step, const Trial *trial, const char *why) {
    const Departure departure = {
        .kind = trial->kind,
        .seed = trial->seed,
        .says = arena_printf(step->arena, "the first value that departs was not found: %s", why)};
    step->result->departure = arena_copy(step->arena, &departure, sizeof departure);
}

void step_find_departure(StepState *step, const PairRequest *request, const Trial *trial) {
    if (step->looked_for_departure || step->result->weights != PART_PASSED)
        return; /* with other weights, all departs */
    step->looked_for_departure = true;
    step_tell(step, "the first value that departs");
    const Trace original_trace = step->original_trace, candidate_trace = step->candidate_trace;
    PairRequest with_values = *request;
    with_values.trace = true;
    with_values.values = budget_of(step);
    Pair pair;
    Error error;
    if (pair_run(step, &with_values, &pair, &error) != STATUS_OK)
        not_found(step, trial, error_line(step->arena, &error));
    else if (pair.original_failure.failed || pair.candidate_failure.failed)
        not_found(step, trial,
                  pair.original_failure.failed ? pair.original_failure.what : pair.candidate_failure.what);
    else
        find(step, &pair, trial, with_values.values);
    pair_close(&pair);
    step->original_trace = original_trace;
    step->candidate_trace = candidate_trace;
}
