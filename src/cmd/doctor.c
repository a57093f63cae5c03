/* plumbline doctor: examines the machine, then tells it as text or JSON. */
#include "doctor.h"

#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

typedef struct LayerAdvice {
    const char *guards;  /* what goes on without it */
    const char *to_have; /* what to do */
} LayerAdvice;

static const LayerAdvice layer_advice[SANDBOX_LAYER_COUNT] = {
    [LAYER_SECCOMP] =
        {"a candidate could start programs, open sockets and signal processes",
         "use a kernel with CONFIG_SECCOMP_FILTER; in a container, allow the prctl that installs a filter"},
    [LAYER_LANDLOCK] =
        {"a candidate could read the files that you can read, the original among them",
         "use Linux 5.13 or newer with \"landlock\" among the security modules (lsm= on the kernel's "
         "command line)"},
    [LAYER_NAMESPACES] = {"nothing more while seccomp is on: it refuses sockets too",
                          "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1 or "
                          "kernel.apparmor_restrict_unprivileged_userns=0); in a container, allow unshare"},
    [LAYER_LIMITS] = {"a candidate could use all memory",
                      "raise the hard limits that you work under (ulimit -H -a)"},
};

typedef struct Examination {
    struct utsname system;
    long processors;
    double memory_gib;
    Interpreters interpreters;
    const Interpreter *chosen; /* NULL if none serves */
    ProbeFacts facts;          /* valid if `started` */
    bool started;
    SandboxReport sandbox; /* valid if `ran` */
    bool ran;
    double cell_seconds;
    const char *problem, *advice; /* what stops a step; NULL if nothing does */
} Examination;

static void set_problem(Arena *arena, Examination *found, const Error *error) {
    found->problem = arena_printf(arena, "%s%s%s", error->place, error->place[0] ? ": " : "", error->cause);
    found->advice = arena_strdup(arena, error->advice);
}

/* A cell with nothing to do: it sandboxes itself and says how that went. */
static Status try_cell(Probe *probe, Examination *found, Error *error) {
    json_t *work = json_pack("{s:s, s:[]}", "kind", "syntax", "files");
    CellJob job = {.work = work, .timeout = 30, .threads = 1};
    const CellReport *report;
    Status status = cell_run(probe, &job, &report, error);
    json_decref(work);
    if (status != STATUS_OK)
        return status;
    if (report->outcome != CELL_DONE)
        return error_set(error, "a cell", "report this with what plumbline doctor printed", "%s%s%s",
                         report->message, report->log[0] == '\0' ? "" : ": ", report->log);
    found->sandbox = *probe_sandbox(probe); /* whose texts outlive the probe */
    found->cell_seconds = report->wall_seconds;
    found->ran = true;
    return STATUS_OK;
}

static void examine(Arena *arena, const DoctorOptions *options, Examination *found, Probe **probe) {
    uname(&found->system);
    found->processors = sysconf(_SC_NPROCESSORS_ONLN);
    found->memory_gib = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 30);
    found->interpreters = interpreters_try(arena, options->python, true);
    for (size_t i = found->interpreters.count; i-- > 0;)
        if (found->interpreters.items[i].problem == NULL)
            found->chosen = &found->interpreters.items[i];
    Error error = {0};
    Interpreter chosen;
    if (found->chosen == NULL) {
        if (interpreter_find(arena, options->python, true, &chosen, &error) != STATUS_OK)
            set_problem(arena, found, &error);
        return;
    }
    ProbeOptions start = {.interpreter = found->chosen->path, .needs_torch = true};
    if (probe_start(arena, &start, probe, &error) != STATUS_OK) {
        set_problem(arena, found, &error);
        return;
    }
    found->facts = *probe_facts(*probe);
    found->started = true;
    if (try_cell(*probe, found, &error) != STATUS_OK)
        set_problem(arena, found, &error);
}

static json_t *interpreters_json(const Examination *found) {
    json_t *list = json_array();
    for (size_t i = 0; i < found->interpreters.count; i++) {
        const Interpreter *each = &found->interpreters.items[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s?, s:b, s:s?, s:b}", "path", each->path, "from",
                                        each->from, "python", each->version, "has_torch", each->has_torch,
                                        "problem", each->problem, "chosen", each == found->chosen));
    }
    return list;
}

