/* Where two graphs part nearest the inputs. The place is found from below. Views are composed in graphs, so
 * what the other side lacks is looked at one view at a time. */
#include "difference_parts.h"

#include <string.h>

static size_t size_of(const Comparison *comparison, size_t side) {
    return comparison->sides[side]->graph->term_count;
}

bool has_like(const Comparison *comparison, size_t side, TermId id) {
    return comparison->occurs[1 - side][comparison_class(comparison, side, id)] > 0;
}

static bool is_in_excess(const Comparison *comparison, size_t side, TermId id) {
    uint32_t class = comparison_class(comparison, side, id);
    return comparison->used[side][class] > comparison->occurs[1 - side][class];
}

/* What a term was made of, the views between counted. */
static const TermId *steps_below(const Term *term, size_t *count) {
    bool view = term->kind == TERM_VIEW && term->operand_count > 0;
    *count = view ? 1 : term->operand_count;
    return view ? &term->via : term->operands;
}

TermId without_views(const Comparison *comparison, size_t side, TermId id) {
    const Term *term = comparison_term(comparison, side, id);
    while (term->kind == TERM_VIEW && term->operand_count > 0) {
        id = term->operands[0];
        term = comparison_term(comparison, side, id);
    }
    return id;
}

static void show(Comparison *comparison, size_t side) {
    const Side *one = comparison->sides[side];
    bool *shown = ARENA_ARRAY(comparison->arena, bool, one->graph->term_count + 1);
    for (size_t t = one->graph->term_count; t-- > 0;) {
        const Term *term = &one->graph->terms[t];
        shown[t] = shown[t] || one->live[t];
        if (shown[t] && term->kind == TERM_VIEW && term->via.number < t &&
            !has_like(comparison, side, (TermId){(uint32_t)t}))
            shown[term->via.number] = true;
    }
    comparison->shown[side] = shown;
    for (size_t t = 0; t < one->graph->term_count; t++)
        comparison->used[side][one->structural[t]] += shown[t];
}

void comparison_open(Comparison *comparison, size_t class_count) {
    for (size_t s = 0; s < 2; s++) {
        comparison->occurs[s] = ARENA_ARRAY(comparison->arena, uint32_t, class_count);
        comparison->used[s] = ARENA_ARRAY(comparison->arena, uint32_t, class_count);
        for (size_t t = 0; t < size_of(comparison, s); t++)
            comparison->occurs[s][comparison->sides[s]->structural[t]]++;
    }
    show(comparison, ORIGINAL);
    show(comparison, CANDIDATE);
}

bool has_unmatched(const Comparison *comparison, size_t side) {
    for (uint32_t t = 0; t < size_of(comparison, side); t++)
        if (comparison->sides[side]->live[t] && !has_like(comparison, side, (TermId){t}))
            return true;
    return false;
}

/* ---- First terms -------------------------------------------------------------------------- */

static bool is_had(const Comparison *comparison, size_t side, TermId id) {
    return is_leaf(comparison_term(comparison, side, id)) || has_like(comparison, side, id);
}

static bool is_first(const Comparison *comparison, size_t side, TermId id, bool views) {
    const Term *term = comparison_term(comparison, side, id);
    if (!comparison->shown[side][id.number] || is_leaf(term) || !is_in_excess(comparison, side, id) ||
        (!views && term->kind == TERM_VIEW))
        return false;
    size_t count;
    const TermId *below = steps_below(term, &count);
    for (size_t i = 0; i < count; i++)
        if (!is_had(comparison, side, views ? below[i] : without_views(comparison, side, below[i])))
            return false;
    return true;
}

static bool same_class_and_names(const Comparison *comparison, size_t side, TermId id) {
    const Side *one = comparison->sides[side], *other = comparison->sides[1 - side];
    for (size_t t = 0; t < other->graph->term_count; t++)
        if (comparison->shown[1 - side][t] && other->structural[t] == one->structural[id.number] &&
            other->named[t] == one->named[id.number])
            return true;
    return false;
}

/* Of several terms of one class some have their like; names tell which. */
static TermId first_by_name(const Comparison *comparison, size_t side, TermId first) {
    if (!has_like(comparison, side, first))
        return first;
    enum { MANY = 64 }; /* each is looked for among all terms */
    const Side *one = comparison->sides[side];
    for (uint32_t t = first.number, tried = 0; t < one->graph->term_count && tried < MANY; t++)
        if (comparison->shown[side][t] && one->structural[t] == one->structural[first.number] && ++tried &&
            !same_class_and_names(comparison, side, (TermId){t}))
            return (TermId){t};
    return first;
}

static TermId first_in_excess(const Comparison *comparison, size_t side, bool views) {
    for (uint32_t t = 0; t < size_of(comparison, side); t++)
        if (is_first(comparison, side, (TermId){t}, views))
            return first_by_name(comparison, side, (TermId){t});
    return (TermId){NO_TERM};
}

