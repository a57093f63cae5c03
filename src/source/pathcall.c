/* Calls in path code: its few library functions, the file's own path functions, and calls that load a file.
 */
#include "pathcode.h"

#include <stdint.h>
#include <string.h>

enum { DEEPEST_CALL = 4, MOST_ARGUMENTS = 16, MOST_LOADS = 4096 };

typedef struct Arguments {
    Value *items[MOST_ARGUMENTS];
    size_t count;
    const char *names[MOST_ARGUMENTS]; /* keywords */
    Value *named[MOST_ARGUMENTS];
    size_t named_count;
    bool plain; /* no stars, and not too many */
} Arguments;

static Arguments arguments_of(Machine *machine, const Node *call) {
    Arguments arguments = {.plain = true};
    const Field *args = node_list(call, FIELD_args), *keywords = node_list(call, FIELD_keywords);
    for (size_t i = 0; i < args->count; i++) {
        Value *value = path_optional(machine, args->items[i]);
        if (arguments.count == MOST_ARGUMENTS || args->items[i] == NULL ||
            args->items[i]->kind == NODE_Starred)
            arguments.plain = false;
        else
            arguments.items[arguments.count++] = value;
    }
    for (size_t i = 0; i < keywords->count; i++) {
        const Node *keyword = keywords->items[i];
        Value *value = keyword == NULL ? value_foreign(machine)
                                       : path_optional(machine, node_child(keyword, FIELD_value));
        const char *name = keyword == NULL ? NULL : node_text(keyword, FIELD_arg);
        if (name == NULL || arguments.named_count == MOST_ARGUMENTS) {
            arguments.plain = false;
            continue;
        }
        arguments.names[arguments.named_count] = name;
        arguments.named[arguments.named_count++] = value;
    }
    return arguments;
}

/* The argument at `index` or of the keyword `name`; NULL if there is neither. */
static Value *argument(const Arguments *arguments, size_t index, const char *name) {
    if (index < arguments->count && index < MOST_ARGUMENTS)
        return arguments->items[index];
    for (size_t i = 0; i < arguments->named_count; i++)
        if (strcmp(arguments->names[i], name) == 0)
            return arguments->named[i];
    return NULL;
}

static Value *located(Machine *machine, ValueKind kind, const Value *path) {
    Value *value = value_new(machine, kind);
    if (path != NULL && path->kind == VALUE_TEXT)
        value->text = path_normal(machine->arena, value_absolute(machine, path->text));
    return value;
}

static bool is_module_name(const char *name) { /* dotted, and no path */
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL && strstr(name, "..") == NULL;
}

static Value *named_module(Machine *machine, ValueKind kind, const Value *name) {
    Value *value = value_new(machine, kind);
    if (name != NULL && name->kind == VALUE_TEXT && name->text != NULL && is_module_name(name->text))
        value->module = name->text;
    return value;
}

static Value *get_attribute(Machine *machine, const Arguments *arguments) {
    const Value *object = argument(arguments, 0, ""), *name = argument(arguments, 1, "");
    if (object == NULL || name == NULL)
        return value_foreign(machine);
    if (object->kind != VALUE_MODULE || object->attribute != NULL)
        return object->kind == VALUE_OPAQUE ? value_new(machine, VALUE_OPAQUE) : value_foreign(machine);
    Value *value = value_derive(machine, VALUE_MODULE, object);
    value->attribute = name->kind == VALUE_TEXT ? name->text : NULL;
    if (name->kind != VALUE_TEXT)
        value->text = value->module = NULL;
    return value;
}

