/* Import statements and loading calls: which file each of them means. */
#include "imports.h"

#include <string.h>

typedef struct Lookup {
    Arena *arena;
    const Places *places;
    Importer *importer;
    const char *const *allowed;
    size_t allowed_count;
    Findings *findings;
    Table *reached, *unreached; /* names that are read */
} Lookup;

static int64_t level_of(const Node *statement) {
    const Field *level = node_field(statement, FIELD_level);
    return level != NULL && level->kind == FIELD_IS_INT && level->number > 0 ? level->number : 0;
}

static Finding *report(Lookup *lookup, const Rule *rule, const Node *node, const char *what) {
    const ProgramFile *file = lookup->importer->file;
    Finding *finding =
        findings_add(lookup->findings, rule, SEVERITY_VIOLATION, node_place(&file->tree, node), "%s", what);
    finding->frame = source_frame(lookup->findings->arena, &file->source, finding->place);
    return finding;
}

static bool is_allowed(const Lookup *lookup, const char *module) {
    for (size_t i = 0; i < lookup->allowed_count; i++) {
        size_t length = strlen(lookup->allowed[i]);
        if (strncmp(lookup->allowed[i], module, length) == 0 &&
            (module[length] == '\0' || module[length] == '.'))
            return true;
    }
    return module_is_allowed(module);
}

static const char *shown(const Lookup *lookup, const char *path) {
    return path_relative(lookup->arena, lookup->places->main_folder, path);
}

static void add_use(Lookup *lookup, Use use) {
    *(Use *)ARENA_PUSH(lookup->arena, &lookup->importer->uses) = use;
}

/* The file of a module, with findings on where it was found. */
static Found find(Lookup *lookup, const Node *node, const char *module, int64_t level) {
    const Places *places = lookup->places;
    Found found =
        places_find(places, lookup->importer->file->source.path, lookup->importer->code, module, level);
    if (found.path == NULL)
        return found;
    if (found.other != NULL)
        report(lookup, &RULE_IMPORT_AMBIGUOUS, node,
               arena_printf(lookup->arena, "'%s' could be %s or %s", module, shown(lookup, found.path),
                            shown(lookup, found.other)));
    const char *bound = places->root != NULL ? places->root : places->main_folder;
    bool led_out = !path_inside(bound, found.path) && (places->root != NULL || path_inside(bound, found.as));
    if (led_out)
        report(lookup, &RULE_IMPORT_OUTSIDE, node,
               arena_printf(lookup->arena, "'%s' is %s, outside of %s", module, found.path, bound));
    return found;
}

static void report_missing(Lookup *lookup, const Node *node, const char *module, int64_t level) {
    char dots[9] = "........";
    dots[level < 8 ? level : 8] = '\0';
    report(lookup, &RULE_IMPORT_MISSING, node,
           arena_printf(lookup->arena, "cannot find module '%s%s'; looked in %s", dots, module,
                        places_text(lookup->places, lookup->importer->file->source.path,
                                    lookup->importer->code, level)));
}

/* ---- Handlers: try: import .. except ImportError: .. ---- */

static bool catches_import_error(const Node *type) {
    static const char *const names[] = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"};
    if (type == NULL)
        return true;
    const Field *items = node_list(type, FIELD_elts);
    for (size_t i = 0; i < items->count; i++)
        if (items->items[i] != NULL && catches_import_error(items->items[i]))
            return true;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (type->kind == NODE_Name && text_equal(node_text(type, FIELD_id), names[i]))
            return true;
    return false;
}

static bool has_item(const Node *node, FieldName name, const Node *item) {
    const Field *field = node_list(node, name);
    for (size_t i = 0; i < field->count; i++)
        if (field->items[i] == item)
            return true;
    return false;
}

/* The try statement whose body holds `node` and whose handlers catch a failing import; NULL if there is none.
 */
static const Node *guarding_try(const Node *node) {
    for (const Node *at = node; at->parent != NULL; at = at->parent) {
        const Node *try = at->parent;
        if (try->kind == NODE_FunctionDef || try->kind == NODE_ClassDef)
            return NULL;
        if (try->kind != NODE_Try || !has_item(try, FIELD_body, at))
            continue;
        const Field *handlers = node_list(try, FIELD_handlers);
        for (size_t i = 0; i < handlers->count; i++)
            if (handlers->items[i] != NULL &&
                catches_import_error(node_child(handlers->items[i], FIELD_type)))
                return try;
    }
    return NULL;
}

/* The try statement one of whose handlers for failing imports holds `node`. */
static const Node *try_of_handler(const Node *node) {
    for (const Node *at = node; at->parent != NULL; at = at->parent)
        if (at->kind == NODE_ExceptHandler && catches_import_error(node_child(at, FIELD_type)))
            return at->parent;
    return NULL;
}

