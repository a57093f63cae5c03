/* The shape flow as a drawing: DOT for Graphviz, SVG by itself. */
#include "flow_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- Nodes: stages in a column, groups opened --------------------------------------------------- */
typedef struct Box {
    const FlowStage *stage;
    size_t *from; /* nodes */
    size_t from_count;
} Box;
typedef struct Band { /* a group: from the first node to the last, and how often */
    size_t first, last, repeat;
} Band;
typedef struct Column {
    Box *items;
    size_t count, capacity;
    Band *bands;
    size_t band_count, band_capacity;
} Column;

static Box *add_node(Arena *arena, Column *column, const FlowStage *stage, const size_t *last_of) {
    Box *node = ARENA_PUSH(arena, column);
    node->stage = stage;
    node->from = ARENA_ARRAY(arena, size_t, stage->from_count + 1);
    for (size_t i = 0; i < stage->from_count; i++)
        node->from[node->from_count++] = last_of[stage->from[i]];
    return node;
}

/* Opens a group: what it takes goes to its first stage, and what is taken of it comes from its last. */
static void add_group(Arena *arena, Column *column, const FlowStage *group, const size_t *last_of) {
    size_t *inner = ARENA_ARRAY(arena, size_t, group->inside_count + 1);
    Band *band =
        arena_push(arena, (void *)&column->bands, &column->band_count, &column->band_capacity, sizeof(Band));
    *band = (Band){.first = column->count, .repeat = group->repeat};
    for (size_t i = 0; i < group->inside_count; i++) {
        inner[i] = column->count;
        Box *box = add_node(arena, column, &group->inside[i], inner);
        if (i > 0)
            continue;
        box->from = ARENA_ARRAY(arena, size_t, group->from_count + 1);
        box->from_count = 0;
        for (size_t k = 0; k < group->from_count; k++)
            box->from[box->from_count++] = last_of[group->from[k]];
    }
    band->last = column->count - 1;
}

static Column column_of(Arena *arena, const FlowSection *section) {
    Column column = {0};
    size_t *last_of = ARENA_ARRAY(arena, size_t, section->count + 1);
    for (size_t i = 0; i < section->count; i++) {
        if (section->stages[i].kind == FLOW_GROUP)
            add_group(arena, &column, &section->stages[i], last_of);
        else
            add_node(arena, &column, &section->stages[i], last_of);
        last_of[i] = column.count - 1;
    }
    return column;
}

static const char *node_label(Arena *arena, const FlowStage *stage) {
    if (stage->kind != FLOW_INPUT && stage->kind != FLOW_OUTPUT)
        return flow_label(arena, stage);
    const char *what = stage->kind == FLOW_INPUT ? "Input" : "Output";
    if (stage->name == NULL)
        return what;
    return arena_printf(arena, "%s (%s)", what, text_printable(arena, stage->name, strlen(stage->name)));
}

/* At most `most` characters of UTF-8. */
static const char *cut(Arena *arena, const char *text, size_t most) {
    size_t characters = 0;
    for (size_t i = 0; text[i] != '\0'; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80 && characters++ == most)
            return arena_printf(arena, "%.*s…", (int)i, text);
    return text;
}

