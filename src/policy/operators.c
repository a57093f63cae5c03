/* Operator classes: looking names up in ops/operators.txt, whose rows are compiled in. */
#include "operator_rules.h"

#include <stdlib.h>
#include <string.h>

typedef struct OperatorRow {
    const char *spelling; /* without "torch." and "Tensor." */
    const char *operator; /* the one spelling for messages and comparing */
    OperatorClass class;
} OperatorRow;

static const OperatorRow ROWS[] = {
#include "operator_rows.inc"
};

static const char *const CLASS_NAMES[] = {
    [OPERATOR_COMPUTE] = "compute",
    [OPERATOR_VIEW] = "view",
    [OPERATOR_ASSEMBLY] = "assembly",
    [OPERATOR_CAST] = "cast",
    [OPERATOR_MASK] = "mask",
    [OPERATOR_COMPARISON] = "comparison",
    [OPERATOR_ARITHMETIC] = "arithmetic",
    [OPERATOR_POWER] = "power",
    [OPERATOR_CREATION] = "creation",
    [OPERATOR_COUNTING] = "counting",
    [OPERATOR_SELECTING] = "selecting",
    [OPERATOR_FORBIDDEN] = "forbidden",
    [OPERATOR_METADATA] = "metadata",
    [OPERATOR_TEST] = "test",
    [OPERATOR_READ] = "read",
    [OPERATOR_RANDOM] = "random",
    [OPERATOR_IGNORED] = "ignored",
};

static const char FUNCTIONAL[] = "nn.functional.";
static const char *const OUTER_NAMESPACES[] = {"torch.", "Tensor."};

enum { LONGEST_NAME = 120 };

static int compare_spelling(const void *key, const void *row) {
    return strcmp(key, ((const OperatorRow *)row)->spelling);
}

static const OperatorRow *row_of_spelling(const char *spelling) {
    return bsearch(spelling, ROWS, COUNT_OF(ROWS), sizeof *ROWS, compare_spelling);
}

/* "torch.Tensor.add_" -> "add_" */
static const char *without_namespace(const char *name) {
    for (size_t i = 0; i < COUNT_OF(OUTER_NAMESPACES); i++)
        if (text_starts(name, OUTER_NAMESPACES[i]))
            name += strlen(OUTER_NAMESPACES[i]);
    return name;
}

/* Writes the name without an attribute's ".__get__" and an in-place underscore. */
static void strip_spelling(const char *name, char stripped[LONGEST_NAME]) {
    size_t length = strlen(name);
    if (text_ends(name, ".__get__"))
        length -= strlen(".__get__");
    if (length >= LONGEST_NAME)
        length = LONGEST_NAME - 1;
    memcpy(stripped, name, length);
    stripped[length] = '\0';
    if (length > 1 && stripped[length - 1] == '_' && stripped[length - 2] != '_')
        stripped[length - 1] = '\0';
}

static const OperatorRow *find_row(const char *name) {
    name = without_namespace(name);
    const OperatorRow *row = row_of_spelling(name);
    char stripped[LONGEST_NAME];
    if (row == NULL) {
        strip_spelling(name, stripped);
        row = row_of_spelling(stripped);
    }
    return row;
}

OperatorClass operator_class(const char *name) {
    const OperatorRow *row = find_row(name);
    if (row != NULL)
        return row->class;
    return text_starts(without_namespace(name), FUNCTIONAL) ? OPERATOR_FORBIDDEN : OPERATOR_COMPUTE;
}

bool operator_is_listed(const char *name) {
    return find_row(name) != NULL;
}

const char *operator_class_name(OperatorClass class) {
    return (size_t) class < COUNT_OF(CLASS_NAMES) ? CLASS_NAMES[class] : "?";
}

const char *operator_canonical(Arena *arena, const char *name) {
    const OperatorRow *row = find_row(name);
    char stripped[LONGEST_NAME];
    if (row == NULL) {
        strip_spelling(without_namespace(name), stripped);
        const char *bare = text_starts(stripped, FUNCTIONAL) ? stripped + strlen(FUNCTIONAL) : stripped;
        row = row_of_spelling(bare);
        if (row == NULL)
            return arena_strdup(arena, bare);
    }
    return row->operator;
}
