#!/usr/bin/env python3
"""Caches of one size, masks and fixed numbers of tokens, in forms that the corpus lacks: which get
pages, and that those for which it would be wrong get none.

Each row is a decoder of one attention. Where it has pages, what it gives step by step is what it
gives at once, and no bit asks how tokens are cut into steps (tests/tools/stepwise.c); and so it is
through the file's own tensors (past_steps.c). Where it has none, one thing is changed by which a
token would see others than those before it."""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import corpora

HEADS, SIZE, PLACES, TOKENS = 2, 4, 12, 7
WIDTH = HEADS * SIZE
FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Graph:
    """A graph that is written node by node."""

    def __init__(self):
        self.nodes, self.inputs, self.outputs, self.constants, self.data = [], [], [], [], []
        self.rng = np.random.default_rng(7)

    def input(self, name, dtype, shape, data):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        self.data.append(numpy_helper.from_array(np.ascontiguousarray(data), name))
        return name

    def output(self, value, dtype, shape):
        self.outputs.append(helper.make_tensor_value_info(value, dtype, shape))

    def const(self, value):
        name = "c%d" % len(self.constants)
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def ints(self, *values):
        return self.const(np.array(values, dtype=np.int64))

    def weight(self, *shape):
        return self.const((self.rng.standard_normal(shape) / 2).astype(np.float32))

    def __call__(self, op, *inputs, **attrs):
        name = attrs.pop("name", "v%d" % len(self.nodes))
        self.nodes.append(helper.make_node(op, inputs, [name], **attrs))
        return name

    def save(self, folder):
        graph = helper.make_graph(self.nodes, "decoder", self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[
            helper.make_opsetid("", 24), helper.make_opsetid("com.microsoft", 1)], ir_version=11)
        onnx.save(model, os.path.join(folder, "model.onnx"))
        data = os.path.join(folder, "test_data_set_0")
        os.makedirs(data)
        for i, tensor in enumerate(self.data):
            with open(os.path.join(data, "input_%d.pb" % i), "wb") as file:
                file.write(tensor.SerializeToString())


def tokens_input(g, batch="batch", count="seq", n=TOKENS):
    x = g.rng.standard_normal((2 if batch == "batch" else batch, n, WIDTH)).astype(np.float32)
    return g.input("x", FLOAT, [batch, count, WIDTH], x)


def heads(g, x, shape=(0, 0, HEADS, SIZE)):
    split = g("Reshape", g("MatMul", x, g.weight(WIDTH, WIDTH)), g.ints(*shape))
    return g("Transpose", split, perm=[0, 2, 1, 3])


def attend(g, q, k, v, visible, **attrs):
    scores = g("Mul", g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2])),
               g.const(np.float32(0.5)))
    if visible:
        scores = g("Where", visible, scores, g.const(np.float32(-np.inf)))
    return g("MatMul", g("Softmax", scores, axis=-1), v)


def finish(g, y, count="seq", shape=(0, 0, WIDTH)):
    y = g("Reshape", g("Transpose", y, perm=[0, 2, 1, 3]), g.ints(*shape))
    g("MatMul", y, g.weight(WIDTH, 5), name="y")
    g.output("y", FLOAT, ["batch", count, 5])


def cache(g, name, places):
    shape = ["batch", HEADS, places, SIZE]
    return g.input(name, FLOAT, shape, np.zeros((2, HEADS, PLACES, SIZE), np.float32))


def kept(g, name, value, places):
    g("Identity", value, name=name)
    g.output(name, FLOAT, ["batch", HEADS, places, SIZE])


# ---- Caches that are written --------------------------------------------------------------------


