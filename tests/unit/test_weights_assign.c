/* Which original goes where: maps and their errors, names, suffixes, ambiguity, ties, buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "weights.h"

/* ---- Models in a few words ---------------------------------------------------------------- */
typedef struct Side { /* a model's state in the making */
    json_t *state;
    uint8_t file[1 << 14];
    size_t used;
    StateDict dict;
} Side;

typedef struct World {
    Arena *arena;
    Side original, candidate;
    Findings *findings;
    Assignment assignment;
} World;

static int setup(void **state) {
    World *world = calloc(1, sizeof *world);
    world->arena = arena_new();
    world->findings = findings_new(world->arena);
    world->original.state = json_array();
    world->candidate.state = json_array();
    *state = world;
    return 0;
}

static int teardown(void **state) {
    World *world = *state;
    json_decref(world->original.state);
    json_decref(world->candidate.state);
    arena_free(world->arena);
    free(world);
    return 0;
}

static json_t *located(const char *dtype, const char *shape, size_t at, size_t size) {
    json_t *sizes = json_loads(shape, JSON_DECODE_ANY, NULL), *strides = json_array();
    int64_t step = 1;
    for (size_t i = json_array_size(sizes); i-- > 0;) {
        json_array_insert_new(strides, 0, json_integer(step));
        step *= json_integer_value(json_array_get(sizes, i));
    }
    return json_pack("{s:s, s:o, s:o, s:i, s:{s:I, s:I}}", "dtype", dtype, "shape", sizes, "stride", strides,
                     "offset", 0, "storage", "at", (json_int_t)at, "size", (json_int_t)size);
}

static void add_entry(Side *side, const char *key, const char *kind, bool persistent, const char *class,
                      int owner, json_t *tensor) {
    json_array_append_new(side->state, json_pack("{s:s, s:s, s:b, s:s, s:s, s:i, s:o}", "key", key, "kind",
                                                 kind, "persistent", persistent, "module", "", "module_class",
                                                 class, "owner", owner, "tensor", tensor));
}

static size_t room(Side *side) {
    size_t at = side->used;
    side->used += 256;
    assert_true(side->used <= sizeof side->file);
    return at;
}

static void typed(Side *side, const char *key, const char *dtype, const char *shape) {
    add_entry(side, key, "parameter", true, "Block", 0, located(dtype, shape, room(side), 256));
}

static void parameter(Side *side, const char *key, const char *shape) {
    typed(side, key, "torch.float32", shape);
}

/* One more key for the tensor that was added last. */
static void tied(Side *side, const char *key, const char *shape) {
    add_entry(side, key, "parameter", true, "Block", 0,
              located("torch.float32", shape, side->used - 256, 256));
}

static void buffer(Side *side, const char *key, const char *class, bool persistent, const float *values,
                   size_t count) {
    size_t at = room(side);
    memcpy(side->file + at, values, count * sizeof *values);
    char shape[32];
    snprintf(shape, sizeof shape, "[%zu]", count);
    bool torch = text_starts(class, "torch.nn.");
    add_entry(side, key, "buffer", persistent, class, torch ? -1 : 0,
              located("torch.float32", shape, at, 256));
}

static void decode(World *world, Side *side) {
    Error error;
    assert_int_equal(state_dict_decode(world->arena, side->state, (Bytes){side->file, sizeof side->file},
                                       true, "state", &side->dict, &error),
                     STATUS_OK);
}

static void assign(World *world, const char *map_text) {
    decode(world, &world->original);
    decode(world, &world->candidate);
    WeightMap *map = map_text == NULL ? NULL : ARENA_NEW(world->arena, WeightMap);
    Error error;
    if (map != NULL)
        assert_int_equal(weight_map_parse(world->arena, (Bytes){(const uint8_t *)map_text, strlen(map_text)},
                                          "weight_map.json", map, &error),
                         STATUS_OK);
    weights_assign(world->arena, &world->original.dict, &world->candidate.dict, map, &world->assignment,
                   world->findings);
}

/* The assignment as one line of JSON. */
static const char *map_of(World *world) {
    json_t *map = weights_map_to_json(&world->assignment);
    char *text = json_dumps(map, JSON_COMPACT);
    const char *copy = arena_strdup(world->arena, text);
    free(text);
    json_decref(map);
    return copy;
}

static void expect(World *world, WeightsRule rule, const char *what) {
    for (size_t i = 0; i < world->findings->count; i++) {
        const Finding *finding = &world->findings->items[i];
        if (finding->rule == &WEIGHTS_RULES[rule] && strstr(finding->what, what) != NULL &&
            finding->severity == SEVERITY_VIOLATION)
            return;
    }
    for (size_t i = 0; i < world->findings->count; i++)
        fprintf(stderr, "%s: %s\n", world->findings->items[i].rule->id, world->findings->items[i].what);
    fail_msg("no finding %s: %s", WEIGHTS_RULES[rule].id, what);
}

static const Finding *only_finding(World *world) {
    assert_int_equal(world->findings->count, 1);
    return &world->findings->items[0];
}

static void report(World *world) {
    weights_report_unmapped(&world->assignment, NULL, NULL, NULL, NULL, world->findings);
}

/* ---- Names -------------------------------------------------------------------------------- */
static void test_equal_names(void **state) {
    World *world = *state;
    parameter(&world->original, "a.weight", "[2, 3]");
    parameter(&world->original, "a.bias", "[2]");
    parameter(&world->candidate, "a.bias", "[2]");
    parameter(&world->candidate, "a.weight", "[2, 3]");
    assign(world, NULL);
    report(world);
    assert_int_equal(world->findings->count, 0);
    assert_int_equal(world->assignment.mapped_count, 2);
    assert_int_equal(world->assignment.items[0].by, ASSIGNED_NAME);
    assert_string_equal(map_of(world), "{\"a.bias\":\"a.bias\",\"a.weight\":\"a.weight\"}");
}

