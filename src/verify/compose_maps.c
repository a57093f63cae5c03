/* Weight maps composed: each parameter of the root followed through the steps into its places. */
#include "recompose.h"

#include <string.h>

/* What an entry of some step's state dict is made of: here[h0:h1] = root[r0:r1], transposed or not. */
typedef struct Part {
    const StateEntry *root;
    bool of_root, of_here; /* a slice of it; otherwise all */
    size_t root_dim, here_dim;
    int64_t root_start, root_stop, here_start, here_stop;
    bool transpose;
} Part;

typedef struct Parts {
    Part *items;
    size_t count, capacity;
} Parts;

typedef struct MapComposer {
    Arena *arena;
    const Instance *instances;
    size_t count;
    Table **given;  /* by instance: key of the component's own Model -> Parts * */
    Table *final;   /* key of the recomposed model -> Parts * */
    Table *nowhere; /* root keys that a step sends nowhere, on purpose */
    const char *problem;
} MapComposer;

static size_t swapped(size_t dim, size_t rank, bool transpose) {
    if (!transpose || rank < 2 || dim + 2 < rank)
        return dim;
    return dim == rank - 1 ? rank - 2 : rank - 1;
}

/* ---- One part through one piece --------------------------------------------------------------- */

/* The piece takes [start, stop) along `dim` of an entry of which the part fills [here_start, here_stop).
 * False: can't be said. `*empty`: they have nothing in common. */
static bool cut_filled(Part *part, const Piece *piece, size_t rank, bool *empty) {
    if (part->here_dim != piece->dim)
        return false;
    const int64_t low = part->here_start > piece->start ? part->here_start : piece->start;
    const int64_t high = part->here_stop < piece->stop ? part->here_stop : piece->stop;
    *empty = low >= high;
    const bool all = low == part->here_start && high == part->here_stop;
    const size_t root_dim = swapped(piece->dim, rank, part->transpose);
    if (!all && part->of_root && part->root_dim != root_dim)
        return false;
    if (!all) {
        const int64_t base = part->of_root ? part->root_start : 0;
        part->of_root = true;
        part->root_dim = root_dim;
        part->root_start = base + low - part->here_start;
        part->root_stop = base + high - part->here_start;
    }
    part->here_dim = swapped(piece->dim, rank, piece->transpose);
    part->here_start = low - piece->start;
    part->here_stop = high - piece->start;
    return true;
}

static bool cut_whole(Part *part, const Piece *piece, size_t rank) {
    const size_t root_dim = swapped(piece->dim, rank, part->transpose);
    if (part->of_root && part->root_dim != root_dim)
        return false;
    const int64_t base = part->of_root ? part->root_start : 0;
    part->of_root = true;
    part->root_dim = root_dim;
    part->root_start = base + piece->start;
    part->root_stop = base + piece->stop;
    return true;
}

static bool put_into(Part *part, const Piece *piece, size_t rank) {
    if (!part->of_here) {
        part->of_here = true;
        part->here_dim = piece->dim;
        part->here_start = piece->start;
        part->here_stop = piece->stop;
        return true;
    }
    if (swapped(part->here_dim, rank, piece->transpose) != piece->dim)
        return false;
    part->here_dim = piece->dim;
    part->here_start += piece->start;
    part->here_stop += piece->start;
    return true;
}

static bool part_through(Part *part, const Piece *piece, size_t rank, bool *empty) {
    *empty = false;
    bool said = true;
    if (piece->kind == PIECE_OF_ORIGINAL)
        said = part->of_here ? cut_filled(part, piece, rank, empty) : cut_whole(part, piece, rank);
    else if (piece->kind == PIECE_OF_CANDIDATE)
        said = put_into(part, piece, rank);
    else if (part->of_here)
        part->here_dim = swapped(part->here_dim, rank, piece->transpose);
    part->transpose = part->transpose != piece->transpose;
    return said;
}

/* ---- What parts come to ------------------------------------------------------------------------ */
static void simplify(Part *part, const TensorView *here) {
    if (part->of_root && part->root_start == 0 && part->root_stop == part->root->tensor.shape[part->root_dim])
        part->of_root = false;
    if (part->of_here && part->here_start == 0 && part->here_stop == here->shape[part->here_dim])
        part->of_here = false;
}

