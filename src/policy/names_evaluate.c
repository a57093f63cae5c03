/* What an expression may be, given what the variables may be. */
#include "names_internal.h"

#include <string.h>

enum { MOST_THINGS = 300, DEEPEST_CONTAINER = 3 };

static uint32_t hash_path(const char *path) { /* FNV-1a, 32 bits, never 0 */
    uint32_t hash = 0x811c9dc5U;
    for (; path != NULL && *path != '\0'; path++)
        hash = (hash ^ (uint8_t)*path) * 0x01000193U;
    return hash | 1;
}

static bool thing_equal(const Thing *a, const Thing *b) {
    return a->path_hash == b->path_hash && a->kind == b->kind && a->depth == b->depth && a->node == b->node &&
           a->file == b->file && text_equal(a->path, b->path);
}

bool things_add(Arena *arena, Things *things, Thing thing) {
    if (thing.path_hash == 0)
        thing.path_hash = hash_path(thing.path);
    for (size_t i = 0; i < things->count; i++)
        if (thing_equal(&things->items[i], &thing))
            return false;
    if (things->count >= MOST_THINGS) {
        bool grew = !things->overflow;
        things->overflow = true;
        return grew;
    }
    *(Thing *)ARENA_PUSH(arena, things) = thing;
    return true;
}

bool things_add_all(Arena *arena, Things *things, const Things *more) {
    bool grew = more->overflow && !things->overflow;
    things->overflow |= more->overflow;
    for (size_t i = 0; i < more->count; i++)
        grew |= things_add(arena, things, more->items[i]);
    return grew;
}

bool things_have(const Things *things, ThingKind kind) {
    for (size_t i = 0; i < things->count; i++)
        if (things->items[i].kind == kind)
            return true;
    return false;
}

bool things_all(const Things *things, ThingKind kind) {
    for (size_t i = 0; i < things->count; i++)
        if (things->items[i].kind != kind)
            return false;
    return things->count > 0 && !things->overflow;
}

const Thing *things_find(const Things *things, ThingKind kind, const char *path) {
    for (size_t i = 0; i < things->count; i++)
        if (things->items[i].kind == kind && text_equal(things->items[i].path, path))
            return &things->items[i];
    return NULL;
}

Things things_unknown(Arena *arena) {
    Things things = {0};
    things_add(arena, &things, (Thing){.kind = THING_UNKNOWN});
    return things;
}

/* What stands in a container display, or in a call that makes a container. */
static void add_inside(Arena *arena, Things *things, const Things *contents) {
    things->overflow |= contents->overflow;
    for (size_t i = 0; i < contents->count; i++) {
        Thing thing = contents->items[i];
        thing.depth += thing.depth < DEEPEST_CONTAINER;
        things_add(arena, things, thing);
    }
}

/* What comes out of a container: the thing itself, if it is no container. */
static void add_outside(Arena *arena, Things *things, const Things *container) {
    things->overflow |= container->overflow;
    for (size_t i = 0; i < container->count; i++) {
        Thing thing = container->items[i];
        thing.depth -= thing.depth > 0;
        things_add(arena, things, thing);
    }
}

/* Only what is inside: as it is, and one container less. */
static void add_contents(Arena *arena, Things *things, const Things *container) {
    Things inside = {0};
    for (size_t i = 0; i < container->count; i++)
        if (container->items[i].depth > 0)
            things_add(arena, &inside, container->items[i]);
    things_add_all(arena, things, &inside);
    add_outside(arena, things, &inside);
}

/* ---- Names -------------------------------------------------------------------------------- */

/* Class scopes are seen only by what stands directly in them. */
static Variable *find_variable(const Scope *scope, const char *name, const Scope **after) {
    bool first = true;
    for (; scope != NULL; scope = scope->parent, first = false) {
        if (scope->kind == SCOPE_CLASS && !first)
            continue;
        const Scope *declared = table_get(scope->declared, name);
        Variable *variable = table_get((declared != NULL ? declared : scope)->variables, name);
        *after = scope->parent;
        if (variable != NULL)
            return variable;
    }
    return NULL;
}

