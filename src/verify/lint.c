/* Judging one candidate file by its source alone. */
#include "verify_internal.h"

#include <string.h>

static bool defines_refactored_model(const Tree *tree) {
    const Field *body = node_field(tree->module, FIELD_body);
    for (size_t i = 0; body != NULL && i < body->count; i++)
        if (body->items[i] != NULL && body->items[i]->kind == NODE_ClassDef &&
            text_equal(node_text(body->items[i], FIELD_name), "RefactoredModel"))
            return true;
    return false;
}

/* A refactored file is held to the rules on operators too; a component to the language alone. */
static bool is_refactored(const ProgramFile *file, const char *path) {
    return strcmp(path_name(path), "refactored.py") == 0 || defines_refactored_model(&file->tree);
}

void lint_file(Arena *arena, const Parser *parser, const char *path, const char *const *allowed_imports,
               size_t allowed_import_count, LintResult *result) {
    Program program;
    Error error;
    *result = (LintResult){.verdict = VERDICT_PASS, .findings = findings_new(arena)};
    if (program_load(arena, parser, path, PART_OWN, allowed_imports, allowed_import_count, &program,
                     result->findings, &error) != STATUS_OK) {
        result->verdict = VERDICT_ERROR;
        result->error = error_line(arena, &error);
        return;
    }
    const bool refactored = is_refactored(program.items[0], path);
    program.items[0]->part = refactored ? PART_OWN : PART_CHILD;
    policy_judge_language(&program, allowed_imports, allowed_import_count, result->findings);
    if (refactored)
        policy_judge_source(&program, result->findings);
    frames_fill(arena, &program, result->findings);
    findings_sort(result->findings);
    if (findings_count(result->findings, SEVERITY_VIOLATION) > 0)
        result->verdict = VERDICT_FAIL;
}
