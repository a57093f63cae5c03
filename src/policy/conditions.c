/* Conditions on what a call is given (soundness 12): a test on sizes, dtype or device that the original has
 * not. What holds of the sample's sizes says nothing of those at which such a test goes the other way. */
#include "conditions.h"
#include "operator_rules.h"

#include <stdlib.h>
#include <string.h>

/* ---- Tests ----------------------------------------------------------------------------------- */

static bool find_way_out(const Node *node, void *context) {
    bool *found = context;
    *found = *found || node->kind == NODE_Return || node->kind == NODE_Break || node->kind == NODE_Continue;
    return true;
}

/* An exception that nothing in Python takes for the end of a loop or for an attribute that is missing. */
static bool is_error(const Node *raised) {
    static const char *const names[] = {"ValueError", "RuntimeError", "TypeError", "NotImplementedError",
                                        "AssertionError"};
    const Node *kind = raised != NULL && raised->kind == NODE_Call ? node_child(raised, FIELD_func) : raised;
    for (size_t i = 0; kind != NULL && kind->kind == NODE_Name && i < COUNT_OF(names); i++)
        if (text_equal(node_text(kind, FIELD_id), names[i]))
            return true;
    return false;
}

bool condition_only_raises(const Field *block) {
    const Node *last = block->count == 0 ? NULL : block->items[block->count - 1];
    bool leaves = last == NULL || last->kind != NODE_Raise || !is_error(node_child(last, FIELD_exc));
    for (size_t i = 0; i < block->count; i++)
        if (block->items[i] != NULL)
            node_walk(block->items[i], find_way_out, &leaves);
    return !leaves;
}

static bool is_below(const char *whole, const char *part) {
    const size_t length = part == NULL ? 0 : strlen(part);
    return length > 0 && text_starts(whole, part) && whole[length] == '.';
}

/* `if x.dtype != self.weight.dtype: x = x.to(self.weight.dtype)` casts, or would cast to what it is. */
static bool only_casts(const Conditions *conditions, const Node *statement) {
    Arena *arena = conditions->arena;
    const Node *test = node_child(statement, FIELD_test);
    const Field *body = node_list(statement, FIELD_body), *others = node_list(test, FIELD_comparators),
                *ops = node_list(test, FIELD_ops);
    const Node *assign = body->count == 1 ? body->items[0] : NULL;
    if (assign == NULL || assign->kind != NODE_Assign || others->count != 1 || others->items[0] == NULL ||
        ops->count != 1 || node_list(statement, FIELD_orelse)->count > 0)
        return false;
    const Node *call = node_child(assign, FIELD_value), *left = node_child(test, FIELD_left);
    if (call == NULL || ops->items[0] == NULL)
        return false;
    const Field *targets = node_list(assign, FIELD_targets), *args = node_list(call, FIELD_args);
    if (ops->items[0]->kind != NODE_NotEq || call->kind != NODE_Call || targets->count != 1 ||
        args->count != 1 || args->items[0] == NULL || node_list(call, FIELD_keywords)->count > 0)
        return false;
    const char *cast = node_dotted(arena, targets->items[0]), *to = node_dotted(arena, args->items[0]),
               *by = node_dotted(arena, node_child(call, FIELD_func)), *one = node_dotted(arena, left),
               *other = node_dotted(arena, others->items[0]);
    if (cast == NULL || to == NULL || by == NULL || one == NULL || other == NULL ||
        !text_equal(by, arena_printf(arena, "%s.to", cast)))
        return false;
    return (text_equal(to, one) && text_ends(one, ".dtype") && is_below(other, cast)) ||
           (text_equal(to, other) && text_ends(other, ".dtype") && is_below(one, cast));
}

/* Nothing but an answer comes of it: no name is bound in it, and nothing called but a builtin. */
static bool only_answers(const Conditions *conditions, const Node *node) {
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    switch (node->kind) {
    case NODE_BoolOp:
    case NODE_BinOp:
    case NODE_UnaryOp:
    case NODE_Compare:
    case NODE_IfExp:
    case NODE_Tuple:
    case NODE_List:
    case NODE_GeneratorExp:
    case NODE_comprehension: return true;
    default: break;
    }
    const Things called = func == NULL ? (Things){0} : names_of(conditions->names, conditions->file, func);
    return func != NULL && func->kind == NODE_Name && things_all(&called, THING_BUILTIN);
}

