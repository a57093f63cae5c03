/* What was built where in the recomposed model, and what reached it there. */
#include "composing.h"

#include <stdlib.h>
#include <string.h>

Constructions read_constructions(const Composing *composing) {
    Constructions list = {0};
    for (size_t i = 0; i < json_array_size(composing->constructions); i++) {
        const json_t *json = json_array_get(composing->constructions, i),
                     *file = json_object_get(json, "file"), *module = json_object_get(json, "module");
        const ComposedFile *composed =
            json_is_integer(file) && json_integer_value(file) > 0
                ? recomposition_file(&composing->recomposition, (size_t)json_integer_value(file))
                : NULL;
        if (composed == NULL || !json_is_string(module))
            continue;
        *(Construction *)ARENA_PUSH(composing->arena, &list) = (Construction){
            .module = text_printable(composing->arena, json_string_value(module), json_string_length(module)),
            .composed = composed,
            .init = json_object_get(json, "init"),
            .own_init = json_object_get(json, "own_init"),
            .again = json_is_string(json_object_get(json, "same_as"))};
    }
    return list;
}

size_t forward_argument_names(Arena *arena, const Tree *tree, const char ***names, const char **rest) {
    const Field *body = node_list(tree->module, FIELD_body);
    const Node *forward = NULL;
    *rest = "args";
    *names = NULL;
    for (size_t i = 0; i < body->count; i++) {
        const Node *class = body->items[i];
        if (class == NULL || class->kind != NODE_ClassDef ||
            (!text_equal(node_text(class, FIELD_name), "Model") &&
             !text_equal(node_text(class, FIELD_name), "RefactoredModel")))
            continue;
        const Field *inside = node_list(class, FIELD_body);
        for (size_t j = 0; j < inside->count; j++)
            if (inside->items[j] != NULL && inside->items[j]->kind == NODE_FunctionDef &&
                text_equal(node_text(inside->items[j], FIELD_name), "forward"))
                forward = inside->items[j];
    }
    const Node *arguments = forward == NULL ? NULL : node_child(forward, FIELD_args);
    if (arguments == NULL)
        return 0;
    const Node *var = node_child(arguments, FIELD_vararg);
    if (var != NULL && node_text(var, FIELD_arg) != NULL)
        *rest = node_text(var, FIELD_arg);
    const Field *lists[] = {node_list(arguments, FIELD_posonlyargs), node_list(arguments, FIELD_args)};
    *names = ARENA_ARRAY(arena, const char *, lists[0]->count + lists[1]->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            (*names)[count++] = node_text(lists[i]->items[j], FIELD_arg);
    for (size_t i = 1; i < count; i++)
        (*names)[i - 1] = (*names)[i];
    return count == 0 ? 0 : count - 1;
}

typedef struct FactWalk {
    Arena *arena;
    const Trace *trace;
    TensorFacts *facts;
} FactWalk;

static void add_fact(const char *path, const Value *value, void *context) {
    FactWalk *walk = context;
    const TraceTensor *tensor = &walk->trace->tensors[value->tensor.number];
    *(TensorFact *)ARENA_PUSH(walk->arena, walk->facts) =
        (TensorFact){arena_strdup(walk->arena, path), tensor->dtype, tensor->shape, tensor->rank};
}

static TensorFacts inputs_of_call(Arena *arena, const Trace *trace, const TraceModuleCall *call,
                                  const ProgramFile *file) {
    const char **names, *rest;
    const size_t count = forward_argument_names(arena, &file->tree, &names, &rest);
    TensorFacts facts = {0};
    FactWalk inputs = {arena, trace, &facts};
    for (size_t i = 0; value_is_container(&call->args) && i < call->args.list.count; i++) {
        const char *name =
            i < count && names[i] != NULL ? names[i] : arena_printf(arena, "%s[%zu]", rest, i - count);
        value_walk_tensors(arena, &call->args.list.items[i], name, add_fact, &inputs);
    }
    for (size_t i = 0; call->kwargs.kind == VALUE_DICT && i + 1 < call->kwargs.list.count; i += 2) {
        const Value *key = &call->kwargs.list.items[i];
        if (key->kind == VALUE_STR)
            value_walk_tensors(arena, &call->kwargs.list.items[i + 1], key->text.data, add_fact, &inputs);
    }
    return facts;
}

static bool same_facts(const TensorFacts *a, const TensorFacts *b) {
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        const TensorFact *one = &a->items[i], *other = &b->items[i];
        same = text_equal(one->name, other->name) && text_equal(one->dtype, other->dtype) &&
               one->rank == other->rank &&
               (one->rank == 0 || memcmp(one->shape, other->shape, one->rank * sizeof *one->shape) == 0);
    }
    return same;
}

