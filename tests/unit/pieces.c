/* Pieces, written as probe/pieces.py writes them. */
#include "pieces.h"

#include <stdlib.h>
#include <string.h>

static void add_number(Text *text, size_t number) {
    char bytes[4];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(number >> (8 * i) & 0xff);
    text_add_bytes(text, bytes, sizeof bytes);
}

void piece_add(Text *pieces, char letter, size_t count, const char *body) {
    const char table[4] = {letter};
    text_add_bytes(pieces, table, sizeof table);
    add_number(pieces, count);
    add_number(pieces, strlen(body));
    text_add(pieces, body);
}

/* Calls of modules are written with their numbers, in the order in which they ended: here, the reverse. */
static json_t *numbered(const json_t *rows, size_t count) {
    json_t *list = json_array();
    for (size_t i = count; i-- > 0;) {
        json_t *pair = json_array();
        json_array_append_new(pair, json_integer((json_int_t)i));
        json_array_append(pair, json_array_get(rows, i));
        json_array_append_new(list, pair);
    }
    return list;
}

void pieces_take(Text *pieces, json_t *object, const char *key, char letter, size_t at_once, size_t left) {
    json_t *all = json_object_get(object, key);
    size_t count = json_array_size(all) > left ? json_array_size(all) - left : 0;
    json_t *taken = letter == 'm' ? numbered(all, count) : json_incref(all), *rest = json_array();
    for (size_t at = 0; at < count;) {
        json_t *piece = json_array();
        for (size_t i = 0; i < at_once && at < count; i++)
            json_array_append(piece, json_array_get(taken, at++));
        char *body = json_dumps(piece, JSON_COMPACT);
        piece_add(pieces, letter, json_array_size(piece), body);
        free(body);
        json_decref(piece);
    }
    for (size_t i = count; i < json_array_size(all); i++)
        json_array_append(rest, json_array_get(all, i));
    json_decref(taken);
    json_object_set_new(object, key, rest);
}
