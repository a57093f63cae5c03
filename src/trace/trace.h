/* trace: values as cells send them, and what one run did: calls, tensors, modules, makers, places. */
#ifndef PLUMBLINE_TRACE_H
#define PLUMBLINE_TRACE_H

#include "base.h"

/* ---- Values -------------------------------------------------------------------------------
 * Any nesting of Python values, as docs/protocol.md ("Values") writes them. */
typedef struct TensorId { /* the number of a tensor in the table that accompanies the value */
    uint32_t number;
} TensorId;

typedef enum ValueKind {
    VALUE_NONE,
    VALUE_BOOL,   /* integer: 0 or 1 */
    VALUE_INT,    /* integer */
    VALUE_BIGINT, /* text: decimal, or 0x and hexadecimal: each int has one of them */
    VALUE_FLOAT,  /* real */
    VALUE_COMPLEX,
    VALUE_STR,
    VALUE_BYTES, /* text: the bytes themselves */
    VALUE_TENSOR,
    VALUE_LIST,
    VALUE_TUPLE,
    VALUE_SET,
    VALUE_DICT,       /* items: key, value, key, value; name: the class of a subclass, or NULL */
    VALUE_NAMEDTUPLE, /* name, fields */
    VALUE_DATACLASS,  /* name, fields */
    VALUE_SIZE,
    VALUE_DTYPE,         /* text: "torch.float32" */
    VALUE_DEVICE,        /* text: "cpu" */
    VALUE_MEMORY_FORMAT, /* text; layouts too */
    VALUE_SLICE,         /* three items */
    VALUE_RANGE,         /* three items */
    VALUE_ELLIPSIS,
    VALUE_MODULE,   /* text: its path */
    VALUE_FUNCTION, /* text: its name; classes and methods too */
    VALUE_OTHER     /* text: the name of its type */
} ValueKind;

typedef struct Value Value;
struct Value {
    ValueKind kind;
    TensorId tensor;
    union {
        int64_t integer;
        double real;
        struct {
            double real, imaginary;
        } complex;
        struct {
            const char *data; /* NUL-terminated */
            size_t length;
        } text;
        struct {
            Value *items;
            size_t count;
        } list; /* LIST, TUPLE, SET, DICT, NAMEDTUPLE, DATACLASS, SIZE, SLICE, RANGE */
    };
    const char *name;    /* DICT, NAMEDTUPLE, DATACLASS */
    const char **fields; /* NAMEDTUPLE, DATACLASS: as many as items */
};

/* Decodes one value, at most 200 deep, whose tensor numbers are below `tensor_count`. `where` names it in
 * messages. The value is owned by the arena. */
MUST_USE Status value_decode(Arena *arena, const json_t *json, size_t tensor_count, const char *where,
                             Value *value, Error *error);
/* The inverse, for sending a value to a cell. New reference. */
json_t *value_to_json(const Value *value);
/* The same kinds, names, items in the same order, and the same numbers; NaN equals NaN, 0.0 doesn't equal
 * -0.0; tensors by their numbers. */
bool value_equal(const Value *a, const Value *b);
bool value_is_container(const Value *value); /* has items */
/* A short text for messages ("a list of 3", "'relu'", "12", "tensor 4"); at most about 80 characters. */
const char *value_describe(Arena *arena, const Value *value);
/* The same of two that differ, so that what is said of them differs: "3 (int)" and "3 (float)". */
void value_describe_both(Arena *arena, const Value *a, const Value *b, const char *texts[2]);
/* The Python name of the kind: "list", "NoneType", "torch.dtype", a class's own name. */
const char *value_type_name(const Value *value);
/* Calls `visit` for every value that is no container, in order. `path` is `prefix` and the way to it:
 * out["logits"][0], out.logits for fields. It is valid during the call only. */
typedef void ValueVisitor(const char *path, const Value *value, void *context);
void value_walk(Arena *arena, const Value *value, const char *prefix, ValueVisitor *visit, void *context);
void value_walk_tensors(Arena *arena, const Value *value, const char *prefix, ValueVisitor *visit,
                        void *context);
