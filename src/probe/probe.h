/* probe: the Python side seen from C: which interpreter, its zygote, sandboxed cells, memory files. */
#ifndef PLUMBLINE_PROBE_H
#define PLUMBLINE_PROBE_H

#include "base.h"
#include "source.h"

/* ---- Interpreters -------------------------------------------------------------------------
 * Looked for in this order: --python, $PLUMBLINE_PYTHON, the active environment ($VIRTUAL_ENV,
 * $CONDA_PREFIX), ./.venv, python3 on PATH. The first two are orders: if that one doesn't serve, it is an
 * error and no other is tried. */
typedef struct Interpreter {
    const char *path;    /* as it will be started; absolute, links as they are */
    const char *from;    /* "--python", "$VIRTUAL_ENV", "python3 on PATH" */
    const char *version; /* "3.11.2", "3.11" or NULL if it had not to be asked, or doesn't run */
    bool has_torch;      /* import would find torch; says nothing of whether it loads */
    const char *problem; /* why it doesn't serve; NULL if it does */
} Interpreter;

typedef struct Interpreters {
    Interpreter *items;
    size_t count, capacity;
} Interpreters;

/* The first interpreter that serves: that runs at all, and finds torch if `needs_torch`. `option` is the
 * value of --python or NULL. Otherwise an error that lists what was tried and says what to do. */
MUST_USE Status interpreter_find(Arena *arena, const char *option, bool needs_torch, Interpreter *found,
                                 Error *error);
/* All that exist, each asked; for doctor. With an order, only that one. */
Interpreters interpreters_try(Arena *arena, const char *option, bool needs_torch);

/* ---- Memory files -------------------------------------------------------------------------
 * An anonymous file (memfd) that carries bytes between cells and plumbline. While it is open, a cell that has
 * it may write it; once sealed, nobody can change it or its size, so that a mapping of it can't fault. */
typedef struct MemoryFile {
    const char *name;    /* in a cell's job: "bundle", "weights", "inputs", "outputs" */
    int fd;              /* -1 once closed */
    size_t size;         /* bytes written by plumbline, or found when it was sealed */
    bool sealed;         /* against writing, growing, shrinking and unsealing */
    const uint8_t *data; /* the mapping, read-only; NULL before memory_file_map, or if empty */
    uint8_t *reserved;   /* the writable mapping of memory_file_reserve; NULL once sealed */
} MemoryFile;

/* An empty one, open for writing. */
MUST_USE Status memory_file_new(Arena *arena, const char *name, MemoryFile **file, Error *error);
/* Writes at the end, at the next multiple of `alignment` (a power of two); *offset says where. */
MUST_USE Status memory_file_append(MemoryFile *file, Bytes bytes, size_t alignment, size_t *offset,
                                   Error *error);
/* Makes an empty file `size` bytes (zeros) and maps them for plumbline to write, until the file is sealed. */
MUST_USE Status memory_file_reserve(MemoryFile *file, size_t size, uint8_t **data, Error *error);
/* Give a sealed file to as many cells as you like: what they map is private to each. An error if somebody
 * still has a writable mapping of it, or has sealed it otherwise. */
MUST_USE Status memory_file_seal(MemoryFile *file, Error *error);
/* Seals if need be and maps read-only. `*bytes` lives until memory_file_close. */
MUST_USE Status memory_file_map(MemoryFile *file, Bytes *bytes, Error *error);
/* Another handle on the same bytes, to be closed by itself. */
MUST_USE Status memory_file_share(Arena *arena, const MemoryFile *file, MemoryFile **shared, Error *error);
void memory_file_close(MemoryFile *file); /* unmaps too; closing twice does nothing */

/* ---- The zygote --------------------------------------------------------------------------- */
typedef enum SandboxLayer { /* names in sandbox_layer_name, as cells report them */
                            LAYER_SECCOMP,
                            LAYER_LANDLOCK,
                            LAYER_NAMESPACES,
                            LAYER_LIMITS,
                            SANDBOX_LAYER_COUNT
} SandboxLayer;

typedef struct SandboxReport {
    struct {
        bool on;
        const char *text; /* "on, ABI 5", "refused: Operation not permitted", "relaxed for CUDA: ..." */
    } layers[SANDBOX_LAYER_COUNT];
} SandboxReport;

const char *sandbox_layer_name(SandboxLayer layer);
/* The first layer that must be on and isn't, or SANDBOX_LAYER_COUNT. Namespaces need not: Landlock and
 * seccomp do what they do. */
SandboxLayer sandbox_missing(const SandboxReport *report);
/* {"seccomp": "on", "landlock": "refused: ...", ..} New reference. */
json_t *sandbox_to_json(const SandboxReport *report);

typedef struct ProbeOptions {
    const char *interpreter; /* Interpreter.path */
    bool needs_torch;
    bool parse_ahead; /* probe_start returns at once, and files may be parsed; probe_ready waits for the rest
                       */
    double start_timeout; /* seconds that importing torch may take; 0: 120 */
    bool require_sandbox; /* cells in which seccomp, landlock or limits isn't on are refused with an error */
} ProbeOptions;

typedef struct ProbeFacts { /* what the zygote said when it had started; owned by the probe's arena */
    const char *python, *executable;
    const char *torch; /* "2.13.0+cpu"; NULL without torch */
    const char *torch_path, *stdlib_path;
    bool cuda_available;
    const char **cuda_devices;
    size_t cuda_device_count;
    const char **prefixes, **cuda_prefixes; /* what every cell may read, and one that uses CUDA besides */
    size_t prefix_count, cuda_prefix_count;
    const char **site_paths;
    size_t site_path_count;
    double import_seconds; /* spent on importing torch */
    double start_seconds;  /* from starting the process to its hello */
    const json_t *hello;   /* all of it */
} ProbeFacts;

