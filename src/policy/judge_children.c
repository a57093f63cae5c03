/* Children: what they are handed and give back, what reaches them by the side, what they are there for. */
#include "judge_parts.h"

#include <string.h>

enum { NOBODY = -1 }; /* a tensor that refactored.py holds */

typedef struct Holding { /* whose a tensor is while the walk goes on: a module call's, or NOBODY's */
    int64_t *storages;
    size_t *states; /* by storage: a parameter or buffer that lies in it, or SIZE_MAX */
} Holding;

static const char *path_of(const Judge *judge, const TraceModuleCall *call) {
    const char *path = judge->trace->modules[call->module].path;
    return text_printable(judge->findings->arena, path, strlen(path));
}

static Finding *report_call(Judge *judge, const Rule *rule, Severity severity, const TraceModuleCall *call,
                            const char *what) {
    Finding *finding = judge_report(judge, rule, severity, call->file, call->line, NULL, "%s", what);
    finding->where = path_of(judge, call);
    return finding;
}

/* ---- What is handed over, and what comes back (SOUNDNESS 20) ------------------------------ */

typedef struct Handing {
    Judge *judge;
    const TraceModuleCall *call;
    bool back; /* the output, not the arguments */
} Handing;

static bool is_plain_object(const Value *value) {
    static const char *const PLAIN[] = {"SimpleNamespace", "types.SimpleNamespace", "torch.Generator"};
    for (size_t i = 0; i < COUNT_OF(PLAIN); i++)
        if (strcmp(value->text.data, PLAIN[i]) == 0)
            return true;
    return false;
}

static void judge_handed_tensor(Handing *handing, const Value *value, const char *path) {
    Judge *judge = handing->judge;
    const TraceTensor *tensor = &judge->trace->tensors[value->tensor.number];
    uint16_t marks = flow_marks(&judge->flow, value->tensor);
    if (handing->back)
        return;
    if (tensor->origin == ORIGIN_PARAMETER)
        report_call(judge, &RULE_OP_CHILD_PARAMETER, SEVERITY_VIOLATION, handing->call,
                    arena_printf(judge->arena, "%s is handed to %s (%s)",
                                 text_printable(judge->arena, tensor->keys[0], strlen(tensor->keys[0])),
                                 path_of(judge, handing->call), path));
    if ((marks & KNOWN_COMPUTED) != 0) {
        size_t maker = judge->flow.computed_by[tensor->storage.number];
        const TraceCall *made = &judge->trace->calls[maker];
        judge_report(judge, &RULE_OP_KNOWN_FLOAT, SEVERITY_VIOLATION, made->file, made->line, made,
                     "%s computes a floating table that is handed to %s",
                     flow_operator(&judge->flow, maker)->shown, path_of(judge, handing->call));
    }
    if ((judge->flow.tensor_marks[value->tensor.number] & ONLY_TESTED) != 0)
        report_call(judge, &RULE_OP_COMPUTE, SEVERITY_VIOLATION, handing->call,
                    arena_printf(judge->arena, "any or all of data is handed to %s: it is compute",
                                 path_of(judge, handing->call)));
}

static void judge_handed_value(const char *path, const Value *value, void *context) {
    Handing *handing = context;
    Judge *judge = handing->judge;
    bool odd = value->kind == VALUE_FUNCTION || value->kind == VALUE_MODULE ||
               (value->kind == VALUE_OTHER && !is_plain_object(value));
    if (value->kind == VALUE_TENSOR)
        judge_handed_tensor(handing, value, path);
    if (odd)
        report_call(judge, handing->back ? &RULE_CHILD_RETURNS : &RULE_CHILD_HANDED, SEVERITY_VIOLATION,
                    handing->call,
                    arena_printf(judge->arena, "%s %s %s (%s)", path_of(judge, handing->call),
                                 handing->back ? "gives back" : "is handed",
                                 value_describe(judge->arena, value), path));
}

static void judge_handing(Judge *judge, const TraceModuleCall *call, bool back) {
    Handing handing = {judge, call, back};
    if (back) {
        value_walk(judge->arena, &call->output, "output", judge_handed_value, &handing);
        return;
    }
    value_walk(judge->arena, &call->args, "args", judge_handed_value, &handing);
    value_walk(judge->arena, &call->kwargs, "kwargs", judge_handed_value, &handing);
}

