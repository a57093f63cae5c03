/* Is one graph the other with its states renamed? Pairs of terms are compared from the roots down. It is a
 * small Prolog engine: a list of goals, a trail of what to undo, and a choice point where operands may change
 * places. */
#include "unify_parts.h"

#include <string.h>

enum {
    MAX_STEPS_AFTER_FAILURE = 100000, /* then it gives up */
    NO_STATE = UINT32_MAX
};

typedef struct Goal Goal;
struct Goal { /* a list that is shared between choice points and never changed */
    TermId original, candidate, original_user, candidate_user;
    bool free; /* below an order that nothing but symmetry decided */
    const Goal *rest;
};

typedef struct TrailEntry {
    uint32_t candidate;    /* a term that was matched */
    uint32_t freed_origin; /* the original state that was bound first by it, or NO_STATE */
} TrailEntry;

typedef struct ChoicePoint {
    const Goal *rest; /* after the term's own goal */
    TermId original, candidate;
    bool crossed, free; /* the order that is left to try */
    size_t trail, equals, original_cursor, candidate_cursor, bound;
} ChoicePoint;

typedef struct Search {
    Arena *arena;
    const BindingRules *rules;
    Side original, candidate;
    const Goal *goals;
    struct {
        TrailEntry *items;
        size_t count, capacity;
    } trail;
    struct {
        ChoicePoint *items;
        size_t count, capacity;
    } choices;
    struct {
        Equal *items;
        size_t count, capacity;
    } equals;
    uint32_t *match;      /* candidate term -> original term, or NO_TERM */
    uint32_t *bound;      /* original state -> the candidate's that was bound first, or NO_STATE */
    bool *free;           /* candidate state: bound by symmetry */
    uint32_t *required;   /* candidate state -> original state by the map, or NO_STATE */
    bool *ruled;          /* original state: the map names it */
    Table *original_keys; /* key -> index + 1 */
    Table *candidate_keys;
    Table *refined_states;  /* how many original states have a colour: by its hex digits */
    size_t original_cursor; /* of states whose final values have become goals */
    size_t candidate_cursor, bound_count, bound_at_start;
    size_t pairs, steps_after_failure;
    Parting parting;
} Search;

/* ---- Failing and going back --------------------------------------------------------------- */

static bool part(Search *search, PartingReason reason, const Goal *goal, TermId other) {
    if (search->parting.reason == PARTING_NONE || search->trail.count > search->parting.progress)
        search->parting = (Parting){.reason = reason,
                                    .original = goal->original,
                                    .candidate = goal->candidate,
                                    .original_user = goal->original_user,
                                    .candidate_user = goal->candidate_user,
                                    .other = other,
                                    .progress = search->trail.count};
    return false;
}

static const Goal *goal_push(Search *search, const Goal *rest, const Goal *user, TermId original,
                             TermId candidate, bool free) {
    Goal *goal = ARENA_NEW(search->arena, Goal);
    *goal = (Goal){.original = original,
                   .candidate = candidate,
                   .original_user = user == NULL ? (TermId){NO_TERM} : user->original,
                   .candidate_user = user == NULL ? (TermId){NO_TERM} : user->candidate,
                   .free = free,
                   .rest = rest};
    return goal;
}

static size_t operand_in_order(size_t i, bool crossed) {
    return crossed && i < 2 ? 1 - i : i;
}

/* The operands of a pair become goals. What leads to the inputs is compared first, so that a state that
 * doesn't fit is found at its first use. */
static void push_operands(Search *search, const Goal *user, const Goal *rest, bool crossed, bool free) {
    const Term *original = term_at(search->original.graph, user->original);
    const Term *candidate = term_at(search->candidate.graph, user->candidate);
    for (int leaves = 1; leaves >= 0; leaves--)
        for (size_t i = original->operand_count; i-- > 0;) {
            TermId a = original->operands[i], b = candidate->operands[operand_in_order(i, crossed)];
            if ((term_at(search->original.graph, a)->operand_count == 0) == (leaves == 1))
                rest = goal_push(search, rest, user, a, b, free);
        }
    search->goals = rest;
}

