/* What an expression may mean: joining, containers, and summing up operands. */
#include "flow.h"

enum { MOST_SENSES = 12, DEEPEST_CONTAINER = 6 };

static bool sense_same(const Sense *a, const Sense *b) {
    return a->kind == b->kind && a->number == b->number && a->origin == b->origin && a->ragged == b->ragged &&
           a->argument == b->argument && a->dtype == b->dtype && a->string == b->string &&
           (a->taint == NULL) == (b->taint == NULL) && text_equal(a->text, b->text) && a->node == b->node &&
           a->file == b->file && a->frame == b->frame && a->object == b->object && a->receiver == b->receiver;
}

/* Merges `from` into `into` if one sense can stand for both. */
static bool sense_merge(Sense *into, const Sense *from, bool crowded) {
    if (into->kind != from->kind)
        return false;
    switch (into->kind) {
    case SENSE_DATA:
    case SENSE_KNOWN:
    case SENSE_PLAIN:
        if (into->kind == SENSE_KNOWN && into->object != from->object && !crowded)
            return false;
        if (into->number != from->number)
            into->number = NUMBER_ANY;
        if (!text_equal(into->text, from->text))
            into->text = NULL;
        if (from->origin > into->origin)
            into->origin = from->origin;
        into->ragged |= from->ragged;
        into->argument |= from->argument;
        into->dtype &= from->dtype;
        into->string &= from->string;
        if (into->taint == NULL)
            into->taint = from->taint;
        return true;
    case SENSE_UNKNOWN:
    case SENSE_PARAMETER:
    case SENSE_INNER:
    case SENSE_RAW:
    case SENSE_PLUMBING: return true;
    case SENSE_CHILD: return into->node == from->node || crowded;
    default: return sense_same(into, from);
    }
}

static void meaning_add(Flow *flow, Meaning *meaning, const Sense *sense) {
    bool crowded = meaning->count >= MOST_SENSES;
    for (size_t i = 0; i < meaning->count; i++)
        if (sense_merge(&meaning->items[i], sense, crowded))
            return;
    if (crowded) {
        if (!meaning_has(meaning, SENSE_UNKNOWN))
            meaning->items[meaning->count - 1] = (Sense){.kind = SENSE_UNKNOWN};
        return;
    }
    *(Sense *)ARENA_PUSH(flow->arena, meaning) = *sense;
}

const Meaning *meaning_of(Flow *flow, Sense sense) {
    Meaning *meaning = ARENA_NEW(flow->arena, Meaning);
    *(Sense *)ARENA_PUSH(flow->arena, meaning) = sense;
    return meaning;
}

const Meaning *meaning_join(Flow *flow, const Meaning *a, const Meaning *b) {
    if (a == NULL || b == NULL || a == b || meaning_same(a, b))
        return a == NULL ? b : a;
    Meaning *joined = ARENA_NEW(flow->arena, Meaning);
    for (size_t i = 0; i < a->count; i++)
        meaning_add(flow, joined, &a->items[i]);
    for (size_t i = 0; i < b->count; i++)
        meaning_add(flow, joined, &b->items[i]);
    return joined;
}

bool meaning_same(const Meaning *a, const Meaning *b) {
    if (a == b)
        return true;
    if (a == NULL || b == NULL || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!sense_same(&a->items[i], &b->items[i]))
            return false;
    return true;
}

const Meaning *meaning_data(Flow *flow, Origin origin, NumberKind number) {
    return meaning_of(flow, (Sense){.kind = SENSE_DATA, .origin = origin, .number = number});
}

const Meaning *meaning_known(Flow *flow, NumberKind number) {
    return meaning_of(flow, (Sense){.kind = SENSE_KNOWN, .number = number, .object = object_new(flow)});
}

const Meaning *meaning_constant(Flow *flow, NumberKind number, const char *text) {
    return meaning_of(flow, (Sense){.kind = SENSE_PLAIN, .number = number, .text = text});
}

const Meaning *meaning_name(Flow *flow, SenseKind kind, const char *text) {
    return meaning_of(flow, (Sense){.kind = kind, .text = text});
}

bool meaning_is(const Meaning *meaning, SenseKind kind) {
    for (size_t i = 0; i < meaning->count; i++)
        if (meaning->items[i].kind != kind)
            return false;
    return true;
}

const Sense *meaning_first(const Meaning *meaning, SenseKind kind) {
    for (size_t i = 0; i < meaning->count; i++)
        if (meaning->items[i].kind == kind)
            return &meaning->items[i];
    return NULL;
}

bool meaning_has(const Meaning *meaning, SenseKind kind) {
    return meaning_first(meaning, kind) != NULL;
}

/* ---- Containers --------------------------------------------------------------------------- */

Object *object_new(Flow *flow) {
    Object *object = ARENA_NEW(flow->arena, Object);
    object->named = table_new(flow->arena);
    return object;
}

