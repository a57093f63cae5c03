/* verify: a step, from files to a verdict. */
#ifndef PLUMBLINE_VERIFY_H
#define PLUMBLINE_VERIFY_H

#include "base.h"
#include "graph.h"
#include "policy.h"
#include "probe.h"
#include "source.h"
#include "tensor.h"
#include "trace.h"
#include "weights.h"

typedef enum Verdict {
    VERDICT_PASS = 0,
    VERDICT_FAIL = 1,
    VERDICT_ERROR = 2
} Verdict; /* exit statuses too */

/* What happened to one part of the verification. */
typedef enum PartStatus { PART_NOT_REACHED, PART_PASSED, PART_FAILED, PART_SKIPPED } PartStatus;
const char *verdict_name(Verdict verdict);       /* "PASS" */
const char *part_status_name(PartStatus status); /* "PASS", "FAIL", "SKIPPED"; not reached is "SKIPPED" too */

/* How much is asked before PASS. */
typedef enum Rigor { RIGOR_STANDARD, RIGOR_FAST, RIGOR_PARANOID } Rigor;
const char *rigor_name(Rigor rigor);

typedef struct StepOptions {
    Rigor rigor;
    const char *original, *refactored;
    bool original_is_component; /* of a decomposition: what it imports is found as a candidate's is */
    struct Recall *recall;      /* of the original, for whoever asks the same; NULL: nobody does */
    const char *weight_map;     /* NULL: weight_map.json beside the refactored file, if there is one */
    double rtol, atol;          /* NaN: by dtype */
    unsigned trial_count;       /* from 1 */
    uint64_t seed;              /* of the first trial; the next has one more */
    uint64_t perturb_seed;      /* of the perturbed trials; 0: drawn at run time */
    bool skip_anticheat, train;
    const char *device;   /* "cpu" or "cuda" */
    double timeout;       /* seconds for each run of user code */
    uint64_t memory;      /* bytes that a cell may use beyond the interpreter and torch; 0: by what is free */
    const Parser *parser; /* NULL: the probe's */
    unsigned threads;     /* of each cell and of comparing; 0: as many as there are processors */
    const char *const *allowed_imports;
    size_t allowed_import_count;
} StepOptions;

/* What a leaf is of: what forward returns, or what it leaves of its arguments and the state. */
typedef enum LeafOf { LEAF_OF_OUTPUTS, LEAF_OF_ARGUMENTS, LEAF_OF_STATE } LeafOf;

/* One leaf of the outputs, compared. */
typedef struct OutputComparison {
    LeafOf of;
    const char *path;  /* out["logits"][0], the final input cache["k"] */
    const char *shape; /* of the original: "[2, 32, 768]"; "" for what is not a tensor */
    const char *dtype; /* "torch.float32", or the kind of value: "int" */
    bool is_tensor, shape_match, dtype_match, matches;
    bool compared; /* `numbers` holds */
    Comparison numbers;
    double scale;        /* what differences are held against: 1, or the largest element of a gradient */
    const char *problem; /* what is wrong, one sentence; NULL when it matches */
} OutputComparison;

typedef enum TrialKind {
    TRIAL_SEEDED,            /* the guide's: seed, the original's inputs */
    TRIAL_PERTURBED_WEIGHTS, /* every parameter and state buffer made distinguishable */
    TRIAL_PERTURBED_INPUTS,  /* both signs, wider */
    TRIAL_PERTURBED_BOTH,
    TRIAL_SMALL_INPUTS, /* 1e-4 of the sample: where an eps shows */
    TRIAL_LARGE_INPUTS,
    TRIAL_EQUAL_INPUTS,     /* many elements are equal, or zero */
    TRIAL_LEFT_OUT_TARGETS, /* a loss's targets, some of the class that it leaves out */
    TRIAL_WIDER_INTEGERS, /* integers that index no table: past the sample's, where the original accepts it */
    TRIAL_OTHER_BATCH,    /* one less along the first dimension of every input */
    TRIAL_OTHER_LENGTH,   /* one less along the second */
    TRIAL_OTHER_SIZES,    /* far beyond the sample's, and where a number of the candidate's would tell */
    TRIAL_GRADIENTS,      /* of a random projection of the outputs, weights and inputs perturbed */
    TRIAL_EQUAL_GRADIENTS,  /* the same at equal inputs: of the largest elements, who gets it? */
    TRIAL_OTHER_MODE,       /* train mode, where it is part of the verdict */
    TRIAL_SCALED_WEIGHTS,   /* each row by its own scale: past bounds that initialised models keep within */
    TRIAL_SELECTING_WEIGHTS /* equal inputs, handed on by weights that are 0, 1 and -1: exactly on a bound */
} TrialKind;
const char *trial_kind_name(TrialKind kind); /* "perturbed weights" */

typedef struct Trial {
    unsigned number; /* from 1 */
    TrialKind kind;
    const char *sizes; /* "a length of 1031", of TRIAL_OTHER_SIZES; NULL */
    uint64_t seed;
    bool pass;
    bool counts; /* as evidence; if not, `why_not` says why */
    const char *why_not;
    const char *error; /* the candidate raised, was killed...; NULL */
    bool rounding;     /* outside the tolerance, but float64 runs of both sides agree */
    OutputComparison *outputs;
    size_t output_count;
    double max_diff; /* NaN where nothing could be compared */
} Trial;

typedef struct ProofBinding { /* by proof: this original parameter is that refactored one */
    const char *original, *refactored;
    bool free; /* another assignment would do as well, by symmetry */
} ProofBinding;

