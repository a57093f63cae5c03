/* Weight maps composed: parts of parts, parts that are put together again, transposed ones, places. */
#include "recompose.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One entry of a state dict: a matrix. */
typedef struct Matrix {
    const char *key;
    int64_t rows, columns;
} Matrix;

/* A candidate's entry `to` is made of the original's entry `from`. */
typedef struct Move {
    size_t to;
    Piece piece;
} Move;

static StateDict dict_of(Arena *arena, const Matrix *matrices, size_t count) {
    StateDict dict = {
        .items = ARENA_ARRAY(arena, StateEntry, count), .count = count, .by_key = table_new(arena)};
    for (size_t i = 0; i < count; i++) {
        int64_t *shape = ARENA_ARRAY(arena, int64_t, 2);
        shape[0] = matrices[i].rows;
        shape[1] = matrices[i].columns;
        dict.items[i] = (StateEntry){.key = matrices[i].key, .tie = i, .next_tied = SIZE_MAX};
        dict.items[i].tensor.rank = 2;
        dict.items[i].tensor.shape = shape;
        table_put(dict.by_key, matrices[i].key, &dict.items[i]);
    }
    return dict;
}

static Assignment *assignment_of(Arena *arena, const Matrix *original, size_t original_count,
                                 const Matrix *candidate, size_t candidate_count, const Move *moves,
                                 size_t move_count) {
    StateDict *dicts = ARENA_ARRAY(arena, StateDict, 2);
    dicts[0] = dict_of(arena, original, original_count);
    dicts[1] = dict_of(arena, candidate, candidate_count);
    Assignment *assignment = ARENA_NEW(arena, Assignment);
    *assignment = (Assignment){.original = &dicts[0],
                               .candidate = &dicts[1],
                               .items = ARENA_ARRAY(arena, Assigned, candidate_count),
                               .original_nowhere = ARENA_ARRAY(arena, bool, original_count)};
    for (size_t i = 0; i < move_count; i++) {
        assignment->items[moves[i].to].by = ASSIGNED_MAP;
        *(Piece *)ARENA_PUSH(arena, &assignment->items[moves[i].to]) = moves[i].piece;
    }
    return assignment;
}
#define ASSIGNMENT(arena, original, candidate, moves)                                                        \
    assignment_of(arena, original, COUNT_OF(original), candidate, COUNT_OF(candidate), moves, COUNT_OF(moves))

/* The map as JSON text, keys in order; or why there is none. */
static const char *composed(Arena *arena, const Instance *instances, size_t count) {
    WeightMap map;
    const char *problem;
    if (!compose_maps(arena, instances, count, &map, &problem))
        return problem;
    json_t *json = weight_map_to_json(&map);
    char *text = json_dumps(json, JSON_COMPACT);
    const char *kept = arena_strdup(arena, text);
    free(text);
    json_decref(json);
    return kept;
}

static void parts_of_parts(void **state) {
    Arena *arena = *state;
    const Matrix root[] = {{"qkv", 48, 16}}, middle[] = {{"a.q", 16, 16}, {"a.kv", 32, 16}},
                 own[] = {{"q", 16, 16}, {"kv", 32, 16}},
                 leaf[] = {{"q.w", 16, 16}, {"k.w", 16, 16}, {"v.w", 16, 16}};
    const Move first[] = {{0, {.kind = PIECE_OF_ORIGINAL, .start = 0, .stop = 16}},
                          {1, {.kind = PIECE_OF_ORIGINAL, .start = 16, .stop = 48}}};
    const Move second[] = {{0, {.kind = PIECE_WHOLE}},
                           {1, {.kind = PIECE_OF_ORIGINAL, .original = 1, .start = 0, .stop = 16}},
                           {2, {.kind = PIECE_OF_ORIGINAL, .original = 1, .start = 16, .stop = 32}}};
    const Instance instances[] = {{"", ASSIGNMENT(arena, root, middle, first)},
                                  {"a", ASSIGNMENT(arena, own, leaf, second)}};
    assert_string_equal(composed(arena, instances, 2),
                        "{\"qkv\":[{\"key\":\"a.q.w\",\"dim\":0,\"start\":0,\"stop\":16},"
                        "{\"key\":\"a.k.w\",\"dim\":0,\"start\":16,\"stop\":32},"
                        "{\"key\":\"a.v.w\",\"dim\":0,\"start\":32,\"stop\":48}]}");
}

