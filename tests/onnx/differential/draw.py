"""Random shapes, axes and data for one case.

What a case shall show goes by its index, so that every operator gets all of it within 20 cases: one
in seven has a zero-size dimension, one in seven a long one (whole vector registers and a rest), one
in seven special numbers. Everything else is drawn. The same seed, operator, opset and index always
give the same case.
"""
import zlib

import numpy as np
from onnx import defs, helper

from differential.case import Case

# What is drawn when an operator takes everything, the commonest first.
USUAL = ("float32", "int64", "float32", "float64", "int32", "int64", "float16", "uint8", "int8",
         "bool", "uint64", "int16", "uint16", "uint32")
FLOATS = ("float32", "float32", "float64", "float16")
SPECIAL = (np.inf, -np.inf, np.nan, 0.0, -0.0)


def schema_types(op, opset, index):
    """Names of NumPy dtypes that input `index` of an operator may have at this opset."""
    schema = defs.get_schema(op, opset, "")
    types = schema.inputs[min(index, len(schema.inputs) - 1)].types
    plain = {"float": "float32", "double": "float64"}
    names = (t[len("tensor("):-1] for t in types if t.startswith("tensor("))
    return {plain.get(name, name) for name in names}


class Draw:
    def __init__(self, op, opset, seed, index):
        self.op, self.opset, self.index = op, opset, index
        self.rng = np.random.default_rng([seed, zlib.crc32(op.encode()), opset, index])
        self.zero, self.long, self.special = (index % 7 == k for k in (3, 5, 6))

    def case(self, inputs, outputs=1, **more):
        """The case with this operator's node; see Case for `more`, attributes are `attrs`."""
        return Case(self.op, self.opset, inputs, outputs, rng=self.rng, **more)

    # ---- Choices ----

    def chance(self, probability=0.5):
        return bool(self.rng.random() < probability)

    def pick(self, *options):
        return options[int(self.rng.integers(len(options)))]

    def whole(self, low, high):
        """An int in [low, high]."""
        return int(self.rng.integers(low, high + 1))

    def real(self, low, high):
        return float(np.float32(self.rng.uniform(low, high)))

    def attrs(self, **options):
        """Of these attributes, some: a value of None, or a coin, leaves one out."""
        return {k: v for k, v in options.items() if v is not None and self.chance(0.7)}

    def dtype(self, among=USUAL, of=0):
        """A dtype that input `of` may have."""
        taken = schema_types(self.op, self.opset, of)
        return np.dtype(self.pick(*[name for name in among if name in taken]))

    # ---- Shapes ----

    def shape(self, rank=None, low=1, high=5, least=0, most=4, zero=True):
        """`zero`: may a dimension be zero? Give False, or the axes that may."""
        rank = self.whole(least, most) if rank is None else rank
        shape = [self.whole(low, high) for _ in range(rank)]
        if self.long and rank:
            shape[self.whole(0, rank - 1)] = self.whole(17, 70)
        axes = range(rank) if zero is True else zero or ()
        if self.zero and axes:
            shape[self.pick(*axes)] = 0
        return tuple(shape)

    def narrowed(self, shape):
        """A shape that broadcasts to this one."""
        start = self.whole(0, len(shape)) if self.chance(0.4) else 0
        return tuple(1 if self.chance(0.3) else n for n in shape[start:])

    def broadcast(self, count, **more):
        shape = self.shape(**more)
        return [self.narrowed(shape) for _ in range(count)]

    def axis(self, rank, negative=True):
        axis = self.whole(0, rank - 1)
        return axis - rank if negative and self.chance(0.4) else axis

    def axes(self, rank, negative=True, least=0):
        """Different axes, some counted from the end."""
        count = self.whole(min(least, rank), rank)
        axes = self.rng.permutation(rank)[:count].tolist()
        return [a - rank if negative and self.chance(0.4) else a for a in axes]

    # ---- Data ----

    def data(self, shape, dtype="float32", low=None, high=None, special=False):
        """Normally distributed floats, or uniform ones or whole numbers in [low, high]."""
        dtype = np.dtype(dtype)
        if dtype == bool:
            return self.rng.random(shape) < 0.5
        if dtype.kind not in "iu":
            return self._floats(shape, dtype, low, high, special)
        low = (0 if dtype.kind == "u" else -9) if low is None else int(np.ceil(low))
        return self.rng.integers(low, int(9 if high is None else high) + 1, shape).astype(dtype)

    def _floats(self, shape, dtype, low, high, special):
        if low is None:
            values = self.rng.standard_normal(shape) * 2
        else:
            values = self.rng.uniform(low, high, shape)
        if special and self.special:
            put = self.rng.random(shape) < 0.3
            values = np.where(put, self.rng.choice(SPECIAL, shape), values)
        return np.asarray(values).astype(dtype)

    def distinct(self, shape, dtype="float32"):
        """Values of which no two are equal, for what sorts or searches."""
        count = int(np.prod(shape))
        return (self.rng.permutation(count).reshape(shape) - count // 2).astype(dtype)

    def ints(self, values, dtype="int64"):
        return np.array(values, dtype)

    def indices(self, shape, size, negative=True, dtype=None):
        low = -size if negative and self.chance() else 0
        return self.rng.integers(low, max(size, 1), shape).astype(
            dtype or self.pick("int64", "int64", "int32"))


def tensor_type(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
