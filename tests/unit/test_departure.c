/* The first value that departs: decoding what a run kept, sketches, and which value it is. */
#include "departure.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ELEMENTS = 4, NOTHING = -1, PLACE = 64 };

/* One call: what it is made on (tensors), what it gives, and the elements of that. Tensor 0 is the input; all
 * have four elements of float32. A call whose `value` is NULL was not kept. */
typedef struct Call {
    const char *operator;
    int uses[2];
    int gives;
    bool in_place; /* it writes what it gives, which is its first operand */
    const float *value;
} Call;

#define VALUE(...) ((const float[ELEMENTS]){__VA_ARGS__})

typedef struct Run {
    RunValues values;
    Trace trace;
    uint8_t *file;
    size_t size;
    json_t *kept;
} Run;

static void add_uses(Text *text, const Call *call) {
    const char *separator = "";
    for (size_t u = 0; u < COUNT_OF(call->uses); u++)
        if (call->uses[u] != NOTHING) {
            text_printf(text, "%s{\"T\": %d}", separator, call->uses[u]);
            separator = ", ";
        }
}

static const char *trace_text(Arena *arena, const Call *calls, size_t count, int output) {
    Text tensors = text_new(arena), rows = text_new(arena), all = text_new(arena);
    int known = 1;
    text_add(&tensors, "[0, \"torch.float32\", [4], [1], 0, \"cpu\", [\"input\", \"x\"]]");
    for (size_t i = 0; i < count; i++) {
        const Call *call = &calls[i];
        if (call->gives == known) {
            text_printf(&tensors, ", [%d, \"torch.float32\", [4], [1], 0, \"cpu\", [\"call\", %zu]]", known,
                        i);
            known++;
        }
        text_printf(&rows, "%s{\"f\": \"%s\", \"ph\": 1, \"a\": [", i == 0 ? "" : ", ", call->operator);
        add_uses(&rows, call);
        text_printf(&rows, "], \"k\": {}, \"o\": {\"T\": %d}, \"w\": [", call->gives);
        if (call->in_place)
            text_printf(&rows, "%d", call->gives);
        text_add(&rows, "], \"mc\": -1, \"by\": 0, \"at\": [0, 1], \"x\": {}}");
    }
    text_printf(&all,
                "{\"tensors\": [%s], \"modules\": [], \"module_calls\": [], \"makers\": [[\"own\", 0]], "
                "\"calls\": [%s], \"args\": {\"l\": [{\"T\": 0}]}, \"kwargs\": {\"d\": []}, \"outputs\": "
                "{\"T\": %d}}",
                tensors.data, rows.data, output);
    return all.data;
}

static void keep(Run *run, const Call *calls, size_t count) {
    run->size = 0;
    json_t *rows = json_array();
    for (size_t i = 0; i < count; i++) {
        if (calls[i].value == NULL)
            continue;
        memcpy(run->file + run->size, calls[i].value, ELEMENTS * sizeof(float));
        json_array_append_new(rows, json_pack("[iii]", (int)i, calls[i].gives, (int)run->size));
        run->size += PLACE;
    }
    run->kept = json_pack("{s:o, s:i}", "kept", rows, "left_out", 0);
}

