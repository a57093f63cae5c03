/* Arenas: blocks that grow by doubling, freed together. */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Block {
    struct Block *next;
    size_t size, used;
    max_align_t data[];
} Block;

struct Arena {
    Block *blocks;
    size_t next_size;
    Arena *within; /* those that are freed with it, the newest first */
    Arena *next;   /* of those that are within the same one */
};

enum { FIRST_BLOCK = 1 << 14, LARGEST_BLOCK = 1 << 22 };

static void *allocate_or_exit(size_t size) {
    void *memory = calloc(1, size);
    if (memory == NULL) {
        fputs("plumbline: out of memory; free some, or verify a smaller model\n", stderr);
        exit(2);
    }
    return memory;
}

Arena *arena_new(void) {
    Arena *arena = allocate_or_exit(sizeof *arena);
    arena->next_size = FIRST_BLOCK;
    return arena;
}

Arena *arena_new_within(Arena *owner) {
    Arena *arena = arena_new();
    arena->next = owner->within;
    owner->within = arena;
    return arena;
}

static void free_blocks(Arena *arena) {
    for (Block *block = arena->blocks; block != NULL;) {
        Block *next = block->next;
        free(block);
        block = next;
    }
    free(arena);
}

void arena_free(Arena *arena) {
    if (arena == NULL)
        return;
    for (Arena *within = arena->within; within != NULL;) {
        Arena *next = within->next;
        arena_free(within);
        within = next;
    }
    free_blocks(arena);
}

void *arena_alloc(Arena *arena, size_t size) {
    const size_t align = sizeof(max_align_t);
    if (size > SIZE_MAX / 2)
        size = SIZE_MAX / 2; /* can't be met: ends in allocate_or_exit */
    size = (size + align - 1) / align * align;
    if (arena->blocks == NULL || arena->blocks->size - arena->blocks->used < size) {
        size_t block_size = size > arena->next_size ? size : arena->next_size;
        Block *block = allocate_or_exit(sizeof *block + block_size);
        block->size = block_size;
        block->next = arena->blocks;
        arena->blocks = block;
        if (arena->next_size < LARGEST_BLOCK)
            arena->next_size *= 2;
    }
    void *memory = (char *)arena->blocks->data + arena->blocks->used;
    arena->blocks->used += size;
    return memory;
}

void *arena_copy(Arena *arena, const void *data, size_t size) {
    void *copy = arena_alloc(arena, size);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

char *arena_strndup(Arena *arena, const char *text, size_t length) {
    char *copy = arena_alloc(arena, length + 1);
    if (length > 0)
        memcpy(copy, text, length);
    return copy;
}

char *arena_strdup(Arena *arena, const char *text) {
    return arena_strndup(arena, text, strlen(text));
}

char *arena_vprintf(Arena *arena, const char *format, va_list rest) {
    va_list again;
    va_copy(again, rest);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        return arena_strdup(arena, "");
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, rest);
    return text;
}

char *arena_printf(Arena *arena, const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    char *text = arena_vprintf(arena, format, rest);
    va_end(rest);
    return text;
}

void *arena_push(Arena *arena, void *items, size_t *count, size_t *capacity, size_t element_size) {
    void **array = items;
    if (*count == *capacity) {
        size_t larger = *capacity < 8 ? 8 : *capacity * 2;
        void *grown = arena_alloc(arena, larger * element_size);
        if (*count > 0)
            memcpy(grown, *array, *count * element_size);
        *array = grown;
        *capacity = larger;
    }
    return (char *)*array + element_size * (*count)++;
}
