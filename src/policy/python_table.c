/* The tables of ops/python.txt, compiled in: which names of Python and its modules may be used. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

typedef struct PythonRow {
    const char *section, *name;
} PythonRow;

static const PythonRow ROWS[] = {
#include "python_rows.inc"
};

static int compare_rows(const void *left, const void *right) {
    const PythonRow *a = left, *b = right;
    int order = strcmp(a->section, b->section);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static int compare_section(const void *key, const void *row) {
    return strcmp(key, ((const PythonRow *)row)->section);
}

bool python_table_has(const char *section, const char *name) {
    PythonRow key = {section, name};
    return bsearch(&key, ROWS, COUNT_OF(ROWS), sizeof *ROWS, compare_rows) != NULL;
}

bool python_table_each(const char *section, bool (*visit)(const char *name, void *context), void *context) {
    const PythonRow *row = bsearch(section, ROWS, COUNT_OF(ROWS), sizeof *ROWS, compare_section);
    while (row != NULL && row > ROWS &&
           compare_section(section, row - 1) == 0) /* from any row to the first */
        row--;
    for (; row != NULL && row < ROWS + COUNT_OF(ROWS) && compare_section(section, row) == 0; row++)
        if (!visit(row->name, context))
            return false;
    return true;
}
