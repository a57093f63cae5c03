/* Building a graph: the events of a recording, one after the other. */
#include "builder.h"

#include <string.h>

enum { MOST_STATES_HELD = 1024 };

static Status refuse(const Builder *builder, const char *cause) {
    return recording_refuse(&builder->recording, "event", builder->number, cause);
}

static Layout *layout_of(const Builder *builder, uint32_t tensor) {
    return builder->recording.tensors[tensor].layout;
}

Text *builder_text(Builder *builder) {
    Text *text = &builder->store.text;
    text->length = 0;
    text->data[0] = '\0';
    return text;
}

Term builder_draft(const Builder *builder, TermKind kind, const Layout *layout) {
    return (Term){.kind = kind,
                  .label = builder->store.text.data,
                  .dtype = layout->dtype,
                  .shape = layout->shape,
                  .rank = layout->rank,
                  .state = SIZE_MAX};
}

void builder_opaque(Builder *builder, const char *name) {
    table_put(builder->opaque, name, TABLE_PRESENT);
}

/* ---- Other events ------------------------------------------------------------------------- */

static Status read_tensor(const Builder *builder, const json_t *event, size_t parts, uint32_t *tensor) {
    int64_t number;
    if (json_array_size(event) != parts ||
        !recording_number(json_array_get(event, 1), 0, (int64_t)builder->recording.tensor_count - 1, &number))
        return refuse(builder, "its tensor is not in the table, or parts are missing");
    *tensor = (uint32_t)number;
    return STATUS_OK;
}

static Status take_alias(Builder *builder, const json_t *event) {
    uint32_t tensor = 0, old;
    int64_t number;
    if (read_tensor(builder, event, 3, &tensor) != STATUS_OK)
        return STATUS_ERROR;
    if (!recording_number(json_array_get(event, 2), 0, (int64_t)builder->recording.tensor_count - 1, &number))
        return refuse(builder, "it is an alias of a tensor that is not in the table");
    old = (uint32_t)number;
    Tensor *tensors = builder->recording.tensors;
    memory_read(&builder->memory, old);
    if (text_equal(tensors[tensor].layout->dtype, tensors[old].layout->dtype)) {
        tensors[tensor].storage = tensors[old].storage;
        return STATUS_OK;
    }
    const Layout *layout = tensors[tensor].layout;
    tensors[tensor].storage = memory_storage(&builder->memory, memory_group(&builder->memory, old));
    memory_place(&builder->memory, tensor,
                 store_unknown(&builder->store, layout->dtype, layout->shape, layout->rank));
    return STATUS_OK;
}

static Status take_constant(Builder *builder, const json_t *event) {
    uint32_t tensor = 0;
    if (read_tensor(builder, event, 3, &tensor) != STATUS_OK)
        return STATUS_ERROR;
    const char *hash = recording_text(&builder->recording, json_array_get(event, 2));
    if (!recording_is_word(hash))
        return refuse(builder, "a constant has no hash");
    const Layout *layout = layout_of(builder, tensor);
    Text *text = builder_text(builder);
    text_printf(text, "constant %s ", hash);
    text_add_shape(text, layout->dtype, layout->shape, layout->rank);
    Term draft = builder_draft(builder, TERM_CONSTANT, layout);
    draft.known = true;
    draft.content = hash;
    memory_write(&builder->memory, tensor, store_term(&builder->store, &draft, NULL, false));
    return STATUS_OK;
}

static Status take_unknown(Builder *builder, const json_t *event) {
    uint32_t tensor = 0;
    if (read_tensor(builder, event, 3, &tensor) != STATUS_OK)
        return STATUS_ERROR;
    const Layout *layout = layout_of(builder, tensor);
    memory_write(&builder->memory, tensor,
                 store_unknown(&builder->store, layout->dtype, layout->shape, layout->rank));
    return STATUS_OK;
}