void find_first(Comparison *comparison) {
    for (size_t s = 0; s < 2; s++)
        comparison->first[s] = first_in_excess(comparison, s, true);
    TermId a = comparison->first[ORIGINAL], b = comparison->first[CANDIDATE];
    if (a.number == NO_TERM || b.number == NO_TERM)
        return;
    const Term *one = comparison_term(comparison, ORIGINAL, a),
               *other = comparison_term(comparison, CANDIDATE, b);
    if ((one->kind != TERM_VIEW && other->kind != TERM_VIEW) ||
        (one->kind == other->kind && same_operands(comparison, a, b)))
        return;
    /* Views are on the way to what is done with them. */
    for (size_t s = 0; s < 2; s++) {
        TermId operator= first_in_excess(comparison, s, false);
        if (operator.number != NO_TERM)
            comparison->first[s] = operator;
    }
}

bool same_operator(const Term *a, const Term *b) {
    return a->kind == b->kind && (a->kind != TERM_OPERATOR ? a->kind != TERM_CONSTANT || a->label == b->label
                                                           : text_equal(a->operator, b->operator));
}

bool same_operands(const Comparison *comparison, TermId original, TermId candidate) {
    const Term *one = comparison_term(comparison, ORIGINAL, original);
    const Term *other = comparison_term(comparison, CANDIDATE, candidate);
    size_t count, other_count;
    const TermId *a = steps_below(one, &count), *b = steps_below(other, &other_count);
    if (count != other_count)
        return false;
    bool crossed =
        one->commutative && count >= 2 &&
        comparison_class(comparison, ORIGINAL, a[0]) != comparison_class(comparison, CANDIDATE, b[0]);
    for (size_t i = 0; i < count; i++)
        if (comparison_class(comparison, ORIGINAL, a[i]) !=
            comparison_class(comparison, CANDIDATE, b[crossed && i < 2 ? 1 - i : i]))
            return false;
    return true;
}

bool shares_operand(const Comparison *comparison, size_t side, TermId id, TermId other) {
    const Term *a = comparison_term(comparison, side, id), *b = comparison_term(comparison, 1 - side, other);
    for (size_t i = 0; i < a->operand_count; i++)
        for (size_t j = 0; j < b->operand_count; j++)
            if (comparison_class(comparison, side, a->operands[i]) ==
                comparison_class(comparison, 1 - side, b->operands[j]))
                return true;
    return false;
}

/* ---- Users -------------------------------------------------------------------------------- */

static TermId first_user(const Comparison *comparison, size_t side, TermId id) {
    const Side *one = comparison->sides[side];
    for (uint32_t t = id.number + 1; t < one->graph->term_count; t++) {
        size_t count;
        const TermId *below = steps_below(&one->graph->terms[t], &count);
        for (size_t i = 0; comparison->shown[side][t] && i < count; i++)
            if (below[i].number == id.number)
                return (TermId){t};
        const Term *term = &one->graph->terms[t];
        for (size_t i = 0; one->live[t] && i < term->operand_count; i++)
            if (term->operands[i].number == id.number)
                return (TermId){t};
    }
    return (TermId){NO_TERM};
}

TermId first_operator_on(const Comparison *comparison, size_t side, TermId id) {
    do
        id = first_user(comparison, side, id);
    while (id.number != NO_TERM && comparison_term(comparison, side, id)->kind == TERM_VIEW);
    return id;
}

/* Is a term of the class among what `id` is made of, along terms that the other side lacks? Views of it
 * count. */
static bool leads_to(const Comparison *comparison, size_t side, TermId id, uint32_t class) {
    enum { FAR = 64 };
    TermId way[FAR];
    size_t count = 0;
    way[count++] = without_views(comparison, side, id);
    for (size_t i = 0; i < count; i++) {
        const Term *term = comparison_term(comparison, side, way[i]);
        for (size_t o = 0; o < term->operand_count; o++) {
            TermId operand = without_views(comparison, side, term->operands[o]);
            if (comparison_class(comparison, side, operand) == class)
                return true;
            if (count < FAR && is_in_excess(comparison, side, operand))
                way[count++] = operand;
        }
    }
    return false;
}

size_t times_applied(const Comparison *comparison, size_t side, const Term *like) {
    size_t count = 0;
    for (size_t t = 0; t < size_of(comparison, side); t++)
        count += comparison->sides[side]->live[t] &&
                 same_operator(&comparison->sides[side]->graph->terms[t], like);
    return count;
}

static bool is_root(const Side *side, TermId id) {
    for (size_t i = 0; i < side->root_count; i++)
        if (side->roots[i].number == id.number)
            return true;
    return false;
}

