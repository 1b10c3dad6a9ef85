"""Operators that mean what one of the standard does, in another form."""
import numpy as np

from contrib.table import row

ANY = ("float32", "float64", "int64", "int32", "uint8", "bool", "float16")


@row("Trilu")
def trilu(d):
    x = d.shape(least=2, zero=False)
    k = np.int64(d.whole(-4, 4)) if d.chance(0.7) else None
    k = None if k is None else np.asarray(k)
    return d.case([d.data(x, d.dtype(("float32", "float64", "int64"))), k],
                  attrs=d.attrs(upper=d.pick(0, 1)))


@row("GatherND")
def gather_nd(d):
    x = d.shape(least=1, zero=False)
    depth = d.whole(1, len(x))
    lead = d.shape(most=2, zero=False)
    parts = [d.rng.integers(0, size, lead) for size in x[:depth]]
    indices = np.stack(parts, -1).astype(d.pick("int32", "int64"))
    return d.case([d.data(x, d.dtype(ANY)), indices])


@row("ExpandDims")
def expand_dims(d):
    x = d.shape(zero=False)
    axis = d.whole(-len(x) - 1, len(x))
    return d.case([d.data(x, d.dtype(ANY)), np.array(axis, np.int32)], constant={1})


@row("Range")
def arange(d):
    dtype = d.dtype(("int64", "int32", "float32", "float64", "int16"))
    form = d.pick((), (1,))
    step = d.pick(-2, -1, 1, 2, 3)
    start = d.whole(-9, 9)
    limit = start + step * d.whole(0, 12)
    values = [np.full(form, v, dtype) for v in (start, limit, step)]
    if step == 1 and d.chance():
        values[2] = None
    return d.case(values)


@row("Pad")
def pad(d):
    x = d.shape(least=1, most=4, zero=False, low=2)
    mode = d.pick("constant", "constant", "reflect", "edge")
    low = -1 if mode == "constant" else 0
    pads = [d.whole(low, 1) if mode == "reflect" else d.whole(low, 3) for _ in range(2 * len(x))]
    pads = np.array(pads, np.int64)
    if d.chance(0.3):
        pads = pads[None]
    value = None
    if mode == "constant":
        value = d.pick(None, np.array(d.real(-2, 2), np.float32), np.full((1,), 3, np.float32))
    return d.case([d.data(x), pads, value], attrs={"mode": mode})


@row("Unique")
def unique(d):
    n = d.whole(1, 30)
    return d.case([d.data((n,), "float32", -3, 3).round().astype(np.float32)], 3)


@row("SampleOp")
def sample(d):
    return d.case([d.data(d.shape())])


@row("DynamicSlice", domain="")
def dynamic_slice(d):
    x = d.shape(least=1, zero=False)
    axes = d.axes(len(x), negative=False, least=1)
    kind = d.pick("int32", "int64")
    starts = [d.whole(-x[a], x[a] - 1) for a in axes]
    ends = [d.pick(d.whole(-x[a], x[a] + 2), 1000) for a in axes]
    if d.chance(0.3):
        axes, starts, ends = None, [0] * len(x), [d.whole(1, n) for n in x]
    values = [None if v is None else np.array(v, kind) for v in (starts, ends, axes)]
    return d.case([d.data(x, d.dtype(ANY)), *values], opset=9)


@row("TorchEmbedding")  # CUDA only in ONNX Runtime
def torch_embedding(d):
    n, m = d.whole(1, 9), d.whole(1, 9)
    weight = d.data((n, m))
    indices = d.rng.integers(0, n, d.shape(zero=False)).astype(np.int64)
    return d.case([weight, indices], expect=[weight[indices]])


@row("Rfft")  # CUDA only; the even lengths that it takes
def rfft(d):
    x = d.data(d.shape(most=2, zero=False) + (2 * d.whole(1, 16),), d.dtype(("float32", "float64")))
    y = np.fft.rfft(x.astype(np.float64))
    y = np.stack([y.real, y.imag], -1).astype(x.dtype)
    return d.case([x], expect=[y], attrs=d.attrs(onesided=1, normalized=0) | {"signal_ndim": 1})


@row("Irfft")  # CUDA only
def irfft(d):
    shape = d.shape(most=2, zero=False) + (2 * d.whole(1, 16),)
    y = d.data(shape, d.dtype(("float32", "float64")))
    x = np.fft.rfft(y.astype(np.float64))
    x = np.stack([x.real, x.imag], -1).astype(y.dtype)
    return d.case([x], expect=[y], attrs=d.attrs(onesided=1, normalized=0) | {"signal_ndim": 1})
