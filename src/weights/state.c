/* State dicts: decoding what a cell described, ties, and which buffers are state. */
#include "inside.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { MOST_ENTRIES = 100000 };

/* ---- Masks and ramps (policy.md, "Buffers") ------------------------------------------------ */
/* Larger tensors than this are not looked through: no mask or ramp that a model keeps is as large. */
static const int64_t LARGEST_SCANNED = (int64_t)1 << 31;

static double number_at(const TensorView *view, int64_t linear) {
    return element_read(view->dtype, tensor_at_linear(view, linear)).real;
}

/* The same elements, each once: dimensions that repeat them (stride 0) are taken out. `shape` and `stride`
 * are the caller's room for what is left. */
static TensorView without_repeats(const TensorView *view, int64_t shape[TENSOR_RANK_MAX],
                                  int64_t stride[TENSOR_RANK_MAX]) {
    TensorView once = *view;
    once.rank = 0;
    once.element_count = view->element_count > 0;
    for (size_t i = 0; i < view->rank && view->element_count > 0; i++) {
        if (view->stride[i] == 0)
            continue;
        shape[once.rank] = view->shape[i];
        stride[once.rank++] = view->stride[i];
        once.element_count *= view->shape[i];
    }
    once.shape = shape;
    once.stride = stride;
    return once;
}

static bool has_mask_values(const TensorView *view) {
    bool zeros = false, ones = false, lowest = false;
    for (int64_t i = 0; i < view->element_count; i++) {
        double value = number_at(view, i);
        if (value == 0)
            zeros = true;
        else if (value == 1)
            ones = true;
        else if (value == -INFINITY || value == -dtype_largest(view->dtype))
            lowest = true;
        else
            return false;
        if (ones && lowest)
            return false;
    }
    return zeros && (ones || lowest);
}

/* Numbers in equal steps, up to what their dtype rounds away. */
static bool is_ramp(const TensorView *view) {
    if (view->element_count < 3)
        return false;
    const double first = number_at(view, 0), last = number_at(view, view->element_count - 1);
    const double step = (last - first) / (double)(view->element_count - 1);
    const double slack = dtype_info(view->dtype)->tolerance.rtol * fabs(step);
    if (step == 0 || !isfinite(step))
        return false;
    for (int64_t i = 0; i < view->element_count; i++) {
        double expected = first + (double)i * step;
        if (!(fabs(number_at(view, i) - expected) <= slack + 1e-7 * fabs(expected)))
            return false;
    }
    return true;
}

bool tensor_is_mask(const TensorView *view) {
    int64_t shape[TENSOR_RANK_MAX], stride[TENSOR_RANK_MAX];
    if (dtype_info(view->dtype)->kind != KIND_FLOAT)
        return false;
    TensorView once = without_repeats(view, shape, stride);
    return once.element_count <= LARGEST_SCANNED && has_mask_values(&once);
}

static bool tensor_is_mask_or_ramp(const TensorView *view) {
    int64_t shape[TENSOR_RANK_MAX], stride[TENSOR_RANK_MAX];
    if (dtype_info(view->dtype)->kind != KIND_FLOAT)
        return false;
    TensorView once = without_repeats(view, shape, stride);
    return once.element_count <= LARGEST_SCANNED && (has_mask_values(&once) || is_ramp(&once));
}

static bool entry_is_state(const StateEntry *entry) {
    if (entry->kind == STATE_PARAMETER)
        return true;
    if (entry->owner < 0 && text_starts(entry->module_class, "torch.nn."))
        return true;
    return entry->persistent && dtype_is_floating(entry->tensor.dtype) &&
           !tensor_is_mask_or_ramp(&entry->tensor);
}

