/* Expressions of path code: what they come to, without running them. */
#include "pathcode.h"

#include <stdlib.h>
#include <string.h>

Value *value_new(Machine *machine, ValueKind kind) {
    Value *value = ARENA_NEW(machine->arena, Value);
    value->kind = kind;
    return value;
}

Value *value_text(Machine *machine, const char *text) {
    if (strlen(text) > PATH_LONGEST_TEXT)
        return value_new(machine, VALUE_OPAQUE);
    Value *value = value_new(machine, VALUE_TEXT);
    value->text = text;
    return value;
}

Value *value_truth(Machine *machine, bool truth) {
    Value *value = value_new(machine, VALUE_BOOL);
    value->number = truth;
    return value;
}

Value *value_foreign(Machine *machine) {
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

Value *value_derive(Machine *machine, ValueKind kind, const Value *from) {
    Value *value = value_new(machine, kind);
    if (from != NULL) {
        value->text = from->text;
        value->module = from->module;
    }
    return value;
}

void value_push(Machine *machine, Value *list, Value *item) {
    Value **items = ARENA_ARRAY(machine->arena, Value *, list->count + 1);
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof *items);
    items[list->count++] = item;
    list->items = items;
}

Value *path_optional(Machine *machine, const Node *node) {
    return node == NULL ? value_new(machine, VALUE_NONE) : path_value(machine, node);
}

static Value *value_of_name(Machine *machine, const Node *node) {
    const char *name = node_text(node, FIELD_id);
    if (name == NULL)
        return value_foreign(machine);
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
        return value->kind == VALUE_FOREIGN ? value_foreign(machine) : value;
    }
    if (path_builtin(name) == NULL)
        return value_foreign(machine);
    Value *value = value_new(machine, VALUE_LIBRARY);
    value->text = name;
    return value;
}

static Value *value_of_attribute(Machine *machine, const Node *node) {
    const char *name = node_text(node, FIELD_attr);
    Value *object = path_optional(machine, node_child(node, FIELD_value));
    if (name == NULL)
        return value_foreign(machine);
    Value *value = value_derive(machine, VALUE_OPAQUE, NULL);
    value->path = object->path;
    switch (object->kind) {
    case VALUE_LIBRARY: {
        value->text = arena_printf(machine->arena, "%s.%s", object->text, name);
        const PathEntry *entry = path_library(value->text);
        if (entry == NULL)
            return value_foreign(machine);
        value->kind = entry->operation == OP_TEXT ? VALUE_TEXT : VALUE_LIBRARY;
        value->text = entry->operation == OP_TEXT ? entry->text : entry->name;
        return value;
    }
    case VALUE_MODULE:
        if (object->attribute != NULL)
            return value_foreign(machine);
        value = value_derive(machine, VALUE_MODULE, object);
        value->attribute = name;
        return value;
    case VALUE_SPEC:
        if (strcmp(name, "loader") == 0)
            return value_derive(machine, VALUE_LOADER, object);
        return strcmp(name, "name") == 0 || strcmp(name, "origin") == 0 ? value : value_foreign(machine);
    case VALUE_TEXT:
        if (strcmp(name, "parent") == 0)
            return value_parent(machine, object->text);
        if (strcmp(name, "parents") == 0)
            return value_parents(machine, object->text);
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
    default: return value_foreign(machine);
    }
    if (path_method(name) == NULL)
        return value_foreign(machine);
    value->kind = VALUE_METHOD;
    value->text = name;
    value->self = object;
    value->path = true;
    return value;
}

