/* Nested outputs, compared by structure and named by path. */
#include "verify_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct Walk {
    Arena *arena;
    const RunOutputs *original, *candidate;
    Tolerance tolerance;
    unsigned threads;
    struct {
        OutputComparison *items;
        size_t count, capacity;
    } leaves;
    Findings *findings;
    bool matches;
    double largest; /* finite element of all the original's gradients */
} Walk;

enum { DEEPEST = 100 };

static void differ(Walk *walk, VerifyRule rule, OutputComparison *leaf, const char *problem) {
    walk->matches = false;
    leaf->matches = false;
    leaf->problem = problem;
    Finding *finding = findings_add(walk->findings, verify_rule(rule), SEVERITY_VIOLATION, (Place){0},
                                    "%s: %s", leaf->path, problem);
    finding->where = leaf->path;
}

static OutputComparison *add_leaf(Walk *walk, const char *path, const char *dtype) {
    OutputComparison *leaf = ARENA_PUSH(walk->arena, &walk->leaves);
    *leaf = (OutputComparison){.path = arena_strdup(walk->arena, path),
                               .shape = "",
                               .dtype = dtype,
                               .shape_match = true,
                               .dtype_match = true,
                               .scale = 1,
                               .matches = true};
    return leaf;
}

static const char *numbers_problem(Arena *arena, const Comparison *numbers) {
    const ComparedElement *worst = &numbers->worst;
    Text index = text_new(arena);
    for (size_t i = 0; i < numbers->rank; i++)
        text_printf(&index, "%s%lld", i > 0 ? ", " : "", (long long)worst->index[i]);
    const char *by = numbers->nonfinite_mismatches == numbers->mismatches ? " (NaN or infinite on one side)"
                     : numbers->nonfinite_mismatches > 0
                         ? arena_printf(arena, ", %lld by NaN or infinity, the others by at most %.3g",
                                        (long long)numbers->nonfinite_mismatches, numbers->max_abs)
                         : arena_printf(arena, ", by at most %.3g", numbers->max_abs);
    return arena_printf(arena, "%lld of %lld elements differ%s; worst at [%s]: original %s, refactored %s",
                        (long long)numbers->mismatches, (long long)numbers->element_count, by, index.data,
                        worst->original_text, worst->candidate_text);
}

/* The largest of its finite elements. */
static double largest_of(const TensorView *tensor, unsigned threads) {
    static const int64_t strides[TENSOR_RANK_MAX];
    static const uint64_t zero[2];
    TensorView zeros = *tensor;
    zeros.data = zero;
    zeros.stride = strides;
    zeros.offset = 0;
    Comparison against_zero;
    tensor_compare(tensor, &zeros, (Tolerance){0, 0}, threads, &against_zero);
    return against_zero.nonfinite_mismatches > 0 && against_zero.max_abs == 0 ? INFINITY
                                                                              : against_zero.max_abs;
}

/* The elements of a gradient are sums of many, that cancel: they are held against the largest of them. Where
 * all of a gradient cancels (the bias of a key), against a part of the model's largest. */
static Tolerance gradient_tolerance(const Walk *walk, const TensorView *original, OutputComparison *leaf) {
    enum { MORE = 10, PART = 1000 };
    const double largest = largest_of(original, walk->threads);
    leaf->scale = fmax(isfinite(largest) ? largest : 0, walk->largest / PART);
    leaf->scale = leaf->scale > 0 ? leaf->scale : 1;
    return (Tolerance){walk->tolerance.rtol * MORE, walk->tolerance.rtol * MORE * leaf->scale};
}

static void compare_tensors(Walk *walk, const char *path, TensorId theirs, TensorId ours) {
    const TensorView *a = &walk->original->tensors[theirs.number],
                     *b = &walk->candidate->tensors[ours.number];
    OutputComparison *leaf = add_leaf(walk, path, dtype_info(a->dtype)->torch_name);
    leaf->is_tensor = true;
    leaf->shape = tensor_shape_as_text(walk->arena, a);
    leaf->dtype_match = a->dtype == b->dtype;
    leaf->shape_match = tensor_same_shape(a, b);
    if (!leaf->shape_match) {
        differ(walk, RULE_NUMBERS_SHAPE, leaf,
               arena_printf(walk->arena, "shape mismatch: the original gives %s, the refactored %s",
                            leaf->shape, tensor_shape_as_text(walk->arena, b)));
        return;
    }
    if (!leaf->dtype_match) {
        differ(walk, RULE_NUMBERS_DTYPE, leaf,
               arena_printf(walk->arena, "dtype mismatch: the original gives %s, the refactored %s",
                            dtype_info(a->dtype)->torch_name, dtype_info(b->dtype)->torch_name));
        return;
    }
    const Tolerance tolerance =
        walk->original->gradients ? gradient_tolerance(walk, a, leaf) : walk->tolerance;
    tensor_compare(a, b, tolerance, walk->threads, &leaf->numbers);
    leaf->compared = true;
    if (leaf->numbers.mismatches == 0)
        return;
    leaf->problem = numbers_problem(walk->arena, &leaf->numbers);
    leaf->matches = walk->matches = false; /* the finding is made once for all trials, with the diagnosis */
}