bool has_more(const Comparison *comparison, size_t side, TermId *then) {
    TermId mine = comparison->first[side], theirs = comparison->first[1 - side];
    const Side *one = comparison->sides[side];
    *then = (TermId){NO_TERM};
    if (mine.number == NO_TERM)
        return false;
    if (theirs.number == NO_TERM)
        return is_root(one, mine) || first_user(comparison, side, mine).number != NO_TERM;
    const Term *other = comparison_term(comparison, 1 - side, theirs);
    for (uint32_t t = mine.number + 1; t < one->graph->term_count; t++) {
        const Term *user = &one->graph->terms[t];
        if (!one->live[t] || user->kind == TERM_VIEW || !same_operator(user, other) ||
            user->operand_count != other->operand_count)
            continue;
        for (size_t i = 0; i < user->operand_count; i++) {
            if (!is_in_excess(comparison, side, without_views(comparison, side, user->operands[i])))
                continue;
            for (size_t o = 0; o < other->operand_count; o++) {
                TermId like = without_views(comparison, 1 - side, other->operands[o]);
                if ((o == i || (user->commutative && o < 2 && i < 2)) &&
                    leads_to(comparison, side, user->operands[i],
                             comparison_class(comparison, 1 - side, like))) {
                    *then = (TermId){t};
                    return true;
                }
            }
        }
    }
    return false;
}

TermId same_label_later(const Comparison *comparison, size_t side) {
    TermId other = comparison->first[1 - side];
    const Side *one = comparison->sides[side];
    const Term *like = comparison_term(comparison, 1 - side, other);
    for (uint32_t t = comparison->first[side].number; t < one->graph->term_count; t++)
        if (one->live[t] && one->graph->terms[t].label == like->label && !is_leaf(&one->graph->terms[t]) &&
            one->graph->terms[t].kind == like->kind && is_in_excess(comparison, side, (TermId){t}) &&
            (like->operand_count < 2 || shares_operand(comparison, side, (TermId){t}, other)))
            return (TermId){t};
    return (TermId){NO_TERM};
}

/* ---- Views one by one --------------------------------------------------------------------- */

typedef struct Chain { /* from what is no view to the operand */
    TermId *items;
    size_t count;
} Chain;

static Chain chain_of(const Comparison *comparison, size_t side, TermId id) {
    Chain chain = {.count = 1};
    for (TermId at = id; comparison_term(comparison, side, at)->kind == TERM_VIEW;
         at = comparison_term(comparison, side, at)->via)
        chain.count++;
    chain.items = ARENA_ARRAY(comparison->arena, TermId, chain.count);
    for (size_t i = chain.count; i-- > 0; id = comparison_term(comparison, side, id)->via)
        chain.items[i] = id;
    return chain;
}

/* Which of the views of one value it is, by time. */
static size_t rank_of(const Comparison *comparison, size_t side, TermId view) {
    const Graph *graph = comparison->sides[side]->graph;
    uint32_t via = graph->terms[view.number].via.number;
    size_t rank = 0;
    for (size_t t = via + 1; t < view.number; t++)
        rank += graph->terms[t].kind == TERM_VIEW && graph->terms[t].via.number == via;
    return rank;
}

/* The first step that the other side makes nowhere. */
static TermId first_lacking(const Comparison *comparison, size_t side, const Chain *chain, size_t from) {
    for (size_t i = from; i < chain->count; i++)
        if (!is_had(comparison, side, chain->items[i]))
            return chain->items[i];
    return (TermId){NO_TERM};
}

Fork find_fork(const Comparison *comparison, TermId original, TermId candidate) {
    Chain chains[2] = {chain_of(comparison, ORIGINAL, original), chain_of(comparison, CANDIDATE, candidate)};
    const Chain *a = &chains[ORIGINAL], *b = &chains[CANDIDATE];
    size_t common = 0;
    while (common < a->count && common < b->count &&
           comparison_class(comparison, ORIGINAL, a->items[common]) ==
               comparison_class(comparison, CANDIDATE, b->items[common]))
        common++;
    Fork fork = {.places = {{NO_TERM}, {NO_TERM}}};
    if (common > 0 && common < a->count && common < b->count) {
        TermId one = a->items[common], other = b->items[common];
        bool made = is_had(comparison, ORIGINAL, one) && is_had(comparison, CANDIDATE, other);
        fork.places[ORIGINAL] = one;
        fork.places[CANDIDATE] = other;
        /* If not, they are made by one side only, or by both but in each other's place. */
        fork.only_taken = made && rank_of(comparison, ORIGINAL, one) != rank_of(comparison, CANDIDATE, other);
        return fork;
    }
    for (size_t s = 0; s < 2; s++)
        fork.places[s] = first_lacking(comparison, s, &chains[s], common);
    return fork;
}

bool makes_by_name(const Comparison *comparison, size_t side, TermId id) {
    const Side *one = comparison->sides[side], *other = comparison->sides[1 - side];
    for (size_t t = 0; t < other->graph->term_count; t++)
        if (other->structural[t] == one->structural[id.number] && other->named[t] == one->named[id.number])
            return true;
    return false;
}

TermId first_view_elsewhere(const Comparison *comparison, size_t side, TermId id) {
    Chain chain = chain_of(comparison, side, id);
    size_t call = comparison_term(comparison, side, chain.items[0])->call;
    for (size_t i = 1; i < chain.count; i++)
        if (comparison_term(comparison, side, chain.items[i])->call != call)
            return chain.items[i];
    return (TermId){NO_TERM};
}
