"""The standard's own Attention node, with attributes and inputs at random."""
import numpy as np

from arrange import Tensor
from masks import LOWEST


class Native:
    def __init__(self, spelling):
        self.spelling, self.w = spelling, spelling.w
        self.g, self.c, self.a = spelling.g, spelling.c, spelling.a
        self.masks, self.sources = spelling.masks, spelling.sources
        self.heads = self.w.keep("k", "g")

    def build(self):
        c, w = self.c, self.w
        ops = self.spelling.operands()
        repeats = "g" in w.letters and c.pick("heads repeated first", False, True, odds=0.3)
        axes = {"q": self.heads, "k": w.keep("k"), "v": w.keep("k")}
        for who in "kv" if repeats else "":
            b, h, s, d = self.sources.letters(who)
            ops[who] = self.a.repeat_heads(self.a.arrange(ops[who], [b, h, s, d]), True)
            axes[who] = self.heads
        flat = c.pick("native layout", "4-D", "3-D") == "3-D"
        given = [self.laid_out(ops[who], axes[who], flat) for who in "qkv"]
        attrs = self.attributes()
        if flat:
            attrs["q_num_heads"] = self.a.extent(axes["q"])
            attrs["kv_num_heads"] = self.a.extent(axes["k"])
        given += [self.mask(), None, None]
        if w.g.opset >= 24 and c.pick("lengths", False, True, odds=0.3):
            given.append(self.lengths())
        scores = c.pick("native scores", False, True, odds=0.3)
        y = self.g.op("Attention", *given, n_out=4 if scores else 1, **attrs)
        if scores:
            y, *_, kept = y
            self.g.output(kept, "scores")
        s, e = ("s",), ("e",)
        rows = [w.keep("b"), s, self.heads + e] if flat else [w.keep("b"), self.heads, s, e]
        y = self.a.arrange(Tensor(y, rows), [w.keep("b"), s, self.heads + e])
        self.g.output(y.value, "y")
        return y

    def laid_out(self, t, heads, flat):
        """Axes that a case does not have are there with an extent of 1."""
        b, (s, d) = self.w.keep("b"), [x for x in t.letters() if x in "stde"][:2]
        s, d = sorted((s, d), key="stde".index)
        axes = [b, (s,), heads + (d,)] if flat else [b, heads, (s,), (d,)]
        return self.a.arrange(t, axes).value

    def attributes(self):
        c, d, attrs = self.c, self.a.extents["d"], {}
        if c.pick("native scale", False, True):
            attrs["scale"] = c.pick("scale", d ** -0.5, 1.0, 0.3, odds=0.4)
        if c.pick("softcap", False, True, odds=0.2):
            attrs["softcap"] = c.pick("softcap size", 5.0, 30.0)
        if c.pick("is_causal", False, True):
            attrs["is_causal"] = 1
        for side in ("left", "right") if self.g.opset >= 25 else ():
            size = c.pick(f"{side} window", -1, 0, 1, 3, odds=0.3)
            attrs.update({f"{side}_window_size": size} if size >= 0 else {})
        mode = c.pick("native scores of", 0, 1, 2, 3)
        return attrs | ({"qk_matmul_output_mode": mode} if mode else {})

    def mask(self):
        """Of bools or numbers, or none."""
        w, c = self.w, self.c
        kinds = c.pick("masks", (), ("causal",), ("padding",), ("random",), odds=0.6)
        if not kinds:
            return None
        seen = self.masks.visible(kinds)
        if len(seen.axes) > 2 or seen.axes != [("s",), ("t",)]:
            seen = self.a.arrange(seen, [w.keep("b"), self.heads, ("s",), ("t",)])
        if c.pick("native mask", "bool", "number") == "bool":
            return seen.value
        # swallows scores in float64 as well, which the formula is computed in
        lowest = LOWEST[w.dtype] if w.dtype != "float16" else -np.inf
        return self.masks.additive(seen, c.pick("native fill", -np.inf, lowest))

    def lengths(self):
        b, t = self.a.extents["b"] if "b" in self.w.letters else 1, self.a.extents["t"]
        numbers = self.c.rng("lengths").integers(0, t + 1, b)
        dims = [self.w.dim(("b",)) if "b" in self.w.letters else 1]
        return self.g.input("lengths", numbers, dims, "int64")
