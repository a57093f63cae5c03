/* Graphs for people: a graph as lines, DOT and JSON; and where values come from nowhere. */
#include "graph.h"

#include <string.h>

bool *graph_live_terms(Arena *arena, const Graph *graph) {
    bool *live = ARENA_ARRAY(arena, bool, graph->term_count + 1);
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i].is_tensor)
            live[graph->outputs[i].term.number] = true;
    for (size_t i = 0; i < graph->read_count; i++)
        live[graph->reads[i].term.number] = true;
    for (size_t i = 0; i < graph->state_count; i++)
        live[graph->states[i].final.number] = true;
    for (size_t i = 0; i < graph->input_count; i++)
        live[graph->inputs[i].final.number] = true;
    for (size_t i = graph->term_count; i-- > 0;)
        for (uint32_t j = 0; live[i] && j < graph->terms[i].operand_count; j++)
            live[graph->terms[i].operands[j].number] = true;
    return live;
}

static bool is_from_nowhere(const Term *term) {
    return term->kind == TERM_UNKNOWN || term->kind == TERM_INITIAL;
}

size_t graph_unknown_origin(const Graph *graph) {
    Arena *arena = arena_new();
    bool *live = graph_live_terms(arena, graph);
    size_t use = SIZE_MAX, itself = SIZE_MAX;
    for (size_t i = 0; i < graph->term_count && use == SIZE_MAX; i++) {
        const Term *term = &graph->terms[i];
        if (!live[i])
            continue;
        if (is_from_nowhere(term) && itself == SIZE_MAX)
            itself = i;
        for (uint32_t j = 0; j < term->operand_count; j++)
            if (is_from_nowhere(&graph->terms[term->operands[j].number]))
                use = i;
    }
    arena_free(arena);
    return use != SIZE_MAX ? use : itself;
}

const char *term_place(Arena *arena, const Graph *graph, TermId id, const char *const *files,
                       size_t file_count) {
    const Trace *trace = graph->trace;
    const Term *term = &graph->terms[id.number];
    if (trace == NULL || files == NULL || term->call >= trace->call_count)
        return NULL;
    const TraceCall *call = &trace->calls[term->call];
    if (call->file == NO_NUMBER || (size_t)call->file >= file_count)
        return NULL;
    return arena_printf(arena, "%s:%d", files[call->file], call->line);
}

/* The label with its operands in place: "aten::mul.Tensor(t3, t4) -> .." */
static void print_label(Text *text, const Term *term) {
    uint32_t next = 0;
    bool quoted = false;
    for (const char *at = term->label; *at != '\0'; at++) {
        quoted = quoted != (*at == '\'');
        if (*at == '%' && !quoted && next < term->operand_count)
            text_printf(text, "t%u", term->operands[next++].number);
        else
            text_add_bytes(text, at, 1);
    }
    if (term->key != NULL && term->kind == TERM_STATE)
        text_printf(text, "  %s", text_printable(text->arena, term->key, strlen(term->key)));
}

static void print_line(const Graph *graph, size_t number, const char *const *files, size_t file_count,
                       Text *text) {
    const Term *term = &graph->terms[number];
    text_printf(text, "%6s ", arena_printf(text->arena, "t%zu", number));
    print_label(text, term);
    const char *place = term_place(text->arena, graph, (TermId){(uint32_t)number}, files, file_count);
    if (place != NULL)
        text_printf(text, "  %s", place);
    text_add(text, "\n");
}

static void add_escaped(Text *text, const char *data) {
    for (; *data != '\0'; data++) {
        if (*data == '"' || *data == '\\')
            text_add(text, "\\");
        text_add_bytes(text, data, 1);
    }
}

static void print_dot_term(const Graph *graph, size_t number, Text *text) {
    static const char *const SHAPES[] = {
        [TERM_INPUT] = "ellipse",   [TERM_STATE] = "cylinder", [TERM_CONSTANT] = "note",
        [TERM_OPERATOR] = "box",    [TERM_VIEW] = "plaintext", [TERM_WRITE] = "box",
        [TERM_INITIAL] = "octagon", [TERM_UNKNOWN] = "octagon"};
    const Term *term = &graph->terms[number];
    text_printf(text, "  t%zu [shape=%s, label=\"", number, SHAPES[term->kind]);
    add_escaped(text, term_describe(text->arena, graph, (TermId){(uint32_t)number}));
    text_add(text, "\"];\n");
    for (uint32_t i = 0; i < term->operand_count; i++)
        text_printf(text, "  t%u -> t%zu;\n", term->operands[i].number, number);
}

