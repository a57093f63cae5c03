/* Dimensions: what a component says of itself against what reaches it in the recomposed model. */
#include "recompose.h"

#include <inttypes.h>
#include <string.h>

/* ---- Tensors -------------------------------------------------------------------------------- */
static bool same_shape(const TensorFact *a, const TensorFact *b) {
    return a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

static const char *shape_text(Arena *arena, const TensorFact *fact) {
    Text text = text_new(arena);
    text_add(&text, "[");
    for (size_t i = 0; i < fact->rank; i++)
        text_printf(&text, "%s%" PRId64, i > 0 ? ", " : "", fact->shape[i]);
    text_add(&text, "]");
    return text.data;
}

/* What people call a dimension of a tensor with so many. */
static const char *dimension_name(Arena *arena, size_t dimension, size_t rank) {
    if (dimension == 0 && rank > 1)
        return "batch";
    if (dimension == 1 && rank == 3)
        return "sequence length";
    if (dimension == 1 && rank == 4)
        return "channels";
    return arena_printf(arena, "dimension %zu", dimension);
}

static const TensorFact *fact_named(const TensorFacts *facts, const char *name) {
    for (size_t i = 0; i < facts->count; i++)
        if (text_equal(facts->items[i].name, name))
            return &facts->items[i];
    return NULL;
}

/* The other side's fact of the same name; of as many, the one at the same place. */
static const TensorFact *counterpart(const TensorFacts *own, const TensorFacts *given, size_t index) {
    const TensorFact *found = fact_named(given, own->items[index].name);
    if (found == NULL && own->count == given->count && fact_named(own, given->items[index].name) == NULL)
        found = &given->items[index];
    return found;
}

/* How one tensor differs, in words; NULL if it doesn't. */
static const char *tensor_difference(Arena *arena, const TensorFact *own, const TensorFact *given,
                                     const char *module) {
    const char *name = own->name;
    if (same_shape(own, given) && text_equal(own->dtype, given->dtype))
        return NULL;
    if (same_shape(own, given))
        return arena_printf(arena, "%s is %s here, %s in the original (at %s)", name, own->dtype,
                            given->dtype, module);
    Text text = text_new(arena);
    text_printf(&text, "%s is %s here, %s in the original (at %s)", name, shape_text(arena, own),
                shape_text(arena, given), module);
    const char *before = ": ";
    for (size_t i = 0; own->rank == given->rank && i < own->rank; i++) {
        if (own->shape[i] == given->shape[i])
            continue;
        text_printf(&text, "%s%s %" PRId64 " here, %" PRId64 " in the original", before,
                    dimension_name(arena, i, own->rank), own->shape[i], given->shape[i]);
        before = "; ";
    }
    return text.data;
}

/* The first difference of a component's inputs from those at a place; NULL: none. `*count`: how many. */
static const char *input_difference(Arena *arena, const TensorFacts *own, const TensorFacts *given,
                                    const Placement *placement, size_t *count) {
    const char *first = NULL;
    *count = 0;
    if (own->count != given->count) {
        *count = 1 + own->count + given->count;
        return arena_printf(arena, "it takes %zu tensor%s here, %zu in the original (at %s)", own->count,
                            own->count == 1 ? "" : "s", given->count, placement->module);
    }
    for (size_t i = 0; i < own->count; i++) {
        const TensorFact *other = counterpart(own, given, i);
        const char *what = other == NULL ? arena_printf(arena, "%s is not given in the original (at %s)",
                                                        own->items[i].name, placement->module)
                                         : tensor_difference(arena, &own->items[i], other, placement->module);
        *count += what != NULL;
        first = first == NULL ? what : first;
    }
    return first;
}

/* Equal at one place; else the nearest is said. */
static void check_inputs(Arena *arena, const Component *component, size_t index, const TensorFacts *own,
                         const CompositionResult *composition, Findings *findings) {
    const char *nearest = NULL;
    size_t fewest = SIZE_MAX;
    bool placed = false, called = false;
    for (size_t i = 0; i < composition->placement_count; i++) {
        const Placement *placement = &composition->placements[i];
        if (placement->component != index)
            continue;
        placed = true;
        if (placement->module_call == SIZE_MAX)
            continue;
        called = true;
        for (size_t j = 0; j <= placement->other_count; j++) {
            const TensorFacts *given = j == 0 ? &placement->inputs : &placement->other_inputs[j - 1];
            size_t count;
            const char *what = input_difference(arena, own, given, placement, &count);
            if (what == NULL)
                return;
            if (count < fewest)
                nearest = what;
            fewest = count < fewest ? count : fewest;
        }
    }
    const Place place = {.file = component->source.name};
    if (nearest != NULL)
        findings_add(findings, project_rule("dimensions.input"), SEVERITY_VIOLATION, place, "%s", nearest);
    else if (placed && !called)
        findings_add(findings, project_rule("dimensions.unjudged"), SEVERITY_VIOLATION, place,
                     "it is built in the recomposed model, but never called");
}

/* ---- Init arguments --------------------------------------------------------------------------- */
static bool is_number(const Value *value) {
    return value->kind == VALUE_INT || value->kind == VALUE_FLOAT;
}

static double number_of(const Value *value) {
    return value->kind == VALUE_INT ? (double)value->integer : value->real;
}

static bool is_list(const Value *value) {
    return value->kind == VALUE_LIST || value->kind == VALUE_TUPLE;
}

/* The first part of two arguments that differs, in words; NULL: none. 2 is 2.0, and a list a tuple. */
static const char *argument_difference(Arena *arena, const char *path, const Value *own, const Value *given,
                                       const char *module) {
    const bool numbers = is_number(own) && is_number(given) && own->kind != given->kind;
    if (numbers ? number_of(own) == number_of(given) : value_equal(own, given))
        return NULL;
    const bool lists = is_list(own) && is_list(given), dicts = own->kind == VALUE_DICT;
    bool comparable = (lists || own->kind == given->kind) && value_is_container(own) &&
                      own->list.count == given->list.count && text_equal(own->name, given->name);
    for (size_t i = 0; comparable && own->fields != NULL && i < own->list.count; i++)
        comparable = text_equal(own->fields[i], given->fields[i]);
    if (!comparable)
        return arena_printf(arena, "%s is %s here, %s in the original (at %s)", path,
                            value_describe(arena, own), value_describe(arena, given), module);
    for (size_t i = 0; i < own->list.count; i++) {
        const char *part = arena_printf(arena, "%s[%zu]", path, i);
        if (own->fields != NULL)
            part = arena_printf(arena, "%s.%s", path, own->fields[i]);
        else if (dicts && i % 2 == 1)
            part = arena_printf(arena, "%s[%s]", path, value_describe(arena, &own->list.items[i - 1]));
        const char *what =
            argument_difference(arena, part, &own->list.items[i], &given->list.items[i], module);
        if (what != NULL)
            return what;
    }
    return NULL;
}

/* The first argument that differs, in words; NULL: none. Those of **keywords may be given on one side alone.
 */
static const char *init_difference(Arena *arena, const Placement *placement) {
    const Value *sides[] = {&placement->init, &placement->own_init};
    if (placement->init.kind != VALUE_DICT || placement->own_init.kind != VALUE_DICT)
        return NULL;
    for (size_t s = 0; s < COUNT_OF(sides); s++)
        for (size_t i = 0; i + 1 < sides[s]->list.count; i += 2) {
            const char *key = sides[s]->list.items[i].text.data;
            if (sides[s]->list.items[i].kind != VALUE_STR)
                continue;
            const Value *given = value_field(&placement->init, key),
                        *own = value_field(&placement->own_init, key);
            const char *what = given == NULL || own == NULL
                                   ? arena_printf(arena, "%s is %s here, %s in the original (at %s)", key,
                                                  own == NULL ? "not given" : value_describe(arena, own),
                                                  given == NULL ? "not given" : value_describe(arena, given),
                                                  placement->module)
                                   : argument_difference(arena, key, own, given, placement->module);
            if (what != NULL)
                return what;
        }
    return NULL;
}

/* Equal at every place; the first that isn't is said. */
static void check_init(Arena *arena, const Component *component, size_t index,
                       const CompositionResult *composition, Findings *findings) {
    const Place place = {.file = component->source.name};
    for (size_t i = 0; i < composition->placement_count; i++) {
        const Placement *placement = &composition->placements[i];
        if (placement->component != index)
            continue;
        const char *what = init_difference(arena, placement);
        if (what == NULL && placement->own_init.kind == VALUE_DICT)
            continue;
        if (what == NULL)
            findings_add(findings, project_rule("dimensions.unjudged"), SEVERITY_VIOLATION, place,
                         "its get_init_inputs() gives no arguments that its __init__ takes");
        else
            findings_add(findings, project_rule("dimensions.init"), SEVERITY_VIOLATION, place, "%s", what);
        return;
    }
}

/* ---- Components that stand nowhere ------------------------------------------------------------- */

/* Two files of one content are one component here. */
static bool is_placed(const Project *project, const CompositionResult *composition, size_t index) {
    const Bytes own = project->components[index].source.bytes;
    for (size_t i = 0; i < composition->placement_count; i++) {
        const Bytes other = project->components[composition->placements[i].component].source.bytes;
        if (composition->placements[i].component == index ||
            (own.size == other.size && memcmp(own.data, other.data, own.size) == 0))
            return true;
    }
    return false;
}

static void check_placed(const Project *project, const CompositionResult *composition, Findings *findings) {
    for (size_t i = 0; i < project->component_count; i++)
        if (i != project->root_component && project->components[i].level != LEVEL_MODEL &&
            !is_placed(project, composition, i))
            findings_add(findings, project_rule("dimensions.unjudged"), SEVERITY_VIOLATION,
                         (Place){.file = project->components[i].source.name},
                         "it stands nowhere in the recomposed model")
                ->instead = "call it where the original does its work, or remove it";
}

/* ---- All ---------------------------------------------------------------------------------------- */
void dimensions_check(Arena *arena, const Project *project, const ComponentResult *const *components,
                      const CompositionResult *composition, Findings *findings) {
    bool traced = false;
    for (size_t i = 0; composition != NULL && i < composition->placement_count; i++)
        traced |= composition->placements[i].module_call != SIZE_MAX;
    if (!traced) {
        findings_add(findings, project_rule("dimensions.unjudged"), SEVERITY_VIOLATION, (Place){0},
                     "dimensions could not be judged, since there is no recomposed model to go by%s%s",
                     composition != NULL && composition->why_not != NULL ? ": " : "",
                     composition != NULL && composition->why_not != NULL ? composition->why_not : "");
        return;
    }
    if (composition->missing_count == 0) /* else what stands below a leaf is not there */
        check_placed(project, composition, findings);
    for (size_t i = 0; i < project->component_count; i++) {
        const ComponentResult *own = components[i];
        if (i == project->root_component)
            continue;
        check_init(arena, &project->components[i], i, composition, findings);
        if (own == NULL)
            continue;
        if (own->runs == PART_PASSED || own->inputs.count > 0)
            check_inputs(arena, &project->components[i], i, &own->inputs, composition, findings);
    }
}
