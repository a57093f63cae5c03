/* A parser that remembers by content what it has parsed. */
#include "project.h"

#include <pthread.h>
#include <string.h>

typedef struct Memory {
    pthread_mutex_t lock; /* of everything below */
    Arena *arena;
    Parser parser;
    Table *trees; /* content -> Tree */
} Memory;

/* A file with a NUL is no Python: the parser says so each time. */
static bool is_text(const Source *source) {
    return memchr(source->bytes.data, '\0', source->bytes.size) == NULL;
}

typedef struct Unknown { /* sources whose content was not parsed yet, each content once */
    Source *items;
    size_t count;
} Unknown;

static Unknown unknown_sources(Memory *memory, const Source *sources, size_t count) {
    Unknown unknown = {.items = ARENA_ARRAY(memory->arena, Source, count + 1)};
    Table *seen = table_new(memory->arena);
    for (size_t i = 0; i < count; i++) {
        const char *content = (const char *)sources[i].bytes.data;
        bool text = is_text(&sources[i]);
        if (text && (table_has(memory->trees, content) || table_has(seen, content)))
            continue;
        unknown.items[unknown.count++] = sources[i];
        if (text)
            table_put(seen, content, TABLE_PRESENT);
    }
    return unknown;
}

static Status parse_unknown(Memory *memory, const Unknown *unknown, Error *error) {
    Tree *trees = ARENA_ARRAY(memory->arena, Tree, unknown->count + 1);
    if (unknown->count > 0 && memory->parser.parse(memory->parser.context, memory->arena, unknown->items,
                                                   unknown->count, trees, error) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < unknown->count; i++)
        if (is_text(&unknown->items[i]))
            table_put(memory->trees, (const char *)unknown->items[i].bytes.data, &trees[i]);
    return STATUS_OK;
}

static Status parse(void *context, Arena *arena, const Source *sources, size_t count, Tree *trees,
                    Error *error) {
    (void)arena; /* what is remembered outlives the caller's */
    Memory *memory = context;
    pthread_mutex_lock(&memory->lock);
    Unknown unknown = unknown_sources(memory, sources, count);
    Status status = parse_unknown(memory, &unknown, error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        const Tree *tree =
            is_text(&sources[i]) ? table_get(memory->trees, (const char *)sources[i].bytes.data) : NULL;
        if (tree == NULL)
            status =
                error_set(error, sources[i].name, "correct the file", "not valid Python: it has a NUL byte");
        else
            trees[i] = *tree;
        trees[i].source = &sources[i];
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

static Status check(void *context, Arena *arena, const Source *sources, size_t count, SyntaxProblem *problems,
                    Error *error) {
    Memory *memory = context;
    pthread_mutex_lock(&memory->lock);
    Status status = memory->parser.check(memory->parser.context, arena, sources, count, problems, error);
    pthread_mutex_unlock(&memory->lock);
    return status;
}

Parser parser_remembering(Arena *arena, const Parser *parser) {
    Memory *memory = ARENA_NEW(arena, Memory);
    memory->arena = arena_new_within(arena); /* another thread may use the caller's while this one parses */
    memory->parser = *parser;
    memory->trees = table_new(memory->arena);
    pthread_mutex_init(&memory->lock, NULL);
    return (Parser){.parse = parse, .check = parser->check == NULL ? NULL : check, .context = memory};
}
