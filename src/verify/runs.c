/* Work for cells, and what comes back. */
#include "recall.h"

#include <stdio.h>
#include <string.h>

static void set(json_t *object, const char *key, json_t *value) {
    json_object_set_new(object, key, value);
}

static const char *const CLASS_NAMES[] = {"RefactoredModel", "Model"};

static void add_folder(Arena *arena, Side *side, size_t *capacity, const char *folder) {
    if (!directory_exists(folder))
        return;
    struct {
        const char **items;
        size_t count, capacity;
    } list = {side->folders, side->folder_count, *capacity};
    *(const char **)ARENA_PUSH(arena, &list) = folder;
    side->folders = list.items;
    side->folder_count = list.count;
    *capacity = list.capacity;
}

/* An original may import what stands beside it: its folder, children/ in it, and the decomposition's folder
 * with its levels. */
static void find_folders(Arena *arena, Side *side, const char *path) {
    static const char *const levels[] = {"level_3_model", "level_2_layer", "level_1_fusion",
                                         "level_0_kernel"};
    size_t capacity = 0;
    char *folder = path_directory(arena, path);
    add_folder(arena, side, &capacity, folder);
    add_folder(arena, side, &capacity, path_join(arena, folder, "children"));
    for (int up = 0; up < 3 && strcmp(folder, "/") != 0; up++, folder = path_directory(arena, folder)) {
        if (!directory_exists(path_join(arena, folder, "level_0_kernel")))
            continue;
        add_folder(arena, side, &capacity, folder);
        for (size_t i = 0; i < COUNT_OF(levels); i++)
            add_folder(arena, side, &capacity, path_join(arena, folder, levels[i]));
        return;
    }
}

static json_t *texts_json(const char *const *texts, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(texts[i]));
    return list;
}

Status side_make(Arena *arena, const char *role, const Program *program, Side *side, Error *error) {
    *side = (Side){.role = role, .program = *program};
    if (memory_file_new(arena, "bundle", &side->bundle, error) != STATUS_OK)
        return STATUS_ERROR;
    json_t *files = program_to_json(program);
    side->program_json = json_object();
    set(side->program_json, "files", files);
    for (size_t i = 0; i < program->count; i++) {
        size_t at;
        if (memory_file_append(side->bundle, program->items[i]->source.bytes, 1, &at, error) != STATUS_OK)
            return STATUS_ERROR;
        json_t *file = json_array_get(files, i);
        set(file, "at", json_integer((json_int_t)at));
        set(file, "size", json_integer((json_int_t)program->items[i]->source.bytes.size));
    }
    const bool trusted = strcmp(role, "original") == 0 && program->items[0]->part == PART_ORIGINAL;
    if (trusted) /* else it is loaded as a candidate is, whatever it is held against */
        find_folders(arena, side, program->items[0]->source.path);
    set(side->program_json, "role", json_string(trusted ? "original" : "candidate"));
    set(side->program_json, "main", json_integer(0));
    set(side->program_json, "class_names", texts_json(CLASS_NAMES, COUNT_OF(CLASS_NAMES)));
    set(side->program_json, "search", texts_json(side->folders, side->folder_count));
    return memory_file_seal(side->bundle, error);
}

void side_close(Side *side) {
    json_decref(side->program_json);
    side->program_json = NULL;
    if (side->bundle != NULL)
        memory_file_close(side->bundle);
}

static Status start(const RunSettings *settings, Work *work, Error *error) {
    const CellJob job = {.work = work->work,
                         .files = work->files,
                         .file_count = work->file_count,
                         .readable = work->side->folders,
                         .readable_count = work->side->folder_count,
                         .device = settings->device,
                         .timeout = settings->timeout,
                         .memory = settings->memory,
                         .threads = settings->threads};
    return cell_start(settings->probe, &job, &work->cell, error);
}

