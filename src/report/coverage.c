/* Operator coverage: the guide's table, and coverage_report.json. */
#include "parts.h"

#include <string.h>

static const char *printable(Arena *arena, const char *text) {
    return text_printable(arena, text, strlen(text));
}

static json_t *types_with(const CoverageResult *result, CoverageStatus status) {
    json_t *list = json_array();
    for (size_t i = 0; i < result->row_count; i++)
        if (result->rows[i].status == status)
            json_array_append_new(list, json_string(result->rows[i].operator));
    return list;
}

static json_t *row_json(const CoverageRow *row) {
    json_t *json = json_object();
    set(json, "op_type", json_string(row->operator));
    set(json, "original_count", json_integer((json_int_t)row->original));
    set(json, "decomposed_count", json_integer((json_int_t)row->decomposed));
    set(json, "status", json_string(coverage_status_name(row->status)));
    set(json, "arithmetic", json_boolean(row->arithmetic));
    set(json, "note", text_or_null(row->note));
    return json;
}

json_t *report_coverage_json(const CoverageResult *result, const char *model, const char *timestamp) {
    json_t *json = json_object(), *coverage = json_object(), *rows = json_array(), *remarks = json_array();
    json_t *errors = json_array();
    for (size_t i = 0; i < result->row_count; i++)
        json_array_append_new(rows, row_json(&result->rows[i]));
    bool error = text_equal(result->status, "ERROR");
    for (size_t i = 0; i < result->remark_count; i++)
        json_array_append_new(error ? errors : remarks, json_string(result->remarks[i]));
    set(coverage, "total_original_ops", json_integer((json_int_t)result->original_total));
    set(coverage, "total_decomposed_ops", json_integer((json_int_t)result->decomposed_total));
    set(coverage, "covered_op_count", json_integer((json_int_t)result->covered));
    set(coverage, "coverage_pct", json_number(result->percent));
    set(coverage, "missing_op_types", types_with(result, COVERAGE_MISSING));
    set(coverage, "extra_op_types", types_with(result, COVERAGE_EXTRA));
    set(coverage, "op_details", rows);
    set(json, "timestamp", text_or_null(timestamp));
    set(json, "model_file", text_or_null(model));
    set(json, "status", json_string(result->status));
    set(json, "extraction_method", json_string("trace"));
    set(json, "extraction_warnings", remarks);
    set(json, "extraction_errors", errors);
    set(json, "decomposed_ops_count", json_integer((json_int_t)result->decomposed_total));
    set(json, "coverage", coverage);
    set(json, "findings", findings_json(result->findings));
    return json;
}

/* ✓ where the counts agree, ✗ where they don't; arithmetic is never wrong by itself. */
static const char *match_mark(const CoverageRow *row) {
    if (row->original == row->decomposed)
        return "✓";
    return row->arithmetic ? "-" : "✗";
}

Bytes report_coverage(Arena *arena, const CoverageResult *result) {
    Text text = text_new(arena);
    size_t width = strlen("Operation");
    for (size_t i = 0; i < result->row_count; i++) {
        size_t length = strlen(printable(arena, result->rows[i].operator));
        width = length > width ? length : width;
    }
    if (result->row_count > 0) {
        text_printf(&text, "| %-*s | Original Count | Decomposed Count | Match? |\n|", (int)width,
                    "Operation");
        for (size_t i = 0; i < width + 2; i++)
            text_add(&text, "-");
        text_add(&text, "|----------------|------------------|--------|\n");
    }
    for (size_t i = 0; i < result->row_count; i++) {
        const CoverageRow *row = &result->rows[i];
        text_printf(&text, "| %-*s | %14zu | %16zu | %s      |", (int)width, printable(arena, row->operator),
                    row->original, row->decomposed, match_mark(row));
        text_printf(&text, row->note == NULL ? "\n" : "  %s\n",
                    row->note == NULL ? "" : printable(arena, row->note));
    }
    if (result->row_count > 0)
        text_add(&text, "\n");
    for (size_t i = 0; i < result->findings->count; i++) {
        const Finding *finding = &result->findings->items[i];
        Finding shown = *finding;
        shown.instead = NULL; /* short */
        text_printf(&text, "%s (%s)\n", finding_text(arena, &shown), finding->rule->id);
    }
    for (size_t i = 0; i < result->remark_count; i++)
        text_printf(&text, "note: %s\n", printable(arena, result->remarks[i]));
    if (!text_equal(result->status, "ERROR"))
        text_printf(&text, "%s  %zu of %zu operators, %.1f %%\n", result->status, result->covered,
                    result->original_total, result->percent);
    return (Bytes){(const uint8_t *)text.data, text.length};
}
