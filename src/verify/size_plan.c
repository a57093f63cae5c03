/* The plan of other sizes: which may vary, to what, and what each call is for. */
#include "size_plan.h"

#include <string.h>

enum { MOST_ELEMENTS = 1 << 26 };

static const size_t EVERYWHERE = SIZE_MAX;

/* Every change goes through the rounds, one after the other. */
typedef enum Round {
    ROUND_OTHER, /* one less; of one, two */
    ROUND_LARGE, /* far beyond: what a branch or a bound on sizes would change shows there */
    ROUND_MORE,  /* one more, where the original takes one less and does not go far: tables of positions */
    ROUND_TWICE, /* where it takes none of these: halves, heads, windows */
    ROUND_NUMBER,
    ROUND_COUNT
} Round;

/* All that have a size along a dimension, or along any. */
typedef struct Change {
    size_t dimension; /* or EVERYWHERE */
    int64_t from;
    bool first; /* of its dimension: what is called the batch, the length */
    const char *asked[ROUND_COUNT];
} Change;

typedef struct Changes {
    Change items[MOST_SIZE_CHANGES];
    size_t count, left_out;
} Changes;

typedef struct Planner {
    Arena *arena;
    const json_t *sample;
    Changes changes;
    SizePlan plan;
} Planner;

/* ---- What may vary --------------------------------------------------------------------------- */

static int64_t size_of(const json_t *tensor, size_t dimension) {
    return json_integer_value(json_array_get(json_object_get(tensor, "shape"), dimension));
}

static size_t rank_of(const json_t *tensor) {
    return json_array_size(json_object_get(tensor, "shape"));
}

static bool is_floating(const json_t *tensor) {
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    return dtype != NULL && strstr(dtype, "float") != NULL;
}

static size_t largest_rank(const json_t *tensors) {
    size_t rank = 0;
    for (size_t i = 0; i < json_array_size(tensors); i++)
        rank = rank_of(json_array_get(tensors, i)) > rank ? rank_of(json_array_get(tensors, i)) : rank;
    return rank;
}

static void add_change(Changes *changes, size_t dimension, int64_t from) {
    bool first = true;
    for (size_t i = 0; i < changes->count; i++) {
        if (changes->items[i].dimension == dimension && changes->items[i].from == from)
            return;
        first = first && changes->items[i].dimension != dimension;
    }
    if (from <= 0 || from > INT64_MAX / 4) /* of a stride of 0: twice as much is no size */
        return;
    if (changes->count < MOST_SIZE_CHANGES)
        changes->items[changes->count++] = (Change){.dimension = dimension, .from = from, .first = first};
    else
        changes->left_out++;
}

/* The last dimension of numbers is seldom a length, but of images. */
static bool may_be_first(const json_t *tensor, size_t dimension) {
    return dimension == 0 || !is_floating(tensor) || rank_of(tensor) > dimension + 1 || rank_of(tensor) > 3;
}

static void add_dimension(Changes *changes, const json_t *tensors, size_t dimension) {
    const size_t before = changes->count;
    for (size_t i = 0; i < json_array_size(tensors) && changes->count == before; i++)
        if (may_be_first(json_array_get(tensors, i), dimension))
            add_change(changes, dimension, size_of(json_array_get(tensors, i), dimension));
    for (size_t i = 0; i < json_array_size(tensors); i++)
        add_change(changes, dimension, size_of(json_array_get(tensors, i), dimension));
}

static bool is_along_several(const Changes *changes, size_t count, int64_t size) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += changes->items[i].from == size;
    return found > 1;
}

static Changes changes_of(const json_t *sample) {
    const json_t *tensors = json_object_get(sample, "tensors");
    Changes changes = {0};
    for (size_t dimension = 0; dimension < largest_rank(tensors); dimension++)
        add_dimension(&changes, tensors, dimension);
    const size_t alone = changes.count;
    for (size_t i = 0; i < alone; i++)
        if (changes.items[i].from > 1 && is_along_several(&changes, alone, changes.items[i].from))
            add_change(&changes, EVERYWHERE, changes.items[i].from);
    return changes;
}

