/* Where a line ran, the trace settles what lint could only suppose; then both lists become one. */
#include "judge_parts.h"

#include <string.h>

typedef struct Lines { /* of one file, by line: from 1 */
    const char *name;
    size_t count;
    bool *ran;
    size_t *start, *end; /* the innermost statement on this line */
    size_t *block_end;   /* the last line of the block that the statement stands in */
} Lines;

static bool is_block(FieldName name) {
    return name == FIELD_body || name == FIELD_orelse || name == FIELD_finalbody;
}

static size_t first_line_of_body(const Node *statement) {
    size_t first = SIZE_MAX;
    for (size_t f = 0; f < statement->field_count; f++) {
        const Field *field = &statement->fields[f];
        if (field->kind == FIELD_IS_LIST && is_block(field->name) && field->count > 0 &&
            field->items[0] != NULL && (size_t)field->items[0]->line < first)
            first = (size_t)field->items[0]->line;
    }
    return first;
}

/* Outer statements come first, and inner ones replace them on their lines. */
static bool note_statements(const Node *node, void *context) {
    Lines *lines = context;
    for (size_t f = 0; f < node->field_count; f++) {
        const Field *field = &node->fields[f];
        if (field->kind != FIELD_IS_LIST || !is_block(field->name) || field->count == 0 ||
            field->items[field->count - 1] == NULL)
            continue;
        size_t block_end = (size_t)field->items[field->count - 1]->end_line;
        for (size_t i = 0; i < field->count; i++) {
            const Node *statement = field->items[i];
            if (statement == NULL || statement->line < 1)
                continue;
            size_t start = (size_t)statement->line, end = (size_t)statement->end_line;
            size_t body = first_line_of_body(statement);
            for (size_t line = start; line <= end && line < lines->count; line++) {
                lines->start[line] = start;
                lines->end[line] = body != SIZE_MAX && body > start && line < body ? body - 1 : end;
                lines->block_end[line] = block_end;
            }
        }
    }
    return true;
}

static Lines *lines_of(Judge *judge) {
    const Program *program = judge->program;
    Lines *files = ARENA_ARRAY(judge->arena, Lines, program->count);
    for (size_t i = 0; i < program->count; i++) {
        Lines *lines = &files[i];
        lines->name = program->items[i]->source.name;
        lines->count = program->items[i]->source.line_count + 2;
        lines->ran = ARENA_ARRAY(judge->arena, bool, lines->count);
        lines->start = ARENA_ARRAY(judge->arena, size_t, lines->count);
        lines->end = ARENA_ARRAY(judge->arena, size_t, lines->count);
        lines->block_end = ARENA_ARRAY(judge->arena, size_t, lines->count);
        for (size_t line = 0; line < lines->count; line++)
            lines->start[line] = lines->end[line] = lines->block_end[line] = line;
        if (program->items[i]->tree.module != NULL)
            node_walk(program->items[i]->tree.module, note_statements, lines);
    }
    return files;
}

static void mark_ran(Judge *judge, Lines *files, int file, int line) {
    if (file >= 0 && (size_t)file < judge->program->count && line >= 0 && (size_t)line < files[file].count)
        files[file].ran[line] = true;
}

static Lines *mark_lines(Judge *judge) {
    Lines *files = lines_of(judge);
    for (size_t i = 0; i < judge->trace->call_count; i++)
        mark_ran(judge, files, judge->trace->calls[i].file, judge->trace->calls[i].line);
    for (size_t m = 0; m < judge->trace->module_call_count; m++)
        mark_ran(judge, files, judge->trace->module_calls[m].file, judge->trace->module_calls[m].line);
    return files;
}

static const Lines *lines_at(const Judge *judge, const Lines *files, Place place) {
    for (size_t i = 0; i < judge->program->count; i++)
        if (place.file != NULL && strcmp(files[i].name, place.file) == 0 && place.line >= 1 &&
            (size_t)place.line < files[i].count)
            return &files[i];
    return NULL;
}

