/* Looking back in the recomposed model: from an argument through plumbing and arithmetic to what gave it. */
#include "flow_edges.h"

#include <string.h>

typedef struct Ids {
    Arena *arena;
    TensorId *items;
    size_t count, capacity;
} Ids;

static void add_id(const char *path, const Value *value, void *context) {
    Ids *ids = context;
    (void)path;
    *(TensorId *)ARENA_PUSH(ids->arena, ids) = value->tensor;
}

static void add_ids(Ids *ids, const Value *value) {
    value_walk_tensors(ids->arena, value, "", add_id, ids);
}

/* In the order of Placement.inputs: positional arguments, then those with a name. */
static Ids inputs_of(Arena *arena, const TraceModuleCall *call) {
    Ids ids = {.arena = arena};
    for (size_t i = 0; value_is_container(&call->args) && i < call->args.list.count; i++)
        add_ids(&ids, &call->args.list.items[i]);
    for (size_t i = 0; call->kwargs.kind == VALUE_DICT && i + 1 < call->kwargs.list.count; i += 2)
        if (call->kwargs.list.items[i].kind == VALUE_STR)
            add_ids(&ids, &call->kwargs.list.items[i + 1]);
    return ids;
}

static TensorFacts facts_of(Arena *arena, const Trace *trace, const Ids *ids, const TensorFacts *named) {
    TensorFacts facts = {0};
    for (size_t i = 0; i < ids->count; i++) {
        const TraceTensor *tensor = &trace->tensors[ids->items[i].number];
        *(TensorFact *)ARENA_PUSH(arena, &facts) =
            (TensorFact){.name = named != NULL && named->count == ids->count ? named->items[i].name : NULL,
                         .dtype = tensor->dtype,
                         .shape = tensor->shape,
                         .rank = tensor->rank};
    }
    return facts;
}

static void add_call(Edges *edges, const Placement *placement, size_t number, bool of_root) {
    const TraceModuleCall *call = &edges->trace->module_calls[number];
    PlacedCall *placed = arena_push(edges->arena, (void *)&edges->calls, &edges->call_count,
                                    &edges->call_capacity, sizeof(PlacedCall));
    Ids inputs = inputs_of(edges->arena, call), outputs = {.arena = edges->arena};
    add_ids(&outputs, &call->output);
    *placed = (PlacedCall){.component = placement->component,
                           .module_call = number,
                           .inputs = facts_of(edges->arena, edges->trace, &inputs, &placement->inputs),
                           .input_ids = inputs.items,
                           .outputs = outputs.items,
                           .output_count = outputs.count,
                           .of_root = of_root};
}

static void take_root(Edges *edges, size_t number) {
    const TraceModuleCall *call = &edges->trace->module_calls[number];
    Ids inputs = inputs_of(edges->arena, call), outputs = {.arena = edges->arena};
    add_ids(&outputs, &call->output);
    edges->root_inputs = inputs.items;
    edges->root_input_count = inputs.count;
    edges->root_outputs = facts_of(edges->arena, edges->trace, &outputs, NULL);
    edges->root_output_ids = outputs.items;
}

static void take_module_calls(Edges *edges, const CompositionResult *composition) {
    const Trace *trace = edges->trace;
    Table *placements = table_new(edges->arena);
    for (size_t i = 0; i < composition->placement_count; i++)
        table_put(placements, composition->placements[i].module, &composition->placements[i]);
    for (size_t i = 0; i < trace->module_call_count; i++) {
        const TraceModuleCall *call = &trace->module_calls[i];
        const Placement *placement = table_get(placements, trace->modules[call->module].path);
        edges->inside[i] = call->parent == NO_NUMBER ? NO_NUMBER : edges->inside[call->parent];
        edges->leaf[i] = call->parent != NO_NUMBER && edges->leaf[call->parent];
        if (call->parent == NO_NUMBER) {
            if (edges->root_output_ids == NULL)
                take_root(edges, i);
            continue;
        }
        if (placement == NULL || edges->leaf[i])
            continue;
        bool of_root = edges->inside[i] == NO_NUMBER;
        add_call(edges, placement, i, of_root);
        edges->leaf[i] = !placement->refactored;
        if (of_root)
            edges->inside[i] = (int64_t)i;
    }
}

