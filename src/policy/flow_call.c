/* Calls: who is called, and how arguments meet parameters. */
#include "flow.h"

#include <string.h>

enum { DEEPEST_CALL = 60, MOST_RECURSION = 2 };

static const Field *list_field(const Node *node, FieldName name) {
    static const Field EMPTY = {.kind = FIELD_IS_LIST};
    const Field *field = node_field(node, name);
    return field != NULL && field->kind == FIELD_IS_LIST ? field : &EMPTY;
}

/* ---- Arguments ---------------------------------------------------------------------------- */

void arguments_push(Flow *flow, Arguments *arguments, const Meaning *item) {
    *(const Meaning **)ARENA_PUSH(flow->arena, arguments) = item;
}

Arguments arguments_one(Flow *flow, const Meaning *item) {
    Arguments arguments = {0};
    arguments_push(flow, &arguments, item);
    return arguments;
}

const Meaning *arguments_keyword(const Arguments *arguments, const char *name) {
    for (size_t i = 0; i < arguments->named; i++)
        if (text_equal(arguments->names[i], name))
            return arguments->values[i];
    return NULL;
}

const Meaning *arguments_all(Flow *flow, const Arguments *arguments) {
    const Meaning *all = arguments->starred;
    for (size_t i = 0; i < arguments->count; i++)
        all = meaning_join(flow, all, arguments->items[i]);
    for (size_t i = 0; i < arguments->named; i++)
        all = meaning_join(flow, all, arguments->values[i]);
    return list_of_any(flow, all);
}

static const char *describe_function(Flow *flow, const Sense *sense) {
    switch (sense->kind) {
    case SENSE_TORCH:
    case SENSE_PYTHON: return sense->text;
    case SENSE_BOUND: return arena_printf(flow->arena, "the method %s", sense->text);
    case SENSE_FUNCTION:
        return sense->node->kind == NODE_Lambda
                   ? "a lambda"
                   : arena_printf(flow->arena, "the function %s", node_text(sense->node, FIELD_name));
    case SENSE_CLASS:
    case SENSE_CHILD_CLASS:
        return arena_printf(flow->arena, "the class %s", node_text(sense->node, FIELD_name));
    default: return "a module";
    }
}

/* SOUNDNESS 20: a child gets values, nothing that can be called. */
static void hand_over(Flow *flow, const Node *at, const Arguments *arguments) {
    const Meaning *all = arguments_all(flow, arguments);
    Summary summary = {0};
    summarise(flow, all, &summary);
    if (summary.function != NULL)
        flow_report(flow, &RULE_CHILD_HANDED, SEVERITY_VIOLATION, at, NULL, "a child is handed %s",
                    describe_function(flow, summary.function));
    if (summary.parameter != NULL && flow->phase == PHASE_FORWARD)
        flow_report(flow, &RULE_OP_CHILD_PARAMETER, SEVERITY_VIOLATION, at, NULL,
                    "a child is handed another child's parameter");
    flow_meet(flow, at, all);
}

/* ---- Our own functions -------------------------------------------------------------------- */

static bool is_recursion(const Flow *flow, const Node *function) {
    size_t count = 0;
    for (const Frame *frame = flow->frame; frame != NULL; frame = frame->caller)
        count += frame->function == function;
    return count > MOST_RECURSION;
}

static void bind_parameter(Frame *frame, Flow *flow, const char *name, const Meaning *meaning) {
    if (name != NULL)
        table_put(frame->names, name, (void *)(meaning != NULL ? meaning : flow->unknown));
}

static const Meaning *default_value(Flow *flow, const Node *node, const Sense *function) {
    if (node == NULL)
        return NULL;
    Frame *before = flow->frame;
    flow->frame = function->frame;
    flow->quiet++;
    const Meaning *value = flow_evaluate(flow, node);
    flow->quiet--;
    flow->frame = before;
    return value;
}

