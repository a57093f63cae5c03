/* weights: state dicts, weight maps, ties; which original goes where; perturbed weights and inputs. */
#ifndef PLUMBLINE_WEIGHTS_H
#define PLUMBLINE_WEIGHTS_H

#include "base.h"
#include "tensor.h"

/* ---- State dicts -------------------------------------------------------------------------- */
typedef enum StateKind { STATE_PARAMETER, STATE_BUFFER } StateKind;

typedef struct StateEntry {
    const char *key;
    StateKind kind;
    bool gradient;   /* it requires one, once it is constructed */
    bool persistent; /* in the state dict; a parameter always is */
    TensorView tensor;
    bool unwritten;      /* a parameter whose initial value was not computed: no element may be read */
    const char *tied_to; /* of an unwritten one: the first key with the same tensor, or its own */
    const char *module, *module_class; /* whose it is: path, qualified class name */
    int owner;        /* index of the file of that module's class, or -1: torch or a library */
    bool is_state;    /* policy.md, "Buffers": true of every parameter and state buffer; false: known from
                         construction */
    size_t tie;       /* the first entry with the same memory; its own index if there is none before it */
    size_t next_tied; /* the next entry with the same memory, or SIZE_MAX */
} StateEntry;

typedef struct StateDict {
    StateEntry *items;
    size_t count;
    Table *by_key; /* key -> StateEntry * */
} StateDict;

/* Decodes the "state" list of a describe report; tensors lie in the mapped memory file `file`. Hostile input.
 * Only where `may_be_unwritten` (a candidate's, of which no parameter is read) may parameters have no bytes.
 */
MUST_USE Status state_dict_decode(Arena *arena, const json_t *state, Bytes file, bool may_be_unwritten,
                                  const char *where, StateDict *dict, Error *error);
/* What is on that key's memory is state: a buffer that a run or recording tells to be. */
void state_dict_mark_state(StateDict *dict, const char *key);

/* ---- Weight maps -------------------------------------------------------------------------- */
typedef struct MapTarget { /* where an original goes: a whole key, or a part (formats.md) */
    const char *key;       /* refactored key */
    bool is_slice;         /* dim, start, stop were given */
    int64_t dim, start, stop;
    bool transpose; /* of the last two dimensions, after slicing */
} MapTarget;

typedef struct MapEntry {
    const char *key; /* original key */
    MapTarget *targets;
    size_t target_count; /* 0: mapped nowhere, on purpose */
    int line;
} MapEntry;

typedef struct WeightMap {
    const char *name; /* the file, as shown to the user */
    MapEntry *items;
    size_t count, capacity;
} WeightMap;

/* Reads weight_map.json. What isn't such a map is an error with file and line. */
MUST_USE Status weight_map_parse(Arena *arena, Bytes bytes, const char *name, WeightMap *map, Error *error);

/* ---- Assignment --------------------------------------------------------------------------- */
typedef enum PieceKind {
    PIECE_WHOLE,        /* candidate = original */
    PIECE_OF_ORIGINAL,  /* candidate = original sliced along dim: start..stop */
    PIECE_OF_CANDIDATE, /* candidate sliced along dim, start..stop = original */
} PieceKind;

typedef struct Piece {
    PieceKind kind;
    size_t original; /* index in the original's state dict */
    size_t dim;      /* of the tensor that is sliced */
    int64_t start, stop;
    bool transpose; /* the original, or its slice, has its last two dimensions swapped */
    int line;       /* of the map; 0 where no map said so */
} Piece;

/* The elements that a whole or sliced original gives: the original's view, sliced along `dim` if the piece is
 * of the original, and with its last two dimensions swapped if it transposes. `shape` and `stride` are room
 * for its own. */
TensorView piece_view(const TensorView *original, const Piece *piece, int64_t shape[TENSOR_RANK_MAX],
                      int64_t stride[TENSOR_RANK_MAX]);

