/* What of the candidate's tests on sizes, dtype and device the original has no like of. */
#include "conditions.h"
#include "operator_rules.h"

#include <string.h>

typedef struct Libraries {
    const ProgramFile *file;
    bool found;
} Libraries;

/* Has no model's code in it, or is torch, whose modules test what they test on both sides. */
static bool is_seen_through(const char *module) {
    static const char *const names[] = {"torch", "numpy", "scipy", "einops", "packaging"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_equal(module, names[i]))
            return true;
    return module_is_standard(module);
}

static bool find_library(const Node *node, void *context) {
    Libraries *libraries = context;
    const Field *names = node_list(node, FIELD_names);
    const char *module = node->kind == NODE_ImportFrom ? node_text(node, FIELD_module) : NULL;
    for (size_t i = 0; (node->kind == NODE_Import || module != NULL) && i < names->count; i++) {
        const char *name = module != NULL            ? module
                           : names->items[i] != NULL ? node_text(names->items[i], FIELD_name)
                                                     : NULL;
        const char *alias = names->items[i] == NULL ? NULL : node_text(names->items[i], FIELD_name);
        const size_t length = name == NULL ? 0 : strcspn(name, ".");
        char root[128];
        if (name == NULL || length >= sizeof root || program_binding(libraries->file, node, alias) != NULL)
            continue;
        memcpy(root, name, length);
        root[length] = '\0';
        libraries->found = libraries->found || !is_seen_through(root);
    }
    return true;
}

/* Then what the original tests can't be seen. */
static bool is_of_a_library(const Program *original) {
    Libraries libraries = {0};
    for (size_t i = 0; i < original->count; i++) {
        libraries.file = original->items[i];
        node_walk(libraries.file->tree.module, find_library, &libraries);
    }
    return libraries.found;
}

/* What is known to ask for sizes has no like in what may ask for anything. */
static bool has_like(const Conditions *theirs, const Condition *condition) {
    for (size_t i = 0; i < theirs->count; i++)
        if (theirs->items[i].number == condition->number &&
            (condition->unsettled || !theirs->items[i].unsettled) &&
            strcmp(theirs->items[i].signature, condition->signature) == 0)
            return true;
    return false;
}

static const char *what_it_asks(const Condition *condition) {
    if (condition->unsettled)
        return "this tests what may be made of sizes: the source doesn't tell where it comes from";
    if ((condition->reads & READS_VALUE) != 0)
        return "this asks for the value of an argument";
    return (condition->reads & READS_SURROUNDINGS) != 0
               ? "this asks for what surrounds the call (a mode, the machine, what an argument's class is)"
               : "this asks for sizes, a dtype or a device";
}

static bool is_of(const Finding *finding, const Condition *condition) {
    const Place place = node_place(&condition->file->tree, condition->node);
    return (finding->rule == &RULE_STEP_CONDITION || finding->rule == &RULE_STEP_SIZE) &&
           text_equal(finding->place.file, place.file) && finding->place.line == place.line &&
           finding->place.column == place.column;
}

static void report(Findings *findings, const Condition *condition, bool unseen) {
    const Place place = node_place(&condition->file->tree, condition->node);
    for (size_t i = 0; i < findings->count; i++)
        if (!condition->number && condition->reads != READS_VALUE &&
            findings->items[i].rule == &RULE_STEP_CONDITION && is_of(&findings->items[i], condition))
            return;                     /* by its source already */
    if (condition->reads == READS_NONE) /* the program's own calls give it or don't: only other callers would
                               see the other way */
        findings_add(findings, &RULE_STEP_ARGUMENT, SEVERITY_NOTE, place,
                     "this asks whether an argument was given, or of what kind it is, and the original has "
                     "no such test");
    else if (condition->number)
        findings_add(findings, &RULE_STEP_SIZE, SEVERITY_NOTE, place,
                     "this computes with a number that is made of sizes, and the original has no such");
    else if (unseen)
        findings_add(findings, &RULE_STEP_CONDITION, SEVERITY_NOTE, place,
                     "%s; whether the original does so isn't seen, since a library has it",
                     what_it_asks(condition));
    else
        findings_add(findings, &RULE_STEP_CONDITION, SEVERITY_VIOLATION, place,
                     "%s, and the original has no such test: elsewhere than in the sample it may go the "
                     "other way",
                     what_it_asks(condition));
}

/* What the original asks of a call and the candidate doesn't: each matter once. */
static void name_left_out(Arena *arena, const Conditions *ours, const Conditions *theirs, Texts *left_out) {
    Table *named = table_new(theirs->arena);
    for (size_t i = 0; i < theirs->count; i++) {
        const Condition *condition = &theirs->items[i];
        if (!condition->reached || condition->number || condition->unsettled || has_like(ours, condition) ||
            table_has(named, condition->signature))
            continue;
        table_put(named, condition->signature, TABLE_PRESENT);
        const Place place = node_place(&condition->file->tree, condition->node);
        const char *what = condition->reads == READS_NONE                 ? "what an argument is"
                           : (condition->reads & READS_SURROUNDINGS) != 0 ? "what surrounds the call"
                           : (condition->reads & READS_SIZE) != 0         ? "sizes"
                                                                          : "a dtype or a device";
        const char *folder = strrchr(place.file, '/'), *name = folder == NULL ? place.file : folder + 1;
        *(const char **)ARENA_PUSH(arena, left_out) = arena_printf(
            arena, "asked as the sample is: %s:%d asks for %s, and the refactored has no such test",
            text_printable(arena, name, strlen(name)), place.line, what);
    }
}

