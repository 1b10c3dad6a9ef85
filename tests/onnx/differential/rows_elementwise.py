"""Rows of operators that work on each element: arithmetic, comparison, logic, activations."""
import ml_dtypes
import numpy as np
from onnx import helper

from differential.draw import FLOATS, tensor_type
from differential.table import row

WHOLE = ("int64", "int32", "uint8", "int8", "uint64", "int16", "uint16", "uint32")


@row("Abs", "Neg", "Sign", "Relu", "Ceil", "Floor", "Round", "Identity", "Sigmoid", "Tanh",
     "Softplus", "Softsign", "Sin", "Cos", "Atan", "Asinh", "HardSwish", "Mish", "IsNaN")
def unary(d):
    return d.case([d.data(d.shape(), d.dtype(), special=d.op not in ("Sin", "Cos", "Sign"))])


RANGES = {"Sqrt": (0, 50), "Log": (0.01, 50), "Reciprocal": (0.1, 4), "Exp": (-8, 8),
          "Tan": (-1.4, 1.4), "Acos": (-1, 1), "Asin": (-1, 1), "Acosh": (1, 30),
          "Atanh": (-0.98, 0.98), "Sinh": (-6, 6), "Cosh": (-6, 6)}


@row(*RANGES)
def unary_in_a_range(d):
    return d.case([d.data(d.shape(), d.dtype(), *RANGES[d.op])])


@row("Elu", "Celu", "LeakyRelu", "ThresholdedRelu", "Swish")
def activation_alpha(d):
    return d.case([d.data(d.shape(), d.dtype())], attrs=d.attrs(alpha=d.real(0.1, 2)))


@row("Selu", "HardSigmoid")
def activation_two(d):
    name = "gamma" if d.op == "Selu" else "beta"
    return d.case([d.data(d.shape(), d.dtype())],
                  attrs=d.attrs(alpha=d.real(0.1, 2), **{name: d.real(0.1, 2)}))


@row("Erf")
def erf(d):  # the types of integers are there, their rounding is undefined
    return d.case([d.data(d.shape(), d.dtype(FLOATS), special=True)])


@row("Shrink")
def shrink(d):
    return d.case([d.data(d.shape(), d.dtype(FLOATS))],
                  attrs=d.attrs(bias=d.real(-1, 1), lambd=d.real(0.1, 2)))


@row("Gelu")
def gelu(d):
    return d.case([d.data(d.shape(), d.dtype())], attrs=d.attrs(approximate=d.pick("none", "tanh")))


@row("IsInf")
def is_inf(d):
    d.special = True
    return d.case([d.data(d.shape(), d.dtype(FLOATS), special=True)],
                  attrs=d.attrs(detect_negative=d.pick(0, 1), detect_positive=d.pick(0, 1)))


@row("Not", "BitwiseNot")
def inverse(d):
    return d.case([d.data(d.shape(), d.dtype())])


@row("Add", "Sub", "Mul", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or", "Xor",
     "BitwiseAnd", "BitwiseOr", "BitwiseXor")
def binary(d):
    a, b = d.broadcast(2)
    dtype = d.dtype()
    low = 9 if dtype.kind == "u" else None
    return d.case([d.data(a, dtype, low, 2 * low if low else None), d.data(b, dtype)])


@row("Equal")
def equal(d):
    a, b = d.broadcast(2)
    if d.opset >= 19 and d.index % 7 == 4:
        words = np.array(["", "a", "ab", "é"], object)
        return d.case([d.rng.choice(words, a).astype(object),
                       d.rng.choice(words, b).astype(object)])
    dtype = d.dtype()
    return d.case([d.data(a, dtype, 0, 2).round(), d.data(b, dtype, 0, 2).round()]
                  if dtype != bool else [d.data(a, dtype), d.data(b, dtype)])


def not_zero(values):
    return np.where(values == 0, 1, values).astype(values.dtype)


@row("Div")
def divide(d):
    a, b = d.broadcast(2)
    dtype = d.dtype()
    return d.case([d.data(a, dtype, *(() if dtype.kind == "f" else (None, 99))),
                   not_zero(d.data(b, dtype))])


@row("Mod")
def modulo(d):
    a, b = d.broadcast(2)
    dtype = d.dtype()
    fmod = 1 if dtype.kind == "f" else d.pick(0, 1)
    divisor = d.data(b, dtype, 0.5, 4) if dtype.kind == "f" else not_zero(d.data(b, dtype))
    return d.case([d.data(a, dtype), divisor], attrs={"fmod": fmod} if fmod else {})


@row("Pow")
def power(d):
    a, b = d.broadcast(2)
    base = d.dtype(("float32", "float32", "int64", "int32", "float64"))
    to = d.dtype(("float32", "int64", "int32", "float64"), of=1) if d.opset >= 12 else base
    low, high = (0, 3) if base.kind == "i" or to.kind == "i" else (-2, 3)
    return d.case([d.data(a, base, 0.2, 5), d.data(b, to, low, high)])


@row("BitShift")
def shift(d):
    a, b = d.broadcast(2)
    dtype = d.dtype(("uint64", "uint32", "uint8", "uint16"))
    return d.case([d.data(a, dtype, 0, 200), d.data(b, dtype, 0, 7)],
                  attrs={"direction": d.pick("LEFT", "RIGHT")})


@row("PRelu")
def prelu(d):
    x = d.shape()
    dtype = d.dtype(("float32", "float64", "int64", "int32"))
    return d.case([d.data(x, dtype), d.data(d.narrowed(x), dtype)])


@row("Sum", "Mean", "Max", "Min")
def variadic(d):
    count = d.whole(1, 4)
    shapes = d.broadcast(count) if d.opset >= 8 else [d.shape()] * count
    dtype = d.dtype()
    return d.case([d.data(s, dtype) for s in shapes])