/* Where the other way ends in an exception. */
static bool may_be_asked(const Conditions *conditions, const Node *node) {
    bool pure = true;
    for (const Node *below = node; below->parent != NULL; below = below->parent) {
        const Node *parent = below->parent;
        if (parent->kind == NODE_Raise)
            return is_error(node_child(parent, FIELD_exc));
        if (parent->kind == NODE_Assert)
            return pure;
        if (parent->kind == NODE_If && node_child(parent, FIELD_test) == below)
            return pure && (condition_only_raises(node_list(parent, FIELD_body)) ||
                            condition_only_raises(node_list(parent, FIELD_orelse)) ||
                            (below->kind == NODE_Compare && only_casts(conditions, parent)));
        pure = pure && only_answers(conditions, parent);
    }
    return false;
}

static bool is_loop_index(const Conditions *conditions, const Node *node) {
    const Variable *variable = node->kind == NODE_Name ? condition_variable(conditions, node) : NULL;
    bool all = variable != NULL && variable->count > 0;
    for (size_t i = 0; all && i < variable->count; i++) {
        const Node *value = variable->items[i].value;
        const Node *func = value != NULL && value->kind == NODE_Call ? node_child(value, FIELD_func) : NULL;
        const Things called =
            func == NULL ? (Things){0} : names_of(conditions->names, conditions->file, func);
        all = variable->items[i].kind == BINDING_ELEMENT && called.count == 1 &&
              things_find(&called, THING_BUILTIN, "range") != NULL &&
              node_list(value, FIELD_args)->count == 1;
    }
    return all;
}

/* `for t in range(x.shape[1]): if t == 0:` goes the same way at all sizes. */
static bool asks_for_the_first(const Conditions *conditions, const Node *compare) {
    const Field *others = node_list(compare, FIELD_comparators);
    const Node *left = node_child(compare, FIELD_left), *right = others->count == 1 ? others->items[0] : NULL;
    return left != NULL && right != NULL && is_loop_index(conditions, left) && right->kind == NODE_Constant &&
           text_equal(right->text, "0");
}

static bool has_none(const Node *compare) {
    const Field *others = node_list(compare, FIELD_comparators);
    const Node *left = node_child(compare, FIELD_left);
    bool none = left != NULL && left->kind == NODE_Constant && left->constant == CONSTANT_NONE;
    for (size_t i = 0; i < others->count; i++)
        none = none || (others->items[i] != NULL && others->items[i]->kind == NODE_Constant &&
                        others->items[i]->constant == CONSTANT_NONE);
    return none;
}

/* `mask is None`, of an argument. */
static bool asks_for_none(const Conditions *conditions, const Node *node) {
    return node->kind == NODE_Compare && has_none(node) &&
           condition_is_parameter(conditions, node_child(node, FIELD_left));
}

static bool compares_tensors(const Conditions *conditions, const Node *compare) {
    const Field *others = node_list(compare, FIELD_comparators);
    const Node *left = node_child(compare, FIELD_left);
    bool tensor = left != NULL && condition_is_tensor(conditions, left);
    for (size_t i = 0; i < others->count; i++)
        tensor = tensor || (others->items[i] != NULL && condition_is_tensor(conditions, others->items[i]));
    return tensor;
}

bool condition_is_table(const Conditions *conditions, const Node *node) {
    if (node == NULL || node->kind == NODE_Constant || condition_is_display(node) ||
        condition_of_self(conditions, node))
        return node != NULL;
    if (node->kind == NODE_BinOp)
        return condition_is_table(conditions, node_child(node, FIELD_left)) ||
               condition_is_table(conditions, node_child(node, FIELD_right));
    const Variable *variable = node->kind == NODE_Name ? condition_variable(conditions, node) : NULL;
    for (size_t i = 0; variable != NULL && i < variable->count; i++) {
        const Node *value = variable->items[i].value;
        if (value != NULL && value->kind != NODE_Name && value->kind != NODE_BinOp &&
            condition_is_table(conditions, value))
            return true;
    }
    return false;
}

