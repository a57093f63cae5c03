/* zygote: what a Probe and a Cell are, for the files of this room. */
#ifndef PLUMBLINE_PROBE_ZYGOTE_H
#define PLUMBLINE_PROBE_ZYGOTE_H

#include "probe.h"
#include "wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* Several threads may start and await cells of one probe. What they share is below `lock` and is touched by
 * its holder alone; above it is what doesn't change once the probe has started, or greeted. A cell is one
 * thread's. Counts of references to JSON are atomic (jansson's JSON_HAVE_ATOMIC_BUILTINS), so threads may
 * hold one value, but none may change it then. */
struct Probe {
    ProbeOptions options;
    pid_t pid; /* 0 once it is waited for */
    int log;
    json_t *hello;
    ProbeFacts facts;
    double started;
    Probe *parser; /* one without torch, that parses while this one imports it; or NULL */

    pthread_mutex_t lock;
    Arena *arena;
    int socket;
    WireReader reader;
    Cell *cells; /* those that were not freed, newest first */
    int cells_started;
    Table *preloaded;     /* statements that were preloaded, or could not be */
    bool greeted;         /* its hello was read */
    const Error *refusal; /* why it did not start; NULL */
    bool broken;          /* it doesn't answer: it is dead, and the kernel has killed its cells */

    _Atomic(const SandboxReport *) sandbox; /* replaced under the lock, never changed: read without it */
};

typedef enum CellPhase {
    PHASE_SANDBOXING, /* waits for "ready" */
    PHASE_WORKING,    /* waits for "done" or "failed" */
    PHASE_ENDED       /* dead, reaped, reported */
} CellPhase;

struct Cell {
    Probe *probe;
    Arena *arena; /* its own: holds the cell and its report */
    Cell *next, *previous;
    int number; /* from 1 */
    CellPhase phase;
    pid_t pid;
    int socket, log; /* -1 once it has ended */
    int process;     /* pidfd: names this process even after its id is used again; -1 on an old kernel */
    WireReader reader;
    json_t *answer; /* the frame with "done"; owned */
    CellReport report;
    bool cuda;
    double started, deadline, timeout;
    long cpu_limit; /* seconds */
    uint64_t memory;
    size_t log_limit; /* bytes */
};

/* Sends a request to the zygote and takes its answer, which must have `key`. New reference. Waits for its
 * turn, which `seconds` doesn't include. After a failure the probe is broken: an answer that comes too late
 * must not be taken for another's. */
MUST_USE Status zygote_ask(Probe *probe, json_t *request, const int *descriptors, size_t count,
                           const char *key, double seconds, json_t **answer, Error *error);

/* Decodes what follows "failed"; false if it isn't as the protocol says. */
bool failure_read(Arena *arena, const json_t *object, Failure *failure);
/* Sets outcome, signal, status and message of a cell that closed its socket without an answer: by the wait
 * status it left, or as a breach of protocol if it had to be killed. */
void outcome_of_end(Cell *cell, int wait_status, bool was_alive);
void outcome_of_protocol(Cell *cell, const char *problem);
void outcome_of_failure(Cell *cell);
void outcome_of_deadline(Cell *cell);

#endif
