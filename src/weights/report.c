/* What the assignment leaves over: ambiguous and unmapped keys; and the map as JSON. */
#include "inside.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Of many keys of one kind, this many get a finding of their own; the last says how many there are. */
enum { MOST_FINDINGS = 20, MOST_FRAGMENT_LINES = 60, MOST_KEYS_NAMED = 6 };

typedef struct Reading { /* one side's reader */
    const StateDict *dict;
    WeightReader *reads;
    void *context;
} Reading;

static bool is_read(const Reading *reading, size_t first) {
    if (reading->reads == NULL)
        return true;
    for (size_t i = first; i != SIZE_MAX; i = reading->dict->items[i].next_tied) {
        if (reading->reads(reading->context, reading->dict->items[i].key))
            return true;
    }
    return false;
}

/* ---- Ambiguous ---------------------------------------------------------------------------- */
static bool any_is_read(const Reading *reading, const size_t *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (is_read(reading, entries[i]))
            return true;
    }
    return false;
}

static const char *some_keys(Arena *arena, const StateDict *dict, const size_t *entries, size_t count) {
    Text text = text_new(arena);
    for (size_t i = 0; i < count && i < MOST_KEYS_NAMED; i++)
        text_printf(&text, "%s%s", i == 0 ? "" : ", ", dict->items[entries[i]].key);
    if (count > MOST_KEYS_NAMED)
        text_printf(&text, " and %zu more", count - MOST_KEYS_NAMED);
    return text.data;
}

/* The next word or number of a key: "dense", "blocks", "0" of "dense_blocks.0"; `*length` 0 at its end. */
static const char *next_word(const char *at, size_t *length) {
    while (*at != '\0' && !isalnum((unsigned char)*at))
        at++;
    for (*length = 0; isalnum((unsigned char)at[*length]); ++*length)
        if (*length > 0 && !isdigit((unsigned char)at[*length]) != !isdigit((unsigned char)at[*length - 1]))
            break;
    return at;
}

size_t words_shared(const char *one, const char *other) {
    size_t shared = 0, length, its;
    for (const char *word = next_word(one, &length); length > 0; word = next_word(word + length, &length)) {
        const char *like = next_word(other, &its);
        while (its > 0 && (its != length || memcmp(like, word, its) != 0))
            like = next_word(like + its, &its);
        shared += its > 0;
    }
    return shared;
}

/* Lines of weight_map.json that pair each original with the candidate whose key shares most with its own, and
 * of several with the first: a start for whoever writes the map, no more. */
static void add_pairs(Arena *arena, Text *text, const Assignment *assignment, const Ambiguity *ambiguity,
                      size_t *lines) {
    bool *taken = ARENA_ARRAY(arena, bool, ambiguity->candidate_count);
    const StateEntry *originals = assignment->original->items, *candidates = assignment->candidate->items;
    for (size_t i = 0; i < ambiguity->original_count && i < ambiguity->candidate_count; i++) {
        if (++*lines > MOST_FRAGMENT_LINES)
            continue;
        const char *key = originals[ambiguity->originals[i]].key;
        size_t best = SIZE_MAX, most = 0;
        for (size_t j = 0; j < ambiguity->candidate_count; j++) {
            const size_t shared = words_shared(key, candidates[ambiguity->candidates[j]].key);
            if (taken[j] || (best != SIZE_MAX && shared <= most))
                continue;
            best = j;
            most = shared;
        }
        taken[best] = true;
        json_t *pair = json_pack("{s:s}", key, candidates[ambiguity->candidates[best]].key);
        char *line = json_dumps(pair, JSON_COMPACT);
        json_decref(pair);
        if (line != NULL) /* {"a":"b"} */
            text_printf(text, "%s\n  %.*s", *lines > 1 ? "," : "", (int)strlen(line) - 2, line + 1);
        free(line);
    }
}

const char *map_fragment_end(Text *text, size_t lines, size_t most) {
    if (lines > most)
        text_printf(text, "\n  ... %zu more lines", lines - most);
    text_add(text, "\n}");
    return text->data;
}

static bool ambiguity_matters(const Ambiguity *ambiguity, const Reading *original, const Reading *candidate) {
    return any_is_read(original, ambiguity->originals, ambiguity->original_count) ||
           any_is_read(candidate, ambiguity->candidates, ambiguity->candidate_count);
}

static void report_ambiguity(const Assignment *assignment, const Ambiguity *ambiguity, bool matters,
                             const char *map, Findings *findings) {
    Arena *arena = findings->arena;
    const StateEntry *first = &assignment->candidate->items[ambiguity->candidates[0]];
    Finding *finding = findings_add(
        findings, &WEIGHTS_RULES[WEIGHTS_AMBIGUOUS], matters ? SEVERITY_VIOLATION : SEVERITY_NOTE, (Place){0},
        "the refactored keys of %s (%s) could take the originals (%s) in more than one way",
        tensor_as_text(arena, &first->tensor),
        some_keys(arena, assignment->candidate, ambiguity->candidates, ambiguity->candidate_count),
        some_keys(arena, assignment->original, ambiguity->originals, ambiguity->original_count));
    finding->where = first->key;
    finding->frame = map;
    if (!matters)
        finding->instead = "nothing need be done: no output depends on them";
}

