/* What the files of this room share to find a program's files: known modules, places, path code, imports. */
#ifndef PLUMBLINE_IMPORTS_H
#define PLUMBLINE_IMPORTS_H

#include "source.h"

extern const Rule RULE_IMPORT_MISSING, RULE_IMPORT_STANDARD, RULE_IMPORT_AMBIGUOUS, RULE_IMPORT_SHADOW,
    RULE_IMPORT_STAR, RULE_IMPORT_OUTSIDE, RULE_PATH_CODE, RULE_PATH_LOAD;

bool module_is_path(const char *name);    /* sys, os, pathlib, importlib */
bool module_is_allowed(const char *name); /* policy.md, "Allowed" */

/* ---- Paths -------------------------------------------------------------------------------- */
/* Without "." and "..", as text: links are not looked at. */
char *path_normal(Arena *arena, const char *path);
/* `path` as seen from the folder `from`; both absolute and normal. */
char *path_relative(Arena *arena, const char *from, const char *path);
bool path_inside(const char *folder, const char *path);

/* ---- Path code: what a file's statements about sys.path and files to load come to ---------- */
typedef struct Load { /* a call that gives the module of a file */
    const Node *call;
    const char *path;      /* the file; NULL: `module` says what */
    const char *module;    /* dotted name, of import_module */
    const char *attribute; /* where the file's own loader gives mod.Model; or NULL */
} Load;

typedef struct PathCode {
    struct {
        const char **items;
        size_t count, capacity;
    } folders; /* put on sys.path, in its order; absolute */
    struct {
        Load *items;
        size_t count, capacity;
    } loads;
    struct {
        const Node **items;
        size_t count, capacity;
    } imports; /* import statements that are reached and not about paths; those in functions come last */
} PathCode;

/* Reads the path code of a file without running it. Marks `file->skipped`; nodes in `file->unreached` are not
 * looked at. */
PathCode *path_code_read(Arena *arena, ProgramFile *file, Findings *findings);

/* ---- Reach -------------------------------------------------------------------------------- */
/* Marks what only the self-test reaches. `is_main`: no other file takes names from this one. */
void reach_mark(Arena *arena, ProgramFile *file, bool is_main);
/* The names that reached code reads, as a set; and those that the self-test reads. */
void reach_names(const ProgramFile *file, Table *reached, Table *unreached);
/* Marks `node` and all below it. */
void marks_set(bool *marks, const Node *node);

/* ---- Places ------------------------------------------------------------------------------- */
typedef struct Places {
    Arena *arena;
    const char *main_folder;
    const char *root;    /* the decomposition's folder; NULL if there is none */
    const char **levels; /* its level folders */
    size_t level_count;
    const PathCode *main_code; /* of the main file: holds for the files that it reaches as well */
} Places;

Places places_of(Arena *arena, const char *main_path);

typedef struct Found {
    const char *path;  /* the file, links resolved; NULL if there is none */
    const char *other; /* another one that fits in the same place, or NULL */
    const char *as;    /* how it was reached: `path` before links were resolved */
} Found;

/* Finds the file of a module for `importer`, whose folder is that of its path. `level`: dots of a relative
 * import. */
Found places_find(const Places *places, const char *importer, const PathCode *code, const char *module,
                  int64_t level);
/* "children/, ./, level_0_kernel/": where places_find looks, as seen from the main folder. */
char *places_text(const Places *places, const char *importer, const PathCode *code, int64_t level);

/* ---- Import statements -------------------------------------------------------------------- */
typedef struct Use { /* one name that an import statement or a loading call brings, and the file that it needs
                      */
    const Node *node;
    const char *name;    /* as bound; NULL for a call */
    const char *path;    /* of the module; NULL: the alias is only taken out */
    const char *package; /* of the module's __init__.py, whose own names come first; NULL if there is none */
    const char *attribute; /* or NULL */
} Use;

typedef struct Uses {
    Use *items;
    size_t count, capacity;
} Uses;

typedef struct Importer { /* one file, while its imports are looked up */
    ProgramFile *file;
    PathCode *code;
    Uses uses;
    Table *taken; /* the names that files read so far take from this one, as a set; NULL for the main file */
} Importer;

/* Looks up every import and load of a file. */
void imports_resolve(Arena *arena, const Places *places, Importer *importer,
                     const char *const *allowed_imports, size_t allowed_count, Findings *findings);

#endif
