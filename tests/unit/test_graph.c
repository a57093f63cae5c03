/* The graph room: index maps against enumeration, memory made pure, normal forms, hostile recordings. */
#include "graph.h"
#include "layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Index maps --------------------------------------------------------------------------- */

static uint64_t seed = 1;
static int64_t draw(int64_t below) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (int64_t)((seed >> 33) % (uint64_t)below);
}

static int64_t apply(const IndexMap *map, int64_t index) {
    int64_t result = map->offset;
    for (size_t i = map->count; i-- > 0;) {
        result += index % map->modes[i].size * map->modes[i].stride;
        index /= map->modes[i].size;
    }
    return result;
}

/* A tensor as a list of the elements of the first one. */
typedef struct Array {
    int64_t shape[8];
    size_t rank;
    int64_t *elements;
    int64_t count;
} Array;

/* One step of a chain: its map from the new elements to the old, and the new array by enumeration. */
static Array take_step(const Array *from, IndexMap *map) {
    Array to = *from;
    int64_t weight[8] = {0}, stride[8], next = 1, offset = 0;
    for (size_t i = from->rank; i-- > 0; next *= from->shape[i])
        weight[i] = next;
    memcpy(stride, weight, sizeof stride);
    size_t at = from->rank > 0 ? (size_t)draw((int64_t)from->rank) : 0;
    switch (from->rank == 0 ? 3 : draw(5)) {
    case 0: { /* permute */
        size_t other = (size_t)draw((int64_t)from->rank);
        to.shape[at] = from->shape[other];
        to.shape[other] = from->shape[at];
        stride[at] = weight[other];
        stride[other] = weight[at];
        break;
    }
    case 1: { /* slice */
        int64_t start = draw(from->shape[at]), step = 1 + draw(2);
        int64_t length = (from->shape[at] - start + step - 1) / step;
        to.shape[at] = 1 + draw(length);
        stride[at] = weight[at] * step;
        offset = start * weight[at];
        break;
    }
    case 2: { /* select */
        offset = draw(from->shape[at]) * weight[at];
        for (size_t i = at; i + 1 < to.rank; i++) {
            to.shape[i] = to.shape[i + 1];
            stride[i] = stride[i + 1];
        }
        to.rank--;
        break;
    }
    case 3: /* expand by a new dimension */
        if (to.rank < 7 && from->count <= 512) {
            memmove(to.shape + 1, to.shape, to.rank * sizeof *to.shape);
            memmove(stride + 1, stride, to.rank * sizeof *stride);
            to.shape[0] = 1 + draw(3);
            stride[0] = 0;
            to.rank++;
        }
        break;
    default: { /* reshape: to the factors of the count */
        int64_t left = from->count;
        to.rank = 0;
        while (left > 1 && to.rank < 6) {
            int64_t factor = 2;
            while (left % factor != 0 || (draw(3) == 0 && factor < left))
                factor++;
            to.shape[to.rank++] = factor;
            left /= factor;
        }
        if (left > 1)
            to.shape[to.rank++] = left;
        next = 1;
        for (size_t i = to.rank; i-- > 0; next *= to.shape[i])
            stride[i] = next;
    }
    }
    map_of_geometry(to.shape, stride, to.rank, offset, map);
    to.count = map_count(map);
    to.elements = malloc((size_t)to.count * sizeof *to.elements);
    for (int64_t i = 0; i < to.count; i++)
        to.elements[i] = from->elements[apply(map, i)];
    return to;
}

static void composed_maps_give_what_the_chain_gives(void **state) {
    (void)state;
    int composed = 0, refused = 0;
    for (int chain = 0; chain < 20000; chain++) {
        Array at = {.rank = 3, .count = 1};
        for (size_t i = 0; i < 3; i++)
            at.count *= at.shape[i] = 1 + draw(6);
        at.elements = malloc((size_t)at.count * sizeof *at.elements);
        for (int64_t i = 0; i < at.count; i++)
            at.elements[i] = i;
        MAP_ON_STACK(whole);
        map_identity(at.count, &whole);
        bool whole_known = true;
        for (int step = 0; step < 6 && whole_known; step++) {
            MAP_ON_STACK(map);
            MAP_ON_STACK(result);
            Digits digits;
            Array to = take_step(&at, &map);
            digits_of_map(&whole, &digits);
            whole_known = map_compose(&map, &digits, &result);
            if (whole_known) {
                composed++;
                assert_int_equal(map_count(&result), to.count);
                for (int64_t i = 0; i < to.count; i++)
                    assert_int_equal(apply(&result, i), to.elements[i]);
                memcpy(whole_modes, result_modes, sizeof whole_modes);
                whole.offset = result.offset;
                whole.count = result.count;
            } else {
                refused++;
            }
            free(at.elements);
            at = to;
        }
        free(at.elements);
    }
    assert_true(composed > 20 * refused);
}

