/* How large an integer input may be: the tables that it indexes. */
#include "trace.h"

#include <string.h>

/* Operators that keep every element's value. */
static const char *const KEEPS_VALUES[] = {
    "to",         "long",         "int",        "type",      "type_as",
    "clone",      "detach",       "contiguous", "cpu",       "cuda",
    "view",       "reshape",      "flatten",    "unflatten", "unsqueeze",
    "squeeze",    "expand",       "expand_as",  "view_as",   "reshape_as",
    "transpose",  "permute",      "t",          "movedim",   "__getitem__",
    "select",     "narrow",       "chunk",      "split",     "tensor_split",
    "unbind",     "repeat",       "cat",        "stack",     "flip",
    "roll",       "broadcast_to", "ravel",      "swapaxes",  "index_select",
    "unsqueeze_", "squeeze_",     "transpose_", "clamp_min", "repeat_interleave",
    "__iter__"};

typedef struct Lookup { /* an operator that looks up rows of a table */
    const char *name;
    size_t index_at;
    const char *index_name;
    size_t table_at;
    const char *table_name;
    int dimension_at; /* the argument that names the dimension, or -1 */
    int64_t dimension;
} Lookup;

static const Lookup LOOKUPS[] = {
    {"embedding", 0, "input", 1, "weight", -1, 0},      {"embedding_bag", 0, "input", 1, "weight", -1, 0},
    {"index_select", 2, "index", 0, "input", 1, 0},     {"gather", 2, "index", 0, "input", 1, 0},
    {"take_along_dim", 1, "indices", 0, "input", 2, 0}, {"scatter", 2, "index", 0, "input", 1, 0},
    {"scatter_", 2, "index", 0, "input", 1, 0},         {"scatter_add", 2, "index", 0, "input", 1, 0},
    {"scatter_add_", 2, "index", 0, "input", 1, 0},     {"index_add", 2, "index", 0, "input", 1, 0},
    {"index_add_", 2, "index", 0, "input", 1, 0},       {"cross_entropy", 1, "target", 0, "input", -1, 1},
    {"nll_loss", 1, "target", 0, "input", -1, 1},
};

static bool is_tracked(const bool *tracked, const Value *value) {
    return value != NULL && value->kind == VALUE_TENSOR && tracked[value->tensor.number];
}

static int64_t size_along(const Trace *trace, const Value *table, int64_t dimension) {
    if (table == NULL || table->kind != VALUE_TENSOR)
        return 0;
    const TraceTensor *tensor = &trace->tensors[table->tensor.number];
    if (dimension < 0)
        dimension += (int64_t)tensor->rank;
    return dimension >= 0 && dimension < (int64_t)tensor->rank ? tensor->shape[dimension] : 0;
}

static int64_t lookup_rows(const Trace *trace, const TraceCall *call, const Lookup *lookup,
                           const bool *tracked) {
    if (!is_tracked(tracked, trace_argument(call, lookup->index_at, lookup->index_name)))
        return 0;
    int64_t dimension = lookup->dimension;
    if (lookup->dimension_at >= 0) {
        const Value *given = trace_argument(call, (size_t)lookup->dimension_at, "dim");
        if (given == NULL || given->kind != VALUE_INT)
            return 0;
        dimension = given->integer;
    }
    return size_along(trace, trace_argument(call, lookup->table_at, lookup->table_name), dimension);
}

/* table[index], table[i, index, j:k]: each item takes one dimension. An item after None or ... is left out.
 */
static int64_t indexed_rows(const Trace *trace, const TraceCall *call, const bool *tracked) {
    if (call->arg_count < 2)
        return 0;
    const Value *index = &call->args[1];
    if (is_tracked(tracked, index))
        return size_along(trace, &call->args[0], 0);
    if (index->kind != VALUE_TUPLE)
        return 0;
    int64_t least = 0;
    for (size_t i = 0; i < index->list.count; i++) {
        const Value *item = &index->list.items[i];
        if (item->kind == VALUE_NONE || item->kind == VALUE_ELLIPSIS)
            break;
        int64_t rows = is_tracked(tracked, item) ? size_along(trace, &call->args[0], (int64_t)i) : 0;
        if (rows > 0 && (least == 0 || rows < least))
            least = rows;
    }
    return least;
}

static int64_t rows_of_call(const Trace *trace, const TraceCall *call, const char *name,
                            const bool *tracked) {
    if (strcmp(name, "__getitem__") == 0)
        return indexed_rows(trace, call, tracked);
    if (strcmp(name, "one_hot") == 0) {
        const Value *classes = trace_argument(call, 1, "num_classes");
        return is_tracked(tracked, trace_argument(call, 0, "tensor")) && classes != NULL &&
                       classes->kind == VALUE_INT && classes->integer > 0
                   ? classes->integer
                   : 0;
    }
    for (size_t i = 0; i < COUNT_OF(LOOKUPS); i++)
        if (strcmp(LOOKUPS[i].name, name) == 0)
            return lookup_rows(trace, call, &LOOKUPS[i], tracked);
    return 0;
}

static bool keeps_values(const char *name) {
    for (size_t i = 0; i < COUNT_OF(KEEPS_VALUES); i++)
        if (strcmp(KEEPS_VALUES[i], name) == 0)
            return true;
    return false;
}

/* The class that a loss leaves out, of a call that takes the input for its target; `otherwise`: none. */
static int64_t ignored_of_call(const TraceCall *call, const char *name, const bool *tracked,
                               int64_t otherwise) {
    enum { USUAL = -100 };
    static const char *const losses[] = {"cross_entropy", "nll_loss"};
    const Value *given = trace_argument(call, 4, "ignore_index");
    if (!text_among(name, losses, COUNT_OF(losses)) ||
        !is_tracked(tracked, trace_argument(call, 1, "target")))
        return otherwise;
    return given != NULL && given->kind == VALUE_INT ? given->integer : USUAL;
}

int64_t trace_integer_bound(const Trace *trace, const char *input_path, int64_t *ignored) {
    Arena *arena = arena_new();
    bool *tracked = ARENA_ARRAY(arena, bool, trace->tensor_count);
    for (size_t i = 0; i < trace->tensor_count; i++)
        tracked[i] =
            trace->tensors[i].origin == ORIGIN_INPUT && strcmp(trace->tensors[i].keys[0], input_path) == 0;
    int64_t least = 0;
    *ignored = 0;
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        bool uses = false;
        for (size_t u = 0; u < call->use_count && !uses; u++)
            uses = tracked[call->uses[u].number];
        if (!uses)
            continue;
        const char *name = trace_bare_name(trace_operator(trace, call));
        int64_t rows = rows_of_call(trace, call, name, tracked);
        if (rows > 0 && (least == 0 || rows < least))
            least = rows;
        *ignored = ignored_of_call(call, name, tracked, *ignored);
        if (keeps_values(name) && tracked[call->uses[0].number])
            for (size_t g = 0; g < call->give_count; g++)
                tracked[call->gives[g].number] = true;
    }
    arena_free(arena);
    return least;
}
