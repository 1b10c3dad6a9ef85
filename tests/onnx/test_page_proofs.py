#!/usr/bin/env python3
"""Small decoders of which one part is changed, but for masks: what gets pages, and what not."""

from page_parts import EACH, HEADS, MOST, WIDTH, backwards, by_length, run_all

import numpy as np
from onnx import TensorProto, helper


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


def cut_table(most, places=None):
    """Rows of a table, cut to the tokens, in an extent of as many as there are."""
    def part(d, x):
        rows = d.op("Slice", d.random(most, WIDTH), [0], d.tokens(), [0], [1])
        extent = np.array([places]) if places else d.tokens()
        shape = d.op("Concat", np.array([1]), extent, np.array([WIDTH]), axis=0)
        return d.attend(d.op("Add", x, d.op("Reshape", rows, shape)))
    return part


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


def by_largest(d):
    return d.floats(largest(d))


def times_part(scale):
    return lambda d, x: d.attend(d.op("Mul", x, scale(d)))


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


def last_turned(d, x):
    """x[:, [-1]], as torch.export has it: tokens outermost, and back."""
    x = d.op("GatherND", d.op("Transpose", x, perm=[1, 0, 2]), [[-1]])
    return d.op("Transpose", x, perm=[1, 0, 2])


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


def computed_pads(d):
    """As TorchScript has them: the last axis first, zeros for the rest, and all turned around."""
    zeros = d.op("ConstantOfShape", np.array([4]),
                 value=helper.make_tensor("zero", TensorProto.INT64, [1], [0]))
    pads = d.op("Reshape", d.op("Concat", np.array([2, 0]), zeros, axis=0), [-1, 2])
    pads = d.op("Slice", pads, [-1], [-2**62], [0], [-1])
    return d.op("Reshape", d.op("Transpose", pads, perm=[1, 0]), [-1])


def convolved(pads=(2, 0), cut=None, taps=3, group=WIDTH, bias=False, before=0, **attributes):
    """A convolution over tokens; `cut`: which of its results are taken, from the first."""
    def part(d, x):
        y = d.op("Transpose", x, perm=[0, 2, 1])
        y = d.op("Pad", y, computed_pads(d) if before == "computed" else np.array(
            [0, 0, before, 0, 0, 0])) if before else y
        inputs = [y, d.random(WIDTH, WIDTH // group, taps)] + ([d.random(WIDTH)] if bias else [])
        y = d.op("Conv", *inputs, group=group, pads=list(pads), **attributes)
        if cut is not None:
            y = d.op("Slice", y, np.array([cut]), d.op("Add", d.tokens(), np.array([cut])), [2])
        return d.attend(d.op("Add", x, d.op("Transpose", y, perm=[0, 2, 1])))
    return part


def shifted(pads, axes=None):
    """As many rows as before, of other tokens."""
    def part(d, x):
        more = ["", np.array(axes)] if axes else []
        return d.attend(d.op("Add", x, d.op("Pad", x, pads, *more)))
    return part


def sliced(step):
    """All rows, from the first or from the last."""
    def part(d, x):
        ends = ([0], [2**62]) if step > 0 else ([-1], [-2**62])
        return d.attend(d.op("Add", x, d.op("Slice", x, *ends, [1], [step])))
    return part


run_all({
    "plain": (plain, True),
    "one head of keys": (lambda d, x: d.attend(x, counts=(HEADS, 1, HEADS)), True),
    "one head of values": (lambda d, x: d.attend(x, counts=(HEADS, HEADS, 1)), True),
    "a norm of heads behind tokens": (merged(2), True),
    "a norm over heads and tokens": (merged(1), False),
    "heads before tokens": (heads_before_tokens, False),
    "a table that is cut, in the shape of the tokens": (cut_table(MOST), True),
    "a table that is cut, in a shape of its own": (cut_table(MOST, -1), None),
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
    "kinds of tokens from a list": (segments(MOST), True),
    "a table that places look along": (looked_along(1), True),
    "a table that places look across": (looked_along(2), False),
    "places in the type of another value": (likened, True),
    "the last row": (picked(last_of()), True),
    "the last row, by the tokens' number": (picked(last_by_length), True),
    "the last row, as a cut": (picked(last_slice, lambda d, x: d.op(
        "LayerNormalization", x, d.random(WIDTH), axis=-1)), True),
    "the last row, with tokens outermost": (picked(last_turned), True),
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
    "a convolution of tokens that shapes pad": (convolved(pads=(0, 0), before="computed"), True),
    "a convolution of all channels": (convolved(group=1, bias=True), True),
    "a convolution around each token": (convolved(pads=(1, 1)), False),
    "a convolution that is cut one later": (convolved(pads=(2, 2), cut=1), False),
    "a convolution of a few channels": (convolved(group=4), None),
    "the row before": (shifted(np.array([0, 1, 0, 0, -1, 0])), None),
    "the row behind": (shifted(np.array([0, -1, 0, 0, 1, 0])), False),
    "the row before, along an axis that is named": (shifted(np.array([1, -1]), [1]), None),
    "padded and cut beside the tokens": (shifted(np.array([1, -1]), [2]), True),
    "rows in the other order": (sliced(-1), False),
    "rows in the same order": (sliced(1), True),
})
