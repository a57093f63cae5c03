/* Steps that could not be judged, and of which no finding says why. */
#include "check_parts.h"

#include <string.h>

static bool is_said(Arena *arena, const Findings *findings, const char *step) {
    const char *folder = arena_printf(arena, "steps/%s", step);
    const size_t length = strlen(folder);
    for (size_t i = 0; i < findings->count; i++) {
        const Finding *finding = &findings->items[i];
        const char *file = finding->place.file;
        if (finding->severity == SEVERITY_VIOLATION &&
            (text_equal(finding->of, step) ||
             (file != NULL && text_starts(file, folder) && (file[length] == '/' || file[length] == '\0'))))
            return true;
    }
    return false;
}

/* The error without the decomposition's own path. */
static const char *within(const Project *project, const char *error) {
    const size_t length = strlen(project->folder);
    return text_starts(error, project->folder) && error[length] == '/' ? error + length + 1 : error;
}

void unjudged_check(Arena *arena, CheckResult *result) {
    const Project *project = &result->project;
    for (size_t i = 0; i < project->step_count; i++) {
        const StepResult *step = &result->steps[i];
        if (step->verdict != VERDICT_ERROR || step->error == NULL ||
            is_said(arena, result->findings, project->steps[i].name))
            continue;
        findings_add(result->findings, project_rule("chain.unjudged"), SEVERITY_VIOLATION,
                     (Place){.file = arena_printf(arena, "steps/%s", project->steps[i].name)},
                     "it can't be judged: %s", within(project, step->error))
            ->instead = ""; /* an error says what to do */
    }
}
