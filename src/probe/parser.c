/* Syntax trees by the interpreter that will run the files: work "syntax" in a cell. */
#include "zygote.h"

enum { PARSE_SECONDS = 60 };

static json_t *syntax_work(MemoryFile *bundle, const Source *sources, size_t count, Error *error) {
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
    return json_pack("{s:s, s:o}", "kind", "syntax", "files", files);
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

static Status parse(void *context, Arena *arena, const Source *sources, size_t count, Tree *trees,
                    Error *error) {
    Probe *probe = context;
    MemoryFile *bundle;
    if (count == 0)
        return STATUS_OK;
    if (memory_file_new(arena, "bundle", &bundle, error) != STATUS_OK)
        return STATUS_ERROR;
    Status status = STATUS_ERROR;
    json_t *work = syntax_work(bundle, sources, count, error);
    if (work != NULL && memory_file_seal(bundle, error) == STATUS_OK) {
        MemoryFile *files[] = {bundle};
        CellJob job = {.work = work, .files = files, .file_count = 1, .timeout = PARSE_SECONDS, .threads = 1};
        Cell *cell;
        const CellReport *report;
        status = cell_start(probe, &job, &cell, error);
        if (status == STATUS_OK) {
            status = cell_wait(cell, &report, error);
            if (status == STATUS_OK)
                status = decode_trees(arena, report, sources, count, trees, error);
            cell_free(cell);
        }
    }
    json_decref(work);
    memory_file_close(bundle);
    return status;
}

Parser probe_parser(Probe *probe) {
    return (Parser){.parse = parse, .context = probe->parser != NULL ? probe->parser : probe};
}