/* ---- Side channels (SOUNDNESS 21) --------------------------------------------------------- */

typedef struct Passing {
    Judge *judge;
    Holding *holding;
    int64_t to;
} Passing;

static void pass_tensor(const char *path, const Value *value, void *context) {
    (void)path;
    const Passing *passing = context;
    passing->holding->storages[passing->judge->trace->tensors[value->tensor.number].storage.number] =
        passing->to;
}

static void pass(Judge *judge, Holding *holding, const Value *value, int64_t to) {
    Passing passing = {judge, holding, to};
    value_walk_tensors(judge->arena, value, "", pass_tensor, &passing);
}

/* The parameter or buffer whose memory a tensor is, a view of it included; NULL: none. */
static const TraceTensor *state_behind(const Judge *judge, const Holding *holding,
                                       const TraceTensor *tensor) {
    size_t number = holding->states[tensor->storage.number];
    return number == SIZE_MAX ? NULL : &judge->trace->tensors[number];
}

static bool is_own_state(const Judge *judge, const TraceTensor *tensor, int64_t child) {
    const char *path = judge->trace->modules[judge->trace->module_calls[child].module].path;
    for (size_t k = 0; k < tensor->key_count; k++)
        if (judge_key_is_inside(tensor->keys[k], path))
            return true;
    return false;
}

static void judge_access(Judge *judge, const Holding *holding, size_t index, TensorId used) {
    const TraceCall *call = &judge->trace->calls[index];
    const TraceTensor *tensor = &judge->trace->tensors[used.number];
    int64_t child = judge_child_of(judge, index), holder = holding->storages[tensor->storage.number];
    uint16_t marks = judge->flow.storage_marks[tensor->storage.number];
    const TraceTensor *state = state_behind(judge, holding, tensor);
    if ((marks & DATA) == 0 || holder == child || judge->flow.classes[index] == OPERATOR_METADATA ||
        tensor->origin == ORIGIN_UNKNOWN || (marks & (DATA & ~STALE)) == 0)
        return;
    if (child != NO_NUMBER) {
        if (state != NULL && is_own_state(judge, state, child))
            return;
        judge_report(judge, &RULE_CHILD_SIDE_CHANNEL, SEVERITY_VIOLATION, call->file, call->line, call,
                     "%s uses a tensor that was not passed to this call of %s",
                     flow_operator(&judge->flow, index)->shown,
                     path_of(judge, &judge->trace->module_calls[child]));
    } else if (state == NULL) {
        judge_report(judge, &RULE_CHILD_SIDE_CHANNEL, SEVERITY_VIOLATION, call->file, call->line, call,
                     "%s uses a tensor that %s made and did not return",
                     flow_operator(&judge->flow, index)->shown,
                     path_of(judge, &judge->trace->module_calls[holder]));
    }
}

/* A child gives back what it was passed, what it made, and views of its own state. */
static void judge_giving_back(const char *path, const Value *value, void *context) {
    (void)path;
    const Passing *passing = context;
    Judge *judge = passing->judge;
    const TraceTensor *tensor = &judge->trace->tensors[value->tensor.number];
    const TraceTensor *state = state_behind(judge, passing->holding, tensor);
    int64_t holder = passing->holding->storages[tensor->storage.number];
    if (holder == passing->to || tensor->origin != ORIGIN_CALL ||
        tensor->made_by < judge->trace->forward_start ||
        (judge->flow.storage_marks[tensor->storage.number] & DATA & ~STALE) == 0 ||
        (state != NULL && is_own_state(judge, state, passing->to)))
        return;
    const TraceModuleCall *call = &judge->trace->module_calls[passing->to];
    report_call(judge, &RULE_CHILD_SIDE_CHANNEL, SEVERITY_VIOLATION, call,
                arena_printf(judge->arena,
                             "%s gives back a tensor that was not passed to this call and not made in it",
                             path_of(judge, call)));
}

