/* Matches for people and programs. */
#include "graph.h"

static const char *kind_of(const PatternMatch *match) {
    return match->kernel ? "kernel" : "fusion";
}

void patterns_print(const Graph *graph, const PatternMatch *matches, size_t count, const char *const *files,
                    size_t file_count, Text *text) {
    for (size_t i = 0; i < count; i++) {
        const PatternMatch *match = &matches[i];
        uint32_t first = match->inside[0].number, last = match->inside[match->inside_count - 1].number;
        const char *module = term_module(graph, match->root);
        const char *place = term_place(text->arena, graph, match->root, files, file_count);
        text_printf(text, "%s  t%u..t%u", match->pattern, first, last);
        if (module != NULL)
            text_printf(text, "  %s", module);
        if (place != NULL)
            text_printf(text, "  %s", place);
        text_add(text, "\n");
    }
}

static json_t *numbers(const TermId *terms, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer(terms[i].number));
    return array;
}

json_t *patterns_to_json(const Graph *graph, const PatternMatch *matches, size_t count,
                         const char *const *files, size_t file_count) {
    Arena *arena = arena_new();
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        const PatternMatch *match = &matches[i];
        const char *module = term_module(graph, match->root);
        const char *place = term_place(arena, graph, match->root, files, file_count);
        json_t *item = json_object();
        json_object_set_new(item, "pattern", json_string(match->pattern));
        json_object_set_new(item, "kind", json_string(kind_of(match)));
        json_object_set_new(item, "root", json_integer(match->root.number));
        json_object_set_new(item, "inputs", numbers(match->inputs, match->input_count));
        json_object_set_new(item, "inside", numbers(match->inside, match->inside_count));
        json_object_set_new(item, "module", module == NULL ? json_null() : json_string(module));
        json_object_set_new(item, "place", place == NULL ? json_null() : json_string(place));
        json_array_append_new(array, item);
    }
    arena_free(arena);
    return array;
}
