"""Where queries, keys and values come from: inputs in any layout, projections, packed or not, and a
cache to which new keys are added."""
import numpy as np

from arrange import Tensor


class Sources:
    def __init__(self, world):
        self.w, self.g, self.c, self.a = world, world.g, world.c, world.a
        self.keys = "c" if world.has_past else "t"  # c: those that are not in the cache

    def data(self, *shape):
        self.w.drawn += 1
        rng = self.c.rng(f"data {self.w.drawn}")
        return rng.standard_normal(shape)

    def letters(self, who):
        """[sequences, heads, positions, channels]"""
        w = self.w
        heads = ("k", "g") if who == "q" else ("k",)
        heads = heads if w.blocks else heads[::-1]
        return (w.keep("b"), w.keep(*heads), w.keep("s" if who == "q" else self.keys),
                w.keep("e" if who == "v" else "d"))

    def dims(self, axes):
        return [self.w.dim(axis) for axis in axes]

    def input(self, name, axes):
        shape = [self.a.extent(axis) for axis in axes]
        value = self.g.input(name, self.data(*shape), self.dims(axes), self.w.dtype)
        self.w.learn(value, axes)
        return Tensor(value, axes)

    def layouts(self, who):
        b, h, s, d = self.letters(who)
        rows = [[b, h, s, d], [b, s, h, d], [b, s, h + d], [b + h, s, d], [s, b, h, d],
                [s, b, h + d], [s, b + h, d], [h, b, s, d], [b, h, d, s], [b + s, h + d],
                [s + b, h + d]]
        if len(h) > 1:
            rows += [[b, h[:1], h[1:], s, d], [b, s, h[:1], h[1:], d]]
        rows = [[a for a in row if a] for row in rows]
        return [row for row in rows if not any(self.joins_unknown(a) for a in row)]

    def joins_unknown(self, axis):
        """An input's axis that is a product with an unknown factor says nothing of the factors."""
        return len(axis) > 1 and any(x in self.w.symbolic for x in axis)

    def plain(self, who):
        axes = self.c.pick(f"layout of {who}", *self.layouts(who), odds=0.75)
        return self.input(who, axes)

    # ---- Projections ----

    def hidden(self, letter):
        """[b, s, width]: what is projected."""
        b = self.w.keep("b")
        axes = [a for a in (b, (letter,), ("w",)) if a]
        return self.input(f"x_{letter}", axes)

    def project(self, x, channels):
        """x W (+ bias), with the channels' letters in the last axis."""
        width = self.a.extent(channels)
        weights = self.g.constant(self.data(self.a.extents["w"], width) / 2, self.w.dtype)
        flat = self.c.each("projection", "MatMul", "Gemm", odds=0.3) == "Gemm"
        if flat:
            x = self.a.reshape(x, [sum(x.axes[:-1], ()), x.axes[-1]])
            bias = self.g.constant(self.data(width), self.w.dtype)
            value = self.g.op("Gemm", x.value, weights, bias)
        else:
            value = self.g.op("MatMul", x.value, weights)
            if self.c.each("projection bias", True, False):
                value = self.g.op("Add", value, self.g.constant(self.data(width), self.w.dtype))
        return Tensor(value, x.axes[:-1] + [channels])

    def renamed(self, t, old, new):
        return Tensor(t.value, [tuple(new if x == old else x for x in a) for a in t.axes])

    def projected(self, who, hidden):
        _, h, s, d = self.letters(who)
        t = self.project(hidden, h + d)
        return self.renamed(t, "s", s[0])

    def packed_flat(self, hidden):
        """One projection, cut into three."""
        parts = [self.letters(who)[1] + self.letters(who)[3] for who in "qkv"]
        sizes = [self.a.extent(p) for p in parts]
        self.a.extents["p"] = sum(sizes)
        t = self.project(hidden, ("p",))
        axis = len(t.axes) - 1
        if self.c.pick("cut", "Split", "Slice") == "Split":
            values = self.g.op("Split", t.value, self.g.ints(*sizes), n_out=3, axis=axis)
        else:
            ends = np.cumsum(sizes)
            values = [self.g.op("Slice", t.value, self.g.ints(end - n), self.g.ints(end),
                                self.g.ints(axis)) for n, end in zip(sizes, ends)]
        return {who: self.renamed(Tensor(v, t.axes[:-1] + [part]), "s", self.letters(who)[2][0])
                for who, v, part in zip("qkv", values, parts)}

    def packed_apart(self, hidden):
        """One projection with an axis of size 3, wherever it stands."""
        self.a.extents["n"] = 3
        h, d = self.w.keep("k"), ("d",)
        order = self.c.pick("packing", ("n",) + h + d, h + ("n",) + d, h + d + ("n",))
        t = self.project(hidden, order)
        loose = t.axes[:-1] + [(x,) for x in order]
        target = self.c.pick("packed layout", loose, [("n",)] + [a for a in loose if a != ("n",)],
                             [("n",), t.axes[0]] + [(x,) for x in h] + t.axes[1:-1] + [d])
        target = target if len(target) == len(set(target)) else loose
        t = self.a.arrange(t, target)
        at = t.axis("n")
        rest = [a for a in t.axes if a != ("n",)]
        cut = self.c.pick("cut", "Gather", "Split", "Slice")
        if cut == "Gather":
            values = [self.g.op("Gather", t.value, self.g.constant(np.int64(i)), axis=at)
                      for i in range(3)]
        elif cut == "Split":
            values = self.g.op("Split", t.value, self.g.ints(1, 1, 1), n_out=3, axis=at)
        else:
            values = [self.g.op("Slice", t.value, self.g.ints(i), self.g.ints(i + 1),
                                self.g.ints(at)) for i in range(3)]
        if cut != "Gather":
            values = [self.g.op("Squeeze", v, self.g.ints(at)) for v in values]
        made = {who: Tensor(v, rest) for who, v in zip("qkv", values)}
        made["v"] = self.renamed(made["v"], "d", "e")
        return {who: self.renamed(t, "s", self.letters(who)[2][0]) for who, t in made.items()}

    def packed_groups(self, hidden):
        """One projection: of each group its queries, then its key and its value."""
        g, n = self.g, self.a.extents["g"]
        self.a.extents["n"] = n + 2
        t = self.project(hidden, ("k", "n", "d"))
        t = self.a.arrange(t, t.axes[:-1] + [("k",), ("n",), ("d",)])
        at = t.axis("n")
        sizes, axis = [n, 1, 1], ("g",) if "g" in self.w.letters else ()
        if self.c.pick("cut", "Split", "Slice") == "Split":
            values = g.op("Split", t.value, g.ints(*sizes), n_out=3, axis=at)
        else:
            ends = np.cumsum(sizes)
            values = [g.op("Slice", t.value, g.ints(end - size), g.ints(end), g.ints(at))
                      for size, end in zip(sizes, ends)]
        made = {}
        for who, value in zip("qkv", values):
            axes = t.axes[:at] + [axis if who == "q" else ()] + t.axes[at + 1:]
            made[who] = self.renamed(Tensor(value, axes), "s", self.letters(who)[2][0])
        made["v"] = self.renamed(made["v"], "d", "e")
        return made

    def packed_pair(self, hidden, other):
        """Queries from one projection, keys and values from another."""
        g, k = self.g, self.w.keep("k")
        self.a.extents["n"] = 2
        order = self.c.pick("packed pair", ("n",) + k + ("d",), k + ("n", "d"))
        t = self.project(other, order)
        t = self.a.arrange(t, t.axes[:-1] + [(x,) for x in order])
        at = t.axis("n")
        if self.c.pick("cut", "Split", "Gather") == "Split":
            values = [g.op("Squeeze", v, g.ints(at))
                      for v in g.op("Split", t.value, g.ints(1, 1), n_out=2, axis=at)]
        else:
            values = [g.op("Gather", t.value, g.constant(np.int64(i)), axis=at) for i in range(2)]
        rest = t.axes[:at] + t.axes[at + 1:]
        made = {who: self.renamed(Tensor(v, rest), "s", self.keys) for who, v in zip("kv", values)}
        return {"q": self.projected("q", hidden), "k": made["k"],
                "v": self.renamed(made["v"], "d", "e")}

    def kinds(self):
        w, kinds = self.w, ["inputs", "projections"]
        if w.is_self:
            kinds.append("packed flat")
            if "g" not in w.letters and w.a.extents["d"] == w.a.extents["e"]:
                kinds.append("packed apart")
            if w.blocks and "k" in w.letters and w.a.extents["d"] == w.a.extents["e"]:
                kinds.append("packed groups")
        if w.a.extents["d"] == w.a.extents["e"]:
            kinds.append("keys and values packed")
        return kinds

    def make(self):
        kind = self.c.pick("source", *self.kinds())
        if kind == "inputs":
            return {who: self.plain(who) for who in "qkv"}
        self.a.extents["w"] = 5
        hidden = self.hidden("s")
        if kind == "packed flat":
            return self.packed_flat(hidden)
        if kind == "packed apart":
            return self.packed_apart(hidden)
        if kind == "packed groups":
            return self.packed_groups(hidden)
        other = hidden if self.w.is_self else self.hidden(self.keys)
        if kind == "keys and values packed":
            return self.packed_pair(hidden, other)
        return {who: self.projected(who, hidden if who == "q" else other) for who in "qkv"}

    # ---- A cache ----

    def with_past(self, t, who):
        """Older keys (or values) before the new ones; the letter t stays, o and c are its parts."""
        b, h, _, d = self.letters(who)
        layouts = [[b, h, ("c",), d], [b, ("c",), h, d], [b, h, d, ("c",)], [b, ("c",), h + d]]
        layouts = [row for row in layouts if not any(self.joins_unknown(a) for a in row)]
        layout = [a for a in self.c.pick("cache layout", *layouts) if a]
        t = self.a.arrange(t, layout)
        past = self.input(f"past_{who}", [tuple("o" if x == "c" else x for x in a)
                                          for a in layout])
        value = self.g.op("Concat", past.value, t.value, axis=t.axis("c"))
        t = self.renamed(Tensor(value, t.axes), "c", "t")
        if self.c.pick("present", False, True):
            self.g.output(value, f"present_{who}")
        if "t" in self.w.symbolic:
            self.a.symbols.setdefault("t", (value, t.axis("t")))
        return t
