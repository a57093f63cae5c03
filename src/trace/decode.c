/* Decoding a trace: everything in it is checked, so that those who read it need not. */
#include "trace_parts.h"

#include <string.h>

enum { LARGEST_RANK = 64, MOST_KEYS = 1 << 20 };

typedef struct Decoder {
    Arena *arena;
    Trace *trace;
    Table *operators; /* name -> index + 1 */
    Table *words;     /* what stands in very many rows: a word's one copy */
    Error *error;
} Decoder;

static Status refuse(const Decoder *decoder, const char *table, size_t index, const char *cause) {
    char place[64];
    snprintf(place, sizeof place, "trace, %s %zu", table, index);
    return error_set(decoder->error, place, "the cell does not keep to the protocol", "%s", cause);
}

static bool read_number(const json_t *json, int64_t low, int64_t high, int64_t *number) {
    if (!json_is_integer(json))
        return false;
    *number = json_integer_value(json);
    return *number >= low && *number <= high;
}

/* A string without NUL; NULL if it is none. */
static const char *read_text(const Decoder *decoder, const json_t *json) {
    const char *text = json_string_value(json);
    if (text == NULL || strlen(text) != json_string_length(json))
        return NULL;
    return arena_strndup(decoder->arena, text, json_string_length(json));
}

static const char *one_copy(const Decoder *decoder, const char *word) {
    const char *known = table_get(decoder->words, word);
    if (known == NULL) {
        known = arena_strdup(decoder->arena, word);
        table_put(decoder->words, word, (void *)(uintptr_t)known);
    }
    return known;
}

/* As read_text, where few different ones are expected. */
static const char *read_word(const Decoder *decoder, const json_t *json) {
    const char *text = json_string_value(json);
    if (text == NULL || strlen(text) != json_string_length(json))
        return NULL;
    return one_copy(decoder, text);
}

static int64_t *read_numbers(const Decoder *decoder, const json_t *json, int64_t low) {
    size_t count = json_array_size(json);
    int64_t *numbers = ARENA_ARRAY(decoder->arena, int64_t, count);
    for (size_t i = 0; i < count; i++)
        if (!read_number(json_array_get(json, i), low, INT64_MAX / 2, &numbers[i]))
            return NULL;
    return numbers;
}

static bool read_place(const json_t *json, int *file, int *line) {
    int64_t numbers[2];
    if (json_array_size(json) != 2 ||
        !read_number(json_array_get(json, 0), NO_NUMBER, INT32_MAX, &numbers[0]) ||
        !read_number(json_array_get(json, 1), 0, INT32_MAX, &numbers[1]))
        return false;
    *file = (int)numbers[0];
    *line = (int)numbers[1];
    return true;
}

static bool decode_origin(const Decoder *decoder, const json_t *json, TraceTensor *tensor) {
    static const struct {
        const char *name;
        OriginKind kind;
    } ORIGINS[] = {{"call", ORIGIN_CALL},
                   {"input", ORIGIN_INPUT},
                   {"parameter", ORIGIN_PARAMETER},
                   {"buffer", ORIGIN_BUFFER},
                   {"unknown", ORIGIN_UNKNOWN}};
    const char *name = json_string_value(json_array_get(json, 0));
    size_t i = 0;
    while (name != NULL && i < COUNT_OF(ORIGINS) && strcmp(ORIGINS[i].name, name) != 0)
        i++;
    if (name == NULL || i == COUNT_OF(ORIGINS))
        return false;
    tensor->origin = ORIGINS[i].kind;
    tensor->made_by = SIZE_MAX;
    if (tensor->origin == ORIGIN_UNKNOWN)
        return true;
    if (tensor->origin == ORIGIN_CALL) {
        int64_t call;
        if (!read_number(json_array_get(json, 1), 0, (int64_t)decoder->trace->call_count - 1, &call))
            return false;
        tensor->made_by = (size_t)call;
        return true;
    }
    tensor->key_count = json_array_size(json) - 1;
    tensor->keys = ARENA_ARRAY(decoder->arena, const char *, tensor->key_count);
    for (size_t k = 0; k < tensor->key_count; k++)
        if ((tensor->keys[k] = read_text(decoder, json_array_get(json, k + 1))) == NULL)
            return false;
    return tensor->key_count >= 1 && tensor->key_count <= MOST_KEYS;
}