/* Does `b` go on where `a` ends, on both sides? */
static bool goes_on(const Part *a, const Part *b, size_t rank) {
    return a->root == b->root && a->of_root && b->of_root && a->of_here && b->of_here &&
           a->transpose == b->transpose && a->root_dim == b->root_dim && a->here_dim == b->here_dim &&
           swapped(a->here_dim, rank, a->transpose) == a->root_dim && a->root_stop == b->root_start &&
           a->here_stop == b->here_start;
}

static void merge(Parts *parts, const TensorView *here) {
    for (size_t i = 0; i < parts->count; i++)
        simplify(&parts->items[i], here);
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < parts->count && !again; i++)
            for (size_t j = 0; j < parts->count && !again; j++) {
                if (i == j || !goes_on(&parts->items[i], &parts->items[j], here->rank))
                    continue;
                parts->items[i].root_stop = parts->items[j].root_stop;
                parts->items[i].here_stop = parts->items[j].here_stop;
                simplify(&parts->items[i], here);
                parts->items[j] = parts->items[--parts->count];
                again = true;
            }
    }
}

/* ---- One instance -------------------------------------------------------------------------------- */
static const char *join(Arena *arena, const char *path, const char *key) {
    return path[0] == '\0' ? key : arena_printf(arena, "%s.%s", path, key);
}

static bool stands_in(const char *key, const char *path) {
    size_t length = strlen(path);
    return length == 0 || (text_starts(key, path) && key[length] == '.');
}

/* The next instance below this one in which the key stands: what it calls the entry is the component's own
 * name, and what stands deeper goes by other names. */
static size_t next_instance(const MapComposer *composer, size_t from, const char *key) {
    size_t found = SIZE_MAX, own = strlen(composer->instances[from].path);
    for (size_t i = 0; i < composer->count; i++) {
        const char *path = composer->instances[i].path;
        if (strlen(path) > own && stands_in(key, path) && stands_in(path, composer->instances[from].path) &&
            (found == SIZE_MAX || strlen(path) < strlen(composer->instances[found].path)))
            found = i;
    }
    return found;
}

static void send_nowhere(MapComposer *composer, size_t index) {
    const Assignment *assignment = composer->instances[index].assignment;
    for (size_t i = 0; i < assignment->original->count; i++) {
        if (!assignment->original_nowhere[assignment->original->items[i].tie])
            continue;
        const Parts *parts = table_get(composer->given[index], assignment->original->items[i].key);
        for (size_t j = 0; parts != NULL && j < parts->count; j++)
            table_put(composer->nowhere, parts->items[j].root->key, TABLE_PRESENT);
    }
}

static bool follow_entry(MapComposer *composer, size_t index, size_t number) {
    const Instance *instance = &composer->instances[index];
    const Assignment *assignment = instance->assignment;
    const StateEntry *entry = &assignment->candidate->items[number];
    const Assigned *assigned = &assignment->items[entry->tie];
    Parts *parts = ARENA_NEW(composer->arena, Parts);
    for (size_t i = 0; i < assigned->count; i++) {
        const Piece *piece = &assigned->items[i];
        const StateEntry *original = &assignment->original->items[piece->original];
        const Parts *given = table_get(composer->given[index], original->key);
        for (size_t j = 0; given != NULL && j < given->count; j++) {
            Part part = given->items[j];
            bool empty;
            if (!part_through(&part, piece, entry->tensor.rank, &empty)) {
                composer->problem = arena_printf(
                    composer->arena, "%s is made of parts of %s that are cut along different dimensions",
                    join(composer->arena, instance->path, entry->key), part.root->key);
                return false;
            }
            if (!empty)
                *(Part *)ARENA_PUSH(composer->arena, parts) = part;
        }
    }
    if (parts->count == 0)
        return true;
    merge(parts, &entry->tensor);
    const char *key = join(composer->arena, instance->path, entry->key);
    size_t below = next_instance(composer, index, key);
    if (below == SIZE_MAX)
        table_put(composer->final, key, parts);
    else
        table_put(composer->given[below], key + strlen(composer->instances[below].path) + 1, parts);
    return true;
}

