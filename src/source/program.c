/* Programs: a main file and every component that it reaches, parsed, with what each import means. */
#include "imports.h"

#include <string.h>

typedef struct Loader {
    Arena *arena;
    const Parser *parser;
    Program *program;
    Places places;
    const char *const *allowed;
    size_t allowed_count;
    Findings *findings;
    Table *by_path; /* to Importer, in the order of Program.items */
} Loader;

static void add_file(Loader *loader, Source source, FilePart part) {
    ProgramFile *file = ARENA_NEW(loader->arena, ProgramFile);
    file->source = source;
    file->part = part;
    file->index = loader->program->count;
    *(ProgramFile **)ARENA_PUSH(loader->arena, loader->program) = file;
    Importer *importer = ARENA_NEW(loader->arena, Importer);
    importer->file = file;
    importer->taken = file->index > 0 ? table_new(loader->arena) : NULL;
    table_put(loader->by_path, source.path, importer);
}

/* Parses the files from `first` on, in one go. Of an original, a reached file that can't be parsed is left
 * alone. */
static Status parse_files(Loader *loader, size_t first, Error *error) {
    Program *program = loader->program;
    size_t count = program->count - first;
    Source *sources = ARENA_ARRAY(loader->arena, Source, count);
    Tree *trees = ARENA_ARRAY(loader->arena, Tree, count);
    for (size_t i = 0; i < count; i++)
        sources[i] = program->items[first + i]->source;
    if (loader->parser->parse(loader->parser->context, loader->arena, sources, count, trees, error) !=
        STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < count; i++) {
        ProgramFile *file = program->items[first + i];
        file->tree = trees[i];
        file->tree.source = &file->source;
        file->skipped = ARENA_ARRAY(loader->arena, bool, file->tree.node_count);
        file->unreached = ARENA_ARRAY(loader->arena, bool, file->tree.node_count);
        file->missing = ARENA_ARRAY(loader->arena, bool, file->tree.node_count);
        if (first + i > 0)
            file->part = module_binds(&file->tree, "Model") || module_binds(&file->tree, "RefactoredModel")
                             ? PART_CHILD
                             : PART_HELPER;
    }
    return STATUS_OK;
}

static Status read_reached(Loader *loader, const char *path, Error *error) {
    if (path == NULL || table_has(loader->by_path, path))
        return STATUS_OK;
    Source source;
    const char *name = path_relative(loader->arena, loader->places.main_folder, path);
    if (source_read(loader->arena, path, name, &source, error) != STATUS_OK)
        return STATUS_ERROR;
    add_file(loader, source, PART_HELPER);
    return STATUS_OK;
}

static void take(Loader *loader, const char *path, const char *name) {
    Importer *importer = path == NULL ? NULL : table_get(loader->by_path, path);
    if (importer != NULL && importer->taken != NULL && name != NULL)
        table_put(importer->taken, name, TABLE_PRESENT);
}

/* Looks up the imports of one file and reads the files that they need. */
static Status follow(Loader *loader, size_t index, Error *error) {
    Importer *importer = loader->by_path->items[index].value;
    reach_mark(loader->arena, importer->file, index == 0);
    importer->code = path_code_read(loader->arena, importer->file, loader->findings);
    if (index == 0)
        loader->places.main_code = importer->code;
    imports_resolve(loader->arena, &loader->places, importer, loader->allowed, loader->allowed_count,
                    loader->findings);
    for (size_t i = 0; i < importer->uses.count; i++) {
        const Use *use = &importer->uses.items[i];
        if (read_reached(loader, use->path, error) != STATUS_OK ||
            read_reached(loader, use->package, error) != STATUS_OK)
            return STATUS_ERROR;
        take(loader, use->path, use->attribute);
        take(loader, use->package, use->attribute);
    }
    return STATUS_OK;
}

static const ProgramFile *file_at(const Loader *loader, const char *path) {
    const Importer *importer = path == NULL ? NULL : table_get(loader->by_path, path);
    return importer == NULL ? NULL : importer->file;
}

static void bind(Loader *loader, Importer *importer) {
    ProgramFile *file = importer->file;
    for (size_t i = 0; i < importer->uses.count; i++) {
        const Use *use = &importer->uses.items[i];
        Binding *binding = ARENA_PUSH(loader->arena, use->path == NULL ? &file->dropped : &file->bindings);
        *binding = (Binding){use->node, use->name, file_at(loader, use->path), use->attribute};
        const ProgramFile *package = file_at(loader, use->package);
        if (package == NULL)
            continue;
        if (module_binds(&package->tree, use->attribute))
            binding->file = package; /* the package's own name comes before its submodule */
        else
            binding->attribute = NULL;
    }
}

