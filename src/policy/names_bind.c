/* Scopes and bindings: which names each module, class, function and comprehension binds, and to what. */
#include "names_internal.h"

#include <string.h>

typedef struct Binder {
    Names *names;
    FileNames *file;
    bool judged;
    size_t positions[MOST_POSITIONS]; /* of the target in what a loop takes apart: NameBinding */
} Binder;

static void visit(Binder *binder, const Node *node, Scope *scope);

static void visit_field(Binder *binder, const Node *node, FieldName name, Scope *scope) {
    const Field *field = node_field(node, name);
    if (field == NULL)
        return;
    if (field->kind == FIELD_IS_NODE)
        visit(binder, field->node, scope);
    for (size_t i = 0; field->kind == FIELD_IS_LIST && i < field->count; i++)
        if (field->items[i] != NULL)
            visit(binder, field->items[i], scope);
}

static void visit_fields(Binder *binder, const Node *node, Scope *scope) {
    for (size_t i = 0; i < node->field_count; i++)
        visit_field(binder, node, node->fields[i].name, scope);
}

static Scope *scope_new(Binder *binder, ScopeKind kind, const Node *node, Scope *parent) {
    Arena *arena = binder->names->arena;
    Scope *scope = ARENA_NEW(arena, Scope);
    *scope = (Scope){.kind = kind,
                     .file = binder->file->file,
                     .node = node,
                     .parent = parent,
                     .variables = table_new(arena),
                     .declared = table_new(arena)};
    if (kind == SCOPE_CLASS)
        scope->instance = table_new(arena);
    binder->file->made[node->id] = scope;
    *(Scope **)ARENA_PUSH(arena, &binder->names->scopes) = scope;
    return scope;
}

static Variable *variable_in(Arena *arena, Table *table, Scope *scope, const char *name) {
    Variable *variable = table_get(table, name);
    if (variable == NULL) {
        variable = ARENA_NEW(arena, Variable);
        variable->name = arena_strdup(arena, name);
        variable->scope = scope;
        table_put(table, name, variable);
    }
    return variable;
}

Variable *scope_bind(Arena *arena, Scope *scope, const char *name) {
    Scope *declared = table_get(scope->declared, name);
    return variable_in(arena, declared != NULL ? declared->variables : scope->variables,
                       declared != NULL ? declared : scope, name);
}

Variable *instance_variable(Arena *arena, Scope *scope, const char *name) {
    return variable_in(arena, scope->instance, scope, name);
}

static void bind(Binder *binder, Scope *scope, const char *name, BindingKind kind, const Node *node,
                 const Node *value) {
    if (name == NULL)
        return;
    Variable *variable = scope_bind(binder->names->arena, scope, name);
    NameBinding *binding = ARENA_PUSH(binder->names->arena, variable);
    *binding = (NameBinding){.kind = kind, .node = node, .value = value, .judged = binder->judged};
    memcpy(binding->positions, binder->positions, sizeof binding->positions);
}

static bool is_sequence(const Node *node) {
    return node->kind == NODE_Tuple || node->kind == NODE_List;
}

static bool has_starred(const Field *elements) {
    for (size_t i = 0; i < elements->count; i++)
        if (elements->items[i] != NULL && elements->items[i]->kind == NODE_Starred)
            return true;
    return false;
}

static void bind_target(Binder *binder, const Node *target, BindingKind kind, const Node *value,
                        Scope *scope);

/* a, b = 1, 2 pairs them; any other unpacking gives each target whatever is inside the value. */
static void bind_sequence(Binder *binder, const Node *target, BindingKind kind, const Node *value,
                          Scope *scope) {
    const Field *targets = node_field(target, FIELD_elts);
    const Field *values = value != NULL && is_sequence(value) ? node_field(value, FIELD_elts) : NULL;
    if (targets == NULL || targets->kind != FIELD_IS_LIST)
        return;
    bool paired = kind == BINDING_VALUE && values != NULL && values->kind == FIELD_IS_LIST &&
                  values->count == targets->count && !has_starred(targets) && !has_starred(values);
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i] != NULL)
            bind_target(binder, targets->items[i], paired ? BINDING_VALUE : BINDING_ELEMENT,
                        paired ? values->items[i] : value, scope);
}

