/* What forward does with its arguments (soundness 7): one that only the original reads gives another answer
 * for other callers, though the sample's calls agree. */
#include "conditions.h"
#include "operator_rules.h"

#include <string.h>

typedef struct Reading {
    const Names *names;
    const ProgramFile *file;
    const Scope *forward;
    const char *name;
    bool found;
} Reading;

static bool look_for(const Node *node, void *context);

/* `_ = n`, where nothing reads _. */
static bool is_put_away(const Reading *reading, const Node *node) {
    const Node *parent = node->parent;
    const Field *targets = node_list(parent, FIELD_targets);
    const Node *target = parent->kind == NODE_Assign && targets->count == 1 ? targets->items[0] : NULL;
    if (parent->kind == NODE_Expr)
        return true;
    if (target == NULL || target->kind != NODE_Name || text_equal(node_text(target, FIELD_id), reading->name))
        return false;
    Reading other = *reading;
    other.name = node_text(target, FIELD_id);
    other.found = false;
    const Field *body = node_list(reading->forward->node, FIELD_body);
    for (size_t i = 0; i < body->count; i++)
        if (body->items[i] != NULL)
            node_walk(body->items[i], look_for, &other);
    return !other.found;
}

static bool look_for(const Node *node, void *context) {
    Reading *reading = context;
    if (reading->found || node->kind != NODE_Name || language_access(node) != ACCESS_LOAD ||
        !text_equal(node_text(node, FIELD_id), reading->name))
        return !reading->found;
    const Variable *variable =
        names_variable(names_scope_at(reading->names, reading->file, node), reading->name);
    reading->found = variable != NULL && variable->scope == reading->forward && node->parent != NULL &&
                     !is_put_away(reading, node);
    return true;
}

/* In the original, what is asked only to raise may be left out. */
static bool look_for_use(const Node *node, void *context) {
    Reading *reading = context;
    const Field *others = node_list(node, FIELD_orelse);
    if (node->kind == NODE_Assert || node->kind == NODE_Raise)
        return false;
    if (node->kind == NODE_If && others->count == 0 && condition_only_raises(node_list(node, FIELD_body)))
        return false;
    return look_for(node, reading);
}

static const Node *find_in(const Field *body, NodeKind kind, const char *name) {
    const Node *found = NULL;
    for (size_t i = 0; i < body->count; i++)
        if (body->items[i] != NULL && body->items[i]->kind == kind &&
            text_equal(node_text(body->items[i], FIELD_name), name))
            found = body->items[i];
    return found;
}

static const Node *find_forward(const Program *program, const char *first, const char *second) {
    const Field *body = node_list(program->items[0]->tree.module, FIELD_body);
    const Node *class = find_in(body, NODE_ClassDef, first);
    if (class == NULL)
        class = find_in(body, NODE_ClassDef, second);
    return class == NULL ? NULL : find_in(node_list(class, FIELD_body), NODE_FunctionDef, "forward");
}

const Node *arguments_forward(const Program *program, bool original) {
    return original ? find_forward(program, "Model", "RefactoredModel")
                    : find_forward(program, "RefactoredModel", "Model");
}

static bool is_constant_index(const Node *node) {
    return node != NULL &&
           (node->kind == NODE_Constant ||
            (node->kind == NODE_UnaryOp && is_constant_index(node_child(node, FIELD_operand))));
}

static bool is_unpacked(const Node *assign) {
    const Field *targets = node_list(assign, FIELD_targets);
    const Node *target = targets->count == 1 ? targets->items[0] : NULL;
    if (target == NULL || (target->kind != NODE_Tuple && target->kind != NODE_List))
        return false;
    const Field *names = node_list(target, FIELD_elts);
    for (size_t i = 0; i < names->count; i++)
        if (names->items[i] == NULL || names->items[i]->kind == NODE_Starred)
            return false;
    return true;
}

/* `batch["x"]`, `pair[0]`, `batch.x`, `a, b = pair`: these take what they name, and no more. */
static bool takes_what_it_names(const Node *node) {
    const Node *parent = node->parent, *above = parent->parent;
    switch (parent->kind) {
    case NODE_Subscript:
        return node_child(parent, FIELD_value) == node && is_constant_index(node_child(parent, FIELD_slice));
    case NODE_Attribute:
        return above == NULL || above->kind != NODE_Call || node_child(above, FIELD_func) != parent;
    case NODE_Assign: return is_unpacked(parent);
    default: return false;
    }
}

static bool look_for_whole(const Node *node, void *context) {
    Reading *reading = context;
    Reading one = *reading;
    one.found = false;
    if (node->kind == NODE_Name)
        look_for(node, &one);
    reading->found |= one.found && !takes_what_it_names(node);
    return !reading->found;
}

