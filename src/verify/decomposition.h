/* decomposition: what is verified of a whole decomposition, part by part; docs/decomposition.md. */
#ifndef PLUMBLINE_DECOMPOSITION_H
#define PLUMBLINE_DECOMPOSITION_H

#include "project.h"
#include "verify.h"

#include <signal.h>

/* ---- Facts: what a run shows of tensors ------------------------------------------------------ */
typedef struct TensorFact {
    const char *name;  /* an argument's name and path in it, a state-dict key, an output's path */
    const char *dtype; /* "torch.float32" */
    const int64_t *shape;
    size_t rank;
} TensorFact;
typedef struct TensorFacts {
    TensorFact *items;
    size_t count, capacity;
} TensorFacts;
/* "torch.float32 [2, 32]" */
const char *tensor_fact_describe(Arena *arena, const TensorFact *fact);

/* ---- Semantic operators (semantic.c) ----------------------------------------------------------
 * The words that people count: call-depth operators, with whole kernels that are written in primitives folded
 * into one by the patterns. Views, assembly, casts, creation, masks and operators on known values are left
 * out. */
typedef enum SemanticKind {
    SEMANTIC_COMPUTE,
    SEMANTIC_ARITHMETIC /* add, mul and their kin that no pattern took in */
} SemanticKind;
typedef struct SemanticOperator {
    const char *name; /* "linear", "gelu", "rms_norm", "add": as in torch.nn.functional, or the pattern's */
    SemanticKind kind;
    bool pattern, kernel; /* named by a pattern; by one that is marked as a kernel */
    size_t call;          /* its last call in the trace */
    size_t *calls;        /* all of them, rising */
    size_t call_count;
    int64_t module_call; /* the innermost that holds all of it, or NO_NUMBER */
    bool live;           /* an output depends on it */
} SemanticOperator;
typedef struct SemanticOperators {
    SemanticOperator *items; /* in order of `call` */
    size_t count, capacity;
} SemanticOperators;
/* Of forward alone. `graph` may be NULL: then nothing is folded. */
SemanticOperators semantic_operators(Arena *arena, const Trace *trace, const Graph *graph,
                                     const Patterns *patterns);

/* ---- One component (component_verify.c) -------------------------------------------------------- */
typedef struct ComponentOptions {
    const char *file;
    bool has_level;
    Level level;  /* what it is to be; otherwise by the folder that it stands in */
    bool trusted; /* an original: may do what an original may, and is held to no language */
    Rigor rigor;
    const Parser *parser; /* NULL: the probe's */
    uint64_t seed;
    const char *device;
    double timeout, self_test_timeout; /* seconds; 0: 300 and 60 */
    bool without_test;                 /* its own test is not run; then it can't pass */
    struct Recall *recall;             /* what was found out of it as a step's original; NULL: nothing */
    bool
        check_name; /* a kernel's name must have its form too; in a decomposition project_read sees to that */
    uint64_t memory;
    int threads; /* of each cell; 0: all */
    const char *const *allowed_imports;
    size_t allowed_import_count;
} ComponentOptions;

typedef struct ComponentResult {
    Verdict verdict;
    const char *error, *fail_reason;
    const char *file;
    bool has_level;
    Level level;
    PartStatus language, self_test, runs, shapes, finite, deterministic, one_operation;
    const char *self_test_said; /* the last line that it printed */
    Findings *findings;
    TensorFacts inputs, outputs, state; /* with the file's own inputs and init arguments */
    Value init; /* its own init arguments bound to the names of __init__, a dict; NONE if unknown */
    SemanticOperators operators;
    bool recorded, symbolic;
    Trace trace; /* if recorded */
    Graph graph;
    const char **files;
    size_t file_count;
    double seconds;
} ComponentResult;
void component_verify(Arena *arena, Probe *probe, const Patterns *patterns, const ComponentOptions *options,
                      const Progress *progress, ComponentResult *result);
/* The same in two parts: its source and its own test; what it does, and the verdict. Options live as long as
 * the result. */
