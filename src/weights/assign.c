/* Which original goes where: by the map, by equal names, by suffixes and shapes; never by a guess.
 *
 * A tensor with several keys (tied) is handled once, under its first key: flags and pieces of the others are
 * copies.
 */
#include "inside.h"

#include <string.h>

/* ---- Giving ------------------------------------------------------------------------------- */
static bool is_first(const StateDict *dict, size_t entry) {
    return dict->items[entry].tie == entry;
}

void assign_piece(Assigning *assigning, size_t entry, Piece piece, AssignedBy by) {
    Assignment *out = assigning->out;
    Assigned *assigned = &out->items[out->candidate->items[entry].tie];
    *(Piece *)ARENA_PUSH(assigning->arena, assigned) = piece;
    assigned->by = by;
    out->original_used[out->original->items[piece.original].tie] = true;
}

static void assign_whole(Assigning *assigning, size_t entry, size_t original, AssignedBy by) {
    assign_piece(assigning, entry, (Piece){.kind = PIECE_WHOLE, .original = original}, by);
}

static void assume(Assigning *assigning, const char *assumption) {
    Assignment *out = assigning->out;
    *(const char **)arena_push(assigning->arena, (void *)&out->assumptions, &out->assumption_count,
                               &assigning->assumption_capacity, sizeof assumption) = assumption;
}

/* ---- Equal names -------------------------------------------------------------------------- */
static bool same_kind_of_tensor(const StateEntry *a, const StateEntry *b) {
    return a->tensor.dtype == b->tensor.dtype && tensor_same_shape(&a->tensor, &b->tensor);
}

static void report_unlike(Assigning *assigning, const StateEntry *original, const StateEntry *candidate) {
    Assignment *out = assigning->out;
    const bool shape = !tensor_same_shape(&original->tensor, &candidate->tensor);
    Finding *finding = findings_add(assigning->findings,
                                    &WEIGHTS_RULES[shape ? WEIGHTS_SHAPE : WEIGHTS_DTYPE], SEVERITY_VIOLATION,
                                    (Place){0}, "\"%s\" is %s in the original and %s in the refactored model",
                                    original->key, tensor_as_text(assigning->arena, &original->tensor),
                                    tensor_as_text(assigning->arena, &candidate->tensor));
    finding->where = candidate->key;
    if (shapes_are_swapped(&original->tensor, &candidate->tensor))
        finding->instead =
            "its dimensions are swapped: build it as Linear(in, out); if it is stored the other way "
            "round on purpose, map it with \"transpose\": true";
    out->items[candidate->tie].reported = true;
    out->original_reported[original->tie] = true;
}

/* The two originals that one candidate tensor would have to be, or the reverse. */
static void report_tie(Assigning *assigning, const char *one, const char *other, bool tied_in_original) {
    Finding *finding =
        findings_add(assigning->findings, &WEIGHTS_RULES[WEIGHTS_TIE], SEVERITY_VIOLATION, (Place){0},
                     "\"%s\" and \"%s\" are one tensor in the %s but two in the %s", one, other,
                     tied_in_original ? "original" : "refactored model",
                     tied_in_original ? "refactored model" : "original");
    finding->where = other;
    finding->instead = tied_in_original
                           ? "tie them in the refactored model too, or map the one original to a list of "
                             "both keys"
                           : "don't tie them in the refactored model";
}

static void assign_equal_name(Assigning *assigning, size_t index) {
    Assignment *out = assigning->out;
    const StateEntry *candidate = &out->candidate->items[index];
    const StateEntry *original = table_get(out->original->by_key, candidate->key);
    Assigned *assigned = &out->items[candidate->tie];
    if (original == NULL || (!candidate->is_state && !original->is_state))
        return;
    if (assigned->by ==
        ASSIGNED_NAME) { /* under another of its keys: that must have meant the same original */
        const StateEntry *before = &out->original->items[assigned->items[0].original];
        if (before->tie != original->tie)
            report_tie(assigning, before->key, candidate->key, false);
        return;
    }
    if (assigned->by != ASSIGNED_NOTHING || assigned->reported || out->original_nowhere[original->tie])
        return;
    if (assigning->mapped[original - out->original->items] && out->original_used[original->tie])
        return; /* the map sends this very key elsewhere */
    if (!same_kind_of_tensor(original, candidate)) {
        report_unlike(assigning, original, candidate);
        return;
    }
    assign_whole(assigning, index, (size_t)(original - out->original->items), ASSIGNED_NAME);
}

