"""What the rows of attention operators share."""
import numpy as np


def case(d, inputs, outputs=1, **more):
    if d.real_type == "float16":  # scores are rounded too
        more["tolerance"] = "coarse"
    return d.case(inputs, outputs, form=d.ranked(), **more)


def ints(*values):
    return np.array(values, np.int32)


def numbers(d, *shape):
    return d.data(shape, d.real_type, -1.5, 1.5)


def types(d):
    """Most cases are in float32; the others round."""
    d.real_type = d.pick("float32", "float32", "float32", "float16")


def value(d, x):
    return x if d.chance() else None


def extents(d):
    """Batch and rows; one case in seven has none of either, where ONNX Runtime gives up."""
    batch, rows = d.whole(1, 3), d.whole(1, 6)
    return d.pick((0, rows), (batch, 0)) if d.zero else (batch, rows)


def padded(d, batch, total, least=1):
    """A mask with ones in one run a sequence."""
    mask = np.zeros((batch, total), np.int32)
    for one in mask:
        # A causal row that sees padding alone has scores that only float32 tells apart.
        start = d.whole(0, total - least) if d.real_type == "float32" and d.chance(0.3) else 0
        one[start:d.whole(start + least, total)] = 1
    return mask


def filter_value(d):
    return d.pick(None, -10000.0, -1000.0, -3.4028234663852886e38)


def tables(d, most, size):
    angles = d.rng.uniform(-3, 3, (most, size))
    return np.cos(angles).astype(d.real_type), np.sin(angles).astype(d.real_type)


def integer_mask(d, batch, rows, total, kinds):
    kind = d.pick(*kinds)
    if kind == "none" or total == 0:
        return None
    if kind == "B":
        return d.rng.integers(1, total + 1, batch).astype(np.int32)
    if kind == "2B":
        ends = d.rng.integers(1, total + 1, batch)
        starts = d.rng.integers(0, ends) if d.real_type == "float32" else 0 * ends
        return np.concatenate([ends, starts]).astype(np.int32)
    if kind == "3B+2":
        ends = d.rng.integers(1, total + 1, batch)
        starts = np.concatenate([[0], np.cumsum(ends)])
        return np.concatenate([ends, starts, starts]).astype(np.int32)
    if kind == "BT":
        return padded(d, batch, total)
    if kind == "BST":
        mask = d.rng.integers(0, 2, (batch, rows, total)).astype(np.int32)
        mask[..., 0] = 1
        return mask
    most = total + d.whole(0, 3)
    return np.tril(np.ones((batch, 1, most, most), np.int32))


def packing(d):
    """(batch, rows, counts, token_offset, cumulated counts)"""
    batch, rows = d.whole(1, 4), d.whole(1, 6)
    counts = d.rng.integers(0, rows + 1, batch)
    counts[d.whole(0, batch - 1)] = rows
    there = np.arange(rows) < counts[:, None]
    flat = np.arange(batch * rows).reshape(batch, rows)
    offsets = np.concatenate([flat[there], flat[~there]]).reshape(batch, rows).astype(np.int32)
    return batch, rows, counts, offsets, np.cumsum([0, *counts]).astype(np.int32)
