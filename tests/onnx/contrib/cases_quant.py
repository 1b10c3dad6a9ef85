"""Operators on numbers on grids that are other operators between Dequantize and Quantize."""
import numpy as np

from contrib.quant import BYTES, codes, grid, maybe_grid, real
from contrib.table import row


@row("QuantizeLinear")
def quantize(d):
    x = d.shape(least=1)
    by_axis = d.chance()
    axis = d.axis(len(x))
    shape = (x[axis],) if by_axis else ()
    dtype = d.pick("uint8", "int8", "uint16", "int16")
    inputs = [d.data(x) * 20, real(d, 0.05, 1, shape), codes(d, shape, dtype)]
    return d.case(inputs, attrs={"axis": axis} if by_axis else {})


@row("DequantizeLinear")
def dequantize(d):
    x = d.shape(least=1)
    by_axis = d.chance()
    axis = d.axis(len(x))
    shape = (x[axis],) if by_axis else ()
    dtype = d.pick("uint8", "int8", "uint16", "int16", "int32")
    zero = None if dtype == "int32" else codes(d, shape, dtype)
    inputs = [codes(d, x, dtype), real(d, 0.05, 1, shape), zero]
    return d.case(inputs, attrs={"axis": axis} if by_axis else {})


# ---- One input -----------------------------------------------------------------------------------

@row("QLinearSigmoid")
def sigmoid(d):
    dtype = d.pick(*BYTES)
    x = codes(d, d.shape(least=1), dtype)
    return d.case([x, *maybe_grid(d, dtype), *grid(d, dtype)], tolerance="step")


@row("QLinearLeakyRelu")
def leaky_relu(d):
    dtype = d.pick(*BYTES)
    x = codes(d, d.shape(least=1), dtype)
    attrs = d.attrs(alpha=d.real(0, 1))
    return d.case([x, *maybe_grid(d, dtype), *grid(d, dtype)], attrs=attrs, tolerance="step")


@row("QLinearSoftmax", cases=60)
def softmax(d):
    dtype = d.pick(*BYTES)
    x = d.shape(least=1, zero=False)
    low = np.asarray(np.iinfo(dtype).min, dtype)
    inputs = [codes(d, x, dtype), *maybe_grid(d, dtype), np.asarray(1 / 256, np.float32), low]
    attrs = {"axis": d.axis(len(x)), "opset": d.pick(11, 12, 13, 21)}
    return d.case(inputs, attrs=attrs, tolerance="step")


def image(d, dtype, last):
    """[N, C, H, W], or with channels last."""
    n, c, h, w = d.whole(1, 2), d.whole(1, 4), d.whole(4, 9), d.whole(4, 9)
    return codes(d, (n, h, w, c) if last else (n, c, h, w), dtype)


@row("QLinearGlobalAveragePool")
def global_average_pool(d):
    dtype, last = d.pick(*BYTES), d.whole(0, 1)
    inputs = [image(d, dtype, last), *grid(d, dtype), *grid(d, dtype)]
    return d.case(inputs, attrs={"channels_last": last}, tolerance="step")


def pooling(d):
    """ONNX Runtime divides by what lies outside of the padding too, when ceil_mode and
    count_include_pad meet; the standard does not."""
    kernel = [d.whole(1, 3), d.whole(1, 3)]
    attrs = {"kernel_shape": kernel}
    attrs.update(d.attrs(strides=[d.whole(1, 2), d.whole(1, 2)]))
    attrs.update(d.pick({"ceil_mode": 1}, {"count_include_pad": 1}, {}))
    padding = d.pick("no", "pads", "auto")
    if padding == "pads":
        attrs["pads"] = [d.whole(0, k - 1) for k in kernel] * 2
    elif padding == "auto" and "ceil_mode" not in attrs:
        attrs["auto_pad"] = d.pick("SAME_UPPER", "SAME_LOWER", "VALID")
    return attrs


@row("QLinearAveragePool", cases=60)
def average_pool(d):
    dtype, last = d.pick(*BYTES), d.whole(0, 1)
    inputs = [image(d, dtype, last), *grid(d, dtype), *grid(d, dtype)]
    return d.case(inputs, attrs={**pooling(d), "channels_last": last}, tolerance="step")


@row("QLinearReduceMean")  # no kernel in ONNX Runtime
def reduce_mean(d):
    dtype = d.pick(*BYTES)
    x = codes(d, d.shape(least=1, zero=False), dtype)
    axes, keep = d.axes(x.ndim, least=1), d.whole(0, 1)
    inputs = [x, *grid(d, dtype), *grid(d, dtype)]
    numbers = (x.astype(np.float32) - np.float32(inputs[2])) * inputs[1]
    mean = numbers.mean(axis=tuple(axes), keepdims=bool(keep), dtype=np.float64)
    info = np.iinfo(dtype)
    codes_of = np.rint(mean / inputs[3]) + np.float64(inputs[4])
    expect = [np.clip(codes_of, info.min, info.max).astype(dtype)]
    return d.case(inputs, attrs={"axes": axes, "keepdims": keep}, expect=expect, tolerance="step")


@row("ReduceSumInteger")  # no kernel in ONNX Runtime
def reduce_sum(d):
    dtype = d.pick(*BYTES)
    wide = "uint32" if dtype == "uint8" else "int32"
    x = codes(d, d.shape(least=1), dtype)
    axes, keep = d.axes(x.ndim, least=1), d.whole(0, 1)
    expect = [np.asarray(x.astype(wide).sum(axis=tuple(axes), keepdims=bool(keep), dtype=wide))]
    return d.case([x], attrs={"axes": axes, "keepdims": keep}, expect=expect)


# ---- Several inputs ------------------------------------------------------------------------------

@row("QLinearAdd", "QLinearMul", cases=50)
def binary(d):
    dtype = d.pick(*BYTES)
    a, b = d.broadcast(2, zero=False)
    inputs = [codes(d, a, dtype), *grid(d, dtype), codes(d, b, dtype), *grid(d, dtype),
              *grid(d, dtype)]
    return d.case(inputs, tolerance="step")


@row("MulInteger")  # no kernel in ONNX Runtime
def multiply(d):
    dtype = d.pick(*BYTES)
    a, b = (codes(d, shape, dtype) for shape in d.broadcast(2))
    zeros = [codes(d, (), dtype) if d.chance(0.7) else None for _ in range(2)]
    left, right = (x.astype(np.int32) - np.int32(0 if z is None else z)
                   for x, z in zip((a, b), zeros))
    return d.case([a, zeros[0], b, zeros[1]], expect=[np.asarray(left * right)])


@row("QLinearWhere")
def where(d):
    dtype = d.pick(*BYTES)
    condition, x, y = d.broadcast(3, zero=False)
    inputs = [d.data(condition, "bool"), codes(d, x, dtype), *grid(d, dtype), codes(d, y, dtype),
              *grid(d, dtype), *grid(d, dtype)]
    return d.case(inputs, tolerance="step")


@row("QLinearConcat")
def concat(d):
    dtype = d.pick(*BYTES)
    shape = d.shape(least=1, zero=False)
    axis = d.axis(len(shape))
    inputs = grid(d, dtype)
    for _ in range(d.whole(1, 4)):
        part = list(shape)
        part[axis] = d.whole(1, 5)
        inputs += [codes(d, part, dtype), *grid(d, dtype)]
    return d.case(inputs, attrs={"axis": axis}, tolerance="step")