/* ---- The sample, changed --------------------------------------------------------------------- */

/* A larger tensor has no place between the strides of the sample's. */
static void lay_out_anew(json_t *tensor) {
    const json_t *shape = json_object_get(tensor, "shape");
    json_t *stride = json_object_get(tensor, "stride");
    json_int_t step = 1;
    for (size_t i = json_array_size(shape); i-- > 0;) {
        json_array_set_new(stride, i, json_integer(step));
        if (__builtin_mul_overflow(step, json_integer_value(json_array_get(shape, i)), &step))
            step = 0; /* more than any machine has: the cell says so */
    }
}

static json_t *changed(const json_t *sample, const Change *change, int64_t to) {
    json_t *other = json_deep_copy(sample);
    const json_t *tensors = json_object_get(other, "tensors");
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        json_t *tensor = json_array_get(tensors, i);
        bool changes = false;
        for (size_t dimension = 0; dimension < rank_of(tensor); dimension++) {
            if ((change->dimension != EVERYWHERE && change->dimension != dimension) ||
                size_of(tensor, dimension) != change->from)
                continue;
            json_array_set_new(json_object_get(tensor, "shape"), dimension, json_integer(to));
            changes = true;
        }
        if (changes && to > change->from)
            lay_out_anew(tensor);
    }
    return other;
}

/* Integers and booleans have their elements in recordings too. */
static bool is_too_large(const json_t *sample) {
    const json_t *tensors = json_object_get(sample, "tensors");
    bool large = false;
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        const json_t *tensor = json_array_get(tensors, i);
        double elements = is_floating(tensor) ? 0 : 1;
        for (size_t dimension = 0; dimension < rank_of(tensor); dimension++)
            elements *= (double)size_of(tensor, dimension);
        large = large || elements > MOST_ELEMENTS;
    }
    return large;
}

static int64_t size_in(Round round, const Change *change, int64_t number) {
    const int64_t large = change->dimension == 0 ? LARGE_BATCH : LARGE_LENGTH;
    switch (round) {
    case ROUND_OTHER: return change->from > 1 ? change->from - 1 : 2;
    case ROUND_LARGE: return change->from < large ? large : change->from + large;
    case ROUND_MORE: return change->from + 1;
    case ROUND_TWICE: return 2 * change->from;
    default: return number;
    }
}

/* ---- What a call is called, and what it is for ----------------------------------------------- */

static const char *name_of(Arena *arena, Round round, const Change *change, int64_t to) {
    Text text = text_new(arena);
    const bool other = round == ROUND_OTHER;
    text_add(&text, other ? "another " : "a ");
    if (change->dimension == EVERYWHERE)
        text_add(&text, "size");
    else if (change->dimension < 2)
        text_add(&text, change->dimension == 1 ? "length" : other ? "batch size" : "batch");
    else
        text_printf(&text, "dimension %zu", change->dimension);
    if (!other)
        text_printf(&text, " of %lld", (long long)to);
    if (change->dimension == EVERYWHERE)
        text_printf(&text, " for every %lld", (long long)change->from);
    else if (!change->first)
        text_printf(&text, " in place of %lld", (long long)change->from);
    return text.data;
}

static TrialKind kind_of(Round round, const Change *change) {
    if (round != ROUND_OTHER || !change->first || change->dimension > 1)
        return TRIAL_OTHER_SIZES;
    return change->dimension == 0 ? TRIAL_OTHER_BATCH : TRIAL_OTHER_LENGTH;
}

static void add_alternative(json_t *unless, json_t *names) {
    if (json_array_size(names) > 0)
        json_array_append(unless, names);
    json_decref(names);
}

