/* Operators in normal form: one spelling for each that computes the same bits. */
#include "graph_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By the name without namespace, overload and the underscore of in-place forms. What aliases its argument by
 * its marks and is not in this table may copy as well (contiguous, reshape, to), or shows other elements than
 * memory holds (conj): it is taken for an operator whose result shares memory in a way that no layout tells.
 */
static const struct {
    const char *name;
    OperatorClass class;
} CLASSES[] = {
    {"alias", OPERATOR_VIEW},
    {"as_strided", OPERATOR_VIEW},
    {"_reshape_alias", OPERATOR_VIEW},
    {"chunk", OPERATOR_VIEW},
    {"unsafe_chunk", OPERATOR_VIEW},
    {"detach", OPERATOR_VIEW},
    {"diagonal", OPERATOR_VIEW},
    {"expand", OPERATOR_VIEW},
    {"expand_as", OPERATOR_VIEW},
    {"hsplit", OPERATOR_VIEW},
    {"vsplit", OPERATOR_VIEW},
    {"dsplit", OPERATOR_VIEW},
    {"lift_fresh", OPERATOR_VIEW},
    {"mT", OPERATOR_VIEW},
    {"moveaxis", OPERATOR_VIEW},
    {"movedim", OPERATOR_VIEW},
    {"narrow", OPERATOR_VIEW},
    {"numpy_T", OPERATOR_VIEW},
    {"permute", OPERATOR_VIEW},
    {"select", OPERATOR_VIEW},
    {"slice", OPERATOR_VIEW},
    {"split", OPERATOR_VIEW},
    {"split_with_sizes", OPERATOR_VIEW},
    {"unsafe_split", OPERATOR_VIEW},
    {"unsafe_split_with_sizes", OPERATOR_VIEW},
    {"squeeze", OPERATOR_VIEW},
    {"swapaxes", OPERATOR_VIEW},
    {"swapdims", OPERATOR_VIEW},
    {"t", OPERATOR_VIEW},
    {"tensor_split", OPERATOR_VIEW},
    {"transpose", OPERATOR_VIEW},
    {"unbind", OPERATOR_VIEW},
    {"unflatten", OPERATOR_VIEW},
    {"unfold", OPERATOR_VIEW},
    {"unsqueeze", OPERATOR_VIEW},
    {"view", OPERATOR_VIEW},
    {"view_as", OPERATOR_VIEW},
    {"alias_copy", OPERATOR_SAME},
    {"clone", OPERATOR_SAME},
    {"contiguous", OPERATOR_SAME},
    {"detach_copy", OPERATOR_SAME},
    {"lift", OPERATOR_SAME},
    {"lift_fresh_copy", OPERATOR_SAME},
    {"pin_memory", OPERATOR_SAME},
    {"positive", OPERATOR_SAME},
    {"resolve_conj", OPERATOR_SAME},
    {"resolve_neg", OPERATOR_SAME},
    {"_reshape_copy", OPERATOR_RESHAPE},
    {"_unsafe_view", OPERATOR_RESHAPE},
    {"flatten", OPERATOR_RESHAPE},
    {"ravel", OPERATOR_RESHAPE},
    {"reshape", OPERATOR_RESHAPE},
    {"reshape_as", OPERATOR_RESHAPE},
    {"view_copy", OPERATOR_RESHAPE},
    {"_to_copy", OPERATOR_CAST},
    {"to", OPERATOR_CAST},
    {"copy", OPERATOR_COPY},
    {"zero", OPERATOR_ZERO},
    {"zeros", OPERATOR_ZERO},
    {"zeros_like", OPERATOR_ZERO},
    {"new_zeros", OPERATOR_ZERO},
    {"ones", OPERATOR_ONE},
    {"ones_like", OPERATOR_ONE},
    {"new_ones", OPERATOR_ONE},
    {"fill", OPERATOR_FILL},
    {"full", OPERATOR_FILL},
    {"full_like", OPERATOR_FILL},
    {"new_full", OPERATOR_FILL},
    {"scalar_tensor", OPERATOR_FILL},
    {"empty", OPERATOR_EMPTY},
    {"empty_like", OPERATOR_EMPTY},
    {"empty_permuted", OPERATOR_EMPTY},
    {"empty_strided", OPERATOR_EMPTY},
    {"new_empty", OPERATOR_EMPTY},
    {"new_empty_strided", OPERATOR_EMPTY},
};