static Status take_hash(Builder *builder, const json_t *event) {
    uint32_t tensor = 0;
    if (read_tensor(builder, event, 3, &tensor) != STATUS_OK)
        return STATUS_ERROR;
    const char *hash = recording_text(&builder->recording, json_array_get(event, 2));
    if (!recording_is_word(hash))
        return refuse(builder, "it has no hash");
    TermId id = memory_read(&builder->memory, tensor);
    Term *term = store_at(&builder->store, id);
    bool buffer = term->kind == TERM_STATE && builder->graph->states[term->state].buffer;
    TermInfo *info = &builder->store.infos[id.number];
    if ((!term->known && !term->kept && !buffer) || info->disputed)
        return STATUS_OK;
    if (term->content != NULL && strcmp(term->content, hash) != 0) {
        info->disputed = true;
        term->content = NULL;
    } else {
        term->content = hash;
    }
    return STATUS_OK;
}

static Status take_read(Builder *builder, const json_t *event) {
    uint32_t tensor = 0;
    int64_t call;
    Value value;
    if (read_tensor(builder, event, 4, &tensor) != STATUS_OK ||
        value_decode(builder->arena, json_array_get(event, 2), builder->recording.tensor_count,
                     "recording, what was read", &value, builder->recording.error) != STATUS_OK)
        return STATUS_ERROR;
    int64_t last =
        builder->recording.call_limit < INT32_MAX ? (int64_t)builder->recording.call_limit - 1 : INT32_MAX;
    if (!recording_number(json_array_get(event, 3), -1, last, &call))
        return refuse(builder, "its call is out of range");
    Text text = text_new(builder->arena);
    text_add_value(&text, &value);
    Graph *graph = builder->graph;
    GraphRead *read =
        arena_push(builder->arena, &graph->reads, &graph->read_count, &builder->read_capacity, sizeof *read);
    *read = (GraphRead){memory_read(&builder->memory, tensor), text.data, call < 0 ? NO_CALL : (size_t)call};
    return STATUS_OK;
}

/* The term under views: whose memory an input is. */
static TermKind kind_beneath(const Store *store, TermId id) {
    while (store_at(store, id)->kind == TERM_VIEW)
        id = store_at(store, id)->operands[0];
    return store_at(store, id)->kind;
}

static Status take_input(Builder *builder, const json_t *event) {
    uint32_t tensor = 0;
    if (read_tensor(builder, event, 3, &tensor) != STATUS_OK)
        return STATUS_ERROR;
    const char *path = recording_text(&builder->recording, json_array_get(event, 2));
    if (!builder->in_forward || path == NULL || table_has(builder->paths, path))
        return refuse(builder, "an input has no path of its own, or comes before forward");
    table_put(builder->paths, path, TABLE_PRESENT);
    const Layout *layout = layout_of(builder, tensor);
    TermId term = NO_TERM;
    if (memory_has(&builder->memory, tensor)) {
        term = memory_read(&builder->memory, tensor);
        TermKind kind = kind_beneath(&builder->store, term);
        if (kind != TERM_INPUT && kind != TERM_STATE)
            term = NO_TERM; /* what an earlier call left there */
    }
    if (term.number == UINT32_MAX) {
        Text *text = builder_text(builder);
        text_printf(text, "input %s ", text_printable(builder->arena, path, strlen(path)));
        if (builder->forwards > 1) /* what an earlier call was given is another value */
            text_printf(text, "of call %u ", builder->forwards);
        text_add_shape(text, layout->dtype, layout->shape, layout->rank);
        Term draft = builder_draft(builder, TERM_INPUT, layout);
        draft.key = path;
        term = store_term(&builder->store, &draft, NULL, false);
        memory_write(&builder->memory, tensor, term);
    }
    Graph *graph = builder->graph;
    GraphInput *input = arena_push(builder->arena, &graph->inputs, &graph->input_count,
                                   &builder->input_capacity, sizeof *input);
    *input = (GraphInput){.path = path, .term = term};
    *(Placed *)ARENA_PUSH(builder->arena, &builder->input_tensors) = (Placed){tensor, UINT32_MAX};
    return STATUS_OK;
}

static Status read_keys(Builder *builder, const json_t *json, const char ***keys, size_t *count) {
    *count = json_array_size(json);
    *keys = ARENA_ARRAY(builder->arena, const char *, *count);
    for (size_t i = 0; i < *count; i++) {
        (*keys)[i] = recording_text(&builder->recording, json_array_get(json, i));
        if ((*keys)[i] == NULL || table_has(builder->keys, (*keys)[i]))
            return refuse(builder, "a key is no text, or stands twice");
        table_put(builder->keys, (*keys)[i], TABLE_PRESENT);
    }
    return *count == 0 ? refuse(builder, "it has no key") : STATUS_OK;
}

