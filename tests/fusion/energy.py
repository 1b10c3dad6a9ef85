"""Additive scores: w tanh(q + k), summed over the channels (Bahdanau 2015)."""
import numpy as np

from arrange import Tensor


class Energy:
    def __init__(self, world, sources):
        self.w, self.sources = world, sources
        self.g, self.c, self.a = world.g, world.c, world.a
        self.weights = None

    def scores(self, q, k, frame):
        g, c, n = self.g, self.c, self.a.extents["d"]
        self.weights = self.sources.data(n)
        way = c.pick("energy", "MatMul", "vector", "Mul and ReduceSum", "Einsum")
        both = [self.a.arrange(x, frame + [("d",)]).value for x in (q, k)]
        x = g.op("Tanh", g.op("Add", *c.shuffled("energy operands", both)))
        if way == "vector":
            return Tensor(g.op("MatMul", x, self.constant(self.weights)), frame)
        if way == "Einsum":
            letters = self.a.labels(len(frame) + 1)
            equation = f"{''.join(letters)},{letters[-1]}->{''.join(letters[:-1])}"
            return Tensor(g.op("Einsum", x, self.constant(self.weights), equation=equation), frame)
        if way == "MatMul":
            x = g.op("MatMul", x, self.constant(self.weights[:, None]))
            return Tensor(g.op("Squeeze", x, g.ints(len(frame))), frame)
        x = g.op("Mul", *c.shuffled("energy factors", [x, self.constant(self.weights)]))
        return Tensor(g.op("ReduceSum", x, g.ints(len(frame)), keepdims=0), frame)

    def constant(self, array):
        value = self.g.constant(array, self.w.dtype)
        self.weights = value.array.reshape(-1)
        return value

    def meaning(self, q, k, letters):
        """Canonical [.., s, t]."""
        order = self.w.order + ["d"]
        at = {who: [slice(None) if x in letters[who] else None for x in order] for who in "qk"}
        return np.tanh(q[tuple(at["q"])] + k[tuple(at["k"])]) @ self.weights