/* Safe to be used by several threads at once, but for probe_start and probe_stop: while the thread that
 * started it lives. Each cell is used by one thread. */
typedef struct Probe Probe;

/* Starts the zygote and waits for its hello. A torch that doesn't load is an error with torch's own last
 * line. The probe lives in `arena`, which must not be freed before probe_stop. */
MUST_USE Status probe_start(Arena *arena, const ProbeOptions *options, Probe **probe, Error *error);
const ProbeFacts *probe_facts(const Probe *probe);
/* False once it doesn't answer: every cell fails then, whatever the files. */
bool probe_works(Probe *probe);
/* What the cells so far had; the weakest of each layer. Before the first cell, layers have no text. Owned by
 * the probe's arena, and never changed: the next call may give another. */
const SandboxReport *probe_sandbox(const Probe *probe);
/* Imports library modules in the zygote, so that every later cell has them: "import transformers",
 * "from einops import rearrange"; each of them once. One that fails to import is left to the cell, which says
 * it better. */
MUST_USE Status probe_preload(Probe *probe, const char *const *statements, size_t count, Error *error);
/* Waits until torch is imported; without `parse_ahead` there is nothing to wait for. Before it, only
 * probe_parser may be used. */
MUST_USE Status probe_ready(Probe *probe, Error *error);
/* Ends the zygote and every cell, and waits for it. Cells, reports and their JSON are gone afterwards, memory
 * files are not. NULL does nothing. */
void probe_stop(Probe *probe);
/* Parses by this probe's interpreter, in cells. Valid until probe_stop. */
Parser probe_parser(Probe *probe);

/* ---- Cells -------------------------------------------------------------------------------- */
typedef struct CellJob {
    json_t *work;             /* {"kind": "run", ..}; borrowed */
    MemoryFile *const *files; /* given to the cell under their names, in this order */
    size_t file_count;
    const char *const *readable; /* files and folders that it may read besides probe_facts' prefixes */
    size_t readable_count;
    const char *device; /* "cpu", "cuda"; NULL: "cpu". For CUDA some layers are relaxed */
    double timeout;     /* seconds of wall time from its start; 0: 300. CPU time: threads times as many */
    uint64_t memory;    /* bytes of address space beyond the zygote's; 0: nine tenths of what the machine has
                           available. CUDA reserves more than any machine has: then there is no limit */
    uint64_t file_size; /* bytes that each memory file may have; 0: as `memory` */
    int threads;        /* 0: as many as there are processors for us */
    size_t log_limit;   /* bytes of the end of its output that the report has; 0: 4 KiB */
} CellJob;

typedef enum CellOutcome {
    CELL_DONE,      /* `done` is what it sent */
    CELL_FAILED,    /* user code raised: `failure` */
    CELL_TIMED_OUT, /* it was killed at its deadline */
    CELL_KILLED,    /* a signal ended it: `signal` */
    CELL_EXITED,    /* it ended by itself without a result: `status` */
    CELL_PROTOCOL   /* what it sent was not as the protocol says: `message` */
} CellOutcome;

typedef struct FailureFrame {
    int file;         /* index in the job's program; -1: not one of its files */
    const char *path; /* as shown */
    int line;
    const char *function;
} FailureFrame;

typedef struct Failure {  /* decoded from what the cell sent: all text is printable and bounded */
    const char *stage;    /* "load", "construct", "inputs", "weights", "forward", "outputs", "internal" */
    const char *type;     /* "RuntimeError" */
    const char *message;  /* may have several lines */
    const char *module;   /* path of the module whose call was running; NULL if none */
    const char *advice;   /* what to do, where the message is the probe's own; NULL */
    FailureFrame *frames; /* outermost first */
    size_t frame_count;
} Failure;

/* Is it what torch and Python say when memory runs out? */
bool says_out_of_memory(const char *message);

typedef struct CellReport { /* it and its texts live until cell_free or probe_stop */
    CellOutcome outcome;
    const char *message;   /* one sentence that says how it ended, for the user: "did not end within 5 s and
                              was killed"; NULL when DONE */
    const json_t *done;    /* json_incref it to keep it */
    Failure failure;       /* FAILED */
    int signal;            /* KILLED */
    int status;            /* EXITED */
    bool out_of_memory;    /* it ran into its memory limit, or very likely the machine's */
    SandboxReport sandbox; /* texts are NULL if it ended before it was ready */
    const char *log;       /* the end of what it wrote to stdout and stderr, printable; "" if nothing */
    double wall_seconds;   /* from start to end */
    double ready_seconds;  /* from start to a sandboxed cell */
    double cpu_seconds;
    uint64_t max_rss; /* bytes */
} CellReport;

typedef struct Cell Cell;

/* Forks a cell and gives it its job. Several may run at once. An error means that the probe itself
 * failed, or (from waiting) that the cell lacks a layer of the sandbox that was required. */
MUST_USE Status cell_start(Probe *probe, const CellJob *job, Cell **cell, Error *error);
/* Waits until one of `cells` has ended, and is dead and reaped; its memory files are then safe to seal
 * and map.
 * `*index` is which. Cells that had ended before are reported at once. */
MUST_USE Status cells_wait_any(Cell *const *cells, size_t count, size_t *index, Error *error);
/* Waits for this one. */
MUST_USE Status cell_wait(Cell *cell, const CellReport **report, Error *error);
const CellReport *cell_report(const Cell *cell); /* NULL while it runs */
void cell_free(Cell *cell);                      /* kills it if it runs; it and its report are gone */
/* cell_start and cell_wait. The report lives until probe_stop. */
MUST_USE Status cell_run(Probe *probe, const CellJob *job, const CellReport **report, Error *error);

#endif