Variable *names_variable(const Scope *scope, const char *name) {
    const Scope *after;
    return find_variable(scope, name, &after);
}

static bool is_builtin(const char *name) {
    return python_table_has("builtins", name) || python_table_has("builtins.forbidden", name) ||
           python_table_has("builtins.called", name) || python_table_has("builtins.exceptions", name);
}

/* A name of a module or class that is not bound yet, or no more, is looked for further out: so both count. */
static Things evaluate_name(const Names *names, const Scope *scope, const char *name) {
    Things things = {0};
    while (scope != NULL) {
        Variable *variable = find_variable(scope, name, &scope);
        if (variable == NULL)
            break;
        things_add_all(names->arena, &things, &variable->things);
        if (variable->scope->kind == SCOPE_FUNCTION || variable->scope->kind == SCOPE_COMPREHENSION)
            return things;
        if (variable->scope->kind == SCOPE_MODULE)
            break;
    }
    if (is_builtin(name))
        things_add(names->arena, &things,
                   (Thing){.kind = THING_BUILTIN, .path = arena_strdup(names->arena, name)});
    return things;
}

/* ---- Imports ------------------------------------------------------------------------------ */

/* "torch.nn" of `from torch import nn`; with its dots where it is relative */
static Things evaluate_from(const Names *names, const Node *statement, const char *name) {
    const char *module = node_text(statement, FIELD_module);
    Things base = {0};
    if (module == NULL)
        return things_unknown(names->arena);
    things_add(names->arena, &base, (Thing){.kind = THING_MODULE, .path = module});
    return attribute_of(names, &base, name);
}

static Things evaluate_import(const Names *names, const FileNames *file, const NameBinding *binding) {
    Things things = {0};
    const Node *statement = binding->value;
    const char *name = node_text(binding->node, FIELD_name), *as = node_text(binding->node, FIELD_asname);
    const Binding *bound = program_binding(file->file, statement, as != NULL ? as : name);
    if (bound != NULL && (as != NULL || statement->kind == NODE_ImportFrom || strchr(name, '.') == NULL)) {
        add_bound(names, &things, bound);
        return things;
    }
    if (statement->kind == NODE_ImportFrom)
        return evaluate_from(names, statement, name);
    const char *first = as != NULL ? name : arena_strndup(names->arena, name, strcspn(name, "."));
    things = bound != NULL ? package_things(names, file->file, first) : things;
    if (things.count == 0)
        things_add(names->arena, &things, (Thing){.kind = THING_MODULE, .path = first});
    return things;
}

/* ---- Calls -------------------------------------------------------------------------------- */

static const Node *call_argument(const Node *call, size_t position) {
    const Field *args = node_field(call, FIELD_args);
    return args != NULL && position < args->count ? args->items[position] : NULL;
}

/* A result is remembered where a rule asks for it. */
static Thing result_of(const char *path) {
    bool remembered = python_table_has("iterators", path) || python_table_has("results", path) ||
                      text_starts(path, "itertools.") || text_starts(path, "torch.nn.");
    return (Thing){.kind = remembered ? THING_RESULT : THING_UNKNOWN, .path = remembered ? path : NULL};
}

