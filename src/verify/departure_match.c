/* Which values of two runs agree. Each is looked for among those of the other run whose sketches are near. */
#include "departure_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TRIES = 6 }; /* values whose sketches are near and that don't agree are few */

typedef struct Candidates { /* the other run's kept values, by dtype, number of elements and projection */
    const ValueNode **items;
    size_t count;
} Candidates;

static int compare_kinds(const ValueNode *a, const ValueNode *b) {
    if (a->view->dtype != b->view->dtype)
        return a->view->dtype < b->view->dtype ? -1 : 1;
    if (a->view->element_count != b->view->element_count)
        return a->view->element_count < b->view->element_count ? -1 : 1;
    return 0;
}

static int compare_nodes(const void *a, const void *b) {
    const ValueNode *x = *(const ValueNode *const *)a, *y = *(const ValueNode *const *)b;
    const int kinds = compare_kinds(x, y);
    if (kinds != 0)
        return kinds;
    if (x->sketch.projection != y->sketch.projection)
        return x->sketch.projection < y->sketch.projection ? -1 : 1;
    return (x > y) - (x < y);
}

static Candidates candidates_of(Arena *arena, const ValueGraph *graph) {
    Candidates candidates = {.items = ARENA_ARRAY(arena, const ValueNode *, graph->count + 1)};
    for (size_t i = 0; i < graph->count; i++)
        if (graph->nodes[i].view != NULL)
            candidates.items[candidates.count++] = &graph->nodes[i];
    qsort(candidates.items, candidates.count, sizeof *candidates.items, compare_nodes);
    return candidates;
}

/* The first of the node's kind whose projection is at least `least`. */
static size_t first_at_least(const Candidates *candidates, const ValueNode *node, double least) {
    size_t low = 0, high = candidates->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const ValueNode *other = candidates->items[middle];
        const int kinds = compare_kinds(other, node);
        if (kinds < 0 || (kinds == 0 && other->sketch.projection < least))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of values of size one; a value's elements are held against its size. */
static Tolerance tolerance_of(const ValueNode *node, const DepartureRules *rules) {
    enum { MORE_THAN_ROUNDING = 8 };
    const double widest = fmax(rules->rtol, dtype_info(node->view->dtype)->tolerance.rtol);
    const double part = fmin(widest, rules->difference / MORE_THAN_ROUNDING);
    return (Tolerance){part, isfinite(node->sketch.size) ? part * node->sketch.size : 0};
}

/* Of their projections; Inf where there is none of the node's kind. */
static double gap_between(const ValueNode *node, const ValueNode *other) {
    return other == NULL || compare_kinds(node, other) != 0
               ? INFINITY
               : fabs(node->sketch.projection - other->sketch.projection);
}

/* The nearest untried candidate of those below `low` and from `high` on; NULL: none is within reach. */
static const ValueNode *next_nearest(const Candidates *candidates, const ValueNode *node, double reach,
                                     size_t *low, size_t *high) {
    const ValueNode *below = *low > 0 ? candidates->items[*low - 1] : NULL,
                    *above = *high < candidates->count ? candidates->items[*high] : NULL;
    const double to_below = gap_between(node, below), to_above = gap_between(node, above);
    if (!(fmin(to_below, to_above) <= reach))
        return NULL;
    if (to_above <= to_below) {
        ++*high;
        return above;
    }
    --*low;
    return below;
}

static const ValueNode *find_partner(const Candidates *candidates, const ValueNode *node,
                                     const DepartureRules *rules) {
    const Tolerance tolerance = tolerance_of(node, rules);
    const double reach = sketch_reach(&node->sketch, tolerance);
    size_t high = first_at_least(candidates, node, node->sketch.projection), low = high;
    for (int tries = 0; tries < MOST_TRIES; tries++) {
        const ValueNode *other = next_nearest(candidates, node, reach, &low, &high);
        if (other == NULL)
            return NULL;
        Comparison found;
        tensor_compare(node->view, other->view, tolerance, rules->threads, &found);
        if (found.mismatches == 0)
            return other;
    }
    return NULL;
}

static const char *input_path(const ValueGraph *graph, const ValueNode *node) {
    return graph->trace->tensors[node->tensor.number].keys[0];
}

static Table *inputs_by_path(Arena *arena, const ValueGraph *graph) {
    Table *inputs = table_new(arena);
    for (size_t i = 0; i < graph->count && graph->nodes[i].call == SIZE_MAX; i++)
        table_put(inputs, input_path(graph, &graph->nodes[i]), &graph->nodes[i]);
    return inputs;
}

void value_graph_match(Arena *arena, ValueGraph *graph, const ValueGraph *other,
                       const DepartureRules *rules) {
    const Candidates candidates = candidates_of(arena, other);
    const Table *inputs = inputs_by_path(arena, other);
    for (size_t i = 0; i < graph->count; i++) {
        ValueNode *node = &graph->nodes[i];
        const ValueNode *partner = NULL;
        if (node->call == SIZE_MAX)
            partner = table_get(inputs, input_path(graph, node));
        else if (node->view != NULL)
            partner = find_partner(&candidates, node, rules);
        node->partner = partner == NULL ? NO_NODE : (size_t)(partner - other->nodes);
        const bool passes_on = node->view == NULL || node->moves;
        if (node->partner == NO_NODE && passes_on && node->source_count > 0)
            node->base = graph->nodes[node->sources[0]].base;
    }
}
