/* Operators and products of a pattern against terms. */
#include "matcher.h"

#include <stdlib.h>
#include <string.h>

/* ---- Operators ---------------------------------------------------------------------------- */

/* The only result, or that of several. */
static bool is_result(const Term *term, size_t result) {
    if (strstr(term->label, ") -> ") != NULL)
        return result == 0;
    const char *part = strstr(term->label, ").");
    if (part == NULL)
        return false;
    char *end;
    return strtoull(part + 2, &end, 10) == result && text_starts(end, " -> ");
}

static const Value *argument(const Term *term, const char *name) {
    for (size_t i = 0; i < term->arg_count; i++)
        if (strcmp(term->arg_names[i], name) == 0)
            return &term->args[i];
    return NULL;
}

static bool value_number(const Value *value, double *number) {
    if (value_is_container(value) && value->list.count == 1)
        value = &value->list.items[0];
    if (value->kind == VALUE_INT)
        *number = (double)value->integer;
    else if (value->kind == VALUE_FLOAT)
        *number = value->real;
    return value->kind == VALUE_INT || value->kind == VALUE_FLOAT;
}

/* Dimensions are counted from the last, -1. */
static bool dimension(const Matcher *matcher, const Term *term, const Value *value, double *number) {
    if (!value_number(value, number))
        return false;
    if (*number >= 0 && term->operand_count > 0)
        *number -= (double)matcher->graph->terms[term->operands[0].number].rank +
                   (strcmp(term->operator, "aten::stack") == 0);
    return true;
}

/* A dimension of one element, whoever kept it. */
static bool keeps_dimension(const Matcher *matcher, const Term *term, const Ref *ref) {
    const Value *dim = argument(term, "dim");
    double number;
    size_t rank = matcher->graph->terms[term->operands[0].number].rank;
    const Elements *shown = ref->shown != NULL ? ref->shown : ref->elements;
    return dim != NULL && dimension(matcher, term, dim, &number) && shown->rank == rank && number < 0 &&
           -number <= (double)rank && shown->shape[(size_t)((double)rank + number)] == 1;
}

/* The arguments that the pattern names, from `at` on, then the goals. */
static bool match_keywords(Matcher *matcher, const Node *node, size_t at, const Term *term, const Ref *ref,
                           const Goal *goals) {
    for (; at < node->keyword_count; at++) {
        const Keyword *keyword = &node->keywords[at];
        const Value *value = argument(term, keyword->name);
        double number;
        if (value == NULL)
            return false;
        switch (keyword->kind) {
        case KEYWORD_BOOL:
            if (value->kind == VALUE_BOOL && (value->integer != 0) == (keyword->number != 0))
                break;
            if (keyword->number != 0 && strcmp(keyword->name, "keepdim") == 0 &&
                keeps_dimension(matcher, term, ref))
                break;
            return false;
        case KEYWORD_TEXT:
            if (value->kind != VALUE_STR || !text_equal(value->text.data, keyword->text))
                return false;
            break;
        case KEYWORD_NONE:
            if (value->kind != VALUE_NONE)
                return false;
            break;
        case KEYWORD_NUMBER:
        case KEYWORD_VARIABLE: {
            bool dim = strcmp(keyword->name, "dim") == 0;
            if (dim ? !dimension(matcher, term, value, &number) : !value_number(value, &number))
                return false;
            if (keyword->kind == KEYWORD_NUMBER) {
                if (!pattern_number_matches(keyword->number, number, false))
                    return false;
                break;
            }
            Binding *binding = &matcher->bindings[keyword->variable];
            if (binding->bound) {
                if (binding->ref.elements != NULL ||
                    !pattern_number_matches(binding->ref.number, number, false))
                    return false;
                break;
            }
            *binding = (Binding){true, {.number = number, .term = UINT32_MAX}};
            if (match_keywords(matcher, node, at + 1, term, ref, goals))
                return true;
            binding->bound = false;
            return false;
        }
        }
    }
    return solve(matcher, goals);
}

static bool is_named(const Node *node, const char *name) {
    for (size_t i = 0; i < node->keyword_count; i++)
        if (strcmp(node->keywords[i].name, name) == 0)
            return true;
    return false;
}

typedef struct Slots { /* tensors and numbers among the arguments that the pattern doesn't name, in order */
    Ref items[MOST_SLOTS];
    bool number[MOST_SLOTS];
    size_t count;
    uint32_t operand;
} Slots;

