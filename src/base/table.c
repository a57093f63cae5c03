/* Tables: open addressing over an array that keeps insertion order. */
#include "base.h"

#include <string.h>

static uint64_t hash_text(const char *text) { /* FNV-1a, 64 bits */
    uint64_t hash = 0xcbf29ce484222325U;
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3U;
    return hash;
}

Table *table_new(Arena *arena) {
    Table *table = ARENA_NEW(arena, Table);
    table->arena = arena;
    table->slot_count = 16;
    table->slots = ARENA_ARRAY(arena, size_t, table->slot_count);
    return table;
}

static size_t *find_slot(const Table *table, const char *key) {
    size_t mask = table->slot_count - 1;
    size_t at = (size_t)hash_text(key) & mask;
    while (table->slots[at] != 0 && strcmp(table->items[table->slots[at] - 1].key, key) != 0)
        at = (at + 1) & mask;
    return &table->slots[at];
}

static void widen(Table *table) {
    table->slot_count *= 2;
    table->slots = ARENA_ARRAY(table->arena, size_t, table->slot_count);
    for (size_t i = 0; i < table->count; i++)
        *find_slot(table, table->items[i].key) = i + 1;
}

void table_put(Table *table, const char *key, void *value) {
    size_t *slot = find_slot(table, key);
    if (*slot != 0) {
        table->items[*slot - 1].value = value;
        return;
    }
    TableEntry *entry = ARENA_PUSH(table->arena, table);
    entry->key = arena_strdup(table->arena, key);
    entry->value = value;
    *slot = table->count;
    if (table->count * 2 > table->slot_count)
        widen(table);
}

void *table_get(const Table *table, const char *key) {
    size_t slot = *find_slot(table, key);
    return slot == 0 ? NULL : table->items[slot - 1].value;
}

bool table_has(const Table *table, const char *key) {
    return *find_slot(table, key) != 0;
}
