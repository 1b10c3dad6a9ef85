#!/usr/bin/env python3
"""Attention of which a part is written by itself: biases that are added to some of the scores and
written back, columns beside the values, one logit of padding, queries and keys that are repeated
for each other."""
import sys

import forms

try:
    import numpy as np
except ImportError:
    np = None  # forms.py says so and leaves

LAST = 2**62


def square_scores(f):
    """Of as many queries as keys, a fixed number: [b, h, w, w]."""
    return f.do("Mul", f.scores(f.tensor("q", "bhwd"), f.tensor("k", "bhwd")), 0.35)


def attend(f, x):
    f.finish(f.values(f.softmax(x), f.tensor("v", "bhwd")))


def part(f, x, axis, start):
    return f.g.op("Slice", x, f.g.ints(start), f.g.ints(LAST), f.g.ints(axis))


def corner(f, x, start=1):
    return part(f, part(f, x, 2, start), 3, start)


def rows(start, end):
    return np.arange(start, end).reshape(-1, 1)


def write(f, x, indices, update, **attrs):
    """ScatterND, which changes no constants of its inputs."""
    return f.g.op("ScatterND", x, f.g.constant(indices), update, **attrs)


def turned(f, x):
    return f.g.op("Transpose", x, perm=[3, 1, 2, 0])


def write_corner(f, x, update, start=1):
    """Rows of a transposed matrix, twice: a part of the keys within a part of the queries."""
    some = part(f, x, 2, start)
    inner = write(f, turned(f, some), rows(start, 12), turned(f, update))
    over_queries = f.g.op("Transpose", inner, perm=[2, 1, 3, 0])
    of_x = f.g.op("Transpose", x, perm=[2, 1, 0, 3])
    outer = write(f, of_x, rows(start, 12), over_queries)
    return f.g.op("Transpose", outer, perm=[2, 1, 0, 3])


def bias(f, n=11):
    return f.g.constant(f.rng.standard_normal([3, n, n]), "float32")


def bias_of_a_part(f):
    x = square_scores(f)
    attend(f, write_corner(f, x, f.g.op("Add", corner(f, x), bias(f))))


def biases_of_a_part_by_the_data(f):
    x = square_scores(f)
    one = f.g.op("ReduceSum", f.tensor("m", "bhwd"), f.g.ints(-1))
    made = f.g.op("Add", corner(f, x), part(f, one, 2, 1))
    attend(f, write_corner(f, x, f.g.op("Add", made, bias(f))))


def written_back_as_it_was(f):
    x = square_scores(f)
    attend(f, write_corner(f, x, corner(f, x)))


def bias_of_some_queries(f):
    """Places by all coordinates, as far as they go: batch and heads are fixed here."""
    q, k, v = (f.g.input(n, f.data("bhwd"), [2, 3, 12, 8], "float32") for n in "qkv")
    x = f.scores(q, k)
    at = np.stack(np.meshgrid(*map(np.arange, (2, 3)), np.arange(2, 12), indexing="ij"), -1)
    some = f.g.op("Add", part(f, x, 2, 2), f.g.constant(f.rng.standard_normal([10, 12]), "float32"))
    f.finish(f.values(f.softmax(write(f, x, at, some)), v))


def coordinates(f, x, first):
    """As exporters compute them for a batch of any size: each along its own axis, repeated."""
    size = f.g.op("Gather", f.g.op("Shape", x), f.g.constant(np.array(0)))
    batch = f.g.op("Range", f.g.constant(np.array(0)), size, f.g.constant(np.array(1)))
    axes = [f.g.op("Reshape", batch, f.g.ints(-1, 1, 1, 1)),
            f.g.constant(np.arange(3).reshape(3, 1, 1)),
            f.g.constant(np.arange(first, 12).reshape(-1, 1)), f.g.constant(np.arange(1, 12))]
    shape = f.g.op("Concat", f.g.op("Unsqueeze", size, f.g.ints(0)), f.g.ints(3, 12 - first, 11),
                   axis=0)
    parts = [f.g.op("Unsqueeze", f.g.op("Expand", a, shape), f.g.ints(-1)) for a in axes]
    return f.g.op("Concat", *parts, axis=-1)


def bias_of_a_part_of_any_batch(f):
    x = square_scores(f)
    some = f.g.op("Add", corner(f, x), bias(f))
    attend(f, f.g.op("ScatterND", x, coordinates(f, x, 1), some))


def other_rows_of_any_batch(f):
    """The slice begins elsewhere."""
    x = square_scores(f)
    some = f.g.op("Slice", corner(f, x), f.g.ints(0), f.g.ints(10), f.g.ints(2))
    made = f.g.op("Add", some, f.g.constant(f.rng.standard_normal([3, 10, 11]), "float32"))
    attend(f, f.g.op("ScatterND", x, coordinates(f, x, 2), made))