static void test_equal_names_of_other_shape_or_dtype(void **state) {
    World *world = *state;
    parameter(&world->original, "a.weight", "[2, 3]");
    parameter(&world->candidate, "a.weight", "[3, 2]");
    parameter(&world->original, "b.weight", "[8]");
    parameter(&world->candidate, "b.weight", "[4]");
    parameter(&world->original, "c.weight", "[5]");
    typed(&world->candidate, "c.weight", "torch.float16", "[5]");
    assign(world, NULL);
    report(world);
    assert_int_equal(world->findings->count, 3);
    expect(world, WEIGHTS_SHAPE,
           "\"a.weight\" is [2, 3] float32 in the original and [3, 2] float32 in the refactored");
    expect(world, WEIGHTS_SHAPE, "\"b.weight\" is [8] float32");
    expect(world, WEIGHTS_DTYPE, "[5] float16");
    assert_non_null(strstr(world->findings->items[0].instead, "dimensions are swapped"));
}

/* ---- Suffixes and shapes ------------------------------------------------------------------ */
static void test_suffixes(void **state) {
    World *world = *state;
    parameter(&world->original, "attn.q.weight", "[4, 4]");
    parameter(&world->original, "attn.k.weight", "[4, 4]");
    parameter(&world->original, "norm.weight", "[4]");
    parameter(&world->original, "norm.bias", "[4]");
    parameter(&world->original, "0.weight", "[7]");
    parameter(&world->original, "2.weight", "[7]");
    parameter(&world->original, "gamma", "[9]");
    parameter(&world->candidate, "attention.k.weight", "[4, 4]");
    parameter(&world->candidate, "attention.q.weight", "[4, 4]");
    parameter(&world->candidate, "ln.bias", "[4]");
    parameter(&world->candidate, "ln.weight", "[4]");
    parameter(&world->candidate, "seq.0.weight", "[7]");
    parameter(&world->candidate, "seq.2.weight", "[7]");
    parameter(&world->candidate, "scale.weight", "[9]");
    assign(world, NULL);
    report(world);
    assert_int_equal(world->findings->count, 0);
    assert_string_equal(
        map_of(world),
        "{\"attn.k.weight\":\"attention.k.weight\",\"attn.q.weight\":\"attention.q.weight\",\"norm.bias\":"
        "\"ln.bias\","
        "\"norm.weight\":\"ln.weight\",\"0.weight\":\"seq.0.weight\",\"2.weight\":\"seq.2.weight\","
        "\"gamma\":\"scale.weight\"}");
}

/* A child that keeps what the original had there under a name of its own. */
static void test_children_that_wrap(void **state) {
    World *world = *state;
    parameter(&world->original, "block.w1.weight", "[4, 4]");
    parameter(&world->original, "block.w2.weight", "[4, 4]");
    parameter(&world->original, "layers.0.fc.weight", "[5]");
    parameter(&world->original, "layers.1.fc.weight", "[5]");
    parameter(&world->original, "a.inner.weight", "[6]");
    parameter(&world->original, "b.weight", "[6]");
    parameter(&world->candidate, "w2.linear.weight", "[4, 4]");
    parameter(&world->candidate, "w1.linear.weight", "[4, 4]");
    parameter(&world->candidate, "layers.1.fc.linear.weight", "[5]");
    parameter(&world->candidate, "layers.0.fc.linear.weight", "[5]");
    parameter(&world->candidate, "b.inner.weight", "[6]");
    parameter(&world->candidate, "c.weight", "[6]");
    assign(world, NULL);
    report(world);
    assert_int_equal(world->findings->count, 0);
    assert_string_equal(map_of(world),
                        "{\"block.w2.weight\":\"w2.linear.weight\",\"block.w1.weight\":\"w1.linear.weight\","
                        "\"layers.1.fc.weight\":"
                        "\"layers.1.fc.linear.weight\",\"layers.0.fc.weight\":\"layers.0.fc.linear.weight\","
                        "\"a.inner.weight\":\"b.inner.weight\",\"b.weight\":\"c.weight\"}");
}

static void test_wrapping_by_numbers_alone_is_ambiguous(void **state) {
    World *world = *state;
    parameter(&world->original, "stem.0.weight", "[4]");
    parameter(&world->original, "stem.1.weight", "[4]");
    parameter(&world->candidate, "b.0.conv.weight", "[4]");
    parameter(&world->candidate, "a.1.conv.weight", "[4]");
    assign(world, NULL);
    report(world);
    expect(world, WEIGHTS_AMBIGUOUS, "in more than one way");
}

static void test_deduplicated_kernels_are_ambiguous(void **state) {
    World *world = *state;
    char key[64];
    for (int i = 0; i < 12; i++) {
        snprintf(key, sizeof key, "layers.%d.mlp.up.weight", i);
        parameter(&world->original, key, "[3, 4]");
        snprintf(key, sizeof key, "up_proj_%d.weight", i);
        parameter(&world->candidate, key, "[3, 4]");
    }
    assign(world, NULL);
    assert_int_equal(world->findings->count, 0);
    assert_int_equal(world->assignment.mapped_count, 0);
    report(world);
    const Finding *finding = only_finding(world);
    assert_ptr_equal(finding->rule, &WEIGHTS_RULES[WEIGHTS_AMBIGUOUS]);
    assert_non_null(strstr(finding->what, "up_proj_0.weight, up_proj_1.weight"));
    assert_non_null(strstr(finding->what, "and 6 more"));
    json_t *fragment = json_loads(finding->frame, 0, NULL);
    assert_non_null(fragment);
    assert_string_equal(json_string_value(json_object_get(fragment, "layers.11.mlp.up.weight")),
                        "up_proj_11.weight");
    json_decref(fragment);
}

