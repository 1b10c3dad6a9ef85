"""Operators that add a bias first. ONNX Runtime has most for CUDA only: so NumPy says."""
import numpy as np

from contrib.table import row


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def gelu(x):
    from math import erf
    return x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))


@row("BiasSoftmax")
def bias_softmax(d):
    shape = tuple(d.whole(1, 5) for _ in range(4))
    x = d.data(shape)
    inner = d.pick(0, 1)
    bias = d.data((shape[0], 1, 1, shape[3]) if inner else (1, 1) + shape[2:])
    axis = d.pick(1, 2, 3, -1)
    y = x.astype(np.float64) + bias
    flat = y.reshape(int(np.prod(shape[:axis])), -1)
    return d.case([x, bias], expect=[softmax(flat).reshape(shape).astype(np.float32)],
                  attrs={"axis": axis, "is_inner_broadcast": inner})


@row("BiasDropout")
def bias_dropout(d):
    x = d.shape(least=1)
    data, bias = d.data(x), d.data(x[-1:])
    residual = d.data(x) if d.chance(0.6) else None
    y = data + bias + (0 if residual is None else residual)
    rest = d.pick([], [np.float32(0.3)], [np.float32(0.3), np.bool_(False)])
    inputs = [data, bias, residual, *map(np.asarray, rest)]
    return d.case(inputs, 2, expect=[y, np.ones(x, bool)])


@row("BitmaskDropout", "BitmaskBiasDropout", cases=20)
def bitmask_dropout(d):
    x = d.shape(least=1)
    data, y, inputs = d.data(x), 0, []
    if d.op == "BitmaskBiasDropout":
        inputs = [d.data(x[-1:]), d.data(x) if d.chance() else None]
        y = inputs[0] + (0 if inputs[1] is None else inputs[1])
    rest = d.pick([], [np.asarray(np.float32(0.3)), np.asarray(False)])
    return d.case([data, *inputs, *rest], expect=[data + y])


@row("BiasAdd")
def bias_add(d):
    x = d.shape(3)
    data, bias, skip = d.data(x), d.data(x[-1:]), d.data(x)
    return d.case([data, bias, skip], expect=[data + bias + skip])


@row("BiasSplitGelu")
def bias_split_gelu(d):
    x = d.shape(2, zero=False) + (2 * d.whole(1, 9),)
    data, bias = d.data(x), d.data(x[-1:])
    left, right = np.split(data.astype(np.float64) + bias, 2, -1)
    return d.case([data, bias], expect=[(left * gelu(right)).astype(np.float32)])
