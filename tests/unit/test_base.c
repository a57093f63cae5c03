/* The base room: what every other room stands on. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base.h"

static void test_table_keeps_order_and_replaces(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Table *table = table_new(arena);
    for (int i = 0; i < 1000; i++)
        table_put(table, arena_printf(arena, "key%d", i), arena_printf(arena, "%d", i));
    table_put(table, "key7", "seven");
    assert_int_equal(table->count, 1000);
    assert_string_equal(table_get(table, "key7"), "seven");
    assert_string_equal(table->items[7].key, "key7");
    assert_null(table_get(table, "key1000"));
    arena_free(arena);
}

static void test_hostile_text_is_made_visible(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const char hostile[] = "a\x1b[2Jb\xff\xe2\x80\xae\xc3\xa9";
    assert_string_equal(text_printable(arena, hostile, sizeof hostile - 1),
                        "a\\x1b[2Jb\\xff\\xe2\\x80\\xae\xc3\xa9");
    const char forged[] = "bad\nPASS  proved\xe2\x80\xa8PASS";
    assert_string_equal(text_printable(arena, forged, sizeof forged - 1),
                        "bad\\nPASS  proved\\xe2\\x80\\xa8PASS");
    assert_string_equal(text_printable_lines(arena, "a\nb\x1b", 4), "a\nb\\x1b");
    assert_true(text_is_utf8("a \xc3\xa9 \xe2\x80\xae"));
    assert_true(text_is_utf8(""));
    assert_false(text_is_utf8("b\xff"));
    assert_false(text_is_utf8("b\xc3"));
    arena_free(arena);
}

static void test_write_replaces_whole_file(void **state) {
    (void)state;
    Arena *arena = arena_new();
    char folder[] = "/tmp/plumbline-base-XXXXXX";
    assert_non_null(mkdtemp(folder));
    const char *path = path_join(arena, folder, "out.json");
    Error error;
    Bytes bytes;
    assert_int_equal(file_write(path, (Bytes){(const uint8_t *)"one", 3}, &error), STATUS_OK);
    assert_int_equal(file_write(path, (Bytes){(const uint8_t *)"two!", 4}, &error), STATUS_OK);
    assert_int_equal(file_read(arena, path, 100, &bytes, &error), STATUS_OK);
    assert_memory_equal(bytes.data, "two!", 5);
    assert_int_equal(file_read(arena, path, 3, &bytes, &error), STATUS_ERROR);
    assert_int_equal(file_write(path_join(arena, folder, "none/out"), bytes, &error), STATUS_ERROR);
    assert_non_null(strstr(error_line(arena, &error), "none/out: cannot write: No such file"));
    struct stat info;
    mode_t mask = umask(027); /* the user's, which a file has to obey and no write may change */
    assert_int_equal(file_write(path, (Bytes){(const uint8_t *)"three", 5}, &error), STATUS_OK);
    assert_int_equal(umask(mask), 027);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* nothing is left aside */
    arena_free(arena);
}

static void test_what_the_user_names_is_written_through(void **state) {
    (void)state;
    Arena *arena = arena_new();
    char folder[] = "/tmp/plumbline-base-XXXXXX";
    assert_non_null(mkdtemp(folder));
    const char *file = path_join(arena, folder, "file"), *link = path_join(arena, folder, "link"),
               *fifo = path_join(arena, folder, "fifo"), *to_fifo = path_join(arena, folder, "to_fifo");
    const Bytes one = {(const uint8_t *)"one", 3}, four = {(const uint8_t *)"four", 4};
    Bytes bytes;
    Error error;
    struct stat info;
    char read_back[8];
    assert_int_equal(symlink("file", link), 0);
    for (int round = 0; round < 2; round++) { /* a link that leads nowhere yet, and one to a file */
        assert_int_equal(file_write_named(link, round == 0 ? one : four, &error), STATUS_OK);
        assert_int_equal(lstat(link, &info), 0);
        assert_true(S_ISLNK(info.st_mode));
        assert_int_equal(file_read(arena, file, 100, &bytes, &error), STATUS_OK);
        assert_string_equal(bytes.data, round == 0 ? "one" : "four");
    }
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink("fifo", to_fifo), 0);
    const int reader = open(fifo, O_RDONLY | O_NONBLOCK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(file_write_named(round == 0 ? fifo : to_fifo, four, &error), STATUS_OK);
        assert_int_equal(read(reader, read_back, sizeof read_back), 4);
        assert_int_equal(lstat(fifo, &info), 0);
        assert_true(S_ISFIFO(info.st_mode));
    }
    assert_int_equal(file_write_named(arena_printf(arena, "/dev/fd/%d", 999), one, &error), STATUS_ERROR);
    close(reader);
    unlink(file), unlink(link), unlink(fifo), unlink(to_fifo);
    assert_int_equal(rmdir(folder), 0);
    arena_free(arena);
}

