/* Whose keys are most alike, for tensors that no name pairs off: by the ends that they share.
 *
 * Every way in which two keys are alike is a dotted text that both show, at a level: an end of a key, or what
 * is left of a key whose middle is left out. So tensors meet at the texts, and no two of them are compared.
 */
#include "inside.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_number(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
    }
    return length > 0;
}

size_t shared_suffix(const char *a, const char *b) {
    const char *a_end = a + strlen(a), *b_end = b + strlen(b);
    size_t shared = 0, counted = 0;
    for (;;) {
        const char *a_start = a_end, *b_start = b_end;
        while (a_start > a && a_start[-1] != '.')
            a_start--;
        while (b_start > b && b_start[-1] != '.')
            b_start--;
        size_t length = (size_t)(a_end - a_start);
        if (length != (size_t)(b_end - b_start) || memcmp(a_start, b_start, length) != 0)
            return counted;
        shared++;
        if (!is_number(a_start, length))
            counted = shared;
        if (a_start == a || b_start == b)
            return shared;
        a_end = a_start - 1;
        b_end = b_start - 1;
    }
}

/* ---- Texts ---------------------------------------------------------------------------------
 * A trie of the ends of keys, read backwards: a node is a text of whole components. */
enum { ROOT, MOST_LEVEL = UINT8_MAX, MOST_COMPONENTS = 64 };

typedef enum Show {                  /* how a tensor shows a text */
                    SHOW_END,        /* a key ends so */
                    SHOW_WHOLE,      /* a key is so */
                    SHOW_START_END,  /* a key is so, but for components that are left out before its end */
                    SHOW_MIDDLE_END, /* a key ends so, but for those */
                    SHOW_COUNT
} Show;

typedef enum Side { ORIGINAL, CANDIDATE } Side;

typedef struct Key {
    size_t *components; /* interned */
    size_t *ends;       /* ends[i]: the node of what begins with component i; ends[count] is the root */
    size_t count;
} Key;

typedef struct Paired Paired;
struct Paired { /* a tensor that is to be paired off */
    Side side;
    size_t place; /* among those of its side */
    struct {
        Key *items;
        size_t count, capacity;
    } keys;
    Paired *best; /* of those of the other side that are free, the most alike.. */
    size_t level; /* ..as much as this; 0 while none is known */
    bool several; /* others are as much */
    bool taken;
};

typedef struct Roll { /* who shows a text; those taken are struck off when they are met */
    Paired **items;
    size_t count, capacity;
} Roll;

typedef struct Node {
    bool number;               /* its first component is one */
    Roll rolls[2][SHOW_COUNT]; /* by side */
} Node;

typedef struct Sight { /* `who` sees those on the roll */
    Paired *who;
    Roll *roll;
} Sight;

typedef struct Sights {
    Sight *items;
    size_t count, capacity;
} Sights;

typedef struct Pairing {
    Arena *arena;
    Table *components, *children; /* text -> number + 1; "node component" -> node */
    struct {
        Node **items;
        size_t count, capacity;
    } nodes;
    Sights levels[MOST_LEVEL + 1];
} Pairing;

static size_t component_number(Pairing *pairing, const char *text, size_t length) {
    const char *name = arena_strndup(pairing->arena, text, length);
    size_t number = (size_t)table_get(pairing->components, name);
    if (number == 0) {
        number = pairing->components->count + 1;
        table_put(pairing->components, name, (void *)number);
    }
    return number;
}

static size_t add_node(Pairing *pairing) {
    *(Node **)ARENA_PUSH(pairing->arena, &pairing->nodes) = ARENA_NEW(pairing->arena, Node);
    return pairing->nodes.count - 1;
}

/* The text with one component more before it; ROOT: nobody's key ends so. */
static size_t child_of(const Pairing *pairing, size_t node, size_t component) {
    char name[48];
    snprintf(name, sizeof name, "%zu %zu", node, component);
    return (size_t)table_get(pairing->children, name);
}

static size_t child_made(Pairing *pairing, size_t node, size_t component) {
    size_t child = child_of(pairing, node, component);
    if (child == ROOT) {
        char name[48];
        snprintf(name, sizeof name, "%zu %zu", node, component);
        child = add_node(pairing);
        table_put(pairing->children, name, (void *)child);
    }
    return child;
}

/* A tensor is on a roll once, however many keys it has: they come one after the other. */
static void show(Pairing *pairing, Paired *who, size_t node, Show how) {
    Roll *roll = &pairing->nodes.items[node]->rolls[who->side][how];
    if (roll->count == 0 || roll->items[roll->count - 1] != who)
        *(Paired **)ARENA_PUSH(pairing->arena, roll) = who;
}

static void see(Pairing *pairing, Paired *who, size_t level, size_t node, Show how) {
    Roll *roll = &pairing->nodes.items[node]->rolls[who->side == ORIGINAL ? CANDIDATE : ORIGINAL][how];
    if (roll->count > 0)
        *(Sight *)ARENA_PUSH(pairing->arena, &pairing->levels[level < MOST_LEVEL ? level : MOST_LEVEL]) =
            (Sight){who, roll};
}

/* ---- Keys ---------------------------------------------------------------------------------- */

static Key read_key(Pairing *pairing, const char *text) {
    Key key = {.count = 1};
    for (const char *at = text; (at = strchr(at, '.')) != NULL; at++)
        key.count++;
    key.components = ARENA_ARRAY(pairing->arena, size_t, key.count);
    key.ends = ARENA_ARRAY(pairing->arena, size_t, key.count + 1);
    const char *end = text + strlen(text);
    for (size_t i = key.count; i-- > 0;) {
        const char *start = end;
        while (start > text && start[-1] != '.')
            start--;
        key.components[i] = component_number(pairing, start, (size_t)(end - start));
        key.ends[i] = child_made(pairing, key.ends[i + 1], key.components[i]);
        pairing->nodes.items[key.ends[i]]->number = is_number(start, (size_t)(end - start));
        end = start - (start > text);
    }
    return key;
}

