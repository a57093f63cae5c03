/* report: results for people and for programs. Sees results, never processes. */
#ifndef PLUMBLINE_REPORT_H
#define PLUMBLINE_REPORT_H

#include <stdio.h>

#include "decomposition.h"
#include "groups.h"

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

/* `plumbline check`. New reference. */
json_t *report_check_json(Arena *arena, const CheckResult *result, const char *timestamp);
json_t *report_check_brief_json(const CheckResult *result); /* what is wrong, and no more */
void report_check(const View *view, const CheckResult *result);
/* The result files of formats.md, in their places in the folder; each aside, then renamed. */
MUST_USE Status report_check_files(Arena *arena, const CheckResult *result, const char *timestamp,
                                   Error *error);
/* `plumbline flow`. Hostile names are made printable, and escaped as the format asks. */
typedef enum FlowFormat { FLOW_TEXT, FLOW_JSON, FLOW_DOT, FLOW_SVG } FlowFormat;
typedef struct FlowOptions {
    FlowFormat format;
    size_t depth; /* how many levels are drawn, from the model down; 0: all. JSON has them all */
    bool has_level;
    Level level; /* nothing below it is opened */
} FlowOptions;
json_t *report_flow_json(const Flow *flow); /* new reference */
Bytes report_flow(Arena *arena, const Flow *flow, const FlowOptions *options);

/* `plumbline trace --operators`: how often each occurs. Owned by the arena. */
Bytes report_operators(Arena *arena, const TraceResult *result, const SemanticOperators *operators,
                       bool json);
/* {"linear": {"count": 4, "kind": "compute"}, ..}, in order of first use. New reference. */
json_t *report_operators_json(const SemanticOperators *operators);

/* `plumbline coverage`: coverage_report.json (formats.md), a new reference; and the guide's table. */
json_t *report_coverage_json(const CoverageResult *result, const char *model, const char *timestamp);
Bytes report_coverage(Arena *arena, const CoverageResult *result);
/* `plumbline component`. New reference. */
json_t *report_components_json(const ComponentResult *results, size_t count, Verdict verdict);
/* The verdict, and unless `quiet` the parts and the findings. */
void report_component_text(Arena *arena, const ComponentResult *result, bool quiet, Text *text);

json_t *report_lint_json(const char *const *files, const LintResult *results, size_t count);
void report_lint(const View *view, const char *const *files, const LintResult *results, size_t count);

/* `plumbline tree`: the decomposition as it lies on disk, and what is wrong with it. VERDICT_FAIL if there is
 * a violation. Owned by the arena. */
Verdict project_verdict(const Project *project);
Bytes report_tree_drawing(Arena *arena, const Project *project); /* the tree alone */
Bytes report_tree_text(Arena *arena, const Project *project, bool quiet);
Bytes report_tree_json(Arena *arena, const Project *project);
/* Four rows, a box for each node, lines to its children; no text in it is markup. */
Bytes report_tree_svg(Arena *arena, const Project *project);

/* `plumbline compose`. New reference; and owned by the arena. */
json_t *report_composition_json(Arena *arena, const Project *project, const CompositionResult *result,
                                const char *timestamp);
Bytes report_composition(Arena *arena, const Project *project, const CompositionResult *result, bool quiet);

/* JSON with two-space indents, keys in the order of insertion, and a newline at the end. Owned by the arena.
 */
Bytes report_json_text(Arena *arena, const json_t *value);

#endif
