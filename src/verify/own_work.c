/* Does a kernel do, at a place of the recomposed model, what it does with its own inputs: the same calls of
 * torch, with the same constants, on tensors of the same shapes and dtypes? What a parent sets or hands over
 * is seen so, however it does that. */
#include "check_parts.h"

#include <string.h>

typedef struct Sides { /* a call at the place, and the kernel's own one */
    Arena *arena;
    const Trace *trace, *own;
} Sides;

static TensorFact fact_of(const Trace *trace, const Value *value) {
    const TraceTensor *tensor = &trace->tensors[value->tensor.number];
    return (TensorFact){.dtype = tensor->dtype, .shape = tensor->shape, .rank = tensor->rank};
}

static bool same_tensor(const TensorFact *a, const TensorFact *b) {
    return text_equal(a->dtype, b->dtype) && a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

/* Tensors have other numbers in each trace, and modules other paths. */
static bool same_value(const Sides *sides, const Value *there, const Value *own) {
    if (there->kind != own->kind)
        return false;
    if (there->kind == VALUE_TENSOR) {
        const TensorFact a = fact_of(sides->trace, there), b = fact_of(sides->own, own);
        return same_tensor(&a, &b);
    }
    if (!value_is_container(there))
        return there->kind == VALUE_MODULE || value_equal(there, own);
    bool same = there->list.count == own->list.count;
    for (size_t i = 0; same && i < there->list.count; i++)
        same = same_value(sides, &there->list.items[i], &own->list.items[i]);
    return same;
}

/* "approximate='tanh' at blocks.0.act in the recomposed model, and 'none' with its own inputs" */
static const char *tell(const Sides *sides, const char *name, const Value *there, const Value *own,
                        const char *module) {
    const char *texts[2];
    value_describe_both(sides->arena, there, own, texts);
    if (there->kind == VALUE_TENSOR && own->kind == VALUE_TENSOR) {
        const TensorFact a = fact_of(sides->trace, there), b = fact_of(sides->own, own);
        texts[0] = tensor_fact_describe(sides->arena, &a);
        texts[1] = tensor_fact_describe(sides->arena, &b);
    }
    return arena_printf(sides->arena, "%s%s at %s in the recomposed model, and %s with its own inputs", name,
                        texts[0], module, texts[1]);
}

/* The first argument that differs, in words; NULL: none. */
static const char *argument_difference(const Sides *sides, const TraceCall *there, const TraceCall *own,
                                       const char *module) {
    if (there->arg_count != own->arg_count || there->kwarg_count != own->kwarg_count)
        return arena_printf(sides->arena, "other arguments at %s in the recomposed model", module);
    for (size_t i = 0; i < there->arg_count; i++)
        if (!same_value(sides, &there->args[i], &own->args[i]))
            return tell(sides, "", &there->args[i], &own->args[i], module);
    for (size_t i = 0; i < there->kwarg_count; i++) {
        const char *name = arena_printf(sides->arena, "%s=", there->names[i]);
        if (!text_equal(there->names[i], own->names[i]) ||
            !same_value(sides, &there->kwargs[i], &own->kwargs[i]))
            return tell(sides, name, &there->kwargs[i], &own->kwargs[i], module);
    }
    return NULL;
}

/* A call whose result an output needs at one of the two alone is another operation. */
bool own_calls(const Trace *trace, const TraceModuleCall *within, const Trace *own) {
    if (within->end - within->first != own->call_count - own->forward_start)
        return false;
    for (size_t i = within->first; i < within->end; i++) {
        const size_t other = own->forward_start + i - within->first;
        if (!text_equal(trace_operator(trace, &trace->calls[i]), trace_operator(own, &own->calls[other])) ||
            trace->live_calls[i] != own->live_calls[other])
            return false;
    }
    return true;
}

const char *own_work_difference(Arena *arena, const Trace *trace, const TraceModuleCall *within,
                                const Trace *own) {
    const Sides sides = {arena, trace, own};
    const char *module = trace->modules[within->module].path;
    if (!own_calls(trace, within, own))
        return arena_printf(arena, "at %s in the recomposed model it makes other calls of torch", module);
    for (size_t i = within->first; i < within->end; i++) {
        const TraceCall *there = &trace->calls[i],
                        *mine = &own->calls[own->forward_start + i - within->first];
        const char *what = argument_difference(&sides, there, mine, module);
        if (what != NULL)
            return arena_printf(arena, "%s is given %s", trace_bare_name(trace_operator(trace, there)), what);
    }
    return NULL;
}
