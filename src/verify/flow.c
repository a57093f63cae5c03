/* The shape flow of a trace: stages, what they give, and what they take of one another. */
#include "flow_parts.h"

#include <string.h>

enum { MOST_DEPTH = 32, MOST_SOURCES = 8, MOST_WALKED = 4096 };

const char *flow_kind_name(FlowKind kind) {
    static const char *const NAMES[] = {"input", "stage", "join", "plumbing", "group", "output"};
    return NAMES[kind];
}

/* Which stages a tensor was computed by, or which wrote last to a storage; of the list with this stamp. */
typedef struct Entry {
    Sources sources;
    uint32_t stamp, time;
} Entry;

typedef struct Depth { /* what is known while one list of stages is made */
    Entry *tensors, *storages;
} Depth;

typedef struct Builder {
    Arena *arena;
    const Trace *trace;
    const FlowNames *names;
    bool *data;                         /* by tensor: computed from an input */
    size_t *first_child, *next_sibling; /* of module calls; SIZE_MAX: none */
    Depth depths[MOST_DEPTH];
    bool reached[MOST_WALKED + 1]; /* for one look back */
    uint32_t stamp;
} Builder;

typedef struct List { /* the stages of one module call */
    Builder *builder;
    Depth *depth;
    size_t level; /* 0: the root's */
    uint32_t stamp, time;
    FlowStage *items;
    size_t count, capacity;
    size_t *marks; /* by stage: the stage whose sources it was counted in last, + 1 */
    size_t mark_count, mark_capacity;
} List;

/* ---- Before: what is computed from inputs, and the tree of module calls ------------------------ */

static bool *find_data(Arena *arena, const Trace *trace) {
    bool *data = ARENA_ARRAY(arena, bool, trace->tensor_count + 1);
    bool *storages = ARENA_ARRAY(arena, bool, trace->storage_count + 1);
    for (size_t i = 0; i < trace->tensor_count; i++)
        if (trace->tensors[i].origin == ORIGIN_INPUT)
            data[i] = storages[trace->tensors[i].storage.number] = true;
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        bool any = false;
        for (size_t u = 0; u < call->use_count; u++)
            any |=
                !trace_use_is_metadata(trace, call, u) &&
                (data[call->uses[u].number] || storages[trace->tensors[call->uses[u].number].storage.number]);
        for (size_t g = 0; any && g < call->give_count; g++)
            data[call->gives[g].number] = true;
        for (size_t w = 0; any && w < call->written_count; w++)
            data[call->written[w].number] = storages[trace->tensors[call->written[w].number].storage.number] =
                true;
    }
    return data;
}

static void find_children(Builder *builder) {
    const Trace *trace = builder->trace;
    size_t count = trace->module_call_count;
    size_t *last = ARENA_ARRAY(builder->arena, size_t, count + 1);
    builder->first_child = ARENA_ARRAY(builder->arena, size_t, count + 1);
    builder->next_sibling = ARENA_ARRAY(builder->arena, size_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        builder->first_child[i] = builder->next_sibling[i] = last[i] = SIZE_MAX;
        int64_t parent = trace->module_calls[i].parent;
        if (parent == NO_NUMBER)
            continue;
        if (last[parent] == SIZE_MAX)
            builder->first_child[parent] = i;
        else
            builder->next_sibling[last[parent]] = i;
        last[parent] = i;
    }
}

static Depth *open_depth(Builder *builder, size_t level) {
    Depth *depth = &builder->depths[level];
    if (depth->tensors != NULL)
        return depth;
    const Trace *trace = builder->trace;
    depth->tensors = ARENA_ARRAY(builder->arena, Entry, trace->tensor_count + 1);
    depth->storages = ARENA_ARRAY(builder->arena, Entry, trace->storage_count + 1);
    return depth;
}

/* ---- Sources ----------------------------------------------------------------------------------- */

static Entry *storage_entry(const List *list, TensorId tensor) {
    return &list->depth->storages[list->builder->trace->tensors[tensor.number].storage.number];
}

/* What made the tensor, or what wrote to its memory since, through any view. */
static Sources sources_of(const List *list, TensorId tensor) {
    const Entry *made = &list->depth->tensors[tensor.number], *written = storage_entry(list, tensor);
    bool made_here = made->stamp == list->stamp, written_here = written->stamp == list->stamp;
    if (written_here && (!made_here || written->time >= made->time))
        return written->sources;
    return made_here ? made->sources : (Sources){0};
}

