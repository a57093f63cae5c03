/* graph: a recording made pure. Every value is a term: an operator applied to terms. Two graphs that are the
 * same up to the names of parameters are the same computation. */
#ifndef PLUMBLINE_GRAPH_H
#define PLUMBLINE_GRAPH_H

#include "base.h"
#include "trace.h"

/* ---- Terms --------------------------------------------------------------------------------
 * Hash-consed within a side: equal terms of one graph have one id. */
typedef struct TermId {
    uint32_t number;
} TermId;

typedef enum TermKind {
    TERM_INPUT,    /* a tensor given to forward; its path is part of the label */
    TERM_STATE,    /* a parameter or buffer; `key` names it, the label says only kind, dtype and shape */
    TERM_CONSTANT, /* bytes written in the source (torch.tensor([..])); their hash is part of the label */
    TERM_OPERATOR, /* one result of an ATen operator */
    TERM_VIEW,     /* elements of the one operand, by a strided index map that the label spells */
    TERM_WRITE,    /* the first operand with some elements (an index map) replaced by the second's */
    TERM_INITIAL,  /* what memory holds before anything is written, and what a parameter holds before weights
                      are loaded */
    TERM_UNKNOWN   /* a value of no known origin: equal to nothing, not even itself */
} TermKind;

typedef struct Term {
    TermKind kind;
    const char *label; /* all that decides the value but the operands: operator, arguments with % for each
                          operand, result, dtype, shape, ambient state, serial number of a random draw.
                          Interned: equal labels of graphs with one GraphLabels are one pointer */
    TermId *operands;
    uint32_t operand_count;
    bool commutative; /* the first two operands may change places, bit for bit */
    bool known;       /* made of constants and shapes alone: no input, no state, no draw, no initial value */
    bool kept;        /* not known, but made of that and of buffers that keep their construction's value */
    bool grad;        /* made while gradients were enabled; not part of the label (soundness 9) */
    bool detached;    /* forward detaches it somewhere; not part of the label either */
    const char *content;  /* KNOWN and KEPT terms and buffers: a hash of their bytes, where they were small
                             enough to be hashed; else NULL */
    const char *key;      /* STATE: its first key; INPUT: its path; else NULL */
    size_t state;         /* STATE: index in Graph.states; else SIZE_MAX */
    const char *operator; /* for words and diagnosis: "aten::gelu"; "" where no operator made it */
    const Value *args;    /* as recorded, in the schema's order with defaults, tensors by number; or NULL */
    size_t arg_count;
    const char *const *arg_names; /* of the schema */
    const bool *arg_defaults;     /* which args are what the schema gives where nothing is said; or NULL */
    TermId via;  /* VIEW: what was viewed where it was made first: the operand, or a view between */
    size_t item; /* VIEW: of the operator's list of results, or SIZE_MAX */
    const char *dtype;
    const int64_t *shape;
    size_t rank;
    size_t call; /* the call of the trace during which it was made first, or SIZE_MAX */
} Term;

/* A parameter or buffer of the model as constructed. */
typedef struct GraphState {
    const char **keys; /* the first names it; the others are tied to it */
    size_t key_count;
    bool buffer;
    bool known;        /* a buffer that keeps its value from construction (policy.md, "Buffers") */
    TermId initial;    /* what construction left in it */
    size_t overlapped; /* an earlier state in whose memory it lies in part or otherwise; SIZE_MAX: none */
    TermId term;
    TermId final;     /* what it holds after forward; equal to `term` if nothing wrote it */
    uint32_t storage; /* as in GraphOutput */
} GraphState;

typedef struct GraphInput {
    const char *path;
    TermId term, final;
    uint32_t storage; /* as in GraphOutput */
} GraphInput;

/* Data that was read in Python: what the path depends on. In order. */
typedef struct GraphRead {
    TermId term;
    const char *value; /* as text: "True", "3" */
    size_t call;
} GraphRead;

typedef struct GraphOutput {
    const char *path; /* out["logits"][0]; "out" for the only one */
    TermId term;      /* of a tensor */
    bool is_tensor;
    const Value *value; /* the leaf itself */
    uint32_t storage;   /* outputs, inputs and state with equal storages share memory */
    bool contiguous, channels_last;
} GraphOutput;

