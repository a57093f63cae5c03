/* Places: the folders in which a component may lie, in the order in which they are searched. */
#include "imports.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

char *path_normal(Arena *arena, const char *path) {
    struct {
        const char **items;
        size_t count, capacity;
    } parts = {0};
    bool absolute = path[0] == '/';
    for (const char *at = path; *at != '\0';) {
        size_t length = strcspn(at, "/");
        const char *part = arena_strndup(arena, at, length);
        bool up = strcmp(part, "..") == 0;
        if (up && parts.count > 0 && strcmp(parts.items[parts.count - 1], "..") != 0)
            parts.count--;
        else if (length > 0 && strcmp(part, ".") != 0 && !(up && absolute))
            *(const char **)ARENA_PUSH(arena, &parts) = part;
        at += length + (at[length] == '/');
    }
    Text out = text_new(arena);
    for (size_t i = 0; i < parts.count; i++)
        text_printf(&out, "%s%s", i > 0 || absolute ? "/" : "", parts.items[i]);
    return out.length > 0 ? out.data : absolute ? "/" : ".";
}

bool path_inside(const char *folder, const char *path) {
    size_t length = strlen(folder);
    return strcmp(folder, "/") == 0 ||
           (strncmp(folder, path, length) == 0 && (path[length] == '/' || path[length] == '\0'));
}

char *path_relative(Arena *arena, const char *from, const char *path) {
    Text out = text_new(arena);
    const char *base = from;
    while (!path_inside(base, path)) {
        base = path_directory(arena, base);
        text_add(&out, "../");
    }
    const char *rest = path + (strcmp(base, "/") == 0 ? 0 : strlen(base));
    text_add(&out, *rest == '/' ? rest + 1 : rest);
    return out.data;
}

static bool is_level(const char *name) { /* level_0_kernel */
    return text_starts(name, "level_") && name[6] >= '0' && name[6] <= '9' && name[7] == '_';
}

static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Fills the level folders of `folder`, by name; returns whether it looks like a decomposition. */
static bool read_levels(Places *places, const char *folder) {
    struct {
        const char **items;
        size_t count, capacity;
    } levels = {0};
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return false;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        const char *path = path_join(places->arena, folder, entry->d_name);
        if (is_level(entry->d_name) && directory_exists(path))
            *(const char **)ARENA_PUSH(places->arena, &levels) = path;
    }
    closedir(directory);
    if (levels.count > 1)
        qsort(levels.items, levels.count, sizeof *levels.items, compare_names);
    places->levels = levels.items;
    places->level_count = levels.count;
    return levels.count > 0 || directory_exists(path_join(places->arena, folder, "steps")) ||
           file_exists(path_join(places->arena, folder, "decomposition_tree.json"));
}

Places places_of(Arena *arena, const char *main_path) {
    Places places = {.arena = arena, .main_folder = path_directory(arena, main_path)};
    for (const char *folder = places.main_folder;; folder = path_directory(arena, folder)) {
        if (read_levels(&places, folder)) {
            places.root = folder;
            return places;
        }
        if (strcmp(folder, "/") == 0 || strcmp(folder, ".") == 0)
            return places;
    }
}

static bool same_content(Arena *arena, const char *a, const char *b) {
    Bytes left, right;
    Error error;
    enum { LIMIT = 16 << 20 };
    return file_read(arena, a, LIMIT, &left, &error) == STATUS_OK &&
           file_read(arena, b, LIMIT, &right, &error) == STATUS_OK && left.size == right.size &&
           memcmp(left.data, right.data, left.size) == 0;
}

/* Adds the file at `path`, if there is one. Two files with the same bytes are no ambiguity. */
static void offer(Arena *arena, const char *path, Found *found) {
    if (!file_exists(path))
        return;
    const char *resolved = path_absolute(arena, path);
    if (found->path == NULL)
        *found = (Found){.path = resolved, .as = path_normal(arena, path)};
    else if (found->other == NULL && strcmp(found->path, resolved) != 0 &&
             !same_content(arena, found->path, resolved))
        found->other = resolved;
}

/* `relative` is the module's name with slashes; empty for the package that `folder` itself is. */
static void look_in(Arena *arena, const char *folder, const char *relative, Found *found) {
    const char *base = relative[0] == '\0' ? folder : path_join(arena, folder, relative);
    if (relative[0] != '\0')
        offer(arena, arena_printf(arena, "%s.py", base), found);
    offer(arena, path_join(arena, base, "__init__.py"), found);
}

typedef struct Folders {
    struct Folder {
        const char *path;
        bool with_previous; /* one place together with the folder before it */
    } * items;
    size_t count, capacity;
} Folders;

static void add_folder(Arena *arena, Folders *folders, const char *path, bool with_previous) {
    for (size_t i = 0; i < folders->count; i++)
        if (strcmp(folders->items[i].path, path) == 0)
            return;
    *(struct Folder *)ARENA_PUSH(arena, folders) = (struct Folder){path, with_previous};
}

static Folders folders_for(const Places *places, const char *importer, const PathCode *code, int64_t level) {
    Arena *arena = places->arena;
    const char *own = path_directory(arena, importer);
    Folders folders = {0};
    if (level > 0) {
        for (int64_t i = 1; i < level && i < 64; i++)
            own = path_directory(arena, own);
        add_folder(arena, &folders, own, false);
        return folders;
    }
    for (size_t i = 0; i < code->folders.count; i++)
        add_folder(arena, &folders, code->folders.items[i], false);
    add_folder(arena, &folders, path_join(arena, own, "children"), false);
    add_folder(arena, &folders, own, false);
    for (size_t i = 0; places->main_code != NULL && i < places->main_code->folders.count; i++)
        add_folder(arena, &folders, places->main_code->folders.items[i], false);
    for (size_t i = 0; i < places->level_count; i++)
        add_folder(arena, &folders, places->levels[i], i > 0);
    if (places->root != NULL)
        add_folder(arena, &folders, places->root, false);
    return folders;
}

Found places_find(const Places *places, const char *importer, const PathCode *code, const char *module,
                  int64_t level) {
    Folders folders = folders_for(places, importer, code, level);
    char *relative = arena_strdup(places->arena, module);
    for (char *at = relative; *at != '\0'; at++)
        if (*at == '.')
            *at = '/';
    Found found = {0};
    for (size_t i = 0; i < folders.count; i++) {
        if (found.path != NULL && !folders.items[i].with_previous)
            break;
        look_in(places->arena, folders.items[i].path, relative, &found);
    }
    return found;
}

char *places_text(const Places *places, const char *importer, const PathCode *code, int64_t level) {
    Folders folders = folders_for(places, importer, code, level);
    Text list = text_new(places->arena);
    for (size_t i = 0; i < folders.count; i++) {
        const char *shown = path_relative(places->arena, places->main_folder, folders.items[i].path);
        size_t length = strlen(shown);
        text_printf(&list, "%s%s%s", i > 0 ? ", " : "", length > 0 ? shown : ".",
                    length > 0 && shown[length - 1] == '/' ? "" : "/");
    }
    return list.data;
}