static void begin_at_root(MapComposer *composer) {
    const StateDict *root = composer->instances[0].assignment->original;
    for (size_t i = 0; i < root->count; i++) {
        Parts *parts = ARENA_NEW(composer->arena, Parts);
        *(Part *)ARENA_PUSH(composer->arena, parts) = (Part){.root = &root->items[i]};
        table_put(composer->given[0], root->items[i].key, parts);
    }
}

/* ---- The map ---------------------------------------------------------------------------------------- */
typedef struct Targets {
    MapTarget *items;
    size_t count, capacity;
} Targets;

static bool add_target(MapComposer *composer, Table *entries, const char *key, const Part *part) {
    if (part->of_root && part->of_here) {
        composer->problem =
            arena_printf(composer->arena, "a part of %s is a part of %s", part->root->key, key);
        return false;
    }
    const MapTarget target = {.key = key,
                              .is_slice = part->of_root || part->of_here,
                              .dim = (int64_t)(part->of_root ? part->root_dim : part->here_dim),
                              .start = part->of_root ? part->root_start : part->here_start,
                              .stop = part->of_root ? part->root_stop : part->here_stop,
                              .transpose = part->transpose};
    Targets *targets = table_get(entries, part->root->key);
    if (targets == NULL) {
        targets = ARENA_NEW(composer->arena, Targets);
        table_put(entries, part->root->key, targets);
    }
    *(MapTarget *)ARENA_PUSH(composer->arena, targets) = target;
    return true;
}

static bool make_map(MapComposer *composer, WeightMap *map) {
    Table *entries = table_new(composer->arena);
    for (size_t i = 0; i < composer->final->count; i++) {
        const Parts *parts = composer->final->items[i].value;
        for (size_t j = 0; j < parts->count; j++)
            if (!add_target(composer, entries, composer->final->items[i].key, &parts->items[j]))
                return false;
    }
    const StateDict *root = composer->instances[0].assignment->original;
    for (size_t i = 0; i < root->count; i++) {
        const char *key = root->items[i].key;
        const Targets *targets = table_get(entries, key);
        if (targets == NULL && !table_has(composer->nowhere, key))
            continue;
        MapEntry *entry = ARENA_PUSH(composer->arena, map);
        *entry = (MapEntry){.key = key};
        if (targets != NULL) {
            entry->targets = targets->items;
            entry->target_count = targets->count;
        }
    }
    return true;
}

bool compose_maps(Arena *arena, const Instance *instances, size_t count, WeightMap *map,
                  const char **problem) {
    MapComposer composer = {.arena = arena,
                            .instances = instances,
                            .count = count,
                            .given = ARENA_ARRAY(arena, Table *, count + 1),
                            .final = table_new(arena),
                            .nowhere = table_new(arena)};
    *map = (WeightMap){.name = "the steps' weight maps"};
    *problem = NULL;
    for (size_t i = 0; i < count; i++)
        composer.given[i] = table_new(arena);
    begin_at_root(&composer);
    bool said = true;
    for (size_t i = 0; i < count && said; i++) {
        const StateDict *candidate = instances[i].assignment->candidate;
        send_nowhere(&composer, i);
        for (size_t j = 0; j < candidate->count && said; j++)
            said = follow_entry(&composer, i, j);
    }
    said = said && make_map(&composer, map);
    *problem = composer.problem;
    return said;
}

json_t *weight_map_to_json(const WeightMap *map) {
    json_t *object = json_object();
    for (size_t i = 0; i < map->count; i++) {
        const MapEntry *entry = &map->items[i];
        json_t *list = json_array();
        for (size_t j = 0; j < entry->target_count; j++) {
            const MapTarget *target = &entry->targets[j];
            if (!target->is_slice && !target->transpose) {
                json_array_append_new(list, json_string(target->key));
                continue;
            }
            json_t *part = json_pack("{s:s}", "key", target->key);
            if (target->is_slice)
                json_object_update_new(part, json_pack("{s:I, s:I, s:I}", "dim", (json_int_t)target->dim,
                                                       "start", (json_int_t)target->start, "stop",
                                                       (json_int_t)target->stop));
            if (target->transpose)
                json_object_set_new(part, "transpose", json_true());
            json_array_append_new(list, part);
        }
        json_object_set(object, entry->key, entry->target_count == 1 ? json_array_get(list, 0) : list);
        json_decref(list);
    }
    return object;
}