/* Parameters in order: those given by position, by keyword, by a star, by default. */
static void bind_positional(Flow *flow, Frame *frame, const Sense *function, const Arguments *given) {
    const Node *arguments = node_child(function->node, FIELD_args);
    const Field *only = list_field(arguments, FIELD_posonlyargs), *usual = list_field(arguments, FIELD_args);
    const Field *defaults = list_field(arguments, FIELD_defaults);
    size_t total = only->count + usual->count, taken = 0;
    for (size_t i = 0; i < total; i++) {
        const Node *parameter = i < only->count ? only->items[i] : usual->items[i - only->count];
        const char *name = node_text(parameter, FIELD_arg);
        const Meaning *value = NULL;
        if (i == 0 && function->receiver != NULL) {
            value = function->receiver;
        } else if (taken < given->count) {
            value = given->items[taken++];
        } else {
            value = arguments_keyword(given, name != NULL ? name : "");
            if (value == NULL) {
                const Node *by_default =
                    i + defaults->count >= total ? defaults->items[i + defaults->count - total] : NULL;
                value = meaning_join(flow, given->starred, default_value(flow, by_default, function));
            }
        }
        bind_parameter(frame, flow, name, value);
    }
    const Meaning *rest = given->starred;
    for (; taken < given->count; taken++)
        rest = meaning_join(flow, rest, given->items[taken]);
    const Node *star = node_child(arguments, FIELD_vararg);
    if (star != NULL)
        bind_parameter(frame, flow, node_text(star, FIELD_arg), list_of_any(flow, rest));
}

static void bind_keywords(Flow *flow, Frame *frame, const Sense *function, const Arguments *given) {
    const Node *arguments = node_child(function->node, FIELD_args);
    const Field *only = list_field(arguments, FIELD_kwonlyargs),
                *defaults = list_field(arguments, FIELD_kw_defaults);
    for (size_t i = 0; i < only->count; i++) {
        const char *name = node_text(only->items[i], FIELD_arg);
        const Meaning *value = arguments_keyword(given, name != NULL ? name : "");
        if (value == NULL)
            value =
                meaning_join(flow, given->starred,
                             default_value(flow, i < defaults->count ? defaults->items[i] : NULL, function));
        bind_parameter(frame, flow, name, value);
    }
    const Node *keywords = node_child(arguments, FIELD_kwarg);
    if (keywords == NULL)
        return;
    Object *object = object_new(flow);
    object->rest = given->starred;
    for (size_t i = 0; i < given->named; i++)
        if (!table_has(frame->names, given->names[i]))
            table_put(object->named, given->names[i], (void *)given->values[i]);
    bind_parameter(frame, flow, node_text(keywords, FIELD_arg),
                   meaning_of(flow, (Sense){.kind = SENSE_LIST, .object = object}));
}

static const Meaning *run_function(Flow *flow, const Sense *function, Frame *frame) {
    Frame *before = flow->frame;
    frame->caller = before;
    flow->frame = frame;
    flow->depth++;
    const Node *body = node_child(function->node, FIELD_body);
    const Meaning *result;
    if (body != NULL) { /* a lambda */
        result = flow_evaluate(flow, body);
    } else {
        flow_body(flow, function->node, FIELD_body);
        result = frame->live || frame->returned == NULL ? meaning_join(flow, frame->returned, flow->plain)
                                                        : frame->returned;
        if (frame->yielded != NULL)
            result = list_of_any(flow, frame->yielded);
    }
    flow->depth--;
    flow->frame = before;
    return result;
}

const Meaning *flow_call_function(Flow *flow, const Node *at, const Sense *function,
                                  const Arguments *arguments) {
    if (flow->depth >= DEEPEST_CALL || is_recursion(flow, function->node)) {
        flow_report(flow, &RULE_FLOW_UNKNOWN, SEVERITY_UNDECIDED, at, NULL,
                    "a recursive call can't be followed");
        return flow->unknown;
    }
    const char *name = node_text(function->node, FIELD_name);
    if (function->file->part == PART_CHILD && text_equal(name, "__init__"))
        return flow->plain; /* what a child builds is its own */
    Frame *frame = ARENA_NEW(flow->arena, Frame);
    *frame = (Frame){.names = table_new(flow->arena),
                     .parent = function->frame,
                     .file = function->file,
                     .function = function->node,
                     .label = name != NULL ? name : flow->frame->label,
                     .self = function->receiver,
                     .live = true};
    bind_positional(flow, frame, function, arguments);
    bind_keywords(flow, frame, function, arguments);
    return run_function(flow, function, frame);
}

/* ---- Methods ------------------------------------------------------------------------------ */

static Arguments with_receiver(Flow *flow, const Meaning *receiver, const Arguments *arguments) {
    Arguments all = *arguments;
    all.items = NULL;
    all.count = all.capacity = 0;
    arguments_push(flow, &all, receiver);
    for (size_t i = 0; i < arguments->count; i++)
        arguments_push(flow, &all, arguments->items[i]);
    return all;
}