static json_t *torch_json(const Examination *found) {
    if (!found->started)
        return json_null();
    const ProbeFacts *facts = &found->facts;
    json_t *devices = json_array();
    for (size_t i = 0; i < facts->cuda_device_count; i++)
        json_array_append_new(devices, json_string(facts->cuda_devices[i]));
    return json_pack("{s:s, s:s?, s:f, s:b, s:o}", "version", facts->torch, "path", facts->torch_path,
                     "import_seconds", facts->import_seconds, "cuda", facts->cuda_available, "cuda_devices",
                     devices);
}

static const char *as_json(Arena *arena, const Examination *found) {
    json_t *report = json_pack(
        "{s:s, s:s, s:s, s:i, s:f, s:o, s:o, s:o, s:o, s:s?, s:s?, s:b}", "plumbline", PLUMBLINE_VERSION,
        "kernel", found->system.release, "machine", found->system.machine, "processors",
        (int)found->processors, "memory_gib", found->memory_gib, "interpreters", interpreters_json(found),
        "torch", torch_json(found), "sandbox", found->ran ? sandbox_to_json(&found->sandbox) : json_null(),
        "cell_seconds", found->ran ? json_real(found->cell_seconds) : json_null(), "problem", found->problem,
        "advice", found->advice, "can_step", found->problem == NULL);
    char *text = json_dumps(report, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(report);
    const char *kept = arena_printf(arena, "%s\n", text == NULL ? "{}" : text);
    free(text);
    return kept;
}

static void tell_interpreters(Text *text, const Examination *found) {
    text_add(text, "\nPython\n");
    if (found->interpreters.count == 0)
        text_add(text, "  none was found\n");
    for (size_t i = 0; i < found->interpreters.count; i++) {
        const Interpreter *each = &found->interpreters.items[i];
        text_printf(text, "  %-7s %s (%s)",
                    each == found->chosen   ? "used"
                    : each->problem != NULL ? "no"
                                            : "not used",
                    each->path, each->from);
        text_printf(text, each->problem != NULL ? " %s\n" : ": Python %s with torch\n",
                    each->problem != NULL ? each->problem : each->version);
    }
}

static void tell_torch(Text *text, const Examination *found) {
    if (!found->started)
        return;
    const ProbeFacts *facts = &found->facts;
    text_printf(text, "\ntorch\n  %s, imported in %.1f s, from %s\n", facts->torch, facts->import_seconds,
                facts->torch_path == NULL ? "an unknown place" : facts->torch_path);
    text_add(text, "\nDevices\n  cpu\n");
    for (size_t i = 0; i < facts->cuda_device_count; i++)
        text_printf(text, "  cuda:%zu %s\n", i, facts->cuda_devices[i]);
    if (!facts->cuda_available)
        text_add(text, "  no CUDA device: --device cuda can't be used\n");
}

static void tell_sandbox(Text *text, const Examination *found) {
    if (!found->ran)
        return;
    text_printf(text, "\nSandbox, as a cell had it (%.0f ms from start to end)\n",
                found->cell_seconds * 1000);
    for (size_t i = 0; i < SANDBOX_LAYER_COUNT; i++) {
        text_printf(text, "  %-11s %s\n", sandbox_layer_name((SandboxLayer)i), found->sandbox.layers[i].text);
        if (!found->sandbox.layers[i].on)
            text_printf(text, "              without it: %s\n              to have it: %s\n",
                        layer_advice[i].guards, layer_advice[i].to_have);
    }
}

static const char *as_text(Arena *arena, const Examination *found) {
    Text text = text_new(arena);
    text_printf(&text, "plumbline %s on Linux %s %s, %ld processors, %.1f GiB of memory\n", PLUMBLINE_VERSION,
                found->system.release, found->system.machine, found->processors, found->memory_gib);
    tell_interpreters(&text, found);
    tell_torch(&text, found);
    tell_sandbox(&text, found);
    if (found->problem == NULL)
        text_add(&text, "\nplumbline step can run here.\n");
    else
        text_printf(&text, "\nplumbline step can't run here: %s\nWhat to do: %s\n", found->problem,
                    found->advice);
    return text.data;
}

bool doctor_report(Arena *arena, const DoctorOptions *options, const char **report) {
    Examination found = {0};
    Probe *probe = NULL;
    examine(arena, options, &found, &probe);
    *report = options->json ? as_json(arena, &found) : as_text(arena, &found);
    probe_stop(probe);
    return found.problem == NULL;
}
