/* What the files of this room share and the door doesn't show. */
#ifndef PLUMBLINE_TRACE_PARTS_H
#define PLUMBLINE_TRACE_PARTS_H

#include "trace.h"

#include <stdio.h>

/* Every tensor in `count` values, in order. */
TensorId *value_tensors(Arena *arena, const Value *values, size_t count, size_t *tensor_count);
/* Fills trace->live_tensors and trace->live_calls. */
void trace_mark_live(Arena *arena, Trace *trace);

#endif
