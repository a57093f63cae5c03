/* checklist: the guide's seventeen lines, and the verdict. Every rule belongs to one line; a line holds if no
 * rule of its own is broken and what it speaks of was there to be judged. */
#include "check_parts.h"

#include <string.h>

typedef enum Line {
    LINE_CHILD_CALLS,
    LINE_NO_MODULES,
    LINE_STEPS,
    LINE_COMPONENTS,
    LINE_COMPOSITION,
    LINE_SUMMARY,
    LINE_FLOW,
    LINE_COUNTS,
    LINE_ONE_OPERATION,
    LINE_SEMANTIC,
    LINE_NAMES,
    LINE_LEAVES,
    LINE_HIERARCHY,
    LINE_TREE,
    LINE_LOG,
    LINE_DTYPES,
    LINE_DIMENSIONS
} Line;

static const char *const TEXTS[CHECKLIST_COUNT] = {
    [LINE_CHILD_CALLS] = "Each decomposition step has refactored.py with ONLY child module calls",
    [LINE_NO_MODULES] = "Each refactored __init__() has NO raw nn.Module construction",
    [LINE_STEPS] = "Each step's verify_step.py PASSES (numerical equivalence + anti-cheat)",
    [LINE_COMPONENTS] = "All component files execute without error",
    [LINE_COMPOSITION] = "composition_test.py PASSES",
    [LINE_SUMMARY] = "coverage_summary.json exists in verification/",
    [LINE_FLOW] = "Shape flow is documented and verified",
    [LINE_COUNTS] = "Operation counts match between original and decomposed",
    [LINE_ONE_OPERATION] = "No kernel has more than 1 logical operation",
    [LINE_SEMANTIC] = "Kernel classification is SEMANTIC (RMSNorm, RoPE are kernels, not fusions)",
    [LINE_NAMES] = "Kernel files use shape-based naming: {operation}_{shape_signature}_{dtype}.py",
    [LINE_LEAVES] = "All leaf nodes are at kernel level",
    [LINE_HIERARCHY] =
        "Abstraction hierarchy is respected (children are always at a lower level than parent)",
    [LINE_TREE] = "decomposition_tree.json is complete",
    [LINE_LOG] = "decomposition_log.json records key decisions and difficulties",
    [LINE_DTYPES] = "All dtypes are preserved",
    [LINE_DIMENSIONS] = "ALL DIMENSIONS MATCH THE ORIGINAL MODEL EXACTLY"};

/* The longest prefix of a rule's id says which line it breaks. */
static const struct {
    const char *prefix;
    Line line;
} LINES[] = {
    {"op.", LINE_CHILD_CALLS},
    {"child.", LINE_CHILD_CALLS},
    {"py.", LINE_CHILD_CALLS},
    {"step.", LINE_CHILD_CALLS},
    {"state.", LINE_CHILD_CALLS},
    {"trace.", LINE_CHILD_CALLS},
    {"chain.refactored", LINE_CHILD_CALLS},
    {"chain.load", LINE_CHILD_CALLS},
    {"init.", LINE_NO_MODULES},
    {"weights.", LINE_STEPS},
    {"numbers.", LINE_STEPS},
    {"chain.", LINE_STEPS},
    {"component.", LINE_COMPONENTS},
    {"file.", LINE_COMPONENTS},
    {"composition.", LINE_COMPOSITION},
    {"coverage.summary", LINE_SUMMARY},
    {"flow.", LINE_FLOW},
    {"coverage.", LINE_COUNTS},
    {"level.kernel", LINE_ONE_OPERATION},
    {"level.misclassified", LINE_SEMANTIC},
    {"name.", LINE_NAMES},
    {"level.leaf", LINE_LEAVES},
    {"chain.no-step", LINE_LEAVES},
    {"composition.missing-step", LINE_LEAVES},
    {"level.", LINE_HIERARCHY},
    {"tree.cycle", LINE_HIERARCHY},
    {"tree.", LINE_TREE},
    {"log.", LINE_LOG},
    {"numbers.dtype", LINE_DTYPES},
    {"numbers.precision", LINE_DTYPES},
    {"flow.dtype", LINE_DTYPES},
    {"dimensions.", LINE_DIMENSIONS},
    {"numbers.dimensions", LINE_DIMENSIONS},
};

size_t checklist_line_of(const Rule *rule, bool recomposed) {
    size_t line = CHECKLIST_COUNT, length = 0;
    for (size_t i = 0; i < COUNT_OF(LINES); i++)
        if (text_starts(rule->id, LINES[i].prefix) && strlen(LINES[i].prefix) > length) {
            line = LINES[i].line;
            length = strlen(LINES[i].prefix);
        }
    return recomposed && line <= LINE_STEPS ? (size_t)LINE_COMPOSITION : line;
}

/* ---- What holds, with its evidence; NULL where it can't be judged ---------------------------------- */

typedef struct Counts {
    size_t steps, steps_passed, steps_proved, steps_clean, components, self_tests, kernels, one_operation;
} Counts;