static void test_the_lines_that_are_shown_go_by_words_and_settle_all(void **state) {
    World *world = *state;
    static const char *const parts[][2] = {{"res", "weight"}, {"skip", "weight"}, {"res", "bias"}};
    char key[64];
    for (size_t i = 0; i < 6; i++) {
        const char *shape = i % 3 == 2 ? "[3]" : "[3, 4]";
        snprintf(key, sizeof key, "blocks.%zu.%s.%s", i / 3, parts[i % 3][0], parts[i % 3][1]);
        parameter(&world->original, key, shape);
        snprintf(key, sizeof key, "%s.%zu.conv.%s", parts[i / 2][0], i % 2, parts[i / 2][1]);
        parameter(&world->candidate, key, i / 2 == 2 ? "[3]" : "[3, 4]");
    }
    assign(world, NULL);
    report(world);
    assert_int_equal(world->findings->count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_ptr_equal(world->findings->items[i].rule, &WEIGHTS_RULES[WEIGHTS_AMBIGUOUS]);
        json_t *lines = json_loads(world->findings->items[i].frame, 0, NULL);
        assert_int_equal(json_object_size(lines), 6);
        const char *place = json_string_value(json_object_get(lines, "blocks.0.skip.weight"));
        assert_string_equal(place, "skip.0.conv.weight");
        place = json_string_value(json_object_get(lines, "blocks.1.res.bias"));
        assert_string_equal(place, "res.1.conv.bias");
        json_decref(lines);
    }
}

static void test_the_parts_of_fused_weights_are_shown(void **state) {
    World *world = *state;
    static const char *const words[] = {"q", "k", "v"};
    char key[64];
    for (size_t i = 0; i < 2; i++) {
        snprintf(key, sizeof key, "layers.%zu.attn.qkv.weight", i);
        parameter(&world->original, key, "[12, 4]");
        for (size_t j = 0; j < 3; j++) {
            snprintf(key, sizeof key, "layers.%zu.attn.%s.weight", i, words[j]);
            parameter(&world->candidate, key, j == 0 ? "[8, 4]" : "[2, 4]");
        }
    }
    parameter(&world->candidate, "gate_up.weight", "[4, 10]");
    parameter(&world->original, "gate.weight", "[4, 5]");
    parameter(&world->original, "up.weight", "[4, 5]");
    assign(world, NULL);
    report(world);
    json_t *lines = json_loads(world->findings->items[0].frame, 0, NULL);
    assert_int_equal(json_object_size(lines), 4);
    const json_t *part = json_array_get(json_object_get(lines, "layers.1.attn.qkv.weight"), 2);
    assert_string_equal(json_string_value(json_object_get(part, "key")), "layers.1.attn.v.weight");
    assert_int_equal(json_integer_value(json_object_get(part, "start")), 10);
    assert_int_equal(json_integer_value(json_object_get(part, "stop")), 12);
    part = json_object_get(lines, "up.weight");
    assert_string_equal(json_string_value(json_object_get(part, "key")), "gate_up.weight");
    assert_int_equal(json_integer_value(json_object_get(part, "dim")), 1);
    assert_int_equal(json_integer_value(json_object_get(part, "start")), 5);
    json_decref(lines);
}

static void test_what_is_no_whole_of_the_leftover_parts_is_not_shown(void **state) {
    World *world = *state;
    parameter(&world->original, "qkv.weight", "[12, 4]");
    parameter(&world->candidate, "q.weight", "[4, 4]");
    parameter(&world->candidate, "k.weight", "[4, 4]");
    assign(world, NULL);
    report(world);
    assert_int_equal(world->findings->count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_null(world->findings->items[i].frame);
}

static void test_a_map_of_what_is_equal_by_construction_writes_nothing(void **state) {
    World *world = *state;
    const float mask[] = {1, 0, 1, 1}, other[] = {1, 1, 0, 1}, ones[] = {1, 1, 1, 1};
    buffer(&world->original, "bias", "Block", true, mask, 4);
    buffer(&world->original, "late", "Block", true, mask, 4);
    buffer(&world->original, "gate", "Block", true, ones, 4);
    buffer(&world->candidate, "causal", "Block", true, mask, 4);
    buffer(&world->candidate, "wrong", "Block", true, other, 4);
    buffer(&world->candidate, "scale", "Block", true, ones, 4);
    assign(world, "{\"bias\": \"causal\", \"late\": \"wrong\", \"gate\": \"scale\"}");
    report(world);
    assert_int_equal(world->findings->count, 0);
    assert_int_equal(world->assignment.assumption_count, 1);
    assert_string_equal(world->assignment.assumptions[0],
                        "causal keeps its value from construction; it equals the original's bias");
    assert_true(world->assignment.items[0].equals);
    assert_false(world->assignment.items[1].equals); /* its bytes come from the map */
    assert_false(world->assignment.items[2].equals); /* all ones are state */
}

/* ---- Suffixes, by comparing every pair ----------------------------------------------------- */
enum { MOST_PARTS = 6, MOST_DRAWN = 10 };

typedef struct Split { /* of a key */
    const char *items[MOST_PARTS];
    size_t count;
} Split;

typedef struct Drawn { /* a tensor */
    Split keys[2];
    size_t count;
    size_t partner; /* SIZE_MAX: none */
} Drawn;

static size_t drawn_below(uint32_t *seed, size_t below) {
    *seed = *seed * 1664525U + 1013904223U;
    return (*seed >> 16) % below;
}

static size_t shared_parts(const Split *a, size_t i, const Split *b, size_t j) {
    size_t shared = 0;
    while (shared < i && shared < j && strcmp(a->items[i - shared - 1], b->items[j - shared - 1]) == 0)
        shared++;
    return shared;
}

/* Ends count to where a name or a whole key begins. */
static size_t likeness_of_ends(const Split *a, const Split *b) {
    for (size_t shared = shared_parts(a, a->count, b, b->count); shared > 0; shared--)
        if (shared == a->count || shared == b->count || a->items[a->count - shared][0] > '9')
            return 2 * shared;
    return 0;
}

/* Something in the middle of `a` is left out, and one of the two is whole then. */
static size_t likeness_around_gap(const Split *a, const Split *b) {
    size_t best = 0;
    for (size_t after = 1; after <= shared_parts(a, a->count, b, b->count); after++)
        for (size_t i = 1; i + after < a->count; i++) {
            size_t j = b->count - after, before = shared_parts(a, i, b, j);
            if (before > 0 && (before == i || before == j) && 2 * (after + before) - 1 > best)
                best = 2 * (after + before) - 1;
        }
    return best;
}

static size_t likeness_of(const Drawn *a, const Drawn *b) {
    size_t best = 0;
    for (size_t i = 0; i < a->count; i++)
        for (size_t j = 0; j < b->count; j++) {
            const size_t all[] = {likeness_of_ends(&a->keys[i], &b->keys[j]),
                                  likeness_around_gap(&a->keys[i], &b->keys[j]),
                                  likeness_around_gap(&b->keys[j], &a->keys[i])};
            for (size_t k = 0; k < 3; k++)
                best = all[k] > best ? all[k] : best;
        }
    return best;
}

static size_t only_best(const Drawn *one, const Drawn *others, size_t count) {
    size_t best = 0, at = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        const size_t like = others[i].partner != SIZE_MAX ? 0 : likeness_of(one, &others[i]);
        if (like > best || (like == best && like > 0)) {
            at = like > best ? i : SIZE_MAX;
            best = like;
        }
    }
    return at;
}