typedef struct InsideWalk {
    const bool *missing;
    bool found;
} InsideWalk;

static bool look_for_missing(const Node *node, void *context) {
    InsideWalk *walk = context;
    walk->found |= walk->missing[node->id];
    return !walk->found;
}

/* Whether some import in the body of `try` finds nothing, so that its handlers run. */
static bool handlers_run(const Lookup *lookup, const Node *try) {
    InsideWalk walk = {.missing = lookup->importer->file->missing};
    const Field *body = node_list(try, FIELD_body);
    for (size_t i = 0; i < body->count; i++)
        if (body->items[i] != NULL)
            node_walk(body->items[i], look_for_missing, &walk);
    return walk.found;
}

/* ---- Statements ---- */

static const char *bound_name(const Node *alias) {
    const char *name = node_text(alias, FIELD_asname);
    return name != NULL ? name : node_text(alias, FIELD_name);
}

/* Whether only the self-test reads the name that an alias binds; what other files take from this one is read.
 */
static bool is_for_test(const Lookup *lookup, const char *bound) {
    const Table *taken = lookup->importer->taken;
    if (taken != NULL && (table_has(taken, bound) || text_equal(bound, "Model") ||
                          text_equal(bound, "RefactoredModel") || text_starts(bound, "get_")))
        return false;
    char *first = arena_strndup(lookup->arena, bound, strcspn(bound, "."));
    return table_has(lookup->unreached, first) && !table_has(lookup->reached, first);
}

static bool is_read(const Lookup *lookup, const char *bound) {
    return table_has(lookup->reached, arena_strndup(lookup->arena, bound, strcspn(bound, ".")));
}

/* A module of the library: judges the import. Returns whether the alias is to be taken out. */
static bool judge_library(Lookup *lookup, const Node *node, const char *module, const char *bound,
                          bool standard) {
    if (module_is_path(module))
        return true;
    const char *first = arena_strndup(lookup->arena, module, strcspn(module, "."));
    Found shadow =
        places_find(lookup->places, lookup->importer->file->source.path, lookup->importer->code, first, 0);
    if (shadow.path != NULL)
        report(lookup, &RULE_IMPORT_SHADOW, node,
               arena_printf(lookup->arena, "%s bears the name of the module '%s'", shown(lookup, shadow.path),
                            first));
    if (is_allowed(lookup, module))
        return false;
    if (standard && !is_read(lookup, bound))
        return true;
    report(lookup, &RULE_IMPORT_STANDARD, node,
           arena_printf(lookup->arena, "'%s' is a standard module that candidates may not use", module));
    return false;
}

static bool is_library(const Lookup *lookup, const char *module) {
    return module_is_standard(module) || is_allowed(lookup, module);
}

