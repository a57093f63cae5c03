/* Calls of torch's own names: modules, initialisation, utilities; what is none of these is an operator. */
#include "flow.h"

#include <string.h>

static bool begins_with_one_of(const char *name, const char *const *prefixes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (text_starts(name, prefixes[i]))
            return true;
    return false;
}

static bool is_utility(const char *name) {
    static const char *const EXACT[] = {
        "no_grad",
        "enable_grad",
        "inference_mode",
        "set_grad_enabled",
        "autocast",
        "is_tensor",
        "finfo",
        "iinfo",
        "Size",
        "device",
        "Generator",
        "manual_seed",
        "get_default_dtype",
        "broadcast_shapes",
        "promote_types",
        "result_type",
        "can_cast",
        "is_grad_enabled",
        "is_autocast_enabled",
        "_assert",
        "typename",
        "is_inference_mode_enabled",
        "get_default_device",
        "nn.Module.__init__",
    };
    static const char *const PREFIXES[] = {"cuda.",   "backends.", "amp.",           "compiler.",
                                           "jit.is_", "autograd.", "version.",       "xpu.",
                                           "mps.",    "cpu.",      "distributed.is_"};
    for (size_t i = 0; i < COUNT_OF(EXACT); i++)
        if (text_equal(name, EXACT[i]))
            return true;
    return begins_with_one_of(name, PREFIXES, COUNT_OF(PREFIXES));
}

/* Random initialisation of a buffer is kept; of a child's parameter it is overwritten. */
static const Meaning *initialise(Flow *flow, const Node *at, const char *name, const Arguments *arguments) {
    static const char *const CONSTANTS[] = {"torch.nn.init.zeros_", "torch.nn.init.ones_",
                                            "torch.nn.init.constant_", "torch.nn.init.eye_"};
    if (flow->phase == PHASE_FORWARD)
        flow_report(flow, &RULE_OP_COMPUTE, SEVERITY_VIOLATION, at, "initialise in __init__",
                    "%s stands in forward", name);
    bool random =
        !begins_with_one_of(name, CONSTANTS, COUNT_OF(CONSTANTS)) && !text_ends(name, "calculate_gain");
    const Meaning *target = arguments->count > 0 ? arguments->items[0] : flow->plain;
    for (size_t i = 0; random && i < target->count; i++)
        if (target->items[i].kind == SENSE_KNOWN) {
            target->items[i].object->written = true;
            target->items[i].object->origin = ORIGIN_RANDOM;
        }
    return target;
}

static const Meaning *checkpoint(Flow *flow, const Node *at, const Arguments *arguments) {
    Arguments rest = {.starred = arguments->starred};
    for (size_t i = 1; i < arguments->count; i++)
        arguments_push(flow, &rest, arguments->items[i]);
    return arguments->count > 0 ? flow_call(flow, at, arguments->items[0], &rest) : flow->unknown;
}

/* torch.nn.Module.forward(self, x) and the like, with the receiver as first argument. */
static const Meaning *unbound_module_method(Flow *flow, const Node *at, const char *name,
                                            const Arguments *arguments) {
    Arguments rest = {.starred = arguments->starred};
    for (size_t i = 1; i < arguments->count; i++)
        arguments_push(flow, &rest, arguments->items[i]);
    Sense bound = {.kind = SENSE_BOUND, .text = name, .receiver = arguments->items[0]};
    return flow_call_bound(flow, at, &bound, &rest);
}

const Meaning *flow_call_torch(Flow *flow, const Node *at, const char *name, const Arguments *arguments) {
    static const char *const TENSOR_CLASSES[] = {"Tensor",     "FloatTensor", "LongTensor",   "IntTensor",
                                                 "BoolTensor", "HalfTensor",  "DoubleTensor", "ByteTensor"};
    const char *member = text_starts(name, "torch.") ? name + strlen("torch.") : name;
    if (flow_is_nn_class(name))
        return flow_build_module(flow, at, name, arguments);
    if (text_starts(name, "torch.nn.init."))
        return initialise(flow, at, name, arguments);
    if (is_utility(member))
        return flow->plain;
    if (text_starts(member, "utils.checkpoint."))
        return checkpoint(flow, at, arguments);
    if (text_starts(name, "torch.nn.utils."))
        return arguments->count > 0 ? arguments->items[0] : flow->unknown;
    const char *dot = strrchr(name, '.');
    if (text_starts(name, "torch.nn.") && dot != NULL && !text_starts(name, "torch.nn.functional.") &&
        arguments->count > 0) {
        const char *owner = arena_strndup(flow->arena, name, (size_t)(dot - name));
        if (flow_is_nn_class(owner))
            return unbound_module_method(flow, at, dot + 1, arguments);
    }
    for (size_t i = 0; i < COUNT_OF(TENSOR_CLASSES); i++)
        if (text_equal(member, TENSOR_CLASSES[i]))
            return flow_operate(flow, at, "torch.tensor", name, arguments);
    return flow_operate(flow, at, name, name, arguments);
}