typedef enum AssignedBy {
    ASSIGNED_NOTHING, /* gets no value: a finding, unless nothing reads it */
    ASSIGNED_MAP,
    ASSIGNED_NAME,
    ASSIGNED_SUFFIX, /* or by its shape, of which there is one only */
    ASSIGNED_KEPT    /* a known buffer: keeps its value from construction */
} AssignedBy;

typedef struct Assigned { /* what one candidate key gets; keys of one tensor get the same */
    AssignedBy by;
    Piece *items; /* one, or several PIECE_OF_CANDIDATE that cover the key; none for NOTHING and KEPT */
    size_t count, capacity;
    bool equals; /* KEPT, or by the map: it has the bytes of a known buffer of the original, and keeps them */
    bool reported; /* a finding already says why it gets nothing */
} Assigned;

typedef struct Ambiguity { /* originals and candidates of one shape and dtype, of which more than one pairing
                              fits */
    size_t *originals, *candidates; /* indices in the state dicts, first keys of tied ones */
    size_t original_count, candidate_count;
} Ambiguity;

typedef struct Assignment {
    const StateDict *original, *candidate;
    const WeightMap *map;    /* or NULL */
    Assigned *items;         /* one for each of the candidate's entries, in its order */
    bool *original_used;     /* by the original's entries: goes somewhere, itself or a key tied to it */
    bool *original_reported; /* by the original's entries: a finding already says why it goes nowhere */
    bool *original_nowhere;  /* by the original's entries: the map sends it nowhere, on purpose */
    bool *
        original_equalled; /* by the original's entries: a known buffer that the candidate makes for itself */
    size_t mapped_count;   /* original entries that are used */
    Ambiguity *ambiguities;
    size_t ambiguity_count;
    const char **assumptions; /* "attn.bias keeps its value from construction; ..." */
    size_t assumption_count;
} Assignment;

/* Issue 3, "Weights": the map first, then equal names, then equal suffixes and unique shapes; never a guess.
 * A wrong map, shapes and dtypes that differ, and ties on one side only become findings that name both sides;
 * the assignment is complete all the same (what was not settled gets nothing). `map` may be NULL. Lives as
 * long as its arguments. */
void weights_assign(Arena *arena, const StateDict *original, const StateDict *candidate, const WeightMap *map,
                    Assignment *out, Findings *findings);

/* Does any output of a side depend on `key`? */
typedef bool WeightReader(void *context, const char *key);
/* To be called when both traces are there: what is ambiguous, gets nothing or goes nowhere is a violation if
 * outputs of its side depend on it (or if that side's reader is NULL), else a note. Known buffers matter only
 * if marked as written. */
void weights_report_unmapped(const Assignment *assignment, WeightReader *original_reads,
                             void *original_context, WeightReader *candidate_reads, void *candidate_context,
                             Findings *findings);

/* For verification_result.json: "weight_map" {original: refactored key | part | list}, "unmapped_original",
 * "unmapped_refactored" (no known buffers). New references. */
json_t *weights_map_to_json(const Assignment *assignment);
json_t *weights_unmapped_original(const Assignment *assignment);
json_t *weights_unmapped_refactored(const Assignment *assignment);

/* ---- Layout: what a candidate's run gets --------------------------------------------------
 * Whole keys and slices of an original are views of the original's bytes. What must be put together (fused
 * keys, buffers that go to several places, floating keys that get nothing: NaN) lies in a region that we
 * fill. */
size_t weights_layout_size(const Assignment *assignment); /* bytes of that region; 0: none is needed */
/* Fills the region file[region_at ..] (region_at a multiple of 64) from the original's bytes as they lie in
 * `file` at its tensors' storage_at, and gives the "weights" list of docs/protocol.md. New reference. */
json_t *weights_layout_fill(Arena *arena, const Assignment *assignment, uint8_t *file, size_t region_at);
/* The list for a run of the original itself: every state entry where it lies. New reference. */
json_t *weights_layout_original(const StateDict *original);

