"""Rows of operators that move elements: shapes, slices, pads, gathering and scattering."""
import numpy as np

from differential.draw import USUAL
from differential.table import row


@row("Transpose")
def transpose(d):
    x = d.shape()
    perm = d.rng.permutation(len(x)).tolist()
    return d.case([d.data(x, d.dtype())], attrs=d.attrs(perm=perm) if x else {})


@row("Reshape")
def reshape(d):
    x = d.shape()
    count, parts, wanted = int(np.prod(x)), [], []
    while count > 1 and len(parts) < 4:
        part = d.pick(*[n for n in range(1, count + 1) if count % n == 0])
        parts.append(part)
        count //= part
    wanted = parts + [count] if count != 1 or not parts else parts
    attrs = {}
    if 0 in x:
        wanted = [0] * 1 + wanted[1:] if x[0] == 0 else [d.whole(1, 3), 0]
        if d.opset >= 14:
            wanted, attrs = d.pick([2, 0], [0], [3, 0, 2]), {"allowzero": 1}
        elif x[0] != 0:
            wanted = list(x[:x.index(0)]) + [0]
    elif d.chance():
        same = [i for i, n in enumerate(wanted) if i < len(x) and x[i] == n]
        if same:
            wanted[d.pick(*same)] = 0
        others = [i for i, n in enumerate(wanted) if n]
        if others and d.chance():
            wanted[d.pick(*others)] = -1
    return d.case([d.data(x, d.dtype()), np.array(wanted, np.int64)], attrs=attrs)


@row("Flatten")
def flatten(d):
    x = d.shape(least=1)
    axis = d.whole(-len(x) if d.opset >= 11 else 0, len(x))
    return d.case([d.data(x, d.dtype())], attrs=d.attrs(axis=axis))


def with_axes(d, data, axes):
    """Squeeze and Unsqueeze: the axes were an attribute before opset 13."""
    if d.opset < 13:
        return d.case([data], attrs={"axes": axes} if axes is not None else {})
    return d.case([data, None if axes is None else np.array(axes, np.int64)])


@row("Squeeze")
def squeeze(d):
    x = [1 if d.chance() else n for n in d.shape()]
    ones = [a for a, n in enumerate(x) if n == 1]
    axes = None
    if ones and d.chance(0.7):
        axes = [a - len(x) if d.chance(0.4) and d.opset >= 11 else a
                for a in d.rng.permutation(ones)[:d.whole(1, len(ones))].tolist()]
    return with_axes(d, d.data(x, d.dtype()), axes)


@row("Unsqueeze")
def unsqueeze(d):
    x = d.shape(most=3)
    rank = len(x) + d.whole(1, 2)
    axes = d.rng.permutation(rank)[:rank - len(x)].tolist()
    if d.opset < 11:
        axes = sorted(axes)
    axes = [a - rank if d.chance(0.4) and d.opset >= 11 else a for a in axes]
    return with_axes(d, d.data(x, d.dtype()), axes)


@row("Concat")
def concat(d):
    x, dtype = d.shape(least=1), d.dtype()
    axis = d.axis(len(x), negative=d.opset >= 11)
    shapes = [list(x) for _ in range(d.whole(1, 4))]
    for shape in shapes:
        shape[axis] = d.whole(0, 4)
    return d.case([d.data(s, dtype) for s in shapes], attrs={"axis": axis})


@row("Split")
def split(d):
    x = list(d.shape(least=1))
    axis = d.axis(len(x), negative=d.opset >= 11)
    parts = d.whole(1, 4)
    attrs = d.attrs(axis=axis)
    axis = attrs.get("axis", 0)
    sizes = [d.whole(0, 3) for _ in range(parts)]
    if d.chance():
        x[axis] = sum(sizes)
        data = d.data(x, d.dtype())
        if d.opset < 13:
            return d.case([data], parts, attrs=attrs | {"split": sizes})
        return d.case([data, np.array(sizes, np.int64)], parts, attrs=attrs)
    x[axis] = parts * d.whole(1, 3)
    if d.opset >= 18:
        attrs["num_outputs"] = parts
        # The last part may be smaller, as long as something is left for it.
        x[axis] -= int(parts > 1 and x[axis] > parts and d.chance())
    return d.case([d.data(x, d.dtype())], parts, attrs=attrs)