/* In-place draws that don't look at what they overwrite. */
static const char *const OVERWRITING_DRAWS[] = {"uniform", "normal",    "bernoulli", "exponential",
                                                "cauchy",  "geometric", "random",    "log_normal"};
/* Running statistics that no mark of the schema shows. */
static const char *const HIDDEN_WRITES[] = {"native_batch_norm",       "cudnn_batch_norm",
                                            "miopen_batch_norm",       "batch_norm_update_stats",
                                            "batch_norm_gather_stats", "batch_norm_gather_stats_with_counts"};
static const char *const COMMUTATIVE[] = {
    "aten::add.Tensor",  "aten::mul.Tensor",         "aten::maximum",           "aten::minimum",
    "aten::eq.Tensor",   "aten::ne.Tensor",          "aten::logical_and",       "aten::logical_or",
    "aten::logical_xor", "aten::bitwise_and.Tensor", "aten::bitwise_or.Tensor", "aten::bitwise_xor.Tensor"};
/* The functional form of an out= overload whose name doesn't tell it. */
static const char *const OUT_FORMS[][2] = {{"aten::add.out", "aten::add.Tensor"},
                                           {"aten::sub.out", "aten::sub.Tensor"},
                                           {"aten::mul.out", "aten::mul.Tensor"},
                                           {"aten::div.out", "aten::div.Tensor"},
                                           {"aten::div.out_mode", "aten::div.Tensor_mode"},
                                           {"aten::sum.IntList_out", "aten::sum.dim_IntList"},
                                           {"aten::mean.out", "aten::mean.dim"},
                                           {"aten::any.out", "aten::any.dim"},
                                           {"aten::all.out", "aten::all.dim"},
                                           {"aten::max.dim_max", "aten::max.dim"},
                                           {"aten::min.dim_min", "aten::min.dim"},
                                           {"aten::sort.values", "aten::sort"},
                                           {"aten::topk.values", "aten::topk"}};
static const char *const SWAPPED[][2] = {{"aten::gt.Tensor", "aten::lt.Tensor"},
                                         {"aten::ge.Tensor", "aten::le.Tensor"}};
static const char *const UNSPELLED[] = {"device", "layout", "pin_memory", "non_blocking", "dtype"};
/* The factor of a halving is a number of every floating type. */
enum { LARGEST_HALVING = 10 };
/* Dimensions of these are not counted in the first tensor's. */
static const char *const OTHER_DIMENSIONS[] = {"diag_embed", "unsqueeze_copy", "tensordot"};

static bool is_one_of(const char *text, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}
#define IS_ONE_OF(text, words) is_one_of((text), (words), COUNT_OF(words))

static bool is_out_overload(const char *overload, const char *canonical) {
    if (strcmp(overload, "out") == 0 || text_ends(overload, "_out"))
        return true;
    for (size_t i = 0; i < COUNT_OF(OUT_FORMS); i++)
        if (strcmp(canonical, OUT_FORMS[i][0]) == 0)
            return true;
    return false;
}

static const char *without_out(Arena *arena, const char *name, const char *prefix, const char *overload) {
    for (size_t i = 0; i < COUNT_OF(OUT_FORMS); i++)
        if (strcmp(name, OUT_FORMS[i][0]) == 0)
            return OUT_FORMS[i][1];
    if (text_ends(overload, "_out"))
        return arena_strndup(arena, name, strlen(name) - 4);
    return prefix;
}

