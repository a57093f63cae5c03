/* Hashes: BLAKE2b, which nobody can find a second text for. */
#include "base.h"

#include <sodium.h>
#include <string.h>

enum { HASH_BYTES = 32 };

struct Hasher {
    crypto_generichash_state state; /* 64-byte alignment is libsodium's wish, and the arena gives 16 */
};

Hasher *hasher_new(Arena *arena) {
    /* Room to align it by hand. */
    uint8_t *memory = arena_alloc(arena, sizeof(Hasher) + 64);
    Hasher *hasher = (Hasher *)(memory + (64 - (uintptr_t)memory % 64) % 64);
    crypto_generichash_init(&hasher->state, NULL, 0, HASH_BYTES);
    return hasher;
}

void hasher_add(Hasher *hasher, const void *data, size_t size) {
    crypto_generichash_update(&hasher->state, data, size);
}

void hasher_add_text(Hasher *hasher, const char *text) {
    uint64_t length = strlen(text);
    hasher_add(hasher, &length, sizeof length);
    hasher_add(hasher, text, length);
}

const char *hasher_end(Arena *arena, Hasher *hasher) {
    uint8_t hash[HASH_BYTES];
    crypto_generichash_final(&hasher->state, hash, sizeof hash);
    char *text = arena_alloc(arena, 2 * HASH_BYTES + 1);
    return sodium_bin2hex(text, 2 * HASH_BYTES + 1, hash, sizeof hash);
}
