"""Rows of operators that go along axes: reductions, running sums, sorting, softmax."""
import numpy as np

from differential.draw import FLOATS
from differential.table import row

NUMBERS = ("float32", "float32", "int64", "float64", "int32", "float16")


def reduction(d, axes_input, inner=None):
    dtype = d.dtype(NUMBERS)
    x = d.shape(least=0 if d.opset >= 13 else 1)
    rank = len(x)
    axes = d.axes(rank, negative=d.opset >= 11)
    attrs = d.attrs(keepdims=d.pick(0, 1))
    if d.op in ("ReduceMean",) and 0 in x:  # over nothing it is undefined
        axes = [a for a in axes if x[a]] or [0]
        x = tuple(max(n, 1) if a in axes or a - rank in axes else n for a, n in enumerate(x))
    if d.op in ("ReduceLogSum", "ReduceLogSumExp") and 0 in x:  # -inf is no integer
        dtype = np.dtype("float32")
    positive = d.op in ("ReduceLogSum", "ReduceLogSumExp")
    data = d.data(x, dtype, *((1, 3) if positive else ()))
    if d.op == "ReduceProd" and dtype.kind != "f":
        data = np.where(d.rng.random(x) < 0.9, np.sign(data), data).astype(dtype)
    # ONNX Runtime rounds each exponential of an integer.
    oracle = "reference" if d.op == "ReduceLogSumExp" and dtype.kind != "f" else None
    if d.opset < axes_input:
        return d.case([data], attrs=attrs | ({"axes": axes} if axes else {}), oracle=oracle)
    attrs |= d.attrs(noop_with_empty_axes=d.pick(0, 0, 1))
    form = None if d.chance(0.3) and 0 not in x else np.array(axes, np.int64)
    return d.case([data, form], attrs=attrs, oracle=oracle)


@row("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
     "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp")
def reduce(d):
    return reduction(d, axes_input=18)


@row("ReduceSum")
def reduce_sum(d):
    return reduction(d, axes_input=13)


@row("ArgMax", "ArgMin")
def arg(d):
    x = d.shape(least=1)
    axes = [a for a in range(len(x)) if x[a]]
    axis = d.pick(*axes) if axes else 0
    if not axes:
        x = (3,) + x
    attrs = {"axis": axis - (len(x) if d.chance(0.4) and d.opset >= 11 else 0)}
    attrs |= d.attrs(keepdims=d.pick(0, 1))
    if d.opset >= 12:
        attrs |= d.attrs(select_last_index=d.pick(0, 1))
    dtype = d.dtype(("float32", "int64", "float64", "int32", "float32", "uint8"))
    return d.case([d.data(x, dtype, 0, 3).round().astype(dtype)], attrs=attrs)


@row("Softmax", "LogSoftmax", "Hardmax")
def softmax(d):
    x = d.shape(least=1 if d.opset >= 13 else 2)
    attrs = d.attrs(axis=d.axis(len(x), negative=d.opset >= 11))
    # The evaluator has only the newest meaning.
    return d.case([d.data(x, d.dtype(FLOATS))], attrs=attrs,
                  oracle="runtime" if d.opset < 13 else None)


@row("CumSum", "CumProd")
def cumulative(d):
    x = d.shape(least=1)
    axis = np.array(d.axis(len(x)), d.pick(np.int64, np.int32))
    dtype = d.dtype(("float32", "int64", "float64", "int32"))
    return d.case([d.data(x, dtype, *((-2, 2) if d.op == "CumProd" else ())), axis],
                  attrs=d.attrs(exclusive=d.pick(0, 1), reverse=d.pick(0, 1)))


@row("TopK")
def topk(d):
    x = d.shape(least=1)
    axis = d.axis(len(x), negative=d.opset >= 11)
    k = d.whole(0 if d.opset >= 10 else 1, x[axis]) if x[axis] else 0
    attrs = {"axis": axis} if axis not in (-1, len(x) - 1) or d.chance() else {}
    if d.opset >= 11:
        attrs |= d.attrs(largest=d.pick(0, 1))  # sorted=0 may come in any order
    data = d.distinct(x, d.dtype(("float32", "int64", "float64", "int32")))
    if d.opset < 10:
        return d.case([data], 2, attrs=attrs | {"k": max(k, 1)})
    return d.case([data, np.array([k], np.int64)], 2, attrs=attrs)


@row("Unique")
def unique(d):
    x = d.shape(least=1)
    attrs = d.attrs(axis=d.axis(len(x)), sorted=d.pick(0, 1))
    if "axis" in attrs:  # of slices without elements both oracles know nothing
        x = tuple(max(n, 1) for n in x)
    data = d.data(x, d.dtype(("float32", "int64", "int8", "float64")), 0, 3)
    return d.case([data.round().astype(data.dtype)], d.pick("y", "yzuv", "y-u", "y--v", "yz"),
                  attrs=attrs)


@row("NonZero")
def non_zero(d):
    dtype = d.dtype(("float32", "int64", "bool", "int32", "uint8"))
    return d.case([d.data(d.shape(least=1), dtype, 0, 2).round().astype(dtype)
                   if dtype != bool else d.data(d.shape(least=1), dtype)])


@row("Compress")
def compress(d):
    x = d.shape(least=1)
    axis = d.pick(None, d.axis(len(x), negative=d.opset >= 11))
    count = int(np.prod(x)) if axis is None else x[axis]
    condition = d.data([d.whole(min(count, 1), count)], bool)
    return d.case([d.data(x, d.dtype()), condition], attrs={} if axis is None else {"axis": axis})


@row("LpNormalization")
def lp_normalization(d):
    x = d.shape(least=1)
    return d.case([d.data(x, d.dtype(FLOATS), 0.5, 3)],
                  attrs=d.attrs(axis=d.axis(len(x)), p=d.pick(1, 2)))
