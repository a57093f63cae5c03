/* plumbline component: files judged one by one. */
#include "cmd.h"

static const Synopsis SYNOPSIS = {.usage = "plumbline component FILE... [options]",
                                  .about = "Judges component files by themselves: the language, their own "
                                           "test, a run with their own inputs, the "
                                           "expected output shape, and what their level claims: a kernel is "
                                           "one operation and its name is true, a "
                                           "fusion is a straight line.",
                                  .status = "0 all pass, 1 some don't, 2 none could be judged"};

typedef struct Arguments {
    ComponentOptions component;
    CommonOptions common;
    const char *level;
    Words files;
} Arguments;

static int read_arguments(Arena *arena, int count, char **values, Arguments *arguments) {
    ComponentOptions *component = &arguments->component;
    CommonOptions *common = &arguments->common;
    const Option options[] = {
        {"level", "kernel|fusion|layer|model", OPTION_CHOICE, &arguments->level, 0, 0,
         "what the files are to be; otherwise by their folders (level_0_kernel ..)"},
        ROW_RIGOR(component,
                  "fast: no run with numbers where the graph shows that none is needed (standard)"),
        ROW_FORMAT(common, "text|json"),
        ROW_OUTPUT(common, "FILE", "write it there"),
        ROW_QUIET(common, "the verdicts alone"),
        ROW_TIMEOUT(component, "seconds for a component's own test (60), and for each run of it (300)"),
        ROW_MEMORY(component, EACH_MEMORY),
        ROW_SEED(component, "of construction and inputs (42)"),
        ROW_DEVICE(component),
        ROW_ALLOW_IMPORT(common),
        ROW_PYTHON(common),
        ROW_REQUIRE_SANDBOX(common)};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &arguments->files);
    if (status >= 0)
        return status;
    if (arguments->files.count == 0)
        return options_wrong(&SYNOPSIS, "no file was given");
    component->has_level = level_of_name(arguments->level == NULL ? "" : arguments->level, &component->level);
    component->self_test_timeout = component->timeout;
    component->check_name = true;
    component->allowed_imports = common->allowed_imports.items;
    component->allowed_import_count = common->allowed_imports.count;
    return -1;
}

static Verdict overall(const ComponentResult *results, size_t count) {
    size_t passed = 0, errors = 0;
    for (size_t i = 0; i < count; i++) {
        passed += results[i].verdict == VERDICT_PASS;
        errors += results[i].verdict == VERDICT_ERROR;
    }
    return passed == count ? VERDICT_PASS : errors == count ? VERDICT_ERROR : VERDICT_FAIL;
}

static int report_all(Arena *arena, const CommonOptions *common, const ComponentResult *results,
                      size_t count) {
    const Verdict verdict = overall(results, count);
    if (command_json(common)) {
        json_t *json = report_components_json(results, count, verdict);
        const Bytes bytes = report_json_text(arena, json);
        json_decref(json);
        return command_write(common, bytes, (int)verdict);
    }
    Text text = text_new(arena);
    for (size_t i = 0; i < count; i++)
        report_component_text(arena, &results[i], common->quiet, &text);
    return command_write(common, (Bytes){(const uint8_t *)text.data, text.length}, (int)verdict);
}

static int judge_files(Arena *arena, Arguments *arguments) {
    const Progress silent = {0};
    const Words *files = &arguments->files;
    Patterns *patterns;
    Probe *probe;
    Error error;
    if (command_patterns(arena, NULL, &patterns, &error) != STATUS_OK ||
        command_start(arena, &arguments->common, true, &probe, &error) != STATUS_OK)
        return command_fail(&error);
    ComponentResult *results = ARENA_ARRAY(arena, ComponentResult, files->count);
    for (size_t i = 0; i < files->count; i++) {
        arguments->component.file = files->items[i];
        component_verify(arena, probe, patterns, &arguments->component, &silent, &results[i]);
    }
    probe_stop(probe);
    return report_all(arena, &arguments->common, results, files->count);
}

int component_main(int count, char **values) {
    Arena *arena = arena_new();
    Arguments arguments = {.component = {.seed = 42, .device = "cpu"}};
    int status = read_arguments(arena, count, values, &arguments);
    if (status < 0)
        status = judge_files(arena, &arguments);
    arena_free(arena);
    return status;
}
