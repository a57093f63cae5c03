/* Tokens of a pattern file. */
#include "patterns_tokens.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static const char *end_of_token(const char *at) {
    const char *end = at;
    if (isdigit((unsigned char)*at) || (*at == '.' && isdigit((unsigned char)at[1]))) {
        strtod(at, (char **)&end);
        return end;
    }
    if (*at == '\'') {
        end = at + 1;
        end += strcspn(end, "'\n");
        return *end == '\'' ? end + 1 : end;
    }
    while (is_word(*end) || (end > at && end[0] == ':' && end[1] == ':' && is_word(end[2])))
        end += *end == ':' ? 2 : 1;
    return end > at || *at == '\0' ? end : at + 1;
}

void token_next(Parser *parser) {
    const char *at = parser->end;
    parser->at_start = at == parser->text;
    for (;; at++) {
        if (*at == '#')
            at += strcspn(at, "\n");
        if (*at == '\n') {
            parser->line++;
            parser->at_start = true;
        } else if (*at == ' ' || *at == '\t' || *at == '\r') {
            parser->at_start = false;
        } else {
            break;
        }
    }
    parser->at = at;
    parser->end = end_of_token(at);
}

bool token_is(const Parser *parser, const char *token) {
    size_t length = (size_t)(parser->end - parser->at);
    return length > 0 && strlen(token) == length && memcmp(parser->at, token, length) == 0;
}

bool token_take(Parser *parser, const char *token) {
    if (!token_is(parser, token) || parser->at_start)
        return false;
    token_next(parser);
    return true;
}

char *token_text(const Parser *parser) {
    if (*parser->at == '\0')
        return "the end of the file";
    char *text = arena_strndup(parser->arena, parser->at, (size_t)(parser->end - parser->at));
    return arena_printf(parser->arena, "'%s'", text_printable(parser->arena, text, strlen(text)));
}

Status token_expect(Parser *parser, const char *token) {
    if (token_take(parser, token))
        return STATUS_OK;
    return REFUSE(parser, "'%s' is expected, not %s%s", token, token_text(parser),
                  parser->at_start && *parser->at != '\0' ? " at the start of a line" : "");
}

bool token_is_name(const Parser *parser) {
    return isalpha((unsigned char)*parser->at) || *parser->at == '_';
}

Status token_take_name(Parser *parser, const char **name) {
    if (!token_is_name(parser) || parser->at_start)
        return REFUSE(parser, "a name is expected, not %s", token_text(parser));
    *name = arena_strndup(parser->arena, parser->at, (size_t)(parser->end - parser->at));
    token_next(parser);
    return STATUS_OK;
}

bool token_is_number(const Parser *parser) {
    return isdigit((unsigned char)*parser->at) || *parser->at == '.';
}

Status token_take_number(Parser *parser, double *number) {
    if (!token_is_number(parser) || parser->at_start)
        return REFUSE(parser, "a number is expected, not %s", token_text(parser));
    *number = strtod(parser->at, NULL);
    if (!isfinite(*number))
        return REFUSE(parser, "%s is no number", token_text(parser));
    token_next(parser);
    return STATUS_OK;
}