static Value *run_operation(Machine *machine, const PathEntry *entry, Value *self, Arguments *arguments) {
    if (self != NULL && self->kind == VALUE_TEXT && arguments->count < MOST_ARGUMENTS) { /* a method */
        memmove(arguments->items + 1, arguments->items, arguments->count * sizeof *arguments->items);
        arguments->items[0] = self;
        arguments->count++;
    } else if (self != NULL && entry->operation != OP_LOAD)
        return value_new(machine, VALUE_OPAQUE);
    const Value *first = argument(arguments, 0, "path");
    const char *path = first != NULL && first->kind == VALUE_TEXT ? first->text : NULL;
    const char *whole = path == NULL ? NULL : value_absolute(machine, path);
    if (!arguments->plain)
        return value_new(machine, VALUE_OPAQUE);
    switch (entry->operation) {
    case OP_NAMESPACE:
    case OP_TEXT: return value_foreign(machine);
    case OP_JOIN: return value_join(machine, arguments->items, arguments->count);
    case OP_PARENT: return path != NULL ? value_parent(machine, path) : value_new(machine, VALUE_OPAQUE);
    case OP_NORMAL:
        return path != NULL ? value_text(machine, path_normal(machine->arena, whole))
                            : value_new(machine, VALUE_OPAQUE);
    case OP_SAME: return path != NULL ? value_text(machine, path) : value_new(machine, VALUE_OPAQUE);
    case OP_EXISTS:
        return path != NULL ? value_truth(machine, file_exists(whole) || directory_exists(whole))
                            : value_new(machine, VALUE_OPAQUE);
    case OP_EXISTS_FILE:
        return path != NULL ? value_truth(machine, file_exists(whole)) : value_new(machine, VALUE_OPAQUE);
    case OP_EXISTS_FOLDER:
        return path != NULL ? value_truth(machine, directory_exists(whole))
                            : value_new(machine, VALUE_OPAQUE);
    case OP_LIST:
        return arguments->count == 1 && arguments->items[0]->kind == VALUE_LIST
                   ? arguments->items[0]
                   : value_new(machine, VALUE_OPAQUE);
    case OP_NEXT:
        return first != NULL && first->kind == VALUE_LIST && first->count > 0 ? first->items[0]
               : arguments->count == 2                                        ? arguments->items[1]
                                       : value_new(machine, VALUE_OPAQUE);
    case OP_GETATTR: return get_attribute(machine, arguments);
    case OP_FORMAT:
        return path != NULL && arguments->named_count == 0
                   ? value_fill_in(machine, path, "{}", arguments->items + 1, arguments->count - 1)
                   : value_new(machine, VALUE_OPAQUE);
    case OP_WITH_NAME:
        return path != NULL && arguments->count == 2
                   ? value_join(machine, (Value *[]){value_parent(machine, path), arguments->items[1]}, 2)
                   : value_new(machine, VALUE_OPAQUE);
    case OP_PUT_FIRST:
        for (size_t i = 0; i < arguments->count; i++)
            path_add_folders(machine, arguments->items[i], true);
        return value_new(machine, VALUE_NONE);
    case OP_PUT_LAST:
        for (size_t i = 0; i < arguments->count; i++)
            path_add_folders(machine, arguments->items[i], false);
        return value_new(machine, VALUE_NONE);
    case OP_IMPORT: return named_module(machine, VALUE_MODULE, argument(arguments, 0, "name"));
    case OP_FIND_SPEC: return named_module(machine, VALUE_SPEC, argument(arguments, 0, "name"));
    case OP_SPEC: return located(machine, VALUE_SPEC, argument(arguments, 1, "location"));
    case OP_LOADER: return located(machine, VALUE_LOADER, argument(arguments, 1, "path"));
    case OP_MODULE:
        first = argument(arguments, 0, "spec");
        return value_derive(machine, VALUE_MODULE, first != NULL && first->kind == VALUE_SPEC ? first : NULL);
    case OP_LOAD: return value_derive(machine, VALUE_MODULE, self);
    case OP_OPAQUE: break;
    }
    return value_new(machine, VALUE_OPAQUE);
}

