/* Pattern files (docs/patterns.md): read into trees whose named parts are expanded. */
#include "patterns_tokens.h"

#include <ctype.h>
#include <string.h>

extern const EmbeddedFile pattern_files[];

enum { MOST_NODES = 5000, DEEPEST = 100 };

/* ---- Nodes -------------------------------------------------------------------------------- */

static Node *new_node(Parser *parser, NodeKind kind) {
    Node *node = ARENA_NEW(parser->arena, Node);
    node->kind = kind;
    node->variable = SIZE_MAX;
    node->number = 1;
    parser->nodes++;
    return node;
}

static void add_item(Parser *parser, Node *node, Node *item) {
    Node **place =
        arena_push(parser->arena, (void *)&node->items, &node->count, &node->capacity, sizeof item);
    *place = item;
}

static Keyword *add_keyword(Parser *parser, Node *node) {
    return arena_push(parser->arena, (void *)&node->keywords, &node->keyword_count, &node->keyword_capacity,
                      sizeof *node->keywords);
}

static Status variable_of(Parser *parser, const char *name, bool number, size_t *variable) {
    Scope *scope = &parser->scope;
    for (size_t i = 0; name != NULL && i < scope->count; i++)
        if (scope->number[i] == number && text_equal(scope->names[i], name)) {
            *variable = i;
            return STATUS_OK;
        }
    if (scope->count == MOST_VARIABLES)
        return REFUSE(parser, "there are more than %d variables, those of named parts included",
                      MOST_VARIABLES);
    scope->number[scope->count] = number;
    scope->names[scope->count] = name;
    *variable = scope->count++;
    return STATUS_OK;
}

/* A copy of a named pattern's tree: parameters become the arguments, its other variables new ones. */
static Status expand(Parser *parser, const Pattern *pattern, const Node *from, Node **arguments,
                     size_t *fresh, Node **result) {
    if (parser->nodes > MOST_NODES)
        return REFUSE(parser, "named parts make this pattern too large");
    if (from->kind == NODE_VARIABLE && from->variable < pattern->parameter_count) {
        *result = arguments[from->variable];
        if ((*result)->kind == NODE_VARIABLE && (*result)->guard == GUARD_NONE && from->guard != GUARD_NONE) {
            *result = arena_copy(parser->arena, *result, sizeof **result);
            (*result)->guard = from->guard;
        }
        return STATUS_OK;
    }
    Node *node = new_node(parser, from->kind);
    *node = *from;
    node->items = NULL;
    node->count = node->capacity = 0;
    *result = node;
    if (from->variable != SIZE_MAX) {
        if (fresh[from->variable] == SIZE_MAX &&
            variable_of(parser, NULL, from->kind != NODE_VARIABLE, &fresh[from->variable]) != STATUS_OK)
            return STATUS_ERROR;
        node->variable = fresh[from->variable];
    }
    if (from->keyword_count > 0)
        node->keywords =
            arena_copy(parser->arena, from->keywords, from->keyword_count * sizeof *from->keywords);
    for (size_t i = 0; i < from->keyword_count; i++) {
        Keyword *keyword = &node->keywords[i];
        if (keyword->kind != KEYWORD_VARIABLE)
            continue;
        if (fresh[keyword->variable] == SIZE_MAX &&
            variable_of(parser, NULL, true, &fresh[keyword->variable]) != STATUS_OK)
            return STATUS_ERROR;
        keyword->variable = fresh[keyword->variable];
    }
    for (size_t i = 0; i < from->count; i++) {
        Node *item;
        if (expand(parser, pattern, from->items[i], arguments, fresh, &item) != STATUS_OK)
            return STATUS_ERROR;
        add_item(parser, node, item);
    }
    return STATUS_OK;
}

static Status parse_choice(Parser *parser, Node **result);

