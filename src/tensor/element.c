/* Single elements of every dtype: reading, writing with rounding, and text. */
#include "tensor.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The layouts of small floats. IEEE 754 ones spend their highest exponent on Inf and NaN; FN ("finite") ones
 * only their highest value, on NaN; FNUZ ("unsigned zero") ones have NaN where -0 would be (OCP 8-bit
 * floating point specification, and its variant by Graphcore, AMD and Qualcomm). */
typedef enum Special { SPECIAL_IEEE, SPECIAL_FN, SPECIAL_FNUZ } Special;

typedef struct SmallFloat {
    int exponent_bits, mantissa_bits, bias;
    Special special;
} SmallFloat;

static SmallFloat small_float(Dtype dtype) {
    switch (dtype) {
    case DTYPE_BFLOAT16: return (SmallFloat){8, 7, 127, SPECIAL_IEEE};
    case DTYPE_FLOAT8_E4M3FN: return (SmallFloat){4, 3, 7, SPECIAL_FN};
    case DTYPE_FLOAT8_E5M2: return (SmallFloat){5, 2, 15, SPECIAL_IEEE};
    case DTYPE_FLOAT8_E4M3FNUZ: return (SmallFloat){4, 3, 8, SPECIAL_FNUZ};
    case DTYPE_FLOAT8_E5M2FNUZ: return (SmallFloat){5, 2, 16, SPECIAL_FNUZ};
    default: return (SmallFloat){5, 10, 15, SPECIAL_IEEE}; /* float16 */
    }
}

static uint32_t small_sign(SmallFloat format) {
    return 1U << (format.exponent_bits + format.mantissa_bits);
}

static uint32_t small_infinity(SmallFloat format) {
    return ((1U << format.exponent_bits) - 1) << format.mantissa_bits;
}

/* The bits of the largest finite value: the one before Inf, before NaN, or the highest of all. */
static uint32_t small_largest(SmallFloat format) {
    switch (format.special) {
    case SPECIAL_IEEE: return small_infinity(format) - 1;
    case SPECIAL_FN: return small_sign(format) - 2;
    default: return small_sign(format) - 1;
    }
}

static double small_read(SmallFloat format, uint32_t bits) {
    uint32_t sign = bits & small_sign(format), magnitude = bits & (small_sign(format) - 1);
    if (format.special == SPECIAL_FNUZ && bits == small_sign(format))
        return NAN;
    if (magnitude > small_largest(format)) {
        bool infinite = format.special == SPECIAL_IEEE && magnitude == small_infinity(format);
        return !infinite ? NAN : sign ? -INFINITY : INFINITY;
    }
    int exponent = (int)(magnitude >> format.mantissa_bits);
    double mantissa = magnitude & ((1U << format.mantissa_bits) - 1);
    if (exponent > 0)
        mantissa += 1U << format.mantissa_bits;
    else
        exponent = 1;
    double value = ldexp(mantissa, exponent - format.bias - format.mantissa_bits);
    return sign ? -value : value;
}

static uint32_t small_write(SmallFloat format, double value) {
    if (isnan(value)) {
        if (format.special == SPECIAL_IEEE)
            return small_infinity(format) | (1U << (format.mantissa_bits - 1));
        return format.special == SPECIAL_FN ? small_sign(format) - 1 : small_sign(format);
    }
    uint32_t sign = signbit(value) ? small_sign(format) : 0, magnitude = 0;
    if (isinf(value)) {
        magnitude = format.special == SPECIAL_IEEE ? small_infinity(format) : small_largest(format);
    } else if (value != 0) {
        int exponent;
        frexp(value, &exponent);
        exponent -= 1; /* so that 1 <= |value| / 2^exponent < 2 */
        if (exponent < 1 - format.bias)
            exponent = 1 - format.bias;
        double steps = rint(ldexp(fabs(value), format.mantissa_bits - exponent));
        int64_t bits = ((int64_t)(exponent + format.bias - 1) << format.mantissa_bits) + (int64_t)steps;
        magnitude = bits > small_largest(format) ? small_largest(format) : (uint32_t)bits;
    }
    return format.special == SPECIAL_FNUZ && magnitude == 0 ? 0 : sign | magnitude;
}

/* A power of two, 2^(bits - 127); 255 is NaN. */
static double power_read(uint8_t bits) {
    return bits == 255 ? NAN : ldexp(1, bits - 127);
}

static uint8_t power_write(double value) {
    if (isnan(value))
        return 255;
    if (!(value > 0))
        return 0;
    double exponent = rint(log2(value));
    return exponent < -127 ? 0 : exponent > 127 ? 254 : (uint8_t)(exponent + 127);
}

#define LOAD(type, at) (*(type *)memcpy(&(type){0}, (at), sizeof(type)))

static double float_read(Dtype dtype, const void *at) {
    switch (dtype) {
    case DTYPE_FLOAT64: return LOAD(double, at);
    case DTYPE_FLOAT32: return LOAD(float, at);
    case DTYPE_FLOAT16:
    case DTYPE_BFLOAT16: return small_read(small_float(dtype), LOAD(uint16_t, at));
    case DTYPE_FLOAT8_E8M0FNU: return power_read(LOAD(uint8_t, at));
    default: return small_read(small_float(dtype), LOAD(uint8_t, at));
    }
}