/* With each that matters stand the lines of them all: one map settles them. */
static void report_ambiguities(const Assignment *assignment, const Reading *original,
                               const Reading *candidate, Findings *findings) {
    Arena *arena = findings->arena;
    Text text = text_new(arena);
    size_t lines = 0;
    text_add(&text, "{");
    bool *matters = ARENA_ARRAY(arena, bool, assignment->ambiguity_count);
    for (size_t i = 0; i < assignment->ambiguity_count; i++) {
        matters[i] = ambiguity_matters(&assignment->ambiguities[i], original, candidate);
        if (matters[i])
            add_pairs(arena, &text, assignment, &assignment->ambiguities[i], &lines);
    }
    const char *map = lines > 0 ? map_fragment_end(&text, lines, MOST_FRAGMENT_LINES) : NULL;
    for (size_t i = 0; i < assignment->ambiguity_count; i++)
        report_ambiguity(assignment, &assignment->ambiguities[i], matters[i], matters[i] ? map : NULL,
                         findings);
}

/* ---- Unmapped ----------------------------------------------------------------------------- */
static bool *ambiguous_entries(Arena *arena, const Assignment *assignment, bool of_candidate,
                               size_t entry_count) {
    bool *ambiguous = ARENA_ARRAY(arena, bool, entry_count);
    for (size_t i = 0; i < assignment->ambiguity_count; i++) {
        const Ambiguity *ambiguity = &assignment->ambiguities[i];
        const size_t *entries = of_candidate ? ambiguity->candidates : ambiguity->originals;
        size_t count = of_candidate ? ambiguity->candidate_count : ambiguity->original_count;
        for (size_t j = 0; j < count; j++)
            ambiguous[entries[j]] = true;
    }
    return ambiguous;
}

static bool original_is_unmapped(const Assignment *assignment, size_t i) {
    return assignment->original->items[i].is_state && !assignment->original_used[i] &&
           !assignment->original_equalled[i];
}

static bool candidate_is_unmapped(const Assignment *assignment, size_t i) {
    const Assigned *assigned = &assignment->items[i];
    return assignment->candidate->items[i].is_state &&
           (assigned->by == ASSIGNED_NOTHING || (assigned->by == ASSIGNED_KEPT && !assigned->equals));
}

static bool is_unmapped(const Assignment *assignment, bool of_candidate, size_t i) {
    return of_candidate ? candidate_is_unmapped(assignment, i) : original_is_unmapped(assignment, i);
}

/* An unmapped key of the other side that shares the end of its name: its shape says what went wrong. */
static const char *likely_counterpart(Arena *arena, const Assignment *assignment, bool of_candidate,
                                      size_t entry) {
    const StateDict *dict = of_candidate ? assignment->candidate : assignment->original;
    const StateDict *other = of_candidate ? assignment->original : assignment->candidate;
    size_t best = 0, at = SIZE_MAX;
    for (size_t i = 0; i < other->count; i++) {
        if (other->items[i].tie != i || !is_unmapped(assignment, !of_candidate, i))
            continue;
        size_t shared = shared_suffix(dict->items[entry].key, other->items[i].key);
        if (shared < best || shared == 0)
            continue;
        at = shared > best ? i : SIZE_MAX;
        best = shared;
    }
    if (at == SIZE_MAX)
        return "";
    const StateEntry *likely = &other->items[at];
    const char *like = tensor_as_text(arena, &likely->tensor);
    bool swapped = shapes_are_swapped(&dict->items[entry].tensor, &likely->tensor);
    return arena_printf(arena, "; the %s \"%s\" is %s%s", of_candidate ? "original's" : "refactored model's",
                        likely->key, like, swapped ? ": are its dimensions swapped?" : "");
}

static Members left_over(Arena *arena, const Assignment *assignment, bool of_candidate) {
    const StateDict *dict = of_candidate ? assignment->candidate : assignment->original;
    Members left = {0};
    for (size_t i = 0; i < dict->count; i++)
        if (dict->items[i].tie == i && is_unmapped(assignment, of_candidate, i))
            *(size_t *)ARENA_PUSH(arena, &left) = i;
    return left;
}

