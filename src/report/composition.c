/* A recomposition's result, for people and for programs. */
#include "paint.h"
#include "parts.h"

#include <inttypes.h>
#include <string.h>

static const char *reached(const TensorFact *fact, Arena *arena) {
    Text text = text_new(arena);
    text_printf(&text, "%s [", fact->dtype);
    for (size_t i = 0; i < fact->rank; i++)
        text_printf(&text, "%s%" PRId64, i > 0 ? ", " : "", fact->shape[i]);
    text_add(&text, "]");
    return text.data;
}

static json_t *facts_json(Arena *arena, const TensorFacts *facts) {
    json_t *object = json_object();
    for (size_t i = 0; i < facts->count; i++)
        set(object, facts->items[i].name, json_string(reached(&facts->items[i], arena)));
    return object;
}

static json_t *placements_json(Arena *arena, const Project *project, const CompositionResult *result) {
    json_t *list = json_array();
    for (size_t i = 0; i < result->placement_count; i++) {
        const Placement *placement = &result->placements[i];
        json_t *object = json_object();
        set(object, "module", json_string(placement->module));
        set(object, "component", text_or_null(project->components[placement->component].source.name));
        set(object, "step",
            placement->refactored ? text_or_null(project->steps[placement->step].name) : json_null());
        set(object, "called", json_boolean(placement->module_call != SIZE_MAX));
        set(object, "inputs", facts_json(arena, &placement->inputs));
        set(object, "outputs", facts_json(arena, &placement->outputs));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *missing_json(const Project *project, const CompositionResult *result) {
    json_t *list = json_array();
    for (size_t i = 0; i < result->missing_count; i++)
        json_array_append_new(list, text_or_null(project->components[result->missing[i]].source.name));
    return list;
}

json_t *report_composition_json(Arena *arena, const Project *project, const CompositionResult *result,
                                const char *timestamp) {
    json_t *object = json_object(), *test = json_object();
    set(test, "status", json_string(part_status_name(result->test)));
    set(test, "said", text_or_null(result->test_said));
    set(object, "status", json_string(verdict_name(result->verdict)));
    set(object, "method", text_or_null(result->composed ? report_method(&result->step) : NULL));
    set(object, "fail_reason", text_or_null(result->fail_reason));
    set(object, "composed", json_boolean(result->composed));
    set(object, "missing_steps", missing_json(project, result));
    set(object, "findings", findings_json(result->findings));
    set(object, "composition_test", test);
    set(object, "weight_map", result->weight_map == NULL ? json_null() : json_incref(result->weight_map));
    set(object, "placements", placements_json(arena, project, result));
    set(object, "verification", result->composed ? report_step_json(&result->step, timestamp) : json_null());
    return object;
}

static size_t count_placed(const CompositionResult *result, bool refactored) {
    size_t count = 0;
    for (size_t i = 0; i < result->placement_count; i++)
        count += result->placements[i].refactored == refactored;
    return count;
}

static void add_map_line(const CompositionResult *result, Text *text) {
    if (result->weight_map == NULL)
        return;
    size_t places = 0;
    const char *key;
    json_t *value;
    json_object_foreach(result->weight_map, key, value) places +=
        json_is_array(value) ? json_array_size(value) : 1;
    text_printf(text, "  weights   %zu of the model in %zu places\n", json_object_size(result->weight_map),
                places);
}

Bytes report_composition(Arena *arena, const Project *project, const CompositionResult *result, bool quiet) {
    Text text = text_new(arena);
    const char *method = result->composed ? report_method(&result->step) : NULL;
    text_printf(&text, "%s  %s recomposed%s%s%s\n", verdict_name(result->verdict),
                shown(arena, project->name), result->verdict == VERDICT_PASS && method != NULL ? " (" : "",
                result->verdict == VERDICT_PASS && method != NULL ? method : "",
                result->verdict == VERDICT_PASS && method != NULL ? ")" : "");
    if (result->fail_reason != NULL)
        text_printf(&text, "  %s\n", shown(arena, result->fail_reason));
    if (quiet)
        return (Bytes){(const uint8_t *)text.data, text.length};
    if (result->composed)
        text_printf(&text, "  modules   %zu refactored, %zu leaves\n", count_placed(result, true),
                    count_placed(result, false));
    add_map_line(result, &text);
    if (result->composed && method != NULL && result->step.proof.proved)
        text_printf(&text, "  proof     %zu operators, %s\n", result->step.proof.operators,
                    result->step.proof.symbolic ? "on shapes alone" : "on real tensors");
    for (size_t i = 0; i < result->missing_count; i++)
        text_printf(&text, "  no step   %s\n",
                    shown(arena, project->components[result->missing[i]].source.name));
    const bool said = result->test_said != NULL && result->test_said[0] != '\0';
    text_printf(&text, said ? "  test      %s (%s)\n" : "  test      %s\n", part_status_name(result->test),
                said ? shown(arena, result->test_said) : "");
    for (size_t i = 0; i < result->findings->count; i++) {
        const Finding *finding = &result->findings->items[i];
        text_printf(&text, "  %s %s [%s]\n",
                    finding->severity == SEVERITY_VIOLATION ? "wrong    " : "note     ",
                    finding_text(arena, finding), finding->rule->id);
    }
    return (Bytes){(const uint8_t *)text.data, text.length};
}
