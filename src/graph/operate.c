/* What an operator's event does: the values of its results, and what it writes. */
#include "builder.h"

#include <stdio.h>
#include <string.h>

static Layout *layout_of(const Builder *builder, uint32_t tensor) {
    return builder->recording.tensors[tensor].layout;
}

/* ---- Values of results -------------------------------------------------------------------- */

static TermId initial_value(Builder *builder, const Layout *layout) {
    Text *text = builder_text(builder);
    text_printf(text, "initial %llu -> ", (unsigned long long)builder->initials++);
    text_add_shape(text, layout->dtype, layout->shape, layout->rank);
    Term draft = builder_draft(builder, TERM_INITIAL, layout);
    return store_term(&builder->store, &draft, NULL, false);
}

static TermId cast(Builder *builder, TermId value, const Layout *like);

/* The elements that a view picks are the same whether they are cast before or after: here, before. NO_TERM
 * where the view is not simply of a value: what is cast then is what the view has, not the memory around it.
 */
static TermId cast_below_view(Builder *builder, TermId value, const Layout *like) {
    Store *store = &builder->store;
    const Term view = *store_at(store, value);
    const TermInfo *info = &store->infos[value.number];
    if (view.kind != TERM_VIEW || info->raw)
        return NO_TERM;
    const TermKind under = store_at(store, view.operands[0])->kind;
    if (under != TERM_OPERATOR && under != TERM_STATE && under != TERM_INPUT)
        return NO_TERM;
    const IndexMap map = info->map;
    const TermId base = cast(builder, view.operands[0], like);
    const size_t before = store->count;
    const TermId result = store_view(store, base, &map, view.shape, view.rank);
    if (result.number >= before) {
        Term *made = store_at(store, result);
        made->item = view.item;
        made->operator= view.operator;
        made->args = view.args;
        made->arg_count = view.arg_count;
        made->arg_names = view.arg_names;
        made->arg_defaults = view.arg_defaults;
    }
    return result;
}

static TermId cast(Builder *builder, TermId value, const Layout *like) {
    const Term *term = store_at(&builder->store, value);
    if (text_equal(term->dtype, like->dtype))
        return value;
    const TermId below = cast_below_view(builder, value, like);
    if (below.number != NO_TERM.number)
        return below;
    Text *text = builder_text(builder);
    text_add(text, "aten::_to_copy(%) -> ");
    text_add_shape(text, like->dtype, term->shape, term->rank);
    Term draft = {.kind = TERM_OPERATOR,
                  .label = text->data,
                  .operands = &value,
                  .operand_count = 1,
                  .known = term->known,
                  .kept = term->kept,
                  .operator= "aten::_to_copy",
                  .dtype = like->dtype,
                  .shape = term->shape,
                  .rank = term->rank,
                  .state = SIZE_MAX};
    return store_term(&builder->store, &draft, NULL, false);
}

/* As copy_ does: cast, then the value's dimensions matched from the last. */
static TermId cast_and_expand(Builder *builder, TermId value, const Layout *like) {
    value = cast(builder, value, like);
    const Term *term = store_at(&builder->store, value);
    if (term->rank > like->rank)
        return store_unknown(&builder->store, like->dtype, like->shape, like->rank);
    MAP_ON_STACK(map);
    map.count = like->rank;
    int64_t stride = 1;
    size_t lead = like->rank - term->rank;
    for (size_t i = like->rank; i-- > 0;) {
        int64_t size = i < lead ? 1 : term->shape[i - lead];
        if (size != 1 && size != like->shape[i])
            return store_unknown(&builder->store, like->dtype, like->shape, like->rank);
        map.modes[i] = (Mode){like->shape[i], size == 1 ? 0 : stride};
        stride *= size;
    }
    map_normalise(&map);
    return store_view(&builder->store, value, &map, like->shape, like->rank);
}

