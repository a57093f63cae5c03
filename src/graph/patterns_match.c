/* Patterns against a graph: variables, the search, and which matches are kept. */
#include "matcher.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool may_go_on(Matcher *matcher) {
    return matcher->depth < MOST_DEPTH && ++matcher->steps <= MOST_STEPS;
}

Ref ref_of(Matcher *matcher, uint32_t term) {
    return (Ref){.elements = elements_of(&matcher->all, term), .term = term};
}

static bool push_inside(Matcher *matcher, uint32_t term) {
    if (matcher->inside_count == MOST_INSIDE)
        return false;
    matcher->inside[matcher->inside_count++] = term;
    return true;
}

bool push_chain(Matcher *matcher, const Ref *ref) {
    for (uint32_t at = ref->term; at != UINT32_MAX && at != ref->elements->base;) {
        if (!push_inside(matcher, at))
            return false;
        const Term *term = &matcher->graph->terms[at];
        at = term_is_transparent(term) ? term->operands[0].number : UINT32_MAX;
    }
    return push_inside(matcher, ref->elements->base);
}

/* ---- Numbers and variables ---------------------------------------------------------------- */

bool pattern_number_matches(double asked, double found, bool near) {
    double allowed = fabs(asked) * (near ? 1e-4 : 1e-6);
    return asked == found || fabs(asked - found) <= allowed;
}

bool number_of(const Matcher *matcher, const Ref *ref, double *number) {
    static const char FULL[] = "plumbline::full(";
    *number = ref->number;
    if (ref->elements == NULL)
        return true;
    const Term *term = &matcher->graph->terms[ref->elements->base];
    if (text_starts(term->label, FULL)) {
        char *end;
        *number = strtod(term->label + strlen(FULL), &end);
        return *end == ')';
    }
    *number = NAN;
    return term->rank == 0 && term->known;
}

int64_t elements_count(const Elements *elements) {
    int64_t count = 1;
    for (size_t i = 0; i < elements->rank; i++)
        count *= elements->shape[i];
    return count;
}

static bool guard_holds(Matcher *matcher, Guard guard, const Elements *elements) {
    const Term *base = &matcher->graph->terms[elements->base];
    switch (guard) {
    case GUARD_NONE: return true;
    case GUARD_FULL:
        return elements_count(elements) == elements_count(elements_of(&matcher->all, matcher->root));
    case GUARD_VECTOR:
        return elements->rank > 0 && base->rank == 1 &&
               elements_count(elements) == elements->shape[elements->rank - 1];
    case GUARD_SCALAR: return elements_count(elements) == 1;
    case GUARD_STATE: return base->kind == TERM_STATE;
    case GUARD_KNOWN: return base->known;
    }
    return false;
}

static bool bind(Matcher *matcher, size_t variable, const Ref *ref, const Goal *next) {
    Binding *binding = &matcher->bindings[variable];
    if (binding->bound) {
        const Ref *had = &binding->ref;
        bool same = had->elements == NULL
                        ? ref->elements == NULL && (pattern_number_matches(had->number, ref->number, false) ||
                                                    (isnan(had->number) && isnan(ref->number)))
                        : ref->elements != NULL && elements_equal(had->elements, ref->elements);
        return same && solve(matcher, next);
    }
    *binding = (Binding){true, *ref};
    if (solve(matcher, next))
        return true;
    binding->bound = false;
    return false;
}

bool bind_number(Matcher *matcher, size_t variable, double number, const Goal *next) {
    return bind(matcher, variable, &(Ref){.number = number, .term = UINT32_MAX}, next);
}

/* ---- All kinds ---------------------------------------------------------------------------- */

