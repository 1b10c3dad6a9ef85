"""Masks in the ways that exporters build them, and in the ways that they are put on the scores."""
import numpy as np
from onnx import numpy_helper

from arrange import Tensor
from trace import rounded

LOWEST = {"float32": float(np.finfo(np.float32).min), "float16": -65504.0,
          "bfloat16": -3.3895313892515355e38}


class Masks:
    def __init__(self, world):
        self.w, self.g, self.c, self.a = world, world.g, world.c, world.a

    # ---- Which scores count: bool tensors, true where they do ----

    def offset(self):
        extents = self.a.extents
        shift = 1 if self.w.mutation == "mask off by one" else 0
        last = self.c.pick("causal", "bottom right", "top left", odds=0.25) == "bottom right"
        return shift + (extents["t"] - extents["s"] if last else 0)

    def counted(self, letter, offset=0):
        """0, 1, 2... along an axis, as exporters count."""
        g, at = self.g, self.a.symbols.get(letter)
        n = self.a.extents[letter]
        way = self.c.each("range", "Range", "CumSum", "constant")
        if way == "constant" and not at:
            return g.constant(np.arange(n) + offset)
        if way == "CumSum":
            shape = self.a.measured((letter,))
            one = numpy_helper.from_array(np.ones(1, np.int64))
            ones = g.op("ConstantOfShape", shape, value=one)
            x = g.op("CumSum", ones, g.constant(np.int64(0)))
            offset -= 1
        else:
            end = g.constant(np.int64(n))
            if at:
                end = g.op("Squeeze", self.a.measured((letter,)), g.ints(0))
            x = g.op("Range", g.constant(np.int64(0)), end, g.constant(np.int64(1)))
        return g.op("Add", x, g.constant(np.int64(offset))) if offset else x

    def compare(self, low, high):
        """low <= high."""
        g = self.g
        way = self.c.each("comparison", "LessOrEqual", "GreaterOrEqual", "Not Greater", "Less")
        if way == "LessOrEqual":
            return g.op("LessOrEqual", low, high)
        if way == "GreaterOrEqual":
            return g.op("GreaterOrEqual", high, low)
        if way == "Less":
            return g.op("Less", low, g.op("Add", high, g.constant(np.int64(1))))
        return g.op("Not", g.op("Greater", low, high))

    def rows_and_columns(self, offset):
        g = self.g
        rows = g.op("Unsqueeze", self.counted("s", offset), g.ints(1))
        return rows, g.op("Unsqueeze", self.counted("t"), g.ints(0))

    def causal(self):
        g, offset, axes = self.g, self.offset(), [("s",), ("t",)]
        n, m = self.a.extents["s"], self.a.extents["t"]
        way = self.c.pick("causal way", "constant", "ranges", "Trilu", "slice")
        if way == "constant" and not {"s", "t"} & self.w.symbolic:
            return Tensor(g.constant(np.tri(n, m, offset) > 0), axes)
        if way == "Trilu":
            shape = self.a.shape(axes)
            one = numpy_helper.from_array(np.ones(1, np.float32))
            x = g.op("ConstantOfShape", shape, value=one)
            x = g.op("Trilu", x, g.constant(np.int64(offset)), upper=0)
            return Tensor(g.cast(x, "bool"), axes)
        if way == "slice" and offset >= 0:
            return self.sliced(np.tri(n + m + 8, n + m + 8) > 0, offset)
        rows, columns = self.rows_and_columns(offset)
        return Tensor(self.compare(columns, rows), axes)

    def sliced(self, table, offset):
        """A part of a bigger constant, [1, 1, N, N] or [N, N]."""
        g = self.g
        lead = self.c.pick("table rank", 2, 0)
        x = g.constant(table.reshape((1,) * lead + table.shape))
        for letter, axis, start in (("s", lead, offset), ("t", lead + 1, 0)):
            end = g.ints(start + self.a.extents[letter])
            if letter in self.a.symbols:
                end = g.op("Add", self.a.measured((letter,)), g.ints(start))
            x = g.op("Slice", x, g.ints(start), end, g.ints(axis))
        return Tensor(x, [()] * lead + [("s",), ("t",)])

    def window(self):
        """Not further back than a few keys."""
        g = self.g
        rows, columns = self.rows_and_columns(self.offset())
        size = g.constant(np.int64(self.c.pick("window", 2, 1, 3)))
        return Tensor(self.compare(g.op("Sub", rows, size), columns), [("s",), ("t",)])

    def padding(self):
        """Left-padded sequences: of some, all keys are hidden from the first queries."""
        b, t = self.a.extents.get("b", 1), self.a.extents["t"]
        rng = self.c.rng("padding")
        empty = self.c.pick("all padding", False, True, odds=0.15)
        lengths = rng.integers(0 if empty else 1, t + 1, b)
        seen = np.arange(t)[None, :] >= t - lengths[:, None]
        return self.given("attention_mask", seen, [self.w.keep("b"), ("t",)])

    def length(self):
        """Keys from a number on are hidden; of each sequence, or of the one that there is."""
        g, b = self.g, self.w.keep("b")
        n, t = self.a.extent(b), self.a.extents["t"]
        low = 0 if self.c.pick("a length of 0", False, True, odds=0.15) else 1
        lengths = self.c.rng("length").integers(low, t + 1, n)
        dtype = self.c.pick("type of lengths", "int64", "int32")
        lengths = g.input("lengths", lengths, [self.w.dim(b) if b else 1], dtype)
        keys = g.op("Unsqueeze", g.cast(self.counted("t"), dtype), g.ints(0))
        last = g.op("Unsqueeze", lengths, g.ints(1))
        way = self.c.pick("shorter", "Less", "Greater", "Not GreaterOrEqual")
        if way == "Less":
            seen = g.op("Less", keys, last)
        elif way == "Greater":
            seen = g.op("Greater", last, keys)
        else:
            seen = g.op("Not", g.op("GreaterOrEqual", keys, last))
        return Tensor(seen, [b, ("t",)])

    def band(self):
        """Keys on both sides, as one number that is compared."""
        g = self.g
        rows, columns = self.rows_and_columns(self.offset())
        far = g.op("Abs", g.op("Sub", *self.c.shuffled("distance", [rows, columns])))
        size = g.constant(np.int64(self.c.pick("window", 2, 1, 3)))
        return Tensor(self.compare(far, size), [("s",), ("t",)])

    def random(self):
        b, h = self.w.keep("b"), self.w.heads
        s, t = ("s",), ("t",)
        axes = self.c.pick("mask axes", [b, (), s, t], [b, h, s, t], [s, t], [(), h, s, t],
                           [b, (), (), t])
        axes = [a for a in axes if a or len(self.w.standard) == 4]
        shape = [self.a.extent(a) for a in axes]
        seen = self.c.rng("random mask").random(shape) < 0.6
        return self.given("mask", seen, axes)

    def given(self, name, seen, axes):
        """An input of the model; bools, whole numbers or floats."""
        axes = [a for a in axes if a or len(axes) == 4]
        dtype = self.c.pick(f"type of {name}", "bool", "int64", "float32")
        value = self.g.input(name, seen.reshape([self.a.extent(a) for a in axes]),
                             [self.w.dim(a) for a in axes], dtype)
        if dtype != "bool":
            way = self.c.pick(f"{name} to bool", "Cast", "Equal", "Greater")
            if way == "Cast":
                value = self.g.cast(value, "bool")
            elif way == "Equal":
                value = self.g.op("Equal", value, self.g.constant(np.zeros(()), dtype))
                value = self.g.op("Not", value)
            else:
                value = self.g.op("Greater", value, self.g.constant(np.zeros(()), dtype))
        return Tensor(value, axes)

    def visible(self, kinds):
        """All of these kinds at once, [b, h, s, t] with extents of 1, or of lower rank."""
        made = []
        for kind in kinds:
            t = getattr(self, kind)()
            low = [a for a in t.axes if a] in ([("s",), ("t",)],) and \
                self.c.each("low rank", False, True)
            target = [("s",), ("t",)] if low else self.w.standard
            made.append(self.a.arrange(t, target))
        t = made[0]
        for other in made[1:]:
            value = self.g.op("And", *self.c.shuffled("And", [t.value, other.value]))
            longer = t if len(t.axes) >= len(other.axes) else other
            both = t.letters() + other.letters()
            rows = self.w.standard if len(longer.axes) > 2 else [("s",), ("t",)]
            t = Tensor(value, [tuple(x for x in a if x in both) for a in rows])
        if self.w.mutation == "mask transposed" and {"s", "t"} <= set(t.letters()) and \
                self.w.standard[-2:] == [("s",), ("t",)]:
            perm = list(range(len(t.axes)))
            perm[-2:] = perm[-1], perm[-2]
            if self.a.extents["s"] == self.a.extents["t"]:
                t = Tensor(self.g.op("Transpose", t.value, perm=perm), t.axes)
        return t

    # ---- Steps on the scores: [(what is emitted, what it means)] ----

    def fill(self):
        """One for all masks: what a -1e4 hides would be seen again beside a -1e9."""
        kinds = ["-inf", "lowest", "-1e9", "-1e4"]
        if self.w.dtype != "float32":  # fewer digits are left than can be judged
            kinds = ["-inf", "lowest"]
        kind = self.c.pick("fill", *kinds)
        self.w.coarse |= kind == "-1e4"
        return LOWEST[self.w.dtype] if kind == "lowest" else float(kind)

    def additive(self, visible, fill):
        """A float tensor: 0 where scores count, else the fill."""
        g, dtype = self.g, self.w.dtype
        ways = ["Where", "Where of hidden"] + ([] if fill == -np.inf else ["1 - mask", "hidden"])
        way = self.c.each("additive", *ways)
        zero, low = (g.constant(np.array(x), dtype) for x in (0.0, fill))
        if way == "Where":
            return g.op("Where", visible.value, zero, low)
        if way == "1 - mask":
            one = g.constant(np.array(1.0), dtype)
            return g.op("Mul", g.op("Sub", one, g.cast(visible.value, dtype)), low)
        hidden = g.op("Not", visible.value)
        if way == "hidden":
            return g.op("Mul", g.cast(hidden, dtype), low)
        return g.op("Where", hidden, low, zero)

    def put_on_with(self, scores, bias, kinds):
        """A bias that the mask replaces, or is added to, before the scores have it."""
        g, fill, dtype = self.g, self.fill(), self.w.dtype
        visible = self.visible(kinds)
        seen = self.a.canonical(visible, self.w.order) > 0
        number = self.a.canonical(bias, self.w.order)
        low, frame = rounded(np.array(fill), dtype), self.w.standard
        bias, beside = self.a.arrange(bias, frame), self.a.arrange(visible, frame)
        way = self.c.pick("mask of the bias", "Add", "Where")
        if way == "Add":
            pair = [bias.value, self.additive(beside, fill)]
            value = g.op("Add", *self.c.shuffled("bias and mask", pair))
            add = rounded(number + np.where(seen, 0.0, low), dtype)
        else:
            value = g.op("Where", beside.value, bias.value, g.constant(np.array(fill), dtype))
            add = np.where(seen, number, low)
        both = bias.letters() + visible.letters()
        sum_of = Tensor(value, [tuple(x for x in a if x in both) for a in frame])
        scores, sum_of = self.w.meet(scores, sum_of)
        pair = self.c.shuffled("bias operands", [scores.value, sum_of.value])
        return Tensor(g.op("Add", *pair), scores.axes), lambda x: x + add

    def put_on(self, scores, name, kinds):
        """(new scores, the mask's meaning as a function of canonical scores)."""
        fill = self.fill()
        visible = self.visible(kinds)
        seen = self.a.canonical(visible, self.w.order) > 0
        ways = ["Where", "Where of hidden", "Add", "Add mask first"]
        if np.isfinite(fill) and self.w.core != "additive":
            ways.append("multiplied")
        weak = -1e30 < fill  # two such masks in a row are one only when they are put on alike
        way = self.c.pick("way of mask" if weak else f"way of {name}", *ways)
        g, dtype = self.g, self.w.dtype
        if way.startswith("Add"):
            bias = Tensor(self.additive(visible, fill), visible.axes)
            scores, bias = self.w.meet(scores, bias)
            pair = (scores.value, bias.value)
            value = g.op("Add", *(pair if way == "Add" else pair[::-1]))
            add = np.where(seen, 0.0, rounded(np.array(fill), dtype))
            if fill == LOWEST[dtype] and self.c.pick("bounded mask", False, True, odds=0.2):
                value = g.op("Max", value, g.constant(np.array(fill), dtype))
                return Tensor(value, scores.axes), lambda x: np.maximum(x + add, fill)
            return Tensor(value, scores.axes), lambda x: x + add
        if way == "multiplied":
            factor = Tensor(g.cast(visible.value, dtype), visible.axes)
            bias = Tensor(self.additive(visible, fill), visible.axes)
            scores, factor = self.w.meet(scores, factor)
            kept = Tensor(g.op("Mul", scores.value, factor.value), scores.axes)
            kept, bias = self.w.meet(kept, bias)
            return (Tensor(g.op("Add", kept.value, bias.value), kept.axes),
                    lambda x: np.where(seen, x, fill))
        if way == "Where of hidden":
            visible = Tensor(g.op("Not", visible.value), visible.axes)
        scores, visible = self.w.meet(scores, visible)
        low = g.scalar(fill, scores.value)
        pair = (scores.value, low) if way == "Where" else (low, scores.value)
        value = g.op("Where", visible.value, *pair)
        return Tensor(value, scores.axes), lambda x: np.where(seen, x, fill)