void policy_judge_conditions(Arena *results, const Program *candidate, const Program *original,
                             Findings *findings, Texts *left_out) {
    Arena *arena = arena_new();
    Language our_language, their_language;
    const Texts none = {0};
    const Conditions ours = conditions_of(arena, candidate, false, &none, &our_language, NULL, NULL);
    const Conditions theirs = conditions_of(arena, original, true, &none, &their_language, NULL, NULL);
    const bool unseen = ours.count > 0 && is_of_a_library(original);
    for (size_t i = 0; i < ours.count; i++)
        if (!has_like(&theirs, &ours.items[i]))
            report(findings, &ours.items[i], unseen);
    name_left_out(results, &ours, &theirs, left_out);
    arena_free(arena);
}

static const Condition *find_known(const Conditions *known, const Condition *condition) {
    for (size_t i = 0; i < known->count; i++)
        if (known->items[i].node->id == condition->node->id &&
            known->items[i].file->index == condition->file->index &&
            known->items[i].number == condition->number)
            return &known->items[i];
    return NULL;
}

/* Those of which the source alone tells as much are judged already. */
static void drop_known(Conditions *conditions, const Conditions *known) {
    size_t kept = 0;
    for (size_t i = 0; i < conditions->count; i++) {
        const Condition *same = find_known(known, &conditions->items[i]);
        if (same == NULL || (same->unsettled && !conditions->items[i].unsettled))
            conditions->items[kept++] = conditions->items[i];
    }
    conditions->count = kept;
}

/* What the candidate's source asks for, and the original's only by its run. */
static void forgive(Findings *findings, const Conditions *ours, const Conditions *theirs) {
    size_t kept = 0;
    for (size_t i = 0; i < findings->count; i++) {
        bool like = false;
        for (size_t j = 0; j < ours->count; j++)
            like = like || (is_of(&findings->items[i], &ours->items[j]) && has_like(theirs, &ours->items[j]));
        if (!like)
            findings->items[kept++] = findings->items[i];
    }
    findings->count = kept;
}

void policy_judge_size_tests(Arena *results, const Program *candidate, const Program *original,
                             const Trace *candidate_trace, const Trace *original_trace, Findings *findings,
                             Texts *left_out) {
    if (candidate_trace->size_test_count == 0 && original_trace->size_test_count == 0)
        return;
    Arena *arena = arena_new();
    Language our_language, their_language;
    const Texts none = {0};
    ShownPlaces elsewhere = {0}, theirs_elsewhere = {0};
    Conditions ours =
        conditions_of(arena, candidate, false, &none, &our_language, candidate_trace, &elsewhere);
    Conditions theirs =
        conditions_of(arena, original, true, &none, &their_language, original_trace, &theirs_elsewhere);
    const bool matters =
        (ours.matters != NULL && *ours.matters) || (theirs.matters != NULL && *theirs.matters);
    if (!matters && elsewhere.count == 0) {
        arena_free(arena);
        return;
    }
    const Conditions all_ours = ours, all_theirs = theirs;
    const Conditions our_source = conditions_of(arena, candidate, false, &none, &our_language, NULL, NULL),
                     their_source = conditions_of(arena, original, true, &none, &their_language, NULL, NULL);
    forgive(findings, &our_source, &all_theirs);
    drop_known(&ours, &our_source);
    const bool unseen = ours.count > 0 && is_of_a_library(original);
    for (size_t i = 0; i < ours.count; i++)
        if (!has_like(&all_theirs, &ours.items[i]))
            report(findings, &ours.items[i], unseen);
    for (size_t i = 0; i < elsewhere.count; i++)
        findings_add(findings, &RULE_STEP_CONDITION, SEVERITY_VIOLATION, elsewhere.items[i],
                     "sizes are compared here, where it isn't seen whether the original has such a test");
    drop_known(&theirs, &their_source);
    name_left_out(results, &all_ours, &theirs, left_out);
    arena_free(arena);
}

void policy_judge_values(const Program *candidate, const Program *original, const Texts *values,
                         Findings *findings) {
    if (values->count == 0)
        return;
    Arena *arena = arena_new();
    Language our_language, their_language;
    const Texts ours_named = arguments_like(arena, candidate, original, values);
    const Conditions ours = conditions_of(arena, candidate, false, &ours_named, &our_language, NULL, NULL);
    const Conditions theirs = conditions_of(arena, original, true, values, &their_language, NULL, NULL);
    const bool unseen = ours.count > 0 && is_of_a_library(original);
    for (size_t i = 0; i < ours.count; i++) /* what asks for sizes too is judged as that */
        if (ours.items[i].reads == READS_VALUE && !has_like(&theirs, &ours.items[i]))
            report(findings, &ours.items[i], unseen);
    arena_free(arena);
}
