/* What a condition asks, in words that are the same however it is written. */
#include "conditions.h"

#include <stdlib.h>
#include <string.h>

typedef struct Words {
    const Conditions *conditions;
    const char **items;
    size_t count, capacity;
    unsigned depth, names; /* that stand for others */
    bool hidden;           /* what is asked is not of what its words say: attributes may be called anything */
    bool unsettled; /* nor does a run say what it is: then it matters whether anything was called for it */
} Words;

enum { DEEPEST = 4, MOST_NAMES = 200 };

static bool add_words(const Node *node, void *context);

/* count = x.numel() // 7; if count == 4: what the name stands for is asked too. */
static void add_meaning(Words *words, const Node *name) {
    const Conditions *conditions = words->conditions;
    const Variable *variable = condition_variable(conditions, name);
    if (variable == NULL || (variable->reads == 0 && !words->unsettled) || words->depth > DEEPEST ||
        words->names++ > MOST_NAMES)
        return;
    words->depth++;
    for (size_t i = 0; i < variable->count; i++)
        if (variable->items[i].value != NULL)
            node_walk(variable->items[i].value, add_words, words);
    words->depth--;
}

static const char *operator_word(NodeKind kind) {
    switch (kind) {
    case NODE_Eq:
    case NODE_NotEq:
    case NODE_Is:
    case NODE_IsNot:
    case NODE_In:
    case NODE_NotIn: return "equality";
    case NODE_Lt:
    case NODE_LtE:
    case NODE_Gt:
    case NODE_GtE: return "order";
    case NODE_Mult:
    case NODE_FloorDiv:
    case NODE_Div:
    case NODE_Mod:
    case NODE_Pow:
    case NODE_Sub:
    case NODE_Add:
    case NODE_BitAnd:
    case NODE_BitOr:
    case NODE_BitXor:
    case NODE_LShift:
    case NODE_RShift: return node_kind_name(kind);
    default: return NULL;
    }
}

static bool is_mode(const char *path) {
    return (condition_question_of_torch(path) & READS_SURROUNDINGS) != 0;
}

/* from torch import float32 */
static bool is_imported(const Conditions *conditions, const Node *name) {
    const Variable *variable = condition_variable(conditions, name);
    bool all = variable != NULL && variable->count > 0;
    for (size_t i = 0; all && i < variable->count; i++)
        all = variable->items[i].kind == BINDING_IMPORT;
    return all;
}

/* What a name or an attribute stands for in a library, however it was imported; NULL: it doesn't, or for
 * several things. */
static const char *library_path(const Conditions *conditions, const Node *node) {
    if ((node->kind != NODE_Name && node->kind != NODE_Attribute) || condition_of_self(conditions, node))
        return NULL;
    const Things things = names_of(conditions->names, conditions->file, node);
    const char *path =
        things.count == 1 && things.items[0].kind == THING_LIBRARY ? things.items[0].path : NULL;
    return path != NULL && (node->kind == NODE_Attribute || is_mode(path) || is_imported(conditions, node))
               ? path
               : NULL;
}

/* math.prod and numpy.prod ask the same; of torch.cuda.is_available and torch.xpu.is_available that isn't so.
 */
static const char *library_word(const char *path) {
    static const struct {
        const char *alias, *name;
    } dtypes[] = {{"torch.float", "float32"},    {"torch.double", "float64"},    {"torch.half", "float16"},
                  {"torch.int", "int32"},        {"torch.long", "int64"},        {"torch.short", "int16"},
                  {"torch.cfloat", "complex64"}, {"torch.cdouble", "complex128"}};
    const char *dot = strrchr(path, '.'), *last = dot == NULL ? path : dot + 1;
    for (size_t i = 0; i < COUNT_OF(dtypes); i++)
        if (text_equal(path, dtypes[i].alias))
            return dtypes[i].name;
    if (condition_question(last) != 0)
        return NULL; /* torch.numel(x), x.numel() */
    return is_mode(path) ? path : last;
}