static void show_ends(Pairing *pairing, Paired *who, const Key *key) {
    for (size_t i = 0; i < key->count; i++)
        show(pairing, who, key->ends[i], SHOW_END);
    show(pairing, who, key->ends[0], SHOW_WHOLE);
}

/* "up.weight" of "up.linear.weight": less alike than equal ends, which say more than a child that wraps what
 * the original had there itself; one of the two keys must be shown whole. */
static void show_gaps(Pairing *pairing, Paired *who, const Key *key) {
    for (size_t after = 1; key->count <= MOST_COMPONENTS && after + 1 < key->count; after++)
        for (size_t before = 1; before + after < key->count; before++) {
            size_t node = key->ends[key->count - after], length = after;
            for (size_t i = before;
                 i-- > 0 && (node = child_of(pairing, node, key->components[i])) != ROOT;) {
                const size_t level = 2 * ++length - 1;
                show(pairing, who, node, SHOW_MIDDLE_END);
                see(pairing, who, level, node, SHOW_WHOLE);
                if (i > 0)
                    continue;
                show(pairing, who, node, SHOW_START_END);
                see(pairing, who, level, node, SHOW_END);
            }
        }
}

/* An end that begins with a number counts where it is the whole of a key. */
static void see_ends(Pairing *pairing, Paired *who, const Key *key) {
    for (size_t i = 0; i < key->count; i++) {
        const size_t level = 2 * (key->count - i), node = key->ends[i];
        const bool any = i == 0 || !pairing->nodes.items[node]->number;
        see(pairing, who, level, node, any ? SHOW_END : SHOW_WHOLE);
        see(pairing, who, level - 1, node, SHOW_START_END);
    }
    see(pairing, who, 2 * key->count - 1, key->ends[0], SHOW_MIDDLE_END);
}

/* ---- Pairs --------------------------------------------------------------------------------- */

static void notice(Paired *who, Paired *other, size_t level) {
    who->several = who->level == level && (who->several || who->best != other);
    who->best = other;
    who->level = level;
}

/* Two of those on the roll are enough to tell whether there is one. */
static void look(Paired *who, Roll *roll, size_t level) {
    while (roll->count > 0 && roll->items[roll->count - 1]->taken)
        roll->count--;
    if (roll->count == 0)
        return;
    Paired *last = roll->items[roll->count - 1];
    while (roll->count > 1 && roll->items[roll->count - 2]->taken)
        roll->items[--roll->count - 1] = last;
    notice(who, last, level);
    if (roll->count > 1)
        notice(who, roll->items[roll->count - 2], level);
}

/* Who sees somebody at a level looks no further: at lower levels nobody is taken whom those at this one see.
 */
static void pair_level(const Sights *sights, size_t level, size_t *partners) {
    for (size_t i = 0; i < sights->count; i++) {
        Paired *who = sights->items[i].who;
        if (!who->taken && (who->level == 0 || who->level == level))
            look(who, sights->items[i].roll, level);
    }
    for (size_t i = 0; i < sights->count; i++) {
        Paired *who = sights->items[i].who, *best = who->best;
        if (who->side != CANDIDATE || who->taken || who->level != level || who->several ||
            best->best != who || best->several)
            continue;
        who->taken = best->taken = true;
        partners[who->place] = best->place;
    }
}

/* ---- All of it ------------------------------------------------------------------------------ */

static void read_keys(Pairing *pairing, Paired *who, const StateDict *dict, size_t first) {
    for (size_t i = first; i != SIZE_MAX; i = dict->items[i].next_tied) {
        Key *key = ARENA_PUSH(pairing->arena, &who->keys);
        *key = read_key(pairing, dict->items[i].key);
        show_ends(pairing, who, key);
    }
}

typedef void VisitKey(Pairing *pairing, Paired *who, const Key *key);

static void each_key(Pairing *pairing, Paired *all, size_t count, VisitKey *visit) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < all[i].keys.count; k++)
            visit(pairing, &all[i], &all[i].keys.items[k]);
}

const size_t *pair_alike(Arena *arena, const StateDict *original, const Members *originals,
                         const StateDict *candidate, const Members *candidates) {
    size_t *partners = ARENA_ARRAY(arena, size_t, candidates->count + 1);
    for (size_t j = 0; j < candidates->count; j++)
        partners[j] = SIZE_MAX;
    if (originals->count == 0 || candidates->count == 0)
        return partners;
    Arena *scratch = arena_new();
    Pairing *pairing = ARENA_NEW(scratch, Pairing);
    const size_t count = originals->count + candidates->count;
    Paired *all = ARENA_ARRAY(scratch, Paired, count);
    *pairing = (Pairing){.arena = scratch, .components = table_new(scratch), .children = table_new(scratch)};
    add_node(pairing); /* the root */
    for (size_t i = 0; i < count; i++) {
        const bool second = i >= originals->count;
        all[i].side = second ? CANDIDATE : ORIGINAL;
        all[i].place = second ? i - originals->count : i;
        read_keys(pairing, &all[i], second ? candidate : original,
                  (second ? candidates : originals)->items[all[i].place]);
    }
    each_key(pairing, all, count, show_gaps);
    each_key(pairing, all, count, see_ends);
    for (size_t level = MOST_LEVEL; level > 0; level--)
        pair_level(&pairing->levels[level], level, partners);
    arena_free(scratch);
    return partners;
}
