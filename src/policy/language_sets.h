/* What the two files on the order of sets share. */
#ifndef PLUMBLINE_LANGUAGE_SETS_H
#define PLUMBLINE_LANGUAGE_SETS_H

#include "language.h"

typedef enum SetKind {
    KIND_SET,
    KIND_VIEW /* of a dict's keys or items: it has the dict's order, and operators make sets of it */
} SetKind;

/* ---- Places (language_sets.c) ------------------------------------------------------------- */

/* `node` may be one: a finding where it stands, unless nothing can come of its order there. */
void set_follow(const Language *language, const Node *node, SetKind kind);

/* ---- Names and attributes (language_set_uses.c) ------------------------------------------- */

/* `target` is given one: judges every place where it could be read again. */
void set_follow_name(const Language *language, const Node *target, SetKind kind);
void set_follow_attribute(const Language *language, const Node *target, SetKind kind);
/* Does the candidate itself define a function or method of that name? */
bool set_uses_define(SetUses *uses, const char *name);
/* Does a handler of the candidate name the exception that it caught? */
bool set_uses_handle(SetUses *uses);

#endif
