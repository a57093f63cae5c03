/* cmd: one file a subcommand: options in, verify, report out. */
#ifndef PLUMBLINE_CMD_H
#define PLUMBLINE_CMD_H

#include "options.h"
#include "report.h"

/* Each takes argv from the subcommand's name on and returns the exit status: 0 PASS, 1 FAIL, 2 ERROR. */
int check_main(int count, char **arguments);
int step_main(int count, char **arguments);
int trace_main(int count, char **arguments);
int diff_main(int count, char **arguments);
int weights_main(int count, char **arguments);
int flow_main(int count, char **arguments);
int coverage_main(int count, char **arguments);
int component_main(int count, char **arguments);
int lint_main(int count, char **arguments);
int init_main(int count, char **arguments);
int tree_main(int count, char **arguments);
int compose_main(int count, char **arguments);
int batch_main(int count, char **arguments);
int doctor_main(int count, char **arguments);

/* What several subcommands share. */
typedef struct CommonOptions {
    const char *python; /* NULL: search */
    const char *format; /* NULL: text */
    const char *output; /* a file, or NULL */
    Words allowed_imports;
    bool quiet, no_color, require_sandbox;
} CommonOptions;

/* Rows of their tables. */
#define ROW_PYTHON(common)                                                                                   \
    {                                                                                                        \
        "python", "PATH", OPTION_TEXT, &(common)->python, 0, 0,                                              \
            "interpreter; default: $PLUMBLINE_PYTHON, an active or ./.venv environment, python3"             \
    }
#define ROW_ALLOW_IMPORT(common)                                                                             \
    {                                                                                                        \
        "allow-import", "NAME", OPTION_WORDS, &(common)->allowed_imports, 0, 0,                              \
            "let candidate files import NAME too; the result says so"                                        \
    }
#define ROW_FORMAT(common, choices)                                                                          \
    { "format", choices, OPTION_CHOICE, &(common)->format, 0, 0, "what to print (text)" }
#define ROW_OUTPUT(common, value, help)                                                                      \
    { "output", value, OPTION_TEXT, &(common)->output, 0, 0, help }
#define ROW_QUIET(common, help)                                                                              \
    { "quiet", NULL, OPTION_FLAG, &(common)->quiet, 0, 0, help }
#define ROW_NO_COLOR(common)                                                                                 \
    { "no-color", NULL, OPTION_FLAG, &(common)->no_color, 0, 0, "no colour on a terminal either" }
#define ROW_REQUIRE_SANDBOX(common)                                                                          \
    {                                                                                                        \
        "require-sandbox", NULL, OPTION_FLAG, &(common)->require_sandbox, 0, 0,                              \
            "refuse to run where a layer of the sandbox can't be had"                                        \
    }
/* `run`: StepOptions, ComponentOptions or CheckOptions. */
#define ROW_RIGOR(run, help)                                                                                 \
    { "rigor", "fast|standard|paranoid", OPTION_RIGOR, &(run)->rigor, 0, 0, help }
#define ROW_SEED(run, help)                                                                                  \
    { "seed", "N", OPTION_INTEGER, &(run)->seed, 0, 0x1p62, help }
#define ROW_DEVICE(run)                                                                                      \
    { "device", "cpu|cuda", OPTION_CHOICE, &(run)->device, 0, 0, "where models run (cpu)" }
#define ROW_TIMEOUT(run, help)                                                                               \
    { "timeout", "S", OPTION_NUMBER, &(run)->timeout, 0.1, 1e6, help }
#define ROW_MEMORY(run, help)                                                                                \
    { "memory", "BYTES", OPTION_BYTES, &(run)->memory, 0, 0, help }
#define EACH_TIMEOUT "seconds for each run of user code (300)"
#define EACH_MEMORY  "memory of each run beyond torch itself, 8G or such (most of what is free)"

/* Prints "plumbline: ..." to stderr and returns 2. */
int command_fail(const Error *error);
int command_fail_text(const char *what);
bool command_json(const CommonOptions *options);
/* stdout, with colour if it is a terminal, NO_COLOR is unset and --no-color was not given. */
View command_view(const CommonOptions *options);
/* The probe on the interpreter of --python or what is found; with torch, or for its parser alone. */
MUST_USE Status command_start(Arena *arena, const CommonOptions *options, bool torch, Probe **probe,
                              Error *error);
/* Our own patterns and those of `file`, which may be NULL. */
MUST_USE Status command_patterns(Arena *arena, const char *file, Patterns **patterns, Error *error);
/* To stdout. `status`, or 2 if it can't be written. */
int command_print(Bytes text, int status);
/* The same of what was printed already. */
int command_printed(int status);
/* To --output, otherwise to stdout. Likewise; and what can't be written to --output goes to stdout, so that
 * no work is lost. */
int command_write(const CommonOptions *options, Bytes text, int status);
/* A verdict: `json`, which is dropped, to --output; and to stdout too with --format json, where otherwise
 * `show` says it. Likewise. */
typedef void ShowResult(const View *view, const void *result);
int command_report(Arena *arena, const CommonOptions *options, json_t *json, ShowResult *show,
                   const void *result, int status);
/* A line on a terminal's stderr that is overwritten, and wiped by ""; nothing elsewhere or if quiet. */
Progress command_progress(const CommonOptions *options);

#endif
