/* The parts of the reading of path code: statements (pathcode.c), expressions (pathvalue.c), names
 * (pathtable.c). */
#ifndef PLUMBLINE_PATHCODE_H
#define PLUMBLINE_PATHCODE_H

#include "imports.h"

typedef enum ValueKind {
    VALUE_FOREIGN, /* has nothing to do with paths */
    VALUE_OPAQUE,  /* may stand in path code, but we don't know what it is */
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_TEXT, /* a string or a pathlib.Path */
    VALUE_LIST,
    VALUE_LIBRARY, /* `text` is the name of a PathEntry */
    VALUE_METHOD,  /* method `text` of `self` */
    VALUE_SPEC,    /* of the file `text` or of `module`; neither if it isn't known */
    VALUE_LOADER,  /* likewise */
    VALUE_MODULE,  /* likewise, or its `attribute` */
    VALUE_FUNCTION /* a function of the file that only works out paths or loads files */
} ValueKind;

typedef enum PathOperation {
    OP_NAMESPACE, /* has attributes; can't be called */
    OP_TEXT,      /* the constant `text` */
    OP_OPAQUE,    /* a call or value that path code may have */
    OP_JOIN,
    OP_PARENT,
    OP_NORMAL,
    OP_SAME, /* gives its argument */
    OP_EXISTS_FILE,
    OP_EXISTS_FOLDER,
    OP_EXISTS,
    OP_LIST,
    OP_NEXT,
    OP_GETATTR,
    OP_FORMAT,
    OP_WITH_NAME,
    OP_PUT_FIRST,
    OP_PUT_LAST,
    OP_IMPORT,
    OP_SPEC,
    OP_FIND_SPEC,
    OP_LOADER,
    OP_MODULE,
    OP_LOAD
} PathOperation;

typedef struct PathEntry {
    const char *name;
    PathOperation operation;
    const char *text; /* OP_TEXT */
} PathEntry;

/* The entry of a dotted name ("os.path.join") or a builtin; of a builtin; of a method. NULL: path code may
 * not have it. */
const PathEntry *path_library(const char *name);
const PathEntry *path_builtin(const char *name);
const PathEntry *path_method(const char *name);

typedef struct Value Value;
struct Value {
    ValueKind kind;
    bool path; /* its name was bound by path code, which is not run: only path code may use it */
    const char *text, *module, *attribute;
    int64_t number; /* VALUE_INT, VALUE_BOOL */
    Value **items;  /* VALUE_LIST */
    size_t count;
    Value *self;
    const Node *function;
};

typedef struct Scope Scope;
struct Scope {
    Table *names; /* to Value */
    Scope *outer;
};

typedef struct Later { /* a function whose body is looked at when the module is done */
    const Node *function;
    Scope *scope;
} Later;

typedef enum Flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE, FLOW_RETURN, FLOW_RAISE } Flow;

typedef struct Machine {
    Arena *arena;
    ProgramFile *file;
    Findings *findings;
    PathCode *out;
    Scope *module_scope, *scope;
    bool live;    /* looking at the file's statements: mark, record, report; else running a function for its
                     value */
    bool effects; /* sys.path is really changed; false where it is only asked what code is */
    bool trial;   /* running a function with unknown arguments, all of its blocks, to see what it is */
    bool late;    /* in a handler: its folders come last */
    struct {
        Later *items;
        size_t count, capacity;
    } later;
    const Node *touched; /* the first name in the present statement that only path code may use */
    bool foreign;        /* something in the present statement has nothing to do with paths */
    bool ever_touched, ever_foreign;
    Flow flow;
    Value *returned;
    int depth;    /* of function calls */
    size_t steps; /* left */
} Machine;

enum { PATH_LONGEST_LOOP = 64, PATH_LONGEST_TEXT = 4096 };

/* Values (pathvalue.c) */
Value *value_new(Machine *machine, ValueKind kind);
Value *value_text(Machine *machine, const char *text);
Value *value_truth(Machine *machine, bool truth);
Value *value_foreign(Machine *machine); /* and says so of the present statement */
Value *value_derive(Machine *machine, ValueKind kind, const Value *from); /* of the same file */
void value_push(Machine *machine, Value *list, Value *item);
void scope_put(Machine *machine, const char *name, Value *value);

/* Paths (pathtext.c) */
const char *value_absolute(Machine *machine, const char *path);
Value *value_join(Machine *machine, Value *const *parts, size_t count);
Value *value_parent(Machine *machine, const char *path);
Value *value_parents(Machine *machine, const char *path);
/* `format` with each `mark` ("{}" or "%s") replaced by a text, one after another. */
Value *value_fill_in(Machine *machine, const char *format, const char *mark, Value *const *parts,
                     size_t count);
/* Texts in `value` become folders of sys.path: before the others or after them. */
void path_add_folders(Machine *machine, const Value *value, bool first);

/* Expressions (pathvalue.c, pathcall.c): what they come to; never NULL. They set `touched` and `foreign`. */
Value *path_value(Machine *machine, const Node *node);
Value *path_optional(Machine *machine, const Node *node); /* VALUE_NONE for NULL */
Value *path_call(Machine *machine, const Node *node);
/* 1, 0, or -1 if it is not known. */
int path_truth(const Value *value);
/* Names the parameters of a function or lambda as foreign, and looks through defaults and annotations. */
void path_foreign_parameters(Machine *machine, const Node *parameters);

/* Statements (pathcode.c) */
/* Binds the targets of an assignment, loop or comprehension. */
void path_assign(Machine *machine, const Node *target, Value *value);
/* Runs a function's statements for its value, in `machine->returned`. */
void path_run_function(Machine *machine, const Node *function);

#endif