/* Is the candidate the original with its parameters renamed? */
typedef struct ProofResult {
    bool attempted, proved;
    bool recorded;       /* both sides could be */
    bool symbolic;       /* recorded on shapes alone; otherwise on real tensors */
    const char *why_not; /* one sentence, if it is not proved */
    const char *cause;   /* the guide's word for the first difference: "missing operator"; NULL: none found */
    Place original_place, place; /* of the first difference; file NULL where there is none */
    const char *original_frame, *frame;
    const char **conditions; /* data that was read: "mask.all() gave True"; the proof holds where it does */
    size_t condition_count;
    const char **narrowed, **narrowed_by; /* sentences, and the rule of soundness of each */
    size_t narrowed_count;
    const char **shapes; /* "x: torch.float32 [2, 32]" */
    size_t shape_count;
    ProofBinding *bindings;
    size_t binding_count;
    size_t operators; /* of the original */
    double seconds;
} ProofResult;

/* One side of the first value that departs. */
typedef struct DepartureSide {
    const char *operator; /* as in a trace: "torch.nn.functional.gelu"; NULL: that side has none */
    Place place;
    const char *module;        /* path of the innermost module whose call was running; NULL: none */
    const char *shape, *dtype; /* "[2, 32, 768]", "torch.float32" */
} DepartureSide;

/* The first value inside the original that the refactored departs from, in a run of both with numbers. It
 * explains a verdict and never makes one. */
typedef struct Departure {
    const char *says;                   /* all of it, one sentence */
    DepartureSide original, refactored; /* no operator in the original: no value that was kept departs */
    DepartureSide
        source;    /* that the refactored's was computed from and the original has not; no operator: none */
    bool compared; /* the three numbers hold */
    double max_diff, mean_diff, size;          /* size: root of the mean square of the original's elements */
    size_t agreed;                             /* values of the original before it that agree */
    size_t original_values, refactored_values; /* that were kept */
    const char *limited;                       /* why not all values were looked at; NULL: they were */
    TrialKind kind;                            /* of the trial */
    uint64_t seed;
} Departure;

typedef struct StepResult {
    Verdict verdict;
    Rigor rigor;
    ProofResult proof;
    const char *fail_reason; /* one sentence; NULL on PASS */
    const char *error;       /* one line; on VERDICT_ERROR only */
    const char *original_file, *refactored_file;
    const char *judged_against; /* the file that was run as the original, if that is a copy of it; NULL */
    PartStatus anticheat, weights, numbers;
    Findings *findings;   /* of all parts, sorted */
    const Finding *first; /* the one thing to look at first; NULL on PASS */

    const Assignment *assignment; /* NULL if not reached */

    Tolerance tolerance;
    const char *input_dtype;
    Trial *trials; /* the guide's, then the perturbed ones */
    size_t trial_count, seeded_count;
    uint64_t perturb_seed;
    double max_diff; /* over the guide's trials */
    const Departure *
        departure; /* NULL: no trial failed by its numbers alone, or the outputs agree when it is run again */

    SandboxReport sandbox;
    const char *python_version, *torch_version, *interpreter, *device;
    const char *const *allowed_imports;
    size_t allowed_import_count;
    const char **assumptions;      /* "attn.bias keeps its value from construction" */
    const char **assumption_rules; /* for each, the rule that narrows the claim: "soundness 11" */
    size_t assumption_count, assumption_capacity;
    struct {
        double total, start_interpreter, policy, construct, run, compare;
        double forward; /* of `run`: wall time in which a forward was running */
    } seconds;
} StepResult;

/* Told what is being done now, for a progress line: "trial 2 of 3". */
typedef struct Progress {
    void (*tell)(void *context, const char *what);
    void *context;
} Progress;

extern const Rule *const VERIFY_RULES[]; /* NULL-terminated */

/* The result of a step that could not be judged, not even begun. */
void step_result_error(Arena *arena, const StepOptions *options, const Error *error, StepResult *result);

/* Verifies one step with a started probe. Never fails: what goes wrong is a verdict with its reason. The
 * result belongs to the arena. */
void step_verify(Arena *arena, Probe *probe, const StepOptions *options, const Progress *progress,
                 StepResult *result);

/* Proves two programs equal, or says where they first part, and runs no trial. The result's verdict is PASS
 * if proved, FAIL if not, ERROR if that could not be judged; its proof has the map. `components`: the second
 * may do what an original may; otherwise it is a candidate, which is held to its language first. */
void proof_verify(Arena *arena, Probe *probe, const StepOptions *options, bool components,
                  const Progress *progress, StepResult *result);
/* {original key: refactored key}, by the proof. New reference. */
json_t *proof_map_json(const ProofResult *proof);

typedef struct TraceResult {
    Verdict verdict; /* FAIL: a value has no known origin */
    const char *error;
    const char *unknown; /* which, in words; NULL: none */
    bool symbolic;
    const char *not_symbolic; /* why it took a real run; NULL where it did not */
    Trace trace;
    Graph graph;
    const char **files; /* of its program, as shown to people */
    const char **paths; /* absolute */
    size_t file_count;
    double seconds; /* of the recording cell */
} TraceResult;
/* Records one component. `real`: on real tensors; otherwise on shapes alone if it can be. */
void trace_component(Arena *arena, Probe *probe, const StepOptions *options, bool real, TraceResult *result);
/* The same of a refactored file, whose children are files of its program: modules and makers name them.
 * Inputs of forward and __init__ that it has no function for are the original's. */
void trace_refactored(Arena *arena, Probe *probe, const StepOptions *options, TraceResult *result);

typedef struct LintResult {
    Verdict verdict; /* ERROR: a file could not be read or parsed */
    const char *error;
    Findings *findings;
} LintResult;

/* Judges the source of one candidate file alone; needs no torch. */
void lint_file(Arena *arena, const Parser *parser, const char *path, const char *const *allowed_imports,
               size_t allowed_import_count, LintResult *result);

#endif
