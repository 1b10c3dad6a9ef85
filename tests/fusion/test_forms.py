#!/usr/bin/env python3
"""Attention whose softmax, weights or operands take an unusual form, one small graph for each: a
softmax in pieces, something between weights and values, queries that are learned, two types."""
import sys

import forms

try:
    import numpy as np
except ImportError:
    np = None  # forms.py says so and leaves


def without_largest(f):
    e = f.g.op("Exp", f.scaled())
    f.finish(f.values(f.do("Div", e, f.total(e))))


def divided_late(f):
    x = f.scaled()
    e = f.g.op("Exp", f.g.op("Sub", x, f.g.op("ReduceMax", x, f.g.ints(-1))))
    f.finish(f.do("Mul", f.values(e), f.g.op("Reciprocal", f.total(e))))


def divided_after_moves(f):
    """[B, S, H * E], divided by a sum that lacks the keys' axis."""
    e = f.g.op("Exp", f.scaled())
    total = f.g.op("ReduceSum", e, f.g.ints(-1), keepdims=0)
    y = f.g.op("Transpose", f.values(e), perm=[0, 2, 1, 3])
    total = f.g.op("Unsqueeze", f.g.op("Transpose", total, perm=[0, 2, 1]), f.g.ints(-1))
    f.finish(f.g.op("Reshape", f.g.op("Div", y, total), f.g.ints(0, 0, -1)))


def divided_by_other_heads(f):
    """Each head by the sum of the next."""
    e = f.g.op("Exp", f.scaled())
    other = f.g.op("Gather", f.total(e), f.g.constant(np.array([1, 2, 0])), axis=1)
    f.finish(f.do("Div", f.values(e), other))


def one_in_the_sum(f):
    e = f.g.op("Exp", f.scaled())
    f.finish(f.values(f.do("Div", e, f.do("Add", f.total(e), 1.0))))


def powers_of_two(f):
    e = f.do("Pow", 2.0, f.scaled())
    f.finish(f.values(f.do("Div", e, f.total(e))))


def powers(f, x):
    """Of scores less their largest, so that no sum is below 1."""
    return f.g.op("Exp", f.g.op("Sub", x, f.g.op("ReduceMax", x, f.g.ints(-1))))


def sum_that_is_bounded(f):
    e = powers(f, f.scaled())
    f.finish(f.values(f.do("Div", e, f.do("Max", f.total(e), 1e-6))))


def sum_and_next_to_nothing(f):
    e = powers(f, f.scaled())
    f.finish(f.values(f.do("Div", e, f.do("Add", f.total(e), 1e-9))))


def bounded_above_one(f):
    e = powers(f, f.scaled())
    f.finish(f.values(f.do("Div", e, f.do("Max", f.total(e), 1.5))))


def bounded_without_the_largest(f):
    e = f.g.op("Exp", f.scaled())
    f.finish(f.values(f.do("Div", e, f.do("Max", f.total(e), 1.0))))


def sum_and_a_little(f):
    e = powers(f, f.scaled())
    f.finish(f.values(f.do("Div", e, f.do("Add", f.total(e), 0.01))))


def scores_above_nothing(f):
    f.finish(f.values(f.softmax(f.g.op("Relu", f.scaled()))))


def biases_above_nothing(f):
    x = f.g.op("Relu", f.g.op("Add", f.scaled(), f.tensor("m", "b1st")))
    f.finish(f.values(f.softmax(x)))


def axes_put_back(f):
    x = f.scaled()
    top = f.g.op("Unsqueeze", f.g.op("ReduceMax", x, f.g.ints(3), keepdims=0), f.g.ints(-1))
    e = f.g.op("Exp", f.g.op("Sub", x, f.do("Max", -float("inf"), top)))
    s = f.g.op("Unsqueeze", f.g.op("ReduceSum", e, f.g.ints(3), keepdims=0), f.g.ints(-1))
    f.finish(f.values(f.do("Div", e, s)))


def sink(f, first):
    x = f.scaled()
    rows = f.g.op("Expand", f.g.constant(f.data("1h11"), "float32"),
                  f.g.op("Shape", f.total(x)))
    parts = (rows, x) if first else (x, rows)
    p = f.softmax(f.g.op("Concat", *parts, axis=-1))
    start, end = (1, 2**62) if first else (0, -1)
    f.finish(f.values(f.g.op("Slice", p, f.g.ints(start), f.g.ints(end), f.g.ints(3))))


def sink_before(f):
    sink(f, True)


def sink_behind(f):
    sink(f, False)


