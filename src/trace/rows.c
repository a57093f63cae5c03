/* Rows: tables of which a cell wrote the first part to a memory file, in pieces. */
#include "trace.h"

#include <string.h>

enum {
    HEADER = 12,            /* the table's letter and three zeros; how many rows; how many bytes of JSON */
    MOST_ROWS = 1 << 24,    /* of a table */
    MOST_PIECE = 128 << 20, /* bytes; decoded, the worst of that size takes some 10 GiB */
    MOST_BYTES = 1 << 30    /* of all pieces */
};

typedef struct Piece {
    char table;
    size_t rows, size;
    const uint8_t *data;
} Piece;

static size_t number_at(const uint8_t *data) {
    return (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
}

/* The piece at `*at`, which then is where the next begins. False at the end, or where none is whole: a row
 * and what stands before it take two bytes at least. */
static bool next_piece(Bytes pieces, size_t *at, Piece *piece) {
    if (pieces.size - *at < HEADER)
        return false;
    const uint8_t *header = pieces.data + *at;
    *piece = (Piece){(char)header[0], number_at(header + 4), number_at(header + 8), header + HEADER};
    if (header[1] != 0 || header[2] != 0 || header[3] != 0 || piece->rows == 0 || piece->size > MOST_PIECE ||
        piece->size > pieces.size - *at - HEADER || piece->rows > piece->size / 2)
        return false;
    *at += HEADER + piece->size;
    return true;
}

static Status refuse(const Rows *rows, const char *cause, Error *error) {
    return error_set(error, rows->where, "the cell does not keep to the protocol", "\"%s\" %s", rows->key,
                     cause);
}

Status rows_open(Rows *rows, const json_t *object, const char *key, Bytes pieces, char table,
                 const char *where, Error *error) {
    json_t *rest;
    *rows = (Rows){.where = where, .key = key, .pieces = pieces, .table = table};
    if (json_read_container(object, key, JSON_ARRAY, &rest, where, error) != STATUS_OK)
        return STATUS_ERROR;
    rows->rest = rest;
    if (pieces.size > MOST_BYTES)
        return refuse(rows, "has too many bytes", error);
    size_t at = 0;
    Piece piece;
    while (next_piece(pieces, &at, &piece))
        if (piece.table == table)
            rows->in_pieces += piece.rows;
    if (at != pieces.size)
        return refuse(rows, "is in pieces that are not whole", error);
    rows->count = rows->in_pieces + json_array_size(rest);
    return rows->count > MOST_ROWS ? refuse(rows, "is too long", error) : STATUS_OK;
}

/* The next piece of the table, decoded. */
static Status decode_piece(Rows *rows, Error *error) {
    Piece piece;
    do
        if (!next_piece(rows->pieces, &rows->at, &piece))
            return refuse(rows, "ends before its last row", error);
    while (piece.table != rows->table);
    rows_close(rows);
    if (json_parse((Bytes){piece.data, piece.size}, rows->where, &rows->piece, error) != STATUS_OK)
        return STATUS_ERROR;
    rows->next_in_piece = 0;
    if (!json_is_array(rows->piece) || json_array_size(rows->piece) != piece.rows)
        return refuse(rows, "has a piece of other length than it says", error);
    return STATUS_OK;
}

Status rows_next(Rows *rows, const json_t **row, Error *error) {
    if (rows->next >= rows->in_pieces) {
        rows_close(rows);
        *row = json_array_get(rows->rest, rows->next++ - rows->in_pieces);
        return STATUS_OK;
    }
    if ((rows->piece == NULL || rows->next_in_piece == json_array_size(rows->piece)) &&
        decode_piece(rows, error) != STATUS_OK)
        return STATUS_ERROR;
    rows->next++;
    *row = json_array_get(rows->piece, rows->next_in_piece++);
    return STATUS_OK;
}

void rows_close(Rows *rows) {
    json_decref(rows->piece);
    rows->piece = NULL;
}
