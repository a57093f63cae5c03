/* What the files of this room share and the door doesn't show. */
#ifndef PLUMBLINE_GRAPH_PARTS_H
#define PLUMBLINE_GRAPH_PARTS_H

#include "graph.h"
#include "layout.h"

/* ---- Recordings (recording.c) ------------------------------------------------------------- */
#define NO_CALL SIZE_MAX

typedef struct Layout {
    const char *dtype;
    int64_t *shape, *stride; /* stride is 0 where a dimension has at most one element */
    size_t rank;
    int64_t count; /* elements */
    bool floating;
    Digits *digits; /* from memory to elements, made when first asked for; see layout_digits */
    bool digits_made;
} Layout;

typedef struct Tensor {
    Layout *layout;
    int64_t offset;
    uint32_t storage; /* storage.c; NO_STORAGE: not met yet */
} Tensor;

/* What an operator does with values, so far as it is not an operator like any other (normal.c). */
typedef enum OperatorClass {
    OPERATOR_PLAIN,
    OPERATOR_VIEW,    /* the result is memory of the argument, by its layout */
    OPERATOR_SAME,    /* the argument's value in another layout */
    OPERATOR_RESHAPE, /* the argument's elements in order, in another shape */
    OPERATOR_CAST,    /* the argument's value in the result's dtype */
    OPERATOR_COPY,    /* the value of another argument, cast and expanded to the result */
    OPERATOR_ZERO,    /* filled with a number */
    OPERATOR_ONE,
    OPERATOR_FILL,
    OPERATOR_EMPTY
} OperatorClass;

enum { SPELL_NEVER, SPELL_VALUE, SPELL_DIM };

typedef struct Schema {
    const char *name;      /* as recorded */
    const char *canonical; /* "aten::add.Tensor" for add_.Tensor and add.out */
    const char *bare;      /* "add" */
    const char *operator;  /* "aten::add" */
    OperatorClass class;
    size_t source; /* COPY, FILL: the argument with the value; else 0 */
    size_t arg_count;
    const char **arg_names;
    bool *is_number; /* the type is a Scalar, or a tensor for which a number may stand */
    Value *defaults;
    bool *has_default;
    bool *written;
    bool *read;       /* false: written without being looked at (out=, the self of uniform_) */
    uint8_t *spelled; /* SPELL_..: how the argument stands in labels */
    bool writes_any;
    size_t (*views)[2];
    size_t view_count;
    bool list_views, random, reshapes, opaque, commutative, swapped;
    int64_t dim_extra; /* dimensions count from the rank of the first tensor plus this */
    size_t training;   /* the argument that says whether it draws or writes, or SIZE_MAX */
} Schema;

typedef struct Result {
    uint32_t tensor;
    size_t index, item; /* item SIZE_MAX: not in a list */
} Result;

typedef struct Operation { /* an "op" event */
    const Schema *schema;
    size_t call;
    bool grad;
    Value *args;        /* as many as the schema has */
    bool *arg_defaults; /* they are the schema's */
    Result *results;
    size_t result_count; /* tensors */
    size_t given_count;  /* results of the operator, lists and what is no tensor counted once each */
} Operation;

typedef struct Recording {
    Arena *arena, *scratch; /* the graph's; what is freed when it is built */
    bool symbolic;
    Schema *schemas;
    size_t schema_count;
    Layout *layouts;
    size_t layout_count;
    Tensor *tensors;
    size_t tensor_count;
    Rows events;
    Value outputs, kept;
    size_t call_limit; /* calls of the trace; SIZE_MAX without one */
    Error *error;
} Recording;

/* Decodes all but the events, which are read one by one. */
MUST_USE Status recording_decode(Arena *arena, Arena *scratch, const json_t *json, Bytes pieces,
                                 size_t call_limit, Recording *recording, Error *error);
/* What one call of forward gave. */
MUST_USE Status recording_results(Recording *recording, const json_t *outputs, const json_t *kept);
/* One event of kind "op". */
MUST_USE Status recording_operation(const Recording *recording, const json_t *event, size_t number,
                                    Operation *operation);
MUST_USE Status recording_refuse(const Recording *recording, const char *table, size_t index,
                                 const char *cause);
MUST_USE bool recording_number(const json_t *json, int64_t low, int64_t high, int64_t *number);
/* A string without NUL, owned by the arena; NULL if it is none. */
const char *recording_text(const Recording *recording, const json_t *json);
/* A word of a label: letters, digits and _ . : only. */
bool recording_is_word(const char *text);
/* NULL where the strides don't nest. */
const Digits *layout_digits(const Recording *recording, Layout *layout);
bool layout_same(const Layout *a, const Layout *b); /* shape and strides */
bool layout_same_shape(const Layout *a, const Layout *b);
bool layout_is_contiguous(const Layout *layout);
bool layout_is_channels_last(const Layout *layout);

/* ---- Terms (store.c) ---------------------------------------------------------------------- */
#define NO_TERM ((TermId){UINT32_MAX})

