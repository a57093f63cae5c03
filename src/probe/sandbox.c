/* The sandbox's policy: which system calls, and which layers a cell must have. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

static const char *const layer_names[] = {"seccomp", "landlock", "namespaces", "limits"};

const char *sandbox_layer_name(SandboxLayer layer) {
    return layer_names[layer];
}

/* Allowed whatever their arguments: computing, memory, threads, time, and reading what is open or may be
 * opened. An unknown name (another architecture, another libseccomp) is passed over. */
/* clang-format off */
static const char *const allowed[] = {
    /* memory */
    "brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore", "mlock", "mlock2",
    "munlock", "mlockall", "munlockall", "get_mempolicy", "membarrier",
    /* what is open */
    "read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2",
    "close", "close_range", "lseek", "dup", "dup2", "dup3", "fstat", "fsync", "fdatasync", "ftruncate",
    "fallocate", "fadvise64", "flock", "getdents", "getdents64", "pipe", "pipe2", "poll", "ppoll", "select",
    "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd",
    "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "fstatfs",
    /* the file system, for reading */
    "stat", "lstat", "newfstatat", "fstatat64", "statx", "statfs", "access", "faccessat", "faccessat2",
    "readlink", "readlinkat", "getcwd", "chdir", "fchdir", "umask",
    /* sockets that it was given: there is one */
    "sendto", "sendmsg", "recvfrom", "recvmsg", "shutdown", "getsockopt", "getsockname", "getpeername",
    /* threads */
    "futex", "futex_waitv", "futex_wake", "futex_wait", "set_robust_list", "get_robust_list",
    "set_tid_address", "rseq", "gettid", "sched_yield", "sched_getaffinity", "sched_getparam",
    "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "getcpu", "arch_prctl",
    "exit", "exit_group", "restart_syscall",
    /* its own signals */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend",
    "sigaltstack", "pause", "signalfd4",
    /* time */
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times",
    "getitimer", "setitimer", "alarm",
    /* who and where am I */
    "getpid", "getppid", "getpgid", "getpgrp", "getsid", "getuid", "geteuid", "getgid", "getegid",
    "getresuid", "getresgid", "getgroups", "capget", "uname", "sysinfo", "getrusage", "getrlimit",
    "getpriority", "wait4", "waitid", "getrandom",
};
/* clang-format on */

/* Refused with "Operation not permitted", which Python reports well. What stands in no table is refused with
 * "Function not implemented", so that a C library falls back to what it did before that call existed. */
/* clang-format off */
static const char *const refused[] = {
    "execve", "execveat", "fork", "vfork", "socketpair", "connect", "bind", "listen", "accept", "accept4",
    "setsockopt", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_getfd",
    "pidfd_send_signal", "unshare", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "personality", "memfd_create", "memfd_secret", "shmget", "shmat", "shmctl",
    "msgget", "semget", "mq_open", "creat", "truncate", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown",
    "fchown", "lchown", "fchownat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir",
    "mkdirat", "rmdir", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat", "utime", "utimes",
    "utimensat", "futimesat", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr",
    "fremovexattr", "setrlimit", "setpriority", "sched_setscheduler", "sched_setparam", "sched_setattr",
    "ioprio_set", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
    "setfsuid", "setfsgid", "capset", "setpgid", "setsid", "mbind", "set_mempolicy", "migrate_pages",
    "move_pages", "process_madvise", "inotify_init", "inotify_init1", "fanotify_init", "seccomp",
    "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "sync", "syncfs", "vhangup",
    "syslog", "acct", "quotactl", "sethostname", "setdomainname", "settimeofday", "clock_settime",
    "adjtimex", "clock_adjtime", "kcmp", "name_to_handle_at",
};
/* clang-format on */

/* No library calls these by accident: the cell is killed. */
/* clang-format off */
static const char *const fatal[] = {
    "ptrace", "process_vm_readv", "process_vm_writev", "bpf", "add_key", "request_key", "keyctl",
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon",
    "swapoff", "iopl", "ioperm", "mount", "umount2", "pivot_root", "chroot", "setns", "open_by_handle_at",
    "move_mount", "open_tree", "fsopen", "fsmount", "mount_setattr", "lookup_dcookie",
};
/* clang-format on */

