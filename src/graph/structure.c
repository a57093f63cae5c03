/* What of two graphs must be alike beside the terms: outputs, reads, draws, what shares memory with what. */
#include "unify_parts.h"

#include <string.h>

Difference difference_of_structure(const char *what, size_t original_call, size_t candidate_call) {
    return (Difference){.kind = DIFFERENCE_STRUCTURE,
                        .original = {NO_TERM},
                        .candidate = {NO_TERM},
                        .what = what,
                        .original_call = original_call,
                        .candidate_call = candidate_call};
}

const GraphInput *input_at(const Graph *graph, const char *path) {
    for (size_t i = 0; i < graph->input_count; i++)
        if (text_equal(graph->inputs[i].path, path))
            return &graph->inputs[i];
    return NULL;
}

static const char *a_or_no_tensor(bool is_tensor) {
    return is_tensor ? "a tensor" : "no tensor";
}

static const char *unlike_output(Arena *arena, const GraphOutput *a, const GraphOutput *b) {
    if (!text_equal(a->path, b->path))
        return arena_printf(arena, "the original gives %s where the refactored gives %s", a->path, b->path);
    if (a->is_tensor != b->is_tensor)
        return arena_printf(arena, "%s is %s in the original and %s in the refactored", a->path,
                            a_or_no_tensor(a->is_tensor), a_or_no_tensor(b->is_tensor));
    if (!a->is_tensor &&
        (a->value == NULL || b->value == NULL ? a->value != b->value : !value_equal(a->value, b->value))) {
        const char *texts[] = {"nothing", "nothing"};
        if (a->value != NULL && b->value != NULL)
            value_describe_both(arena, a->value, b->value, texts);
        else
            texts[a->value == NULL] = value_describe(arena, a->value == NULL ? b->value : a->value);
        return arena_printf(arena, "%s is %s in the original and %s in the refactored", a->path, texts[0],
                            texts[1]);
    }
    return NULL;
}

const char *unlike_outputs(Arena *arena, const Graph *original, const Graph *candidate) {
    for (size_t i = 0; i < original->output_count && i < candidate->output_count; i++) {
        const char *what = unlike_output(arena, &original->outputs[i], &candidate->outputs[i]);
        if (what != NULL)
            return what;
    }
    if (original->output_count == candidate->output_count)
        return NULL;
    bool more = original->output_count > candidate->output_count;
    const Graph *longer = more ? original : candidate;
    return arena_printf(arena, "only the %s gives %s", more ? "original" : "refactored",
                        longer->outputs[more ? candidate->output_count : original->output_count].path);
}

static const char *unlike_reads(Arena *arena, const Graph *original, const Graph *candidate,
                                size_t *original_call, size_t *candidate_call) {
    size_t both = original->read_count < candidate->read_count ? original->read_count : candidate->read_count;
    for (size_t i = 0; i < both; i++) {
        const GraphRead *a = &original->reads[i], *b = &candidate->reads[i];
        *original_call = a->call;
        *candidate_call = b->call;
        if (!text_equal(a->value, b->value))
            return arena_printf(arena, "the original reads %s from data where the refactored reads %s",
                                a->value, b->value);
    }
    *original_call = original->read_count > both ? original->reads[both].call : SIZE_MAX;
    *candidate_call = candidate->read_count > both ? candidate->reads[both].call : SIZE_MAX;
    if (original->read_count == candidate->read_count)
        return NULL;
    return arena_printf(arena, "the original reads data in Python %zu times, the refactored %zu times",
                        original->read_count, candidate->read_count);
}

static const char *unlike_inputs(Arena *arena, const Graph *original, const Graph *candidate) {
    for (size_t s = 0; s < 2; s++) {
        const Graph *graph = s == 0 ? original : candidate, *other = s == 0 ? candidate : original;
        for (size_t i = 0; i < graph->input_count; i++) {
            const GraphInput *input = &graph->inputs[i];
            if (input->final.number != input->term.number && input_at(other, input->path) == NULL)
                return arena_printf(arena, "only the %s writes to the input %s",
                                    s == 0 ? "original" : "refactored", input->path);
        }
    }
    return NULL;
}

static const char *unlike_layout(Arena *arena, const Graph *original, const Graph *candidate) {
    for (size_t i = 0; i < original->output_count; i++) {
        const GraphOutput *a = &original->outputs[i], *b = &candidate->outputs[i];
        const char *layout = !a->is_tensor                           ? NULL
                             : a->contiguous && !b->contiguous       ? "contiguous"
                             : a->channels_last && !b->channels_last ? "in channels_last order"
                                                                     : NULL;
        if (layout != NULL)
            return arena_printf(arena, "%s is %s in the original and not in the refactored", a->path, layout);
    }
    return NULL;
}

