/* Judging small refactored.py files by their source, for unit tests. */
#ifndef PLUMBLINE_TEST_FLOW_TEXT_H
#define PLUMBLINE_TEST_FLOW_TEXT_H

#include "policy.h"

typedef struct FlowCase {
    const char *name;
    const char *top;     /* lines before the class */
    const char *init;    /* lines of __init__, after self.fc and self.norm are built */
    const char *forward; /* lines of forward(self, x, mask=None, ids=None, scale=1.0) */
    const char
        *rule; /* "op.compute": a violation; "?op.test": undecided; "": nothing is found; the only one */
} FlowCase;

/* Judges every case, and fails with all that went wrong. The files are parsed together. */
void check_flow_cases(const FlowCase *cases, size_t count);
/* The same for whole texts: `forward` is all of refactored.py. */
void check_flow_files(const FlowCase *cases, size_t count);

#endif
