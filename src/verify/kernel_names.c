/* A kernel's file name against what it is: operation, dimensions, dtypes. */
#include "component_parts.h"

#include <string.h>

typedef struct Naming {
    Arena *arena;
    const ComponentResult *component;
    const SemanticOperator *operator; /* the one */
    const TraceCall *call;
    KernelName name;
    const char *stem;
    const char *shape; /* what the name should say: "768x3072", "3x64_k3p1"; NULL: unknown, "": nothing */
    Findings *findings;
} Naming;

/* ---- The operation ----------------------------------------------------------------------------------- */

/* What people call an operation besides its name in torch.nn.functional. */
static const char *const OTHER_NAMES[][2] = {
    {"scaled_dot_product_attention", "attention"},
    {"scaled_dot_product_attention", "sdpa"},
    {"silu", "swish"},
    {"gelu", "gelu_tanh"}, /* which of the two it is, kernel_tokens.c asks */
    {"gelu", "gelu_erf"},
    {"gelu", "gelu_new"},
    {"gelu", "new_gelu"},
    {"matmul", "bmm"},
    {"matmul", "mm"},
    {"matmul", "batch_matmul"},
    {"add", "residual_add"},
    {"add", "residual"},
    {"add", "elementwise_add"},
    {"mul", "elementwise_mul"},
    {"mul", "multiply"},
    {"mul", "gate"},
    {"mul", "scale"},
    {"div", "scale"},
    {"sub", "subtract"},
    {"div", "divide"},
    {"pow", "square"},
    {"neg", "negate"},
    {"rope", "rotary_embedding"},
    {"rope", "rotary"},
    {"rope", "apply_rope"},
    {"rope", "rotary_position_embedding"},
    {"rope", "apply_rotary_pos_emb"},
    {"rope", "rotary_pos_emb"},
    {"normalize", "l2_norm"},
    {"normalize", "l2_normalize"},
    {"layer_norm", "layernorm"},
    {"rms_norm", "rmsnorm"},
    {"batch_norm", "batchnorm"},
    {"batch_norm", "batch_norm1d"},
    {"batch_norm", "batch_norm2d"},
    {"batch_norm", "batch_norm3d"},
    {"batch_norm", "batchnorm1d"},
    {"batch_norm", "batchnorm2d"},
    {"batch_norm", "bn"},
    {"group_norm", "groupnorm"},
    {"instance_norm", "instance_norm2d"},
    {"conv2d", "depthwise_conv2d"},
    {"conv1d", "depthwise_conv1d"},
    {"embedding", "token_embedding"},
    {"embedding", "position_embedding"},
    {"embedding", "positional_embedding"},
    {"max_pool2d", "maxpool2d"},
    {"avg_pool2d", "avgpool2d"},
    {"adaptive_avg_pool2d", "global_avg_pool2d"},
    {"adaptive_avg_pool2d", "adaptive_avgpool2d"},
    {"mean", "global_avg_pool2d"},
    {"mean", "mean_pool"},
    {"interpolate", "upsample"},
    {"leaky_relu", "lrelu"},
    {"sinusoidal_embedding", "timestep_embedding"},
    {"rnn_tanh", "rnn"},
    {"rnn_relu", "rnn"},
    {"one_hot", "onehot"},
    {"clamp", "clip"},
    {"addmm", "linear"},
    {"einsum", "matmul"},
    {"baddbmm", "matmul"},
    {"mean", "global_average_pool"},
    {"mean", "global_average_pool2d"},
    {"mean", "global_avg_pool"},
    {"__getitem__", "embedding"},
};

static bool operation_is(const char *named, const char *true_name) {
    if (text_equal(named, true_name))
        return true;
    for (size_t i = 0; i < COUNT_OF(OTHER_NAMES); i++)
        if (text_equal(OTHER_NAMES[i][0], true_name) && text_equal(OTHER_NAMES[i][1], named))
            return true;
    return false;
}

/* ---- The shape --------------------------------------------------------------------------------------- */

static const TraceTensor *tensor_argument(const Naming *naming, size_t position, const char *name) {
    const Value *value = trace_argument(naming->call, position, name);
    return value == NULL || value->kind != VALUE_TENSOR
               ? NULL
               : &naming->component->trace.tensors[value->tensor.number];
}

