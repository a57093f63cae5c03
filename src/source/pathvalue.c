/* Expressions of path code: what they come to, without running them. */
#include "pathcode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_LOOP = 64, DEEPEST_CALL = 4, LONGEST_TEXT = 4096, MOST_ARGUMENTS = 16 };

Value *value_new(Machine *machine, ValueKind kind) {
    Value *value = ARENA_NEW(machine->arena, Value);
    value->kind = kind;
    return value;
}

Value *value_text(Machine *machine, const char *text) {
    if (strlen(text) > LONGEST_TEXT)
        return value_new(machine, VALUE_OPAQUE);
    Value *value = value_new(machine, VALUE_TEXT);
    value->text = text;
    return value;
}

static Value *value_truth(Machine *machine, bool truth) {
    Value *value = value_new(machine, VALUE_BOOL);
    value->number = truth;
    return value;
}

static Value *foreign(Machine *machine) {
    machine->foreign = machine->ever_foreign = true;
    return value_new(machine, VALUE_FOREIGN);
}

static void touch(Machine *machine, const Node *node) {
    machine->ever_touched = true;
    if (machine->touched == NULL)
        machine->touched = node;
}

void scope_put(Machine *machine, const char *name, Value *value) {
    table_put(machine->scope->names, name, value);
}

int path_truth(const Value *value) {
    switch (value->kind) {
    case VALUE_NONE: return 0;
    case VALUE_BOOL:
    case VALUE_INT: return value->number != 0;
    case VALUE_TEXT: return value->text[0] != '\0';
    case VALUE_LIST: return value->count > 0;
    case VALUE_SPEC:
    case VALUE_LOADER:
    case VALUE_MODULE: return 1;
    default: return -1;
    }
}

/* ---- Paths ---- */

static const char *make_absolute(Machine *machine, const char *path) {
    if (path[0] == '/')
        return path;
    return path_join(machine->arena, path_directory(machine->arena, machine->file->source.path), path);
}

void path_add_folders(Machine *machine, const Value *value, bool first) {
    for (size_t i = value->kind == VALUE_LIST ? value->count : 0; i > 0; i--)
        path_add_folders(machine, value->items[first ? i - 1 : value->count - i], first);
    if (value->kind != VALUE_TEXT || !machine->effects || machine->out->folders.count >= LONGEST_LOOP)
        return;
    const char *folder = path_normal(machine->arena, make_absolute(machine, value->text));
    *(const char **)ARENA_PUSH(machine->arena, &machine->out->folders) = folder;
    if (first) {
        memmove(machine->out->folders.items + 1, machine->out->folders.items,
                (machine->out->folders.count - 1) * sizeof(const char *));
        machine->out->folders.items[0] = folder;
    }
}

static Value *join(Machine *machine, Value *const *parts, size_t count) {
    const char *path = "";
    for (size_t i = 0; i < count; i++) {
        if (parts[i]->kind != VALUE_TEXT)
            return value_new(machine, VALUE_OPAQUE);
        const char *part = parts[i]->text;
        bool whole = part[0] == '/' || path[0] == '\0';
        path = whole ? part
                     : arena_printf(machine->arena, "%s%s%s", path, text_ends(path, "/") ? "" : "/", part);
    }
    return value_text(machine, path);
}

static Value *parent_of(Machine *machine, const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return value_text(machine, path_directory(machine->arena, arena_strndup(machine->arena, path, length)));
}

static void push_item(Machine *machine, Value *list, Value *item) {
    Value **items = ARENA_ARRAY(machine->arena, Value *, list->count + 1);
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof *items);
    items[list->count++] = item;
    list->items = items;
}

static Value *parents_of(Machine *machine, const char *path) {
    Value *list = value_new(machine, VALUE_LIST);
    for (Value *at = value_text(machine, path); at->kind == VALUE_TEXT && list->count < LONGEST_LOOP;) {
        Value *parent = parent_of(machine, at->text);
        if (parent->kind != VALUE_TEXT || strcmp(parent->text, at->text) == 0)
            break;
        push_item(machine, list, parent);
        at = parent;
    }
    return list;
}