def written(write, see=lambda g, at, keys: g("LessOrEqual", keys, at), places=PLACES,
            write_values=None, number=False, read=None):
    """A cache of `places`: write(g, cache, rows, places of the tokens) and see(g, query, keys).
    `number`: places are counted on from the first one. read(g, cache, places of the tokens): what
    attention reads of it."""
    g = Graph()
    x = tokens_input(g)
    ck, cv = cache(g, "cache_k", places), cache(g, "cache_v", places)
    pos = counted_on(g, x) if number else g.input("pos", INT, ["seq"], np.arange(TOKENS))
    k = write(g, ck, heads(g, x), pos)
    v = (write_values or write)(g, cv, heads(g, x), pos)
    if places == PLACES:
        keys = g.const(np.arange(PLACES)[None])
    else:
        count = g("Squeeze", g("Shape", ck, start=2, end=3), g.ints(0))
        keys = g("Unsqueeze", g("Range", g.const(np.int64(0)), count, g.const(np.int64(1))),
                 g.ints(0))
    visible = see and see(g, g("Unsqueeze", pos, g.ints(1)), keys)
    seen = [read(g, a, pos) if read else a for a in (k, v)]
    finish(g, attend(g, heads(g, x), *seen, visible))
    kept(g, "new_k", k, places)
    kept(g, "new_v", v, places)
    return g


def counted_on(g, x):
    start = g.input("start", INT, [1], np.array([0]))
    count = g("Squeeze", g("Shape", x, start=1, end=2), g.ints(0))
    return g("Add", start, g("Range", g.const(np.int64(0)), count, g.const(np.int64(1))))


def by_elements(g, into, rows, pos, at=None, **attrs):
    at = g("Reshape", at(pos) if at else pos, g.ints(1, 1, -1, 1))
    return g("ScatterElements", into, g("Expand", at, g("Shape", rows)), rows, axis=2, **attrs)


def by_lists(g, into, rows, pos):
    """Places outermost, as PyTorch's index_put becomes."""
    first = g("ScatterND", g("Transpose", into, perm=[2, 0, 1, 3]), g("Unsqueeze", pos, g.ints(1)),
              g("Transpose", rows, perm=[2, 0, 1, 3]))
    return g("Transpose", first, perm=[1, 2, 0, 3])


def by_pairs(g, into, rows, pos, more=0):
    """Lists of a sequence and a place, as TorchScript writes cache[:, pos] = rows."""
    into, rows = (g("Transpose", x, perm=[0, 2, 1, 3]) for x in (into, rows))
    shape = g("Concat", g("Shape", rows, start=0, end=2), g.ints(1), axis=0)
    count = g("Squeeze", g("Shape", rows, start=0, end=1), g.ints(0))
    which = g("Range", g.const(np.int64(0)), count, g.const(np.int64(1)))
    pos = g("Add", pos, g.const(np.int64(more))) if more else pos
    parts = [g("Expand", g("Reshape", x, g.ints(*to)), shape)
             for x, to in ((which, (-1, 1, 1)), (pos, (1, -1, 1)))]
    y = g("ScatterND", into, g("Concat", *parts, axis=-1), rows)
    return g("Transpose", y, perm=[0, 2, 1, 3])


def by_pairs_behind(g, into, rows, pos):
    return by_pairs(g, into, rows, pos, 1)


def by_shape(g, into, rows, pos):
    """The shape of the indices is the cache's with one number changed, as index_copy becomes."""
    shape = g("ScatterElements", g("Shape", into), g.ints(2), g("Shape", pos), axis=0)
    at = g("Expand", g("Reshape", pos, g.ints(1, 1, -1, 1)), shape)
    return g("ScatterElements", into, at, rows, axis=2)


def behind_last(g, pos):
    return g("Add", g("Gather", pos, g.ints(-1), axis=0), g.ints(1))


def cut_to(places):
    """Of what is written, and may be seen, the first ones: as many as tokens, of so many places."""
    def read(g, x, pos):
        x = g("Slice", x, g.ints(0), g.ints(places), g.ints(2))
        return g("Slice", x, g.ints(0), behind_last(g, pos), g.ints(2))

    def see(g, at, keys):
        keys = g("Slice", keys, g.ints(0), g.ints(places), g.ints(1))
        keys = g("Slice", keys, g.ints(0), behind_last(g, g("Squeeze", at, g.ints(1))), g.ints(1))
        return g("LessOrEqual", keys, at)
    return written(by_elements, see, read=read)