static void report_side(const Assignment *assignment, bool of_candidate, const Reading *reading,
                        const char *parts, Findings *findings) {
    Arena *arena = findings->arena;
    const StateDict *dict = reading->dict;
    const Rule *rule = &WEIGHTS_RULES[of_candidate ? WEIGHTS_UNMAPPED_REFACTORED : WEIGHTS_UNMAPPED_ORIGINAL];
    const bool *ambiguous = ambiguous_entries(arena, assignment, of_candidate, dict->count);
    size_t violations = 0;
    for (size_t i = 0; i < dict->count; i++) {
        bool reported = of_candidate ? assignment->items[i].reported : assignment->original_reported[i];
        if (dict->items[i].tie != i || reported || ambiguous[i] || !is_unmapped(assignment, of_candidate, i))
            continue;
        bool matters = is_read(reading, i);
        violations += matters;
        if (violations > MOST_FINDINGS)
            continue;
        bool nowhere = !of_candidate && assignment->original_nowhere[i];
        Finding *finding =
            findings_add(findings, rule, matters ? SEVERITY_VIOLATION : SEVERITY_NOTE, (Place){0},
                         "%s \"%s\" %s %s%s%s", of_candidate ? "refactored" : "original", dict->items[i].key,
                         tensor_as_text(arena, &dict->items[i].tensor),
                         of_candidate ? "gets nothing from the original"
                         : nowhere    ? "is mapped nowhere by the map"
                                      : "goes nowhere",
                         matters ? "" : ", and no output depends on it",
                         matters && !nowhere ? likely_counterpart(arena, assignment, of_candidate, i) : "");
        finding->where = dict->items[i].key;
        if (matters && !nowhere && parts != NULL) {
            finding->instead = "if a weight is fused on one side alone, map its parts in weight_map.json, in "
                               "the order in which they lie in it";
            finding->frame = parts;
        }
    }
    if (violations > MOST_FINDINGS)
        findings_add(findings, rule, SEVERITY_VIOLATION, (Place){0}, "%zu more %s keys %s",
                     violations - MOST_FINDINGS, of_candidate ? "refactored" : "original",
                     of_candidate ? "get nothing" : "go nowhere");
}

void weights_report_unmapped(const Assignment *assignment, WeightReader *original_reads,
                             void *original_context, WeightReader *candidate_reads, void *candidate_context,
                             Findings *findings) {
    const Reading original = {assignment->original, original_reads, original_context};
    const Reading candidate = {assignment->candidate, candidate_reads, candidate_context};
    report_ambiguities(assignment, &original, &candidate, findings);
    const Members originals = left_over(findings->arena, assignment, false),
                  candidates = left_over(findings->arena, assignment, true);
    const char *parts =
        map_of_fused(findings->arena, assignment->original, &originals, assignment->candidate, &candidates);
    report_side(assignment, false, &original, parts, findings);
    report_side(assignment, true, &candidate, parts, findings);
}

/* ---- The map as JSON ---------------------------------------------------------------------- */
static json_t *target_to_json(const char *key, const Piece *piece) {
    if (piece->kind == PIECE_WHOLE && !piece->transpose)
        return json_string(key);
    json_t *part = json_pack("{s:s}", "key", key);
    if (piece->kind != PIECE_WHOLE) {
        json_object_set_new(part, "dim", json_integer((json_int_t)piece->dim));
        json_object_set_new(part, "start", json_integer(piece->start));
        json_object_set_new(part, "stop", json_integer(piece->stop));
    }
    if (piece->transpose)
        json_object_set_new(part, "transpose", json_true());
    return part;
}

/* The original key to name for a candidate key: the one of the same name among tied ones. */
static const char *original_name(const Assignment *assignment, const char *candidate_key,
                                 const Piece *piece) {
    const StateEntry *named = &assignment->original->items[piece->original];
    const StateEntry *same = table_get(assignment->original->by_key, candidate_key);
    return same != NULL && same->tie == named->tie ? same->key : named->key;
}

json_t *weights_map_to_json(const Assignment *assignment) {
    json_t *map = json_object();
    for (size_t i = 0; i < assignment->candidate->count; i++) {
        const char *key = assignment->candidate->items[i].key;
        for (size_t j = 0; j < assignment->items[i].count; j++) {
            const Piece *piece = &assignment->items[i].items[j];
            const char *original = original_name(assignment, key, piece);
            json_t *before = json_object_get(map, original), *target = target_to_json(key, piece);
            if (before == NULL)
                json_object_set_new(map, original, target);
            else if (json_is_array(before))
                json_array_append_new(before, target);
            else
                json_object_set_new(map, original, json_pack("[O, o]", before, target));
        }
    }
    return map;
}

static json_t *unmapped_to_json(const Assignment *assignment, bool of_candidate) {
    const StateDict *dict = of_candidate ? assignment->candidate : assignment->original;
    json_t *keys = json_array();
    for (size_t i = 0; i < dict->count; i++) {
        if (is_unmapped(assignment, of_candidate, i))
            json_array_append_new(keys, json_string(dict->items[i].key));
    }
    return keys;
}

json_t *weights_unmapped_original(const Assignment *assignment) {
    return unmapped_to_json(assignment, false);
}

json_t *weights_unmapped_refactored(const Assignment *assignment) {
    return unmapped_to_json(assignment, true);
}
