/* tokens: what the parser of pattern files reads. */
#ifndef PLUMBLINE_GRAPH_PATTERNS_TOKENS_H
#define PLUMBLINE_GRAPH_PATTERNS_TOKENS_H

#include "patterns_parts.h"

typedef struct Scope { /* the names of the definition that is being read */
    const char *names[MOST_VARIABLES];
    bool number[MOST_VARIABLES];
    size_t count;
} Scope;

typedef struct Parser {
    Arena *arena;
    Patterns *patterns;
    const char *file, *text, *at, *end; /* `at`: the token; `end`: where it ends */
    int line;
    bool at_start; /* the token begins a line */
    int depth;
    size_t nodes;
    Scope scope;
    Error *error;
} Parser;

/* Always STATUS_ERROR, which error_set does not tell an analyser. */
static inline Status token_refused(Status status) {
    (void)status;
    return STATUS_ERROR;
}

#define REFUSE(parser, ...)                                                                                  \
    token_refused(error_set((parser)->error,                                                                 \
                            arena_printf((parser)->arena, "%s:%d", (parser)->file, (parser)->line),          \
                            "docs/patterns.md has the syntax", __VA_ARGS__))

void token_next(Parser *parser);
bool token_is(const Parser *parser, const char *token);
bool token_is_name(const Parser *parser);
bool token_is_number(const Parser *parser);
/* Goes on if that is the token, and no line begins with it. */
bool token_take(Parser *parser, const char *token);
MUST_USE Status token_expect(Parser *parser, const char *token);
MUST_USE Status token_take_name(Parser *parser, const char **name);
MUST_USE Status token_take_number(Parser *parser, double *number);
char *token_text(const Parser *parser); /* for messages */

#endif