/* Memory of a tensor with permuted, padded strides, looked at through other layouts of the same memory. */
static void memory_is_found_digit_by_digit(void **state) {
    (void)state;
    int found = 0;
    for (int round = 0; round < 20000; round++) {
        int64_t shape[3], stride[3], next = 1;
        size_t order[3] = {0, 1, 2};
        for (size_t i = 3; i-- > 1;) {
            size_t other = (size_t)draw((int64_t)i + 1), kept = order[i];
            order[i] = order[other];
            order[other] = kept;
        }
        for (size_t i = 0; i < 3; i++) {
            shape[order[i]] = 1 + draw(4);
            stride[order[i]] = next;
            next *= shape[order[i]] + (draw(4) == 0);
        }
        Digits digits;
        assert_true(digits_of_geometry(shape, stride, 3, &digits));
        int64_t logical[512];
        memset(logical, -1, sizeof logical);
        for (int64_t i = 0; i < shape[0] * shape[1] * shape[2]; i++) {
            int64_t c = i % shape[2], b = i / shape[2] % shape[1], a = i / shape[2] / shape[1];
            logical[a * stride[0] + b * stride[1] + c * stride[2]] = i;
        }
        Mode modes[2] = {{1 + draw(4), draw(12)}, {1 + draw(4), draw(12)}};
        MAP_ON_STACK(outer);
        MAP_ON_STACK(result);
        map_of_geometry((int64_t[]){modes[0].size, modes[1].size},
                        (int64_t[]){modes[0].stride, modes[1].stride}, 2, draw(8), &outer);
        if (!map_compose(&outer, &digits, &result))
            continue;
        found++;
        for (int64_t i = 0; i < map_count(&outer); i++)
            assert_int_equal(apply(&result, i), logical[apply(&outer, i)]);
    }
    assert_true(found > 1000);
}

static void questions_of_maps_agree_with_enumeration(void **state) {
    (void)state;
    int disjoint = 0, injective = 0, permutations = 0;
    for (int round = 0; round < 20000; round++) {
        MAP_ON_STACK(a);
        MAP_ON_STACK(b);
        IndexMap *maps[2] = {&a, &b};
        for (size_t m = 0; m < 2; m++) {
            int64_t shape[3] = {1 + draw(3), 1 + draw(3), 1 + draw(3)};
            int64_t stride[3] = {draw(10), draw(10), draw(10)};
            map_of_geometry(shape, stride, 3, draw(3) * draw(12), maps[m]);
        }
        uint8_t met[2][256] = {{0}};
        int64_t lowest = INT64_MAX, highest = -1, count = map_count(&a);
        bool twice = false, common = false, whole = true;
        for (size_t m = 0; m < 2; m++)
            for (int64_t i = 0; i < map_count(maps[m]); i++)
                met[m][apply(maps[m], i)]++;
        for (int64_t i = 0; i < 256; i++) {
            common = common || (met[0][i] && met[1][i]);
            twice = twice || met[0][i] > 1;
            if (met[0][i]) {
                lowest = i < lowest ? i : lowest;
                highest = i;
            }
        }
        for (int64_t i = lowest; i <= highest; i++)
            whole = whole && met[0][i];
        assert_int_equal(map_highest(&a), highest);
        assert_false(map_disjoint(&a, &b) && common);
        assert_false(map_is_injective(&a) && twice);
        assert_false(map_covers(&a) && !whole);
        assert_int_equal(map_is_permutation(&a, count), whole && !twice && lowest == 0);
        disjoint += map_disjoint(&a, &b);
        injective += map_is_injective(&a);
        permutations += map_is_permutation(&a, count);
    }
    assert_true(disjoint > 1000 && injective > 1000 && permutations > 10);
}

/* ---- Recordings --------------------------------------------------------------------------- */

