/* Operator coverage: what the original does against what the kernels do, row by row. */
#include "coverage_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- Owners ------------------------------------------------------------------------------------------ */

static Owners owners_new(Arena *arena, const Trace *trace) {
    return (Owners){ARENA_ARRAY(arena, Owner, trace->module_call_count + 1),
                    ARENA_ARRAY(arena, const char *, trace->module_call_count + 1)};
}

/* A module that is no component belongs to the component around it. */
static bool inherit(const Owners *owners, const Trace *trace, size_t module_call) {
    int64_t parent = trace->module_calls[module_call].parent;
    if (parent == NO_NUMBER)
        return false;
    owners->kinds[module_call] = owners->kinds[parent];
    owners->names[module_call] = owners->names[parent];
    return true;
}

static Owners owners_of_composition(Arena *arena, const Project *project,
                                    const CompositionResult *composition) {
    const Trace *trace = &composition->trace;
    Owners owners = owners_new(arena, trace);
    Table *placements = table_new(arena);
    for (size_t i = 0; i < composition->placement_count; i++)
        table_put(placements, composition->placements[i].module, &composition->placements[i]);
    for (size_t i = 0; i < trace->module_call_count; i++) {
        const Placement *placement =
            table_get(placements, trace->modules[trace->module_calls[i].module].path);
        inherit(&owners, trace, i);
        if (placement == NULL || owners.kinds[i] != OWNER_CODE) /* what stands in a leaf is the leaf's */
            continue;
        const Component *component = &project->components[placement->component];
        owners.names[i] = component->stem;
        owners.kinds[i] = placement->refactored              ? OWNER_CODE
                          : component->level == LEVEL_KERNEL ? OWNER_LEAF
                                                             : OWNER_UNREFACTORED;
    }
    return owners;
}

/* Of refactored.py: what lies in a given file is a leaf. */
static Owners owners_of_children(Arena *arena, const TraceResult *refactored,
                                 const CoverageChildren *children) {
    const Trace *trace = &refactored->trace;
    Owners owners = owners_new(arena, trace);
    Table *given = table_new(arena);
    for (size_t i = 0; i < children->count; i++)
        table_put(given, path_absolute(arena, children->files[i]), (void *)children->files[i]);
    for (size_t i = 0; i < trace->module_call_count; i++) {
        const TraceModule *module = &trace->modules[trace->module_calls[i].module];
        const char *file = module->file != NO_NUMBER && (size_t)module->file < refactored->file_count
                               ? table_get(given, refactored->paths[module->file])
                               : NULL;
        inherit(&owners, trace, i);
        if (file == NULL || owners.kinds[i] != OWNER_CODE)
            continue;
        owners.kinds[i] = OWNER_LEAF;
        owners.names[i] = file;
    }
    return owners;
}

/* ---- Rows -------------------------------------------------------------------------------------------- */

static void add_remark(Arena *arena, CoverageResult *result, const char *text) {
    for (size_t i = 0; i < result->remark_count; i++)
        if (text_equal(result->remarks[i], text))
            return;
    const char **items = ARENA_ARRAY(arena, const char *, result->remark_count + 1);
    if (result->remark_count > 0)
        memcpy(items, result->remarks, result->remark_count * sizeof *items);
    items[result->remark_count++] = text;
    result->remarks = items;
}

static int compare_rows(const void *a, const void *b) {
    const CoverageRow *x = a, *y = b;
    if (x->arithmetic != y->arithmetic)
        return x->arithmetic - y->arithmetic;
    return strcmp(x->operator, y->operator);
}

static void join(Arena *arena, const char **note, const char *text) {
    *note = *note == NULL ? text : arena_printf(arena, "%s; %s", *note, text);
}

const char *coverage_status_name(CoverageStatus status) {
    static const char *const names[] = {[COVERAGE_COVERED] = "covered",
                                        [COVERAGE_PARTIAL] = "partial",
                                        [COVERAGE_MISSING] = "missing",
                                        [COVERAGE_EXTRA] = "extra"};
    return names[status];
}

static CoverageStatus status_of(size_t original, size_t decomposed) {
    return original == decomposed  ? COVERAGE_COVERED
           : decomposed == 0       ? COVERAGE_MISSING
           : original > decomposed ? COVERAGE_PARTIAL
                                   : COVERAGE_EXTRA;
}

static CoverageRow make_row(Arena *arena, const Tally *original, const Tally *decomposed,
                            const Occurrence *like, const Notes *notes) {
    const char *name = like->name;
    size_t in_code = tally_count(decomposed, name, OWNER_CODE),
           undone = tally_count(decomposed, name, OWNER_UNREFACTORED);
    CoverageRow row = {.operator= name,
                       .original = tally_count(original, name, OWNER_LEAF),
                       .decomposed = tally_count(decomposed, name, OWNER_LEAF),
                       .arithmetic = like->arithmetic,
                       .note = table_get(notes->table, name)};
    if (row.arithmetic) {
        row.decomposed += in_code + undone;
        if (in_code > 0)
            join(arena, &row.note, arena_printf(arena, "%zu in refactored code", in_code));
        row.status = COVERAGE_COVERED;
        return row;
    }
    row.status = status_of(row.original, row.decomposed);
    if (in_code > 0)
        join(arena, &row.note, arena_printf(arena, "%zu in refactored code, in no kernel", in_code));
    if (undone > 0)
        join(arena, &row.note, arena_printf(arena, "%zu in components that no step refactors", undone));
    return row;
}

