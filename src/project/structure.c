/* The tree and the steps against each other and against the levels: cycles, order, leaves, what is unused. */
#include "project_parts.h"

#include <string.h>

static int line_at(Reading *reading, const TreeNode *node, const char *key) {
    return line_of(reading->lines, reading->arena, "nodes", node->key, key, NULL);
}

/* ---- Cycles: one depth-first walk, without recursion ---- */

typedef struct Walk {
    Reading *reading;
    size_t count;
    Indices *below; /* of each vertex */
    size_t *next, *stack;
    uint8_t *colour; /* 0 not met, 1 on the stack, 2 done */
    void (*found)(Reading *reading, size_t from, size_t to);
} Walk;

static void walk_from(Walk *walk, size_t start) {
    size_t depth = 0;
    if (walk->colour[start] != 0)
        return;
    walk->stack[depth++] = start;
    walk->colour[start] = 1;
    while (depth > 0) {
        size_t at = walk->stack[depth - 1];
        if (walk->next[at] == walk->below[at].count) {
            walk->colour[at] = 2;
            depth--;
            continue;
        }
        size_t child = walk->below[at].items[walk->next[at]++];
        if (walk->colour[child] == 1)
            walk->found(walk->reading, at, child);
        if (walk->colour[child] != 0)
            continue;
        walk->colour[child] = 1;
        walk->stack[depth++] = child;
    }
}

/* From `root` first, so that what is reported is the edge that leads back. */
static void find_cycles(Reading *reading, size_t count, size_t root, Indices *below,
                        void (*found)(Reading *reading, size_t from, size_t to)) {
    Walk walk = {.reading = reading,
                 .count = count,
                 .below = below,
                 .next = ARENA_ARRAY(reading->arena, size_t, count + 1),
                 .stack = ARENA_ARRAY(reading->arena, size_t, count + 1),
                 .colour = ARENA_ARRAY(reading->arena, uint8_t, count + 1),
                 .found = found};
    if (root != NO_INDEX)
        walk_from(&walk, root);
    for (size_t i = 0; i < count; i++)
        walk_from(&walk, i);
}

static void tree_cycle(Reading *reading, size_t from, size_t to) {
    const TreeNode *nodes = reading->project->nodes;
    project_finding(
        reading, &RULE_tree_cycle, SEVERITY_VIOLATION, TREE_FILE, line_at(reading, &nodes[from], "children"),
        "'%s' has the child '%s', which contains '%s'", nodes[from].key, nodes[to].key, nodes[from].key);
}

static void step_cycle(Reading *reading, size_t from, size_t to) {
    const Component *components = reading->project->components;
    const ProjectStep *step = &reading->project->steps[components[from].step];
    project_finding(reading, &RULE_tree_cycle, SEVERITY_VIOLATION,
                    arena_printf(reading->arena, "steps/%s/refactored.py", step->name), 0,
                    "it calls %s, whose own steps lead back to %s", components[to].source.name,
                    components[from].source.name);
}

static Indices *tree_edges(Reading *reading) {
    const Project *project = reading->project;
    Indices *below = ARENA_ARRAY(reading->arena, Indices, project->node_count + 1);
    for (size_t i = 0; i < project->node_count; i++)
        for (size_t j = 0; j < project->nodes[i].child_count; j++)
            if (project->nodes[i].children[j] != NO_INDEX)
                *(size_t *)ARENA_PUSH(reading->arena, &below[i]) = project->nodes[i].children[j];
    return below;
}

static Indices *step_edges(Reading *reading) {
    const Project *project = reading->project;
    Indices *below = ARENA_ARRAY(reading->arena, Indices, project->component_count + 1);
    for (size_t i = 0; i < project->component_count; i++)
        if (project->components[i].step != NO_INDEX)
            below[i] = step_children(reading, &project->steps[project->components[i].step]);
    return below;
}

/* ---- Levels ---- */