static bool is_commutative(const Operation *operation) {
    const Schema *schema = operation->schema;
    if (!schema->commutative || schema->arg_count < 2 || operation->args[0].kind != VALUE_TENSOR ||
        operation->args[1].kind != VALUE_TENSOR)
        return false;
    for (size_t i = 2; i < schema->arg_count; i++)
        if (strcmp(schema->arg_names[i], "alpha") == 0) {
            const Value *alpha = &operation->args[i];
            return (alpha->kind == VALUE_INT && alpha->integer == 1) ||
                   (alpha->kind == VALUE_FLOAT && alpha->real == 1);
        }
    return true;
}

static void name_operator(Term *term, const Operation *operation) {
    term->operator= operation->schema->operator;
    term->args = operation->args;
    term->arg_count = operation->schema->arg_count;
    term->arg_names = operation->schema->arg_names;
    term->arg_defaults = operation->arg_defaults;
}

/* `value`, which looks at `source`, was made by the operation if the store had `before` terms until then. */
static void name_view(Builder *builder, size_t before, TermId value, TermId source,
                      const Operation *operation, size_t item) {
    Term *term = store_at(&builder->store, value);
    if (value.number < before || term->kind != TERM_VIEW || source.number >= value.number)
        return;
    term->via = source;
    term->item = item;
    name_operator(term, operation);
}

static TermId plain_value(Builder *builder, const Operation *operation, const char *part,
                          const Layout *layout) {
    const Schema *schema = operation->schema;
    bool draw = operation_is_draw(operation);
    if (draw && !builder->in_forward)
        return initial_value(builder, layout);
    char serial[64];
    snprintf(serial, sizeof serial, "draw %llu of call %u", (unsigned long long)builder->draws,
             builder->forwards);
    Text *text = builder_text(builder);
    operation_label(operation, &builder->recording, part, draw ? serial : NULL, layout, text);
    Term draft = builder_draft(builder, TERM_OPERATOR, layout);
    draft.operands = builder->operands.items;
    draft.operand_count = (uint32_t)builder->operands.count;
    name_operator(&draft, operation);
    draft.commutative = is_commutative(operation);
    draft.known = draft.kept = !draw && !schema->opaque;
    for (size_t i = 0; i < builder->operands.count; i++) {
        const Term *operand = store_at(&builder->store, builder->operands.items[i]);
        draft.known = draft.known && operand->known;
        draft.kept = draft.kept && (operand->known || operand->kept);
    }
    draft.kept = draft.kept && !draft.known;
    return store_term(&builder->store, &draft, NULL, false);
}

static TermId filled_value(Builder *builder, const Operation *operation, const Layout *layout, bool *done) {
    const Schema *schema = operation->schema;
    Value value = {.kind = VALUE_INT, .integer = schema->class == OPERATOR_ONE};
    if (schema->class == OPERATOR_FILL)
        value = operation->args[schema->source];
    *done = fill_label(&value, layout, builder_text(builder));
    if (!*done)
        return NO_TERM;
    Term draft = builder_draft(builder, TERM_OPERATOR, layout);
    draft.known = true;
    name_operator(&draft, operation);
    draft.operator= "plumbline::full";
    return store_term(&builder->store, &draft, NULL, false);
}