static bool go_back(Search *search) {
    if (search->choices.count == 0)
        return false;
    ChoicePoint choice = search->choices.items[--search->choices.count];
    while (search->trail.count > choice.trail) {
        TrailEntry *entry = &search->trail.items[--search->trail.count];
        const Term *term = &search->candidate.graph->terms[entry->candidate];
        search->match[entry->candidate] = NO_TERM;
        if (entry->freed_origin != NO_STATE)
            search->bound[entry->freed_origin] = NO_STATE;
        if (term->kind == TERM_STATE)
            search->free[term->state] = false;
    }
    search->equals.count = choice.equals;
    search->original_cursor = choice.original_cursor;
    search->candidate_cursor = choice.candidate_cursor;
    search->bound_count = choice.bound;
    search->bound_at_start = choice.bound;
    const Goal user = {.original = choice.original, .candidate = choice.candidate};
    push_operands(search, &user, choice.rest, choice.crossed, choice.free);
    return true;
}

/* ---- States ------------------------------------------------------------------------------- */

static TermId state_term(const Side *side, size_t state) {
    return side->graph->states[state].term;
}

/* Has the other side a state by one of the keys, of the same form, that is not `expected`? */
static bool is_elsewhere(const GraphState *state, const Term *term, const Side *other, const Table *keys,
                         size_t expected) {
    for (size_t k = 0; k < state->key_count; k++) {
        size_t found = (size_t)(uintptr_t)table_get(keys, state->keys[k]);
        if (found != 0 && found - 1 != expected &&
            term_at(other->graph, state_term(other, found - 1))->label == term->label)
            return true;
    }
    return false;
}

static char *colour_text(Arena *arena, uint64_t colour) {
    return arena_printf(arena, "%016llx", (unsigned long long)colour);
}

static bool has_a_twin(Search *search, TermId original) {
    char text[20];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)search->original.refined[original.number]);
    return (uintptr_t)table_get(search->refined_states, text) > 1;
}

static bool bind(Search *search, const Goal *goal, const Term *a, const Term *b) {
    uint32_t required = search->required[b->state];
    if (required != NO_STATE ? required != a->state : search->ruled[a->state])
        return part(search, PARTING_MAP, goal, (TermId){NO_TERM});
    uint32_t before = search->bound[a->state];
    if (required == NO_STATE) {
        if (before != NO_STATE)
            return part(search, PARTING_BOUND, goal, state_term(&search->candidate, before));
        if (is_elsewhere(&search->original.graph->states[a->state], a, &search->candidate,
                         search->candidate_keys, b->state) ||
            is_elsewhere(&search->candidate.graph->states[b->state], b, &search->original,
                         search->original_keys, a->state))
            return part(search, PARTING_CROSSED, goal, (TermId){NO_TERM});
    }
    search->match[goal->candidate.number] = goal->original.number;
    search->free[b->state] = goal->free && required == NO_STATE && has_a_twin(search, goal->original);
    search->bound_count++;
    TrailEntry *entry = ARENA_PUSH(search->arena, &search->trail);
    *entry = (TrailEntry){goal->candidate.number, before == NO_STATE ? (uint32_t)a->state : NO_STATE};
    if (before == NO_STATE)
        search->bound[a->state] = (uint32_t)b->state;
    return true;
}

/* ---- One pair ----------------------------------------------------------------------------- */

/* Buffers that keep their values from construction, and that forward doesn't write, are the same if those
 * values are. */
