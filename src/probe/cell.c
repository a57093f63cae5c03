/* Cells: started, watched, ended. A cell is dead and reaped before anything that it made is believed. */
#include "zygote.h"

#include "process.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    DEFAULT_TIMEOUT = 300, /* seconds */
    LIVING_SECONDS = 20,   /* that the zygote may take to fork, or to reap */
    JOB_SECONDS = 20,      /* that a new cell may take to read its job */
    LOG_TAIL = 4096,
    MOST_FRAME = 128 << 20, /* decoded, the worst of that size takes some 10 GiB */
    MOST_CELLS = 64
};
static const double grace = 0.5; /* seconds from closing its socket to being gone */

/* Bytes of memory that the machine can still give, or 0 if it doesn't say. */
static uint64_t available_memory(void) {
    FILE *file = fopen("/proc/meminfo", "re");
    char line[256];
    unsigned long long kilobytes = 0;
    while (file != NULL && kilobytes == 0 && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "MemAvailable: %llu", &kilobytes) != 1)
            kilobytes = 0;
    if (file != NULL)
        fclose(file);
    return (uint64_t)kilobytes * 1024;
}

static int processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static json_t *sandbox_settings(const Cell *cell, const CellJob *job) {
    const ProbeFacts *facts = probe_facts(cell->probe);
    json_t *paths = json_array();
    for (size_t i = 0; i < facts->prefix_count; i++)
        json_array_append_new(paths, json_string(facts->prefixes[i]));
    for (size_t i = 0; cell->cuda && i < facts->cuda_prefix_count; i++)
        json_array_append_new(paths, json_string(facts->cuda_prefixes[i]));
    for (size_t i = 0; i < job->readable_count; i++)
        json_array_append_new(paths, json_string(job->readable[i]));
    uint64_t file_size = job->file_size > 0 ? job->file_size : cell->memory;
    return json_pack("{s:b, s:o, s:b, s:I, s:I, s:I}", "seccomp", 1, "landlock", paths, "namespaces", 1,
                     "memory", (json_int_t)(cell->cuda ? 0 : cell->memory), "cpu_seconds",
                     (json_int_t)cell->cpu_limit, "file_size", (json_int_t)file_size);
}

static Status send_job(Cell *cell, const CellJob *job, int threads, Error *error) {
    MemoryFile *program;
    if (job->file_count >= WIRE_MOST_DESCRIPTORS)
        return error_set(error, "probe", "", "%zu files are too many for one cell", job->file_count);
    if (seccomp_program(cell->arena, cell->pid, cell->cuda, &program, error) != STATUS_OK)
        return STATUS_ERROR;
    int descriptors[WIRE_MOST_DESCRIPTORS] = {program->fd};
    json_t *names = json_array();
    json_array_append_new(names, json_string("seccomp"));
    for (size_t i = 0; i < job->file_count; i++) {
        json_array_append_new(names, json_string(job->files[i]->name));
        descriptors[i + 1] = job->files[i]->fd;
    }
    json_t *frame = json_pack("{s:o, s:o, s:i, s:O}", "fds", names, "sandbox", sandbox_settings(cell, job),
                              "threads", threads, "work", job->work);
    Status status =
        wire_send(cell->socket, frame, descriptors, job->file_count + 1, now_seconds() + JOB_SECONDS, error);
    json_decref(frame);
    memory_file_close(program);
    return status;
}

