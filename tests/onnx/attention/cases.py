"""Random cases of attention, each with what the formula says.

The index chooses the classes (kind of mask, past, dtype ...) in steps that are prime to each
other, so that all pairs of classes meet; the generator chooses the rest."""
import ml_dtypes
import numpy as np
from onnx import helper

from attention.formula import attention

DTYPES = (np.float32, np.float32, np.float16, ml_dtypes.bfloat16)
# Absorbs any score, in float64 as well; in float16 no finite number does that.
LOWEST = {np.float32: -3e38, np.float16: -np.inf, ml_dtypes.bfloat16: -3e38}
MASKS = ("none", "bool", "bool keys", "bool short", "float", "float head", "float short",
         "bool with empty rows", "float with empty rows", "lowest", "bool vector")
CACHES = ("none", "past", "lengths", "none", "empty past")
WINDOWS = ((-1, -1), (-1, -1), (3, -1), (-1, 2), (4, 1), (0, 0), (1000, -1))
HEADS = ((4, 4), (4, 2), (6, 2), (3, 1), (1, 1))
ZEROS = ("batch", "queries", "keys", "value size")


class Drawn:
    """Sizes and inputs of case `index`."""

    def __init__(self, seed, index):
        self.rng, self.index = np.random.default_rng([seed, index]), index
        self.dtype = DTYPES[index % 4]
        self.mask, self.cache = MASKS[index % 11], CACHES[index // 2 % 5]
        self.left, self.right = WINDOWS[index // 3 % 7]
        self.heads, self.kv_heads = HEADS[index // 5 % 5]
        self.causal = self.chance()
        self.softcap = self.pick(0.0, 0.0, 5.0)
        self.scale = self.pick(None, None, 0.5)
        self.draw_sizes(ZEROS[index // 13 % 4] if index % 13 == 12 else None)
        self.stage = self.whole(0, 3)

    def draw_sizes(self, zero):
        low, high = (33, 70) if self.index % 6 == 5 else (1, 12)
        self.batch, self.size = self.whole(1, 3), self.pick(8, 16, 20, 64, 128)
        self.value_size = self.pick(self.size, 8, 24)
        self.queries, self.keys = self.whole(low, high), self.whole(low, high)
        self.past = {"past": self.whole(1, 20), "empty past": 0}.get(self.cache, 0)
        if zero == "batch":
            self.batch = 0
        elif zero == "queries":
            self.queries = 0
        elif zero == "keys":
            self.keys = 0
        elif zero == "value size":
            self.value_size = 0
        self.total = self.past + self.keys

    # ---- Drawing ----

    def chance(self, p=0.5):
        return bool(self.rng.random() < p)

    def pick(self, *choices):
        return choices[int(self.rng.integers(len(choices)))]

    def whole(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def data(self, *shape):
        return (self.rng.standard_normal(shape) * 0.7).astype(self.dtype)

    def queries_keys_values(self):
        return (self.data(self.batch, self.heads, self.queries, self.size),
                self.data(self.batch, self.kv_heads, self.total, self.size),
                self.data(self.batch, self.kv_heads, self.total, self.value_size))

    def lengths(self):
        """Behind which keys there are none; sometimes fewer than queries, sometimes 0."""
        return self.rng.integers(0, self.total + 1, self.batch)

    def bias(self):
        kind, words = self.mask.split()[0], self.mask.split()
        if kind == "none":
            return None
        shape = [self.pick(1, self.batch), self.pick(1, self.heads), self.queries, self.total]
        if "keys" in words:
            shape = [self.batch, 1, 1, self.total]
        if "head" in words:
            shape = [self.heads, self.pick(1, self.queries), self.total]
        if "vector" in words:
            shape = [self.total]
        if "short" in words:
            shape[-1] = self.whole(min(2, self.total), self.total)
        allowed = self.rng.random(shape) < 0.8
        if "empty" in words:
            allowed[..., : self.queries // 2 + 1, :] = False
        if kind == "bool":
            return allowed
        lowest = LOWEST[self.dtype] if kind == "lowest" else -np.inf
        return np.where(allowed, self.rng.standard_normal(shape), lowest).astype(self.dtype)

    def later(self, fill):
        """Is the bias added to the fill, and to which? Where both are small, hidden keys count."""
        late = np.random.default_rng([1, self.index]).random() < 0.4
        return late, self.pick(-1e4, -2.0, 0.0) if late and not np.isinf(fill) else fill

    def mask_and_factor(self, bias):
        rng, mask, factor = np.random.default_rng([2, self.index]), None, None
        if bias is not None and bias.dtype != bool and rng.random() < 0.5:
            mask = rng.random((self.batch, 1, 1, self.total)) < 0.7
        if rng.random() < 0.3:
            shape = (self.pick(1, self.batch), 1, self.pick(1, self.queries), self.total)
            factor = (rng.standard_normal(shape) * (rng.random(shape) < 0.8)).astype(self.dtype)
        return mask, factor

    def precision(self):
        return self.pick(None, None, 1, 11) if self.dtype != np.float32 else self.pick(None, 1, 11)


def attributes(**given):
    return {name: value for name, value in given.items() if value is not None}


def joined(x):
    """Heads side by side."""
    return np.ascontiguousarray(x.swapaxes(1, 2)).reshape(
        x.shape[0], x.shape[2], x.shape[1] * x.shape[3])


def standard_case(d):
    """(node, {name: input}, outputs): ai.onnx Attention."""
    q, k, v = d.queries_keys_values()
    bias, lengths, offsets = d.bias(), None, None
    given = {"q": q, "k": k[:, :, d.past:], "v": v[:, :, d.past:]}
    if "past" in d.cache:
        given.update(past_key=k[:, :, :d.past], past_value=v[:, :, :d.past])
        offsets = [d.past]
    if d.cache == "lengths":
        lengths = given["lengths"] = d.lengths()
        offsets = lengths - d.queries
    if bias is not None:
        given["bias"] = bias
    y, stages = attention(q, k, v, bias, lengths, offsets, None, d.scale, d.softcap, d.causal,
                          d.left, d.right)
    attrs = attributes(scale=d.scale, softcap=d.softcap, is_causal=int(d.causal),
                       left_window_size=d.left, right_window_size=d.right,
                       qk_matmul_output_mode=d.stage, softmax_precision=d.precision())
    if d.chance(0.4):
        attrs.update(q_num_heads=d.heads, kv_num_heads=d.kv_heads)
        given.update({name: joined(given[name]) for name in "qkv"})
        y = joined(y)
    outputs = {"y": y}
    if d.cache != "lengths":
        outputs.update(present_key=k, present_value=v)
    if d.chance(0.6):
        outputs["scores"] = stages[d.stage]
    order = ("q", "k", "v", "bias", "past_key", "past_value", "lengths")
    results = ("y", "present_key", "present_value", "scores")
    node = helper.make_node("Attention", [n if n in given else "" for n in order],
                            [n if n in outputs else "" for n in results], **attrs)
    return node, {n: given[n] for n in order if n in given}, outputs


def heed_case(d):
    """The same of heed.Attention, which knows sinks, offsets and fills as well."""
    q, k, v = d.queries_keys_values()
    given = {"q": q, "k": k, "v": v}
    bias, sinks, offsets = d.bias(), d.data(d.heads) * 2 if d.chance(0.4) else None, None
    lengths = d.lengths().astype(d.pick(np.int32, np.int64)) if d.cache == "lengths" else None
    if d.chance():
        offsets = d.rng.integers(-4, d.total + 1, d.pick(1, d.batch))
        offsets = offsets if lengths is None else offsets.astype(lengths.dtype)
    fill = d.pick(-np.inf, -np.inf, -1e4)
    empty = d.pick("zero", "zero", "nan")
    empty = "share" if np.random.default_rng([5, d.index]).random() < 0.2 else empty
    fill_first, fill = d.later(fill)
    fill_added = np.random.default_rng([3, d.index]).random() < 0.3
    fill = -64.0 if fill_added and fill == -1e4 else fill  # a sum keeps its digits
    fill_zeroed = not fill_added and np.random.default_rng([4, d.index]).random() < 0.3
    mask, factor = d.mask_and_factor(bias)
    least, most = (-np.inf, np.inf) if d.index % 7 else (d.pick(-np.inf, -0.3), 0.4)
    for name, value in (("bias", bias), ("lengths", lengths), ("offsets", offsets),
                        ("sinks", sinks), ("mask", mask), ("factor", factor)):
        if value is not None:
            given[name] = value
    y, stages = attention(q, k, v, bias, lengths, offsets, sinks, d.scale, d.softcap, d.causal,
                          d.left, d.right, fill, empty, factor, fill_first, mask,
                          least, most, fill_added, fill_zeroed)
    attrs = attributes(scale=d.scale, softcap=d.softcap, causal=int(d.causal), left_window=d.left,
                       right_window=d.right, scores=d.stage, softmax_precision=d.precision(),
                       empty=empty, fill=float(fill), fill_first=int(fill_first), short_mask=1,
                       fill_added=int(fill_added), fill_zeroed=int(fill_zeroed),
                       scores_min=float(least), scores_max=float(most))
    outputs = {"y": y, "scores": stages[d.stage]} if d.chance(0.6) else {"y": y}
    order = ("q", "k", "v", "bias", "lengths", "offsets", "sinks", "mask", "factor")
    node = helper.make_node("Attention", [n if n in given else "" for n in order], list(outputs),
                            domain="heed", **attrs)
    return node, {n: given[n] for n in order if n in given}, outputs