/* Of what is found out on shapes alone, once is enough. */
static Status start_unless_recalled(Arena *arena, const RunSettings *settings, Work *work, Error *error) {
    work->recalls = work->side->recall != NULL;
    work->recalled = work->recalls ? recall_find(work->side->recall, arena, work) : NULL;
    return work->recalled != NULL ? STATUS_OK : start(settings, work, error);
}

static Status new_file(Arena *arena, Work *work, const char *name, Error *error) {
    return memory_file_new(arena, name, &work->files[work->file_count++], error);
}

static Status new_recording(Arena *arena, Work *work, Error *error) {
    Status status = new_file(arena, work, "recording", error);
    if (status == STATUS_OK)
        work->recording = work->files[work->file_count - 1];
    return status;
}

static json_t *work_json(const RunSettings *settings, const Side *side, const char *kind, uint64_t seed,
                         bool initialise) {
    json_t *json = json_object();
    set(json, "kind", json_string(kind));
    set(json, "program", json_incref(side->program_json));
    set(json, "seed", json_integer((json_int_t)seed));
    set(json, "device", json_string(settings->device));
    set(json, "initialise", json_boolean(initialise));
    return json;
}

static void lend_init(Work *work, const InitInputs *init) {
    set(work->work, "init", init == NULL ? json_null() : json_incref(init->value));
    if (init == NULL)
        return;
    set(work->work, "init_tensors", json_incref(init->tensors));
    work->files[work->file_count++] = init->file;
}

Status work_describe(Arena *arena, const RunSettings *settings, const Side *side,
                     const DescribeRequest *request, Work *work, Error *error) {
    *work = (Work){.side = side};
    json_t *seeds = json_array();
    for (unsigned i = 0; i < request->trial_count; i++)
        json_array_append_new(seeds, json_integer((json_int_t)request->trial_seed + (json_int_t)i));
    work->work = work_json(settings, side, "describe", request->seed, request->initialise);
    set(work->work, "trial_seeds", seeds);
    if (side->expected)
        set(work->work, "expected", json_true());
    work->files[work->file_count++] = side->bundle;
    lend_init(work, request->init);
    if (new_file(arena, work, "weights", error) != STATUS_OK ||
        new_file(arena, work, "inputs", error) != STATUS_OK ||
        new_file(arena, work, "outputs", error) != STATUS_OK)
        return STATUS_ERROR;
    return start(settings, work, error);
}

