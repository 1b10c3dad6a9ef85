#!/usr/bin/env python3
"""Attention whose softmax, weights or operands take an unusual form, one small graph for each: a
softmax in pieces, something between weights and values, queries that are learned, two types.

Each graph is evaluated in float64 while it is written down; heed runs it with and without fusion.
"""
import sys
import tempfile

import judge as judging

try:
    import numpy as np

    from choice import Choices
    from trace import Graph
except ImportError as error:
    judging.corpora.skip(f"{error}; the packages of tests/requirements.txt are needed")

MODES = (("--attention", "off"), ("--attention", "auto"),
         ("--attention", "auto", "--backends", "reference"))
SIZES = {"b": 2, "h": 3, "s": 5, "t": 7, "d": 8, "1": 1}


class Form:
    """Inputs by the letters of their axes; b, s and t are symbolic."""

    def __init__(self, name):
        self.g = Graph(Choices(1, len(name)), 20)
        self.rng = np.random.default_rng([3, *name.encode()])

    def data(self, axes):
        return self.rng.standard_normal([SIZES[a] for a in axes])

    def tensor(self, name, axes, dtype="float32"):
        dims = [f"n{a}" if a in "bst" else SIZES[a] for a in axes]
        return self.g.input(name, self.data(axes), dims, dtype)

    def do(self, kind, *inputs, **attrs):
        made = [self.g.constant(np.array(x), "float32") if isinstance(x, (int, float)) else x
                for x in inputs]
        return self.g.op(kind, *made, **attrs)

    def scores(self, q=None, k=None):
        k = k or self.tensor("k", "bhtd")
        turned = self.g.op("Transpose", k, perm=[0, 1, 3, 2])
        return self.g.op("MatMul", q or self.tensor("q", "bhsd"), turned)

    def scaled(self):
        return self.do("Mul", self.scores(), 0.35)

    def softmax(self, x):
        return self.g.op("Softmax", x, axis=-1)

    def total(self, x):
        return self.g.op("ReduceSum", x, self.g.ints(-1))

    def values(self, weights, v=None):
        return self.g.op("MatMul", weights, v or self.tensor("v", "bhtd"))

    def finish(self, y):
        self.g.output(y, "y")


def without_largest(f):
    e = f.g.op("Exp", f.scaled())
    f.finish(f.values(f.do("Div", e, f.total(e))))


def divided_late(f):
    x = f.scaled()
    e = f.g.op("Exp", f.g.op("Sub", x, f.g.op("ReduceMax", x, f.g.ints(-1))))
    f.finish(f.do("Mul", f.values(e), f.g.op("Reciprocal", f.total(e))))


def one_in_the_sum(f):
    e = f.g.op("Exp", f.scaled())
    f.finish(f.values(f.do("Div", e, f.do("Add", f.total(e), 1.0))))


def powers_of_two(f):
    e = f.do("Pow", 2.0, f.scaled())
    f.finish(f.values(f.do("Div", e, f.total(e))))


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


def keys_weighed(f, small=None):
    p = f.do("Mul", f.softmax(f.scaled()), f.g.op("Abs", f.tensor("m", "b11t")))
    s = f.total(p)
    f.finish(f.values(f.do("Div", p, f.do("Add", s, small) if small else s)))


def keys_weighed_a_little_less(f):
    keys_weighed(f, 0.01)


def seen(f):
    """The first row sees nothing."""
    m = f.rng.random([SIZES["s"], SIZES["t"]]) < 0.6
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


def learned_queries(f):
    q = f.g.constant(f.data("1hsd"), "float32")
    f.finish(f.values(f.softmax(f.scores(q))))


def products_in_two_types(f):
    q = f.g.cast(f.tensor("q", "bhsd", "float16"), "float32")
    k = f.g.cast(f.tensor("k", "bhtd", "float16"), "float32")
    p = f.g.cast(f.softmax(f.do("Mul", f.scores(q, k), 0.35)), "float16")
    f.finish(f.values(p, f.tensor("v", "bhtd", "float16")))


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


FUSED = (without_largest, divided_late, one_in_the_sum, powers_of_two, axes_put_back, sink_before,
         sink_behind, keys_weighed, keys_weighed_a_little_less, weights_masked,
         weights_masked_with_guard, learned_queries, products_in_two_types)
LEFT = (layer_that_scores, sum_of_another, weighed_beside_the_sum)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for make in FUSED + LEFT:
            form = Form(make.__name__)
            make(form)
            kind = "half" if make is products_in_two_types else "full"
            judging.write_case(f"{folder}/{kind}/{make.__name__}", form.g.model(),
                               form.g.given.values(), form.g.results.values())
        verdicts = judging.judge(folder, MODES)
    failed = 0
    for make in FUSED + LEFT:
        verdict = verdicts[make.__name__]
        wrong = list(verdict.wrong)
        if make in FUSED and not verdict.fused:
            wrong.append(f"not recognised: {'; '.join(verdict.reasons)}")
        if make in LEFT and verdict.fused:
            wrong.append("recognised")
        failed += bool(wrong)
        for text in wrong:
            print(f"{make.__name__}: {text}")
    print(f"{len(FUSED + LEFT) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