static Status parse_value(Parser *parser, Keyword *keyword) {
    const char *name;
    bool negative = token_take(parser, "-");
    if (negative || token_is_number(parser)) {
        keyword->kind = KEYWORD_NUMBER;
        Status status = token_take_number(parser, &keyword->number);
        keyword->number = negative ? -keyword->number : keyword->number;
        return status;
    }
    if (token_take(parser, "$")) {
        keyword->kind = KEYWORD_VARIABLE;
        return token_take_name(parser, &name) == STATUS_OK
                   ? variable_of(parser, name, true, &keyword->variable)
                   : STATUS_ERROR;
    }
    if (*parser->at == '\'' && parser->end - parser->at >= 2 && parser->end[-1] == '\'') {
        keyword->kind = KEYWORD_TEXT;
        keyword->text = arena_strndup(parser->arena, parser->at + 1, (size_t)(parser->end - parser->at) - 2);
        token_next(parser);
        return STATUS_OK;
    }
    keyword->kind = token_is(parser, "None") ? KEYWORD_NONE : KEYWORD_BOOL;
    keyword->number = token_is(parser, "True");
    if (token_take(parser, "True") || token_take(parser, "False") || token_take(parser, "None"))
        return STATUS_OK;
    return REFUSE(parser, "%s is no value of an argument: a number, $name, 'text', True, False or None",
                  token_text(parser));
}

static Status parse_arguments(Parser *parser, Node *node) {
    if (token_take(parser, ")"))
        return STATUS_OK;
    do {
        const char *after = parser->end + strspn(parser->end, " \t");
        if (token_is_name(parser) && *after == '=') {
            Keyword *keyword = add_keyword(parser, node);
            if (token_take_name(parser, &keyword->name) != STATUS_OK ||
                token_expect(parser, "=") != STATUS_OK || parse_value(parser, keyword) != STATUS_OK)
                return STATUS_ERROR;
            continue;
        }
        Node *item;
        if (node->keyword_count > 0)
            return REFUSE(parser, "operands come before named arguments");
        if (parse_choice(parser, &item) != STATUS_OK)
            return STATUS_ERROR;
        add_item(parser, node, item);
    } while (token_take(parser, ","));
    return token_expect(parser, ")");
}

static const char *const SELECTIONS[] = {[SELECT_FIRST_HALF] = "first_half",
                                         [SELECT_SECOND_HALF] = "second_half",
                                         [SELECT_EVEN] = "even",
                                         [SELECT_ODD] = "odd",
                                         [SELECT_TRANSPOSED] = "transposed"};

/* Stacked behind, or written in turn. */
static Status parse_interleaved(Parser *parser, Node *stack, Node **result) {
    if (stack->count != 2 || stack->keyword_count > 0)
        return REFUSE(parser, "interleaved takes two operands");
    Node *written = new_node(parser, NODE_INTERLEAVED);
    add_item(parser, written, stack->items[0]);
    add_item(parser, written, stack->items[1]);
    stack->name = "aten::stack";
    *add_keyword(parser, stack) = (Keyword){.name = "dim", .kind = KEYWORD_NUMBER, .number = -1};
    *result = new_node(parser, NODE_CHOICE);
    add_item(parser, *result, stack);
    add_item(parser, *result, written);
    return STATUS_OK;
}

/* NAME(..: an operator, a selection, or a pattern that was named before. */
static Status parse_call(Parser *parser, const char *name, Node **result) {
    Node *node = *result = new_node(parser, NODE_OPERATOR);
    if (parse_arguments(parser, node) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < COUNT_OF(SELECTIONS); i++)
        if (strcmp(name, SELECTIONS[i]) == 0) {
            node->kind = NODE_SELECTION;
            node->selection = (Selection)i;
            return node->count == 1 && node->keyword_count == 0
                       ? STATUS_OK
                       : REFUSE(parser, "%s takes one operand", name);
        }
    if (strcmp(name, "interleaved") == 0)
        return parse_interleaved(parser, node, result);
    const Pattern *pattern = table_get(parser->patterns->named, name);
    if (pattern == NULL) {
        node->name = strstr(name, "::") != NULL ? name : arena_printf(parser->arena, "aten::%s", name);
        return STATUS_OK;
    }
    if (node->keyword_count > 0 || node->count != pattern->parameter_count)
        return REFUSE(parser, "%s takes %zu operands; if the operator is meant, write aten::%s", name,
                      pattern->parameter_count, name);
    size_t fresh[MOST_VARIABLES];
    for (size_t i = 0; i < MOST_VARIABLES; i++)
        fresh[i] = SIZE_MAX;
    return expand(parser, pattern, pattern->root, node->items, fresh, result);
}