static Things call_builtin(const Names *names, const FileNames *file, const Node *call, Thing builtin) {
    Arena *arena = names->arena;
    Things things = {0};
    const Node *first = call_argument(call, 0), *second = call_argument(call, 1);
    if (text_equal(builtin.path, "getattr") && first != NULL && second != NULL) {
        const char *attribute = node_string(second);
        Things base = names_evaluate(names, file, first);
        things = attribute == NULL ? things_unknown(arena) : attribute_of(names, &base, attribute);
        return things;
    }
    if (text_equal(builtin.path, "super")) {
        for (const Scope *scope = file->at[call->id]; scope != NULL; scope = scope->parent)
            if (scope->kind == SCOPE_CLASS) {
                things_add(arena, &things,
                           (Thing){.kind = THING_SUPER, .file = scope->file, .node = scope->node});
                return things;
            }
        return things_unknown(arena);
    }
    things_add(arena, &things, result_of(builtin.path));
    Things inner = first == NULL ? (Things){0} : names_evaluate(names, file, first);
    if (text_equal(builtin.path, "type")) {
        for (size_t i = 0; i < inner.count; i++)
            if (inner.items[i].kind == THING_INSTANCE)
                things_add(
                    arena, &things,
                    (Thing){.kind = THING_CLASS, .file = inner.items[i].file, .node = inner.items[i].node});
    } else if (python_table_has("builtins.containers", builtin.path)) {
        for (size_t i = 0; call_argument(call, i) != NULL; i++) { /* list(pairs), next(items): what is inside
                                                                    may come out */
            inner = names_evaluate(names, file, call_argument(call, i));
            add_contents(arena, &things, &inner);
        }
    }
    return things;
}

/* d.get(k), d.values(): what is inside comes out */
static void call_container(const Names *names, const FileNames *file, const Node *func, Things *things) {
    const Node *object = func->kind == NODE_Attribute ? node_child(func, FIELD_value) : NULL;
    if (object == NULL || !python_table_has("accessors", node_text(func, FIELD_attr)))
        return;
    Things inner = names_evaluate(names, file, object);
    add_contents(names->arena, things, &inner);
}

static void call_thing(const Names *names, const FileNames *file, const Node *call, Thing called,
                       Things *things) {
    Arena *arena = names->arena;
    Things more = {0};
    switch (called.kind) {
    case THING_CLASS:
        things_add(arena, things, (Thing){.kind = THING_INSTANCE, .file = called.file, .node = called.node});
        return;
    case THING_FUNCTION:
    case THING_METHOD:
        things_add_all(arena, things, &names->files[called.file->index].made[called.node->id]->returns);
        things_add(arena, things, (Thing){.kind = THING_UNKNOWN});
        return;
    case THING_BUILTIN:
        more = call_builtin(names, file, call, called);
        things_add_all(arena, things, &more);
        return;
    case THING_LIBRARY:
        things_add(arena, things, result_of(called.path));
        for (size_t i = 0; call_argument(call, i) != NULL; i++) {
            more = names_evaluate(names, file, call_argument(call, i));
            if (text_equal(called.path, "functools.partial"))
                things_add_all(arena, things, &more);
            else if (text_starts(called.path, "torch.nn.")) /* Sequential(Block()), ModuleList([Block()]) */
                for (size_t j = 0; j < more.count; j++) {
                    Thing thing = more.items[j];
                    thing.depth += thing.depth == 0;
                    things_add(arena, things, thing);
                }
        }
        return;
    case THING_STATE:
        things_add(arena, things, called);
        things_add(arena, things, (Thing){.kind = THING_UNKNOWN});
        return;
    default: things_add(arena, things, (Thing){.kind = THING_UNKNOWN});
    }
}

static Things evaluate_call(const Names *names, const FileNames *file, const Node *call) {
    Things things = {0};
    const Node *func = node_child(call, FIELD_func);
    if (func == NULL)
        return things_unknown(names->arena);
    const Binding *bound = program_binding(file->file, call, NULL);
    if (bound != NULL) {
        add_bound(names, &things, bound);
        return things;
    }
    Things called = names_evaluate(names, file, func);
    things.overflow = called.overflow;
    for (size_t i = 0; i < called.count; i++)
        if (called.items[i].depth == 0)
            call_thing(names, file, call, called.items[i], &things);
    call_container(names, file, func, &things);
    if (things.count == 0)
        return things_unknown(names->arena);
    return things;
}

/* Does any replacement field of the format string have a dot or bracket in its name? Nested fields count too:
 * "{:{0.width}}". */
