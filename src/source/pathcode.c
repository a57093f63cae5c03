/* Path code: which statements only work out where components lie, and what they come to. Those are marked as
 * skipped; a path module in any other statement is a finding. */
#include "pathcode.h"

#include <string.h>

enum { STEPS_PER_NODE = 100 };

typedef enum Kind { /* of a statement */
                    KIND_PLAIN,
                    KIND_NEUTRAL, /* pass, break, a docstring: may stand in path code and elsewhere */
                    KIND_PATH
} Kind;

static Kind run_statement(Machine *machine, const Node *node);

static Value *value_of(Machine *machine, const Node *parent, FieldName name) {
    return path_optional(machine, node_child(parent, name));
}

static void values_of(Machine *machine, const Node *parent, FieldName name) {
    const Field *nodes = node_list(parent, name);
    for (size_t i = 0; i < nodes->count; i++)
        if (nodes->items[i] != NULL)
            path_value(machine, nodes->items[i]);
}

static void report(Machine *machine) {
    if (!machine->live || machine->touched == NULL)
        return;
    const Node *node = machine->touched;
    Finding *finding = findings_add(
        machine->findings, &RULE_PATH_CODE, SEVERITY_VIOLATION, node_place(&machine->file->tree, node),
        "'%s' belongs to path code and stands in other code", node_text(node, FIELD_id));
    finding->frame = source_frame(machine->findings->arena, &machine->file->source, finding->place);
}

static Kind skip(Machine *machine, const Node *node) {
    if (machine->live)
        marks_set(machine->file->skipped, node);
    return KIND_PATH;
}

/* What the present statement is, all its expressions having been looked at. */
static Kind judge(Machine *machine, const Node *node) {
    if (machine->touched == NULL)
        return KIND_PLAIN;
    if (!machine->foreign)
        return skip(machine, node);
    report(machine);
    return KIND_PLAIN;
}

static bool is_syspath(const Value *value) {
    return value->kind == VALUE_LIBRARY && strcmp(value->text, "sys.path") == 0;
}

void path_assign(Machine *machine, const Node *target, Value *value) {
    switch (target->kind) {
    case NODE_Name: {
        Value *bound = value_new(machine, VALUE_OPAQUE);
        *bound = *value;
        bound->path = machine->touched != NULL && value->kind != VALUE_MODULE;
        if (machine->foreign && value->kind != VALUE_MODULE)
            *bound = (Value){.kind = VALUE_FOREIGN};
        if (node_text(target, FIELD_id) != NULL)
            scope_put(machine, node_text(target, FIELD_id), bound);
        return;
    }
    case NODE_Tuple:
    case NODE_List: {
        const Field *targets = node_list(target, FIELD_elts);
        bool matched = value->kind == VALUE_LIST && value->count == targets->count;
        for (size_t i = 0; i < targets->count; i++)
            if (targets->items[i] != NULL)
                path_assign(machine, targets->items[i],
                            matched ? value->items[i] : value_new(machine, VALUE_OPAQUE));
        return;
    }
    case NODE_Starred:
        if (node_child(target, FIELD_value) != NULL)
            path_assign(machine, node_child(target, FIELD_value), value_new(machine, VALUE_OPAQUE));
        return;
    case NODE_Subscript: { /* sys.path[:0] = [..], sys.modules[name] = module */
        const Value *object = value_of(machine, target, FIELD_value);
        value_of(machine, target, FIELD_slice);
        if (is_syspath(object))
            path_add_folders(machine, value, true);
        return;
    }
    default:
        if (is_syspath(path_value(machine, target)))
            path_add_folders(machine, value, true);
    }
}

static Kind run_block(Machine *machine, const Node *parent, FieldName name, Kind kind) {
    const Field *body = node_list(parent, name);
    for (size_t i = 0; i < body->count; i++) {
        if (body->items[i] == NULL)
            continue;
        Kind one = run_statement(machine, body->items[i]);
        if (one == KIND_PLAIN || kind == KIND_PLAIN)
            kind = KIND_PLAIN;
        else if (one == KIND_PATH)
            kind = KIND_PATH;
        if (machine->flow != FLOW_NEXT && !machine->live && !machine->trial)
            break;
    }
    return kind;
}