static uint8_t spelling(const Schema *schema, size_t at, bool counts_dimensions, const char *type) {
    const char *name = schema->arg_names[at];
    if (IS_ONE_OF(name, UNSPELLED) || (strcmp(name, "memory_format") == 0 &&
                                       (schema->class == OPERATOR_SAME || schema->class == OPERATOR_CAST ||
                                        text_ends(schema->bare, "_like"))))
        return SPELL_NEVER;
    static const char *const DIMENSIONS[] = {"dim", "dim0", "dim1", "dims"};
    return counts_dimensions && strstr(type, "int") != NULL && IS_ONE_OF(name, DIMENSIONS) ? SPELL_DIM
                                                                                           : SPELL_VALUE;
}

/* Which arguments are written, and which of those are looked at. */
static void classify_writes(Schema *schema, bool out, bool in_place) {
    if (IS_ONE_OF(schema->bare, HIDDEN_WRITES))
        for (size_t i = 0; i < schema->arg_count; i++)
            if (text_starts(schema->arg_names[i], "running_"))
                schema->written[i] = schema->writes_any = true;
    bool overwrites = (schema->random && in_place && IS_ONE_OF(schema->bare, OVERWRITING_DRAWS)) ||
                      schema->class == OPERATOR_COPY || schema->class == OPERATOR_ZERO ||
                      schema->class == OPERATOR_FILL;
    for (size_t i = 0; i < schema->arg_count; i++)
        schema->read[i] = !(schema->written[i] && !text_starts(schema->arg_names[i], "running_") &&
                            (out || (overwrites && i == 0)));
}

void schema_classify(Arena *arena, Schema *schema, const char *const *types) {
    const char *base = strstr(schema->name, "::") + 2;
    const char *dot = strchr(base, '.'), *overload = dot == NULL ? "" : dot + 1;
    size_t length = dot == NULL ? strlen(base) : (size_t)(dot - base);
    bool aten = text_starts(schema->name, "aten::");
    schema->opaque = !aten && !text_starts(schema->name, "prim::");
    bool in_place = aten && schema->arg_count > 0 && schema->written[0] && length > 1 &&
                    base[length - 1] == '_' && base[length - 2] != '_';
    size_t bare_length = in_place ? length - 1 : length;
    schema->bare = arena_strndup(arena, base, bare_length);
    const char *prefix =
        arena_printf(arena, "%.*s%s", (int)(base - schema->name), schema->name, schema->bare);
    schema->operator= prefix;
    schema->canonical = dot == NULL ? prefix : arena_printf(arena, "%s.%s", prefix, overload);
    bool out = aten && schema->writes_any && is_out_overload(overload, schema->canonical);
    if (out)
        schema->canonical = without_out(arena, schema->canonical, prefix, overload);
    for (size_t i = 0; aten && i < COUNT_OF(CLASSES); i++)
        if (strcmp(CLASSES[i].name, schema->bare) == 0)
            schema->class = CLASSES[i].class;
    schema->training = SIZE_MAX;
    for (size_t i = 0; i < schema->arg_count; i++) {
        const char *name = schema->arg_names[i];
        static const char *const VALUES[] = {"src", "value", "fill_value", "s"};
        if (IS_ONE_OF(name, VALUES))
            schema->source = i;
        if (strcmp(name, "train") == 0 || strcmp(name, "training") == 0)
            schema->training = i;
    }
    if (schema->class != OPERATOR_COPY && schema->class != OPERATOR_FILL)
        schema->source = 0;
    bool counts_dimensions =
        aten && !text_ends(schema->bare, "_backward") && !IS_ONE_OF(schema->bare, OTHER_DIMENSIONS);
    schema->dim_extra = strcmp(schema->bare, "stack") == 0 || strcmp(schema->bare, "_stack") == 0;
    for (size_t i = 0; i < schema->arg_count; i++) {
        schema->spelled[i] = schema->opaque ? SPELL_VALUE : spelling(schema, i, counts_dimensions, types[i]);
        schema->is_number[i] =
            aten && (strstr(types[i], "number") != NULL || strstr(types[i], "Scalar") != NULL ||
                     (strstr(types[i], "Tensor") != NULL && strstr(types[i], "List") == NULL));
    }
    classify_writes(schema, out, in_place);
    schema->commutative = IS_ONE_OF(schema->canonical, COMMUTATIVE);
    for (size_t i = 0; i < COUNT_OF(SWAPPED); i++)
        if (strcmp(schema->canonical, SWAPPED[i][0]) == 0)
            schema->swapped = true;
}