static void bind_target(Binder *binder, const Node *target, BindingKind kind, const Node *value,
                        Scope *scope) {
    Names *names = binder->names;
    if (target->kind == NODE_Name) {
        bind(binder, scope, node_text(target, FIELD_id), kind, target, value);
    } else if (is_sequence(target)) {
        bind_sequence(binder, target, kind, value, scope);
    } else if (target->kind == NODE_Starred) {
        const Node *inner = node_child(target, FIELD_value);
        if (inner != NULL)
            bind_target(binder, inner, BINDING_ELEMENT, value, scope);
    } else if (target->kind == NODE_Attribute && binder->judged) {
        NodeAt *store = ARENA_PUSH(names->arena, &names->attribute_stores);
        *store = (NodeAt){binder->file, target, kind == BINDING_VALUE ? value : NULL};
    }
}

/* `for a, b in zip(x, y)`: a is of x, and b of y; `for i, (a, b) in enumerate(zip(x, y))` likewise. */
static void bind_loop(Binder *binder, const Node *target, const Node *values, size_t depth, Scope *scope) {
    const Field *targets = is_sequence(target) ? node_field(target, FIELD_elts) : NULL;
    if (targets == NULL || targets->kind != FIELD_IS_LIST || has_starred(targets) || values == NULL ||
        values->kind != NODE_Call || depth == MOST_POSITIONS) {
        bind_target(binder, target, BINDING_ELEMENT, values, scope);
        return;
    }
    for (size_t i = 0; i < targets->count; i++) {
        binder->positions[depth] = i + 1;
        if (targets->items[i] != NULL)
            bind_loop(binder, targets->items[i], values, depth + 1, scope);
    }
    binder->positions[depth] = 0;
}

static void bind_parameters(Binder *binder, const Node *arguments, Scope *made, Scope *outer) {
    static const FieldName POSITIONAL[] = {FIELD_posonlyargs, FIELD_args};
    const Field *defaults = node_field(arguments, FIELD_defaults);
    const Field *keyword_defaults = node_field(arguments, FIELD_kw_defaults);
    size_t total = 0, position = 0;
    for (size_t i = 0; i < COUNT_OF(POSITIONAL); i++) {
        const Field *parameters = node_field(arguments, POSITIONAL[i]);
        total += parameters != NULL && parameters->kind == FIELD_IS_LIST ? parameters->count : 0;
    }
    size_t first = defaults != NULL && defaults->count <= total ? total - defaults->count : total;
    for (size_t i = 0; i < COUNT_OF(POSITIONAL); i++) {
        const Field *parameters = node_field(arguments, POSITIONAL[i]);
        for (size_t j = 0; parameters != NULL && j < parameters->count; j++, position++)
            if (parameters->items[j] != NULL)
                bind(binder, made, node_text(parameters->items[j], FIELD_arg), BINDING_PARAMETER,
                     parameters->items[j],
                     defaults != NULL && position >= first ? defaults->items[position - first] : NULL);
    }
    const Field *keywords = node_field(arguments, FIELD_kwonlyargs);
    for (size_t j = 0; keywords != NULL && j < keywords->count; j++)
        if (keywords->items[j] != NULL)
            bind(binder, made, node_text(keywords->items[j], FIELD_arg), BINDING_PARAMETER,
                 keywords->items[j],
                 keyword_defaults != NULL && j < keyword_defaults->count ? keyword_defaults->items[j] : NULL);
    const Node *rest[] = {node_child(arguments, FIELD_vararg), node_child(arguments, FIELD_kwarg)};
    for (size_t i = 0; i < COUNT_OF(rest); i++)
        if (rest[i] != NULL)
            bind(binder, made, node_text(rest[i], FIELD_arg), BINDING_PARAMETER, rest[i], NULL);
    visit_fields(binder, arguments, outer); /* defaults and annotations are evaluated outside */
}

static void visit_function(Binder *binder, const Node *node, Scope *scope) {
    bind(binder, scope, node_text(node, FIELD_name), BINDING_DEFINITION, node, node);
    Scope *made = scope_new(binder, SCOPE_FUNCTION, node, scope);
    visit_field(binder, node, FIELD_decorator_list, scope);
    visit_field(binder, node, FIELD_returns, scope);
    visit_field(binder, node, FIELD_type_params, made);
    const Node *arguments = node_child(node, FIELD_args);
    if (arguments != NULL) {
        binder->file->at[arguments->id] = scope;
        binder->file->judged[arguments->id] = binder->judged;
        bind_parameters(binder, arguments, made, scope);
    }
    visit_field(binder, node, FIELD_body, made);
}

