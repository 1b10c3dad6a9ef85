"""From scores to weights: the softmax, whole or in pieces, with sinks or without, and what stands
behind it."""
import numpy as np
from onnx import helper

from arrange import Tensor
from trace import Value, softmax

# Of a softmax that is written out: what stands in for its last node or nodes.
PIECES = ("Div", "Reciprocal", "axes put back", "divided late", "LogSoftmax", "no largest",
          "log of sum", "largest in log")


class Weights:
    def __init__(self, world, sources):
        self.w, self.sources = world, sources
        self.g, self.c, self.a = world.g, world.c, world.a
        self.sinks = None    # canonical, a logit for each head
        self.divisor = None  # the sum of each row, when values come before it
        self.guard = False

    def of(self, scores, masked):
        """`masked`: something may be hidden."""
        g, c, dtype = self.g, self.c, self.w.dtype
        x, at = self.place(scores)
        wide = c.pick("softmax in", dtype, "float64" if dtype == "float32" else "float32",
                      odds=0.1)
        value = g.cast(x.value, wide) if wide != dtype else x.value
        x = Tensor(value, x.axes)
        if self.w.core == "product" and c.pick("sinks", False, True, odds=0.1) and \
                x.axes[at] == ("t",):
            x = Tensor(self.with_sinks(x, at), x.axes)
        else:
            x = Tensor(self.plain(x, at, masked), x.axes)
        x = Tensor(g.cast(x.value, dtype), x.axes) if wide != dtype else x
        return self.read(self.guarded(self.a.decorate(x)))

    def place(self, x):
        """The scores as they meet the softmax, and its axis."""
        if self.c.pick("softmax elsewhere", False, True, odds=0.15):
            order = self.c.rng("softmax axes").permutation(len(x.axes))
            x = self.a.arrange(x, [x.axes[i] for i in order])
        if self.w.mutation == "softmax over both":
            both = (("s",), ("t",))
            x = self.a.arrange(x, [a for a in x.axes if a not in both] +
                               [sum((a for a in x.axes if a in both), ())])
            return x, len(x.axes) - 1
        if self.w.mutation == "softmax over queries":
            return x, x.axis("s")
        return x, x.axes.index(("t",))

    def whole(self, value, at):
        negative = self.c.pick("axis from the end", True, False)
        return self.g.op("Softmax", value, axis=at - value.array.ndim if negative else at)

    # ---- In pieces ----

    def plain(self, x, at, masked):
        c, value, way = self.c, x.value, "Softmax"
        if self.w.mutation is None or c.pick("pieces too", False, True):
            way = c.pick("softmax", "Softmax", *PIECES, odds=0.16)
        if way == "divided late" and value.dtype != self.w.dtype:
            way = "Div"
        if way == "no largest" and (masked or value.dtype == "float16"):
            way = "Div"  # a row of what hides is no numbers then
        if way == "largest in log" and masked:
            way = "log of sum"  # beside what hides, the logarithm is nothing
        if way == "Softmax":
            return self.whole(value, at)
        if way == "LogSoftmax":
            return self.g.op("Exp", self.g.op("LogSoftmax", value, axis=at))
        with np.errstate(all="ignore"):
            return self.pieces(way, x, at)

    def pieces(self, way, x, at):
        g, value, apart = self.g, x.value, way == "axes put back"
        largest = self.reduce("ReduceMax", value, at, apart) if way != "no largest" else None
        if largest is not None:
            value = g.op("Sub", value, largest)
        e = g.op("Exp", value)
        total = self.reduce("ReduceSum", e, at, apart)
        if way == "log of sum":
            return g.op("Exp", g.op("Sub", value, g.op("Log", total)))
        if way == "largest in log":
            log = g.op("Add", *self.c.shuffled("log operands", [largest, g.op("Log", total)]))
            return g.op("Exp", g.op("Sub", x.value, log))
        if way == "Reciprocal":
            return g.op("Mul", *self.c.shuffled("softmax operands", [e, g.op("Reciprocal", total)]))
        if way == "divided late":
            self.divisor = Tensor(total, [a if i != at else () for i, a in enumerate(x.axes)])
            return e
        return g.op("Div", e, total)

    def reduce(self, kind, x, at, apart):
        """`apart`: the axis goes and comes again."""
        g = self.g
        if g.opset < (18 if kind == "ReduceMax" else 13):
            name = g.name(kind)
            g.nodes.append(helper.make_node(kind, [x.name], [name], axes=[at], keepdims=1))
            return Value(name, x.array.max(axis=at, keepdims=True), x.dtype)
        if not apart:
            return g.op(kind, x, g.ints(at))
        return g.op("Unsqueeze", g.op(kind, x, g.ints(at), keepdims=0), g.ints(at))

    # ---- Sinks ----

    def with_sinks(self, x, at):
        """One more key for each row, whose weight is dropped."""
        g, dtype = self.g, x.value.dtype
        heads = [self.w.heads] if self.w.heads else []
        shape = [self.a.extent(a) for a in heads]
        logits = Tensor(g.constant(self.sources.data(*shape) * 2, dtype), heads)
        self.sinks = self.a.canonical(logits, self.w.order)
        rows = [a if i != at else () for i, a in enumerate(x.axes)]
        known = [tuple(x for x in a if x in logits.letters()) for a in rows]
        column = self.a.spread(self.a.arrange(logits, known), rows).value
        first = self.c.pick("sink first", False, True, odds=0.3)
        parts = (column, x.value) if first else (x.value, column)
        value = self.whole(g.op("Concat", *parts, axis=at), at)
        if self.c.pick("sink cut", "Slice", "Split") == "Split" and "t" not in self.w.symbolic:
            n = self.a.extents["t"]
            parts = g.op("Split", value, g.ints(*((1, n) if first else (n, 1))), n_out=2, axis=at)
            return parts[int(first)]
        start, end = (1, 2**62) if first else (0, -1)
        return g.op("Slice", value, g.ints(start), g.ints(end), g.ints(at))

    # ---- Behind it ----

    def guarded(self, x):
        g = self.g
        self.guard = self.c.pick("NaN guard", False, True, odds=0.3) and self.divisor is None
        if not self.guard:
            return x
        value = g.op("Where", g.op("IsNaN", x.value), g.scalar(0.0, x.value, 0), x.value)
        return Tensor(value, x.axes)

    def read(self, p):
        """Somebody may want to see them."""
        if self.w.mutation is None and self.divisor is None and \
                self.c.pick("weights too", False, True, odds=0.08):
            self.g.output(p.value, "weights")
        return p

    def divided(self, y):
        """The values by what the weights sum up to."""
        if self.divisor is None:
            return y
        total = self.divisor
        if not set(total.letters()) <= set(y.letters()):  # of another axis than the keys
            return y
        return Tensor(self.g.op("Div", y.value, self.w.beside(total, y.axes).value), y.axes)

    def meaning(self, scores):
        """Of canonical scores, whose last axis has the keys."""
        if self.sinks is not None:
            column = np.broadcast_to(self.sinks, scores.shape[:-1] + (1,))
            return softmax(np.concatenate([scores, column], -1))[..., :-1]
        p = softmax(scores)
        return np.where(np.isnan(p), 0, p) if self.guard else p