static bool is_false(const Value *value) {
    return value->kind == VALUE_BOOL && value->integer == 0;
}

/* Dropout in eval mode, or of rate 0, draws nothing. */
bool operation_is_draw(const Operation *operation) {
    const Schema *schema = operation->schema;
    if (!schema->random || (schema->training != SIZE_MAX && is_false(&operation->args[schema->training])))
        return false;
    for (size_t i = 0; i < schema->arg_count; i++) {
        const Value *value = &operation->args[i];
        if (strcmp(schema->arg_names[i], "dropout_p") == 0 &&
            ((value->kind == VALUE_FLOAT && value->real == 0) ||
             (value->kind == VALUE_INT && value->integer == 0)))
            return false;
    }
    return true;
}

bool operation_writes(const Operation *operation, size_t arg) {
    const Schema *schema = operation->schema;
    if (!schema->written[arg])
        return false;
    return !(text_starts(schema->arg_names[arg], "running_") && schema->training != SIZE_MAX &&
             is_false(&operation->args[schema->training]));
}

static void add_quoted(Text *text, const char *data, size_t length) {
    text_add(text, "'");
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c < 0x20 || c >= 0x7f || c == '\'' || c == '\\')
            text_printf(text, "\\x%02x", c);
        else
            text_add_bytes(text, &data[i], 1);
    }
    text_add(text, "'");
}

static void add_real(Text *text, double real) {
    char spelled[64];
    snprintf(spelled, sizeof spelled, "%a", real);
    text_add(text, isnan(real) ? "nan" : spelled);
}

static void add_integer(Text *text, int64_t integer) {
    char spelled[32];
    snprintf(spelled, sizeof spelled, "%lld", (long long)integer);
    text_add(text, spelled);
}

static const char *open_of(ValueKind kind) { /* a tuple and a size are lists to torch */
    return kind == VALUE_LIST || kind == VALUE_TUPLE || kind == VALUE_SIZE ? "[" : NULL;
}

void text_add_value(Text *text, const Value *value) {
    switch (value->kind) {
    case VALUE_NONE: text_add(text, "None"); return;
    case VALUE_BOOL: text_add(text, value->integer ? "True" : "False"); return;
    case VALUE_INT: add_integer(text, value->integer); return;
    case VALUE_FLOAT: add_real(text, value->real); return;
    case VALUE_COMPLEX:
        text_add(text, "complex(");
        add_real(text, value->complex.real);
        text_add(text, ", ");
        add_real(text, value->complex.imaginary);
        text_add(text, ")");
        return;
    case VALUE_TENSOR: text_add(text, "%"); return;
    case VALUE_ELLIPSIS: text_add(text, "..."); return;
    case VALUE_STR: add_quoted(text, value->text.data, value->text.length); return;
    default: break;
    }
    if (!value_is_container(value)) { /* a dtype, a device, .. */
        const char *name = value_type_name(value);
        add_quoted(text, name, strlen(name));
        add_quoted(text, value->text.data, value->text.length);
        return;
    }
    if (open_of(value->kind) == NULL) {
        const char *name = value_type_name(value);
        add_quoted(text, name, strlen(name));
    }
    text_add(text, "[");
    for (size_t i = 0; i < value->list.count; i++) {
        if (i > 0)
            text_add(text, ", ");
        text_add_value(text, &value->list.items[i]);
    }
    text_add(text, "]");
}

