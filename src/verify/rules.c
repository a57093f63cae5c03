/* The rules of this room, and the names of its enums. */
#include "verify_internal.h"

static const Rule RULES[] = {
#define RULE(name, id, title, instead, source) {id, title, instead, source},
    VERIFY_RULE_LIST(RULE)
#undef RULE
};

#define RULE(name, id, title, instead, source) &RULES[RULE_##name],
const Rule *const VERIFY_RULES[] = {VERIFY_RULE_LIST(RULE) NULL};
#undef RULE

const Rule *verify_rule(VerifyRule rule) {
    return &RULES[rule];
}

const char *verdict_name(Verdict verdict) {
    static const char *const names[] = {
        [VERDICT_PASS] = "PASS", [VERDICT_FAIL] = "FAIL", [VERDICT_ERROR] = "ERROR"};
    return names[verdict];
}

const char *part_status_name(PartStatus status) {
    static const char *const names[] = {[PART_NOT_REACHED] = "SKIPPED",
                                        [PART_PASSED] = "PASS",
                                        [PART_FAILED] = "FAIL",
                                        [PART_SKIPPED] = "SKIPPED"};
    return names[status];
}

const char *trial_kind_name(TrialKind kind) {
    static const char *const names[] = {[TRIAL_SEEDED] = "seeded",
                                        [TRIAL_PERTURBED_WEIGHTS] = "perturbed weights",
                                        [TRIAL_PERTURBED_INPUTS] = "perturbed inputs",
                                        [TRIAL_PERTURBED_BOTH] = "perturbed weights and inputs",
                                        [TRIAL_SMALL_INPUTS] = "small inputs",
                                        [TRIAL_LARGE_INPUTS] = "large inputs",
                                        [TRIAL_EQUAL_INPUTS] = "equal inputs",
                                        [TRIAL_LEFT_OUT_TARGETS] = "targets that the loss leaves out",
                                        [TRIAL_WIDER_INTEGERS] = "integers past the sample's",
                                        [TRIAL_OTHER_BATCH] = "another batch size",
                                        [TRIAL_OTHER_LENGTH] = "another length",
                                        [TRIAL_OTHER_SIZES] = "other sizes",
                                        [TRIAL_GRADIENTS] = "gradients",
                                        [TRIAL_EQUAL_GRADIENTS] = "gradients at equal inputs",
                                        [TRIAL_OTHER_MODE] = "train mode",
                                        [TRIAL_SCALED_WEIGHTS] = "scaled weights",
                                        [TRIAL_SELECTING_WEIGHTS] = "weights that select"};
    return names[kind];
}
