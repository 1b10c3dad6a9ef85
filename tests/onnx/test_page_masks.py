#!/usr/bin/env python3
"""Masks and biases of which one part is changed: what gets pages, and what must not."""

from page_parts import HEADS, LOW, MOST, WIDTH, Decoder, backwards, by_length, run_all

import numpy as np
from onnx import TensorProto


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


def cut_truths(side):
    """The standard's Attention, with a table of truths that is cut to the tokens."""
    def part(d, x):
        n = d.tokens()
        table = d.op("Slice", np.tril(np.ones((MOST, side), bool)), [0, 0],
                     d.op("Concat", n, n, axis=0), [0, 1])
        q, k, v = (d.op("MatMul", x, d.random(WIDTH, WIDTH)) for _ in range(3))
        y = d.op("Attention", q, k, v, table, q_num_heads=HEADS, kv_num_heads=HEADS)
        return d.op("Add", x, y)
    return part


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


def written(rows):
    """A mask whose rows are all written anew, each to the place that `rows` says."""
    def mask(d, scores):
        low = d.op("Where", d.sees(), np.float32(0), np.float32(LOW))
        at = d.op("Unsqueeze", rows(d), [1])
        return d.op("Add", scores, d.op("ScatterND", d.op("Mul", low, np.float32(0)), at, low))
    return mask


run_all({
    "a causal mask that multiplies": (masked(table_mask(1.0)), True),
    "a causal mask that halves what is seen": (masked(table_mask(0.5)), None),
    "a table of truths that is cut": (cut_truths(MOST), True),
    "a table of truths for a few keys": (cut_truths(5), None),
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
    "a mask whose rows are written anew": (masked(written(Decoder.places)), True),
    "a mask whose rows are written backwards": (masked(written(backwards)), False),
})
