/* One libFuzzer target for every parser of what a cell or a user sends: the first byte of an input says
 * which. Seeds lie in tests/fuzz/seeds, made by tests/fuzz/seeds.py; an input that once crashed joins them.
 */
#include "departure.h"
#include "graph.h"
#include "project_parts.h"
#include "source.h"
#include "trace.h"
#include "weights.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef void Target(Arena *arena, Bytes bytes, const json_t *json);

static void fuzz_value(Arena *arena, Bytes bytes, const json_t *json) {
    (void)bytes;
    Error error;
    Value value;
    if (value_decode(arena, json, 4, "value", &value, &error) != STATUS_OK)
        return;
    json_t *again = value_to_json(&value);
    Value second;
    if (value_decode(arena, again, 4, "value", &second, &error) != STATUS_OK || !value_equal(&value, &second))
        __builtin_trap(); /* what was accepted can be written and read again */
    json_decref(again);
}

static void fuzz_trace(Arena *arena, Bytes bytes, const json_t *json) {
    (void)bytes;
    Error error;
    Trace trace;
    if (trace_decode(arena, json, (Bytes){0}, &trace, &error) != STATUS_OK)
        return;
    Text text = text_new(arena);
    trace_print(&trace, NULL, 0, &text);
    UnknownOrigin *unknown;
    (void)trace_unknown_origins(arena, &trace, &unknown);
    (void)trace_dependent(arena, &trace);
}

/* {"trace": .., "values": ..}: what a run sends, over a memory file of zeros. */
static void fuzz_values(Arena *arena, Bytes bytes, const json_t *json) {
    (void)bytes;
    static const uint8_t file[1024];
    const DepartureRules rules = {.rtol = 1e-5, .difference = 1, .threads = 1};
    Error error;
    Trace trace;
    RunValues run = {.trace = &trace};
    if (trace_decode(arena, json_object_get(json, "trace"), (Bytes){0}, &trace, &error) != STATUS_OK ||
        kept_values_decode(arena, json_object_get(json, "values"), (Bytes){file, sizeof file}, &trace,
                           "values", &run.kept, &error) != STATUS_OK)
        return;
    if (trace.call_count > 0) { /* what the last call gave departs */
        run.outputs = trace.calls[trace.call_count - 1].gives;
        run.output_count = trace.calls[trace.call_count - 1].give_count;
    }
    RunValues other = run;
    other.kept.count /= 2;
    (void)departure_find(arena, &run, &other, &rules);
    (void)departure_find(arena, &other, &run, &rules);
}

static void fuzz_recording(Arena *arena, Bytes bytes, const json_t *json) {
    (void)bytes;
    Error error;
    Graph graph;
    if (graph_build(arena, graph_labels_new(arena), json, (Bytes){0}, NULL, &graph, &error) != STATUS_OK)
        return;
    Patterns *patterns;
    PatternMatch *matches;
    const BindingRules rules = {0};
    Text text = text_new(arena);
    graph_print(&graph, NULL, 0, GRAPH_TEXT, &text);
    (void)graph_unify(arena, &graph, &graph, &rules);
    if (patterns_parse(arena, NULL, (Bytes){0}, &patterns, &error) == STATUS_OK)
        (void)patterns_match(arena, patterns, &graph, &matches);
}

/* {"trace", "recording"}, a NUL, and the pieces of both. */
static void fuzz_pieces(Arena *arena, Bytes bytes, const json_t *json) {
    (void)json;
    const size_t length = strlen((const char *)bytes.data);
    const Bytes pieces =
        length < bytes.size ? (Bytes){bytes.data + length + 1, bytes.size - length - 1} : (Bytes){0};
    json_error_t problem;
    json_t *object = json_loadb((const char *)bytes.data, length, 0, &problem);
    Error error;
    Trace trace;
    Graph graph;
    Text text = text_new(arena);
    if (trace_decode(arena, json_object_get(object, "trace"), pieces, &trace, &error) == STATUS_OK)
        trace_print(&trace, NULL, 0, &text);
    if (graph_build(arena, graph_labels_new(arena), json_object_get(object, "recording"), pieces, NULL,
                    &graph, &error) == STATUS_OK)
        graph_print(&graph, NULL, 0, GRAPH_TEXT, &text);
    json_decref(object);
}

static void fuzz_tree(Arena *arena, Bytes bytes, const json_t *json) {
    (void)bytes;
    Error error;
    Tree tree;
    const Source source = {.path = "/main.py", .name = "main.py"};
    if (tree_decode(arena, &source, json, &tree, &error) == STATUS_OK)
        (void)trees_equal(&tree, &tree);
}

static void fuzz_state(Arena *arena, Bytes bytes, const json_t *json) {
    (void)bytes;
    static const uint8_t file[256];
    Error error;
    StateDict state;
    (void)!state_dict_decode(arena, json, (Bytes){file, sizeof file}, true, "state", &state, &error);
}

static void fuzz_weight_map(Arena *arena, Bytes bytes, const json_t *json) {
    (void)json;
    Error error;
    WeightMap map;
    (void)!weight_map_parse(arena, bytes, "weight_map.json", &map, &error);
}

static void fuzz_patterns(Arena *arena, Bytes bytes, const json_t *json) {
    (void)json;
    Error error;
    Patterns *patterns;
    (void)!patterns_parse(arena, "patterns.txt", bytes, &patterns, &error);
}

static void fuzz_kernel_name(Arena *arena, Bytes bytes, const json_t *json) {
    (void)json;
    KernelName name;
    const char *problem;
    (void)kernel_name_parse(arena, arena_strndup(arena, (const char *)bytes.data, bytes.size), &name,
                            &problem);
}

/* Of JSON that was parsed already. */
static void fuzz_lines(Arena *arena, Bytes bytes, const json_t *json) {
    if (!json_is_object(json) && !json_is_array(json))
        return;
    const Table *lines = json_lines(arena, bytes);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        if (line_of(lines, arena, key, NULL) < 1)
            __builtin_trap(); /* every key of the object stands on some line */
    }
}

static const struct {
    char letter;
    bool json;
    Target *run;
} TARGETS[] = {{'v', true, fuzz_value},        {'t', true, fuzz_trace},       {'r', true, fuzz_recording},
               {'w', true, fuzz_values},       {'s', true, fuzz_tree},        {'d', true, fuzz_state},
               {'P', false, fuzz_pieces},      {'m', false, fuzz_weight_map}, {'p', false, fuzz_patterns},
               {'k', false, fuzz_kernel_name}, {'l', true, fuzz_lines}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    Arena *arena = arena_new();
    const Bytes bytes = {(const uint8_t *)arena_strndup(arena, (const char *)data + 1, size - 1), size - 1};
    for (size_t i = 0; i < COUNT_OF(TARGETS); i++) {
        if (TARGETS[i].letter != (char)data[0])
            continue;
        json_error_t problem;
        json_t *json = TARGETS[i].json
                           ? json_loadb((const char *)bytes.data, bytes.size, JSON_DECODE_ANY, &problem)
                           : NULL;
        if (json != NULL || !TARGETS[i].json)
            TARGETS[i].run(arena, bytes, json);
        json_decref(json);
    }
    arena_free(arena);
    return 0;
}
