/* Syntax trees by the interpreter that will run the files: work "syntax" in cells, several at once if there
 * is much. */
#include "zygote.h"

#include <string.h>
#include <unistd.h>

enum { PARSE_SECONDS = 60, MOST_FILES = 500, MOST_BYTES = 1 << 20, MOST_AT_ONCE = 8 };

static json_t *syntax_work(MemoryFile *bundle, const Source *sources, size_t count, bool check,
                           Error *error) {
    json_t *files = json_array();
    for (size_t i = 0; i < count; i++) {
        size_t at;
        if (memory_file_append(bundle, sources[i].bytes, 1, &at, error) != STATUS_OK) {
            json_decref(files);
            return NULL;
        }
        json_array_append_new(files, json_pack("{s:s, s:I, s:I}", "name", sources[i].name, "at",
                                               (json_int_t)at, "size", (json_int_t)sources[i].bytes.size));
    }
    return json_pack("{s:s, s:b, s:o}", "kind", "syntax", "check", check, "files", files);
}

static Status decode_trees(Arena *arena, const CellReport *report, const Source *sources, size_t count,
                           Tree *trees, Error *error) {
    if (report->outcome != CELL_DONE)
        return error_set(error, sources[0].name, "see whether this Python can parse it", "the parser %s",
                         report->message);
    const json_t *list = json_object_get(report->done, "trees");
    if (json_array_size(list) != count)
        return error_set(error, "probe", "", "the parser gave %zu trees for %zu files", json_array_size(list),
                         count);
    for (size_t i = 0; i < count; i++)
        if (tree_decode(arena, &sources[i], json_array_get(list, i), &trees[i], error) != STATUS_OK)
            return STATUS_ERROR;
    return STATUS_OK;
}

/* [[index, line, message], ..] of the files that are not valid Python. */
static Status decode_problems(Arena *arena, const CellReport *report, const Source *sources, size_t count,
                              SyntaxProblem *problems, Error *error) {
    if (report->outcome != CELL_DONE)
        return error_set(error, sources[0].name, "see whether this Python can parse it", "the parser %s",
                         report->message);
    const json_t *list = json_object_get(report->done, "problems");
    if (!json_is_array(list))
        return error_set(error, "probe", "", "the parser gave no list of problems");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t index = json_integer_value(json_array_get(item, 0)),
                   line = json_integer_value(json_array_get(item, 1));
        const char *message = json_string_value(json_array_get(item, 2));
        if (index < 0 || (size_t)index >= count || message == NULL)
            return error_set(error, "probe", "", "the parser gave a problem of no file");
        problems[index] = (SyntaxProblem){line > 0 && line <= INT32_MAX ? (int)line : 0,
                                          arena_printf(arena, "not valid Python: %s", message)};
    }
    return STATUS_OK;
}

/* One cell's part of the files. */
typedef struct Batch {
    size_t first, count;
    MemoryFile *bundle;
    json_t *work;
    Cell *cell;
} Batch;

typedef struct Parsing {
    Probe *probe;
    Arena *arena;
    const Source *sources;
    Tree *trees;             /* NULL: only check */
    SyntaxProblem *problems; /* where only checked */
} Parsing;

static Status start(const Parsing *parsing, Batch *batch, Error *error) {
    if (memory_file_new(parsing->arena, "bundle", &batch->bundle, error) != STATUS_OK)
        return STATUS_ERROR;
    batch->work = syntax_work(batch->bundle, parsing->sources + batch->first, batch->count,
                              parsing->trees == NULL, error);
    if (batch->work == NULL || memory_file_seal(batch->bundle, error) != STATUS_OK)
        return STATUS_ERROR;
    MemoryFile *files[] = {batch->bundle};
    CellJob job = {
        .work = batch->work, .files = files, .file_count = 1, .timeout = PARSE_SECONDS, .threads = 1};
    return cell_start(parsing->probe, &job, &batch->cell, error);
}

static Status finish(const Parsing *parsing, const Batch *batch, Error *error) {
    const CellReport *report;
    if (cell_wait(batch->cell, &report, error) != STATUS_OK)
        return STATUS_ERROR;
    const Source *sources = parsing->sources + batch->first;
    if (parsing->trees == NULL)
        return decode_problems(parsing->arena, report, sources, batch->count,
                               parsing->problems + batch->first, error);
    return decode_trees(parsing->arena, report, sources, batch->count, parsing->trees + batch->first, error);
}

static void drop(Batch *batch) {
    if (batch->cell != NULL)
        cell_free(batch->cell);
    json_decref(batch->work);
    if (batch->bundle != NULL)
        memory_file_close(batch->bundle);
    *batch = (Batch){0};
}

static Batch next_batch(const Source *sources, size_t first, size_t count) {
    size_t end = first, bytes = 0;
    while (end < count && end - first < MOST_FILES &&
           (end == first || bytes + sources[end].bytes.size <= MOST_BYTES))
        bytes += sources[end++].bytes.size;
    return (Batch){.first = first, .count = end - first};
}

/* As many cells at once as there are processors; while one's trees are decoded, the others go on. */
static Status run_batches(const Parsing *parsing, size_t count, Error *error) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = processors < 1 ? 1 : processors > MOST_AT_ONCE ? MOST_AT_ONCE : (size_t)processors;
    Batch batches[MOST_AT_ONCE] = {0}; /* a ring: `oldest` is finished next */
    size_t oldest = 0, running = 0, first = 0;
    Status status = STATUS_OK;
    while (status == STATUS_OK && (first < count || running > 0)) {
        if (first < count && running < most) {
            Batch *batch = &batches[(oldest + running++) % most];
            *batch = next_batch(parsing->sources, first, count);
            first += batch->count;
            status = start(parsing, batch, error);
        } else {
            status = finish(parsing, &batches[oldest], error);
            drop(&batches[oldest]);
            oldest = (oldest + 1) % most;
            running--;
        }
    }
    for (; running > 0; running--, oldest = (oldest + 1) % most)
        drop(&batches[oldest]);
    return status;
}

static Status parse(void *context, Arena *arena, const Source *sources, size_t count, Tree *trees,
                    Error *error) {
    return run_batches(&(Parsing){.probe = context, .arena = arena, .sources = sources, .trees = trees},
                       count, error);
}

static Status check(void *context, Arena *arena, const Source *sources, size_t count, SyntaxProblem *problems,
                    Error *error) {
    memset(problems, 0, count * sizeof *problems);
    return run_batches(&(Parsing){.probe = context, .arena = arena, .sources = sources, .problems = problems},
                       count, error);
}

Parser probe_parser(Probe *probe) {
    return (Parser){.parse = parse, .check = check, .context = probe->parser != NULL ? probe->parser : probe};
}
