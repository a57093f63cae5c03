/* Perturbed weights: every floating parameter and state buffer becomes distinguishable (soundness 13). */
#include "inside.h"

#include <math.h>
#include <string.h>

typedef struct Measure { /* what a tensor's numbers are like */
    bool is_vector;      /* one dimension holds all of it: biases, norms, layer scales, class tokens */
    bool nonnegative;    /* none below 0, and some above: variances, scales */
    double rms;          /* of the finite ones */
    double fan_in;       /* elements that meet in one output, as torch.nn.init counts them */
} Measure;

static Measure measure(const TensorView *view) {
    Measure measured = {.nonnegative = true, .fan_in = 1};
    double squares = 0;
    int64_t finite = 0, longest = 1;
    bool positive = false;
    for (size_t i = 0; i < view->rank; i++)
        longest = view->shape[i] > longest ? view->shape[i] : longest;
    for (size_t i = 1; i < view->rank; i++)
        measured.fan_in *= (double)view->shape[i];
    measured.is_vector = longest == view->element_count;
    for (int64_t i = 0; i < view->element_count; i++) {
        Element element = element_read(view->dtype, tensor_at_linear(view, i));
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
        const double usual = 1 / sqrt(like->fan_in);
        scale = like->rms > 0.01 * usual ? like->rms : 2 * usual;
        moved = value + 0.5 * scale * both;
    }
    const double floor = (0.05 + 0.05 * unit) * scale;
    return like->nonnegative && moved < floor ? floor : moved;
}

/* Numbers each element by its place in its storage, so that what shares memory gets the same noise. */
static void perturb_tensor(const TensorView *source, uint8_t *target, uint64_t seed) {
    const Measure like = measure(source);
    const size_t item = dtype_info(source->dtype)->size;
    for (int64_t i = 0; i < source->element_count; i++) {
        const uint8_t *from = tensor_at_linear(source, i);
        const size_t place = (size_t)(from - (const uint8_t *)source->data);
        const uint64_t position = place / item;
        Element element = element_read(source->dtype, from);
        element.real = perturbed(element.real, noise_bits(seed, source->storage_at, 2 * position), &like);
        if (dtype_info(source->dtype)->kind == KIND_COMPLEX)
            element.imaginary =
                perturbed(element.imaginary, noise_bits(seed, source->storage_at, 2 * position + 1), &like);
        element_write(source->dtype, target + source->storage_at + place, element);
    }
}

void weights_perturb(const StateDict *original, Bytes source, uint8_t *target, uint64_t seed) {
    if (source.size > 0)
        memcpy(target, source.data, source.size);
    for (size_t i = 0; i < original->count; i++) {
        const StateEntry *entry = &original->items[i];
        if (entry->tie != i || !entry->is_state || !dtype_is_floating(entry->tensor.dtype))
            continue;
        TensorView view = entry->tensor;
        view.data = source.data + view.storage_at;
        perturb_tensor(&view, target, seed);
    }
}
