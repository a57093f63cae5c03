/* Straight lines. Values are the calls that made them; past these the storages of inputs, and the tensors
 * that were made before the stretch. A kernel is a semantic operator that computes; everything else passes
 * its operands on. */
#include "straight.h"

#include <string.h>

enum { MOST_STEPS = 50000000 }; /* of all walks: a fusion is small */

/* What one value is made of. Marks are of this walk if they are its number, so that nothing is cleared. */
typedef struct Reached {
    uint32_t walk;
    uint32_t *plain, *computed; /* by value: reached without passing a kernel; past at least one */
    size_t *stack, *met;        /* `met`: the values with a plain mark of this walk */
    size_t height, met_count, steps;
} Reached;

struct StraightLines {
    Arena *arena;
    const Trace *trace;
    const SemanticOperators *operators;
    bool *kernel;       /* by call */
    bool *folded;       /* by call: inside an operator of several calls */
    size_t **producers; /* by call, one for each use: a call, or `first_input` + a storage */
    size_t first_input, first_given, value_count;
    size_t first; /* of the stretch */
    Reached near, far;
};

/* ---- Values ------------------------------------------------------------------------------------------ */

static size_t producer_now(const StraightLines *lines, const size_t *made, const size_t *written,
                           TensorId tensor) {
    const TraceTensor *of = &lines->trace->tensors[tensor.number];
    size_t by = made[tensor.number], write = written[of->storage.number];
    size_t latest = by > write ? by : write; /* both are call + 1, or 0 */
    if (latest > 0)
        return latest - 1;
    return of->origin == ORIGIN_INPUT ? lines->first_input + of->storage.number : SIZE_MAX;
}

/* By time: who made what a call takes, at the moment that it takes it. */
static void find_producers(StraightLines *lines) {
    const Trace *trace = lines->trace;
    Arena *arena = lines->arena;
    size_t *made = ARENA_ARRAY(arena, size_t, trace->tensor_count + 1);
    size_t *written = ARENA_ARRAY(arena, size_t, trace->storage_count + 1);
    lines->producers = ARENA_ARRAY(arena, size_t *, trace->call_count + 1);
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        lines->producers[i] = ARENA_ARRAY(arena, size_t, call->use_count + 1);
        for (size_t u = 0; u < call->use_count; u++)
            lines->producers[i][u] = trace_use_is_metadata(trace, call, u)
                                         ? SIZE_MAX
                                         : producer_now(lines, made, written, call->uses[u]);
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

/* What a call takes; SIZE_MAX: nothing that was computed. */
static size_t value_taken(const StraightLines *lines, size_t call, size_t use) {
    size_t by = lines->producers[call][use];
    return by < lines->first ? lines->first_given + lines->trace->calls[call].uses[use].number : by;
}

static Reached reached_new(const StraightLines *lines) {
    Arena *arena = lines->arena;
    return (Reached){.plain = ARENA_ARRAY(arena, uint32_t, lines->value_count + 1),
                     .computed = ARENA_ARRAY(arena, uint32_t, lines->value_count + 1),
                     .met = ARENA_ARRAY(arena, size_t, lines->value_count + 1),
                     .stack = ARENA_ARRAY(arena, size_t, 2 * lines->value_count + 2)};
}

static void reach(Reached *reached, size_t value, bool computed) {
    uint32_t *marks = computed ? reached->computed : reached->plain;
    reached->steps++;
    if (value == SIZE_MAX || marks[value] == reached->walk)
        return;
    marks[value] = reached->walk;
    reached->stack[reached->height++] = 2 * value + computed;
    if (!computed)
        reached->met[reached->met_count++] = value;
}

static void walk_back(const StraightLines *lines, size_t value, bool through_kernels, Reached *reached) {
    reached->walk++;
    reached->met_count = 0;
    reach(reached, value, false);
    while (reached->height > 0) {
        size_t item = reached->stack[--reached->height], at = item / 2;
        bool computed = item % 2 == 1;
        if (at >= lines->first_input || (lines->kernel[at] && !through_kernels))
            continue;
        for (size_t u = 0; u < lines->trace->calls[at].use_count; u++)
            reach(reached, value_taken(lines, at, u), computed || lines->kernel[at]);
    }
}

/* ---- Joins ------------------------------------------------------------------------------------------- */

static const char *operator_of(const StraightLines *lines, size_t call) {
    return operator_canonical(lines->arena, trace_operator(lines->trace, &lines->trace->calls[call]));
}

/* A product that is added to the first operand: what meets within the product joins nothing. */
static bool adds_product(const StraightLines *lines, size_t call) {
    static const char *const names[] = {"addmm", "addmv", "addr", "addbmm", "baddbmm"};
    const char *name = operator_of(lines, call);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal(name, names[i]))
            return true;
    return false;
}

