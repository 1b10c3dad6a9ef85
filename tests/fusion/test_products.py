#!/usr/bin/env python3
"""The two products of attention in unusual spellings, and what may stand between the weights and
the values: one small graph for each, and graphs nearly the same that mean something else."""
import sys

import forms


def apart(f, x, axis):
    return f.g.op("Unsqueeze", x, f.g.ints(axis))


def summed(f, x, y, axis, keepdims=0):
    return f.g.op("ReduceSum", f.g.op("Mul", x, y), f.g.ints(axis), keepdims=keepdims)


def queries(f, axes="bhsd"):
    return f.do("Mul", f.tensor("q", axes), 0.35)


# ---- Products ----

def scores_of_pairs(f):
    x = summed(f, apart(f, queries(f), 3), apart(f, f.tensor("k", "bhtd"), 2), -1)
    f.finish(f.values(f.softmax(x)))


def values_of_pairs(f):
    p = f.softmax(f.scaled())
    f.finish(summed(f, apart(f, p, -1), apart(f, f.tensor("v", "bhtd"), 2), 3))


def one_query_of_pairs(f):
    """[B, 1, D] beside [B, T, D]; the sums keep their axis."""
    k = f.tensor("k", "btd")
    p = f.g.op("Softmax", summed(f, queries(f, "b1d"), k, 2, keepdims=1), axis=1)
    f.finish(summed(f, f.tensor("v", "btd"), p, 1, keepdims=1))


def query_that_is_a_vector(f):
    p = f.softmax(f.g.op("MatMul", f.tensor("k", "td"), queries(f, "d")))
    f.finish(f.g.op("MatMul", p, f.tensor("v", "td")))


def vector_before_the_keys(f):
    k = f.g.op("Transpose", f.tensor("k", "btd"), perm=[0, 2, 1])
    p = f.softmax(f.g.op("MatMul", queries(f, "d"), k))
    f.finish(f.g.op("Einsum", p, f.tensor("v", "btd"), equation="bt,btd->bd"))


def sum_over_pairs_of_another(f):
    """The channels of the second factor are one number for all: no product of two tensors."""
    k = f.g.op("Unsqueeze", f.tensor("k", "bht"), f.g.ints(2, 4))
    x = summed(f, apart(f, queries(f), 3), k, -1)
    f.finish(f.values(f.softmax(x)))


def weights_of_each_key(f):
    """A layer that scores each key, spelled as pairs."""
    x = summed(f, f.tensor("x", "btd"), f.g.constant(f.data("d"), "float32"), -1)
    f.finish(summed(f, apart(f, f.softmax(x), -1), f.tensor("v", "btd"), 1))


# ---- Weights that somebody else reads ----

def values_relative_to_queries(f):
    """Shaw (2018): a second product of the weights, with vectors for each pair of positions."""
    p = f.softmax(f.scaled())
    r = f.g.constant(f.data("std"), "float32")
    y = f.g.op("Einsum", p, r, equation="bhst,std->bhsd")
    f.finish(f.g.op("Add", y, f.values(p)))


FUSED = (scores_of_pairs, values_of_pairs, one_query_of_pairs, query_that_is_a_vector,
         vector_before_the_keys, values_relative_to_queries)
LEFT = (sum_over_pairs_of_another, weights_of_each_key)


if __name__ == "__main__":
    sys.exit(forms.test(FUSED, LEFT))
