/* The first value that departs, and what stands in its place on the other side. */
#include "departure_parts.h"
#include "policy.h"

#include <math.h>
#include <string.h>

/* The first that departs though nothing that it was computed from does. Of what only moves values none is
 * taken unless there is no other: the two sides may well move them by other ways. */
static const ValueNode *first_departing(const ValueGraph *graph) {
    for (int moves = 0; moves < 2; moves++)
        for (size_t i = 0; i < graph->count; i++) {
            const ValueNode *node = &graph->nodes[i];
            if (node->departs && !node->follows && node->view != NULL && node->moves == (moves == 1))
                return node;
        }
    return NULL;
}

static size_t count_agreeing(const ValueGraph *graph, size_t before) {
    size_t count = 0;
    for (size_t i = 0;
         i < graph->count && (graph->nodes[i].call == SIZE_MAX || graph->nodes[i].call < before); i++)
        count += graph->nodes[i].view != NULL && graph->nodes[i].partner != NO_NODE;
    return count;
}

/* ---- What stands in its place ------------------------------------------------------------- */

/* Do a node of the original and one of the candidate hold the same value? Several may hold one. */
static bool same_value(const ValueGraph *original, size_t theirs, const ValueGraph *candidate, size_t ours) {
    const ValueNode *a = &original->nodes[original->nodes[theirs].base],
                    *b = &candidate->nodes[candidate->nodes[ours].base];
    if (a->partner == NO_NODE || b->partner == NO_NODE)
        return false;
    const ValueNode *like = &candidate->nodes[a->partner];
    return like == b || (like->view != NULL && b->view != NULL && like->view->dtype == b->view->dtype &&
                         like->view->element_count == b->view->element_count &&
                         like->sketch.projection == b->sketch.projection);
}

static bool share_a_source(const ValueGraph *original, const ValueNode *theirs, const ValueGraph *candidate,
                           const ValueNode *ours) {
    enum { MOST = 16 }; /* of each: more come of a list, whose first do */
    for (size_t a = 0; a < theirs->source_count && a < MOST; a++)
        for (size_t b = 0; b < ours->source_count && b < MOST; b++)
            if (same_value(original, theirs->sources[a], candidate, ours->sources[b]))
                return true;
    return false;
}

static const char *operator_of(Arena *arena, const ValueGraph *graph, const ValueNode *node) {
    return operator_canonical(arena, trace_operator(graph->trace, &graph->trace->calls[node->call]));
}

/* Is it nearly the same, so that the one stands for the other whatever computed it? The sketches are asked
 * first, then `*tries` times the values. */
static bool is_near(const ValueNode *theirs, const ValueNode *ours, unsigned *tries) {
    static const double NEAR = 0.1;
    const double size = theirs->sketch.size, count = (double)theirs->view->element_count;
    if (*tries == 0 || theirs->view->element_count != ours->view->element_count ||
        !(fabs(theirs->sketch.projection - ours->sketch.projection) * sqrt(count) <= NEAR * size))
        return false;
    --*tries;
    const Gap gap = tensor_gap(theirs->view, ours->view);
    return gap.unlike == 0 && gap.mean_abs <= NEAR * size;
}

/* The candidate's departing value that is likest: nearly the same, else computed and not moved, from the
 * counterparts of what the original's is computed from, the first of its kind, by the same operator. */
static const ValueNode *likest(Arena *arena, const ValueGraph *original, const ValueNode *theirs,
                               const ValueGraph *candidate) {
    const ValueNode *best = NULL;
    unsigned tries = 8;
    int most = -1;
    const char *operator= operator_of(arena, original, theirs);
    for (size_t i = 0; i < candidate->count; i++) {
        const ValueNode *node = &candidate->nodes[i];
        if (!node->departs || node->view == NULL)
            continue;
        const int score = 64 * is_near(theirs, node, &tries) + 32 * (node->moves == theirs->moves) +
                          16 * share_a_source(original, theirs, candidate, node) + 8 * !node->follows +
                          4 * text_equal(operator, operator_of(arena, candidate, node)) +
                          2 * (node->view->element_count == theirs->view->element_count);
        if (score > most) {
            most = score;
            best = node;
        }
    }
    return best;
}

/* What the candidate gives at the output that the original's value is. */
static const ValueNode *at_same_output(const ValueGraph *original, const RunValues *theirs,
                                       const ValueNode *node, const ValueGraph *candidate,
                                       const RunValues *ours) {
    for (size_t i = 0; i < theirs->output_count && i < ours->output_count; i++) {
        const size_t there = original->latest[theirs->outputs[i].number],
                     here = candidate->latest[ours->outputs[i].number];
        if (there != NO_NODE && here != NO_NODE && &original->nodes[there] == node)
            return &candidate->nodes[here];
    }
    return NULL;
}

typedef struct Counterparts { /* what is shown; `ours` may be NULL */
    const ValueGraph *original, *candidate;
    const ValueNode *theirs, *ours;
} Counterparts;

/* A moved value that this one is made of and that agrees with none, though nothing before it departs. */
static const ValueNode *last_moved(const ValueGraph *graph, const ValueNode *node) {
    for (size_t s = 0; s < node->source_count; s++) {
        const ValueNode *source = &graph->nodes[node->sources[s]];
        if (source->moves && source->view != NULL && source->departs && !source->follows)
            return source;
    }
    return NULL;
}