static size_t characters_in(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* ---- DOT ------------------------------------------------------------------------------------------- */

static const char *dot_escape(Arena *arena, const char *string) {
    Text text = text_new(arena);
    for (; *string != '\0'; string++) {
        if (*string == '"' || *string == '\\')
            text_add(&text, "\\");
        text_add_bytes(&text, string, 1);
    }
    return text.data;
}

Bytes flow_dot(Arena *arena, const Flow *flow, const FlowSections *sections) {
    Text text = text_new(arena);
    const char *name = flow->name == NULL ? "flow" : flow->name;
    text_printf(&text, "digraph \"%s\" {\n  node [shape=box, fontname=\"monospace\"];\n",
                dot_escape(arena, text_printable(arena, name, strlen(name))));
    for (size_t s = 0; s < sections->count; s++) {
        const FlowSection *section = &sections->items[s];
        Column column = column_of(arena, section);
        text_printf(&text, "  subgraph cluster_%zu {\n    label=\"%s\";\n", s,
                    section->title == NULL ? "" : dot_escape(arena, section->title));
        for (size_t i = 0; i < column.count; i++) {
            const FlowStage *stage = column.items[i].stage;
            text_printf(&text, "    s%zu_%zu [label=\"%s\\n%s\"];\n", s, i,
                        dot_escape(arena, node_label(arena, stage)),
                        dot_escape(arena, flow_shapes(arena, &stage->outputs, NULL)));
        }
        for (size_t b = 0; b < column.band_count; b++) {
            text_printf(&text, "    subgraph cluster_%zu_%zu {\n      label=\"× %zu\"; ", s, b,
                        column.bands[b].repeat);
            for (size_t i = column.bands[b].first; i <= column.bands[b].last; i++)
                text_printf(&text, "s%zu_%zu; ", s, i);
            text_add(&text, "\n    }\n");
        }
        for (size_t i = 0; i < column.count; i++)
            for (size_t k = 0; k < column.items[i].from_count; k++)
                text_printf(&text, "    s%zu_%zu -> s%zu_%zu;\n", s, column.items[i].from[k], s, i);
        text_add(&text, "  }\n");
    }
    text_add(&text, "}\n");
    return (Bytes){(const uint8_t *)text.data, text.length};
}

/* ---- SVG ------------------------------------------------------------------------------------------- */
enum {
    CHARACTER = 8, /* width of one, at 13 px monospace */
    BOX_HEIGHT = 44,
    GAP = 30,
    MARGIN = 30,
    LANE = 14, /* between two edges at the side */
    MOST_LANES = 16,
    MOST_CHARACTERS = 100,
    TITLE = 34
};

static const char *xml_escape(Arena *arena, const char *string) {
    Text text = text_new(arena);
    for (; *string != '\0'; string++) {
        switch (*string) {
        case '&': text_add(&text, "&amp;"); break;
        case '<': text_add(&text, "&lt;"); break;
        case '>': text_add(&text, "&gt;"); break;
        case '"': text_add(&text, "&quot;"); break;
        default:
            if (text_starts(string, "\xef\xbf\xbe") || text_starts(string, "\xef\xbf\xbf")) {
                text_add(&text, "?"); /* U+FFFE and U+FFFF can't stand in XML */
                string += 2;
            } else {
                text_add_bytes(&text, string, 1);
            }
        }
    }
    return text.data;
}

typedef struct Drawing {
    Arena *arena;
    Text *text;
    size_t x, width; /* of the boxes */
    size_t y;        /* where the next section begins */
} Drawing;

static size_t row_top(const Drawing *drawing, size_t row) {
    return drawing->y + row * (BOX_HEIGHT + GAP);
}

static void draw_text(const Drawing *drawing, const char *class, size_t x, size_t y, const char *string) {
    text_printf(drawing->text, "<text class=\"%s\" x=\"%zu\" y=\"%zu\">%s</text>\n", class, x, y,
                xml_escape(drawing->arena, cut(drawing->arena, string, MOST_CHARACTERS)));
}

static void draw_node(const Drawing *drawing, const Box *node, size_t row) {
    const FlowStage *stage = node->stage;
    size_t top = row_top(drawing, row), middle = drawing->x + drawing->width / 2;
    text_printf(drawing->text,
                "<rect class=\"%s\" x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%d\" rx=\"5\"/>\n",
                flow_kind_name(stage->kind), drawing->x, top, drawing->width, BOX_HEIGHT);
    draw_text(drawing, "label", middle, top + 18, node_label(drawing->arena, stage));
    draw_text(drawing, "shape", middle, top + 36, flow_shapes(drawing->arena, &stage->outputs, NULL));
}

/* Edges between neighbours go straight down, the others beside the column, each in a lane that is free. */
static void draw_edges(const Drawing *drawing, const Column *column) {
    size_t busy_until[MOST_LANES] = {0}, spill = 0;
    for (size_t i = 0; i < column->count; i++)
        for (size_t k = 0; k < column->items[i].from_count; k++) {
            size_t from = column->items[i].from[k], middle = drawing->x + drawing->width / 2;
            if (from + 1 == i) {
                text_printf(drawing->text, "<path class=\"edge\" d=\"M%zu %zu V%zu\"/>\n", middle,
                            row_top(drawing, from) + BOX_HEIGHT, row_top(drawing, i) - 2);
                continue;
            }
            size_t lane = 0;
            while (lane < MOST_LANES && busy_until[lane] > from)
                lane++;
            if (lane == MOST_LANES)
                lane = spill++ % MOST_LANES;
            busy_until[lane] = i;
            size_t right = drawing->x + drawing->width;
            text_printf(drawing->text, "<path class=\"edge side\" d=\"M%zu %zu H%zu V%zu H%zu\"/>\n", right,
                        row_top(drawing, from) + BOX_HEIGHT - 10, right + 24 + lane * LANE,
                        row_top(drawing, i) + 12, right + 2);
        }
}

static void draw_section(Drawing *drawing, const FlowSection *section, const Column *column) {
    if (section->title != NULL) {
        draw_text(drawing, "title", drawing->x, drawing->y + 16, section->title);
        drawing->y += TITLE;
    }
    for (size_t b = 0; b < column->band_count; b++) {
        const Band *band = &column->bands[b];
        size_t top = row_top(drawing, band->first) - 8;
        text_printf(
            drawing->text, "<rect class=\"band\" x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%zu\"/>\n",
            drawing->x - 10, top, drawing->width + 20, row_top(drawing, band->last) + BOX_HEIGHT + 8 - top);
        draw_text(drawing, "times", drawing->x - 6, top - 4,
                  arena_printf(drawing->arena, "× %zu", band->repeat));
    }
    draw_edges(drawing, column);
    for (size_t i = 0; i < column->count; i++)
        draw_node(drawing, &column->items[i], i);
    drawing->y = row_top(drawing, column->count) + GAP;
}

static size_t widest(Arena *arena, const Column *column, size_t width) {
    for (size_t i = 0; i < column->count; i++) {
        const FlowStage *stage = column->items[i].stage;
        size_t label = characters_in(node_label(arena, stage)),
               shape = characters_in(flow_shapes(arena, &stage->outputs, NULL));
        size_t wanted = label > shape ? label : shape;
        width = wanted > width ? wanted : width;
    }
    return width > MOST_CHARACTERS + 1 ? MOST_CHARACTERS + 1 : width;
}

Bytes flow_svg(Arena *arena, const Flow *flow, const FlowSections *sections) {
    Column *columns = ARENA_ARRAY(arena, Column, sections->count + 1);
    size_t width = 20, height = 2 * MARGIN;
    for (size_t s = 0; s < sections->count; s++) {
        columns[s] = column_of(arena, &sections->items[s]);
        width = widest(arena, &columns[s], width);
        height += columns[s].count * (BOX_HEIGHT + GAP) + GAP + TITLE;
    }
    Text text = text_new(arena);
    Drawing drawing = {arena, &text, MARGIN, width * CHARACTER + 24, MARGIN};
    size_t full = drawing.width + 2 * MARGIN + 24 + MOST_LANES * LANE;
    const char *name = flow->name == NULL ? "flow" : flow->name;
    text_printf(
        &text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" viewBox=\"0 0 %zu %zu\">\n"
        "<title>%s</title>\n<style>\n"
        "text { font: 13px monospace; text-anchor: middle } .shape { fill: #555 }\n"
        ".title, .times { text-anchor: start; font-weight: bold }\n"
        "rect { fill: #fff; stroke: #333 } .input, .output { fill: #eef } .join { fill: #efe }\n"
        ".band { fill: none; stroke-dasharray: 4 3 } .edge { fill: none; stroke: #333; "
        "marker-end: url(#tip) } .side { stroke: #888 }\n</style>\n"
        "<marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" "
        "orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\"/></marker>\n",
        full, height, full, height, xml_escape(arena, text_printable(arena, name, strlen(name))));
    for (size_t s = 0; s < sections->count; s++)
        draw_section(&drawing, &sections->items[s], &columns[s]);
    text_add(&text, "</svg>\n");
    return (Bytes){(const uint8_t *)text.data, text.length};
}
