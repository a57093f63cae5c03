/* Preload: libraries that the original imports are imported once, in the zygote, instead of in every cell,
 * since transformers takes seconds. */
#include "step_state.h"

#include <ctype.h>
#include <string.h>

typedef struct Statements {
    const char **items;
    size_t count, capacity;
} Statements;

/* Whether the original imports `name` from beside itself, so that no library is meant. */
static bool stands_beside(StepState *step, const char *name) {
    const char *folder = path_directory(step->arena, step->original.program.items[0]->source.path);
    return file_exists(arena_printf(step->arena, "%s/%s.py", folder, name)) ||
           file_exists(arena_printf(step->arena, "%s/children/%s.py", folder, name)) ||
           directory_exists(arena_printf(step->arena, "%s/%s", folder, name));
}

Status preload_imports(StepState *step, Error *error) {
    const Field *body = node_field(step->original.program.items[0]->tree.module, FIELD_body);
    Statements statements = {0};
    for (size_t i = 0; body != NULL && i < body->count; i++) {
        const Node *node = body->items[i];
        if (node == NULL || (node->kind != NODE_Import && node->kind != NODE_ImportFrom))
            continue;
        const Field *level = node_field(node, FIELD_level), *names = node_field(node, FIELD_names);
        if (level != NULL && level->number > 0)
            continue;
        const char *from = node_text(node, FIELD_module);
        for (size_t j = 0; names != NULL && j < names->count; j++) {
            const char *name = node_text(names->items[j], FIELD_name), *module = from == NULL ? name : from;
            char *root = arena_strndup(step->arena, module, strcspn(module, "."));
            if (strcmp(root, "torch") != 0 && !stands_beside(step, root))
                *(const char **)ARENA_PUSH(step->arena, &statements) =
                    from == NULL ? arena_printf(step->arena, "import %s", name)
                                 : arena_printf(step->arena, "from %s import %s", from, name);
        }
    }
    return statements.count == 0 ? STATUS_OK
                                 : probe_preload(step->probe, statements.items, statements.count, error);
}

static bool is_dotted_name(const char *name) {
    for (const char *at = name; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '.')
            return false;
    return isalpha((unsigned char)name[0]);
}

/* AutoModel.from_config imports the modules that it needs when it is called. */
Status preload_modules(StepState *step, Error *error) {
    const json_t *modules = json_object_get(step->original_description.done, "modules");
    Table *seen = table_new(step->arena);
    Statements statements = {0};
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const char *class = json_string_value(json_object_get(json_array_get(modules, i), "library"));
        const char *end = class == NULL ? NULL : strrchr(class, '.');
        char *module = end == NULL ? NULL : arena_strndup(step->arena, class, (size_t)(end - class));
        if (module == NULL || table_has(seen, module) || !is_dotted_name(module))
            continue;
        table_put(seen, module, TABLE_PRESENT);
        char *root = arena_strndup(step->arena, module, strcspn(module, "."));
        if (strcmp(root, "torch") != 0 && !stands_beside(step, root))
            *(const char **)ARENA_PUSH(step->arena, &statements) =
                arena_printf(step->arena, "import %s", module);
    }
    return probe_preload(step->probe, statements.items, statements.count, error);
}
