/* The rules that only a trace can decide. */
#include "judge_parts.h"

const Rule RULE_STEP_NO_CHILD = {"step.no-child", "a step calls children",
                                 "move the computation into child components and call them",
                                 "policy: __init__"};
const Rule RULE_STEP_ONE_CHILD = {"step.one-child", "no child computes all that the parent computes",
                                  "divide the child's work among several children", "soundness 23"};
const Rule RULE_STEP_UNUSED_CHILD = {"step.unused-child", "every child is called",
                                     "call the child, or don't build it", "policy: __init__"};
const Rule RULE_STEP_DEAD_CHILD = {"step.dead-child", "every call of a child reaches an output",
                                   "use the child's result, or don't call it", "soundness 23"};
const Rule RULE_STEP_RANDOM = {"step.random", "both sides draw the same random numbers",
                               "draw where the original draws, and nowhere else", "soundness 14"};
const Rule RULE_STEP_MISSING_COMPUTE = {"step.missing-compute",
                                        "each compute operator of the original has its like inside a child",
                                        "compute it in a child, as the original does", "soundness 16"};
const Rule RULE_STEP_EXTRA_COMPUTE = {"step.extra-compute",
                                      "each compute operator of the children has its like in the original",
                                      "take it out: the original doesn't compute it", "soundness 16"};
const Rule RULE_STEP_TESTED_ARITHMETIC = {
    "step.more-arithmetic", "arithmetic on data that the original has no like for is listed",
    "nothing need be done: it is listed because the step is only tested", "policy: Classes of operator"};
const Rule RULE_OP_ARITHMETIC = {
    "op.arithmetic-as-compute", "arithmetic in refactored.py doesn't add up to a computation",
    "move the computation into a child component", "policy: Classes of operator"};
const Rule RULE_OP_TEST_WENT = {"op.test-went", "the result says which way a test on data went",
                                "nothing need be done: the claim holds for inputs that go this way",
                                "policy: Reading data in Python"};
const Rule RULE_OP_DATA_SHAPE = {"op.data-shape", "a shape that depends on elements of data is not asked for",
                                 "keep to shapes that are known, or ask in a child component",
                                 "policy: Two questions about every value"};
const Rule RULE_CHILD_SIDE_CHANNEL = {
    "child.side-channel", "a child uses its arguments, its own parameters and what it made in this call",
    "pass the tensor as an argument, and return what others need", "soundness 21"};
const Rule RULE_CHILD_RETURNS = {"child.returns",
                                 "a child gives back tensors, plain values and containers of them",
                                 "return the tensors themselves", "soundness 20"};
const Rule RULE_TRACE_UNKNOWN = {"trace.unknown-origin", "every tensor has a recorded origin",
                                 "make the tensor by a torch operator in forward or __init__",
                                 "architecture: Trace"};
const Rule RULE_TRACE_STALE = {"trace.initial-value",
                               "what construction reads from a parameter is its initial value",
                               "compute it in forward, from the parameter itself", "soundness 4"};

const Rule *const JUDGE_RULES[] = {
    &RULE_STEP_NO_CHILD, &RULE_STEP_ONE_CHILD,       &RULE_STEP_UNUSED_CHILD,  &RULE_STEP_DEAD_CHILD,
    &RULE_STEP_RANDOM,   &RULE_STEP_MISSING_COMPUTE, &RULE_STEP_EXTRA_COMPUTE, &RULE_STEP_TESTED_ARITHMETIC,
    &RULE_OP_ARITHMETIC, &RULE_OP_TEST_WENT,         &RULE_OP_DATA_SHAPE,      &RULE_CHILD_SIDE_CHANNEL,
    &RULE_CHILD_RETURNS, &RULE_TRACE_UNKNOWN,        &RULE_TRACE_STALE,        NULL,
};