static Status parse_guard(Parser *parser, Node *node) {
    static const char *const GUARDS[] = {[GUARD_FULL] = "full",
                                         [GUARD_VECTOR] = "vector",
                                         [GUARD_SCALAR] = "scalar",
                                         [GUARD_STATE] = "state",
                                         [GUARD_KNOWN] = "known"};
    for (size_t i = GUARD_FULL; i < COUNT_OF(GUARDS); i++)
        if (token_take(parser, GUARDS[i])) {
            node->guard = (Guard)i;
            return STATUS_OK;
        }
    return REFUSE(parser, "%s is no kind of variable: full, vector, scalar, state or known",
                  token_text(parser));
}

static Status parse_factor(Parser *parser, Node **result) {
    const char *name;
    if (token_take(parser, "(")) {
        if (parse_choice(parser, result) != STATUS_OK)
            return STATUS_ERROR;
        return token_expect(parser, ")");
    }
    if (token_take(parser, "-")) {
        Node *item;
        if (token_is(parser, "-"))
            return REFUSE(parser, "'-' is written twice");
        if (parse_factor(parser, &item) != STATUS_OK)
            return STATUS_ERROR;
        if (item->kind == NODE_NUMBER) {
            item->number = -item->number;
            *result = item;
            return STATUS_OK;
        }
        *result = new_node(parser, NODE_OPERATOR);
        (*result)->name = "aten::neg";
        add_item(parser, *result, item);
        return STATUS_OK;
    }
    bool near = token_take(parser, "~");
    if (near || token_is_number(parser)) {
        *result = new_node(parser, NODE_NUMBER);
        (*result)->near = near;
        return token_take_number(parser, &(*result)->number);
    }
    if (token_take(parser, "$")) {
        *result = new_node(parser, NODE_NUMBER_VARIABLE);
        return token_take_name(parser, &name) == STATUS_OK
                   ? variable_of(parser, name, true, &(*result)->variable)
                   : STATUS_ERROR;
    }
    if (token_take_name(parser, &name) != STATUS_OK)
        return STATUS_ERROR;
    bool part = *parser->at == '.' && isdigit((unsigned char)parser->at[1]) && parser->end - parser->at == 2;
    size_t number = part ? (size_t)(parser->at[1] - '0') : 0; /* max.1(..) */
    if (part)
        token_next(parser);
    if (token_take(parser, "(")) {
        if (parse_call(parser, name, result) != STATUS_OK)
            return STATUS_ERROR;
        if (part && ((*result)->kind != NODE_OPERATOR || (*result)->name == NULL))
            return REFUSE(parser, "%s.%zu: %s is no operator", name, number, name);
        (*result)->result = part ? number : (*result)->result;
        return STATUS_OK;
    }
    if (part)
        return REFUSE(parser, "'(' is expected after %s.%zu", name, number);
    if (strstr(name, "::") != NULL)
        return REFUSE(parser, "%s is an operator: give its operands in parentheses", name);
    *result = new_node(parser, NODE_VARIABLE);
    if (variable_of(parser, name, false, &(*result)->variable) != STATUS_OK)
        return STATUS_ERROR;
    return token_take(parser, ":") ? parse_guard(parser, *result) : STATUS_OK;
}