/* A state that lies in the same memory already, in part; SIZE_MAX: none. */
static size_t overlapped_state(const Builder *builder, uint32_t first, const Tensor *tensor) {
    MAP_ON_STACK(mine);
    MAP_ON_STACK(other);
    map_of_geometry(tensor->layout->shape, tensor->layout->stride, tensor->layout->rank, tensor->offset,
                    &mine);
    size_t steps = 0;
    for (uint32_t at = first; at != UINT32_MAX; at = builder->state_tensors.items[at].next) {
        const Tensor *item = &builder->recording.tensors[builder->state_tensors.items[at].tensor];
        map_of_geometry(item->layout->shape, item->layout->stride, item->layout->rank, item->offset, &other);
        if (steps++ == MOST_STATES_HELD || !map_disjoint(&mine, &other))
            return at;
    }
    return SIZE_MAX;
}

static void tie(Builder *builder, GraphState *state, const char **keys, size_t count) {
    const char **all = ARENA_ARRAY(builder->arena, const char *, state->key_count + count);
    memcpy(all, state->keys, state->key_count * sizeof *all);
    memcpy(all + state->key_count, keys, count * sizeof *all);
    state->keys = all;
    state->key_count += count;
}

static Status take_state(Builder *builder, const json_t *event) {
    uint32_t number = 0;
    const char **keys;
    size_t count;
    if (read_tensor(builder, event, 4, &number) != STATUS_OK)
        return STATUS_ERROR;
    const char *kind = json_string_value(json_array_get(event, 2));
    bool known = kind != NULL && strcmp(kind, "known buffer") == 0;
    bool buffer = known || (kind != NULL && strcmp(kind, "buffer") == 0);
    if (kind == NULL || (!buffer && strcmp(kind, "parameter") != 0))
        return refuse(builder, "a state is neither parameter nor buffer");
    if (read_keys(builder, json_array_get(event, 3), &keys, &count) != STATUS_OK)
        return STATUS_ERROR;
    Memory *memory = &builder->memory;
    Graph *graph = builder->graph;
    const Layout *layout = layout_of(builder, number);
    const TermId initial = memory_read(memory, number);
    const Term *now = store_at(&builder->store, initial);
    if (now->kind == TERM_STATE && layout->count > 0 &&
        now->state < graph->state_count) { /* the same elements once more */
        tie(builder, &graph->states[now->state], keys, count);
        return STATUS_OK;
    }
    const Tensor *tensor = &builder->recording.tensors[number];
    Storage *storage = &memory->items[tensor->storage];
    const size_t overlapped = overlapped_state(builder, storage->last_state, tensor);
    Text *text = builder_text(builder);
    text_printf(text, "%s ", kind);
    text_add_shape(text, layout->dtype, layout->shape, layout->rank);
    Term draft = builder_draft(builder, TERM_STATE, layout);
    draft.key = keys[0];
    draft.state = graph->state_count;
    draft.kept = known;
    TermId term = store_term(&builder->store, &draft, NULL, false);
    const bool changed = /* by forward */
        strcmp(store_at(&builder->store, term)->key, keys[0]) != 0;
    GraphState *state = arena_push(builder->arena, &graph->states, &graph->state_count,
                                   &builder->state_capacity, sizeof *state);
    TermInfo *info = &builder->store.infos[term.number];
    if (initial.number != term.number) /* else nothing was written since the call before */
        info->initial = initial;
    *state = (GraphState){.keys = keys,
                          .key_count = count,
                          .buffer = buffer,
                          .known = known,
                          .initial = info->initial,
                          .overlapped = overlapped,
                          .term = term};
    if (overlapped != SIZE_MAX || changed)
        memory_place(memory, number,
                     store_unknown(&builder->store, layout->dtype, layout->shape, layout->rank));
    else
        memory_write(memory, number, term);
    *(Placed *)ARENA_PUSH(builder->arena, &builder->state_tensors) = (Placed){number, storage->last_state};
    storage->last_state = (uint32_t)(builder->state_tensors.count - 1);
    return STATUS_OK;
}

