/* A trace as text, one line a call. */
#include "trace.h"

#include <string.h>

static void print_value(Text *text, const Value *value) {
    if (value->kind == VALUE_TENSOR) {
        text_printf(text, "t%u", value->tensor.number);
        return;
    }
    if (!value_is_container(value)) {
        text_add(text, value_describe(text->arena, value));
        return;
    }
    text_add(text, value->kind == VALUE_LIST    ? "["
                   : value->kind == VALUE_TUPLE ? "("
                                                : value_type_name(value));
    if (value->kind != VALUE_LIST && value->kind != VALUE_TUPLE)
        text_add(text, "(");
    for (size_t i = 0; i < value->list.count; i++) {
        if (i > 0)
            text_add(text, ", ");
        print_value(text, &value->list.items[i]);
    }
    text_add(text, value->kind == VALUE_LIST ? "]" : ")");
}

static void print_tensor(const Trace *trace, TensorId id, Text *text) {
    const TraceTensor *tensor = &trace->tensors[id.number];
    text_printf(text, " t%u [", id.number);
    for (size_t i = 0; i < tensor->rank; i++)
        text_printf(text, i == 0 ? "%lld" : ", %lld", (long long)tensor->shape[i]);
    const char *dtype = trace_bare_name(tensor->dtype);
    text_printf(text, "] %s", text_printable(text->arena, dtype, strlen(dtype)));
}

static void print_call(const Trace *trace, const TraceCall *call, Text *text) {
    const char *name = trace_operator(trace, call);
    text_printf(text, "%s(", text_printable(text->arena, name, strlen(name)));
    for (size_t i = 0; i < call->arg_count + call->kwarg_count; i++) {
        if (i > 0)
            text_add(text, ", ");
        if (i >= call->arg_count) {
            const char *argument = call->names[i - call->arg_count];
            text_printf(text, "%s=", text_printable(text->arena, argument, strlen(argument)));
        }
        print_value(text, i < call->arg_count ? &call->args[i] : &call->kwargs[i - call->arg_count]);
    }
    text_add(text, ")");
    if (call->give_count == 0 && call->output.kind != VALUE_NONE) {
        text_add(text, " -> ");
        print_value(text, &call->output);
    }
    for (size_t i = 0; i < call->give_count; i++) {
        text_add(text, i == 0 ? " ->" : ",");
        print_tensor(trace, call->gives[i], text);
    }
    for (size_t i = 0; i < call->written_count; i++)
        text_printf(text, i == 0 ? " writes t%u" : ", t%u", call->written[i].number);
}

void trace_print(const Trace *trace, const char *const *files, size_t file_count, Text *text) {
    for (size_t i = 0; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        if (i == 0 || i == trace->forward_start)
            text_add(text, call->in_forward ? "forward\n" : "construction\n");
        text_printf(text, "%6zu ", i);
        if (call->module_call != NO_NUMBER) {
            const char *path = trace->modules[trace->module_calls[call->module_call].module].path;
            text_printf(text, "%s ", text_printable(text->arena, path, strlen(path)));
        }
        print_call(trace, call, text);
        if (call->file != NO_NUMBER && files != NULL && (size_t)call->file < file_count)
            text_printf(text, "  %s:%d", files[call->file], call->line);
        text_add(text, "\n");
    }
}
