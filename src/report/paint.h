/* paint: colours and code frames on a terminal. */
#ifndef PLUMBLINE_REPORT_PAINT_H
#define PLUMBLINE_REPORT_PAINT_H

#include "report.h"

#include <string.h>

typedef enum Tint { TINT_PLAIN, TINT_GOOD, TINT_BAD, TINT_WARN, TINT_DIM, TINT_BOLD } Tint;
void put(const View *view, Tint tint, const char *text);
void put_frame(const View *view, const char *frame);
/* One line of it, printable. */
static inline const char *shown(Arena *arena, const char *text) {
    return text_printable(arena, text, strlen(text));
}

#endif
