/* Findings grouped by cause. */
#include "groups.h"

#include <stdlib.h>
#include <string.h>

/* What stands before comes of what stands after: a cycle breaks the composition, which breaks the coverage.
 */
static const char *const FAMILIES[] = {
    "file.",      "tree.",        "chain.",
    "level.",     "composition.", NULL, /* of steps: py., op., child., weights., numbers. ... */
    "component.", "name.",        "dimensions.",
    "flow.",      "coverage.",    "log."};

static size_t family_of(const char *id) {
    size_t other = 0;
    for (size_t i = 0; i < COUNT_OF(FAMILIES); i++) {
        if (FAMILIES[i] == NULL)
            other = i;
        else if (text_starts(id, FAMILIES[i]))
            return i;
    }
    return other;
}

typedef struct Ranked {
    FindingGroup group;
    size_t family, order;
} Ranked;

static int compare_ranked(const void *left, const void *right) {
    const Ranked *a = left, *b = right;
    if (a->group.first->severity != b->group.first->severity)
        return a->group.first->severity < b->group.first->severity ? -1 : 1;
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    int rule = strcmp(a->group.first->rule->id, b->group.first->rule->id);
    return rule != 0 ? rule : (a->order > b->order) - (a->order < b->order);
}

FindingGroup *findings_group(Arena *arena, const Findings *findings, size_t *count) {
    Table *known = table_new(arena);
    Ranked *ranked = ARENA_ARRAY(arena, Ranked, findings->count + 1);
    *count = 0;
    for (size_t i = 0; i < findings->count; i++) {
        const Finding *finding = &findings->items[i];
        const char *key =
            arena_printf(arena, "%d %s %s", (int)finding->severity, finding->rule->id, finding->what);
        Ranked *group = table_get(known, key);
        if (group == NULL) {
            group = &ranked[*count];
            *group = (Ranked){{finding, 0}, family_of(finding->rule->id), *count};
            table_put(known, key, group);
            (*count)++;
        }
        group->group.count++;
    }
    qsort(ranked, *count, sizeof *ranked, compare_ranked);
    FindingGroup *groups = ARENA_ARRAY(arena, FindingGroup, *count + 1);
    for (size_t i = 0; i < *count; i++)
        groups[i] = ranked[i].group;
    return groups;
}

static const char *severity_word(Severity severity) {
    return severity == SEVERITY_VIOLATION   ? "violation"
           : severity == SEVERITY_UNDECIDED ? "undecided"
                                            : "note";
}

static void print_group(Arena *arena, const FindingGroup *group, Text *text) {
    const Finding *finding = group->first;
    text_printf(text, "%s %s  %s", severity_word(finding->severity), finding->rule->id,
                finding_text(arena, finding));
    if (group->count > 1)
        text_printf(text, " (and at %zu other place%s)", group->count - 1, group->count == 2 ? "" : "s");
    text_add(text, "\n");
}

void groups_print(Arena *arena, const FindingGroup *groups, size_t count, size_t most_of_rule, Text *text) {
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && groups[end].first->rule == groups[i].first->rule &&
               groups[end].first->severity == groups[i].first->severity)
            end++;
        size_t shown =
            end - i <= most_of_rule + 1 ? end - i : most_of_rule; /* "and 1 more" takes a line too */
        for (size_t j = i; j < i + shown; j++)
            print_group(arena, &groups[j], text);
        if (i + shown < end)
            text_printf(text, "%s %s  and %zu more like it\n", severity_word(groups[i].first->severity),
                        groups[i].first->rule->id, end - i - shown);
        i = end;
    }
}