static void set_made(List *list, TensorId tensor, Sources sources) {
    list->depth->tensors[tensor.number] = (Entry){sources, list->stamp, ++list->time};
}

static void set_written(List *list, TensorId tensor, Sources sources) {
    set_made(list, tensor, sources);
    *storage_entry(list, tensor) = list->depth->tensors[tensor.number];
}

/* Adds to the stages that `stage` takes of, once each, and never itself. */
static void take(List *list, FlowStage *stage, size_t number, size_t *capacity, Sources sources) {
    for (size_t i = 0; i < sources.count; i++) {
        size_t source = sources.items[i];
        if (source == number || list->marks[source] == number + 1)
            continue;
        list->marks[source] = number + 1;
        *(size_t *)arena_push(list->builder->arena, (void *)&stage->from, &stage->from_count, capacity,
                              sizeof(size_t)) = source;
    }
}

static void order(FlowStage *stage) { /* few, and nearly in order */
    for (size_t i = 1; i < stage->from_count; i++)
        for (size_t k = i; k > 0 && stage->from[k - 1] > stage->from[k]; k--) {
            size_t other = stage->from[k];
            stage->from[k] = stage->from[k - 1];
            stage->from[k - 1] = other;
        }
}

static FlowStage *add_stage(List *list, FlowKind kind) {
    Arena *arena = list->builder->arena;
    FlowStage *stage = ARENA_PUSH(arena, list);
    arena_push(arena, (void *)&list->marks, &list->mark_count, &list->mark_capacity, sizeof(size_t));
    stage->kind = kind;
    stage->repeat = 1;
    return stage;
}

static Sources one_source(Arena *arena, size_t number) {
    Sources sources = {ARENA_NEW(arena, size_t), 1};
    sources.items[0] = number;
    return sources;
}

/* ---- Facts -------------------------------------------------------------------------------------- */

static void add_fact(Arena *arena, const Trace *trace, TensorFacts *facts, const char *name, TensorId id) {
    const TraceTensor *tensor = &trace->tensors[id.number];
    *(TensorFact *)ARENA_PUSH(arena, facts) =
        (TensorFact){.name = name, .dtype = tensor->dtype, .shape = tensor->shape, .rank = tensor->rank};
}

typedef struct Leaves {
    List *list;
    TensorFacts facts;
    TensorId *ids;
    size_t id_count, id_capacity;
} Leaves;

/* out["logits"][0] -> logits[0]; "out" says nothing. */
static const char *leaf_name(Arena *arena, const char *path) {
    if (!text_starts(path, "out"))
        return arena_strdup(arena, path);
    path += 3;
    if (*path == '\0')
        return NULL;
    if (*path == '.')
        return arena_strdup(arena, path + 1);
    const char *end = text_starts(path, "[\"") ? strstr(path, "\"]") : NULL;
    if (text_starts(path, "['"))
        end = strstr(path, "']");
    if (end != NULL)
        return arena_printf(arena, "%.*s%s", (int)(end - path - 2), path + 2, end + 2);
    return arena_strdup(arena, path);
}

static void visit_leaf(const char *path, const Value *value, void *context) {
    Leaves *leaves = context;
    Arena *arena = leaves->list->builder->arena;
    add_fact(arena, leaves->list->builder->trace, &leaves->facts, leaf_name(arena, path), value->tensor);
    *(TensorId *)arena_push(arena, (void *)&leaves->ids, &leaves->id_count, &leaves->id_capacity,
                            sizeof(TensorId)) = value->tensor;
}

static Leaves leaves_of(List *list, const Value *value, const char *prefix) {
    Leaves leaves = {.list = list};
    value_walk_tensors(list->builder->arena, value, prefix, visit_leaf, &leaves);
    return leaves;
}

/* ---- Calls --------------------------------------------------------------------------------------- */