/* What a round of this change, and the same round of the dimensions alone that have its size, asked for. */
static void add_round(json_t *unless, const Changes *changes, const Change *change, Round round,
                      bool of_itself) {
    json_t *itself = json_array(), *alone = json_array();
    if (of_itself && change->asked[round] != NULL)
        json_array_append_new(itself, json_string(change->asked[round]));
    for (size_t i = 0; i < changes->count && change->dimension == EVERYWHERE; i++) {
        const Change *one = &changes->items[i];
        if (one->dimension != EVERYWHERE && one->from == change->from && one->asked[round] != NULL)
            json_array_append_new(alone, json_string(one->asked[round]));
    }
    add_alternative(unless, itself);
    add_alternative(unless, alone);
}

static json_t *unless_of(const Changes *changes, const Change *change, Round round) {
    json_t *unless = json_array();
    if (round == ROUND_MORE || round == ROUND_TWICE)
        add_round(unless, changes, change, ROUND_LARGE, true);
    if (round == ROUND_TWICE)
        add_round(unless, changes, change, ROUND_MORE, true);
    add_round(unless, changes, change, round, false);
    if (json_array_size(unless) > 0)
        return unless;
    json_decref(unless);
    return NULL;
}

static unsigned wave_of(const Change *change, Round round) {
    return round == ROUND_MORE ? 2 : round == ROUND_TWICE ? 3 : change->dimension == EVERYWHERE ? 1 : 0;
}

bool size_call_is_needless(const SizeCall *call, SizeAccepted accepted, const void *context) {
    if (call->only_if != NULL && !accepted(call->only_if, context))
        return true;
    for (size_t i = 0; i < json_array_size(call->unless); i++) {
        const json_t *names = json_array_get(call->unless, i);
        bool all = true;
        for (size_t j = 0; j < json_array_size(names) && all; j++)
            all = accepted(json_string_value(json_array_get(names, j)), context);
        if (all)
            return true;
    }
    return false;
}

/* ---- All of them ----------------------------------------------------------------------------- */

static SizeCall *find_call(SizePlan *plan, const Change *change, int64_t to) {
    for (size_t i = 0; i < plan->count; i++) {
        SizeCall *call = &plan->items[i];
        if (call->dimension == change->dimension && call->from == change->from && call->to == to)
            return call;
    }
    return NULL;
}

/* What is asked for twice is asked for in any case. */
static void join(SizeCall *call, Round round, bool numbers) {
    call->beyond |= round == ROUND_NUMBER;
    call->numbers |= numbers;
    json_decref(call->unless);
    call->unless = NULL;
    call->only_if = NULL;
    call->wave = 0;
}

/* Its other size, two, is recorded only where it can't be many: a recording costs as much as the sample's. */
static bool is_batch_of_one(const Change *change) {
    return change->dimension == 0 && change->from == 1;
}

static void add_call(Planner *planner, Change *change, Round round, int64_t number, bool numbers) {
    const int64_t to = size_in(round, change, number);
    if (to == change->from)
        return;
    SizeCall *found = find_call(&planner->plan, change, to);
    if (found != NULL) {
        join(found, round, numbers);
        change->asked[round] = found->name;
        return;
    }
    json_t *sample = changed(planner->sample, change, to);
    if (is_too_large(sample)) {
        planner->plan.sizes_left_out++;
        json_decref(sample);
        return;
    }
    const Round told = is_batch_of_one(change) && round == ROUND_MORE ? ROUND_OTHER : round;
    SizeCall *call = ARENA_PUSH(planner->arena, &planner->plan);
    *call = (SizeCall){
        .name = name_of(planner->arena, told, change, to),
        .nearest = change->asked[ROUND_OTHER],
        .kind = kind_of(told, change),
        .dimension = change->dimension,
        .from = change->from,
        .to = to,
        .sample = sample,
        .unless = unless_of(&planner->changes, change, round),
        .only_if = round == ROUND_MORE && change->dimension != EVERYWHERE ? change->asked[ROUND_OTHER] : NULL,
        .wave = wave_of(change, told),
        .beyond = round != ROUND_OTHER,
        .near = round != ROUND_LARGE && round != ROUND_NUMBER,
        .numbers = numbers};
    change->asked[round] = call->name;
}