static bool same_from_construction(const Search *search, const Term *a, const Term *b) {
    const GraphState *one = &search->original.graph->states[a->state],
                     *other = &search->candidate.graph->states[b->state];
    if (!one->known || !other->known || one->final.number != one->term.number ||
        other->final.number != other->term.number)
        return true; /* states: what they hold comes from outside */
    if (!term_at(search->original.graph, one->initial)->known ||
        !term_at(search->candidate.graph, other->initial)->known)
        return false; /* draws */
    if (a->content != NULL && b->content != NULL)
        return same_content(a, b);
    uint32_t known = search->original.known[one->initial.number];
    return known != 0 && known == search->candidate.known[other->initial.number];
}

static bool is_written(const GraphState *state) {
    return state->final.number != state->term.number;
}

/* A buffer that forward doesn't write and whose bytes are known, or what is made of such alone. */
static bool keeps_its_content(const Side *side, const Term *term) {
    if (term->content == NULL)
        return false;
    if (term->kind == TERM_STATE)
        return side->graph->states[term->state].buffer && !is_written(&side->graph->states[term->state]);
    for (size_t s = 0; term->kept && s < side->graph->state_count; s++)
        if (side->graph->states[s].known && is_written(&side->graph->states[s]))
            return false;
    return term->kept;
}

static bool accept_content(Search *search, const Goal *goal) {
    Equal *equal = ARENA_PUSH(search->arena, &search->equals);
    *equal = (Equal){goal->original, goal->candidate};
    search->goals = goal->rest;
    return true;
}

typedef enum Order { ORDER_STRAIGHT, ORDER_CROSSED, ORDER_UNCLEAR } Order;

static Order order_by(bool straight, bool crossed) {
    return straight == crossed ? ORDER_UNCLEAR : straight ? ORDER_STRAIGHT : ORDER_CROSSED;
}

#define ORDER_BY_COLOUR(search, field, a, b)                                                                 \
    order_by((search)->original.field[(a)->operands[0].number] ==                                            \
                     (search)->candidate.field[(b)->operands[0].number] &&                                   \
                 (search)->original.field[(a)->operands[1].number] ==                                        \
                     (search)->candidate.field[(b)->operands[1].number],                                     \
             (search)->original.field[(a)->operands[0].number] ==                                            \
                     (search)->candidate.field[(b)->operands[1].number] &&                                   \
                 (search)->original.field[(a)->operands[1].number] ==                                        \
                     (search)->candidate.field[(b)->operands[0].number])

/* Where both orders are wrong by structure: the one that is right for one operand at least. */
static Order order_by_half(const Search *search, const Term *a, const Term *b) {
    const uint32_t *one = search->original.structural, *other = search->candidate.structural;
    return order_by(one[a->operands[0].number] == other[b->operands[0].number] ||
                        one[a->operands[1].number] == other[b->operands[1].number],
                    one[a->operands[0].number] == other[b->operands[1].number] ||
                        one[a->operands[1].number] == other[b->operands[0].number]);
}

static Order order_by_match(const Search *search, const Term *a, const Term *b) {
    for (size_t i = 0; i < 2; i++) {
        uint32_t stands = search->match[b->operands[i].number];
        if (stands != NO_TERM)
            return order_by(stands == a->operands[i].number, stands == a->operands[1 - i].number);
    }
    return ORDER_UNCLEAR;
}

/* Two operands that may change places. Structure decides where it can; then names do, and the other order is
 * kept for later. */
