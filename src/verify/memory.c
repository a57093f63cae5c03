/* Memory: how much there is. */
#include "decomposition.h"

#include <stdio.h>

static uint64_t read_number(const char *path) {
    unsigned long long number = UINT64_MAX; /* "max", or no such file */
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return UINT64_MAX;
    if (fscanf(file, "%llu", &number) != 1)
        number = UINT64_MAX;
    fclose(file);
    return number;
}

uint64_t memory_available(void) {
    char line[256];
    unsigned long long kilobytes = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1)
            break;
    if (file != NULL)
        fclose(file);
    uint64_t machine = (uint64_t)kilobytes * 1024;
    /* In a container, the root of the control groups is its own. */
    uint64_t most = read_number("/sys/fs/cgroup/memory.max"),
             used = read_number("/sys/fs/cgroup/memory.current");
    if (most == UINT64_MAX || used == UINT64_MAX)
        return machine;
    uint64_t group = most > used ? most - used : 0;
    return group < machine ? group : machine;
}