def sinks_of_heads_that_share(f):
    """All heads have the same keys: they lie in one axis with the queries."""
    heads = f.tensor("q", "bhsd")
    q = f.g.op("Reshape", heads, f.g.ints(0, -1, forms.SIZES["d"]))
    k = f.g.op("Transpose", f.tensor("k", "btd"), perm=[0, 2, 1])
    x = f.do("Mul", f.g.op("MatMul", q, k), 0.35)
    rows = f.g.op("Shape", f.g.op("ReduceSum", heads, f.g.ints(-1)))
    sinks = f.g.op("Expand", f.g.constant(f.data("1h11"), "float32"), rows)
    sinks = f.g.op("Reshape", sinks, f.g.ints(0, -1, 1))
    p = f.softmax(f.g.op("Concat", x, sinks, axis=-1))
    p = f.g.op("Slice", p, f.g.ints(0), f.g.ints(-1), f.g.ints(2))
    f.finish(f.values(p, f.tensor("v", "bte")))


def half_that_is_bounded(f):
    """Two masks add the lowest number of float16; their sum is infinite."""
    q, k, v = (f.tensor(name, axes, "float16") for name, axes in
               (("q", "bhsd"), ("k", "bhtd"), ("v", "bhte")))
    zero, low, scale = (f.g.constant(np.array(x), "float16") for x in (0.0, -65504.0, 0.35))
    x = f.g.op("Mul", f.scores(q, k), scale)
    for name, dims in (("m", "st"), ("p", "b11t")):
        seen = f.rng.random([forms.SIZES[a] for a in dims]) < 0.6
        seen[..., 0] = True
        seen = f.g.input(name, seen, [f"n{a}" if a in "bst" else 1 for a in dims], "bool")
        x = f.g.op("Add", x, f.g.op("Where", seen, zero, low))
    f.finish(f.values(f.softmax(f.g.op("Max", x, low)), v))


def scaled_after_masks(f, first):
    """What both masks hide is infinite: two of the lowest numbers, summed before the scale."""
    x, low = f.scores(), -3.4028234663852886e38
    for name, dims in (("m", "st"), ("p", "b11t")):
        shape = [forms.SIZES[a] for a in dims]
        m = f.rng.random(shape) < 0.5
        m[(0,) * (len(shape) - 1)] = False
        m = f.g.input(name, m, [f"n{a}" if a in "bst" else 1 for a in dims], "bool")
        added = f.do("Where", m, 0.0, low)
        x = f.do("Where", m, x, low) if name == first else f.do("Add", x, added)
    f.finish(f.values(f.softmax(f.do("Div", x, 2.83))))


def scaled_after_masks_that_are_added(f):
    scaled_after_masks(f, "")


def scaled_after_masks_of_two_kinds(f):
    scaled_after_masks(f, "m")


def keys_weighed(f, small=None):
    p = f.do("Mul", f.softmax(f.scaled()), f.g.op("Abs", f.tensor("m", "b11t")))
    s = f.total(p)
    f.finish(f.values(f.do("Div", p, f.do("Add", s, small) if small else s)))


def keys_weighed_a_little_less(f):
    keys_weighed(f, 0.01)


def seen(f):
    """The first row sees nothing."""
    m = f.rng.random([forms.SIZES["s"], forms.SIZES["t"]]) < 0.6
    m[0] = False
    return f.g.cast(f.g.input("m", m, ["ns", "nt"], "bool"), "float32")


def weights_masked(f):
    p = f.do("Mul", f.softmax(f.scaled()), seen(f))
    f.finish(f.values(f.do("Div", p, f.total(p))))


def weights_masked_with_guard(f):
    p = f.do("Mul", f.softmax(f.scaled()), seen(f))
    s = f.total(p)
    some = f.do("Greater", s, 0.0)
    p = f.do("Div", p, f.do("Where", some, s, 1.0))
    f.finish(f.values(f.do("Where", some, p, 0.0)))


def selected_by_numbers(f, low=-1e9, other=False):
    """Scores times ones and zeros and a number elsewhere, and so are the weights."""
    def select(m, x, number):
        rest = f.g.cast(f.g.op("Not", m), "float32")
        return f.g.op("Add", f.g.op("Mul", f.g.cast(m, "float32"), x), f.do("Mul", number, rest))
    m = f.g.op("Greater", f.tensor("m", "11st"), f.g.constant(np.array(0.0), "float32"))
    p = f.softmax(select(m, f.scaled(), low))
    if other:
        m = f.g.op("Greater", f.tensor("o", "11st"), f.g.constant(np.array(0.0), "float32"))
    f.finish(f.values(select(m, p, 0.0)))


