/* kept: what the calls of one run gave, number by number: docs/protocol.md, "run", "values". */
#ifndef PLUMBLINE_KEPT_H
#define PLUMBLINE_KEPT_H

#include "tensor.h"
#include "trace.h"

enum { KEPT_MOST_OF_A_CALL = 1024 }; /* tensors that one call gave, and as many that it wrote: the first */

typedef struct KeptValue {
    size_t call;     /* of forward */
    TensorId tensor; /* that the call gave or wrote */
    TensorView view; /* its elements as they were then, in row-major order: of one dimension */
} KeptValue;

typedef struct KeptValues {
    KeptValue *items; /* by call */
    size_t count;
    size_t left_out; /* those for which there was no room: all that came later */
} KeptValues;

/* Decodes what a cell says of the memory file `file`, and checks every number in it against the trace of the
 * same run. No two values lie in the same place: reading all of them takes no longer than reading the file.
 */
MUST_USE Status kept_values_decode(Arena *arena, const json_t *json, Bytes file, const Trace *trace,
                                   const char *where, KeptValues *values, Error *error);

#endif
