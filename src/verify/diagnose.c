/* Why two runs differ: which of the guide's causes ("Common Verification Failures") the two traces show. */
#include "verify_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A trace without plumbing: the operators that decide the result, in order, of the calls that an output
 * depends on. */
typedef struct Steps {
    const TraceCall **calls;
    const char **names; /* canonical */
    size_t count;
    Table *counts; /* name -> how often */
} Steps;

static bool decides_result(OperatorClass class) {
    switch (class) {
    case OPERATOR_COMPUTE:
    case OPERATOR_ARITHMETIC:
    case OPERATOR_POWER:
    case OPERATOR_FORBIDDEN:
    case OPERATOR_RANDOM:
    case OPERATOR_SELECTING: return true;
    default: return false;
    }
}

/* By operator's number. */
static const char **canonical_names(Arena *arena, const Trace *trace) {
    const char **names = ARENA_ARRAY(arena, const char *, trace->operator_count + 1);
    for (size_t i = 0; i < trace->operator_count; i++)
        names[i] = operator_canonical(arena, trace->operators[i]);
    return names;
}

static Steps steps_of(Arena *arena, const Trace *trace) {
    Steps steps = {.calls = ARENA_ARRAY(arena, const TraceCall *, trace->call_count + 1),
                   .names = ARENA_ARRAY(arena, const char *, trace->call_count + 1),
                   .counts = table_new(arena)};
    const char **canonical = canonical_names(arena, trace);
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const char *operator= trace_operator(trace, &trace->calls[i]);
        if (!trace->live_calls[i] || !decides_result(operator_class(operator)))
            continue;
        const char *name = canonical[trace->calls[i].operator_number];
        steps.calls[steps.count] = &trace->calls[i];
        steps.names[steps.count++] = name;
        table_put(steps.counts, name, (void *)((uintptr_t)table_get(steps.counts, name) + 1));
    }
    return steps;
}

static size_t count_name(const Steps *steps, const char *name) {
    return (size_t)(uintptr_t)table_get(steps->counts, name);
}

Place call_place(const Program *program, const TraceCall *call) {
    if (call == NULL || call->file < 0 || (size_t)call->file >= program->count)
        return (Place){0};
    return (Place){.file = program->items[call->file]->source.name, .line = call->line};
}

const char *place_in_words(Arena *arena, Place place) {
    return place.file == NULL ? "" : arena_printf(arena, " (%s:%d)", place.file, place.line);
}

static const char *times(Arena *arena, size_t count) {
    return count == 1 ? "once" : count == 0 ? "not at all" : arena_printf(arena, "%zu times", count);
}

/* The first operator that `more` has more often than `fewer`; NULL if there is none. */
static const TraceCall *first_excess(const Steps *more, const Steps *fewer, const char **name) {
    for (size_t i = 0; i < more->count; i++)
        if (count_name(more, more->names[i]) > count_name(fewer, more->names[i])) {
            *name = more->names[i];
            return more->calls[i];
        }
    return NULL;
}

bool is_definite(const Value *value) {
    return value->kind == VALUE_FLOAT || value->kind == VALUE_STR || value->kind == VALUE_BOOL;
}

/* 80 ** -0.5 and 1 / sqrt(80) are one number. */
static bool same_constant(const Value *a, const Value *b) {
    if (a->kind == VALUE_FLOAT && b->kind == VALUE_FLOAT && isfinite(a->real) && isfinite(b->real))
        return fabs(a->real - b->real) <= 1e-12 * fabs(a->real);
    return value_equal(a, b);
}

static bool differs(const Value *a, const Value *b) {
    return is_definite(a) && is_definite(b) && !same_constant(a, b);
}

/* What every trial shows, and may be written in several ways: the letters of an equation, whether a dimension
 * is kept or put back, whether what is overwritten is the argument. */
static bool shows_in_values(const char *operator, const char * argument) {
    return strcmp(operator, "einsum") == 0 || strcmp(argument, "keepdim") == 0 ||
           strcmp(argument, "inplace") == 0;
}

