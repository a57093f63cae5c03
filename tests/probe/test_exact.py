"""What the graph takes for the same to the last bit is so in this torch: every value of the short types, random ones of the others."""

import sys

import torch

from trace_support import run_all

FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
LARGEST_HALVING = 10  # as in src/graph/normal.c


def values(dtype):
    """Bit patterns: subnormal, infinite and NaN among them."""
    if dtype in (torch.float16, torch.bfloat16):
        return torch.arange(-(1 << 15), 1 << 15).to(torch.int16).view(dtype)
    if dtype == torch.float32:
        return torch.randint(-(1 << 31), (1 << 31) - 1, (1 << 16,)).to(torch.int32).view(dtype)
    return torch.randint(-(1 << 62), (1 << 62) - 1, (1 << 16,)).view(dtype)


def same_bits(a, b):
    nan = a.isnan() & b.isnan()
    return bool((nan | (a == b) & (torch.signbit(a) == torch.signbit(b))).all())


def test_dividing_by_a_power_of_two_is_multiplying_by_its_reciprocal():
    for dtype in FLOATING + (torch.int64, torch.uint8):
        x = values(dtype) if dtype.is_floating_point else torch.randint(0, 256, (4096,)).to(dtype)
        for exponent in range(-LARGEST_HALVING, LARGEST_HALVING + 1):
            for divisor in (2.0 ** exponent, -(2.0 ** exponent)):
                for part in (x, x[1:], x[::2]):  # whole vectors, their rest, strides
                    assert same_bits(part / divisor, part * (1 / divisor)), (dtype, divisor)


def test_times_one_is_nothing():
    for dtype in FLOATING:
        x = values(dtype)
        for part in (x, x[1:], x[::2]):
            assert same_bits(part * 1.0, part) and same_bits(part / 1, part), dtype


if __name__ == "__main__":
    sys.exit(run_all(globals()))
