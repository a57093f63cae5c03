/* What the pictures of the shape flow share. */
#ifndef PLUMBLINE_REPORT_FLOW_PARTS_H
#define PLUMBLINE_REPORT_FLOW_PARTS_H

#include "report.h"

typedef struct FlowSection { /* one list of stages under its heading */
    const char *title;       /* NULL: the model's own */
    const FlowStage *stages;
    size_t count, depth;
} FlowSection;
typedef struct FlowSections {
    FlowSection *items;
    size_t count, capacity;
} FlowSections;
/* "[2, 32, 768], [2, 32] float16"; `before` is the dtype that values had so far, or NULL. Printable. */
const char *flow_shapes(Arena *arena, const TensorFacts *facts, const char *before);
/* The label with its repeats, printable. */
const char *flow_label(Arena *arena, const FlowStage *stage);

Bytes flow_dot(Arena *arena, const Flow *flow, const FlowSections *sections);
Bytes flow_svg(Arena *arena, const Flow *flow, const FlowSections *sections);

#endif
