/* Control: no handlers where forward reaches, nothing asynchronous, no generator that outlives its maker. */
#include "language.h"

static bool is_context_manager(const Language *language, const Node *node) {
    while (node != NULL && node->kind != NODE_FunctionDef && node->kind != NODE_Lambda)
        node = node->parent;
    const Field *decorators = node == NULL ? NULL : node_field(node, FIELD_decorator_list);
    for (size_t i = 0; decorators != NULL && i < decorators->count; i++) {
        Things things = language_things(language, decorators->items[i]);
        if (things.count == 1 && things_find(&things, THING_LIBRARY, "contextlib.contextmanager") != NULL)
            return true;
    }
    return false;
}

static bool is_async(const Node *node) {
    const Field *mark = node->kind == NODE_comprehension ? node_field(node, FIELD_is_async) : NULL;
    return node->kind == NODE_AsyncFunctionDef || node->kind == NODE_AsyncFor ||
           node->kind == NODE_AsyncWith || node->kind == NODE_Await || (mark != NULL && mark->number != 0);
}

void check_control(const Language *language, const Node *node) {
    if ((node->kind == NODE_Try || node->kind == NODE_TryStar) && language_reaches(language, node))
        language_find(language, &RULE_PY_TRY, node, "a try statement stands where forward reaches");
    if (is_async(node))
        language_find(language, &RULE_PY_ASYNC, node->line > 0 ? node : node->parent, "this is asynchronous");
    if ((node->kind == NODE_Yield || node->kind == NODE_YieldFrom) && !is_context_manager(language, node))
        language_find(language, &RULE_PY_GENERATOR, node, "this function is a generator");
}