const char *unlike_effects(Arena *arena, const Graph *original, const Graph *candidate, size_t *original_call,
                           size_t *candidate_call) {
    const char *what = unlike_reads(arena, original, candidate, original_call, candidate_call);
    if (what != NULL)
        return what;
    *original_call = *candidate_call = SIZE_MAX;
    if (original->draw_count != candidate->draw_count)
        return arena_printf(arena, "the original draws random numbers %zu times, the refactored %zu times",
                            original->draw_count, candidate->draw_count);
    for (size_t i = 0; i < original->draw_count; i++)
        if (original->draws[i] != candidate->draws[i])
            return arena_printf(arena, "random call %zu of the original is %s, that of the refactored %s",
                                i + 1, original->draws[i], candidate->draws[i]);
    if ((what = unlike_inputs(arena, original, candidate)) != NULL)
        return what;
    return unlike_layout(arena, original, candidate);
}

static const char *shares(Arena *arena, const char *output, bool original, const char *form,
                          const char *with) {
    return arena_printf(arena, "%s shares memory with %s%s in the %s only", output, form, with,
                        original ? "original" : "refactored");
}

/* Outputs, inputs and states stand in pairs, and a pair of storages that is met is the other's partner:
 * whoever has one must have the other. */
typedef struct Partners {
    uint32_t *of; /* by storage: the other side's, or NO_PARTNER */
    bool *known, *several;
} Partners;

typedef struct Sharing {
    const Graph *original, *candidate;
    const size_t *stands;
    const GraphInput **inputs; /* of the candidate, by the original's */
    bool *stood_for;           /* by the original's state */
    Partners partners[2];
} Sharing;

enum { NO_PARTNER = UINT32_MAX };

static size_t storages_of(const Graph *graph) {
    size_t count = 0;
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i].is_tensor && graph->outputs[i].storage >= count)
            count = (size_t)graph->outputs[i].storage + 1;
    for (size_t i = 0; i < graph->input_count; i++)
        count = graph->inputs[i].storage >= count ? (size_t)graph->inputs[i].storage + 1 : count;
    for (size_t i = 0; i < graph->state_count; i++)
        count = graph->states[i].storage >= count ? (size_t)graph->states[i].storage + 1 : count;
    return count;
}

static void meet(Partners *partners, uint32_t storage, uint32_t other) {
    if (storage == NO_PARTNER)
        return;
    partners->several[storage] |= partners->known[storage] && partners->of[storage] != other;
    partners->known[storage] = true;
    partners->of[storage] = other;
}

static void meet_both(Sharing *sharing, uint32_t original, uint32_t candidate) {
    meet(&sharing->partners[0], original, candidate);
    meet(&sharing->partners[1], candidate, original);
}

static bool is_partner(const Partners *partners, uint32_t storage, uint32_t other) {
    return !partners->known[storage] || (!partners->several[storage] && partners->of[storage] == other);
}

static Sharing sharing_new(Arena *arena, const Graph *original, const Graph *candidate,
                           const size_t *stands) {
    Sharing sharing = {.original = original,
                       .candidate = candidate,
                       .stands = stands,
                       .inputs = ARENA_ARRAY(arena, const GraphInput *, original->input_count + 1),
                       .stood_for = ARENA_ARRAY(arena, bool, original->state_count + 1)};
    for (size_t s = 0; s < 2; s++) {
        const size_t count = storages_of(s == 0 ? original : candidate) + 1;
        sharing.partners[s] = (Partners){ARENA_ARRAY(arena, uint32_t, count), ARENA_ARRAY(arena, bool, count),
                                         ARENA_ARRAY(arena, bool, count)};
    }
    Table *paths = table_new(arena);
    for (size_t i = candidate->input_count; i-- > 0;) /* of equal paths the first stays */
        table_put(paths, candidate->inputs[i].path, &candidate->inputs[i]);
    for (size_t i = 0; i < original->input_count; i++) {
        const GraphInput *other = sharing.inputs[i] = table_get(paths, original->inputs[i].path);
        meet_both(&sharing, original->inputs[i].storage, other == NULL ? NO_PARTNER : other->storage);
    }
    for (size_t s = 0; s < candidate->state_count; s++) {
        if (stands[s] != SIZE_MAX)
            sharing.stood_for[stands[s]] = true;
        meet_both(&sharing, stands[s] == SIZE_MAX ? NO_PARTNER : original->states[stands[s]].storage,
                  candidate->states[s].storage);
    }
    for (size_t s = 0; s < original->state_count; s++)
        if (!sharing.stood_for[s])
            meet_both(&sharing, original->states[s].storage, NO_PARTNER);
    return sharing;
}

