/* Changed weights: every floating parameter and state buffer becomes distinguishable (soundness 13); or every
 * row of one gets a scale of its own, so that what they make gets past bounds within which initialised models
 * stay; or parameters hand on what they are given, so that it meets a bound exactly. */
#include "inside.h"

#include <math.h>
#include <string.h>

typedef struct Measure { /* what a tensor's numbers are like */
    bool is_vector;      /* one dimension holds all of it: biases, norms, layer scales, class tokens */
    bool nonnegative;    /* none below 0, and some above: variances, scales */
    double rms;          /* of the finite ones */
    double usual; /* what elements of an initialised matrix of this shape are about: 1 / sqrt(fan in) */
} Measure;

/* element_read and element_write, without their detours for the dtype that most weights have. */
static inline Element read_number(Dtype dtype, const uint8_t *at) {
    float single;
    if (dtype != DTYPE_FLOAT32)
        return element_read(dtype, at);
    memcpy(&single, at, sizeof single);
    return (Element){.real = single};
}

static inline void write_number(Dtype dtype, uint8_t *at, Element element) {
    float single = (float)element.real;
    if (dtype != DTYPE_FLOAT32 || !isfinite(single))
        element_write(dtype, at, element);
    else
        memcpy(at, &single, sizeof single);
}

static inline size_t item_of(Dtype dtype) {
    return dtype == DTYPE_FLOAT32 ? sizeof(float) : dtype_info(dtype)->size;
}

static inline const uint8_t *typed_at(const TensorView *view, Dtype dtype, bool contiguous, int64_t linear) {
    if (!contiguous)
        return tensor_at_linear(view, linear);
    return (const uint8_t *)view->data + (size_t)(view->offset + linear) * item_of(dtype);
}

static inline __attribute__((always_inline)) Measure measure_as(const TensorView *view, Dtype dtype,
                                                                bool contiguous) {
    Measure measured = {.nonnegative = true};
    double fan_in = 1;
    double squares = 0;
    int64_t finite = 0, longest = 1;
    bool positive = false;
    for (size_t i = 0; i < view->rank; i++)
        longest = view->shape[i] > longest ? view->shape[i] : longest;
    for (size_t i = 1; i < view->rank; i++)
        fan_in *= (double)view->shape[i];
    measured.usual = 1 / sqrt(fan_in);
    measured.is_vector = longest == view->element_count;
    for (int64_t i = 0; i < view->element_count; i++) {
        Element element = read_number(dtype, typed_at(view, dtype, contiguous, i));
        if (!isfinite(element.real) || !isfinite(element.imaginary))
            continue;
        squares += element.real * element.real + element.imaginary * element.imaginary;
        measured.nonnegative &= element.real >= 0 && element.imaginary == 0;
        positive |= element.real > 0;
        finite++;
    }
    measured.rms = finite > 0 ? sqrt(squares / (double)finite) : 0;
    measured.nonnegative &= positive && dtype_info(view->dtype)->kind == KIND_FLOAT;
    return measured;
}

/* Vectors move by 0.1 to 0.25 either way (by more where their numbers are large): a bias of zeros and a layer
 * scale of 1e-6 must show. Matrices move by up to half of their root mean square; those of (nearly) zeros
 * become what an initialised one would be. What is a variance stays one. */
static double perturbed(double value, uint64_t bits, const Measure *like) {
    const double unit = noise_unit(bits), sign = bits & 1 ? 1 : -1, both = 2 * unit - 1;
    double scale, moved;
    if (!isfinite(value))
        return value;
    if (like->is_vector) {
        scale = like->rms > 1 ? like->rms : 1;
        moved = value + sign * (0.1 + 0.15 * unit) * scale;
    } else {
        scale = like->rms > 0.01 * like->usual ? like->rms : 2 * like->usual;
        moved = value + 0.5 * scale * both;
    }
    const double floor = (0.05 + 0.05 * unit) * scale;
    return like->nonnegative && moved < floor ? floor : moved;
}

/* Numbers each element by its place in its storage, so that what shares memory gets the same noise. */
static inline __attribute__((always_inline)) void perturb_elements(const TensorView *source, Dtype dtype,
                                                                   bool contiguous, Measure like,
                                                                   uint8_t *target, uint64_t seed) {
    const size_t item = item_of(dtype);
    const bool complex = dtype_info(dtype)->kind == KIND_COMPLEX;
    const uint64_t stream = noise_stream(seed, source->storage_at);
    for (int64_t i = 0; i < source->element_count; i++) {
        const uint8_t *from = typed_at(source, dtype, contiguous, i);
        const size_t place = (size_t)(from - (const uint8_t *)source->data);
        const uint64_t position = place / item;
        Element element = read_number(dtype, from);
        element.real = perturbed(element.real, noise_at(stream, 2 * position), &like);
        if (complex)
            element.imaginary = perturbed(element.imaginary, noise_at(stream, 2 * position + 1), &like);
        write_number(dtype, target + source->storage_at + place, element);
    }
}