static void add_to_all(Planner *planner, Round round, int64_t number, bool numbers) {
    for (size_t i = 0; i < planner->changes.count; i++)
        planner->changes.items[i].asked[round] = NULL;
    for (size_t i = 0; i < planner->changes.count; i++) {
        Change *change = &planner->changes.items[i];
        const bool again = round == ROUND_TWICE && change->from == 1;
        if (!again && (round != ROUND_OTHER || !is_batch_of_one(change)))
            add_call(planner, change, round, number, numbers);
    }
}

static const Change *first_along(const Changes *changes, size_t dimension) {
    for (size_t i = 0; i < changes->count; i++)
        if (changes->items[i].dimension == dimension && changes->items[i].first)
            return &changes->items[i];
    return NULL;
}

/* Where x.shape[0] * x.shape[1] == 30 would show. At a batch of one the length alone is the same. */
static void add_product(Planner *planner, int64_t number) {
    const Change *batch = first_along(&planner->changes, 0), *length = first_along(&planner->changes, 1);
    if (batch == NULL || batch->from == 1 || length == NULL || length->from == number)
        return;
    json_t *row = changed(planner->sample, batch, 1);
    SizeCall *call = ARENA_PUSH(planner->arena, &planner->plan);
    *call = (SizeCall){
        .name = arena_printf(planner->arena, "a batch of 1 and a length of %lld", (long long)number),
        .nearest = length->asked[ROUND_OTHER],
        .kind = TRIAL_OTHER_SIZES,
        .dimension = 1,
        .from = length->from,
        .to = number,
        .sample = changed(row, length, number),
        .beyond = true,
        .numbers = true};
    json_decref(row);
}

SizePlan size_plan(const StepState *step, const json_t *sample) {
    Planner planner = {.arena = step->arena, .sample = sample, .changes = changes_of(sample)};
    const SizeNumbers numbers = sizes_to_try(step);
    add_to_all(&planner, ROUND_OTHER, 0, true);
    add_to_all(&planner, ROUND_LARGE, 0, true);
    add_to_all(&planner, ROUND_MORE, 0, true);
    add_to_all(&planner, ROUND_TWICE, 0, true);
    if (numbers.one)
        add_to_all(&planner, ROUND_NUMBER, 1, true);
    for (size_t i = 0; i < numbers.count; i++) {
        for (int64_t number = numbers.items[i] - 1; number <= numbers.items[i] + 1; number++)
            add_to_all(&planner, ROUND_NUMBER, number, number >= numbers.items[i]);
        add_product(&planner, numbers.items[i]);
    }
    planner.plan.numbers_left_out = numbers.left_out;
    size_plan_given(step->arena, sample, &planner.plan);
    planner.plan.sizes_left_out += planner.changes.left_out;
    return planner.plan;
}

void size_plan_tell_left_out(StepState *step, const SizePlan *plan) {
    const struct {
        size_t count;
        const char *rule, *what;
    } left_out[] = {
        {plan->numbers_left_out, "soundness 12", "of the refactored's own numbers are not tried as sizes"},
        {plan->sizes_left_out, "soundness 11",
         "other sizes of the inputs are not tried: they are many, or very large"},
        {plan->given_left_out, "soundness 11", "other values of what forward is given are not tried"}};
    for (size_t i = 0; i < COUNT_OF(left_out); i++)
        if (left_out[i].count > 0)
            step_narrow(step, left_out[i].rule,
                        arena_printf(step->arena, "%zu %s", left_out[i].count, left_out[i].what));
}

void size_plan_close(SizePlan *plan) {
    for (size_t i = 0; i < plan->count; i++) {
        json_decref(plan->items[i].sample);
        json_decref(plan->items[i].unless);
    }
    *plan = (SizePlan){0};
}