static const char SCHEMAS[] =
    "{'name': 'aten::add.Tensor', 'args': [['self', 'Tensor'], ['other', 'Tensor'], ['alpha', 'number', 1]],"
    " 'writes': [], 'views': []},"
    "{'name': 'aten::add_.Tensor', 'args': [['self', 'Tensor'], ['other', 'Tensor'], ['alpha', 'number', 1]],"
    " 'writes': [0], 'views': []},"
    "{'name': 'aten::view', 'args': [['self', 'Tensor'], ['size', 'int[]']], 'writes': [], 'views': [[0, "
    "0]]},"
    "{'name': 'aten::clone', 'args': [['self', 'Tensor'], ['memory_format', 'MemoryFormat?', null]],"
    " 'writes': [], 'views': []},"
    "{'name': 'aten::copy_', 'args': [['self', 'Tensor'], ['src', 'Tensor'], ['non_blocking', 'bool', "
    "false]],"
    " 'writes': [0], 'views': []},"
    "{'name': 'aten::zeros', 'args': [['size', 'int[]'], ['dtype', 'int?', null]], 'writes': [], 'views': "
    "[]},"
    "{'name': 'aten::empty.memory_format', 'args': [['size', 'int[]']], 'writes': [], 'views': []},"
    "{'name': 'aten::softmax.int', 'args': [['self', 'Tensor'], ['dim', 'int']], 'writes': [], 'views': []},"
    "{'name': 'aten::gt.Tensor', 'args': [['self', 'Tensor'], ['other', 'Tensor']], 'writes': [], 'views': "
    "[]},"
    "{'name': 'aten::lt.Tensor', 'args': [['self', 'Tensor'], ['other', 'Tensor']], 'writes': [], 'views': "
    "[]},"
    "{'name': 'aten::rand_like', 'args': [['self', 'Tensor']], 'writes': [], 'views': [], 'random': true},"
    "{'name': 'aten::fill_.Scalar', 'args': [['self', 'Tensor'], ['value', 'number']], 'writes': [0], "
    "'views': []},"
    "{'name': 'aten::_conj', 'args': [['self', 'Tensor']], 'writes': [], 'views': [[0, 0]]},"
    "{'name': 'aten::add.out', 'args': [['self', 'Tensor'], ['other', 'Tensor'], ['alpha', 'number', 1],"
    " ['out', 'Tensor']], 'writes': [3], 'views': []},"
    "{'name': 'aten::t_', 'args': [['self', 'Tensor']], 'writes': [0], 'views': [], 'reshapes': true},"
    "{'name': 'aten::mul.Tensor', 'args': [['self', 'Tensor'], ['other', 'Tensor']], 'writes': [], 'views': "
    "[]},"
    "{'name': 'mine::f', 'args': [['self', 'Tensor']], 'writes': [], 'views': []}";

/* Layouts: 0 [2,3]; 1 [3,2] transposed; 2 [3,2]; 3 column 0 of 0; 4 columns 1: of 0; 5 [1,2,2,2] channels
 * last; 6 the same contiguous; 7 bool [2,3]; 8 [6]; 9 [2] */
static const char LAYOUTS[] =
    "['torch.float32', [2, 3], [3, 1]], ['torch.float32', [3, 2], [1, 3]], ['torch.float32', [3, 2], [2, 1]],"
    "['torch.float32', [2], [3]], ['torch.float32', [2, 2], [3, 1]],"
    "['torch.float32', [1, 2, 2, 2], [8, 1, 4, 2]], ['torch.float32', [1, 2, 2, 2], [8, 4, 2, 1]],"
    "['torch.bool', [2, 3], [3, 1]], ['torch.float32', [6], [1]], ['torch.float32', [2], [1]]";

static json_t *parse(const char *text) {
    char *copy = strdup(text);
    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    json_t *json = json_loads(copy, JSON_DECODE_ANY, NULL);
    if (json == NULL)
        fail_msg("not JSON: %s", copy);
    free(copy);
    return json;
}

typedef struct Built {
    Arena *arena;
    GraphLabels *labels;
    Graph graph;
    Error error;
    json_t *json;
} Built;

static Status build_parts(Built *built, const char *tensors, const char *events, const char *outputs) {
    Text text = text_new(built->arena);
    text_add(&text, "{'symbolic': true, 'schemas': [");
    text_add(&text, SCHEMAS);
    text_add(&text, "], 'layouts': [");
    text_add(&text, LAYOUTS);
    text_add(&text, "], 'tensors': [");
    text_add(&text, tensors);
    text_add(&text, "], 'events': [");
    text_add(&text, events);
    text_add(&text, "], 'outputs': ");
    text_add(&text, outputs);
    text_add(&text, ", 'kept': {'d': []}}");
    built->json = parse(text.data);
    Status status =
        graph_build(built->arena, built->labels, built->json, (Bytes){0}, NULL, &built->graph, &built->error);
    json_decref(built->json);
    return status;
}

static Built start(void) {
    Arena *arena = arena_new();
    return (Built){.arena = arena, .labels = graph_labels_new(arena)};
}