typedef struct TermInfo {
    IndexMap map;  /* VIEW, WRITE: in normal form, unless `raw` */
    bool raw;      /* VIEW, WRITE: the label spells memory layouts, as no map does */
    bool disputed; /* two hashes of its bytes were met */
    /* WRITE: how many elements this and the writes below it replaced, -1 if unknown; the highest of them; how
     * many writes there are. */
    int64_t covered, highest;
    uint32_t depth;
    uint64_t hash;
    TermId initial; /* STATE: what it held before the first call of forward */
} TermInfo;

typedef struct Store {
    Arena *arena, *scratch; /* of terms; of what only making them needs */
    GraphLabels *labels;
    Term *terms;
    TermInfo *infos;
    size_t count, capacity, info_count, info_capacity;
    uint32_t *slots; /* open addressing: number + 1, or 0 */
    size_t slot_count;
    Text text; /* for labels that are being written */
    size_t call;
    bool grad;
} Store;

/* With room for `expected` terms, of which there may be more. */
void store_open(Store *store, Arena *arena, Arena *scratch, GraphLabels *labels, size_t expected);
const char *label_intern(GraphLabels *labels, const char *text);
/* The term that `draft` describes: one that is there already, or a new one. label, kind, dtype, shape and
 * operands are set; the label is interned and the operands copied here, if it is new. `map` is that of a VIEW
 * or WRITE. */
TermId store_term(Store *store, const Term *draft, const IndexMap *map, bool raw);
static inline Term *store_at(const Store *store, TermId id) {
    return &store->terms[id.number];
}
/* A value of no known origin: a new one each time. */
TermId store_unknown(Store *store, const char *dtype, const int64_t *shape, size_t rank);
/* Memory of which no element is ever read before it is written. */
TermId store_nothing(Store *store, const char *dtype, const int64_t *shape, size_t rank);
/* The elements of `operand` that the map names, in a shape. Looks through views, and through writes as far as
 * it can tell what they leave. The map is in normal form and stays within the operand. */
TermId store_view(Store *store, TermId operand, const IndexMap *map, const int64_t *shape, size_t rank);
/* The same elements in the same order. */
TermId store_reshape(Store *store, TermId operand, const int64_t *shape, size_t rank);
/* `old` with the elements that the map names replaced by `value`'s, in order. */
TermId store_write(Store *store, TermId old, TermId value, const IndexMap *map);
int64_t shape_count(const int64_t *shape, size_t rank);
void text_add_shape(Text *text, const char *dtype, const int64_t *shape, size_t rank);

/* ---- Storage (storage.c) ------------------------------------------------------------------ */
#define NO_STORAGE UINT32_MAX

typedef struct Storage {
    TermId term; /* what it holds, as a tensor of `layout` at `offset`; NO_TERM before anything is known */
    Layout *layout;
    int64_t offset;
    uint32_t
        group; /* storages of one group share memory in a way that no layout tells (conj, view of bits) */
    uint64_t serial;     /* of the last write; one that is older than the group's is stale */
    uint32_t last_state; /* the last that lies here: in build.c, chained */
} Storage;

typedef struct Memory {
    Recording *recording;
    Store *store;
    Storage *items;
    size_t count, capacity;
    struct {
        uint64_t *items;
        size_t count, capacity;
    } groups;
} Memory;

/* With room for `expected` storages. */
void memory_open(Memory *memory, Recording *recording, Store *store, size_t expected);
uint32_t memory_storage(Memory *memory, uint32_t group); /* a new one; group NO_STORAGE: of its own */
bool memory_has(const Memory *memory, uint32_t tensor);
/* What a tensor holds now. */
TermId memory_read(Memory *memory, uint32_t tensor);
/* It holds this from now on, and so does what shares its memory. */
void memory_write(Memory *memory, uint32_t tensor, TermId value);
/* Like memory_write, but nothing is known of the rest of the storage, and the tensor may lie anywhere in it.
 */
void memory_place(Memory *memory, uint32_t tensor, TermId value);
uint32_t memory_group(Memory *memory, uint32_t tensor);
/* Some of their elements may be the same memory, and they don't lie in it alike: what is read while the other
 * is written may be old or new. */
bool memory_overlap(Memory *memory, uint32_t written, uint32_t read);

/* ---- Operators (normal.c) ----------------------------------------------------------------- */
/* Fills canonical, class, and all that follows from the name. */
void schema_classify(Arena *arena, Schema *schema, const char *const *types);
bool operation_is_draw(const Operation *operation);
bool operation_writes(const Operation *operation, size_t arg);
/* The number by which it multiplies its first argument, to the last bit, or 0. Division by a power of two is
 * such a product: x / 8 and x * 0.125 are the same real number, rounded once. Of complex numbers, where a
 * part may be infinite, none is. */
double operation_factor(const Operation *operation, const Layout *result);
void text_add_value(Text *text, const Value *value);
/* The label of the result that has this layout. `part` tells it from other results, "" for the only one.
 * `serial` is that of a draw, or NULL. */
void operation_label(const Operation *operation, const Recording *recording, const char *part,
                     const char *serial, const Layout *result, Text *text);
/* The label of what is filled with a number. */
bool fill_label(const Value *value, const Layout *result, Text *text);
/* Tensors that are operands, in the order of the label; `visit` gets each. */
typedef void OperandVisitor(uint32_t tensor, void *context);
void operation_operands(const Operation *operation, OperandVisitor *visit, void *context);

#endif
