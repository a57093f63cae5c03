/* What the tree declares of shapes, dtypes and data flow, against what ran. */
#include "flow_edges.h"

#include <string.h>

#define TREE_FILE "decomposition_tree.json"

typedef struct Checking {
    Arena *arena;
    const Project *project;
    Findings *findings;
    Edges edges;
} Checking;

static Finding *report(const Checking *checking, const char *id, int line, const char *what) {
    return findings_add(checking->findings, project_rule(id), SEVERITY_VIOLATION,
                        (Place){.file = TREE_FILE, .line = line}, "%s", what);
}

/* ---- Shapes in words ------------------------------------------------------------------------------ */

static const char *shape_text(Arena *arena, const int64_t *shape, size_t rank) {
    Text text = text_new(arena);
    text_add(&text, "[");
    for (size_t i = 0; i < rank; i++) {
        text_add(&text, i == 0 ? "" : ", ");
        if (shape[i] < 0)
            text_add(&text, "?");
        else
            text_printf(&text, "%lld", (long long)shape[i]);
    }
    text_add(&text, "]");
    return text.data;
}

static bool same_shape(const Declared *declared, const TensorFact *fact) {
    if (declared->rank != fact->rank)
        return false;
    for (size_t i = 0; i < fact->rank; i++)
        if (declared->shape[i] != fact->shape[i])
            return false;
    return true;
}

static const char *plain_dtype(const char *dtype) {
    return dtype != NULL && text_starts(dtype, "torch.") ? dtype + strlen("torch.") : dtype;
}

static bool same_dtype(const Declared *declared, const TensorFact *fact) {
    return text_equal(plain_dtype(declared->dtype), plain_dtype(fact->dtype));
}

/* ---- Declared inputs and outputs -------------------------------------------------------------------- */

static const char *side_name(bool output) {
    return output ? "output" : "input";
}

static void check_tensor(const Checking *checking, const TreeNode *node, const Declared *declared,
                         const TensorFact *fact, bool output) {
    Arena *arena = checking->arena;
    if (!same_shape(declared, fact))
        report(checking, "flow.shape", node->line,
               arena_printf(arena, "%s: %s '%s' is declared as %s, and is %s", node->id, side_name(output),
                            declared->name, shape_text(arena, declared->shape, declared->rank),
                            shape_text(arena, fact->shape, fact->rank)));
    if (declared->dtype != NULL && !same_dtype(declared, fact)) /* a missing one is the tree's own finding */
        report(checking, "flow.dtype", node->line,
               arena_printf(arena, "%s: %s '%s' is declared as %s, and is %s", node->id, side_name(output),
                            declared->name, plain_dtype(declared->dtype), plain_dtype(fact->dtype)));
}

static const TensorFact *fact_named(const TensorFacts *facts, const char *name) {
    for (size_t i = 0; i < facts->count; i++)
        if (text_equal(facts->items[i].name, name))
            return &facts->items[i];
    return NULL;
}

static void check_inputs(const Checking *checking, const TreeNode *node, const TensorFacts *facts) {
    Arena *arena = checking->arena;
    for (size_t i = 0; i < node->input_count; i++) {
        const Declared *declared = &node->inputs[i];
        const TensorFact *fact = fact_named(facts, declared->name);
        if (fact != NULL)
            check_tensor(checking, node, declared, fact, false);
        else
            report(checking, "flow.shape", node->line,
                   arena_printf(arena,
                                "%s: forward takes no tensor '%s', which the tree declares as an input",
                                node->id, declared->name))
                ->instead = "name it as forward() does, or remove it";
    }
    for (size_t i = 0; i < facts->count; i++) {
        bool declared = false;
        for (size_t k = 0; k < node->input_count; k++)
            declared |= text_equal(node->inputs[k].name, facts->items[i].name);
        if (!declared)
            report(checking, "flow.shape", node->line,
                   arena_printf(arena, "%s: the tree declares no input '%s', which is %s", node->id,
                                facts->items[i].name,
                                shape_text(arena, facts->items[i].shape, facts->items[i].rank)))
                ->instead = "add it to input_shapes and input_dtypes";
    }
}

static void check_outputs(const Checking *checking, const TreeNode *node, const TensorFacts *facts) {
    if (node->output_count != facts->count)
        report(checking, "flow.shape", node->line,
               arena_printf(checking->arena, "%s: the tree declares %zu output%s, forward gives %zu",
                            node->id, node->output_count, node->output_count == 1 ? "" : "s", facts->count))
            ->instead = "list each in output_shapes and output_dtypes";
    for (size_t i = 0; i < node->output_count && i < facts->count; i++)
        check_tensor(checking, node, &node->outputs[i], &facts->items[i], true);
}

