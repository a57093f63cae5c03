/* The rules about weights. */
#include "weights.h"

const Rule WEIGHTS_RULES[WEIGHTS_RULE_COUNT] = {
    [WEIGHTS_UNKNOWN_KEY] = {"weights.unknown_key", "Every key that the weight map names exists on its side",
                             "correct the key; the map reads {\"original key\": \"refactored key\"}",
                             "docs/weights.md"},
    [WEIGHTS_SHAPE] = {"weights.shape", "A parameter has the shape of the original that it stands for",
                       "give the component the original's dimensions, or map a part or the transpose",
                       "guide: Dimensions don't match original model; Shape mismatch"},
    [WEIGHTS_DTYPE] = {"weights.dtype", "A parameter has the dtype of the original that it stands for",
                       "build the component in the original's dtype", "guide: Dtype mismatch"},
    [WEIGHTS_TWICE] = {"weights.twice", "A refactored key is given by one original only",
                       "leave one of the two entries in the map", "soundness 5"},
    [WEIGHTS_PARTS] = {"weights.parts", "The parts of a fused weight cover it exactly once",
                       "correct \"dim\", \"start\" and \"stop\" of its parts", "formats: weight_map.json"},
    [WEIGHTS_TIE] = {"weights.tie", "Weights are tied on both sides or on neither",
                     "tie them on both sides, or map the one original to several places", "soundness 5"},
    [WEIGHTS_AMBIGUOUS] = {"weights.ambiguous", "Weights are assigned without guessing",
                           "write a weight_map.json; the lines shown are a start, check each pair",
                           "docs/weights.md"},
    [WEIGHTS_UNMAPPED_ORIGINAL] = {"weights.unmapped_original",
                                   "Every original weight that an output depends on goes somewhere",
                                   "give it its place in a child, or map it in weight_map.json",
                                   "docs/weights.md"},
    [WEIGHTS_UNMAPPED_REFACTORED] =
        {"weights.unmapped_refactored",
         "Every refactored weight that an output depends on comes from the original",
         "remove it, or map an original to it in weight_map.json", "docs/weights.md"},
};
