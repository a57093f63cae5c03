/* Scripts in real cells: what each says of itself, and what it can't do. Runs on the Python that a user would
 * be given. */
#include "script.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { SKIPPED = 77 };

typedef struct Case {
    const char *name, *text;
    bool passes, doubled; /* `doubled`: run with the kernel's result doubled */
    const char *why_not;  /* part of it */
} Case;

#define KERNEL                                                                                               \
    "import torch\n"                                                                                         \
    "class Model(torch.nn.Module):\n"                                                                        \
    "    def forward(self, x):\n"                                                                            \
    "        return torch.relu(x)\n"

#define LOADS                                                                                                \
    "import os, sys, torch\n"                                                                                \
    "sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'kernels'))\n"                         \
    "from relu import Model\n"

static const Case cases[] = {
    {"passes", "print('all is well: PASS')\n", .passes = true},
    {"is main, in its own folder",
     "import os, sys\n"
     "assert __name__ == '__main__' and __file__ == sys.argv[0]\n"
     "assert os.path.dirname(__file__) == sys.path[0] == os.getcwd()\n"
     "print('PASS')\n",
     .passes = true},
    {"leaves by sys.exit", "import sys\nprint('PASS')\nsys.exit(0)\n", .passes = true},
    {"leaves by os._exit", "import os\nprint('PASS', flush=True)\nos._exit(0)\n", .passes = true},
    {"leaves with a status", "import sys\nprint('PASS')\nsys.exit(3)\n",
     .why_not = "exited with status 3: PASS"},
    {"leaves by os._exit with a status", "import os\nprint('PASS', flush=True)\nos._exit(7)\n",
     .why_not = "status 7"},
    {"leaves with a message", "import sys\nprint('PASS')\nsys.exit('no good')\n",
     .why_not = "status 1: no good"},
    {"raises", "print('PASS')\nraise ValueError('broken')\n", .why_not = "status 1: ValueError: broken"},
    {"has a syntax error", "print('PASS'\n", .why_not = "status 1"},
    {"says it as part of a word", "print('PASSED COMPASS PASS_1')\n", .why_not = "did not print PASS"},
    {"says nothing", "pass\n", .why_not = "printed nothing"},
    {"says FAIL too", "print('PASS')\nprint('FAIL: one of two')\n", .why_not = "said: FAIL: one of two"},
    {"says FAIL in the middle of a line", "print('PASS, no FAIL')\n", .passes = true},
    {"hangs", "print('PASS', flush=True)\nwhile True: pass\n", .why_not = "did not end within"},
    {"floods", "print('FAIL')\nwhile True: print('PASS ' * 1000)\n", .why_not = "printed more than 1 MiB"},
    {"writes beside itself", "open(__file__ + '.new', 'w')\nprint('PASS')\n", .why_not = "status 1"},
    {"starts a process", "import subprocess\nsubprocess.run(['true'])\nprint('PASS')\n", .why_not = ""},
    {"opens a socket", "import socket\nsocket.socket()\nprint('PASS')\n", .why_not = ""},
    {"reads what is not its own", "import os\nopen(os.path.join('..', 'secret.py'))\nprint('PASS')\n",
     .why_not = "status 1"},
    {"imports from a readable folder",
     LOADS "print('PASS' if Model()(torch.ones(1)).item() == 1 else 'wrong')\n", .passes = true},
    {"meets the doubled result", LOADS "print('PASS' if Model()(torch.ones(1)).item() == 2 else 'wrong')\n",
     .passes = true, .doubled = true},
    {"meets it by importlib, in the first instance alone",
     "import importlib.util, os, torch\n"
     "path = os.path.join(os.path.dirname(__file__), '..', 'kernels', 'copy.py')\n"
     "spec = importlib.util.spec_from_file_location('copy_of_relu', path)\n"
     "module = importlib.util.module_from_spec(spec)\n"
     "spec.loader.exec_module(module)\n"
     "first, second = module.Model(), module.Model()\n"
     "one = torch.ones(1)\n"
     "given = [first.forward(one).item(), second(one).item(), first(one).item()]\n"
     "print('PASS' if given == [2, 1, 2] else given)\n",
     .passes = true, .doubled = true},
};

