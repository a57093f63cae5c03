/* Folders: where decompositions are, and what they hold. */
#include "batch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEEPEST = 64, MOST_FOLDERS = 1000000, CHUNK = 1 << 16 };

typedef struct Names {
    const char **items;
    size_t count, capacity;
} Names;

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_hidden(const char *name) {
    return name[0] == '.' || strcmp(name, "__pycache__") == 0;
}

static Status list(Arena *arena, const char *folder, Names *names, Error *error) {
    *names = (Names){0};
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return error_set(error, folder, "check that it exists and may be read", "cannot be listed: %s",
                         strerror(errno));
    errno = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL; errno = 0)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            *(const char **)ARENA_PUSH(arena, names) = arena_strdup(arena, entry->d_name);
    int cause = errno;
    closedir(directory);
    if (cause != 0)
        return error_set(error, folder, "check the disk", "cannot be listed: %s", strerror(cause));
    if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, by_name);
    return STATUS_OK;
}

static bool is_folder(const char *path) { /* and no link to one */
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static char *below(Arena *arena, const char *folder, const char *name) {
    return arena_printf(arena, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
}

/* ---- Decompositions --------------------------------------------------------------------------- */

static bool is_decomposition(Arena *arena, const char *folder) {
    return file_exists(below(arena, folder, "decomposition_tree.json")) ||
           is_folder(below(arena, folder, "steps")) || is_folder(below(arena, folder, "level_0_kernel"));
}

typedef struct Search {
    Arena *arena;
    Folders *found;
    size_t seen;
} Search;

static Status search(Search *state, const char *folder, const char *name, int depth, Error *error) {
    Arena *arena = state->arena;
    Names names;
    if (is_decomposition(arena, folder)) {
        *(const char **)ARENA_PUSH(arena, state->found) = name;
        return STATUS_OK;
    }
    if (++state->seen > MOST_FOLDERS)
        return error_set(error, folder, "name a folder with fewer", "more than %d folders are too many",
                         MOST_FOLDERS);
    if (list(arena, folder, &names, error) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < names.count && depth < DEEPEST; i++) {
        const char *path = below(arena, folder, names.items[i]);
        const char *inner = strcmp(name, ".") == 0 ? names.items[i] : below(arena, name, names.items[i]);
        if (!is_hidden(names.items[i]) && is_folder(path) &&
            search(state, path, inner, depth + 1, error) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

Status folders_find(Arena *arena, const char *root, Folders *folders, Error *error) {
    *folders = (Folders){0};
    Search state = {.arena = arena, .found = folders};
    if (search(&state, path_absolute(arena, root), ".", 0, error) != STATUS_OK)
        return STATUS_ERROR;
    if (folders->count == 0)
        return error_set(error, root,
                         "name the folder above decompositions: those have decomposition_tree.json, steps/ "
                         "or level_0_kernel/",
                         "there is no decomposition in it");
    qsort(folders->items, folders->count, sizeof *folders->items, by_name);
    return STATUS_OK;
}

/* ---- Content ----------------------------------------------------------------------------------- */

static Status add_file(Hasher *hasher, const char *path, Error *error) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    uint8_t chunk[CHUNK];
    uint64_t size = 0;
    ssize_t got = file < 0 ? -1 : 1;
    while (got > 0) {
        got = read(file, chunk, sizeof chunk);
        if (got > 0)
            hasher_add(hasher, chunk, (size_t)got);
        size += got > 0 ? (uint64_t)got : 0;
        if (got < 0 && errno == EINTR)
            got = 1;
    }
    int cause = errno;
    if (file >= 0)
        close(file);
    if (got < 0)
        return error_set(error, path, "check its permissions", "cannot be read: %s", strerror(cause));
    hasher_add(hasher, &size, sizeof size);
    return STATUS_OK;
}

static Status add_link(Hasher *hasher, const char *path, Error *error) {
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = '\0';
    hasher_add_text(hasher, target);
    return file_exists(path) ? add_file(hasher, path, error) : STATUS_OK;
}

static Status add_folder(Arena *arena, Hasher *hasher, const char *folder, int depth, Error *error) {
    Names names;
    if (list(arena, folder, &names, error) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i], *path = below(arena, folder, name);
        struct stat info;
        if (strcmp(name, "__pycache__") == 0 || strcmp(name, ".plumbline") == 0 || lstat(path, &info) != 0)
            continue;
        const char *kind = S_ISREG(info.st_mode)   ? "file"
                           : S_ISLNK(info.st_mode) ? "link"
                           : S_ISDIR(info.st_mode) ? "folder"
                                                   : "other";
        Status status = STATUS_OK;
        hasher_add_text(hasher, kind);
        hasher_add_text(hasher, name);
        if (S_ISREG(info.st_mode))
            status = add_file(hasher, path, error);
        else if (S_ISLNK(info.st_mode))
            status = add_link(hasher, path, error);
        else if (S_ISDIR(info.st_mode) && depth < DEEPEST)
            status = add_folder(arena, hasher, path, depth + 1, error);
        if (status != STATUS_OK)
            return status;
    }
    hasher_add_text(hasher, "end");
    return STATUS_OK;
}

Status folder_content(Arena *arena, const char *folder, const char **hash, Error *error) {
    Hasher *hasher = hasher_new(arena);
    if (add_folder(arena, hasher, folder, 0, error) != STATUS_OK)
        return STATUS_ERROR;
    *hash = hasher_end(arena, hasher);
    return STATUS_OK;
}

static double changed_at(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 ? (double)info.st_ctim.tv_sec + 1e-9 * (double)info.st_ctim.tv_nsec : 0;
}

Status model_content(Arena *arena, const char *model, const char **hash, double *changed, Error *error) {
    const char *folder = path_directory(arena, model);
    Hasher *hasher = hasher_new(arena);
    Names names;
    *changed = changed_at(model);
    if (add_file(hasher, model, error) != STATUS_OK || list(arena, folder, &names, error) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < names.count; i++) {
        const char *path = below(arena, folder, names.items[i]);
        if (!text_ends(names.items[i], ".py") || !file_exists(path))
            continue;
        hasher_add_text(hasher, names.items[i]);
        if (add_file(hasher, path, error) != STATUS_OK)
            return STATUS_ERROR;
        double own = changed_at(path);
        *changed = own > *changed ? own : *changed;
    }
    *hash = hasher_end(arena, hasher);
    return STATUS_OK;
}