/* What the result with this layout is. `part` tells it from other results of the operation. */
static TermId value_of(Builder *builder, const Operation *operation, const char *part, const Layout *layout) {
    const Schema *schema = operation->schema;
    const Value *source = schema->arg_count > 0 ? &operation->args[schema->source] : NULL;
    if (*part != '\0')
        return plain_value(builder, operation, part, layout);
    if (schema->class == OPERATOR_EMPTY)
        return initial_value(builder, layout);
    if (schema->class == OPERATOR_ZERO || schema->class == OPERATOR_ONE || schema->class == OPERATOR_FILL) {
        bool done;
        TermId filled = filled_value(builder, operation, layout, &done);
        if (done)
            return filled;
    }
    const bool same = operation_factor(operation, layout) == 1;
    if (source == NULL || source->kind != VALUE_TENSOR || (schema->class == OPERATOR_PLAIN && !same))
        return plain_value(builder, operation, part, layout);
    const Layout *given = layout_of(builder, source->tensor.number);
    bool same_dtype = text_equal(given->dtype, layout->dtype);
    TermId term = memory_read(&builder->memory, source->tensor.number);
    switch (same ? OPERATOR_SAME : schema->class) {
    case OPERATOR_SAME:
        if (same_dtype && layout_same_shape(given, layout))
            return term;
        break;
    case OPERATOR_RESHAPE:
        if (same_dtype && given->count == layout->count) {
            size_t before = builder->store.count;
            TermId value = store_reshape(&builder->store, term, layout->shape, layout->rank);
            name_view(builder, before, value, term, operation, SIZE_MAX);
            return value;
        }
        break;
    case OPERATOR_CAST:
        if (layout_same_shape(given, layout))
            return cast(builder, term, layout);
        break;
    case OPERATOR_COPY:
    case OPERATOR_FILL: return cast_and_expand(builder, term, layout);
    default: break;
    }
    return plain_value(builder, operation, part, layout);
}

/* ---- Operators ---------------------------------------------------------------------------- */

static const Value *first_tensor(const Value *value) {
    if (value->kind == VALUE_TENSOR)
        return value;
    for (size_t i = 0; value_is_container(value) && i < value->list.count; i++)
        if (value->list.items[i].kind == VALUE_TENSOR)
            return &value->list.items[i];
    return NULL;
}

/* The tensor whose memory the result shares by the schema's marks; false: none. */
static bool aliased(const Operation *operation, const Result *result, uint32_t *tensor) {
    const Schema *schema = operation->schema;
    size_t arg = SIZE_MAX;
    for (size_t i = 0; i < schema->view_count && arg == SIZE_MAX; i++)
        if (schema->views[i][0] == result->index || schema->list_views)
            arg = schema->views[i][1];
    if (arg == SIZE_MAX && (schema->list_views || text_starts(schema->bare, "unsafe_")) &&
        schema->class == OPERATOR_VIEW && schema->arg_count > 0)
        arg = 0;
    const Value *value = arg == SIZE_MAX ? NULL : first_tensor(&operation->args[arg]);
    if (value == NULL)
        return false;
    *tensor = value->tensor.number;
    return true;
}

static bool mentions(const Value *value, uint32_t tensor) {
    if (value->kind == VALUE_TENSOR)
        return value->tensor.number == tensor;
    for (size_t i = 0; value_is_container(value) && i < value->list.count; i++)
        if (mentions(&value->list.items[i], tensor))
            return true;
    return false;
}

/* The arguments that the result is one of: whether there is one, and whether it is written. */
static bool is_argument(const Operation *operation, uint32_t tensor, bool *written) {
    bool found = false;
    *written = false;
    for (size_t i = 0; i < operation->schema->arg_count; i++)
        if (mentions(&operation->args[i], tensor)) {
            found = true;
            *written = *written || operation->schema->written[i];
        }
    return found;
}

/* A reshaping operator (`t_`, `set_`) gives its tensor another look at memory. */
static void reshape_in_place(Builder *builder, const Operation *operation) {
    const Schema *schema = operation->schema;
    size_t source = strcmp(schema->bare, "set") == 0 || strcmp(schema->bare, "set_") == 0 ? 1 : 0;
    const Value *value = source < schema->arg_count ? first_tensor(&operation->args[source]) : NULL;
    for (size_t i = 0; i < operation->result_count; i++) {
        Tensor *tensor = &builder->recording.tensors[operation->results[i].tensor];
        tensor->storage = NO_STORAGE; /* of unknown value, where it isn't told below */
        if (value == NULL)
            continue;
        if (!memory_has(&builder->memory, value->tensor.number))
            memory_read(&builder->memory, value->tensor.number);
        tensor->storage = builder->recording.tensors[value->tensor.number].storage;
    }
}

