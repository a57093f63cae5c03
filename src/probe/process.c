/* Starting programs: clean environment, chosen descriptors, bounded time. */
#include "process.h"

#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_LIMIT = 65536, FIRST_SAFE_DESCRIPTOR = 64 };

/* What decides where libraries and devices are found. Everything else of the user's environment could only
 * make two runs differ. */
static const char *const kept_variables[] = {
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_PATH",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "NVIDIA_VISIBLE_DEVICES",
    "XDG_CACHE_HOME",
    "HF_HOME",
    "TORCH_HOME",
    "OPENBLAS_CORETYPE", /* set by those whose OpenBLAS takes their processor for another */
    "OPENBLAS_L2_SIZE",
};

static const char *const set_variables[] = {
    "LC_ALL=C.UTF-8",
    "TZ=UTC",
    "PYTHONHASHSEED=0", /* sets and dicts of str iterate in the same order in every run */
    "PYTHONDONTWRITEBYTECODE=1",
    "PYTHONSAFEPATH=1",
    "PYTHONUNBUFFERED=1", /* what a cell printed before it was killed is in its log */
    /* Activations come from the heap and stay in it: half as many page faults in a large forward. */
    "MALLOC_MMAP_THRESHOLD_=4294967296",
    "MALLOC_TRIM_THRESHOLD_=17179869184",
    "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", /* the heap in huge pages: less to copy in a fork */
    "OMP_DYNAMIC=FALSE",
    "OMP_WAIT_POLICY=PASSIVE", /* threads that wait leave the processor to other cells */
    "MKL_DYNAMIC=FALSE",
    "CUBLAS_WORKSPACE_CONFIG=:4096:8", /* needed for deterministic matrix products */
    "PYTORCH_NVML_BASED_CUDA_CHECK=1", /* asking for devices must not start CUDA before the fork */
    "HF_HUB_OFFLINE=1",                /* cells have no network: fail at once, not by a time-out */
    "TRANSFORMERS_OFFLINE=1",
    "TOKENIZERS_PARALLELISM=false",
};

/* The environment of every interpreter that we start: of the user's variables the few that decide which
 * libraries are found, and settings of our own. NULL-terminated. */
static char **process_environment(Arena *arena) {
    char **environment = ARENA_ARRAY(arena, char *, COUNT_OF(kept_variables) + COUNT_OF(set_variables) + 1);
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(kept_variables); i++) {
        const char *value = getenv(kept_variables[i]);
        if (value != NULL)
            environment[count++] = arena_printf(arena, "%s=%s", kept_variables[i], value);
    }
    for (size_t i = 0; i < COUNT_OF(set_variables); i++)
        environment[count++] = arena_strdup(arena, set_variables[i]);
    return environment;
}

/* Between fork and exec: only calls that are safe there. Returns if something failed; errno says what. */
static void become(const char *const *argv, char **environment, const int *descriptors, size_t count) {
    int safe[PROCESS_MOST_DESCRIPTORS];
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    for (size_t i = 0; i < count; i++) {
        int from = descriptors[i] >= 0 ? descriptors[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
        safe[i] = from < 0 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, FIRST_SAFE_DESCRIPTOR);
        if (safe[i] < 0)
            return;
    }
    for (size_t i = 0; i < count; i++)
        if (dup2(safe[i], (int)i) < 0)
            return;
    /* Ours close by themselves; these are what the caller of plumbline left open. */
    syscall(SYS_close_range, (unsigned)count, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
    execve(argv[0], (char *const *)argv, environment);
}

Status process_start(Arena *arena, const char *const *argv, const int *descriptors, size_t count, pid_t *pid,
                     Error *error) {
    char **environment = process_environment(arena);
    int report[2];
    if (count > PROCESS_MOST_DESCRIPTORS || pipe2(report, O_CLOEXEC) != 0)
        return error_set(error, argv[0], "", "cannot make a pipe: %s", strerror(errno));
    *pid = fork();
    if (*pid == 0) {
        int high = fcntl(report[1], F_DUPFD_CLOEXEC, FIRST_SAFE_DESCRIPTOR + PROCESS_MOST_DESCRIPTORS);
        become(argv, environment, descriptors, count);
        int cause = errno;
        ssize_t ignored = write(high, &cause, sizeof cause);
        (void)ignored;
        _exit(127);
    }
    int cause = errno;
    close(report[1]);
    if (*pid < 0) {
        close(report[0]);
        return error_set(error, argv[0], "", "cannot start a process: %s", strerror(cause));
    }
    ssize_t got;
    do
        got = read(report[0], &cause, sizeof cause);
    while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got == 0)
        return STATUS_OK;
    waitpid(*pid, NULL, 0);
    return error_set(error, argv[0], "", "cannot be started: %s", strerror(cause));
}

int process_end(pid_t pid, double deadline, bool *killed) {
    int status = 0;
    *killed = false;
    long pause = 200000; /* nanoseconds */
    for (;;) {
        pid_t ended = waitpid(pid, &status, *killed ? 0 : WNOHANG);
        if (ended == pid || (ended < 0 && errno != EINTR))
            return status;
        if (now_seconds() >= deadline) {
            kill(pid, SIGKILL);
            *killed = true;
            continue;
        }
        nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
        pause = pause < 10000000 ? pause * 2 : pause;
    }
}

Status process_output(Arena *arena, const char *const *argv, double seconds, char **output, int *wait_status,
                      Error *error) {
    double deadline = now_seconds() + seconds;
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return error_set(error, argv[0], "", "cannot make a pipe: %s", strerror(errno));
    pid_t pid = 0;
    int descriptors[3] = {-1, pipes[1], pipes[1]};
    Status status = process_start(arena, argv, descriptors, 3, &pid, error);
    close(pipes[1]);
    if (status != STATUS_OK) {
        close(pipes[0]);
        return status;
    }
    char *data = arena_alloc(arena, OUTPUT_LIMIT + 1);
    size_t size = 0;
    for (;;) {
        double left = deadline - now_seconds();
        struct pollfd poller = {.fd = pipes[0], .events = POLLIN};
        if (left <= 0 || poll(&poller, 1, (int)(left * 1000) + 1) <= 0)
            break;
        ssize_t got = read(pipes[0], data + size, OUTPUT_LIMIT - size);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    close(pipes[0]);
    bool killed;
    *wait_status = process_end(pid, deadline, &killed);
    *output = text_printable_lines(arena, data, size);
    if (killed)
        return error_set(error, argv[0], "", "gave no answer within %g s", seconds);
    return STATUS_OK;
}

char *file_tail(Arena *arena, int fd, size_t limit) {
    struct stat info;
    char *data = arena_alloc(arena, limit + 1);
    if (fstat(fd, &info) != 0 || info.st_size <= 0)
        return arena_strdup(arena, "");
    off_t from = (size_t)info.st_size > limit ? info.st_size - (off_t)limit : 0;
    ssize_t got = pread(fd, data, limit, from);
    return text_printable_lines(arena, data, got > 0 ? (size_t)got : 0);
}
