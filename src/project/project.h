/* project: a decomposition folder as it lies on disk: components, tree, log, steps, and how they hang
 * together (formats.md; docs/decomposition.md). Reads and parses, and runs nothing. */
#ifndef PLUMBLINE_PROJECT_H
#define PLUMBLINE_PROJECT_H

#include "base.h"
#include "source.h"

/* ---- Levels ------------------------------------------------------------------------------- */
typedef enum Level {
    LEVEL_KERNEL,
    LEVEL_FUSION,
    LEVEL_LAYER,
    LEVEL_MODEL,
    LEVEL_COUNT
} Level;                               /* lowest first */
const char *level_name(Level level);   /* "kernel" */
const char *level_folder(Level level); /* "level_0_kernel" */
bool level_of_name(const char *name, Level *level);
/* By the folder that a file stands in; false if it is none of the four. */
bool level_of_path(const char *path, Level *level);

/* An index into Project.components, nodes or steps; SIZE_MAX where there is none. */
enum { MOST_PROJECT_FILES = 100000 };
#define NO_INDEX SIZE_MAX

/* ---- Components: one file in a level folder ------------------------------------------------ */
typedef struct Component {
    Source source; /* source.name is the path relative to the decomposition: "level_0_kernel/gelu_fp32.py" */
    Tree tree;     /* parsed; module NULL if `broken` (or not needed: structure_only) */
    const char *broken; /* why it could not be read or parsed, one line; NULL */
    const char *stem;   /* "gelu_fp32" */
    Level level;
    size_t node; /* the tree's node with this path */
    size_t step; /* the step that refactors it */
} Component;

/* ---- decomposition_tree.json ----------------------------------------------------------------
 * What is declared, not what is true. */
typedef struct Declared { /* a tensor */
    const char *name;
    int64_t *shape; /* negative: not a number in the file */
    size_t rank;
    const char *dtype; /* without "torch.": "float32"; NULL: missing */
} Declared;

typedef struct TreeNode {
    const char *key, *id, *name, *path;
    bool has_level;
    Level level;
    size_t component; /* the file at `path` */
    const char **child_ids;
    size_t *children; /* indices of nodes, NO_INDEX for an id that no node has; as many as child_ids */
    size_t child_count;
    int64_t instance_count; /* -1: not given */
    Declared *inputs, *outputs;
    size_t input_count, output_count;
    int line; /* of its key in the file */
} TreeNode;

typedef struct FlowEdge {
    const char *from, *to; /* ids, "input" or "output" */
    size_t from_node, to_node;
    Declared tensor;
} FlowEdge;

/* ---- Steps ---------------------------------------------------------------------------------- */
typedef struct StepChild {   /* a component file that refactored.py reaches */
    const ProgramFile *file; /* in ProjectStep.program; or one of children/ that is not reached: NULL */
    const char *path;        /* absolute */
    const char *name;        /* relative to the decomposition */
    size_t component;        /* with the same content; NO_INDEX: none, a finding */
    size_t namesake;         /* where there is none: the component of its name, from which it differs */
} StepChild;

typedef struct ProjectStep {
    const char *name;        /* "step_3_transformer_block_to_fusions" */
    const char *folder;      /* absolute */
    const char *original;    /* absolute; NULL: absent, and then the parent's own file is the original */
    const char *refactored;  /* absolute; NULL: absent, a finding */
    const char *weight_map;  /* absolute; NULL: absent */
    Program program;         /* of refactored.py; no items if it can't be loaded */
    const char *broken;      /* why not, one line; NULL */
    size_t parent;           /* the component that it refactors */
    bool original_is_parent; /* what original.py says is the component's own file; so does its absence */
    StepChild *children;     /* those that the program reaches first, in its order */
    size_t child_count;
} ProjectStep;

typedef struct LogEntry {
    const char *step, *type, *title;
} LogEntry;

