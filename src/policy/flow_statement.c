/* Statements: what they bind, and which of the ways through them join. */
#include "flow.h"

enum { MOST_PASSES = 4 };

static void statement(Flow *flow, const Node *node);

static const Field *list_field(const Node *node, FieldName name) {
    static const Field EMPTY = {.kind = FIELD_IS_LIST};
    const Field *field = node_field(node, name);
    return field != NULL && field->kind == FIELD_IS_LIST ? field : &EMPTY;
}

void flow_body(Flow *flow, const Node *node, FieldName name) {
    const Field *body = list_field(node, name);
    for (size_t i = 0; i < body->count && flow->frame->live; i++)
        if (body->items[i] != NULL)
            statement(flow, body->items[i]);
}

/* ---- Binding ------------------------------------------------------------------------------ */

static Frame *frame_of_name(Flow *flow, const char *name) {
    Frame *frame = flow->frame;
    if (frame->outer == NULL || !table_has(frame->outer, name))
        return frame;
    for (Frame *outer = frame->parent; outer != NULL; outer = outer->parent)
        if (outer->parent == NULL || (outer->class == NULL && table_has(outer->names, name)))
            return outer;
    return frame;
}

static void bind_name(Flow *flow, const char *name, const Meaning *meaning) {
    Frame *frame = frame_of_name(flow, name);
    const Meaning *before = frame != flow->frame ? table_get(frame->names, name) : NULL;
    table_put(frame->names, name, (void *)meaning_join(flow, before, meaning));
}

/* Item `index` of every container that has just `count` in order; of others, any element. */
static const Meaning *item_at(Flow *flow, const Node *at, const Meaning *meaning, size_t index,
                              size_t count) {
    const Meaning *all = NULL;
    for (size_t i = 0; i < meaning->count; i++) {
        const Sense *sense = &meaning->items[i];
        bool exact = sense->kind == SENSE_LIST && sense->object->exact && sense->object->count == count;
        all = meaning_join(flow, all,
                           exact ? sense->object->items[index]
                                 : flow_elements(flow, at, meaning_of(flow, *sense)));
    }
    return all;
}

static void bind_unpacked(Flow *flow, const Node *target, const Meaning *meaning) {
    const Field *targets = list_field(target, FIELD_elts);
    for (size_t i = 0; i < targets->count; i++) {
        const Node *item = targets->items[i];
        if (item == NULL)
            continue;
        if (item->kind == NODE_Starred)
            flow_bind(flow, node_child(item, FIELD_value),
                      list_of_any(flow, flow_elements(flow, target, meaning)));
        else
            flow_bind(flow, item, item_at(flow, target, meaning, i, targets->count));
    }
}

/* Indexed assignment: into data, into a known tensor, or into a container. */
static void bind_item(Flow *flow, const Node *target, const Meaning *meaning) {
    const Meaning *container = flow_evaluate(flow, node_child(target, FIELD_value));
    const Meaning *index = flow_evaluate(flow, node_child(target, FIELD_slice));
    bool tensor = false;
    for (size_t i = 0; i < container->count; i++) {
        const Sense *sense = &container->items[i];
        if (sense->kind == SENSE_LIST || sense->kind == SENSE_MODULES) {
            const Sense *key = index->count == 1 ? meaning_first(index, SENSE_PLAIN) : NULL;
            if (key != NULL && key->string && key->text != NULL)
                table_put(sense->object->named, key->text,
                          (void *)meaning_join(flow, table_get(sense->object->named, key->text), meaning));
            else
                list_add(flow, sense->object, meaning);
        } else {
            tensor |= sense->kind != SENSE_PLAIN;
        }
    }
    if (!tensor)
        return;
    Arguments arguments = arguments_one(flow, container);
    arguments_push(flow, &arguments, index);
    arguments_push(flow, &arguments, meaning);
    flow_operate(flow, target, "__setitem__", "indexed assignment", &arguments);
}