static void judge_call_access(Judge *judge, Holding *holding, size_t index) {
    const Trace *trace = judge->trace;
    const TraceCall *call = &trace->calls[index];
    for (size_t u = 0; u < call->use_count; u++)
        if (flow_uses_value(&judge->flow, call, u))
            judge_access(judge, holding, index, call->uses[u]);
    for (size_t g = 0; g < call->give_count; g++) {
        uint32_t storage = trace->tensors[call->gives[g].number].storage.number;
        bool fresh = true;
        for (size_t u = 0; u < call->use_count && fresh; u++)
            fresh = trace->tensors[call->uses[u].number].storage.number != storage;
        if (fresh)
            holding->storages[storage] = judge_child_of(judge, index);
    }
}

/* Walks forward once more, handing tensors into and out of the children's calls. */
static void judge_passing(Judge *judge) {
    const Trace *trace = judge->trace;
    Holding holding = {ARENA_ARRAY(judge->arena, int64_t, trace->storage_count),
                       ARENA_ARRAY(judge->arena, size_t, trace->storage_count)};
    for (size_t s = 0; s < trace->storage_count; s++) {
        holding.storages[s] = NOBODY;
        holding.states[s] = SIZE_MAX;
    }
    for (size_t t = 0; t < trace->tensor_count; t++)
        if (trace->tensors[t].origin == ORIGIN_PARAMETER || trace->tensors[t].origin == ORIGIN_BUFFER)
            holding.states[trace->tensors[t].storage.number] = t;
    int64_t open = NO_NUMBER;
    size_t next = 0;
    for (size_t i = trace->forward_start; i <= trace->call_count; i++) {
        for (;;) {
            if (open != NO_NUMBER && trace->module_calls[open].end <= i) {
                const TraceModuleCall *call = &trace->module_calls[open];
                Passing passing = {judge, &holding, open};
                value_walk_tensors(judge->arena, &call->output, "", judge_giving_back, &passing);
                pass(judge, &holding, &call->args, NOBODY);
                pass(judge, &holding, &call->kwargs, NOBODY);
                pass(judge, &holding, &call->output, NOBODY);
                open = NO_NUMBER;
            }
            while (next < trace->module_call_count &&
                   (trace->module_calls[next].first < trace->forward_start ||
                    judge->outer_child[next] != (int64_t)next))
                next++;
            if (open != NO_NUMBER || next == trace->module_call_count || trace->module_calls[next].first > i)
                break;
            open = (int64_t)next++;
            pass(judge, &holding, &trace->module_calls[open].args, open);
            pass(judge, &holding, &trace->module_calls[open].kwargs, open);
        }
        if (i < trace->call_count)
            judge_call_access(judge, &holding, i);
    }
}

/* ---- What children are there for (SOUNDNESS 23) ------------------------------------------- */

typedef struct Returned {
    const Trace *trace;
    bool any, live;
} Returned;

static void note_tensor(const char *path, const Value *value, void *context) {
    (void)path;
    Returned *returned = context;
    returned->any = true;
    returned->live = returned->live || returned->trace->live_tensors[value->tensor.number];
}

/* Does a call of a child reach an output, or leave something behind in a buffer? */
static bool call_reaches(Judge *judge, const TraceModuleCall *call) {
    const Trace *trace = judge->trace;
    for (size_t i = call->first; i < call->end; i++) {
        if (trace->live_calls[i])
            return true;
        for (size_t w = 0; w < trace->calls[i].written_count; w++)
            if (trace->tensors[trace->calls[i].written[w].number].origin != ORIGIN_CALL)
                return true;
    }
    Returned returned = {trace, false, false};
    value_walk_tensors(judge->arena, &call->output, "", note_tensor, &returned);
    return returned.live || (!returned.any && call->output.kind != VALUE_NONE);
}

/* Has the original a module call whose every call is in vain? */
static bool original_has_dead_call(const Trace *original) {
    for (size_t m = 0; m < original->module_call_count; m++) {
        const TraceModuleCall *call = &original->module_calls[m];
        bool live = call->first == call->end || call->first < original->forward_start;
        for (size_t i = call->first; i < call->end && !live; i++)
            live = original->live_calls[i];
        if (!live)
            return true;
    }
    return false;
}

