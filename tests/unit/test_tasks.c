/* Tasks: how many run at once, what waits for memory, who may go first, interruption; declared memory. */
#include "decomposition.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 64 };

typedef struct Watch { /* what a test's tasks see of one another */
    atomic_int running, most_running;
    atomic_ullong memory, most_memory;
    atomic_int begun, interrupt_after;
    volatile sig_atomic_t interrupted;
    int order[MOST]; /* numbers of tasks as they began */
    char lines[MOST * 4][200];
    int line_count;
} Watch;

typedef struct Job {
    Watch *watch;
    int number;
    unsigned milliseconds;
    uint64_t memory;
    bool alone; /* nothing ran beside it */
    char *text; /* made in the task's arena */
} Job;

static void raise_to(atomic_int *most, int value) {
    int before = atomic_load(most);
    while (before < value && !atomic_compare_exchange_weak(most, &before, value))
        ;
}

static void run(void *context, Arena *arena, const Progress *progress) {
    Job *job = context;
    Watch *watch = job->watch;
    int place = atomic_fetch_add(&watch->begun, 1), running = atomic_fetch_add(&watch->running, 1) + 1;
    watch->order[place] = job->number;
    raise_to(&watch->most_running, running);
    unsigned long long memory = atomic_fetch_add(&watch->memory, job->memory) + job->memory,
                       before = atomic_load(&watch->most_memory);
    while (before < memory && !atomic_compare_exchange_weak(&watch->most_memory, &before, memory))
        ;
    if (progress->tell != NULL)
        progress->tell(progress->context, "trial 1 of 3");
    for (unsigned i = 0; i < 200; i++) /* threads that share an arena would be seen by a sanitizer, or here */
        job->text = arena_printf(arena, "task %d, %u", job->number, i);
    usleep(job->milliseconds * 1000);
    job->alone = running == 1 && atomic_load(&watch->running) == 1;
    if (place + 1 == atomic_load(&watch->interrupt_after))
        __atomic_store_n(&watch->interrupted, 1, __ATOMIC_RELAXED);
    atomic_fetch_sub(&watch->memory, job->memory);
    atomic_fetch_sub(&watch->running, 1);
}

static void hear(void *context, const char *line) {
    Watch *watch = context;
    if (watch->line_count < (int)COUNT_OF(watch->lines))
        snprintf(watch->lines[watch->line_count++], sizeof watch->lines[0], "%s", line);
}

static void fill(Watch *watch, Job *jobs, Task *tasks, int count, uint64_t memory) {
    *watch = (Watch){0};
    for (int i = 0; i < count; i++) {
        jobs[i] = (Job){.watch = watch, .number = i, .milliseconds = 5, .memory = memory};
        tasks[i] = (Task){.name = "linear", .run = run, .context = &jobs[i], .memory = memory};
    }
}

static void at_most_so_many(void **state) {
    (void)state;
    Watch watch;
    Job jobs[30];
    Task tasks[30];
    fill(&watch, jobs, tasks, 30, 1);
    Arena *arena = arena_new();
    const TaskSettings settings = {.jobs = 4, .memory = 1000, .interrupted = &watch.interrupted};
    tasks_run(arena, tasks, 30, &settings);
    assert_in_range(watch.most_running, 2, 4);
    assert_int_equal(watch.begun, 30);
    for (int i = 0; i < 30; i++) {
        assert_true(tasks[i].done);
        assert_true(tasks[i].seconds >= 0.004);
        char text[40];
        snprintf(text, sizeof text, "task %d, 199", i);
        assert_string_equal(jobs[i].text, text); /* lives as long as the arena */
    }
    arena_free(arena);
}