def shifted(g, into, rows, pos):
    return by_elements(g, into, rows, pos, lambda p: g("Add", p, g.const(np.int64(1))))


def backwards(g, into, rows, pos):
    """Row i to place S - 1 - i."""
    count = g("Sub", g("Shape", pos), g.ints(1))
    return by_elements(g, into, rows, pos, lambda p: g("Sub", count, p))


def added(g, into, rows, pos):
    return by_elements(g, into, rows, pos, reduction="add")


def one_head(g, into, rows, pos):
    """Of the new rows only those of the first head."""
    part = g("Slice", rows, g.ints(0), g.ints(1), g.ints(1))
    at = g("Reshape", pos, g.ints(1, 1, -1, 1))
    return g("ScatterElements", into, g("Expand", at, g("Shape", part)), part, axis=2)


def window(g, at, keys):
    near = g("Less", g("Sub", at, keys), g.const(np.int64(3)))
    return g("And", g("LessOrEqual", keys, at), near)


def past_window(g, at, keys):
    """One place ahead of each token is visible, too."""
    return g("LessOrEqual", keys, g("Add", at, g.const(np.int64(1))))


def before(g, at, keys):
    return g("LessOrEqual", at, keys)


def by_tensor_scatter(causal=1, plus=0):
    """TensorScatter, and the standard's Attention over as many keys as are written."""
    g = Graph()
    x = tokens_input(g)
    into = [cache(g, "cache_k", PLACES), cache(g, "cache_v", PLACES)]
    start = g.input("start", INT, ["batch"], np.zeros(2, np.int64))
    k, v = [g("TensorScatter", c, heads(g, x), start, axis=2) for c in into]
    total = g("Add", start, g("Shape", x, start=1, end=2))
    total = g("Add", total, g.const(np.int64(plus))) if plus else total
    finish(g, g("Attention", heads(g, x), k, v, "", "", "", total, is_causal=causal))
    kept(g, "new_k", k, PLACES)
    kept(g, "new_v", v, PLACES)
    return g


def rolling(g, into, rows, _):
    """The newest tokens push the oldest ones out."""
    return g("Slice", g("Concat", into, rows, axis=2), g.ints(-PLACES), g.ints(2**62), g.ints(2))


# ---- Masks of queries and keys -------------------------------------------------------------------


def summed_up():
    """A number of each token is the first output."""
    g = Graph()
    tokens = g.input("tokens", INT, ["batch", "seq"], np.zeros((2, TOKENS), np.int64))
    x = g("Gather", g.weight(5, WIDTH), tokens)
    q, k, v = heads(g, x), heads(g, x), heads(g, x)
    count = g("Shape", x, start=1, end=2)
    lower = g("Trilu", g("Expand", g.const(np.array(True)), g("Concat", count, count, axis=0)),
              upper=0)
    y = g("ReduceMean", x, g.ints(-1), name="mean", keepdims=0)
    g.output(y, FLOAT, ["batch", "seq"])
    finish(g, attend(g, q, k, v, lower))
    return g


def masked(dtype, use, rank=4):
    g = Graph()
    x = tokens_input(g)
    shape = (["batch", 1] if rank == 4 else []) + ["seq", "seq"]
    data = np.zeros(([2, 1] if rank == 4 else []) + [TOKENS, TOKENS], np.float32)
    dtypes = {BOOL: bool, INT: np.int64, FLOAT: np.float32}
    mask = g.input("mask", dtype, shape, data.astype(dtypes[dtype]))
    q, k, v = heads(g, x), heads(g, x), heads(g, x)
    finish(g, use(g, q, k, v, mask))
    return g


def scores_of(g, q, k):
    return g("Mul", g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2])), g.const(np.float32(0.5)))


