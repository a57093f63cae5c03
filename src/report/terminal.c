/* The terminal view: three parts, a verdict, and the one thing to look at first. */
#include "paint.h"

#include <math.h>
#include <string.h>

static void put_status(const View *view, PartStatus status) {
    static const struct {
        Tint tint;
        const char *mark;
    } looks[] = {[PART_NOT_REACHED] = {TINT_DIM, "-"},
                 [PART_PASSED] = {TINT_GOOD, "\xe2\x9c\x93"},
                 [PART_FAILED] = {TINT_BAD, "\xe2\x9c\x97"},
                 [PART_SKIPPED] = {TINT_WARN, "!"}};
    put(view, looks[status].tint, looks[status].mark);
}

static void put_part(const View *view, const char *name, PartStatus status, const char *text) {
    fprintf(view->stream, "  %-11s", name);
    put_status(view, status);
    fprintf(view->stream, "  %s\n", text);
}

static bool is_part(const Finding *finding, const char *part) {
    if (finding->severity != SEVERITY_VIOLATION)
        return false;
    bool weights = text_starts(finding->rule->id, "weights."),
         numbers = text_starts(finding->rule->id, "numbers.");
    return part == NULL ? !weights && !numbers : text_starts(finding->rule->id, part);
}

static size_t count_part(const StepResult *result, const char *part) {
    size_t count = 0;
    for (size_t i = 0; i < result->findings->count; i++)
        count += is_part(&result->findings->items[i], part);
    return count;
}

static const char *plural(size_t count) {
    return count == 1 ? "" : "s";
}

static const char *anticheat_text(Arena *arena, const StepResult *result) {
    switch (result->anticheat) {
    case PART_NOT_REACHED: return "not reached";
    case PART_SKIPPED: return "SKIPPED by --skip-anticheat: nothing is known about where the work is done";
    case PART_PASSED: return "only child calls and data plumbing";
    case PART_FAILED: break;
    }
    size_t count = count_part(result, NULL);
    return arena_printf(arena, "%zu finding%s", count, plural(count));
}

static const char *weights_text(Arena *arena, const StepResult *result) {
    if (result->weights == PART_NOT_REACHED)
        return "not reached";
    size_t mapped = result->assignment->mapped_count, all = result->assignment->original->count;
    if (result->weights == PART_PASSED && mapped == all)
        return arena_printf(arena, "all %zu mapped", all);
    size_t findings = count_part(result, "weights.");
    return arena_printf(arena, "%zu of %zu mapped%s", mapped, all,
                        findings == 0 ? "; no output depends on the others" : "");
}

static const char *numbers_text(Arena *arena, const StepResult *result) {
    if (result->numbers == PART_NOT_REACHED)
        return result->proof.proved ? "not needed" : "not reached";
    size_t failed = 0, perturbed = result->trial_count - result->seeded_count;
    double worst = NAN;
    for (size_t i = 0; i < result->trial_count; i++) {
        const Trial *trial = &result->trials[i];
        failed += !trial->pass;
        if (!trial->pass && !isnan(trial->max_diff) && !(trial->max_diff <= worst))
            worst = trial->max_diff;
    }
    if (failed > 0 && isnan(worst))
        return arena_printf(arena, "%zu of %zu trials failed; there are no numbers to compare", failed,
                            result->trial_count);
    if (failed > 0)
        return arena_printf(arena, "%zu of %zu trials failed; max diff %.3g (rtol %.3g, atol %.3g)", failed,
                            result->trial_count, worst, result->tolerance.rtol, result->tolerance.atol);
    if (perturbed == 0)
        return arena_printf(arena, "%zu seeds; max diff %.3g (rtol %.3g, atol %.3g)", result->seeded_count,
                            result->max_diff, result->tolerance.rtol, result->tolerance.atol);
    return arena_printf(arena, "%zu seeds and %zu perturbed trials; max diff %.3g (rtol %.3g, atol %.3g)",
                        result->seeded_count, perturbed, result->max_diff, result->tolerance.rtol,
                        result->tolerance.atol);
}

static const char *proof_text(Arena *arena, const ProofResult *proof) {
    if (!proof->attempted)
        return "not attempted";
    if (!proof->proved && proof->why_not == NULL)
        return "not finished";
    if (!proof->proved)
        return arena_printf(arena, "not proved: %s", shown(arena, proof->why_not));
    return arena_printf(arena,
                        "the same computation for all weights and inputs of these shapes (%zu operators)",
                        proof->operators);
}

static void put_finding(const View *view, Arena *arena, const Finding *finding) {
    put(view, finding->severity == SEVERITY_VIOLATION ? TINT_BAD : TINT_WARN,
        finding->severity == SEVERITY_VIOLATION   ? "violation "
        : finding->severity == SEVERITY_UNDECIDED ? "undecided "
                                                  : "note ");
    put(view, TINT_DIM, arena_printf(arena, "%s  ", finding->rule->id));
    fprintf(view->stream, "%s\n", finding_text(arena, finding));
    if (finding->frame != NULL)
        put_frame(view, finding->frame);
}