/* The first constant that two calls of `operator` don't share; false if there is none. */
static bool other_constant(const char *operator, const TraceCall * theirs, const TraceCall *ours,
                           const Value **a, const Value **b) {
    for (size_t i = 0; i < theirs->arg_count && i < ours->arg_count; i++)
        if (!shows_in_values(operator, "") && differs(*a = &theirs->args[i], *b = &ours->args[i]))
            return true;
    for (size_t i = 0; i < theirs->kwarg_count; i++)
        for (size_t j = 0; j < ours->kwarg_count; j++)
            if (strcmp(theirs->names[i], ours->names[j]) == 0 &&
                !shows_in_values(operator, theirs->names[i]) &&
                differs(*a = &theirs->kwargs[i], *b = &ours->kwargs[j]))
                return true;
    return false;
}

static bool same_operators(const Steps *a, const Steps *b) {
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    return true;
}

bool same_computation(Arena *arena, const Trace *a, const Trace *b) {
    Steps one = steps_of(arena, a), other = steps_of(arena, b);
    return same_operators(&one, &other);
}

/* ---- Operators held against each other in any order ---------------------------------------- */

/* What calls of one name were made with, of one side: the numbers and texts, and the dtype of the result. */
typedef struct Call {
    const TraceCall *call;
    const Value *constants[4];
    size_t constant_count;
    const char *dtype; /* of the result, if it is floating */
    bool matched;
} Call;

typedef struct CallList {
    Call *items;
    size_t count, capacity;
} CallList;

/* Arguments that are numbers even where they are spelled as integers: no size, dimension or index. */
static const struct {
    const char *operator, * name;
    size_t position;
} NUMBERS[] = {{"masked_fill", "value", 2},
               {"full", "fill_value", 1},
               {"full_like", "fill_value", 1},
               {"new_full", "fill_value", 2},
               {"clamp", "min", 1},
               {"clamp", "max", 2},
               {"clamp_min", "min", 1},
               {"clamp_max", "max", 1},
               {"hardtanh", "min_val", 1},
               {"hardtanh", "max_val", 2},
               {"leaky_relu", "negative_slope", 1},
               {"threshold", "threshold", 1},
               {"threshold", "value", 2},
               {"elu", "alpha", 1},
               {"celu", "alpha", 1}};

static const Value *as_number(Arena *arena, const Value *value) {
    if (value->kind != VALUE_INT)
        return value;
    Value *number = ARENA_NEW(arena, Value);
    *number = (Value){.kind = VALUE_FLOAT, .real = (double)value->integer};
    return number;
}

static void take_constant(Call *one, const Value *value) {
    if ((value->kind == VALUE_FLOAT || value->kind == VALUE_STR) &&
        one->constant_count < COUNT_OF(one->constants))
        one->constants[one->constant_count++] = value;
}

static bool takes_numbers(const char *name) {
    for (size_t i = 0; i < COUNT_OF(NUMBERS); i++)
        if (strcmp(NUMBERS[i].operator, name) == 0)
            return true;
    return false;
}

static void take_constants(Arena *arena, Call *one, const char *name, bool integers) {
    const TraceCall *call = one->call;
    for (size_t i = 0; i < COUNT_OF(NUMBERS); i++) {
        const Value *value = strcmp(NUMBERS[i].operator, name) == 0
                                 ? trace_argument(call, NUMBERS[i].position, NUMBERS[i].name)
                                 : NULL;
        if (value != NULL)
            take_constant(one, as_number(arena, value));
    }
    if (takes_numbers(name) || shows_in_values(name, ""))
        return;
    for (size_t a = 0; a < call->arg_count; a++)
        take_constant(one, integers ? as_number(arena, &call->args[a]) : &call->args[a]);
    for (size_t k = 0; k < call->kwarg_count; k++)
        take_constant(one, integers ? as_number(arena, &call->kwargs[k]) : &call->kwargs[k]);
}

/* `integers`: all that are given are numbers. */
static CallList calls_of(Arena *arena, const Trace *trace, const char *name, bool integers) {
    CallList list = {0};
    const char **canonical = canonical_names(arena, trace);
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        if (!trace->live_calls[i] || strcmp(canonical[call->operator_number], name) != 0)
            continue;
        Call *one = ARENA_PUSH(arena, &list);
        *one = (Call){.call = call};
        take_constants(arena, one, name, integers);
        if (call->give_count > 0 && trace->tensors[call->gives[0].number].floating)
            one->dtype = trace->tensors[call->gives[0].number].dtype;
    }
    return list;
}

typedef bool CallEqual(const Call *a, const Call *b);
typedef int CallOrder(const void *a, const void *b);

static bool equal_constants(const Call *a, const Call *b) {
    for (size_t i = 0; i < a->constant_count; i++)
        if (!same_constant(a->constants[i], b->constants[i]))
            return false;
    return true;
}

