/* Judging refactored.py by its source: where the walk begins, and how it reports. */
#include "flow.h"

#include <string.h>

enum { MOST_STEPS = 300000 };

static const char *const MODEL_NAMES[] = {"RefactoredModel", "Model"};

void flow_report_at(Flow *flow, const Rule *rule, Severity severity, const ProgramFile *file, Place place,
                    const char *instead, const char *what) {
    if (flow->quiet > 0)
        return;
    Finding *finding = findings_add(flow->findings, rule, severity, place, "%s", what);
    if (severity < finding->severity)
        finding->severity = severity;
    if (instead != NULL)
        finding->instead = instead;
    if (finding->where == NULL)
        finding->where = flow->frame->label;
    if (finding->frame == NULL)
        finding->frame = source_frame(flow->arena, &file->source, place);
}

void flow_report(Flow *flow, const Rule *rule, Severity severity, const Node *at, const char *instead,
                 const char *format, ...) {
    const ProgramFile *file = flow->frame->file;
    if (file->unreached != NULL && at->id < file->tree.node_count && file->unreached[at->id])
        return;
    va_list rest;
    va_start(rest, format);
    const char *what = arena_vprintf(flow->arena, format, rest);
    va_end(rest);
    flow_report_at(flow, rule, severity, file, node_place(&file->tree, at), instead, what);
}

bool flow_step(Flow *flow, const Node *at) {
    if (flow->steps < MOST_STEPS) {
        flow->steps++;
        return true;
    }
    if (flow->steps == MOST_STEPS) {
        flow->steps++;
        flow_report(flow, &RULE_FLOW_UNKNOWN, SEVERITY_UNDECIDED, at, NULL,
                    "there is too much here to follow");
    }
    return false;
}

static bool is_plain_annotation(const Node *annotation) {
    static const char *const PLAIN[] = {"int", "float", "bool", "str"};
    const char *name = annotation != NULL ? node_text(annotation, FIELD_id) : NULL;
    for (size_t i = 0; name != NULL && i < COUNT_OF(PLAIN); i++)
        if (text_equal(name, PLAIN[i]))
            return true;
    return false;
}

static bool is_number_or_text(const Node *node) {
    return node != NULL && node->kind == NODE_Constant && node->constant != CONSTANT_NONE;
}

/* A tensor, unless annotation or default say otherwise; None by default may be a tensor too. */
static const Meaning *forward_argument(Flow *flow, const Node *argument, const Node *value, bool first) {
    const Node *annotation = node_child(argument, FIELD_annotation);
    if (is_plain_annotation(annotation) || is_number_or_text(value))
        return flow->plain;
    const Meaning *data = meaning_of(
        flow,
        (Sense){.kind = SENSE_DATA, .argument = !first && annotation == NULL, .origin = ORIGIN_OF_INPUT});
    return value != NULL && value->kind == NODE_Constant ? meaning_join(flow, flow->plain, data) : data;
}

static Arguments forward_arguments(Flow *flow, const Node *function) {
    Arguments given = {0};
    const Node *arguments = node_child(function, FIELD_args);
    const Field *positional = node_field(arguments, FIELD_args),
                *only = node_field(arguments, FIELD_kwonlyargs);
    const Field *defaults = node_field(arguments, FIELD_defaults);
    const Field *only_defaults = node_field(arguments, FIELD_kw_defaults);
    size_t count = positional != NULL ? positional->count : 0,
           default_count = defaults != NULL ? defaults->count : 0;
    for (size_t i = 1; i < count; i++) {
        const Node *value = i + default_count >= count ? defaults->items[i + default_count - count] : NULL;
        arguments_push(flow, &given, forward_argument(flow, positional->items[i], value, i == 1));
    }
    given.named = only != NULL ? only->count : 0;
    given.names = ARENA_ARRAY(flow->arena, const char *, given.named + 1);
    given.values = ARENA_ARRAY(flow->arena, const Meaning *, given.named + 1);
    for (size_t i = 0; i < given.named; i++) {
        const Node *value =
            only_defaults != NULL && i < only_defaults->count ? only_defaults->items[i] : NULL;
        given.names[i] = node_text(only->items[i], FIELD_arg);
        given.values[i] = forward_argument(flow, only->items[i], value, false);
    }
    if (node_child(arguments, FIELD_vararg) != NULL || node_child(arguments, FIELD_kwarg) != NULL)
        given.starred = meaning_data(flow, ORIGIN_OF_INPUT, NUMBER_ANY);
    return given;
}

/* What forward gives back is met by data: the caller's. */
static void judge_result(Flow *flow, const Sense *forward, const Meaning *result) {
    flow_meet(flow, forward->node, result);
}

static void judge_model(Flow *flow, const ProgramFile *file, const Sense *class) {
    Arguments none = {.starred = flow->plain};
    flow->phase = PHASE_INIT;
    const Meaning *model = flow_construct(flow, class->node, class, &none);
    flow->phase = PHASE_FORWARD;
    const Meaning *method = flow_method(flow, model, class, "forward");
    const Sense *forward = method != NULL ? meaning_first(method, SENSE_FUNCTION) : NULL;
    if (forward == NULL)
        return;
    flow->frame = flow_file_frame(flow, file);
    Arguments given = forward_arguments(flow, forward->node);
    judge_result(flow, forward, flow_call_function(flow, class->node, forward, &given));
}

void policy_judge_source(const Program *program, Findings *findings) {
    if (program->count == 0)
        return;
    Flow flow = {.arena = program->arena, .program = program, .findings = findings};
    flow.plain = meaning_of(&flow, (Sense){.kind = SENSE_PLAIN});
    flow.unknown = meaning_of(&flow, (Sense){.kind = SENSE_UNKNOWN});
    flow.file_frames = ARENA_ARRAY(flow.arena, Frame *, program->count);
    const ProgramFile *file = program->items[0];
    if (file->part != PART_OWN)
        return;
    flow.frame = flow_file_frame(&flow, file);
    for (size_t i = 0; i < COUNT_OF(MODEL_NAMES); i++) {
        const Meaning *meaning = table_get(flow.frame->names, MODEL_NAMES[i]);
        const Sense *class = meaning != NULL ? meaning_first(meaning, SENSE_CLASS) : NULL;
        if (class != NULL) {
            judge_model(&flow, file, class);
            return;
        }
    }
}