/* No tensor of torch's has more, whatever else is zero: so that whoever multiplies sizes need not look. */
static bool has_too_many_elements(const TraceTensor *tensor) {
    int64_t count = 1;
    for (size_t i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] > 0 && __builtin_mul_overflow(count, tensor->shape[i], &count))
            return true;
    return false;
}

static Status decode_tensor(const Decoder *decoder, const json_t *json, size_t index, TraceTensor *tensor) {
    int64_t storage;
    if (json_array_size(json) != 7)
        return refuse(decoder, "tensor", index, "it has not seven parts");
    if (!read_number(json_array_get(json, 0), 0, UINT32_MAX - 1, &storage))
        return refuse(decoder, "tensor", index, "its storage is no number");
    tensor->storage.number = (uint32_t)storage;
    tensor->dtype = read_word(decoder, json_array_get(json, 1));
    const json_t *shape = json_array_get(json, 2), *stride = json_array_get(json, 3);
    tensor->rank = json_array_size(shape);
    tensor->shape = read_numbers(decoder, shape, 0);
    tensor->stride = read_numbers(decoder, stride, -(INT64_MAX / 2));
    if (!json_is_array(shape) || json_array_size(stride) != tensor->rank || tensor->rank > LARGEST_RANK ||
        tensor->shape == NULL || tensor->stride == NULL)
        return refuse(decoder, "tensor", index, "its shape and strides don't fit together");
    if (has_too_many_elements(tensor))
        return refuse(decoder, "tensor", index, "it has too many elements");
    tensor->device = read_word(decoder, json_array_get(json, 5));
    if (tensor->dtype == NULL || tensor->device == NULL ||
        !read_number(json_array_get(json, 4), 0, INT64_MAX / 2, &tensor->offset))
        return refuse(decoder, "tensor", index, "its dtype, offset or device is missing");
    if (!decode_origin(decoder, json_array_get(json, 6), tensor))
        return refuse(decoder, "tensor", index, "its origin is not one of those of the protocol");
    tensor->floating = text_starts(tensor->dtype, "torch.float") ||
                       text_starts(tensor->dtype, "torch.bfloat") ||
                       text_starts(tensor->dtype, "torch.complex");
    return STATUS_OK;
}

/* Storage numbers of a cell may be as large as it likes: ours are dense. */
static void number_storages(const Decoder *decoder) {
    Trace *trace = decoder->trace;
    uint32_t largest = 0;
    for (size_t i = 0; i < trace->tensor_count; i++)
        if (trace->tensors[i].storage.number > largest)
            largest = trace->tensors[i].storage.number;
    if (largest < 4 * trace->tensor_count) {
        trace->storage_count = trace->tensor_count == 0 ? 0 : (size_t)largest + 1;
        return;
    }
    Table *seen = table_new(decoder->arena);
    for (size_t i = 0; i < trace->tensor_count; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", trace->tensors[i].storage.number);
        uintptr_t number = (uintptr_t)table_get(seen, key);
        if (number == 0) {
            number = ++trace->storage_count;
            table_put(seen, key, (void *)number);
        }
        trace->tensors[i].storage.number = (uint32_t)(number - 1);
    }
}

static Status decode_module(const Decoder *decoder, const json_t *json, size_t index, TraceModule *module) {
    int64_t file;
    module->path = read_text(decoder, json_array_get(json, 0));
    module->class = read_text(decoder, json_array_get(json, 1));
    const json_t *library = json_array_get(json, 3);
    module->library = read_text(decoder, library);
    if (json_array_size(json) != 4 || module->path == NULL || module->class == NULL ||
        !read_number(json_array_get(json, 2), NO_NUMBER, INT32_MAX, &file) ||
        (module->library == NULL && !json_is_null(library)))
        return refuse(decoder, "module", index, "it is not [path, class, file, library]");
    module->file = (int)file;
    return STATUS_OK;
}

static Status decode_module_call(const Decoder *decoder, const json_t *json, size_t index,
                                 TraceModuleCall *call) {
    const Trace *trace = decoder->trace;
    int64_t module, parent, first, end;
    if (json_array_size(json) != 8 ||
        !read_number(json_array_get(json, 0), 0, (int64_t)trace->module_count - 1, &module) ||
        !read_number(json_array_get(json, 1), NO_NUMBER, (int64_t)index - 1, &parent) ||
        !read_number(json_array_get(json, 2), 0, (int64_t)trace->call_count, &first) ||
        !read_number(json_array_get(json, 3), first, (int64_t)trace->call_count, &end) ||
        !read_place(json_array_get(json, 7), &call->file, &call->line))
        return refuse(decoder, "module call", index, "its numbers are out of range");
    *call = (TraceModuleCall){.module = (size_t)module,
                              .parent = parent,
                              .first = (size_t)first,
                              .end = (size_t)end,
                              .file = call->file,
                              .line = call->line};
    Value *const values[] = {&call->args, &call->kwargs, &call->output};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (value_decode(decoder->arena, json_array_get(json, 4 + i), trace->tensor_count,
                         "trace, a module call", values[i], decoder->error) != STATUS_OK)
            return STATUS_ERROR;
    return STATUS_OK;
}

