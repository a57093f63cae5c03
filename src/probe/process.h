/* process: starting a program with nothing inherited but what is given. Inside this room only. */
#ifndef PLUMBLINE_PROBE_PROCESS_H
#define PLUMBLINE_PROBE_PROCESS_H

#include "base.h"

#include <sys/types.h>

enum { PROCESS_MOST_DESCRIPTORS = 8 };

/* Starts argv[0] (a path) in a session of its own; `descriptors` become 0, 1, 2...; -1 means /dev/null. It is
 * killed when the calling thread ends. */
MUST_USE Status process_start(Arena *arena, const char *const *argv, const int *descriptors, size_t count,
                              pid_t *pid, Error *error);
/* Waits for a child until `deadline`, then kills it. Its wait status; *killed says whether it had to be. */
int process_end(pid_t pid, double deadline, bool *killed);
/* Runs a program to its end or for `seconds`; what it wrote to stdout and stderr, together at most 64 KiB. */
MUST_USE Status process_output(Arena *arena, const char *const *argv, double seconds, char **output,
                               int *wait_status, Error *error);
/* The last `limit` bytes of a file, printable; lines stay lines. */
char *file_tail(Arena *arena, int fd, size_t limit);

#endif
