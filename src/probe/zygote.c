/* The zygote: started, greeted, asked, ended. */
#include "zygote.h"

#include "process.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_SECONDS = 120, PRELOAD_SECONDS = 120, MOST_FRAME = 64 << 20, LOG_TAIL = 4096 };

extern const EmbeddedFile probe_files[], probe_bootstrap[];

/* The last line with anything on it: of a Python traceback, the error. */
static const char *last_line(Arena *arena, const char *text) {
    size_t end = strlen(text);
    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == ' '))
        end--;
    size_t begin = end;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    return arena_strndup(arena, text + begin, end - begin);
}

static Status zygote_failed(Probe *probe, const char *what, Error *error) {
    what = arena_strdup(probe->arena, what); /* it may be the error's own cause */
    const char *said = last_line(probe->arena, file_tail(probe->arena, probe->log, LOG_TAIL));
    return error_set(error, probe->options.interpreter, "run plumbline doctor", "%s%s%s", what,
                     said[0] == '\0' ? "" : ": ", said);
}

static Status exchange(Probe *probe, const json_t *request, const int *descriptors, size_t count,
                       const char *key, double seconds, json_t **answer, Error *error) {
    if (probe->broken)
        return zygote_failed(probe, "the probe ended unexpectedly", error);
    double deadline = now_seconds() + seconds;
    Status status = wire_send(probe->socket, request, descriptors, count, deadline, error);
    if (status == STATUS_OK)
        status = wire_receive(&probe->reader, "probe", deadline, answer, error);
    if (status == STATUS_OK && json_object_get(*answer, key) != NULL)
        return STATUS_OK;
    probe->broken = true;
    if (probe->pid > 0)
        kill(probe->pid, SIGKILL);
    if (status != STATUS_OK)
        return zygote_failed(probe, error->cause[0] == '\0' ? "the probe ended unexpectedly" : error->cause,
                             error);
    json_decref(*answer);
    return zygote_failed(probe, "the probe gave a wrong answer", error);
}

Status zygote_ask(Probe *probe, json_t *request, const int *descriptors, size_t count, const char *key,
                  double seconds, json_t **answer, Error *error) {
    pthread_mutex_lock(&probe->lock);
    Status status = exchange(probe, request, descriptors, count, key, seconds, answer, error);
    pthread_mutex_unlock(&probe->lock);
    json_decref(request);
    return status;
}

/* The names and texts of its modules, each ended by NUL, as a memory file. */
static Status probe_sources(Arena *arena, MemoryFile **file, Error *error) {
    Text text = text_new(arena);
    for (const EmbeddedFile *each = probe_files; each->name != NULL; each++) {
        text_add_bytes(&text, each->name, strlen(each->name) + 1);
        text_add_bytes(&text, (const char *)each->bytes.data, each->bytes.size);
        text_add_bytes(&text, "", 1);
    }
    size_t offset;
    const Bytes bytes = {(const uint8_t *)text.data, text.length};
    if (memory_file_new(arena, "probe", file, error) != STATUS_OK)
        return STATUS_ERROR;
    const Status status = memory_file_append(*file, bytes, 1, &offset, error);
    if (status != STATUS_OK)
        memory_file_close(*file);
    return status;
}

static Status start_process(Probe *probe, Error *error) {
    const ProbeOptions *options = &probe->options;
    MemoryFile *sources;
    if (probe_sources(probe->arena, &sources, error) != STATUS_OK)
        return STATUS_ERROR;
    int sockets[2];
    probe->log = memfd_create("probe log", MFD_CLOEXEC);
    if (probe->log < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        int cause = errno;
        memory_file_close(sources);
        return error_set(error, options->interpreter, "raise the limit of open files (ulimit -n)",
                         "cannot be connected: %s", strerror(cause));
    }
    const char *code = (const char *)probe_bootstrap[0].bytes.data, *python = options->interpreter;
    const char *const with_torch[] = {python, "-c", code, "torch", NULL};
    /* Without torch no other packages either: -S saves looking for them. */
    const char *const without[] = {python, "-S", "-c", code, "no-torch", NULL};
    const char *const *argv = options->needs_torch ? with_torch : without;
    const int descriptors[] = {-1, probe->log, probe->log, sockets[1], sources->fd};
    Status status = process_start(probe->arena, argv, descriptors, COUNT_OF(descriptors), &probe->pid, error);
    close(sockets[1]);
    memory_file_close(sources);
    probe->socket = sockets[0];
    probe->reader = (WireReader){.fd = sockets[0], .limit = MOST_FRAME};
    if (status != STATUS_OK)
        probe->pid = 0;
    return status;
}

static const char *optional_text(Arena *arena, const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? NULL : text_printable(arena, text, strlen(text));
}

static const char **text_list(Arena *arena, const json_t *list, size_t *count) {
    size_t size = json_array_size(list);
    const char **texts = ARENA_ARRAY(arena, const char *, size + 1);
    for (size_t i = 0; i < size; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text != NULL)
            texts[(*count)++] = arena_strdup(arena, text);
    }
    return texts;
}

