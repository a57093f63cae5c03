/* Files and paths. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *read_advice(int cause) {
    return cause == EACCES || cause == EPERM ? "check its permissions" : "check the path";
}

Status file_read(Arena *arena, const char *path, size_t limit, Bytes *bytes, Error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_set(error, path, read_advice(errno), "cannot open: %s", strerror(errno));
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return error_set(error, path, "give a regular file", "not a regular file");
    }
    if ((uint64_t)info.st_size > limit) {
        close(fd);
        return error_set(error, path, "give a smaller file", "the file has %lld bytes; at most %zu are read",
                         (long long)info.st_size, limit);
    }
    uint8_t *data = arena_alloc(arena, (size_t)info.st_size + 1);
    size_t size = 0;
    while (size < (size_t)info.st_size) {
        ssize_t got = read(fd, data + size, (size_t)info.st_size - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int cause = errno;
            close(fd);
            return error_set(error, path, "check the disk", "cannot read: %s", strerror(cause));
        }
        if (got == 0)
            break; /* it shrank meanwhile: what is there is what we judge */
        size += (size_t)got;
    }
    close(fd);
    *bytes = (Bytes){data, size};
    return STATUS_OK;
}

const char *write_advice(int cause) {
    switch (cause) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return "free some space, or write elsewhere";
    case EISDIR: return "name a file, not a folder";
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG: return "check the path: its folder must exist";
    case EACCES:
    case EPERM:
    case EROFS: return "check that it may be written";
    default: return "write elsewhere";
    }
}

static bool write_all(int fd, Bytes bytes) {
    for (size_t done = 0; done < bytes.size;) {
        ssize_t written = write(fd, bytes.data + done, bytes.size - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        done += (size_t)written;
    }
    return true;
}

/* A new file beside `path`, with the permissions that the user's umask gives. (mkstemp gives others, and
 * umask can't be asked without being changed, for other threads too.) */
static int open_aside(const char *path, char *aside) {
    for (int attempt = 0; attempt < 100; attempt++) {
        uint32_t number;
        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
            continue;
        snprintf(aside, PATH_MAX, "%s.%08x", path, (unsigned)number);
        int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

Status file_write(const char *path, Bytes bytes, Error *error) {
    char aside[PATH_MAX];
    if (strlen(path) + sizeof ".01234567" > sizeof aside)
        return error_set(error, path, "choose a shorter path", "the path is too long");
    int fd = open_aside(path, aside);
    if (fd < 0)
        return error_set(error, path, write_advice(errno), "cannot write: %s", strerror(errno));
    bool good = write_all(fd, bytes) && fsync(fd) == 0;
    int cause = errno;
    if (close(fd) != 0 && good) {
        good = false;
        cause = errno;
    }
    if (good && rename(aside, path) != 0) {
        good = false;
        cause = errno;
    }
    if (good)
        return STATUS_OK;
    unlink(aside);
    return error_set(error, path, write_advice(cause), "cannot write, and what was there is untouched: %s",
                     strerror(cause));
}

static Status cannot_write(const char *path, Error *error) {
    return error_set(error, path, write_advice(errno), "cannot write: %s", strerror(errno));
}

/* A descriptor of ours by its name, which opening would open anew, at its start; -1: it is none. */
static int descriptor_of(const char *path) {
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    if (strcmp(path, "/dev/stdout") == 0)
        return STDOUT_FILENO;
    if (strcmp(path, "/dev/stderr") == 0)
        return STDERR_FILENO;
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        const char *digits = path + strlen(folders[i]);
        char *end = NULL;
        if (text_starts(path, folders[i]) && *digits >= '0' && *digits <= '9') {
            const long number = strtol(digits, &end, 10);
            return *end == '\0' && number <= INT_MAX ? (int)number : -1;
        }
    }
    return -1;
}

static Status write_into(const char *path, Bytes bytes, Error *error) {
    fflush(NULL); /* what was printed comes first */
    const int ours = descriptor_of(path),
              fd = ours >= 0 ? fcntl(ours, F_DUPFD_CLOEXEC, 0)
                             : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0)
        return cannot_write(path, error);
    if (!write_all(fd, bytes)) {
        const Status status = cannot_write(path, error);
        close(fd);
        return status;
    }
    return close(fd) == 0 ? STATUS_OK : cannot_write(path, error);
}

Status file_write_named(const char *path, Bytes bytes, Error *error) {
    char resolved[PATH_MAX];
    struct stat info;
    if (descriptor_of(path) >= 0)
        return write_into(path, bytes, error);
    if (lstat(path, &info) != 0 || S_ISREG(info.st_mode))
        return file_write(path, bytes, error);
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode) && realpath(path, resolved) != NULL)
        return file_write(resolved, bytes, error);
    return write_into(path, bytes, error);
}

bool file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool directory_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

Status directory_make(const char *path, Error *error) {
    if (mkdir(path, 0777) == 0 || directory_exists(path))
        return STATUS_OK;
    return error_set(error, path, "see that the folder above it may be written", "cannot be made: %s",
                     strerror(errno));
}

char *path_join(Arena *arena, const char *directory, const char *name) {
    if (directory[0] == '\0' || strcmp(directory, ".") == 0 || name[0] == '/')
        return arena_strdup(arena, name);
    return arena_printf(arena, "%s%s%s", directory, text_ends(directory, "/") ? "" : "/", name);
}

char *path_directory(Arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return arena_strdup(arena, ".");
    return slash == path ? arena_strdup(arena, "/") : arena_strndup(arena, path, (size_t)(slash - path));
}

const char *path_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

char *path_stem(Arena *arena, const char *path) {
    const char *name = path_name(path);
    const char *dot = strrchr(name, '.');
    return dot == NULL || dot == name ? arena_strdup(arena, name)
                                      : arena_strndup(arena, name, (size_t)(dot - name));
}

char *path_absolute(Arena *arena, const char *path) {
    char resolved[PATH_MAX];
    return arena_strdup(arena, realpath(path, resolved) == NULL ? path : resolved);
}

bool path_is_inside(const char *folder, const char *path) {
    size_t length = strlen(folder);
    if (length == 1)
        return true; /* "/" */
    return strncmp(folder, path, length) == 0 && (path[length] == '/' || path[length] == '\0');
}