static void pair_all(Drawn *originals, size_t original_count, Drawn *candidates, size_t candidate_count) {
    size_t i, last = SIZE_MAX, left = 0;
    for (bool more = true; more;) {
        more = false;
        for (size_t j = 0; j < candidate_count; j++)
            if (candidates[j].partner == SIZE_MAX &&
                (i = only_best(&candidates[j], originals, original_count)) != SIZE_MAX &&
                only_best(&originals[i], candidates, candidate_count) == j) {
                candidates[j].partner = i;
                originals[i].partner = j;
                more = true;
            }
    }
    for (i = 0; i < original_count; i++)
        if (originals[i].partner == SIZE_MAX) {
            last = i;
            left++;
        }
    for (size_t j = 0; j < candidate_count && left == 1; j++)
        if (candidates[j].partner == SIZE_MAX) {
            for (size_t k = j + 1; k < candidate_count; k++)
                if (candidates[k].partner == SIZE_MAX)
                    return;
            candidates[j].partner = last;
            left = 0;
        }
}

/* Some keys of a side, each under `first`, so that no name is on both sides. */
static size_t draw_side(World *world, Side *side, const char *first, uint32_t *seed, Drawn *drawn) {
    static const char *const parts[] = {"a", "b", "w", "0", "1"};
    Table *keys = table_new(world->arena);
    size_t count = 0;
    for (size_t i = 1 + drawn_below(seed, MOST_DRAWN); i > 0; i--) {
        Drawn *next = &drawn[count];
        *next = (Drawn){.partner = SIZE_MAX};
        const bool both = drawn_below(seed, 4) == 0;
        for (size_t k = 0; k < (both ? 2 : 1); k++) {
            Split split = {.items = {first}, .count = 1};
            Text key = text_new(world->arena);
            text_add(&key, first);
            for (size_t left = drawn_below(seed, MOST_PARTS); left > 0; left--) {
                split.items[split.count++] = parts[drawn_below(seed, COUNT_OF(parts))];
                text_printf(&key, ".%s", split.items[split.count - 1]);
            }
            if (table_has(keys, key.data))
                continue;
            table_put(keys, key.data, TABLE_PRESENT);
            next->keys[next->count++] = split;
            if (next->count == 1)
                parameter(side, key.data, "[4]");
            else
                tied(side, key.data, "[4]");
        }
        count += next->count > 0;
    }
    return count;
}

static void test_suffixes_are_those_of_every_pair(void **state) {
    (void)state;
    uint32_t seed = 1;
    size_t pairs = 0, open = 0;
    for (int round = 0; round < 3000; round++) {
        void *made;
        setup(&made);
        World *world = made;
        Drawn originals[MOST_DRAWN], candidates[MOST_DRAWN];
        /* Keys of one side begin alike where the other's have a part of that name too. */
        const char *const firsts[][2] = {{"m", "n"}, {"a", "n"}, {"0", "b"}, {"1", "0"}};
        const char *const *first = firsts[round % COUNT_OF(firsts)];
        const size_t original_count = draw_side(world, &world->original, first[0], &seed, originals),
                     candidate_count = draw_side(world, &world->candidate, first[1], &seed, candidates);
        assign(world, NULL);
        pair_all(originals, original_count, candidates, candidate_count);
        for (size_t i = 0, j = 0; i < world->candidate.dict.count; i++) {
            if (world->candidate.dict.items[i].tie != i)
                continue;
            const Assigned *assigned = &world->assignment.items[i];
            size_t got = SIZE_MAX;
            for (size_t k = 0; assigned->by == ASSIGNED_SUFFIX && k <= assigned->items[0].original; k++)
                got += world->original.dict.items[k].tie == k;
            if (got != candidates[j].partner)
                fail_msg("round %d: %s", round, world->candidate.dict.items[i].key);
            pairs += got != SIZE_MAX;
            open += got == SIZE_MAX;
            j++;
        }
        teardown(&made);
    }
    assert_in_range(pairs, 1000, 30000);
    assert_in_range(open, 1000, 30000);
}

static void test_numbers_alone_are_no_suffix(void **state) {
    World *world = *state;
    parameter(&world->original, "stem.0.weight", "[4]");
    parameter(&world->original, "stem.1.weight", "[4]");
    parameter(&world->candidate, "b.0.weight", "[4]");
    parameter(&world->candidate, "a.1.weight", "[4]");
    assign(world, NULL);
    report(world);
    expect(world, WEIGHTS_AMBIGUOUS, "in more than one way");
}

static void test_a_partial_map_settles_the_rest(void **state) {
    World *world = *state;
    parameter(&world->original, "x.weight", "[4]");
    parameter(&world->original, "y.weight", "[4]");
    parameter(&world->original, "same", "[6]");
    parameter(&world->candidate, "p.weight", "[4]");
    parameter(&world->candidate, "q.weight", "[4]");
    parameter(&world->candidate, "same", "[6]");
    assign(world, "{\"y.weight\": \"p.weight\"}");
    report(world);
    assert_int_equal(world->findings->count, 0);
    assert_string_equal(map_of(world),
                        "{\"y.weight\":\"p.weight\",\"x.weight\":\"q.weight\",\"same\":\"same\"}");
    assert_int_equal(world->assignment.items[1].by, ASSIGNED_SUFFIX);
}