static bool stands_in(const Node *forward, NodeVisitor *visit, Reading reading) {
    const Field *body = node_list(forward, FIELD_body);
    for (size_t s = 0; s < body->count && !reading.found; s++)
        if (body->items[s] != NULL)
            node_walk(body->items[s], visit, &reading);
    return reading.found;
}

static void add_argument(Arena *arena, Reading reading, const Node *parameter, NodeVisitor *visit,
                         bool positional, ArgumentRest rest, ForwardArguments *arguments) {
    const Node *forward = reading.forward->node;
    reading.name = node_text(parameter, FIELD_arg);
    *(ForwardArgument *)ARENA_PUSH(arena, arguments) =
        (ForwardArgument){.name = reading.name,
                          .node = parameter,
                          .positional = positional,
                          .read = stands_in(forward, visit, reading),
                          .whole = stands_in(forward, look_for_whole, reading),
                          .rest = rest};
}

static void add_arguments(Arena *arena, const Names *names, const ProgramFile *file, const Node *forward,
                          NodeVisitor *visit, ForwardArguments *arguments) {
    static const FieldName lists[] = {FIELD_posonlyargs, FIELD_args, FIELD_kwonlyargs};
    static const FieldName rests[] = {FIELD_vararg, FIELD_kwarg};
    const Node *parameters = node_child(forward, FIELD_args);
    const Reading reading = {.names = names, .file = file, .forward = names_scope_made(names, file, forward)};
    bool self = true;
    for (size_t l = 0; parameters != NULL && l < COUNT_OF(lists); l++) {
        const Field *list = node_list(parameters, lists[l]);
        for (size_t i = 0; i < list->count; i++) {
            if (!self && list->items[i] != NULL)
                add_argument(arena, reading, list->items[i], visit, lists[l] != FIELD_kwonlyargs, REST_NONE,
                             arguments);
            self = false;
        }
    }
    for (size_t r = 0; parameters != NULL && r < COUNT_OF(rests); r++)
        if (node_child(parameters, rests[r]) != NULL)
            add_argument(arena, reading, node_child(parameters, rests[r]), visit, false,
                         r == 0 ? REST_POSITIONAL : REST_KEYWORD, arguments);
}

ForwardArguments policy_arguments_of_original(Arena *arena, const Program *original) {
    ForwardArguments arguments = {0};
    const Node *forward = arguments_forward(original, true);
    if (forward != NULL)
        add_arguments(arena, names_new(arena, original), original->items[0], forward, look_for_use,
                      &arguments);
    return arguments;
}

static const ForwardArgument *find_like(const ForwardArguments *ours, const ForwardArgument *theirs,
                                        size_t position) {
    for (size_t i = 0; i < ours->count; i++)
        if (text_equal(ours->items[i].name, theirs->name))
            return &ours->items[i];
    return theirs->positional && position < ours->count && ours->items[position].positional
               ? &ours->items[position]
               : NULL;
}

Texts arguments_like(Arena *arena, const Program *candidate, const Program *original, const Texts *names) {
    const Node *forward = arguments_forward(candidate, false);
    const ForwardArguments theirs = policy_arguments_of_original(arena, original);
    ForwardArguments ours = {0};
    Texts like = {0};
    if (forward != NULL)
        add_arguments(arena, names_new(arena, candidate), candidate->items[0], forward, look_for, &ours);
    for (size_t i = 0; i < theirs.count; i++)
        for (size_t j = 0; j < names->count; j++) {
            const ForwardArgument *found = text_equal(theirs.items[i].name, names->items[j])
                                               ? find_like(&ours, &theirs.items[i], i)
                                               : NULL;
            if (found != NULL)
                *(const char **)ARENA_PUSH(arena, &like) = found->name;
        }
    return like;
}

void policy_judge_arguments(const Program *candidate, const Program *original, Findings *findings) {
    Arena *arena = arena_new();
    const ProgramFile *file = candidate->items[0];
    const Node *forward = arguments_forward(candidate, false);
    const ForwardArguments theirs = policy_arguments_of_original(arena, original);
    ForwardArguments ours = {0};
    if (forward != NULL && theirs.count > 0)
        add_arguments(arena, names_new(arena, candidate), file, forward, look_for, &ours);
    for (size_t i = 0; i < theirs.count; i++) {
        const bool asked = theirs.items[i].read && theirs.items[i].rest == REST_NONE;
        const ForwardArgument *like = asked ? find_like(&ours, &theirs.items[i], i) : NULL;
        if (like != NULL && !like->read)
            findings_add(findings, &RULE_STEP_ARGUMENT_UNREAD, SEVERITY_VIOLATION,
                         node_place(&file->tree, like->node),
                         "forward's argument %s is read in the original, and never here",
                         text_printable(arena, like->name, strlen(like->name)));
    }
    arena_free(arena);
}