static bool is_sequence(const Value *value) {
    return value->kind == VALUE_LIST || value->kind == VALUE_TUPLE || value->kind == VALUE_NAMEDTUPLE;
}

static bool is_mapping(const Value *value) {
    return value->kind == VALUE_DICT || value->kind == VALUE_DATACLASS || value->kind == VALUE_NAMEDTUPLE;
}

static void structure_problem(Walk *walk, const char *path, const char *problem) {
    OutputComparison *leaf = add_leaf(walk, path, "structure");
    leaf->shape_match = false;
    differ(walk, RULE_NUMBERS_STRUCTURE, leaf, problem);
}

static void note_kind(Walk *walk, const char *path, const Value *a, const Value *b) {
    if (a->kind != b->kind)
        findings_add(walk->findings, verify_rule(RULE_NUMBERS_STRUCTURE), SEVERITY_NOTE, (Place){0},
                     "%s: the original returns a %s, the refactored a %s with the same items", path,
                     value_type_name(a), value_type_name(b));
}

static void compare_values(Walk *walk, const char *path, const Value *a, const Value *b, int depth);

static void compare_sequences(Walk *walk, const char *path, const Value *a, const Value *b, int depth) {
    if (a->list.count != b->list.count) {
        structure_problem(walk, path,
                          arena_printf(walk->arena, "the original returns %zu items, the refactored %zu",
                                       a->list.count, b->list.count));
        return;
    }
    note_kind(walk, path, a, b);
    for (size_t i = 0; i < a->list.count; i++) {
        const char *step = a->kind == VALUE_NAMEDTUPLE
                               ? arena_printf(walk->arena, "%s.%s", path, a->fields[i])
                               : arena_printf(walk->arena, "%s[%zu]", path, i);
        compare_values(walk, step, &a->list.items[i], &b->list.items[i], depth + 1);
    }
}

static const char *key_text(Arena *arena, const Value *key) {
    return key->kind == VALUE_STR ? arena_printf(arena, "\"%s\"", key->text.data)
                                  : value_describe(arena, key);
}

/* Equal for equal keys alone, which what is shown of them need not be: (0, 1) and (0, 2) are tuples of 2. */
static const char *item_key(Arena *arena, const Value *value, size_t item) {
    if (value->kind != VALUE_DICT)
        return arena_printf(arena, "\"%s\"", value->fields[item]);
    json_t *key = value_to_json(&value->list.items[2 * item]);
    char *text = json_dumps(key, JSON_ENCODE_ANY | JSON_COMPACT);
    const char *copy = arena_strdup(arena, text != NULL ? text : "");
    free(text);
    json_decref(key);
    return copy;
}

static const char *shown_key(Arena *arena, const Value *value, size_t item) {
    return value->kind == VALUE_DICT ? key_text(arena, &value->list.items[2 * item]) : value->fields[item];
}

static size_t mapping_count(const Value *value) {
    return value->kind == VALUE_DICT ? value->list.count / 2 : value->list.count;
}

static const Value *mapping_item(const Value *value, size_t item) {
    return value->kind == VALUE_DICT ? &value->list.items[2 * item + 1] : &value->list.items[item];
}

static void compare_mappings(Walk *walk, const char *path, const Value *a, const Value *b, int depth) {
    Table *ours = table_new(walk->arena);
    for (size_t i = 0; i < mapping_count(b); i++)
        table_put(ours, item_key(walk->arena, b, i), (void *)mapping_item(b, i));
    note_kind(walk, path, a, b);
    for (size_t i = 0; i < mapping_count(a); i++) {
        const char *key = item_key(walk->arena, a, i);
        const Value *other = table_get(ours, key);
        const char *step = arena_printf(walk->arena, a->kind == VALUE_DICT ? "%s[%s]" : "%s.%s", path,
                                        shown_key(walk->arena, a, i));
        if (other == NULL)
            structure_problem(walk, step, "the refactored does not return it");
        else
            compare_values(walk, step, mapping_item(a, i), other, depth + 1);
    }
    Table *theirs = table_new(walk->arena);
    for (size_t i = 0; i < mapping_count(a); i++)
        table_put(theirs, item_key(walk->arena, a, i), TABLE_PRESENT);
    for (size_t i = 0; i < ours->count; i++)
        if (!table_has(theirs, ours->items[i].key))
            structure_problem(walk, arena_printf(walk->arena, "%s[%s]", path, ours->items[i].key),
                              "the original does not return it");
}

