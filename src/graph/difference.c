/* Which of the guide's causes ("Common Verification Failures") the first difference is, in a sentence. */
#include "difference_parts.h"

#include <string.h>

const char *difference_kind_name(DifferenceKind kind) {
    switch (kind) {
    case DIFFERENCE_NONE: return "none";
    case DIFFERENCE_MISSING_OPERATOR: return "missing operator";
    case DIFFERENCE_EXTRA_OPERATOR: return "extra operator";
    case DIFFERENCE_OTHER_OPERATOR: return "other operator";
    case DIFFERENCE_WRONG_ORDER: return "wrong order";
    case DIFFERENCE_CONSTANT: return "different constant";
    case DIFFERENCE_WIRING: return "wrong wiring";
    case DIFFERENCE_WEIGHTS: return "weights crossed";
    case DIFFERENCE_STRUCTURE: return "different structure";
    case DIFFERENCE_UNKNOWN: return "unknown value";
    }
    return "";
}

static const Term *term_of(const Comparison *comparison, size_t side, TermId id) {
    return comparison_term(comparison, side, id);
}

static bool has_no_value(const Term *term) {
    return term->kind == TERM_UNKNOWN || term->kind == TERM_INITIAL;
}

/* ---- Sentences ---------------------------------------------------------------------------- */

static const char *words_of(const Comparison *comparison, size_t side, TermId id) {
    const Graph *graph = comparison->sides[side]->graph;
    return arena_printf(comparison->arena, "%s%s", term_describe(comparison->arena, graph, id),
                        term_module_words(comparison->arena, graph, id));
}

static const char *short_words_of(const Comparison *comparison, size_t side, TermId id) {
    return term_describe(comparison->arena, comparison->sides[side]->graph, id);
}

static const char *verb_of(const Term *term) {
    return is_leaf(term) || has_no_value(term) || term->kind == TERM_CONSTANT               ? "takes"
           : term->kind == TERM_OPERATOR || (term->kind == TERM_VIEW && term->args != NULL) ? "applies"
                                                                                            : "makes";
}

/* "applies gelu() in blocks.3.mlp", with what it has otherwise than `like`. */
static const char *deed_beside(const Comparison *comparison, size_t side, TermId id, const Term *like) {
    if (id.number == NO_TERM)
        return "has nothing there";
    const Graph *graph = comparison->sides[side]->graph;
    const Term *term = term_of(comparison, side, id);
    return arena_printf(comparison->arena, "%s %s%s", verb_of(term),
                        term_describe_beside(comparison->arena, graph, id, like),
                        term_module_words(comparison->arena, graph, id));
}

static const char *deed(const Comparison *comparison, size_t side, TermId id) {
    return deed_beside(comparison, side, id, NULL);
}

/* " for bmm() in attn": a view with the operator that it is for. */
static const char *purpose(const Comparison *comparison, size_t side, TermId id) {
    TermId user = id.number != NO_TERM && term_of(comparison, side, id)->kind == TERM_VIEW
                      ? first_operator_on(comparison, side, id)
                      : (TermId){NO_TERM};
    return user.number == NO_TERM
               ? ""
               : arena_printf(comparison->arena, " for %s", short_words_of(comparison, side, user));
}

static Difference differ(const Comparison *comparison, DifferenceKind kind, TermId original, TermId candidate,
                         const char *what) {
    Difference difference = {.kind = kind,
                             .original = original,
                             .candidate = candidate,
                             .what = what,
                             .original_call = SIZE_MAX,
                             .candidate_call = SIZE_MAX};
    if (original.number != NO_TERM)
        difference.original_call = term_of(comparison, ORIGINAL, original)->call;
    if (candidate.number != NO_TERM)
        difference.candidate_call = term_of(comparison, CANDIDATE, candidate)->call;
    return difference;
}

static Difference two_deeds(const Comparison *comparison, DifferenceKind kind, TermId a, TermId b) {
    const Term *one = a.number == NO_TERM ? NULL : term_of(comparison, ORIGINAL, a);
    const Term *other = b.number == NO_TERM ? NULL : term_of(comparison, CANDIDATE, b);
    return differ(comparison, kind, a, b,
                  arena_printf(comparison->arena, "original %s%s; refactored %s%s",
                               deed_beside(comparison, ORIGINAL, a, other), purpose(comparison, ORIGINAL, a),
                               deed_beside(comparison, CANDIDATE, b, one),
                               purpose(comparison, CANDIDATE, b)));
}

