/* What is being built, for build.c (events) and operate.c (operators). */
#ifndef PLUMBLINE_GRAPH_BUILDER_H
#define PLUMBLINE_GRAPH_BUILDER_H

#include "graph_parts.h"

typedef struct Operands {
    TermId *items;
    size_t count, capacity;
} Operands;

typedef struct Placed { /* a state or input, and its tensor */
    uint32_t tensor;
    uint32_t next; /* the one before it in its storage, or UINT32_MAX */
} Placed;

typedef struct Builder {
    Arena *arena, *scratch; /* the graph's; what is freed when it is built */
    Recording recording;
    Store store;
    Memory memory;
    Graph *graph;
    Operands operands;
    size_t number; /* of the event */
    bool in_forward;
    unsigned forwards; /* the number of the call of forward that has begun, from 1 */
    uint64_t draws;    /* of that call */
    uint64_t initials;
    Table *opaque, *keys, *paths;
    struct {
        Placed *items;
        size_t count, capacity;
    } state_tensors, input_tensors;
    size_t input_capacity, state_capacity, output_capacity, read_capacity, draw_capacity;
} Builder;

/* The store's text, empty: for a label. */
Text *builder_text(Builder *builder);
/* A term of the kind whose label is in the store's text. */
Term builder_draft(const Builder *builder, TermKind kind, const Layout *layout);
void builder_opaque(Builder *builder, const char *name);
/* An "op" event. */
MUST_USE Status builder_operation(Builder *builder, const json_t *event);

#endif