typedef struct ComponentState ComponentState;
ComponentState *component_begin(Arena *arena, Probe *probe, const Patterns *patterns,
                                const ComponentOptions *options, const Progress *progress,
                                ComponentResult *result);
void component_end(ComponentState *component);

/* What a level claims (levels.c): a kernel is one operation and its name is true, a fusion a straight line, a
 * layer and a model what the guide says. Adds findings level.*, name.*. */
void level_check(Arena *arena, const ComponentResult *component, const Patterns *patterns,
                 Findings *findings);

/* ---- Recomposition (composition.c) --------------------------------------------------------------- */
typedef struct Placement { /* a component at a place of the recomposed model */
    size_t component;
    const char *module; /* path in the recomposed model */
    bool refactored; /* a step's RefactoredModel stands there; otherwise the component's own Model: a leaf */
    size_t step;     /* if refactored */
    size_t module_call;          /* of the trace; SIZE_MAX: never called */
    TensorFacts inputs, outputs; /* of that call, the first */
    TensorFacts *other_inputs; /* of the later calls of the same module, where they differ from all before */
    size_t other_count;
    Value init;     /* what the parent gave, bound to the names of the component's __init__, a dict */
    Value own_init; /* what its own get_init_inputs() gives, bound likewise; NONE: that could not be had */
} Placement;

typedef struct CompositionTest { /* verification/composition_test.py, as it is */
    PartStatus status;           /* SKIPPED: there is none */
    const char *said;            /* the last line that it printed */
    const char *why_not;         /* one sentence, if it did not pass */
} CompositionTest;
void composition_test_verify(Arena *arena, Probe *probe, const Project *project, const StepOptions *options,
                             CompositionTest *test);

typedef struct CompositionOptions {
    StepOptions step;            /* original and refactored are filled from the project */
    bool run_test;               /* verification/composition_test.py too */
    const CompositionTest *test; /* what it did, if it was run already */
} CompositionOptions;

typedef struct CompositionResult {
    Verdict verdict;         /* of all of it: `step`, findings, test */
    const char *fail_reason; /* one sentence; NULL on PASS */
    StepResult step; /* the recomposed model against the root model: method, proof, numbers, findings */
    bool composed;   /* there was something to verify */
    const char *why_not;
    size_t *missing; /* components above kernel level that no step refactors */
    size_t missing_count;
    bool recorded;
    Trace original_trace, trace;
    Graph original_graph, graph; /* of the sample's call; `recorded` */
    const char **original_files, **files;
    size_t original_file_count, file_count;
    Placement *placements; /* by module path */
    size_t placement_count;
    json_t *weight_map; /* root key -> recomposed key(s); NULL if steps could not be composed */
    PartStatus test;    /* composition_test.py; SKIPPED: there is none */
    const char *test_said;
    Findings *findings; /* composition.*, beside those of `step` */
} CompositionResult;
/* The names of forward's positional arguments in a component's file, without self; `*rest`: of *args. */
size_t forward_argument_names(Arena *arena, const Tree *tree, const char ***names, const char **rest);
/* `steps`: one result for each step of the project, NULL where it was not verified. */
void composition_verify(Arena *arena, Probe *probe, const Project *project, const StepResult *const *steps,
                        const CompositionOptions *options, const Progress *progress,
                        CompositionResult *result);

/* The verdict and its reason, once more: after findings were added. */
void composition_conclude(Arena *arena, CompositionResult *result);

/* Dimensions (dimensions.c): every component's own inputs and init arguments equal what reaches it in the
 * recomposed model. `components`: one for each component of the project, NULL where not verified. Rules
 * dimensions.*. */
void dimensions_check(Arena *arena, const Project *project, const ComponentResult *const *components,
                      const CompositionResult *composition, Findings *findings);