/* Is one of two values computed from the stage that gave the other? Looks back over a bounded stretch. */
static bool reaches(const List *list, size_t from, size_t target) {
    if (from <= target || from - target > MOST_WALKED)
        return false;
    bool *reached = list->builder->reached;
    memset(reached, 0, from - target + 1);
    reached[from - target] = true;
    for (size_t i = from; i > target; i--)
        for (size_t k = 0; reached[i - target] && k < list->items[i].from_count; k++)
            if (list->items[i].from[k] >= target)
                reached[list->items[i].from[k] - target] = true;
    return reached[0];
}

static bool is_residual(const List *list, const TraceCall *call) {
    Sources first = {0}, second = {0};
    for (size_t u = 0; u < call->use_count; u++) {
        Sources sources = sources_of(list, call->uses[u]);
        if (sources.count == 0)
            continue;
        *(first.count == 0 ? &first : &second) = sources;
    }
    if (first.count == 0 || second.count == 0)
        return false;
    size_t a = first.items[first.count - 1], b = second.items[second.count - 1];
    return reaches(list, a, b) || reaches(list, b, a);
}

static size_t operands_with_sources(const List *list, const TraceCall *call) {
    size_t count = 0;
    for (size_t u = 0; u < call->use_count; u++)
        count += !trace_use_is_metadata(list->builder->trace, call, u) &&
                 sources_of(list, call->uses[u]).count > 0;
    return count;
}

static bool same_shape(const TraceTensor *a, const TraceTensor *b) {
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0;
}

/* Does the call make a stage of its own, and of which kind? */
static bool is_shown(const List *list, const TraceCall *call, FlowKind *kind) {
    const Trace *trace = list->builder->trace;
    const char *name = trace_operator(trace, call);
    bool data = false;
    *kind = FLOW_STAGE;
    for (size_t u = 0; u < call->use_count; u++)
        data |= !trace_use_is_metadata(trace, call, u) && list->builder->data[call->uses[u].number];
    if (!data || call->give_count + call->written_count == 0)
        return false;
    const TraceTensor *taken = &trace->tensors[call->uses[0].number];
    const TraceTensor *given = call->give_count > 0 ? &trace->tensors[call->gives[0].number] : taken;
    switch (operator_class(name)) {
    case OPERATOR_VIEW: *kind = FLOW_PLUMBING; return list->level > 0 && !same_shape(taken, given);
    case OPERATOR_CAST: return !text_equal(taken->dtype, given->dtype);
    case OPERATOR_ASSEMBLY: return !text_equal(trace_bare_name(name), "clone");
    case OPERATOR_MASK:
    case OPERATOR_COMPARISON: return given->floating;
    case OPERATOR_ARITHMETIC:
        if (operands_with_sources(list, call) > 1)
            *kind = FLOW_JOIN;
        return true;
    case OPERATOR_CREATION:
    case OPERATOR_METADATA:
    case OPERATOR_TEST:
    case OPERATOR_READ:
    case OPERATOR_IGNORED: return false;
    default: return true;
    }
}

/* What a call that is no stage gives comes from where its operands come from. */
static void pass_through(List *list, const TraceCall *call) {
    Sources sources = {0};
    for (size_t u = 0; u < call->use_count; u++) {
        if (trace_use_is_metadata(list->builder->trace, call, u))
            continue;
        Sources more = sources_of(list, call->uses[u]);
        if (sources.count == 0) {
            sources = more;
            continue;
        }
        Sources both = {ARENA_ARRAY(list->builder->arena, size_t, MOST_SOURCES + sources.count),
                        sources.count};
        memcpy(both.items, sources.items, sources.count * sizeof(size_t));
        for (size_t i = 0; i < more.count && both.count < MOST_SOURCES; i++) {
            bool there = false;
            for (size_t k = 0; k < both.count; k++)
                there |= both.items[k] == more.items[i];
            if (!there)
                both.items[both.count++] = more.items[i];
        }
        sources = both;
    }
    for (size_t g = 0; g < call->give_count; g++)
        set_made(list, call->gives[g], sources);
    for (size_t w = 0; w < call->written_count; w++)
        set_written(list, call->written[w], sources);
}