/* The graph of these tensors and events; outputs are a tuple of tensors by number. */
static void build(Built *built, const char *tensors, const char *events, const char *outputs) {
    if (build_parts(built, tensors, events, outputs) != STATUS_OK)
        fail_msg("%s", error_line(built->arena, &built->error));
}

static const Term *output(const Built *built, size_t index) {
    assert_true(index < built->graph.output_count);
    return &built->graph.terms[built->graph.outputs[index].term.number];
}
static uint32_t output_number(const Built *built, size_t index) {
    assert_true(index < built->graph.output_count);
    return built->graph.outputs[index].term.number;
}
#define ASSERT_LABEL(built, index, text) assert_string_equal(output((built), (index))->label, (text))

#define INPUT "['forward'], ['input', 0, 'x'], "

static void in_place_is_out_of_place(void **state) {
    (void)state;
    Built built = start();
    build(&built, "[0, 0], [0, 0], [0, 0], [0, 0]",
          INPUT "['op', 3, -1, 0, [{'T': 0}], [], [1]],"           /* 1 = x.clone() */
                "['op', 1, -1, 0, [{'T': 1}, {'T': 0}], [], [1]]," /* 1 += x */
                "['op', 0, -1, 0, [{'T': 0}, {'T': 0}], [], [2]]," /* 2 = x + x */
                "['op', 6, -1, 0, [{'l': [2, 3]}], [], [3]],"      /* 3 = empty, add(out=3) */
                "['op', 13, -1, 0, [{'T': 0}, {'T': 0}], [['out', {'T': 3}]], [3]]",
          "{'t': [{'T': 1}, {'T': 2}, {'T': 0}, {'T': 3}]}");
    assert_int_equal(output_number(&built, 0), output_number(&built, 1));
    assert_int_equal(output_number(&built, 0), output_number(&built, 3));
    ASSERT_LABEL(&built, 1, "aten::add.Tensor(%, %, alpha=0x1p+0) -> torch.float32 [2, 3]");
    assert_true(output(&built, 1)->commutative);
    assert_int_equal(output(&built, 2)->kind, TERM_INPUT);
    assert_int_equal(graph_unknown_origin(&built.graph), SIZE_MAX);
    assert_int_equal(built.graph.inputs[0].final.number, built.graph.inputs[0].term.number);
    assert_string_equal(term_describe(built.arena, &built.graph, built.graph.outputs[1].term), "add()");
    arena_free(built.arena);
}

static void a_write_through_a_view_is_seen(void **state) {
    (void)state;
    Built built = start();
    build(&built, "[0, 0], [1, 0], [0, 0], [8, 0]",
          INPUT "['op', 2, -1, 0, [{'T': 0}, {'l': []}], [], [1]]," /* 1 = x.t() */
                "['op', 11, -1, 0, [{'T': 1}, 2], [], [1]],"        /* all of it = 2 */
                "['op', 2, -1, 0, [{'T': 0}, {'l': []}], [], [3]]",
          "{'t': [{'T': 0}, {'T': 1}, {'T': 3}]}");
    ASSERT_LABEL(&built, 1, "plumbline::full(0x1p+1) -> torch.float32 [3, 2]");
    assert_int_equal(output(&built, 0)->kind, TERM_VIEW);
    assert_int_not_equal(built.graph.inputs[0].final.number, built.graph.inputs[0].term.number);
    assert_int_equal(built.graph.outputs[0].storage, built.graph.inputs[0].storage);
    arena_free(built.arena);
}

