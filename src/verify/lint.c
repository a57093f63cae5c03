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
static Status part_of(Arena *arena, const Parser *parser, const char *path, FilePart *part, Error *error) {
    Source source;
    Tree tree;
    if (source_read(arena, path, path, &source, error) != STATUS_OK ||
        parser->parse(parser->context, arena, &source, 1, &tree, error) != STATUS_OK)
        return STATUS_ERROR;
    bool own = strcmp(path_name(path), "refactored.py") == 0 || defines_refactored_model(&tree);
    *part = own ? PART_OWN : PART_CHILD;
    return STATUS_OK;
}

void lint_file(Arena *arena, const Parser *parser, const char *path, const char *const *allowed_imports,
               size_t allowed_import_count, LintResult *result) {
    Program program;
    FilePart part;
    Error error;
    *result = (LintResult){.verdict = VERDICT_PASS, .findings = findings_new(arena)};
    if (part_of(arena, parser, path, &part, &error) != STATUS_OK ||
        program_load(arena, parser, path, part, allowed_imports, allowed_import_count, &program,
                     result->findings, &error) != STATUS_OK) {
        result->verdict = VERDICT_ERROR;
        result->error = error_line(arena, &error);
        return;
    }
    policy_judge_language(&program, allowed_imports, allowed_import_count, result->findings);
    if (part == PART_OWN)
        policy_judge_source(&program, result->findings);
    findings_sort(result->findings);
    if (findings_count(result->findings, SEVERITY_VIOLATION) > 0)
        result->verdict = VERDICT_FAIL;
}
