/* What the files of names.h share. */
#ifndef PLUMBLINE_NAMES_INTERNAL_H
#define PLUMBLINE_NAMES_INTERNAL_H

#include "names.h"

typedef struct FileNames {
    const ProgramFile *file;
    Scope **at;        /* by node id: the scope in which the node stands */
    Scope **made;      /* by node id: the scope that the node makes, or NULL */
    bool *judged;      /* by node id */
    Things **settled;  /* by node id: what it may be, once asked for; NULL while that changes */
    Table *registered; /* names given to register_buffer and the like, as constants */
} FileNames;

typedef struct NodeAt { /* a node that is looked at again in every round */
    const FileNames *file;
    const Node *node, *value;
} NodeAt;

typedef struct NodeList {
    NodeAt *items;
    size_t count, capacity;
} NodeList;

typedef struct ScopeList {
    Scope **items;
    size_t count, capacity;
} ScopeList;

struct Names {
    Arena *arena;
    const Program *program;
    FileNames *files; /* by ProgramFile.index */
    ScopeList scopes;
    NodeList attribute_stores; /* node: the Attribute; value: what it is given, or NULL */
    NodeList calls;
    NodeList returns;
};

/* Makes the scopes and bindings of one file, without values. */
void names_bind_file(Names *names, FileNames *file);

/* True if it was not there. */
bool things_add(Arena *arena, Things *things, Thing thing);
bool things_add_all(Arena *arena, Things *things, const Things *more);
Things things_unknown(Arena *arena);
/* The attribute of whatever of `bases` is no container's content. */
Things attribute_of(const Names *names, const Things *bases, const char *attribute);
/* What an import statement or loading call gives, by src/source. */
void add_bound(const Names *names, Things *things, const Binding *bound);
/* What `path` means by the statements `import a.b.c` of the file: components, and folders on the way to them.
 */
Things package_things(const Names *names, const ProgramFile *file, const char *path);
Things names_evaluate(const Names *names, const FileNames *file, const Node *expression);
Things names_of_binding(const Names *names, const FileNames *file, const NameBinding *binding);
Variable *scope_bind(Arena *arena, Scope *scope, const char *name);
Variable *instance_variable(Arena *arena, Scope *scope, const char *name);
/* The ClassDef's own scope, whichever file it is in. */
Scope *names_class_scope(const Names *names, Thing thing);

#endif