def add_mask(g, q, k, v, mask):
    return g("MatMul", g("Softmax", g("Add", scores_of(g, q, k), mask), axis=-1), v)


def show_where(g, q, k, v, mask):
    return attend(g, q, k, v, mask)


def unless(g, q, k, v, mask):
    """(1 - mask) * a low number, added."""
    low = g("Mul", g("Sub", g.const(np.float32(1)), mask), g.const(np.float32(-1e9)))
    return add_mask(g, q, k, v, low)


def hide_where(g, q, k, v, mask):
    scores = g("Where", mask, g.const(np.float32(-np.inf)), scores_of(g, q, k))
    return g("MatMul", g("Softmax", scores, axis=-1), v)


def padded(g, q, k, v, mask):
    """A causal mask or one of padding, where true is hidden."""
    count = g("Shape", mask, start=3, end=4)
    later = g("Trilu", g("Expand", g.const(np.array(True)), g("Concat", count, count, axis=0)),
              g.const(np.int64(1)), upper=1)
    return hide_where(g, q, k, v, g("Or", later, mask))


def shown_unless(g, q, k, v, mask):
    return attend(g, q, k, v, g("Not", mask))


def times_low(g, q, k, v, mask):
    return add_mask(g, q, k, v, g("Mul", g("Cast", mask, to=FLOAT), g.const(np.float32(-1e9))))


def turned(g, q, k, v, mask):
    """Keys by queries: what comes before is hidden."""
    return attend(g, q, k, v, g("Transpose", mask, perm=[0, 1, 3, 2]))


# ---- Tokens along the first axis -----------------------------------------------------------------


def tokens_first(change=None, count="seq", keys=2):
    """x [tokens, batch, WIDTH], as PyTorch's own layers have it; keys: the axis that is read."""
    g = Graph()
    x = g.rng.standard_normal((TOKENS, 2, WIDTH)).astype(np.float32)
    x = g.input("x", FLOAT, [count, "batch", WIDTH], x)
    mask = g.input("mask", BOOL, [count, count], np.zeros((TOKENS, TOKENS), bool))
    rows = change(g, x) if change else x
    perm = [1, 2, 0, 3] if keys == 2 else [0, 2, 1, 3]
    q, k, v = (g("Transpose", g("Reshape", g("MatMul", rows, g.weight(WIDTH, WIDTH)),
                                g.ints(0, 0, HEADS, SIZE)), perm=perm) for _ in range(3))
    y = hide_where(g, q, k, v, mask) if keys == 2 else attend(g, q, k, v, None)
    y = g("Transpose", y, perm=[2, 0, 1, 3] if keys == 2 else perm)
    g("MatMul", g("Reshape", y, g.ints(0, 0, WIDTH)), g.weight(WIDTH, 5), name="y")
    g.output("y", FLOAT, [count, "batch", 5])
    return g


def less_mean_of_tokens(g, x):
    return g("Sub", x, g("ReduceMean", x, g.ints(0)))


def with_token_before(g, x):
    before = g("Concat", g("Slice", x, g.ints(0), g.ints(1), g.ints(0)),
               g("Slice", x, g.ints(0), g.ints(-1), g.ints(0)), axis=0)
    return g("Add", x, before)


# ---- Convolutions beside attention --------------------------------------------------------------


