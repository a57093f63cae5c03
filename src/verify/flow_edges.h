/* flow_edges: does a value flow from one component of the recomposed model to another? */
#ifndef PLUMBLINE_FLOW_EDGES_H
#define PLUMBLINE_FLOW_EDGES_H

#include "decomposition.h"

typedef struct PlacedCall { /* a call of a component */
    size_t component, module_call;
    TensorFacts inputs;
    TensorId *input_ids; /* as many as inputs */
    TensorId *outputs;
    size_t output_count;
    bool of_root; /* made by the root's own refactored.py */
} PlacedCall;

typedef struct Edges { /* the recomposed model's trace, made ready for looking back */
    Arena *arena;
    const Trace *trace;
    PlacedCall *calls;
    size_t call_count, call_capacity;
    TensorFacts root_outputs;
    TensorId *root_output_ids, *root_inputs;
    size_t root_input_count;
    size_t *made_by;        /* by tensor: the call of forward that gave it first; SIZE_MAX */
    size_t *last_write;     /* by storage: the latest write, SIZE_MAX; the one before it: previous_write */
    size_t *previous_write; /* by index in `writes` */
    size_t *writes;         /* the calls */
    size_t write_count;
    int64_t *inside;                /* by module call: the call of a root's child around it; NO_NUMBER */
    bool *leaf;                     /* by module call: inside a component that is not refactored */
    uint32_t *seen, stamp;          /* by tensor */
    uint32_t *target, target_stamp; /* by tensor */
    TensorId *stack;
} Edges;

/* False if the recomposed model was not recorded. */
bool edges_new(Arena *arena, const CompositionResult *composition, Edges *edges);
/* Looks back from `tensor`, as it was before call `before`, through the code of refactored.py files, until
 * `meets` says true of a tensor. Leaves end the way; with `in_root`, so do the root's children. */
typedef bool EdgeVisitor(const Edges *edges, TensorId tensor, void *context);
bool edges_reach(Edges *edges, TensorId tensor, size_t before, bool in_root, EdgeVisitor *meets,
                 void *context);

#endif
