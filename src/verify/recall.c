/* Answers of cells, by what they were asked. */
#include "recall.h"

#include <string.h>
#include <sys/stat.h>

enum { MOST_FILES = 8 };

typedef struct Answer {
    json_t *work, *done; /* owned */
    Program program;
    MemoryFile *files[MOST_FILES]; /* owned; as in Work */
    size_t lent_count, file_count;
} Answer;

struct Recall {
    Arena *arena;
    Answer *items;
    size_t count, capacity;
};

Recall *recall_new(Arena *arena) {
    Recall *recall = ARENA_NEW(arena, Recall);
    *recall = (Recall){.arena = arena_new_within(arena)};
    return recall;
}

static void close_answer(Answer *answer) {
    json_decref(answer->work);
    json_decref(answer->done);
    for (size_t i = 0; i < answer->file_count; i++)
        memory_file_close(answer->files[i]);
}

void recall_close(Recall *recall) {
    if (recall == NULL)
        return;
    for (size_t i = 0; i < recall->count; i++)
        close_answer(&recall->items[i]);
    recall->count = 0;
}

void recall_keep(Recall *recall, const Work *work, json_t *done) {
    Answer answer = {.work = json_incref(work->work),
                     .done = json_incref(done),
                     .program = work->side->program,
                     .lent_count = work->lent_count};
    Error error;
    bool kept = work->file_count <= MOST_FILES;
    for (size_t i = 0; i < work->file_count && kept; i++) {
        kept = memory_file_share(recall->arena, work->files[i], &answer.files[i], &error) == STATUS_OK;
        answer.file_count += kept;
    }
    if (kept)
        *(Answer *)ARENA_PUSH(recall->arena, recall) = answer;
    else
        close_answer(&answer); /* it is asked again, then */
}

/* ---- The same work ---------------------------------------------------------------------------- */

static bool is_same_file(const MemoryFile *a, const MemoryFile *b) {
    struct stat one, other;
    return fstat(a->fd, &one) == 0 && fstat(b->fd, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* The bundle, which comes first, is made anew of the program each time. */
static bool has_same_files(const Answer *answer, const Work *work) {
    if (answer->lent_count != work->lent_count || answer->file_count != work->file_count ||
        !program_equal(&answer->program, &work->side->program))
        return false;
    for (size_t i = 0; i < work->file_count; i++)
        if (!text_equal(answer->files[i]->name, work->files[i]->name) ||
            (i > 0 && i < work->lent_count && !is_same_file(answer->files[i], work->files[i])))
            return false;
    return true;
}

/* Calls of forward follow each other in one process: what came later did nothing to those before. */
static bool begins_with(const json_t *trials, const json_t *wanted) {
    for (size_t i = 0; i < json_array_size(wanted); i++)
        if (!json_equal(json_array_get(trials, i), json_array_get(wanted, i)))
            return false;
    return true;
}

static bool is_same_work(json_t *answered, json_t *wanted) {
    const char *key;
    json_t *value;
    if (json_object_size(answered) != json_object_size(wanted))
        return false;
    json_object_foreach(wanted, key, value) {
        const json_t *other = json_object_get(answered, key);
        if (strcmp(key, "trials") == 0 ? !begins_with(other, value) : !json_equal(other, value))
            return false;
    }
    return true;
}

/* ---- Its answer ------------------------------------------------------------------------------- */

static bool is_wanted(const json_t *section, const json_t *trials) {
    for (size_t i = 0; i < json_array_size(trials); i++)
        if (json_equal(json_object_get(json_array_get(trials, i), "name"), json_object_get(section, "name")))
            return true;
    return false;
}

/* As if no more had been asked. */
static json_t *answer_to(const Answer *answer, const json_t *work) {
    const json_t *trials = json_object_get(work, "trials"),
                 *sections = json_object_get(answer->done, "sections");
    if (json_array_size(trials) == json_array_size(json_object_get(answer->work, "trials")))
        return json_incref(answer->done);
    json_t *done = json_copy(answer->done), *wanted = json_array();
    for (size_t i = 0; i < json_array_size(sections); i++)
        if (is_wanted(json_array_get(sections, i), trials))
            json_array_append(wanted, json_array_get(sections, i));
    json_object_set_new(done, "sections", wanted);
    return done;
}

static bool hand_over(const Answer *answer, Arena *arena, Work *work) {
    MemoryFile *files[MOST_FILES];
    Error error;
    for (size_t i = work->lent_count; i < work->file_count; i++)
        if (memory_file_share(arena, answer->files[i], &files[i], &error) != STATUS_OK) {
            while (i-- > work->lent_count)
                memory_file_close(files[i]);
            return false;
        }
    for (size_t i = work->lent_count; i < work->file_count; i++) {
        if (work->recording == work->files[i])
            work->recording = files[i];
        memory_file_close(work->files[i]);
        work->files[i] = files[i];
    }
    return true;
}

json_t *recall_find(const Recall *recall, Arena *arena, Work *work) {
    for (size_t i = 0; i < recall->count; i++) {
        const Answer *answer = &recall->items[i];
        if (has_same_files(answer, work) && is_same_work(answer->work, work->work))
            return hand_over(answer, arena, work) ? answer_to(answer, work->work) : NULL;
    }
    return NULL;
}
