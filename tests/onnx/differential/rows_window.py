"""Rows of operators that slide a window over images: convolutions and pools."""
import numpy as np

from differential.draw import FLOATS
from differential.table import row

REAL = ("float32", "float32", "float64", "float16")


class Window:
    """A window that fits into the padded image at least once."""

    def __init__(self, d, rank, pads=True, dilated=True, auto=True):
        self.rank = rank
        self.size = [d.whole(3, 9) for _ in range(rank)]
        if d.long:
            self.size[-1] = d.whole(17, 40)
        self.kernel = [d.whole(1, 3) for _ in range(rank)]
        self.strides = [d.whole(1, 3) for _ in range(rank)]
        self.dilations = [d.whole(1, 2) if dilated and 2 * k - 1 <= n else 1
                          for k, n in zip(self.kernel, self.size)]
        self.pads = [d.whole(0, k - 1) if pads else 0 for k in self.kernel * 2]
        self.auto = None
        if auto and d.chance(0.3):
            self.auto = d.pick("SAME_UPPER", "SAME_LOWER", "VALID")
            self.dilations = [1] * rank

    def attrs(self, d, kernel=True):
        made = d.attrs(strides=self.strides)
        made |= {"kernel_shape": self.kernel} if kernel else {}
        if any(n > 1 for n in self.dilations):
            made["dilations"] = self.dilations
        if self.auto:
            return made | {"auto_pad": self.auto}
        return made | ({"pads": self.pads} if any(self.pads) else {})


def spatial_rank(d):
    return d.pick(2, 2, 2, 1, 3)


def batch_size(d):
    return 0 if d.zero else d.whole(1, 3)


@row("Conv")
def conv(d):
    w = Window(d, spatial_rank(d))
    group, per, out = d.whole(1, 3), d.whole(1, 4), d.whole(1, 4)
    dtype = d.dtype(REAL)
    bias = d.data((group * out,), dtype) if d.chance() else None
    attrs = w.attrs(d, kernel=d.chance()) | ({"group": group} if group > 1 else {})
    return d.case([d.data((batch_size(d), group * per, *w.size), dtype),
                   d.data((group * out, per, *w.kernel), dtype), bias], attrs=attrs)


# The evaluator is wrong about groups with dilations.
@row("ConvTranspose", order=("runtime",))
def conv_transpose(d):
    w = Window(d, spatial_rank(d), auto=False)
    group, per, out = d.whole(1, 3), d.whole(1, 3), d.whole(1, 3)
    dtype = d.dtype(REAL)
    extra = [d.whole(0, s - 1) for s in w.strides]
    attrs = w.attrs(d, kernel=d.chance()) | ({"group": group} if group > 1 else {})
    if "strides" in attrs and any(extra) and d.chance():
        attrs["output_padding"] = extra
    bias = d.data((group * out,), dtype) if d.chance() else None
    return d.case([d.data((batch_size(d), group * per, *w.size), dtype),
                   d.data((group * per, out, *w.kernel), dtype), bias], attrs=attrs)


@row("ConvInteger")
def conv_integer(d):
    w = Window(d, spatial_rank(d))
    group, per, out = d.whole(1, 2), d.whole(1, 3), d.whole(1, 3)
    tx, tw = "uint8", d.pick("uint8", "int8")
    zeros = [d.data((), tx, 0, 9) if d.chance() else None, d.data((), tw) if d.chance() else None]
    attrs = w.attrs(d, kernel=d.chance()) | ({"group": group} if group > 1 else {})
    return d.case([d.data((batch_size(d), group * per, *w.size), tx, 0, 200),
                   d.data((group * out, per, *w.kernel), tw), *zeros], attrs=attrs)


def pool_attrs(d, w, ceil_mode):
    if w.auto:
        # A window shorter than its stride: "same" would need negative pads, and with those ONNX
        # Runtime skips the first elements. Frameworks that have "same" pad by nothing.
        w.strides = [min(s, k) for s, k in zip(w.strides, w.kernel)]
    attrs = w.attrs(d)
    if ceil_mode and not w.auto:
        attrs |= d.attrs(ceil_mode=d.pick(0, 1))
    return attrs


@row("MaxPool")
def max_pool(d):
    w = Window(d, spatial_rank(d), dilated=d.opset >= 10)
    dtype = d.dtype(("float32", "float32", "float64", "uint8", "int8"))
    outputs = d.pick(1, 2) if d.opset >= 8 else 1
    attrs = pool_attrs(d, w, ceil_mode=d.opset >= 10)
    if outputs == 2:
        attrs |= d.attrs(storage_order=d.pick(0, 1))
    return d.case([d.data((batch_size(d), d.whole(1, 3), *w.size), dtype)], outputs, attrs=attrs)