static bool text_reads_attributes(const char *text, size_t length) {
    size_t depth = 0;
    bool in_name = false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '{' && depth == 0 && i + 1 < length && text[i + 1] == '{') {
            i++;
        } else if (text[i] == '{') {
            depth++;
            in_name = true;
        } else if (text[i] == '}') {
            depth -= depth > 0;
            in_name = false;
        } else if (depth > 0 && (text[i] == ':' || text[i] == '!')) {
            in_name = false;
        } else if (depth > 0 && in_name && (text[i] == '.' || text[i] == '[')) {
            return true;
        }
    }
    return false;
}

/* ---- Expressions -------------------------------------------------------------------------- */

typedef enum Taking { AS_IT_IS, INTO_CONTAINER, OUT_OF_CONTAINER } Taking;

static void add_field(const Names *names, const FileNames *file, const Node *node, FieldName name,
                      Taking taking, Things *things) {
    const Field *field = node_field(node, name);
    if (field == NULL)
        return;
    size_t count = field->kind == FIELD_IS_NODE ? 1 : field->count;
    for (size_t i = 0; i < count; i++) {
        const Node *item = field->kind == FIELD_IS_NODE ? field->node : field->items[i];
        if (item == NULL)
            continue;
        bool starred = item->kind == NODE_Starred; /* [*pairs] has what pairs has */
        Things more = names_evaluate(names, file, item);
        if (taking == INTO_CONTAINER && !starred)
            add_inside(names->arena, things, &more);
        else if (taking == OUT_OF_CONTAINER)
            add_outside(names->arena, things, &more);
        else
            things_add_all(names->arena, things, &more);
    }
}

static Things evaluate(const Names *names, const FileNames *file, const Node *node) {
    Things things = {0};
    const char *text;
    switch (node->kind) {
    case NODE_Constant:
        if (node->constant == CONSTANT_STR) {
            bool reads = text_reads_attributes(node->text, node->text_length);
            things_add(names->arena, &things, (Thing){.kind = THING_TEXT, .node = reads ? node : NULL});
        }
        return things;
    case NODE_Name:
        text = node_text(node, FIELD_id);
        return text == NULL ? things : evaluate_name(names, file->at[node->id], text);
    case NODE_Attribute:
        add_field(names, file, node, FIELD_value, AS_IT_IS, &things);
        return attribute_of(names, &things, node_text(node, FIELD_attr));
    case NODE_Call: return evaluate_call(names, file, node);
    case NODE_Lambda:
        things_add(names->arena, &things, (Thing){.kind = THING_FUNCTION, .file = file->file, .node = node});
        return things;
    case NODE_IfExp:
        add_field(names, file, node, FIELD_body, AS_IT_IS, &things);
        add_field(names, file, node, FIELD_orelse, AS_IT_IS, &things);
        return things;
    case NODE_BoolOp: add_field(names, file, node, FIELD_values, AS_IT_IS, &things); return things;
    case NODE_NamedExpr:
    case NODE_Starred: add_field(names, file, node, FIELD_value, AS_IT_IS, &things); return things;
    case NODE_Subscript: add_field(names, file, node, FIELD_value, OUT_OF_CONTAINER, &things); return things;
    case NODE_DictComp: add_field(names, file, node, FIELD_value, INTO_CONTAINER, &things); return things;
    case NODE_List:
    case NODE_Tuple:
    case NODE_Set: add_field(names, file, node, FIELD_elts, INTO_CONTAINER, &things); return things;
    case NODE_Dict: add_field(names, file, node, FIELD_values, INTO_CONTAINER, &things); return things;
    case NODE_GeneratorExp:
        things_add(names->arena, &things, (Thing){.kind = THING_RESULT, .path = "iter"});
        add_field(names, file, node, FIELD_elt, INTO_CONTAINER, &things);
        return things;
    case NODE_ListComp:
    case NODE_SetComp: add_field(names, file, node, FIELD_elt, INTO_CONTAINER, &things); return things;
    default: return things_unknown(names->arena);
    }
}