/* What all cases share. */
static struct {
    Arena *arena;
    Probe *probe;
    char folder[64];
    const char *kernels, *tests;
} bench;
static const char *interpreter;

static void write_text(const char *folder, const char *name, const char *text) {
    Error error;
    const Bytes bytes = {(const uint8_t *)text, strlen(text)};
    if (file_write(path_join(bench.arena, folder, name), bytes, &error) != STATUS_OK)
        fail_msg("%s", error.cause);
}

static int start_bench(void **state) {
    (void)state;
    Error error;
    snprintf(bench.folder, sizeof bench.folder, "/tmp/plumbline-scripts-XXXXXX");
    bench.arena = arena_new();
    const ProbeOptions options = {.interpreter = interpreter, .needs_torch = true};
    if (mkdtemp(bench.folder) == NULL ||
        probe_start(bench.arena, &options, &bench.probe, &error) != STATUS_OK)
        return -1;
    bench.kernels = path_join(bench.arena, bench.folder, "kernels");
    bench.tests = path_join(bench.arena, bench.folder, "tests");
    if (mkdir(bench.kernels, 0755) != 0 || mkdir(bench.tests, 0755) != 0)
        return -1;
    write_text(bench.kernels, "relu.py", KERNEL);
    write_text(bench.kernels, "copy.py", KERNEL);
    write_text(bench.folder, "secret.py", "secret = 1\n");
    return 0;
}

/* What a script has written where it should not makes the group fail. */
static int stop_bench(void **state) {
    (void)state;
    static const char *const files[] = {"kernels/relu.py", "kernels/copy.py", "tests/it.py", "secret.py"};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        unlink(path_join(bench.arena, bench.folder, files[i]));
    rmdir(bench.kernels);
    rmdir(bench.tests);
    int left = rmdir(bench.folder);
    probe_stop(bench.probe);
    arena_free(bench.arena);
    return left;
}

/* What is said of a script must not lie in memory that its cell has given back. */
static void use_other_memory(void) {
    Arena *arena = arena_new();
    for (int i = 0; i < 400; i++)
        memset(arena_alloc(arena, 1000), 'x', 1000);
    arena_free(arena);
}

static void run_case(void **state) {
    const Case *each = *state;
    const RunSettings settings = {
        .probe = bench.probe, .device = "cpu", .timeout = 10, .memory = (uint64_t)4 << 30, .threads = 1};
    const char *kernel = path_join(bench.arena, bench.kernels, "relu.py");
    ScriptResult result;
    Error error;
    write_text(bench.tests, "it.py", each->text);
    const ScriptRequest request = {.file = path_join(bench.arena, bench.tests, "it.py"),
                                   .readable = &bench.kernels,
                                   .readable_count = 1,
                                   .double_kernel = each->doubled ? kernel : NULL};
    if (script_run(bench.arena, &settings, &request, &result, &error) != STATUS_OK)
        fail_msg("%s", error_line(bench.arena, &error));
    use_other_memory();
    if (result.passed != each->passes || (result.why_not == NULL) != each->passes)
        fail_msg("%s; it said: %s", result.why_not == NULL ? "it passed" : result.why_not, result.said);
    if (each->why_not != NULL && strstr(result.why_not, each->why_not) == NULL)
        fail_msg("it should be said that it %s: %s", each->why_not, result.why_not);
    assert_int_equal(result.doubled, each->doubled);
}

int main(void) {
    Arena *arena = arena_new();
    Interpreter found;
    Error error;
    if (interpreter_find(arena, NULL, true, &found, &error) != STATUS_OK) {
        printf("skipped: %s\n", error.cause);
        arena_free(arena);
        return SKIPPED;
    }
    interpreter = found.path;
    struct CMUnitTest tests[COUNT_OF(cases)];
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = run_case, .initial_state = (void *)(uintptr_t)&cases[i]};
    int failures = _cmocka_run_group_tests("scripts", tests, COUNT_OF(cases), start_bench, stop_bench);
    arena_free(arena);
    return failures;
}
