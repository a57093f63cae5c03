/* Resolving a program: what every variable may be, in rounds until nothing new is found. */
#include "names_internal.h"

#include <string.h>

/* A display, a call or a comprehension may be changed later; a constant, a function or a tuple of them not.
 */
static bool is_mutable(const Node *value) {
    switch (value->kind) {
    case NODE_Constant:
    case NODE_JoinedStr:
    case NODE_Lambda:
    case NODE_Name:
    case NODE_Attribute:
    case NODE_UnaryOp:
    case NODE_Compare:
    case NODE_Subscript: return false;
    case NODE_Tuple: {
        const Field *elements = node_field(value, FIELD_elts);
        for (size_t i = 0; elements != NULL && i < elements->count; i++)
            if (elements->items[i] != NULL && is_mutable(elements->items[i]))
                return true;
        return false;
    }
    default: return true;
    }
}

/* What module and class bodies and default arguments make lives on between calls. */
static bool outlives_calls(const Variable *variable, const NameBinding *binding) {
    if (binding->value == NULL || !is_mutable(binding->value))
        return false;
    if (binding->kind == BINDING_PARAMETER)
        return true;
    return (binding->kind == BINDING_VALUE || binding->kind == BINDING_ELEMENT) &&
           (variable->scope->kind == SCOPE_MODULE || variable->scope->kind == SCOPE_CLASS);
}

static bool is_static(const Node *function, const char *name) {
    const Field *decorators = node_field(function, FIELD_decorator_list);
    for (size_t i = 0; decorators != NULL && i < decorators->count; i++)
        if (decorators->items[i] != NULL && text_equal(node_text(decorators->items[i], FIELD_id), name))
            return true;
    return false;
}

/* The first parameter of a method is an instance of the class, or the class. */
static bool is_self(const Variable *variable, const NameBinding *binding) {
    const Scope *scope = variable->scope;
    if (binding->kind != BINDING_PARAMETER || scope->parent == NULL || scope->parent->kind != SCOPE_CLASS ||
        scope->node->kind == NODE_Lambda || is_static(scope->node, "staticmethod"))
        return false;
    return scope->variables->count > 0 && scope->variables->items[0].value == variable;
}

static bool update_variable(Names *names, const FileNames *file, Variable *variable) {
    bool grew = false;
    for (size_t i = 0; i < variable->count; i++) {
        const NameBinding *binding = &variable->items[i];
        if (!binding->judged && binding->kind != BINDING_IMPORT && binding->kind != BINDING_DEFINITION)
            continue;
        Things things = names_of_binding(names, file, binding);
        if (outlives_calls(variable, binding))
            things_add(
                names->arena, &things,
                (Thing){
                    .kind = THING_STATE, .path = variable->name, .file = file->file, .node = binding->node});
        if (is_self(variable, binding)) {
            const Scope *class = variable->scope->parent;
            bool of_class = is_static(variable->scope->node, "classmethod");
            things_add(names->arena, &things,
                       (Thing){.kind = of_class ? THING_CLASS : THING_INSTANCE,
                               .file = class->file,
                               .node = class->node});
        } else if (binding->kind == BINDING_PARAMETER) {
            things_add(names->arena, &things, (Thing){.kind = THING_UNKNOWN});
        }
        grew |= things_add_all(names->arena, &variable->things, &things);
    }
    return grew;
}

static bool update_scope(Names *names, Scope *scope) {
    bool grew = false;
    const FileNames *file = &names->files[scope->file->index];
    for (size_t i = 0; i < scope->variables->count; i++)
        grew |= update_variable(names, file, scope->variables->items[i].value);
    if (scope->kind == SCOPE_CLASS) {
        const Field *bases = node_field(scope->node, FIELD_bases);
        for (size_t i = 0; bases != NULL && i < bases->count; i++) {
            if (bases->items[i] == NULL)
                continue;
            Things things = names_evaluate(names, file, bases->items[i]);
            grew |= things_add_all(names->arena, &scope->bases, &things);
        }
    }
    const Node *body = scope->node->kind == NODE_Lambda ? node_child(scope->node, FIELD_body) : NULL;
    if (body != NULL) {
        Things things = names_evaluate(names, file, body);
        grew |= things_add_all(names->arena, &scope->returns, &things);
    }
    return grew;
}

static bool store_on_instances(Names *names, const Things *bases, const char *attribute,
                               const Things *values) {
    bool grew = false;
    for (size_t i = 0; attribute != NULL && i < bases->count; i++)
        if (bases->items[i].depth > 0) {
            continue;
        } else if (bases->items[i].kind == THING_INSTANCE) {
            Scope *scope = names_class_scope(names, bases->items[i]);
            grew |= !table_has(scope->instance, attribute);
            Variable *variable = instance_variable(names->arena, scope, attribute);
            grew |= things_add_all(names->arena, &variable->things, values);
        } else if (bases->items[i].kind == THING_CLASS) {
            Scope *scope = names_class_scope(names, bases->items[i]);
            grew |= !table_has(scope->variables, attribute);
            Variable *variable = scope_bind(names->arena, scope, attribute);
            grew |= things_add_all(names->arena, &variable->things, values);
        }
    return grew;
}

