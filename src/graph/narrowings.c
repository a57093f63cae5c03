/* What a proof holds for no more than: where known values were equal by their bytes alone, and gradients
 * part. */
#include "unify_parts.h"

#include <string.h>

typedef struct Notes {
    Arena *arena;
    Table *seen;
    const char **items, **rules;
    size_t count, capacity, rule_count, rule_capacity;
} Notes;

static void note(Notes *notes, const char *rule, const char *text) {
    if (table_has(notes->seen, text))
        return;
    table_put(notes->seen, text, TABLE_PRESENT);
    *(const char **)arena_push(notes->arena, (void *)&notes->items, &notes->count, &notes->capacity,
                               sizeof(char *)) = text;
    *(const char **)arena_push(notes->arena, (void *)&notes->rules, &notes->rule_count, &notes->rule_capacity,
                               sizeof(char *)) = rule;
}

static void note_equals(const Match *match, Notes *notes) {
    static const char of_buffers[] = " (made of buffers that must keep their value from construction)";
    const Graph *original = match->original, *candidate = match->candidate;
    for (size_t i = 0; i < match->equal_count; i++) {
        const Equal *equal = &match->equals[i];
        const Term *a = term_at(original, equal->original), *b = term_at(candidate, equal->candidate);
        const char *one = term_describe(notes->arena, original, equal->original);
        const char *other = term_describe(notes->arena, candidate, equal->candidate);
        if (a->kind == TERM_STATE)
            note(notes, "policy, buffers",
                 arena_printf(
                     notes->arena,
                     "the refactored computes %s for the original's buffer %s, which must be one that "
                     "keeps its value from construction",
                     other, one));
        else if (b->kind == TERM_STATE)
            note(
                notes, "policy, buffers",
                arena_printf(notes->arena,
                             "the refactored has the buffer %s for the original's %s, which must be one that "
                             "keeps its value from construction",
                             other, one));
        else if (a->kept || b->kept)
            note(notes, "policy, buffers",
                 arena_printf(notes->arena, "the refactored computes %s%s%s for the original's %s%s%s", other,
                              term_module_words(notes->arena, candidate, equal->candidate),
                              b->kept ? of_buffers : "", one,
                              term_module_words(notes->arena, original, equal->original),
                              a->kept ? of_buffers : ""));
        else
            note(notes, "soundness 7",
                 arena_printf(notes->arena,
                              "equal at these shapes: the original's %s%s and the refactored's %s%s", one,
                              term_module_words(notes->arena, original, equal->original), other,
                              term_module_words(notes->arena, candidate, equal->candidate)));
    }
}

static bool may_have_gradient(const Term *term) {
    return (term->kind == TERM_OPERATOR || term->kind == TERM_VIEW || term->kind == TERM_WRITE) &&
           (term->dtype == NULL || strstr(term->dtype, "float") != NULL ||
            strstr(term->dtype, "complex") != NULL);
}

static void note_detached(const Match *match, Notes *notes) {
    const Graph *original = match->original, *candidate = match->candidate;
    for (size_t t = 0; t < candidate->term_count; t++) {
        if (match->terms[t] == NO_TERM)
            continue;
        TermId a = {match->terms[t]};
        bool there = term_at(original, a)->detached, here = candidate->terms[t].detached;
        if (there == here)
            continue;
        note(notes, "soundness 9",
             arena_printf(notes->arena, "forward only: the %s detaches %s, the %s does not",
                          here ? "refactored" : "original", term_describe(notes->arena, original, a),
                          here ? "original" : "refactored"));
        return;
    }
}

static void note_gradients(const Match *match, Notes *notes) {
    const Graph *original = match->original, *candidate = match->candidate;
    for (size_t t = 0; t < candidate->term_count; t++) {
        const Term *b = &candidate->terms[t];
        if (match->terms[t] == NO_TERM || b->grad == original->terms[match->terms[t]].grad ||
            !may_have_gradient(b))
            continue;
        TermId a = {match->terms[t]};
        note(notes, "soundness 9",
             arena_printf(notes->arena, "forward only: gradients go through %s%s in the %s, not in the %s",
                          term_describe(notes->arena, original, a),
                          term_module_words(notes->arena, original, a), b->grad ? "refactored" : "original",
                          b->grad ? "original" : "refactored"));
        return;
    }
}

void narrow_claim(Arena *arena, const Match *match, Unification *result) {
    Notes notes = {.arena = arena, .seen = table_new(arena)};
    note_equals(match, &notes);
    note_gradients(match, &notes);
    note_detached(match, &notes);
    if (match->reordered)
        note(&notes, "soundness 3", "outputs are taken by key: the refactored gives them in another order");
    result->narrowed = notes.items;
    result->narrowed_count = notes.count;
    result->narrowed_by = notes.rules;
}