/* Those in pieces stand in the order in which they ended, as [number, row]; the others have the numbers that
 * are left, in order. */
static Status decode_module_calls(const Decoder *decoder, Rows *rows) {
    Trace *trace = decoder->trace;
    bool *there = ARENA_ARRAY(decoder->arena, bool, rows->count);
    size_t left = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const json_t *row;
        bool numbered = rows->next < rows->in_pieces;
        if (rows_next(rows, &row, decoder->error) != STATUS_OK)
            return STATUS_ERROR;
        while (!numbered && there[left])
            left++;
        int64_t number = (int64_t)left;
        if (numbered &&
            (json_array_size(row) != 2 ||
             !read_number(json_array_get(row, 0), 0, (int64_t)rows->count - 1, &number) || there[number]))
            return refuse(decoder, "module call", i, "its number is none, or another's");
        there[number] = true;
        if (decode_module_call(decoder, numbered ? json_array_get(row, 1) : row, (size_t)number,
                               &trace->module_calls[number]) != STATUS_OK)
            return STATUS_ERROR;
    }
    for (size_t i = 0; i < rows->count; i++) {
        const TraceModuleCall *call = &trace->module_calls[i];
        if (i > 0 && call->first < trace->module_calls[i - 1].first)
            return refuse(decoder, "module call", i, "it does not stand in order of time");
        if (call->parent != NO_NUMBER && (call->first < trace->module_calls[call->parent].first ||
                                          call->end > trace->module_calls[call->parent].end))
            return refuse(decoder, "module call", i, "it does not lie inside its parent");
    }
    return STATUS_OK;
}

static Status decode_maker(const Decoder *decoder, const json_t *json, size_t index, TraceMaker *maker) {
    static const struct {
        const char *name;
        size_t parts;
    } KINDS[] = {[MAKER_OWN] = {"own", 2},
                 [MAKER_CHILD] = {"child", 3},
                 [MAKER_METHOD] = {"method", 5},
                 [MAKER_LIBRARY] = {"library", 1}};
    const char *name = json_string_value(json_array_get(json, 0));
    size_t kind = 0;
    while (name != NULL && kind < COUNT_OF(KINDS) && strcmp(KINDS[kind].name, name) != 0)
        kind++;
    if (name == NULL || kind == COUNT_OF(KINDS) || json_array_size(json) != KINDS[kind].parts)
        return refuse(decoder, "maker", index, "it is none of own, child, method, library");
    *maker = (TraceMaker){.kind = (MakerKind)kind, .file = NO_NUMBER};
    int64_t file, number;
    if (maker->kind == MAKER_LIBRARY)
        return STATUS_OK;
    if (!read_number(json_array_get(json, 1), NO_NUMBER, INT32_MAX, &file))
        return refuse(decoder, "maker", index, "its file is no number");
    maker->file = (int)file;
    if (maker->kind == MAKER_OWN)
        return STATUS_OK;
    size_t limit =
        maker->kind == MAKER_CHILD ? decoder->trace->module_call_count : decoder->trace->module_count;
    if (!read_number(json_array_get(json, 2), 0, (int64_t)limit - 1, &number))
        return refuse(decoder, "maker", index, "it names no module");
    if (maker->kind == MAKER_CHILD) {
        maker->module_call = (size_t)number;
        return STATUS_OK;
    }
    maker->module = (size_t)number;
    maker->method = read_text(decoder, json_array_get(json, 4));
    if (maker->method == NULL || !read_number(json_array_get(json, 3), 0, INT64_MAX, &maker->serial))
        return refuse(decoder, "maker", index, "its serial or method is missing");
    return STATUS_OK;
}

