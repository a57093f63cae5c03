/* Which Python: the places where one may be, and the question that each is asked. */
#include "probe.h"

#include "process.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OLDEST_MINOR = 7, ANSWER_SECONDS = 20 };

static const char question[] =
    "import sys\n"
    "sys.path[:] = [entry for entry in sys.path if entry not in ('', '.')]\n"
    "import importlib.util\n"
    "print('%d.%d.%d' % sys.version_info[:3], int(importlib.util.find_spec('torch') is not None))\n";

/* The places, in order. An order is obeyed: with one, nothing else is looked at. */
typedef struct InterpreterPlace {
    const char *from;
    const char *variable; /* environment variable that holds the path, or the folder of an environment */
    const char *below;    /* path below that folder, or below the current one */
    bool is_order;
} InterpreterPlace;

static const InterpreterPlace places[] = {
    {.from = "$PLUMBLINE_PYTHON", .variable = "PLUMBLINE_PYTHON", .is_order = true},
    {.from = "$VIRTUAL_ENV", .variable = "VIRTUAL_ENV", .below = "bin/python"},
    {.from = "$CONDA_PREFIX", .variable = "CONDA_PREFIX", .below = "bin/python"},
    {.from = ".venv", .below = ".venv/bin/python"},
    {.from = "python3 on PATH", .below = NULL},
};

/* Absolute, but with links as they are: an environment's python is a link, and is that environment only by
 * its own name. */
static char *absolute(Arena *arena, const char *path) {
    if (path[0] == '/')
        return arena_strdup(arena, path);
    char *folder = getcwd(NULL, 0);
    char *result = arena_printf(arena, "%s/%s", folder == NULL ? "." : folder, path);
    free(folder);
    return result;
}

/* The first executable of that name on PATH, or NULL. */
static char *on_path(Arena *arena, const char *name) {
    const char *path = getenv("PATH");
    for (const char *at = path == NULL ? "/usr/bin:/bin" : path; at != NULL;) {
        const char *colon = strchr(at, ':');
        size_t length = colon == NULL ? strlen(at) : (size_t)(colon - at);
        char *found = arena_printf(arena, "%.*s/%s", (int)length, at, name);
        if (length > 0 && file_exists(found) && access(found, X_OK) == 0)
            return absolute(arena, found);
        at = colon == NULL ? NULL : colon + 1;
    }
    return NULL;
}

/* What a person gave: a path, or a name to be found on PATH. */
static char *as_given(Arena *arena, const char *given) {
    char *found = strchr(given, '/') == NULL ? on_path(arena, given) : NULL;
    return found != NULL ? found : absolute(arena, given);
}

static void ask(Arena *arena, Interpreter *interpreter, bool needs_torch) {
    const char *const argv[] = {interpreter->path, "-c", question, NULL};
    Error error;
    char *answer;
    int wait_status, minor, patch, major, torch;
    if (process_output(arena, argv, ANSWER_SECONDS, &answer, &wait_status, &error) != STATUS_OK) {
        interpreter->problem = arena_strdup(arena, error.cause);
        return;
    }
    if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0 ||
        sscanf(answer, "%d.%d.%d %d", &major, &minor, &patch, &torch) != 4) {
        interpreter->problem = "does not run as a Python interpreter";
        return;
    }
    interpreter->version = arena_printf(arena, "%d.%d.%d", major, minor, patch);
    interpreter->has_torch = torch == 1;
    if (major != 3 || minor < OLDEST_MINOR)
        interpreter->problem = arena_printf(arena, "is Python %s; 3.%d is the oldest that will do",
                                            interpreter->version, OLDEST_MINOR);
    else if (needs_torch && !interpreter->has_torch)
        interpreter->problem = "has no torch";
}

/* Whether the folder of an environment shows torch beside an interpreter that is new enough. This saves
 * starting it once more than needed; what is wrong with it all the same, the zygote will say. */
static bool shows_torch(Arena *arena, Interpreter *interpreter) {
    char *prefix = path_directory(arena, path_directory(arena, interpreter->path));
    glob_t found = {0};
    bool shown = false;
    char *pattern = arena_printf(arena, "%s/lib/python3.*/site-packages/torch/__init__.py", prefix);
    int minor;
    if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == 1 &&
        sscanf(found.gl_pathv[0] + strlen(prefix), "/lib/python3.%d/", &minor) == 1 &&
        minor >= OLDEST_MINOR) {
        interpreter->version = arena_printf(arena, "3.%d", minor);
        interpreter->has_torch = shown = access(interpreter->path, X_OK) == 0;
    }
    globfree(&found);
    return shown;
}

/* The path that a place names, or NULL if it names none. */
static char *path_at(Arena *arena, const InterpreterPlace *place) {
    const char *value = place->variable == NULL ? NULL : getenv(place->variable);
    if (place->variable != NULL && (value == NULL || value[0] == '\0'))
        return NULL;
    if (place->is_order && value != NULL)
        return as_given(arena, value);
    if (place->below == NULL)
        return on_path(arena, "python3");
    char *path = value == NULL ? absolute(arena, place->below) : path_join(arena, value, place->below);
    return file_exists(path) ? absolute(arena, path) : NULL;
}

static void try_one(Arena *arena, Interpreters *tried, Interpreter one, bool needs_torch, bool quickly) {
    Interpreter *next = ARENA_PUSH(arena, tried);
    *next = one;
    bool serves = quickly && (needs_torch ? shows_torch(arena, next) : access(next->path, X_OK) == 0);
    if (!serves)
        ask(arena, next, needs_torch);
}

/* `quickly`: stops at the first that serves, and believes an environment's folder, or without torch that what
 * can be run is Python: the zygote will soon tell. */
static Interpreters search(Arena *arena, const char *option, bool needs_torch, bool quickly) {
    Interpreters tried = {0};
    if (option != NULL) {
        try_one(arena, &tried, (Interpreter){.path = as_given(arena, option), .from = "--python"},
                needs_torch, quickly);
        return tried;
    }
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        char *path = path_at(arena, &places[i]);
        if (path == NULL)
            continue;
        try_one(arena, &tried, (Interpreter){.path = path, .from = places[i].from}, needs_torch, quickly);
        if (places[i].is_order || (quickly && tried.items[tried.count - 1].problem == NULL))
            break;
    }
    return tried;
}

Interpreters interpreters_try(Arena *arena, const char *option, bool needs_torch) {
    return search(arena, option, needs_torch, false);
}

Status interpreter_find(Arena *arena, const char *option, bool needs_torch, Interpreter *found,
                        Error *error) {
    Interpreters tried = search(arena, option, needs_torch, true);
    Text list = text_new(arena);
    for (size_t i = 0; i < tried.count; i++) {
        if (tried.items[i].problem == NULL) {
            *found = tried.items[i];
            return STATUS_OK;
        }
        text_printf(&list, "%s%s (%s) %s", i == 0 ? "" : ", ", tried.items[i].path, tried.items[i].from,
                    tried.items[i].problem);
    }
    const char *advice = needs_torch
                             ? "install torch for it, or name a Python that has torch with --python PATH"
                             : "name a Python with --python PATH";
    if (tried.count == 0)
        return error_set(error, "", advice, "no Python interpreter was found");
    return error_set(error, "", advice, "no Python interpreter%s: %s", needs_torch ? " with torch" : "",
                     list.data);
}
