/* The shape flow as text, in the guide's picture, and as JSON. */
#include "flow_parts.h"
#include "parts.h"

#include <string.h>

static const char *printable(Arena *arena, const char *text) {
    return text_printable(arena, text, strlen(text));
}

static bool is_odd_floating(const char *dtype) { /* after which float32 is worth a word */
    return dtype != NULL && !text_equal(dtype, "torch.float32") &&
           (text_starts(dtype, "torch.float") || text_starts(dtype, "torch.bfloat") ||
            text_starts(dtype, "torch.complex"));
}

const char *flow_shapes(Arena *arena, const TensorFacts *facts, const char *before) {
    Text text = text_new(arena);
    for (size_t i = 0; i < facts->count; i++) {
        const TensorFact *fact = &facts->items[i];
        text_add(&text, i == 0 ? "[" : ", [");
        for (size_t d = 0; d < fact->rank; d++)
            text_printf(&text, d == 0 ? "%lld" : ", %lld", (long long)fact->shape[d]);
        text_add(&text, "]");
        const char *dtype = fact->dtype;
        if (!text_equal(dtype, "torch.float32") || is_odd_floating(before))
            text_printf(&text, " %s", printable(arena, text_starts(dtype, "torch.") ? dtype + 6 : dtype));
    }
    return facts->count == 0 ? "no tensor" : text.data;
}

const char *flow_label(Arena *arena, const FlowStage *stage) {
    const char *label = printable(arena, stage->label == NULL ? "" : stage->label);
    if (stage->repeat < 2)
        return label;
    return arena_printf(arena, stage->kind == FLOW_GROUP ? "(%s) × %zu" : "%s × %zu", label, stage->repeat);
}

/* ---- Sections ------------------------------------------------------------------------------------ */

static void add_sections(Arena *arena, const FlowOptions *options, const FlowStage *stages, size_t count,
                         size_t depth, Table *seen, FlowSections *sections) {
    for (size_t i = 0; i < count; i++) {
        const FlowStage *stage = &stages[i];
        if (stage->kind == FLOW_GROUP) {
            add_sections(arena, options, stage->inside, stage->inside_count, depth, seen, sections);
            continue;
        }
        const char *key = arena_printf(arena, "%llx", (unsigned long long)stage->alike);
        if (stage->inside_count == 0 || table_has(seen, key) ||
            (options->has_level && stage->has_level && stage->level < options->level))
            continue;
        table_put(seen, key, TABLE_PRESENT);
        const char *path = stage->module == NULL ? "" : stage->module;
        const char *what = stage->what == NULL || text_equal(stage->what, stage->name) ? NULL : stage->what;
        Text title = text_new(arena);
        text_add(&title, stage->has_level ? level_name(stage->level) : "");
        text_printf(&title, stage->has_level ? " %s" : "%s", stage->name);
        text_printf(&title, what == NULL ? ": %s" : ": %s, %s", path, what);
        if (stage->repeat > 1)
            text_printf(&title, ", × %zu", stage->repeat);
        *(FlowSection *)ARENA_PUSH(arena, sections) =
            (FlowSection){printable(arena, title.data), stage->inside, stage->inside_count, depth + 1};
    }
}

/* The model's level first, then each distinct component below it once. */
static FlowSections sections_of(Arena *arena, const Flow *flow, const FlowOptions *options) {
    FlowSections sections = {0};
    Table *seen = table_new(arena);
    *(FlowSection *)ARENA_PUSH(arena, &sections) = (FlowSection){NULL, flow->stages, flow->stage_count, 1};
    for (size_t i = 0; i < sections.count; i++) {
        const FlowSection section = sections.items[i];
        if (options->depth == 0 || section.depth < options->depth)
            add_sections(arena, options, section.stages, section.count, section.depth, seen, &sections);
    }
    return sections;
}

/* ---- Text ------------------------------------------------------------------------------------------ */

typedef struct Picture {
    Arena *arena;
    Text *text;
    const FlowStage *stages; /* of the section, or of a group in it */
    size_t count;
    const char *prefix, *dtype;
    bool in_group;
} Picture;

static const char *name_of(Arena *arena, const FlowStage *stage) {
    if (stage->kind == FLOW_INPUT)
        return stage->name == NULL ? "input" : printable(arena, stage->name);
    return printable(arena, stage->name == NULL ? "" : stage->name);
}

/* Where values come from, where it isn't what stands above alone. */
static void print_sources(const Picture *picture, const FlowStage *stage, size_t number) {
    bool from_above = false, residual = stage->kind == FLOW_JOIN && text_ends(stage->label, "(residual)");
    size_t inputs = 0;
    for (size_t i = 0; i < number; i++)
        inputs += picture->stages[i].kind == FLOW_INPUT;
    bool first = number == inputs;
    for (size_t i = 0; i < stage->from_count; i++)
        from_above |= stage->from[i] + 1 == number;
    if (picture->in_group && stage->from_count == 0)
        return;
    if (stage->from_count == 0) {
        text_add(picture->text, "  ← no input");
        return;
    }
    if (first ? stage->from_count == inputs : from_above && (stage->from_count == 1 || residual))
        return;
    for (size_t i = 0; i < stage->from_count; i++)
        text_printf(picture->text, i == 0 ? "  ← %s" : ", %s",
                    name_of(picture->arena, &picture->stages[stage->from[i]]));
}

static void print_stage(Picture *picture, size_t number, const char *output);