static Status read_hello(Probe *probe, json_t *frame, double started, Error *error) {
    Arena *arena = probe->arena;
    probe->hello = json_incref(json_object_get(frame, "hello"));
    json_decref(frame);
    const json_t *hello = probe->hello, *cuda = json_object_get(hello, "cuda");
    ProbeFacts *facts = &probe->facts;
    *facts = (ProbeFacts){.python = optional_text(arena, hello, "python"),
                          .executable = optional_text(arena, hello, "executable"),
                          .torch = optional_text(arena, hello, "torch"),
                          .torch_path = optional_text(arena, hello, "torch_path"),
                          .stdlib_path = optional_text(arena, hello, "stdlib_path"),
                          .cuda_available = json_is_true(json_object_get(cuda, "available")),
                          .import_seconds = json_number_value(json_object_get(hello, "import_seconds")),
                          .start_seconds = now_seconds() - started,
                          .hello = hello};
    facts->cuda_devices = text_list(arena, json_object_get(cuda, "devices"), &facts->cuda_device_count);
    facts->prefixes = text_list(arena, json_object_get(hello, "prefixes"), &facts->prefix_count);
    facts->cuda_prefixes = text_list(arena, json_object_get(cuda, "prefixes"), &facts->cuda_prefix_count);
    facts->site_paths = text_list(arena, json_object_get(hello, "site_paths"), &facts->site_path_count);
    if (facts->python == NULL)
        return zygote_failed(probe, "the probe's greeting is malformed", error);
    const char *torch_error = optional_text(arena, hello, "torch_error");
    if (probe->options.needs_torch && (facts->torch == NULL || torch_error != NULL))
        return error_set(error, probe->options.interpreter,
                         "repair torch there, or name another Python with --python PATH",
                         "torch does not load: %s",
                         torch_error == NULL ? "it is not installed" : last_line(arena, torch_error));
    return STATUS_OK;
}

static Status greet(Probe *probe, Error *error) {
    if (probe->greeted)
        return STATUS_OK;
    if (probe->refusal != NULL) {
        *error = *probe->refusal;
        return STATUS_ERROR;
    }
    double seconds = probe->options.start_timeout > 0 ? probe->options.start_timeout : START_SECONDS;
    json_t *frame = NULL;
    Status status = wire_receive(&probe->reader, "probe", probe->started + seconds, &frame, error);
    if (status == STATUS_OK)
        status = read_hello(probe, frame, probe->started, error);
    else
        status =
            zygote_failed(probe, error->cause[0] == '\0' ? "the probe did not start" : error->cause, error);
    probe->greeted = status == STATUS_OK;
    probe->broken = status != STATUS_OK;
    if (status != STATUS_OK)
        probe->refusal = arena_copy(probe->arena, error, sizeof *error);
    return status;
}

Status probe_ready(Probe *probe, Error *error) {
    pthread_mutex_lock(&probe->lock);
    Status status = greet(probe, error);
    pthread_mutex_unlock(&probe->lock);
    return status;
}

Status probe_start(Arena *arena, const ProbeOptions *options, Probe **result, Error *error) {
    Probe *probe = ARENA_NEW(arena, Probe);
    *probe =
        (Probe){.arena = arena_new_within(arena), /* the caller's may be in use while a cell is told of */
                .options = *options,
                .socket = -1,
                .log = -1,
                .started = now_seconds(),
                .sandbox = ARENA_NEW(arena, SandboxReport)};
    probe->preloaded = table_new(probe->arena);
    pthread_mutex_init(&probe->lock, NULL);
    probe->options.interpreter = arena_strdup(arena, options->interpreter);
    Status status = start_process(probe, error);
    if (status == STATUS_OK && options->parse_ahead) {
        const ProbeOptions parser = {.interpreter = options->interpreter,
                                     .require_sandbox = options->require_sandbox};
        status = probe_start(arena, &parser, &probe->parser, error);
    } else if (status == STATUS_OK) {
        seccomp_prepare(arena); /* while the interpreter starts */
        status = probe_ready(probe, error);
    }
    if (status != STATUS_OK) {
        probe_stop(probe);
        return status;
    }
    *result = probe;
    return STATUS_OK;
}

const ProbeFacts *probe_facts(const Probe *probe) {
    return &probe->facts;
}

bool probe_works(Probe *probe) {
    pthread_mutex_lock(&probe->lock);
    bool works = !probe->broken;
    pthread_mutex_unlock(&probe->lock);
    return works;
}

const SandboxReport *probe_sandbox(const Probe *probe) {
    return atomic_load(&probe->sandbox);
}

/* The statements that are new, or NULL if none is. */
static json_t *new_statements(Probe *probe, const char *const *statements, size_t count) {
    json_t *list = NULL;
    for (size_t i = 0; i < count; i++) {
        if (table_has(probe->preloaded, statements[i]))
            continue;
        table_put(probe->preloaded, statements[i], TABLE_PRESENT);
        if (list == NULL)
            list = json_array();
        json_array_append_new(list, json_string(statements[i]));
    }
    return list;
}

Status probe_preload(Probe *probe, const char *const *statements, size_t count, Error *error) {
    pthread_mutex_lock(&probe->lock);
    Status status = STATUS_OK;
    json_t *list = new_statements(probe, statements, count), *answer;
    if (list != NULL) {
        json_t *request = json_pack("{s:o}", "preload", list);
        status = exchange(probe, request, NULL, 0, "preloaded", PRELOAD_SECONDS, &answer, error);
        json_decref(request);
        if (status == STATUS_OK)
            json_decref(answer);
    }
    pthread_mutex_unlock(&probe->lock);
    return status;
}

void probe_stop(Probe *probe) {
    if (probe == NULL)
        return;
    probe_stop(probe->parser);
    while (probe->cells != NULL)
        cell_free(probe->cells);
    if (probe->pid > 0) {
        /* It has nothing to save, and Python takes long to end by itself. */
        bool killed;
        process_end(probe->pid, 0, &killed);
        probe->pid = 0;
    }
    if (probe->socket >= 0)
        close(probe->socket);
    if (probe->log >= 0)
        close(probe->log);
    probe->socket = probe->log = -1;
    wire_free(&probe->reader);
    json_decref(probe->hello);
    probe->hello = NULL;
    pthread_mutex_destroy(&probe->lock);
}
