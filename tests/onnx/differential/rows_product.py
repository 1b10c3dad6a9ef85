"""Rows of products: matrices, Einsum, convolutions in integers."""
from differential.table import row

NUMBERS = ("float32", "float32", "float64", "int64", "int32")


def matrices(d):
    """Shapes of two stacks of matrices that multiply; either may be a vector."""
    batch = d.shape(most=2)
    m, k, n = (d.whole(1, 6) for _ in range(3))
    if d.zero:
        m, k, n = d.pick((0, k, n), (m, 0, n), (m, k, 0))
    if d.long:
        m, k, n = d.pick((m, 65, 33), (40, k, 17), (1, 70, 130))
    a, b = (k,) if d.chance(0.15) else (m, k), (k,) if d.chance(0.15) else (k, n)
    a = d.narrowed(batch) + a if len(a) > 1 else a
    return a, d.narrowed(batch) + b if len(b) > 1 else b


@row("MatMul")
def matmul(d):
    a, b = matrices(d)
    dtype = d.dtype(NUMBERS)
    return d.case([d.data(a, dtype), d.data(b, dtype)])


@row("Gemm")
def gemm(d):
    m, k, n = d.shape(rank=3, zero=(0, 2))
    ta, tb = d.pick(0, 1), d.pick(0, 1)
    dtype = d.dtype(NUMBERS)
    c = d.data(d.narrowed((m, n)), dtype)
    if d.opset >= 11 and d.chance(0.3):
        c = None
    alpha, beta = (2.0, 3.0) if dtype.kind == "i" else (d.real(-2, 2), d.real(-2, 2))
    return d.case([d.data((k, m) if ta else (m, k), dtype), d.data((n, k) if tb else (k, n), dtype),
                   c], attrs=d.attrs(alpha=alpha, beta=beta) | {"transA": ta, "transB": tb})


EQUATIONS = ("ij,jk->ik", "bij,bjk->bik", "ij->ji", "ii->i", "ii", "ij->", "ij,j", "i,j->ij",
             "...ij,...jk->...ik", "b...d->...bd", "bhqd,bhkd->bhqk", "ij,jk,kl->il",
             "...i,...i->...", "abc,cd->abd", "bij,kj->bik", "ij,kj", "i i j -> i j", "...->...")


@row("Einsum")
def einsum(d):
    equation = d.pick(*EQUATIONS)
    size = {letter: n for letter, n in zip("abcdhijklq", d.shape(rank=10, high=4))}
    dots = d.shape(most=2, zero=False, high=3)
    dtype = d.dtype(("float32", "float32", "float64", "int64", "int32"))
    inputs = []
    for term in equation.replace(" ", "").split("->")[0].split(","):
        before, dotted, after = term.partition("...")
        shape = [size[c] for c in before] + (list(dots) if dotted else [])
        inputs.append(d.data(shape + [size[c] for c in after], dtype))
    return d.case(inputs, attrs={"equation": equation})


@row("Det")
def det(d):
    n = d.whole(1, 5)
    return d.case([d.data(d.shape(most=2) + (n, n), d.dtype(("float32", "float64")))])


@row("MatMulInteger")
def matmul_integer(d):
    a, b = matrices(d)
    ta, tb = d.pick("uint8", "int8"), d.pick("uint8", "int8")
    za = d.data((), ta) if d.chance() else None
    zb = d.data(d.pick((), b[-1:]) if len(b) == 2 else (), tb) if d.chance() else None
    # ONNX Runtime leaves a product over nothing as the memory was.
    return d.case([d.data(a, ta), d.data(b, tb), za, zb],
                  oracle="reference" if a[-1] == 0 else None)


@row("CausalConvWithState")
def causal_conv(d):
    n, c, length = d.shape(rank=3, zero=False)
    k = d.whole(1, 5)
    bias = d.data((c,)) if d.chance() else None
    past = d.data((n, c, k - 1)) if d.chance() and k > 1 else None
    return d.case([d.data((n, c, length)), d.data((c, 1, k)), bias, past], 2,
                  attrs=d.attrs(activation=d.pick("none", "silu", "swish")))