Things names_evaluate(const Names *names, const FileNames *file, const Node *node) {
    if (file->settled == NULL)
        return evaluate(names, file, node);
    Things **known = &file->settled[node->id];
    if (*known == NULL) {
        Things things = evaluate(names, file, node);
        things.capacity = things.count; /* it is shared: who adds to it adds to a copy */
        *known = arena_copy(names->arena, &things, sizeof things);
    }
    return **known;
}

/* What may come out of taking the value apart, at any depth. */
static Things elements_of(const Names *names, const FileNames *file, const Node *value) {
    Things all = names_evaluate(names, file, value), things = {.overflow = all.overflow}, outside;
    for (size_t i = 0; i < all.count; i++) /* a library's result is taken apart into nothing known */
        if (all.items[i].kind != THING_RESULT || all.items[i].depth > 0)
            things_add(names->arena, &things, all.items[i]);
    if (value->kind == NODE_Dict)
        add_field(names, file, value, FIELD_keys, INTO_CONTAINER, &things);
    for (int i = 0; i < DEEPEST_CONTAINER; i++) {
        outside = (Things){0};
        add_outside(names->arena, &outside, &things);
        things_add_all(names->arena, &things, &outside);
    }
    return things;
}

static bool means_builtin(const Names *names, const FileNames *file, const Node *called, const char *name) {
    const Things things = names_evaluate(names, file, called);
    return things.count == 1 && !things.overflow && things.items[0].kind == THING_BUILTIN &&
           text_equal(things.items[0].path, name);
}

/* What the tuples of zip(x, y) and enumerate(x) have at `position`; the call itself if that isn't clear, NULL
 * for what enumerate counts. */
static const Node *zipped_part(const Names *names, const FileNames *file, const Node *call, size_t position) {
    const Node *called = call->kind == NODE_Call ? node_child(call, FIELD_func) : NULL;
    const Field *arguments = called == NULL ? NULL : node_field(call, FIELD_args);
    if (called == NULL || called->kind != NODE_Name || arguments == NULL)
        return call;
    for (size_t i = 0; i < arguments->count; i++)
        if (arguments->items[i] == NULL || arguments->items[i]->kind == NODE_Starred)
            return call;
    if (means_builtin(names, file, called, "zip") && position <= arguments->count)
        return arguments->items[position - 1];
    if (means_builtin(names, file, called, "enumerate") && arguments->count > 0 && position <= 2)
        return position == 1 ? NULL : arguments->items[0];
    return call;
}

/* What a loop's target is taken out of; NULL: a number that counts. */
static const Node *looped_part(const Names *names, const FileNames *file, const NameBinding *binding) {
    const Node *part = binding->value;
    for (size_t i = 0; i < MOST_POSITIONS && part != NULL && binding->positions[i] > 0; i++) {
        const Node *next = zipped_part(names, file, part, binding->positions[i]);
        if (next == part)
            break;
        part = next;
    }
    return part;
}

/* What a binding gives its name: used in every round. */
Things names_of_binding(const Names *names, const FileNames *file, const NameBinding *binding) {
    Things things = {0};
    switch (binding->kind) {
    case BINDING_IMPORT: return evaluate_import(names, file, binding);
    case BINDING_DEFINITION:
        things_add(names->arena, &things,
                   (Thing){.kind = binding->node->kind == NODE_ClassDef ? THING_CLASS : THING_FUNCTION,
                           .file = file->file,
                           .node = binding->node});
        return things;
    case BINDING_VALUE:
    case BINDING_PARAMETER:
        return binding->value == NULL ? things : names_evaluate(names, file, binding->value);
    case BINDING_ELEMENT: {
        const Node *part = looped_part(names, file, binding);
        things = part == NULL ? things : elements_of(names, file, part);
        things_add(names->arena, &things, (Thing){.kind = THING_UNKNOWN});
        return things;
    }
    case BINDING_OTHER: return things_unknown(names->arena);
    }
    return things;
}