static void choose_order(Search *search, const Goal *goal, const Term *a, const Term *b) {
    if (a->operands[0].number == a->operands[1].number || b->operands[0].number == b->operands[1].number) {
        push_operands(search, goal, goal->rest, false, goal->free);
        return;
    }
    Order order = order_by_match(search, a, b);
    if (order == ORDER_UNCLEAR)
        order = ORDER_BY_COLOUR(search, structural, a, b);
    if (order == ORDER_UNCLEAR)
        order = order_by_half(search, a, b);
    if (order == ORDER_UNCLEAR)
        order = ORDER_BY_COLOUR(search, refined, a, b);
    if (order != ORDER_UNCLEAR) {
        push_operands(search, goal, goal->rest, order == ORDER_CROSSED, goal->free);
        return;
    }
    bool free = false;
    order = ORDER_BY_COLOUR(search, named, a, b);
    if (order == ORDER_UNCLEAR) {
        free = true;
        order = ORDER_BY_COLOUR(search, endings, a, b);
    }
    bool crossed = order == ORDER_CROSSED;
    ChoicePoint *choice = ARENA_PUSH(search->arena, &search->choices);
    *choice = (ChoicePoint){.rest = goal->rest,
                            .original = goal->original,
                            .candidate = goal->candidate,
                            .crossed = !crossed,
                            .free = goal->free || free,
                            .trail = search->trail.count,
                            .equals = search->equals.count,
                            .original_cursor = search->original_cursor,
                            .candidate_cursor = search->candidate_cursor,
                            .bound = search->bound_count};
    push_operands(search, goal, goal->rest, crossed, goal->free || free);
}

/* Compares the next pair; its operands become goals. False if the two differ. */
static bool step(Search *search) {
    const Goal *goal = search->goals;
    const Term *a = term_at(search->original.graph, goal->original);
    const Term *b = term_at(search->candidate.graph, goal->candidate);
    search->pairs++;
    if (a->kind == TERM_UNKNOWN || b->kind == TERM_UNKNOWN || a->kind == TERM_INITIAL ||
        b->kind == TERM_INITIAL)
        return part(search, PARTING_ORIGIN, goal, (TermId){NO_TERM});
    if (a->known && b->known) {
        if (a->content != NULL && b->content != NULL && !same_content(a, b))
            return part(search, PARTING_TERM, goal, (TermId){NO_TERM});
        uint32_t known = search->original.known[goal->original.number];
        if (known != 0 && known == search->candidate.known[goal->candidate.number]) {
            search->goals = goal->rest;
            return true;
        }
        if (same_content(a, b))
            return accept_content(search, goal);
    }
    if (((a->known && keeps_its_content(&search->candidate, b)) ||
         (b->known && keeps_its_content(&search->original, a))) &&
        same_content(a, b))
        return accept_content(search, goal);
    uint32_t stands = search->match[goal->candidate.number];
    if (stands == goal->original.number) {
        search->goals = goal->rest;
        return true;
    }
    const bool alike = a->kind == b->kind && a->label == b->label && a->operand_count == b->operand_count &&
                       a->commutative == b->commutative;
    const bool taken =
        stands != NO_TERM || (alike && a->kind == TERM_STATE && search->bound[a->state] != NO_STATE);
    if ((!alike || taken) && keeps_its_content(&search->original, a) &&
        keeps_its_content(&search->candidate, b) && same_content(a, b))
        return accept_content(search, goal); /* one mask for those of all layers, or several for one */
    if (!alike)
        return part(search, PARTING_TERM, goal, (TermId){NO_TERM});
    if (stands != NO_TERM)
        return part(search, PARTING_TAKEN, goal, (TermId){stands});
    if (a->kind == TERM_STATE && !same_from_construction(search, a, b))
        return part(search, PARTING_TERM, goal, (TermId){NO_TERM});
    search->goals = goal->rest;
    if (a->kind == TERM_STATE)
        return bind(search, goal, a, b);
    search->match[goal->candidate.number] = goal->original.number;
    TrailEntry *entry = ARENA_PUSH(search->arena, &search->trail);
    *entry = (TrailEntry){goal->candidate.number, NO_STATE};
    if (a->commutative && a->operand_count >= 2)
        choose_order(search, goal, a, b);
    else
        push_operands(search, goal, goal->rest, false, goal->free);
    return true;
}

/* ---- What states hold after forward ------------------------------------------------------- */

static size_t module_length(const char *key) {
    const char *dot = strrchr(key, '.');
    return dot == NULL ? 0 : (size_t)(dot - key);
}

