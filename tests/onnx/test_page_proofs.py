#!/usr/bin/env python3
"""Small decoders of which one part is changed: what gets pages, and what must not.

Each case writes a decoder of one layer with some part in another form. Where rows of that part are
those of the tokens, it gets pages and gives step by step what it gives at once (`stepwise`). Where
they are not, though it looks alike, there are no pages: results would depend on how tokens are cut
into steps, or on who else is in a step."""

import os
import subprocess
import sys
import tempfile

import corpora

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    corpora.skip("numpy and onnx are not there")

WORDS, WIDTH, HEADS, EACH, MOST = 19, 16, 2, 8, 12
LOW = -3e38
draw = np.random.default_rng(7)


class Decoder:
    """tokens [1, S] -> logits [1, S, WORDS], in parts that a case may write otherwise."""

    def __init__(self):
        self.nodes, self.weights, self.count = [], [], 0

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = ["v%d" % (self.count + i) for i in range(outputs)]
        self.count += outputs
        inputs = [x if isinstance(x, str) else self.const(x) for x in inputs]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def const(self, value):
        name = "c%d" % len(self.weights)
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def random(self, *shape):
        return self.const((draw.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32))

    def tokens(self):
        """S as int64 [1]"""
        return self.op("Shape", "tokens", start=1, end=2)

    def number(self, length):
        return self.op("Squeeze", length, [0])

    def places(self):
        return self.op("Range", np.int64(0), self.number(self.tokens()), np.int64(1))

    def floats(self, x):
        return self.op("Cast", x, to=TensorProto.FLOAT)

    def minimum(self, most):
        """min(S, most) as int64 [1]"""
        return self.op("Reshape", self.op("Min", self.number(self.tokens()), np.int64(most)), [1])

    def heads(self, x):
        return self.op("Transpose", self.op("Reshape", x, [0, -1, HEADS, EACH]), perm=[0, 2, 1, 3])

    def sees(self):
        """key <= query [S, S]"""
        places = self.places()
        return self.op("LessOrEqual", places, self.op("Unsqueeze", places, [1]))

    def window(self, before):
        """key > query - before [S, S], and key <= query"""
        places = self.places()
        first = self.op("Sub", self.op("Unsqueeze", places, [1]), np.int64(before))
        return self.op("And", self.op("Greater", places, first), self.sees())

    def mask(self, scores):
        return self.op("Where", self.sees(), scores, np.float32(LOW))

    def attend(self, x, turn=None, mask=None):
        q, k, v = (self.heads(self.op("MatMul", x, self.random(WIDTH, WIDTH))) for _ in range(3))
        if turn:
            q, k = turn(q), turn(k)
        scores = self.op("MatMul", q, self.op("Transpose", k, perm=[0, 1, 3, 2]))
        scores = (mask or self.mask)(self.op("Mul", scores, np.float32(0.35)))
        y = self.op("MatMul", self.op("Softmax", scores, axis=-1), v)
        y = self.op("Reshape", self.op("Transpose", y, perm=[0, 2, 1, 3]), [0, -1, WIDTH])
        return self.op("Add", x, self.op("MatMul", y, self.random(WIDTH, WIDTH)))

    def model(self, part):
        x = self.op("Gather", self.random(WORDS, WIDTH), "tokens")
        x = part(self, x)
        logits = self.op("MatMul", x, self.random(WIDTH, WORDS))
        graph = helper.make_graph(
            self.nodes, "decoder",
            [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", "sequence"])],
            [helper.make_tensor_value_info(logits, TensorProto.FLOAT, None)], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)


# ---- Parts: (d, x [1, S, WIDTH]) -> [1, S, WIDTH] ------------------------------------------------


def plain(d, x):
    return d.attend(x)


def merged(axis, back=(0, -1, WIDTH), shape=(0, -1, EACH)):
    """Heads behind tokens in one axis, and a norm by hand."""
    def part(d, x):
        y = d.op("Reshape", x, list(shape))
        mean = d.op("ReduceMean", d.op("Mul", y, y), [axis], keepdims=1)
        y = d.op("Div", y, d.op("Sqrt", d.op("Add", mean, np.float32(0.1))))
        return d.attend(d.op("Reshape", y, list(back)))
    return part


def heads_before_tokens(d, x):
    y = d.op("Reshape", x, d.op("Concat", np.array([0, HEADS]), d.tokens(), np.array([EACH]),
                                axis=0))
    y = d.op("Add", y, np.array([[[1.0]], [[2.0]]]))
    return d.attend(d.op("Reshape", y, [0, -1, WIDTH]))


def cut_shape(most, shape):
    """A table of places with `most` entries; an extent that is min(S, most), as `shape` wants."""
    def part(d, x):
        x = d.op("Add", x, d.op("Gather", d.random(MOST, WIDTH), d.places()))
        return d.attend(shape(d, x, d.minimum(most)))
    return part


def whole_shape(d, x, least):
    rows = d.op("Reshape", x, [-1, WIDTH])
    return d.op("Reshape", rows, d.op("Concat", np.array([-1]), least, np.array([WIDTH]), axis=0))


def mean_of_first(d, x, least):
    first = d.op("Slice", x, [0], least, [1])
    return d.op("Add", x, d.op("ReduceMean", first, [1], keepdims=1))


def times_least(d, x, least):
    return d.op("Mul", x, d.floats(least))


def shape_and_times(d, x, least):
    return times_least(d, whole_shape(d, x, d.minimum(MOST)), least)


def turned(length, places=None, scale=None):
    """Rotary embeddings from a table of `length` rows, looked up by places."""
    def part(d, x):
        angles = d.op("MatMul", d.op("Unsqueeze", d.floats(
            d.op("Range", np.int64(0), d.number(length(d)), np.int64(1))), [1]),
            d.const(np.array([[1, 0.3, 0.1, 0.03]])))
        if scale:
            angles = d.op("Mul", angles, scale(d))
        at = places(d) if places else d.places()
        at = d.op("Expand", at, d.op("Shape", "tokens"))
        tables = d.op("Cos", angles), d.op("Sin", angles)
        return d.attend(x, turn=lambda y: d.op("RotaryEmbedding", y, *tables, at))
    return part


def largest(d):
    most = d.op("ReduceMax", d.places(), keepdims=0)
    return d.op("Reshape", d.op("Add", most, np.int64(1)), [1])


def last(index):
    def length(d):
        n = d.op("Gather", d.places(), np.array([index]), axis=0)
        return d.op("Add", n, np.array([1 - (index + 1)]))
    return length


def backwards(d):
    return d.op("Sub", d.op("Sub", d.number(d.tokens()), np.int64(1)), d.places())


def by_length(d):
    return d.floats(d.tokens())


def by_largest(d):
    return d.floats(largest(d))


def times_part(scale):
    return lambda d, x: d.attend(d.op("Mul", x, scale(d)))


def masked(mask):
    return lambda d, x: d.attend(x, mask=lambda scores: mask(d, scores))


def table_mask(seen):
    """Scores times a table, and a big number where it is 0, as GPT had it."""
    def mask(d, scores):
        n = d.tokens()
        table = np.tril(np.full((MOST, MOST), seen)).astype(np.float32)
        table = d.op("Slice", table, [0, 0], d.op("Concat", n, n, axis=0), [0, 1])
        hidden = d.op("Slice", np.triu(np.full((MOST, MOST), -1e4), 1).astype(np.float32), [0, 0],
                      d.op("Concat", n, n, axis=0), [0, 1])
        return d.op("Add", d.op("Mul", scores, table), hidden)
    return mask


def twice(value):
    """A causal mask, and once more as what is added; `value` for keys that are seen."""
    def mask(d, scores):
        again = d.op("Where", d.sees(), np.float32(value), np.float32(-65504))
        return d.op("Add", d.mask(scores), again)
    return mask


def parts(every, window=None):
    """Causal within parts, that begin where positions do not go on by one; or a window there."""
    def mask(d, scores):
        places = d.op("Mod", d.places(), np.int64(every)) if every else d.places()
        first = d.op("Sub", d.op("Slice", places, [0], [1], [0]), np.int64(1))
        both = d.op("Concat", first, places, axis=0)
        n = d.tokens()
        step = d.op("Sub", d.op("Slice", both, [1], d.op("Add", n, np.array([1])), [0]),
                    d.op("Slice", both, [0], n, [0]))
        begins = d.op("Cast", d.op("Not", d.op("Equal", step, np.int64(1))), to=TensorProto.INT64)
        part = d.op("CumSum", begins, np.int64(0))
        sees = d.window(window) if window else d.sees()
        same = d.op("Equal", part, d.op("Unsqueeze", part, [1]))
        return d.op("Where", d.op("And", sees, same), scores, np.float32(LOW))
    return mask


def soft(fill):
    return lambda d, scores: d.op("Where", d.sees(), scores, np.float32(fill))


def biased(bias):
    return lambda d, scores: d.mask(d.op("Add", scores, bias(d)))


def slopes(d, x):
    return d.op("Mul", np.array([[[[0.5]], [[0.25]]]]), x)


def by_key(d):
    return slopes(d, d.floats(d.places()))


def by_key_and_length(d):
    x = d.floats(d.op("Sub", d.places(), d.tokens()))
    return slopes(d, d.op("Mul", x, x))


def by_distance(scale=None):
    def bias(d):
        places = d.places()
        x = d.floats(d.op("Sub", places, d.op("Unsqueeze", places, [1])))
        return slopes(d, d.op("Mul", x, scale(d)) if scale else x)
    return bias


def from_last(d):
    """slope * (key - (S - 1))"""
    last = d.op("Sub", d.number(d.tokens()), np.int64(1))
    return slopes(d, d.floats(d.op("Sub", d.places(), last)))


def from_last_scaled(d):
    return d.op("Div", from_last(d), by_length(d))


def cut_from_end(table, first=0):
    """The last S entries of a table [1, HEADS, 1, MOST], as MPT has its ALiBi; or others."""
    def bias(d):
        start = d.op("Sub", np.array([MOST + first]), d.tokens())
        end = d.op("Add", start, d.tokens())
        return d.op("Slice", table, start, end if first else np.array([2**62]), [3], [1])
    return bias


def lines(bend=0.0):
    row = np.arange(1.0 - MOST, 1.0)
    row[MOST // 2:] += bend * np.arange(MOST - MOST // 2)
    return (np.array([0.5, 0.3]).reshape(1, HEADS, 1, 1) * row).astype(np.float32)


def buckets(most):
    """A table that distances are looked up in; beyond `most` all are alike."""
    def bias(d):
        places = d.places()
        behind = d.op("Sub", d.op("Unsqueeze", places, [1]), places)
        at = d.op("Clip", behind, np.int64(0), most(d))
        return d.op("Gather", d.random(HEADS, MOST), at, axis=1)
    return bias


def window_and_causal(low, before=4):
    """Where(window, scores, low) + Where(causal, 0, low): behind both is twice the fill."""
    def mask(d, scores):
        near = d.op("Greater", d.places(),
                    d.op("Sub", d.op("Unsqueeze", d.places(), [1]), np.int64(before)))
        hidden = d.op("Where", d.sees(), np.float32(0), np.float32(low))
        return d.op("Add", d.op("Where", near, scores, np.float32(low)), hidden)
    return mask


def first_hidden(d, scores):
    """Key 0 is hidden from all, and so query 0 sees nothing."""
    seen = d.op("Where", d.op("Greater", d.places(), np.int64(0)), np.float32(0), np.float32(LOW))
    return d.op("Add", d.op("Add", scores, seen),
                d.op("Where", d.sees(), np.float32(0), np.float32(LOW)))


def segments(most, kinds=2):
    """A list of zeros, cut to the tokens and stretched, for a table of kinds of tokens."""
    def part(d, x):
        zeros = d.op("Slice", np.zeros((1, most), np.int64), [0], d.tokens(), [1], [1])
        kind = d.op("Expand", zeros, d.op("Shape", "tokens"))
        return d.attend(d.op("Add", x, d.op("Gather", d.random(kinds, WIDTH), kind)))
    return part


def looked_along(axis):
    """GatherElements of a table by the tokens' places: along it, or across."""
    def part(d, x):
        at = d.op("Unsqueeze", d.op("Unsqueeze", d.places(), [0]), [2])
        at = d.op("Tile", at, np.array([1, 1, WIDTH]))
        at = at if axis == 1 else d.op("Mod", at, np.int64(3))
        return d.attend(d.op("Add", x, d.op("GatherElements", d.random(1, MOST, WIDTH), at,
                                            axis=axis)))
    return part


def likened(d, x):
    """Places that are counted in the type of another value."""
    n = d.number(d.tokens())
    first, step = (d.op("CastLike", np.float32(number), n) for number in (0, 1))
    return d.attend(d.op("Add", x, d.op("Gather", d.random(MOST, WIDTH),
                                        d.op("Range", first, n, step))))


def written(rows):
    """A mask whose rows are all written anew, each to the place that `rows` says."""
    def mask(d, scores):
        low = d.op("Where", d.sees(), np.float32(0), np.float32(LOW))
        at = d.op("Unsqueeze", rows(d), [1])
        return d.op("Add", scores, d.op("ScatterND", d.op("Mul", low, np.float32(0)), at, low))
    return mask


def picked(pick, after=None, before=None):
    """The last token's row, and what is done with it before the result."""
    def part(d, x):
        x = pick(d, d.attend(before(d, x) if before else x))
        return after(d, x) if after else x
    return part


def counted(d, x):
    """Places that leave some tokens out."""
    kept = d.op("Cast", d.op("Not", d.op("Equal", "tokens", np.int64(1))), to=TensorProto.INT64)
    return d.op("Add", x, d.op("Gather", d.random(MOST, WIDTH), d.op("CumSum", kept, np.int64(1))))


def last_of(index=-1):
    return lambda d, x: d.op("Gather", x, np.int64(index), axis=1)


def last_slice(d, x):
    return d.op("Slice", x, [-1], [2**62], [1])


def last_by_length(d, x):
    return d.op("Gather", x, d.op("Sub", d.number(d.tokens()), np.int64(1)), axis=1)


def place_of_row(d, x):
    """The picked row gets what stands at place 0, and not at its own."""
    n = d.op("Squeeze", d.op("Shape", x, start=1, end=2), [0])
    at = d.op("Range", np.int64(0), n, np.int64(1))
    return d.op("Add", x, d.op("Gather", d.random(MOST, WIDTH), at))


def filled_scale(scale=None):
    """A norm whose scale is made as large as what it norms."""
    def part(d, x):
        ones = d.op("ConstantOfShape", d.op("Shape", x),
                    value=helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]))
        ones = d.op("Mul", ones, scale(d)) if scale else ones
        return d.attend(d.op("RMSNormalization", x, ones, axis=-1))
    return part