static const Value *first_tensor(const Value *value) {
    if (value->kind == VALUE_TENSOR)
        return value;
    for (size_t i = 0; value_is_container(value) && i < value->list.count; i++) {
        const Value *found = first_tensor(&value->list.items[i]);
        if (found != NULL)
            return found;
    }
    return NULL;
}

static const Layout *first_layout(const Operation *operation, const Recording *recording) {
    for (size_t i = 0; i < operation->schema->arg_count; i++) {
        const Value *tensor = first_tensor(&operation->args[i]);
        if (tensor != NULL)
            return recording->tensors[tensor->tensor.number].layout;
    }
    return NULL;
}

static void add_dimension(Text *text, const Value *value, int64_t rank) {
    if (value->kind == VALUE_INT && value->integer < 0 && value->integer >= -rank)
        add_integer(text, value->integer + rank);
    else if (value_is_container(value) && open_of(value->kind) != NULL) {
        text_add(text, "[");
        for (size_t i = 0; i < value->list.count; i++) {
            if (i > 0)
                text_add(text, ", ");
            add_dimension(text, &value->list.items[i], rank);
        }
        text_add(text, "]");
    } else {
        text_add_value(text, value);
    }
}

/* A pool without a stride steps by its kernel. */
static const Value *meant_by(const Operation *operation, size_t at) {
    const Schema *schema = operation->schema;
    const Value *value = &operation->args[at];
    bool empty = (value->kind == VALUE_LIST || value->kind == VALUE_TUPLE) && value->list.count == 0;
    for (size_t i = 0; empty && strcmp(schema->arg_names[at], "stride") == 0 && i < schema->arg_count; i++)
        if (strcmp(schema->arg_names[i], "kernel_size") == 0)
            return &operation->args[i];
    return value;
}

static void add_argument(const Operation *operation, size_t at, const Layout *first, bool floating,
                         Text *text) {
    const Schema *schema = operation->schema;
    const Value *value = meant_by(operation, at);
    if (value->kind == VALUE_TENSOR) {
        text_add(text, "%");
        return;
    }
    text_add(text, schema->arg_names[at]);
    text_add(text, "=");
    if (schema->spelled[at] == SPELL_DIM && first != NULL) {
        int64_t rank = (int64_t)first->rank + schema->dim_extra;
        add_dimension(text, value, rank == 0 ? 1 : rank);
    } else if (schema->is_number[at] && floating && value->kind == VALUE_INT &&
               llabs((long long)value->integer) <= (1LL << 53)) {
        add_real(text, (double)value->integer);
    } else {
        text_add_value(text, value);
    }
}

/* gt(a, b) is lt(b, a). */
static bool is_swapped(const Operation *operation) {
    const Schema *schema = operation->schema;
    return schema->swapped && schema->arg_count >= 2 && operation->args[0].kind == VALUE_TENSOR &&
           operation->args[1].kind == VALUE_TENSOR;
}

double operation_factor(const Operation *operation, const Layout *result) {
    static const char *const products[] = {"aten::mul.Tensor", "aten::mul.Scalar"};
    static const char *const quotients[] = {"aten::div.Tensor", "aten::div.Scalar"};
    const Schema *schema = operation->schema;
    const bool product = IS_ONE_OF(schema->canonical, products);
    if ((!product && !IS_ONE_OF(schema->canonical, quotients)) || schema->arg_count < 2 ||
        text_starts(result->dtype, "torch.complex") || operation->args[0].kind != VALUE_TENSOR)
        return 0;
    const Value *other = &operation->args[1];
    const double value = other->kind == VALUE_INT     ? (double)other->integer
                         : other->kind == VALUE_FLOAT ? other->real
                                                      : 0;
    int exponent;
    if (product)
        return value;
    return result->floating && fabs(frexp(value, &exponent)) == 0.5 && abs(exponent - 1) <= LARGEST_HALVING
               ? 1 / value
               : 0;
}