/* Cut in one step and put together in the next: the whole again. */
static void put_together_again(void **state) {
    Arena *arena = *state;
    const Matrix root[] = {{"qkv", 48, 16}}, middle[] = {{"a.q", 16, 16}, {"a.kv", 32, 16}},
                 own[] = {{"q", 16, 16}, {"kv", 32, 16}}, leaf[] = {{"w", 48, 16}};
    const Move first[] = {{0, {.kind = PIECE_OF_ORIGINAL, .start = 0, .stop = 16}},
                          {1, {.kind = PIECE_OF_ORIGINAL, .start = 16, .stop = 48}}};
    const Move second[] = {{0, {.kind = PIECE_OF_CANDIDATE, .original = 1, .start = 16, .stop = 48}},
                           {0, {.kind = PIECE_OF_CANDIDATE, .original = 0, .start = 0, .stop = 16}}};
    const Instance instances[] = {{"", ASSIGNMENT(arena, root, middle, first)},
                                  {"a", ASSIGNMENT(arena, own, leaf, second)}};
    assert_string_equal(composed(arena, instances, 2), "{\"qkv\":\"a.w\"}");
}

/* In another order than it was cut, no map can say it. */
static void put_together_otherwise(void **state) {
    Arena *arena = *state;
    const Matrix root[] = {{"kv", 32, 16}}, middle[] = {{"a.k", 16, 16}, {"a.v", 16, 16}},
                 own[] = {{"k", 16, 16}, {"v", 16, 16}}, leaf[] = {{"w", 32, 16}};
    const Move first[] = {{0, {.kind = PIECE_OF_ORIGINAL, .start = 0, .stop = 16}},
                          {1, {.kind = PIECE_OF_ORIGINAL, .start = 16, .stop = 32}}};
    const Move second[] = {{0, {.kind = PIECE_OF_CANDIDATE, .original = 1, .start = 0, .stop = 16}},
                           {0, {.kind = PIECE_OF_CANDIDATE, .original = 0, .start = 16, .stop = 32}}};
    const Instance instances[] = {{"", ASSIGNMENT(arena, root, middle, first)},
                                  {"a", ASSIGNMENT(arena, own, leaf, second)}};
    assert_string_equal(composed(arena, instances, 2), "a part of kv is a part of a.w");
}

/* Rows of what is transposed are columns of the root; transposed twice is not transposed. */
static void transposed(void **state) {
    Arena *arena = *state;
    const Matrix root[] = {{"w", 16, 48}}, middle[] = {{"a.w", 48, 16}}, own[] = {{"w", 48, 16}},
                 leaf[] = {{"x", 32, 16}, {"y", 16, 16}};
    const Move first[] = {{0, {.kind = PIECE_WHOLE, .transpose = true}}};
    const Move second[] = {{0, {.kind = PIECE_OF_ORIGINAL, .start = 0, .stop = 32}},
                           {1, {.kind = PIECE_OF_ORIGINAL, .start = 32, .stop = 48, .transpose = true}}};
    const Instance instances[] = {{"", ASSIGNMENT(arena, root, middle, first)},
                                  {"a", ASSIGNMENT(arena, own, leaf, second)}};
    assert_string_equal(composed(arena, instances, 2),
                        "{\"w\":[{\"key\":\"a.x\",\"dim\":1,\"start\":0,\"stop\":32,\"transpose\":true},"
                        "{\"key\":\"a.y\",\"dim\":1,\"start\":32,\"stop\":48}]}");
}

