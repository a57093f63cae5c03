/* Numbers that a program compares, cuts and computes with. */
#include "size_plan.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_CALL_NUMBERS = 64 };
static const int64_t largest_tried = 1 << 20;
static const double largest_exact = 9007199254740992.0; /* 2^53 */

typedef struct Numbers {
    Arena *arena;
    int64_t *items;
    size_t count, capacity;
} Numbers;

static bool has_number(const Numbers *numbers, int64_t value) {
    for (size_t i = 0; i < numbers->count; i++)
        if (numbers->items[i] == value)
            return true;
    return false;
}

/* 30, 3e1, 5 * 6, 2 ** 5 - 2; 4096 of n >> 12; NaN: no number, or one of what is not written there. */
static double constant_number(const Node *node) {
    const Node *op = node_child(node, FIELD_op), *left = node_child(node, FIELD_left),
               *right = node_child(node, FIELD_right);
    char *end = "";
    if (node->kind == NODE_Constant && node->text != NULL &&
        (node->constant == CONSTANT_INT || node->constant == CONSTANT_FLOAT)) {
        const double value = strtod(node->text, &end);
        return *end == '\0' ? value : NAN;
    }
    if (node->kind != NODE_BinOp || op == NULL || left == NULL || right == NULL)
        return NAN;
    const double a = constant_number(left), b = constant_number(right);
    switch (op->kind) {
    case NODE_Add: return a + b;
    case NODE_Sub: return a - b;
    case NODE_Mult: return a * b;
    case NODE_Pow: return pow(a, b);
    case NODE_Div: return a / b;
    case NODE_FloorDiv: return floor(a / b);
    case NODE_LShift:
    case NODE_RShift: return isnan(a) ? exp2(b) : op->kind == NODE_LShift ? a * exp2(b) : floor(a / exp2(b));
    default: return NAN;
    }
}

static void add_number(Numbers *numbers, double value) {
    if (value >= 2 && value <= largest_exact && value == floor(value) && !has_number(numbers, (int64_t)value))
        *(int64_t *)ARENA_PUSH(numbers->arena, numbers) = (int64_t)value;
}

/* 1000 of n * 0.001; NaN: it is no such product. */
static double reciprocal_factor(const Node *node) {
    const Node *op = node->kind == NODE_BinOp ? node_child(node, FIELD_op) : NULL;
    if (op == NULL || op->kind != NODE_Mult)
        return NAN;
    const Node *left = node_child(node, FIELD_left), *right = node_child(node, FIELD_right);
    const double factor = left == NULL ? NAN : constant_number(left);
    return round(1 / (isnan(factor) && right != NULL ? constant_number(right) : factor));
}

static bool take_number(const Node *node, void *context) {
    const double value = constant_number(node);
    add_number(context, isnan(value) ? reciprocal_factor(node) : value);
    return isnan(value);
}

/* Functions to which no size of an input goes. */
static bool is_aside(const Node *node) {
    static const char *const aside[] = {"__init__", "get_inputs", "get_init_inputs", "get_input_kwargs",
                                        "run_tests"};
    return node->kind == NODE_FunctionDef && text_among(node_text(node, FIELD_name), aside, COUNT_OF(aside));
}

/* What takes a number for a bound, torch's and Python's own. */
static bool calls_with_bound(const Node *node) {
    static const char *const names[] = {
        "min",          "max",  "range",    "islice", "split",  "chunk",  "tensor_split",
        "narrow",       "tril", "triu",     "roll",   "unfold", "select", "topk",
        "index_select", "pad",  "diagonal", "hsplit", "vsplit", "dsplit", "deque"};
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    const char *name =
        func == NULL ? NULL : node_text(func, func->kind == NODE_Attribute ? FIELD_attr : FIELD_id);
    return name != NULL && text_among(name, names, COUNT_OF(names));
}

/* Comparisons, bounds and arithmetic, and numbers behind names: anything that may take another way for it. */
static bool take_comparison(const Node *node, void *context) {
    const Node *value = node_child(node, FIELD_value);
    const bool named = (node->kind == NODE_Assign || node->kind == NODE_AnnAssign) && value != NULL &&
                       value->kind == NODE_Constant;
    const bool compares = node->kind == NODE_Compare || node->kind == NODE_Slice ||
                          node->kind == NODE_BinOp || named || calls_with_bound(node);
    if (is_aside(node))
        return false;
    if (compares)
        node_walk(node, take_number, context);
    return !compares;
}

