#!/usr/bin/env python3
"""Caches of one size, pasts and states, in forms that the corpus lacks: which get pages, and that
those for which it would be wrong get none. Forms without any are in test_cacheless_forms.py."""

from form_parts import FLOAT, HEADS, INT, SIZE, TOKENS, WIDTH, Graph
from form_parts import attend, finish, heads, run_all, tokens_input

import numpy as np
from onnx import helper

PLACES = 12


def cache(g, name, places):
    shape = ["batch", HEADS, places, SIZE]
    return g.input(name, FLOAT, shape, np.zeros((2, HEADS, PLACES, SIZE), np.float32))


def kept(g, name, value, places):
    g("Identity", value, name=name)
    g.output(name, FLOAT, ["batch", HEADS, places, SIZE])


# ---- Caches that are written ---------------------------------------------------------------------


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


# ---- Convolutions beside attention ---------------------------------------------------------------


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
    "TensorScatter and lengths": lambda: by_tensor_scatter(),
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
    "a state of the first inputs": lambda: hybrid(joined(0, 2)),
    "a state of inputs but the last": lambda: hybrid(joined(-3, -1)),
    "a state behind the tokens": lambda: hybrid(joined(behind=True)),
}

run_all(PAGES, NO_PAGES)
