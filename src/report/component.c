/* What `plumbline component` found out of each file. */
#include "parts.h"

static const char *level_text(const ComponentResult *result) {
    return result->has_level ? level_name(result->level) : NULL;
}

typedef struct Part {
    const char *name, *key;
    PartStatus status;
} Part;

enum { PART_COUNT = 7 };

static void list_parts(const ComponentResult *result, Part parts[PART_COUNT]) {
    const Part all[PART_COUNT] = {{"language", "language", result->language},
                                  {"own test", "self_test", result->self_test},
                                  {"runs", "runs", result->runs},
                                  {"shapes", "shapes", result->shapes},
                                  {"finite", "finite", result->finite},
                                  {"deterministic", "deterministic", result->deterministic},
                                  {"one operation", "one_operation", result->one_operation}};
    memcpy(parts, all, sizeof all);
}

static json_t *facts_json(Arena *arena, const TensorFacts *facts) {
    json_t *list = json_array();
    for (size_t i = 0; i < facts->count; i++) {
        const TensorFact *fact = &facts->items[i];
        json_t *item = json_object(), *shape = json_array();
        for (size_t k = 0; k < fact->rank; k++)
            json_array_append_new(shape, json_integer((json_int_t)fact->shape[k]));
        set(item, "name", json_printable(arena, fact->name));
        set(item, "dtype", json_printable(arena, fact->dtype));
        set(item, "shape", shape);
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *component_json(const ComponentResult *result) {
    Arena *arena = arena_new();
    json_t *object = json_object(), *statuses = json_object();
    Part parts[PART_COUNT];
    list_parts(result, parts);
    for (size_t i = 0; i < PART_COUNT; i++)
        set(statuses, parts[i].key, json_string(part_status_name(parts[i].status)));
    set(object, "file", json_printable(arena, result->file));
    set(object, "status", json_string(verdict_name(result->verdict)));
    set(object, "error", json_printable(arena, result->error));
    set(object, "fail_reason", json_printable(arena, result->fail_reason));
    set(object, "level", text_or_null(level_text(result)));
    set(object, "parts", statuses);
    set(object, "self_test_said", json_printable(arena, result->self_test_said));
    set(object, "recorded",
        !result->recorded  ? json_null()
        : result->symbolic ? json_string("shapes")
                           : json_string("real tensors"));
    set(object, "inputs", facts_json(arena, &result->inputs));
    set(object, "outputs", facts_json(arena, &result->outputs));
    set(object, "state", facts_json(arena, &result->state));
    set(object, "init", result->init.kind == VALUE_DICT ? value_to_json(&result->init) : json_null());
    set(object, "operators", report_operators_json(&result->operators));
    set(object, "findings", findings_json(result->findings));
    arena_free(arena);
    return object;
}

json_t *report_components_json(const ComponentResult *results, size_t count, Verdict verdict) {
    json_t *object = json_object(), *list = json_array();
    size_t passed = 0;
    for (size_t i = 0; i < count; i++) {
        passed += results[i].verdict == VERDICT_PASS;
        json_array_append_new(list, component_json(&results[i]));
    }
    set(object, "status", json_string(verdict_name(verdict)));
    set(object, "total_components", json_integer((json_int_t)count));
    set(object, "passed", json_integer((json_int_t)passed));
    set(object, "failed", json_integer((json_int_t)(count - passed)));
    set(object, "components", list);
    return object;
}

/* ---- For people -------------------------------------------------------------------------------------- */

static void add_parts(const ComponentResult *result, Text *text) {
    static const char *const marks[] = {[PART_NOT_REACHED] = "-",
                                        [PART_PASSED] = "\xe2\x9c\x93",
                                        [PART_FAILED] = "\xe2\x9c\x97",
                                        [PART_SKIPPED] = "!"};
    Part parts[PART_COUNT];
    list_parts(result, parts);
    text_add(text, " ");
    for (size_t i = 0; i < PART_COUNT; i++)
        if (parts[i].status != PART_SKIPPED || i != PART_COUNT - 1)
            text_printf(text, " %s %s ", parts[i].name, marks[parts[i].status]);
    text_add(text, "\n");
}

static void add_findings(Arena *arena, const ComponentResult *result, Text *text) {
    for (size_t i = 0; i < result->findings->count; i++) {
        const Finding *finding = &result->findings->items[i];
        Finding shown = *finding;
        if (finding->severity != SEVERITY_VIOLATION)
            shown.instead = NULL;
        text_printf(text, "  %s %s  %s\n", finding->severity == SEVERITY_VIOLATION ? "violation" : "note",
                    finding->rule->id, finding_text(arena, &shown));
    }
}

void report_component_text(Arena *arena, const ComponentResult *result, bool quiet, Text *text) {
    const char *said = result->verdict == VERDICT_ERROR  ? result->error
                       : result->verdict == VERDICT_FAIL ? result->fail_reason
                                                         : NULL;
    text_printf(text, "%s  %s%s%s%s", verdict_name(result->verdict),
                text_printable(arena, result->file, strlen(result->file)),
                level_text(result) == NULL ? "" : " (", level_text(result) == NULL ? "" : level_text(result),
                level_text(result) == NULL ? "" : ")");
    if (said != NULL && result->verdict == VERDICT_ERROR && text_starts(said, result->file) &&
        said[strlen(result->file)] == ':')
        said += strlen(result->file) + 2; /* it stands there already */
    if (said != NULL)
        text_printf(text, "  %s", text_printable(arena, said, strlen(said)));
    text_add(text, "\n");
    if (quiet || result->verdict == VERDICT_ERROR)
        return;
    add_parts(result, text);
    add_findings(arena, result, text);
}
