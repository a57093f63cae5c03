/* Which modules there are besides components, and the rules on importing them. */
#include "imports.h"

#include <string.h>

static const char *const STANDARD[] = {
#define STDLIB(name) #name,
#include "stdlib.def"
#undef STDLIB
};

static const char *const PATH_MODULES[] = {"sys", "os", "pathlib", "importlib"};

static const char *const ALLOWED[] = {
    "torch",      "math",        "cmath",   "typing",     "functools", "itertools", "collections",
    "contextlib", "dataclasses", "enum",    "abc",        "operator",  "numbers",   "copy",
    "types",      "warnings",    "logging", "__future__", "einops",
};

const Rule RULE_IMPORT_MISSING = {
    "py.import-missing", "An import names a component that exists or a module that candidates may use",
    "put the component into children/, or allow the library by --allow-import NAME", "policy: Imports"};
const Rule RULE_IMPORT_STANDARD = {
    "py.import-standard", "Of the standard library, candidates import only what the policy lists",
    "remove the import and what uses it, or allow it by --allow-import NAME", "policy: Imports"};
const Rule RULE_IMPORT_AMBIGUOUS = {"py.import-ambiguous", "An import means one file",
                                    "remove or rename one of the two files", "policy: Imports"};
const Rule RULE_IMPORT_SHADOW = {"py.import-shadow", "No file bears the name of a standard or allowed module",
                                 "rename the file, and the imports that mean it", "soundness 25"};
const Rule RULE_IMPORT_STAR = {"py.import-star", "Imports say which names they bring",
                               "import the names that are used, one by one", "policy: Imports"};
const Rule RULE_IMPORT_OUTSIDE = {"py.import-outside", "A component lies inside the decomposition",
                                  "copy the file into the decomposition", "policy: Imports"};
const Rule RULE_PATH_CODE = {
    "py.path-code", "sys, os, pathlib and importlib stand only in statements that work out import paths",
    "remove it, or keep it apart from other code: path code is not run", "policy: Imports"};
const Rule RULE_PATH_LOAD = {"py.path-load", "A file is loaded by a path that ends in constants",
                             "write `from children.NAME import Model as NAME`", "policy: Imports"};

const Rule *const SOURCE_RULES[] = {&RULE_IMPORT_MISSING, &RULE_IMPORT_STANDARD, &RULE_IMPORT_AMBIGUOUS,
                                    &RULE_IMPORT_SHADOW,  &RULE_IMPORT_STAR,     &RULE_IMPORT_OUTSIDE,
                                    &RULE_PATH_CODE,      &RULE_PATH_LOAD,       NULL};

/* Whether `list` has the first part of the dotted `name`. */
static bool has_first_part(const char *const *list, size_t count, const char *name) {
    size_t length = strcspn(name, ".");
    for (size_t i = 0; i < count; i++)
        if (strncmp(list[i], name, length) == 0 && list[i][length] == '\0')
            return true;
    return false;
}

bool module_is_standard(const char *name) {
    return has_first_part(STANDARD, COUNT_OF(STANDARD), name);
}

bool module_is_path(const char *name) {
    return has_first_part(PATH_MODULES, COUNT_OF(PATH_MODULES), name);
}

bool module_is_allowed(const char *name) {
    return has_first_part(ALLOWED, COUNT_OF(ALLOWED), name);
}
