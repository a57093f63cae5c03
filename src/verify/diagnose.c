/* Why two runs differ: which of the guide's causes ("Common Verification Failures") the two traces show. */
#include "verify_internal.h"

#include <stdlib.h>
#include <string.h>

/* A trace without plumbing: the operators that decide the result, in order, of the calls that an output
 * depends on. */
typedef struct Steps {
    const TraceCall **calls;
    const char **names; /* canonical */
    size_t count;
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

static Steps steps_of(Arena *arena, const Trace *trace) {
    Steps steps = {.calls = ARENA_ARRAY(arena, const TraceCall *, trace->call_count + 1),
                   .names = ARENA_ARRAY(arena, const char *, trace->call_count + 1)};
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const char *operator= trace_operator(trace, &trace->calls[i]);
        if (!trace->live_calls[i] || !decides_result(operator_class(operator)))
            continue;
        steps.calls[steps.count] = &trace->calls[i];
        steps.names[steps.count++] = operator_canonical(arena, operator);
    }
    return steps;
}

static size_t count_name(const Steps *steps, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < steps->count; i++)
        count += strcmp(steps->names[i], name) == 0;
    return count;
}

static Place place_of(const Program *program, const TraceCall *call) {
    if (call == NULL || call->file < 0 || (size_t)call->file >= program->count)
        return (Place){0};
    return (Place){.file = program->items[call->file]->source.name, .line = call->line};
}

static const char *place_text(Arena *arena, Place place) {
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

static bool differs(const Value *a, const Value *b) {
    return is_definite(a) && is_definite(b) && !value_equal(a, b);
}

/* The first constant that two calls of one operator don't share; false if there is none. Whether it works in
 * place is no constant of an operator: what it overwrites is compared as values. */
static bool other_constant(const TraceCall *theirs, const TraceCall *ours, const Value **a, const Value **b) {
    for (size_t i = 0; i < theirs->arg_count && i < ours->arg_count; i++)
        if (differs(*a = &theirs->args[i], *b = &ours->args[i]))
            return true;
    for (size_t i = 0; i < theirs->kwarg_count; i++)
        for (size_t j = 0; j < ours->kwarg_count; j++)
            if (strcmp(theirs->names[i], ours->names[j]) == 0 && strcmp(theirs->names[i], "inplace") != 0 &&
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

bool definite_difference(Arena *arena, const Program *original_program, const Trace *original,
                         const Program *candidate_program, const Trace *candidate, Diagnosis *diagnosis) {
    Steps theirs = steps_of(arena, original), ours = steps_of(arena, candidate);
    if (!same_operators(&theirs, &ours))
        return false;
    for (size_t i = 0; i < theirs.count; i++) {
        const Value *a, *b;
        if (!other_constant(theirs.calls[i], ours.calls[i], &a, &b))
            continue;
        Place place = place_of(candidate_program, ours.calls[i]);
        diagnosis->what = arena_printf(
            arena, "a different constant: the original calls %s with %s%s, the refactored with %s%s",
            theirs.names[i], value_describe(arena, a),
            place_text(arena, place_of(original_program, theirs.calls[i])), value_describe(arena, b),
            place_text(arena, place));
        diagnosis->instead = "use the original's";
        diagnosis->place = place;
        return true;
    }
    return false;
}

Diagnosis diagnose(Arena *arena, const Program *original_program, const Trace *original,
                   const Program *candidate_program, const Trace *candidate) {
    Steps theirs = steps_of(arena, original), ours = steps_of(arena, candidate);
    const char *name;
    const TraceCall *call = first_excess(&theirs, &ours, &name);
    if (call != NULL)
        return (Diagnosis){arena_printf(arena,
                                        "missing operation: the original calls %s %s%s, the refactored %s",
                                        name, times(arena, count_name(&theirs, name)),
                                        place_text(arena, place_of(original_program, call)),
                                        times(arena, count_name(&ours, name))),
                           "add it where the original has it", (Place){0}};
    call = first_excess(&ours, &theirs, &name);
    if (call != NULL)
        return (Diagnosis){arena_printf(arena,
                                        "extra operation: the refactored calls %s %s%s, the original %s",
                                        name, times(arena, count_name(&ours, name)),
                                        place_text(arena, place_of(candidate_program, call)),
                                        times(arena, count_name(&theirs, name))),
                           "remove it", place_of(candidate_program, call)};
    for (size_t i = 0; i < theirs.count && i < ours.count; i++)
        if (strcmp(theirs.names[i], ours.names[i]) != 0)
            return (Diagnosis){
                arena_printf(
                    arena, "wrong order: operation %zu is %s in the original%s and %s in the refactored%s",
                    i + 1, theirs.names[i], place_text(arena, place_of(original_program, theirs.calls[i])),
                    ours.names[i], place_text(arena, place_of(candidate_program, ours.calls[i]))),
                "follow the data flow of the original's forward()",
                place_of(candidate_program, ours.calls[i])};
    Diagnosis definite;
    if (definite_difference(arena, original_program, original, candidate_program, candidate, &definite))
        return definite;
    return (Diagnosis){
        "both run the same operators in the same order: weights are crossed, or the wiring differs "
        "(weight mismatch)",
        "check weight_map.json, and which value goes into which child", (Place){0}};
}