/* One original tensor in several candidate tensors: right only where the map says so. */
static void check_original_ties(Assigning *assigning) {
    Assignment *out = assigning->out;
    size_t *first = ARENA_ARRAY(assigning->arena, size_t, out->original->count);
    for (size_t i = 0; i < out->original->count; i++)
        first[i] = SIZE_MAX;
    for (size_t i = 0; i < out->candidate->count; i++) {
        const Assigned *assigned = &out->items[i];
        if (!is_first(out->candidate, i) || assigned->count != 1 || assigned->items[0].kind != PIECE_WHOLE)
            continue;
        size_t *other = &first[out->original->items[assigned->items[0].original].tie];
        if (*other != SIZE_MAX && (assigned->by != ASSIGNED_MAP || out->items[*other].by != ASSIGNED_MAP))
            report_tie(assigning, out->candidate->items[*other].key, out->candidate->items[i].key, true);
        if (*other == SIZE_MAX)
            *other = i;
    }
}

/* ---- Known buffers (policy.md, "Buffers") -------------------------------------------------- */
static bool same_bytes(const TensorView *a, const TensorView *b) {
    enum { ELEMENTS = 1024 };
    uint8_t x[ELEMENTS * 16], y[ELEMENTS * 16];
    for (int64_t first = 0; first < a->element_count; first += ELEMENTS) {
        int64_t count = a->element_count - first < ELEMENTS ? a->element_count - first : ELEMENTS;
        tensor_gather(a, first, count, x);
        tensor_gather(b, first, count, y);
        if (memcmp(x, y, (size_t)count * dtype_info(a->dtype)->size) != 0)
            return false;
    }
    return true;
}

static const StateEntry *known_alike(const Assignment *out, const StateEntry *candidate) {
    for (size_t i = 0; i < out->original->count; i++) {
        const StateEntry *original = &out->original->items[i];
        if (!original->is_state && same_kind_of_tensor(original, candidate) &&
            same_bytes(&original->tensor, &candidate->tensor))
            return original;
    }
    return NULL;
}

/* A known buffer that no name or map has given a value keeps the one from construction, and we say so; unless
 * both sides have it in their state dicts with other bytes: then loading a checkpoint would overwrite it. */
static void keep_known_buffer(Assigning *assigning, size_t index) {
    Assignment *out = assigning->out;
    const StateEntry *candidate = &out->candidate->items[index], *alike = NULL;
    const StateEntry *original = table_get(out->original->by_key, candidate->key);
    const char *assumption;
    if (original != NULL && same_kind_of_tensor(original, candidate)) {
        if (!same_bytes(&original->tensor, &candidate->tensor) && original->persistent &&
            candidate->persistent) {
            assign_whole(assigning, index, (size_t)(original - out->original->items), ASSIGNED_NAME);
            return;
        }
        alike = same_bytes(&original->tensor, &candidate->tensor) ? original : NULL;
    } else {
        alike = known_alike(out, candidate);
    }
    if (alike == NULL)
        assumption = "the original has no buffer like it";
    else if (text_equal(alike->key, candidate->key))
        assumption = "it equals the original's";
    else
        assumption = arena_printf(assigning->arena, "it equals the original's %s", alike->key);
    assume(assigning, arena_printf(assigning->arena, "%s keeps its value from construction; %s",
                                   candidate->key, assumption));
    out->items[index].by = ASSIGNED_KEPT;
    out->items[index].equals = alike != NULL;
    if (alike != NULL)
        out->original_equalled[alike->tie] = true;
}

/* A map that gives a known buffer the bytes that it has writes nothing. */
static void keep_what_is_mapped_alike(Assigning *assigning) {
    Assignment *out = assigning->out;
    for (size_t i = 0; i < out->candidate->count; i++) {
        const StateEntry *candidate = &out->candidate->items[i];
        Assigned *assigned = &out->items[i];
        if (!is_first(out->candidate, i) || candidate->is_state || assigned->by != ASSIGNED_MAP ||
            assigned->count != 1 || assigned->items[0].kind != PIECE_WHOLE || assigned->items[0].transpose)
            continue;
        const StateEntry *original = &out->original->items[assigned->items[0].original];
        assigned->equals = !original->is_state && same_kind_of_tensor(original, candidate) &&
                           same_bytes(&original->tensor, &candidate->tensor);
        if (assigned->equals)
            assume(assigning,
                   arena_printf(assigning->arena,
                                "%s keeps its value from construction; it equals the original's %s",
                                candidate->key, original->key));
    }
}

