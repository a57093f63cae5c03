/* Names: scopes, imports, and members of the program's own files and of torch. */
#include "flow.h"

#include <string.h>

typedef struct DtypeName {
    const char *name;
    NumberKind number;
} DtypeName;

static const DtypeName DTYPES[] = {
    {"float", NUMBER_FLOAT},     {"float16", NUMBER_FLOAT},       {"float32", NUMBER_FLOAT},
    {"float64", NUMBER_FLOAT},   {"half", NUMBER_FLOAT},          {"double", NUMBER_FLOAT},
    {"bfloat16", NUMBER_FLOAT},  {"float8_e4m3fn", NUMBER_FLOAT}, {"float8_e5m2", NUMBER_FLOAT},
    {"complex32", NUMBER_FLOAT}, {"complex64", NUMBER_FLOAT},     {"complex128", NUMBER_FLOAT},
    {"cfloat", NUMBER_FLOAT},    {"cdouble", NUMBER_FLOAT},       {"uint8", NUMBER_INT},
    {"int8", NUMBER_INT},        {"int16", NUMBER_INT},           {"int32", NUMBER_INT},
    {"int64", NUMBER_INT},       {"short", NUMBER_INT},           {"int", NUMBER_INT},
    {"long", NUMBER_INT},        {"bool", NUMBER_BOOL},
};

static const char *const CONSTANTS[] = {"inf",
                                        "nan",
                                        "pi",
                                        "e",
                                        "strided",
                                        "contiguous_format",
                                        "channels_last",
                                        "channels_last_3d",
                                        "preserve_format",
                                        "__version__"};

const Meaning *flow_torch_name(Flow *flow, const char *dotted) {
    const char *name = dotted + strlen("torch.");
    for (size_t i = 0; i < COUNT_OF(DTYPES); i++)
        if (text_equal(name, DTYPES[i].name))
            return meaning_of(flow, (Sense){.kind = SENSE_PLAIN, .dtype = true, .number = DTYPES[i].number});
    for (size_t i = 0; i < COUNT_OF(CONSTANTS); i++)
        if (text_equal(name, CONSTANTS[i]))
            return flow->plain;
    return meaning_name(flow, SENSE_TORCH, dotted);
}

/* ---- The program's files ------------------------------------------------------------------ */

Frame *flow_file_frame(Flow *flow, const ProgramFile *file) {
    if (flow->file_frames[file->index] != NULL)
        return flow->file_frames[file->index];
    Frame *frame = ARENA_NEW(flow->arena, Frame);
    *frame = (Frame){.names = table_new(flow->arena), .file = file, .live = true};
    flow->file_frames[file->index] = frame;
    Frame *before = flow->frame;
    Phase phase = flow->phase;
    bool others = file->part == PART_CHILD || file->part == PART_ORIGINAL;
    flow->frame = frame;
    flow->phase = PHASE_LOAD;
    flow->quiet += others;
    flow_body(flow, file->tree.module, FIELD_body);
    flow->quiet -= others;
    flow->phase = phase;
    flow->frame = before;
    return frame;
}

static const Meaning *file_meaning(Flow *flow, const ProgramFile *file) {
    return meaning_of(flow, (Sense){.kind = SENSE_FILE, .file = file});
}

static const Binding *binding_of(const ProgramFile *file, const Node *node, const char *name) {
    for (size_t i = 0; i < file->bindings.count; i++) {
        const Binding *binding = &file->bindings.items[i];
        if ((node == NULL || binding->node == node) && text_equal(binding->name, name))
            return binding;
    }
    return NULL;
}

static const Meaning *binding_meaning(Flow *flow, const Binding *binding) {
    if (binding->file == NULL)
        return flow->unknown;
    return binding->attribute != NULL ? flow_file_member(flow, binding->file, binding->attribute)
                                      : file_meaning(flow, binding->file);
}

const Meaning *flow_loaded_file(Flow *flow, const Node *call) {
    const Binding *binding = binding_of(flow->frame->file, call, NULL);
    return binding != NULL ? binding_meaning(flow, binding) : NULL;
}

const Meaning *flow_file_member(Flow *flow, const ProgramFile *file, const char *name) {
    const Meaning *member = table_get(flow_file_frame(flow, file)->names, name);
    return member != NULL ? member : flow->unknown;
}

const Meaning *flow_package_member(Flow *flow, const char *dotted) {
    const Binding *binding = binding_of(flow->frame->file, NULL, dotted);
    return binding != NULL ? binding_meaning(flow, binding) : meaning_name(flow, SENSE_PACKAGE, dotted);
}

