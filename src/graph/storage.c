/* Memory made pure: a storage is a variable, and a write gives it another value. */
#include "graph_parts.h"

void memory_open(Memory *memory, Recording *recording, Store *store, size_t expected) {
    *memory =
        (Memory){.recording = recording, .store = store, .capacity = expected, .groups.capacity = expected};
    memory->items = ARENA_ARRAY(store->scratch, Storage, expected);
    memory->groups.items = ARENA_ARRAY(store->scratch, uint64_t, expected);
}

uint32_t memory_storage(Memory *memory, uint32_t group) {
    Storage *storage = ARENA_PUSH(memory->store->scratch, memory);
    storage->term = NO_TERM;
    storage->last_state = UINT32_MAX;
    storage->group = group;
    if (group == NO_STORAGE) {
        ARENA_PUSH(memory->store->scratch, &memory->groups);
        storage->group = (uint32_t)(memory->groups.count - 1);
    }
    return (uint32_t)(memory->count - 1);
}

static Tensor *tensor_at(const Memory *memory, uint32_t tensor) {
    return &memory->recording->tensors[tensor];
}

bool memory_has(const Memory *memory, uint32_t tensor) {
    return tensor_at(memory, tensor)->storage != NO_STORAGE;
}

static Storage *storage_of(Memory *memory, uint32_t tensor) {
    Tensor *item = tensor_at(memory, tensor);
    if (item->storage == NO_STORAGE)
        item->storage = memory_storage(memory, NO_STORAGE);
    return &memory->items[item->storage];
}

uint32_t memory_group(Memory *memory, uint32_t tensor) {
    return storage_of(memory, tensor)->group;
}

static TermId unknown_of(Memory *memory, const Layout *layout) {
    return store_unknown(memory->store, layout->dtype, layout->shape, layout->rank);
}

static void place(Memory *memory, Storage *storage, const Tensor *tensor, TermId value) {
    uint64_t *serial = &memory->groups.items[storage->group];
    if (storage->term.number != UINT32_MAX)
        ++*serial; /* a write; the first value of a new storage is none */
    storage->serial = *serial;
    storage->term = value;
    storage->layout = tensor->layout;
    storage->offset = tensor->offset;
}

bool memory_overlap(Memory *memory, uint32_t written, uint32_t read) {
    const Tensor *one = tensor_at(memory, written), *other = tensor_at(memory, read);
    if (storage_of(memory, written) != storage_of(memory, read) ||
        !text_equal(one->layout->dtype, other->layout->dtype) ||
        (one->offset == other->offset && layout_same(one->layout, other->layout)))
        return false;
    MAP_ON_STACK(there);
    MAP_ON_STACK(here);
    map_of_geometry(one->layout->shape, one->layout->stride, one->layout->rank, one->offset, &there);
    map_of_geometry(other->layout->shape, other->layout->stride, other->layout->rank, other->offset, &here);
    return !map_disjoint(&there, &here);
}

/* A value that a tensor can hold: of its shape and dtype. */
static TermId fitting(Memory *memory, const Layout *layout, TermId value) {
    const Term *term = store_at(memory->store, value);
    if (!text_equal(term->dtype, layout->dtype) || shape_count(term->shape, term->rank) != layout->count)
        return unknown_of(memory, layout);
    return store_reshape(memory->store, value, layout->shape, layout->rank);
}

void memory_place(Memory *memory, uint32_t tensor, TermId value) {
    Storage *storage = storage_of(memory, tensor);
    const Tensor *item = tensor_at(memory, tensor);
    place(memory, storage, item, fitting(memory, item->layout, value));
}

/* The tensor's elements as those of the storage's present value. False: no index map says so. */
static bool locate(Memory *memory, const Storage *storage, const Tensor *tensor, IndexMap *map) {
    MAP_ON_STACK(offsets);
    map_of_geometry(tensor->layout->shape, tensor->layout->stride, tensor->layout->rank,
                    tensor->offset - storage->offset, &offsets);
    if (tensor->layout->count == 0)
        return map_compose(&offsets, NULL, map);
    const Digits *digits = layout_digits(memory->recording, storage->layout);
    return digits != NULL && map_compose(&offsets, digits, map);
}

static void add_geometry(Text *text, const Layout *layout, int64_t offset) {
    text_printf(text, "%lld", (long long)offset);
    for (size_t i = 0; i < layout->rank; i++)
        text_printf(text, "%s%lld:%lld", i == 0 ? "; " : ", ", (long long)layout->shape[i],
                    (long long)layout->stride[i]);
}