/* A compound statement whose header was looked at and whose blocks are of this `kind`. */
static Kind judge_compound(Machine *machine, const Node *node, const Node *touched, bool foreign, Kind kind) {
    machine->touched = touched;
    machine->foreign = foreign;
    if (kind != KIND_PLAIN && !foreign && (touched != NULL || kind == KIND_PATH))
        return skip(machine, node);
    report(machine);
    return KIND_PLAIN;
}

/* A block that the known values don't come to: looked at all the same, but sys.path stays. */
static Kind look_at_block(Machine *machine, const Node *parent, FieldName name, Kind kind) {
    if (!machine->live && !machine->trial)
        return kind;
    bool effects = machine->effects;
    machine->effects = false;
    kind = run_block(machine, parent, name, kind);
    machine->effects = effects;
    return kind;
}

static Kind run_if(Machine *machine, const Node *node) {
    int truth = path_truth(value_of(machine, node, FIELD_test));
    const Node *touched = machine->touched;
    bool foreign = machine->foreign;
    Kind kind = KIND_NEUTRAL;
    if (truth < 0 || foreign) {
        kind = run_block(machine, node, FIELD_body, kind);
        machine->flow = FLOW_NEXT;
        kind = run_block(machine, node, FIELD_orelse, kind);
        machine->flow = FLOW_NEXT;
    } else {
        kind = look_at_block(machine, node, truth ? FIELD_orelse : FIELD_body, kind);
        machine->flow = FLOW_NEXT;
        kind = run_block(machine, node, truth ? FIELD_body : FIELD_orelse, kind);
    }
    return judge_compound(machine, node, touched, foreign, kind);
}

static bool loop_ends(Machine *machine) {
    Flow flow = machine->flow;
    if (flow == FLOW_BREAK || flow == FLOW_CONTINUE)
        machine->flow = FLOW_NEXT;
    return flow == FLOW_BREAK || flow == FLOW_RETURN || flow == FLOW_RAISE;
}

static Kind run_for(Machine *machine, const Node *node) {
    const Value *items = value_of(machine, node, FIELD_iter);
    const Node *touched = machine->touched, *target = node_child(node, FIELD_target);
    bool foreign = machine->foreign, known = items->kind == VALUE_LIST && items->count <= PATH_LONGEST_LOOP;
    Kind kind = KIND_NEUTRAL;
    for (size_t i = 0; i < (known && items->count > 0 ? items->count : 1); i++) {
        machine->touched = touched;
        machine->foreign = foreign;
        if (target != NULL)
            path_assign(machine, target,
                        known && items->count > 0 ? items->items[i] : value_new(machine, VALUE_OPAQUE));
        kind = run_block(machine, node, FIELD_body, kind);
        if (loop_ends(machine))
            break;
    }
    kind = run_block(machine, node, FIELD_orelse, kind);
    return judge_compound(machine, node, touched, foreign, kind);
}

static Kind run_while(Machine *machine, const Node *node) {
    int truth = path_truth(value_of(machine, node, FIELD_test));
    const Node *touched = machine->touched;
    bool foreign = machine->foreign;
    Kind kind = KIND_NEUTRAL;
    if (truth == 0)
        kind = look_at_block(machine, node, FIELD_body, kind);
    for (int i = 0; i < PATH_LONGEST_LOOP && truth != 0; i++) {
        kind = run_block(machine, node, FIELD_body, kind);
        if (loop_ends(machine) || truth < 0)
            break;
        truth = path_truth(value_of(machine, node, FIELD_test));
    }
    kind = run_block(machine, node, FIELD_orelse, kind);
    return judge_compound(machine, node, touched, foreign, kind);
}

/* A handler is looked at before the body, whose assignments are the ones that hold; the folders that it names
 * are searched last. */
static Kind run_handler(Machine *machine, const Node *handler, Kind kind) {
    bool late = machine->late;
    machine->late = true;
    machine->touched = NULL;
    machine->foreign = false;
    value_of(machine, handler, FIELD_type);
    report(machine);
    if (node_text(handler, FIELD_name) != NULL)
        scope_put(machine, node_text(handler, FIELD_name), value_new(machine, VALUE_OPAQUE));
    kind = run_block(machine, handler, FIELD_body, kind);
    machine->flow = FLOW_NEXT;
    machine->late = late;
    return kind;
}

