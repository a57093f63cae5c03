/* plumbline trace: what one component does. */
#include "prover.h"

#include <stdio.h>
#include <string.h>

static const char USAGE[] = "plumbline trace FILE [--format text|json|dot] [--depth call|dispatch] [--real]\n"
                            "                            [--patterns [FILE]]";
static const char HELP[] =
    "\nRuns a component once and shows every torch call (call depth) or the graph of ATen operators "
    "(dispatch depth).\n\n"
    "  --depth call|dispatch   (call; dispatch for dot)\n"
    "  --format text|json|dot  (text)\n"
    "  --real                  on real tensors; otherwise on shapes alone, if the model can do without data\n"
    "  --patterns [FILE]       name the kernels that the graph writes in primitives; FILE adds patterns of "
    "your own "
    "(docs/patterns.md)\n"
    "  --output FILE           write it there\n"
    "  --quiet                 only what is wrong\n"
    "  --python PATH           interpreter, as in 'plumbline step'\n"
    "  --seed N, --timeout S, --memory BYTES   as in 'plumbline step'\n"
    "\nExit status: 0, 1 if a value has no known origin, 2 if the component could not be recorded.\n";
static const char *const ACCEPTED[] = {"depth=",  "format=", "real",     "output=", "quiet", "patterns",
                                       "python=", "seed=",   "timeout=", "memory=", NULL};

static int check(const ProverArguments *arguments) {
    static const char *const formats[] = {"text", "json", "dot"}, *const depths[] = {"call", "dispatch"};
    bool format = arguments->format == NULL, depth = arguments->depth == NULL;
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        format |= text_equal(arguments->format, formats[i]);
    for (size_t i = 0; i < COUNT_OF(depths); i++)
        depth |= text_equal(arguments->depth, depths[i]);
    if (arguments->file_count != 1)
        return command_usage(USAGE, "one file is traced");
    if (!format)
        return command_usage(USAGE, "there is no format '%s'; use text, json or dot", arguments->format);
    if (!depth)
        return command_usage(USAGE, "there is no depth '%s'; use call or dispatch", arguments->depth);
    if (text_equal(arguments->format, "dot") && text_equal(arguments->depth, "call"))
        return command_usage(USAGE, "dot draws the graph; use --depth dispatch");
    if (arguments->has_patterns && !text_equal(arguments->depth, "dispatch"))
        return command_usage(USAGE, "patterns are of the graph; use --depth dispatch");
    if (arguments->has_patterns && text_equal(arguments->format, "dot"))
        return command_usage(USAGE, "dot draws the graph alone; patterns are listed in text and json");
    return -1;
}

static Status read_patterns(Arena *arena, const ProverArguments *arguments, Patterns **patterns,
                            Error *error) {
    enum { MOST_BYTES = 1 << 20 };
    Bytes text = {NULL, 0};
    *patterns = NULL;
    if (!arguments->has_patterns)
        return STATUS_OK;
    if (arguments->patterns != NULL &&
        file_read(arena, arguments->patterns, MOST_BYTES, &text, error) != STATUS_OK)
        return STATUS_ERROR;
    return patterns_parse(arena, arguments->patterns, text, patterns, error);
}

static Bytes shown(Arena *arena, const ProverArguments *arguments, const Patterns *patterns,
                   const TraceResult *result) {
    bool dot = text_equal(arguments->format, "dot"),
         dispatch = dot || text_equal(arguments->depth, "dispatch");
    PatternMatch *matches = NULL;
    size_t match_count = patterns == NULL ? 0 : patterns_match(arena, patterns, &result->graph, &matches);
    if (arguments->common.json) {
        json_t *json = report_trace_json(result, dispatch);
        if (patterns != NULL)
            json_object_set_new(
                json, "patterns",
                patterns_to_json(&result->graph, matches, match_count, result->files, result->file_count));
        Bytes text = report_json_text(arena, json);
        json_decref(json);
        return text;
    }
    Text text = text_new(arena);
    if (dispatch)
        graph_print(&result->graph, result->files, result->file_count, dot ? GRAPH_DOT : GRAPH_TEXT, &text);
    else
        trace_print(&result->trace, result->files, result->file_count, &text);
    if (match_count > 0)
        text_add(&text, "\n");
    patterns_print(&result->graph, matches, match_count, result->files, result->file_count, &text);
    if (!dot)
        report_trace_summary(arena, result, &text);
    return (Bytes){(const uint8_t *)text.data, text.length};
}

int trace_main(int count, char **values) {
    Arena *arena = arena_new();
    ProverArguments arguments;
    int status = prover_read(arena, count, values, USAGE, HELP, ACCEPTED, &arguments);
    if (status < 0)
        status = check(&arguments);
    Probe *probe = NULL;
    Patterns *patterns = NULL;
    Error error;
    if (status < 0 && read_patterns(arena, &arguments, &patterns, &error) != STATUS_OK)
        status = command_fail(&error);
    if (status < 0) {
        arguments.step.original = arguments.step.refactored = arguments.files[0];
        if (prover_start(arena, &arguments, &probe, &error) != STATUS_OK)
            status = command_fail(&error);
    }
    if (status < 0) {
        TraceResult result;
        trace_component(arena, probe, &arguments.step, arguments.real, &result);
        status = (int)result.verdict;
        if (result.verdict == VERDICT_ERROR)
            fprintf(stderr, "plumbline: %s\n", result.error);
        else if (!arguments.common.quiet)
            status = prover_write(&arguments, shown(arena, &arguments, patterns, &result), status);
        if (result.unknown != NULL)
            fprintf(stderr, "plumbline: a value of no known origin: %s\n", result.unknown);
    }
    if (probe != NULL)
        probe_stop(probe);
    arena_free(arena);
    return status;
}
