/* source: Python syntax trees, from the parser of the interpreter that will run the file, and code frames;
 * which files a candidate consists of, and what each of its import statements means. */
#ifndef PLUMBLINE_SOURCE_H
#define PLUMBLINE_SOURCE_H

#include "base.h"

/* ---- Files --------------------------------------------------------------------------------
 * The bytes of one Python file, as they were read once: what is checked is what is compiled. */
typedef struct Source {
    const char *path; /* absolute, links resolved */
    const char *name; /* as shown to the user: as given, or relative to the folder of refactored.py */
    Bytes bytes;
    const char **lines; /* NUL-terminated copies, without line ends */
    size_t line_count;
} Source;

/* Reads a file of at most 16 MiB. */
MUST_USE Status source_read(Arena *arena, const char *path, const char *name, Source *source, Error *error);

/* A code frame: the line at `place` with its number and neighbours, and carets under the columns. NULL if the
 * place has no line in `source`. Control characters are made visible. */
char *source_frame(Arena *arena, const Source *source, Place place);

/* ---- Syntax trees -------------------------------------------------------------------------
 * Nodes are those of Python's `ast` module (3.7 to 3.14): same class names, same field names. A field holds
 * one node, a list of nodes (in which an item may be NULL: dict keys, kw_defaults), a string (identifiers),
 * or is absent. */
typedef enum NodeKind {
    NODE_UNKNOWN, /* a class that this table doesn't have: newer syntax; rules must refuse what they don't
                     know */
#define NODE(name) NODE_##name,
#include "nodes.def"
#undef NODE
    NODE_KIND_COUNT
} NodeKind;

typedef enum FieldName {
    FIELD_UNKNOWN,
#define FIELD(name) FIELD_##name,
#include "fields.def"
#undef FIELD
    FIELD_NAME_COUNT
} FieldName;

typedef enum ConstantKind { /* of a NODE_Constant (older Num, Str, NameConstant... are decoded to Constant) */
                            CONSTANT_NONE,
                            CONSTANT_BOOL,
                            CONSTANT_INT,
                            CONSTANT_FLOAT,
                            CONSTANT_COMPLEX,
                            CONSTANT_STR,
                            CONSTANT_BYTES,
                            CONSTANT_ELLIPSIS
} ConstantKind;

typedef struct Node Node;

typedef struct Field {
    FieldName name;
    enum { FIELD_IS_NODE, FIELD_IS_LIST, FIELD_IS_TEXT, FIELD_IS_INT } kind;
    Node *node;   /* FIELD_IS_NODE */
    Node **items; /* FIELD_IS_LIST; NULL items are possible */
    size_t count; /* FIELD_IS_LIST */
    const char
        *text;      /* FIELD_IS_TEXT; one of several names (Global, Nonlocal) come as Name nodes in a list */
    int64_t number; /* FIELD_IS_INT: level of ImportFrom, is_async, conversion, simple */
} Field;

struct Node {
    NodeKind kind;
    int line, column;         /* from 1; column in characters */
    int end_line, end_column; /* one past the last character */
    Field *fields;
    size_t field_count;
    Node *parent;          /* NULL for the module */
    uint32_t id;           /* preorder number in its tree, from 0 */
    ConstantKind constant; /* NODE_Constant only, as is `text`: str and bytes by content (Latin-1 escapes for
                              bytes), */
    const char *text;      /* numbers as Python's repr, bool as True / False; NULL for None and Ellipsis */
    size_t text_length;    /* a str may contain NUL */
};

typedef struct Tree {
    const Source *source;
    Node *module; /* NODE_Module */
    size_t node_count;
} Tree;

/* Decodes what the probe's parser sent: {"tree": node} with node = {"t": class, "p": "line col end_line
 * end_col", field: value...}; or {"error": {"line", "column", "message"}}, which becomes the error
 * "file:line:column: cause; advice". The JSON is treated as hostile: any shape, any depth up to 1000. */
MUST_USE Status tree_decode(Arena *arena, const Source *source, const json_t *json, Tree *tree, Error *error);

const Field *node_field(const Node *node, FieldName name); /* NULL if absent */
Node *node_child(const Node *node, FieldName name);        /* NULL if absent or not a node */
const char *node_text(const Node *node, FieldName name);   /* NULL if absent or not a text */
const Field *node_list(const Node *node,
                       FieldName name);    /* never NULL: an empty list if absent or not a list */
const char *node_kind_name(NodeKind kind); /* "Call" */
Place node_place(const Tree *tree, const Node *node);
/* "torch.nn.functional" for a chain of attributes on a name; NULL for anything else. Owned by the arena. */
char *node_dotted(Arena *arena, const Node *node);
/* The string of a NODE_Constant of kind str without NUL; NULL for anything else. */
const char *node_string(const Node *node);

