/* Constants and casts of two recordings, whatever order they come in. Unlike calls, recordings have what is
 * left to a default, and what stands inside torch's own functions (soundness 14). */
#include "step_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One side: the terms that an output depends on and that are made of data. */
typedef struct Recorded {
    Arena *arena;
    const Graph *graph;
    bool *live;
} Recorded;

static Recorded recorded_of(Arena *arena, const Graph *graph) {
    Recorded side = {arena, graph, graph_live_terms(arena, graph)};
    for (size_t t = 0; t < graph->term_count; t++)
        side.live[t] &= !graph->terms[t].known;
    return side;
}

static const char *bare_name(const Term *term) {
    const char *colons = strstr(term->operator, "::");
    return colons == NULL ? term->operator: colons + 2;
}

static bool is_operator(const Recorded *side, size_t t) {
    const Term *term = &side->graph->terms[t];
    return side->live[t] && term->kind == TERM_OPERATOR && term->operator[0] != '\0' && term->args != NULL;
}

static const Term *operand(const Recorded *side, const Term *term, size_t i) {
    return i < term->operand_count ? &side->graph->terms[term->operands[i].number] : NULL;
}

static bool is_floating(const Term *term) {
    return term != NULL && term->dtype != NULL && strstr(term->dtype, "float") != NULL;
}

static bool is_integer(const Term *term) {
    return term != NULL && term->dtype != NULL && strstr(term->dtype, "int") != NULL;
}

typedef struct Found { /* what is at odds; NULL: nothing */
    const char *what;
    const Term *ours; /* NULL: nothing stands there */
    VerifyRule rule;
} Found;

/* ---- Operators of one name ------------------------------------------------------------------ */

/* Numbers even where they are spelled as integers. */
static bool is_number_argument(const char *name) {
    static const char *const names[] = {
        "value", "min",   "max",       "min_val", "max_val",      "alpha",  "negative_slope",
        "beta",  "lambd", "threshold", "eps",     "ignore_index", "margin", "max_norm"};
    return text_among(name, names, COUNT_OF(names));
}

/* Others may be written in several ways: `x * 0.5` for `x / 2`. */
static bool has_definite_constants(const Recorded *side, const Term *term) {
    static const char *const bounds[] = {"gt", "ge", "lt", "le"};
    switch (operator_class(bare_name(term))) {
    case OPERATOR_COMPUTE:
    case OPERATOR_SELECTING:
    case OPERATOR_FORBIDDEN:
    case OPERATOR_RANDOM: return true;
    case OPERATOR_COMPARISON:
        return text_among(bare_name(term), bounds, COUNT_OF(bounds)) && is_floating(operand(side, term, 0));
    default: return false;
    }
}

/* What all operators of a name have as one argument: numbers, or texts. */
typedef struct Constant {
    double number;
    const char *text; /* of a string; the hash of a known tensor of one element; else NULL */
    const Term *term;
    bool floating;
} Constant;

typedef struct Constants {
    Constant *items;
    size_t count, capacity;
} Constants;

typedef struct Operators {
    size_t count;
    Table *arguments; /* name -> Constants */
} Operators;

static void add_constant(Arena *arena, Operators *operators, const char *argument, Constant constant) {
    Constants *constants = table_get(operators->arguments, argument);
    if (constants == NULL) {
        constants = ARENA_NEW(arena, Constants);
        table_put(operators->arguments, argument, constants);
    }
    *(Constant *)ARENA_PUSH(arena, constants) = constant;
}

