/* What a kernel is, at each of its places in the recomposed model; that it does at one of them what it does
 * alone; that a fusion is a straight line there too; and which kernels are the same one in other words. */
#include "check_parts.h"
#include "straight.h"

#include <string.h>

/* ---- Places: one operation there too (soundness 22) ----------------------------------------------- */

typedef struct Instances {
    Arena *arena;
    const CompositionResult *composition;
    const Patterns *patterns;
    SemanticOperators operators; /* of the recomposed model; found when they are asked for */
    bool found;
    StraightLines *lines; /* likewise */
} Instances;

static const SemanticOperators *operators_there(Instances *instances) {
    if (!instances->found)
        instances->operators = semantic_operators(instances->arena, &instances->composition->trace,
                                                  &instances->composition->graph, instances->patterns);
    instances->found = true;
    return &instances->operators;
}

static const SemanticOperator *only_live(const SemanticOperators *operators) {
    const SemanticOperator *only = NULL;
    for (size_t i = 0; i < operators->count; i++) {
        if (operators->items[i].live && only != NULL)
            return NULL;
        only = operators->items[i].live ? &operators->items[i] : only;
    }
    return only;
}

static void judge_call(Instances *instances, const Component *component, const ComponentResult *own,
                       const TraceModuleCall *within, const char *module, Findings *findings) {
    const SemanticOperators *operators = operators_there(instances);
    Text names = text_new(instances->arena);
    const SemanticOperator *alone = only_live(&own->operators), *there = NULL;
    size_t count = 0;
    for (size_t i = 0; i < operators->count; i++) {
        const SemanticOperator *operator= & operators->items[i];
        if (!operator->live || operator->calls[0]<within->first || operator->call >= within->end)
            continue;
        there = operator;
        text_printf(&names, "%s%s", count++ > 0 ? ", " : "", operator->name);
    }
    if (count < 2 && (there == NULL || alone == NULL || text_equal(there->name, alone->name)))
        return;
    findings_add(findings, project_rule("level.kernel"), SEVERITY_VIOLATION,
                 (Place){.file = component->source.name},
                 "at %s in the recomposed model it does %s, and with its own inputs %s", module,
                 text_printable(instances->arena, names.data, names.length),
                 alone == NULL ? "something else" : alone->name);
}

/* A fusion's parent may hand one value over twice, or set what makes it add another. */
static bool judge_line(Instances *instances, const Component *component, const TraceModuleCall *within,
                       Findings *findings) {
    const Trace *trace = &instances->composition->trace;
    Join join;
    if (instances->lines == NULL)
        instances->lines = straight_lines_new(instances->arena, trace, operators_there(instances));
    if (!straight_line_breaks(instances->lines, within->first, within->end, &join))
        return false;
    findings_add(findings, project_rule("level.fusion"), SEVERITY_VIOLATION,
                 (Place){.file = component->source.name}, "at %s in the recomposed model %s",
                 trace->modules[within->module].path, join.what)
        ->instead = LINE_ADVICE;
    return true;
}

static bool is_said(const Findings *findings, const char *rule) {
    for (size_t i = 0; i < findings->count; i++)
        if (text_equal(findings->items[i].rule->id, rule))
            return true;
    return false;
}

typedef struct Kernel { /* what was found of a kernel, or a fusion, at the calls of it so far */
    bool said, at_home; /* a finding says that it is none; one call did what it does alone */
    const char *apart;  /* how the first call that did not differs */
    bool given;         /* one call was given the numbers and words that its own inputs have */
    const char *other;  /* how the first call that was not differs */
} Kernel;

static void look_at_call(Instances *instances, const Component *component, const ComponentResult *own,
                         const TraceModuleCall *within, Kernel *kernel, Findings *findings) {
    const Trace *trace = &instances->composition->trace;
    const char *apart =
        kernel->at_home ? NULL : own_work_difference(instances->arena, trace, within, &own->trace);
    kernel->at_home |= apart == NULL;
    if (kernel->apart == NULL)
        kernel->apart = apart;
    if (kernel->said || own_calls(trace, within, &own->trace))
        return;
    const size_t before = findings->count;
    judge_call(instances, component, own, within, trace->modules[within->module].path, findings);
    kernel->said = findings->count > before;
}

/* Other inputs or init arguments do other work: that is said where they are judged. */
static bool is_explained(const Findings *findings, const char *file) {
    for (size_t i = 0; i < findings->count; i++)
        if (text_starts(findings->items[i].rule->id, "dimensions.") &&
            text_equal(findings->items[i].place.file, file))
            return true;
    return false;
}