static void set_trial(json_t *object, const json_t *trial) {
    static const char *const parts[] = {"args", "kwargs", "tensors"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        set(object, parts[i], json_incref(json_object_get(trial, parts[i])));
}

static const char *then_name(Arena *arena, size_t nth) {
    return arena_printf(arena, "then %zu", nth);
}

Status work_run(Arena *arena, const RunSettings *settings, const Side *side, const RunRequest *request,
                Work *work, Error *error) {
    *work = (Work){.side = side};
    work->work = work_json(settings, side, "run", request->seed, request->initialise);
    set(work->work, "construct_seed", json_integer((json_int_t)request->construct_seed));
    set(work->work, "mode", json_string(settings->train ? "train" : "eval"));
    set(work->work, "weights", json_incref((json_t *)request->weights));
    set_trial(work->work, request->trial);
    set(work->work, "trace", json_boolean(request->trace));
    set(work->work, "float64", json_boolean(request->float64));
    json_t *bounds = json_array();
    for (size_t i = 0; i < request->bounds.count && request->float64; i++)
        json_array_append_new(bounds, json_real(request->bounds.items[i]));
    set(work->work, "bounds", bounds);
    set(work->work, "again", json_boolean(request->again));
    set(work->work, "values", json_integer((json_int_t)request->values));
    set(work->work, "gradients", json_boolean(request->gradients != NULL));
    if (request->gradients != NULL)
        set(work->work, "input_names", json_incref((json_t *)request->gradients));
    json_t *then = json_array();
    for (size_t i = 0; i < request->then_count; i++) {
        json_t *row = json_pack("{s:I}", "seed", (json_int_t)request->then[i].seed);
        set_trial(row, request->then[i].trial);
        json_array_append_new(then, row);
    }
    set(work->work, "then", then);
    work->files[0] = side->bundle;
    work->files[1] = request->weights_file;
    work->files[2] = request->inputs_file;
    work->file_count = 3;
    lend_init(work, request->init);
    if (new_file(arena, work, "outputs", error) != STATUS_OK ||
        (request->values > 0 && new_file(arena, work, "values", error) != STATUS_OK) ||
        (request->trace && new_recording(arena, work, error) != STATUS_OK))
        return STATUS_ERROR;
    for (size_t i = 0; i < request->then_count; i++)
        if (new_file(arena, work, then_name(arena, i + 1), error) != STATUS_OK)
            return STATUS_ERROR;
    return start(settings, work, error);
}

Status work_record_prepare(Arena *arena, const RunSettings *settings, const Side *side,
                           const RecordWork *request, Work *work, Error *error) {
    *work = (Work){.side = side};
    work->work = work_json(settings, side, "record", request->seed, request->weights != NULL);
    set(work->work, "construct_seed", json_integer((json_int_t)request->seed));
    set(work->work, "symbolic", json_boolean(request->weights == NULL));
    set(work->work, "describe", json_boolean(request->describe));
    set(work->work, "weights",
        request->weights == NULL ? json_array() : json_incref((json_t *)request->weights));
    if (request->trials != NULL)
        set(work->work, "trials", json_incref(request->trials));
    set(work->work, "compare_inputs", json_boolean(request->compare_inputs));
    work->files[work->file_count++] = side->bundle;
    work->files[work->file_count++] = request->inputs_file;
    lend_init(work, request->init);
    if (request->weights_file != NULL)
        work->files[work->file_count++] = request->weights_file;
    work->lent_count = work->file_count;
    if ((request->weights_file == NULL && new_file(arena, work, "weights", error) != STATUS_OK) ||
        new_file(arena, work, "outputs", error) != STATUS_OK)
        return STATUS_ERROR;
    return new_recording(arena, work, error);
}

Status work_record(Arena *arena, const RunSettings *settings, const Side *side, const RecordWork *request,
                   Work *work, Error *error) {
    if (work_record_prepare(arena, settings, side, request, work, error) != STATUS_OK)
        return STATUS_ERROR;
    return request->weights == NULL ? start_unless_recalled(arena, settings, work, error)
                                    : start(settings, work, error);
}

Status work_inputs_prepare(Arena *arena, const RunSettings *settings, const Side *side, uint64_t seed,
                           Work *work, Error *error) {
    *work = (Work){.side = side};
    work->work = work_json(settings, side, "inputs", seed, false);
    if (side->expected)
        set(work->work, "expected", json_true());
    work->files[work->file_count++] = side->bundle;
    lend_init(work, NULL);
    work->lent_count = work->file_count;
    if (new_file(arena, work, "inputs", error) != STATUS_OK)
        return STATUS_ERROR;
    return new_file(arena, work, "outputs", error);
}

Status work_inputs(Arena *arena, const RunSettings *settings, const Side *side, uint64_t seed, Work *work,
                   Error *error) {
    if (work_inputs_prepare(arena, settings, side, seed, work, error) != STATUS_OK)
        return STATUS_ERROR;
    return start_unless_recalled(arena, settings, work, error);
}

static Place failure_place(const Side *side, const Failure *failure) {
    for (size_t i = failure->frame_count; i-- > 0;) {
        const FailureFrame *frame = &failure->frames[i];
        if (frame->file >= 0 && (size_t)frame->file < side->program.count)
            return (Place){.file = side->program.items[frame->file]->source.name, .line = frame->line};
    }
    return (Place){.file = side->program.items[0]->source.name};
}

/* The last line of what user code printed, when it may say why it died. */
static const char *last_line(Arena *arena, const char *log) {
    size_t end = strlen(log);
    while (end > 0 && (log[end - 1] == '\n' || log[end - 1] == ' '))
        end--;
    size_t start = end;
    while (start > 0 && log[start - 1] != '\n')
        start--;
    return arena_strndup(arena, log + start, end - start);
}

Status work_wait(Arena *arena, Work *work, json_t **done, CellFailure *failure, Error *error) {
    const CellReport *report;
    *done = NULL;
    *failure = (CellFailure){0};
    if (work->recalled != NULL) {
        *done = json_incref(work->recalled);
        return STATUS_OK;
    }
    if (cell_wait(work->cell, &report, error) != STATUS_OK)
        return STATUS_ERROR;
    work->peak = report->max_rss;
    if (report->outcome == CELL_DONE) {
        *done = json_incref((json_t *)report->done);
        if (work->recalls)
            recall_keep(work->side->recall, work, *done);
        return STATUS_OK;
    }
    *failure = (CellFailure){.failed = true,
                             .stage = "",
                             .advice = "",
                             .place = {.file = work->side->program.items[0]->source.name}};
    if (report->outcome == CELL_FAILED) {
        const Failure *cause = &report->failure;
        failure->raised = !report->out_of_memory;
        failure->stage = arena_strdup(arena, cause->stage);
        failure->place = failure_place(work->side, cause);
        failure->module = cause->module == NULL ? NULL : arena_strdup(arena, cause->module);
        failure->too_long = strcmp(cause->type, "TooLong") == 0;
        failure->what = cause->advice == NULL ? arena_printf(arena, "%s: %s", cause->type, cause->message)
                                              : arena_strdup(arena, cause->message);
        if (report->out_of_memory)
            failure->what = arena_printf(arena, "ran out of memory: %s", failure->what);
        failure->advice = cause->advice == NULL ? "" : arena_strdup(arena, cause->advice);
        return STATUS_OK;
    }
    const char *tail = report->outcome == CELL_TIMED_OUT ? "" : last_line(arena, report->log);
    failure->what =
        arena_printf(arena, "%s%s%s%s", report->message == NULL ? "ended without a result" : report->message,
                     tail[0] ? " (its last output: " : "", tail, tail[0] ? ")" : "");
    return STATUS_OK;
}

Status work_pieces(const Work *work, Bytes *pieces, Error *error) {
    *pieces = (Bytes){0};
    return work->recording == NULL ? STATUS_OK : memory_file_map(work->recording, pieces, error);
}

void work_close(Work *work) {
    memory_file_close(work->recording);
    work->recording = NULL;
    if (work->cell != NULL)
        cell_free(work->cell);
    work->cell = NULL;
    json_decref(work->work);
    json_decref(work->recalled);
    work->work = work->recalled = NULL;
}

MemoryFile *work_file(const Work *work, const char *name) {
    for (size_t i = 0; i < work->file_count; i++)
        if (strcmp(work->files[i]->name, name) == 0)
            return work->files[i];
    return NULL;
}

Status inputs_decode(Work *work, json_t *done, Description *description, Error *error) {
    const char *where = work->side->role;
    *description = (Description){.done = done,
                                 .weights = work_file(work, "weights"),
                                 .inputs = work_file(work, "inputs"),
                                 .init = {.file = work_file(work, "outputs")}};
    description->init.file->name = "init";
    json_t *trials, *keywords;
    if (memory_file_seal(description->inputs, error) != STATUS_OK ||
        memory_file_seal(description->init.file, error) != STATUS_OK ||
        json_read_bool(done, "has_init_inputs", &description->has_init_inputs, where, error) != STATUS_OK ||
        json_read_container(done, "trials", JSON_ARRAY, &trials, where, error) != STATUS_OK ||
        json_read_container(done, "tensors", JSON_ARRAY, &description->init.tensors, where, error) !=
            STATUS_OK ||
        json_read_container(done, "init_kwargs", JSON_OBJECT, &keywords, where, error) != STATUS_OK)
        return STATUS_ERROR;
    description->trial_count = json_array_size(trials);
    bool by_keyword = json_array_size(json_object_get(keywords, "d")) > 0;
    description->init.value = by_keyword ? keywords : json_object_get(done, "init_inputs");
    return STATUS_OK;
}

Status description_decode(Arena *arena, Work *work, json_t *done, Description *description, Error *error) {
    const char *where = work->side->role;
    json_t *state;
    Bytes bytes;
    if (inputs_decode(work, done, description, error) != STATUS_OK ||
        memory_file_map(description->weights, &bytes, error) != STATUS_OK ||
        json_read_bool(done, "random_construction", &description->random_construction, where, error) !=
            STATUS_OK ||
        json_read_bool(done, "drawn_numbers", &description->drawn_numbers, where, error) != STATUS_OK ||
        json_read_container(done, "state", JSON_ARRAY, &state, where, error) != STATUS_OK)
        return STATUS_ERROR;
    description->seconds = json_number_value(json_object_get(done, "construct_seconds"));
    bool unwritten = strcmp(where, "candidate") == 0 || json_object_get(done, "recording") != NULL;
    return state_dict_decode(arena, state, bytes, unwritten, where, &description->state, error);
}

/* The state dict stays readable but for its elements: results refer to its keys. */
void description_close(Description *description) {
    MemoryFile *const files[] = {description->weights, description->inputs, description->init.file};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (files[i] != NULL)
            memory_file_close(files[i]);
    json_decref(description->done);
    description->done = NULL;
    description->weights = description->inputs = description->init.file = NULL;
}

static Status decode_names(Arena *arena, const json_t *done, const char *key, const char ***names,
                           size_t *count, const char *where, Error *error) {
    json_t *list;
    if (json_read_container(done, key, JSON_ARRAY, &list, where, error) != STATUS_OK)
        return STATUS_ERROR;
    *count = json_array_size(list);
    *names = ARENA_ARRAY(arena, const char *, *count + 1);
    for (size_t i = 0; i < *count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name == NULL)
            return error_set(error, where, "", "\"%s\" must hold names", key);
        (*names)[i] = text_printable_lines(arena, name, strlen(name));
    }
    return STATUS_OK;
}

