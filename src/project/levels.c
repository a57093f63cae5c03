/* The four levels and their folders. */
#include "project.h"

#include <string.h>

static const struct {
    const char *name, *folder;
} LEVELS[LEVEL_COUNT] = {
    [LEVEL_KERNEL] = {"kernel", "level_0_kernel"},
    [LEVEL_FUSION] = {"fusion", "level_1_fusion"},
    [LEVEL_LAYER] = {"layer", "level_2_layer"},
    [LEVEL_MODEL] = {"model", "level_3_model"},
};

const char *level_name(Level level) {
    return LEVELS[level].name;
}

const char *level_folder(Level level) {
    return LEVELS[level].folder;
}

bool level_of_name(const char *name, Level *level) {
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        if (text_equal(LEVELS[i].name, name)) {
            *level = (Level)i;
            return true;
        }
    return false;
}

bool level_of_path(const char *path, Level *level) {
    const char *end = strrchr(path, '/');
    if (end == NULL)
        return false;
    const char *start = end;
    while (start > path && start[-1] != '/')
        start--;
    size_t length = (size_t)(end - start);
    for (size_t i = 0; i < LEVEL_COUNT; i++)
        if (strlen(LEVELS[i].folder) == length && strncmp(LEVELS[i].folder, start, length) == 0) {
            *level = (Level)i;
            return true;
        }
    return false;
}
