/* Perturbed inputs: other numbers of the same shapes, from the smallest to the largest that a model should
 * bear. */
#include "inside.h"

#include <math.h>
#include <string.h>

static double root_mean_square(const TensorView *view) {
    double squares = 0;
    int64_t finite = 0;
    for (int64_t i = 0; i < view->element_count; i++) {
        Element element = element_read(view->dtype, tensor_at_linear(view, i));
        double square = element.real * element.real + element.imaginary * element.imaginary;
        if (isfinite(square)) {
            squares += square;
            finite++;
        }
    }
    return finite > 0 && squares > 0 ? sqrt(squares / (double)finite) : 1;
}

/* ---- Floats ------------------------------------------------------------------------------- */
typedef struct Wanted {
    InputKind kind;
    double rms;   /* of the sample */
    double limit; /* no number beyond it: sums of squares should still be finite in wider arithmetic */
    InputBounds bounds;
} Wanted;

/* Zero, or half or all of a power of two near `scale`, with a sign: no rounding tells apart what is equal. */
static double one_of_five(double scale, double noise) {
    const double unit = exp2(round(log2(scale)));
    return fmax(-1, fmin(1, round(2 * noise) / 2)) * unit;
}

static double equal_number(const Wanted *wanted, uint64_t bits) {
    enum { ONE_OF = 4 };
    const uint64_t draw = noise_bits(bits, 0, 1);
    if (wanted->bounds.count > 0 && draw % ONE_OF == 0)
        return wanted->bounds.items[draw / ONE_OF % wanted->bounds.count];
    return one_of_five(wanted->rms, noise_normal(bits));
}

static double other_number(double value, const Wanted *wanted, double row_scale, uint64_t bits) {
    if (!isfinite(value))
        return value;
    switch (wanted->kind) {
    case INPUT_BOTH_SIGNS: value = noise_normal(bits) * wanted->rms * row_scale; break;
    case INPUT_SMALL: value *= 1e-4; break;
    case INPUT_LARGE: value *= 1e3; break;
    case INPUT_EQUAL: value = equal_number(wanted, bits); break;
    default: break;
    }
    return fmax(-wanted->limit, fmin(wanted->limit, value));
}

/* Rows (along the last dimension) get scales from 0.1 to 10, so that what a softmax or a norm makes of them
 * differs. */
static double scale_of_row(const TensorView *view, int64_t linear, uint64_t seed) {
    int64_t row = view->rank == 0 ? 0 : linear / view->shape[view->rank - 1];
    return exp2((2 * noise_unit(noise_bits(seed, view->storage_at + 1, (uint64_t)row)) - 1) * log2(10));
}

static void perturb_floats(const TensorView *view, InputBounds bounds, uint8_t *target, InputKind kind,
                           uint64_t seed) {
    if (tensor_is_mask(view))
        return;
    const Wanted wanted = {kind, root_mean_square(view), dtype_largest(view->dtype) / 16, bounds};
    const bool complex = dtype_info(view->dtype)->kind == KIND_COMPLEX;
    for (int64_t i = 0; i < view->element_count; i++) {
        const uint8_t *from = tensor_at_linear(view, i);
        const size_t place = (size_t)(from - (const uint8_t *)view->data);
        const double scale = kind == INPUT_BOTH_SIGNS ? scale_of_row(view, i, seed) : 1;
        Element element = element_read(view->dtype, from);
        element.real =
            other_number(element.real, &wanted, scale, noise_bits(seed, view->storage_at, 2 * place));
        if (complex)
            element.imaginary = other_number(element.imaginary, &wanted, scale,
                                             noise_bits(seed, view->storage_at, 2 * place + 1));
        element_write(view->dtype, target + view->storage_at + place, element);
    }
}

/* ---- Integers and booleans ---------------------------------------------------------------- */
typedef struct Bounds { /* inclusive */
    int64_t low, high;
} Bounds;

static Bounds dtype_bounds(Dtype dtype) {
    const DtypeInfo *info = dtype_info(dtype);
    const int bits = (int)info->size * 8 - (info->kind == KIND_INT);
    const int64_t high = bits >= 63 ? INT64_MAX : ((int64_t)1 << bits) - 1;
    return (Bounds){info->kind == KIND_INT ? -high - 1 : 0, high};
}