static const char *join_dims(Arena *arena, const int64_t *dims, size_t count) {
    Text text = text_new(arena);
    for (size_t i = 0; i < count; i++)
        text_printf(&text, "%s%lld", i > 0 ? "x" : "", (long long)dims[i]);
    return text.data;
}

/* All elements of a list of numbers if they are one; -1: they differ, or there are none. */
static int64_t same_numbers(const Value *value) {
    if (value != NULL && value->kind == VALUE_INT)
        return value->integer;
    if (value == NULL || !value_is_container(value) || value->list.count == 0)
        return -1;
    for (size_t i = 0; i < value->list.count; i++)
        if (value->list.items[i].kind != VALUE_INT ||
            value->list.items[i].integer != value->list.items[0].integer)
            return -1;
    return value->list.items[0].integer;
}

static void add_extra(Text *text, char letter, int64_t value, int64_t usual) {
    if (value >= 0 && value != usual)
        text_printf(text, "%c%lld", letter, (long long)value);
}

static const char *conv_shape(const Naming *naming, bool transposed) {
    const TraceTensor *weight = tensor_argument(naming, 1, "weight");
    const Value *padding = trace_argument(naming->call, 4, "padding");
    if (weight == NULL || weight->rank < 3 || (padding != NULL && padding->kind == VALUE_STR))
        return NULL;
    const Value *groups_value = trace_argument(naming->call, 6, "groups");
    int64_t groups = groups_value != NULL && groups_value->kind == VALUE_INT ? groups_value->integer : 1;
    int64_t grouped, own = weight->shape[0]; /* which side the groups divide */
    if (__builtin_mul_overflow(weight->shape[1], groups, &grouped))
        return NULL;
    bool square = true;
    for (size_t i = 3; i < weight->rank; i++)
        square = square && weight->shape[i] == weight->shape[2];
    if (!square)
        return NULL;
    Text extras = text_new(naming->arena);
    add_extra(&extras, 'k', weight->shape[2], -1);
    add_extra(&extras, 's', same_numbers(trace_argument(naming->call, 3, "stride")), 1);
    add_extra(&extras, 'p', same_numbers(padding), 0);
    add_extra(&extras, 'd', same_numbers(trace_argument(naming->call, transposed ? 7 : 5, "dilation")), 1);
    add_extra(&extras, 'g', groups, 1);
    return arena_printf(naming->arena, "%lldx%lld_%s", (long long)(transposed ? own : grouped),
                        (long long)(transposed ? grouped : own), extras.data);
}

static const char *recurrent_shape(const Naming *naming) {
    const ComponentResult *component = naming->component;
    const int64_t gates = text_equal(naming->operator->name, "lstm")  ? 4
                          : text_equal(naming->operator->name, "gru") ? 3
                                                                      : 1;
    for (size_t i = 0; i < component->state.count; i++) {
        const TensorFact *fact = &component->state.items[i];
        if (strstr(fact->name, "weight_ih") != NULL && fact->rank == 2)
            return arena_printf(naming->arena, "%lldx%lld", (long long)fact->shape[1],
                                (long long)(fact->shape[0] / gates));
    }
    return NULL;
}

static const char *weight_shape(const Naming *naming, size_t position, bool reversed) {
    const TraceTensor *weight = tensor_argument(naming, position, "weight");
    if (weight == NULL || weight->rank == 0 || weight->rank > 2)
        return NULL;
    int64_t dims[2] = {weight->shape[0], weight->rank == 2 ? weight->shape[1] : 0};
    if (reversed && weight->rank == 2) {
        dims[0] = weight->shape[1];
        dims[1] = weight->shape[0];
    }
    return join_dims(naming->arena, dims, weight->rank);
}

static const char *normalized_shape(const Naming *naming) {
    const Value *shape = trace_argument(naming->call, 1, "normalized_shape");
    Text text = text_new(naming->arena);
    for (size_t i = 0; shape != NULL && value_is_container(shape) && i < shape->list.count; i++)
        text_printf(&text, "%s%lld", i > 0 ? "x" : "", (long long)shape->list.items[i].integer);
    return text.length > 0 ? text.data : NULL;
}

static bool is_parameter(const TraceTensor *tensor) {
    return tensor->origin == ORIGIN_PARAMETER;
}

