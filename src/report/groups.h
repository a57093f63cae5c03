/* groups: findings with one cause are one line with a count, the most consequential first. */
#ifndef PLUMBLINE_GROUPS_H
#define PLUMBLINE_GROUPS_H

#include "base.h"

typedef struct FindingGroup { /* the same rule, severity and message, at one place or many */
    const Finding *first;
    size_t count;
} FindingGroup;

/* Violations before what is undecided and notes; then by family of rules (file, tree, chain, level,
 * composition, what steps and components break, name, dimensions, flow, coverage, log); then in the findings'
 * own order. */
FindingGroup *findings_group(Arena *arena, const Findings *findings, size_t *count);

/* "violation tree.cycle  decomposition_tree.json:31: ...; instead (and at 14 other places)", a line each; of
 * one rule at most `most_of_rule` groups, and a line that says how many more. */
void groups_print(Arena *arena, const FindingGroup *groups, size_t count, size_t most_of_rule, Text *text);

#endif
