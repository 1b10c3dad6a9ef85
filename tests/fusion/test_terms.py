#!/usr/bin/env python3
"""What is done to scores, one small graph for each: biases, masks, factors and bounds in orders
that no formula of attention has.

Each graph is evaluated in float64 while it is written down; heed runs it with and without fusion.
Whether it must be recognised stands in the table.
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
BATCH, HEADS, ROWS, KEYS, SIZE = 2, 3, 5, 7, 8
DIMS = {"b": BATCH, "h": HEADS, "s": ROWS, "t": KEYS}


class Case:
    """Queries, keys and values, the scores of the first two, and what is put on them."""

    def __init__(self, name):
        self.g = Graph(Choices(1, len(name)), 20)
        self.rng = np.random.default_rng([7, *name.encode()])
        self.q = self.tensor("q", "bhs", SIZE)
        self.k = self.tensor("k", "bht", SIZE)
        self.v = self.tensor("v", "bht", SIZE)

    def tensor(self, name, axes, last=None):
        shape = [DIMS.get(a, 1) for a in axes] + ([last] if last else [])
        dims = [f"n{a}" if a in DIMS else 1 for a in axes] + ([last] if last else [])
        return self.g.input(name, self.rng.standard_normal(shape), dims, "float32")

    def mask(self, name, axes):
        """True attends; the first row, or sequence, sees nothing."""
        seen = self.rng.random([DIMS.get(a, 1) for a in axes]) < 0.6
        seen[(0,) if axes[0] == "b" else (slice(None), slice(None), 0)] = False
        return self.g.input(name, seen, [f"n{a}" if a in DIMS else 1 for a in axes], "bool")

    def number(self, x):
        return self.g.constant(np.array(x), "float32")

    def do(self, kind, *inputs, **attrs):
        made = [self.number(x) if isinstance(x, (int, float)) else x for x in inputs]
        return self.g.op(kind, *made, **attrs)

    def scores(self, scale=0.35):
        turned = self.g.op("Transpose", self.k, perm=[0, 1, 3, 2])
        return self.do("Mul", self.g.op("MatMul", self.q, turned), scale)

    def finish(self, scores):
        self.weigh(self.g.op("Softmax", scores, axis=-1))

    def weigh(self, weights):
        self.g.output(self.g.op("MatMul", weights, self.v), "y")


def bias_on_fill(c, fill=-3.0):
    s = c.do("Where", c.mask("m", "11st"), c.scores(), fill)
    c.finish(c.do("Add", s, c.tensor("b", "b11t")))


def bias_on_deep_fill(c):
    bias_on_fill(c, -1e4)


def two_fills(c):
    s = c.do("Where", c.mask("m", "11st"), c.scores(), -2.0)
    s = c.do("Add", s, c.tensor("b", "bhst"))
    s = c.do("Where", c.mask("n", "b11t"), s, -3.0)
    c.finish(c.do("Sub", s, c.tensor("d", "1h1t")))


def deep_and_shallow(c):
    s = c.do("Where", c.mask("m", "11st"), c.scores(), -float("inf"))
    s = c.do("Add", s, c.tensor("b", "bhst"))
    s = c.do("Where", c.mask("n", "b11t"), s, -3.0)
    c.finish(c.do("Add", s, c.tensor("d", "1h1t")))


def masked_then_scaled(c):
    s = c.do("Where", c.mask("m", "11st"), c.scores(), -2.0)
    c.finish(c.do("Mul", s, c.tensor("f", "bhs1")))


def times_mask(c):
    m = c.g.cast(c.mask("m", "b11t"), "float32")
    hidden = c.do("Mul", c.do("Sub", 1.0, m), -1e4)
    c.finish(c.do("Add", c.do("Mul", m, c.scores()), hidden))


def times_tensor(c):
    s = c.do("Add", c.scores(), c.tensor("b", "1hst"))
    s = c.do("Mul", s, c.tensor("f", "b1st"))
    c.finish(c.do("Where", c.mask("m", "11st"), s, -float("inf")))


def over_tensor(c):
    f = c.do("Add", c.do("Abs", c.tensor("f", "b11t")), 0.5)
    c.finish(c.do("Div", c.scores(), f))


def bounded(c):
    s = c.do("Max", c.do("Min", c.scores(), 0.5), -0.4)
    c.finish(c.do("Add", s, c.tensor("b", "b11t")))


def lower_bound(c):
    c.finish(c.do("Mul", c.do("Max", c.scores(), -0.1), -2.0))


def bounded_bias(c):
    s = c.do("Add", c.scores(), c.tensor("b", "b11t"))
    c.finish(c.do("Min", s, 0.3))


def capped_times_rows(c):
    s = c.do("Mul", c.g.op("Tanh", c.scores(0.7)), 1.5)
    c.finish(c.do("Mul", s, c.tensor("f", "bhs1")))


def row_bias(c):
    c.finish(c.do("Add", c.scores(), c.tensor("b", "bhs1")))


def row_mask(c):
    c.finish(c.do("Where", c.mask("m", "11s1"), c.scores(), -float("inf")))


def less_than_row(c):
    """Not the maximum: what is subtracted may be infinite."""
    c.finish(c.do("Sub", c.scores(), c.tensor("b", "bhs1")))


def negated(c):
    c.finish(c.g.op("Neg", c.scores(-0.3)))


def one_number_in_front(c):
    temperature = c.g.input("f", np.full((1, 1, 1, 1), 0.7), [1, 1, 1, 1], "float32")
    c.finish(c.do("Mul", c.scores(), temperature))


def zeros_for_nan(c):
    s = c.do("Where", c.mask("m", "11st"), c.scores(), -float("inf"))
    p = c.g.op("Softmax", s, axis=-1)
    zeros = c.do("Expand", 0.0, c.g.op("Shape", p))
    c.weigh(c.g.op("Where", c.g.op("IsNaN", p), zeros, p))


def mixed_heads(c):
    p = c.g.op("Softmax", c.scores(), axis=-1)
    mix = c.tensor("w", "hh")
    c.weigh(c.g.op("Einsum", p, mix, equation="bhst,hg->bgst"))


def other_axis(c):
    c.weigh(c.g.op("Softmax", c.scores(), axis=-2))


def squared(c):
    s = c.scores()
    c.finish(c.g.op("Mul", s, s))


FUSED = (bias_on_fill, bias_on_deep_fill, two_fills, deep_and_shallow, masked_then_scaled,
         times_mask, times_tensor, over_tensor, bounded, lower_bound, capped_times_rows, row_bias,
         row_mask, less_than_row, negated, one_number_in_front, zeros_for_nan)
LEFT = (bounded_bias, mixed_heads, other_axis)
ANY = (squared,)  # must be right only
COARSE = (bias_on_deep_fill,)  # the fill leaves few digits of the bias


def main():
    with tempfile.TemporaryDirectory() as folder:
        for make in FUSED + LEFT + ANY:
            case = Case(make.__name__)
            make(case)
            kind = "coarse" if make in COARSE else "full"
            judging.write_case(f"{folder}/{kind}/{make.__name__}", case.g.model(),
                               case.g.given.values(), case.g.results.values())
        verdicts = judging.judge(folder, MODES)
    failed = 0
    for make in FUSED + LEFT + ANY:
        verdict = verdicts[make.__name__]
        wrong = list(verdict.wrong)
        if make in FUSED and not verdict.fused:
            wrong.append(f"not recognised: {'; '.join(verdict.reasons)}")
        if make in LEFT and verdict.fused:
            wrong.append("recognised")
        failed += bool(wrong)
        for text in wrong:
            print(f"{make.__name__}: {text}")
    print(f"{len(FUSED + LEFT + ANY) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