static Counts count_all(const CheckResult *result) {
    const Project *project = &result->project;
    Counts counts = {.steps = project->step_count, .components = project->component_count};
    for (size_t i = 0; i < project->step_count; i++) {
        const StepResult *step = &result->steps[i];
        counts.steps_passed += step->verdict == VERDICT_PASS;
        counts.steps_proved += step->verdict == VERDICT_PASS && step->proof.proved;
        counts.steps_clean += step->anticheat == PART_PASSED;
    }
    for (size_t i = 0; i < project->component_count; i++) {
        const ComponentResult *component = &result->components[i];
        counts.self_tests += component->self_test == PART_PASSED && component->runs == PART_PASSED;
        if (project->components[i].level != LEVEL_KERNEL)
            continue;
        counts.kernels++;
        counts.one_operation += component->one_operation == PART_PASSED;
    }
    return counts;
}

static const char *steps_evidence(Arena *arena, const Counts *counts, size_t good, const char *what) {
    if (counts->steps == 0)
        return NULL;
    return good == counts->steps
               ? arena_printf(arena, "%zu step%s: %s", counts->steps, counts->steps == 1 ? "" : "s", what)
               : NULL;
}

static const char *composition_evidence(Arena *arena, const CheckResult *result) {
    const CompositionResult *composition = &result->composition;
    if (composition->verdict != VERDICT_PASS || composition->test != PART_PASSED)
        return NULL;
    return arena_printf(arena, "it passes, and the recomposed model is %s",
                        composition->step.proof.proved ? "proved to be the original" : "tested against it");
}

static const char *evidence_of(Arena *arena, const CheckResult *result, const Counts *counts, Line line) {
    const Project *project = &result->project;
    const CompositionResult *composition = &result->composition;
    const CoverageResult *coverage = &result->coverage;
    switch (line) {
    case LINE_CHILD_CALLS:
        return steps_evidence(arena, counts, counts->steps_clean, "only child calls and data plumbing");
    case LINE_NO_MODULES:
        return steps_evidence(arena, counts, counts->steps_clean, "every module comes from a child file");
    case LINE_STEPS:
        return steps_evidence(arena, counts, counts->steps_passed,
                              arena_printf(arena, "all PASS, %zu proved", counts->steps_proved));
    case LINE_COMPONENTS:
        return counts->components > 0 && counts->self_tests == counts->components
                   ? arena_printf(arena, "every file prints PASS and runs: %zu", counts->components)
                   : NULL;
    case LINE_COMPOSITION: return composition_evidence(arena, result);
    case LINE_SUMMARY: return coverage->status == NULL ? NULL : "it is there and agrees with our counts";
    case LINE_FLOW:
        return composition->recorded ? arena_printf(arena, "%zu nodes and %zu edges are as declared",
                                                    project->node_count, project->edge_count)
                                     : NULL;
    case LINE_COUNTS:
        return coverage->status != NULL && strcmp(coverage->status, "FULL_COVERAGE") == 0
                   ? arena_printf(arena, "%zu operations, each 1:1", coverage->original_total)
                   : NULL;
    case LINE_ONE_OPERATION:
        return counts->kernels > 0 && counts->one_operation == counts->kernels
                   ? arena_printf(arena, "%zu kernels of one operation", counts->kernels)
                   : NULL;
    case LINE_SEMANTIC:
        return counts->self_tests > 0 && counts->kernels > 0
                   ? arena_printf(arena, "no fusion is a kernel; %zu kernels", counts->kernels)
                   : NULL;
    case LINE_NAMES:
        return counts->kernels > 0
                   ? arena_printf(arena, "%zu names parse and tell the truth", counts->kernels)
                   : NULL;
    case LINE_LEAVES:
        return composition->composed && composition->missing_count == 0
                   ? arena_printf(arena, "every leaf is one of %zu kernels", counts->kernels)
                   : NULL;
    case LINE_HIERARCHY: return project->node_count > 0 ? "every child lies below its parent" : NULL;
    case LINE_TREE:
        return project->node_count > 0
                   ? arena_printf(arena, "a node for every component file: %zu", project->node_count)
                   : NULL;
    case LINE_LOG:
        return project->log_count > 0 ? arena_printf(arena, "%zu entr%s", project->log_count,
                                                     project->log_count == 1 ? "y" : "ies")
                                      : NULL;
    case LINE_DTYPES: return composition->recorded ? "in every component at its place" : NULL;
    case LINE_DIMENSIONS:
        return composition->recorded
                   ? arena_printf(arena, "at %zu places in the original", composition->placement_count)
                   : NULL;
    }
    return NULL;
}

/* ---- The lines -------------------------------------------------------------------------------------- */

static const char *sentence(Arena *arena, const Finding *finding, size_t others) {
    const char *text = finding_text(arena, finding);
    return others == 0 ? text : arena_printf(arena, "%s (and %zu more)", text, others);
}

