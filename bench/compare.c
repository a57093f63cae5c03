/* How fast tensor_compare is, against memcpy.
 *
 * Speed is in bytes read and written: copying n bytes touches 2n, and so does comparing n bytes with n
 * others. Percentages are of memcpy's speed for the same n. */
#include "tensor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES = 64 << 20, TOUCHED = 2 * BYTES, ROUNDS = 15 };

typedef enum Case { CASE_DIFFERING, CASE_NOISY, CASE_FEW, CASE_MASKED, CASE_EQUAL, CASE_COUNT } Case;

static const char *const CASES[CASE_COUNT] = {
    "all differ", /* every element by a thousandth */
    "noisy",      /* every element by up to a thousandth of the largest: signs and zeros differ too */
    "few differ", /* one in a thousand */
    "half -inf",  /* every element, half of them -inf on both sides */
    "equal",
};

/* One core's are of processor time, so that a busy machine disturbs less. */
static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double memcpy_speed(uint8_t *to, const uint8_t *from) {
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    memcpy(to, from, BYTES);
    return TOUCHED / (seconds(CLOCK_PROCESS_CPUTIME_ID) - start);
}

static double compare_speed(const TensorView *a, const TensorView *b, unsigned threads) {
    const clockid_t clock = threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    Comparison comparison;
    double start = seconds(clock);
    tensor_compare(a, b, dtype_info(a->dtype)->tolerance, threads, &comparison);
    return TOUCHED / (seconds(clock) - start);
}

/* Numbers like a network's outputs, and on the other side the same with what the case is about. */
static void fill(Dtype dtype, Case kind, uint8_t *a, uint8_t *b) {
    const size_t item = dtype_info(dtype)->size;
    uint32_t random = 1;
    for (size_t i = 0; i < BYTES / item; i++) {
        random = random * 1664525 + 1013904223;
        double value = (double)(random >> 8) / (1 << 23) - 1;
        if (kind == CASE_MASKED && random >> 31 != 0)
            value = -INFINITY;
        Element element = {.real = value, .imaginary = -value, .integer = random, .natural = random};
        element_write(dtype, a + i * item, element);
        random = random * 1664525 + 1013904223;
        if (kind != CASE_EQUAL && (kind != CASE_FEW || i % 1000 == 0)) {
            element.real += 1e-3 * (kind == CASE_NOISY ? (double)(random >> 8) / (1 << 23) - 1 : value);
            element.integer ^= 1;
            element.natural ^= 1;
        }
        element_write(dtype, b + i * item, element);
    }
}

static TensorView view_of(Arena *arena, Dtype dtype, const uint8_t *bytes) {
    Error error;
    TensorView view;
    const int64_t shape[] = {(int64_t)(BYTES / dtype_info(dtype)->size)}, stride[] = {1};
    if (tensor_view_make(arena, bytes, BYTES, dtype, 1, shape, stride, 0, &view, &error) != STATUS_OK) {
        fputs(error_line(arena, &error), stderr);
        exit(2);
    }
    return view;
}

static void measure(Arena *arena, Dtype dtype, Case kind, uint8_t *a, uint8_t *b, uint8_t *spare) {
    const TensorView x = view_of(arena, dtype, a), y = view_of(arena, dtype, b);
    double copy = 0, one = 0, two = 0;
    fill(dtype, kind, a, b);
    for (int round = 0; round < ROUNDS; round++) { /* in turn, so that a busy machine disturbs them alike */
        copy = fmax(copy, memcpy_speed(spare, a));
        one = fmax(one, compare_speed(&x, &y, 1));
        two = fmax(two, compare_speed(&x, &y, 2));
    }
    printf("%-20s %-11s %7.2f %8.2f %4.0f %% %12.2f\n", dtype_info(dtype)->torch_name, CASES[kind],
           copy / 1e9, one / 1e9, 100 * one / copy, two / 1e9);
}

/* Usage: bench_compare [DTYPE]..., as in torch.float32 */
int main(int count, char **names) {
    static const char *const USUAL[] = {"torch.float32", "torch.float64",       "torch.bfloat16",
                                        "torch.float16", "torch.float8_e4m3fn", "torch.int64",
                                        "torch.bool",    "torch.complex64"};
    Arena *arena = arena_new();
    uint8_t *memory = aligned_alloc(4096, 3 * (size_t)BYTES);
    if (memory == NULL)
        return 2;
    memset(memory, 0, 3 * (size_t)BYTES);
    puts("GB/s read and written             memcpy  compare   of it  two threads");
    for (int i = 0; i < (count > 1 ? count - 1 : (int)COUNT_OF(USUAL)); i++) {
        Dtype dtype;
        if (!dtype_find(count > 1 ? names[i + 1] : USUAL[i], &dtype))
            return 2;
        for (Case kind = 0; kind < CASE_COUNT; kind++) {
            if (kind != CASE_MASKED || dtype_is_floating(dtype))
                measure(arena, dtype, kind, memory, memory + BYTES, memory + 2 * (size_t)BYTES);
        }
    }
    free(memory);
    arena_free(arena);
    return 0;
}
