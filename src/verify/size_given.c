/* The numbers, and truth values, that forward is given: `3 + 0 * n` of forward(x, n) is the original's n at
 * the sample alone. Each is varied by itself, those in containers too. */
#include "size_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double LARGEST = 4503599627370496.0; /* 2^52: one more of it is exact */

typedef struct Given { /* list[at] */
    json_t *list;
    size_t at;
    const char *path; /* of it inside the argument: "[0]['scale']", "" */
} Given;

static double number_of(const json_t *value) {
    const char *hex = json_string_value(json_object_get(value, "f"));
    return json_is_integer(value) ? (double)json_integer_value(value) : hex != NULL ? strtod(hex, NULL) : NAN;
}

/* The one after `*skip` others in list[at] (docs/protocol.md, "Values"). False: there are fewer, and `*skip`
 * has become less by their number. */
static bool find_given(Arena *arena, json_t *list, size_t at, size_t *skip, Given *given) {
    static const char *const containers[] = {"l", "t", "s", "v", "d"};
    const json_t *value = json_array_get(list, at);
    if (json_is_boolean(value) || fabs(number_of(value)) < LARGEST) {
        *given = (Given){list, at, ""};
        return (*skip)-- == 0;
    }
    for (size_t c = 0; c < COUNT_OF(containers); c++) {
        json_t *elements = json_object_get(value, containers[c]);
        const bool pairs = strcmp(containers[c], "d") == 0;
        for (size_t i = 0; i < json_array_size(elements); i++) {
            json_t *pair = pairs ? json_array_get(elements, i) : NULL;
            if (!find_given(arena, pairs ? pair : elements, pairs ? 1 : i, skip, given))
                continue;
            const char *key = json_string_value(json_array_get(pair, 0));
            given->path = key != NULL ? arena_printf(arena, "['%s']%s", key, given->path)
                                      : arena_printf(arena, "[%zu]%s", i, given->path);
            return true;
        }
    }
    return false;
}

static json_t *another_value(Arena *arena, const json_t *value) {
    if (json_is_boolean(value))
        return json_boolean(!json_is_true(value));
    const double from = number_of(value);
    if (json_is_integer(value))
        return json_integer((json_int_t)from + 1);
    return json_pack("{s:s}", "f", arena_printf(arena, "%a", from == 0 ? 1 : 1.5 * from));
}

static const char *value_word(Arena *arena, const json_t *value) {
    if (json_is_boolean(value))
        return json_is_true(value) ? "True" : "False";
    return arena_printf(arena, "%.15g", number_of(value));
}

/* Of one argument, whose value is list[at] in a copy of the sample. */
static void add_calls(Arena *arena, const json_t *sample, const char *field, const char *tag, size_t place,
                      size_t *left, SizePlan *plan) {
    const bool named = strcmp(tag, "d") == 0;
    for (size_t next = 0;; next++) {
        json_t *other = json_deep_copy(sample);
        json_t *list = json_object_get(json_object_get(other, field), tag);
        if (named)
            list = json_array_get(list, place);
        const char *name = named ? json_string_value(json_array_get(list, 0)) : NULL;
        size_t skip = *left > 0 ? next : SIZE_MAX;
        Given given;
        if (!find_given(arena, list, named ? 1 : place, &skip, &given)) {
            plan->given_left_out += *left > 0 ? 0 : SIZE_MAX - skip - next;
            json_decref(other);
            return;
        }
        const json_t *value = json_array_get(given.list, given.at);
        json_t *varied = another_value(arena, value);
        const char *argument = name != NULL ? name : arena_printf(arena, "argument %zu", place + 1);
        SizeCall *call = ARENA_PUSH(arena, plan);
        *call = (SizeCall){.name = arena_printf(arena, "%s%s of %s in place of %s", argument, given.path,
                                                value_word(arena, varied), value_word(arena, value)),
                           .kind = TRIAL_OTHER_SIZES,
                           .dimension = SIZE_MAX,
                           .from = 1,
                           .to = 1,
                           .sample = other,
                           .beyond = true,
                           .near = true,
                           .numbers = true};
        json_array_set_new(given.list, given.at, varied);
        --*left;
    }
}

void size_plan_given(Arena *arena, const json_t *sample, SizePlan *plan) {
    const json_t *args = json_object_get(json_object_get(sample, "args"), "l"),
                 *kwargs = json_object_get(json_object_get(sample, "kwargs"), "d");
    size_t left = MOST_GIVEN_NUMBERS;
    for (size_t i = 0; i < json_array_size(args); i++)
        add_calls(arena, sample, "args", "l", i, &left, plan);
    for (size_t i = 0; i < json_array_size(kwargs); i++)
        add_calls(arena, sample, "kwargs", "d", i, &left, plan);
}
