/* What a level claims: a kernel is one operation, a fusion a straight line, a layer and a model several. */
#include "component_parts.h"
#include "straight.h"

#include <string.h>

typedef struct Levels {
    Arena *arena;
    const ComponentResult *component;
    const Trace *trace;
    const SemanticOperator **live; /* those that an output depends on */
    size_t count;
} Levels;

static Place place_of_call(const Levels *levels, size_t call) {
    const TraceCall *made = &levels->trace->calls[call];
    const ComponentResult *component = levels->component;
    if (made->file < 0 || (size_t)made->file >= component->file_count)
        return (Place){.file = component->file_count > 0 ? component->files[0] : component->file};
    return (Place){.file = component->files[made->file], .line = made->line};
}

static Place place_of_file(const Levels *levels) {
    const ComponentResult *component = levels->component;
    return (Place){.file = component->file_count > 0 ? component->files[0] : component->file};
}

/* "matmul (attention.py:12), softmax (attention.py:13) and 2 more" */
static const char *list_operators(const Levels *levels) {
    enum { MOST_LISTED = 6 };
    Text text = text_new(levels->arena);
    for (size_t i = 0; i < levels->count && i < MOST_LISTED; i++) {
        const SemanticOperator *operator= levels->live[i];
        Place place = place_of_call(levels, operator->call);
        text_printf(&text, "%s%s (%s:%d)", i > 0 ? ", " : "",
                    text_printable(levels->arena, operator->name, strlen(operator->name)),
                    path_name(place.file), place.line);
    }
    if (levels->count > MOST_LISTED)
        text_printf(&text, " and %zu more", levels->count - MOST_LISTED);
    return text.data;
}

/* Work that no call shows: a scripted function, a custom Function. */
static const char *hidden_work(const Levels *levels) {
    const Graph *graph = &levels->component->graph;
    if (graph->opaque_count > 0)
        return graph->opaque[0];
    const bool *live = graph_live_terms(levels->arena, graph);
    for (size_t i = 0; i < graph->term_count; i++) {
        const Term *term = &graph->terms[i];
        if (live[i] && term->kind == TERM_OPERATOR && !term->known && term->call == SIZE_MAX)
            return term->operator;
    }
    return NULL;
}

/* One call, of several operations. */
static bool is_several(const SemanticOperator *operator) {
    return text_equal(operator->name, "multi_head_attention");
}

/* ---- Kernels ---------------------------------------------------------------------------------------- */

static void check_kernel(const Levels *levels, Findings *findings) {
    const Rule *rule = project_rule("level.kernel");
    const char *hidden = hidden_work(levels);
    if (hidden != NULL) {
        findings_add(findings, rule, SEVERITY_VIOLATION, place_of_file(levels),
                     "%s is done where no call of torch shows it, so that one operation can't be told",
                     text_printable(levels->arena, hidden, strlen(hidden)));
    } else if (levels->count > 1) {
        findings_add(findings, rule, SEVERITY_VIOLATION, place_of_call(levels, levels->live[0]->call),
                     "a kernel is one operation, and this is %zu: %s", levels->count, list_operators(levels));
    } else if (levels->count == 0 && levels->component->graph.read_count > 0) {
        findings_add(findings, rule, SEVERITY_VIOLATION, place_of_file(levels),
                     "it reads data into Python, so that what it computes can't be told");
    } else if (levels->count == 0) {
        findings_add(findings, rule, SEVERITY_NOTE, place_of_file(levels),
                     "in eval mode it computes nothing: it only moves elements")
            ->instead = "what holds no parameter and drops nothing in training may stand in refactored.py";
    } else if (is_several(levels->live[0])) {
        findings_add(findings, rule, SEVERITY_VIOLATION, place_of_call(levels, levels->live[0]->call),
                     "multi-head attention is several operations: projections, and attention between them");
    }
}

/* ---- Fusions ----------------------------------------------------------------------------------------- */

static void check_straight(const Levels *levels, Findings *findings) {
    const Trace *trace = levels->trace;
    StraightLines *lines = straight_lines_new(levels->arena, trace, &levels->component->operators);
    Join join;
    if (!straight_line_breaks(lines, trace->forward_start, trace->call_count, &join))
        return;
    Finding *finding = findings_add(
        findings, project_rule("level.fusion"), SEVERITY_VIOLATION,
        join.call == SIZE_MAX ? place_of_file(levels) : place_of_call(levels, join.call), "%s", join.what);
    if (join.call != SIZE_MAX)
        finding->instead = LINE_ADVICE;
}

/* ---- All ------------------------------------------------------------------------------------------------
 */

static void check_several(const Levels *levels, const char *rule, Findings *findings) {
    if (levels->count == 1 && !is_several(levels->live[0]))
        findings_add(findings, project_rule("level.misclassified"), SEVERITY_VIOLATION,
                     place_of_call(levels, levels->live[0]->call),
                     "misclassified: it is one operation, %s: a kernel",
                     text_printable(levels->arena, levels->live[0]->name, strlen(levels->live[0]->name)));
    else if (levels->count == 0)
        findings_add(findings, project_rule(rule), SEVERITY_NOTE, place_of_file(levels),
                     "it computes nothing: it only moves elements");
}

static void check_layer(const Levels *levels, Findings *findings) {
    enum { FEWEST = 5, MOST = 15 };
    check_several(levels, "level.layer", findings);
    if (levels->count > 1 && (levels->count < FEWEST || levels->count > MOST))
        findings_add(findings, project_rule("level.layer"), SEVERITY_NOTE, place_of_file(levels),
                     "it has %zu operations; the guide says 5 to 15", levels->count);
}

void level_check(Arena *arena, const ComponentResult *component, const Patterns *patterns,
                 Findings *findings) {
    (void)patterns; /* component->operators are folded by them */
    if (!component->recorded || !component->has_level)
        return;
    Levels levels = {.arena = arena,
                     .component = component,
                     .trace = &component->trace,
                     .live = ARENA_ARRAY(arena, const SemanticOperator *, component->operators.count + 1)};
    for (size_t i = 0; i < component->operators.count; i++)
        if (component->operators.items[i].live)
            levels.live[levels.count++] = &component->operators.items[i];
    switch (component->level) {
    case LEVEL_KERNEL:
        check_kernel(&levels, findings);
        kernel_name_check(arena, component, findings);
        break;
    case LEVEL_FUSION:
        check_several(&levels, "level.fusion", findings);
        check_straight(&levels, findings);
        break;
    case LEVEL_LAYER: check_layer(&levels, findings); break;
    case LEVEL_MODEL: check_several(&levels, "level.model", findings); break;
    case LEVEL_COUNT: break;
    }
}
