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
