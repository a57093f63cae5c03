/* Budget: about how much memory it takes to verify a component. */
#include "decomposition.h"

#include <stdio.h>

/* A cell pair beyond its tensors: pages that forks of torch write, code that operators load, our own. */
#define CELL_PAIR_BYTES ((uint64_t)300 << 20)
/* Each side constructs its weights, and there is the copy that both are given; inputs and outputs exist
 * twice, and what lies between them for as long as it is needed. */
enum { WEIGHT_COPIES = 3, VALUE_COPIES = 2, DEEPEST = 64 };

/* ---- Sums and products that stay at the largest number rather than wrap ------------------------- */

static uint64_t plus(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t times(uint64_t a, uint64_t b) {
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static uint64_t dtype_size(const char *name) {
    Dtype dtype;
    char full[64];
    if (name == NULL)
        return sizeof(float);
    snprintf(full, sizeof full, "torch.%s", name);
    return dtype_find(full, &dtype) ? dtype_info(dtype)->size : sizeof(float);
}

static uint64_t tensor_bytes(const Declared *tensor) {
    uint64_t bytes = dtype_size(tensor->dtype);
    for (size_t i = 0; i < tensor->rank; i++)
        bytes = times(bytes, tensor->shape[i] > 0 ? (uint64_t)tensor->shape[i] : 0);
    return bytes;
}

static uint64_t tensors_bytes(const Declared *tensors, size_t count) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes = plus(bytes, tensor_bytes(&tensors[i]));
    return bytes;
}

/* ---- Components --------------------------------------------------------------------------------- */

/* linear_768x3072_fp32 has about 768 * 3072 floats, conv2d_3x64_k3_fp32 3 * 64 * 3 * 3. Kernels without
 * weights have dimensions in their names too; they are small beside what they are applied to. */
static uint64_t kernel_weights(Arena *arena, const Component *component) {
    KernelName name;
    const char *problem;
    if (!kernel_name_parse(arena, component->stem, &name, &problem) || name.group_count == 0)
        return 0;
    uint64_t bytes = sizeof(float);
    for (size_t i = 0; i < name.ranks[0]; i++)
        bytes = times(bytes, name.dims[0][i] > 0 ? (uint64_t)name.dims[0][i] : 1);
    for (size_t i = 0; i < name.extra_count; i++)
        if (name.extras[i].letter == 'k' && name.extras[i].value > 0)
            bytes = times(bytes, times((uint64_t)name.extras[i].value, (uint64_t)name.extras[i].value));
    return bytes;
}

typedef struct Needs {
    bool known;
    uint64_t weights; /* of it and what is below it */
    uint64_t values;  /* inputs and outputs of the largest at or below it */
} Needs;

/* How often a child occurs in its parent, by the instances of both in the whole model. */
static uint64_t occurrences(const Project *project, size_t parent, size_t child) {
    int64_t above = project->nodes[parent].instance_count, below = project->nodes[child].instance_count;
    above = above > 1 ? above : 1;
    return below > above ? (uint64_t)(below / above) : 1;
}

/* A node's needs, each node's once; a tree that meets itself, or is deeper than any is, counts for nothing
 * there. */
static Needs node_needs(Arena *arena, const Project *project, Needs *needs, size_t index, int depth) {
    if (needs[index].known || depth == DEEPEST)
        return needs[index];
    needs[index].known = true;
    const TreeNode *node = &project->nodes[index];
    Needs sum = {.known = true,
                 .values = plus(tensors_bytes(node->inputs, node->input_count),
                                tensors_bytes(node->outputs, node->output_count))};
    if (node->child_count == 0 && node->component != NO_INDEX)
        sum.weights = kernel_weights(arena, &project->components[node->component]);
    for (size_t i = 0; i < node->child_count; i++) {
        if (node->children[i] == NO_INDEX)
            continue;
        Needs below = node_needs(arena, project, needs, node->children[i], depth + 1);
        sum.weights = plus(sum.weights, times(below.weights, occurrences(project, index, node->children[i])));
        sum.values = below.values > sum.values ? below.values : sum.values;
    }
    needs[index] = sum;
    return sum;
}

uint64_t declared_memory(const Project *project, size_t component) {
    if (component >= project->component_count)
        return CELL_PAIR_BYTES;
    size_t node = project->components[component].node;
    Arena *arena = arena_new();
    Needs sum = {0};
    if (node < project->node_count) {
        Needs *needs = ARENA_ARRAY(arena, Needs, project->node_count);
        sum = node_needs(arena, project, needs, node, 0);
    } else {
        sum.weights = kernel_weights(arena, &project->components[component]);
    }
    arena_free(arena);
    return plus(CELL_PAIR_BYTES,
                plus(times(sum.weights, WEIGHT_COPIES), times(sum.values, (uint64_t)2 * VALUE_COPIES)));
}
