/* Batch: many decompositions on one probe, each kept as soon as it is judged. */
#include "batch.h"
#include "step_state.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What one decomposition is thought to take: two cells at a time, and its files. Its own steps are kept to
 * what there is by check_verify. */
#define DECOMPOSITION_BYTES ((uint64_t)1 << 30)

typedef struct Batch {
    Probe *probe;
    const BatchOptions *options;
    CheckOptions check; /* shared by all: its part of the machine */
    const char *root;   /* absolute */
    const char *settings;
    pthread_mutex_t lock; /* of all below, and of options->finished */
    Arena *arena;
    History *history;
    const Error *error; /* why it can't go on: no more are begun; NULL */
} Batch;

typedef struct Entry { /* one decomposition */
    Batch *batch;
    const char *folder; /* absolute */
    BatchRow row;
} Entry;

/* ---- What was judged before -------------------------------------------------------------------- */

/* Whatever can make another verdict of the same files; but for what settings_of adds when there is one. */
static const char *settings_text(Arena *arena, const BatchOptions *options, const ProbeFacts *facts) {
    const CheckOptions *check = &options->check;
    char folder[PATH_MAX];
    char *text =
        arena_printf(arena,
                     "plumbline %s, torch %s, %s %s, %s, seed %llu, timeout %g, of tests %g, memory %llu, "
                     "device %s, model %s, in %s",
                     PLUMBLINE_VERSION, facts->torch, facts->executable, facts->python,
                     rigor_name(check->rigor), (unsigned long long)check->seed, check->timeout,
                     check->self_test_timeout, (unsigned long long)check->memory, check->device,
                     check->project.model == NULL ? "" : path_absolute(arena, check->project.model),
                     getcwd(folder, sizeof folder) == NULL ? "" : folder);
    for (size_t i = 0; i < check->project.allowed_import_count; i++)
        text = arena_printf(arena, "%s, allow %s", text, check->project.allowed_imports[i]);
    return text;
}

/* Settings with what came of them: PASS is PASS however many ran beside it, and FAIL may be for want of the
 * memory or the time that they took. */
static const char *settings_of(Arena *arena, const Batch *batch, Verdict verdict, bool whole_sandbox) {
    const char *jobs =
        verdict == VERDICT_PASS ? "" : arena_printf(arena, ", jobs %u", batch->options->check.jobs);
    return arena_printf(arena, "%s%s%s", batch->settings, jobs,
                        whole_sandbox ? ", in the whole sandbox" : "");
}

static bool same_settings(Arena *arena, const Batch *batch, const BatchRow *before) {
    return text_equal(before->settings, settings_of(arena, batch, before->verdict, true)) ||
           (!batch->options->require_sandbox &&
            text_equal(before->settings, settings_of(arena, batch, before->verdict, false)));
}

/* Whether a root model elsewhere is what it was. */
static bool same_model(Arena *arena, const BatchRow *before) {
    const char *hash;
    double changed;
    Error ignored;
    return before->model[0] == '\0' ||
           (model_content(arena, before->model, &hash, &changed, &ignored) == STATUS_OK &&
            strcmp(hash, before->model_content) == 0);
}

/* The row of an earlier run, if it holds for what is there now. What could not be judged is tried again. */
static Status look_up(Batch *batch, Arena *arena, const BatchRow *now, BatchRow **kept, Error *error) {
    BatchRow *before;
    *kept = NULL;
    if (!batch->options->resume)
        return STATUS_OK;
    pthread_mutex_lock(&batch->lock);
    Status status = history_get(batch->arena, batch->history, now->folder, &before, error);
    pthread_mutex_unlock(&batch->lock);
    if (status == STATUS_OK && before != NULL && before->verdict != VERDICT_ERROR &&
        strcmp(before->content, now->content) == 0 && same_settings(arena, batch, before) &&
        same_model(arena, before))
        *kept = before;
    return status;
}

/* ---- One ------------------------------------------------------------------------------------------ */

/* The first thing to fix, one line. */
static const char *first_reason(Arena *arena, const CheckResult *result) {
    if (result->verdict == VERDICT_PASS)
        return "";
    if (result->verdict == VERDICT_ERROR)
        return result->error == NULL ? "it could not be judged" : result->error;
    if (result->first != NULL)
        return finding_text(arena, result->first);
    for (size_t i = 0; i < CHECKLIST_COUNT; i++) {
        const ChecklistLine *line = &result->checklist[i];
        if (!line->holds && line->text != NULL && line->evidence != NULL)
            return arena_printf(arena, "%s: %s", line->text, line->evidence);
    }
    return "not every part of the verification passed";
}

static void fill_counts(BatchRow *row, const CheckResult *result) {
    row->component_count = result->project.component_count;
    row->step_count = result->project.step_count;
    for (size_t i = 0; result->steps != NULL && i < row->step_count; i++)
        row->steps_passed += result->steps[i].verdict == VERDICT_PASS;
    for (size_t i = 0; i < CHECKLIST_COUNT; i++)
        row->checklist_held += result->checklist[i].holds;
    if (result->findings != NULL)
        row->finding_count = findings_count(result->findings, SEVERITY_VIOLATION);
}