typedef struct Graph {
    Term *terms; /* operands before their users */
    size_t term_count;
    GraphInput *inputs;
    size_t input_count;
    GraphState *states;
    size_t state_count;
    GraphOutput *outputs; /* leaves of the outputs in order, and of what forward left in attributes (path
                             "kept.NAME") */
    size_t output_count;
    const Value *returned, *kept; /* those of which `outputs` are the leaves; NULL: of no call */
    GraphRead *reads;
    size_t read_count;
    const char **draws; /* random calls of forward, in order: what each is, whoever takes it */
    size_t draw_count;
    size_t event_count; /* operators recorded in forward, before hash-consing */
    const char *
        *opaque; /* names of calls whose effect is unknown: other namespaces than aten, custom Functions */
    size_t opaque_count;
    const Trace *trace; /* for places; borrowed */
    bool symbolic;      /* recorded on shapes alone */
} Graph;

/* Interned labels, shared by the graphs that are to be compared. */
typedef struct GraphLabels GraphLabels;
GraphLabels *graph_labels_new(Arena *arena);

/* Builds the graph of a recording (docs/protocol.md, "A recording"), which is checked as hostile. `pieces`:
 * what the cell wrote to its memory file; may be empty. `trace` is the call-depth trace of the same run, or
 * NULL. Linear in its size. Owned by the arena. */
MUST_USE Status graph_build(Arena *arena, GraphLabels *labels, const json_t *recording, Bytes pieces,
                            const Trace *trace, Graph *graph, Error *error);

/* The same of several calls of forward in one recording, one graph each; they share their terms, and what
 * earlier calls left is part of what a later one begins with. A call without outputs (it raised) gives an
 * empty graph. `trace` is that of the first. */
typedef struct GraphCall {
    size_t end; /* how many events there are by then */
    unsigned
        number; /* grows from call to call; two sides' calls of one number get the same inputs and draws */
    const json_t *outputs, *kept;
} GraphCall;
MUST_USE Status graph_build_calls(Arena *arena, GraphLabels *labels, const json_t *recording, Bytes pieces,
                                  const GraphCall *calls, size_t count, const Trace *trace, Graph *graphs,
                                  Error *error);
/* How many events it has. */
MUST_USE Status recording_event_count(const json_t *recording, Bytes pieces, size_t *count, Error *error);

/* The number of the first term that uses a value of no known origin (UNKNOWN, INITIAL) and that an output, a
 * read or final state depends on; of the value itself where it is one of those. SIZE_MAX: none. */
size_t graph_unknown_origin(const Graph *graph);

/* ---- Unification -------------------------------------------------------------------------- */

typedef enum DifferenceKind {
    DIFFERENCE_NONE,
    DIFFERENCE_MISSING_OPERATOR,
    DIFFERENCE_EXTRA_OPERATOR,
    DIFFERENCE_OTHER_OPERATOR,
    DIFFERENCE_WRONG_ORDER,
    DIFFERENCE_CONSTANT,  /* same operator, another argument, dtype or shape */
    DIFFERENCE_WIRING,    /* same operator, another operand */
    DIFFERENCE_WEIGHTS,   /* a parameter stands where the original has another */
    DIFFERENCE_STRUCTURE, /* outputs, inputs, reads, draws, final state differ in number or form */
    DIFFERENCE_UNKNOWN    /* a value of no known origin, an opaque call */
} DifferenceKind;
const char *difference_kind_name(DifferenceKind kind); /* "missing operator": the guide's words */

typedef struct Difference {
    DifferenceKind kind;
    TermId original, candidate; /* number UINT32_MAX: that side has none */
    const char *what; /* one sentence, both sides: "original applies gelu(approximate='tanh') in blocks.3.mlp;
                         refactored applies gelu()" */
    size_t original_call, candidate_call; /* calls of the traces, or SIZE_MAX */
} Difference;

