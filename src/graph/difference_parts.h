/* What the search for the first difference shares: places.c finds, difference.c names. */
#ifndef PLUMBLINE_DIFFERENCE_PARTS_H
#define PLUMBLINE_DIFFERENCE_PARTS_H

#include "unify_parts.h"

enum { ORIGINAL, CANDIDATE };

typedef struct Comparison {
    Arena *arena;
    const Side *sides[2]; /* original, candidate */
    uint32_t *occurs[2];  /* class -> how many terms of it; what is made and then not used is there too */
    uint32_t *used[2];    /* class -> how many of them are shown */
    bool *shown[2];       /* term: live, or a view on the way to a live view that the other side lacks */
    TermId first[2];      /* the place on each side */
} Comparison;

static inline const Term *comparison_term(const Comparison *comparison, size_t side, TermId id) {
    return term_at(comparison->sides[side]->graph, id);
}

static inline uint32_t comparison_class(const Comparison *comparison, size_t side, TermId id) {
    return comparison->sides[side]->structural[id.number];
}

static inline bool is_leaf(const Term *term) {
    return term->kind == TERM_STATE || term->kind == TERM_INPUT;
}

void comparison_open(Comparison *comparison, size_t class_count);
/* Has a side a live term whose very class the other lacks? If not, only the binding of states is at odds. */
bool has_unmatched(const Comparison *comparison, size_t side);
/* Has the side that `id` is not of a term of its class? */
bool has_like(const Comparison *comparison, size_t side, TermId id);
/* The first terms that a side has and the other has not, though it has all that they are made of. */
void find_first(Comparison *comparison);
bool same_operator(const Term *a, const Term *b);
/* One step at a time, the last view before others; what they are made of. */
bool same_operands(const Comparison *comparison, TermId original, TermId candidate);
/* The first operator that takes it, perhaps through views. */
TermId first_operator_on(const Comparison *comparison, size_t side, TermId id);
size_t times_applied(const Comparison *comparison, size_t side, const Term *like);
/* Does `side` apply one or more operators, the first of them its place, to what the other side's place takes
 * as it is? `*then` becomes the term that corresponds to the other's place. */
bool has_more(const Comparison *comparison, size_t side, TermId *then);
/* Another operand may leave what made the right one without use, which then comes first: the term of the same
 * label as the other side's place is meant. */
TermId same_label_later(const Comparison *comparison, size_t side);
bool shares_operand(const Comparison *comparison, size_t side, TermId id, TermId other);

/* ---- Views -------------------------------------------------------------------------------- */
TermId without_views(const Comparison *comparison, size_t side, TermId id);
/* Where two operands part that are not alike: the views or operators by which they differ; number NO_TERM:
 * all that the operand is made of is made on the other side too. */
typedef struct Fork {
    TermId places[2];
    bool only_taken; /* both sides make both, and take another one */
} Fork;
Fork find_fork(const Comparison *comparison, TermId original, TermId candidate);
/* Of the views that `id` was made by the first that another call made than what is viewed. */
TermId first_view_elsewhere(const Comparison *comparison, size_t side, TermId id);
/* Has the other side the like of it, made of states of the same names? */
bool makes_by_name(const Comparison *comparison, size_t side, TermId id);

#endif