static void cut_both_ways(void **state) {
    Arena *arena = *state;
    const Matrix root[] = {{"w", 32, 32}}, middle[] = {{"a.w", 16, 32}}, own[] = {{"w", 16, 32}},
                 leaf[] = {{"x", 16, 16}};
    const Move first[] = {{0, {.kind = PIECE_OF_ORIGINAL, .start = 0, .stop = 16}}};
    const Move second[] = {{0, {.kind = PIECE_OF_ORIGINAL, .dim = 1, .start = 0, .stop = 16}}};
    const Instance instances[] = {{"", ASSIGNMENT(arena, root, middle, first)},
                                  {"a", ASSIGNMENT(arena, own, leaf, second)}};
    assert_string_equal(composed(arena, instances, 2),
                        "a.x is made of parts of w that are cut along different dimensions");
}

/* A part of a fused weight that was made of several originals: each gives its share. */
static void fused_then_cut(void **state) {
    Arena *arena = *state;
    const Matrix root[] = {{"k", 16, 8}, {"v", 16, 8}}, middle[] = {{"a.kv", 32, 8}}, own[] = {{"kv", 32, 8}},
                 leaf[] = {{"x", 24, 8}, {"y", 8, 8}};
    const Move first[] = {{0, {.kind = PIECE_OF_CANDIDATE, .original = 0, .start = 0, .stop = 16}},
                          {0, {.kind = PIECE_OF_CANDIDATE, .original = 1, .start = 16, .stop = 32}}};
    const Move second[] = {{0, {.kind = PIECE_OF_ORIGINAL, .start = 0, .stop = 24}},
                           {1, {.kind = PIECE_OF_ORIGINAL, .start = 24, .stop = 32}}};
    const Instance instances[] = {{"", ASSIGNMENT(arena, root, middle, first)},
                                  {"a", ASSIGNMENT(arena, own, leaf, second)}};
    assert_string_equal(composed(arena, instances, 2), "a part of v is a part of a.x");
    const Move even[] = {{0, {.kind = PIECE_OF_ORIGINAL, .start = 0, .stop = 16}},
                         {1, {.kind = PIECE_OF_ORIGINAL, .start = 16, .stop = 32}}};
    const Matrix halves[] = {{"x", 16, 8}, {"y", 16, 8}};
    const Instance split[] = {{"", instances[0].assignment}, {"a", ASSIGNMENT(arena, own, halves, even)}};
    assert_string_equal(composed(arena, split, 2), "{\"k\":\"a.x\",\"v\":\"a.y\"}");
}

/* Several places; nowhere, on purpose; and an inner instance whose own name is another's path. */
static void places(void **state) {
    Arena *arena = *state;
    const Matrix root[] = {{"w", 8, 8}, {"unused", 8, 8}}, middle[] = {{"a.fc", 8, 8}, {"b.fc", 8, 8}},
                 own[] = {{"fc", 8, 8}}, leaf[] = {{"fc.linear", 8, 8}}, inner_own[] = {{"linear", 8, 8}},
                 inner[] = {{"deep", 8, 8}};
    const Move first[] = {{0, {.kind = PIECE_WHOLE}}, {1, {.kind = PIECE_WHOLE}}},
               second[] = {{0, {.kind = PIECE_WHOLE}}};
    Assignment *top = ASSIGNMENT(arena, root, middle, first);
    top->original_nowhere[1] = true;
    const Instance instances[] = {{"", top},
                                  {"a", ASSIGNMENT(arena, own, leaf, second)},
                                  {"b", ASSIGNMENT(arena, own, leaf, second)},
                                  {"a.fc", ASSIGNMENT(arena, inner_own, inner, second)}};
    assert_string_equal(composed(arena, instances, 4),
                        "{\"w\":[\"b.fc.linear\",\"a.fc.deep\"],\"unused\":[]}");
}

static int make_arena(void **state) {
    *state = arena_new();
    return 0;
}

static int free_arena(void **state) {
    arena_free(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_of_parts, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(put_together_again, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(put_together_otherwise, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(transposed, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(cut_both_ways, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(fused_then_cut, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(places, make_arena, free_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
