/* sandbox: what a cell may do. Inside this room only; the cell applies it (probe/sandbox.py). */
#ifndef PLUMBLINE_PROBE_SANDBOX_H
#define PLUMBLINE_PROBE_SANDBOX_H

#include "probe.h"

#include <sys/types.h>

/* A sealed memory file with the BPF program for the cell `pid`: system calls that a model needs, and no
 * others. With `cuda`, also what its driver needs: opening devices for writing, and any ioctl. */
MUST_USE Status seccomp_program(Arena *arena, pid_t pid, bool cuda, MemoryFile **program, Error *error);

/* Does now what the first cell's program would wait for. */
void seccomp_prepare(Arena *arena);

/* Reads {"seccomp": "on", ..}. False if it isn't as the protocol says. */
bool sandbox_read(Arena *arena, const json_t *layers, bool cuda, SandboxReport *report);
/* Keeps, of each layer, the weaker of the two. */
void sandbox_weaken(SandboxReport *weakest, const SandboxReport *report);

#endif