static bool same_module(const char *key, const char *other) {
    size_t length = module_length(key);
    return length == module_length(other) && strncmp(key, other, length) == 0;
}

/* A state of the candidate that stands for another of a's module; NULL if none does yet. */
static const GraphState *bound_sibling(const Search *search, const GraphState *a) {
    const Graph *original = search->original.graph, *candidate = search->candidate.graph;
    for (size_t s = 0; s < original->state_count; s++)
        if (search->bound[s] != NO_STATE && same_module(original->states[s].keys[0], a->keys[0]))
            return &candidate->states[search->bound[s]];
    return NULL;
}

/* The state of the candidate that likely stands for one that only forward's own update reads. */
static size_t likely_partner(const Search *search, size_t wanted, bool *free) {
    const Graph *original = search->original.graph, *candidate = search->candidate.graph;
    const GraphState *a = &original->states[wanted];
    const GraphState *sibling = bound_sibling(search, a);
    size_t best = SIZE_MAX, best_score = 0;
    for (size_t s = 0; s < candidate->state_count; s++) {
        const GraphState *b = &candidate->states[s];
        uint32_t required = search->required[s];
        if (search->match[b->term.number] != NO_TERM || !is_written(b) ||
            term_at(candidate, b->term)->label != term_at(original, a->term)->label ||
            (required != NO_STATE && required != wanted))
            continue;
        size_t score =
            1 + (required == wanted ? 16 : 0) +
            (sibling != NULL && same_module(sibling->keys[0], b->keys[0]) ? 8 : 0) +
            (strcmp(a->keys[0], b->keys[0]) == 0 ? 4 : 0) +
            (search->original.refined[a->final.number] == search->candidate.refined[b->final.number] ? 2 : 0);
        if (score >= best_score)
            *free = score == best_score && score < 4;
        if (score > best_score) {
            best = s;
            best_score = score;
        }
    }
    return best;
}

static void push_final(Search *search, size_t original, size_t candidate, bool free) {
    const GraphState *a = &search->original.graph->states[original];
    const GraphState *b = &search->candidate.graph->states[candidate];
    search->goals = goal_push(search, search->goals, NULL, a->final, b->final, free);
    search->goals = goal_push(search, search->goals, NULL, a->term, b->term, free);
}

/* When all goals are met: adds those of the next state that forward writes. False if a state is written on
 * one side only. `*more` tells whether there was one. */
static bool push_next_final(Search *search, bool *more) {
    const Graph *original = search->original.graph, *candidate = search->candidate.graph;
    *more = true;
    while (search->original_cursor < original->state_count) {
        size_t s = search->original_cursor++;
        if (!is_written(&original->states[s]) || search->bound[s] != NO_STATE)
            continue;
        bool free = false;
        size_t partner = likely_partner(search, s, &free);
        if (partner == SIZE_MAX)
            return part(search, PARTING_WRITTEN,
                        &(Goal){.original = original->states[s].final,
                                .candidate = {NO_TERM},
                                .original_user = {NO_TERM},
                                .candidate_user = {NO_TERM}},
                        original->states[s].term);
        push_final(search, s, partner, free);
        return true;
    }
    if (search->candidate_cursor == candidate->state_count && search->bound_count != search->bound_at_start) {
        search->candidate_cursor = 0; /* what was bound meanwhile may be written too */
        search->bound_at_start = search->bound_count;
    }
    while (search->candidate_cursor < candidate->state_count) {
        size_t s = search->candidate_cursor++;
        uint32_t stands = search->match[candidate->states[s].term.number];
        bool written = is_written(&candidate->states[s]);
        size_t partner = stands == NO_TERM ? SIZE_MAX : original->terms[stands].state;
        bool expected = partner != SIZE_MAX && is_written(&original->states[partner]);
        if (written != expected)
            return part(
                search, written ? PARTING_OVERWRITES : PARTING_WRITTEN,
                &(Goal){.original = partner == SIZE_MAX ? (TermId){NO_TERM} : original->states[partner].final,
                        .candidate = candidate->states[s].final,
                        .original_user = {NO_TERM},
                        .candidate_user = {NO_TERM}},
                written ? candidate->states[s].term : original->states[partner].term);
        if (written) {
            push_final(search, partner, s, false);
            return true;
        }
    }
    *more = false;
    return true;
}

