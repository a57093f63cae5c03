/* What a level claims: a kernel is one operation, a fusion a straight line, a layer and a model several. */
#include "component_parts.h"

#include <string.h>

typedef struct Levels {
    Arena *arena;
    const ComponentResult *component;
    const Trace *trace;
    const SemanticOperator **live; /* those that an output depends on */
    size_t count;
} Levels;

static Place place_of_call(const Levels *levels, size_t call) {
    const TraceCall *made = &levels->trace->calls[call];
    const ComponentResult *component = levels->component;
    if (made->file < 0 || (size_t)made->file >= component->file_count)
        return (Place){.file = component->file_count > 0 ? component->files[0] : component->file};
    return (Place){.file = component->files[made->file], .line = made->line};
}

static Place place_of_file(const Levels *levels) {
    const ComponentResult *component = levels->component;
    return (Place){.file = component->file_count > 0 ? component->files[0] : component->file};
}

/* "matmul (attention.py:12), softmax (attention.py:13) and 2 more" */
static const char *list_operators(const Levels *levels) {
    enum { MOST_LISTED = 6 };
    Text text = text_new(levels->arena);
    for (size_t i = 0; i < levels->count && i < MOST_LISTED; i++) {
        const SemanticOperator *operator= levels->live[i];
        Place place = place_of_call(levels, operator->call);
        text_printf(&text, "%s%s (%s:%d)", i > 0 ? ", " : "",
                    text_printable(levels->arena, operator->name, strlen(operator->name)),
                    path_name(place.file), place.line);
    }
    if (levels->count > MOST_LISTED)
        text_printf(&text, " and %zu more", levels->count - MOST_LISTED);
    return text.data;
}

/* Work that no call shows: a scripted function, a custom Function. */
static const char *hidden_work(const Levels *levels) {
    const Graph *graph = &levels->component->graph;
    if (graph->opaque_count > 0)
        return graph->opaque[0];
    const bool *live = graph_live_terms(levels->arena, graph);
    for (size_t i = 0; i < graph->term_count; i++) {
        const Term *term = &graph->terms[i];
        if (live[i] && term->kind == TERM_OPERATOR && !term->known && term->call == SIZE_MAX)
            return term->operator;
    }
    return NULL;
}

/* ---- Kernels ---------------------------------------------------------------------------------------- */

static void check_kernel(const Levels *levels, Findings *findings) {
    const Rule *rule = project_rule("level.kernel");
    const char *hidden = hidden_work(levels);
    if (hidden != NULL) {
        findings_add(findings, rule, SEVERITY_VIOLATION, place_of_file(levels),
                     "%s is done where no call of torch shows it, so that one operation can't be told",
                     text_printable(levels->arena, hidden, strlen(hidden)));
    } else if (levels->count > 1) {
        findings_add(findings, rule, SEVERITY_VIOLATION, place_of_call(levels, levels->live[0]->call),
                     "a kernel is one operation, and this is %zu: %s", levels->count, list_operators(levels));
    } else if (levels->count == 0 && levels->component->graph.read_count > 0) {
        findings_add(findings, rule, SEVERITY_VIOLATION, place_of_file(levels),
                     "it reads data into Python, so that what it computes can't be told");
    } else if (levels->count == 0) {
        findings_add(findings, rule, SEVERITY_NOTE, place_of_file(levels),
                     "it computes nothing: it only moves elements, which needs no kernel");
    } else if (text_equal(levels->live[0]->name, "multi_head_attention")) {
        findings_add(findings, rule, SEVERITY_VIOLATION, place_of_call(levels, levels->live[0]->call),
                     "multi-head attention is several operations: projections, and attention between them");
    }
}

/* ---- Fusions ------------------------------------------------------------------------------------------
 * Values are the calls that made them, and past the calls the storages of inputs. A kernel is a semantic
 * operator that computes; everything else passes its operands on. */