/* A component that is used at several places may be declared as at any of them. */
static bool is_declared_so(const TreeNode *node, const Placement *placement) {
    if (node->input_count != placement->inputs.count || node->output_count != placement->outputs.count)
        return false;
    for (size_t i = 0; i < node->input_count; i++) {
        const TensorFact *fact = fact_named(&placement->inputs, node->inputs[i].name);
        if (fact == NULL || !same_shape(&node->inputs[i], fact))
            return false;
    }
    for (size_t i = 0; i < node->output_count; i++)
        if (!same_shape(&node->outputs[i], &placement->outputs.items[i]))
            return false;
    return true;
}

static void check_node(const Checking *checking, const TreeNode *node,
                       const ComponentResult *const *components, const CompositionResult *composition) {
    const TensorFacts *inputs = NULL, *outputs = NULL;
    if (node->component == NO_INDEX)
        return;
    const ComponentResult *component = components == NULL ? NULL : components[node->component];
    if (component != NULL && component->recorded) {
        inputs = &component->inputs;
        outputs = &component->outputs;
    }
    bool settled = inputs != NULL;
    for (size_t i = 0; composition != NULL && !settled && i < composition->placement_count; i++) {
        const Placement *placement = &composition->placements[i];
        if (placement->component != node->component || placement->module_call == SIZE_MAX)
            continue;
        settled = is_declared_so(node, placement);
        if (inputs != NULL && !settled)
            continue;
        inputs = &placement->inputs;
        outputs = &placement->outputs;
    }
    if (inputs == NULL)
        return; /* it didn't run: others say why */
    check_inputs(checking, node, inputs);
    check_outputs(checking, node, outputs);
}

/* ---- Edges -------------------------------------------------------------------------------------------- */

static bool meets_target(const Edges *edges, TensorId tensor, void *context) {
    (void)context;
    return edges->target[tensor.number] == edges->target_stamp;
}

/* Marks what the edge begins with: the root's inputs, or all that the component gives; both where a component
 * has the id "input". */
static void mark_targets(Edges *edges, const FlowEdge *edge, size_t component) {
    edges->target_stamp++;
    for (size_t i = 0; text_equal(edge->from, "input") && i < edges->root_input_count; i++)
        edges->target[edges->root_inputs[i].number] = edges->target_stamp;
    for (size_t i = 0; component != NO_INDEX && i < edges->call_count; i++)
        for (size_t k = 0; edges->calls[i].component == component && k < edges->calls[i].output_count; k++)
            edges->target[edges->calls[i].outputs[k].number] = edges->target_stamp;
}

/* How near an edge came to being true. */
typedef enum Nearness { NO_ARGUMENT, NO_FLOW, OTHER_TENSOR, TRUE_EDGE } Nearness;

typedef struct Attempt {
    Nearness nearness;
    const TensorFact *fact; /* OTHER_TENSOR */
} Attempt;

static void try_tensor(Edges *edges, const FlowEdge *edge, const TensorFact *fact, TensorId id, size_t before,
                       Attempt *attempt) {
    if (attempt->nearness == NO_ARGUMENT)
        attempt->nearness = NO_FLOW;
    if (!edges_reach(edges, id, before, false, meets_target, NULL))
        return;
    bool same =
        same_shape(&edge->tensor, fact) && (edge->tensor.dtype == NULL || same_dtype(&edge->tensor, fact));
    if (same)
        attempt->nearness = TRUE_EDGE;
    else if (attempt->nearness < OTHER_TENSOR)
        *attempt = (Attempt){OTHER_TENSOR, fact};
}

/* The output with this name, as the root's node names them; any where the names are not the node's. */
static bool is_output(const Checking *checking, const char *name, size_t number) {
    const Project *project = checking->project;
    const TreeNode *root = project->root_node == NO_INDEX ? NULL : &project->nodes[project->root_node];
    for (size_t i = 0; root != NULL && i < root->output_count; i++)
        if (text_equal(root->outputs[i].name, name))
            return i == number;
    return true;
}

static Attempt try_edge(Checking *checking, const FlowEdge *edge, size_t from, size_t to) {
    Edges *edges = &checking->edges;
    Attempt attempt = {NO_ARGUMENT, NULL};
    mark_targets(edges, edge, from);
    const bool to_output = text_equal(edge->to, "output");
    for (size_t i = 0; to_output && i < edges->root_outputs.count; i++)
        if (is_output(checking, edge->tensor.name, i))
            try_tensor(edges, edge, &edges->root_outputs.items[i], edges->root_output_ids[i], SIZE_MAX - 1,
                       &attempt);
    /* A component may have the id "output" too: then either is meant. */
    for (size_t i = 0; to != NO_INDEX && i < edges->call_count && attempt.nearness != TRUE_EDGE; i++) {
        const PlacedCall *call = &edges->calls[i];
        for (size_t k = 0; call->component == to && k < call->inputs.count; k++)
            if (text_equal(call->inputs.items[k].name, edge->tensor.name))
                try_tensor(edges, edge, &call->inputs.items[k], call->input_ids[k],
                           edges->trace->module_calls[call->module_call].first, &attempt);
    }
    return attempt;
}

