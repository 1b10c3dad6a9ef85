#!/usr/bin/env python3
"""Masks, orders of axes and fixed numbers of tokens of decoders without a cache, in forms that the
corpus lacks: which get pages, and that those for which it would be wrong get none."""

from form_parts import BOOL, FLOAT, HEADS, INT, SIZE, TOKENS, WIDTH, Graph
from form_parts import attend, finish, heads, run_all, scores_of, tokens_input

import numpy as np


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
    "floats that are 1 where something is visible": lambda: masked(FLOAT, unless),
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
}

NO_PAGES = {
    "tokens first, less their mean": lambda: tokens_first(less_mean_of_tokens),
    "tokens first, with the one before": lambda: tokens_first(with_token_before),
    "tokens first, and sequences see each other": lambda: tokens_first(keys=0),
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

run_all(PAGES, NO_PAGES, WITHOUT)
