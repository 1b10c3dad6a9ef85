#!/usr/bin/env python3
"""Additive attention in the spellings of recurrent decoders: one small graph for each, and graphs
that are nearly the same and mean something else."""
import sys

import forms


def weights(f, axes):
    return f.g.constant(f.data(axes), "float32")


def repeated(f, x, axis, like, of):
    """x [B, D] as [B, T, D] or [T, B, D]: Expand to the extent of another tensor."""
    extent = f.g.op("Gather", f.g.op("Shape", like), f.g.ints(of))
    ones = f.g.ints(1)
    shape = [ones, ones, ones]
    shape[axis] = extent
    apart = f.g.op("Unsqueeze", x, f.g.ints(axis))
    return f.g.op("Expand", apart, f.g.op("Concat", *shape, axis=0))


def summed_up(f, y, v=None):
    v = v or weights(f, "d1")
    return f.g.op("Squeeze", f.g.op("MatMul", f.g.op("Tanh", y), v), f.g.ints(-1))


def read(f, p, values):
    """[B, T] and [B, T, E]."""
    y = f.g.op("MatMul", f.g.op("Unsqueeze", p, f.g.ints(1)), values)
    f.finish(f.g.op("Squeeze", y, f.g.ints(1)))


def layer_of_both(f):
    """One layer of [state; key], the state repeated for each key."""
    q, k = f.tensor("q", "be"), f.tensor("k", "btd")
    w = weights(f, "wd")
    both = f.g.op("Concat", repeated(f, q, 1, k, 1), k, axis=-1)
    x = f.g.op("Add", f.g.op("MatMul", both, w), weights(f, "d"))
    read(f, f.softmax(summed_up(f, x)), k)


def layer_of_both_by_time(f):
    """The same with time first, keys before the state, and the axes turned after it."""
    q, k = f.tensor("q", "be"), f.tensor("k", "tbd")
    both = f.g.op("Concat", k, f.g.op("Tile", f.g.op("Unsqueeze", q, f.g.ints(0)),
                                      f.g.op("Concat", f.g.op("Gather", f.g.op("Shape", k),
                                                              f.g.ints(0)),
                                             f.g.ints(1, 1), axis=0)), axis=2)
    x = f.g.op("MatMul", both, weights(f, "wd"))
    p = f.g.op("Softmax", summed_up(f, x), axis=0)
    p = f.g.op("Transpose", p, perm=[1, 0])
    read(f, p, f.g.op("Transpose", k, perm=[1, 0, 2]))


def layer_of_pairs(f):
    """Every query beside every key: both are repeated."""
    q, k = f.tensor("q", "bse"), f.tensor("k", "btd")
    s, t = (f.g.op("Gather", f.g.op("Shape", x), f.g.ints(1)) for x in (q, k))
    one = f.g.ints(1)
    a = f.g.op("Expand", f.g.op("Unsqueeze", q, f.g.ints(2)),
               f.g.op("Concat", one, one, t, one, axis=0))
    c = f.g.op("Expand", f.g.op("Unsqueeze", k, f.g.ints(1)),
               f.g.op("Concat", one, s, one, one, axis=0))
    x = f.g.op("MatMul", f.g.op("Concat", a, c, axis=3), weights(f, "wd"))
    f.finish(f.g.op("MatMul", f.softmax(summed_up(f, x)), k))


def step_query(f):
    """[B, 1, D] beside [B, T, D]; the softmax is over axis 1 and the values are summed up."""
    q, k = f.tensor("q", "b1d"), f.tensor("k", "btd")
    x = f.g.op("Add", f.g.op("MatMul", q, weights(f, "dd")), f.g.op("MatMul", k, weights(f, "dd")))
    x = f.g.op("MatMul", f.g.op("Tanh", x), weights(f, "d1"))
    p = f.g.op("Softmax", x, axis=1)
    f.finish(f.g.op("ReduceSum", f.g.op("Mul", p, k), f.g.ints(1), keepdims=0))


def layer_with_bias_at_the_end(f):
    """Linear(1) has a bias; a flat product of all rows."""
    q, k = f.tensor("q", "b1d"), f.tensor("k", "btd")
    x = f.g.op("Tanh", f.g.op("Add", q, k))
    flat = f.g.op("Reshape", x, f.g.ints(-1, 8))
    e = f.g.op("Gemm", flat, weights(f, "1d"), weights(f, "1"), transB=1)
    shape = f.g.op("Slice", f.g.op("Shape", k), f.g.ints(0), f.g.ints(2), f.g.ints(0))
    read(f, f.softmax(f.g.op("Reshape", e, shape)), k)


def vector_and_mask(f):
    q, k = f.tensor("q", "be"), f.tensor("k", "btd")
    m = f.g.input("m", f.rng.random([2, 7]) < 0.7, ["nb", "nt"], "bool")
    x = f.g.op("Add", f.g.op("Unsqueeze", f.g.op("MatMul", q, weights(f, "ed")), f.g.ints(1)), k)
    e = f.g.op("MatMul", f.g.op("Tanh", x), weights(f, "d"))
    read(f, f.softmax(f.do("Where", m, e, -1e9)), k)


def vector_times_tanh(f):
    q, k = f.tensor("q", "bsd"), f.tensor("k", "btd")
    x = f.g.op("Add", f.g.op("Unsqueeze", q, f.g.ints(2)), f.g.op("Unsqueeze", k, f.g.ints(1)))
    e = f.g.op("ReduceSum", f.g.op("Mul", f.g.op("Tanh", x), weights(f, "d")), f.g.ints(-1),
               keepdims=0)
    f.finish(f.g.op("Einsum", f.softmax(e), k, equation="bst,btd->bsd"))


def layer_of_keys(f):
    """A layer over keys alone: a pooling with weights, no attention."""
    k = f.tensor("k", "btd")
    x = f.g.op("Add", f.g.op("MatMul", k, weights(f, "dd")), weights(f, "d"))
    read(f, f.softmax(summed_up(f, x)), k)


def another_curve(f):
    q, k = f.tensor("q", "b1d"), f.tensor("k", "btd")
    e = f.g.op("MatMul", f.g.op("Relu", f.g.op("Add", q, k)), weights(f, "d"))
    read(f, f.softmax(e), k)


FUSED = (layer_of_both, layer_of_both_by_time, layer_of_pairs, step_query,
         layer_with_bias_at_the_end, vector_and_mask, vector_times_tanh)
LEFT = (layer_of_keys, another_curve)


if __name__ == "__main__":
    sys.exit(forms.test(FUSED, LEFT))