static Kind run_try(Machine *machine, const Node *node) {
    Kind kind = KIND_NEUTRAL;
    const Field *handlers = node_list(node, FIELD_handlers);
    for (size_t i = 0; i < handlers->count && (machine->live || machine->trial); i++)
        kind = run_handler(machine, handlers->items[i], kind);
    kind = run_block(machine, node, FIELD_body, kind);
    if (machine->flow == FLOW_RAISE)
        machine->flow = FLOW_NEXT;
    if (machine->flow == FLOW_NEXT || machine->live || machine->trial)
        kind = run_block(machine, node, FIELD_orelse, kind);
    if (machine->flow == FLOW_NEXT || machine->live || machine->trial)
        kind = run_block(machine, node, FIELD_finalbody, kind);
    return judge_compound(machine, node, NULL, false, kind);
}

static Kind run_with(Machine *machine, const Node *node) {
    const Field *items = node_list(node, FIELD_items);
    for (size_t i = 0; i < items->count; i++) {
        if (items->items[i] == NULL)
            continue;
        Value *value = value_of(machine, items->items[i], FIELD_context_expr);
        if (node_child(items->items[i], FIELD_optional_vars) != NULL)
            path_assign(machine, node_child(items->items[i], FIELD_optional_vars), value);
    }
    const Node *touched = machine->touched;
    bool foreign = machine->foreign;
    Kind kind = run_block(machine, node, FIELD_body, KIND_NEUTRAL);
    return judge_compound(machine, node, touched, foreign, kind);
}

/* Runs a function with unknown arguments to see whether all of it is path code. */
static bool is_path_function(Machine *machine, const Node *node) {
    if (node_list(node, FIELD_decorator_list)->count > 0 || node->kind != NODE_FunctionDef ||
        node->parent->kind == NODE_ClassDef)
        return false;
    Machine trial = *machine;
    Scope scope = {.names = table_new(machine->arena), .outer = machine->scope};
    trial.scope = &scope;
    trial.live = trial.effects = trial.ever_touched = trial.ever_foreign = false;
    trial.trial = true;
    trial.touched = NULL;
    const Node *parameters = node_child(node, FIELD_args);
    if (parameters != NULL) {
        path_foreign_parameters(&trial, parameters);
        for (size_t i = 0; i < scope.names->count; i++)
            scope.names->items[i].value = value_new(machine, VALUE_OPAQUE);
        trial.ever_foreign = trial.ever_touched = false; /* by annotations */
    }
    const Field *body = node_list(node, FIELD_body);
    for (size_t i = 0; i < body->count; i++) {
        trial.flow = FLOW_NEXT;
        if (body->items[i] != NULL)
            run_statement(&trial, body->items[i]);
    }
    machine->steps = trial.steps;
    return trial.ever_touched && !trial.ever_foreign;
}

static Scope *scope_open(Machine *machine) {
    Scope *scope = ARENA_NEW(machine->arena, Scope);
    *scope = (Scope){.names = table_new(machine->arena), .outer = machine->scope};
    machine->scope = scope;
    return scope;
}

static Kind run_function_definition(Machine *machine, const Node *node) {
    const char *name = node_text(node, FIELD_name);
    bool path = is_path_function(machine, node);
    Value *value = value_new(machine, path ? VALUE_FUNCTION : VALUE_FOREIGN);
    value->path = path;
    value->function = node;
    if (name != NULL)
        scope_put(machine, name, value);
    if (path) {
        machine->ever_touched = true;
        return skip(machine, node);
    }
    machine->ever_foreign = true;
    values_of(machine, node, FIELD_decorator_list);
    value_of(machine, node, FIELD_returns);
    Scope *scope = scope_open(machine);
    if (node_child(node, FIELD_args) != NULL)
        path_foreign_parameters(machine, node_child(node, FIELD_args));
    machine->scope = scope->outer;
    report(machine);
    if (machine->live)
        *(Later *)ARENA_PUSH(machine->arena, &machine->later) = (Later){node, scope};
    return KIND_PLAIN;
}