static void float_write(Dtype dtype, void *at, double value) {
    switch (dtype) {
    case DTYPE_FLOAT64: memcpy(at, &value, 8); return;
    case DTYPE_FLOAT32: {
        float single = (float)value;
        if (isinf(single) && isfinite(value))
            single = copysignf(FLT_MAX, single);
        memcpy(at, &single, 4);
        return;
    }
    case DTYPE_FLOAT16:
    case DTYPE_BFLOAT16: {
        uint16_t bits = (uint16_t)small_write(small_float(dtype), value);
        memcpy(at, &bits, 2);
        return;
    }
    default: {
        uint8_t bits = dtype == DTYPE_FLOAT8_E8M0FNU ? power_write(value)
                                                     : (uint8_t)small_write(small_float(dtype), value);
        memcpy(at, &bits, 1);
        return;
    }
    }
}

/* The dtype of the real and of the imaginary part; of a real dtype itself. */
static Dtype part_dtype(Dtype dtype) {
    switch (dtype) {
    case DTYPE_COMPLEX128: return DTYPE_FLOAT64;
    case DTYPE_COMPLEX64: return DTYPE_FLOAT32;
    case DTYPE_COMPLEX32: return DTYPE_FLOAT16;
    default: return dtype;
    }
}

static int64_t integer_read(Dtype dtype, const void *at) {
    switch (dtype) {
    case DTYPE_INT64: return LOAD(int64_t, at);
    case DTYPE_INT32: return LOAD(int32_t, at);
    case DTYPE_INT16: return LOAD(int16_t, at);
    case DTYPE_INT8: return LOAD(int8_t, at);
    default: return LOAD(uint8_t, at) != 0; /* bool */
    }
}

static uint64_t natural_read(Dtype dtype, const void *at) {
    switch (dtype) {
    case DTYPE_UINT64: return LOAD(uint64_t, at);
    case DTYPE_UINT32: return LOAD(uint32_t, at);
    case DTYPE_UINT16: return LOAD(uint16_t, at);
    default: return LOAD(uint8_t, at);
    }
}

Element element_read(Dtype dtype, const void *at) {
    const DtypeInfo *info = dtype_info(dtype);
    Element element = {0};
    switch (info->kind) {
    case KIND_FLOAT: element.real = float_read(dtype, at); break;
    case KIND_COMPLEX:
        element.real = float_read(part_dtype(dtype), at);
        element.imaginary = float_read(part_dtype(dtype), (const uint8_t *)at + info->size / 2);
        break;
    case KIND_INT:
    case KIND_BOOL:
        element.integer = integer_read(dtype, at);
        element.real = (double)element.integer;
        break;
    case KIND_UINT:
        element.natural = natural_read(dtype, at);
        element.real = (double)element.natural;
        break;
    }
    return element;
}

void element_write(Dtype dtype, void *at, Element element) {
    const DtypeInfo *info = dtype_info(dtype);
    switch (info->kind) {
    case KIND_FLOAT: float_write(dtype, at, element.real); return;
    case KIND_COMPLEX:
        float_write(part_dtype(dtype), at, element.real);
        float_write(part_dtype(dtype), (uint8_t *)at + info->size / 2, element.imaginary);
        return;
    case KIND_BOOL: memcpy(at, &(uint8_t){element.integer != 0}, 1); return;
    case KIND_INT: memcpy(at, &element.integer, info->size); return; /* little-endian, as torch's hosts are */
    case KIND_UINT: memcpy(at, &element.natural, info->size); return;
    }
}

double dtype_largest(Dtype dtype) {
    switch (part_dtype(dtype)) {
    case DTYPE_FLOAT64: return DBL_MAX;
    case DTYPE_FLOAT32: return FLT_MAX;
    case DTYPE_FLOAT8_E8M0FNU: return 0x1p127;
    default: {
        SmallFloat format = small_float(part_dtype(dtype));
        return small_read(format, small_largest(format));
    }
    }
}

static void float_text(Dtype dtype, double value, bool sign, char text[32]) {
    if (!isfinite(value)) {
        snprintf(text, 32, "%s%s",
                 signbit(value) && !isnan(value) ? "-"
                 : sign                          ? "+"
                                                 : "",
                 isnan(value) ? "nan" : "inf");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, 32, sign ? "%+.*g" : "%.*g", digits, value);
        uint64_t bits = 0;
        float_write(dtype, &bits, strtod(text, NULL));
        if (float_read(dtype, &bits) == value)
            return;
    }
}

const char *element_as_text(Arena *arena, Dtype dtype, Element element) {
    char real[32], imaginary[32];
    switch (dtype_info(dtype)->kind) {
    case KIND_BOOL: return element.integer ? "True" : "False";
    case KIND_INT: return arena_printf(arena, "%" PRId64, element.integer);
    case KIND_UINT: return arena_printf(arena, "%" PRIu64, element.natural);
    case KIND_FLOAT: float_text(dtype, element.real, false, real); return arena_strdup(arena, real);
    case KIND_COMPLEX:
        float_text(part_dtype(dtype), element.real, false, real);
        float_text(part_dtype(dtype), element.imaginary, true, imaginary);
        return arena_printf(arena, "%s%sj", real, imaginary);
    }
    return "";
}