/* Only the last call of forward is the graph's: those before it are part of what went before. */
static Status take_forward(Builder *builder, const json_t *event) {
    (void)event;
    Graph *graph = builder->graph;
    builder->in_forward = true;
    builder->forwards++;
    builder->draws = 0;
    *graph = (Graph){.trace = graph->trace};
    builder->input_capacity = builder->state_capacity = builder->output_capacity = builder->read_capacity =
        builder->draw_capacity = 0;
    builder->state_tensors.count = builder->input_tensors.count = 0;
    builder->keys = table_new(builder->arena);
    builder->paths = table_new(builder->arena);
    for (size_t i = 0; i < builder->memory.count; i++)
        builder->memory.items[i].last_state = UINT32_MAX;
    return STATUS_OK;
}

static Status take_opaque(Builder *builder, const json_t *event) {
    const char *name = recording_text(&builder->recording, json_array_get(event, 1));
    if (name == NULL)
        return refuse(builder, "what is opaque has no name");
    builder_opaque(builder, name);
    return STATUS_OK;
}

static Status take_event(Builder *builder, const json_t *event) {
    static const struct {
        const char *name;
        Status (*take)(Builder *builder, const json_t *event);
    } EVENTS[] = {{"op", builder_operation},   {"read", take_read},       {"hash", take_hash},
                  {"alias", take_alias},       {"state", take_state},     {"input", take_input},
                  {"constant", take_constant}, {"unknown", take_unknown}, {"forward", take_forward},
                  {"opaque", take_opaque}};
    const char *name = json_string_value(json_array_get(event, 0));
    for (size_t i = 0; name != NULL && i < COUNT_OF(EVENTS); i++)
        if (strcmp(EVENTS[i].name, name) == 0) {
            builder->store.call = NO_CALL;
            builder->store.grad = false;
            return EVENTS[i].take(builder, event);
        }
    return refuse(builder, "it is of no known kind");
}

/* ---- The end ------------------------------------------------------------------------------ */

static void add_output(const char *path, const Value *value, void *context) {
    Builder *builder = context;
    Graph *graph = builder->graph;
    GraphOutput *output = arena_push(builder->arena, &graph->outputs, &graph->output_count,
                                     &builder->output_capacity, sizeof *output);
    *output = (GraphOutput){.path = arena_strdup(builder->arena, path), .term = NO_TERM, .value = value};
    if (value->kind != VALUE_TENSOR)
        return;
    uint32_t tensor = value->tensor.number;
    output->is_tensor = true;
    output->term = memory_read(&builder->memory, tensor);
    output->storage = memory_group(&builder->memory, tensor);
    output->contiguous = layout_is_contiguous(layout_of(builder, tensor));
    output->channels_last = layout_is_channels_last(layout_of(builder, tensor));
}

static void take_outputs(Builder *builder) {
    Value *own = ARENA_ARRAY(builder->arena, Value, 2); /* the recording's are those of the last call */
    own[0] = builder->recording.outputs;
    own[1] = builder->recording.kept;
    const Value *kept = &own[1];
    builder->graph->returned = &own[0];
    builder->graph->kept = kept;
    value_walk(builder->arena, &own[0], "out", add_output, builder);
    for (size_t i = 0; kept->kind == VALUE_DICT && i + 1 < kept->list.count; i += 2) {
        const Value *key = &kept->list.items[i];
        const char *name = key->kind == VALUE_STR
                               ? text_printable_lines(builder->arena, key->text.data, key->text.length)
                               : value_describe(builder->arena, key);
        value_walk(builder->arena, &kept->list.items[i + 1], arena_printf(builder->arena, "kept.%s", name),
                   add_output, builder);
    }
}

static void take_finals(Builder *builder) {
    Graph *graph = builder->graph;
    for (size_t i = 0; i < graph->state_count; i++) {
        uint32_t tensor = builder->state_tensors.items[i].tensor;
        graph->states[i].final = memory_read(&builder->memory, tensor);
        graph->states[i].storage = memory_group(&builder->memory, tensor);
    }
    for (size_t i = 0; i < graph->input_count; i++) {
        uint32_t tensor = builder->input_tensors.items[i].tensor;
        graph->inputs[i].final = memory_read(&builder->memory, tensor);
        graph->inputs[i].storage = memory_group(&builder->memory, tensor);
    }
}

