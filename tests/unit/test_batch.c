/* Where decompositions are, when they have changed, and what is remembered of them. */
#include "batch.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct Fixture {
    Arena *arena;
    char folder[64];
} Fixture;

static int make(void **state) {
    Fixture *fixture = calloc(1, sizeof *fixture);
    fixture->arena = arena_new();
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/plumbline-batch-XXXXXX");
    *state = fixture;
    return mkdtemp(fixture->folder) == NULL ? -1 : 0;
}

static int end(void **state) {
    Fixture *fixture = *state;
    int status =
        system(arena_printf(fixture->arena, "rm -rf '%s'", fixture->folder)); /* NOLINT(cert-env33-c) */
    arena_free(fixture->arena);
    free(fixture);
    return status;
}

/* Folders on the way are made. */
static void put(const Fixture *fixture, const char *name, const char *text) {
    char *path = arena_printf(fixture->arena, "%s/%s", fixture->folder, name);
    for (char *at = path + strlen(fixture->folder) + 1; *at != '\0'; at++)
        if (*at == '/') {
            *at = '\0';
            mkdir(path, 0777);
            *at = '/';
        }
    if (text_ends(path, "/"))
        return;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *path_of(const Fixture *fixture, const char *name) {
    return arena_printf(fixture->arena, "%s/%s", fixture->folder, name);
}

static void finds_decompositions(void **state) {
    Fixture *fixture = *state;
    put(fixture, "b/decomposition_tree.json", "{}");
    put(fixture, "a/deep/steps/", "");
    put(fixture, "a/other/level_0_kernel/x.py", "");
    put(fixture, "b/inner/steps/", "");      /* within another */
    put(fixture, ".hidden/steps/", "");      /* hidden */
    put(fixture, "nothing/steps", "a file"); /* no folder */
    put(fixture, "with space ü/steps/", "");
    assert_int_equal(symlink(path_of(fixture, "b"), path_of(fixture, "link")), 0);
    Folders folders;
    Error error;
    assert_int_equal(folders_find(fixture->arena, fixture->folder, &folders, &error), STATUS_OK);
    const char *const expected[] = {"a/deep", "a/other", "b", "with space ü"};
    assert_int_equal(folders.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_string_equal(folders.items[i], expected[i]);
    assert_int_equal(folders_find(fixture->arena, path_of(fixture, "b"), &folders, &error), STATUS_OK);
    assert_int_equal(folders.count, 1);
    assert_string_equal(folders.items[0], ".");
    assert_int_equal(folders_find(fixture->arena, path_of(fixture, "nothing"), &folders, &error),
                     STATUS_ERROR);
    assert_non_null(strstr(error.cause, "no decomposition"));
    assert_int_equal(folders_find(fixture->arena, path_of(fixture, "absent"), &folders, &error),
                     STATUS_ERROR);
}

static const char *content(const Fixture *fixture) {
    const char *hash;
    Error error;
    assert_int_equal(folder_content(fixture->arena, fixture->folder, &hash, &error), STATUS_OK);
    assert_int_equal(strlen(hash), 64);
    return hash;
}

static void content_is_names_and_bytes(void **state) {
    Fixture *fixture = *state;
    put(fixture, "steps/a.py", "one");
    const char *before = content(fixture);
    put(fixture, "steps/__pycache__/a.pyc", "derived");
    put(fixture, ".plumbline/batch.sqlite3", "ours");
    assert_string_equal(content(fixture), before);
    put(fixture, "steps/a.py", "two");
    const char *changed = content(fixture);
    assert_string_not_equal(changed, before);
    assert_int_equal(rename(path_of(fixture, "steps/a.py"), path_of(fixture, "steps/b.py")), 0);
    const char *renamed = content(fixture);
    assert_string_not_equal(renamed, changed);
    put(fixture, "steps/", "");
    assert_int_equal(symlink(path_of(fixture, "steps/b.py"), path_of(fixture, "steps/link.py")), 0);
    const char *linked = content(fixture);
    assert_string_not_equal(linked, renamed);
    /* the same bytes in another place: "ab" and "" are not "a" and "b" */
    put(fixture, "x", "ab");
    put(fixture, "y", "");
    const char *split = content(fixture);
    put(fixture, "x", "a");
    put(fixture, "y", "b");
    assert_string_not_equal(content(fixture), split);
}

static void follows_a_link_to_its_bytes(void **state) {
    Fixture *fixture = *state;
    put(fixture, "out/model.py", "one");
    put(fixture, "in/steps/", "");
    assert_int_equal(symlink("../out/model.py", path_of(fixture, "in/model.py")), 0);
    const char *before, *after;
    Error error;
    assert_int_equal(folder_content(fixture->arena, path_of(fixture, "in"), &before, &error), STATUS_OK);
    put(fixture, "out/model.py", "two");
    assert_int_equal(folder_content(fixture->arena, path_of(fixture, "in"), &after, &error), STATUS_OK);
    assert_string_not_equal(before, after);
}

static void a_model_is_its_file_and_those_beside_it(void **state) {
    Fixture *fixture = *state;
    put(fixture, "model.py", "import helper");
    put(fixture, "helper.py", "one");
    const char *before, *same, *after;
    double changed, later;
    Error error;
    assert_int_equal(model_content(fixture->arena, path_of(fixture, "model.py"), &before, &changed, &error),
                     STATUS_OK);
    put(fixture, "notes.txt", "anything");
    assert_int_equal(model_content(fixture->arena, path_of(fixture, "model.py"), &same, &later, &error),
                     STATUS_OK);
    assert_string_equal(before, same);
    assert_true(changed == later && changed > 1e9);
    usleep(20000);
    put(fixture, "helper.py", "two");
    assert_int_equal(model_content(fixture->arena, path_of(fixture, "model.py"), &after, &later, &error),
                     STATUS_OK);
    assert_string_not_equal(before, after);
    assert_true(later > changed);
}

static BatchRow example(const char *folder) {
    return (BatchRow){.folder = folder,
                      .content = "c0ffee",
                      .settings = "standard, seed 42",
                      .model = "/models/it's.py",
                      .model_content = "feed",
                      .rigor = "standard",
                      .torch = "2.13.0",
                      .version = "0.1.0",
                      .verdict = VERDICT_FAIL,
                      .reason = "step_1: Weitergabe für 'x'; DROP TABLE decompositions",
                      .component_count = 15,
                      .step_count = 9,
                      .steps_passed = 8,
                      .checklist_held = 16,
                      .finding_count = 3,
                      .seconds = 12.5,
                      .finished = "2026-01-01T00:00:00Z",
                      .result = "{\"status\":\"FAIL\"}"};
}

static void remembers_rows(void **state) {
    Fixture *fixture = *state;
    History *history;
    BatchRow *row, one = example("a/b"), two = example("it's");
    Error error;
    const char *path = path_of(fixture, "batch.sqlite3");
    assert_int_equal(history_open(fixture->arena, path, &history, &error), STATUS_OK);
    assert_int_equal(history_get(fixture->arena, history, "a/b", &row, &error), STATUS_OK);
    assert_null(row);
    assert_int_equal(history_put(history, &one, &error), STATUS_OK);
    assert_int_equal(history_put(history, &two, &error), STATUS_OK);
    one.verdict = VERDICT_PASS; /* the later one stands */
    assert_int_equal(history_put(history, &one, &error), STATUS_OK);
    history_close(history);
    assert_int_equal(history_open(fixture->arena, path, &history, &error), STATUS_OK);
    assert_int_equal(history_get(fixture->arena, history, "it's", &row, &error), STATUS_OK);
    assert_non_null(row);
    assert_true(row->begun && row->earlier);
    assert_int_equal(row->verdict, VERDICT_FAIL);
    assert_string_equal(row->reason, two.reason);
    assert_string_equal(row->settings, two.settings);
    assert_string_equal(row->model, two.model);
    assert_string_equal(row->model_content, two.model_content);
    assert_string_equal(row->result, two.result);
    assert_int_equal(row->component_count, 15);
    assert_int_equal(row->steps_passed, 8);
    assert_int_equal(row->checklist_held, 16);
    assert_int_equal(row->finding_count, 3);
    assert_true(row->seconds == 12.5);
    assert_int_equal(history_get(fixture->arena, history, "a/b", &row, &error), STATUS_OK);
    assert_int_equal(row->verdict, VERDICT_PASS);
    history_close(history);
}

static void says_why_it_cannot_remember(void **state) {
    Fixture *fixture = *state;
    History *history;
    Error error;
    put(fixture, "text.sqlite3",
        "this is no database, however long one looks at it, and looks, and looks again, and once more "
        "until there are as many bytes as a header has");
    assert_int_equal(history_open(fixture->arena, path_of(fixture, "text.sqlite3"), &history, &error),
                     STATUS_ERROR);
    assert_null(history);
    assert_non_null(strstr(error.advice, "--database"));
    assert_int_equal(history_open(fixture->arena, path_of(fixture, "absent/x.sqlite3"), &history, &error),
                     STATUS_ERROR);
    assert_non_null(strstr(error.advice, "writable"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_decompositions, make, end),
        cmocka_unit_test_setup_teardown(content_is_names_and_bytes, make, end),
        cmocka_unit_test_setup_teardown(follows_a_link_to_its_bytes, make, end),
        cmocka_unit_test_setup_teardown(a_model_is_its_file_and_those_beside_it, make, end),
        cmocka_unit_test_setup_teardown(remembers_rows, make, end),
        cmocka_unit_test_setup_teardown(says_why_it_cannot_remember, make, end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
