/* straight: is what a fusion does a straight line? */
#ifndef PLUMBLINE_STRAIGHT_H
#define PLUMBLINE_STRAIGHT_H

#include "decomposition.h"

#define LINE_ADVICE "keep residuals in the layer"

/* A trace made ready to be asked for several stretches of it. */
typedef struct StraightLines StraightLines;
StraightLines *straight_lines_new(Arena *arena, const Trace *trace, const SemanticOperators *operators);

typedef struct Join {
    size_t call;      /* that joins; SIZE_MAX: the stretch is too large to be told */
    const char *what; /* "add joins x with what linear computed from it: a residual, not a straight line" */
} Join;
/* Does a call of [first, end) join a value with one that a kernel among them computed from it? What was made
 * before `first` is given, each tensor a value of its own. */
bool straight_line_breaks(StraightLines *lines, size_t first, size_t end, Join *join);

#endif