static Status add_factor(Parser *parser, Node *product, Node *factor, bool divides) {
    if (factor->kind == NODE_NUMBER) {
        if (divides && factor->number == 0)
            return REFUSE(parser, "this divides by zero");
        product->number *= divides ? 1 / factor->number : factor->number;
        product->near |= factor->near;
    } else if (factor->kind == NODE_NUMBER_VARIABLE) {
        if (product->variable != SIZE_MAX)
            return REFUSE(parser, "a product has one number variable at most");
        product->variable = factor->variable;
    } else {
        if (product->count == MOST_FACTORS)
            return REFUSE(parser, "a product has %d factors at most", MOST_FACTORS);
        Node *item = factor;
        if (divides) {
            item = new_node(parser, NODE_INVERSE);
            add_item(parser, item, factor);
        }
        add_item(parser, product, item);
    }
    return STATUS_OK;
}

static Status parse_product(Parser *parser, Node **result) {
    if (parse_factor(parser, result) != STATUS_OK)
        return STATUS_ERROR;
    Node *product = NULL;
    for (;;) {
        bool divides = token_is(parser, "/");
        if (!token_take(parser, "*") && !token_take(parser, "/"))
            break;
        if (product == NULL) {
            product = new_node(parser, NODE_PRODUCT);
            if (add_factor(parser, product, *result, false) != STATUS_OK)
                return STATUS_ERROR;
        }
        Node *factor;
        if (parse_factor(parser, &factor) != STATUS_OK ||
            add_factor(parser, product, factor, divides) != STATUS_OK)
            return STATUS_ERROR;
    }
    if (product == NULL)
        return STATUS_OK;
    if (product->count == 0 && product->variable != SIZE_MAX)
        return REFUSE(parser, "a product of numbers alone has no variable");
    if (product->count == 0)
        product->kind = NODE_NUMBER;
    *result = product;
    return STATUS_OK;
}

static Status parse_sum(Parser *parser, Node **result) {
    if (parse_product(parser, result) != STATUS_OK)
        return STATUS_ERROR;
    for (;;) {
        bool minus = token_is(parser, "-");
        if (!token_take(parser, "+") && !token_take(parser, "-"))
            return STATUS_OK;
        Node *sum = new_node(parser, minus ? NODE_DIFFERENCE : NODE_SUM), *item;
        add_item(parser, sum, *result);
        if (parse_product(parser, &item) != STATUS_OK)
            return STATUS_ERROR;
        add_item(parser, sum, item);
        *result = sum;
    }
}

static Status parse_choice(Parser *parser, Node **result) {
    if (parser->depth == DEEPEST)
        return REFUSE(parser, "this is nested more than %d deep", DEEPEST);
    parser->depth++;
    Status status = parse_sum(parser, result);
    Node *choice = NULL;
    while (status == STATUS_OK && token_take(parser, "|")) {
        if (choice == NULL) {
            choice = new_node(parser, NODE_CHOICE);
            add_item(parser, choice, *result);
        }
        Node *item;
        status = parse_sum(parser, &item);
        if (status == STATUS_OK)
            add_item(parser, choice, item);
        *result = choice;
    }
    parser->depth--;
    return status;
}

/* ---- Definitions -------------------------------------------------------------------------- */

static void add_root(Patterns *patterns, const char *operator, const Pattern * pattern, const Node *node) {
    RootList *list = table_get(patterns->roots, operator);
    if (list == NULL) {
        list = ARENA_NEW(patterns->arena, RootList);
        table_put(patterns->roots, operator, list);
    }
    *(Root *)ARENA_PUSH(patterns->arena, list) = (Root){pattern, node};
}

