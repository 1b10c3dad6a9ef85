"""Queries and keys that are turned by their positions: pairs of channels, half a head apart or
neighbours, all or the first of them, with angles from an input, a table or a formula."""
import numpy as np

from arrange import Tensor

MUTATIONS = ("keys turned back", "keys turned in other pairs", "sines for cosines")


class Rotary:
    def __init__(self, world, masks):
        self.w, self.masks = world, masks
        self.g, self.c, self.a = world.g, world.c, world.a
        self.tables = {}  # letter of positions: cosines and sines, [.., positions, pairs]
        self.count = 0     # how many tensors are turned in a way that is to be recognised
        self.wrong = False # a graph does not compute what turning means
        d = self.a.extents["d"]
        odds = 1 if world.mutation in MUTATIONS else 0.3
        self.on = d >= 2 and self.c.pick("rotary", False, True, odds=odds)
        self.pairs = self.c.pick("pairs", "halves", "neighbours", odds=0.4)
        sizes = [n for n in (d // 2 * 2, 2) if n == d or n + 1 <= d]
        self.turned = self.c.pick("turned channels", *dict.fromkeys(sizes), odds=0.35)
        self.a.extents["r"] = self.turned // 2

    # ---- Angles ----

    def angles(self, letter):
        """Cosines and sines with a number for each pair, and their axes."""
        g, r = self.g, self.turned // 2
        way = self.c.each("angles", "inputs", "formula", "rows of a table", "position_ids")
        frequencies = 0.7 ** np.arange(r) * 0.9
        if way == "inputs":
            return self.given(letter)
        if way == "formula":
            x = g.cast(self.masks.counted(letter), "float32")
            x = Tensor(g.op("Unsqueeze", x, g.ints(1)), [(letter,), ("r",)])
        else:
            return self.looked_up(letter, frequencies, way == "position_ids")
        value = g.op("Mul", x.value, g.constant(frequencies[None, :], "float32"))
        return [Tensor(g.cast(g.op(f, value), self.w.dtype), x.axes) for f in ("Cos", "Sin")]

    def given(self, letter):
        b = self.w.keep("b") if self.c.each("angles of each sequence", False, True) else ()
        axes = [a for a in (b, (letter,), ("r",)) if a]
        made = []
        for name in ("cos", "sin"):
            shape = [self.a.extent(a) for a in axes]
            angles = np.random.default_rng([5, len(letter), *shape]).random(shape) * 6
            value = self.g.input(f"{name}_{letter}", getattr(np, name)(angles),
                                 [self.w.dim(a) for a in axes], self.w.dtype)
            made.append(Tensor(value, axes))
        return made

    def looked_up(self, letter, frequencies, given):
        """Rows of tables, at positions that are counted or given."""
        g = self.g
        table = np.arange(64)[:, None] * frequencies
        axes = [(letter,), ("r",)]
        if given:
            axes = [self.w.keep("b")] * bool(self.w.keep("b")) + axes
            shape = [self.a.extent(a) for a in axes[:-1]]
            at = self.c.rng(f"positions {letter}").integers(0, 64, shape)
            at = g.input(f"position_ids_{letter}", at, [self.w.dim(a) for a in axes[:-1]], "int64")
        else:
            at = self.masks.counted(letter, self.c.each("first position", 0, 3))
        return [Tensor(g.op("Gather", g.constant(f(table), self.w.dtype), at, axis=0), axes)
                for f in (np.cos, np.sin)]

    def angles_of(self, letter):
        """Tables are shared as exporters share them: by all that have these positions."""
        shared = "s" if self.w.is_self else letter
        if shared not in self.tables:
            self.tables[shared] = self.angles(shared)
        return [Tensor(t.value, [(letter,) if a == (shared,) else a for a in t.axes])
                for t in self.tables[shared]]

    # ---- The turn ----

    def turn(self, who, t, letters):
        """The tensor, turned; `letters`: [sequences, heads, positions, channels]."""
        if not self.on:
            return t
        b, h, s, d = letters
        layouts = [[b, h, s, d], [b, s, h, d], [s, b, h, d], [h, b, s, d], [b + h, s, d]]
        layout = [a for a in self.c.pick(f"turned as {who}", *layouts) if a]
        t = self.a.arrange(t, layout)
        cosines, sines = self.angles_of(s[0])
        if "b" in cosines.letters() and h and b + h in layout:
            t = self.a.arrange(t, [b, h, s, d])
        pairs, changed = self.pairs, who == "k" and self.w.mutation in MUTATIONS
        if changed and self.w.mutation == "keys turned back":
            sines = Tensor(self.g.op("Neg", sines.value), sines.axes)
        if changed and self.w.mutation == "sines for cosines":
            cosines, sines = sines, cosines
        if changed and self.w.mutation == "keys turned in other pairs":
            pairs = "neighbours" if pairs == "halves" else "halves"
        frame = t.axes[:-1] + [("r",)]
        beside = [self.a.arrange(x, frame).value for x in (cosines, sines)]
        # one position has angles that may be known, and be none
        self.count += t.axes in ([b, h, s, d], [b, s, h, d]) and self.a.extent(s) > 1
        made = Tensor(self.part(t.value, pairs, beside), t.axes)
        if not changed:
            self.check(t, made, s[0])
        return made

    def part(self, x, pairs, beside):
        """Channels behind the turned ones stay as they are."""
        g, n, last = self.g, self.turned, x.array.ndim - 1
        rest = x.shape[-1] - n
        if rest == 0:
            return self.whole(x, pairs, beside)
        if self.c.each("rest", "Split", "Slice") == "Split":
            x, kept = g.op("Split", x, g.ints(n, rest), n_out=2, axis=last)
        else:
            kept = self.slice(x, n, 2**31)
            x = self.slice(x, 0, n)
        return g.op("Concat", self.whole(x, pairs, beside), kept, axis=-1)

    def slice(self, x, start, end, step=1):
        g = self.g
        return g.op("Slice", x, g.ints(start), g.ints(end), g.ints(x.array.ndim - 1), g.ints(step))

    def whole(self, x, pairs, beside):
        way = self.c.each("turned by", "rotate", "two parts")
        if way == "rotate":
            return self.rotate(x, pairs, beside)
        cosines, sines = beside
        first, second = self.halves(x) if pairs == "halves" else self.neighbours(x)
        g = self.g
        a = g.op("Sub", g.op("Mul", first, cosines), g.op("Mul", second, sines))
        b = g.op("Add", *self.c.shuffled("turned sum", [g.op("Mul", second, cosines),
                                                        g.op("Mul", first, sines)]))
        return g.op("Concat", a, b, axis=-1) if pairs == "halves" else self.stacked(a, b, x)

    def rotate(self, x, pairs, beside):
        """x cos + rotated(x) sin, with a cosine for each channel."""
        g = self.g
        first, second = self.halves(x) if pairs == "halves" else (
            self.slice(x, 0, 2**31, 2), self.slice(x, 1, 2**31, 2))
        second = g.op("Neg", second)
        if pairs == "halves":
            other = g.op("Concat", second, first, axis=-1)
            full = [g.op("Concat", v, v, axis=-1) for v in beside]
        else:
            other = self.stacked(second, first, x)
            full = [self.stacked(v, v, None) for v in beside]
        terms = [g.op("Mul", x, full[0]), g.op("Mul", other, full[1])]
        return g.op("Add", *self.c.shuffled("turned sum", terms))

    def halves(self, x):
        g, half = self.g, self.turned // 2
        if self.c.each("halves", "Slice", "Split") == "Split":
            return g.op("Split", x, g.ints(half, half), n_out=2, axis=x.array.ndim - 1)
        return self.slice(x, 0, half), self.slice(x, half, 2**31)

    def neighbours(self, x):
        """Every second channel: by steps, or of an axis of two."""
        g = self.g
        if self.c.each("neighbours", "steps", "axis of two") == "steps":
            return self.slice(x, 0, 2**31, 2), self.slice(x, 1, 2**31, 2)
        lead = [0] * (x.array.ndim - 1)
        paired = g.op("Reshape", x, g.ints(*lead, self.turned // 2, 2))
        return [g.op("Gather", paired, g.constant(np.int64(i)), axis=-1) for i in range(2)]

    def stacked(self, a, b, like):
        """a0 b0 a1 b1..., in the shape of `like`; without it the last axis is twice as long."""
        g = self.g
        both = g.op("Concat", *[g.op("Unsqueeze", v, g.ints(-1)) for v in (a, b)], axis=-1)
        if like is not None and self.c.each("stacked", "shape", "numbers") == "shape":
            return g.op("Reshape", both, g.op("Shape", like))
        lead = [0] * (a.array.ndim - 1)
        return g.op("Reshape", both, g.ints(*lead, 2 * a.shape[-1]))

    # ---- Meaning ----

    def check(self, before, after, letter):
        """Is it what turning means?"""
        order = [x for x in "bkg" if x in before.letters()] + [letter]
        cosines, sines = [self.a.canonical(t, order + ["r"]) for t in self.angles_of(letter)]
        want = self.a.canonical(before, order + ["d"]).copy()
        half, neighbours = self.turned // 2, self.pairs == "neighbours"
        first = slice(0, 2 * half, 2) if neighbours else slice(0, half)
        second = slice(1, 2 * half, 2) if neighbours else slice(half, 2 * half)
        x, y = want[..., first].copy(), want[..., second].copy()
        want[..., first], want[..., second] = x * cosines - y * sines, x * sines + y * cosines
        self.wrong |= not np.allclose(want, self.a.canonical(after, order + ["d"]), atol=1e-2)
