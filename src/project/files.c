/* Folders and files of a decomposition: what is looked at, and what leaves it. */
#include "project_parts.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_JSON = 64 << 20 };

/* Absolute and resolved; NULL if there is nothing that can be read inside, which is a finding. */
static const char *resolve(Reading *reading, const char *name, struct stat *info) {
    const char *path = path_join(reading->arena, reading->project->folder, name);
    char resolved[PATH_MAX];
    if (realpath(path, resolved) == NULL || stat(resolved, info) != 0) {
        project_finding(reading, &RULE_file_unreadable, SEVERITY_VIOLATION, name, 0, "it cannot be read: %s",
                        strerror(errno));
        return NULL;
    }
    if (!path_is_inside(reading->project->folder, resolved)) {
        project_finding(reading, &RULE_file_link, SEVERITY_VIOLATION, name, 0,
                        "it is a link that leaves the decomposition, and is not read");
        return NULL;
    }
    return arena_strdup(reading->arena, resolved);
}

static bool is_ignored(const char *file, const char *suffix) {
    return file[0] == '.' || strcmp(file, "__pycache__") == 0 || strcmp(file, "__init__.py") == 0 ||
           (suffix != NULL && (!text_ends(file, suffix) || strlen(file) == strlen(suffix)));
}

static int compare_entries(const void *left, const void *right) {
    return strcmp(((const FileEntry *)left)->file, ((const FileEntry *)right)->file);
}

FileEntries project_entries(Reading *reading, const char *folder, const char *suffix) {
    FileEntries entries = {0};
    struct stat info;
    const char *path = path_join(reading->arena, reading->project->folder, folder);
    if (lstat(path, &info) != 0 || (path = resolve(reading, folder, &info)) == NULL || !S_ISDIR(info.st_mode))
        return entries;
    DIR *stream = opendir(path);
    if (stream == NULL) {
        project_finding(reading, &RULE_file_unreadable, SEVERITY_VIOLATION, folder, 0,
                        "it cannot be read: %s", strerror(errno));
        return entries;
    }
    errno = 0;
    for (const struct dirent *item; (item = readdir(stream)) != NULL; errno = 0) {
        if (is_ignored(item->d_name, suffix))
            continue;
        FileEntry entry = {.file = arena_strdup(reading->arena, item->d_name),
                           .name = arena_printf(reading->arena, "%s/%s", folder, item->d_name)};
        entry.path = resolve(reading, entry.name, &info);
        if (entry.path != NULL && (suffix == NULL ? S_ISDIR(info.st_mode) : S_ISREG(info.st_mode)))
            *(FileEntry *)ARENA_PUSH(reading->arena, &entries) = entry;
    }
    if (errno != 0) /* else what is missing would be taken for what is not there */
        project_finding(reading, &RULE_file_unreadable, SEVERITY_VIOLATION, folder, 0,
                        "not all of it can be read: %s", strerror(errno));
    closedir(stream);
    if (entries.count > 1)
        qsort(entries.items, entries.count, sizeof *entries.items, compare_entries);
    return entries;
}

const char *project_file(Reading *reading, const char *name) {
    struct stat info;
    if (lstat(path_join(reading->arena, reading->project->folder, name), &info) != 0)
        return NULL;
    const char *path = resolve(reading, name, &info);
    if (path == NULL || S_ISREG(info.st_mode))
        return path;
    project_finding(reading, &RULE_file_unreadable, SEVERITY_VIOLATION, name, 0, "it is not a regular file");
    return NULL;
}

json_t *project_json(Reading *reading, const char *name, Table **lines, bool *there) {
    struct stat info;
    *lines = NULL;
    *there = lstat(path_join(reading->arena, reading->project->folder, name), &info) == 0;
    const char *path = *there ? project_file(reading, name) : NULL;
    if (path == NULL)
        return NULL;
    Bytes bytes;
    Error error;
    json_t *value;
    if (file_read(reading->arena, path, MOST_JSON, &bytes, &error) != STATUS_OK) {
        project_finding(reading, &RULE_file_unreadable, SEVERITY_VIOLATION, name, 0, "%s", error.cause);
        return NULL;
    }
    if (json_parse(bytes, name, &value, &error) != STATUS_OK) {
        const char *line = error.place + (text_starts(error.place, name) ? strlen(name) : 0);
        project_finding(reading, &RULE_file_json, SEVERITY_VIOLATION, name,
                        *line == ':' ? (int)strtol(line + 1, NULL, 10) : 0, "%s", error.cause);
        return NULL;
    }
    *lines = json_lines(reading->arena, bytes);
    return value;
}
