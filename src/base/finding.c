/* Findings: broken rules, in an order that never changes. */
#include "base.h"

#include <stdlib.h>
#include <string.h>

Findings *findings_new(Arena *arena) {
    Findings *findings = ARENA_NEW(arena, Findings);
    findings->arena = arena;
    return findings;
}

static const char *finding_key(Arena *arena, const Rule *rule, Place place, const char *what) {
    return arena_printf(arena, "%s\n%s\n%d\n%d\n%s", rule->id, place.file == NULL ? "" : place.file,
                        place.line, place.column, what);
}

/* Sorting moves findings, and callers may add some by themselves: then the index is made anew. */
static void index_findings(Findings *findings) {
    if (findings->known != NULL && findings->known_count == findings->count)
        return;
    findings->known = table_new(findings->arena);
    for (size_t i = 0; i < findings->count; i++) {
        const Finding *finding = &findings->items[i];
        const char *key = finding_key(findings->arena, finding->rule, finding->place, finding->what);
        if (!table_has(findings->known, key))
            table_put(findings->known, key, (void *)(i + 1));
    }
    findings->known_count = findings->count;
}

Finding *findings_add(Findings *findings, const Rule *rule, Severity severity, Place place,
                      const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    const char *what = arena_vprintf(findings->arena, format, rest);
    va_end(rest);
    index_findings(findings);
    const char *key = finding_key(findings->arena, rule, place, what);
    size_t other = (size_t)table_get(findings->known, key);
    if (other > 0)
        return &findings->items[other - 1];
    Finding *finding = ARENA_PUSH(findings->arena, findings);
    *finding =
        (Finding){.rule = rule, .severity = severity, .place = place, .what = what, .instead = rule->instead};
    if (place.file != NULL)
        finding->place.file = text_one_line(findings->arena, place.file); /* a name is any bytes */
    table_put(findings->known, key, (void *)findings->count);
    findings->known_count = findings->count;
    return finding;
}

size_t findings_count(const Findings *findings, Severity severity) {
    size_t count = 0;
    for (size_t i = 0; i < findings->count; i++)
        count += findings->items[i].severity == severity;
    return count;
}

static int compare_text(const char *a, const char *b) {
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b);
}

static int compare_findings(const void *left, const void *right) {
    const Finding *a = left, *b = right;
    if (a->severity != b->severity)
        return a->severity < b->severity ? -1 : 1;
    int order = compare_text(a->place.file, b->place.file);
    if (order == 0)
        order = (a->place.line > b->place.line) - (a->place.line < b->place.line);
    if (order == 0)
        order = (a->place.column > b->place.column) - (a->place.column < b->place.column);
    if (order == 0)
        order = strcmp(a->rule->id, b->rule->id);
    if (order == 0)
        order = strcmp(a->what, b->what);
    return order != 0 ? order : compare_text(a->of, b->of);
}

void findings_sort(Findings *findings) {
    findings->known = NULL;
    if (findings->count > 1)
        qsort(findings->items, findings->count, sizeof *findings->items, compare_findings);
}

const char *finding_text(Arena *arena, const Finding *finding) {
    const Place place = finding->place;
    const bool advised = finding->instead != NULL && finding->instead[0] != '\0';
    Text line = text_new(arena);
    if (finding->of != NULL)
        text_printf(&line, "%s: ", finding->of);
    if (place.file != NULL && place.line > 0)
        text_printf(&line, "%s:%d: ", place.file, place.line);
    else if (place.file != NULL)
        text_printf(&line, "%s: ", place.file);
    text_printf(&line, "%s%s%s", finding->what, advised ? "; " : "", advised ? finding->instead : "");
    return text_printable(arena, line.data, line.length);
}