static Status decode_arguments(const Decoder *decoder, const json_t *json, size_t index, TraceCall *call) {
    const json_t *args = json_object_get(json, "a"), *kwargs = json_object_get(json, "k");
    if (!json_is_array(args) || (kwargs != NULL && !json_is_object(kwargs)))
        return refuse(decoder, "call", index, "its arguments are missing");
    call->arg_count = json_array_size(args);
    call->kwarg_count = json_object_size(kwargs);
    /* One block: `uses` is made from it at once. */
    Value *values = ARENA_ARRAY(decoder->arena, Value, call->arg_count + call->kwarg_count);
    call->args = values;
    call->kwargs = values + call->arg_count;
    size_t tensor_count = decoder->trace->tensor_count;
    for (size_t i = 0; i < call->arg_count; i++)
        if (value_decode(decoder->arena, json_array_get(args, i), tensor_count, "trace, an argument",
                         &values[i], decoder->error) != STATUS_OK)
            return STATUS_ERROR;
    call->names = ARENA_ARRAY(decoder->arena, const char *, call->kwarg_count);
    void *at = json_object_iter((json_t *)(uintptr_t)kwargs);
    for (size_t i = 0; i < call->kwarg_count; i++) {
        call->names[i] = one_copy(decoder, json_object_iter_key(at));
        if (value_decode(decoder->arena, json_object_iter_value(at), tensor_count, "trace, an argument",
                         &call->kwargs[i], decoder->error) != STATUS_OK)
            return STATUS_ERROR;
        at = json_object_iter_next((json_t *)(uintptr_t)kwargs, at);
    }
    call->uses = value_tensors(decoder->arena, values, call->arg_count + call->kwarg_count, &call->use_count);
    return STATUS_OK;
}

static Status decode_written(const Decoder *decoder, const json_t *json, size_t index, TraceCall *call) {
    const json_t *written = json_object_get(json, "w");
    if (written != NULL && !json_is_array(written))
        return refuse(decoder, "call", index, "what it wrote is no list");
    call->written_count = json_array_size(written);
    call->written = ARENA_ARRAY(decoder->arena, TensorId, call->written_count);
    for (size_t i = 0; i < call->written_count; i++) {
        int64_t number;
        if (!read_number(json_array_get(written, i), 0, (int64_t)decoder->trace->tensor_count - 1, &number))
            return refuse(decoder, "call", index, "it wrote a tensor that is not in the table");
        call->written[i].number = (uint32_t)number;
    }
    return STATUS_OK;
}

static Status decode_operator(const Decoder *decoder, const json_t *json, size_t index, TraceCall *call) {
    const json_t *text = json_object_get(json, "f");
    const char *name = json_string_value(text);
    if (name == NULL || *name == '\0' || strlen(name) != json_string_length(text))
        return refuse(decoder, "call", index, "it has no name");
    uintptr_t number = (uintptr_t)table_get(decoder->operators, name);
    if (number == 0) {
        table_put(decoder->operators, name, (void *)(decoder->operators->count + 1));
        number = decoder->operators->count;
    }
    call->operator_number = (uint32_t)(number - 1);
    return STATUS_OK;
}

static Status decode_call(const Decoder *decoder, const json_t *json, size_t index, TraceCall *call) {
    const Trace *trace = decoder->trace;
    int64_t phase, maker;
    if (!read_number(json_object_get(json, "ph"), 0, 1, &phase) ||
        !read_number(json_object_get(json, "by"), 0, (int64_t)trace->maker_count - 1, &maker) ||
        !read_number(json_object_get(json, "mc"), NO_NUMBER, (int64_t)trace->module_call_count - 1,
                     &call->module_call))
        return refuse(decoder, "call", index, "its phase, maker or module call is out of range");
    if (call->module_call != NO_NUMBER) {
        const TraceModuleCall *around = &trace->module_calls[call->module_call];
        if (index < around->first || index >= around->end)
            return refuse(decoder, "call", index, "it does not lie inside its module call");
    }
    call->in_forward = phase == 1;
    call->maker = (uint32_t)maker;
    if (index > 0 && trace->calls[index - 1].in_forward && !call->in_forward)
        return refuse(decoder, "call", index, "it belongs to construction and follows forward");
    call->file = NO_NUMBER;
    const json_t *at = json_object_get(json, "at"), *flags = json_object_get(json, "x");
    if (at != NULL && !json_is_null(at) && !read_place(at, &call->file, &call->line))
        return refuse(decoder, "call", index, "its place is not [file, line]");
    call->grad = json_is_true(json_object_get(flags, "grad"));
    call->autocast = json_is_true(json_object_get(flags, "autocast"));
    call->training = json_is_true(json_object_get(flags, "training"));
    if (decode_operator(decoder, json, index, call) != STATUS_OK ||
        decode_arguments(decoder, json, index, call) != STATUS_OK ||
        decode_written(decoder, json, index, call) != STATUS_OK ||
        value_decode(decoder->arena, json_object_get(json, "o"), trace->tensor_count, "trace, an output",
                     &call->output, decoder->error) != STATUS_OK)
        return STATUS_ERROR;
    call->gives = value_tensors(decoder->arena, &call->output, 1, &call->give_count);
    return STATUS_OK;
}

