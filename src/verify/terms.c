/* Terms: whether two traces apply the same operators, with the same constants, to the same values, whatever
 * order they do it in. What is spelled differently may count as different, never the reverse. */
#include "step_state.h"
#include "verify_internal.h"

#include <stdlib.h>
#include <string.h>

/* One number for each term, by its text: the same number on both sides means the same term. */
typedef struct Terms {
    Arena *arena;
    Table *numbers; /* text -> const size_t * */
} Terms;

/* One side. A tensor is a window on a root: the tensor whose memory it views. */
typedef struct Walk {
    Terms *terms;
    const Trace *trace;
    const Assignment *assignment;
    bool is_candidate;
    size_t *roots, *contents; /* by tensor; contents: of a root, at the point of time reached */
    struct {
        size_t *items; /* terms of the calls with a constant that decide an output */
        size_t count, capacity;
    } decided;
} Walk;

static size_t term_of(Terms *terms, const char *text) {
    const size_t *known = table_get(terms->numbers, text);
    if (known != NULL)
        return *known;
    size_t *number = ARENA_NEW(terms->arena, size_t);
    *number = terms->numbers->count + 1;
    table_put(terms->numbers, text, number);
    return *number;
}

/* ---- Where values begin ------------------------------------------------------------------- */
/* The original key whose value a parameter or buffer has, or NULL where that is not one whole original. */
static const char *original_key(const Walk *walk, const char *key) {
    const StateDict *originals = walk->assignment->original, *own = originals;
    if (walk->is_candidate)
        own = walk->assignment->candidate;
    const StateEntry *entry = table_get(own->by_key, key);
    if (entry == NULL)
        return NULL;
    if (!walk->is_candidate)
        return originals->items[entry->tie].key;
    const Assigned *assigned = &walk->assignment->items[entry - own->items];
    if (assigned->count != 1 || assigned->items[0].kind != PIECE_WHOLE || assigned->items[0].transpose)
        return NULL;
    return originals->items[originals->items[assigned->items[0].original].tie].key;
}

static size_t first_content(const Walk *walk, size_t number) {
    Arena *arena = walk->terms->arena;
    const TraceTensor *tensor = &walk->trace->tensors[number];
    const char *key = NULL;
    if (tensor->origin == ORIGIN_INPUT)
        return term_of(walk->terms, arena_printf(arena, "input %s", tensor->keys[0]));
    if (tensor->origin == ORIGIN_PARAMETER || tensor->origin == ORIGIN_BUFFER)
        key = original_key(walk, tensor->keys[0]);
    if (key != NULL)
        return term_of(walk->terms, arena_printf(arena, "state %s", key));
    return term_of(walk->terms, arena_printf(arena, "%s %zu", walk->is_candidate ? "its" : "their", number));
}

static bool same_layout(const TraceTensor *a, const TraceTensor *b) {
    return a->offset == b->offset && a->rank == b->rank && strcmp(a->dtype, b->dtype) == 0 &&
           memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0 &&
           memcmp(a->stride, b->stride, a->rank * sizeof *a->stride) == 0;
}

static void print_layout(Text *text, const TraceTensor *tensor, const TraceTensor *root) {
    text_printf(text, " %s at %lld", tensor->dtype, (long long)(tensor->offset - root->offset));
    for (size_t i = 0; i < tensor->rank; i++)
        text_printf(text, " %lld/%lld", (long long)tensor->shape[i], (long long)tensor->stride[i]);
}

static size_t value_term(const Walk *walk, TensorId id) {
    size_t root = walk->roots[id.number];
    const TraceTensor *tensors = walk->trace->tensors;
    if (same_layout(&tensors[id.number], &tensors[root]))
        return walk->contents[root];
    Text text = text_new(walk->terms->arena);
    text_printf(&text, "part of %zu", walk->contents[root]);
    print_layout(&text, &tensors[id.number], &tensors[root]);
    return term_of(walk->terms, text.data);
}

/* ---- Calls -------------------------------------------------------------------------------- */
typedef struct Constants { /* of a call, as they are printed */
    Text *text;
    bool any; /* one that can be spelled in one way only */
} Constants;

static void print_constant(const char *path, const Value *value, void *context) {
    Constants *constants = context;
    constants->any |= is_definite(value);
    switch (value->kind) {
    case VALUE_FLOAT: text_printf(constants->text, " %s=%a", path, value->real); break;
    case VALUE_INT:
    case VALUE_BOOL: text_printf(constants->text, " %s=%lld", path, (long long)value->integer); break;
    case VALUE_STR: text_printf(constants->text, " %s='%s'", path, value->text.data); break;
    default: break;
    }
}