/* ---- Suffixes and shapes ------------------------------------------------------------------ */
typedef struct Group { /* unassigned tensors of one kind, shape and dtype */
    Members originals, candidates;
} Group;

static void remove_taken(Members *members, const bool *taken) {
    size_t kept = 0;
    for (size_t i = 0; i < members->count; i++) {
        if (!taken[i])
            members->items[kept++] = members->items[i];
    }
    members->count = kept;
}

/* Pairs off those that are each other's only best; then, if one is left on both sides, those. */
static void pair_group(Assigning *assigning, Group *group) {
    Arena *arena = assigning->arena;
    Assignment *out = assigning->out;
    Members *originals = &group->originals, *candidates = &group->candidates;
    bool *original_taken = ARENA_ARRAY(arena, bool, originals->count);
    bool *candidate_taken = ARENA_ARRAY(arena, bool, candidates->count);
    const size_t *partners = pair_alike(arena, out->original, originals, out->candidate, candidates);
    for (size_t j = 0; j < candidates->count; j++)
        if (partners[j] != SIZE_MAX) {
            assign_whole(assigning, candidates->items[j], originals->items[partners[j]], ASSIGNED_SUFFIX);
            original_taken[partners[j]] = candidate_taken[j] = true;
        }
    remove_taken(originals, original_taken);
    remove_taken(candidates, candidate_taken);
    if (originals->count == 1 && candidates->count == 1)
        assign_whole(assigning, candidates->items[0], originals->items[0], ASSIGNED_SUFFIX);
    else if (originals->count > 0 && candidates->count > 0)
        out->ambiguities[out->ambiguity_count++] =
            (Ambiguity){originals->items, candidates->items, originals->count, candidates->count};
}

/* A key that the other side has too, at the same shape and dtype, goes nowhere else without a map (soundness
 * 8). */
static bool has_namesake(const StateDict *dict, size_t first, const StateDict *other) {
    for (size_t i = first; i != SIZE_MAX; i = dict->items[i].next_tied) {
        const StateEntry *namesake = table_get(other->by_key, dict->items[i].key);
        if (namesake != NULL && same_kind_of_tensor(namesake, &dict->items[i]))
            return true;
    }
    return false;
}

static bool original_is_free(const Assignment *out, size_t i) {
    return is_first(out->original, i) && out->original->items[i].is_state && !out->original_used[i] &&
           !out->original_reported[i] && !out->original_nowhere[i] &&
           !has_namesake(out->original, i, out->candidate);
}

static bool candidate_is_free(const Assignment *out, size_t i) {
    return is_first(out->candidate, i) && out->candidate->items[i].is_state &&
           out->items[i].by == ASSIGNED_NOTHING && !out->items[i].reported &&
           !has_namesake(out->candidate, i, out->original);
}

static Group *group_of(Arena *arena, Table *groups, const StateEntry *entry) {
    const char *name = arena_printf(arena, "%d %s", entry->kind, tensor_as_text(arena, &entry->tensor));
    Group *group = table_get(groups, name);
    if (group == NULL) {
        group = ARENA_NEW(arena, Group);
        table_put(groups, name, group);
    }
    return group;
}

static void assign_by_suffix(Assigning *assigning) {
    Arena *arena = assigning->arena;
    Assignment *out = assigning->out;
    Table *groups = table_new(arena);
    for (size_t i = 0; i < out->original->count; i++) {
        if (original_is_free(out, i))
            *(size_t *)ARENA_PUSH(arena, &group_of(arena, groups, &out->original->items[i])->originals) = i;
    }
    for (size_t i = 0; i < out->candidate->count; i++) {
        if (candidate_is_free(out, i))
            *(size_t *)ARENA_PUSH(arena, &group_of(arena, groups, &out->candidate->items[i])->candidates) = i;
    }
    out->ambiguities = ARENA_ARRAY(arena, Ambiguity, groups->count);
    for (size_t i = 0; i < groups->count; i++)
        pair_group(assigning, groups->items[i].value);
}

