/* The rules about operators, reading data and __init__, which lint and the trace's judge share. */
#ifndef PLUMBLINE_OPERATOR_RULES_H
#define PLUMBLINE_OPERATOR_RULES_H

#include "policy.h"

extern const Rule RULE_OP_COMPUTE, RULE_OP_FORBIDDEN, RULE_OP_RANDOM, RULE_OP_READ, RULE_OP_TEST,
    RULE_STEP_CONDITION, RULE_STEP_ARGUMENT, RULE_STEP_ARGUMENT_UNREAD, RULE_STEP_SIZE, RULE_OP_EMBEDDING,
    RULE_OP_CHILD_PARAMETER, RULE_OP_KNOWN_FLOAT, RULE_INIT_MODULE, RULE_INIT_PARAMETER, RULE_INIT_TABLE,
    RULE_INIT_RANDOM, RULE_CHILD_HANDED, RULE_CHILD_FUNCTION, RULE_CHILD_CLASS, RULE_STATE_WRITTEN,
    RULE_FLOW_UNKNOWN;

/* All of the above, NULL-terminated. */
extern const Rule *const OPERATOR_RULES[];

/* What to do about an operator that refactored.py may not use on data: one clause, no full stop. `canonical`
 * is operator_canonical's spelling. Never NULL. */
const char *operator_advice(const char *canonical, OperatorClass class);

/* Whether ops/operators.txt has the name: compute that it lists is surely torch's. */
bool operator_is_listed(const char *name);

#endif