static void name_part(const Operation *operation, const Result *result, char part[64]) {
    part[0] = '\0';
    if (result->item != SIZE_MAX)
        snprintf(part, 64, ".%zu[%zu]", result->index, result->item);
    else if (operation->given_count > 1)
        snprintf(part, 64, ".%zu", result->index);
}

static void give_result(Builder *builder, const Operation *operation, const Result *result) {
    const Schema *schema = operation->schema;
    Tensor *tensors = builder->recording.tensors, *tensor = &tensors[result->tensor];
    uint32_t source;
    bool shares = aliased(operation, result, &source), written;
    char part[64];
    name_part(operation, result, part);
    if (shares && schema->class == OPERATOR_VIEW &&
        text_equal(layout_of(builder, source)->dtype, tensor->layout->dtype)) {
        tensor->storage = tensors[source].storage;
        TermId viewed = memory_read(&builder->memory, source);
        size_t before = builder->store.count;
        name_view(builder, before, memory_read(&builder->memory, result->tensor), viewed, operation,
                  result->item);
        return;
    }
    if (is_argument(operation, result->tensor, &written)) {
        if (!written && schema->class != OPERATOR_SAME && schema->class != OPERATOR_RESHAPE &&
            schema->class != OPERATOR_CAST && schema->class != OPERATOR_VIEW)
            memory_write(&builder->memory, result->tensor,
                         value_of(builder, operation, part, tensor->layout));
        return; /* what is written comes later */
    }
    TermId value = value_of(builder, operation, part, tensor->layout);
    if (tensor->storage != NO_STORAGE) {
        memory_write(&builder->memory, result->tensor, value);
        return;
    }
    tensor->storage =
        memory_storage(&builder->memory, shares ? memory_group(&builder->memory, source) : NO_STORAGE);
    memory_place(&builder->memory, result->tensor, value);
}

/* What is written, and the value that it gets. */
typedef struct Written {
    uint32_t tensor;
    TermId value;
} Written;
typedef struct WrittenList {
    Written *items;
    size_t count, capacity;
} WrittenList;

typedef struct Overlap {
    Builder *builder;
    uint32_t written;
    bool found;
} Overlap;

static void look_for_overlap(uint32_t tensor, void *context) {
    Overlap *overlap = context;
    overlap->found = overlap->found || memory_overlap(&overlap->builder->memory, overlap->written, tensor);
}

/* The value that the argument gets; of `y[1:] = y[:-1]` torch doesn't say which, where it doesn't refuse it.
 */
static TermId written_value(Builder *builder, const Operation *operation, const char *part, uint32_t tensor) {
    const Layout *layout = layout_of(builder, tensor);
    Overlap overlap = {.builder = builder, .written = tensor};
    operation_operands(operation, look_for_overlap, &overlap);
    return overlap.found ? store_unknown(&builder->store, layout->dtype, layout->shape, layout->rank)
                         : value_of(builder, operation, part, layout);
}

static void add_written(Builder *builder, const Operation *operation, const Value *value, size_t *extra,
                        WrittenList *list) {
    for (size_t i = 0; value_is_container(value) && i < value->list.count; i++)
        add_written(builder, operation, &value->list.items[i], extra, list);
    if (value->kind != VALUE_TENSOR)
        return;
    uint32_t tensor = value->tensor.number;
    char part[64];
    const Result *result = NULL;
    for (size_t i = 0; i < operation->result_count && result == NULL; i++)
        if (operation->results[i].tensor == tensor)
            result = &operation->results[i];
    if (result != NULL)
        name_part(operation, result, part);
    else if (operation->result_count == 0 && operation->schema->class != OPERATOR_PLAIN)
        part[0] = '\0';
    else
        snprintf(part, sizeof part, ".%zu", operation->given_count + (*extra)++);
    Written *written = ARENA_PUSH(builder->store.scratch, list);
    *written = (Written){tensor, written_value(builder, operation, part, tensor)};
}