/* The bodies of functions, which run when all names of the module are bound. */
static void run_later(Machine *machine) {
    for (size_t i = 0; i < machine->later.count; i++) {
        Later later = machine->later.items[i];
        machine->scope = later.scope;
        machine->effects = false; /* whether it is called is not known */
        run_block(machine, later.function, FIELD_body, KIND_NEUTRAL);
        machine->flow = FLOW_NEXT;
    }
}

static Kind run_class(Machine *machine, const Node *node) {
    machine->ever_foreign = true;
    values_of(machine, node, FIELD_decorator_list);
    values_of(machine, node, FIELD_bases);
    values_of(machine, node, FIELD_keywords);
    report(machine);
    Scope *scope = scope_open(machine);
    if (machine->live)
        run_block(machine, node, FIELD_body, KIND_NEUTRAL);
    machine->scope = scope->outer;
    if (node_text(node, FIELD_name) != NULL)
        scope_put(machine, node_text(node, FIELD_name), value_new(machine, VALUE_FOREIGN));
    return KIND_PLAIN;
}

/* Binds one alias of an import statement; returns whether it is a path module's. */
static bool bind_alias(Machine *machine, const Node *alias, const char *from) {
    const char *name = node_text(alias, FIELD_name), *bound = node_text(alias, FIELD_asname);
    if (name == NULL)
        return false;
    const char *module = from != NULL ? from : name;
    bool path = module_is_path(module);
    Value *value = value_new(machine, path ? VALUE_LIBRARY : VALUE_FOREIGN);
    value->path = path;
    if (from != NULL)
        value->text = arena_printf(machine->arena, "%s.%s", from, name);
    else if (bound != NULL)
        value->text = name;
    else
        value->text = arena_strndup(machine->arena, name, strcspn(name, "."));
    scope_put(machine, bound != NULL ? bound : from != NULL ? name : value->text, value);
    return path;
}

static Kind run_import(Machine *machine, const Node *node) {
    const Field *names = node_list(node, FIELD_names), *level = node_field(node, FIELD_level);
    bool from = node->kind == NODE_ImportFrom;
    const char *module = from ? node_text(node, FIELD_module) : NULL;
    if (from && (module == NULL || (level != NULL && level->number > 0)))
        module = "."; /* a component of this folder, whatever its name */
    bool all_path = names->count > 0;
    for (size_t i = 0; i < names->count; i++)
        if (names->items[i] != NULL && !bind_alias(machine, names->items[i], module))
            all_path = false;
    if (all_path)
        return skip(machine, node);
    machine->ever_foreign = true;
    if (machine->live)
        *(const Node **)ARENA_PUSH(machine->arena, &machine->out->imports) = node;
    return KIND_PLAIN;
}

static Kind run_return(Machine *machine, const Node *node) {
    Value *value = value_of(machine, node, FIELD_value);
    machine->flow = FLOW_RETURN;
    if (machine->returned == NULL || machine->returned->kind != VALUE_MODULE)
        machine->returned = value;
    report(machine); /* in a function that is not skipped whole */
    return KIND_PLAIN;
}

static Kind run_assignment(Machine *machine, const Node *node) {
    Value *value = value_of(machine, node, FIELD_value);
    const Field *targets = node_list(node, FIELD_targets);
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i] != NULL)
            path_assign(machine, targets->items[i], value);
    if (node_child(node, FIELD_target) != NULL && node_child(node, FIELD_value) != NULL)
        path_assign(machine, node_child(node, FIELD_target), value);
    Kind kind = judge(machine, node);
    if (kind == KIND_PLAIN && node_child(node, FIELD_annotation) != NULL) {
        machine->touched = NULL;
        value_of(machine, node, FIELD_annotation);
        report(machine);
    }
    return kind;
}

static Kind run_augmented(Machine *machine, const Node *node) {
    const Node *target = node_child(node, FIELD_target);
    Value *value = value_of(machine, node, FIELD_value);
    const Value *before = target == NULL ? value : path_value(machine, target);
    if (is_syspath(before))
        path_add_folders(machine, value, false);
    else if (target != NULL)
        path_assign(machine, target, value_new(machine, VALUE_OPAQUE));
    return judge(machine, node);
}

