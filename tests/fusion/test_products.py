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


def product_of_three(f):
    """The output projection of each head is in the product with the values."""
    w = f.g.constant(f.data("hde"), "float32")
    p = f.softmax(f.scaled())
    f.finish(f.g.op("Einsum", p, f.tensor("v", "bhtd"), w, equation="bhst,bhtd,hde->bse"))


def scores_of_three(f):
    """Latent keys of all heads, in an order that would make the product of all pairs first."""
    w, c = f.g.constant(f.data("hde"), "float32"), f.tensor("c", "bte")
    x = f.g.op("Einsum", queries(f), c, w, equation="bhsd,bte,hde->bhst")
    f.finish(f.g.op("Einsum", f.softmax(x), c, w, equation="bhst,bte,hde->bhsd"))


def bias_in_the_product(f):
    x = f.g.op("Gemm", f.tensor("q", "sd"), f.tensor("k", "td"), f.tensor("m", "st"), alpha=0.35,
               beta=0.7, transB=1)
    f.finish(f.g.op("Gemm", f.softmax(x), f.tensor("v", "td")))


def sum_of_scores_and_biases(f):
    x = f.g.op("Sum", f.tensor("m", "b11t"), f.scaled(), f.tensor("n", "hst"))
    f.finish(f.values(f.softmax(x)))


def sum_of_products(f):
    """The keys of the second product are those of all heads."""
    r = f.g.op("Einsum", f.tensor("r", "bhse"), f.tensor("p", "bte"), equation="bhse,bte->bhst")
    x = f.g.op("Add", f.do("Mul", r, 0.2), f.scaled())
    f.finish(f.values(f.softmax(f.g.op("Add", x, f.tensor("m", "b11t")))))


def sum_of_products_around_a_mask(f):
    """The second product is added to hidden scores, too."""
    r = f.g.op("Einsum", f.tensor("r", "bhse"), f.tensor("p", "bte"), equation="bhse,bte->bhst")
    m = f.g.cast(f.tensor("m", "b11t"), "bool")
    x = f.g.op("Add", f.do("Where", m, f.scaled(), -2.0), r)
    f.finish(f.values(f.softmax(x)))


def product_with_a_diagonal(f):
    """Not the values, but their diagonal is multiplied."""
    w = f.g.constant(f.data("hdd"), "float32")
    f.finish(f.g.op("Einsum", f.softmax(f.scaled()), f.tensor("v", "bhtd"), w,
                    equation="bhst,bhtd,hee->bhsd"))


def product_over_the_queries(f):
    """The sum is over the queries."""
    w = f.g.constant(f.data("hde"), "float32")
    f.finish(f.g.op("Einsum", f.softmax(f.scaled()), f.tensor("v", "bhsd"), w,
                    equation="bhst,bhsd,hde->bte"))


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
         vector_before_the_keys, product_of_three, scores_of_three, bias_in_the_product,
         sum_of_scores_and_biases, sum_of_products,
         sum_of_products_around_a_mask, values_relative_to_queries)
LEFT = (product_with_a_diagonal, product_over_the_queries, sum_over_pairs_of_another,
        weights_of_each_key)


if __name__ == "__main__":
    sys.exit(forms.test(FUSED, LEFT))
