/* Hostile programs in real cells: each must end with the right outcome and message, and leave nothing behind.
 * They run with no check of policy before, as under --skip-anticheat. Once for each Python with torch. */
#include "probe.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SKIPPED = 77, MOST_CASES = 128 };

static const char secret[] = "THE_ORIGINAL_IS_SECRET = 41\n";

/* One program: `body` is what its forward does before it returns its argument, 3. The text FOLDER in it
 * stands for the folder of the test, in which there is original.py. */
typedef struct Case {
    const char *name, *body;
    CellOutcome outcome;
    const char *message; /* part of the report's message; NULL: none is looked for */
    const char *output;  /* DONE: the JSON of what forward gave; NULL: 3 */
    double timeout;      /* 0: 20 s */
    uint64_t memory;     /* 0: 4 GiB */
    uint64_t file_size;  /* 0: 64 MiB */
    int signal;          /* KILLED */
    bool out_of_memory;
    bool damages_outputs; /* its memory file must be refused */
    const char *log;      /* part of its log */
} Case;

/* The cell's end of the channel to plumbline: what a hostile program finds by trying descriptors. */
#define FIND_SOCKET                                                                                          \
    "        import os, stat, struct\n"                                                                      \
    "        def kind(fd):\n"                                                                                \
    "            try: return os.fstat(fd).st_mode\n"                                                         \
    "            except OSError: return 0\n"                                                                 \
    "        channel = [fd for fd in range(3, 256) if stat.S_ISSOCK(kind(fd))][0]\n"                         \
    "        def frame(text): return struct.pack('<I', len(text)) + text\n"