/* A child's result, or an input, may be a dict or another container. */
static const Meaning *container_method(Flow *flow, const char *name, const Meaning *content) {
    static const char *const ONE[] = {"get",  "pop",      "popitem", "setdefault", "popleft",
                                      "copy", "to_tuple", "values",  "__getitem__"};
    const Meaning *const pair[] = {flow->plain, content};
    if (text_equal(name, "items"))
        return list_of_any(flow, list_of(flow, pair, 2));
    if (text_equal(name, "keys") || text_equal(name, "index") || text_equal(name, "count"))
        return flow->plain;
    for (size_t i = 0; i < COUNT_OF(ONE); i++)
        if (text_equal(name, ONE[i]))
            return text_equal(name, "values") ? list_of_any(flow, content) : content;
    return NULL;
}

/* Methods of lists and dicts that put something into them or take it out, and that no tensor has. */
static bool changes_container(const char *name) {
    static const char *const names[] = {"append",  "extend",     "insert",     "update",     "clear",
                                        "reverse", "appendleft", "extendleft", "move_to_end"};
    return text_among(name, names, COUNT_OF(names));
}

static const Meaning *tensor_method(Flow *flow, const Node *at, const Sense *tensor, const char *name,
                                    const Arguments *arguments) {
    const Meaning *receiver = meaning_of(flow, *tensor);
    const Meaning *held =
        tensor->kind == SENSE_DATA && !text_equal(name, "index") && !text_equal(name, "count")
            ? container_method(flow, name, receiver)
            : NULL;
    if (held != NULL)
        return held;
    Arguments all = with_receiver(flow, receiver, arguments);
    if (tensor->kind == SENSE_DATA &&
        changes_container(name)) { /* an input that is a list: as hs[i] = y is */
        (void)flow_operate(flow, at, "__setitem__", name, &all);
        return flow->plain;
    }
    return flow_operate(flow, at, arena_printf(flow->arena, "torch.Tensor.%s", name),
                        arena_printf(flow->arena, "Tensor.%s", name), &all);
}

static const Meaning *list_method(Flow *flow, const Node *at, const Sense *list, const char *name,
                                  const Arguments *arguments) {
    static const char *const ADDING[] = {"append", "add", "appendleft", "insert", "setdefault"};
    static const char *const JOINING[] = {"extend", "update", "extendleft"};
    const Meaning *last = arguments->count > 0 ? arguments->items[arguments->count - 1] : NULL;
    for (size_t i = 0; last != NULL && i < COUNT_OF(ADDING); i++)
        if (text_equal(name, ADDING[i]))
            list_add(flow, list->object, last);
    for (size_t i = 0; i < COUNT_OF(JOINING); i++)
        if (text_equal(name, JOINING[i]))
            list_add(flow, list->object, flow_elements(flow, at, arguments_all(flow, arguments)));
    const Meaning *content = object_everything(flow, list->object);
    const Meaning *result = content != NULL ? container_method(flow, name, content) : NULL;
    if (text_equal(name, "get") && result != NULL && arguments->count > 0 &&
        arguments->items[0]->items[0].string && arguments->items[0]->items[0].text != NULL &&
        table_has(list->object->named, arguments->items[0]->items[0].text))
        result = table_get(list->object->named, arguments->items[0]->items[0].text);
    return result != NULL ? meaning_join(flow, result, last != NULL && text_equal(name, "get") ? last : NULL)
                          : flow->plain;
}

static const Meaning *plain_method(Flow *flow, const Node *at, const char *name, const Arguments *arguments) {
    const Meaning *all = arguments_all(flow, arguments);
    Summary summary = {0};
    summarise(flow, all, &summary);
    if (summary.data == NULL && summary.parameter == NULL)
        return flow->plain;
    if (text_equal(name, "format") || text_equal(name, "join"))
        return flow_read(flow, at, arena_printf(flow->arena, "str.%s", name), all);
    flow_report(flow, &RULE_FLOW_UNKNOWN, SEVERITY_UNDECIDED, at, NULL,
                "what %s does with data can't be followed", name);
    return flow->unknown;
}

static const Meaning *child_result(Flow *flow, const Node *at, const Arguments *arguments) {
    hand_over(flow, at, arguments);
    if (flow->phase != PHASE_FORWARD)
        return meaning_data(flow, ORIGIN_STALE, NUMBER_ANY);
    return meaning_data(flow, ORIGIN_OF_CHILD, NUMBER_ANY);
}

static const Meaning *inner_result(Flow *flow, const Node *at) {
    if (flow->phase == PHASE_FORWARD)
        flow_report(flow, &RULE_CHILD_FUNCTION, SEVERITY_VIOLATION, at, NULL,
                    "a module inside a child is called past the child");
    return meaning_data(flow, ORIGIN_OF_CHILD, NUMBER_ANY);
}