@row("Slice")
def slices(d):
    x = d.shape(least=1)
    axes = d.rng.permutation(len(x))[:d.whole(1, len(x))].tolist()
    starts = [d.whole(-x[a] - 1, x[a] + 1) for a in axes]
    far = np.iinfo(np.int32).max
    ends = [d.pick(d.whole(-x[a] - 2, x[a] + 2), far) for a in axes]
    dtype = d.dtype()
    if d.opset < 10:
        return d.case([d.data(x, dtype)], attrs={"starts": starts, "ends": ends, "axes": axes})
    steps = [d.pick(1, 1, 2, 3, -1, -2) for _ in axes]
    # ONNX Runtime reads a far end with a negative step as "to the start"; by the text it is
    # brought to the last element.
    ends = [-x[a] - 1 if step < 0 and (d.chance() or end == far) else end
            for a, step, end in zip(axes, steps, ends)]
    axes = [a - len(x) if d.chance(0.4) and d.opset >= 11 else a for a in axes]
    kind = d.pick(np.int64, np.int32)
    named = [np.array(v, kind) for v in (starts, ends, axes, steps)]
    if d.chance(0.3):
        named[3] = None
    elif sorted(axes) == axes and axes == list(range(len(axes))) and d.chance():
        named[2] = None
    return d.case([d.data(x, dtype), *named])


@row("Pad")
def pad(d):
    modes = ("constant", "constant", "reflect", "edge") + (("wrap",) if d.opset >= 19 else ())
    mode = d.pick(*modes)
    x = d.shape(least=1, low=2, zero=mode == "constant")
    dtype = d.dtype(("float32", "int64", "float64", "int32", "bool", "uint8"))
    axes = list(range(len(x)))
    if d.opset >= 18 and d.chance():
        axes = d.axes(len(x), least=1)
    low = -1 if mode == "constant" and 0 not in x else 0
    pads = [d.whole(low, 1 if mode == "reflect" else min(x[a % len(x)], 3) if mode == "wrap" else 3)
            for a in axes * 2]
    attrs = {"mode": mode} if mode != "constant" else {}
    if d.opset < 11:
        return d.case([d.data(x, dtype)], attrs=attrs | {"pads": pads} | d.attrs(value=1.5))
    value = np.array(d.data((), dtype)) if mode == "constant" and d.chance() else None
    inputs = [d.data(x, dtype), np.array(pads, np.int64), value]
    if axes != list(range(len(x))):
        inputs.append(np.array(axes, np.int64))
    return d.case(inputs, attrs=attrs)


@row("Tile")
def tile(d):
    x = d.shape(least=1)
    repeats = [d.whole(0 if d.zero else 1, 3) for _ in x]
    return d.case([d.data(x, d.dtype()), np.array(repeats, np.int64)])


@row("Expand")
def expand(d):
    x, to = d.broadcast(2)
    return d.case([d.data(x, d.dtype()), np.array(to, np.int64)])


@row("Shape")
def shape(d):
    attrs = d.attrs(start=d.whole(-5, 5), end=d.whole(-5, 5)) if d.opset >= 15 else {}
    return d.case([d.data(d.shape(), d.dtype())], attrs=attrs)


@row("Size")
def size(d):
    return d.case([d.data(d.shape(), d.dtype())])


# ---- Gathering and scattering ----

def full_shape(d, **more):
    """A shape of which something can be picked."""
    d.zero, zero = False, d.zero
    made = d.shape(least=1, **more)
    d.zero = zero
    return made


@row("Gather")
def gather(d):
    x = full_shape(d)
    axis = d.axis(len(x))
    index = d.indices(d.shape(most=2), x[axis], negative=d.opset >= 11)
    return d.case([d.data(x, d.dtype()), index], attrs=d.attrs(axis=axis)
                  if x[axis] <= x[0] and axis else {"axis": axis})


def picked(d, x, axis):
    """Indices with the rank of x, for GatherElements and ScatterElements."""
    shape = [d.whole(1, n) for n in x]
    if d.zero:
        shape[axis] = 0
    return d.indices(shape, x[axis])


@row("GatherElements")
def gather_elements(d):
    x = full_shape(d)
    axis = d.axis(len(x))
    return d.case([d.data(x, d.dtype()), picked(d, x, axis)], attrs={"axis": axis})


def places(d, x, batch=0):
    """Indices for GatherND and ScatterND: the last axis has a place in x."""
    depth = d.whole(1, len(x) - batch)
    outer = list(x[:batch]) + list(d.shape(most=2, low=1, high=4))
    columns = [d.indices(outer + [1], x[batch + k], dtype=np.int64) for k in range(depth)]
    return np.concatenate(columns, axis=-1)


@row("GatherND")
def gather_nd(d):
    x = full_shape(d)
    batch = d.whole(0, min(len(x) - 1, 2)) if d.opset >= 12 else 0
    return d.case([d.data(x, d.dtype()), places(d, x, batch)],
                  attrs={"batch_dims": batch} if batch else {})


def reductions(d, dtype):
    allowed = ["none"] + (["add", "mul"] if d.opset >= 16 and dtype != bool else [])
    allowed += ["max", "min"] if d.opset >= 18 and dtype != bool else []
    return d.pick(*allowed)