/* Calls `visit` on every node below and including `node`, in source order (preorder). Returning false from
 * `visit` skips the node's own fields. */
typedef bool NodeVisitor(const Node *node, void *context);
void node_walk(const Node *node, NodeVisitor *visit, void *context);

/* Whether the top level of a file binds `name`; "*": whether it takes all the names of another. */
bool module_binds(const Tree *tree, const char *name);

/* ---- Known modules: by the first part of a dotted name ------------------------------------ */
bool module_is_standard(const char *name);

/* ---- Programs -----------------------------------------------------------------------------
 * All the files that one side consists of, found by name from its main file's import statements (policy.md,
 * "The Python that a candidate is written in"); no path code is run to find them. */
typedef enum FilePart {
    PART_ORIGINAL, /* held to no rule */
    PART_OWN,      /* refactored.py */
    PART_CHILD,    /* a component file: binds Model or RefactoredModel at its top level */
    PART_HELPER    /* a component file without Model: its code counts as that of the file that imports it */
} FilePart;

typedef struct ProgramFile ProgramFile;

/* What an import statement, or a call that loads a file, gives: the module of a file or an attribute of it.
 */
typedef struct Binding {
    const Node *node; /* NODE_Import, NODE_ImportFrom: one binding a name; or the NODE_Call that loads */
    const char
        *name; /* the name that is bound, "children.linear" for `import children.linear`; NULL for a call */
    const ProgramFile *file; /* the component */
    const char *attribute; /* "Model" for `from linear import Model as Linear`; NULL for the module itself */
} Binding;

typedef struct Bindings {
    Binding *items; /* in source order, but for those in functions: they come last */
    size_t count, capacity;
} Bindings;

struct ProgramFile {
    Source source;
    Tree tree;
    FilePart part;
    size_t index; /* in Program.items; the main file is 0 */
    Bindings bindings;
    Bindings dropped; /* names that are not bound, since the self-test alone reads them; `file` is NULL */
    bool *skipped;    /* by node id: statements that only work out import paths, and all below them: not to be
                         run   nor judged */
    bool *missing;    /* by node id: import statements that find nothing and have a handler for that */
    bool *unreached;  /* by node id: what stands under the main guard, and run_tests: reached by the self-test
                         only */
};

typedef struct Program {
    Arena *arena;
    ProgramFile **items;
    size_t count, capacity;
} Program;

/* Parses sources with the interpreter that will run them: fills trees[i]. Given by the caller, since this
 * room knows no processes. A syntax error in a source is an error with its place. */
typedef struct SyntaxProblem {
    int line;            /* from 1; 0: unknown */
    const char *message; /* NULL: there is none */
} SyntaxProblem;

typedef struct Parser {
    Status (*parse)(void *context, Arena *arena, const Source *sources, size_t count, Tree *trees,
                    Error *error);
    /* Says which of many files are not valid Python, far faster than parse, which may still refuse one that
     * is nested too deeply. NULL: can't. */
    Status (*check)(void *context, Arena *arena, const Source *sources, size_t count, SyntaxProblem *problems,
                    Error *error);
    void *context;
} Parser;

/* Which modules may be imported is settled here (rules py.import-*), by the first part of their dotted names;
 * what may be taken from an allowed module is the policy's.
 * Reads and parses `path` and every component that it reaches; of an original, its main file alone. `part` is
 * that of the main file: PART_OWN for a refactored.py, PART_CHILD for a component that is judged alone,
 * PART_ORIGINAL for an original. Import problems (two files that fit in one place, a file with the name of a
 * standard or allowed module, an import that is neither) are findings; a file that can't be read or parsed is
 * an error. */
MUST_USE Status program_load(Arena *arena, const Parser *parser, const char *path, FilePart part,
                             const char *const *allowed_imports, size_t allowed_count, Program *program,
                             Findings *findings, Error *error);
/* The binding of the call `node`, or of `name` by the import statement `node`; NULL if there is none (it's a
 * library's). */
const Binding *program_binding(const ProgramFile *file, const Node *node, const char *name);
/* Every rule of this room, NULL-terminated, for documents and tests. */
extern const Rule *const SOURCE_RULES[];
/* The same files, byte by byte, in the same order; whatever they are called. */
bool program_equal(const Program *a, const Program *b);
/* The "files" of docs/protocol.md with "at" and "size" left to the caller. New reference. */
json_t *program_to_json(const Program *program);

#endif