def selected_by_another(f):
    selected_by_numbers(f, other=True)


def selected_and_hardly_hidden(f):
    selected_by_numbers(f, low=-3.0)


def hidden_by_ones(f):
    """The fill is a number times ones in the shape of the scores."""
    x = f.scaled()
    m = f.g.op("Greater", f.tensor("m", "b1st"), f.g.constant(np.array(0.0), "float32"))
    ones = f.g.op("Expand", f.g.constant(np.ones(1), "float32"), f.g.op("Shape", x))
    f.finish(f.values(f.softmax(f.g.op("Where", m, x, f.do("Mul", ones, -9e15)))))


def shifted_bias_and_a_mask_again(f):
    """Positions relative to the query, moved by a column; the keys' mask hides weights as well."""
    q = f.tensor("q", "bhsd")
    r = f.g.op("MatMul", q, f.g.op("Transpose", f.tensor("r", "bhtd"), perm=[0, 1, 3, 2]))
    none = f.g.op("Expand", f.g.constant(np.zeros(1), "float32"), f.g.op("Shape", f.total(r)))
    moved = f.g.op("Concat", none, f.g.op("Slice", r, f.g.ints(0), f.g.ints(-1), f.g.ints(3)),
                   axis=-1)
    x = f.do("Mul", f.g.op("Add", f.scores(q), moved), 0.35)
    m = f.g.op("Greater", f.tensor("m", "b11t"), f.g.constant(np.array(1.0), "float32"))
    p = f.softmax(f.g.op("Where", m, f.g.constant(np.array(-3.0e38), "float32"), x))
    f.finish(f.values(f.g.op("Where", m, f.g.constant(np.array(0.0), "float32"), p)))


def learned_queries(f):
    q = f.g.constant(f.data("1hsd"), "float32")
    f.finish(f.values(f.softmax(f.scores(q))))


def products_in_two_types(f):
    q = f.g.cast(f.tensor("q", "bhsd", "float16"), "float32")
    k = f.g.cast(f.tensor("k", "bhtd", "float16"), "float32")
    p = f.g.cast(f.softmax(f.do("Mul", f.scores(q, k), 0.35)), "float16")
    f.finish(f.values(p, f.tensor("v", "bhtd", "float16")))


def values_that_are_made(f):
    """Ones on the diagonal, of extents alone: nothing is attended to."""
    q = f.tensor("q", "bhsd")
    p = f.softmax(f.scores(q, q))
    n = f.g.op("Slice", f.g.op("Shape", q), f.g.ints(2), f.g.ints(3), f.g.ints(0))
    ones = f.g.constant(np.ones([1, 1]), "float32")
    square = f.g.op("Expand", ones, f.g.op("Concat", n, n, axis=0))
    f.finish(f.g.op("MatMul", p, square))


def layer_that_scores(f):
    """Weights that score each key: a pooling, no attention."""
    x = f.tensor("x", "btd")
    s = f.g.op("MatMul", x, f.g.constant(f.data("dh"), "float32"))
    p = f.softmax(f.g.op("Transpose", s, perm=[0, 2, 1]))
    f.finish(f.g.op("MatMul", p, x))


def sum_of_another(f):
    e = f.g.op("Exp", f.scaled())
    f.finish(f.values(f.do("Div", e, f.total(f.do("Mul", e, e)))))


def weighed_beside_the_sum(f):
    p = f.softmax(f.scaled())
    w = f.do("Mul", p, f.g.op("Abs", f.tensor("m", "bhst")))
    f.finish(f.values(f.do("Div", w, f.total(w))))


FUSED = (without_largest, divided_late, divided_after_moves, one_in_the_sum, powers_of_two,
         axes_put_back, sink_before, sink_behind, sinks_of_heads_that_share, keys_weighed,
         keys_weighed_a_little_less, weights_masked, weights_masked_with_guard,
         selected_by_numbers, hidden_by_ones,
         shifted_bias_and_a_mask_again, scaled_after_masks_that_are_added,
         scaled_after_masks_of_two_kinds, learned_queries, products_in_two_types,
         sum_that_is_bounded, sum_and_next_to_nothing, scores_above_nothing, half_that_is_bounded)
LEFT = (layer_that_scores, divided_by_other_heads, sum_of_another, weighed_beside_the_sum,
        bounded_above_one, bounded_without_the_largest, sum_and_a_little, biases_above_nothing,
        values_that_are_made, selected_by_another, selected_and_hardly_hidden)


if __name__ == "__main__":
    sys.exit(forms.test(FUSED, LEFT, half=(products_in_two_types, half_that_is_bounded)))
