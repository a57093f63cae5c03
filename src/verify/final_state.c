/* Which of the original's state that forward changes a candidate's key holds. */
#include "verify_internal.h"

#include <string.h>

static size_t modified_at(const RunOutputs *side, const char *key) {
    for (size_t i = 0; i < side->state_modified_count; i++)
        if (text_equal(side->state_modified[i], key))
            return i;
    return SIZE_MAX;
}

bool state_is_modified(const RunOutputs *side, const char *key) {
    return modified_at(side, key) != SIZE_MAX;
}

const TensorView *final_state(const RunOutputs *side, const char *key) {
    const size_t at = modified_at(side, key);
    return at == SIZE_MAX || side->state_tensors[at] == SIZE_MAX ? NULL
                                                                 : &side->tensors[side->state_tensors[at]];
}

static bool same_kind(const StateEntry *a, const StateEntry *b) {
    return a->tensor.dtype == b->tensor.dtype && tensor_same_shape(&a->tensor, &b->tensor);
}

static bool candidate_is_alone(const Assignment *assignment, const RunOutputs *candidate, size_t i) {
    const StateEntry *entry = &assignment->candidate->items[i];
    return assignment->items[i].count == 0 && entry->tie == i && state_is_modified(candidate, entry->key) &&
           table_get(assignment->original->by_key, entry->key) == NULL;
}

static bool original_is_alone(const Assignment *assignment, const RunOutputs *original, size_t i) {
    const StateEntry *entry = &assignment->original->items[i];
    return !assignment->original_used[i] && entry->tie == i && state_is_modified(original, entry->key) &&
           table_get(assignment->candidate->by_key, entry->key) == NULL;
}

const StateEntry *state_counterpart(const Assignment *assignment, const RunOutputs *original,
                                    const RunOutputs *candidate, size_t index) {
    const StateEntry *entry = &assignment->candidate->items[index];
    const StateEntry *namesake = table_get(assignment->original->by_key, entry->key);
    if (namesake != NULL || !candidate_is_alone(assignment, candidate, index))
        return namesake != NULL && same_kind(namesake, entry) ? namesake : NULL;
    size_t before = 0;
    for (size_t i = 0; i < index; i++)
        before += candidate_is_alone(assignment, candidate, i) &&
                  same_kind(&assignment->candidate->items[i], entry);
    for (size_t i = 0; i < assignment->original->count; i++)
        if (original_is_alone(assignment, original, i) && same_kind(&assignment->original->items[i], entry) &&
            before-- == 0)
            return &assignment->original->items[i];
    return NULL;
}

/* Does the original change nothing, or some, of what the candidate's entry is made of? */
static const char *unlike_entry(const Assignment *assignment, const RunOutputs *original,
                                const RunOutputs *candidate, size_t index, bool of_original) {
    const Assigned *assigned = &assignment->items[index];
    const StateEntry *entry = &assignment->candidate->items[index];
    const bool here = state_is_modified(candidate, entry->key);
    if (assigned->count == 0) {
        const StateEntry *counterpart = state_counterpart(assignment, original, candidate, index);
        const bool there = counterpart != NULL && state_is_modified(original, counterpart->key);
        return there != here && there == of_original ? entry->key : NULL;
    }
    for (size_t i = 0; i < assigned->count; i++) {
        const char *key = assignment->original->items[assigned->items[i].original].key;
        const bool there = state_is_modified(original, key);
        if (there != here && there == of_original)
            return key;
    }
    return NULL;
}

/* A counter that only counts calls, and that BatchNorm written out need not have. */
static bool is_counter(const char *key) {
    static const char name[] = "num_batches_tracked";
    const size_t length = strlen(key), end = sizeof name - 1;
    return length >= end && strcmp(key + length - end, name) == 0;
}

static bool is_held(const Assignment *assignment, const RunOutputs *original, const RunOutputs *candidate,
                    const StateEntry *entry) {
    for (size_t i = 0; i < assignment->candidate->count; i++)
        if (candidate_is_alone(assignment, candidate, i) &&
            state_counterpart(assignment, original, candidate, i) == entry)
            return true;
    return false;
}

const char *state_unlike(const Assignment *assignment, const RunOutputs *original,
                         const RunOutputs *candidate, bool of_original, bool counters) {
    for (size_t i = 0; i < assignment->candidate->count; i++) {
        const char *key = unlike_entry(assignment, original, candidate, i, of_original);
        if (key != NULL && is_counter(key) == counters)
            return key;
    }
    for (size_t i = 0; of_original && i < assignment->original->count; i++) {
        const StateEntry *entry = &assignment->original->items[i];
        const bool left_out = is_counter(entry->key) || assignment->original_nowhere[i];
        if (left_out == counters && original_is_alone(assignment, original, i) &&
            !is_held(assignment, original, candidate, entry))
            return entry->key;
    }
    return NULL;
}