static void test_crossing_takes_a_map(void **state) {
    World *world = *state;
    for (int side = 0; side < 2; side++) {
        parameter(side == 0 ? &world->original : &world->candidate, "a", "[4]");
        parameter(side == 0 ? &world->original : &world->candidate, "b", "[4]");
    }
    assign(world, "{\"a\": \"b\"}"); /* b must not go to a by itself, though it is the only one left */
    report(world);
    assert_int_equal(world->findings->count, 2);
    expect(world, WEIGHTS_UNMAPPED_ORIGINAL, "\"b\"");
    expect(world, WEIGHTS_UNMAPPED_REFACTORED, "\"a\"");
}

static void test_crossing_by_map(void **state) {
    World *world = *state;
    for (int side = 0; side < 2; side++) {
        parameter(side == 0 ? &world->original : &world->candidate, "a", "[4]");
        parameter(side == 0 ? &world->original : &world->candidate, "b", "[4]");
    }
    assign(world, "{\"a\": \"b\", \"b\": \"a\"}");
    report(world);
    assert_int_equal(world->findings->count, 0);
    assert_string_equal(map_of(world), "{\"b\":\"a\",\"a\":\"b\"}");
}

/* ---- Maps --------------------------------------------------------------------------------- */
static void test_unknown_keys(void **state) {
    World *world = *state;
    parameter(&world->original, "encoder.weight", "[4]");
    parameter(&world->candidate, "child.weight", "[4]");
    assign(world, "{\n  \"encoder.weigth\": \"child.weight\",\n  \"encoder.weight\": \"chlid.weight\",\n"
                  "  \"child.weight\": []\n}");
    assert_int_equal(world->findings->count, 3);
    expect(world, WEIGHTS_UNKNOWN_KEY, "the original has no key \"encoder.weigth\"");
    expect(world, WEIGHTS_UNKNOWN_KEY, "the refactored model has no key \"chlid.weight\"");
    assert_int_equal(world->findings->items[0].place.line, 2);
    assert_int_equal(world->findings->items[1].place.line, 3);
    assert_non_null(strstr(world->findings->items[0].instead, "did you mean \"encoder.weight\"?"));
    assert_non_null(strstr(world->findings->items[2].instead, "the other side has it"));
}

static void test_map_of_other_shape(void **state) {
    World *world = *state;
    parameter(&world->original, "a", "[2, 3]");
    parameter(&world->candidate, "b", "[3, 2]");
    typed(&world->candidate, "c", "torch.bfloat16", "[2, 3]");
    assign(world, "{\"a\": [\"b\", \"c\"]}");
    expect(world, WEIGHTS_SHAPE, "original \"a\" is [2, 3] float32, refactored \"b\" is [3, 2] float32");
    expect(world, WEIGHTS_DTYPE, "refactored \"c\" is [2, 3] bfloat16");
    assert_non_null(strstr(world->findings->items[0].instead, "\"transpose\": true"));
}

static void test_transposed_whole(void **state) {
    World *world = *state;
    parameter(&world->original, "a", "[2, 3]");
    parameter(&world->candidate, "b", "[3, 2]");
    assign(world, "{\"a\": {\"key\": \"b\", \"transpose\": true}}");
    assert_int_equal(world->findings->count, 0);
    assert_string_equal(map_of(world), "{\"a\":{\"key\":\"b\",\"transpose\":true}}");
}

static void test_given_twice(void **state) {
    World *world = *state;
    parameter(&world->original, "a", "[4]");
    parameter(&world->original, "b", "[4]");
    parameter(&world->candidate, "c", "[4]");
    assign(world, "{\"a\": \"c\",\n\"b\": \"c\"}");
    expect(world, WEIGHTS_TWICE, "refactored \"c\" is given twice: by original a (line 1) and by b (line 2)");
}

static const char *const QKV_MAP = "{\"qkv\": [{\"key\": \"q\", \"dim\": 0, \"start\": 0, \"stop\": 2},"
                                   " {\"key\": \"k\", \"dim\": 0, \"start\": 2, \"stop\": 4},"
                                   " {\"key\": \"v\", \"dim\": 0, \"start\": 4, \"stop\": 6}]}";

static void test_fused_original(void **state) {
    World *world = *state;
    parameter(&world->original, "qkv", "[6, 3]");
    parameter(&world->candidate, "q", "[2, 3]");
    parameter(&world->candidate, "k", "[2, 3]");
    parameter(&world->candidate, "v", "[2, 3]");
    assign(world, QKV_MAP);
    report(world);
    assert_int_equal(world->findings->count, 0);
    assert_int_equal(world->assignment.items[1].items[0].kind, PIECE_OF_ORIGINAL);
    assert_int_equal(world->assignment.items[1].items[0].start, 2);
}

static void test_parts_of_the_original_leave_a_gap(void **state) {
    World *world = *state;
    parameter(&world->original, "qkv", "[6, 3]");
    parameter(&world->candidate, "q", "[2, 3]");
    parameter(&world->candidate, "v", "[2, 3]");
    assign(world, "{\"qkv\": [{\"key\": \"q\", \"start\": 0, \"stop\": 2}, {\"key\": \"v\", \"start\": 4, "
                  "\"stop\": 6}]}");
    expect(world, WEIGHTS_PARTS,
           "the parts of original \"qkv\" [6, 3] float32 leave out 2..4 along dimension 0");
}

static void test_parts_of_the_original_overlap(void **state) {
    World *world = *state;
    parameter(&world->original, "qk", "[4, 3]");
    parameter(&world->candidate, "q", "[3, 3]");
    parameter(&world->candidate, "k", "[2, 3]");
    assign(world, "{\"qk\": [{\"key\": \"q\", \"start\": 0, \"stop\": 3}, {\"key\": \"k\", \"start\": 2, "
                  "\"stop\": 4}]}");
    expect(world, WEIGHTS_PARTS, "give twice 2..3 along dimension 0");
}

