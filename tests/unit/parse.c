/* Syntax trees for unit tests: a Parser that runs python3 on probe/syntax.py. */
#include "parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static json_t *run_parser(const char *folder, size_t count) {
    char command[4096];
    int length = snprintf(command, sizeof command, "cd %s && python3 -S '%s/probe/syntax.py'", folder,
                          getenv("PLUMBLINE_SOURCE_ROOT"));
    for (size_t i = 0; i < count; i++)
        length += snprintf(command + length, sizeof command - (size_t)length, " %zu.py", i);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    json_error_t cause;
    json_t *json = json_loadf(pipe, JSON_ALLOW_NUL, &cause);
    assert_int_equal(pclose(pipe), 0);
    assert_non_null(json);
    return json;
}

static Status parse(void *context, Arena *arena, const Source *sources, size_t count, Tree *trees,
                    Error *error) {
    (void)context;
    char folder[] = "/tmp/plumbline-parse-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_true(count <= 200);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(file_write(arena_printf(arena, "%s/%zu.py", folder, i), sources[i].bytes, error),
                         STATUS_OK);
    json_t *json = run_parser(folder, count);
    for (size_t i = 0; i < count; i++)
        unlink(arena_printf(arena, "%s/%zu.py", folder, i));
    rmdir(folder);
    Status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = tree_decode(arena, &sources[i], json_array_get(json_object_get(json, "trees"), i), &trees[i],
                             error);
    json_decref(json);
    return status;
}

Parser test_parser(void) {
    return (Parser){.parse = parse};
}

Tree test_parse_text(Arena *arena, const char *name, const char *text) {
    char path[] = "/tmp/plumbline-text-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    Source *source = ARENA_NEW(arena, Source);
    Tree tree;
    Error error;
    assert_int_equal(source_read(arena, path, name, source, &error), STATUS_OK);
    unlink(path);
    if (parse(NULL, arena, source, 1, &tree, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    return tree;
}