/* ---- Coverage (coverage.c) ------------------------------------------------------------------------ */
typedef enum CoverageStatus {
    COVERAGE_COVERED,
    COVERAGE_PARTIAL,
    COVERAGE_MISSING,
    COVERAGE_EXTRA
} CoverageStatus;
const char *coverage_status_name(CoverageStatus status); /* "covered" */
typedef struct CoverageRow {
    const char *operator;
    size_t original, decomposed;
    CoverageStatus status;
    bool arithmetic;  /* a row that is never wrong by itself */
    const char *note; /* "3 parts of split weights count as 1 call", or NULL */
} CoverageRow;
typedef struct CoverageResult {
    CoverageRow *rows; /* compute first, by name */
    size_t row_count;
    size_t original_total, decomposed_total, covered;
    double percent;
    const char *status;   /* "FULL_COVERAGE" .. */
    const char **remarks; /* "softmax is counted twice: in kernels and in the fusions above them", .. */
    size_t remark_count;
    Findings *findings; /* coverage.* */
} CoverageResult;
/* Original: operators of the root model. Decomposed: those in leaf kernels of the recomposed model. */
void coverage_of_composition(Arena *arena, const Project *project, const CompositionResult *composition,
                             const Patterns *patterns, CoverageResult *result);
/* Of one step: its parent's operators against those of the leaf kernels below it, at its first place. */
void coverage_of_step(Arena *arena, const CompositionResult *composition, const Project *project, size_t step,
                      const ComponentResult *parent, const Patterns *patterns, CoverageResult *result);
/* Without a recomposed model. */
typedef struct CoverageChildren {
    const char *const *files; /* as given */
    size_t count;
    const TraceResult *traces;     /* one for each: each file counts once. NULL if there is `refactored` */
    const TraceResult *refactored; /* what calls them: each counts as often as it is called; NULL */
} CoverageChildren;
void coverage_of_children(Arena *arena, const TraceResult *original, const CoverageChildren *children,
                          const Patterns *patterns, CoverageResult *result);

/* ---- Shape flow (flow.c) --------------------------------------------------------------------------- */
typedef enum FlowKind {
    FLOW_INPUT,
    FLOW_STAGE,    /* a module, a component, or an operator of the code that calls them */
    FLOW_JOIN,     /* arithmetic of several values: a residual */
    FLOW_PLUMBING, /* a view that changes the shape; below the first level only */
    FLOW_GROUP,    /* several stages that are repeated; they are inside */
    FLOW_OUTPUT
} FlowKind;
const char *flow_kind_name(FlowKind kind); /* "stage" */

typedef struct FlowStage FlowStage;
struct FlowStage {
    FlowKind kind;
    const char *label; /* "layer_norm", "attention (qkv_proj → attention → out_proj)", "add (residual)" */
    const char *name;  /* the label without what is inside */
    const char *module; /* path of its first call; NULL: no module */
    const char *what;   /* of a module: the stem of its component's file, or its class; NULL */
    const char *id;     /* of its node in the tree; NULL */
    bool has_level;
    Level level;
    TensorFacts outputs;
    size_t repeat; /* "× 12"; 1: once */
    size_t *from; /* stages that it takes values of, in this list, rising; one inside a group: in the group */
    size_t from_count;
    FlowStage *inside; /* of the level below, from its inputs to its outputs */
    size_t inside_count;
    uint64_t alike; /* equal for stages that do the same at other places */
};
typedef struct Flow {
    const char *name;
    FlowStage *stages; /* in order of execution */
    size_t stage_count;
} Flow;
/* Of one component's trace: by its modules, and below them by calls. `files` are those of its program, by
 * number. Linear in the trace; modules are opened down to 32 levels. */
Flow flow_of_trace(Arena *arena, const char *name, const Trace *trace, const char *const *files,
                   size_t file_count);
/* Of the recomposed model: by components, level by level. */
Flow flow_of_composition(Arena *arena, const Project *project, const CompositionResult *composition);
/* The tree's declared shapes, dtypes and data_flow against what ran. Rules flow.*. */
void flow_check(Arena *arena, const Project *project, const ComponentResult *const *components,
                const CompositionResult *composition, Findings *findings);

/* ---- Tasks (tasks.c) --------------------------------------------------------------------------------
 * Runs independent tasks in threads, at most `jobs` at once and within a budget of memory: a task begins only
 * while those that run need no more than the budget with it, or when nothing runs. Heavy ones first; a few
 * lighter ones may go before one that there is no room for, and then wait for it. */