static void add_arguments(const Recorded *side, Operators *operators, const Term *term) {
    for (size_t i = 0; i < term->arg_count; i++) {
        const Value *value = &term->args[i];
        Constant constant = {.term = term};
        if (value->kind == VALUE_STR)
            constant.text = value->text.data;
        else if (value->kind == VALUE_FLOAT || value->kind == VALUE_INT)
            constant.number = value->kind == VALUE_FLOAT ? value->real : (double)value->integer;
        else
            continue;
        constant.floating = value->kind == VALUE_FLOAT;
        add_constant(side->arena, operators, term->arg_names[i], constant);
    }
    for (size_t i = 0; i < term->operand_count; i++) {
        const Term *one = operand(side, term, i);
        if (one->known && one->rank == 0 && one->content != NULL && is_floating(one))
            add_constant(side->arena, operators, arena_printf(side->arena, "operand %zu", i),
                         (Constant){.text = one->content, .term = term});
    }
}

/* By name. */
static Table *operators_of(const Recorded *side) {
    Table *names = table_new(side->arena);
    for (size_t t = 0; t < side->graph->term_count; t++) {
        const Term *term = &side->graph->terms[t];
        if (!is_operator(side, t) || !has_definite_constants(side, term))
            continue;
        Operators *operators = table_get(names, bare_name(term));
        if (operators == NULL) {
            operators = ARENA_NEW(side->arena, Operators);
            operators->arguments = table_new(side->arena);
            table_put(names, bare_name(term), operators);
        }
        operators->count++;
        add_arguments(side, operators, term);
    }
    return names;
}

static int by_value(const void *a, const void *b) {
    const Constant *one = a, *other = b;
    if (one->text != NULL && other->text != NULL)
        return strcmp(one->text, other->text);
    if (one->text != NULL || other->text != NULL)
        return one->text != NULL ? 1 : -1;
    return (one->number > other->number) - (one->number < other->number);
}

static bool same_number(double a, double b) {
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * fabs(a);
}

/* Dimensions and sizes may count from either end. */
static bool are_numbers(const Constants *constants, const char *argument) {
    bool floating = is_number_argument(argument);
    for (size_t i = 0; i < constants->count; i++)
        floating |= constants->items[i].floating || constants->items[i].text != NULL;
    return floating;
}

static const char *constant_words(Arena *arena, const Constant *constant, const char *argument) {
    if (text_starts(argument, "operand"))
        return "a constant";
    return constant->text != NULL ? arena_printf(arena, "%s='%s'", argument, constant->text)
                                  : arena_printf(arena, "%s=%.10g", argument, constant->number);
}

static Found other_argument(Arena *arena, const char *name, const char *argument, Constants *theirs,
                            Constants *ours) {
    qsort(theirs->items, theirs->count, sizeof *theirs->items, by_value);
    qsort(ours->items, ours->count, sizeof *ours->items, by_value);
    for (size_t i = 0; i < theirs->count; i++) {
        const Constant *a = &theirs->items[i], *b = &ours->items[i];
        if (a->text != NULL && b->text != NULL ? strcmp(a->text, b->text) == 0
                                               : a->text == b->text && same_number(a->number, b->number))
            continue;
        return (Found){arena_printf(arena,
                                    "a different constant: the original's %s has %s, the refactored's %s%s",
                                    name, constant_words(arena, a, argument),
                                    text_starts(argument, "operand") ? "another, " : "",
                                    constant_words(arena, b, argument)),
                       b->term, RULE_NUMBERS_CONSTANT};
    }
    return (Found){0};
}

static Found other_constant(Arena *arena, const Recorded *original, const Recorded *candidate) {
    const Table *theirs = operators_of(original), *ours = operators_of(candidate);
    for (size_t n = 0; n < theirs->count; n++) {
        const char *name = theirs->items[n].key;
        const Operators *a = theirs->items[n].value, *b = table_get(ours, name);
        if (b == NULL || a->count != b->count)
            continue;
        for (size_t i = 0; i < a->arguments->count; i++) {
            const char *argument = a->arguments->items[i].key;
            Constants *one = a->arguments->items[i].value, *other = table_get(b->arguments, argument);
            if (other == NULL || one->count != a->count || other->count != a->count ||
                (!are_numbers(one, argument) && !are_numbers(other, argument)))
                continue;
            const Found found = other_argument(arena, name, argument, one, other);
            if (found.what != NULL)
                return found;
        }
    }
    return (Found){0};
}

