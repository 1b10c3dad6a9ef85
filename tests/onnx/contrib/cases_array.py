"""Distances, inverses, slices of slices, ways, hashes and runs of tokens."""
import numpy as np

from contrib.table import row


@row("CDist")
def cdist(d):
    m, k, n = d.whole(1, 8), d.whole(1, 8), d.whole(1, 20)
    dtype = d.dtype(("float32", "float64"))
    attrs = d.attrs(metric=d.pick("sqeuclidean", "euclidean"))
    return d.case([d.data((m, n), dtype), d.data((k, n), dtype)], attrs=attrs)


@row("Inverse")
def inverse(d):
    n = d.whole(1, 7)
    dtype = d.dtype(("float32", "float32", "float64", "float16"))
    shape = d.shape(most=2, zero=False) + (n, n)
    x = d.data(shape, "float64", -1, 1) + 3 * np.eye(n)
    return d.case([x.astype(dtype)], tolerance="half" if dtype == "float16" else "full")


@row("UnfoldTensor")
def unfold(d):
    x = d.shape(least=1, most=4, zero=False)
    axis = d.axis(len(x))
    attrs = {"dim": axis, "size": d.whole(1, x[axis])} | d.attrs(step=d.whole(1, 3))
    return d.case([d.data(x, d.dtype(("float32", "int64", "int32", "float64")))],
                  attrs=attrs)


@row("DynamicTimeWarping")
def time_warp(d):
    shape = (d.whole(1, 9), d.whole(1, 9))
    lead = d.pick((), (1,))
    whole = d.chance(0.3)
    costs = d.data(lead + shape)
    return d.case([costs.round() if whole else costs])


@row("MurmurHash3")
def murmur(d):
    kind = d.pick("int32", "uint32", "int64", "uint64", "float32", "float64", "string")
    shape = d.shape(zero=False)
    if kind == "string":
        words = ["", "a", "heed", "a longer line of text", "\u00e4\u00f6", "12345"]
        x = d.rng.choice(np.array(words, object), shape).reshape(shape)
        x = np.array(x, object)
    else:
        x = d.data(shape, kind)
    return d.case([x], attrs=d.attrs(positive=d.pick(0, 1), seed=d.whole(0, 99)),
                  constant=set(), form=d.ranked() if kind == "string" else None)


@row("NGramRepeatBlock")
def repeat_block(d):
    batch, length, words = d.whole(1, 3), d.whole(1, 14), d.whole(3, 6)
    ids = d.rng.integers(0, words, (batch, length)).astype(np.int64)
    return d.case([ids, d.data((batch, words))], attrs={"ngram_size": d.whole(1, 4)})


@row("BifurcationDetector", cases=60)
def bifurcation(d):
    words = d.whole(2, 6)
    source = d.rng.integers(0, words, d.whole(2, 14)).astype(np.int64)
    now = d.rng.integers(0, words, d.whole(1, 8)).astype(np.int64)
    start = d.whole(0, len(source))
    draft = None
    if d.chance(0.8):
        draft = np.append(source[start:], d.whole(0, words - 1))
        wrong = d.rng.random(draft.shape) < d.pick(0, 0.2)
        draft = np.where(wrong, d.rng.integers(0, words, draft.shape), draft)
    low = d.whole(1, 2)
    attrs = d.attrs(min_ngram_size=low, max_ngram_size=low + d.whole(0, 3))
    return d.case([source, now, np.array(start, np.int64), draft], 2, attrs=attrs)
