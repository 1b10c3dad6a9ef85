#!/usr/bin/env python3
"""Masks spelled at random: what is proved of each is what it means.

    test_masks.py [--seed N] [--count N] [--keep DIR]

Every case has bounds by position (none, causal with an offset that may be off by one, a window) and
padding (none, left or right, of all keys of a sequence too), written in one of many ways, and put
on the scores as a number that is added or that replaces them. The graph is evaluated in float64
while it is drawn, so a bound that is proved one off shows in the results; that bounds are proved at
all is asked of `heed explain`. Masks that are no bounds must not become any.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import judge as judging

try:
    import numpy as np
    from onnx import numpy_helper

    from choice import Choices
    from trace import Graph
except ImportError as error:
    judging.corpora.skip(f"{error}; the packages of tests/requirements.txt are needed")

from differential.case import write_case  # noqa: E402

LOWEST = float(np.finfo(np.float32).min)
MODES = ((), ("--attention", "off"), ("--backends", "reference"))


class Case:
    """One attention, [B, H, S, T], whose keys begin `past` positions before its queries."""

    def __init__(self, seed, index):
        self.rng = np.random.default_rng((seed, index))
        self.g = Graph(Choices(seed, index), 18)
        self.past = int(self.rng.integers(0, 4))
        self.s = int(self.rng.integers(1, 7))
        self.t = self.s + self.past
        if self.t == 1:  # one key is no attention
            self.s = self.t = 2
        self.symbols = self.rng.random() < 0.7
        self.expected, self.forbidden = set(), set()
        self.own = np.random.default_rng((seed, index, 1))
        self.factors = False  # one is there, and goes
        self.multiplies = self.own.random() < 0.2
        self.draw()

    def pick(self, *options):
        return options[int(self.rng.integers(len(options)))]

    def number(self, n):
        return self.g.constant(np.int64(n))

    # ---- Positions ----

    def extent(self, tensor, axis):
        shape = self.g.op("Shape", tensor)
        return self.g.op("Gather", shape, self.number(axis), axis=0)

    def sizes(self):
        """Queries, keys and what lies before the queries, as scalars."""
        if not self.symbols:
            return self.number(self.s), self.number(self.t), self.number(self.past)
        s, t = self.extent(self.q, 2), self.extent(self.k, 2)
        return s, t, self.g.op("Sub", t, s)

    def count(self, n):
        g = self.g
        if self.pick(True, False):
            return g.op("Range", self.number(0), n, self.number(1))
        ones = g.op("ConstantOfShape", g.op("Unsqueeze", n, g.ints(0)),
                    value=numpy_helper.from_array(np.ones(1, np.int64)))
        return g.op("Sub", g.op("CumSum", ones, self.number(0)), self.number(1))

    def rows_and_columns(self):
        g = self.g
        s, t, past = self.sizes()
        rows = g.op("Add", self.count(s), past)
        if self.symbols and self.pick(True, False):
            rows = g.op("Range", past, t, self.number(1))
        columns = self.count(t)
        dtype = self.pick("int64", "int64", "int32", "float32")
        if dtype != "int64":
            rows, columns = g.cast(rows, dtype), g.cast(columns, dtype)
        return g.op("Unsqueeze", rows, g.ints(1)), g.op("Unsqueeze", columns, g.ints(0)), dtype

    def at_most(self, more):
        """key <= query + more, true and false over [S, T]."""
        g, way = self.g, self.pick("compare", "compare", "subtract", "triangle", "table")
        if way == "table" and not self.symbols:
            return g.constant(np.tri(self.s, self.t, self.past + more) > 0)
        if way == "triangle":
            s, t, past = self.sizes()
            shape = g.op("Concat", *[g.op("Unsqueeze", x, g.ints(0)) for x in (s, t)], axis=0)
            ones = g.op("ConstantOfShape", shape,
                        value=numpy_helper.from_array(np.ones(1, np.float32)))
            k = g.op("Add", past, self.number(more))
            if self.pick(True, False):
                return g.cast(g.op("Trilu", ones, k, upper=0), "bool")
            upper = g.op("Trilu", ones, g.op("Add", k, self.number(1)), upper=1)
            return g.op("Equal", upper, g.constant(np.float32(0)))
        rows, columns, dtype = self.rows_and_columns()

        def literal(n):
            return g.constant(np.array(n), dtype)
        if way == "subtract":
            return g.op("LessOrEqual", g.op("Sub", columns, rows), literal(more))
        way = self.pick("<=", ">=", "not >", "<")
        last = g.op("Add", rows, literal(more))
        if way == "<=":
            return g.op("LessOrEqual", columns, last)
        if way == ">=":
            return g.op("GreaterOrEqual", last, columns)
        if way == "<":
            return g.op("Less", columns, g.op("Add", rows, literal(more + 1)))
        return g.op("Not", g.op("Greater", columns, last))

    def at_least(self, back):
        """key >= query - back"""
        return self.g.op("Not", self.at_most(-back - 1))

    def between(self, back):
        """|key - query| <= back, as one number that is compared."""
        g = self.g
        rows, columns, dtype = self.rows_and_columns()
        far = g.op("Abs", g.op("Sub", columns, rows))
        return g.op("LessOrEqual", far, g.constant(np.array(back), dtype))

    # ---- Padding ----

    def padding(self):
        """int64 [B, T] of zeros and ones."""
        lengths = self.rng.integers(0 if self.rng.random() < 0.2 else 1, self.t + 1, 2)
        at = np.arange(self.t)[None, :]
        left = self.pick(True, False)
        seen = at >= self.t - lengths[:, None] if left else at < lengths[:, None]
        dims = ["b", "t" if self.symbols else self.t]
        return self.g.input("attention_mask", seen, dims, "int64")

    def wide(self, x):
        return self.g.op("Unsqueeze", x, self.g.ints(1, 2))

    # ---- The mask ----

    def bounds(self):
        """[S, T] masks whose And is meant."""
        kind = self.pick("causal", "causal", "window", "none", "band", "transposed", "prefix")
        shift = self.pick(0, 0, 0, 1, -1, 2)
        if kind == "none":
            self.forbidden |= {"causal", "window"}
            return []
        if kind == "transposed":  # key >= query: a window to the left, of 0
            self.forbidden |= {"causal"}
            return [self.at_least(0)]
        if kind == "prefix":
            self.forbidden |= {"causal", "window"}
            rows, columns, dtype = self.rows_and_columns()
            prefix = self.g.op("Less", columns, self.g.constant(np.array(2), dtype))
            return [self.g.op("Or", self.at_most(0), prefix)]
        if kind == "band":
            self.expected.add("window")
            return [self.between(self.pick(1, 2))]
        self.expected.add("causal")
        if kind == "causal":
            return [self.at_most(shift)]
        self.expected.add("window")
        masks = [self.at_most(shift), self.at_least(self.pick(1, 2, 3))]
        return masks[::self.pick(1, -1)]

    def joined(self, masks):
        x = masks[0]
        for other in masks[1:]:
            x = self.g.op("And", *self.pick((x, other), (other, x)))
        return x

    def additive(self, seen, fill):
        g = self.g
        zero, low = g.constant(np.float32(0)), g.constant(np.float32(fill))
        way = self.pick("where", "where not", "1 -", "times")
        if way == "where" or np.isinf(fill):
            return g.op("Where", seen, zero, low)
        if way == "where not":
            return g.op("Where", g.op("Not", seen), low, zero)
        if way == "1 -":
            return g.op("Mul", g.op("Sub", g.constant(np.float32(1)), g.cast(seen, "float32")), low)
        return g.op("Mul", g.cast(g.op("Not", seen), "float32"), low)

    def from_sum(self, masks, fill):
        """0 of the sum of a mask and the padding means padding: Where(bias + pad == 0, f, bias)."""
        g = self.g
        bias = self.additive(self.joined(masks), fill)
        pad = self.wide(g.cast(self.padding(), "float32"))
        hidden = g.op("Equal", g.op("Add", bias, pad), g.constant(np.float32(0)))
        return g.op("Where", hidden, g.constant(np.float32(fill)), bias)

    def multiplied(self, scores, seen):
        """By 0 where a fill is added, and perhaps padding after that; 0 * inf shows."""
        g, pads = self.g, self.own.random() < 0.5
        fill = (-1e4, -1e9, LOWEST)[int(self.own.integers(2 if pads else 3))]
        kept = g.op("Mul", scores, g.cast(seen, "float32"))
        x = g.op("Add", kept, self.additive(seen, fill))
        pad = self.additive(self.wide(g.cast(self.padding(), "bool")), LOWEST) if pads else None
        self.factors = not pads or bool(self.expected)
        return g.op("Add", x, pad) if pads else x

    def mask(self, scores):
        g = self.g
        fill = self.pick(LOWEST, LOWEST, -np.inf, -1e9)
        masks = self.bounds()
        if masks and self.multiplies:
            return self.multiplied(scores, self.joined(masks))
        absorbing = fill < -1e30
        if masks and np.isfinite(fill) and absorbing and self.rng.random() < 0.25:
            return g.op("Add", scores, self.from_sum(masks, fill))
        if not masks or self.pick(True, False):
            pad = self.padding()
            masks.append(self.wide(g.cast(pad, "bool")))
        seen = self.joined(masks)
        if self.pick(True, False):
            return g.op("Where", seen, scores, g.constant(np.float32(fill)))
        if not absorbing:  # a weak fill may be seen again: some are bounds nevertheless
            self.expected = set()
        return g.op("Add", scores, self.additive(seen, fill))

    def draw(self):
        g, b, h, d = self.g, 2, 2, 4

        def tensor(name, rows, symbol):
            dims = ["b", h, symbol if self.symbols else rows, d]
            x = self.rng.standard_normal((b, h, rows, d))
            if self.rng.random() < 0.1:  # it shows, or not, as the graph's own arithmetic has it
                x[0, 1, rows // 2, 1] = self.pick(np.nan, np.inf, 1e25)
            return g.input(name, x, dims, "float32")
        self.q, self.k, self.v = (tensor("q", self.s, "s"), tensor("k", self.t, "t"),
                                  tensor("v", self.t, "t"))
        scores = g.op("MatMul", self.q, g.op("Transpose", self.k, perm=[0, 1, 3, 2]))
        scores = self.mask(g.op("Mul", scores, g.constant(np.float32(0.5))))
        y = g.op("MatMul", g.op("Softmax", scores, axis=-1), self.v)
        g.output(y, "y")


def features(path):
    done = subprocess.run([judging.corpora.HEED, "explain", "--json", path], check=True,
                          stdout=subprocess.PIPE, text=True)
    (site,) = json.loads(done.stdout)["attention"]["list"]
    return set(site.get("features", ())) if site["fused"] else {"not fused"}


def complaint(case, found):
    if "not fused" in found:
        return "not fused"
    # one query or key alone leaves nothing to bound
    missing = case.expected - found if case.symbols else set()
    wrong = case.forbidden & found if case.symbols else set()
    wrong |= {"factor"} & found if case.factors else set()
    if missing or wrong:
        return f"not proved: {sorted(missing)}; proved, but not so: {sorted(wrong)}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--keep")
    options = parser.parse_args()
    problems, proved = [], 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or temporary
        for i in range(options.count):
            case = Case(options.seed, i)
            at = os.path.join(folder, f"mask_{i}")
            write_case(at, case.g.model(), case.g.given.values(), case.g.results.values())
            what = complaint(case, features(os.path.join(at, "model.onnx")))
            proved += bool(case.expected) and not what
            if what:
                problems.append(f"mask_{i}: {what}")
        for mode in MODES:
            rows = judging.run(folder, "--rtol", "2e-4", "--atol", "5e-5", *mode)
            if len(rows) != options.count:
                problems.append(f"{mode}: {len(rows)} of {options.count} cases ran")
            problems += [f"{os.path.basename(name)} {' '.join(mode)}: {row['reason']}"
                         for name, row in rows.items() if row["status"] != "passed"]
    print("\n".join(problems[:40]))
    print(f"{options.count} masks of seed {options.seed}, bounds proved of {proved}: "
          f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