static Value *value_of_operator(Machine *machine, const Node *node) {
    Value *left = path_optional(machine, node_child(node, FIELD_left));
    Value *right = path_optional(machine, node_child(node, FIELD_right));
    const Node *sign = node_child(node, FIELD_op);
    NodeKind kind = sign == NULL ? NODE_UNKNOWN : sign->kind;
    if (kind == NODE_Div && left->kind == VALUE_TEXT)
        return value_join(machine, (Value *[]){left, right}, 2);
    if (kind == NODE_Add && left->kind == VALUE_TEXT && right->kind == VALUE_TEXT)
        return value_text(machine, arena_printf(machine->arena, "%s%s", left->text, right->text));
    if (kind == NODE_Mod && left->kind == VALUE_TEXT)
        return right->kind == VALUE_LIST
                   ? value_fill_in(machine, left->text, "%s", right->items, right->count)
                   : value_fill_in(machine, left->text, "%s", &right, 1);
    if (kind == NODE_Add && left->kind == VALUE_LIST && right->kind == VALUE_LIST) {
        Value *list = value_new(machine, VALUE_LIST);
        for (size_t i = 0; i < left->count + right->count && i < PATH_LONGEST_LOOP; i++)
            value_push(machine, list, i < left->count ? left->items[i] : right->items[i - left->count]);
        return list;
    }
    return kind == NODE_Add && (left->kind == VALUE_LIST || right->kind == VALUE_LIST)
               ? (left->kind == VALUE_LIST ? left : right) /* [folder] + sys.path */
               : value_new(machine, VALUE_OPAQUE);
}

