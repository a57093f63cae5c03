/* Parsing everything in a few batches, and saying which files can't be parsed. */
#include "project_parts.h"

#include <stdlib.h>
#include <string.h>

/* A batch fails as a whole, if a file that is valid Python is still refused. */
enum { MOST_BATCH = 2000 };

typedef struct Batches {
    Reading *reading;
    const Source *sources;
    Tree *trees;
    const char **broken;
} Batches;

static void report_broken(Batches *batches, size_t index, int line, const char *message) {
    Reading *reading = batches->reading;
    batches->broken[index] =
        message[0] == '\0' ? "it cannot be parsed" : arena_strdup(reading->arena, message);
    project_finding(reading, &RULE_file_syntax, SEVERITY_VIOLATION, batches->sources[index].name, line, "%s",
                    batches->broken[index]);
}

/* Halved until what is refused stands alone. */
static void parse_range(Batches *batches, size_t first, size_t count) {
    Reading *reading = batches->reading;
    Error error;
    if (count == 0 || reading->parser.parse(reading->parser.context, reading->arena, batches->sources + first,
                                            count, batches->trees + first, &error) == STATUS_OK)
        return;
    memset(batches->trees + first, 0, count * sizeof *batches->trees);
    if (count > 1) {
        parse_range(batches, first, count / 2);
        parse_range(batches, first + count / 2, count - count / 2);
        return;
    }
    const char *name = batches->sources[first].name;
    const char *line = error.place + (text_starts(error.place, name) ? strlen(name) : 0);
    report_broken(batches, first, *line == ':' ? (int)strtol(line + 1, NULL, 10) : 0, error.cause);
}

/* Which files are no Python, found in one go; without it, parsing finds them, one after the other. */
static void check_all(Batches *batches, size_t count) {
    Reading *reading = batches->reading;
    Error error;
    SyntaxProblem *problems = ARENA_ARRAY(reading->arena, SyntaxProblem, count + 1);
    if (reading->parser.check == NULL ||
        reading->parser.check(reading->parser.context, reading->arena, batches->sources, count, problems,
                              &error) != STATUS_OK)
        return;
    for (size_t i = 0; i < count; i++)
        if (problems[i].message != NULL)
            report_broken(batches, i, problems[i].line, problems[i].message);
}

/* Parses those that are wanted and not known to be broken: together, since what fits in a batch may not stand
 * side by side. */
static void parse_wanted(Batches *batches, size_t count, const bool *wanted) {
    Arena *arena = batches->reading->arena;
    size_t chosen = 0, *at = ARENA_ARRAY(arena, size_t, count + 1);
    Source *sources = ARENA_ARRAY(arena, Source, count + 1);
    for (size_t i = 0; i < count; i++)
        if (wanted[i] && batches->broken[i] == NULL) {
            sources[chosen] = batches->sources[i];
            at[chosen++] = i;
        }
    Batches some = {batches->reading, sources, ARENA_ARRAY(arena, Tree, chosen + 1),
                    ARENA_ARRAY(arena, const char *, chosen + 1)};
    for (size_t first = 0; first < chosen; first += MOST_BATCH)
        parse_range(&some, first, chosen - first < MOST_BATCH ? chosen - first : MOST_BATCH);
    for (size_t i = 0; i < chosen; i++) {
        batches->trees[at[i]] = some.trees[i];
        batches->broken[at[i]] = some.broken[i];
    }
}

/* Where the structure alone is asked for, only trees that may be compared: a file that no other is like has
 * none. Files of steps are always parsed, since their imports are followed. */
static bool *choose_wanted(Reading *reading, const Source *sources, size_t count) {
    const Project *project = reading->project;
    bool *wanted = ARENA_ARRAY(reading->arena, bool, count + 1);
    Table *first_of = table_new(reading->arena);
    for (size_t i = 0; i < count; i++) {
        const char *key = content_likeness(reading->arena, &sources[i]);
        size_t first = (size_t)table_get(first_of, key);
        wanted[i] = !reading->options->structure_only || first > 0 || i >= project->component_count ||
                    project->components[i].level == LEVEL_MODEL;
        if (first > 0)
            wanted[first - 1] = true;
        else
            table_put(first_of, key, (void *)(i + 1));
    }
    return wanted;
}

void contents_parse(Reading *reading) {
    Project *project = reading->project;
    size_t count = 0, most = project->component_count + reading->step_files->count;
    Source *sources = ARENA_ARRAY(reading->arena, Source, most + 1);
    const char **broken = ARENA_ARRAY(reading->arena, const char *, most + 1);
    Tree *trees = ARENA_ARRAY(reading->arena, Tree, most + 1);
    for (size_t i = 0; i < project->component_count; i++)
        sources[count++] = project->components[i].source;
    for (size_t i = 0; i < reading->step_files->count; i++)
        sources[count++] = ((const Content *)reading->step_files->items[i].value)->source;
    Batches batches = {reading, sources, trees, broken};
    check_all(&batches, count);
    parse_wanted(&batches, count, choose_wanted(reading, sources, count));
    for (size_t i = 0; i < count; i++) {
        if (i < project->component_count) {
            Component *component = &project->components[i];
            component->tree = trees[i];
            component->tree.source = &component->source;
            if (component->broken == NULL)
                component->broken = broken[i];
            else
                component->tree.module = NULL; /* it could not be read: that it looks empty says nothing */
        } else {
            Content *content = reading->step_files->items[i - project->component_count].value;
            content->tree = trees[i];
            content->tree.source = &content->source;
        }
    }
}