/* `import a.b.c as d`. Returns whether the alias is settled; false: nothing was found. */
static bool resolve_import(Lookup *lookup, const Node *statement, const Node *alias) {
    const char *module = node_text(alias, FIELD_name);
    const char *bound = bound_name(alias);
    if (is_library(lookup, module)) {
        if (judge_library(lookup, alias, module, bound, module_is_standard(module)))
            add_use(lookup, (Use){.node = statement, .name = bound});
        return true;
    }
    Found found = find(lookup, alias, module, 0);
    if (found.path == NULL)
        return false;
    if (node_text(alias, FIELD_asname) == NULL)
        for (const char *dot = strchr(module, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
            char *package = arena_strndup(lookup->arena, module, (size_t)(dot - module));
            Found init = places_find(lookup->places, lookup->importer->file->source.path,
                                     lookup->importer->code, package, 0);
            if (init.path != NULL && strcmp(path_name(init.path), "__init__.py") == 0)
                add_use(lookup, (Use){.node = statement, .name = package, .path = init.path});
        }
    add_use(lookup, (Use){.node = statement, .name = bound, .path = found.path});
    return true;
}

/* `from a.b import c as d` */
static bool resolve_from(Lookup *lookup, const Node *statement, const Node *alias) {
    const char *module = node_text(statement, FIELD_module), *name = node_text(alias, FIELD_name);
    const char *bound = bound_name(alias);
    int64_t level = level_of(statement);
    module = module != NULL ? module : "";
    if (level == 0 && is_library(lookup, module)) {
        if (strcmp(name, "*") == 0)
            report(lookup, &RULE_IMPORT_STAR, statement,
                   arena_printf(lookup->arena, "'from %s import *' hides which names are meant", module));
        if (judge_library(lookup, statement, module, bound, module_is_standard(module)))
            add_use(lookup, (Use){.node = statement, .name = bound});
        return true;
    }
    Found base = {0}, inner = {0};
    bool package_only = module[0] == '\0';
    base = find(lookup, statement, module, level);
    bool is_package = base.path != NULL && strcmp(path_name(base.path), "__init__.py") == 0;
    if (strcmp(name, "*") == 0) {
        if (base.path == NULL)
            return false;
        report(lookup, &RULE_IMPORT_STAR, statement,
               arena_printf(lookup->arena, "'from %s import *' hides which names are meant", module));
        return true;
    }
    if (base.path == NULL || is_package)
        inner = find(lookup, alias, package_only ? name : arena_printf(lookup->arena, "%s.%s", module, name),
                     level);
    if (inner.path != NULL)
        add_use(lookup, (Use){.node = statement,
                              .name = bound,
                              .path = inner.path,
                              .package = base.path,
                              .attribute = is_package ? name : NULL});
    else if (base.path != NULL)
        add_use(lookup, (Use){.node = statement, .name = bound, .path = base.path, .attribute = name});
    return inner.path != NULL || base.path != NULL;
}

static void resolve_statement(Lookup *lookup, const Node *statement) {
    const Field *names = node_list(statement, FIELD_names);
    bool from = statement->kind == NODE_ImportFrom, nothing_left = true;
    for (size_t i = 0; i < names->count; i++) {
        const Node *alias = names->items[i];
        const char *bound = alias == NULL ? NULL : bound_name(alias);
        if (bound == NULL || node_text(alias, FIELD_name) == NULL)
            continue;
        if (is_for_test(lookup, bound)) {
            add_use(lookup, (Use){.node = statement, .name = bound});
            continue;
        }
        nothing_left = false;
        if (from ? resolve_from(lookup, statement, alias) : resolve_import(lookup, statement, alias))
            continue;
        const Node *try = try_of_handler(statement);
        if (guarding_try(statement) != NULL || (try != NULL && !handlers_run(lookup, try))) {
            lookup->importer->file->missing[statement->id] = true;
            continue;
        }
        report_missing(lookup, from ? statement : alias,
                       from && node_text(statement, FIELD_module) != NULL ? node_text(statement, FIELD_module)
                                                                          : node_text(alias, FIELD_name),
                       from ? level_of(statement) : 0);
    }
    if (nothing_left)
        marks_set(lookup->importer->file->skipped, statement);
}

static void resolve_load(Lookup *lookup, const Load *load) {
    Use use = {.node = load->call, .path = load->path, .attribute = load->attribute};
    if (use.path == NULL) {
        Found found = find(lookup, load->call, load->module, 0);
        use.path = found.path;
        if (found.path == NULL && is_library(lookup, load->module))
            report(lookup, &RULE_PATH_LOAD, load->call,
                   arena_printf(lookup->arena, "'%s' is not a component", load->module))
                ->instead = "import it by an import statement";
        else if (found.path == NULL)
            report_missing(lookup, load->call, load->module, 0);
    } else if (!file_exists(use.path)) {
        report(lookup, &RULE_PATH_LOAD, load->call,
               arena_printf(lookup->arena, "there is no file %s", shown(lookup, use.path)));
        use.path = NULL;
    } else {
        use.path = path_absolute(lookup->arena, use.path);
        const Places *places = lookup->places;
        if (places->root != NULL && !path_inside(places->root, use.path))
            report(lookup, &RULE_IMPORT_OUTSIDE, load->call,
                   arena_printf(lookup->arena, "%s is outside of %s", use.path, places->root));
    }
    if (use.path != NULL)
        add_use(lookup, use);
}

void imports_resolve(Arena *arena, const Places *places, Importer *importer,
                     const char *const *allowed_imports, size_t allowed_count, Findings *findings) {
    Lookup lookup = {.arena = arena,
                     .places = places,
                     .importer = importer,
                     .allowed = allowed_imports,
                     .allowed_count = allowed_count,
                     .findings = findings,
                     .reached = table_new(arena),
                     .unreached = table_new(arena)};
    const char *stem = path_stem(arena, importer->file->source.path);
    if (is_library(&lookup, stem) && importer->file->part != PART_ORIGINAL)
        findings_add(findings, &RULE_IMPORT_SHADOW, SEVERITY_VIOLATION,
                     (Place){.file = importer->file->source.name},
                     "the file bears the name of the module '%s'", stem);
    reach_names(importer->file, lookup.reached, lookup.unreached);
    const PathCode *code = importer->code;
    for (size_t i = 0; i < code->imports.count; i++)
        resolve_statement(&lookup, code->imports.items[i]);
    for (size_t i = 0; i < code->loads.count; i++)
        resolve_load(&lookup, &code->loads.items[i]);
}
