/* departure: which value inside a model is the first that the other model doesn't compute. It explains a
 * verdict and never makes one.
 *
 * A value of the original agrees if some value of the refactored has the same elements in row-major order,
 * whatever computed it. One that agrees with none may still be right: an intermediate result of what the
 * other side computes in one call, if what is made of it agrees again. So a value departs only if an output
 * that departs depends on it along values that all agree with none; and the first of these that was computed
 * from values that do not depart is where to look. */
#ifndef PLUMBLINE_DEPARTURE_H
#define PLUMBLINE_DEPARTURE_H

#include "kept.h"

/* One model's run. */
typedef struct RunValues {
    const Trace *trace;
    KeptValues kept;
    const TensorId *outputs; /* those that depart, in the same order on both sides */
    size_t output_count;
} RunValues;

typedef struct DepartureRules {
    double rtol;       /* of the step; of a value its dtype's own where that is wider */
    double difference; /* of the outputs, of their size: an eighth of it is more than rounding */
    unsigned threads;
} DepartureRules;

typedef struct DepartedValue {
    const TraceCall *call; /* NULL: that side has none */
    TensorId tensor;
    const TensorView *view; /* NULL: not kept */
    double size;            /* root of the mean square of its elements */
} DepartedValue;

typedef struct FirstDeparture {
    DepartedValue original, candidate; /* no call in the original: none departs */
    DepartedValue
        source;    /* that the candidate's is computed from and that the original has not; no call: none */
    size_t agreed; /* kept values of the original before it that agree; all, if none departs */
} FirstDeparture;

/* Time n log n in the values, and linear in their bytes. */
FirstDeparture departure_find(Arena *arena, const RunValues *original, const RunValues *candidate,
                              const DepartureRules *rules);

#endif