static void perturb_tensor(const TensorView *source, uint8_t *target, uint64_t seed) {
    const bool contiguous = tensor_is_contiguous(source);
    if (source->dtype == DTYPE_FLOAT32 && contiguous) /* most weights: loops of their own */
        perturb_elements(source, DTYPE_FLOAT32, true, measure_as(source, DTYPE_FLOAT32, true), target, seed);
    else
        perturb_elements(source, source->dtype, contiguous, measure_as(source, source->dtype, contiguous),
                         target, seed);
}

/* A power of two from a quarter to 16, so that nothing is rounded; no more than the dtype's range bears. */
static double scale_of(Dtype dtype, uint64_t bits) {
    const int largest = dtype == DTYPE_FLOAT16 ? 1 : dtype_info(dtype)->size == 1 ? 0 : 4;
    return ldexp(1, (int)(bits % (unsigned)(largest + 3)) - 2);
}

/* Of a vector each element is a row. One scale for all would only saturate what comes after. */
static void scale_rows(const TensorView *source, uint8_t *target, uint64_t seed) {
    const int64_t length = source->rank < 2 ? 1 : source->shape[source->rank - 1];
    const uint64_t stream = noise_stream(seed, source->storage_at);
    double scale = 1;
    for (int64_t i = 0; i < source->element_count; i++) {
        if (i % length == 0)
            scale = scale_of(source->dtype, noise_at(stream, (uint64_t)(i / length)));
        const uint8_t *from = tensor_at_linear(source, i);
        Element element = element_read(source->dtype, from);
        element.real *= scale;
        element.imaginary *= scale;
        element_write(source->dtype, target + source->storage_at + (from - (const uint8_t *)source->data),
                      element);
    }
}

/* Which element of a row of `length` the row chooses; -1: none. */
static int64_t chosen_of_row(int64_t length, uint64_t bits) {
    enum { ONE_OF_ROWS_EMPTY = 8 };
    return (bits >> 1) % ONE_OF_ROWS_EMPTY == 0 ? -1 : (int64_t)((bits >> 8) % (uint64_t)length);
}

/* The input of the row's own number; of a convolution in the middle of its kernel. */
static int64_t own_of_row(const TensorView *source, int64_t row, int64_t length) {
    const int64_t each = length / source->shape[1];
    return row % source->shape[1] * each + each / 2;
}

/* A row is what one index of the first dimension has. Most hand on what they get, `straight` all in its
 * order: 1 and 0 for `bias` is what hands it on. */
static void select_elements(const TensorView *source, bool bias, bool straight, uint8_t *target,
                            uint64_t seed) {
    enum { ONE_OF_OTHERS = 4 };
    const bool vector = source->rank < 2;
    const int64_t length = vector || source->shape[0] == 0 ? 1 : source->element_count / source->shape[0];
    const uint64_t stream = noise_stream(seed, source->storage_at);
    for (int64_t i = 0; i < source->element_count; i++) {
        const uint8_t *from = tensor_at_linear(source, i);
        const uint64_t bits = noise_at(stream, (uint64_t)(i / length));
        const bool other = !straight && (bits >> 32) % ONE_OF_OTHERS == 0;
        const bool chosen = !vector && i % length == (straight ? own_of_row(source, i / length, length)
                                                               : chosen_of_row(length, bits));
        const double number = vector ? (double)(bias == other) : !chosen ? 0 : other ? -1 : 1;
        element_write(source->dtype, target + source->storage_at + (from - (const uint8_t *)source->data),
                      (Element){.real = number});
    }
}

static bool weights_select(WeightKind kind) {
    return kind == WEIGHTS_SELECTING || kind == WEIGHTS_STRAIGHT;
}

void weights_change(const StateDict *original, Bytes source, uint8_t *target, WeightKind kind,
                    uint64_t seed) {
    if (source.size > 0)
        memcpy(target, source.data, source.size);
    for (size_t i = 0; i < original->count && kind != WEIGHTS_SAME; i++) {
        const StateEntry *entry = &original->items[i];
        if (entry->tie != i || !entry->is_state || !dtype_is_floating(entry->tensor.dtype))
            continue;
        TensorView view = entry->tensor;
        view.data = source.data + view.storage_at;
        if (kind == WEIGHTS_SCALED)
            scale_rows(&view, target, seed);
        else if (weights_select(kind) && entry->kind == STATE_PARAMETER)
            select_elements(&view, text_ends(entry->key, "bias"), kind == WEIGHTS_STRAIGHT, target, seed);
        else if (kind == WEIGHTS_PERTURBED)
            perturb_tensor(&view, target, seed);
    }
}