/* What output `i` shares memory with on one side only. */
static const char *shares_wrongly(Arena *arena, const Sharing *sharing, size_t i) {
    const Graph *original = sharing->original, *candidate = sharing->candidate;
    const GraphOutput *a = &original->outputs[i], *b = &candidate->outputs[i];
    for (size_t j = 0; j < i; j++) {
        const GraphOutput *c = &original->outputs[j], *d = &candidate->outputs[j];
        if (c->is_tensor && (a->storage == c->storage) != (b->storage == d->storage))
            return shares(arena, a->path, a->storage == c->storage, "", c->path);
    }
    for (size_t j = 0; j < original->input_count; j++) {
        const GraphInput *c = &original->inputs[j], *d = sharing->inputs[j];
        if ((a->storage == c->storage) != (d != NULL && b->storage == d->storage))
            return shares(arena, a->path, a->storage == c->storage, "the input ", c->path);
    }
    for (size_t s = 0; s < candidate->state_count; s++) {
        const GraphState *d = &candidate->states[s];
        const size_t stands = sharing->stands[s];
        bool here = stands != SIZE_MAX && a->storage == original->states[stands].storage;
        if (here != (b->storage == d->storage))
            return shares(arena, a->path, here, "the state ", d->keys[0]);
    }
    for (size_t s = 0; s < original->state_count; s++)
        if (!sharing->stood_for[s] && a->storage == original->states[s].storage)
            return shares(arena, a->path, true, "the state ", original->states[s].keys[0]);
    return NULL;
}

const char *unlike_sharing(Arena *arena, const Graph *original, const Graph *candidate,
                           const size_t *stands) {
    Sharing sharing = sharing_new(arena, original, candidate, stands);
    for (size_t i = 0; i < original->output_count; i++) {
        const GraphOutput *a = &original->outputs[i], *b = &candidate->outputs[i];
        if (!a->is_tensor)
            continue;
        if (!is_partner(&sharing.partners[0], a->storage, b->storage) ||
            !is_partner(&sharing.partners[1], b->storage, a->storage))
            return shares_wrongly(arena, &sharing, i);
        meet_both(&sharing, a->storage, b->storage);
    }
    return NULL;
}

/* By candidate's state: the original's of its name, or of what the rules bind to it. */
static size_t *states_by_name(Arena *arena, const Graph *original, const Graph *candidate,
                              const BindingRules *rules) {
    Table *keys = table_new(arena), *ruled = table_new(arena);
    size_t *stands = ARENA_ARRAY(arena, size_t, candidate->state_count + 1);
    for (size_t r = 0; r < rules->count; r++)
        table_put(ruled, rules->candidate_keys[r], (void *)rules->original_keys[r]);
    for (size_t s = 0; s < original->state_count; s++)
        for (size_t k = 0; k < original->states[s].key_count; k++)
            table_put(keys, original->states[s].keys[k], (void *)(s + 1));
    for (size_t s = 0; s < candidate->state_count; s++) {
        const char *own = candidate->states[s].keys[0], *key = table_get(ruled, own);
        const size_t found = (size_t)table_get(keys, key == NULL ? own : key);
        stands[s] = found == 0 ? SIZE_MAX : found - 1;
    }
    return stands;
}

const char *graph_unlike_memory(Arena *arena, const Graph *original, const Graph *candidate,
                                const BindingRules *rules) {
    if (unlike_outputs(arena, original, candidate) != NULL)
        return NULL;
    const char *what = unlike_layout(arena, original, candidate);
    return what != NULL ? what
                        : unlike_sharing(arena, original, candidate,
                                         states_by_name(arena, original, candidate, rules));
}

static const char *lies_in(Arena *arena, const Graph *graph, size_t state, const char *side) {
    const GraphState *within = &graph->states[graph->states[state].overlapped];
    return arena_printf(arena, "%s lies in the memory of %s in the %s only", graph->states[state].keys[0],
                        within->keys[0], side);
}

const char *graph_unlike_state_memory(Arena *arena, const Graph *original, const Graph *candidate,
                                      const BindingRules *rules) {
    const size_t *stands = states_by_name(arena, original, candidate, rules);
    bool *matched = ARENA_ARRAY(arena, bool, original->state_count + 1);
    for (size_t s = 0; s < candidate->state_count; s++) {
        const size_t within = candidate->states[s].overlapped, state = stands[s];
        if (within == SIZE_MAX)
            continue;
        if (state == SIZE_MAX || original->states[state].overlapped == SIZE_MAX ||
            original->states[state].overlapped != stands[within])
            return lies_in(arena, candidate, s, "refactored");
        matched[state] = true;
    }
    for (size_t s = 0; s < original->state_count; s++)
        if (original->states[s].overlapped != SIZE_MAX && !matched[s])
            return lies_in(arena, original, s, "original");
    return NULL;
}