static void take_call(List *list, const TraceCall *call) {
    Arena *arena = list->builder->arena;
    const Trace *trace = list->builder->trace;
    FlowKind kind;
    if (!is_shown(list, call, &kind)) {
        pass_through(list, call);
        return;
    }
    bool residual = kind == FLOW_JOIN && is_residual(list, call);
    size_t number = list->count, capacity = 0;
    FlowStage *stage = add_stage(list, kind);
    const char *name = trace_bare_name(operator_canonical(arena, trace_operator(trace, call)));
    stage->name = name;
    stage->label = residual ? arena_printf(arena, "%s (residual)", name) : name;
    for (size_t u = 0; u < call->use_count; u++)
        if (!trace_use_is_metadata(trace, call, u))
            take(list, stage, number, &capacity, sources_of(list, call->uses[u]));
    order(stage);
    Sources own = one_source(arena, number);
    for (size_t g = 0; g < call->give_count; g++) {
        add_fact(arena, trace, &stage->outputs, NULL, call->gives[g]);
        set_made(list, call->gives[g], own);
    }
    for (size_t w = 0; w < call->written_count; w++) {
        if (call->give_count == 0)
            add_fact(arena, trace, &stage->outputs, NULL, call->written[w]);
        set_written(list, call->written[w], own);
    }
    stage->alike = flow_mix_facts(flow_mix_text(11, stage->label), &stage->outputs);
}

/* ---- Modules --------------------------------------------------------------------------------------- */

static void build_list(Builder *builder, size_t module_call, size_t level, List *list);

/* A kernel is not opened: what it is made of is its own. */
static bool stage_is_refactored(const List *list, const FlowStage *stage) {
    const Placement *placement = table_get(list->builder->names->placements, stage->module);
    return placement != NULL && placement->refactored;
}

static void open_module(List *list, size_t module_call, FlowStage *stage) {
    Builder *builder = list->builder;
    const TraceModuleCall *call = &builder->trace->module_calls[module_call];
    bool is_leaf = stage->has_level && stage->level == LEVEL_KERNEL && !stage_is_refactored(list, stage);
    if (list->level + 1 < MOST_DEPTH && call->end - call->first > 1 && !is_leaf) {
        List inside;
        build_list(builder, module_call, list->level + 1, &inside);
        stage->inside = inside.items;
        stage->inside_count = inside.count;
        size_t stages = 0;
        for (size_t i = 0; i < inside.count; i++) {
            stages += inside.items[i].kind != FLOW_INPUT && inside.items[i].kind != FLOW_OUTPUT;
            stage->alike = flow_mix(stage->alike, inside.items[i].alike);
        }
        if (stages < 2)
            stage->inside_count = 0;
    }
    flow_label_module(builder->arena, stage);
}

static void take_module(List *list, size_t module_call) {
    Builder *builder = list->builder;
    const Trace *trace = builder->trace;
    const TraceModuleCall *call = &trace->module_calls[module_call];
    size_t number = list->count, capacity = 0;
    FlowStage made = *add_stage(list, FLOW_STAGE), *stage = &made;
    flow_name_module(builder->arena, trace, builder->names, call->module, stage);
    Leaves positional = leaves_of(list, &call->args, ""), named = leaves_of(list, &call->kwargs, ""),
           given = leaves_of(list, &call->output, "out");
    for (size_t i = 0; i < positional.id_count; i++)
        take(list, stage, number, &capacity, sources_of(list, positional.ids[i]));
    for (size_t i = 0; i < named.id_count; i++)
        take(list, stage, number, &capacity, sources_of(list, named.ids[i]));
    Sources own = one_source(builder->arena, number);
    for (size_t i = call->first; i < call->end; i++) {
        const TraceCall *inner = &trace->calls[i];
        for (size_t u = 0; u < inner->use_count; u++)
            if (!trace_use_is_metadata(trace, inner, u))
                take(list, stage, number, &capacity, sources_of(list, inner->uses[u]));
        for (size_t g = 0; g < inner->give_count; g++)
            set_made(list, inner->gives[g], own);
        for (size_t w = 0; w < inner->written_count; w++)
            set_written(list, inner->written[w], own);
    }
    for (size_t i = 0; i < given.id_count; i++)
        set_made(list, given.ids[i], own);
    order(stage);
    stage->outputs = given.facts;
    stage->alike = flow_mix_facts(stage->alike, &stage->outputs);
    open_module(list, module_call, stage);
    list->items[number] = made;
}

/* ---- A list ---------------------------------------------------------------------------------------- */

