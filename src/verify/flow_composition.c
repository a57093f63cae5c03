/* The shape flow of a recomposed model: by components, each named by its node of the tree. */
#include "flow_parts.h"

Flow flow_of_composition(Arena *arena, const Project *project, const CompositionResult *composition) {
    if (!composition->recorded)
        return (Flow){.name = project->name};
    Table *placements = table_new(arena);
    for (size_t i = 0; i < composition->placement_count; i++)
        table_put(placements, composition->placements[i].module, &composition->placements[i]);
    const FlowNames names = {.files = composition->files,
                             .file_count = composition->file_count,
                             .project = project,
                             .placements = placements};
    return flow_build(arena, project->name, &composition->trace, &names);
}
