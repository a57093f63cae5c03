/* Code frames: a line of source with its neighbours, and carets under what a finding is about. */
#include "source.h"

#include <stdio.h>
#include <string.h>

enum { WIDEST = 100, TAB = 4 }; /* in terminal columns */

typedef struct Glyph { /* one character as it is shown */
    const char *shown;
    int width;
} Glyph;

typedef struct Glyphs {
    Glyph *items;
    size_t count, capacity;
} Glyphs;

static const struct {
    uint32_t first, last;
    int width;
} WIDTHS[] = {
    /* characters that don't take one terminal column: combining marks, and East Asian Width W and F */
    {0x300, 0x36f, 0},     {0x200b, 0x200f, 0}, {0xfe00, 0xfe0f, 0},   {0x1100, 0x115f, 2},
    {0x2e80, 0xa4cf, 2},   {0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2},   {0xfe30, 0xfe6f, 2},
    {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2}, {0x1f300, 0x1f64f, 2}, {0x1f900, 0x1f9ff, 2},
    {0x20000, 0x3fffd, 2},
};

static size_t utf8_step(const char *at) {
    unsigned char first = (unsigned char)*at;
    size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    for (size_t i = 1; i < length; i++)
        if (((unsigned char)at[i] & 0xc0) != 0x80)
            return 1;
    return length;
}

static int glyph_width(const char *at, size_t length) {
    if (length == 1)
        return 1;
    uint32_t code = (unsigned char)at[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)at[i] & 0x3f);
    for (size_t i = 0; i < COUNT_OF(WIDTHS); i++)
        if (code >= WIDTHS[i].first && code <= WIDTHS[i].last)
            return WIDTHS[i].width;
    return 1;
}

static Glyphs glyphs_of(Arena *arena, const char *line) {
    Glyphs glyphs = {0};
    for (size_t step; *line != '\0'; line += step) {
        step = utf8_step(line);
        Glyph *glyph = ARENA_PUSH(arena, &glyphs);
        if (*line == '\t') {
            *glyph = (Glyph){"    ", TAB};
            continue;
        }
        char *shown = text_printable(arena, line, step);
        bool escaped = strlen(shown) != step;
        *glyph = (Glyph){shown, escaped ? (int)strlen(shown) : glyph_width(line, step)};
    }
    return glyphs;
}

static int width_of(const Glyphs *glyphs, size_t from, size_t to) {
    int width = 0;
    for (size_t i = from; i < to && i < glyphs->count; i++)
        width += glyphs->items[i].width;
    return width;
}

/* Which glyphs of a long line to show: as many as fit, with `focus` in the middle of them. */
static void choose_window(const Glyphs *glyphs, size_t focus, size_t *from, size_t *to) {
    *from = 0;
    *to = glyphs->count;
    if (glyphs->count == 0 || width_of(glyphs, 0, glyphs->count) <= WIDEST)
        return;
    focus = focus < glyphs->count ? focus : glyphs->count - 1;
    int width = glyphs->items[focus].width;
    *from = focus;
    *to = focus + 1;
    for (bool grew = true; grew;) {
        grew = false;
        if (*from > 0 && width + glyphs->items[*from - 1].width <= WIDEST)
            width += glyphs->items[--*from].width, grew = true;
        if (*to < glyphs->count && width + glyphs->items[*to].width <= WIDEST)
            width += glyphs->items[(*to)++].width, grew = true;
    }
}

static void add_line(Text *out, const Glyphs *glyphs, int number, int gutter, size_t from, size_t to) {
    text_printf(out, "%*d |", gutter, number);
    if (glyphs->count > 0)
        text_add(out, from > 0 ? " ..." : " ");
    for (size_t i = from; i < to; i++)
        text_add(out, glyphs->items[i].shown);
    if (to < glyphs->count)
        text_add(out, "...");
    text_add(out, "\n");
}

static void add_carets(Text *out, const Glyphs *glyphs, Place place, int gutter, size_t from, size_t to) {
    size_t start = (size_t)place.column - 1;
    size_t stop = place.end_column > place.column ? (size_t)place.end_column - 1 : start + 1;
    stop = stop < to ? stop : to;
    int pad = width_of(glyphs, from, start) + (from > 0 ? 3 : 0);
    int length = width_of(glyphs, start, stop);
    text_printf(out, "%*s | %*s", gutter, "", pad, "");
    for (int i = 0; i < (length > 0 ? length : 1); i++)
        text_add(out, "^");
    text_add(out, "\n");
}

char *source_frame(Arena *arena, const Source *source, Place place) {
    if (place.line < 1 || (size_t)place.line > source->line_count)
        return NULL;
    int first = place.line > 1 ? place.line - 1 : place.line;
    int last = (size_t)place.line < source->line_count ? place.line + 1 : place.line;
    int gutter = snprintf(NULL, 0, "%d", last);
    Text out = text_new(arena);
    for (int number = first; number <= last; number++) {
        Glyphs glyphs = glyphs_of(arena, source->lines[number - 1]);
        size_t from, to;
        bool marked = number == place.line && place.column > 0 && (size_t)place.column <= glyphs.count + 1;
        choose_window(&glyphs, marked ? (size_t)place.column - 1 : 0, &from, &to);
        add_line(&out, &glyphs, number, gutter, from, to);
        if (marked)
            add_carets(&out, &glyphs, place, gutter, from, to);
    }
    return out.data;
}
