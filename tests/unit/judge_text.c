/* Traces for the judge's tests, written line by line. */
#include "judge_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_WORDS = 64, DEEPEST = 16 };

typedef struct Writer {
    Arena *arena;
    json_t *tensors, *modules, *module_calls, *makers, *calls, *outputs;
    Table *names; /* tensor name -> number + 1 */
    int storages;
    int stack[DEEPEST], depth; /* open module calls */
    char *words[MOST_WORDS];
    int count;
} Writer;

static json_t *tensor_value(int number) {
    return json_pack("{s:i}", "T", number);
}

static int number_of(Writer *writer, const char *name) {
    return (int)(uintptr_t)table_get(writer->names, name) - 1;
}

static json_t *value_of(Writer *writer, const char *word) {
    size_t length = strlen(word);
    if (number_of(writer, word) >= 0)
        return tensor_value(number_of(writer, word));
    if (*word == '{')
        return json_loads(word, JSON_DECODE_ANY, NULL);
    if (*word == '\'')
        return json_stringn(word + 1, length - 2);
    if (strcmp(word, "None") == 0)
        return json_null();
    if (strcmp(word, "True") == 0 || strcmp(word, "False") == 0)
        return json_boolean(*word == 'T');
    if (*word == '(') {
        json_t *items = json_array();
        char *inner = arena_strndup(writer->arena, word + 1, length - 2);
        for (char *rest = inner, *item; (item = strsep(&rest, ",")) != NULL;)
            json_array_append_new(items, value_of(writer, item));
        return json_pack("{s:o}", "t", items);
    }
    if (strchr(word, '.') != NULL)
        return json_pack("{s:s}", "f", arena_printf(writer->arena, "%a", atof(word)));
    if (strspn(word, "-0123456789") != length)
        fail_msg("no such tensor: %s", word);
    return json_integer(atoll(word));
}

/* NAME[:dtype][&base][@0] */
static int add_tensor(Writer *writer, const char *word, json_t *origin) {
    char *name = arena_strdup(writer->arena, word);
    char *scalar = strchr(name, '@'), *base = strchr(name, '&'), *dtype = strchr(name, ':');
    char *const parts[] = {scalar, base, dtype};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (parts[i] != NULL)
            *parts[i] = '\0';
    int storage = writer->storages++;
    if (base != NULL) {
        const json_t *shared = json_array_get(writer->tensors, (size_t)number_of(writer, base + 1));
        storage = (int)json_integer_value(json_array_get(shared, 0));
    }
    const char *type = arena_printf(writer->arena, "torch.%s", dtype == NULL ? "float32" : dtype + 1);
    json_t *tensor =
        scalar != NULL ? json_pack("[i,s,[],[],i,s,o]", storage, type, 0, "cpu", origin)
                       : json_pack("[i,s,[i,i],[i,i],i,s,o]", storage, type, 2, 30, 30, 1, 0, "cpu", origin);
    json_array_append_new(writer->tensors, tensor);
    table_put(writer->names, name, (void *)json_array_size(writer->tensors));
    return (int)json_array_size(writer->tensors) - 1;
}

static int module_number(Writer *writer, const char *path) {
    for (size_t m = 0; m < json_array_size(writer->modules); m++)
        if (strcmp(json_string_value(json_array_get(json_array_get(writer->modules, m), 0)), path) == 0)
            return (int)m;
    fail_msg("no such module: %s", path);
    return -1;
}

static int add_maker(Writer *writer, json_t *maker) {
    for (size_t m = 0; m < json_array_size(writer->makers); m++)
        if (json_equal(json_array_get(writer->makers, m), maker)) {
            json_decref(maker);
            return (int)m;
        }
    json_array_append_new(writer->makers, maker);
    return (int)json_array_size(writer->makers) - 1;
}