static const Case cases[] = {
    {.name = "an honest program", .body = "        pass\n", .outcome = CELL_DONE},
    {.name = "loops for ever",
     .body = "        while True: pass\n",
     .timeout = 1,
     .outcome = CELL_TIMED_OUT,
     .message = "did not end within 1 s"},
    {.name = "waits in C for ever",
     .body = "        import ctypes; ctypes.PyDLL(None).pause()\n",
     .timeout = 1,
     .outcome = CELL_TIMED_OUT},
    {.name = "ignores every signal and loops",
     .body = "        import signal\n"
             "        for number in range(1, 32):\n"
             "            if number not in (9, 19): signal.signal(number, signal.SIG_IGN)\n"
             "        while True: pass\n",
     .timeout = 1,
     .outcome = CELL_TIMED_OUT},
    {.name = "stops itself",
     .body = "        import os, signal; os.kill(os.getpid(), signal.SIGSTOP)\n",
     .timeout = 1,
     .outcome = CELL_TIMED_OUT},
    {.name = "allocates without end, in Python",
     .body = "        kept = []\n"
             "        while True: kept.append(bytearray(1 << 24))\n",
     .memory = 512 << 20,
     .outcome = CELL_FAILED,
     .message = "MemoryError",
     .out_of_memory = true},
    {.name = "allocates without end, in torch",
     .body = "        kept = []\n"
             "        while True: kept.append(torch.ones(1 << 22))\n",
     .memory = 512 << 20,
     .outcome = CELL_FAILED,
     .message = "memory",
     .out_of_memory = true},
    {.name = "starts threads without end",
     .body = "        import threading, time\n"
             "        while True: threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n",
     .memory = 512 << 20,
     .outcome = CELL_FAILED,
     .message = "can't start new thread"},
    {.name = "recurses without end",
     .body = "        def again(): return again()\n"
             "        again()\n",
     .outcome = CELL_FAILED,
     .message = "RecursionError"},
    {.name = "forks without end",
     .body = "        import os\n"
             "        while True: os.fork()\n",
     .outcome = CELL_FAILED,
     .message = "not permitted"},
    {.name = "forks by the bare system call",
     .body = "        import ctypes, os\n"
             "        libc = ctypes.CDLL(None, use_errno=True)\n"
             "        if libc.syscall(57) < 0 and libc.syscall(58) < 0 and libc.syscall(56, 17, 0, 0, 0, 0) "
             "< 0:\n"
             "            raise RuntimeError('no fork')\n",
     .outcome = CELL_FAILED,
     .message = "no fork"},
    {.name = "runs a program",
     .body = "        import subprocess; subprocess.run(['/bin/true'])\n",
     .outcome = CELL_FAILED},
    {.name = "becomes another program",
     .body = "        import os; os.execv('/bin/true', ['true'])\n",
     .outcome = CELL_FAILED,
     .message = "not permitted"},
    {.name = "opens a socket",
     .body = "        import socket; socket.create_connection(('127.0.0.1', 9))\n",
     .outcome = CELL_FAILED,
     .message = "not permitted"},
    {.name = "opens a Unix socket",
     .body = "        import socket; socket.socket(socket.AF_UNIX)\n",
     .outcome = CELL_FAILED,
     .message = "not permitted"},
    {.name = "writes a file in its folder",
     .body = "        open('FOLDER/left.txt', 'w').write('x')\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "writes a temporary file",
     .body = "        import tempfile; tempfile.NamedTemporaryFile(dir='FOLDER', delete=False)\n",
     .outcome = CELL_FAILED},
    {.name = "writes shared memory",
     .body = "        open('/dev/shm/plumbline-left', 'w')\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "removes a file",
     .body = "        import os; os.remove('FOLDER/original.py')\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "renames a file",
     .body = "        import os; os.rename('FOLDER/original.py', 'FOLDER/other.py')\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "truncates a file",
     .body = "        import os; os.truncate('FOLDER/original.py', 0)\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "makes a folder",
     .body = "        import os; os.mkdir('FOLDER/left')\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "reads the original",
     .body = "        return open('FOLDER/original.py').read()\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "lists the original's folder",
     .body = "        import os; return os.listdir('FOLDER')\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "reads its parent's memory",
     .body = "        import os; open('/proc/%d/mem' % os.getppid(), 'rb')\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "reads its parent's environment",
     .body = "        import os; return open('/proc/%d/environ' % os.getppid()).read()\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "looks at the environment",
     .body = "        import os; return [os.environ.get(name) for name in ('PLUMBLINE_TEST_SECRET', "
             "'PYTHONPATH')]\n",
     .outcome = CELL_DONE,
     .output = "{\"l\":[null,null]}"},
    {.name = "counts its descriptors",
     .body = "        import os\n"
             "        def is_open(fd):\n"
             "            try: os.fstat(fd); return True\n"
             "            except OSError: return False\n"
             "        return sum(is_open(fd) for fd in range(256)) <= 3 + 1 + 3\n",
     .outcome = CELL_DONE,
     .output = "true"},
    {.name = "kills its parent",
     .body = "        import os; os.kill(os.getppid(), 9)\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "kills everybody",
     .body = "        import os; os.kill(-1, 9)\n",
     .outcome = CELL_FAILED,
     .message = "PermissionError"},
    {.name = "kills its parent by thread",
     .body = "        import ctypes, os\n"
             "        raise RuntimeError(ctypes.CDLL(None).syscall(234, os.getppid(), os.getppid(), 9))\n",
     .outcome = CELL_FAILED,
     .message = "RuntimeError: -1"},
    {.name = "traces its parent",
     .body = "        import ctypes, os; ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0)\n",
     .outcome = CELL_KILLED,
     .signal = SIGSYS,
     .message = "stopped by the sandbox"},
    {.name = "raises its own limits",
     .body = "        import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))\n",
     .outcome = CELL_FAILED},
    {.name = "makes memory that no limit counts",
     .body = "        import os; os.memfd_create('left')\n",
     .outcome = CELL_FAILED,
     .message = "not permitted"},
    {.name = "exits with status 0",
     .body = "        import sys; sys.exit(0)\n",
     .outcome = CELL_FAILED,
     .message = "SystemExit"},
    {.name = "ends the process with status 0",
     .body = "        import os; os._exit(0)\n",
     .outcome = CELL_EXITED,
     .message = "exit status 0"},
    {.name = "ends the process when it is loaded",
     .body = "        pass\nimport os\nos._exit(0)\n",
     .outcome = CELL_EXITED,
     .message = "exit status 0"},
    {.name = "crashes",
     .body = "        import ctypes; ctypes.string_at(0)\n",
     .outcome = CELL_KILLED,
     .signal = SIGSEGV,
     .message = "segmentation fault"},
    {.name = "aborts",
     .body = "        import os; os.abort()\n",
     .outcome = CELL_KILLED,
     .signal = SIGABRT,
     .message = "aborted"},
    {.name = "kills itself",
     .body = "        import os; os.kill(os.getpid(), 9)\n",
     .outcome = CELL_KILLED,
     .signal = SIGKILL,
     .out_of_memory = true},
    {.name = "raises",
     .body = "        raise ValueError('wrong shape')\n",
     .outcome = CELL_FAILED,
     .message = "raised ValueError: wrong shape"},
    {.name = "raises what can't be shown",
     .body = "        class Odd(Exception):\n"
             "            def __str__(self): raise RuntimeError\n"
             "        raise Odd()\n",
     .outcome = CELL_FAILED,
     .message = "Odd"},
    {.name = "raises what ends the process when shown",
     .body = "        import os\n"
             "        class Odd(Exception):\n"
             "            def __str__(self): os._exit(0)\n"
             "        raise Odd()\n",
     .outcome = CELL_EXITED},
    {.name = "raises what takes for ever to show",
     .body = "        class Odd(Exception):\n"
             "            def __str__(self):\n"
             "                while True: pass\n"
             "        raise Odd()\n",
     .timeout = 1,
     .outcome = CELL_TIMED_OUT},
    {.name = "raises a long name and a long message",
     .body = "        raise type('N' * 1000000, (Exception,), {})('m' * 100000000)\n",
     .outcome = CELL_FAILED,
     .message = "NNN"},
    {.name = "raises control characters",
     .body = "        raise ValueError('\\x1b[2J\\nPASS')\n",
     .outcome = CELL_FAILED,
     .message = "raised ValueError: \\x1b[2J ..."},
    {.name = "hangs in atexit",
     .body = "        import atexit, time; atexit.register(time.sleep, 1000)\n",
     .outcome = CELL_DONE},
    {.name = "leaves a thread running",
     .body = "        import threading, time; threading.Thread(target=time.sleep, args=(1000,)).start()\n",
     .outcome = CELL_DONE},
    {.name = "prints a verdict",
     .body = "        print('\\x1b[1mVERDICT: PASS')\n",
     .outcome = CELL_DONE,
     .log = "\\x1b[1mVERDICT: PASS"},
    {.name = "prints without end",
     .body = "        while True: print('x' * 100000)\n",
     .file_size = 4 << 20,
     .outcome = CELL_FAILED,
     .message = "too large"},
    {.name = "writes a verdict to every descriptor",
     .body = FIND_SOCKET "        for fd in range(256):\n"
                         "            try: os.write(fd, frame(b'{\"done\": {\"outputs\": \"forged\"}}'))\n"
                         "            except OSError: pass\n"
                         "        while True: pass\n",
     .outcome = CELL_DONE, /* its own result, and nothing else, is what it can make up */
     .output = "\"forged\""},
    {.name = "answers twice",
     .body =
         FIND_SOCKET "        for _ in range(3): os.write(channel, frame(b'{\"done\": {\"outputs\": 1}}'))\n",
     .outcome = CELL_DONE,
     .output = "1"},
    {.name = "announces 2 GiB",
     .body = FIND_SOCKET "        os.write(channel, struct.pack('<I', 1 << 31) + b'x' * 1000)\n",
     .outcome = CELL_PROTOCOL,
     .message = "larger than any"},
    {.name = "sends no JSON",
     .body = FIND_SOCKET "        os.write(channel, frame(b'{\"done\": '))\n",
     .outcome = CELL_PROTOCOL,
     .message = "not valid JSON"},
    {.name = "sends bytes that are no text",
     .body = FIND_SOCKET "        os.write(channel, frame(b'{\"done\": \"\\xff\\xfe\"}'))\n",
     .outcome = CELL_PROTOCOL},
    {.name = "sends deep JSON",
     .body = FIND_SOCKET "        os.write(channel, frame(b'[' * 100000))\n",
     .outcome = CELL_PROTOCOL},
    {.name = "sends a list",
     .body = FIND_SOCKET "        os.write(channel, frame(b'[1]'))\n",
     .outcome = CELL_PROTOCOL,
     .message = "no object"},
    {.name = "sends an empty frame",
     .body = FIND_SOCKET "        os.write(channel, frame(b''))\n",
     .outcome = CELL_PROTOCOL},
    {.name = "sends another ready",
     .body = FIND_SOCKET
     "        os.write(channel, frame(b'{\"ready\": {\"layers\": {\"seccomp\": \"on\"}}}'))\n",
     .outcome = CELL_PROTOCOL},
    {.name = "sends a failure of odd types",
     .body =
         FIND_SOCKET "        os.write(channel, frame(b'{\"failed\": {\"stage\": 1, \"frames\": {}}}'))\n",
     .outcome = CELL_PROTOCOL},
    {.name = "sends a failure of no stage",
     .body = FIND_SOCKET
     "        os.write(channel, frame(b'{\"failed\": {\"stage\": \"won\", \"type\": \"E\", \"message\": "
     "\"\", \"frames\": []}}'))\n",
     .outcome = CELL_PROTOCOL},
    {.name = "sends half a frame and ends",
     .body = FIND_SOCKET "        os.write(channel, frame(b'x' * 100)[:50]); os._exit(3)\n",
     .outcome = CELL_EXITED,
     .message = "exit status 3"},
    {.name = "sends half a frame and waits",
     .body = FIND_SOCKET "        os.write(channel, frame(b'x' * 100)[:50])\n"
                         "        while True: pass\n",
     .timeout = 1,
     .outcome = CELL_TIMED_OUT},
    {.name = "closes the channel and goes on",
     .body = FIND_SOCKET "        os.close(channel)\n"
                         "        while True: pass\n",
     .outcome = CELL_PROTOCOL,
     .message = "went on running"},
    {.name = "closes every descriptor",
     .body = "        import os; os.closerange(0, 256)\n",
     .outcome = CELL_EXITED},
    {.name = "sends its descriptors to plumbline",
     .body = FIND_SOCKET
     "        import array, ctypes, socket\n"
     "        ends = socket.socket(fileno=os.dup(channel))\n"
     "        ends.sendmsg([frame(b'{\"done\": {\"outputs\": 2}}')],\n"
     "                     [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0, 1, channel]))])\n",
     .outcome = CELL_DONE,
     .output = "2"},
    {.name = "seals its outputs against sealing",
     .body = FIND_SOCKET "        import fcntl\n"
                         "        for fd in range(3, 256):\n"
                         "            try: fcntl.fcntl(fd, 1033, 1)\n"
                         "            except OSError: pass\n"
                         "        os.write(channel, frame(b'{\"done\": {\"outputs\": 3}}'))\n",
     .outcome = CELL_DONE,
     .damages_outputs = true},
    {.name = "keeps its outputs mapped for writing",
     .body = "        import mmap, os, stat\n"
             "        kept = []\n"
             "        for fd in range(3, 256):\n"
             "            try:\n"
             "                if stat.S_ISREG(os.fstat(fd).st_mode):\n"
             "                    os.ftruncate(fd, 4096); kept.append(mmap.mmap(fd, 4096))\n"
             "            except (OSError, ValueError): pass\n"
             "        self.kept = kept\n",
     .outcome = CELL_FAILED},
    {.name = "grows its outputs without end",
     .body = "        import os, stat\n"
             "        for fd in range(3, 256):\n"
             "            try: is_file = stat.S_ISREG(os.fstat(fd).st_mode)\n"
             "            except OSError: continue\n"
             "            if is_file:\n"
             "                try: os.ftruncate(fd, 1 << 40); return 'grown'\n"
             "                except OSError as cause: last = cause\n"
             "        raise last\n",
     .outcome = CELL_FAILED},
};

