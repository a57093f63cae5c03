/* How long `plumbline step` takes, against a Python script that follows the guide's pseudocode
 * (bench/guide.py): run by run, each as a whole process with all that it starts. Usage: bench_steps PLUMBLINE
 * PYTHON ROUNDS FOLDER... */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ROUNDS = 99, MOST_PATH = 4096 };

typedef struct Cost { /* seconds; of processor time: of the process and all that it waited for */
    double wall, user, system;
    double peak; /* MiB of the largest of its processes */
} Cost;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double seconds(struct timeval time) {
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

/* Ends the program if the command doesn't exit 0: what failed has no time. */
static Cost run(char *const *argv) {
    double start = now();
    pid_t pid = fork();
    if (pid == 0) {
        int nothing = open("/dev/null", O_WRONLY);
        if (nothing >= 0)
            dup2(nothing, STDOUT_FILENO);
        execvp(argv[0], argv);
        _exit(127);
    }
    int status = -1;
    struct rusage usage;
    while (pid > 0 && wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
        ;
    if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "bench_steps: %s ... %s failed\n", argv[0], argv[1]);
        exit(1);
    }
    return (Cost){now() - start, seconds(usage.ru_utime), seconds(usage.ru_stime),
                  (double)usage.ru_maxrss / 1024};
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const Cost *costs, int count, size_t field) {
    double values[MOST_ROUNDS];
    for (int i = 0; i < count; i++)
        memcpy(&values[i], (const char *)&costs[i] + field, sizeof(double));
    qsort(values, (size_t)count, sizeof *values, by_size);
    return values[count / 2];
}

static void print(const char *name, const Cost *costs, int count) {
    printf("    %-18s %7.2f %7.2f %7.2f %9.0f\n", name, median(costs, count, offsetof(Cost, wall)),
           median(costs, count, offsetof(Cost, user)), median(costs, count, offsetof(Cost, system)),
           median(costs, count, offsetof(Cost, peak)));
}

int main(int argc, char **argv) {
    int rounds = argc > 4 ? atoi(argv[3]) : 0;
    if (rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: bench_steps PLUMBLINE PYTHON ROUNDS FOLDER...\n");
        return 2;
    }
    char *import[] = {argv[2], "-c", "import torch", NULL};
    Cost imports[MOST_ROUNDS];
    for (int i = 0; i < rounds; i++)
        imports[i] = run(import);
    printf("medians of %d runs     wall s  user s   sys s  peak MiB\n", rounds);
    print("import torch", imports, rounds);
    for (int i = 4; i < argc; i++) {
        char original[MOST_PATH], refactored[MOST_PATH];
        snprintf(original, sizeof original, "%s/original.py", argv[i]);
        snprintf(refactored, sizeof refactored, "%s/refactored.py", argv[i]);
        char *step[] = {argv[1],  "step",         "--python", argv[2], "--original",
                        original, "--refactored", refactored, NULL};
        char *guide[] = {argv[2], "bench/guide.py", original, refactored, NULL};
        Cost ours[MOST_ROUNDS], theirs[MOST_ROUNDS];
        for (int round = 0; round < rounds; round++) {
            ours[round] = run(step);
            theirs[round] = run(guide);
        }
        printf("%s\n", argv[i]);
        print("plumbline step", ours, rounds);
        print("bench/guide.py", theirs, rounds);
        fflush(stdout);
    }
    return 0;
}
