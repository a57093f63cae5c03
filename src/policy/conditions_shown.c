/* Tests on sizes that a run has shown: in it, sizes are numbers that remember what they are (probe/marks.py).
 * What the source says where they went is followed in conditions_follow.c; this is for what isn't followed
 * there. */
#include "conditions.h"

typedef struct Showing {
    Conditions *conditions;
    const ProgramFile *file;
    const TraceSizeTest *test;
    int what;
    bool met;
} Showing;

Shown condition_shown(const Conditions *conditions, const Node *node) {
    return conditions->shown == NULL ? SHOWN_NOTHING
                                     : (Shown)conditions->shown[conditions->file->index][node->id];
}

/* Without columns (before Python 3.11), what may be meant by the line: the likeliest that it has. */
enum { EXACT, COMPARISONS, ASKED, CALLS, PRODUCTS };
static const int BY_LIKELIHOOD[][3] = {[SIZE_NUMBER] = {PRODUCTS, CALLS, PRODUCTS},
                                       [SIZE_LOST] = {CALLS, COMPARISONS, ASKED},
                                       [SIZE_TESTED] = {COMPARISONS, ASKED, CALLS}};

static bool is_meant(const Node *node, const TraceSizeTest *test, int what) {
    if (what == EXACT)
        return node->line == test->line && node->column == test->column && node->end_line == test->end_line &&
               node->end_column == test->end_column;
    return node->line <= test->line && test->line <= node->end_line &&
           (what == COMPARISONS ? node->kind == NODE_Compare
            : what == ASKED     ? condition_is_asked(node)
            : what == PRODUCTS  ? node->kind == NODE_BinOp || node->kind == NODE_AugAssign
                                : node->kind == NODE_Call);
}

static bool show(const Node *node, void *context) {
    Showing *showing = context;
    if (!is_meant(node, showing->test, showing->what))
        return true;
    uint8_t *shown = &showing->conditions->shown[showing->file->index][node->id];
    static const Shown of_kinds[] = {
        [SIZE_NUMBER] = SHOWN_NUMBER, [SIZE_LOST] = SHOWN_LOST, [SIZE_TESTED] = SHOWN_TEST};
    const uint8_t new = of_kinds[showing->test->kind];
    *shown = *shown < new ? new : *shown;
    showing->met = true;
    return true;
}

void conditions_show(Conditions *conditions, const Program *program, const Trace *trace,
                     ShownPlaces *elsewhere) {
    if (trace->size_test_count == 0)
        return;
    conditions->matters = ARENA_NEW(conditions->arena, bool);
    conditions->shown = ARENA_ARRAY(conditions->arena, uint8_t *, program->count);
    for (size_t i = 0; i < program->count; i++)
        conditions->shown[i] =
            ARENA_ARRAY(conditions->arena, uint8_t, program->items[i]->tree.node_count + 1);
    for (size_t i = 0; i < trace->size_test_count; i++) {
        const TraceSizeTest *test = &trace->size_tests[i];
        if ((size_t)test->file >= program->count)
            continue;
        Showing showing = {conditions, program->items[test->file], test, EXACT, false};
        for (size_t what = 0; !showing.met && what < (test->end_line > 0 ? 1 : 3); what++) {
            showing.what = test->end_line > 0 ? EXACT : BY_LIKELIHOOD[test->kind][what];
            node_walk(showing.file->tree.module, show, &showing);
        }
        if (!showing.met && test->kind == SIZE_TESTED)
            *(Place *)ARENA_PUSH(conditions->arena, elsewhere) =
                (Place){.file = showing.file->source.name, .line = test->line};
    }
}