void flow_bind(Flow *flow, const Node *target, const Meaning *meaning) {
    switch (target == NULL ? NODE_UNKNOWN : target->kind) {
    case NODE_Name: bind_name(flow, node_text(target, FIELD_id), meaning); break;
    case NODE_Tuple:
    case NODE_List: bind_unpacked(flow, target, meaning); break;
    case NODE_Starred: flow_bind(flow, node_child(target, FIELD_value), meaning); break;
    case NODE_Attribute:
        flow_set_attribute(flow, target, flow_evaluate(flow, node_child(target, FIELD_value)),
                           node_text(target, FIELD_attr), meaning);
        break;
    case NODE_Subscript: bind_item(flow, target, meaning); break;
    default: break;
    }
}

/* ---- Ways that part and meet -------------------------------------------------------------- */

static Table *names_here(const Flow *flow) {
    return flow->frame->live ? flow->frame->names : NULL;
}

static void go_on_with(Flow *flow, Table *names) {
    flow->frame->live = names != NULL;
    if (names != NULL)
        flow->frame->names = names;
}

/* Walks each of the bodies from here, and goes on with what any of them leaves. */
static void branch(Flow *flow, const Node *node, FieldName first, FieldName second) {
    Table *before = names_copy(flow, flow->frame->names);
    flow_body(flow, node, first);
    Table *after = names_here(flow);
    go_on_with(flow, before);
    flow_body(flow, node, second);
    go_on_with(flow, names_join(flow, after, names_here(flow)));
}

/* Walks `body` a few times, until the names' meanings stay, as a loop does that may run no times at all. */
static void repeat(Flow *flow, void (*body)(Flow *, const Node *), const Node *node) {
    Frame *frame = flow->frame;
    Table *outer_broken = frame->broken, *outer_continued = frame->continued;
    frame->broken = NULL;
    Table *before = names_copy(flow, frame->names);
    for (int pass = 0; pass < MOST_PASSES; pass++) {
        frame->continued = NULL;
        go_on_with(flow, names_copy(flow, before));
        body(flow, node);
        Table *after = names_join(flow, names_here(flow), frame->continued);
        Table *joined = names_join(flow, before, after);
        bool settled = names_same(before, joined);
        before = joined;
        if (settled)
            break;
    }
    go_on_with(flow, names_join(flow, before, frame->broken));
    frame->broken = outer_broken;
    frame->continued = outer_continued;
}

static void for_body(Flow *flow, const Node *node) {
    const Node *iterated = node_child(node, FIELD_iter);
    flow_bind(flow, node_child(node, FIELD_target),
              flow_elements(flow, iterated, flow_evaluate(flow, iterated)));
    flow_body(flow, node, FIELD_body);
}

static void while_body(Flow *flow, const Node *node) {
    const Node *test = node_child(node, FIELD_test);
    flow_test(flow, test, flow_evaluate(flow, test));
    flow_body(flow, node, FIELD_body);
}

static void try_statement(Flow *flow, const Node *node) {
    Table *before = names_copy(flow, flow->frame->names);
    flow_body(flow, node, FIELD_body);
    Table *during = names_join(flow, before, names_here(flow));
    flow_body(flow, node, FIELD_orelse);
    Table *after = names_here(flow);
    const Field *handlers = list_field(node, FIELD_handlers);
    for (size_t i = 0; i < handlers->count; i++) {
        go_on_with(flow, names_copy(flow, during));
        const char *name = node_text(handlers->items[i], FIELD_name);
        if (name != NULL)
            bind_name(flow, name, flow->plain);
        flow_body(flow, handlers->items[i], FIELD_body);
        after = names_join(flow, after, names_here(flow));
    }
    bool live = after != NULL;
    go_on_with(flow, live ? after : names_copy(flow, during));
    flow_body(flow, node, FIELD_finalbody);
    flow->frame->live = flow->frame->live && live;
}

typedef struct Capture {
    Flow *flow;
    const Meaning *meaning;
} Capture;

static bool capture_name(const Node *node, void *context) {
    const Capture *capture = context;
    const FieldName fields[] = {FIELD_name, FIELD_rest};
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        const char *name = node_text(node, fields[i]);
        if (name != NULL)
            bind_name(capture->flow, name, capture->meaning);
    }
    return true;
}