typedef struct Line {
    const Levels *levels;
    const bool *kernel; /* by call */
    const bool *folded; /* by call: inside an operator of several calls */
    size_t **producers; /* by call, one for each use: a call, or `first_input` + a storage */
    size_t first_input, value_count;
} Line;

static size_t producer_now(const Line *line, const size_t *made, const size_t *written, TensorId tensor) {
    const TraceTensor *of = &line->levels->trace->tensors[tensor.number];
    size_t by = made[tensor.number], write = written[of->storage.number];
    size_t latest = by > write ? by : write; /* both are call + 1, or 0 */
    if (latest > 0)
        return latest - 1;
    return of->origin == ORIGIN_INPUT ? line->first_input + of->storage.number : SIZE_MAX;
}

/* By time: who made what a call takes, at the moment that it takes it. */
static void find_producers(Line *line) {
    const Trace *trace = line->levels->trace;
    Arena *arena = line->levels->arena;
    size_t *made = ARENA_ARRAY(arena, size_t, trace->tensor_count + 1);
    size_t *written = ARENA_ARRAY(arena, size_t, trace->storage_count + 1);
    line->first_input = trace->call_count;
    line->value_count = trace->call_count + trace->storage_count;
    line->producers = ARENA_ARRAY(arena, size_t *, trace->call_count + 1);
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        line->producers[i] = ARENA_ARRAY(arena, size_t, call->use_count + 1);
        for (size_t u = 0; u < call->use_count; u++)
            line->producers[i][u] = trace_use_is_metadata(trace, call, u)
                                        ? SIZE_MAX
                                        : producer_now(line, made, written, call->uses[u]);
        for (size_t g = 0; g < call->give_count; g++) {
            uint32_t tensor = call->gives[g].number;
            bool passed_on = false; /* y = x.float() may give x itself */
            for (size_t u = 0; u < call->use_count; u++)
                passed_on = passed_on || call->uses[u].number == tensor;
            if (!passed_on)
                made[tensor] = i + 1;
        }
        for (size_t w = 0; w < call->written_count; w++)
            written[trace->tensors[call->written[w].number].storage.number] = i + 1;
    }
}

enum { MOST_STEPS = 50000000 }; /* of all walks: a fusion is small */

/* What one value is made of. Marks are of this walk if they are its number, so that nothing is cleared. */
typedef struct Reached {
    uint32_t walk;
    uint32_t *plain, *computed; /* by value: reached without passing a kernel; past at least one */
    size_t *stack;
    size_t height, steps;
} Reached;

static Reached reached_new(const Line *line) {
    Arena *arena = line->levels->arena;
    return (Reached){.plain = ARENA_ARRAY(arena, uint32_t, line->value_count + 1),
                     .computed = ARENA_ARRAY(arena, uint32_t, line->value_count + 1),
                     .stack = ARENA_ARRAY(arena, size_t, 2 * line->value_count + 2)};
}

static void reach(Reached *reached, size_t value, bool computed) {
    uint32_t *marks = computed ? reached->computed : reached->plain;
    reached->steps++;
    if (value == SIZE_MAX || marks[value] == reached->walk)
        return;
    marks[value] = reached->walk;
    reached->stack[reached->height++] = 2 * value + computed;
}

static void walk_back(const Line *line, size_t value, bool through_kernels, Reached *reached) {
    const Trace *trace = line->levels->trace;
    reached->walk++;
    reach(reached, value, false);
    while (reached->height > 0) {
        size_t item = reached->stack[--reached->height], at = item / 2;
        bool computed = item % 2 == 1;
        if (at >= line->first_input || (line->kernel[at] && !through_kernels))
            continue;
        for (size_t u = 0; u < trace->calls[at].use_count; u++)
            reach(reached, line->producers[at][u], computed || line->kernel[at]);
    }
}