/* Asks the zygote for a fork that has the other end of cell->socket. */
static Status fork_cell(Cell *cell, Error *error) {
    int sockets[2];
    cell->log = memfd_create("log", MFD_CLOEXEC);
    if (cell->log < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return error_set(error, "probe", "raise the limit of open files (ulimit -n)",
                         "a cell cannot be connected: %s", strerror(errno));
    cell->socket = sockets[0];
    const int descriptors[] = {sockets[1], cell->log};
    json_t *answer;
    Status status = zygote_ask(cell->probe, json_pack("{s:i}", "cell", cell->number), descriptors, 2, "pid",
                               LIVING_SECONDS, &answer, error);
    cell->started = now_seconds(); /* not before its turn at the zygote, which another's import may hold up */
    cell->deadline = cell->started + cell->timeout;
    close(sockets[1]);
    if (status != STATUS_OK)
        return status;
    json_int_t pid = json_integer_value(json_object_get(answer, "pid"));
    json_decref(answer);
    if (pid <= 1 || pid > INT32_MAX)
        return error_set(error, "probe", "run plumbline doctor", "the probe gave a wrong process id");
    cell->pid = (pid_t)pid;
    cell->process = (int)syscall(SYS_pidfd_open, cell->pid, 0);
    return STATUS_OK;
}

/* Probe.cells: for probe_stop, which ends those that nobody has freed. */
static void list_cell(Cell *cell) {
    Probe *probe = cell->probe;
    pthread_mutex_lock(&probe->lock);
    cell->number = ++probe->cells_started;
    cell->next = probe->cells;
    if (cell->next != NULL)
        cell->next->previous = cell;
    probe->cells = cell;
    pthread_mutex_unlock(&probe->lock);
}

static void unlist_cell(Cell *cell) {
    Probe *probe = cell->probe;
    pthread_mutex_lock(&probe->lock);
    if (cell->next != NULL)
        cell->next->previous = cell->previous;
    if (cell->previous != NULL)
        cell->previous->next = cell->next;
    else
        probe->cells = cell->next;
    pthread_mutex_unlock(&probe->lock);
}

Status cell_start(Probe *probe, const CellJob *job, Cell **result, Error *error) {
    Arena *arena = arena_new();
    Cell *cell = ARENA_NEW(arena, Cell);
    int threads = job->threads > 0 ? job->threads : processors();
    *cell = (Cell){.probe = probe,
                   .arena = arena,
                   .socket = -1,
                   .log = -1,
                   .process = -1,
                   .cuda = job->device != NULL && text_starts(job->device, "cuda"),
                   .timeout = job->timeout > 0 ? job->timeout : DEFAULT_TIMEOUT,
                   .memory = job->memory > 0 ? job->memory : available_memory() / 10 * 9,
                   .log_limit = job->log_limit > 0 ? job->log_limit : LOG_TAIL};
    cell->cpu_limit = (long)(cell->timeout * threads) + 2;
    list_cell(cell);
    if (fork_cell(cell, error) != STATUS_OK) {
        cell_free(cell);
        return STATUS_ERROR;
    }
    cell->reader = (WireReader){.fd = cell->socket, .limit = MOST_FRAME};
    if (send_job(cell, job, threads, error) != STATUS_OK) {
        cell_free(cell);
        return STATUS_ERROR;
    }
    *result = cell;
    return STATUS_OK;
}

/* Whether the process is gone, or goes within the grace. */
static bool ends_by_itself(const Cell *cell) {
    if (cell->process < 0) { /* an old kernel: give it the time, and let the wait status tell */
        usleep((useconds_t)(grace * 1e6));
        return true;
    }
    struct pollfd poller = {.fd = cell->process, .events = POLLIN};
    return poll(&poller, 1, (int)(grace * 1000)) > 0;
}

static void close_all(Cell *cell) {
    int *const open[] = {&cell->socket, &cell->log, &cell->process};
    for (size_t i = 0; i < COUNT_OF(open); i++) {
        if (*open[i] >= 0)
            close(*open[i]);
        *open[i] = -1;
    }
    wire_free(&cell->reader);
}

/* Kills it if need be, and waits until it is dead: the zygote waits for whom it reaps, and others for it. */
static void end_process(const Cell *cell) {
    bool broken = !probe_works(cell->probe);
    if (cell->process >= 0)
        syscall(SYS_pidfd_send_signal, cell->process, SIGKILL, NULL, 0);
    else if (!broken)
        kill(cell->pid, SIGKILL); /* the id is its own until the zygote has reaped it */
    if (!broken)
        kill(-cell->pid, SIGKILL);
    struct pollfd poller = {.fd = cell->process, .events = POLLIN};
    if (cell->process >= 0)
        poll(&poller, 1, LIVING_SECONDS * 1000);
}

/* Has the cell killed and reaped, and fills what is known only then. */
static Status bury(Cell *cell, int *wait_status, Error *error) {
    Probe *probe = cell->probe;
    CellReport *report = &cell->report;
    end_process(cell);
    json_t *answer;
    if (zygote_ask(probe, json_pack("{s:i}", "reap", (int)cell->pid), NULL, 0, "reaped", LIVING_SECONDS,
                   &answer, error) != STATUS_OK)
        return STATUS_ERROR;
    *wait_status = (int)json_integer_value(json_object_get(answer, "status"));
    json_int_t rss = json_integer_value(json_object_get(answer, "max_rss"));
    report->max_rss = rss > 0 ? (uint64_t)rss : 0;
    report->cpu_seconds = json_number_value(json_object_get(answer, "cpu_seconds"));
    json_decref(answer);
    report->wall_seconds = now_seconds() - cell->started;
    report->log = file_tail(cell->arena, cell->log, cell->log_limit);
    close_all(cell);
    cell->phase = PHASE_ENDED;
    return STATUS_OK;
}

/* `message` of the wire's own error, with what the cell did. */
static Status end_by_protocol(Cell *cell, const char *problem, Error *error) {
    int wait_status;
    Status status = bury(cell, &wait_status, error);
    outcome_of_protocol(cell, problem);
    return status;
}

/* The weakest sandbox so far outlives the cell. */
static void weaken_sandbox(Probe *probe, const SandboxReport *report) {
    pthread_mutex_lock(&probe->lock);
    const SandboxReport *before = atomic_load(&probe->sandbox);
    SandboxReport after = *before;
    bool weaker = false;
    sandbox_weaken(&after, report);
    for (size_t i = 0; i < SANDBOX_LAYER_COUNT; i++) {
        if (after.layers[i].text == before->layers[i].text)
            continue;
        after.layers[i].text = arena_strdup(probe->arena, after.layers[i].text);
        weaker = true;
    }
    const SandboxReport *kept = weaker ? arena_copy(probe->arena, &after, sizeof after) : before;
    atomic_store(&probe->sandbox, kept);
    pthread_mutex_unlock(&probe->lock);
}

static Status take_ready(Cell *cell, const json_t *ready, Error *error) {
    Probe *probe = cell->probe;
    CellReport *report = &cell->report;
    if (!sandbox_read(cell->arena, json_object_get(ready, "layers"), cell->cuda, &report->sandbox))
        return end_by_protocol(cell, "it did not say which layers of the sandbox hold", error);
    report->ready_seconds = now_seconds() - cell->started;
    weaken_sandbox(probe, &report->sandbox);
    SandboxLayer missing = sandbox_missing(&report->sandbox);
    if (probe->options.require_sandbox && missing != SANDBOX_LAYER_COUNT) {
        int wait_status;
        if (bury(cell, &wait_status, error) != STATUS_OK)
            return STATUS_ERROR;
        return error_set(
            error, "sandbox",
            "run plumbline doctor to see what this machine lacks, or leave out --require-sandbox", "%s is %s",
            sandbox_layer_name(missing), report->sandbox.layers[missing].text);
    }
    cell->phase = PHASE_WORKING;
    return STATUS_OK;
}

static Status take_answer(Cell *cell, json_t *frame, Error *error) {
    const json_t *done = json_object_get(frame, "done"), *failed = json_object_get(frame, "failed");
    CellReport *report = &cell->report;
    int wait_status;
    if (json_is_object(done) && cell->phase == PHASE_WORKING) {
        cell->answer = json_incref(frame);
        report->done = done;
        report->outcome = CELL_DONE;
        return bury(cell, &wait_status, error);
    }
    if (failed == NULL || !failure_read(cell->arena, failed, &report->failure))
        return end_by_protocol(cell, "its answer is none that the probe gives", error);
    outcome_of_failure(cell);
    return bury(cell, &wait_status, error);
}

static Status take_frame(Cell *cell, Error *error) {
    json_t *frame;
    Error problem;
    if (wire_take(&cell->reader, "its answer", &frame, &problem) != STATUS_OK)
        return end_by_protocol(cell, error_line(cell->arena, &problem), error);
    const json_t *ready = json_object_get(frame, "ready");
    Status status = cell->phase == PHASE_SANDBOXING && json_is_object(ready)
                        ? take_ready(cell, ready, error)
                        : take_answer(cell, frame, error);
    json_decref(frame);
    return status;
}

/* Reads what the cell has sent. Afterwards it has ended, or there is nothing more to read. */
static Status pump(Cell *cell, Error *error) {
    while (cell->phase != PHASE_ENDED) {
        switch (wire_read(&cell->reader)) {
        case WIRE_AGAIN: return STATUS_OK;
        case WIRE_BAD: return end_by_protocol(cell, cell->reader.problem, error);
        case WIRE_FRAME:
            if (take_frame(cell, error) != STATUS_OK)
                return STATUS_ERROR;
            break;
        case WIRE_END: {
            bool gone = ends_by_itself(cell);
            int wait_status;
            if (bury(cell, &wait_status, error) != STATUS_OK)
                return STATUS_ERROR;
            outcome_of_end(cell, wait_status, !gone);
            break;
        }
        }
    }
    return STATUS_OK;
}

static Status end_at_deadline(Cell *cell, Error *error) {
    int wait_status;
    Status status = bury(cell, &wait_status, error);
    outcome_of_deadline(cell);
    return status;
}

/* The first of `cells` that has ended, or `count`. */
static size_t first_ended(Cell *const *cells, size_t count) {
    size_t index = 0;
    while (index < count && cells[index]->phase != PHASE_ENDED)
        index++;
    return index;
}

Status cells_wait_any(Cell *const *cells, size_t count, size_t *index, Error *error) {
    struct pollfd pollers[MOST_CELLS];
    if (count == 0 || count > MOST_CELLS)
        return error_set(error, "probe", "", "cannot wait for %zu cells at once", count);
    while ((*index = first_ended(cells, count)) == count) {
        double next = cells[0]->deadline;
        for (size_t i = 0; i < count; i++) {
            pollers[i] = (struct pollfd){.fd = cells[i]->socket, .events = POLLIN};
            next = cells[i]->deadline < next ? cells[i]->deadline : next;
        }
        double left = next - now_seconds();
        poll(pollers, count, left <= 0 ? 0 : left > 3600 ? 3600000 : (int)(left * 1000) + 1);
        double now = now_seconds();
        for (size_t i = 0; i < count; i++) {
            if (pollers[i].revents != 0 && pump(cells[i], error) != STATUS_OK)
                return STATUS_ERROR;
            if (cells[i]->phase != PHASE_ENDED && now >= cells[i]->deadline &&
                end_at_deadline(cells[i], error) != STATUS_OK)
                return STATUS_ERROR;
        }
    }
    return STATUS_OK;
}

Status cell_wait(Cell *cell, const CellReport **report, Error *error) {
    size_t index;
    if (cells_wait_any(&cell, 1, &index, error) != STATUS_OK)
        return STATUS_ERROR;
    *report = &cell->report;
    return STATUS_OK;
}

const CellReport *cell_report(const Cell *cell) {
    return cell->phase == PHASE_ENDED ? &cell->report : NULL;
}

void cell_free(Cell *cell) {
    if (cell->phase != PHASE_ENDED && cell->pid > 0) {
        int wait_status;
        Error ignored;
        Status status = bury(cell, &wait_status, &ignored);
        (void)status; /* if the zygote is gone, the kernel has killed its cells */
    }
    close_all(cell);
    json_decref(cell->answer);
    unlist_cell(cell);
    arena_free(cell->arena);
}

Status cell_run(Probe *probe, const CellJob *job, const CellReport **report, Error *error) {
    Cell *cell;
    if (cell_start(probe, job, &cell, error) != STATUS_OK)
        return STATUS_ERROR;
    return cell_wait(cell, report, error);
}
