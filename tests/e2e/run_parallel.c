/* Steps verified by several threads on one probe come out as they do one by one.
 * Usage: run_parallel PYTHON FOLDER...     folders with original.py and refactored.py */
#include "decomposition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { JOBS = 4, ROUNDS = 2, PERTURB_SEED = 7 };

typedef struct Case {
    Probe *probe;
    StepOptions options;
    StepResult result;
} Case;

static void verify(void *context, Arena *arena, const Progress *progress) {
    Case *each = context;
    step_verify(arena, each->probe, &each->options, progress, &each->result);
}

static void make_cases(Arena *arena, Probe *probe, char **folders, size_t count, Case *cases, Task *tasks) {
    for (size_t i = 0; i < count; i++) {
        cases[i] = (Case){.probe = probe,
                          .options = {.original = path_join(arena, folders[i], "original.py"),
                                      .refactored = path_join(arena, folders[i], "refactored.py"),
                                      .rtol = NAN,
                                      .atol = NAN,
                                      .trial_count = 3,
                                      .seed = 42,
                                      .perturb_seed = PERTURB_SEED,
                                      .device = "cpu",
                                      .timeout = 300,
                                      .memory = (uint64_t)2 << 30,
                                      .threads = 1}};
        tasks[i] = (Task){.name = folders[i], .run = verify, .context = &cases[i], .memory = 1};
    }
}

/* What must be the same: all but times. */
static char *summary(Arena *arena, const StepResult *result) {
    char *text =
        arena_printf(arena, "%s %s proved %d, %zu trials, max diff %.17g, %s", verdict_name(result->verdict),
                     result->error == NULL ? "" : result->error, result->proof.proved, result->trial_count,
                     result->max_diff, result->fail_reason == NULL ? "" : result->fail_reason);
    for (size_t i = 0; i < result->findings->count; i++)
        text = arena_printf(arena, "%s\n  %s %s", text, result->findings->items[i].rule->id,
                            result->findings->items[i].what);
    for (size_t i = 0; i < SANDBOX_LAYER_COUNT; i++)
        text = arena_printf(arena, "%s\n  %s", text, result->sandbox.layers[i].text);
    return text;
}

static void run(Arena *arena, Case *cases, Task *tasks, size_t count, unsigned jobs, char **summaries) {
    tasks_run(arena, tasks, count, &(TaskSettings){.jobs = jobs, .memory = count});
    for (size_t i = 0; i < count; i++)
        summaries[i] = summary(arena, &cases[i].result);
}

int main(int count, char **arguments) {
    if (count < 3) {
        fputs("usage: run_parallel PYTHON FOLDER...\n", stderr);
        return 2;
    }
    size_t steps = (size_t)count - 2, passed = 0, failed = 0;
    Arena *arena = arena_new();
    Case *cases = ARENA_ARRAY(arena, Case, steps);
    Task *tasks = ARENA_ARRAY(arena, Task, steps);
    char **alone = ARENA_ARRAY(arena, char *, steps), **together = ARENA_ARRAY(arena, char *, steps);
    for (int round = 0; round <= ROUNDS;
         round++) { /* each on a new probe, whose parser and imports are raced for */
        Probe *probe = NULL;
        Error error;
        const ProbeOptions options = {.interpreter = arguments[1], .needs_torch = true, .parse_ahead = true};
        if (probe_start(arena, &options, &probe, &error) != STATUS_OK) {
            fprintf(stderr, "run_parallel: %s\n", error_line(arena, &error));
            return 2;
        }
        make_cases(arena, probe, arguments + 2, steps, cases, tasks);
        run(arena, cases, tasks, steps, round == 0 ? 1 : JOBS, round == 0 ? alone : together);
        probe_stop(probe);
        for (size_t i = 0; round > 0 && i < steps; i++) {
            bool same = text_equal(alone[i], together[i]);
            passed += same;
            failed += !same;
            printf(same ? "ok      %s\n" : "FAILED  %s\n", arguments[i + 2]);
            if (!same)
                printf("alone: %s\ntogether: %s\n", alone[i], together[i]);
        }
    }
    printf("%zu passed, %zu failed, 0 skipped\n", passed, failed);
    arena_free(arena);
    return failed == 0 ? 0 : 1;
}