static void judge_dead_calls(Judge *judge) {
    const Trace *trace = judge->trace;
    bool excused = original_has_dead_call(judge->original);
    for (size_t m = 0; m < trace->module_call_count; m++) {
        const TraceModuleCall *call = &trace->module_calls[m];
        if (judge->outer_child[m] == (int64_t)m && call->first >= trace->forward_start &&
            !call_reaches(judge, call))
            report_call(
                judge, &RULE_STEP_DEAD_CHILD, excused ? SEVERITY_NOTE : SEVERITY_VIOLATION, call,
                arena_printf(judge->arena, "no output depends on this call of %s", path_of(judge, call)));
    }
}

/* Which modules no call of forward enters: neither they nor what lies inside them, and no output depends on
 * their parameters. */
static bool *unreached_modules(Arena *arena, const Trace *trace) {
    Table *reached = table_new(arena);
    bool *entered = ARENA_ARRAY(arena, bool, trace->module_count);
    for (size_t m = 0; m < trace->module_call_count; m++) {
        if (entered[trace->module_calls[m].module])
            continue;
        entered[trace->module_calls[m].module] = true;
        char *path = arena_strdup(arena, trace->modules[trace->module_calls[m].module].path);
        for (char *dot = path + strlen(path); dot != NULL && !table_has(reached, path);
             dot = strrchr(path, '.')) {
            *dot = '\0';
            table_put(reached, path, TABLE_PRESENT);
        }
    }
    for (size_t i = 0; i < trace->state->count; i++) {
        if (!trace_reads(trace, trace->state->items[i].key))
            continue;
        char *path = arena_strdup(arena, trace->state->items[i].key);
        for (char *dot = strrchr(path, '.'); dot != NULL; dot = strrchr(path, '.')) {
            *dot = '\0';
            table_put(reached, path, TABLE_PRESENT);
        }
    }
    bool *unreached = ARENA_ARRAY(arena, bool, trace->module_count);
    for (size_t m = 0; m < trace->module_count; m++)
        unreached[m] = *trace->modules[m].path != '\0' && *trace->modules[m].path != '?' &&
                       !table_has(reached, trace->modules[m].path);
    return unreached;
}

/* Containers are never called themselves: an empty one is no unreached part. */
static bool is_container(const TraceModule *module) {
    static const char *const NAMES[] = {"ModuleList", "ModuleDict", "ParameterList", "ParameterDict"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (strcmp(module->class, NAMES[i]) == 0)
            return true;
    return false;
}

static void judge_unused_children(Judge *judge) {
    const bool *of_original = unreached_modules(judge->arena, judge->original);
    for (size_t m = 0; m < judge->original->module_count; m++)
        if (of_original[m] && !is_container(&judge->original->modules[m]))
            return;
    const Trace *trace = judge->trace;
    const bool *unreached = unreached_modules(judge->arena, trace);
    Table *insides = table_new(judge->arena);
    for (size_t m = 0; m < trace->module_count; m++)
        if (judge->module_inside[m])
            table_put(insides, trace->modules[m].path, TABLE_PRESENT);
    for (size_t m = 0; m < trace->module_count; m++) {
        const TraceModule *module = &trace->modules[m];
        char *parent = arena_strdup(judge->arena, module->path), *dot = strrchr(parent, '.');
        *(dot == NULL ? parent : dot) = '\0';
        if (!judge->module_inside[m] || !unreached[m] || table_has(insides, parent))
            continue; /* only the outermost are refactored.py's affair */
        const char *path = text_printable(judge->findings->arena, module->path, strlen(module->path));
        Finding *finding = judge_report(judge, &RULE_STEP_UNUSED_CHILD, SEVERITY_VIOLATION, 0, 0, NULL,
                                        "no call reaches the child %s", path);
        finding->where = path;
    }
}

/* Is everything that the original computes one semantic operation, written out? */
static bool is_one_operation(const Flow *flow, size_t *compute_count) {
    static const char *const PATTERNS[][6] = {/* the first of each must be there */
                                              {"mean", "rsqrt", "sqrt", "var", "std", "pow"},
                                              {"exp", "max", "amax", "sum", NULL, NULL},
                                              {"tanh", "pow", NULL, NULL, NULL, NULL},
                                              {"sin", "cos", "outer", "einsum", "matmul", "pow"},
                                              {"norm", "clamp", "clamp_min", NULL, NULL, NULL}};
    const Trace *trace = flow->trace;
    uint32_t fits = (1U << COUNT_OF(PATTERNS)) - 1, started = 0;
    *compute_count = 0;
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        if (!flow_computes(flow, i))
            continue;
        ++*compute_count;
        for (size_t p = 0; p < COUNT_OF(PATTERNS); p++) {
            size_t n = 0;
            while (n < COUNT_OF(PATTERNS[p]) &&
                   !text_equal(PATTERNS[p][n], flow_operator(flow, i)->canonical))
                n++;
            if (n == COUNT_OF(PATTERNS[p]))
                fits &= ~(1U << p);
            else if (n == 0)
                started |= 1U << p;
        }
    }
    return *compute_count <= 1 || (fits & started) != 0;
}