/* A tensor can't be used before the call that made it. Also finds the call that made each buffer. */
static Status check_order(const Decoder *decoder) {
    Trace *trace = decoder->trace;
    bool *shown = ARENA_ARRAY(decoder->arena, bool, trace->tensor_count + 1); /* by the call that made it */
    trace->forward_start = trace->call_count;
    for (size_t i = 0; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        if (call->in_forward && i < trace->forward_start)
            trace->forward_start = i;
        for (size_t u = 0; u < call->use_count; u++) {
            const TraceTensor *tensor = &trace->tensors[call->uses[u].number];
            if (tensor->origin == ORIGIN_CALL && tensor->made_by > i)
                return refuse(decoder, "call", i, "it uses a tensor that a later call made");
        }
        for (size_t g = 0; g < call->give_count; g++) {
            TraceTensor *tensor = &trace->tensors[call->gives[g].number];
            if (tensor->made_by == SIZE_MAX && tensor->origin != ORIGIN_INPUT &&
                tensor->origin != ORIGIN_UNKNOWN)
                tensor->made_by = i;
            shown[call->gives[g].number] |= tensor->made_by == i;
        }
    }
    for (size_t i = 0; i < trace->tensor_count; i++) {
        TraceTensor *tensor = &trace->tensors[i];
        if (tensor->origin == ORIGIN_CALL && !shown[i]) { /* it says so: used, it is a finding */
            tensor->origin = ORIGIN_UNKNOWN;
            tensor->made_by = SIZE_MAX;
        }
    }
    return STATUS_OK;
}

static void list_state(const Decoder *decoder) {
    Trace *trace = decoder->trace;
    trace->state = table_new(decoder->arena);
    for (size_t i = 0; i < trace->tensor_count; i++) {
        TraceTensor *tensor = &trace->tensors[i];
        if (tensor->origin == ORIGIN_PARAMETER || tensor->origin == ORIGIN_BUFFER)
            for (size_t k = 0; k < tensor->key_count; k++)
                table_put(trace->state, tensor->keys[k], tensor);
    }
}

typedef enum TraceTable { TENSORS, MODULES, MODULE_CALLS, MAKERS, CALLS, TABLE_COUNT } TraceTable;

/* Decodes each row of a table with `decode_item`, into `items`. */
#define DECODE_TABLE(decoder, rows, items, decode_item)                                                      \
    for (size_t i = 0; i < (rows)->count; i++) {                                                             \
        const json_t *row;                                                                                   \
        if (rows_next((rows), &row, (decoder)->error) != STATUS_OK ||                                        \
            decode_item((decoder), row, i, &(items)[i]) != STATUS_OK)                                        \
            return STATUS_ERROR;                                                                             \
    }

static Status decode_tables(const Decoder *decoder, Rows *tables) {
    Trace *trace = decoder->trace;
    DECODE_TABLE(decoder, &tables[TENSORS], trace->tensors, decode_tensor)
    number_storages(decoder);
    DECODE_TABLE(decoder, &tables[MODULES], trace->modules, decode_module)
    if (decode_module_calls(decoder, &tables[MODULE_CALLS]) != STATUS_OK)
        return STATUS_ERROR;
    DECODE_TABLE(decoder, &tables[MAKERS], trace->makers, decode_maker)
    DECODE_TABLE(decoder, &tables[CALLS], trace->calls, decode_call)
    return STATUS_OK;
}

