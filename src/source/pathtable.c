/* What path code may take of the four path modules, of the builtins, and of strings and paths. */
#include "pathcode.h"

#include <string.h>

/* All that path code may take of the four modules and of the builtins. */
static const PathEntry LIBRARY[] = {
    {"os", OP_NAMESPACE, NULL},
    {"os.path", OP_NAMESPACE, NULL},
    {"os.path.join", OP_JOIN, NULL},
    {"os.path.dirname", OP_PARENT, NULL},
    {"os.path.abspath", OP_NORMAL, NULL},
    {"os.path.realpath", OP_NORMAL, NULL},
    {"os.path.normpath", OP_NORMAL, NULL},
    {"os.path.expanduser", OP_SAME, NULL},
    {"os.path.basename", OP_OPAQUE, NULL},
    {"os.path.splitext", OP_OPAQUE, NULL},
    {"os.path.relpath", OP_OPAQUE, NULL},
    {"os.path.exists", OP_EXISTS, NULL},
    {"os.path.isfile", OP_EXISTS_FILE, NULL},
    {"os.path.isdir", OP_EXISTS_FOLDER, NULL},
    {"os.path.pardir", OP_TEXT, ".."},
    {"os.path.curdir", OP_TEXT, "."},
    {"os.path.sep", OP_TEXT, "/"},
    {"os.pardir", OP_TEXT, ".."},
    {"os.curdir", OP_TEXT, "."},
    {"os.sep", OP_TEXT, "/"},
    {"os.fspath", OP_SAME, NULL},
    {"os.getcwd", OP_OPAQUE, NULL},
    {"os.listdir", OP_OPAQUE, NULL},
    {"pathlib", OP_NAMESPACE, NULL},
    {"pathlib.Path", OP_JOIN, NULL},
    {"pathlib.Path.cwd", OP_OPAQUE, NULL},
    {"pathlib.PurePath", OP_JOIN, NULL},
    {"pathlib.PosixPath", OP_JOIN, NULL},
    {"sys", OP_NAMESPACE, NULL},
    {"sys.path", OP_OPAQUE, NULL},
    {"sys.path.insert", OP_PUT_FIRST, NULL},
    {"sys.path.append", OP_PUT_LAST, NULL},
    {"sys.path.extend", OP_PUT_LAST, NULL},
    {"sys.path.remove", OP_OPAQUE, NULL},
    {"sys.path.pop", OP_OPAQUE, NULL},
    {"sys.path.index", OP_OPAQUE, NULL},
    {"sys.path.copy", OP_OPAQUE, NULL},
    {"sys.modules", OP_OPAQUE, NULL},
    {"sys.modules.pop", OP_OPAQUE, NULL},
    {"sys.modules.get", OP_OPAQUE, NULL},
    {"sys.modules.setdefault", OP_OPAQUE, NULL},
    {"sys.modules.keys", OP_OPAQUE, NULL},
    {"sys.dont_write_bytecode", OP_OPAQUE, NULL},
    {"importlib", OP_NAMESPACE, NULL},
    {"importlib.util", OP_NAMESPACE, NULL},
    {"importlib.machinery", OP_NAMESPACE, NULL},
    {"importlib.import_module", OP_IMPORT, NULL},
    {"importlib.invalidate_caches", OP_OPAQUE, NULL},
    {"importlib.util.spec_from_file_location", OP_SPEC, NULL},
    {"importlib.util.find_spec", OP_FIND_SPEC, NULL},
    {"importlib.util.module_from_spec", OP_MODULE, NULL},
    {"importlib.machinery.SourceFileLoader", OP_LOADER, NULL},
    {"importlib.machinery.ModuleSpec", OP_OPAQUE, NULL},
    {"importlib.abc", OP_NAMESPACE, NULL},
    {"importlib.abc.Loader", OP_OPAQUE, NULL},
};

static const PathEntry BUILTINS[] = {
    {"str", OP_SAME, NULL},
    {"list", OP_LIST, NULL},
    {"tuple", OP_LIST, NULL},
    {"sorted", OP_OPAQUE, NULL},
    {"reversed", OP_OPAQUE, NULL},
    {"set", OP_LIST, NULL},
    {"next", OP_NEXT, NULL},
    {"getattr", OP_GETATTR, NULL},
    {"hasattr", OP_OPAQUE, NULL},
    {"len", OP_OPAQUE, NULL},
    {"any", OP_OPAQUE, NULL},
    {"all", OP_OPAQUE, NULL},
    {"isinstance", OP_OPAQUE, NULL},
    {"print", OP_OPAQUE, NULL},
    {"range", OP_OPAQUE, NULL},
    {"enumerate", OP_OPAQUE, NULL},
    {"bool", OP_OPAQUE, NULL},
    {"ImportError", OP_OPAQUE, NULL},
    {"Exception", OP_OPAQUE, NULL},
    {"ModuleNotFoundError", OP_OPAQUE, NULL},
    {"ValueError", OP_OPAQUE, NULL},
    {"FileNotFoundError", OP_OPAQUE, NULL},
    {"RuntimeError", OP_OPAQUE, NULL},
    {"OSError", OP_OPAQUE, NULL},
    {"KeyError", OP_OPAQUE, NULL},
    {"StopIteration", OP_OPAQUE, NULL},
    {"AttributeError", OP_OPAQUE, NULL},
};

/* Methods and attributes of strings and paths. */
static const PathEntry TEXT_METHODS[] = {
    {"resolve", OP_NORMAL, NULL},     {"absolute", OP_NORMAL, NULL},     {"expanduser", OP_SAME, NULL},
    {"as_posix", OP_SAME, NULL},      {"joinpath", OP_JOIN, NULL},       {"with_name", OP_WITH_NAME, NULL},
    {"exists", OP_EXISTS, NULL},      {"is_file", OP_EXISTS_FILE, NULL}, {"is_dir", OP_EXISTS_FOLDER, NULL},
    {"format", OP_FORMAT, NULL},      {"strip", OP_SAME, NULL},          {"startswith", OP_OPAQUE, NULL},
    {"endswith", OP_OPAQUE, NULL},    {"replace", OP_OPAQUE, NULL},      {"split", OP_OPAQUE, NULL},
    {"rstrip", OP_OPAQUE, NULL},      {"glob", OP_OPAQUE, NULL},         {"iterdir", OP_OPAQUE, NULL},
    {"with_suffix", OP_OPAQUE, NULL}, {"relative_to", OP_OPAQUE, NULL},  {"join", OP_OPAQUE, NULL},
    {"exec_module", OP_OPAQUE, NULL}, {"load_module", OP_LOAD, NULL},    {"append", OP_OPAQUE, NULL},
    {"insert", OP_OPAQUE, NULL},
};

static const PathEntry *find_entry(const PathEntry *entries, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(entries[i].name, name) == 0)
            return &entries[i];
    return NULL;
}

const PathEntry *path_builtin(const char *name) {
    return find_entry(BUILTINS, COUNT_OF(BUILTINS), name);
}

const PathEntry *path_library(const char *name) {
    const PathEntry *entry = find_entry(LIBRARY, COUNT_OF(LIBRARY), name);
    return entry != NULL ? entry : path_builtin(name);
}

const PathEntry *path_method(const char *name) {
    return find_entry(TEXT_METHODS, COUNT_OF(TEXT_METHODS), name);
}