static void set_error(Arena *arena, BatchRow *row, const Error *error) {
    row->verdict = VERDICT_ERROR;
    row->reason = error_line(arena, error);
}

/* Where the root model stands, if its bytes are not among the decomposition's own, and when they changed
 * last. */
static Status find_model(Arena *arena, const Entry *entry, const CheckResult *result, BatchRow *row,
                         double *changed, Error *error) {
    const char *model = result->project.model;
    *changed = 0;
    if (model == NULL || text_starts(model, arena_printf(arena, "%s/", entry->folder)))
        return STATUS_OK;
    row->model = model;
    return model_content(arena, model, &row->model_content, changed, error);
}

/* As the file system's clock has it, which lags a little. */
static double file_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Judges it. What was hashed and what was judged must be the same bytes: if they changed meanwhile, that is
 * no verdict. False: the user interrupted, and there is none. */
static bool judge(const Entry *entry, Arena *arena, const Progress *progress, BatchRow *row) {
    const Batch *batch = entry->batch;
    CheckOptions options = batch->check;
    CheckResult *result = ARENA_NEW(arena, CheckResult);
    const char *after = "";
    Error error;
    options.project.folder = entry->folder;
    double start = seconds_now(), started = file_time(), changed;
    check_verify(arena, batch->probe, &options, progress, result);
    if (result->interrupted) {
        check_result_close(result);
        return false;
    }
    row->verdict = result->verdict;
    row->reason = first_reason(arena, result);
    fill_counts(row, result);
    if (row->verdict == VERDICT_PASS && row->checklist_held != CHECKLIST_COUNT) { /* then it is none */
        row->verdict = VERDICT_ERROR;
        row->reason = "not every line of the checklist was judged";
    }
    row->result = batch->options->render(arena, result);
    if (find_model(arena, entry, result, row, &changed, &error) != STATUS_OK ||
        folder_content(arena, entry->folder, &after, &error) != STATUS_OK) {
        set_error(arena, row, &error);
    } else if (strcmp(after, row->content) != 0 || changed >= started) {
        row->verdict = VERDICT_ERROR;
        row->content = "";
        row->reason = "its files changed while it was checked; check it again";
    }
    row->settings = settings_of(arena, batch, row->verdict,
                                batch->options->require_sandbox ||
                                    sandbox_missing(&result->sandbox) == SANDBOX_LAYER_COUNT);
    check_result_close(result);
    row->seconds = seconds_now() - start;
    row->finished = timestamp_now(arena);
    return true;
}

/* With the lock held. */
static void stop(Batch *batch, const Error *error) {
    if (batch->error == NULL)
        batch->error = arena_copy(batch->arena, error, sizeof *error);
}

static bool is_stopped(Batch *batch) {
    pthread_mutex_lock(&batch->lock);
    bool stopped = batch->error != NULL;
    pthread_mutex_unlock(&batch->lock);
    return stopped;
}

static void stop_without_probe(Batch *batch) {
    Error error;
    Status status = error_set(&error, "the probe", "free some memory, then go on with --resume",
                              "Python ended unexpectedly; what was judged before is kept");
    (void)status;
    pthread_mutex_lock(&batch->lock);
    stop(batch, &error);
    pthread_mutex_unlock(&batch->lock);
}

/* The row of a task's arena, as one of the batch's. */
static BatchRow keep_row(Arena *arena, BatchRow row) {
    const char **texts[] = {&row.folder,        &row.content,  &row.settings, &row.model,
                            &row.model_content, &row.rigor,    &row.torch,    &row.version,
                            &row.reason,        &row.finished, &row.result};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = arena_strdup(arena, *texts[i]);
    return row;
}

static void finish(Entry *entry, const BatchRow *row) {
    Batch *batch = entry->batch;
    const BatchOptions *options = batch->options;
    Error error;
    pthread_mutex_lock(&batch->lock);
    if (!row->earlier && history_put(batch->history, row, &error) != STATUS_OK)
        stop(batch, &error);
    entry->row = keep_row(batch->arena, *row);
    if (options->finished != NULL)
        options->finished(options->context, &entry->row);
    pthread_mutex_unlock(&batch->lock);
}

static void check_one(void *context, Arena *unused, const Progress *progress) {
    (void)unused; /* which lives as long as all of them; this one's traces need not */
    Entry *entry = context;
    Batch *batch = entry->batch;
    if (is_stopped(batch))
        return;
    Arena *arena = arena_new();
    BatchRow row = entry->row, *kept = NULL;
    Error error;
    row.begun = true;
    if (folder_content(arena, entry->folder, &row.content, &error) != STATUS_OK ||
        look_up(batch, arena, &row, &kept, &error) != STATUS_OK) {
        set_error(arena, &row, &error);
        row.finished = timestamp_now(arena);
        finish(entry, &row);
    } else if (kept != NULL) {
        finish(entry, kept);
    } else if (judge(entry, arena, progress, &row)) {
        if (row.verdict == VERDICT_ERROR && !probe_works(batch->probe))
            stop_without_probe(batch); /* it is not for what the files are */
        else
            finish(entry, &row);
    }
    arena_free(arena);
}

