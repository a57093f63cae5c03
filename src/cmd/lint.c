/* plumbline lint: the rules on source alone. */
#include "cmd.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "plumbline lint FILE... [--python PATH] [--allow-import NAME] [--format text|json] [--quiet]";

static const struct option OPTIONS[] = {{"python", required_argument, NULL, 'p'},
                                        {"format", required_argument, NULL, 'f'},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"no-color", no_argument, NULL, 'n'},
                                        {"allow-import", required_argument, NULL, 'a'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static int lint_files(Arena *arena, const CommonOptions *options, const char *const *files, size_t count) {
    Interpreter interpreter;
    Probe *probe;
    Error error;
    if (interpreter_find(arena, options->python, false, &interpreter, &error) != STATUS_OK)
        return command_fail(&error);
    ProbeOptions probe_options = {.interpreter = interpreter.path, .needs_torch = false};
    if (probe_start(arena, &probe_options, &probe, &error) != STATUS_OK)
        return command_fail(&error);
    Parser parser = probe_parser(probe);
    LintResult *results = ARENA_ARRAY(arena, LintResult, count);
    int status = VERDICT_PASS;
    for (size_t i = 0; i < count; i++) {
        lint_file(arena, &parser, files[i], options->allowed_imports, options->allowed_count, &results[i]);
        if ((int)results[i].verdict > status)
            status = (int)results[i].verdict;
    }
    probe_stop(probe);
    if (options->json) {
        json_t *json = report_lint_json(files, results, count);
        Bytes text = report_json_text(arena, json);
        json_decref(json);
        fwrite(text.data, 1, text.size, stdout);
    } else {
        View view = command_view(options);
        report_lint(&view, files, results, count);
    }
    return fflush(stdout) == 0 ? status : VERDICT_ERROR;
}

int lint_main(int count, char **values) {
    Arena *arena = arena_new();
    CommonOptions options = {0};
    struct {
        const char **items;
        size_t count, capacity;
    } allowed = {0};
    int option, status = -1;
    opterr = 0;
    while (status < 0 && (option = getopt_long(count, values, ":", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'p': options.python = optarg; break;
        case 'q': options.quiet = true; break;
        case 'n': options.no_color = true; break;
        case 'a': *(const char **)ARENA_PUSH(arena, &allowed) = optarg; break;
        case 'f':
            options.json = strcmp(optarg, "json") == 0;
            if (!options.json && strcmp(optarg, "text") != 0)
                status = command_usage(USAGE, "there is no format '%s'; use text or json", optarg);
            break;
        case 'h':
            printf("usage: %s\n\nJudges candidate files by their source alone. Exit status: 0 no violation, "
                   "1 violations, "
                   "2 could not judge.\nWhat can't be followed is undecided: shown, and left to the trace of "
                   "`step`.\n",
                   USAGE);
            status = 0;
            break;
        case ':': status = command_usage(USAGE, "%s needs a value", values[optind - 1]); break;
        default: status = command_usage(USAGE, "there is no option %s", values[optind - 1]); break;
        }
    }
    options.allowed_imports = allowed.items;
    options.allowed_count = allowed.count;
    if (status < 0 && optind == count)
        status = command_usage(USAGE, "no file was given");
    if (status < 0)
        status = lint_files(arena, &options, (const char *const *)values + optind, (size_t)(count - optind));
    arena_free(arena);
    return status;
}