static Value *value_of_text_parts(Machine *machine, const Node *node) { /* an f-string */
    const Field *parts = node_list(node, FIELD_values);
    Text out = text_new(machine->arena);
    bool known = true;
    for (size_t i = 0; i < parts->count; i++) {
        const Node *part = parts->items[i];
        bool formatted = part != NULL && part->kind == NODE_FormattedValue;
        const Value *value = path_optional(machine, formatted ? node_child(part, FIELD_value) : part);
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
    const Field *ops = node_list(node, FIELD_ops), *others = node_list(node, FIELD_comparators);
    const Value *left = path_optional(machine, node_child(node, FIELD_left)), *right = NULL;
    for (size_t i = 0; i < others->count; i++)
        right = path_optional(machine, others->items[i]);
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
    const Field *values = node_list(node, FIELD_values);
    const Node *sign = node_child(node, FIELD_op);
    bool any = sign != NULL && sign->kind == NODE_Or;
    Value *result = NULL;
    bool decided = false;
    for (size_t i = 0; i < values->count; i++) {
        Value *value = path_optional(machine, values->items[i]);
        if (decided)
            continue;
        int truth = path_truth(value);
        result = truth < 0 ? value_new(machine, VALUE_OPAQUE) : value;
        decided = truth < 0 || truth == any;
    }
    return result != NULL ? result : value_new(machine, VALUE_OPAQUE);
}

static Value *value_of_list(Machine *machine, const Node *node) {
    const Field *items = node_list(node, FIELD_elts);
    Value *list = value_new(machine, items->count <= PATH_LONGEST_LOOP ? VALUE_LIST : VALUE_OPAQUE);
    for (size_t i = 0; i < items->count; i++) {
        Value *value = path_optional(machine, items->items[i]);
        if (list->kind == VALUE_LIST)
            value_push(machine, list, value);
        if (items->items[i] != NULL && items->items[i]->kind == NODE_Starred)
            list->kind = VALUE_OPAQUE;
    }
    return list;
}

static void comprehend(Machine *machine, const Node *node, size_t index, Value *list) {
    const Field *generators = node_list(node, FIELD_generators);
    if (index == generators->count) {
        if (node->kind == NODE_DictComp) {
            path_optional(machine, node_child(node, FIELD_key));
            path_optional(machine, node_child(node, FIELD_value));
            list->kind = VALUE_OPAQUE;
            return;
        }
        Value *value = path_optional(machine, node_child(node, FIELD_elt));
        if (list->count < PATH_LONGEST_LOOP)
            value_push(machine, list, value);
        return;
    }
    const Node *generator = generators->items[index];
    if (generator == NULL) {
        value_foreign(machine);
        return;
    }
    const Value *items = path_optional(machine, node_child(generator, FIELD_iter));
    const Node *target = node_child(generator, FIELD_target);
    const Field *conditions = node_list(generator, FIELD_ifs);
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
            taken = path_truth(path_optional(machine, conditions->items[j])) != 0 && taken;
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
    const Field *groups[] = {node_list(parameters, FIELD_defaults), node_list(parameters, FIELD_kw_defaults)};
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        for (size_t j = 0; j < groups[i]->count; j++)
            path_optional(machine, groups[i]->items[j]);
    for (size_t i = 0; i < COUNT_OF(lists) + COUNT_OF(others); i++) {
        bool single = i >= COUNT_OF(lists);
        const Field *field = single ? NULL : node_list(parameters, lists[i]);
        Node *const alone = single ? node_child(parameters, others[i - COUNT_OF(lists)]) : NULL;
        for (size_t j = 0; j < (single ? alone != NULL : field->count); j++) {
            const Node *parameter = single ? alone : field->items[j];
            if (parameter == NULL)
                continue;
            path_optional(machine, node_child(parameter, FIELD_annotation));
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
        path_optional(machine, node_child(node, FIELD_body));
        machine->scope = scope.outer;
        return value_foreign(machine);
    }
    for (size_t i = 0; i < node->field_count; i++) {
        const Field *field = &node->fields[i];
        if (field->kind == FIELD_IS_NODE)
            path_value(machine, field->node);
        for (size_t j = 0; field->kind == FIELD_IS_LIST && j < field->count; j++)
            if (field->items[j] != NULL)
                path_value(machine, field->items[j]);
    }
    return value_foreign(machine);
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
    const Value *object = path_optional(machine, node_child(node, FIELD_value));
    const Value *index = path_optional(machine, node_child(node, FIELD_slice));
    if (object->kind == VALUE_FOREIGN)
        return value_foreign(machine);
    if (object->kind == VALUE_LIST && index->kind == VALUE_INT && index->number >= 0 &&
        (uint64_t)index->number < object->count)
        return object->items[index->number];
    return value_new(machine, VALUE_OPAQUE);
}

Value *path_value(Machine *machine, const Node *node) {
    if (machine->steps == 0)
        return value_foreign(machine);
    machine->steps--;
    switch (node->kind) {
    case NODE_Constant: return value_of_constant(machine, node);
    case NODE_Name: return value_of_name(machine, node);
    case NODE_Attribute: return value_of_attribute(machine, node);
    case NODE_Call: return path_call(machine, node);
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
    case NODE_Starred: return path_optional(machine, node_child(node, FIELD_value));
    case NODE_Slice:
        path_optional(machine, node_child(node, FIELD_lower));
        path_optional(machine, node_child(node, FIELD_upper));
        return value_new(machine, VALUE_OPAQUE);
    case NODE_Dict: {
        const Field *keys = node_list(node, FIELD_keys), *values = node_list(node, FIELD_values);
        for (size_t i = 0; i < keys->count; i++)
            path_optional(machine, keys->items[i]);
        for (size_t i = 0; i < values->count; i++)
            path_optional(machine, values->items[i]);
        return value_new(machine, VALUE_OPAQUE);
    }
    case NODE_UnaryOp: {
        const Node *sign = node_child(node, FIELD_op);
        int truth = path_truth(path_optional(machine, node_child(node, FIELD_operand)));
        bool known = truth >= 0 && sign != NULL && sign->kind == NODE_Not;
        return known ? value_truth(machine, !truth) : value_new(machine, VALUE_OPAQUE);
    }
    case NODE_IfExp: {
        int truth = path_truth(path_optional(machine, node_child(node, FIELD_test)));
        Value *yes = path_optional(machine, node_child(node, FIELD_body));
        Value *no = path_optional(machine, node_child(node, FIELD_orelse));
        return truth < 0 ? value_new(machine, VALUE_OPAQUE) : truth ? yes : no;
    }
    default: return value_of_other(machine, node);
    }
}