/* ---- All ------------------------------------------------------------------------------------------ */

/* Several decompositions at once make better use of many processors than one, whose parts wait for each
 * other; so each gets one share of jobs, of memory and of processors. */
static unsigned share(Batch *batch, size_t count, uint64_t memory) {
    CheckOptions *check = &batch->check;
    unsigned jobs = tasks_jobs(check->jobs), processors = tasks_jobs(0);
    assert(jobs > 0);
    uint64_t at_once = memory / DECOMPOSITION_BYTES; /* in turn held to each limit, and at least 1 */
    at_once = at_once > count ? count : at_once;
    at_once = at_once > jobs ? jobs : at_once < 1 ? 1 : at_once;
    check->threads = jobs < processors ? processors / jobs : 1;
    check->jobs = jobs / (unsigned)at_once;
    check->memory = memory / at_once;
    return (unsigned)at_once;
}

static void tell(void *context, const char *line) {
    Batch *batch = context;
    if (batch->options->tell != NULL)
        batch->options->tell(batch->options->context, line);
}

/* In a folder of ours, unless the user names a file. */
static Status open_history(Batch *batch, Error *error) {
    const char *given = batch->options->database;
    if (given != NULL)
        return history_open(batch->arena, given, &batch->history, error);
    const char *folder = arena_printf(batch->arena, "%s/.plumbline", batch->root);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return error_set(error, folder,
                         "make the folder above it writable, or name a file elsewhere with --database FILE",
                         "the results cannot be kept: %s", strerror(errno));
    return history_open(batch->arena, arena_printf(batch->arena, "%s/batch.sqlite3", folder), &batch->history,
                        error);
}

static void count_rows(BatchResult *result) {
    for (size_t i = 0; i < result->row_count; i++) {
        const BatchRow *row = &result->rows[i];
        size_t *counts[] = {&result->passed, &result->failed, &result->unjudged};
        if (row->begun)
            ++*counts[row->verdict];
        else
            result->not_begun++;
        result->earlier += row->earlier;
    }
}

static void run_all(Arena *arena, Batch *batch, Entry *entries, size_t count, BatchResult *result) {
    uint64_t memory = batch->check.memory > 0 ? batch->check.memory : memory_available();
    Task *tasks = ARENA_ARRAY(arena, Task, count + 1);
    for (size_t i = 0; i < count; i++)
        tasks[i] = (Task){.name = entries[i].row.folder,
                          .run = check_one,
                          .context = &entries[i],
                          .memory = DECOMPOSITION_BYTES};
    TaskSettings settings = {.jobs = share(batch, count, memory),
                             .memory = memory,
                             .interrupted = batch->check.interrupted,
                             .tell = tell,
                             .tell_context = batch};
    tasks_run(arena, tasks, count, &settings);
    result->rows = ARENA_ARRAY(arena, BatchRow, count + 1);
    result->row_count = count;
    for (size_t i = 0; i < count; i++)
        result->rows[i] = entries[i].row;
    count_rows(result);
}

Status batch_verify(Arena *arena, Probe *probe, const BatchOptions *options, BatchResult *result,
                    Error *error) {
    double start = seconds_now();
    *result = (BatchResult){0};
    Batch batch = {.probe = probe,
                   .options = options,
                   .check = options->check,
                   .root = path_absolute(arena, options->root),
                   .arena = arena_new_within(arena)};
    Folders folders;
    if (folders_find(arena, options->root, &folders, error) != STATUS_OK ||
        open_history(&batch, error) != STATUS_OK)
        return STATUS_ERROR;
    Status status = probe_ready(probe, error);
    if (status == STATUS_OK) {
        const ProbeFacts *facts = probe_facts(probe);
        batch.settings = settings_text(arena, options, facts);
        Entry *entries = ARENA_ARRAY(arena, Entry, folders.count);
        for (size_t i = 0; i < folders.count; i++) {
            const char *name = folders.items[i];
            entries[i] =
                (Entry){.batch = &batch,
                        .folder = strcmp(name, ".") == 0 ? batch.root
                                                         : arena_printf(arena, "%s/%s", batch.root, name),
                        .row = {.folder = name,
                                .content = "",
                                .settings = batch.settings,
                                .model = "",
                                .model_content = "",
                                .rigor = rigor_name(options->check.rigor),
                                .torch = facts->torch,
                                .version = PLUMBLINE_VERSION,
                                .reason = "",
                                .finished = "",
                                .result = ""}};
        }
        pthread_mutex_init(&batch.lock, NULL);
        run_all(arena, &batch, entries, folders.count, result);
        pthread_mutex_destroy(&batch.lock);
        if (batch.error != NULL) {
            *error = *batch.error;
            status = STATUS_ERROR;
        }
    }
    history_close(batch.history);
    result->seconds = seconds_now() - start;
    return status;
}