def experts(at_rows=None, at_sums=None, each=None, hit=None, count=3):
    """A mixture of experts, unrolled: the tokens of an expert are a list that NonZero makes."""
    def part(d, x):
        rows = d.op("Reshape", x, [-1, WIDTH])
        weights, which = d.op("TopK", d.op("Softmax", d.op(
            "MatMul", rows, d.random(WIDTH, count)), axis=-1), [2], outputs=2, axis=-1)
        wanted = d.op("Transpose", d.op("OneHot", which, np.int64(count), np.array([0, 1])),
                      perm=[2, 1, 0])
        sums = d.op("ConstantOfShape", d.op("Shape", rows))
        for k in hit(d, wanted) if hit else range(count):
            k = k if isinstance(k, str) else np.array([k])
            chosen = d.op("Squeeze", d.op("Gather", wanted, k, axis=0), [0])
            at = d.op("Transpose", d.op("NonZero", chosen), perm=[1, 0])
            slot, token = (d.op("Squeeze", v, [1]) for v in d.op("Split", at, [1, 1], outputs=2,
                                                                 axis=1))
            y = d.op("Gather", rows, at_rows(d, token) if at_rows else token)
            y = d.op("Relu", d.op("MatMul", y, d.random(WIDTH, WIDTH)))
            y = each(d, y) if each else y
            one = d.op("Add", slot, d.op("Mul", token, np.int64(2)))
            y = d.op("Mul", y, d.op("Gather", d.op("Reshape", weights, [-1, 1]), one))
            at = d.op("Unsqueeze", at_sums(d, token) if at_sums else token, [1])
            at = d.op("Expand", at, d.op("Shape", y))
            sums = d.op("Add", sums, d.op("ScatterElements", d.op(
                "ConstantOfShape", d.op("Shape", sums)), at, y, axis=0))
        return d.attend(d.op("Add", x, d.op("Reshape", sums, d.op("Shape", x))))
    return part