static void writes_into_parts_are_read_back(void **state) {
    (void)state;
    Built built = start();
    /* 2 = zeros; 3 = column 0, 4 = columns 1:; 3.copy_(x column 0), 4.copy_(x columns 1:) */
    build(
        &built, "[0, 0], [3, 0], [0, 0], [3, 0], [4, 1], [4, 1]",
        INPUT
        "['op', 2, -1, 0, [{'T': 0}, {'l': []}], [], [1]], ['op', 2, -1, 0, [{'T': 0}, {'l': []}], [], [5]],"
        "['op', 6, -1, 0, [{'l': [2, 3]}], [], [2]],"
        "['op', 2, -1, 0, [{'T': 2}, {'l': []}], [], [3]], ['op', 2, -1, 0, [{'T': 2}, {'l': []}], [], [4]],"
        "['op', 4, -1, 0, [{'T': 3}, {'T': 1}], [], [3]], ['read', 4, 3, -1]",
        "{'t': [{'T': 3}, {'T': 1}, {'T': 4}]}");
    assert_int_equal(output_number(&built, 0), output_number(&built, 1));
    assert_int_equal(output(&built, 2)->kind, TERM_VIEW);
    assert_int_equal(built.graph.terms[output(&built, 2)->operands[0].number].kind, TERM_INITIAL);
    assert_true(graph_unknown_origin(&built.graph) != SIZE_MAX);
    assert_string_equal(built.graph.reads[0].value, "3");
    build(
        &built, "[0, 0], [3, 0], [0, 0], [3, 0], [4, 1], [4, 1]",
        INPUT
        "['op', 2, -1, 0, [{'T': 0}, {'l': []}], [], [1]], ['op', 2, -1, 0, [{'T': 0}, {'l': []}], [], [5]],"
        "['op', 6, -1, 0, [{'l': [2, 3]}], [], [2]],"
        "['op', 2, -1, 0, [{'T': 2}, {'l': []}], [], [3]], ['op', 2, -1, 0, [{'T': 2}, {'l': []}], [], [4]],"
        "['op', 4, -1, 0, [{'T': 4}, {'T': 5}], [], [4]], ['op', 4, -1, 0, [{'T': 3}, {'T': 1}], [], [3]]",
        "{'t': [{'T': 2}]}");
    assert_int_equal(output(&built, 0)->kind, TERM_WRITE);
    assert_int_equal(graph_unknown_origin(&built.graph), SIZE_MAX); /* every element was written */
    arena_free(built.arena);
}

static void times_one_is_nothing(void **state) {
    (void)state;
    Built built = start();
    build(
        &built, "[0, 0], [0, 0], [0, 0], [0, 0], [7, 0], [0, 0]",
        INPUT
        "['input', 4, 'mask'], ['op', 15, -1, 0, [{'T': 0}, {'f': '0x1p+0'}], [], [1]],"
        "['op', 15, -1, 0, [{'T': 0}, 1], [], [2]], ['op', 15, -1, 0, [{'T': 0}, {'f': '0x1p-1'}], [], [3]],"
        "['op', 15, -1, 0, [{'T': 4}, {'f': '0x1p+0'}], [], [5]]", /* of booleans: numbers */
        "{'t': [{'T': 1}, {'T': 2}, {'T': 3}, {'T': 5}]}");
    assert_int_equal(output(&built, 0)->kind, TERM_INPUT);
    assert_int_equal(output_number(&built, 1), output_number(&built, 0));
    assert_int_equal(output(&built, 2)->kind, TERM_OPERATOR);
    assert_int_equal(output(&built, 3)->kind, TERM_OPERATOR);
    arena_free(built.arena);
}

static void what_lies_in_a_write_is_read_from_what_was_written(void **state) {
    (void)state;
    Built built = start();
    /* 2 = empty; columns 1: of it = those of x; 3 is its column 2, 6 its columns :2, 1 column 2 of x */
    build(
        &built, "[0, 0], [3, 2], [0, 0], [3, 2], [4, 1], [4, 1], [4, 0]",
        INPUT
        "['op', 2, -1, 0, [{'T': 0}, {'l': []}], [], [1]], ['op', 2, -1, 0, [{'T': 0}, {'l': []}], [], [5]],"
        "['op', 6, -1, 0, [{'l': [2, 3]}], [], [2]],"
        "['op', 2, -1, 0, [{'T': 2}, {'l': []}], [], [4]], ['op', 4, -1, 0, [{'T': 4}, {'T': 5}], [], [4]],"
        "['op', 2, -1, 0, [{'T': 2}, {'l': []}], [], [3]], ['op', 2, -1, 0, [{'T': 2}, {'l': []}], [], [6]]",
        "{'t': [{'T': 3}, {'T': 1}, {'T': 6}]}");
    assert_int_equal(output_number(&built, 0), output_number(&built, 1));
    assert_int_equal(output(&built, 2)->kind, TERM_VIEW); /* half of it was never written */
    assert_int_equal(built.graph.terms[output(&built, 2)->operands[0].number].kind, TERM_WRITE);
    arena_free(built.arena);
}

static void views_go_through_copies(void **state) {
    (void)state;
    Built built = start();
    build(&built, "[0, 0], [1, 0], [2, 0], [0, 0], [5, 0], [6, 0]",
          INPUT "['input', 4, 'image'], ['op', 2, -1, 0, [{'T': 0}, {'l': []}], [], [1]],"
                "['op', 3, -1, 0, [{'T': 1}], [], [2]],"  /* x.t().clone() */
                "['op', 14, -1, 0, [{'T': 1}], [], [3]]," /* x.t().t_() */
                "['op', 3, -1, 0, [{'T': 4}], [], [5]]",  /* channels_last -> contiguous */
          "{'t': [{'T': 2}, {'T': 1}, {'T': 3}, {'T': 0}, {'T': 5}, {'T': 4}]}");
    assert_int_equal(output_number(&built, 0), output_number(&built, 1));
    ASSERT_LABEL(&built, 0, "view(%, 0; 3:1, 2:3) -> torch.float32 [3, 2]");
    assert_int_equal(output_number(&built, 2), output_number(&built, 3));
    assert_int_equal(output_number(&built, 4), output_number(&built, 5));
    assert_true(built.graph.outputs[5].channels_last && !built.graph.outputs[5].contiguous);
    assert_true(built.graph.outputs[4].contiguous);
    arena_free(built.arena);
}

