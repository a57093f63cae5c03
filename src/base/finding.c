/* Findings: broken rules, in an order that never changes. */
#include "base.h"

#include <stdlib.h>
#include <string.h>

Findings *findings_new(Arena *arena) {
    Findings *findings = ARENA_NEW(arena, Findings);
    findings->arena = arena;
    return findings;
}

static bool place_equal(Place a, Place b) {
    return text_equal(a.file, b.file) && a.line == b.line && a.column == b.column;
}

Finding *findings_add(Findings *findings, const Rule *rule, Severity severity, Place place,
                      const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    const char *what = arena_vprintf(findings->arena, format, rest);
    va_end(rest);
    for (size_t i = 0; i < findings->count; i++) {
        Finding *other = &findings->items[i];
        if (other->rule == rule && place_equal(other->place, place) && strcmp(other->what, what) == 0)
            return other;
    }
    Finding *finding = ARENA_PUSH(findings->arena, findings);
    *finding =
        (Finding){.rule = rule, .severity = severity, .place = place, .what = what, .instead = rule->instead};
    if (place.file != NULL)
        finding->place.file = arena_strdup(findings->arena, place.file);
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
    return order != 0 ? order : strcmp(a->what, b->what);
}

void findings_sort(Findings *findings) {
    if (findings->count > 1)
        qsort(findings->items, findings->count, sizeof *findings->items, compare_findings);
}
