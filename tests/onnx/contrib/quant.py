"""What draws of quantised operators share: numbers on grids, scales, zero points.

No zero-size dimensions are drawn where ONNX Runtime divides by them and ends the process."""
import numpy as np

BYTES = ("uint8", "int8")


def codes(d, shape, dtype):
    """Whole numbers over all of an integer type."""
    info = np.iinfo(dtype)
    return d.rng.integers(info.min, info.max + 1, shape).astype(dtype)


def real(d, low, high, shape=()):
    return np.asarray(d.rng.uniform(low, high, shape).astype(np.float32))


def grid(d, dtype, low=0.005, high=0.1):
    """A scale and a zero point."""
    return [real(d, low, high), codes(d, (), dtype)]


def maybe_grid(d, dtype):
    """The same; the zero point may be left out."""
    scale, zero = grid(d, dtype)
    return [scale, zero if d.chance(0.7) else None]


def mixed(d):
    """Types of both sides of a product that ONNX Runtime has a kernel for."""
    return d.pick(("uint8", "uint8"), ("uint8", "int8"), ("int8", "int8"))


def scales(d, shape, dtype="float32", low=0.01, high=0.1):
    return d.rng.uniform(low, high, shape).astype(dtype)


def pieces(n, size):
    return -(-n // size)


def spread(values, size, count):
    """One value for each of `size` neighbours along the last axis."""
    return np.repeat(values.astype(np.float64), size, -1)[..., :count]


def nibbles_of(packed):
    """Floats of 4 bits, two in a byte."""
    codes_of = np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:-1], -1)
    magnitudes = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    return magnitudes[codes_of & 7] * np.where(codes_of & 8, -1, 1)