/* ---- One probe for all the cases of one interpreter ----------------------------------------- */
typedef struct Bench {
    Arena *arena;
    Probe *probe;
    char folder[64];
} Bench;

static Bench bench; /* the cases of one interpreter after the other */
static const char *interpreter;

static char *replaced(Arena *arena, const char *text, const char *from, const char *to) {
    Text out = text_new(arena);
    for (const char *at; (at = strstr(text, from)) != NULL; text = at + strlen(from)) {
        text_add_bytes(&out, text, (size_t)(at - text));
        text_add(&out, to);
    }
    text_add(&out, text);
    return out.data;
}

static int start_bench(void **state) {
    (void)state;
    bench.arena = arena_new();
    Error error;
    strcpy(bench.folder, "/tmp/plumbline-test-XXXXXX");
    assert_non_null(mkdtemp(bench.folder));
    char *original = path_join(bench.arena, bench.folder, "original.py");
    assert_int_equal(file_write(original, (Bytes){(const uint8_t *)secret, strlen(secret)}, &error),
                     STATUS_OK);
    setenv("PLUMBLINE_TEST_SECRET", "42", 1);
    ProbeOptions options = {.interpreter = interpreter, .needs_torch = true};
    if (probe_start(bench.arena, &options, &bench.probe, &error) != STATUS_OK) {
        print_error("%s\n", error_line(bench.arena, &error));
        return -1;
    }
    return 0;
}

