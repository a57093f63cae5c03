/* pieces: tables of a trace or recording moved to the pieces of a memory file, as a cell does it. */
#ifndef PLUMBLINE_TEST_PIECES_H
#define PLUMBLINE_TEST_PIECES_H

#include "base.h"

/* Adds a piece with `count` rows, whose JSON is `body`. */
void piece_add(Text *pieces, char letter, size_t count, const char *body);
/* Moves the rows of object[key] to pieces of `at_once`, but for the last `left`. */
void pieces_take(Text *pieces, json_t *object, const char *key, char letter, size_t at_once, size_t left);
static inline Bytes pieces_bytes(const Text *pieces) {
    return (Bytes){(const uint8_t *)pieces->data, pieces->length};
}

#endif
