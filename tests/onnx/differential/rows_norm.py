"""Rows of normalisations and losses."""
import numpy as np

from differential.table import row

REAL = ("float32", "float32", "float32", "float64")


def batch_norm_training(d):
    """By the text: ONNX Runtime has no kernel for it, the evaluator not for the older forms."""
    x = d.data(d.shape(least=3, most=4, zero=False, low=2))
    c, momentum, axes = x.shape[1], d.real(0.5, 1), (0, *range(2, x.ndim))
    scale, bias, mean, var = (d.data((c,), "float32", 0.1, 3) for _ in range(4))
    form = (1, c) + (1,) * (x.ndim - 2)
    now = [x.mean(axes), x.var(axes)]
    y = (x - now[0].reshape(form)) / np.sqrt(now[1].reshape(form) + np.float32(1e-2))
    y = y * scale.reshape(form) + bias.reshape(form)
    means = [(old * momentum + new * (1 - momentum)).astype(np.float32)
             for old, new in zip((mean, var), now)]
    attrs = {"momentum": momentum, "epsilon": 1e-2}
    attrs |= {"training_mode": 1} if d.opset >= 14 else {}  # before, the outputs said it
    return d.case([x, scale, bias, mean, var], 3, attrs=attrs, expect=[y, *means])


@row("BatchNormalization")
def batch_norm(d):
    if d.index % 5 == 2:
        return batch_norm_training(d)
    x, dtype = d.shape(least=2, most=5, zero=(0,)), d.dtype(REAL)
    c = x[1]
    attrs = d.attrs(epsilon=d.real(1e-5, 1e-2), momentum=d.real(0.5, 1))
    return d.case([d.data(x, dtype), d.data((c,), dtype), d.data((c,), dtype),
                   d.data((c,), dtype), d.data((c,), dtype, 0.1, 3)], attrs=attrs)


@row("InstanceNormalization")
def instance_norm(d):
    x, dtype = d.shape(least=3, most=5, zero=(0,), low=2), d.dtype(("float32",))
    # A larger epsilon keeps two elements that are nearly equal from being all rounding errors.
    return d.case([d.data(x, dtype), d.data(x[1:2], dtype), d.data(x[1:2], dtype)],
                  attrs={"epsilon": d.real(1e-3, 1e-2)})


@row("LayerNormalization")
def layer_norm(d):
    x, dtype = d.shape(least=1, zero=False), d.dtype(REAL)
    attrs = d.attrs(axis=d.axis(len(x)), epsilon=d.real(1e-5, 1e-2))
    inner = x[attrs.get("axis", -1):]
    if d.zero and len(x) > len(inner):
        x = (0,) + x[1:]
    bias = d.data(inner, dtype) if d.chance(0.7) else None
    return d.case([d.data(x, dtype), d.data(inner, dtype), bias], d.pick("y", "y", "yzu", "y-u"),
                  attrs=attrs)


@row("RMSNormalization")
def rms_norm(d):
    x, dtype = d.shape(least=1, zero=False), d.dtype(REAL)
    attrs = d.attrs(axis=d.axis(len(x)), epsilon=d.real(1e-5, 1e-2))
    inner = x[attrs.get("axis", -1):]
    if d.zero and len(x) > len(inner):
        x = (0,) + x[1:]
    return d.case([d.data(x, dtype), d.data(inner, dtype)], attrs=attrs)


@row("GroupNormalization")
def group_norm(d):
    groups, each = d.whole(1, 3), d.whole(1, 3)
    x = d.shape(least=2, most=3, zero=(0,), low=2)
    x = (x[0], groups * each) + x[1:]
    dtype = d.dtype(REAL)
    count = groups if d.opset < 21 else groups * each
    return d.case([d.data(x, dtype), d.data((count,), dtype), d.data((count,), dtype)],
                  attrs=d.attrs(epsilon=d.real(1e-5, 1e-2)) | {"num_groups": groups})


@row("MeanVarianceNormalization")
def mean_variance(d):
    x = d.shape(rank=4, low=2, zero=False)
    attrs = d.attrs(axes=d.axes(4, negative=False, least=1))
    return d.case([d.data(x, d.dtype(("float32",)))], attrs=attrs)


def class_losses(d, named):
    n, c = d.whole(1, 4), d.whole(2, 5)
    more = d.shape(most=2, zero=False)
    kind = d.pick(np.int64, np.int32)
    target = d.rng.integers(0, c, (n, *more)).astype(kind)
    weight = d.data((c,), "float32", 0.1, 2) if d.chance() else None
    attrs = d.attrs(reduction=d.pick("none", "sum", "mean"))
    if d.chance(0.3):
        attrs["ignore_index"] = d.whole(-1, c - 1)
    return [d.data((n, c, *more), "float32", *named), target, weight], attrs


@row("NegativeLogLikelihoodLoss")
def nll_loss(d):
    inputs, attrs = class_losses(d, (-3, 0))
    return d.case(inputs, attrs=attrs)


@row("SoftmaxCrossEntropyLoss")
def cross_entropy(d):
    inputs, attrs = class_losses(d, ())
    return d.case(inputs, d.pick(1, 2), attrs=attrs)