static void print_group(Picture *picture, const FlowStage *group) {
    text_printf(picture->text, "%s┌ × %zu\n", picture->prefix, group->repeat);
    Picture inner = {.arena = picture->arena,
                     .text = picture->text,
                     .stages = group->inside,
                     .count = group->inside_count,
                     .prefix = arena_printf(picture->arena, "%s│ ", picture->prefix),
                     .dtype = picture->dtype,
                     .in_group = true};
    for (size_t i = 0; i < group->inside_count; i++)
        print_stage(&inner, i, NULL);
    text_printf(picture->text, "%s└\n", picture->prefix);
    picture->dtype = inner.dtype;
}

static void print_stage(Picture *picture, size_t number, const char *output) {
    const FlowStage *stage = &picture->stages[number];
    Arena *arena = picture->arena;
    const char *shapes = flow_shapes(arena, &stage->outputs, picture->dtype);
    if (stage->kind == FLOW_GROUP) {
        print_group(picture, stage);
    } else if (stage->kind == FLOW_INPUT) {
        text_printf(picture->text, "%sInput %s", picture->prefix, shapes);
        text_printf(picture->text, stage->name == NULL ? "\n" : " (%s)\n", name_of(arena, stage));
    } else {
        bool is_output = stage->kind == FLOW_OUTPUT;
        text_printf(picture->text, "%s  │\n%s  ▼ %s", picture->prefix, picture->prefix,
                    is_output ? "output" : flow_label(arena, stage));
        print_sources(picture, stage, number);
        text_printf(picture->text, "\n%s%s", picture->prefix, shapes);
        const char *name = is_output ? stage->name : output;
        text_printf(picture->text, name == NULL ? "\n" : " (%s)\n",
                    name == NULL ? "" : printable(arena, name));
    }
    if (stage->outputs.count > 0)
        picture->dtype = stage->outputs.items[0].dtype;
}

/* The one output is what the last stage gives: then it needs no line of its own. */
static bool output_is_last(const FlowSection *section) {
    if (section->count < 2)
        return false;
    const FlowStage *output = &section->stages[section->count - 1], *last = output - 1;
    if (output->kind != FLOW_OUTPUT || last->kind == FLOW_INPUT || last->kind == FLOW_OUTPUT ||
        (last->kind == FLOW_GROUP && output->name != NULL) || last->outputs.count != 1 ||
        output->from_count != 1 || output->from[0] != section->count - 2)
        return false;
    const TensorFact *a = &output->outputs.items[0], *b = &last->outputs.items[0];
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0 &&
           text_equal(a->dtype, b->dtype);
}

static void print_section(Arena *arena, const FlowSection *section, Text *text) {
    if (section->title != NULL)
        text_printf(text, "\n%s\n", printable(arena, section->title));
    Picture picture = {.arena = arena,
                       .text = text,
                       .stages = section->stages,
                       .count = section->count,
                       .prefix = "",
                       .dtype = NULL};
    bool joined = output_is_last(section);
    for (size_t i = 0; i + joined < section->count; i++) {
        bool last = joined && i + 2 == section->count;
        print_stage(&picture, i, last ? section->stages[i + 1].name : NULL);
    }
}

/* ---- JSON -------------------------------------------------------------------------------------------- */

static json_t *facts_json(const TensorFacts *facts) {
    json_t *list = json_array();
    for (size_t i = 0; i < facts->count; i++) {
        const TensorFact *fact = &facts->items[i];
        json_t *json = json_object(), *shape = json_array();
        for (size_t d = 0; d < fact->rank; d++)
            json_array_append_new(shape, json_integer(fact->shape[d]));
        set(json, "name", text_or_null(fact->name));
        set(json, "shape", shape);
        set(json, "dtype", text_or_null(fact->dtype));
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *stages_json(const FlowStage *stages, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const FlowStage *stage = &stages[i];
        json_t *json = json_object(), *from = json_array();
        for (size_t k = 0; k < stage->from_count; k++)
            json_array_append_new(from, json_integer((json_int_t)stage->from[k]));
        set(json, "kind", json_string(flow_kind_name(stage->kind)));
        set(json, "label", text_or_null(stage->label));
        set(json, "module", text_or_null(stage->module));
        set(json, "component", text_or_null(stage->what));
        set(json, "id", text_or_null(stage->id));
        set(json, "level", stage->has_level ? json_string(level_name(stage->level)) : json_null());
        set(json, "outputs", facts_json(&stage->outputs));
        set(json, "from", from);
        set(json, "repeat", json_integer((json_int_t)stage->repeat));
        set(json, "inside", stages_json(stage->inside, stage->inside_count));
        json_array_append_new(list, json);
    }
    return list;
}

json_t *report_flow_json(const Flow *flow) {
    json_t *json = json_object();
    set(json, "name", text_or_null(flow->name));
    set(json, "stages", stages_json(flow->stages, flow->stage_count));
    return json;
}

Bytes report_flow(Arena *arena, const Flow *flow, const FlowOptions *options) {
    if (options->format == FLOW_JSON) {
        json_t *json = report_flow_json(flow);
        Bytes bytes = report_json_text(arena, json);
        json_decref(json);
        return bytes;
    }
    FlowSections sections = sections_of(arena, flow, options);
    if (options->format == FLOW_DOT)
        return flow_dot(arena, flow, &sections);
    if (options->format == FLOW_SVG)
        return flow_svg(arena, flow, &sections);
    Text text = text_new(arena);
    for (size_t i = 0; i < sections.count; i++)
        print_section(arena, &sections.items[i], &text);
    return (Bytes){(const uint8_t *)text.data, text.length};
}