/* ---- What no checkpoint fills ------------------------------------------------------------- */
static bool is_in_state_dict(const StateDict *dict, const StateEntry *entry) {
    bool persistent = entry->persistent;
    for (size_t next = entry->next_tied; next != SIZE_MAX && !persistent; next = dict->items[next].next_tied)
        persistent = dict->items[next].persistent;
    return persistent;
}

/* State that a checkpoint of the original has, in a buffer that no state dict of the candidate has: right
 * only as long as it is what construction makes. */
static void check_unloadable(Assigning *assigning) {
    const Assignment *out = assigning->out;
    for (size_t i = 0; i < out->candidate->count; i++) {
        const StateEntry *candidate = &out->candidate->items[i];
        const Assigned *assigned = &out->items[i];
        if (!is_first(out->candidate, i) || is_in_state_dict(out->candidate, candidate) ||
            assigned->count == 0)
            continue;
        const StateEntry *original = &out->original->items[assigned->items[0].original];
        if (!is_in_state_dict(out->original, original) || !out->original->items[original->tie].is_state)
            continue;
        if (assigned->items[0].kind == PIECE_WHOLE && original->kind == STATE_BUFFER &&
            same_kind_of_tensor(original, candidate) && same_bytes(&original->tensor, &candidate->tensor)) {
            assume(assigning,
                   arena_printf(assigning->arena,
                                "%s keeps its value from construction; it is in no state dict, and the "
                                "original's %s is",
                                candidate->key, original->key));
            continue;
        }
        Finding *finding = findings_add(
            assigning->findings, &WEIGHTS_RULES[WEIGHTS_UNMAPPED_ORIGINAL], SEVERITY_VIOLATION, (Place){0},
            "\"%s\" is in the original's state dict, and \"%s\" is not in the refactored model's "
            "(persistent=False): no checkpoint gets there",
            original->key, candidate->key);
        finding->where = candidate->key;
        finding->instead = "register the buffer as the original does";
    }
}

/* ---- All of it ---------------------------------------------------------------------------- */
static void copy_to_tied_keys(Assigning *assigning) {
    Assignment *out = assigning->out;
    for (size_t i = 0; i < out->candidate->count; i++)
        out->items[i] = out->items[out->candidate->items[i].tie];
    for (size_t i = 0; i < out->original->count; i++) {
        const size_t first = out->original->items[i].tie;
        out->original_used[i] = out->original_used[first];
        out->original_reported[i] = out->original_reported[first];
        out->original_nowhere[i] = out->original_nowhere[first];
        out->original_equalled[i] = out->original_equalled[first];
        out->mapped_count += out->original_used[i];
    }
}

void weights_assign(Arena *arena, const StateDict *original, const StateDict *candidate, const WeightMap *map,
                    Assignment *out, Findings *findings) {
    *out = (Assignment){.original = original,
                        .candidate = candidate,
                        .map = map,
                        .items = ARENA_ARRAY(arena, Assigned, candidate->count),
                        .original_used = ARENA_ARRAY(arena, bool, original->count),
                        .original_reported = ARENA_ARRAY(arena, bool, original->count),
                        .original_nowhere = ARENA_ARRAY(arena, bool, original->count),
                        .original_equalled = ARENA_ARRAY(arena, bool, original->count)};
    Assigning assigning = {.arena = arena,
                           .out = out,
                           .findings = findings,
                           .mapped = ARENA_ARRAY(arena, bool, original->count)};
    if (map != NULL)
        assign_by_map(&assigning);
    for (size_t i = 0; i < candidate->count; i++)
        assign_equal_name(&assigning, i);
    for (size_t i = 0; i < candidate->count; i++) {
        if (is_first(candidate, i) && !candidate->items[i].is_state && out->items[i].by == ASSIGNED_NOTHING)
            keep_known_buffer(&assigning, i);
    }
    keep_what_is_mapped_alike(&assigning);
    check_original_ties(&assigning);
    assign_by_suffix(&assigning);
    check_unloadable(&assigning);
    copy_to_tied_keys(&assigning);
}