def hybrid(convolve, kept=2):
    """A convolution with a state [batch, WIDTH, kept], then attention with a past."""
    g = Graph()
    x = tokens_input(g)
    state = g.input("state", FLOAT, ["batch", WIDTH, kept], np.zeros((2, WIDTH, kept), np.float32))
    pasts = [g.input("past_" + c, FLOAT, ["batch", HEADS, "past", SIZE],
                     np.zeros((2, HEADS, 3, SIZE), np.float32)) for c in "kv"]
    y, present = convolve(g, g("Transpose", x, perm=[0, 2, 1]), state)
    x = g("Add", x, g("Transpose", y, perm=[0, 2, 1]))
    k, v = [g("Concat", past, heads(g, x), axis=2) for past in pasts]
    total, count = g("Shape", k, start=2, end=3), g("Shape", x, start=1, end=2)
    zero, one = g.const(np.int64(0)), g.const(np.int64(1))
    keys = g("Range", zero, g("Squeeze", total, g.ints(0)), one)
    first = g("Squeeze", g("Sub", total, count), g.ints(0))
    query = g("Range", first, g("Squeeze", total, g.ints(0)), one)
    finish(g, attend(g, heads(g, x), k, v, g("LessOrEqual", keys, g("Unsqueeze", query,
                                                                    g.ints(1)))))
    for name, value, shape in (("new_state", present, [WIDTH, kept]),
                               ("new_k", k, [HEADS, "all", SIZE]),
                               ("new_v", v, [HEADS, "all", SIZE])):
        g("Identity", value, name=name)
        g.output(name, FLOAT, ["batch", *shape])
    return g


def joined(first=-2, last=2**62, behind=False, cut=None):
    """Conv over the state and the tokens; the state becomes [first:last] of both."""
    def convolve(g, x, state):
        both = g("Concat", *((x, state) if behind else (state, x)), axis=2)
        y = g("Conv", both, g.weight(WIDTH, 1, 3), group=WIDTH)
        if cut is not None:
            y = g("Slice", y, g.ints(cut), g("Add", g("Shape", x, start=2, end=3), g.ints(cut)),
                  g.ints(2))
        return y, g("Slice", both, g.ints(first), g.ints(last), g.ints(2))
    return convolve


def by_operator(g, x, state):
    names = ["conv_y", "conv_state"]
    g.nodes.append(helper.make_node(
        "CausalConvWithState", [x, g.weight(WIDTH, 1, 3), g.weight(WIDTH), state], names,
        domain="com.microsoft", activation="silu"))
    return names


# ---- A past of which the newest alone come out ---------------------------------------------------


def newest(causal=1):
    g = Graph()
    x = tokens_input(g)
    shape = ["batch", HEADS, "past", SIZE]
    past = [g.input(n, FLOAT, shape, np.zeros((2, HEADS, 0, SIZE), np.float32)) for n in "kv"]
    new = [heads(g, x) for _ in past]
    k, v = (g("Concat", a, b, axis=2) for a, b in zip(past, new))
    queries = g("Shape", x, start=1, end=2)
    keys = g("Shape", k, start=2, end=3)
    lower = g("Trilu", g("Expand", g.const(np.array(True)), g("Concat", queries, keys, axis=0)),
              g("Squeeze", g("Sub", keys, queries), g.ints(0)), upper=0)
    finish(g, attend(g, heads(g, x), k, v, lower if causal else None))
    for name, value in zip(("new_k", "new_v"), new):
        kept(g, name, value, "seq")
    return g


# ---- A number of tokens that the file fixes ------------------------------------------------------


def fixed(change=None, see=None, table=None, count=TOKENS, batch=2, width=WIDTH):
    """Shapes, places and the mask are constants of `count` tokens."""
    g = Graph()
    x = tokens_input(g, batch, count, count)
    rows = g("Add", x, table(g) if table else g.weight(1, count, WIDTH))
    flat = g("Reshape", rows, g.ints(batch * count, WIDTH))
    rows = g("Reshape", g("MatMul", flat, g.weight(WIDTH, WIDTH)), g.ints(batch, count, WIDTH))
    rows = change(g, rows) if change else rows
    q, k, v = (heads(g, rows, (batch, count, HEADS, SIZE)) for _ in range(3))
    lower = np.tril(np.ones((count, count), bool))
    y = attend(g, q, k, v, g.const(see(lower) if see else lower))
    y = g("Reshape", g("Transpose", y, perm=[0, 2, 1, 3]), g.ints(batch, count, width))
    y = g("Reshape", y, g.ints(batch * count, WIDTH))
    g("Reshape", g("MatMul", y, g.weight(WIDTH, 5)), g.ints(batch, count, 5), name="y")
    g.output("y", FLOAT, [batch, count, 5])
    return g


