/* `plumbline check` for people: the tree, the shape flow, the coverage, what is wrong, the checklist. */
#include "groups.h"
#include "paint.h"

#include <string.h>

static void put_heading(const View *view, const char *text) {
    put(view, TINT_BOLD, text);
    fputs("\n\n", view->stream);
}

static void put_bytes(const View *view, Bytes text) {
    fwrite(text.data, 1, text.size, view->stream);
}

static void put_mark(const View *view, bool good) {
    put(view, good ? TINT_GOOD : TINT_BAD, good ? "\xe2\x9c\x93" : "\xe2\x9c\x97");
}

/* ---- Steps and components ------------------------------------------------------------------- */

/* Where the numbers inside part first. */
static void put_departure(const View *view, Arena *arena, const StepResult *step) {
    if (step->departure != NULL)
        fprintf(view->stream, "      %s\n", shown(arena, step->departure->says));
}

static void put_steps(const View *view, Arena *arena, const CheckResult *result) {
    put_heading(view, "Steps");
    for (size_t i = 0; i < result->project.step_count; i++) {
        const StepResult *step = &result->steps[i];
        fputs("  ", view->stream);
        put_mark(view, step->verdict == VERDICT_PASS);
        fprintf(view->stream, " %s  %s\n", shown(arena, result->project.steps[i].name),
                step->verdict == VERDICT_PASS                           ? report_method(step)
                : result->interrupted && step->verdict == VERDICT_ERROR ? "not judged"
                                                                        : verdict_name(step->verdict));
        if (!result->interrupted && step->verdict == VERDICT_ERROR)
            fprintf(view->stream, "      %s\n", shown(arena, step->error));
        put_departure(view, arena, step);
    }
    fputs("  ", view->stream);
    put_mark(view, result->composition.step.verdict == VERDICT_PASS);
    fprintf(view->stream, " recomposed, against the root model  %s\n",
            result->composition.step.verdict == VERDICT_PASS       ? report_method(&result->composition.step)
            : result->composition.composed && !result->interrupted ? "FAIL"
                                                                   : "not judged");
    put_departure(view, arena, &result->composition.step);
    for (size_t i = 0; i < result->project.component_count; i++)
        if (result->components[i].verdict == VERDICT_FAIL ||
            (result->components[i].verdict == VERDICT_ERROR && !result->interrupted)) {
            fputs("  ", view->stream);
            put_mark(view, false);
            fprintf(view->stream, " %s  %s\n", shown(arena, result->project.components[i].source.name),
                    verdict_name(result->components[i].verdict));
        }
    fputc('\n', view->stream);
}

/* ---- Findings and the checklist ---------------------------------------------------------------- */

enum { MOST_OF_RULE = 5 };

static void put_findings(const View *view, Arena *arena, const CheckResult *result) {
    size_t count;
    const FindingGroup *groups = findings_group(arena, result->findings, &count);
    Text text = text_new(arena);
    if (count == 0)
        return;
    put_heading(view, "Findings");
    groups_print(arena, groups, count, MOST_OF_RULE, &text);
    fputs(text.data, view->stream);
    fputc('\n', view->stream);
}

static void put_checklist(const View *view, Arena *arena, const CheckResult *result) {
    put_heading(view, "Checklist");
    for (size_t i = 0; i < CHECKLIST_COUNT; i++) {
        const ChecklistLine *line = &result->checklist[i];
        fputs("  ", view->stream);
        put_mark(view, line->holds);
        fprintf(view->stream, " %s\n      ", line->text);
        put(view, line->holds ? TINT_DIM : TINT_PLAIN, shown(arena, line->evidence));
        fputc('\n', view->stream);
    }
    fputc('\n', view->stream);
}

static void put_verdict(const View *view, Arena *arena, const CheckResult *result) {
    put(view, result->verdict == VERDICT_PASS ? TINT_GOOD : TINT_BAD, verdict_name(result->verdict));
    size_t proved = 0, holding = 0;
    for (size_t i = 0; result->steps != NULL && i < result->project.step_count; i++)
        proved += result->steps[i].proof.proved;
    for (size_t i = 0; i < CHECKLIST_COUNT; i++)
        holding += result->checklist[i].holds;
    if (result->verdict == VERDICT_PASS)
        fprintf(view->stream, "  %zu of %zu steps proved, the whole %s, in %.1f s\n", proved,
                result->project.step_count, report_method(&result->composition.step), result->seconds);
    else if (result->verdict == VERDICT_ERROR)
        fprintf(view->stream, "  %s\n", shown(arena, result->error));
    else if (result->first != NULL)
        fprintf(view->stream, "  %zu of %d lines hold; first: %s\n", holding, (int)CHECKLIST_COUNT,
                finding_text(arena, result->first));
    else
        fprintf(view->stream, "  %zu of %d lines hold\n", holding, (int)CHECKLIST_COUNT);
}

void report_check(const View *view, const CheckResult *result) {
    Arena *arena = arena_new();
    bool judged = result->verdict != VERDICT_ERROR || result->interrupted;
    if (!view->quiet && judged) {
        put(view, TINT_BOLD, shown(arena, result->project.name));
        fprintf(view->stream, " against %s\n\n", shown(arena, result->project.model));
        put_heading(view, "Tree");
        put_bytes(view, report_tree_drawing(arena, &result->project));
        if (result->flow.stage_count > 0) {
            put_heading(view, "\nShape flow");
            put_bytes(view,
                      report_flow(arena, &result->flow, &(FlowOptions){.format = FLOW_TEXT, .depth = 1}));
        }
        if (result->coverage.row_count > 0) {
            put_heading(view, "\nCoverage");
            put_bytes(view, report_coverage(arena, &result->coverage));
        }
        fputc('\n', view->stream);
        put_steps(view, arena, result);
        put_findings(view, arena, result);
        put_checklist(view, arena, result);
    }
    put_verdict(view, arena, result);
    if (!view->quiet && result->first != NULL && result->first->frame != NULL)
        put_frame(view, result->first->frame);
    arena_free(arena);
}