static void collect_rows(Arena *arena, const Tally *original, const Tally *decomposed, const Notes *notes,
                         CoverageResult *result) {
    Table *names = table_new(arena);
    const Tally *const sides[] = {original, decomposed};
    for (size_t s = 0; s < COUNT_OF(sides); s++)
        for (size_t i = 0; i < sides[s]->count; i++)
            if (!sides[s]->items[i].dropped && !table_has(names, sides[s]->items[i].name))
                table_put(names, sides[s]->items[i].name, &sides[s]->items[i]);
    result->rows = ARENA_ARRAY(arena, CoverageRow, names->count + 1);
    for (size_t i = 0; i < names->count; i++)
        result->rows[result->row_count++] =
            make_row(arena, original, decomposed, names->items[i].value, notes);
    if (result->row_count > 0)
        qsort(result->rows, result->row_count, sizeof *result->rows, compare_rows);
}

/* ---- Findings ------------------------------------------------------------------------------------------ */

static const Occurrence *first_of(const Tally *tally, const char *name) {
    for (size_t i = 0; i < tally->count; i++)
        if (!tally->items[i].dropped && text_equal(tally->items[i].name, name))
            return &tally->items[i];
    return NULL;
}

static void add_finding(const CoverageRow *row, const Tally *original, const Tally *decomposed,
                        CoverageResult *result) {
    const char *ids[] = {[COVERAGE_PARTIAL] = "coverage.partial",
                         [COVERAGE_MISSING] = "coverage.missing",
                         [COVERAGE_EXTRA] = "coverage.extra"};
    if (row->arithmetic || row->status == COVERAGE_COVERED)
        return;
    const Occurrence *first = first_of(row->status == COVERAGE_EXTRA ? decomposed : original, row->operator);
    const Place place = first == NULL ? (Place){0} : first->place;
    const Rule *rule = project_rule(ids[row->status]);
    const char *rest = row->note == NULL ? "" : row->note, *before = row->note == NULL ? "" : "; ";
    if (row->status == COVERAGE_MISSING)
        findings_add(result->findings, rule, SEVERITY_VIOLATION, place,
                     "the original calls %s %zu time%s, no kernel does%s%s", row->operator, row->original,
                     row->original == 1 ? "" : "s", before, rest);
    else
        findings_add(result->findings, rule, SEVERITY_VIOLATION, place,
                     "the original calls %s %zu time%s, the kernels %zu%s%s", row->operator, row->original,
                     row->original == 1 ? "" : "s", row->decomposed, before, rest);
}

/* Every count is 2 or 3 times the original's: then the same work was counted at several levels. */
static void remark_multiples(Arena *arena, CoverageResult *result) {
    for (size_t times = 2; times <= 3; times++) {
        size_t rows = 0, matching = 0;
        for (size_t i = 0; i < result->row_count; i++) {
            const CoverageRow *row = &result->rows[i];
            if (row->arithmetic || row->original == 0)
                continue;
            rows++;
            matching += row->decomposed == times * row->original;
        }
        if (rows > 0 && matching == rows)
            add_remark(arena, result,
                       arena_printf(arena,
                                    "every operator is counted %s: levels were mixed; count the kernels of "
                                    "level_0_kernel alone",
                                    times == 2 ? "double" : "triple"));
    }
}

static void judge(Arena *arena, Tally *original, Tally *decomposed, const json_t *weight_map,
                  CoverageResult *result) {
    Notes notes = {arena, table_new(arena)};
    coverage_settle(original, decomposed, weight_map, &notes);
    collect_rows(arena, original, decomposed, &notes, result);
    bool full = true;
    for (size_t i = 0; i < result->row_count; i++) {
        const CoverageRow *row = &result->rows[i];
        add_finding(row, original, decomposed, result);
        if (row->arithmetic)
            continue;
        result->original_total += row->original;
        result->decomposed_total += row->decomposed;
        result->covered += row->original < row->decomposed ? row->original : row->decomposed;
        full = full && row->status == COVERAGE_COVERED;
    }
    result->percent =
        result->original_total == 0 ? 100 : 100.0 * (double)result->covered / (double)result->original_total;
    result->status = full ? "FULL_COVERAGE" : result->percent >= 50 ? "PARTIAL_COVERAGE" : "LOW_COVERAGE";
    remark_multiples(arena, result);
}

/* ---- Of a composition ------------------------------------------------------------------------------------
 */

static CoverageResult result_new(Arena *arena) {
    return (CoverageResult){.status = "ERROR", .findings = findings_new(arena)};
}

