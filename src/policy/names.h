/* names: scopes, bindings, and what an expression of a candidate may be. Flow-insensitive: a name may be
 * whatever any of its bindings gives it, over all files of the program. */
#ifndef PLUMBLINE_NAMES_H
#define PLUMBLINE_NAMES_H

#include "policy.h"

typedef enum ThingKind {
    THING_UNKNOWN,   /* something that the source doesn't tell */
    THING_MODULE,    /* a Python module that is no component; path "torch.nn" */
    THING_LIBRARY,   /* what stands in one; path "torch.matmul", "torch.Tensor.add" */
    THING_BUILTIN,   /* path "getattr", "str.format" */
    THING_PACKAGE,   /* a folder of components that an import names; path "children" */
    THING_COMPONENT, /* a file of the program as a module */
    THING_CLASS,     /* file, node: a ClassDef of the program */
    THING_FUNCTION,  /* file, node: a FunctionDef or Lambda */
    THING_METHOD,    /* file, node: a function, bound to an instance or class */
    THING_INSTANCE,  /* file, node: an object of that ClassDef */
    THING_SUPER,     /* file, node: super() in that ClassDef */
    THING_TEXT,   /* a string constant; node: it, if it would read attributes as a format string, else NULL */
    THING_RESULT, /* what calling a listed library function or builtin gave; path "functools.partial", "iter"
                   */
    THING_STATE /* node: its binding; an object of a module, class or default argument, which outlives calls;
                   path: its name */
} ThingKind;

typedef struct Thing {
    ThingKind kind;
    const char *path;
    const ProgramFile *file;
    const Node *node;
    int depth;          /* how deep inside a container it is: names_of gives what is not inside one */
    uint32_t path_hash; /* set once it is in Things */
} Thing;

typedef struct Things {
    Thing *items;
    size_t count, capacity;
    bool overflow; /* more than can be told apart: nothing may be concluded */
} Things;

typedef enum ScopeKind {
    SCOPE_MODULE,
    SCOPE_CLASS,
    SCOPE_FUNCTION, /* lambdas too */
    SCOPE_COMPREHENSION
} ScopeKind;

typedef enum BindingKind {
    BINDING_VALUE,   /* the value itself */
    BINDING_ELEMENT, /* something inside the value: unpacking, a loop, a with statement */
    BINDING_IMPORT,
    BINDING_DEFINITION, /* def, class */
    BINDING_PARAMETER,  /* the value is its default, or NULL */
    BINDING_OTHER       /* except-as, del, a pattern's capture, type parameters */
} BindingKind;

enum { MOST_POSITIONS = 2 };

typedef struct NameBinding {
    BindingKind kind;
    const Node *node;                 /* what binds: for messages */
    const Node *value;                /* NULL if there is none */
    bool judged;                      /* false: skipped or unreached code */
    size_t positions[MOST_POSITIONS]; /* ELEMENT: in the tuples that a loop takes apart, from 1, outer first;
                                       * 0: anywhere */
} NameBinding;

typedef struct Scope Scope;

typedef struct Variable {
    const char *name;
    Scope *scope;
    Things things;
    NameBinding *items;
    size_t count, capacity;
    /* conditions_follow.c */
    unsigned reads; /* sizes, dtype or device of what forward is given */
    bool handed;    /* the first parameter of a method, to which something else than an object was handed */
    bool filled;    /* something was put into what it names */
    bool passed;    /* a parameter: a call that is seen gives it */
    bool looked_at; /* conditions_settled.c: right now */
    bool unsettled; /* a parameter: some call gives what condition_is_settled doesn't know, or may */
} Variable;

struct Scope {
    ScopeKind kind;
    const ProgramFile *file;
    const Node *node;
    Scope *parent;
    Table *variables; /* name -> Variable */
    Table *declared;  /* names of global and nonlocal statements -> the Scope meant */
    Table *instance;  /* of a class: attribute -> Variable, as assigned on its instances */
    Things bases;     /* of a class */
    Things returns;   /* of a function */
    unsigned
        reads; /* conditions_follow.c: of a function, what it returns; of a class, what its objects keep */
};

typedef struct Names Names;

/* Resolves the whole program. Skipped and unreached code binds imports and definitions, and nothing else. The
 * program must outlive it; memory is the arena's. */
Names *names_new(Arena *arena, const Program *program);

/* What `expression` of `file` may be: the union over all bindings. A container counts as what is in it.
 * Empty: a number or None, or a name that nobody binds. */
Things names_of(const Names *names, const ProgramFile *file, const Node *expression);
/* That, and what may be inside it if it is a container, at any depth. */
Things names_inside(const Names *names, const ProgramFile *file, const Node *expression);
/* The scope in which the node stands; that of a def, lambda or class itself is its surrounding one. */
Scope *names_scope_at(const Names *names, const ProgramFile *file, const Node *node);
/* The scope that a ClassDef, FunctionDef, Lambda or Module makes. */
Scope *names_scope_made(const Names *names, const ProgramFile *file, const Node *node);
/* The variable that a Name, or a name seen from `scope`, means; NULL for builtins and what nobody binds. */
Variable *names_variable(const Scope *scope, const char *name);
/* The parameter of a function's scope that takes its positional argument; NULL: none does. */
Variable *names_parameter(const Scope *function, size_t position);
/* What attribute `attribute` of one thing may be. */
Things names_attribute(const Names *names, Thing thing, const char *attribute);
/* Does `scope`, a class, derive from nn.Module or another class of torch.nn, directly or not? */
bool names_is_module_class(const Names *names, const Scope *scope);
/* Do `scope`, a class, its bases of the program, or what derives from it define or assign the attribute? */
bool names_class_has(const Names *names, const Scope *scope, const char *attribute);
/* Does any class of the file define it, assign it on its instances, or register it as a buffer? */
bool names_file_defines(const Names *names, const ProgramFile *file, const char *attribute);
/* Is the node part of a statement that is not judged (path code, the self-test)? */
bool names_is_judged(const Names *names, const ProgramFile *file, const Node *node);

/* Variables, results and displays of the file that may be more than can be told apart. */
typedef void OverflowVisitor(const Node *at, const char *name, void *context);
void names_each_overflow(const Names *names, const ProgramFile *file, OverflowVisitor *visit, void *context);

bool things_have(const Things *things, ThingKind kind);
/* Is every thing of the kind, and is there one? */
bool things_all(const Things *things, ThingKind kind);
const Thing *things_find(const Things *things, ThingKind kind, const char *path);

/* ---- The tables of ops/python.txt --------------------------------------------------------- */
bool python_table_has(const char *section, const char *name);
/* Calls `visit` for each name of a section, in order, until it returns false; false if one did. */
bool python_table_each(const char *section, bool (*visit)(const char *name, void *context), void *context);

#endif
