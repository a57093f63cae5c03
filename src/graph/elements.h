/* elements: which elements of which term a term shows, seen through views and through casts to floating
 * point. */
#ifndef PLUMBLINE_GRAPH_ELEMENTS_H
#define PLUMBLINE_GRAPH_ELEMENTS_H

#include "layout.h"
#include "patterns_parts.h"

typedef struct Elements {
    uint32_t base; /* no view or cast, but where no map says what it shows */
    IndexMap map;
    bool whole; /* all of the base in order, each as often as its neighbours or repeated whole */
    const int64_t *shape;
    size_t rank;
} Elements;

typedef struct ElementsOf {
    Arena *arena;
    const Graph *graph;
    const Elements **of; /* by term; NULL: not asked yet */
} ElementsOf;

ElementsOf elements_open(Arena *arena, const Graph *graph);
/* Linear in the views passed, once for each term. */
const Elements *elements_of(ElementsOf *all, uint32_t term);
bool elements_equal(const Elements *a, const Elements *b); /* whatever the shapes */
/* What has these elements as that selection of it; NULL if nothing can. */
const Elements *elements_before(ElementsOf *all, const Elements *selected, Selection selection);
/* Is it a write of every other element of its last dimension, from `offset` on? */
bool term_writes_every_other(const Term *term, int64_t offset);
/* Does the term only show the elements of its operand, or cast them to floating point? */
bool term_is_transparent(const Term *term);

#endif
