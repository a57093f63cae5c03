/* What the files of policy_judge_language share: the subset of Python that candidates are written in. */
#ifndef PLUMBLINE_LANGUAGE_H
#define PLUMBLINE_LANGUAGE_H

#include "language_rules.h"
#include "names.h"
#include "operator_rules.h"

typedef struct SetUses SetUses;

typedef struct Language {
    Arena *arena;
    const Program *program;
    const Names *names;
    Findings *findings;
    const char *const *allowed_imports;
    size_t allowed_count;
    bool of_original;        /* the program is an original: its files are looked at too */
    bool **reached;          /* by file, by id of a FunctionDef or Lambda: forward may run it */
    SetUses *sets;           /* where what a set is kept in is read */
    const ProgramFile *file; /* the one that is being judged */
} Language;

/* ---- Findings and questions (language.c) -------------------------------------------------- */
Finding *language_find(const Language *language, const Rule *rule, const Node *at, const char *format, ...)
    PRINTF_LIKE(4, 5);
Things language_things(const Language *language, const Node *node);
/* Was the module, or one that holds it, named by --allow-import? */
bool language_allows(const Language *language, const char *module);
/* May forward run the node? Code of modules, classes and what only construction calls is not reached. */
bool language_reaches(const Language *language, const Node *node);
/* Source text for messages: "g.load", "getattr(...)". */
const char *language_text(const Language *language, const Node *node);
/* Is the node the function of the call that is its parent? */
bool language_is_called(const Node *node);
/* Does the node stand in an annotation? */
bool language_is_annotation(const Node *node);
/* Is it a value for people: in an f-string, raise, assert's message, print, warn or a logger's message? */
bool language_is_message(const Language *language, const Node *node);
const Node *language_argument(const Node *call, size_t position);
bool language_has_star(const Node *call); /* *args or **kwargs */
typedef enum Access { ACCESS_LOAD, ACCESS_STORE } Access;
Access language_access(const Node *node);

/* ---- Judges of one node: each looks at the kinds that it is about -------------------------- */
void check_imports(const Language *language, const Node *node);
void check_modules(const Language *language, const Node *node);
void check_names(const Language *language, const Node *node);
void check_attributes(const Language *language, const Node *node);
void check_calls(const Language *language, const Node *node);
void check_classes(const Language *language, const Node *node);
void check_state(const Language *language, const Node *node);
void check_control(const Language *language, const Node *node);
void check_children(const Language *language, const Node *node);
void check_sets(const Language *language, const Node *node);

/* An attribute of anything, however it is written: `at` is the Attribute or the call of getattr. */
void check_attribute(const Language *language, const Node *at, const Things *base, const char *attribute,
                     Access access);
/* The same for what a library gave: modules, what stands in them, loggers. */
void check_library_attribute(const Language *language, const Node *at, const Thing *base, const char *name);
/* A name of an allowed module. `called`: it is the function of a call. */
void check_member(const Language *language, const Node *at, const char *module, const char *name,
                  bool called);
/* str.format and format_map of what `base` may be. */
void check_format(const Language *language, const Node *at, const Things *base);

/* The constant with which a worked-out name starts; NULL: none. */
const char *language_constant_start(const Language *language, const Node *node);

/* Nothing is looked at before it is asked. */
SetUses *set_uses_new(const Language *language);

/* Fills language->reached. */
void language_find_reached(Language *language);

#endif