static void one_job_is_one_after_another(void **state) {
    (void)state;
    Watch watch;
    Job jobs[6];
    Task tasks[6];
    fill(&watch, jobs, tasks, 6, 1);
    Arena *arena = arena_new();
    tasks_run(arena, tasks, 6, &(TaskSettings){.jobs = 1, .memory = 1});
    assert_int_equal(watch.most_running, 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(watch.order[i], i); /* equal ones as they were given */
    tasks_run(arena, tasks, 0, &(TaskSettings){0});
    arena_free(arena);
}

static void some_follow_the_others(void **state) {
    (void)state;
    Watch watch;
    Job jobs[12];
    Task tasks[12];
    fill(&watch, jobs, tasks, 12, 1);
    tasks[0].follows = tasks[5].follows = tasks[6].follows = true;
    tasks[5].memory = jobs[5].memory = 500; /* heaviest, and more than there is */
    Arena *arena = arena_new();
    const TaskSettings settings = {.jobs = 3, .memory = 100};
    tasks_run(arena, tasks, 12, &settings);
    assert_int_equal(watch.begun, 12);
    for (int i = 0; i < 9; i++)
        assert_true(watch.order[i] != 0 && watch.order[i] != 5 && watch.order[i] != 6);
    assert_true(jobs[5].alone);
    for (int i = 0; i < 12; i++)
        tasks[i].follows = true; /* then nothing is to be waited for */
    tasks_run(arena, tasks, 12, &settings);
    assert_int_equal(watch.begun, 24);
    arena_free(arena);
}

static void memory_is_kept_to(void **state) {
    (void)state;
    Watch watch;
    Job jobs[20];
    Task tasks[20];
    fill(&watch, jobs, tasks, 20, 30);
    Arena *arena = arena_new();
    tasks_run(arena, tasks, 20, &(TaskSettings){.jobs = 8, .memory = 100});
    assert_in_range(watch.most_memory, 60, 90);
    assert_int_equal(watch.begun, 20);
    arena_free(arena);
}

/* One that needs more than there is runs, and runs alone. */
static void what_is_too_large_runs_alone(void **state) {
    (void)state;
    Watch watch;
    Job jobs[12];
    Task tasks[12];
    fill(&watch, jobs, tasks, 12, 10);
    jobs[7].memory = tasks[7].memory = 5000;
    Arena *arena = arena_new();
    tasks_run(arena, tasks, 12, &(TaskSettings){.jobs = 4, .memory = 100});
    assert_int_equal(watch.begun, 12);
    assert_int_equal(watch.order[0], 7); /* heavy ones first */
    assert_true(jobs[7].alone);
    assert_in_range(watch.most_running, 2, 4);
    arena_free(arena);
}

/* Two heavy ones can't run together: the second waits, but for no more than 8 light ones. */
static void heavy_ones_do_not_starve(void **state) {
    (void)state;
    Watch watch;
    Job jobs[40];
    Task tasks[40];
    fill(&watch, jobs, tasks, 40, 5);
    for (int i = 0; i < 40; i++)
        jobs[i].milliseconds = 2;
    for (int i = 38; i < 40; i++)
        jobs[i].memory = tasks[i].memory = 90;
    jobs[38].milliseconds = 200; /* longer than all light ones together */
    Arena *arena = arena_new();
    tasks_run(arena, tasks, 40, &(TaskSettings){.jobs = 3, .memory = 100});
    assert_int_equal(watch.begun, 40);
    assert_int_equal(watch.order[0], 38);
    /* After 8 that overtook it; what begins at the same time may be noted first. */
    assert_true(watch.order[9] == 39 || watch.order[10] == 39 || watch.order[11] == 39);
    arena_free(arena);
}

static void interruption_begins_no_more(void **state) {
    (void)state;
    Watch watch;
    Job jobs[30];
    Task tasks[30];
    fill(&watch, jobs, tasks, 30, 1);
    watch.interrupt_after = 5;
    Arena *arena = arena_new();
    tasks_run(arena, tasks, 30, &(TaskSettings){.jobs = 2, .memory = 100, .interrupted = &watch.interrupted});
    assert_in_range(watch.begun, 5, 7);
    int done = 0;
    for (int i = 0; i < 30; i++)
        done += tasks[i].done;
    assert_int_equal(done, watch.begun); /* what was begun has ended */
    arena_free(arena);
}

static void says_what_runs(void **state) {
    (void)state;
    Watch watch;
    Job jobs[8];
    Task tasks[8];
    fill(&watch, jobs, tasks, 8, 1);
    Arena *arena = arena_new();
    tasks_run(arena, tasks, 8, &(TaskSettings){.jobs = 1, .memory = 9, .tell = hear, .tell_context = &watch});
    assert_string_equal(watch.lines[0], "0 of 8 done; running: linear");
    assert_string_equal(watch.lines[1], "0 of 8 done; running: linear (trial 1 of 3)");
    assert_string_equal(watch.lines[watch.line_count - 1], "8 of 8 done");
    fill(&watch, jobs, tasks, 8, 1);
    for (int i = 0; i < 8; i++)
        jobs[i].milliseconds = 40;
    tasks_run(arena, tasks, 8, &(TaskSettings){.jobs = 5, .memory = 9, .tell = hear, .tell_context = &watch});
    bool more = false;
    for (int i = 0; i < watch.line_count; i++)
        more |= text_ends(watch.lines[i], " and 2 more") && text_starts(watch.lines[i], "0 of 8 done");
    assert_true(more);
    arena_free(arena);
}

/* ---- Declared memory ------------------------------------------------------------------------- */

static void memory_by_declared_shapes(void **state) {
    (void)state;
    const uint64_t pair = (uint64_t)300 << 20;
    int64_t shape[] = {128, 512, 768}, odd[] = {4, -1};
    Declared input = {.name = "x", .shape = shape, .rank = 3, .dtype = "float32"},
             half = {.name = "x", .shape = shape, .rank = 3, .dtype = "float16"},
             unknown = {.name = "y", .shape = odd, .rank = 2, .dtype = "float32"};
    size_t both[] = {1, 2}, itself[] = {0, NO_INDEX};
    TreeNode nodes[] = {
        {.component = 0, .children = both, .child_count = 2, .inputs = &input, .input_count = 1},
        {.component = 1, .instance_count = 12, .inputs = &half, .input_count = 1},
        {.component = 2, .instance_count = -1, .outputs = &unknown, .output_count = 1}};
    Component components[] = {{.stem = "model", .level = LEVEL_MODEL, .node = 0},
                              {.stem = "linear_768x3072_fp32", .node = 1},
                              {.stem = "odd", .node = 2},
                              {.stem = "gelu", .node = NO_INDEX}};
    Project project = {.components = components, .component_count = 4, .nodes = nodes, .node_count = 3};
    const uint64_t bytes = (uint64_t)128 * 512 * 768;
    assert_in_range(declared_memory(&project, 0), pair + 4 * 4 * bytes + (uint64_t)12 * 3 * 4 * 768 * 3072,
                    pair + 4 * 4 * bytes + (uint64_t)12 * 3 * 4 * 768 * 3072);
    assert_true(declared_memory(&project, 1) == pair + 4 * 2 * bytes + (uint64_t)3 * 4 * 768 * 3072);
    assert_true(declared_memory(&project, 2) == pair);
    assert_true(declared_memory(&project, 3) == pair);
    assert_true(declared_memory(&project, NO_INDEX) == pair);
    nodes[0].children = itself; /* a tree that meets itself, a child that there isn't */
    assert_true(declared_memory(&project, 0) == pair + 4 * 4 * bytes);
    shape[0] = shape[1] = shape[2] = INT64_MAX;
    assert_true(declared_memory(&project, 0) == UINT64_MAX);
    assert_true(memory_available() > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_most_so_many),          cmocka_unit_test(one_job_is_one_after_another),
        cmocka_unit_test(memory_is_kept_to),        cmocka_unit_test(what_is_too_large_runs_alone),
        cmocka_unit_test(heavy_ones_do_not_starve), cmocka_unit_test(interruption_begins_no_more),
        cmocka_unit_test(some_follow_the_others),   cmocka_unit_test(says_what_runs),
        cmocka_unit_test(memory_by_declared_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