void graph_print(const Graph *graph, const char *const *files, size_t file_count, GraphFormat format,
                 Text *text) {
    bool *live = graph_live_terms(text->arena, graph);
    if (format == GRAPH_DOT)
        text_add(text, "digraph model {\n");
    for (size_t i = 0; i < graph->term_count; i++) {
        if (!live[i])
            continue;
        if (format == GRAPH_DOT)
            print_dot_term(graph, i, text);
        else
            print_line(graph, i, files, file_count, text);
    }
    for (size_t i = 0; i < graph->output_count; i++) {
        const GraphOutput *output = &graph->outputs[i];
        if (format == GRAPH_DOT && output->is_tensor) {
            text_printf(text, "  out%zu [shape=ellipse, label=\"", i);
            add_escaped(text, output->path);
            text_printf(text, "\"];\n  t%u -> out%zu;\n", output->term.number, i);
        } else if (format == GRAPH_TEXT) {
            text_printf(text, "%s = ", output->path);
            if (output->is_tensor)
                text_printf(text, "t%u\n", output->term.number);
            else
                text_printf(text, "%s\n", value_describe(text->arena, output->value));
        }
    }
    if (format == GRAPH_DOT)
        text_add(text, "}\n");
}

static json_t *term_to_json(Arena *arena, const Graph *graph, size_t number, const char *const *files,
                            size_t file_count) {
    static const char *const KINDS[] = {"input", "state", "constant", "operator",
                                        "view",  "write", "initial",  "unknown"};
    const Term *term = &graph->terms[number];
    json_t *json = json_object(), *operands = json_array(), *shape = json_array();
    json_object_set_new(json, "number", json_integer((json_int_t)number));
    json_object_set_new(json, "kind", json_string(KINDS[term->kind]));
    json_object_set_new(json, "label", json_string(term->label));
    for (uint32_t i = 0; i < term->operand_count; i++)
        json_array_append_new(operands, json_integer(term->operands[i].number));
    json_object_set_new(json, "operands", operands);
    json_object_set_new(json, "dtype", json_string(term->dtype));
    for (size_t i = 0; i < term->rank; i++)
        json_array_append_new(shape, json_integer(term->shape[i]));
    json_object_set_new(json, "shape", shape);
    if (term->key != NULL)
        json_object_set_new(json, "key", json_string(term->key));
    const char *place = term_place(arena, graph, (TermId){(uint32_t)number}, files, file_count);
    if (place != NULL)
        json_object_set_new(json, "place", json_string(place));
    return json;
}

json_t *graph_to_json(const Graph *graph, const char *const *files, size_t file_count) {
    Arena *arena = arena_new();
    bool *live = graph_live_terms(arena, graph);
    json_t *json = json_object(), *terms = json_array(), *outputs = json_array(), *states = json_array();
    for (size_t i = 0; i < graph->term_count; i++)
        if (live[i])
            json_array_append_new(terms, term_to_json(arena, graph, i, files, file_count));
    for (size_t i = 0; i < graph->output_count; i++) {
        const GraphOutput *output = &graph->outputs[i];
        json_t *item = json_object();
        json_object_set_new(item, "path", json_string(output->path));
        if (output->is_tensor)
            json_object_set_new(item, "term", json_integer(output->term.number));
        else
            json_object_set_new(item, "value", value_to_json(output->value));
        json_array_append_new(outputs, item);
    }
    for (size_t i = 0; i < graph->state_count; i++) {
        const GraphState *state = &graph->states[i];
        json_t *item = json_object(), *keys = json_array();
        for (size_t k = 0; k < state->key_count; k++)
            json_array_append_new(keys, json_string(state->keys[k]));
        json_object_set_new(item, "keys", keys);
        json_object_set_new(item, "term", json_integer(state->term.number));
        json_object_set_new(item, "final", json_integer(state->final.number));
        json_array_append_new(states, item);
    }
    json_object_set_new(json, "terms", terms);
    json_object_set_new(json, "states", states);
    json_object_set_new(json, "outputs", outputs);
    arena_free(arena);
    return json;
}
