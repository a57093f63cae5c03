/* recompose: the steps of a decomposition put together to one program, in which every component that a step
 * refactors is that step's refactored.py. */
#ifndef PLUMBLINE_RECOMPOSE_H
#define PLUMBLINE_RECOMPOSE_H

#include "decomposition.h"

/* A component's file in the recomposed program. */
typedef struct ComposedFile {
    size_t file;       /* its own, in the program */
    size_t component;  /* of the project */
    size_t step;       /* that refactors it; NO_INDEX: a leaf */
    size_t refactored; /* the file of refactored.py that stands in for it; NO_INDEX: a leaf */
    size_t init;       /* the file whose get_init_inputs builds it, if refactored */
} ComposedFile;

typedef struct Recomposition {
    Program program; /* the root's refactored.py first; files of equal content that import nothing are one */
    struct {
        ComposedFile *items;
        size_t count, capacity;
    } composed;
    struct {
        size_t *items; /* components above kernel level that no step refactors; each once */
        size_t count, capacity;
    } missing;
    bool *step_used;     /* by the project's steps */
    const char *why_not; /* there is nothing to verify: one sentence; NULL */
} Recomposition;

/* Adds findings composition.* for what is missing, broken or circular. Linear in the size of the steps'
 * programs. */
void recompose(Arena *arena, const Project *project, Recomposition *result, Findings *findings);
/* "composed" of docs/protocol.md. New reference. */
json_t *recomposition_to_json(const Recomposition *recomposition);
/* The row of a component's own file, or of a refactored.py that stands in for one; NULL. */
const ComposedFile *recomposition_file(const Recomposition *recomposition, size_t file);

/* ---- Weight maps (compose_maps.c) ---------------------------------------------------------- */
typedef struct Instance {         /* a module of the recomposed model that a step's RefactoredModel makes */
    const char *path;             /* "" for the model itself */
    const Assignment *assignment; /* of its step */
} Instance;
/* Follows every parameter of the root into the places that the steps give it. False, with why in `problem`,
 * if that can't be said as a map. `instances`: a parent before what stands in it. */
bool compose_maps(Arena *arena, const Instance *instances, size_t count, WeightMap *map,
                  const char **problem);
json_t *weight_map_to_json(const WeightMap *map); /* new reference */

#endif
