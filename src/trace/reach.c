/* What depends on what, over the calls of forward: from the outputs backwards, or from the inputs on. */
#include "trace_parts.h"

#include <string.h>

const char *trace_bare_name(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

bool trace_use_is_metadata(const Trace *trace, const TraceCall *call, size_t position) {
    static const char *const OF_THE_SECOND[] = {"view_as",   "reshape_as", "expand_as", "type_as",
                                                "resize_as", "resize_as_", "to"};
    const char *name = trace_bare_name(trace_operator(trace, call));
    if (position == 0)
        return text_ends(name, "_like") || text_starts(name, "new_");
    if (position != 1)
        return false;
    for (size_t i = 0; i < COUNT_OF(OF_THE_SECOND); i++)
        if (strcmp(name, OF_THE_SECOND[i]) == 0)
            return true;
    return false;
}

typedef struct Live { /* what an output depends on, at the point of time that the walk has come back to */
    bool *tensors, *storages, *calls;
} Live;

static Live live_new(Arena *arena, const Trace *trace) {
    return (Live){ARENA_ARRAY(arena, bool, trace->tensor_count),
                  ARENA_ARRAY(arena, bool, trace->storage_count),
                  ARENA_ARRAY(arena, bool, trace->call_count)};
}

static void live_add(const Trace *trace, Live *live, TensorId tensor) {
    live->tensors[tensor.number] = true;
    live->storages[trace->tensors[tensor.number].storage.number] = true;
}

static bool gives_something_live(const Trace *trace, const Live *live, const TraceCall *call) {
    for (size_t i = 0; i < call->give_count; i++)
        if (live->tensors[call->gives[i].number])
            return true;
    for (size_t i = 0; i < call->written_count; i++)
        if (live->storages[trace->tensors[call->written[i].number].storage.number])
            return true;
    return false;
}

static void walk_back(const Trace *trace, Live *live) {
    for (size_t i = trace->call_count; i-- > trace->forward_start;) {
        const TraceCall *call = &trace->calls[i];
        if (!gives_something_live(trace, live, call))
            continue;
        live->calls[i] = true;
        for (size_t u = 0; u < call->use_count; u++)
            if (!trace_use_is_metadata(trace, call, u))
                live_add(trace, live, call->uses[u]);
    }
}

void trace_mark_live(Arena *arena, Trace *trace) {
    Live live = live_new(arena, trace);
    size_t count;
    TensorId *outputs = value_tensors(arena, &trace->outputs, 1, &count);
    for (size_t i = 0; i < count; i++)
        live_add(trace, &live, outputs[i]);
    walk_back(trace, &live);
    trace->live_tensors = live.tensors;
    trace->live_calls = live.calls;
}

bool trace_reads(const Trace *trace, const char *key) {
    const TraceTensor *tensor = table_get(trace->state, key);
    return tensor != NULL && trace->live_tensors[tensor - trace->tensors];
}

bool *trace_dependent(Arena *arena, const Trace *trace) {
    bool *tensors = ARENA_ARRAY(arena, bool, trace->tensor_count + 1),
         *written = ARENA_ARRAY(arena, bool, trace->storage_count + 1);
    for (size_t t = 0; t < trace->tensor_count; t++)
        tensors[t] = trace->tensors[t].origin != ORIGIN_CALL;
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        bool depends = false;
        for (size_t u = 0; u < call->use_count && !depends; u++) {
            const size_t used = call->uses[u].number;
            depends = (tensors[used] || written[trace->tensors[used].storage.number]) &&
                      !trace_use_is_metadata(trace, call, u);
        }
        for (size_t g = 0; g < call->give_count && depends; g++)
            tensors[call->gives[g].number] = true;
        for (size_t w = 0; w < call->written_count && depends; w++)
            written[trace->tensors[call->written[w].number].storage.number] = true;
    }
    for (size_t t = 0; t < trace->tensor_count; t++)
        tensors[t] = tensors[t] || written[trace->tensors[t].storage.number];
    return tensors;
}

typedef struct UnknownList {
    UnknownOrigin *items;
    size_t count, capacity;
} UnknownList;

size_t trace_unknown_origins(Arena *arena, const Trace *trace, UnknownOrigin **unknown) {
    UnknownList list = {0};
    bool *seen = ARENA_ARRAY(arena, bool, trace->tensor_count);
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        for (size_t u = 0; u < call->use_count; u++) {
            TensorId tensor = call->uses[u];
            if (trace->tensors[tensor.number].origin != ORIGIN_UNKNOWN || seen[tensor.number])
                continue;
            seen[tensor.number] = true;
            *(UnknownOrigin *)ARENA_PUSH(arena, &list) = (UnknownOrigin){tensor, i};
        }
    }
    size_t count;
    TensorId *outputs = value_tensors(arena, &trace->outputs, 1, &count);
    for (size_t i = 0; i < count; i++)
        if (trace->tensors[outputs[i].number].origin == ORIGIN_UNKNOWN && !seen[outputs[i].number]) {
            seen[outputs[i].number] = true;
            *(UnknownOrigin *)ARENA_PUSH(arena, &list) = (UnknownOrigin){outputs[i], SIZE_MAX};
        }
    *unknown = list.items;
    return list.count;
}