static bool match_selection(Matcher *matcher, const Node *node, const Ref *ref, const Goal *next) {
    if (ref->elements == NULL || ref->inverse)
        return false;
    const Elements *before = elements_before(&matcher->all, ref->elements, node->selection);
    if (before == NULL)
        return false;
    size_t had = matcher->inside_count;
    bool view = ref->term != UINT32_MAX && matcher->graph->terms[ref->term].kind == TERM_VIEW;
    Goal goal = {.node = node->items[0], .ref = {.elements = before, .term = UINT32_MAX}, .next = next};
    if ((!view || push_inside(matcher, ref->term)) && solve(matcher, &goal))
        return true;
    matcher->inside_count = had;
    return false;
}

static bool match_interleaved(Matcher *matcher, const Node *node, const Ref *ref, const Goal *next) {
    if (ref->elements == NULL || ref->inverse || !ref->elements->whole)
        return false;
    const Term *terms = matcher->graph->terms, *last = &terms[ref->elements->base];
    bool odd_last = term_writes_every_other(last, 1);
    if (!odd_last && !term_writes_every_other(last, 0))
        return false;
    const Term *first = &terms[last->operands[0].number];
    size_t had = matcher->inside_count;
    if (!term_writes_every_other(first, odd_last ? 0 : 1) || !push_chain(matcher, ref) ||
        !push_inside(matcher, last->operands[0].number))
        return false;
    const Term *even = odd_last ? first : last, *odd = odd_last ? last : first;
    Goal second = {.node = node->items[1], .ref = ref_of(matcher, odd->operands[1].number), .next = next};
    Goal begin = {.node = node->items[0], .ref = ref_of(matcher, even->operands[1].number), .next = &second};
    if (solve(matcher, &begin))
        return true;
    matcher->inside_count = had;
    return false;
}

static bool solve_first(Matcher *matcher, const Goal *goal) {
    if (goal->leaves != NULL)
        return match_factors(matcher, goal);
    const Node *node = goal->node;
    const Ref *ref = &goal->ref;
    double number;
    switch (node->kind) {
    case NODE_VARIABLE:
        return ref->elements != NULL && !ref->inverse && guard_holds(matcher, node->guard, ref->elements) &&
               bind(matcher, node->variable, ref, goal->next);
    case NODE_NUMBER:
        return number_of(matcher, ref, &number) && pattern_number_matches(node->number, number, node->near) &&
               solve(matcher, goal->next);
    case NODE_NUMBER_VARIABLE:
        return number_of(matcher, ref, &number) && bind_number(matcher, node->variable, number, goal->next);
    case NODE_OPERATOR:
    case NODE_SUM:
    case NODE_DIFFERENCE: return match_operator(matcher, node, ref, goal->next);
    case NODE_PRODUCT: return match_product(matcher, node, ref, goal->next);
    case NODE_INVERSE: {
        Goal factor = {.node = node->items[0], .ref = *ref, .next = goal->next};
        factor.ref.inverse = false;
        return ref->inverse && solve(matcher, &factor);
    }
    case NODE_INTERLEAVED: return match_interleaved(matcher, node, ref, goal->next);
    case NODE_SELECTION: return match_selection(matcher, node, ref, goal->next);
    case NODE_CHOICE:
        for (size_t i = 0; i < node->count; i++) {
            Goal one = {.node = node->items[i], .ref = *ref, .next = goal->next};
            if (solve(matcher, &one))
                return true;
        }
        return false;
    }
    return false;
}

bool solve(Matcher *matcher, const Goal *goal) {
    if (goal == NULL)
        return true;
    if (!may_go_on(matcher))
        return false;
    matcher->depth++;
    bool done = solve_first(matcher, goal);
    matcher->depth--;
    return done;
}

/* ---- Graphs ------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b) {
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return (one > other) - (one < other);
}

/* How many different terms are inside and in no other match: sorted, without the others. */
static size_t tidy(Matcher *matcher, const bool *covered) {
    size_t count = 0;
    qsort(matcher->inside, matcher->inside_count, sizeof *matcher->inside, compare_numbers);
    for (size_t i = 0; i < matcher->inside_count; i++) {
        uint32_t number = matcher->inside[i];
        if (!covered[number] && (count == 0 || matcher->inside[count - 1] != number))
            matcher->inside[count++] = number;
    }
    matcher->inside_count = count;
    return count;
}