static bool equal_dtype(const Call *a, const Call *b) {
    return text_equal(a->dtype, b->dtype);
}

/* Any order will do that tells all numbers apart. */
static uint64_t bits_of(double real) {
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits;
}

static int by_constant(const Value *a, const Value *b) {
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind != VALUE_FLOAT)
        return strcmp(a->text.data, b->text.data);
    return (bits_of(a->real) > bits_of(b->real)) - (bits_of(a->real) < bits_of(b->real));
}

/* Those of equal constants stand together, as they were called. */
static int by_constants(const void *a, const void *b) {
    const Call *const one = *(Call *const *)a, *const other = *(Call *const *)b;
    int order = 0;
    for (size_t i = 0; i < one->constant_count && i < other->constant_count && order == 0; i++)
        order = by_constant(one->constants[i], other->constants[i]);
    return order;
}

static int by_dtype(const void *a, const void *b) {
    const char *one = (*(Call *const *)a)->dtype, *other = (*(Call *const *)b)->dtype;
    return strcmp(one == NULL ? "" : one, other == NULL ? "" : other);
}

static Call **ordered_calls(Arena *arena, CallList *list, CallOrder *order) {
    Call **calls = ARENA_ARRAY(arena, Call *, list->count + 1);
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].matched = false;
        calls[i] = &list->items[i];
    }
    if (list->count > 0)
        qsort(calls, list->count, sizeof(Call *), order);
    return calls;
}

/* Pairs off those that are the same to the last bit, which nearly all are. */
static void pair_off_same(Arena *arena, CallList *theirs, CallList *ours, CallOrder *order,
                          CallEqual *equal) {
    Call **one = ordered_calls(arena, theirs, order), **other = ordered_calls(arena, ours, order);
    for (size_t i = 0, j = 0; i < theirs->count && j < ours->count;) {
        int way = order(&one[i], &other[j]);
        if (way == 0 && equal(one[i], other[j]))
            one[i]->matched = other[j]->matched = true;
        i += way <= 0;
        j += way >= 0;
    }
}

/* Pairs off equal calls. False if one of each side is left over, which then are `*a` and `*b`; so many that
 * are equal only within rounding are left that it would take long: true. */
static bool pair_off(Arena *arena, CallList *theirs, CallList *ours, CallOrder *order, CallEqual *equal,
                     const Call **a, const Call **b) {
    enum { MOST_HELD = 100000000 };
    *a = *b = NULL;
    pair_off_same(arena, theirs, ours, order, equal);
    size_t held = 0, first = 0;
    for (size_t i = 0; i < ours->count; i++) {
        if (ours->items[i].matched)
            continue;
        while (first < theirs->count && theirs->items[first].matched)
            first++;
        size_t j = first;
        for (; j < theirs->count && (theirs->items[j].matched || !equal(&theirs->items[j], &ours->items[i]));
             j++)
            if (++held > MOST_HELD)
                return true;
        if (j < theirs->count)
            theirs->items[j].matched = true;
        else if (*b == NULL)
            *b = &ours->items[i];
    }
    for (size_t j = 0; j < theirs->count && *a == NULL; j++)
        if (!theirs->items[j].matched)
            *a = &theirs->items[j];
    return *a == NULL || *b == NULL;
}

/* Calls that leave a constant to its default can't be held against those that give it. */
static bool are_alike(const CallList *theirs, const CallList *ours) {
    for (size_t i = 0; i < theirs->count; i++)
        for (size_t s = 0; s < 2; s++) {
            const Call *one = s == 0 ? &theirs->items[i] : &ours->items[i];
            if (one->constant_count != theirs->items[0].constant_count)
                return false;
            for (size_t c = 0; c < one->constant_count; c++)
                if (one->constants[c]->kind != theirs->items[0].constants[c]->kind)
                    return false;
        }
    return true;
}

static bool has_own_constants(OperatorClass class, const char *name) {
    return class == OPERATOR_COMPUTE || class == OPERATOR_FORBIDDEN || class == OPERATOR_RANDOM ||
           class == OPERATOR_SELECTING || takes_numbers(name);
}

static bool same_counts(const Steps *a, const Steps *b) {
    const char *name;
    return first_excess(a, b, &name) == NULL && first_excess(b, a, &name) == NULL;
}