/* The item of a container at a path's step: text for a dict or fields, NULL if absent. */
const Value *value_field(const Value *value, const char *name);

/* ---- Rows ---------------------------------------------------------------------------------
 * A table of docs/protocol.md that may be very long: its first rows are in the pieces of a memory file
 * ("Pieces"), the rest in the answer. One piece is decoded at a time. */
typedef struct Rows {
    const char *where, *key;
    Bytes pieces;
    char table;
    const json_t *rest; /* of the answer; borrowed */
    size_t count, in_pieces;
    size_t next, next_in_piece,
        at;        /* the row to come; in its piece; the byte at which the next piece begins */
    json_t *piece; /* owned */
} Rows;

/* `key`: the table's name in `object`; `table`: its letter in pieces, which may be empty. What they announce
 * is checked: `count` is bounded by their bytes. `where` and `pieces` live as long as the rows are read. */
MUST_USE Status rows_open(Rows *rows, const json_t *object, const char *key, Bytes pieces, char table,
                          const char *where, Error *error);
/* The next of `count` rows; it lives until the one after it is asked for. */
MUST_USE Status rows_next(Rows *rows, const json_t **row, Error *error);
void rows_close(Rows *rows); /* however far it was read; twice does nothing */

/* ---- Traces ------------------------------------------------------------------------------- */
typedef struct StorageId { /* tensors with the same storage share memory */
    uint32_t number;
} StorageId;

enum { NO_NUMBER = -1 }; /* an index that is absent: file, module call */

typedef enum OriginKind {
    ORIGIN_UNKNOWN, /* no recorded call made it: a finding wherever it is used */
    ORIGIN_INPUT,
    ORIGIN_PARAMETER,
    ORIGIN_BUFFER,
    ORIGIN_CALL
} OriginKind;

typedef struct TraceTensor {
    StorageId storage;
    const char *dtype; /* "torch.float32" */
    int64_t *shape, *stride;
    size_t rank;
    int64_t offset; /* elements */
    const char *device;
    OriginKind origin;
    const char **keys; /* the input's path, or the state-dict keys of a parameter or buffer (several: tied) */
    size_t key_count;  /* at least 1 for inputs, parameters, buffers */
    size_t made_by; /* the first call that gave it, or SIZE_MAX: known for buffers made at construction too */
    bool floating;  /* floating or complex dtype */
} TraceTensor;

typedef struct TraceModule {
    const char *path; /* "" for the model itself */
    const char *class;
    int file;            /* index in the program's files of its class statement, or NO_NUMBER */
    const char *library; /* "torch.nn.modules.linear.Linear", or NULL */
} TraceModule;

typedef struct TraceModuleCall {
    size_t module;
    int64_t parent;    /* the module call that it was made in, or NO_NUMBER */
    size_t first, end; /* the torch calls made during it: [first, end) */
    Value args, kwargs, output;
    int file, line; /* of the caller */
} TraceModuleCall;

typedef enum MakerKind { MAKER_OWN, MAKER_CHILD, MAKER_METHOD, MAKER_LIBRARY } MakerKind;

typedef struct TraceMaker { /* who computed: docs/protocol.md, "Maker" */
    MakerKind kind;
    int file;           /* OWN, CHILD, METHOD */
    size_t module_call; /* CHILD */
    size_t module;      /* METHOD */
    int64_t serial;     /* METHOD: tells one call of the method from the next */
    const char *method; /* METHOD */
} TraceMaker;

typedef struct TraceCall {
    uint32_t operator_number; /* in Trace.operators */
    uint32_t maker;
    Value *args;
    size_t arg_count;
    const char **names; /* of the keyword arguments */
    Value *kwargs;
    size_t kwarg_count;
    Value output;
    TensorId *written; /* tensors that the call modified */
    size_t written_count;
    TensorId *uses; /* every tensor in args and kwargs, in order */
    size_t use_count;
    TensorId *gives; /* every tensor in the output, in order */
    size_t give_count;
    int64_t module_call; /* innermost, or NO_NUMBER */
    int file, line;      /* of the user's code; NO_NUMBER and 0 where there is none */
    bool in_forward;     /* false: during construction */
    bool grad, autocast, training;
} TraceCall;

