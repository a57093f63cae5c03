/* Tests on data (if, while, assert) and draws of random numbers: only where the original has the same. */
#include "judge_parts.h"

#include <string.h>

enum { LONGEST_CHAIN = 8 };

typedef struct Test {
    size_t call;
    const char *chain; /* what led to it, from the test back: "__bool__ < any < eq < mask" */
    bool went, matched;
} Test;

typedef struct Tests {
    Test *items;
    size_t count, capacity;
} Tests;

/* The chain goes back to an input, a parameter, or (in a candidate) what a child computed. */
static const char *chain_of(Arena *arena, const Flow *flow, size_t index) {
    const Trace *trace = flow->trace;
    Text text = text_new(arena);
    text_add(&text, flow_operator(flow, index)->canonical);
    const TraceCall *call = &trace->calls[index];
    for (int i = 0; i < LONGEST_CHAIN && call->use_count > 0; i++) {
        const TraceTensor *tensor = &trace->tensors[call->uses[0].number];
        if (tensor->origin != ORIGIN_CALL) {
            if (tensor->key_count > 0)
                text_printf(&text, " < %s", text_printable(arena, tensor->keys[0], strlen(tensor->keys[0])));
            break;
        }
        if (flow->by_child != NULL && flow->by_child[tensor->made_by])
            break;
        OperatorClass class = flow->classes[tensor->made_by];
        if (class != OPERATOR_VIEW && class != OPERATOR_CAST)
            text_printf(&text, " < %s", flow_operator(flow, tensor->made_by)->canonical);
        call = &trace->calls[tensor->made_by];
    }
    return text.data;
}

static Tests list_tests(Arena *arena, const Flow *flow, const Judge *own_of) {
    Tests tests = {0};
    const Trace *trace = flow->trace;
    for (size_t i = trace->forward_start; i < trace->call_count; i++) {
        const TraceCall *call = &trace->calls[i];
        if (flow->classes[i] != OPERATOR_TEST || call->give_count > 0 || (flow->call_marks[i] & DATA) == 0 ||
            (own_of != NULL && !judge_is_own_call(own_of, i)))
            continue;
        *(Test *)ARENA_PUSH(arena, &tests) =
            (Test){.call = i,
                   .chain = chain_of(arena, flow, i),
                   .went = call->output.kind == VALUE_BOOL && call->output.integer != 0};
    }
    return tests;
}

static Test *find_like(Tests *tests, const char *chain, const bool *went) {
    for (size_t i = 0; i < tests->count; i++)
        if (!tests->items[i].matched && text_starts(tests->items[i].chain, chain) &&
            (went == NULL || tests->items[i].went == *went))
            return &tests->items[i];
    return NULL;
}

static bool reads_data(const Flow *flow, size_t index) {
    const TraceCall *call = &flow->trace->calls[index];
    return (flow->classes[index] == OPERATOR_TEST || flow->classes[index] == OPERATOR_READ) &&
           call->give_count == 0 && (flow->call_marks[index] & DATA) != 0;
}

/* What is read: its last few operators, with the constants that they have. Code that was moved has the same.
 */
static const char *read_text(Arena *arena, const Flow *flow, size_t index) {
    enum { LAST = 4 };
    const Trace *trace = flow->trace;
    Text text = text_new(arena);
    for (int shown = 0; shown < LAST;) {
        const TraceCall *call = &trace->calls[index];
        OperatorClass class = flow->classes[index];
        if (class != OPERATOR_VIEW && class != OPERATOR_CAST) {
            shown++;
            text_printf(&text, "%s%s", text.length > 0 ? " < " : "", flow_operator(flow, index)->canonical);
            for (size_t i = 0; i < call->arg_count; i++)
                if (call->args[i].kind == VALUE_FLOAT ||
                    (call->args[i].kind == VALUE_INT && class == OPERATOR_COMPARISON))
                    text_printf(&text, " %s", value_describe(arena, &call->args[i]));
        }
        const TraceTensor *from = call->use_count == 0 ? NULL : &trace->tensors[call->uses[0].number];
        if (from == NULL || from->origin != ORIGIN_CALL || from->made_by >= index)
            break;
        index = from->made_by;
    }
    return text.data;
}

/* Both sides read the same data, no more (SOUNDNESS 12): a child that asks what its input is like may answer
 * by it. */
static void judge_reads_of_children(Judge *judge) {
    const Flow *original = &judge->original_flow;
    Tests theirs = {0};
    for (size_t i = original->trace->forward_start; i < original->trace->call_count; i++)
        if (reads_data(original, i))
            *(Test *)ARENA_PUSH(judge->arena, &theirs) =
                (Test){.call = i, .chain = read_text(judge->arena, original, i)};
    for (size_t i = judge->trace->forward_start; i < judge->trace->call_count; i++) {
        if (!reads_data(&judge->flow, i))
            continue;
        const TraceCall *call = &judge->trace->calls[i];
        const char *text = read_text(judge->arena, &judge->flow, i);
        size_t t = 0;
        while (t < theirs.count && (theirs.items[t].matched || !text_equal(theirs.items[t].chain, text)))
            t++;
        if (t < theirs.count)
            theirs.items[t].matched = true;
        else if (!judge_is_own_call(judge, i))
            judge_report(judge, &RULE_OP_TEST, SEVERITY_VIOLATION, call->file, call->line, call,
                         "this child reads data in Python (%s), and the original reads no such thing", text);
    }
}

void judge_tests(Judge *judge) {
    judge_reads_of_children(judge);
    Tests tests = list_tests(judge->arena, &judge->flow, judge);
    Tests of_original = list_tests(judge->arena, &judge->original_flow, NULL);
    for (size_t i = 0; i < tests.count; i++) {
        const Test *test = &tests.items[i];
        const TraceCall *call = &judge->trace->calls[test->call];
        Test *like = find_like(&of_original, test->chain, &test->went);
        if (like != NULL) {
            like->matched = true;
            judge_report(judge, &RULE_OP_TEST_WENT, SEVERITY_NOTE, call->file, call->line, call,
                         "the test on data (%s) went %s, as the original's", test->chain,
                         test->went ? "True" : "False");
        } else {
            bool other_way = find_like(&of_original, test->chain, NULL) != NULL;
            judge_report(judge, &RULE_OP_TEST, SEVERITY_VIOLATION, call->file, call->line, call,
                         other_way ? "this test on data (%s) doesn't go as the original's"
                                   : "this line tests data (%s), and the original doesn't",
                         test->chain);
        }
    }
}

static size_t count_draws(const Flow *flow, size_t *first) {
    size_t count = 0;
    for (size_t i = flow->trace->call_count; i-- > flow->trace->forward_start;)
        if (flow->draws[i]) {
            count++;
            *first = i;
        }
    return count;
}

void judge_randomness(Judge *judge) {
    size_t at = SIZE_MAX, elsewhere;
    size_t here = count_draws(&judge->flow, &at), there = count_draws(&judge->original_flow, &elsewhere);
    bool own = false; /* that is a finding by itself */
    for (size_t i = judge->trace->forward_start; i < judge->trace->call_count; i++)
        own = own || (judge->flow.draws[i] && judge_is_own_call(judge, i));
    if (here == there || own)
        return;
    const TraceCall *call = at == SIZE_MAX ? NULL : &judge->trace->calls[at];
    judge_report(judge, &RULE_STEP_RANDOM, SEVERITY_VIOLATION, call == NULL ? 0 : call->file,
                 call == NULL ? 0 : call->line, call,
                 "the candidate draws random numbers %zu times, the original %zu times", here, there);
}
