/* zygote: what a Probe and a Cell are, for the files of this room. */
#ifndef PLUMBLINE_PROBE_ZYGOTE_H
#define PLUMBLINE_PROBE_ZYGOTE_H

#include "probe.h"
#include "wire.h"

#include <sys/types.h>

struct Probe {
    Arena *arena;
    ProbeOptions options;
    pid_t pid; /* 0 once it is waited for */
    int socket, log;
    WireReader reader;
    json_t *hello;
    ProbeFacts facts;
    SandboxReport sandbox;
    Cell *cells; /* every cell ever started, newest first */
    int cells_started;
    bool greeted; /* its hello was read */
    double started;
    Probe *parser; /* one without torch, that parses while this one imports it; or NULL */
    bool broken;   /* it doesn't answer: it is dead, and the kernel has killed its cells */
};

typedef enum CellPhase {
    PHASE_SANDBOXING, /* waits for "ready" */
    PHASE_WORKING,    /* waits for "done" or "failed" */
    PHASE_ENDED       /* dead, reaped, reported */
} CellPhase;

struct Cell {
    Probe *probe;
    Cell *next;
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
};

/* Sends a request to the zygote and takes its answer, which must have `key`. New reference. */
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