/* Where arguments are the same in words, the results tell the difference, and else ambient state does. */
static Difference other_constant(const Comparison *comparison, TermId a, TermId b) {
    Arena *arena = comparison->arena;
    const Term *p = term_of(comparison, ORIGINAL, a), *q = term_of(comparison, CANDIDATE, b);
    const char *form = term_form_words(arena, p), *other_form = term_form_words(arena, q);
    if (strcmp(term_describe_beside(arena, comparison->sides[ORIGINAL]->graph, a, q),
               term_describe_beside(arena, comparison->sides[CANDIDATE]->graph, b, p)) != 0)
        return two_deeds(comparison, DIFFERENCE_CONSTANT, a, b);
    const char *one =
        arena_printf(arena, "%s%s", deed(comparison, ORIGINAL, a), purpose(comparison, ORIGINAL, a));
    const char *what =
        strcmp(form, other_form) != 0
            ? arena_printf(arena, "original %s, which gives %s; refactored gives %s", one, form, other_form)
            : arena_printf(arena,
                           "original %s; refactored does so with other elements, or under another mode", one);
    return differ(comparison, DIFFERENCE_CONSTANT, a, b, what);
}

static Difference without_like(const Comparison *comparison, size_t side, TermId a, TermId b, TermId then) {
    static const char *const NAMES[] = {"original", "refactored"};
    TermId mine = side == ORIGINAL ? a : b;
    const char *before = then.number == NO_TERM ? ""
                                                : arena_printf(comparison->arena, ", before %s",
                                                               words_of(comparison, side, then));
    return differ(comparison, side == ORIGINAL ? DIFFERENCE_MISSING_OPERATOR : DIFFERENCE_EXTRA_OPERATOR, a,
                  b,
                  arena_printf(comparison->arena, "%s %s%s; %s has nothing there", NAMES[side],
                               deed(comparison, side, mine), before, NAMES[1 - side]));
}

/* Both apply one operator to other operands: the first that differs. */
static Difference other_operand(const Comparison *comparison, TermId a, TermId b) {
    const Term *one = term_of(comparison, ORIGINAL, a), *other = term_of(comparison, CANDIDATE, b);
    Arena *arena = comparison->arena;
    if (one->operand_count != other->operand_count)
        return differ(comparison, DIFFERENCE_WIRING, a, b,
                      arena_printf(arena, "original %s to %u values; refactored to %u",
                                   deed(comparison, ORIGINAL, a), one->operand_count, other->operand_count));
    if (one->operand_count == 0)
        return two_deeds(comparison, DIFFERENCE_OTHER_OPERATOR, a, b);
    size_t i = 0;
    while (i + 1 < one->operand_count && comparison_class(comparison, ORIGINAL, one->operands[i]) ==
                                             comparison_class(comparison, CANDIDATE, other->operands[i]))
        i++;
    TermId x = one->operands[i], y = other->operands[i];
    const Term *p = term_of(comparison, ORIGINAL, x), *q = term_of(comparison, CANDIDATE, y);
    if (p->kind == TERM_STATE && q->kind == TERM_STATE)
        return differ(comparison, DIFFERENCE_WEIGHTS, a, b,
                      arena_printf(arena, "original uses %s (%s) in %s where refactored uses %s (%s)",
                                   short_words_of(comparison, ORIGINAL, x), term_form_words(arena, p),
                                   words_of(comparison, ORIGINAL, a),
                                   short_words_of(comparison, CANDIDATE, y), term_form_words(arena, q)));
    Fork fork = find_fork(comparison, x, y);
    TermId at = fork.places[ORIGINAL], other_at = fork.places[CANDIDATE];
    if (at.number != NO_TERM && other_at.number == NO_TERM)
        return without_like(comparison, ORIGINAL, at, b, a);
    if (at.number == NO_TERM && other_at.number != NO_TERM)
        return without_like(comparison, CANDIDATE, a, other_at, b);
    bool taken = fork.only_taken || at.number == NO_TERM;
    if (at.number == NO_TERM) {
        at = x;
        other_at = y;
    }
    /* Which of several views is taken says no operator: there both who makes the right one and who takes the
     * wrong one tell. */

    TermId place = term_of(comparison, ORIGINAL, at)->kind == TERM_VIEW || !taken ? at : a;
    return differ(comparison, DIFFERENCE_WIRING, place, taken ? b : other_at,
                  arena_printf(arena, "original %s to %s; refactored applies it to %s",
                               deed(comparison, ORIGINAL, a), words_of(comparison, ORIGINAL, at),
                               words_of(comparison, CANDIDATE, other_at)));
}

