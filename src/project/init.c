/* A new decomposition, made aside and renamed. */
#include "project_parts.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const EmbeddedFile project_template[];

static const char *const FOLDERS[] = {"level_0_kernel", "level_1_fusion", "level_2_layer",
                                      "level_3_model",  "steps",          "verification"};

typedef struct NewFile {
    const char *name; /* relative to the decomposition */
    Bytes bytes;
} NewFile;

enum { FILE_COUNT = 4 };

static bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (uint8_t)c >= 0x80;
}

const char *snake_name(Arena *arena, const char *stem) {
    Text text = text_new(arena);
    if (stem[0] >= '0' && stem[0] <= '9')
        text_add(&text, "model_");
    for (const char *at = stem; *at != '\0'; at++) {
        const bool after =
            at > stem && (is_word(at[-1]) || (is_upper(at[-1]) && at[1] >= 'a' && at[1] <= 'z'));
        const bool gap = text.length > 0 && text.data[text.length - 1] != '_';
        char c = is_upper(*at) ? (char)(*at - 'A' + 'a') : *at;
        if (is_upper(*at) && after && gap)
            text_add(&text, "_");
        if (is_word(c))
            text_add_bytes(&text, &c, 1);
        else if (gap)
            text_add(&text, "_");
    }
    while (text.length > 0 && text.data[text.length - 1] == '_')
        text.data[--text.length] = '\0';
    return text.length == 0 ? "model" : text.data;
}

static Bytes json_bytes(Arena *arena, json_t *value) {
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    Text copy = text_new(arena);
    if (text != NULL)
        text_add(&copy, text);
    text_add(&copy, "\n");
    free(text);
    json_decref(value);
    return (Bytes){(const uint8_t *)copy.data, copy.length};
}

static json_t *printable(Arena *arena, const char *text) {
    return json_string(text_printable_lines(arena, text, strlen(text)));
}

/* Shapes are filled in by whoever decomposes: what flows is not known without a run. */
static Bytes tree_bytes(Arena *arena, const char *model, const char *name, const char *component) {
    json_t *metadata = json_pack("{s:o, s:s, s:o, s:s, s:i, s:{s:i, s:i, s:i, s:i}, s:i, s:s}", "source_file",
                                 printable(arena, model), "source_level", level_name(LEVEL_MODEL),
                                 "model_name", printable(arena, name), "timestamp", timestamp_now(arena),
                                 "total_components", 1, "by_level", "model", 1, "layer", 0, "fusion", 0,
                                 "kernel", 0, "unique_kernels", 0, "verification_status", "PENDING");
    json_t *node = json_pack(
        "{s:o, s:o, s:s, s:o, s:[], s:{}, s:{}, s:{}, s:{}, s:i}", "id", printable(arena, name), "name",
        printable(arena, name), "level", level_name(LEVEL_MODEL), "path", printable(arena, component),
        "children", "input_shapes", "output_shapes", "input_dtypes", "output_dtypes", "instance_count", 1);
    json_t *nodes = json_object(), *tree = json_object();
    json_object_set_new(nodes, text_printable_lines(arena, name, strlen(name)), node);
    json_object_set_new(tree, "metadata", metadata);
    json_object_set_new(tree, "nodes", nodes);
    json_object_set_new(tree, "data_flow", json_array());
    return json_bytes(arena, tree);
}

static Status make_folders(Arena *arena, const char *folder, Error *error) {
    for (size_t i = 0; i < COUNT_OF(FOLDERS); i++)
        if (directory_make(path_join(arena, folder, FOLDERS[i]), error) != STATUS_OK)
            return STATUS_ERROR;
    return STATUS_OK;
}

