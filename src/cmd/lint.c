/* plumbline lint: the rules on source alone. */
#include "cmd.h"

#include <stdio.h>

static const Synopsis SYNOPSIS = {.usage = "plumbline lint FILE... [options]",
                                  .about = "Judges candidate files by their source alone. What can't be "
                                           "followed is undecided: shown, and left to "
                                           "the trace of 'plumbline step'.",
                                  .status = "0 no violation, 1 violations, 2 could not judge"};

static int lint_files(Arena *arena, const CommonOptions *common, const Words *files) {
    Probe *probe;
    Error error;
    if (command_start(arena, common, false, &probe, &error) != STATUS_OK)
        return command_fail(&error);
    const Parser parser = probe_parser(probe);
    LintResult *results = ARENA_ARRAY(arena, LintResult, files->count);
    int status = VERDICT_PASS;
    for (size_t i = 0; i < files->count; i++) {
        lint_file(arena, &parser, files->items[i], common->allowed_imports.items,
                  common->allowed_imports.count, &results[i]);
        if ((int)results[i].verdict > status)
            status = (int)results[i].verdict;
    }
    probe_stop(probe);
    Bytes text = {(const uint8_t *)"", 0};
    if (command_json(common)) {
        json_t *json = report_lint_json(files->items, results, files->count);
        text = report_json_text(arena, json);
        json_decref(json);
    } else {
        const View view = command_view(common);
        report_lint(&view, files->items, results, files->count);
    }
    return command_print(text, status);
}

int lint_main(int count, char **values) {
    Arena *arena = arena_new();
    CommonOptions common = {0};
    const Option options[] = {ROW_ALLOW_IMPORT(&common), ROW_PYTHON(&common),
                              ROW_FORMAT(&common, "text|json"), ROW_QUIET(&common, "the verdicts alone"),
                              ROW_NO_COLOR(&common)};
    Words files = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &files);
    if (status < 0)
        status = files.count == 0 ? options_wrong(&SYNOPSIS, "no file was given")
                                  : lint_files(arena, &common, &files);
    arena_free(arena);
    return status;
}
