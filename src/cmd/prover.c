/* Options and the probe of trace, diff and weights. */
#include "prover.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_accepted(const char *const *accepted, const char *name, size_t length, bool *takes_value) {
    for (; *accepted != NULL; accepted++) {
        size_t own = strcspn(*accepted, "=");
        *takes_value = (*accepted)[own] == '=';
        if (own == length && strncmp(*accepted, name, length) == 0)
            return true;
    }
    return false;
}

static Status take(ProverArguments *arguments, const char *name, size_t length, const char *value,
                   Error *error) {
    StepOptions *step = &arguments->step;
    const struct {
        const char *name;
        const char **place;
    } texts[] = {{"python", &arguments->common.python}, {"output", &arguments->output},
                 {"format", &arguments->format},        {"depth", &arguments->depth},
                 {"original", &step->original},         {"refactored", &step->refactored},
                 {"weight-map", &step->weight_map}};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (strlen(texts[i].name) == length && strncmp(texts[i].name, name, length) == 0)
            *texts[i].place = value;
    if (length == 4 && strncmp(name, "seed", 4) == 0)
        return option_integer("--seed", value, 0, INT64_MAX / 2, &step->seed, error);
    if (length == 7 && strncmp(name, "timeout", 7) == 0)
        return option_number("--timeout", value, 0.1, 1e6, &step->timeout, error);
    if (length == 6 && strncmp(name, "memory", 6) == 0)
        return option_bytes("--memory", value, &step->memory, error);
    return STATUS_OK;
}

int prover_read(Arena *arena, int count, char **values, const char *usage, const char *help,
                const char *const *accepted, ProverArguments *arguments) {
    (void)arena;
    *arguments = (ProverArguments){
        .step = {.rtol = NAN, .atol = NAN, .trial_count = 1, .seed = 42, .device = "cpu", .timeout = 300}};
    Error error;
    for (int i = 1; i < count; i++) {
        const char *text = values[i];
        if (strncmp(text, "--", 2) != 0) {
            if (arguments->file_count == 2)
                return command_usage(usage, "'%s' is one file too many", text);
            arguments->files[arguments->file_count++] = text;
            continue;
        }
        const char *name = text + 2, *value = strchr(name, '=');
        size_t length = value == NULL ? strlen(name) : (size_t)(value - name);
        bool takes_value;
        if (strcmp(name, "help") == 0) {
            printf("usage: %s\n%s", usage, help);
            return 0;
        }
        if (!is_accepted(accepted, name, length, &takes_value))
            return command_usage(usage, "there is no option --%.*s", (int)length, name);
        if (takes_value && value == NULL && i + 1 == count)
            return command_usage(usage, "--%.*s needs a value", (int)length, name);
        value = value != NULL ? value + 1 : takes_value ? values[++i] : "";
        bool patterns = length == strlen("patterns") && text_starts(name, "patterns");
        if (patterns && *value == '\0' && arguments->file_count > 0 && i + 1 < count &&
            strncmp(values[i + 1], "--", 2) != 0)
            value = values[++i];
        if (patterns) {
            arguments->has_patterns = true;
            arguments->patterns = *value == '\0' ? NULL : value;
        } else if (strcmp(name, "real") == 0)
            arguments->real = true;
        else if (strcmp(name, "quiet") == 0)
            arguments->common.quiet = true;
        else if (take(arguments, name, length, value, &error) != STATUS_OK)
            return command_fail(&error);
    }
    arguments->common.json = text_equal(arguments->format, "json");
    return -1;
}

Status prover_start(Arena *arena, const ProverArguments *arguments, Probe **probe, Error *error) {
    Interpreter interpreter = {0};
    if (interpreter_find(arena, arguments->common.python, true, &interpreter, error) != STATUS_OK)
        return STATUS_ERROR;
    const ProbeOptions options = {.needs_torch = true, .parse_ahead = true, .interpreter = interpreter.path};
    return probe_start(arena, &options, probe, error);
}

int prover_write(const ProverArguments *arguments, Bytes text, int status) {
    Error error;
    if (arguments->output != NULL)
        return file_write(arguments->output, text, &error) == STATUS_OK ? status : command_fail(&error);
    fwrite(text.data, 1, text.size, stdout);
    if (fflush(stdout) == 0)
        return status;
    fputs("plumbline: stdout: cannot write the result; free some space\n", stderr);
    return VERDICT_ERROR;
}