/* The shape of the only parameter, for kernels in primitives. */
static const char *parameter_shape(const Naming *naming) {
    const Trace *trace = &naming->component->trace;
    const TraceTensor *only = NULL;
    for (size_t i = 0; i < trace->tensor_count; i++) {
        if (!is_parameter(&trace->tensors[i]) || trace->tensors[i].rank == 0 || !trace->live_tensors[i])
            continue;
        if (only != NULL &&
            (only->rank != trace->tensors[i].rank ||
             memcmp(only->shape, trace->tensors[i].shape, only->rank * sizeof *only->shape) != 0))
            return NULL;
        only = &trace->tensors[i];
    }
    return only == NULL ? NULL : join_dims(naming->arena, only->shape, only->rank);
}

static bool has_parameters(const Naming *naming) {
    const Trace *trace = &naming->component->trace;
    for (size_t i = 0; i < trace->tensor_count; i++)
        if (is_parameter(&trace->tensors[i]))
            return true;
    return false;
}

static const char *operand_shapes(const Naming *naming) {
    const TraceTensor *one = tensor_argument(naming, 0, "input"),
                      *other = tensor_argument(naming, 1, "other");
    if (other == NULL)
        other = tensor_argument(naming, 1, "mat2");
    if (one == NULL || other == NULL || is_parameter(one) || is_parameter(other))
        return NULL;
    return arena_printf(naming->arena, "%s_%s", join_dims(naming->arena, one->shape, one->rank),
                        join_dims(naming->arena, other->shape, other->rank));
}

static const char *true_shape(const Naming *naming) {
    const char *operation = naming->operator->name;
    if (naming->operator->call_count> 1)
        return has_parameters(naming) ? parameter_shape(naming) : NULL;
    if (text_equal(operation, "linear"))
        return weight_shape(naming, 1, true);
    if (text_equal(operation, "embedding") || text_equal(operation, "embedding_bag"))
        return weight_shape(naming, 1, false);
    if (text_starts(operation, "conv_transpose"))
        return conv_shape(naming, true);
    if (text_equal(operation, "conv1d") || text_equal(operation, "conv2d") || text_equal(operation, "conv3d"))
        return conv_shape(naming, false);
    if (text_equal(operation, "layer_norm") || text_equal(operation, "rms_norm"))
        return normalized_shape(naming);
    if (text_equal(operation, "lstm") || text_equal(operation, "gru") || text_starts(operation, "rnn_"))
        return recurrent_shape(naming);
    if (text_equal(operation, "matmul"))
        return operand_shapes(naming);
    return has_parameters(naming) ? parameter_shape(naming) : NULL;
}

/* As the name says it, in the spelling of true_shape. */
static const char *named_shape(const Naming *naming) {
    static const char letters[] = "kspdg";
    const KernelName *name = &naming->name;
    Text text = text_new(naming->arena);
    for (size_t i = 0; i < name->group_count; i++)
        text_printf(&text, "%s%s", i > 0 ? "_" : "", join_dims(naming->arena, name->dims[i], name->ranks[i]));
    bool first = true;
    for (size_t l = 0; letters[l] != '\0'; l++)
        for (size_t i = 0; i < name->extra_count; i++) {
            if (name->extras[i].letter != letters[l])
                continue;
            int64_t usual = letters[l] == 'p' ? 0 : letters[l] == 'k' ? -1 : 1;
            if (name->extras[i].value == usual)
                continue;
            text_printf(&text, "%s%c%lld", first && text.length > 0 ? "_" : "", letters[l],
                        (long long)name->extras[i].value);
            first = false;
        }
    return text.data;
}

/* Is a group of dimensions at least one that occurs: the end of an operand's or an output's shape? */
static bool group_occurs(const Naming *naming, size_t group) {
    const KernelName *name = &naming->name;
    const TensorFacts *const facts[] = {&naming->component->inputs, &naming->component->outputs,
                                        &naming->component->state};
    for (size_t f = 0; f < COUNT_OF(facts); f++)
        for (size_t i = 0; i < facts[f]->count; i++) {
            const TensorFact *fact = &facts[f]->items[i];
            size_t rank = name->ranks[group];
            if (rank <= fact->rank &&
                memcmp(name->dims[group], fact->shape + (fact->rank - rank), rank * sizeof *fact->shape) == 0)
                return true;
        }
    return false;
}

