/* What the files of departure share: one run as a graph of the values that its calls gave. */
#ifndef PLUMBLINE_DEPARTURE_PARTS_H
#define PLUMBLINE_DEPARTURE_PARTS_H

#include "departure.h"

enum { NO_NODE = SIZE_MAX };

/* One value: what a call gave or wrote, or an input of forward. */
typedef struct ValueNode {
    size_t call; /* SIZE_MAX: an input */
    TensorId tensor;
    const TensorView *view; /* NULL: not kept */
    Sketch sketch;
    const size_t *sources; /* nodes that it was computed from; earlier ones */
    size_t source_count;
    size_t base;    /* itself, or what it only moves and agrees with nothing */
    size_t partner; /* the other side's node that it agrees with, or NO_NODE */
    bool moves;     /* its call gives what it is given in other places, or constants */
    bool departs;   /* it agrees with none, and so does all from it to an output that departs */
    bool follows;   /* it was computed from one that departs */
} ValueNode;

typedef struct ValueGraph {
    const Trace *trace;
    ValueNode *nodes; /* in order of time, inputs first */
    size_t count;
    size_t *latest;  /* by tensor: the last node that gave it, or NO_NODE */
    size_t *written; /* by storage: the last node that wrote to it, or NO_NODE */
} ValueGraph;

ValueGraph value_graph(Arena *arena, const RunValues *run);
/* Finds the partner of each node of `graph` among those of `other`, and its base. */
void value_graph_match(Arena *arena, ValueGraph *graph, const ValueGraph *other, const DepartureRules *rules);
/* Marks what departs, from these outputs backwards, and what follows from that. */
void value_graph_mark(ValueGraph *graph, const TensorId *outputs, size_t output_count);
/* Does it depart by itself? What only moves values, or was not kept, passes on what it is made of. */
bool value_node_departs(const ValueNode *node);

#endif