static Kind run_expression(Machine *machine, const Node *node) {
    const Node *value = node_child(node, FIELD_value);
    if (value != NULL && value->kind == NODE_Constant)
        return KIND_NEUTRAL;
    value_of(machine, node, FIELD_value);
    return judge(machine, node);
}

/* Statements that path code doesn't have: only looked through. */
static Kind run_other(Machine *machine, const Node *node) {
    machine->foreign = machine->ever_foreign = true;
    for (size_t i = 0; i < node->field_count; i++) {
        const Field *field = &node->fields[i];
        if (field->kind == FIELD_IS_NODE)
            path_value(machine, field->node);
        if (field->kind != FIELD_IS_LIST)
            continue;
        const Node *touched = machine->touched;
        bool statements = field->name == FIELD_body || field->name == FIELD_orelse;
        for (size_t j = 0; j < field->count; j++)
            if (field->items[j] != NULL && statements)
                run_statement(machine, field->items[j]);
            else if (field->items[j] != NULL && field->items[j]->kind == NODE_match_case)
                run_other(machine, field->items[j]);
            else if (field->items[j] != NULL)
                path_value(machine, field->items[j]);
        if (statements)
            machine->touched = touched;
    }
    report(machine);
    return KIND_PLAIN;
}

static Kind run_statement(Machine *machine, const Node *node) {
    if (machine->file->unreached[node->id])
        return KIND_NEUTRAL;
    if (machine->steps == 0)
        return KIND_PLAIN;
    machine->steps--;
    machine->touched = NULL;
    machine->foreign = false;
    switch (node->kind) {
    case NODE_Pass:
    case NODE_Global:
    case NODE_Nonlocal: return KIND_NEUTRAL;
    case NODE_Break: machine->flow = FLOW_BREAK; return KIND_NEUTRAL;
    case NODE_Continue: machine->flow = FLOW_CONTINUE; return KIND_NEUTRAL;
    case NODE_Expr: return run_expression(machine, node);
    case NODE_Assign:
    case NODE_AnnAssign: return run_assignment(machine, node);
    case NODE_AugAssign: return run_augmented(machine, node);
    case NODE_Return: return run_return(machine, node);
    case NODE_Raise:
        value_of(machine, node, FIELD_exc);
        value_of(machine, node, FIELD_cause);
        machine->flow = FLOW_RAISE;
        return judge(machine, node) == KIND_PATH || !machine->foreign ? KIND_NEUTRAL : KIND_PLAIN;
    case NODE_Assert:
        value_of(machine, node, FIELD_test);
        value_of(machine, node, FIELD_msg);
        return judge(machine, node);
    case NODE_Delete: values_of(machine, node, FIELD_targets); return judge(machine, node);
    case NODE_Import:
    case NODE_ImportFrom: return run_import(machine, node);
    case NODE_If: return run_if(machine, node);
    case NODE_For: return run_for(machine, node);
    case NODE_While: return run_while(machine, node);
    case NODE_Try: return run_try(machine, node);
    case NODE_With: return run_with(machine, node);
    case NODE_FunctionDef:
    case NODE_AsyncFunctionDef: return run_function_definition(machine, node);
    case NODE_ClassDef: return run_class(machine, node);
    default: return run_other(machine, node);
    }
}

void path_run_function(Machine *machine, const Node *function) {
    run_block(machine, function, FIELD_body, KIND_NEUTRAL);
}

PathCode *path_code_read(Arena *arena, ProgramFile *file, Findings *findings) {
    Scope scope = {.names = table_new(arena)};
    PathCode *out = ARENA_NEW(arena, PathCode);
    Machine machine = {.arena = arena,
                       .file = file,
                       .findings = findings,
                       .out = out,
                       .module_scope = &scope,
                       .scope = &scope,
                       .live = true,
                       .effects = true,
                       .steps = (file->tree.node_count + 100) * STEPS_PER_NODE};
    run_block(&machine, file->tree.module, FIELD_body, KIND_NEUTRAL);
    run_later(&machine);
    if (machine.steps == 0)
        findings_add(findings, &RULE_PATH_CODE, SEVERITY_VIOLATION, (Place){.file = file->source.name},
                     "the path code is too involved to be followed");
    return out;
}