/* Where the signature can't be derived: each number must be one that occurs. */
static bool numbers_occur(const Naming *naming, size_t group) {
    const TensorFacts *const facts[] = {&naming->component->inputs, &naming->component->outputs,
                                        &naming->component->state};
    for (size_t d = 0; d < naming->name.ranks[group]; d++) {
        bool found = false;
        for (size_t f = 0; f < COUNT_OF(facts); f++)
            for (size_t i = 0; i < facts[f]->count; i++)
                for (size_t k = 0; k < facts[f]->items[i].rank; k++)
                    found = found || facts[f]->items[i].shape[k] == naming->name.dims[group][d];
        if (!found)
            return false;
    }
    return true;
}

/* k, s and p of a pool, where the name says them. */
static const char *pool_problem(const Naming *naming) {
    static const struct {
        char letter;
        size_t position;
        const char *name;
    } said[] = {{'k', 1, "kernel_size"}, {'s', 2, "stride"}, {'p', 3, "padding"}};
    const char *operation = naming->operator->name;
    if (strstr(operation, "_pool") == NULL || text_starts(operation, "adaptive"))
        return NULL;
    for (size_t i = 0; i < naming->name.extra_count; i++)
        for (size_t k = 0; k < COUNT_OF(said); k++) {
            const Value *value = trace_argument(naming->call, said[k].position, said[k].name);
            if (value == NULL || value->kind == VALUE_NONE)
                value = trace_argument(naming->call, 1, "kernel_size"); /* the stride that it has then */
            int64_t number = same_numbers(value);
            if (naming->name.extras[i].letter == said[k].letter && number >= 0 &&
                naming->name.extras[i].value != number)
                return arena_printf(naming->arena, "the name says %c%lld, and its %s is %lld", said[k].letter,
                                    (long long)naming->name.extras[i].value, said[k].name, (long long)number);
        }
    return NULL;
}

/* ---- The dtypes -------------------------------------------------------------------------------------- */

/* What the kernel runs in: its parameters' dtype, or what it gives. */
static const char *main_dtype(const Naming *naming) {
    const Trace *trace = &naming->component->trace;
    for (size_t i = 0; i < trace->tensor_count; i++)
        if (is_parameter(&trace->tensors[i]) && trace->live_tensors[i])
            return trace->tensors[i].dtype;
    return naming->component->outputs.count > 0 ? naming->component->outputs.items[0].dtype : NULL;
}

static const char *table_index_dtype(const Naming *naming) {
    const ComponentResult *component = naming->component;
    for (size_t i = 0; text_equal(naming->operator->name, "embedding") && i < component->inputs.count; i++)
        if (text_starts(component->inputs.items[i].dtype, "torch.int"))
            return dtype_code(component->inputs.items[i].dtype);
    return NULL;
}

static bool code_is_one_of(const Naming *naming, const char *code, bool anywhere) {
    const ComponentResult *component = naming->component;
    const char *main = main_dtype(naming);
    if (main != NULL && text_equal(dtype_code(main), code))
        return true;
    for (size_t i = 0; i < component->outputs.count; i++)
        if (text_equal(dtype_code(component->outputs.items[i].dtype), code))
            return true;
    for (size_t i = 0; anywhere && i < component->trace.tensor_count; i++)
        if (text_equal(dtype_code(component->trace.tensors[i].dtype), code))
            return true;
    return false;
}

/* ---- Findings ---------------------------------------------------------------------------------------- */

static const char *true_name(const Naming *naming) {
    const char *dtype = main_dtype(naming), *code = dtype == NULL ? NULL : dtype_code(dtype);
    const char *index = table_index_dtype(naming);
    const char *operation = operation_is(naming->name.operation, naming->operator->name)
                                ? naming->name.operation
                                : naming->operator->name;
    const char *shape = naming->shape != NULL ? naming->shape : "";
    if (code == NULL)
        return NULL;
    return arena_printf(naming->arena, "%s%s%s%s%s_%s", operation, shape[0] == '\0' ? "" : "_", shape,
                        index == NULL ? "" : "_", index == NULL ? "" : index, code);
}