static Difference no_known_value(const Comparison *comparison, TermId a, TermId b) {
    bool theirs = a.number != NO_TERM && has_no_value(term_of(comparison, ORIGINAL, a));
    size_t side = theirs ? ORIGINAL : CANDIDATE;
    return differ(comparison, DIFFERENCE_UNKNOWN, a, b,
                  arena_printf(comparison->arena, "the %s uses %s", theirs ? "original" : "refactored",
                               words_of(comparison, side, theirs ? a : b)));
}

/* ---- Only the binding is at odds ---------------------------------------------------------- */

static const char *state_words(const Comparison *comparison, size_t side, TermId id) {
    return term_describe(comparison->arena, comparison->sides[side]->graph, id);
}

static Difference crossed_weights(const Comparison *comparison, const Parting *parting) {
    Arena *arena = comparison->arena;
    const char *a = state_words(comparison, ORIGINAL, parting->original);
    const char *b = state_words(comparison, CANDIDATE, parting->candidate);
    TermId user = parting->original_user;
    if (user.number != NO_TERM && term_of(comparison, ORIGINAL, user)->kind == TERM_VIEW) {
        TermId operator= first_operator_on(comparison, ORIGINAL, user);
        user = operator.number == NO_TERM ? user : operator;
    }
    const char *place =
        user.number == NO_TERM ? "" : arena_printf(arena, " in %s", words_of(comparison, ORIGINAL, user));
    const char *what;
    if (parting->reason == PARTING_MAP)
        what = arena_printf(arena,
                            "original uses %s%s where refactored uses %s, which the map assigns otherwise", a,
                            place, b);
    else if (parting->reason == PARTING_TAKEN)
        what = arena_printf(arena, "original uses %s%s where refactored uses %s, which stands for %s", a,
                            place, b, state_words(comparison, ORIGINAL, parting->other));
    else if (parting->reason == PARTING_BOUND)
        what = arena_printf(arena, "original uses %s%s again where refactored uses %s after %s", a, place, b,
                            state_words(comparison, CANDIDATE, parting->other));
    else
        what = arena_printf(
            arena,
            "original uses %s%s where refactored uses %s, though both have one of these names for "
            "something else",
            a, place, b);
    bool used = parting->original_user.number != NO_TERM && parting->candidate_user.number != NO_TERM;
    return differ(comparison, DIFFERENCE_WEIGHTS, used ? parting->original_user : parting->original,
                  used ? parting->candidate_user : parting->candidate, what);
}

/* The candidate views another value than the original; both values are made of states alone that fit. */
static void find_other_value(const Comparison *comparison, const Parting *parting, TermId *place,
                             TermId *other_place) {
    TermId a = without_views(comparison, ORIGINAL, parting->original);
    TermId b = without_views(comparison, CANDIDATE, parting->candidate);
    if (a.number == parting->original.number || b.number == parting->candidate.number)
        return;
    if (!makes_by_name(comparison, ORIGINAL, a)) {
        *place = a;
        *other_place = b;
        return;
    }
    TermId view = first_view_elsewhere(comparison, ORIGINAL, parting->original);
    if (view.number != NO_TERM)
        *place = view;
}

static Difference from_above(const Comparison *comparison, const Parting *parting) {
    TermId a = parting->original, b = parting->candidate;
    TermId user = parting->original_user, other_user = parting->candidate_user;
    const Term *one = term_of(comparison, ORIGINAL, a), *other = term_of(comparison, CANDIDATE, b);
    Arena *arena = comparison->arena;
    if (parting->reason == PARTING_ORIGIN)
        return no_known_value(comparison, a, b);
    if (one->kind == TERM_STATE && other->kind == TERM_STATE)
        return crossed_weights(comparison, parting);
    bool used = user.number != NO_TERM && other_user.number != NO_TERM;
    if (parting->reason == PARTING_TAKEN || used || is_leaf(one) || is_leaf(other)) {
        const char *place =
            used ? arena_printf(arena, " to %s", words_of(comparison, ORIGINAL, user)) : " as output";
        const char *twice = parting->reason == PARTING_TAKEN
                                ? arena_printf(arena, ", which stands for another %s",
                                               words_of(comparison, ORIGINAL, parting->other))
                                : "";
        TermId at = used ? user : a, other_at = used ? other_user : b;
        find_other_value(comparison, parting, &at, &other_at);
        return differ(comparison, DIFFERENCE_WIRING, at, other_at,
                      arena_printf(arena, "original gives %s%s; refactored gives %s%s",
                                   words_of(comparison, ORIGINAL, a), place,
                                   words_of(comparison, CANDIDATE, b), twice));
    }
    if (one->label != other->label && same_operator(one, other))
        return other_constant(comparison, a, b);
    return two_deeds(comparison, DIFFERENCE_WIRING, a, b);
}