/* A statement ran if it or a later one of its block did. */
static bool has_run(const Lines *lines, int line) {
    for (size_t at = lines->start[line]; at <= lines->block_end[line] && at < lines->count; at++)
        if (lines->ran[at])
            return true;
    return false;
}

static bool within(const Lines *lines, int line, int other) {
    return (size_t)other >= lines->start[line] && (size_t)other <= lines->end[line];
}

static bool is_about_values(const Finding *finding) {
    static const char *const PREFIXES[] = {"op.", "flow.", "child.", "state."};
    for (size_t i = 0; i < COUNT_OF(PREFIXES); i++)
        if (text_starts(finding->rule->id, PREFIXES[i]))
            return true;
    return finding->rule == &RULE_INIT_MODULE;
}

/* Did the judge see the operator that lint speaks of in this statement, on known values only? */
static bool ran_on_known(const Judge *judge, const Lines *files, const Lines *lines, const Finding *finding) {
    bool seen = false;
    for (size_t i = 0; i < judge->trace->call_count; i++) {
        const TraceCall *call = &judge->trace->calls[i];
        if (call->file < 0 || (size_t)call->file >= judge->program->count || &files[call->file] != lines ||
            !within(lines, finding->place.line, call->line))
            continue;
        const OperatorFacts *operator= flow_operator(&judge->flow, i);
        if (strstr(finding->what, operator->bare) == NULL &&
            strstr(finding->what, operator->canonical) == NULL)
            continue;
        if ((judge->flow.call_marks[i] & DATA) != 0 && flow_is_compute(judge->flow.classes[i]))
            return false;
        seen = true;
    }
    return seen;
}

static bool judge_agrees(const Judge *judge, const Lines *lines, const Finding *finding) {
    for (size_t i = 0; i < judge->findings->count; i++) {
        const Finding *own = &judge->findings->items[i];
        if (own->severity == SEVERITY_VIOLATION && text_equal(own->place.file, finding->place.file) &&
            within(lines, finding->place.line, own->place.line))
            return true;
    }
    return false;
}

static bool is_settled(const Judge *judge, const Lines *files, const Finding *finding) {
    const Lines *lines = lines_at(judge, files, finding->place);
    if (lines == NULL || !is_about_values(finding))
        return false;
    if (finding->severity == SEVERITY_UNDECIDED)
        return has_run(lines, finding->place.line);
    return finding->severity == SEVERITY_VIOLATION && text_starts(finding->rule->id, "op.") &&
           !judge_agrees(judge, lines, finding) && ran_on_known(judge, files, lines, finding);
}

/* Lint has said it already, with the column. */
static bool is_said(const Judge *judge, const Lines *files, const Finding *lint, size_t lint_count,
                    const Finding *own) {
    const Lines *lines = lines_at(judge, files, own->place);
    for (size_t i = 0; i < lint_count && own->severity == SEVERITY_VIOLATION; i++) {
        const Finding *finding = &lint[i];
        if (finding->severity != SEVERITY_VIOLATION)
            continue;
        if (own->rule == &RULE_INIT_MODULE && finding->rule == own->rule)
            return true;
        if (lines != NULL && text_equal(finding->place.file, own->place.file) &&
            within(lines, own->place.line, finding->place.line) && text_starts(own->rule->id, "op.") &&
            text_starts(finding->rule->id, "op."))
            return true;
    }
    return false;
}

void judge_settle(Judge *judge, Findings *findings) {
    const Lines *files = mark_lines(judge);
    size_t kept = 0;
    for (size_t i = 0; i < findings->count; i++)
        if (!is_settled(judge, files, &findings->items[i]))
            findings->items[kept++] = findings->items[i];
    findings->count = kept;
    for (size_t i = 0; i < judge->findings->count; i++) {
        const Finding *own = &judge->findings->items[i];
        if (is_said(judge, files, findings->items, kept, own))
            continue;
        Finding *added = findings_add(findings, own->rule, own->severity, own->place, "%s", own->what);
        added->instead = own->instead;
        added->where = added->where == NULL ? own->where : added->where;
        added->frame = added->frame == NULL ? own->frame : added->frame;
    }
}