def same_twice(g):
    return g.const(np.repeat(g.rng.standard_normal((1, TOKENS, WIDTH)), 2, 0).astype(np.float32))


def one_each(g):
    return g.weight(2, TOKENS, WIDTH)


def less_the_other(g, x):
    return g("Sub", x, g("ReduceMean", x, g.ints(0)))


def by_first(g, x):
    return g("Add", x, g("Slice", x, g.ints(0), g.ints(1), g.ints(0)))


def last_alone(lower):
    """Causal but for one token, which no rule says."""
    lower[-1, :-1] = False
    return lower


def mixed(g, x):
    """Tokens are added up with weights, as in an MLP-Mixer."""
    return g("MatMul", g.weight(TOKENS, TOKENS), x)


def centred(g, x):
    return g("Sub", x, g("ReduceMean", x, g.ints(1)))


def by_last(g, x):
    return g("Add", x, g("Gather", x, g.ints(TOKENS - 1), axis=1))


def halved(g, x):
    """The first tokens and the others, the other way round."""
    parts = [g("Slice", x, g.ints(a), g.ints(b), g.ints(1)) for a, b in ((3, TOKENS), (0, 3))]
    return g("Concat", *parts, axis=1)


def regrouped(g, x):
    """Channels and tokens change places."""
    return g("Reshape", g("Transpose", x, perm=[0, 2, 1]), g.ints(2, TOKENS, WIDTH))


# ---- Rows ----------------------------------------------------------------------------------------

PAGES = {
    "elements": lambda: written(by_elements),
    "elements, any number of places": lambda: written(by_elements, places="places"),
    "lists": lambda: written(by_lists),
    "keys by elements, values by lists": lambda: written(by_elements, write_values=by_lists),
    "a window": lambda: written(by_elements, window),
    "pairs": lambda: written(by_pairs),
    "elements, their shape from the cache's": lambda: written(by_shape),
    "a start, as a number": lambda: written(by_elements, number=True),
    "what is written is cut to the tokens": lambda: cut_to(PLACES),
    "the newest alone come out": newest,
    "floats that are 1 where something is visible": lambda: masked(FLOAT, unless),
    "TensorScatter and lengths": lambda: by_tensor_scatter(),
    "a mask that is added": lambda: masked(FLOAT, add_mask),
    "truths that show": lambda: masked(BOOL, show_where),
    "truths that show, for all sequences": lambda: masked(BOOL, show_where, 2),
    "fixed": fixed,
    "fixed, one sequence": lambda: fixed(batch=1),
    "fixed, as many tokens as heads": lambda: fixed(count=HEADS * SIZE),
    "fixed, and an extent left open": lambda: fixed(width=-1),
    "fixed, a table for each sequence, all alike": lambda: fixed(table=same_twice),
    "fixed, a window": lambda: fixed(see=lambda m: m & ~np.tril(m, -3)),
    "truths that hide": lambda: masked(BOOL, hide_where),
    "truths that hide, or what comes later": lambda: masked(BOOL, padded),
    "truths that hide, turned around": lambda: masked(BOOL, shown_unless),
    "truths that hide, times a low number": lambda: masked(BOOL, times_low),
    "floats that are 1 where something is hidden": lambda: masked(FLOAT, times_low),
    "numbers that are 1 where something is hidden": lambda: masked(INT, times_low),
    "tokens first": lambda: tokens_first(),
    "tokens first, a fixed number": lambda: tokens_first(count=TOKENS),
    "a convolution's state": lambda: hybrid(joined()),
    "a state longer than is read": lambda: hybrid(joined(-3, cut=1), 3),
    "a state of an operator": lambda: hybrid(by_operator),
}

