/* What the stages of the shape flow are called. */
#include "flow_parts.h"

#include <ctype.h>
#include <string.h>

enum { MOST_LISTED = 6 };

/* "TransformerBlock" -> "transformer_block", "LayerNorm" -> "layer_norm", "GELU" -> "gelu". */
static const char *snake_case(Arena *arena, const char *class) {
    Text text = text_new(arena);
    for (size_t i = 0; class[i] != '\0'; i++) {
        unsigned char c = (unsigned char)class[i];
        bool begins =
            isupper(c) && i > 0 &&
            (islower((unsigned char)class[i - 1]) || (isdigit((unsigned char)class[i - 1]) && i > 1) ||
             (isupper((unsigned char)class[i - 1]) && islower((unsigned char)class[i + 1])));
        if (begins)
            text_add(&text, "_");
        char lower = (char)tolower(c);
        text_add_bytes(&text, &lower, 1);
    }
    return text.data;
}

static bool is_number(const char *text) {
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

void flow_name_module(Arena *arena, const Trace *trace, const FlowNames *names, size_t number,
                      FlowStage *stage) {
    const TraceModule *module = &trace->modules[number];
    bool component = text_equal(module->class, "Model") || text_equal(module->class, "RefactoredModel");
    bool known = module->file != NO_NUMBER && (size_t)module->file < names->file_count;
    stage->module = module->path;
    stage->what = component && known ? path_stem(arena, names->files[module->file]) : module->class;
    if (text_equal(stage->what, "refactored"))
        stage->what = module->class;
    const Placement *placement =
        names->placements == NULL ? NULL : table_get(names->placements, module->path);
    if (placement != NULL) {
        const Component *file = &names->project->components[placement->component];
        stage->what = file->stem;
        stage->has_level = true;
        stage->level = file->level;
        stage->id = file->node == NO_INDEX ? NULL : names->project->nodes[file->node].id;
    }
    const char *own = trace_bare_name(module->path);
    if (*own != '\0' && !is_number(own))
        stage->name = own;
    else
        stage->name = component ? stage->what : snake_case(arena, module->class);
    stage->alike = flow_mix_text(
        flow_mix_text(flow_mix(flow_mix(7, (uint64_t)module->file + 1), stage->has_level), stage->what),
        module->library != NULL ? module->library : module->class);
}

/* Worth a word in the label of what it stands in: modules, and operators that compute. */
static bool is_listed(const FlowStage *stage) {
    if (stage->kind == FLOW_STAGE && stage->module == NULL)
        return operator_class(stage->name) == OPERATOR_COMPUTE ||
               operator_class(stage->name) == OPERATOR_FORBIDDEN;
    bool listed = stage->kind == FLOW_STAGE;
    for (size_t i = 0; stage->kind == FLOW_GROUP && i < stage->inside_count; i++)
        listed |= is_listed(&stage->inside[i]);
    return listed;
}

/* The label: what is inside, where there are modules inside. */
void flow_label_module(Arena *arena, FlowStage *stage) {
    Text text = text_new(arena);
    size_t listed = 0, modules = 0;
    for (size_t i = 0; i < stage->inside_count; i++) {
        const FlowStage *inner = &stage->inside[i];
        if (!is_listed(inner))
            continue;
        modules += inner->module != NULL || inner->kind == FLOW_GROUP;
        if (listed < MOST_LISTED)
            text_printf(&text, inner->kind == FLOW_GROUP ? "%s(%s)" : "%s%s", listed == 0 ? "" : " → ",
                        inner->name);
        if (listed < MOST_LISTED && inner->repeat > 1)
            text_printf(&text, " × %zu", inner->repeat);
        listed++;
    }
    if (listed > MOST_LISTED)
        text_add(&text, " → …");
    stage->label =
        listed > 1 && modules > 0 ? arena_printf(arena, "%s (%s)", stage->name, text.data) : stage->name;
}
