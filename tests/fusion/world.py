"""What all parts of one case share: sizes, which axes are unknown, the graph; and how scores meet
biases, and products are spelled."""
from arrange import Arranger, Tensor
from trace import Graph


class World:
    """What all parts of one case share."""

    def __init__(self, choices, mutation):
        c = self.c = choices
        self.mutation, self.drawn, self.coarse = mutation, 0, False
        self.dtype = c.pick("dtype", "float32", "float16", "bfloat16", odds=0.12)
        cores = ["product", "additive"] + (["native"] if mutation is None else [])
        self.core = c.pick("core", *cores, odds=0.12)
        opsets = [*range(17, 24), 13, 14, 15, 16]
        if self.core == "native":
            opsets = [23, 24, 25]
        elif self.dtype == "bfloat16":
            opsets = [20, 18, 22, 23]
        self.g = Graph(c, c.pick("opset", *opsets))
        self.is_self = c.pick("self", True, False)
        extents = self.sizes()
        self.a = Arranger(self.g, c, extents)
        self.blocks = c.pick("groups", "blocks", "modulo", odds=0.25) == "blocks"
        self.letters = self.kept(extents)
        self.heads = self.keep(*(("k", "g") if self.blocks else ("g", "k")))
        if self.core == "native":  # a query's head and its key's head are in one block
            self.blocks, self.heads = True, self.keep("k", "g")
        self.standard = [a for a in (self.keep("b"), self.heads, ("s",), ("t",)) if a]
        self.order = [x for x in "bkgst" if x in self.letters]
        self.symbolic = set()
        self.draw_symbols()

    def sizes(self):
        c = self.c
        e = {"b": c.pick("size b", 2, 1, 3), "k": c.pick("size k", 2, 1, 3),
             "g": c.pick("size g", 1, 2, 3, odds=0.4), "s": c.pick("size s", 3, 1, 2, 4, 5, 19),
             "d": c.pick("size d", 4, 1, 2, 3, 6, 8, 20)}
        e["e"] = c.pick("size e", e["d"], 5, 2, 18, odds=0.3)
        self.has_past = c.pick("past", False, True, odds=0.2)
        e["c"] = e["s"] if self.is_self else c.pick("size t", 5, 1, 2, 3, 6, 35)
        e["o"] = c.pick("size o", 2, 1, 3) if self.has_past else 0
        e["t"] = e["o"] + e["c"]
        return e

    def kept(self, e):
        gone = {"g"} if e["g"] == 1 else set()
        if e["b"] == 1 and self.c.pick("no batch", False, True):
            gone.add("b")
        if e["k"] == 1 and "g" in gone and self.c.pick("no heads", False, True):
            gone.add("k")
        return [x for x in "bkgstdecownp" if x not in gone]

    def keep(self, *letters):
        return tuple(x for x in letters if x in self.letters)

    def draw_symbols(self):
        if self.c.pick("dims", "fixed", "symbolic", odds=0.4) == "fixed":
            return
        if "b" in self.letters and self.c.pick("symbolic b", True, False):
            self.symbolic.add("b")
        if self.c.pick("symbolic s", True, False):
            self.symbolic |= {"s"} | ({"c", "t"} if self.is_self else set())
        if self.c.pick("symbolic t", True, False) and (self.has_past or not self.is_self):
            self.symbolic |= {"o", "t"} if self.is_self else {"t", "c", "o"}
        if self.has_past and self.symbolic & {"c", "o"}:
            self.symbolic.add("t")

    def dim(self, axis):
        """How the model declares an axis of an input."""
        names = {"b": "batch", "s": "queries", "t": "keys", "c": "keys", "o": "past"}
        if self.is_self:
            names["s"] = names["c"] = names["t"] = "length"
        if self.has_past:
            parts = [names[x] if x in self.symbolic else str(self.a.extents[x]) for x in "oc"]
            names["t"] = " + ".join(parts)
        if len(axis) == 1 and axis[0] in self.symbolic:
            return names[axis[0]]
        return self.a.extent(axis)

    def learn(self, value, axes):
        """Extents that are not known are read from inputs."""
        for i, axis in enumerate(axes):
            alike = ("sc" if self.has_past else "sct") if self.is_self else ""
            for x in sorted(alike if axis and axis[0] in alike else axis):
                if len(axis) == 1 and x in self.symbolic:
                    self.a.symbols.setdefault(x, (value, i))

    # ---- Bringing biases to scores ----

    def meet(self, scores, t):
        """The tensor, broadcast beside the scores; sometimes the scores go to [b, h, s, t]."""
        if scores.axes != self.standard and self.c.each("meet", "beside", "4-D", odds=0.3) == "4-D":
            scores = self.a.arrange(scores, self.standard)
        bare = [a for a in self.standard[-len(t.axes):]] if len(t.axes) <= 4 else None
        aligned = scores.axes == self.standard and bare is not None and all(
            a in ((), b) for a, b in zip(t.axes, bare))
        if aligned:
            return scores, t
        return scores, self.beside(t, scores.axes)

    def beside(self, t, frame):
        have = t.letters()
        mixed = [a for a in frame if any(x in have for x in a) and any(x not in have for x in a)]
        if not mixed:
            return self.a.arrange(t, frame)
        full = [a if a in mixed else tuple(x for x in a if x in have) for a in frame]
        return self.a.spread(self.a.arrange(t, full), full)

    # ---- Products ----

    def product(self, x, y, frame, total):
        """sum over `total`; x has the letters of frame[-2], y those of frame[-1]."""
        lead, row, column = frame[:-2], frame[-2], frame[-1]
        ways = ["MatMul", "Einsum"] + (["Gemm"] if not lead else [])
        way = self.c.each("product", *ways, odds=0.3)
        if way == "MatMul":
            left = self.a.arrange(x, lead + [row, total])
            right = self.a.arrange(y, lead + [total, column])
            return Tensor(self.g.op("MatMul", left.value, right.value), frame)
        turned = [self.c.each("turned", False, True) for _ in range(2)]
        if way == "Gemm":
            left = self.a.arrange(x, [total, row] if turned[0] else [row, total])
            right = self.a.arrange(y, [column, total] if turned[1] else [total, column])
            return Tensor(self.g.op("Gemm", left.value, right.value, transA=int(turned[0]),
                                    transB=int(turned[1])), frame)
        return self.einsum(x, y, frame, total)

    def einsum(self, x, y, frame, total):
        lead = frame[:-2]
        label = dict(zip(frame + [total], self.a.labels(len(frame) + 1)))
        operands, terms = [], []
        for t, own in ((x, frame[-2]), (y, frame[-1])):
            axes = [a for a in lead if set(a) <= set(t.letters())] + [own, total]
            t = self.a.arrange(t, self.c.shuffled("einsum axes", axes))
            operands.append(t.value)
            terms.append("".join(label[a] for a in t.axes))
        out = self.c.shuffled("einsum result", frame)
        equation = f"{','.join(terms)}->{''.join(label[a] for a in out)}"
        return Tensor(self.g.op("Einsum", *operands, equation=equation), out)