const char *condition_comparison(const Conditions *conditions, const Node *node) {
    static const struct {
        const char *path, *word;
    } functions[] = {{"operator.lt", "order"},     {"operator.le", "order"},
                     {"operator.gt", "order"},     {"operator.ge", "order"},
                     {"operator.eq", "equality"},  {"operator.ne", "equality"},
                     {"operator.is_", "equality"}, {"operator.is_not", "equality"}};
    const Node *func = node->kind == NODE_Call ? node_child(node, FIELD_func) : NULL;
    const Things called = func == NULL ? (Things){0} : names_of(conditions->names, conditions->file, func);
    const Field *args = node_list(node, FIELD_args);
    for (size_t i = 0; func != NULL && i < args->count; i++)
        if (args->items[i] != NULL && condition_is_tensor(conditions, args->items[i]))
            return NULL;
    for (size_t i = 0; i < COUNT_OF(functions); i++)
        if (things_find(&called, THING_LIBRARY, functions[i].path) != NULL)
            return functions[i].word;
    return NULL;
}

/* `n is m`: numbers that are equal may be one object or two. */
static bool asks_for_identity(const Node *compare) {
    const Field *ops = node_list(compare, FIELD_ops);
    for (size_t i = 0; i < ops->count; i++)
        if (ops->items[i] != NULL && (ops->items[i]->kind == NODE_Is || ops->items[i]->kind == NODE_IsNot))
            return true;
    return false;
}

/* Does it choose by what may be a size? */
static bool condition_chooses(const Conditions *conditions, const Node *node) {
    const Node *slice = node_child(node, FIELD_slice), *value = node_child(node, FIELD_value);
    return node->kind == NODE_Subscript && slice != NULL && slice->kind != NODE_Slice &&
           slice->kind != NODE_Tuple && condition_is_table(conditions, value) &&
           !condition_is_settled(conditions, slice);
}

unsigned condition_chosen_by(const Conditions *conditions, const Node *node) {
    static const char *const lookups[] = {"get",  "index", "count",      "pop",     "setdefault",
                                          "find", "rfind", "startswith", "endswith"};
    static const char *const builtins[] = {"min", "max", "sorted"};
    const Node *func = node_child(node, FIELD_func), *slice = node_child(node, FIELD_slice),
               *subject = node_child(node, FIELD_subject);
    if (node->kind == NODE_Match)
        return subject == NULL ? 0 : condition_reads(conditions, subject);
    if (node->kind == NODE_Subscript)
        return slice != NULL && slice->kind != NODE_Slice && slice->kind != NODE_Tuple &&
                       condition_is_table(conditions, node_child(node, FIELD_value))
                   ? condition_reads(conditions, slice)
                   : 0;
    if (node->kind != NODE_Call || func == NULL)
        return 0;
    const Things called = names_of(conditions->names, conditions->file, func);
    bool chooses = condition_comparison(conditions, node) != NULL;
    for (size_t i = 0; i < COUNT_OF(builtins); i++)
        chooses = chooses || things_find(&called, THING_BUILTIN, builtins[i]) != NULL;
    for (size_t i = 0; func->kind == NODE_Attribute && i < COUNT_OF(lookups); i++)
        chooses = chooses || text_equal(node_text(func, FIELD_attr), lookups[i]);
    const Node *object = func->kind == NODE_Attribute ? node_child(func, FIELD_value) : NULL;
    return !chooses ? 0
                    : condition_reads_of_arguments(conditions, node) |
                          (object == NULL ? 0 : condition_reads(conditions, object));
}

/* Is it a test by its place? `if x.numel() % 7:` */
bool condition_is_asked(const Node *node) {
    const Node *parent = node->parent;
    if (parent == NULL)
        return false;
    const bool whole = parent->kind == NODE_If || parent->kind == NODE_While || parent->kind == NODE_IfExp;
    const Field *ifs = node_list(parent, FIELD_ifs);
    for (size_t i = 0; parent->kind == NODE_comprehension && i < ifs->count; i++)
        if (ifs->items[i] == node)
            return true;
    return (whole && node_child(parent, FIELD_test) == node) || parent->kind == NODE_BoolOp ||
           (parent->kind == NODE_UnaryOp && node_child(parent, FIELD_op) != NULL &&
            node_child(parent, FIELD_op)->kind == NODE_Not);
}

