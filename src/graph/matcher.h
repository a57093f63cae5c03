/* matcher: one search for a pattern in a graph. What is still to be matched is a list; how deep a search goes
 * is bounded, and how long. */
#ifndef PLUMBLINE_GRAPH_MATCHER_H
#define PLUMBLINE_GRAPH_MATCHER_H

#include "elements.h"

enum {
    MOST_STEPS = 50000,
    MOST_DEPTH = 400, /* calls of solve and split in each other: a bound for the stack */
    MOST_INSIDE = 512,
    MOST_SPLITS = 16,
    MOST_SLOTS = 16,
    MOST_LEAVES = MOST_FACTORS + 1
};

/* What a pattern is held against: elements, or a number. */
typedef struct Ref {
    const Elements *elements; /* NULL: a number */
    double number;            /* NAN: one that can't be read */
    uint32_t term;            /* that shows the elements; UINT32_MAX: none does */
    bool inverse;             /* a factor that divides */
    const Elements *shown;    /* whose shape its operators are to be seen in; NULL: its own */
} Ref;

typedef struct Leaves {
    Ref items[MOST_LEAVES];
    size_t count;
} Leaves;

typedef struct Goal Goal;
struct Goal {
    const Node *node;
    Ref ref;
    const Leaves *leaves; /* of a product: the factors from `item` on are still to be found among them */
    size_t item;
    unsigned taken; /* leaves, as bits */
    const Goal *next;
};

typedef struct Binding {
    bool bound;
    Ref ref;
} Binding;

typedef struct Matcher {
    ElementsOf all;
    const Graph *graph;
    bool kernels_alone; /* fusions are left out */
    uint32_t root;
    size_t steps, depth;
    Binding bindings[MOST_VARIABLES];
    uint32_t inside[MOST_INSIDE];
    size_t inside_count;
} Matcher;

/* All goals of the list; on success bindings and `inside` tell how. */
bool solve(Matcher *matcher, const Goal *goal);
bool may_go_on(Matcher *matcher); /* counts a step */
Ref ref_of(Matcher *matcher, uint32_t term);
/* The views and casts from a term down to the operator that it shows, and that one. */
bool push_chain(Matcher *matcher, const Ref *ref);
/* A tensor that holds one number, which is NAN if it can't be read. */
bool number_of(const Matcher *matcher, const Ref *ref, double *number);
int64_t elements_count(const Elements *elements);
bool bind_number(Matcher *matcher, size_t variable, double number, const Goal *next);

/* ---- By kind of node ---------------------------------------------------------------------- */
bool match_operator(Matcher *matcher, const Node *node, const Ref *ref, const Goal *next);
bool match_product(Matcher *matcher, const Node *node, const Ref *ref, const Goal *next);
/* The factors from goal->item on, among the leaves that aren't taken. */
bool match_factors(Matcher *matcher, const Goal *goal);

#endif