/* `format` with "{}" or "%s" replaced by texts, one after another. */
static Value *fill_in(Machine *machine, const char *format, const char *mark, Value *const *parts,
                      size_t count) {
    Text out = text_new(machine->arena);
    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(format, mark);
        if (at == NULL || parts[i]->kind != VALUE_TEXT)
            return value_new(machine, VALUE_OPAQUE);
        text_add_bytes(&out, format, (size_t)(at - format));
        text_add(&out, parts[i]->text);
        format = at + strlen(mark);
    }
    if (strpbrk(format, "{%") != NULL)
        return value_new(machine, VALUE_OPAQUE);
    text_add(&out, format);
    return value_text(machine, out.data);
}

/* ---- Calls ---- */

typedef struct Arguments {
    Value *items[MOST_ARGUMENTS];
    size_t count;
    const char *names[MOST_ARGUMENTS]; /* keywords */
    Value *named[MOST_ARGUMENTS];
    size_t named_count;
    bool plain; /* no stars, and not too many */
} Arguments;

static const Field *list_of(const Node *node, FieldName name) {
    static const Field empty = {.kind = FIELD_IS_LIST};
    const Field *field = node_field(node, name);
    return field != NULL && field->kind == FIELD_IS_LIST ? field : &empty;
}

static Value *optional_value(Machine *machine, const Node *node) {
    return node == NULL ? value_new(machine, VALUE_NONE) : path_value(machine, node);
}

