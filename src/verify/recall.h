/* recall: what cells found out of a program on shapes alone, for whoever asks the same again. In a
 * decomposition the original of a step is a component too, and the root model is what the recomposed one is
 * held against. */
#ifndef PLUMBLINE_RECALL_H
#define PLUMBLINE_RECALL_H

#include "runs.h"

/* For one thread at a time, whatever others do with `arena`. */
Recall *recall_new(Arena *arena);
void recall_close(Recall *recall); /* closes the memory files; NULL does nothing */

/* What the cell of `work` answered, with the memory files that it was lent and those that it wrote. */
void recall_keep(Recall *recall, const Work *work, json_t *done);
/* The answer to the same work on the same bytes: a new reference, and `work` has the files; NULL if there is
 * none. Where more calls of forward were recorded after those that are asked for, they are left out. */
json_t *recall_find(const Recall *recall, Arena *arena, Work *work);

#endif