static void test_parts_beside_the_whole(void **state) {
    World *world = *state;
    parameter(&world->original, "qkv", "[6, 3]");
    parameter(&world->candidate, "all", "[6, 3]");
    parameter(&world->candidate, "v", "[2, 3]");
    assign(world, "{\"qkv\": [\"all\", {\"key\": \"v\", \"start\": 4, \"stop\": 6}]}");
    report(world);
    assert_int_equal(world->findings->count, 0);
}

static void test_fused_candidate(void **state) {
    World *world = *state;
    parameter(&world->original, "q", "[2, 3]");
    parameter(&world->original, "kv", "[3, 4]");
    parameter(&world->candidate, "qkv", "[6, 3]");
    assign(world, "{\"q\": {\"key\": \"qkv\", \"dim\": 0, \"start\": 0, \"stop\": 2},\n"
                  " \"kv\": {\"key\": \"qkv\", \"dim\": 0, \"start\": 2, \"stop\": 6, \"transpose\": true}}");
    report(world);
    assert_int_equal(world->findings->count, 0);
    assert_int_equal(world->assignment.items[0].count, 2);
    assert_int_equal(world->assignment.items[0].items[1].kind, PIECE_OF_CANDIDATE);
}

static void test_parts_of_the_candidate_overlap_or_leave_a_gap(void **state) {
    World *world = *state;
    parameter(&world->original, "q", "[2, 3]");
    parameter(&world->original, "k", "[2, 3]");
    parameter(&world->candidate, "qk", "[4, 3]");
    parameter(&world->original, "u", "[2]");
    parameter(&world->candidate, "uw", "[5]");
    assign(world, "{\"q\": {\"key\": \"qk\", \"start\": 0, \"stop\": 2}, \"k\": {\"key\": \"qk\", \"start\": "
                  "1, \"stop\": 3},"
                  "\"u\": {\"key\": \"uw\", \"start\": 0, \"stop\": 2}}");
    expect(world, WEIGHTS_PARTS,
           "in refactored \"qk\", the parts from original q (line 1) and k (line 1) overlap");
    expect(world, WEIGHTS_PARTS, "the parts of refactored \"uw\" [5] float32 leave out 2..5");
    assert_int_equal(world->assignment.items[1].by, ASSIGNED_NOTHING);
}

static void test_a_part_of_neither(void **state) {
    World *world = *state;
    parameter(&world->original, "a", "[6, 3]");
    parameter(&world->candidate, "b", "[3, 3]");
    assign(world, "{\"a\": {\"key\": \"b\", \"dim\": 0, \"start\": 4, \"stop\": 7}}");
    expect(world, WEIGHTS_SHAPE,
           "original \"a\" is [6, 3] float32, refactored \"b\" is [3, 3] float32; 4..7 along");
}

