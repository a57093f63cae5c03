/* report: results for people and for programs. Sees results, never processes. */
#ifndef PLUMBLINE_REPORT_H
#define PLUMBLINE_REPORT_H

#include <stdio.h>

#include "verify.h"

typedef struct View {
    FILE *stream;
    bool colour; /* escape sequences; only for a terminal */
    bool quiet;  /* the verdict line alone */
} View;

/* verification_result.json (formats.md): the same result gives the same bytes but for `timestamp` (ISO 8601)
 * and "timings". New reference. */
json_t *report_proof_json(const ProofResult *proof);
json_t *report_step_json(const StepResult *result, const char *timestamp);
/* What was checked, the verdict, and if it isn't PASS the one thing to look at first. */
void report_step(const View *view, const StepResult *result);

/* "proved" or "tested"; NULL without a PASS. */
const char *report_method(const StepResult *result);

/* `plumbline diff`: for people or as JSON. Owned by the arena. */
Bytes report_diff(Arena *arena, const StepResult *result, bool json, bool quiet);
/* `plumbline trace`. New reference; and the lines below a listing. */
json_t *report_trace_json(const TraceResult *result, bool dispatch);
void report_trace_summary(Arena *arena, const TraceResult *result, Text *text);

json_t *report_lint_json(const char *const *files, const LintResult *results, size_t count);
void report_lint(const View *view, const char *const *files, const LintResult *results, size_t count);

/* JSON with two-space indents, keys in the order of insertion, and a newline at the end. Owned by the arena.
 */
Bytes report_json_text(Arena *arena, const json_t *value);

#endif