/* Custom Functions are no operators: the trace alone shows them. */
static void add_custom_functions(Builder *builder, const Trace *trace) {
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        if (strcmp(trace_operator(trace, call), "torch.autograd.Function.apply") != 0)
            continue;
        const Value *name = call->arg_count > 0 ? &call->args[0] : NULL;
        builder_opaque(builder, name != NULL && name->kind == VALUE_FUNCTION
                                    ? name->text.data
                                    : "torch.autograd.Function.apply");
    }
}

static Status finish_call(Builder *builder, const GraphCall *call) {
    Graph *graph = builder->graph;
    builder->store.call = NO_CALL;
    if (recording_results(&builder->recording, call->outputs, call->kept) != STATUS_OK)
        return STATUS_ERROR;
    take_outputs(builder);
    take_finals(builder);
    graph->symbolic = builder->recording.symbolic;
    if (graph->trace != NULL)
        add_custom_functions(builder, graph->trace);
    graph->opaque_count = builder->opaque->count;
    graph->opaque = ARENA_ARRAY(builder->arena, const char *, graph->opaque_count);
    for (size_t i = 0; i < graph->opaque_count; i++)
        graph->opaque[i] = builder->opaque->items[i].key;
    return STATUS_OK;
}

static Status take_events(Builder *builder, size_t end) {
    Rows *events = &builder->recording.events;
    for (; builder->number < end && builder->number < events->count; builder->number++) {
        const json_t *event;
        if (builder->store.count >= UINT32_MAX / 2)
            return refuse(builder, "there are too many values");
        if (rows_next(events, &event, builder->recording.error) != STATUS_OK ||
            take_event(builder, event) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

static Status take_calls(Builder *builder, const GraphCall *calls, size_t count, Graph *graphs) {
    for (size_t i = 0; i < count; i++) {
        builder->graph = &graphs[i];
        builder->forwards = calls[i].number;
        if (take_events(builder, calls[i].end) != STATUS_OK ||
            (calls[i].outputs != NULL && finish_call(builder, &calls[i]) != STATUS_OK))
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

static Status build(Builder *builder, GraphLabels *labels, const json_t *recording, Bytes pieces,
                    const GraphCall *calls, size_t count, const Trace *trace, Graph *graphs, Error *error) {
    Arena *scratch = builder->scratch;
    const size_t call_limit = trace == NULL ? SIZE_MAX : trace->call_count;
    if (recording_decode(builder->arena, scratch, recording, pieces, call_limit, &builder->recording,
                         error) != STATUS_OK)
        return STATUS_ERROR;
    store_open(&builder->store, builder->arena, scratch, labels, builder->recording.tensor_count);
    memory_open(&builder->memory, &builder->recording, &builder->store, builder->recording.tensor_count);
    Status status = take_calls(builder, calls, count, graphs);
    rows_close(&builder->recording.events);
    for (size_t i = 0; i < count; i++) {
        graphs[i].terms = builder->store.terms;
        graphs[i].term_count = builder->store.count;
    }
    return status;
}

Status graph_build_calls(Arena *arena, GraphLabels *labels, const json_t *recording, Bytes pieces,
                         const GraphCall *calls, size_t count, const Trace *trace, Graph *graphs,
                         Error *error) {
    for (size_t i = 0; i < count; i++)
        graphs[i] = (Graph){.trace = i == 0 ? trace : NULL};
    Builder *builder = ARENA_NEW(arena, Builder);
    *builder = (Builder){.arena = arena,
                         .scratch = arena_new(),
                         .graph = &graphs[0],
                         .opaque = table_new(arena),
                         .keys = table_new(arena),
                         .paths = table_new(arena)};
    Status status = build(builder, labels, recording, pieces, calls, count, trace, graphs, error);
    arena_free(builder->scratch);
    return status;
}

Status graph_build(Arena *arena, GraphLabels *labels, const json_t *recording, Bytes pieces,
                   const Trace *trace, Graph *graph, Error *error) {
    const GraphCall whole = {.end = SIZE_MAX,
                             .outputs = json_object_get(recording, "outputs"),
                             .kept = json_object_get(recording, "kept")};
    if (whole.outputs == NULL)
        return error_set(error, "recording", "the cell does not keep to the protocol",
                         "its outputs are missing");
    return graph_build_calls(arena, labels, recording, pieces, &whole, 1, trace, graph, error);
}
