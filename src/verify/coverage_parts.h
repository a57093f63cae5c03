/* What the files of operator coverage share. */
#ifndef PLUMBLINE_COVERAGE_PARTS_H
#define PLUMBLINE_COVERAGE_PARTS_H

#include "decomposition.h"

/* Who made a call: decides whether it counts. */
typedef enum Owner {
    OWNER_CODE,        /* refactored.py, or a helper of it */
    OWNER_LEAF,        /* a kernel; a child that was given */
    OWNER_UNREFACTORED /* a component above kernel level that no step refactors */
} Owner;

typedef struct Owners { /* by module call */
    Owner *kinds;
    const char **names; /* of the component */
} Owners;

typedef struct Occurrence { /* an operator at a place of one side */
    const char *name;
    bool arithmetic, live;
    Owner owner;
    const char *component; /* that owns it; NULL */
    bool dropped;          /* by settling: part of another, or of no effect */
    const char *weight;    /* the first key of its largest parameter; NULL: none */
    const int64_t *weight_shape;
    size_t weight_rank, group; /* of attention in primitives, + 1; 0: none */
    const Trace *trace;
    size_t call;
    Place place;
} Occurrence;

typedef struct Tally { /* one side */
    Arena *arena;
    Occurrence *items;
    size_t count, capacity;
    size_t group_count;
} Tally;

typedef struct Notes { /* operator -> what was settled, in words */
    Arena *arena;
    Table *table;
} Notes;

/* Adds the operators of one trace. `owners` NULL: all count. */
void tally_add(Tally *tally, const Trace *trace, const Graph *graph, const Patterns *patterns,
               const char *const *files, size_t file_count, const Owners *owners);
/* What counts of an operator. */
size_t tally_count(const Tally *tally, const char *name, Owner owner);

/* Makes both sides' words the same where they do the same in other words: attention, multi-head attention,
 * split and fused weights, results that nothing uses. `weight_map` NULL: shapes decide what was split. */
void coverage_settle(Tally *original, Tally *decomposed, const json_t *weight_map, Notes *notes);

#endif