/* ---- The whole ------------------------------------------------------------------------------ */
typedef struct Project {
    Arena *arena;
    const char *folder;    /* absolute */
    const char *name;      /* as given */
    Component *components; /* by level from the model down, then by name */
    size_t component_count;
    TreeNode *nodes; /* in the file's order */
    size_t node_count;
    size_t root_node;
    FlowEdge *edges;
    size_t edge_count;
    ProjectStep *steps; /* by number, then name */
    size_t step_count;
    LogEntry *log;
    size_t log_count;
    size_t root_component; /* of level model; NO_INDEX if there is none */
    const char *model;     /* absolute: the root model, which alone is trusted */
    Source model_source;
    Tree model_tree;
    bool model_equals_root;       /* the same syntax tree as root_component: no proof is needed */
    const char *composition_test; /* verification/composition_test.py, absolute; NULL */
    Findings *findings;           /* of everything that needs no run */
} Project;

typedef struct ProjectOptions {
    const char *folder;
    const char *model; /* --model; NULL: found by metadata.source_file */
    const char *const *allowed_imports;
    size_t allowed_import_count;
    bool structure_only; /* components' trees are not needed: those that no other file is like stay unparsed,
                            which is much faster; syntax errors are found all the same */
} ProjectOptions;

/* Reads and parses everything, and adds the findings of rules tree.*, level.*, name.* (as far as the name's
 * form goes), chain.*, log.*, file.*. What is missing or malformed is a finding; an error means that nothing
 * can be judged: no folder, an empty one, no root model. `parser` is kept for nothing. Linear in the size of
 * the folder. Owned by the arena. */
MUST_USE Status project_read(Arena *arena, const Parser *parser, const ProjectOptions *options,
                             Project *project, Error *error);

/* ---- A new decomposition --------------------------------------------------------------------- */
typedef struct InitOptions {
    const char *folder, *model;
    bool force; /* into a folder that has something in it: what is there under the same names is replaced */
} InitOptions;
/* Makes the folders, the root component, the tree with the root's node, an empty log and a composition test.
 * Nothing is written unless the model is Python with a class Model and get_inputs(). Without `force` the
 * folder must be absent or empty, and appears whole or not at all; with it, nothing is written through a link
 * that leaves it. `*component` is the root's name relative to it. */
MUST_USE Status project_init(Arena *arena, const Parser *parser, const InitOptions *options,
                             const char **component, Error *error);
/* "GPT2Small" -> "gpt2_small" */
const char *snake_name(Arena *arena, const char *stem);

/* The same syntax tree, docstrings aside. */
bool trees_equal(const Tree *a, const Tree *b);

/* A parser that remembers by content what it has parsed; safe to be used by several threads at once.
 * Lives as long as the arena. */
Parser parser_remembering(Arena *arena, const Parser *parser);

/* ---- Kernel names --------------------------------------------------------------------------- */
typedef struct KernelName { /* linear_768x3072_fp32, conv2d_3x64_k3p1_fp32 */
    const char *operation;  /* "linear" */
    int64_t (*dims)[8];     /* one row for each group in x ("768x3072"; two for matmul) */
    size_t *ranks;
    size_t group_count;
    struct {
        char letter; /* k s p d g */
        int64_t value;
    } extras[8];
    size_t extra_count;
    const char *tokens[8]; /* what else was added to tell two workloads apart */
    size_t token_count;
    const char *dtypes[4]; /* codes: "i64", "fp32" */
    size_t dtype_count;
} KernelName;
/* False, with why in `problem`, if `stem` is no such name. */
bool kernel_name_parse(Arena *arena, const char *stem, KernelName *name, const char **problem);
/* The rule that it breaks, if it is none or has a copy's number, and what is wrong. */
bool kernel_name_wrong(Arena *arena, const char *stem, const char **rule, const char **problem);
/* "torch.float32" -> "fp32"; NULL if the dtype has no code. */
const char *dtype_code(const char *dtype);

/* Every rule of this room, NULL-terminated, for documents and tests. */
extern const Rule *const PROJECT_RULES[];
/* For the rooms that judge what a run shows: the rule with this id, which exists. */
const Rule *project_rule(const char *id);

#endif