static bool add_slot(Matcher *matcher, const Term *term, const Value *value, Slots *slots) {
    if (value_is_container(value)) {
        for (size_t i = 0; i < value->list.count; i++)
            if (value->list.items[i].kind == VALUE_TENSOR &&
                !add_slot(matcher, term, &value->list.items[i], slots))
                return false;
        return true;
    }
    if (value->kind == VALUE_TENSOR) {
        if (slots->operand == term->operand_count) /* out= */
            return true;
    } else if (value->kind != VALUE_INT && value->kind != VALUE_FLOAT) {
        return true;
    }
    if (slots->count == MOST_SLOTS)
        return false;
    Ref *ref = &slots->items[slots->count];
    slots->number[slots->count++] = value->kind != VALUE_TENSOR;
    if (value->kind == VALUE_TENSOR) {
        *ref = ref_of(matcher, term->operands[slots->operand++].number);
        return true;
    }
    *ref = (Ref){.term = UINT32_MAX};
    return value_number(value, &ref->number);
}

/* False where alpha or beta scale, and where there are too many operands. */
static bool slots_of(Matcher *matcher, const Term *term, const Node *node, Slots *slots) {
    slots->count = 0;
    slots->operand = 0;
    for (size_t i = 0; i < term->arg_count; i++) {
        double number;
        const char *name = term->arg_names[i];
        if (node != NULL && is_named(node, name))
            continue;
        if ((strcmp(name, "alpha") == 0 ||
             (strcmp(name, "beta") == 0 && strcmp(term->operator, "aten::softplus") != 0)) &&
            value_number(&term->args[i], &number)) {
            if (number != 1)
                return false;
            continue;
        }
        if (!add_slot(matcher, term, &term->args[i], slots))
            return false;
    }
    return slots->operand == term->operand_count;
}

static const Term *operator_of(const Matcher *matcher, const Ref *ref) {
    if (ref->elements == NULL || ref->inverse || !ref->elements->whole)
        return NULL;
    const Term *term = &matcher->graph->terms[ref->elements->base];
    return term->kind == TERM_OPERATOR && term->args != NULL ? term : NULL;
}

static bool match_slots(Matcher *matcher, const Node *node, const Term *term, const Ref *ref,
                        const Slots *slots, bool swapped, const Goal *next) {
    Goal goals[MOST_SLOTS];
    if (node->count > slots->count)
        return false;
    for (size_t i = node->count; i < slots->count; i++)
        if (!slots->number[i])
            return false;
    for (size_t i = node->count; i-- > 0;) {
        size_t slot = swapped && i < 2 ? 1 - i : i;
        goals[i] = (Goal){.node = node->items[i], .ref = slots->items[slot], .next = next};
        next = &goals[i];
    }
    return match_keywords(matcher, node, 0, term, ref, next);
}

/* Element by element: what shows the result shows the operands likewise. */
static void hand_down_shape(const Matcher *matcher, const Term *term, const Ref *ref, Slots *slots) {
    const Elements *shown = ref->shown != NULL ? ref->shown : ref->elements;
    if (elements_count(shown) != elements_count(matcher->all.of[ref->elements->base]))
        return;
    for (size_t i = 0; i < slots->count; i++) {
        const Elements *own = slots->items[i].elements;
        if (own != NULL && own->rank == term->rank &&
            memcmp(own->shape, term->shape, term->rank * sizeof *term->shape) == 0)
            slots->items[i].shown = shown;
    }
}

bool match_operator(Matcher *matcher, const Node *node, const Ref *ref, const Goal *next) {
    const Term *term = operator_of(matcher, ref);
    if (term == NULL || !is_result(term, node->result))
        return false;
    bool sum = node->kind == NODE_SUM, difference = node->kind == NODE_DIFFERENCE, turned = false;
    const char *name = sum ? "aten::add" : difference ? "aten::sub" : node->name;
    if (difference && strcmp(term->operator, "aten::rsub") == 0)
        turned = true;
    else if (strcmp(term->operator, name) != 0)
        return false;
    Slots slots;
    size_t before = matcher->inside_count;
    if (!slots_of(matcher, term, node, &slots) || !push_chain(matcher, ref))
        return false;
    hand_down_shape(matcher, term, ref, &slots);
    bool both = sum || strcmp(name, "aten::mul") == 0 || strcmp(name, "aten::add") == 0 || term->commutative;
    bool done = match_slots(matcher, node, term, ref, &slots, turned, next) ||
                (both && node->count == 2 && match_slots(matcher, node, term, ref, &slots, true, next));
    if (!done)
        matcher->inside_count = before;
    return done;
}

