/* The rules about operators, reading data and __init__, and what to write instead of an operator. */
#include "operator_rules.h"

static const char OPERATORS[] = "policy: Classes of operator; guide: Anti-Cheat Rules";
static const char READING[] = "policy: Reading data in Python";
static const char INIT[] = "policy: __init__; guide: Anti-Cheat Rules";

const Rule RULE_OP_COMPUTE = {"op.compute",
                              "refactored.py calls children and moves data; it computes nothing itself",
                              "move it into a child component", OPERATORS};
const Rule RULE_OP_FORBIDDEN = {
    "op.forbidden", "refactored.py uses nothing of torch.nn.functional, no loss, no matmul and no where",
    "move it into a child component", OPERATORS};
const Rule RULE_OP_RANDOM = {"op.random", "refactored.py draws no random numbers",
                             "draw them in a child component", OPERATORS};
const Rule RULE_OP_READ = {"op.read", "refactored.py doesn't read data into Python",
                           "keep the value in a tensor, or read it in a child component", READING};
const Rule RULE_OP_TEST = {"op.test", "a test on data stands only where the original has the same",
                           "remove the check, unless the original makes it", READING};
const Rule RULE_STEP_CONDITION = {"step.condition",
                                  "a test on sizes, dtype, device, surroundings or an argument's value "
                                  "stands only where the original has its like",
                                  "do the same for all, or raise where it can't be done", "soundness 12"};
const Rule RULE_STEP_SIZE = {"step.size", "a number made of sizes meets data as it does in the original",
                             "take the number from the constructor's arguments", "soundness 12"};
const Rule RULE_STEP_ARGUMENT = {"step.argument",
                                 "whether an argument was given is asked only where the original asks",
                                 "take it for given, as the original does", "soundness 12"};
const Rule RULE_STEP_ARGUMENT_UNREAD = {"step.argument-unread",
                                        "forward reads every argument that the original's reads",
                                        "use the argument as the original does", "soundness 7"};
const Rule RULE_OP_EMBEDDING = {"op.embedding", "refactored.py takes no rows out of a parameter",
                                "that is an embedding: move it into a child component", OPERATORS};
const Rule RULE_OP_CHILD_PARAMETER = {
    "op.child-parameter", "a child's parameters and buffers are used inside that child only",
    "let the child do this, or a method of it: hand it what the parameter meets", OPERATORS};
const Rule RULE_OP_KNOWN_FLOAT = {
    "op.known-float", "what is computed from known values meets data only as integers or booleans",
    "compute the table inside the child", OPERATORS};
const Rule RULE_INIT_MODULE = {
    "init.module", "__init__ builds only classes from child files, containers, and modules that only view",
    "import a child component's Model and build that", INIT};
const Rule RULE_INIT_PARAMETER = {"init.parameter", "every parameter belongs to a child",
                                  "move the parameter and what uses it into a child component", INIT};
const Rule RULE_INIT_TABLE = {
    "init.table", "a floating table of more than 16 literals is learned, not configured",
    "make ramps by arange or linspace; keep learned numbers in a child's parameter", INIT};
const Rule RULE_INIT_RANDOM = {"init.random", "__init__ keeps no random tensor",
                               "make it a parameter or buffer of a child component", INIT};
const Rule RULE_CHILD_HANDED = {
    "child.handed", "a child is handed tensors, numbers, strings, dtypes, None and containers of them",
    "hand over plain values, and let the child import what it needs", "soundness 20"};
const Rule RULE_CHILD_FUNCTION = {"child.function",
                                  "compute is a child's only while a module of its file is being called",
                                  "call the child itself, or write the function in plumbing", "soundness 19"};
const Rule RULE_CHILD_CLASS = {"child.class",
                               "a child's class is used as it stands, not subclassed or patched",
                               "build the child's class, or change the child's file", "soundness 20"};
const Rule RULE_STATE_WRITTEN = {"state.written",
                                 "forward writes nothing that outlives the call but known values of shapes",
                                 "return the value, or keep it in a local variable", "soundness 21"};
const Rule RULE_FLOW_UNKNOWN = {"flow.undecided",
                                "lint follows names; what it can't follow is left to the trace",
                                "nothing need be done: plumbline step decides it", "policy: Two questions"};

const Rule *const OPERATOR_RULES[] = {
    &RULE_OP_COMPUTE,     &RULE_OP_FORBIDDEN,
    &RULE_OP_RANDOM,      &RULE_OP_READ,
    &RULE_OP_TEST,        &RULE_OP_EMBEDDING,
    &RULE_OP_KNOWN_FLOAT, &RULE_OP_CHILD_PARAMETER,
    &RULE_INIT_MODULE,    &RULE_INIT_PARAMETER,
    &RULE_INIT_TABLE,     &RULE_INIT_RANDOM,
    &RULE_CHILD_HANDED,   &RULE_CHILD_FUNCTION,
    &RULE_CHILD_CLASS,    &RULE_STATE_WRITTEN,
    &RULE_FLOW_UNKNOWN,   NULL,
};

typedef struct Advice {
    const char *canonical, *advice;
} Advice;

static const char LOSS[] = "write the difference and its square as arithmetic, and put its mean() in a child";
static const char COSINES[] = "compute the table inside the child that uses it";
static const char NUMBERS[] = "use masked_fill or arithmetic instead, or move it into a child component";

static const Advice ADVICE[] = {
    {"where", "use masked_fill or arithmetic instead"},
    {"clamp", NUMBERS},
    {"max", NUMBERS},
    {"min", NUMBERS},
    {"maximum", NUMBERS},
    {"minimum", NUMBERS},
    {"fill_diagonal", NUMBERS},
    {"mse_loss", LOSS},
    {"l1_loss", LOSS},
    {"smooth_l1_loss", LOSS},
    {"huber_loss", LOSS},
    {"cross_entropy", "put the loss in a child component"},
    {"nll_loss", "put the loss in a child component"},
    {"sin", COSINES},
    {"cos", COSINES},
    {"embedding", "call a child that holds the table"},
    {"dropout", "call a child that holds the dropout, or leave it out in eval mode"},
};

const char *operator_advice(const char *canonical, OperatorClass class) {
    for (size_t i = 0; i < COUNT_OF(ADVICE); i++)
        if (text_equal(canonical, ADVICE[i].canonical))
            return ADVICE[i].advice;
    return class == OPERATOR_READ     ? RULE_OP_READ.instead
           : class == OPERATOR_TEST   ? RULE_OP_TEST.instead
           : class == OPERATOR_RANDOM ? RULE_OP_RANDOM.instead
                                      : RULE_OP_COMPUTE.instead;
}