/* ---- Numbers that keep others from zero ------------------------------------------------------- */

typedef struct Guard {
    double number;
    const Term *term;
} Guard;

typedef struct Guards {
    Guard *items;
    size_t count, capacity;
    bool unclear; /* there may be others, which are not written as numbers */
} Guards;

/* An eps, a bound of it: trials seldom meet values that small. */
static bool is_guard(const Term *term, size_t i) {
    static const char *const sums[] = {"add", "sub", "rsub"};
    static const char *const bounds[] = {"clamp", "clamp_min"};
    const Value *value = &term->args[i];
    const char *argument = term->arg_names[i], *name = bare_name(term);
    return value->kind == VALUE_FLOAT && value->real != 0 && fabs(value->real) <= 1e-3 &&
           (strcmp(argument, "eps") == 0 ||
            (strcmp(argument, "other") == 0 && text_among(name, sums, COUNT_OF(sums))) ||
            (strcmp(argument, "min") == 0 && text_among(name, bounds, COUNT_OF(bounds))));
}

static Guards guards_of(const Recorded *side) {
    Guards guards = {.unclear = side->graph->opaque_count > 0};
    for (size_t t = 0; t < side->graph->term_count; t++) {
        const Term *term = &side->graph->terms[t];
        if (!is_operator(side, t))
            continue;
        for (size_t i = 0; i < term->arg_count; i++) {
            guards.unclear |= strcmp(term->arg_names[i], "eps") == 0 && term->args[i].kind == VALUE_NONE;
            if (is_guard(term, i))
                *(Guard *)ARENA_PUSH(side->arena, &guards) = (Guard){fabs(term->args[i].real), term};
        }
        for (size_t i = 0; i < term->operand_count; i++) {
            const Term *one = operand(side, term, i);
            guards.unclear |= one->known && one->rank == 0 && is_floating(one);
        }
    }
    return guards;
}

static const Guard *guard_without_like(const Guards *guards, const Guards *others) {
    for (size_t i = 0; i < guards->count; i++) {
        bool found = false;
        for (size_t j = 0; j < others->count && !found; j++)
            found = fabs(guards->items[i].number - others->items[j].number) <= 1e-5 * guards->items[i].number;
        if (!found)
            return &guards->items[i];
    }
    return NULL;
}

static Found other_guard(Arena *arena, const Recorded *original, const Recorded *candidate) {
    const Guards theirs = guards_of(original), ours = guards_of(candidate);
    if (theirs.unclear || ours.unclear)
        return (Found){0};
    const Guard *missing = guard_without_like(&theirs, &ours), *extra = guard_without_like(&ours, &theirs);
    if (missing != NULL)
        return (Found){arena_printf(arena,
                                    "a different constant: the original has %g in %s, the refactored nowhere",
                                    missing->number, bare_name(missing->term)),
                       extra == NULL ? NULL : extra->term, RULE_NUMBERS_CONSTANT};
    if (extra != NULL)
        return (Found){arena_printf(arena,
                                    "a different constant: the refactored has %g in %s, the original nowhere",
                                    extra->number, bare_name(extra->term)),
                       extra->term, RULE_NUMBERS_CONSTANT};
    return (Found){0};
}

/* Rows of an embedding that are too long: no weights of a trial are sure to have one. */
static Found other_renorm(const Recorded *original, const Recorded *candidate) {
    const Recorded *sides[] = {original, candidate};
    size_t counts[2] = {0};
    for (size_t s = 0; s < 2; s++)
        for (size_t t = 0; t < sides[s]->graph->term_count; t++)
            counts[s] += is_operator(sides[s], t) &&
                         strcmp(bare_name(&sides[s]->graph->terms[t]), "embedding_renorm") == 0;
    if ((counts[0] > 0) == (counts[1] > 0))
        return (Found){0};
    return (Found){counts[0] > 0 ? "a different constant: the original's embedding has a max_norm, the "
                                   "refactored's has none"
                                 : "a different constant: the refactored's embedding has a max_norm, the "
                                   "original's has none",
                   NULL, RULE_NUMBERS_CONSTANT};
}