/* A product that is added to the first operand: what meets within the product joins nothing. */
static bool adds_product(const Line *line, size_t call) {
    static const char *const names[] = {"addmm", "addmv", "addr", "addbmm", "baddbmm"};
    const Levels *levels = line->levels;
    const char *name =
        operator_canonical(levels->arena, trace_operator(levels->trace, &levels->trace->calls[call]));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal(name, names[i]))
            return true;
    return false;
}

static bool joins(const Line *line, size_t call) {
    static const char *const names[] = {
        "add",           "sub",       "lerp",           "addcmul", "addcdiv",      "cat",
        "stack",         "hstack",    "vstack",         "dstack",  "column_stack", "__setitem__",
        "slice_scatter", "index_add", "select_scatter", "copy",    "scatter_add"};
    const Levels *levels = line->levels;
    const char *name =
        operator_canonical(levels->arena, trace_operator(levels->trace, &levels->trace->calls[call]));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal(name, names[i]))
            return !line->folded[call];
    return adds_product(line, call);
}

/* Names of the kernels that lie between, as far as a sentence holds them. */
static const char *between(const Line *line, const Reached *near, const Reached *far) {
    enum { MOST_NAMED = 3 };
    const Levels *levels = line->levels;
    Text text = text_new(levels->arena);
    size_t named = 0;
    for (size_t i = 0; i < levels->count; i++) {
        const SemanticOperator *operator= levels->live[i];
        size_t call = operator->call;
        bool behind = far->plain[call] == far->walk || far->computed[call] == far->walk;
        if (operator->kind != SEMANTIC_COMPUTE || !behind || near->plain[call] == near->walk)
            continue;
        if (++named <= MOST_NAMED)
            text_printf(&text, "%s%s", named > 1 ? ", " : "",
                        text_printable(levels->arena, operator->name, strlen(operator->name)));
    }
    if (named > MOST_NAMED)
        text_printf(&text, " and %zu more", named - MOST_NAMED);
    return named == 0 ? "a kernel" : text.data;
}

static void tell_join(const Line *line, size_t call, TensorId joined, const Reached *near, const Reached *far,
                      Findings *findings) {
    const Levels *levels = line->levels;
    const TraceTensor *tensor = &levels->trace->tensors[joined.number];
    const char *name = trace_bare_name(
        operator_canonical(levels->arena, trace_operator(levels->trace, &levels->trace->calls[call])));
    const char *what = tensor->origin == ORIGIN_INPUT
                           ? text_printable(levels->arena, tensor->keys[0], strlen(tensor->keys[0]))
                           : "a value";
    Finding *finding =
        findings_add(findings, project_rule("level.fusion"), SEVERITY_VIOLATION, place_of_call(levels, call),
                     "%s joins %s with what %s computed from it: a residual, not a straight line",
                     text_printable(levels->arena, name, strlen(name)), what, between(line, near, far));
    finding->instead = "keep residuals in the layer";
}

/* Does `call` join a value with one that a kernel computed from it? Says so. */
static bool find_join(const Line *line, size_t call, Reached *near, Reached *far, Findings *findings) {
    const TraceCall *joining = &line->levels->trace->calls[call];
    const bool product = adds_product(line, call);
    for (size_t b = 0; b < joining->use_count; b++) {
        if (line->producers[call][b] == SIZE_MAX)
            continue;
        walk_back(line, line->producers[call][b], true, far);
        for (size_t a = 0; a < joining->use_count; a++) {
            if (a == b || line->producers[call][a] == SIZE_MAX || (product && a != 0 && b != 0))
                continue;
            walk_back(line, line->producers[call][a], false, near);
            near->steps += line->value_count;
            for (size_t value = 0; value < line->value_count && near->steps < MOST_STEPS; value++) {
                if (near->plain[value] != near->walk || far->computed[value] != far->walk)
                    continue;
                tell_join(line, call, joining->uses[a], near, far, findings);
                return true;
            }
            if (near->steps + far->steps >= MOST_STEPS)
                return false;
        }
    }
    return false;
}

