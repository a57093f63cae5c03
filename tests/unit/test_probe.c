/* Memory files, frames, interpreters, outcomes: what needs no torch. */
#include "probe.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox.h"
#include "wire.h"
#include "zygote.h"

static int make_arena(void **state) {
    *state = arena_new();
    return 0;
}

static int free_arena(void **state) {
    arena_free(*state);
    return 0;
}

static Bytes text_bytes(const char *text) {
    return (Bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- Memory files ---------------------------------------------------------------------------- */
static void appends_aligned(void **state) {
    Error error;
    MemoryFile *file;
    size_t at;
    assert_int_equal(memory_file_new(*state, "weights", &file, &error), STATUS_OK);
    assert_int_equal(memory_file_append(file, text_bytes("abc"), 64, &at, &error), STATUS_OK);
    assert_int_equal(at, 0);
    assert_int_equal(memory_file_append(file, text_bytes(""), 64, &at, &error), STATUS_OK);
    assert_int_equal(at, 64);
    assert_int_equal(file->size, 3);
    assert_int_equal(memory_file_append(file, text_bytes("de"), 64, &at, &error), STATUS_OK);
    assert_int_equal(at, 64);
    Bytes bytes;
    assert_int_equal(memory_file_map(file, &bytes, &error), STATUS_OK);
    assert_int_equal(bytes.size, 66);
    assert_memory_equal(bytes.data, "abc\0", 4);
    assert_memory_equal(bytes.data + 64, "de", 2);
    memory_file_close(file);
    memory_file_close(file);
    assert_int_equal(file->fd, -1);
}

static void sealed_means_unchangeable(void **state) {
    Error error;
    MemoryFile *file;
    size_t at;
    assert_int_equal(memory_file_new(*state, "outputs", &file, &error), STATUS_OK);
    assert_int_equal(memory_file_append(file, text_bytes("abc"), 1, &at, &error), STATUS_OK);
    assert_int_equal(memory_file_seal(file, &error), STATUS_OK);
    assert_int_equal(ftruncate(file->fd, 0), -1);
    assert_int_equal(ftruncate(file->fd, 100), -1);
    assert_int_equal(pwrite(file->fd, "x", 1, 0), -1);
    assert_int_equal(memory_file_append(file, text_bytes("x"), 1, &at, &error), STATUS_ERROR);
    assert_int_equal(memory_file_seal(file, &error), STATUS_OK);
    memory_file_close(file);
}

static void size_is_what_it_has(void **state) {
    Error error;
    MemoryFile *file;
    Bytes bytes;
    assert_int_equal(memory_file_new(*state, "outputs", &file, &error), STATUS_OK);
    assert_int_equal(ftruncate(file->fd, 12345), 0); /* as a cell would */
    assert_int_equal(memory_file_map(file, &bytes, &error), STATUS_OK);
    assert_int_equal(bytes.size, 12345);
    assert_int_equal(bytes.data[12344], 0);
    memory_file_close(file);
    assert_int_equal(memory_file_new(*state, "empty", &file, &error), STATUS_OK);
    assert_int_equal(memory_file_map(file, &bytes, &error), STATUS_OK);
    assert_int_equal(bytes.size, 0);
    memory_file_close(file);
}

static void refuses_what_can_change(void **state) {
    Error error;
    MemoryFile *file;
    assert_int_equal(memory_file_new(*state, "outputs", &file, &error), STATUS_OK);
    assert_int_equal(fcntl(file->fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
    assert_int_equal(memory_file_seal(file, &error), STATUS_ERROR);
    memory_file_close(file);
    assert_int_equal(memory_file_new(*state, "outputs", &file, &error), STATUS_OK);
    assert_int_equal(ftruncate(file->fd, 4096), 0);
    void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    assert_ptr_not_equal(mapped, MAP_FAILED);
    assert_int_equal(memory_file_seal(file, &error), STATUS_ERROR);
    munmap(mapped, 4096);
    assert_int_equal(memory_file_seal(file, &error), STATUS_OK);
    memory_file_close(file);
}

/* ---- Frames ---------------------------------------------------------------------------------- */
typedef struct Pair {
    int ends[2];
    WireReader reader;
} Pair;

static Pair pair_new(size_t limit) {
    Pair pair;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.ends), 0);
    pair.reader = (WireReader){.fd = pair.ends[0], .limit = limit};
    return pair;
}

static void pair_free(Pair *pair) {
    wire_free(&pair->reader);
    close(pair->ends[0]);
    close(pair->ends[1]);
}

static void put(const Pair *pair, const char *data, size_t size) {
    assert_int_equal(write(pair->ends[1], data, size), size);
}

static void frames_come_by_pieces(void **state) {
    (void)state;
    Pair pair = pair_new(1000);
    Error error;
    json_t *object;
    static const char two[] = "\x07\0\0\0{\"a\":1}\x07\0\0\0{\"b\":2}";
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(wire_read(&pair.reader), WIRE_AGAIN);
        put(&pair, two + i, 1);
    }
    put(&pair, two + 10, sizeof two - 1 - 10);
    assert_int_equal(wire_read(&pair.reader), WIRE_FRAME);
    assert_int_equal(wire_take(&pair.reader, "it", &object, &error), STATUS_OK);
    assert_int_equal(json_integer_value(json_object_get(object, "a")), 1);
    json_decref(object);
    assert_int_equal(wire_read(&pair.reader), WIRE_FRAME);
    assert_int_equal(wire_take(&pair.reader, "it", &object, &error), STATUS_OK);
    assert_int_equal(json_integer_value(json_object_get(object, "b")), 2);
    json_decref(object);
    shutdown(pair.ends[1], SHUT_WR);
    assert_int_equal(wire_read(&pair.reader), WIRE_END);
    pair_free(&pair);
}

static void frames_have_a_limit(void **state) {
    (void)state;
    Pair pair = pair_new(1000);
    put(&pair, "\xe9\x03\0\0", 4); /* 1001 */
    assert_int_equal(wire_read(&pair.reader), WIRE_BAD);
    assert_true(pair.reader.capacity < 5000);
    pair_free(&pair);
    pair = pair_new((size_t)1 << 40);
    put(&pair, "\xff\xff\xff\xff{", 5); /* announced, never sent: no memory is taken for it */
    assert_int_equal(wire_read(&pair.reader), WIRE_AGAIN);
    assert_true(pair.reader.capacity < 50000);
    pair_free(&pair);
}

static void frames_hold_objects(void **state) {
    (void)state;
    static const char *const wrong[] = {"", "[]", "1", "{\"a\":1,\"a\":2}", "{\"a\":1} x", "\xff", "{\"a\":"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        Pair pair = pair_new(1000);
        char header[4] = {(char)strlen(wrong[i])};
        Error error;
        json_t *object = NULL;
        put(&pair, header, 4);
        put(&pair, wrong[i], strlen(wrong[i]));
        assert_int_equal(wire_read(&pair.reader), WIRE_FRAME);
        assert_int_equal(wire_take(&pair.reader, "its answer", &object, &error), STATUS_ERROR);
        pair_free(&pair);
    }
}

static void descriptors_travel(void **state) {
    (void)state;
    Pair pair = pair_new(1000);
    Error error;
    json_t *object = json_pack("{s:s}", "text", "\xc3\xa9"), *back;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(wire_send(pair.ends[1], object, pipes, 2, now_seconds() + 5, &error), STATUS_OK);
    assert_int_equal(wire_receive(&pair.reader, "it", now_seconds() + 5, &back, &error), STATUS_OK);
    assert_true(json_equal(object, back));
    assert_int_equal(wire_receive(&pair.reader, "it", now_seconds() + 0.05, &back, &error), STATUS_ERROR);
    assert_string_equal(error.cause, "no answer in time");
    json_decref(object);
    json_decref(back);
    close(pipes[0]);
    close(pipes[1]);
    pair_free(&pair);
}

static void nobody_reads(void **state) {
    (void)state;
    Pair pair = pair_new(1000);
    Error error;
    char *large = malloc(4 << 20);
    memset(large, 'x', 4 << 20);
    json_t *object = json_pack("{s:s#}", "text", large, 4 << 20);
    assert_int_equal(wire_send(pair.ends[1], object, NULL, 0, now_seconds() + 0.05, &error), STATUS_ERROR);
    json_decref(object);
    free(large);
    pair_free(&pair);
}

/* ---- What cells say -------------------------------------------------------------------------- */
static bool reads_failure(Arena *arena, const char *text, Failure *failure) {
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    bool good = failure_read(arena, json, failure);
    json_decref(json);
    return good;
}

static void failures_are_decoded(void **state) {
    Failure failure;
    assert_true(reads_failure(
        *state,
        "{\"stage\": \"forward\", \"type\": \"E\", \"message\": \"m\\u001b\", \"module\": \"a.b\","
        " \"frames\": [[0, \"refactored.py\", 3, \"forward\"], [-1, \"torch/x.py\", 9, \"f\"]]}",
        &failure));
    assert_string_equal(failure.stage, "forward");
    assert_string_equal(failure.message, "m\\x1b");
    assert_string_equal(failure.module, "a.b");
    assert_int_equal(failure.frame_count, 2);
    assert_int_equal(failure.frames[0].line, 3);
    assert_int_equal(failure.frames[1].file, -1);
}

static void odd_failures_are_refused(void **state) {
    static const char *const odd[] = {
        "{}",
        "[]",
        "{\"stage\": \"won\", \"type\": \"E\", \"message\": \"\", \"frames\": []}",
        "{\"stage\": \"load\", \"type\": 1, \"message\": \"\", \"frames\": []}",
        "{\"stage\": \"load\", \"type\": \"E\", \"message\": null, \"frames\": []}",
        "{\"stage\": \"load\", \"type\": \"E\", \"message\": \"\", \"frames\": [1]}",
        "{\"stage\": \"load\", \"type\": \"E\", \"message\": \"\", \"frames\": [[0, \"a\", -1, \"f\"]]}",
        "{\"stage\": \"load\", \"type\": \"E\", \"message\": \"\", \"frames\": [[-2, \"a\", 1, \"f\"]]}",
        "{\"stage\": \"load\", \"type\": \"E\", \"message\": \"\", \"frames\": [[1e99, \"a\", 1, \"f\"]]}",
        "{\"stage\": \"load\", \"type\": \"E\", \"message\": \"\", \"frames\": [[0, \"a\", 1]]}",
        "{\"stage\": \"load\", \"type\": \"E\", \"message\": \"\", \"frames\": [], \"module\": 1}",
    };
    Failure failure;
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        assert_false(reads_failure(*state, odd[i], &failure));
}

static void failures_are_bounded(void **state) {
    json_t *frames = json_array();
    for (int i = 0; i < 1000; i++)
        json_array_append_new(frames, json_pack("[i, s, i, s]", 0, "a.py", i, "f"));
    char *text = malloc(1 << 20);
    memset(text, 'x', 1 << 20);
    json_t *json = json_pack("{s:s, s:s#, s:s#, s:o}", "stage", "load", "type", text, 1 << 20, "message",
                             text, 1 << 20, "frames", frames);
    Failure failure;
    assert_true(failure_read(*state, json, &failure));
    assert_true(strlen(failure.type) < 300);
    assert_true(strlen(failure.message) < 10000);
    assert_int_equal(failure.frame_count, 64);
    assert_int_equal(failure.frames[63].line, 999);
    json_decref(json);
    free(text);
}

static SandboxReport layers_of(Arena *arena, const char *text, bool cuda, bool *good) {
    json_t *json = json_loads(text, 0, NULL);
    SandboxReport report;
    *good = sandbox_read(arena, json, cuda, &report);
    json_decref(json);
    return report;
}

static void layers_are_read(void **state) {
    bool good;
    SandboxReport report = layers_of(
        *state, "{\"seccomp\": \"on\", \"landlock\": \"on, ABI 5\", \"namespaces\": \"refused: no\"}", false,
        &good);
    assert_true(good);
    assert_true(report.layers[LAYER_SECCOMP].on && report.layers[LAYER_LANDLOCK].on);
    assert_false(report.layers[LAYER_NAMESPACES].on);
    assert_string_equal(report.layers[LAYER_LIMITS].text, "off");
    assert_int_equal(sandbox_missing(&report), LAYER_LIMITS);
    SandboxReport all = layers_of(
        *state, "{\"seccomp\": \"on\", \"landlock\": \"on\", \"namespaces\": \"on\", \"limits\": \"on\"}",
        true, &good);
    assert_int_equal(sandbox_missing(&all), SANDBOX_LAYER_COUNT);
    assert_non_null(strstr(all.layers[LAYER_SECCOMP].text, "relaxed for CUDA"));
    SandboxReport weakest = {0};
    sandbox_weaken(&weakest, &all);
    sandbox_weaken(&weakest, &report);
    sandbox_weaken(&weakest, &all);
    assert_false(weakest.layers[LAYER_NAMESPACES].on);
    layers_of(*state, "{\"seccomp\": \"once\"}", false, &good);
    assert_true(good);
    layers_of(*state, "{\"seccomp\": 1}", false, &good);
    assert_false(good);
    layers_of(*state, "[]", false, &good);
    assert_false(good);
}

static void reserved_memory_is_sealed(void **state) {
    Error error;
    MemoryFile *file, *empty, *huge;
    uint8_t *data;
    Bytes bytes;
    assert_int_equal(memory_file_new(*state, "weights", &file, &error), STATUS_OK);
    assert_int_equal(memory_file_reserve(file, 5000, &data, &error), STATUS_OK);
    assert_int_equal(data[4999], 0);
    memcpy(data, "plumb", 5);
    assert_int_equal(memory_file_map(file, &bytes, &error), STATUS_OK);
    assert_int_equal(bytes.size, 5000);
    assert_memory_equal(bytes.data, "plumb", 5);
    assert_true(mmap(NULL, 5000, PROT_WRITE, MAP_SHARED, file->fd, 0) == MAP_FAILED);
    memory_file_close(file);
    assert_int_equal(memory_file_new(*state, "empty", &empty, &error), STATUS_OK);
    assert_int_equal(memory_file_reserve(empty, 0, &data, &error), STATUS_OK);
    assert_int_equal(memory_file_map(empty, &bytes, &error), STATUS_OK);
    assert_int_equal(bytes.size, 0);
    memory_file_close(empty);
    assert_int_equal(memory_file_new(*state, "huge", &huge, &error), STATUS_OK);
    assert_int_equal(memory_file_reserve(huge, SIZE_MAX / 4, &data, &error), STATUS_ERROR);
    assert_non_null(strstr(error.cause, "no memory for"));
    memory_file_close(huge);
}

static void filters_are_made(void **state) {
    Error error;
    MemoryFile *plain, *cuda;
    assert_int_equal(seccomp_program(*state, 4242, false, &plain, &error), STATUS_OK);
    assert_int_equal(seccomp_program(*state, 4242, true, &cuda, &error), STATUS_OK);
    assert_true(plain->sealed && plain->size > 0 && plain->size % 8 == 0 && plain->size / 8 <= 4096);
    assert_int_not_equal(plain->size, cuda->size);
    memory_file_close(plain);
    memory_file_close(cuda);
}

/* ---- Interpreters ---------------------------------------------------------------------------- */
static char *fake_python(Arena *arena, const char *folder, const char *name, const char *script) {
    char *path = path_join(arena, folder, name);
    Error error;
    char *text = arena_printf(arena, "#!/bin/sh\n%s\n", script);
    assert_int_equal(file_write(path, text_bytes(text), &error), STATUS_OK);
    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

static void clear_environment(void) {
    static const char *const names[] = {"PLUMBLINE_PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        unsetenv(names[i]);
}

static void interpreters_in_order(void **state) {
    Arena *arena = *state;
    char folder[] = "/tmp/plumbline-test-XXXXXX", *path = arena_strdup(arena, getenv("PATH"));
    assert_non_null(mkdtemp(folder));
    int here = open(".", O_RDONLY | O_DIRECTORY);
    assert_true(here >= 0);
    assert_int_equal(chdir(folder), 0); /* where there is no ./.venv */
    char *bin = path_join(arena, folder, "bin");
    assert_int_equal(mkdir(bin, 0700), 0);
    char *good = fake_python(arena, folder, "python3", "echo 3.9.1 1");
    char *bare = fake_python(arena, bin, "python", "echo 3.8.0 0");
    char *old = fake_python(arena, folder, "old", "echo 3.6.9 1");
    char *dead = fake_python(arena, folder, "dead", "exit 3");
    Error error;
    Interpreter found;
    clear_environment();
    setenv("PATH", folder, 1);
    assert_int_equal(interpreter_find(arena, NULL, true, &found, &error), STATUS_OK);
    assert_string_equal(found.path, good);
    assert_string_equal(found.from, "python3 on PATH");
    assert_string_equal(found.version, "3.9.1");
    setenv("VIRTUAL_ENV", folder, 1); /* has no torch: the next that has it is taken */
    assert_int_equal(interpreter_find(arena, NULL, true, &found, &error), STATUS_OK);
    assert_string_equal(found.path, good);
    assert_int_equal(interpreter_find(arena, NULL, false, &found, &error), STATUS_OK);
    assert_string_equal(found.path, bare);
    assert_int_equal(interpreters_try(arena, NULL, true).count, 2);
    setenv("PLUMBLINE_PYTHON", bare, 1); /* an order: no other is tried */
    assert_int_equal(interpreter_find(arena, NULL, true, &found, &error), STATUS_ERROR);
    assert_non_null(strstr(error.cause, "$PLUMBLINE_PYTHON) has no torch"));
    assert_int_equal(interpreter_find(arena, "python3", true, &found, &error), STATUS_OK);
    assert_string_equal(found.path, good);
    assert_int_equal(interpreter_find(arena, old, true, &found, &error), STATUS_ERROR);
    assert_non_null(strstr(error.cause, "is Python 3.6.9"));
    assert_int_equal(interpreter_find(arena, dead, true, &found, &error), STATUS_ERROR);
    assert_non_null(strstr(error.cause, "does not run"));
    assert_int_equal(interpreter_find(arena, "/nowhere/python", true, &found, &error), STATUS_ERROR);
    assert_non_null(strstr(error.cause, "No such file"));
    clear_environment();
    setenv("PATH", bin, 1);
    assert_int_equal(interpreter_find(arena, NULL, true, &found, &error), STATUS_ERROR);
    setenv("PATH", path, 1);
    const char *const made[] = {good, bare, old, dead};
    for (size_t i = 0; i < COUNT_OF(made); i++)
        unlink(made[i]);
    rmdir(bin);
    assert_int_equal(fchdir(here), 0);
    close(here);
    rmdir(folder);
}

static void what_is_no_python(void **state) {
    Arena *arena = *state;
    char folder[] = "/tmp/plumbline-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = fake_python(arena, folder, "python", "echo 'Error: it is broken' >&2; exit 1");
    ProbeOptions options = {.interpreter = path};
    Probe *probe;
    Error error;
    assert_int_equal(probe_start(arena, &options, &probe, &error), STATUS_ERROR);
    assert_string_equal(error.cause, "the probe did not start: Error: it is broken");
    assert_string_equal(error.place, path);
    unlink(path);
    path = fake_python(arena, folder, "python", "exec sleep 100");
    options.start_timeout = 0.2;
    assert_int_equal(probe_start(arena, &options, &probe, &error), STATUS_ERROR);
    assert_string_equal(error.cause, "no answer in time");
    unlink(path);
    rmdir(folder);
}

/* ---- The probe without torch ----------------------------------------------------------------- */
static void parses_in_a_cell(void **state) {
    Arena *arena = *state;
    Error error;
    Interpreter found;
    Probe *probe;
    clear_environment();
    if (interpreter_find(arena, NULL, false, &found, &error) != STATUS_OK)
        skip();
    ProbeOptions options = {.interpreter = found.path};
    if (probe_start(arena, &options, &probe, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    assert_non_null(probe_facts(probe)->python);
    Source sources[] = {{.name = "a.py", .bytes = text_bytes("import torch\nx = 1\n")},
                        {.name = "b.py", .bytes = text_bytes("")}};
    Tree trees[2];
    Parser parser = probe_parser(probe);
    if (parser.parse(parser.context, arena, sources, 2, trees, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    assert_int_equal(trees[0].module->kind, NODE_Module);
    assert_true(trees[0].node_count > 3);
    Source wrong = {.name = "c.py", .bytes = text_bytes("x = (\n")};
    assert_int_equal(parser.parse(parser.context, arena, &wrong, 1, trees, &error), STATUS_ERROR);
    assert_non_null(strstr(error.place, "c.py:1"));
    assert_non_null(probe_sandbox(probe)->layers[LAYER_SECCOMP].text);
    probe_stop(probe);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(appends_aligned, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(sealed_means_unchangeable, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(size_is_what_it_has, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(refuses_what_can_change, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(reserved_memory_is_sealed, make_arena, free_arena),
        cmocka_unit_test(frames_come_by_pieces),
        cmocka_unit_test(frames_have_a_limit),
        cmocka_unit_test(frames_hold_objects),
        cmocka_unit_test(descriptors_travel),
        cmocka_unit_test(nobody_reads),
        cmocka_unit_test_setup_teardown(failures_are_decoded, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(odd_failures_are_refused, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(failures_are_bounded, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(layers_are_read, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(filters_are_made, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(interpreters_in_order, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(what_is_no_python, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(parses_in_a_cell, make_arena, free_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