/* `given`: what the component calls its arguments, the first of these being number `first`; NULL. */
static size_t add_inputs(List *list, const Value *value, bool named, const TensorFacts *given, size_t first) {
    Arena *arena = list->builder->arena;
    const Trace *trace = list->builder->trace;
    Leaves leaves = leaves_of(list, value, "");
    for (size_t i = 0; i < leaves.id_count; i++) {
        const TraceTensor *tensor = &trace->tensors[leaves.ids[i].number];
        size_t number = list->count;
        if (sources_of(list, leaves.ids[i]).count > 0)
            continue; /* given twice */
        FlowStage *stage = add_stage(list, FLOW_INPUT);
        bool of_the_model = list->level == 0 && tensor->origin == ORIGIN_INPUT;
        stage->name = of_the_model                                ? tensor->keys[0]
                      : given != NULL && first + i < given->count ? given->items[first + i].name
                      : named                                     ? leaves.facts.items[i].name
                                                                  : NULL;
        stage->label = stage->name;
        add_fact(arena, trace, &stage->outputs, stage->name, leaves.ids[i]);
        stage->alike = flow_mix_facts(3, &stage->outputs);
        set_made(list, leaves.ids[i], one_source(arena, number));
    }
    return leaves.id_count;
}

static const TensorFacts *names_of_inputs(const Builder *builder, const TraceModuleCall *call) {
    const Table *placements = builder->names->placements;
    const Placement *placement =
        placements == NULL ? NULL : table_get(placements, builder->trace->modules[call->module].path);
    return placement == NULL ? NULL : &placement->inputs;
}

static void add_outputs(List *list, const Value *value) {
    Arena *arena = list->builder->arena;
    Leaves leaves = leaves_of(list, value, "out");
    for (size_t i = 0; i < leaves.id_count; i++) {
        size_t number = list->count, capacity = 0;
        FlowStage *stage = add_stage(list, FLOW_OUTPUT);
        stage->name = stage->label = leaves.facts.items[i].name;
        add_fact(arena, list->builder->trace, &stage->outputs, stage->name, leaves.ids[i]);
        stage->alike = flow_mix_facts(5, &stage->outputs);
        take(list, stage, number, &capacity, sources_of(list, leaves.ids[i]));
        order(stage);
    }
}

static void build_list(Builder *builder, size_t module_call, size_t level, List *list) {
    const Trace *trace = builder->trace;
    const TraceModuleCall *whole = &trace->module_calls[module_call];
    *list = (List){
        .builder = builder, .depth = open_depth(builder, level), .level = level, .stamp = ++builder->stamp};
    const TensorFacts *names = names_of_inputs(builder, whole);
    size_t positional = add_inputs(list, &whole->args, false, names, 0);
    add_inputs(list, &whole->kwargs, true, names, positional);
    size_t next = whole->first, child = builder->first_child[module_call];
    while (next < whole->end || child != SIZE_MAX) {
        if (child != SIZE_MAX && trace->module_calls[child].first <= next) {
            if (trace->module_calls[child].first >= next) { /* siblings overlap in no honest trace */
                take_module(list, child);
                next = trace->module_calls[child].end;
            }
            child = builder->next_sibling[child];
        } else if (next < whole->end) {
            take_call(list, &trace->calls[next++]);
        } else {
            break;
        }
    }
    add_outputs(list, &whole->output);
    flow_fold(builder->arena, &list->items, &list->count);
}

Flow flow_build(Arena *arena, const char *name, const Trace *trace, const FlowNames *names) {
    Builder builder = {.arena = arena, .trace = trace, .names = names, .data = find_data(arena, trace)};
    Flow flow = {.name = name};
    size_t root = 0;
    while (root < trace->module_call_count && trace->module_calls[root].parent != NO_NUMBER)
        root++;
    if (root == trace->module_call_count)
        return flow;
    find_children(&builder);
    List list;
    build_list(&builder, root, 0, &list);
    flow.stages = list.items;
    flow.stage_count = list.count;
    return flow;
}

Flow flow_of_trace(Arena *arena, const char *name, const Trace *trace, const char *const *files,
                   size_t file_count) {
    const FlowNames names = {.files = files, .file_count = file_count};
    return flow_build(arena, name, trace, &names);
}
