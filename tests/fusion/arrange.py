"""Tensors whose axes have names, and random ways to bring one into another arrangement.

An axis is a tuple of letters, outermost first: [("b", "k"), ("s",), ("d",)] is a 3-D tensor with
sequences and heads in one axis. () is an axis of extent 1. The letters are b sequences, k heads of
keys, g heads that share a key, s queries, t keys, d channels, e channels of values, n parts of a
packed projection.
"""
import numpy as np


class Tensor:
    def __init__(self, value, axes):
        self.value, self.axes = value, [tuple(a) for a in axes]

    def letters(self):
        return [letter for axis in self.axes for letter in axis]

    def axis(self, letter):
        return next(i for i, axis in enumerate(self.axes) if letter in axis)


class Arranger:
    def __init__(self, graph, choices, extents):
        self.g, self.c, self.extents = graph, choices, extents
        self.symbols = {}  # letter: where its extent can be read, (value, axis)

    def canonical(self, t, letters):
        """The tensor's numbers with one axis for each of these letters."""
        array = t.value.array.reshape([self.extents[x] for x in t.letters()])
        have = [x for x in letters if x in t.letters()]
        array = array.transpose([t.letters().index(x) for x in have])
        return array.reshape([self.extents[x] if x in have else 1 for x in letters])

    def extent(self, axis):
        return int(np.prod([self.extents[x] for x in axis], dtype=np.int64))

    # ---- Shapes ----

    def measured(self, axis):
        """An extent as a value of shape [1], read from shapes where it is not known."""
        g, number, total = self.g, 1, None
        for letter in axis:
            if letter not in self.symbols:
                number *= self.extents[letter]
                continue
            value, at = self.symbols[letter]
            shape = g.op("Shape", value)
            if self.c.pick("shape chain", "Gather", "Slice") == "Gather":
                one = g.op("Gather", shape, g.constant(np.int64(at)), axis=0)
                one = g.op("Unsqueeze", one, g.ints(0))
            else:
                one = g.op("Slice", shape, g.ints(at), g.ints(at + 1), g.ints(0))
            total = one if total is None else g.op("Mul", total, one)
        if total is None:
            return g.ints(number)
        return total if number == 1 else g.op("Mul", total, g.ints(number))

    def shape(self, axes, source=None):
        """The operand of a Reshape (from the axes `source`) or an Expand (None)."""
        symbolic = [any(x in self.symbols for x in axis) for axis in axes]
        style = self.c.each("shape", "numbers", "minus", "zero", "chain", odds=0.5)
        numbers = [self.extent(axis) for axis in axes]
        if source is not None and style == "zero":
            for i, axis in enumerate(axes):
                if i < len(source) and source[i] == axis and numbers[i]:
                    numbers[i], symbolic[i] = 0, False
        if source is not None and style in ("minus", "zero") and all(n >= 0 for n in numbers):
            at = symbolic.index(True) if True in symbolic else len(axes) - 1
            if style == "minus" or symbolic[at]:
                numbers[at], symbolic[at] = -1, False
        if not any(symbolic) and style != "chain":
            return self.g.ints(*numbers)
        parts = [self.measured(a) if s else self.g.ints(n)
                 for a, n, s in zip(axes, numbers, symbolic)]
        return parts[0] if len(parts) == 1 else self.g.op("Concat", *parts, axis=0)

    def reshape(self, t, axes):
        axes = [tuple(a) for a in axes]
        if axes == t.axes:
            return t
        bare = [a for a in t.axes if a]
        if bare == [a for a in axes if a] and self.c.each("unit axes", True, False):
            return self.units(t, axes)
        shape = self.shape(axes, t.axes)
        return Tensor(self.g.op("Reshape", t.value, shape), axes)

    def units(self, t, axes):
        """Axes of extent 1 go, others come."""
        value, old = t.value, [i for i, a in enumerate(t.axes) if not a]
        new = [i for i, a in enumerate(axes) if not a]
        if old:
            value = self.g.op("Squeeze", value, self.g.ints(*old))
        if new:
            value = self.g.op("Unsqueeze", value, self.g.ints(*new))
        return Tensor(value, axes)

    # ---- Order ----

    def permute(self, value, perm):
        way = self.c.each("transpose", "Transpose", "Einsum", "twice", "3-D", odds=0.4)
        if way == "Einsum" and value.dtype != "bool":
            letters = self.labels(len(perm))
            equation = f"{''.join(letters)}->{''.join(letters[i] for i in perm)}"
            return self.g.op("Einsum", value, equation=equation)
        if way == "twice":
            first = [int(i) for i in self.c.rng(f"twice {self.g.count}").permutation(len(perm))]
            value = self.g.op("Transpose", value, perm=first)
            return self.g.op("Transpose", value, perm=[first.index(i) for i in perm])
        return self.g.op("Transpose", value, perm=list(perm))

    def labels(self, count):
        """Random letters for an Einsum."""
        pool = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        order = self.c.rng(f"labels {self.g.count}").permutation(len(pool))
        return [pool[i] for i in order[:count]]

    def swapped_in_3d(self, t, target):
        """Only the last two axes change places: through three axes, as exporters write it."""
        lead = tuple(x for a in t.axes[:-2] for x in a)
        t = self.reshape(t, [lead] + t.axes[-2:])
        value = self.g.op("Transpose", t.value, perm=[0, 2, 1])
        return self.reshape(Tensor(value, [t.axes[0], t.axes[2], t.axes[1]]), target)

    def pieces(self, t, target):
        """The tensor's letters in the longest runs that stand together in the target too."""
        runs = []
        joined = "".join("".join(a) + "|" for a in target)
        whole = self.c.each("split", "runs", "letters", odds=0.2) == "runs"
        for axis in t.axes:
            run = ()
            for letter in axis:
                if run and whole and "".join(run + (letter,)) in joined:
                    run += (letter,)
                    continue
                runs += [run] if run else []
                run = (letter,)
            runs += [run] if run else []
        return runs

    def arrange(self, t, target, scramble=False):
        """The same elements with other axes; letters that are missing become extents of 1.

        `scramble` is a mutation: elements keep their order in memory, as if a transpose had been
        written as a reshape."""
        have = t.letters()
        target = [tuple(x for x in axis if x in have) for axis in target]
        if target == t.axes:
            return self.decorate(t)
        runs = self.pieces(t, target)
        order = [x for axis in target for x in axis]
        wanted = sorted(runs, key=lambda run: order.index(run[0]))
        if scramble:
            t = Tensor(t.value, [()] * len(t.axes))
            return Tensor(self.g.op("Reshape", t.value,
                                    self.g.ints(*[self.extent(a) for a in target])), target)
        last_two = wanted[:-2] == runs[:-2] and wanted != runs and len(runs) > 2
        if last_two and self.c.each("3-D", False, True, odds=0.25):
            return self.decorate(self.swapped_in_3d(self.reshape(t, runs), target))
        if wanted != runs:
            t = self.reshape(t, runs)
            value = self.permute(t.value, [runs.index(run) for run in wanted])
            t = Tensor(value, wanted)
        return self.decorate(self.reshape(t, target))

    # ---- Decorations ----

    def decorate(self, t, odds=0.12):
        kind = self.c.each("decoration", "none", "Identity", "Dropout", "casts", odds=odds)
        g, value = self.g, t.value
        if kind == "Identity":
            value = g.op("Identity", value)
        if kind == "Dropout" and value.dtype not in ("bool", "int64"):
            value = g.op("Dropout", value, g.constant(np.float32(0.1), "float32"))
        if kind == "casts" and value.dtype in ("float16", "float32"):
            wide = "float64" if value.dtype == "float32" else "float32"
            value = g.cast(g.cast(value, wide), value.dtype)
        return Tensor(value, t.axes)

    # ---- Repeats ----

    def spread(self, t, axes):
        """Axes of extent 1 are repeated to what the letters say, letter by letter."""
        missing = [x for a in axes for x in a if x not in t.letters()]
        runs = [(x,) for a in axes for x in a]
        t = self.reshape(t, [(x[0],) if x[0] in t.letters() else () for x in runs])
        if missing:
            value = self.g.op("Expand", t.value, self.shape(runs))
            t = Tensor(value, runs)
        return self.reshape(t, axes)

    def repeat_heads(self, t, groups_inside):
        """k alone becomes (k, g), or (g, k)."""
        at = t.axis("k")
        alone = t.axes[at] == ("k",)
        merged = ("k", "g") if groups_inside else ("g", "k")
        ways = ["Expand", "Tile of units"] + (["Gather"] if alone else [])
        ways += ["Tile"] if alone and not groups_inside else []
        way = self.c.each("repeat", *ways)
        if not alone:
            t = self.reshape(t, t.axes[:at] + [(x,) for x in t.axes[at]] + t.axes[at + 1:])
            at = t.axis("k")
        n, k = self.extents["g"], self.extents["k"]
        if way == "Gather":
            each, all_over = np.repeat(np.arange(k), n), np.tile(np.arange(k), n)
            indices = self.g.constant(each if groups_inside else all_over)
            value = self.g.op("Gather", t.value, indices, axis=at)
            return Tensor(value, t.axes[:at] + [merged] + t.axes[at + 1:])
        if way == "Tile":
            times = [1] * len(t.axes)
            times[at] = n
            value = self.g.op("Tile", t.value, self.g.ints(*times))
            return Tensor(value, t.axes[:at] + [merged] + t.axes[at + 1:])
        apart = [("k",), ()] if groups_inside else [(), ("k",)]
        t = self.units_at(t, t.axes[:at] + apart + t.axes[at + 1:])
        axes = t.axes[:at] + [(x,) for x in merged] + t.axes[at + 2:]
        if way == "Expand":
            return Tensor(self.g.op("Expand", t.value, self.shape(axes)), axes)
        times = [n if a == ("g",) else 1 for a in axes]
        return Tensor(self.g.op("Tile", t.value, self.g.ints(*times)), axes)

    def units_at(self, t, axes):
        if self.c.each("unsqueeze", True, False):
            at = next(i for i, a in enumerate(axes) if not a and (i >= len(t.axes) or t.axes[i]))
            if len(axes) == len(t.axes) + 1:
                return Tensor(self.g.op("Unsqueeze", t.value, self.g.ints(at)), axes)
        return self.reshape(t, axes)
