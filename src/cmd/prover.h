/* prover: what trace, diff and weights share: their options, and a started probe. */
#ifndef PLUMBLINE_PROVER_H
#define PLUMBLINE_PROVER_H

#include "cmd.h"

typedef struct ProverArguments {
    StepOptions step;
    CommonOptions common;
    const char *output, *format, *depth; /* NULL: not given */
    bool real, has_patterns;
    const char *patterns; /* a file of the user's, or NULL */
    const char *files[2];
    int file_count;
} ProverArguments;

/* Reads the options whose names `accepted` lists ("python", "format"; those with a value end in '='), and up
 * to two file names. The value of --patterns may be left out; what follows it is one if a file was named
 * before. -1 to go on; otherwise the exit status. */
int prover_read(Arena *arena, int count, char **values, const char *usage, const char *help,
                const char *const *accepted, ProverArguments *arguments);
MUST_USE Status prover_start(Arena *arena, const ProverArguments *arguments, Probe **probe, Error *error);
/* Text or JSON to stdout or to --output. The exit status, or 2. */
int prover_write(const ProverArguments *arguments, Bytes text, int status);

#endif
