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
    LeafOf of;
    bool matches;
    double largest; /* finite element of all the original's gradients */
} Walk;

enum { DEEPEST = 100 };
static const char FINAL_INPUT[] = "the final input ", GIVEN[] = "given ";

static void differ(Walk *walk, VerifyRule rule, OutputComparison *leaf, const char *problem) {
    static const VerifyRule of_left[] = {
        [LEAF_OF_ARGUMENTS] = RULE_NUMBERS_INPUT, [LEAF_OF_STATE] = RULE_NUMBERS_STATE};
    walk->matches = false;
    leaf->matches = false;
    leaf->problem = problem;
    const Rule *broken = verify_rule(walk->of == LEAF_OF_OUTPUTS ? rule : of_left[walk->of]);
    Finding *finding =
        findings_add(walk->findings, broken, SEVERITY_VIOLATION, (Place){0}, "%s: %s", leaf->path, problem);
    finding->where = leaf->path;
}

static OutputComparison *add_leaf(Walk *walk, const char *path, const char *dtype) {
    OutputComparison *leaf = ARENA_PUSH(walk->arena, &walk->leaves);
    *leaf = (OutputComparison){.of = walk->of,
                               .path = arena_strdup(walk->arena, path),
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

static void compare_views(Walk *walk, const char *path, const TensorView *a, const TensorView *b) {
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

static void compare_tensors(Walk *walk, const char *path, TensorId theirs, TensorId ours) {
    compare_views(walk, path, &walk->original->tensors[theirs.number],
                  &walk->candidate->tensors[ours.number]);
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

static const char *returns(const Walk *walk) {
    return walk->of == LEAF_OF_OUTPUTS ? "returns" : "leaves";
}

static const char *does_not_return(const Walk *walk, const char *side) {
    return arena_printf(walk->arena, "the %s does not %s it", side,
                        walk->of == LEAF_OF_OUTPUTS ? "return" : "leave");
}

static void note_kind(Walk *walk, const char *path, const Value *a, const Value *b) {
    if (a->kind != b->kind)
        findings_add(walk->findings, verify_rule(RULE_NUMBERS_STRUCTURE), SEVERITY_NOTE, (Place){0},
                     "%s: the original %s a %s, the refactored a %s with the same items", path, returns(walk),
                     value_type_name(a), value_type_name(b));
}

static void compare_values(Walk *walk, const char *path, const Value *a, const Value *b, int depth);

static void compare_sequences(Walk *walk, const char *path, const Value *a, const Value *b, int depth) {
    if (a->list.count != b->list.count) {
        structure_problem(walk, path,
                          arena_printf(walk->arena, "the original %s %zu items, the refactored %zu",
                                       returns(walk), a->list.count, b->list.count));
        return;
    }
    note_kind(walk, path, a, b);
    const bool named = a->kind == VALUE_NAMEDTUPLE && b->kind == VALUE_NAMEDTUPLE;
    for (size_t i = 0; named && i < a->list.count; i++)
        if (!text_equal(a->fields[i], b->fields[i])) {
            structure_problem(walk, path,
                              arena_printf(walk->arena,
                                           "item %zu is %s in the original, %s in the refactored", i,
                                           a->fields[i], b->fields[i]));
            return;
        }
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
            structure_problem(walk, step, does_not_return(walk, "refactored"));
        else
            compare_values(walk, step, mapping_item(a, i), other, depth + 1);
    }
    Table *theirs = table_new(walk->arena);
    for (size_t i = 0; i < mapping_count(a); i++)
        table_put(theirs, item_key(walk->arena, a, i), TABLE_PRESENT);
    for (size_t i = 0; i < ours->count; i++)
        if (!table_has(theirs, ours->items[i].key))
            structure_problem(walk, arena_printf(walk->arena, "%s[%s]", path, ours->items[i].key),
                              does_not_return(walk, "original"));
}

/* A tensor that was given and is unchanged: docs/protocol.md, "work: run". */
static bool is_given(const Walk *walk, const Value *value) {
    return walk->of == LEAF_OF_ARGUMENTS && value->kind == VALUE_OTHER &&
           text_starts(value->text.data, GIVEN);
}

static void compare_given(Walk *walk, const char *path, const Value *a, const Value *b) {
    if (is_given(walk, a) && is_given(walk, b) && text_equal(a->text.data, b->text.data))
        return;
    const Value *given = is_given(walk, a) ? a : b, *changed = given == a ? b : a;
    const char *own = arena_printf(walk->arena, "%s%s", FINAL_INPUT, given->text.data + strlen(GIVEN));
    if (changed->kind != VALUE_TENSOR || !text_equal(own, path))
        structure_problem(walk, path, "what stands there is another than in the original");
    else
        structure_problem(walk, path,
                          changed == a ? "the original modifies its input in place, the refactored does not"
                                       : "the refactored modifies its input in place, the original does not");
}

static void compare_values(Walk *walk, const char *path, const Value *a, const Value *b, int depth) {
    if (depth > DEEPEST) {
        structure_problem(walk, path, "nested too deeply");
    } else if (is_given(walk, a) || is_given(walk, b)) {
        compare_given(walk, path, a, b);
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
        structure_problem(walk, path,
                          arena_printf(walk->arena, "the original %s %s, the refactored %s", returns(walk),
                                       texts[0], texts[1]));
    } else if (!value_is_container(a) && walk->of == LEAF_OF_OUTPUTS) {
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

/* ---- What forward leaves of its arguments and of the state (soundness 3) --------------------- */

static void compare_arguments(Walk *walk) {
    const Value *a = &walk->original->arguments, *b = &walk->candidate->arguments;
    walk->of = LEAF_OF_ARGUMENTS;
    for (size_t i = 0; a->kind == VALUE_DICT && b->kind == VALUE_DICT && i < mapping_count(a); i++) {
        const Value *name = &a->list.items[2 * i];
        const char *path =
            arena_printf(walk->arena, "%s%s", FINAL_INPUT, name->kind == VALUE_STR ? name->text.data : "");
        if (i < mapping_count(b))
            compare_values(walk, path, mapping_item(a, i), mapping_item(b, i), 0);
    }
}

/* A cache of a library's, a generator, a function: neither side's can be looked into. */
static bool is_comparable(const Value *value) {
    bool all = value->kind != VALUE_OTHER && value->kind != VALUE_FUNCTION && value->kind != VALUE_MODULE;
    for (size_t i = 0; all && value_is_container(value) && i < value->list.count; i++)
        all = is_comparable(&value->list.items[i]);
    return all;
}

static bool attributes_agree(const Value *a, const Value *b, void *context) {
    Walk scratch = *(const Walk *)context;
    scratch.findings = findings_new(scratch.arena);
    scratch.leaves.items = NULL;
    scratch.leaves.count = scratch.leaves.capacity = 0;
    scratch.matches = true;
    compare_values(&scratch, "", a, b, 0);
    return scratch.matches;
}

static void compare_attributes(Walk *walk) {
    const Value *a = &walk->original->attributes, *b = &walk->candidate->attributes;
    walk->of = LEAF_OF_STATE;
    if (a->kind != VALUE_DICT || b->kind != VALUE_DICT)
        return;
    const Value **others = attribute_counterparts(walk->arena, a, b, attributes_agree, walk);
    for (size_t i = 0; i < mapping_count(a); i++) {
        const Value *name = &a->list.items[2 * i], *value = mapping_item(a, i);
        if (others[i] != NULL && is_comparable(value) && is_comparable(others[i]))
            compare_values(
                walk,
                arena_printf(walk->arena, "the attribute %s", name->kind == VALUE_STR ? name->text.data : ""),
                value, others[i], 0);
    }
}

/* Both have the shape that the piece was made for: of any other nothing can be sliced. */
static bool can_be_sliced(const TensorView *theirs, const StateEntry *original, const TensorView *ours,
                          const StateEntry *candidate) {
    return tensor_same_shape(theirs, &original->tensor) && tensor_same_shape(ours, &candidate->tensor);
}

static void compare_piece(Walk *walk, const StateEntry *original, const StateEntry *candidate,
                          const Piece *piece) {
    const TensorView *theirs = final_state(walk->original, original->key),
                     *ours = final_state(walk->candidate, candidate->key);
    const char *path = arena_printf(walk->arena, "the final state %s", original->key);
    const bool whole = piece->kind == PIECE_WHOLE && !piece->transpose;
    if (!state_is_modified(walk->original, original->key) ||
        !state_is_modified(walk->candidate, candidate->key) || (theirs == NULL && ours == NULL))
        return; /* that one side alone changes it is said elsewhere */
    if (theirs == NULL || ours == NULL || (!whole && !can_be_sliced(theirs, original, ours, candidate))) {
        structure_problem(walk, path, "what stands there is another than in the original");
        return;
    }
    int64_t shapes[2][TENSOR_RANK_MAX], strides[2][TENSOR_RANK_MAX];
    const Piece of_ours = {
        .kind = PIECE_OF_ORIGINAL, .dim = piece->dim, .start = piece->start, .stop = piece->stop};
    const TensorView a = piece_view(theirs, piece, shapes[0], strides[0]),
                     b = piece->kind == PIECE_OF_CANDIDATE ? piece_view(ours, &of_ours, shapes[1], strides[1])
                                                           : *ours;
    compare_views(walk, path, &a, &b);
}

/* Buffers that were None before forward, by name. */
static void compare_new_state(Walk *walk, const Assignment *assignment) {
    for (size_t i = 0; i < walk->candidate->state_modified_count; i++) {
        const char *key = walk->candidate->state_modified[i];
        const TensorView *theirs = final_state(walk->original, key),
                         *ours = final_state(walk->candidate, key);
        if (theirs != NULL && ours != NULL && !table_has(assignment->candidate->by_key, key) &&
            !table_has(assignment->original->by_key, key))
            compare_views(walk, arena_printf(walk->arena, "the final state %s", key), theirs, ours);
    }
}

static void compare_state(Walk *walk) {
    const Assignment *assignment = walk->original->assignment;
    const Piece whole = {.kind = PIECE_WHOLE};
    walk->of = LEAF_OF_STATE;
    for (size_t i = 0; assignment != NULL && i < assignment->candidate->count; i++) {
        const StateEntry *entry = &assignment->candidate->items[i];
        const Assigned *assigned = &assignment->items[i];
        const StateEntry *counterpart =
            assigned->count > 0 ? NULL : state_counterpart(assignment, walk->original, walk->candidate, i);
        if (counterpart != NULL)
            compare_piece(walk, counterpart, entry, &whole);
        for (size_t p = 0; p < assigned->count; p++)
            compare_piece(walk, &assignment->original->items[assigned->items[p].original], entry,
                          &assigned->items[p]);
    }
    if (assignment != NULL)
        compare_new_state(walk, assignment);
}

RunOutputs outputs_alone(const RunOutputs *outputs) {
    RunOutputs alone = *outputs;
    alone.arguments = alone.attributes = (Value){.kind = VALUE_NONE};
    alone.assignment = NULL;
    return alone;
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
    if (original->gradients) {
        compare_gradients(&walk);
    } else {
        compare_values(&walk, "out", &original->outputs, &candidate->outputs, 0);
        compare_arguments(&walk);
        compare_state(&walk);
        compare_attributes(&walk);
    }
    *comparisons = walk.leaves.items;
    *count = walk.leaves.count;
    return walk.matches;
}

bool outputs_agree(const RunOutputs *original, const RunOutputs *candidate, Tolerance tolerance,
                   unsigned threads) {
    Arena *arena = arena_new();
    OutputComparison *outputs;
    size_t count;
    const bool agree = compare_outputs(arena, original, candidate, tolerance, threads, &outputs, &count,
                                       findings_new(arena));
    arena_free(arena);
    return agree;
}