typedef enum SizeTestKind {
    SIZE_NUMBER, /* data met a number made of sizes that is no product, quotient or power of them */
    SIZE_LOST,   /* a size, or a number made of sizes, became what doesn't remember that: int(n), [0] * n */
    SIZE_TESTED  /* one was compared */
} SizeTestKind;

/* What the program did with sizes. */
typedef struct TraceSizeTest {
    int file, line, column; /* as a Node's; columns and end_line are 0 where the interpreter has none */
    int end_line, end_column;
    SizeTestKind kind;
} TraceSizeTest;

typedef struct Trace {
    TraceTensor *tensors;
    size_t tensor_count;
    size_t storage_count;
    TraceModule *modules;
    size_t module_count;
    TraceModuleCall *module_calls; /* by first call; a parent before its children */
    size_t module_call_count;
    TraceMaker *makers;
    size_t maker_count;
    TraceSizeTest *size_tests; /* of forward, each place once */
    size_t size_test_count;
    const char **operators; /* distinct names, as in the trace: "torch.nn.functional.linear" */
    size_t operator_count;
    TraceCall *calls; /* in order of time: construction, then forward */
    size_t call_count;
    size_t forward_start; /* the first call of forward */
    Value args, kwargs, outputs;
    Value kept; /* a dict of path -> tensor: what forward left in plain attributes of modules; or None */
    bool *live_tensors; /* by tensor: an output depends on it, along the calls of forward */
    bool *live_calls;   /* by call: an output depends on what it gave or wrote */
    Table *state; /* key -> TraceTensor *: parameters and buffers of the finished model, every tied key */
} Trace;

/* Decodes "A trace" of docs/protocol.md and checks every number in it: what comes back is consistent,
 * whatever the cell sent. `pieces`: what it wrote to its memory file; may be empty. Linear in its size. */
MUST_USE Status trace_decode(Arena *arena, const json_t *json, Bytes pieces, Trace *trace, Error *error);

const char *trace_operator(const Trace *trace, const TraceCall *call);
/* The keyword argument of that name, or the positional one at `position`; NULL if neither is there. */
const Value *trace_argument(const TraceCall *call, size_t position, const char *name);
bool trace_call_writes(const TraceCall *call, TensorId tensor);
/* Does the call take nothing but shape, dtype and device of call->uses[position] (zeros_like(x), y.to(x))? */
bool trace_use_is_metadata(const Trace *trace, const TraceCall *call, size_t position);
/* The last part of a dotted name: "torch.Tensor.add_" -> "add_". */
const char *trace_bare_name(const char *name);

/* Does any output of forward depend on the parameter or buffer `key`? Followed backwards over the calls of
 * forward, in-place writes and views included. What construction made of it doesn't count: that is its
 * initial value. */
bool trace_reads(const Trace *trace, const char *key);

/* By tensor: whether what it holds when forward has ended depends on an input, a parameter, a buffer or what
 * has no known origin. Of all at once, since outputs may be very many. */
bool *trace_dependent(Arena *arena, const Trace *trace);

/* Where an integer input, or a view, cast or copy of it, is the index into a table (embedding, index_select,
 * gather, indexing of a parameter): the number of rows of the smallest such table; 0 if there is none.
 * `*ignored`: where it is a loss's target, the class that the loss leaves out; else 0. */
int64_t trace_integer_bound(const Trace *trace, const char *input_path, int64_t *ignored);

/* Tensors of unknown origin that a call of forward uses or an output contains. */
typedef struct UnknownOrigin {
    TensorId tensor;
    size_t call; /* the first that uses it, or SIZE_MAX if only an output contains it */
} UnknownOrigin;
size_t trace_unknown_origins(Arena *arena, const Trace *trace, UnknownOrigin **unknown);

/* One line a call, for people: "12 blocks.0.fc torch.nn.functional.linear(t4, t5, t6) -> t7 [2, 32] float32
 * children/fc.py:12". `files` gives the names of the program's files, or NULL. */
void trace_print(const Trace *trace, const char *const *files, size_t file_count, Text *text);

#endif
