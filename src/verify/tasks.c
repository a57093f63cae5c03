/* Tasks: threads that take the next task which there is room for. */
#include "decomposition.h"
#include "step_state.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How many lighter tasks may go before a heavy one that there is no room for: then all wait until it runs. */
enum { MOST_OVERTAKING = 8, MOST_NAMED = 3, NOTE_SIZE = 80 };

typedef struct Crew Crew;
typedef struct Slot { /* what its task is doing */
    Crew *crew;
    Task *task;
    enum { SLOT_WAITING, SLOT_RUNNING, SLOT_ENDED } state;
    char note[NOTE_SIZE];
} Slot;

struct Crew {
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t ended; /* some task has */
    const TaskSettings *settings;
    Arena *arena;
    Slot *slots; /* heaviest first */
    size_t count, first_waiting, running, ended_count;
    size_t leading; /* that have not ended, and that those which follow wait for */
    uint64_t running_memory;
    const Slot *heaviest; /* that could have begun, but for its memory */
    unsigned overtaken;   /* how often it was */
};

/* Set by a signal's handler, which runs in any thread. */
static bool is_interrupted(const Crew *crew) {
    const volatile sig_atomic_t *interrupted = crew->settings->interrupted;
    return interrupted != NULL && __atomic_load_n(interrupted, __ATOMIC_RELAXED) != 0;
}

/* ---- What is told ------------------------------------------------------------------------- */

/* "7 of 25 done; running: linear_768x768_fp32, step_3_block_to_layers (trial 2 of 3) and 2 more" */
static void tell(const Crew *crew) {
    if (crew->settings->tell == NULL)
        return;
    char line[1024];
    size_t length = (size_t)snprintf(line, sizeof line, "%zu of %zu done", crew->ended_count, crew->count);
    size_t named = 0;
    for (size_t i = 0; i < crew->count && named < MOST_NAMED && length < sizeof line; i++) {
        const Slot *slot = &crew->slots[i];
        if (slot->state != SLOT_RUNNING)
            continue;
        bool note = slot->note[0] != '\0';
        length += (size_t)snprintf(line + length, sizeof line - length, "%s%.200s%s%s%s",
                                   named == 0 ? "; running: " : ", ", slot->task->name, note ? " (" : "",
                                   slot->note, note ? ")" : "");
        named++;
    }
    if (crew->running > named && length < sizeof line)
        snprintf(line + length, sizeof line - length, " and %zu more", crew->running - named);
    crew->settings->tell(crew->settings->tell_context, line);
}

/* The Progress of one task. */
static void take_note(void *context, const char *what) {
    Slot *slot = context;
    pthread_mutex_lock(&slot->crew->lock);
    snprintf(slot->note, sizeof slot->note, "%s", what);
    tell(slot->crew);
    pthread_mutex_unlock(&slot->crew->lock);
}

/* ---- Which is next ------------------------------------------------------------------------ */

static bool has_room(const Crew *crew, const Slot *slot) {
    uint64_t budget = crew->settings->memory, memory = slot->task->memory;
    return crew->running == 0 || (crew->running_memory <= budget && memory <= budget - crew->running_memory);
}

/* The heaviest that may begin; otherwise the heaviest that there is room for, unless too many went before it.
 */
static Slot *next_slot(Crew *crew) {
    const Slot *heaviest = NULL;
    while (crew->first_waiting < crew->count && crew->slots[crew->first_waiting].state != SLOT_WAITING)
        crew->first_waiting++;
    for (size_t i = crew->first_waiting; i < crew->count; i++) {
        Slot *slot = &crew->slots[i];
        if (slot->state != SLOT_WAITING || (slot->task->follows && crew->leading > 0))
            continue;
        if (heaviest == NULL) {
            heaviest = slot;
            crew->overtaken = crew->heaviest == slot ? crew->overtaken : 0;
            crew->heaviest = slot;
        }
        if (!has_room(crew, slot))
            continue;
        if (slot == heaviest)
            return slot;
        if (crew->overtaken == MOST_OVERTAKING)
            return NULL;
        crew->overtaken++;
        return slot;
    }
    return NULL;
}

static void run_slot(Crew *crew, Slot *slot) {
    Task *task = slot->task;
    Arena *arena = arena_new_within(crew->arena);
    const Progress progress = {crew->settings->tell == NULL ? NULL : take_note, slot};
    slot->state = SLOT_RUNNING;
    crew->running++;
    crew->running_memory += task->memory;
    tell(crew);
    pthread_mutex_unlock(&crew->lock);

    double start = seconds_now();
    task->run(task->context, arena, &progress);
    task->seconds = seconds_now() - start;

    pthread_mutex_lock(&crew->lock);
    task->done = true;
    slot->state = SLOT_ENDED;
    crew->running--;
    crew->running_memory -= task->memory;
    crew->ended_count++;
    crew->leading -= !task->follows;
    tell(crew);
    pthread_cond_broadcast(&crew->ended);
}

static void *work(void *context) {
    Crew *crew = context;
    pthread_mutex_lock(&crew->lock);
    while (!is_interrupted(crew)) {
        Slot *slot = next_slot(crew);
        if (slot != NULL)
            run_slot(crew, slot);
        else if (crew->first_waiting == crew->count)
            break;
        else
            pthread_cond_wait(&crew->ended, &crew->lock); /* something runs, or one could begin */
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static int heavier(const void *a, const void *b) {
    const Task *one = ((const Slot *)a)->task, *two = ((const Slot *)b)->task;
    if (one->memory != two->memory)
        return one->memory > two->memory ? -1 : 1;
    return one < two ? -1 : one > two; /* as they were given */
}

static Slot *make_slots(Arena *arena, Crew *crew, Task *tasks, size_t count) {
    Slot *slots = ARENA_ARRAY(arena, Slot, count + 1);
    for (size_t i = 0; i < count; i++) {
        tasks[i].done = false;
        tasks[i].seconds = 0;
        slots[i] = (Slot){.crew = crew, .task = &tasks[i]};
        crew->leading += !tasks[i].follows;
    }
    if (count > 0)
        qsort(slots, count, sizeof *slots, heavier);
    return slots;
}

unsigned tasks_jobs(unsigned jobs) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return jobs > 0 ? jobs : processors > 0 ? (unsigned)processors : 1;
}

void tasks_run(Arena *arena, Task *tasks, size_t count, const TaskSettings *given) {
    TaskSettings settings = *given;
    settings.jobs = tasks_jobs(given->jobs);
    settings.memory = given->memory > 0 ? given->memory : memory_available();
    Crew crew = {.settings = &settings, .arena = arena, .count = count};
    crew.slots = make_slots(arena, &crew, tasks, count);
    pthread_mutex_init(&crew.lock, NULL);
    pthread_cond_init(&crew.ended, NULL);
    /* The calling thread works too: with one job there is no other, and none is needed. */
    size_t wanted = settings.jobs < count ? settings.jobs : count, started = 0;
    pthread_t *threads = ARENA_ARRAY(arena, pthread_t, wanted + 1);
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, &crew) == 0)
        started++;
    work(&crew);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&crew.ended);
    pthread_mutex_destroy(&crew.lock);
}