static const Meaning *module_method(Flow *flow, const Node *at, const Sense *module, const char *name,
                                    const Arguments *arguments) {
    const Meaning *result = flow_module_method(flow, at, module, name, arguments);
    if (result != NULL)
        return result;
    bool calls = text_equal(name, "forward") || text_equal(name, "__call__");
    switch (module->kind) {
    case SENSE_CHILD: return child_result(flow, at, arguments);
    case SENSE_INNER: return inner_result(flow, at);
    case SENSE_MODULES:
        if (!calls)
            return list_method(flow, at, module, name, arguments);
        break;
    default: break;
    }
    if (calls)
        return flow_call(flow, at, meaning_of(flow, *module), arguments);
    flow_report(flow, &RULE_FLOW_UNKNOWN, SEVERITY_UNDECIDED, at, NULL, "what %s is can't be followed", name);
    return flow->unknown;
}

/* super().name(...) where no class of ours has the name: torch.nn's own. */
static const Meaning *super_method(Flow *flow, const Node *at, const Sense *super, const char *name,
                                   const Arguments *arguments) {
    const Sense *instance = meaning_first(super->receiver, SENSE_INSTANCE);
    if (instance == NULL)
        return text_equal(name, "__init__") ? flow->plain : flow->unknown;
    if (text_equal(name, "__init__")) {
        const Meaning *all = arguments_all(flow, arguments);
        const Meaning *content = flow_elements(flow, at, all);
        for (size_t i = 0; i < content->count; i++)
            if (content->items[i].kind == SENSE_LIST) /* ModuleList([...]) */
                content = meaning_join(flow, content, object_everything(flow, content->items[i].object));
        if (arguments->count > 0)
            instance->object->rest = meaning_join(flow, instance->object->rest, content);
        return flow->plain;
    }
    const Meaning *result = flow_module_method(flow, at, instance, name, arguments);
    return result != NULL ? result : meaning_data(flow, ORIGIN_OF_CHILD, NUMBER_ANY);
}

const Meaning *flow_call_bound(Flow *flow, const Node *at, const Sense *bound, const Arguments *arguments) {
    const Meaning *all = NULL;
    for (size_t i = 0; i < bound->receiver->count; i++) {
        const Sense *receiver = &bound->receiver->items[i];
        const Meaning *one;
        switch (receiver->kind) {
        case SENSE_DATA:
        case SENSE_KNOWN:
        case SENSE_PARAMETER:
        case SENSE_UNKNOWN: one = tensor_method(flow, at, receiver, bound->text, arguments); break;
        case SENSE_PLAIN: one = plain_method(flow, at, bound->text, arguments); break;
        case SENSE_LIST: one = list_method(flow, at, receiver, bound->text, arguments); break;
        case SENSE_SUPER: one = super_method(flow, at, receiver, bound->text, arguments); break;
        case SENSE_CHILD:
        case SENSE_INNER:
        case SENSE_RAW:
        case SENSE_PLUMBING:
        case SENSE_MODULES:
        case SENSE_INSTANCE: one = module_method(flow, at, receiver, bound->text, arguments); break;
        default: one = flow->unknown; break;
        }
        all = meaning_join(flow, all, one);
    }
    return all;
}

/* ---- Anything that can be called ---------------------------------------------------------- */

static const Meaning *call_instance(Flow *flow, const Node *at, const Sense *instance,
                                    const Arguments *arguments) {
    const Meaning *self = meaning_of(flow, *instance);
    Sense class = {
        .kind = SENSE_CLASS, .node = instance->node, .file = instance->file, .frame = instance->frame};
    const Meaning *method = flow_method(flow, self, &class, "__call__");
    if (method == NULL)
        method = flow_method(flow, self, &class, "forward");
    if (method != NULL)
        return flow_call(flow, at, method, arguments);
    const Meaning *chained =
        arguments->count > 0 ? arguments->items[0] : flow->plain; /* a Sequential of ours */
    if (instance->object->rest == NULL)
        return flow->unknown;
    Arguments one = arguments_one(flow, chained);
    return flow_call(flow, at, instance->object->rest, &one);
}