/* `output` departs. */
static Run *run_of(Arena *arena, const Call *calls, size_t count, int output) {
    Run *run = ARENA_NEW(arena, Run);
    Error error = {0};
    json_t *json = json_loads(trace_text(arena, calls, count, output), 0, NULL);
    assert_non_null(json);
    if (trace_decode(arena, json, (Bytes){0}, &run->trace, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    json_decref(json);
    run->file = ARENA_ARRAY(arena, uint8_t, (count + 1) * PLACE);
    keep(run, calls, count);
    TensorId *outputs = ARENA_ARRAY(arena, TensorId, 1);
    outputs[0].number = (uint32_t)output;
    run->values = (RunValues){.trace = &run->trace, .outputs = outputs, .output_count = 1};
    if (kept_values_decode(arena, run->kept, (Bytes){run->file, run->size}, &run->trace, "a run",
                           &run->values.kept, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    json_decref(run->kept);
    return run;
}

static FirstDeparture find(Arena *arena, const Run *original, const Run *candidate, double difference) {
    const DepartureRules rules = {.rtol = 1e-5, .difference = difference, .threads = 1};
    return departure_find(arena, &original->values, &candidate->values, &rules);
}

#define RUN(output, ...)                                                                                     \
    run_of(arena, (const Call[]){__VA_ARGS__}, sizeof((const Call[]){__VA_ARGS__}) / sizeof(Call), output)

static const char *name_of(const Run *run, const DepartedValue *value) {
    return value->call == NULL ? "none" : trace_operator(&run->trace, value->call);
}

static void expect(const Run *original, const Run *candidate, const FirstDeparture *found, const char *theirs,
                   const char *ours, size_t agreed) {
    assert_string_equal(name_of(original, &found->original), theirs);
    assert_string_equal(name_of(candidate, &found->candidate), ours);
    assert_int_equal(found->agreed, agreed);
}

#define A VALUE(1, 2, 3, 4)
#define B VALUE(5, -6, 7, 8)
#define C VALUE(0.5F, 0.25F, -1, 2)
#define D VALUE(9, 1, 1, -3)
#define E VALUE(-2, 2, 11, 0)

static void the_first_is_found(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Run *original = RUN(3, {"torch.exp", {0, NOTHING}, 1, false, A},
                              {"torch.sin", {1, NOTHING}, 2, false, B}, {"torch.cos", {2, 1}, 3, false, C});
    const Run *candidate = RUN(3, {"torch.exp", {0, NOTHING}, 1, false, A},
                               {"torch.tan", {1, NOTHING}, 2, false, D}, {"torch.cos", {2, 1}, 3, false, E});
    FirstDeparture found = find(arena, original, candidate, 1);
    expect(original, candidate, &found, "torch.sin", "torch.tan", 1);
    assert_null(found.source.call);
    found = find(arena, original, original, 1); /* the output is said to depart, and agrees */
    expect(original, original, &found, "none", "none", 3);
    arena_free(arena);
}

/* What one side computes in one call the other may write out. */
static void what_is_between_is_no_difference(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Run *original =
        RUN(4, {"torch.exp", {0, NOTHING}, 1, false, A}, {"torch.sin", {1, NOTHING}, 2, false, B},
            {"torch.add", {2, 1}, 3, false, C}, {"torch.cos", {3, NOTHING}, 4, false, D});
    const Run *candidate =
        RUN(2, {"whole", {0, NOTHING}, 1, false, C}, {"torch.cos", {1, NOTHING}, 2, false, E});
    const FirstDeparture found = find(arena, original, candidate, 1);
    expect(original, candidate, &found, "torch.cos", "torch.cos", 1);
    arena_free(arena);
}

static void nothing_stands_in_its_place(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Run *original =
        RUN(2, {"torch.exp", {0, NOTHING}, 1, false, A}, {"torch.sin", {1, NOTHING}, 2, false, B});
    const Run *candidate = RUN(1, {"torch.exp", {0, NOTHING}, 1, false, A});
    const FirstDeparture found = find(arena, original, candidate, 1);
    expect(original, candidate, &found, "torch.sin", "torch.exp", 1); /* what it gives back instead */
    arena_free(arena);
}

/* A call that was not kept says nothing, and what is made of it may depart. */
static void what_is_not_kept_passes_on(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Run *original =
        RUN(3, {"torch.exp", {0, NOTHING}, 1, false, A}, {"torch.sin", {1, NOTHING}, 2, false, NULL},
            {"torch.cos", {2, NOTHING}, 3, false, C});
    const Run *candidate =
        RUN(3, {"torch.exp", {0, NOTHING}, 1, false, D}, {"torch.sin", {1, NOTHING}, 2, false, NULL},
            {"torch.cos", {2, NOTHING}, 3, false, E});
    FirstDeparture found = find(arena, original, candidate, 1);
    expect(original, candidate, &found, "torch.exp", "torch.exp", 0);
    const Run *agreeing =
        RUN(3, {"torch.exp", {0, NOTHING}, 1, false, A}, {"torch.sin", {1, NOTHING}, 2, false, NULL},
            {"torch.cos", {2, NOTHING}, 3, false, E});
    found = find(arena, original, agreeing, 1);
    expect(original, agreeing, &found, "torch.cos", "torch.cos", 1);
    arena_free(arena);
}

/* The same tensor holds one value, and after a call in place another. */
static void writes_are_values_of_their_own(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Run *original =
        RUN(2, {"torch.exp", {0, NOTHING}, 1, false, A}, {"torch.Tensor.relu_", {1, NOTHING}, 1, true, B},
            {"torch.cos", {1, NOTHING}, 2, false, C});
    const Run *candidate =
        RUN(2, {"torch.exp", {0, NOTHING}, 1, false, A}, {"torch.Tensor.relu_", {1, NOTHING}, 1, true, D},
            {"torch.cos", {1, NOTHING}, 2, false, E});
    const FirstDeparture found = find(arena, original, candidate, 1);
    expect(original, candidate, &found, "torch.Tensor.relu_", "torch.Tensor.relu_", 1);
    arena_free(arena);
}

static void moved_values_are_looked_through(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Run *original = RUN(3, {"torch.exp", {0, NOTHING}, 1, false, A},
                              {"torch.Tensor.flip", {1, NOTHING}, 2, false, VALUE(4, 3, 2, 1)},
                              {"torch.cos", {2, NOTHING}, 3, false, C});
    const Run *candidate = RUN(3, {"torch.exp", {0, NOTHING}, 1, false, A},
                               {"torch.Tensor.roll", {1, NOTHING}, 2, false, VALUE(2, 3, 4, 1)},
                               {"torch.cos", {2, NOTHING}, 3, false, E});
    FirstDeparture found = find(arena, original, candidate, 1);
    expect(original, candidate, &found, "torch.Tensor.flip", "torch.Tensor.roll", 1);
    const Run *unmoved =
        RUN(2, {"torch.exp", {0, NOTHING}, 1, false, A}, {"torch.cos", {1, NOTHING}, 2, false, E});
    found = find(arena, original, unmoved, 1);
    expect(original, unmoved, &found, "torch.Tensor.flip", "torch.exp", 1);
    found = find(arena, unmoved, original, 1); /* only the refactored moves it */
    expect(unmoved, original, &found, "torch.cos", "torch.cos", 1);
    assert_string_equal(name_of(original, &found.source), "torch.Tensor.flip");
    arena_free(arena);
}

static void nan_meets_nan(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Run *original = RUN(2, {"torch.sqrt", {0, NOTHING}, 1, false, VALUE(1, NAN, INFINITY, 2)},
                              {"torch.sin", {1, NOTHING}, 2, false, B});
    const Run *candidate = RUN(2, {"torch.sqrt", {0, NOTHING}, 1, false, VALUE(1, NAN, INFINITY, 2)},
                               {"torch.tan", {1, NOTHING}, 2, false, C});
    const Run *finite = RUN(2, {"torch.sqrt", {0, NOTHING}, 1, false, VALUE(1, 0, INFINITY, 2)},
                            {"torch.tan", {1, NOTHING}, 2, false, C});
    FirstDeparture found = find(arena, original, candidate, INFINITY);
    expect(original, candidate, &found, "torch.sin", "torch.tan", 1);
    found = find(arena, original, finite, INFINITY);
    expect(original, finite, &found, "torch.sqrt", "torch.sqrt", 0);
    arena_free(arena);
}

/* How much is rounding goes by how much the outputs differ. */
static void rounding_is_no_departure(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Run *original =
        RUN(2, {"torch.exp", {0, NOTHING}, 1, false, A}, {"torch.sin", {1, NOTHING}, 2, false, B});
    const Run *candidate = RUN(2, {"torch.exp", {0, NOTHING}, 1, false, VALUE(1, 2, 3, 4.000002F)},
                               {"torch.sin", {1, NOTHING}, 2, false, VALUE(5, -6, 7, 8.1F)});
    FirstDeparture found = find(arena, original, candidate, 0.01);
    expect(original, candidate, &found, "torch.sin", "torch.sin", 1);
    found = find(arena, original, candidate, 1e-6);
    expect(original, candidate, &found, "torch.exp", "torch.exp", 0);
    arena_free(arena);
}

/* Many values, all alike: no search takes longer for it. */
static void many_values(void **state) {
    (void)state;
    Arena *arena = arena_new();
    enum { COUNT = 20000 };
    Call *calls = ARENA_ARRAY(arena, Call, COUNT);
    for (int i = 0; i < COUNT; i++)
        calls[i] = (Call){"torch.sin", {i, NOTHING}, i + 1, false, A};
    const Run *original = run_of(arena, calls, COUNT, COUNT);
    calls[COUNT - 1].value = B;
    const Run *candidate = run_of(arena, calls, COUNT, COUNT);
    FirstDeparture found = find(arena, candidate, original, 1);
    expect(candidate, original, &found, "torch.sin", "torch.sin", COUNT - 1);
    assert_ptr_equal(found.original.call, &candidate->trace.calls[COUNT - 1]);
    arena_free(arena);
}

static void wrong_values_are_refused(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const Run *run =
        RUN(2, {"torch.exp", {0, NOTHING}, 1, false, A}, {"torch.sin", {1, NOTHING}, 2, false, B});
    static const char *const WRONG[] = {
        "{}",
        "{\"kept\": {}, \"left_out\": 0}",
        "{\"kept\": [], \"left_out\": -1}",
        "{\"kept\": [3], \"left_out\": 0}",
        "{\"kept\": [[0, 1]], \"left_out\": 0}",
        "{\"kept\": [[0, 1, 0, 0]], \"left_out\": 0}",
        "{\"kept\": [[0, 1, \"0\"]], \"left_out\": 0}",
        "{\"kept\": [[0, 1, -64]], \"left_out\": 0}",
        "{\"kept\": [[0, 1, 8]], \"left_out\": 0}",   /* not aligned */
        "{\"kept\": [[0, 1, 128]], \"left_out\": 0}", /* past the end */
        "{\"kept\": [[0, 1, 9223372036854775744]], \"left_out\": 0}",
        "{\"kept\": [[0, 0, 0]], \"left_out\": 0}",             /* an input, that no call gave */
        "{\"kept\": [[0, 2, 0]], \"left_out\": 0}",             /* another call's */
        "{\"kept\": [[0, 9, 0]], \"left_out\": 0}",             /* no tensor */
        "{\"kept\": [[2, 1, 0]], \"left_out\": 0}",             /* no call */
        "{\"kept\": [[1, 2, 0], [0, 1, 64]], \"left_out\": 0}", /* not in order */
        "{\"kept\": [[0, 1, 0], [1, 2, 0]], \"left_out\": 0}",  /* in one place */
    };
    for (size_t i = 0; i < COUNT_OF(WRONG); i++) {
        Error error = {0};
        KeptValues values;
        json_t *json = json_loads(WRONG[i], 0, NULL);
        assert_non_null(json);
        if (kept_values_decode(arena, json, (Bytes){run->file, run->size}, &run->trace, "a run", &values,
                               &error) == STATUS_OK)
            fail_msg("accepted %s", WRONG[i]);
        assert_non_null(strstr(error_line(arena, &error), "a run"));
        json_decref(json);
    }
    arena_free(arena);
}

static TensorView view_of(Arena *arena, Dtype dtype, const void *data, size_t size, int64_t count) {
    TensorView view;
    Error error;
    assert_int_equal(tensor_view_make(arena, data, size, dtype, 1, &count, (int64_t[]){1}, 0, &view, &error),
                     STATUS_OK);
    return view;
}

static void sketches_of_near_tensors_are_near(void **state) {
    (void)state;
    Arena *arena = arena_new();
    enum { COUNT = 1000 };
    float a[COUNT], b[COUNT];
    unsigned random = 1;
    for (int i = 0; i < COUNT; i++) {
        random = random * 1103515245 + 12345;
        a[i] = (float)(random >> 16 & 0x7fff) / 16384 - 1;
        b[i] = a[i] * (i % 2 == 0 ? 1.00001F : 0.99999F);
    }
    const TensorView x = view_of(arena, DTYPE_FLOAT32, a, sizeof a, COUNT),
                     y = view_of(arena, DTYPE_FLOAT32, b, sizeof b, COUNT);
    const Sketch theirs = tensor_sketch(&x), ours = tensor_sketch(&y);
    assert_true(fabs(theirs.size - 0.577) < 0.02);
    assert_true(fabs(theirs.projection - ours.projection) <= sketch_reach(&theirs, (Tolerance){2e-5, 0}));
    b[0] = NAN; /* is left out */
    assert_true(isfinite(tensor_sketch(&y).projection));
    arena_free(arena);
}

static void gaps_are_measured_across_dtypes(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const float a[] = {1, -2, NAN, INFINITY, 3};
    const double b[] = {1.5, -2, NAN, -INFINITY, 2};
    const TensorView x = view_of(arena, DTYPE_FLOAT32, a, sizeof a, 5),
                     y = view_of(arena, DTYPE_FLOAT64, b, sizeof b, 5);
    const Gap gap = tensor_gap(&x, &y);
    assert_true(gap.max_abs == 1 && gap.mean_abs == 0.5);
    assert_int_equal(gap.unlike, 1);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_found),
        cmocka_unit_test(what_is_between_is_no_difference),
        cmocka_unit_test(nothing_stands_in_its_place),
        cmocka_unit_test(what_is_not_kept_passes_on),
        cmocka_unit_test(writes_are_values_of_their_own),
        cmocka_unit_test(moved_values_are_looked_through),
        cmocka_unit_test(nan_meets_nan),
        cmocka_unit_test(rounding_is_no_departure),
        cmocka_unit_test(many_values),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(sketches_of_near_tensors_are_near),
        cmocka_unit_test(gaps_are_measured_across_dtypes),
    };
    return cmocka_run_group_tests_name("departure", tests, NULL, NULL);
}
