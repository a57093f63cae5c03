/* Colours and code frames on a terminal. */
#include "paint.h"

#include <string.h>

void put(const View *view, Tint tint, const char *text) {
    static const char *const codes[] = {
        [TINT_PLAIN] = "",        [TINT_GOOD] = "\x1b[32m", [TINT_BAD] = "\x1b[31m",
        [TINT_WARN] = "\x1b[33m", [TINT_DIM] = "\x1b[2m",   [TINT_BOLD] = "\x1b[1m"};
    if (view->colour && tint != TINT_PLAIN)
        fprintf(view->stream, "%s%s\x1b[0m", codes[tint], text);
    else
        fputs(text, view->stream);
}

void put_frame(const View *view, const char *frame) {
    fputc('\n', view->stream);
    for (const char *at = frame; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        fprintf(view->stream, "    %.*s\n", (int)length, at);
        at += length + (at[length] == '\n');
    }
    fputc('\n', view->stream);
}