static void check_level(Reading *reading, const TreeNode *node) {
    if (node->component == NO_INDEX || !node->has_level)
        return;
    const Component *component = &reading->project->components[node->component];
    if (component->level != node->level)
        project_finding(reading, &RULE_level_name, SEVERITY_VIOLATION, TREE_FILE,
                        line_at(reading, node, "level"), "'%s' is said to be a %s and lies in %s", node->key,
                        level_name(node->level), level_folder(component->level));
}

static void check_order(Reading *reading, const TreeNode *node, const Indices *below) {
    for (size_t i = 0; i < below->count; i++) {
        const TreeNode *child = &reading->project->nodes[below->items[i]];
        if (node->has_level && child->has_level && child->level >= node->level)
            project_finding(reading, &RULE_level_order, SEVERITY_VIOLATION, TREE_FILE,
                            line_at(reading, node, "children"), "'%s', a %s, has the child '%s', a %s",
                            node->key, level_name(node->level), child->key, level_name(child->level));
    }
}

static void check_step_order(Reading *reading, size_t parent, const Indices *below) {
    const Component *components = reading->project->components, *above = &components[parent];
    for (size_t i = 0; i < below->count; i++) {
        const Component *child = &components[below->items[i]];
        if (child->level >= above->level)
            project_finding(reading, &RULE_level_order, SEVERITY_VIOLATION,
                            arena_printf(reading->arena, "steps/%s/refactored.py",
                                         reading->project->steps[above->step].name),
                            0, "%s, a %s, is made of %s, a %s", above->source.name, level_name(above->level),
                            child->source.name, level_name(child->level));
    }
}

/* A component that no step refactors is said to be not yet decomposed: that is enough. */
static void check_leaf(Reading *reading, const TreeNode *node) {
    const bool pending =
        node->component != NO_INDEX && reading->project->components[node->component].step == NO_INDEX;
    if (node->child_count == 0 && node->has_level && node->level != LEVEL_KERNEL && !pending)
        project_finding(reading, &RULE_level_leaf, SEVERITY_VIOLATION, TREE_FILE,
                        line_at(reading, node, "children"), "'%s', a %s, has no children", node->key,
                        level_name(node->level));
}

/* ---- Nodes, files and steps ---- */

static void find_root(Reading *reading) {
    Project *project = reading->project;
    for (size_t i = 0; i < project->node_count; i++) {
        const TreeNode *node = &project->nodes[i];
        if (!node->has_level || node->level != LEVEL_MODEL)
            continue;
        if (project->root_node == NO_INDEX)
            project->root_node = i;
        else
            project_finding(reading, &RULE_tree_root, SEVERITY_VIOLATION, TREE_FILE, node->line,
                            "'%s' and '%s' are both of level model", project->nodes[project->root_node].key,
                            node->key);
    }
    if (reading->tree_read && project->root_node == NO_INDEX)
        project_finding(reading, &RULE_tree_root, SEVERITY_VIOLATION, TREE_FILE,
                        line_of(reading->lines, reading->arena, "nodes", NULL), "no node is of level model");
    if (project->root_node != NO_INDEX)
        project->root_component = project->nodes[project->root_node].component;
    if (project->root_component == NO_INDEX && project->component_count > 0 &&
        project->components[0].level == LEVEL_MODEL)
        project->root_component = 0;
    size_t models = 0;
    while (models < project->component_count && project->components[models].level == LEVEL_MODEL)
        models++;
    if (models == 0)
        project_finding(reading, &RULE_tree_root, SEVERITY_VIOLATION, level_folder(LEVEL_MODEL), 0,
                        "there is no file in it");
    for (size_t i = 0; models > 1 && i < models; i++)
        if (i != project->root_component)
            project_finding(reading, &RULE_tree_root, SEVERITY_VIOLATION, project->components[i].source.name,
                            0,
                            "there are %zu files in "
                            "level_3_model"
                            "; the root is one",
                            models);
}