static void visit_class(Binder *binder, const Node *node, Scope *scope) {
    bind(binder, scope, node_text(node, FIELD_name), BINDING_DEFINITION, node, node);
    Scope *made = scope_new(binder, SCOPE_CLASS, node, scope);
    visit_field(binder, node, FIELD_decorator_list, scope);
    visit_field(binder, node, FIELD_bases, scope);
    visit_field(binder, node, FIELD_keywords, scope);
    visit_field(binder, node, FIELD_type_params, made);
    visit_field(binder, node, FIELD_body, made);
}

static void visit_comprehension(Binder *binder, const Node *node, Scope *scope) {
    Scope *made = scope_new(binder, SCOPE_COMPREHENSION, node, scope);
    const Field *generators = node_field(node, FIELD_generators);
    for (size_t i = 0; generators != NULL && i < generators->count; i++) {
        const Node *generator = generators->items[i];
        const Node *target = generator == NULL ? NULL : node_child(generator, FIELD_target);
        if (target != NULL)
            bind_loop(binder, target, node_child(generator, FIELD_iter), 0, made);
    }
    visit_fields(binder, node, made);
}

static void visit_import(Binder *binder, const Node *node, Scope *scope) {
    const Field *aliases = node_field(node, FIELD_names);
    for (size_t i = 0; aliases != NULL && i < aliases->count; i++) {
        const Node *alias = aliases->items[i];
        const char *name = alias == NULL ? NULL : node_text(alias, FIELD_name);
        const char *as = alias == NULL ? NULL : node_text(alias, FIELD_asname);
        if (name == NULL)
            continue;
        size_t length = node->kind == NODE_Import ? strcspn(name, ".") : strlen(name);
        bind(binder, scope, as != NULL ? as : arena_strndup(binder->names->arena, name, length),
             BINDING_IMPORT, alias, node);
    }
}

static void visit_declaration(const Node *node, Scope *scope) {
    Scope *meant = scope;
    if (node->kind == NODE_Global)
        while (meant->parent != NULL)
            meant = meant->parent;
    const Field *list = node_field(node, FIELD_names);
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const char *name = list->items[i] == NULL ? NULL : node_text(list->items[i], FIELD_id);
        if (name == NULL)
            continue;
        if (node->kind == NODE_Nonlocal)
            for (meant = scope->parent; meant != NULL && meant->parent != NULL; meant = meant->parent)
                if (meant->kind == SCOPE_FUNCTION && table_has(meant->variables, name))
                    break;
        if (meant != NULL)
            table_put(scope->declared, name, meant);
    }
}

static Scope *walrus_scope(Scope *scope) {
    while (scope->kind == SCOPE_COMPREHENSION && scope->parent != NULL)
        scope = scope->parent;
    return scope;
}

static void bind_statement(Binder *binder, const Node *node, Scope *scope) {
    const Node *target = node_child(node, FIELD_target);
    const Node *value = node_child(node, FIELD_value);
    const Field *targets;
    switch (node->kind) {
    case NODE_Assign:
        targets = node_field(node, FIELD_targets);
        for (size_t i = 0; targets != NULL && i < targets->count; i++)
            if (targets->items[i] != NULL)
                bind_target(binder, targets->items[i], BINDING_VALUE, value, scope);
        break;
    case NODE_AnnAssign:
        if (target != NULL && value != NULL)
            bind_target(binder, target, BINDING_VALUE, value, scope);
        break;
    case NODE_AugAssign:
        if (target != NULL)
            bind_target(binder, target, BINDING_ELEMENT, value, scope);
        break;
    case NODE_NamedExpr:
        if (target != NULL)
            bind_target(binder, target, BINDING_VALUE, value, walrus_scope(scope));
        break;
    case NODE_For:
    case NODE_AsyncFor:
        if (target != NULL)
            bind_loop(binder, target, node_child(node, FIELD_iter), 0, scope);
        break;
    case NODE_withitem:
        target = node_child(node, FIELD_optional_vars);
        if (target != NULL)
            bind_target(binder, target, BINDING_ELEMENT, node_child(node, FIELD_context_expr), scope);
        break;
    case NODE_Delete:
        targets = node_field(node, FIELD_targets);
        for (size_t i = 0; targets != NULL && i < targets->count; i++)
            if (targets->items[i] != NULL)
                bind_target(binder, targets->items[i], BINDING_OTHER, NULL, scope);
        break;
    case NODE_ExceptHandler:
    case NODE_MatchAs:
    case NODE_MatchStar:
    case NODE_TypeVar:
    case NODE_ParamSpec:
    case NODE_TypeVarTuple:
        bind(binder, scope, node_text(node, FIELD_name), BINDING_OTHER, node, NULL);
        break;
    case NODE_MatchMapping:
        bind(binder, scope, node_text(node, FIELD_rest), BINDING_OTHER, node, NULL);
        break;
    case NODE_TypeAlias:
        target = node_child(node, FIELD_name);
        if (target != NULL)
            bind_target(binder, target, BINDING_VALUE, value, scope);
        break;
    default: break;
    }
}