static Arguments arguments_of(Machine *machine, const Node *call) {
    Arguments arguments = {.plain = true};
    const Field *args = list_of(call, FIELD_args), *keywords = list_of(call, FIELD_keywords);
    for (size_t i = 0; i < args->count; i++) {
        Value *value = optional_value(machine, args->items[i]);
        if (arguments.count == MOST_ARGUMENTS || args->items[i] == NULL ||
            args->items[i]->kind == NODE_Starred)
            arguments.plain = false;
        else
            arguments.items[arguments.count++] = value;
    }
    for (size_t i = 0; i < keywords->count; i++) {
        const Node *keyword = keywords->items[i];
        Value *value =
            keyword == NULL ? foreign(machine) : optional_value(machine, node_child(keyword, FIELD_value));
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

static Value *derive(Machine *machine, ValueKind kind, const Value *from) {
    Value *value = value_new(machine, kind);
    if (from != NULL) {
        value->text = from->text;
        value->module = from->module;
    }
    return value;
}

static Value *located(Machine *machine, ValueKind kind, const Value *path) {
    Value *value = value_new(machine, kind);
    if (path != NULL && path->kind == VALUE_TEXT)
        value->text = path_normal(machine->arena, make_absolute(machine, path->text));
    return value;
}

static Value *named_module(Machine *machine, ValueKind kind, const Value *name) {
    Value *value = value_new(machine, kind);
    if (name != NULL && name->kind == VALUE_TEXT)
        value->module = name->text;
    return value;
}

static Value *get_attribute(Machine *machine, const Arguments *arguments) {
    const Value *object = argument(arguments, 0, ""), *name = argument(arguments, 1, "");
    if (object == NULL || name == NULL)
        return foreign(machine);
    if (object->kind != VALUE_MODULE || object->attribute != NULL)
        return object->kind == VALUE_OPAQUE ? value_new(machine, VALUE_OPAQUE) : foreign(machine);
    Value *value = derive(machine, VALUE_MODULE, object);
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
    const char *whole = path == NULL ? NULL : make_absolute(machine, path);
    if (!arguments->plain)
        return value_new(machine, VALUE_OPAQUE);
    switch (entry->operation) {
    case OP_NAMESPACE:
    case OP_TEXT: return foreign(machine);
    case OP_JOIN: return join(machine, arguments->items, arguments->count);
    case OP_PARENT: return path != NULL ? parent_of(machine, path) : value_new(machine, VALUE_OPAQUE);
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
                   ? fill_in(machine, path, "{}", arguments->items + 1, arguments->count - 1)
                   : value_new(machine, VALUE_OPAQUE);
    case OP_WITH_NAME:
        return path != NULL && arguments->count == 2
                   ? join(machine, (Value *[]){parent_of(machine, path), arguments->items[1]}, 2)
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
        return derive(machine, VALUE_MODULE, first != NULL && first->kind == VALUE_SPEC ? first : NULL);
    case OP_LOAD: return derive(machine, VALUE_MODULE, self);
    case OP_OPAQUE: break;
    }
    return value_new(machine, VALUE_OPAQUE);
}

static void bind_parameters(Machine *machine, const Node *function, const Arguments *arguments) {
    const Node *parameters = node_child(function, FIELD_args);
    if (parameters == NULL)
        return;
    const Field *names = list_of(parameters, FIELD_args), *defaults = list_of(parameters, FIELD_defaults);
    const Field *only = list_of(parameters, FIELD_kwonlyargs),
                *only_defaults = list_of(parameters, FIELD_kw_defaults);
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
    Load *load = ARENA_PUSH(machine->arena, &machine->out->loads);
    *load = (Load){call, module->text, module->module, module->attribute};
}

static bool is_chain(const Node *node) { /* a name, or attributes of one */
    while (node != NULL && node->kind == NODE_Attribute)
        node = node_child(node, FIELD_value);
    return node != NULL && node->kind == NODE_Name;
}

static Value *value_of_call(Machine *machine, const Node *node) {
    const Node *touched_before = machine->touched;
    bool foreign_before = machine->foreign;
    const Node *callee = node_child(node, FIELD_func);
    Value *function = callee == NULL ? foreign(machine) : path_value(machine, callee);
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
        return foreign(machine);
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

/* ---- Other expressions ---- */

static Value *value_of_name(Machine *machine, const Node *node) {
    const char *name = node_text(node, FIELD_id);
    if (name == NULL)
        return foreign(machine);
    if (strcmp(name, "__file__") == 0) {
        touch(machine, node);
        return value_text(machine, machine->file->source.path);
    }
    for (const Scope *scope = machine->scope; scope != NULL; scope = scope->outer) {
        Value *value = table_get(scope->names, name);
        if (value == NULL)
            continue;
        if (value->path)
            touch(machine, node);
        return value->kind == VALUE_FOREIGN ? foreign(machine) : value;
    }
    if (path_builtin(name) == NULL)
        return foreign(machine);
    Value *value = value_new(machine, VALUE_LIBRARY);
    value->text = name;
    return value;
}

static Value *value_of_attribute(Machine *machine, const Node *node) {
    const char *name = node_text(node, FIELD_attr);
    Value *object = optional_value(machine, node_child(node, FIELD_value));
    if (name == NULL)
        return foreign(machine);
    Value *value = derive(machine, VALUE_OPAQUE, NULL);
    value->path = object->path;
    switch (object->kind) {
    case VALUE_LIBRARY: {
        value->text = arena_printf(machine->arena, "%s.%s", object->text, name);
        const PathEntry *entry = path_library(value->text);
        if (entry == NULL)
            return foreign(machine);
        value->kind = entry->operation == OP_TEXT ? VALUE_TEXT : VALUE_LIBRARY;
        value->text = entry->operation == OP_TEXT ? entry->text : entry->name;
        return value;
    }
    case VALUE_MODULE:
        if (object->attribute != NULL)
            return foreign(machine);
        value = derive(machine, VALUE_MODULE, object);
        value->attribute = name;
        return value;
    case VALUE_SPEC:
        if (strcmp(name, "loader") == 0)
            return derive(machine, VALUE_LOADER, object);
        return strcmp(name, "name") == 0 || strcmp(name, "origin") == 0 ? value : foreign(machine);
    case VALUE_TEXT:
        if (strcmp(name, "parent") == 0)
            return parent_of(machine, object->text);
        if (strcmp(name, "parents") == 0)
            return parents_of(machine, object->text);
        if (strcmp(name, "name") == 0)
            return value_text(machine, path_name(object->text));
        if (strcmp(name, "stem") == 0)
            return value_text(machine, path_stem(machine->arena, object->text));
        break;
    case VALUE_OPAQUE:
        if (strcmp(name, "parent") == 0 || strcmp(name, "parents") == 0 || strcmp(name, "name") == 0 ||
            strcmp(name, "stem") == 0 || strcmp(name, "loader") == 0)
            return value;
        break;
    case VALUE_LIST:
    case VALUE_LOADER: break;
    default: return foreign(machine);
    }
    if (path_method(name) == NULL)
        return foreign(machine);
    value->kind = VALUE_METHOD;
    value->text = name;
    value->self = object;
    value->path = true;
    return value;
}

static Value *value_of_operator(Machine *machine, const Node *node) {
    Value *left = optional_value(machine, node_child(node, FIELD_left));
    Value *right = optional_value(machine, node_child(node, FIELD_right));
    const Node *sign = node_child(node, FIELD_op);
    NodeKind kind = sign == NULL ? NODE_UNKNOWN : sign->kind;
    if (kind == NODE_Div && left->kind == VALUE_TEXT)
        return join(machine, (Value *[]){left, right}, 2);
    if (kind == NODE_Add && left->kind == VALUE_TEXT && right->kind == VALUE_TEXT)
        return value_text(machine, arena_printf(machine->arena, "%s%s", left->text, right->text));
    if (kind == NODE_Mod && left->kind == VALUE_TEXT)
        return right->kind == VALUE_LIST ? fill_in(machine, left->text, "%s", right->items, right->count)
                                         : fill_in(machine, left->text, "%s", &right, 1);
    if (kind == NODE_Add && left->kind == VALUE_LIST && right->kind == VALUE_LIST) {
        Value *list = value_new(machine, VALUE_LIST);
        for (size_t i = 0; i < left->count + right->count && i < LONGEST_LOOP; i++)
            push_item(machine, list, i < left->count ? left->items[i] : right->items[i - left->count]);
        return list;
    }
    return kind == NODE_Add && (left->kind == VALUE_LIST || right->kind == VALUE_LIST)
               ? (left->kind == VALUE_LIST ? left : right) /* [folder] + sys.path */
               : value_new(machine, VALUE_OPAQUE);
}

static Value *value_of_text_parts(Machine *machine, const Node *node) { /* an f-string */
    const Field *parts = list_of(node, FIELD_values);
    Text out = text_new(machine->arena);
    bool known = true;
    for (size_t i = 0; i < parts->count; i++) {
        const Node *part = parts->items[i];
        bool formatted = part != NULL && part->kind == NODE_FormattedValue;
        const Value *value = optional_value(machine, formatted ? node_child(part, FIELD_value) : part);
        if (value->kind == VALUE_TEXT && !(formatted && node_field(part, FIELD_format_spec) != NULL))
            text_add(&out, value->text);
        else if (value->kind == VALUE_INT)
            text_printf(&out, "%lld", (long long)value->number);
        else
            known = false;
        if (formatted && node_child(part, FIELD_format_spec) != NULL)
            path_value(machine, node_child(part, FIELD_format_spec));
    }
    return known ? value_text(machine, out.data) : value_new(machine, VALUE_OPAQUE);
}

static Value *value_of_comparison(Machine *machine, const Node *node) {
    const Field *ops = list_of(node, FIELD_ops), *others = list_of(node, FIELD_comparators);
    const Value *left = optional_value(machine, node_child(node, FIELD_left)), *right = NULL;
    for (size_t i = 0; i < others->count; i++)
        right = optional_value(machine, others->items[i]);
    if (ops->count != 1 || others->count != 1 || ops->items[0] == NULL)
        return value_new(machine, VALUE_OPAQUE);
    bool unknown = path_truth(left) < 0;
    switch (ops->items[0]->kind) {
    case NODE_Is:
    case NODE_IsNot:
        if (right->kind != VALUE_NONE || unknown)
            break;
        return value_truth(machine, (left->kind == VALUE_NONE) == (ops->items[0]->kind == NODE_Is));
    case NODE_In: /* in sys.path, in sys.modules: we begin with neither */
    case NODE_NotIn:
        if (right->kind != VALUE_LIBRARY)
            break;
        return value_truth(machine, ops->items[0]->kind == NODE_NotIn);
    case NODE_Eq:
    case NODE_NotEq:
        if (left->kind != VALUE_TEXT || right->kind != VALUE_TEXT)
            break;
        return value_truth(machine,
                           (strcmp(left->text, right->text) == 0) == (ops->items[0]->kind == NODE_Eq));
    default: break;
    }
    return value_new(machine, VALUE_OPAQUE);
}

static Value *value_of_choice(Machine *machine, const Node *node) { /* and, or */
    const Field *values = list_of(node, FIELD_values);
    const Node *sign = node_child(node, FIELD_op);
    bool any = sign != NULL && sign->kind == NODE_Or;
    Value *result = NULL;
    bool decided = false;
    for (size_t i = 0; i < values->count; i++) {
        Value *value = optional_value(machine, values->items[i]);
        if (decided)
            continue;
        int truth = path_truth(value);
        result = truth < 0 ? value_new(machine, VALUE_OPAQUE) : value;
        decided = truth < 0 || truth == any;
    }
    return result != NULL ? result : value_new(machine, VALUE_OPAQUE);
}

static Value *value_of_list(Machine *machine, const Node *node) {
    const Field *items = list_of(node, FIELD_elts);
    Value *list = value_new(machine, items->count <= LONGEST_LOOP ? VALUE_LIST : VALUE_OPAQUE);
    for (size_t i = 0; i < items->count; i++) {
        Value *value = optional_value(machine, items->items[i]);
        if (list->kind == VALUE_LIST)
            push_item(machine, list, value);
        if (items->items[i] != NULL && items->items[i]->kind == NODE_Starred)
            list->kind = VALUE_OPAQUE;
    }
    return list;
}

static void comprehend(Machine *machine, const Node *node, size_t index, Value *list) {
    const Field *generators = list_of(node, FIELD_generators);
    if (index == generators->count) {
        if (node->kind == NODE_DictComp) {
            optional_value(machine, node_child(node, FIELD_key));
            optional_value(machine, node_child(node, FIELD_value));
            list->kind = VALUE_OPAQUE;
            return;
        }
        Value *value = optional_value(machine, node_child(node, FIELD_elt));
        if (list->count < LONGEST_LOOP)
            push_item(machine, list, value);
        return;
    }
    const Node *generator = generators->items[index];
    if (generator == NULL) {
        foreign(machine);
        return;
    }
    const Value *items = optional_value(machine, node_child(generator, FIELD_iter));
    const Node *target = node_child(generator, FIELD_target);
    const Field *conditions = list_of(generator, FIELD_ifs);
    bool known = items->kind == VALUE_LIST && items->count > 0;
    if (!known)
        list->kind = VALUE_OPAQUE;
    for (size_t i = 0; i < (known ? items->count : 1); i++) {
        if (target != NULL)
            path_assign(
                machine, target,
                known ? items->items[i]
                      : value_new(machine, items->kind == VALUE_FOREIGN ? VALUE_FOREIGN : VALUE_OPAQUE));
        bool taken = true;
        for (size_t j = 0; j < conditions->count; j++)
            taken = path_truth(optional_value(machine, conditions->items[j])) != 0 && taken;
        if (taken || machine->live)
            comprehend(machine, node, index + 1, taken ? list : value_new(machine, VALUE_LIST));
    }
}

static Value *value_of_comprehension(Machine *machine, const Node *node) {
    Scope scope = {.names = table_new(machine->arena), .outer = machine->scope};
    machine->scope = &scope;
    Value *list = value_new(machine, VALUE_LIST);
    comprehend(machine, node, 0, list);
    machine->scope = scope.outer;
    return list;
}

void path_foreign_parameters(Machine *machine, const Node *parameters) {
    static const FieldName lists[] = {FIELD_posonlyargs, FIELD_args, FIELD_kwonlyargs};
    static const FieldName others[] = {FIELD_vararg, FIELD_kwarg};
    const Field *groups[] = {list_of(parameters, FIELD_defaults), list_of(parameters, FIELD_kw_defaults)};
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        for (size_t j = 0; j < groups[i]->count; j++)
            optional_value(machine, groups[i]->items[j]);
    for (size_t i = 0; i < COUNT_OF(lists) + COUNT_OF(others); i++) {
        bool single = i >= COUNT_OF(lists);
        const Field *field = single ? NULL : list_of(parameters, lists[i]);
        Node *const alone = single ? node_child(parameters, others[i - COUNT_OF(lists)]) : NULL;
        for (size_t j = 0; j < (single ? alone != NULL : field->count); j++) {
            const Node *parameter = single ? alone : field->items[j];
            if (parameter == NULL)
                continue;
            optional_value(machine, node_child(parameter, FIELD_annotation));
            if (node_text(parameter, FIELD_arg) != NULL)
                scope_put(machine, node_text(parameter, FIELD_arg), value_new(machine, VALUE_FOREIGN));
        }
    }
}

/* Anything that path code doesn't have: only looked through. */
static Value *value_of_other(Machine *machine, const Node *node) {
    Scope scope = {.names = table_new(machine->arena), .outer = machine->scope};
    if (node->kind == NODE_Lambda) {
        machine->scope = &scope;
        if (node_child(node, FIELD_args) != NULL)
            path_foreign_parameters(machine, node_child(node, FIELD_args));
        optional_value(machine, node_child(node, FIELD_body));
        machine->scope = scope.outer;
        return foreign(machine);
    }
    for (size_t i = 0; i < node->field_count; i++) {
        const Field *field = &node->fields[i];
        if (field->kind == FIELD_IS_NODE)
            path_value(machine, field->node);
        for (size_t j = 0; field->kind == FIELD_IS_LIST && j < field->count; j++)
            if (field->items[j] != NULL)
                path_value(machine, field->items[j]);
    }
    return foreign(machine);
}

static Value *value_of_constant(Machine *machine, const Node *node) {
    Value *value = value_new(machine, VALUE_OPAQUE);
    switch (node->constant) {
    case CONSTANT_NONE: value->kind = VALUE_NONE; break;
    case CONSTANT_BOOL: return value_truth(machine, text_equal(node->text, "True"));
    case CONSTANT_INT:
        value->kind = strlen(node->text) < 10 ? VALUE_INT : VALUE_OPAQUE;
        value->number = strtoll(node->text, NULL, 10);
        break;
    case CONSTANT_STR:
        if (node_string(node) != NULL)
            return value_text(machine, node->text);
        break;
    default: break;
    }
    return value;
}

static Value *value_of_subscript(Machine *machine, const Node *node) {
    const Value *object = optional_value(machine, node_child(node, FIELD_value));
    const Value *index = optional_value(machine, node_child(node, FIELD_slice));
    if (object->kind == VALUE_FOREIGN)
        return foreign(machine);
    if (object->kind == VALUE_LIST && index->kind == VALUE_INT && index->number >= 0 &&
        (uint64_t)index->number < object->count)
        return object->items[index->number];
    return value_new(machine, VALUE_OPAQUE);
}

Value *path_value(Machine *machine, const Node *node) {
    if (machine->steps == 0)
        return foreign(machine);
    machine->steps--;
    switch (node->kind) {
    case NODE_Constant: return value_of_constant(machine, node);
    case NODE_Name: return value_of_name(machine, node);
    case NODE_Attribute: return value_of_attribute(machine, node);
    case NODE_Call: return value_of_call(machine, node);
    case NODE_BinOp: return value_of_operator(machine, node);
    case NODE_JoinedStr: return value_of_text_parts(machine, node);
    case NODE_Compare: return value_of_comparison(machine, node);
    case NODE_BoolOp: return value_of_choice(machine, node);
    case NODE_List:
    case NODE_Tuple:
    case NODE_Set: return value_of_list(machine, node);
    case NODE_ListComp:
    case NODE_SetComp:
    case NODE_DictComp:
    case NODE_GeneratorExp: return value_of_comprehension(machine, node);
    case NODE_Subscript: return value_of_subscript(machine, node);
    case NODE_Starred: return optional_value(machine, node_child(node, FIELD_value));
    case NODE_Slice:
        optional_value(machine, node_child(node, FIELD_lower));
        optional_value(machine, node_child(node, FIELD_upper));
        return value_new(machine, VALUE_OPAQUE);
    case NODE_Dict: {
        const Field *keys = list_of(node, FIELD_keys), *values = list_of(node, FIELD_values);
        for (size_t i = 0; i < keys->count; i++)
            optional_value(machine, keys->items[i]);
        for (size_t i = 0; i < values->count; i++)
            optional_value(machine, values->items[i]);
        return value_new(machine, VALUE_OPAQUE);
    }
    case NODE_UnaryOp: {
        const Node *sign = node_child(node, FIELD_op);
        int truth = path_truth(optional_value(machine, node_child(node, FIELD_operand)));
        bool known = truth >= 0 && sign != NULL && sign->kind == NODE_Not;
        return known ? value_truth(machine, !truth) : value_new(machine, VALUE_OPAQUE);
    }
    case NODE_IfExp: {
        int truth = path_truth(optional_value(machine, node_child(node, FIELD_test)));
        Value *yes = optional_value(machine, node_child(node, FIELD_body));
        Value *no = optional_value(machine, node_child(node, FIELD_orelse));
        return truth < 0 ? value_new(machine, VALUE_OPAQUE) : truth ? yes : no;
    }
    default: return value_of_other(machine, node);
    }
}