static int64_t whole_number(Dtype dtype, const void *at) {
    Element element = element_read(dtype, at);
    if (dtype_info(dtype)->kind == KIND_UINT)
        return element.natural > INT64_MAX ? INT64_MAX : (int64_t)element.natural;
    return element.integer;
}

static Bounds integer_bounds(const InputTensor *input) {
    const TensorView *view = &input->tensor;
    Bounds possible = dtype_bounds(view->dtype), wanted = {input->low, input->high};
    if (wanted.low > wanted.high) {
        wanted = (Bounds){INT64_MAX, INT64_MIN};
        for (int64_t i = 0; i < view->element_count; i++) {
            int64_t value = whole_number(view->dtype, tensor_at_linear(view, i));
            wanted.low = value < wanted.low ? value : wanted.low;
            wanted.high = value > wanted.high ? value : wanted.high;
        }
    }
    wanted.low = wanted.low < possible.low ? possible.low : wanted.low;
    wanted.high = wanted.high > possible.high ? possible.high : wanted.high;
    return wanted;
}

/* A mask of ones hides everything that it could mask: small and large inputs have zeros in it, but not first
 * in a row.
 */
static bool is_ones(const InputTensor *input, Bounds bounds) {
    return input->low > input->high && bounds.low == 1 && bounds.high == 1 && input->tensor.rank >= 2;
}

static bool is_of_integers(InputKind kind) {
    return kind == INPUT_LEFT_OUT_TARGETS || kind == INPUT_INTEGERS_FAR || kind == INPUT_INTEGERS_NEAR ||
           kind == INPUT_INTEGERS_ABOVE || kind == INPUT_INTEGERS_BELOW;
}

/* What is asked of integers is mostly asked of small ones (m > 0, m == 1), at zero, and at the ends of what
 * they are. */
static int64_t wider_integer(Bounds sample, InputKind kind, uint64_t bits) {
    enum { MARGIN = 3, FAR = 16 };
    const uint64_t draw = bits >> 8, width = (uint64_t)sample.high - (uint64_t)sample.low + 1;
    const int64_t largest = sample.high > -sample.low ? sample.high : -sample.low;
    const int64_t step = 1 + (int64_t)(draw % MARGIN);
    switch (bits % 8) {
    case 0: return -step;
    case 1: return (int64_t)(draw % (2 * MARGIN + 1)) - MARGIN;
    case 2: return sample.low - step;
    case 3: return sample.high + step;
    case 4:
        if (kind == INPUT_INTEGERS_FAR)
            return (int64_t)((draw >> 1) % (uint64_t)(FAR * (largest > FAR ? largest : FAR))) *
                   (draw & 1 ? 1 : -1);
        return sample.high + step;
    default: return sample.low + (int64_t)(draw % width);
    }
}

/* The few elements of a small tensor are not left to chance. */
static int64_t wider_integer_at(Bounds sample, InputKind kind, uint64_t bits, int64_t element) {
    const int64_t above = sample.high + 1;
    int64_t value = element == 0 ? -1 : element == 1 ? above : wider_integer(sample, kind, bits);
    const int64_t lowest = sample.low < 0 ? sample.low : 0;
    const int64_t largest = sample.high > -sample.low ? sample.high : -sample.low;
    if (kind == INPUT_INTEGERS_BELOW)
        return value > sample.high ? sample.high : value < -largest ? -largest : value;
    return kind == INPUT_INTEGERS_ABOVE && value < lowest ? above : value;
}

static void widen_integers(const InputTensor *input, uint8_t *target, InputKind kind, uint64_t seed) {
    const TensorView *view = &input->tensor;
    const Bounds sample = integer_bounds(input), possible = dtype_bounds(view->dtype);
    const int64_t most = INT64_MAX / 64; /* beyond it, sums of them would be no integers */
    if (input->kept || view->element_count == 0 || sample.low < -most || sample.high > most)
        return;
    for (int64_t i = 0; i < view->element_count; i++) {
        const size_t place =
            (size_t)((const uint8_t *)tensor_at_linear(view, i) - (const uint8_t *)view->data);
        int64_t value = wider_integer_at(sample, kind, noise_bits(seed, view->storage_at, place), i);
        value = value < possible.low ? possible.low : value > possible.high ? possible.high : value;
        element_write(view->dtype, target + view->storage_at + place,
                      (Element){.integer = value, .natural = (uint64_t)value});
    }
}

