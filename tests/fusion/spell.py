"""Attention, spelled at random: the graph, what it computes, and what attention means here."""
import numpy as np

from arrange import Tensor
from choice import Choices
from masks import Masks
from sources import Sources
from energy import Energy
from native import Native
from rotary import MUTATIONS as TURNED
from rotary import Rotary
from trace import rounded
from weights import Weights
from world import World

MUTATIONS = (
    "mask off by one", "softmax over queries", "scores read", "weights read", "scale by keys",
    "scale by queries", "scale by sequences", "batch order", "nonlinear scores",
    "nonlinear weights", "scrambled q", "scrambled k", "scrambled v", "scrambled y",
    "heads permuted", "mask after softmax", "mask transposed", "repeats differ",
    "values over queries", "softmax over both", "values added", "scores of weights",
    "softcap of another size", "part of the softmax", "mask inside of a softcap", *TURNED,
)


class Spelling:
    def __init__(self, seed, index, changed=False, plain=(), fixed=None):
        self.c = Choices(seed, index, plain, fixed)
        self.mutation = self.c.pick("mutation", None, *MUTATIONS, odds=1) if changed else None
        self.w = World(self.c, self.mutation)
        self.a, self.g = self.w.a, self.w.g
        self.sources = Sources(self.w)
        self.masks = Masks(self.w)
        self.rotary = Rotary(self.w, self.masks)
        self.weights = Weights(self.w, self.sources)
        self.steps = []
        if self.w.core == "native":
            self.y = Native(self).build()
        else:
            self.build()

    # ---- Operands ----

    def operands(self):
        made = self.sources.make()
        for who in "qk":
            made[who] = self.rotary.turn(who, made[who], self.sources.letters(who))
        if self.w.has_past:
            made = {who: t if who == "q" else self.sources.with_past(t, who)
                    for who, t in made.items()}
            self.sources.keys = "t"
        self.w.like = made["q"].value
        letters = {"q": "bkgsd", "k": "bktd", "v": "bkte"}
        self.means = {who: self.a.canonical(t, [x for x in letters[who] if x in self.w.letters])
                      for who, t in made.items()}
        return {who: self.changed_operand(who, t) for who, t in made.items()}

    def changed_operand(self, who, t):
        g, m = self.g, self.mutation
        if m == "batch order" and who == "k" and "b" in self.w.letters:
            t = self.loose(t, "b")
            n = self.a.extents["b"]
            value = g.op("Gather", t.value, g.constant((np.arange(n) + 1) % n), axis=t.axis("b"))
            return Tensor(value, t.axes)
        if m == "heads permuted" and who == "v" and "k" in self.w.letters:
            t = self.loose(t, "k")
            n = self.a.extents["k"]
            value = g.op("Gather", t.value, g.constant(np.arange(n)[::-1].copy()),
                         axis=t.axis("k"))
            return Tensor(value, t.axes)
        if m == "values added" and who == "v":
            return Tensor(g.op("Relu", t.value), t.axes)
        return t

    def loose(self, t, letter):
        return self.a.reshape(t, [(x,) for a in t.axes for x in a])

    def repeated(self, who, t, frame):
        """Keys or values with as many heads as the frame asks for."""
        if "g" not in self.w.letters or "g" in t.letters():
            return t
        mixed = any("g" in a and len(a) > 1 for a in frame[:-2])
        alone = any(a == ("g",) for a in frame[:-2])
        if mixed or (alone and self.c.each("repeat for broadcast", False, True, odds=0.3)):
            b, h, s, d = self.sources.letters(who)
            layout = [a for a in self.c.each("repeat layout", [b, h, s, d], [b, s, h, d]) if a]
            blocks = self.w.blocks
            if self.mutation == "repeats differ" and who == "v":
                return self.wrong_repeat(self.a.arrange(t, layout))
            return self.a.repeat_heads(self.a.arrange(t, layout), blocks)
        return t

    def wrong_repeat(self, t):
        """The other order, under the name of the right one."""
        t = self.a.repeat_heads(t, not self.w.blocks)
        right, wrong = (("k", "g"), ("g", "k")) if self.w.blocks else (("g", "k"), ("k", "g"))
        t = self.a.reshape(t, self.joined(t.axes, wrong))
        return Tensor(t.value, [right if a == wrong else a for a in t.axes])

    @staticmethod
    def joined(axes, pair):
        out = []
        for a in axes:
            if out and out[-1] + a == pair:
                out[-1] = pair
            else:
                out.append(a)
        return out

    # ---- Scores ----

    def frames(self):
        w = self.w
        b, k, g = w.keep("b"), w.keep("k"), w.keep("g")
        h, s, t = w.heads, ("s",), ("t",)
        pair = [k, g] if w.blocks else [g, k]
        rows = [[b, h, s, t], [b + h, s, t], [h, b, s, t], [h + b, s, t]]
        if g:
            rows += [[b] + pair + [s, t], [b, k, g + s, t], [b + k, g + s, t]]
        return [[a for a in row if a] for row in rows]

    def frame(self, name):
        frame = self.c.pick(name, *self.frames(), odds=0.6)
        flipped = self.c.pick(f"{name} flipped", False, True, odds=0.15)
        return frame[:-2] + frame[:-3:-1] if flipped else frame

    def scores(self, q, k):
        frame = self.frame("frame")
        k = self.repeated("k", k, frame)
        if self.w.core == "additive":
            return self.energy.scores(q, k, frame)
        d = ("d",)
        if self.mutation in ("scrambled q", "scrambled k"):
            q, k = self.scrambled(q, k, frame)
        if frame[-1] == ("t",):
            return self.w.product(q, k, frame, d)
        return self.w.product(k, q, frame, d)

    def scrambled(self, q, k, frame):
        row = next(a for a in frame if "s" in a)
        lead = frame[:-2]
        if self.mutation == "scrambled q":
            return self.a.arrange(q, lead + [row, ("d",)], scramble=True), k
        return q, self.a.arrange(k, lead + [("t",), ("d",)], scramble=True)

    # ---- Scale ----

    def draw_scale(self):
        d = self.a.extents["d"]
        self.scale = self.c.pick("scale", d ** -0.5, 1.0, 0.3, odds=0.4)
        places = ["after", "q", "k", "both"] if self.scale != 1 else ["nowhere"]
        if self.w.core == "additive":  # a factor inside of the tanh is another function
            places = places[:1]
        return self.c.pick("scale place", *places)

    def factor(self, like, number, name):
        """A scalar of this value, and whether it divides."""
        g, c, d = self.g, self.c, self.a.extents["d"]
        ways = ["Mul", "Div"] + (["Pow", "shape"] if number == d ** -0.5 else [])
        way = c.pick(f"scale way {name}", *ways)
        if way == "Mul":
            return g.scalar(number, like), False
        if way == "Div":
            return g.scalar(1 / number, like), True
        if way == "Pow":
            base = g.constant(np.array(float(d)), like.dtype)
            return g.op("Pow", base, g.constant(np.array(0.5), like.dtype)), True
        source, at = self.channels
        n = g.op("Slice", g.op("Shape", source), g.ints(at), g.ints(at + 1), g.ints(0))
        x = g.op("Sqrt", g.cast(n, like.dtype))
        if c.pick(f"reciprocal {name}", False, True):
            one = g.constant(np.array(1.0), like.dtype)
            return g.op("Div", one, x), False
        return x, True

    def scaled(self, t, number, name):
        factor, divides = self.factor(t.value, number, name)
        if divides:
            return Tensor(self.g.op("Div", t.value, factor), t.axes)
        pair = self.c.shuffled("factors", [t.value, factor])
        return Tensor(self.g.op("Mul", *pair), t.axes)

    def scale_operands(self, ops, place):
        for who in "qk":
            if ("d",) in ops[who].axes:
                self.channels = ops[who].value, ops[who].axis("d")
                break
        else:
            self.c.plain |= {f"scale way {x}" for x in ("after", "q", "k")}
        if place in ("q", "k"):
            ops[place] = self.scaled(ops[place], self.scale, place)
        if place == "both":
            root = np.sqrt(self.scale)
            for who in "qk":
                ops[who] = self.scaled(ops[who], root, f"both {who}")

    # ---- What is done to the scores ----

    def step_scale(self, x):
        self.steps.append(lambda s: s * self.scale)
        return self.scaled(x, self.scale, "after")

    def step_softcap(self, x):
        cap = self.c.pick("softcap size", 5.0, 30.0)
        inner, outer = self.g.scalar(cap, x.value), cap
        if self.mutation == "softcap of another size":
            outer = cap * 1.5
        value = self.g.op("Tanh", self.g.op("Div", x.value, inner))
        value = self.g.op("Mul", *self.c.shuffled("cap", [value, self.g.scalar(outer, x.value)]))
        self.steps.append(lambda s: np.tanh(s / cap) * cap)
        return Tensor(value, x.axes)

    def draw_bias(self):
        b, h, s, t = self.w.keep("b"), self.w.heads, ("s",), ("t",)
        kind = self.c.pick("bias", "relative", "ALiBi", "input", "low rank")
        axes = {"relative": [(), h, s, t], "ALiBi": [(), h, (), t], "input": [b, h, s, t],
                "low rank": [s, t]}[kind]
        axes = [a for a in axes if a] if len(self.w.standard) < 4 or kind == "low rank" else axes
        if self.w.symbolic & set(sum(axes, ())) or self.c.pick("bias is an input", False, True):
            bias = self.sources.input("bias", axes)
        else:
            shape = [self.a.extent(a) for a in axes]
            bias = Tensor(self.g.constant(self.sources.data(*shape), self.w.dtype), axes)
        return bias

    def step_bias(self, x):
        bias = self.draw_bias()
        x, beside = self.w.meet(x, bias)
        value = self.g.op("Add", *self.c.shuffled("bias operands", [x.value, beside.value]))
        add = self.a.canonical(bias, self.w.order)
        self.steps.append(lambda s: s + add)
        return Tensor(value, x.axes)

    def step_mask(self, x, name, kinds):
        x, meaning = self.masks.put_on(x, name, kinds)
        self.steps.append(meaning)
        return x

    def step_both(self, x, kinds):
        x, meaning = self.masks.put_on_with(x, self.draw_bias(), kinds)
        self.steps.append(meaning)
        return x

    def draw_steps(self, place):
        c = self.c
        first = [self.step_scale] if place == "after" else []
        inside = self.mutation == "mask inside of a softcap"
        may = self.w.core == "product"
        if inside or (may and c.pick("softcap", False, True, odds=0.12)):
            first.append(self.step_softcap)
        rest = [self.step_bias] if c.pick("has bias", False, True, odds=0.3) else []
        chain = c.pick("masks", (), ("causal",), ("padding",), ("causal", "padding"),
                       ("causal", "window"), ("random",), ("padding", "causal", "window"),
                       ("length",), ("causal", "length"), ("band",), ("band", "length"),
                       odds=0.75)
        self.chain = chain
        if rest and chain and c.pick("mask of the bias first", False, True, odds=0.3):
            rest = [lambda x: self.step_both(x, chain)]
        elif chain and c.pick("masks apart", False, True, odds=0.25):
            rest += [self.mask_step(f"mask {kind}", (kind,)) for kind in chain]
        elif chain:
            rest.append(self.mask_step("mask", chain))
        if inside:
            return rest + first
        if first == [self.step_scale] and c.pick("scale last", False, True, odds=0.15):
            return rest + first
        return first + rest

    def mask_step(self, name, kinds):
        return lambda x: self.step_mask(x, name, kinds)

    # ---- The rest ----

    def changed_scores(self, x):
        g, m = self.g, self.mutation
        if m == "scores read":
            g.output(x.value, "scores")
        factors = {"scale by keys": [("t",)], "scale by queries": [("s",)],
                   "scale by sequences": [("b",)] if "b" in self.w.letters else []}
        if m in factors:
            t = self.sources.input("factor", factors[m])
            x, t = self.w.meet(x, self.standing(t))
            return Tensor(g.op("Mul", x.value, t.value), x.axes)
        if m == "nonlinear scores":
            return Tensor(g.op(self.c.pick("nonlinearity", "Relu", "Abs", "Sigmoid"), x.value),
                          x.axes)
        return x

    def standing(self, t):
        return self.a.arrange(t, self.w.standard)

    def changed_weights(self, p):
        g, m = self.g, self.mutation
        if m == "weights read":
            g.output(p.value, "weights")
        if m == "nonlinear weights":
            return Tensor(g.op(self.c.pick("nonlinearity", "Sqrt", "Relu", "Exp"), p.value),
                          p.axes)
        if m == "scores of weights":
            return Tensor(g.op("Add", p.value, g.scalar(0.125, p.value)), p.axes)
        if m == "mask after softmax":
            t = self.sources.input("keep", [("t",)])
            p, t = self.w.meet(p, self.standing(t))
            return Tensor(g.op("Mul", p.value, t.value), p.axes)
        if m == "part of the softmax" and self.a.extents["t"] > 1:
            at, n = p.axis("t"), self.a.extents["t"]
            half = g.op("Slice", p.value, g.ints(0), g.ints(n - 1), g.ints(at))
            zero = g.op("Slice", p.value, g.ints(0), g.ints(1), g.ints(at))
            return Tensor(g.op("Concat", half, zero, axis=at), p.axes)
        return p

    def result(self, p, v):
        frame = self.frame("frame") if self.c.pick("same frame", True, False, odds=0.15) else \
            self.frame("frame of values")
        v = self.repeated("v", v, frame)
        row = next(a for a in frame if "s" in a)
        total, column = ("t",), ("e",)
        if self.mutation == "values over queries" and self.a.extents["s"] == \
                self.a.extents["t"] and row == ("s",):
            swap = {"s": "t", "t": "s"}
            p = Tensor(p.value, [tuple(swap.get(x, x) for x in a) for a in p.axes])
        if self.mutation == "scrambled v":
            v = self.a.arrange(v, frame[:-2] + [total, column], scramble=True)
        if frame[-1] == ("t",):
            return self.w.product(p, v, frame[:-2] + [row, column], total)
        return self.w.product(v, p, frame[:-2] + [column, row], total)

    def finish(self, y):
        w = self.w
        b, h, s, e = w.keep("b"), w.heads, ("s",), ("e",)
        rows = [[b, s, h + e], [b, s, h, e], [b, h, s, e], [s, b, h + e], [b + s, h + e]]
        layout = [a for a in self.c.pick("result layout", *rows) if a]
        y = self.a.arrange(y, layout, scramble=self.mutation == "scrambled y")
        few = w.dtype == "bfloat16"  # digits: a sum of products cannot be judged
        if self.c.pick("projected result", False, True, odds=0.2) and not few:
            n = self.a.extent(y.axes[-1])
            weights = self.g.constant(self.sources.data(n, 3) / 2, w.dtype)
            self.output_weights = weights.array
            self.g.output(self.g.op("MatMul", y.value, weights), "y")
            return
        self.g.output(y.value, "y")
        self.y = y

    def build(self):
        self.y, self.energy = None, Energy(self.w, self.sources)
        place = self.draw_scale()
        ops = self.operands()
        self.channels = None
        self.scale_operands(ops, place)
        if place in ("q", "k", "both"):
            self.steps.append(lambda s: s * self.scale)
        x = self.scores(ops["q"], ops["k"])
        for step in self.draw_steps(place):
            x = step(x)
            x = self.a.decorate(x, 0.05)
        x = self.changed_scores(x)
        p = self.weights.of(x, bool(self.chain))
        p = self.a.decorate(self.changed_weights(p))
        self.finish(self.weights.divided(self.result(p, ops["v"])))

    # ---- Meaning ----

    def meaning(self):
        """Attention of the operands in float64, with the axes of the result; None: projected."""
        w = self.w
        if self.y is None or w.core == "native":
            return None
        q, k, v = (self.means[who] for who in "qkv")
        letters = {who: [x for x in have if x in w.letters]
                   for who, have in (("q", "bkgsd"), ("k", "bktd"), ("v", "bkte"))}
        if w.core == "additive":
            s = self.energy.meaning(q, k, letters)
        else:
            s = np.einsum(f"{''.join(letters['q'])},{''.join(letters['k'])}->{''.join(w.order)}",
                          q, k)
        for step in self.steps:
            s = rounded(step(s), w.dtype)
        p = self.weights.meaning(s)
        out = self.y.letters()
        y = np.einsum(f"{''.join(w.order)},{''.join(letters['v'])}->{''.join(out)}", p, v)
        return y.reshape(self.y.value.shape)