@row("ScatterElements", "Scatter")
def scatter_elements(d):
    x, dtype = full_shape(d), d.dtype()
    axis = d.axis(len(x), negative=d.opset >= 11)
    index, how = picked(d, x, axis), reductions(d, dtype)
    if how == "none" or d.op == "Scatter":  # the order of equal places is undefined
        index = distinct_along(d, index.shape, x[axis], axis)
    attrs = {"axis": axis} | ({"reduction": how} if how != "none" else {})
    return d.case([d.data(x, dtype), index, d.data(index.shape, dtype)], attrs=attrs)


def distinct_along(d, shape, size, axis):
    index = np.argsort(d.rng.random([size if a == axis % len(shape) else n
                                     for a, n in enumerate(shape)]), axis=axis)
    return np.take(index, range(shape[axis]), axis=axis).astype(d.pick(np.int64, np.int32))


@row("ScatterND")
def scatter_nd(d):
    x, dtype = full_shape(d), d.dtype()
    index, how = places(d, x), reductions(d, dtype)
    if how == "none":
        depth = index.shape[-1]
        count = int(np.prod(x[:depth]))
        flat = d.rng.permutation(count)[:d.whole(0 if d.zero else 1, count)]
        index = np.stack(np.unravel_index(flat, x[:depth]), -1).astype(np.int64)
        index -= np.array(x[:depth]) * d.rng.integers(0, 2, index.shape)
    updates = d.data(index.shape[:-1] + x[index.shape[-1]:], dtype)
    return d.case([d.data(x, dtype), index, updates],
                  attrs={"reduction": how} if how != "none" else {})


@row("TensorScatter")
def tensor_scatter(d):
    batch, length = d.whole(1, 3), d.whole(3, 6)
    x, mode = d.shape(rank=4, zero=False)[2:], d.pick("linear", "circular")
    new = d.whole(1, length)
    high = length - 1 if mode == "circular" else length - new
    where = d.rng.integers(0, high + 1, batch).astype(np.int64)
    dtype = d.dtype(USUAL)
    return d.case([d.data((batch, 2, length, *x), dtype), d.data((batch, 2, new, *x), dtype),
                   where if d.chance(0.8) else None],
                  attrs={"axis": d.pick(2, -len(x) - 1)} | d.attrs(mode=mode))


@row("OneHot")
def one_hot(d):
    x, depth = d.shape(most=3), d.whole(1, 6)
    dtype = np.dtype(d.pick("float32", "int64", "int32", "float32"))
    kind = d.pick("int64", "int64", "float32", "int32")
    index = d.rng.integers(-depth if d.opset >= 11 else 0, depth + 1, x).astype(kind)
    depth = np.array(depth if d.chance() else [depth], kind)
    attrs = d.attrs(axis=d.axis(len(x) + 1))
    return d.case([index, depth, d.data([2], dtype)], attrs=attrs)


@row("DepthToSpace")
def depth_to_space(d):
    b = d.whole(1, 3)
    n, c, h, w = d.shape(rank=4, zero=(0,), high=3)
    attrs = {"blocksize": b} | (d.attrs(mode=d.pick("DCR", "CRD")) if d.opset >= 11 else {})
    return d.case([d.data((n, c * b * b, h, w), d.dtype(("float32", "float64", "int64")))],
                  attrs=attrs)


@row("SpaceToDepth")
def space_to_depth(d):
    b = d.whole(1, 3)
    n, c, h, w = d.shape(rank=4, zero=(0,), high=3)
    return d.case([d.data((n, c, h * b, w * b), d.dtype(("float32", "float64", "int64")))],
                  attrs={"blocksize": b})


@row("Trilu")
def trilu(d):
    x = d.shape(least=2)
    k = np.array(d.whole(-4, 4), np.int64) if d.chance(0.7) else None
    return d.case([d.data(x, d.dtype()), k], attrs=d.attrs(upper=d.pick(0, 1)))


@row("ReverseSequence")
def reverse_sequence(d):
    x = d.shape(least=2, zero=False)
    time = d.pick(0, 1)
    lengths = d.rng.integers(1, x[time] + 1, x[1 - time]).astype(np.int64)
    return d.case([d.data(x, d.dtype()), lengths],
                  attrs={"time_axis": time, "batch_axis": 1 - time})


@row("CenterCropPad")
def center_crop_pad(d):
    x = d.shape(least=1)
    axes = d.axes(len(x), least=1)
    whole = d.chance()
    to = np.array([d.whole(1, 7) for _ in (x if whole else axes)], d.pick(np.int64, np.int32))
    return d.case([d.data(x, d.dtype()), to], attrs={} if whole else {"axes": axes})