static void count_up(Table *table, const char *key) {
    table_put(table, key, (void *)((uintptr_t)table_get(table, key) + 1));
}

/* Does one call of a child compute all that the original computes, operator by operator? */
static bool covers(const Judge *judge, size_t module_call, const Table *of_original) {
    Table *here = table_new(judge->arena);
    for (size_t i = judge->trace->module_calls[module_call].first;
         i < judge->trace->module_calls[module_call].end; i++)
        if (flow_computes(&judge->flow, i))
            count_up(here, flow_operator(&judge->flow, i)->canonical);
    for (size_t n = 0; n < of_original->count; n++)
        if ((uintptr_t)table_get(here, of_original->items[n].key) < (uintptr_t)of_original->items[n].value)
            return false;
    return true;
}

/* Is one instance the only child that computes, and does it compute different things in its calls? Then they
 * are parts of one child (SOUNDNESS 22). */
static int64_t whole_in_parts(Judge *judge) {
    const Trace *trace = judge->trace;
    int64_t first = NO_NUMBER;
    Table *first_names = NULL;
    bool differ = false;
    for (size_t m = 0; m < trace->module_call_count; m++) {
        if (judge->outer_child[m] != (int64_t)m || trace->module_calls[m].first < trace->forward_start)
            continue;
        Table *names = table_new(judge->arena);
        for (size_t i = trace->module_calls[m].first; i < trace->module_calls[m].end; i++)
            if (flow_computes(&judge->flow, i))
                count_up(names, flow_operator(&judge->flow, i)->canonical);
        if (names->count == 0)
            continue;
        if (first == NO_NUMBER) {
            first = (int64_t)m;
            first_names = names;
        }
        if (trace->module_calls[m].module != trace->module_calls[first].module)
            return NO_NUMBER;
        differ = differ || names->count != first_names->count;
        for (size_t n = 0; n < names->count; n++)
            differ = differ || table_get(first_names, names->items[n].key) != names->items[n].value;
    }
    return differ ? first : NO_NUMBER;
}

