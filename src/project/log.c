/* decomposition_log.json. */
#include "project_parts.h"

#include <string.h>

static const char *const KEYS[] = {"step", "type", "title", "description", "timestamp"};
static const char *const TYPES[] = {"decision", "difficulty", "deviation"};

static const char *text_of(Reading *reading, const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? NULL : arena_strdup(reading->arena, text);
}

static bool is_type(const char *type) {
    for (size_t i = 0; i < COUNT_OF(TYPES); i++)
        if (text_equal(type, TYPES[i]))
            return true;
    return false;
}

static bool is_blank(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && text[strspn(text, " \t\r\n")] == '\0';
}

static LogEntry read_entry(Reading *reading, const json_t *object, size_t index, int line) {
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        const json_t *value = json_object_get(object, KEYS[i]);
        bool number = i == 0 && json_is_integer(value);
        if (!json_is_string(value) && !number)
            project_finding(reading, &RULE_log_form, SEVERITY_VIOLATION, LOG_FILE, line,
                            "entry %zu lacks the text \"%s\"", index + 1, KEYS[i]);
    }
    if (is_blank(object, "title") && is_blank(object, "description"))
        project_finding(reading, &RULE_log_form, SEVERITY_VIOLATION, LOG_FILE, line,
                        "entry %zu says nothing: its title and description are empty", index + 1);
    LogEntry entry = {text_of(reading, object, "step"), text_of(reading, object, "type"),
                      text_of(reading, object, "title")};
    if (entry.type != NULL && !is_type(entry.type))
        project_finding(reading, &RULE_log_type, SEVERITY_VIOLATION, LOG_FILE, line,
                        "entry %zu has the type '%s'", index + 1, entry.type);
    return entry;
}

void log_read(Reading *reading) {
    Project *project = reading->project;
    Table *lines;
    bool there, decided = false;
    json_t *log = project_json(reading, LOG_FILE, &lines, &there);
    if (!there)
        project_finding(reading, &RULE_log_missing, SEVERITY_VIOLATION, LOG_FILE, 0, "there is no " LOG_FILE);
    if (log == NULL)
        return;
    const json_t *entries = json_object_get(log, "entries");
    if (!json_is_array(entries)) {
        project_finding(reading, &RULE_log_form, SEVERITY_VIOLATION, LOG_FILE, 0,
                        "\"entries\", a list, is missing");
        json_decref(log);
        return;
    }
    project->log = ARENA_ARRAY(reading->arena, LogEntry, json_array_size(entries) + 1);
    for (size_t i = 0; i < json_array_size(entries); i++) {
        int line = line_of(lines, reading->arena, "entries", arena_printf(reading->arena, "%zu", i), NULL);
        LogEntry entry = read_entry(reading, json_array_get(entries, i), i, line);
        decided |= text_equal(entry.type, "decision");
        project->log[project->log_count++] = entry;
    }
    if (!decided)
        project_finding(reading, &RULE_log_decision, SEVERITY_VIOLATION, LOG_FILE,
                        line_of(lines, reading->arena, "entries", NULL),
                        "there is no entry of type decision");
    json_decref(log);
}
