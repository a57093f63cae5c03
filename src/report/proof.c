/* What diff and trace show. */
#include "paint.h"
#include "parts.h"

#include <string.h>

static json_t *diff_json(const StepResult *result) {
    json_t *object = json_object();
    set(object, "a", text_or_null(result->original_file));
    set(object, "b", text_or_null(result->refactored_file));
    set(object, "status",
        json_string(result->verdict == VERDICT_PASS   ? "PROVED"
                    : result->verdict == VERDICT_FAIL ? "NOT_PROVED"
                                                      : "ERROR"));
    set(object, "error", text_or_null(result->error));
    set(object, "proof", report_proof_json(&result->proof));
    set(object, "map", proof_map_json(&result->proof));
    json_t *assumptions = json_array();
    for (size_t i = 0; i < result->assumption_count; i++)
        json_array_append_new(assumptions, json_string(result->assumptions[i]));
    set(object, "assumptions", assumptions);
    set(object, "torch", text_or_null(result->torch_version));
    return object;
}

static void add_frame(Text *text, const char *title, const char *frame) {
    if (frame == NULL)
        return;
    text_printf(text, "\n  %s\n", shown(text->arena, title));
    for (const char *at = frame; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        text_printf(text, "    %.*s\n", (int)length, at);
        at += length + (at[length] == '\n');
    }
}

static void add_lines(Text *text, const char *label, const char *const *lines, size_t count) {
    for (size_t i = 0; i < count; i++)
        text_printf(text, "  %s: %s\n", label, shown(text->arena, lines[i]));
}

Bytes report_diff(Arena *arena, const StepResult *result, bool json, bool quiet) {
    if (json) {
        json_t *object = diff_json(result);
        Bytes bytes = report_json_text(arena, object);
        json_decref(object);
        return bytes;
    }
    const ProofResult *proof = &result->proof;
    Text text = text_new(arena);
    if (result->verdict == VERDICT_PASS)
        text_printf(&text, "PROVED  %s and %s are the same computation (%zu operators, torch %s)\n",
                    shown(arena, result->original_file), shown(arena, result->refactored_file),
                    proof->operators, result->torch_version);
    else
        text_printf(&text, "NOT PROVED  %s%s%s\n", proof->cause == NULL ? "" : proof->cause,
                    proof->cause == NULL ? "" : ": ",
                    shown(arena, proof->why_not != NULL ? proof->why_not : result->fail_reason));
    if (!quiet) {
        add_lines(&text, "input", proof->shapes, proof->shape_count);
        add_lines(&text, "where", proof->conditions, proof->condition_count);
        add_lines(&text, "narrowed", proof->narrowed, proof->narrowed_count);
        add_lines(&text, "assumed", result->assumptions, result->assumption_count);
        add_frame(&text, result->original_file, proof->original_frame);
        add_frame(&text, result->refactored_file, proof->frame);
    }
    return (Bytes){(const uint8_t *)text.data, text.length};
}

/* What a trace of very many calls says again and again is one value. */
typedef struct Shared {
    const Trace *trace;
    Table *texts;           /* text -> json_t *; owned */
    const TraceCall *given; /* the last call, */
    json_t *gives;          /* and what it gives; owned */
} Shared;

static json_t *shared_text(const Shared *shared, const char *text) {
    json_t *json = table_get(shared->texts, text);
    if (json == NULL)
        table_put(shared->texts, text, json = json_string(text));
    return json_incref(json);
}

static json_t *form_json(const TraceTensor *tensor) {
    json_t *shape = json_array(), *form = json_object();
    for (size_t i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
    set(form, "dtype", json_string(tensor->dtype));
    set(form, "shape", shape);
    return form;
}

static bool same_forms(const Trace *trace, const TraceCall *a, const TraceCall *b) {
    if (a == NULL || a->give_count != b->give_count)
        return false;
    for (size_t i = 0; i < a->give_count; i++) {
        const TraceTensor *one = &trace->tensors[a->gives[i].number],
                          *other = &trace->tensors[b->gives[i].number];
        if (strcmp(one->dtype, other->dtype) != 0 || one->rank != other->rank ||
            (one->rank > 0 && memcmp(one->shape, other->shape, one->rank * sizeof *one->shape) != 0))
            return false;
    }
    return true;
}

static json_t *shared_gives(Shared *shared, const TraceCall *call) {
    if (!same_forms(shared->trace, shared->given, call)) {
        json_decref(shared->gives);
        shared->gives = json_array();
        for (size_t i = 0; i < call->give_count; i++)
            json_array_append_new(shared->gives, form_json(&shared->trace->tensors[call->gives[i].number]));
    }
    shared->given = call;
    return json_incref(shared->gives);
}

static json_t *call_json(const TraceResult *result, const TraceCall *call, Shared *shared) {
    const Trace *trace = &result->trace;
    json_t *item = json_object();
    set(item, "call", shared_text(shared, trace_operator(trace, call)));
    set(item, "module",
        call->module_call < 0
            ? json_null()
            : shared_text(shared, trace->modules[trace->module_calls[call->module_call].module].path));
    set(item, "file",
        call->file < 0 || (size_t)call->file >= result->file_count
            ? json_null()
            : shared_text(shared, result->files[call->file]));
    set(item, "line", json_integer(call->line));
    set(item, "gives", shared_gives(shared, call));
    return item;
}

json_t *report_trace_json(const TraceResult *result, bool dispatch) {
    json_t *object = json_object();
    set(object, "recorded", json_string(result->symbolic ? "shapes" : "real tensors"));
    set(object, "why_real", text_or_null(result->not_symbolic));
    set(object, "unknown_origin", text_or_null(result->unknown));
    if (dispatch) {
        set(object, "graph", graph_to_json(&result->graph, result->files, result->file_count));
        return object;
    }
    Arena *arena = arena_new();
    Shared shared = {.trace = &result->trace, .texts = table_new(arena)};
    json_t *calls = json_array();
    for (size_t i = result->trace.forward_start; i < result->trace.call_count; i++)
        json_array_append_new(calls, call_json(result, &result->trace.calls[i], &shared));
    set(object, "calls", calls);
    for (size_t i = 0; i < shared.texts->count; i++)
        json_decref(shared.texts->items[i].value);
    json_decref(shared.gives);
    arena_free(arena);
    return object;
}

void report_trace_summary(Arena *arena, const TraceResult *result, Text *text) {
    text_printf(text, "\n%zu calls, %zu operators, recorded on %s, recorded in %.2f s",
                result->trace.call_count - result->trace.forward_start, result->graph.event_count,
                result->symbolic ? "shapes alone" : "real tensors", result->seconds);
    if (result->not_symbolic != NULL)
        text_printf(text, " since %s", shown(arena, result->not_symbolic));
    text_add(text, "\n");
    for (size_t i = 0; i < result->graph.read_count; i++)
        text_printf(text, "it depends on data: %s is %s\n",
                    shown(arena, term_describe(arena, &result->graph, result->graph.reads[i].term)),
                    shown(arena, result->graph.reads[i].value));
}