static void composed_views_know_their_way(void **state) {
    (void)state;
    Built built = start();
    build(&built, "[0, 0], [1, 0], [9, 0], [9, 0]",
          INPUT "['op', 2, 3, 0, [{'T': 0}, {'l': [3, 2]}], [], [1]],"
                "['op', 2, 4, 0, [{'T': 1}, {'l': [2]}], [], [2]],"
                "['op', 15, 5, 0, [{'T': 2}, {'T': 2}], [], [3]]",
          "{'t': [{'T': 2}, {'T': 3}]}");
    const Term *last = output(&built, 0), *first = &built.graph.terms[last->via.number];
    assert_int_equal(last->kind, TERM_VIEW);
    assert_int_equal(built.graph.terms[last->operands[0].number].kind, TERM_INPUT);
    assert_int_equal(first->kind, TERM_VIEW);
    assert_int_equal(first->via.number, first->operands[0].number);
    assert_int_equal(first->call, 3);
    assert_int_equal(last->call, 4);
    assert_string_equal(term_describe(built.arena, &built.graph, built.graph.outputs[0].term),
                        "view(size=[2])");
    arena_free(built.arena);
}

static void operators_have_one_spelling(void **state) {
    (void)state;
    Built built = start();
    build(&built,
          "[0, 0], [0, 0], [0, 0], [0, 0], [7, 0], [7, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]",
          INPUT
          "['input', 1, 'y'],"
          "['op', 7, -1, 0, [{'T': 0}, -1], [], [2]], ['op', 7, -1, 0, [{'T': 0}, 1], [], [3]],"
          "['op', 8, -1, 0, [{'T': 0}, {'T': 1}], [], [4]], ['op', 9, -1, 0, [{'T': 1}, {'T': 0}], [], [5]],"
          "['op', 0, -1, 0, [{'T': 0}, {'T': 1}], [], [6]], ['op', 0, -1, 0, [{'T': 1}, {'T': 0}], [], [7]],"
          "['op', 0, -1, 0, [{'T': 0}, {'T': 1}, 2], [], [8]], ['op', 0, -1, 0, [{'T': 1}, {'T': 0}, 2], [], "
          "[9]],"
          "['op', 15, -1, 0, [{'T': 0}, 2], [], [10]], ['op', 15, -1, 0, [{'T': 0}, {'f': '0x1p+1'}], [], "
          "[11]]",
          "{'t': [{'T': 2}, {'T': 3}, {'T': 4}, {'T': 5}, {'T': 6}, {'T': 7}, {'T': 8}, {'T': 9}, {'T': 10}, "
          "{'T': 11}]}");
    for (size_t i = 0; i < 10; i += 2)
        assert_int_equal(output_number(&built, i) == output_number(&built, i + 1), i != 6);
    ASSERT_LABEL(&built, 0, "aten::softmax.int(%, dim=1) -> torch.float32 [2, 3]");
    ASSERT_LABEL(&built, 8, "aten::mul.Tensor(%, other=0x1p+1) -> torch.float32 [2, 3]");
    assert_false(output(&built, 6)->commutative);
    arena_free(built.arena);
}

static void draws_are_never_merged(void **state) {
    (void)state;
    Built built = start();
    build(&built, "[0, 0], [0, 0], [0, 0], [0, 0], [0, 0]",
          "['op', 5, -1, 0, [{'l': [2, 3]}], [], [4]], ['op', 10, -1, 0, [{'T': 4}], [], [3]]," INPUT
          "['op', 10, -1, 0, [{'T': 0}], [], [1]], ['op', 10, -1, 0, [{'T': 0}], [], [2]]",
          "{'t': [{'T': 1}, {'T': 2}, {'T': 4}]}");
    assert_int_not_equal(output_number(&built, 0), output_number(&built, 1));
    assert_int_equal(built.graph.draw_count, 2);
    assert_int_equal(built.graph.event_count, 2);
    assert_true(output(&built, 2)->known);
    assert_int_equal(graph_unknown_origin(&built.graph), SIZE_MAX);
    build(&built, "[0, 0], [0, 0]",
          "['op', 5, -1, 0, [{'l': [2, 3]}], [], [0]], ['op', 10, -1, 0, [{'T': 0}], [], [1]]",
          "{'t': [{'T': 1}]}");
    assert_int_equal(output(&built, 0)->kind, TERM_INITIAL);
    assert_true(graph_unknown_origin(&built.graph) != SIZE_MAX);
    arena_free(built.arena);
}