/* A loss's target: the class that the loss leaves out is at one place at least, whatever is drawn. */
static void leave_out_targets(const InputTensor *input, uint8_t *target, uint64_t seed) {
    enum { ONE_OF = 6 };
    const TensorView *view = &input->tensor;
    const int64_t first = view->element_count > 1 ? (int64_t)(seed & 1) : 0;
    for (int64_t i = 0; i < view->element_count; i++) {
        const size_t place =
            (size_t)((const uint8_t *)tensor_at_linear(view, i) - (const uint8_t *)view->data);
        const bool drawn = noise_bits(seed, view->storage_at, place) % ONE_OF == 0;
        if (i == first || (i > 1 && drawn))
            element_write(view->dtype, target + view->storage_at + place,
                          (Element){.integer = input->ignored, .natural = (uint64_t)input->ignored});
    }
}

static void perturb_integers(const InputTensor *input, uint8_t *target, InputKind kind, uint64_t seed) {
    const TensorView *view = &input->tensor;
    if (kind == INPUT_LEFT_OUT_TARGETS && input->ignored < 0)
        leave_out_targets(input, target, seed);
    else if (kind != INPUT_LEFT_OUT_TARGETS && is_of_integers(kind) && input->low > input->high)
        widen_integers(input, target, kind, seed);
    if (is_of_integers(kind))
        return;
    Bounds bounds = integer_bounds(input);
    const bool opens = (kind == INPUT_SMALL || kind == INPUT_LARGE) && is_ones(input, bounds);
    bounds.low -= opens;
    const uint64_t span = (uint64_t)bounds.high - (uint64_t)bounds.low + 1; /* 0: every number */
    for (int64_t i = 0; i < view->element_count && bounds.low <= bounds.high; i++) {
        const uint8_t *from = tensor_at_linear(view, i);
        const size_t place = (size_t)(from - (const uint8_t *)view->data);
        uint64_t bits = noise_bits(seed, view->storage_at, place);
        uint64_t value = (uint64_t)bounds.low + (span == 0 ? bits : bits % span);
        if (opens && i < 2) /* a zero is there, whatever is drawn */
            value = 0;
        if (opens && i % view->shape[view->rank - 1] == 0)
            value = 1;
        element_write(view->dtype, target + view->storage_at + place,
                      (Element){.integer = (int64_t)value, .natural = value});
    }
}

static void perturb_booleans(const TensorView *view, uint8_t *target, uint64_t seed) {
    const bool flip = noise_bits(seed, view->storage_at + 1, 0) & 1;
    for (int64_t i = 0; i < view->element_count; i++) {
        const size_t place =
            (size_t)((const uint8_t *)tensor_at_linear(view, i) - (const uint8_t *)view->data);
        bool value = noise_bits(seed, view->storage_at, place) >> 63;
        if (i < 2) /* both values are there */
            value = flip == (i == 0);
        target[view->storage_at + place] = value;
    }
}

void inputs_perturb(const InputTensor *inputs, size_t count, InputBounds bounds, Bytes source,
                    uint8_t *target, InputKind kind, uint64_t seed) {
    if (source.size > 0)
        memcpy(target, source.data, source.size);
    for (size_t i = 0; i < count && kind != INPUT_SAME; i++) {
        TensorView view = inputs[i].tensor;
        view.data = source.data + view.storage_at;
        InputTensor input = inputs[i];
        input.tensor = view;
        switch (dtype_info(view.dtype)->kind) {
        case KIND_FLOAT:
        case KIND_COMPLEX:
            if (!is_of_integers(kind))
                perturb_floats(&view, bounds, target, kind, seed);
            break;
        case KIND_INT:
        case KIND_UINT: perturb_integers(&input, target, kind, seed); break;
        case KIND_BOOL:
            if (!is_of_integers(kind))
                perturb_booleans(&view, target, seed);
            break;
        }
    }
}
