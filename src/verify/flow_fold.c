/* Runs of stages that do the same, folded into one: A A A -> A × 3, A B A B -> (A B) × 2. */
#include "flow_parts.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PERIOD = 64 };

uint64_t flow_mix(uint64_t hash, uint64_t number) {
    hash = (hash ^ number) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

uint64_t flow_mix_text(uint64_t hash, const char *text) {
    if (text == NULL)
        return flow_mix(hash, 1);
    for (; *text != '\0'; text++)
        hash = flow_mix(hash, (unsigned char)*text);
    return flow_mix(hash, 2);
}

uint64_t flow_mix_facts(uint64_t hash, const TensorFacts *facts) {
    for (size_t i = 0; i < facts->count; i++) {
        const TensorFact *fact = &facts->items[i];
        hash = flow_mix_text(hash, fact->dtype);
        for (size_t d = 0; d < fact->rank; d++)
            hash = flow_mix(hash, (uint64_t)fact->shape[d]);
        hash = flow_mix(hash, fact->rank);
    }
    return hash;
}

/* Does the stage `period` after `number` do what that does? What it takes is as far behind it, or the same
 * stage before `start`, where the repeats begin (a mask that every layer takes). */
static bool is_repeat(const FlowStage *stages, size_t start, size_t number, size_t period) {
    const FlowStage *a = &stages[number], *b = &stages[number + period];
    bool folds = a->kind == FLOW_STAGE || a->kind == FLOW_JOIN || a->kind == FLOW_PLUMBING;
    if (!folds || a->alike != b->alike || a->kind != b->kind || a->from_count != b->from_count)
        return false;
    for (size_t i = 0; i < a->from_count; i++)
        if (a->from[i] + period != b->from[i] && (a->from[i] != b->from[i] || a->from[i] >= start))
            return false;
    return true;
}

/* The best fold that begins at `first`: `repeats` of `period` stages; 1 if there is none. */
static size_t best_fold(const FlowStage *stages, size_t count, size_t first, size_t *period) {
    size_t best = 0, repeats = 1;
    for (size_t p = 1; p <= MOST_PERIOD && first + 2 * p <= count; p++) {
        size_t matched = 0;
        while (first + matched + p < count && is_repeat(stages, first, first + matched, p))
            matched++;
        size_t times = matched / p + 1;
        if (times >= 2 && (times - 1) * p > best) {
            best = (times - 1) * p;
            *period = p;
            repeats = times;
        }
    }
    return repeats;
}

/* "layer_3" -> "layer" */
static const char *without_number(Arena *arena, const char *name) {
    size_t length = strlen(name);
    while (length > 0 && name[length - 1] >= '0' && name[length - 1] <= '9')
        length--;
    while (length > 0 && (name[length - 1] == '_' || name[length - 1] == '.'))
        length--;
    return length == 0 ? name : arena_strndup(arena, name, length);
}

static int by_number(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* Stages of the old list, by their places in the new one; those in [low, high) are left out. */
static void renumber(const FlowStage *old, size_t low, size_t high, const size_t *places, Sources *sources) {
    for (size_t i = 0; i < old->from_count; i++)
        if (old->from[i] < low || old->from[i] >= high)
            sources->items[sources->count++] = places[old->from[i]];
}

static void settle(FlowStage *stage, Sources *sources) {
    size_t kept = 0;
    if (sources->count > 0)
        qsort(sources->items, sources->count, sizeof *sources->items, by_number);
    for (size_t i = 0; i < sources->count; i++)
        if (kept == 0 || sources->items[i] != sources->items[kept - 1])
            sources->items[kept++] = sources->items[i];
    stage->from = sources->items;
    stage->from_count = kept;
}

/* The members of a group, with what they take of one another. */
static FlowStage *members_of(Arena *arena, const FlowStage *stages, size_t first, size_t period) {
    FlowStage *members = ARENA_ARRAY(arena, FlowStage, period);
    for (size_t k = 0; k < period; k++) {
        const FlowStage *member = &stages[first + k];
        members[k] = *member;
        members[k].from = ARENA_ARRAY(arena, size_t, member->from_count + 1);
        members[k].from_count = 0;
        for (size_t i = 0; i < member->from_count; i++)
            if (member->from[i] >= first)
                members[k].from[members[k].from_count++] = member->from[i] - first;
    }
    return members;
}

/* A name that holds for all repeats: that of the first, without a number if they differ. */
static void name_all(Arena *arena, const FlowStage *stages, size_t first, size_t period, size_t repeats,
                     FlowStage *stage) {
    for (size_t r = 1; r < repeats; r++) {
        if (text_equal(stages[first + r * period].name, stage->name))
            continue;
        const char *rest = stage->label + strlen(stage->name);
        stage->name = without_number(arena, stage->name);
        stage->label = arena_printf(arena, "%s%s", stage->name, rest);
        return;
    }
}

static FlowStage folded(Arena *arena, const FlowStage *stages, size_t first, size_t period, size_t repeats,
                        const size_t *places) {
    size_t end = first + period * repeats, most = 0;
    for (size_t i = first; i < end; i++)
        most += stages[i].from_count;
    FlowStage stage = stages[first];
    if (period > 1) {
        FlowStage *members = members_of(arena, stages, first, period);
        Text label = text_new(arena);
        for (size_t k = 0; k < period; k++) {
            name_all(arena, stages, first + k, period, repeats, &members[k]);
            text_printf(&label, k == 0 ? "%s" : " → %s", members[k].name);
        }
        stage = (FlowStage){.kind = FLOW_GROUP,
                            .label = label.data,
                            .name = label.data,
                            .outputs = stages[first + period - 1].outputs,
                            .inside = members,
                            .inside_count = period,
                            .alike = flow_mix(stages[first].alike, period)};
    } else {
        name_all(arena, stages, first, 1, repeats, &stage);
    }
    stage.repeat = repeats;
    Sources sources = {ARENA_ARRAY(arena, size_t, most + 1), 0};
    for (size_t i = first; i < end; i++)
        renumber(&stages[i], first, end, places, &sources);
    settle(&stage, &sources);
    return stage;
}

void flow_fold(Arena *arena, FlowStage **stages, size_t *count) {
    const FlowStage *old = *stages;
    FlowStage *new = ARENA_ARRAY(arena, FlowStage, *count + 1);
    size_t *places = ARENA_ARRAY(arena, size_t, *count + 1), new_count = 0;
    for (size_t i = 0; i < *count;) {
        size_t period = 1, repeats = best_fold(old, *count, i, &period);
        for (size_t k = 0; k < period * repeats; k++)
            places[i + k] = new_count;
        if (repeats > 1) {
            new[new_count] = folded(arena, old, i, period, repeats, places);
        } else {
            Sources sources = {ARENA_ARRAY(arena, size_t, old[i].from_count + 1), 0};
            new[new_count] = old[i];
            renumber(&old[i], i, i, places, &sources);
            settle(&new[new_count], &sources);
        }
        new_count++;
        i += period * repeats;
    }
    *stages = new;
    *count = new_count;
}