/* [[name, value], ..] as a dict; null: None. */
static Status decode_pairs(Arena *arena, const json_t *done, const char *key, const RunOutputs *outputs,
                           Value *value, const char *where, Error *error) {
    json_t *pairs = json_object_get(done, key);
    if (!json_is_array(pairs)) {
        *value = (Value){.kind = VALUE_NONE};
        return STATUS_OK;
    }
    json_t *dict = json_pack("{s:O}", "d", pairs);
    Status status = value_decode(arena, dict, outputs->tensor_count, where, value, error);
    json_decref(dict);
    return status;
}

/* What it left of its arguments, attributes and state, the last as numbers of tensors. */
static Status decode_left(Arena *arena, const json_t *done, RunOutputs *outputs, const char *where,
                          Error *error) {
    json_t *tensors;
    if (json_read_container(done, "state_tensors", JSON_ARRAY, &tensors, where, error) != STATUS_OK)
        return STATUS_ERROR;
    if (json_array_size(tensors) != outputs->state_modified_count)
        return error_set(error, where, "", "\"state_tensors\" must hold a number for each of the state");
    outputs->state_tensors = ARENA_ARRAY(arena, size_t, outputs->state_modified_count + 1);
    for (size_t i = 0; i < outputs->state_modified_count; i++) {
        const json_t *number = json_array_get(tensors, i);
        const json_int_t tensor = json_integer_value(number);
        if (json_is_integer(number) && (tensor < 0 || (size_t)tensor >= outputs->tensor_count))
            return error_set(error, where, "", "\"state_tensors\" has a number that is none of a tensor");
        outputs->state_tensors[i] = json_is_integer(number) ? (size_t)tensor : SIZE_MAX;
    }
    const Status status = decode_pairs(arena, done, "arguments", outputs, &outputs->arguments, where, error);
    return status == STATUS_OK
               ? decode_pairs(arena, done, "attributes", outputs, &outputs->attributes, where, error)
               : status;
}