/* The first of those that are moved one from the other; NULL: none. */
static const ValueNode *moved_source(const ValueGraph *graph, const ValueNode *node) {
    const ValueNode *found = NULL, *next = last_moved(graph, node);
    for (; next != NULL; next = last_moved(graph, next))
        found = next;
    return found;
}

/* What the candidate's value is computed from that holds what the original's `moved` was made of, unmoved. */
static const ValueNode *unmoved_source(const Counterparts *pair, const ValueNode *moved) {
    for (size_t s = 0; s < pair->ours->source_count; s++) {
        const size_t source = pair->ours->sources[s];
        const ValueNode *base = &pair->candidate->nodes[pair->candidate->nodes[source].base];
        if (base->view != NULL &&
            same_value(pair->original, (size_t)(moved - pair->original->nodes), pair->candidate, source))
            return base;
    }
    return NULL;
}

/* Where a value is moved before both sides use it alike, and not in the same way, that is what departs. */
static void step_back(Counterparts *pair) {
    const ValueNode *a = moved_source(pair->original, pair->theirs);
    if (a == NULL)
        return;
    const ValueNode *b = moved_source(pair->candidate, pair->ours);
    if (b == NULL)
        b = unmoved_source(pair, a);
    if (b == NULL || a->view->element_count != b->view->element_count || a->view->dtype != b->view->dtype)
        return;
    pair->theirs = a;
    pair->ours = b;
}

static bool has_parts(const Trace *trace, size_t module_call) {
    const size_t next = module_call + 1; /* a parent stands before its children */
    return next < trace->module_call_count && trace->module_calls[next].parent == (int64_t)module_call;
}

/* What the innermost module gives that computed the value, if it has no parts and isn't the whole model. */
static const ValueNode *given_by_module(const ValueGraph *graph, const ValueNode *node) {
    const Trace *trace = graph->trace;
    const int64_t number = trace->calls[node->call].module_call;
    if (number == NO_NUMBER || trace->module_calls[number].parent == NO_NUMBER ||
        has_parts(trace, (size_t)number))
        return node;
    const TraceModuleCall *module = &trace->module_calls[number];
    if (module->output.kind != VALUE_TENSOR)
        return node;
    for (size_t i = graph->count; i-- > 0 && graph->nodes[i].call >= module->first;) {
        const ValueNode *given = &graph->nodes[i];
        if (given->call < module->end && given->tensor.number == module->output.tensor.number)
            return given->departs && given->view != NULL ? given : node;
    }
    return node;
}

/* One side may write out in a module of its own what the other does by one call: then what the module gives
 * stands for what that call gives. */
static void step_out(Counterparts *pair) {
    const ValueNode *a = given_by_module(pair->original, pair->theirs),
                    *b = given_by_module(pair->candidate, pair->ours);
    if (a->view->element_count != b->view->element_count)
        return;
    pair->theirs = a;
    pair->ours = b;
}

/* What the node follows from: one of its sources; NULL: from none. */
static const ValueNode *followed(const ValueGraph *graph, const ValueNode *node) {
    for (size_t s = 0; node->follows && s < node->source_count; s++) {
        const ValueNode *source = &graph->nodes[node->sources[s]];
        if (source->partner == NO_NODE && (source->follows || value_node_departs(source)))
            return source;
    }
    return NULL;
}

/* A value that this one is computed from and that has no like on the other side; NULL: none. */
static const ValueNode *unlike_source(const ValueGraph *graph, const ValueNode *node) {
    const ValueNode *found = NULL;
    for (const ValueNode *next = followed(graph, node); next != NULL; next = followed(graph, next))
        found = next;
    return found != NULL ? found : moved_source(graph, node);
}

static DepartedValue departed(const ValueGraph *graph, const ValueNode *node) {
    if (node == NULL || node->call == SIZE_MAX)
        return (DepartedValue){0};
    return (DepartedValue){&graph->trace->calls[node->call], node->tensor, node->view, node->sketch.size};
}

FirstDeparture departure_find(Arena *arena, const RunValues *original, const RunValues *candidate,
                              const DepartureRules *rules) {
    ValueGraph theirs = value_graph(arena, original), ours = value_graph(arena, candidate);
    value_graph_match(arena, &theirs, &ours, rules);
    value_graph_match(arena, &ours, &theirs, rules);
    value_graph_mark(&theirs, original->outputs, original->output_count);
    value_graph_mark(&ours, candidate->outputs, candidate->output_count);
    const ValueNode *first = first_departing(&theirs);
    if (first == NULL)
        return (FirstDeparture){.agreed = count_agreeing(&theirs, SIZE_MAX)};
    Counterparts pair = {&theirs, &ours, first, likest(arena, &theirs, first, &ours)};
    if (pair.ours == NULL)
        pair.ours = at_same_output(&theirs, original, first, &ours, candidate);
    else if (text_equal(operator_of(arena, &theirs, first), operator_of(arena, &ours, pair.ours)))
        step_back(&pair);
    else
        step_out(&pair);
    const ValueNode *source =
        pair.ours != NULL && pair.ours->departs ? unlike_source(&ours, pair.ours) : NULL;
    return (FirstDeparture){departed(&theirs, pair.theirs), departed(&ours, pair.ours),
                            departed(&ours, source), count_agreeing(&theirs, first->call)};
}