/* What fails a line without a finding of its own. */
static const char *reason_without(Arena *arena, const CheckResult *result, Line line) {
    const Project *project = &result->project;
    if (result->interrupted)
        return "interrupted before it was judged";
    for (size_t i = 0; line == LINE_STEPS && i < project->step_count; i++)
        if (result->steps[i].verdict != VERDICT_PASS)
            return arena_printf(arena, "%s: %s", project->steps[i].name,
                                result->steps[i].verdict == VERDICT_ERROR ? result->steps[i].error
                                                                          : result->steps[i].fail_reason);
    for (size_t i = 0; line == LINE_COMPONENTS && i < project->component_count; i++) {
        const ComponentResult *component = &result->components[i];
        if (component->self_test != PART_PASSED || component->runs != PART_PASSED)
            return arena_printf(arena, "%s: %s", project->components[i].source.name,
                                component->error != NULL         ? component->error
                                : component->fail_reason != NULL ? component->fail_reason
                                                                 : "it was not run to its end");
    }
    if (line == LINE_COMPOSITION && result->composition.test == PART_SKIPPED)
        return "verification/composition_test.py is missing; write one that recomposes the model, as "
               "'plumbline init' does";
    if (line <= LINE_STEPS && project->step_count == 0)
        return "there is no step";
    if (result->composition.why_not != NULL)
        return arena_printf(arena, "it could not be judged: %s", result->composition.why_not);
    return "it could not be judged, since other lines don't hold";
}

static void judge_line(Arena *arena, CheckResult *result, const Counts *counts, Line line) {
    const Finding *first = NULL;
    size_t broken = 0;
    for (size_t i = 0; i < result->findings->count; i++) {
        const Finding *finding = &result->findings->items[i];
        if (finding->severity != SEVERITY_VIOLATION ||
            checklist_line_of(finding->rule, text_equal(finding->of, RECOMPOSED)) != (size_t)line)
            continue;
        first = first == NULL ? finding : first;
        broken++;
    }
    const char *evidence = evidence_of(arena, result, counts, line);
    ChecklistLine *judged = &result->checklist[line];
    *judged = (ChecklistLine){.text = TEXTS[line],
                              .holds = first == NULL && evidence != NULL && !result->interrupted,
                              .judged = first != NULL || (evidence != NULL && !result->interrupted),
                              .evidence = evidence};
    if (!judged->holds)
        judged->evidence =
            first != NULL ? sentence(arena, first, broken - 1) : reason_without(arena, result, line);
    if (judged->evidence != NULL)
        judged->evidence = text_printable(arena, judged->evidence, strlen(judged->evidence));
}

/* ---- The verdict -------------------------------------------------------------------------------------- */

/* What makes other things fail comes first: what can't be read, the tree, the steps in their order. */
static int urgency(const Finding *finding) {
    static const char *const order[] = {"file.",
                                        "tree.root",
                                        "py.",
                                        "chain.",
                                        "component.",
                                        "dimensions.init",
                                        "dimensions.input",
                                        "numbers.raised",
                                        "numbers.dimensions",
                                        "weights.",
                                        "op.",
                                        "init.",
                                        "child.",
                                        "step.",
                                        "numbers.",
                                        "composition.",
                                        "level.",
                                        "dimensions.",
                                        "tree.",
                                        "coverage.",
                                        "name.",
                                        "flow.",
                                        "log."};
    /* A step's mistake shows in the recomposed model too, but is made in the step. */
    const char *id = text_equal(finding->of, RECOMPOSED) ? "composition." : finding->rule->id;
    int best = (int)COUNT_OF(order);
    size_t length = 0;
    for (int i = 0; i < (int)COUNT_OF(order); i++)
        if (text_starts(id, order[i]) && strlen(order[i]) > length) {
            best = i;
            length = strlen(order[i]);
        }
    return best;
}

void check_conclude(Arena *arena, CheckResult *result) {
    if (!result->interrupted)
        claims_check(arena, result);
    findings_sort(result->findings);
    for (size_t i = 0; i < result->findings->count; i++) {
        const Finding *finding = &result->findings->items[i];
        if (finding->severity == SEVERITY_VIOLATION &&
            (result->first == NULL || urgency(finding) < urgency(result->first)))
            result->first = finding;
    }
    const Counts counts = count_all(result);
    bool all = result->first == NULL && !result->interrupted;
    for (size_t i = 0; i < CHECKLIST_COUNT; i++) {
        judge_line(arena, result, &counts, (Line)i);
        all &= result->checklist[i].holds;
    }
    for (size_t i = 0; i < result->project.component_count; i++)
        all &= result->components[i].verdict == VERDICT_PASS;
    all &= result->composition.verdict == VERDICT_PASS;
    result->verdict = all ? VERDICT_PASS : VERDICT_FAIL;
    if (result->interrupted) {
        result->verdict = VERDICT_ERROR;
        result->error = "interrupted: what had finished is shown";
    }
}