static void test_maps_that_are_none(void **state) {
    World *world = *state;
    static const char *const wrong[][2] = {
        {"[1]", "weight_map.json: a weight map must be a JSON object"},
        {"{\"a\": 3}", "weight_map.json:1: a value of the map is no key"},
        {"{\n\"a\": \"b\",\n\"c\\\"\": [\"d\",\n4]}", "weight_map.json:3: a value of the map is no key"},
        {"{\"a\": {\"key\": \"b\", \"start\": 1}}", "one of \"start\" and \"stop\" only"},
        {"{\"a\": {\"key\": \"b\", \"start\": 2, \"stop\": 2}}", "starts at 2 and stops at 2"},
        {"{\"a\": {\"key\": \"b\", \"start\": -1, \"stop\": 2}}", "it must lie in"},
        {"{\"a\": {\"key\": \"b\", \"begin\": 1}}", "a part has no field \"begin\""},
        {"{\"a\": {\"dim\": 1}}", "\"key\" is missing"},
        {"{\"a\": \"b\", \"a\": \"c\"}", "not valid JSON"},
        {"{\"a\": \"b\"", "not valid JSON"},
        {"", "not valid JSON"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        WeightMap map;
        Error error;
        assert_int_equal(weight_map_parse(world->arena,
                                          (Bytes){(const uint8_t *)wrong[i][0], strlen(wrong[i][0])},
                                          "weight_map.json", &map, &error),
                         STATUS_ERROR);
        assert_non_null(strstr(error_line(world->arena, &error), wrong[i][1]));
    }
}

/* ---- Ties --------------------------------------------------------------------------------- */
static void test_tied_on_both_sides(void **state) {
    World *world = *state;
    parameter(&world->original, "emb.weight", "[4, 2]");
    tied(&world->original, "head.weight", "[4, 2]");
    parameter(&world->candidate, "emb.weight", "[4, 2]");
    tied(&world->candidate, "head.weight", "[4, 2]");
    assign(world, NULL);
    report(world);
    assert_int_equal(world->findings->count, 0);
    assert_string_equal(map_of(world), "{\"emb.weight\":\"emb.weight\",\"head.weight\":\"head.weight\"}");
}

static void test_tied_in_the_original_only(void **state) {
    World *world = *state;
    parameter(&world->original, "emb.weight", "[4, 2]");
    tied(&world->original, "head.weight", "[4, 2]");
    parameter(&world->candidate, "emb.weight", "[4, 2]");
    parameter(&world->candidate, "head.weight", "[4, 2]");
    assign(world, NULL);
    expect(world, WEIGHTS_TIE, "\"emb.weight\" and \"head.weight\" are one tensor in the original but two");
}

static void test_one_original_to_several_places_by_the_map(void **state) {
    World *world = *state;
    parameter(&world->original, "emb.weight", "[4, 2]");
    tied(&world->original, "head.weight", "[4, 2]");
    parameter(&world->candidate, "e.weight", "[4, 2]");
    parameter(&world->candidate, "h.weight", "[4, 2]");
    assign(world, "{\"emb.weight\": [\"e.weight\", \"h.weight\"]}");
    report(world);
    assert_int_equal(world->findings->count, 0);
    assert_int_equal(world->assignment.mapped_count, 2);
}

static void test_tied_in_the_candidate_only(void **state) {
    World *world = *state;
    parameter(&world->original, "emb.weight", "[4, 2]");
    parameter(&world->original, "head.weight", "[4, 2]");
    parameter(&world->candidate, "emb.weight", "[4, 2]");
    tied(&world->candidate, "head.weight", "[4, 2]");
    assign(world, NULL);
    expect(world, WEIGHTS_TIE, "are one tensor in the refactored model but two in the original");
}

/* ---- What is left over -------------------------------------------------------------------- */
static bool reads_nothing(void *context, const char *key) {
    (void)context;
    (void)key;
    return false;
}

static void test_unmapped(void **state) {
    World *world = *state;
    parameter(&world->original, "fc.weight", "[2, 3]");
    parameter(&world->candidate, "child.fc.weight", "[3, 2]");
    assign(world, NULL);
    report(world);
    assert_int_equal(world->findings->count, 2);
    expect(world, WEIGHTS_UNMAPPED_ORIGINAL,
           "original \"fc.weight\" [2, 3] float32 goes nowhere; the refactored model's "
           "\"child.fc.weight\" is [3, 2] float32: are its dimensions swapped?");
    expect(world, WEIGHTS_UNMAPPED_REFACTORED, "gets nothing from the original");
    json_t *keys = weights_unmapped_refactored(&world->assignment);
    assert_string_equal(json_string_value(json_array_get(keys, 0)), "child.fc.weight");
    json_decref(keys);
}

static void test_unmapped_but_unread(void **state) {
    World *world = *state;
    parameter(&world->original, "a", "[2]");
    parameter(&world->original, "b", "[2]");
    parameter(&world->original, "x.n", "[5]");
    parameter(&world->original, "y.n", "[5]");
    parameter(&world->candidate, "p.n", "[5]");
    parameter(&world->candidate, "q.n", "[5]");
    assign(world, "{\"a\": []}");
    weights_report_unmapped(&world->assignment, reads_nothing, NULL, reads_nothing, NULL, world->findings);
    assert_int_equal(findings_count(world->findings, SEVERITY_VIOLATION), 0);
    assert_int_equal(world->findings->count, 3);
}

static void test_mapped_nowhere_on_purpose_is_still_needed(void **state) {
    World *world = *state;
    parameter(&world->original, "a", "[2]");
    parameter(&world->candidate, "a", "[2]");
    assign(world, "{\"a\": []}");
    report(world);
    expect(world, WEIGHTS_UNMAPPED_ORIGINAL, "\"a\" [2] float32 is mapped nowhere by the map");
    expect(world, WEIGHTS_UNMAPPED_REFACTORED, "\"a\"");
}

static void test_many_unmapped_are_summed_up(void **state) {
    World *world = *state;
    char key[32];
    for (int i = 0; i < 30; i++) {
        snprintf(key, sizeof key, "p%d", i);
        parameter(&world->original, key, "[2]");
    }
    assign(world, NULL);
    report(world);
    assert_int_equal(world->findings->count, 21);
    expect(world, WEIGHTS_UNMAPPED_ORIGINAL, "10 more original keys go nowhere");
}

/* ---- Buffers ------------------------------------------------------------------------------ */
static const float MASK[] = {1, 0, 1, 1}, OTHER_MASK[] = {1, 0, 0, 1}, RAMP[] = {0, 0.5F, 1, 1.5F},
                   ZEROS[] = {0, 0, 0, 0}, ONES[] = {1, 1, 1, 1}, LEARNED[] = {0.5F, 0.1F, 3, 1},
                   ADDED_MASK[] = {0, -INFINITY, -INFINITY, 0};

static void test_which_buffers_are_state(void **state) {
    World *world = *state;
    Side *side = &world->original;
    buffer(side, "mask", "Block", true, MASK, 4);
    buffer(side, "added_mask", "Block", true, ADDED_MASK, 4);
    buffer(side, "ramp", "Block", true, RAMP, 4);
    buffer(side, "cache", "Block", false, LEARNED, 4);
    buffer(side, "zeros", "Block", true, ZEROS, 4);
    buffer(side, "ones", "Block", true, ONES, 4);
    buffer(side, "learned", "Block", true, LEARNED, 4);
    buffer(side, "running_mean", "torch.nn.modules.batchnorm.BatchNorm2d", true, MASK, 4);
    decode(world, side);
    for (size_t i = 0; i < side->dict.count; i++)
        assert_int_equal(side->dict.items[i].is_state, i >= 4);
    state_dict_mark_state(&side->dict, "cache");
    assert_true(side->dict.items[3].is_state);
}

static void test_known_buffers_keep_their_value(void **state) {
    World *world = *state;
    buffer(&world->original, "attn.bias", "Block", true, MASK, 4);
    buffer(&world->original, "attn.steps", "Block", true, RAMP, 4);
    buffer(&world->candidate, "attn.bias", "Block", true, MASK, 4);
    buffer(&world->candidate, "child.steps", "Block", false, RAMP, 4);
    buffer(&world->candidate, "own", "Block", false, OTHER_MASK, 4);
    assign(world, NULL);
    report(world);
    assert_int_equal(world->findings->count, 0);
    assert_int_equal(world->assignment.assumption_count, 3);
    assert_string_equal(world->assignment.assumptions[0],
                        "attn.bias keeps its value from construction; it equals the original's");
    assert_string_equal(world->assignment.assumptions[1],
                        "child.steps keeps its value from construction; it equals the original's attn.steps");
    assert_string_equal(world->assignment.assumptions[2],
                        "own keeps its value from construction; the original has no buffer like it");
}

static void test_a_checkpoint_overwrites_what_differs(void **state) {
    World *world = *state;
    buffer(&world->original, "bias", "Block", true, MASK, 4);
    buffer(&world->candidate, "bias", "Block", true, OTHER_MASK, 4);
    assign(world, NULL);
    assert_int_equal(world->assignment.items[0].by, ASSIGNED_NAME);
    assert_int_equal(world->assignment.assumption_count, 0);
}

static void test_state_buffers_must_be_mapped(void **state) {
    World *world = *state;
    buffer(&world->original, "bn.running_mean", "torch.nn.modules.batchnorm.BatchNorm2d", true, ZEROS, 4);
    buffer(&world->candidate, "x.first", "torch.nn.modules.batchnorm.BatchNorm2d", true, ZEROS, 4);
    buffer(&world->candidate, "x.second", "torch.nn.modules.batchnorm.BatchNorm2d", true, ZEROS, 4);
    assign(world, NULL);
    report(world);
    expect(world, WEIGHTS_AMBIGUOUS, "(x.first, x.second)");
}

/* ---- Hostile state ------------------------------------------------------------------------ */
static void test_hostile_state(void **state) {
    World *world = *state;
    static const char *const wrong[] = {
        "{}",
        "[3]",
        "[{\"key\": \"a\"}]",
        "[{\"key\": \"a\", \"kind\": \"thing\", \"persistent\": true, \"module\": \"\", \"module_class\": "
        "\"\", "
        "\"owner\": 0, \"tensor\": null}]",
        "[{\"key\": \"a\", \"kind\": \"buffer\", \"persistent\": true, \"module\": \"\", \"module_class\": "
        "\"\", "
        "\"owner\": -2, \"tensor\": null}]",
        "[{\"key\": \"a\", \"kind\": \"buffer\", \"persistent\": true, \"module\": \"\", \"module_class\": "
        "\"\", "
        "\"owner\": 0, \"tensor\": {\"unsupported\": \"sparse_coo\"}}]",
    };
    StateDict dict;
    Error error;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        json_t *json = json_loads(wrong[i], 0, NULL);
        assert_int_equal(state_dict_decode(world->arena, json, (Bytes){0}, false, "state", &dict, &error),
                         STATUS_ERROR);
        json_decref(json);
    }
    parameter(&world->original, "a", "[2]");
    parameter(&world->original, "a", "[2]");
    assert_int_equal(state_dict_decode(world->arena, world->original.state,
                                       (Bytes){world->original.file, sizeof world->original.file}, false,
                                       "state", &dict, &error),
                     STATUS_ERROR);
    assert_non_null(strstr(error.cause, "\"a\" twice"));
}