static void bind_parameters(Machine *machine, const Node *function, const Arguments *arguments) {
    const Node *parameters = node_child(function, FIELD_args);
    if (parameters == NULL)
        return;
    const Field *names = node_list(parameters, FIELD_args), *defaults = node_list(parameters, FIELD_defaults);
    const Field *only = node_list(parameters, FIELD_kwonlyargs),
                *only_defaults = node_list(parameters, FIELD_kw_defaults);
    for (size_t i = 0; i < names->count + only->count; i++) {
        bool positional = i < names->count;
        const Node *parameter = positional ? names->items[i] : only->items[i - names->count];
        const char *name = parameter == NULL ? NULL : node_text(parameter, FIELD_arg);
        if (name == NULL)
            continue;
        Value *value = argument(arguments, positional ? i : SIZE_MAX, name);
        size_t from_end = positional ? names->count - i : 0;
        const Node *fallback = NULL;
        if (positional && from_end <= defaults->count)
            fallback = defaults->items[defaults->count - from_end];
        else if (!positional && i - names->count < only_defaults->count)
            fallback = only_defaults->items[i - names->count];
        if (value == NULL && fallback != NULL && arguments->plain)
            value = path_value(machine, fallback);
        scope_put(machine, name,
                  value != NULL && arguments->plain ? value : value_new(machine, VALUE_OPAQUE));
    }
}

static Value *call_function(Machine *machine, const Value *function, const Arguments *arguments) {
    if (machine->depth >= DEEPEST_CALL)
        return value_new(machine, VALUE_OPAQUE);
    Machine saved = *machine;
    Scope scope = {.names = table_new(machine->arena), .outer = machine->module_scope};
    machine->scope = &scope;
    machine->live = machine->trial = false;
    machine->flow = FLOW_NEXT;
    machine->returned = NULL;
    machine->depth++;
    bind_parameters(machine, function->function, arguments);
    path_run_function(machine, function->function);
    Value *result = machine->returned != NULL ? machine->returned : value_new(machine, VALUE_NONE);
    size_t steps = machine->steps;
    *machine = saved;
    machine->steps = steps;
    return result;
}

static void record_load(Machine *machine, const Node *call, const Value *module) {
    if (!machine->live)
        return;
    Place place = node_place(&machine->file->tree, call);
    if (module->text == NULL && module->module == NULL) {
        findings_add(machine->findings, &RULE_PATH_LOAD, SEVERITY_VIOLATION, place,
                     "the file that this call loads is not given by constant strings");
        return;
    }
    for (size_t i = 0; i < machine->out->loads.count; i++) {
        const Load *load = &machine->out->loads.items[i];
        if (load->call != call)
            continue;
        if (!text_equal(load->path, module->text) || !text_equal(load->module, module->module) ||
            !text_equal(load->attribute, module->attribute))
            findings_add(machine->findings, &RULE_PATH_LOAD, SEVERITY_VIOLATION, place,
                         "this call loads more than one file");
        return;
    }
    if (machine->out->loads.count == MOST_LOADS) {
        machine->steps = 0; /* too involved */
        return;
    }
    Load *load = ARENA_PUSH(machine->arena, &machine->out->loads);
    *load = (Load){call, module->text, module->module, module->attribute};
}

static bool is_chain(const Node *node) { /* a name, or attributes of one */
    while (node != NULL && node->kind == NODE_Attribute)
        node = node_child(node, FIELD_value);
    return node != NULL && node->kind == NODE_Name;
}

Value *path_call(Machine *machine, const Node *node) {
    const Node *touched_before = machine->touched;
    bool foreign_before = machine->foreign;
    const Node *callee = node_child(node, FIELD_func);
    Value *function = callee == NULL ? value_foreign(machine) : path_value(machine, callee);
    Arguments arguments = arguments_of(machine, node);
    Value *result = NULL;
    const PathEntry *entry = NULL;
    if (function->kind == VALUE_LIBRARY)
        entry = path_library(function->text);
    else if (function->kind == VALUE_METHOD)
        entry = path_method(function->text);
    if (entry != NULL)
        result = run_operation(machine, entry, function->self, &arguments);
    else if (function->kind == VALUE_FUNCTION)
        result = call_function(machine, function, &arguments);
    else
        return value_foreign(machine);
    if (result->kind != VALUE_MODULE || !function->path)
        return result;
    if (!is_chain(callee)) { /* the place would not tell it from the call that it begins with */
        Value *unknown = value_new(machine, VALUE_MODULE);
        record_load(machine, node, unknown);
        return unknown;
    }
    machine->touched = touched_before; /* the call becomes the module: nothing of it is run */
    machine->foreign = foreign_before;
    record_load(machine, node, result);
    return result;
}