static void add(const Naming *naming, const char *rule, const char *what) {
    const ComponentResult *component = naming->component;
    Finding *finding = findings_add(
        naming->findings, project_rule(rule), SEVERITY_VIOLATION,
        (Place){.file = component->file_count > 0 ? component->files[0] : component->file}, "%s", what);
    const char *better = true_name(naming);
    if (better != NULL && !text_equal(better, naming->stem))
        finding->instead = arena_printf(naming->arena, "rename it %s, and its node and imports", better);
}

static void check_shape(const Naming *naming) {
    const char *named = named_shape(naming);
    if (naming->shape != NULL) {
        if (text_equal(named, naming->shape) ||
            (named[0] == '\0' && naming->operator->kind == SEMANTIC_ARITHMETIC))
            return;
        add(naming, "name.shape",
            named[0] == '\0'
                ? arena_printf(naming->arena, "the name says no dimensions, and they are %s", naming->shape)
                : arena_printf(naming->arena, "the name says %s, and its dimensions are %s", named,
                               naming->shape));
        return;
    }
    const char *pool = pool_problem(naming);
    if (pool != NULL)
        add(naming, "name.shape", pool);
    for (size_t i = 0; i < naming->name.group_count; i++)
        if (!group_occurs(naming, i) && !numbers_occur(naming, i)) {
            add(naming, "name.shape",
                arena_printf(naming->arena,
                             "the name says %s, which is the shape of nothing that it takes or gives",
                             join_dims(naming->arena, naming->name.dims[i], naming->name.ranks[i])));
            return;
        }
}

static void check_dtypes(const Naming *naming) {
    const KernelName *name = &naming->name;
    const char *last = name->dtypes[name->dtype_count - 1], *main = main_dtype(naming);
    const char *code = main == NULL ? NULL : dtype_code(main), *index = table_index_dtype(naming);
    if (code != NULL && !code_is_one_of(naming, last, false)) {
        add(naming, "name.dtype",
            arena_printf(naming->arena, "the name says %s, and it runs in %s", last, code));
        return;
    }
    for (size_t i = 0; i + 1 < name->dtype_count; i++) {
        if (text_equal(name->dtypes[i], name->dtypes[i + 1])) {
            add(naming, "name.dtype", arena_printf(naming->arena, "the name says %s twice", last));
            return;
        }
        if (!code_is_one_of(naming, name->dtypes[i], true)) {
            add(naming, "name.dtype",
                arena_printf(naming->arena, "the name says %s, and no tensor has that dtype",
                             name->dtypes[i]));
            return;
        }
    }
    if (index != NULL && (name->dtype_count < 2 || !text_equal(name->dtypes[0], index)))
        add(naming, "name.dtype",
            arena_printf(naming->arena, "the name doesn't say the dtype of the indices, %s", index));
}

void kernel_name_check(Arena *arena, const ComponentResult *component, Findings *findings) {
    Naming naming = {.arena = arena,
                     .component = component,
                     .stem = path_stem(arena, component->file),
                     .findings = findings};
    const char *problem;
    size_t live = 0;
    for (size_t i = 0; i < component->operators.count; i++)
        if (component->operators.items[i].live) {
            naming.operator= & component->operators.items[i];
            live++;
        }
    if (live != 1 || !kernel_name_parse(arena, naming.stem, &naming.name, &problem) ||
        naming.name.dtype_count == 0)
        return; /* what it is is not clear, or its form is found wrong elsewhere */
    naming.call = &component->trace.calls[naming.operator->call];
    naming.shape = true_shape(&naming);
    if (!operation_is(naming.name.operation, naming.operator->name))
        add(&naming, "name.operation",
            arena_printf(arena, "the name says %s, and it is %s", naming.name.operation,
                         text_printable(arena, naming.operator->name, strlen(naming.operator->name))));
    check_shape(&naming);
    check_dtypes(&naming);
    problem = kernel_token_problem(arena, &naming.name, &component->trace, naming.call);
    if (problem != NULL && naming.operator->call_count == 1)
        findings_add(findings, project_rule("name.shape"), SEVERITY_VIOLATION,
                     (Place){.file = component->file_count > 0 ? component->files[0] : component->file}, "%s",
                     problem)
            ->instead = "let the name say what the call is given";
}