typedef struct ModuleCalls { /* of one module, rising */
    size_t *items;
    size_t count, capacity;
} ModuleCalls;

static void take_calls(const Composing *composing, const Trace *trace, const ModuleCalls *calls,
                       Placement *placement, const ProgramFile *file) {
    Arena *arena = composing->arena;
    const TraceModuleCall *first = &trace->module_calls[calls->items[0]];
    FactWalk outputs = {arena, trace, &placement->outputs};
    placement->module_call = calls->items[0];
    placement->inputs = inputs_of_call(arena, trace, first, file);
    value_walk_tensors(arena, &first->output, "output", add_fact, &outputs);
    placement->other_inputs = ARENA_ARRAY(arena, TensorFacts, calls->count);
    for (size_t i = 1; i < calls->count; i++) {
        const TensorFacts facts = inputs_of_call(arena, trace, &trace->module_calls[calls->items[i]], file);
        bool known = same_facts(&facts, &placement->inputs);
        for (size_t j = 0; j < placement->other_count && !known; j++)
            known = same_facts(&facts, &placement->other_inputs[j]);
        if (!known)
            placement->other_inputs[placement->other_count++] = facts;
    }
}

static int by_module(const void *left, const void *right) {
    return strcmp(((const Placement *)left)->module, ((const Placement *)right)->module);
}

/* Tensors among them are all number 0 and compare equal. */
static Value read_init(Arena *arena, const json_t *json) {
    Value value;
    Error error;
    return json != NULL && value_decode(arena, json, 1, "constructions", &value, &error) == STATUS_OK
               ? value
               : (Value){.kind = VALUE_NONE};
}

/* An own Model of a component that a step refactors, built by a function of its file. */
static void report_bypassed(Composing *composing, const Trace *trace) {
    for (size_t i = 0; i < trace->module_count; i++) {
        const TraceModule *module = &trace->modules[i];
        const ComposedFile *composed =
            module->file > 0 ? recomposition_file(&composing->recomposition, (size_t)module->file) : NULL;
        if (composed == NULL || composed->step == NO_INDEX || composed->file != (size_t)module->file ||
            text_starts(module->path, "?"))
            continue;
        const Component *component = &composing->project->components[composed->component];
        composing_add(composing, "composition.bypassed", SEVERITY_VIOLATION, component->source.name,
                      arena_printf(composing->arena,
                                   "%s in the recomposed model is its own %s, not what %s makes of it",
                                   module->path, module->class,
                                   composing->project->steps[composed->step].name));
    }
}

void place_components(Composing *composing, const Trace *trace) {
    CompositionResult *result = composing->result;
    Arena *arena = composing->arena;
    const Constructions built = read_constructions(composing);
    Table *calls = table_new(arena);
    for (size_t i = 0; trace != NULL && i < trace->module_call_count; i++) {
        const char *path = trace->modules[trace->module_calls[i].module].path;
        ModuleCalls *list = table_get(calls, path);
        if (list == NULL) {
            list = ARENA_NEW(arena, ModuleCalls);
            table_put(calls, path, list);
        }
        *(size_t *)ARENA_PUSH(arena, list) = i;
    }
    result->placements = ARENA_ARRAY(arena, Placement, built.count + 1);
    for (size_t i = 0; i < built.count; i++) {
        const Construction *construction = &built.items[i];
        if (construction->again)
            continue;
        Placement *placement = &result->placements[result->placement_count++];
        *placement = (Placement){.component = construction->composed->component,
                                 .module = construction->module,
                                 .refactored = construction->composed->step != NO_INDEX,
                                 .step = construction->composed->step,
                                 .module_call = SIZE_MAX};
        placement->init = read_init(arena, construction->init);
        placement->own_init = read_init(arena, construction->own_init);
        const ModuleCalls *list = table_get(calls, construction->module);
        if (trace != NULL && list != NULL)
            take_calls(composing, trace, list, placement,
                       composing->recomposition.program.items[construction->composed->file]);
    }
    if (trace != NULL)
        report_bypassed(composing, trace);
    qsort(result->placements, result->placement_count, sizeof *result->placements, by_module);
}
