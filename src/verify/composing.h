/* composing: what one recomposition knows while it is being verified, and its parts. */
#ifndef PLUMBLINE_COMPOSING_H
#define PLUMBLINE_COMPOSING_H

#include "recompose.h"
#include "step_state.h"

typedef struct Composing {
    Arena *arena;
    const Project *project;
    const StepResult *const *steps;
    const CompositionOptions *options;
    CompositionResult *result;
    Recomposition recomposition;
    json_t *constructions; /* of the last description; owned */
} Composing;

Finding *composing_add(Composing *composing, const char *rule, Severity severity, const char *file,
                       const char *what);

typedef struct Construction {
    const char *module;
    const ComposedFile *composed;
    const json_t *init, *own_init;
    bool again; /* the same module at another place */
} Construction;

typedef struct Constructions {
    Construction *items;
    size_t count, capacity;
} Constructions;

/* What the cell says of it; what isn't as the protocol says is left out. */
Constructions read_constructions(const Composing *composing);
/* Fills the result's placements. `trace` is NULL if the recomposed model did not run. */
void place_components(Composing *composing, const Trace *trace);
/* verification/composition_test.py, and once more with a kernel's result doubled. */
MUST_USE Status composition_test_run(Composing *composing, const RunSettings *settings, const Trace *trace,
                                     Error *error);

#endif
