"""Rows of quantised operators. Their scales are powers of two: the results are exact then, and do
not turn on how a product of scales is rounded."""
import ml_dtypes
import numpy as np

from differential.draw import tensor_type
from differential.rows_product import matrices
from differential.rows_window import Window, batch_size
from differential.table import row

BYTES = ("uint8", "int8")


def power_of_two(d, shape=(), low=-5, high=-1):
    return np.asarray(2.0 ** d.rng.integers(low, high + 1, shape)).astype(np.float32)


def scale_shape(d, x, attrs):
    """Of a scale: one, one for each index of an axis, or one for each block of it."""
    ways = ["tensor"] + (["axis"] if d.opset >= 13 and x else []) + \
        (["block"] if d.opset >= 21 and len(x) > 1 and 0 not in x else [])
    way = d.pick(*ways)
    if way == "tensor":
        return ()
    axis = d.axis(len(x))
    attrs["axis"] = axis
    if way == "axis":
        return (x[axis],)
    block = d.whole(1, x[axis])
    attrs["block_size"] = block
    return tuple(-(-n // block) if a == axis % len(x) else n for a, n in enumerate(x))


# opset: dtypes that NumPy lacks. The evaluator answers, ONNX Runtime cannot be fed with them.
NARROW = {19: ("float8_e4m3fn", "float8_e5m2"), 21: ("int4", "uint4"), 23: ("float4_e2m1fn",),
          25: ("int2", "uint2")}


def narrow_kind(d):
    named = [name for since, names in NARROW.items() if d.opset >= since for name in names]
    return np.dtype(getattr(ml_dtypes, d.pick(*named)))


def zeros_of(d, kind, shape):
    """Zero points: of floats they are zero."""
    return d.data(shape, "float32", 0, 1 if "int" in kind.name else 0).round().astype(kind)


def narrow_quantize(d, x, attrs):
    kind, scale = narrow_kind(d), power_of_two(d, scale_shape(d, x, attrs), -2, 1)
    if "float8" in kind.name:
        attrs |= d.attrs(saturate=d.pick(0, 1))
    return d.case([d.data(x, "float32", -8, 8), scale, zeros_of(d, kind, scale.shape)],
                  attrs=attrs, oracle="reference", constant=())


def narrow_dequantize(d, x, attrs):
    kind, scale = narrow_kind(d), power_of_two(d, scale_shape(d, x, attrs))
    data = d.data(x, "float32", *((0, 1) if "int" in kind.name else (-6, 6))).round().astype(kind)
    zero = zeros_of(d, kind, scale.shape) if d.chance() else None
    return d.case([data, scale, zero], attrs=attrs, oracle="reference", constant=())


@row("QuantizeLinear", runtime_opset=25)
def quantize(d):
    x, attrs = d.shape(), {}
    if d.opset >= 19 and d.index % 3 == 1:
        return narrow_quantize(d, x, attrs)
    scale = power_of_two(d, scale_shape(d, x, attrs))
    to = d.pick("uint8", "int8", "uint8") if d.opset < 21 else d.pick(*BYTES, "uint16", "int16")
    zero = d.data(scale.shape, to) if to != "uint8" or d.chance() else None
    if zero is None and d.opset >= 21 and d.chance():
        zero, attrs["output_dtype"] = None, tensor_type(d.pick(*BYTES))
    data = d.data(x, "float32", -8, 8)
    # Numbers in the middle go to the even one.
    return d.case([np.where(d.rng.random(x) < 0.2, np.round(data), data).astype(np.float32),
                   scale, zero], attrs=attrs)


@row("DequantizeLinear", runtime_opset=25)
def dequantize(d):
    x, attrs = d.shape(), {}
    if d.opset >= 19 and d.index % 3 == 1:
        return narrow_dequantize(d, x, attrs)
    scale = power_of_two(d, scale_shape(d, x, attrs))
    kind = d.pick(*BYTES, "int32") if d.opset < 21 else d.pick(*BYTES, "int16", "uint16", "int32")
    zero = d.data(scale.shape, kind) if kind != "int32" and d.chance() else None
    return d.case([d.data(x, kind, 0 if kind[0] == "u" else -99, 99), scale, zero], attrs=attrs)


@row("DynamicQuantizeLinear")
def dynamic_quantize(d):
    return d.case([d.data(d.shape(zero=False))], 3)


@row("QLinearMatMul")
def qlinear_matmul(d):
    d.zero = False  # ONNX Runtime and the evaluator refuse it
    a, b = matrices(d)
    ta, tb = d.pick("uint8", "int8"), "int8"
    ta = d.pick("uint8", "int8")
    ty = ta
    columns = (b[-1],) if len(b) == 2 and d.chance(0.3) else ()
    return d.case([d.data(a, ta), power_of_two(d), d.data((), ta), d.data(b, tb),
                   power_of_two(d, columns), d.data(columns, tb), power_of_two(d, (), -4, 0),
                   d.data((), ty)])


@row("QLinearConv", ranked=True)
def qlinear_conv(d):
    w = Window(d, d.pick(1, 2, 2, 3))
    group, per, out = d.whole(1, 2), d.whole(1, 3), d.whole(1, 3)
    channels = (group * out,) if d.chance(0.4) else ()
    bias = d.data((group * out,), "int32", -99, 99) if d.chance() else None
    tx, tw = "uint8", d.pick("uint8", "int8")
    zero = np.full(channels, 0 if channels else d.whole(0, 5), tw)
    attrs = w.attrs(d, kernel=d.chance()) | ({"group": group} if group > 1 else {})
    return d.case([d.data((batch_size(d), group * per, *w.size), tx, 0, 200), power_of_two(d),
                   d.data((), tx), d.data((group * out, per, *w.kernel), tw),
                   power_of_two(d, channels), zero, power_of_two(d, (), -4, 0), d.data((), tx),
                   bias], attrs=attrs)