/* A view whose label spells both layouts: the same layouts are the same function. */
static TermId raw_view(Memory *memory, const Storage *storage, const Tensor *tensor) {
    MAP_ON_STACK(all);
    MAP_ON_STACK(some);
    const Layout *whole = storage->layout, *part = tensor->layout;
    map_of_geometry(whole->shape, whole->stride, whole->rank, storage->offset, &all);
    map_of_geometry(part->shape, part->stride, part->rank, tensor->offset, &some);
    if (!map_covers(&all) || some.offset < all.offset || map_highest(&some) > map_highest(&all))
        return unknown_of(memory, part);
    Store *store = memory->store;
    Text *text = &store->text;
    text->length = 0;
    text_add(text, "view(%, memory ");
    add_geometry(text, whole, 0);
    text_add(text, " at ");
    add_geometry(text, part, tensor->offset - storage->offset);
    text_add(text, ") -> ");
    text_add_shape(text, part->dtype, part->shape, part->rank);
    Term draft = {.kind = TERM_VIEW,
                  .label = text->data,
                  .operands = (TermId[]){storage->term},
                  .operand_count = 1,
                  .known = store_at(store, storage->term)->known,
                  .kept = store_at(store, storage->term)->kept,
                  .dtype = part->dtype,
                  .shape = part->shape,
                  .rank = part->rank,
                  .state = SIZE_MAX};
    return store_term(store, &draft, NULL, true);
}

static bool is_stale(const Memory *memory, const Storage *storage) {
    return storage->serial != memory->groups.items[storage->group];
}

TermId memory_read(Memory *memory, uint32_t tensor) {
    Storage *storage = storage_of(memory, tensor);
    const Tensor *item = tensor_at(memory, tensor);
    const Layout *layout = item->layout;
    if (storage->term.number == UINT32_MAX)
        place(memory, storage, item, unknown_of(memory, layout));
    if (is_stale(memory, storage) || !text_equal(layout->dtype, storage->layout->dtype))
        return unknown_of(memory, layout);
    if (item->offset == storage->offset && layout_same(layout, storage->layout))
        return storage->term;
    MAP_ON_STACK(map);
    if (locate(memory, storage, item, &map))
        return store_view(memory->store, storage->term, &map, layout->shape, layout->rank);
    return storage->layout->count == 0 ? unknown_of(memory, layout) : raw_view(memory, storage, item);
}

/* A write that no index map describes. */
static void write_beyond(Memory *memory, Storage *storage, const Tensor *tensor, TermId value) {
    MAP_ON_STACK(all);
    MAP_ON_STACK(some);
    const Layout *whole = storage->layout, *part = tensor->layout;
    map_of_geometry(whole->shape, whole->stride, whole->rank, storage->offset, &all);
    map_of_geometry(part->shape, part->stride, part->rank, tensor->offset, &some);
    if (map_covers(&some) && map_is_injective(&some) && some.offset <= all.offset &&
        map_highest(&some) >= map_highest(&all))
        place(memory, storage, tensor, value);
    else if (!map_disjoint(&all, &some))
        storage->term = unknown_of(memory, whole);
}

void memory_write(Memory *memory, uint32_t tensor, TermId value) {
    Storage *storage = storage_of(memory, tensor);
    const Tensor *item = tensor_at(memory, tensor);
    const Layout *layout = item->layout;
    value = fitting(memory, layout, value);
    bool fresh = storage->term.number == UINT32_MAX;
    if (fresh || !text_equal(layout->dtype, storage->layout->dtype)) {
        place(memory, storage, item, value);
        return;
    }
    if (layout->count == 0)
        return;
    if (is_stale(memory, storage))
        storage->term = unknown_of(memory, storage->layout);
    storage->serial = ++memory->groups.items[storage->group];
    MAP_ON_STACK(map);
    if (item->offset == storage->offset && layout_same(layout, storage->layout)) {
        map_of_geometry(layout->shape, layout->stride, layout->rank, 0, &map);
        storage->term = map_is_injective(&map) ? value : unknown_of(memory, layout);
        return;
    }
    if (!locate(memory, storage, item, &map))
        write_beyond(memory, storage, item, value);
    else if (map_is_permutation(&map, storage->layout->count))
        place(memory, storage, item, value);
    else if (map_is_injective(&map))
        storage->term = store_write(memory->store, storage->term, value, &map);
    else
        storage->term = unknown_of(memory, storage->layout);
}
