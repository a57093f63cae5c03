/* Traces for the judge's tests, written line by line; words are separated by blanks.
 *
 *   input x            input ids:int64      parameter fc.weight lm.weight     buffer bn.mean    unknown u
 *   buffer mask = m    (a tensor that a call of construction made)
 *   module fc Linear 1 (path, class, file; -1 for torch)
 *   enter fc 12 : x    (a call of the module, by line 12 of refactored.py, and its arguments)
 *   leave : y
 *   own 13 z = torch.add x y        own 14 = torch.Tensor.add_ x y ! x        own 15 = torch.Tensor.item x >
 * 3 init, child and ownfile:1 stand in the place of own, and method:fc:7 (path, serial) returns z
 *
 * A result is NAME[:dtype][&NAME of the tensor whose storage it shares][@0 for a scalar]. Arguments are
 * tensors, numbers, True, False, None, 'text', (a,b) tuples of these, or JSON in braces without blanks. */
#ifndef PLUMBLINE_JUDGE_TEXT_H
#define PLUMBLINE_JUDGE_TEXT_H

#include "trace.h"

/* The JSON of docs/protocol.md, "A trace". New reference. */
json_t *trace_of_text(Arena *arena, const char *text);

#endif