static size_t component_of(const Project *project, size_t node) {
    return node == NO_INDEX ? NO_INDEX : project->nodes[node].component;
}

static void check_edge(Checking *checking, const FlowEdge *edge) {
    const Project *project = checking->project;
    Arena *arena = checking->arena;
    size_t from = component_of(project, edge->from_node), to = component_of(project, edge->to_node);
    bool has_from = text_equal(edge->from, "input") || from != NO_INDEX,
         has_to = text_equal(edge->to, "output") || to != NO_INDEX;
    if (!has_from || !has_to)
        return; /* the tree's own finding */
    const char *name = arena_printf(arena, "%s → %s (%s)", edge->from, edge->to, edge->tensor.name);
    Attempt attempt = try_edge(checking, edge, from, to);
    switch (attempt.nearness) {
    case TRUE_EDGE: return;
    case NO_ARGUMENT:
        report(checking, "flow.edge", 0,
               arena_printf(arena, "%s: %s takes no tensor '%s' in the recomposed model", name, edge->to,
                            edge->tensor.name));
        return;
    case NO_FLOW:
        report(checking, "flow.edge", 0,
               arena_printf(arena, "%s: nothing that %s gives reaches %s there", name, edge->from, edge->to));
        return;
    case OTHER_TENSOR:
        report(checking, "flow.edge", 0,
               arena_printf(arena, "%s: declared as %s %s, and %s %s flows there", name,
                            plain_dtype(edge->tensor.dtype == NULL ? "" : edge->tensor.dtype),
                            shape_text(arena, edge->tensor.shape, edge->tensor.rank),
                            plain_dtype(attempt.fact->dtype),
                            shape_text(arena, attempt.fact->shape, attempt.fact->rank)));
        return;
    }
}

/* ---- Missing edges --------------------------------------------------------------------------------------
 */

typedef struct Gathering { /* who gives what reaches one argument of a root's child */
    Checking *checking;
    const PlacedCall *to;
    const TensorFact *fact;
    const size_t *given_by; /* by tensor: the root's child that gave it, + 1 */
} Gathering;

static bool is_listed(const Project *project, size_t from, size_t to) {
    for (size_t i = 0; i < project->edge_count; i++)
        if (component_of(project, project->edges[i].from_node) == from &&
            component_of(project, project->edges[i].to_node) == to)
            return true;
    return false;
}

static const char *component_name(const Project *project, size_t component) {
    size_t node = project->components[component].node;
    return node == NO_INDEX ? project->components[component].stem : project->nodes[node].id;
}

/* Never stops the search, but does not look behind what a child gave: edges_reach ends there. */
static bool gather(const Edges *edges, TensorId tensor, void *context) {
    const Gathering *gathering = context;
    size_t giver = gathering->given_by[tensor.number];
    if (giver == 0)
        return false;
    const Project *project = gathering->checking->project;
    size_t from = edges->calls[giver - 1].component;
    if (&edges->calls[giver - 1] != gathering->to && !is_listed(project, from, gathering->to->component))
        report(gathering->checking, "flow.missing-edge", 0,
               arena_printf(edges->arena, "%s → %s (%s, %s %s) is not listed in data_flow",
                            component_name(project, from), component_name(project, gathering->to->component),
                            gathering->fact->name == NULL ? "" : gathering->fact->name,
                            plain_dtype(gathering->fact->dtype),
                            shape_text(edges->arena, gathering->fact->shape, gathering->fact->rank)));
    return false;
}

static void check_missing(Checking *checking) {
    Edges *edges = &checking->edges;
    size_t *given_by = ARENA_ARRAY(checking->arena, size_t, edges->trace->tensor_count + 1);
    for (size_t i = 0; i < edges->call_count; i++) {
        const PlacedCall *call = &edges->calls[i];
        if (!call->of_root)
            continue;
        for (size_t k = 0; k < call->inputs.count; k++) {
            Gathering gathering = {checking, call, &call->inputs.items[k], given_by};
            edges_reach(edges, call->input_ids[k], edges->trace->module_calls[call->module_call].first, true,
                        gather, &gathering);
        }
        for (size_t k = 0; k < call->output_count; k++)
            given_by[call->outputs[k].number] = i + 1;
    }
}

void flow_check(Arena *arena, const Project *project, const ComponentResult *const *components,
                const CompositionResult *composition, Findings *findings) {
    Checking checking = {.arena = arena, .project = project, .findings = findings};
    for (size_t i = 0; i < project->node_count; i++)
        check_node(&checking, &project->nodes[i], components, composition);
    if (composition == NULL || !edges_new(arena, composition, &checking.edges))
        return;
    for (size_t i = 0; i < project->edge_count; i++)
        check_edge(&checking, &project->edges[i]);
    check_missing(&checking);
}