static void states_are_told_by_memory(void **state) {
    (void)state;
    Built built = start();
    /* 0 made in construction, 1 = a product of it there, 2 its transpose */
    build(&built, "[0, 0], [0, 0], [1, 0], [0, 0], [8, 0]",
          "['op', 6, -1, 0, [{'l': [2, 3]}], [], [0]], ['op', 0, -1, 0, [{'T': 0}, {'T': 0}], [], [1]],"
          "['op', 2, -1, 0, [{'T': 0}, {'l': []}], [], [2]], ['forward'],"
          "['state', 0, 'parameter', ['a.weight']], ['alias', 3, 0], ['state', 3, 'parameter', ['b.weight']],"
          "['state', 4, 'buffer', ['table']], ['hash', 4, 'abc'],"
          "['op', 11, -1, 0, [{'T': 4}, 0], [], [4]]",
          "{'t': [{'T': 2}, {'T': 1}, 7]}");
    assert_int_equal(built.graph.state_count, 2);
    assert_int_equal(built.graph.states[0].key_count, 2);
    assert_string_equal(built.graph.states[0].keys[1], "b.weight");
    assert_int_equal(output(&built, 0)->operands[0].number, built.graph.states[0].term.number);
    assert_int_equal(built.graph.states[0].final.number, built.graph.states[0].term.number);
    assert_int_not_equal(built.graph.states[1].final.number, built.graph.states[1].term.number);
    assert_string_equal(built.graph.terms[built.graph.states[1].term.number].content, "abc");
    assert_false(built.graph.outputs[2].is_tensor);
    assert_string_equal(built.graph.outputs[2].path, "out[2]");
    assert_true(graph_unknown_origin(&built.graph) != SIZE_MAX); /* the product is stale */
    arena_free(built.arena);
}

static void what_no_layout_tells_is_unknown_after_a_write(void **state) {
    (void)state;
    Built built = start();
    build(&built, "[0, 0], [0, 0], [0, 0]",
          INPUT "['op', 12, -1, 0, [{'T': 0}], [], [1]], ['op', 16, -1, 0, [{'T': 1}], [], [2]],"
                "['op', 11, -1, 0, [{'T': 0}, 1], [], [0]]",
          "{'t': [{'T': 1}, {'T': 2}]}");
    assert_int_equal(output(&built, 0)->kind, TERM_UNKNOWN);
    assert_int_equal(built.graph.opaque_count, 1);
    assert_string_equal(built.graph.opaque[0], "mine::f");
    assert_int_equal(built.graph.outputs[0].storage, built.graph.inputs[0].storage);
    arena_free(built.arena);
}

static void labels_are_shared_by_graphs(void **state) {
    (void)state;
    Built built = start(), other = built;
    const char *events = INPUT "['op', 0, -1, 1, [{'T': 0}, {'T': 0}], [], [1]]";
    build(&built, "[0, 0], [0, 0]", events, "{'T': 1}");
    build(&other, "[0, 0], [0, 0]", events, "{'T': 1}");
    assert_ptr_equal(output(&built, 0)->label, output(&other, 0)->label);
    assert_true(output(&built, 0)->grad);
    assert_string_equal(built.graph.outputs[0].path, "out");
    Text text = text_new(built.arena);
    graph_print(&built.graph, NULL, 0, GRAPH_TEXT, &text);
    assert_non_null(strstr(text.data, "aten::add.Tensor(t0, t0, alpha=0x1p+0)"));
    graph_print(&built.graph, NULL, 0, GRAPH_DOT, &text);
    assert_non_null(strstr(text.data, "t0 -> t1"));
    json_t *json = graph_to_json(&built.graph, NULL, 0);
    assert_int_equal(json_array_size(json_object_get(json, "terms")), 2);
    json_decref(json);
    arena_free(built.arena);
}

