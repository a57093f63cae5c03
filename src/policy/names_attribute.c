/* What an attribute of a thing may be: of modules, packages, components, classes and their objects. */
#include "names_internal.h"

#include <string.h>

enum { LONGEST_PATH = 8, DEEPEST_BASES = 16 };

static size_t path_length(const char *path) {
    size_t parts = 1;
    for (; *path != '\0'; path++)
        parts += *path == '.';
    return parts;
}

static const char *path_below(const Names *names, Thing thing, const char *attribute) {
    return path_length(thing.path) >= LONGEST_PATH
               ? NULL
               : arena_printf(names->arena, "%s.%s", thing.path, attribute);
}

void add_bound(const Names *names, Things *things, const Binding *bound) {
    Thing component = {.kind = THING_COMPONENT, .file = bound->file};
    if (bound->attribute == NULL) {
        things_add(names->arena, things, component);
        return;
    }
    Things more = names_attribute(names, component, bound->attribute);
    things_add_all(names->arena, things, &more);
}

/* What `path` means by the statements `import a.b.c` of the file: components, and folders on the way to them.
 */
Things package_things(const Names *names, const ProgramFile *file, const char *path) {
    Things things = {0};
    size_t length = strlen(path);
    for (size_t i = 0; i < file->bindings.count; i++) {
        const Binding *bound = &file->bindings.items[i];
        if (bound->name == NULL || bound->node->kind != NODE_Import ||
            strncmp(bound->name, path, length) != 0)
            continue;
        if (bound->name[length] == '\0')
            add_bound(names, &things, bound);
        else if (bound->name[length] == '.')
            things_add(names->arena, &things, (Thing){.kind = THING_PACKAGE, .path = path, .file = file});
    }
    return things;
}

static Things module_attribute(const Names *names, Thing thing, const char *attribute) {
    Things things = {0};
    const char *path = path_below(names, thing, attribute);
    if (path == NULL)
        return things;
    bool is_module = thing.kind == THING_MODULE &&
                     (python_table_has("modules", path) || python_table_has("modules.attributes", path) ||
                      python_table_has("modules.path", path));
    ThingKind kind = is_module ? THING_MODULE : thing.kind == THING_MODULE ? THING_LIBRARY : thing.kind;
    things_add(names->arena, &things, (Thing){.kind = kind, .path = path});
    return things;
}

static Things package_attribute(const Names *names, Thing thing, const char *attribute) {
    const char *path = path_below(names, thing, attribute);
    return path == NULL ? (Things){0} : package_things(names, thing.file, path);
}

Scope *names_class_scope(const Names *names, Thing thing) {
    return names->files[thing.file->index].made[thing.node->id];
}

static bool has_decorator(const Node *function, const char *name) {
    const Field *decorators = node_field(function, FIELD_decorator_list);
    for (size_t i = 0; decorators != NULL && i < decorators->count; i++)
        if (decorators->items[i] != NULL && decorators->items[i]->kind == NODE_Name &&
            text_equal(node_text(decorators->items[i], FIELD_id), name))
            return true;
    return false;
}

static void add_member(const Names *names, Things *things, Thing member, bool on_instance) {
    Arena *arena = names->arena;
    if (member.kind == THING_FUNCTION && has_decorator(member.node, "property")) {
        Scope *scope = names->files[member.file->index].made[member.node->id];
        things_add_all(arena, things, &scope->returns);
        things_add(arena, things, (Thing){.kind = THING_UNKNOWN});
        return;
    }
    bool is_static = member.kind == THING_FUNCTION && has_decorator(member.node, "staticmethod");
    bool is_class = member.kind == THING_FUNCTION && has_decorator(member.node, "classmethod");
    if (member.kind == THING_FUNCTION && !is_static && (on_instance || is_class))
        member.kind = THING_METHOD;
    things_add(arena, things, member);
}

static void add_own_members(const Names *names, Things *things, const Scope *scope, const char *attribute,
                            bool on_instance) {
    const Variable *variable = table_get(scope->variables, attribute);
    for (size_t i = 0; variable != NULL && i < variable->things.count; i++)
        add_member(names, things, variable->things.items[i], on_instance);
    variable = table_get(scope->instance, attribute);
    if (variable != NULL && on_instance)
        things_add_all(names->arena, things, &variable->things);
}

static void add_base_members(const Names *names, Things *things, const Scope *scope, const char *attribute,
                             bool on_instance, int depth) {
    for (size_t i = 0; depth < DEEPEST_BASES && i < scope->bases.count; i++) {
        Thing base = scope->bases.items[i];
        if (base.kind != THING_CLASS)
            continue;
        const Scope *base_scope = names_class_scope(names, base);
        add_own_members(names, things, base_scope, attribute, on_instance);
        add_base_members(names, things, base_scope, attribute, on_instance, depth + 1);
    }
}

static bool derives_from(const Names *names, const Scope *scope, const Scope *base, int depth) {
    for (size_t i = 0; depth < DEEPEST_BASES && i < scope->bases.count; i++) {
        if (scope->bases.items[i].kind != THING_CLASS)
            continue;
        const Scope *next = names_class_scope(names, scope->bases.items[i]);
        if (next == base || derives_from(names, next, base, depth + 1))
            return true;
    }
    return false;
}

static Things class_attribute(const Names *names, Thing thing, const char *attribute) {
    Things things = {0};
    const Scope *scope = names_class_scope(names, thing);
    bool on_instance = thing.kind != THING_CLASS;
    if (thing.kind != THING_SUPER)
        add_own_members(names, &things, scope, attribute, on_instance);
    add_base_members(names, &things, scope, attribute, on_instance, 0);
    for (size_t i = 0; thing.kind == THING_INSTANCE && i < names->scopes.count; i++)
        if (names->scopes.items[i]->kind == SCOPE_CLASS &&
            derives_from(names, names->scopes.items[i], scope, 0))
            add_own_members(names, &things, names->scopes.items[i], attribute, true);
    if (things.count == 0)
        things_add(names->arena, &things, (Thing){.kind = THING_UNKNOWN});
    return things;
}

Things names_attribute(const Names *names, Thing thing, const char *attribute) {
    Things things = {0};
    switch (thing.kind) {
    case THING_MODULE:
    case THING_LIBRARY:
    case THING_BUILTIN: return module_attribute(names, thing, attribute);
    case THING_PACKAGE: return package_attribute(names, thing, attribute);
    case THING_COMPONENT: {
        const Scope *module = names->files[thing.file->index].made[thing.file->tree.module->id];
        const Variable *variable = table_get(module->variables, attribute);
        return variable == NULL ? things : variable->things;
    }
    case THING_CLASS:
    case THING_INSTANCE:
    case THING_SUPER: return class_attribute(names, thing, attribute);
    case THING_STATE:
        things_add(names->arena, &things, thing);
        things_add(names->arena, &things, (Thing){.kind = THING_UNKNOWN});
        return things;
    default: return things_unknown(names->arena);
    }
}

Things attribute_of(const Names *names, const Things *bases, const char *attribute) {
    Things things = {.overflow = bases->overflow};
    for (size_t i = 0; attribute != NULL && i < bases->count; i++) {
        if (bases->items[i].depth > 0)
            continue;
        Things more = names_attribute(names, bases->items[i], attribute);
        things_add_all(names->arena, &things, &more);
    }
    return things;
}
