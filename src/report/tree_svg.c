/* The tree drawn: a row for each level, a box for each node, a line to each child. */
#include "parts.h"

#include <string.h>

enum { BOX_HEIGHT = 34, ROW_HEIGHT = 110, GAP = 14, LETTER = 7, MARGIN = 90, MOST_LETTERS = 48 };

/* As text in XML 1.0, which has no control characters. */
static const char *escaped(Arena *arena, const char *raw) {
    Text text = text_new(arena);
    for (const char *at = text_printable(arena, raw, strlen(raw)); *at != '\0'; at++)
        switch (*at) {
        case '&': text_add(&text, "&amp;"); break;
        case '<': text_add(&text, "&lt;"); break;
        case '>': text_add(&text, "&gt;"); break;
        case '"': text_add(&text, "&quot;"); break;
        default: text_add_bytes(&text, at, 1);
        }
    return text.data;
}

/* Characters of UTF-8, cut where it is too long. */
static const char *shortened(Arena *arena, const char *raw, size_t *letters) {
    const char *text = text_printable(arena, raw, strlen(raw)), *at = text;
    for (*letters = 0; *at != '\0'; at++) {
        *letters += ((uint8_t)*at & 0xc0) != 0x80;
        if (*letters > MOST_LETTERS)
            return arena_printf(arena, "%.*s\xe2\x80\xa6", (int)(at - text), text);
    }
    return text;
}

typedef struct Box {
    const char *label;
    double x, y, width;
    bool wrong; /* a violation stands in its file */
} Box;

typedef struct Picture {
    Arena *arena;
    const Project *project;
    Box *boxes;
    size_t *order, count; /* nodes as they are met from the root */
    double widths[LEVEL_COUNT];
} Picture;

static size_t row_of(const TreeNode *node) {
    return node->has_level ? LEVEL_MODEL - node->level : LEVEL_MODEL;
}

/* Depth first, so that children stand below their parents as far as they can; no recursion, every node once.
 */
static void order_from(Picture *picture, size_t start, bool *met) {
    struct {
        size_t *items;
        size_t count, capacity;
    } stack = {0};
    *(size_t *)ARENA_PUSH(picture->arena, &stack) = start;
    while (stack.count > 0) {
        size_t at = stack.items[--stack.count];
        const TreeNode *node = &picture->project->nodes[at];
        if (met[at])
            continue;
        met[at] = true;
        picture->order[picture->count++] = at;
        for (size_t i = node->child_count; i-- > 0;)
            if (node->children[i] != NO_INDEX && !met[node->children[i]])
                *(size_t *)ARENA_PUSH(picture->arena, &stack) = node->children[i];
    }
}

static Picture lay_out(Arena *arena, const Project *project) {
    Picture picture = {.arena = arena,
                       .project = project,
                       .boxes = ARENA_ARRAY(arena, Box, project->node_count + 1),
                       .order = ARENA_ARRAY(arena, size_t, project->node_count + 1)};
    bool *met = ARENA_ARRAY(arena, bool, project->node_count + 1);
    if (project->root_node != NO_INDEX)
        order_from(&picture, project->root_node, met);
    for (size_t i = 0; i < project->node_count; i++)
        order_from(&picture, i, met);
    Table *wrong = table_new(arena);
    for (size_t i = 0; i < project->findings->count; i++)
        if (project->findings->items[i].severity == SEVERITY_VIOLATION &&
            project->findings->items[i].place.file != NULL)
            table_put(wrong, project->findings->items[i].place.file, TABLE_PRESENT);
    for (size_t i = 0; i < picture.count; i++) {
        const TreeNode *node = &project->nodes[picture.order[i]];
        size_t row = row_of(node), letters;
        Box *box = &picture.boxes[picture.order[i]];
        box->label = shortened(arena, node->key, &letters);
        box->width = (double)(letters * LETTER + 2 * GAP);
        box->x = picture.widths[row];
        box->y = GAP + (double)row * ROW_HEIGHT;
        box->wrong =
            node->component == NO_INDEX || table_has(wrong, project->components[node->component].source.name);
        picture.widths[row] += box->width + GAP;
    }
    return picture;
}

static void draw_lines(const Picture *picture, Text *text) {
    text_add(text, "<g stroke=\"#999\" fill=\"none\">\n");
    for (size_t i = 0; i < picture->project->node_count; i++) {
        const TreeNode *node = &picture->project->nodes[i];
        const Box *from = &picture->boxes[i];
        for (size_t j = 0; j < node->child_count; j++) {
            if (node->children[j] == NO_INDEX)
                continue;
            const Box *to = &picture->boxes[node->children[j]];
            text_printf(text, "<path d=\"M%.0f %.0fL%.0f %.0f\"/>\n", from->x + from->width / 2,
                        from->y + BOX_HEIGHT, to->x + to->width / 2, to->y);
        }
    }
    text_add(text, "</g>\n");
}

static void draw_box(const Picture *picture, size_t index, Text *text) {
    const TreeNode *node = &picture->project->nodes[index];
    const Box *box = &picture->boxes[index];
    text_printf(text, "<g><title>%s</title>",
                escaped(picture->arena, node->path == NULL ? node->key : node->path));
    text_printf(
        text, "<rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%d\" rx=\"4\" fill=\"%s\" stroke=\"%s\"/>",
        box->x, box->y, box->width, BOX_HEIGHT, box->wrong ? "#fdd" : "#eef", box->wrong ? "#b00" : "#446");
    text_printf(text, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">%s", box->x + box->width / 2,
                box->y + 21, escaped(picture->arena, box->label));
    if (node->instance_count > 1)
        text_printf(text, " \xc3\x97%lld", (long long)node->instance_count);
    text_add(text, "</text></g>\n");
}

Bytes report_tree_svg(Arena *arena, const Project *project) {
    Picture picture = lay_out(arena, project);
    double width = 0;
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        width = picture.widths[i] > width ? picture.widths[i] : width;
    for (size_t i = 0; i < picture.count; i++) { /* rows are centred */
        Box *box = &picture.boxes[picture.order[i]];
        box->x += MARGIN + (width - picture.widths[row_of(&project->nodes[picture.order[i]])]) / 2;
    }
    Text text = text_new(arena);
    text_printf(
        &text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%d\" font-family=\"monospace\" "
        "font-size=\"11\">\n<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        width + MARGIN + GAP, LEVEL_COUNT * ROW_HEIGHT - ROW_HEIGHT + BOX_HEIGHT + 2 * GAP,
        escaped(arena, project->name));
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        text_printf(&text, "<text x=\"%d\" y=\"%zu\" fill=\"#666\">%s</text>\n", GAP,
                    GAP + 21 + (LEVEL_MODEL - i) * ROW_HEIGHT, level_name((Level)i));
    draw_lines(&picture, &text);
    for (size_t i = 0; i < picture.count; i++)
        draw_box(&picture, picture.order[i], &text);
    text_add(&text, "</svg>\n");
    return (Bytes){(const uint8_t *)text.data, text.length};
}