static const Meaning *call_modules(Flow *flow, const Node *at, const Sense *modules,
                                   const Arguments *arguments) {
    const Object *object = modules->object;
    const Meaning *value = arguments->count > 0 ? arguments->items[0] : flow->plain;
    for (size_t i = 0; i < object->count; i++) {
        Arguments one = arguments_one(flow, value);
        value = flow_call(flow, at, object->items[i], i == 0 ? arguments : &one);
    }
    for (size_t i = 0; i < object->named->count; i++) {
        Arguments one = arguments_one(flow, value);
        value = flow_call(flow, at, object->named->items[i].value, &one);
    }
    for (int pass = 0; object->rest != NULL && pass < 2; pass++) {
        Arguments one = arguments_one(flow, value);
        value = meaning_join(flow, value, flow_call(flow, at, object->rest, &one));
    }
    return value;
}

static const Meaning *call_partial(Flow *flow, const Node *at, const Sense *partial,
                                   const Arguments *arguments) {
    const Object *object = partial->object;
    Arguments all = {.starred = arguments->starred};
    for (size_t i = 1; i < object->count; i++)
        arguments_push(flow, &all, object->items[i]);
    for (size_t i = 0; i < arguments->count; i++)
        arguments_push(flow, &all, arguments->items[i]);
    size_t named = arguments->named + object->named->count;
    all.names = ARENA_ARRAY(flow->arena, const char *, named + 1);
    all.values = ARENA_ARRAY(flow->arena, const Meaning *, named + 1);
    for (size_t i = 0; i < arguments->named; i++, all.named++) {
        all.names[all.named] = arguments->names[i];
        all.values[all.named] = arguments->values[i];
    }
    for (size_t i = 0; i < object->named->count; i++, all.named++) {
        all.names[all.named] = object->named->items[i].key;
        all.values[all.named] = object->named->items[i].value;
    }
    return flow_call(flow, at, object->items[0], &all);
}

/* A class of a child's file that is no module (a record of settings) gives plain values. */
static const Meaning *build_child(Flow *flow, const Node *at, const Sense *class,
                                  const Arguments *arguments) {
    hand_over(flow, at, arguments);
    if (!flow_class_is_module(flow, class) && flow_class_member(flow, class, "forward", true) == NULL)
        return flow->plain;
    return meaning_of(
        flow, (Sense){.kind = SENSE_CHILD, .node = class->node, .file = class->file, .frame = class->frame});
}

static const Meaning *view_of(Flow *flow, const Node *at, const Arguments *arguments) {
    return flow_operate(flow, at, "view_as", "a module that only views", arguments);
}

static bool can_be_called(SenseKind kind) {
    return kind != SENSE_PLAIN && kind != SENSE_UNKNOWN && kind != SENSE_DATA && kind != SENSE_KNOWN &&
           kind != SENSE_LIST && kind != SENSE_PARAMETER;
}

static const Meaning *call_sense(Flow *flow, const Node *at, const Sense *callee,
                                 const Arguments *arguments) {
    switch (callee->kind) {
    case SENSE_FUNCTION: return flow_call_function(flow, at, callee, arguments);
    case SENSE_BOUND: return flow_call_bound(flow, at, callee, arguments);
    case SENSE_TORCH: return flow_call_torch(flow, at, callee->text, arguments);
    case SENSE_PYTHON: return flow_call_python(flow, at, callee->text, arguments);
    case SENSE_CLASS: return flow_construct(flow, at, callee, arguments);
    case SENSE_CHILD_CLASS: return build_child(flow, at, callee, arguments);
    case SENSE_CHILD: return child_result(flow, at, arguments);
    case SENSE_INNER: return inner_result(flow, at);
    case SENSE_RAW: return meaning_data(flow, ORIGIN_OF_CHILD, NUMBER_ANY);
    case SENSE_PLUMBING: return view_of(flow, at, arguments);
    case SENSE_MODULES: return call_modules(flow, at, callee, arguments);
    case SENSE_INSTANCE: return call_instance(flow, at, callee, arguments);
    case SENSE_PARTIAL: return call_partial(flow, at, callee, arguments);
    default:
        flow_report(flow, &RULE_FLOW_UNKNOWN, SEVERITY_UNDECIDED, at, NULL,
                    "what is called here can't be followed");
        return flow->unknown;
    }
}

const Meaning *flow_call(Flow *flow, const Node *at, const Meaning *callee, const Arguments *arguments) {
    const Meaning *all = NULL;
    bool any = false;
    for (size_t i = 0; i < callee->count; i++)
        any |= can_be_called(callee->items[i].kind);
    for (size_t i = 0; i < callee->count; i++)
        if (!any || can_be_called(callee->items[i].kind) || callee->items[i].kind == SENSE_UNKNOWN)
            all = meaning_join(flow, all, call_sense(flow, at, &callee->items[i], arguments));
    return all != NULL ? all : flow->unknown;
}