static bool update_attribute(Names *names, const NodeAt *store) {
    const Node *base = node_child(store->node, FIELD_value);
    if (base == NULL)
        return false;
    Things values = {0};
    if (store->value != NULL)
        values = names_evaluate(names, store->file, store->value);
    else
        things_add(names->arena, &values, (Thing){.kind = THING_UNKNOWN});
    Things bases = names_evaluate(names, store->file, base);
    return store_on_instances(names, &bases, node_text(store->node, FIELD_attr), &values);
}

static bool update_return(Names *names, const NodeAt *statement) {
    if (statement->value == NULL)
        return false;
    Scope *scope = statement->file->at[statement->node->id];
    while (scope != NULL && scope->kind != SCOPE_FUNCTION)
        scope = scope->parent;
    if (scope == NULL)
        return false;
    Things things = names_evaluate(names, statement->file, statement->value);
    return things_add_all(names->arena, &scope->returns, &things);
}

/* ---- Arguments to parameters -------------------------------------------------------------- */

Variable *names_parameter(const Scope *function, size_t position) {
    static const FieldName POSITIONAL[] = {FIELD_posonlyargs, FIELD_args};
    const Node *arguments = node_child(function->node, FIELD_args);
    for (size_t i = 0; arguments != NULL && i < COUNT_OF(POSITIONAL); i++) {
        const Field *parameters = node_field(arguments, POSITIONAL[i]);
        size_t count = parameters == NULL ? 0 : parameters->count;
        if (position < count) {
            const char *name = parameters->items[position] == NULL
                                   ? NULL
                                   : node_text(parameters->items[position], FIELD_arg);
            return name == NULL ? NULL : table_get(function->variables, name);
        }
        position -= count;
    }
    const Node *rest = arguments == NULL ? NULL : node_child(arguments, FIELD_vararg);
    const char *name = rest == NULL ? NULL : node_text(rest, FIELD_arg);
    return name == NULL ? NULL : table_get(function->variables, name);
}

static bool pass_arguments(Names *names, const NodeAt *call, const Scope *function, size_t shift) {
    bool grew = false;
    const Field *args = node_field(call->node, FIELD_args);
    for (size_t i = 0; args != NULL && i < args->count; i++) {
        Variable *parameter = names_parameter(function, i + shift);
        if (parameter == NULL || args->items[i] == NULL)
            continue;
        Things things = names_evaluate(names, call->file, args->items[i]);
        grew |= things_add_all(names->arena, &parameter->things, &things);
    }
    const Field *keywords = node_field(call->node, FIELD_keywords);
    for (size_t i = 0; keywords != NULL && i < keywords->count; i++) {
        const Node *value = keywords->items[i] == NULL ? NULL : node_child(keywords->items[i], FIELD_value);
        const char *name = value == NULL ? NULL : node_text(keywords->items[i], FIELD_arg);
        Variable *parameter = name == NULL ? NULL : table_get(function->variables, name);
        if (parameter == NULL)
            continue;
        Things things = names_evaluate(names, call->file, value);
        grew |= things_add_all(names->arena, &parameter->things, &things);
    }
    return grew;
}

static bool pass_to_methods(Names *names, const NodeAt *call, Thing object, const char *name) {
    bool grew = false;
    Things methods = names_attribute(names, object, name);
    for (size_t i = 0; i < methods.count; i++)
        if (methods.items[i].kind == THING_METHOD)
            grew |= pass_arguments(
                names, call, names->files[methods.items[i].file->index].made[methods.items[i].node->id], 1);
    return grew;
}

static bool update_call(Names *names, const NodeAt *call) {
    bool grew = false;
    const Node *func = node_child(call->node, FIELD_func);
    Things called = func == NULL ? (Things){0} : names_evaluate(names, call->file, func);
    for (size_t i = 0; i < called.count; i++) {
        Thing thing = called.items[i];
        if (thing.depth > 0)
            continue;
        if (thing.kind == THING_FUNCTION || thing.kind == THING_METHOD)
            grew |= pass_arguments(names, call, names->files[thing.file->index].made[thing.node->id],
                                   thing.kind == THING_METHOD);
        if (thing.kind == THING_CLASS)
            grew |= pass_to_methods(names, call,
                                    (Thing){.kind = THING_INSTANCE, .file = thing.file, .node = thing.node},
                                    "__init__");
        if (thing.kind == THING_INSTANCE) {
            grew |= pass_to_methods(names, call, thing, "forward");
            grew |= pass_to_methods(names, call, thing, "__call__");
        }
        const Field *args = node_field(call->node, FIELD_args);
        if (thing.kind == THING_BUILTIN && text_equal(thing.path, "setattr") && args != NULL &&
            args->count == 3 && args->items[0] != NULL && args->items[1] != NULL && args->items[2] != NULL) {
            Things bases = names_evaluate(names, call->file, args->items[0]);
            Things values = names_evaluate(names, call->file, args->items[2]);
            grew |= store_on_instances(names, &bases, node_string(args->items[1]), &values);
        }
    }
    return grew;
}