/* ---- Perturbation (soundness 13) ----------------------------------------------------------
 * Deterministic from the seed alone: every element's noise is a hash of seed, storage and position. */

typedef enum WeightKind {
    WEIGHTS_SAME,
    WEIGHTS_PERTURBED, /* every floating parameter and state buffer made distinguishable */
    WEIGHTS_SCALED,    /* each row times its own power of two: 1/4 to 16, to 2 in float16, to 1 in float8 */
    WEIGHTS_SELECTING, /* of parameters: a row of a matrix has one 1 or, less often, -1, or nothing but zeros;
                          a vector ones and some zeros, or, where its name ends in "bias", zeros and some
                          ones; so that equal inputs are equal numbers further in */
    WEIGHTS_STRAIGHT   /* the same, but that nothing is left out or turned: row n has a 1 for input n */
} WeightKind;

/* Copies the weights file `source` to `target` (as large) and changes the floating parameters and state
 * buffers by `kind`. Ties stay tied; integers, booleans, masks and ramps stay as they are. */
void weights_change(const StateDict *original, Bytes source, uint8_t *target, WeightKind kind, uint64_t seed);

typedef enum InputKind {
    INPUT_SAME,       /* the sample */
    INPUT_BOTH_SIGNS, /* normal noise of both signs, each row with a scale of its own */
    INPUT_SMALL,      /* 1e-4 of the sample, where an eps shows */
    INPUT_LARGE,      /* 1e3 of the sample */
    INPUT_EQUAL, /* five numbers, zero among them, and what is given besides, each many times: where `>` is
                    not `>=` */
    /* Integers that index no table, in four strengths, since an original may refuse some; all else is the
     * sample's. */
    INPUT_INTEGERS_FAR,    /* of both signs, from just past the sample's to far beyond it */
    INPUT_INTEGERS_NEAR,   /* of both signs, a few past the sample's */
    INPUT_INTEGERS_ABOVE,  /* those of them that are not below zero, or the sample's smallest */
    INPUT_INTEGERS_BELOW,  /* those of them that are not above the sample's, nor larger without their sign */
    INPUT_LEFT_OUT_TARGETS /* of a loss's targets: the class that it leaves out; all else is the sample's */
} InputKind;

typedef struct InputTensor {
    TensorView tensor;
    int64_t low, high; /* integers: the values that it may take, inclusive; low > high: those of the sample */
    bool kept;         /* by the kinds of integers: it stays as it is */
    int64_t ignored;   /* of a loss's target: the class that it leaves out; 0: there is none */
} InputTensor;

typedef struct InputBounds { /* numbers that a model may hold its inputs against: INPUT_EQUAL has them too */
    const double *items;
    size_t count;
} InputBounds;

/* Copies the inputs file `source` to `target` (as large) and perturbs the tensors: floats by `kind`, integers
 * over low..high, booleans with both values; INPUT_SAME changes nothing. Floating masks (0 and 1, 0 and -inf)
 * stay. */
void inputs_perturb(const InputTensor *inputs, size_t count, InputBounds bounds, Bytes source,
                    uint8_t *target, InputKind kind, uint64_t seed);

/* ---- Rules -------------------------------------------------------------------------------- */
typedef enum WeightsRule {
    WEIGHTS_UNKNOWN_KEY,
    WEIGHTS_SHAPE,
    WEIGHTS_DTYPE,
    WEIGHTS_TWICE,
    WEIGHTS_PARTS,
    WEIGHTS_TIE,
    WEIGHTS_AMBIGUOUS,
    WEIGHTS_UNMAPPED_ORIGINAL,
    WEIGHTS_UNMAPPED_REFACTORED,
    WEIGHTS_RULE_COUNT
} WeightsRule;
extern const Rule WEIGHTS_RULES[WEIGHTS_RULE_COUNT];

#endif