static void compare_values(Walk *walk, const char *path, const Value *a, const Value *b, int depth) {
    if (depth > DEEPEST) {
        structure_problem(walk, path, "nested too deeply");
    } else if (a->kind == VALUE_TENSOR && b->kind == VALUE_TENSOR) {
        compare_tensors(walk, path, a->tensor, b->tensor);
    } else if (is_sequence(a) && is_sequence(b)) {
        compare_sequences(walk, path, a, b, depth);
    } else if (is_mapping(a) && is_mapping(b)) {
        compare_mappings(walk, path, a, b, depth);
    } else if (a->kind == VALUE_OTHER || b->kind == VALUE_OTHER || a->kind == VALUE_FUNCTION ||
               a->kind == VALUE_MODULE) {
        structure_problem(
            walk, path,
            arena_printf(walk->arena, "%s can't be compared; return tensors, numbers, strings and containers",
                         value_type_name(a->kind == VALUE_OTHER ? a : b)));
    } else if (!value_equal(a, b)) {
        const char *texts[2];
        value_describe_both(walk->arena, a, b, texts);
        structure_problem(
            walk, path,
            arena_printf(walk->arena, "the original returns %s, the refactored %s", texts[0], texts[1]));
    } else if (!value_is_container(a)) {
        add_leaf(walk, path, value_type_name(a));
    }
}

/* Gets a gradient on one side only. One of zeros is none. */
static void compare_reach(Walk *walk, const char *path, const RunOutputs *side, const Value *given) {
    const TensorView *tensor = &side->tensors[given->tensor.number];
    OutputComparison *leaf = add_leaf(walk, path, dtype_info(tensor->dtype)->torch_name);
    if (largest_of(tensor, walk->threads) == 0)
        return;
    leaf->matches = walk->matches = false;
    leaf->problem = side == walk->original
                        ? "none gets there in the refactored: it is the original forward only"
                        : "none gets there in the original";
}

static void compare_gradients(Walk *walk) {
    static const Value none = {.kind = VALUE_NONE};
    const Value *a = &walk->original->outputs, *b = &walk->candidate->outputs;
    Table *ours = table_new(walk->arena);
    for (size_t i = 0; b->kind == VALUE_DICT && i < mapping_count(b); i++)
        table_put(ours, item_key(walk->arena, b, i), (void *)mapping_item(b, i));
    for (size_t i = 0; i < walk->original->tensor_count; i++) {
        const double largest = largest_of(&walk->original->tensors[i], walk->threads);
        walk->largest = isfinite(largest) ? fmax(walk->largest, largest) : walk->largest;
    }
    for (size_t i = 0; a->kind == VALUE_DICT && i < mapping_count(a); i++) {
        const Value *key = &a->list.items[2 * i], *theirs = mapping_item(a, i);
        const Value *other = table_get(ours, item_key(walk->arena, a, i));
        const char *path = key->kind == VALUE_STR ? key->text.data : "";
        other = other == NULL ? &none : other;
        if (theirs->kind == VALUE_TENSOR && other->kind == VALUE_TENSOR)
            compare_tensors(walk, path, theirs->tensor, other->tensor);
        else if (theirs->kind == VALUE_TENSOR)
            compare_reach(walk, path, walk->original, theirs);
        else if (other->kind == VALUE_TENSOR)
            compare_reach(walk, path, walk->candidate, other);
    }
}

bool compare_outputs(Arena *arena, const RunOutputs *original, const RunOutputs *candidate,
                     Tolerance tolerance, unsigned threads, OutputComparison **comparisons, size_t *count,
                     Findings *findings) {
    Walk walk = {.arena = arena,
                 .original = original,
                 .candidate = candidate,
                 .tolerance = tolerance,
                 .threads = threads,
                 .findings = findings,
                 .matches = true};
    if (original->gradients)
        compare_gradients(&walk);
    else
        compare_values(&walk, "out", &original->outputs, &candidate->outputs, 0);
    *comparisons = walk.leaves.items;
    *count = walk.leaves.count;
    return walk.matches;
}