Names *names_new(Arena *arena, const Program *program) {
    Names *names = ARENA_NEW(arena, Names);
    names->arena = arena;
    names->program = program;
    names->files = ARENA_ARRAY(arena, FileNames, program->count);
    for (size_t i = 0; i < program->count; i++) {
        names->files[i].file = program->items[i];
        names_bind_file(names, &names->files[i]);
    }
    bool grew = true;
    while (grew) {
        grew = false;
        for (size_t i = 0; i < names->scopes.count; i++)
            grew |= update_scope(names, names->scopes.items[i]);
        for (size_t i = 0; i < names->attribute_stores.count; i++)
            grew |= update_attribute(names, &names->attribute_stores.items[i]);
        for (size_t i = 0; i < names->calls.count; i++)
            grew |= update_call(names, &names->calls.items[i]);
        for (size_t i = 0; i < names->returns.count; i++)
            grew |= update_return(names, &names->returns.items[i]);
    }
    for (size_t i = 0; i < program->count; i++)
        names->files[i].settled = ARENA_ARRAY(arena, Things *, program->items[i]->tree.node_count + 1);
    return names;
}

/* ---- Questions ---------------------------------------------------------------------------- */

Things names_inside(const Names *names, const ProgramFile *file, const Node *expression) {
    return names_evaluate(names, &names->files[file->index], expression);
}

Things names_of(const Names *names, const ProgramFile *file, const Node *expression) {
    Things all = names_inside(names, file, expression), things = {.overflow = all.overflow};
    for (size_t i = 0; i < all.count; i++)
        if (all.items[i].depth == 0)
            things_add(names->arena, &things, all.items[i]);
    return things;
}

Scope *names_scope_at(const Names *names, const ProgramFile *file, const Node *node) {
    return names->files[file->index].at[node->id];
}

Scope *names_scope_made(const Names *names, const ProgramFile *file, const Node *node) {
    return names->files[file->index].made[node->id];
}

static void visit_variables(const Table *variables, OverflowVisitor *visit, void *context) {
    for (size_t i = 0; variables != NULL && i < variables->count; i++) {
        const Variable *variable = variables->items[i].value;
        if (variable->things.overflow)
            visit(variable->count > 0 ? variable->items[0].node : variable->scope->node, variable->name,
                  context);
    }
}

void names_each_overflow(const Names *names, const ProgramFile *file, OverflowVisitor *visit, void *context) {
    for (size_t i = 0; i < names->scopes.count; i++) {
        const Scope *scope = names->scopes.items[i];
        if (scope->file != file)
            continue;
        visit_variables(scope->variables, visit, context);
        visit_variables(scope->instance, visit, context);
        if (scope->returns.overflow || scope->bases.overflow)
            visit(scope->node, node_text(scope->node, FIELD_name), context);
    }
}

bool names_is_judged(const Names *names, const ProgramFile *file, const Node *node) {
    return names->files[file->index].judged[node->id];
}

bool names_file_defines(const Names *names, const ProgramFile *file, const char *attribute) {
    if (table_has(names->files[file->index].registered, attribute))
        return true;
    for (size_t i = 0; i < names->scopes.count; i++) {
        const Scope *scope = names->scopes.items[i];
        if (scope->kind == SCOPE_CLASS && scope->file == file &&
            (table_has(scope->variables, attribute) || table_has(scope->instance, attribute)))
            return true;
    }
    return false;
}

bool names_class_has(const Names *names, const Scope *scope, const char *attribute) {
    Things things = names_attribute(
        names, (Thing){.kind = THING_INSTANCE, .file = scope->file, .node = scope->node}, attribute);
    for (size_t i = 0; i < names->scopes.count; i++)
        if (names->scopes.items[i] == scope &&
            (table_has(scope->variables, attribute) || table_has(scope->instance, attribute)))
            return true;
    return things.count > 1 || (things.count == 1 && things.items[0].kind != THING_UNKNOWN);
}

static bool is_module_class(const Names *names, const Scope *scope, int depth) {
    for (size_t i = 0; depth < 16 && i < scope->bases.count; i++) {
        Thing base = scope->bases.items[i];
        if (base.kind == THING_LIBRARY && text_starts(base.path, "torch.nn."))
            return true;
        if (base.kind == THING_CLASS && is_module_class(names, names_class_scope(names, base), depth + 1))
            return true;
    }
    return false;
}

bool names_is_module_class(const Names *names, const Scope *scope) {
    return is_module_class(names, scope, 0);
}