static void note_call(Binder *binder, const Node *node) {
    Names *names = binder->names;
    NodeAt *call = ARENA_PUSH(names->arena, &names->calls);
    *call = (NodeAt){binder->file, node, NULL};
    const Node *func = node_child(node, FIELD_func);
    const char *name = func == NULL || func->kind != NODE_Attribute ? NULL : node_text(func, FIELD_attr);
    const Field *args = node_field(node, FIELD_args);
    const char *registered =
        args != NULL && args->count > 0 && args->items[0] != NULL ? node_string(args->items[0]) : NULL;
    if (registered != NULL &&
        (text_equal(name, "register_buffer") || text_equal(name, "register_parameter") ||
         text_equal(name, "add_module") || text_equal(name, "register_module")))
        table_put(binder->file->registered, registered, TABLE_PRESENT);
}

static void visit_node(Binder *binder, const Node *node, Scope *scope) {
    Names *names = binder->names;
    switch (node->kind) {
    case NODE_FunctionDef:
    case NODE_AsyncFunctionDef:
    case NODE_Lambda: visit_function(binder, node, scope); return;
    case NODE_ClassDef: visit_class(binder, node, scope); return;
    case NODE_ListComp:
    case NODE_SetComp:
    case NODE_DictComp:
    case NODE_GeneratorExp: visit_comprehension(binder, node, scope); return;
    case NODE_Import:
    case NODE_ImportFrom: visit_import(binder, node, scope); return;
    case NODE_Global:
    case NODE_Nonlocal: visit_declaration(node, scope); return;
    case NODE_Call:
        if (binder->judged)
            note_call(binder, node);
        break;
    case NODE_Return:
        if (binder->judged)
            *(NodeAt *)ARENA_PUSH(names->arena, &names->returns) =
                (NodeAt){binder->file, node, node_child(node, FIELD_value)};
        break;
    default: bind_statement(binder, node, scope);
    }
    visit_fields(binder, node, scope);
}

static void visit(Binder *binder, const Node *node, Scope *scope) {
    bool before = binder->judged;
    const ProgramFile *file = binder->file->file;
    if ((file->skipped != NULL && file->skipped[node->id]) ||
        (file->unreached != NULL && file->unreached[node->id]))
        binder->judged = false;
    binder->file->at[node->id] = scope;
    binder->file->judged[node->id] = binder->judged;
    visit_node(binder, node, scope);
    binder->judged = before;
}

void names_bind_file(Names *names, FileNames *file) {
    Arena *arena = names->arena;
    const Tree *tree = &file->file->tree;
    size_t count = tree->node_count + 1;
    file->at = ARENA_ARRAY(arena, Scope *, count);
    file->made = ARENA_ARRAY(arena, Scope *, count);
    file->judged = ARENA_ARRAY(arena, bool, count);
    file->registered = table_new(arena);
    Binder binder = {.names = names, .file = file, .judged = true};
    Scope *module = scope_new(&binder, SCOPE_MODULE, tree->module, NULL);
    file->at[tree->module->id] = module;
    file->judged[tree->module->id] = true;
    visit_fields(&binder, tree->module, module);
}
