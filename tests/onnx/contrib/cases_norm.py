"""Layer norms: after a residual sum, without a mean, by groups, after an embedding."""
import numpy as np

from contrib.table import row

FLOATS = ("float32", "float32", "float16")


def hidden(d, low=1, high=40):
    return d.whole(low, high)


@row("SimplifiedLayerNormalization", domain="")
def simplified(d):
    x = d.shape(least=1, zero=False)
    dtype = d.dtype(("float32", "float32", "float64", "float16"))
    axis = d.axis(len(x))
    attrs = d.attrs(epsilon=d.real(1e-6, 1e-2)) | {"axis": axis}
    scale = x[axis:] if axis >= 0 else x[len(x) + axis:]
    return d.case([d.data(x, dtype), d.data(scale, dtype)], d.pick("y", "yv"), attrs=attrs,
                  form=d.ranked() if axis >= 0 else None)


def residual(d, broadcast):
    """input and skip: of one shape, or the skip without the batch."""
    batch, n, h = d.whole(1, 3), d.whole(1, 5), hidden(d)
    if d.zero:
        batch = 0
    dtype = d.dtype(FLOATS)
    shape = (batch, n, h) if d.chance(0.8) else (n, h)
    skips = [shape]
    if broadcast and len(shape) == 3:
        skips += [(1, n, h), (n, h)]
    return d.data(shape, dtype), d.data(d.pick(*skips), dtype), h, dtype


@row("SkipLayerNormalization", cases=80)
def skip_layer_norm(d):
    x, skip, h, dtype = residual(d, True)
    beta, bias = (d.data((h,), dtype) if d.chance(0.6) else None for _ in range(2))
    return d.case([x, skip, d.data((h,), dtype), beta, bias], d.pick("y", "y---s", "y--s")[:4],
                  attrs=d.attrs(epsilon=d.real(1e-6, 1e-2)))


@row("SkipSimplifiedLayerNormalization", cases=80)
def skip_simplified(d):
    x, skip, h, dtype = residual(d, True)
    bias = d.data((h,), dtype) if d.chance() else None
    return d.case([x, skip, d.data((h,), dtype), bias], d.pick("y", "y--s"),
                  attrs=d.attrs(epsilon=d.real(1e-6, 1e-2)))


@row("GatedRMSNorm")
def gated_rms_norm(d):
    c, heads = d.whole(1, 12), d.whole(1, 4)
    shape = d.shape(most=2) + (c * heads,)
    dtype = d.dtype(("float32", "float32", "float16", "bfloat16"))
    attrs = d.attrs(activation=d.pick("silu", "swish", "sigmoid"), epsilon=d.real(1e-6, 1e-2))
    return d.case([d.data(shape, dtype), d.data((c,), dtype), d.data(shape, dtype)], attrs=attrs)


@row("BranchwiseRMSNorm")
def branchwise_rms_norm(d):
    c, h = d.whole(1, 4), d.whole(1, 12)
    flat, lead = d.chance(), d.shape(most=2)
    shape = lead + ((c * h,) if flat else (c, h))
    attrs = d.attrs(epsilon=d.real(1e-6, 1e-2)) | ({"num_branches": c} if flat else {})
    scale = d.pick((c * h,), (c, h), (h,), None)
    dtype, of_scale = d.dtype(FLOATS + ("bfloat16",)), d.dtype(FLOATS + ("bfloat16",))
    scale = None if scale is None else d.data(scale, of_scale)
    return d.case([d.data(shape, dtype), scale], attrs=attrs, form=d.ranked())


def ids(d, shape, size):
    return d.rng.integers(0, size, shape).astype(np.int32)


def embedding(d):
    """ids, table sizes and shapes that both forms share."""
    batch, n, h = d.whole(1, 3), d.whole(1, 6), d.whole(1, 24)
    words, places, kinds = d.whole(5, 20), n + d.whole(0, 4), 3
    segments = ids(d, (batch, n), kinds) if d.chance(0.7) else None
    mask = ids(d, (batch, n), 2) if d.chance(0.7) else None
    rows = d.pick(None, (batch, n), (1, n))
    positions = None if rows is None else ids(d, rows, places)
    tables = [(words, h), (places, h), (kinds, h) if segments is not None else None, (h,), (h,)]
    return ids(d, (batch, n), words), segments, tables, mask, positions


@row("EmbedLayerNormalization", cases=60)
def embed_layer_norm(d):
    words, segments, tables, mask, positions = embedding(d)
    inputs = [words, segments, *[None if t is None else d.data(t) for t in tables], mask, positions]
    return d.case(inputs, d.pick("ym", "yms"), attrs=d.attrs(epsilon=d.real(1e-6, 1e-2)),
                  form="fixed")


@row("QEmbedLayerNormalization")
def q_embed_layer_norm(d):
    words, segments, tables, mask, _ = embedding(d)
    low, high, dtype = d.pick((-128, 127, np.int8), (0, 255, np.uint8))
    there = [t is not None for t in tables]
    data = [d.rng.integers(low, high + 1, t).astype(dtype) if t else None for t in tables]
    scales = [np.float32(d.real(0.01, 0.1)) if t else None for t in there]
    zeros = [dtype(d.whole(low, high)) if t else None for t in there]
    inputs = [words, segments, *data, mask, *scales, *zeros]
    inputs = [None if i is None else np.asarray(i) for i in inputs]
    return d.case(inputs, "ym", attrs=d.attrs(epsilon=d.real(1e-6, 1e-2)), form="fixed")