static void check_files(Reading *reading) {
    const Project *project = reading->project;
    for (size_t i = 0; i < project->component_count; i++)
        if (project->components[i].node == NO_INDEX)
            project_finding(reading, &RULE_tree_missing_node, SEVERITY_VIOLATION,
                            project->components[i].source.name, 0, "no node of " TREE_FILE " has this path");
}

static void check_unused(Reading *reading, const Indices *below) {
    const Project *project = reading->project;
    bool *listed = ARENA_ARRAY(reading->arena, bool, project->node_count + 1);
    for (size_t i = 0; i < project->node_count; i++)
        for (size_t j = 0; j < below[i].count; j++)
            listed[below[i].items[j]] |= below[i].items[j] != i;
    for (size_t i = 0; i < project->node_count; i++) {
        const TreeNode *node = &project->nodes[i];
        bool used = listed[i] || (node->component != NO_INDEX && reading->used[node->component]);
        if (!used && i != project->root_node && !(node->has_level && node->level == LEVEL_MODEL))
            project_finding(reading, &RULE_tree_unused, SEVERITY_VIOLATION, TREE_FILE, node->line,
                            "'%s' is no child of any component", node->key);
    }
}

/* What the tree lists as a component's children, and what its step calls. `mark` has a number for each
 * component that is this one's. */
static void compare_children(Reading *reading, size_t index, const Indices *called, size_t *mark) {
    const Project *project = reading->project;
    const Component *component = &project->components[index];
    const TreeNode *node = &project->nodes[component->node];
    int line = line_at(reading, node, "children");
    const size_t listed = 2 * index + 1, both = 2 * index + 2;
    for (size_t i = 0; i < node->child_count; i++) {
        size_t child = node->children[i] == NO_INDEX ? NO_INDEX : project->nodes[node->children[i]].component;
        if (child != NO_INDEX)
            mark[child] = listed;
    }
    for (size_t i = 0; i < called->count; i++) {
        size_t child = called->items[i];
        if (mark[child] != listed && mark[child] != both)
            project_finding(reading, &RULE_tree_children, SEVERITY_VIOLATION, TREE_FILE, line,
                            "steps/%s calls %s, which '%s' does not list",
                            project->steps[component->step].name, project->components[child].source.name,
                            node->key);
        else
            mark[child] = both;
    }
    for (size_t i = 0; i < node->child_count; i++) {
        size_t child = node->children[i] == NO_INDEX ? NO_INDEX : project->nodes[node->children[i]].component;
        if (child != NO_INDEX && mark[child] == listed)
            project_finding(reading, &RULE_tree_children, SEVERITY_VIOLATION, TREE_FILE, line,
                            "'%s' lists '%s', which steps/%s does not call", node->key, node->child_ids[i],
                            project->steps[component->step].name);
    }
}

void structure_check(Reading *reading) {
    const Project *project = reading->project;
    Indices *in_tree = tree_edges(reading), *in_steps = step_edges(reading);
    size_t *mark = ARENA_ARRAY(reading->arena, size_t, project->component_count + 1);
    find_root(reading);
    find_cycles(reading, project->node_count, project->root_node, in_tree, tree_cycle);
    find_cycles(reading, project->component_count, project->root_component, in_steps, step_cycle);
    for (size_t i = 0; i < project->node_count; i++) {
        check_level(reading, &project->nodes[i]);
        check_order(reading, &project->nodes[i], &in_tree[i]);
        check_leaf(reading, &project->nodes[i]);
    }
    if (reading->tree_read) {
        check_files(reading);
        check_unused(reading, in_tree);
    }
    for (size_t i = 0; i < project->component_count; i++) {
        const Component *component = &project->components[i];
        if (component->step == NO_INDEX)
            continue;
        check_step_order(reading, i, &in_steps[i]);
        if (component->node != NO_INDEX && project->steps[component->step].program.count > 0)
            compare_children(reading, i, &in_steps[i], mark);
    }
}