/* All values are made before any is written: they are of what memory held. */
static void write_arguments(Builder *builder, const Operation *operation) {
    WrittenList list = {0};
    size_t extra = 0;
    for (size_t i = 0; i < operation->schema->arg_count; i++)
        if (operation_writes(operation, i))
            add_written(builder, operation, &operation->args[i], &extra, &list);
    for (size_t i = 0; i < list.count; i++)
        memory_write(&builder->memory, list.items[i].tensor, list.items[i].value);
}

static void add_operand(uint32_t tensor, void *context) {
    Builder *builder = context;
    *(TermId *)ARENA_PUSH(builder->store.scratch, &builder->operands) = memory_read(&builder->memory, tensor);
}

/* inverse[order] = values, or inverse.scatter_(0, order, values), with the order that a sort gave: a
 * permutation, which writes every element of fresh memory. */
static void let_go_of_overwritten(Builder *builder, const Operation *operation) {
    const Schema *schema = operation->schema;
    TermId *operands = builder->operands.items;
    const bool put = strcmp(schema->bare, "index_put") == 0 && schema->arg_count >= 4 &&
                     operation->args[3].kind == VALUE_BOOL && operation->args[3].integer == 0;
    if (builder->operands.count != 3 || (!put && strcmp(schema->canonical, "aten::scatter.src") != 0))
        return;
    const Term *target = store_at(&builder->store, operands[0]),
               *order = store_at(&builder->store, operands[1]);
    bool permutation = order->kind == TERM_OPERATOR && strstr(order->label, ").1 -> ") != NULL &&
                       text_starts(order->label, "aten::sort(");
    permutation |= order->kind == TERM_OPERATOR && text_starts(order->label, "aten::argsort(");
    if (target->kind == TERM_INITIAL && permutation && target->rank == 1 && order->rank == 1 &&
        target->shape[0] == order->shape[0])
        operands[0] = store_nothing(&builder->store, target->dtype, target->shape, target->rank);
}

/* What is drawn and thrown away moves the generator on too. */
static void note_draw(Builder *builder, const Operation *operation) {
    static const Layout none = {.dtype = ""};
    Graph *graph = builder->graph;
    Text *text = builder_text(builder);
    operation_label(operation, &builder->recording, "", NULL,
                    operation->result_count > 0 ? layout_of(builder, operation->results[0].tensor) : &none,
                    text);
    const char **draw = arena_push(builder->arena, (void *)&graph->draws, &graph->draw_count,
                                   &builder->draw_capacity, sizeof *draw);
    *draw = label_intern(builder->store.labels, text->data);
    builder->draws++;
}

Status builder_operation(Builder *builder, const json_t *event) {
    Operation operation;
    if (recording_operation(&builder->recording, event, builder->number, &operation) != STATUS_OK)
        return STATUS_ERROR;
    const Schema *schema = operation.schema;
    builder->store.call = operation.call;
    builder->store.grad = operation.grad;
    builder->graph->event_count += builder->in_forward;
    if (schema->opaque)
        builder_opaque(builder, schema->name);
    if (schema->reshapes) {
        reshape_in_place(builder, &operation);
        return STATUS_OK;
    }
    builder->operands.count = 0;
    operation_operands(&operation, add_operand, builder);
    let_go_of_overwritten(builder, &operation);
    if (builder->in_forward && strcmp(schema->bare, "detach") == 0 && builder->operands.count > 0)
        store_at(&builder->store, builder->operands.items[0])->detached = true;
    for (size_t i = 0; i < operation.result_count; i++) {
        uint32_t source;
        if (aliased(&operation, &operation.results[i], &source))
            memory_read(&builder->memory, source);
    }
    if (schema->writes_any)
        write_arguments(builder, &operation);
    for (size_t i = 0; i < operation.result_count; i++)
        give_result(builder, &operation, &operation.results[i]);
    if (operation_is_draw(&operation) && builder->in_forward)
        note_draw(builder, &operation);
    return STATUS_OK;
}
