/* wire: frames on a Unix stream socket (docs/protocol.md, "Frames"). Inside this room only. */
#ifndef PLUMBLINE_PROBE_WIRE_H
#define PLUMBLINE_PROBE_WIRE_H

#include "base.h"

enum { WIRE_MOST_DESCRIPTORS = 30 }; /* beside one frame */

double now_seconds(void); /* monotonic */

typedef enum WireState {
    WIRE_AGAIN, /* nothing more to read at present */
    WIRE_FRAME, /* a whole frame has come */
    WIRE_END,   /* the other side has closed */
    WIRE_BAD    /* not a frame; `problem` says why */
} WireState;

/* Collects what comes in on a non-blocking socket. Memory grows with the bytes that came, not with those
 * announced. */
typedef struct WireReader {
    int fd;
    size_t limit; /* bytes that a frame may have */
    uint8_t *data;
    size_t have, capacity;
    const char *problem;
} WireReader;

/* Reads what there is. After WIRE_FRAME, wire_take must be called before the next wire_read. */
WireState wire_read(WireReader *reader);
/* The object in the frame that has come, and forgets the frame. New reference. */
MUST_USE Status wire_take(WireReader *reader, const char *where, json_t **object, Error *error);
void wire_free(WireReader *reader);

/* Sends `object` and descriptors; waits for the other side to take it until `deadline`. */
MUST_USE Status wire_send(int fd, const json_t *object, const int *descriptors, size_t count, double deadline,
                          Error *error);
/* Waits for one frame until `deadline`. An end of the stream is an error with an empty cause. */
MUST_USE Status wire_receive(WireReader *reader, const char *where, double deadline, json_t **object,
                             Error *error);

#endif
