/* What the files of unification share and the door doesn't show. */
#ifndef PLUMBLINE_UNIFY_PARTS_H
#define PLUMBLINE_UNIFY_PARTS_H

#include "graph.h"

enum { NO_TERM = UINT32_MAX };

static inline const Term *term_at(const Graph *graph, TermId id) {
    return &graph->terms[id.number];
}

/* ---- Colours ------------------------------------------------------------------------------
 * What is told of each term before any pair is compared. Classes are exact and one numbering serves both
 * graphs; colours are hashes, which choose an order of trying and prove nothing. */
typedef struct Side {
    const Graph *graph;
    bool *live;           /* an output, a read or final state depends on it */
    uint32_t *structural; /* class: the term with its states told apart by label only, known values by their
                             bytes; terms of no known value have a class of their own */
    uint32_t *known;      /* class of KNOWN terms: the term and no more; 0 for others */
    uint64_t *refined;    /* colour: the term, and all that is made of its states */
    uint64_t *named;      /* colour: the term with the keys of its states */
    uint64_t *endings;    /* colour: likewise, with the last two names of each key */
    TermId *roots;
    size_t root_count;
} Side;

/* Returns how many structural classes there are, or rather the end of their numbers. */
size_t colour_sides(Arena *arena, Side *original, Side *candidate, const BindingRules *rules);
bool same_content(const Term *a, const Term *b); /* both known by their bytes, and equal in dtype and shape */

/* ---- Where a search stopped --------------------------------------------------------------- */
typedef enum PartingReason {
    PARTING_NONE,
    PARTING_TERM,      /* other labels or operands */
    PARTING_ORIGIN,    /* one has no known value */
    PARTING_TAKEN,     /* the candidate's stands for `other` of the original */
    PARTING_BOUND,     /* for the original's state stands `other` of the candidate */
    PARTING_MAP,       /* the explicit map says otherwise */
    PARTING_CROSSED,   /* both sides have the key of one of them, and it is not the other's */
    PARTING_WRITTEN,   /* only the original writes the state */
    PARTING_OVERWRITES /* only the candidate writes the state */
} PartingReason;

typedef struct Parting {
    PartingReason reason;
    TermId original, candidate;           /* number NO_TERM: none */
    TermId original_user, candidate_user; /* the terms that take them */
    TermId other;
    size_t progress; /* pairs matched before */
} Parting;

/* Where the two part nearest the inputs. */
Difference first_difference(Arena *arena, const Side *original, const Side *candidate, size_t class_count,
                            const Parting *parting);

/* ---- Structure ----------------------------------------------------------------------------
 * Outputs, inputs, reads and draws but for the terms themselves. NULL, or a sentence. */
/* Whether both return and leave the same containers, by position and key; then `*ordered` is the candidate
 * with its outputs in the original's order, or the candidate itself. */
const char *results_pair(Arena *arena, const Graph *original, const Graph *candidate, const Graph **ordered);
const char *unlike_outputs(Arena *arena, const Graph *original, const Graph *candidate);
const char *unlike_effects(Arena *arena, const Graph *original, const Graph *candidate, size_t *original_call,
                           size_t *candidate_call);
/* `stands[s]` is the original state for which the candidate's state s stands, or SIZE_MAX. */
const char *unlike_sharing(Arena *arena, const Graph *original, const Graph *candidate, const size_t *stands);
const GraphInput *input_at(const Graph *graph, const char *path); /* NULL if absent */

/* ---- Words -------------------------------------------------------------------------------- */
/* term_describe, and what it leaves out as usual is said where `like`, the same operator, has it otherwise.
 */
const char *term_describe_beside(Arena *arena, const Graph *graph, TermId term, const Term *like);
const char *term_module_words(Arena *arena, const Graph *graph, TermId term); /* " in blocks.3.mlp", or "" */
const char *term_form_words(Arena *arena, const Term *term);                  /* "float32 [2, 3]" */
Difference difference_of_structure(const char *what, size_t original_call, size_t candidate_call);

/* ---- What a proof claims --------------------------------------------------------------------- */

typedef struct Equal { /* two known terms that were accepted by their bytes */
    TermId original, candidate;
} Equal;

typedef struct Match { /* how one graph is the other */
    const Graph *original, *candidate;
    const uint32_t *terms; /* candidate term -> original term, or NO_TERM */
    const Equal *equals;
    size_t equal_count;
    bool reordered; /* the candidate gives its outputs in another order, by key */
} Match;
/* Fills result->narrowed. */
void narrow_claim(Arena *arena, const Match *match, Unification *result);

#endif