/* An original parameter or buffer and the candidate's that stands for it. */
typedef struct StateBinding {
    const char *original, *candidate; /* first keys */
    bool free; /* by symmetry another assignment would do as well, and names didn't settle it */
} StateBinding;

/* What is asked of the bindings beforehand. */
typedef struct BindingRules {
    const char *const *original_keys; /* pairs that must be bound, from an explicit map */
    const char *const *candidate_keys;
    size_t count;
} BindingRules;

typedef struct Unification {
    bool proved;
    StateBinding
        *bindings; /* complete if proved: every state that an output, a read or final state depends on */
    size_t binding_count;
    const char **narrowed; /* sentences: "equal at these shapes: ..", "forward only: .." */
    size_t narrowed_count;
    const char **narrowed_by; /* for each: the rule of soundness, "soundness 7" */
    Difference difference;    /* if not proved */
    size_t pairs;             /* of terms that were compared */
} Unification;

/* Is the candidate the original with its parameters renamed? Both graphs have the same labels. Time linear in
 * practice. */
Unification graph_unify(Arena *arena, const Graph *original, const Graph *candidate,
                        const BindingRules *rules);

/* How outputs lie in memory otherwise than the original's, of what is not proved: a sentence, or NULL. State
 * is what has one name, or what the rules say. */
const char *graph_unlike_memory(Arena *arena, const Graph *original, const Graph *candidate,
                                const BindingRules *rules);

/* A state that lies in another's memory on one side only, in part or in another order: what changes the one
 * changes the other there. A sentence, or NULL. */
const char *graph_unlike_state_memory(Arena *arena, const Graph *original, const Graph *candidate,
                                      const BindingRules *rules);

/* ---- For people --------------------------------------------------------------------------- */
/* A term in short: "gelu(approximate='tanh')"; a state by its key. Usual arguments are left out. */
const char *term_describe(Arena *arena, const Graph *graph, TermId term);

typedef enum GraphFormat { GRAPH_TEXT, GRAPH_DOT } GraphFormat;
void graph_print(const Graph *graph, const char *const *files, size_t file_count, GraphFormat format,
                 Text *text);
json_t *graph_to_json(const Graph *graph, const char *const *files, size_t file_count);
/* "children/fc.py:12" and "blocks.0.mlp", where the term was made; NULL if unknown. */
const char *term_place(Arena *arena, const Graph *graph, TermId term, const char *const *files,
                       size_t file_count);
const char *term_module(const Graph *graph, TermId term);
/* By term: an output, a read or what is left in state and inputs depends on it. */
bool *graph_live_terms(Arena *arena, const Graph *graph);

/* ---- Patterns -----------------------------------------------------------------------------
 * Whole kernels written in primitives, by name. For counting and naming, never for a proof of equality
 * (docs/patterns.md). */
typedef struct Patterns Patterns;

/* The built-in patterns (ops/patterns.txt), and those of `text` unless its data is NULL; `name` is its file's
 * in messages. Owned by the arena. */
MUST_USE Status patterns_parse(Arena *arena, const char *name, Bytes text, Patterns **patterns, Error *error);

typedef struct PatternMatch {
    const char *pattern;
    bool kernel; /* one semantic operation; otherwise a fusion of several */
    TermId root;
    TermId *inputs; /* the operands in the pattern's order, without those that this spelling hasn't */
    size_t input_count;
    TermId *inside; /* rising; the root is the last */
    size_t inside_count;
} PatternMatch;

/* The largest, from the outputs down: each live term is inside one match at most. In order of their roots. */
size_t patterns_match(Arena *arena, const Patterns *patterns, const Graph *graph, PatternMatch **matches);
/* The same of kernels alone: those that a fusion is made of are not hidden by it. */
size_t patterns_match_kernels(Arena *arena, const Patterns *patterns, const Graph *graph,
                              PatternMatch **matches);
void patterns_print(const Graph *graph, const PatternMatch *matches, size_t count, const char *const *files,
                    size_t file_count, Text *text);
json_t *patterns_to_json(const Graph *graph, const PatternMatch *matches, size_t count,
                         const char *const *files, size_t file_count);

#endif
