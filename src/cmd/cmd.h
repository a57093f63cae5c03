/* cmd: one file a subcommand: options in, verify, report out. */
#ifndef PLUMBLINE_CMD_H
#define PLUMBLINE_CMD_H

#include "report.h"

/* Each takes argv from the subcommand's name on and returns the exit status: 0 PASS, 1 FAIL, 2 ERROR. */
int step_main(int count, char **arguments);
int trace_main(int count, char **arguments);
int diff_main(int count, char **arguments);
int weights_main(int count, char **arguments);
int lint_main(int count, char **arguments);
int doctor_main(int count, char **arguments);

/* What several subcommands share. */
typedef struct CommonOptions {
    const char *python; /* NULL: search */
    bool json, quiet, no_color;
    const char **allowed_imports;
    size_t allowed_count, allowed_capacity;
} CommonOptions;

/* Prints "plumbline: ..." to stderr and returns 2. */
int command_fail(const Error *error);
int command_usage(const char *usage, const char *format, ...) PRINTF_LIKE(2, 3);
/* stdout, with colour if it is a terminal, NO_COLOR is unset and --no-color was not given. */
View command_view(const CommonOptions *options);

/* Text to numbers: the whole text must be one; on failure the message names the option. */
MUST_USE Status option_number(const char *option, const char *text, double low, double high, double *value,
                              Error *error);
MUST_USE Status option_integer(const char *option, const char *text, uint64_t low, uint64_t high,
                               uint64_t *value, Error *error);
/* Bytes, with an optional suffix K, M, G or T (powers of 1024). */
MUST_USE Status option_bytes(const char *option, const char *text, uint64_t *value, Error *error);

#endif