static bool has_precision(OperatorClass class) {
    return class == OPERATOR_COMPUTE || class == OPERATOR_FORBIDDEN || class == OPERATOR_SELECTING ||
           class == OPERATOR_ARITHMETIC || class == OPERATOR_POWER;
}

/* Where both sides run an operator equally often, in whatever order, they run it with the same constants and
 * in the same dtypes. Arithmetic too, if all that they run is the same. */
static bool unordered_difference(Arena *arena, const Program *original_program, const Trace *original,
                                 const Program *candidate_program, const Trace *candidate,
                                 Diagnosis *diagnosis) {
    Table *seen = table_new(arena);
    const char **canonical = canonical_names(arena, original);
    const Steps all_theirs = steps_of(arena, original), all_ours = steps_of(arena, candidate);
    const bool same = same_counts(&all_theirs, &all_ours);
    for (size_t i = original->forward_start; i < original->call_count; i++) {
        const char *operator= trace_operator(original, &original->calls[i]);
        const char *name = canonical[original->calls[i].operator_number];
        OperatorClass class = operator_class(operator);
        const bool arithmetic = class == OPERATOR_ARITHMETIC && same;
        const bool constants = arithmetic || has_own_constants(class, name);
        if (!original->live_calls[i] || table_has(seen, name) || !(constants || has_precision(class)))
            continue;
        table_put(seen, name, TABLE_PRESENT);
        CallList theirs = calls_of(arena, original, name, arithmetic);
        CallList ours = calls_of(arena, candidate, name, arithmetic);
        const Call *a, *b;
        if (theirs.count != ours.count)
            continue;
        bool constant = constants && are_alike(&theirs, &ours) &&
                        !pair_off(arena, &theirs, &ours, by_constants, equal_constants, &a, &b);
        if (!constant &&
            (!has_precision(class) || pair_off(arena, &theirs, &ours, by_dtype, equal_dtype, &a, &b) ||
             a->dtype == NULL || b->dtype == NULL))
            continue;
        size_t c = 0;
        while (constant && same_constant(a->constants[c], b->constants[c]))
            c++;
        Place place = call_place(candidate_program, b->call);
        diagnosis->rule = constant ? RULE_NUMBERS_CONSTANT : RULE_NUMBERS_PRECISION;
        diagnosis->what = arena_printf(
            arena,
            constant ? "a different constant: the original calls %s with %s%s, the refactored with %s%s"
                     : "another precision: the original's %s gives %s%s, the refactored's %s%s",
            name, constant ? value_describe(arena, a->constants[c]) : a->dtype,
            place_in_words(arena, call_place(original_program, a->call)),
            constant ? value_describe(arena, b->constants[c]) : b->dtype, place_in_words(arena, place));
        diagnosis->instead =
            constant ? "use the original's" : "cast where the original casts, and nowhere else";
        diagnosis->place = place;
        return true;
    }
    return false;
}

/* A call of the candidate that gives narrow numbers, of a dtype that the original nowhere has; NULL: none. */
static const TraceCall *narrowing_call(Arena *arena, const Trace *original, const Trace *candidate) {
    Table *there = table_new(arena);
    for (size_t t = 0; t < original->tensor_count; t++)
        table_put(there, original->tensors[t].dtype, TABLE_PRESENT);
    for (size_t i = candidate->forward_start; i < candidate->call_count; i++) {
        const TraceCall *call = &candidate->calls[i];
        if (!candidate->live_calls[i] || call->give_count == 0)
            continue;
        const TraceTensor *given = &candidate->tensors[call->gives[0].number];
        bool wide = text_ends(given->dtype, "float32") || text_ends(given->dtype, "float64");
        if (given->floating && !wide && !text_starts(given->dtype, "torch.complex") &&
            !table_has(there, given->dtype))
            return call;
    }
    return NULL;
}

static bool bound_difference(Arena *arena, const Program *original_program, const Trace *original,
                             const Program *candidate_program, const Trace *candidate, Diagnosis *diagnosis) {
    const TraceCall *theirs, *ours;
    if (!other_bound(arena, original, candidate, &theirs, &ours))
        return false;
    const Place place = call_place(candidate_program, ours);
    *diagnosis =
        (Diagnosis){arena_printf(arena, "a different bound: the original asks %s %s%s, the refactored %s%s",
                                 operator_canonical(arena, trace_operator(original, theirs)),
                                 value_describe(arena, trace_argument(theirs, 1, "other")),
                                 place_in_words(arena, call_place(original_program, theirs)),
                                 operator_canonical(arena, trace_operator(candidate, ours)),
                                 place_in_words(arena, place)),
                    "compare as the original does", place, RULE_NUMBERS_CONSTANT, false};
    return true;
}