/* ---- Imports ------------------------------------------------------------------------------ */

static const Meaning *library_meaning(Flow *flow, const char *dotted) {
    if (text_equal(dotted, "torch"))
        return meaning_name(flow, SENSE_TORCH, dotted);
    return text_starts(dotted, "torch.") ? flow_torch_name(flow, dotted)
                                         : meaning_name(flow, SENSE_PYTHON, dotted);
}

/* `import a.b` binds a; `import a.b as c` binds what a.b is. */
static void import_module(Flow *flow, const Node *statement, const Node *alias) {
    const char *dotted = node_text(alias, FIELD_name), *as = node_text(alias, FIELD_asname);
    if (dotted == NULL)
        return;
    const char *bound = as != NULL ? as : dotted, *dot = strchr(dotted, '.');
    const Binding *binding = binding_of(flow->frame->file, statement, bound);
    const Meaning *meaning = binding != NULL ? binding_meaning(flow, binding) : library_meaning(flow, dotted);
    if (as == NULL && dot != NULL) {
        bound = arena_strndup(flow->arena, dotted, (size_t)(dot - dotted));
        meaning = binding != NULL ? flow_package_member(flow, bound) : library_meaning(flow, bound);
    }
    table_put(flow->frame->names, bound, (void *)meaning);
}

static void import_everything(Flow *flow, const Node *statement, const char *module) {
    bool found = false;
    for (size_t i = 0; i < flow->frame->file->bindings.count; i++) {
        const Binding *binding = &flow->frame->file->bindings.items[i];
        if (binding->node != statement || binding->file == NULL)
            continue;
        found = true;
        if (binding->name != NULL && !text_equal(binding->name, "*")) {
            table_put(flow->frame->names, binding->name, (void *)binding_meaning(flow, binding));
            continue;
        }
        const Table *names = flow_file_frame(flow, binding->file)->names;
        for (size_t j = 0; j < names->count; j++)
            table_put(flow->frame->names, names->items[j].key, names->items[j].value);
    }
    if (!found)
        table_put(flow->frame->names, "*", (void *)library_meaning(flow, module));
}

static void import_from(Flow *flow, const Node *statement) {
    const Field *names = node_field(statement, FIELD_names);
    const char *module = node_text(statement, FIELD_module);
    for (size_t i = 0; names != NULL && i < names->count; i++) {
        const char *name = node_text(names->items[i], FIELD_name),
                   *as = node_text(names->items[i], FIELD_asname);
        if (name == NULL)
            continue;
        if (text_equal(name, "*")) {
            import_everything(flow, statement, module != NULL ? module : "");
            continue;
        }
        const char *bound = as != NULL ? as : name;
        const Binding *binding = binding_of(flow->frame->file, statement, bound);
        const Meaning *meaning =
            binding != NULL ? binding_meaning(flow, binding)
                            : library_meaning(flow, arena_printf(flow->arena, "%s.%s",
                                                                 module != NULL ? module : "", name));
        table_put(flow->frame->names, bound, (void *)meaning);
    }
}

void flow_import(Flow *flow, const Node *statement) {
    if (statement->kind == NODE_ImportFrom) {
        import_from(flow, statement);
        return;
    }
    const Field *names = node_field(statement, FIELD_names);
    for (size_t i = 0; names != NULL && i < names->count; i++)
        import_module(flow, statement, names->items[i]);
}

/* ---- Scopes ------------------------------------------------------------------------------- */

const Meaning *flow_name(Flow *flow, const char *name) {
    for (const Frame *frame = flow->frame; frame != NULL; frame = frame->parent) {
        bool hidden = frame->class != NULL && frame != flow->frame; /* a class's names are not its methods' */
        const Meaning *meaning = hidden ? NULL : table_get(frame->names, name);
        if (meaning != NULL)
            return meaning;
    }
    if (flow_is_builtin(name))
        return meaning_name(flow, SENSE_PYTHON, arena_printf(flow->arena, "builtins.%s", name));
    for (const Frame *frame = flow->frame; frame != NULL; frame = frame->parent) {
        const Meaning *star = table_get(frame->names, "*");
        const Sense *torch = star != NULL ? meaning_first(star, SENSE_TORCH) : NULL;
        if (torch != NULL)
            return flow_torch_name(flow, arena_printf(flow->arena, "%s.%s", torch->text, name));
    }
    return flow->unknown;
}