/* Of a whole dimension, put back beside what it was made of: part of a norm that no pattern knows. */
static bool is_reduction(const char *name) {
    static const char *const names[] = {
        "mean", "sum",         "var",       "std",      "amax",     "amin",   "max",    "min",
        "norm", "vector_norm", "logsumexp", "var_mean", "std_mean", "argmax", "argmin", "prod"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal(name, names[i]))
            return true;
    return false;
}

static void check_straight(const Levels *levels, Findings *findings) {
    const Trace *trace = levels->trace;
    bool *kernel = ARENA_ARRAY(levels->arena, bool, trace->call_count + 1);
    bool *folded = ARENA_ARRAY(levels->arena, bool, trace->call_count + 1);
    for (size_t i = 0; i < levels->count; i++) {
        const SemanticOperator *operator= levels->live[i];
        for (size_t c = 0; c < operator->call_count; c++) {
            kernel[operator->calls[c]] =
                operator->kind == SEMANTIC_COMPUTE && !is_reduction(operator->name);
            folded[operator->calls[c]] = operator->call_count > 1;
        }
    }
    Line line = {.levels = levels, .kernel = kernel, .folded = folded};
    find_producers(&line);
    Reached near = reached_new(&line), far = reached_new(&line);
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        if (trace->live_calls[i] && joins(&line, i) && find_join(&line, i, &near, &far, findings))
            return;
        if (near.steps + far.steps >= MOST_STEPS) {
            findings_add(findings, project_rule("level.fusion"), SEVERITY_VIOLATION, place_of_file(levels),
                         "it is too large to be a fusion: whether it is a straight line can't be told");
            return;
        }
    }
}

/* ---- All ------------------------------------------------------------------------------------------------
 */

static void check_several(const Levels *levels, const char *rule, Findings *findings) {
    if (levels->count == 1)
        findings_add(findings, project_rule("level.misclassified"), SEVERITY_VIOLATION,
                     place_of_call(levels, levels->live[0]->call),
                     "misclassified: it is one operation, %s: a kernel",
                     text_printable(levels->arena, levels->live[0]->name, strlen(levels->live[0]->name)));
    else if (levels->count == 0)
        findings_add(findings, project_rule(rule), SEVERITY_NOTE, place_of_file(levels),
                     "it computes nothing: it only moves elements");
}

static void check_layer(const Levels *levels, Findings *findings) {
    enum { FEWEST = 5, MOST = 15 };
    check_several(levels, "level.layer", findings);
    if (levels->count > 1 && (levels->count < FEWEST || levels->count > MOST))
        findings_add(findings, project_rule("level.layer"), SEVERITY_NOTE, place_of_file(levels),
                     "it has %zu operations; the guide says 5 to 15", levels->count);
}

void level_check(Arena *arena, const ComponentResult *component, const Patterns *patterns,
                 Findings *findings) {
    (void)patterns; /* component->operators are folded by them */
    if (!component->recorded || !component->has_level)
        return;
    Levels levels = {.arena = arena,
                     .component = component,
                     .trace = &component->trace,
                     .live = ARENA_ARRAY(arena, const SemanticOperator *, component->operators.count + 1)};
    for (size_t i = 0; i < component->operators.count; i++)
        if (component->operators.items[i].live)
            levels.live[levels.count++] = &component->operators.items[i];
    switch (component->level) {
    case LEVEL_KERNEL:
        check_kernel(&levels, findings);
        kernel_name_check(arena, component, findings);
        break;
    case LEVEL_FUSION:
        check_several(&levels, "level.fusion", findings);
        check_straight(&levels, findings);
        break;
    case LEVEL_LAYER: check_layer(&levels, findings); break;
    case LEVEL_MODEL: check_several(&levels, "level.model", findings); break;
    case LEVEL_COUNT: break;
    }
}