/* The fields of /proc/PID/stat that tell who belongs to whom; false if it is gone or no process. */
static bool process_facts(const char *name, int *pid, int *parent, int *session) {
    char path[300], line[512], process_state;
    snprintf(path, sizeof path, "/proc/%s/stat", name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t size = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[size] = '\0';
    const char *rest = strrchr(line, ')'); /* the name of the program may hold anything */
    int group;
    *pid = atoi(name);
    return rest != NULL && sscanf(rest + 1, " %c %d %d %d", &process_state, parent, &group, session) == 4;
}

/* How many processes there are below this one, or in a session of its children. */
static int count_descendants(void) {
    int children[64], child_count = 0, count = 0;
    for (int round = 0; round < 2; round++) {
        DIR *folder = opendir("/proc");
        assert_non_null(folder);
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            int pid, parent, session;
            if (atoi(entry->d_name) <= 0 || !process_facts(entry->d_name, &pid, &parent, &session))
                continue;
            if (round == 0 && parent == getpid() && child_count < 64)
                children[child_count++] = pid;
            for (int i = 0; round == 1 && i < child_count; i++)
                if (pid == children[i] || parent == children[i] || session == children[i]) {
                    count++;
                    break;
                }
        }
        closedir(folder);
    }
    return count;
}

/* The first process whose parent is `parent`, or 0. */
static int only_child(int parent) {
    DIR *folder = opendir("/proc");
    assert_non_null(folder);
    int found = 0;
    for (struct dirent *entry; found == 0 && (entry = readdir(folder)) != NULL;) {
        int pid, its_parent, session;
        if (atoi(entry->d_name) > 0 && process_facts(entry->d_name, &pid, &its_parent, &session) &&
            its_parent == parent)
            found = pid;
    }
    closedir(folder);
    return found;
}

