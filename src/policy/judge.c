/* Judging a run: who made what, then part by part. */
#include "judge_parts.h"

#include <string.h>

enum { MOST_FINDINGS = 400 }; /* a candidate that has so many needs no more of them */

static const ProgramFile *file_at(const Judge *judge, int file) {
    return file >= 0 && (size_t)file < judge->program->count ? judge->program->items[file] : NULL;
}

Finding *judge_report(Judge *judge, const Rule *rule, Severity severity, int file, int line,
                      const TraceCall *call, const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    const char *what = arena_vprintf(judge->findings->arena, format, rest);
    va_end(rest);
    const ProgramFile *source = file_at(judge, file);
    Place place = {.file = source == NULL ? NULL : source->source.name, .line = source == NULL ? 0 : line};
    if (judge->findings->count >= MOST_FINDINGS) {
        Finding *last = ARENA_NEW(judge->arena, Finding);
        *last = (Finding){.rule = rule, .severity = severity, .place = place, .what = what};
        return last;
    }
    Finding *finding = findings_add(judge->findings, rule, severity, place, "%s", what);
    if (finding->frame == NULL && source != NULL)
        finding->frame = source_frame(judge->findings->arena, &source->source, place);
    if (finding->where == NULL && call != NULL) {
        const char *path =
            call->module_call == NO_NUMBER
                ? ""
                : judge->trace->modules[judge->trace->module_calls[call->module_call].module].path;
        finding->where = *path != '\0' && *path != '?'
                             ? text_printable(judge->findings->arena, path, strlen(path))
                         : call->in_forward ? "forward"
                                            : "__init__";
    }
    return finding;
}

bool judge_key_is_inside(const char *key, const char *module_path) {
    size_t length = strlen(module_path);
    return length == 0 ||
           (strncmp(key, module_path, length) == 0 && (key[length] == '.' || key[length] == '\0'));
}

bool judge_is_own_call(const Judge *judge, size_t call) {
    const TraceCall *made = &judge->trace->calls[call];
    const TraceMaker *maker = &judge->trace->makers[made->maker];
    if (made->in_forward)
        return !judge->maker_is_child[made->maker];
    /* Children are constructed with no call around them: there, the file tells. */
    return maker->kind == MAKER_OWN && maker->file >= 0 && (size_t)maker->file < judge->program->count &&
           judge->file_is_own[maker->file];
}

int64_t judge_child_of(const Judge *judge, size_t call) {
    int64_t around = judge->trace->calls[call].module_call;
    return around == NO_NUMBER ? NO_NUMBER : judge->outer_child[around];
}

/* Helpers count as the file that imports them: own if refactored.py reaches them without going through a
 * child. */
static void sort_files(Judge *judge) {
    const Program *program = judge->program;
    judge->file_is_own = ARENA_ARRAY(judge->arena, bool, program->count);
    judge->file_is_child = ARENA_ARRAY(judge->arena, bool, program->count);
    for (size_t i = 0; i < program->count; i++)
        judge->file_is_own[i] = program->items[i]->part == PART_OWN;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < program->count; i++) {
            const Bindings *bindings = &program->items[i]->bindings;
            for (size_t b = 0; judge->file_is_own[i] && b < bindings->count; b++) {
                const ProgramFile *file = bindings->items[b].file;
                if (file == NULL || file->part != PART_HELPER || file->index >= program->count ||
                    judge->file_is_own[file->index])
                    continue;
                judge->file_is_own[file->index] = changed = true;
            }
        }
    }
    for (size_t i = 0; i < program->count; i++)
        judge->file_is_child[i] = !judge->file_is_own[i];
}

static bool is_child_module(const Judge *judge, size_t module) {
    int file = judge->trace->modules[module].file;
    return file >= 0 && (size_t)file < judge->program->count && judge->file_is_child[file];
}

/* A module is inside a child if a prefix of its path is one. */
static void find_insides(Judge *judge) {
    const Trace *trace = judge->trace;
    judge->module_inside = ARENA_ARRAY(judge->arena, bool, trace->module_count);
    Table *children = table_new(judge->arena);
    for (size_t m = 0; m < trace->module_count; m++)
        if (is_child_module(judge, m))
            table_put(children, trace->modules[m].path, TABLE_PRESENT);
    for (size_t m = 0; m < trace->module_count; m++) {
        char *path = arena_strdup(judge->arena, trace->modules[m].path);
        for (char *dot = path + strlen(path); dot != NULL && !judge->module_inside[m];
             dot = strrchr(path, '.')) {
            *dot = '\0';
            judge->module_inside[m] = table_has(children, path);
        }
        judge->module_inside[m] = judge->module_inside[m] || is_child_module(judge, m);
    }
}

/* Is the owner of a state-dict key a child, or inside one? */
static bool key_is_inside(const Table *insides, Arena *arena, const char *key) {
    char *path = arena_strdup(arena, key);
    for (char *dot = strrchr(path, '.'); dot != NULL; dot = strrchr(path, '.')) {
        *dot = '\0';
        if (table_has(insides, path))
            return true;
    }
    return table_has(insides, "");
}

/* A module that stands at two paths is in the trace at one, and its tensors have a key there too. */
static bool is_second_path(const Table *paths, Arena *arena, const char *key) {
    const char *dot = strrchr(key, '.');
    return dot != NULL && !table_has(paths, arena_strndup(arena, key, (size_t)(dot - key)));
}