/* ---- Products ----------------------------------------------------------------------------- */

typedef struct Product {
    const Node *node;
    const Goal *next;
    Leaves leaves;
    double coefficient;
    size_t splits;
} Product;

static bool coefficient_fits(const Product *product) {
    return product->node->variable != SIZE_MAX ||
           pattern_number_matches(product->node->number, product->coefficient, product->node->near);
}

bool match_factors(Matcher *matcher, const Goal *goal) {
    const Node *node = goal->node;
    if (goal->item == node->count)
        return solve(matcher, goal->next);
    for (size_t i = 0; i < goal->leaves->count; i++) {
        if (goal->taken >> i & 1)
            continue;
        Goal rest = *goal;
        rest.item++;
        rest.taken |= 1U << i;
        Goal factor = {.node = node->items[goal->item], .ref = goal->leaves->items[i], .next = &rest};
        if (solve(matcher, &factor))
            return true;
    }
    return false;
}

static bool found_leaves(Matcher *matcher, const Product *product) {
    const Node *node = product->node;
    if (product->leaves.count != node->count || product->splits == 0 || !coefficient_fits(product))
        return false;
    Goal goal = {.node = node, .leaves = &product->leaves, .next = product->next};
    return node->variable == SIZE_MAX ? match_factors(matcher, &goal)
                                      : bind_number(matcher, node->variable, product->coefficient, &goal);
}

static bool split(Matcher *matcher, const Product *product, size_t at);

/* The leaf becomes these two, or one and a number. */
static bool split_into(Matcher *matcher, const Product *product, size_t at, const Ref *parts, size_t count) {
    Product changed = *product;
    Leaves *leaves = &changed.leaves;
    const Ref whole = leaves->items[at];
    size_t kept = 0, before = matcher->inside_count;
    Ref refs[2];
    for (size_t i = 0; i < count; i++) {
        double number;
        bool inverse = parts[i].inverse != whole.inverse;
        if (number_of(matcher, &parts[i], &number)) {
            changed.coefficient *= inverse ? 1 / number : number;
            continue;
        }
        refs[kept] = parts[i];
        refs[kept++].inverse = inverse;
    }
    if (leaves->count + kept - 1 > product->node->count || changed.splits++ == MOST_SPLITS || kept == 0)
        return false;
    if (kept == 2)
        memmove(leaves->items + at + 2, leaves->items + at + 1,
                (leaves->count - at - 1) * sizeof *leaves->items);
    memcpy(leaves->items + at, refs, kept * sizeof *refs);
    leaves->count += kept - 1;
    bool done = push_chain(matcher, &whole) && split(matcher, &changed, at);
    if (!done)
        matcher->inside_count = before;
    return done;
}

/* The leaves before `at` stay as they are. */
static bool split_from(Matcher *matcher, const Product *product, size_t at) {
    if (at == product->leaves.count)
        return found_leaves(matcher, product);
    if (split(matcher, product, at + 1))
        return true;
    Ref plain = product->leaves.items[at];
    plain.inverse = false;
    const Term *term = operator_of(matcher, &plain);
    if (term == NULL)
        return false;
    Slots slots;
    bool mul = strcmp(term->operator, "aten::mul") == 0;
    bool div = strcmp(term->operator, "aten::div") == 0 && argument(term, "rounding_mode") == NULL;
    bool neg = strcmp(term->operator, "aten::neg") == 0;
    bool reciprocal = strcmp(term->operator, "aten::reciprocal") == 0;
    if ((!mul && !div && !neg && !reciprocal) || !slots_of(matcher, term, NULL, &slots) ||
        slots.count != (mul || div ? 2 : 1))
        return false;
    if (div)
        slots.items[1].inverse = true;
    if (reciprocal)
        slots.items[0].inverse = true;
    if (neg)
        slots.items[slots.count++] = (Ref){.number = -1, .term = UINT32_MAX};
    return split_into(matcher, product, at, slots.items, slots.count);
}

static bool split(Matcher *matcher, const Product *product, size_t at) {
    if (!may_go_on(matcher))
        return false;
    matcher->depth++;
    bool done = split_from(matcher, product, at);
    matcher->depth--;
    return done;
}

bool match_product(Matcher *matcher, const Node *node, const Ref *ref, const Goal *next) {
    Product product = {.node = node, .next = next, .coefficient = 1};
    if (ref->elements == NULL)
        return false;
    product.leaves.items[product.leaves.count++] = *ref;
    return split(matcher, &product, 0);
}
