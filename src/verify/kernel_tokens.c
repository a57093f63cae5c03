/* What a kernel's name says of constants, against the call: leaky_relu_slope02, softmax_dim1, gelu_tanh. */
#include "component_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "slope" is negative_slope, "eps" eps. */
static bool is_named(const char *argument, const char *token, size_t letters) {
    const size_t length = strlen(argument);
    return length >= letters && strncmp(argument + length - letters, token, letters) == 0 &&
           (length == letters || argument[length - letters - 1] == '_');
}

/* The argument that a token names, in the spelling of torch.nn.functional; NULL: none that is a number. */
static const Value *argument_named(const TraceCall *call, const char *operation, const char *token,
                                   size_t letters, const char **argument) {
    static const struct {
        const char *operation, *argument;
        size_t position;
    } positions[] = {{"leaky_relu", "negative_slope", 1},
                     {"elu", "alpha", 1},
                     {"celu", "alpha", 1},
                     {"softmax", "dim", 1},
                     {"log_softmax", "dim", 1},
                     {"layer_norm", "eps", 4},
                     {"rms_norm", "eps", 3},
                     {"group_norm", "eps", 4},
                     {"batch_norm", "eps", 7}};
    for (size_t i = 0; i < call->kwarg_count; i++)
        if (is_named(*argument = call->names[i], token, letters))
            return &call->kwargs[i];
    for (size_t i = 0; i < COUNT_OF(positions); i++)
        if (text_equal(positions[i].operation, operation) && is_named(positions[i].argument, token, letters))
            return trace_argument(call, positions[i].position, *argument = positions[i].argument);
    return NULL;
}

/* "02" and "0p2" are 0.2, and 0.02 is "002"; "1e5" is 1e-5 too. */
static bool is_read_as(const char *text, double value) {
    char spelled[64];
    if (strlen(text) + 3 > sizeof spelled)
        return true; /* not understood */
    double readings[3];
    size_t count = 0;
    const char *power = strchr(text, 'e'), *point = strchr(text, 'p');
    readings[count++] = strtod(text, NULL);
    if (power != NULL)
        readings[count++] = strtod(text, NULL) * pow(10, -2 * strtod(power + 1, NULL));
    if (point != NULL || (text[0] == '0' && text[1] != '\0')) {
        snprintf(spelled, sizeof spelled, "%s%s", point == NULL ? "0." : "", point == NULL ? text + 1 : text);
        if (point != NULL)
            spelled[point - text] = '.';
        readings[count++] = strtod(spelled, NULL);
    }
    for (size_t i = 0; i < count; i++)
        if (fabs(readings[i] - value) <= 1e-9 * fabs(value))
            return true;
    return false;
}

static bool is_true(const char *text, const char *argument, const Value *value, size_t rank) {
    if (value->kind != VALUE_INT && value->kind != VALUE_FLOAT)
        return true;
    const double number = value->kind == VALUE_INT ? (double)value->integer : value->real;
    return is_read_as(text, number) ||
           (text_equal(argument, "dim") && number < 0 && is_read_as(text, number + (double)rank)) ||
           (text_equal(argument, "dim") && is_read_as(text, -number));
}

static const char *wrong_constant(Arena *arena, const char *token, const Trace *trace,
                                  const TraceCall *call) {
    const size_t letters = strspn(token, "abcdefghijklmnopqrstuvwxyz");
    const char *argument,
        *operation = trace_bare_name(operator_canonical(arena, trace_operator(trace, call)));
    const Value *value = letters == 0 || token[letters] == '\0'
                             ? NULL
                             : argument_named(call, operation, token, letters, &argument);
    const size_t rank = call->use_count > 0 ? trace->tensors[call->uses[0].number].rank : 0;
    return value == NULL || is_true(token + letters, argument, value, rank)
               ? NULL
               : arena_printf(arena, "the name says %s, and its %s is %s", token, argument,
                              value_describe(arena, value));
}

static const char *wrong_bias(const char *token, const TraceCall *call, const char *operation) {
    const bool linear = text_equal(operation, "linear") || text_starts(operation, "conv");
    const Value *bias = trace_argument(call, 2, "bias");
    const bool has = bias != NULL && bias->kind != VALUE_NONE;
    if (!linear || has == text_equal(token, "bias"))
        return NULL;
    return has ? "the name says nobias, and it has a bias" : "the name says bias, and it has none";
}

static const char *wrong_gelu(const char *operation, const TraceCall *call) {
    const Value *how = trace_argument(call, 1, "approximate");
    const bool tanh = how != NULL && how->kind == VALUE_STR && text_equal(how->text.data, "tanh");
    if (text_equal(operation, "gelu_erf") && tanh)
        return "the name says gelu_erf, and it is approximate='tanh'";
    return text_equal(operation, "gelu_tanh") && !tanh
               ? "the name says gelu_tanh, and it is approximate='none'"
               : NULL;
}

const char *kernel_token_problem(Arena *arena, const KernelName *name, const Trace *trace,
                                 const TraceCall *call) {
    const char *operation = trace_bare_name(operator_canonical(arena, trace_operator(trace, call)));
    const char *problem = text_equal(operation, "gelu") ? wrong_gelu(name->operation, call) : NULL;
    for (size_t i = 0; problem == NULL && i < name->token_count; i++) {
        const char *token = name->tokens[i];
        problem = text_equal(token, "bias") || text_equal(token, "nobias")
                      ? wrong_bias(token, call, operation)
                      : wrong_constant(arena, token, trace, call);
    }
    return problem;
}
