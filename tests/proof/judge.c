/* Unifies the pairs that generate.py draws: honest rewrites must be proved, mutations must not, and the
 * reported place must be the mutated one.
 *
 *     generate.py ... --out /dev/stdout | judge [-v] NAME
 *
 * Each line holds two recordings. Prints what went wrong, and one line a family: counts and how many places
 * were right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

typedef struct Tally {
    size_t honest, proved, mutated, caught, placed, wrong;
} Tally;

static bool is_node(const json_t *calls, size_t call, const json_t *nodes) {
    int64_t node = json_integer_value(json_array_get(calls, call));
    for (size_t i = 0; i < json_array_size(nodes); i++)
        if (json_integer_value(json_array_get(nodes, i)) == node && call < json_array_size(calls))
            return true;
    return false;
}

/* The renaming that the proof found must be the one that the rewrite made, up to symmetry. */
static bool are_one(const Graph *graph, const char *key, const char *other) {
    for (size_t i = 0; i < graph->state_count; i++) {
        bool first = false, second = false;
        for (size_t j = 0; j < graph->states[i].key_count; j++) {
            first |= strcmp(graph->states[i].keys[j], key) == 0;
            second |= strcmp(graph->states[i].keys[j], other) == 0;
        }
        if (first)
            return second;
    }
    return false;
}

static const char *wrong_binding(const json_t *map, const Graph *candidate, const Unification *found) {
    for (size_t i = 0; i < found->binding_count; i++) {
        const StateBinding *binding = &found->bindings[i];
        const char *expected = json_string_value(json_object_get(map, binding->original));
        if (expected != NULL && !are_one(candidate, expected, binding->candidate) && !binding->free)
            return binding->original;
    }
    return NULL;
}

/* A mutation may be no more than a renaming, unless it is said which parameter is which. */
static BindingRules rules_of(Arena *arena, const json_t *row) {
    json_t *map = json_object_get(row, "map"), *value;
    const char **originals = ARENA_ARRAY(arena, const char *, json_object_size(map) + 1);
    const char **candidates = ARENA_ARRAY(arena, const char *, json_object_size(map) + 1), *key;
    BindingRules rules = {originals, candidates, 0};
    if (json_is_true(json_object_get(row, "needs_map")))
        json_object_foreach(map, key, value) {
            originals[rules.count] = key;
            candidates[rules.count++] = json_string_value(value);
        }
    return rules;
}

static bool build(Arena *arena, const json_t *row, const char *side, GraphLabels *labels, Graph *graph) {
    char calls_key[64];
    snprintf(calls_key, sizeof calls_key, "%s_calls", side);
    Error error;
    if (graph_build(arena, labels, json_object_get(row, side), (Bytes){0}, NULL, graph, &error) == STATUS_OK)
        return true;
    printf("FAILED  %s: the %s gives no graph: %s\n", json_string_value(json_object_get(row, "id")), side,
           error_line(arena, &error));
    return false;
}

static void judge(const json_t *row, bool verbose, Tally *tally) {
    Arena *arena = arena_new();
    GraphLabels *labels = graph_labels_new(arena);
    Graph original, candidate;
    const char *id = json_string_value(json_object_get(row, "id"));
    bool honest = strcmp(json_string_value(json_object_get(row, "family")), "honest") == 0;
    char *kind = json_dumps(json_object_get(row, "kind"), JSON_ENCODE_ANY);
    tally->honest += honest;
    tally->mutated += !honest;
    if (!build(arena, row, "original", labels, &original) ||
        !build(arena, row, "candidate", labels, &candidate)) {
        tally->wrong++;
    } else {
        const BindingRules rules = rules_of(arena, row);
        Unification found = graph_unify(arena, &original, &candidate, &rules);
        const Difference *difference = &found.difference;
        const char *crossed =
            found.proved ? wrong_binding(json_object_get(row, "map"), &candidate, &found) : NULL;
        if (honest && (!found.proved || crossed != NULL)) {
            tally->wrong++;
            printf("FAILED  %s %s: %s\n", id, kind, crossed != NULL ? crossed : difference->what);
        } else if (honest) {
            tally->proved++;
        } else if (found.proved) {
            tally->wrong++;
            printf("FAILED  %s %s is proved\n", id, kind);
        } else {
            const json_t *nodes = json_object_get(row, "nodes"), *also = json_object_get(row, "also");
            const json_t *ours = json_object_get(row, "candidate_calls"),
                         *theirs = json_object_get(row, "original_calls");
            bool placed = is_node(ours, difference->candidate_call, nodes) ||
                          is_node(theirs, difference->original_call, nodes) ||
                          is_node(ours, difference->candidate_call, also) ||
                          is_node(theirs, difference->original_call, also);
            tally->caught++;
            tally->placed += placed;
            if (verbose && !placed) {
                char *wanted = json_dumps(nodes, JSON_ENCODE_ANY);
                printf("elsewhere  %s %s nodes %s, reported %lld / %lld: %s: %s\n", id, kind, wanted,
                       (long long)json_integer_value(json_array_get(theirs, difference->original_call)),
                       (long long)json_integer_value(json_array_get(ours, difference->candidate_call)),
                       difference_kind_name(difference->kind), difference->what);
                free(wanted);
            }
        }
    }
    free(kind);
    arena_free(arena);
}

int main(int count, char **arguments) {
    bool verbose = count > 1 && strcmp(arguments[1], "-v") == 0;
    char *line = NULL;
    size_t capacity = 0;
    Tally tally = {0};
    while (getline(&line, &capacity, stdin) > 0) {
        json_error_t why;
        json_t *row = json_loads(line, 0, &why);
        if (row == NULL) {
            printf("FAILED  a line that is no JSON: %s\n", why.text);
            tally.wrong++;
            continue;
        }
        judge(row, verbose, &tally);
        json_decref(row);
    }
    free(line);
    if (tally.mutated > 0)
        printf("%zu mutated, none proved but %zu; place right in %.1f %%\n", tally.mutated, tally.wrong,
               100.0 * (double)tally.placed / (double)tally.mutated);
    if (tally.honest > 0)
        printf("%zu honest, %zu proved\n", tally.honest, tally.proved);
    bool placed = tally.mutated == 0 || tally.placed * 100 >= tally.mutated * 95;
    if (!placed)
        printf("FAILED  fewer than 95 of 100 places are right\n");
    return tally.wrong > 0 || !placed || tally.honest + tally.mutated == 0 ? 1 : 0;
}
