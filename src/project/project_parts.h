/* What the files of this room share while a decomposition is read. */
#ifndef PLUMBLINE_PROJECT_PARTS_H
#define PLUMBLINE_PROJECT_PARTS_H

#include "project.h"

#define RULE(name, id, title, instead, source) extern const Rule RULE_##name;
#include "rules.def"
#undef RULE

#define TREE_FILE "decomposition_tree.json"
#define LOG_FILE  "decomposition_log.json"

typedef struct Indices { /* of components */
    size_t *items;
    size_t count, capacity;
} Indices;

typedef struct Content { /* one file of a step, parsed */
    Source source;
    Tree tree; /* module NULL: it could not be */
} Content;

typedef struct Reading {
    Arena *arena;
    Parser parser; /* remembers */
    const ProjectOptions *options;
    Project *project;
    Table *by_name;     /* "level_0_kernel/gelu_fp32.py" -> index + 1 */
    Table *by_real;     /* absolute path -> index + 1 */
    Table *by_bytes;    /* to Indices */
    Table *by_tree;     /* by a hash in hexadecimal, to Indices: equal trees are among them */
    Table *by_stem;     /* to Indices, from the model down */
    Table *lines;       /* of the tree's keys (lines.c); NULL if there is no tree */
    json_t *metadata;   /* of the tree; NULL if there is none; owned */
    bool tree_read;     /* the tree could be read: files may be held against it */
    Table *step_files;  /* absolute path -> Content */
    bool *used;         /* by component: a step calls it */
    Program **programs; /* by component: what it and its imports are; NULL: not asked yet */
} Reading;

/* A finding with its place relative to the decomposition; line 0: the whole file. */
Finding *project_finding(Reading *reading, const Rule *rule, Severity severity, const char *file, int line,
                         const char *format, ...) PRINTF_LIKE(6, 7);

/* ---- files.c -------------------------------------------------------------------------------- */
typedef struct FileEntry {
    const char *file; /* name in its folder */
    const char *name; /* relative to the decomposition */
    const char *path; /* absolute, links resolved */
} FileEntry;
typedef struct FileEntries { /* by name */
    FileEntry *items;
    size_t count, capacity;
} FileEntries;
/* Those of `folder` (relative) that are files ending in `suffix`, or folders if it is NULL. Hidden names,
 * __pycache__ and
 * __init__.py are left out; links that leave the decomposition are findings and left out. */
FileEntries project_entries(Reading *reading, const char *folder, const char *suffix);
/* Absolute and resolved; NULL if there is no such file or it leaves the decomposition (a finding). */
const char *project_file(Reading *reading, const char *name);
/* NULL if it isn't there (and then no finding) or is wrong (a finding). Lines of its keys; new reference. */
json_t *project_json(Reading *reading, const char *name, Table **lines, bool *there);

/* ---- lines.c -------------------------------------------------------------------------------- */
/* Where keys and items of valid JSON stand, three levels deep: "nodes\x1fgelu\x1fpath" -> line. One pass. */
Table *json_lines(Arena *arena, Bytes text);
/* Of the deepest of the given keys that there is. End with NULL. */
int line_of(const Table *lines, Arena *arena, const char *first, ...) __attribute__((sentinel));

/* ---- contents.c ------------------------------------------------------------------------------ */
/* Hexadecimal; equal trees (trees_equal) have equal hashes. */
const char *content_hash(Arena *arena, const Tree *tree);
/* Files with equal trees are alike; so may others be. */
const char *content_likeness(Arena *arena, const Source *source);
void content_index(Reading *reading); /* fills by_bytes and by_tree */
/* Components with the same bytes, else those with the same tree.
 */
Indices content_components(Reading *reading, const Content *content);
/* The first line in which they differ, from 1. */
int first_line_apart(const Source *a, const Source *b);

/* ---- The parts, in order of reading ------------------------------------------------------------ */
void components_read(Reading *reading);
void steps_find(Reading *reading);
void contents_parse(Reading *reading); /* of components and steps, in one go */
void tree_read(Reading *reading);
void log_read(Reading *reading);
void steps_load(Reading *reading);
void chain_check(Reading *reading);
/* What the component and its imports are; NULL if that can't be had. */
const Program *component_program(Reading *reading, size_t component);
/* A copy of a component in a step's program: do its imports lead to what the component's own lead to? */
void closure_check(Reading *reading, const ProjectStep *step, const ProgramFile *copy, size_t component);
void structure_check(Reading *reading);
void counts_check(Reading *reading);
void names_check(Reading *reading);
Status model_find(Reading *reading, Error *error);
/* Components that the step's refactored.py binds itself, or by helpers and packages. */
Indices step_children(Reading *reading, const ProjectStep *step);

#endif