/* ---- The whole ---------------------------------------------------------------------------- */

static Difference written_state(const Comparison *comparison, const Parting *parting) {
    bool theirs = parting->reason == PARTING_WRITTEN;
    return differ(comparison, DIFFERENCE_STRUCTURE, parting->original, parting->candidate,
                  arena_printf(comparison->arena,
                               "only the %s changes %s, or changes it in a way that has no like in the other",
                               theirs ? "original" : "refactored",
                               state_words(comparison, theirs ? ORIGINAL : CANDIDATE, parting->other)));
}

static Difference cause_of(Comparison *comparison) {
    Arena *arena = comparison->arena;
    TermId a = comparison->first[ORIGINAL], b = comparison->first[CANDIDATE];
    const Term *one = a.number == NO_TERM ? NULL : term_of(comparison, ORIGINAL, a);
    const Term *other = b.number == NO_TERM ? NULL : term_of(comparison, CANDIDATE, b);
    if ((one != NULL && has_no_value(one)) || (other != NULL && has_no_value(other)))
        return no_known_value(comparison, a, b);
    if (one != NULL && other != NULL && same_operands(comparison, a, b) && same_operator(one, other))
        return other_constant(comparison, a, b);
    if (one != NULL && other != NULL && one->kind == TERM_CONSTANT && other->kind == TERM_CONSTANT)
        return other_constant(comparison, a, b);
    TermId then, other_then;
    bool missing = has_more(comparison, ORIGINAL, &then),
         extra = has_more(comparison, CANDIDATE, &other_then);
    if (one != NULL && other != NULL && same_operator(one, other)) {
        missing =
            missing && times_applied(comparison, ORIGINAL, one) > times_applied(comparison, CANDIDATE, one);
        extra = extra && times_applied(comparison, CANDIDATE, one) > times_applied(comparison, ORIGINAL, one);
    } else if (one != NULL && other != NULL && same_operands(comparison, a, b)) {
        /* Two operators on the same values: the one in place of the other, unless the other comes too. */
        missing = missing &&
                  times_applied(comparison, CANDIDATE, other) <= times_applied(comparison, ORIGINAL, other);
        extra =
            extra && times_applied(comparison, ORIGINAL, one) <= times_applied(comparison, CANDIDATE, one);
    }
    if (missing && extra && one != NULL && other != NULL && !same_operator(one, other))
        return differ(comparison, DIFFERENCE_WRONG_ORDER, a, b,
                      arena_printf(arena, "original %s before %s; refactored %s first",
                                   deed(comparison, ORIGINAL, a), short_words_of(comparison, ORIGINAL, then),
                                   deed(comparison, CANDIDATE, b)));
    if (missing && !extra)
        return without_like(comparison, ORIGINAL, a, b, then);
    if (extra && !missing)
        return without_like(comparison, CANDIDATE, a, b, other_then);
    if (one == NULL || other == NULL)
        return two_deeds(comparison, one == NULL ? DIFFERENCE_EXTRA_OPERATOR : DIFFERENCE_MISSING_OPERATOR, a,
                         b);
    if (one->label != other->label || one->kind != other->kind) {
        TermId later = same_label_later(comparison, ORIGINAL);
        if (later.number != NO_TERM)
            return other_operand(comparison, later, b);
        later = same_label_later(comparison, CANDIDATE);
        if (later.number != NO_TERM && shares_operand(comparison, ORIGINAL, a, later))
            return other_operand(comparison, a, later);
    }
    if (same_operator(one, other))
        return other_operand(comparison, a, b);
    return two_deeds(comparison, DIFFERENCE_OTHER_OPERATOR, a, b);
}

Difference first_difference(Arena *arena, const Side *original, const Side *candidate, size_t class_count,
                            const Parting *parting) {
    Comparison comparison = {.arena = arena, .sides = {original, candidate}};
    if (parting->reason == PARTING_WRITTEN || parting->reason == PARTING_OVERWRITES)
        return written_state(&comparison, parting);
    comparison_open(&comparison, class_count);
    if (has_unmatched(&comparison, ORIGINAL) || has_unmatched(&comparison, CANDIDATE)) {
        find_first(&comparison);
        if (comparison.first[ORIGINAL].number != NO_TERM || comparison.first[CANDIDATE].number != NO_TERM)
            return cause_of(&comparison);
    }
    return from_above(&comparison, parting);
}
