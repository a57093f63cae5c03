/* Paths as texts: joining, parents, and the folders of sys.path. */
#include "pathcode.h"

#include <string.h>

const char *value_absolute(Machine *machine, const char *path) {
    if (path[0] == '/')
        return path;
    return path_join(machine->arena, path_directory(machine->arena, machine->file->source.path), path);
}

void path_add_folders(Machine *machine, const Value *value, bool first) {
    for (size_t i = value->kind == VALUE_LIST ? value->count : 0; i > 0; i--)
        path_add_folders(machine, value->items[first ? i - 1 : value->count - i], first);
    if (value->kind != VALUE_TEXT || !machine->effects || machine->out->folders.count >= PATH_LONGEST_LOOP)
        return;
    const char *folder = path_normal(machine->arena, value_absolute(machine, value->text));
    *(const char **)ARENA_PUSH(machine->arena, &machine->out->folders) = folder;
    if (first && !machine->late) {
        memmove(machine->out->folders.items + 1, machine->out->folders.items,
                (machine->out->folders.count - 1) * sizeof(const char *));
        machine->out->folders.items[0] = folder;
    }
}

Value *value_join(Machine *machine, Value *const *parts, size_t count) {
    const char *path = "";
    for (size_t i = 0; i < count; i++) {
        if (parts[i]->kind != VALUE_TEXT)
            return value_new(machine, VALUE_OPAQUE);
        const char *part = parts[i]->text;
        bool whole = part[0] == '/' || path[0] == '\0';
        path = whole ? part
                     : arena_printf(machine->arena, "%s%s%s", path, text_ends(path, "/") ? "" : "/", part);
    }
    return value_text(machine, path);
}

Value *value_parent(Machine *machine, const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return value_text(machine, path_directory(machine->arena, arena_strndup(machine->arena, path, length)));
}

Value *value_parents(Machine *machine, const char *path) {
    Value *list = value_new(machine, VALUE_LIST);
    for (Value *at = value_text(machine, path); at->kind == VALUE_TEXT && list->count < PATH_LONGEST_LOOP;) {
        Value *parent = value_parent(machine, at->text);
        if (parent->kind != VALUE_TEXT || strcmp(parent->text, at->text) == 0)
            break;
        value_push(machine, list, parent);
        at = parent;
    }
    return list;
}

/* `format` with "{}" or "%s" replaced by texts, one after another. */
Value *value_fill_in(Machine *machine, const char *format, const char *mark, Value *const *parts,
                     size_t count) {
    Text out = text_new(machine->arena);
    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(format, mark);
        if (at == NULL || parts[i]->kind != VALUE_TEXT)
            return value_new(machine, VALUE_OPAQUE);
        text_add_bytes(&out, format, (size_t)(at - format));
        text_add(&out, parts[i]->text);
        format = at + strlen(mark);
    }
    if (strpbrk(format, "{%") != NULL)
        return value_new(machine, VALUE_OPAQUE);
    text_add(&out, format);
    return value_text(machine, out.data);
}