static Condition *add_condition(Conditions *conditions, const Node *node, unsigned reads, bool number) {
    if ((reads & READS_OWN_TYPE) != 0)
        reads = (reads & ~(unsigned)READS_OWN_TYPE) | READS_TYPE;
    if ((reads & READS_COUNT) != 0)
        reads = (reads & ~(unsigned)READS_COUNT) | READS_SIZE;
    Condition *condition = ARENA_PUSH(conditions->arena, conditions);
    *condition = (Condition){.file = conditions->file,
                             .node = node,
                             .reads = reads,
                             .reached = language_reaches(conditions->language, node),
                             .number = number,
                             .signature = condition_signature(conditions, node, reads)};
    return condition;
}

/* if torch.cuda.is_available(): self.scale = 2, where the model or the module is made. */
static bool asked_while_made(const Conditions *conditions, const Node *node, unsigned reads) {
    const Scope *scope = names_scope_at(conditions->names, conditions->file, node);
    const char *function =
        scope != NULL && scope->kind == SCOPE_FUNCTION ? node_text(scope->node, FIELD_name) : NULL;
    const bool made = scope != NULL && (scope->kind == SCOPE_MODULE || scope->kind == SCOPE_CLASS ||
                                        text_equal(function, "__init__"));
    while (node != NULL && node->kind != NODE_If)
        node = node->kind == NODE_IfExp || node->kind == NODE_Return ? NULL : node->parent;
    return node != NULL && made && (reads & READS_SURROUNDINGS) != 0 &&
           names_is_judged(conditions->names, conditions->file, node);
}

static bool look(const Node *node, void *context) {
    Conditions *conditions = context;
    bool reached = conditions->everywhere || language_reaches(conditions->language, node);
    const Node *number = reached ? condition_number(conditions, node) : NULL;
    if (number == NULL && reached)
        number = condition_count(conditions, node);
    if (number != NULL && !may_be_asked(conditions, number))
        add_condition(conditions, number, READS_SIZE, true);
    const bool compares = node->kind == NODE_Compare && !has_none(node) &&
                          !compares_tensors(conditions, node) && !asks_for_the_first(conditions, node);
    const bool asked = node->kind != NODE_Compare && node->kind != NODE_BoolOp && condition_is_asked(node) &&
                       !condition_is_tensor(conditions, node);
    unsigned reads = condition_chosen_by(conditions, node);
    if (condition_bends(conditions, node))
        reads |= READS_SIZE;
    if (compares || asked)
        reads |= condition_reads(conditions, node);
    if (asks_for_none(conditions, node))
        reads = READS_NONE;
    reads |= condition_meets_surroundings(conditions, node);
    if (condition_shown(conditions, node) == SHOWN_TEST)
        reads |= condition_reads(conditions, node) & READS_SIZE;
    const bool unsettled = reads == 0 &&
                           ((compares && (condition_is_asked(node) || asks_for_identity(node))) || asked ||
                            condition_chooses(conditions, node)) &&
                           !condition_is_settled(conditions, node);
    if (!reached && asked_while_made(conditions, node, reads))
        reached = true;
    if (reached && (reads != 0 || unsettled) && !may_be_asked(conditions, node))
        add_condition(conditions, node, unsettled ? READS_SIZE : reads, false)->unsettled = unsettled;
    return true;
}

Conditions conditions_of(Arena *arena, const Program *program, bool original, const Texts *values,
                         Language *language, const Trace *trace, ShownPlaces *elsewhere) {
    Conditions conditions = {.arena = arena, .names = names_new(arena, program), .everywhere = original};
    const Node *forward = arguments_forward(program, original);
    const Scope *made =
        forward == NULL ? NULL : names_scope_made(conditions.names, program->items[0], forward);
    for (size_t i = 0; made != NULL && i < values->count; i++) {
        Variable *variable = table_get(made->variables, values->items[i]);
        if (variable != NULL)
            variable->reads |= READS_VALUE;
    }
    *language =
        (Language){.arena = arena, .program = program, .names = conditions.names, .of_original = original};
    language_find_reached(language);
    if (trace != NULL)
        conditions_show(&conditions, program, trace, elsewhere);
    conditions_follow(&conditions, program);
    conditions.language = language;
    for (size_t i = 0; i < program->count; i++) {
        conditions.file = program->items[i];
        language->file = conditions.file;
        node_walk(conditions.file->tree.module, look, &conditions);
    }
    return conditions;
}