bool definite_difference(Arena *arena, const Program *original_program, const Trace *original,
                         const Program *candidate_program, const Trace *candidate,
                         const Assignment *assignment, Diagnosis *diagnosis) {
    Steps theirs = steps_of(arena, original), ours = steps_of(arena, candidate);
    diagnosis->rule = RULE_NUMBERS_CONSTANT;
    const bool in_step = same_operators(&theirs, &ours);
    for (size_t i = 0; in_step && i < theirs.count; i++) {
        const Value *a, *b;
        if (!other_constant(theirs.names[i], theirs.calls[i], ours.calls[i], &a, &b))
            continue;
        if (same_terms(original, candidate, assignment))
            break; /* independent branches in another order */
        Place place = call_place(candidate_program, ours.calls[i]);
        diagnosis->what = arena_printf(
            arena, "a different constant: the original calls %s with %s%s, the refactored with %s%s",
            theirs.names[i], value_describe(arena, a),
            place_in_words(arena, call_place(original_program, theirs.calls[i])), value_describe(arena, b),
            place_in_words(arena, place));
        diagnosis->instead = "use the original's";
        diagnosis->place = place;
        return true;
    }
    const TraceCall *narrowing = narrowing_call(arena, original, candidate);
    if (narrowing == NULL &&
        bound_difference(arena, original_program, original, candidate_program, candidate, diagnosis))
        return true;
    if (narrowing == NULL)
        return unordered_difference(arena, original_program, original, candidate_program, candidate,
                                    diagnosis);
    *diagnosis =
        (Diagnosis){arena_printf(arena, "the refactored casts to %s here, which the original nowhere does",
                                 candidate->tensors[narrowing->gives[0].number].dtype),
                    "cast where the original casts, and nowhere else",
                    call_place(candidate_program, narrowing), RULE_NUMBERS_PRECISION, false};
    return true;
}

Diagnosis diagnose(Arena *arena, const Program *original_program, const Trace *original,
                   const Program *candidate_program, const Trace *candidate, const Assignment *assignment) {
    Steps theirs = steps_of(arena, original), ours = steps_of(arena, candidate);
    const char *name;
    Diagnosis definite = {0}; /* whether it is unclear is not set there */
    if (definite_difference(arena, original_program, original, candidate_program, candidate, assignment,
                            &definite))
        return definite;
    const TraceCall *call = first_excess(&theirs, &ours, &name);
    if (call != NULL)
        return (Diagnosis){arena_printf(arena,
                                        "missing operation: the original calls %s %s%s, the refactored %s",
                                        name, times(arena, count_name(&theirs, name)),
                                        place_in_words(arena, call_place(original_program, call)),
                                        times(arena, count_name(&ours, name))),
                           "add it where the original has it", (Place){0}, RULE_NUMBERS_DIFFERENT, false};
    call = first_excess(&ours, &theirs, &name);
    if (call != NULL)
        return (Diagnosis){arena_printf(arena,
                                        "extra operation: the refactored calls %s %s%s, the original %s",
                                        name, times(arena, count_name(&ours, name)),
                                        place_in_words(arena, call_place(candidate_program, call)),
                                        times(arena, count_name(&theirs, name))),
                           "remove it", call_place(candidate_program, call), RULE_NUMBERS_DIFFERENT, false};
    for (size_t i = 0; i < theirs.count && i < ours.count; i++)
        if (strcmp(theirs.names[i], ours.names[i]) != 0)
            return (Diagnosis){
                arena_printf(
                    arena, "wrong order: operation %zu is %s in the original%s and %s in the refactored%s",
                    i + 1, theirs.names[i],
                    place_in_words(arena, call_place(original_program, theirs.calls[i])), ours.names[i],
                    place_in_words(arena, call_place(candidate_program, ours.calls[i]))),
                "follow the data flow of the original's forward()",
                call_place(candidate_program, ours.calls[i]), RULE_NUMBERS_DIFFERENT, false};
    return (Diagnosis){
        "both run the same operators in the same order: weights are crossed, or the wiring differs "
        "(weight mismatch)",
        "check weight_map.json, and which value goes into which child", (Place){0}, RULE_NUMBERS_DIFFERENT,
        true};
}