static int compare_sizes(const void *a, const void *b) {
    const size_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Operators that give what they are given, in another shape, dtype or place. */
static bool only_moves(OperatorClass class, const char *name) {
    return class == OPERATOR_VIEW || class == OPERATOR_CAST || strcmp(name, "clone") == 0;
}

static size_t call_term(const Walk *walk, const TraceCall *call, bool *has_constant) {
    Arena *arena = walk->terms->arena;
    const char *operator= trace_operator(walk->trace, call), *name = operator_canonical(arena, operator);
    Text text = text_new(arena);
    Constants constants = {.text = &text};
    if (only_moves(operator_class(operator), name)) {
        text_printf(&text, "moved");
    } else {
        text_printf(&text, "%s", name);
        for (size_t i = 0; i < call->arg_count; i++)
            value_walk(arena, &call->args[i], arena_printf(arena, "%zu", i), print_constant, &constants);
        for (size_t i = 0; i < call->kwarg_count; i++)
            if (strcmp(call->names[i], "inplace") != 0)
                value_walk(arena, &call->kwargs[i], call->names[i], print_constant, &constants);
    }
    *has_constant = constants.any;
    size_t *uses = ARENA_ARRAY(arena, size_t, call->use_count + 1);
    for (size_t u = 0; u < call->use_count; u++)
        uses[u] = value_term(walk, call->uses[u]);
    bool commutes = strcmp(name, "mul") == 0 || (strcmp(name, "add") == 0 && call->kwarg_count == 0);
    if (commutes)
        qsort(uses, call->use_count, sizeof *uses, compare_sizes);
    for (size_t u = 0; u < call->use_count; u++)
        text_printf(&text, " (%zu)", uses[u]);
    return term_of(walk->terms, text.data);
}

static void give(Walk *walk, const TraceCall *call, size_t term) {
    const TraceTensor *tensors = walk->trace->tensors;
    for (size_t w = 0; w < call->written_count; w++) {
        size_t written = call->written[w].number, root = walk->roots[written];
        Text text = text_new(walk->terms->arena);
        text_printf(&text, "written %zu by %zu",
                    same_layout(&tensors[written], &tensors[root]) ? 0 : walk->contents[root], term);
        print_layout(&text, &tensors[written], &tensors[root]);
        walk->contents[root] = call->written_count == 1 && same_layout(&tensors[written], &tensors[root])
                                   ? term
                                   : term_of(walk->terms, text.data);
    }
    for (size_t g = 0; g < call->give_count; g++) {
        size_t given = call->gives[g].number;
        const TensorId *source = NULL;
        for (size_t u = 0; u < call->use_count && source == NULL; u++)
            if (tensors[call->uses[u].number].storage.number == tensors[given].storage.number)
                source = &call->uses[u];
        if (source != NULL) {
            walk->roots[given] = walk->roots[source->number];
            continue;
        }
        Text text = text_new(walk->terms->arena);
        text_printf(&text, "result %zu of %zu", g, term);
        print_layout(&text, &tensors[given], &tensors[given]);
        walk->roots[given] = given;
        walk->contents[given] = term_of(walk->terms, text.data);
    }
}

static void collect(Walk *walk) {
    const Trace *trace = walk->trace;
    walk->roots = ARENA_ARRAY(walk->terms->arena, size_t, trace->tensor_count);
    walk->contents = ARENA_ARRAY(walk->terms->arena, size_t, trace->tensor_count);
    for (size_t t = 0; t < trace->tensor_count; t++) {
        walk->roots[t] = t;
        walk->contents[t] = first_content(walk, t);
    }
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        bool has_constant;
        size_t term = call_term(walk, &trace->calls[i], &has_constant);
        if (has_constant && trace->live_calls[i])
            *(size_t *)ARENA_PUSH(walk->terms->arena, &walk->decided) = term;
        give(walk, &trace->calls[i], term);
    }
    if (walk->decided.count > 0)
        qsort(walk->decided.items, walk->decided.count, sizeof *walk->decided.items, compare_sizes);
}

bool same_terms(const Trace *original, const Trace *candidate, const Assignment *assignment) {
    Arena *arena = arena_new();
    Terms terms = {arena, table_new(arena)};
    Walk theirs = {.terms = &terms, .trace = original, .assignment = assignment};
    Walk ours = {.terms = &terms, .trace = candidate, .assignment = assignment, .is_candidate = true};
    collect(&theirs);
    collect(&ours);
    bool same = theirs.decided.count == ours.decided.count && theirs.decided.count > 0 &&
                memcmp(theirs.decided.items, ours.decided.items,
                       ours.decided.count * sizeof *ours.decided.items) == 0;
    arena_free(arena);
    return same;
}