/* A cell may say that two parameters without bytes are one tensor; of other shapes they are not. */
static void test_unwritten_parameters(void **state) {
    World *world = *state;
    static const char *const text = "[{\"key\": \"a\", \"kind\": \"parameter\", \"persistent\": true, "
                                    "\"module\": \"\", \"module_class\": \"\", "
                                    "\"owner\": 0, \"tied_to\": null, \"tensor\": {\"dtype\": "
                                    "\"torch.float32\", \"shape\": [1], \"stride\": [1], "
                                    "\"offset\": 0, \"storage\": null}},"
                                    "{\"key\": \"b\", \"kind\": \"parameter\", \"persistent\": true, "
                                    "\"module\": \"\", \"module_class\": \"\", "
                                    "\"owner\": 0, \"tied_to\": \"a\", \"tensor\": {\"dtype\": "
                                    "\"torch.float32\", \"shape\": [900], \"stride\": "
                                    "[1], \"offset\": 0, \"storage\": null}}]";
    json_t *json = json_loads(text, 0, NULL);
    StateDict dict;
    Error error;
    assert_int_equal(state_dict_decode(world->arena, json, (Bytes){0}, true, "state", &dict, &error),
                     STATUS_OK);
    assert_true(dict.items[0].unwritten && dict.items[1].tie == 1);
    assert_int_equal(state_dict_decode(world->arena, json, (Bytes){0}, false, "state", &dict, &error),
                     STATUS_ERROR);
    json_decref(json);
}

static void test_rules_have_ids_and_sources(void **state) {
    (void)state;
    for (size_t i = 0; i < WEIGHTS_RULE_COUNT; i++) {
        assert_true(text_starts(WEIGHTS_RULES[i].id, "weights."));
        assert_true(WEIGHTS_RULES[i].title != NULL && WEIGHTS_RULES[i].instead != NULL &&
                    WEIGHTS_RULES[i].source != NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_equal_names),
        TEST(test_equal_names_of_other_shape_or_dtype),
        TEST(test_suffixes),
        TEST(test_children_that_wrap),
        TEST(test_wrapping_by_numbers_alone_is_ambiguous),
        TEST(test_deduplicated_kernels_are_ambiguous),
        TEST(test_the_lines_that_are_shown_go_by_words_and_settle_all),
        TEST(test_the_parts_of_fused_weights_are_shown),
        TEST(test_what_is_no_whole_of_the_leftover_parts_is_not_shown),
        TEST(test_a_map_of_what_is_equal_by_construction_writes_nothing),
        TEST(test_numbers_alone_are_no_suffix),
        cmocka_unit_test(test_suffixes_are_those_of_every_pair),
        TEST(test_a_partial_map_settles_the_rest),
        TEST(test_crossing_takes_a_map),
        TEST(test_crossing_by_map),
        TEST(test_unknown_keys),
        TEST(test_map_of_other_shape),
        TEST(test_transposed_whole),
        TEST(test_given_twice),
        TEST(test_fused_original),
        TEST(test_parts_of_the_original_leave_a_gap),
        TEST(test_parts_of_the_original_overlap),
        TEST(test_parts_beside_the_whole),
        TEST(test_fused_candidate),
        TEST(test_parts_of_the_candidate_overlap_or_leave_a_gap),
        TEST(test_a_part_of_neither),
        TEST(test_maps_that_are_none),
        TEST(test_tied_on_both_sides),
        TEST(test_tied_in_the_original_only),
        TEST(test_one_original_to_several_places_by_the_map),
        TEST(test_tied_in_the_candidate_only),
        TEST(test_unmapped),
        TEST(test_unmapped_but_unread),
        TEST(test_mapped_nowhere_on_purpose_is_still_needed),
        TEST(test_many_unmapped_are_summed_up),
        TEST(test_which_buffers_are_state),
        TEST(test_known_buffers_keep_their_value),
        TEST(test_a_checkpoint_overwrites_what_differs),
        TEST(test_state_buffers_must_be_mapped),
        TEST(test_hostile_state),
        TEST(test_unwritten_parameters),
        TEST(test_rules_have_ids_and_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
