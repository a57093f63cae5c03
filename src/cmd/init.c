/* plumbline init: a new decomposition. */
#include "cmd.h"

#include <string.h>

static const Synopsis SYNOPSIS = {
    .usage = "plumbline init DIR --model MODEL.py [--force] [--quiet] [--python PATH]",
    .about =
        "Makes a decomposition that holds the model and nothing else yet: level folders, "
        "decomposition_tree.json, decomposition_log.json, steps/ and verification/ with a composition test. "
        "Runs no user code and needs no torch.",
    .status = "0 made, 2 not"};

static int make(Arena *arena, const InitOptions *options, const CommonOptions *common) {
    const char *component;
    Probe *probe;
    Error error;
    if (command_start(arena, common, false, &probe, &error) != STATUS_OK)
        return command_fail(&error);
    const Parser parser = probe_parser(probe);
    const Status status = project_init(arena, &parser, options, &component, &error);
    probe_stop(probe);
    if (status != STATUS_OK)
        return command_fail(&error);
    const char *says =
        arena_printf(arena,
                     "%s/%s\nNext: write its children, and steps/step_1_.../refactored.py that "
                     "calls them; then 'plumbline tree %s'.\n",
                     options->folder, component, options->folder);
    return common->quiet ? 0 : command_print((Bytes){(const uint8_t *)says, strlen(says)}, 0);
}

int init_main(int count, char **values) {
    Arena *arena = arena_new();
    InitOptions init = {0};
    CommonOptions common = {0};
    const Option options[] = {
        {"model", "MODEL.py", OPTION_TEXT, &init.model, 0, 0,
         "the model; its copy becomes level_3_model/<name>.py"},
        {"force", NULL, OPTION_FLAG, &init.force, 0, 0,
         "write into a folder that has something in it; files of the same names are replaced"},
        ROW_QUIET(&common, "say nothing"),
        ROW_PYTHON(&common)};
    Words folders = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &folders);
    if (status < 0 && folders.count != 1)
        status = options_wrong(&SYNOPSIS, "give one folder");
    if (status < 0 && init.model == NULL)
        status = options_wrong(&SYNOPSIS, "give the model by --model");
    if (status < 0) {
        init.folder = folders.items[0];
        status = make(arena, &init, &common);
    }
    arena_free(arena);
    return status;
}