static Status write_files(Arena *arena, const char *folder, const NewFile *files, Error *error) {
    if (make_folders(arena, folder, error) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (file_write(path_join(arena, folder, files[i].name), files[i].bytes, error) != STATUS_OK)
            return STATUS_ERROR;
    return STATUS_OK;
}

/* Renaming over it would leave whoever stands in it in a folder that is gone. */
static bool is_working_folder(const char *folder) {
    struct stat a, b;
    return stat(".", &a) == 0 && stat(folder, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Only what this file made; folders that hold anything else stay, and so does the one that we stand in. */
static void remove_files(Arena *arena, const char *folder, const NewFile *files) {
    for (size_t i = 0; i < FILE_COUNT; i++)
        unlink(path_join(arena, folder, files[i].name));
    for (size_t i = 0; i < COUNT_OF(FOLDERS); i++)
        rmdir(path_join(arena, folder, FOLDERS[i]));
    if (!is_working_folder(folder))
        rmdir(folder);
}

static bool is_empty(const char *folder) {
    DIR *stream = opendir(folder);
    if (stream == NULL)
        return errno == ENOENT;
    size_t count = 0;
    for (const struct dirent *item; (item = readdir(stream)) != NULL;)
        count += strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0;
    closedir(stream);
    return count == 0;
}

static Status make_aside(Arena *arena, const char *folder, const NewFile *files, Error *error) {
    char *aside = arena_printf(arena, "%s.XXXXXX", folder);
    mode_t mask = umask(0);
    umask(mask);
    if (mkdtemp(aside) == NULL)
        return error_set(error, folder, "check that the folder above it exists and may be written",
                         "cannot make the folder: %s", strerror(errno));
    Status status = write_files(arena, aside, files, error);
    if (status == STATUS_OK && (chmod(aside, 0777 & ~mask) != 0 || rename(aside, folder) != 0))
        status =
            error_set(error, folder, "choose another folder", "cannot make the folder: %s", strerror(errno));
    if (status != STATUS_OK)
        remove_files(arena, aside, files);
    return status;
}

static const char *without_slashes(Arena *arena, const char *folder) {
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    return arena_strndup(arena, folder, length);
}

static Status check_target(const char *folder, bool force, Error *error) {
    struct stat info;
    if (stat(folder, &info) == 0 && !S_ISDIR(info.st_mode))
        return error_set(error, folder, "choose another folder", "it is a file");
    if (!force && !is_empty(folder))
        return error_set(error, folder, "choose another folder, or give --force to write into this one",
                         "there is something in it already");
    return STATUS_OK;
}

/* That what is written at `name` stays in the folder and is no folder itself. A link to a file is replaced.
 */
static Status check_place(Arena *arena, const char *folder, const char *name, bool is_folder, Error *error) {
    const char *path = path_join(arena, folder, name);
    struct stat info;
    char resolved[PATH_MAX];
    if (lstat(path, &info) != 0)
        return STATUS_OK;
    if (is_folder && (realpath(path, resolved) == NULL || !path_is_inside(folder, resolved)))
        return error_set(error, path, "remove the link, or choose another folder",
                         "it is a link that leaves the folder");
    if (S_ISDIR(info.st_mode) != is_folder && !S_ISLNK(info.st_mode))
        return error_set(error, path, "remove it, or choose another folder",
                         is_folder ? "it is no folder" : "it is no file");
    return STATUS_OK;
}

static Status check_places(Arena *arena, const char *folder, const NewFile *files, Error *error) {
    for (size_t i = 0; i < COUNT_OF(FOLDERS); i++)
        if (check_place(arena, folder, FOLDERS[i], true, error) != STATUS_OK)
            return STATUS_ERROR;
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (check_place(arena, folder, files[i].name, false, error) != STATUS_OK)
            return STATUS_ERROR;
    return STATUS_OK;
}

static bool binds_one(const Tree *tree, const char *name, const char *other) {
    return module_binds(tree, name) || module_binds(tree, other) || module_binds(tree, "*");
}

/* As far as that shows without a run. */
static Status read_model(Arena *arena, const Parser *parser, const char *path, Source *model, Error *error) {
    Tree tree;
    if (source_read(arena, path, path, model, error) != STATUS_OK ||
        parser->parse(parser->context, arena, model, 1, &tree, error) != STATUS_OK)
        return STATUS_ERROR;
    if (!binds_one(&tree, "Model", "RefactoredModel"))
        return error_set(error, path, "give the file whose class Model is the model",
                         "it has no class Model: it is no model");
    if (!binds_one(&tree, "get_inputs", "get_input_kwargs"))
        return error_set(error, path,
                         "let get_inputs() return the inputs that the model is to be verified with",
                         "it has no get_inputs()");
    return STATUS_OK;
}

Status project_init(Arena *arena, const Parser *parser, const InitOptions *options, const char **component,
                    Error *error) {
    Source model;
    const char *folder = without_slashes(arena, options->folder);
    if (check_target(folder, options->force, error) != STATUS_OK ||
        read_model(arena, parser, options->model, &model, error) != STATUS_OK)
        return STATUS_ERROR;
    const char *name = snake_name(arena, path_stem(arena, options->model));
    *component = arena_printf(arena, "%s/%s.py", level_folder(LEVEL_MODEL), name);
    const NewFile files[FILE_COUNT] = {
        {*component, model.bytes},
        {TREE_FILE, tree_bytes(arena, options->model, name, *component)},
        {LOG_FILE, json_bytes(arena, json_pack("{s:[]}", "entries"))},
        {"verification/composition_test.py", project_template[0].bytes},
    };
    if (!directory_exists(folder))
        return make_aside(arena, folder, files, error);
    const bool empty = is_empty(folder);
    folder = path_absolute(arena, folder);
    if (empty && !is_working_folder(folder))
        return make_aside(arena, folder, files, error);
    if (check_places(arena, folder, files, error) != STATUS_OK)
        return STATUS_ERROR;
    Status status = write_files(arena, folder, files, error);
    if (status != STATUS_OK && empty)
        remove_files(arena, folder, files);
    return status;
}
