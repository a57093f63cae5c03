/* Memory files: bytes that are handed from process to process, and can't change once they are sealed. */
#include "probe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FINAL_SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

Status memory_file_new(Arena *arena, const char *name, MemoryFile **file, Error *error) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return error_set(error, name, "raise the limit of open files (ulimit -n)",
                         "cannot make a memory file: %s", strerror(errno));
    *file = ARENA_NEW(arena, MemoryFile);
    **file = (MemoryFile){.name = arena_strdup(arena, name), .fd = fd};
    return STATUS_OK;
}

Status memory_file_append(MemoryFile *file, Bytes bytes, size_t alignment, size_t *offset, Error *error) {
    size_t at = (file->size + alignment - 1) & ~(alignment - 1);
    for (size_t done = 0; done < bytes.size;) {
        ssize_t written = pwrite(file->fd, bytes.data + done, bytes.size - done, (off_t)(at + done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return error_set(error, file->name, "free some memory", "cannot write to a memory file: %s",
                             strerror(errno));
        done += (size_t)written;
    }
    *offset = at;
    if (bytes.size > 0)
        file->size = at + bytes.size;
    return STATUS_OK;
}

Status memory_file_reserve(MemoryFile *file, size_t size, uint8_t **data, Error *error) {
    assert(file->size == 0 && !file->sealed);
    static uint8_t nothing[1];
    *data = nothing;
    if (size == 0)
        return STATUS_OK;
    void *mapped = MAP_FAILED;
    if (ftruncate(file->fd, (off_t)size) == 0)
        mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (mapped == MAP_FAILED)
        return error_set(error, file->name, "free some memory", "no memory for %zu bytes: %s", size,
                         strerror(errno));
    file->size = size;
    *data = file->reserved = mapped;
    return STATUS_OK;
}

static void end_reservation(MemoryFile *file) {
    if (file->reserved != NULL)
        munmap(file->reserved, file->size);
    file->reserved = NULL;
}

Status memory_file_seal(MemoryFile *file, Error *error) {
    if (file->sealed)
        return STATUS_OK;
    end_reservation(file);
    int seals = fcntl(file->fd, F_GET_SEALS);
    if (seals >= 0 && (seals & FINAL_SEALS) != FINAL_SEALS) {
        /* Fails if a cell has sealed the file against sealing, or if a writable mapping is left somewhere. */
        if (fcntl(file->fd, F_ADD_SEALS, FINAL_SEALS) == 0)
            seals = FINAL_SEALS;
    }
    if (seals < 0 || (seals & FINAL_SEALS) != FINAL_SEALS)
        return error_set(error, file->name, "see whether the file that was run interferes with its results",
                         "a memory file could not be sealed: %s", strerror(errno));
    struct stat info;
    if (fstat(file->fd, &info) != 0 || info.st_size < 0)
        return error_set(error, file->name, "", "a memory file has no size: %s", strerror(errno));
    file->size = (size_t)info.st_size;
    file->sealed = true;
    return STATUS_OK;
}

Status memory_file_map(MemoryFile *file, Bytes *bytes, Error *error) {
    if (memory_file_seal(file, error) != STATUS_OK)
        return STATUS_ERROR;
    if (file->data == NULL && file->size > 0) {
        void *data = mmap(NULL, file->size, PROT_READ, MAP_SHARED, file->fd, 0);
        if (data == MAP_FAILED)
            return error_set(error, file->name, "free some memory", "cannot map %zu bytes: %s", file->size,
                             strerror(errno));
        file->data = data;
    }
    *bytes = (Bytes){file->data, file->size};
    return STATUS_OK;
}

Status memory_file_share(Arena *arena, const MemoryFile *file, MemoryFile **shared, Error *error) {
    int fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return error_set(error, file->name, "raise the limit of open files (ulimit -n)",
                         "a memory file cannot be shared: %s", strerror(errno));
    *shared = ARENA_NEW(arena, MemoryFile);
    **shared = (MemoryFile){.name = arena_strdup(arena, file->name), .fd = fd};
    return STATUS_OK;
}

void memory_file_close(MemoryFile *file) {
    if (file == NULL || file->fd < 0)
        return;
    end_reservation(file);
    if (file->data != NULL)
        munmap((void *)file->data, file->size);
    close(file->fd);
    file->fd = -1;
    file->data = NULL;
}
