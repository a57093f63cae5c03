/* What the files of the shape flow share. */
#ifndef PLUMBLINE_FLOW_PARTS_H
#define PLUMBLINE_FLOW_PARTS_H

#include "decomposition.h"

/* What a module is to be called, beyond its class. All NULL where that is not known. */
typedef struct FlowNames {
    const char *const *files; /* of the program, by number; NULL */
    size_t file_count;
    const Project *project;  /* NULL: a component by itself */
    const Table *placements; /* module path -> Placement; NULL */
} FlowNames;
/* Sets name, module, what, id, level, and begins `alike`. */
void flow_name_module(Arena *arena, const Trace *trace, const FlowNames *names, size_t number,
                      FlowStage *stage);
/* The label, when what is inside is known. */
void flow_label_module(Arena *arena, FlowStage *stage);
Flow flow_build(Arena *arena, const char *name, const Trace *trace, const FlowNames *names);

/* Stages that were drawn from one list of stages: rising, each once. */
typedef struct Sources {
    size_t *items;
    size_t count;
} Sources;

/* Folds runs of stages that do the same: "× 12", in place. `from` follows. */
void flow_fold(Arena *arena, FlowStage **stages, size_t *count);
/* Numbers that are mixed into one: order counts. */
uint64_t flow_mix(uint64_t hash, uint64_t number);
uint64_t flow_mix_text(uint64_t hash, const char *text);
uint64_t flow_mix_facts(uint64_t hash, const TensorFacts *facts);

#endif