static Numbers numbers_of(Arena *arena, const Program *program) {
    Numbers numbers = {.arena = arena};
    for (size_t i = 0; i < program->count; i++)
        node_walk(program->items[i]->tree.module, take_comparison, &numbers);
    return numbers;
}

/* ---- Numbers that calls got ------------------------------------------------------------------
 * x.split(sum([1000, 1000, 1000])): no source says 3000, the trace does. */

static void take_integers(const Value *value, Numbers *numbers) {
    if (value_is_container(value))
        for (size_t i = 0; i < value->list.count; i++)
            take_integers(&value->list.items[i], numbers);
    else if (value->kind == VALUE_INT && value->integer > LARGE_LENGTH &&
             !has_number(numbers, value->integer))
        *(int64_t *)ARENA_PUSH(numbers->arena, numbers) = value->integer;
}

static Numbers numbers_of_calls(Arena *arena, const Trace *trace) {
    Numbers numbers = {.arena = arena};
    for (size_t i = 0; i < trace->call_count && numbers.count < MOST_CALL_NUMBERS; i++) {
        const TraceCall *call = &trace->calls[i];
        for (size_t j = 0; j < call->arg_count && call->in_forward; j++)
            take_integers(&call->args[j], &numbers);
        for (size_t j = 0; j < call->kwarg_count && call->in_forward; j++)
            take_integers(&call->kwargs[j], &numbers);
    }
    return numbers;
}

static void strike_out(Numbers *numbers, int64_t value) {
    for (size_t i = 0; i < numbers->count; i++)
        if (numbers->items[i] == value)
            numbers->items[i--] = numbers->items[--numbers->count];
}

/* What is a size, or several of them as one: where the sample has it, it shows there. */
static void strike_out_sizes(Numbers *numbers, const Trace *trace) {
    for (size_t i = 0; i < trace->tensor_count && numbers->count > 0; i++) {
        const TraceTensor *tensor = &trace->tensors[i];
        for (size_t first = 0; first < tensor->rank; first++) {
            double size = 1;
            for (size_t d = first; d < tensor->rank; d++) {
                size *= (double)tensor->shape[d];
                if (size <= (double)largest_tried)
                    strike_out(numbers, (int64_t)size);
            }
        }
    }
}

/* ---- Both ------------------------------------------------------------------------------------- */

static void add_numbers(SizeNumbers *all, const Numbers *ours, const Numbers *theirs) {
    for (size_t i = 0; i < ours->count; i++) {
        bool there = has_number(theirs, ours->items[i]);
        for (size_t j = 0; j < all->count && !there; j++)
            there = all->items[j] == ours->items[i];
        if (there)
            continue;
        if (all->count < COUNT_OF(all->items) && ours->items[i] <= largest_tried)
            all->items[all->count++] = ours->items[i];
        else
            all->left_out++;
    }
}

/* x.squeeze(): every size is held against one. */
static bool take_squeeze(const Node *node, void *context) {
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    if (is_aside(node))
        return false;
    if (func == NULL || func->kind != NODE_Attribute || !text_equal(node_text(func, FIELD_attr), "squeeze"))
        return true;
    const Node *of = node_child(func, FIELD_value);
    const bool is_function =
        of != NULL && of->kind == NODE_Name && text_equal(node_text(of, FIELD_id), "torch");
    if (node_list(node, FIELD_args)->count == is_function && node_list(node, FIELD_keywords)->count == 0)
        *(bool *)context = true;
    return true;
}

static bool squeezes_all(const Program *program) {
    bool found = false;
    for (size_t i = 0; i < program->count; i++)
        node_walk(program->items[i]->tree.module, take_squeeze, &found);
    return found;
}

SizeNumbers sizes_to_try(const StepState *step) {
    SizeNumbers numbers = {.one = squeezes_all(&step->original.program) ||
                                  squeezes_all(&step->candidate.program)};
    const Numbers theirs = numbers_of(step->arena, &step->original.program),
                  ours = numbers_of(step->arena, &step->candidate.program);
    add_numbers(&numbers, &ours, &theirs);
    if (step->has_traces) {
        const Numbers given = numbers_of_calls(step->arena, &step->original_trace);
        Numbers own = numbers_of_calls(step->arena, &step->candidate_trace);
        strike_out_sizes(&own, &step->original_trace);
        strike_out_sizes(&own, &step->candidate_trace);
        add_numbers(&numbers, &own, &given);
    }
    return numbers;
}