/* ---- Casts ------------------------------------------------------------------------------------ */

static bool is_narrow(const char *dtype) {
    static const char *const names[] = {"torch.int32", "torch.int16", "torch.int8", "torch.uint8"};
    return dtype != NULL && text_among(dtype, names, COUNT_OF(names));
}

/* Numbers become integers. */
static bool truncates(const Recorded *side, size_t t) {
    const Term *term = &side->graph->terms[t];
    const Term *from = operand(side, term, 0);
    return side->live[t] && term->kind == TERM_OPERATOR && term->operand_count == 1 && is_integer(term) &&
           is_floating(from) && strcmp(bare_name(term), "_to_copy") == 0;
}

static bool narrows(const Recorded *side, size_t t) {
    const Term *term = &side->graph->terms[t], *from = operand(side, term, 0);
    return side->live[t] && term->kind == TERM_OPERATOR && is_narrow(term->dtype) && from != NULL &&
           (is_floating(from) || (is_integer(from) && !text_equal(from->dtype, term->dtype)));
}

static const char *short_dtype(const Term *term) {
    return text_starts(term->dtype, "torch.") ? term->dtype + strlen("torch.") : term->dtype;
}

/* Integers that the original nowhere has, made of wider ones or of numbers. */
static Found other_integers(Arena *arena, const Recorded *original, const Recorded *candidate) {
    Table *there = table_new(arena);
    bool truncated = false;
    for (size_t t = 0; t < original->graph->term_count; t++) {
        if (original->live[t] && original->graph->terms[t].dtype != NULL)
            table_put(there, original->graph->terms[t].dtype, TABLE_PRESENT);
        truncated |= truncates(original, t);
    }
    for (size_t t = 0; t < candidate->graph->term_count; t++) {
        const Term *term = &candidate->graph->terms[t];
        const bool narrow = narrows(candidate, t) && !table_has(there, term->dtype);
        if (narrow || (!truncated && truncates(candidate, t)))
            return (Found){arena_printf(arena,
                                        "the refactored casts %s to %s here, which the original nowhere does",
                                        short_dtype(operand(candidate, term, 0)), short_dtype(term)),
                           term, RULE_NUMBERS_PRECISION};
    }
    return (Found){0};
}

bool recorded_difference(const StepState *step, Diagnosis *diagnosis) {
    if (!step->recorded || step->original_graph.term_count == 0 || step->candidate_graph.term_count == 0)
        return false;
    Arena *arena = step->arena;
    const Recorded original = recorded_of(arena, &step->original_graph);
    const Recorded candidate = recorded_of(arena, &step->candidate_graph);
    Found found = other_constant(arena, &original, &candidate);
    if (found.what == NULL)
        found = other_renorm(&original, &candidate);
    if (found.what == NULL)
        found = other_guard(arena, &original, &candidate);
    if (found.what == NULL)
        found = other_integers(arena, &original, &candidate);
    if (found.what == NULL)
        return false;
    const Trace *trace = step->candidate_graph.trace;
    const bool placed = found.ours != NULL && trace != NULL && found.ours->call < trace->call_count;
    *diagnosis =
        (Diagnosis){found.what,
                    found.rule == RULE_NUMBERS_CONSTANT ? "use the original's"
                                                        : "cast where the original casts, and nowhere else",
                    call_place(&step->candidate.program, placed ? &trace->calls[found.ours->call] : NULL),
                    found.rule, false};
    return true;
}
