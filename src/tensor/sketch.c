/* A few numbers about a tensor, by which those that may agree with it are found without comparing all. */
#include "tensor.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { RUN = 64, LARGEST_ITEM = 16 }; /* elements that are looked at together: a word has a sign for each */

/* The signs of elements RUN * number and on (splitmix64). */
static uint64_t signs_of(uint64_t number) {
    uint64_t mixed = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

static bool is_finite(Element element) {
    return isfinite(element.real) && isfinite(element.imaginary);
}

/* Elements [first, first + count), of any layout. */
static void read_run(const TensorView *view, int64_t first, int64_t count, Element *elements) {
    _Alignas(16) uint8_t bytes[RUN * LARGEST_ITEM];
    const size_t item = dtype_info(view->dtype)->size;
    tensor_gather(view, first, count, bytes);
    for (int64_t i = 0; i < count; i++) {
        if (view->dtype == DTYPE_FLOAT32) { /* nearly all there is */
            float value;
            memcpy(&value, bytes + (size_t)i * item, sizeof value);
            elements[i] = (Element){.real = (double)value};
        } else {
            elements[i] = element_read(view->dtype, bytes + (size_t)i * item);
        }
    }
}

static int64_t run_length(const TensorView *view, int64_t first) {
    return view->element_count - first < RUN ? view->element_count - first : RUN;
}

Sketch tensor_sketch(const TensorView *view) {
    Element elements[RUN];
    double signed_sum = 0, square_sum = 0;
    int64_t finite = 0;
    for (int64_t first = 0; first < view->element_count; first += RUN) {
        const int64_t count = run_length(view, first);
        const uint64_t signs = signs_of((uint64_t)(first / RUN));
        read_run(view, first, count, elements);
        for (int64_t i = 0; i < count; i++) {
            if (!is_finite(elements[i]))
                continue;
            const double real = elements[i].real, imaginary = elements[i].imaginary;
            signed_sum += (signs >> i & 1) != 0 ? real - imaginary : imaginary - real;
            square_sum += real * real + imaginary * imaginary;
            finite++;
        }
    }
    const double count = finite > 0 ? (double)finite : 1;
    return (Sketch){.size = sqrt(square_sum / count), .projection = signed_sum / count};
}

double sketch_reach(const Sketch *sketch, Tolerance tolerance) {
    const double rounding = 1e-12, parts = 2; /* of the sums; a complex number's two parts */
    return parts * (tolerance.atol + (tolerance.rtol + rounding) * sketch->size);
}

Gap tensor_gap(const TensorView *original, const TensorView *candidate) {
    assert(original->element_count == candidate->element_count);
    Element theirs[RUN], ours[RUN];
    double sum = 0;
    int64_t finite = 0;
    Gap gap = {0};
    for (int64_t first = 0; first < original->element_count; first += RUN) {
        const int64_t count = run_length(original, first);
        read_run(original, first, count, theirs);
        read_run(candidate, first, count, ours);
        for (int64_t i = 0; i < count; i++) {
            const Element a = theirs[i], b = ours[i];
            if (is_finite(a) && is_finite(b)) {
                const double apart = hypot(a.real - b.real, a.imaginary - b.imaginary);
                gap.max_abs = fmax(gap.max_abs, apart);
                sum += apart;
                finite++;
            } else if (!(isnan(a.real) && isnan(b.real)) && a.real != b.real) {
                gap.unlike++;
            }
        }
    }
    gap.mean_abs = finite > 0 ? sum / (double)finite : 0;
    return gap;
}