static void take_calls(Edges *edges) {
    const Trace *trace = edges->trace;
    size_t writes = 0;
    for (size_t i = trace->forward_start; i < trace->call_count; i++)
        writes += trace->calls[i].written_count;
    edges->writes = ARENA_ARRAY(edges->arena, size_t, writes + 1);
    edges->previous_write = ARENA_ARRAY(edges->arena, size_t, writes + 1);
    for (size_t i = 0; i < trace->tensor_count; i++)
        edges->made_by[i] = SIZE_MAX;
    for (size_t i = 0; i < trace->storage_count; i++)
        edges->last_write[i] = SIZE_MAX;
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        for (size_t g = 0; g < call->give_count; g++)
            if (edges->made_by[call->gives[g].number] == SIZE_MAX)
                edges->made_by[call->gives[g].number] = i;
        for (size_t w = 0; w < call->written_count; w++) {
            size_t *last = &edges->last_write[trace->tensors[call->written[w].number].storage.number];
            edges->writes[edges->write_count] = i;
            edges->previous_write[edges->write_count] = *last;
            *last = edges->write_count++;
        }
    }
}

bool edges_new(Arena *arena, const CompositionResult *composition, Edges *edges) {
    if (!composition->recorded)
        return false;
    const Trace *trace = &composition->trace;
    *edges = (Edges){.arena = arena,
                     .trace = trace,
                     .made_by = ARENA_ARRAY(arena, size_t, trace->tensor_count + 1),
                     .last_write = ARENA_ARRAY(arena, size_t, trace->storage_count + 1),
                     .inside = ARENA_ARRAY(arena, int64_t, trace->module_call_count + 1),
                     .leaf = ARENA_ARRAY(arena, bool, trace->module_call_count + 1),
                     .seen = ARENA_ARRAY(arena, uint32_t, trace->tensor_count + 1),
                     .target = ARENA_ARRAY(arena, uint32_t, trace->tensor_count + 1),
                     .stack = ARENA_ARRAY(arena, TensorId, trace->tensor_count + 1)};
    take_module_calls(edges, composition);
    take_calls(edges);
    return true;
}

static bool ends_way(const Edges *edges, const TraceCall *call, bool in_root) {
    if (call->module_call == NO_NUMBER)
        return false;
    return edges->leaf[call->module_call] || (in_root && edges->inside[call->module_call] != NO_NUMBER);
}

static void push_uses(Edges *edges, size_t number, bool in_root, size_t *depth) {
    const TraceCall *call = &edges->trace->calls[number];
    if (ends_way(edges, call, in_root))
        return;
    for (size_t u = 0; u < call->use_count; u++) {
        TensorId use = call->uses[u];
        if (trace_use_is_metadata(edges->trace, call, u) || edges->seen[use.number] == edges->stamp)
            continue;
        edges->seen[use.number] = edges->stamp;
        edges->stack[(*depth)++] = use;
    }
}

bool edges_reach(Edges *edges, TensorId tensor, size_t before, bool in_root, EdgeVisitor *meets,
                 void *context) {
    size_t depth = 0;
    edges->stamp++;
    edges->seen[tensor.number] = edges->stamp;
    edges->stack[depth++] = tensor;
    while (depth > 0) {
        TensorId next = edges->stack[--depth];
        if (meets(edges, next, context))
            return true;
        if (edges->made_by[next.number] < before)
            push_uses(edges, edges->made_by[next.number], in_root, &depth);
        size_t write = edges->last_write[edges->trace->tensors[next.number].storage.number];
        for (; write != SIZE_MAX; write = edges->previous_write[write])
            if (edges->writes[write] < before)
                push_uses(edges, edges->writes[write], in_root, &depth);
    }
    return false;
}