@row("Where")
def where(d):
    c, a, b = d.broadcast(3)
    dtype = d.dtype(of=1)
    return d.case([d.data(c, bool), d.data(a, dtype), d.data(b, dtype)])


@row("Clip")
def clip(d):
    dtype = d.dtype()
    x = d.data(d.shape(), dtype)
    low, high = (0, 3) if dtype.kind == "u" else (-1, 2)
    if d.opset < 11:
        return d.case([x], attrs=d.attrs(min=float(low), max=float(high)))
    limits = [np.array(limit, dtype) if d.chance(0.7) else None for limit in (low, high)]
    return d.case([x] + limits)


@row("Dropout")
def dropout(d):
    # Inference only: what training draws is tested by its statistics.
    x = d.data(d.shape(), d.dtype(FLOATS))
    if d.opset < 12:
        return d.case([x], attrs=d.attrs(ratio=0.3))  # what is in a mask was undefined
    ratio = d.pick(None, np.array(0.3, np.float32))
    return d.case([x, ratio, d.pick(None, np.array(False))], d.pick(1, 2))


CAST = ("float32", "int64", "float64", "int32", "uint8", "int8", "bool", "float16", "int16",
        "uint32", "uint64", "uint16")


NARROW = {19: ("bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"),
          21: ("int4", "uint4"), 23: ("float4_e2m1fn",), 25: ("int2", "uint2")}


def narrow_cast(d):
    """To or from types that NumPy lacks, by the evaluator; ONNX Runtime cannot be fed with them."""
    named = [name for since, names in NARROW.items() if d.opset >= since for name in names]
    narrow = np.dtype(getattr(ml_dtypes, d.pick(*named)))
    source, target = d.pick((np.dtype("float32"), narrow), (narrow, np.dtype("float32")))
    whole = "int" in narrow.name
    x = d.data(d.shape(), "float32", *((0, 1) if whole else (-600, 600) if d.chance() else (-4, 4)))
    x = x.round() if whole else x
    attrs = {"to": tensor_type(target)}
    # An infinite or too large number becomes the largest one, or NaN, when saturate is 0.
    if "float8" in target.name:
        attrs |= d.attrs(saturate=d.pick(0, 1))
    return d.case([x.astype(source)], attrs=attrs, oracle="reference", constant=())


@row("Cast")
def cast(d):
    if d.opset >= 19 and d.index % 3 == 1:
        return narrow_cast(d)
    source, target = np.dtype(d.pick(*CAST)), np.dtype(d.pick(*CAST))
    # Negative floats to unsigned integers, and numbers that are too large, are undefined.
    low, high = (0, 100) if target.kind == "u" or source.kind == "u" else (-100, 100)
    return d.case([d.data(d.shape(), source, low, high)], attrs={"to": tensor_type(target)})


@row("CastLike")
def cast_like(d):
    source, target = np.dtype(d.pick(*CAST)), np.dtype(d.pick(*CAST))
    low, high = (0, 100) if target.kind == "u" or source.kind == "u" else (-100, 100)
    return d.case([d.data(d.shape(), source, low, high), d.data(d.shape(), target)])


@row("BitCast")
def bit_cast(d):
    same = {"float32": ("int32", "uint32"), "int64": ("float64", "uint64"), "uint8": ("int8",),
            "float16": ("int16", "uint16")}
    source = d.pick(*same)
    return d.case([d.data(d.shape(), source)],
                  attrs={"to": tensor_type(d.pick(*same[source]))})


@row("SwiGLU")
def swiglu(d):
    shape, dtype = d.shape(), d.dtype(FLOATS)
    return d.case([d.data(shape, dtype), d.data(shape, dtype)], attrs=d.attrs(alpha=d.real(0.5, 2)))


# ---- Making values ----

@row("Constant")
def constant(d):
    shape, dtype = d.shape(), np.dtype(d.pick("float32", "int64", "float64", "int32", "bool"))
    value = d.data(shape, dtype)
    forms = {"value": helper.make_tensor("v", tensor_type(dtype), shape, value.ravel())}
    if d.opset >= 12:
        forms |= {"value_float": d.real(-9, 9), "value_int": d.whole(-9, 9), "value_string": "abc",
                  "value_floats": [1.5, -2.0], "value_ints": [3, -4, 5],
                  "value_strings": ["", "b"]}
    name = d.pick("value", "value", *forms)
    return d.case([], attrs={name: forms[name]})


@row("ConstantOfShape")
def constant_of_shape(d):
    shape = d.shape()
    dtype = np.dtype(d.pick("float32", "int64", "float64", "int32", "bool", "uint8", "float16"))
    value = helper.make_tensor("v", tensor_type(dtype), [1], d.data([1], dtype))
    return d.case([np.array(shape, np.int64)], attrs=d.attrs(value=value))


@row("EyeLike")
def eye(d):
    like = d.data(d.shape(rank=2), d.dtype(("float32", "int64", "int32", "float64")))
    to = tensor_type(d.pick("float32", "int64", "float64", "int32"))
    return d.case([like], attrs=d.attrs(k=d.whole(-4, 4), dtype=to))


@row("Range")
def number_range(d):
    dtype = d.dtype(("float32", "int64", "int32", "float64", "int16"))
    start, step = d.whole(-9, 9), d.pick(-3, -2, -1, 1, 2, 3)
    limit = start if d.zero else start + step * d.whole(-2, 9) + d.whole(-1, 1)
    values = (start, limit, step)
    if dtype.kind == "f" and d.chance():
        values = (start / 4, limit / 4, step / 4)  # exact in binary
    return d.case([np.array(v, dtype) for v in values])
