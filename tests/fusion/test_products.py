#!/usr/bin/env python3
"""The two products of attention in unusual spellings, and what may stand between the weights and
the values: one small graph for each, and graphs nearly the same that mean something else."""
import sys

import forms
from forms import np


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


# ---- What is done to the weights ----

def visible(f, axes):
    """Some of them, and of the first row none."""
    m = f.rng.random([forms.SIZES[a] for a in axes]) < 0.6
    m[0] = False
    return f.g.input("m", m, [f"n{a}" if a in "bst" else forms.SIZES[a] for a in axes], "bool")


def masked(f, m, fill, x=None):
    return f.softmax(f.do("Where", m, x or f.scaled(), fill))


def weights_of_heads(f):
    p = f.do("Div", f.do("Mul", f.softmax(f.scaled()), f.tensor("m", "1h11")), 0.9)
    f.finish(f.values(p))


def weights_of_keys(f):
    f.finish(f.values(f.g.op("Mul", f.softmax(f.scaled()), f.tensor("m", "b11t"))))


def weights_of_pairs_of_vectors(f):
    """What multiplies the weights is a vector of queries times one of keys."""
    m = f.g.op("Mul", f.tensor("row", "b1s1"), f.tensor("key", "b11t"))
    f.finish(f.values(f.do("Mul", f.softmax(f.scaled()), m)))


def rows_without_keys(f):
    m = visible(f, "st")
    some = f.do("Greater", f.total(f.g.cast(m, "float32")), 0.0)
    f.finish(f.values(f.do("Where", some, masked(f, m, -float("inf")), 0.0)))


def mask_again(f):
    m = visible(f, "st")
    p = masked(f, m, float(np.finfo(np.float32).min))
    f.finish(f.values(f.do("Where", f.g.op("Not", m), 0.0, p)))


def mask_again_as_numbers(f):
    """Beside a bias that is made of products."""
    m = visible(f, "st")
    r = f.g.op("MatMul", f.tensor("n", "bhtd"), f.g.constant(f.data("d1"), "float32"))
    r = f.g.op("Transpose", r, perm=[0, 1, 3, 2])
    p = masked(f, m, -3e38, f.g.op("Add", f.scaled(), r))
    f.finish(f.values(f.g.op("Mul", p, f.g.cast(m, "float32"))))


def keys_hidden_again(f):
    """The mask has an axis of keys alone; beside it stands one that nobody knows."""
    m = visible(f, "t")
    x = f.g.op("Add", f.scaled(), f.tensor("n", "st"))
    f.finish(f.values(f.do("Mul", masked(f, m, -1e4, x), f.g.cast(m, "float32"))))


def difference_of_weights(f):
    p, r = f.softmax(f.scaled()), f.softmax(f.scores(f.tensor("r", "bhsd"), f.tensor("l", "bhtd")))
    c = f.g.constant(f.data("h11"), "float32")
    f.finish(f.values(f.g.op("Sub", p, f.g.op("Mul", c, r))))


def difference_of_heads(f):
    """Two heads of one softmax share the values."""
    q, k = f.tensor("q", "bs1hd"), f.tensor("k", "bt1hd")
    x = f.g.op("Einsum", q, k, equation="bsehd,btehd->behst")
    p = f.g.op("Transpose", f.softmax(x), perm=[0, 2, 1, 3, 4])
    pick = [f.g.op("Gather", p, f.g.constant(np.array(i, np.int64)), axis=1) for i in (0, 2)]
    v = f.tensor("v", "b1td")
    f.finish(f.values(f.g.op("Sub", pick[0], f.do("Mul", 0.4, pick[1])), v))


def product_of_weights(f):
    p, r = f.softmax(f.scaled()), f.softmax(f.scores(f.tensor("r", "bhsd"), f.tensor("l", "bhtd")))
    f.finish(f.values(f.g.op("Mul", p, r)))


def weights_and_a_tensor(f):
    f.finish(f.values(f.g.op("Add", f.softmax(f.scaled()), f.tensor("n", "bhst"))))


def another_mask_again(f):
    m = visible(f, "st")
    p = masked(f, m, float(np.finfo(np.float32).min))
    n = f.g.cast(f.tensor("n", "st"), "bool")
    f.finish(f.values(f.do("Where", n, 0.0, p)))


def mask_again_around_a_bias(f):
    """The bias may hide what the mask shows: then both weigh the same."""
    m = visible(f, "st")
    low = float(np.finfo(np.float32).min)
    hidden = f.do("Where", f.g.cast(f.tensor("n", "st"), "bool"), low, 0.0)
    x = f.g.op("Add", f.scaled(), hidden)
    f.finish(f.values(f.do("Where", m, masked(f, m, low, x), 0.0)))


def weak_mask_again(f):
    m = visible(f, "st")
    f.finish(f.values(f.do("Where", m, masked(f, m, -3.0), 0.0)))


# ---- Weights that somebody else reads ----

def changed_weights_as_result(f):
    m = visible(f, "st")
    p = f.do("Where", m, masked(f, m, float(np.finfo(np.float32).min)), 0.0)
    f.finish(f.values(p))
    f.g.output(p, "p")


def values_relative_to_queries(f):
    """Shaw (2018): a second product of the weights, with vectors for each pair of positions."""
    p = f.softmax(f.scaled())
    r = f.g.constant(f.data("std"), "float32")
    y = f.g.op("Einsum", p, r, equation="bhst,std->bhsd")
    f.finish(f.g.op("Add", y, f.values(p)))


def values_relative_by_a_table(f):
    """The same with vectors that are looked up, which stand behind the values' product."""
    q = f.tensor("q", "bhsd")
    p = f.softmax(f.do("Mul", f.scores(q), 0.35))
    y = f.values(p)
    r = f.g.op("Mul", f.tensor("r", "std"), f.g.constant(np.array(0.5), "float32"))
    f.finish(f.g.op("Add", y, f.g.op("Einsum", p, r, equation="bhst,std->bhsd")))


def values_of_pairs_behind_whole_slices(f):
    """A new axis is a slice of everything, too, whose end is far away."""
    def whole(x, axis):
        x = f.g.op("Unsqueeze", x, f.g.ints(axis))
        return f.g.op("Slice", x, f.g.ints(0, 0), f.g.ints(10**9, 10**9), f.g.ints(2, 3))
    p = whole(f.softmax(f.scaled()), 4)
    f.finish(summed(f, p, whole(f.tensor("v", "bhtd"), 2), 3))


FUSED = (scores_of_pairs, values_of_pairs, values_of_pairs_behind_whole_slices,
         one_query_of_pairs, query_that_is_a_vector,
         vector_before_the_keys, product_of_three, scores_of_three, bias_in_the_product,
         sum_of_scores_and_biases, sum_of_products, sum_of_products_around_a_mask,
         weights_of_heads, weights_of_keys, rows_without_keys, mask_again, mask_again_as_numbers,
         keys_hidden_again, changed_weights_as_result, difference_of_weights, difference_of_heads,
         values_relative_to_queries, values_relative_by_a_table,
         weights_of_pairs_of_vectors)
LEFT = (product_of_weights, weights_and_a_tensor, product_with_a_diagonal,
        product_over_the_queries, sum_over_pairs_of_another, weights_of_each_key,
        another_mask_again, mask_again_around_a_bias, weak_mask_again)


if __name__ == "__main__":
    sys.exit(forms.test(FUSED, LEFT))