void operation_label(const Operation *operation, const Recording *recording, const char *part,
                     const char *serial, const Layout *result, Text *text) {
    const Schema *schema = operation->schema;
    const Layout *first = first_layout(operation, recording);
    bool floating =
        result->floating || (first != NULL && first->floating && strcmp(result->dtype, "torch.bool") == 0);
    const char *name = schema->canonical;
    for (size_t i = 0; is_swapped(operation) && i < COUNT_OF(SWAPPED); i++)
        if (strcmp(name, SWAPPED[i][0]) == 0) {
            name = SWAPPED[i][1];
            break;
        }
    const double factor = strcmp(schema->bare, "div") == 0 ? operation_factor(operation, result) : 0;
    if (factor != 0)
        name = "aten::mul.Tensor";
    text_add(text, schema->class == OPERATOR_CAST ? "aten::_to_copy" : name);
    text_add(text, "(");
    bool more = false;
    for (size_t i = 0; i < schema->arg_count; i++) {
        if (!schema->read[i] ||
            (schema->spelled[i] == SPELL_NEVER && first_tensor(&operation->args[i]) == NULL))
            continue;
        if (schema->class == OPERATOR_CAST && i > 0)
            break;
        if (more)
            text_add(text, ", ");
        more = true;
        if (factor != 0 && i == 1) {
            text_add(text, "other=");
            add_real(text, factor);
        } else {
            add_argument(operation, i, first, floating, text);
        }
    }
    text_add(text, ")");
    text_add(text, part);
    if (serial != NULL) {
        text_add(text, " ");
        text_add(text, serial);
    }
    text_add(text, " -> ");
    text_add_shape(text, result->dtype, result->shape, result->rank);
}

bool fill_label(const Value *value, const Layout *result, Text *text) {
    double real;
    switch (value->kind) {
    case VALUE_FLOAT: real = value->real; break;
    case VALUE_BOOL:
    case VALUE_INT: real = (double)value->integer; break;
    case VALUE_COMPLEX:
    case VALUE_BIGINT: real = NAN; break;
    default: return false;
    }
    bool integer = value->kind == VALUE_INT || value->kind == VALUE_BOOL;
    text_add(text, "plumbline::full(");
    if (strcmp(result->dtype, "torch.bool") == 0 && !isnan(real))
        text_add(text, real != 0 ? "True" : "False");
    else if (result->floating && value->kind != VALUE_COMPLEX && value->kind != VALUE_BIGINT &&
             (!integer || llabs((long long)value->integer) <= (1LL << 53)))
        add_real(text, real);
    else if (value->kind == VALUE_BOOL)
        add_integer(text, value->integer);
    else
        text_add_value(text, value);
    text_add(text, ") -> ");
    text_add_shape(text, result->dtype, result->shape, result->rank);
    return true;
}

static void visit_value(const Value *value, OperandVisitor *visit, void *context) {
    if (value->kind == VALUE_TENSOR)
        visit(value->tensor.number, context);
    for (size_t i = 0; value_is_container(value) && i < value->list.count; i++)
        visit_value(&value->list.items[i], visit, context);
}

void operation_operands(const Operation *operation, OperandVisitor *visit, void *context) {
    const Schema *schema = operation->schema;
    size_t count = schema->class == OPERATOR_CAST && schema->arg_count > 1 ? 1 : schema->arg_count;
    if (is_swapped(operation)) {
        visit(operation->args[1].tensor.number, context);
        visit(operation->args[0].tensor.number, context);
    }
    for (size_t i = is_swapped(operation) ? 2 : 0; i < count; i++)
        if (schema->read[i])
            visit_value(&operation->args[i], visit, context);
}
