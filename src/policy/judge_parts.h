/* What the files of the trace's judge share. */
#ifndef PLUMBLINE_JUDGE_PARTS_H
#define PLUMBLINE_JUDGE_PARTS_H

#include "operator_rules.h"
#include "policy.h"

/* Where the elements of a tensor come from. No mark: known. */
typedef enum Mark {
    FROM_INPUT = 1 << 0,
    FROM_PARAMETER = 1 << 1,
    FROM_BUFFER = 1 << 2, /* state */
    FROM_CHILD = 1 << 3,  /* a child computed it */
    FROM_RANDOM = 1 << 4,
    FROM_UNKNOWN = 1 << 5,
    STALE = 1 << 6, /* made at construction from initial values or random numbers */
    DATA = FROM_INPUT | FROM_PARAMETER | FROM_BUFFER | FROM_CHILD | FROM_RANDOM | FROM_UNKNOWN | STALE,
    KNOWN_COMPUTED = 1 << 7, /* known, floating, and computed outside a child */
    UNIFORM = 1 << 8,        /* zeros, ones, full: as a buffer, it is state */
    DATA_SHAPE = 1 << 9,     /* its shape depends on elements of data */
    ONLY_TESTED = 1 << 10,   /* any, all of data: for a test, not as a value */
    UNWRITTEN = 1 << 11,     /* empty, and nothing has written into it */
    LEAKED = 1 << 12         /* a child's parameters, copied by plumbing and given back */
} Mark;

typedef struct OperatorFacts { /* of one name in a trace */
    OperatorClass class;
    const char *canonical, *shown, *bare; /* "softmax", "torch.softmax", "softmax" */
} OperatorFacts;

/* One trace, followed value by value in order of time. */
typedef struct Flow {
    Arena *arena;
    const Trace *trace;
    OperatorFacts *operators;
    bool *by_child;          /* by call: a child computed it */
    bool *child_state;       /* by tensor: a parameter or buffer inside a child */
    uint16_t *storage_marks; /* by storage, at the point of time reached */
    uint16_t *tensor_marks;  /* by tensor: DATA_SHAPE, ONLY_TESTED */
    size_t *computed_by;     /* by storage with KNOWN_COMPUTED: the call that computed it */
    uint16_t *call_marks;    /* by call: of all that it used, when it used it */
    OperatorClass *classes;  /* by call, with its arguments considered */
    bool *draws;             /* by call: random numbers */
} Flow;

/* `by_child` and `child_state` are NULL for an original. */
Flow flow_new(Arena *arena, const Trace *trace, bool *by_child, bool *child_state);
uint16_t flow_marks(const Flow *flow, TensorId tensor);
/* Works out class and marks of one call: flow->classes[call], flow->call_marks[call]. To be called in order.
 */
void flow_read_call(Flow *flow, size_t call);
/* Gives marks to what the call gave and wrote. Call flow_read_call first. */
void flow_write(Flow *flow, size_t call);
const OperatorFacts *flow_operator(const Flow *flow, size_t call);
bool flow_is_leaked(uint16_t marks);       /* parameters and nothing else, but for copies and arithmetic */
bool flow_is_compute(OperatorClass class); /* compute, forbidden, selecting, random */
/* Is it compute on data in forward that an output depends on? Dropout that is switched off is none. */
bool flow_computes(const Flow *flow, size_t call);
bool flow_truncates(const Flow *flow, size_t call); /* it casts floating numbers to others */
/* Did another value use but shape, dtype and device of uses[position]? */
bool flow_uses_value(const Flow *flow, const TraceCall *call, size_t position);

typedef struct Judge {
    Arena *arena; /* for what lives no longer than the judge */
    const Program *program;
    const Trace *trace, *original;
    Flow flow, original_flow;
    Findings *findings;   /* the judge's own */
    bool *file_is_own;    /* by file: refactored.py and its helpers */
    bool *file_is_child;  /* by file */
    bool *module_inside;  /* by module: its class is a child's, or it lies inside such a module */
    int64_t *outer_child; /* by module call: the outermost call of a child around it, or NO_NUMBER */
    bool *maker_is_child; /* by maker */
} Judge;

/* Adds a finding with its code frame. `call` gives the module path; NULL: none. */
Finding *judge_report(Judge *judge, const Rule *rule, Severity severity, int file, int line,
                      const TraceCall *call, const char *format, ...) PRINTF_LIKE(7, 8);
bool judge_is_own_call(const Judge *judge, size_t call);
/* The outermost child's call that a torch call lies in, or NO_NUMBER. */
int64_t judge_child_of(const Judge *judge, size_t call);
bool judge_key_is_inside(const char *key, const char *module_path);

/* The parts of the judgement, one a file. */
void judge_operators(Judge *judge);
void judge_kept(Judge *judge);
void judge_children(Judge *judge);
void judge_tests(Judge *judge);
void judge_excess(Judge *judge);
/* Part of the last. `original`, `children`: the canonical names of what they compute from data, of children
 * each with the number of a call, from 1. */
void judge_guards(Judge *judge, const Table *original, const Table *children);
void judge_randomness(Judge *judge);
/* Takes what lint said of lines that ran out of `findings`, where the trace knows better, and adds the
 * judge's own. */
void judge_settle(Judge *judge, Findings *findings);

/* How often one side does an operator of some kin to data, in an output's history; by_child: in children
 * only. */
size_t judge_count_kin(const Flow *flow, const bool *by_child, const char *const *kin, size_t count);
#define COUNT_KIN(flow, by_child, kin) judge_count_kin((flow), (by_child), (kin), COUNT_OF(kin))
/* `name` or its like is in the original `there` times, in children `here` times. */
void judge_report_missing(Judge *judge, const char *name, size_t there, size_t here, const char *in_place);

extern const Rule *const JUDGE_RULES[];
extern const Rule RULE_STEP_NO_CHILD, RULE_STEP_ONE_CHILD, RULE_STEP_UNUSED_CHILD, RULE_STEP_DEAD_CHILD,
    RULE_CHILD_SIDE_CHANNEL, RULE_CHILD_RETURNS, RULE_TRACE_UNKNOWN, RULE_TRACE_STALE, RULE_STEP_RANDOM,
    RULE_OP_ARITHMETIC, RULE_STEP_MISSING_COMPUTE, RULE_STEP_EXTRA_COMPUTE, RULE_OP_TEST_WENT,
    RULE_OP_DATA_SHAPE, RULE_STEP_TESTED_ARITHMETIC;

#endif
