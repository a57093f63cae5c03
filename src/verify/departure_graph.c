/* One run's values: what each was computed from, and which of them depart. */
#include "departure_parts.h"
#include "policy.h"

#include <string.h>

enum { MOST_LINKS = 1 << 20 }; /* of one call: what it was made on, times what it gave */

typedef struct Builder {
    Arena *arena;
    ValueGraph *graph;
    const KeptValue *kept, *kept_end; /* those of the calls that are still to come */
    bool *moves;                      /* by operator */
    struct {
        ValueNode *items;
        size_t count, capacity;
    } nodes;
} Builder;

static bool only_moves(Arena *arena, const char *operator) {
    switch (operator_class(operator)) {
    case OPERATOR_VIEW:
    case OPERATOR_ASSEMBLY:
    case OPERATOR_CAST:
    case OPERATOR_CREATION: return true;
    default: return strcmp(operator_canonical(arena, operator), "clone") == 0;
    }
}

static ValueNode *add_node(Builder *builder, ValueNode node) {
    node.base = builder->nodes.count;
    node.partner = NO_NODE;
    ValueNode *added = ARENA_PUSH(builder->arena, &builder->nodes);
    *added = node;
    return added;
}

static void add_inputs(Builder *builder) {
    const Trace *trace = builder->graph->trace;
    for (size_t t = 0; t < trace->tensor_count; t++)
        if (trace->tensors[t].origin == ORIGIN_INPUT) {
            builder->graph->latest[t] = builder->nodes.count;
            add_node(builder, (ValueNode){.call = SIZE_MAX, .tensor = {(uint32_t)t}});
        }
}

/* What a tensor holds now: what gave it, and what has since written to its memory. */
static size_t *list_holders(const ValueGraph *graph, TensorId tensor, size_t *at) {
    const size_t given = graph->latest[tensor.number];
    const size_t written = graph->written[graph->trace->tensors[tensor.number].storage.number];
    if (given != NO_NODE)
        *at++ = given;
    if (written != NO_NODE && (given == NO_NODE || written > given))
        *at++ = written;
    return at;
}

static const size_t *list_sources(const Builder *builder, const TraceCall *call, size_t *count) {
    size_t *sources = ARENA_ARRAY(builder->arena, size_t, 2 * call->use_count + 1), *end = sources;
    for (size_t u = 0; u < call->use_count; u++)
        if (!trace_use_is_metadata(builder->graph->trace, call, u))
            end = list_holders(builder->graph, call->uses[u], end);
    const size_t most = MOST_LINKS / (call->give_count + call->written_count + 1) + 1;
    *count = (size_t)(end - sources) < most ? (size_t)(end - sources) : most;
    return sources;
}

/* A view: it writes nothing, and what it gives lies in the memory of what it is given. */
static bool gives_a_view(const Trace *trace, const TraceCall *call) {
    if (call->written_count > 0 || call->give_count == 0 || call->use_count == 0)
        return false;
    return trace->tensors[call->gives[0].number].storage.number ==
           trace->tensors[call->uses[0].number].storage.number;
}

static const TensorView *kept_view(const Builder *builder, size_t call, TensorId tensor) {
    for (const KeptValue *kept = builder->kept; kept < builder->kept_end && kept->call == call; kept++)
        if (kept->tensor.number == tensor.number)
            return &kept->view;
    return NULL;
}

static void add_given(Builder *builder, size_t number, const ValueNode *like, TensorId tensor) {
    ValueGraph *graph = builder->graph;
    ValueNode node = *like;
    node.tensor = tensor;
    node.view = kept_view(builder, number, tensor);
    if (node.view != NULL)
        node.sketch = tensor_sketch(node.view);
    const size_t at = builder->nodes.count;
    add_node(builder, node);
    if (trace_call_writes(&graph->trace->calls[number], tensor))
        graph->written[graph->trace->tensors[tensor.number].storage.number] = at;
    graph->latest[tensor.number] = at;
}

static void add_call(Builder *builder, size_t number) {
    const Trace *trace = builder->graph->trace;
    const TraceCall *call = &trace->calls[number];
    ValueNode node = {.call = number,
                      .moves = builder->moves[call->operator_number] || gives_a_view(trace, call)};
    node.sources = list_sources(builder, call, &node.source_count);
    const size_t first = builder->nodes.count, *latest = builder->graph->latest;
    for (size_t g = 0; g < call->give_count && g < KEPT_MOST_OF_A_CALL; g++)
        add_given(builder, number, &node, call->gives[g]);
    for (size_t g = KEPT_MOST_OF_A_CALL; g < call->give_count; g++) /* one node stands for the rest */
        builder->graph->latest[call->gives[g].number] = builder->nodes.count - 1;
    for (size_t w = 0; w < call->written_count && w < KEPT_MOST_OF_A_CALL; w++)
        if (latest[call->written[w].number] == NO_NODE || latest[call->written[w].number] < first)
            add_given(builder, number, &node, call->written[w]);
    while (builder->kept < builder->kept_end && builder->kept->call == number)
        builder->kept++;
}

static size_t *no_nodes(Arena *arena, size_t count) {
    size_t *numbers = ARENA_ARRAY(arena, size_t, count + 1);
    for (size_t i = 0; i < count; i++)
        numbers[i] = NO_NODE;
    return numbers;
}

ValueGraph value_graph(Arena *arena, const RunValues *run) {
    const Trace *trace = run->trace;
    ValueGraph graph = {.trace = trace,
                        .latest = no_nodes(arena, trace->tensor_count),
                        .written = no_nodes(arena, trace->storage_count)};
    Builder builder = {.arena = arena,
                       .graph = &graph,
                       .kept = run->kept.items,
                       .kept_end = run->kept.items + run->kept.count,
                       .moves = ARENA_ARRAY(arena, bool, trace->operator_count + 1)};
    for (size_t i = 0; i < trace->operator_count; i++)
        builder.moves[i] = only_moves(arena, trace->operators[i]);
    add_inputs(&builder);
    for (size_t i = trace->forward_start; i < trace->call_count; i++)
        add_call(&builder, i);
    graph.nodes = builder.nodes.items;
    graph.count = builder.nodes.count;
    return graph;
}

bool value_node_departs(const ValueNode *node) {
    return node->departs && node->view != NULL && !node->moves;
}

static void mark_following(ValueGraph *graph) {
    for (size_t i = 0; i < graph->count; i++) {
        ValueNode *node = &graph->nodes[i];
        for (size_t s = 0; s < node->source_count && !node->follows; s++) {
            const ValueNode *source = &graph->nodes[node->sources[s]];
            node->follows = source->partner == NO_NODE && (value_node_departs(source) || source->follows);
        }
    }
}

void value_graph_mark(ValueGraph *graph, const TensorId *outputs, size_t output_count) {
    for (size_t i = 0; i < output_count; i++) {
        size_t holders[2];
        const size_t *end = list_holders(graph, outputs[i], holders);
        for (const size_t *at = holders; at < end; at++)
            graph->nodes[*at].departs = true;
    }
    for (size_t i = graph->count; i-- > 0;) {
        ValueNode *node = &graph->nodes[i];
        node->departs = node->departs && node->partner == NO_NODE;
        for (size_t s = 0; node->departs && s < node->source_count; s++)
            graph->nodes[node->sources[s]].departs = true;
    }
    mark_following(graph);
}
