/* tensor: dtypes, strided views on mapped memory, and their comparison. */
#ifndef PLUMBLINE_TENSOR_H
#define PLUMBLINE_TENSOR_H

#include "base.h"

/* ---- Dtypes ------------------------------------------------------------------------------- */
typedef enum Dtype {
#define DTYPE(name, torch_name, code, size, kind, rtol, atol) DTYPE_##name,
#include "dtypes.def"
#undef DTYPE
    DTYPE_COUNT
} Dtype;

typedef enum DtypeKind { KIND_FLOAT, KIND_COMPLEX, KIND_INT, KIND_UINT, KIND_BOOL } DtypeKind;

typedef struct Tolerance { /* a and b agree if |a - b| <= atol + rtol * |a|, a being the original's */
    double rtol, atol;
} Tolerance;

typedef struct DtypeInfo {
    const char *torch_name; /* "torch.float32" */
    const char *code;       /* "fp32", as in kernel file names */
    size_t size;            /* bytes of an element */
    DtypeKind kind;
    Tolerance tolerance;
} DtypeInfo;

const DtypeInfo *dtype_info(Dtype dtype);
bool dtype_find(const char *torch_name, Dtype *dtype); /* false for a name that isn't in the table */
bool dtype_is_floating(Dtype dtype);                   /* float or complex */

/* ---- Elements ----------------------------------------------------------------------------- */
typedef struct Element {    /* one element's exact value; which fields hold it depends on the dtype's kind */
    double real, imaginary; /* FLOAT, COMPLEX; of the other kinds the nearest double */
    int64_t integer;        /* INT, BOOL */
    uint64_t natural;       /* UINT */
} Element;

Element element_read(Dtype dtype, const void *at);
/* Writes the nearest value of the dtype, ties to even; what is out of range becomes the largest finite value,
 * and NaN stays NaN. Of INT, BOOL and UINT the exact fields are written. */
void element_write(Dtype dtype, void *at, Element element);
/* The fewest digits that tell the value from its neighbours: "0.1", "-3", "nan", "1+2j", "True". */
const char *element_as_text(Arena *arena, Dtype dtype, Element element);
double dtype_largest(Dtype dtype); /* the largest finite value of a float or complex dtype's parts */

/* ---- Views -------------------------------------------------------------------------------- */
enum { TENSOR_RANK_MAX = 64 };

/* A strided view on a storage. Valid from tensor_view_make on: every element lies inside the storage, so
 * that code which walks it needs no checks. */
typedef struct TensorView {
    const void *data;    /* the storage's first byte; views of one storage have the same */
    size_t storage_at;   /* where the storage lies in its memory file, in bytes */
    size_t storage_size; /* bytes */
    Dtype dtype;
    size_t rank;
    const int64_t *shape, *stride; /* strides in elements, none negative */
    int64_t offset;                /* elements from the storage's start */
    int64_t element_count;
} TensorView;

/* Refuses negative sizes, strides and offsets, a rank above TENSOR_RANK_MAX, an element outside the storage,
 * and what overflows. Strides of 0 and empty tensors are fine. shape and stride are copied into the arena. */
MUST_USE Status tensor_view_make(Arena *arena, const void *data, size_t storage_size, Dtype dtype,
                                 size_t rank, const int64_t *shape, const int64_t *stride, int64_t offset,
                                 TensorView *view, Error *error);

/* Decodes a "located tensor" of docs/protocol.md against the mapped memory file `file`: hostile input. A
 * tensor that the probe calls unsupported is an error. `where` names the tensor in messages. */
MUST_USE Status tensor_located_decode(Arena *arena, const json_t *json, Bytes file, const char *where,
                                      TensorView *view, Error *error);
/* Decodes one whose bytes were not written ("storage": null): shape and dtype hold, and no element may be
 * read. */
MUST_USE Status tensor_unwritten_decode(Arena *arena, const json_t *json, const char *where, TensorView *view,
                                        Error *error);
json_t *tensor_located_to_json(const TensorView *view); /* new reference */

bool tensor_same_shape(const TensorView *a, const TensorView *b);
bool tensor_is_contiguous(const TensorView *view);
/* The address of the element at `index` (rank numbers), and of the element with that number in row-major
 * order. */
const void *tensor_at(const TensorView *view, const int64_t *index);
const void *tensor_at_linear(const TensorView *view, int64_t linear);
/* Copies elements [first, first + count) of row-major order to `target`, without gaps. */
void tensor_gather(const TensorView *view, int64_t first, int64_t count, void *target);

/* For messages: "[2, 32]"; "[2, 32] float32". Owned by the arena. */
const char *tensor_shape_as_text(Arena *arena, const TensorView *view);
const char *tensor_as_text(Arena *arena, const TensorView *view);

/* ---- Comparison --------------------------------------------------------------------------- */
typedef struct ComparedElement {
    bool exists;
    int64_t index[TENSOR_RANK_MAX];             /* rank numbers */
    double original, candidate;                 /* of complex elements the absolute values */
    char original_text[64], candidate_text[64]; /* exact, for every dtype */
} ComparedElement;

typedef struct Comparison {
    size_t rank;
    int64_t element_count;
    int64_t mismatches;           /* elements that don't agree within the tolerance */
    int64_t nonfinite_mismatches; /* of these: a NaN or Inf that doesn't meet its like */
    int64_t finite_pairs;         /* elements that are finite on both sides */
    ComparedElement first, worst; /* the first mismatch; the element with the largest difference (a nonfinite
                                     mismatch is larger than any), mismatch or not, absent if all are equal */
    double max_abs, mean_abs;     /* of |a - b| over the finite pairs; 0 if there are none */
    double max_rel;               /* of |a - b| / |a| over the finite pairs whose a isn't 0 */
    uint64_t max_ulp;             /* representable values apart, over the finite pairs; floats only */
    int64_t original_nan, candidate_nan, original_inf, candidate_inf;
    int64_t original_finite;
    bool all_equal; /* bit for bit */
    bool constant;  /* all of the original's elements are the same, bit for bit; true of fewer than two */
} Comparison;

/* Compares in one pass. Both must have one shape and dtype (asserted: say so to the user before). NaN agrees
 * with NaN, Inf with the same Inf; integers and booleans agree if equal, whatever the tolerance. The result
 * is the same, bit for bit, for any number of threads (at least 1). */
void tensor_compare(const TensorView *original, const TensorView *candidate, Tolerance tolerance,
                    unsigned threads, Comparison *out);

/* ---- Sketches ----------------------------------------------------------------------------- */
typedef struct Sketch {
    double size;       /* root of the mean square of the finite elements; 0 if there are none */
    double projection; /* mean of the finite elements, each with a sign that its place decides */
} Sketch;
Sketch tensor_sketch(const TensorView *view);
/* Tensors that agree within the tolerance have projections no farther apart than this. Few others do. */
double sketch_reach(const Sketch *sketch, Tolerance tolerance);

typedef struct Gap {          /* between two tensors of as many elements, of any dtypes */
    double max_abs, mean_abs; /* over the pairs that are finite on both sides */
    int64_t unlike;           /* pairs with a NaN or Inf that doesn't meet its like */
} Gap;
Gap tensor_gap(const TensorView *original, const TensorView *candidate);

#endif