static void hostile_recordings_are_refused(void **state) {
    (void)state;
    static const char *const EVENTS[] = {"1",
                                         "[]",
                                         "['nothing']",
                                         "['op']",
                                         "['op', 99, -1, 0, [], [], []]",
                                         "['op', 0, -2, 0, [{'T': 0}, {'T': 0}], [], [0]]",
                                         "['op', 0, -1, 2, [{'T': 0}, {'T': 0}], [], [0]]",
                                         "['op', 0, -1, 0, [{'T': 0}, {'T': 9}], [], [0]]",
                                         "['op', 0, -1, 0, [{'T': 0}], [], [0]]",
                                         "['op', 0, -1, 0, [{'T': 0}, 1, 1, 1], [], [0]]",
                                         "['op', 0, -1, 0, [{'T': 0}, 1], [['self', 1]], [0]]",
                                         "['op', 0, -1, 0, [{'T': 0}, 1], [['none', 1]], [0]]",
                                         "['op', 0, -1, 0, [{'T': 0}, 1], [], [5]]",
                                         "['op', 0, -1, 0, [{'T': 0}, 1], [], ['a']]",
                                         "['alias', 0]",
                                         "['alias', 0, 7]",
                                         "['input', 0, 'x']",
                                         "['forward'], ['input', 0, 'x'], ['input', 1, 'x']",
                                         "['state', 0, 'other', ['a']]",
                                         "['state', 0, 'buffer', []]",
                                         "['state', 0, 'buffer', ['a', 'a']]",
                                         "['constant', 0, 'two words']",
                                         "['hash', 0, 3]",
                                         "['read', 0, {'q': 1}, 0]"};
    for (size_t i = 0; i < COUNT_OF(EVENTS); i++) {
        Built built = start();
        if (build_parts(&built, "[0, 0], [0, 0]", EVENTS[i], "null") == STATUS_OK)
            fail_msg("accepted %s", EVENTS[i]);
        assert_non_null(strstr(error_line(built.arena, &built.error), "recording"));
        arena_free(built.arena);
    }
    static const char *const WHOLE[] = {
        "{}",
        "{'schemas': [], 'layouts': [], 'tensors': [], 'events': []}",
        "{'schemas': [], 'layouts': [], 'tensors': [[0, 0]], 'events': [], 'outputs': null}",
        "{'schemas': [], 'layouts': [['torch.float32', [2], []]], 'tensors': [], 'events': [], 'outputs': "
        "null}",
        "{'schemas': [], 'layouts': [['torch.float32', [-1], [1]]], 'tensors': [], 'events': [], 'outputs': "
        "null}",
        "{'schemas': [], 'layouts': [['torch.float32', [9000000000000, 9000000000000], [0, 0]]], 'tensors': "
        "[],"
        " 'events': [], 'outputs': null}",
        "{'schemas': [], 'layouts': [['torch.float32', [3], [9000000000000000000]]], 'tensors': [], "
        "'events': [],"
        " 'outputs': null}",
        "{'schemas': [{'name': 'no', 'args': [], 'writes': [], 'views': []}], 'layouts': [], 'tensors': [],"
        " 'events': [], 'outputs': null}",
        "{'schemas': [{'name': 'aten::a', 'args': [], 'writes': [0], 'views': []}], 'layouts': [], "
        "'tensors': [],"
        " 'events': [], 'outputs': null}",
        "{'schemas': [{'name': 'aten::a', 'args': [], 'writes': [], 'views': [[0, 0]]}], 'layouts': [],"
        " 'tensors': [], 'events': [], 'outputs': null}"};
    for (size_t i = 0; i < COUNT_OF(WHOLE); i++) {
        Built built = start();
        json_t *json = parse(WHOLE[i]);
        if (graph_build(built.arena, built.labels, json, (Bytes){0}, NULL, &built.graph, &built.error) ==
            STATUS_OK)
            fail_msg("accepted %s", WHOLE[i]);
        json_decref(json);
        arena_free(built.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(composed_maps_give_what_the_chain_gives),
        cmocka_unit_test(memory_is_found_digit_by_digit),
        cmocka_unit_test(questions_of_maps_agree_with_enumeration),
        cmocka_unit_test(in_place_is_out_of_place),
        cmocka_unit_test(a_write_through_a_view_is_seen),
        cmocka_unit_test(writes_into_parts_are_read_back),
        cmocka_unit_test(times_one_is_nothing),
        cmocka_unit_test(what_lies_in_a_write_is_read_from_what_was_written),
        cmocka_unit_test(views_go_through_copies),
        cmocka_unit_test(composed_views_know_their_way),
        cmocka_unit_test(operators_have_one_spelling),
        cmocka_unit_test(draws_are_never_merged),
        cmocka_unit_test(states_are_told_by_memory),
        cmocka_unit_test(what_no_layout_tells_is_unknown_after_a_write),
        cmocka_unit_test(labels_are_shared_by_graphs),
        cmocka_unit_test(hostile_recordings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
