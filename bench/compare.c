/* How fast tensor_compare is, against memcpy of the same bytes on one core. */
#include "tensor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES = 64 << 20, ROUNDS = 9 };

/* Of processor time, so that a busy machine disturbs less. */
static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double memcpy_speed(uint8_t *to, const uint8_t *from) {
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = seconds();
        memcpy(to, from, BYTES);
        best = fmax(best, BYTES / (seconds() - start));
    }
    return best;
}

static double compare_speed(const TensorView *a, const TensorView *b) {
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        Comparison comparison;
        double start = seconds();
        tensor_compare(a, b, dtype_info(a->dtype)->tolerance, 1, &comparison);
        best = fmax(best, BYTES / (seconds() - start));
    }
    return best;
}

/* Numbers like a network's outputs, and on the other side the same with a little noise. */
static void fill(Dtype dtype, uint8_t *a, uint8_t *b) {
    const size_t item = dtype_info(dtype)->size;
    uint32_t random = 1;
    for (size_t i = 0; i < BYTES / item; i++) {
        random = random * 1664525 + 1013904223;
        double value = (double)(random >> 8) / (1 << 23) - 1;
        Element element = {.real = value, .imaginary = -value, .integer = random, .natural = random};
        element_write(dtype, a + i * item, element);
        element.real += 1e-3 * value;
        element_write(dtype, b + i * item, element);
    }
}

static void measure(Arena *arena, Dtype dtype, uint8_t *a, uint8_t *b, uint8_t *spare) {
    Error error;
    TensorView x, y, z;
    const int64_t shape[] = {(int64_t)(BYTES / dtype_info(dtype)->size)}, stride[] = {1};
    fill(dtype, a, b);
    if (tensor_view_make(arena, a, BYTES, dtype, 1, shape, stride, 0, &x, &error) != STATUS_OK ||
        tensor_view_make(arena, b, BYTES, dtype, 1, shape, stride, 0, &y, &error) != STATUS_OK ||
        tensor_view_make(arena, spare, BYTES, dtype, 1, shape, stride, 0, &z, &error) != STATUS_OK) {
        fputs(error_line(arena, &error), stderr);
        exit(2);
    }
    double copy = memcpy_speed(spare, a), differing = compare_speed(&x, &y), equal = compare_speed(&x, &z);
    printf("%-18s %8.2f %10.2f (%3.0f %%) %10.2f (%3.0f %%)\n", dtype_info(dtype)->torch_name, copy / 1e9,
           differing / 1e9, 100 * differing / copy, equal / 1e9, 100 * equal / copy);
}

int main(void) {
    Arena *arena = arena_new();
    uint8_t *memory = aligned_alloc(4096, 3 * (size_t)BYTES);
    if (memory == NULL)
        return 2;
    memset(memory, 0, 3 * (size_t)BYTES);
    puts("One core, GB/s of one side's bytes: memcpy  compare, differing   compare, equal");
    const Dtype dtypes[] = {DTYPE_FLOAT32,       DTYPE_FLOAT64, DTYPE_BFLOAT16, DTYPE_FLOAT16,
                            DTYPE_FLOAT8_E4M3FN, DTYPE_INT64,   DTYPE_COMPLEX64};
    for (size_t i = 0; i < COUNT_OF(dtypes); i++)
        measure(arena, dtypes[i], memory, memory + BYTES, memory + 2 * (size_t)BYTES);
    free(memory);
    arena_free(arena);
    return 0;
}