static void judge_instances(Instances *instances, const Project *project,
                            const ComponentResult *const *components, Findings *findings) {
    const CompositionResult *composition = instances->composition;
    const Trace *trace = &composition->trace;
    Table *placements = table_new(instances->arena);
    Kernel *kernels = ARENA_ARRAY(instances->arena, Kernel, project->component_count + 1);
    for (size_t i = 0; i < composition->placement_count; i++)
        table_put(placements, composition->placements[i].module, &composition->placements[i]);
    for (size_t i = 0; i < trace->module_call_count; i++) {
        const Placement *placement =
            table_get(placements, trace->modules[trace->module_calls[i].module].path);
        if (placement == NULL)
            continue;
        const Component *component = &project->components[placement->component];
        const ComponentResult *own = components[placement->component];
        Kernel *kernel = &kernels[placement->component];
        if (component->level == LEVEL_KERNEL && !placement->refactored && own->recorded)
            look_at_call(instances, component, own, &trace->module_calls[i], kernel, findings);
        if (component->level != LEVEL_KERNEL && own->recorded && !kernel->given) {
            const char *other = given_difference(instances->arena, &component->tree, trace,
                                                 &trace->module_calls[i], &own->trace);
            kernel->given = other == NULL;
            kernel->other = kernel->other == NULL ? other : kernel->other;
        }
        if (component->level == LEVEL_FUSION && !kernel->said)
            kernel->said = is_said(own->findings, "level.fusion") ||
                           judge_line(instances, component, &trace->module_calls[i], findings);
    }
    for (size_t i = 0; i < project->component_count; i++) {
        const char *file = project->components[i].source.name;
        if (kernels[i].other != NULL && !kernels[i].given)
            findings_add(findings, project_rule("dimensions.input"), SEVERITY_VIOLATION,
                         (Place){.file = file}, "%s",
                         text_printable(instances->arena, kernels[i].other, strlen(kernels[i].other)))
                ->instead = "use the original's values in get_inputs() and get_input_kwargs()";
        if (kernels[i].apart != NULL && !kernels[i].at_home && !kernels[i].said &&
            !is_explained(findings, file))
            findings_add(findings, project_rule("dimensions.work"), SEVERITY_VIOLATION, (Place){.file = file},
                         "%s", text_printable(instances->arena, kernels[i].apart, strlen(kernels[i].apart)));
    }
}

/* ---- The same kernel in other words ------------------------------------------------------------- */

static bool same_type(const Term *a, const Term *b) {
    return a->kind == b->kind && text_equal(a->dtype, b->dtype) && a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

/* Buffers that are known have values of their own; parameters and inputs are whatever is given. */
static bool same_term(const Graph *x, const Graph *y, size_t i) {
    const Term *a = &x->terms[i], *b = &y->terms[i];
    if (!same_type(a, b) || a->operand_count != b->operand_count || a->kind == TERM_UNKNOWN ||
        a->kind == TERM_INITIAL)
        return false;
    if (a->kind == TERM_STATE && (x->states[a->state].known || y->states[b->state].known))
        return false;
    if (a->kind != TERM_INPUT && a->kind != TERM_STATE && !text_equal(a->label, b->label))
        return false;
    for (uint32_t k = 0; k < a->operand_count; k++)
        if (a->operands[k].number != b->operands[k].number)
            return false;
    return true;
}

/* Equal up to the names of inputs and parameters, made in the same order: what this misses is no harm. */
static bool same_graph(const Graph *a, const Graph *b) {
    bool same = a->term_count == b->term_count && a->input_count == b->input_count &&
                a->state_count == b->state_count && a->output_count == b->output_count &&
                a->opaque_count + b->opaque_count + a->read_count + b->read_count == 0;
    for (size_t i = 0; same && i < a->term_count; i++)
        same = same_term(a, b, i);
    for (size_t i = 0; same && i < a->output_count; i++)
        same = a->outputs[i].is_tensor && b->outputs[i].is_tensor &&
               a->outputs[i].term.number == b->outputs[i].term.number;
    return same;
}

static void judge_copies(const Project *project, const ComponentResult *const *components,
                         Findings *findings) {
    for (size_t i = 0; i < project->component_count; i++) {
        const Component *component = &project->components[i];
        const SemanticOperator *operator= components[i]->recorded ? only_live(&components[i]->operators)
                                                                  : NULL;
        if (component->level != LEVEL_KERNEL || operator== NULL)
            continue;
        for (size_t k = 0; k < i; k++) {
            const Component *other = &project->components[k];
            if (other->level != LEVEL_KERNEL || !components[k]->recorded ||
                !same_graph(&components[k]->graph, &components[i]->graph) ||
                trees_equal(&component->tree, &other->tree)) /* which is said already */
                continue;
            findings_add(findings, project_rule("name.copy"), SEVERITY_VIOLATION,
                         (Place){.file = component->source.name}, "it does in other words what %s does",
                         other->source.name);
            break;
        }
    }
}

void instances_check(Arena *arena, const Project *project, const ComponentResult *const *components,
                     const CompositionResult *composition, const Patterns *patterns, Findings *findings) {
    Instances instances = {.arena = arena, .composition = composition, .patterns = patterns};
    if (composition->recorded)
        judge_instances(&instances, project, components, findings);
    judge_copies(project, components, findings);
}