static const Meaning *list_meaning(Flow *flow, Object *object) {
    return meaning_of(flow, (Sense){.kind = SENSE_LIST, .object = object});
}

const Meaning *list_of(Flow *flow, const Meaning *const *items, size_t count) {
    Object *object = object_new(flow);
    object->exact = true;
    for (size_t i = 0; i < count; i++)
        *(const Meaning **)ARENA_PUSH(flow->arena, object) = items[i];
    return list_meaning(flow, object);
}

const Meaning *list_of_any(Flow *flow, const Meaning *rest) {
    Object *object = object_new(flow);
    object->rest = rest;
    return list_meaning(flow, object);
}

void list_forget_order(Flow *flow, Object *list) {
    for (size_t i = 0; i < list->count; i++)
        list->rest = meaning_join(flow, list->rest, list->items[i]);
    list->count = 0;
    list->exact = false;
}

void list_add(Flow *flow, Object *list, const Meaning *item) {
    list_forget_order(flow, list);
    list->rest = meaning_join(flow, list->rest, item);
}

const Meaning *object_everything(Flow *flow, const Object *object) {
    const Meaning *all = object->rest;
    for (size_t i = 0; i < object->count; i++)
        all = meaning_join(flow, all, object->items[i]);
    for (size_t i = 0; i < object->named->count; i++)
        all = meaning_join(flow, all, object->named->items[i].value);
    return all;
}

/* ---- Names -------------------------------------------------------------------------------- */

Table *names_copy(Flow *flow, const Table *names) {
    Table *copy = table_new(flow->arena);
    for (size_t i = 0; i < names->count; i++)
        table_put(copy, names->items[i].key, names->items[i].value);
    return copy;
}

Table *names_join(Flow *flow, const Table *a, const Table *b) {
    if (a == NULL || b == NULL)
        return a == NULL && b == NULL ? NULL : names_copy(flow, a == NULL ? b : a);
    Table *joined = names_copy(flow, a);
    for (size_t i = 0; i < b->count; i++) {
        const char *name = b->items[i].key;
        table_put(joined, name, (void *)meaning_join(flow, table_get(a, name), b->items[i].value));
    }
    return joined;
}

bool names_same(const Table *a, const Table *b) {
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!meaning_same(a->items[i].value, table_get(b, a->items[i].key)))
            return false;
    return true;
}

/* ---- Summing up --------------------------------------------------------------------------- */

static void summarise_data(Summary *summary, const Sense *sense, Origin origin) {
    if (summary->data == NULL) {
        summary->data_sense = (Sense){.kind = SENSE_DATA,
                                      .number = sense->number,
                                      .origin = origin,
                                      .ragged = sense->ragged,
                                      .argument = sense->argument};
    } else {
        if (summary->data_sense.number != sense->number)
            summary->data_sense.number = NUMBER_ANY;
        if (origin > summary->data_sense.origin)
            summary->data_sense.origin = origin;
        summary->data_sense.ragged |= sense->ragged;
        summary->data_sense.argument &= sense->argument;
    }
    summary->data = sense;
}

static void summarise_deep(Flow *flow, const Meaning *meaning, Summary *summary, int depth) {
    for (size_t i = 0; meaning != NULL && i < meaning->count; i++) {
        const Sense *sense = &meaning->items[i];
        if (sense->taint != NULL)
            summary->taint = sense->taint;
        switch (sense->kind) {
        case SENSE_DATA: summarise_data(summary, sense, sense->origin); break;
        case SENSE_KNOWN:
            if (sense->object->written) {
                summarise_data(summary, sense, sense->object->origin);
                break;
            }
            summary->known = sense;
            if (summary->any_known_number && summary->known_number != sense->number)
                summary->known_number = NUMBER_ANY;
            else
                summary->known_number = sense->number;
            summary->any_known_number = true;
            break;
        case SENSE_PARAMETER: summary->parameter = sense; break;
        case SENSE_UNKNOWN: summary->unknown = sense; break;
        case SENSE_PLAIN: summary->plain = sense; break;
        case SENSE_LIST:
            if (depth < DEEPEST_CONTAINER)
                summarise_deep(flow, object_everything(flow, sense->object), summary, depth + 1);
            break;
        case SENSE_INSTANCE:
            if (sense->object->module)
                summary->function = sense;
            else if (depth < DEEPEST_CONTAINER)
                summarise_deep(flow, object_everything(flow, sense->object), summary, depth + 1);
            break;
        case SENSE_BOUND: /* a field of a child's result looks like a method until it is called */
            if (!meaning_has(sense->receiver, SENSE_DATA) || operator_is_listed(sense->text))
                summary->function = sense;
            break;
        default: summary->function = sense; break;
        }
    }
}

void summarise(Flow *flow, const Meaning *meaning, Summary *summary) {
    summarise_deep(flow, meaning, summary, 0);
}
