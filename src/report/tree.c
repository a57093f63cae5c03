/* A decomposition as it lies on disk: as text and as JSON. */
#include "parts.h"

#include <string.h>

enum { MOST_OF_RULE = 5, DEEPEST = 60 };

Verdict project_verdict(const Project *project) {
    return findings_count(project->findings, SEVERITY_VIOLATION) > 0 ? VERDICT_FAIL : VERDICT_PASS;
}

static const char *plural(size_t count) {
    return count == 1 ? "" : "s";
}

static const char *printable(Arena *arena, const char *text) {
    return text_printable(arena, text, strlen(text));
}

/* ---- Text ---- */

typedef struct Drawing {
    Arena *arena;
    const Project *project;
    bool *drawn; /* by node */
    Text *text;
} Drawing;

static void draw_label(Drawing *drawing, const TreeNode *node) {
    const Project *project = drawing->project;
    const Component *component = node->component == NO_INDEX ? NULL : &project->components[node->component];
    text_add(drawing->text, printable(drawing->arena, node->key));
    if (node->has_level)
        text_printf(drawing->text, "  %s", level_name(node->level));
    if (node->instance_count > 1)
        text_printf(drawing->text, " \xc3\x97 %lld", (long long)node->instance_count);
    if (component == NULL)
        text_add(drawing->text, "  (no file)");
    else if (component->broken != NULL)
        text_add(drawing->text, "  (can't be read)");
    else if (component->step != NO_INDEX)
        text_printf(drawing->text, "  by %s",
                    printable(drawing->arena, project->steps[component->step].name));
    else if (component->level != LEVEL_KERNEL)
        text_add(drawing->text, "  (no step)");
}

/* What was drawn before is named again and not gone into again: a tree may share its parts, and may be no
 * tree. */
static void draw(Drawing *drawing, size_t index, const char *indent, size_t depth) {
    const TreeNode *node = &drawing->project->nodes[index];
    draw_label(drawing, node);
    const bool again = drawing->drawn[index] && node->child_count > 0;
    drawing->drawn[index] = true;
    text_add(drawing->text, again ? "  (see above)\n" : "\n");
    if (again)
        return;
    for (size_t i = 0; i < node->child_count; i++) {
        const bool last = i + 1 == node->child_count;
        text_printf(drawing->text, "%s%s", indent,
                    last ? "\xe2\x94\x94\xe2\x94\x80 " : "\xe2\x94\x9c\xe2\x94\x80 ");
        if (node->children[i] == NO_INDEX)
            text_printf(drawing->text, "%s  (no node)\n", printable(drawing->arena, node->child_ids[i]));
        else if (depth == DEEPEST)
            text_add(drawing->text, "...\n");
        else
            draw(drawing, node->children[i],
                 arena_printf(drawing->arena, "%s%s", indent, last ? "   " : "\xe2\x94\x82  "), depth + 1);
    }
}

static void draw_all(Arena *arena, const Project *project, Text *text) {
    Drawing drawing = {arena, project, ARENA_ARRAY(arena, bool, project->node_count + 1), text};
    if (project->root_node != NO_INDEX)
        draw(&drawing, project->root_node, "", 0);
    bool *child = ARENA_ARRAY(arena, bool, project->node_count + 1);
    for (size_t i = 0; i < project->node_count; i++)
        for (size_t j = 0; j < project->nodes[i].child_count; j++)
            if (project->nodes[i].children[j] != NO_INDEX)
                child[project->nodes[i].children[j]] = true;
    for (size_t pass = 0; pass < 2; pass++) /* first what nothing lists, then what lists only itself */
        for (size_t i = 0; i < project->node_count; i++)
            if (!drawing.drawn[i] && (pass == 1 || !child[i]))
                draw(&drawing, i, "", 0);
    for (size_t i = 0; i < project->component_count; i++)
        if (project->components[i].node == NO_INDEX)
            text_printf(text, "%s  (no node)\n", printable(arena, project->components[i].source.name));
}