/* Whether a process is there and not a zombie. */
static bool runs(int pid) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t size = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[size] = '\0';
    const char *rest = strrchr(line, ')');
    return rest != NULL && rest[1] == ' ' && rest[2] != 'Z' && rest[2] != 'X';
}

static int count_files(const char *path) {
    DIR *folder = opendir(path);
    assert_non_null(folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static int count_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    int count = 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void assert_nothing_left(int descriptors) {
    assert_int_equal(count_descendants(), 1); /* the zygote */
    assert_int_equal(count_files(bench.folder), 1);
    assert_false(file_exists("/dev/shm/plumbline-left"));
    assert_int_equal(count_descriptors(), descriptors);
    Bytes bytes;
    Error error;
    Arena *arena = arena_new();
    assert_int_equal(file_read(arena, path_join(arena, bench.folder, "original.py"), 1 << 20, &bytes, &error),
                     STATUS_OK);
    assert_string_equal((const char *)bytes.data, secret);
    arena_free(arena);
}

static int stop_bench(void **state) {
    (void)state;
    probe_stop(bench.probe);
    bench.probe = NULL;
    assert_int_equal(count_descendants(), 0);
    unlink(path_join(bench.arena, bench.folder, "original.py"));
    int gone = rmdir(bench.folder);
    arena_free(bench.arena);
    return gone;
}

/* A candidate of one file, run with the argument 3. */
static json_t *work_for(const char *source) {
    json_t *file = json_pack("{s:s, s:s, s:s, s:i, s:i, s:[], s:[], s:[], s:[]}", "path",
                             "/nowhere/refactored.py", "name", "refactored.py", "part", "own", "at", 0,
                             "size", (int)strlen(source), "skip", "missing", "binds", "calls");
    json_t *program = json_pack("{s:s, s:i, s:[s], s:[o], s:[]}", "role", "candidate", "main", 0,
                                "class_names", "Model", "files", file, "search");
    return json_pack("{s:s, s:o, s:i, s:n, s:s, s:s, s:b, s:[], s:{s:[i]}, s:{s:[]}, s:[], s:b, s:b}", "kind",
                     "run", "program", program, "seed", 42, "init", "device", "cpu", "mode", "eval",
                     "initialise", 1, "weights", "args", "l", 3, "kwargs", "d", "tensors", "trace", 0,
                     "float64", 0);
}

static Cell *start_program(const Case *each, MemoryFile *files[2]) {
    Error error = {0};
    char *source = arena_printf(bench.arena,
                                "import torch\n"
                                "class Model(torch.nn.Module):\n"
                                "    def forward(self, x):\n%s%s",
                                replaced(bench.arena, each->body, "FOLDER", bench.folder),
                                strstr(each->body, "\nimport os\n") != NULL ? "" : "        return x\n");
    size_t offset;
    assert_int_equal(memory_file_new(bench.arena, "bundle", &files[0], &error), STATUS_OK);
    assert_int_equal(memory_file_new(bench.arena, "outputs", &files[1], &error), STATUS_OK);
    assert_int_equal(
        memory_file_append(files[0], (Bytes){(const uint8_t *)source, strlen(source)}, 1, &offset, &error),
        STATUS_OK);
    assert_int_equal(memory_file_seal(files[0], &error), STATUS_OK);
    json_t *work = work_for(source);
    assert_non_null(work);
    CellJob job = {.work = work,
                   .files = files,
                   .file_count = 2,
                   .timeout = each->timeout > 0 ? each->timeout : 20,
                   .memory = each->memory > 0 ? each->memory : (uint64_t)4 << 30,
                   .file_size = each->file_size > 0 ? each->file_size : 64 << 20,
                   .threads = 1};
    Cell *cell;
    if (cell_start(bench.probe, &job, &cell, &error) != STATUS_OK)
        fail_msg("%s", error_line(bench.arena, &error));
    json_decref(work);
    return cell;
}

static void check_report(const Case *each, const CellReport *report) {
    const char *message = report->message == NULL ? "" : report->message;
    if (report->outcome != each->outcome)
        fail_msg("outcome %d, message \"%s\", log \"%s\"", report->outcome, message, report->log);
    if (each->message != NULL && strstr(message, each->message) == NULL)
        fail_msg("message \"%s\", log \"%s\"", message, report->log);
    assert_true(strlen(message) < 10000);
    if (each->outcome == CELL_KILLED)
        assert_int_equal(report->signal, each->signal);
    if (each->log != NULL && strstr(report->log, each->log) == NULL)
        fail_msg("log \"%s\"", report->log);
    if (each->outcome == CELL_DONE && !each->damages_outputs) {
        char *output = json_dumps(json_object_get(report->done, "outputs"), JSON_COMPACT | JSON_ENCODE_ANY);
        assert_non_null(output);
        assert_string_equal(output, each->output == NULL ? "3" : each->output);
        free(output);
    }
    assert_int_equal(report->out_of_memory, each->out_of_memory);
    assert_true(report->wall_seconds < 15);
    for (size_t i = 0; i < SANDBOX_LAYER_COUNT; i++)
        if (report->outcome != CELL_DONE && !report->sandbox.layers[i].on)
            print_message("          %s: %s\n", sandbox_layer_name((SandboxLayer)i),
                          report->sandbox.layers[i].text);
}

static void run_case(void **state) {
    const Case *each = *state;
    MemoryFile *files[2];
    Error error = {0};
    const CellReport *report;
    int descriptors = count_descriptors();
    Cell *cell = start_program(each, files);
    if (cell_wait(cell, &report, &error) != STATUS_OK)
        fail_msg("%s", error_line(bench.arena, &error));
    check_report(each, report);
    Bytes outputs;
    Status mapped = memory_file_map(files[1], &outputs, &error);
    assert_int_equal(mapped, each->damages_outputs ? STATUS_ERROR : STATUS_OK);
    for (size_t i = 0; i < outputs.size && mapped == STATUS_OK && i < 1 << 20; i += 4096)
        (void)*(volatile const uint8_t *)(outputs.data + i);
    memory_file_close(files[0]);
    memory_file_close(files[1]);
    cell_free(cell);
    assert_nothing_left(descriptors);
}

/* Several at once, of which one loops: each has its own end, and the quick ones are not held up. */
static void run_together(void **state) {
    (void)state;
    static const Case together[] = {
        {.body = "        while True: pass\n", .timeout = 2, .outcome = CELL_TIMED_OUT},
        {.body = "        pass\n", .outcome = CELL_DONE},
        {.body = "        import os; os._exit(4)\n", .outcome = CELL_EXITED},
        {.body = "        raise ValueError('mine')\n", .outcome = CELL_FAILED, .message = "mine"},
    };
    MemoryFile *files[COUNT_OF(together)][2];
    Cell *cells[COUNT_OF(together)];
    const Case *of[COUNT_OF(together)];
    Error error = {0};
    int descriptors = count_descriptors();
    for (size_t i = 0; i < COUNT_OF(together); i++) {
        cells[i] = start_program(&together[i], files[i]);
        of[i] = &together[i];
    }
    for (size_t left = COUNT_OF(together); left > 0; left--) {
        size_t index;
        if (cells_wait_any(cells, left, &index, &error) != STATUS_OK)
            fail_msg("%s", error_line(bench.arena, &error));
        check_report(of[index], cell_report(cells[index]));
        assert_int_equal(left == 1, of[index]->outcome == CELL_TIMED_OUT);
        cell_free(cells[index]);
        cells[index] = cells[left - 1];
        of[index] = of[left - 1];
    }
    for (size_t i = 0; i < COUNT_OF(together); i++)
        for (size_t j = 0; j < 2; j++)
            memory_file_close(files[i][j]);
    assert_nothing_left(descriptors);
}

/* A probe that is stopped while a cell runs takes it along. */
static void stop_while_running(void **state) {
    (void)state;
    MemoryFile *files[2];
    Case endless = {.body = "        while True: pass\n"};
    int descriptors = count_descriptors();
    Cell *cell = start_program(&endless, files);
    assert_null(cell_report(cell));
    assert_int_equal(count_descendants(), 2);
    cell_free(cell);
    memory_file_close(files[0]);
    memory_file_close(files[1]);
    assert_nothing_left(descriptors);
}

/* A plumbline that is killed takes its zygote and its cells along. */
static void killed_while_running(void **state) {
    (void)state;
    int pipes[2], before = count_descendants();
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setsid();
        Error error;
        ProbeOptions options = {.interpreter = interpreter, .needs_torch = true};
        MemoryFile *files[2];
        Case endless = {.body = "        while True: pass\n"};
        if (probe_start(bench.arena, &options, &bench.probe, &error) != STATUS_OK)
            _exit(1);
        start_program(&endless, files);
        if (write(pipes[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char byte;
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    close(pipes[0]);
    int zygote = only_child(child), cell = only_child(zygote);
    assert_true(zygote > 0 && cell > 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (int wait = 0; wait < 200 && (runs(zygote) || runs(cell)); wait++)
        usleep(20000);
    assert_false(runs(zygote) || runs(cell));
    assert_int_equal(count_descendants(), before);
}

static int run_interpreter(const Interpreter *found) {
    struct CMUnitTest tests[MOST_CASES] = {0};
    size_t count = 0;
    for (; count < COUNT_OF(cases); count++)
        tests[count] = (struct CMUnitTest){.name = cases[count].name,
                                           .test_func = run_case,
                                           .initial_state = (void *)(uintptr_t)&cases[count]};
    tests[count++] = (struct CMUnitTest){.name = "several at once", .test_func = run_together};
    tests[count++] = (struct CMUnitTest){.name = "stopped while it runs", .test_func = stop_while_running};
    tests[count++] = (struct CMUnitTest){.name = "killed while it runs", .test_func = killed_while_running};
    interpreter = found->path;
    return _cmocka_run_group_tests(found->path, tests, count, start_bench, stop_bench);
}

/* Interpreters: $PLUMBLINE_TEST_PYTHONS, separated by colons, or what a user would be given. */
int main(void) {
    Arena *arena = arena_new();
    Interpreters all = {0};
    const char *named = getenv("PLUMBLINE_TEST_PYTHONS");
    for (const char *at = named; at != NULL;) {
        const char *colon = strchr(at, ':');
        char *path = colon == NULL ? arena_strdup(arena, at) : arena_strndup(arena, at, (size_t)(colon - at));
        Interpreters one = interpreters_try(arena, path, true);
        *(Interpreter *)ARENA_PUSH(arena, &all) = one.items[0];
        at = colon == NULL ? NULL : colon + 1;
    }
    if (named == NULL)
        all = interpreters_try(arena, NULL, true);
    int failures = 0, tried = 0;
    for (size_t i = 0; i < all.count; i++) {
        if (all.items[i].problem == NULL) {
            failures += run_interpreter(&all.items[i]);
            tried++;
        } else {
            printf("skipped: %s (%s) %s\n", all.items[i].path, all.items[i].from, all.items[i].problem);
        }
    }
    arena_free(arena);
    if (tried == 0)
        printf("skipped: no Python with torch; set PLUMBLINE_TEST_PYTHONS\n");
    return tried == 0 ? SKIPPED : failures > 0;
}