/* ---- The whole ---------------------------------------------------------------------------- */

static bool run(Search *search) {
    bool more = true;
    while (more) {
        bool fine = search->goals != NULL ? step(search) : push_next_final(search, &more);
        search->steps_after_failure += search->parting.reason != PARTING_NONE;
        if (!fine && (search->steps_after_failure > MAX_STEPS_AFTER_FAILURE || !go_back(search)))
            return false;
    }
    return true;
}

static Table *index_keys(Arena *arena, const Graph *graph) {
    Table *keys = table_new(arena);
    for (size_t s = 0; s < graph->state_count; s++)
        for (size_t k = 0; k < graph->states[s].key_count; k++)
            table_put(keys, graph->states[s].keys[k], (void *)(uintptr_t)(s + 1));
    return keys;
}

static void prepare_rules(Search *search) {
    const BindingRules *rules = search->rules;
    const Graph *original = search->original.graph, *candidate = search->candidate.graph;
    search->required = ARENA_ARRAY(search->arena, uint32_t, candidate->state_count + 1);
    search->ruled = ARENA_ARRAY(search->arena, bool, original->state_count + 1);
    for (size_t s = 0; s < candidate->state_count; s++)
        search->required[s] = NO_STATE;
    for (size_t i = 0; rules != NULL && i < rules->count; i++) {
        size_t a = (size_t)(uintptr_t)table_get(search->original_keys, rules->original_keys[i]);
        size_t b = (size_t)(uintptr_t)table_get(search->candidate_keys, rules->candidate_keys[i]);
        if (a != 0)
            search->ruled[a - 1] = true;
        if (a != 0 && b != 0)
            search->required[b - 1] = (uint32_t)a - 1;
    }
}

static void prepare(Search *search) {
    const Graph *original = search->original.graph, *candidate = search->candidate.graph;
    search->match = ARENA_ARRAY(search->arena, uint32_t, candidate->term_count + 1);
    memset(search->match, 0xff, candidate->term_count * sizeof *search->match);
    search->bound = ARENA_ARRAY(search->arena, uint32_t, original->state_count + 1);
    memset(search->bound, 0xff, original->state_count * sizeof *search->bound);
    search->free = ARENA_ARRAY(search->arena, bool, candidate->state_count + 1);
    search->original_keys = index_keys(search->arena, original);
    search->candidate_keys = index_keys(search->arena, candidate);
    prepare_rules(search);
    search->refined_states = table_new(search->arena);
    for (size_t s = 0; s < original->state_count; s++) {
        char *text = colour_text(search->arena, search->original.refined[original->states[s].term.number]);
        uintptr_t count = (uintptr_t)table_get(search->refined_states, text);
        table_put(search->refined_states, text, (void *)(count + 1));
    }
}

/* The last goal to be pushed is the first to be met: outputs in order, then reads, then inputs. */
static void push_roots(Search *search) {
    const Graph *original = search->original.graph, *candidate = search->candidate.graph;
    for (size_t i = original->input_count; i-- > 0;) {
        const GraphInput *a = &original->inputs[i], *b = input_at(candidate, a->path);
        if (b != NULL && (a->final.number != a->term.number || b->final.number != b->term.number))
            search->goals = goal_push(search, search->goals, NULL, a->final, b->final, false);
    }
    for (size_t i = original->read_count < candidate->read_count ? original->read_count
                                                                 : candidate->read_count;
         i-- > 0;)
        search->goals =
            goal_push(search, search->goals, NULL, original->reads[i].term, candidate->reads[i].term, false);
    for (size_t i = original->output_count; i-- > 0;)
        if (original->outputs[i].is_tensor)
            search->goals = goal_push(search, search->goals, NULL, original->outputs[i].term,
                                      candidate->outputs[i].term, false);
}