void coverage_of_composition(Arena *arena, const Project *project, const CompositionResult *composition,
                             const Patterns *patterns, CoverageResult *result) {
    *result = result_new(arena);
    if (!composition->recorded) {
        add_remark(arena, result,
                   composition->why_not != NULL ? composition->why_not
                                                : "the recomposed model was not recorded");
        return;
    }
    Tally original = {.arena = arena}, decomposed = {.arena = arena};
    Owners owners = owners_of_composition(arena, project, composition);
    tally_add(&original, &composition->original_trace, &composition->original_graph, patterns,
              composition->original_files, composition->original_file_count, NULL);
    tally_add(&decomposed, &composition->trace, &composition->graph, patterns, composition->files,
              composition->file_count, &owners);
    judge(arena, &original, &decomposed, composition->weight_map, result);
    for (size_t i = 0; i < decomposed.count; i++) {
        const Occurrence *occurrence = &decomposed.items[i];
        if (!occurrence->dropped && !occurrence->arithmetic && occurrence->owner == OWNER_UNREFACTORED)
            add_remark(arena, result,
                       arena_printf(arena, "no step refactors %s: what it computes is in no kernel",
                                    occurrence->component));
    }
}

/* One call of the step's module, wherever it stands first. */
void coverage_of_step(Arena *arena, const CompositionResult *composition, const Project *project, size_t step,
                      const ComponentResult *parent, const Patterns *patterns, CoverageResult *result) {
    const Placement *placement = NULL;
    for (size_t i = 0; i < composition->placement_count && placement == NULL; i++)
        if (composition->placements[i].refactored && composition->placements[i].step == step &&
            composition->placements[i].module_call != SIZE_MAX)
            placement = &composition->placements[i];
    *result = result_new(arena);
    if (!composition->recorded || !parent->recorded || placement == NULL) {
        add_remark(arena, result, "the step does not run in the recomposed model");
        return;
    }
    const TraceModuleCall *within = &composition->trace.module_calls[placement->module_call];
    Tally original = {.arena = arena}, decomposed = {.arena = arena};
    Owners owners = owners_of_composition(arena, project, composition);
    tally_add(&original, &parent->trace, &parent->graph, patterns, parent->files, parent->file_count, NULL);
    tally_add(&decomposed, &composition->trace, &composition->graph, patterns, composition->files,
              composition->file_count, &owners);
    for (size_t i = 0; i < decomposed.count; i++)
        if (decomposed.items[i].call < within->first || decomposed.items[i].call >= within->end)
            decomposed.items[i].dropped = true;
    judge(arena, &original, &decomposed, NULL, result);
}

/* ---- Of children
 * -------------------------------------------------------------------------------------------- */

/* Files that hold other given files, or stand at several levels, count the same work twice. */
static void remark_levels(Arena *arena, const CoverageChildren *children, CoverageResult *result) {
    Table *given = table_new(arena);
    const char *lowest = NULL, *highest = NULL;
    Level low = LEVEL_MODEL, high = LEVEL_KERNEL;
    for (size_t i = 0; i < children->count; i++) {
        Level level;
        const char *absolute = path_absolute(arena, children->files[i]);
        table_put(given, absolute, (void *)children->files[i]);
        if (!level_of_path(absolute, &level))
            continue;
        if (lowest == NULL || level < low)
            lowest = children->files[i], low = level;
        if (highest == NULL || level > high)
            highest = children->files[i], high = level;
    }
    if (lowest != NULL && high != low)
        add_remark(arena, result,
                   arena_printf(arena,
                                "levels are mixed: %s is of level %s, %s of level %s, and the same operators "
                                "are counted in both; count the kernels alone",
                                highest, level_name(high), lowest, level_name(low)));
    for (size_t i = 0; children->traces != NULL && i < children->count; i++)
        for (size_t k = 0; k < children->traces[i].file_count; k++) {
            const char *inner = table_get(given, children->traces[i].paths[k]);
            if (inner != NULL && !text_equal(inner, children->files[i]))
                add_remark(
                    arena, result,
                    arena_printf(arena,
                                 "%s contains %s, which is counted too: counts are double where they are "
                                 "in both",
                                 children->files[i], inner));
        }
}

void coverage_of_children(Arena *arena, const TraceResult *original, const CoverageChildren *children,
                          const Patterns *patterns, CoverageResult *result) {
    *result = result_new(arena);
    Tally whole = {.arena = arena}, decomposed = {.arena = arena};
    tally_add(&whole, &original->trace, &original->graph, patterns, original->files, original->file_count,
              NULL);
    if (children->refactored != NULL) {
        const TraceResult *refactored = children->refactored;
        Owners owners = owners_of_children(arena, refactored, children);
        tally_add(&decomposed, &refactored->trace, &refactored->graph, patterns, refactored->files,
                  refactored->file_count, &owners);
    } else {
        for (size_t i = 0; i < children->count; i++) {
            const TraceResult *child = &children->traces[i];
            tally_add(&decomposed, &child->trace, &child->graph, patterns, child->files, child->file_count,
                      NULL);
        }
        add_remark(arena, result,
                   "each file is counted once: there is no refactored.py beside the children "
                   "that says how often they are called");
    }
    remark_levels(arena, children, result);
    judge(arena, &whole, &decomposed, NULL, result);
}