enum { MOST_SHOWN = 8 };

static void put_others(const View *view, Arena *arena, const StepResult *result) {
    size_t shown = 0, left = 0;
    for (size_t i = 0; i < result->findings->count; i++) {
        const Finding *finding = &result->findings->items[i];
        if (finding == result->first || finding->severity == SEVERITY_NOTE)
            continue;
        if (shown++ < MOST_SHOWN)
            fprintf(view->stream, "  also %s\n", finding_text(arena, finding));
        else
            left++;
    }
    if (left > 0)
        fprintf(view->stream, "  and %zu more; --format json lists them all\n", left);
}

static void put_notes(const View *view, Arena *arena, const StepResult *result) {
    for (size_t i = 0; i < result->findings->count; i++)
        if (result->findings->items[i].severity == SEVERITY_NOTE)
            fprintf(view->stream, "  note: %s\n", finding_text(arena, &result->findings->items[i]));
    for (size_t i = 0; i < result->proof.narrowed_count && result->proof.proved; i++)
        fprintf(view->stream, "  narrowed: %s (%s)\n", shown(arena, result->proof.narrowed[i]),
                shown(arena, result->proof.narrowed_by[i]));
    for (size_t i = 0; i < result->proof.condition_count && result->proof.proved; i++)
        fprintf(view->stream, "  where: %s\n", shown(arena, result->proof.conditions[i]));
    for (size_t i = 0; i < result->assumption_count; i++)
        fprintf(view->stream, "  assumed: %s\n", shown(arena, result->assumptions[i]));
    for (size_t i = 0; i < result->allowed_import_count; i++)
        fprintf(view->stream, "  allowed: import %s (--allow-import)\n",
                shown(arena, result->allowed_imports[i]));
    for (int i = 0; i < SANDBOX_LAYER_COUNT; i++)
        if (result->sandbox.layers[i].text != NULL && !result->sandbox.layers[i].on)
            fprintf(view->stream, "  sandbox: %s %s\n", sandbox_layer_name((SandboxLayer)i),
                    result->sandbox.layers[i].text);
}

static void put_verdict(const View *view, Arena *arena, const StepResult *result) {
    put(view, result->verdict == VERDICT_PASS ? TINT_GOOD : TINT_BAD, verdict_name(result->verdict));
    if (result->verdict == VERDICT_PASS)
        fprintf(view->stream, "  %s%s, in %.1f s\n", report_method(result),
                result->anticheat == PART_SKIPPED ? ", anti-cheat skipped" : "", result->seconds.total);
    else
        fprintf(view->stream, "  %s\n",
                shown(arena, result->verdict == VERDICT_ERROR ? result->error : result->fail_reason));
}

void report_step(const View *view, const StepResult *result) {
    Arena *arena = arena_new();
    if (!view->quiet) {
        put(view, TINT_BOLD, shown(arena, result->refactored_file));
        fprintf(view->stream, " against %s\n\n", shown(arena, result->original_file));
        put_part(view, "anti-cheat", result->anticheat, anticheat_text(arena, result));
        put_part(view, "weights", result->weights, weights_text(arena, result));
        put_part(view, "proof",
                 result->proof.proved      ? PART_PASSED
                 : result->proof.attempted ? PART_SKIPPED
                                           : PART_NOT_REACHED,
                 proof_text(arena, &result->proof));
        put_part(view, "numbers", result->numbers, numbers_text(arena, result));
        if (result->departure != NULL)
            fprintf(view->stream, "  %-11s   %s\n", "", shown(arena, result->departure->says));
        put_notes(view, arena, result);
        fputc('\n', view->stream);
    }
    put_verdict(view, arena, result);
    if (!view->quiet && result->verdict != VERDICT_PASS) {
        if (result->first != NULL && result->first->frame != NULL)
            put_frame(view, result->first->frame);
        put_others(view, arena, result);
    }
    arena_free(arena);
}

void report_lint(const View *view, const char *const *files, const LintResult *results, size_t count) {
    Arena *arena = arena_new();
    for (size_t i = 0; i < count; i++) {
        const LintResult *result = &results[i];
        size_t broken = findings_count(result->findings, SEVERITY_VIOLATION);
        size_t undecided = findings_count(result->findings, SEVERITY_UNDECIDED);
        for (size_t j = 0; !view->quiet && j < result->findings->count; j++)
            put_finding(view, arena, &result->findings->items[j]);
        put(view, result->verdict == VERDICT_PASS ? TINT_GOOD : TINT_BAD, verdict_name(result->verdict));
        if (result->verdict == VERDICT_ERROR)
            fprintf(view->stream, "  %s\n", shown(arena, result->error));
        else
            fprintf(view->stream, "  %s: %zu finding%s, %zu undecided\n", shown(arena, files[i]), broken,
                    plural(broken), undecided);
    }
    arena_free(arena);
}