def those_wanted(count):
    """The experts that some token wants, of which there are `count`."""
    def hit(d, wanted):
        times = d.op("ReduceSum", wanted, [-1, -2], keepdims=0)
        at = d.op("Transpose", d.op("NonZero", d.op("Greater", times, np.int64(0))), perm=[1, 0])
        parts = d.op("Split", at, np.array([1] * count), outputs=count, axis=0)
        return [d.op("Squeeze", v, [0]) for v in parts]
    return hit


def the_one_before(d, token):
    return d.op("Max", d.op("Sub", token, np.int64(1)), np.int64(0))


def the_one_after(d, token):
    last = d.op("Sub", d.number(d.tokens()), np.int64(1))
    return d.op("Min", d.op("Add", token, np.int64(1)), last)


def less_the_mean(d, y):
    return d.op("Sub", y, d.op("ReduceMean", y, [0], keepdims=1))


def by_number_of_entries(d, y):
    return d.op("Mul", y, d.floats(d.op("Shape", y, start=0, end=1)))


def summed_up(d, y):
    return d.op("CumSum", y, np.int64(0))


def convolved(pads=(2, 0), cut=None, taps=3, group=WIDTH, bias=False, before=0, **attributes):
    """A convolution over tokens; `cut`: which of its results are taken, from the first."""
    def part(d, x):
        y = d.op("Transpose", x, perm=[0, 2, 1])
        y = d.op("Pad", y, np.array([0, 0, before, 0, 0, 0])) if before else y
        inputs = [y, d.random(WIDTH, WIDTH // group, taps)] + ([d.random(WIDTH)] if bias else [])
        y = d.op("Conv", *inputs, group=group, pads=list(pads), **attributes)
        if cut is not None:
            y = d.op("Slice", y, np.array([cut]), d.op("Add", d.tokens(), np.array([cut])), [2])
        return d.attend(d.op("Add", x, d.op("Transpose", y, perm=[0, 2, 1])))
    return part


# name: (part, whether it gets pages)
CASES = {
    "plain": (plain, True),
    "a norm of heads behind tokens": (merged(2), True),
    "a norm over heads and tokens": (merged(1), False),
    "heads before tokens": (heads_before_tokens, False),
    "a shape that is cut to the table": (cut_shape(MOST, whole_shape), True),
    "a mean of the first tokens": (cut_shape(4, mean_of_first), False),
    "times a length that is cut": (cut_shape(4, times_least), False),
    "times a length that is cut before the table's": (cut_shape(4, shape_and_times), False),
    "times a length that the table does not cut": (cut_shape(MOST, shape_and_times), False),
    "a table for the largest place": (turned(largest), True),
    "a table for the last place": (turned(last(-1)), True),
    "a table for the place before the last": (turned(last(-2)), None),
    "a table that is scaled by its length": (turned(largest, scale=by_length), False),
    "a table that is looked up backwards": (turned(largest, places=backwards), False),
    "times the number of tokens": (times_part(by_length), False),
    "times the largest place": (times_part(by_largest), False),
    "a causal mask that multiplies": (masked(table_mask(1.0)), True),
    "a causal mask that halves what is seen": (masked(table_mask(0.5)), None),
    "a causal mask twice": (masked(twice(0.0)), True),
    "a causal mask, and one that adds to what is seen": (masked(twice(1.0)), None),
    "one part of all tokens": (masked(parts(None)), True),
    "parts of a few tokens": (masked(parts(4)), False),
    "one part of all tokens, and a window": (masked(parts(None, 4)), True),
    "parts of a few tokens, and a window": (masked(parts(4, 5)), False),
    "a mask that hides little": (masked(soft(-10.0)), False),
    "a bias by key": (masked(biased(by_key)), True),
    "a bias by key that the length moves": (masked(biased(by_key_and_length)), False),
    "a bias by distance": (masked(biased(by_distance())), True),
    "a bias by distance that the length scales": (masked(biased(by_distance(by_length))), False),
    "a bias from the last key on": (masked(biased(from_last)), True),
    "a bias from the last key on that the length scales": (masked(biased(from_last_scaled)), False),
    "a line that is cut from its end": (masked(biased(cut_from_end(lines()))), True),
    "a line with a bend that is cut from its end": (masked(biased(cut_from_end(lines(0.01)))),
                                                    False),
    "a line that is cut before its end": (masked(biased(cut_from_end(lines(), -1))), None),
    "buckets of distances": (masked(biased(buckets(lambda d: np.int64(5)))), True),
    "buckets of distances that the length widens": (
        masked(biased(buckets(lambda d: d.op("Div", d.number(d.tokens()), np.int64(2))))), False),
    "a window, and a causal mask added": (masked(window_and_causal(LOW)), True),
    "a weak window, and a causal mask added": (masked(window_and_causal(-30.0)), False),
    "a query that sees nothing": (masked(first_hidden), False),
    "kinds of tokens from a list": (segments(MOST), True),
    "a table that places look along": (looked_along(1), True),
    "a table that places look across": (looked_along(2), False),
    "places in the type of another value": (likened, True),
    "a mask whose rows are written anew": (masked(written(Decoder.places)), True),
    "a mask whose rows are written backwards": (masked(written(backwards)), False),
    "the last row": (picked(last_of()), True),
    "the last row, by the tokens' number": (picked(last_by_length), True),
    "the last row, as a cut": (picked(last_slice, lambda d, x: d.op(
        "LayerNormalization", x, d.random(WIDTH), axis=-1)), True),
    "the last row, where kinds of tokens are counted": (picked(last_of(), before=counted), True),
    "the row before the last": (picked(last_of(-2)), False),
    "the last row, that attends to itself": (picked(last_slice, plain), False),
    "the last row, at the first place": (picked(last_slice, place_of_row), None),
    "the last row beside the mean of all": (picked(lambda d, x: d.op(
        "Add", last_slice(d, x), d.op("ReduceMean", x, [1], keepdims=1))), False),
    "a norm with a scale for each row": (filled_scale(), True),
    "a norm with a scale that is the length": (filled_scale(by_length), False),
    "experts": (experts(), True),
    "experts that get the row before": (experts(at_rows=the_one_before), False),
    "experts that add to the row after": (experts(at_sums=the_one_after), False),
    "experts that compare their tokens": (experts(each=less_the_mean), False),
    "experts that count their tokens": (experts(each=by_number_of_entries), False),
    "experts that add their tokens up": (experts(each=summed_up), False),
    "experts, of which all are wanted": (experts(hit=those_wanted(3)), True),
    "experts, of which some are wanted": (experts(hit=those_wanted(3), count=4), False),
    "a convolution of what came before": (convolved(), True),
    "a convolution that is cut": (convolved(pads=(2, 2), cut=0), True),
    "a convolution of what came before alone": (convolved(pads=(3, 2), cut=0), True),
    "a convolution with places between": (convolved(pads=(6, 0), taps=4, dilations=[2]), True),
    "a convolution of padded tokens": (convolved(pads=(0, 0), before=2), True),
    "a convolution of all channels": (convolved(group=1, bias=True), True),
    "a convolution around each token": (convolved(pads=(1, 1)), False),
    "a convolution that is cut one later": (convolved(pads=(2, 2), cut=1), False),
    "a convolution of a few channels": (convolved(group=4), None),
}


def run_case(folder, part):
    onnx.save(Decoder().model(part), os.path.join(folder, "model.onnx"))
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    tokens = numpy_helper.from_array(draw.integers(0, WORDS, (2, MOST - 1)), "tokens")
    with open(os.path.join(data, "input_0.pb"), "wb") as file:
        file.write(tokens.SerializeToString())
    tool = os.path.join(corpora.BUILD, "tests", "stepwise")
    done = subprocess.run([tool, folder], capture_output=True, text=True, check=False)
    form, _, said = done.stdout.strip().partition(" ")
    return said if form else "failed: " + done.stderr.strip()


def judge(said, wanted):
    """None: right; or what is wrong. What need not get pages must be right where it has them."""
    pages = said.startswith("same") and said.endswith(" moved 0")
    none = said.startswith("none: no pages")
    if wanted is None:
        return None if pages or none else said
    return None if (pages if wanted else none) else said


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, (part, wanted) in CASES.items():
            wrong = judge(run_case(folder, part), wanted)
            if wrong:
                print("FAILED %s: %s" % (name, wrong))
                failed += 1
    print("%d passed, %d failed, 0 skipped" % (len(CASES) - failed, failed))
    sys.exit(1 if failed else 0)


main()