/* ---- Decoding ----------------------------------------------------------------------------- */
static Status decode_entry(Arena *arena, const json_t *json, Bytes file, bool may_be_unwritten,
                           const char *where, StateEntry *entry, Error *error) {
    const char *kind;
    int64_t owner;
    if (!json_is_object(json))
        return error_set(error, where, "", "a state entry must be an object");
    if (json_read_string(arena, json, "key", &entry->key, where, error) != STATUS_OK ||
        json_read_string(arena, json, "kind", &kind, where, error) != STATUS_OK ||
        json_read_bool(json, "persistent", &entry->persistent, where, error) != STATUS_OK ||
        json_read_string(arena, json, "module", &entry->module, where, error) != STATUS_OK ||
        json_read_string(arena, json, "module_class", &entry->module_class, where, error) != STATUS_OK ||
        json_read_int(json, "owner", -1, INT32_MAX, &owner, where, error) != STATUS_OK)
        return STATUS_ERROR;
    if (!text_equal(kind, "parameter") && !text_equal(kind, "buffer"))
        return error_set(error, where, "", "the kind of a state entry is \"%s\"", kind);
    entry->kind = text_equal(kind, "parameter") ? STATE_PARAMETER : STATE_BUFFER;
    entry->gradient = json_is_true(json_object_get(json, "gradient"));
    entry->owner = (int)owner;
    const char *place = arena_printf(arena, "%s: %s", where, entry->key);
    const json_t *tensor = json_object_get(json, "tensor");
    entry->unwritten = may_be_unwritten && entry->kind == STATE_PARAMETER &&
                       json_is_null(json_object_get(tensor, "storage"));
    if (!entry->unwritten)
        return tensor_located_decode(arena, tensor, file, place, &entry->tensor, error);
    const json_t *tied_to = json_object_get(json, "tied_to");
    entry->tied_to = json_is_string(tied_to) ? arena_strdup(arena, json_string_value(tied_to)) : entry->key;
    return tensor_unwritten_decode(arena, tensor, place, &entry->tensor, error);
}

/* What entries on the same memory have in common: where it lies, or what the cell says if it was not written;
 * and always their shape and dtype, on which the sizes of what is laid out for them depend. */
static const char *memory_name(Arena *arena, const StateEntry *entry) {
    const TensorView *view = &entry->tensor;
    Text text = text_new(arena);
    if (entry->unwritten) {
        text_printf(&text, "as %s %s", entry->tied_to, tensor_as_text(arena, view));
        return text.data;
    }
    text_printf(&text, "%zu+%" PRId64 " %s", view->storage_at, view->offset, tensor_as_text(arena, view));
    for (size_t i = 0; i < view->rank; i++)
        text_printf(&text, " %" PRId64, view->stride[i]);
    return text.data;
}

static void find_ties(Arena *arena, StateDict *dict) {
    Table *latest = table_new(arena); /* memory -> the latest entry on it */
    for (size_t i = 0; i < dict->count; i++) {
        StateEntry *entry = &dict->items[i];
        entry->tie = i;
        entry->next_tied = SIZE_MAX;
        if (entry->tensor.element_count == 0)
            continue;
        const char *name = memory_name(arena, entry);
        StateEntry *before = table_get(latest, name);
        if (before != NULL) {
            entry->tie = before->tie;
            before->next_tied = i;
        }
        table_put(latest, name, entry);
    }
}

Status state_dict_decode(Arena *arena, const json_t *state, Bytes file, bool may_be_unwritten,
                         const char *where, StateDict *dict, Error *error) {
    if (!json_is_array(state))
        return error_set(error, where, "", "the state must be a list");
    if (json_array_size(state) > MOST_ENTRIES)
        return error_set(error, where, "", "a state dict of %zu entries; at most %d are looked at",
                         json_array_size(state), MOST_ENTRIES);
    *dict = (StateDict){.count = json_array_size(state), .by_key = table_new(arena)};
    dict->items = ARENA_ARRAY(arena, StateEntry, dict->count);
    for (size_t i = 0; i < dict->count; i++) {
        StateEntry *entry = &dict->items[i];
        if (decode_entry(arena, json_array_get(state, i), file, may_be_unwritten, where, entry, error) !=
            STATUS_OK)
            return STATUS_ERROR;
        if (table_has(dict->by_key, entry->key))
            return error_set(error, where, "", "the state has the key \"%s\" twice", entry->key);
        table_put(dict->by_key, entry->key, entry);
        entry->is_state = entry_is_state(entry);
    }
    find_ties(arena, dict);
    for (size_t i = 0; i < dict->count; i++) /* one tensor has one nature, whatever its names */
        dict->items[dict->items[i].tie].is_state |= dict->items[i].is_state;
    for (size_t i = 0; i < dict->count; i++)
        dict->items[i].is_state = dict->items[dict->items[i].tie].is_state;
    return STATUS_OK;
}

void state_dict_mark_state(StateDict *dict, const char *key) {
    const StateEntry *written = table_get(dict->by_key, key);
    for (size_t i = written == NULL ? SIZE_MAX : written->tie; i != SIZE_MAX; i = dict->items[i].next_tied)
        dict->items[i].is_state = true;
}