/* ---- What came of it ---------------------------------------------------------------------- */

static void list_bindings(const Search *search, Unification *result) {
    const Graph *original = search->original.graph, *candidate = search->candidate.graph;
    result->bindings = ARENA_ARRAY(search->arena, StateBinding, candidate->state_count + 1);
    for (size_t s = 0; s < candidate->state_count; s++) {
        uint32_t stands = search->match[candidate->states[s].term.number];
        if (stands != NO_TERM)
            result->bindings[result->binding_count++] =
                (StateBinding){.original = original->states[original->terms[stands].state].keys[0],
                               .candidate = candidate->states[s].keys[0],
                               .free = search->free[s]};
    }
}

static const char *states_that_share_wrongly(const Search *search) {
    const Graph *original = search->original.graph, *candidate = search->candidate.graph;
    size_t *stands = ARENA_ARRAY(search->arena, size_t, candidate->state_count + 1);
    for (size_t s = 0; s < candidate->state_count; s++) {
        uint32_t term = search->match[candidate->states[s].term.number];
        stands[s] = term == NO_TERM ? SIZE_MAX : original->terms[term].state;
    }
    return unlike_sharing(search->arena, original, candidate, stands);
}

static const char *opaque_calls(Arena *arena, const Graph *original, const Graph *candidate) {
    if (original->opaque_count == 0 && candidate->opaque_count == 0)
        return NULL;
    bool theirs = original->opaque_count > 0;
    return arena_printf(arena, "the %s calls %s, whose effect is unknown", theirs ? "original" : "refactored",
                        theirs ? original->opaque[0] : candidate->opaque[0]);
}

Unification graph_unify(Arena *arena, const Graph *original, const Graph *candidate,
                        const BindingRules *rules) {
    Unification result = {0};
    const char *what = opaque_calls(arena, original, candidate);
    if (what != NULL) {
        result.difference = difference_of_structure(what, SIZE_MAX, SIZE_MAX);
        result.difference.kind = DIFFERENCE_UNKNOWN;
        return result;
    }
    const Graph *ordered;
    const char *unpaired = results_pair(arena, original, candidate, &ordered);
    const bool moved = ordered != candidate;
    candidate = ordered;
    if ((what = unlike_outputs(arena, original, candidate)) != NULL || (what = unpaired) != NULL) {
        result.difference = difference_of_structure(what, SIZE_MAX, SIZE_MAX);
        return result;
    }
    Search search = {
        .arena = arena, .rules = rules, .original.graph = original, .candidate.graph = candidate};
    size_t class_count = colour_sides(arena, &search.original, &search.candidate, rules);
    prepare(&search);
    push_roots(&search);
    bool same = run(&search);
    result.pairs = search.pairs;
    if (!same) {
        result.difference =
            first_difference(arena, &search.original, &search.candidate, class_count, &search.parting);
        return result;
    }
    size_t original_call = SIZE_MAX, candidate_call = SIZE_MAX;
    if ((what = unlike_effects(arena, original, candidate, &original_call, &candidate_call)) != NULL ||
        (what = states_that_share_wrongly(&search)) != NULL) {
        result.difference = difference_of_structure(what, original_call, candidate_call);
        return result;
    }
    result.proved = true;
    result.difference.original.number = result.difference.candidate.number = NO_TERM;
    result.difference.original_call = result.difference.candidate_call = SIZE_MAX;
    list_bindings(&search, &result);
    narrow_claim(arena,
                 &(Match){.original = original,
                          .candidate = candidate,
                          .terms = search.match,
                          .equals = search.equals.items,
                          .equal_count = search.equals.count,
                          .reordered = moved},
                 &result);
    return result;
}