static bool *find_child_state(Judge *judge) {
    const Trace *trace = judge->trace;
    Table *insides = table_new(judge->arena), *paths = table_new(judge->arena);
    for (size_t m = 0; m < trace->module_count; m++) {
        table_put(paths, trace->modules[m].path, TABLE_PRESENT);
        if (judge->module_inside[m])
            table_put(insides, trace->modules[m].path, TABLE_PRESENT);
    }
    bool *child_state = ARENA_ARRAY(judge->arena, bool, trace->tensor_count);
    for (size_t t = 0; t < trace->tensor_count; t++) {
        const TraceTensor *tensor = &trace->tensors[t];
        if (tensor->origin != ORIGIN_PARAMETER && tensor->origin != ORIGIN_BUFFER)
            continue;
        for (size_t k = 0; k < tensor->key_count; k++) {
            bool inside = key_is_inside(insides, judge->arena, tensor->keys[k]);
            child_state[t] = child_state[t] || inside;
            if (!inside && tensor->origin == ORIGIN_PARAMETER &&
                !is_second_path(paths, judge->arena, tensor->keys[k])) {
                Finding *finding =
                    judge_report(judge, &RULE_INIT_PARAMETER, SEVERITY_VIOLATION, 0, 0, NULL,
                                 "the parameter %s belongs to no child",
                                 text_printable(judge->arena, tensor->keys[k], strlen(tensor->keys[k])));
                finding->where =
                    text_printable(judge->findings->arena, tensor->keys[k], strlen(tensor->keys[k]));
            }
        }
    }
    return child_state;
}

/* SOUNDNESS 19: a method of a child counts as the child if it uses a parameter or buffer of that child. */
static void judge_makers(Judge *judge) {
    const Trace *trace = judge->trace;
    judge->maker_is_child = ARENA_ARRAY(judge->arena, bool, trace->maker_count);
    for (size_t m = 0; m < trace->maker_count; m++)
        judge->maker_is_child[m] = trace->makers[m].kind == MAKER_CHILD &&
                                   judge->outer_child[trace->makers[m].module_call] != NO_NUMBER;
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        const TraceMaker *maker = &trace->makers[call->maker];
        if (maker->kind != MAKER_METHOD || judge->maker_is_child[call->maker] ||
            !judge->module_inside[maker->module])
            continue;
        const char *path = trace->modules[maker->module].path;
        for (size_t u = 0; u < call->use_count; u++) {
            const TraceTensor *tensor = &trace->tensors[call->uses[u].number];
            if ((tensor->origin != ORIGIN_PARAMETER && tensor->origin != ORIGIN_BUFFER) ||
                trace_use_is_metadata(trace, call, u) || call->give_count + call->written_count == 0)
                continue;
            for (size_t k = 0; k < tensor->key_count; k++)
                if (judge_key_is_inside(tensor->keys[k], path))
                    judge->maker_is_child[call->maker] = true;
        }
    }
}

static void find_outer_children(Judge *judge) {
    const Trace *trace = judge->trace;
    judge->outer_child = ARENA_ARRAY(judge->arena, int64_t, trace->module_call_count);
    for (size_t m = 0; m < trace->module_call_count; m++) {
        const TraceModuleCall *call = &trace->module_calls[m];
        int64_t outer = call->parent == NO_NUMBER ? NO_NUMBER : judge->outer_child[call->parent];
        judge->outer_child[m] =
            outer == NO_NUMBER && is_child_module(judge, call->module) ? (int64_t)m : outer;
    }
}

static void judge_unknown_origins(Judge *judge) {
    UnknownOrigin *unknown;
    size_t count = trace_unknown_origins(judge->arena, judge->trace, &unknown);
    for (size_t i = 0; i < count; i++) {
        const TraceCall *call = unknown[i].call == SIZE_MAX ? NULL : &judge->trace->calls[unknown[i].call];
        judge_report(judge, &RULE_TRACE_UNKNOWN, SEVERITY_VIOLATION, call == NULL ? 0 : call->file,
                     call == NULL ? 0 : call->line, call, "no recorded call made a tensor that %s",
                     call == NULL ? "forward returns" : "this line uses");
    }
}

void policy_judge_trace(const Program *program, const Trace *candidate, const Trace *original,
                        Findings *findings) {
    Arena *arena = arena_new();
    Judge judge = {.arena = arena,
                   .program = program,
                   .trace = candidate,
                   .original = original,
                   .findings = findings_new(findings->arena)};
    sort_files(&judge);
    find_insides(&judge);
    find_outer_children(&judge);
    judge_makers(&judge);
    bool *by_child = ARENA_ARRAY(arena, bool, candidate->call_count);
    for (size_t i = 0; i < candidate->call_count; i++)
        by_child[i] = judge.maker_is_child[candidate->calls[i].maker];
    judge.flow = flow_new(arena, candidate, by_child, find_child_state(&judge));
    judge.original_flow = flow_new(arena, original, NULL, NULL);
    for (size_t i = 0; i < original->call_count; i++) {
        flow_read_call(&judge.original_flow, i);
        flow_write(&judge.original_flow, i);
    }
    judge_operators(&judge);
    judge_unknown_origins(&judge);
    judge_kept(&judge);
    judge_children(&judge);
    judge_tests(&judge);
    judge_randomness(&judge);
    judge_excess(&judge);
    judge_settle(&judge, findings);
    arena_free(arena);
}