static int maker_of(Writer *writer, const char *who, int *file) {
    int module_call = writer->depth > 0 ? writer->stack[writer->depth - 1] : -1;
    *file = 0;
    if (strcmp(who, "child") == 0) {
        json_t *call = json_array_get(writer->module_calls, (size_t)module_call);
        size_t module = (size_t)json_integer_value(json_array_get(call, 0));
        *file = (int)json_integer_value(json_array_get(json_array_get(writer->modules, module), 2));
        return add_maker(writer, json_pack("[s,i,i]", "child", *file, module_call));
    }
    if (text_starts(who, "method:")) {
        char *path = arena_strdup(writer->arena, who + strlen("method:"));
        char *serial = strchr(path, ':');
        *serial = '\0';
        int module = module_number(writer, path);
        *file = (int)json_integer_value(json_array_get(json_array_get(writer->modules, (size_t)module), 2));
        return add_maker(writer,
                         json_pack("[s,i,i,i,s]", "method", *file, module, atoi(serial + 1), "logits"));
    }
    if (text_starts(who, "ownfile:"))
        *file = atoi(who + strlen("ownfile:"));
    return add_maker(writer, json_pack("[s,i]", "own", *file));
}

static void add_call(Writer *writer) {
    int number = (int)json_array_size(writer->calls), file, at = 2;
    bool in_forward = strcmp(writer->words[0], "init") != 0;
    json_t *gives = json_array(), *args = json_array(), *kwargs = json_object(), *written = json_array();
    json_t *literal = NULL;
    while (strcmp(writer->words[at], "=") != 0)
        json_array_append_new(
            gives, tensor_value(add_tensor(writer, writer->words[at++], json_pack("[s,i]", "call", number))));
    const char *function = writer->words[++at];
    for (at++;
         at < writer->count && strcmp(writer->words[at], "!") != 0 && strcmp(writer->words[at], ">") != 0;
         at++) {
        char *equals = strchr(writer->words[at], '=');
        if (equals != NULL && *writer->words[at] != '{') {
            *equals = '\0';
            json_object_set_new(kwargs, writer->words[at], value_of(writer, equals + 1));
        } else {
            json_array_append_new(args, value_of(writer, writer->words[at]));
        }
    }
    if (at < writer->count && strcmp(writer->words[at], "!") == 0)
        for (at++; at < writer->count; at++)
            json_array_append_new(written, json_integer(number_of(writer, writer->words[at])));
    else if (at < writer->count)
        literal = value_of(writer, writer->words[at + 1]);
    json_t *output = literal;
    if (output == NULL && json_array_size(gives) == 1)
        output = json_incref(json_array_get(gives, 0));
    else if (output == NULL)
        output = json_array_size(gives) == 0 ? json_null() : json_pack("{s:O}", "t", gives);
    int maker = maker_of(writer, writer->words[0], &file);
    json_array_append_new(writer->calls,
                          json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:i, s:i, s:[i,i], s:{}}", "f", function,
                                    "ph", in_forward, "a", args, "k", kwargs, "o", output, "w", written, "mc",
                                    in_forward && writer->depth > 0 ? writer->stack[writer->depth - 1] : -1,
                                    "by", maker, "at", file, atoi(writer->words[1]), "x"));
    json_decref(gives);
}

static json_t *values_after_colon(Writer *writer) {
    json_t *values = json_array();
    int at = 0;
    while (at < writer->count && strcmp(writer->words[at], ":") != 0)
        at++;
    for (at++; at < writer->count; at++)
        json_array_append_new(values, value_of(writer, writer->words[at]));
    return json_pack("{s:o}", "t", values);
}

static void enter(Writer *writer, const char *path, int line, json_t *args) {
    int calls = (int)json_array_size(writer->calls);
    json_t *call = json_pack("[i,i,i,i,o,{s:[]},n,[i,i]]", module_number(writer, path),
                             writer->depth > 0 ? writer->stack[writer->depth - 1] : -1, calls, calls, args,
                             "d", 0, line);
    json_array_append_new(writer->module_calls, call);
    writer->stack[writer->depth++] = (int)json_array_size(writer->module_calls) - 1;
}

static void leave(Writer *writer, json_t *output) {
    json_t *call = json_array_get(writer->module_calls, (size_t)writer->stack[--writer->depth]);
    json_array_set_new(call, 3, json_integer((json_int_t)json_array_size(writer->calls)));
    json_array_set_new(call, 6, output);
}