typedef struct Task {
    const char *name;
    void (*run)(void *context, Arena *arena,
                const Progress *progress); /* the arena is freed with the one that tasks_run got */
    void *context;
    uint64_t memory; /* bytes that it is thought to need */
    bool follows;    /* it begins when all tasks that don't follow have ended */
    bool done;       /* false: it was not begun, since the user interrupted */
    double seconds;
} Task;
typedef struct TaskSettings {
    unsigned jobs;                                 /* 0: as many as there are processors */
    uint64_t memory;                               /* 0: by what is free */
    const volatile sig_atomic_t *interrupted;      /* not 0: begin no more tasks; NULL */
    void (*tell)(void *context, const char *line); /* what runs now and what is left; by any thread, but one
                                                      at a time; NULL */
    void *tell_context;
} TaskSettings;
/* Returns when all that were begun have ended. What they write must be their own. */
void tasks_run(Arena *arena, Task *tasks, size_t count, const TaskSettings *settings);
unsigned tasks_jobs(unsigned jobs); /* 0 becomes the number of processors */

/* ---- Memory (memory.c, budget.c) --------------------------------------------------------------------- */
uint64_t memory_available(void); /* bytes that the machine, or our control group, can still give */
/* About how many bytes verifying a component, or a step that refactors it, takes: from the shapes that the
 * tree declares, and weights by the names of the kernels below it. An estimate: it orders tasks and keeps
 * large ones apart; what a cell may use is limited elsewhere. */
uint64_t declared_memory(const Project *project, size_t component);

/* ---- The whole (check.c) ----------------------------------------------------------------------------- */
typedef struct CheckResult CheckResult;
typedef struct CheckOptions {
    ProjectOptions project;
    Rigor rigor;
    unsigned jobs;    /* tasks at once; 0: as many as there are processors */
    unsigned threads; /* of each cell; 0: processors / jobs, at least 1 */
    uint64_t memory;  /* of all tasks; 0: by what is free */
    uint64_t seed;
    double timeout, self_test_timeout; /* seconds; 0: 300 and 60 */
    const char *device;
    const Patterns *patterns;
    const volatile sig_atomic_t *interrupted;
    /* Called when all has run, before what the folder says of itself is looked at: writes result files. NULL
     */
    void (*write)(void *context, Arena *arena, const CheckResult *result);
    void *write_context;
} CheckOptions;

typedef struct ChecklistLine {
    const char *text; /* the guide's own */
    bool holds;
    bool judged;          /* false: interrupted before, or nothing to judge it by; then it doesn't hold */
    const char *evidence; /* why it holds, or the first thing to fix */
} ChecklistLine;
enum { CHECKLIST_COUNT = 17 };

struct CheckResult {
    Verdict verdict;
    const char *error; /* on ERROR only */
    Rigor rigor;
    Project project;
    ComponentResult *components; /* one for each of the project's */
    StepResult *steps;
    bool has_model;        /* the root component isn't the root model word for word: */
    ComponentResult model; /* the root model by itself */
    StepResult model_proof;
    CompositionResult composition;
    CoverageResult coverage;
    Flow flow;
    Findings *findings;   /* of everything, with places in the folder; sorted */
    const Finding *first; /* the one thing to fix first; NULL on PASS */
    ChecklistLine checklist[CHECKLIST_COUNT];
    bool interrupted;
    const Patterns *patterns;
    SandboxReport sandbox;
    const char *python_version, *torch_version, *interpreter;
    double seconds;
};
/* What a step is judged against. The root's own: the model that is trusted. The others: the component that an
 * earlier step made, which is that step's candidate, and its own file, since a copy might import something
 * else from where it stands. */
void step_choose_original(const Project *project, const ProjectStep *step, StepOptions *options);
/* Runs everything. Never fails: what goes wrong is a verdict with its reason. */
void check_verify(Arena *arena, Probe *probe, const CheckOptions *options, const Progress *progress,
                  CheckResult *result);
void check_result_close(CheckResult *result); /* what is not the arena's */

#endif