static bool joins(const StraightLines *lines, size_t call) {
    static const char *const names[] = {
        "add",           "sub",       "lerp",           "addcmul", "addcdiv",      "cat",
        "stack",         "hstack",    "vstack",         "dstack",  "column_stack", "__setitem__",
        "slice_scatter", "index_add", "select_scatter", "copy",    "scatter_add"};
    const char *name = operator_of(lines, call);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal(name, names[i]))
            return !lines->folded[call];
    return adds_product(lines, call);
}

/* Names of the kernels that lie between, as far as a sentence holds them. */
static const char *between(const StraightLines *lines) {
    enum { MOST_NAMED = 3 };
    const Reached *near = &lines->near, *far = &lines->far;
    Text text = text_new(lines->arena);
    size_t named = 0;
    for (size_t i = 0; i < lines->operators->count; i++) {
        const SemanticOperator *operator= & lines->operators->items[i];
        size_t call = operator->call;
        bool behind = far->plain[call] == far->walk || far->computed[call] == far->walk;
        if (!operator->live || operator->kind != SEMANTIC_COMPUTE || !behind ||
             near->plain[call] == near->walk)
            continue;
        if (++named <= MOST_NAMED)
            text_printf(&text, "%s%s", named > 1 ? ", " : "",
                        text_printable(lines->arena, operator->name, strlen(operator->name)));
    }
    if (named > MOST_NAMED)
        text_printf(&text, " and %zu more", named - MOST_NAMED);
    return named == 0 ? "a kernel" : text.data;
}

static void tell_join(const StraightLines *lines, size_t call, TensorId joined, Join *join) {
    const TraceTensor *tensor = &lines->trace->tensors[joined.number];
    const char *name = trace_bare_name(operator_of(lines, call));
    const char *what = tensor->origin == ORIGIN_INPUT
                           ? text_printable(lines->arena, tensor->keys[0], strlen(tensor->keys[0]))
                           : "a value";
    *join =
        (Join){call, arena_printf(lines->arena,
                                  "%s joins %s with what %s computed from it: a residual, not a "
                                  "straight line",
                                  text_printable(lines->arena, name, strlen(name)), what, between(lines))};
}

/* Does `call` join a value with one that a kernel computed from it? */
static bool find_join(StraightLines *lines, size_t call, Join *join) {
    const TraceCall *joining = &lines->trace->calls[call];
    const bool product = adds_product(lines, call);
    Reached *near = &lines->near, *far = &lines->far;
    for (size_t b = 0; b < joining->use_count; b++) {
        if (value_taken(lines, call, b) == SIZE_MAX)
            continue;
        walk_back(lines, value_taken(lines, call, b), true, far);
        for (size_t a = 0; a < joining->use_count; a++) {
            if (a == b || value_taken(lines, call, a) == SIZE_MAX || (product && a != 0 && b != 0))
                continue;
            walk_back(lines, value_taken(lines, call, a), false, near);
            for (size_t i = 0; i < near->met_count; i++)
                if (far->computed[near->met[i]] == far->walk) {
                    tell_join(lines, call, joining->uses[a], join);
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

/* ---- All --------------------------------------------------------------------------------------------- */

StraightLines *straight_lines_new(Arena *arena, const Trace *trace, const SemanticOperators *operators) {
    StraightLines *lines = ARENA_ARRAY(arena, StraightLines, 1);
    *lines = (StraightLines){.arena = arena,
                             .trace = trace,
                             .operators = operators,
                             .kernel = ARENA_ARRAY(arena, bool, trace->call_count + 1),
                             .folded = ARENA_ARRAY(arena, bool, trace->call_count + 1),
                             .first_input = trace->call_count,
                             .first_given = trace->call_count + trace->storage_count,
                             .value_count = trace->call_count + trace->storage_count + trace->tensor_count};
    for (size_t i = 0; i < operators->count; i++) {
        const SemanticOperator *operator= & operators->items[i];
        for (size_t c = 0; operator->live && c<operator->call_count; c++) {
            lines->kernel[operator->calls[c]] =
                operator->kind == SEMANTIC_COMPUTE && !is_reduction(operator->name);
            lines->folded[operator->calls[c]] = operator->call_count > 1;
        }
    }
    find_producers(lines);
    lines->near = reached_new(lines);
    lines->far = reached_new(lines);
    return lines;
}

bool straight_line_breaks(StraightLines *lines, size_t first, size_t end, Join *join) {
    lines->first = first;
    lines->near.steps = lines->far.steps = 0;
    for (size_t i = first; i < end; i++) {
        if (lines->trace->live_calls[i] && joins(lines, i) && find_join(lines, i, join))
            return true;
        if (lines->near.steps + lines->far.steps >= MOST_STEPS) {
            *join = (Join){SIZE_MAX,
                           "it is too large to be a fusion: whether it is a straight line can't be told"};
            return true;
        }
    }
    return false;
}