static void match_statement(Flow *flow, const Node *node) {
    const Node *subject = node_child(node, FIELD_subject);
    const Meaning *meaning = flow_evaluate(flow, subject);
    flow_test(flow, subject, meaning);
    const Field *cases = list_field(node, FIELD_cases);
    Table *before = names_copy(flow, flow->frame->names), *after = names_copy(flow, before);
    for (size_t i = 0; i < cases->count; i++) {
        go_on_with(flow, names_copy(flow, before));
        Capture capture = {flow, meaning_join(flow, meaning, flow_elements(flow, subject, meaning))};
        node_walk(node_child(cases->items[i], FIELD_pattern), capture_name, &capture);
        if (node_child(cases->items[i], FIELD_guard) != NULL)
            flow_evaluate(flow, node_child(cases->items[i], FIELD_guard));
        flow_body(flow, cases->items[i], FIELD_body);
        after = names_join(flow, after, names_here(flow));
    }
    go_on_with(flow, after);
}

static void with_statement(Flow *flow, const Node *node) {
    const Field *items = list_field(node, FIELD_items);
    for (size_t i = 0; i < items->count; i++) {
        const Meaning *context = flow_evaluate(flow, node_child(items->items[i], FIELD_context_expr));
        if (node_child(items->items[i], FIELD_optional_vars) != NULL)
            flow_bind(flow, node_child(items->items[i], FIELD_optional_vars), context);
    }
    flow_body(flow, node, FIELD_body);
}

/* ---- Definitions -------------------------------------------------------------------------- */

/* A decorator of a library gives back the function; one of our own is called. */
static const Meaning *decorated(Flow *flow, const Node *node, const Meaning *meaning) {
    const Field *decorators = list_field(node, FIELD_decorator_list);
    for (size_t i = decorators->count; i > 0; i--) {
        const Node *decorator = decorators->items[i - 1];
        const Meaning *callee = flow_evaluate(flow, decorator);
        if (meaning_has(callee, SENSE_FUNCTION) || meaning_has(callee, SENSE_CLASS)) {
            Arguments arguments = arguments_one(flow, meaning);
            meaning = flow_call(flow, decorator, callee, &arguments);
        }
    }
    return meaning;
}

static void define_function(Flow *flow, const Node *node) {
    Frame *frame = flow->frame->class != NULL ? flow->frame->parent : flow->frame;
    const Meaning *function = meaning_of(
        flow, (Sense){.kind = SENSE_FUNCTION, .node = node, .file = flow->frame->file, .frame = frame});
    bind_name(flow, node_text(node, FIELD_name), decorated(flow, node, function));
}

static void define_class(Flow *flow, const Node *node) {
    Frame *outer = flow->frame, *inner = ARENA_NEW(flow->arena, Frame);
    const Field *bases = list_field(node, FIELD_bases);
    *inner = (Frame){.names = table_new(flow->arena),
                     .parent = outer,
                     .file = outer->file,
                     .class = node,
                     .label = node_text(node, FIELD_name),
                     .live = true};
    for (size_t i = 0; i < bases->count; i++)
        inner->bases = meaning_join(flow, inner->bases, flow_evaluate(flow, bases->items[i]));
    flow->frame = inner;
    flow_body(flow, node, FIELD_body);
    flow->frame = outer;
    SenseKind kind = outer->file->part == PART_CHILD ? SENSE_CHILD_CLASS : SENSE_CLASS;
    bind_name(flow, node_text(node, FIELD_name),
              meaning_of(flow, (Sense){.kind = kind, .node = node, .file = outer->file, .frame = inner}));
}

static void declare_outer(Flow *flow, const Node *node) {
    const Field *names = list_field(node, FIELD_names);
    if (flow->frame->outer == NULL)
        flow->frame->outer = table_new(flow->arena);
    for (size_t i = 0; i < names->count; i++)
        if (node_text(names->items[i], FIELD_id) != NULL)
            table_put(flow->frame->outer, node_text(names->items[i], FIELD_id), TABLE_PRESENT);
}

/* ---- One statement ------------------------------------------------------------------------ */