static json_t *keys_of(Writer *writer) {
    json_t *origin = json_pack("[s]", writer->words[0]);
    for (int i = 1; i < writer->count && strcmp(writer->words[i], "=") != 0; i++)
        json_array_append_new(origin, json_string(writer->words[i]));
    return origin;
}

static void add_line(Writer *writer) {
    const char *kind = writer->words[0];
    if (strcmp(kind, "module") == 0) {
        int file = atoi(writer->words[3]);
        json_t *library = file < 0 ? json_string("torch.nn") : json_null();
        json_array_append_new(writer->modules,
                              json_pack("[s,s,i,o]", writer->words[1], writer->words[2], file, library));
    } else if (strcmp(kind, "input") == 0) {
        char *path = arena_strndup(writer->arena, writer->words[1], strcspn(writer->words[1], ":&@"));
        add_tensor(writer, writer->words[1], json_pack("[s,s]", "input", path));
    } else if (strcmp(kind, "unknown") == 0) {
        add_tensor(writer, writer->words[1], json_pack("[s]", "unknown"));
    } else if (writer->count > 2 && strcmp(writer->words[2], "=") == 0 && strcmp(kind, "buffer") == 0) {
        int number = number_of(writer, writer->words[3]);
        json_array_set_new(json_array_get(writer->tensors, (size_t)number), 6, keys_of(writer));
        table_put(writer->names, writer->words[1], (void *)(uintptr_t)(number + 1));
    } else if (strcmp(kind, "parameter") == 0 || strcmp(kind, "buffer") == 0) {
        add_tensor(writer, writer->words[1], keys_of(writer));
    } else if (strcmp(kind, "enter") == 0) {
        enter(writer, writer->words[1], atoi(writer->words[2]), values_after_colon(writer));
    } else if (strcmp(kind, "leave") == 0) {
        json_t *values = values_after_colon(writer), *items = json_object_get(values, "t");
        bool one = json_array_size(items) == 1;
        leave(writer, one ? json_incref(json_array_get(items, 0)) : json_incref(values));
        json_decref(values);
    } else if (strcmp(kind, "returns") == 0) {
        writer->words[0] = ":";
        writer->outputs = values_after_colon(writer);
    } else {
        if (writer->depth == 0 && strcmp(kind, "init") != 0)
            fail_msg("forward has not begun: %s", kind);
        add_call(writer);
    }
}

json_t *trace_of_text(Arena *arena, const char *text) {
    Writer writer = {.arena = arena,
                     .tensors = json_array(),
                     .modules = json_pack("[[s,s,i,n]]", "", "RefactoredModel", 0),
                     .module_calls = json_array(),
                     .makers = json_array(),
                     .calls = json_array(),
                     .names = table_new(arena)};
    char *copy = arena_strdup(arena, text);
    for (char *rest = copy, *line; (line = strsep(&rest, "\n")) != NULL;) {
        writer.count = 0;
        for (char *word; (word = strsep(&line, " ")) != NULL && writer.count < MOST_WORDS;)
            if (*word != '\0')
                writer.words[writer.count++] = word;
        if (writer.count == 0)
            continue;
        const char *kind = writer.words[0];
        bool declares = strcmp(kind, "module") == 0 || strcmp(kind, "input") == 0 ||
                        strcmp(kind, "unknown") == 0 || strcmp(kind, "parameter") == 0 ||
                        strcmp(kind, "buffer") == 0 || strcmp(kind, "init") == 0;
        if (!declares && writer.depth == 0)
            enter(&writer, "", 0, json_pack("{s:[]}", "t"));
        add_line(&writer);
    }
    if (writer.depth > 0)
        leave(&writer, json_null());
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:{s:[]}, s:{s:[]}, s:o}", "tensors", writer.tensors,
                     "modules", writer.modules, "module_calls", writer.module_calls, "makers", writer.makers,
                     "calls", writer.calls, "args", "l", "kwargs", "d", "outputs",
                     writer.outputs == NULL ? json_null() : writer.outputs);
}