static Status read_tables(const Decoder *decoder, const json_t *json, Bytes pieces) {
    static const struct {
        const char *key;
        char letter;
    } NAMES[TABLE_COUNT] = {[TENSORS] = {"tensors", 't'},
                            [MODULES] = {"modules", 'M'},
                            [MODULE_CALLS] = {"module_calls", 'm'},
                            [MAKERS] = {"makers", 'k'},
                            [CALLS] = {"calls", 'c'}};
    Trace *trace = decoder->trace;
    Rows tables[TABLE_COUNT];
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (rows_open(&tables[i], json, NAMES[i].key, pieces, NAMES[i].letter, "trace", decoder->error) !=
            STATUS_OK)
            return STATUS_ERROR;
    trace->tensor_count = tables[TENSORS].count;
    trace->module_count = tables[MODULES].count;
    trace->module_call_count = tables[MODULE_CALLS].count;
    trace->maker_count = tables[MAKERS].count;
    trace->call_count = tables[CALLS].count;
    trace->tensors = ARENA_ARRAY(decoder->arena, TraceTensor, trace->tensor_count);
    trace->modules = ARENA_ARRAY(decoder->arena, TraceModule, trace->module_count);
    trace->module_calls = ARENA_ARRAY(decoder->arena, TraceModuleCall, trace->module_call_count);
    trace->makers = ARENA_ARRAY(decoder->arena, TraceMaker, trace->maker_count);
    trace->calls = ARENA_ARRAY(decoder->arena, TraceCall, trace->call_count);
    Status status = decode_tables(decoder, tables);
    for (size_t i = 0; i < TABLE_COUNT; i++)
        rows_close(&tables[i]);
    return status;
}

enum { MOST_SIZE_TESTS = 10000 }; /* probe/tracer.py stops there */

static Status decode_size_tests(const Decoder *decoder, const json_t *json) {
    Trace *trace = decoder->trace;
    const json_t *rows = json_object_get(json, "size_tests");
    trace->size_test_count = json_array_size(rows);
    if (trace->size_test_count > MOST_SIZE_TESTS)
        return refuse(decoder, "size test", MOST_SIZE_TESTS, "there are too many");
    trace->size_tests = ARENA_ARRAY(decoder->arena, TraceSizeTest, trace->size_test_count);
    for (size_t i = 0; i < trace->size_test_count; i++) {
        TraceSizeTest *test = &trace->size_tests[i];
        const json_t *row = json_array_get(rows, i);
        int *const numbers[] = {&test->file, &test->line, &test->column, &test->end_line, &test->end_column};
        for (size_t n = 0; n < COUNT_OF(numbers); n++) {
            const json_t *number = json_array_get(row, n);
            if (!json_is_integer(number) || json_integer_value(number) < 0 ||
                json_integer_value(number) > INT32_MAX)
                return refuse(decoder, "size test", i, "it must begin with five numbers");
            *numbers[n] = (int)json_integer_value(number);
        }
        const char *kind = json_string_value(json_array_get(row, COUNT_OF(numbers)));
        if (!text_equal(kind, "test") && !text_equal(kind, "lost") && !text_equal(kind, "number"))
            return refuse(decoder, "size test", i, "what was done is not known");
        test->kind = *kind == 't' ? SIZE_TESTED : *kind == 'l' ? SIZE_LOST : SIZE_NUMBER;
    }
    return STATUS_OK;
}

Status trace_decode(Arena *arena, const json_t *json, Bytes pieces, Trace *trace, Error *error) {
    *trace = (Trace){0};
    Decoder decoder = {arena, trace, table_new(arena), table_new(arena), error};
    if (read_tables(&decoder, json, pieces) != STATUS_OK || decode_size_tests(&decoder, json) != STATUS_OK)
        return STATUS_ERROR;
    trace->operator_count = decoder.operators->count;
    trace->operators = ARENA_ARRAY(arena, const char *, trace->operator_count);
    for (size_t i = 0; i < trace->operator_count; i++)
        trace->operators[i] = decoder.operators->items[i].key;
    const struct {
        const char *key;
        Value *value;
    } values[] = {{"args", &trace->args},
                  {"kwargs", &trace->kwargs},
                  {"outputs", &trace->outputs},
                  {"kept", &trace->kept}};
    trace->kept.kind = VALUE_NONE;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (json_object_get(json, values[i].key) == NULL && values[i].value == &trace->kept)
            continue; /* it is only there where something was kept */
        else if (value_decode(arena, json_object_get(json, values[i].key), trace->tensor_count, "trace",
                              values[i].value, error) != STATUS_OK)
            return STATUS_ERROR;
    if (check_order(&decoder) != STATUS_OK)
        return STATUS_ERROR;
    list_state(&decoder);
    trace_mark_live(arena, trace);
    return STATUS_OK;
}