/* Compute of the candidate by the outermost child's call that it lies in. */
static void judge_division(Judge *judge) {
    const Trace *trace = judge->trace;
    size_t original_count, total = 0, largest = 0, calls = 0;
    int64_t largest_call = NO_NUMBER;
    bool one_operation = is_one_operation(&judge->original_flow, &original_count);
    const int64_t parts = whole_in_parts(judge);
    size_t *counts = ARENA_ARRAY(judge->arena, size_t, trace->module_call_count);
    Table *of_original = table_new(judge->arena);
    for (size_t i = judge->original->forward_start; i < judge->original->call_count; i++)
        if (flow_computes(&judge->original_flow, i))
            count_up(of_original, flow_operator(&judge->original_flow, i)->canonical);
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        calls += judge->flow.by_child[i];
        if (!flow_computes(&judge->flow, i))
            continue;
        total++;
        int64_t child = judge_child_of(judge, i);
        if (child != NO_NUMBER && ++counts[child] > largest) {
            largest = counts[child];
            largest_call = child;
        }
    }
    for (size_t m = 0; m < trace->module_call_count; m++)
        calls += judge->outer_child[m] == (int64_t)m && trace->module_calls[m].first >= trace->forward_start;
    if (calls == 0)
        judge_report(judge, &RULE_STEP_NO_CHILD, SEVERITY_VIOLATION, 0, 0, NULL, "forward calls no child");
    else if (!one_operation && largest_call != NO_NUMBER &&
             (largest == total || covers(judge, (size_t)largest_call, of_original)))
        report_call(judge, &RULE_STEP_ONE_CHILD, SEVERITY_VIOLATION, &trace->module_calls[largest_call],
                    arena_printf(judge->arena,
                                 "all that the original computes lies in this call of %s; the original "
                                 "computes by %zu operators",
                                 path_of(judge, &trace->module_calls[largest_call]), original_count));
    else if (!one_operation && parts != NO_NUMBER)
        report_call(judge, &RULE_STEP_ONE_CHILD, SEVERITY_VIOLATION, &trace->module_calls[parts],
                    arena_printf(judge->arena,
                                 "%s is the only child that computes, and other things in each of its calls",
                                 path_of(judge, &trace->module_calls[parts])));
}

/* Modules of torch that stand outside every child: containers, and those that only view or assemble. */
static void judge_modules(Judge *judge) {
    static const char *const ALLOWED[] = {"ModuleList", "ModuleDict", "Sequential", "Identity",  "Flatten",
                                          "Unflatten",  "ZeroPad1d",  "ZeroPad2d",  "ZeroPad3d", "Module"};
    const Trace *trace = judge->trace;
    for (size_t m = 0; m < trace->module_count; m++) {
        const TraceModule *module = &trace->modules[m];
        bool allowed = judge->module_inside[m] || module->file >= 0 ||
                       *module->path == '?'; /* not of the model: its calls are judged */
        for (size_t i = 0; i < COUNT_OF(ALLOWED); i++)
            allowed = allowed || strcmp(module->class, ALLOWED[i]) == 0;
        if (allowed)
            continue;
        const char *path = text_printable(judge->findings->arena, module->path, strlen(module->path));
        judge_report(judge, &RULE_INIT_MODULE, SEVERITY_VIOLATION, 0, 0, NULL,
                     "%s is a %s, built outside a child", path,
                     text_printable(judge->arena, module->class, strnlen(module->class, 80)))
            ->where = path;
    }
}

/* ---- Outputs ------------------------------------------------------------------------------ */

static void judge_output(const char *path, const Value *value, void *context) {
    Judge *judge = context;
    const TraceTensor *tensor = &judge->trace->tensors[value->tensor.number];
    size_t maker = judge->flow.computed_by[tensor->storage.number];
    if ((flow_marks(&judge->flow, value->tensor) & KNOWN_COMPUTED) != 0) {
        const TraceCall *made = &judge->trace->calls[maker];
        judge_report(judge, &RULE_OP_KNOWN_FLOAT, SEVERITY_VIOLATION, made->file, made->line, made,
                     "%s computes a floating table that forward returns (%s)",
                     flow_operator(&judge->flow, maker)->shown, path);
    }
    if ((judge->flow.tensor_marks[value->tensor.number] & ONLY_TESTED) != 0)
        judge_report(judge, &RULE_OP_COMPUTE, SEVERITY_VIOLATION, 0, 0, NULL,
                     "forward returns any or all of data (%s): it is compute", path);
}

void judge_children(Judge *judge) {
    const Trace *trace = judge->trace;
    for (size_t m = 0; m < trace->module_call_count; m++)
        if (judge->outer_child[m] == (int64_t)m && trace->module_calls[m].first >= trace->forward_start) {
            judge_handing(judge, &trace->module_calls[m], false);
            judge_handing(judge, &trace->module_calls[m], true);
        }
    value_walk_tensors(judge->arena, &trace->outputs, "out", judge_output, judge);
    judge_modules(judge);
    judge_passing(judge);
    judge_dead_calls(judge);
    judge_unused_children(judge);
    judge_division(judge);
}