/* What CUDA's driver does besides. Of sockets, only Unix ones, and it connects to nobody: it listens on a
 * name of its own. It opens devices for writing, and the files of its threads' names as if they might have to
 * be made, and does not start without; Landlock says which files, and that none is made. */
static const char *const allowed_for_cuda[] = {
    "mbind", "set_mempolicy", "ioctl", "memfd_create", "setsockopt", "bind", "listen", "open", "openat"};

/* It first removes what may be left of that name, and stops at any other answer than that there is none. */
static const char *const missing_for_cuda[] = {"unlink"};

/* A rule on one argument: `action` if (argument & mask) == value, or != value. */
typedef struct ArgumentRule {
    const char *name;
    unsigned argument;
    enum { IF_EQUAL, IF_MASKED_EQUAL, IF_NOT_EQUAL } test;
    uint64_t mask, value;
    uint32_t action;
} ArgumentRule;

enum { WRITING = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC };
#define REFUSE SCMP_ACT_ERRNO(EPERM)
#define DENY   SCMP_ACT_ERRNO(EACCES)
#define OWN_ID UINT64_MAX /* stands for the cell's own process id */

static const ArgumentRule argument_rules[] = {
    {"clone", 0, IF_MASKED_EQUAL, CLONE_THREAD, CLONE_THREAD, SCMP_ACT_ALLOW},
    {"clone", 0, IF_MASKED_EQUAL, CLONE_THREAD, 0, REFUSE},
    {"kill", 0, IF_EQUAL, 0, OWN_ID, SCMP_ACT_ALLOW}, /* abort() and raise() */
    {"kill", 0, IF_NOT_EQUAL, 0, OWN_ID, REFUSE},
    {"tgkill", 0, IF_EQUAL, 0, OWN_ID, SCMP_ACT_ALLOW},
    {"tgkill", 0, IF_NOT_EQUAL, 0, OWN_ID, REFUSE},
    {"prlimit64", 2, IF_EQUAL, 0, 0, SCMP_ACT_ALLOW}, /* asking, not setting */
    {"prlimit64", 2, IF_NOT_EQUAL, 0, 0, REFUSE},
    {"sched_setaffinity", 0, IF_EQUAL, 0, 0, SCMP_ACT_ALLOW},
    {"sched_setaffinity", 0, IF_NOT_EQUAL, 0, 0, REFUSE},
    {"prctl", 0, IF_EQUAL, 0, PR_SET_NAME, SCMP_ACT_ALLOW},
    {"prctl", 0, IF_EQUAL, 0, PR_GET_NAME, SCMP_ACT_ALLOW},
    {"prctl", 0, IF_EQUAL, 0, PR_GET_DUMPABLE, SCMP_ACT_ALLOW},
    {"prctl", 0, IF_EQUAL, 0, PR_SET_VMA, SCMP_ACT_ALLOW},
    {"fcntl", 1, IF_EQUAL, 0, F_DUPFD, SCMP_ACT_ALLOW},
    {"fcntl", 1, IF_EQUAL, 0, F_DUPFD_CLOEXEC, SCMP_ACT_ALLOW},
    {"fcntl", 1, IF_EQUAL, 0, F_GETFD, SCMP_ACT_ALLOW},
    {"fcntl", 1, IF_EQUAL, 0, F_SETFD, SCMP_ACT_ALLOW},
    {"fcntl", 1, IF_EQUAL, 0, F_GETFL, SCMP_ACT_ALLOW},
    {"fcntl", 1, IF_EQUAL, 0, F_SETFL, SCMP_ACT_ALLOW},
    {"fcntl", 1, IF_EQUAL, 0, F_GETLK, SCMP_ACT_ALLOW},
    {"fcntl", 1, IF_EQUAL, 0, F_SETLK, SCMP_ACT_ALLOW},
    {"fcntl", 1, IF_EQUAL, 0, F_SETLKW, SCMP_ACT_ALLOW},
    {"fcntl", 1, IF_EQUAL, 0, F_ADD_SEALS, SCMP_ACT_ALLOW},
    {"fcntl", 1, IF_EQUAL, 0, F_GET_SEALS, SCMP_ACT_ALLOW},
};

