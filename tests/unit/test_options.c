/* Command lines: values, choices, what is wrong. What is said goes to stdout and stderr, which are not looked
 * at here. */
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef struct Given {
    bool flag;
    const char *text, *choice;
    Words words, all;
    MaybeText maybe;
    Rigor rigor;
    double number;
    uint64_t integer, bytes;
    unsigned count;
    Words rest;
} Given;

static int status_of(Arena *arena, Given *given, const char *line) {
    static const Synopsis synopsis = {"plumbline test", "A test.", "0"};
    const Option options[] = {{"flag", NULL, OPTION_FLAG, &given->flag, 0, 0, "a flag"},
                              {"text", "TEXT", OPTION_TEXT, &given->text, 0, 0, "a text"},
                              {"choice", "red|green", OPTION_CHOICE, &given->choice, 0, 0, "a choice"},
                              {"words", "WORD", OPTION_WORDS, &given->words, 0, 0, "words"},
                              {"all", "WORD...", OPTION_ALL_THAT_FOLLOW, &given->all, 0, 0, "all"},
                              {"maybe", "[TEXT]", OPTION_MAYBE_TEXT, &given->maybe, 0, 0, "maybe"},
                              {"rigor", "fast|standard|paranoid", OPTION_RIGOR, &given->rigor, 0, 0, "rigor"},
                              {"number", "X", OPTION_NUMBER, &given->number, 0, 10, "a number"},
                              {"integer", "N", OPTION_INTEGER, &given->integer, 1, 100, "an integer"},
                              {"count", "N", OPTION_COUNT, &given->count, 1, 8, "a count"},
                              {"bytes", "N", OPTION_BYTES, &given->bytes, 0, 0, "bytes"}};
    char *arguments[32] = {"test"}, *rest = arena_strdup(arena, line);
    int count = 1;
    for (char *word = strtok(rest, " "); word != NULL; word = strtok(NULL, " "))
        arguments[count++] = word;
    *given = (Given){0};
    return options_read(arena, &synopsis, options, COUNT_OF(options), count, arguments, &given->rest);
}

static void values_are_read(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Given given;
    assert_int_equal(
        status_of(arena, &given, "a --flag --text=b --choice green --words c --words d -- --e -"), -1);
    assert_true(given.flag);
    assert_string_equal(given.text, "b");
    assert_string_equal(given.choice, "green");
    assert_int_equal(given.words.count, 2);
    assert_string_equal(given.words.items[1], "d");
    assert_int_equal(given.rest.count, 3);
    assert_string_equal(given.rest.items[1], "--e");
    assert_int_equal(status_of(arena, &given, "--all x y z --flag w"), -1);
    assert_int_equal(given.all.count, 3);
    assert_int_equal(given.rest.count, 1);
    assert_int_equal(
        status_of(arena, &given, "--rigor paranoid --number 2.5 --integer 100 --count 8 --bytes 3K"), -1);
    assert_int_equal(given.rigor, RIGOR_PARANOID);
    assert_true(given.number == 2.5);
    assert_int_equal(given.integer, 100);
    assert_int_equal(given.count, 8);
    assert_int_equal(given.bytes, 3072);
    assert_int_equal(status_of(arena, &given, "--help"), 0);
    arena_free(arena);
}

static void names_may_be_cut_short(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Given given;
    assert_int_equal(status_of(arena, &given, "--fl --te x --cho=red"), -1);
    assert_true(given.flag);
    assert_string_equal(given.text, "x");
    assert_int_equal(status_of(arena, &given, "--c red"), 2); /* choice or count */
    assert_int_equal(status_of(arena, &given, "--=x"), 2);
    arena_free(arena);
}

static void a_value_that_may_be_left_out(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Given given;
    assert_int_equal(status_of(arena, &given, "--maybe file"), -1);
    assert_true(given.maybe.given && given.maybe.text == NULL);
    assert_int_equal(given.rest.count, 1);
    assert_int_equal(status_of(arena, &given, "file --maybe own"), -1);
    assert_string_equal(given.maybe.text, "own");
    assert_int_equal(status_of(arena, &given, "file --maybe --flag"), -1);
    assert_true(given.maybe.given && given.maybe.text == NULL && given.flag);
    assert_int_equal(status_of(arena, &given, "--maybe=own"), -1);
    assert_string_equal(given.maybe.text, "own");
    arena_free(arena);
}

static void what_is_wrong_is_said(void **state) {
    (void)state;
    static const char *const lines[] = {"--nope",
                                        "-x",
                                        "--flag=1",
                                        "--text",
                                        "--choice blue",
                                        "--choice re",
                                        "--number 11",
                                        "--number -1",
                                        "--number x",
                                        "--number nan",
                                        "--integer 0",
                                        "--integer 101",
                                        "--integer -1",
                                        "--integer 5x",
                                        "--count 9",
                                        "--bytes 0",
                                        "--bytes 3Q",
                                        "--bytes -3",
                                        "--rigor heroic",
                                        "--integer ",
                                        "--bytes 99999999999T"};
    Arena *arena = arena_new();
    Given given;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (status_of(arena, &given, lines[i]) != 2)
            fail_msg("taken: %s", lines[i]);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read), cmocka_unit_test(names_may_be_cut_short),
        cmocka_unit_test(a_value_that_may_be_left_out), cmocka_unit_test(what_is_wrong_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
