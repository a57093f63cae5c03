/* plumbline trace: what one component does. */
#include "cmd.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const Synopsis SYNOPSIS = {
    .usage = "plumbline trace FILE [options]",
    .about = "Runs a component once and shows every torch call (call depth) or the graph of ATen operators "
             "(dispatch "
             "depth).",
    .status = "0, 1 if a value has no known origin, 2 if the component could not be recorded"};

typedef struct TraceArguments {
    StepOptions step;
    CommonOptions common;
    const char *depth; /* NULL: not given */
    MaybeText patterns;
    bool real, operators;
} TraceArguments;

static int read_arguments(Arena *arena, int count, char **values, TraceArguments *arguments) {
    StepOptions *step = &arguments->step;
    CommonOptions *common = &arguments->common;
    const Option options[] = {
        {"depth", "call|dispatch", OPTION_CHOICE, &arguments->depth, 0, 0, "(call; dispatch for dot)"},
        ROW_FORMAT(common, "text|json|dot"),
        {"real", NULL, OPTION_FLAG, &arguments->real, 0, 0,
         "on real tensors; otherwise on shapes alone, if the model can do without data"},
        {"patterns", "[FILE]", OPTION_MAYBE_TEXT, &arguments->patterns, 0, 0,
         "name the kernels that the graph writes in primitives; FILE adds patterns of your own "
         "(docs/patterns.md)"},
        {"operators", NULL, OPTION_FLAG, &arguments->operators, 0, 0,
         "count the operators instead: whole kernels in primitives as one; views, casts, masks and known "
         "values left "
         "out"},
        ROW_OUTPUT(common, "FILE", "write it there"),
        ROW_QUIET(common, "print only what is wrong"),
        ROW_PYTHON(common),
        ROW_SEED(step, "of construction and inputs (42)"),
        ROW_TIMEOUT(step, EACH_TIMEOUT),
        ROW_MEMORY(step, EACH_MEMORY)};
    Words files = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &files);
    if (status >= 0)
        return status;
    const bool dot = text_equal(common->format, "dot");
    if (files.count != 1)
        return options_wrong(&SYNOPSIS, "one file is traced");
    if (dot && text_equal(arguments->depth, "call"))
        return options_wrong(&SYNOPSIS, "dot draws the graph; use --depth dispatch");
    if (arguments->operators && (arguments->depth != NULL || dot))
        return options_wrong(&SYNOPSIS,
                             "--operators counts; it goes with --format text or json and no depth");
    if (arguments->patterns.given && !arguments->operators && !text_equal(arguments->depth, "dispatch"))
        return options_wrong(&SYNOPSIS, "patterns are of the graph; use --depth dispatch");
    if (arguments->patterns.given && dot)
        return options_wrong(&SYNOPSIS, "dot draws the graph alone; patterns are listed in text and json");
    step->original = step->refactored = files.items[0];
    return -1;
}

static Bytes counted(Arena *arena, const TraceArguments *arguments, const Patterns *patterns,
                     const TraceResult *result) {
    const SemanticOperators operators = semantic_operators(arena, &result->trace, &result->graph, patterns);
    return report_operators(arena, result, &operators, command_json(&arguments->common));
}

static Bytes shown(Arena *arena, const TraceArguments *arguments, const Patterns *patterns,
                   const TraceResult *result) {
    bool dot = text_equal(arguments->common.format, "dot"),
         dispatch = dot || text_equal(arguments->depth, "dispatch");
    if (arguments->operators)
        return counted(arena, arguments, patterns, result);
    PatternMatch *matches = NULL;
    size_t match_count = patterns == NULL ? 0 : patterns_match(arena, patterns, &result->graph, &matches);
    if (command_json(&arguments->common)) {
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
    TraceArguments arguments = {
        .step = {.rtol = NAN, .atol = NAN, .trial_count = 1, .seed = 42, .device = "cpu", .timeout = 300}};
    Probe *probe = NULL;
    Patterns *patterns = NULL;
    Error error;
    int status = read_arguments(arena, count, values, &arguments);
    const bool wanted = arguments.patterns.given || arguments.operators;
    if (status < 0 &&
        ((wanted && command_patterns(arena, arguments.patterns.text, &patterns, &error) != STATUS_OK) ||
         command_start(arena, &arguments.common, true, &probe, &error) != STATUS_OK))
        status = command_fail(&error);
    if (status < 0) {
        TraceResult result;
        trace_component(arena, probe, &arguments.step, arguments.real, &result);
        status = (int)result.verdict;
        if (result.verdict == VERDICT_ERROR)
            status = command_fail_text(result.error);
        else if (!arguments.common.quiet || arguments.common.output != NULL)
            status = command_write(&arguments.common, shown(arena, &arguments, patterns, &result), status);
        if (result.unknown != NULL)
            fprintf(stderr, "plumbline: a value of no known origin: %s\n",
                    text_printable(arena, result.unknown, strlen(result.unknown)));
    }
    if (probe != NULL)
        probe_stop(probe);
    arena_free(arena);
    return status;
}