# The evaluator is wrong about dilations with pads, here too.
@row("AveragePool", order=("runtime",))
def average_pool(d):
    w = Window(d, spatial_rank(d), dilated=d.opset >= 19)
    attrs = pool_attrs(d, w, ceil_mode=d.opset >= 10) | d.attrs(count_include_pad=d.pick(0, 1))
    return d.case([d.data((batch_size(d), d.whole(1, 3), *w.size), d.dtype(REAL))], attrs=attrs)


# The evaluator is wrong about dilations with pads.
@row("LpPool", order=("runtime",))
def lp_pool(d):
    w = Window(d, spatial_rank(d), dilated=d.opset >= 18)
    attrs = pool_attrs(d, w, ceil_mode=d.opset >= 18) | d.attrs(p=d.whole(1, 3))
    return d.case([d.data((batch_size(d), d.whole(1, 3), *w.size), d.dtype(REAL))], attrs=attrs)


# The evaluator keeps the spatial axes of images with one axis or three.
@row("GlobalAveragePool", "GlobalMaxPool", order=("runtime",))
def global_pool(d):
    return d.case([d.data(d.shape(rank=2 + spatial_rank(d), zero=(0,)), d.dtype(FLOATS))])


@row("GlobalLpPool")
def global_lp_pool(d):
    # ONNX Runtime stops at opset 2, the evaluator has none.
    x = d.data(d.shape(rank=2 + spatial_rank(d), zero=(0,)), d.dtype(FLOATS))
    attrs = d.attrs(p=d.whole(1, 3))
    p, axes = attrs.get("p", 2), tuple(range(2, x.ndim))
    y = (np.abs(x.astype(np.float64)) ** p).sum(axes, keepdims=True) ** (1 / p)
    return d.case([x], attrs=attrs, expect=[y.astype(x.dtype)])


# The evaluator looks at as many channels as there are samples.
@row("LRN", order=("runtime",))
def lrn(d):
    x = d.shape(rank=4, zero=(0,))
    attrs = d.attrs(alpha=d.real(0.001, 0.5), beta=d.real(0.3, 1), bias=d.real(0.5, 2))
    return d.case([d.data(x, d.dtype(FLOATS))], attrs=attrs | {"size": d.pick(1, 3, 5)})


@row("MaxUnpool")
def max_unpool(d):
    n, c, h, w = d.shape(rank=4, zero=(0,), high=4)
    to = (n, c, 2 * h, 2 * w)
    place = np.stack([d.rng.permutation(4 * h * w)[:h * w] for _ in range(n * c)]) if n else \
        np.zeros((0, h * w))
    place = place + np.arange(n * c)[:, None] * (4 * h * w) * 1
    place = place.reshape(n, c, h, w).astype(np.int64)
    size = np.array(to, np.int64) if d.chance() else None
    return d.case([d.data((n, c, h, w), d.dtype(("float32",))), place, size],
                  attrs={"kernel_shape": [2, 2], "strides": [2, 2]})


@row("Col2Im")
def col2im(d):
    w = Window(d, 2, auto=False)
    spots = [(w.size[i] + w.pads[i] + w.pads[2 + i] - w.dilations[i] * (w.kernel[i] - 1) - 1)
             // w.strides[i] + 1 for i in range(2)]
    n, c = batch_size(d), d.whole(1, 3)
    x = d.data((n, c * w.kernel[0] * w.kernel[1], spots[0] * spots[1]), d.dtype(("float32",)))
    return d.case([x, np.array(w.size, np.int64), np.array(w.kernel, np.int64)],
                  attrs={"strides": w.strides, "pads": w.pads, "dilations": w.dilations})


@row("DeformConv")
def deform_conv(d):
    w = Window(d, 2, auto=False)
    spots = [(w.size[i] + w.pads[i] + w.pads[2 + i] - w.dilations[i] * (w.kernel[i] - 1) - 1)
             // w.strides[i] + 1 for i in range(2)]
    n, group, deform = d.whole(1, 2), d.whole(1, 2), d.whole(1, 2)
    per, out, taps = 2 * d.whole(1, 2), d.whole(1, 3), w.kernel[0] * w.kernel[1]
    bias = d.data((group * out,)) if d.chance() else None
    mask = d.data((n, deform * taps, *spots), "float32", 0, 1) if d.chance() else None
    attrs = {"strides": w.strides, "pads": w.pads, "dilations": w.dilations,
             "group": group, "offset_group": deform}
    return d.case([d.data((n, group * per, *w.size)), d.data((group * out, per, *w.kernel)),
                   d.data((n, deform * taps * 2, *spots), "float32", -1.5, 1.5), bias, mask],
                  attrs=attrs)