def part_of_other_places(f):
    x = square_scores(f)
    other = f.g.op("Slice", f.g.op("Slice", x, f.g.ints(0), f.g.ints(11), f.g.ints(2)),
                   f.g.ints(1), f.g.ints(LAST), f.g.ints(3))
    attend(f, write_corner(f, x, f.g.op("Add", other, bias(f))))


def part_of_others(f):
    x = square_scores(f)
    attend(f, write_corner(f, x, f.g.op("Add", corner(f, f.do("Mul", x, 2.0)), bias(f))))


def rows_out_of_order(f):
    x = square_scores(f)
    back = f.g.op("Transpose", x, perm=[2, 0, 1, 3])
    made = write(f, back, rows(0, 12)[::-1], f.do("Add", back, 1.0))
    attend(f, f.g.op("Transpose", made, perm=[1, 2, 0, 3]))


def column(f, number):
    x = f.scaled()
    e = f.g.op("Exp", f.g.op("Sub", x, f.g.op("ReduceMax", x, f.g.ints(-1))))
    v = f.tensor("v", "bhtd")
    beside = f.g.op("Expand", f.g.constant(np.array([number]), "float32"),
                    f.g.op("Shape", f.g.op("Slice", v, f.g.ints(0), f.g.ints(1), f.g.ints(3))))
    all_columns = f.g.op("MatMul", e, f.g.op("Concat", v, beside, axis=-1))
    y = f.g.op("Slice", all_columns, f.g.ints(0), f.g.ints(-1), f.g.ints(-1))
    f.finish(f.g.op("Div", y, f.g.op("Slice", all_columns, f.g.ints(-1), f.g.ints(LAST),
                                     f.g.ints(3))))


def column_of_ones(f):
    column(f, 1.0)


def column_of_twos(f):
    column(f, 2.0)


def padded(f, *pads):
    x = f.g.op("Pad", f.scaled(), f.g.ints(*pads))
    back = f.g.op("Slice", f.softmax(x), f.g.ints(pads[3]), f.g.ints(-pads[7] or LAST),
                  f.g.ints(3))
    f.finish(f.values(back))


def one_logit_behind(f):
    padded(f, 0, 0, 0, 0, 0, 0, 0, 1)


def one_logit_before(f):
    padded(f, 0, 0, 0, 1, 0, 0, 0, 0)


def two_logits(f):
    padded(f, 0, 0, 0, 1, 0, 0, 0, 1)


def repeated_cosines(f):
    """Both are repeated before each is divided by its length."""
    q, k = f.tensor("q", "bhsd"), f.tensor("k", "bhtd")
    shape = f.g.op("Concat", f.g.op("Shape", f.scores(q, k)), f.g.ints(8), axis=0)
    both = []
    for x, axis in ((q, 3), (k, 2)):
        many = f.g.op("Expand", f.g.op("Unsqueeze", x, f.g.ints(axis)), shape)
        length = f.g.op("Sqrt", f.g.op("ReduceSum", f.g.op("Mul", many, many), f.g.ints(-1)))
        both.append(f.g.op("Div", many, f.do("Max", length, 1e-6)))
    cosine = f.g.op("ReduceSum", f.g.op("Mul", *both), f.g.ints(-1), keepdims=0)
    f.finish(f.values(f.softmax(f.do("Mul", cosine, 10.0))))


def masked_again_by_both(f):
    """Queries and keys that are padding, with numbers for which hidden keys are not certain to
    vanish."""
    s = f.g.op("Greater", f.tensor("m", "b1s1"), f.g.constant(np.array(-0.5), "float32"))
    t = f.g.op("Greater", f.tensor("n", "b11t"), f.g.constant(np.array(-0.5), "float32"))
    hidden = f.g.op("Not", f.g.op("And", s, t))
    x = f.do("Where", hidden, -3.0, f.scaled())
    f.finish(f.values(f.do("Where", hidden, 0.0, f.softmax(x))))


def bounded_in_two_steps(f):
    x = f.do("Min", f.do("Max", f.scaled(), -0.5), 0.75)
    f.finish(f.values(f.softmax(x)))


def bounded_twice_from_above(f):
    x = f.do("Min", f.do("Mul", f.do("Min", f.scaled(), 0.5), 2.0), 0.75)
    f.finish(f.values(f.softmax(x)))


FUSED = (bias_of_a_part, biases_of_a_part_by_the_data, written_back_as_it_was,
         bias_of_some_queries, bias_of_a_part_of_any_batch, column_of_ones, one_logit_behind,
         one_logit_before, repeated_cosines, masked_again_by_both, bounded_in_two_steps)
LEFT = (other_rows_of_any_batch, part_of_other_places, part_of_others, rows_out_of_order,
        column_of_twos, two_logits, bounded_twice_from_above)


if __name__ == "__main__":
    sys.exit(forms.test(FUSED, LEFT))
