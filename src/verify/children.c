/* The children that the tree lists, against those that are built in the recomposed model. */
#include "check_parts.h"

#include <string.h>

/* The component whose refactored code built what stands at `module`: the nearest above. */
static size_t builder_of(Arena *arena, const Project *project, const Table *places, const char *module) {
    char *path = arena_strdup(arena, module);
    for (char *dot; (dot = strrchr(path, '.')) != NULL;) {
        *dot = '\0';
        const Placement *above = table_get(places, path);
        if (above != NULL)
            return above->component;
    }
    return project->root_component;
}

static const char *pair(Arena *arena, size_t builder, size_t child) {
    return arena_printf(arena, "%zu %zu", builder, child);
}

static Table *built_pairs(Arena *arena, const Project *project, const CompositionResult *composition) {
    Table *places = table_new(arena), *built = table_new(arena);
    for (size_t i = 0; i < composition->placement_count; i++)
        table_put(places, composition->placements[i].module, &composition->placements[i]);
    for (size_t i = 0; i < composition->placement_count; i++) {
        const Placement *placement = &composition->placements[i];
        const size_t builder = builder_of(arena, project, places, placement->module);
        table_put(built, pair(arena, builder, placement->component), TABLE_PRESENT);
    }
    return built;
}

static bool imports(const ProjectStep *step, size_t component) {
    for (size_t i = 0; i < step->child_count; i++)
        if (step->children[i].file != NULL && step->children[i].component == component)
            return true;
    return false;
}

/* That a step doesn't import what is listed shows without a run: it is said by then. */
void children_check(Arena *arena, const Project *project, const CompositionResult *composition,
                    Findings *findings) {
    if (!composition->recorded || composition->missing_count > 0)
        return;
    const Table *built = built_pairs(arena, project, composition);
    for (size_t i = 0; i < project->node_count; i++) {
        const TreeNode *node = &project->nodes[i];
        const size_t own = node->component, step = own == NO_INDEX ? NO_INDEX : project->components[own].step;
        for (size_t j = 0; step != NO_INDEX && j < node->child_count; j++) {
            const size_t child =
                node->children[j] == NO_INDEX ? NO_INDEX : project->nodes[node->children[j]].component;
            if (child == NO_INDEX || !imports(&project->steps[step], child) ||
                table_has(built, pair(arena, own, child)))
                continue;
            findings_add(findings, project_rule("tree.children"), SEVERITY_VIOLATION,
                         (Place){.file = "decomposition_tree.json", .line = node->line},
                         "'%s' lists '%s', which steps/%s imports and does not build", node->key,
                         node->child_ids[j], project->steps[step].name);
        }
    }
}