static Status index_root(Parser *parser, const Pattern *pattern, const Node *node) {
    Patterns *patterns = parser->patterns;
    switch (node->kind) {
    case NODE_CHOICE:
        for (size_t i = 0; i < node->count; i++)
            if (index_root(parser, pattern, node->items[i]) != STATUS_OK)
                return STATUS_ERROR;
        return STATUS_OK;
    case NODE_OPERATOR: add_root(patterns, node->name, pattern, node); return STATUS_OK;
    case NODE_INTERLEAVED: add_root(patterns, WRITE_NAME, pattern, node); return STATUS_OK;
    case NODE_SUM: add_root(patterns, "aten::add", pattern, node); return STATUS_OK;
    case NODE_DIFFERENCE:
        add_root(patterns, "aten::sub", pattern, node);
        add_root(patterns, "aten::rsub", pattern, node);
        return STATUS_OK;
    case NODE_PRODUCT:
        add_root(patterns, "aten::mul", pattern, node);
        add_root(patterns, "aten::div", pattern, node);
        if (node->count == 1)
            add_root(patterns, "aten::reciprocal", pattern, node);
        return STATUS_OK;
    default:
        return REFUSE(parser, "an alternative of %s is no operator: nothing would begin there",
                      pattern->name);
    }
}

static Status parse_definition(Parser *parser) {
    static const char *const KINDS[] = {
        [PATTERN_PART] = "part", [PATTERN_KERNEL] = "kernel", [PATTERN_FUSION] = "fusion"};
    Pattern *pattern = ARENA_NEW(parser->arena, Pattern);
    size_t kind = 0;
    while (kind < COUNT_OF(KINDS) && !token_is(parser, KINDS[kind]))
        kind++;
    if (kind == COUNT_OF(KINDS) || !parser->at_start)
        return REFUSE(parser, "a line begins with kernel, fusion or part, or goes on indented; here is %s",
                      token_text(parser));
    pattern->kind = kind;
    token_next(parser);
    parser->scope = (Scope){.count = 0};
    if (token_take_name(parser, &pattern->name) != STATUS_OK || token_expect(parser, "(") != STATUS_OK)
        return STATUS_ERROR;
    while (!token_take(parser, ")")) {
        const char *name;
        size_t variable;
        if ((pattern->parameter_count > 0 && token_expect(parser, ",") != STATUS_OK) ||
            token_take_name(parser, &name) != STATUS_OK ||
            variable_of(parser, name, false, &variable) != STATUS_OK)
            return STATUS_ERROR;
        if (variable != pattern->parameter_count++)
            return REFUSE(parser, "%s names two operands of %s", name, pattern->name);
    }
    if (token_expect(parser, "=") != STATUS_OK || parse_choice(parser, &pattern->root) != STATUS_OK)
        return STATUS_ERROR;
    if (!parser->at_start && *parser->at != '\0')
        return REFUSE(parser, "%s is one too many", token_text(parser));
    pattern->variable_count = parser->scope.count;
    if (pattern->kind != PATTERN_PART && index_root(parser, pattern, pattern->root) != STATUS_OK)
        return STATUS_ERROR;
    table_put(parser->patterns->named, pattern->name, pattern);
    return STATUS_OK;
}

static Status parse_file(Arena *arena, Patterns *patterns, const char *name, Bytes text, Error *error) {
    char *copy = arena_strndup(arena, (const char *)text.data, text.size);
    Parser parser = {.arena = arena,
                     .patterns = patterns,
                     .file = name,
                     .text = copy,
                     .end = copy,
                     .line = 1,
                     .error = error};
    if (strlen(copy) != text.size)
        return REFUSE(&parser, "the file has a zero byte in it");
    token_next(&parser);
    while (*parser.at != '\0') {
        parser.nodes = 0;
        if (parse_definition(&parser) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

Status patterns_parse(Arena *arena, const char *name, Bytes text, Patterns **patterns, Error *error) {
    *patterns = ARENA_NEW(arena, Patterns);
    **patterns = (Patterns){.arena = arena, .named = table_new(arena), .roots = table_new(arena)};
    for (size_t i = 0; pattern_files[i].name != NULL; i++)
        if (parse_file(arena, *patterns, pattern_files[i].name, pattern_files[i].bytes, error) != STATUS_OK)
            return STATUS_ERROR;
    return text.data == NULL ? STATUS_OK : parse_file(arena, *patterns, name, text, error);
}
