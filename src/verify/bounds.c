/* Bounds: whether both sides give an element that is just at a bound to the same side of it. Trials seldom
 * meet one (soundness 14). */
#include "step_state.h"
#include "verify_internal.h"

#include <string.h>

/* Comparisons with a number. Two of one direction part in what they say of the number itself; those of the
 * other may be the same question, asked the other way round. */
static const struct {
    const char *name;
    bool down, itself;
} COMPARISONS[] = {{"gt", false, false}, {"ge", false, true}, {"lt", true, false}, {"le", true, true}};

typedef struct Asked { /* by one side */
    size_t count;
    const TraceCall *last;
} Asked;

typedef struct Bound {
    double number;
    bool down;
    Asked asked[2][2]; /* [of the candidate][the number itself is in] */
} Bound;

typedef struct Bounds {
    Bound *items;
    size_t count, capacity;
} Bounds;

static Bound *bound_at(Arena *arena, Bounds *bounds, double number, bool down) {
    for (size_t i = 0; i < bounds->count; i++)
        if (bounds->items[i].number == number && bounds->items[i].down == down)
            return &bounds->items[i];
    Bound *bound = ARENA_PUSH(arena, bounds);
    *bound = (Bound){.number = number, .down = down};
    return bound;
}

static void add_call(Arena *arena, Bounds *bounds, const char *name, double number, bool of_candidate,
                     const TraceCall *call) {
    for (size_t c = 0; c < COUNT_OF(COMPARISONS); c++) {
        if (strcmp(COMPARISONS[c].name, name) != 0)
            continue;
        Asked *asked =
            &bound_at(arena, bounds, number, COMPARISONS[c].down)->asked[of_candidate][COMPARISONS[c].itself];
        asked->count++;
        asked->last = call;
    }
}

static void add_trace(Arena *arena, Bounds *bounds, const Trace *trace, bool of_candidate) {
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        const Value *number = trace_argument(call, 1, "other");
        if (trace->live_calls[i] && call->use_count == 1 && number != NULL &&
            (number->kind == VALUE_FLOAT || number->kind == VALUE_INT))
            add_call(arena, bounds, operator_canonical(arena, trace_operator(trace, call)),
                     number->kind == VALUE_INT ? (double)number->integer : number->real, of_candidate, call);
    }
}

bool other_bound(Arena *arena, const Trace *original, const Trace *candidate, const TraceCall **theirs,
                 const TraceCall **ours) {
    Bounds bounds = {0};
    add_trace(arena, &bounds, original, false);
    add_trace(arena, &bounds, candidate, true);
    for (size_t i = 0; i < bounds.count; i++) {
        const Asked(*asked)[2] = bounds.items[i].asked;
        if (asked[false][0].count + asked[false][1].count != asked[true][0].count + asked[true][1].count ||
            asked[false][0].count == asked[true][0].count)
            continue;
        const bool more_in = asked[true][1].count > asked[false][1].count;
        *theirs = asked[false][!more_in].last;
        *ours = asked[true][more_in].last;
        return true;
    }
    return false;
}

/* ---- Equal elements ------------------------------------------------------------------------- */

/* Of equal elements amax gives each its share of the gradient, max along a dimension gives it to one. */
static const struct {
    const char *name;
    bool smallest, shares;
} EXTREMES[] = {{"max", false, false}, {"amax", false, true}, {"min", true, false}, {"amin", true, true}};

static void add_extremes(Arena *arena, const Trace *trace, Asked asked[2][2]) {
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        const Value *dimension = trace_argument(call, 1, "dim");
        const char *name = operator_canonical(arena, trace_operator(trace, call));
        for (size_t e = 0; e < COUNT_OF(EXTREMES) && trace->live_calls[i]; e++) {
            if (strcmp(EXTREMES[e].name, name) != 0 ||
                (!EXTREMES[e].shares && (dimension == NULL || dimension->kind != VALUE_INT)))
                continue;
            Asked *one = &asked[EXTREMES[e].smallest][EXTREMES[e].shares];
            one->count++;
            one->last = call;
        }
    }
}

bool other_at_equal(Arena *arena, const Trace *original, const Trace *candidate, const TraceCall **theirs,
                    const TraceCall **ours) {
    Asked asked[2][2][2] = {0}; /* [of the candidate][smallest][shares] */
    add_extremes(arena, original, asked[false]);
    add_extremes(arena, candidate, asked[true]);
    for (size_t i = 0; i < 2; i++) {
        const Asked *a = asked[false][i], *b = asked[true][i];
        if (a[false].count + a[true].count != b[false].count + b[true].count ||
            a[true].count == b[true].count)
            continue;
        const bool shares = a[true].count > b[true].count;
        *theirs = a[shares].last;
        *ours = b[!shares].last;
        return true;
    }
    return false;
}