static const ArgumentRule device_rules[] = {
    /* without CUDA: what isatty and non-blocking files need */
    {"ioctl", 1, IF_EQUAL, 0, TCGETS, SCMP_ACT_ALLOW},
    {"ioctl", 1, IF_EQUAL, 0, TIOCGWINSZ, SCMP_ACT_ALLOW},
    {"ioctl", 1, IF_EQUAL, 0, FIONREAD, SCMP_ACT_ALLOW},
    {"ioctl", 1, IF_EQUAL, 0, FIONBIO, SCMP_ACT_ALLOW},
    {"ioctl", 1, IF_EQUAL, 0, FIOCLEX, SCMP_ACT_ALLOW},
    {"ioctl", 1, IF_EQUAL, 0, FIONCLEX, SCMP_ACT_ALLOW},
    {"socket", 0, IF_MASKED_EQUAL, 0, 0, REFUSE}, /* whatever the family */
    {"open", 1, IF_MASKED_EQUAL, WRITING, O_RDONLY, SCMP_ACT_ALLOW},
    {"open", 1, IF_MASKED_EQUAL, O_WRONLY, O_WRONLY, DENY},
    {"open", 1, IF_MASKED_EQUAL, O_RDWR, O_RDWR, DENY},
    {"openat", 2, IF_MASKED_EQUAL, WRITING, O_RDONLY, SCMP_ACT_ALLOW},
    {"openat", 2, IF_MASKED_EQUAL, O_WRONLY, O_WRONLY, DENY},
    {"openat", 2, IF_MASKED_EQUAL, O_RDWR, O_RDWR, DENY},
};

static const ArgumentRule cuda_device_rules[] = {
    {"socket", 0, IF_EQUAL, 0, AF_UNIX, SCMP_ACT_ALLOW},
    {"socket", 0, IF_NOT_EQUAL, 0, AF_UNIX, REFUSE},
};

static bool names_one(const char *const *names, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static int add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t count,
                     bool cuda) {
    for (size_t i = 0; i < count; i++) {
        if (cuda && action != SCMP_ACT_ALLOW &&
            (names_one(allowed_for_cuda, COUNT_OF(allowed_for_cuda), names[i]) ||
             names_one(missing_for_cuda, COUNT_OF(missing_for_cuda), names[i])))
            continue;
        int call = seccomp_syscall_resolve_name(names[i]);
        int problem = call < 0 ? 0 : seccomp_rule_add_array(filter, action, call, 0, NULL);
        if (problem < 0)
            return problem;
    }
    return 0;
}

static int add_rules(scmp_filter_ctx filter, const ArgumentRule *rules, size_t count, pid_t pid) {
    for (size_t i = 0; i < count; i++) {
        const ArgumentRule *rule = &rules[i];
        int call = seccomp_syscall_resolve_name(rule->name);
        uint64_t value = rule->value == OWN_ID ? (uint64_t)pid : rule->value;
        struct scmp_arg_cmp test =
            rule->test == IF_MASKED_EQUAL ? SCMP_CMP64(rule->argument, SCMP_CMP_MASKED_EQ, rule->mask, value)
            : rule->test == IF_EQUAL      ? SCMP_CMP64(rule->argument, SCMP_CMP_EQ, value, 0)
                                          : SCMP_CMP64(rule->argument, SCMP_CMP_NE, value, 0);
        int problem = call < 0 ? 0 : seccomp_rule_add_array(filter, rule->action, call, 1, &test);
        if (problem < 0)
            return problem;
    }
    return 0;
}