static void keep_match(Arena *arena, const Matcher *matcher, const Pattern *pattern, PatternMatch *match) {
    *match = (PatternMatch){.pattern = pattern->name,
                            .kernel = pattern->kind == PATTERN_KERNEL,
                            .root = {matcher->root},
                            .inputs = ARENA_ARRAY(arena, TermId, pattern->parameter_count + 1),
                            .inside = ARENA_ARRAY(arena, TermId, matcher->inside_count + 1),
                            .inside_count = matcher->inside_count};
    for (size_t i = 0; i < matcher->inside_count; i++)
        match->inside[i].number = matcher->inside[i];
    for (size_t i = 0; i < pattern->parameter_count; i++) {
        const Binding *binding = &matcher->bindings[i];
        if (binding->bound && binding->ref.elements != NULL)
            match->inputs[match->input_count++].number =
                binding->ref.term != UINT32_MAX ? binding->ref.term : binding->ref.elements->base;
    }
}

static bool best_at(Arena *arena, Matcher *matcher, const RootList *list, const bool *covered,
                    PatternMatch *best) {
    best->inside_count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const Root *root = &list->items[i];
        if (matcher->kernels_alone && root->pattern->kind != PATTERN_KERNEL)
            continue;
        Goal goal = {.node = root->node, .ref = ref_of(matcher, matcher->root)};
        memset(matcher->bindings, 0, root->pattern->variable_count * sizeof *matcher->bindings);
        matcher->inside_count = matcher->steps = 0;
        if (solve(matcher, &goal) && tidy(matcher, covered) >= best->inside_count &&
            matcher->inside_count > 0)
            keep_match(arena, matcher, root->pattern, best);
    }
    return best->inside_count > 0;
}

static size_t match_all(Arena *arena, const Patterns *patterns, const Graph *graph, bool kernels_alone,
                        PatternMatch **matches) {
    Matcher *matcher = ARENA_NEW(arena, Matcher);
    *matcher = (Matcher){.all = elements_open(arena, graph), .graph = graph, .kernels_alone = kernels_alone};
    struct {
        PatternMatch *items;
        size_t count, capacity;
    } found = {0};
    bool *live = graph_live_terms(arena, graph), *covered = ARENA_ARRAY(arena, bool, graph->term_count + 1);
    for (size_t i = graph->term_count; i-- > 0;) {
        const Term *term = &graph->terms[i];
        PatternMatch best;
        if (!live[i] || covered[i] || (term->kind != TERM_OPERATOR && term->kind != TERM_WRITE))
            continue;
        const char *name = term->kind == TERM_WRITE ? WRITE_NAME : term->operator;
        const RootList *list = table_get(patterns->roots, name);
        matcher->root = (uint32_t)i;
        if (list == NULL || !best_at(arena, matcher, list, covered, &best))
            continue;
        for (size_t k = 0; k < best.inside_count; k++)
            covered[best.inside[k].number] = true;
        *(PatternMatch *)ARENA_PUSH(arena, &found) = best;
    }
    for (size_t i = 0; i < found.count / 2; i++) { /* in order of terms */
        PatternMatch other = found.items[i];
        found.items[i] = found.items[found.count - 1 - i];
        found.items[found.count - 1 - i] = other;
    }
    *matches = found.items;
    return found.count;
}

size_t patterns_match(Arena *arena, const Patterns *patterns, const Graph *graph, PatternMatch **matches) {
    return match_all(arena, patterns, graph, false, matches);
}

size_t patterns_match_kernels(Arena *arena, const Patterns *patterns, const Graph *graph,
                              PatternMatch **matches) {
    return match_all(arena, patterns, graph, true, matches);
}
