/* The table of rules of whole decompositions. */
#include "project_parts.h"

#include <assert.h>
#include <string.h>

enum { MOST_TEXT = 1000 }; /* names come from files that anyone wrote */

#define RULE(name, id, title, instead, source) const Rule RULE_##name = {id, title, instead, source};
#include "rules.def"
#undef RULE

const Rule *const PROJECT_RULES[] = {
#define RULE(name, id, title, instead, source) &RULE_##name,
#include "rules.def"
#undef RULE
    NULL};

const Rule *project_rule(const char *id) {
    size_t i = 0;
    while (PROJECT_RULES[i] != NULL && strcmp(PROJECT_RULES[i]->id, id) != 0)
        i++;
    assert(PROJECT_RULES[i] != NULL);
    return PROJECT_RULES[i];
}

Finding *project_finding(Reading *reading, const Rule *rule, Severity severity, const char *file, int line,
                         const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    const char *what = arena_vprintf(reading->arena, format, rest);
    va_end(rest);
    if (strlen(what) > MOST_TEXT)
        what = arena_printf(reading->arena, "%.*s...", MOST_TEXT, what);
    Place place = {.file = file, .line = line};
    return findings_add(reading->project->findings, rule, severity, place, "%s",
                        text_one_line(reading->arena, what));
}