static bool add_returned(const Node *node, void *context) {
    const Node *value = node->kind == NODE_Return ? node_child(node, FIELD_value) : NULL;
    if (value != NULL)
        node_walk(value, add_words, context);
    return node->kind != NODE_FunctionDef && node->kind != NODE_Lambda && node->kind != NODE_ClassDef;
}

/* if is_long(x), of a helper that returns x.shape[1] > 30. */
static void add_helpers(Words *words, const Node *func) {
    const Conditions *conditions = words->conditions;
    const Things called = names_of(conditions->names, conditions->file, func);
    for (size_t i = 0; i < called.count && words->depth <= DEEPEST && words->names++ <= MOST_NAMES; i++) {
        const Thing *thing = &called.items[i];
        const Scope *made = thing->kind == THING_FUNCTION || thing->kind == THING_METHOD
                                ? condition_made_by(conditions, *thing)
                                : NULL;
        if (made == NULL || made->reads == 0)
            continue;
        Conditions there = *conditions;
        there.file = thing->file;
        words->conditions = &there;
        words->depth++;
        const Field *body = node_list(thing->node, FIELD_body);
        for (size_t j = 0; j < body->count; j++)
            if (body->items[j] != NULL)
                node_walk(body->items[j], add_returned, words);
        words->depth--;
        words->conditions = conditions;
    }
}

/* Which of the sizes is asked for, x.shape[1] or x.size(1), is another matter than what it is held against.
 */
static bool add_words(const Node *node, void *context) {
    Words *words = context;
    const Node *value = node_child(node, FIELD_value), *func = node_child(node, FIELD_func);
    const char *word = operator_word(node->kind);
    const bool compares = node->parent != NULL && node == node_child(node->parent, FIELD_func) &&
                          condition_comparison(words->conditions, node->parent) != NULL;
    const char *path = compares ? NULL : library_path(words->conditions, node);
    bool below = path == NULL;
    if (compares) {
        below = false; /* the call says it */
    } else if (path != NULL) {
        word = library_word(path);
    } else if (node->kind == NODE_Constant) {
        word = node->text;
    } else if (node->kind == NODE_Name) {
        add_meaning(words, node);
    } else if (node->kind == NODE_Subscript && value != NULL && !condition_is_display(value)) {
        node_walk(value, add_words, words);
        below = false;
    } else if (node->kind == NODE_Attribute) {
        below = !condition_of_self(words->conditions, node);
        word = below && !words->hidden && condition_question(node_text(node, FIELD_attr)) == 0
                   ? node_text(node, FIELD_attr)
                   : NULL;
    } else if (node->kind == NODE_Call) {
        word = condition_comparison(words->conditions, node);
        if (word == NULL && condition_chosen_by(words->conditions, node) != 0)
            word = "choice";
        if (word == NULL && words->unsettled)
            word = "call";
        if (func != NULL)
            add_helpers(words, func);
        below = func == NULL || func->kind != NODE_Attribute ||
                condition_question(node_text(func, FIELD_attr)) == 0;
    }
    if (word != NULL)
        *(const char **)ARENA_PUSH(words->conditions->arena, words) = word;
    return below;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *condition_signature(const Conditions *conditions, const Node *node, unsigned reads) {
    const bool unsettled = condition_reads(conditions, node) == 0;
    Words words = {.conditions = conditions,
                   .hidden = condition_shown(conditions, node) == SHOWN_TEST || unsettled,
                   .unsettled = unsettled};
    Text text = text_new(conditions->arena);
    node_walk(node, add_words, &words);
    if (words.count > 0)
        qsort(words.items, words.count, sizeof *words.items, by_text);
    text_printf(&text, "%u", reads);
    for (size_t i = 0; i < words.count; i++)
        if (i == 0 || strcmp(words.items[i], words.items[i - 1]) != 0)
            text_printf(&text, " %s", words.items[i]);
    return text.data;
}
