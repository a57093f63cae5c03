/* Perturbed inputs: other numbers of the same shapes, from the smallest to the largest that a model should
 * bear. */
#include "inside.h"

#include <math.h>
#include <string.h>

static const char *const INPUT_KIND_NAMES[INPUT_KIND_COUNT] = {
    [INPUT_SAME] = "same",   [INPUT_BOTH_SIGNS] = "both signs", [INPUT_SMALL] = "small",
    [INPUT_LARGE] = "large", [INPUT_EQUAL] = "equal",           [INPUT_WIDE] = "wide",
};

const char *input_kind_name(InputKind kind) {
    return INPUT_KIND_NAMES[kind];
}

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
} Wanted;

/* Zero, or half or all of a power of two near `scale`, with a sign: no rounding tells apart what is equal. */
static double one_of_five(double scale, double noise) {
    const double unit = exp2(round(log2(scale)));
    return fmax(-1, fmin(1, round(2 * noise) / 2)) * unit;
}

static double other_number(double value, const Wanted *wanted, double row_scale, uint64_t bits) {
    if (!isfinite(value))
        return value;
    switch (wanted->kind) {
    case INPUT_BOTH_SIGNS: value = noise_normal(bits) * wanted->rms * row_scale; break;
    case INPUT_SMALL: value *= 1e-4; break;
    case INPUT_LARGE: value *= 1e3; break;
    case INPUT_EQUAL: value = one_of_five(wanted->rms, noise_normal(bits)); break;
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

static void perturb_floats(const TensorView *view, uint8_t *target, InputKind kind, uint64_t seed) {
    if (tensor_is_mask(view))
        return;
    const Wanted wanted = {kind, root_mean_square(view), dtype_largest(view->dtype) / 16};
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

/* Nothing says that the sample's integers are all that there are: neither a table nor a mask's zeros and
 * ones. */
static bool is_open(const InputTensor *input) {
    const DtypeKind kind = dtype_info(input->tensor.dtype)->kind;
    if ((kind != KIND_INT && kind != KIND_UINT) || input->low <= input->high)
        return input->ignored < 0;
    const Bounds sample = integer_bounds(input);
    return sample.low < 0 || sample.high > 1;
}

/* All of a byte, and else both signs up to some times the sample's largest: a loop may run as often. */
static Bounds wide_bounds(const InputTensor *input) {
    if (input->low <= input->high)
        return integer_bounds(input);
    enum { LEAST = 300, TIMES = 3, LARGEST = 1 << 20 };
    const Bounds possible = dtype_bounds(input->tensor.dtype), sample = integer_bounds(input);
    const int64_t largest = sample.high < -sample.low ? -sample.low : sample.high;
    const int64_t wide = largest > LARGEST ? largest : largest * TIMES < LEAST ? LEAST : largest * TIMES;
    if (dtype_info(input->tensor.dtype)->size == 1)
        return possible;
    return (Bounds){-wide < possible.low ? possible.low : -wide, wide > possible.high ? possible.high : wide};
}

static void perturb_integers(const InputTensor *input, uint8_t *target, InputKind kind, uint64_t seed) {
    const TensorView *view = &input->tensor;
    enum { IGNORED = -100, EACH_SPECIAL = 6 }; /* what torch's losses leave out, where nothing else is said */
    const bool wide = kind == INPUT_WIDE && is_open(input);
    if (kind == INPUT_WIDE && input->low > input->high && !wide)
        return;
    const int64_t ignored = input->ignored < 0 ? input->ignored : IGNORED;
    Bounds bounds = wide ? wide_bounds(input) : integer_bounds(input);
    const bool opens = (kind == INPUT_SMALL || kind == INPUT_LARGE) && is_ones(input, bounds);
    bounds.low -= opens;
    const uint64_t span = (uint64_t)bounds.high - (uint64_t)bounds.low + 1; /* 0: every number */
    for (int64_t i = 0; i < view->element_count && bounds.low <= bounds.high; i++) {
        const uint8_t *from = tensor_at_linear(view, i);
        const size_t place = (size_t)(from - (const uint8_t *)view->data);
        uint64_t bits = noise_bits(seed, view->storage_at, place);
        uint64_t value = (uint64_t)bounds.low + (span == 0 ? bits : bits % span);
        uint64_t special = wide ? (bits >> 32) % EACH_SPECIAL : EACH_SPECIAL;
        if (wide && i < 2 && i + 1 < view->element_count) /* one of each is there, whatever is drawn */
            special = (uint64_t)i ^ (seed & 1);
        if (special == 0)
            value = (uint64_t)(input->ignored < 0 || bounds.low <= ignored ? ignored : bounds.low);
        if (special == 1)
            value = 0;
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

bool inputs_are_open(const InputTensor *inputs, size_t count, Bytes source) {
    for (size_t i = 0; i < count; i++) {
        InputTensor input = inputs[i];
        input.tensor.data = source.data + input.tensor.storage_at;
        if (is_open(&input))
            return true;
    }
    return false;
}

void inputs_perturb(const InputTensor *inputs, size_t count, Bytes source, uint8_t *target, InputKind kind,
                    uint64_t seed) {
    if (source.size > 0)
        memcpy(target, source.data, source.size);
    for (size_t i = 0; i < count && kind != INPUT_SAME; i++) {
        TensorView view = inputs[i].tensor;
        view.data = source.data + view.storage_at;
        const InputTensor input = {view, inputs[i].low, inputs[i].high, inputs[i].ignored};
        switch (dtype_info(view.dtype)->kind) {
        case KIND_FLOAT:
        case KIND_COMPLEX: perturb_floats(&view, target, kind, seed); break;
        case KIND_INT:
        case KIND_UINT: perturb_integers(&input, target, kind, seed); break;
        case KIND_BOOL: perturb_booleans(&view, target, seed); break;
        }
    }
}