NO_PAGES = {
    "written one place behind": lambda: written(shifted),
    "what is written is cut to a few places": lambda: cut_to(PLACES - 3),
    "pairs, written one place behind": lambda: written(by_pairs_behind),
    "the newest alone come out, and all is seen": lambda: newest(0),
    "written backwards": lambda: written(backwards),
    "added to what was there": lambda: written(added),
    "one head is written": lambda: written(one_head),
    "values elsewhere than keys": lambda: written(by_elements, write_values=shifted),
    "what nobody wrote is seen": lambda: written(by_elements, None),
    "a token sees the next": lambda: written(by_elements, past_window),
    "a token sees what comes after": lambda: written(by_elements, before),
    "a window that rolls, without a mask": lambda: written(rolling, None),
    "TensorScatter, all written is seen": lambda: by_tensor_scatter(causal=0),
    "TensorScatter, one more than is written": lambda: by_tensor_scatter(plus=1),
    "tokens first, less their mean": lambda: tokens_first(less_mean_of_tokens),
    "tokens first, with the one before": lambda: tokens_first(with_token_before),
    "tokens first, and sequences see each other": lambda: tokens_first(keys=0),
    "a state of the first inputs": lambda: hybrid(joined(0, 2)),
    "a state of inputs but the last": lambda: hybrid(joined(-3, -1)),
    "a state behind the tokens": lambda: hybrid(joined(behind=True)),
    "fixed, and all is seen": lambda: fixed(see=np.ones_like),
    "fixed, a table for each sequence": lambda: fixed(table=one_each),
    "fixed, less the mean of sequences": lambda: fixed(less_the_other),
    "fixed, with the first sequence": lambda: fixed(by_first),
    "fixed, and the last row sees itself alone": lambda: fixed(see=last_alone),
    "fixed, tokens are mixed": lambda: fixed(mixed),
    "fixed, less the mean": lambda: fixed(centred),
    "fixed, with the last token": lambda: fixed(by_last),
    "fixed, in two parts": lambda: fixed(halved),
    "fixed, channels for tokens": lambda: fixed(regrouped),
    "a mask of keys by queries": lambda: masked(BOOL, turned),
}

# stepwise compares the first output
WITHOUT = {"the result behind what is said of it": summed_up}


def run_without_pages(folder):
    """What past_steps says of the same file."""
    done = subprocess.run([os.path.join(corpora.BUILD, "tests", "past_steps"), folder],
                          capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip()


def run_case(make, folder):
    """What stepwise says, and the forms that explain names."""
    make().save(folder)
    done = subprocess.run([os.path.join(corpora.BUILD, "tests", "stepwise"), folder],
                          capture_output=True, text=True, check=False)
    told = subprocess.run([corpora.HEED, "explain", "--json", os.path.join(folder, "model.onnx")],
                          capture_output=True, text=True, check=False)
    forms = {c["form"] for c in json.loads(told.stdout)["caches"]} if not told.returncode else set()
    return (done.stdout or done.stderr).strip(), forms


def main():
    failed = 0
    for rows, wanted in ((PAGES, "same"), (NO_PAGES, "none"), (WITHOUT, "")):
        for name, make in rows.items():
            with tempfile.TemporaryDirectory() as folder:
                said, forms = run_case(make, folder)
                plain = run_without_pages(folder) if wanted != "none" else "same"
            words = said.split()[1:]
            wrong = wanted and words[0].rstrip(":") != wanted
            wrong = wrong or not plain.startswith("same") or (wanted == "same" and words[-1] != "0")
            failed += bool(wrong)
            if wrong or "-v" in sys.argv:
                print("%s %s: %s; %s; %s" % ("FAILED" if wrong else "passed", name, said, plain,
                                             forms))
    print("%d passed, %d failed, 0 skipped" % (len(PAGES) + len(NO_PAGES) + 1 - failed, failed))
    return 1 if failed else 0


sys.exit(main())