Status program_load(Arena *arena, const Parser *parser, const char *path, FilePart part,
                    const char *const *allowed_imports, size_t allowed_count, Program *program,
                    Findings *findings, Error *error) {
    *program = (Program){.arena = arena};
    Loader loader = {.arena = arena,
                     .parser = parser,
                     .program = program,
                     .allowed = allowed_imports,
                     .allowed_count = allowed_count,
                     .findings = findings,
                     .by_path = table_new(arena)};
    Source source;
    if (source_read(arena, path, path, &source, error) != STATUS_OK)
        return STATUS_ERROR;
    loader.places = places_of(arena, source.path);
    add_file(&loader, source, part);
    for (size_t done = 0, parsed = 0; parsed < program->count;) {
        if (parse_files(&loader, parsed, error) != STATUS_OK)
            return STATUS_ERROR;
        parsed = program->count;
        if (part == PART_ORIGINAL)
            break; /* Python finds an original's imports */
        for (; done < parsed; done++)
            if (follow(&loader, done, error) != STATUS_OK)
                return STATUS_ERROR;
    }
    for (size_t i = 0; i < program->count; i++)
        bind(&loader, loader.by_path->items[i].value);
    return STATUS_OK;
}

const Binding *program_binding(const ProgramFile *file, const Node *node, const char *name) {
    for (size_t i = 0; i < file->bindings.count; i++) {
        const Binding *binding = &file->bindings.items[i];
        if (binding->node == node && text_equal(binding->name, name))
            return binding;
    }
    return NULL;
}

/* ---- The program as the probe reads it ---- */

static json_t *position(const Node *node) {
    return json_pack("[i, i]", node->line, node->column);
}

typedef struct StatementWalk {
    const ProgramFile *file;
    json_t *skip, *missing;
} StatementWalk;

static bool list_statement(const Node *node, void *context) {
    StatementWalk *walk = context;
    const ProgramFile *file = walk->file;
    if (file->missing[node->id])
        json_array_append_new(walk->missing, position(node));
    if (!file->skipped[node->id] && !file->unreached[node->id])
        return true;
    json_array_append_new(walk->skip, position(node)); /* the topmost of what is marked: a statement */
    return false;
}

static json_t *json_text(const char *text) {
    return text == NULL ? json_null() : json_string(text);
}

static void list_bindings(const ProgramFile *file, const Bindings *bindings, json_t *binds, json_t *calls) {
    for (size_t i = 0; i < bindings->count; i++) {
        const Binding *binding = &bindings->items[i];
        const Node *node = binding->node;
        if (file->skipped[node->id] || file->unreached[node->id] || file->missing[node->id])
            continue;
        json_t *index = binding->file == NULL ? json_null() : json_integer((json_int_t)binding->file->index);
        json_t *attribute = json_text(binding->attribute);
        if (binding->name == NULL)
            json_array_append_new(calls,
                                  json_pack("[i, i, o, o]", node->line, node->column, index, attribute));
        else
            json_array_append_new(binds, json_pack("[i, i, s, o, o]", node->line, node->column, binding->name,
                                                   index, attribute));
    }
}

/* File names are bytes; JSON holds UTF-8 only. */
static json_t *json_path(Arena *arena, const char *path) {
    return json_string(text_printable_lines(arena, path, strlen(path)));
}

static json_t *file_to_json(Arena *arena, const ProgramFile *file) {
    static const char *const parts[] = {
        [PART_ORIGINAL] = "original", [PART_OWN] = "own", [PART_CHILD] = "child", [PART_HELPER] = "helper"};
    StatementWalk walk = {file, json_array(), json_array()};
    node_walk(file->tree.module, list_statement, &walk);
    json_t *binds = json_array(), *calls = json_array();
    list_bindings(file, &file->dropped, binds, calls);
    list_bindings(file, &file->bindings, binds, calls);
    return json_pack("{s: o, s: o, s: s, s: o, s: o, s: o, s: o}", "path",
                     json_path(arena, file->source.path), "name", json_path(arena, file->source.name), "part",
                     parts[file->part], "skip", walk.skip, "missing", walk.missing, "binds", binds, "calls",
                     calls);
}

bool program_equal(const Program *a, const Program *b) {
    for (size_t i = 0; i < a->count && a->count == b->count; i++) {
        const Bytes one = a->items[i]->source.bytes, other = b->items[i]->source.bytes;
        if (one.size != other.size || (one.size > 0 && memcmp(one.data, other.data, one.size) != 0))
            return false;
    }
    return a->count == b->count;
}

json_t *program_to_json(const Program *program) {
    json_t *files = json_array();
    for (size_t i = 0; i < program->count; i++)
        json_array_append_new(files, file_to_json(program->arena, program->items[i]));
    return files;
}