Status run_outputs_decode(Arena *arena, Work *work, const json_t *done, size_t nth, RunOutputs *outputs,
                          MemoryFile **file, CellFailure *failure, Error *error) {
    const char *where = work->side->role;
    json_t *then, *tensors;
    Bytes bytes;
    if (nth > 0) {
        if (json_read_container(done, "then", JSON_ARRAY, &then, where, error) != STATUS_OK)
            return STATUS_ERROR;
        done = json_array_get(then, nth - 1);
        if (!json_is_object(done))
            return error_set(error, where, "", "\"then\" must hold an object for each run");
    }
    *file = work_file(work, nth == 0 ? "outputs" : then_name(arena, nth));
    const char *raised = nth == 0 ? NULL : json_string_value(json_object_get(done, "raised"));
    if (raised != NULL) {
        *failure = (CellFailure){.failed = true,
                                 .advice = "",
                                 .raised = !says_out_of_memory(raised),
                                 .stage = "forward",
                                 .what = arena_printf(arena, "%s%s",
                                                      says_out_of_memory(raised) ? "ran out of memory: " : "",
                                                      text_printable_lines(arena, raised, strlen(raised))),
                                 .place = {.file = work->side->program.items[0]->source.name}};
        return STATUS_OK;
    }
    if (decode_names(arena, done, "inputs_modified", &outputs->inputs_modified,
                     &outputs->input_modified_count, where, error) != STATUS_OK ||
        decode_names(arena, done, "state_modified", &outputs->state_modified, &outputs->state_modified_count,
                     where, error) != STATUS_OK ||
        memory_file_map(*file, &bytes, error) != STATUS_OK ||
        json_read_container(done, "tensors", JSON_ARRAY, &tensors, where, error) != STATUS_OK)
        return STATUS_ERROR;
    outputs->tensor_count = json_array_size(tensors);
    outputs->tensors = ARENA_ARRAY(arena, TensorView, outputs->tensor_count + 1);
    for (size_t i = 0; i < outputs->tensor_count; i++)
        if (tensor_located_decode(arena, json_array_get(tensors, i), bytes, where, &outputs->tensors[i],
                                  error) != STATUS_OK)
            return STATUS_ERROR;
    if (value_decode(arena, json_object_get(done, "outputs"), outputs->tensor_count, where, &outputs->outputs,
                     error) != STATUS_OK)
        return STATUS_ERROR;
    return decode_left(arena, done, outputs, where, error);
}

double run_seconds(const json_t *done) {
    double seconds = json_number_value(json_object_get(done, "forward_seconds"));
    const json_t *then = json_object_get(done, "then");
    for (size_t i = 0; i < json_array_size(then); i++)
        seconds += json_number_value(json_object_get(json_array_get(then, i), "forward_seconds"));
    return seconds;
}

Status run_values_decode(Arena *arena, const Work *work, const json_t *done, const Trace *trace,
                         uint64_t budget, KeptValues *values, Error *error) {
    const char *where = work->side->role;
    json_t *json;
    Bytes bytes;
    if (memory_file_map(work_file(work, "values"), &bytes, error) != STATUS_OK ||
        json_read_container(done, "values", JSON_OBJECT, &json, where, error) != STATUS_OK)
        return STATUS_ERROR;
    if (bytes.size > budget)
        return error_set(error, where, "", "it kept %zu bytes of values, and may keep %llu", bytes.size,
                         (unsigned long long)budget);
    return kept_values_decode(arena, json, bytes, trace, where, values, error);
}