static int fill(scmp_filter_ctx filter, pid_t pid, bool cuda) {
    int problem = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (problem == 0)
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree; older libraries make a list */
    if (problem == 0)
        problem = add_names(filter, SCMP_ACT_ALLOW, allowed, COUNT_OF(allowed), cuda);
    if (problem == 0)
        problem = add_names(filter, REFUSE, refused, COUNT_OF(refused), cuda);
    if (problem == 0)
        problem = add_names(filter, SCMP_ACT_KILL_PROCESS, fatal, COUNT_OF(fatal), cuda);
    if (problem == 0 && cuda)
        problem = add_names(filter, SCMP_ACT_ALLOW, allowed_for_cuda, COUNT_OF(allowed_for_cuda), cuda);
    if (problem == 0 && cuda)
        problem =
            add_names(filter, SCMP_ACT_ERRNO(ENOENT), missing_for_cuda, COUNT_OF(missing_for_cuda), false);
    if (problem == 0)
        problem = add_rules(filter, argument_rules, COUNT_OF(argument_rules), pid);
    if (problem == 0)
        problem = cuda ? add_rules(filter, cuda_device_rules, COUNT_OF(cuda_device_rules), pid)
                       : add_rules(filter, device_rules, COUNT_OF(device_rules), pid);
    return problem;
}

/* libseccomp asks the kernel what it can do at first use, and keeps that in variables of its own; afterwards
 * it may be used by several threads, each with its own filter. */
static pthread_once_t asked_kernel = PTHREAD_ONCE_INIT;

static void ask_kernel(void) {
    seccomp_api_get();
}

static int build_program(pid_t pid, bool cuda, int file) {
    pthread_once(&asked_kernel, ask_kernel);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int problem = filter == NULL ? -ENOMEM : fill(filter, pid, cuda);
    if (problem == 0)
        problem = seccomp_export_bpf(filter, file);
    if (filter != NULL)
        seccomp_release(filter);
    return problem;
}

/* ---- One program for all cells ------------------------------------------------------------------
 * The programs differ in the cell's process id alone, and building one takes milliseconds. So one is built
 * for an id that no process has, and that id replaced; if the first cell's program, built for itself, is what
 * comes out. */

enum { NO_PROCESS = 0x5eedf00d, MOST_INSTRUCTIONS = 4096 };

typedef struct Template {
    bool tried;
    struct sock_filter code[MOST_INSTRUCTIONS];
    size_t count; /* 0: each program is built for itself */
} Template;

static pthread_mutex_t template_lock = PTHREAD_MUTEX_INITIALIZER; /* of both templates */
static Template templates[2];                                     /* by `cuda` */

static size_t read_program(int file, struct sock_filter *code) {
    const ssize_t size = pread(file, code, MOST_INSTRUCTIONS * sizeof *code, 0);
    return size <= 0 || (size_t)size == MOST_INSTRUCTIONS * sizeof *code ? 0 : (size_t)size / sizeof *code;
}

static void set_process(struct sock_filter *code, size_t count, pid_t pid) {
    for (size_t i = 0; i < count; i++)
        if (BPF_CLASS(code[i].code) == BPF_JMP && code[i].k == NO_PROCESS)
            code[i].k = (uint32_t)pid;
}

/* `program` was built for `pid`. */
static void make_template(Arena *arena, Template *template, pid_t pid, bool cuda, int program) {
    MemoryFile *file;
    Error ignored; /* then each is built for itself */
    template->tried = true;
    if (memory_file_new(arena, "seccomp", &file, &ignored) != STATUS_OK)
        return;
    struct sock_filter *built = ARENA_ARRAY(arena, struct sock_filter, MOST_INSTRUCTIONS),
                       *changed = ARENA_ARRAY(arena, struct sock_filter, MOST_INSTRUCTIONS);
    const size_t count = read_program(program, built);
    if (count > 0 && build_program(NO_PROCESS, cuda, file->fd) == 0 &&
        read_program(file->fd, template->code) == count) {
        memcpy(changed, template->code, count * sizeof *changed);
        set_process(changed, count, pid);
        if (memcmp(changed, built, count * sizeof *changed) == 0)
            template->count = count;
    }
    memory_file_close(file);
}