static void print_counts(const Project *project, Text *text) {
    size_t counts[LEVEL_COUNT] = {0};
    for (size_t i = 0; i < project->component_count; i++)
        counts[project->components[i].level]++;
    text_printf(text, "%zu component%s (", project->component_count, plural(project->component_count));
    for (size_t i = LEVEL_COUNT; i-- > 0;)
        text_printf(text, "%zu %s%s%s", counts[i], level_name((Level)i), plural(counts[i]),
                    i > 0 ? ", " : "");
    text_printf(text, "), %zu step%s", project->step_count, plural(project->step_count));
}

Bytes report_tree_drawing(Arena *arena, const Project *project) {
    Text text = text_new(arena);
    draw_all(arena, project, &text);
    return (Bytes){(const uint8_t *)text.data, text.length};
}

Bytes report_tree_text(Arena *arena, const Project *project, bool quiet) {
    Text text = text_new(arena);
    size_t violations = findings_count(project->findings, SEVERITY_VIOLATION), count;
    if (!quiet) {
        text_printf(&text, "%s: ", printable(arena, project->name));
        print_counts(project, &text);
        text_printf(&text, "\nroot model %s\n\n", printable(arena, project->model));
        draw_all(arena, project, &text);
        const FindingGroup *groups = findings_group(arena, project->findings, &count);
        text_add(&text, "\n");
        groups_print(arena, groups, count, MOST_OF_RULE, &text);
    }
    if (violations == 0)
        text_add(&text, "PASS  the structure is sound; what the components compute was not looked at\n");
    else
        text_printf(&text, "FAIL  %zu violation%s\n", violations, plural(violations));
    return (Bytes){(const uint8_t *)text.data, text.length};
}

/* ---- JSON ---- */

static json_t *index_or_null(Arena *arena, const Project *project, size_t component) {
    return component == NO_INDEX ? json_null()
                                 : json_printable(arena, project->components[component].source.name);
}

static json_t *node_json(Arena *arena, const Project *project, const TreeNode *node) {
    const Component *component = node->component == NO_INDEX ? NULL : &project->components[node->component];
    json_t *object = json_object(), *children = json_array();
    for (size_t i = 0; i < node->child_count; i++)
        json_array_append_new(children, json_printable(arena, node->child_ids[i]));
    set(object, "id", json_printable(arena, node->key));
    set(object, "level", node->has_level ? json_string(level_name(node->level)) : json_null());
    set(object, "file", index_or_null(arena, project, node->component));
    set(object, "instance_count",
        node->instance_count < 0 ? json_null() : json_integer(node->instance_count));
    set(object, "children", children);
    set(object, "step",
        component == NULL || component->step == NO_INDEX
            ? json_null()
            : json_printable(arena, project->steps[component->step].name));
    return object;
}

static json_t *step_json(Arena *arena, const Project *project, const ProjectStep *step) {
    json_t *object = json_object(), *children = json_array();
    for (size_t i = 0; i < step->child_count; i++)
        if (step->children[i].file != NULL)
            json_array_append_new(
                children, json_pack("{s:o, s:o}", "file", json_printable(arena, step->children[i].name),
                                    "component", index_or_null(arena, project, step->children[i].component)));
    set(object, "name", json_printable(arena, step->name));
    set(object, "parent", index_or_null(arena, project, step->parent));
    set(object, "error", step->broken == NULL ? json_null() : json_printable(arena, step->broken));
    set(object, "children", children);
    return object;
}

Bytes report_tree_json(Arena *arena, const Project *project) {
    json_t *object = json_object(), *nodes = json_array(), *steps = json_array(), *files = json_array();
    for (size_t i = 0; i < project->node_count; i++)
        json_array_append_new(nodes, node_json(arena, project, &project->nodes[i]));
    for (size_t i = 0; i < project->step_count; i++)
        json_array_append_new(steps, step_json(arena, project, &project->steps[i]));
    for (size_t i = 0; i < project->component_count; i++)
        json_array_append_new(files, json_printable(arena, project->components[i].source.name));
    set(object, "decomposition", json_printable(arena, project->name));
    set(object, "model", json_printable(arena, project->model));
    set(object, "status", json_string(verdict_name(project_verdict(project))));
    set(object, "components", files);
    set(object, "nodes", nodes);
    set(object, "steps", steps);
    set(object, "findings", findings_json(project->findings));
    Bytes text = report_json_text(arena, object);
    json_decref(object);
    return text;
}