static void test_arenas_within_another_live_as_long(void **state) {
    (void)state;
    Arena *outer = arena_new(), *one = arena_new_within(outer), *two = arena_new_within(outer),
          *inner = arena_new_within(one);
    char *text = arena_strdup(one, "one"), *deep = arena_strdup(inner, "deep");
    arena_strdup(two, "two");
    assert_string_equal(text, "one");
    assert_string_equal(deep, "deep");
    arena_free(outer); /* all four: a leak or a second free is a sanitizer's to see */
}

static void test_hashes_are_of_bytes_and_of_where_texts_end(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Hasher *empty = hasher_new(arena), *whole = hasher_new(arena), *parts = hasher_new(arena);
    /* of nothing, as any BLAKE2b of 256 bits gives it */
    assert_string_equal(hasher_end(arena, empty),
                        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    hasher_add(whole, "abc", 3);
    hasher_add(parts, "ab", 2);
    hasher_add(parts, "c", 1);
    assert_string_equal(hasher_end(arena, whole), hasher_end(arena, parts));
    Hasher *one = hasher_new(arena), *two = hasher_new(arena);
    hasher_add_text(one, "ab");
    hasher_add_text(one, "c");
    hasher_add_text(two, "a");
    hasher_add_text(two, "bc");
    assert_string_not_equal(hasher_end(arena, one), hasher_end(arena, two));
    arena_free(arena);
}

static void test_findings_are_sorted_and_not_doubled(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Findings *findings = findings_new(arena);
    static const Rule rule = {"a.rule", "title", "instead", "source"};
    findings_add(findings, &rule, SEVERITY_NOTE, (Place){.file = "b.py", .line = 1}, "note");
    findings_add(findings, &rule, SEVERITY_VIOLATION, (Place){.file = "b.py", .line = 9}, "nine");
    findings_add(findings, &rule, SEVERITY_VIOLATION, (Place){.file = "b.py", .line = 2}, "two");
    findings_add(findings, &rule, SEVERITY_VIOLATION, (Place){.file = "b.py", .line = 2}, "two");
    findings_sort(findings);
    assert_int_equal(findings->count, 3);
    assert_string_equal(findings->items[0].what, "two");
    assert_string_equal(findings->items[2].what, "note");
    /* They are known wherever sorting and removing have left them. */
    assert_ptr_equal(findings_add(findings, &rule, SEVERITY_NOTE, (Place){.file = "b.py", .line = 1}, "note"),
                     &findings->items[2]);
    findings->count = 1;
    findings_add(findings, &rule, SEVERITY_NOTE, (Place){.file = "b.py", .line = 1}, "note");
    findings_add(findings, &rule, SEVERITY_NOTE, (Place){0}, "note");
    findings_add(findings, &rule, SEVERITY_NOTE, (Place){0}, "note");
    assert_int_equal(findings->count, 3);
    arena_free(arena);
}

static void test_json_errors_have_a_line(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Error error;
    json_t *value;
    const char *twice = "{\"a\": 1,\n \"a\": 2}";
    assert_int_equal(json_parse((Bytes){(const uint8_t *)twice, strlen(twice)}, "map.json", &value, &error),
                     STATUS_ERROR);
    assert_true(text_starts(error_line(arena, &error), "map.json:2:"));
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_keeps_order_and_replaces),
        cmocka_unit_test(test_hostile_text_is_made_visible),
        cmocka_unit_test(test_write_replaces_whole_file),
        cmocka_unit_test(test_what_the_user_names_is_written_through),
        cmocka_unit_test(test_arenas_within_another_live_as_long),
        cmocka_unit_test(test_hashes_are_of_bytes_and_of_where_texts_end),
        cmocka_unit_test(test_findings_are_sorted_and_not_doubled),
        cmocka_unit_test(test_json_errors_have_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