/* False: there is no template. */
static bool write_from_template(Arena *arena, pid_t pid, bool cuda, int file, int *problem) {
    pthread_mutex_lock(&template_lock);
    const size_t count = templates[cuda].count, size = count * sizeof(struct sock_filter);
    pthread_mutex_unlock(&template_lock);
    if (count == 0)
        return false;
    struct sock_filter *code = ARENA_ARRAY(arena, struct sock_filter, count);
    memcpy(code, templates[cuda].code, size); /* which does not change any more */
    set_process(code, count, pid);
    const ssize_t written = write(file, code, size);
    *problem = written == (ssize_t)size ? 0 : written < 0 ? -errno : -EIO;
    return true;
}

Status seccomp_program(Arena *arena, pid_t pid, bool cuda, MemoryFile **program, Error *error) {
    int problem;
    if (memory_file_new(arena, "seccomp", program, error) != STATUS_OK)
        return STATUS_ERROR;
    if (!write_from_template(arena, pid, cuda, (*program)->fd, &problem)) {
        problem = build_program(pid, cuda, (*program)->fd);
        pthread_mutex_lock(&template_lock);
        if (problem == 0 && !templates[cuda].tried)
            make_template(arena, &templates[cuda], pid, cuda, (*program)->fd);
        pthread_mutex_unlock(&template_lock);
    }
    if (problem < 0) {
        memory_file_close(*program);
        return error_set(error, "sandbox", "", "the seccomp filter cannot be made: %s", strerror(-problem));
    }
    return memory_file_seal(*program, error);
}

void seccomp_prepare(Arena *arena) {
    MemoryFile *program;
    Error ignored; /* the first cell says it */
    if (seccomp_program(arena, getpid(), false, &program, &ignored) == STATUS_OK)
        memory_file_close(program);
}

bool sandbox_read(Arena *arena, const json_t *layers, bool cuda, SandboxReport *report) {
    *report = (SandboxReport){0};
    if (!json_is_object(layers))
        return false;
    for (size_t i = 0; i < SANDBOX_LAYER_COUNT; i++) {
        const json_t *text = json_object_get(layers, layer_names[i]);
        if (text != NULL && !json_is_string(text))
            return false;
        const char *said = text == NULL ? "off" : json_string_value(text);
        size_t length = strnlen(said, 200);
        report->layers[i].on = length == 2 ? text_starts(said, "on") : text_starts(said, "on,");
        report->layers[i].text = text_printable(arena, said, length);
    }
    if (cuda && report->layers[LAYER_SECCOMP].on)
        report->layers[LAYER_SECCOMP].text =
            report->layers[LAYER_LANDLOCK].on
                ? "on, relaxed for CUDA: any ioctl, and Landlock alone says what may be opened for writing"
                : "on, relaxed for CUDA: any ioctl, and any file may be opened for writing";
    if (cuda && report->layers[LAYER_LIMITS].on)
        report->layers[LAYER_LIMITS].text = "on, relaxed for CUDA: no limit of address space";
    return true;
}

void sandbox_weaken(SandboxReport *weakest, const SandboxReport *report) {
    for (size_t i = 0; i < SANDBOX_LAYER_COUNT; i++)
        if (weakest->layers[i].text == NULL || (weakest->layers[i].on && !report->layers[i].on))
            weakest->layers[i] = report->layers[i];
}

SandboxLayer sandbox_missing(const SandboxReport *report) {
    static const SandboxLayer needed[] = {LAYER_SECCOMP, LAYER_LANDLOCK, LAYER_LIMITS};
    for (size_t i = 0; i < COUNT_OF(needed); i++)
        if (!report->layers[needed[i]].on)
            return needed[i];
    return SANDBOX_LAYER_COUNT;
}

json_t *sandbox_to_json(const SandboxReport *report) {
    json_t *object = json_object();
    for (size_t i = 0; i < SANDBOX_LAYER_COUNT; i++)
        json_object_set_new(object, layer_names[i],
                            report->layers[i].text == NULL ? json_null()
                                                           : json_string(report->layers[i].text));
    return object;
}
