/* Semantic operators, counted by name. */
#include "parts.h"

#include <string.h>

typedef struct Count {
    const char *name;
    SemanticKind kind;
    size_t count, dead;
} Count;

static Count *count_by_name(Arena *arena, const SemanticOperators *operators, size_t *count) {
    Table *seen = table_new(arena);
    Count *counts = ARENA_ARRAY(arena, Count, operators->count + 1);
    *count = 0;
    for (size_t i = 0; i < operators->count; i++) {
        const SemanticOperator *operator= & operators->items[i];
        Count *at = table_get(seen, operator->name);
        if (at == NULL) {
            at = &counts[(*count)++];
            *at = (Count){.name = operator->name, .kind = operator->kind };
            table_put(seen, operator->name, at);
        }
        at->count++;
        at->dead += !operator->live;
    }
    return counts;
}

static const char *kind_name(SemanticKind kind) {
    return kind == SEMANTIC_ARITHMETIC ? "arithmetic" : "compute";
}

json_t *report_operators_json(const SemanticOperators *operators) {
    json_t *object = json_object();
    Arena *arena = arena_new();
    size_t count;
    const Count *counts = count_by_name(arena, operators, &count);
    for (size_t i = 0; i < count; i++)
        set(object, counts[i].name,
            json_pack("{s:I, s:s}", "count", (json_int_t)counts[i].count, "kind", kind_name(counts[i].kind)));
    arena_free(arena);
    return object;
}

Bytes report_operators(Arena *arena, const TraceResult *result, const SemanticOperators *operators,
                       bool json) {
    if (json) {
        json_t *object = json_object();
        set(object, "recorded", json_string(result->symbolic ? "shapes" : "real tensors"));
        set(object, "operators", report_operators_json(operators));
        Bytes bytes = report_json_text(arena, object);
        json_decref(object);
        return bytes;
    }
    size_t count;
    const Count *counts = count_by_name(arena, operators, &count);
    Text text = text_new(arena);
    for (size_t i = 0; i < count; i++) {
        text_printf(&text, "%6zu  %s", counts[i].count,
                    text_printable(arena, counts[i].name, strlen(counts[i].name)));
        if (counts[i].kind == SEMANTIC_ARITHMETIC)
            text_add(&text, "  (arithmetic)");
        if (counts[i].dead > 0)
            text_printf(&text, "  %zu that no output depends on", counts[i].dead);
        text_add(&text, "\n");
    }
    return (Bytes){(const uint8_t *)text.data, text.length};
}