static void augmented_assignment(Flow *flow, const Node *node) {
    static const struct {
        NodeKind kind;
        const char *dunder, *sign;
    } SIGNS[] = {
        {NODE_Add, "__iadd__", "+="},
        {NODE_Sub, "__isub__", "-="},
        {NODE_Mult, "__imul__", "*="},
        {NODE_MatMult, "__imatmul__", "@="},
        {NODE_Div, "__itruediv__", "/="},
        {NODE_Mod, "__imod__", "%="},
        {NODE_Pow, "__ipow__", "**="},
        {NODE_LShift, "__ilshift__", "<<="},
        {NODE_RShift, "__irshift__", ">>="},
        {NODE_BitOr, "__ior__", "|="},
        {NODE_BitXor, "__ixor__", "^="},
        {NODE_BitAnd, "__iand__", "&="},
        {NODE_FloorDiv, "__ifloordiv__", "//="},
    };
    const Node *target = node_child(node, FIELD_target), *operator= node_child(node, FIELD_op);
    const Meaning *left = flow_evaluate(flow, target),
                  *right = flow_evaluate(flow, node_child(node, FIELD_value));
    const Meaning *result = NULL;
    for (size_t i = 0; i < COUNT_OF(SIGNS) && operator!= NULL; i++)
        if (SIGNS[i].kind == operator->kind)
            result = flow_python_binary(flow, node, SIGNS[i].dunder, SIGNS[i].sign, left, right);
    flow_bind(flow, target, result != NULL ? result : flow->unknown);
}

static void leave(Flow *flow, Table **where) {
    *where = names_join(flow, *where, names_copy(flow, flow->frame->names));
    flow->frame->live = false;
}

static void return_statement(Flow *flow, const Node *node) {
    const Node *value = node_child(node, FIELD_value);
    const Meaning *meaning = value != NULL ? flow_evaluate(flow, value) : flow->plain;
    flow->frame->returned = meaning_join(flow, flow->frame->returned, meaning);
    flow->frame->live = false;
}

static void assign(Flow *flow, const Node *node) {
    const Field *targets = list_field(node, FIELD_targets);
    const Meaning *meaning = flow_evaluate(flow, node_child(node, FIELD_value));
    for (size_t i = 0; i < targets->count; i++)
        flow_bind(flow, targets->items[i], meaning);
}

static bool is_skipped(const Flow *flow, const Node *node) {
    const ProgramFile *file = flow->frame->file;
    return (file->skipped != NULL && file->skipped[node->id]) ||
           (file->unreached != NULL && file->unreached[node->id]);
}

static void statement(Flow *flow, const Node *node) {
    const Node *test = node_child(node, FIELD_test), *value = node_child(node, FIELD_value);
    bool loads = node->kind == NODE_Assign && value != NULL && flow_loaded_file(flow, value) != NULL;
    if ((is_skipped(flow, node) && !loads) || !flow_step(flow, node))
        return;
    switch (node->kind) {
    case NODE_Import:
    case NODE_ImportFrom: flow_import(flow, node); break;
    case NODE_FunctionDef:
    case NODE_AsyncFunctionDef: define_function(flow, node); break;
    case NODE_ClassDef: define_class(flow, node); break;
    case NODE_Assign: assign(flow, node); break;
    case NODE_AnnAssign:
        if (value != NULL)
            flow_bind(flow, node_child(node, FIELD_target), flow_evaluate(flow, value));
        break;
    case NODE_AugAssign: augmented_assignment(flow, node); break;
    case NODE_Expr: flow_evaluate(flow, value); break;
    case NODE_Return: return_statement(flow, node); break;
    case NODE_If:
        flow_test(flow, test, flow_evaluate(flow, test));
        branch(flow, node, FIELD_body, FIELD_orelse);
        break;
    case NODE_Assert: flow_test(flow, test, flow_evaluate(flow, test)); break;
    case NODE_For:
    case NODE_AsyncFor:
        repeat(flow, for_body, node);
        flow_body(flow, node, FIELD_orelse);
        break;
    case NODE_While:
        repeat(flow, while_body, node);
        flow_body(flow, node, FIELD_orelse);
        break;
    case NODE_Break: leave(flow, &flow->frame->broken); break;
    case NODE_Continue: leave(flow, &flow->frame->continued); break;
    case NODE_Raise:
        if (node_child(node, FIELD_exc) != NULL)
            flow_evaluate(flow, node_child(node, FIELD_exc));
        flow->frame->live = false;
        break;
    case NODE_Try:
    case NODE_TryStar: try_statement(flow, node); break;
    case NODE_With:
    case NODE_AsyncWith: with_statement(flow, node); break;
    case NODE_Match: match_statement(flow, node); break;
    case NODE_Global:
    case NODE_Nonlocal: declare_outer(flow, node); break;
    default: break;
    }
}
